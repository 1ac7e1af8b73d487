//! Responses of projections and of modulatory axons: against closed forms, over snapshots and edits, on any number of threads, and what is said of
//! wrong ones.

mod support;

use neuropil::modulation::{ModulatorSpec, Release};
use neuropil::network::connect::ListEntry;
use neuropil::network::slots::InputSlots;
use neuropil::prelude::*;
use neuropil::scene::load::{SceneFiles, SceneSource, load};
use neuropil::scene::schema::Dendritic;
use support::{lanes, networks};

const TAU_M: f64 = 10.0;

/// Neurons whose membrane only sums and leaks.
fn membranes(name: &str, neurons: u32) -> RegionSpec {
    let model = LifDelta {
        e_l: 0.0.into(),
        v_reset: 0.0.into(),
        v_th: 1e9.into(),
        tau_m: TAU_M.into(),
        ..default()
    };
    RegionSpec::new(name, neurons, model)
}

/// A source that fires at given times, and one projection onto a membrane.
fn driven(times_ms: &[f64], dt_ms: f64, weight: f64, responses: Responses) -> Scene {
    let mut scene = Scene {
        dt_ms,
        ..Scene::default()
    };
    let spikes = times_ms.iter().map(|t| (*t, 0)).collect();
    let source = SpikeSource {
        spikes,
        ..default()
    };
    scene.regions = vec![RegionSpec::new("source", 1, source), membranes("cell", 1)];
    let mut projection = ProjectionSpec::new("source", "cell", Rule::AllToAll, weight, 1.5);
    projection.responses = Some(responses);
    scene.projections = vec![projection];
    scene
}

fn terminal(sequence: &[Response]) -> Responses {
    Responses {
        terminal: sequence.to_vec(),
        ..default()
    }
}

fn simulate(scene: &Scene, threads: usize) -> Simulation {
    Simulation::new(scene, &lanes(threads)).unwrap_or_else(|e| panic!("{e}"))
}

fn potential(simulation: &mut Simulation) -> f64 {
    f64::from(simulation.column("cell", "v").expect("a potential")[0])
}

/// The membrane after so many ms of a current κ that began at 0: ∫ κ(s) exp(−(t − s)/τ_m) ds for κ = exp(−s/τ).
fn leaky_through_membrane(tau: f64, t: f64) -> f64 {
    (libm::exp(-t / TAU_M) - libm::exp(-t / tau)) / (1.0 / tau - 1.0 / TAU_M)
}

/// What arrives in each step, through a kernel of which this is the integral from 0, and a membrane: at the end of every step.
fn stepped(
    arrivals: &[(u64, f64)],
    integral: &dyn Fn(f64) -> f64,
    dt: f64,
    steps: u64,
) -> Vec<f64> {
    let mut v = 0.0;
    (0..steps)
        .map(|step| {
            v *= libm::exp(-dt / TAU_M);
            for (at, weight) in arrivals.iter().filter(|(at, _)| *at < step) {
                let t = (step - at) as f64 * dt;
                v += weight * (integral(t) - integral(t - dt));
            }
            v
        })
        .collect()
}

#[test]
fn one_spike_through_a_response_moves_a_membrane_by_the_closed_form() {
    let (tau, gain, weight) = (4.0, 0.25, 0.8);
    let integral = |t: f64| tau * -libm::expm1(-t / tau);
    let mut errors = Vec::new();
    for dt in [0.1, 0.5] {
        let responses = Responses {
            terminal: vec![Response::Leaky { tau }],
            spine: vec![Response::Scaling { gain }],
        };
        let mut simulation = simulate(&driven(&[3.0], dt, weight, responses), 1);
        // The spike of the step that ends at 3 ms acts 1.5 ms later, in the step that ends then.
        let arrival = ((3.0 + 1.5) / dt) as u64 - 1;
        let want = stepped(&[(arrival, weight * gain)], &integral, dt, 400);
        let mut error = 0.0f64;
        for (step, want) in want.iter().enumerate() {
            simulation.step();
            let got = potential(&mut simulation);
            assert!(
                (got - want).abs() < 2e-6 * weight,
                "{dt} ms, step {step}: {got}, want {want}"
            );
            let t = (step as f64 + 1.0) * dt - 4.5;
            if t > 0.0 && t < 30.0 {
                let continuous = weight * gain * leaky_through_membrane(tau, t);
                error = error.max((got - continuous).abs());
            }
        }
        errors.push(error);
    }
    // Each step's part comes at its end: an error of first order.
    assert!(errors[0] < 0.006 && (3.0..7.0).contains(&(errors[1] / errors[0])));
}

