//! Inhibitory plasticity of Vogels and Sprekeler: inhibition onto a neuron grows or shrinks until the neuron fires at a target rate, and
//! so comes to balance excitation in detail.
//!
//! ```text
//! x' = −x/τ,  y' = −y/τ,   x → x + 1, y → y + 1 at a pre-, postsynaptic spike
//! at a presynaptic spike:   w → w + η (y − α)
//! at a postsynaptic spike:  w → w + η x                      α = 2 ρ₀ τ
//! ```
//!
//! and *w* stays within its bounds. *w* is the magnitude of the inhibitory weight.
//!
//! | symbol | field | default | unit |
//! |---|---|---|---|
//! | η | `eta` | 0.001 | receptor's |
//! | τ | `tau` | 20 | ms |
//! | ρ₀ | `rate_hz` | 3 | Hz |
//! | bounds | `w_min`, `w_max` | 0, 100 | receptor's |
//! | | `order`, `coincidence` | as NEST | |
//!
//! *Integration.* Event by event, exactly.
//!
//! *Source.* Vogels, Sprekeler, Zenke, Clopath & Gerstner (2011), Science 334:1569, doi:10.1126/science.1211095, supplement eqs 1–4. NEST's
//! `vogels_sprekeler_synapse` gives α itself.
//!
//! *Scene.* `inhibitory_balance`; `neuropil experiment vogels2011`.

use super::decay::Decay;
use super::{
    AMPLITUDE, BoxedRule, Coincidence, LearningRule, Plasticity, RegisterRule, Seen, SendOrder,
    SynapseState, UNBOUND, WEIGHT, check_bounds,
};
use crate::sim::math::within;
use crate::sim::quantity::{Range, Unit};
use bevy::prelude::*;

/// Registers the rule.
pub fn plugin(app: &mut App) {
    app.register_rule::<InhibitoryStdp>();
}

/// Inhibitory plasticity towards a target rate. See the [module](self).
#[derive(Component, Reflect, Clone, Debug, PartialEq)]
#[reflect(Default)]
pub struct InhibitoryStdp {
    /// Learning rate.
    #[reflect(@AMPLITUDE)]
    pub eta: f64,
    /// Time constant of both traces.
    #[reflect(@Unit("ms"), @Range::positive())]
    pub tau: f64,
    /// The rate to which target neurons are brought.
    #[reflect(@Unit("Hz"), @Range::non_negative())]
    pub rate_hz: f64,
    /// The least weight.
    #[reflect(@WEIGHT)]
    pub w_min: f64,
    /// The largest weight.
    #[reflect(@WEIGHT)]
    pub w_max: f64,
    /// Whether a presynaptic spike is sent with the weight before or after its change.
    pub order: SendOrder,
    /// What spikes of one step mean to each other.
    pub coincidence: Coincidence,
}

impl Default for InhibitoryStdp {
    fn default() -> Self {
        Self {
            eta: 0.001,
            tau: 20.0,
            rate_hz: 3.0,
            w_min: 0.0,
            w_max: 100.0,
            order: SendOrder::default(),
            coincidence: Coincidence::default(),
        }
    }
}

impl Plasticity for InhibitoryStdp {
    fn derive(&self, dt: f64) -> BoxedRule {
        BoxedRule::new(SymmetricRule {
            decay: Decay::new(self.tau, dt),
            eta: self.eta as f32,
            alpha: (2.0 * self.rate_hz * 1e-3 * self.tau) as f32,
            bounds: [self.w_min as f32, self.w_max as f32],
            order: self.order,
            coincidence: self.coincidence,
        })
    }

    fn bounds(&self) -> (f64, f64) {
        (self.w_min, self.w_max)
    }

    fn check(&self, _dt: f64) -> Result<(), String> {
        check_bounds(self.w_min, self.w_max)
    }
}

/// [`InhibitoryStdp`] with its constants worked out.
struct SymmetricRule {
    decay: Decay,
    eta: f32,
    alpha: f32,
    bounds: [f32; 2],
    order: SendOrder,
    coincidence: Coincidence,
}

impl SymmetricRule {
    #[inline(always)]
    fn changed(&self, state: SynapseState, amount: f32) -> SynapseState {
        let weight = state.weight + self.eta * amount;
        SynapseState {
            weight: within(weight, self.bounds),
            ..state
        }
    }
}

impl LearningRule for SymmetricRule {
    type Pre = [f32; 1];
    type Post = [f32; 1];

    #[inline(always)]
    fn pre_spiked(&self, last: [f32; 1], ago: u32) -> ([f32; 1], [f32; 1]) {
        let left = last[0] * self.decay.after(ago);
        ([left], [left + 1.0])
    }

    #[inline(always)]
    fn post_spiked(&self, last: [f32; 1], ago: u32) -> [f32; 1] {
        [last[0] * self.decay.after(ago) + 1.0]
    }

    #[inline(always)]
    fn at_pre(
        &self,
        state: SynapseState,
        _pre: Seen<[f32; 1]>,
        post: Seen<[f32; 1]>,
    ) -> SynapseState {
        let y = post.traces[0] * self.decay.after(post.ago);
        self.changed(state, y - self.alpha)
    }

    #[inline(always)]
    fn at_post(
        &self,
        state: SynapseState,
        pre: Seen<[f32; 1]>,
        _post: Seen<[f32; 1]>,
    ) -> SynapseState {
        self.changed(state, pre.traces[0] * self.decay.after(pre.ago))
    }

    fn unbind(&mut self) {
        self.bounds = UNBOUND;
    }

    fn order(&self) -> SendOrder {
        self.order
    }

    fn coincidence(&self) -> Coincidence {
        self.coincidence
    }
}
