//! Filling frames with what observers subscribed to. Reads the network between steps; writes nothing of it.

use super::Session;
use super::frame::{
    Frame, NeuronSynapses, SpikeAt, Structure, Subscription, SynapseAt, TracePart, WeightMatrix,
};
use crate::network::region::{Region, Spikes};
use crate::neurons::{Receptor, ReflectNeuronModel, Sign};
use crate::scene::schema::RegionSpec;
use crate::sim::columns::{ColumnDescriptor, ColumnRegistry, Which};
use bevy::prelude::*;
use std::sync::Arc;

/// The most spikes that wait in a frame that nobody reads.
const MOST_SPIKES: usize = 4_000_000;
/// The most samples of a trace that wait in a frame that nobody reads.
const MOST_SAMPLES: usize = 1_000_000;
/// The most synapses of a neuron that are shown.
const MOST_SYNAPSES: usize = 4_000;
/// Cells of a weight matrix along one side, at most.
const MOST_CELLS: usize = 256;
/// Bins of a histogram of weights.
const BINS: usize = 60;

/// The traces of one column of one region, and their samples since the last frame.
struct Traced {
    entity: Entity,
    column: ColumnDescriptor,
    neurons: Vec<u32>,
    parts: Vec<TracePart>,
}

/// What an observer of one network looks at, resolved to entities.
#[derive(Default)]
pub struct Observer {
    regions: Vec<(Entity, u32)>,
    subscription: Subscription,
    traces: Vec<Traced>,
    /// Samples of traces that are not subscribed any more.
    left: Vec<TracePart>,
    /// Values of one step.
    values: Vec<f32>,
    column: Option<(String, ColumnDescriptor)>,
    /// Whether synapses and weights that were asked for are still to be read.
    synapses_due: bool,
    weights_due: bool,
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
        self.left
            .extend(before.filter(|part| !part.values.is_empty()));
        for of in &subscription.traces {
            let Some(region) = structure.region(&of.region) else {
                continue;
            };
            let info = &structure.regions[region];
            let known = info.columns.iter().any(|(name, _)| *name == of.column);
            let Some(&column) = columns.get(&of.column).filter(|_| known) else {
                continue;
            };
            if of.neuron >= info.neurons {
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
            traced.neurons.push(of.neuron);
            traced.parts.push(TracePart {
                of: of.clone(),
                first: 0,
                values: Vec::new(),
            });
        }
        self.column = subscription
            .column
            .as_ref()
            .and_then(|name| columns.get(name).map(|column| (name.clone(), *column)));
        self.synapses_due |= subscription.synapses_of != self.subscription.synapses_of;
        self.weights_due |= subscription.weights_of != self.subscription.weights_of;
        self.synapses_due &= subscription.synapses_of.is_some();
        self.weights_due &= subscription.weights_of.is_some();
        self.subscription = subscription;
    }

    /// What was subscribed.
    pub fn subscription(&self) -> &Subscription {
        &self.subscription
    }

