//! Masquelier, Guyonneau & Thorpe 2009: neurons that inhibit each other share out several patterns and the parts of each.

mod judge;
mod pictures;

use super::{
    Bound, Certainty, Claim, Condition, Criterion, Experiment, Matrix, Measure, Outcome, Parameter,
    Run, Series, Short, Source, Stop,
};
use crate::coding::detection::Detection;
use crate::coding::masquelier::{Listeners, MasquelierStimulus};
use crate::neurons::srm::{AfferentSynapses, SrmParameters, SrmPopulation, Stdp};
use crate::sim::quantity::Range;
use crate::sim::rng::{Purpose, Random, entity_key};
use judge::{Hit, Roles};

pub(super) const EXPERIMENT: Experiment = Experiment {
    name: "masquelier2009",
    title: "Competing neurons share out spike patterns and their parts",
    source: Source {
        citation: "Masquelier, Guyonneau & Thorpe 2009, Competitive STDP-based spike pattern learning, Neural Comput. 21:1259",
        doi: "10.1162/neco.2008.06-08-804",
    },
    protocol: "\
Input, neurons and STDP are those of `masquelier2008`, but for this: weights start at random, evenly between 0 and 1; the threshold is 550; a
third of all slots has a pattern, all patterns together; of several patterns each involves a random half of the afferents. A spike
inhibits all other neurons by a potential of the shape of the excitatory one with a peak of 0.25 thresholds. Input that arrives within 5 ms of a
neuron's own spike is dropped.

One pattern and three neurons: 75 s of input, three times. Three patterns and nine neurons: 225 s, three times. The last time is judged.

A neuron is *successful* for a pattern if its hit rate is above 90 % and it fires less than once a second otherwise. The hit rate is that of the
authors' evaluation, spikes within presentations over presentations; beside it stands the stricter count of presentations with a spike
(`strictly_successful`, `strictly_covered`). A neuron is *dead* if it fires less than once in 10 s, and a *duplicate* if its mean latency is less than
2 ms behind that of another successful neuron of the same pattern. A run succeeds if every pattern has a successful neuron; no source says how
many runs should, so the rate is told and not judged. Spikes alone are counted.

Newcomers: after 675 s with three patterns and nine neurons, `newcomers` neurons with random weights join them and a fourth pattern
begins, as often as each of the others; all go on to learn for `later_s`. Here the input does not repeat, so that the fourth pattern is new when it comes.

Neurons that have a pattern go on competing for it. Where a run with one pattern fails, neurons that fire in nothing else do fire in it, but the best in
80 to 90 % of its presentations: now and then another one that is as early takes some of them over.

Controls: no inhibition; no learning, for 225 s as nothing changes; the fourth pattern without new neurons.

Not certain: threshold, lengths, refractory time and the criterion of success are those of programs that descend from the authors'; what the
paper says of the mean number of successful neurons and of latencies is quoted from memory. That a duplicate is within 2 ms is chosen here:
twice the jitter.",
    parameters: &[
        Parameter::whole("patterns", 3, "", Range::between(1.0, 100.0), "different patterns"),
        Parameter::whole("neurons", 9, "", Range::between(1.0, 1000.0), "competing neurons"),
        Parameter::number("frequency", 1.0 / 3.0, "", Range::between(0.0, 0.5), "share of slots with one of the patterns"),
        Parameter::number("duration_s", 675.0, "s", Range::between(1.0, 1e5), "simulated time"),
        Parameter::number("judged_s", 225.0, "s", Range::between(1.0, 1e5), "the part of it, at its end, that is judged"),
        Parameter::number("repeat_s", 225.0, "s", Range::between(0.0, 1e5), "after which the input repeats; 0 for never"),
        Parameter::number("threshold", 550.0, "", Range::positive(), "threshold of the neurons"),
        Parameter::number("alpha", 0.25, "", Range::non_negative(), "peak of the inhibition in thresholds"),
        Parameter::number("t_ref", 5.0, "ms", Range::between(0.0, 100.0), "refractory time: 0, or 1 and more"),
        Parameter::whole("learning", 1, "", Range::between(0.0, 1.0), "0 to hold weights"),
        Parameter::whole("new_patterns", 0, "", Range::between(0.0, 100.0), "patterns that begin after duration_s"),
        Parameter::whole("newcomers", 0, "", Range::between(0.0, 1000.0), "neurons that join then"),
        Parameter::number("later_s", 450.0, "s", Range::between(1.0, 1e5), "simulated time after that, if anything is new"),
    ],
    measures: &[
        Measure::new("successful", "", "neurons that are successful for a pattern"),
        Measure::new("dead", "", "neurons that fire less than once in 10 s"),
        Measure::new("others", "", "the remaining ones, which fire for no pattern alone"),
        Measure::new("duplicates", "", "successful neurons less than 2 ms behind another one of the same pattern"),
        Measure::new("covered", "%", "patterns with a successful neuron"),
        Measure::new("strictly_successful", "", "neurons that are successful where a hit is a presentation with a spike"),
        Measure::new("strictly_covered", "%", "patterns with one of those"),
        Measure::new("latency_1", "ms", "mean latency of the first successful neuron, over patterns"),
        Measure::new("latency_2", "ms", "of the second one"),
        Measure::new("latency_3", "ms", "of the third one"),
        Measure::new("kept", "%", "old neurons that were successful before the new and still are, for the same pattern"),
        Measure::new("new_on_new", "", "new neurons that are successful for a new pattern"),
        Measure::new("new_on_old", "", "new neurons that are successful for an old pattern"),
        Measure::new("old_on_new", "", "old neurons that are successful for a new pattern"),
    ],
    success: Some("every pattern has a successful neuron"),
    conditions: &[
        Condition::method("one_pattern", "three neurons on one pattern")
            .with(ONE)
            .judged_by(&[
                Claim::new(Criterion::Mean("latency_1", Bound::Within(2.0, 7.0)), Certainty::Uncertain, "about 4 ms"),
                Claim::new(Criterion::Mean("latency_2", Bound::Within(9.0, 18.0)), Certainty::Uncertain, "about 12 to 15 ms"),
                Claim::new(Criterion::Mean("latency_3", Bound::Within(20.0, 35.0)), Certainty::Uncertain, "about 25 to 30 ms"),
                Claim::new(Criterion::Mean("duplicates", Bound::AtMost(0.1)), Certainty::Chosen, "neurons learn successive parts of the pattern"),
            ]),
        Condition::method("three_patterns", "nine neurons on three patterns").judged_by(&[
            Claim::new(Criterion::Mean("successful", Bound::Within(5.1, 6.3)), Certainty::Uncertain, "about 5.7 of 9 neurons in the mean of 100 runs, give or take a tenth"),
            Claim::new(Criterion::Mean("covered", Bound::AtLeast(90.0)), Certainty::Uncertain, "nearly all patterns are covered"),
            Claim::new(Criterion::Mean("duplicates", Bound::AtMost(0.5)), Certainty::Chosen, "neurons learn different patterns or parts"),
        ]),
        Condition::method("newcomers", "a fourth pattern and three new neurons after training")
            .with(NEWCOMERS)
            .judged_by(&[
                Claim::new(Criterion::Mean("new_on_new", Bound::AtLeast(1.0)), Certainty::Chosen, "new neurons learn the new pattern"),
                Claim::new(Criterion::Mean("kept", Bound::AtLeast(90.0)), Certainty::Chosen, "old neurons keep theirs"),
            ]),
        Condition::control("one_uninhibited", "three neurons on one pattern, no inhibition")
            .with(&[("patterns", 1.0), ("neurons", 3.0), ("duration_s", 225.0), ("judged_s", 75.0), ("repeat_s", 75.0), ("alpha", 0.0)])
            .judged_by(&[Claim::new(Criterion::Mean("duplicates", Bound::AtLeast(1.0)), Certainty::Chosen, "without competition they learn the same part")]),
        Condition::control("three_uninhibited", "nine neurons on three patterns, no inhibition")
            .with(&[("alpha", 0.0)])
            .judged_by(&[Claim::new(Criterion::Mean("duplicates", Bound::AtLeast(1.0)), Certainty::Chosen, "without competition they learn the same parts")]),
        Condition::control("untrained", "nine neurons on three patterns, no learning")
            .with(&[("learning", 0.0), ("duration_s", 225.0)])
            .judged_by(&[Claim::new(Criterion::SuccessAtMost(0.0), Certainty::Chosen, "learning is needed")]),
        Condition::control("no_newcomers", "a fourth pattern after training, no new neurons")
            .with(&[("new_patterns", 1.0), ("repeat_s", 0.0)])
            .judged_by(&[Claim::new(Criterion::Mean("old_on_new", Bound::AtMost(0.5)), Certainty::Chosen, "trained neurons do not take a new pattern up")]),
        Condition::method("no_refractoriness", "three patterns, input after a spike counts at once")
            .with(&[("t_ref", 0.0)])
            .on_request(),
        Condition::method("strong_inhibition", "three patterns, inhibition twice as strong")
            .with(&[("alpha", 0.5)])
            .on_request(),
    ],
    runs: 100,
    short: Short {
        runs: 1,
        settings: &[("duration_s", 30.0), ("judged_s", 10.0), ("later_s", 10.0)],
    },
    run,
    draw: Some(pictures::draw),
};

