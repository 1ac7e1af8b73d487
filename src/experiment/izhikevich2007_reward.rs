//! Izhikevich 2007: a network finds out which of its 80,000 synapses brings a reward that comes seconds later.

use super::izhikevich2007_network::{W_MAX, average, failed, methods, network};
use super::{
    Bound, Certainty, Claim, Condition, Criterion, Experiment, Measure, Outcome, Parameter,
    Pictures, Results, Run, Series, Short, Source, Stop,
};
use crate::modulation::Rewarder;
use crate::results::canvas::Color;
use crate::results::figure::{Figure, Panel};
use crate::sim::quantity::Range;

pub(super) const EXPERIMENT: Experiment = Experiment {
    name: "izhikevich2007_reward",
    title: "Distal reward: one synapse of 80,000 earns dopamine that comes seconds later",
    source: Source {
        citation: "Izhikevich 2007, Solving the distal reward problem through linkage of STDP and dopamine signaling, Cereb. Cortex 17:2443, figure 1 and the author's script",
        doi: "10.1093/cercor/bhl152",
    },
    protocol: concat!(methods!(), "
One synapse from a neuron n1 to a neuron n2 starts at 0. Whenever n2 fires within 20 ms after n1, dopamine is raised by 0.5 after a delay
drawn evenly from 1 to 3 s. The run lasts an hour.

A run succeeds if the synapse is at 3.5 or more at the end, as one of the strongest. The control gets the same dopamine, but at moments
that have nothing to do with n1 and n2: coincidences of two other neurons that have no synapse between them."),
    parameters: &[
        Parameter::number("duration_s", 3600.0, "s", Range::between(1.0, 1e6), "simulated time"),
        Parameter::whole("elsewhere", 0, "", Range::between(0.0, 1.0), "1 to reward a coincidence of two other neurons"),
        Parameter::number("dopamine", 0.5, "", Range::between(0.0, 1e12), "what a reward adds"),
    ],
    measures: &[
        Measure::new("weight", "mV/ms", "of the rewarded synapse at the end"),
        Measure::new("rank", "", "how many excitatory synapses are stronger at the end"),
        Measure::new("share_above", "%", "of the other excitatory synapses that are at 3.5 or more"),
        Measure::new("mean_weight", "mV/ms", "of all excitatory synapses at the end"),
        Measure::new("time_to_top", "s", "until the synapse first is at 3.5"),
        Measure::new("rewards", "", "number of rewards"),
        Measure::new("rate", "Hz", "mean rate of an excitatory neuron"),
    ],
    success: Some("the rewarded synapse is at 3.5 or more at the end"),
    conditions: &[
        Condition::method("rewarded", "reward for n1 before n2").judged_by(&[
            Claim::new(
                Criterion::Success(0.9),
                Certainty::Chosen,
                "the paper shows one run that reaches the top within the hour; 9 of 10 seeds",
            ),
            Claim::new(
                Criterion::Mean("share_above", Bound::AtMost(5.0)),
                Certainty::Chosen,
                "the others stay spread near the low end",
            ),
        ]),
        Condition::control("elsewhere", "reward for two neurons that no synapse joins")
            .with(&[("elsewhere", 1.0)])
            .judged_by(&[Claim::new(
                Criterion::SuccessAtMost(0.2),
                Certainty::Chosen,
                "dopamine alone does not pick the synapse",
            )]),
        Condition::control("no_dopamine", "rewards of no size")
            .with(&[("dopamine", 0.0)])
            .judged_by(&[Claim::new(
                Criterion::SuccessAtMost(0.2),
                Certainty::Chosen,
                "the baseline of 0.002 does not pick it either",
            )]),
    ],
    runs: 10,
    short: Short {
        runs: 1,
        settings: &[("duration_s", 20.0)],
    },
    run,
    draw: Some(draw),
};

/// The weight that counts as the top.
const TOP: f32 = 3.5;
/// Bins of the histogram of weights.
const BINS: usize = 40;
/// The colour of single runs.
const RUN: Color = [160, 196, 224];
/// The colour of means.
const MEAN: Color = [213, 94, 0];
/// The neuron n1.
const FIRST: u32 = 0;

fn run(run: &Run<'_>) -> Result<Outcome, Stop> {
    // Which neuron n2 is follows from the connectivity.
    let mut scene = network(run.seed());
    let ends = run
        .build(&scene)?
        .synapse_ends("recurrent")
        .map_err(failed)?;
    let of_first: Vec<u32> = ends.iter().filter(|e| e.0 == FIRST).map(|e| e.1).collect();
    let second = *(of_first.iter().find(|n| **n != FIRST)).ok_or("n1 has no synapse")?;
    let place = ends
        .iter()
        .position(|end| *end == (FIRST, second))
        .ok_or("n1 has no synapse onto n2")?;
    let joined = |a: u32, b: u32| ends.contains(&(a, b));
    let (first, rewarded) = if run.is_on("elsewhere") {
        let pair = (1..800).find(|n| !joined(*n, n + 1) && *n != second && n + 1 != second);
        let first = pair.ok_or("all neighbours are joined")?;
        (first, first + 1)
    } else {
        (FIRST, second)
    };
    scene.modulators[0].rewards = vec![Rewarder::Coincidence {
        region: "exciting".into(),
        first,
        second: rewarded,
        within_ms: 20.0,
        delay_min_ms: 1000.0,
        delay_max_ms: 3000.0,
        amount: run.number("dopamine"),
    }];
    let mut simulation = run.build(&scene)?;
    let mut weights = simulation.weights("recurrent").map_err(failed)?;
    for (weight, end) in weights.iter_mut().zip(&ends) {
        if *end == (FIRST, second) {
            *weight = 0.0;
        }
    }
    simulation
        .set_weights("recurrent", &weights)
        .map_err(failed)?;

    let seconds = run.number("duration_s");
    let (mut curve, mut mean) = (Vec::new(), Vec::new());
    let mut time_to_top = None;
    let every = (seconds / 360.0).clamp(1.0, 60.0);
    let mut time = 0.0;
    while time < seconds {
        let next = (time + every).min(seconds);
        run.simulate(
            &mut simulation,
            1e3 * (next - time),
            time / seconds..next / seconds,
        )?;
        time = next;
        weights = simulation.weights("recurrent").map_err(failed)?;
        curve.push((time, f64::from(weights[place])));
        mean.push((time, average(weights.iter().copied())));
        if weights[place] >= TOP && time_to_top.is_none() {
            time_to_top = Some(time);
        }
    }
    let own = weights[place];
    let mut all = weights;
    all.extend(simulation.weights("onto inhibition").map_err(failed)?);
    let stronger = all.iter().filter(|w| **w > own).count();
    let above = all.iter().filter(|w| **w >= TOP).count() - usize::from(own >= TOP);
    let rewards = simulation
        .modulator("dopamine")
        .map_or(0, |m| m.rewards().0);
    let spikes = simulation.spike_count().spikes as f64;
    let mut outcome = Outcome::new()
        .measure("weight", f64::from(own))
        .measure("rank", stronger as f64)
        .measure("share_above", 100.0 * above as f64 / (all.len() - 1) as f64)
        .measure("mean_weight", average(all.iter().copied()))
        .measure_if("time_to_top", time_to_top)
        .measure("rewards", rewards as f64)
        .measure("rate", spikes / seconds / 1000.0)
        .success(own >= TOP)
        .series(Series::new(
            "rewarded",
            ("time", "s"),
            ("weight", "mV/ms"),
            curve,
        ));
    if run.is_first() {
        let mut counts = [0u32; BINS];
        for weight in &all {
            let bin = (f64::from(*weight) / W_MAX * BINS as f64) as usize;
            counts[bin.min(BINS - 1)] += 1;
        }
        let histogram = (counts.iter().enumerate())
            .map(|(bin, count)| (bin as f64 * W_MAX / BINS as f64, f64::from(*count)))
            .collect();
        outcome = outcome
            .series(Series::new(
                "mean",
                ("time", "s"),
                ("mean weight", "mV/ms"),
                mean,
            ))
            .series(Series::new(
                "histogram",
                ("weight", "mV/ms"),
                ("synapses", ""),
                histogram,
            ));
    }
    Ok(outcome)
}

fn draw(results: &Results, pictures: &mut Pictures) {
    let mut figure = Figure::new(results.plan.experiment.title)
        .columns(1)
        .panel_size(1100, 420);
    for condition in ["rewarded", "elsewhere", "no_dopamine"] {
        let mut panel = Panel::new(format!("Rewarded synapse, {condition}, one line per seed"))
            .x("time", "s")
            .y("weight", "mV/ms")
            .y_range(0.0, W_MAX);
        let mut any = false;
        for (_, outcome) in results.outcomes(condition) {
            if let Some(points) = outcome.points("rewarded") {
                panel = panel.line("", points.to_vec()).color(RUN);
                any = true;
            }
        }
        if let Some(mean) = results.first(condition).and_then(|o| o.points("mean")) {
            let label = "mean of all excitatory synapses, first seed";
            panel = panel.line(label, mean.to_vec()).color(MEAN);
        }
        if any {
            figure = figure.panel(panel);
        }
    }
    pictures.figure("weights", &figure);
    let histogram = results
        .first("rewarded")
        .and_then(|o| o.points("histogram"));
    if let Some(points) = histogram {
        let mut edges: Vec<f64> = points.iter().map(|p| p.0).collect();
        edges.push(W_MAX);
        let panel = Panel::new("Weights of excitatory synapses at the end, first seed")
            .x("weight", "mV/ms")
            .y("synapses", "")
            .log_y()
            .bars("", edges, points.iter().map(|p| p.1.max(0.5)).collect());
        let figure = Figure::new(results.plan.experiment.title).panel_size(1100, 620);
        pictures.figure("histogram", &figure.panel(panel));
    }
}
