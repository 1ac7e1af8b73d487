//! Clopath et al. 2010: what a pair of spikes does depends on how often pairs come.

use super::{
    Bound, Certainty, Claim, Condition, Criterion, Experiment, Measure, Outcome, Parameter,
    Pictures, Results, Run, Series, Short, Source, Stop,
};
use crate::network::connect::Rule;
use crate::network::stimulus::StimulusKind;
use crate::neurons::adex_clopath::AdExClopath;
use crate::neurons::spike_source::SpikeSource;
use crate::plasticity::clopath::Clopath;
use crate::plasticity::stdp::Stdp;
use crate::results::figure::{Figure, Panel};
use crate::scene::schema::{ProjectionSpec, RegionSpec, Scene, StimulusSpec};
use crate::sim::quantity::Range;
use bevy::prelude::default;

pub(super) const EXPERIMENT: Experiment = Experiment {
    name: "clopath2010",
    title: "Voltage-based plasticity: pairs of spikes at 0.1 to 50 Hz",
    source: Source {
        citation: "Clopath, Büsing, Vasilaki & Gerstner 2010, Connectivity reflects coding, Nat. Neurosci. 13:344, figure 2b; measurements of Sjöström, Turrigiano & Nelson 2001, Neuron 32:1149, in numbers in Pfister & Gerstner 2006, J. Neurosci. 26:9673",
        doi: "10.1038/nn.2479",
    },
    protocol: "\
One presynaptic and one postsynaptic neuron, an AdEx with afterpotential (`AdExClopath`, parameters of the paper), joined by one synapse of
weight 0.5 mV with the rule `Clopath` (A₋ 14·10⁻⁵, A₊ 8·10⁻⁵, τ₋ 10, τ₊ 7, τₓ 15 ms, θ₋ −70.6, θ₊ −45.3 mV; without homeostasis). Steps of 0.1 ms.

Five pairs of spikes at ρ Hz, and that 15 times; at 0.1 Hz 50 pairs. Between bursts, and between the pairs at 0.1 Hz, there are
`gap_ms` of 2 s instead of 10: nothing in neuron or rule lasts that long. The postsynaptic neuron is made to fire by an input
of 80 mV, 10 ms after or before each presynaptic spike. What is compared is the change of the weight in percent of the first one, with the
changes measured in slices of visual cortex. The paper fits A₋, A₊, τₓ, τ₋ and τ₊ to these measurements; nothing is fitted here.

The result is the same for any seed: there is nothing random.

The baseline is additive pair STDP (τ± 20 ms, all pairs, amplitudes of ±0.5 % of the first weight) in the same protocol: it cannot turn depression
into potentiation at high rates.

The delay of the filtered potentials, 5 ms, and the potential during a spike, 33 mV for 2 ms, are from public code of the model, not from the
paper.",
    parameters: &[
        Parameter::whole("repeats", 15, "", Range::between(1.0, 1000.0), "how often five pairs are given"),
        Parameter::number("gap_ms", 2000.0, "ms", Range::between(1000.0, 1e5), "from one burst, or pair at 0.1 Hz, to the next"),
        Parameter::whole("slow_pairs", 50, "", Range::between(1.0, 10_000.0), "pairs at 0.1 Hz"),
    ],
    measures: &[
        Measure::new("after_0_1", "%", "change by postsynaptic spikes 10 ms after, pairs at 0.1 Hz"),
        Measure::new("after_10", "%", "the same at 10 Hz"),
        Measure::new("after_20", "%", "the same at 20 Hz"),
        Measure::new("after_40", "%", "the same at 40 Hz"),
        Measure::new("after_50", "%", "the same at 50 Hz"),
        Measure::new("before_0_1", "%", "change by postsynaptic spikes 10 ms before, pairs at 0.1 Hz"),
        Measure::new("before_10", "%", "the same at 10 Hz"),
        Measure::new("before_20", "%", "the same at 20 Hz"),
        Measure::new("before_40", "%", "the same at 40 Hz"),
        Measure::new("before_50", "%", "the same at 50 Hz"),
        Measure::new("error", "SEM", "root of the mean square of the differences from what was measured, each in standard errors of that"),
    ],
    success: None,
    conditions: &[
        Condition::method("clopath", "the voltage-based rule").judged_by(&[
            Claim::new(
                Criterion::EveryRun("after_0_1", Bound::Within(-14.0, 6.0)),
                Certainty::Quoted,
                "−4 ± 5 %: no potentiation by single pairs; within two standard errors",
            ),
            Claim::new(
                Criterion::EveryRun("before_0_1", Bound::Within(-45.0, -13.0)),
                Certainty::Quoted,
                "−29 ± 8 %",
            ),
            Claim::new(
                Criterion::EveryRun("after_10", Bound::Within(-6.0, 34.0)),
                Certainty::Quoted,
                "14 ± 10 %",
            ),
            Claim::new(
                Criterion::EveryRun("before_10", Bound::Within(-63.0, -19.0)),
                Certainty::Quoted,
                "−41 ± 11 %",
            ),
            Claim::new(
                Criterion::EveryRun("after_20", Bound::Within(1.0, 57.0)),
                Certainty::Quoted,
                "29 ± 14 %",
            ),
            Claim::new(
                Criterion::EveryRun("before_20", Bound::Within(-54.0, -14.0)),
                Certainty::Quoted,
                "−34 ± 10 %",
            ),
            Claim::new(
                Criterion::EveryRun("after_40", Bound::Within(31.0, 75.0)),
                Certainty::Quoted,
                "53 ± 11 %",
            ),
            Claim::new(
                Criterion::EveryRun("before_40", Bound::Within(-8.0, 120.0)),
                Certainty::Quoted,
                "56 ± 32 %",
            ),
            Claim::new(
                Criterion::EveryRun("after_50", Bound::Within(4.0, 108.0)),
                Certainty::Quoted,
                "56 ± 26 %",
            ),
            Claim::new(
                Criterion::EveryRun("before_50", Bound::Within(37.0, 113.0)),
                Certainty::Quoted,
                "75 ± 19 %: at high rates the order does not matter",
            ),
        ]),
        Condition::baseline("pair_stdp", "additive pair STDP").judged_by(&[Claim::new(
            Criterion::EveryRun("before_50", Bound::AtMost(0.0)),
            Certainty::Chosen,
            "pairs of the wrong order depress at any rate",
        )]),
    ],
    runs: 1,
    short: Short {
        runs: 1,
        settings: &[("repeats", 2.0), ("slow_pairs", 2.0)],
    },
    run,
    draw: Some(draw),
};

