//! Florian 2007: a network learns exclusive or from a reward for every output spike.

use super::{
    Certainty, Claim, Condition, Criterion, Experiment, Measure, Outcome, Parameter, Run, Series,
    Short, Source, Stop,
};
use crate::modulation::{ModulatorSpec, Release};
use crate::network::connect::Rule;
use crate::network::distribution::Distribution;
use crate::network::stimulus::Selection;
use crate::neurons::lif_delta::LifDelta;
use crate::neurons::spike_source::SpikeSource;
use crate::plasticity::mstdp::{Mstdp, Mstdpet};
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

Training: the four patterns, 500 ms each, in a new random order in every epoch; 200 epochs (800 presentations). Every output spike gives a
reward of +1 if the exclusive or of the pattern is 1, and of −1 if it is 0. Learning by MSTDP (γ 0.1, temporal 0.01) or MSTDPET (γ 0.625,
temporal 0.25; τz 25 ms), A± = ±1, τ± = 20 ms, in both layers.

Test: learning is frozen; every pattern is shown `test_presentations` times more. A run succeeds, in the rate code, if the mean rate for (1,1) is
below those for (0,1) and (1,0), in the temporal code, if the rates for (0,1) and (1,0) are both above those for (0,0) and (1,1). Spikes
alone are counted.

Not certain: that the published rates are of 1,000 runs with just this criterion; γ; that hidden neurons of the rate code are all
excitatory. With the γ that are quoted the rate code is learned less often than published. The conditions `_slow` have the γ at which it is (0.03
and 0.0625, chosen with seeds below 1000: judge them with `--seed 1001`).

Controls: the same network without learning, which says how often a random network passes; and with the reward of a random sign in every
presentation.",
    parameters: &[
        Parameter::whole("epochs", 200, "", Range::between(0.0, 1e5), "presentations of each pattern in training"),
        Parameter::whole("test_presentations", 10, "", Range::between(1.0, 1e4), "presentations of each pattern in the test"),
        Parameter::whole("temporal", 0, "", Range::between(0.0, 1.0), "1 for the temporal code"),
        Parameter::whole("eligibility", 0, "", Range::between(0.0, 1.0), "1 for MSTDPET"),
        Parameter::number("gamma_factor", 1.0, "", Range::non_negative(), "factor of the learning rate"),
        Parameter::whole("shuffled", 0, "", Range::between(0.0, 1.0), "1 for rewards of random sign"),
    ],
    measures: &[
        Measure::new("rate_00", "Hz", "output rate for the pattern (0,0) in the test"),
        Measure::new("rate_01", "Hz", "for (0,1)"),
        Measure::new("rate_10", "Hz", "for (1,0)"),
        Measure::new("rate_11", "Hz", "for (1,1)"),
        Measure::new("margin", "Hz", "lowest rate that should be high less the highest that should be low"),
    ],
    success: Some("exclusive or can be read from the output rates"),
    conditions: &[
        Condition::method("rate_mstdp", "rate code, MSTDP").judged_by(&[
            Claim::new(Criterion::Success(0.991), Certainty::Quoted, "99.1 % of 1,000 runs"),
        ]),
        Condition::method("rate_mstdpet", "rate code, MSTDPET")
            .with(&[("eligibility", 1.0)])
            .judged_by(&[
                Claim::new(Criterion::Success(0.982), Certainty::Quoted, "98.2 % of 1,000 runs"),
            ]),
        Condition::method("rate_mstdp_slow", "rate code, MSTDP, γ 0.03")
            .with(&[("gamma_factor", 0.3)])
            .judged_by(&[
                Claim::new(Criterion::Success(0.991), Certainty::Quoted, "99.1 % of 1,000 runs"),
            ]),
        Condition::method("rate_mstdpet_slow", "rate code, MSTDPET, γ 0.0625")
            .with(&[("eligibility", 1.0), ("gamma_factor", 0.1)])
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
    draw: None,
};

/// How long a pattern lasts, in ms and in steps.
const PATTERN_MS: u64 = 500;
/// The four patterns, as pairs of bits.
const PATTERNS: [(bool, bool); 4] = [(false, false), (false, true), (true, false), (true, true)];
/// Rate of an input that is on, in the rate code.
const INPUT_HZ: f64 = 40.0;
/// Spikes of an input in one pattern, in the temporal code.
const TRAIN_SPIKES: usize = 50;

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
    let mut spikes = [0u64; 4];
    let mut curve = Vec::new();
    let mut epoch = [0u64; 4];
    for (i, &pattern) in protocol.presentations.iter().enumerate() {
        let learning = i < protocol.training;
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
        let before = output_spikes(&mut simulation);
        simulation.run_steps(PATTERN_MS);
        let fired = output_spikes(&mut simulation) - before;
        if learning {
            epoch[pattern] = fired;
            if i % 4 == 3 {
                let hz = |p: usize| epoch[p] as f64 * 1e3 / PATTERN_MS as f64;
                curve.push([hz(0), hz(1), hz(2), hz(3)]);
            }
        } else {
            spikes[pattern] += fired;
        }
        run.progress(i as f64 / protocol.presentations.len() as f64)?;
    }
    let seconds = run.whole("test_presentations") as f64 * PATTERN_MS as f64 * 1e-3;
    let rate = spikes.map(|n| n as f64 / seconds);
    let high = rate[1].min(rate[2]);
    let low = if temporal {
        rate[0].max(rate[3])
    } else {
        rate[3]
    };
    let mut outcome = Outcome::new()
        .measure("rate_00", rate[0])
        .measure("rate_01", rate[1])
        .measure("rate_10", rate[2])
        .measure("rate_11", rate[3])
        .measure("margin", high - low)
        .success(high > low);
    if run.is_first() {
        for (p, name) in ["rate_00", "rate_01", "rate_10", "rate_11"]
            .into_iter()
            .enumerate()
        {
            let points = (curve.iter().enumerate())
                .map(|(epoch, rates)| (epoch as f64, rates[p]))
                .collect();
            let series = Series::new(name, ("epoch", ""), ("output rate", "Hz"), points);
            outcome = outcome.series(series);
        }
    }
    Ok(outcome)
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
    let release = |amount| Release {
        from: "output".into(),
        neurons: Selection::All,
        amount,
        delay_ms: 0.0,
        ..default()
    };
    scene.modulators = ["reward", "output"]
        .into_iter()
        .map(|name| ModulatorSpec {
            name: name.into(),
            released_by: vec![release(1.0)],
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

#[cfg(test)]
mod tests {
    use super::super::run::lone_run;
    use super::*;

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
        assert_eq!(outcome(1)[0], Some(0.0), "no input, no output");
    }
}
