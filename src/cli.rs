//! The command line: every subcommand and flag, and what becomes of them.

use crate::bench;
use crate::experiment::command::{self as experiment, ExperimentArgs, ExperimentError};
use crate::headless::{self, Finish, RunPlan};
use crate::scene::build::BuildOptions;
use crate::scene::error::{SceneError, quoted};
use crate::scene::load::{LoadedScene, SceneFiles, SceneSource, load};
use crate::scene::shipped;
use crate::session::log::read_log_file;
use crate::sim::simd::SimdLevel;
use crate::simulation::{Registry, Simulation};
use crate::snapshot::file::SnapshotError;
use clap::{Args, Parser, Subcommand};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

/// The scene that the app opens with.
const FIRST_SCENE: &str = "izhikevich2003";
/// The user's input was wrong.
const WRONG_INPUT: u8 = 2;
/// The run failed.
const FAILED: u8 = 1;

/// The longest time that a flag may give, in ms: 114 years. In the shortest steps it still is a whole number in floating point.
const LONGEST_MS: f64 = 3.6e12;

/// A spiking-neural-network simulator: scenes in, spikes out, the same on every machine.
#[derive(Parser)]
#[command(name = "neuropil", version, max_term_width = 100)]
struct Cli {
    /// Without one, the app opens; see `neuropil view`
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand)]
enum Command {
    /// Run a scene and print a summary; with --out, write spikes, statistics and pictures
    Run(RunArgs),
    /// Check a scene without running it; print its size, predicted memory and cost
    Check(CheckArgs),
    /// List the scenes that ship with the program
    Scenes,
    /// Print the stages of a step and the systems in them
    Schedule {
        /// Show the systems of this scene
        #[arg(default_value = "cuba")]
        scene: String,
    },
    /// Measure speed and memory on the benchmark networks
    Bench(bench::BenchArgs),
    /// Repeat a published experiment over many seeds and judge its published numbers
    Experiment(ExperimentArgs),
    /// Go on from a checkpoint
    Resume(ResumeArgs),
    /// Open the app: a network live, in 3D, with panels around it
    View(ViewArgs),
    /// Draw a network, or the whole app, into a PNG file without a window
    Render(RenderArgs),
}

#[derive(Args)]
struct SceneArgs {
    /// A scene file, or the name of a shipped scene (see `neuropil scenes`)
    scene: String,
    /// Set a named parameter of the scene; may be repeated
    #[arg(long = "set", value_name = "NAME=VALUE", value_parser = parse_setting)]
    set: Vec<(String, String)>,
    /// Use this seed instead of the scene's
    #[arg(long, value_name = "N", value_parser = parse_seed)]
    seed: Option<u64>,
}

#[derive(Args)]
struct MachineArgs {
    /// Threads to build and run on; small networks use fewer [default: all cores]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    threads: Option<u16>,
    /// Vector instructions: auto, portable, avx2 or avx512. Results are the same
    #[arg(long, value_name = "LEVEL", default_value = "auto", value_parser = SimdLevel::named)]
    simd: SimdLevel,
    /// Use as many lanes as threads even for small networks
    #[arg(long, hide = true)]
    force_lanes: bool,
}

impl MachineArgs {
    fn options(&self) -> BuildOptions {
        let mut options = BuildOptions {
            simd: self.simd,
            force_lanes: self.force_lanes,
            statistics: true,
            memory_limit: headless::free_memory(),
            ..BuildOptions::default()
        };
        if let Some(threads) = self.threads {
            options.threads = threads.into();
        }
        options
    }
}

#[derive(Args)]
struct OutputArgs {
    /// Write results to this folder
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Print nothing but errors
    #[arg(long)]
    quiet: bool,
    /// Save a checkpoint every so much simulated time, for example 10s
    #[arg(long, value_name = "TIME", value_parser = parse_interval)]
    checkpoint_every: Option<f64>,
    /// Where checkpoints go [default: checkpoint.neuropil in the --out folder, or SCENE.neuropil here]
    #[arg(long, value_name = "FILE")]
    checkpoint: Option<PathBuf>,
}

