//! Running without a window: to an end condition, with progress, to files.

mod check;
mod checkpoint;
mod modulators;
mod results;
mod weights;

pub use check::{describe, free_memory};
pub use checkpoint::{CheckpointError, Saved, read_checkpoint};

use crate::files::whole::{FileError, create_folder};
use crate::results::report::{Timings, cpu_seconds};
use crate::scene::build::BuildOptions;
use crate::scene::error::SceneError;
use crate::scene::load::{LoadedScene, SceneFiles};
use crate::scene::schema::{ProbeKind, ProbeSpec};
use crate::session::command::LoggedCommand;
use crate::session::{Session, SessionError};
use crate::sim::clock::to_steps;
use crate::sim::simd::SimdLevel;
use crate::simulation::Registry;
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
    /// What is done to the network while it runs.
    pub commands: Vec<LoggedCommand>,
    /// The state to go on from.
    pub resume: Option<Snapshot>,
}

/// Why a run did not come to its end.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The scene is wrong.
    #[error(transparent)]
    Scene(#[from] SceneError),
    /// A command is wrong.
    #[error("{0}")]
    Command(String),
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
/// A wrong scene or command, a checkpoint that does not fit, results that cannot be written.
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
    let dt = plan.loaded.scene.dt_ms;
    let commands = core::mem::take(&mut plan.commands);
    let resumed = plan.resume.take();
    let (end, mut course) = (
        plan.end,
        Course {
            end: 0,
            spikes_from: 0,
            out: plan.out.take(),
            quiet: plan.quiet,
            every: plan.checkpoint_every_ms.map(|ms| to_steps(ms, dt).max(1)),
            checkpoint: plan.checkpoint.take(),
            simd: plan.options.simd,
        },
    );
    BUILDING.store(true, Ordering::Relaxed);
    let session = build(plan);
    BUILDING.store(false, Ordering::Relaxed);
    let mut session = session?;
    match resumed {
        None => session
            .replay(commands)
            .map_err(|e| failed(e, session.loaded()))?,
        Some(snapshot) => {
            let outcome = session.resume(commands, &snapshot);
            outcome.map_err(|e| failed(e, session.loaded()))?;
            course.spikes_from = first_step_kept(&snapshot, session.simulation());
            if course.out.is_some() && !course.quiet && course.spikes_from > 0 {
                let time = course.spikes_from as f64 * dt;
                eprintln!(
                    "warning: the run was started without --out and did not keep all spikes; those before {time:.1} ms are missing in the results"
                );
            }
        }
    }
    let build_s = before.elapsed().as_secs_f64();

    let start = session.now();
    course.end = match end {
        Finish::At(ms) => to_steps(ms, dt).max(start),
        Finish::After(ms) => start.saturating_add(to_steps(ms, dt)),
    };
    let (begun, cpu) = (Instant::now(), cpu_seconds());
    let (interrupted, problem) = match step_to(&mut session, &course) {
        Ok(interrupted) => (interrupted, None),
        // What was found until then is kept.
        Err(problem @ RunError::Command(_)) if session.now() > start => (true, Some(problem)),
        Err(problem) => return Err(problem),
    };
    let run_s = begun.elapsed().as_secs_f64();
    let cpu_s = cpu.zip(cpu_seconds()).map(|(a, b)| b - a);

    if interrupted && problem.is_none() {
        let path = checkpoint_path(session.loaded(), &course);
        save(&mut session, &course, &path)?;
        if !course.quiet {
            eprintln!(
                "interrupted at {:.1} ms; go on with: neuropil resume {}",
                session.simulation().clock().time_ms(),
                path.display()
            );
        }
    }
    let late = session.log().0.len() - session.acted();
    if late > 0 && !interrupted && !course.quiet {
        eprintln!(
            "warning: {late} command{} of the log did not act; the run ended before",
            if late == 1 { "" } else { "s" }
        );
    }
    let steps = session.now() - start;
    let timings = Timings::new(build_s, run_s, cpu_s, steps as f64 * dt);
    let report = report(&mut session, &course, timings, interrupted);
    if let Some(out) = &course.out {
        write_results(&mut session, &report, out)?;
    }
    if !course.quiet {
        say(&report.summary());
        if let Some(out) = &course.out {
            say(&format!("results in {}", out.display()));
        }
    }
    match problem {
        Some(problem) => Err(problem),
        None => Ok(()),
    }
}

