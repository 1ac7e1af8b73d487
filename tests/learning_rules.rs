//! Learning rules against an independent replay of their equations in double precision, and against what their theory predicts.

use neuropil::neurons::poisson_source::PoissonSource;
use neuropil::prelude::*;
use neuropil::scene::schema::Dendritic;

mod support;

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

/// Silent sources whose synapses onto one neuron have these weights, limited to `w_max` by a learning rule that has nothing to do.
fn fan(weights: &[f64], w_max: Option<f64>) -> Scene {
    let mut scene = pair(&[], &[], 1.0, 0.1);
    scene.regions[0].neurons = weights.len() as u32;
    let entry = |(source, weight): (usize, &f64)| ListEntry {
        source: source as u32,
        target: 0,
        weight: Some(*weight),
        ..default()
    };
    let projection = &mut scene.projections[0];
    projection.rule = Rule::List(weights.iter().enumerate().map(entry).collect());
    projection.weight = None;
    if let Some(w_max) = w_max {
        *projection = projection.clone().learning(Stdp { w_max, ..default() });
    }
    scene
}

fn weights_after(scene: &Scene, ms: f64) -> Vec<f32> {
    let mut simulation = simulate(scene);
    simulation.run_ms(ms);
    simulation.weights("synapse").expect("a plastic projection")
}

fn assert_near(got: &[f32], want: &[f64]) {
    assert_eq!(got.len(), want.len());
    for (g, w) in got.iter().zip(want) {
        assert!(
            (f64::from(*g) - w).abs() < 1e-5 * (1.0 + w.abs()),
            "{got:?}, want {want:?}"
        );
    }
}

#[test]
fn a_budget_is_met_by_a_factor_or_an_amount_and_within_bounds() {
    let third = 10.0 / 3.0;
    let (factor, amount) = (Normalisation::Multiplicative, Normalisation::Subtractive);
    for (how, total, w_max, want) in [
        (factor, 18.0, None, [2.0, 4.0, 12.0]),
        (factor, 3.0, None, [1.0 / 3.0, 2.0 / 3.0, 2.0]),
        (factor, 18.0, Some(8.0), [third, 2.0 * third, 8.0]),
        (amount, 6.0, None, [0.0, 1.0, 5.0]),
        (amount, 3.0, None, [0.0, 0.0, 3.0]),
        (amount, 12.0, Some(6.5), [2.25, 3.25, 6.5]),
    ] {
        let mut scene = fan(&[1.0, 2.0, 6.0], w_max);
        let budget = Budget {
            total,
            how,
            every_ms: 5.0,
            ..default()
        };
        scene.projections[0].plasticity.push(RuleValue::new(budget));
        assert_near(&weights_after(&scene, 4.9), &[1.0, 2.0, 6.0]);
        assert_near(&weights_after(&scene, 5.0), &want);
        // What is met once stays.
        assert_near(&weights_after(&scene, 50.0), &want);
    }
    let mut silent = fan(&[0.0, 0.0], None);
    silent.projections[0] = silent.projections[0].clone().learning(Budget::default());
    assert_near(&weights_after(&silent, 600.0), &[0.0, 0.0]);
}

/// Two regions that fire at random and learn, with a budget.
fn busy(over: BudgetOver, total: f64, inhibitory: bool) -> Scene {
    let mut scene = Scene {
        dt_ms: 0.5,
        ..Scene::default()
    };
    let source = PoissonSource {
        rate_hz: 40.0.into(),
        ..default()
    };
    scene.regions.push(RegionSpec::new("a", 90, source.clone()));
    let cell = LifExp {
        i_e: 400.0.into(),
        ..default()
    };
    scene.regions.push(RegionSpec::new("b", 70, cell));
    let weights = if inhibitory {
        Distribution::Uniform {
            min: -2.0,
            max: -0.1,
        }
    } else {
        Distribution::Uniform { min: 0.1, max: 2.0 }
    };
    let rule = Stdp {
        w_max: 4.0,
        a_plus: 0.05,
        a_minus: 0.03,
        ..default()
    };
    let mut projection =
        ProjectionSpec::new("a", "b", Rule::PairwiseBernoulli(0.3), weights, 1.0).learning(rule);
    projection = projection.learning(Budget {
        total,
        over,
        every_ms: 10.0,
        ..default()
    });
    projection.name = Some("synapse".into());
    scene.projections.push(projection);
    scene
}

