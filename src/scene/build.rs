//! From a scene to a network: checking, sizing, building.
//!
//! [`prepare`] resolves every name of a [`Scene`], checks what single values cannot show (signs, receptors, degrees, delays), chooses quanta
//! and predicts memory and cost. Nothing large is allocated before that has passed. [`build`] then spawns the
//! entities; connectivity is a function of the seed alone, made on all cores.

use super::schema::{Dale, ProbeKind, ProjectionSpec, RegionSpec, Scene, StimulusSpec};
use crate::files::Files;
use crate::network::connect::words::Words;
use crate::network::connect::{self, ListEntry, Plan, Request, Rule};
use crate::network::distribution::{Distribution, Sampler};
use crate::network::probe::{ColumnProbe, RateProbe, SpikeProbe, StatisticsProbe};
use crate::network::projection::{Connect, ProjectsFrom, ProjectsTo, Synapses};
use crate::network::propagate::{InputSlots, Slots, SpikeCount, SpikeHistory};
use crate::network::region::{InputMap, MAX_RECEPTORS, Positions, Region, Spikes};
use crate::network::stimulus::{
    Action, Background, Course, PoissonCounts, Stimulus, StimulusKind, StimulusOrder, window_steps,
};
use crate::network::synapses::{
    BuildSynapse, StorePlan, SynapseStore, Transfer, WeightFormat, predict,
};
use crate::neurons::{BuildRegion, ReflectNeuronModel, Sign};
use crate::results::Window as StatisticsWindow;
use crate::results::online::OnlineStatistics;
use crate::sim::clock::{Clock, to_steps};
use crate::sim::columns::{Column, ColumnRegistry, Drive, LANES, padded};
use crate::sim::rng::{Purpose, Random, Seed, entity_key};
use crate::sim::simd::SimdLevel;
use crate::sim::workers::Workers;
use bevy::prelude::*;
use bevy::reflect::TypeRegistry;
use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicU64, Ordering};

/// Slots that one block can have: a target is a 16-bit index.
const BLOCK_SLOTS: usize = 1 << 16;
/// Neurons per lane below which a further lane would cost more than it brings.
const NEURONS_PER_LANE: u64 = 4_096;

/// What is wrong with a scene, and where in it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{path}: {message}")]
pub struct BuildError {
    /// The place, for example `projections[2].weight`.
    pub path: String,
    /// What is wrong and what is allowed.
    pub message: String,
}

impl BuildError {
    fn new(path: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            path: path.into(),
            message: message.into(),
        }
    }
}

/// What is implausible in a scene, though it can be run.
pub type Warning = BuildError;

/// How to build and run.
#[derive(Clone, Debug)]
pub struct BuildOptions {
    /// Threads to build and to run on; a small network runs on fewer.
    pub threads: usize,
    /// Run on exactly `threads` lanes even if the network is small: for tests of determinism.
    pub force_lanes: bool,
    /// Vector instructions.
    pub simd: SimdLevel,
    /// Add a probe of statistics over all regions.
    pub statistics: bool,
    /// The most memory that the network may take, in bytes.
    pub memory_limit: Option<u64>,
}

impl Default for BuildOptions {
    fn default() -> Self {
        Self {
            threads: std::thread::available_parallelism().map_or(1, usize::from),
            force_lanes: false,
            simd: SimdLevel::detect(),
            statistics: false,
            memory_limit: None,
        }
    }
}

/// A projection with its names resolved.
#[derive(Debug)]
pub struct PreparedProjection {
    /// Its name.
    pub name: String,
    /// Source region.
    pub from: usize,
    /// Target region.
    pub to: usize,
    /// Receptor of the target.
    pub receptor: usize,
    /// +1, or −1 where the receptor takes the magnitude of negative weights.
    factor: f64,
    /// The expected number of synapses.
    pub synapses: f64,
    /// The format of its weights.
    format: WeightFormat,
    /// The delays that may occur, in steps.
    delays: Delays,
    /// Bytes that making the connectivity takes for a while.
    temporary_bytes: u64,
    /// The rule, with the files that it names read.
    rule: Rule,
}

#[derive(Debug, Clone)]
enum Delays {
    Fixed(u32),
    Range(u32, u32),
    Listed(Vec<u32>),
}

impl Delays {
    fn steps(&self) -> Vec<u32> {
        match self {
            Self::Fixed(d) => vec![*d],
            Self::Range(a, b) => (*a..=*b).collect(),
            Self::Listed(list) => list.clone(),
        }
    }
}

/// The unit of one receptor's sums.
#[derive(Clone, Copy, Debug, Default)]
struct Quantum {
    /// The binary exponent of the quantum; `None` if nothing reaches the receptor.
    exponent: Option<i32>,
    /// Whether the largest sum needs 64 bits.
    wide: bool,
}

/// A scene that can be built.
pub struct Prepared {
    /// The projections, in the order of the scene.
    pub projections: Vec<PreparedProjection>,
    /// Neurons of all regions.
    pub neurons: u64,
    /// Expected synapses.
    pub synapses: f64,
    /// Predicted bytes of the built network.
    pub bytes: u64,
    /// Predicted bytes at the peak of building.
    pub peak_bytes: u64,
    /// What is implausible.
    pub warnings: Vec<Warning>,
    receptors: Vec<Vec<Quantum>>,
    stimulus_receptors: Vec<usize>,
    lists: Vec<Option<ListRows>>,
    regions: Vec<PreparedRegion>,
}

impl Prepared {
    /// A rough prediction of the CPU seconds per simulated second, for neurons that fire at 5 Hz.
    pub fn predicted_cost(&self, scene: &Scene) -> f64 {
        // Nanoseconds per step, neuron and step, and synaptic event, as measured on the benchmark networks.
        const STEP: f64 = 400.0;
        const NEURON: f64 = 0.6;
        const EVENT: f64 = 1.5;
        let steps = 1e3 / scene.dt_ms;
        let state: f64 = scene
            .regions
            .iter()
            .zip(&self.regions)
            .map(|(r, p)| f64::from(r.neurons) * p.model.bytes_per_neuron as f64 / 16.0)
            .sum();
        (steps * (STEP + NEURON * state) + 5.0 * EVENT * self.synapses) * 1e-9
    }
}

/// What is known of a region before it is built.
struct PreparedRegion {
    model: ReflectNeuronModel,
    type_name: &'static str,
}

/// The entries of a list rule, sorted by source.
#[derive(Debug)]
struct ListRows {
    /// The first entry of each source in `order`, and the end.
    start: Vec<usize>,
    /// Entries by source, otherwise in the order of the list.
    order: Vec<u32>,
    targets: Vec<u32>,
    weights: Option<Vec<f64>>,
    delays: Option<Vec<f64>>,
}

/// What is printed of a network that is too large.
fn in_gib(bytes: u64) -> String {
    format!("{:.2} GiB", bytes as f64 / (1u64 << 30) as f64)
}

/// A name that is close to one of `known`, as a hint.
fn hint<'a>(name: &str, known: impl IntoIterator<Item = &'a str> + Clone) -> String {
    super::error::nearest(name, known.clone()).map_or_else(|| format!("; known: {}", super::error::listed(known.clone())), |n| format!("; did you mean \"{n}\"? known: {}", super::error::listed(known.clone())))
}

