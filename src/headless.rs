//! Running without a window: to an end condition, with progress, to files.

mod check;
mod checkpoint;
mod results;

pub use check::{describe, free_memory};
pub use checkpoint::{CheckpointError, Saved, read_checkpoint};

use crate::files::whole::{FileError, create_folder};
use crate::results::report::{Timings, cpu_seconds};
use crate::scene::build::{BuildError, BuildOptions};
use crate::scene::error::SceneError;
use crate::scene::load::{LoadedScene, SceneFiles};
use crate::scene::prepare::Prepared;
use crate::scene::schema::{ProbeKind, ProbeSpec};
use crate::sim::clock::to_steps;
use crate::simulation::{Registry, Simulation};
use crate::snapshot::RestoreError;
use crate::snapshot::file::{Snapshot, SnapshotError};
use bevy::prelude::*;
use checkpoint::{checkpoint_path, first_step_kept, save};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use results::{report, write_results};
use std::io::{IsTerminal, Write};
use std::path::PathBuf;
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

static INTERRUPTED: AtomicBool = AtomicBool::new(false);
/// Whether there is nothing yet that an interrupted run could keep.
static BUILDING: AtomicBool = AtomicBool::new(false);

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
    let _ = ctrlc::set_handler(|| {
        if BUILDING.load(Ordering::Relaxed) {
            eprintln!("\ninterrupted while the network was being built; nothing was run");
            std::process::exit(1);
        }
        interrupt();
    });
    BUILDING.store(true, Ordering::Relaxed);
    let simulation = build(&plan, &prepared);
    BUILDING.store(false, Ordering::Relaxed);
    let mut simulation = simulation?;
    // The first step whose spikes are kept, if they are.
    let mut spikes_from = 0;
    if let Some(snapshot) = plan.resume.take() {
        simulation.restore(&snapshot)?;
        spikes_from = first_step_kept(&snapshot, &simulation);
        if plan.out.is_some() && !plan.quiet && spikes_from > 0 {
            let time = spikes_from as f64 * plan.loaded.scene.dt_ms;
            eprintln!(
                "warning: the run was started without --out and did not keep all spikes; those before {time:.1} ms are missing in the results"
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
    let interrupted = step_to(&mut simulation, &plan, Course { end, spikes_from })?;
    let run_s = begun.elapsed().as_secs_f64();
    let cpu_s = cpu.zip(cpu_seconds()).map(|(a, b)| b - a);

    if interrupted {
        let path = checkpoint_path(&plan);
        save(&mut simulation, &plan, Course { end, spikes_from }, &path)?;
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
        say(&report.summary());
        if let Some(out) = &plan.out {
            say(&format!("results in {}", out.display()));
        }
    }
    Ok(())
}

/// Prints a line. Whoever reads may have gone, as in `neuropil scenes | head -1`; that is no error.
pub fn say(line: &str) {
    let _ = writeln!(std::io::stdout(), "{line}");
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

/// What a checkpoint must know of a run apart from its plan and its state.
#[derive(Clone, Copy)]
struct Course {
    /// The step after the last.
    end: u64,
    /// The first step whose spikes are kept, if they are.
    spikes_from: u64,
}

/// Steps to the end, with progress and checkpoints; true if interrupted before.
fn step_to(simulation: &mut Simulation, plan: &RunPlan, course: Course) -> Result<bool, RunError> {
    let end = course.end;
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
            save(simulation, plan, course, &checkpoint_path(plan))?;
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
