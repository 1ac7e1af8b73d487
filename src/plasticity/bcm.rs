//! The rule of Bienenstock, Cooper and Munro: a target that fires above a threshold strengthens the synapses that are active, one that
//! fires below it weakens them, and the threshold follows the target's own activity.
//!
//! ```text
//! x' = −x/τ,  x → x + 1/τ at a presynaptic spike      y' = −y/τ,  y → y + 1/τ at a postsynaptic spike
//! θ' = −θ/τ_θ,  θ → θ + y/(y₀ τ_θ) at a postsynaptic spike      with y just before the spike
//! at a postsynaptic spike:  w → w + η x (y − θ)                 with y and θ just before the spike
//! ```
//!
//! and *w* stays within its bounds. *x*, *y* and θ are in Hz, so that for rates of source and target *w'* = η x y (y − θ) on average, with
//! θ = ⟨y²⟩/y₀. Potentiation and depression cross where *y* is θ; a target whose input is always the same comes to fire at y₀.
//!
//! | symbol | field | default | unit |
//! |---|---|---|---|
//! | η | `eta` | 10⁻⁵ | receptor's / Hz² |
//! | τ | `tau` | 50 | ms |
//! | τ_θ | `tau_theta` | 5000 | ms |
//! | y₀ | `rate_hz` | 10 | Hz |
//! | bounds | `w_min`, `w_max` | 0, 1 | receptor's |
//! | | `order`, `coincidence` | as NEST | |
//!
//! θ starts at 0. A spike takes the *y* of the spikes before it as its sample of the rate: for Poisson spikes the mean of such samples is
//! the product of the rates, without the shot noise that the square of a trace has.
//!
//! *Integration.* Event by event, exactly.
//!
//! *Not modelled.* Changes at presynaptic spikes; a decay of weights.
//!
//! *Source.* Bienenstock, Cooper & Munro (1982), J Neurosci 2:32, doi:10.1523/JNEUROSCI.02-01-00032.1982; the threshold as the mean square:
//! Intrator & Cooper (1992), Neural Networks 5:3, doi:10.1016/S0893-6080(05)80003-6; its equivalence to triplets of spikes: Pfister & Gerstner
//! (2006), doi:10.1523/JNEUROSCI.1425-06.2006.
//!
//! *Scene.* `homeostasis`.

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
    app.register_rule::<Bcm>();
}

/// The BCM rule. See the [module](self).
#[derive(Component, Reflect, Clone, Debug, PartialEq)]
#[reflect(Default)]
pub struct Bcm {
    /// Learning rate.
    #[reflect(@Range::between(0.0, 1e12))]
    pub eta: f64,
    /// Time constant of the rates of source and target.
    #[reflect(@Unit("ms"), @Range::positive())]
    pub tau: f64,
    /// Time constant of the threshold.
    #[reflect(@Unit("ms"), @Range::positive())]
    pub tau_theta: f64,
    /// The rate at which a target that fires steadily stays.
    #[reflect(@Unit("Hz"), @Range::positive())]
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

impl Default for Bcm {
    fn default() -> Self {
        Self {
            eta: 1e-5,
            tau: 50.0,
            tau_theta: 5_000.0,
            rate_hz: 10.0,
            w_min: 0.0,
            w_max: 1.0,
            order: SendOrder::default(),
            coincidence: Coincidence::default(),
        }
    }
}

impl Plasticity for Bcm {
    fn derive(&self, dt: f64) -> BoxedRule {
        BoxedRule::new(BcmRule {
            fast: Decay::new(self.tau, dt),
            slow: Decay::new(self.tau_theta, dt),
            eta: self.eta as f32,
            spike: (1e3 / self.tau) as f32,
            sample: (1e3 / (self.rate_hz * self.tau_theta)) as f32,
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

/// [`Bcm`] with its constants worked out. Postsynaptic traces are (y, θ).
struct BcmRule {
    fast: Decay,
    slow: Decay,
    eta: f32,
    /// What a spike adds to a rate, in Hz.
    spike: f32,
    /// What a spike adds to the threshold, per Hz.
    sample: f32,
    bounds: [f32; 2],
    order: SendOrder,
    coincidence: Coincidence,
}

impl BcmRule {
    #[inline(always)]
    fn left(&self, [y, theta]: [f32; 2], ago: u32) -> [f32; 2] {
        [y * self.fast.after(ago), theta * self.slow.after(ago)]
    }
}

impl LearningRule for BcmRule {
    type Pre = [f32; 1];
    type Post = [f32; 2];

    #[inline(always)]
    fn pre_spiked(&self, last: [f32; 1], ago: u32) -> ([f32; 1], [f32; 1]) {
        let left = last[0] * self.fast.after(ago);
        ([left], [left + self.spike])
    }

    #[inline(always)]
    fn post_spiked(&self, last: [f32; 2], ago: u32) -> [f32; 2] {
        let [y, theta] = self.left(last, ago);
        [y + self.spike, theta + self.sample * y]
    }

    #[inline(always)]
    fn at_pre(
        &self,
        state: SynapseState,
        _pre: Seen<[f32; 1]>,
        _post: Seen<[f32; 2]>,
    ) -> SynapseState {
        state
    }

    #[inline(always)]
    fn at_post(
        &self,
        state: SynapseState,
        pre: Seen<[f32; 1]>,
        post: Seen<[f32; 2]>,
    ) -> SynapseState {
        let x = pre.traces[0] * self.fast.after(pre.ago);
        let [y, theta] = self.left(post.traces, post.ago);
        let weight = state.weight + self.eta * x * (y - theta);
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