/// Checks a scene, resolves its names and predicts what it takes.
///
/// # Errors
/// The first thing that is wrong, with its place in the scene.
pub fn prepare(scene: &Scene, registry: &TypeRegistry, files: &dyn Files) -> Result<Prepared, BuildError> {
    let mut warnings = Vec::new();
    let dt = scene.dt_ms;
    let names: Vec<&str> = scene.regions.iter().map(|r| r.name.as_str()).collect();
    if scene.regions.is_empty() {
        return Err(BuildError::new("regions", "a scene needs at least one region"));
    }
    let mut seen = HashMap::new();
    let mut regions = Vec::new();
    let mut neurons = 0u64;
    for (i, region) in scene.regions.iter().enumerate() {
        let path = format!("regions[{i}]");
        if region.name.trim().is_empty() {
            return Err(BuildError::new(path + ".name", "a region needs a name"));
        }
        if let Some(first) = seen.insert(region.name.as_str(), i) {
            return Err(BuildError::new(
                path + ".name",
                format!("the name \"{}\" is taken by regions[{first}]; names must differ", region.name),
            ));
        }
        regions.push(prepare_region(region, &path, registry, dt)?);
        neurons += u64::from(region.neurons);
    }
    let find = |name: &str, path: String| {
        names
            .iter()
            .position(|n| *n == name)
            .ok_or_else(|| BuildError::new(path, format!("unknown region \"{name}\"{}", hint(name, names.iter().copied()))))
    };
    let mut lists = Vec::new();
    let mut projections: Vec<PreparedProjection> = Vec::new();
    for (i, projection) in scene.projections.iter().enumerate() {
        let path = format!("projections[{i}]");
        let from = find(&projection.from, format!("{path}.from"))?;
        let to = find(&projection.to, format!("{path}.to"))?;
        let (prepared, list) = prepare_projection(scene, projection, &path, from, to, &regions, files, &mut warnings)?;
        let mut prepared = prepared;
        if projections.iter().any(|p| p.name == prepared.name) {
            if projection.name.is_some() {
                return Err(BuildError::new(
                    path + ".name",
                    format!("the name \"{}\" is taken; names must differ", prepared.name),
                ));
            }
            let count = projections.iter().filter(|p| (p.from, p.to) == (from, to)).count();
            prepared.name = format!("{} #{}", prepared.name, count + 1);
        }
        projections.push(prepared);
        lists.push(list);
    }
    let mut stimulus_receptors = Vec::new();
    for (i, stimulus) in scene.stimuli.iter().enumerate() {
        let path = format!("stimuli[{i}]");
        let to = find(&stimulus.to, format!("{path}.to"))?;
        stimulus_receptors.push(prepare_stimulus(scene, stimulus, &path, &regions[to], &mut warnings)?);
    }
    for (i, probe) in scene.probes.iter().enumerate() {
        let path = format!("probes[{i}]");
        let targets: Vec<usize> = match &probe.region {
            Some(name) => vec![find(name, format!("{path}.region"))?],
            None => (0..regions.len()).collect(),
        };
        match &probe.kind {
            ProbeKind::Column { column, neurons, .. } => {
                for &target in &targets {
                    let known = regions[target].model.columns;
                    let driven = column == "drive" && scene.stimuli.iter().any(|s| s.to == names[target] && is_current(&s.kind));
                    if !known.contains(&column.as_str()) && !driven {
                        return Err(BuildError::new(
                            format!("{path}.kind.column"),
                            format!(
                                "{} of region \"{}\" has no column \"{column}\"{}",
                                regions[target].type_name,
                                names[target],
                                hint(column, known.iter().copied())
                            ),
                        ));
                    }
                    let random = Random::new(scene.seed, 0, Purpose::Choice);
                    neurons
                        .neurons(scene.regions[target].neurons, random)
                        .map_err(|e| BuildError::new(format!("{path}.kind.neurons"), e))?;
                }
            }
            ProbeKind::Weights { from, to } => {
                find(from, format!("{path}.kind.from"))?;
                find(to, format!("{path}.kind.to"))?;
            }
            ProbeKind::Spikes | ProbeKind::Rate { .. } => {}
        }
    }
    let receptors = choose_quanta(scene, &regions, &mut projections, &lists, &stimulus_receptors, &names)?;
    warn_of_silence(scene, &regions, &projections, &mut warnings);
    let synapses = projections.iter().map(|p| p.synapses).sum();
    let (bytes, temporary) = predict_bytes(scene, &regions, &projections);
    Ok(Prepared {
        projections,
        neurons,
        synapses,
        bytes,
        peak_bytes: bytes + temporary,
        warnings,
        receptors,
        stimulus_receptors,
        lists,
        regions,
    })
}

fn prepare_region(
    region: &RegionSpec,
    path: &str,
    registry: &TypeRegistry,
    dt: f64,
) -> Result<PreparedRegion, BuildError> {
    let at = |field: &str, message: String| BuildError::new(format!("{path}.{field}"), message);
    let info = region
        .model
        .0
        .get_represented_type_info()
        .ok_or_else(|| at("model", "a region needs a neuron model".into()))?;
    let model = registry
        .get_type_data::<ReflectNeuronModel>(info.type_id())
        .ok_or_else(|| at("model", format!("{} is no neuron model", info.type_path_table().short_path())))?;
    (model.check)(region.model.0.as_ref(), dt).map_err(|e| at("model", e))?;
    if region.neurons == 0 {
        return Err(at("neurons", "a region needs at least one neuron".into()));
    }
    for (name, _) in &region.initial {
        if !model.columns.contains(&name.as_str()) {
            return Err(at(
                "initial",
                format!(
                    "{} has no column \"{name}\"{}",
                    info.type_path_table().short_path(),
                    hint(name, model.columns.iter().copied())
                ),
            ));
        }
    }
    if let Some(layout) = &region.layout {
        layout.check(region.neurons).map_err(|e| at("layout", e.to_string()))?;
    }
    Ok(PreparedRegion {
        model: model.clone(),
        type_name: info.type_path_table().short_path(),
    })
}

/// The receptor that a weight from `low` to `high` goes to, and the factor that its weights are stored with.
fn resolve_receptor(
    wanted: Option<&str>,
    region: &PreparedRegion,
    low: f64,
    high: f64,
) -> Result<(usize, f64), String> {
    let receptors = region.model.receptors;
    if receptors.is_empty() {
        return Err(format!("{} takes no synaptic input", region.type_name));
    }
    let index = match wanted {
        Some(name) => receptors.iter().position(|r| r.name == name).ok_or_else(|| {
            format!(
                "{} has no receptor \"{name}\"{}",
                region.type_name,
                hint(name, receptors.iter().map(|r| r.name))
            )
        })?,
        None if receptors.len() == 1 || low >= 0.0 => 0,
        None if high <= 0.0 => 1,
        None => {
            return Err(format!(
                "weights from {low} to {high} have both signs, so the receptor must be named; {} has: {}",
                region.type_name,
                super::error::listed(receptors.iter().map(|r| r.name))
            ));
        }
    };
    match receptors[index].sign {
        Sign::Any => Ok((index, 1.0)),
        Sign::Positive if low >= 0.0 => Ok((index, 1.0)),
        Sign::Negative if high <= 0.0 => Ok((index, -1.0)),
        Sign::Positive => Err(format!(
            "the receptor \"{}\" of {} takes weights of 0 or more ({}), but these go down to {low}",
            receptors[index].name, region.type_name, receptors[index].unit
        )),
        Sign::Negative => Err(format!(
            "the receptor \"{}\" of {} takes weights of 0 or less ({}), but these go up to {high}",
            receptors[index].name, region.type_name, receptors[index].unit
        )),
    }
}