#[derive(Args)]
struct RunArgs {
    #[command(flatten)]
    scene: SceneArgs,
    /// How long to run, in simulated time: 500ms, 2s, 1min [default: the scene's duration]
    #[arg(long = "for", value_name = "TIME", value_parser = parse_time)]
    duration: Option<f64>,
    /// Do to the network what this log says, as saved by the app or written by hand
    #[arg(long, value_name = "FILE")]
    commands: Option<PathBuf>,
    #[command(flatten)]
    machine: MachineArgs,
    #[command(flatten)]
    output: OutputArgs,
}

#[derive(Args)]
struct ViewArgs {
    /// A scene file, or the name of a shipped scene
    #[arg(default_value = FIRST_SCENE)]
    scene: String,
    /// Set a named parameter of the scene; may be repeated
    #[arg(long = "set", value_name = "NAME=VALUE", value_parser = parse_setting)]
    set: Vec<(String, String)>,
    /// Use this seed instead of the scene's
    #[arg(long, value_name = "N", value_parser = parse_seed)]
    seed: Option<u64>,
    /// Say when the first picture was there, and close
    #[arg(long, hide = true)]
    until_drawn: bool,
}

#[derive(Args)]
struct RenderArgs {
    #[command(flatten)]
    scene: SceneArgs,
    /// The simulated time of the picture, or of the first one
    #[arg(long, value_name = "TIME", value_parser = parse_time, default_value = "500ms")]
    at: f64,
    /// The PNG file; with --frames, its name is numbered
    #[arg(short, long, value_name = "FILE", default_value = "network.png")]
    out: PathBuf,
    /// Width and height in pixels
    #[arg(long, value_name = "WxH", default_value = "1280x720", value_parser = parse_size)]
    size: (u32, u32),
    /// Draw the whole app with its panels
    #[arg(long)]
    panels: bool,
    /// The simulated time between two pictures of a series
    #[arg(long, value_name = "TIME", value_parser = parse_interval, default_value = "20ms")]
    every: f64,
    /// How many pictures
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    frames: u32,
}

/// A size in pixels from text such as `1280x720`.
fn parse_size(text: &str) -> Result<(u32, u32), String> {
    let parts = text.split_once(['x', 'X', '×']);
    let size = parts.and_then(|(w, h)| Some((w.trim().parse().ok()?, h.trim().parse().ok()?)));
    match size {
        Some((w, h)) if (16..=8192).contains(&w) && (16..=8192).contains(&h) => Ok((w, h)),
        _ => Err("write WIDTHxHEIGHT, each from 16 to 8192, for example 1280x720".into()),
    }
}

#[derive(Args)]
struct CheckArgs {
    #[command(flatten)]
    scene: SceneArgs,
}

#[derive(Args)]
struct ResumeArgs {
    /// The checkpoint
    file: PathBuf,
    /// How long to go on [default: to the end that the run was given]
    #[arg(long = "for", value_name = "TIME", value_parser = parse_time)]
    duration: Option<f64>,
    #[command(flatten)]
    machine: MachineArgs,
    #[command(flatten)]
    output: OutputArgs,
}

pub(crate) fn parse_setting(text: &str) -> Result<(String, String), String> {
    if text.contains(char::is_control) {
        return Err("a setting is one line without control characters".into());
    }
    match text.split_once('=') {
        Some((name, value)) if !name.trim().is_empty() && !value.trim().is_empty() => {
            Ok((name.trim().into(), value.trim().into()))
        }
        _ => Err("write NAME=VALUE, for example --set scale=0.1".into()),
    }
}

pub(crate) fn parse_seed(text: &str) -> Result<u64, String> {
    text.parse()
        .map_err(|_| format!("a seed is a whole number from 0 to {}", u64::MAX))
}

