//! How learning is steered from outside a rule: frozen, restricted to some targets, or slowed down in the course of time.

use super::LearningRule;
use super::SynapseState;
use super::history::take;
use super::slowing::Slowing;
use super::upkeep::{Fade, Lasting};

/// What steers the learning of a projection.
pub(super) struct Steering {
    /// Whether weights stay as they are; traces and tags go on.
    pub frozen: bool,
    /// Per target neuron: the part of every change that counts, from 0 to 1; empty if all count fully.
    pub gain: Vec<f32>,
    lasting: Lasting,
}

impl Steering {
    /// Nothing but what goes on all the time.
    pub fn new(lasting: Lasting) -> Self {
        Self {
            frozen: false,
            gain: Vec::new(),
            lasting,
        }
    }

    /// Whether synapses with a rule of this type change at all: the tags of frozen ones do.
    #[inline(always)]
    pub fn lets_change<R: LearningRule>(&self) -> bool {
        R::LEARNS && (R::TAGGED || !self.frozen)
    }

    /// Whether not all of every change counts.
    #[inline(always)]
    pub fn is_at_work(&self) -> bool {
        self.frozen || !self.gain.is_empty() || self.lasting.slowing.is_some()
    }

    /// How much of every change of the weights onto a target neuron counts.
    #[inline(always)]
    pub fn share(&self, target: u32) -> Share<'_> {
        Share {
            part: if self.frozen {
                Some(0.0)
            } else {
                self.gain.get(target as usize).copied()
            },
            slowing: self.lasting.slowing.as_ref(),
        }
    }

    /// How weights decay all the time, if they do.
    #[inline(always)]
    pub fn fade(&self) -> Option<&Fade> {
        self.lasting.fade.as_ref()
    }

    /// The present is near the stamp `now`.
    pub fn anchor(&mut self, now: u64) {
        if let Some(slowing) = &mut self.lasting.slowing {
            slowing.anchor(now);
        }
    }

    /// Appends what users steer, for a snapshot.
    pub fn save(&self, out: &mut Vec<u32>) {
        out.extend([u32::from(self.frozen), self.gain.len() as u32]);
        out.extend(self.gain.iter().map(|g| g.to_bits()));
    }

    /// Takes what [`save`](Self::save) gave, for so many target neurons. `None` if it does not fit.
    pub fn load(&mut self, from: &mut &[u32], targets: usize) -> Option<()> {
        let frozen = take(from).filter(|frozen| *frozen <= 1)? == 1;
        let gains = take(from).filter(|n| *n == 0 || *n as usize == targets)?;
        let mut gain = Vec::new();
        for _ in 0..gains {
            let part = f32::from_bits(take(from)?);
            gain.push(Some(part).filter(|g| (0.0..=1.0).contains(g))?);
        }
        (self.frozen, self.gain) = (frozen, gain);
        Some(())
    }

    /// Passes over what [`save`](Self::save) gave.
    pub fn pass_over(from: &mut &[u32]) -> Option<()> {
        let [_frozen, gains] = [take(from)?, take(from)?];
        *from = from.get(gains as usize..)?;
        Some(())
    }
}

/// How much of every change of a weight counts. Tags change in full.
#[derive(Clone, Copy)]
pub(super) struct Share<'a> {
    /// The part of all changes; `None` for all of it.
    pub part: Option<f32>,
    /// The part of what the learning rule changes, which falls with time.
    pub slowing: Option<&'a Slowing>,
}

impl Share<'_> {
    /// All of it.
    pub const ALL: Self = Self {
        part: None,
        slowing: None,
    };

    /// The state after a change of the weight from `before`, by the learning rule at the stamp `now`.
    #[inline(always)]
    pub fn of(self, before: f32, after: SynapseState, now: u32) -> SynapseState {
        self.of_any(before, self.slowed(before, after, now))
    }

    /// The state after what the learning rule does in the course of time.
    #[inline(always)]
    pub fn slowed(self, before: f32, mut after: SynapseState, now: u32) -> SynapseState {
        if let Some(slowing) = self.slowing {
            after.weight = before + slowing.rate(now) * (after.weight - before);
        }
        after
    }

    /// The state after a change of the weight, whatever it comes from.
    #[inline(always)]
    pub fn of_any(self, before: f32, mut after: SynapseState) -> SynapseState {
        if let Some(part) = self.part {
            after.weight = before + part * (after.weight - before);
        }
        after
    }
}