#[expect(clippy::too_many_arguments, reason = "one call, each argument a different part of the scene")]
fn prepare_projection(
    scene: &Scene,
    projection: &ProjectionSpec,
    path: &str,
    from: usize,
    to: usize,
    regions: &[PreparedRegion],
    files: &dyn Files,
    warnings: &mut Vec<Warning>,
) -> Result<(PreparedProjection, Option<ListRows>), BuildError> {
    let at = |field: &str, message: String| BuildError::new(format!("{path}.{field}"), message);
    let dt = scene.dt_ms;
    let (source, target) = (&scene.regions[from], &scene.regions[to]);
    let list = list_rows(projection, source.neurons, target.neurons, files).map_err(|e| at("rule", e))?;
    let given = |distribution: &Distribution, listed: bool, field: &str| match distribution {
        Distribution::Constant(value) if value.is_nan() && listed => Ok(()),
        Distribution::Constant(value) if value.is_nan() => {
            Err(at(field, format!("this projection has no `{field}`: give it here, or in every entry of a list")))
        }
        drawn => drawn.check().map_err(|e| at(field, e)),
    };
    given(&projection.weight, list.as_ref().is_some_and(|l| l.weights.is_some()), "weight")?;
    given(&projection.delay_ms, list.as_ref().is_some_and(|l| l.delays.is_some()), "delay_ms")?;
    let extremes = |values: &[f64]| {
        values
            .iter()
            .fold((f64::INFINITY, f64::NEG_INFINITY), |(a, b), &v| (a.min(v), b.max(v)))
    };
    let listed_weights = list.as_ref().and_then(|l| l.weights.as_deref());
    let (low, high) = match listed_weights {
        Some([]) => (0.0, 0.0),
        Some(weights) => extremes(weights),
        None => {
            let (low, high) = projection.weight.bounds();
            let most = projection.weight.largest_magnitude();
            (low.max(-most), high.min(most))
        }
    };
    match source.sign {
        Dale::Excitatory if low < 0.0 => {
            return Err(at("weight", format!(
                "region \"{}\" is excitatory, but these weights go down to {low}; add `min: Some(0.0)` or change the sign", source.name
            )));
        }
        Dale::Inhibitory if high > 0.0 => {
            return Err(at("weight", format!(
                "region \"{}\" is inhibitory, but these weights go up to {high}; add `max: Some(0.0)` or change the sign", source.name
            )));
        }
        _ => {}
    }
    // A distribution that is cut nowhere reaches both signs only in its far tail: its mean decides then.
    let mean = if listed_weights.is_some() { None } else { Some(projection.weight.mean()) };
    let (low_sign, high_sign) = match (mean, projection.receptor.as_deref()) {
        (Some(mean), None) if low < 0.0 && high > 0.0 && mean != 0.0 => {
            let (natural_low, natural_high) = projection.weight.bounds();
            if natural_low.is_infinite() && natural_high.is_infinite() {
                return Err(at("weight", format!(
                    "weights from {low:.4} to {high:.4} have both signs; bound them with `min` or `max` at 0, or name the receptor"
                )));
            }
            (low, high)
        }
        _ => (low, high),
    };
    let (receptor, factor) = resolve_receptor(projection.receptor.as_deref(), &regions[to], low_sign, high_sign)
        .map_err(|e| {
            let unknown = e.contains("no receptor") || e.contains("no synaptic input");
            at(if unknown { "receptor" } else { "weight" }, e)
        })?;
    let step_of = |ms: f64| -> Result<u32, BuildError> {
        let steps = (ms / dt).round().max(1.0);
        if steps > 65_535.0 {
            return Err(at("delay_ms", format!("a delay of {ms} ms is {steps} steps; at most 65535 steps of {dt} ms are possible")));
        }
        Ok(steps as u32)
    };
    let shortest;
    let delays = match list.as_ref().and_then(|l| l.delays.as_deref()) {
        Some(listed) => {
            let (low, _) = extremes(listed);
            shortest = low;
            if let Some(bad) = listed.iter().find(|d| **d <= 0.0) {
                return Err(at("rule", format!("a delay in the list is {bad} ms; delays must be more than 0")));
            }
            let mut steps: Vec<u32> = listed.iter().map(|d| step_of(*d)).collect::<Result<_, _>>()?;
            steps.sort_unstable();
            steps.dedup();
            Delays::Listed(steps)
        }
        None => match &projection.delay_ms {
            Distribution::Constant(delay) => {
                shortest = *delay;
                Delays::Fixed(step_of(*delay)?)
            }
            drawn => {
                let (low, high) = Sampler::new(drawn).bounds();
                shortest = low;
                if low <= 0.0 {
                    return Err(at("delay_ms", format!("delays go down to {low:.4} ms; they must be more than 0: add `min: Some({})`", dt / 2.0)));
                }
                Delays::Range(step_of(low)?, step_of(high)?)
            }
        },
    };
    if shortest < dt * 0.999 && matches!(delays, Delays::Fixed(_) | Delays::Listed(_)) {
        warnings.push(Warning::new(
            format!("{path}.delay_ms"),
            format!("a delay of {shortest} ms is shorter than a step; it acts after one step of {dt} ms"),
        ));
    }
    let rule = match &list {
        Some(_) => projection.rule.clone(),
        None => read_rule(&projection.rule, files).map_err(|e| at("rule", e))?,
    };
    let (synapses, temporary_bytes) = match &list {
        Some(list) => (list.order.len() as f64, 0),
        None => {
            if rule.needs_positions() {
                for region in [source, target] {
                    if region.layout.is_none() {
                        return Err(at("rule", format!("this rule depends on distance, but region \"{}\" has no layout", region.name)));
                    }
                }
            } else {
                let request = Request {
                    same_region: from == to,
                    autapses: projection.autapses,
                    multapses: projection.multapses,
                    ..Request::new(&rule, source.neurons, target.neurons, Random::new(scene.seed, 0, Purpose::Connect))
                };
                connect::check(&request).map_err(|e| at("rule", e.to_string()))?;
            }
            let estimate = connect::estimate(&rule, source.neurons, target.neurons).map_err(|e| at("rule", e.to_string()))?;
            (estimate.synapses, estimate.temporary_bytes as u64)
        }
    };
    let format = match (listed_weights, &projection.weight) {
        (Some(weights), _) if weights.len() < 1_000_000 => WeightFormat::Wide,
        (Some(_), _) => WeightFormat::Narrow { shift: 0 },
        (None, w) if w.is_constant() => WeightFormat::Shared(0),
        (None, _) => WeightFormat::Narrow { shift: 0 },
    };
    let name = projection.name.clone().unwrap_or_else(|| format!("{} → {}", projection.from, projection.to));
    Ok((
        PreparedProjection { name, from, to, receptor, factor, synapses, format, delays, temporary_bytes, rule },
        list,
    ))
}

/// A rule with the files that it names read.
fn read_rule(rule: &Rule, files: &dyn Files) -> Result<Rule, String> {
    let mut read = |path: &str| -> Result<Vec<ListEntry>, String> {
        let mut columns = files.columns(path, &["source", "target"], &[])?.into_iter();
        let mut next = || columns.next().flatten().unwrap_or_default();
        let (sources, targets) = (whole_numbers(next(), "source")?, whole_numbers(next(), "target")?);
        Ok(sources
            .into_iter()
            .zip(targets)
            .map(|(source, target)| ListEntry { source, target, ..ListEntry::default() })
            .collect())
    };
    rule.read_files(&mut read).map_err(|e| e.to_string())
}

fn whole_numbers(values: Vec<f64>, what: &str) -> Result<Vec<u32>, String> {
    values
        .into_iter()
        .enumerate()
        .map(|(i, v)| {
            if v >= 0.0 && v.fract() == 0.0 && v < 4e9 {
                Ok(v as u32)
            } else {
                Err(format!("entry {i}: {what} {v} is not a neuron's number"))
            }
        })
        .collect()
}

/// The rows of a list rule, read from its file if it has one.
fn list_rows(
    projection: &ProjectionSpec,
    sources: u32,
    targets: u32,
    files: &dyn Files,
) -> Result<Option<ListRows>, String> {
    let (from, to, weights, delays) = match &projection.rule {
        Rule::ListFile(path) => {
            let mut columns = files.columns(path, &["source", "target"], &["weight", "delay_ms"])?.into_iter();
            let mut next = || columns.next().flatten();
            let (from, to) = (next().unwrap_or_default(), next().unwrap_or_default());
            let (weights, delays) = (next(), next());
            (whole_numbers(from, "source")?, whole_numbers(to, "target")?, weights, delays)
        }
        Rule::List(entries) => {
            let mut weights = Vec::new();
            let mut delays = Vec::new();
            for entry in entries {
                weights.extend(entry.weight);
                delays.extend(entry.delay_ms);
            }
            let all_or_none = |values: Vec<f64>, what: &str| match values.len() {
                0 => Ok(None),
                n if n == entries.len() => Ok(Some(values)),
                n => Err(format!("{n} of {} entries have a {what}; give it to all or to none", entries.len())),
            };
            (
                entries.iter().map(|e| e.source).collect(),
                entries.iter().map(|e| e.target).collect(),
                all_or_none(weights, "weight")?,
                all_or_none(delays, "delay")?,
            )
        }
        _ => return Ok(None),
    };
    for (i, (&s, &t)) in from.iter().zip(&to).enumerate() {
        if s >= sources {
            return Err(format!("entry {i}: source {s} does not exist; \"{}\" has neurons 0 to {}", projection.from, sources - 1));
        }
        if t >= targets {
            return Err(format!("entry {i}: target {t} does not exist; \"{}\" has neurons 0 to {}", projection.to, targets - 1));
        }
        if !projection.autapses && projection.from == projection.to && s == t {
            return Err(format!("entry {i} joins neuron {s} to itself, but `autapses` is false"));
        }
    }
    let mut order: Vec<u32> = (0..from.len() as u32).collect();
    order.sort_by_key(|&i| from[i as usize]);
    if !projection.multapses {
        let mut pairs: Vec<_> = from.iter().zip(&to).collect();
        pairs.sort_unstable();
        if let Some(twice) = pairs.windows(2).find(|w| w[0] == w[1]) {
            return Err(format!("{} → {} is listed twice, but `multapses` is false", twice[0].0, twice[0].1));
        }
    }
    let mut start = vec![0; sources as usize + 1];
    for &s in &from {
        start[s as usize + 1] += 1;
    }
    for i in 0..sources as usize {
        start[i + 1] += start[i];
    }
    Ok(Some(ListRows { start, order, targets: to, weights, delays }))
}

