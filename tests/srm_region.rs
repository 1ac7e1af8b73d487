//! Spike response neurons as a region of a network: against the library's population, over steps of different length, through snapshots
//! and edits, with stimuli; and what is refused.

use neuropil::network::region::Offsets;
use neuropil::neurons::srm::{
    AfferentSynapses, Arrival, Pairing as SrmPairing, SrmParameters, SrmPopulation, Stdp as SrmStdp,
};
use neuropil::plasticity::exact::TICKS;
use neuropil::prelude::*;
use neuropil::sim::rng::{Purpose, Random};

const AFFERENTS: u32 = 60;
const NEURONS: u32 = 3;
const DURATION_MS: f64 = 400.0;
/// A threshold that a handful of afferents reach.
const THRESHOLD: f64 = 6.0;

/// Poisson trains of 50 Hz, on no grid.
fn trains() -> Vec<(f64, u32)> {
    let random = Random::new(5, 9, Purpose::Test);
    let mut spikes = Vec::new();
    for afferent in 0..AFFERENTS {
        let mut draws = random.draws(afferent.into());
        let mut time = 1.0;
        loop {
            time -= libm::log(1.0 - draws.unit()) * 20.0;
            if time > DURATION_MS - 5.0 {
                break;
            }
            spikes.push((time, afferent));
        }
    }
    spikes.sort_by(|a, b| a.0.total_cmp(&b.0));
    spikes
}

fn initial_weight(afferent: u32, neuron: u32) -> f32 {
    0.3 + 0.6 * ((afferent * 7 + neuron * 13) % 17) as f32 / 17.0
}

fn stdp(pairing: Pairing) -> Stdp {
    Stdp {
        a_plus: 0.031_25,
        a_minus: 0.85 * 0.031_25,
        tau_plus: 16.8,
        tau_minus: 33.7,
        pairing,
        order: SendOrder::SendThenChange,
        ..default()
    }
}

fn model(alpha: f64) -> Srm {
    Srm {
        threshold: THRESHOLD,
        alpha,
        ..default()
    }
}

fn scene(dt_ms: f64, alpha: f64, pairing: Pairing, delay_ms: f64) -> Scene {
    let mut scene = Scene { dt_ms, ..default() };
    let source = SpikeSource {
        spikes: trains(),
        ..default()
    };
    scene.regions = vec![
        RegionSpec::new("afferents", AFFERENTS, source),
        RegionSpec::new("neurons", NEURONS, model(alpha)),
    ];
    let entries = (0..AFFERENTS)
        .flat_map(|a| (0..NEURONS).map(move |n| (a, n)))
        .map(|(source, target)| ListEntry {
            source,
            target,
            weight: Some(initial_weight(source, target).into()),
            delay_ms: Some(delay_ms),
        })
        .collect();
    scene.projections = vec![ProjectionSpec {
        name: Some("synapses".into()),
        from: "afferents".into(),
        to: "neurons".into(),
        rule: Rule::List(entries),
        plasticity: vec![RuleValue::new(stdp(pairing))],
        ..default()
    }];
    scene
}

fn built(scene: &Scene) -> Simulation {
    Simulation::new(scene, &BuildOptions::default()).unwrap_or_else(|e| panic!("{e}"))
}

/// Runs to a time; the spikes of a region with their exact times in ms.
fn run(simulation: &mut Simulation, region: &str, until_ms: f64) -> Vec<(f64, u32)> {
    let dt = simulation.clock().dt_ms();
    let entity = simulation.region(region).expect("the region");
    let mut spikes = Vec::new();
    while (simulation.clock().steps_done() as f64 + 0.5) * dt < until_ms {
        let start = simulation.clock().steps_done() as f64 * dt;
        simulation.step();
        let offsets = simulation.world().get::<Offsets>(entity);
        let mut new: Vec<_> = (offsets.expect("offsets").0.iter())
            .map(|(n, tick)| (start + f64::from(*tick) * dt / f64::from(TICKS), *n))
            .collect();
        new.sort_by(|a, b| a.0.total_cmp(&b.0));
        spikes.extend(new);
    }
    spikes
}

/// What the library's population does with the same trains, `delay_ms` later.
fn reference(alpha: f64, pairing: SrmPairing, delay_ms: f64) -> (Vec<(f64, u32)>, Vec<f32>, usize) {
    let parameters = SrmParameters {
        threshold: THRESHOLD,
        alpha,
        ..default()
    };
    let rule = SrmStdp {
        pairing,
        ..default()
    };
    let synapses = AfferentSynapses::dense(AFFERENTS, NEURONS, initial_weight);
    let mut population = SrmPopulation::new(parameters, rule, synapses).expect("a population");
    let arrivals: Vec<_> = (trains().into_iter())
        .map(|(time, afferent)| Arrival {
            time_ms: time + delay_ms,
            afferent,
        })
        .collect();
    let mut spikes = Vec::new();
    population.advance(0.0, DURATION_MS, &arrivals, &mut spikes);
    let weights = population.synapses().weights().to_vec();
    let changed = weights
        .iter()
        .enumerate()
        .filter(|(i, w)| {
            let (afferent, neuron) = (*i as u32 / NEURONS, *i as u32 % NEURONS);
            (**w - initial_weight(afferent, neuron)).abs() > 0.01
        })
        .count();
    (spikes, weights, changed)
}

