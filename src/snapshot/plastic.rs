//! What plasticity keeps, in a snapshot: weights, tags, the histories of spikes, short-term states, modulators, and the input that changing
//! synapses have sent but that is not due yet.
//!
//! Weights are kept as they are stored, with the histories that bring them up to date, so that nothing depends on when a snapshot is
//! taken; and in an order that does not depend on the number of threads.

use super::file::{Section, Snapshot, SnapshotError};
use super::{RestoreError, region_entities, send_again};
use crate::modulation::{Coincidences, Modulator};
use crate::network::plastic::PlasticSynapses;
use crate::network::projection::Connect;
use crate::network::region::{InputMap, Region};
use crate::network::slots::InputSlots;
use crate::neurons::srm::region::SrmRegion;
use crate::plasticity::RuleFunctions;
use crate::plasticity::intrinsic::IntrinsicCurrent;
use crate::plasticity::upkeep::Keepers;
use crate::sim::clock::Clock;
use crate::sim::columns::LANES;
use crate::synapses::short_term::ShortTerm;
use bevy::prelude::*;

/// Input under way to one neuron: region, channel, neuron, steps ahead.
type Place = [u32; 4];

/// Changing projections by their place in the scene.
fn projections(world: &mut World) -> Vec<(u32, Entity)> {
    let mut query = world.query_filtered::<(&Connect, Entity), With<PlasticSynapses>>();
    let mut list: Vec<_> = query
        .iter(world)
        .map(|(c, entity)| (c.index, entity))
        .collect();
    list.sort_unstable();
    list
}

fn modulators(world: &mut World) -> Vec<(u32, Entity)> {
    let mut query = world.query::<(&Modulator, Entity)>();
    let mut list: Vec<_> = query
        .iter(world)
        .map(|(m, entity)| (m.index, entity))
        .collect();
    list.sort_unstable();
    list
}

/// Watchers of coincidences, by their keys.
fn watchers(world: &mut World) -> Vec<(u64, Entity)> {
    let mut query = world.query::<(&Coincidences, Entity)>();
    let mut list: Vec<_> = query
        .iter(world)
        .map(|(c, entity)| (c.key, entity))
        .collect();
    list.sort_unstable();
    list
}

/// Puts everything into a snapshot.
pub(super) fn save(world: &mut World, steps: u64, out: &mut Snapshot) -> Result<(), SnapshotError> {
    let list = projections(world);
    for (index, entity) in &list {
        let entity = world.entity(*entity);
        let name = |part: &str| format!("projection.{index}.{part}");
        if let Some(synapses) = entity.get::<PlasticSynapses>() {
            let ordered = |values: &[f32]| synapses.in_common_order(values.to_vec());
            out.put(name("weights"), ordered(synapses.stored_weights()))?;
            out.put(name("tags"), ordered(synapses.stored_tags()))?;
        }
        if let Some(functions) = entity.get::<RuleFunctions>() {
            out.put(name("history"), (functions.save)(entity))?;
        }
        if let Some(short_term) = entity.get::<ShortTerm>() {
            out.put(name("short_term"), short_term.save())?;
        }
        if let Some(keepers) = entity.get::<Keepers>() {
            out.put(name("upkeep"), keepers.save(steps))?;
        }
    }
    for (index, entity) in region_entities(world) {
        if let Some(intrinsic) = world.get::<IntrinsicCurrent>(entity) {
            out.put(
                format!("region.{index}.intrinsic"),
                intrinsic.values().to_vec(),
            )?;
        }
    }
    for (index, entity) in region_entities(world) {
        if let Some(region) = world.get::<SrmRegion>(entity) {
            out.put(format!("region.{index}.srm"), region.save())?;
        }
    }
    if !list.is_empty() {
        let (places, weights) = under_way(world, steps);
        out.put("input.places", places.into_flattened())?;
        out.put("input.weights", weights)?;
    }
    for (index, entity) in modulators(world) {
        if let Some(modulator) = world.get::<Modulator>(entity) {
            out.put(format!("modulator.{index}"), modulator.save())?;
            let responses = modulator.save_responses(steps);
            if !responses.is_empty() {
                out.put(format!("modulator.{index}.responses"), responses)?;
            }
        }
    }
    let last: Vec<u64> = watchers(world)
        .into_iter()
        .filter_map(|(_, entity)| world.get::<Coincidences>(entity).map(|c| c.last))
        .collect();
    if !last.is_empty() {
        out.put("coincidences", last)?;
    }
    Ok(())
}