fn is_current(kind: &StimulusKind) -> bool {
    matches!(
        kind,
        StimulusKind::Direct { .. }
            | StimulusKind::Step { .. }
            | StimulusKind::Alternating { .. }
            | StimulusKind::Ramp { .. }
            | StimulusKind::Noise { .. }
            | StimulusKind::CurrentFile(_)
            | StimulusKind::Schedule(_)
    )
}

/// Checks a stimulus and returns the receptor that it reaches (0 if it reaches none).
fn prepare_stimulus(
    scene: &Scene,
    stimulus: &StimulusSpec,
    path: &str,
    region: &PreparedRegion,
    warnings: &mut Vec<Warning>,
) -> Result<usize, BuildError> {
    let at = |field: &str, message: String| BuildError::new(format!("{path}.{field}"), message);
    if let Some(stop) = stimulus.window.stop_ms
        && stop < stimulus.window.start_ms
    {
        return Err(at(
            "window",
            format!("the window ends at {stop} ms, before it starts at {} ms", stimulus.window.start_ms),
        ));
    }
    if region.model.source && !matches!(stimulus.kind, StimulusKind::Spike { .. } | StimulusKind::Silence) {
        return Err(at("to", format!("{} is a source and takes no input", region.type_name)));
    }
    match &stimulus.kind {
        StimulusKind::Poisson { rate_hz, weight, receptor, delay_ms } => {
            rate_hz.check().map_err(|e| at("kind.rate_hz", e))?;
            weight.check().map_err(|e| at("kind.weight", e))?;
            let mean = rate_hz.mean() * scene.dt_ms * 1e-3;
            if !(mean < 10_000.0) {
                return Err(at("kind.rate_hz", format!("{mean} input spikes per step are too many; at most 10000")));
            }
            if *delay_ms > 0.0 && *delay_ms < scene.dt_ms * 0.999 {
                warnings.push(Warning::new(
                    format!("{path}.kind.delay_ms"),
                    format!("a delay of {delay_ms} ms is shorter than a step; it acts after one step of {} ms", scene.dt_ms),
                ));
            }
            let (low, high) = weight.bounds();
            let (index, _) = resolve_receptor(receptor.as_deref(), region, low, high).map_err(|e| at("kind.receptor", e))?;
            Ok(index)
        }
        StimulusKind::InputSpikes { weight, receptor, .. } => {
            let (index, _) = resolve_receptor(receptor.as_deref(), region, *weight, *weight).map_err(|e| at("kind.receptor", e))?;
            Ok(index)
        }
        StimulusKind::Direct { amplitude } | StimulusKind::Step { amplitude } => {
            amplitude.check().map_err(|e| at("kind.amplitude", e))?;
            Ok(0)
        }
        StimulusKind::Ramp { .. } if stimulus.window.stop_ms.is_none() => {
            Err(at("window", "a ramp needs `stop_ms`, where it reaches its last value".into()))
        }
        StimulusKind::Schedule(list) => {
            if let Some(w) = list.windows(2).find(|w| w[1].0 <= w[0].0) {
                return Err(at("kind", format!("times must ascend, but {} ms follows {} ms", w[1].0, w[0].0)));
            }
            Ok(0)
        }
        _ => Ok(0),
    }
}

/// The factor that a receptor's weights are stored with.
fn factor_of(region: &PreparedRegion, receptor: usize) -> f64 {
    match region.model.receptors.get(receptor).map(|r| r.sign) {
        Some(Sign::Negative) => -1.0,
        _ => 1.0,
    }
}

/// Chooses the quantum of every receptor and the shift of every projection.
///
/// A quantum must let the largest possible sum of one step fit its integer, and be fine: 2⁻²⁰ of the largest weight or finer where weights
/// are constant or listed, and as fine as the 16-bit weights where they are drawn. If 32 bits cannot do both, the sums take 64.
fn choose_quanta(
    scene: &Scene,
    regions: &[PreparedRegion],
    projections: &mut [PreparedProjection],
    lists: &[Option<ListRows>],
    stimulus_receptors: &[usize],
    names: &[&str],
) -> Result<Vec<Vec<Quantum>>, BuildError> {
    #[derive(Clone, Default)]
    struct Need {
        positive: f64,
        negative: f64,
        largest: f64,
        narrow: Vec<f64>,
        exact: bool,
    }
    let mut needs: Vec<Vec<Need>> = regions
        .iter()
        .map(|r| vec![Need::default(); r.model.receptors.len()])
        .collect();
    let mut add = |region: usize, receptor: usize, number: f64, mean: f64, largest: f64, narrow: bool| {
        let need = &mut needs[region][receptor];
        need.largest = need.largest.max(largest);
        // The sum of so many weights, with a margin of twelve of its standard deviations.
        let sum = number * mean.abs() + 12.0 * number.sqrt() * (largest - mean.abs()).max(0.0);
        let sum = sum.min(number * largest);
        if mean >= 0.0 { need.positive += sum } else { need.negative += sum }
        if narrow { need.narrow.push(largest) } else { need.exact = true }
    };
    for (i, projection) in projections.iter().enumerate() {
        let spec = &scene.projections[i];
        let (number, mean, largest) = match &lists[i] {
            Some(list) => {
                let mut indegree = vec![0u32; scene.regions[projection.to].neurons as usize];
                for &t in &list.targets {
                    indegree[t as usize] += 1;
                }
                let most = f64::from(indegree.iter().copied().max().unwrap_or(0));
                match &list.weights {
                    Some(weights) => {
                        let largest = weights.iter().fold(0.0f64, |a, w| a.max(w.abs()));
                        // Listed weights may have both signs: both sums are bounded by all of them.
                        add(projection.to, projection.receptor, most, -largest, largest, false);
                        (most, largest, largest)
                    }
                    None => (most, spec.weight.mean(), spec.weight.largest_magnitude()),
                }
            }
            None => {
                let source = &scene.regions[projection.from];
                let target = &scene.regions[projection.to];
                let bound = connect::indegree_bound(&projection.rule, source.neurons, target.neurons);
                (f64::from(bound), spec.weight.mean(), spec.weight.largest_magnitude())
            }
        };
        let narrow = matches!(projection.format, WeightFormat::Narrow { .. });
        add(projection.to, projection.receptor, number, mean * projection.factor, largest, narrow);
    }
    for (stimulus, &receptor) in scene.stimuli.iter().zip(stimulus_receptors) {
        let to = names.iter().position(|n| *n == stimulus.to).unwrap_or(0);
        let factor = factor_of(&regions[to], receptor);
        match &stimulus.kind {
            StimulusKind::Poisson { rate_hz, weight, .. } => {
                let mean = rate_hz.largest_magnitude() * scene.dt_ms * 1e-3;
                let most = mean + 12.0 * mean.sqrt() + 40.0;
                add(to, receptor, most, weight.mean() * factor, weight.largest_magnitude(), false);
            }
            StimulusKind::InputSpikes { times_ms, weight, .. } => {
                add(to, receptor, times_ms.len() as f64, weight * factor, weight.abs(), false);
            }
            _ => {}
        }
    }
    let mut quanta = Vec::new();
    for (region, needs) in needs.iter().enumerate() {
        let mut of_region = Vec::new();
        for need in needs {
            let used = need.exact || !need.narrow.is_empty();
            if !used {
                of_region.push(Quantum::default());
                continue;
            }
            let largest = if need.largest > 0.0 { need.largest } else { 1.0 };
            let sum = need.positive.max(need.negative).max(largest);
            let floor_log2 = |x: f64| libm::log2(x).floor() as i32;
            let ceil_log2 = |x: f64| libm::log2(x).ceil() as i32;
            // Below this the largest sum leaves 31 bits.
            let fits = ceil_log2(sum / 2_147_483_000.0);
            let wanted = if need.exact {
                floor_log2(largest) - 20
            } else {
                need.narrow.iter().map(|w| narrow_exponent(*w)).min().unwrap_or(0)
            };
            let quantum = if fits <= wanted {
                // As fine as fits, but not finer than single precision can show.
                let finest = floor_log2(largest) - 24;
                let exponent = if need.exact { fits.max(finest).min(wanted) } else { wanted };
                Quantum { exponent: Some(exponent), wide: false }
            } else {
                if libm::log2(sum) - f64::from(wanted) > 62.0 {
                    return Err(BuildError::new(
                        format!("regions[{region}]"),
                        format!("the synaptic input of one step can reach {sum:.3e}, which is too much; reduce weights or in-degrees"),
                    ));
                }
                Quantum { exponent: Some(wanted), wide: true }
            };
            of_region.push(quantum);
        }
        quanta.push(of_region);
    }
    for (i, projection) in projections.iter_mut().enumerate() {
        let Some(exponent) = quanta[projection.to][projection.receptor].exponent else {
            continue;
        };
        match &mut projection.format {
            WeightFormat::Shared(weight) => {
                let value = scene.projections[i].weight.mean() * projection.factor;
                *weight = (value / libm::exp2(f64::from(exponent))).round() as i32;
            }
            WeightFormat::Narrow { shift } => {
                let largest = match &lists[i] {
                    Some(ListRows { weights: Some(weights), .. }) => weights.iter().fold(0.0f64, |a, w| a.max(w.abs())),
                    _ => scene.projections[i].weight.largest_magnitude(),
                };
                *shift = (narrow_exponent(largest) - exponent).max(0) as u32;
            }
            WeightFormat::Wide => {}
        }
    }
    Ok(quanta)
}

