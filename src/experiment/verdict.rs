//! Whether criteria were reached, and why that is said.
//!
//! A claim is *undecided* where the runs do not tell: none finished, the experiment was interrupted, or a claim about a measure while
//! some runs failed. A success rate counts runs that failed as runs without success, so it can be judged in spite of them.

use super::contract::{Bound, Claim, Criterion, Experiment};
use super::results::ConditionResults;
use super::statistics::Proportion;
use crate::results::quantities::figures;
use serde::Serialize;

/// What became of a claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// The criterion holds.
    Reached,
    /// It does not.
    Missed,
    /// The runs do not tell.
    Undecided,
}

impl Verdict {
    /// In one word.
    pub fn name(self) -> &'static str {
        match self {
            Self::Reached => "reached",
            Self::Missed => "missed",
            Self::Undecided => "undecided",
        }
    }
}

/// A claim and what became of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Judgement {
    /// The claim.
    pub verdict: Verdict,
    /// What is judged, such as `success` or `mean rate_e`.
    pub judged: String,
    /// What would reach it, such as `7.12 to 7.41 Hz`.
    pub criterion: String,
    /// What came out, such as `7.24 Hz`.
    pub found: String,
    /// All of it in a sentence.
    pub words: String,
}

/// Judges a claim about a condition.
pub fn judge(experiment: &Experiment, results: &ConditionResults, claim: &Claim) -> Judgement {
    let (judged, criterion, outcome) = match claim.criterion {
        Criterion::Success(rate) => (
            "success".to_owned(),
            format!("95 % interval reaches {}", percent(rate)),
            success(results, |interval| interval[1] >= rate, rate),
        ),
        Criterion::SuccessAtMost(rate) => (
            "success".to_owned(),
            format!("95 % interval reaches down to {}", percent(rate)),
            success(results, |interval| interval[0] <= rate, rate),
        ),
        Criterion::Mean(name, bound) => (
            format!("mean {name}"),
            with_unit(experiment, name, bound.to_string()),
            mean(experiment, results, name, bound),
        ),
        Criterion::EveryRun(name, bound) => (
            format!("{name} in every run"),
            with_unit(experiment, name, bound.to_string()),
            every_run(experiment, results, name, bound),
        ),
    };
    let (mut verdict, found, mut words) = outcome;
    let left = results.not_run();
    // What one run has missed, no other can mend.
    let settled = verdict == Verdict::Missed && matches!(claim.criterion, Criterion::EveryRun(..));
    if left > 0 && verdict != Verdict::Undecided && !settled {
        verdict = Verdict::Undecided;
        words = format!(
            "{words}, but {left} of {} did not run",
            counted_runs(results.runs.len())
        );
    }
    let word = verdict.name();
    Judgement {
        verdict,
        words: format!("{}{}: {words}", word[..1].to_uppercase(), &word[1..]),
        judged,
        criterion,
        found,
    }
}

type Found = (Verdict, String, String);

fn nothing() -> Found {
    (Verdict::Undecided, "–".into(), "no run finished".into())
}

fn decided(holds: bool) -> Verdict {
    match holds {
        true => Verdict::Reached,
        false => Verdict::Missed,
    }
}

fn success(results: &ConditionResults, holds: impl Fn([f64; 2]) -> bool, rate: f64) -> Found {
    let Some(ours) = results.success() else {
        return nothing();
    };
    let place = match ours.interval {
        [low, _] if low > rate => "lies above",
        [_, high] if high < rate => "lies below",
        _ => "contains",
    };
    (
        decided(holds(ours.interval)),
        proportion(&ours),
        format!(
            "{} of {} runs succeeded; the 95 % interval, {}, {place} {}",
            ours.successes,
            ours.runs,
            interval(&ours),
            percent(rate)
        ),
    )
}

