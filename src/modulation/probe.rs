//! Modulators over time: probes of pools and of reward signals.

use super::Modulator;
use crate::sim::clock::Clock;
use bevy::prelude::*;

/// Samples a modulator.
///
/// Of a pool a sample is its concentration; of a signal without a pool what has acted since the sample before: the sum of its impulses and, where
/// a critic predicts rewards, the integral of the error of the prediction.
#[derive(Component, Clone, Debug)]
pub struct ModulatorProbe {
    /// The modulator.
    pub modulator: Entity,
    /// Steps between samples; the first sample is taken at the end of step `every` − 1.
    pub every: u64,
    /// The samples.
    pub values: Vec<f32>,
    /// What a signal has done since the newest sample.
    pub current: f64,
}

impl ModulatorProbe {
    /// A probe that has seen nothing yet.
    pub fn new(modulator: Entity, every: u64) -> Self {
        Self {
            modulator,
            every,
            values: Vec::new(),
            current: 0.0,
        }
    }
}

/// What can be said of a modulator after a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, serde::Serialize)]
pub struct ModulatorSummary {
    /// The concentration of a pool in the end, or the newest impulse.
    pub level: f64,
    /// How many rewards there were.
    pub rewards: u64,
    /// Their sum.
    pub reward: f64,
    /// How many spikes have released it.
    pub released: u64,
    /// What a probe has seen of it.
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    pub course: Option<CourseSummary>,
}

/// The samples of a probe in a few numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, serde::Serialize)]
pub struct CourseSummary {
    /// The mean.
    pub mean: f64,
    /// The standard deviation.
    pub sd: f64,
    /// The least.
    pub least: f64,
    /// The largest.
    pub largest: f64,
}

impl CourseSummary {
    /// The summary of samples, without those that were not taken; none if there are no others.
    pub fn of(samples: &[f32]) -> Option<Self> {
        let taken = || {
            samples
                .iter()
                .filter(|v| v.is_finite())
                .map(|v| f64::from(*v))
        };
        let count = taken().count() as f64;
        let mean = taken().sum::<f64>() / count;
        let squares = taken().map(|v| (v - mean).powi(2)).sum::<f64>();
        (count > 0.0).then(|| Self {
            mean,
            sd: libm::sqrt(squares / count),
            least: taken().fold(f64::INFINITY, f64::min),
            largest: taken().fold(f64::NEG_INFINITY, f64::max),
        })
    }
}

/// Fills the probes of modulators.
pub fn record_modulators(
    clock: Res<Clock>,
    mut probes: Query<&mut ModulatorProbe>,
    modulators: Query<&Modulator>,
) {
    for mut probe in &mut probes {
        let Ok(modulator) = modulators.get(probe.modulator) else {
            continue;
        };
        match modulator.is_pool() {
            true => probe.current = modulator.level(),
            false => probe.current += modulator.acts(),
        }
        if (clock.step() + 1).is_multiple_of(probe.every) {
            let sample = core::mem::take(&mut probe.current);
            probe.values.push(sample as f32);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn summaries_leave_out_what_was_not_seen() {
        let summary = CourseSummary::of(&[f32::NAN, 1.0, 3.0]).expect("samples");
        assert_eq!((summary.mean, summary.sd), (2.0, 1.0));
        assert_eq!((summary.least, summary.largest), (1.0, 3.0));
        assert_eq!(CourseSummary::of(&[f32::NAN]), None);
    }
}