/// A time in ms from text such as `500ms`, `2s`, `1.5min`, `1h`.
fn parse_time(text: &str) -> Result<f64, String> {
    let text = text.trim();
    let split = text
        .find(|c: char| c.is_alphabetic() && c != 'e' && c != 'E')
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(split);
    let value: f64 = number.trim().parse().map_err(|_| {
        format!(
            "{} is not a time; write for example 500ms, 2s or 1min",
            quoted(text)
        )
    })?;
    let ms = match unit.trim() {
        "us" | "µs" => value * 1e-3,
        "ms" => value,
        "s" => value * 1e3,
        "min" => value * 60e3,
        "h" => value * 3600e3,
        "" => {
            return Err(format!(
                "{} needs a unit: us, ms, s, min or h",
                quoted(text)
            ));
        }
        other => {
            return Err(format!(
                "unknown unit {}; known: us, ms, s, min, h",
                quoted(other)
            ));
        }
    };
    if (0.0..=LONGEST_MS).contains(&ms) {
        Ok(ms)
    } else {
        Err(format!(
            "a time is from 0 to {} h, not {}",
            LONGEST_MS / 3600e3,
            quoted(text)
        ))
    }
}

/// A time of more than 0 in ms.
fn parse_interval(text: &str) -> Result<f64, String> {
    match parse_time(text)? {
        0.0 => Err("an interval must be more than 0".into()),
        ms => Ok(ms),
    }
}

/// Runs the program and returns its exit code: 0 done, 1 the run failed, 2 the input was wrong.
pub fn main() -> ExitCode {
    let started = Instant::now();
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // Printing can only fail if nobody listens.
            let _ = error.print();
            return ExitCode::from(if error.use_stderr() { WRONG_INPUT } else { 0 });
        }
    };
    let command = cli.command.unwrap_or_else(|| {
        Command::View(ViewArgs {
            scene: FIRST_SCENE.into(),
            set: Vec::new(),
            seed: None,
            until_drawn: false,
        })
    });
    match dispatch(command, started) {
        Ok(code) => code,
        Err((code, message)) => {
            eprintln!("error: {message}");
            ExitCode::from(code)
        }
    }
}

type Failure = (u8, String);

fn wrong(error: impl core::fmt::Display) -> Failure {
    (WRONG_INPUT, error.to_string())
}

fn dispatch(command: Command, started: Instant) -> Result<ExitCode, Failure> {
    match command {
        Command::Run(args) => run(args),
        Command::Check(args) => check(&args.scene),
        Command::Scenes => {
            list_scenes();
            Ok(ExitCode::SUCCESS)
        }
        Command::Schedule { scene } => schedule(&scene),
        Command::Bench(args) if args.view => bench_view(args.json),
        Command::Bench(args) => bench::main(&args).map_err(wrong),
        Command::Experiment(args) => run_experiment(&args),
        Command::Resume(args) => resume(&args),
        Command::View(args) => view(args, started),
        Command::Render(args) => render(args),
    }
}

/// Runs a scene headless where there is nothing to show it on.
fn view_headless(scene: SceneArgs, reason: &str) -> Result<ExitCode, Failure> {
    let out = PathBuf::from("results");
    eprintln!(
        "{reason}; running {} without a window, results in {}",
        scene.scene,
        out.display()
    );
    run(RunArgs {
        scene,
        duration: None,
        commands: None,
        machine: MachineArgs {
            threads: None,
            simd: SimdLevel::detect(),
            force_lanes: false,
        },
        output: OutputArgs {
            out: Some(out),
            quiet: false,
            checkpoint_every: None,
            checkpoint: None,
        },
    })
}

#[cfg(not(feature = "view"))]
fn bench_view(_: bool) -> Result<ExitCode, Failure> {
    Err(wrong(
        "this program was built without the feature `view` and cannot draw",
    ))
}

#[cfg(feature = "view")]
fn bench_view(json: bool) -> Result<ExitCode, Failure> {
    crate::view::measure::measure(json).map_err(|e| (FAILED, e.to_string()))?;
    Ok(ExitCode::SUCCESS)
}

#[cfg(not(feature = "view"))]
fn view(args: ViewArgs, _: Instant) -> Result<ExitCode, Failure> {
    let scene = SceneArgs {
        scene: args.scene,
        set: args.set,
        seed: args.seed,
    };
    view_headless(scene, "this program was built without the feature `view`")
}