/// The binary exponent of the unit in which weights up to `largest` fit 16 bits.
fn narrow_exponent(largest: f64) -> i32 {
    if largest > 0.0 {
        libm::log2(largest / 32_767.0).ceil() as i32
    } else {
        0
    }
}

fn warn_of_silence(
    scene: &Scene,
    regions: &[PreparedRegion],
    projections: &[PreparedProjection],
    warnings: &mut Vec<Warning>,
) {
    for (i, region) in scene.regions.iter().enumerate() {
        let reached = projections.iter().any(|p| p.to == i && p.synapses > 0.0) || scene.stimuli.iter().any(|s| s.to == region.name);
        if !reached && !regions[i].model.source && !(regions[i].model.self_driven)(region.model.0.as_ref()) {
            warnings.push(Warning::new(
                format!("regions[{i}]"),
                format!("region \"{}\" has no input: nothing projects to it and no stimulus or constant current drives it", region.name),
            ));
        }
    }
}

/// Bytes of the built network, and bytes that building it takes on top.
fn predict_bytes(scene: &Scene, regions: &[PreparedRegion], projections: &[PreparedProjection]) -> (u64, u64) {
    let mut bytes = 4.0e6;
    for (region, prepared) in scene.regions.iter().zip(regions) {
        let per_neuron = prepared.model.bytes_per_neuron + 8 * prepared.model.receptors.len() + 16;
        bytes += f64::from(region.neurons) * per_neuron as f64;
        if region.layout.is_some() {
            bytes += f64::from(region.neurons) * 12.0;
        }
    }
    for group in groups(projections).values() {
        let source = &scene.regions[projections[group[0]].from];
        let synapses: f64 = group.iter().map(|&i| projections[i].synapses).sum();
        let delays = union_of_delays(projections, group).len();
        bytes += predict(source.neurons as usize, synapses, 2, delays, projections[group[0]].format).1;
    }
    let temporary = projections.iter().map(|p| p.temporary_bytes).sum();
    (bytes as u64, temporary)
}

/// Projections that share a store: same source region, same weight format.
fn groups(projections: &[PreparedProjection]) -> BTreeMap<(usize, WeightFormat), Vec<usize>> {
    let mut groups: BTreeMap<_, Vec<usize>> = BTreeMap::new();
    for (i, p) in projections.iter().enumerate() {
        groups.entry((p.from, p.format)).or_default().push(i);
    }
    groups
}

fn union_of_delays(projections: &[PreparedProjection], group: &[usize]) -> Vec<u32> {
    let mut delays: Vec<u32> = group.iter().flat_map(|&i| projections[i].delays.steps()).collect();
    delays.sort_unstable();
    delays.dedup();
    delays
}

/// What a built network needs besides its world.
pub struct Built {
    /// The systems that step the neuron models which the network has.
    pub integrate: Vec<bevy::ecs::schedule::ScheduleConfigs<bevy::ecs::system::ScheduleSystem>>,
    /// Which optional systems the network needs.
    pub needs: Needs,
}

/// Which optional systems a network needs.
#[derive(Clone, Copy, Debug, Default)]
pub struct Needs {
    /// A stimulus is a current.
    pub currents: bool,
    /// A stimulus is input spikes.
    pub inputs: bool,
    /// A stimulus forces or forbids spikes.
    pub clamps: bool,
    /// A store pulls.
    pub pull: bool,
    /// A store pushes.
    pub push: bool,
    /// Which probes there are.
    pub probes: [bool; 4],
}

/// Builds a prepared scene into a world.
///
/// # Errors
/// What only building can show: a rule that cannot be met, too little memory.
pub fn build(
    world: &mut World,
    scene: &Scene,
    prepared: &Prepared,
    files: &dyn Files,
    options: &BuildOptions,
    progress: &(dyn Fn(f64) + Sync),
) -> Result<Built, BuildError> {
    if let Some(limit) = options.memory_limit
        && prepared.peak_bytes > limit
    {
        return Err(BuildError::new(
            "projections",
            format!(
                "the network needs about {} ({:.0} synapses), but {} of memory are free; reduce it or use a larger machine",
                in_gib(prepared.peak_bytes),
                prepared.synapses,
                in_gib(limit)
            ),
        ));
    }
    let lanes = if options.force_lanes {
        options.threads.max(1)
    } else {
        let useful = (prepared.neurons / NEURONS_PER_LANE).max(1) as usize;
        options.threads.clamp(1, useful)
    };
    world.insert_resource(Workers::new(lanes));
    world.insert_resource(options.simd);
    world.insert_resource(Seed(scene.seed));
    world.insert_resource(Clock::new(scene.dt_ms));
    world.insert_resource(SpikeCount::default());

    // Regions.
    let mut entities = Vec::new();
    for (i, (region, model)) in scene.regions.iter().zip(&prepared.regions).enumerate() {
        let key = entity_key(&region.name);
        let mut entity = world.spawn((
            Name::new(region.name.clone()),
            Region { key, index: i as u32, neurons: region.neurons },
            Spikes {
                mask: vec![0; (region.neurons as usize).div_ceil(LANES)],
                list: Vec::with_capacity(region.neurons as usize),
            },
        ));
        if let Some(layout) = &region.layout {
            let random = Random::new(scene.seed, key, Purpose::Layout);
            let positions = layout
                .positions(region.neurons, &random)
                .map_err(|e| BuildError::new(format!("regions[{i}].layout"), e.to_string()))?;
            entity.insert(Positions(positions));
        }
        (model.model.build)(
            &mut entity,
            &BuildRegion {
                model: region.model.0.as_ref(),
                initial: &region.initial,
                seed: scene.seed,
                key,
                neurons: region.neurons,
                dt_ms: scene.dt_ms,
                files,
            },
        )
        .map_err(|e| BuildError::new(format!("regions[{i}].model"), e))?;
        entities.push(entity.id());
    }

    let maps = deal_chunks(scene, prepared, lanes);
    let stores = build_stores(world, scene, prepared, &entities, &maps, options, progress)?;
    let ring = stores.ring;
    let wide = prepared.receptors.iter().flatten().any(|q| q.wide);
    world.insert_resource(if wide {
        InputSlots::Wide(Slots::new(lanes, ring, &maps.sizes))
    } else {
        InputSlots::Narrow(Slots::new(lanes, ring, &maps.sizes))
    });
    for ((entity, map), region) in entities.iter().zip(&maps.regions).zip(&scene.regions) {
        let depth = stores.depth.get(entity).copied().unwrap_or(0) as usize;
        // A delay of d looks d steps back while the step under way is not pushed yet.
        let depth = if depth == 0 { 0 } else { depth + 1 };
        world.entity_mut(*entity).insert((map.clone(), SpikeHistory::new(depth, region.neurons as usize)));
    }
    let mut needs = Needs { pull: stores.pull, push: stores.push, ..default() };
    build_stimuli(world, scene, prepared, &entities, files, &mut needs)?;
    build_probes(world, scene, &entities, options, &mut needs)?;

    // One system per model that occurs, in the order of first occurrence.
    let mut seen = Vec::new();
    let mut integrate = Vec::new();
    for region in &prepared.regions {
        if !seen.contains(&region.type_name) {
            seen.push(region.type_name);
            integrate.push((region.model.system)());
        }
    }
    Ok(Built { integrate, needs })
}