#[test]
fn windows_flats_and_sequences_reach_a_membrane_as_their_integrals() {
    let flat = |t: f64| t;
    let window = |t: f64| t.min(6.0);
    let alpha = |t: f64| {
        let tau = 2.0;
        core::f64::consts::E * (tau * -libm::expm1(-t / tau) - t * libm::exp(-t / tau))
    };
    // A window and a leak convolved: (τ − τ e^(−s/τ)) up to the end of the window, which then decays.
    let both = |t: f64| {
        let (tau, end) = (3.0, 6.0);
        let up = |t: f64| tau * (t - tau * -libm::expm1(-t / tau));
        up(t) - if t > end { up(t - end) } else { 0.0 }
    };
    let cases: [(Vec<Response>, &dyn Fn(f64) -> f64); 4] = [
        (vec![Response::Flat], &flat),
        (vec![Response::LimitedFlat { window: 6.0 }], &window),
        (vec![Response::Alpha { tau: 2.0 }], &alpha),
        (
            vec![
                Response::Leaky { tau: 3.0 },
                Response::LimitedFlat { window: 6.0 },
            ],
            &both,
        ),
    ];
    for (sequence, integral) in cases {
        for dt in [0.1, 0.5] {
            let times = [3.0, 4.0, 4.5, 12.0];
            let mut simulation = simulate(&driven(&times, dt, 0.5, terminal(&sequence)), 2);
            let arrivals = times.map(|t| (((t + 1.5) / dt).round() as u64 - 1, 0.5));
            let want = stepped(&arrivals, integral, dt, 300);
            let scale = want.iter().fold(0.0f64, |a, b| a.max(*b));
            for (step, want) in want.iter().enumerate() {
                simulation.step();
                let got = potential(&mut simulation);
                assert!(
                    (got - want).abs() < 3e-6 * scale,
                    "{sequence:?}, {dt} ms, step {step}: {got}, want {want}"
                );
            }
        }
    }
}

#[test]
fn terminal_and_spine_commute_with_every_kind_of_synapse() {
    let parts = [
        Response::Leaky { tau: 7.0 },
        Response::Alpha { tau: 2.0 },
        Response::Scaling { gain: 0.1 },
    ];
    let places = [(3, 0), (0, 3), (1, 2)].map(|(first, _)| Responses {
        terminal: parts[..first].to_vec(),
        spine: parts[first..].to_vec(),
    });
    let depressing = TsodyksMarkram {
        tau_rec: 50.0,
        ..default()
    };
    type Change = fn(&mut ProjectionSpec, &TsodyksMarkram);
    let kinds: [Change; 3] = [
        |_, _| {},
        |p, model| p.short_term = Some(model.clone()),
        |p, _| {
            p.plasticity = vec![RuleValue::new(Stdp::default())];
            p.dendritic = Dendritic::Ms(0.5);
        },
    ];
    for kind in kinds {
        let course = |responses: &Responses| {
            let times: Vec<f64> = (1..20).map(|n| f64::from(n * n % 61)).collect();
            let mut times = times;
            times.sort_by(f64::total_cmp);
            times.dedup();
            let mut scene = driven(&times, 0.1, 0.5, responses.clone());
            kind(&mut scene.projections[0], &depressing);
            let mut simulation = simulate(&scene, 1);
            (0..900)
                .map(|_| {
                    simulation.step();
                    potential(&mut simulation)
                })
                .collect::<Vec<_>>()
        };
        let first = course(&places[0]);
        assert!(first.iter().any(|v| *v > 0.1));
        for other in &places[1..] {
            assert_eq!(course(other), first);
        }
    }
}

/// With short-term depression, each spike brings what it released.
#[test]
fn what_a_spike_released_unfolds_whatever_comes_after() {
    let (dt, weight, times) = (0.1, 0.5, [2.0, 5.0, 9.0, 40.0]);
    let model = TsodyksMarkram {
        u: 0.5,
        tau_rec: 30.0,
        ..default()
    };
    let mut scene = driven(
        &times,
        dt,
        weight,
        terminal(&[Response::Leaky { tau: 15.0 }]),
    );
    scene.projections[0].short_term = Some(model);
    let (mut recovered, mut last) = (1.0f64, 0.0);
    let arrivals = times.map(|t| {
        recovered = 1.0 - (1.0 - recovered) * libm::exp(-(t - last) / 30.0);
        let sent = 0.5 * recovered;
        recovered -= sent;
        last = t;
        (((t + 1.5) / dt).round() as u64 - 1, weight * sent)
    });
    let want = stepped(&arrivals, &|t| 15.0 * -libm::expm1(-t / 15.0), dt, 800);
    let mut simulation = simulate(&scene, 1);
    for want in want {
        simulation.step();
        let got = potential(&mut simulation);
        assert!((got - want).abs() < 1e-5, "{got}, want {want}");
    }
}

