//! Every run of an experiment, by condition and seed.

use super::contract::{Condition, Experiment};
use super::outcome::Outcome;
use super::settings::Settings;
use super::statistics::{Proportion, Summary};

/// What is to be run.
#[derive(Clone)]
pub struct Plan {
    /// The experiment.
    pub experiment: &'static Experiment,
    /// The conditions, in the order of the experiment.
    pub conditions: Vec<&'static Condition>,
    /// Runs of each condition.
    pub runs: u32,
    /// The seed of the first run of each condition; the others follow.
    pub first_seed: u64,
    /// The parameters, but for what a condition fixes.
    pub settings: Settings,
    /// Whether it is the version for tests.
    pub short: bool,
}

/// How a run ended.
#[derive(Clone, Debug, PartialEq)]
pub enum End {
    /// As it should.
    Finished(Outcome),
    /// With an error or a panic.
    Failed(String),
    /// Not at all: the experiment was stopped before.
    NotRun,
}

/// One run.
#[derive(Clone, Debug, PartialEq)]
pub struct RunResult {
    /// Its seed.
    pub seed: u64,
    /// How it ended.
    pub end: End,
}

/// All runs of a condition.
#[derive(Clone)]
pub struct ConditionResults {
    /// The condition.
    pub condition: &'static Condition,
    /// Its parameters.
    pub settings: Settings,
    /// Its runs, in the order of their seeds.
    pub runs: Vec<RunResult>,
}

/// All runs of an experiment. They depend on the plan only, not on how many ran at once.
#[derive(Clone)]
pub struct Results {
    /// What was to be run.
    pub plan: Plan,
    /// What came out, by condition.
    pub conditions: Vec<ConditionResults>,
}

impl ConditionResults {
    /// What the finished runs gave, with their seeds.
    pub fn outcomes(&self) -> impl Iterator<Item = (u64, &Outcome)> {
        self.runs.iter().filter_map(|run| match &run.end {
            End::Finished(outcome) => Some((run.seed, outcome)),
            End::Failed(_) | End::NotRun => None,
        })
    }

    /// The runs that failed: seed and reason.
    pub fn failures(&self) -> impl Iterator<Item = (u64, &str)> {
        self.runs.iter().filter_map(|run| match &run.end {
            End::Failed(reason) => Some((run.seed, reason.as_str())),
            End::Finished(_) | End::NotRun => None,
        })
    }

    /// How many runs were not run.
    pub fn not_run(&self) -> usize {
        self.runs.iter().filter(|r| r.end == End::NotRun).count()
    }

    /// How many runs finished.
    pub fn finished(&self) -> usize {
        self.outcomes().count()
    }

    /// A measure of every finished run that has it, in the order of seeds.
    pub fn values(&self, measure: &str) -> Vec<f64> {
        self.outcomes()
            .filter_map(|(_, o)| o.get(measure))
            .collect()
    }

    /// A measure over the finished runs that have it.
    pub fn summary(&self, measure: &str) -> Option<Summary> {
        Summary::of(&self.values(measure))
    }

    /// The success rate; a run that failed counts as one without success. None if no run ended or success is not asked.
    pub fn success(&self) -> Option<Proportion> {
        let asked: Vec<bool> = self.outcomes().filter_map(|(_, o)| o.succeeded()).collect();
        if asked.is_empty() && self.finished() > 0 {
            return None;
        }
        let successes = asked.iter().filter(|s| **s).count();
        Proportion::of(successes, asked.len() + self.failures().count())
    }
}

impl Results {
    /// The runs of a condition; none if it was not asked for.
    pub fn condition(&self, name: &str) -> Option<&ConditionResults> {
        self.conditions.iter().find(|c| c.condition.name == name)
    }

    /// What the finished runs of a condition gave, with their seeds.
    pub fn outcomes(&self, condition: &str) -> impl Iterator<Item = (u64, &Outcome)> {
        self.condition(condition)
            .into_iter()
            .flat_map(ConditionResults::outcomes)
    }

    /// The outcome of the first run of a condition, the one that keeps large series, if it finished.
    pub fn first(&self, condition: &str) -> Option<&Outcome> {
        match &self.condition(condition)?.runs.first()?.end {
            End::Finished(outcome) => Some(outcome),
            End::Failed(_) | End::NotRun => None,
        }
    }

    /// How many runs failed.
    pub fn failures(&self) -> usize {
        self.conditions.iter().map(|c| c.failures().count()).sum()
    }

    /// How many runs were not run.
    pub fn not_run(&self) -> usize {
        self.conditions.iter().map(ConditionResults::not_run).sum()
    }
}

impl Plan {
    /// The published protocol with so many runs: every condition that runs by itself, seeds from 1.
    pub fn new(experiment: &'static Experiment, runs: u32) -> Self {
        Self {
            experiment,
            conditions: experiment
                .conditions
                .iter()
                .filter(|c| !c.on_request)
                .collect(),
            runs,
            first_seed: 1,
            settings: Settings::published(experiment),
            short: false,
        }
    }

    /// The seed of each condition's last run.
    pub fn last_seed(&self) -> u64 {
        self.first_seed
            .saturating_add(u64::from(self.runs.max(1) - 1))
    }

    /// Parameters that differ from the published protocol: name, value, published value.
    pub fn changes(&self) -> Vec<(&'static str, f64, f64)> {
        let published = self.experiment.parameters.iter();
        published
            .filter_map(|p| Some((p.name, self.settings.get(p.name)?, p.default)))
            .filter(|(_, value, published)| value != published)
            .collect()
    }

    /// The command line that repeats it.
    pub fn command(&self) -> String {
        let experiment = self.experiment;
        let mut line = format!(
            "neuropil experiment {} --runs {} --seed {}",
            experiment.name, self.runs, self.first_seed
        );
        if self.short {
            line += " --short";
        }
        let usual = experiment.conditions.iter().filter(|c| !c.on_request);
        let chosen = self.conditions.iter().map(|c| c.name);
        if !usual.map(|c| c.name).eq(chosen) {
            for condition in &self.conditions {
                line += &format!(" --only {}", condition.name);
            }
        }
        let base = Settings::new(experiment, self.short, &[]).ok();
        for (name, value) in self.settings.iter() {
            if base.as_ref().and_then(|b| b.get(name)) != Some(value) {
                line += &format!(" --set {name}={value}");
            }
        }
        line
    }
}
