//! Learning rules, one file each.
//!
//! # The contract of a rule
//!
//! A rule is a reflected component; each field carries its unit and range as attributes. Putting it on a projection makes the projection
//! plastic. [`Plasticity::derive`] turns it into a [`LearningRule`]: what a spike does to the traces of its neuron, and what a pre- or
//! postsynaptic spike that reaches a synapse does to its weight. Rules register in the list below; scene loading, checks, delivery,
//! snapshots, live edits and probes follow from that.
//!
//! Events act where and when spikes reach the synapse; the module `replay` says in which order, and [`DelayParts`](crate::network::plastic::DelayParts)
//! after which times. Synapses are visited only when a presynaptic spike arrives, so that the cost of a step follows spikes, not synapses; what a
//! synapse missed in between is replayed in order then. What acts on all weights whether spikes arrive or not is [`upkeep`].

pub mod bcm;
pub mod budget;
pub mod clopath;
pub mod control;
pub mod convergent;
pub mod decay;
pub mod dopamine;
pub mod eligibility;
pub mod exact;
mod executor;
pub mod gating;
pub mod history;
pub mod homeostatic;
pub mod inhibitory;
pub mod intrinsic;
pub mod mstdp;
pub mod oja;
mod replay;
pub mod response;
pub mod settable;
pub mod slowing;
pub mod stdp;
mod steering;
mod sum;
mod tagger;
pub mod tend;
pub mod triplet;
pub mod upkeep;

pub use executor::{
    Fading, Former, Learning, ModulatedBy, RuleFunctions, Unchanging, arrive, modulate, tend,
    transmit,
};

use crate::modulation::Signal;
use crate::sim::quantity::Range;
use bevy::ecs::schedule::ScheduleConfigs;
use bevy::ecs::system::ScheduleSystem;
use bevy::ecs::world::EntityWorldMut;
use bevy::prelude::*;
use bevy::reflect::{GetTypeRegistration, TypePath};
use gating::Factors;

/// Registers every rule of this folder.
pub fn plugin(app: &mut App) {
    app.register_type::<Coincidence>();
    bcm::plugin(app);
    budget::plugin(app);
    clopath::plugin(app);
    convergent::plugin(app);
    dopamine::plugin(app);
    homeostatic::plugin(app);
    inhibitory::plugin(app);
    intrinsic::plugin(app);
    mstdp::plugin(app);
    oja::plugin(app);
    response::plugin(app);
    slowing::plugin(app);
    settable::plugin(app);
    stdp::plugin(app);
    triplet::plugin(app);
}

/// The traces of a neuron: a few numbers that spikes raise and time lets decay.
pub trait Traces: Copy + Default + Send + Sync + 'static {
    /// The numbers.
    fn values(&self) -> &[f32];
    /// The numbers, to be written.
    fn values_mut(&mut self) -> &mut [f32];
}

impl<const N: usize> Traces for [f32; N]
where
    [f32; N]: Default,
{
    fn values(&self) -> &[f32] {
        self
    }
    fn values_mut(&mut self) -> &mut [f32] {
        self
    }
}

/// What changes in a synapse.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SynapseState {
    /// The weight, in the receptor's unit; the magnitude where all weights are inhibitory.
    pub weight: f32,
    /// What modulated rules mark synapses with: the eligibility. Always 0 for rules whose synapses carry no tag.
    pub tag: f32,
}

/// The last event on the other side of a synapse, or the previous one on the same side.
#[derive(Clone, Copy, Debug)]
pub struct Seen<T> {
    /// The traces just after it.
    pub traces: T,
    /// How many steps ago it was.
    pub ago: u32,
}