fn compare(dt_ms: f64, alpha: f64, delay_ms: f64, pairings: (Pairing, SrmPairing)) {
    let (want, want_weights, changed) = reference(alpha, pairings.1, delay_ms);
    assert!(want.len() > 15 && changed > 20, "{} spikes", want.len());
    let mut simulation = built(&scene(dt_ms, alpha, pairings.0, delay_ms));
    let got = run(&mut simulation, "neurons", DURATION_MS);
    let what = format!("steps of {dt_ms} ms, alpha {alpha}, delay {delay_ms} ms, {pairings:?}");
    assert_eq!(got.len(), want.len(), "{what}");
    for ((got_ms, got_n), (want_ms, want_n)) in got.iter().zip(&want) {
        assert_eq!(got_n, want_n, "{what}: at {want_ms} ms");
        // Input is rounded to ticks, weights to 32 bits; a crossing at a small slope moves by many times that, and so on.
        let tolerance = if *want_ms < 100.0 { 0.001 } else { 0.02 };
        assert!(
            (got_ms - want_ms).abs() < tolerance,
            "{what}: {got_ms} ms, want {want_ms}"
        );
    }
    let got_weights = simulation.weights("synapses").expect("weights");
    for (i, (got, want)) in got_weights.iter().zip(&want_weights).enumerate() {
        assert!(
            (got - want).abs() < 1e-3,
            "{what}: weight {i}: {got}, want {want}"
        );
    }
}

#[test]
fn a_region_does_what_the_population_does_whatever_the_step() {
    for (dt, delay) in [(0.1, 0.1), (0.1, 0.8), (0.4, 0.8), (0.8, 0.8)] {
        for alpha in [0.0, 0.25] {
            for pairings in [
                (Pairing::Reduced, SrmPairing::ReducedNearest),
                (Pairing::Nearest, SrmPairing::Nearest),
                (Pairing::AllToAll, SrmPairing::AllToAll),
            ] {
                compare(dt, alpha, delay, pairings);
            }
        }
    }
}

/// Spikes of the region reach a second one with their offsets, along synapses that stay as they are.
#[test]
fn spikes_keep_their_offsets_from_region_to_region() {
    let second = |dt: f64| {
        let mut scene = scene(dt, 0.0, Pairing::Reduced, 0.8);
        let neuron = Srm {
            threshold: 2.0,
            ..default()
        };
        scene.regions.push(RegionSpec::new("second", 1, neuron));
        let projection = ProjectionSpec::new("neurons", "second", Rule::AllToAll, 1.9, 1.6);
        scene.projections.push(projection);
        run(&mut built(&scene), "second", DURATION_MS)
    };
    let (fine, coarse) = (second(0.1), second(0.8));
    assert!(fine.len() > 3, "{}", fine.len());
    assert_eq!(fine.len(), coarse.len());
    for ((a, _), (b, _)) in fine.iter().zip(&coarse) {
        assert!((a - b).abs() < 1e-3, "{a} {b}");
    }
}

/// What comes from a region without offsets is summed in slots, what is plastic arrives one by one: both at the ends of steps.
#[test]
fn sums_and_single_arrivals_are_the_same() {
    let potential = |plastic: bool| {
        let mut scene = scene(0.1, 0.0, Pairing::Reduced, 1.0);
        scene
            .regions
            .push(RegionSpec::new("relay", AFFERENTS, Relay::default()));
        scene.projections[0].plasticity.clear();
        scene.projections[0].to = "relay".into();
        scene.projections[0] = ProjectionSpec::new("afferents", "relay", Rule::OneToOne, 1.0, 0.5);
        let mut onward = ProjectionSpec::new("relay", "neurons", Rule::AllToAll, 0.5, 1.0);
        if plastic {
            onward.plasticity = vec![RuleValue::new(Stdp {
                a_plus: 0.0,
                a_minus: 0.0,
                ..default()
            })];
        }
        scene.projections.push(onward);
        let mut simulation = built(&scene);
        let spikes = run(&mut simulation, "neurons", DURATION_MS);
        (spikes, simulation.column("neurons", "v").expect("v"))
    };
    let (sums, single) = (potential(false), potential(true));
    assert!(sums.0.len() > 15, "{}", sums.0.len());
    assert_eq!(sums.0.len(), single.0.len());
    for (a, b) in sums.0.iter().zip(&single.0) {
        assert!(a.1 == b.1 && (a.0 - b.0).abs() < 1e-3, "{a:?} {b:?}");
    }
    for (a, b) in sums.1.iter().zip(&single.1) {
        assert!((a - b).abs() < 1e-3, "{a} {b}");
    }
}

