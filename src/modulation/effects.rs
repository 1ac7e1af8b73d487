//! What a pool acts on, besides the rules that name it: the excitability of neurons, what synapses release, and how they learn.
//!
//! ```text
//! Excitability:  I_stim → I_stim + current · (n − baseline)
//! Release:       what a spike transmits → what it transmits · min(most, max(0, 1 + gain · (n − baseline)))
//! Learning:      a change of a weight by its learning rule → the change · min(most, max(least, 1 + gain · (n − baseline)))
//! ```
//!
//! with the concentration n at the start of the step in which the current flows or the spike is emitted, or at the time of the event that changes
//! the weight. A positive current excites, a negative one inhibits; a gain below 0 is presynaptic inhibition, as that of acetylcholine in
//! recurrent synapses of the cortex, a gain above 0 facilitates. `Learning` scales what any rule does, and turns it round where the factor is
//! negative: see [`gating`](crate::plasticity::gating). Several pools that act on the synapses of one neuron add their gains, between the
//! smallest `least` and the largest `most` of all. Where a pool reaches is what its effects and the rules that name it say.
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
        /// The source neurons whose spikes they are.
        #[reflect(default)]
        neurons: Selection,
        /// The relative change per unit of concentration.
        #[reflect(@Range::between(-1e9, 1e9))]
        gain: f64,
        /// The most that a spike transmits, relative to its weight.
        #[reflect(@Range::between(1.0, 1000.0))]
        most: f64,
    },
    /// How much, and in which direction, synapses learn by whatever rule they have.
    Learning {
        /// The projection's name.
        projection: String,
        /// The target neurons whose synapses they are.
        #[reflect(default)]
        neurons: Selection,
        /// The relative change per unit of concentration.
        #[reflect(@Range::between(-1e9, 1e9))]
        gain: f64,
        /// The least factor by which changes of weights are multiplied: below 0, they can be turned round.
        #[reflect(default, @Range::between(-1000.0, 1.0))]
        least: f64,
        /// The largest factor.
        #[reflect(@Range::between(1.0, 1000.0))]
        most: f64,
    },
}

/// The currents of pools into the neurons of a region: the pool, the neurons and the current per unit.
#[derive(Component, Clone, Debug, Default)]
pub struct ModulatedDrive(pub Vec<(Entity, Vec<u32>, f64)>);

/// How pools act on the synapses of a projection, by the neurons on one side.
#[derive(Clone, Debug, Default)]
pub struct Reach {
    /// Per neuron: which of `sums` acts on it; empty if the first one acts on all.
    of: Vec<u32>,
    sums: Vec<Sum>,
}

/// Pools that act together, with their gains, and the bounds of what they come to.
#[derive(Clone, Debug, PartialEq)]
struct Sum {
    gains: Vec<(Entity, f64)>,
    least: f64,
    most: f64,
}

/// One effect of a pool on the synapses of a projection.
#[derive(Clone, Debug)]
pub struct Part {
    /// The pool.
    pub modulator: Entity,
    /// The neurons on whose synapses it acts; `None` for all.
    pub neurons: Option<Vec<u32>>,
    /// The relative change per unit of concentration.
    pub gain: f64,
    /// The least factor.
    pub least: f64,
    /// The largest factor.
    pub most: f64,
}

impl Reach {
    /// What effects on a projection with so many neurons on that side come to; `None` without any.
    pub fn new(parts: &[Part], neurons: usize) -> Option<Self> {
        if parts.is_empty() {
            return None;
        }
        let nothing = Sum {
            gains: Vec::new(),
            least: 1.0,
            most: 1.0,
        };
        let mut reach = Self {
            of: vec![0; neurons],
            sums: vec![nothing],
        };
        for part in parts {
            // Neurons on which the same pools acted so far, and this one does now, are together from here on.
            let mut with_part = vec![None; reach.sums.len()];
            let mut add = |neuron: u32| {
                let before = reach.of[neuron as usize] as usize;
                let place = *with_part[before].get_or_insert_with(|| {
                    let mut sum = reach.sums[before].clone();
                    sum.gains.push((part.modulator, part.gain));
                    sum.least = sum.least.min(part.least);
                    sum.most = sum.most.max(part.most);
                    reach.sums.push(sum);
                    reach.sums.len() - 1
                });
                reach.of[neuron as usize] = place as u32;
            };
            match &part.neurons {
                None => (0..neurons as u32).for_each(&mut add),
                Some(chosen) => chosen.iter().copied().for_each(&mut add),
            }
            // At once, so that there are never more sums than neurons, but for one.
            reach.tidy();
        }
        if reach.sums.len() <= 1 {
            reach.of = Vec::new();
        }
        Some(reach)
    }

