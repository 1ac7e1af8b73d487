//! Florian 2007, figure 1: what MSTDP and MSTDPET make of a few given spikes.

use super::{
    Bound, Certainty, Claim, Condition, Criterion, Experiment, Measure, Outcome, Pictures, Results,
    Run, Series, Short, Source, Stop,
};
use crate::modulation::{ModulatorSpec, Rewarder};
use crate::network::connect::Rule;
use crate::network::stimulus::StimulusKind;
use crate::neurons::lif_delta::LifDelta;
use crate::neurons::spike_source::SpikeSource;
use crate::plasticity::mstdp::{Mstdp, Mstdpet};
use crate::results::figure::{Figure, Panel};
use crate::scene::schema::{ProjectionSpec, RegionSpec, Scene, StimulusSpec};
use bevy::prelude::default;

pub(super) const EXPERIMENT: Experiment = Experiment {
    name: "florian2007_fig1",
    title: "The traces of reward-modulated STDP for given spikes",
    source: Source {
        citation: "Florian 2007, Reinforcement learning through modulation of spike-timing-dependent synaptic plasticity, Neural Comput. 19:1468, figure 1",
        doi: "10.1162/neco.2007.19.6.1468",
    },
    protocol: "\
One synapse, steps of 1 ms. The presynaptic neuron fires at 5, 80, 115 and 135 ms, the postsynaptic one at 10, 70, 110 and 140 ms. The reward
is +1 in every step up to 100 ms and −1 in every step after. γ = 0.2, the weight starts at 0.2, A± = ±1, τ± = 20 ms, τz = 25 ms.

The network is simulated with the rule on a projection, and its weight is read in every step. Beside it stand the discrete equations of
the paper, worked out in double precision, with the reward of a step multiplying the ζ of the step before. The greatest difference is
judged. It is one deterministic run; seeds do nothing.",
    parameters: &[],
    measures: &[
        Measure::new("greatest_difference", "", "of the simulated weight from the equations"),
        Measure::new("weight", "", "at the end"),
    ],
    success: None,
    conditions: &[
        Condition::method("mstdp", "MSTDP").judged_by(&[EXACT]),
        Condition::method("mstdpet", "MSTDPET").judged_by(&[EXACT]),
    ],
    runs: 1,
    short: Short {
        runs: 1,
        settings: &[],
    },
    run,
    draw: Some(draw),
};

const EXACT: Claim = Claim::new(
    Criterion::EveryRun("greatest_difference", Bound::AtMost(1e-6)),
    Certainty::Confirmed,
    "the equations, to single precision",
);

const PRE: [u64; 4] = [5, 80, 115, 135];
const POST: [u64; 4] = [10, 70, 110, 140];
const STEPS: u64 = 200;
const GAMMA: f64 = 0.2;
const START: f64 = 0.2;

fn reward(step: u64) -> f64 {
    if step <= 100 { 1.0 } else { -1.0 }
}

/// The variables of the paper in one step.
#[derive(Clone, Copy)]
struct Traces {
    plus: f64,
    minus: f64,
    zeta: f64,
    eligibility: f64,
    weight: f64,
}

/// The discrete equations of the paper, one entry per step from 0.
fn equations(eligibility: bool) -> Vec<Traces> {
    let (decay, fade) = (libm::exp(-1.0 / 20.0), libm::exp(-1.0 / 25.0));
    let fires = |spikes: [u64; 4], step| f64::from(u8::from(spikes.contains(&step)));
    let mut now = Traces {
        plus: 0.0,
        minus: 0.0,
        zeta: 0.0,
        eligibility: 0.0,
        weight: START,
    };
    let mut all = vec![now];
    for step in 1..=STEPS {
        let (pre, post) = (fires(PRE, step), fires(POST, step));
        now.eligibility = now.eligibility * fade + now.zeta / 25.0;
        now.weight += GAMMA
            * reward(step)
            * if eligibility {
                now.eligibility
            } else {
                now.zeta
            };
        now.plus = now.plus * decay + pre;
        now.minus = now.minus * decay - post;
        now.zeta = now.plus * post + now.minus * pre;
        all.push(now);
    }
    all
}

