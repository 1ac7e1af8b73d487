//! Modulators of a scene: checked, and built.

use super::error::{quoted, unknown};
use super::prepare::{
    BuildError, PreparedProjection, PreparedRegion, Warning, check_fields, check_selection,
    check_sequence, check_time, check_time_constant, warn_of_rounding_to_none,
};
use super::schema::Scene;
use crate::modulation::effects::{ModulatedRelease, Part, Reach};
use crate::modulation::{Coincidences, Effect, Evaluation, Modulator, ModulatorSpec, Rewarder};
use crate::network::stimulus::Selection;
use crate::plasticity::ModulatedBy;
use crate::sim::rng::{Purpose, Random, entity_key};
use bevy::prelude::*;
use std::collections::HashMap;

/// The longest delay of a release in steps: so many numbers are kept of it.
const LONGEST_DELAY: f64 = 65_535.0;

/// With more target neurons, or more effects on some of them, classes of them are not counted ahead.
const MANY_TARGETS: u32 = 1_000_000;
const MANY_CHOICES: usize = 12;

/// Checks the modulators of a scene; `places` are its regions by name.
pub(super) fn check(
    scene: &Scene,
    regions: &[PreparedRegion],
    projections: &[PreparedProjection],
    places: &HashMap<&str, usize>,
    warnings: &mut Vec<Warning>,
) -> Result<(), BuildError> {
    let mut taken: HashMap<&str, usize> = HashMap::new();
    for (i, spec) in scene.modulators.iter().enumerate() {
        let path = format!("modulators[{i}]");
        check_fields(&path, spec)?;
        if spec.name.trim().is_empty() {
            return Err(BuildError::new(path + ".name", "a modulator needs a name"));
        }
        if let Some(first) = taken.insert(&spec.name, i) {
            let message = format!(
                "the name {} is taken by modulators[{first}]; names must differ",
                quoted(&spec.name)
            );
            return Err(BuildError::new(path + ".name", message));
        }
        if let Some(tau_ms) = spec.tau_ms {
            check_time_constant(format!("{path}.tau_ms"), tau_ms, scene.dt_ms)?;
        }
        check_releases(scene, spec, &path, places, warnings)?;
        check_rewards(scene, spec, &path, places, warnings)?;
        check_evaluation(spec, &path, scene.dt_ms, places, warnings)?;
        let critic = matches!(spec.evaluation, Evaluation::TemporalDifference { .. });
        for (field, value, is_used) in [
            ("initial", spec.initial, spec.tau_ms.is_some()),
            ("baseline", spec.baseline, spec.tau_ms.is_some() || critic),
        ] {
            if value != 0.0 && !is_used {
                let message = format!(
                    "{} is no pool and has no concentration; give it `tau_ms`, or leave `{field}` out",
                    quoted(&spec.name)
                );
                return Err(BuildError::new(format!("{path}.{field}"), message));
            }
        }
        check_effects(scene, (regions, projections), spec, &path, places, warnings)?;
        if spec.released_by.is_empty()
            && spec.rewards.is_empty()
            && !critic
            && spec.initial == 0.0
            && spec.baseline == 0.0
        {
            warnings.push(Warning::new(
                path,
                format!(
                    "nothing releases modulator {}: no population, no rewarder; only commands and code can",
                    quoted(&spec.name)
                ),
            ));
        }
    }
    Ok(())
}

fn region_at<'s>(
    scene: &'s Scene,
    places: &HashMap<&str, usize>,
    name: &str,
    path: String,
) -> Result<&'s super::schema::RegionSpec, BuildError> {
    match places.get(name) {
        Some(&place) => Ok(&scene.regions[place]),
        None => {
            let names = scene.regions.iter().map(|r| r.name.as_str());
            Err(BuildError::new(path, unknown("region", name, names)))
        }
    }
}

