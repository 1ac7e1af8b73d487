//! Oja's rule for spikes: Hebbian growth with a decay that keeps the weights of a neuron normalised, so that they become the principal
//! component of its input.
//!
//! ```text
//! x' = −x/τ,  x → x + 1 at a presynaptic spike        y' = −y/τ,  y → y + 1 at a postsynaptic spike
//! at a postsynaptic spike:  w → w + η (w₁ x − w y)    with y just before the spike
//! ```
//!
//! and *w* stays within its bounds. For rates *a* and *b* of source and target that are independent of each other, *w'* = ητ (w₁ a b − w b²) on average: Oja's
//! y (x − y w) with weights in units of w₁. *y* just before the spike keeps the spike from counting against itself. Of a target whose rate
//! is *b* = Σ w a / w₁ the squares of the weights come to sum to w₁².
//!
//! | symbol | field | default | unit |
//! |---|---|---|---|
//! | η | `eta` | 0.01 | |
//! | w₁ | `w_norm` | 1 | receptor's |
//! | τ | `tau` | 20 | ms |
//! | bounds | `w_min`, `w_max` | 0, 1 | receptor's |
//! | | `order`, `coincidence` | as NEST | |
//!
//! *Integration.* Event by event, exactly.
//!
//! *Not modelled.* Changes at presynaptic spikes.
//!
//! *Source.* Oja (1982), J Math Biol 15:267, doi:10.1007/BF00275687; pairs of spikes in place of rates as in Gerstner & Kistler (2002), Biol
//! Cybern 87:404, doi:10.1007/s00422-002-0353-y.
//!
//! *Scene.* `receptive_fields`.

use super::decay::Decay;
use super::{
    BoxedRule, Coincidence, LearningRule, Plasticity, RegisterRule, Seen, SendOrder, SynapseState,
    UNBOUND, WEIGHT, check_bounds,
};
use crate::sim::math::within;
use crate::sim::quantity::{Range, Unit};
use bevy::prelude::*;

/// Registers the rule.
pub fn plugin(app: &mut App) {
    app.register_rule::<Oja>();
}

/// Oja's rule. See the [module](self).
#[derive(Component, Reflect, Clone, Debug, PartialEq)]
#[reflect(Default)]
pub struct Oja {
    /// Learning rate.
    #[reflect(@Range::between(0.0, 1e12))]
    pub eta: f64,
    /// The weight that counts as 1: the norm to which the weights of a target come.
    #[reflect(@Range::positive())]
    pub w_norm: f64,
    /// Time constant of both traces.
    #[reflect(@Unit("ms"), @Range::positive())]
    pub tau: f64,
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

impl Default for Oja {
    fn default() -> Self {
        Self {
            eta: 0.01,
            w_norm: 1.0,
            tau: 20.0,
            w_min: 0.0,
            w_max: 1.0,
            order: SendOrder::default(),
            coincidence: Coincidence::default(),
        }
    }
}

impl Plasticity for Oja {
    fn derive(&self, dt: f64) -> BoxedRule {
        BoxedRule::new(OjaRule {
            decay: Decay::new(self.tau, dt),
            grow: (self.eta * self.w_norm) as f32,
            eta: self.eta as f32,
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

/// [`Oja`] with its constants worked out.
struct OjaRule {
    decay: Decay,
    grow: f32,
    eta: f32,
    bounds: [f32; 2],
    order: SendOrder,
    coincidence: Coincidence,
}

impl LearningRule for OjaRule {
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
        _post: Seen<[f32; 1]>,
    ) -> SynapseState {
        state
    }

    #[inline(always)]
    fn at_post(
        &self,
        state: SynapseState,
        pre: Seen<[f32; 1]>,
        post: Seen<[f32; 1]>,
    ) -> SynapseState {
        let x = pre.traces[0] * self.decay.after(pre.ago);
        let y = post.traces[0] * self.decay.after(post.ago);
        let weight = state.weight + self.grow * x - self.eta * y * state.weight;
        SynapseState {
            weight: within(weight, self.bounds),
            ..state
        }
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
