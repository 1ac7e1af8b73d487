//! How learning is steered from outside a rule: frozen, restricted to some targets, slowed down in the course of time, or gated by pools.

use super::LearningRule;
use super::SynapseState;
use super::gating::{Gate, Gating, UNGATED};
use super::history::take;
use super::slowing::Slowing;
use super::upkeep::{Fade, Lasting};
use crate::modulation::{Modulator, Signal};
use bevy::prelude::{Entity, Query};

/// What steers the learning of a projection.
pub(super) struct Steering {
    /// Whether weights stay as they are; traces and tags go on.
    pub frozen: bool,
    /// Per target neuron: the part of every change that counts, from 0 to 1; empty if all count fully.
    pub gain: Vec<f32>,
    lasting: Lasting,
}

impl Steering {
    /// Nothing but what goes on all the time, beside a rule whose stamps are so many to a step.
    pub fn new<R: LearningRule>(mut lasting: Lasting, rule: &mut R, ticks: u32) -> Self {
        if let Some(gating) = &mut lasting.gating {
            rule.unbind();
            rule.distinguish(gating.classes());
            gating.count_ticks(ticks);
        }
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
        self.frozen
            || !self.gain.is_empty()
            || self.lasting.slowing.is_some()
            || self.lasting.gating.is_some()
    }

    /// Whether weights change by the rule alone, and in full.
    #[inline(always)]
    pub fn is_plain(&self) -> bool {
        !self.is_at_work() && self.lasting.fade.is_none()
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
            gate: self.lasting.gating.as_ref().map(|g| g.gate(target)),
        }
    }

    /// Whether pools gate learning.
    pub fn is_gated(&self) -> bool {
        self.lasting.gating.is_some()
    }

    /// Whether all synapses must be brought up to date before the next step, and an [epoch begin](Self::begin_epoch).
    pub fn epoch_is_full(&self) -> bool {
        self.lasting
            .gating
            .as_ref()
            .is_some_and(Gating::epoch_is_full)
    }

    /// All synapses have been brought up to date at the stamp `now`.
    pub fn begin_epoch(&mut self, now: u64) {
        if let Some(gating) = &mut self.lasting.gating {
            gating.begin_epoch(now);
        }
    }

    /// A step begins: tells the rule what its modulator does in it, and by what pools multiply that.
    pub fn begin_step<R: LearningRule>(
        &mut self,
        rule: &mut R,
        by: Option<Entity>,
        modulators: &Query<&Modulator>,
    ) {
        let by = by.and_then(|by| modulators.get(by).ok());
        let signal = by.map_or_else(Signal::default, Modulator::signal);
        rule.modulate(
            &signal,
            match &mut self.lasting.gating {
                Some(gating) => gating.begin_step(modulators),
                None => &[UNGATED],
            },
        );
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

    /// Appends what users steer and what pools did, for a snapshot.
    pub fn save(&self, out: &mut Vec<u32>) {
        let gating = self.lasting.gating.as_ref();
        out.extend([u32::from(self.frozen), self.gain.len() as u32]);
        out.extend(self.gain.iter().map(|g| g.to_bits()));
        out.push(u32::from(gating.is_some()));
        if let Some(gating) = gating {
            gating.save(out);
        }
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
        match (&mut self.lasting.gating, take(from)?) {
            (Some(gating), 1) => gating.load(from),
            (None, 0) => Some(()),
            _ => None,
        }
    }

    /// Passes over what [`save`](Self::save) gave.
    pub fn pass_over(from: &mut &[u32]) -> Option<()> {
        let [_frozen, gains] = [take(from)?, take(from)?];
        *from = from.get(gains as usize..)?;
        match take(from)? {
            0 => Some(()),
            _ => Gating::pass_over(from),
        }
    }
}

/// How much of every change of a weight counts. Tags change in full.
#[derive(Clone, Copy)]
pub(super) struct Share<'a> {
    /// The part of all changes; `None` for all of it.
    part: Option<f32>,
    /// The part of what the learning rule changes, which falls with time.
    slowing: Option<&'a Slowing>,
    /// What pools make of what the learning rule changes.
    gate: Option<Gate<'a>>,
}

impl Share<'_> {
    /// All of it.
    pub const ALL: Self = Self {
        part: None,
        slowing: None,
        gate: None,
    };

    /// The class of the target neuron: see [`LearningRule::distinguish`].
    #[inline(always)]
    pub fn class(self) -> usize {
        self.gate.map_or(0, |gate| gate.class)
    }

    /// The state after a change of the weight from `before`, by the learning rule at the stamp `now`.
    #[inline(always)]
    pub fn of(self, before: f32, after: SynapseState, now: u32) -> SynapseState {
        let mut after = self.slowed(before, after, now);
        if let Some(gate) = self.gate {
            after.weight = gate.of(before, after.weight, now);
        }
        self.of_any(before, after)
    }

    /// The state after what the learning rule does in the course of time, in which pools have had their part.
    #[inline(always)]
    pub fn passed(self, before: f32, after: SynapseState, now: u32) -> SynapseState {
        let mut after = self.slowed(before, after, now);
        if let Some(gate) = self.gate {
            after.weight = gate.bounded(after.weight);
        }
        after
    }

    #[inline(always)]
    fn slowed(self, before: f32, mut after: SynapseState, now: u32) -> SynapseState {
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
