//! Masquelier, Guyonneau & Thorpe 2008: one neuron finds a pattern that comes again and again, hidden in trains that are as dense.

use super::{
    Bound, Certainty, Claim, Condition, Criterion, Experiment, Measure, Outcome, Parameter,
    Pictures, Results, Run, Series, Short, Source, Stop,
};
use crate::coding::detection::Detection;
use crate::coding::masquelier::{Listeners, MasquelierStimulus};
use crate::neurons::srm::{AfferentSynapses, Pairing, SrmParameters, SrmPopulation, Stdp};
use crate::results::figure::{Figure, Panel};
use crate::results::raster::REGION_COLORS;
use crate::sim::quantity::Range;

pub(super) const EXPERIMENT: Experiment = Experiment {
    name: "masquelier2008",
    title: "STDP finds the start of a repeating spike pattern",
    source: Source {
        citation: "Masquelier, Guyonneau & Thorpe 2008, Spike timing dependent plasticity finds the start of repeating patterns in continuous spike trains, PLoS ONE 3:e1377; replicated by Hathway & Goodman 2018, ReScience 4(1):6",
        doi: "10.1371/journal.pone.0001377",
    },
    protocol: "\
Input: 2,000 afferents whose rates walk at random between 0 and 90 Hz, silent for 50 ms at most, and 10 Hz of Poisson noise: 64 Hz each. In a
quarter of all slots of 50 ms, never in two that are adjacent, half of the afferents repeat one pattern, each spike with a jitter of 1 ms (SD).
Neither rates of afferents nor their sum tell when. 150 s are repeated three times.

Neuron: spike response model, threshold 500, K1 2, K2 4, τm 10 ms, τs 2.5 ms, resolved in continuous time. All weights start at 0.475, within 0
to 1. Additive STDP: a₊ 1/32, a₋ 0.85 a₊, τ₊ 16.8 ms, τ₋ 33.7 ms; each spike pairs at most once on either side.

A run succeeds if in the last 150 s of 450 the neuron fires in more than 98 % of the presentations, never outside, and with a mean latency below
10 ms. *Found* is the first of 20 spikes in a row that all fall into presentations. Spikes alone are counted.

Controls: the same neuron without learning, and with two other pairings of spikes, nearest and all-to-all, which by the replication silence it.
The baseline is a detector of rates: equal weights that do not learn, so low that it fires about as often as the pattern comes, whenever
the afferents together are most active.

Robustness: conditions `sweep-…` run on request, `--only 'sweep-*'`, and vary one parameter each, as the paper's figures do. What they are judged by is
read off those figures and uncertain.",
    parameters: &[
        Parameter::number("duration_s", 450.0, "s", Range::between(1.0, 1e5), "simulated time"),
        Parameter::number("judged_s", 150.0, "s", Range::between(1.0, 1e5), "the part of it, at its end, that is judged"),
        Parameter::number("repeat_s", 150.0, "s", Range::between(0.0, 1e5), "after which the input repeats; 0 for never"),
        Parameter::number("frequency", 0.25, "", Range::between(0.0, 0.5), "share of slots with the pattern"),
        Parameter::number("jitter_ms", 1.0, "ms", Range::between(0.0, 8.0), "standard deviation of the jitter"),
        Parameter::number("proportion", 0.5, "", Range::between(0.0, 1.0), "share of afferents in the pattern"),
        Parameter::number("w0", 0.475, "", Range::between(0.0, 1.0), "weight of all synapses at the start"),
        Parameter::number("deletion", 0.0, "", Range::between(0.0, 1.0), "share of the pattern's spikes that are replaced, new ones each time"),
        Parameter::whole("learning", 1, "", Range::between(0.0, 1.0), "0 to hold weights"),
        Parameter::whole("pairing", 0, "", Range::between(0.0, 2.0), "which spikes pair: 0 each at most once, 1 nearest, 2 all"),
    ],
    measures: &[
        Measure::new("hit_rate", "%", "presentations with a spike, in the judged part"),
        Measure::new("false_alarms", "", "spikes outside presentations, in the judged part"),
        Measure::new("latency", "ms", "mean time of spikes since the start of the presentation, in the judged part"),
        Measure::new("found_s", "s", "until the pattern is found"),
        Measure::new("found_spikes", "", "spikes of the neuron until then"),
        Measure::new("found_presentations", "", "presentations until then"),
        Measure::new("rate_start", "Hz", "rate of the neuron in the first second"),
        Measure::new("rate_end", "Hz", "its rate in the judged part"),
        Measure::new("last_spike", "s", "time of its last spike"),
        Measure::new("large_inside", "", "weights above 0.5 at the end, of afferents in the pattern"),
        Measure::new("large_outside", "", "of the other afferents"),
    ],
    success: Some("hit rate above 98 %, no false alarm, mean latency below 10 ms"),
    conditions: &[
        Condition::method("published", "the protocol as published").judged_by(&[
            Claim::new(Criterion::Success(0.96), Certainty::Quoted, "96 % of 100 runs; the replication has more than 95 %"),
            Claim::new(Criterion::Mean("rate_start", Bound::Within(60.0, 66.0)), Certainty::Confirmed, "about 63 Hz before it is selective"),
            Claim::new(Criterion::Mean("found_s", Bound::Within(9.0, 20.0)), Certainty::Chosen, "after 13.5 s in the run that is shown; 14 s in the replication"),
            Claim::new(Criterion::Mean("found_spikes", Bound::Within(500.0, 1000.0)), Certainty::Chosen, "after about 700 discharges in the run that is shown"),
            Claim::new(Criterion::Mean("rate_end", Bound::Within(4.5, 5.5)), Certainty::Confirmed, "about 5 Hz in the end, once a presentation"),
            Claim::new(Criterion::Mean("latency", Bound::Within(3.0, 6.0)), Certainty::Quoted, "about 4 ms in the end"),
        ]),
        Condition::control("untrained", "no learning")
            .with(&[("learning", 0.0)])
            .judged_by(&[Claim::new(Criterion::SuccessAtMost(0.0), Certainty::Chosen, "learning is needed")]),
        Condition::control("nearest", "every spike pairs with the nearest on the other side")
            .with(&[("pairing", 1.0)])
            .judged_by(&[SILENCED]),
        Condition::control("all_to_all", "every spike pairs with all on the other side")
            .with(&[("pairing", 2.0)])
            .judged_by(&[SILENCED]),
        Condition::baseline("rate_detector", "equal weights that do not learn and fire at peaks of the summed rate")
            .with(&[("learning", 0.0), ("w0", RATE_DETECTOR)])
            .judged_by(&[Claim::new(Criterion::SuccessAtMost(0.0), Certainty::Chosen, "rates do not tell the pattern")]),
        sweep("sweep-frequency-05", "the pattern in 5 % of slots", &[("frequency", 0.05)], FAILS),
        sweep("sweep-frequency-10", "in 10 %", &[("frequency", 0.1)], &[]),
        sweep("sweep-frequency-15", "in 15 %", &[("frequency", 0.15)], HALF),
        sweep("sweep-frequency-50", "in 50 %, every second one", &[("frequency", 0.5)], HOLDS),
        sweep("sweep-jitter-0", "no jitter", &[("jitter_ms", 0.0)], HOLDS),
        sweep("sweep-jitter-2", "jitter of 2 ms", &[("jitter_ms", 2.0)], HALF),
        sweep("sweep-jitter-3", "of 3 ms", &[("jitter_ms", 3.0)], &[]),
        sweep("sweep-jitter-4", "of 4 ms", &[("jitter_ms", 4.0)], &[]),
        sweep("sweep-jitter-5", "of 5 ms", &[("jitter_ms", 5.0)], &[]),
        sweep("sweep-jitter-6", "of 6 ms", &[("jitter_ms", 6.0)], FAILS),
        sweep("sweep-proportion-30", "30 % of afferents in the pattern", &[("proportion", 0.3)], FAILS),
        sweep("sweep-proportion-40", "40 %", &[("proportion", 0.4)], HALF),
        sweep("sweep-proportion-60", "60 %", &[("proportion", 0.6)], HOLDS),
        sweep("sweep-w0-275", "weights that start at 0.275", &[("w0", 0.275)], FAILS),
        sweep("sweep-w0-325", "at 0.325", &[("w0", 0.325)], &[]),
        sweep("sweep-w0-375", "at 0.375", &[("w0", 0.375)], HALF),
        sweep("sweep-w0-425", "at 0.425", &[("w0", 0.425)], HOLDS),
        sweep("sweep-deletion-10", "10 % of the pattern's spikes replaced", &[("deletion", 0.1)], HALF),
        sweep("sweep-deletion-20", "20 %", &[("deletion", 0.2)], &[]),
        sweep("sweep-deletion-30", "30 %", &[("deletion", 0.3)], FAILS),
    ],
    runs: 100,
    short: Short {
        runs: 2,
        settings: &[("duration_s", 40.0), ("judged_s", 10.0)],
    },
    run,
    draw: Some(draw),
};

