//! `neuropil experiment`: its flags, and what becomes of them.

use super::contract::{Condition, Experiment};
use super::report::Timings;
use super::results::{Plan, Results};
use super::settings::Settings;
use super::{EXPERIMENTS, about, files, runner, tables};
use crate::cli::{parse_seed, parse_setting};
use crate::files::whole::{FileError, create_folder};
use crate::headless::{progress_bar, say};
use crate::results::quantities::seconds;
use crate::results::report::cpu_seconds;
use crate::scene::error::unknown;
use clap::Args;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

/// The flags of `neuropil experiment`.
#[derive(Args)]
pub struct ExperimentArgs {
    /// The experiment; without one, all are listed
    name: Option<String>,
    /// Print protocol, conditions, published numbers and parameters instead of running
    #[arg(long, requires = "name")]
    about: bool,
    /// Runs of each condition [default: as the experiment says]
    #[arg(long, value_name = "N", requires = "name", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    runs: Option<u32>,
    /// The seed of the first run of each condition; the others follow
    #[arg(long, value_name = "FIRST", requires = "name", default_value = "1", value_parser = parse_seed)]
    seed: u64,
    /// Runs that go on at once; results are the same [default: all cores]
    #[arg(long, value_name = "T", requires = "name", value_parser = clap::value_parser!(u16).range(1..=1024))]
    threads: Option<u16>,
    /// A version that takes seconds, for tests
    #[arg(long, requires = "name")]
    short: bool,
    /// Only this condition, or all that begin so: sweep*; may be repeated
    #[arg(long, value_name = "CONDITION", requires = "name")]
    only: Vec<String>,
    /// Set a parameter; may be repeated
    #[arg(long = "set", value_name = "NAME=VALUE", requires = "name", value_parser = parse_setting)]
    set: Vec<(String, String)>,
    /// Write report, tables and pictures to this folder
    #[arg(long, value_name = "DIR", requires = "name")]
    out: Option<PathBuf>,
    /// Print nothing but errors
    #[arg(long, requires = "name")]
    quiet: bool,
}

/// Why an experiment did not come to its end.
#[derive(Debug, thiserror::Error)]
pub enum ExperimentError {
    /// What was asked for does not exist.
    #[error("{0}")]
    Wrong(String),
    /// Results could not be written.
    #[error(transparent)]
    File(#[from] FileError),
    /// Runs failed, or did not run; what finished was reported.
    #[error("{0}")]
    Incomplete(String),
}

static INTERRUPTED: AtomicBool = AtomicBool::new(false);

/// Lists, describes or runs experiments.
///
/// # Errors
/// Wrong flags, runs that failed or were interrupted, results that cannot be written.
pub fn main(args: &ExperimentArgs) -> Result<(), ExperimentError> {
    let Some(name) = &args.name else {
        list();
        return Ok(());
    };
    let experiment = super::find(name).map_err(ExperimentError::Wrong)?;
    let plan = plan(experiment, args).map_err(ExperimentError::Wrong)?;
    if args.about {
        say(&about::about(experiment));
        return Ok(());
    }
    // A second handler cannot be set; then the first one stands.
    let _ = ctrlc::set_handler(|| {
        if INTERRUPTED.swap(true, Ordering::Relaxed) {
            eprintln!("\ninterrupted again; nothing more is written");
            std::process::exit(1);
        }
    });
    if let Some(out) = &args.out {
        create_folder(out)?;
    }
    let threads = args.threads.map_or_else(
        || std::thread::available_parallelism().map_or(1, usize::from),
        usize::from,
    );
    let (begun, cpu) = (Instant::now(), cpu_seconds());
    let results = run(&plan, threads, args.quiet);
    let timings = Timings {
        wall_s: begun.elapsed().as_secs_f64(),
        cpu_s: cpu.zip(cpu_seconds()).map(|(a, b)| b - a),
    };
    let mut trouble = None;
    if let Some(out) = &args.out {
        trouble = files::write(&results, out, threads, timings)?;
    }
    if !args.quiet {
        say(&tables::summary(&results));
        let cpu = timings.cpu_s.map(|s| format!(" ({} of CPU)", seconds(s)));
        say(&format!(
            "\n{}{}",
            seconds(timings.wall_s),
            cpu.unwrap_or_default()
        ));
        if let Some(out) = &args.out {
            say(&format!("results in {}", out.display()));
        }
    }
    complete(&results, trouble)
}

fn complete(results: &Results, trouble: Option<String>) -> Result<(), ExperimentError> {
    let runs: usize = results.conditions.iter().map(|c| c.runs.len()).sum();
    let (failed, left) = (results.failures(), results.not_run());
    let mut reasons = Vec::new();
    if failed > 0 {
        reasons.push(format!("{failed} of {runs} runs failed"));
    }
    if left > 0 {
        reasons.push(format!("interrupted: {left} of {runs} runs did not run"));
    }
    reasons.extend(trouble);
    match reasons.is_empty() {
        true => Ok(()),
        false => Err(ExperimentError::Incomplete(reasons.join("; "))),
    }
}

fn list() {
    let width = EXPERIMENTS.iter().map(|e| e.name.len()).max().unwrap_or(0);
    for experiment in EXPERIMENTS {
        say(&format!(
            "{:width$}  {}\n{:width$}  {}, doi:{}",
            experiment.name,
            experiment.title,
            "",
            experiment.source.citation,
            experiment.source.doi
        ));
    }
}

fn plan(experiment: &'static Experiment, args: &ExperimentArgs) -> Result<Plan, String> {
    let usual = match args.short {
        true => experiment.short.runs,
        false => experiment.runs,
    };
    let runs = args.runs.unwrap_or(usual);
    if args.seed.checked_add(u64::from(runs) - 1).is_none() {
        return Err(format!(
            "--seed {}: {runs} runs need seeds up to more than {}",
            args.seed,
            u64::MAX
        ));
    }
    Ok(Plan {
        experiment,
        conditions: chosen(experiment, &args.only)?,
        runs,
        first_seed: args.seed,
        settings: Settings::new(experiment, args.short, &args.set)
            .map_err(|e| format!("{e}; see neuropil experiment {} --about", experiment.name))?,
        short: args.short,
    })
}

/// The conditions that run: those named, or all that run by themselves.
fn chosen(
    experiment: &'static Experiment,
    only: &[String],
) -> Result<Vec<&'static Condition>, String> {
    let all = experiment.conditions;
    if only.is_empty() {
        return Ok(all.iter().filter(|c| !c.on_request).collect());
    }
    let fits = |pattern: &str, name: &str| match pattern.strip_suffix('*') {
        Some(start) => name.starts_with(start),
        None => name == pattern,
    };
    for pattern in only {
        if !all.iter().any(|c| fits(pattern, c.name)) {
            let what = format!("condition of {}", experiment.name);
            return Err(unknown(&what, pattern, all.iter().map(|c| c.name)));
        }
    }
    let wanted = |c: &&Condition| only.iter().any(|pattern| fits(pattern, c.name));
    Ok(all.iter().filter(wanted).collect())
}

