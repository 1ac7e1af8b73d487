//! What a simulation that runs on its own thread shows of itself.
//!
//! An observer subscribes to what it wants to see; the simulation's thread fills a [`Frame`] between steps and swaps it for the one
//! that the observer has read. Neither waits for the other, and nothing here writes to the network.

use super::command::{LoggedCommand, Place};
use crate::scene::schema::Scene;
use crate::sim::clock::Pacing;
use std::sync::Arc;

/// A spike, by the neuron's number in the whole network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct SpikeAt {
    /// Steps done when it was emitted, less one: its time is (step + 1)·dt.
    pub step: u64,
    /// The neuron: the region's [`RegionInfo::first`] plus its index there.
    pub neuron: u32,
}

/// A neuron of a region.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NeuronId {
    /// The region's place in [`Structure::regions`].
    pub region: usize,
    /// Its index in the region.
    pub neuron: u32,
}

/// What is sampled in every step.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum TraceOf {
    /// A column of one neuron.
    Column {
        /// The region's name.
        region: String,
        /// The neuron's index in the region.
        neuron: u32,
        /// The column's name.
        column: String,
    },
    /// A modulator, by its name: the concentration of its pool, or what a signal does in the step.
    Modulator(String),
}

/// What an observer wants to see. What nobody subscribes to costs nothing.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Subscription {
    /// Every spike since the last frame.
    pub spikes: bool,
    /// The newest values of this column, for all regions that have it.
    pub column: Option<String>,
    /// Columns of single neurons and modulators, in every step.
    pub traces: Vec<TraceOf>,
    /// All state columns of this neuron as they are now.
    pub state_of: Option<(String, u32)>,
    /// The synapses of this neuron, in and out; those that learn again and again, about twice a second of wall time.
    pub synapses_of: Option<(String, u32)>,
    /// The weights of the projection of this name, as a matrix and a histogram; again and again if it learns, about twice a second of wall time.
    pub weights_of: Option<String>,
    /// Time per stage of the step.
    pub stages: bool,
}

/// A region as it is built.
#[derive(Clone, Debug)]
pub struct RegionInfo {
    /// Its name.
    pub name: String,
    /// The number of its first neuron in the whole network.
    pub first: u32,
    /// Its neurons.
    pub neurons: u32,
    /// The short name of its model's type, for example `LifExp`.
    pub model: String,
    /// Its state columns: name and unit.
    pub columns: Vec<(&'static str, &'static str)>,
    /// Its model's receptors: name and the unit of a weight.
    pub receptors: Vec<(&'static str, &'static str)>,
    /// Where its neurons are, in mm. A region without a layout is given a ball beside the others.
    pub positions: Vec<[f32; 3]>,
    /// Which neurons are lesioned, that is silenced for good, ascending.
    pub lesioned: Vec<u32>,
}

/// A projection as it is built.
#[derive(Clone, Debug)]
pub struct ProjectionInfo {
    /// Its name.
    pub name: String,
    /// The place of its source in [`Structure::regions`].
    pub from: usize,
    /// The place of its target in [`Structure::regions`].
    pub to: usize,
    /// Its synapses.
    pub synapses: u64,
    /// Bytes that they take.
    pub bytes: u64,
    /// Whether it is muted: kept, but nothing passes.
    pub muted: bool,
    /// The mean of its weights as the scene gives them, in the receptor's unit: its sign is the sign of the projection. NaN if listed.
    pub mean_weight: f64,
    /// The mean delay in ms as the scene gives it. NaN if listed.
    pub mean_delay_ms: f64,
    /// The name of the receptor that it reaches.
    pub receptor: &'static str,
}

/// What a network is made of. Changes only when a scene is opened or edited.
#[derive(Clone, Debug)]
pub struct Structure {
    /// Grows with every change.
    pub version: u64,
    /// The name of the shipped scene, or the path of the file.
    pub source: String,
    /// The settings of its named parameters.
    pub settings: Vec<(String, String)>,
    /// The scene as edited.
    pub scene: Arc<Scene>,
    /// The regions.
    pub regions: Vec<RegionInfo>,
    /// The projections.
    pub projections: Vec<ProjectionInfo>,
    /// Neurons of all regions.
    pub neurons: u32,
    /// Synapses of all projections.
    pub synapses: u64,
    /// Bytes of synapses and state.
    pub bytes: u64,
    /// The names of the scene's stimuli, in its order; see [`Place::Stimulus`].
    pub stimuli: Vec<String>,
}