/// What other pairings do.
const SILENCED: Claim = Claim::new(
    Criterion::Mean("rate_end", Bound::AtMost(0.1)),
    Certainty::Confirmed,
    "the neuron falls silent, in the replication within a second",
);
const FAILS: &[Claim] = &[Claim::new(
    Criterion::SuccessAtMost(0.5),
    Certainty::Uncertain,
    "most runs fail",
)];
const HALF: &[Claim] = &[Claim::new(
    Criterion::Success(0.5),
    Certainty::Uncertain,
    "most runs succeed",
)];
const HOLDS: &[Claim] = &[Claim::new(
    Criterion::Success(0.9),
    Certainty::Uncertain,
    "nearly all runs succeed",
)];

const fn sweep(
    name: &'static str,
    meaning: &'static str,
    settings: &'static [(&'static str, f64)],
    claims: &'static [Claim],
) -> Condition {
    Condition::method(name, meaning)
        .with(settings)
        .judged_by(claims)
        .on_request()
}

/// The weight at which a neuron with equal weights fires about five times a second.
const RATE_DETECTOR: f64 = 0.238;
/// Spikes in a row within presentations that make a pattern found.
const ROW: u32 = 20;
/// Looks at the potential in a slot.
const LOOKS: u32 = 100;
/// How much of the potential is shown, in s.
const SHOWN_S: f64 = 1.0;

