//! Dopamine-modulated STDP: spike pairs make a synapse eligible, dopamine turns eligibility into a change of weight.
//!
//! ```text
//! ζ = A₊ x at a postsynaptic spike, −A₋ y at a presynaptic one
//! c' = −c/τ_c + ζ          w' = γ (n − b) c          within the bounds
//! ```
//!
//! with the traces x and y of [`stdp`](super::stdp) and the concentration n of the modulator, which a
//! [`pool`](crate::modulation) holds together with its baseline b.
//!
//! | symbol | field | default | unit |
//! |---|---|---|---|
//! | A₊, A₋ | `a_plus`, `a_minus` | 1, 1.5 | receptor's |
//! | τ₊, τ₋ | `tau_plus`, `tau_minus` | 20 | ms |
//! | τ_c | `tau_c` | 1000 | ms |
//! | γ | `gain` | 1 | 1/ms per unit of n |
//! | bounds | `w_min`, `w_max` | 0, 1 | receptor's |
//! | | `nearest` | false: all spikes form pairs | |
//! | | `modulator` | `"dopamine"` | name |
//! | | `order`, `coincidence` | as NEST | |
//!
//! *Integration.* As [`eligibility`](super::eligibility) says: exact between spikes, whatever the step.
//!
//! *Not modelled.* Dependence on the weight, other than the bounds. NEST applies the bounds at every spike of dopamine, too.
//!
//! *Source.* Izhikevich (2007), Cereb Cortex 17:2443, eqs 1–3, doi:10.1093/cercor/bhl152; NEST's `stdp_dopamine_synapse` (Potjans, Morrison &
//! Diesmann 2010, doi:10.3389/fncom.2010.00141).
//!
//! *Scene.* `dopamine`; `neuropil experiment izhikevich2007_reward`, `pavlov`.

use super::eligibility::{Eligible, EligibleRule, Kernel};
use super::{
    AMPLITUDE, BoxedRule, Coincidence, Plasticity, RegisterRule, SendOrder, WEIGHT, check_bounds,
};
use crate::sim::quantity::{Range, Unit};
use bevy::prelude::*;

/// Registers the rule.
pub fn plugin(app: &mut App) {
    app.register_rule::<DopamineStdp>();
}

/// Dopamine-modulated STDP. See the [module](self).
#[derive(Component, Reflect, Clone, Debug, PartialEq)]
#[reflect(Default)]
pub struct DopamineStdp {
    /// What a pair in the order pre, post adds to the eligibility.
    #[reflect(@AMPLITUDE)]
    pub a_plus: f64,
    /// What a pair in the other order takes from it, a positive number.
    #[reflect(@AMPLITUDE)]
    pub a_minus: f64,
    /// Time constant of the presynaptic trace.
    #[reflect(@Unit("ms"), @Range::positive())]
    pub tau_plus: f64,
    /// Time constant of the postsynaptic trace.
    #[reflect(@Unit("ms"), @Range::positive())]
    pub tau_minus: f64,
    /// Time constant of the eligibility.
    #[reflect(@Unit("ms"), @Range::positive())]
    pub tau_c: f64,
    /// The change of weight per ms for an eligibility of 1 and a concentration of 1.
    #[reflect(@AMPLITUDE)]
    pub gain: f64,
    /// The least weight.
    #[reflect(@WEIGHT)]
    pub w_min: f64,
    /// The largest weight.
    #[reflect(@WEIGHT)]
    pub w_max: f64,
    /// Whether only the nearest spikes form pairs: a spike sets its trace to 1 rather than raising it by 1.
    pub nearest: bool,
    /// The name of the modulator.
    pub modulator: String,
    /// Whether a presynaptic spike is sent with the weight before or after its change.
    pub order: SendOrder,
    /// What spikes of one step mean to each other.
    pub coincidence: Coincidence,
}

impl Default for DopamineStdp {
    fn default() -> Self {
        Self {
            a_plus: 1.0,
            a_minus: 1.5,
            tau_plus: 20.0,
            tau_minus: 20.0,
            tau_c: 1000.0,
            gain: 1.0,
            w_min: 0.0,
            w_max: 1.0,
            nearest: false,
            modulator: "dopamine".into(),
            order: SendOrder::default(),
            coincidence: Coincidence::default(),
        }
    }
}

impl Plasticity for DopamineStdp {
    fn derive(&self, dt: f64) -> BoxedRule {
        let parts = Eligible {
            amplitude: [self.a_plus, self.a_minus],
            tau: [self.tau_plus, self.tau_minus],
            nearest: self.nearest,
            kernel: Kernel::Exponential(self.tau_c),
            gain: self.gain,
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