fn uniform(min: f64, max: f64) -> Distribution {
    Distribution::Uniform { min, max }
}

fn competing(dt: f64) -> Scene {
    let mut scene = scene(dt, 0.2, Pairing::Reduced, 1.2);
    let mut competing = model(0.2);
    competing.winners = Some(WinnersTakeAll {
        count: 2,
        window_ms: 15.0,
        random_ties: true,
    });
    scene.regions[1] = RegionSpec::new("neurons", NEURONS, competing);
    // Delays of several lengths, so that spikes are under way at any time.
    scene.projections[0].delay_ms = Some(uniform(0.4, 3.0));
    scene.projections[0].weight = Some(uniform(0.2, 0.9));
    scene.projections[0].rule = Rule::AllToAll;
    let noise = StimulusKind::Poisson {
        rate_hz: 300.0.into(),
        weight: 0.6.into(),
        delay_ms: 0.4,
        receptor: None,
    };
    scene.stimuli = vec![StimulusSpec::new("neurons", noise)];
    scene
}

#[test]
fn a_resumed_region_goes_on_bit_by_bit() {
    let scene = competing(0.2);
    let mut whole = built(&scene);
    run(&mut whole, "neurons", 150.0);
    let snapshot = whole.snapshot().expect("a snapshot");
    let rest = run(&mut whole, "neurons", DURATION_MS);
    assert!(rest.len() > 10, "{}", rest.len());
    let mut resumed = built(&scene);
    resumed.restore(&snapshot).unwrap_or_else(|e| panic!("{e}"));
    assert_eq!(run(&mut resumed, "neurons", DURATION_MS), rest);
    assert_eq!(resumed.weights("synapses"), whole.weights("synapses"));
    let last = |simulation: &mut Simulation| simulation.snapshot().expect("a snapshot").to_bytes();
    assert_eq!(last(&mut resumed), last(&mut whole));
}

#[test]
fn results_do_not_depend_on_threads_or_on_reading_weights() {
    let scene = competing(0.2);
    let mut simulation = built(&scene);
    let want = run(&mut simulation, "neurons", DURATION_MS);
    let weights = simulation.weights("synapses").expect("weights");
    for threads in [2, 3] {
        let options = BuildOptions {
            threads,
            force_lanes: true,
            ..default()
        };
        let mut other = Simulation::new(&scene, &options).expect("a network");
        let mut got = Vec::new();
        for until in [50.0, 120.0, DURATION_MS] {
            got.extend(run(&mut other, "neurons", until));
            other.weights("synapses").expect("weights");
        }
        assert_eq!(got, want);
        assert_eq!(other.weights("synapses").expect("weights"), weights);
    }
}

#[test]
fn an_edit_elsewhere_changes_nothing() {
    let scene = competing(0.2);
    let mut simulation = built(&scene);
    run(&mut simulation, "neurons", 150.0);
    let carried = simulation.carry().expect("a state");
    let rest = run(&mut simulation, "neurons", DURATION_MS);
    let mut edited = scene.clone();
    edited
        .regions
        .insert(0, RegionSpec::new("new", 2, LifExp::default()));
    let mut other = built(&edited);
    other.take_over(&carried).unwrap_or_else(|e| panic!("{e}"));
    assert_eq!(run(&mut other, "neurons", DURATION_MS), rest);
    assert_eq!(other.weights("synapses"), simulation.weights("synapses"));
}

#[test]
fn frozen_reset_and_restricted_as_everywhere() {
    let changed = |act: &dyn Fn(&mut Simulation)| {
        let mut simulation = built(&scene(0.2, 0.0, Pairing::Reduced, 1.0));
        run(&mut simulation, "neurons", 100.0);
        act(&mut simulation);
        let before = simulation.weights("synapses").expect("weights");
        run(&mut simulation, "neurons", 300.0);
        let after = simulation.weights("synapses").expect("weights");
        let mut changed = [0; NEURONS as usize];
        for (i, (a, b)) in before.iter().zip(&after).enumerate() {
            changed[i % NEURONS as usize] += usize::from(a != b);
        }
        changed
    };
    assert!(changed(&|_| ()).iter().all(|n| *n > 20));
    let frozen = changed(&|s| s.freeze("synapses", true).expect("frozen"));
    assert_eq!(frozen, [0; 3]);
    let mut restricted = scene(0.2, 0.0, Pairing::Reduced, 1.0);
    restricted.projections[0].learning_targets = Selection::Range(1, 1);
    let mut simulation = built(&restricted);
    let before = simulation.weights("synapses").expect("weights");
    run(&mut simulation, "neurons", 300.0);
    let after = simulation.weights("synapses").expect("weights");
    for (i, (a, b)) in before.iter().zip(&after).enumerate() {
        assert!(i % 3 == 1 || a == b, "synapse {i}");
    }
    assert_ne!(before, after);
}

