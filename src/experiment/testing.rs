//! An experiment that the tests of the framework run.

use super::contract::{
    Bound, Certainty, Claim, Condition, Criterion, Experiment, Measure, Parameter, Short, Source,
};
use super::outcome::{Outcome, Series};
use crate::sim::quantity::Range;
use crate::sim::rng::{avalanche, entity_key};

/// Tosses of a coin.
pub const TOSS: Experiment = Experiment {
    name: "toss",
    title: "A coin that prefers heads",
    source: Source {
        citation: "Nobody 1900",
        doi: "10.0/0",
    },
    protocol: "The coin is tossed.",
    parameters: &[
        Parameter::number(
            "bias",
            0.9,
            "",
            Range::between(0.0, 1.0),
            "how often it shows heads",
        ),
        Parameter::whole(
            "tosses",
            100,
            "",
            Range::between(1.0, 1e6),
            "how often it is tossed",
        ),
    ],
    measures: &[Measure::new("heads", "%", "tosses that show heads")],
    success: Some("heads more often than tails"),
    conditions: &[
        Condition::method("biased", "as published").judged_by(&[
            Claim::new(
                Criterion::Success(0.99),
                Certainty::Confirmed,
                "99 % of coins",
            ),
            Claim::new(
                Criterion::Mean("heads", Bound::AtLeast(80.0)),
                Certainty::Quoted,
                "9 in 10 heads",
            ),
        ]),
        Condition::control("fair", "a fair coin")
            .with(&[("bias", 0.5)])
            .judged_by(&[
                Claim::new(
                    Criterion::SuccessAtMost(0.5),
                    Certainty::Chosen,
                    "as often as not",
                ),
                Claim::new(
                    Criterion::EveryRun("heads", Bound::Within(45.0, 55.0)),
                    Certainty::Uncertain,
                    "about a half",
                ),
            ]),
    ],
    runs: 20,
    short: Short {
        runs: 3,
        settings: &[("tosses", 10.0)],
    },
    run: |run| {
        let key = avalanche(run.seed() ^ entity_key(run.condition()));
        let tosses = run.whole("tosses");
        let shown = |i: u64| (avalanche(key ^ avalanche(i)) >> 11) as f64 / (1u64 << 53) as f64;
        let heads = (0..tosses)
            .filter(|&i| shown(i) < run.number("bias"))
            .count();
        let share = 100.0 * heads as f64 / tosses as f64;
        let outcome = Outcome::new().measure("heads", share).success(share > 50.0);
        Ok(match run.is_first() {
            false => outcome,
            true => outcome.series(Series::new(
                "coin",
                ("toss", ""),
                ("shown", ""),
                (0..tosses.min(5)).map(|i| (i as f64, shown(i))).collect(),
            )),
        })
    },
    draw: None,
};