/// Takes everything from a snapshot. Slots have been emptied and static synapses have sent again.
pub(super) fn restore(
    world: &mut World,
    snapshot: &Snapshot,
    steps: u64,
) -> Result<(), RestoreError> {
    let misfit = |name: &str| RestoreError::Misfit(format!("section {name} does not fit"));
    let list = projections(world);
    for (index, id) in &list {
        let name = |part: &str| format!("projection.{index}.{part}");
        let mut entity = world.entity_mut(*id);
        let weights = snapshot.f32s(&name("weights"))?;
        let tags = snapshot.f32s(&name("tags"))?;
        if weights.iter().chain(tags).any(|v| !v.is_finite()) {
            return Err(misfit(&name("weights")));
        }
        if let Some(mut synapses) = entity.get_mut::<PlasticSynapses>() {
            let bounds = synapses.bounds();
            if !synapses.set_in_common_order(weights, tags, bounds) {
                return Err(misfit(&name("weights")));
            }
        }
        if let Some(functions) = entity.get::<RuleFunctions>().copied()
            && !(functions.load)(&mut entity, snapshot.u32s(&name("history"))?)
        {
            return Err(misfit(&name("history")));
        }
        if let Some(mut short_term) = entity.get_mut::<ShortTerm>()
            && !short_term.load(snapshot.u64s(&name("short_term"))?, steps)
        {
            return Err(misfit(&name("short_term")));
        }
        if let Some(mut keepers) = entity.get_mut::<Keepers>()
            && !keepers.load(steps, snapshot.u32s(&name("upkeep"))?)
        {
            return Err(misfit(&name("upkeep")));
        }
    }
    for (index, entity) in region_entities(world) {
        if let Some(mut intrinsic) = world.get_mut::<IntrinsicCurrent>(entity) {
            let name = format!("region.{index}.intrinsic");
            if !intrinsic.load(snapshot.f64s(&name)?) {
                return Err(misfit(&name));
            }
        }
    }
    for (index, entity) in region_entities(world) {
        let now_ms = steps as f64 * world.resource::<Clock>().dt_ms();
        if let Some(mut region) = world.get_mut::<SrmRegion>(entity) {
            let name = format!("region.{index}.srm");
            if !region.load(snapshot.u64s(&name)?, now_ms) {
                return Err(misfit(&name));
            }
        }
    }
    if !list.is_empty() {
        let places = snapshot.u32s("input.places")?;
        let (places, odd) = places.as_chunks::<4>();
        let weights = snapshot.values_of_len::<f64>("input.weights", places.len())?;
        if !odd.is_empty() || !put_under_way(world, steps, places, weights) {
            return Err(misfit("input.places"));
        }
    }
    for (index, entity) in modulators(world) {
        let name = format!("modulator.{index}");
        let numbers = snapshot.u64s(&name)?;
        let Some(mut modulator) = world.get_mut::<Modulator>(entity) else {
            continue;
        };
        if !modulator.load(numbers) {
            return Err(misfit(&name));
        }
        let name = format!("{name}.responses");
        if modulator.has_responses() && !modulator.load_responses(snapshot.u64s(&name)?, steps) {
            return Err(misfit(&name));
        }
    }
    let watchers = watchers(world);
    if !watchers.is_empty() {
        let last = snapshot.values_of_len::<u64>("coincidences", watchers.len())?;
        for ((_, entity), last) in watchers.into_iter().zip(last) {
            if let Some(mut watcher) = world.get_mut::<Coincidences>(entity) {
                watcher.last = (*last).min(steps);
            }
        }
    }
    Ok(())
}

/// What changing synapses have sent that is not due yet: where to, and the sum of weights. It is what the slots hold besides what static
/// synapses have sent, which is known from their spikes.
fn under_way(world: &mut World, steps: u64) -> (Vec<Place>, Vec<f64>) {
    let (mut places, mut weights) = (Vec::new(), Vec::new());
    let ring = ring_of(world);
    if ring <= 1 {
        return (places, weights);
    }
    let mut sent = match world.resource::<InputSlots>() {
        InputSlots::Narrow(slots) => InputSlots::Narrow(slots.empty_copy()),
        InputSlots::Wide(slots) => InputSlots::Wide(slots.empty_copy()),
    };
    // The static part, in a copy that stands in for a moment.
    core::mem::swap(&mut sent, &mut *world.resource_mut::<InputSlots>());
    send_again(world, steps);
    core::mem::swap(&mut sent, &mut *world.resource_mut::<InputSlots>());
    let regions = region_entities(world);
    let all = world.resource::<InputSlots>();
    for (index, entity) in &regions {
        let Some(region) = world.get::<Region>(*entity) else {
            continue;
        };
        let channels = world.get::<InputMap>(*entity).map_or(0, |m| m.offset.len());
        for ahead in 0..ring as u32 {
            let position = ((steps + u64::from(ahead)) % ring as u64) as usize;
            for channel in 0..channels as u32 {
                for neuron in 0..region.neurons {
                    let place = [*index, channel, neuron, ahead];
                    let Some((block, slot, quantum)) = input_slot(world, &regions, place) else {
                        continue;
                    };
                    let value = all.sum(block, position, slot) - sent.sum(block, position, slot);
                    if value != 0 {
                        places.push(place);
                        weights.push(value as f64 * quantum);
                    }
                }
            }
        }
    }
    (places, weights)
}

