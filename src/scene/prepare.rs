//! Checking and sizing a scene before anything large is allocated.
//!
//! [`prepare`] resolves every name of a [`Scene`], checks what single values cannot show (signs, receptors, degrees, delays), has
//! quanta chosen and predicts memory and cost. It takes memory in proportion to the text of the scene and the files that it names, never to
//! the numbers in them.

mod memory;
mod plasticity;
mod projections;
mod responses;
mod stimuli;
mod values;

use super::error::{listed, nearest, quoted, unknown};
use super::lists::ListRows;
use super::modulators;
use super::quanta::{Quantum, choose_quanta};
use super::schema::{ProjectionSpec, RegionSpec, Scene};
use crate::files::Files;
use crate::network::connect::Rule;
use crate::network::distribution::Distribution;
use crate::network::stimulus::StimulusKind;
use crate::network::synapses::WeightFormat;
use crate::neurons::{BuildRegion, MOST_REFRACTORY_STEPS, ReflectNeuronModel};
use crate::sim::rng::entity_key;
use crate::synapses::response::cascade::Cascade;
use bevy::reflect::TypeRegistry;
use std::collections::{HashMap, HashSet};

pub(super) use memory::{groups, union_of_delays};
pub(super) use plasticity::{Changing, parts_of};
pub(super) use projections::factor_of;
pub(super) use responses::check_sequence;
pub(super) use values::{
    check_fields, check_selection, check_time, check_time_constant, warn_of_rounding_to_none,
};

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
    /// What its spikes go through before they get to the receptor, if that takes time.
    pub(super) response: Option<Cascade>,
    /// The channel of the target that its synapses sum into: the receptor, or one of its own if it has responses.
    pub(super) channel: usize,
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
    /// How its synapses change, if they do; they are not stored with others then.
    pub(super) changing: Option<Changing>,
}

impl PreparedProjection {
    /// Whether its synapses change or have short-term dynamics, and so have a store of their own.
    pub fn is_changing(&self) -> bool {
        self.changing.is_some()
    }

    /// Whether a learning rule changes its weights.
    pub(super) fn learns(&self) -> bool {
        self.changing.as_ref().is_some_and(|c| !c.rules.is_empty())
    }

    /// The bounds of weights that change, of magnitudes where all weights start as negative ones; none if nothing can change them.
    pub fn bounds_of_magnitudes(&self) -> Option<(f64, f64)> {
        let changing = self.changing.as_ref()?;
        let (low, high) = changing.bounds;
        let bounds = match changing.all_negative && changing.sign > 0.0 {
            true => (-high, -low),
            false => (low, high),
        };
        Some(bounds).filter(|(low, high)| low < high)
    }
}

/// Delays in steps.
#[derive(Debug, Clone)]
pub(super) enum Delays {
    Fixed(u32),
    /// Any from the first to the last.
    Range(u32, u32),
    Listed(Vec<u32>),
}

/// The mean of what a list gives, or else of what the projection gives.
fn mean_of(listed: Option<&Vec<f64>>, given: Option<&Distribution>) -> f64 {
    match listed {
        Some(listed) => listed.iter().sum::<f64>() / listed.len().max(1) as f64,
        None => given.map_or(0.0, Distribution::mean),
    }
}

impl Prepared {
    fn list(&self, projection: usize) -> Option<&ListRows> {
        self.lists.get(projection)?.as_ref()
    }

    /// The mean weight of the projection at a place of the scene, in the receptor's unit.
    pub fn mean_weight(&self, projection: usize, spec: &ProjectionSpec) -> f64 {
        let listed = self.list(projection).and_then(|list| list.weights.as_ref());
        mean_of(listed, spec.weight.as_ref())
    }

    /// The mean delay of the projection at a place of the scene.
    pub fn mean_delay_ms(&self, projection: usize, spec: &ProjectionSpec) -> f64 {
        let listed = self.list(projection).and_then(|list| list.delays.as_ref());
        mean_of(listed, spec.delay_ms.as_ref())
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
    /// Per region, by channel.
    pub(super) receptors: Vec<Vec<Quantum>>,
    pub(super) stimulus_receptors: Vec<usize>,
    pub(super) lists: Vec<Option<ListRows>>,
    pub(super) regions: Vec<PreparedRegion>,
}

impl Prepared {
    /// The receptors that the channels of a region get to.
    pub(super) fn receptor_of_channels(&self, region: usize) -> Vec<u32> {
        let mut receptors: Vec<u32> = (0..self.receptors[region].len() as u32).collect();
        for p in self.projections.iter().filter(|p| p.to == region) {
            receptors[p.channel] = p.receptor as u32;
        }
        receptors
    }

