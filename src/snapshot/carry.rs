//! The state of a network taken over by an edited one.

mod forgotten;
mod modulators;
mod pairs;
mod plastic;

pub use forgotten::Forgotten;

use super::file::Snapshot;
use super::{RestoreError, probe_entities, region_entities, responses};
use crate::modulation::probe::ModulatorProbe;
use crate::network::history::SpikeHistory;
use crate::network::probe::{ColumnProbe, RateProbe, SpikeProbe, StatisticsProbe};
use crate::network::region::Region;
use crate::network::weight_probe::{Kept, WeightProbe};
use crate::results::online::OnlineStatistics;
use crate::sim::columns::ColumnRegistry;
use crate::simulation::Simulation;
use bevy::prelude::*;

/// What can be carried over from the world of a simulation, by names that an edit does not change.
pub struct Carried {
    snapshot: Snapshot,
    plastic: plastic::Before,
    modulators: modulators::Before,
    responses: responses::Before,
    regions: Vec<(String, u32)>,
    /// What each probe is, and the name of its sections.
    probes: Vec<(ProbeIdentity, String)>,
}

/// What makes two probes of different networks the same.
#[derive(Clone, PartialEq)]
enum ProbeIdentity {
    Spikes(String),
    Rate(String, u64),
    Column(String, &'static str, Vec<u32>, u64),
    Weights(String, Kept, u64),
    Modulator(String, u64),
    Statistics,
}

impl Simulation {
    /// The state, to be given to a simulation of an edited scene. Nothing is changed.
    ///
    /// # Errors
    /// Those of [`snapshot`](Self::snapshot).
    pub fn carry(&mut self) -> Result<Carried, RestoreError> {
        let steps = self.clock().steps_done();
        let plastic = plastic::Before::of(self.world_mut(), steps)?;
        let modulators = modulators::Before::of(self.world_mut());
        let responses = responses::Before::of(self.world_mut());
        let snapshot = self.snapshot()?;
        let (regions, probes) = parts(self);
        Ok(Carried {
            snapshot,
            plastic,
            modulators,
            responses,
            regions,
            probes,
        })
    }

    /// Puts a simulation of the same scene into the state that was carried, bit for bit.
    ///
    /// # Errors
    /// As [`restore`](Self::restore).
    pub fn take_back(&mut self, carried: &Carried) -> Result<(), RestoreError> {
        self.restore(&carried.snapshot)
    }

    /// Takes over the state of the network before an edit: time, sums, the columns of regions that keep their name, the spikes in
    /// flight, what synapses that change have learned, modulators, and what probes have kept. Spikes in flight arrive along
    /// the synapses as they are now; those that changing synapses have sent, as they were sent. What is new keeps the state in
    /// which it was built.
    ///
    /// A synapse that changes keeps its weight if the same projection between the same regions has it still: the synapse from the same
    /// source neuron to the same target neuron, where there are several, the one of the same number (by delay, then in the order of the rule of
    /// connection). That is so whatever the edit was; but a projection with another `weight`, or a synapse to which a list gives another
    /// one, has the new weight. Bounds that are narrower now hold. Tags, the traces of neurons, spikes on their way along axons and the state of
    /// upkeep stay where the rules are of the same types, short-term dynamics in any case, each for the neurons that there still are.
    ///
    /// Returns what synapses had learned that are gone or have a new weight: see [`take_over_and_recall`](Self::take_over_and_recall).
    ///
    /// # Errors
    /// The state does not fit, which is a fault of the simulator: by name, everything does.
    pub fn take_over(&mut self, carried: &Carried) -> Result<Forgotten, RestoreError> {
        self.take_over_and_recall(carried, &[])
    }