/// The simulated weight after every step, from 0.
fn simulated(run: &Run<'_>, eligibility: bool) -> Result<Vec<f64>, Stop> {
    let mut scene = Scene {
        dt_ms: 1.0,
        ..default()
    };
    let spikes = PRE.iter().map(|step| (*step as f64, 0)).collect();
    let source = SpikeSource {
        spikes,
        ..default()
    };
    scene.regions = vec![
        RegionSpec::new("presynaptic", 1, source),
        RegionSpec::new("postsynaptic", 1, LifDelta::default()),
    ];
    let times_ms = POST.iter().map(|step| *step as f64).collect();
    scene.stimuli = vec![StimulusSpec::new(
        "postsynaptic",
        StimulusKind::Spike { times_ms },
    )];
    let mut projection =
        ProjectionSpec::new("presynaptic", "postsynaptic", Rule::AllToAll, START, 1.0);
    projection.name = Some("synapse".into());
    projection.backpropagation_ms = Some(1.0);
    scene.projections = vec![if eligibility {
        projection.learning(Mstdpet {
            gamma: GAMMA,
            ..default()
        })
    } else {
        projection.learning(Mstdp {
            gamma: GAMMA,
            ..default()
        })
    }];
    let schedule = |from: u64, to: u64, amount: f64| Rewarder::Schedule {
        times_ms: (from..=to).map(|step| step as f64).collect(),
        amount,
    };
    scene.modulators = vec![ModulatorSpec {
        name: "reward".into(),
        rewards: vec![schedule(1, 100, 1.0), schedule(101, STEPS, -1.0)],
        ..default()
    }];
    let mut simulation = run.build(&scene)?;
    // A reward acts when its step is over, so the weight is read a step later.
    simulation.step();
    let mut weights = Vec::new();
    for _ in 0..=STEPS {
        let read = simulation.weights("synapse");
        weights.push(f64::from(read.map_err(|e| Stop::from(e.to_string()))?[0]));
        simulation.step();
    }
    Ok(weights)
}

fn run(run: &Run<'_>) -> Result<Outcome, Stop> {
    let eligibility = run.condition() == "mstdpet";
    let (want, got) = (equations(eligibility), simulated(run, eligibility)?);
    let differences = want.iter().zip(&got).map(|(w, g)| (w.weight - g).abs());
    let series = |name, label: &str, value: &dyn Fn(usize) -> f64| {
        let points = (0..want.len())
            .map(|step| (step as f64, value(step)))
            .collect();
        Series::new(name, ("time", "ms"), (label, ""), points)
    };
    Ok(Outcome::new()
        .measure("greatest_difference", differences.fold(0.0, f64::max))
        .measure("weight", got[STEPS as usize])
        .series(series("p_plus", "P+", &|s| want[s].plus))
        .series(series("p_minus", "P−", &|s| want[s].minus))
        .series(series("zeta", "ζ", &|s| want[s].zeta))
        .series(series("eligibility", "z", &|s| want[s].eligibility))
        .series(series("reward", "r", &|s| reward(s as u64)))
        .series(series("weight", "w", &|s| got[s])))
}

fn draw(results: &Results, pictures: &mut Pictures) {
    let Some(mstdp) = results.first("mstdp") else {
        return;
    };
    let mut figure = Figure::new("Reward-modulated STDP for given spikes (Florian 2007, figure 1)")
        .columns(1)
        .panel_size(1100, 230);
    let points = |outcome: &Outcome, name| outcome.points(name).unwrap_or_default().to_vec();
    let panel = |title: &str| Panel::new(title).x("time", "ms").x_range(0.0, STEPS as f64);
    let spikes = |steps: [u64; 4], row: f64| steps.map(|step| (step as f64, row)).to_vec();
    figure = figure.panel(
        panel("Spikes")
            .y("", "")
            .y_range(0.0, 3.0)
            .spikes("presynaptic", spikes(PRE, 2.0))
            .spikes("postsynaptic", spikes(POST, 1.0)),
    );
    for (title, name) in [
        ("P+", "p_plus"),
        ("P−", "p_minus"),
        ("ζ", "zeta"),
        ("z", "eligibility"),
        ("Reward", "reward"),
    ] {
        figure = figure.panel(panel(title).y("", "").line("", points(mstdp, name)));
    }
    let mut weights = panel("Weight, simulated").y("w", "");
    for condition in ["mstdp", "mstdpet"] {
        if let Some(outcome) = results.first(condition) {
            weights = weights.line(condition, points(outcome, "weight"));
        }
    }
    pictures.figure("traces", &figure.panel(weights));
}

#[cfg(test)]
mod tests {
    use super::super::run::lone_run;
    use super::*;

    #[test]
    fn the_simulated_weight_follows_the_equations() {
        for condition in ["mstdp", "mstdpet"] {
            let outcome = lone_run(&EXPERIMENT, condition, 1, &[], |r| {
                run(r).expect("an outcome")
            });
            let difference = outcome.get("greatest_difference").expect("a measure");
            assert!(difference < 1e-6, "{condition}: {difference}");
            let weight = outcome.get("weight").expect("a measure");
            assert!((weight - START).abs() > 1e-3, "{condition}: it changes");
        }
    }
}