/// Where every chunk of every region sums its input.
struct Maps {
    regions: Vec<InputMap>,
    sizes: Vec<usize>,
}

/// Deals the chunks of all regions to blocks in turn.
fn deal_chunks(scene: &Scene, prepared: &Prepared, lanes: usize) -> Maps {
    let active: Vec<Vec<Option<u32>>> = prepared
        .receptors
        .iter()
        .map(|receptors| {
            let mut next = 0;
            receptors
                .iter()
                .take(MAX_RECEPTORS)
                .map(|q| {
                    q.exponent.map(|_| {
                        next += LANES as u32;
                        next - LANES as u32
                    })
                })
                .collect()
        })
        .collect();
    let slots_of = |region: usize| active[region].iter().flatten().count() * LANES;
    let total: usize = scene
        .regions
        .iter()
        .enumerate()
        .map(|(i, r)| padded(r.neurons as usize) / LANES * slots_of(i))
        .sum();
    // The dealing is even up to one chunk of each kind per block.
    let largest = (0..scene.regions.len()).map(slots_of).max().unwrap_or(0) * scene.regions.len();
    let mut per_lane = 1;
    while total.div_ceil(lanes * per_lane) + largest > BLOCK_SLOTS {
        per_lane += 1;
    }
    let blocks = lanes * per_lane;
    let mut sizes = vec![0usize; blocks];
    let mut next = 0;
    let regions = scene
        .regions
        .iter()
        .enumerate()
        .map(|(i, region)| {
            let chunks = padded(region.neurons as usize) / LANES;
            let mut map = InputMap {
                block: Vec::with_capacity(chunks),
                base: Vec::with_capacity(chunks),
                offset: active[i].clone(),
                quantum: prepared.receptors[i]
                    .iter()
                    .map(|q| q.exponent.map_or(0.0, |e| libm::exp2(f64::from(e)) as f32))
                    .collect(),
            };
            for _ in 0..chunks {
                map.block.push(next as u16);
                map.base.push(sizes[next] as u32);
                sizes[next] += slots_of(i);
                next = (next + 1) % blocks;
            }
            map
        })
        .collect();
    Maps { regions, sizes }
}

struct Stores {
    /// The longest pulled delay from each region, in steps.
    depth: HashMap<Entity, u32>,
    ring: usize,
    pull: bool,
    push: bool,
}

/// How the synapses of one projection are made.
struct Rows<'a> {
    source: RowSource<'a>,
    map: &'a InputMap,
    receptor_offset: u32,
    weight: WeightMaker<'a>,
    delay: DelayMaker<'a>,
}

enum RowSource<'a> {
    Plan(Plan),
    List(&'a ListRows),
}

enum WeightMaker<'a> {
    /// All in the store's format.
    Shared,
    Drawn { sampler: Sampler, words: Words, per_unit: f64 },
    Listed { weights: &'a [f64], per_unit: f64, shift: u32 },
}

enum DelayMaker<'a> {
    Index(u16),
    Drawn { delays: DelayTable, words: Words },
    Listed { delays: &'a [f64], per_ms: f64, index_of: Vec<u16> },
}

fn build_stores(
    world: &mut World,
    scene: &Scene,
    prepared: &Prepared,
    entities: &[Entity],
    maps: &Maps,
    options: &BuildOptions,
    progress: &(dyn Fn(f64) + Sync),
) -> Result<Stores, BuildError> {
    let mut result = Stores { depth: HashMap::new(), ring: 1, pull: false, push: false };
    let blocks = maps.sizes.len();
    let done = AtomicU64::new(0);
    let total = prepared.synapses.max(1.0);
    for ((from, format), group) in groups(&prepared.projections) {
        let delays = union_of_delays(&prepared.projections, &group);
        let index_of = {
            let mut table = vec![0u16; delays.last().map_or(0, |d| *d as usize + 1)];
            for (i, d) in delays.iter().enumerate() {
                table[*d as usize] = i as u16;
            }
            table
        };
        let mut rows = Vec::new();
        for &i in &group {
            rows.push(projection_rows(world, scene, prepared, i, entities, maps, &index_of, options)?);
        }
        let sources = scene.regions[from].neurons;
        let lens: Vec<Vec<u32>> = rows
            .iter()
            .map(|r| (0..sources).map(|s| r.row_len(s)).collect())
            .collect();
        let row_len: Vec<u32> = (0..sources as usize).map(|s| lens.iter().map(|l| l[s]).sum()).collect();
        let store = SynapseStore::build(&StorePlan {
            source: entities[from],
            blocks,
            delays: delays.clone(),
            format,
            row_len,
            fill: &|source, out| {
                for r in &rows {
                    r.fill(source, out);
                }
            },
            threads: options.threads,
            progress: &|more| {
                let now = done.fetch_add(more, Ordering::Relaxed) + more;
                progress(now as f64 / total);
            },
        });
        let longest = delays.last().copied().unwrap_or(1);
        match store.transfer() {
            Transfer::Pull => {
                result.pull = true;
                let depth = result.depth.entry(entities[from]).or_insert(0);
                *depth = (*depth).max(longest);
            }
            Transfer::Push => {
                result.push = true;
                result.ring = result.ring.max(longest as usize + 1);
            }
        }
        let bytes = store.bytes();
        let store = world.spawn((Name::new(format!("synapses of {}", scene.regions[from].name)), store)).id();
        for (&i, lens) in group.iter().zip(&lens) {
            let p = &prepared.projections[i];
            let count = lens.iter().map(|l| u64::from(*l)).sum();
            let spec = &scene.projections[i];
            world.spawn((
                Name::new(p.name.clone()),
                ProjectsFrom(entities[p.from]),
                ProjectsTo(entities[p.to]),
                Connect {
                    key: entity_key(&p.name),
                    rule: spec.rule.clone(),
                    weight: spec.weight.clone(),
                    delay_ms: spec.delay_ms.clone(),
                },
                Synapses { count, store, receptor: p.receptor },
            ));
        }
        let _ = bytes;
    }
    Ok(result)
}

