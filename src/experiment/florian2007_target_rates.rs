//! Florian 2007: a layer of neurons learns to fire at given rates from a reward that only says closer or farther.

use super::{
    Bound, Certainty, Claim, Condition, Criterion, Experiment, Measure, Outcome, Parameter,
    Pictures, Results, Run, Series, Short, Source, Stop, mean_and_sd,
};
use crate::modulation::ModulatorSpec;
use crate::network::connect::Rule;
use crate::network::distribution::Distribution;
use crate::network::region::Spikes;
use crate::neurons::lif_delta::LifDelta;
use crate::neurons::poisson_source::PoissonSource;
use crate::plasticity::mstdp::{Mstdp, Mstdpet};
use crate::results::figure::{Figure, Panel};
use crate::scene::schema::{ProjectionSpec, RegionSpec, Scene};
use crate::sim::quantity::Range;
use crate::sim::rng::{Purpose, Random, entity_key};
use bevy::prelude::default;

pub(super) const EXPERIMENT: Experiment = Experiment {
    name: "florian2007_target_rates",
    title: "A target pattern of firing rates, learned from closer or farther",
    source: Source {
        citation: "Florian 2007, Reinforcement learning through modulation of spike-timing-dependent synaptic plasticity, Neural Comput. 19:1468, section 4.4",
        doi: "10.1162/neco.2007.19.6.1468",
    },
    protocol: "\
`inputs` Poisson neurons, each with a rate of its own, fixed in a run, drawn evenly from 20 to 50 Hz, project to `outputs` integrate-and-fire
neurons (rest = reset = −70 mV, threshold −54 mV, τ 20 ms, no refractoriness, steps of 1 ms). Half of the inputs are inhibitory: weights lie in
−5 to 0 mV, all others in 0 to 5 mV, and start evenly spread. Every output has a target rate drawn evenly from 20 to 100 Hz.

The rate of an output is its spike train through a low-pass of 2 s. The distance is the Euclidean distance between the vectors of rates and of
targets, divided by the length of the target. In every step the reward is +1 if the distance has become smaller in the last step, and −1 if
it has become larger; all synapses get the same reward. MSTDPET with γ = `gamma`, τz 25 ms.

The first 10 s are without learning, and their last second gives the distance and the correlation before. Learning lasts `minutes`; its
last 10 s, averaged, give those after.

The paper's layer sizes and γ are not known to us; what is judged is that the distance falls steeply.

The control has the same network and rewards of random sign. The untrained network is the first 10 s of every run.",
    parameters: &[
        Parameter::number("minutes", 10.0, "min", Range::between(0.1, 1e4), "duration of learning"),
        Parameter::whole("inputs", 100, "", Range::between(2.0, 10_000.0), "input neurons, half of them inhibitory"),
        Parameter::whole("outputs", 10, "", Range::between(1.0, 10_000.0), "output neurons"),
        Parameter::number("gamma", 0.05, "mV", Range::non_negative(), "learning rate"),
        Parameter::whole("eligibility", 1, "", Range::between(0.0, 1.0), "0 for MSTDP"),
        Parameter::whole("shuffled", 0, "", Range::between(0.0, 1.0), "1 for rewards of random sign"),
    ],
    measures: &[
        Measure::new("distance_before", "", "distance to the target over its length, before learning"),
        Measure::new("distance_after", "", "after learning"),
        Measure::new("ratio", "", "distance after over distance before"),
        Measure::new("correlation_before", "", "Pearson correlation of rates and targets before"),
        Measure::new("correlation_after", "", "after"),
    ],
    success: Some("the distance falls to less than half"),
    conditions: &[
        Condition::method("mstdpet", "reward by distance").judged_by(&[
            Claim::new(
                Criterion::Mean("ratio", Bound::AtMost(0.5)),
                Certainty::Chosen,
                "the distance falls steeply",
            ),
            Claim::new(
                Criterion::Mean("correlation_after", Bound::AtLeast(0.8)),
                Certainty::Chosen,
                "the pattern is learned, not only its mean",
            ),
        ]),
        Condition::method("mstdp", "the same with MSTDP").with(&[("eligibility", 0.0)]),
        Condition::control("shuffled", "rewards of random sign")
            .with(&[("shuffled", 1.0)])
            .judged_by(&[Claim::new(
                Criterion::Mean("ratio", Bound::AtLeast(0.8)),
                Certainty::Chosen,
                "without information nothing is learned",
            )]),
    ],
    runs: 20,
    short: Short {
        runs: 2,
        settings: &[("minutes", 1.0)],
    },
    run,
    draw: Some(draw),
};