#[test]
fn learning_keeps_to_a_budget_over_targets_sources_or_all() {
    for (over, total, inhibitory) in [
        (BudgetOver::Targets, 30.0, false),
        (BudgetOver::Sources, 20.0, false),
        (BudgetOver::Projection, 2_000.0, false),
        (BudgetOver::Targets, 30.0, true),
    ] {
        let scene = busy(over, total, inhibitory);
        let mut simulation = simulate(&scene);
        simulation.run_ms(199.5);
        let sums = |simulation: &mut Simulation| {
            let weights = simulation.weights("synapse").expect("weights");
            let ends = simulation.synapse_ends("synapse").expect("synapses");
            let mut sums = [0.0; 90];
            for (weight, (source, target)) in weights.iter().zip(ends) {
                let index = match over {
                    BudgetOver::Targets => target,
                    BudgetOver::Sources => source,
                    BudgetOver::Projection => 0,
                };
                sums[index as usize] += f64::from(*weight);
            }
            sums.into_iter().filter(|s| *s > 0.0).collect::<Vec<f64>>()
        };
        let off = |sums: &[f64]| {
            sums.iter()
                .map(|s| (s / total - 1.0).abs())
                .fold(0.0, f64::max)
        };
        let before = sums(&mut simulation);
        simulation.run_ms(0.5);
        let after = sums(&mut simulation);
        assert!(off(&before) > 1e-4, "{over:?}: nothing is learnt");
        assert!(off(&after) < 1e-6, "{over:?}: {after:?}");
    }
}

#[test]
fn homeostatic_scaling_follows_its_equation_whatever_the_period() {
    let (rate_hz, tau_rate, tau) = (8.0, 150.0, 300.0);
    let spikes: Vec<f64> = POST.to_vec();
    // ∫ r dt over T, from the spikes and from the rate at the start.
    let integral = |end: f64| -> f64 {
        let part = |from: f64| 1.0 - decay(end - from, tau_rate);
        spikes.iter().map(|t| part(*t)).sum::<f64>() + rate_hz * 1e-3 * tau_rate * part(0.0)
    };
    let want = 2.0 * libm::exp((200.0 - integral(200.0) / (rate_hz * 1e-3)) / tau);
    assert!((want - 2.0).abs() > 0.5);
    for (dt, every_ms) in [(0.1, 10.0), (0.1, 50.0), (0.5, 10.0), (0.5, 200.0)] {
        let rule = HomeostaticScaling {
            rate_hz,
            tau_rate_ms: tau_rate,
            tau_ms: tau,
            every_ms,
            w_max: Some(100.0),
        };
        let mut scene = pair(&[], &POST, 2.0, dt);
        scene.projections[0]
            .plasticity
            .push(RuleValue::new(rule.clone()));
        let got = weight_after(&scene, 200.0);
        assert!(
            (got - want).abs() < 2e-5,
            "{dt}, every {every_ms} ms: {got}, want {want}"
        );
        // Inhibition scales the other way.
        scene.projections[0].weight = Some((-2.0).into());
        let got = weight_after(&scene, 200.0);
        assert!(
            (got - 4.0 / want).abs() < 2e-5,
            "{got}, want {}",
            4.0 / want
        );
        // A bound is a bound.
        let low = HomeostaticScaling {
            w_max: Some(2.25),
            ..rule
        };
        scene.projections[0].plasticity = vec![RuleValue::new(low)];
        assert_eq!(weight_after(&scene, 200.0), 2.25);
    }
}

/// A factor that is too large for a number leads weights to their bound, and leaves those of 0 where they are.
#[test]
fn homeostatic_scaling_leads_to_the_bounds_however_fast() {
    for tau_ms in [0.2, 1e-3, 1e-300] {
        let mut scene = fan(&[0.0, 1.0], Some(2.0));
        scene.projections[0]
            .plasticity
            .push(RuleValue::new(HomeostaticScaling {
                tau_ms,
                every_ms: 150.0,
                ..default()
            }));
        assert_near(&weights_after(&scene, 320.0), &[0.0, 2.0]);
    }
}

