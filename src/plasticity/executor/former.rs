//! What a rule kept in the network before an edit, taken over by the same rule in the network after it.

use super::{Learning, PostHistory, PreHistory};
use crate::network::plastic::DelayParts;
use crate::plasticity::LearningRule;
use crate::plasticity::steering::Steering;
use bevy::ecs::world::EntityWorldMut;

/// A rule at work in the network before an edit, all its synapses being up to date.
#[derive(Clone, Copy)]
pub struct Former<'a> {
    /// The numbers that it [saved](super::RuleFunctions::save).
    pub numbers: &'a [u32],
    /// How many source neurons there were.
    pub sources: usize,
    /// How many target neurons there were.
    pub targets: usize,
    /// The delays of its synapses, by group.
    pub delays: &'a [DelayParts],
}

impl Former<'_> {
    /// The longest axonal part of the delays, in steps.
    pub fn longest_axonal(&self) -> u32 {
        self.delays.iter().map(|d| d.axonal).max().unwrap_or(0)
    }

    /// The most steps that a postsynaptic spike took to a synapse.
    pub fn longest_back(&self) -> u32 {
        self.delays.iter().map(|d| d.back).max().unwrap_or(0)
    }
}

/// Takes over histories of neurons that there still are, spikes under way along axons, and the state of the rule; but not what is frozen or
/// restricted. `None` if they are not of such a rule; then the histories are to be made anew.
pub(super) fn take_over<R: LearningRule>(
    entity: &mut EntityWorldMut<'_>,
    former: &Former<'_>,
) -> Option<()> {
    let mut learning = entity.get_mut::<Learning<R>>()?;
    let learning = &mut *learning;
    let [low, high, rest @ ..] = former.numbers else {
        return None;
    };
    let now = u64::from(*low) | u64::from(*high) << 32;
    let mut rest = rest;
    Steering::pass_over(&mut rest)?;
    let (axonal, back) = (former.longest_axonal(), former.longest_back());
    let mut pre = PreHistory::new(former.sources, axonal);
    pre.load(&mut rest)?;
    let targets = if R::LEARNS { former.targets } else { 0 };
    let mut post = PostHistory::new(targets, back, R::ROOM);
    post.load(&mut rest)?;
    learning.rule.take_over(&mut rest, targets, back)?;
    learning.pre.take_over(&pre, now);
    let ways_back = (back, learning.longest_back);
    learning.post.take_over(&post, now as u32, ways_back);
    learning.settled = now;
    learning.steering.anchor(now);
    learning.begin_epoch(now);
    learning.follow_history(now);
    rest.is_empty().then_some(())
}
