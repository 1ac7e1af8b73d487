//! `report.json`: everything that came out, for programs.
//!
//! All but `threads`, `machine` and `timings` is the same for equal plans, whatever it ran on.

use super::contract::{Certainty, Role, Source};
use super::results::{ConditionResults, End, Results};
use super::settings::Settings;
use super::statistics::{Proportion, Summary};
use super::tables;
use super::verdict::{Verdict, judge};
use crate::results::report::Machine;
use serde::Serialize;
use std::collections::BTreeMap;

/// The report of an experiment.
#[derive(Clone, Debug, Serialize)]
pub struct ExperimentReport {
    /// Its name.
    pub experiment: &'static str,
    /// Its title.
    pub title: &'static str,
    /// The publication.
    pub source: Source,
    /// The version of the simulator.
    pub version: &'static str,
    /// The command line that repeats it.
    pub command: String,
    /// Whether it was stopped before its end.
    pub interrupted: bool,
    /// Whether it is the version for tests.
    pub short: bool,
    /// In what this was not the published protocol, in words; empty if it was.
    pub reservations: Vec<String>,
    /// How many claims were reached, missed and undecided, in words.
    pub score: String,
    /// Runs of each condition.
    pub runs_per_condition: u32,
    /// The first and the last seed.
    pub seeds: [u64; 2],
    /// The parameters, but for what a condition fixes.
    pub settings: BTreeMap<&'static str, f64>,
    /// The conditions.
    pub conditions: Vec<ConditionReport>,
    /// Every run.
    pub runs: Vec<RunReport>,
    /// The files that were written beside it.
    pub files: Vec<String>,
    /// Runs that went on at once.
    pub threads: usize,
    /// What it ran on.
    pub machine: Machine,
    /// How long it took.
    pub timings: Timings,
}

/// How long an experiment took.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Timings {
    /// Seconds from the first run's begin to the last one's end.
    pub wall_s: f64,
    /// Processor seconds of all runs, where the system tells.
    pub cpu_s: Option<f64>,
}

/// A condition.
#[derive(Clone, Debug, Serialize)]
pub struct ConditionReport {
    /// Its name.
    pub name: &'static str,
    /// What it is for.
    pub role: Role,
    /// What is done in it.
    pub meaning: &'static str,
    /// Its parameters.
    pub settings: BTreeMap<&'static str, f64>,
    /// Runs that finished.
    pub finished: usize,
    /// Runs that failed.
    pub failed: usize,
    /// Runs that did not run.
    pub not_run: usize,
    /// The success rate, where that is asked.
    pub success: Option<Proportion>,
    /// Its measures over runs.
    pub measures: BTreeMap<&'static str, MeasureReport>,
    /// What it is judged by.
    pub claims: Vec<ClaimReport>,
}

/// A measure over runs.
#[derive(Clone, Debug, Serialize)]
pub struct MeasureReport {
    /// Its unit; empty for a pure number.
    pub unit: &'static str,
    /// Its statistics; none if no run gave it.
    pub over_runs: Option<Summary>,
}

/// A claim and what became of it.
#[derive(Clone, Debug, Serialize)]
pub struct ClaimReport {
    /// What the source of the number says.
    pub reference: &'static str,
    /// How sure that is.
    pub certainty: Certainty,
    /// What is judged.
    pub judged: String,
    /// What would reach it.
    pub criterion: String,
    /// What came out.
    pub found: String,
    /// Whether it was reached.
    pub verdict: Verdict,
    /// The same in a sentence.
    pub words: String,
}

/// A run.
#[derive(Clone, Debug, Serialize)]
pub struct RunReport {
    /// Its condition.
    pub condition: &'static str,
    /// Its seed.
    pub seed: u64,
    /// Whether it succeeded, where that is asked.
    pub success: Option<bool>,
    /// What it measured.
    pub measures: BTreeMap<&'static str, f64>,
    /// Why it failed, if it did.
    pub error: Option<String>,
}

impl ExperimentReport {
    /// Everything that the results say.
    pub fn new(results: &Results, files: Vec<String>, threads: usize, timings: Timings) -> Self {
        let (plan, experiment) = (&results.plan, results.plan.experiment);
        Self {
            experiment: experiment.name,
            title: experiment.title,
            source: experiment.source,
            version: env!("CARGO_PKG_VERSION"),
            command: plan.command(),
            interrupted: results.not_run() > 0,
            short: plan.short,
            reservations: tables::reservations(results),
            score: tables::score(results),
            runs_per_condition: plan.runs,
            seeds: [plan.first_seed, plan.last_seed()],
            settings: map(&plan.settings),
            conditions: (results.conditions.iter())
                .map(|condition| condition_report(results, condition))
                .collect(),
            runs: results
                .conditions
                .iter()
                .flat_map(|c| runs(results, c))
                .collect(),
            files,
            threads,
            machine: Machine::detect(),
            timings,
        }
    }

    /// The report as JSON text.
    pub fn to_json(&self) -> String {
        let text = serde_json::to_string_pretty(self);
        text.expect("a report has text keys only") + "\n"
    }
}

fn map(settings: &Settings) -> BTreeMap<&'static str, f64> {
    settings.iter().collect()
}

fn condition_report(results: &Results, condition: &ConditionResults) -> ConditionReport {
    let experiment = results.plan.experiment;
    ConditionReport {
        name: condition.condition.name,
        role: condition.condition.role,
        meaning: condition.condition.meaning,
        settings: map(&condition.settings),
        finished: condition.finished(),
        failed: condition.failures().count(),
        not_run: condition.not_run(),
        success: experiment.success.and_then(|_| condition.success()),
        measures: (experiment.measures.iter())
            .map(|measure| {
                let over_runs = condition.summary(measure.name);
                let unit = measure.unit;
                (measure.name, MeasureReport { unit, over_runs })
            })
            .collect(),
        claims: (condition.condition.claims.iter())
            .map(|claim| {
                let judged = judge(experiment, condition, claim);
                ClaimReport {
                    reference: claim.reference,
                    certainty: claim.certainty,
                    judged: judged.judged,
                    criterion: judged.criterion,
                    found: judged.found,
                    verdict: judged.verdict,
                    words: judged.words,
                }
            })
            .collect(),
    }
}

fn runs(results: &Results, condition: &ConditionResults) -> Vec<RunReport> {
    (condition.runs.iter())
        .filter(|run| run.end != End::NotRun)
        .map(|run| {
            let (outcome, error) = match &run.end {
                End::Finished(outcome) => (Some(outcome), None),
                End::Failed(reason) => (None, Some(reason.clone())),
                End::NotRun => (None, None),
            };
            let measures = results.plan.experiment.measures.iter();
            RunReport {
                condition: condition.condition.name,
                seed: run.seed,
                success: outcome.and_then(super::Outcome::succeeded),
                measures: measures
                    .filter_map(|m| Some((m.name, outcome?.get(m.name)?)))
                    .collect(),
                error,
            }
        })
        .collect()
}