    /// Checks the probes of the scene that this is known of, which may have been [prepared](prepare) without them.
    ///
    /// # Errors
    /// The first probe that does not fit, in the words of [`prepare`].
    pub fn check_probes(&self, scene: &Scene) -> Result<(), BuildError> {
        let names = scene.regions.iter().map(|r| r.name.as_str());
        let places = names.zip(0..).collect();
        check_probes(
            scene,
            &self.regions,
            &self.projections,
            &places,
            &mut Vec::new(),
        )
    }

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

/// Checks a scene, resolves its names and predicts what it takes.
///
/// # Errors
/// The first thing that is wrong, with its place in the scene.
pub fn prepare(
    scene: &Scene,
    registry: &TypeRegistry,
    files: &dyn Files,
) -> Result<Prepared, BuildError> {
    let mut warnings = Vec::new();
    values::check_fields("", scene)?;
    for (field, ms) in [
        ("duration_ms", scene.duration_ms),
        ("statistics_from_ms", scene.statistics_from_ms),
    ] {
        values::check_time(field, ms, scene.dt_ms)?;
    }
    if scene.duration_ms > 0.0 && scene.statistics_from_ms >= scene.duration_ms {
        let (from, end) = (scene.statistics_from_ms, scene.duration_ms);
        let message = format!(
            "statistics start at {from} ms, but the run ends at {end} ms: there will be none"
        );
        warnings.push(Warning::new("statistics_from_ms", message));
    }
    let names: Vec<&str> = scene.regions.iter().map(|r| r.name.as_str()).collect();
    let (regions, places) = prepare_regions(scene, registry, files, &mut warnings)?;
    let find = |name: &str, path: String| {
        let message = || unknown("region", name, names.iter().copied());
        places
            .get(name)
            .copied()
            .ok_or_else(|| BuildError::new(path, message()))
    };

    let mut lists = Vec::new();
    let mut projections: Vec<PreparedProjection> = Vec::new();
    let mut taken = ProjectionNames::default();
    let mut channels: Vec<usize> = regions.iter().map(|r| r.model.receptors.len()).collect();
    for (i, spec) in scene.projections.iter().enumerate() {
        let path = format!("projections[{i}]");
        let from = find(&spec.from, format!("{path}.from"))?;
        let to = find(&spec.to, format!("{path}.to"))?;
        let at = projections::Place {
            scene,
            spec,
            path: &path,
            from,
            from_exact: regions[from].model.exact,
            to,
            types: registry,
        };
        let (mut prepared, list) = at.prepare(&regions[to], files, &mut warnings)?;
        if prepared.response.is_some() {
            prepared.channel = channels[to];
            channels[to] += 1;
        }
        // A dense row has one place for each target, so a second projection of the kind is stored synapse by synapse.
        if matches!(prepared.format, WeightFormat::Dense { .. })
            && projections
                .iter()
                .any(|p| (p.from, p.to, p.channel) == (from, to, prepared.channel))
        {
            prepared.format = WeightFormat::Narrow { shift: 0 };
        }
        prepared.name = taken.take(i, spec.name.as_deref(), &prepared)?;
        projections.push(prepared);
        lists.push(list);
    }

    let mut stimulus_receptors = Vec::new();
    let mut stimuli_by_name = HashMap::new();
    for (i, stimulus) in scene.stimuli.iter().enumerate() {
        let path = format!("stimuli[{i}]");
        let to = find(&stimulus.to, format!("{path}.to"))?;
        // Random numbers follow from name and region, so two of one name would not be independent.
        let name = stimulus
            .name
            .clone()
            .unwrap_or_else(|| format!("stimulus {i}"));
        if let Some(first) = stimuli_by_name.insert((name.clone(), to), i) {
            let message = format!(
                "the name {} is taken by stimuli[{first}]; stimuli of one region need different names",
                quoted(&name)
            );
            return Err(BuildError::new(path + ".name", message));
        }
        stimulus_receptors.push(stimuli::prepare_stimulus(
            scene,
            stimulus,
            &path,
            to,
            &regions[to],
            files,
            &mut warnings,
        )?);
    }
    check_probes(scene, &regions, &projections, &places, &mut warnings)?;

    modulators::check(scene, &regions, &projections, &places, &mut warnings)?;
    let receptors = choose_quanta(
        scene,
        &regions,
        &mut projections,
        &lists,
        &stimulus_receptors,
        &places,
        &mut warnings,
    )?;
    memory::check_slots(scene, &receptors)?;
    warn_of_silence(scene, &regions, &projections, &places, &mut warnings);
    let synapses = projections.iter().fold(0.0, |sum, p| sum + p.synapses);
    let (bytes, temporary) =
        memory::predict_bytes(scene, &regions, &projections, &receptors, &places);
    Ok(Prepared {
        neurons: scene.regions.iter().map(|r| u64::from(r.neurons)).sum(),
        projections,
        synapses,
        bytes,
        peak_bytes: bytes.saturating_add(temporary),
        warnings,
        receptors,
        stimulus_receptors,
        lists,
        regions,
    })
}

/// Checks the probes of a scene; `places` are its regions by name.
fn check_probes(
    scene: &Scene,
    regions: &[PreparedRegion],
    projections: &[PreparedProjection],
    places: &HashMap<&str, usize>,
    warnings: &mut Vec<Warning>,
) -> Result<(), BuildError> {
    let find = |name: &str, path: String| match places.get(name) {
        Some(&place) => Ok(place),
        None => {
            let names = scene.regions.iter().map(|r| r.name.as_str());
            Err(BuildError::new(path, unknown("region", name, names)))
        }
    };
    let mut probed = stimuli::Probed::new(scene, projections, places);
    for (i, probe) in scene.probes.iter().enumerate() {
        let path = format!("probes[{i}]");
        let targets = match &probe.region {
            Some(name) => vec![find(name, format!("{path}.region"))?],
            None => (0..regions.len()).collect(),
        };
        let at = stimuli::ProbePlace {
            scene,
            spec: probe,
            path: &path,
            regions,
            projections,
            targets: &targets,
        };
        at.check(&find, &mut probed, warnings)?;
    }
    Ok(())
}

/// The regions, and the place of each by its name.
fn prepare_regions<'s>(
    scene: &'s Scene,
    registry: &TypeRegistry,
    files: &dyn Files,
    warnings: &mut Vec<Warning>,
) -> Result<(Vec<PreparedRegion>, HashMap<&'s str, usize>), BuildError> {
    if scene.regions.is_empty() {
        return Err(BuildError::new(
            "regions",
            "a scene needs at least one region",
        ));
    }
    let mut places = HashMap::new();
    let mut regions = Vec::new();
    for (i, region) in scene.regions.iter().enumerate() {
        let path = format!("regions[{i}]");
        if region.name.trim().is_empty() {
            return Err(BuildError::new(path + ".name", "a region needs a name"));
        }
        if let Some(first) = places.insert(region.name.as_str(), i) {
            let message = format!(
                "the name {} is taken by regions[{first}]; names must differ",
                quoted(&region.name)
            );
            return Err(BuildError::new(path + ".name", message));
        }
        regions.push(prepare_region(
            region,
            &path,
            registry,
            &build_region(scene, region, files),
            warnings,
        )?);
    }
    Ok((regions, places))
}

/// What a region is checked and built from.
pub(super) fn build_region<'a>(
    scene: &Scene,
    region: &'a RegionSpec,
    files: &'a dyn Files,
) -> BuildRegion<'a> {
    BuildRegion {
        model: region.model.0.as_ref(),
        initial: &region.initial,
        seed: scene.seed,
        key: entity_key(&region.name),
        neurons: region.neurons,
        dt_ms: scene.dt_ms,
        files,
    }
}

