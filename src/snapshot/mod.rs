//! The state of a simulation, kept and resumed bit for bit.
//!
//! A snapshot holds what a step changes: every registered column of every region, the spikes in flight, the step counter, the sums
//! of the run, weights that change with what changes them, what responses hold, modulators, and what the probes have kept. Random numbers need nothing: they are functions of the step. What follows from the scene
//! (synapses, derived parameters, positions) is built again from the scene and its seed, which the snapshot also carries.
//!
//! A snapshot does not depend on the number of threads. Spikes in flight are kept as spikes, as far back as the longest delay: a store
//! that pulls finds them in the history, one that pushes sends them again, as far as they have not arrived.

pub mod carry;
pub mod file;
mod plastic;
mod responses;

use crate::modulation::probe::ModulatorProbe;
use crate::network::history::SpikeHistory;
use crate::network::probe::{ColumnProbe, Health, RateProbe, SpikeProbe, StatisticsProbe};
use crate::network::propagate::SpikeCount;
use crate::network::region::Region;
use crate::network::slots::InputSlots;
use crate::network::synapses::{SynapseStore, Transfer};
use crate::network::weight_probe::WeightProbe;
use crate::results::online::OnlineStatistics;
use crate::sim::clock::Clock;
use crate::sim::columns::ColumnRegistry;
use crate::simulation::Simulation;
use bevy::prelude::*;
use file::{Snapshot, SnapshotError};

/// Why a snapshot cannot be resumed.
#[derive(Debug, thiserror::Error)]
pub enum RestoreError {
    /// The container is damaged or lacks something.
    #[error(transparent)]
    Container(#[from] SnapshotError),
    /// A value does not fit the network.
    #[error(
        "the snapshot does not fit its scene: {0}; it was changed or comes from another network"
    )]
    Misfit(String),
}

impl Simulation {
    /// Everything that a step changes.
    ///
    /// # Errors
    /// Only if a section cannot be stored (names are bounded, so in practice never).
    pub fn snapshot(&mut self) -> Result<Snapshot, SnapshotError> {
        let world = self.world_mut();
        let mut out = Snapshot::new();
        let clock = *world.resource::<Clock>();
        let count = *world.resource::<SpikeCount>();
        out.put("clock.steps", clock.steps_done())?;
        out.put("clock.dt_ms", clock.dt_ms())?;
        out.put("count", vec![count.spikes, count.hash, count.events])?;
        let registry = world.resource::<ColumnRegistry>().clone();
        let steps = clock.steps_done();
        for (index, entity) in region_entities(world) {
            let entity = world.entity(entity);
            for column in registry.iter().filter(|c| (c.present)(entity)) {
                out.put(
                    format!("region.{index}.column.{}", column.name),
                    (column.save)(entity),
                )?;
            }
            if let Some(history) = entity.get::<SpikeHistory>() {
                let depth = history.depth() as u64;
                let (mut lens, mut ids) = (Vec::new(), Vec::new());
                for step in steps.saturating_sub(depth)..steps {
                    let spikes = history.at(step);
                    lens.push(spikes.len() as u32);
                    ids.extend_from_slice(spikes);
                }
                out.put(format!("region.{index}.history.lens"), lens)?;
                out.put(format!("region.{index}.history.neurons"), ids)?;
            }
        }
        plastic::save(world, steps, &mut out)?;
        responses::save(world, steps, &mut out)?;
        for (name, entity) in probe_entities(world) {
            let entity = world.entity(entity);
            if let Some(probe) = entity.get::<SpikeProbe>() {
                // All spike probes of a region have kept the same.
                if !out.contains(&format!("{name}.steps")) {
                    out.put(format!("{name}.steps"), probe.steps.clone())?;
                    out.put(format!("{name}.neurons"), probe.neurons.clone())?;
                }
            } else if let Some(probe) = entity.get::<RateProbe>() {
                out.put(format!("{name}.counts"), probe.counts.clone())?;
                out.put(format!("{name}.current"), probe.current)?;
            } else if let Some(probe) = entity.get::<ColumnProbe>() {
                out.put(format!("{name}.values"), probe.values.clone())?;
            } else if let Some(probe) = entity.get::<WeightProbe>() {
                out.put(format!("{name}.values"), probe.values.clone())?;
            } else if let Some(probe) = entity.get::<ModulatorProbe>() {
                out.put(format!("{name}.values"), probe.values.clone())?;
                out.put(format!("{name}.current"), probe.current)?;
            } else if let Some(probe) = entity.get::<StatisticsProbe>() {
                out.put(format!("{name}.statistics"), probe.statistics.state())?;
            }
        }
        Ok(out)
    }

