//! Trains in which a spike pattern comes again and again, as dense as what is between.
//!
//! | field | default | unit | |
//! |---|---|---|---|
//! | `max_rate_hz` | 90 | Hz | largest rate of the walk |
//! | `longest_interval_ms` | 50 | ms | longest silence of a neuron |
//! | `noise_hz` | 10 | Hz | Poisson noise of each neuron |
//! | `slot_ms` | 50 | ms | length of a slot and of a pattern, whole ms and a whole number of steps |
//! | `patterns` | 1 | | different patterns |
//! | `frequency` | 0.25 | | share of slots with a pattern |
//! | `involved` | 0.5 | | share of neurons in a pattern; with one pattern they are the first |
//! | `jitter_ms` | 1 | ms | standard deviation of a pattern's spikes |
//! | `deletion` | 0 | | share of a pattern's spikes that is replaced |
//! | `repeat_slots` | 3000 | | slots after which all repeats; 0 is never |
//!
//! What the trains are, and why, says [`coding::masquelier`](crate::coding::masquelier). They follow from the seed of the simulation and the name of
//! the region.
//!
//! **Receptors**: none; it takes no input. **Offsets**: spikes have their own times, which neurons that are resolved in continuous time
//! ([`Srm`](super::srm::Srm)) get to 1/4096 of a step. For all others a spike belongs to the step that its time lies in; spikes of one neuron in
//! one step are one.
//!
//! **Cost**: slots are drawn one after another, so a simulation that is resumed or rewound draws them again from the start: some 0.2 s per minute of
//! 2000 neurons.
//!
//! **Source**: Masquelier, Guyonneau & Thorpe 2008, PLoS ONE 3:e1377, doi:10.1371/journal.pone.0001377.
//!
//! **Scene**: `masquelier2008`.

use super::{BuildRegion, RegisterNeuron, SourceModel, SourceStep};
use crate::coding::masquelier::{MasquelierStimulus, SlotStream};
use crate::neurons::srm::Arrival;
use crate::plasticity::exact::TICKS;
use crate::sim::columns::LANES;
use crate::sim::quantity::{Range, Unit};
use bevy::prelude::*;
use std::sync::{Mutex, MutexGuard, PoisonError};

pub(super) fn plugin(app: &mut App) {
    app.register_source::<HiddenPatterns>();
}

/// Neurons whose spikes hide patterns. See the [module](self).
#[derive(Component, Reflect, Clone, Debug)]
#[reflect(Default)]
pub struct HiddenPatterns {
    /// The largest rate of the walk.
    #[reflect(@Unit("Hz"), @Range::between(0.0, 1000.0))]
    pub max_rate_hz: f64,
    /// The longest time a neuron is silent.
    #[reflect(@Unit("ms"), @Range::between(1.0, 1e7))]
    pub longest_interval_ms: f64,
    /// Poisson noise of each neuron.
    #[reflect(@Unit("Hz"), @Range::between(0.0, 1e4))]
    pub noise_hz: f64,
    /// The length of a slot and of the patterns.
    #[reflect(@Unit("ms"), @Range::between(1.0, 2000.0))]
    pub slot_ms: u32,
    /// How many different patterns there are.
    #[reflect(@Range::between(0.0, 1e4))]
    pub patterns: u32,
    /// The share of slots with a pattern, all patterns together.
    #[reflect(@Range::between(0.0, 0.5))]
    pub frequency: f64,
    /// The share of neurons that a pattern involves.
    #[reflect(@Range::between(0.0, 1.0))]
    pub involved: f64,
    /// The standard deviation of a pattern's spikes, at most a sixth of `slot_ms`.
    #[reflect(@Unit("ms"), @Range::non_negative())]
    pub jitter_ms: f64,
    /// The share of a pattern's spikes that is replaced in each presentation.
    #[reflect(@Range::between(0.0, 1.0))]
    pub deletion: f64,
    /// After how many slots everything repeats; 0 is never.
    pub repeat_slots: u64,
}

impl Default for HiddenPatterns {
    fn default() -> Self {
        let MasquelierStimulus {
            max_rate_hz,
            longest_interval_ms,
            noise_hz,
            slot_ms,
            patterns,
            frequency,
            involved,
            jitter_ms,
            deletion,
            repeat_slots,
            ..
        } = default();
        Self {
            max_rate_hz,
            longest_interval_ms,
            noise_hz,
            slot_ms,
            patterns,
            frequency,
            involved,
            jitter_ms,
            deletion,
            repeat_slots,
        }
    }
}

