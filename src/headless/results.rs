//! What a run leaves: its report, and the files of `--out`.

use super::{Course, RunError, modulators, weights};
use crate::network::plastic::PlasticSynapses;
use crate::network::probe::{ColumnProbe, RateProbe, SpikeProbe, StatisticsProbe};
use crate::network::projection::{Connect, ProjectsFrom, ProjectsTo, Synapses};
use crate::network::region::Region;
use crate::network::weight_probe::{WeightSummary, weights_now};
use crate::results::raster::{RasterOptions, write_raster};
use crate::results::report::{
    Machine, NetworkReport, ProjectionReport, RegionReport, RunReport, SpectrumPeak, Timings,
    peak_memory,
};
use crate::results::spectrum::spectrum;
use crate::results::statistics::RunStatistics;
use crate::results::{RateTrace, Recording, SpikeTrain, Trace, csv, npy};
use crate::scene::schema::Scene;
use crate::session::Session;
use crate::sim::workers::Workers;
use crate::simulation::Simulation;
use bevy::prelude::*;
use std::collections::BTreeMap;
use std::path::Path;

pub(super) fn report(
    session: &mut Session,
    course: &Course,
    timings: Timings,
    interrupted: bool,
) -> RunReport {
    let scene = session.scene().clone();
    let source = session.loaded().source.name.clone();
    let commands = session.acted();
    let mut parameters = BTreeMap::new();
    for (name, value) in &session.loaded().parameters {
        parameters.insert(name.clone(), serde_json::json!(value));
    }
    let simulation = session.simulation_mut();
    let clock = simulation.clock();
    let count = simulation.spike_count();
    let threads = simulation.world().resource::<Workers>().lanes();
    RunReport {
        title: scene.title.clone(),
        scene: source,
        version: env!("CARGO_PKG_VERSION").into(),
        parameters,
        commands,
        seed: scene.seed,
        dt_ms: scene.dt_ms,
        duration_ms: clock.time_ms(),
        interrupted,
        spikes: count.spikes,
        spike_hash: format!("{:016x}", count.hash),
        statistics: statistics(simulation, &scene),
        spectrum_peaks: spectrum_peaks(simulation, &scene),
        network: network_report(simulation, &scene),
        timings,
        threads,
        machine: Machine {
            simd: course.simd.name().into(),
            ..Machine::detect()
        },
        peak_memory_bytes: peak_memory(),
    }
}

/// The statistics of the run so far, from the window that the scene names.
fn statistics(simulation: &mut Simulation, scene: &Scene) -> RunStatistics {
    let steps = simulation.clock().steps_done();
    let world = simulation.world_mut();
    let mut probes = world.query::<&mut StatisticsProbe>();
    let Ok(mut probe) = probes.single_mut(world) else {
        return RunStatistics::default();
    };
    let statistics = &mut probe.statistics;
    statistics.advance(steps);
    let regions = scene
        .regions
        .iter()
        .enumerate()
        .map(|(i, region)| statistics.region(i, &region.name))
        .collect();
    let dt = scene.dt_ms;
    RunStatistics {
        window_ms: [
            scene.statistics_from_ms.min(steps as f64 * dt),
            steps as f64 * dt,
        ],
        regions,
        all: statistics.all(),
    }
}

/// The strongest frequency of each region's population rate, from 1 to 200 Hz.
fn spectrum_peaks(simulation: &mut Simulation, scene: &Scene) -> Vec<SpectrumPeak> {
    let from = scene.statistics_from_ms;
    rate_traces(simulation)
        .into_iter()
        .filter_map(|trace| {
            let skip = (from / trace.bin_ms).ceil() as usize;
            let values = trace.values.get(skip..)?;
            let peak = spectrum(values, trace.bin_ms, 2.0)?.peak(1.0..=200.0)?;
            Some(SpectrumPeak {
                region: trace.region,
                frequency_hz: peak.frequency_hz,
                prominence: peak.prominence,
                resolution_hz: peak.resolution_hz,
            })
        })
        .collect()
}

fn region_name(world: &World, entity: Entity) -> String {
    world
        .get::<Name>(entity)
        .map_or_else(String::new, |n| n.as_str().to_owned())
}

/// The population rates of all rate probes with the narrowest bins, in the order of the regions.
fn rate_traces(simulation: &mut Simulation) -> Vec<RateTrace> {
    let dt = simulation.clock().dt_ms();
    let world = simulation.world_mut();
    let mut probes = world.query::<&RateProbe>();
    let mut traces: Vec<(u32, u64, RateTrace)> = probes
        .iter(world)
        .filter_map(|probe| {
            let region = world.get::<Region>(probe.region)?;
            let bin_ms = probe.bin as f64 * dt;
            let per_neuron = 1e3 / (bin_ms * f64::from(region.neurons));
            Some((
                region.index,
                probe.bin,
                RateTrace {
                    region: region_name(world, probe.region),
                    start_ms: 0.0,
                    bin_ms,
                    values: probe
                        .counts
                        .iter()
                        .map(|&c| (c as f64 * per_neuron) as f32)
                        .collect(),
                },
            ))
        })
        .collect();
    traces.sort_by_key(|t| (t.0, t.1));
    traces.dedup_by_key(|t| t.0);
    traces.into_iter().map(|t| t.2).collect()
}

