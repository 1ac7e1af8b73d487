//! What a network will take, before it is built.

use super::stimuli::bytes_of_weights;
use super::{BuildError, Delays, PreparedProjection, PreparedRegion, values};
use crate::network::distribution::Distribution;
use crate::network::stimulus::StimulusKind;
use crate::network::synapses::{Transfer, WeightFormat, predict};
use crate::plasticity::gating::Gating;
use crate::scene::modulators;
use crate::scene::quanta::Quantum;
use crate::scene::schema::{ProbeKind, Scene};
use crate::sim::columns::padded;
use crate::synapses::response::filter::Filter;
use std::collections::{BTreeMap, HashMap};

/// What the program itself takes.
const PROGRAM: f64 = 4.0e6;
/// Slots that blocks are filled up to, roughly: how many blocks there are depends on the threads.
const BLOCK_SLOTS: f64 = 60_000.0;
/// Bytes per neuron of what every region has: spikes found and listed, input map, online statistics.
const EVERY_NEURON: f64 = 54.0;
/// Bytes per neuron of a model's constants where they differ between neurons.
const OWN_CONSTANTS: f64 = 80.0;
/// Bytes per neuron of a table of Poisson counts.
const POISSON_TABLE: f64 = 400.0;

/// Bytes per neuron of what plasticity keeps of its last spikes.
const HISTORY_OF_SOURCE: f64 = 60.0;
/// Bytes per target neuron of changing synapses besides what rules keep of it.
const CHANGING_TARGET: f64 = 20.0;
/// Bytes per target neuron that a rule of upkeep knows of it.
const UPKEEP_OF_TARGET: f64 = 48.0;

/// Slots that the input of all regions may have: so many blocks have a 16-bit index.
const MOST_SLOTS: f64 = 65_000.0 * BLOCK_SLOTS;

/// The slots that a region's input is summed in.
fn slots_of(neurons: u32, receptors: &[Quantum]) -> f64 {
    let used = receptors.iter().filter(|q| q.exponent.is_some()).count();
    padded(neurons as usize) as f64 * used as f64
}

/// Checks that the input of all regions can be addressed.
pub(super) fn check_slots(scene: &Scene, receptors: &[Vec<Quantum>]) -> Result<(), BuildError> {
    let regions = scene.regions.iter().zip(receptors);
    let slots = regions.fold(0.0, |sum, (region, receptors)| {
        sum + slots_of(region.neurons, receptors)
    });
    if slots <= MOST_SLOTS {
        return Ok(());
    }
    let message = format!(
        "{slots:e} inputs (neurons times the receptors that something reaches) are too many; at most {MOST_SLOTS:e} can be told apart"
    );
    Err(BuildError::new("regions", message))
}