#[test]
fn homeostatic_scaling_brings_neurons_to_their_rate() {
    let mut scene = Scene {
        dt_ms: 0.5,
        ..Scene::default()
    };
    let source = PoissonSource {
        rate_hz: 20.0.into(),
        ..default()
    };
    scene.regions.push(RegionSpec::new("a", 100, source));
    scene
        .regions
        .push(RegionSpec::new("b", 40, LifExp::default()));
    // Too strong for half of the neurons, too weak for none: without scaling they fire at more than 30 Hz.
    let scaled = HomeostaticScaling {
        rate_hz: 6.0,
        tau_rate_ms: 1_000.0,
        tau_ms: 5_000.0,
        every_ms: 20.0,
        w_max: Some(1_000.0),
    };
    let weights = Distribution::Uniform {
        min: 50.0,
        max: 150.0,
    };
    let projection = ProjectionSpec::new("a", "b", Rule::AllToAll, weights, 1.0);
    scene.projections.push(projection);
    let rate = |scene: &Scene| {
        let mut simulation = simulate(scene);
        simulation.run_ms(20_000.0);
        let before = simulation.spike_count().spikes;
        simulation.run_ms(10_000.0);
        let sources = 100.0 * 20.0 * 10.0;
        (simulation.spike_count().spikes as f64 - before as f64 - sources) / 400.0
    };
    let free = rate(&scene);
    scene.projections[0].plasticity.push(RuleValue::new(scaled));
    let kept = rate(&scene);
    assert!(
        free > 20.0 && (kept - 6.0).abs() < 1.5,
        "{free} Hz, then {kept} Hz"
    );
}

#[test]
fn weights_decay_exactly_with_and_without_spikes() {
    let (w_rest, tau) = (0.5, 40.0);
    let fade = |w: f64, ms: f64| w_rest + (w - w_rest) * decay(ms, tau);
    let rule = ConvergentDecay {
        w_rest,
        tau_ms: tau,
    };
    let stdp = Stdp {
        a_plus: 0.1,
        a_minus: 0.12,
        w_max: 5.0,
        ..default()
    };
    let post: Vec<f64> = POST.iter().map(|t| t + 1.0).collect();
    for dt in [0.1, 0.5] {
        let mut scene = pair(&PRE, &POST, 2.0, dt);
        scene.projections[0]
            .plasticity
            .push(RuleValue::new(rule.clone()));
        for ms in [0.5, 17.0, 200.0] {
            let (got, want) = (weight_after(&scene, ms), fade(2.0, ms));
            assert!((got - want).abs() < 1e-6, "{ms} ms: {got}, want {want}");
        }
        scene.projections[0]
            .plasticity
            .push(RuleValue::new(stdp.clone()));
        let (mut want, mut last) = (2.0, 0.0);
        for (time, is_post) in events(&PRE, &POST) {
            want = fade(want, time - last);
            last = time;
            want += if is_post {
                5.0 * stdp.a_plus * trace(&PRE, time, stdp.tau_plus)
            } else {
                -5.0 * stdp.a_minus * trace(&post, time, stdp.tau_minus)
            };
            want = want.clamp(0.0, 5.0);
        }
        want = fade(want, 200.0 - last);
        let got = weight_after(&scene, 200.0);
        assert!(
            (got - want).abs() < 1e-5,
            "steps of {dt} ms: {got}, want {want}"
        );
    }
}

#[test]
fn upkeep_rests_while_learning_is_frozen_and_is_restricted_with_it() {
    let mut scene = fan(&[1.0, 3.0], None);
    let budget = Budget {
        total: 8.0,
        every_ms: 5.0,
        ..default()
    };
    scene.projections[0].plasticity.push(RuleValue::new(budget));
    let mut simulation = simulate(&scene);
    simulation.freeze("synapse", true).expect("it is plastic");
    simulation.run_ms(12.0);
    assert_near(
        &simulation.weights("synapse").expect("weights"),
        &[1.0, 3.0],
    );
    simulation.freeze("synapse", false).expect("it is plastic");
    simulation
        .restrict_learning("synapse", vec![0.25])
        .expect("one target");
    simulation.run_ms(4.0);
    assert_near(
        &simulation.weights("synapse").expect("weights"),
        &[1.25, 3.75],
    );
}

fn refusal(scene: &Scene) -> String {
    match Simulation::new(scene, &BuildOptions::default()) {
        Ok(_) => panic!("this scene is wrong, but was built"),
        Err(error) => error.to_string(),
    }
}