fn mean(experiment: &Experiment, results: &ConditionResults, name: &str, bound: Bound) -> Found {
    let Some(summary) = results.summary(name) else {
        return nothing();
    };
    let spread = summary
        .sd
        .map_or_else(String::new, |sd| format!(" ± {}", figures(sd)));
    let found = with_unit(
        experiment,
        name,
        format!("{}{spread}", figures(summary.mean)),
    );
    let holds = bound.holds(summary.mean);
    let mut words = format!(
        "the mean of {name} over {}, {}, {} {}",
        counted_runs(summary.runs),
        with_unit(experiment, name, figures(summary.mean)),
        if holds {
            "keeps to"
        } else {
            "does not keep to"
        },
        with_unit(experiment, name, bound.to_string()),
    );
    let lacking = results.finished() - summary.runs;
    if lacking > 0 {
        words += &format!(" ({} gave none)", counted_runs(lacking));
    }
    unless_failed(results, (decided(holds), found, words))
}

fn every_run(
    experiment: &Experiment,
    results: &ConditionResults,
    name: &str,
    bound: Bound,
) -> Found {
    if results.finished() == 0 {
        return nothing();
    }
    let values = results.values(name);
    let good = values.iter().filter(|v| bound.holds(**v)).count();
    let found = match results.summary(name) {
        None => "–".to_owned(),
        Some(s) => with_unit(
            experiment,
            name,
            format!("{} to {}", figures(s.min), figures(s.max)),
        ),
    };
    let words = format!(
        "{name} keeps to {} in {good} of {}",
        with_unit(experiment, name, bound.to_string()),
        counted_runs(results.finished()),
    );
    let verdict = decided(good == results.finished());
    match verdict {
        Verdict::Missed => (verdict, found, words),
        _ => unless_failed(results, (verdict, found, words)),
    }
}

fn unless_failed(results: &ConditionResults, (verdict, found, words): Found) -> Found {
    match results.failures().count() {
        0 => (verdict, found, words),
        n => (
            Verdict::Undecided,
            found,
            format!("{words}, but {} failed", counted_runs(n)),
        ),
    }
}

fn counted_runs(n: usize) -> String {
    crate::results::quantities::counted(n as u64, "run")
}

/// A measure's value with its unit.
pub(super) fn with_unit(experiment: &Experiment, measure: &str, value: String) -> String {
    match experiment.measure(measure).map_or("", |m| m.unit) {
        "" => value,
        unit => format!("{value} {unit}"),
    }
}

/// A rate in percent: `96 %`, `99.1 %`.
pub(super) fn percent(rate: f64) -> String {
    // Tenths, so that neither 0.991 nor 0.96 shows rounding noise.
    format!("{} %", (rate * 1000.0).round() / 10.0)
}

/// `9 of 10 (90 %)`.
pub(super) fn proportion(p: &Proportion) -> String {
    format!("{} of {} ({})", p.successes, p.runs, percent(p.rate))
}

/// `59.6 to 98.2 %`.
pub(super) fn interval(p: &Proportion) -> String {
    let [low, high] = p.interval.map(|end| (end * 1000.0).round() / 10.0);
    format!("{low} to {high} %")
}

#[cfg(test)]
mod tests {
    use super::super::contract::Certainty;
    use super::super::outcome::Outcome;
    use super::super::results::{End, RunResult};
    use super::super::settings::Settings;
    use super::super::testing::TOSS;
    use super::*;

    /// Runs with these heads, of which those above 50 are a success; NaN is a run that failed, infinity one that did not run.
    fn results(heads: &[f64]) -> ConditionResults {
        let end = |heads: f64| match heads {
            h if h.is_nan() => End::Failed("it fell".into()),
            h if h.is_infinite() => End::NotRun,
            h => End::Finished(Outcome::new().measure("heads", h).success(h > 50.0)),
        };
        ConditionResults {
            condition: &TOSS.conditions[0],
            settings: Settings::new(&TOSS, false, &[]).expect("settings"),
            runs: (1..)
                .zip(heads)
                .map(|(seed, h)| RunResult { seed, end: end(*h) })
                .collect(),
        }
    }

    fn verdict(heads: &[f64], criterion: Criterion) -> Verdict {
        let claim = Claim::new(criterion, Certainty::Chosen, "");
        judge(&TOSS, &results(heads), &claim).verdict
    }

    fn coins(good: usize, bad: usize) -> Vec<f64> {
        [vec![60.0; good], vec![40.0; bad]].concat()
    }

