//! What the view knows of the network: the newest frames, and a bounded past of spikes and traces.

use crate::scene::load::SceneSource;
use crate::session::command::{LoggedCommand, SimCommand};
use crate::session::frame::{
    Frame, NeuronSynapses, Notice, Progress, SpikeAt, Structure, Subscription, TraceOf,
    WeightMatrix,
};
use crate::session::runner::{Request, Runner};
use crate::view::scene3d::HiddenRegions;
use bevy::prelude::*;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
#[cfg(test)]
use std::sync::Mutex;

/// The most spikes that the view keeps.
const MOST_SPIKES: usize = 2_000_000;
/// The most samples that the view keeps of a trace.
const MOST_SAMPLES: usize = 500_000;

/// The trace of one column of one neuron, or of a modulator.
#[derive(Clone, Debug, Default)]
pub struct Trace {
    /// The step of the first value.
    pub first: u64,
    /// The values at the end of each step, without gaps.
    pub values: VecDeque<f32>,
}

/// What the view knows of the network.
#[derive(Resource)]
pub struct Live {
    runner: Arc<Runner>,
    /// What the network is made of; none until a scene is open.
    pub structure: Option<Arc<Structure>>,
    /// How it is doing.
    pub progress: Progress,
    /// Spikes, in the order of time; the oldest are forgotten.
    pub spikes: VecDeque<SpikeAt>,
    /// Nothing is known of spikes before this step.
    pub spikes_from: u64,
    /// Per neuron of the whole network: the step of its newest spike plus 1, or 0.
    pub last_spike: Vec<u64>,
    /// The values of the column that was subscribed: its name, and per region its values (empty where there is no such column).
    pub column: Option<(String, Vec<Vec<f32>>)>,
    /// Traces that were subscribed.
    pub traces: BTreeMap<TraceOf, Trace>,
    /// All columns of the neuron that was subscribed.
    pub state: Option<(String, u32, Vec<(&'static str, f32)>)>,
    /// The synapses of the neuron that was subscribed.
    pub synapses: Option<Arc<NeuronSynapses>>,
    /// The weights of the projection that was subscribed.
    pub weights: Option<Arc<WeightMatrix>>,
    /// The log of commands.
    pub log: Arc<Vec<LoggedCommand>>,
    /// How many commands of the log have acted.
    pub acted: usize,
    /// What can be undone, in words.
    pub undo: Option<String>,
    /// What can be redone, in words.
    pub redo: Option<String>,
    /// Everything that the user was told, oldest first.
    pub notices: Vec<Notice>,
    /// Frames taken in so far.
    pub frames: u64,
    subscribed: Subscription,
    /// Where requests go instead, in tests that read them.
    #[cfg(test)]
    pub(crate) sent: Option<Mutex<Vec<Request>>>,
}

impl Live {
    /// The view of a runner.
    pub fn new(runner: Runner) -> Self {
        Self {
            runner: Arc::new(runner),
            structure: None,
            progress: Progress::default(),
            spikes: VecDeque::new(),
            spikes_from: 0,
            last_spike: Vec::new(),
            column: None,
            traces: BTreeMap::new(),
            state: None,
            synapses: None,
            weights: None,
            log: Arc::default(),
            acted: 0,
            undo: None,
            redo: None,
            notices: Vec::new(),
            frames: 0,
            subscribed: Subscription::default(),
            #[cfg(test)]
            sent: None,
        }
    }

    /// The runner.
    pub fn runner(&self) -> &Runner {
        &self.runner
    }

    /// The runner, for somebody who outlives the view.
    pub fn shared_runner(&self) -> Arc<Runner> {
        self.runner.clone()
    }

    /// Sends a request; returns at once.
    pub fn send(&self, request: Request) {
        #[cfg(test)]
        if let Some(sent) = &self.sent {
            if let Ok(mut sent) = sent.lock() {
                sent.push(request);
            }
            return;
        }
        self.runner.send(request);
    }

    /// Asks for a scene, with settings of its named parameters, and lets it run; returns at once.
    pub fn open(&self, source: SceneSource, settings: Vec<(String, String)>) {
        self.send(Request::Open {
            source,
            settings,
            seed: None,
            play: true,
        });
    }

    /// Tells the user something.
    pub fn tell(&mut self, error: bool, text: impl Into<String>) {
        self.notices.push(Notice {
            error,
            text: text.into(),
        });
    }

    /// Sends an edit; returns at once.
    pub fn edit(&self, command: SimCommand) {
        self.send(Request::Edit(command));
    }

    /// Subscribes to what is wanted now, if that is not what was wanted before.
    pub fn subscribe(&mut self, wanted: Subscription) {
        if wanted != self.subscribed {
            self.traces.retain(|of, _| wanted.traces.contains(of));
            self.send(Request::Subscribe(wanted.clone()));
            self.subscribed = wanted;
        }
    }

    /// Simulated time in ms.
    pub fn time_ms(&self) -> f64 {
        self.progress.step as f64 * self.progress.dt_ms
    }

    /// Takes in the newest frame, if there is one.
    pub fn receive(&mut self) {
        if let Some(mut frame) = self.runner.take_frame() {
            self.take_in(&mut frame);
            self.runner.recycle(frame);
        }
    }

    fn take_in(&mut self, frame: &mut Frame) {
        self.frames += 1;
        if let Some(structure) = &frame.structure {
            let known = self.structure.as_ref().map(|s| s.version);
            if known != Some(structure.version) {
                self.adopt(structure.clone());
            }
        }
        if let Some(from) = frame.void_from {
            self.forget(from);
        }
        self.spikes_from = self.spikes_from.min(self.progress.step);
        self.progress = frame.progress.clone();
        if frame.spikes_lost > 0 {
            self.spikes_from = frame.spikes.first().map_or(self.progress.step, |s| s.step);
            self.spikes.clear();
        }
        for spike in &frame.spikes {
            if let Some(last) = self.last_spike.get_mut(spike.neuron as usize) {
                *last = spike.step + 1;
            }
        }
        self.spikes.extend(&frame.spikes);
        if self.spikes.len() > MOST_SPIKES {
            let excess = self.spikes.len() - MOST_SPIKES;
            self.spikes.drain(..excess);
            self.spikes_from = self.spikes.front().map_or(0, |s| s.step + 1);
        }
        for part in frame.traces.drain(..) {
            let trace = self.traces.entry(part.of).or_default();
            if part.first != trace.first + trace.values.len() as u64 {
                trace.values.clear();
                trace.first = part.first;
            }
            trace.values.extend(&part.values);
            if trace.values.len() > MOST_SAMPLES {
                let excess = trace.values.len() - MOST_SAMPLES;
                trace.values.drain(..excess);
                trace.first += excess as u64;
            }
        }
        if frame.column.is_some() {
            core::mem::swap(&mut self.column, &mut frame.column);
        }
        if frame.state.is_some() {
            self.state = frame.state.take();
        }
        if frame.synapses.is_some() {
            self.synapses = frame.synapses.take();
        }
        if frame.weights.is_some() {
            self.weights = frame.weights.take();
        }
        if let Some((log, acted)) = frame.log.take() {
            self.log = log;
            self.acted = acted;
        }
        self.undo = frame.undo.take();
        self.redo = frame.redo.take();
        self.notices.append(&mut frame.notices);
    }

    /// Takes in a structure that is new. What is known of neurons that are still there stays, under their new numbers.
    fn adopt(&mut self, structure: Arc<Structure>) {
        match &self.structure {
            Some(before) if before.numbers_as(&structure) => {}
            Some(before) if before.source == structure.source => {
                self.spikes.retain_mut(|spike| {
                    let number = before.renumbered(&structure, spike.neuron);
                    spike.neuron = number.unwrap_or(0);
                    number.is_some()
                });
                self.last_spike = vec![0; structure.neurons as usize];
                for spike in &self.spikes {
                    if let Some(last) = self.last_spike.get_mut(spike.neuron as usize) {
                        *last = spike.step + 1;
                    }
                }
                let there = |of: &TraceOf| match of {
                    TraceOf::Column { region, neuron, .. } => (structure.region(region))
                        .is_some_and(|r| *neuron < structure.regions[r].neurons),
                    TraceOf::Modulator(name) => {
                        structure.scene.modulators.iter().any(|m| m.name == *name)
                    }
                };
                self.traces.retain(|of, _| there(of));
            }
            _ => {
                self.spikes.clear();
                self.spikes_from = self.progress.step;
                self.last_spike = vec![0; structure.neurons as usize];
                self.traces.clear();
            }
        }
        self.column = None;
        self.state = None;
        self.synapses = None;
        self.weights = None;
        self.structure = Some(structure);
    }

    /// Forgets what is known of a step and of later ones.
    fn forget(&mut self, from: u64) {
        while self.spikes.back().is_some_and(|s| s.step >= from) {
            self.spikes.pop_back();
        }
        self.spikes_from = self.spikes_from.min(from);
        self.last_spike.fill(0);
        for spike in &self.spikes {
            if let Some(last) = self.last_spike.get_mut(spike.neuron as usize) {
                *last = spike.step + 1;
            }
        }
        for trace in self.traces.values_mut() {
            let keep = from.saturating_sub(trace.first) as usize;
            trace.values.truncate(keep);
        }
    }
}

/// What the user has chosen.
#[derive(Resource, Clone, Debug, Default, PartialEq, Eq)]
pub struct Selected {
    /// Neurons, by their number in the whole network.
    pub neurons: BTreeSet<u32>,
    /// A region, by its name: chosen in the tree or by its label.
    pub region: Option<String>,
    /// A projection, by its name.
    pub projection: Option<String>,
    /// The neuron under the pointer.
    pub hovered: Option<u32>,
}

impl Selected {
    /// The neuron that details are shown of: the only one selected, or the first of several.
    pub fn first(&self) -> Option<u32> {
        self.neurons.first().copied()
    }
}

impl Selected {
    /// Goes on with the same neurons, regions and projections in a network that was edited, and with none in another one.
    pub fn follow(&mut self, before: &Structure, now: &Structure) {
        if before.source != now.source {
            *self = Self::default();
            return;
        }
        let number = |n: &u32| before.renumbered(now, *n);
        self.neurons = self.neurons.iter().filter_map(number).collect();
        self.hovered = self.hovered.as_ref().and_then(number);
        self.region = (self.region.take()).filter(|name| now.region(name).is_some());
        let there = |name: &String| now.projections.iter().any(|p| p.name == *name);
        self.projection = self.projection.take().filter(there);
    }
}

/// Takes in what the network's thread has published, and keeps what is chosen to what is there.
pub fn receive_frames(
    mut live: ResMut<Live>,
    mut selected: ResMut<Selected>,
    mut hidden: ResMut<HiddenRegions>,
) {
    let before = live.structure.clone();
    live.receive();
    let (Some(before), Some(now)) = (before, &live.structure) else {
        return;
    };
    if before.version != now.version {
        let mut chosen = selected.clone();
        chosen.follow(&before, now);
        selected.set_if_neq(chosen);
        let mut left_out = hidden.clone();
        let same = before.source == now.source;
        left_out.0.retain(|name| same && now.region(name).is_some());
        hidden.set_if_neq(left_out);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::testing::network;

    #[test]
    fn what_is_chosen_stays_the_same_neurons_when_regions_come_and_go() {
        let structure = |regions: &[(&str, u32)]| network(regions).structure.expect("a network");
        let before = structure(&[("a", 100), ("b", 50), ("c", 10)]);
        let now = structure(&[("new", 7), ("b", 20), ("c", 10)]);
        let mut selected = Selected {
            neurons: [5, 110, 140, 155].into(),
            region: Some("a".into()),
            projection: None,
            hovered: Some(159),
        };
        selected.follow(&before, &now);
        // Of region a nothing is left, of b the first 20.
        assert_eq!(selected.neurons, [17, 32].into());
        assert_eq!(selected.region, None);
        assert_eq!(selected.hovered, Some(36));
        let other = Structure {
            source: "another".into(),
            ..(*now).clone()
        };
        selected.follow(&now, &other);
        assert_eq!(selected, Selected::default());
    }

    #[test]
    fn spikes_keep_their_neurons_when_regions_go() {
        let mut live = network(&[("a", 100), ("b", 50)]);
        crate::view::testing::spiking(&mut live, &[(3, 10), (5, 120)], 10);
        let now = network(&[("b", 50)]).structure.expect("a network");
        live.adopt(now);
        let spikes: Vec<_> = live.spikes.iter().copied().collect();
        assert_eq!(
            spikes,
            [SpikeAt {
                step: 5,
                neuron: 20
            }]
        );
        assert_eq!((live.last_spike.len(), live.last_spike[20]), (50, 6));
    }
}
