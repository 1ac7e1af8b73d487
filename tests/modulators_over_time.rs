//! What a run keeps of modulators: probes of pools and of signals, their files, and what `run.json` says.

use neuropil::modulation::probe::ModulatorProbe;
use neuropil::prelude::*;
use neuropil::results::npy::read_npy;
use neuropil::scene::load::{SceneFiles, SceneSource, load};
use neuropil::session::Session;
use neuropil::session::command::{Place, SimCommand};
use std::path::Path;
use std::process::Command;

/// A pool that spikes fill after a delay, a signal with two rewards in one interval, and the error of a critic's prediction.
const SCENE: &str = r#"Scene(
    title: "modulators over time", dt_ms: 0.5, duration_ms: 400, seed: 4,
    regions: [
        (name: "vta", neurons: 40, model: PoissonSource(rate_hz: 20)),
        (name: "out", neurons: 300, model: LifExp(i_e: 400)),
    ],
    projections: [(
        name: "learns", from: "vta", to: "out", rule: FixedIndegree(5), weight: 100, delay_ms: 1,
        plasticity: [DopamineStdp(w_max: 300, gain: 0.1)],
    )],
    modulators: [
        (name: "dopamine", tau_ms: Some(80), initial: 0.3, released_by: [(from: "vta", amount: 0.01, delay_ms: 3)]),
        (name: "juice", rewards: [Schedule(amount: 1.5, times_ms: [103, 104, 250])]),
        (name: "error", rewards: [Schedule(amount: 2, times_ms: [203])], evaluation: TemporalDifference(
            critic: "vta", value_per_hz: 0.1, value_at_rest: 0, tau_reward_ms: 500, tau_rate_ms: 50, tau_rise_ms: 10)),
    ],
    probes: [
        (kind: Modulator(modulator: "dopamine", every_ms: 2)),
        (kind: Modulator(modulator: "juice", every_ms: 10)),
        (kind: Modulator(modulator: "error", every_ms: 10)),
    ],
)"#;

fn simulation(text: &str, lanes: usize) -> Simulation {
    let registry = Registry::new();
    let loaded = load(SceneSource::from_text("net", text), &[], &registry).expect("a scene");
    let options = BuildOptions {
        threads: lanes,
        force_lanes: true,
        ..BuildOptions::default()
    };
    Simulation::new(&loaded.scene, &options).expect("a network")
}

/// What every probe has kept, by the name of its modulator.
fn kept(simulation: &mut Simulation) -> Vec<(String, Vec<f32>)> {
    let world = simulation.world_mut();
    let mut probes = world.query::<&ModulatorProbe>();
    let mut all: Vec<_> = (probes.iter(world))
        .map(|probe| {
            let name = world.get::<bevy::prelude::Name>(probe.modulator);
            (name.expect("a name").to_string(), probe.values.clone())
        })
        .collect();
    all.sort_by(|a, b| a.0.cmp(&b.0));
    all
}

#[test]
fn files_hold_what_modulators_did() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("modulators_over_time");
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).expect("a folder");
    std::fs::write(folder.join("net.ron"), SCENE).expect("a scene");
    let output = Command::new(env!("CARGO_BIN_EXE_neuropil"))
        .args(["run", "net.ron", "--out", "out"])
        .current_dir(&folder)
        .output()
        .expect("the program");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{said}");
    let out = folder.join("out");

    let mut alone = simulation(SCENE, 1);
    let mut levels = Vec::new();
    for _ in 0..200 {
        alone.run_steps(4);
        levels.push(alone.modulator("dopamine").expect("a pool").level() as f32);
    }
    let (shape, values) = read_npy::<f32>(out.join("modulator_dopamine.npy")).expect("an array");
    assert_eq!((shape, &values), (vec![200], &levels));
    let table = std::fs::read_to_string(out.join("modulator_dopamine.csv")).expect("a table");
    let lines: Vec<&str> = table.lines().collect();
    assert_eq!((lines.len(), lines[0]), (201, "time_ms,dopamine"));
    let (time, level) = lines[200].split_once(',').expect("two columns");
    assert_eq!(time.parse::<f64>().expect("a number"), 400.0);
    assert_eq!(level.parse::<f32>().expect("a number"), levels[199]);
    assert!(out.join("modulator_dopamine.png").is_file());

    // Impulses are summed over the interval that ends with the sample; none is missed, none is counted twice.
    let (_, juice) = read_npy::<f32>(out.join("modulator_juice.npy")).expect("an array");
    let rewarded: Vec<_> = (juice.iter().enumerate())
        .filter(|(_, v)| **v != 0.0)
        .collect();
    assert_eq!(rewarded, [(10, &3.0), (24, &1.5)]);
    // The error is that of each step, summed: rewards stand out of what the critic predicts.
    let (_, error) = read_npy::<f32>(out.join("modulator_error.npy")).expect("an array");
    let mut again = simulation(SCENE, 1);
    let mut sums = Vec::new();
    for _ in 0..40 {
        let mut sum = 0.0;
        for _ in 0..20 {
            again.run_steps(1);
            sum += again.modulator("error").expect("a signal").acts();
        }
        sums.push(sum as f32);
    }
    assert_eq!(error, sums);
    assert!(error[20] > 1.0 && error[19] < 1.0, "{error:?}");

    let text = std::fs::read_to_string(out.join("run.json")).expect("a report");
    let report: serde_json::Value = serde_json::from_str(&text).expect("json");
    let modulators = &report["network"]["modulators"];
    assert_eq!(modulators[0]["name"], "dopamine");
    let mean = levels.iter().map(|v| f64::from(*v)).sum::<f64>() / 200.0;
    let said = modulators[0]["mean"].as_f64().expect("a mean");
    assert!((said - mean).abs() < 1e-9, "{said} {mean}");
    let largest = levels.iter().copied().fold(0.0, f32::max);
    assert_eq!(modulators[0]["largest"].as_f64(), Some(f64::from(largest)));
    let spikes = alone.modulator("dopamine").expect("a pool").released();
    assert_eq!(modulators[0]["released"].as_u64(), Some(spikes));
    assert_eq!(modulators[1]["rewards"], 3);
    assert_eq!(modulators[1]["reward"], 4.5);
    std::fs::remove_dir_all(folder).expect("a folder");
}

