//! Filling frames with what observers subscribed to. Reads the network between steps; writes nothing of it.

use super::Session;
use super::frame::{Frame, SpikeAt, Structure, Subscription, TraceOf, TracePart};
use super::weights::{HistogramRange, synapses_of, weights_of};
use crate::modulation::Modulator;
use crate::network::region::{Region, Spikes};
use crate::sim::columns::{ColumnDescriptor, ColumnRegistry, Which};
use bevy::prelude::*;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// The most spikes that wait in a frame that nobody reads.
const MOST_SPIKES: usize = 4_000_000;
/// The most samples of a trace that wait in a frame that nobody reads.
const MOST_SAMPLES: usize = 1_000_000;
/// The least wall time between two readings of weights that change.
const READ_EVERY: Duration = Duration::from_millis(500);
/// Reading them again takes at most one part in so many of the wall time.
const READING_SHARE: u32 = 50;

/// The traces of one column of one region, and their samples since the last frame.
struct Traced {
    entity: Entity,
    column: ColumnDescriptor,
    neurons: Vec<u32>,
    parts: Vec<TracePart>,
}

/// Synapses that were asked for.
#[derive(Default)]
struct Reading {
    /// Whether they are still to be read.
    due: bool,
    /// Whether they change while the network runs.
    changes: bool,
    /// Steps done when they were read last.
    step: u64,
}

impl Reading {
    /// Whether they are to be read now; `again` says that it is time to read once more what changes.
    fn starts(&mut self, now: u64, again: bool) -> bool {
        let starts = self.due || (self.changes && again && self.step != now);
        if starts {
            (self.due, self.step) = (false, now);
        }
        starts
    }
}

/// What an observer of one network looks at, resolved to entities.
pub struct Observer {
    regions: Vec<(Entity, u32)>,
    modulators: Vec<(String, Entity)>,
    subscription: Subscription,
    traces: Vec<Traced>,
    /// Modulators and their samples since the last frame.
    levels: Vec<(Entity, TracePart)>,
    /// Samples of traces that are not subscribed any more.
    left: Vec<TracePart>,
    /// Values of one step.
    values: Vec<f32>,
    column: Option<(String, ColumnDescriptor)>,
    synapses: Reading,
    weights: Reading,
    /// From where to where the histogram of those weights has gone so far.
    range: HistogramRange,
    /// When weights that change may be read again.
    read_from: Instant,
}

impl Default for Observer {
    fn default() -> Self {
        Self {
            regions: Vec::new(),
            modulators: Vec::new(),
            subscription: Subscription::default(),
            traces: Vec::new(),
            levels: Vec::new(),
            left: Vec::new(),
            values: Vec::new(),
            column: None,
            synapses: Reading::default(),
            weights: Reading::default(),
            range: None,
            read_from: Instant::now(),
        }
    }
}

impl Observer {
    /// Looks at another network, with the same subscription.
    pub fn look_at(&mut self, session: &mut Session, structure: &Structure) {
        let world = session.simulation_mut().world_mut();
        let mut query = world.query::<(Entity, &Region)>();
        let mut entities: Vec<_> = query.iter(world).map(|(e, r)| (r.index, e)).collect();
        entities.sort_unstable();
        self.regions = entities
            .iter()
            .zip(&structure.regions)
            .map(|((_, e), r)| (*e, r.first))
            .collect();
        let mut query = world.query_filtered::<(&Name, Entity), With<Modulator>>();
        let named = query.iter(world).map(|(name, e)| (name.to_string(), e));
        self.modulators = named.collect();
        // Compared with nothing, everything is to be read again.
        let subscription = core::mem::take(&mut self.subscription);
        self.subscribe(session, structure, subscription);
    }