fn check_releases(
    scene: &Scene,
    spec: &ModulatorSpec,
    path: &str,
    places: &HashMap<&str, usize>,
    warnings: &mut Vec<Warning>,
) -> Result<(), BuildError> {
    for (i, release) in spec.released_by.iter().enumerate() {
        let path = format!("{path}.released_by[{i}]");
        check_fields(&path, release)?;
        let region = region_at(scene, places, &release.from, format!("{path}.from"))?;
        let selected = format!("{path}.neurons");
        check_selection(&release.neurons, selected, region.neurons, warnings)?;
        if release.delay_ms / scene.dt_ms > LONGEST_DELAY {
            let message = format!(
                "{} ms are more than {LONGEST_DELAY} steps of {} ms, the longest delay that is possible",
                release.delay_ms, scene.dt_ms
            );
            return Err(BuildError::new(format!("{path}.delay_ms"), message));
        }
        check_sequence(
            &format!("{path}.response"),
            &release.response,
            scene.dt_ms,
            warnings,
        )?;
        if release.delay_ms > 0.0 {
            let path = format!("{path}.delay_ms");
            warn_of_rounding_to_none(path, "a delay", release.delay_ms, scene.dt_ms, warnings);
        }
    }
    Ok(())
}

fn check_rewards(
    scene: &Scene,
    spec: &ModulatorSpec,
    path: &str,
    places: &HashMap<&str, usize>,
    warnings: &mut Vec<Warning>,
) -> Result<(), BuildError> {
    let dt = scene.dt_ms;
    for (i, rewarder) in spec.rewards.iter().enumerate() {
        let path = format!("{path}.rewards[{i}]");
        check_fields(&path, rewarder)?;
        let (region, first, second, within_ms, delay_min_ms, delay_max_ms) = match rewarder {
            Rewarder::Schedule { times_ms, .. } => {
                for (i, time) in times_ms.iter().enumerate() {
                    check_time(format!("{path}.times_ms[{i}]"), *time, dt)?;
                }
                let end = scene.duration_ms;
                if let Some(first) = times_ms.iter().copied().reduce(f64::min)
                    && end > 0.0
                    && first > end
                {
                    let message = format!(
                        "the first reward comes at {first} ms, but the run ends at {end} ms: there will be none"
                    );
                    warnings.push(Warning::new(format!("{path}.times_ms"), message));
                }
                continue;
            }
            Rewarder::Coincidence {
                region,
                first,
                second,
                within_ms,
                delay_min_ms,
                delay_max_ms,
                ..
            } => (region, first, second, within_ms, delay_min_ms, delay_max_ms),
        };
        let spec = region_at(scene, places, region, format!("{path}.region"))?;
        for (field, neuron) in [("first", *first), ("second", *second)] {
            Selection::List(vec![neuron])
                .count(spec.neurons)
                .map_err(|e| BuildError::new(format!("{path}.{field}"), e))?;
        }
        if delay_min_ms > delay_max_ms {
            let message = format!(
                "delay_min_ms is {delay_min_ms} and delay_max_ms {delay_max_ms}; give the smaller number first"
            );
            return Err(BuildError::new(format!("{path}.delay_min_ms"), message));
        }
        if within_ms / dt < 0.5 {
            let message = format!(
                "{within_ms} ms is less than half a step of {dt} ms, so that no two spikes are that close; allowed is a step or more"
            );
            return Err(BuildError::new(format!("{path}.within_ms"), message));
        }
        for (field, ms) in [
            ("within_ms", *within_ms),
            ("delay_min_ms", *delay_min_ms),
            ("delay_max_ms", *delay_max_ms),
        ] {
            let path = format!("{path}.{field}");
            check_time(path.clone(), ms, dt)?;
            if ms > 0.0 {
                warn_of_rounding_to_none(path, "a time", ms, dt, warnings);
            }
        }
    }
    Ok(())
}

/// The least relative difference of the rise and the decay of a critic's kernel: with less, their rates may be equal in floating point.
const LEAST_DIFFERENCE: f64 = 1e-9;