    /// Takes from the step that was just done what is wanted of every step.
    #[inline]
    pub fn after_step(&mut self, session: &Session, frame: &mut Frame) {
        if !self.subscription.spikes && self.traces.is_empty() {
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
                if part.first + part.values.len() as u64 != step || part.values.len() > MOST_SAMPLES
                {
                    part.first = step;
                    part.values.clear();
                }
                part.values.push(*value);
            }
        }
    }

    /// Forgets what was taken of a step and of later ones.
    pub fn forget(&mut self, from: u64) {
        let parts = self.traces.iter_mut().flat_map(|traced| &mut traced.parts);
        for part in parts.chain(&mut self.left) {
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
        for part in self.traces.iter_mut().flat_map(|traced| &mut traced.parts) {
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
        if core::mem::take(&mut self.synapses_due)
            && let Some((region, neuron)) = self.subscription.synapses_of.clone()
        {
            let found = synapses_of(session, structure, &region, neuron);
            frame.synapses = found.map(Arc::new);
        }
        if core::mem::take(&mut self.weights_due)
            && let Some(name) = self.subscription.weights_of.clone()
        {
            frame.weights = weights_of(session, structure, &name).map(Arc::new);
        }
    }
}

/// All synapses into and out of a neuron; a sample spread evenly if there are very many.
fn synapses_of(
    session: &mut Session,
    structure: &Structure,
    region: &str,
    neuron: u32,
) -> Option<NeuronSynapses> {
    let index = structure.region(region)?;
    let number = structure.regions[index].first + neuron;
    let (mut outgoing, mut incoming) = (Vec::new(), Vec::new());
    let signs = signs(session);
    session.simulation_mut().visit_synapses(
        &mut |synapse| {
            let (from_region, to_region) = (synapse.from.0 as usize, synapse.to.0 as usize);
            let from = structure.regions[from_region].first + synapse.from.1;
            let to = structure.regions[to_region].first + synapse.to.1;
            if from != number && to != number {
                return;
            }
            let sign = signs[to_region][synapse.receptor as usize];
            let at = SynapseAt {
                from,
                to,
                weight: sign * synapse.weight,
                delay: synapse.delay,
            };
            if from == number {
                outgoing.push(at);
            } else {
                incoming.push(at);
            }
        },
        Some((index as u32, neuron)),
    );
    let counts = (outgoing.len() as u64, incoming.len() as u64);
    for list in [&mut outgoing, &mut incoming] {
        let every = list.len().div_ceil(MOST_SYNAPSES / 2).max(1);
        let mut place = 0;
        list.retain(|_| {
            place += 1;
            (place - 1) % every == 0
        });
    }
    outgoing.append(&mut incoming);
    Some(NeuronSynapses {
        of: (region.to_owned(), neuron),
        synapses: outgoing,
        outgoing: counts.0,
        incoming: counts.1,
    })
}

/// −1 for receptors that take the magnitude of negative weights, else 1: per region and receptor.
fn signs(session: &Session) -> Vec<Vec<f32>> {
    let types = session.registry().types.read();
    let of_region = |region: &RegionSpec| {
        let info = region.model.0.get_represented_type_info()?;
        let model = types.get_type_data::<ReflectNeuronModel>(info.type_id())?;
        let sign = |receptor: &Receptor| {
            if receptor.sign == Sign::Negative {
                -1.0
            } else {
                1.0
            }
        };
        Some(model.receptors.iter().map(sign).collect())
    };
    session
        .scene()
        .regions
        .iter()
        .map(|region| of_region(region).unwrap_or_default())
        .collect()
}

/// The weights of a projection, of all synapses between its regions onto its receptor.
fn weights_of(session: &mut Session, structure: &Structure, name: &str) -> Option<WeightMatrix> {
    let projection = structure.projections.iter().find(|p| p.name == name)?;
    let (from, to) = (
        &structure.regions[projection.from],
        &structure.regions[projection.to],
    );
    let receptor = to
        .receptors
        .iter()
        .position(|r| r.0 == projection.receptor)? as u32;
    let sign = signs(session)[projection.to][receptor as usize];
    let rows = (from.neurons as usize).min(MOST_CELLS);
    let columns = (to.neurons as usize).min(MOST_CELLS);
    let mut sums = vec![(0.0f64, 0u32); rows * columns];
    let (mut out_degrees, mut in_degrees) =
        (vec![0; from.neurons as usize], vec![0; to.neurons as usize]);
    let (mut least, mut largest) = (f32::INFINITY, f32::NEG_INFINITY);
    let mut weights = Vec::new();
    session.simulation_mut().visit_synapses(
        &mut |synapse| {
            if (synapse.from.0 as usize, synapse.to.0 as usize) != (projection.from, projection.to)
                || synapse.receptor != receptor
            {
                return;
            }
            let (source, target) = (synapse.from.1 as usize, synapse.to.1 as usize);
            let weight = sign * synapse.weight;
            let row = source * rows / out_degrees.len();
            let column = target * columns / in_degrees.len();
            let (sum, count) = &mut sums[row * columns + column];
            *sum += f64::from(weight);
            *count += 1;
            out_degrees[source] += 1;
            in_degrees[target] += 1;
            least = least.min(weight);
            largest = largest.max(weight);
            weights.push(weight);
        },
        None,
    );
    let mut bins = vec![0u64; BINS];
    if weights.is_empty() {
        (least, largest) = (0.0, 0.0);
    }
    let width = (largest - least).max(f32::MIN_POSITIVE);
    for weight in weights {
        let bin = ((weight - least) / width * BINS as f32) as usize;
        bins[bin.min(BINS - 1)] += 1;
    }
    Some(WeightMatrix {
        of: name.to_owned(),
        rows,
        columns,
        cells: sums
            .iter()
            .map(|&(sum, count)| {
                if count == 0 {
                    f32::NAN
                } else {
                    (sum / f64::from(count)) as f32
                }
            })
            .collect(),
        neurons: (from.neurons, to.neurons),
        histogram: (least, largest, bins),
        out_degrees,
        in_degrees,
    })
}
