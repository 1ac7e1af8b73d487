//! What a network is made of, for whoever observes it.

use super::Session;
use super::edit::lesions;
use super::frame::{ProjectionInfo, RegionInfo, Structure};
use crate::network::layout::Layout;
use crate::network::plastic::PlasticSynapses;
use crate::network::projection::{Connect, Synapses};
use crate::network::region::{Positions, Region};
use crate::network::synapses::SynapseStore;
use crate::neurons::ReflectNeuronModel;
use crate::scene::schema::Scene;
use crate::sim::columns::ColumnRegistry;
use crate::sim::rng::{Purpose, Random, entity_key};
use bevy::prelude::*;
use std::collections::{BTreeMap, HashMap};

impl Session {
    /// What the network is made of now.
    pub fn structure(&mut self) -> Structure {
        let version = self.version();
        let scene = self.scene().clone();
        let source = self.loaded().source.name.clone();
        let settings = self.loaded().overrides.clone();
        let mut lesioned = lesioned(&scene);
        let columns = self
            .simulation()
            .world()
            .resource::<ColumnRegistry>()
            .clone();
        let types = self.registry().types.clone();
        let prepared = self.prepared();
        let mean = |(i, spec)| {
            [
                prepared.mean_weight(i, spec),
                prepared.mean_delay_ms(i, spec),
            ]
        };
        let means: Vec<_> = scene.projections.iter().enumerate().map(mean).collect();
        let world = self.simulation_mut().world_mut();
        let mut query = world.query::<(Entity, &Region)>();
        let mut entities: Vec<_> = query.iter(world).map(|(e, r)| (r.index, e)).collect();
        entities.sort_unstable();
        let mut regions = Vec::new();
        let mut first = 0;
        for ((_, entity), spec) in entities.iter().zip(&scene.regions) {
            let entity = world.entity(*entity);
            let info = spec.model.0.get_represented_type_info();
            let model = info
                .map_or("?", |i| i.type_path_table().short_path())
                .to_owned();
            let receptors = info
                .and_then(|i| {
                    types
                        .read()
                        .get_type_data::<ReflectNeuronModel>(i.type_id())
                        .cloned()
                })
                .map_or_else(Vec::new, |m| {
                    m.receptors.iter().map(|r| (r.name, r.unit)).collect()
                });
            regions.push(RegionInfo {
                name: spec.name.clone(),
                first,
                neurons: spec.neurons,
                model,
                columns: columns
                    .iter()
                    .filter(|c| (c.present)(entity))
                    .map(|c| (c.name, c.unit))
                    .collect(),
                receptors,
                positions: entity
                    .get::<Positions>()
                    .map_or_else(Vec::new, |p| p.0.clone()),
                lesioned: lesioned.remove(&spec.name).unwrap_or_default(),
            });
            first += spec.neurons;
        }
        place_regions(&scene, &mut regions);
        let names: HashMap<&str, usize> = scene
            .regions
            .iter()
            .enumerate()
            .map(|(i, r)| (r.name.as_str(), i))
            .collect();
        // Synapses that change have a store of their own, on the projection itself.
        let mut fixed = world.query::<(Entity, &SynapseStore)>();
        let fixed = fixed
            .iter(world)
            .map(|(e, s)| (e, (s.len() as u64, s.bytes() as u64)));
        let mut store_of: HashMap<Entity, (u64, u64)> = fixed.collect();
        let mut changing = world.query::<(Entity, &PlasticSynapses)>();
        store_of
            .extend((changing.iter(world)).map(|(e, s)| (e, (s.len() as u64, s.bytes() as u64))));
        let mut query = world.query::<(&Connect, &Name, &Synapses)>();
        let mut parts: Vec<_> = query
            .iter(world)
            .map(|(c, name, s)| {
                (
                    c.index as usize,
                    name.to_string(),
                    s.count,
                    s.store,
                    s.receptor,
                )
            })
            .collect();
        parts.sort_unstable_by_key(|p| p.0);
        let projections: Vec<_> = parts
            .into_iter()
            .filter_map(|(index, name, synapses, store, receptor)| {
                let spec = scene.projections.get(index)?;
                let to = *names.get(spec.to.as_str())?;
                let (all, bytes) = store_of.get(&store).copied().unwrap_or((0, 0));
                Some(ProjectionInfo {
                    name,
                    from: *names.get(spec.from.as_str())?,
                    to,
                    synapses,
                    // A store serves all projections of its source: each has its share.
                    bytes: (bytes as f64 * synapses as f64 / (all.max(1) as f64)) as u64,
                    muted: spec.muted,
                    mean_weight: means[index][0],
                    mean_delay_ms: means[index][1],
                    receptor: regions[to].receptors.get(receptor).map_or("", |r| r.0),
                })
            })
            .collect();
        let stimuli = super::edit::stimulus_labels(&scene);
        let simulation = self.simulation_mut();
        Structure {
            version,
            source,
            settings,
            neurons: first,
            synapses: projections.iter().map(|p| p.synapses).sum(),
            bytes: simulation.network_bytes(),
            scene,
            regions,
            projections,
            stimuli,
        }
    }
}