fn check_evaluation(
    spec: &ModulatorSpec,
    path: &str,
    dt_ms: f64,
    places: &HashMap<&str, usize>,
    warnings: &mut Vec<Warning>,
) -> Result<(), BuildError> {
    let path = format!("{path}.evaluation");
    check_fields(&path, &spec.evaluation)?;
    if matches!(spec.evaluation, Evaluation::Surprise { .. })
        && spec.rewards.is_empty()
        && !spec.released_by.is_empty()
    {
        let message = format!(
            "{} has no `rewards`, and what spikes release is not evaluated; only rewards by commands and code are",
            quoted(&spec.name)
        );
        warnings.push(Warning::new(path.clone(), message));
    }
    let Evaluation::TemporalDifference {
        critic,
        tau_reward_ms,
        tau_rate_ms,
        tau_rise_ms,
        ..
    } = &spec.evaluation
    else {
        return Ok(());
    };
    if !places.contains_key(critic.as_str()) {
        let mut names: Vec<_> = places.keys().copied().collect();
        names.sort_unstable();
        let message = unknown("region", critic, names.iter().copied());
        return Err(BuildError::new(format!("{path}.critic"), message));
    }
    for (field, tau) in [
        ("tau_reward_ms", *tau_reward_ms),
        ("tau_rate_ms", *tau_rate_ms),
        ("tau_rise_ms", *tau_rise_ms),
    ] {
        check_time_constant(format!("{path}.{field}"), tau, dt_ms)?;
    }
    if *tau_rise_ms > tau_rate_ms * (1.0 - LEAST_DIFFERENCE) {
        let message = format!(
            "the kernel rises with {tau_rise_ms} ms and decays with {tau_rate_ms} ms; the rise must be shorter, by a billionth of it at least"
        );
        return Err(BuildError::new(format!("{path}.tau_rise_ms"), message));
    }
    if spec.tau_ms.is_some() {
        let message = "a temporal difference is a signal and no pool: leave out `tau_ms`";
        return Err(BuildError::new(path, message));
    }
    Ok(())
}

fn check_effects(
    scene: &Scene,
    (regions, projections): (&[PreparedRegion], &[PreparedProjection]),
    spec: &ModulatorSpec,
    path: &str,
    places: &HashMap<&str, usize>,
    warnings: &mut Vec<Warning>,
) -> Result<(), BuildError> {
    for (i, effect) in spec.effects.iter().enumerate() {
        let path = format!("{path}.effects[{i}]");
        check_fields(&path, effect)?;
        if spec.tau_ms.is_none() {
            let message = format!(
                "{} acts at single moments; only pools act on neurons and synapses: give it `tau_ms`",
                quoted(&spec.name)
            );
            return Err(BuildError::new(path, message));
        }
        let selected = format!("{path}.neurons");
        match effect {
            Effect::Excitability {
                region, neurons, ..
            } => {
                let spec = region_at(scene, places, region, format!("{path}.region"))?;
                check_selection(neurons, selected, spec.neurons, warnings)?;
                let target = &regions[places[region.as_str()]];
                if target.model.source {
                    let message = format!(
                        "{} of region {} takes no input, so no current changes its rate",
                        target.type_name,
                        quoted(region)
                    );
                    return Err(BuildError::new(format!("{path}.region"), message));
                }
            }
            Effect::Release {
                projection,
                neurons,
                ..
            } => {
                let (_, found) = find_projection(projections, projection, &path)?;
                let sources = scene.regions[found.from].neurons;
                check_selection(neurons, selected, sources, warnings)?;
            }
            Effect::Learning {
                projection,
                neurons,
                ..
            } => {
                let (place, found) = find_projection(projections, projection, &path)?;
                let targets = scene.regions[found.to].neurons;
                check_selection(neurons, selected, targets, warnings)?;
                if scene.projections[place].frozen {
                    let message = format!(
                        "projection {} is `frozen`, so there is nothing to scale until it is not",
                        quoted(projection)
                    );
                    warnings.push(Warning::new(format!("{path}.projection"), message));
                }
                if !found.learns() {
                    let message = format!(
                        "projection {} has no learning rule, so there is nothing to scale; add one to its `plasticity`, or take this effect out",
                        quoted(projection)
                    );
                    return Err(BuildError::new(format!("{path}.projection"), message));
                }
            }
        }
    }
    Ok(())
}

/// The projection of this name, and its place in the scene.
fn find_projection<'p>(
    projections: &'p [PreparedProjection],
    name: &str,
    path: &str,
) -> Result<(usize, &'p PreparedProjection), BuildError> {
    let mut numbered = projections.iter().enumerate();
    numbered.find(|(_, p)| p.name == name).ok_or_else(|| {
        let known = projections.iter().map(|p| p.name.as_str());
        let message = unknown("projection", name, known);
        BuildError::new(format!("{path}.projection"), message)
    })
}