/// Time constant of the low-pass of the output rates, in ms.
const LOW_PASS_MS: f64 = 2000.0;
/// Time without learning at the start, in steps.
const BEFORE: u64 = 10_000;
/// Steps over which results are averaged.
const AVERAGED: u64 = 10_000;

fn run(run: &Run<'_>) -> Result<Outcome, Stop> {
    let outputs = run.whole("outputs") as usize;
    let scene = network(run);
    let names: Vec<String> = scene
        .projections
        .iter()
        .filter_map(|p| p.name.clone())
        .collect();
    let mut simulation = run.build(&scene)?;
    let Some(output) = simulation.region("output") else {
        return Err("the scene has no output".into());
    };
    let mut draws = Random::new(run.seed(), entity_key("targets"), Purpose::Choice).draws(0);
    let targets: Vec<f64> = (0..outputs).map(|_| 20.0 + 80.0 * draws.unit()).collect();
    let length = libm::sqrt(targets.iter().map(|t| t * t).sum());
    let decay = libm::exp(-1.0 / LOW_PASS_MS);
    let mut rates = vec![0.0; outputs];
    let distance = |rates: &[f64]| {
        let squares = rates.iter().zip(&targets).map(|(r, t)| (r - t) * (r - t));
        libm::sqrt(squares.sum()) / length
    };
    let freeze = |simulation: &mut crate::simulation::Simulation, frozen| {
        names.iter().try_for_each(|name| {
            let done = simulation.freeze(name, frozen);
            done.map_err(|e| Stop::from(e.to_string()))
        })
    };
    freeze(&mut simulation, true)?;
    let signs = Random::new(run.seed(), entity_key("shuffled"), Purpose::Reward);
    let steps = BEFORE + (60_000.0 * run.number("minutes")) as u64;
    let (mut before, mut after) = (None, (0.0, vec![0.0; outputs]));
    let mut last = distance(&rates);
    let mut curve = Vec::new();
    for step in 0..steps {
        simulation.step();
        rates.iter_mut().for_each(|rate| *rate *= decay);
        if let Some(spikes) = simulation.world().get::<Spikes>(output) {
            for &neuron in &spikes.list {
                rates[neuron as usize] += 1e3 / LOW_PASS_MS;
            }
        }
        let now = distance(&rates);
        if step + 1 == BEFORE {
            before = Some((now, correlation(&rates, &targets)));
            freeze(&mut simulation, false)?;
        }
        let mut reward = if now < last { 1.0 } else { -1.0 };
        if run.is_on("shuffled") && signs.draws(step).unit() < 0.5 {
            reward = -reward;
        }
        (simulation.reward("reward", reward)).map_err(|e| Stop::from(e.to_string()))?;
        last = now;
        if step + AVERAGED >= steps {
            after.0 += now / AVERAGED as f64;
            for (sum, rate) in after.1.iter_mut().zip(&rates) {
                *sum += rate / AVERAGED as f64;
            }
        }
        if step % 1000 == 999 {
            curve.push(((step + 1) as f64 * 1e-3, now));
            run.progress(step as f64 / steps as f64)?;
        }
    }
    let (distance_before, correlation_before) = before.unwrap_or_default();
    let ratio = after.0 / distance_before;
    Ok(Outcome::new()
        .measure("distance_before", distance_before)
        .measure("distance_after", after.0)
        .measure("ratio", ratio)
        .measure("correlation_before", correlation_before)
        .measure("correlation_after", correlation(&after.1, &targets))
        .success(ratio < 0.5)
        .series(Series::new(
            "distance",
            ("time", "s"),
            ("normalised distance", ""),
            curve,
        )))
}

