//! Pools that gate learning: they scale what a learning rule does, or turn it round.
//!
//! ```text
//! every change of a weight by the learning rule is multiplied by   f(t) = min(most, max(least, 1 + gain · (n(t) − baseline)))
//! ```
//!
//! with the concentration *n* at the moment of the event, before what is released at that moment. A positive gain lets a pool promote learning, a
//! negative one suppress it; where *f* is negative, potentiation becomes depression and depression potentiation. Several pools that act on the
//! synapses of one target neuron add their gains, between the smallest `least` and the largest `most` of all. Tags, traces and
//! [upkeep](super::upkeep) are as without it.
//!
//! The change is that of the rule as its equations have it, before the bounds cut it off, also where its learning rate decays; what comes out stays
//! within them. A dependence on the weight is that of the change as it was: at the largest weight a multiplicative rule does not
//! potentiate, and so is not turned into depression there.
//!
//! | symbol | field of [`Effect::Learning`](crate::modulation::Effect) | default | unit |
//! |---|---|---|---|
//! | | `projection` | | |
//! | | `neurons` (of the target) | all | |
//! | gain | `gain` | | per unit of concentration |
//! | least, most | `least`, `most` | 0, none | |
//!
//! *Integration.* Within a step a pool decays, and *f* at an event is taken at the time of the event: at the end of the step, or in it at neurons
//! that are resolved in continuous time. What modulated rules change in the course of a step is integrated with a parabola through *f* at its
//! start, in its middle and at its end; what they change at single moments counts with *f* at those, after what is released then.
//!
//! *How it is advanced.* The factors of past steps are kept until all synapses have been brought up to date, which happens every 16,384 steps.
//! Rules that are modulated themselves add up what acts on each class of targets.
//!
//! *Source.* Frémaux & Gerstner (2016), doi:10.3389/fncir.2015.00085 (gating); Seol et al. (2007), doi:10.1016/j.neuron.2007.08.013
//! (acetylcholine and noradrenaline decide on the sign of STDP); Zhang, Lau & Bi (2009), doi:10.1073/pnas.0900546106 (dopamine turns depression
//! into potentiation).
//!
//! *Scene.* `gated_learning`.
//!

use super::history::take;
use crate::modulation::Modulator;
use crate::modulation::effects::Reach;
use crate::sim::math::within;
use bevy::prelude::Query;

/// The steps after which all synapses are brought up to date.
const EPOCH: usize = 16_384;

/// Pools that gate the learning of a projection, at work. See the [module](self).
pub struct Gating {
    /// By target neuron: its class.
    reach: Reach,
    bounds: [f32; 2],
    /// Stamps per step.
    ticks: u32,
    /// The stamp at which the epoch started.
    start: u64,
    /// Per step of the epoch and class.
    factors: Vec<Factors>,
}

/// By what pools multiply changes of weights in a step: at its start, in its middle and at its end.
pub type Factors = [f32; 3];

/// Nothing is multiplied.
pub(super) const UNGATED: Factors = [1.0; 3];

/// The factor when a part of the step is over.
pub(super) fn factor_at([start, middle, end]: &Factors, part: f64) -> f64 {
    let [start, middle, end] = [start, middle, end].map(|f| f64::from(*f));
    let slope = -3.0 * start + 4.0 * middle - end;
    let curve = 2.0 * start - 4.0 * middle + 2.0 * end;
    start + part * (slope + part * curve)
}

/// The gate of the synapses onto a target neuron.
#[derive(Clone, Copy)]
pub(super) struct Gate<'a> {
    gating: &'a Gating,
    /// On which pools act in the same way.
    pub class: usize,
}

impl Gating {
    /// What is kept for each class of target neurons, in bytes: factors, and the sums of a modulated rule, and where spikes arrive one by one
    /// what acts in each step.
    pub const fn bytes_per_class(exact: bool) -> f64 {
        let in_step = if exact { 84.0 } else { 20.0 };
        in_step * EPOCH as f64
    }

