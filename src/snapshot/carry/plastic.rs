//! What plasticity keeps, taken over by an edited network: weights, tags, histories, short-term states, upkeep, and the input that
//! changing synapses have sent.
//!
//! A projection is the same if its name and those of its regions are; its synapses are known again one by one, by their
//! [`Pairs`]. So it does not matter why they were made anew.

use super::forgotten::{Forgotten, OfProjection, Recall};
use super::pairs::{Pairs, join};
use crate::network::distribution::Distribution;
use crate::network::plastic::{DelayParts, PlasticSynapses};
use crate::network::projection::{Connect, Provenance};
use crate::network::region::Region;
use crate::plasticity::upkeep::Keepers;
use crate::plasticity::{Former, RuleFunctions};
use crate::snapshot::file::Snapshot;
use crate::snapshot::plastic::{input_slot, load_changing, projections, ring_of, save_changing};
use crate::snapshot::{RestoreError, region_entities};
use bevy::prelude::*;

/// A projection whose synapses change, in one of two networks.
struct Projection {
    /// Its place in the scene.
    index: u32,
    name: String,
    /// The names of source and target region.
    ends: [String; 2],
    /// The numbers of their neurons.
    neurons: [usize; 2],
    weight: Option<Distribution>,
    delays: Vec<DelayParts>,
    provenance: Provenance,
    pairs: Pairs,
}

impl Projection {
    fn of(world: &World, index: u32, entity: Entity) -> Option<Self> {
        let synapses = world.get::<PlasticSynapses>(entity)?;
        let ends = [synapses.source(), synapses.target()];
        let name = |id: Entity| world.get::<Name>(id).map_or("", |n| n.as_str()).to_owned();
        let neurons = |id: Entity| world.get::<Region>(id).map_or(0, |r| r.neurons as usize);
        Some(Self {
            index,
            name: name(entity),
            ends: ends.map(name),
            neurons: ends.map(neurons),
            weight: world.get::<Connect>(entity)?.weight.clone(),
            delays: synapses.groups().to_vec(),
            provenance: world.get::<Provenance>(entity)?.clone(),
            pairs: Pairs::of(synapses),
        })
    }

    /// Every one of a network, by its place in the scene.
    fn all(world: &mut World) -> Vec<(Self, Entity)> {
        let list = projections(world);
        list.into_iter()
            .filter_map(|(index, entity)| Some((Self::of(world, index, entity)?, entity)))
            .collect()
    }

    fn is_same(&self, other: &Self) -> bool {
        self.name == other.name && self.ends == other.ends
    }

    fn section(&self, part: &str) -> String {
        format!("projection.{}.{part}", self.index)
    }

    /// Whether rules of the same types are at work, so that tags and traces mean the same.
    fn learns_like(&self, other: &Self) -> bool {
        let [own, other] = [self, other].map(|p| (&p.provenance.rules, p.provenance.is_exact));
        own == other
    }

    /// Whether a synapse is asked to have another weight now, by its places before and after the edit.
    fn has_new_weight(&self, before: &Self, was: usize, is: usize) -> bool {
        let listed = |p: &Self, place: usize| {
            let weight = p.provenance.listed.get(place);
            weight.map(|w| w * p.provenance.sign)
        };
        let own = listed(self, is);
        self.weight != before.weight || (own.is_some() && own != listed(before, was))
    }
}

/// A network before an edit, as far as plasticity goes.
pub(super) struct Before {
    projections: Vec<Projection>,
    /// Weights, tags and histories, brought up to date, so that an edit acts on events after it only.
    settled: Snapshot,
}

