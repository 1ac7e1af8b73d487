//! The shipped networks agree with NEST and Brian2: rates, irregularity, silence and synchrony over five seeds.
//!
//! The rule: over five seeds the mean rate lies within 3 SD of a peer's mean, or within 2 %, whichever is larger; the CV of the
//! inter-spike intervals within the larger of 0.03 and 3 SD; the Fano factor of 1 ms counts within 30 %. Windows are those of the peers.
//! `reference/network_stats.json` holds what the peers gave, `reference/microcircuit_nest.json` what NEST gave for the microcircuit over
//! 60 seeds, `reference/extra_nest.json` the state with Brunel's own reset.

use bevy::reflect::FromReflect;
use neuropil::files::NoFiles;
use neuropil::network::probe::StatisticsProbe;
use neuropil::prelude::*;
use neuropil::results::statistics::RegionStatistics;
use neuropil::scene::load::{SceneSource, load};
use serde_json::Value;

const SEEDS: u64 = 5;

fn reference(file: &str) -> Value {
    let path = format!("{}/tests/reference/{file}", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{path}: {e}"));
    serde_json::from_str(&text).unwrap_or_else(|e| panic!("{path}: {e}"))
}

/// The statistics of every region, and of all, for each of the seeds.
fn measure(scene: &str, settings: &[(&str, &str)], run_ms: f64) -> Vec<Vec<RegionStatistics>> {
    measure_seeds(scene, settings, run_ms, 1..=SEEDS)
}

/// Self-sustained activity dies out with some seeds, as it does in the peers: five that live, of at most one more that does not.
fn survivors(scene: &str, settings: &[(&str, &str)], run_ms: f64) -> Vec<Vec<RegionStatistics>> {
    let mut runs = measure_seeds(scene, settings, run_ms, 1..=SEEDS + 1);
    runs.retain(|regions| regions.iter().all(|r| r.silent_fraction < 0.1));
    assert!(
        runs.len() as u64 >= SEEDS,
        "the activity died with {} of {} seeds",
        SEEDS + 1 - runs.len() as u64,
        SEEDS + 1
    );
    runs.truncate(SEEDS as usize);
    runs
}

fn measure_seeds(
    scene: &str,
    settings: &[(&str, &str)],
    run_ms: f64,
    seeds: core::ops::RangeInclusive<u64>,
) -> Vec<Vec<RegionStatistics>> {
    let registry = Registry::new();
    let settings: Vec<_> = settings
        .iter()
        .map(|(n, v)| ((*n).to_owned(), (*v).to_owned()))
        .collect();
    seeds
        .map(|seed| {
            let source = SceneSource::find(scene).expect("a shipped scene");
            let mut loaded = load(source, &settings, &registry).expect("a valid scene");
            loaded.scene.seed = seed;
            loaded.scene.probes.clear();
            let prepared = loaded
                .prepare(&registry, &NoFiles)
                .expect("a scene that can be built");
            let options = BuildOptions {
                statistics: true,
                ..default()
            };
            let mut simulation = Simulation::build(
                &loaded.scene,
                &prepared,
                &registry,
                &NoFiles,
                &options,
                &|_| {},
            )
            .expect("a network");
            simulation.run_ms(run_ms);
            let steps = simulation.clock().steps_done();
            let names: Vec<_> = loaded
                .scene
                .regions
                .iter()
                .map(|r| r.name.clone())
                .collect();
            let world = simulation.world_mut();
            let mut probes = world.query::<&mut StatisticsProbe>();
            let mut probe = probes.single_mut(world).expect("one probe");
            probe.statistics.advance(steps);
            let mut all: Vec<_> = names
                .iter()
                .enumerate()
                .map(|(i, n)| probe.statistics.region(i, n))
                .collect();
            all.push(probe.statistics.all());
            all
        })
        .collect()
}

fn mean(
    runs: &[Vec<RegionStatistics>],
    region: usize,
    of: impl Fn(&RegionStatistics) -> Option<f64>,
) -> f64 {
    let values: Vec<f64> = runs.iter().filter_map(|r| of(&r[region])).collect();
    assert_eq!(
        values.len(),
        runs.len(),
        "region {region} has no value for some seed: its activity died"
    );
    values.iter().sum::<f64>() / values.len() as f64
}

/// A peer's mean and SD over its seeds (0 for one seed).
fn peer(value: &Value) -> Option<(f64, f64)> {
    Some((value["mean"].as_f64()?, value["sd"].as_f64().unwrap_or(0.0)))
}

/// Whether `ours` agrees with one of the peers within `k` SD or `floor(mean)`.
fn agrees(what: &str, ours: f64, peers: &[(f64, f64)], floor: impl Fn(f64) -> f64) {
    assert!(!peers.is_empty(), "{what}: no peer");
    let near = peers
        .iter()
        .any(|&(m, sd)| (ours - m).abs() <= (3.0 * sd).max(floor(m)));
    assert!(
        near,
        "{what}: {ours:.4}, but the peers have (mean, SD) {peers:.4?}"
    );
}

/// Compares the E and I populations of a network (its first regions) and its synchrony with every peer of that run time.
fn compare(network: &str, rule: &str, seconds: f64, runs: &[Vec<RegionStatistics>], fano: f64) {
    let all = reference("network_stats.json");
    let groups: Vec<&Value> = all["groups"]
        .as_array()
        .expect("groups")
        .iter()
        .filter(|g| {
            g["network"] == network
                && g["rule"] == rule
                && g["variant"] == ""
                && g["sim_seconds"].as_f64() == Some(seconds)
                && g["seeds"].as_array().is_some_and(|s| s.len() >= 2)
        })
        .collect();
    for (region, key) in [(0, "E"), (1, "I")] {
        let of = |field: &str| -> Vec<(f64, f64)> {
            groups.iter().filter_map(|g| peer(&g[key][field])).collect()
        };
        let what = |field: &str| format!("{network} {key} {field} over {seconds} s");
        agrees(
            &what("rate"),
            mean(runs, region, |s| Some(s.rate_hz)),
            &of("rate_hz"),
            |m| 0.02 * m,
        );
        agrees(
            &what("CV"),
            mean(runs, region, |s| s.cv_isi),
            &of("cv_isi"),
            |_| 0.03,
        );
        agrees(
            &what("silent"),
            mean(runs, region, |s| Some(s.silent_fraction)),
            &of("frac_silent"),
            |_| 0.02,
        );
    }
    let last = runs[0].len() - 1;
    let ours = mean(runs, last, |s| s.fano_1ms);
    assert!(
        (ours / fano - 1.0).abs() < 0.3,
        "{network}: 1 ms Fano {ours:.2}, but the peers have {fano}"
    );
}

#[test]
fn cuba_agrees_with_nest_and_brian2() {
    compare("cuba", "indegree", 1.0, &measure("cuba", &[], 1000.0), 2.4);
    compare(
        "cuba",
        "indegree",
        10.0,
        &measure("cuba", &[], 10_000.0),
        2.4,
    );
}

#[test]
fn coba_agrees_with_nest_and_brian2() {
    // Time counts from the end of the 50 ms that light the activity. Over 10 s there is Brian2 only, whose refractory period of
    // 5.0 ms is one step shorter than NEST's and ours.
    compare(
        "coba",
        "indegree",
        1.0,
        &survivors("coba", &[], 1050.0),
        5.9,
    );
    compare(
        "coba",
        "indegree",
        10.0,
        &survivors("coba", &[("t_ref", "4.9")], 10_050.0),
        5.9,
    );
}

#[test]
fn izhikevich2003_agrees_with_nest_and_brian2() {
    compare(
        "izhikevich2003",
        "-",
        1.0,
        &measure("izhikevich2003", &[], 1000.0),
        3.5,
    );
    compare(
        "izhikevich2003",
        "-",
        10.0,
        &measure("izhikevich2003", &[], 10_000.0),
        3.5,
    );
}

#[test]
fn brunel2000_agrees_with_nest_and_brian2() {
    compare(
        "brunel2000",
        "indegree",
        0.6,
        &measure("brunel2000", &[], 600.0),
        70.0,
    );
}

#[test]
fn brunel2000_with_the_papers_reset_agrees_with_nest() {
    let runs = measure("brunel2000", &[("v_reset", "10")], 600.0);
    for region in [0, 1] {
        agrees(
            "rate",
            mean(&runs, region, |s| Some(s.rate_hz)),
            &[(37.3, 0.24)],
            |m| 0.02 * m,
        );
        agrees(
            "CV",
            mean(&runs, region, |s| s.cv_isi),
            &[(0.405, 0.006)],
            |_| 0.03,
        );
    }
}

#[test]
fn microcircuit_at_a_tenth_agrees_with_nest() {
    let runs = measure("microcircuit", &[("scale", "0.1")], 1000.0);
    // Over 60 seeds: among the five of `network_stats.json` the rate of L6E happens to scatter by 0.011 Hz, over 60 by 0.042 Hz.
    let group = reference("microcircuit_nest.json");
    for region in 0..8 {
        let name = runs[0][region].region.clone();
        let population = &group["populations"][&name];
        let rate = peer(&population["rate_hz"]).expect("a rate");
        agrees(
            &format!("{name} rate"),
            mean(&runs, region, |s| Some(s.rate_hz)),
            &[rate],
            |m| 0.02 * m,
        );
        let cv = peer(&population["cv_isi"]).expect("a CV");
        agrees(
            &format!("{name} CV"),
            mean(&runs, region, |s| s.cv_isi),
            &[cv],
            |_| 0.03,
        );
    }
}

/// The synapse counts of the full microcircuit, row = target, column = source.
const COUNTS: [[u64; 8]; 8] = [
    [
        45_499_805, 22_323_577, 20_253_647, 9_670_918, 3_293_578, 0, 2_271_404, 0,
    ],
    [
        17_443_694, 5_018_763, 4_105_338, 1_690_074, 2_221_213, 0, 353_461, 0,
    ],
    [
        3_503_670, 756_561, 24_482_849, 17_413_576, 714_524, 7_003, 14_624_432, 0,
    ],
    [
        8_114_254, 92_832, 9_933_538, 5_223_272, 87_836, 0, 8_810_905, 0,
    ],
    [
        10_613_575, 1_817_058, 5_507_804, 151_900, 2_040_738, 2_407_889, 1_438_969, 0,
    ],
    [
        1_241_436, 169_424, 607_667, 12_851, 319_602, 430_444, 132_414, 0,
    ],
    [
        4_681_225, 556_108, 6_727_570, 1_320_234, 4_112_225, 305_029, 8_372_649, 10_827_677,
    ],
    [
        2_260_836, 17_207, 220_033, 8_078, 401_638, 25_218, 2_888_426, 1_354_320,
    ],
];

#[test]
fn full_microcircuit_has_the_exact_synapse_counts() {
    let registry = Registry::new();
    let settings = [("scale".to_owned(), "1".to_owned())];
    let loaded = load(
        SceneSource::find("microcircuit").expect("shipped"),
        &settings,
        &registry,
    )
    .expect("valid");
    let prepared = loaded.prepare(&registry, &NoFiles).expect("buildable");
    let mut counts = [[0u64; 8]; 8];
    for projection in &prepared.projections {
        counts[projection.to][projection.from] += projection.synapses as u64;
    }
    assert_eq!(counts, COUNTS);
    assert_eq!(counts.iter().flatten().sum::<u64>(), 298_880_968);
    assert_eq!(prepared.neurons, 77_169);
}

#[test]
fn reduced_microcircuit_is_built_with_the_reduced_counts() {
    let registry = Registry::new();
    let loaded = load(
        SceneSource::find("microcircuit").expect("shipped"),
        &[],
        &registry,
    )
    .expect("valid");
    let prepared = loaded.prepare(&registry, &NoFiles).expect("buildable");
    let mut simulation = Simulation::build(
        &loaded.scene,
        &prepared,
        &registry,
        &NoFiles,
        &BuildOptions::default(),
        &|_| {},
    )
    .expect("built");
    assert_eq!(prepared.neurons, 7_717);
    assert_eq!(simulation.synapse_count(), 2_988_807);
    let names: Vec<_> = loaded
        .scene
        .regions
        .iter()
        .map(|r| r.name.clone())
        .collect();
    for (i, to) in names.iter().enumerate() {
        for (j, from) in names.iter().enumerate() {
            let wanted = (COUNTS[i][j] as f64 * 0.01).round_ties_even() as usize;
            assert_eq!(simulation.synapses(from, to).len(), wanted, "{from} → {to}");
        }
    }
}

/// Builds all 298,880,968 synapses (1.3 GB): `cargo test --release --test networks -- --ignored`.
#[test]
#[ignore = "takes 1.3 GB and some seconds"]
fn full_microcircuit_is_built_and_fires_at_the_published_rates() {
    let registry = Registry::new();
    let settings = [("scale".to_owned(), "1".to_owned())];
    let loaded = load(
        SceneSource::find("microcircuit").expect("shipped"),
        &settings,
        &registry,
    )
    .expect("valid");
    let prepared = loaded.prepare(&registry, &NoFiles).expect("buildable");
    let options = BuildOptions {
        statistics: true,
        ..default()
    };
    let mut simulation = Simulation::build(
        &loaded.scene,
        &prepared,
        &registry,
        &NoFiles,
        &options,
        &|_| {},
    )
    .expect("built");
    assert_eq!(simulation.synapse_count(), 298_880_968);
    simulation.run_ms(10_000.0);
    let steps = simulation.clock().steps_done();
    let world = simulation.world_mut();
    let mut probes = world.query::<&mut StatisticsProbe>();
    let mut probe = probes.single_mut(world).expect("one probe");
    probe.statistics.advance(steps);
    let nest = [0.903, 2.965, 4.414, 5.876, 7.569, 8.633, 1.105, 7.829];
    for (i, want) in nest.into_iter().enumerate() {
        let rate = probe.statistics.region(i, "").rate_hz;
        assert!(
            (rate / want - 1.0).abs() < 0.05,
            "population {i}: {rate:.3} Hz, NEST {want} Hz"
        );
    }
}

/// The mean and the standard deviation over seeds.
fn mean_and_sd(values: &[f64]) -> (f64, f64) {
    let count = values.len() as f64;
    let mean = values.iter().sum::<f64>() / count;
    let squares: f64 = values.iter().map(|v| (v - mean).powi(2)).sum();
    (mean, libm::sqrt(squares / (count - 1.0)))
}

/// The rate of 200 neurons with 1,000 plastic synapses each and their mean weight, over two seconds, with either order of transmission and
/// change: the order alone is worth 6 Hz.
#[test]
fn stdp_agrees_with_nest_and_brian2_under_either_order() {
    let reference = reference("stdp_network.json");
    let registry = Registry::new();
    for (order, peers) in [
        (
            SendOrder::ChangeThenSend,
            &["NEST plastic", "Brian2 rk4 send_new"][..],
        ),
        (SendOrder::SendThenChange, &["Brian2 rk4 send_old"][..]),
    ] {
        let (mut rates, mut weights) = (Vec::new(), Vec::new());
        for seed in 1..=SEEDS {
            let settings = [("targets".to_owned(), "200".to_owned())];
            let source = SceneSource::find("stdp").expect("a shipped scene");
            let mut scene = load(source, &settings, &registry)
                .expect("a valid scene")
                .scene;
            scene.seed = seed;
            scene.probes.clear();
            let rule = scene.projections[0].plasticity[0].0.as_ref();
            let rule = Stdp::from_reflect(rule).expect("the rule");
            let w_max = rule.w_max;
            scene.projections[0].plasticity = vec![RuleValue::new(Stdp { order, ..rule })];
            let options = BuildOptions {
                statistics: true,
                ..default()
            };
            let mut simulation = Simulation::new(&scene, &options).expect("a network");
            simulation.run_ms(2000.0);
            let learned = simulation.weights("synapses").expect("weights");
            let mean = learned.iter().map(|w| f64::from(*w)).sum::<f64>() / learned.len() as f64;
            weights.push(mean / w_max);
            let steps = simulation.clock().steps_done();
            let world = simulation.world_mut();
            let mut probes = world.query::<&mut StatisticsProbe>();
            let mut probe = probes.single_mut(world).expect("one probe");
            probe.statistics.advance(steps);
            rates.push(probe.statistics.region(1, "targets").rate_hz);
        }
        let (rate, sd) = mean_and_sd(&rates);
        for peer in peers {
            let numbers = |value: &Value| -> Vec<f64> {
                let values = value.as_array().expect("a list").iter();
                values.map(|v| v.as_f64().expect("a number")).collect()
            };
            let case = &reference["cases"][peer];
            let (theirs, their_sd) = mean_and_sd(&numbers(&case["post_rate_hz"]["values"]));
            // Three standard errors of the difference.
            let allowed = 3.0 * libm::sqrt((sd * sd + their_sd * their_sd) / SEEDS as f64);
            assert!(
                (rate - theirs).abs() < allowed,
                "{order:?}: {rate} Hz, {peer} {theirs} Hz, allowed ± {allowed}"
            );
            if *peer == "NEST plastic" {
                // Weights as they were at their last presynaptic spike: without the potentiation since.
                continue;
            }
            let (weight, _) = mean_and_sd(&weights);
            let (theirs, _) = mean_and_sd(&numbers(&case["w_mean_final"]));
            assert!(
                (weight - theirs).abs() < 0.003,
                "{order:?}: weights {weight}, {peer} {theirs}"
            );
        }
    }
}