/// The most that a projection transmits of its weight, if pools act on what it releases.
pub(super) fn most_released(scene: &Scene, projection: &str) -> Option<f64> {
    let effects = scene.modulators.iter().flat_map(|m| &m.effects);
    let most = effects.filter_map(|effect| match effect {
        Effect::Release {
            projection: name,
            most,
            ..
        } if name == projection => Some(*most),
        _ => None,
    });
    most.reduce(f64::max)
}

/// The regions into which pools let a current flow.
pub(super) fn excited<'a>(
    scene: &'a Scene,
    places: &'a HashMap<&str, usize>,
) -> impl Iterator<Item = usize> + 'a {
    let effects = scene.modulators.iter().flat_map(|m| &m.effects);
    effects.filter_map(|effect| match effect {
        Effect::Excitability { region, .. } => places.get(region.as_str()).copied(),
        Effect::Release { .. } | Effect::Learning { .. } => None,
    })
}

/// The effects on excitability: region, neurons, pool, current per unit.
pub(super) fn excitability(
    world: &mut World,
    scene: &Scene,
) -> Vec<(usize, Vec<u32>, Entity, f64)> {
    let mut found = Vec::new();
    for spec in &scene.modulators {
        for effect in &spec.effects {
            let Effect::Excitability {
                region,
                neurons,
                current,
            } = effect
            else {
                continue;
            };
            let place = scene.regions.iter().position(|r| r.name == *region);
            if let (Some(place), Some(modulator)) = (place, find(world, &spec.name)) {
                let key = entity_key(&spec.name) ^ entity_key(region);
                let random = Random::new(scene.seed, key, Purpose::Choice);
                let count = scene.regions[place].neurons;
                let chosen = neurons.neurons(count, random).unwrap_or_default();
                found.push((place, chosen, modulator, *current));
            }
        }
    }
    found
}

/// The modulator called `name`.
pub(super) fn find(world: &mut World, name: &str) -> Option<Entity> {
    let mut modulators = world.query_filtered::<(Entity, &Name), With<Modulator>>();
    modulators
        .iter(world)
        .find(|(_, known)| known.as_str() == name)
        .map(|(entity, _)| entity)
}

/// The neurons on whose synapses an effect on a projection acts; `None` for all.
fn chosen(
    scene: &Scene,
    pool: &str,
    projection: &str,
    selection: &Selection,
    neurons: u32,
) -> Option<Vec<u32>> {
    if *selection == Selection::All {
        return None;
    }
    let key = entity_key(pool) ^ entity_key(projection);
    let random = Random::new(scene.seed, key, Purpose::Choice);
    Some(selection.neurons(neurons, random).unwrap_or_default())
}

/// Lets pools act on what a projection from so many neurons releases.
pub(super) fn attach_release(
    world: &mut World,
    scene: &Scene,
    projection: Entity,
    (name, sources): (&str, u32),
) {
    let take = |effect: &Effect| match effect {
        Effect::Release {
            projection,
            neurons,
            gain,
            most,
        } if projection == name => Some((neurons.clone(), *gain, [0.0, *most])),
        _ => None,
    };
    let found = |pool: &str| find(world, pool);
    if let Some(reach) = reach(scene, (name, sources), take, found) {
        let release = ModulatedRelease::new(reach);
        world.entity_mut(projection).insert(release);
    }
}

/// How pools act on the learning of a projection to so many neurons; `None` if none does. `find` finds pools by their names.
pub(super) fn gates(
    scene: &Scene,
    (name, targets): (&str, u32),
    find: impl FnMut(&str) -> Option<Entity>,
) -> Option<Reach> {
    reach(scene, (name, targets), |e| gate(e, name), find)
}

/// What an effect says of the learning of a projection: target neurons, gain, and bounds of the factor.
fn gate(effect: &Effect, name: &str) -> Option<(Selection, f64, [f64; 2])> {
    match effect {
        Effect::Learning {
            projection,
            neurons,
            gain,
            least,
            most,
        } if projection == name => Some((neurons.clone(), *gain, [*least, *most])),
        _ => None,
    }
}