#[test]
fn contradictions_between_rules_are_refused() {
    let wrong = |rules: Vec<RuleValue>, words: &[&str]| {
        let mut scene = fan(&[1.0, 2.0], None);
        scene.projections[0].plasticity = rules;
        let message = refusal(&scene);
        for word in words {
            assert!(message.contains(word), "{message}: no {word}");
        }
    };
    let budget = |total: f64| Budget { total, ..default() };
    let scaling = HomeostaticScaling::default();
    let fade = ConvergentDecay::default();
    wrong(
        vec![
            RuleValue::new(Stdp::default()),
            RuleValue::new(Oja::default()),
        ],
        &["plasticity[0]", "exclude"],
    );
    let wide = Stdp {
        w_max: 9.0,
        ..default()
    };
    wrong(
        vec![RuleValue::new(wide.clone()), RuleValue::new(wide.clone())],
        &["plasticity[1]", "plasticity[0] is the same rule"],
    );
    wrong(
        vec![RuleValue::new(budget(3.0)), RuleValue::new(budget(4.0))],
        &[
            "plasticity[1]",
            "plasticity[0]",
            "each target neuron",
            "remove",
        ],
    );
    wrong(
        vec![RuleValue::new(wide.clone()), RuleValue::new(budget(19.0))],
        &["plasticity[1]", "19", "18", "w_max"],
    );
    wrong(vec![RuleValue::new(scaling.clone())], &["w_max"]);
    wrong(
        vec![RuleValue::new(HomeostaticScaling {
            w_max: Some(1.5),
            ..scaling
        })],
        &["1.5", "2", "raise w_max"],
    );
    wrong(
        vec![
            RuleValue::new(wide),
            RuleValue::new(ConvergentDecay {
                w_rest: 10.0,
                ..fade.clone()
            }),
        ],
        &["w_rest is 10", "0 to 9"],
    );
    wrong(
        vec![RuleValue::new(ConvergentDecay {
            tau_ms: -1.0,
            ..fade.clone()
        })],
        &["plasticity[0].tau_ms", "-1"],
    );
    wrong(
        vec![RuleValue::new(fade.clone()), RuleValue::new(fade)],
        &["decay of weights"],
    );
    wrong(
        vec![RuleValue::new(Budget {
            every_ms: 0.01,
            ..budget(3.0)
        })],
        &["every_ms is 0.01", "0.1 ms"],
    );
    wrong(
        vec![RuleValue::new(Bcm {
            tau_theta: 0.0,
            ..default()
        })],
        &["tau_theta"],
    );
    let mut mixed = fan(&[-1.0, 2.0], None);
    mixed.regions[1] = RegionSpec::new("post", 1, LifDelta::default());
    mixed.projections[0].plasticity = vec![RuleValue::new(budget(3.0))];
    let message = refusal(&mixed);
    assert!(
        message.contains("weights go down to -1; a budget"),
        "{message}"
    );
}

#[test]
fn intrinsic_current_follows_its_equation_within_its_bounds() {
    let rule = IntrinsicPlasticity {
        rate_hz: 40.0,
        tau_ms: 80.0,
        amplitude: 30.0,
        low: -20.0,
        high: 25.0,
    };
    for dt in [0.1, 0.5] {
        let mut scene = pair(&[], &POST, 1.0, dt);
        scene.regions[1].intrinsic = Some(rule.clone());
        let mut simulation = simulate(&scene);
        let (mut want, mut last) = (0.0, 0.0);
        let rise = |ms: f64| ms * 30.0 / 80.0;
        for &time in &POST {
            want = f64::min(want + rise(time - last), 25.0);
            want = f64::max(want - rise(1e3 / 40.0), -20.0);
            last = time;
            // The drive of the step after the spike.
            simulation.run_ms(time + dt - simulation.clock().time_ms());
            let got = simulation.column("post", "drive").expect("a drive")[0];
            assert!(
                (f64::from(got) - want).abs() < rise(dt) + 1e-4,
                "steps of {dt} ms, {time} ms: {got}, want {want}"
            );
        }
        simulation.run_ms(200.0);
        assert_eq!(simulation.column("post", "drive"), Some(vec![25.0]));
    }
}

#[test]
fn intrinsic_plasticity_brings_each_neuron_to_its_rate() {
    let mut scene = Scene {
        dt_ms: 0.5,
        ..Scene::default()
    };
    let cell = LifExp {
        i_e: Distribution::Uniform {
            min: 100.0,
            max: 700.0,
        },
        ..default()
    };
    let mut region = RegionSpec::new("cells", 50, cell);
    region.intrinsic = Some(IntrinsicPlasticity {
        rate_hz: 8.0,
        tau_ms: 500.0,
        ..default()
    });
    scene.regions.push(region);
    scene.probes.push(ProbeSpec {
        region: Some("cells".into()),
        kind: ProbeKind::Spikes,
    });
    let rates = |scene: &Scene| {
        let mut simulation = simulate(scene);
        simulation.run_ms(20_000.0);
        let mut rates = [0.0; 50];
        for (step, neuron) in simulation.recorded_spikes("cells") {
            if step >= 20_000 {
                rates[neuron as usize] += 0.1;
            }
        }
        rates
            .map(|r: f64| (r - 8.0).abs())
            .into_iter()
            .fold(0.0, f64::max)
    };
    let kept = rates(&scene);
    scene.regions[0].intrinsic = None;
    let free = rates(&scene);
    assert!(
        kept < 0.5 && free > 7.0,
        "off by {kept} Hz, {free} Hz without"
    );
}