/// What a run says of its spikes as they come.
#[derive(Default)]
struct Course {
    /// The latency of each spike in ms; none outside presentations.
    latencies: Vec<Option<f64>>,
    presentations: u32,
    in_a_row: u32,
    /// Time in s, spikes and presentations at the first spike of the row that is under way.
    row: (f64, usize, u32),
    found: Option<(f64, usize, u32)>,
    first_second: u32,
    last_s: f64,
}

impl Course {
    fn see(&mut self, time_ms: f64, latency: Option<f64>) {
        let time_s = time_ms * 1e-3;
        self.first_second += u32::from(time_s < 1.0);
        self.last_s = time_s;
        self.in_a_row = if latency.is_some() {
            self.in_a_row + 1
        } else {
            0
        };
        if self.in_a_row == 1 {
            self.row = (time_s, self.latencies.len(), self.presentations);
        }
        if self.in_a_row == ROW && self.found.is_none() {
            self.found = Some(self.row);
        }
        self.latencies.push(latency);
    }
}

fn run(run: &Run<'_>) -> Result<Outcome, Stop> {
    let stimulus = MasquelierStimulus {
        frequency: run.number("frequency"),
        involved: run.number("proportion"),
        jitter_ms: run.number("jitter_ms"),
        deletion: run.number("deletion"),
        seed: run.seed(),
        ..Default::default()
    };
    let slots = |name| (run.number(name) * 1e3 / f64::from(stimulus.slot_ms)).round() as u64;
    let stimulus = MasquelierStimulus {
        repeat_slots: slots("repeat_s"),
        ..stimulus.clone()
    };
    let (all, judged) = (slots("duration_s"), slots("judged_s"));
    if judged > all {
        return Err("judged_s is longer than duration_s".into());
    }
    let stdp = Stdp {
        pairing: match run.whole("pairing") {
            0 => Pairing::ReducedNearest,
            1 => Pairing::Nearest,
            _ => Pairing::AllToAll,
        },
        frozen: !run.is_on("learning"),
        ..Default::default()
    };
    let w0 = run.number("w0") as f32;
    let synapses = AfferentSynapses::dense(stimulus.afferents, 1, |_, _| w0);
    let neuron = SrmPopulation::new(SrmParameters::default(), stdp, synapses)?;
    let mut listeners = Listeners::new(&stimulus, neuron)?;

    let mut course = Course::default();
    let mut detection = Detection::new(1, 1);
    let (mut potential, mut presentations) = (Vec::new(), Vec::new());
    for at in 0..all {
        if at % 20 == 0 {
            run.progress(at as f64 / all as f64)?;
        }
        let (slot, spikes) = if run.is_first() {
            listeners.next_slot_in_parts(LOOKS, |time_ms, neuron| {
                potential.extend(neuron.potential(0, time_ms).map(|u| (time_ms * 1e-3, u)));
            })
        } else {
            listeners.next_slot()
        };
        if slot.pattern.is_some() {
            course.presentations += 1;
            presentations.push((slot.start_ms * 1e-3, slot.end_ms * 1e-3));
        }
        for &(time, _) in spikes {
            let latency = slot.pattern.map(|_| time - slot.start_ms);
            course.see(time, latency);
        }
        if at >= all - judged {
            detection.see(&slot, spikes);
        }
    }

    let involved = listeners.stream().involved(0);
    let weights = listeners.neurons().synapses().weights();
    let (mut inside, mut outside) = (Vec::new(), Vec::new());
    for (afferent, &weight) in (0..).zip(weights) {
        let part = match involved.binary_search(&afferent) {
            Ok(_) => &mut inside,
            Err(_) => &mut outside,
        };
        part.push((f64::from(afferent), f64::from(weight)));
    }
    let large = |part: &[(f64, f64)]| part.iter().filter(|p| p.1 > 0.5).count() as f64;
    let score = detection.score(0, 0);
    let good = score.hit_rate > 0.98
        && score.false_alarms == 0
        && score.latency_ms.is_some_and(|ms| ms < 10.0);
    let mut outcome = Outcome::new()
        .measure("hit_rate", 100.0 * score.hit_rate)
        .measure("false_alarms", score.false_alarms.into())
        .measure_if("latency", score.latency_ms)
        .measure_if("found_s", course.found.map(|f| f.0))
        .measure_if("found_spikes", course.found.map(|f| f.1 as f64))
        .measure_if("found_presentations", course.found.map(|f| f.2.into()))
        .measure("rate_start", course.first_second.into())
        .measure("rate_end", detection.rate_hz(0))
        .measure("last_spike", course.last_s)
        .measure("large_inside", large(&inside))
        .measure("large_outside", large(&outside))
        .success(good);
    if run.is_first() {
        let first_spikes = first_spikes(&listeners);
        let end_s = all as f64 * f64::from(stimulus.slot_ms) * 1e-3;
        let found_s = course.found.map_or(0.5 * end_s, |f| f.0) - 0.7 * SHOWN_S;
        for (name, from) in [
            ("potential_start", 0.0),
            ("potential_found", found_s.max(0.0)),
            ("potential_end", end_s - SHOWN_S),
        ] {
            let shown = potential.iter().copied();
            let shown = shown.filter(|p| p.0 >= from && p.0 <= from + SHOWN_S);
            let series = Series::new(name, ("time", "s"), ("potential", ""), shown.collect());
            outcome = outcome.series(series);
        }
        let spikes = (1..).zip(&course.latencies);
        let within = spikes
            .clone()
            .filter_map(|(i, l)| Some((f64::from(i), (*l)?)));
        let others = spikes
            .filter(|s| s.1.is_none())
            .map(|(i, _)| (f64::from(i), 0.0));
        let (spike, latency) = (("discharge", ""), ("latency", "ms"));
        outcome = outcome
            .series(Series::new(
                "presentations",
                ("start", "s"),
                ("end", "s"),
                presentations,
            ))
            .series(Series::new("latencies", spike, latency, within.collect()))
            .series(Series::new("outside", spike, latency, others.collect()))
            .series(Series::new(
                "first_spikes",
                ("first spike", "ms"),
                ("weight", ""),
                first_spikes,
            ))
            .series(Series::new(
                "weights_inside",
                ("afferent", ""),
                ("weight", ""),
                inside,
            ))
            .series(Series::new(
                "weights_outside",
                ("afferent", ""),
                ("weight", ""),
                outside,
            ));
    }
    Ok(outcome)
}