    #[test]
    fn a_success_rate_is_reached_if_its_interval_contains_or_exceeds_it() {
        use Verdict::{Missed, Reached, Undecided};
        // 96 of 100: 90.16 to 98.43 %.
        for (rate, up, down) in [
            (0.96, Reached, Reached),
            (0.98, Reached, Reached),
            (0.99, Missed, Reached),
            (0.80, Reached, Missed),
        ] {
            assert_eq!(
                verdict(&coins(96, 4), Criterion::Success(rate)),
                up,
                "{rate}"
            );
            assert_eq!(
                verdict(&coins(96, 4), Criterion::SuccessAtMost(rate)),
                down,
                "{rate}"
            );
        }
        assert_eq!(verdict(&coins(10, 0), Criterion::Success(1.0)), Reached);
        assert_eq!(verdict(&coins(9, 1), Criterion::Success(1.0)), Missed);
        assert_eq!(
            verdict(&coins(0, 9), Criterion::SuccessAtMost(0.0)),
            Reached
        );
        assert_eq!(verdict(&coins(1, 8), Criterion::SuccessAtMost(0.0)), Missed);
        assert_eq!(verdict(&[], Criterion::Success(0.0)), Undecided);
    }

    #[test]
    fn runs_that_failed_are_no_successes() {
        let mut heads = coins(96, 0);
        heads.extend([f64::NAN; 30]);
        assert_eq!(verdict(&heads, Criterion::Success(0.96)), Verdict::Missed);
        assert_eq!(
            verdict(&[f64::NAN; 5], Criterion::Success(0.96)),
            Verdict::Missed
        );
    }

    #[test]
    fn measures_are_judged_by_their_mean_or_in_every_run() {
        use Verdict::{Missed, Reached, Undecided};
        let mean = Criterion::Mean("heads", Bound::Within(50.0, 60.0));
        let every = Criterion::EveryRun("heads", Bound::Within(50.0, 60.0));
        for (heads, by_mean, by_run) in [
            (&[50.0, 60.0][..], Reached, Reached),
            (&[45.0, 60.0], Reached, Missed),
            (&[45.0, 50.0], Missed, Missed),
            (&[55.0, f64::NAN], Undecided, Undecided),
            (&[45.0, f64::NAN], Undecided, Missed),
            (&[55.0, f64::INFINITY], Undecided, Undecided),
            (&[45.0, f64::INFINITY], Undecided, Missed),
            (&[f64::INFINITY], Undecided, Undecided),
        ] {
            assert_eq!(verdict(heads, mean), by_mean, "{heads:?}");
            assert_eq!(verdict(heads, every), by_run, "{heads:?}");
        }
        // A run that lacks the measure misses a claim about every run and is left out of the mean.
        let mut lacking = results(&[55.0, 55.0]);
        lacking.runs[1].end = End::Finished(Outcome::new().success(false));
        let judged = |criterion| {
            judge(
                &TOSS,
                &lacking,
                &Claim::new(criterion, Certainty::Chosen, ""),
            )
        };
        assert_eq!(judged(every).verdict, Missed);
        let mean = judged(mean);
        assert_eq!(mean.verdict, Reached);
        assert_eq!(
            mean.words,
            "Reached: the mean of heads over 1 run, 55.0 %, keeps to 50 to 60 % (1 run gave none)"
        );
    }

    #[test]
    fn words_say_what_was_found() {
        let claim = TOSS.conditions[0].claims[0];
        let judged = judge(&TOSS, &results(&coins(10, 0)), &claim);
        assert_eq!(judged.found, "10 of 10 (100 %)");
        assert_eq!(
            judged.words,
            "Reached: 10 of 10 runs succeeded; the 95 % interval, 72.2 to 100 %, contains 99 %"
        );
        let mut heads = coins(9, 0);
        heads.push(f64::INFINITY);
        let judged = judge(&TOSS, &results(&heads), &claim);
        assert_eq!(judged.verdict, Verdict::Undecided);
        assert!(
            judged.words.ends_with(", but 1 of 10 runs did not run"),
            "{}",
            judged.words
        );
    }
}