const ONE: &[(&str, f64)] = &[
    ("patterns", 1.0),
    ("neurons", 3.0),
    ("duration_s", 225.0),
    ("judged_s", 75.0),
    ("repeat_s", 75.0),
];
const NEWCOMERS: &[(&str, f64)] = &[("new_patterns", 1.0), ("newcomers", 3.0), ("repeat_s", 0.0)];

/// Slots between two looks at whether to go on.
const BATCH: u64 = 20;

/// What is kept of the first run: each spike as time in s, neuron, pattern or −1, and latency in ms or 0; and each presentation as its start
/// in s and pattern.
#[derive(Default)]
struct Diary {
    discharges: Vec<f32>,
    presentations: Vec<f32>,
}

fn run(run: &Run<'_>) -> Result<Outcome, Stop> {
    let patterns = run.whole("patterns") as u32;
    let new_patterns = run.whole("new_patterns") as u32;
    let neurons = run.whole("neurons") as u32;
    let newcomers = run.whole("newcomers") as u32;
    let anything_new = new_patterns + newcomers > 0;

    let slot_ms = MasquelierStimulus::default().slot_ms;
    let slots = |name| (run.number(name) * 1e3 / f64::from(slot_ms)).round() as u64;
    let (first, judged) = (slots("duration_s"), slots("judged_s"));
    let later = if anything_new { slots("later_s") } else { 0 };
    if judged > first || (anything_new && judged > later) {
        return Err("judged_s is longer than duration_s or later_s".into());
    }
    let share = f64::from(patterns + new_patterns) / f64::from(patterns);
    let mut starts = vec![0; patterns as usize];
    starts.resize((patterns + new_patterns) as usize, first);
    let stimulus = MasquelierStimulus {
        patterns: patterns + new_patterns,
        frequency: run.number("frequency") * share,
        repeat_slots: slots("repeat_s"),
        starts,
        seed: run.seed(),
        ..Default::default()
    };
    let parameters = SrmParameters {
        threshold: run.number("threshold"),
        alpha: run.number("alpha"),
        t_ref: run.number("t_ref"),
        ..Default::default()
    };
    let stdp = Stdp {
        frozen: !run.is_on("learning"),
        ..Default::default()
    };
    let random = Random::new(run.seed(), entity_key("initial weights"), Purpose::Initial);
    let weight = |afferent: u32, neuron: u32| {
        random
            .draws(u64::from(neuron) << 32 | u64::from(afferent))
            .unit() as f32
    };
    let synapses = AfferentSynapses::dense(stimulus.afferents, neurons, weight);
    let population = SrmPopulation::new(parameters, stdp, synapses)?;
    let mut listeners = Listeners::new(&stimulus, population)?;

    let mut diary = run.is_first().then(Diary::default);
    let all = first + later;
    let before = present(run, &mut listeners, 0..first, judged, all, &mut diary)?;
    let mut strict = Roles::of(&before, Hit::Presentation);
    let before = Roles::of(&before, Hit::Spike);
    let mut after = None;
    if anything_new {
        for neuron in neurons..neurons + newcomers {
            let incoming: Vec<_> = (0..stimulus.afferents)
                .map(|a| (a, weight(a, neuron)))
                .collect();
            listeners.neurons_mut().add_neuron(&incoming)?;
        }
        let seen = present(run, &mut listeners, first..all, judged, all, &mut diary)?;
        strict = Roles::of(&seen, Hit::Presentation);
        after = Some(Roles::of(&seen, Hit::Spike));
    }
    let roles = after.as_ref().unwrap_or(&before);
    let mut outcome = Outcome::new()
        .measure("successful", roles.successful().count() as f64)
        .measure("dead", roles.dead() as f64)
        .measure("others", roles.others() as f64)
        .measure("duplicates", roles.duplicates() as f64)
        .measure("covered", 100.0 * roles.covered())
        .measure("strictly_successful", strict.successful().count() as f64)
        .measure("strictly_covered", 100.0 * strict.covered())
        .measure_if("latency_1", roles.mean_latency(0))
        .measure_if("latency_2", roles.mean_latency(1))
        .measure_if("latency_3", roles.mean_latency(2))
        .success(roles.covered() == 1.0);
    if let Some(after) = &after {
        let count = |new_neuron: bool, new_pattern: bool| {
            let fits = |&(pattern, neuron): &(u32, u32)| {
                (neuron >= neurons) == new_neuron && (pattern >= patterns) == new_pattern
            };
            after.successful().filter(fits).count() as f64
        };
        outcome = outcome
            .measure_if("kept", before.kept(after).map(|share| 100.0 * share))
            .measure("new_on_new", count(true, true))
            .measure("new_on_old", count(true, false))
            .measure("old_on_new", count(false, true));
    }
    let by_rank = roles
        .latencies()
        .map(|(rank, latency)| (rank as f64, latency));
    outcome = outcome.series(Series::new(
        "latencies",
        ("place in the pattern", ""),
        ("latency", "ms"),
        by_rank.collect(),
    ));
    if let Some(diary) = diary {
        outcome = outcome
            .matrix(Matrix::new(
                "hit_rates",
                ("hit rate", ""),
                roles.neurons(),
                roles.hit_rates(),
            ))
            .matrix(Matrix::new(
                "discharges",
                ("time (s), neuron, pattern, latency (ms)", ""),
                4,
                diary.discharges,
            ))
            .matrix(Matrix::new(
                "presentations",
                ("start (s), pattern", ""),
                2,
                diary.presentations,
            ));
    }
    Ok(outcome)
}