/// When each afferent of the pattern first spikes in it, in ms, and its weight.
fn first_spikes(listeners: &Listeners) -> Vec<(f64, f64)> {
    let weights = listeners.neurons().synapses().weights();
    let mut seen = vec![false; weights.len()];
    let mut points = Vec::new();
    for spike in listeners.stream().pattern(0) {
        let afferent = spike.afferent as usize;
        if !core::mem::replace(&mut seen[afferent], true) {
            points.push((spike.time_ms, f64::from(weights[afferent])));
        }
    }
    points
}

fn draw(results: &Results, pictures: &mut Pictures) {
    if let Some(first) = results.first("published") {
        let seed = format!("seed {}", results.plan.first_seed);
        pictures.figure("potential", &potential(first).footnote(seed.clone()));
        pictures.figure("latency", &latency(first).footnote(seed.clone()));
        pictures.figure("weights", &weights(first).footnote(seed));
    }
    if let Some(figure) = sweeps(results) {
        pictures.figure("sweep", &figure);
    }
}

fn points(outcome: &Outcome, name: &str) -> Vec<(f64, f64)> {
    outcome.points(name).unwrap_or_default().to_vec()
}

fn potential(first: &Outcome) -> Figure {
    let shown = points(first, "presentations");
    let mut figure = Figure::new("Potential of the neuron, presentations of the pattern shaded")
        .columns(1)
        .panel_size(1500, 400);
    for (name, title) in [
        ("potential_start", "At the start"),
        ("potential_found", "As the pattern is found"),
        ("potential_end", "In the end"),
    ] {
        let course = points(first, name);
        let from = course.first().map_or(0.0, |p| p.0);
        let near = shown.iter().filter(|p| p.1 > from && p.0 < from + SHOWN_S);
        figure = figure.panel(
            Panel::new(title)
                .x("time", "s")
                .y("potential", "")
                .x_range(from, from + SHOWN_S)
                .y_range(-500.0, 1000.0)
                .spans("pattern", near.map(|p| [p.0, p.1]).collect())
                .color(REGION_COLORS[4])
                .line("potential", course)
                .color(REGION_COLORS[0])
                .level("threshold", SrmParameters::default().threshold),
        );
    }
    figure
}