    /// What frames shall hold from now on.
    pub fn subscribe(
        &mut self,
        session: &Session,
        structure: &Structure,
        subscription: Subscription,
    ) {
        let columns = session.simulation().world().resource::<ColumnRegistry>();
        let before = self.traces.drain(..).flat_map(|traced| traced.parts);
        let before = before.chain(self.levels.drain(..).map(|(_, part)| part));
        self.left
            .extend(before.filter(|part| !part.values.is_empty()));
        for of in &subscription.traces {
            let part = TracePart {
                of: of.clone(),
                first: 0,
                values: Vec::new(),
            };
            let (region, neuron, column) = match of {
                TraceOf::Column {
                    region,
                    neuron,
                    column,
                } => (region, *neuron, column),
                TraceOf::Modulator(name) => {
                    let found = self.modulators.iter().find(|(known, _)| known == name);
                    self.levels.extend(found.map(|(_, entity)| (*entity, part)));
                    continue;
                }
            };
            let Some(region) = structure.region(region) else {
                continue;
            };
            let info = &structure.regions[region];
            let known = info.columns.iter().any(|(name, _)| name == column);
            let Some(&column) = columns.get(column).filter(|_| known) else {
                continue;
            };
            if neuron >= info.neurons {
                continue;
            }
            let entity = self.regions[region].0;
            let same = |t: &&mut Traced| t.entity == entity && t.column.name == column.name;
            let traced = match self.traces.iter_mut().find(same) {
                Some(traced) => traced,
                None => {
                    self.traces.push(Traced {
                        entity,
                        column,
                        neurons: Vec::new(),
                        parts: Vec::new(),
                    });
                    let last = self.traces.len() - 1;
                    &mut self.traces[last]
                }
            };
            traced.neurons.push(neuron);
            traced.parts.push(part);
        }
        self.column = subscription
            .column
            .as_ref()
            .and_then(|name| columns.get(name).map(|column| (name.clone(), *column)));
        if subscription.synapses_of != self.subscription.synapses_of {
            let region = subscription.synapses_of.as_ref().map(|(name, _)| name);
            let changes = region.is_some_and(|name| structure.learns_around(name));
            self.synapses = Reading {
                due: region.is_some(),
                changes,
                step: 0,
            };
        }
        if subscription.weights_of != self.subscription.weights_of {
            let name = subscription.weights_of.as_ref();
            self.weights = Reading {
                due: name.is_some(),
                changes: name.is_some_and(|name| structure.learns(name)),
                step: 0,
            };
        }
        self.subscription = subscription;
    }

    /// Lets the next frame have weights as they are, however short ago they were read.
    pub fn look_again(&mut self) {
        self.read_from = Instant::now();
    }

    /// What was subscribed.
    pub fn subscription(&self) -> &Subscription {
        &self.subscription
    }

    /// Takes from the step that was just done what is wanted of every step.
    #[inline]
    pub fn after_step(&mut self, session: &Session, frame: &mut Frame) {
        if !self.subscription.spikes && self.traces.is_empty() && self.levels.is_empty() {
            return;
        }
        let simulation = session.simulation();
        let (world, step) = (simulation.world(), simulation.clock().steps_done() - 1);
        if self.subscription.spikes {
            for &(entity, first) in &self.regions {
                if let Some(spikes) = world.get::<Spikes>(entity) {
                    frame.spikes.extend(spikes.list.iter().map(|&n| SpikeAt {
                        step,
                        neuron: first + n,
                    }));
                }
            }
            if frame.spikes.len() > MOST_SPIKES {
                frame.spikes_lost += frame.spikes.len() as u64;
                frame.spikes.clear();
            }
        }
        for traced in &mut self.traces {
            self.values.clear();
            (traced.column.read)(
                world.entity(traced.entity),
                Which::These(&traced.neurons),
                &mut self.values,
            );
            for (part, value) in traced.parts.iter_mut().zip(&self.values) {
                add_sample(part, step, *value);
            }
        }
        for (entity, part) in &mut self.levels {
            if let Some(modulator) = world.get::<Modulator>(*entity) {
                add_sample(part, step, modulator.acts() as f32);
            }
        }
    }

    /// Forgets what was taken of a step and of later ones.
    pub fn forget(&mut self, from: u64) {
        let parts = self.traces.iter_mut().flat_map(|traced| &mut traced.parts);
        let levels = self.levels.iter_mut().map(|(_, part)| part);
        for part in parts.chain(levels).chain(&mut self.left) {
            part.values
                .truncate(from.saturating_sub(part.first) as usize);
        }
    }

