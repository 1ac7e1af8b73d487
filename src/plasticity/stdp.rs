//! Pair-based spike-timing-dependent plasticity: a synapse grows when its target fires after its source, and shrinks when it fires
//! before.
//!
//! ```text
//! x' = −x/τ₊,  x → x + 1 (or 1) at a presynaptic spike        y' = −y/τ₋,  y → y + 1 (or 1) at a postsynaptic spike
//! at a postsynaptic spike:  w → w + A₊ f₊(w) x                at a presynaptic spike:  w → w − A₋ f₋(w) y
//! ```
//!
//! and *w* stays within its bounds. Both spikes count when they reach the synapse; see
//! [`DelayParts`](crate::network::plastic::DelayParts).
//!
//! | symbol | field | default | unit |
//! |---|---|---|---|
//! | A₊ | `a_plus` | 0.01 | that of f₊ |
//! | A₋ | `a_minus` | 0.0105 | that of f₋ |
//! | τ₊ | `tau_plus` | 20 | ms |
//! | τ₋ | `tau_minus` | 20 | ms |
//! | bounds | `w_min`, `w_max` | 0, 1 | receptor's |
//! | f₊, f₋ | `dependence` | `Additive` | |
//! | which pairs | `pairing` | `AllToAll` | |
//! | | `order`, `coincidence` | as NEST | |
//!
//! With W = w_max − w_min and the relative weight r = (w − w_min)/W:
//!
//! | `dependence` | f₊ | f₋ |
//! |---|---|---|
//! | `Additive` | W | W |
//! | `Multiplicative` | W (1 − r) | W r |
//! | `Guetig(mu_plus, mu_minus)` | W (1 − r)^μ₊ | W r^μ₋ |
//! | `PowerLaw(mu, w_ref)` | w_ref^(1 − μ) w^μ | w |
//!
//! | `pairing` | a postsynaptic spike pairs with | a presynaptic spike pairs with |
//! |---|---|---|
//! | `AllToAll` | all presynaptic spikes before it | all postsynaptic spikes before it |
//! | `Nearest` | the last one | the last one |
//! | `PreCentred` | all since the last postsynaptic spike | the last one |
//! | `Reduced` | the last one, if none of both came between | the last one, likewise |
//!
//! Of spikes that reach the synapse in one step, the postsynaptic one counts as the earlier to all others if they do not see each
//! other ([`Coincidence::Ignored`]), else as the later.
//!
//! *Integration.* Event by event, exactly; traces are advanced from spike to spike.
//!
//! *Agreement.* NEST's `stdp_synapse` has A₊ = λ, A₋ = αλ, μ as given; `stdp_nn_symm_synapse` is `Nearest`, `stdp_nn_pre_centered_synapse` is
//! `PreCentred`, `stdp_nn_restr_synapse` is `Reduced`; `stdp_pl_synapse_hom` is `PowerLaw` with A₊ = λ, A₋ = αλ. NEST's delay is all dendritic.
//! Its restricted synapse lets a postsynaptic spike open the way for the depression by a presynaptic one of the same time, which then pairs
//! with an earlier postsynaptic spike although a presynaptic one came between; `Reduced` does not.
//!
//! *Not modelled.* Differences between the synapses of a projection; weight changes without spikes, for which there is
//! [`upkeep`](super::upkeep).
//!
//! *Source.* Song, Miller & Abbott (2000), doi:10.1038/78829; van Rossum, Bi & Turrigiano (2000), doi:10.1523/JNEUROSCI.20-23-08812.2000;
//! Gütig et al. (2003), doi:10.1523/JNEUROSCI.23-09-03697.2003; Morrison, Aertsen & Diesmann (2007), doi:10.1162/neco.2007.19.6.1437;
//! pairings: Morrison, Diesmann & Gerstner (2008), doi:10.1007/s00422-008-0233-1.
//!
//! *Scene.* `stdp`, `masquelier2008`.

use super::decay::Decay;
use super::{
    AMPLITUDE, BoxedRule, Coincidence, LearningRule, Plasticity, RegisterRule, Seen, SendOrder,
    SynapseState, UNBOUND, WEIGHT, check_bounds,
};
use crate::sim::math::{exp, log, within};
use crate::sim::quantity::{Range, Unit};
use bevy::prelude::*;

/// Registers the rule.
pub fn plugin(app: &mut App) {
    app.register_rule::<Stdp>();
}

/// Pair-based STDP. See the [module](self).
#[derive(Component, Reflect, Clone, Debug, PartialEq)]
#[reflect(Default)]
pub struct Stdp {
    /// Size of potentiation.
    #[reflect(@AMPLITUDE)]
    pub a_plus: f64,
    /// Size of depression, a positive number.
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
    /// How changes depend on the weight.
    pub dependence: Dependence,
    /// Which spikes form pairs.
    pub pairing: Pairing,
    /// Whether a presynaptic spike is sent with the weight before or after its change.
    pub order: SendOrder,
    /// What spikes of one step mean to each other.
    pub coincidence: Coincidence,
}

