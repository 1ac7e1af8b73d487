//! What a run leaves of modulators: arrays, tables, pictures, and their part of the report.

use super::RunError;
use super::results::{FileNames, file_name};
use super::weights::write_figure;
use crate::modulation::Modulator;
use crate::modulation::probe::{CourseSummary, ModulatorProbe, ModulatorSummary};
use crate::results::figure::{Figure, Panel};
use crate::results::report::ModulatorReport;
use crate::results::{csv, npy};
use crate::simulation::Simulation;
use bevy::prelude::*;
use std::path::Path;

/// What the report says of every modulator.
pub(super) fn report(world: &mut World) -> Vec<ModulatorReport> {
    let probes = probes(world);
    let mut query = world.query::<(Entity, &Name, &Modulator)>();
    let mut list: Vec<_> = query.iter(world).collect();
    list.sort_unstable_by_key(|(.., modulator)| modulator.index);
    (list.into_iter())
        .map(|(entity, name, modulator)| {
            let probe = probes.iter().find(|probe| probe.modulator == entity);
            let (rewards, reward) = modulator.rewards();
            ModulatorReport {
                name: name.as_str().to_owned(),
                summary: ModulatorSummary {
                    level: modulator.level(),
                    rewards,
                    reward,
                    released: modulator.released(),
                    course: probe.and_then(|probe| CourseSummary::of(&probe.values)),
                },
            }
        })
        .collect()
}

/// Writes what the probes of modulators have kept.
pub(super) fn write(simulation: &mut Simulation, out: &Path) -> Result<(), RunError> {
    let dt_ms = simulation.clock().dt_ms();
    let world = simulation.world_mut();
    let mut names = FileNames::default();
    for probe in probes(world) {
        let known = world.get::<Name>(probe.modulator);
        let modulator = known.map_or("", Name::as_str).to_owned();
        let is_pool = world
            .get::<Modulator>(probe.modulator)
            .is_some_and(Modulator::is_pool);
        let interval_ms = probe.every as f64 * dt_ms;
        let stem = out.join(names.take(&format!("modulator_{}", file_name(&modulator))));
        let path = |kind: &str| format!("{}.{kind}", stem.display());
        let columns = [modulator.clone()];
        csv::write_samples(
            path("csv"),
            &columns,
            interval_ms,
            interval_ms,
            &probe.values,
        )?;
        npy::write_vector(path("npy"), &probe.values)?;
        let points = (probe.values.iter().enumerate())
            .filter(|(_, value)| value.is_finite())
            .map(|(i, value)| ((i + 1) as f64 * interval_ms, f64::from(*value)));
        let what = match is_pool {
            true => "concentration",
            false => "signal per interval",
        };
        let panel = Panel::new("").x("time", "ms").y(what, "");
        let figure = Figure::new(modulator)
            .panel_size(1000, 400)
            .panel(panel.line("", points.collect()));
        write_figure(&figure, Path::new(&path("png")))?;
    }
    Ok(())
}

/// The probes of modulators, in the order of the scene.
fn probes(world: &mut World) -> Vec<ModulatorProbe> {
    let mut query = world.query::<(Entity, &ModulatorProbe)>();
    let mut list: Vec<_> = query.iter(world).collect();
    list.sort_unstable_by_key(|(entity, _)| entity.index_u32());
    list.into_iter().map(|(_, probe)| probe.clone()).collect()
}