fn latency(first: &Outcome) -> Figure {
    let panel = Panel::new("Every spike; those outside presentations are at 0")
        .x("discharge", "")
        .y("latency", "ms")
        .y_range(-1.0, 50.0)
        .dots("outside", points(first, "outside"))
        .color(REGION_COLORS[1])
        .dots("within a presentation", points(first, "latencies"))
        .color(REGION_COLORS[0]);
    let panel = match first.get("found_spikes") {
        Some(found) => panel.moment("found", found),
        None => panel,
    };
    Figure::new("Latency since the start of the pattern")
        .panel_size(1500, 620)
        .panel(panel)
}

fn weights(first: &Outcome) -> Figure {
    let by_afferent = Panel::new("By afferent")
        .x("afferent", "")
        .y("weight", "")
        .y_range(-0.04, 1.04)
        .dots("in the pattern", points(first, "weights_inside"))
        .dots("others", points(first, "weights_outside"));
    let values = |name| points(first, name).iter().map(|p| p.1).collect::<Vec<_>>();
    let counts = Panel::new("How many")
        .x("weight", "")
        .y("afferents", "")
        .histogram("in the pattern", &values("weights_inside"), 20, [0.0, 1.0])
        .histogram("others", &values("weights_outside"), 20, [0.0, 1.0]);
    let by_time = Panel::new("By the afferent's first spike in the pattern")
        .x("first spike", "ms")
        .y("weight", "")
        .x_range(0.0, 50.0)
        .y_range(-0.04, 1.04)
        .dots("", points(first, "first_spikes"));
    let by_time = match first.get("latency") {
        Some(latency) => by_time.moment("mean latency", latency),
        None => by_time,
    };
    Figure::new("Weights in the end")
        .columns(3)
        .panel_size(720, 560)
        .panel(by_afferent)
        .panel(by_time)
        .panel(counts)
}

