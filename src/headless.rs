//! Running without a window: to an end condition, with progress, to files.

use crate::network::probe::{ColumnProbe, RateProbe, SpikeProbe, StatisticsProbe};
use crate::network::projection::{Connect, ProjectsFrom, ProjectsTo, Synapses};
use crate::network::region::Region;
use crate::results::files::{FileError, create_folder};
use crate::results::raster::{RasterOptions, write_raster};
use crate::results::report::{
    Machine, NetworkReport, ProjectionReport, RegionReport, RunReport, SpectrumPeak, Timings,
    cpu_seconds, peak_memory,
};
use crate::results::spectrum::spectrum;
use crate::results::statistics::RunStatistics;
use crate::results::{RateTrace, Recording, SpikeTrain, Trace, csv, npy};
use crate::scene::build::{BuildError, BuildOptions};
use crate::scene::error::SceneError;
use crate::scene::load::{LoadedScene, SceneFiles, SceneSource, load};
use crate::scene::prepare::Prepared;
use crate::scene::schema::{ProbeKind, ProbeSpec};
use crate::sim::clock::to_steps;
use crate::sim::workers::Workers;
use crate::simulation::{Registry, Simulation};
use crate::snapshot::RestoreError;
use crate::snapshot::file::{Snapshot, SnapshotError};
use bevy::prelude::*;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::collections::BTreeMap;
use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// Building and running show progress only if they take longer than this.
const PATIENCE: Duration = Duration::from_secs(1);
/// How often progress is redrawn.
const REDRAW: Duration = Duration::from_millis(100);

/// When a run ends.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Finish {
    /// At this simulated time in ms.
    At(f64),
    /// This much simulated time in ms after it starts.
    After(f64),
}

/// Everything that a run is.
pub struct RunPlan {
    /// The scene.
    pub loaded: LoadedScene,
    /// The files it names.
    pub files: SceneFiles,
    /// The registered types.
    pub registry: Registry,
    /// Threads, vector instructions, memory.
    pub options: BuildOptions,
    /// The end.
    pub end: Finish,
    /// The folder for results.
    pub out: Option<PathBuf>,
    /// Print nothing.
    pub quiet: bool,
    /// Simulated time between checkpoints, in ms.
    pub checkpoint_every_ms: Option<f64>,
    /// Where checkpoints go.
    pub checkpoint: Option<PathBuf>,
    /// The state to go on from.
    pub resume: Option<Snapshot>,
}

