//! What an experiment declares: its source, its protocol, its conditions, and the published numbers that it is judged by.
//!
//! Everything here is plain data in constants, so that `neuropil experiment --about`, the report and the tests read the same text.

use super::outcome::Outcome;
use super::pictures::Pictures;
use super::results::Results;
use super::run::{Run, Stop};
use crate::sim::quantity::Range;
use serde::Serialize;

/// A published experiment that can be repeated.
///
/// One constant per experiment, in a file of its own, in the order of a methods section.
pub struct Experiment {
    /// The name on the command line: lower-case letters, digits and underscores.
    pub name: &'static str,
    /// One line that says what is shown.
    pub title: &'static str,
    /// The publication.
    pub source: Source,
    /// The protocol in paragraphs of Markdown: network, input, training, test, and what was chosen here because the paper does not say.
    pub protocol: &'static str,
    /// What `--set` can change.
    pub parameters: &'static [Parameter],
    /// What a run measures.
    pub measures: &'static [Measure],
    /// What makes a run a success, in words; none if runs are not counted as such.
    pub success: Option<&'static str>,
    /// What is compared with what: the method, its controls, its baselines.
    pub conditions: &'static [Condition],
    /// Runs of each condition, each with a seed of its own.
    pub runs: u32,
    /// A version that takes seconds and is the same every time, for tests.
    pub short: Short,
    /// One run of one condition, on one thread. It must depend on nothing but what the [`Run`] says.
    pub run: fn(&Run<'_>) -> Result<Outcome, Stop>,
    /// Draws pictures of what came out, with `--out`. Some runs may be missing: the results may be those of an interrupted experiment.
    pub draw: Option<fn(&Results, &mut Pictures)>,
}

/// A publication.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Source {
    /// Authors, year, title or journal.
    pub citation: &'static str,
    /// Its DOI, without `https://doi.org/`.
    pub doi: &'static str,
}

/// A number that `--set` can change. A [condition](Condition) may fix it.
#[derive(Clone, Copy, Debug)]
pub struct Parameter {
    /// Its name.
    pub name: &'static str,
    /// Its unit; empty for a pure number.
    pub unit: &'static str,
    /// What it is.
    pub meaning: &'static str,
    /// What it may be.
    pub range: Range,
    /// The value of the published protocol.
    pub default: f64,
    /// Whether it must be a whole number.
    pub whole: bool,
}

impl Parameter {
    /// A real number.
    pub const fn number(
        name: &'static str,
        default: f64,
        unit: &'static str,
        range: Range,
        meaning: &'static str,
    ) -> Self {
        Self {
            name,
            unit,
            meaning,
            range,
            default,
            whole: false,
        }
    }

    /// A whole number, such as a count or a switch (0 or 1).
    pub const fn whole(
        name: &'static str,
        default: u32,
        unit: &'static str,
        range: Range,
        meaning: &'static str,
    ) -> Self {
        Self {
            whole: true,
            ..Self::number(name, default as f64, unit, range, meaning)
        }
    }
}

/// A number that every run gives.
#[derive(Clone, Copy, Debug)]
pub struct Measure {
    /// Its name.
    pub name: &'static str,
    /// Its unit; empty for a pure number.
    pub unit: &'static str,
    /// What it is and how it is taken.
    pub meaning: &'static str,
}

impl Measure {
    /// A measure.
    pub const fn new(name: &'static str, unit: &'static str, meaning: &'static str) -> Self {
        Self {
            name,
            unit,
            meaning,
        }
    }
}

/// One way to run the experiment.
#[derive(Clone, Copy, Debug)]
pub struct Condition {
    /// Its name: lower-case letters, digits, underscores and hyphens.
    pub name: &'static str,
    /// What is done in it.
    pub meaning: &'static str,
    /// What it is for.
    pub role: Role,
    /// Parameters that it fixes, whatever `--set` says.
    pub settings: &'static [(&'static str, f64)],
    /// What it is judged by.
    pub claims: &'static [Claim],
    /// Whether it runs only if `--only` names it, as the points of a sweep do.
    pub on_request: bool,
}

/// What a condition is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// The method that the publication is about.
    Method,
    /// The same without what is claimed to make the difference, such as an untrained network.
    Control,
    /// Another, simpler method for the same task.
    Baseline,
}

impl Role {
    /// In one word.
    pub fn name(self) -> &'static str {
        match self {
            Self::Method => "method",
            Self::Control => "control",
            Self::Baseline => "baseline",
        }
    }
}

impl Condition {
    const fn new(role: Role, name: &'static str, meaning: &'static str) -> Self {
        Self {
            name,
            meaning,
            role,
            settings: &[],
            claims: &[],
            on_request: false,
        }
    }

    /// The method that the publication is about, or a variant of it.
    pub const fn method(name: &'static str, meaning: &'static str) -> Self {
        Self::new(Role::Method, name, meaning)
    }