    /// Whether a neuron of these regions by their place, or of any if none is given, spiked in the step that was just done.
    pub fn has_spike(&self, session: &Session, regions: &[usize]) -> bool {
        let world = session.simulation().world();
        let wanted = |place: usize| regions.is_empty() || regions.contains(&place);
        (self.regions.iter().enumerate())
            .filter(|(place, _)| wanted(*place))
            .any(|(_, (entity, _))| {
                world
                    .get::<Spikes>(*entity)
                    .is_some_and(|s| !s.list.is_empty())
            })
    }

    /// Takes from the network as it is now what is wanted once per frame.
    pub fn fill(&mut self, session: &mut Session, structure: &Structure, frame: &mut Frame) {
        for part in self.left.drain(..) {
            frame.add_trace(part);
        }
        let parts = self.traces.iter_mut().flat_map(|traced| &mut traced.parts);
        for part in parts.chain(self.levels.iter_mut().map(|(_, part)| part)) {
            if !part.values.is_empty() {
                let first = part.first + part.values.len() as u64;
                let taken = TracePart {
                    of: part.of.clone(),
                    first: core::mem::replace(&mut part.first, first),
                    values: core::mem::take(&mut part.values),
                };
                frame.add_trace(taken);
            }
        }
        let world = session.simulation().world();
        if let Some((name, column)) = &self.column {
            let (mut known, mut values) = frame.column.take().unwrap_or_default();
            known.clone_from(name);
            values.resize_with(self.regions.len(), Vec::new);
            for ((entity, _), (values, info)) in self
                .regions
                .iter()
                .zip(values.iter_mut().zip(&structure.regions))
            {
                values.clear();
                let neurons = info.neurons as usize;
                let entity = world.entity(*entity);
                if (column.present)(entity) {
                    (column.read)(entity, Which::First(neurons), values);
                }
            }
            frame.column = Some((known, values));
        } else {
            frame.column = None;
        }
        frame.state = None;
        if let Some((region, neuron)) = &self.subscription.state_of
            && let Some(index) = structure.region(region)
            && *neuron < structure.regions[index].neurons
        {
            let entity = world.entity(self.regions[index].0);
            let columns = world.resource::<ColumnRegistry>();
            let mut state = Vec::new();
            for column in columns.iter().filter(|c| (c.present)(entity)) {
                let mut value = Vec::with_capacity(1);
                (column.read)(entity, Which::These(&[*neuron]), &mut value);
                state.extend(value.first().map(|v| (column.name, *v)));
            }
            frame.state = Some((region.clone(), *neuron, state));
        }
        self.read_synapses(session, structure, frame);
    }

    /// Reads synapses that were asked for: once, and those that change about twice a second of wall time, less often if it takes long.
    fn read_synapses(&mut self, session: &mut Session, structure: &Structure, frame: &mut Frame) {
        let (now, begun) = (session.now(), Instant::now());
        let again = begun >= self.read_from;
        let mut changing = false;
        if let Some((region, neuron)) = &self.subscription.synapses_of
            && self.synapses.starts(now, again)
        {
            frame.synapses = synapses_of(session, structure, region, *neuron).map(Arc::new);
            changing |= self.synapses.changes;
        }
        if let Some(name) = &self.subscription.weights_of
            && self.weights.starts(now, again)
        {
            frame.weights = weights_of(session, structure, name, &mut self.range).map(Arc::new);
            changing |= self.weights.changes;
        }
        if changing {
            let end = Instant::now();
            self.read_from = end + READ_EVERY.max((end - begun) * READING_SHARE);
        }
    }
}

/// Adds the sample of a step; what does not go on where the samples before end takes their place.
#[inline]
fn add_sample(part: &mut TracePart, step: u64, value: f32) {
    if part.first + part.values.len() as u64 != step || part.values.len() > MOST_SAMPLES {
        part.first = step;
        part.values.clear();
    }
    part.values.push(value);
}