/// What spikes do to the synapses of a projection. See the [module](self).
pub trait LearningRule: Send + Sync + 'static {
    /// The traces of source neurons.
    type Pre: Traces;
    /// The traces of target neurons.
    type Post: Traces;
    /// Whether synapses carry a tag.
    const TAGGED: bool = false;
    /// Whether anything changes at all.
    const LEARNS: bool = true;
    /// Whether a modulator acts on it.
    const MODULATED: bool = false;
    /// Whether it follows the membrane of the target neurons: postsynaptic events are then what [`follow`](Self::follow) reports instead of
    /// spikes, and `post` is what the event itself, or [`membrane`](Self::membrane), says.
    const FOLLOWS: bool = false;
    /// How many postsynaptic events of a neuron are kept at least.
    const ROOM: u32 = 64;

    /// What a rule that follows membranes needs to know first: how many target neurons there are, and after how many steps at most what
    /// happens in them reaches a synapse.
    fn prepare(&mut self, targets: usize, longest_back: u32) {
        let _ = (targets, longest_back);
    }

    /// Bytes that it keeps itself of each target neuron once it is [prepared](Self::prepare).
    fn bytes_per_target(&self, longest_back: u32) -> f64 {
        let _ = longest_back;
        0.0
    }

    /// A step ends with these membrane potentials. `event` is told, in the order of neurons, in which of them something happens.
    fn follow(&mut self, potentials: &[f32], event: &mut dyn FnMut(u32, Self::Post)) {
        let _ = (potentials, event);
    }

    /// What was [followed](Self::follow) is forgotten, as if the network began.
    fn forget(&mut self) {}

    /// What a presynaptic spike sees of a target neuron, so many steps before the last that was [followed](Self::follow).
    #[inline(always)]
    fn membrane(&self, target: u32, back: u32) -> Self::Post {
        let _ = (target, back);
        Self::Post::default()
    }

    /// The traces of a source neuron just before and just after a spike, from those after the previous one `ago` steps earlier.
    fn pre_spiked(&self, last: Self::Pre, ago: u32) -> (Self::Pre, Self::Pre);

    /// The traces of a target neuron just after a spike, from those after the previous one `ago` steps earlier.
    fn post_spiked(&self, last: Self::Post, ago: u32) -> Self::Post;

    /// A presynaptic spike reaches the synapse. `pre` is the previous presynaptic spike, `post` the last postsynaptic one.
    fn at_pre(
        &self,
        state: SynapseState,
        pre: Seen<Self::Pre>,
        post: Seen<Self::Post>,
    ) -> SynapseState;

    /// A postsynaptic spike reaches the synapse. `pre` is the last presynaptic spike, `post` the previous postsynaptic one.
    fn at_post(
        &self,
        state: SynapseState,
        pre: Seen<Self::Pre>,
        post: Seen<Self::Post>,
    ) -> SynapseState;

    /// Time passes without spikes, for `steps` steps up to the stamp `now` (low 32 bits), at a synapse onto a target neuron of this
    /// [class](Self::distinguish).
    #[inline(always)]
    fn pass(&self, state: SynapseState, now: u32, steps: u32, class: usize) -> SynapseState {
        let _ = (now, steps, class);
        state
    }

    /// What events change is no longer kept within the bounds by the rule: what [gates](gating) its learning does so.
    fn unbind(&mut self);

    /// Modulators act differently on so many classes of target neurons, rather than on all as one.
    fn distinguish(&mut self, classes: usize) {
        let _ = classes;
    }

    /// The rule was derived for ticks, so many of them to a step; [`modulate`](Self::modulate) goes on to speak of steps.
    fn count_ticks(&mut self, per_step: u32) {
        let _ = per_step;
    }

    /// What the modulator does in the step that begins (see [`Signal`]), and by what [pools](gating) multiply that,
    /// for each [class](Self::distinguish) of target neurons.
    fn modulate(&mut self, signal: &Signal, factors: &[Factors]) {
        let _ = (signal, factors);
    }

    /// Whether the rule must [begin an epoch](Self::begin_epoch) before the next [`modulate`](Self::modulate).
    fn epoch_is_full(&self) -> bool {
        false
    }

    /// All synapses have been brought up to date at the stamp `now`; what came before need not be kept.
    fn begin_epoch(&mut self, now: u64) {
        let _ = now;
    }

    /// Appends the numbers that change while the rule is at work, for a snapshot.
    fn save(&self, out: &mut Vec<u32>) {
        let _ = out;
    }

    /// Takes what [`save`](Self::save) gave; `None` if it does not fit.
    fn load(&mut self, from: &mut &[u32]) -> Option<()> {
        let _ = from;
        Some(())
    }

    /// Takes what the same rule [saved](Self::save) in the network before an edit, where there were so many target neurons, and what happens
    /// in them reached a synapse after so many steps at most; `None` if it does not fit.
    fn take_over(&mut self, from: &mut &[u32], targets: usize, longest_back: u32) -> Option<()> {
        let _ = (targets, longest_back);
        self.load(from)
    }

    /// Which of a weight change and the transmission of a presynaptic spike comes first.
    fn order(&self) -> SendOrder {
        SendOrder::ChangeThenSend
    }

    /// What spikes of one step mean to each other.
    fn coincidence(&self) -> Coincidence {
        Coincidence::Ignored
    }
}

