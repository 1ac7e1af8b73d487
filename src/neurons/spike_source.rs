//! Neurons that spike at given times.
//!
//! | field | default | unit | |
//! |---|---|---|---|
//! | `spikes` | none | (ms, neuron) | the times, in any order |
//! | `file` | none | | a CSV file with the columns `times_ms` and `neuron`, whose spikes are added |
//! | `repeat_ms` | never | ms | after this time everything starts again |
//!
//! **Receptors**: none; it takes no input.
//!
//! **Integration**: a spike carries the stamp nearest to its time, so a spike at *t* belongs to the step that ends at *t*; one at 0 has no
//! such step and carries the first stamp, dt. Spikes of one neuron that fall into one step are one. Nothing is kept from step
//! to step. With `repeat_ms`, a whole number of steps, a list is a rhythm: a burst and the pause after it, a pattern shown again and
//! again.
//!
//! **Offsets**: neurons that are resolved in continuous time ([`Srm`](super::srm::Srm)) get each spike at its own time, to 1/4096 of a step.
//!
//! **Source**: none; it is NEST's `spike_generator` and PyNN's `SpikeSourceArray` for a whole population.
//!
//! **Scenes**: `neuron_zoo`.

use super::{BuildRegion, RegisterNeuron, SourceModel, SourceStep};
use crate::plasticity::exact::TICKS;
use crate::sim::clock::to_steps;
use crate::sim::columns::LANES;
use crate::sim::quantity::{Range, Unit};
use bevy::prelude::*;

pub(super) fn plugin(app: &mut App) {
    app.register_source::<SpikeSource>();
}

/// Neurons that spike at given times. See the [module](self).
#[derive(Component, Reflect, Clone, Debug, Default)]
#[reflect(Default)]
pub struct SpikeSource {
    /// (time in ms, neuron), in any order.
    pub spikes: Vec<(f64, u32)>,
    /// A CSV file with the columns `times_ms` and `neuron`.
    pub file: Option<String>,
    /// The period after which everything starts again; without it, never.
    #[reflect(@Unit("ms"), @Range::positive())]
    pub repeat_ms: Option<f64>,
}

/// What the steps of a [`SpikeSource`] need: its spikes by step.
#[derive(Component)]
pub struct SpikePlan {
    /// (step, neuron, offset in ticks from the start of the step), ascending.
    spikes: Vec<(u64, u32, u32)>,
    /// Steps after which everything starts again.
    period: Option<u64>,
}

impl SpikePlan {
    /// The spikes of a step.
    fn due(&self, step: u64) -> impl Iterator<Item = &(u64, u32, u32)> {
        let step = self.period.map_or(step, |period| step % period);
        let first = self.spikes.partition_point(|(s, ..)| *s < step);
        self.spikes[first..]
            .iter()
            .take_while(move |(s, ..)| *s == step)
    }
}

impl SourceModel for SpikeSource {
    type Plan = SpikePlan;

    fn plan(&self, region: &BuildRegion<'_>) -> Result<SpikePlan, String> {
        let mut spikes = Vec::new();
        let mut add = |place: &dyn Fn() -> String, time: f64, neuron: f64| {
            if !(time >= 0.0 && time.is_finite()) {
                return Err(format!("{}: the time {time} ms must be 0 or more", place()));
            }
            if neuron.fract() != 0.0 || !(0.0..f64::from(region.neurons)).contains(&neuron) {
                let last = region.neurons - 1;
                return Err(format!(
                    "{}: neuron {neuron} does not exist; the region has neurons 0 to {last}",
                    place()
                ));
            }
            let step = to_steps(time, region.dt_ms).saturating_sub(1);
            if let Some(period) = self.repeat_ms
                && step >= to_steps(period, region.dt_ms)
            {
                return Err(format!(
                    "{}: the time {time} ms lies beyond repeat_ms, {period} ms",
                    place()
                ));
            }
            let offset = time - step as f64 * region.dt_ms;
            let tick = libm::rint(offset / region.dt_ms * f64::from(TICKS)).max(0.0) as u32;
            spikes.push((step, neuron as u32, tick));
            Ok(())
        };
        for (i, (time, neuron)) in self.spikes.iter().enumerate() {
            add(&|| format!("spikes[{i}]"), *time, f64::from(*neuron))?;
        }
        if let Some(path) = &self.file {
            let mut columns = region
                .files
                .columns(path, &["times_ms", "neuron"], &[])?
                .into_iter();
            let mut next = || columns.next().flatten().unwrap_or_default();
            let (times, neurons) = (next(), next());
            for (row, (time, neuron)) in times.iter().zip(&neurons).enumerate() {
                add(&|| format!("{path}: row {}", row + 1), *time, *neuron)?;
            }
        }
        spikes.sort_unstable();
        spikes.dedup();
        Ok(SpikePlan {
            spikes,
            period: self
                .repeat_ms
                .map(|period| to_steps(period, region.dt_ms).max(1)),
        })
    }

    fn fire(plan: &SpikePlan, at: &SourceStep<'_>, mask: &mut [u64]) {
        for (_, neuron, _) in plan.due(at.step) {
            mask[*neuron as usize / LANES] |= 1 << (*neuron as usize % LANES);
        }
    }

    const EXACT: bool = true;