fn ring_of(world: &World) -> usize {
    match world.resource::<InputSlots>() {
        InputSlots::Narrow(slots) => slots.ring(),
        InputSlots::Wide(slots) => slots.ring(),
    }
}

/// Block, slot and quantum of a place, if there is such a place.
fn input_slot(
    world: &World,
    regions: &[(u32, Entity)],
    [index, channel, neuron, _]: Place,
) -> Option<(usize, usize, f64)> {
    let at = regions
        .binary_search_by_key(&index, |(known, _)| *known)
        .ok()?;
    let (region, map) = (
        world.get::<Region>(regions[at].1)?,
        world.get::<InputMap>(regions[at].1)?,
    );
    let offset = (*map.offset.get(channel as usize)?)?;
    if neuron >= region.neurons {
        return None;
    }
    let neuron = neuron as usize;
    let slot = (map.base[neuron / LANES] + offset) as usize + neuron % LANES;
    let quantum = f64::from(map.quantum[channel as usize]);
    Some((usize::from(map.block[neuron / LANES]), slot, quantum))
}

/// Adds input under way to the slots; false if there is no such place.
fn put_under_way(world: &mut World, steps: u64, places: &[Place], weights: &[f64]) -> bool {
    let regions = region_entities(world);
    let ring = ring_of(world);
    world.resource_scope(|world, mut slots: Mut<InputSlots>| {
        places.iter().zip(weights).all(|(place, weight)| {
            let ahead = place[3] as usize;
            let Some((block, slot, quantum)) = input_slot(world, &regions, *place) else {
                return false;
            };
            if ahead >= ring || !weight.is_finite() {
                return false;
            }
            let position = ((steps + ahead as u64) % ring as u64) as usize;
            let quanta = libm::rint(weight / quantum) as i64;
            match &mut *slots {
                InputSlots::Narrow(slots) => slots.add(block, position, slot, quanta),
                InputSlots::Wide(slots) => slots.add(block, position, slot, quanta),
            }
            true
        })
    })
}

/// What makes a changing projection of two networks the same, by which its weights are carried over an edit.
#[derive(Clone, PartialEq)]
struct Identity {
    name: String,
    from: (String, u32),
    to: (String, u32),
    connect: String,
    /// How many synapses there are, and their delays.
    shape: String,
}

/// Every changing projection, with its place.
fn identities(world: &mut World) -> Vec<(u32, Identity)> {
    let list = projections(world);
    let region = |world: &World, id: Entity| {
        let name = world.get::<Name>(id).map_or("", |n| n.as_str()).to_owned();
        (name, world.get::<Region>(id).map_or(0, |r| r.neurons))
    };
    list.into_iter()
        .filter_map(|(index, entity)| {
            let synapses = world.get::<PlasticSynapses>(entity)?;
            let connect = world.get::<Connect>(entity)?;
            let name = world.get::<Name>(entity)?.as_str().to_owned();
            let identity = Identity {
                name,
                from: region(world, synapses.source()),
                to: region(world, synapses.target()),
                connect: format!(
                    "{:?} {:?} {:?}",
                    connect.rule, connect.weight, connect.delay_ms
                ),
                shape: format!("{} {:?}", synapses.len(), synapses.groups()),
            };
            Some((index, identity))
        })
        .collect()
}

/// A network before an edit, as far as plasticity goes.
pub(super) struct Before {
    projections: Vec<(u32, Identity)>,
    modulators: Vec<String>,
}

impl Before {
    /// Brings all synapses up to date, so that an edit acts on events after it only, and notes what there is.
    pub(super) fn of(world: &mut World, steps: u64) -> Self {
        for (_, entity) in projections(world) {
            let mut entity = world.entity_mut(entity);
            if let Some(functions) = entity.get::<RuleFunctions>().copied() {
                (functions.settle)(&mut entity, steps);
            }
        }
        Self {
            projections: identities(world),
            modulators: modulator_names(world),
        }
    }