/// Presents the slots of a range, which are to come, and judges the last `judged` of them. All slots of the run are `all`.
fn present(
    run: &Run<'_>,
    listeners: &mut Listeners,
    slots: core::ops::Range<u64>,
    judged: u64,
    all: u64,
    diary: &mut Option<Diary>,
) -> Result<Detection, Stop> {
    let patterns = &listeners.stream().stimulus();
    let started = (patterns.starts.iter())
        .filter(|&&start| start <= slots.start)
        .count();
    let mut detection = Detection::new(started as u32, listeners.neurons().synapses().neurons());
    for at in slots.clone() {
        if at % BATCH == 0 {
            run.progress(at as f64 / all as f64)?;
        }
        let (slot, spikes) = listeners.next_slot();
        if at >= slots.end - judged {
            detection.see(&slot, spikes);
        }
        if let Some(diary) = diary {
            if let Some(pattern) = slot.pattern {
                let start_s = (slot.start_ms * 1e-3) as f32;
                diary.presentations.extend([start_s, pattern as f32]);
            }
            for &(time, neuron) in spikes {
                let (pattern, latency) = match slot.pattern {
                    Some(pattern) => (pattern as f32, (time - slot.start_ms) as f32),
                    None => (-1.0, 0.0),
                };
                let time_s = (time * 1e-3) as f32;
                diary
                    .discharges
                    .extend([time_s, neuron as f32, pattern, latency]);
            }
        }
    }
    Ok(detection)
}

