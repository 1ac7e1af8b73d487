//! Spike-timing-dependent plasticity with any [response function](crate::synapses::response) as its traces: pair STDP whose learning window
//! has the form of a postsynaptic potential, of a window that ends, or of a count.
//!
//! ```text
//! x(t) = Σ κ_terminal(t − t_pre)                          y(t) = Σ κ_spine(t − t_post)
//! at a postsynaptic spike:  w → w + A₊ f₊(w) x            at a presynaptic spike:  w → w − A₋ f₋(w) y
//! ```
//!
//! and *w* stays within its bounds. The learning window is W(s) = A₊ κ_terminal(s) for a postsynaptic spike *s* after a presynaptic one, and
//! −A₋ κ_spine(−s) for one before. Both spikes count when they reach the synapse; see [`DelayParts`](crate::network::plastic::DelayParts).
//!
//! | symbol | field | default | unit |
//! |---|---|---|---|
//! | A₊ | `a_plus` | 0.01 | that of f₊, over that of κ |
//! | A₋ | `a_minus` | 0.0105 | that of f₋, over that of κ |
//! | κ_terminal | `terminal` | `[Leaky(tau: 20)]` | 1; ms to the power *n* for *n* + 1 responses that last |
//! | κ_spine | `spine` | `[Leaky(tau: 20)]` | likewise |
//! | bounds | `w_min`, `w_max` | 0, 1 | receptor's |
//! | f₊, f₋ | `dependence` | `Additive` | as in [`stdp`](super::stdp) |
//! | | `order`, `coincidence` | as NEST | |
//!
//! With `Leaky` on both sides it is [`Stdp`](super::stdp::Stdp) of all pairs, bit for bit. With `Flat` a spike sees how many of the other side
//! came before it; with `Identity` alone, only one that reaches the synapse in the same step, if these see each other at all.
//!
//! *Integration.* Event by event. Traces are advanced from spike to spike by tabulated propagators, in single precision; windows are counted in
//! whole steps, at most 576 in all. A neuron with a window costs 132 bytes for each of its spikes that is kept.
//!
//! *Not modelled.* Responses as in the projection's own [`responses`](crate::synapses::response::Responses), which filter what is sent and
//! not what is learnt from; nearest pairs.
//!
//! *Source.* Gerstner, Kempter, van Hemmen & Wagner (1996), doi:10.1038/383076a0, and Kempter, Gerstner & van Hemmen (1999),
//! doi:10.1103/PhysRevE.59.4498 (learning windows of any form); Morrison, Diesmann & Gerstner (2008), doi:10.1007/s00422-008-0233-1
//! (traces).

use super::stdp::{Dependence, WeightChange, check_dependence};
use super::tagger::{LONGEST, Tagger, WINDOWED, numbers};
use super::{
    AMPLITUDE, BoxedRule, Coincidence, LearningRule, Plasticity, RegisterRule, Seen, SendOrder,
    SynapseState, Traces, WEIGHT,
};
use crate::synapses::response::cascade::Cascade;
use crate::synapses::response::{self, Response};
use bevy::prelude::*;

/// Registers the rule.
pub fn plugin(app: &mut App) {
    app.register_rule::<ResponseStdp>();
}

/// STDP with response functions as traces. See the [module](self).
#[derive(Component, Reflect, Clone, Debug, PartialEq)]
#[reflect(Default)]
pub struct ResponseStdp {
    /// Size of potentiation.
    #[reflect(@AMPLITUDE)]
    pub a_plus: f64,
    /// Size of depression, a positive number.
    #[reflect(@AMPLITUDE)]
    pub a_minus: f64,
    /// What presynaptic spikes leave for postsynaptic ones to see.
    pub terminal: Vec<Response>,
    /// What postsynaptic spikes leave for presynaptic ones to see.
    pub spine: Vec<Response>,
    /// The least weight.
    #[reflect(@WEIGHT)]
    pub w_min: f64,
    /// The largest weight.
    #[reflect(@WEIGHT)]
    pub w_max: f64,
    /// How changes depend on the weight.
    pub dependence: Dependence,
    /// Whether a presynaptic spike is sent with the weight before or after its change.
    pub order: SendOrder,
    /// What spikes of one step mean to each other.
    pub coincidence: Coincidence,
}

