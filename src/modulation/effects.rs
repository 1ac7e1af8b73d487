//! What a pool does besides its effect on learning: to the excitability of neurons, and to what synapses release.
//!
//! ```text
//! Excitability:  I_stim → I_stim + current · (n − baseline)
//! Release:       what a spike transmits → what it transmits · min(most, max(0, 1 + gain · (n − baseline)))
//! ```
//!
//! with the concentration n at the start of the step in which the current flows or the spike is emitted. A positive current excites, a negative
//! one inhibits; a gain below 0 is presynaptic inhibition, as that of acetylcholine in recurrent synapses of the cortex, a gain above 0
//! facilitates. Several pools that act on one projection add their gains. Where a pool reaches is what its effects and the rules that name it say.
//!
//! *Source.* Hasselmo (2006), Curr Opin Neurobiol 16:710, doi:10.1016/j.conb.2006.09.002 (acetylcholine); Nicola, Surmeier & Malenka (2000), Annu Rev
//! Neurosci 23:185, doi:10.1146/annurev.neuro.23.1.185 (dopamine); Andrade (2011), Neuropharmacology 61:382,
//! doi:10.1016/j.neuropharm.2011.01.015 (serotonin).
//!
//! *Scene.* `dopamine`.

use super::Modulator;
use crate::network::stimulus::Selection;
use crate::sim::columns::{ColumnComponent, Drive};
use crate::sim::quantity::Range;
use bevy::prelude::*;

/// What a pool acts on. See the [module](self).
#[derive(Reflect, Clone, Debug, PartialEq)]
pub enum Effect {
    /// A current into neurons.
    Excitability {
        /// The region.
        region: String,
        /// Which of its neurons.
        #[reflect(default)]
        neurons: Selection,
        /// The current per unit of concentration, in the model's unit of current.
        #[reflect(@Range::between(-1e9, 1e9))]
        current: f64,
    },
    /// How much spikes transmit.
    Release {
        /// The projection's name.
        projection: String,
        /// The relative change per unit of concentration.
        #[reflect(@Range::between(-1e9, 1e9))]
        gain: f64,
        /// The most that a spike transmits, relative to its weight.
        #[reflect(@Range::between(1.0, 1000.0))]
        most: f64,
    },
}

/// The currents of pools into the neurons of a region: the pool, the neurons and the current per unit.
#[derive(Component, Clone, Debug, Default)]
pub struct ModulatedDrive(pub Vec<(Entity, Vec<u32>, f64)>);

/// The pools that act on what a projection transmits, with their gains, and the most that it transmits.
#[derive(Component, Clone, Debug)]
pub struct ModulatedRelease {
    /// The pools and their gains.
    pub gains: Vec<(Entity, f64)>,
    /// The most, relative to the weight.
    pub most: f64,
}

impl ModulatedRelease {
    /// The factor by which spikes of this moment transmit more.
    pub fn factor(&self, modulators: &Query<&Modulator>) -> f32 {
        let gains = self.gains.iter().map(|(modulator, gain)| {
            gain * modulators.get(*modulator).map_or(0.0, Modulator::excess)
        });
        (1.0 + gains.sum::<f64>()).clamp(0.0, self.most) as f32
    }
}

/// The system of `Encode`, after stimulus currents: adds to the `drive` columns.
pub fn drive_modulated(
    modulators: Query<&Modulator>,
    mut regions: Query<(&ModulatedDrive, &mut Drive)>,
) {
    for (modulated, mut drive) in &mut regions {
        let values = drive.column_mut().as_mut_slice();
        for (modulator, neurons, current) in &modulated.0 {
            let excess = modulators.get(*modulator).map_or(0.0, Modulator::excess);
            let current = (current * excess) as f32;
            for neuron in neurons {
                values[*neuron as usize] += current;
            }
        }
    }
}