impl HiddenPatterns {
    /// The stimulus of a region.
    fn stimulus(&self, region: &BuildRegion<'_>) -> MasquelierStimulus {
        MasquelierStimulus {
            afferents: region.neurons,
            max_rate_hz: self.max_rate_hz,
            longest_interval_ms: self.longest_interval_ms,
            noise_hz: self.noise_hz,
            slot_ms: self.slot_ms,
            patterns: self.patterns,
            frequency: self.frequency,
            involved: self.involved,
            jitter_ms: self.jitter_ms,
            deletion: self.deletion,
            repeat_slots: self.repeat_slots,
            starts: Vec::new(),
            seed: region.seed ^ region.key,
        }
    }
}

/// What the steps of [`HiddenPatterns`] need.
#[derive(Component)]
pub struct PatternPlan {
    dt_ms: f64,
    steps_per_slot: u64,
    start: SlotStream,
    /// The slot that was drawn last. It is a function of the step alone, kept because slots can only be drawn in order.
    drawn: Mutex<Drawn>,
}

struct Drawn {
    stream: SlotStream,
    /// The slots drawn so far.
    slots: u64,
    start_ms: f64,
    arrivals: Vec<Arrival>,
}

impl PatternPlan {
    /// The slot of a step, drawn.
    fn slot_of(&self, step: u64) -> MutexGuard<'_, Drawn> {
        // Whatever panicked elsewhere left the slot whole or is drawn over.
        let mut drawn = self.drawn.lock().unwrap_or_else(PoisonError::into_inner);
        let slot = step / self.steps_per_slot;
        if drawn.slots > slot + 1 {
            (drawn.stream, drawn.slots) = (self.start.clone(), 0);
        }
        while drawn.slots <= slot {
            let Drawn {
                stream, arrivals, ..
            } = &mut *drawn;
            drawn.start_ms = stream.next_slot(arrivals).start_ms;
            drawn.slots += 1;
        }
        drawn
    }

    /// Calls `each` with neuron and offset in ticks of every spike of a step.
    fn spikes(&self, step: u64, mut each: impl FnMut(u32, u32)) {
        let drawn = self.slot_of(step);
        let place = step % self.steps_per_slot;
        let step_of = |arrival: &Arrival| {
            (((arrival.time_ms - drawn.start_ms) / self.dt_ms) as u64).min(self.steps_per_slot - 1)
        };
        let first = drawn.arrivals.partition_point(|a| step_of(a) < place);
        for arrival in drawn.arrivals[first..]
            .iter()
            .take_while(|a| step_of(a) == place)
        {
            let since = arrival.time_ms - drawn.start_ms - place as f64 * self.dt_ms;
            let tick = libm::rint(since / self.dt_ms * f64::from(TICKS));
            each(arrival.afferent, tick.clamp(1.0, TICKS.into()) as u32);
        }
    }
}

impl SourceModel for HiddenPatterns {
    type Plan = PatternPlan;
    const EXACT: bool = true;

    fn plan(&self, region: &BuildRegion<'_>) -> Result<PatternPlan, String> {
        let stimulus = self.stimulus(region);
        let stream = || SlotStream::new(&stimulus).map_err(|e| e.to_string());
        let per_slot = f64::from(region.neurons) * f64::from(self.slot_ms) * 1e-3;
        let spikes = per_slot * (self.max_rate_hz + self.noise_hz);
        Ok(PatternPlan {
            dt_ms: region.dt_ms,
            steps_per_slot: (f64::from(self.slot_ms) / region.dt_ms).round().max(1.0) as u64,
            drawn: Mutex::new(Drawn {
                stream: stream()?,
                slots: 0,
                start_ms: 0.0,
                // So that slots do not allocate as a rule.
                arrivals: Vec::with_capacity(spikes as usize + 64),
            }),
            start: stream()?,
        })
    }

    fn fire(plan: &PatternPlan, at: &SourceStep<'_>, mask: &mut [u64]) {
        plan.spikes(at.step, |neuron, _| {
            mask[neuron as usize / LANES] |= 1 << (neuron as usize % LANES);
        });
    }

    fn offsets(plan: &PatternPlan, at: &SourceStep<'_>, out: &mut Vec<(u32, u32)>) {
        plan.spikes(at.step, |neuron, tick| out.push((neuron, tick)));
    }