const START: f64 = 0.5;
const RATES_HZ: [f64; 5] = [0.1, 10.0, 20.0, 40.0, 50.0];

/// Of Sjöström et al.: change and its standard error in percent, for postsynaptic spikes 10 ms after and 10 ms before.
const MEASURED: [(&str, f64, [(f64, f64); 5]); 2] = [
    (
        "after",
        10.0,
        [
            (-4.0, 5.0),
            (14.0, 10.0),
            (29.0, 14.0),
            (53.0, 11.0),
            (56.0, 26.0),
        ],
    ),
    (
        "before",
        -10.0,
        [
            (-29.0, 8.0),
            (-41.0, 11.0),
            (-34.0, 10.0),
            (56.0, 32.0),
            (75.0, 19.0),
        ],
    ),
];

fn run(run: &Run<'_>) -> Result<Outcome, Stop> {
    let mut outcome = Outcome::new();
    let (mut squares, mut done) = (0.0, 0.0);
    for (name, lag_ms, measured) in MEASURED {
        let mut curve = Vec::new();
        for (rate_hz, (mean, error)) in RATES_HZ.into_iter().zip(measured) {
            let change = change(run, rate_hz, lag_ms, done / 10.0..(done + 1.0) / 10.0)?;
            done += 1.0;
            squares += ((change - mean) / error).powi(2);
            // In the order of their declaration.
            outcome = outcome.measure(EXPERIMENT.measures[done as usize - 1].name, change);
            curve.push((rate_hz, change));
        }
        outcome = outcome.series(Series::new(name, ("rate", "Hz"), ("change", "%"), curve));
    }
    Ok(outcome.measure("error", (squares / 10.0).sqrt()))
}

