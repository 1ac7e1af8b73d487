//! Stimuli and probes of a scene become entities. See [`prepare`](super::prepare) for what is checked before.

use super::build::{BuildOptions, Needs};
use super::modulators;
use super::prepare::{BuildError, Prepared, factor_of};
use super::schema::{ProbeKind, Scene};
use crate::files::Files;
use crate::modulation::effects::ModulatedDrive;
use crate::modulation::probe::ModulatorProbe;
use crate::network::distribution::Distribution;
use crate::network::plastic::PlasticSynapses;
use crate::network::probe::{ColumnProbe, RateProbe, SpikeProbe, StatisticsProbe};
use crate::network::projection::Connect;
use crate::network::stimulus::{
    Action, Background, BackgroundInput, Course, Noise, PoissonCounts, Stimulus, StimulusKind,
    StimulusOrder, window_steps,
};
use crate::network::weight_probe::{Kept, WeightProbe};
use crate::plasticity::intrinsic::IntrinsicCurrent;
use crate::results::Window as StatisticsWindow;
use crate::results::online::OnlineStatistics;
use crate::sim::clock::to_steps;
use crate::sim::columns::{Column, ColumnRegistry, Drive, LANES};
use crate::sim::rng::{Purpose, Random, entity_key};
use bevy::prelude::*;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

/// The most draws of a neuron's Poisson input in one step: each step has numbers of its own for 1024.
pub(super) const MOST_DRAWS: u32 = 64;