    /// Puts the sections of changing projections and modulators into the state of an edited network: what was carried where it fits, and
    /// otherwise what was built. `place` says which region and channel those of the network before are now.
    pub(super) fn merge(
        &self,
        world: &mut World,
        carried: &Snapshot,
        fresh: &Snapshot,
        place: &dyn Fn(u32, u32) -> Option<(u32, u32)>,
        merged: &mut Snapshot,
    ) -> Result<(), RestoreError> {
        let steps = carried.u64("clock.steps")?;
        let list = projections(world);
        for ((index, identity), (_, entity)) in identities(world).into_iter().zip(&list) {
            let old = self
                .projections
                .iter()
                .find(|(_, known)| *known == identity);
            let kept = |part: &str| {
                let (old, _) = old?;
                carried.section(&format!("projection.{old}.{part}")).ok()
            };
            for part in ["weights", "tags", "short_term", "upkeep"] {
                let name = format!("projection.{index}.{part}");
                let Ok(built) = fresh.section(&name) else {
                    continue;
                };
                // A rule of another kind has tags and rates of its own.
                let kept = kept(part).filter(|kept| kept.len() == built.len());
                merged.put(name, kept.unwrap_or(built).clone())?;
            }
            let mut entity = world.entity_mut(*entity);
            let Some(functions) = entity.get::<RuleFunctions>().copied() else {
                continue;
            };
            let own = (functions.save)(entity.as_readonly());
            let history = match kept("history") {
                Some(Section::U32(kept)) if (functions.take_over)(&mut entity, kept) => {
                    (functions.save)(entity.as_readonly())
                }
                _ => {
                    // New, or of another kind: it starts at this moment.
                    (functions.load)(&mut entity, &own);
                    (functions.settle)(&mut entity, steps);
                    (functions.save)(entity.as_readonly())
                }
            };
            merged.put(format!("projection.{index}.history"), history)?;
        }
        if !list.is_empty() {
            self.merge_input(world, carried, place, merged)?;
        }
        for (index, name) in modulator_names(world).into_iter().enumerate() {
            let section = format!("modulator.{index}");
            let old = self.modulators.iter().position(|known| *known == name);
            let kept = old.and_then(|old| carried.section(&format!("modulator.{old}")).ok());
            let built = fresh.section(&section)?;
            // With other populations that release it, spikes under way are others, too.
            let kept = kept.filter(|kept| kept.len() >= built.len());
            merged.put(section.clone(), kept.unwrap_or(built).clone())?;
            let section = section + ".responses";
            if let Ok(built) = fresh.section(&section) {
                let kept = old.map(|old| format!("modulator.{old}.responses"));
                let kept = kept.and_then(|name| carried.section(&name).ok());
                let kept = kept.filter(|kept| kept.len() == built.len());
                merged.put(section, kept.unwrap_or(built).clone())?;
            }
        }
        if let Ok(built) = fresh.section("coincidences") {
            let kept = carried.section("coincidences").ok();
            let kept = kept.filter(|kept| kept.len() == built.len());
            merged.put("coincidences", kept.unwrap_or(built).clone())?;
        }
        Ok(())
    }

    /// Input under way arrives where there still is somebody to receive it.
    fn merge_input(
        &self,
        world: &mut World,
        carried: &Snapshot,
        place: &dyn Fn(u32, u32) -> Option<(u32, u32)>,
        merged: &mut Snapshot,
    ) -> Result<(), RestoreError> {
        let (mut places, mut weights) = (Vec::new(), Vec::new());
        if let (Ok(old), Ok(sums)) = (carried.u32s("input.places"), carried.f64s("input.weights")) {
            let regions = region_entities(world);
            let ring = ring_of(world);
            for ([from, channel, neuron, ahead], weight) in old.as_chunks::<4>().0.iter().zip(sums)
            {
                let Some((to, channel)) = place(*from, *channel) else {
                    continue;
                };
                let place = [to, channel, *neuron, *ahead];
                if (*ahead as usize) < ring && input_slot(world, &regions, place).is_some() {
                    places.push(place);
                    weights.push(*weight);
                }
            }
        }
        merged.put("input.places", places.into_flattened())?;
        merged.put("input.weights", weights)?;
        Ok(())
    }
}

/// The names of the modulators by their place.
fn modulator_names(world: &mut World) -> Vec<String> {
    modulators(world)
        .into_iter()
        .map(|(_, entity)| {
            world
                .get::<Name>(entity)
                .map_or_else(String::new, |n| n.as_str().to_owned())
        })
        .collect()
}
