//! Weights over time: probes of the synapses of a projection that change.
//!
//! A sample brings the weights up to date on a copy, so that observing changes nothing; it costs as much as there are synapses.

use super::plastic::PlasticSynapses;
use crate::plasticity::RuleFunctions;
use crate::sim::clock::Clock;
use bevy::ecs::resource::IsResource;
use bevy::prelude::*;

/// Samples the weights of a projection.
#[derive(Component, Clone, Debug)]
pub struct WeightProbe {
    /// The projection.
    pub projection: Entity,
    /// Steps between samples; the first sample is taken at the end of step `every` − 1.
    pub every: u64,
    /// What is kept of each sample.
    pub kept: Kept,
    /// The samples, one row of [`Kept::width`] numbers after another.
    pub values: Vec<f32>,
}

/// What is kept of the weights at one time.
#[derive(Clone, Debug, PartialEq)]
pub enum Kept {
    /// Single weights, in the receptor's unit; magnitudes where all weights are inhibitory.
    Single {
        /// Their places in the order of [`Simulation::weights`](crate::simulation::Simulation::weights).
        places: Vec<usize>,
    },
    /// Mean, standard deviation, and how many weights are in each of so many bins of equal width. The last bin includes its upper edge.
    Histogram {
        /// The bounds of the weights, which are the edges of the first and the last bin.
        bounds: (f32, f32),
        /// How many bins there are.
        bins: usize,
    },
}

impl Kept {
    /// The numbers of a sample.
    pub fn width(&self) -> usize {
        match self {
            Self::Single { places } => places.len(),
            Self::Histogram { bins, .. } => 2 + bins,
        }
    }

    /// Appends what is kept of weights.
    pub fn sample(&self, weights: &[f32], out: &mut Vec<f32>) {
        match self {
            Self::Single { places } => out.extend(places.iter().map(|place| weights[*place])),
            Self::Histogram { bounds, bins } => {
                let summary = WeightSummary::of(weights, *bounds);
                out.extend([summary.mean as f32, summary.sd as f32]);
                let first = out.len();
                out.resize(first + bins, 0.0);
                let per_weight = *bins as f32 / (bounds.1 - bounds.0);
                for weight in weights {
                    let bin = ((weight - bounds.0) * per_weight) as usize;
                    out[first + bin.min(bins - 1)] += 1.0;
                }
            }
        }
    }
}

/// What can be said of many weights in a few numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, serde::Serialize)]
pub struct WeightSummary {
    /// The mean.
    pub mean: f64,
    /// The standard deviation.
    pub sd: f64,
    /// The least.
    pub least: f64,
    /// The largest.
    pub largest: f64,
    /// The share of weights in the lowest twentieth of the range that the rule allows.
    pub share_low: f64,
    /// The share of weights in the highest twentieth of it.
    pub share_high: f64,
}

impl WeightSummary {
    /// The summary of weights with these bounds; zeros if there are none.
    pub fn of(weights: &[f32], (low, high): (f32, f32)) -> Self {
        if weights.is_empty() {
            return Self::default();
        }
        let count = weights.len() as f64;
        let mean = weights.iter().map(|w| f64::from(*w)).sum::<f64>() / count;
        let squares = weights.iter().map(|w| (f64::from(*w) - mean).powi(2));
        let edge = 0.05 * (high - low);
        let share =
            |is: &dyn Fn(f32) -> bool| weights.iter().filter(|w| is(**w)).count() as f64 / count;
        Self {
            mean,
            sd: libm::sqrt(squares.sum::<f64>() / count),
            least: weights
                .iter()
                .fold(f64::INFINITY, |a, w| a.min((*w).into())),
            largest: (weights.iter()).fold(f64::NEG_INFINITY, |a, w| a.max((*w).into())),
            share_low: share(&|w| w <= low + edge),
            share_high: share(&|w| w >= high - edge),
        }
    }
}

/// The weights of a projection whose synapses change, after so many steps, in the common order.
pub fn weights_now(projection: EntityRef<'_>, steps: u64) -> Option<Vec<f32>> {
    let functions = projection.get::<RuleFunctions>()?;
    let synapses = projection.get::<PlasticSynapses>()?;
    let (weights, _) = (functions.now)(projection, steps);
    Some(synapses.in_common_order(weights))
}

/// Fills the probes of weights.
pub fn record_weights(
    clock: Res<Clock>,
    mut probes: Query<&mut WeightProbe>,
    projections: Query<
        EntityRef,
        (
            With<PlasticSynapses>,
            Without<WeightProbe>,
            Without<IsResource>,
        ),
    >,
) {
    let now = clock.step() + 1;
    for mut probe in &mut probes {
        if !now.is_multiple_of(probe.every) {
            continue;
        }
        let probe = &mut *probe;
        if let Ok(projection) = projections.get(probe.projection)
            && let Some(weights) = weights_now(projection, now)
        {
            probe.kept.sample(&weights, &mut probe.values);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn histograms_count_every_weight_once_and_the_bounds_too() {
        let kept = Kept::Histogram {
            bounds: (0.0, 2.0),
            bins: 4,
        };
        let mut row = Vec::new();
        kept.sample(&[0.0, 0.49, 0.5, 1.0, 1.99, 2.0], &mut row);
        assert_eq!(row.len(), kept.width());
        assert_eq!(row[2..], [2.0, 1.0, 1.0, 2.0]);
        let summary = WeightSummary::of(&[0.0, 2.0, 2.0, 0.0], (0.0, 2.0));
        assert_eq!((summary.mean, summary.sd), (1.0, 1.0));
        assert_eq!((summary.share_low, summary.share_high), (0.5, 0.5));
        let single = Kept::Single { places: vec![2, 0] };
        let mut row = Vec::new();
        single.sample(&[1.0, 2.0, 3.0], &mut row);
        assert_eq!(row, [3.0, 1.0]);
    }
}