    /// Pools that act on the learning of weights that stay within bounds.
    pub fn new(reach: Reach, (low, high): (f64, f64)) -> Self {
        Self {
            factors: Vec::with_capacity(EPOCH * reach.len()),
            reach,
            bounds: [low as f32, high as f32],
            ticks: 1,
            start: 0,
        }
    }

    /// Stamps count ticks, so many of them to a step.
    pub(super) fn count_ticks(&mut self, per_step: u32) {
        self.ticks = per_step;
    }

    /// How many classes of target neurons there are.
    pub(super) fn classes(&self) -> usize {
        self.reach.len()
    }

    /// The gate of the synapses onto a target neuron.
    #[inline(always)]
    pub(super) fn gate(&self, target: u32) -> Gate<'_> {
        Gate {
            gating: self,
            class: self.reach.place(target),
        }
    }

    /// Whether an [epoch must begin](Self::begin_epoch) before the next [step](Self::begin_step).
    pub(super) fn epoch_is_full(&self) -> bool {
        self.factors.len() >= EPOCH * self.classes()
    }

    /// All synapses have been brought up to date at the stamp `now`.
    pub(super) fn begin_epoch(&mut self, now: u64) {
        self.start = now;
        self.factors.clear();
    }

    /// A step begins. Returns the factors of each class of target neurons.
    pub(super) fn begin_step(&mut self, modulators: &Query<&Modulator>) -> &[Factors] {
        let before = self.factors.len();
        let excess = |pool| {
            modulators
                .get(pool)
                .map_or([0.0; 3], Modulator::excess_in_step)
        };
        self.factors.extend(self.reach.factors(excess));
        &self.factors[before..]
    }

    /// The factor at the stamp whose low 32 bits are given, after the start of the epoch.
    #[inline]
    fn factor(&self, class: usize, stamp: u32) -> f32 {
        let since = stamp.wrapping_sub(self.start as u32).wrapping_sub(1);
        let (step, tick) = (since / self.ticks, since % self.ticks + 1);
        let place = step as usize * self.classes() + class;
        let Some(factors) = self.factors.get(place) else {
            return 1.0;
        };
        if tick == self.ticks {
            return factors[2];
        }
        factor_at(factors, f64::from(tick) / f64::from(self.ticks)) as f32
    }

    /// Appends the factors that are kept, for a snapshot.
    pub(super) fn save(&self, out: &mut Vec<u32>) {
        out.extend([self.start as u32, (self.start >> 32) as u32]);
        out.push(self.factors.len() as u32);
        out.extend(self.factors.as_flattened().iter().map(|f| f.to_bits()));
    }

    /// Takes what [`save`](Self::save) gave; `None` if it does not fit.
    pub(super) fn load(&mut self, from: &mut &[u32]) -> Option<()> {
        self.start = u64::from(take(from)?) | u64::from(take(from)?) << 32;
        let len = take(from)? as usize;
        if len > EPOCH * self.classes() || !len.is_multiple_of(self.classes()) {
            return None;
        }
        self.factors.clear();
        for _ in 0..len {
            let mut factor = || Some(f32::from_bits(take(from)?)).filter(|f| f.is_finite());
            self.factors.push([factor()?, factor()?, factor()?]);
        }
        Some(())
    }

    /// Passes over what [`save`](Self::save) gave.
    pub(super) fn pass_over(from: &mut &[u32]) -> Option<()> {
        let [_low, _high, len] = [take(from)?, take(from)?, take(from)?];
        *from = from.get(3 * len as usize..)?;
        Some(())
    }
}

impl Gate<'_> {
    /// The weight after a change by the learning rule at the stamp `now`, from `before` to `after` were it not for the bounds.
    #[inline(always)]
    pub fn of(self, before: f32, after: f32, now: u32) -> f32 {
        let factor = self.gating.factor(self.class, now);
        self.bounded(before + factor * (after - before))
    }

    /// The weight within the bounds.
    #[inline(always)]
    pub fn bounded(self, weight: f32) -> f32 {
        within(weight, self.gating.bounds)
    }
}
