//! A scene and its seed determine every spike: not the number of threads, nor the processor, the build profile, the repetition, or who
//! looks on.
//!
//! Each network runs once as its reference, on one thread; everything else must give the same spike hash, number of spikes and events, and
//! the same bits in every state column.
//!
//! The golden hashes hold in every build profile, too. To see that debug and release agree, run
//!
//! ```sh
//! cargo test --release --test determinism
//! ```

mod support;

use neuropil::prelude::*;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock};
use support::{Network, Outcome, lanes, networks, run};

/// Spike hashes of all networks as long as the tests run them, with their seeds as they are. See [`golden_hashes_hold`].
#[rustfmt::skip]
const GOLDEN: &[(&str, u64)] = &[
    ("izhikevich2003", 0xf13102f4bb75d17c),
    ("sparse_pool", 0x951562a27b70f633),
    ("small_world", 0xd38581a4aa9c5d16),
    ("cuba", 0x8b282d46ac705716),
    ("coba", 0xc79c17e073fb8e3e),
    ("brunel2000", 0x260b123010eb4635),
    ("microcircuit", 0x02a6beb575e652a3),
    ("firing_patterns", 0x42dfa8862f1b3ee8),
    ("neuron_zoo", 0xd03d37f58227a044),
    ("responses", 0x94ec43f8da51825e),
    ("stdp", 0xd344fe21017a5737),
    ("masquelier2008", 0x07825cffa758015d),
    ("short_term", 0x762adf1fcacf611b),
    ("inhibitory_balance", 0x15bec72ed7894acd),
    ("homeostasis", 0x0ca0bd224311ffdd),
    ("receptive_fields", 0xe8cd2be06593315e),
    ("dopamine", 0xba107df42aa7d715),
    ("gated_learning", 0x2573ee3a93c3493c),
    ("rich", 0x0fa5d65b455c8494),
    ("pushing", 0x798a7b399ab49e6d),
    ("wide", 0x58ea180d9d91fa77),
    ("many blocks", 0xc1852a4cf002efd3),
    ("switching", 0x6c7884c1fb387199),
    ("learning", 0x4b2324192e4ee56a),
    ("responding", 0x228fc082533b790a),
    ("steered", 0xbde36f43e11a26e9),
    ("rewarded", 0xb276412920c623d7),
];

/// After so many steps a reference is looked at for the first time: as long as seven threads run, which share few processors here.
const EARLY: u64 = 2_000;

/// What a network comes to on one thread.
struct Reference {
    early: Outcome,
    end: Outcome,
}

/// Runs a network as its reference, once for all tests.
fn reference(network: &Network) -> Arc<Reference> {
    type Known = Mutex<HashMap<&'static str, Arc<OnceLock<Arc<Reference>>>>>;
    static KNOWN: OnceLock<Known> = OnceLock::new();
    let known = KNOWN
        .get_or_init(Known::default)
        .lock()
        .expect("no test panics here")
        .entry(network.name)
        .or_default()
        .clone();
    let run = || {
        let mut simulation = network.build(&lanes(1));
        let early = network.steps.min(EARLY);
        simulation.run_steps(early);
        let first = Outcome::of(&mut simulation);
        simulation.run_steps(network.steps - early);
        Arc::new(Reference {
            early: first,
            end: Outcome::of(&mut simulation),
        })
    };
    known.get_or_init(run).clone()
}

fn assert_same(network: &Network, options: &BuildOptions, what: &str) {
    reference(network)
        .end
        .assert_equals(&run(network, options), &format!("{}, {what}", network.name));
}

#[test]
fn spike_hash_is_equal_for_any_number_of_threads() {
    for network in networks() {
        assert_same(&network, &lanes(2), "2 threads");
        let mut simulation = network.build(&lanes(7));
        simulation.run_steps(network.steps.min(EARLY));
        reference(&network).early.assert_equals(
            &Outcome::of(&mut simulation),
            &format!("{}, 7 threads", network.name),
        );
    }
}

#[test]
fn spike_hash_is_equal_for_repeated_runs() {
    for network in networks() {
        assert_same(&network, &lanes(1), "again");
        assert_same(
            &network,
            &BuildOptions::default(),
            "with as many lanes as are worth it",
        );
    }
}

#[test]
fn spike_hash_is_equal_for_any_vector_instructions() {
    let widest = SimdLevel::detect();
    for network in networks() {
        for simd in [SimdLevel::Portable, SimdLevel::Avx2, SimdLevel::Avx512] {
            if simd < widest {
                assert_same(&network, &BuildOptions { simd, ..lanes(1) }, simd.name());
            }
        }
    }
}

