//! Neurons that repeat what reaches them (NEST's `parrot_neuron`).
//!
//! ```text
//! spike in a step  ⇔  (sum of the weights that arrive in it) + I_stim > 0
//! ```
//!
//! It has no parameters.
//!
//! **Receptor**: `input`, positive and negative weights, without unit. A spike that arrives with a positive weight is repeated in the
//! same step, and acts on after the delay of the next synapse; so a relay adds one step of delay at least. A negative weight
//! cancels what arrives with it.
//!
//! **Integration**: none. The column `received` holds the sum of the newest step. A current makes the neuron spike in every step in which it
//! is positive: a clock.
//!
//! **Not modelled**: how often a spike arrived; a relay spikes at most once per step.
//!
//! **Source**: none.
//!
//! **Scenes**: `neuron_zoo`.

use super::{NeuronModel, Receptor, RegisterNeuron, Sample, Sign};
use crate::kernel;
use bevy::prelude::*;

pub(super) fn plugin(app: &mut App) {
    app.register_neuron::<Relay>();
}

/// Neurons that repeat what reaches them. See the [module](self).
#[derive(Component, Reflect, Clone, Debug, Default)]
#[reflect(Default)]
pub struct Relay {}

kernel! {
    /// Repeats what arrives.
    pub mod update;
    params { least: f32 }
    state { received: f32 in Received }
    input { drive, input }
    step(p, s, x, now) {
        let received = x.input + x.drive;
        Next(received, received > p.least)
    }
}

impl NeuronModel for Relay {
    type Kernel = update::Executor;
    const RECEPTORS: &'static [Receptor] = &[Receptor {
        name: "input",
        sign: Sign::Any,
        unit: "",
    }];

    fn derive(&self, _neuron: &Sample<'_>, _dt: f64) -> update::Params {
        update::Params { least: 0.0 }
    }

    fn initial(&self, neuron: &Sample<'_>, _dt: f64) -> update::State {
        update::State {
            received: neuron.initial("received", 0.0) as f32,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_positive_sum_is_repeated_and_nothing_else() {
        let sample = Sample::new(1, 2, 0, &[]);
        let (p, s) = (
            Relay {}.derive(&sample, 0.1),
            Relay {}.initial(&sample, 0.1),
        );
        let spikes = |drive, input| update::step(p, s, update::Input { drive, input }, 0).spike;
        assert!(spikes(0.0, 1e-6) && spikes(0.0, 3.0) && spikes(1.0, 0.0));
        assert!(!spikes(0.0, 0.0) && !spikes(0.0, -1.0) && !spikes(1.0, -1.0));
    }
}