#[test]
fn intrinsic_plasticity_that_cannot_be_is_refused() {
    let wrong = |rule: IntrinsicPlasticity, region: usize, words: [&str; 2]| {
        let mut scene = pair(&[], &[], 1.0, 0.5);
        scene.regions[region].intrinsic = Some(rule);
        let message = refusal(&scene);
        for word in words {
            assert!(message.contains(word), "{message}: no {word}");
        }
    };
    let rule = IntrinsicPlasticity::default;
    wrong(rule(), 0, ["regions[0].intrinsic", "takes no input"]);
    let crossed = IntrinsicPlasticity {
        high: -600.0,
        ..rule()
    };
    wrong(crossed, 1, ["low is -500", "high is -600"]);
    let fast = IntrinsicPlasticity {
        rate_hz: 2_000.0,
        ..rule()
    };
    wrong(fast, 1, ["intrinsic.rate_hz", "less than 2000 Hz"]);
    let timeless = IntrinsicPlasticity {
        tau_ms: 0.0,
        ..rule()
    };
    wrong(timeless, 1, ["regions[1].intrinsic.tau_ms", "0"]);
}

#[test]
fn metaplastic_depression_follows_the_square_of_the_slow_rate() {
    let meta = Metaplasticity {
        rate_hz: 30.0,
        tau: 120.0,
    };
    let rule = TripletStdp {
        a2_plus: 0.01,
        a3_plus: 0.05,
        a2_minus: 0.2,
        a3_minus: 0.04,
        w_max: 10.0,
        metaplasticity: Some(meta.clone()),
        ..default()
    };
    let post: Vec<f64> = POST.iter().map(|t| t + 1.0).collect();
    let (mut want, mut fixed) = (5.0, 5.0);
    for (time, is_post) in events(&PRE, &POST) {
        if is_post {
            let r1 = trace(&PRE, time, rule.tau_plus);
            let grown = r1 * (rule.a2_plus + rule.a3_plus * trace(&post, time, rule.tau_y));
            (want, fixed) = (want + grown, fixed + grown);
        } else {
            let o1 = trace(&post, time, rule.tau_minus);
            let shrunk = o1 * (rule.a2_minus + rule.a3_minus * trace(&PRE, time, rule.tau_x));
            let rate = trace(&post, time, meta.tau) / meta.tau * 1e3 / meta.rate_hz;
            (want, fixed) = (want - shrunk * rate * rate, fixed - shrunk);
        }
    }
    assert!((want - fixed).abs() > 0.1);
    for dt in [0.1, 0.5] {
        let mut scene = pair(&PRE, &POST, 5.0, dt);
        let mut rule = rule.clone();
        scene.projections[0].plasticity = vec![RuleValue::new(rule.clone())];
        let got = weight_after(&scene, 200.0);
        assert!(
            (got - want).abs() < 2e-5,
            "steps of {dt} ms: {got}, want {want}"
        );
        rule.metaplasticity = None;
        scene.projections[0].plasticity = vec![RuleValue::new(rule)];
        let got = weight_after(&scene, 200.0);
        assert!(
            (got - fixed).abs() < 2e-5,
            "steps of {dt} ms: {got}, want {fixed}"
        );
    }
}

#[test]
fn rules_do_the_same_on_any_number_of_threads_and_after_a_snapshot() {
    for network in [support::learning(), support::rewarded()] {
        do_the_same(&network);
    }
}

fn do_the_same(network: &support::Network) {
    let end = network.steps.min(1_000);
    let mut one = network.build(&support::lanes(1));
    one.run_steps(end);
    let want = one.snapshot().expect("a snapshot");
    for (first, second) in [(2, 3), (7, 1)] {
        let mut simulation = network.build(&support::lanes(first));
        simulation.run_steps(end / 2 + 13);
        let kept = simulation.snapshot().expect("a snapshot");
        let mut simulation = network.build(&support::lanes(second));
        simulation.restore(&kept).expect("it fits");
        simulation.run_steps(end - end / 2 - 13);
        let got = simulation.snapshot().expect("a snapshot");
        assert_eq!(
            support::first_difference(&want, &got),
            None,
            "{first}, then {second} lanes"
        );
    }
    for (name, _) in one.changing_projections() {
        let before = network.build(&support::lanes(1)).weights(&name);
        // Short-term dynamics alone leave weights as they are.
        let changes = before != one.weights(&name);
        let learns = name != "inhibitory → output" && name != "exact to output";
        assert_eq!(changes, learns, "{}: {name}", network.name);
    }
}