/// The change of the weight in percent by pairs at `rate_hz` whose postsynaptic spike comes `lag_ms` after the presynaptic one.
fn change(
    run: &Run<'_>,
    rate_hz: f64,
    lag_ms: f64,
    share: core::ops::Range<f64>,
) -> Result<f64, Stop> {
    let (repeats, pairs) = if rate_hz < 1.0 {
        (run.number("slow_pairs"), 1)
    } else {
        (run.number("repeats"), 5)
    };
    let gap_ms = run.number("gap_ms");
    let mut pre_ms = Vec::new();
    for repeat in 0..repeats as u32 {
        for pair in 0..pairs {
            pre_ms.push(100.0 + gap_ms * f64::from(repeat) + f64::from(pair) * 1e3 / rate_hz);
        }
    }
    let end_ms = pre_ms.last().map_or(0.0, |t| t + 1000.0);
    let mut scene = Scene {
        dt_ms: 0.1,
        ..default()
    };
    let source = SpikeSource {
        spikes: pre_ms.iter().map(|t| (*t, 0)).collect(),
        ..default()
    };
    scene.regions = vec![
        RegionSpec::new("presynaptic", 1, source),
        RegionSpec::new("postsynaptic", 1, AdExClopath::default()),
    ];
    let mut projection =
        ProjectionSpec::new("presynaptic", "postsynaptic", Rule::AllToAll, START, 0.1);
    projection.name = Some("synapse".into());
    scene.projections = vec![if run.condition() == "pair_stdp" {
        projection.learning(Stdp {
            a_plus: 0.005,
            a_minus: 0.005,
            w_max: 1.0,
            ..default()
        })
    } else {
        projection.learning(Clopath {
            w_max: 3.0,
            ..default()
        })
    }];
    // An input makes a neuron fire in the step after; the presynaptic spike takes a step, too.
    let times_ms = pre_ms.iter().map(|t| t + lag_ms).collect();
    let forced = StimulusKind::InputSpikes {
        times_ms,
        weight: 80.0,
        delay_ms: 0.0,
        receptor: None,
    };
    scene.stimuli = vec![StimulusSpec::new("postsynaptic", forced)];
    let mut simulation = run.build(&scene)?;
    run.simulate(&mut simulation, end_ms, share)?;
    let spikes = simulation.spike_count().spikes as usize;
    if spikes != 2 * pre_ms.len() {
        let message = format!("{spikes} spikes of {} pairs at {rate_hz} Hz", pre_ms.len());
        return Err(Stop::from(message));
    }
    let weights = simulation.weights("synapse");
    let weight = f64::from(weights.map_err(|e| Stop::from(e.to_string()))?[0]);
    Ok(100.0 * (weight - START) / START)
}

fn draw(results: &Results, pictures: &mut Pictures) {
    let mut figure = Figure::new(results.plan.experiment.title)
        .columns(2)
        .panel_size(620, 460);
    for (name, lag_ms, measured) in MEASURED {
        let mut panel = Panel::new(format!("Postsynaptic spikes 10 ms {name} ({lag_ms:+} ms)"))
            .x("rate of pairs", "Hz")
            .y("change", "%")
            .x_range(-2.0, 55.0);
        for condition in ["clopath", "pair_stdp"] {
            let outcome = results.first(condition);
            if let Some(points) = outcome.and_then(|o| o.points(name)) {
                panel = panel.line(condition, points.to_vec());
            }
        }
        let bars = RATES_HZ.into_iter().zip(measured);
        let bars = bars.map(|(rate, (mean, error))| [rate, mean, mean - error, mean + error]);
        panel = panel.errors("measured, ± standard error", bars.collect());
        figure = figure.panel(panel);
    }
    pictures.figure("rates", &figure);
}