/// What a session could not do, as an error of the run.
fn failed(error: SessionError, loaded: &LoadedScene) -> RunError {
    match error {
        SessionError::Command(text) => RunError::Command(text),
        SessionError::Build(error) => loaded.locate(&error).into(),
        SessionError::Restore(error) => error.into(),
    }
}

/// Prints a line. Whoever reads may have gone, as in `neuropil scenes | head -1`; that is no error.
pub fn say(line: &str) {
    let _ = writeln!(std::io::stdout(), "{line}");
}

/// Results need spikes: keeps those of every region, also of regions that commands add.
fn keep_spikes(loaded: &mut LoadedScene) {
    let probes = &mut loaded.scene.probes;
    probes.retain(|p| p.kind != ProbeKind::Spikes);
    probes.push(ProbeSpec {
        region: None,
        kind: ProbeKind::Spikes,
    });
}

/// Whether probes keep the spikes of every region.
fn keeps_spikes(loaded: &LoadedScene) -> bool {
    let scene = &loaded.scene;
    let spikes = || scene.probes.iter().filter(|p| p.kind == ProbeKind::Spikes);
    let kept = |name: &String| spikes().any(|p| p.region.as_ref().is_none_or(|r| r == name));
    scene.regions.iter().all(|region| kept(&region.name))
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

fn build(plan: RunPlan) -> Result<Session, RunError> {
    let bar = progress_bar(
        plan.quiet,
        1000,
        "building {bar:40} {percent} %  {eta} left",
    );
    let started = Instant::now();
    let session = Session::open(
        plan.loaded,
        plan.files,
        plan.registry,
        plan.options,
        true,
        &|fraction| {
            if started.elapsed() > PATIENCE {
                bar.set_position((fraction * 1000.0) as u64);
            }
        },
    );
    bar.finish_and_clear();
    Ok(session?)
}

pub(crate) fn progress_bar(quiet: bool, length: u64, template: &str) -> ProgressBar {
    let bar = ProgressBar::new(length);
    if quiet || !std::io::stderr().is_terminal() {
        bar.set_draw_target(ProgressDrawTarget::hidden());
    }
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style);
    }
    bar
}

/// What a run under way must know apart from its session.
struct Course {
    /// The step after the last.
    end: u64,
    /// The first step whose spikes are kept, if they are.
    spikes_from: u64,
    /// The folder for results.
    out: Option<PathBuf>,
    /// Print nothing.
    quiet: bool,
    /// Steps between checkpoints.
    every: Option<u64>,
    /// Where checkpoints go.
    checkpoint: Option<PathBuf>,
    /// The vector instructions.
    simd: SimdLevel,
}

/// Steps to the end, with progress and checkpoints; true if interrupted before.
fn step_to(session: &mut Session, course: &Course) -> Result<bool, RunError> {
    let end = course.end;
    let dt = session.scene().dt_ms;
    let start = session.now();
    let bar = progress_bar(course.quiet, end - start, "{msg} {bar:40} {eta} left");
    let every = course.every;
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
            session
                .step(false)
                .map_err(|e| failed(e, session.loaded()))?;
            now += 1;
        }
        if every.is_some_and(|every| now.is_multiple_of(every)) && now < end {
            // A broken state must not take the place of a good one.
            if session.simulation_mut().look_for_problem().is_some() {
                break;
            }
            let path = checkpoint_path(session.loaded(), course);
            save(session, course, &path)?;
        }
        if session.simulation().problem().is_some() {
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
    match session.simulation().problem() {
        Some(problem) => Err(RunError::NotFinite(problem.to_owned())),
        None => Ok(false),
    }
}