/// Success over each parameter, if its sweep was run.
fn sweeps(results: &Results) -> Option<Figure> {
    let mut figure = Figure::new("Robustness: runs with success, 95 % intervals")
        .columns(3)
        .panel_size(640, 460)
        .footnote(format!("{} runs of each", results.plan.runs));
    let mut any = false;
    for (start, parameter, label, unit) in [
        (
            "sweep-frequency-",
            "frequency",
            "share of slots with the pattern",
            "",
        ),
        ("sweep-jitter-", "jitter_ms", "jitter", "ms"),
        (
            "sweep-proportion-",
            "proportion",
            "share of afferents in the pattern",
            "",
        ),
        ("sweep-w0-", "w0", "initial weight", ""),
        (
            "sweep-deletion-",
            "deletion",
            "share of spikes replaced",
            "",
        ),
    ] {
        let of_sweep = |name: &str| name.starts_with(start);
        if !results
            .conditions
            .iter()
            .any(|c| of_sweep(c.condition.name))
        {
            continue;
        }
        any = true;
        let mut rates: Vec<[f64; 4]> = (results.conditions.iter())
            .filter(|c| of_sweep(c.condition.name) || c.condition.name == "published")
            .filter_map(|c| {
                let success = c.success()?;
                let [low, high] = success.interval;
                let x = c.settings.get(parameter)?;
                Some([x, 100.0 * success.rate, 100.0 * low, 100.0 * high])
            })
            .collect();
        rates.sort_by(|a, b| a[0].total_cmp(&b[0]));
        figure = figure.panel(
            Panel::new("")
                .x(label, unit)
                .y("success", "%")
                .y_range(0.0, 104.0)
                .line("", rates.iter().map(|r| (r[0], r[1])).collect())
                .color(REGION_COLORS[5])
                .errors("", rates)
                .color(REGION_COLORS[0]),
        );
    }
    any.then_some(figure)
}

#[cfg(test)]
mod tests {
    use super::super::run::lone_run;
    use super::*;

    fn outcome(condition: &str, seed: u64, seconds: f64) -> Outcome {
        let settings = [("duration_s", seconds), ("judged_s", 10.0)];
        lone_run(&EXPERIMENT, condition, seed, &settings, |r| {
            run(r).expect("an outcome")
        })
    }

    #[test]
    fn the_pattern_is_found_by_learning_with_the_right_pairing_only() {
        let published = outcome("published", 2, 40.0);
        let measure = |name| published.get(name).expect("a measure");
        assert!(measure("hit_rate") > 95.0 && measure("false_alarms") == 0.0);
        assert!((8.0..20.0).contains(&measure("found_s")));
        assert!(measure("large_outside") * 10.0 < measure("large_inside"));
        for condition in ["untrained", "rate_detector"] {
            let outcome = outcome(condition, 2, 40.0);
            assert_eq!(outcome.succeeded(), Some(false), "{condition}");
            assert_eq!(outcome.get("found_s"), None, "{condition}");
        }
        for condition in ["nearest", "all_to_all"] {
            let outcome = outcome(condition, 2, 20.0);
            assert_eq!(outcome.get("rate_end"), Some(0.0), "{condition}");
        }
    }

    #[test]
    fn a_run_depends_on_its_seed_only_and_looking_changes_nothing() {
        let first = outcome("published", 4, 10.0);
        assert_eq!(first, outcome("published", 4, 10.0));
        assert_ne!(
            first.get("rate_end"),
            outcome("published", 5, 10.0).get("rate_end")
        );
        let shown = first.points("potential_start").expect("a potential");
        assert_eq!(shown.len(), 2000);
    }

    #[test]
    fn a_pattern_is_found_at_the_first_of_twenty_spikes_in_a_row() {
        let mut course = Course::default();
        let mut at = 0.0;
        let mut see = |course: &mut Course, inside: bool| {
            at += 1000.0;
            course.see(at, inside.then_some(3.0));
        };
        (0..19).for_each(|_| see(&mut course, true));
        see(&mut course, false);
        assert_eq!(course.found, None);
        (0..30).for_each(|_| see(&mut course, true));
        assert_eq!(course.found, Some((21.0, 20, 0)));
        assert_eq!(course.last_s, 50.0);
    }
}