    /// Puts a simulation of the same scene into the state of a snapshot. A spike probe that the snapshot lacks starts empty.
    ///
    /// # Errors
    /// Says what is missing or does not fit; the simulation must then be discarded.
    pub fn restore(&mut self, snapshot: &Snapshot) -> Result<(), RestoreError> {
        let world = self.world_mut();
        match &mut *world.resource_mut::<InputSlots>() {
            InputSlots::Narrow(slots) => slots.clear(),
            InputSlots::Wide(slots) => slots.clear(),
        }
        world.insert_resource(Health::default());
        let misfit = |what: String| RestoreError::Misfit(what);
        let steps = snapshot.u64("clock.steps")?;
        let dt = snapshot.f64("clock.dt_ms")?;
        let built = *world.resource::<Clock>();
        if dt.to_bits() != built.dt_ms().to_bits() {
            return Err(misfit(format!(
                "its step is {dt} ms, that of the scene {} ms",
                built.dt_ms()
            )));
        }
        if steps > 1 << 53 {
            return Err(misfit(format!(
                "its step counter {steps} is beyond any run"
            )));
        }
        let count = snapshot.values_of_len::<u64>("count", 3)?;
        if count[0].max(count[2]) > 1 << 62 {
            return Err(misfit(format!(
                "{} spikes and {} events are more than any run has",
                count[0], count[2]
            )));
        }
        world.insert_resource(SpikeCount {
            spikes: count[0],
            hash: count[1],
            events: count[2],
        });
        world.insert_resource(Clock::resumed(dt, steps));
        let registry = world.resource::<ColumnRegistry>().clone();
        for (index, id) in region_entities(world) {
            for column in registry.iter() {
                if !(column.present)(world.entity(id)) {
                    continue;
                }
                let name = format!("region.{index}.column.{}", column.name);
                let bits = snapshot.u32s(&name)?;
                if !(column.load)(&mut world.entity_mut(id), bits) {
                    return Err(misfit(format!("section {name} has {} values", bits.len())));
                }
            }
            let neurons = world.entity(id).get::<Region>().map_or(0, |r| r.neurons);
            let depth = world
                .entity(id)
                .get::<SpikeHistory>()
                .map_or(0, SpikeHistory::depth);
            let lens = snapshot.u32s(&format!("region.{index}.history.lens"))?;
            let ids = snapshot.u32s(&format!("region.{index}.history.neurons"))?;
            let kept = (depth as u64).min(steps);
            if lens.len() as u64 != kept {
                return Err(misfit(format!(
                    "region {index} has {} steps of history, not {kept}",
                    lens.len()
                )));
            }
            if lens.iter().map(|l| u64::from(*l)).sum::<u64>() != ids.len() as u64 {
                return Err(misfit(format!(
                    "the history of region {index} is inconsistent"
                )));
            }
            if let Some(bad) = ids.iter().find(|n| **n >= neurons) {
                return Err(misfit(format!(
                    "neuron {bad} of region {index} does not exist"
                )));
            }
            let mut history = SpikeHistory::new(depth, neurons as usize);
            let mut rest = ids;
            for (step, len) in (steps - kept..steps).zip(lens) {
                let (now, later) = rest.split_at(*len as usize);
                if !now.is_sorted_by(|a, b| a < b) {
                    return Err(misfit(format!(
                        "a neuron of region {index} spikes twice in step {step}"
                    )));
                }
                history.push(step, now);
                rest = later;
            }
            world.entity_mut(id).insert(history);
        }
        send_again(world, steps);
        plastic::restore(world, snapshot, steps)?;
        responses::restore(world, snapshot, steps)?;
        for (name, id) in probe_entities(world) {
            restore_probe(world, snapshot, &name, id, steps)?;
        }
        Ok(())
    }
}

/// Regions by their index.
fn region_entities(world: &mut World) -> Vec<(u32, Entity)> {
    let mut query = world.query::<(Entity, &Region)>();
    let mut list: Vec<_> = query
        .iter(world)
        .map(|(entity, r)| (r.index, entity))
        .collect();
    list.sort_unstable();
    list
}

/// Probes and the names of their sections: spike probes by region, others numbered in the order in which they were made.
fn probe_entities(world: &mut World) -> Vec<(String, Entity)> {
    let mut query = world.query_filtered::<Entity, Or<(
        With<RateProbe>,
        With<ColumnProbe>,
        With<StatisticsProbe>,
        With<WeightProbe>,
        With<ModulatorProbe>,
    )>>();
    let mut list: Vec<_> = query.iter(world).collect();
    list.sort_unstable_by_key(|entity| entity.index_u32());
    let mut named: Vec<_> = list
        .into_iter()
        .enumerate()
        .map(|(i, entity)| (format!("probe.{i}"), entity))
        .collect();
    let mut spikes = world.query::<(Entity, &SpikeProbe)>();
    for (entity, probe) in spikes.iter(world) {
        let index = world.get::<Region>(probe.region).map_or(0, |r| r.index);
        named.push((format!("probe.spikes.{index}"), entity));
    }
    named
}