#[test]
fn spikes_are_forced_and_forbidden() {
    let mut scene = scene(0.1, 0.0, Pairing::Reduced, 1.0);
    let mut forced = StimulusSpec::new(
        "neurons",
        StimulusKind::Spike {
            times_ms: vec![33.0],
        },
    );
    forced.neurons = Selection::Range(0, 0);
    let mut silence = StimulusSpec::new("neurons", StimulusKind::Silence);
    silence.neurons = Selection::Range(2, 2);
    silence.window.start_ms = 50.0;
    silence.window.stop_ms = Some(200.0);
    scene.stimuli = vec![forced, silence];
    let mut simulation = built(&scene);
    let spikes = run(&mut simulation, "neurons", DURATION_MS);
    assert!(
        spikes.contains(&(33.0, 0))
            || spikes
                .iter()
                .any(|(t, n)| *n == 0 && (t - 33.0).abs() < 1e-9)
    );
    let of = |n: u32, from: f64, to: f64| {
        (spikes.iter())
            .filter(|(t, m)| *m == n && *t > from && *t <= to)
            .count()
    };
    assert_eq!(of(2, 50.0, 200.0), 0);
    let (later, other) = (of(2, 200.0, 400.0), of(1, 50.0, 200.0));
    assert!(later > 1 && other > 1, "{later} {other}");
    // The after-potential follows a forced spike as any other.
    let mut alone = Scene {
        regions: vec![RegionSpec::new("neurons", 1, model(0.0))],
        ..default()
    };
    let times_ms = vec![10.0];
    alone.stimuli = vec![StimulusSpec::new(
        "neurons",
        StimulusKind::Spike { times_ms },
    )];
    let mut simulation = built(&alone);
    simulation.run_steps((25.0 / alone.dt_ms) as u64);
    let v = simulation.column("neurons", "v").expect("v")[0];
    let parameters = SrmParameters {
        threshold: THRESHOLD,
        ..default()
    };
    let want = parameters.eta(15.0);
    assert!((f64::from(v) - want).abs() < 1e-5, "{v}, want {want}");
}

#[test]
fn a_current_holds_the_potential() {
    let mut scene = Scene {
        regions: vec![RegionSpec::new("neurons", 2, model(0.0))],
        ..default()
    };
    let amplitude = 4.0.into();
    scene.stimuli = vec![StimulusSpec::new(
        "neurons",
        StimulusKind::Direct { amplitude },
    )];
    let mut simulation = built(&scene);
    simulation.run_steps((15.0 / scene.dt_ms) as u64);
    let v = f64::from(simulation.column("neurons", "v").expect("v")[1]);
    let want = 4.0 * (1.0 - libm::exp(-1.5));
    assert!((v - want).abs() < 1e-5, "{v}, want {want}");
}

#[test]
fn what_cannot_be_is_refused() {
    let refused = |change: &dyn Fn(&mut Scene)| {
        let mut scene = scene(0.1, 0.0, Pairing::Reduced, 1.0);
        change(&mut scene);
        let error = Simulation::new(&scene, &BuildOptions::default()).err();
        error.expect("refused").to_string()
    };
    let srm = |change: &dyn Fn(&mut Srm)| {
        refused(&|scene| {
            let mut model = model(0.0);
            change(&mut model);
            scene.regions[1] = RegionSpec::new("neurons", NEURONS, model);
        })
    };
    let says = |message: String, words: &[&str]| {
        for word in words {
            assert!(message.contains(word), "{message}");
        }
    };
    says(srm(&|m| m.tau_s = 12.0), &["tau_m", "tau_s"]);
    says(srm(&|m| m.t_ref = 0.5), &["t_ref", "0.5"]);
    says(
        srm(&|m| {
            m.winners = Some(WinnersTakeAll {
                count: 0,
                ..default()
            })
        }),
        &["winners.count", "1 or more"],
    );
    says(refused(&|s| s.dt_ms = 1.0), &["twice", "1 ms"]);
    says(
        refused(&|s| s.projections[0].plasticity = vec![RuleValue::new(Clopath::default())]),
        &["plasticity[0]", "Srm", "continuous time"],
    );
    says(
        refused(&|s| {
            s.projections[0].dendritic = neuropil::scene::schema::Dendritic::All;
        }),
        &["dendritic", "Srm"],
    );
}
