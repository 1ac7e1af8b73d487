//! What a scene says: the typed form of a scene file.
//!
//! Every type here is read through the type registry ([`decode`](super::decode)); fields carry their unit and range as attributes. A
//! scene can equally be written in Rust: see [`Scene`].

use crate::modulation::ModulatorSpec;
use crate::network::connect::Rule;
use crate::network::distribution::Distribution;
use crate::network::layout::Layout;
use crate::network::stimulus::{Selection, StimulusKind, Window};
use crate::plasticity::intrinsic::IntrinsicPlasticity;
use crate::sim::quantity::{Range, Unit};
use crate::synapses::response::Responses;
use crate::synapses::short_term::TsodyksMarkram;
use bevy::prelude::*;
use bevy::reflect::structs::DynamicStruct;

/// A network, what drives it, and what is kept of its run.
#[derive(Reflect, Clone, Debug)]
#[reflect(Default)]
pub struct Scene {
    /// One line that names the network.
    pub title: String,
    /// Where it comes from: a paper with its DOI, or "synthetic".
    pub source: String,
    /// What a run is expected to show.
    pub outcome: String,
    /// The step.
    #[reflect(@Unit("ms"), @Range::between(1e-4, 1e3))]
    pub dt_ms: f64,
    /// The seed of every random number.
    pub seed: u64,
    /// How long a run is unless the command line says otherwise.
    #[reflect(@Unit("ms"), @Range::non_negative())]
    pub duration_ms: f64,
    /// Statistics start here, so that the transient at the start does not count.
    #[reflect(@Unit("ms"), @Range::non_negative())]
    pub statistics_from_ms: f64,
    /// The populations.
    pub regions: Vec<RegionSpec>,
    /// The synapses.
    pub projections: Vec<ProjectionSpec>,
    /// What reaches the network from outside.
    pub stimuli: Vec<StimulusSpec>,
    /// Neuromodulators and reward signals.
    pub modulators: Vec<ModulatorSpec>,
    /// What is kept.
    pub probes: Vec<ProbeSpec>,
}

impl Default for Scene {
    fn default() -> Self {
        Self {
            title: String::new(),
            source: String::new(),
            outcome: String::new(),
            dt_ms: 0.1,
            seed: 1,
            duration_ms: 1000.0,
            statistics_from_ms: 0.0,
            regions: Vec::new(),
            projections: Vec::new(),
            stimuli: Vec::new(),
            modulators: Vec::new(),
            probes: Vec::new(),
        }
    }
}