/// Why a run did not come to its end.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The scene is wrong.
    #[error(transparent)]
    Scene(#[from] SceneError),
    /// The checkpoint does not fit.
    #[error("the checkpoint cannot be resumed: {0}")]
    Restore(#[from] RestoreError),
    /// A probe cannot be written.
    #[error("{0}")]
    Probe(String),
    /// Results could not be written.
    #[error(transparent)]
    File(#[from] FileError),
    /// The state left the finite numbers.
    #[error("the run failed: {0}")]
    NotFinite(String),
    /// A checkpoint could not be written.
    #[error(transparent)]
    Snapshot(#[from] SnapshotError),
}

/// A checkpoint that was read.
pub struct Saved {
    /// Its scene.
    pub loaded: LoadedScene,
    /// The files that the scene names, as they were.
    pub files: SceneFiles,
    /// Where the run was to end, in ms.
    pub end_ms: f64,
    /// The state.
    pub snapshot: Snapshot,
}

/// Why a checkpoint cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum CheckpointError {
    /// The container is damaged or foreign.
    #[error(transparent)]
    Container(#[from] SnapshotError),
    /// The scene inside is not understood.
    #[error("the checkpoint's scene is not understood: {0}")]
    Scene(#[from] SceneError),
    /// A value inside makes no sense.
    #[error("{0} is not a checkpoint of a run")]
    Foreign(String),
}

static INTERRUPTED: AtomicBool = AtomicBool::new(false);

/// Ends runs at the next step from now on.
pub fn interrupt() {
    INTERRUPTED.store(true, Ordering::Relaxed);
}

/// Runs a plan: builds, steps, writes, prints.
///
/// # Errors
/// A wrong scene, a checkpoint that does not fit, results that cannot be written.
pub fn run(mut plan: RunPlan) -> Result<(), RunError> {
    if let Some(out) = &plan.out {
        create_folder(out)?;
        keep_spikes(&mut plan.loaded);
    }
    keep_rates(&mut plan.loaded);
    let before = Instant::now();
    let prepared = plan.loaded.prepare(&plan.registry, &plan.files)?;
    if !plan.quiet {
        for warning in &prepared.warnings {
            eprintln!("warning: {}", plan.loaded.locate(warning));
        }
    }
    // A second handler cannot be set; then the first one stands.
    let _ = ctrlc::set_handler(interrupt);
    let mut simulation = build(&plan, &prepared)?;
    if let Some(snapshot) = plan.resume.take() {
        simulation.restore(&snapshot)?;
        if plan.out.is_some()
            && !plan.quiet
            && snapshot
                .u8("scene.keeps_spikes")
                .is_ok_and(|keeps| keeps == 0)
        {
            let time = simulation.clock().time_ms();
            eprintln!(
                "warning: the run was started without --out and kept no spikes, so those before {time:.1} ms are missing in the results"
            );
        }
    }
    let build_s = before.elapsed().as_secs_f64();

    let dt = plan.loaded.scene.dt_ms;
    let start = simulation.clock().steps_done();
    let end = match plan.end {
        Finish::At(ms) => to_steps(ms, dt).max(start),
        Finish::After(ms) => start.saturating_add(to_steps(ms, dt)),
    };
    let (begun, cpu) = (Instant::now(), cpu_seconds());
    let interrupted = step_to(&mut simulation, &plan, end)?;
    let run_s = begun.elapsed().as_secs_f64();
    let cpu_s = cpu.zip(cpu_seconds()).map(|(a, b)| b - a);

    if interrupted {
        let path = checkpoint_path(&plan);
        save(&mut simulation, &plan, end, &path)?;
        if !plan.quiet {
            eprintln!(
                "interrupted at {:.1} ms; go on with: neuropil resume {}",
                simulation.clock().time_ms(),
                path.display()
            );
        }
    }
    let steps = simulation.clock().steps_done() - start;
    let timings = Timings::new(build_s, run_s, cpu_s, steps as f64 * dt);
    let report = report(&mut simulation, &plan, timings, interrupted);
    if let Some(out) = &plan.out {
        write_results(&mut simulation, &plan, &report, out)?;
    }
    if !plan.quiet {
        println!("{}", report.summary());
        if let Some(out) = &plan.out {
            println!("results in {}", out.display());
        }
    }
    Ok(())
}

/// Results need spikes: adds a spike probe to every region that has none.
fn keep_spikes(loaded: &mut LoadedScene) {
    for region in regions_without_spikes(loaded) {
        loaded.scene.probes.push(ProbeSpec {
            region: Some(region),
            kind: ProbeKind::Spikes,
        });
    }
}

/// The regions whose spikes no probe keeps.
fn regions_without_spikes(loaded: &LoadedScene) -> Vec<String> {
    let kept: Vec<_> = loaded
        .scene
        .probes
        .iter()
        .filter(|p| p.kind == ProbeKind::Spikes)
        .map(|p| p.region.as_deref())
        .collect();
    let names = loaded.scene.regions.iter().map(|r| r.name.clone());
    names
        .filter(|name| !kept.contains(&None) && !kept.contains(&Some(name)))
        .collect()
}

/// The spectrum needs population rates in 1 ms bins.
fn keep_rates(loaded: &mut LoadedScene) {
    let dt = loaded.scene.dt_ms;
    let bin_ms = dt * (1.0 / dt).round().max(1.0);
    loaded.scene.probes.push(ProbeSpec {
        region: None,
        kind: ProbeKind::Rate { bin_ms },
    });
}

fn build(plan: &RunPlan, prepared: &Prepared) -> Result<Simulation, RunError> {
    let bar = progress_bar(
        plan.quiet,
        1000,
        "building {bar:40} {percent} %  {eta} left",
    );
    let started = Instant::now();
    let simulation = Simulation::build(
        &plan.loaded.scene,
        prepared,
        &plan.registry,
        &plan.files,
        &plan.options,
        &|fraction| {
            if started.elapsed() > PATIENCE {
                bar.set_position((fraction * 1000.0) as u64);
            }
        },
    );
    bar.finish_and_clear();
    simulation.map_err(|e: BuildError| plan.loaded.locate(&e).into())
}

fn progress_bar(quiet: bool, length: u64, template: &str) -> ProgressBar {
    let bar = ProgressBar::new(length);
    if quiet || !std::io::stderr().is_terminal() {
        bar.set_draw_target(ProgressDrawTarget::hidden());
    }
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style);
    }
    bar
}

/// Steps to `end`, with progress and checkpoints; true if interrupted before.
fn step_to(simulation: &mut Simulation, plan: &RunPlan, end: u64) -> Result<bool, RunError> {
    let dt = plan.loaded.scene.dt_ms;
    let start = simulation.clock().steps_done();
    let bar = progress_bar(plan.quiet, end - start, "{msg} {bar:40} {eta} left");
    let every = plan.checkpoint_every_ms.map(|ms| to_steps(ms, dt).max(1));
    let begun = Instant::now();
    let mut drawn = begun;
    let mut batch = 1;
    let mut now = start;
    while now < end {
        let stop = match every {
            Some(every) => end.min((now / every + 1) * every),
            None => end,
        };
        let to = stop.min(now + batch);
        while now < to {
            if INTERRUPTED.load(Ordering::Relaxed) {
                bar.finish_and_clear();
                return Ok(true);
            }
            simulation.step();
            now += 1;
        }
        if every.is_some_and(|every| now.is_multiple_of(every)) && now < end {
            save(simulation, plan, end, &checkpoint_path(plan))?;
        }
        if simulation.problem().is_some() {
            break;
        }
        let elapsed = drawn.elapsed();
        // The clock is looked at about ten times per redraw.
        if elapsed < REDRAW / 10 {
            batch = (batch * 2).min(1 << 20);
        } else if elapsed > REDRAW {
            drawn = Instant::now();
            batch = (batch / 2).max(1);
            let simulated = (now - start) as f64 * dt;
            let factor = begun.elapsed().as_secs_f64() * 1e3 / simulated;
            bar.set_position(now - start);
            bar.set_message(format!(
                "{:.1} of {:.1} ms, real-time factor {factor:.3}",
                now as f64 * dt,
                end as f64 * dt
            ));
        }
    }
    bar.finish_and_clear();
    match simulation.problem() {
        Some(problem) => Err(RunError::NotFinite(problem.to_owned())),
        None => Ok(false),
    }
}

fn checkpoint_path(plan: &RunPlan) -> PathBuf {
    if let Some(path) = &plan.checkpoint {
        return path.clone();
    }
    match &plan.out {
        Some(out) => out.join("checkpoint.neuropil"),
        None => {
            let name = Path::new(&plan.loaded.source.name);
            let stem = name
                .file_stem()
                .map_or_else(|| "scene".into(), |s| s.to_string_lossy());
            PathBuf::from(format!("{stem}.neuropil"))
        }
    }
}

fn save(
    simulation: &mut Simulation,
    plan: &RunPlan,
    end: u64,
    path: &Path,
) -> Result<(), RunError> {
    let mut snapshot = simulation.snapshot()?;
    let loaded = &plan.loaded;
    snapshot.put("scene.name", loaded.source.name.as_str())?;
    snapshot.put("scene.text", loaded.source.text.as_str())?;
    let settings: Vec<_> = loaded
        .overrides
        .iter()
        .map(|(n, v)| format!("{n}={v}"))
        .collect();
    snapshot.put("scene.settings", settings.join("\n"))?;
    snapshot.put("scene.seed", loaded.scene.seed)?;
    snapshot.put(
        "scene.keeps_spikes",
        u8::from(regions_without_spikes(loaded).is_empty()),
    )?;
    snapshot.put("run.end_step", end)?;
    let contents = plan.files.contents();
    let names: Vec<_> = contents.keys().cloned().collect();
    for (i, bytes) in contents.into_values().enumerate() {
        snapshot.put(format!("file.{i}"), bytes)?;
    }
    snapshot.put("files", names.join("\n"))?;
    snapshot.write(path)?;
    Ok(())
}

/// Reads a checkpoint that `run` has written.
///
/// # Errors
/// Says why the file cannot be resumed.
pub fn read_checkpoint(path: &Path, registry: &Registry) -> Result<Saved, CheckpointError> {
    let mut snapshot = Snapshot::read(path)?;
    let foreign = || CheckpointError::Foreign(path.display().to_string());
    let mut settings = Vec::new();
    for line in snapshot.text("scene.settings")?.lines() {
        let (name, value) = line.split_once('=').ok_or_else(foreign)?;
        settings.push((name.to_owned(), value.to_owned()));
    }
    let source = SceneSource::from_text(snapshot.text("scene.name")?, snapshot.text("scene.text")?);
    let mut loaded = load(source, &settings, registry)?;
    loaded.scene.seed = snapshot.u64("scene.seed")?;
    if snapshot.u8("scene.keeps_spikes")? != 0 {
        keep_spikes(&mut loaded);
    }
    let names: Vec<String> = snapshot.text("files")?.lines().map(str::to_owned).collect();
    let mut contents = BTreeMap::new();
    for (i, name) in names.into_iter().enumerate() {
        contents.insert(name, snapshot.take::<u8>(&format!("file.{i}"))?);
    }
    let end_ms = snapshot.u64("run.end_step")? as f64 * loaded.scene.dt_ms;
    Ok(Saved {
        files: SceneFiles::from_contents(contents),
        loaded,
        end_ms,
        snapshot,
    })
}

fn report(
    simulation: &mut Simulation,
    plan: &RunPlan,
    timings: Timings,
    interrupted: bool,
) -> RunReport {
    let scene = &plan.loaded.scene;
    let clock = simulation.clock();
    let count = simulation.spike_count();
    let mut parameters = BTreeMap::new();
    for (name, value) in &plan.loaded.parameters {
        parameters.insert(name.clone(), serde_json::json!(value));
    }
    let threads = simulation.world().resource::<Workers>().lanes();
    RunReport {
        title: scene.title.clone(),
        scene: plan.loaded.source.name.clone(),
        version: env!("CARGO_PKG_VERSION").into(),
        parameters,
        seed: scene.seed,
        dt_ms: scene.dt_ms,
        duration_ms: clock.time_ms(),
        interrupted,
        spikes: count.spikes,
        spike_hash: format!("{:016x}", count.hash),
        statistics: statistics(simulation, plan),
        spectrum_peaks: spectrum_peaks(simulation, plan),
        network: network_report(simulation, plan),
        timings,
        threads,
        machine: Machine {
            simd: plan.options.simd.name().into(),
            ..Machine::detect()
        },
        peak_memory_bytes: peak_memory(),
    }
}

/// The statistics of the run so far, from the window that the scene names.
fn statistics(simulation: &mut Simulation, plan: &RunPlan) -> RunStatistics {
    let steps = simulation.clock().steps_done();
    let world = simulation.world_mut();
    let mut probes = world.query::<&mut StatisticsProbe>();
    let Ok(mut probe) = probes.single_mut(world) else {
        return RunStatistics::default();
    };
    let statistics = &mut probe.statistics;
    statistics.advance(steps);
    let regions = plan
        .loaded
        .scene
        .regions
        .iter()
        .enumerate()
        .map(|(i, region)| statistics.region(i, &region.name))
        .collect();
    let dt = plan.loaded.scene.dt_ms;
    RunStatistics {
        window_ms: [
            plan.loaded.scene.statistics_from_ms.min(steps as f64 * dt),
            steps as f64 * dt,
        ],
        regions,
        all: statistics.all(),
    }
}

/// The strongest frequency of each region's population rate, from 1 to 200 Hz.
fn spectrum_peaks(simulation: &mut Simulation, plan: &RunPlan) -> Vec<SpectrumPeak> {
    let from = plan.loaded.scene.statistics_from_ms;
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
                        .map(|&c| (f64::from(c) * per_neuron) as f32)
                        .collect(),
                },
            ))
        })
        .collect();
    traces.sort_by_key(|t| (t.0, t.1));
    traces.dedup_by_key(|t| t.0);
    traces.into_iter().map(|t| t.2).collect()
}