impl Before {
    /// Notes what there is, and leaves it as it is.
    pub(super) fn of(world: &mut World, steps: u64) -> Result<Self, RestoreError> {
        let (mut unsettled, mut settled) = (Snapshot::new(), Snapshot::new());
        for (index, id) in projections(world) {
            save_changing(world.entity(id), index, &mut unsettled)?;
            let mut entity = world.entity_mut(id);
            if let Some(functions) = entity.get::<RuleFunctions>().copied() {
                (functions.settle)(&mut entity, steps);
            }
            save_changing(entity.as_readonly(), index, &mut settled)?;
            load_changing(&mut entity, (index, steps), &unsettled)?;
        }
        let all = Projection::all(world).into_iter();
        Ok(Self {
            projections: all.map(|(projection, _)| projection).collect(),
            settled,
        })
    }

    /// Puts the sections of changing projections into the state of an edited network: what was carried where it fits, and otherwise what
    /// was built. Synapses that come back have the weights that the first of `recalled` knows. `place` says which region and
    /// channel those of the network before are now. Returns what had been learned and is not any more.
    pub(super) fn merge(
        &self,
        world: &mut World,
        carried: &Snapshot,
        fresh: &Snapshot,
        recalled: &[&Forgotten],
        place: &dyn Fn(u32, u32) -> Option<(u32, u32)>,
        merged: &mut Snapshot,
    ) -> Result<Forgotten, RestoreError> {
        let mut forgotten = Forgotten::default();
        let all = Projection::all(world);
        for (projection, entity) in &all {
            let before = self.projections.iter().find(|p| p.is_same(projection));
            let recall = Recall::of(recalled.iter().copied(), &projection.name, &projection.ends);
            merge_synapses(projection, before, &self.settled, fresh, recall, merged)?
                .into_iter()
                .for_each(|lost| forgotten.push(lost));
            merge_short_term(projection, before, carried, fresh, merged)?;
            let mut entity = world.entity_mut(*entity);
            merge_upkeep(&mut entity, projection, before, carried, fresh, merged)?;
            merge_history(
                &mut entity,
                projection,
                before,
                carried,
                &self.settled,
                merged,
            )?;
        }
        for gone in &self.projections {
            if !all.iter().any(|(now, _)| now.is_same(gone)) {
                forgotten.push(everything_of(gone, &self.settled)?);
            }
        }
        if !all.is_empty() {
            self.merge_input(world, carried, place, merged)?;
        }
        Ok(forgotten)
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

/// Weights and tags: those of synapses that there were before, unless new weights are asked for. Returns the weights that are lost.
fn merge_synapses(
    now: &Projection,
    before: Option<&Projection>,
    settled: &Snapshot,
    fresh: &Snapshot,
    mut recall: Recall<'_>,
    merged: &mut Snapshot,
) -> Result<Option<OfProjection>, RestoreError> {
    let mut weights = fresh.f32s(&now.section("weights"))?.to_vec();
    let mut tags = fresh.f32s(&now.section("tags"))?.to_vec();
    let (mut old_weights, mut old_tags) = (&[][..], &[][..]);
    if let Some(before) = before {
        old_weights = settled.f32s(&before.section("weights"))?;
        if before.learns_like(now) {
            old_tags = settled.f32s(&before.section("tags"))?;
        }
    }
    let mut lost = OfProjection {
        name: now.name.clone(),
        ends: now.ends.clone(),
        keys: Vec::new(),
        weights: Vec::new(),
    };
    let (sign, old_sign) = (
        now.provenance.sign,
        before.map_or(1.0, |before| before.provenance.sign),
    );
    let none = Pairs::default();
    let old = before.map_or(&none, |before| &before.pairs);
    join(old.keys(), now.pairs.keys(), |key, was, is| {
        if let (Some(was), Some(is)) = (was, is)
            && let (Some(old), Some(tag)) = (old_tags.get(was), tags.get_mut(is))
        {
            *tag = *old;
        }
        let learned = was.map(|was| old_weights[was] * old_sign);
        let stays = before.is_some_and(|before| match (was, is) {
            (Some(was), Some(is)) => !now.has_new_weight(before, was, is),
            _ => false,
        });
        let recalled = recall.at(key);
        match (is, learned) {
            (Some(is), Some(learned)) if stays => weights[is] = learned * sign,
            (is, learned) => {
                if let Some(learned) = learned {
                    lost.keys.push(key);
                    lost.weights.push(learned);
                }
                if let (Some(is), Some(recalled)) = (is, recalled) {
                    weights[is] = recalled * sign;
                }
            }
        }
    });
    merged.put(now.section("weights"), weights)?;
    merged.put(now.section("tags"), tags)?;
    Ok(Some(lost).filter(|lost| !lost.keys.is_empty()))
}

/// All weights of a projection that is gone.
fn everything_of(gone: &Projection, settled: &Snapshot) -> Result<OfProjection, RestoreError> {
    let weights = settled.values_of_len::<f32>(&gone.section("weights"), gone.pairs.len())?;
    let learned = |place: usize| weights[place] * gone.provenance.sign;
    Ok(OfProjection {
        name: gone.name.clone(),
        ends: gone.ends.clone(),
        keys: gone.pairs.keys().map(|(key, _)| key).collect(),
        weights: gone.pairs.keys().map(|(_, place)| learned(place)).collect(),
    })
}

/// The transmitter of source neurons that there were before.
fn merge_short_term(
    now: &Projection,
    before: Option<&Projection>,
    carried: &Snapshot,
    fresh: &Snapshot,
    merged: &mut Snapshot,
) -> Result<(), RestoreError> {
    let section = now.section("short_term");
    let Ok(built) = fresh.u64s(&section) else {
        return Ok(());
    };
    let mut numbers = built.to_vec();
    if let Some(before) = before
        && let Ok(old) = carried.u64s(&before.section("short_term"))
    {
        let kept = old.len().min(numbers.len());
        numbers[..kept].copy_from_slice(&old[..kept]);
    }
    Ok(merged.put(section, numbers)?)
}

/// What keepers of the same kinds know of target neurons that there were before.
fn merge_upkeep(
    entity: &mut EntityWorldMut<'_>,
    now: &Projection,
    before: Option<&Projection>,
    carried: &Snapshot,
    fresh: &Snapshot,
    merged: &mut Snapshot,
) -> Result<(), RestoreError> {
    let section = now.section("upkeep");
    let Some(mut keepers) = entity.get_mut::<Keepers>() else {
        return Ok(());
    };
    let steps = carried.u64("clock.steps")?;
    if let Some(before) = before
        && let Ok(old) = carried.u32s(&before.section("upkeep"))
        && keepers.take_over(steps, old, before.neurons[1], now.neurons[1])
    {
        return Ok(merged.put(section, keepers.save(steps))?);
    }
    let built = fresh.section(&section)?.clone();
    Ok(merged.put(section, built)?)
}

/// The histories of a rule, which begin at this moment if it is new or of another type.
fn merge_history(
    entity: &mut EntityWorldMut<'_>,
    now: &Projection,
    before: Option<&Projection>,
    carried: &Snapshot,
    settled: &Snapshot,
    merged: &mut Snapshot,
) -> Result<(), RestoreError> {
    let Some(functions) = entity.get::<RuleFunctions>().copied() else {
        return Ok(());
    };
    let own = (functions.save)(entity.as_readonly());
    let taken = match before.filter(|before| before.learns_like(now)) {
        Some(before) => match settled.u32s(&before.section("history")) {
            Ok(numbers) => {
                let former = Former {
                    numbers,
                    sources: before.neurons[0],
                    targets: before.neurons[1],
                    delays: &before.delays,
                };
                (functions.take_over)(entity, &former)
            }
            _ => false,
        },
        None => false,
    };
    if !taken {
        let steps = carried.u64("clock.steps")?;
        (functions.load)(entity, &own, steps);
        (functions.begin)(entity, steps);
    }
    let history = (functions.save)(entity.as_readonly());
    Ok(merged.put(now.section("history"), history)?)
}
