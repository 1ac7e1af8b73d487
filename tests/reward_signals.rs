//! What is made of rewards, R − ⟨R⟩ and errors of a critic's prediction, against their equations in closed form, through the weight that
//! they change: at two steps, and across a snapshot.

use neuropil::modulation::{Evaluation, ModulatorSpec, Rewarder};
use neuropil::prelude::*;
use neuropil::scene::schema::Dendritic;

const TAU_C: f64 = 80.0;
const GAIN: f64 = 0.02;
const PRE_MS: f64 = 10.0;
const POST_MS: f64 = 16.0;
const END_MS: f64 = 300.0;
const CRITIC_MS: [(f64, u32); 7] = [
    (3.0, 0),
    (12.0, 1),
    (12.0, 2),
    (40.5, 0),
    (61.0, 2),
    (62.0, 2),
    (170.0, 1),
];
const REWARDS_MS: [f64; 5] = [5.0, 20.0, 45.0, 45.0, 130.0];

/// One pair of spikes marks a synapse, and rewards of these sizes come at [`REWARDS_MS`].
fn scene(evaluation: Evaluation, amounts: [f64; 5], dt_ms: f64) -> Scene {
    let mut scene = Scene {
        dt_ms,
        ..Scene::default()
    };
    let at = |spikes: &[(f64, u32)]| SpikeSource {
        spikes: spikes.to_vec(),
        ..default()
    };
    let deaf = LifExp {
        v_th: 1e9.into(),
        ..default()
    };
    scene.regions = vec![
        RegionSpec::new("pre", 1, at(&[(PRE_MS, 0)])),
        RegionSpec::new("post", 1, deaf),
        RegionSpec::new("critic", 3, at(&CRITIC_MS)),
    ];
    let mut projection = ProjectionSpec::new("pre", "post", Rule::AllToAll, 0.5, 1.0);
    projection.name = Some("synapse".into());
    projection.dendritic = Dendritic::All;
    scene.projections = vec![projection.learning(DopamineStdp {
        a_plus: 0.9,
        tau_c: TAU_C,
        gain: GAIN,
        w_min: -50.0,
        w_max: 50.0,
        modulator: "error".into(),
        ..default()
    })];
    let times_ms = vec![POST_MS];
    let forced = StimulusKind::Spike { times_ms };
    scene.stimuli = vec![StimulusSpec::new("post", forced)];
    let reward = |(time, amount): (f64, f64)| Rewarder::Schedule {
        times_ms: vec![time],
        amount,
    };
    scene.modulators = vec![ModulatorSpec {
        name: "error".into(),
        evaluation,
        rewards: REWARDS_MS.into_iter().zip(amounts).map(reward).collect(),
        ..default()
    }];
    scene
}

/// The mark just after the pair, and when that is: NEST's delay is that of the postsynaptic spike.
fn mark() -> (f64, f64) {
    let rule = DopamineStdp::default();
    let (pre, post) = (PRE_MS, POST_MS + 1.0);
    (0.9 * libm::exp(-(post - pre) / rule.tau_plus), post)
}

/// The weight at the end, whole and resumed from a snapshot, at two steps, must be this.
fn check(evaluation: &Evaluation, amounts: [f64; 5], want: f64) {
    for dt in [0.1, 0.5] {
        let scene = scene(evaluation.clone(), amounts, dt);
        let new = || Simulation::new(&scene, &BuildOptions::default()).expect("a network");
        let weight = |simulation: &mut Simulation| {
            f64::from(simulation.weights("synapse").expect("weights")[0])
        };
        let mut untouched = new();
        untouched.run_ms(END_MS);
        for middle in [8.0, 52.0, 128.0] {
            let mut whole = new();
            whole.run_ms(middle);
            let snapshot = whole.snapshot().expect("a snapshot");
            whole.run_ms(END_MS - middle);
            let mut resumed = new();
            resumed.restore(&snapshot).expect("a snapshot that fits");
            resumed.run_ms(END_MS - middle);
            assert_eq!(weight(&mut whole), weight(&mut resumed));
            for simulation in [&mut whole, &mut untouched] {
                let got = weight(simulation);
                assert!(
                    (got - want).abs() < 1e-6,
                    "{evaluation:?}, steps of {dt} ms: {got}, want {want}"
                );
            }
        }
    }
    assert!((want - 0.5).abs() > 1e-3);
}

/// What impulses at [`REWARDS_MS`] do to the weight.
fn by_impulses(sizes: impl IntoIterator<Item = f64>) -> f64 {
    let (mark, since) = mark();
    let acts = |(time, size): (f64, f64)| match time >= since {
        true => size * mark * libm::exp(-(time - since) / TAU_C),
        false => 0.0,
    };
    GAIN * REWARDS_MS.into_iter().zip(sizes).map(acts).sum::<f64>()
}

#[test]
fn surprise_is_the_reward_less_the_mean_of_earlier_ones() {
    let amounts = [1.0, 0.5, 2.0, -1.0, 3.0];
    for rewards in [1.0, 3.0, 40.0] {
        let mut mean = 0.0;
        let surprises = amounts.map(|amount| {
            let surprise = amount - mean;
            mean += surprise / rewards;
            surprise
        });
        let want = 0.5 + by_impulses(surprises);
        check(&Evaluation::Surprise { rewards }, amounts, want);
    }
}

#[test]
fn an_error_of_prediction_is_reward_and_change_of_value_less_its_discount() {
    let amounts = [0.3, 0.8, -0.4, 0.2, 0.5];
    for (value_at_rest, value_per_hz) in [(2.0, 0.0), (0.0, 0.3), (-2.0, 0.2)] {
        let (tau_reward, tau_rate, tau_rise) = (120.0, 40.0, 5.0);
        let (mark, since) = mark();
        // ∫ e^(−(t − from)/τ) c(t) dt to the end, of what starts at `from`.
        let integral = |from: f64, tau: f64| {
            let start = from.max(since);
            let rate = 1.0 / tau + 1.0 / TAU_C;
            let left = libm::exp(-(start - from) / tau) * libm::exp(-(start - since) / TAU_C);
            mark * left * -libm::expm1(-rate * (END_MS - start)) / rate
        };
        // V = V₀ + k Σ (e^(−s/τ_rate) − e^(−s/τ_rise)), with an integral of the kernel of one second and Hz per spike and neuron.
        let k = value_per_hz * 1000.0 / 3.0 / (tau_rate - tau_rise);
        let of_spike = |(from, _): &(f64, u32)| {
            let slow = integral(*from, tau_rate);
            let fast = integral(*from, tau_rise);
            k * (fast / tau_rise - slow / tau_rate) - k * (slow - fast) / tau_reward
        };
        let constant = mark * TAU_C * -libm::expm1(-(END_MS - since) / TAU_C);
        let error =
            CRITIC_MS.iter().map(of_spike).sum::<f64>() - value_at_rest / tau_reward * constant;
        let want = 0.5 + GAIN * error + by_impulses(amounts);
        let evaluation = Evaluation::TemporalDifference {
            critic: "critic".into(),
            value_per_hz,
            value_at_rest,
            tau_reward_ms: tau_reward,
            tau_rate_ms: tau_rate,
            tau_rise_ms: tau_rise,
        };
        check(&evaluation, amounts, want);
    }
}
