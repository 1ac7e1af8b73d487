//! Florian 2007: a network learns exclusive or from a reward for every output spike.

use super::{
    Certainty, Claim, Condition, Criterion, Experiment, Measure, Outcome, Parameter, Pictures,
    Results, Run, Series, Short, Source, Stop, mean_and_sd,
};
use crate::modulation::{ModulatorSpec, Release};
use crate::network::connect::Rule;
use crate::network::distribution::Distribution;
use crate::network::stimulus::Selection;
use crate::neurons::lif_delta::LifDelta;
use crate::neurons::spike_source::SpikeSource;
use crate::plasticity::mstdp::{Mstdp, Mstdpet};
use crate::results::figure::{Figure, Panel};
use crate::scene::schema::{ProjectionSpec, RegionSpec, Scene};
use crate::sim::quantity::Range;
use crate::sim::rng::{Draws, Purpose, Random, entity_key};
use crate::simulation::Simulation;
use bevy::prelude::default;

pub(super) const EXPERIMENT: Experiment = Experiment {
    name: "florian2007_xor",
    title: "Exclusive or, learned from a reward for every output spike",
    source: Source {
        citation: "Florian 2007, Reinforcement learning through modulation of spike-timing-dependent synaptic plasticity, Neural Comput. 19:1468, sections 4.2 and 4.3",
        doi: "10.1162/neco.2007.19.6.1468",
    },
    protocol: "\
Neurons: leaky integrate-and-fire, rest = reset = −70 mV, threshold −54 mV, τ 20 ms, no refractoriness; a presynaptic spike moves the
potential by the weight; steps of 1 ms.

Rate code (section 4.2): 60 input neurons, 60 hidden ones, 1 output neuron, each layer fully connected to the next. 30 inputs stand for
each of the two bits; a bit of 1 is a Poisson train of 40 Hz in each of them, a bit of 0 silence. Half of the inputs of each bit are
inhibitory: weights from them lie in −5 to 0 mV, all others in 0 to 5 mV, and start evenly spread.

Temporal code (section 4.3): 2 inputs, 20 hidden neurons, 1 output neuron. The values 0 and 1 are two random trains of 50 spikes in 500 ms,
drawn once per run. Weights from inputs lie in −10 to 10 mV, those from hidden neurons in 0 to 10 mV.

Training: the four patterns, 500 ms each, in a new random order in every epoch; 200 epochs (800 presentations). Nothing is reset between
presentations. Every output spike gives a reward of +1 if the exclusive or of the pattern is 1, and of −1 if it is 0, in the step after it, so that it meets
the pairs that the spike itself has made: w(t + dt) = w(t) + γ r(t + dt) ζ(t). Learning by MSTDP (γ 0.1, temporal 0.01) or MSTDPET (γ 0.625,
temporal 0.25; τz 25 ms), A± = ±1, τ± = 20 ms, in both layers.

A run succeeds, in the rate code, if the output rate for (1,1) is below those for (0,1) and (1,0), in the temporal code, if the rates for
(0,1) and (1,0) are both above those for (0,0) and (1,1). Spikes alone are counted. Judged are the rates in the last epoch of training, one
presentation of each pattern while learning goes on, as in a replication of the rate code; that the published rates of success are of this is our reading.

Beside it stands a stricter test: learning is frozen, every pattern is shown `test_presentations` times more, and the mean rates must pass
(`frozen_success`). The paper is quoted to say that networks go on to perform without reward.

Not certain: that the published rates of success are of 1,000 runs with just this criterion.

Controls: the same network without learning, which says how often a random network passes; and with the reward of a random sign in every
presentation.",
    parameters: &[
        Parameter::whole("epochs", 200, "", Range::between(1.0, 1e5), "presentations of each pattern in training"),
        Parameter::whole("test_presentations", 10, "", Range::between(1.0, 1e4), "presentations of each pattern in the test with learning frozen"),
        Parameter::whole("temporal", 0, "", Range::between(0.0, 1.0), "1 for the temporal code"),
        Parameter::whole("eligibility", 0, "", Range::between(0.0, 1.0), "1 for MSTDPET"),
        Parameter::number("gamma_factor", 1.0, "", Range::non_negative(), "factor of the learning rate"),
        Parameter::whole("shuffled", 0, "", Range::between(0.0, 1.0), "1 for rewards of random sign"),
    ],
    measures: &[
        Measure::new("rate_00", "Hz", "output rate for the pattern (0,0) in the last epoch of training"),
        Measure::new("rate_01", "Hz", "for (0,1)"),
        Measure::new("rate_10", "Hz", "for (1,0)"),
        Measure::new("rate_11", "Hz", "for (1,1)"),
        Measure::new("margin", "Hz", "lowest rate that should be high less the highest that should be low"),
        Measure::new("frozen_00", "Hz", "mean output rate for (0,0) in the test with learning frozen"),
        Measure::new("frozen_01", "Hz", "for (0,1)"),
        Measure::new("frozen_10", "Hz", "for (1,0)"),
        Measure::new("frozen_11", "Hz", "for (1,1)"),
        Measure::new("frozen_margin", "Hz", "as margin, in that test"),
        Measure::new("frozen_success", "%", "100 if exclusive or can be read from the rates of that test, else 0"),
    ],
    success: Some("exclusive or can be read from the output rates in the last epoch of training"),
    conditions: &[
        Condition::method("rate_mstdp", "rate code, MSTDP").judged_by(&[
            Claim::new(Criterion::Success(0.991), Certainty::Quoted, "99.1 % of 1,000 runs"),
        ]),
        Condition::method("rate_mstdpet", "rate code, MSTDPET")
            .with(&[("eligibility", 1.0)])
            .judged_by(&[
                Claim::new(Criterion::Success(0.982), Certainty::Quoted, "98.2 % of 1,000 runs"),
            ]),
        Condition::method("temporal_mstdp", "temporal code, MSTDP")
            .with(&[("temporal", 1.0)])
            .judged_by(&[
                Claim::new(Criterion::Success(0.897), Certainty::Quoted, "89.7 % of runs"),
            ]),
        Condition::method("temporal_mstdpet", "temporal code, MSTDPET")
            .with(&[("temporal", 1.0), ("eligibility", 1.0)])
            .judged_by(&[
                Claim::new(Criterion::Success(0.995), Certainty::Quoted, "99.5 % of runs"),
            ]),
        Condition::control("rate_untrained", "rate code, no learning")
            .with(&[("gamma_factor", 0.0), ("epochs", 1.0)])
            .judged_by(&[
                Claim::new(Criterion::SuccessAtMost(0.5), Certainty::Chosen, "a random network fails as a rule"),
            ]),
        Condition::control("rate_shuffled", "rate code, MSTDP, rewards of random sign")
            .with(&[("shuffled", 1.0)])
            .judged_by(&[
                Claim::new(Criterion::SuccessAtMost(0.5), Certainty::Chosen, "reward must tell something"),
            ]),
        Condition::control("temporal_untrained", "temporal code, no learning")
            .with(&[("temporal", 1.0), ("gamma_factor", 0.0), ("epochs", 1.0)])
            .judged_by(&[
                Claim::new(Criterion::SuccessAtMost(0.5), Certainty::Chosen, "a random network fails as a rule"),
            ]),
    ],
    runs: 200,
    short: Short {
        runs: 2,
        settings: &[("epochs", 40.0), ("test_presentations", 4.0)],
    },
    run,
    draw: Some(draw),
};

