//! Probes: what is kept of a run.
//!
//! A probe is an entity of its own that points at its region; it never attaches to it, so that observing changes nothing. A network without
//! a probe of some kind does not run that kind's system.

use super::region::{Region, Spikes};
use crate::results::online::OnlineStatistics;
use crate::sim::clock::Clock;
use crate::sim::columns::{ColumnDescriptor, ColumnRegistry, Which};
use bevy::ecs::resource::IsResource;
use bevy::prelude::*;

/// Keeps every spike of a region.
#[derive(Component, Clone, Debug)]
pub struct SpikeProbe {
    /// The region.
    pub region: Entity,
    /// The step of each spike; the spike's time is (step + 1)·dt.
    pub steps: Vec<u64>,
    /// The neuron of each spike.
    pub neurons: Vec<u32>,
}

/// Samples a column of chosen neurons.
#[derive(Component, Clone)]
pub struct ColumnProbe {
    /// The region.
    pub region: Entity,
    /// Which column.
    pub column: ColumnDescriptor,
    /// Which neurons.
    pub neurons: Vec<u32>,
    /// Steps between samples; the first sample is taken at the end of step `every` − 1.
    pub every: u64,
    /// The samples, one row of `neurons` after another.
    pub values: Vec<f32>,
}

/// Counts a region's spikes in bins.
#[derive(Component, Clone, Debug)]
pub struct RateProbe {
    /// The region.
    pub region: Entity,
    /// Steps per bin.
    pub bin: u64,
    /// Spikes of each finished bin.
    pub counts: Vec<u64>,
    /// Spikes of the bin under way.
    pub current: u64,
}

/// Keeps the statistics of all regions' spikes, without the spikes.
#[derive(Component, Clone, Debug)]
pub struct StatisticsProbe {
    /// The statistics; regions by their index.
    pub statistics: OnlineStatistics,
}

/// Fills the spike probes.
pub fn record_spikes(
    clock: Res<Clock>,
    mut probes: Query<&mut SpikeProbe>,
    regions: Query<&Spikes>,
) {
    let step = clock.step();
    for mut probe in &mut probes {
        if let Ok(spikes) = regions.get(probe.region)
            && !spikes.list.is_empty()
        {
            let steps = probe.steps.len() + spikes.list.len();
            probe.steps.resize(steps, step);
            probe.neurons.extend_from_slice(&spikes.list);
        }
    }
}

/// Fills the rate probes.
pub fn record_rates(clock: Res<Clock>, mut probes: Query<&mut RateProbe>, regions: Query<&Spikes>) {
    for mut probe in &mut probes {
        if let Ok(spikes) = regions.get(probe.region) {
            probe.current += spikes.list.len() as u64;
        }
        if (clock.step() + 1).is_multiple_of(probe.bin) {
            let count = core::mem::take(&mut probe.current);
            probe.counts.push(count);
        }
    }
}

/// Fills the statistics probes.
pub fn record_statistics(
    clock: Res<Clock>,
    mut probes: Query<&mut StatisticsProbe>,
    regions: Query<(&Region, &Spikes)>,
) {
    let step = clock.step();
    for mut probe in &mut probes {
        for (region, spikes) in &regions {
            if !spikes.list.is_empty() {
                probe
                    .statistics
                    .record_all(region.index as usize, &spikes.list, step);
            }
        }
    }
}

/// Fills the column probes.
pub fn record_columns(
    clock: Res<Clock>,
    mut probes: Query<&mut ColumnProbe>,
    regions: Query<EntityRef, (With<Region>, Without<ColumnProbe>)>,
) {
    for mut probe in &mut probes {
        if !(clock.step() + 1).is_multiple_of(probe.every) {
            continue;
        }
        let probe = &mut *probe;
        if let Ok(region) = regions.get(probe.region) {
            (probe.column.read)(region, Which::These(&probe.neurons), &mut probe.values);
        }
    }
}

/// Whether the state of the network is still made of numbers.
#[derive(Resource, Clone, Debug, Default)]
pub struct Health {
    /// What was found to be infinite or not a number, and when.
    pub problem: Option<String>,
}

/// How often, in steps, the state is looked at.
const CHECK_EVERY: u64 = 1000;

/// Looks at every column of every region now and then. Finds what no model should do: leave the finite numbers.
pub fn check_finite(
    clock: Res<Clock>,
    columns: Res<ColumnRegistry>,
    mut health: ResMut<Health>,
    regions: Query<EntityRef, (With<Region>, Without<IsResource>)>,
) {
    if clock.steps_done().is_multiple_of(CHECK_EVERY) && health.problem.is_none() {
        health.problem = not_finite(&clock, &columns, regions.iter());
    }
}

/// The first column that is not finite, and when.
pub fn not_finite<'w>(
    clock: &Clock,
    columns: &ColumnRegistry,
    regions: impl Iterator<Item = EntityRef<'w>>,
) -> Option<String> {
    for region in regions {
        for column in columns.iter() {
            if !(column.finite)(region) {
                let name = region.get::<Name>().map_or("?", |n| n.as_str());
                return Some(format!(
                    "the column {} of region \"{name}\" is no longer finite at {:.1} ms: weights, currents or the step are too large",
                    column.name,
                    clock.time_ms()
                ));
            }
        }
    }
    None
}