pub(super) fn build_stimuli(
    world: &mut World,
    scene: &Scene,
    prepared: &Prepared,
    entities: &[Entity],
    files: &dyn Files,
    needs: &mut Needs,
) -> Result<(), BuildError> {
    let mut order = StimulusOrder::default();
    let places: HashMap<&str, usize> = scene
        .regions
        .iter()
        .enumerate()
        .map(|(i, r)| (r.name.as_str(), i))
        .collect();
    for (i, spec) in scene.stimuli.iter().enumerate() {
        let at = |message: String| BuildError::new(format!("stimuli[{i}].kind"), message);
        let region = places.get(spec.to.as_str()).copied().unwrap_or(0);
        let size = scene.regions[region].neurons;
        let name = spec.name.clone().unwrap_or_else(|| format!("stimulus {i}"));
        let key = entity_key(&name) ^ entity_key(&spec.to).rotate_left(1);
        let chosen = spec
            .neurons
            .neurons(size, Random::new(scene.seed, key, Purpose::Choice))
            .map_err(|e| BuildError::new(format!("stimuli[{i}].neurons"), e))?;
        let (start, stop) = window_steps(&spec.window, scene.dt_ms);
        let action =
            stimulus_action(scene, prepared, i, region, &chosen, key, files).map_err(at)?;
        let entity = world
            .spawn((
                Name::new(name),
                Stimulus {
                    order: i as u32,
                    key,
                    region: entities[region],
                    action: action.clone(),
                    start,
                    stop,
                },
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
            Action::Poisson(_) => {
                needs.background = true;
                order.backgrounds.push(entity);
                world
                    .entity_mut(entities[region])
                    .insert(BackgroundInput::default());
            }
            Action::InputSpikes(..) => {
                needs.inputs = true;
                order.inputs.push(entity);
            }
            Action::Spike(..) | Action::Silence(_) => {
                needs.clamps = true;
                order.clamps.push(entity);
            }
        }
    }
    for (region, entity) in scene.regions.iter().zip(entities) {
        let Some(rule) = &region.intrinsic else {
            continue;
        };
        let neurons = region.neurons as usize;
        let current = IntrinsicCurrent::new(rule, neurons, scene.dt_ms);
        let mut entity = world.entity_mut(*entity);
        entity.insert((rule.clone(), current));
        needs.intrinsic = true;
        // The drive is cleared with those of stimuli.
        needs.currents = true;
        if !order.driven.contains(&entity.id()) {
            order.driven.push(entity.id());
            entity.insert(Drive(Column::filled(neurons, 0.0)));
        }
    }
    for (region, neurons, modulator, current) in modulators::excitability(world, scene) {
        needs.modulated_drive = true;
        needs.currents = true;
        let mut entity = world.entity_mut(entities[region]);
        if !order.driven.contains(&entity.id()) {
            order.driven.push(entity.id());
            let size = scene.regions[region].neurons as usize;
            entity.insert(Drive(Column::filled(size, 0.0)));
        }
        let mut drive = entity.take::<ModulatedDrive>().unwrap_or_default();
        drive.0.push((modulator, neurons, current));
        entity.insert(drive);
    }
    world.insert_resource(order);
    Ok(())
}

/// A column that is `value(neuron)` for the chosen neurons and 0 elsewhere.
fn column_of<T: Copy + Default>(
    size: u32,
    chosen: &[u32],
    mut value: impl FnMut(u32) -> T,
) -> Column<T> {
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
    let quantum = prepared.receptors[region]
        .get(receptor)
        .and_then(|q| q.exponent)
        .unwrap_or(0);
    let factor = factor_of(&prepared.regions[region], receptor) / libm::exp2(f64::from(quantum));
    let quanta = |weight: f64| (weight * factor).round() as i32;
    let (start, stop) = window_steps(&spec.window, dt);
    let acts = |ms: f64| (start..stop).contains(&to_steps(ms, dt));
    Ok(match &spec.kind {
        StimulusKind::Direct { amplitude } | StimulusKind::Step { amplitude } => {
            Action::Currents(column_of(size, chosen, |n| draw(amplitude, n, 0) as f32))
        }
        StimulusKind::Alternating {
            amplitude,
            offset,
            frequency_hz,
            phase_deg,
        } => Action::Course(
            Course::Sine(*amplitude, *offset, frequency_hz * 1e-3, phase_deg / 360.0),
            selected(),
        ),
        StimulusKind::Ramp { from, to } => Action::Course(
            Course::Ramp(*from, *to, start, stop.saturating_sub(start)),
            selected(),
        ),
        StimulusKind::Schedule(list) => Action::Course(
            Course::Schedule(
                list.iter()
                    .map(|(t, current)| (to_steps(*t, dt), *current))
                    .collect(),
            ),
            selected(),
        ),
        StimulusKind::Noise {
            mean,
            sd,
            interval_ms,
            uniform,
        } => Action::Noise(
            Noise {
                mean: *mean as f32,
                sd: *sd as f32,
                every: to_steps(*interval_ms, dt).max(1),
                uniform: *uniform,
            },
            selected(),
        ),
        StimulusKind::CurrentFile(path) => {
            let mut column = Column::filled(size as usize, 0.0f32);
            for (neuron, current) in read_currents(path, size, files)? {
                column.as_mut_slice()[neuron as usize] = current;
            }
            Action::Currents(column)
        }
        StimulusKind::Poisson {
            rate_hz,
            weight,
            delay_ms,
            ..
        } => {
            let delay = if *delay_ms > 0.0 {
                to_steps(*delay_ms, dt).max(1)
            } else {
                0
            };
            let quanta = column_of(size, chosen, |n| quanta(draw(weight, n, 1)));
            let (counts, draws) = PoissonCounts::split(rate_hz.mean().max(0.0) * dt * 1e-3);
            let per_neuron = if rate_hz.is_constant() {
                Vec::new()
            } else {
                (0..size)
                    .map(|n| PoissonCounts::split(draw(rate_hz, n, 2).max(0.0) * dt * 1e-3))
                    .collect()
            };
            let shared = (weight.is_constant() && chosen.len() == size as usize)
                .then(|| quanta.as_slice()[0]);
            Action::Poisson(Arc::new(Background {
                counts,
                draws,
                per_neuron,
                delay,
                receptor,
                quanta,
                shared,
            }))
        }
        StimulusKind::InputSpikes {
            times_ms,
            weight,
            delay_ms,
            ..
        } => {
            // A spike emitted at t is stamped t, so it was detected in the step that ends at t, and acts its delay later.
            let delay = to_steps(*delay_ms, dt).max(1);
            let emitted = times_ms
                .iter()
                .filter(|t| acts(**t))
                .map(|t| to_steps(*t, dt));
            let mut due: Vec<u64> = emitted
                .map(|step| (step + delay).saturating_sub(1))
                .collect();
            due.sort_unstable();
            Action::InputSpikes(due, receptor, column_of(size, chosen, |_| quanta(*weight)))
        }
        StimulusKind::Spike { times_ms } => {
            let times = times_ms.iter().filter(|t| acts(**t));
            let mut steps: Vec<u64> = times.map(|t| to_steps(*t, dt).saturating_sub(1)).collect();
            steps.sort_unstable();
            steps.dedup();
            Action::Spike(steps, mask_of(size, chosen))
        }
        StimulusKind::Silence => Action::Silence(mask_of(size, chosen)),
    })
}

/// The neurons and currents of a file, checked for a region of `size` neurons.
pub(super) fn read_currents(
    path: &str,
    size: u32,
    files: &dyn Files,
) -> Result<Vec<(u32, f32)>, String> {
    let mut columns = files
        .columns(path, &["neuron", "current"], &[])?
        .into_iter();
    let mut next = || columns.next().flatten().unwrap_or_default();
    let (neurons, currents) = (next(), next());
    let mut given = HashSet::new();
    let rows = neurons.iter().zip(&currents).zip(1..);
    rows.map(|((&neuron, &current), row)| {
        if neuron.fract() != 0.0 || !(0.0..f64::from(size)).contains(&neuron) {
            let last = size.saturating_sub(1);
            return Err(format!("{path}: row {row}: neuron {neuron} does not exist; the region has neurons 0 to {last}"));
        }
        if !given.insert(neuron as u32) {
            return Err(format!("{path}: row {row}: neuron {neuron} has a current already; give one row per neuron"));
        }
        if current.abs() > f64::from(f32::MAX) {
            return Err(format!("{path}: row {row}: a current of {current:e} is too large for 32 bits; the largest number is about 3.4e38"));
        }
        Ok((neuron as u32, current as f32))
    })
    .collect()
}

/// The projection and the interval of a probe of weights over time.
fn weights_over_time(kind: &ProbeKind) -> Option<(&str, f64)> {
    match kind {
        ProbeKind::WeightCourse {
            projection,
            every_ms,
            ..
        }
        | ProbeKind::WeightHistogram {
            projection,
            every_ms,
            ..
        } => Some((projection, *every_ms)),
        _ => None,
    }
}

/// Builds a probe of the weights of the projection `name`, which the scene has, and which changes.
fn build_weight_probe(
    world: &mut World,
    scene: &Scene,
    (i, kind): (usize, &ProbeKind),
    name: &str,
    every_ms: f64,
) -> Result<(), BuildError> {
    let mut projections = world.query::<(Entity, &Name, &Connect, &PlasticSynapses)>();
    let found = projections
        .iter(world)
        .find(|(_, known, ..)| known.as_str() == name);
    let Some((projection, _, connect, synapses)) = found else {
        return Ok(());
    };
    let kept = match kind {
        ProbeKind::WeightCourse { targets, .. } => {
            let random = Random::new(scene.seed, entity_key(name), Purpose::Choice);
            let to = &scene.projections[connect.index as usize].to;
            let neurons = (scene.regions.iter())
                .find(|r| r.name == *to)
                .map_or(0, |r| r.neurons);
            let chosen = targets
                .neurons(neurons, random)
                .map_err(|e| BuildError::new(format!("probes[{i}].kind.targets"), e))?;
            let chosen: HashSet<u32> = chosen.into_iter().collect();
            let ends = synapses.ends();
            Kept::Single {
                places: (0..ends.len())
                    .filter(|place| chosen.contains(&ends[*place].1))
                    .collect(),
            }
        }
        ProbeKind::WeightHistogram { bins, .. } => Kept::Histogram {
            bounds: synapses.bounds(),
            bins: *bins as usize,
        },
        _ => return Ok(()),
    };
    world.spawn((
        Name::new(format!("probe {i} of {name}")),
        WeightProbe {
            projection,
            every: to_steps(every_ms, scene.dt_ms).max(1),
            kept,
            values: Vec::new(),
        },
    ));
    Ok(())
}

pub(super) fn build_probes(
    world: &mut World,
    scene: &Scene,
    entities: &[Entity],
    options: &BuildOptions,
    needs: &mut Needs,
) -> Result<(), BuildError> {
    for (i, spec) in scene.probes.iter().enumerate() {
        if let Some((name, every_ms)) = weights_over_time(&spec.kind) {
            needs.probes[4] = true;
            build_weight_probe(world, scene, (i, &spec.kind), name, every_ms)?;
            continue;
        }
        if let ProbeKind::Modulator {
            modulator,
            every_ms,
        } = &spec.kind
        {
            needs.probes[5] = true;
            if let Some(found) = modulators::find(world, modulator) {
                let every = to_steps(*every_ms, scene.dt_ms).max(1);
                let name = Name::new(format!("probe {i} of {modulator}"));
                world.spawn((name, ModulatorProbe::new(found, every)));
            }
            continue;
        }
        let regions: Vec<usize> = (0..scene.regions.len())
            .filter(|&r| {
                spec.region
                    .as_ref()
                    .is_none_or(|name| *name == scene.regions[r].name)
            })
            .collect();
        for region in regions {
            let name = Name::new(format!("probe {i} of {}", scene.regions[region].name));
            let entity = entities[region];
            match &spec.kind {
                ProbeKind::Spikes => {
                    needs.probes[0] = true;
                    world.spawn((
                        name,
                        SpikeProbe {
                            region: entity,
                            steps: Vec::new(),
                            neurons: Vec::new(),
                        },
                    ));
                }
                ProbeKind::Rate { bin_ms } => {
                    needs.probes[1] = true;
                    let bin = to_steps(*bin_ms, scene.dt_ms).max(1);
                    world.spawn((
                        name,
                        RateProbe {
                            region: entity,
                            bin,
                            counts: Vec::new(),
                            current: 0,
                        },
                    ));
                }
                ProbeKind::Column {
                    column,
                    neurons,
                    every_ms,
                } => {
                    needs.probes[2] = true;
                    let at = |field: &str, m: String| {
                        BuildError::new(format!("probes[{i}].kind.{field}"), m)
                    };
                    let column = *world
                        .resource::<ColumnRegistry>()
                        .get(column)
                        .ok_or_else(|| at("column", format!("unknown column \"{column}\"")))?;
                    let random = Random::new(
                        scene.seed,
                        entity_key(&scene.regions[region].name),
                        Purpose::Choice,
                    );
                    let neurons = neurons
                        .neurons(scene.regions[region].neurons, random)
                        .map_err(|e| at("neurons", e))?;
                    let every = to_steps(*every_ms, scene.dt_ms).max(1);
                    world.spawn((
                        name,
                        ColumnProbe {
                            region: entity,
                            column,
                            neurons,
                            every,
                            values: Vec::new(),
                        },
                    ));
                }
                // Written at the end, from the synapses themselves, or built above.
                ProbeKind::Weights { .. }
                | ProbeKind::WeightCourse { .. }
                | ProbeKind::WeightHistogram { .. }
                | ProbeKind::Modulator { .. }
                | ProbeKind::ReceptiveFields { .. } => {}
            }
        }
    }
    if options.statistics {
        needs.probes[3] = true;
        let neurons: Vec<u32> = scene.regions.iter().map(|r| r.neurons).collect();
        let window = if scene.statistics_from_ms > 0.0 {
            StatisticsWindow::from_ms(scene.statistics_from_ms, scene.dt_ms)
        } else {
            StatisticsWindow::of_steps(0..u64::MAX - 1)
        };
        world.spawn(StatisticsProbe {
            statistics: OnlineStatistics::new(&neurons, scene.dt_ms, window),
        });
    }
    Ok(())
}