#[test]
fn identity_is_no_response_and_scaling_a_larger_weight() {
    let course = |weight: f64, responses: Option<Responses>| {
        let mut scene = driven(&[3.0, 4.0, 7.0], 0.1, weight, Responses::default());
        scene.projections[0].responses = responses;
        let mut simulation = simulate(&scene, 1);
        (0..200)
            .map(|_| {
                simulation.step();
                potential(&mut simulation)
            })
            .collect::<Vec<_>>()
    };
    let plain = course(0.75, None);
    assert_eq!(course(0.75, Some(terminal(&[Response::Identity]))), plain);
    let doubled = terminal(&[Response::Scaling { gain: 2.0 }]);
    assert_eq!(course(0.375, Some(doubled)), plain);
}

/// Conductances with inhibition and several delays, pushed and pulled, recurrent, on which responses act beside plain projections.
#[test]
fn threads_make_no_difference_and_a_resumed_run_goes_on() {
    let network = networks()
        .find(|network| network.name == "responding")
        .expect("a network");
    let run = |threads: usize| {
        let mut simulation = network.build(&lanes(threads));
        simulation.run_steps(1500);
        (
            simulation.spike_count(),
            simulation.snapshot().expect("a snapshot"),
        )
    };
    let (count, state) = run(1);
    assert!(count.spikes > 500, "{count:?}");
    for threads in [2, 3] {
        let (other_count, other) = run(threads);
        assert_eq!(other_count, count);
        assert_eq!(support::first_difference(&state, &other), None);
    }
    // Resumed on another number of threads, in the middle of everything.
    let mut first = network.build(&lanes(1));
    first.run_steps(700);
    let middle = first.snapshot().expect("a snapshot");
    let held = middle.u64s("projection.0.responses").expect("a section");
    assert!(held.iter().filter(|n| **n != 0).count() > 50);
    let mut second = network.build(&lanes(3));
    second.restore(&middle).expect("it fits");
    second.run_steps(800);
    assert_eq!(second.spike_count(), count);
    let resumed = second.snapshot().expect("a snapshot");
    assert_eq!(support::first_difference(&state, &resumed), None);
}

#[test]
fn an_endless_response_has_room() {
    let flat = terminal(&[Response::Flat]);
    let scene = driven(&[1.0], 0.1, 1.0, flat);
    let simulation = simulate(&scene, 1);
    let slots = simulation.world().resource::<InputSlots>();
    assert!(matches!(slots, InputSlots::Wide(_)));
    let scene = driven(&[1.0], 0.1, 1.0, terminal(&[Response::Leaky { tau: 15.0 }]));
    let simulation = simulate(&scene, 1);
    let slots = simulation.world().resource::<InputSlots>();
    assert!(matches!(slots, InputSlots::Narrow(_)));
}

#[test]
fn synapses_are_seen_with_their_weights_and_receptors() {
    let mut scene = driven(
        &[1.0],
        0.1,
        -0.5,
        terminal(&[Response::Leaky { tau: 100.0 }]),
    );
    scene.regions[1] = RegionSpec::new("cell", 1, LifExp::default());
    for learns in [false, true] {
        if learns {
            scene.projections[0] = scene.projections[0].clone().learning(Stdp {
                w_max: 2.0,
                ..default()
            });
        }
        let mut simulation = simulate(&scene, 1);
        let seen = simulation.synapses("source", "cell");
        assert_eq!(seen.len(), 1);
        assert_eq!((seen[0].weight, seen[0].receptor), (-0.5, 1));
        simulation.run_ms(50.0);
        let current = simulation.column("cell", "i_in").expect("a column")[0];
        // 0.5 pA/ms for 50 ms, over a synapse of 2 ms.
        assert!((-0.9..-0.5).contains(&current), "{current}");
    }
}