fn run(plan: &Plan, threads: usize, quiet: bool) -> Results {
    let bar = progress_bar(quiet, 1000, "{msg} {bar:40} {eta} left");
    let results = runner::run(
        plan,
        threads,
        &INTERRUPTED,
        &mut |progress| {
            bar.set_message(format!("{} of {} runs", progress.ended, progress.runs));
            bar.set_position((progress.part * 1000.0) as u64);
        },
        &mut |condition, seed, reason| {
            bar.suspend(|| eprintln!("{condition}, seed {seed}: {reason}"));
        },
    );
    bar.finish_and_clear();
    results
}

#[cfg(test)]
mod tests {
    use super::super::testing::TOSS;
    use super::*;

    fn names(only: &[&str]) -> Result<Vec<&'static str>, String> {
        let only: Vec<String> = only.iter().map(|o| (*o).to_owned()).collect();
        Ok(chosen(&TOSS, &only)?.iter().map(|c| c.name).collect())
    }

    #[test]
    fn conditions_are_chosen_by_name_or_beginning() {
        assert_eq!(names(&[]), Ok(vec!["biased", "fair"]));
        assert_eq!(names(&["fair"]), Ok(vec!["fair"]));
        assert_eq!(names(&["fair", "bi*"]), Ok(vec!["biased", "fair"]));
        assert_eq!(names(&["*"]), Ok(vec!["biased", "fair"]));
        let error = names(&["fiar"]).expect_err("no such condition");
        assert_eq!(
            error,
            "unknown condition of toss \"fiar\"; did you mean \"fair\"? known: biased, fair"
        );
        assert!(names(&["x*"]).is_err());
    }

    #[test]
    fn runs_that_failed_end_the_command_with_an_error_that_counts_them() {
        const FALLING: Experiment = Experiment {
            run: |run| match run.seed() {
                2 => Err("it fell".into()),
                _ => Ok(super::super::Outcome::new().success(true)),
            },
            ..TOSS
        };
        let go = AtomicBool::new(false);
        let run = |plan| runner::run(&plan, 1, &go, &mut |_| {}, &mut |_, _, _| {});
        let error = complete(&run(Plan::new(&FALLING, 3)), None).expect_err("failures");
        assert!(matches!(error, ExperimentError::Incomplete(_)));
        assert_eq!(error.to_string(), "2 of 6 runs failed");
        assert!(complete(&run(Plan::new(&TOSS, 3)), None).is_ok());
    }
}