#[expect(clippy::too_many_arguments, reason = "one call, each argument a different part of the network")]
fn projection_rows<'a>(
    world: &World,
    scene: &'a Scene,
    prepared: &'a Prepared,
    index: usize,
    entities: &[Entity],
    maps: &'a Maps,
    index_of: &[u16],
    options: &BuildOptions,
) -> Result<Rows<'a>, BuildError> {
    let (p, spec) = (&prepared.projections[index], &scene.projections[index]);
    let key = entity_key(&p.name);
    let random = |purpose| Random::new(scene.seed, key, purpose);
    let list = prepared.lists[index].as_ref();
    let source = match list {
        Some(list) => RowSource::List(list),
        None => {
            let positions = |region: usize| {
                world
                    .entity(entities[region])
                    .get::<Positions>()
                    .map_or(&[][..], |p| p.0.as_slice())
            };
            let plan = connect::plan(&Request {
                rule: &p.rule,
                sources: scene.regions[p.from].neurons,
                targets: scene.regions[p.to].neurons,
                same_region: p.from == p.to,
                autapses: spec.autapses,
                multapses: spec.multapses,
                source_positions: positions(p.from),
                target_positions: positions(p.to),
                random: random(Purpose::Connect),
                threads: options.threads,
                progress: &|_| {},
            })
            .map_err(|e| BuildError::new(format!("projections[{index}].rule"), e.to_string()))?;
            RowSource::Plan(plan)
        }
    };
    let exponent = prepared.receptors[p.to][p.receptor].exponent.unwrap_or(0);
    let shift = match p.format {
        WeightFormat::Narrow { shift } => shift,
        _ => 0,
    };
    let per_unit = p.factor / libm::exp2(f64::from(exponent + shift as i32));
    let weight = match (list.and_then(|l| l.weights.as_deref()), p.format) {
        (Some(weights), _) => WeightMaker::Listed { weights, per_unit, shift },
        (None, WeightFormat::Narrow { .. }) => WeightMaker::Drawn {
            sampler: Sampler::new(&spec.weight),
            words: Words::new(&random(Purpose::Weight), 0),
            per_unit,
        },
        (None, _) => WeightMaker::Shared,
    };
    let per_ms = 1.0 / scene.dt_ms;
    let delay = match (list.and_then(|l| l.delays.as_deref()), &p.delays) {
        (Some(delays), _) => DelayMaker::Listed { delays, per_ms, index_of: index_of.to_vec() },
        (None, Delays::Fixed(d)) => DelayMaker::Index(index_of[*d as usize]),
        (None, _) => DelayMaker::Drawn {
            delays: DelayTable::new(Sampler::new(&spec.delay_ms), per_ms, index_of),
            words: Words::new(&random(Purpose::Delay), 0),
        },
    };
    let map = &maps.regions[p.to];
    Ok(Rows {
        source,
        map,
        receptor_offset: map.offset[p.receptor].unwrap_or(0),
        weight,
        delay,
    })
}

impl Rows<'_> {
    fn row_len(&self, source: u32) -> u32 {
        match &self.source {
            RowSource::Plan(plan) => plan.row_len(source),
            RowSource::List(list) => (list.start[source as usize + 1] - list.start[source as usize]) as u32,
        }
    }

    fn fill(&self, source: u32, out: &mut Vec<BuildSynapse>) {
        thread_local! {
            static TARGETS: core::cell::RefCell<Vec<u32>> = const { core::cell::RefCell::new(Vec::new()) };
        }
        TARGETS.with_borrow_mut(|targets| {
            targets.clear();
            let mut entries: &[u32] = &[];
            match &self.source {
                RowSource::Plan(plan) => plan.fill_row(source, targets),
                RowSource::List(list) => {
                    entries = &list.order[list.start[source as usize]..list.start[source as usize + 1]];
                    targets.extend(entries.iter().map(|&e| list.targets[e as usize]));
                }
            }
            let first = out.len();
            out.reserve(targets.len());
            for &target in targets.iter() {
                let chunk = target as usize / LANES;
                out.push(BuildSynapse {
                    block: self.map.block[chunk],
                    target: (self.map.base[chunk] + self.receptor_offset + target % LANES as u32) as u16,
                    delay_index: 0,
                    weight: 0,
                });
            }
            let row = &mut out[first..];
            self.weigh(source, entries, row);
            self.delay(source, entries, row);
        });
    }

    fn weigh(&self, source: u32, entries: &[u32], row: &mut [BuildSynapse]) {
        match &self.weight {
            WeightMaker::Shared => {}
            WeightMaker::Drawn { sampler, words, per_unit } => with_words(words, source, row.len(), |words| {
                for (synapse, &word) in row.iter_mut().zip(words) {
                    synapse.weight = rounded(sampler.at(word, 1 << 31) * per_unit).clamp(-32_767, 32_767);
                }
            }),
            WeightMaker::Listed { weights, per_unit, shift } => {
                let most = if *shift > 0 { 32_767.0 } else { 2_147_483_647.0 };
                for (synapse, &entry) in row.iter_mut().zip(entries) {
                    let units = libm::rint(weights[entry as usize] * per_unit);
                    synapse.weight = units.clamp(-most, most) as i32;
                }
            }
        }
    }

    fn delay(&self, source: u32, entries: &[u32], row: &mut [BuildSynapse]) {
        match &self.delay {
            DelayMaker::Index(i) => row.iter_mut().for_each(|s| s.delay_index = *i),
            DelayMaker::Drawn { delays, words } => with_words(words, source, row.len(), |words| {
                for (synapse, &word) in row.iter_mut().zip(words) {
                    synapse.delay_index = delays.index(word);
                }
            }),
            DelayMaker::Listed { delays, per_ms, index_of } => {
                for (synapse, &entry) in row.iter_mut().zip(entries) {
                    synapse.delay_index = delay_index(delays[entry as usize], *per_ms, index_of);
                }
            }
        }
    }
}

/// The random words of a row of `len` synapses.
fn with_words(words: &Words, source: u32, len: usize, act: impl FnOnce(&[u32])) {
    thread_local! {
        static WORDS: core::cell::RefCell<Vec<u32>> = const { core::cell::RefCell::new(Vec::new()) };
    }
    WORDS.with_borrow_mut(|buffer| {
        buffer.resize(len, 0);
        words.fill(source.into(), 0, buffer);
        act(buffer);
    });
}

/// The nearest integer, ties to even, of a number below 2³¹ in magnitude.
#[inline(always)]
fn rounded(x: f64) -> i32 {
    const ROUND: f64 = 6_755_399_441_055_744.0;
    (x + ROUND).to_bits() as i32
}

fn delay_index(ms: f64, per_ms: f64, index_of: &[u16]) -> u16 {
    let steps = (libm::rint(ms * per_ms).max(1.0) as usize).min(index_of.len() - 1);
    index_of[steps]
}

/// Drawn delays by random word: a table over the leading bits where all words that share them give the same delay, which is nearly
/// everywhere; the distribution itself elsewhere.
struct DelayTable {
    table: Vec<u16>,
    sampler: Sampler,
    per_ms: f64,
    index_of: Vec<u16>,
}

impl DelayTable {
    const BITS: u32 = 12;
    const MIXED: u16 = u16::MAX;

    fn new(sampler: Sampler, per_ms: f64, index_of: &[u16]) -> Self {
        let at = |word: u32| delay_index(sampler.at(word, 1 << 31), per_ms, index_of);
        let width = 32 - Self::BITS;
        let table = (0..1u32 << Self::BITS)
            .map(|i| {
                // Quantiles ascend, so equal ends mean equal everywhere between.
                let (first, last) = (at(i << width), at((i << width) | ((1 << width) - 1)));
                if first == last { first } else { Self::MIXED }
            })
            .collect();
        Self { table, sampler, per_ms, index_of: index_of.to_vec() }
    }

    #[inline(always)]
    fn index(&self, word: u32) -> u16 {
        match self.table[(word >> (32 - Self::BITS)) as usize] {
            Self::MIXED => delay_index(self.sampler.at(word, 1 << 31), self.per_ms, &self.index_of),
            index => index,
        }
    }
}

fn build_stimuli(
    world: &mut World,
    scene: &Scene,
    prepared: &Prepared,
    entities: &[Entity],
    files: &dyn Files,
    needs: &mut Needs,
) -> Result<(), BuildError> {
    let mut order = StimulusOrder::default();
    for (i, spec) in scene.stimuli.iter().enumerate() {
        let at = |message: String| BuildError::new(format!("stimuli[{i}]"), message);
        let region = scene.regions.iter().position(|r| r.name == spec.to).unwrap_or(0);
        let size = scene.regions[region].neurons;
        let name = spec.name.clone().unwrap_or_else(|| format!("stimulus {i}"));
        let key = entity_key(&name) ^ entity_key(&spec.to).rotate_left(1);
        let chosen = spec
            .neurons
            .neurons(size, Random::new(scene.seed, key, Purpose::Choice))
            .map_err(|e| BuildError::new(format!("stimuli[{i}].neurons"), e))?;
        let (start, stop) = window_steps(&spec.window, scene.dt_ms);
        let action = stimulus_action(scene, prepared, i, region, &chosen, key, files).map_err(at)?;
        let entity = world
            .spawn((
                Name::new(name),
                Stimulus { order: i as u32, key, region: entities[region], action: action.clone(), start, stop },
            ))
            .id();
        match action {
            Action::Currents(_) | Action::Course(..) | Action::Noise(..) => {
                needs.currents = true;
                order.currents.push(entity);
                if !order.driven.contains(&entities[region]) {
                    order.driven.push(entities[region]);
                    world
                        .entity_mut(entities[region])
                        .insert(Drive(Column::filled(size as usize, 0.0)));
                }
            }
            Action::Poisson(_) | Action::InputSpikes(..) => {
                needs.inputs = true;
                order.inputs.push(entity);
            }
            Action::Spike(..) | Action::Silence(_) => {
                needs.clamps = true;
                order.clamps.push(entity);
            }
        }
    }
    world.insert_resource(order);
    Ok(())
}

