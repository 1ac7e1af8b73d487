//! Runs side by side: a queue of runs, a few threads that take from it, and results in the order of the plan.
//!
//! Each run has one thread and shares nothing with the others, so how many go at once changes no number. Runs are taken seed by seed
//! through all conditions: what an interrupted experiment has finished can still be compared.

use super::results::{ConditionResults, End, Plan, Results, RunResult};
use super::run::{Run, Stop, WHOLE};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering};
use std::sync::mpsc;
use std::time::{Duration, Instant};

/// How often `watch` is called.
const REDRAW: Duration = Duration::from_millis(100);

/// How far an experiment is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Progress {
    /// Runs that ended.
    pub ended: usize,
    /// All runs.
    pub runs: usize,
    /// The part of the work that is done, from 0 to 1, runs under way included.
    pub part: f64,
}

/// Runs a plan on `threads` threads, at least 1.
///
/// No further run begins once `stop` is true, and those under way end at their next look at it. `watch` is told about ten times a
/// second how far things are; `failed` of every run that fails, as it does: condition, seed and reason.
pub fn run(
    plan: &Plan,
    threads: usize,
    stop: &AtomicBool,
    watch: &mut dyn FnMut(Progress),
    failed: &mut dyn FnMut(&str, u64, &str),
) -> Results {
    let mut conditions: Vec<ConditionResults> = (plan.conditions.iter())
        .map(|condition| ConditionResults {
            condition,
            settings: plan.settings.in_condition(condition),
            runs: (0..plan.runs)
                .map(|run| RunResult {
                    seed: plan.first_seed.saturating_add(run.into()),
                    end: End::NotRun,
                })
                .collect(),
        })
        .collect();
    let tasks: Vec<(usize, usize)> = (0..plan.runs as usize)
        .flat_map(|run| (0..conditions.len()).map(move |condition| (condition, run)))
        .collect();
    let parts: Vec<AtomicU32> = tasks.iter().map(|_| AtomicU32::new(0)).collect();
    let next = AtomicUsize::new(0);
    let (sender, ended) = mpsc::channel::<(usize, End)>();
    let settings: Vec<_> = conditions.iter().map(|c| c.settings.clone()).collect();

    std::thread::scope(|scope| {
        for _ in 0..threads.clamp(1, tasks.len().max(1)) {
            let sender = sender.clone();
            let (tasks, parts, next, settings) = (&tasks, &parts, &next, &settings);
            scope.spawn(move || {
                loop {
                    let task = next.fetch_add(1, Ordering::Relaxed);
                    if task >= tasks.len() || stop.load(Ordering::Relaxed) {
                        break;
                    }
                    let (condition, run) = tasks[task];
                    let end = run_one(
                        plan,
                        &Run {
                            condition: plan.conditions[condition],
                            seed: plan.first_seed.saturating_add(run as u64),
                            first: run == 0,
                            settings: &settings[condition],
                            stop,
                            progress: &parts[task],
                        },
                    );
                    parts[task].store(WHOLE, Ordering::Relaxed);
                    if sender.send((task, end)).is_err() {
                        break;
                    }
                }
            });
        }
        drop(sender);
        let (mut count, mut watched) = (0, Instant::now());
        loop {
            let arrived = ended.recv_timeout(REDRAW);
            let over = arrived == Err(mpsc::RecvTimeoutError::Disconnected);
            if let Ok((task, end)) = arrived {
                let (condition, run) = tasks[task];
                let results = &mut conditions[condition];
                count += usize::from(end != End::NotRun);
                if let End::Failed(reason) = &end {
                    failed(results.condition.name, results.runs[run].seed, reason);
                }
                results.runs[run].end = end;
            }
            if over || watched.elapsed() >= REDRAW {
                watched = Instant::now();
                let sum: u64 = (parts.iter())
                    .map(|p| u64::from(p.load(Ordering::Relaxed)))
                    .sum();
                watch(Progress {
                    ended: count,
                    runs: tasks.len(),
                    part: sum as f64 / (f64::from(WHOLE) * tasks.len().max(1) as f64),
                });
            }
            if over {
                break;
            }
        }
    });
    Results {
        plan: plan.clone(),
        conditions,
    }
}

/// A run, whatever becomes of it.
fn run_one(plan: &Plan, run: &Run<'_>) -> End {
    match catch_unwind(AssertUnwindSafe(|| (plan.experiment.run)(run))) {
        Ok(Ok(outcome)) => match outcome.check(plan.experiment) {
            Ok(()) => End::Finished(outcome),
            Err(reason) => End::Failed(format!("a bug in the experiment: {reason}")),
        },
        Ok(Err(Stop::Interrupted)) => End::NotRun,
        Ok(Err(Stop::Failed(reason))) => End::Failed(reason),
        Err(panic) => End::Failed(format!("a bug: {}", said_by(&*panic))),
    }
}