/// Declares a value whose type a scene chooses by name among those that are registered for a purpose.
macro_rules! chosen_by_name {
    ($(#[$meta:meta])* $name:ident) => {
        $(#[$meta])*
        #[derive(Reflect, Debug)]
        #[reflect(opaque)]
        #[reflect(Clone)]
        pub struct $name(pub Box<dyn PartialReflect>);

        impl $name {
            /// Wraps a value.
            pub fn new(value: impl Reflect) -> Self {
                Self(Box::new(value))
            }
        }

        impl Default for $name {
            fn default() -> Self {
                Self(Box::new(DynamicStruct::default()))
            }
        }

        impl Clone for $name {
            fn clone(&self) -> Self {
                Self(self.0.reflect_clone().map_or_else(
                    |_| self.0.to_dynamic(),
                    PartialReflect::into_partial_reflect,
                ))
            }
        }
    };
}

chosen_by_name! {
    /// A value of any registered neuron model.
    ModelValue
}

chosen_by_name! {
    /// A value of any registered learning rule.
    RuleValue
}

/// What is inside a value whose type was chosen by name.
pub fn chosen(value: &dyn PartialReflect) -> Option<&dyn PartialReflect> {
    let model = value.try_downcast_ref::<ModelValue>().map(|v| v.0.as_ref());
    model.or_else(|| value.try_downcast_ref::<RuleValue>().map(|v| v.0.as_ref()))
}

/// As [`chosen`], to be changed.
pub fn chosen_mut(value: &mut dyn PartialReflect) -> Option<&mut dyn PartialReflect> {
    if value.try_downcast_ref::<ModelValue>().is_some() {
        return value.try_downcast_mut::<ModelValue>().map(|v| v.0.as_mut());
    }
    value.try_downcast_mut::<RuleValue>().map(|v| v.0.as_mut())
}

/// A population of neurons.
#[derive(Reflect, Clone, Debug)]
pub struct RegionSpec {
    /// Its name.
    pub name: String,
    /// The number of neurons.
    #[reflect(@Range::between(1.0, 1e9))]
    pub neurons: u32,
    /// The neuron model with its parameters.
    pub model: ModelValue,
    /// Where its neurons are.
    #[reflect(default)]
    pub layout: Option<Layout>,
    /// Initial values by column name.
    #[reflect(default, @Range::finite())]
    pub initial: Vec<(String, Distribution)>,
    /// Dale's principle: the sign that all weights of the region's neurons must have.
    #[reflect(default)]
    pub sign: NeuronSign,
    /// How its neurons change their excitability to keep to a rate.
    #[reflect(default)]
    pub intrinsic: Option<IntrinsicPlasticity>,
}

impl RegionSpec {
    /// A region called `name` of `neurons` neurons of a model.
    pub fn new(name: impl Into<String>, neurons: u32, model: impl Reflect) -> Self {
        Self {
            name: name.into(),
            neurons,
            model: ModelValue::new(model),
            layout: None,
            initial: Vec::new(),
            sign: NeuronSign::Mixed,
            intrinsic: None,
        }
    }

    /// Sets the initial value of a column.
    pub fn starting(mut self, column: &str, value: impl Into<Distribution>) -> Self {
        self.initial.push((column.into(), value.into()));
        self
    }
}

/// The sign of a neuron's outgoing weights.
#[derive(Reflect, Clone, Copy, Debug, Default, PartialEq, Eq)]
#[reflect(Default)]
pub enum NeuronSign {
    /// No restriction.
    #[default]
    Mixed,
    /// No negative weight.
    Excitatory,
    /// No positive weight.
    Inhibitory,
}

fn allowed() -> bool {
    true
}

/// The synapses from one region to another.
#[derive(Reflect, Clone, Debug)]
pub struct ProjectionSpec {
    /// Its name; without one it is "from → to", numbered if there are several.
    #[reflect(default)]
    pub name: Option<String>,
    /// The source region.
    pub from: String,
    /// The target region.
    pub to: String,
    /// Who is joined to whom.
    pub rule: Rule,
    /// Weights, in the receptor's unit; left out where a list gives its own.
    #[reflect(default, @Range::finite())]
    pub weight: Option<Distribution>,
    /// Delays; left out where a list gives its own.
    #[reflect(default, @Unit("ms"), @Range::positive())]
    pub delay_ms: Option<Distribution>,
    /// The receptor of the target; without it, the model's first for positive weights and its second for negative ones.
    #[reflect(default)]
    pub receptor: Option<String>,
    /// Whether a neuron may be joined to itself.
    #[reflect(default = "allowed")]
    pub autapses: bool,
    /// Whether two neurons may be joined more than once.
    #[reflect(default = "allowed")]
    pub multapses: bool,
    /// The part of the delay between synapse and target neuron; the rest is between source neuron and synapse. Plasticity sees spikes
    /// as they reach the synapse.
    #[reflect(default)]
    pub dendritic: Dendritic,
    /// How long the target's spikes take to the synapse; without it, as long as the dendritic part of the delay. Where a rule learns, at
    /// most 4096 steps.
    #[reflect(default, @Unit("ms"), @Range::non_negative())]
    pub backpropagation_ms: Option<f64>,
    /// Short-term depression and facilitation.
    #[reflect(default)]
    pub short_term: Option<TsodyksMarkram>,
    /// What spikes turn into over time in axon terminals and in spines; without it, they act at once.
    #[reflect(default)]
    pub responses: Option<Responses>,
    /// The rules by which weights change: those that act at spikes, which add up, and upkeep of all weights. Without one they stay as they are.
    #[reflect(default)]
    pub plasticity: Vec<RuleValue>,
    /// Whether its weights are held; traces go on.
    #[reflect(default)]
    pub frozen: bool,
    /// The target neurons whose synapses learn.
    #[reflect(default)]
    pub learning_targets: Selection,
    /// Whether it is switched off: it keeps its place and its random numbers, but has no synapses.
    #[reflect(default)]
    pub muted: bool,
}

impl Default for ProjectionSpec {
    fn default() -> Self {
        Self {
            name: None,
            from: String::new(),
            to: String::new(),
            rule: Rule::AllToAll,
            weight: None,
            delay_ms: None,
            receptor: None,
            autapses: true,
            multapses: true,
            dendritic: Dendritic::None,
            backpropagation_ms: None,
            short_term: None,
            responses: None,
            plasticity: Vec::new(),
            frozen: false,
            learning_targets: Selection::All,
            muted: false,
        }
    }
}

impl ProjectionSpec {
    /// Its name, or what it is called without one.
    pub fn called(&self) -> String {
        match &self.name {
            Some(name) => name.clone(),
            None => format!("{} → {}", self.from, self.to),
        }
    }

    /// Whether its weights change while the network runs: it has rules, and is neither frozen nor muted.
    pub fn learns(&self) -> bool {
        !self.plasticity.is_empty() && !self.frozen && !self.muted
    }

    /// A projection with the default switches (autapses and multapses allowed).
    pub fn new(
        from: impl Into<String>,
        to: impl Into<String>,
        rule: Rule,
        weight: impl Into<Distribution>,
        delay_ms: impl Into<Distribution>,
    ) -> Self {
        Self {
            from: from.into(),
            to: to.into(),
            rule,
            weight: Some(weight.into()),
            delay_ms: Some(delay_ms.into()),
            ..Self::default()
        }
    }

    /// Adds a learning rule.
    pub fn learning(mut self, rule: impl Reflect) -> Self {
        self.plasticity.push(RuleValue::new(rule));
        self
    }
}

/// The dendritic part of a delay.
#[derive(Reflect, Clone, Copy, Debug, Default, PartialEq)]
#[reflect(Default)]
pub enum Dendritic {
    /// None: the delay is that of the axon.
    #[default]
    None,
    /// All of it, as in NEST.
    All,
    /// So many ms of every delay.
    Ms(#[reflect(@Unit("ms"), @Range::non_negative())] f64),
}

/// What reaches a region from outside.
#[derive(Reflect, Clone, Debug)]
pub struct StimulusSpec {
    /// Its name; without one it is numbered.
    #[reflect(default)]
    pub name: Option<String>,
    /// The region.
    pub to: String,
    /// Which of its neurons.
    #[reflect(default)]
    pub neurons: Selection,
    /// When.
    #[reflect(default)]
    pub window: Window,
    /// What.
    pub kind: StimulusKind,
}

impl StimulusSpec {
    /// A stimulus on all neurons of a region, all the time.
    pub fn new(to: impl Into<String>, kind: StimulusKind) -> Self {
        Self {
            name: None,
            to: to.into(),
            neurons: Selection::All,
            window: Window::default(),
            kind,
        }
    }
}

/// What is kept of a run.
#[derive(Reflect, Clone, Debug)]
pub struct ProbeSpec {
    /// The region; without it, every region.
    #[reflect(default)]
    pub region: Option<String>,
    /// What.
    pub kind: ProbeKind,
}

/// What a probe keeps.
#[derive(Reflect, Clone, Debug, PartialEq)]
pub enum ProbeKind {
    /// Every spike.
    Spikes,
    /// A state column of chosen neurons.
    Column {
        /// The column's name, for example "v".
        column: String,
        /// Which neurons.
        neurons: Selection,
        /// The interval between samples.
        #[reflect(@Unit("ms"), @Range::positive())]
        every_ms: f64,
    },
    /// The population rate.
    Rate {
        /// The width of a bin.
        #[reflect(@Unit("ms"), @Range::positive())]
        bin_ms: f64,
    },
    /// The weights of the projections from one region to another, written at the end.
    Weights {
        /// The source region.
        from: String,
        /// The target region.
        to: String,
    },
    /// The concentration of a modulator's pool over time; of a signal without a pool what has acted in each interval.
    Modulator {
        /// The modulator's name.
        modulator: String,
        /// The interval between samples.
        #[reflect(@Unit("ms"), @Range::positive())]
        every_ms: f64,
    },
    /// Single weights of a projection that learns, over time.
    WeightCourse {
        /// The projection's name.
        projection: String,
        /// The target neurons whose incoming weights are kept.
        targets: Selection,
        /// The interval between samples.
        #[reflect(@Unit("ms"), @Range::positive())]
        every_ms: f64,
    },
    /// How the weights of a projection that learns are distributed, over time.
    WeightHistogram {
        /// The projection's name.
        projection: String,
        /// How many bins there are between the bounds of its rule.
        #[reflect(@Range::between(1.0, 10000.0))]
        bins: u32,
        /// The interval between samples.
        #[reflect(@Unit("ms"), @Range::positive())]
        every_ms: f64,
    },
    /// The weights onto target neurons of a projection that learns, laid out by their source, as a picture at the end.
    ReceptiveFields {
        /// The projection's name.
        projection: String,
        /// The target neurons.
        targets: Selection,
        /// How many source neurons make a row of the picture.
        #[reflect(@Range::between(1.0, 1e6))]
        width: u32,
    },
}
