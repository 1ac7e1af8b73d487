//! Triplet STDP: pairs as in [`stdp`](super::stdp), with changes that also grow with the earlier spikes of the same neuron, so that
//! potentiation needs a high rate, as it does in cortex.
//!
//! ```text
//! r₁' = −r₁/τ₊,  r₂' = −r₂/τ_x   at a presynaptic spike    r → r + 1 (or 1)
//! o₁' = −o₁/τ₋,  o₂' = −o₂/τ_y   at a postsynaptic spike   o → o + 1 (or 1)
//! at a presynaptic spike:   w → w − o₁ (A₂⁻ + A₃⁻ r₂)      with r₂ just before the spike
//! at a postsynaptic spike:  w → w + r₁ (A₂⁺ + A₃⁺ o₂)      with o₂ just before the spike
//! ```
//!
//! and *w* stays within its bounds. With a `dependence` on the weight changes at postsynaptic spikes are multiplied by f₊, those at presynaptic ones
//! by f₋, with the relative weight r = (w − w_min)/(w_max − w_min):
//!
//! | `dependence` | f₊ | f₋ |
//! |---|---|---|
//! | `Additive` | 1 | 1 |
//! | `Multiplicative` | 1 − r | r |
//! | `Guetig(mu_plus, mu_minus)` | (1 − r)^μ₊ | r^μ₋ |
//! | `PowerLaw(mu, w_ref)` | (w/w_ref)^μ | w/w_ref |
//!
//! | symbol | field | default | unit |
//! |---|---|---|---|
//! | A₂⁺, A₃⁺ | `a2_plus`, `a3_plus` | 5·10⁻¹⁰, 6.2·10⁻³ | receptor's |
//! | A₂⁻, A₃⁻ | `a2_minus`, `a3_minus` | 7·10⁻³, 2.3·10⁻⁴ | receptor's |
//! | τ₊, τ_x | `tau_plus`, `tau_x` | 16.8, 101 | ms |
//! | τ₋, τ_y | `tau_minus`, `tau_y` | 33.7, 125 | ms |
//! | bounds | `w_min`, `w_max` | 0, 1 | receptor's |
//! | | `nearest` | false: all spikes count | |
//! | f₊, f₋ | `dependence` | `Additive` | |
//! | κ, τ_ν | `metaplasticity: Some(rate_hz, tau)` | none; 10, 1000 | Hz, ms |
//! | | `order`, `coincidence` | as NEST | |
//!
//! With metaplasticity depression follows the target's own slow rate, so that the rate at which potentiation takes over slides as it does in
//! [`bcm`](super::bcm): A₂⁻ and A₃⁻ are multiplied by (ν/κ)², where ν' = −ν/τ_ν and ν → ν + 1/τ_ν at a postsynaptic spike, and ν is that of the moment
//! of the presynaptic spike.
//!
//! The defaults are the paper's full all-to-all model fitted to visual cortex (table 4).
//!
//! *Integration.* Event by event, exactly.
//!
//! *Source.* Pfister & Gerstner (2006), J Neurosci 26:9673, eqs 1–4, doi:10.1523/JNEUROSCI.1425-06.2006. NEST's
//! `stdp_triplet_synapse`. Dependence on the weight: as in [`stdp`](super::stdp). Metaplasticity: there, on the sliding threshold; Zenke, Hennequin & Gerstner (2013), doi:10.1371/journal.pcbi.1003330,
//! whose A₂⁻ is A₃⁺ τ₊ τ_y κ/τ₋ at ν = κ.
//!
//! *Scene.* `homeostasis`, with metaplasticity.

use super::decay::Decay;
use super::stdp::{Dependence, WeightChange, check_dependence};
use super::{
    AMPLITUDE, BoxedRule, Coincidence, LearningRule, Plasticity, RegisterRule, Seen, SendOrder,
    SynapseState, WEIGHT,
};
use crate::sim::quantity::{Range, Unit};
use bevy::prelude::*;

/// Registers the rule.
pub fn plugin(app: &mut App) {
    app.register_rule::<TripletStdp>();
}