/// Bytes of the built network, and bytes that building it takes on top. Both saturate.
pub(super) fn predict_bytes(
    scene: &Scene,
    regions: &[PreparedRegion],
    projections: &[PreparedProjection],
    receptors: &[Vec<Quantum>],
    places: &HashMap<&str, usize>,
) -> (u64, u64) {
    let (mut bytes, mut temporary) = (PROGRAM, 0.0f64);
    let mut slots = 0.0;
    for ((region, prepared), receptors) in scene.regions.iter().zip(regions).zip(receptors) {
        slots += slots_of(region.neurons, receptors);
        let state = prepared.model.bytes_per_neuron as f64;
        let own = if values::varies(region.model.0.as_ref()) {
            OWN_CONSTANTS
        } else {
            0.0
        };
        let place = if region.layout.is_some() { 12.0 } else { 0.0 };
        let neurons = f64::from(region.neurons);
        bytes += neurons * (state + own + place + EVERY_NEURON);
        temporary = temporary.max(neurons * (state + own));
    }
    let blocks = (slots / BLOCK_SLOTS).ceil().max(2.0) as usize;

    let mut ring = 1.0f64;
    for group in groups(projections).values() {
        let source = &scene.regions[projections[group[0]].from];
        let rows = source.neurons as usize;
        let synapses: f64 = group.iter().map(|&i| projections[i].synapses).sum();
        let delays = union_of_delays(projections, group);
        let longest = f64::from(delays.last().copied().unwrap_or(1)) + 1.0;
        let (transfer, store) = predict(
            rows,
            synapses,
            blocks,
            delays.len(),
            projections[group[0]].format,
        );
        bytes += store;
        match transfer {
            // The spikes of the source that are under way.
            Transfer::Pull => bytes += 8.0 * (rows as f64 + longest),
            Transfer::Push => ring = ring.max(longest),
        }
        temporary += 4.0 * rows as f64 * (group.len() + 1) as f64;
    }
    for (i, p) in projections.iter().enumerate() {
        let Some(changing) = &p.changing else {
            continue;
        };
        let (sources, targets) = (scene.regions[p.from].neurons, scene.regions[p.to].neurons);
        let delays = union_of_delays(projections, &[i]);
        let rows = f64::from(sources);
        let synapse = if changing.tagged { 12.0 } else { 8.0 };
        bytes += p.synapses * synapse + rows * (8.0 + 4.0 * (blocks * delays.len() + 1) as f64);
        bytes += rows * (HISTORY_OF_SOURCE + changing.wide_traces);
        let upkeep = changing.upkeep.len() as f64 * UPKEEP_OF_TARGET;
        bytes += f64::from(targets) * (CHANGING_TARGET + upkeep + changing.target_bytes);
        let classes = modulators::classes(scene, (&p.name, targets));
        bytes += classes * Gating::bytes_per_class(changing.exact);
        ring = ring.max(f64::from(delays.last().copied().unwrap_or(1)) + 1.0);
        temporary += 4.0 * rows;
    }
    for p in projections {
        if let Some(cascade) = &p.response {
            let targets = padded(scene.regions[p.to].neurons as usize) as f64;
            bytes += targets * Filter::bytes_per_train(cascade);
        }
    }
    let wide = receptors.iter().flatten().any(|q| q.wide);
    bytes += slots * ring * if wide { 8.0 } else { 4.0 };

    for stimulus in &scene.stimuli {
        let neurons = places
            .get(stimulus.to.as_str())
            .map_or(0.0, |&to| f64::from(scene.regions[to].neurons));
        let tables = match &stimulus.kind {
            StimulusKind::Poisson { rate_hz, .. } if !Distribution::is_constant(rate_hz) => {
                POISSON_TABLE
            }
            _ => 0.0,
        };
        bytes += neurons * (8.0 + tables);
        temporary += 4.0 * neurons;
    }
    for probe in &scene.probes {
        bytes += bytes_of_weights(scene, &probe.kind, projections);
        if let ProbeKind::Column { neurons, .. } = &probe.kind {
            let probed = scene
                .regions
                .iter()
                .filter(|r| probe.region.as_ref().is_none_or(|name| *name == r.name));
            bytes += 4.0
                * probed
                    .map(|r| f64::from(neurons.count(r.neurons).unwrap_or(0)))
                    .sum::<f64>();
        }
    }
    temporary += projections
        .iter()
        .map(|p| p.temporary_bytes as f64)
        .sum::<f64>();
    (bytes as u64, temporary as u64)
}

/// Projections that share a store: same source region, same weight format. Those whose synapses change have their own.
pub(in crate::scene) fn groups(
    projections: &[PreparedProjection],
) -> BTreeMap<(usize, WeightFormat), Vec<usize>> {
    let mut groups: BTreeMap<_, Vec<usize>> = BTreeMap::new();
    for (i, p) in projections.iter().enumerate() {
        if p.changing.is_none() {
            groups.entry((p.from, p.format)).or_default().push(i);
        }
    }
    groups
}

/// The delays in steps of a group of projections, ascending.
pub(in crate::scene) fn union_of_delays(
    projections: &[PreparedProjection],
    group: &[usize],
) -> Vec<u32> {
    let mut occurs = Vec::new();
    let mut mark = |first: u32, last: u32| {
        let (first, last) = (first as usize, last as usize);
        occurs.resize(occurs.len().max(last + 1), false);
        occurs[first..=last].fill(true);
    };
    for &i in group {
        match &projections[i].delays {
            Delays::Fixed(steps) => mark(*steps, *steps),
            Delays::Range(first, last) => mark(*first, *last),
            Delays::Listed(list) => list.iter().for_each(|steps| mark(*steps, *steps)),
        }
    }
    (0u32..)
        .zip(occurs)
        .filter_map(|(steps, occurs)| occurs.then_some(steps))
        .collect()
}