impl Default for Stdp {
    fn default() -> Self {
        Self {
            a_plus: 0.01,
            a_minus: 0.0105,
            tau_plus: 20.0,
            tau_minus: 20.0,
            w_min: 0.0,
            w_max: 1.0,
            dependence: Dependence::Additive,
            pairing: Pairing::AllToAll,
            order: SendOrder::default(),
            coincidence: Coincidence::default(),
        }
    }
}

/// How weight changes depend on the weight. See the [module](self).
#[derive(Reflect, Clone, Copy, Debug, Default, PartialEq)]
#[reflect(Default)]
pub enum Dependence {
    /// Not at all.
    #[default]
    Additive,
    /// Potentiation with the distance from the largest weight, depression with that from the least.
    Multiplicative,
    /// Between the two, by exponents: 0 is additive, 1 multiplicative.
    Guetig {
        /// Exponent of potentiation.
        #[reflect(@Range::between(0.0, 10.0))]
        mu_plus: f64,
        /// Exponent of depression.
        #[reflect(@Range::between(0.0, 10.0))]
        mu_minus: f64,
    },
    /// Potentiation with a power of the weight, depression with the weight itself.
    PowerLaw {
        /// The power.
        #[reflect(@Range::between(0.0, 10.0))]
        mu: f64,
        /// The weight at which the power is 1.
        #[reflect(@Range::positive())]
        w_ref: f64,
    },
}

/// Which spikes form pairs. See the [module](self).
#[derive(Reflect, Clone, Copy, Debug, Default, PartialEq, Eq)]
#[reflect(Default)]
pub enum Pairing {
    /// Each spike with all earlier ones of the other side.
    #[default]
    AllToAll,
    /// Each spike with the last one of the other side.
    Nearest,
    /// Each presynaptic spike with the last postsynaptic one before it and the first one after it.
    PreCentred,
    /// Neighbours only: nearest pairs with no other spike of either side between, so that potentiation and depression alternate.
    Reduced,
}

impl Plasticity for Stdp {
    fn derive(&self, dt: f64) -> BoxedRule {
        let additive = self.dependence == Dependence::Additive;
        match (self.pairing, additive) {
            (Pairing::PreCentred, _) => BoxedRule::new(PreCentredRule(self.constants(dt))),
            (Pairing::Reduced, _) => BoxedRule::new(ReducedRule(self.constants(dt))),
            (Pairing::AllToAll, true) => BoxedRule::new(self.constants::<true, true>(dt)),
            (Pairing::AllToAll, false) => BoxedRule::new(self.constants::<false, true>(dt)),
            (_, true) => BoxedRule::new(self.constants::<true, false>(dt)),
            (_, false) => BoxedRule::new(self.constants::<false, false>(dt)),
        }
    }

    fn bounds(&self) -> (f64, f64) {
        (self.w_min, self.w_max)
    }

    fn check(&self, _dt: f64) -> Result<(), String> {
        check_dependence(self.dependence, (self.w_min, self.w_max))
    }
}

impl Stdp {
    fn constants<const ADDITIVE: bool, const ALL: bool>(&self, dt: f64) -> PairRule<ADDITIVE, ALL> {
        let bounds = (self.w_min, self.w_max);
        PairRule {
            plus: Decay::new(self.tau_plus, dt),
            minus: Decay::new(self.tau_minus, dt),
            change: WeightChange::new(self.a_plus, self.a_minus, self.dependence, bounds),
            order: self.order,
            coincidence: self.coincidence,
        }
    }
}

/// Checks bounds of weights, and whether changes can depend on the weight in this way between them.
///
/// # Errors
/// Names what contradicts each other.
pub(super) fn check_dependence(
    dependence: Dependence,
    (w_min, w_max): (f64, f64),
) -> Result<(), String> {
    check_bounds(w_min, w_max)?;
    if matches!(dependence, Dependence::PowerLaw { .. }) && w_min < 0.0 {
        return Err(format!(
            "w_min is {w_min}; with dependence PowerLaw weights are 0 or more"
        ));
    }
    Ok(())
}

/// How a weight is potentiated and depressed, worked out. `ADDITIVE` says that the weight does not matter.
pub(super) struct WeightChange<const ADDITIVE: bool> {
    a_plus: f32,
    a_minus: f32,
    mu_plus: f32,
    mu_minus: f32,
    w_min: f32,
    w_max: f32,
    per_width: f32,
    power_law: bool,
    /// What changed weights are kept within.
    kept: [f32; 2],
}