    fn offsets(plan: &SpikePlan, at: &SourceStep<'_>, out: &mut Vec<(u32, u32)>) {
        out.extend(plan.due(at.step).map(|(_, neuron, tick)| (*neuron, *tick)));
    }

    fn check(&self, region: &BuildRegion<'_>) -> Result<(), String> {
        let dt = region.dt_ms;
        match self.repeat_ms {
            Some(period)
                if (period / dt).round() < 1.0
                    || (period / dt - (period / dt).round()).abs() > 1e-6 =>
            {
                Err(format!(
                    "repeat_ms is {period}; it must be a whole number of steps of {dt} ms, at least one"
                ))
            }
            _ => self.plan(region).map(drop),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::files::{Files, NoFiles};
    use crate::sim::simd::SimdLevel;
    use crate::sim::workers::Workers;

    /// A CSV file in memory.
    struct OneFile([Vec<f64>; 2]);

    impl Files for OneFile {
        fn columns(
            &self,
            path: &str,
            needed: &[&str],
            _: &[&str],
        ) -> Result<Vec<Option<Vec<f64>>>, String> {
            assert_eq!((path, needed), ("spikes.csv", &["times_ms", "neuron"][..]));
            Ok(self.0.iter().cloned().map(Some).collect())
        }
    }

    fn region<'a>(source: &'a SpikeSource, files: &'a dyn Files) -> BuildRegion<'a> {
        BuildRegion {
            model: source,
            initial: &[],
            seed: 1,
            key: 2,
            neurons: 100,
            dt_ms: 0.1,
            files,
        }
    }

    fn plan(source: &SpikeSource, files: &dyn Files) -> Result<SpikePlan, String> {
        source.plan(&region(source, files))
    }

    /// (step, neuron) of the first `steps` steps.
    fn fired(source: &SpikeSource, files: &dyn Files, steps: u64) -> Vec<(u64, u32)> {
        let plan = plan(source, files).expect("a valid source");
        let workers = Workers::new(1);
        let mut fired = Vec::new();
        for step in 0..steps {
            let mut mask = [0u64; 2];
            let at = SourceStep {
                step,
                dt_ms: 0.1,
                seed: 1,
                key: 2,
                workers: &workers,
                simd: SimdLevel::Portable,
            };
            SpikeSource::fire(&plan, &at, &mut mask);
            fired.extend(
                (0..100)
                    .filter(|n| mask[*n as usize / 64] >> (n % 64) & 1 == 1)
                    .map(|n| (step, n)),
            );
        }
        fired
    }

    #[test]
    fn spikes_fall_into_the_step_that_ends_at_their_time() {
        let source = SpikeSource {
            spikes: vec![(1.0, 99), (0.3, 0), (1.0, 3), (0.0, 7), (0.31, 0)],
            ..default()
        };
        assert_eq!(
            fired(&source, &NoFiles, 20),
            [(0, 7), (2, 0), (9, 3), (9, 99)]
        );
    }

    #[test]
    fn a_file_adds_to_the_list() {
        let source = SpikeSource {
            spikes: vec![(0.5, 1)],
            file: Some("spikes.csv".into()),
            ..default()
        };
        let file = OneFile([vec![0.5, 0.2], vec![64.0, 5.0]]);
        assert_eq!(fired(&source, &file, 20), [(1, 5), (4, 1), (4, 64)]);
    }

    #[test]
    fn a_period_starts_the_list_again() {
        let source = SpikeSource {
            spikes: vec![(0.1, 1), (1.0, 2)],
            repeat_ms: Some(1.0),
            ..default()
        };
        assert_eq!(
            fired(&source, &NoFiles, 25),
            [(0, 1), (9, 2), (10, 1), (19, 2), (20, 1)]
        );
    }

    #[test]
    fn errors_name_the_place_and_what_is_allowed() {
        let wrong =
            |source: SpikeSource, files: &dyn Files| plan(&source, files).err().expect("refused");
        let error = wrong(
            SpikeSource {
                spikes: vec![(1.0, 0), (1.0, 100)],
                ..default()
            },
            &NoFiles,
        );
        assert_eq!(
            error,
            "spikes[1]: neuron 100 does not exist; the region has neurons 0 to 99"
        );
        let error = wrong(
            SpikeSource {
                spikes: vec![(-1.0, 0)],
                ..default()
            },
            &NoFiles,
        );
        assert_eq!(error, "spikes[0]: the time -1 ms must be 0 or more");
        let in_file = SpikeSource {
            file: Some("spikes.csv".into()),
            ..default()
        };
        let error = wrong(in_file, &OneFile([vec![1.0], vec![2.5]]));
        assert_eq!(
            error,
            "spikes.csv: row 1: neuron 2.5 does not exist; the region has neurons 0 to 99"
        );
        let error = wrong(
            SpikeSource {
                spikes: vec![(2.0, 0)],
                repeat_ms: Some(1.0),
                ..default()
            },
            &NoFiles,
        );
        assert!(error.contains("beyond repeat_ms"), "{error}");
        let check = |repeat_ms: f64| {
            let source = SpikeSource {
                repeat_ms: Some(repeat_ms),
                ..default()
            };
            source.check(&region(&source, &NoFiles))
        };
        assert!(check(0.25).is_err());
        assert_eq!(check(0.3), Ok(()));
        let absent = SpikeSource {
            file: Some("absent.csv".into()),
            ..default()
        };
        assert!(absent.check(&region(&absent, &NoFiles)).is_err());
    }
}