/// A column that is `value(neuron)` for the chosen neurons and 0 elsewhere.
fn column_of<T: Copy + Default>(size: u32, chosen: &[u32], mut value: impl FnMut(u32) -> T) -> Column<T> {
    let mut column = Column::filled(size as usize, T::default());
    for &neuron in chosen {
        column.as_mut_slice()[neuron as usize] = value(neuron);
    }
    column
}

fn mask_of(size: u32, chosen: &[u32]) -> Vec<u64> {
    let mut mask = vec![0u64; (size as usize).div_ceil(LANES)];
    for &neuron in chosen {
        mask[neuron as usize / LANES] |= 1 << (neuron as usize % LANES);
    }
    mask
}

fn stimulus_action(
    scene: &Scene,
    prepared: &Prepared,
    index: usize,
    region: usize,
    chosen: &[u32],
    key: u64,
    files: &dyn Files,
) -> Result<Action, String> {
    let spec = &scene.stimuli[index];
    let size = scene.regions[region].neurons;
    let dt = scene.dt_ms;
    let random = Random::new(scene.seed, key, Purpose::Parameter);
    let draw = |distribution: &Distribution, neuron: u32, salt: u64| {
        distribution.sample(&mut random.draws(u64::from(neuron) | salt << 40))
    };
    let selected = || column_of(size, chosen, |_| 1.0f32);
    let receptor = prepared.stimulus_receptors[index];
    let quantum = prepared.receptors[region].get(receptor).and_then(|q| q.exponent).unwrap_or(0);
    let factor = factor_of(&prepared.regions[region], receptor) / libm::exp2(f64::from(quantum));
    let quanta = |weight: f64| (weight * factor).round() as i32;
    let (start, stop) = window_steps(&spec.window, dt);
    Ok(match &spec.kind {
        StimulusKind::Direct { amplitude } | StimulusKind::Step { amplitude } => {
            Action::Currents(column_of(size, chosen, |n| draw(amplitude, n, 0) as f32))
        }
        StimulusKind::Alternating { amplitude, offset, frequency_hz, phase_deg } => Action::Course(
            Course::Sine(*amplitude, *offset, frequency_hz * 1e-3, phase_deg / 360.0),
            selected(),
        ),
        StimulusKind::Ramp { from, to } => {
            Action::Course(Course::Ramp(*from, *to, start, stop.saturating_sub(start)), selected())
        }
        StimulusKind::Schedule(list) => Action::Course(
            Course::Schedule(list.iter().map(|(t, current)| (to_steps(*t, dt), *current)).collect()),
            selected(),
        ),
        StimulusKind::Noise { mean, sd, interval_ms } => {
            Action::Noise(*mean as f32, *sd as f32, to_steps(*interval_ms, dt).max(1), selected())
        }
        StimulusKind::CurrentFile(path) => {
            let mut columns = files.columns(path, &["neuron", "current"], &[])?.into_iter();
            let mut next = || columns.next().flatten().unwrap_or_default();
            let (neurons, currents) = (next(), next());
            let mut column = Column::filled(size as usize, 0.0f32);
            for (row, (neuron, current)) in neurons.iter().zip(&currents).enumerate() {
                if neuron.fract() != 0.0 || *neuron < 0.0 || *neuron >= f64::from(size) {
                    return Err(format!(
                        "{path}: row {row}: neuron {neuron} does not exist; the region has neurons 0 to {}",
                        size - 1
                    ));
                }
                column.as_mut_slice()[*neuron as usize] = *current as f32;
            }
            Action::Currents(column)
        }
        StimulusKind::Poisson { rate_hz, weight, delay_ms, .. } => {
            let delay = if *delay_ms > 0.0 { to_steps(*delay_ms, dt).max(1) } else { 0 };
            let quanta = column_of(size, chosen, |n| quanta(draw(weight, n, 1)));
            let (counts, draws) = PoissonCounts::split(rate_hz.mean().max(0.0) * dt * 1e-3);
            let per_neuron = if rate_hz.is_constant() {
                Vec::new()
            } else {
                (0..size)
                    .map(|n| PoissonCounts::split(draw(rate_hz, n, 2).max(0.0) * dt * 1e-3))
                    .collect()
            };
            let shared = (weight.is_constant() && chosen.len() == size as usize).then(|| quanta.as_slice()[0]);
            Action::Poisson(Background { counts, draws, per_neuron, delay, receptor, quanta, shared })
        }
        StimulusKind::InputSpikes { times_ms, weight, delay_ms, .. } => {
            // A spike emitted at t is stamped t, so it was detected in the step that ends at t, and acts its delay later.
            let delay = to_steps(*delay_ms, dt).max(1);
            let mut due: Vec<u64> = times_ms.iter().map(|t| (to_steps(*t, dt) + delay).saturating_sub(1)).collect();
            due.sort_unstable();
            Action::InputSpikes(due, receptor, column_of(size, chosen, |_| quanta(*weight)))
        }
        StimulusKind::Spike { times_ms } => {
            let mut steps: Vec<u64> = times_ms.iter().map(|t| to_steps(*t, dt).saturating_sub(1)).collect();
            steps.sort_unstable();
            steps.dedup();
            Action::Spike(steps, mask_of(size, chosen))
        }
        StimulusKind::Silence => Action::Silence(mask_of(size, chosen)),
    })
}

fn build_probes(
    world: &mut World,
    scene: &Scene,
    entities: &[Entity],
    options: &BuildOptions,
    needs: &mut Needs,
) -> Result<(), BuildError> {
    for (i, spec) in scene.probes.iter().enumerate() {
        let regions: Vec<usize> = (0..scene.regions.len())
            .filter(|&r| spec.region.as_ref().is_none_or(|name| *name == scene.regions[r].name))
            .collect();
        for region in regions {
            let name = Name::new(format!("probe {i} of {}", scene.regions[region].name));
            let entity = entities[region];
            match &spec.kind {
                ProbeKind::Spikes => {
                    needs.probes[0] = true;
                    world.spawn((name, SpikeProbe { region: entity, steps: Vec::new(), neurons: Vec::new() }));
                }
                ProbeKind::Rate { bin_ms } => {
                    needs.probes[1] = true;
                    let bin = to_steps(*bin_ms, scene.dt_ms).max(1);
                    world.spawn((name, RateProbe { region: entity, bin, counts: Vec::new(), current: 0 }));
                }
                ProbeKind::Column { column, neurons, every_ms } => {
                    needs.probes[2] = true;
                    let at = |m: String| BuildError::new(format!("probes[{i}]"), m);
                    let column = *world
                        .resource::<ColumnRegistry>()
                        .get(column)
                        .ok_or_else(|| at(format!("unknown column \"{column}\"")))?;
                    let random = Random::new(scene.seed, entity_key(&scene.regions[region].name), Purpose::Choice);
                    let neurons = neurons.neurons(scene.regions[region].neurons, random).map_err(at)?;
                    let every = to_steps(*every_ms, scene.dt_ms).max(1);
                    world.spawn((name, ColumnProbe { region: entity, column, neurons, every, values: Vec::new() }));
                }
                ProbeKind::Weights { .. } => {}
            }
        }
    }
    if options.statistics {
        needs.probes[3] = true;
        let neurons: Vec<u32> = scene.regions.iter().map(|r| r.neurons).collect();
        let window = StatisticsWindow::from_ms(scene.statistics_from_ms, scene.dt_ms);
        world.spawn(StatisticsProbe { statistics: OnlineStatistics::new(&neurons, scene.dt_ms, window) });
    }
    Ok(())
}
