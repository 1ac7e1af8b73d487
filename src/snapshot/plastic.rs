//! What plasticity keeps, in a snapshot: weights, tags, the histories of spikes, short-term states, modulators, and the input that changing
//! synapses have sent but that is not due yet.
//!
//! Weights are kept as they are stored, with the histories that bring them up to date, so that nothing depends on when a snapshot is
//! taken; and in an order that does not depend on the number of threads.

use super::file::{Snapshot, SnapshotError};
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
pub(super) type Place = [u32; 4];

/// Changing projections by their place in the scene.
pub(super) fn projections(world: &mut World) -> Vec<(u32, Entity)> {
    let mut query = world.query_filtered::<(&Connect, Entity), With<PlasticSynapses>>();
    let mut list: Vec<_> = query
        .iter(world)
        .map(|(c, entity)| (c.index, entity))
        .collect();
    list.sort_unstable();
    list
}

pub(super) fn modulators(world: &mut World) -> Vec<(u32, Entity)> {
    let mut query = world.query::<(&Modulator, Entity)>();
    let mut list: Vec<_> = query
        .iter(world)
        .map(|(m, entity)| (m.index, entity))
        .collect();
    list.sort_unstable();
    list
}

/// Watchers of coincidences, by their keys.
pub(super) fn watchers(world: &mut World) -> Vec<(u64, Entity)> {
    let mut query = world.query::<(&Coincidences, Entity)>();
    let mut list: Vec<_> = query
        .iter(world)
        .map(|(c, entity)| (c.key, entity))
        .collect();
    list.sort_unstable();
    list
}

/// Puts weights, tags and histories of a projection into a snapshot.
pub(super) fn save_changing(
    projection: EntityRef<'_>,
    index: u32,
    out: &mut Snapshot,
) -> Result<(), SnapshotError> {
    let name = |part: &str| format!("projection.{index}.{part}");
    if let Some(synapses) = projection.get::<PlasticSynapses>() {
        let ordered = |values: &[f32]| synapses.in_common_order(values.to_vec());
        out.put(name("weights"), ordered(synapses.stored_weights()))?;
        out.put(name("tags"), ordered(synapses.stored_tags()))?;
    }
    if let Some(functions) = projection.get::<RuleFunctions>() {
        out.put(name("history"), (functions.save)(projection))?;
    }
    Ok(())
}

/// Takes what [`save_changing`] gave when so many steps had been done.
pub(super) fn load_changing(
    projection: &mut EntityWorldMut<'_>,
    (index, steps): (u32, u64),
    snapshot: &Snapshot,
) -> Result<(), RestoreError> {
    let name = |part: &str| format!("projection.{index}.{part}");
    let misfit = |name: String| RestoreError::Misfit(format!("section {name} does not fit"));
    let weights = snapshot.f32s(&name("weights"))?;
    let tags = snapshot.f32s(&name("tags"))?;
    if weights.iter().chain(tags).any(|v| !v.is_finite()) {
        return Err(misfit(name("weights")));
    }
    if let Some(mut synapses) = projection.get_mut::<PlasticSynapses>() {
        let bounds = synapses.bounds();
        if !synapses.set_in_common_order(weights, tags, bounds) {
            return Err(misfit(name("weights")));
        }
    }
    if let Some(functions) = projection.get::<RuleFunctions>().copied()
        && !(functions.load)(projection, snapshot.u32s(&name("history"))?, steps)
    {
        return Err(misfit(name("history")));
    }
    Ok(())
}

/// Puts everything into a snapshot.
pub(super) fn save(world: &mut World, steps: u64, out: &mut Snapshot) -> Result<(), SnapshotError> {
    let list = projections(world);
    for (index, entity) in &list {
        let entity = world.entity(*entity);
        let name = |part: &str| format!("projection.{index}.{part}");
        save_changing(entity, *index, out)?;
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
            let name = format!("modulator.{index}");
            out.put(name.clone(), modulator.save())?;
            out.put(format!("{name}.rewards"), modulator.save_rewards())?;
            if let Some(critic) = modulator.save_critic() {
                out.put(format!("{name}.critic"), critic)?;
            }
            for (at, source) in modulator.sources().iter().enumerate() {
                let name = format!("{name}.release.{at}");
                if let Some(response) = source.save_response(steps) {
                    out.put(format!("{name}.response"), response)?;
                }
                out.put(name, source.save(steps))?;
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
        load_changing(&mut entity, (*index, steps), snapshot)?;
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
        let Some(mut modulator) = world.get_mut::<Modulator>(entity) else {
            continue;
        };
        let name = format!("modulator.{index}");
        if !modulator.load(snapshot.u64s(&name)?) {
            return Err(misfit(&name));
        }
        let rewards = format!("{name}.rewards");
        if !modulator.load_rewards(snapshot.u64s(&rewards)?, steps) {
            return Err(misfit(&rewards));
        }
        let critic = format!("{name}.critic");
        if modulator.critic().is_some() && !modulator.load_critic(snapshot.f64s(&critic)?) {
            return Err(misfit(&critic));
        }
        for (at, source) in modulator.sources_mut().iter_mut().enumerate() {
            let name = format!("{name}.release.{at}");
            if !source.load(snapshot.u64s(&name)?, steps) {
                return Err(misfit(&name));
            }
            let name = format!("{name}.response");
            if !source.responses.is_empty() && !source.load_response(snapshot.u64s(&name)?, steps) {
                return Err(misfit(&name));
            }
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

pub(super) fn ring_of(world: &World) -> usize {
    match world.resource::<InputSlots>() {
        InputSlots::Narrow(slots) => slots.ring(),
        InputSlots::Wide(slots) => slots.ring(),
    }
}

/// Block, slot and quantum of a place, if there is such a place.
pub(super) fn input_slot(
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