/// [`Stdp`] with its constants worked out. `ALL` says that all spikes form pairs.
struct PairRule<const ADDITIVE: bool, const ALL: bool> {
    plus: Decay,
    minus: Decay,
    change: WeightChange<ADDITIVE>,
    order: SendOrder,
    coincidence: Coincidence,
}

/// x to the power y, for x of 0 or more; 1 for a y of 0.
#[inline(always)]
fn power(x: f32, y: f32) -> f32 {
    if y == 0.0 {
        1.0
    } else if y == 1.0 {
        x
    } else if x > f32::MIN_POSITIVE {
        exp(y * log(x))
    } else {
        0.0
    }
}

impl<const ADDITIVE: bool> WeightChange<ADDITIVE> {
    pub(super) fn new(
        a_plus: f64,
        a_minus: f64,
        dependence: Dependence,
        (w_min, w_max): (f64, f64),
    ) -> Self {
        let width = w_max - w_min;
        let (mu_plus, mu_minus) = match dependence {
            Dependence::Additive => (0.0, 0.0),
            Dependence::Multiplicative => (1.0, 1.0),
            Dependence::Guetig { mu_plus, mu_minus } => (mu_plus, mu_minus),
            Dependence::PowerLaw { mu, .. } => (mu, 1.0),
        };
        let (scale_plus, scale_minus, w_ref) = match dependence {
            Dependence::PowerLaw { mu, w_ref } => (libm::pow(w_ref, 1.0 - mu), 1.0, Some(w_ref)),
            _ => (width, width, None),
        };
        Self {
            a_plus: (a_plus * scale_plus) as f32,
            a_minus: (a_minus * scale_minus) as f32,
            mu_plus: mu_plus as f32,
            mu_minus: mu_minus as f32,
            w_min: w_min as f32,
            w_max: w_max as f32,
            per_width: (1.0 / width) as f32,
            power_law: w_ref.is_some(),
            kept: [w_min as f32, w_max as f32],
        }
    }

    /// Of amounts that are weights themselves: the weight makes them less, by a factor that is 1 at the bound from which they lead away, or
    /// at `w_ref`.
    pub(super) fn of_weights(dependence: Dependence, bounds: (f64, f64)) -> Self {
        let [plus, minus] = match dependence {
            Dependence::PowerLaw { mu, w_ref } => [libm::pow(w_ref, -mu), 1.0 / w_ref],
            _ => [1.0; 2],
        };
        Self {
            a_plus: plus as f32,
            a_minus: minus as f32,
            ..Self::new(1.0, 1.0, dependence, bounds)
        }
    }

    #[inline(always)]
    pub(super) fn potentiated(&self, weight: f32, amount: f32) -> f32 {
        let dependence = match (ADDITIVE, self.power_law) {
            (true, _) => 1.0,
            (false, false) => power((self.w_max - weight) * self.per_width, self.mu_plus),
            (false, true) => power(weight, self.mu_plus),
        };
        self.bounded(weight + self.a_plus * amount * dependence)
    }

    #[inline(always)]
    pub(super) fn depressed(&self, weight: f32, amount: f32) -> f32 {
        let dependence = match (ADDITIVE, self.power_law) {
            (true, _) => 1.0,
            (false, false) => power((weight - self.w_min) * self.per_width, self.mu_minus),
            (false, true) => weight,
        };
        self.bounded(weight - self.a_minus * amount * dependence)
    }

    /// Changed weights are no longer kept within the bounds.
    pub(super) fn unbind(&mut self) {
        self.kept = UNBOUND;
    }

    #[inline(always)]
    fn bounded(&self, weight: f32) -> f32 {
        within(weight, self.kept)
    }
}

impl<const ADDITIVE: bool, const ALL: bool> PairRule<ADDITIVE, ALL> {
    /// Whether of two spikes of one step the postsynaptic one is the later.
    #[inline(always)]
    fn post_comes_last(&self) -> bool {
        self.coincidence != Coincidence::Ignored
    }

    /// A trace just after a spike, from what was left of it.
    #[inline(always)]
    fn raised(&self, left: f32) -> [f32; 1] {
        [if ALL { left + 1.0 } else { 1.0 }]
    }
}

impl<const ADDITIVE: bool, const ALL: bool> LearningRule for PairRule<ADDITIVE, ALL> {
    type Pre = [f32; 1];
    type Post = [f32; 1];

    #[inline(always)]
    fn pre_spiked(&self, last: [f32; 1], ago: u32) -> ([f32; 1], [f32; 1]) {
        let left = last[0] * self.plus.after(ago);
        ([left], self.raised(left))
    }

    #[inline(always)]
    fn post_spiked(&self, last: [f32; 1], ago: u32) -> [f32; 1] {
        self.raised(last[0] * self.minus.after(ago))
    }