/// Spikes that have not arrived everywhere go along the rows of the stores that push, as they did when they were emitted.
fn send_again(world: &mut World, steps: u64) {
    let mut stores = world.query::<&SynapseStore>();
    world.resource_scope(|world, mut slots: Mut<InputSlots>| {
        for store in stores
            .iter(world)
            .filter(|s| s.transfer() == Transfer::Push)
        {
            let Some(history) = world.get::<SpikeHistory>(store.source()) else {
                continue;
            };
            for emitted in steps.saturating_sub(history.depth() as u64)..steps {
                for &source in history.at(emitted) {
                    store.visit_row(source as usize, &mut |block, slot, weight, delay| {
                        let due = emitted + u64::from(delay);
                        if due < steps {
                            return;
                        }
                        match &mut *slots {
                            InputSlots::Narrow(s) => {
                                s.add(block, (due % s.ring() as u64) as usize, slot, weight)
                            }
                            InputSlots::Wide(s) => {
                                s.add(block, (due % s.ring() as u64) as usize, slot, weight)
                            }
                        }
                    });
                }
            }
        }
    });
}

fn restore_probe(
    world: &mut World,
    snapshot: &Snapshot,
    name: &str,
    id: Entity,
    steps: u64,
) -> Result<(), RestoreError> {
    let region_of =
        |world: &World, region: Entity| world.get::<Region>(region).map_or(0, |r| r.neurons);
    if let Some(region) = world.get::<SpikeProbe>(id).map(|p| p.region) {
        let neurons = region_of(world, region);
        if !snapshot.contains(&format!("{name}.steps")) {
            return Ok(());
        }
        let at = snapshot.u64s(&format!("{name}.steps"))?;
        let who = snapshot.values_of_len::<u32>(&format!("{name}.neurons"), at.len())?;
        if at.windows(2).any(|w| w[0] > w[1])
            || at.last().is_some_and(|s| *s >= steps)
            || who.iter().any(|n| *n >= neurons)
        {
            return Err(RestoreError::Misfit(format!(
                "the spikes of {name} are inconsistent"
            )));
        }
        if let Some(mut probe) = world.get_mut::<SpikeProbe>(id) {
            probe.steps = at.to_vec();
            probe.neurons = who.to_vec();
        }
    } else if let Some((bin, region)) = world.get::<RateProbe>(id).map(|p| (p.bin, p.region)) {
        let counts = snapshot.u64s(&format!("{name}.counts"))?;
        let current = snapshot.u64(&format!("{name}.current"))?;
        if counts.len() as u64 != steps / bin {
            return Err(RestoreError::Misfit(format!(
                "{name} has {} bins, not {}",
                counts.len(),
                steps / bin
            )));
        }
        if current > (steps % bin).saturating_mul(region_of(world, region).into()) {
            return Err(RestoreError::Misfit(format!(
                "{name} counts {current} spikes, more than there can be"
            )));
        }
        if let Some(mut probe) = world.get_mut::<RateProbe>(id) {
            probe.counts = counts.to_vec();
            probe.current = current;
        }
    } else if let Some((every, width)) = world
        .get::<ColumnProbe>(id)
        .map(|p| (p.every, p.neurons.len()))
    {
        let values = snapshot.f32s(&format!("{name}.values"))?;
        if values.len() as u64 != steps / every * width as u64 {
            return Err(RestoreError::Misfit(format!(
                "{name} has {} values",
                values.len()
            )));
        }
        if let Some(mut probe) = world.get_mut::<ColumnProbe>(id) {
            probe.values = values.to_vec();
        }
    } else if let Some((every, width)) =
        (world.get::<WeightProbe>(id)).map(|p| (p.every, p.kept.width()))
    {
        let values = snapshot.f32s(&format!("{name}.values"))?;
        if values.len() as u64 != steps / every * width as u64 {
            return Err(RestoreError::Misfit(format!(
                "{name} has {} values",
                values.len()
            )));
        }
        if let Some(mut probe) = world.get_mut::<WeightProbe>(id) {
            probe.values = values.to_vec();
        }
    } else if let Some(every) = world.get::<ModulatorProbe>(id).map(|p| p.every) {
        let values = snapshot.f32s(&format!("{name}.values"))?;
        let current = snapshot.f64(&format!("{name}.current"))?;
        if values.len() as u64 != steps / every || !current.is_finite() {
            return Err(RestoreError::Misfit(format!(
                "{name} has {} values, and {current} after them",
                values.len()
            )));
        }
        if let Some(mut probe) = world.get_mut::<ModulatorProbe>(id) {
            probe.values = values.to_vec();
            probe.current = current;
        }
    } else if world.get::<StatisticsProbe>(id).is_some() {
        let state = snapshot.u64s(&format!("{name}.statistics"))?;
        let statistics =
            OnlineStatistics::from_state(state).map_err(|e| RestoreError::Misfit(e.to_string()))?;
        if !world
            .get::<StatisticsProbe>(id)
            .is_some_and(|p| statistics.fits(&p.statistics, steps))
        {
            return Err(RestoreError::Misfit(format!(
                "the statistics of {name} are of another network"
            )));
        }
        if let Some(mut probe) = world.get_mut::<StatisticsProbe>(id) {
            probe.statistics = statistics;
        }
    }
    Ok(())
}