    /// As [`take_over`](Self::take_over), when an edit is taken back that has forgotten something: synapses that come back, and those that
    /// are asked to have another weight, have the one that the first of `recalled` knows.
    ///
    /// # Errors
    /// As [`take_over`](Self::take_over).
    pub fn take_over_and_recall(
        &mut self,
        carried: &Carried,
        recalled: &[&Forgotten],
    ) -> Result<Forgotten, RestoreError> {
        let fresh = self.snapshot()?;
        let (regions, probes) = parts(self);
        let steps = carried.snapshot.u64("clock.steps")?;
        let mut merged = Snapshot::new();
        for name in ["clock.steps", "clock.dt_ms", "count"] {
            merged.put(name, carried.snapshot.section(name)?.clone())?;
        }
        let columns = self.world().resource::<ColumnRegistry>().clone();
        for (index, (name, neurons)) in regions.iter().enumerate() {
            let from = carried.regions.iter().position(|(n, _)| n == name);
            for column in columns.iter() {
                let section = format!("region.{index}.column.{}", column.name);
                let Ok(bits) = fresh.u32s(&section) else {
                    continue;
                };
                let mut bits = bits.to_vec();
                if let Some(from) = from
                    && let Ok(old) = carried
                        .snapshot
                        .u32s(&format!("region.{from}.column.{}", column.name))
                {
                    let kept = (carried.regions[from].1).min(*neurons) as usize;
                    bits[..kept].copy_from_slice(&old[..kept]);
                }
                merged.put(section, bits)?;
            }
            let section = format!("region.{index}.intrinsic");
            if let Ok(built) = fresh.f64s(&section) {
                let mut currents = built.to_vec();
                if let Some(from) = from
                    && let Ok(old) = (carried.snapshot).f64s(&format!("region.{from}.intrinsic"))
                {
                    let kept = (carried.regions[from].1).min(*neurons) as usize;
                    currents[..kept].copy_from_slice(&old[..kept]);
                }
                merged.put(section, currents)?;
            }
            let section = format!("region.{index}.srm");
            if let Ok(built) = fresh.section(&section) {
                // Neurons that compete are one state: it is kept as a whole or not at all.
                let kept = from.filter(|from| carried.regions[*from].1 == *neurons);
                let kept = kept.and_then(|from| {
                    (carried.snapshot.section(&format!("region.{from}.srm"))).ok()
                });
                merged.put(section, kept.unwrap_or(built).clone())?;
            }
            let (lens, ids) = history(self, carried, index, from, *neurons, steps)?;
            merged.put(format!("region.{index}.history.lens"), lens)?;
            merged.put(format!("region.{index}.history.neurons"), ids)?;
        }
        let regions = Regions(
            (regions.into_iter())
                .map(|(name, neurons)| {
                    let from = carried.regions.iter().position(|(n, _)| *n == name);
                    (name, neurons, from)
                })
                .collect(),
        );
        let world = self.world_mut();
        let channels = responses::Channels::of(world);
        let place = |from: u32, channel: u32| {
            let found = regions
                .0
                .iter()
                .position(|(.., old)| *old == Some(from as usize));
            let (to, before) = (found? as u32, &carried.responses.channels);
            Some((to, before.moved(&channels, from, channel, to)?))
        };
        let forgotten = (carried.plastic).merge(
            world,
            &carried.snapshot,
            &fresh,
            recalled,
            &place,
            &mut merged,
        )?;
        (carried.modulators).merge(world, &carried.snapshot, &fresh, &mut merged)?;
        (carried.responses).merge(world, &carried.snapshot, &fresh, &mut merged)?;
        for probe in &probes {
            put_probe(&mut merged, carried, probe, &regions, &fresh, steps)?;
        }
        self.restore(&merged)?;
        Ok(forgotten)
    }
}

/// Regions by their index, and probes.
fn parts(simulation: &mut Simulation) -> (Vec<(String, u32)>, Vec<(ProbeIdentity, String)>) {
    let world = simulation.world_mut();
    let region = |world: &World, entity: Entity| {
        let name = world
            .get::<Name>(entity)
            .map_or_else(String::new, |n| n.as_str().to_owned());
        (name, world.get::<Region>(entity).map_or(0, |r| r.neurons))
    };
    let regions = region_entities(world)
        .into_iter()
        .map(|(_, entity)| region(world, entity))
        .collect();
    let mut probes = Vec::new();
    for (name, entity) in probe_entities(world) {
        let entity = world.entity(entity);
        let identity = if let Some(p) = entity.get::<SpikeProbe>() {
            ProbeIdentity::Spikes(region(world, p.region).0)
        } else if let Some(p) = entity.get::<RateProbe>() {
            ProbeIdentity::Rate(region(world, p.region).0, p.bin)
        } else if let Some(p) = entity.get::<ColumnProbe>() {
            let neurons = p.neurons.clone();
            ProbeIdentity::Column(region(world, p.region).0, p.column.name, neurons, p.every)
        } else if let Some(p) = entity.get::<WeightProbe>() {
            let projection = world.get::<Name>(p.projection);
            let name = projection.map_or_else(String::new, |n| n.as_str().to_owned());
            ProbeIdentity::Weights(name, p.kept.clone(), p.every)
        } else if let Some(p) = entity.get::<ModulatorProbe>() {
            let modulator = world.get::<Name>(p.modulator);
            let name = modulator.map_or_else(String::new, |n| n.as_str().to_owned());
            ProbeIdentity::Modulator(name, p.every)
        } else if entity.contains::<StatisticsProbe>() {
            ProbeIdentity::Statistics
        } else {
            continue;
        };
        probes.push((identity, name));
    }
    (regions, probes)
}

/// The history that region `index` has after the edit: as far back as it looks now, without neurons that are gone.
fn history(
    simulation: &mut Simulation,
    carried: &Carried,
    index: usize,
    from: Option<usize>,
    neurons: u32,
    steps: u64,
) -> Result<(Vec<u32>, Vec<u32>), RestoreError> {
    let world = simulation.world_mut();
    let entity = region_entities(world)[index].1;
    let depth = world
        .get::<SpikeHistory>(entity)
        .map_or(0, SpikeHistory::depth);
    let kept = (depth as u64).min(steps) as usize;
    let (mut lens, mut ids) = (vec![0; kept], Vec::new());
    let Some(from) = from else {
        return Ok((lens, ids));
    };
    let old_lens = carried
        .snapshot
        .u32s(&format!("region.{from}.history.lens"))?;
    let mut rest = carried
        .snapshot
        .u32s(&format!("region.{from}.history.neurons"))?;
    let skipped = old_lens.len().saturating_sub(kept);
    let missing = kept.saturating_sub(old_lens.len());
    for (i, &len) in old_lens.iter().enumerate() {
        let (now, later) = rest.split_at(len as usize);
        rest = later;
        if i >= skipped {
            let before = ids.len();
            ids.extend(now.iter().filter(|n| **n < neurons));
            lens[missing + i - skipped] = (ids.len() - before) as u32;
        }
    }
    Ok((lens, ids))
}

/// The regions of the network after the edit: name, neurons, and the place before it, if there was one.
struct Regions(Vec<(String, u32, Option<usize>)>);

impl Regions {
    fn size_of(&self, region: &str) -> u32 {
        self.0
            .iter()
            .find(|(name, ..)| name == region)
            .map_or(0, |(_, neurons, _)| *neurons)
    }
}

/// Puts the sections of a probe: what the same probe had kept, or, for a new one, a past in which nothing was seen.
fn put_probe(
    merged: &mut Snapshot,
    carried: &Carried,
    (identity, name): &(ProbeIdentity, String),
    regions: &Regions,
    fresh: &Snapshot,
    steps: u64,
) -> Result<(), RestoreError> {
    let old = &carried.snapshot;
    let from = carried
        .probes
        .iter()
        .find(|(i, _)| i == identity)
        .map(|(_, name)| name);
    match (identity, from) {
        (ProbeIdentity::Spikes(region), Some(from)) => {
            if !merged.contains(&format!("{name}.steps")) {
                let size = regions.size_of(region);
                let at = old.u64s(&format!("{from}.steps"))?;
                let who = old.u32s(&format!("{from}.neurons"))?;
                // Spikes of neurons that are gone have no place in the results.
                let (at, who): (Vec<u64>, Vec<u32>) =
                    at.iter().zip(who).filter(|(_, n)| **n < size).unzip();
                merged.put(format!("{name}.steps"), at)?;
                merged.put(format!("{name}.neurons"), who)?;
            }
        }
        (ProbeIdentity::Spikes(_), None) => {}
        (ProbeIdentity::Rate(region, bin), Some(from)) => {
            let current = old.u64(&format!("{from}.current"))?;
            let most = (steps % bin) * u64::from(regions.size_of(region));
            merged.put(
                format!("{name}.counts"),
                old.section(&format!("{from}.counts"))?.clone(),
            )?;
            merged.put(format!("{name}.current"), current.min(most))?;
        }
        (ProbeIdentity::Rate(_, bin), None) => {
            merged.put(format!("{name}.counts"), vec![0u64; (steps / bin) as usize])?;
            merged.put(format!("{name}.current"), 0u64)?;
        }
        (ProbeIdentity::Column(..) | ProbeIdentity::Weights(..), Some(from)) => {
            let values = old.section(&format!("{from}.values"))?.clone();
            merged.put(format!("{name}.values"), values)?;
        }
        (ProbeIdentity::Column(_, _, neurons, every), None) => {
            let unseen = vec![f32::NAN; (steps / every) as usize * neurons.len()];
            merged.put(format!("{name}.values"), unseen)?;
        }
        (ProbeIdentity::Weights(_, kept, every), None) => {
            let unseen = vec![f32::NAN; (steps / every) as usize * kept.width()];
            merged.put(format!("{name}.values"), unseen)?;
        }
        (ProbeIdentity::Modulator(..), Some(from)) => {
            for part in ["values", "current"] {
                let kept = old.section(&format!("{from}.{part}"))?.clone();
                merged.put(format!("{name}.{part}"), kept)?;
            }
        }
        (ProbeIdentity::Modulator(_, every), None) => {
            let unseen = vec![f32::NAN; (steps / every) as usize];
            merged.put(format!("{name}.values"), unseen)?;
            merged.put(format!("{name}.current"), 0.0)?;
        }
        (ProbeIdentity::Statistics, from) => {
            let section = format!("{name}.statistics");
            let read = |state: &[u64]| {
                OnlineStatistics::from_state(state).map_err(|e| RestoreError::Misfit(e.to_string()))
            };
            let statistics = match from {
                Some(from) => {
                    let places: Vec<_> = regions.0.iter().map(|(_, n, from)| (*n, *from)).collect();
                    read(old.u64s(&format!("{from}.statistics"))?)?.regrouped(&places)
                }
                None => read(fresh.u64s(&section)?)?,
            };
            merged.put(section, statistics.state())?;
        }
    }
    Ok(())
}