/// The neurons of each region that are silenced for good.
fn lesioned(scene: &Scene) -> BTreeMap<String, Vec<u32>> {
    let mut all: BTreeMap<String, Vec<u32>> = BTreeMap::new();
    for stimulus in lesions(scene) {
        let Some(region) = scene.regions.iter().find(|r| r.name == stimulus.to) else {
            continue;
        };
        let name = stimulus.name.as_deref().unwrap_or_default();
        let key = stimulus_key(name, &stimulus.to);
        let random = Random::new(scene.seed, key, Purpose::Choice);
        if let Ok(neurons) = stimulus.neurons.neurons(region.neurons, random) {
            all.entry(region.name.clone()).or_default().extend(neurons);
        }
    }
    for list in all.values_mut() {
        list.sort_unstable();
        list.dedup();
    }
    all
}

fn stimulus_key(name: &str, to: &str) -> u64 {
    entity_key(name) ^ entity_key(to).rotate_left(1)
}

/// Gives regions without a layout a ball, its volume by its neurons, on a ring in the order of the scene; beside the others, if
/// there are regions whose place the scene gives. Those stay, even inside each other: it is its author who has placed them.
fn place_regions(scene: &Scene, regions: &mut [RegionInfo]) {
    let placed: Vec<_> = regions
        .iter()
        .flat_map(|r| r.positions.iter().copied())
        .collect();
    let free: Vec<usize> = (0..regions.len())
        .filter(|&i| regions[i].positions.is_empty())
        .collect();
    for &i in &free {
        let (region, spec) = (&mut regions[i], &scene.regions[i]);
        let radius_mm = 0.05 * libm::cbrt(f64::from(region.neurons));
        let random = Random::new(scene.seed, entity_key(&spec.name), Purpose::Layout);
        let ball = Layout::Ball {
            radius_mm,
            centre_mm: [0.0; 3],
        };
        region.positions = ball.positions(region.neurons, &random).unwrap_or_default();
    }
    let radii: Vec<f32> = free
        .iter()
        .map(|&i| radius(&regions[i].positions))
        .collect();
    let around: f32 = radii.iter().map(|r| 2.4 * r).sum();
    let widest = radii.iter().copied().fold(0.0, f32::max);
    let ring = match free.len() {
        0 | 1 => 0.0,
        2 => 0.6 * (radii[0] + radii[1]),
        _ => (around / core::f32::consts::TAU).max(1.25 * widest),
    };
    let middle = match placed.is_empty() {
        true => [0.0; 3],
        false => {
            let (low, high) = bounds(&placed);
            [
                high[0] + ring + 1.3 * widest,
                f32::midpoint(low[1], high[1]),
                f32::midpoint(low[2], high[2]),
            ]
        }
    };
    let mut passed = 0.0;
    for (&i, radius) in free.iter().zip(&radii) {
        let share = 2.4 * radius / around.max(f32::MIN_POSITIVE);
        let angle = core::f32::consts::TAU * (passed + share / 2.0);
        passed += share;
        let shift = [
            middle[0] - ring * libm::cosf(angle),
            middle[1] + ring * libm::sinf(angle),
            middle[2],
        ];
        for position in &mut regions[i].positions {
            for (x, shift) in position.iter_mut().zip(shift) {
                *x += shift;
            }
        }
    }
}

fn radius(positions: &[[f32; 3]]) -> f32 {
    let (low, high) = bounds(positions);
    let widest = (0..3).map(|i| high[i] - low[i]).fold(0.0, f32::max);
    (widest / 2.0).max(0.02)
}

fn bounds(positions: &[[f32; 3]]) -> ([f32; 3], [f32; 3]) {
    let Some(&first) = positions.first() else {
        return ([0.0; 3], [0.0; 3]);
    };
    positions.iter().fold((first, first), |(low, high), p| {
        (
            core::array::from_fn(|i| low[i].min(p[i])),
            core::array::from_fn(|i| high[i].max(p[i])),
        )
    })
}