#[test]
fn probes_are_equal_for_any_number_of_threads_and_change_nothing() {
    let mut alone = simulation(SCENE, 1);
    alone.run_ms(400.0);
    let (want, hash) = (kept(&mut alone), alone.spike_count().hash);
    assert_eq!(want.len(), 3);
    for lanes in [2, 7] {
        let mut other = simulation(SCENE, lanes);
        other.run_ms(400.0);
        assert_eq!(
            (kept(&mut other), other.spike_count().hash),
            (want.clone(), hash)
        );
    }
    let (without, _) = SCENE.split_once("probes:").expect("probes");
    let mut unseen = simulation(&format!("{without})"), 1);
    unseen.run_ms(400.0);
    assert_eq!(unseen.spike_count().hash, hash);
}

#[test]
fn what_was_seen_so_far_is_kept_by_snapshots_and_edits() {
    let mut whole = simulation(SCENE, 1);
    whole.run_ms(400.0);
    let want = kept(&mut whole);
    // In the middle of an interval, between two rewards of it.
    let mut first = simulation(SCENE, 2);
    first.run_ms(103.5);
    let snapshot = first.snapshot().expect("a snapshot");
    let mut second = simulation(SCENE, 1);
    second.restore(&snapshot).expect("the same network");
    second.run_ms(296.5);
    assert_eq!(kept(&mut second), want);

    let registry = Registry::new();
    let loaded = load(SceneSource::from_text("net", SCENE), &[], &registry).expect("a scene");
    let mut session = Session::open(
        loaded,
        SceneFiles::default(),
        registry,
        BuildOptions::default(),
        true,
        &|_| {},
    )
    .expect("a network");
    session.seek(207).expect("steps");
    // An edit that changes nothing of what fills the modulators.
    session
        .apply(SimCommand::Set {
            of: Place::Projection("learns".into()),
            field: "plasticity.0.gain".into(),
            value: "0.2".into(),
        })
        .expect("an edit");
    session.seek(800).expect("steps");
    assert_eq!(kept(session.simulation_mut()), want);
}

#[test]
fn wrong_probes_are_refused_with_the_way_out() {
    let registry = Registry::new();
    for (probe, expected) in [
        (
            r#"(kind: Modulator(modulator: "dopamin", every_ms: 2))"#,
            "did you mean \"dopamine\"?",
        ),
        (
            r#"(region: "vta", kind: Modulator(modulator: "dopamine", every_ms: 2))"#,
            "leave `region` out",
        ),
        (
            r#"(kind: Modulator(modulator: "dopamine", every_ms: -2))"#,
            "more than 0",
        ),
    ] {
        let (before, _) = SCENE.split_once("probes:").expect("probes");
        let text = format!("{before}probes: [{probe}])");
        let problem =
            load(SceneSource::from_text("net", &text), &[], &registry).and_then(|loaded| {
                loaded
                    .prepare(&registry, &SceneFiles::default())
                    .map(|_| ())
            });
        let problem = problem.expect_err(probe).to_string();
        assert!(problem.contains(expected), "{problem}");
    }
    let none = r#"Scene(regions: [(name: "a", neurons: 1, model: LifExp())],
        probes: [(kind: Modulator(modulator: "dopamine", every_ms: 2))])"#;
    let problem = load(SceneSource::from_text("net", none), &[], &registry).and_then(|loaded| {
        loaded
            .prepare(&registry, &SceneFiles::default())
            .map(|_| ())
    });
    let problem = problem.expect_err("no modulators").to_string();
    assert!(problem.contains("the scene has no modulators"), "{problem}");
}