/// Which comes first when a presynaptic spike arrives.
#[derive(Reflect, Clone, Copy, Debug, Default, PartialEq, Eq)]
#[reflect(Default)]
pub enum SendOrder {
    /// The weight changes, then the spike is sent with the new weight, as in NEST.
    #[default]
    ChangeThenSend,
    /// The spike is sent with the old weight, then the weight changes, as is usual in Brian2.
    SendThenChange,
}

/// What a pre- and a postsynaptic spike that reach a synapse in the same step mean to each other.
///
/// The presynaptic one acts first, and so is sent before the postsynaptic one has changed the weight, except with `Ignored` and a delay that
/// has a dendritic part.
#[derive(Reflect, Clone, Copy, Debug, Default, PartialEq, Eq)]
#[reflect(Default)]
pub enum Coincidence {
    /// Nothing, as in NEST.
    #[default]
    Ignored,
    /// The presynaptic spike came first, as in Brian2.
    PreFirst,
    /// Each sees the other, as in Florian (2007). Needs a delay with a dendritic part.
    Both,
}

/// A rule as scenes and code give it: a component of a projection.
pub trait Plasticity:
    Component + Reflect + FromReflect + TypePath + GetTypeRegistration + Clone
{
    /// The rule for steps of `dt` ms.
    fn derive(&self, dt: f64) -> BoxedRule;

    /// The least and the largest weight, in the receptor's unit; magnitudes where all weights are inhibitory.
    fn bounds(&self) -> (f64, f64);

    /// Whether it follows the membrane potential of the target neurons.
    fn follows_membrane(&self) -> bool {
        false
    }

    /// The name of the modulator that acts on it, if one does.
    fn modulator(&self) -> Option<&str> {
        None
    }

    /// What parameters forbid together; each alone is checked against its range.
    ///
    /// # Errors
    /// The message names the fields, their values and what is allowed.
    fn check(&self, dt: f64) -> Result<(), String> {
        let _ = dt;
        Ok(())
    }
}

/// A rule of any type, not yet at work.
pub struct BoxedRule {
    /// Whether synapses carry a tag.
    pub tagged: bool,
    /// Whether a modulator acts on it.
    pub modulated: bool,
    /// What spikes of one step mean to each other.
    pub coincidence: Coincidence,
    /// Bytes per source neuron that traces of more than one number take in the history.
    pub wide_traces: f64,
    /// The systems that run it; equal types have equal names.
    pub systems: RuleSystems,
    part: Box<dyn sum::Part>,
}

impl BoxedRule {
    /// Wraps a rule.
    pub fn new<R: LearningRule>(rule: R) -> Self {
        let pre = R::Pre::default();
        Self {
            tagged: R::TAGGED,
            modulated: R::MODULATED,
            coincidence: rule.coincidence(),
            // Before and after the newest spike, and of one on its way now and then.
            wide_traces: 6.0 * 4.0 * pre.values().len().saturating_sub(1) as f64,
            systems: RuleSystems::of::<R>(),
            part: Box::new(rule),
        }
    }

    /// Bytes that it keeps of each target neuron, whose spikes reach synapses after at most so many steps. `whole` says whether rows of synapses may
    /// reach all targets, which is listed too.
    pub fn bytes_per_target(&self, longest_back: u32, whole: bool) -> f64 {
        self.part.target_bytes(longest_back, whole)
    }

    /// Puts the rule to work on a projection that has its synapses, with what goes on all the time beside it.
    pub fn insert(self, projection: &mut EntityWorldMut<'_>, lasting: upkeep::Lasting) {
        self.part.insert(projection, lasting);
    }

    /// Puts the rule to work on a projection that has its synapses, onto neurons that are resolved in continuous time; it must have been
    /// derived for steps of a [tick](exact::TICKS).
    pub fn insert_exact(self, projection: &mut EntityWorldMut<'_>, lasting: upkeep::Lasting) {
        self.part.insert_exact(projection, lasting);
    }
}