#[cfg(test)]
mod tests {
    use super::super::run::lone_run;
    use super::*;

    fn outcome(condition: &str, seed: u64, settings: &[(&str, f64)]) -> Outcome {
        lone_run(&EXPERIMENT, condition, seed, settings, |r| {
            run(r).expect("an outcome")
        })
    }

    #[test]
    fn inhibition_parts_neurons_that_learn_the_same_without_it() {
        let (inhibited, free) = (
            outcome("one_pattern", 1, &[]),
            outcome("one_uninhibited", 1, &[]),
        );
        let measure = |outcome: &Outcome, name| outcome.get(name).unwrap_or(-1.0);
        assert!(measure(&inhibited, "successful") >= 2.0);
        assert_eq!(measure(&inhibited, "duplicates"), 0.0);
        assert!(measure(&free, "duplicates") >= 1.0);
    }

    #[test]
    fn a_run_depends_on_its_seed_only() {
        let short = [("duration_s", 12.0), ("judged_s", 5.0), ("later_s", 5.0)];
        let one = outcome("newcomers", 3, &short);
        assert_eq!(one, outcome("newcomers", 3, &short));
        assert_ne!(one, outcome("newcomers", 4, &short));
        let rates = one.find_matrix("hit_rates").expect("hit rates");
        assert_eq!((rates.columns, rates.values.len()), (12, 48));
        // No fourth pattern before its time.
        let shown = one.find_matrix("presentations").expect("presentations");
        let fourth = shown.values.chunks(2).filter(|p| p[1] == 3.0);
        let earliest = fourth.map(|p| p[0]).fold(f32::INFINITY, f32::min);
        assert!((12.0..17.0).contains(&earliest), "{earliest}");
    }
}
