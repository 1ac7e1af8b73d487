//! What keepers see of the synapses of a projection: sums over weights, and changes of all weights.
//!
//! Sums are integers: weights are counted in a power of two that is 2⁻³¹ of the largest or less, so that a sum does not depend on the order of
//! its parts, and so not on threads.

use crate::network::plastic::PlasticSynapses;
use crate::sim::math::within;
use crate::sim::workers::{Shares, Workers};
use core::sync::atomic::{AtomicI64, AtomicU32, Ordering};

/// What sums are over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Over {
    /// The synapses of each target neuron.
    Targets,
    /// The synapses of each source neuron.
    Sources,
    /// All synapses.
    All,
}

impl Over {
    /// The number of the sum to which a synapse belongs.
    #[inline(always)]
    fn index(self, row: usize, target: u32) -> usize {
        match self {
            Self::Targets => target as usize,
            Self::Sources => row,
            Self::All => 0,
        }
    }
}

/// The synapses of a projection, all up to date, in the hands of a keeper.
pub struct Tended<'a> {
    pub(super) synapses: &'a mut PlasticSynapses,
    pub(super) workers: &'a Workers,
    /// Per target neuron: the part of every change that counts; empty if all count fully.
    pub(super) gain: &'a [f32],
    /// Whether weights stay.
    pub(super) frozen: bool,
}

impl Tended<'_> {
    /// The least and the largest weight.
    pub fn bounds(&self) -> (f32, f32) {
        self.synapses.bounds()
    }

    /// The largest magnitude of a weight.
    pub fn largest(&self) -> f32 {
        let largest = AtomicU32::new(0);
        let weights = self.synapses.stored_weights();
        let lanes = self.workers.lanes();
        let part = weights.len().div_ceil(lanes).max(1);
        self.workers.run(&|lane| {
            let mine = weights.iter().skip(lane * part).take(part);
            let most = mine.fold(0.0f32, |most, weight| most.max(weight.abs()));
            // The bits of numbers of 0 or more are ordered as the numbers are.
            largest.fetch_max(most.to_bits(), Ordering::Relaxed);
        });
        f32::from_bits(largest.into_inner())
    }

    /// How many sums there are over something.
    pub fn count(&self, over: Over) -> usize {
        match over {
            Over::Targets => self.synapses.target_neurons(),
            Over::Sources => self.synapses.rows(),
            Over::All => 1,
        }
    }

    /// Puts the sums of what `amounts(number of the sum, weight)` gives into `sums`.
    pub fn sum<const N: usize>(
        &self,
        over: Over,
        sums: &mut Vec<[AtomicI64; N]>,
        amounts: impl Fn(usize, f32) -> [i64; N] + Sync,
    ) {
        sums.clear();
        sums.resize_with(self.count(over), || [const { AtomicI64::new(0) }; N]);
        let sums = &*sums;
        let (synapses, lanes) = (&*self.synapses, self.workers.lanes());
        let (targets, weights) = (synapses.targets(), synapses.stored_weights());
        let add = |index: usize, amounts: [i64; N]| {
            for (sum, amount) in sums[index].iter().zip(amounts) {
                sum.fetch_add(amount, Ordering::Relaxed);
            }
        };
        self.workers.run(&|lane| {
            for block in (lane..synapses.blocks()).step_by(lanes) {
                for row in 0..synapses.rows() {
                    let places = synapses.in_block(row, block);
                    if over == Over::Targets {
                        for place in places {
                            let index = targets[place] as usize;
                            add(index, amounts(index, weights[place]));
                        }
                        continue;
                    }
                    let index = over.index(row, 0);
                    let mut sum = [0; N];
                    for place in places {
                        for (sum, amount) in sum.iter_mut().zip(amounts(index, weights[place])) {
                            *sum += amount;
                        }
                    }
                    add(index, sum);
                }
            }
        });
    }

    /// Changes every weight to what `change(number of the sum it belongs to, weight)` gives, within the bounds.
    pub fn change(&mut self, over: Over, change: impl Fn(usize, f32) -> f32 + Sync) {
        if self.frozen {
            return;
        }
        let (low, high) = self.synapses.bounds();
        let (_, weights, _) = self.synapses.parts_mut();
        let weights = Shares::new(weights);
        let (synapses, gain, lanes) = (&*self.synapses, self.gain, self.workers.lanes());
        let targets = synapses.targets();
        self.workers.run(&|lane| {
            for block in (lane..synapses.blocks()).step_by(lanes) {
                for row in 0..synapses.rows() {
                    for place in synapses.in_block(row, block) {
                        let target = targets[place];
                        // SAFETY: the place lies within the array, and each lane has its own blocks.
                        let weight = unsafe { weights.get(place) };
                        let changed = within(change(over.index(row, target), *weight), [low, high]);
                        *weight = match gain.get(target as usize) {
                            Some(gain) => *weight + gain * (changed - *weight),
                            None => changed,
                        };
                    }
                }
            }
        });
    }
}