/// An edit that adds a projection with responses before another one leaves that as it goes on.
#[test]
fn an_edit_keeps_what_responses_hold() {
    let entry = |source: u32| ListEntry {
        source,
        target: 0,
        weight: Some(0.5),
        delay_ms: Some(8.0),
    };
    let mut scene = driven(
        &[3.0, 9.0, 14.0],
        0.1,
        0.5,
        terminal(&[
            Response::Leaky { tau: 20.0 },
            Response::LimitedFlat { window: 5.0 },
        ]),
    );
    scene.projections[0].rule = Rule::List(vec![entry(0)]);
    scene.projections[0].name = Some("kept".into());
    scene.projections[0] = scene.projections[0].clone().learning(Stdp::default());
    scene.projections[0].dendritic = Dendritic::All;
    let mut edited = scene.clone();
    let mut added = edited.projections[0].clone();
    added.name = Some("added".into());
    added.rule = Rule::List(Vec::new());
    edited.projections.insert(0, added);
    let mut whole = simulate(&scene, 1);
    whole.run_steps(180);
    let carried = whole.carry().expect("a state");
    let mut other = simulate(&edited, 1);
    other.take_over(&carried).expect("it fits");
    for step in 180..600 {
        whole.step();
        other.step();
        assert_eq!(potential(&mut whole), potential(&mut other), "step {step}");
    }
    assert!(potential(&mut whole) > 0.1);
    // Without the projection, what it has sent and held is gone with it.
    let mut without = scene.clone();
    without.projections.clear();
    let mut last = simulate(&without, 1);
    let carried = whole.carry().expect("a state");
    last.take_over(&carried).expect("it fits");
    let before = potential(&mut whole);
    last.step();
    let decayed = before * libm::exp(-0.1 / TAU_M);
    assert!((potential(&mut last) - decayed).abs() < 1e-6);
}

#[test]
fn a_modulatory_axon_with_a_response_fills_its_pool_by_the_integral() {
    let (tau, tau_pool, amount) = (5.0, 40.0, 2.0);
    for dt in [0.1, 0.5] {
        let mut scene = driven(&[3.0, 6.0], dt, 0.5, terminal(&[Response::Identity]));
        scene.modulators = vec![ModulatorSpec {
            name: "dopamine".into(),
            tau_ms: Some(tau_pool),
            released_by: vec![Release {
                from: "source".into(),
                amount,
                delay_ms: 2.0,
                response: vec![
                    Response::Leaky { tau },
                    Response::LimitedFlat { window: 3.0 },
                ],
                ..default()
            }],
            ..default()
        }];
        let mut simulation = simulate(&scene, 1);
        let up = |t: f64| tau * (t - tau * -libm::expm1(-t / tau));
        let integral = |t: f64| up(t) - if t > 3.0 { up(t - 3.0) } else { 0.0 };
        let mut want = 0.0;
        let mut resumed = None;
        for step in 1..=(40.0 / dt) as u64 {
            want *= libm::exp(-dt / tau_pool);
            for spike in [5.0, 8.0] {
                let t = step as f64 * dt - spike;
                if t > 1e-9 {
                    want += amount * (integral(t) - integral(t - dt));
                }
            }
            simulation.step();
            let level = |simulation: &mut Simulation| {
                simulation.modulator("dopamine").expect("a pool").level()
            };
            let got = level(&mut simulation);
            assert!((got - want).abs() < 1e-10, "{step}: {got}, want {want}");
            if step == (6.5 / dt) as u64 {
                let snapshot = simulation.snapshot().expect("a snapshot");
                let mut other = simulate(&scene, 1);
                other.restore(&snapshot).expect("it fits");
                resumed = Some(other);
            } else if let Some(other) = &mut resumed {
                other.step();
                assert_eq!(level(other), got);
            }
        }
        assert!(want > 1.0 && resumed.is_some());
        assert_eq!(
            simulation.modulator("dopamine").map(|m| m.released()),
            Some(2)
        );
    }
}