fn network(run: &Run<'_>) -> Scene {
    let mut scene = Scene {
        dt_ms: 1.0,
        seed: run.seed(),
        ..default()
    };
    let cell = LifDelta {
        e_l: (-70.0).into(),
        v_reset: (-70.0).into(),
        v_th: (-54.0).into(),
        tau_m: 20.0.into(),
        t_ref: 0.0.into(),
        ..default()
    };
    let outputs = run.whole("outputs") as u32;
    scene.regions = vec![RegionSpec::new("output", outputs, cell)];
    let inputs = run.whole("inputs") as u32;
    for (name, neurons, w_min, w_max) in [
        ("exciting", inputs - inputs / 2, 0.0, 5.0),
        ("inhibiting", inputs / 2, -5.0, 0.0),
    ] {
        let source = PoissonSource {
            rate_hz: Distribution::Uniform {
                min: 20.0,
                max: 50.0,
            },
            ..default()
        };
        scene.regions.push(RegionSpec::new(name, neurons, source));
        let weight = Distribution::Uniform {
            min: w_min,
            max: w_max,
        };
        let mut projection = ProjectionSpec::new(name, "output", Rule::AllToAll, weight, 1.0);
        projection.name = Some(format!("{name} → output"));
        projection.backpropagation_ms = Some(1.0);
        let gamma = run.number("gamma");
        scene.projections.push(if run.is_on("eligibility") {
            projection.learning(Mstdpet {
                gamma,
                w_min,
                w_max,
                ..default()
            })
        } else {
            projection.learning(Mstdp {
                gamma,
                w_min,
                w_max,
                ..default()
            })
        });
    }
    scene.modulators = vec![ModulatorSpec {
        name: "reward".into(),
        ..default()
    }];
    scene
}

/// Pearson's correlation coefficient; 0 where one side does not vary.
fn correlation(a: &[f64], b: &[f64]) -> f64 {
    let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len().max(1) as f64;
    let (mean_a, mean_b) = (mean(a), mean(b));
    let (mut ab, mut aa, mut bb) = (0.0, 0.0, 0.0);
    for (x, y) in a.iter().zip(b) {
        ab += (x - mean_a) * (y - mean_b);
        aa += (x - mean_a) * (x - mean_a);
        bb += (y - mean_b) * (y - mean_b);
    }
    let both = libm::sqrt(aa * bb);
    if both > 0.0 { ab / both } else { 0.0 }
}

fn draw(results: &Results, pictures: &mut Pictures) {
    let mut panel = Panel::new("Distance to the target rates, mean ± SD over seeds")
        .x("time", "s")
        .y("normalised distance", "")
        .moment("learning starts", BEFORE as f64 * 1e-3);
    for condition in ["mstdpet", "mstdp", "shuffled"] {
        let curves: Vec<_> = (results.outcomes(condition))
            .filter_map(|(_, outcome)| outcome.points("distance"))
            .collect();
        if !curves.is_empty() {
            panel = panel.band(condition, mean_and_sd(&curves));
        }
    }
    let figure = Figure::new(results.plan.experiment.title).panel_size(1100, 620);
    pictures.figure("distance", &figure.panel(panel));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn correlation_is_pearsons() {
        assert!((correlation(&[1.0, 2.0, 3.0], &[10.0, 20.0, 30.0]) - 1.0).abs() < 1e-12);
        assert!((correlation(&[1.0, 2.0, 4.0], &[3.0, 2.0, 0.0]) + 1.0).abs() < 1e-12);
        assert_eq!(correlation(&[1.0, 1.0], &[3.0, 2.0]), 0.0);
    }
}