fn network_report(simulation: &mut Simulation, plan: &RunPlan) -> NetworkReport {
    let scene = &plan.loaded.scene;
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
    let world = simulation.world_mut();
    let mut query = world.query::<(&Connect, &ProjectsFrom, &ProjectsTo, &Synapses)>();
    let mut projections: Vec<_> = query
        .iter(world)
        .map(|(connect, from, to, synapses)| {
            (
                connect.index,
                ProjectionReport {
                    from: region_name(world, from.0),
                    to: region_name(world, to.0),
                    synapses: synapses.count,
                },
            )
        })
        .collect();
    projections.sort_by_key(|p| p.0);
    NetworkReport::new(
        regions,
        projections.into_iter().map(|p| p.1).collect(),
        bytes,
    )
}

/// A region's name as part of a file name.
fn file_name(name: &str) -> String {
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
struct FileNames(Vec<String>);

impl FileNames {
    /// `name`, with a number from 2 on after it where it has been given away before.
    fn take(&mut self, name: &str) -> String {
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

fn write_results(
    simulation: &mut Simulation,
    plan: &RunPlan,
    report: &RunReport,
    out: &Path,
) -> Result<(), RunError> {
    let clock = simulation.clock();
    write_weights(simulation, plan, out)?;
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
    Ok(())
}

fn write_weights(simulation: &mut Simulation, plan: &RunPlan, out: &Path) -> Result<(), RunError> {
    let mut names = FileNames::default();
    for probe in &plan.loaded.scene.probes {
        if let ProbeKind::Weights { from, to } = &probe.kind {
            let synapses = simulation.synapses(from, to);
            let name = names.take(&format!("weights_{}_{}", file_name(from), file_name(to)));
            let column = |f: fn(&crate::simulation::SynapseView) -> f32| {
                synapses.iter().map(f).collect::<Vec<_>>()
            };
            npy::write_vector(out.join(format!("{name}.npy")), &column(|s| s.weight))?;
            npy::write_vector(
                out.join(format!("{name}_delay_ms.npy")),
                &column(|s| s.delay_ms),
            )?;
            let ends = |f: fn(&crate::simulation::SynapseView) -> u32| {
                synapses.iter().map(f).collect::<Vec<_>>()
            };
            npy::write_vector(out.join(format!("{name}_source.npy")), &ends(|s| s.source))?;
            npy::write_vector(out.join(format!("{name}_target.npy")), &ends(|s| s.target))?;
        }
    }
    Ok(())
}

/// Memory that a new network may take, in bytes: what the system says is available, if it says so.
pub fn free_memory() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/meminfo").ok()?;
    let line = text.lines().find(|l| l.starts_with("MemAvailable:"))?;
    let kib: u64 = line.split_whitespace().nth(1)?.parse().ok()?;
    let available = kib * 1024;
    let limit = std::fs::read_to_string("/sys/fs/cgroup/memory.max")
        .ok()
        .and_then(|t| t.trim().parse::<u64>().ok());
    let used = std::fs::read_to_string("/sys/fs/cgroup/memory.current")
        .ok()
        .and_then(|t| t.trim().parse::<u64>().ok())
        .unwrap_or(0);
    Some(limit.map_or(available, |limit| available.min(limit.saturating_sub(used))))
}

/// What `neuropil check` prints: title, size, predicted memory and cost.
pub fn describe(loaded: &LoadedScene, prepared: &Prepared) -> String {
    let scene = &loaded.scene;
    let mut text = format!("{}\n", scene.title);
    for (what, value) in [("source", &scene.source), ("expect", &scene.outcome)] {
        if !value.is_empty() {
            text += &format!("{what}: {value}\n");
        }
    }
    let width = scene
        .regions
        .iter()
        .map(|r| r.name.chars().count())
        .max()
        .unwrap_or(0);
    text += "\nregions\n";
    for region in &scene.regions {
        let model = region
            .model
            .0
            .get_represented_type_info()
            .map_or("", |i| i.type_path_table().short_path());
        text += &format!("  {:width$}  {:>9}  {model}\n", region.name, region.neurons);
    }
    if !prepared.projections.is_empty() {
        text += "\nprojections (expected synapses)\n";
        let width = prepared
            .projections
            .iter()
            .map(|p| p.name.chars().count())
            .max()
            .unwrap_or(0);
        for projection in &prepared.projections {
            text += &format!(
                "  {:width$}  {:>12.0}\n",
                projection.name, projection.synapses
            );
        }
    }
    let cost = prepared.predicted_cost(scene);
    text += &format!(
        "\n{} neurons, {:.0} synapses; memory about {} ({} while building)\n\
         cost per simulated second about {cost:.2} s of one core, if neurons fire at 5 Hz\n",
        prepared.neurons,
        prepared.synapses,
        crate::results::quantities::bytes(prepared.bytes),
        crate::results::quantities::bytes(prepared.peak_bytes),
    );
    if !loaded.parameters.is_empty() {
        let list: Vec<_> = loaded
            .parameters
            .iter()
            .map(|(n, v)| format!("{n} = {v}"))
            .collect();
        text += &format!("parameters (--set): {}\n", list.join(", "));
    }
    text
}