/// How long a pattern lasts, in ms and in steps.
const PATTERN_MS: u64 = 500;
/// The four patterns, as pairs of bits.
const PATTERNS: [(bool, bool); 4] = [(false, false), (false, true), (true, false), (true, true)];
/// Rate of an input that is on, in the rate code.
const INPUT_HZ: f64 = 40.0;
/// Spikes of an input in one pattern, in the temporal code.
const TRAIN_SPIKES: usize = 50;
/// Epochs over which the curves of learning are averaged.
const SMOOTHED: usize = 5;
/// Names of the measures, by pattern: in the last epoch, which is that of the series too, and in the test with learning frozen.
const RATES: [[&str; 2]; 4] = [
    ["rate_00", "frozen_00"],
    ["rate_01", "frozen_01"],
    ["rate_10", "frozen_10"],
    ["rate_11", "frozen_11"],
];

/// What is presented, and when learning ends.
struct Protocol {
    /// Indices of [`PATTERNS`], one per presentation; training first.
    presentations: Vec<usize>,
    /// How many of them are training.
    training: usize,
}

impl Protocol {
    fn of(run: &Run<'_>) -> Self {
        let random = Random::new(run.seed(), entity_key("order"), Purpose::Choice);
        let mut presentations = Vec::new();
        let epochs = run.whole("epochs");
        for epoch in 0..epochs + run.whole("test_presentations") {
            let mut order = [0, 1, 2, 3];
            let mut draws = random.draws(epoch);
            for i in (1..order.len()).rev() {
                order.swap(i, draws.below(i as u32 + 1) as usize);
            }
            presentations.extend(order);
        }
        Self {
            presentations,
            training: 4 * epochs as usize,
        }
    }
}