#[cfg(not(feature = "view"))]
fn render(_: RenderArgs) -> Result<ExitCode, Failure> {
    Err(wrong(
        "this program was built without the feature `view` and cannot draw",
    ))
}

/// Checks a scene and starts a thread that runs it.
#[cfg(feature = "view")]
fn start(scene: &SceneArgs, play: bool) -> Result<crate::view::live::Live, Failure> {
    use crate::session::runner::{Request, Runner};
    let registry = Registry::new();
    let loaded = read(scene, &registry).map_err(wrong)?;
    loaded
        .prepare(&registry, &SceneFiles::beside(&loaded.source))
        .map_err(wrong)?;
    let runner = Runner::start();
    runner.send(Request::Open {
        source: loaded.source,
        settings: scene.set.clone(),
        seed: scene.seed,
        play,
    });
    Ok(crate::view::live::Live::new(runner))
}

#[cfg(feature = "view")]
fn view(args: ViewArgs, started: Instant) -> Result<ExitCode, Failure> {
    use crate::session::runner::Request;
    use crate::sim::clock::Pacing;
    use crate::view::{adapter, app, loss, preferences::Preferences};
    let measured = args.until_drawn.then_some(started);
    let scene = SceneArgs {
        scene: args.scene,
        set: args.set,
        seed: args.seed,
    };
    let adapter = match adapter::display().and_then(|()| adapter::adapter()) {
        Ok(adapter) => adapter,
        Err(reason) => return view_headless(scene, &reason.to_string()),
    };
    let mut live = start(&scene, true)?;
    let (preferences, message) = Preferences::load();
    live.send(Request::Pace(match preferences.unlimited {
        true => Pacing::Unlimited,
        false => Pacing::RealTime(preferences.speed),
    }));
    if let Some(message) = message {
        live.tell(true, message);
    }
    let runner = live.shared_runner();
    match loss::guarded(runner, || {
        app::run_window(live, preferences, &adapter, measured)
    }) {
        Ok(()) => Ok(ExitCode::SUCCESS),
        Err(reason) => view_headless(scene, &reason.to_string()),
    }
}

#[cfg(feature = "view")]
fn render(args: RenderArgs) -> Result<ExitCode, Failure> {
    use crate::session::runner::Request;
    use crate::sim::clock::to_steps;
    use crate::view::app::Panels;
    use crate::view::live::Live;
    use crate::view::offscreen::Offscreen;
    use crate::view::preferences::Preferences;
    let live = start(&args.scene, false)?;
    let dt = {
        let registry = Registry::new();
        read(&args.scene, &registry).map_err(wrong)?.scene.dt_ms
    };
    // Pictures do not depend on what the user of this machine likes.
    let preferences = Preferences {
        tour_seen: true,
        ..Preferences::default()
    };
    let panels = if args.panels {
        Panels::Shown
    } else {
        Panels::Hidden
    };
    let mut offscreen = Offscreen::new(args.size, live, preferences, panels)
        .map_err(|e| (FAILED, e.to_string()))?;
    offscreen.update(1);
    for frame in 0..args.frames {
        let step = to_steps(args.at + f64::from(frame) * args.every, dt);
        let live = offscreen.world_mut().resource::<Live>();
        live.send(Request::Seek(step));
        live.runner().wait_idle();
        let picture = offscreen
            .picture()
            .ok_or((FAILED, "the graphics adapter was lost".to_owned()))?;
        let path = match args.frames {
            1 => args.out.clone(),
            _ => numbered(&args.out, frame),
        };
        picture.write_png(&path).map_err(wrong)?;
        if args.frames == 1 {
            headless::say(&format!("{}", path.display()));
        }
    }
    if args.frames > 1 {
        headless::say(&format!(
            "{} pictures, {} to {}",
            args.frames,
            numbered(&args.out, 0).display(),
            numbered(&args.out, args.frames - 1).display()
        ));
    }
    Ok(ExitCode::SUCCESS)
}

/// `film.png` and 7 give `film_00007.png`.
#[cfg(feature = "view")]
fn numbered(path: &std::path::Path, number: u32) -> PathBuf {
    let stem = path
        .file_stem()
        .map_or_else(String::new, |s| s.to_string_lossy().into_owned());
    path.with_file_name(format!("{stem}_{number:05}.png"))
}