/// Triplet STDP. See the [module](self).
#[derive(Component, Reflect, Clone, Debug, PartialEq)]
#[reflect(Default)]
pub struct TripletStdp {
    /// Potentiation by pairs.
    #[reflect(@AMPLITUDE)]
    pub a2_plus: f64,
    /// Potentiation by triplets.
    #[reflect(@AMPLITUDE)]
    pub a3_plus: f64,
    /// Depression by pairs, a positive number.
    #[reflect(@AMPLITUDE)]
    pub a2_minus: f64,
    /// Depression by triplets, a positive number.
    #[reflect(@AMPLITUDE)]
    pub a3_minus: f64,
    /// Time constant of the fast presynaptic trace.
    #[reflect(@Unit("ms"), @Range::positive())]
    pub tau_plus: f64,
    /// Time constant of the slow presynaptic trace.
    #[reflect(@Unit("ms"), @Range::positive())]
    pub tau_x: f64,
    /// Time constant of the fast postsynaptic trace.
    #[reflect(@Unit("ms"), @Range::positive())]
    pub tau_minus: f64,
    /// Time constant of the slow postsynaptic trace.
    #[reflect(@Unit("ms"), @Range::positive())]
    pub tau_y: f64,
    /// The least weight.
    #[reflect(@WEIGHT)]
    pub w_min: f64,
    /// The largest weight.
    #[reflect(@WEIGHT)]
    pub w_max: f64,
    /// Whether only the nearest spikes count: traces are set to 1 rather than raised by 1.
    pub nearest: bool,
    /// How changes depend on the weight.
    pub dependence: Dependence,
    /// How depression follows the target's slow rate; without it, not at all.
    pub metaplasticity: Option<Metaplasticity>,
    /// Whether a presynaptic spike is sent with the weight before or after its change.
    pub order: SendOrder,
    /// What spikes of one step mean to each other.
    pub coincidence: Coincidence,
}

/// How depression follows the slow rate of the target neuron. See the [module](self).
#[derive(Reflect, Clone, Debug, PartialEq)]
#[reflect(Default)]
pub struct Metaplasticity {
    /// The rate at which depression is as given.
    #[reflect(@Unit("Hz"), @Range::positive())]
    pub rate_hz: f64,
    /// Time constant of the rate.
    #[reflect(@Unit("ms"), @Range::positive())]
    pub tau: f64,
}

impl Default for Metaplasticity {
    fn default() -> Self {
        Self {
            rate_hz: 10.0,
            tau: 1_000.0,
        }
    }
}

impl Default for TripletStdp {
    fn default() -> Self {
        Self {
            a2_plus: 5e-10,
            a3_plus: 6.2e-3,
            a2_minus: 7e-3,
            a3_minus: 2.3e-4,
            tau_plus: 16.8,
            tau_x: 101.0,
            tau_minus: 33.7,
            tau_y: 125.0,
            w_min: 0.0,
            w_max: 1.0,
            nearest: false,
            dependence: Dependence::Additive,
            metaplasticity: None,
            order: SendOrder::default(),
            coincidence: Coincidence::default(),
        }
    }
}

impl Plasticity for TripletStdp {
    fn derive(&self, dt: f64) -> BoxedRule {
        let triplet = TripletRule {
            fast: [
                Decay::new(self.tau_plus, dt),
                Decay::new(self.tau_minus, dt),
            ],
            slow: [Decay::new(self.tau_x, dt), Decay::new(self.tau_y, dt)],
            plus: [self.a2_plus as f32, self.a3_plus as f32],
            minus: [self.a2_minus as f32, self.a3_minus as f32],
            change: WeightChange::of_weights(self.dependence, (self.w_min, self.w_max)),
            kept: if self.nearest { 0.0 } else { 1.0 },
            order: self.order,
            coincidence: self.coincidence,
        };
        match &self.metaplasticity {
            None => BoxedRule::new(triplet),
            Some(meta) => BoxedRule::new(SlidingRule {
                triplet,
                rate: Decay::new(meta.tau, dt),
                per_spike: (1e3 / (meta.tau * meta.rate_hz)) as f32,
            }),
        }
    }

    fn bounds(&self) -> (f64, f64) {
        (self.w_min, self.w_max)
    }

    fn check(&self, _dt: f64) -> Result<(), String> {
        check_dependence(self.dependence, (self.w_min, self.w_max))
    }
}

/// [`TripletStdp`] with its constants worked out. Traces are (fast, slow).
struct TripletRule {
    /// Decay of the fast traces, pre- and postsynaptic.
    fast: [Decay; 2],
    /// Decay of the slow traces, pre- and postsynaptic.
    slow: [Decay; 2],
    plus: [f32; 2],
    minus: [f32; 2],
    change: WeightChange<false>,
    /// The part of a trace that a spike leaves.
    kept: f32,
    order: SendOrder,
    coincidence: Coincidence,
}

