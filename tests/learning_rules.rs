//! Learning rules against an independent replay of their equations in double precision, and against what their theory predicts.

use neuropil::prelude::*;
use neuropil::scene::schema::Dendritic;

/// One synapse between a neuron that fires at `pre_ms` and one that fires at `post_ms` and nowhere else. The delay of 1 ms is all dendritic,
/// so that postsynaptic spikes take 1 ms to the synapse, too.
fn pair(pre_ms: &[f64], post_ms: &[f64], weight: f64, dt_ms: f64) -> Scene {
    let mut scene = Scene {
        dt_ms,
        ..Scene::default()
    };
    let source = SpikeSource {
        spikes: pre_ms.iter().map(|t| (*t, 0)).collect(),
        ..default()
    };
    scene.regions.push(RegionSpec::new("pre", 1, source));
    scene.regions.push(RegionSpec::new("post", 1, deaf()));
    let mut projection = ProjectionSpec::new("pre", "post", Rule::AllToAll, weight, 1.0);
    projection.name = Some("synapse".into());
    projection.dendritic = Dendritic::All;
    scene.projections.push(projection);
    let times_ms = post_ms.to_vec();
    let forced = StimulusKind::Spike { times_ms };
    scene.stimuli.push(StimulusSpec::new("post", forced));
    scene
}

/// A neuron that fires only if it is made to.
fn deaf() -> LifExp {
    LifExp {
        v_th: 1e9.into(),
        ..default()
    }
}

fn simulate(scene: &Scene) -> Simulation {
    Simulation::new(scene, &BuildOptions::default()).unwrap_or_else(|e| panic!("{e}"))
}

fn weight_after(scene: &Scene, ms: f64) -> f64 {
    let mut simulation = simulate(scene);
    simulation.run_ms(ms);
    f64::from(simulation.weights("synapse").expect("a plastic projection")[0])
}

/// What reaches the synapse, in order: (time, whether it is postsynaptic).
fn events(pre_ms: &[f64], post_ms: &[f64]) -> Vec<(f64, bool)> {
    let pre = pre_ms.iter().map(|t| (*t, false));
    let mut events: Vec<_> = pre.chain(post_ms.iter().map(|t| (t + 1.0, true))).collect();
    events.sort_by(|a, b| a.0.total_cmp(&b.0));
    events
}

fn decay(ms: f64, tau: f64) -> f64 {
    libm::exp(-ms / tau)
}

/// Sums of exp(−Δ/τ) over the times before `now`.
fn trace(times: &[f64], now: f64, tau: f64) -> f64 {
    let before = times.iter().filter(|t| **t < now);
    before.map(|t| decay(now - t, tau)).sum()
}

/// Poisson spikes on a grid of 0.5 ms.
fn poisson_train(rate_hz: f64, duration_ms: f64, seed: u64) -> Vec<f64> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut times = Vec::new();
    let mut time = 0.5;
    while time < duration_ms {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        if ((state >> 11) as f64) < rate_hz * 0.5e-3 * (1u64 << 53) as f64 {
            times.push(time);
        }
        time += 0.5;
    }
    times
}

const PRE: [f64; 9] = [5.0, 12.5, 30.0, 31.0, 44.0, 80.5, 81.0, 120.0, 150.0];
const POST: [f64; 9] = [3.0, 11.5, 20.0, 33.0, 43.0, 60.5, 82.0, 121.0, 140.0];

#[test]
fn oja_changes_weights_as_its_equation_says() {
    let (eta, w_norm, tau) = (0.05, 2.0, 25.0);
    let rule = Oja {
        eta,
        w_norm,
        tau,
        w_max: 10.0,
        ..default()
    };
    let post: Vec<f64> = POST.iter().map(|t| t + 1.0).collect();
    let mut want = 0.7;
    for (time, _) in events(&PRE, &POST).iter().filter(|(_, is_post)| *is_post) {
        let (x, y) = (trace(&PRE, *time, tau), trace(&post, *time, tau));
        want += eta * (w_norm * x - want * y);
    }
    for dt in [0.1, 0.5] {
        let mut scene = pair(&PRE, &POST, 0.7, dt);
        scene.projections[0]
            .plasticity
            .push(RuleValue::new(rule.clone()));
        let got = weight_after(&scene, 200.0);
        assert!(
            (got - want).abs() < 1e-5,
            "steps of {dt} ms: {got}, want {want}"
        );
    }
    assert!((want - 0.7).abs() > 0.1);
}