fn read(args: &SceneArgs, registry: &Registry) -> Result<LoadedScene, SceneError> {
    let mut loaded = load(SceneSource::find(&args.scene)?, &args.set, registry)?;
    if let Some(seed) = args.seed {
        loaded.scene.seed = seed;
    }
    Ok(loaded)
}

fn run(args: RunArgs) -> Result<ExitCode, Failure> {
    let registry = Registry::new();
    let loaded = read(&args.scene, &registry).map_err(wrong)?;
    let files = SceneFiles::beside(&loaded.source);
    let commands = match &args.commands {
        Some(path) => read_log_file(path, &registry).map_err(wrong)?,
        None => Vec::new(),
    };
    let duration_ms = args.duration.unwrap_or(loaded.scene.duration_ms);
    check_output(&args.output, args.duration, loaded.scene.dt_ms)?;
    let plan = RunPlan {
        loaded,
        files,
        registry,
        options: args.machine.options(),
        end: Finish::At(duration_ms),
        out: args.output.out,
        quiet: args.output.quiet,
        checkpoint_every_ms: args.output.checkpoint_every,
        checkpoint: args.output.checkpoint,
        commands,
        resume: None,
    };
    finish(headless::run(plan))
}

fn resume(args: &ResumeArgs) -> Result<ExitCode, Failure> {
    let registry = Registry::new();
    let saved = headless::read_checkpoint(&args.file, &registry).map_err(wrong)?;
    check_output(&args.output, args.duration, saved.loaded.scene.dt_ms)?;
    let plan = RunPlan {
        end: args
            .duration
            .map_or(Finish::At(saved.end_ms), Finish::After),
        loaded: saved.loaded,
        files: saved.files,
        registry,
        options: args.machine.options(),
        out: args.output.out.clone(),
        quiet: args.output.quiet,
        checkpoint_every_ms: args.output.checkpoint_every,
        checkpoint: args
            .output
            .checkpoint
            .clone()
            .or_else(|| Some(args.file.clone())),
        commands: saved.commands,
        resume: Some(saved.snapshot),
    };
    finish(headless::run(plan))
}

fn run_experiment(args: &ExperimentArgs) -> Result<ExitCode, Failure> {
    match experiment::main(args) {
        Ok(()) => Ok(ExitCode::SUCCESS),
        Err(error @ ExperimentError::Wrong(_)) => Err(wrong(error)),
        Err(ExperimentError::File(error)) if error.is_of_the_path() => Err(wrong(error)),
        Err(error) => Err((FAILED, error.to_string())),
    }
}

/// Checks what of the output can be known to be wrong before anything runs.
fn check_output(output: &OutputArgs, duration_ms: Option<f64>, dt_ms: f64) -> Result<(), Failure> {
    let intervals = [
        ("--checkpoint-every", output.checkpoint_every),
        ("--for", duration_ms.filter(|ms| *ms > 0.0)),
    ];
    for (flag, ms) in intervals {
        if let Some(ms) = ms.filter(|ms| *ms < 0.5 * dt_ms) {
            return Err(wrong(format!(
                "{flag} {ms}ms is shorter than a step of the scene, {dt_ms} ms"
            )));
        }
    }
    if let Some(out) = &output.out
        && out.exists()
        && !out.is_dir()
    {
        return Err(wrong(format!(
            "--out {}: this is a file; give the name of a folder",
            out.display()
        )));
    }
    if let Some(file) = &output.checkpoint {
        let folder = file
            .parent()
            .filter(|folder| !folder.as_os_str().is_empty());
        if file.is_dir() {
            return Err(wrong(format!(
                "--checkpoint {}: this is a folder; give the name of a file",
                file.display()
            )));
        }
        if let Some(folder) = folder.filter(|folder| !folder.is_dir()) {
            return Err(wrong(format!(
                "--checkpoint {}: there is no folder {}; create it first",
                file.display(),
                folder.display()
            )));
        }
    }
    Ok(())
}