impl Default for ResponseStdp {
    fn default() -> Self {
        Self {
            a_plus: 0.01,
            a_minus: 0.0105,
            terminal: vec![Response::Leaky { tau: 20.0 }],
            spine: vec![Response::Leaky { tau: 20.0 }],
            w_min: 0.0,
            w_max: 1.0,
            dependence: Dependence::Additive,
            order: SendOrder::default(),
            coincidence: Coincidence::default(),
        }
    }
}

impl Plasticity for ResponseStdp {
    fn derive(&self, dt: f64) -> BoxedRule {
        let terminal = Cascade::new(&self.terminal, dt);
        let spine = Cascade::new(&self.spine, dt);
        match numbers(&terminal).max(numbers(&spine)) {
            1 => BoxedRule::new(self.rule::<1>(&terminal, &spine, dt)),
            2 => BoxedRule::new(self.rule::<2>(&terminal, &spine, dt)),
            8 => BoxedRule::new(self.rule::<8>(&terminal, &spine, dt)),
            _ => BoxedRule::new(self.rule::<WINDOWED>(&terminal, &spine, dt)),
        }
    }

    fn bounds(&self) -> (f64, f64) {
        (self.w_min, self.w_max)
    }

    fn check(&self, dt: f64) -> Result<(), String> {
        check_dependence(self.dependence, (self.w_min, self.w_max))?;
        check_trace("terminal", &self.terminal, dt)?;
        check_trace("spine", &self.spine, dt)
    }
}

fn check_trace(field: &str, sequence: &[Response], dt: f64) -> Result<(), String> {
    if sequence.is_empty() {
        return Err(format!(
            "{field} names no response: there would be no trace to learn from; give it one, for example Leaky(tau: 20)"
        ));
    }
    response::check(sequence, dt)
        .map_err(|(place, message)| format!("{field}{place}: {message}"))?;
    let steps: u32 = Cascade::new(sequence, dt).windows().iter().sum();
    if steps > LONGEST {
        return Err(format!(
            "the windows of {field} are {steps} steps of {dt} ms; traces look back on {LONGEST} at most: make them shorter, or the step longer"
        ));
    }
    Ok(())
}

impl ResponseStdp {
    fn rule<const N: usize>(&self, terminal: &Cascade, spine: &Cascade, dt: f64) -> Rule<N> {
        let bounds = (self.w_min, self.w_max);
        Rule {
            terminal: Tagger::new(terminal, dt),
            spine: Tagger::new(spine, dt),
            change: WeightChange::new(self.a_plus, self.a_minus, self.dependence, bounds),
            order: self.order,
            coincidence: self.coincidence,
        }
    }
}

/// [`ResponseStdp`] with its constants worked out, and traces of `N` numbers.
struct Rule<const N: usize> {
    terminal: Tagger<N>,
    spine: Tagger<N>,
    change: WeightChange<false>,
    order: SendOrder,
    coincidence: Coincidence,
}

impl<const N: usize> LearningRule for Rule<N>
where
    [f32; N]: Traces,
{
    type Pre = [f32; N];
    type Post = [f32; N];
    const ROOM: u32 = if N == WINDOWED { 16 } else { 64 };

    #[inline(always)]
    fn pre_spiked(&self, last: [f32; N], ago: u32) -> ([f32; N], [f32; N]) {
        let left = self.terminal.left(last, ago);
        (left, self.terminal.raised(left))
    }

    #[inline(always)]
    fn post_spiked(&self, last: [f32; N], ago: u32) -> [f32; N] {
        self.spine.raised(self.spine.left(last, ago))
    }

    #[inline(always)]
    fn at_pre(
        &self,
        mut state: SynapseState,
        _pre: Seen<[f32; N]>,
        post: Seen<[f32; N]>,
    ) -> SynapseState {
        let amount = self.spine.value(post.traces, post.ago);
        state.weight = self.change.depressed(state.weight, amount);
        state
    }

    #[inline(always)]
    fn at_post(
        &self,
        mut state: SynapseState,
        pre: Seen<[f32; N]>,
        _post: Seen<[f32; N]>,
    ) -> SynapseState {
        let amount = self.terminal.value(pre.traces, pre.ago);
        state.weight = self.change.potentiated(state.weight, amount);
        state
    }

    fn unbind(&mut self) {
        self.change.unbind();
    }

    fn order(&self) -> SendOrder {
        self.order
    }

    fn coincidence(&self) -> Coincidence {
        self.coincidence
    }
}