impl Structure {
    /// Whether neurons have the same numbers in another structure.
    pub fn numbers_as(&self, other: &Self) -> bool {
        let numbers = |s: &Self| -> Vec<(String, u32, u32)> {
            let each = s.regions.iter();
            each.map(|r| (r.name.clone(), r.first, r.neurons)).collect()
        };
        numbers(self) == numbers(other)
    }

    /// The number in another structure of a neuron of this one: the same neuron of the region of that name, if it is there.
    pub fn renumbered(&self, other: &Self, number: u32) -> Option<u32> {
        let id = self.neuron(number)?;
        let region = other.region(&self.regions[id.region].name)?;
        let region = &other.regions[region];
        (id.neuron < region.neurons).then_some(region.first + id.neuron)
    }

    /// Whether the weights of the projection called `name` change while the network runs.
    pub fn learns(&self, name: &str) -> bool {
        let mut projections = self.scene.projections.iter();
        projections.any(|p| p.name.as_deref() == Some(name) && p.learns())
    }

    /// Whether the weights of a projection from or to the region called `name` change while the network runs.
    pub fn learns_around(&self, name: &str) -> bool {
        let mut projections = self.scene.projections.iter();
        projections.any(|p| (p.from == name || p.to == name) && p.learns())
    }

    /// The region that a neuron of the whole network is in, and its index there.
    pub fn neuron(&self, number: u32) -> Option<NeuronId> {
        let region = self
            .regions
            .partition_point(|r| r.first <= number)
            .checked_sub(1)?;
        let neuron = number - self.regions[region].first;
        (neuron < self.regions[region].neurons).then_some(NeuronId { region, neuron })
    }

    /// The number of a neuron in the whole network.
    pub fn number(&self, id: NeuronId) -> Option<u32> {
        let region = self.regions.get(id.region)?;
        (id.neuron < region.neurons).then(|| region.first + id.neuron)
    }

    /// The place of the region called `name`.
    pub fn region(&self, name: &str) -> Option<usize> {
        self.regions.iter().position(|r| r.name == name)
    }
}

/// One synapse of a neuron that was asked for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SynapseAt {
    /// The presynaptic neuron, by its number in the whole network.
    pub from: u32,
    /// The postsynaptic neuron, by its number in the whole network.
    pub to: u32,
    /// Signed as the scene has it, in the receptor's unit.
    pub weight: f32,
    /// The delay in steps.
    pub delay: u32,
}

/// The synapses of one neuron.
#[derive(Clone, Debug, Default)]
pub struct NeuronSynapses {
    /// The neuron: region and index.
    pub of: (String, u32),
    /// Its synapses, outgoing first; a sample spread evenly if there are very many.
    pub synapses: Vec<SynapseAt>,
    /// How many leave it.
    pub outgoing: u64,
    /// How many reach it.
    pub incoming: u64,
}

/// The weights of one projection.
#[derive(Clone, Debug, Default)]
pub struct WeightMatrix {
    /// The projection's name.
    pub of: String,
    /// Steps done when they were read.
    pub step: u64,
    /// Whether they change while the network runs.
    pub changes: bool,
    /// Rows (sources, binned) of the matrix.
    pub rows: usize,
    /// Columns (targets, binned).
    pub columns: usize,
    /// The mean weight of each cell, row by row; NaN where there is no synapse.
    pub cells: Vec<f32>,
    /// Sources and targets of the projection.
    pub neurons: (u32, u32),
    /// A histogram of the weights: from where, to where, and how many fall into each of equal bins. That is from the least to the largest; of
    /// weights that change, as far as they have gone since the subscription.
    pub histogram: (f32, f32, Vec<u64>),
    /// Synapses per source neuron.
    pub out_degrees: Vec<u32>,
    /// Synapses per target neuron.
    pub in_degrees: Vec<u32>,
}

/// The trace of a column of one neuron, or of a modulator, since the last frame.
#[derive(Clone, Debug)]
pub struct TracePart {
    /// What.
    pub of: TraceOf,
    /// The first step that is in `values`; the others follow step by step.
    pub first: u64,
    /// The values at the end of each step.
    pub values: Vec<f32>,
}

/// Something that the user should read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// Whether something went wrong.
    pub error: bool,
    /// The text, with file, line and column where a scene is wrong.
    pub text: String,
}