fn run(run: &Run<'_>) -> Result<Outcome, Stop> {
    let protocol = Protocol::of(run);
    let temporal = run.is_on("temporal");
    let scene = if temporal {
        temporal_network(run, &protocol)
    } else {
        rate_network(run, &protocol)
    };
    let mut simulation = run.build(&scene)?;
    let signs = Random::new(run.seed(), entity_key("shuffled"), Purpose::Reward);
    let (mut frozen, mut epoch) = ([0u64; 4], [0u64; 4]);
    let mut epochs = Vec::new();
    for (i, &pattern) in protocol.presentations.iter().enumerate() {
        let learning = i < protocol.training;
        let before = output_spikes(&mut simulation);
        // A spike of the last step before this presentation is rewarded in its first.
        simulation.run_steps(1);
        if i == protocol.training {
            for projection in &scene.projections {
                let name = projection.name.as_deref().unwrap_or_default();
                simulation
                    .freeze(name, true)
                    .map_err(|e| Stop::from(e.to_string()))?;
            }
        }
        let mut reward = if is_one(pattern) { 1.0 } else { -1.0 };
        if run.is_on("shuffled") && signs.draws(i as u64).unit() < 0.5 {
            reward = -reward;
        }
        (simulation.set_release("reward", "output", if learning { reward } else { 0.0 }))
            .map_err(|e| Stop::from(e.to_string()))?;
        simulation.run_steps(PATTERN_MS - 1);
        let fired = output_spikes(&mut simulation) - before;
        if learning {
            epoch[pattern] = fired;
            if i % 4 == 3 {
                epochs.push(rates(epoch, 1));
            }
        } else {
            frozen[pattern] += fired;
        }
        run.progress(i as f64 / protocol.presentations.len() as f64)?;
    }
    let last = epochs.last().copied().unwrap_or_default();
    let frozen = rates(frozen, run.whole("test_presentations"));
    let passed = margin(frozen, temporal) > 0.0;
    let mut outcome = Outcome::new()
        .measure("margin", margin(last, temporal))
        .measure("frozen_margin", margin(frozen, temporal))
        .measure("frozen_success", if passed { 100.0 } else { 0.0 })
        .success(margin(last, temporal) > 0.0);
    for (pattern, [name, in_test]) in RATES.into_iter().enumerate() {
        let parts = epochs.chunks(SMOOTHED).enumerate();
        let points = parts.map(|(i, part)| {
            let sum: f64 = part.iter().map(|rates| rates[pattern]).sum();
            let middle = (i * SMOOTHED) as f64 + 0.5 * part.len() as f64;
            (middle, sum / part.len() as f64)
        });
        let axes = (("epoch", ""), ("output rate", "Hz"));
        outcome = outcome
            .measure(name, last[pattern])
            .measure(in_test, frozen[pattern])
            .series(Series::new(name, axes.0, axes.1, points.collect()));
    }
    Ok(outcome)
}

/// Rates in Hz from the spikes in so many presentations of each pattern.
fn rates(spikes: [u64; 4], presentations: u64) -> [f64; 4] {
    spikes.map(|n| n as f64 * 1e3 / (presentations * PATTERN_MS) as f64)
}

/// The lowest rate that should be high less the highest that should be low. Without spikes in the input, as for (0,0) in the rate code, the output is
/// silent but for what the presentation before leaves behind.
fn margin(rates: [f64; 4], temporal: bool) -> f64 {
    let low = if temporal {
        rates[0].max(rates[3])
    } else {
        rates[3]
    };
    rates[1].min(rates[2]) - low
}

fn is_one(pattern: usize) -> bool {
    PATTERNS[pattern].0 != PATTERNS[pattern].1
}

/// Spikes of the output neuron so far.
fn output_spikes(simulation: &mut Simulation) -> u64 {
    simulation.modulator("output").map_or(0, |m| m.released())
}