    fn check(&self, region: &BuildRegion<'_>) -> Result<(), String> {
        self.stimulus(region).check().map_err(|e| match e.field {
            "afferents" => format!("neurons is {}; allowed is {}", e.value, e.allowed),
            _ => e.to_string(),
        })?;
        let steps = f64::from(self.slot_ms) / region.dt_ms;
        if steps < 0.999 || (steps - steps.round()).abs() > 1e-6 {
            return Err(format!(
                "slot_ms is {}; it must be a whole number of steps of {} ms, at least one",
                self.slot_ms, region.dt_ms
            ));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::files::NoFiles;
    use crate::sim::simd::SimdLevel;
    use crate::sim::workers::Workers;

    fn region(model: &HiddenPatterns, dt_ms: f64) -> BuildRegion<'_> {
        BuildRegion {
            model,
            initial: &[],
            seed: 3,
            key: 4,
            neurons: 130,
            dt_ms,
            files: &NoFiles,
        }
    }

    /// Time in ms and neuron of the spikes of the given steps.
    fn spikes(plan: &PatternPlan, dt_ms: f64, steps: impl Iterator<Item = u64>) -> Vec<(f64, u32)> {
        let workers = Workers::new(1);
        let mut spikes = Vec::new();
        for step in steps {
            let at = SourceStep {
                step,
                dt_ms,
                seed: 3,
                key: 4,
                workers: &workers,
                simd: SimdLevel::Portable,
            };
            let (mut mask, mut offsets) = ([0u64; 3], Vec::new());
            HiddenPatterns::fire(plan, &at, &mut mask);
            HiddenPatterns::offsets(plan, &at, &mut offsets);
            let fired: Vec<u32> = (0..130)
                .filter(|n| mask[*n as usize / 64] >> (n % 64) & 1 == 1)
                .collect();
            let mut listed: Vec<u32> = offsets.iter().map(|o| o.0).collect();
            listed.sort_unstable();
            listed.dedup();
            assert_eq!(fired, listed);
            spikes.extend(offsets.iter().map(|(neuron, tick)| {
                let ticks = step as f64 * f64::from(TICKS) + f64::from(*tick);
                (ticks / f64::from(TICKS) * dt_ms, *neuron)
            }));
        }
        spikes.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
        spikes
    }

    #[test]
    fn spikes_are_those_of_the_stimulus_whatever_the_step() {
        let model = HiddenPatterns::default();
        for dt in [0.1, 0.5, 2.0] {
            let region = region(&model, dt);
            let plan = model.plan(&region).expect("a plan");
            let got = spikes(&plan, dt, 0..(500.0 / dt) as u64);
            let mut stream = SlotStream::new(&model.stimulus(&region)).expect("a stimulus");
            let (mut want, mut slot) = (Vec::new(), Vec::new());
            for _ in 0..10 {
                stream.next_slot(&mut slot);
                want.append(&mut slot);
            }
            assert!(want.len() > 2000);
            assert_eq!(got.len(), want.len());
            let near = got.iter().zip(&want).filter(|(got, want)| {
                // Two spikes may change places within a tick.
                (got.0 - want.time_ms).abs() <= dt / f64::from(TICKS)
            });
            assert_eq!(near.count(), want.len());
        }
    }

    #[test]
    fn steps_may_be_asked_for_in_any_order() {
        let model = HiddenPatterns::default();
        let region = region(&model, 1.0);
        let plan = model.plan(&region).expect("a plan");
        let forward = spikes(&plan, 1.0, 0..300);
        assert_eq!(spikes(&plan, 1.0, (0..300).rev()), forward);
        let later = model.plan(&region).expect("a plan");
        let end: Vec<_> = forward.iter().copied().filter(|s| s.0 > 200.0).collect();
        assert_eq!(spikes(&later, 1.0, 200..300), end);
    }

    #[test]
    fn what_cannot_be_is_refused() {
        let refused = |dt: f64, change: fn(&mut HiddenPatterns)| {
            let mut model = HiddenPatterns::default();
            change(&mut model);
            model.check(&region(&model, dt)).expect_err("refused")
        };
        assert!(refused(0.3, |_| ()).contains("slot_ms is 50"));
        assert!(refused(0.1, |m| m.jitter_ms = 20.0).contains("sixth"));
        assert!(refused(0.1, |m| m.frequency = 0.7).contains("frequency"));
    }
}