fn network_report(simulation: &mut Simulation, scene: &Scene) -> NetworkReport {
    let regions = scene
        .regions
        .iter()
        .map(|region| RegionReport {
            name: region.name.clone(),
            model: region
                .model
                .0
                .get_represented_type_info()
                .map_or_else(String::new, |i| i.type_path_table().short_path().to_owned()),
            neurons: region.neurons.into(),
        })
        .collect();
    let bytes = simulation.network_bytes();
    let steps = simulation.clock().steps_done();
    let world = simulation.world_mut();
    let mut query = world.query::<(
        Entity,
        &Name,
        &Connect,
        &ProjectsFrom,
        &ProjectsTo,
        &Synapses,
    )>();
    let mut projections: Vec<_> = query
        .iter(world)
        .map(|(entity, name, connect, from, to, synapses)| {
            let plastic = world.get::<PlasticSynapses>(entity);
            let weights = plastic.and_then(|plastic| {
                let weights = weights_now(world.entity(entity), steps)?;
                Some(WeightSummary::of(&weights, plastic.bounds()))
            });
            (
                connect.index,
                ProjectionReport {
                    name: name.as_str().to_owned(),
                    weights,
                    from: region_name(world, from.0),
                    to: region_name(world, to.0),
                    synapses: synapses.count,
                },
            )
        })
        .collect();
    projections.sort_by_key(|p| p.0);
    let projections = projections.into_iter().map(|p| p.1).collect();
    NetworkReport {
        modulators: modulators::report(world),
        ..NetworkReport::new(regions, projections, bytes)
    }
}

/// A name as part of a file name.
pub(super) fn file_name(name: &str) -> String {
    name.chars()
        .map(|c| {
            if c.is_alphanumeric() || c == '-' || c == '_' {
                c
            } else {
                '_'
            }
        })
        .collect()
}

/// Names of files that have been given away, so that no result overwrites another.
#[derive(Default)]
pub(super) struct FileNames(Vec<String>);

impl FileNames {
    /// `name`, with a number from 2 on after it where it has been given away before.
    pub(super) fn take(&mut self, name: &str) -> String {
        let numbered = |n: usize| match n {
            1 => name.to_owned(),
            n => format!("{name}_{n}"),
        };
        let free = (1..)
            .map(numbered)
            .find(|candidate| !self.0.contains(candidate))
            .unwrap_or_default();
        self.0.push(free.clone());
        free
    }
}

pub(super) fn write_results(
    session: &mut Session,
    report: &RunReport,
    out: &Path,
) -> Result<(), RunError> {
    let scene = session.scene().clone();
    let simulation = session.simulation_mut();
    let clock = simulation.clock();
    modulators::write(simulation, out)?;
    let rates = rate_traces(simulation);
    if !rates.is_empty() {
        csv::write_rates(out.join("rates.csv"), &rates)?;
    }
    let world = simulation.world_mut();
    let mut probes = world.query::<&SpikeProbe>();
    let mut trains: Vec<(u32, String, u32, &SpikeProbe)> = probes
        .iter(world)
        .filter_map(|probe| {
            let region = world.get::<Region>(probe.region)?;
            Some((
                region.index,
                region_name(world, probe.region),
                region.neurons,
                probe,
            ))
        })
        .collect();
    trains.sort_by_key(|t| t.0);
    trains.dedup_by_key(|t| t.0);
    let recording = Recording {
        dt_ms: clock.dt_ms(),
        start_step: 0,
        end_step: clock.steps_done(),
        trains: trains
            .iter()
            .map(|(_, name, neurons, probe)| SpikeTrain {
                region: name,
                neurons: *neurons,
                steps: &probe.steps,
                ids: &probe.neurons,
            })
            .collect(),
    };
    csv::write_spikes(out.join("spikes.csv"), &recording)?;
    npy::write_spikes(out, &recording)?;
    write_raster(
        out.join("raster.png"),
        &recording,
        &RasterOptions {
            title: report.title.clone(),
            footnote: format!(
                "{} · seed {} · spike hash {}",
                report.scene, report.seed, report.spike_hash
            ),
            ..RasterOptions::default()
        },
    )?;
    let mut names = FileNames::default();
    let mut columns = world.query::<&ColumnProbe>();
    for probe in columns.iter(world) {
        let region = region_name(world, probe.region);
        let interval_ms = probe.every as f64 * clock.dt_ms();
        let trace = Trace {
            region: &region,
            column: probe.column.name,
            unit: probe.column.unit,
            neurons: &probe.neurons,
            interval_ms,
            start_ms: interval_ms,
            values: &probe.values,
        };
        let name = names.take(&format!(
            "trace_{}_{}",
            file_name(&region),
            probe.column.name
        ));
        csv::write_trace(out.join(format!("{name}.csv")), &trace)?;
        npy::write_trace(out.join(format!("{name}.npy")), &trace)?;
    }
    report.write(out.join("run.json"))?;
    // Last, as what is written of weights may take much memory.
    weights::write(simulation, &scene, out)?;
    Ok(())
}