/// A layer of neurons.
fn layer(name: &str, neurons: u32) -> RegionSpec {
    let cell = LifDelta {
        e_l: (-70.0).into(),
        v_reset: (-70.0).into(),
        v_th: (-54.0).into(),
        tau_m: 20.0.into(),
        t_ref: 0.0.into(),
        ..default()
    };
    RegionSpec::new(name, neurons, cell)
}

/// A plastic projection between whole layers, with weights evenly between the bounds.
fn plastic(run: &Run<'_>, from: &str, to: &str, w_min: f64, w_max: f64) -> ProjectionSpec {
    let weight = Distribution::Uniform {
        min: w_min,
        max: w_max,
    };
    let mut projection = ProjectionSpec::new(from, to, Rule::AllToAll, weight, 1.0);
    projection.name = Some(format!("{from} → {to}"));
    projection.backpropagation_ms = Some(1.0);
    let temporal = run.is_on("temporal");
    let factor = run.number("gamma_factor");
    if run.is_on("eligibility") {
        let gamma = if temporal { 0.25 } else { 0.625 };
        projection.learning(Mstdpet {
            gamma: gamma * factor,
            w_min,
            w_max,
            ..default()
        })
    } else {
        let gamma = if temporal { 0.01 } else { 0.1 };
        projection.learning(Mstdp {
            gamma: gamma * factor,
            w_min,
            w_max,
            ..default()
        })
    }
}

/// A scene with hidden neurons, an output neuron and what rewards its spikes.
fn scene(run: &Run<'_>, hidden: u32) -> Scene {
    let mut scene = Scene {
        dt_ms: 1.0,
        seed: run.seed(),
        ..default()
    };
    scene.regions = vec![layer("hidden", hidden), layer("output", 1)];
    let release = |delay_ms| Release {
        from: "output".into(),
        neurons: Selection::All,
        amount: 1.0,
        delay_ms,
        ..default()
    };
    // The reward comes a step after the spike, together with the mark that the spike makes; the other one only counts.
    scene.modulators = [("reward", 1.0), ("output", 0.0)]
        .into_iter()
        .map(|(name, delay_ms)| ModulatorSpec {
            name: name.into(),
            released_by: vec![release(delay_ms)],
            ..default()
        })
        .collect();
    scene
}

fn rate_network(run: &Run<'_>, protocol: &Protocol) -> Scene {
    const PER_BIT: u32 = 30;
    let mut scene = scene(run, 60);
    for (name, w_min, w_max) in [("exciting", 0.0, 5.0), ("inhibiting", -5.0, 0.0)] {
        let random = Random::new(run.seed(), entity_key(name), Purpose::Poisson);
        let mut spikes = Vec::new();
        for (i, &pattern) in protocol.presentations.iter().enumerate() {
            for neuron in 0..PER_BIT {
                // The first half of each kind stands for the first bit.
                let bits = PATTERNS[pattern];
                let on = if neuron < PER_BIT / 2 { bits.0 } else { bits.1 };
                if on {
                    let index = (i as u64) << 32 | u64::from(neuron);
                    poisson(&mut random.draws(index), i as u64, neuron, &mut spikes);
                }
            }
        }
        let source = SpikeSource {
            spikes,
            ..default()
        };
        scene.regions.push(RegionSpec::new(name, PER_BIT, source));
        let projection = plastic(run, name, "hidden", w_min, w_max);
        scene.projections.push(projection);
    }
    scene
        .projections
        .push(plastic(run, "hidden", "output", 0.0, 5.0));
    scene
}

/// A Poisson train in one presentation: the steps between spikes are geometrically distributed.
fn poisson(draws: &mut Draws, presentation: u64, neuron: u32, spikes: &mut Vec<(f64, u32)>) {
    let miss = libm::log1p(-INPUT_HZ * 1e-3);
    let mut step = 0.0;
    loop {
        step += (libm::log(draws.open_unit()) / miss).floor() + 1.0;
        if step > PATTERN_MS as f64 {
            return;
        }
        spikes.push(((presentation * PATTERN_MS) as f64 + step, neuron));
    }
}

