//! Checking and sizing a scene before anything large is allocated.
//!
//! [`prepare`] resolves every name of a [`Scene`], checks what single values cannot show (signs, receptors, degrees, delays), has
//! quanta chosen and predicts memory and cost.

use super::lists::{ListRows, list_rows, read_rule};
use super::quanta::{Quantum, choose_quanta};
use super::schema::{Dale, ProbeKind, ProjectionSpec, RegionSpec, Scene, StimulusSpec};
use crate::files::Files;
use crate::network::connect::{self, Request, Rule};
use crate::network::distribution::{Distribution, Sampler};
use crate::network::stimulus::StimulusKind;
use crate::network::synapses::{WeightFormat, predict};
use crate::neurons::{ReflectNeuronModel, Sign};
use crate::sim::rng::{Purpose, Random};
use bevy::reflect::TypeRegistry;
use std::collections::{BTreeMap, HashMap};

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
    pub(super) fn new(path: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            path: path.into(),
            message: message.into(),
        }
    }
}

/// What is implausible in a scene, though it can be run.
pub type Warning = BuildError;

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
    pub(super) factor: f64,
    /// The expected number of synapses.
    pub synapses: f64,
    /// The format of its weights.
    pub(super) format: WeightFormat,
    /// The delays that may occur, in steps.
    pub(super) delays: Delays,
    /// Bytes that making the connectivity takes for a while.
    pub(super) temporary_bytes: u64,
    /// The rule, with the files that it names read.
    pub(super) rule: Rule,
}

#[derive(Debug, Clone)]
pub(super) enum Delays {
    Fixed(u32),
    Range(u32, u32),
    Listed(Vec<u32>),
}

impl Delays {
    pub(super) fn steps(&self) -> Vec<u32> {
        match self {
            Self::Fixed(d) => vec![*d],
            Self::Range(a, b) => (*a..=*b).collect(),
            Self::Listed(list) => list.clone(),
        }
    }
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
    pub(super) receptors: Vec<Vec<Quantum>>,
    pub(super) stimulus_receptors: Vec<usize>,
    pub(super) lists: Vec<Option<ListRows>>,
    pub(super) regions: Vec<PreparedRegion>,
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
pub(super) struct PreparedRegion {
    pub(super) model: ReflectNeuronModel,
    pub(super) type_name: &'static str,
}

/// A name that is close to one of `known`, as a hint.
pub(super) fn hint<'a>(name: &str, known: impl IntoIterator<Item = &'a str> + Clone) -> String {
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
        // A dense row has one place for each target, so a second projection of the kind is stored synapse by synapse.
        if matches!(prepared.format, WeightFormat::Dense { .. })
            && projections.iter().any(|p| (p.from, p.to, p.receptor) == (from, to, prepared.receptor))
        {
            prepared.format = WeightFormat::Narrow { shift: 0 };
        }
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
pub(super) fn resolve_receptor(
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
        (None, _) => match (&rule, &delays) {
            (Rule::AllToAll, Delays::Fixed(delay)) if projection.autapses || from != to => {
                WeightFormat::Dense { shift: 0, delay: *delay }
            }
            _ => WeightFormat::Narrow { shift: 0 },
        },
    };
    let name = projection.name.clone().unwrap_or_else(|| format!("{} → {}", projection.from, projection.to));
    Ok((
        PreparedProjection { name, from, to, receptor, factor, synapses, format, delays, temporary_bytes, rule },
        list,
    ))
}

pub(super) fn is_current(kind: &StimulusKind) -> bool {
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
pub(super) fn factor_of(region: &PreparedRegion, receptor: usize) -> f64 {
    match region.model.receptors.get(receptor).map(|r| r.sign) {
        Some(Sign::Negative) => -1.0,
        _ => 1.0,
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
pub(super) fn groups(projections: &[PreparedProjection]) -> BTreeMap<(usize, WeightFormat), Vec<usize>> {
    let mut groups: BTreeMap<_, Vec<usize>> = BTreeMap::new();
    for (i, p) in projections.iter().enumerate() {
        groups.entry((p.from, p.format)).or_default().push(i);
    }
    groups
}

pub(super) fn union_of_delays(projections: &[PreparedProjection], group: &[usize]) -> Vec<u32> {
    let mut delays: Vec<u32> = group.iter().flat_map(|&i| projections[i].delays.steps()).collect();
    delays.sort_unstable();
    delays.dedup();
    delays
}