/// How a simulation is doing: what transport and performance panels show.
#[derive(Clone, Debug, Default)]
pub struct Progress {
    /// Steps done.
    pub step: u64,
    /// The length of a step in ms.
    pub dt_ms: f64,
    /// How fast it may run.
    pub pacing: Pacing,
    /// Simulated time per wall time, over the last half second.
    pub speed: f64,
    /// CPU time of the steps alone per simulated time, over the last half second.
    pub cost: f64,
    /// Spikes so far.
    pub spikes: u64,
    /// The spike hash so far.
    pub hash: u64,
    /// Synaptic events so far.
    pub events: u64,
    /// Synaptic events per wall second, over the last half second.
    pub events_per_s: f64,
    /// The farthest step that this network has reached: the end of the time slider.
    pub reached: u64,
    /// The steps at which a state is kept.
    pub kept: Vec<u64>,
    /// Bytes that the kept states take.
    pub kept_bytes: u64,
    /// What it is busy with if it cannot step: building, going back; and how far it is, from 0 to 1.
    pub busy: Option<(String, f32)>,
    /// What went wrong with the numbers of the network, if anything did.
    pub problem: Option<String>,
    /// Seconds per step of each stage, in the order of [`SimSystems::ALL`](crate::sim::SimSystems::ALL), if subscribed.
    pub stages: Option<[f64; 12]>,
}

/// What is new since the frame before.
#[derive(Clone, Debug, Default)]
pub struct Frame {
    /// What the network is made of; none until a scene is open.
    pub structure: Option<Arc<Structure>>,
    /// How it is doing.
    pub progress: Progress,
    /// Time went back, or the network was changed for another: what an observer keeps of this step and later is void,
    /// before the spikes and traces of this frame are taken in.
    pub void_from: Option<u64>,
    /// Spikes, in the order of time.
    pub spikes: Vec<SpikeAt>,
    /// Spikes that were left out because nobody read the frames for too long.
    pub spikes_lost: u64,
    /// The values of the subscribed column: its name, and per region its values (empty where it has no such column).
    pub column: Option<(String, Vec<Vec<f32>>)>,
    /// Traces.
    pub traces: Vec<TracePart>,
    /// All columns of the subscribed neuron: region, neuron, and (name, value) of each.
    pub state: Option<(String, u32, Vec<(&'static str, f32)>)>,
    /// The synapses of the subscribed neuron, if they are new.
    pub synapses: Option<Arc<NeuronSynapses>>,
    /// The weights of the subscribed projection, if they are new.
    pub weights: Option<Arc<WeightMatrix>>,
    /// The log of commands, if it changed: all of it, and how many of them have acted by now.
    pub log: Option<(Arc<Vec<LoggedCommand>>, usize)>,
    /// What can be undone and redone now, in words.
    pub undo: Option<String>,
    /// What can be redone now, in words.
    pub redo: Option<String>,
    /// Notices, oldest first.
    pub notices: Vec<Notice>,
}

/// Names a part in words, for messages and menus.
impl core::fmt::Display for Place {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Region(name) => write!(f, "region \"{name}\""),
            Self::Projection(name) => write!(f, "projection \"{name}\""),
            Self::Stimulus(name) => write!(f, "stimulus \"{name}\""),
            Self::Modulator(name) => write!(f, "modulator \"{name}\""),
        }
    }
}

impl Frame {
    /// Empties the frame, keeping its memory.
    pub fn clear(&mut self) {
        self.structure = None;
        self.void_from = None;
        self.spikes.clear();
        self.spikes_lost = 0;
        self.traces.clear();
        self.state = None;
        self.synapses = None;
        self.weights = None;
        self.log = None;
        self.undo = None;
        self.redo = None;
        self.notices.clear();
    }

    /// Adds samples that follow those that are there, or take their place if there is a gap.
    pub fn add_trace(&mut self, part: TracePart) {
        let known = self
            .traces
            .iter_mut()
            .find(|p| p.of == part.of && p.first + p.values.len() as u64 == part.first);
        match known {
            Some(known) => known.values.extend(part.values),
            None => {
                self.traces.retain(|p| p.of != part.of);
                self.traces.push(part);
            }
        }
    }

    /// Adds a later frame to one that nobody has read.
    pub fn append(&mut self, mut later: Frame) {
        if let Some(from) = later.void_from {
            self.spikes.retain(|s| s.step < from);
            for part in &mut self.traces {
                part.values
                    .truncate(from.saturating_sub(part.first) as usize);
            }
            self.traces.retain(|part| !part.values.is_empty());
            self.void_from = Some(self.void_from.map_or(from, |v| v.min(from)));
        }
        self.spikes.append(&mut later.spikes);
        self.spikes_lost += later.spikes_lost;
        for part in later.traces {
            self.add_trace(part);
        }
        self.notices.append(&mut later.notices);
        self.structure = later.structure.or(self.structure.take());
        self.synapses = later.synapses.or(self.synapses.take());
        self.weights = later.weights.or(self.weights.take());
        self.log = later.log.or(self.log.take());
        self.progress = later.progress;
    }
}