/// The systems that transmit and learn with the rules of one type.
#[derive(Clone, Copy)]
pub struct RuleSystems {
    /// The type of the rule.
    pub name: &'static str,
    /// In `Deliver`: synapses whose delay is all axonal.
    pub arrive: fn() -> ScheduleConfigs<ScheduleSystem>,
    /// In `Encode`: what modulators do in the step that begins, if the rule is modulated or pools gate it.
    pub modulate: Option<fn() -> ScheduleConfigs<ScheduleSystem>>,
    /// In `Propagate`: histories, and synapses whose delay has a dendritic part.
    pub transmit: fn() -> ScheduleConfigs<ScheduleSystem>,
    /// In `Learn`: upkeep of the projections that have keepers, if one has.
    pub tend: Option<fn() -> ScheduleConfigs<ScheduleSystem>>,
}

impl RuleSystems {
    /// The systems of a rule.
    pub fn of<R: LearningRule>() -> Self {
        Self {
            name: core::any::type_name::<R>(),
            arrive: || arrive::<R>.into_configs(),
            modulate: Some(|| modulate::<R>.into_configs()),
            transmit: || transmit::<R>.into_configs(),
            tend: Some(|| tend::<R>.into_configs()),
        }
    }

    /// Those that run it where nothing modulates or gates it and no keeper is beside it.
    pub fn bare(self) -> Self {
        Self {
            modulate: None,
            tend: None,
            ..self
        }
    }
}

/// How a rule is checked and derived, by its type: what the scene loader finds in the type registry.
#[derive(Clone)]
pub struct ReflectPlasticity {
    /// Checks a value for steps of so many ms.
    pub check: fn(&dyn PartialReflect, f64) -> Result<(), String>,
    /// The bounds of the weights.
    pub bounds: fn(&dyn PartialReflect) -> Result<(f64, f64), String>,
    /// The rule for steps of so many ms.
    pub derive: fn(&dyn PartialReflect, f64) -> Result<BoxedRule, String>,
    /// The name of the modulator that acts on it.
    pub modulator: fn(&dyn PartialReflect) -> Option<String>,
    /// Whether it follows the membrane potential of the target neurons.
    pub follows_membrane: fn(&dyn PartialReflect) -> bool,
    /// Keeps the rule's parameters on the projection.
    pub keep: fn(&mut EntityWorldMut<'_>, &dyn PartialReflect),
}

/// Registers learning rules on an app.
pub trait RegisterRule {
    /// Makes a rule known to scenes, `neuropil check`, delivery and snapshots.
    fn register_rule<P: Plasticity>(&mut self) -> &mut Self;
}

impl RegisterRule for App {
    fn register_rule<P: Plasticity>(&mut self) -> &mut Self {
        self.register_type::<P>();
        let types = self.world().resource::<AppTypeRegistry>().clone();
        if let Some(registration) = types.write().get_mut(core::any::TypeId::of::<P>()) {
            registration.insert(ReflectPlasticity {
                check: |value, dt| concrete::<P>(value)?.check(dt),
                bounds: |value| Ok(concrete::<P>(value)?.bounds()),
                derive: |value, dt| Ok(concrete::<P>(value)?.derive(dt)),
                modulator: |value| Some(concrete::<P>(value).ok()?.modulator()?.to_owned()),
                follows_membrane: |value| {
                    concrete::<P>(value).is_ok_and(|rule| rule.follows_membrane())
                },
                keep: |projection, value| {
                    if let Ok(rule) = concrete::<P>(value) {
                        projection.insert(rule);
                    }
                },
            });
        }
        self
    }
}

fn concrete<P: FromReflect + TypePath>(value: &dyn PartialReflect) -> Result<P, String> {
    P::from_reflect(value).ok_or_else(|| format!("this is not a {}", P::short_type_path()))
}

/// Bounds for changes that something else keeps within those of the weights: so far that a multiple of a change is a number still.
const UNBOUND: [f32; 2] = [-1e30, 1e30];

/// Bounds that a rule's `w_min` and `w_max` may have.
pub(crate) const WEIGHT: Range = Range::between(-1e12, 1e12);

/// What amplitudes and gains of rules may be: their products with traces, tags and weights are numbers still.
pub(crate) const AMPLITUDE: Range = Range::between(-1e12, 1e12);

/// Checks that `w_min` is below `w_max`.
///
/// # Errors
/// Names both.
pub(crate) fn check_bounds(w_min: f64, w_max: f64) -> Result<(), String> {
    if w_min < w_max {
        Ok(())
    } else {
        Err(format!(
            "w_min is {w_min} and w_max is {w_max}; w_max must be above w_min"
        ))
    }
}