    /// The same without what is claimed to make the difference.
    pub const fn control(name: &'static str, meaning: &'static str) -> Self {
        Self::new(Role::Control, name, meaning)
    }

    /// Another, simpler method for the same task.
    pub const fn baseline(name: &'static str, meaning: &'static str) -> Self {
        Self::new(Role::Baseline, name, meaning)
    }

    /// Fixes parameters.
    pub const fn with(mut self, settings: &'static [(&'static str, f64)]) -> Self {
        self.settings = settings;
        self
    }

    /// Says what it is judged by.
    pub const fn judged_by(mut self, claims: &'static [Claim]) -> Self {
        self.claims = claims;
        self
    }

    /// Runs only if `--only` names it.
    pub const fn on_request(mut self) -> Self {
        self.on_request = true;
        self
    }
}

/// A published or measured number and what makes it reached.
#[derive(Clone, Copy, Debug)]
pub struct Claim {
    /// When it is reached.
    pub criterion: Criterion,
    /// How sure it is.
    pub certainty: Certainty,
    /// What the source of the number says, in a few words.
    pub reference: &'static str,
}

impl Claim {
    /// A claim.
    pub const fn new(criterion: Criterion, certainty: Certainty, reference: &'static str) -> Self {
        Self {
            criterion,
            certainty,
            reference,
        }
    }
}

/// When a claim is reached.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Criterion {
    /// The 95 % interval of the success rate contains this rate or lies above it. A run that fails counts as one without success.
    Success(f64),
    /// The 95 % interval of the success rate contains this rate or lies below it: for controls.
    SuccessAtMost(f64),
    /// The mean over all runs of this measure keeps to a bound.
    Mean(&'static str, Bound),
    /// This measure keeps to a bound in every run.
    EveryRun(&'static str, Bound),
}

/// What a measure may be.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Bound {
    /// This or more.
    AtLeast(f64),
    /// This or less.
    AtMost(f64),
    /// From the first to the second, both allowed.
    Within(f64, f64),
}

impl Bound {
    /// Whether `value` keeps to it. NaN never does.
    pub fn holds(self, value: f64) -> bool {
        let (low, high) = self.ends();
        low <= value && value <= high
    }

    /// The least and the largest value that keep to it.
    pub fn ends(self) -> (f64, f64) {
        match self {
            Self::AtLeast(low) => (low, f64::INFINITY),
            Self::AtMost(high) => (f64::NEG_INFINITY, high),
            Self::Within(low, high) => (low, high),
        }
    }
}

impl core::fmt::Display for Bound {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::AtLeast(low) => write!(f, "≥ {low}"),
            Self::AtMost(high) => write!(f, "≤ {high}"),
            Self::Within(low, high) => write!(f, "{low} to {high}"),
        }
    }
}

/// How sure a published number is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Certainty {
    /// Read in published code, in the paper or in a replication of it.
    Confirmed,
    /// Measured with another simulator that runs the same protocol.
    Measured,
    /// As it is usually quoted; not read in the paper.
    Quoted,
    /// Doubtful: sources disagree or none was found.
    Uncertain,
    /// The publication says it in words or in a figure; the number is this program's reading of it.
    Chosen,
}

impl Certainty {
    /// All of them, the surest first.
    pub const ALL: [Self; 5] = [
        Self::Confirmed,
        Self::Measured,
        Self::Quoted,
        Self::Uncertain,
        Self::Chosen,
    ];

    /// In a few words.
    pub fn words(self) -> &'static str {
        match self {
            Self::Confirmed => "confirmed",
            Self::Measured => "measured with another simulator",
            Self::Quoted => "as usually quoted",
            Self::Uncertain => "uncertain",
            Self::Chosen => "our reading",
        }
    }
}

/// The version for tests.
#[derive(Clone, Copy, Debug)]
pub struct Short {
    /// Runs of each condition.
    pub runs: u32,
    /// Parameters that differ from the published protocol.
    pub settings: &'static [(&'static str, f64)],
}

