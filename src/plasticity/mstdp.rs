//! Reward-modulated STDP of Florian: MSTDP, where a reward acts on the pairs of the moment, and MSTDPET, where it acts on an eligibility trace.
//!
//! ```text
//! ζ = A₊ x at a postsynaptic spike, −A₋ y at a presynaptic one       x, y: traces of pairs with τ₊, τ₋, raised by 1
//! MSTDP:     w → w + γ r ζ       with the ζ of the step before the reward
//! MSTDPET:   z' = −z/τ_z + ζ/τ_z,    w → w + γ r z
//! ```
//!
//! and *w* stays within its bounds. *r* is a reward that comes as an impulse, so that its size does not depend on the step. Under a reward that
//! is a rate, the level M of a pool or the prediction of a critic, ζ is an impulse at the moment of its pair, and the equations are
//!
//! ```text
//! MSTDP:     w → w + γ M(t) ζ     at each pair, with the level of that moment
//! MSTDPET:   w' = γ M(t) z
//! ```
//!
//! so that the step does not matter there either.
//!
//! | symbol | field | default | unit |
//! |---|---|---|---|
//! | γ | `gamma` | 0.1, 0.625 | receptor's |
//! | A₊, A₋ | `a_plus`, `a_minus` | 1, 1 | |
//! | τ₊, τ₋ | `tau_plus`, `tau_minus` | 20 | ms |
//! | τ_z | `tau_z` (MSTDPET) | 25 | ms |
//! | bounds | `w_min`, `w_max` | −5, 5 | receptor's |
//! | | `modulator` | `"reward"` | name |
//! | | `order`, `coincidence` | `ChangeThenSend`, `Both` | |
//!
//! *Agreement.* In the paper both spikes of a pair count when they are fired, spikes of one step see each other, the input comes a step later, and
//! the reward of a step acts on the ζ of the step before. A projection with a delay of one step and `backpropagation_ms` of one step gives
//! just that: both spikes reach the synapse a step later, and the reward of that step finds their mark.
//!
//! *Integration.* As [`eligibility`](super::eligibility) says.
//!
//! *Source.* Florian (2007), Neural Comput 19:1468, eqs 3.19–3.25, doi:10.1162/neco.2007.19.6.1468.

use super::eligibility::{Eligible, EligibleRule, Kernel};
use super::{
    AMPLITUDE, BoxedRule, Coincidence, Plasticity, RegisterRule, SendOrder, WEIGHT, check_bounds,
};
use crate::sim::quantity::{Range, Unit};
use bevy::prelude::*;

/// Registers the rules.
pub fn plugin(app: &mut App) {
    app.register_rule::<Mstdp>().register_rule::<Mstdpet>();
}

/// Reward-modulated STDP without an eligibility trace. See the [module](self).
#[derive(Component, Reflect, Clone, Debug, PartialEq)]
#[reflect(Default)]
pub struct Mstdp {
    /// Learning rate.
    #[reflect(@AMPLITUDE)]
    pub gamma: f64,
    /// ζ of a pair in the order pre, post.
    #[reflect(@AMPLITUDE)]
    pub a_plus: f64,
    /// −ζ of a pair in the other order.
    #[reflect(@AMPLITUDE)]
    pub a_minus: f64,
    /// Time constant of the presynaptic trace.
    #[reflect(@Unit("ms"), @Range::positive())]
    pub tau_plus: f64,
    /// Time constant of the postsynaptic trace.
    #[reflect(@Unit("ms"), @Range::positive())]
    pub tau_minus: f64,
    /// The least weight.
    #[reflect(@WEIGHT)]
    pub w_min: f64,
    /// The largest weight.
    #[reflect(@WEIGHT)]
    pub w_max: f64,
    /// The name of the modulator.
    pub modulator: String,
    /// Whether a presynaptic spike is sent with the weight before or after its change.
    pub order: SendOrder,
    /// What spikes of one step mean to each other.
    pub coincidence: Coincidence,
}