    /// Leaves out sums that act on no neuron.
    fn tidy(&mut self) {
        let mut used = vec![false; self.sums.len()];
        for sum in &self.of {
            used[*sum as usize] = true;
        }
        let mut kept = 0;
        let place = |used: &bool| {
            kept += u32::from(*used);
            kept.saturating_sub(1)
        };
        let places: Vec<u32> = used.iter().map(place).collect();
        for sum in &mut self.of {
            *sum = places[*sum as usize];
        }
        let mut used = used.into_iter();
        self.sums.retain(|_| used.next().unwrap_or(false));
    }

    /// How many different factors there are.
    pub fn len(&self) -> usize {
        self.sums.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.sums.is_empty()
    }

    /// Which factor holds for a neuron.
    #[inline(always)]
    pub fn place(&self, neuron: u32) -> usize {
        self.of.get(neuron as usize).copied().unwrap_or(0) as usize
    }

    /// The factors of some moments, from what each pool has beyond its baseline then.
    pub fn factors<const N: usize>(
        &self,
        excess: impl Fn(Entity) -> [f64; N],
    ) -> impl Iterator<Item = [f32; N]> {
        self.sums.iter().map(move |sum| {
            let mut factors = [1.0; N];
            for (pool, gain) in &sum.gains {
                let excess = excess(*pool);
                factors
                    .iter_mut()
                    .zip(excess)
                    .for_each(|(factor, excess)| *factor += gain * excess);
            }
            factors.map(|factor| match factor.is_nan() {
                true => 1.0,
                false => factor.clamp(sum.least, sum.most) as f32,
            })
        })
    }
}

/// What pools do to what the spikes of a projection transmit.
#[derive(Component, Clone, Debug, Default)]
pub struct ModulatedRelease {
    reach: Reach,
    /// The factors of this step.
    factors: Vec<f32>,
}

impl ModulatedRelease {
    /// By source neuron.
    pub fn new(reach: Reach) -> Self {
        Self {
            factors: Vec::with_capacity(reach.len()),
            reach,
        }
    }

    /// Takes the concentrations of this moment.
    pub fn begin(&mut self, modulators: &Query<&Modulator>) {
        self.factors.clear();
        let excess = |pool| [modulators.get(pool).map_or(0.0, Modulator::excess)];
        self.factors.extend(self.reach.factors(excess).flatten());
    }

    /// The factor by which a spike of a source neuron transmits more.
    pub fn factor(&self, neuron: u32) -> f32 {
        self.factors
            .get(self.reach.place(neuron))
            .copied()
            .unwrap_or(1.0)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_neuron_has_the_pools_that_act_on_it() {
        let [a, b] = [1, 2].map(|n| Entity::from_raw_u32(n).expect("an entity"));
        let part = |modulator, neurons: Option<&[u32]>, gain, least, most| Part {
            modulator,
            neurons: neurons.map(<[u32]>::to_vec),
            gain,
            least,
            most,
        };
        let parts = [
            part(a, Some(&[1, 2]), 2.0, -3.0, 1.5),
            part(b, Some(&[2, 3]), -1.0, 0.0, 4.0),
        ];
        let reach = Reach::new(&parts, 5).expect("effects");
        assert_eq!(reach.len(), 4);
        let factor = |neuron: u32, levels: [f64; 2]| {
            let excess = |pool| [if pool == a { levels[0] } else { levels[1] }];
            let factors: Vec<[f32; 1]> = reach.factors(excess).collect();
            factors[reach.place(neuron)][0]
        };
        for neuron in [0, 4] {
            assert_eq!(factor(neuron, [9.0, -9.0]), 1.0);
        }
        assert_eq!(factor(1, [0.125, 9.0]), 1.25);
        assert_eq!((factor(1, [9.0, 0.0]), factor(1, [-9.0, 0.0])), (1.5, -3.0));
        assert_eq!(factor(2, [1.0, 0.5]), 2.5);
        assert_eq!((factor(2, [9.0, 0.0]), factor(2, [-9.0, 0.0])), (4.0, -3.0));
        assert_eq!((factor(3, [9.0, 0.5]), factor(3, [0.0, 9.0])), (0.5, 0.0));
        let all = Reach::new(&[part(a, None, 1.0, 0.0, 2.0)], 5).expect("an effect");
        assert_eq!((all.len(), all.place(4)), (1, 0));
        assert!(Reach::new(&[], 5).is_none());
    }
}