fn temporal_network(run: &Run<'_>, protocol: &Protocol) -> Scene {
    let mut scene = scene(run, 20);
    let random = Random::new(run.seed(), entity_key("trains"), Purpose::Choice);
    // The trains of the values 0 and 1: so many different steps each.
    let trains: Vec<Vec<u64>> = (0..2)
        .map(|value| {
            let mut steps: Vec<u64> = (1..=PATTERN_MS).collect();
            let mut draws = random.draws(value);
            for i in 0..TRAIN_SPIKES {
                let j = i + draws.below((PATTERN_MS as usize - i) as u32) as usize;
                steps.swap(i, j);
            }
            steps.truncate(TRAIN_SPIKES);
            steps
        })
        .collect();
    let mut spikes = Vec::new();
    for (i, &pattern) in protocol.presentations.iter().enumerate() {
        let bits = PATTERNS[pattern];
        for (neuron, bit) in [(0, bits.0), (1, bits.1)] {
            let start = i as u64 * PATTERN_MS;
            let train = trains[usize::from(bit)].iter();
            spikes.extend(train.map(|step| ((start + step) as f64, neuron)));
        }
    }
    let source = SpikeSource {
        spikes,
        ..default()
    };
    scene.regions.push(RegionSpec::new("inputs", 2, source));
    scene.projections = vec![
        plastic(run, "inputs", "hidden", -10.0, 10.0),
        plastic(run, "hidden", "output", 0.0, 10.0),
    ];
    scene
}

fn draw(results: &Results, pictures: &mut Pictures) {
    let mut figure = Figure::new(results.plan.experiment.title)
        .panel_size(900, 460)
        .footnote(format!(
            "mean ± SD over seeds of the mean over {SMOOTHED} epochs; rates are not below 0"
        ));
    for condition in &results.conditions {
        let condition = condition.condition;
        let mut panel = Panel::new(condition.meaning)
            .x("epoch", "")
            .y("output rate", "Hz");
        let mut long = false;
        for ([name, _], label) in RATES.into_iter().zip(["(0,0)", "(0,1)", "(1,0)", "(1,1)"]) {
            let curves: Vec<_> = (results.outcomes(condition.name))
                .filter_map(|(_, outcome)| outcome.points(name))
                .collect();
            let mut band = mean_and_sd(&curves);
            band.iter_mut()
                .for_each(|point| point[2] = point[2].max(0.0));
            long |= band.len() > 1;
            panel = panel.band(label, band);
        }
        if long {
            figure = figure.panel(panel);
        }
    }
    pictures.figure("learning", &figure);
}

#[cfg(test)]
mod tests {
    use super::super::run::lone_run;
    use super::*;

    /// w(t + dt) = w(t) + γ r(t + dt) ζ(t), where the spike of t gives both ζ(t) and, a step later, its reward.
    #[test]
    fn the_reward_of_a_spike_finds_the_pair_that_made_it() {
        let strengthened = |condition| {
            lone_run(&EXPERIMENT, condition, 1, &[], |run| {
                let mut scene = scene(run, 1);
                let source = SpikeSource {
                    spikes: vec![(5.0, 0)],
                    ..default()
                };
                scene.regions.push(RegionSpec::new("input", 1, source));
                let mut synapse = plastic(run, "input", "output", 0.0, 40.0);
                synapse.weight = Some(20.0.into());
                scene.projections = vec![synapse];
                let mut simulation = run.build(&scene).expect("a network");
                simulation.run_steps(20);
                assert_eq!(output_spikes(&mut simulation), 1);
                f64::from(simulation.weights("input → output").expect("weights")[0]) - 20.0
            })
        };
        let pair = libm::exp(-1.0 / 20.0);
        let change = strengthened("rate_mstdp");
        assert!((change - 0.1 * pair).abs() < 1e-5, "{change}");
        // One reward finds z = ζ/τz, and nothing comes after it.
        let change = strengthened("rate_mstdpet");
        assert!((change - 0.625 * pair / 25.0).abs() < 1e-5, "{change}");
    }

    #[test]
    fn a_run_is_a_function_of_its_seed() {
        let settings = [("epochs", 3.0), ("test_presentations", 2.0)];
        let outcome = |seed| {
            let outcome = lone_run(&EXPERIMENT, "rate_mstdp", seed, &settings, |r| {
                run(r).expect("an outcome")
            });
            ["rate_00", "rate_01", "rate_10", "rate_11"].map(|name| outcome.get(name))
        };
        assert_eq!(outcome(1), outcome(1));
        assert_ne!(outcome(1), outcome(2));
        // Without input there are only the spikes that the presentation before leaves behind, of 2 Hz each.
        let left = outcome(1)[0].expect("a rate");
        assert!(left <= 6.0, "{left} Hz without input");
    }
}