fn finish(outcome: Result<(), headless::RunError>) -> Result<ExitCode, Failure> {
    use headless::RunError;
    match outcome {
        Ok(()) => Ok(ExitCode::SUCCESS),
        Err(
            error @ (RunError::Scene(_)
            | RunError::Command(_)
            | RunError::Restore(_)
            | RunError::Probe(_)),
        ) => Err(wrong(error)),
        // A path that cannot be written to is the user's; a full disk is not.
        Err(RunError::File(error) | RunError::Snapshot(SnapshotError::Write(error)))
            if error.is_of_the_path() =>
        {
            Err(wrong(error))
        }
        Err(error) => Err((FAILED, error.to_string())),
    }
}

fn check(args: &SceneArgs) -> Result<ExitCode, Failure> {
    let registry = Registry::new();
    let loaded = read(args, &registry).map_err(wrong)?;
    let files = SceneFiles::beside(&loaded.source);
    let prepared = loaded.prepare(&registry, &files).map_err(wrong)?;
    headless::say(headless::describe(&loaded, &prepared).trim_end());
    for warning in &prepared.warnings {
        eprintln!("warning: {}", loaded.locate(warning));
    }
    if let Some(limit) = headless::free_memory()
        && prepared.peak_bytes > limit
    {
        return Err(wrong(format!(
            "this network needs about {:.2} GiB, but {:.2} GiB of memory are free",
            prepared.peak_bytes as f64 / f64::from(1u32 << 30),
            limit as f64 / f64::from(1u32 << 30)
        )));
    }
    Ok(ExitCode::SUCCESS)
}

fn list_scenes() {
    let registry = Registry::new();
    let width = shipped::SCENES.iter().map(|s| s.0.len()).max().unwrap_or(0);
    for (name, text) in shipped::SCENES {
        let title = load(SceneSource::from_text(*name, *text), &[], &registry)
            .map_or_else(|e| e.to_string(), |loaded| loaded.scene.title);
        headless::say(&format!("{name:width$}  {title}"));
    }
}

fn schedule(scene: &str) -> Result<ExitCode, Failure> {
    let registry = Registry::new();
    let args = SceneArgs {
        scene: scene.into(),
        set: Vec::new(),
        seed: None,
    };
    let loaded = read(&args, &registry).map_err(wrong)?;
    let files = SceneFiles::beside(&loaded.source);
    let prepared = loaded.prepare(&registry, &files).map_err(wrong)?;
    let options = BuildOptions {
        statistics: true,
        memory_limit: headless::free_memory(),
        ..BuildOptions::default()
    };
    let simulation = Simulation::build(
        &loaded.scene,
        &prepared,
        &registry,
        &files,
        &options,
        &|_| {},
    )
    .map_err(|e| wrong(loaded.locate(&e)))?;
    headless::say(simulation.schedule_table().trim_end());
    Ok(ExitCode::SUCCESS)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A checkpoint keeps its settings one to a line.
    #[test]
    fn settings_are_one_line() {
        assert_eq!(parse_setting(" w = 3"), Ok(("w".into(), "3".into())));
        assert!(parse_setting("w=3\nv=4").is_err());
        assert!(parse_setting("w\u{7}=3").is_err());
    }

    #[test]
    fn times_need_a_unit_and_are_in_ms() {
        assert_eq!(parse_time("2s"), Ok(2000.0));
        assert_eq!(parse_time("500 ms"), Ok(500.0));
        assert_eq!(parse_time("1.5min"), Ok(90_000.0));
        assert_eq!(parse_time("1e3ms"), Ok(1000.0));
        for bad in [
            "2", "s", "-1s", "2 parsec", "", "nans", "infs", "1e300s", "NaNs",
        ] {
            assert!(parse_time(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn an_interval_is_more_than_nothing() {
        assert_eq!(parse_interval("1us"), Ok(1e-3));
        assert!(parse_interval("0s").is_err());
        assert!(parse_interval("-0s").is_err());
    }

    #[test]
    fn the_command_line_is_consistent() {
        use clap::CommandFactory;
        Cli::command().debug_assert();
    }
}