/// What `neuropil check` says: the error, or the warnings.
fn checked(projection: &str, release: &str) -> Result<Vec<String>, String> {
    let text = format!(
        "Scene(dt_ms: 0.1, duration_ms: 100,
            regions: [
                (name: \"a\", neurons: 10, model: PoissonSource(rate_hz: 10)),
                (name: \"b\", neurons: 10, model: LifExp),
            ],
            modulators: [(name: \"d\", tau_ms: 10, released_by: [(from: \"a\", amount: 1, {release})])],
            projections: [(from: \"a\", to: \"b\", rule: AllToAll, weight: 1, delay_ms: 1, {projection})],
        )"
    );
    let registry = Registry::new();
    let loaded =
        load(SceneSource::from_text("net", &text), &[], &registry).map_err(|e| e.to_string())?;
    let prepared = loaded
        .prepare(&registry, &SceneFiles::default())
        .map_err(|e| e.to_string())?;
    Ok(prepared.warnings.iter().map(ToString::to_string).collect())
}

#[test]
fn wrong_responses_are_told() {
    for (projection, release, parts) in [
        (
            "responses: (terminal: [Leeky])",
            "",
            vec!["unknown response \"Leeky\"", "did you mean \"Leaky\"?"],
        ),
        (
            "responses: (axon: [Leaky])",
            "",
            vec!["unknown field \"axon\"", "known: terminal, spine"],
        ),
        (
            "responses: (terminal: [Leaky(tau: 0)])",
            "",
            vec![
                "responses.terminal[0].tau: 0 is out of range",
                "more than 0 (ms)",
            ],
        ),
        (
            "responses: (spine: [Alpha()])",
            "",
            vec!["responses.spine[0]", "missing field \"tau\""],
        ),
        (
            "responses: (terminal: [Leaky(tau: 1)], spine: [Flat, DifferenceOfExponentials(tau_rise: 5, tau_decay: 2)])",
            "",
            vec![
                "projections[0].responses.spine[1].tau_rise",
                "rises with 5 ms and decays with 2 ms",
            ],
        ),
        (
            "responses: (terminal: [LimitedFlat(window: 0.02)])",
            "",
            vec![
                "responses.terminal[0].window",
                "shorter than a step of 0.1 ms",
            ],
        ),
        (
            "responses: (spine: [Flat, Flat, Flat, Flat, Flat])",
            "",
            vec!["projections[0].responses.spine: ", "5 responses; at most 4"],
        ),
        (
            "responses: ()",
            "",
            vec!["projections[0].responses: ", "names no response"],
        ),
        (
            "responses: (spine: [Scaling(gain: 1e38)])",
            "",
            vec!["projections[0].responses: ", "too far from 1"],
        ),
        (
            "responses: (spine: [Scaling(gain: -2)])",
            "",
            vec!["spine[0].gain: -2 is out of range", "0 or more"],
        ),
        (
            "",
            "response: [Leaky(tau: 1e-7)]",
            vec![
                "modulators[0].released_by[0].response[0].tau",
                "thousandth of a step",
            ],
        ),
    ] {
        let error = checked(projection, release).expect_err("it is wrong");
        for part in parts {
            assert!(error.contains(part), "{projection}{release}: {error}");
        }
    }
    for sound in [
        "responses: (terminal: [Leaky, LimitedFlat, Flat, Identity])",
        "responses: (terminal: [Leaky(tau: 15), Scaling(gain: 0.5)], spine: [Alpha(tau: 2)])",
        "responses: Responses(spine: [DifferenceOfExponentials(tau_rise: 1, tau_decay: 5)])",
    ] {
        assert_eq!(
            checked(sound, "response: [Leaky]"),
            Ok(Vec::new()),
            "{sound}"
        );
    }
    let warned = checked("responses: (spine: [LimitedFlat(window: 0.23)])", "");
    let warned = warned.expect("it can be run");
    assert!(
        warned[0].contains("not a whole number of steps"),
        "{warned:?}"
    );
}

/// The shipped scene shows what it says.
#[test]
fn short_responses_fire_first_and_an_endless_one_on_and_on() {
    let network = networks()
        .find(|network| network.name == "responses")
        .expect("a scene");
    let mut simulation = network.build_scene(&network.observed(), &lanes(1));
    simulation.run_ms(119.0);
    assert_eq!(simulation.spike_count().spikes, 1, "the axon alone");
    simulation.run_ms(181.0);
    let mut times = |region: &str| -> Vec<f64> {
        let spikes = simulation.recorded_spikes(region);
        let stamp = |(step, _): (u64, u32)| (step + 1) as f64 * 0.1;
        spikes.into_iter().map(stamp).collect()
    };
    assert!(times("leaky").is_empty());
    let flat = times("flat");
    assert_eq!(flat.len(), 15);
    assert!((flat[14] - flat[13] - 11.4).abs() < 0.11, "{flat:?}");
    let first = times("identity")[0];
    for region in ["limited flat", "alpha", "two exponentials", "sequence"] {
        let [once] = times(region)[..] else {
            panic!("{region} fires another number of times than once");
        };
        assert!(
            first + 7.0 < once && once < 138.0,
            "{region}: {first}, {once}"
        );
    }
}