#[test]
fn observing_changes_nothing() {
    for network in networks() {
        let scene = network.observed();
        let mut simulation = network.build_scene(
            &scene,
            &BuildOptions {
                statistics: true,
                ..lanes(2)
            },
        );
        simulation.run_steps(network.steps);
        reference(&network).end.assert_equals(
            &Outcome::of(&mut simulation),
            &format!("{}, observed", network.name),
        );
        let kept = support::recorded(&mut simulation).len() as u64;
        assert_eq!(
            kept,
            simulation.spike_count().spikes,
            "{}: the probes saw every spike",
            network.name
        );
    }
}

/// What the other tests compare would be worth nothing if it were always the same.
#[test]
fn spike_hash_depends_on_every_spike() {
    let network = support::rich();
    let outcome = reference(&network).end.clone();
    assert!(
        outcome.count.spikes > 1_000,
        "{} spikes",
        outcome.count.spikes
    );
    assert!(
        outcome.count.events > 1_000,
        "{} events",
        outcome.count.events
    );

    let mut scene = network.scene.clone();
    scene.seed += 1;
    let mut simulation = network.build_scene(&scene, &lanes(1));
    simulation.run_steps(network.steps);
    assert_ne!(
        simulation.spike_count().hash,
        outcome.count.hash,
        "another seed"
    );

    // One neuron that is kept from its first spike changes the hash at once.
    let first = {
        let mut simulation = network.build_scene(&network.observed(), &lanes(1));
        simulation.run_steps(network.steps);
        simulation.recorded_spikes("cells")[0]
    };
    let mut scene = network.scene.clone();
    scene.stimuli.push(StimulusSpec {
        neurons: Selection::List(vec![first.1]),
        ..StimulusSpec::new("cells", StimulusKind::Silence)
    });
    let [mut with, mut without] =
        [&network.scene, &scene].map(|scene| network.build_scene(scene, &lanes(1)));
    with.run_steps(first.0);
    without.run_steps(first.0);
    assert_eq!(with.spike_count(), without.spike_count());
    with.step();
    without.step();
    assert_eq!(with.spike_count().spikes, without.spike_count().spikes + 1);
    assert_ne!(with.spike_count().hash, without.spike_count().hash);
}

/// Every network must be busy enough for its hash to mean something.
#[test]
fn every_network_fires() {
    for network in networks() {
        let count = reference(&network).end.count;
        let neurons: u64 = network
            .scene
            .regions
            .iter()
            .map(|r| u64::from(r.neurons))
            .sum();
        let least = neurons.min(1_000);
        assert!(
            count.spikes >= least,
            "{}: {} spikes of {neurons} neurons in {} ms",
            network.name,
            count.spikes,
            network.duration_ms()
        );
        assert!(
            count.events > 0 || network.scene.projections.is_empty(),
            "{}: nothing was delivered",
            network.name
        );
    }
}

#[test]
fn golden_hashes_hold() {
    let found: Vec<(&str, u64)> = networks()
        .map(|network| (network.name, reference(&network).end.count.hash))
        .collect();
    let table: String = found
        .iter()
        .map(|(name, hash)| format!("    (\"{name}\", 0x{hash:016x}),\n"))
        .collect();
    if std::env::var_os("NEUROPIL_PRINT_HASHES").is_some() {
        println!("{table}");
        return;
    }
    assert!(
        found == GOLDEN,
        "the spikes of a network have changed. If that is meant, say so in CHANGELOG.md and put this table into tests/determinism.rs \
         (NEUROPIL_PRINT_HASHES=1 cargo test --test determinism golden -- --nocapture prints it):\n{table}\
         If it is not meant: the differing ones are {:?}",
        found
            .iter()
            .filter(|f| !GOLDEN.contains(f))
            .map(|f| f.0)
            .collect::<Vec<_>>()
    );
}

/// All-to-all rows with drawn weights hold one weight per slot: none in the blocks of lanes that have no target.
#[test]
fn blocks_without_targets_get_nothing() {
    let weight = Distribution::Normal {
        mean: 40.0,
        sd: 5.0,
        min: Some(0.0),
        max: None,
    };
    let scene = Scene {
        duration_ms: 100.0,
        regions: vec![
            RegionSpec::new(
                "sources",
                50,
                PoissonSource {
                    rate_hz: 100.0.into(),
                    ..default()
                },
            ),
            RegionSpec::new("targets", 10, LifExp::default()),
        ],
        projections: vec![ProjectionSpec::new(
            "sources",
            "targets",
            Rule::AllToAll,
            weight,
            1.0,
        )],
        ..Scene::default()
    };
    let network = Network::made("all to few", scene);
    for threads in [2, 7] {
        let outcome = run(&network, &lanes(threads));
        assert!(outcome.count.spikes > 0, "nothing happens");
        run(&network, &lanes(1)).assert_equals(&outcome, &format!("{threads} threads"));
    }
}