    #[inline(always)]
    fn at_pre(
        &self,
        mut state: SynapseState,
        _pre: Seen<[f32; 1]>,
        post: Seen<[f32; 1]>,
    ) -> SynapseState {
        let amount = post.traces[0] * self.minus.after(post.ago);
        state.weight = self.change.depressed(state.weight, amount);
        state
    }

    #[inline(always)]
    fn at_post(
        &self,
        mut state: SynapseState,
        pre: Seen<[f32; 1]>,
        _post: Seen<[f32; 1]>,
    ) -> SynapseState {
        let amount = pre.traces[0] * self.plus.after(pre.ago);
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

/// [`Pairing::PreCentred`]: the presynaptic spikes since the last postsynaptic one differ from synapse to synapse, so the tag holds their
/// trace as it was just after the last presynaptic spike.
struct PreCentredRule(PairRule<false, false>);

impl LearningRule for PreCentredRule {
    type Pre = [f32; 1];
    type Post = [f32; 1];
    const TAGGED: bool = true;

    #[inline(always)]
    fn pre_spiked(&self, last: [f32; 1], ago: u32) -> ([f32; 1], [f32; 1]) {
        self.0.pre_spiked(last, ago)
    }

    #[inline(always)]
    fn post_spiked(&self, last: [f32; 1], ago: u32) -> [f32; 1] {
        self.0.post_spiked(last, ago)
    }

    #[inline(always)]
    fn at_pre(
        &self,
        state: SynapseState,
        pre: Seen<[f32; 1]>,
        post: Seen<[f32; 1]>,
    ) -> SynapseState {
        SynapseState {
            tag: state.tag * self.0.plus.after(pre.ago) + 1.0,
            ..self.0.at_pre(state, pre, post)
        }
    }

    #[inline(always)]
    fn at_post(
        &self,
        state: SynapseState,
        pre: Seen<[f32; 1]>,
        _post: Seen<[f32; 1]>,
    ) -> SynapseState {
        // A presynaptic spike of the same time that has been taken already, though this one does not see it, pairs with the next.
        let unseen = if pre.ago == 0 && !self.0.post_comes_last() {
            1.0
        } else {
            0.0
        };
        let amount = (state.tag - unseen) * self.0.plus.after(pre.ago);
        SynapseState {
            weight: self.0.change.potentiated(state.weight, amount),
            tag: unseen,
        }
    }

    fn unbind(&mut self) {
        self.0.change.unbind();
    }

    fn order(&self) -> SendOrder {
        self.0.order
    }

    fn coincidence(&self) -> Coincidence {
        self.0.coincidence
    }
}

/// [`Pairing::Reduced`]. Presynaptic traces are what is left of the last spike, and how many steps before the time of the trace that spike
/// was: a postsynaptic spike that does not see a presynaptic one of the same time has to know when the one before it was.
struct ReducedRule(PairRule<false, false>);

impl LearningRule for ReducedRule {
    type Pre = [f32; 2];
    type Post = [f32; 1];

    #[inline(always)]
    fn pre_spiked(&self, last: [f32; 2], ago: u32) -> ([f32; 2], [f32; 2]) {
        let ([left], [raised]) = self.0.pre_spiked([last[0]], ago);
        ([left, ago as f32], [raised, 0.0])
    }

    #[inline(always)]
    fn post_spiked(&self, last: [f32; 1], ago: u32) -> [f32; 1] {
        self.0.post_spiked(last, ago)
    }

    #[inline(always)]
    fn at_pre(
        &self,
        mut state: SynapseState,
        pre: Seen<[f32; 2]>,
        post: Seen<[f32; 1]>,
    ) -> SynapseState {
        let free = post.ago < pre.ago || (post.ago == pre.ago && self.0.post_comes_last());
        let amount = post.traces[0] * self.0.minus.after(post.ago);
        let amount = if free { amount } else { 0.0 };
        state.weight = self.0.change.depressed(state.weight, amount);
        state
    }

    #[inline(always)]
    fn at_post(
        &self,
        mut state: SynapseState,
        pre: Seen<[f32; 2]>,
        post: Seen<[f32; 1]>,
    ) -> SynapseState {
        let (pre_ago, post_ago) = (pre.ago as f32 + pre.traces[1], post.ago as f32);
        let free = pre_ago < post_ago || (pre_ago == post_ago && !self.0.post_comes_last());
        let amount = pre.traces[0] * self.0.plus.after(pre.ago);
        let amount = if free { amount } else { 0.0 };
        state.weight = self.0.change.potentiated(state.weight, amount);
        state
    }

    fn unbind(&mut self) {
        self.0.change.unbind();
    }

    fn order(&self) -> SendOrder {
        self.0.order
    }

    fn coincidence(&self) -> Coincidence {
        self.0.coincidence
    }
}