/// The message of a panic.
pub(super) fn said_by(panic: &(dyn std::any::Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("a panic without a message")
}

#[cfg(test)]
mod tests {
    use super::super::contract::Experiment;
    use super::super::outcome::Outcome;
    use super::super::settings::Settings;
    use super::super::testing::TOSS;
    use super::*;

    fn plan(experiment: &'static Experiment, runs: u32) -> Plan {
        Plan {
            experiment,
            conditions: experiment.conditions.iter().collect(),
            runs,
            first_seed: 5,
            settings: Settings::new(experiment, false, &[]).expect("settings"),
            short: false,
        }
    }

    fn quietly(plan: &Plan, threads: usize, stop: &AtomicBool) -> Results {
        run(plan, threads, stop, &mut |_| {}, &mut |_, _, _| {})
    }

    #[test]
    fn results_are_equal_for_any_number_of_threads() {
        let plan = plan(&TOSS, 23);
        let go = AtomicBool::new(false);
        let one = quietly(&plan, 1, &go);
        assert_eq!(one.conditions[0].runs.len(), 23);
        assert_eq!(one.conditions[0].runs[22].seed, 27);
        assert_eq!(one.conditions[0].finished(), 23);
        assert_ne!(
            one.conditions[0].values("heads"),
            one.conditions[1].values("heads")
        );
        for threads in [2, 7, 64] {
            let many = quietly(&plan, threads, &go);
            for (a, b) in one.conditions.iter().zip(&many.conditions) {
                assert_eq!(a.runs, b.runs, "{threads} threads");
            }
        }
    }

    /// Fails with seed 7, panics with seed 9, lies with seed 11.
    const FRAGILE: Experiment = Experiment {
        run: |run| match run.seed() {
            7 => Err("the bottle fell".into()),
            9 => panic!("on purpose: this test checks that other runs go on"),
            11 => Ok(Outcome::new().success(true).measure("height", 1.0)),
            seed => Ok(Outcome::new().success(true).measure("heads", seed as f64)),
        },
        ..TOSS
    };

    #[test]
    fn a_run_that_fails_is_named_and_loses_no_other() {
        let plan = plan(&FRAGILE, 8);
        let mut told = Vec::new();
        let results = run(
            &plan,
            3,
            &AtomicBool::new(false),
            &mut |_| {},
            &mut |c, seed, why| {
                told.push((c.to_owned(), seed, why.to_owned()));
            },
        );
        told.sort();
        let runs = &results.conditions[0];
        assert_eq!(runs.values("heads"), [5.0, 6.0, 8.0, 10.0, 12.0]);
        let failures: Vec<_> = runs.failures().collect();
        assert_eq!(failures[0], (7, "the bottle fell"));
        assert!(failures[1].0 == 9 && failures[1].1.contains("on purpose"));
        assert!(failures[2].0 == 11 && failures[2].1.contains("\"height\" is not declared"));
        assert_eq!(told.len(), 6);
        assert_eq!((told[0].0.as_str(), told[3].1), ("biased", 7));
        assert_eq!(results.failures(), 6);
        // A run that failed is one without success.
        let success = runs.success().expect("a rate");
        assert_eq!((success.successes, success.runs), (5, 8));
    }

    /// Stops the experiment in its third seed, and then waits for what a user would wait for.
    static STOP: AtomicBool = AtomicBool::new(false);
    const STOPPED: Experiment = Experiment {
        run: |run| {
            if run.seed() == 7 {
                STOP.store(true, Ordering::Relaxed);
            }
            run.progress(0.5)?;
            Ok(Outcome::new().success(true).measure("heads", 1.0))
        },
        ..TOSS
    };

    #[test]
    fn a_stopped_experiment_keeps_what_is_finished() {
        let mut parts = Vec::new();
        let results = run(
            &plan(&STOPPED, 50),
            1,
            &STOP,
            &mut |p| parts.push(p),
            &mut |_, _, _| {},
        );
        assert_eq!(results.conditions[0].finished(), 2);
        assert_eq!(results.not_run(), 2 * 50 - 4);
        assert_eq!(results.failures(), 0);
        assert!(
            parts
                .iter()
                .all(|p| p.runs == 100 && (0.0..=1.0).contains(&p.part))
        );
        assert_eq!(parts.last().map(|p| p.ended), Some(4));
    }
}
