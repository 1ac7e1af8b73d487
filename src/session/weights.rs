//! Synapses and weights for observers.

use super::Session;
use super::frame::{NeuronSynapses, Structure, SynapseAt, WeightMatrix};
use crate::network::plastic::PlasticSynapses;
use crate::neurons::{Receptor, ReflectNeuronModel, Sign};
use crate::scene::build::visit_made;
use crate::scene::prepare::PreparedProjection;
use crate::scene::schema::RegionSpec;
use crate::simulation::Synapse;

/// The most synapses of a neuron that are shown.
const MOST_SYNAPSES: usize = 4_000;
/// Cells of a weight matrix along one side, at most.
const MOST_CELLS: usize = 256;
/// Bins of a histogram of weights.
const BINS: usize = 60;
/// How much farther than the weights a histogram goes that has to go farther, as a part of their range.
const MARGIN: f32 = 0.1;

/// Of which projection the weights of a histogram are, and from where to where it has gone so far.
pub type HistogramRange = Option<(String, f32, f32)>;

/// All synapses into and out of a neuron; a sample spread evenly if there are very many.
pub fn synapses_of(
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

/// The weights of a projection. `range` is that of its histogram before, which goes farther if it must.
pub fn weights_of(
    session: &mut Session,
    structure: &Structure,
    name: &str,
    range: &mut HistogramRange,
) -> Option<WeightMatrix> {
    let projection = structure.projections.iter().find(|p| p.name == name)?;
    let (from, to) = (
        &structure.regions[projection.from],
        &structure.regions[projection.to],
    );
    let receptor = to
        .receptors
        .iter()
        .position(|r| r.0 == projection.receptor)?;
    let sign = signs(session)[projection.to][receptor];
    let rows = (from.neurons as usize).min(MOST_CELLS);
    let columns = (to.neurons as usize).min(MOST_CELLS);
    let mut sums = vec![(0.0f64, 0u32); rows * columns];
    let (mut out_degrees, mut in_degrees) =
        (vec![0; from.neurons as usize], vec![0; to.neurons as usize]);
    let (mut least, mut largest) = (f32::INFINITY, f32::NEG_INFINITY);
    let mut weights = Vec::with_capacity(projection.synapses as usize);
    visit(session, name, &mut |synapse| {
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
    });
    if weights.is_empty() {
        (least, largest) = (0.0, 0.0);
    }
    let changes = structure.learns(name);
    if changes {
        let bounds = bounds_of(session, name, sign);
        (least, largest) = widened(range, name, (least, largest), bounds);
    }
    let mut bins = vec![0u64; BINS];
    let per_weight = BINS as f32 / (largest - least).max(f32::MIN_POSITIVE);
    for weight in weights {
        let bin = ((weight - least) * per_weight) as usize;
        bins[bin.min(BINS - 1)] += 1;
    }
    Some(WeightMatrix {
        of: name.to_owned(),
        step: session.now(),
        changes,
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

/// Visits the synapses of a projection alone.
fn visit(session: &mut Session, name: &str, visit: &mut dyn FnMut(Synapse)) {
    let projections = &session.prepared.projections;
    let ends = |p: &PreparedProjection| (!p.is_changing()).then_some((p.from, p.to, p.receptor));
    let own = projections.iter().position(|p| p.name == name);
    let own = own.and_then(|index| Some((index, ends(&projections[index])?)));
    // Projections that join the same are one in their store.
    let alike = |(_, own)| projections.iter().filter(|p| ends(p) == Some(own)).count();
    if let Some((index, _)) = own.filter(|own| alike(*own) > 1) {
        let (scene, options) = (&session.scene, &session.options);
        let world = session.simulation.world_unchanged();
        // What has been built once can be made again.
        let made = visit_made(world, scene, &session.prepared, index, options, visit);
        debug_assert!(made.is_ok(), "{made:?}");
    } else if let Some(projection) = session.simulation.projection(name) {
        session.simulation.visit_projection(projection, visit);
    }
}

/// The bounds of the weights of a projection that learns.
fn bounds_of(session: &mut Session, name: &str, sign: f32) -> (f32, f32) {
    let simulation = &mut session.simulation;
    let found = simulation.projection(name);
    let synapses = found.and_then(|p| simulation.world().get::<PlasticSynapses>(p));
    let (low, high) = synapses.map_or((f32::NEG_INFINITY, f32::INFINITY), |synapses| {
        let sign = sign * synapses.per_quantum().signum();
        let (low, high) = synapses.bounds();
        (sign * low, sign * high)
    });
    (low.min(high), low.max(high))
}

/// The range of a histogram that has to hold these weights: that of before, as far as it need not go farther, within the bounds.
fn widened(
    range: &mut HistogramRange,
    name: &str,
    (least, largest): (f32, f32),
    (low, high): (f32, f32),
) -> (f32, f32) {
    let margin = MARGIN * (largest - least);
    let now = match range {
        Some((of, from, to)) if of == name => {
            if least < *from {
                *from = (least - margin).max(low);
            }
            if largest > *to {
                *to = (largest + margin).min(high);
            }
            (*from, *to)
        }
        _ => (least, largest),
    };
    *range = Some((name.to_owned(), now.0, now.1));
    now
}