impl TripletRule {
    #[inline(always)]
    fn left(&self, side: usize, traces: [f32; 2], ago: u32) -> [f32; 2] {
        [
            traces[0] * self.fast[side].after(ago),
            traces[1] * self.slow[side].after(ago),
        ]
    }

    #[inline(always)]
    fn raised(&self, traces: [f32; 2]) -> [f32; 2] {
        traces.map(|trace| trace * self.kept + 1.0)
    }

    #[inline(always)]
    fn depression(&self, pre: Seen<[f32; 2]>, post: Seen<[f32; 2]>) -> f32 {
        let o1 = post.traces[0] * self.fast[1].after(post.ago);
        let r2 = pre.traces[1] * self.slow[0].after(pre.ago);
        o1 * (self.minus[0] + self.minus[1] * r2)
    }

    #[inline(always)]
    fn depressed(&self, state: SynapseState, amount: f32) -> SynapseState {
        SynapseState {
            weight: self.change.depressed(state.weight, amount),
            ..state
        }
    }
}

impl LearningRule for TripletRule {
    type Pre = [f32; 2];
    type Post = [f32; 2];

    #[inline(always)]
    fn pre_spiked(&self, last: [f32; 2], ago: u32) -> ([f32; 2], [f32; 2]) {
        let left = self.left(0, last, ago);
        (left, self.raised(left))
    }

    #[inline(always)]
    fn post_spiked(&self, last: [f32; 2], ago: u32) -> [f32; 2] {
        self.raised(self.left(1, last, ago))
    }

    #[inline(always)]
    fn at_pre(
        &self,
        state: SynapseState,
        pre: Seen<[f32; 2]>,
        post: Seen<[f32; 2]>,
    ) -> SynapseState {
        self.depressed(state, self.depression(pre, post))
    }

    #[inline(always)]
    fn at_post(
        &self,
        state: SynapseState,
        pre: Seen<[f32; 2]>,
        post: Seen<[f32; 2]>,
    ) -> SynapseState {
        let r1 = pre.traces[0] * self.fast[0].after(pre.ago);
        let o2 = post.traces[1] * self.slow[1].after(post.ago);
        let amount = r1 * (self.plus[0] + self.plus[1] * o2);
        SynapseState {
            weight: self.change.potentiated(state.weight, amount),
            ..state
        }
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

/// [`TripletStdp`] with [`Metaplasticity`]. The third postsynaptic trace is ν/κ.
struct SlidingRule {
    triplet: TripletRule,
    rate: Decay,
    /// What a spike adds to ν/κ.
    per_spike: f32,
}

/// The traces of the triplet rule.
fn fast_and_slow(seen: Seen<[f32; 3]>) -> Seen<[f32; 2]> {
    let [fast, slow, _] = seen.traces;
    Seen {
        traces: [fast, slow],
        ago: seen.ago,
    }
}

impl LearningRule for SlidingRule {
    type Pre = [f32; 2];
    type Post = [f32; 3];

    #[inline(always)]
    fn pre_spiked(&self, last: [f32; 2], ago: u32) -> ([f32; 2], [f32; 2]) {
        self.triplet.pre_spiked(last, ago)
    }

    #[inline(always)]
    fn post_spiked(&self, [fast, slow, rate]: [f32; 3], ago: u32) -> [f32; 3] {
        let [fast, slow] = self.triplet.post_spiked([fast, slow], ago);
        [fast, slow, rate * self.rate.after(ago) + self.per_spike]
    }

    #[inline(always)]
    fn at_pre(
        &self,
        state: SynapseState,
        pre: Seen<[f32; 2]>,
        post: Seen<[f32; 3]>,
    ) -> SynapseState {
        let rate = post.traces[2] * self.rate.after(post.ago);
        let depression = self.triplet.depression(pre, fast_and_slow(post));
        self.triplet.depressed(state, depression * rate * rate)
    }

    #[inline(always)]
    fn at_post(
        &self,
        state: SynapseState,
        pre: Seen<[f32; 2]>,
        post: Seen<[f32; 3]>,
    ) -> SynapseState {
        self.triplet.at_post(state, pre, fast_and_slow(post))
    }

    fn unbind(&mut self) {
        self.triplet.change.unbind();
    }

    fn order(&self) -> SendOrder {
        self.triplet.order
    }

    fn coincidence(&self) -> Coincidence {
        self.triplet.coincidence
    }
}