impl Experiment {
    /// The parameter of that name.
    pub fn parameter(&self, name: &str) -> Option<&'static Parameter> {
        self.parameters.iter().find(|p| p.name == name)
    }

    /// The measure of that name.
    pub fn measure(&self, name: &str) -> Option<&'static Measure> {
        self.measures.iter().find(|m| m.name == name)
    }

    /// What contradicts itself in the declaration, in words; a test sees to it that there is nothing in any experiment.
    pub fn contradictions(&self) -> Vec<String> {
        let mut found = Vec::new();
        let mut names: Vec<&str> = vec![self.name];
        names.extend(self.conditions.iter().map(|c| c.name));
        names.extend(self.measures.iter().map(|m| m.name));
        names.extend(self.parameters.iter().map(|p| p.name));
        for name in names.iter().filter(|name| !is_plain(name)) {
            found.push(format!("{name:?} is no plain name"));
        }
        let mut twice = |what: &str, names: Vec<&str>| {
            for (i, name) in names.iter().enumerate() {
                if names[..i].contains(name) {
                    found.push(format!("there are two {what} called {name:?}"));
                }
            }
        };
        twice(
            "conditions",
            self.conditions.iter().map(|c| c.name).collect(),
        );
        twice("measures", self.measures.iter().map(|m| m.name).collect());
        twice(
            "parameters",
            self.parameters.iter().map(|p| p.name).collect(),
        );
        for parameter in self.parameters {
            self.check_setting(&(parameter.name, parameter.default), &mut found);
        }
        for setting in self.short.settings {
            self.check_setting(setting, &mut found);
        }
        for condition in self.conditions {
            for setting in condition.settings {
                self.check_setting(setting, &mut found);
            }
            for claim in condition.claims {
                self.check_claim(condition.name, claim, &mut found);
            }
        }
        if self.conditions.iter().all(|c| c.on_request) {
            found.push("no condition runs by itself".into());
        }
        if self.conditions.iter().all(|c| c.claims.is_empty()) {
            found.push("nothing is judged".into());
        }
        if self.runs == 0 || self.short.runs == 0 {
            found.push("there are no runs".into());
        }
        found
    }

    fn check_setting(&self, &(name, value): &(&str, f64), found: &mut Vec<String>) {
        match self.parameter(name) {
            None => found.push(format!("there is no parameter {name:?}")),
            Some(p) if !p.range.contains(value) || (p.whole && value.fract() != 0.0) => {
                found.push(format!("{name} must not be {value}"));
            }
            Some(_) => {}
        }
    }

    fn check_claim(&self, condition: &str, claim: &Claim, found: &mut Vec<String>) {
        match claim.criterion {
            Criterion::Success(rate) | Criterion::SuccessAtMost(rate) => {
                if self.success.is_none() {
                    found.push(format!(
                        "{condition} is judged by success, which is not defined"
                    ));
                }
                if !(0.0..=1.0).contains(&rate) {
                    found.push(format!("{condition}: a rate is from 0 to 1, not {rate}"));
                }
            }
            Criterion::Mean(measure, bound) | Criterion::EveryRun(measure, bound) => {
                if self.measure(measure).is_none() {
                    found.push(format!("{condition}: there is no measure {measure:?}"));
                }
                let (low, high) = bound.ends();
                if !(low <= high) {
                    found.push(format!("{condition}: {measure} can never be {bound}"));
                }
            }
        }
    }
}

/// Whether a name can be a file name and a word on a command line: lower-case letters, digits, underscores and hyphens, at most 64.
pub fn is_plain(name: &str) -> bool {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_' || c == '-';
    (1..=64).contains(&name.len()) && name.chars().all(plain) && !name.starts_with('-')
}

#[cfg(test)]
mod tests {
    use super::super::testing::TOSS;
    use super::*;

    #[test]
    fn bounds_hold_their_ends_and_never_nan() {
        assert!(Bound::AtLeast(1.0).holds(1.0) && !Bound::AtLeast(1.0).holds(0.999));
        assert!(Bound::AtMost(1.0).holds(1.0) && !Bound::AtMost(1.0).holds(1.001));
        let within = Bound::Within(1.0, 2.0);
        assert!(within.holds(1.0) && within.holds(2.0) && !within.holds(2.1));
        for bound in [Bound::AtLeast(0.0), Bound::AtMost(0.0), within] {
            assert!(!bound.holds(f64::NAN));
        }
    }

    #[test]
    fn contradictions_are_found() {
        assert_eq!(TOSS.contradictions(), Vec::<String>::new());
        const BROKEN: Experiment = Experiment {
            name: "Broken one",
            success: None,
            measures: &[Measure::new("a", "", ""), Measure::new("a", "", "")],
            conditions: &[Condition::method("m", "")
                .with(&[("biass", 0.5), ("bias", 2.0)])
                .judged_by(&[
                    Claim::new(Criterion::Success(0.5), Certainty::Chosen, ""),
                    Claim::new(
                        Criterion::Mean("b", Bound::Within(2.0, 1.0)),
                        Certainty::Chosen,
                        "",
                    ),
                ])
                .on_request()],
            runs: 0,
            ..TOSS
        };
        let found = BROKEN.contradictions();
        for expected in [
            "\"Broken one\" is no plain name",
            "two measures called \"a\"",
            "no parameter \"biass\"",
            "bias must not be 2",
            "success, which is not defined",
            "no measure \"b\"",
            "b can never be 2 to 1",
            "no condition runs by itself",
            "there are no runs",
        ] {
            assert!(
                found.iter().any(|f| f.contains(expected)),
                "{expected}: {found:#?}"
            );
        }
    }
}