#[test]
fn oja_normalises_the_weights_of_independent_inputs() {
    // Where source and target are independent, w' is 0 at w = w₁ a/b.
    let (duration, a, b) = (20_000.0, 10.0, 20.0);
    let mut scene = pair(&[], &poisson_train(b, duration, 5), 0.9, 0.5);
    let sources = 60;
    let spikes = (0..sources)
        .flat_map(|n| {
            let times = poisson_train(a, duration, 100 + u64::from(n));
            times.into_iter().map(move |t| (t, n))
        })
        .collect();
    scene.regions[0] = RegionSpec::new(
        "pre",
        sources,
        SpikeSource {
            spikes,
            ..default()
        },
    );
    scene.projections[0].plasticity.push(RuleValue::new(Oja {
        eta: 0.02,
        w_max: 5.0,
        ..default()
    }));
    let mut simulation = simulate(&scene);
    simulation.run_ms(duration);
    let weights = simulation.weights("synapse").expect("weights");
    let mean = weights.iter().sum::<f32>() / weights.len() as f32;
    assert!((mean - 0.5).abs() < 0.07, "{mean}");
}

#[test]
fn bcm_changes_weights_as_its_equation_says() {
    let (eta, tau, tau_theta, rate_hz) = (1e-4, 30.0, 200.0, 15.0);
    let rule = Bcm {
        eta,
        tau,
        tau_theta,
        rate_hz,
        w_max: 10.0,
        ..default()
    };
    let post: Vec<f64> = POST.iter().map(|t| t + 1.0).collect();
    let rate = |times: &[f64], now: f64| trace(times, now, tau) / tau * 1e3;
    let theta = |now: f64| -> f64 {
        let samples = post.iter().filter(|t| **t < now);
        let sum: f64 = samples
            .map(|t| rate(&post, *t) * decay(now - t, tau_theta))
            .sum();
        sum * 1e3 / (rate_hz * tau_theta)
    };
    let mut want = 3.0;
    for (time, _) in events(&PRE, &POST).iter().filter(|(_, is_post)| *is_post) {
        want += eta * rate(&PRE, *time) * (rate(&post, *time) - theta(*time));
    }
    for dt in [0.1, 0.5] {
        let mut scene = pair(&PRE, &POST, 3.0, dt);
        scene.projections[0]
            .plasticity
            .push(RuleValue::new(rule.clone()));
        let got = weight_after(&scene, 200.0);
        assert!(
            (got - want).abs() < 2e-5,
            "steps of {dt} ms: {got}, want {want}"
        );
    }
    assert!((want - 3.0).abs() > 0.1);
}

/// The change of a weight by two seconds in which the target fires at `rate_hz`, after twenty at `before_hz`.
fn bcm_after(before_hz: f64, rate_hz: f64) -> f64 {
    let train = |rate: f64, from: f64, to: f64| -> Vec<f64> {
        let count = ((to - from) * rate * 1e-3) as usize;
        let at = |i| from + ((i as f64 + 0.5) * 1e3 / rate * 2.0).round() / 2.0;
        (0..count).map(at).collect()
    };
    let mut post = train(before_hz, 0.0, 20_000.0);
    post.extend(train(rate_hz, 20_500.0, 22_500.0));
    // The source is silent while the threshold comes to its level, and does not keep time with the target.
    let pre = train(37.0, 20_500.0, 22_500.0);
    let mut scene = pair(&pre, &post, 50.0, 0.5);
    scene.projections[0].plasticity.push(RuleValue::new(Bcm {
        w_max: 100.0,
        tau_theta: 10_000.0,
        ..default()
    }));
    weight_after(&scene, 23_000.0) - 50.0
}

#[test]
fn bcm_crosses_from_depression_to_potentiation_at_a_threshold_that_slides() {
    // Before each of regular spikes y is (1/τ)/(exp(1/(r τ)) − 1): 0.4, 11.6 and 30.8 Hz at these rates. The threshold comes to r y/y₀: 3.1 Hz
    // at 10 Hz, 17.7 Hz at 18 Hz.
    let changes = |before: f64| [5.0, 20.0, 40.0].map(|rate| bcm_after(before, rate));
    let (low, high) = (changes(10.0), changes(18.0));
    assert!(low[0] < 0.0 && low[1] > 0.0 && low[2] > low[1], "{low:?}");
    assert!(high[0] < 0.0 && high[1] < 0.0 && high[2] > 0.0, "{high:?}");
}