fn prepare_region(
    region: &RegionSpec,
    path: &str,
    registry: &TypeRegistry,
    build: &BuildRegion<'_>,
    warnings: &mut Vec<Warning>,
) -> Result<PreparedRegion, BuildError> {
    let dt = build.dt_ms;
    let at = |field: &str, message: String| BuildError::new(format!("{path}.{field}"), message);
    let value = region.model.0.as_ref();
    let info = value
        .get_represented_type_info()
        .ok_or_else(|| at("model", "a region needs a neuron model".into()))?;
    let type_name = info.type_path_table().short_path();
    let model = registry
        .get_type_data::<ReflectNeuronModel>(info.type_id())
        .ok_or_else(|| at("model", format!("{type_name} is no neuron model")))?;
    if region.neurons == 0 {
        return Err(at("neurons", "a region needs at least one neuron".into()));
    }
    values::check_fields(&format!("{path}.model"), value)?;
    if let Some(t_ref) = values::distribution_of(value, "t_ref")
        && t_ref.largest_magnitude() > MOST_REFRACTORY_STEPS * dt
    {
        let message = format!(
            "it reaches {} ms; with steps of {dt} ms it can be {} ms at most",
            t_ref.largest_magnitude(),
            MOST_REFRACTORY_STEPS * dt
        );
        return Err(at("model.t_ref", message));
    }
    (model.check)(build).map_err(|e| at("model", e))?;
    let mut given = HashSet::new();
    for (name, distribution) in &region.initial {
        let entry = format!("initial[\"{name}\"]");
        let Some(column) = model.columns.iter().position(|known| known == name) else {
            return Err(at(&entry, no_column(type_name, name, model.columns)));
        };
        if !given.insert(name) {
            return Err(at(
                &entry,
                format!("the initial value of {} is given twice", quoted(name)),
            ));
        }
        values::check_distribution(distribution, Some(model.ranges[column]))
            .map_err(|e| at(&entry, e))?;
    }
    if let Some(layout) = &region.layout {
        layout
            .check(region.neurons)
            .map_err(|e| at("layout", e.to_string()))?;
    }
    if let Some(intrinsic) = &region.intrinsic {
        if model.source {
            let message = format!(
                "{type_name} takes no input, so no current changes its rate; leave `intrinsic` out"
            );
            return Err(at("intrinsic", message));
        }
        values::check_fields(&format!("{path}.intrinsic"), intrinsic)?;
        (intrinsic.check(dt))
            .map_err(|(field, message)| at(&format!("intrinsic.{field}"), message))?;
    }
    if model.source
        && let Some(rate) = values::distribution_of(value, "rate_hz")
        && rate.largest_magnitude() * dt * 1e-3 >= 1.0
    {
        let (most, hz) = (1e3 / dt, rate.largest_magnitude());
        let message = format!(
            "a neuron spikes at most once per step of {dt} ms, so a rate of {hz} Hz is not reached; stay well below {most} Hz"
        );
        warnings.push(Warning::new(format!("{path}.model.rate_hz"), message));
    }
    Ok(PreparedRegion {
        model: model.clone(),
        type_name,
    })
}

