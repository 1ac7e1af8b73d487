//! What can be done to a rule at work without knowing its type.

use super::settle::{now, settle};
use super::{Former, Learning, former};
use crate::network::plastic::PlasticSynapses;
use crate::plasticity::LearningRule;
use bevy::ecs::world::EntityWorldMut;
use bevy::prelude::*;

/// What can be done to the rule of a projection without knowing its type.
#[derive(Component, Clone, Copy)]
pub struct RuleFunctions {
    /// The weights and tags of this moment, in the order of storage. The argument is the number of steps done.
    pub now: fn(EntityRef<'_>, u64) -> (Vec<f32>, Vec<f32>),
    /// Brings every synapse up to date.
    pub settle: fn(&mut EntityWorldMut<'_>, u64),
    /// Stops or resumes learning; traces go on.
    pub freeze: fn(&mut EntityWorldMut<'_>, u64, bool),
    /// Starts at a step as if no spike had been before, whatever synapses have not seen.
    pub begin: fn(&mut EntityWorldMut<'_>, u64),
    /// Sets traces and tags to zero, and forgets the spikes that are under way.
    pub reset: fn(&mut EntityWorldMut<'_>, u64),
    /// Says how much of every change counts, per target neuron, each from 0 to 1; nothing for all of it.
    pub restrict: fn(&mut EntityWorldMut<'_>, u64, Vec<f32>),
    /// Takes over the histories and the state of the same rule in the network before an edit, as far as its neurons still exist, but not
    /// what is frozen or restricted; false if they are not of such a rule: then `load` what `save` gave before.
    pub take_over: fn(&mut EntityWorldMut<'_>, &Former<'_>) -> bool,
    /// The numbers of the histories, for a snapshot.
    pub save: fn(EntityRef<'_>) -> Vec<u32>,
    /// Takes what `save` gave when so many steps had been done; false if it does not fit, or is of a later time.
    pub load: fn(&mut EntityWorldMut<'_>, &[u32], u64) -> bool,
}

impl RuleFunctions {
    pub(super) fn of<R: LearningRule>() -> Self {
        Self {
            now: now::<R>,
            settle: settle::<R>,
            freeze: |entity, now, frozen| {
                settle::<R>(entity, now);
                if let Some(mut learning) = entity.get_mut::<Learning<R>>() {
                    learning.steering.frozen = frozen;
                }
            },
            begin: |entity, now| {
                if let Some(mut learning) = entity.get_mut::<Learning<R>>() {
                    learning.begin(now);
                }
            },
            reset: |entity, now| {
                settle::<R>(entity, now);
                if let Some(mut learning) = entity.get_mut::<Learning<R>>() {
                    learning.begin(now);
                }
                if let Some(mut synapses) = entity.get_mut::<PlasticSynapses>() {
                    synapses.parts_mut().2.fill(0.0);
                }
            },
            restrict: |entity, now, gain| {
                settle::<R>(entity, now);
                if let Some(mut learning) = entity.get_mut::<Learning<R>>() {
                    learning.steering.gain = gain;
                }
            },
            take_over: |entity, former| former::take_over::<R>(entity, former).is_some(),
            save: |entity| {
                let mut out = Vec::new();
                if let Some(learning) = entity.get::<Learning<R>>() {
                    out.extend([learning.settled as u32, (learning.settled >> 32) as u32]);
                    learning.steering.save(&mut out);
                    learning.pre.save(&mut out);
                    learning.post.save(&mut out);
                    learning.rule.save(&mut out);
                }
                out
            },
            load: |entity, numbers, steps| {
                let targets = entity
                    .get::<PlasticSynapses>()
                    .map_or(0, PlasticSynapses::target_neurons);
                let learning = entity.get_mut::<Learning<R>>();
                learning.is_some_and(|mut learning| {
                    let loaded = learning.load(numbers, targets);
                    loaded.is_some() && learning.settled <= steps
                })
            },
        }
    }
}

impl<R: LearningRule> Learning<R> {
    /// Starts at `now` as if no spike had been before.
    fn begin(&mut self, now: u64) {
        self.pre.forget(now as u32);
        self.post.forget(now as u32);
        self.rule.forget();
        self.settled = now;
        self.steering.anchor(now);
        self.begin_epoch(now);
        self.follow_history(now);
    }

    fn load(&mut self, numbers: &[u32], targets: usize) -> Option<()> {
        let [low, high, rest @ ..] = numbers else {
            return None;
        };
        let mut rest = rest;
        self.steering.load(&mut rest, targets)?;
        self.settled = u64::from(*low) | u64::from(*high) << 32;
        self.steering.anchor(self.settled);
        self.pre.load(&mut rest)?;
        self.post.load(&mut rest)?;
        self.rule.load(&mut rest)?;
        self.follow_history(self.settled);
        rest.is_empty().then_some(())
    }
}