impl Default for Mstdp {
    fn default() -> Self {
        Self {
            gamma: 0.1,
            a_plus: 1.0,
            a_minus: 1.0,
            tau_plus: 20.0,
            tau_minus: 20.0,
            w_min: -5.0,
            w_max: 5.0,
            modulator: "reward".into(),
            order: SendOrder::default(),
            coincidence: Coincidence::Both,
        }
    }
}

impl Plasticity for Mstdp {
    fn derive(&self, dt: f64) -> BoxedRule {
        let parts = Eligible {
            amplitude: [self.a_plus, self.a_minus],
            tau: [self.tau_plus, self.tau_minus],
            nearest: false,
            kernel: Kernel::OneStep,
            gain: self.gamma,
            bounds: [self.w_min, self.w_max],
            order: self.order,
            coincidence: self.coincidence,
        };
        BoxedRule::new(EligibleRule::new(&parts, dt))
    }

    fn bounds(&self) -> (f64, f64) {
        (self.w_min, self.w_max)
    }

    fn modulator(&self) -> Option<&str> {
        Some(&self.modulator)
    }

    fn check(&self, _dt: f64) -> Result<(), String> {
        check_bounds(self.w_min, self.w_max)
    }
}

/// Reward-modulated STDP with an eligibility trace. See the [module](self).
#[derive(Component, Reflect, Clone, Debug, PartialEq)]
#[reflect(Default)]
pub struct Mstdpet {
    /// Learning rate.
    #[reflect(@AMPLITUDE)]
    pub gamma: f64,
    /// ζ of a pair in the order pre, post.
    #[reflect(@AMPLITUDE)]
    pub a_plus: f64,
    /// −ζ of a pair in the other order.
    #[reflect(@AMPLITUDE)]
    pub a_minus: f64,
    /// Time constant of the presynaptic trace.
    #[reflect(@Unit("ms"), @Range::positive())]
    pub tau_plus: f64,
    /// Time constant of the postsynaptic trace.
    #[reflect(@Unit("ms"), @Range::positive())]
    pub tau_minus: f64,
    /// Time constant of the eligibility trace.
    #[reflect(@Unit("ms"), @Range::positive())]
    pub tau_z: f64,
    /// The least weight.
    #[reflect(@WEIGHT)]
    pub w_min: f64,
    /// The largest weight.
    #[reflect(@WEIGHT)]
    pub w_max: f64,
    /// The name of the modulator.
    pub modulator: String,
    /// Whether a presynaptic spike is sent with the weight before or after its change.
    pub order: SendOrder,
    /// What spikes of one step mean to each other.
    pub coincidence: Coincidence,
}

impl Default for Mstdpet {
    fn default() -> Self {
        Self {
            gamma: 0.625,
            a_plus: 1.0,
            a_minus: 1.0,
            tau_plus: 20.0,
            tau_minus: 20.0,
            tau_z: 25.0,
            w_min: -5.0,
            w_max: 5.0,
            modulator: "reward".into(),
            order: SendOrder::default(),
            coincidence: Coincidence::Both,
        }
    }
}

impl Plasticity for Mstdpet {
    fn derive(&self, dt: f64) -> BoxedRule {
        let parts = Eligible {
            amplitude: [self.a_plus, self.a_minus],
            tau: [self.tau_plus, self.tau_minus],
            nearest: false,
            kernel: Kernel::Exponential(self.tau_z),
            gain: self.gamma / self.tau_z,
            bounds: [self.w_min, self.w_max],
            order: self.order,
            coincidence: self.coincidence,
        };
        BoxedRule::new(EligibleRule::new(&parts, dt))
    }

    fn bounds(&self) -> (f64, f64) {
        (self.w_min, self.w_max)
    }

    fn modulator(&self) -> Option<&str> {
        Some(&self.modulator)
    }

    fn check(&self, _dt: f64) -> Result<(), String> {
        check_bounds(self.w_min, self.w_max)
    }
}