/// Into how many classes of target neurons, of which there are so many, [`gates`] divide those of a projection; where finding out takes much, how many
/// there may be.
pub(super) fn classes(scene: &Scene, (name, targets): (&str, u32)) -> f64 {
    let effects = scene.modulators.iter().flat_map(|m| &m.effects);
    let gates_of: Vec<_> = effects.filter_map(|effect| gate(effect, name)).collect();
    if gates_of.is_empty() {
        return 0.0;
    }
    let choices = gates_of.iter().filter(|gate| gate.0 != Selection::All);
    let choices = choices.count();
    if choices > 0 && (targets > MANY_TARGETS || choices > MANY_CHOICES) {
        return libm::exp2(choices as f64).min(targets.into());
    }
    if choices == 0 {
        return 1.0;
    }
    let found = gates(scene, (name, targets), |_| Some(Entity::PLACEHOLDER));
    found.map_or(0.0, |gates| gates.len() as f64)
}

/// How pools act on the synapses of a projection, by the neurons on one side, of which there are so many. `take` gives what an effect that is meant
/// says: neurons, gain, and bounds of the factor.
fn reach(
    scene: &Scene,
    (name, neurons): (&str, u32),
    take: impl Fn(&Effect) -> Option<(Selection, f64, [f64; 2])>,
    mut find: impl FnMut(&str) -> Option<Entity>,
) -> Option<Reach> {
    let mut parts = Vec::new();
    for spec in &scene.modulators {
        for (selection, gain, [least, most]) in spec.effects.iter().filter_map(&take) {
            let Some(modulator) = find(&spec.name) else {
                continue;
            };
            parts.push(Part {
                modulator,
                neurons: chosen(scene, &spec.name, name, &selection, neurons),
                gain,
                least,
                most,
            });
        }
    }
    Reach::new(&parts, neurons as usize)
}

/// Checks that the modulator exists that `what` speaks of, in words.
pub(super) fn check_name(scene: &Scene, name: &str, what: &str) -> Result<(), String> {
    if scene.modulators.iter().any(|m| m.name == name) {
        return Ok(());
    }
    if scene.modulators.is_empty() {
        return Err(format!(
            "{what} {}, but the scene has no modulators; add one under `modulators`",
            quoted(name)
        ));
    }
    let names = scene.modulators.iter().map(|m| m.name.as_str());
    Err(unknown("modulator", name, names))
}

/// Makes the modulators. `entities` are the regions.
pub(super) fn build(world: &mut World, scene: &Scene, entities: &[Entity]) {
    let region = |name: &str| scene.regions.iter().position(|r| r.name == name);
    let steps = |ms: f64| libm::rint(ms / scene.dt_ms) as u64;
    for (i, spec) in scene.modulators.iter().enumerate() {
        let find = |name: &str, selection: &Selection| {
            let place = region(name)?;
            let key = entity_key(&spec.name) ^ entity_key(name);
            let random = Random::new(scene.seed, key, Purpose::Choice);
            let neurons = scene.regions[place].neurons;
            let chosen = selection.neurons(neurons, random).ok()?;
            Some((entities[place], neurons, chosen))
        };
        let modulator = Modulator::new(spec, i as u32, scene.dt_ms, &find);
        let id = world.spawn((Name::new(spec.name.clone()), modulator)).id();
        for (j, rewarder) in spec.rewards.iter().enumerate() {
            if let Rewarder::Coincidence {
                region: name,
                first,
                second,
                within_ms,
                delay_min_ms,
                delay_max_ms,
                amount,
            } = rewarder
                && let Some(place) = region(name)
            {
                world.spawn(Coincidences {
                    modulator: id,
                    region: entities[place],
                    first: *first,
                    second: *second,
                    within: steps(*within_ms),
                    delay: (steps(*delay_min_ms), steps(*delay_max_ms)),
                    amount: *amount,
                    key: entity_key(&format!("{}[{j}]", spec.name)),
                    last: 0,
                });
            }
        }
    }
}

/// Lets a modulator act on the rule of a projection.
pub(super) fn attach(world: &mut World, projection: Entity, name: &str) {
    if let Some(modulator) = find(world, name) {
        world.entity_mut(projection).insert(ModulatedBy(modulator));
    }
}