/// `LifExp has no column "u"; did you mean …`.
fn no_column(model: &str, name: &str, known: &[&str]) -> String {
    has_no(model, "column", name, known.iter().copied())
}

/// `LifExp has no receptor "exitatory"; did you mean "excitatory"? known: …`.
fn has_no<'a>(
    owner: &str,
    what: &str,
    name: &str,
    known: impl IntoIterator<Item = &'a str> + Clone,
) -> String {
    let near = nearest(name, known.clone()).map_or_else(
        || ";".to_owned(),
        |near| format!("; did you mean \"{near}\"?"),
    );
    format!(
        "{owner} has no {what} {}{near} known: {}",
        quoted(name),
        listed(known)
    )
}

/// The names of projections, which decide on their random numbers and must differ.
#[derive(Default)]
struct ProjectionNames {
    by_name: HashMap<String, usize>,
    between: HashMap<(usize, usize), usize>,
}

impl ProjectionNames {
    /// The name of projection `index`, numbered if it has none of its own.
    fn take(
        &mut self,
        index: usize,
        given: Option<&str>,
        projection: &PreparedProjection,
    ) -> Result<String, BuildError> {
        let count = self
            .between
            .entry((projection.from, projection.to))
            .or_insert(0);
        *count += 1;
        let mut name = projection.name.clone();
        if let (Some(given), Some(first)) = (given, self.by_name.get(&name)) {
            let message = format!(
                "the name {} is taken by projections[{first}]; names must differ",
                quoted(given)
            );
            return Err(BuildError::new(
                format!("projections[{index}].name"),
                message,
            ));
        }
        while self.by_name.contains_key(&name) {
            name = format!("{} #{count}", projection.name);
            *count += usize::from(self.by_name.contains_key(&name));
        }
        self.by_name.insert(name.clone(), index);
        Ok(name)
    }
}

fn warn_of_silence(
    scene: &Scene,
    regions: &[PreparedRegion],
    projections: &[PreparedProjection],
    places: &HashMap<&str, usize>,
    warnings: &mut Vec<Warning>,
) {
    let excited: HashSet<usize> = modulators::excited(scene, places).collect();
    let reached: HashSet<usize> = projections
        .iter()
        .filter(|p| p.synapses > 0.0)
        .map(|p| p.to)
        .collect();
    let stimulated: HashSet<&str> = scene
        .stimuli
        .iter()
        .filter(|s| !matches!(s.kind, StimulusKind::Silence))
        .map(|s| s.to.as_str())
        .collect();
    for (i, region) in scene.regions.iter().enumerate() {
        let driven = reached.contains(&i)
            || stimulated.contains(region.name.as_str())
            || region.intrinsic.is_some()
            || excited.contains(&i);
        if !driven
            && !regions[i].model.source
            && !(regions[i].model.self_driven)(region.model.0.as_ref())
        {
            warnings.push(Warning::new(
                format!("regions[{i}]"),
                format!("region {} has no input: nothing projects to it and no stimulus or constant current drives it", quoted(&region.name)),
            ));
        }
    }
}
