//! What a run keeps of weights that change: probes, pictures and the summary in `run.json`.

use neuropil::prelude::*;
use neuropil::results::npy::read_npy;
use std::path::Path;
use std::process::Command;

const SCENE: &str = r#"Scene(
    title: "weights over time", dt_ms: 0.5, duration_ms: 400,
    regions: [
        (name: "in", neurons: 12, model: PoissonSource(rate_hz: 60)),
        (name: "out", neurons: 4, model: LifDelta(i_e: 400)),
    ],
    projections: [(
        name: "in/out", from: "in", to: "out", rule: AllToAll, weight: Uniform(min: 0.2, max: 0.8), delay_ms: 1,
        plasticity: [Stdp(a_plus: 0.05, a_minus: 0.04)],
    )],
    probes: [
        (kind: WeightCourse(projection: "in/out", targets: List([2, 0]), every_ms: 50)),
        (kind: WeightHistogram(projection: "in/out", bins: 10, every_ms: 100)),
        (kind: ReceptiveFields(projection: "in/out", targets: Range(1, 2), width: 4)),
    ],
)"#;

fn array(path: &Path) -> (Vec<usize>, Vec<f32>) {
    read_npy(path).unwrap_or_else(|e| panic!("{e}"))
}

#[test]
fn files_hold_what_the_network_had() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("weights_over_time");
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).expect("a folder");
    let out = folder.join("out");
    std::fs::write(folder.join("net.ron"), SCENE).expect("a scene");
    let run = |arguments: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_neuropil"))
            .args(arguments)
            .current_dir(&folder)
            .output()
            .expect("the program");
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{error}");
    };
    run(&["run", "net.ron", "--out", "out"]);

    let registry = Registry::new();
    let source = neuropil::scene::load::SceneSource::from_text("net", SCENE);
    let loaded = neuropil::scene::load::load(source, &[], &registry).expect("a scene");
    let mut simulation =
        Simulation::new(&loaded.scene, &BuildOptions::default()).expect("a network");
    let ends = simulation.synapse_ends("in/out").expect("synapses");
    let mut rows: Vec<Vec<f32>> = Vec::new();
    for _ in 0..8 {
        simulation.run_ms(50.0);
        rows.push(simulation.weights("in/out").expect("weights"));
    }

    let (shape, values) = array(&out.join("weight_course_in_out.npy"));
    let kept: Vec<usize> = (0..ends.len())
        .filter(|i| [0, 2].contains(&ends[*i].1))
        .collect();
    assert_eq!(shape, [8, kept.len()]);
    let want: Vec<f32> = (rows.iter())
        .flat_map(|row| kept.iter().map(|i| row[*i]))
        .collect();
    assert_eq!(values, want);
    let (_, sources) = read_npy::<u32>(out.join("weight_course_in_out_source.npy")).expect("u32");
    let want: Vec<u32> = kept.iter().map(|i| ends[*i].0).collect();
    assert_eq!(sources, want);
    assert_ne!(rows[0], rows[7]);

    let table = std::fs::read_to_string(out.join("weight_histogram_in_out.csv")).expect("a table");
    let lines: Vec<&str> = table.lines().collect();
    assert_eq!(lines.len(), 5, "{table}");
    assert!(
        lines[0].starts_with("time_ms,mean,sd,from_0,from_0.1,"),
        "{}",
        lines[0]
    );
    let last: Vec<f64> = lines[4]
        .split(',')
        .map(|v| v.parse().expect("a number"))
        .collect();
    assert_eq!(last[0], 400.0);
    assert_eq!(last[3..].iter().sum::<f64>(), 48.0);
    let mean = rows[7].iter().map(|w| f64::from(*w)).sum::<f64>() / 48.0;
    assert!((last[1] - mean).abs() < 1e-5);

    let (shape, fields) = array(&out.join("receptive_fields_in_out.npy"));
    assert_eq!(shape, [2, 12]);
    for (row, target) in [(0, 1), (1, 2)] {
        for source in 0..12u32 {
            let place = ends.iter().position(|e| *e == (source, target));
            let want = rows[7][place.expect("a synapse")];
            assert_eq!(fields[row * 12 + source as usize], want);
        }
    }
    for picture in ["weight_course", "weight_histogram", "receptive_fields"] {
        let path = out.join(format!("{picture}_in_out.png"));
        assert!(std::fs::metadata(path).expect("a picture").len() > 1000);
    }

    let report = std::fs::read_to_string(out.join("run.json")).expect("a report");
    let report: serde_json::Value = serde_json::from_str(&report).expect("JSON");
    let projection = &report["network"]["projections"][0];
    assert_eq!(projection["name"], "in/out");
    let reported = projection["weights"]["mean"].as_f64().expect("a mean");
    assert!((reported - mean).abs() < 1e-6);
}

#[test]
fn a_resumed_run_keeps_the_weights_of_the_whole_run() {
    let registry = Registry::new();
    let source = neuropil::scene::load::SceneSource::from_text("net", SCENE);
    let loaded = neuropil::scene::load::load(source, &[], &registry).expect("a scene");
    let new = || Simulation::new(&loaded.scene, &BuildOptions::default()).expect("a network");
    let kept = |simulation: &mut Simulation| -> Vec<Vec<f32>> {
        use neuropil::network::weight_probe::WeightProbe;
        let world = simulation.world_mut();
        let mut probes = world.query::<&WeightProbe>();
        probes.iter(world).map(|p| p.values.clone()).collect()
    };
    let mut whole = new();
    whole.run_ms(230.0);
    let snapshot = whole.snapshot().expect("a snapshot");
    whole.run_ms(170.0);
    let mut resumed = new();
    resumed.restore(&snapshot).expect("a snapshot that fits");
    resumed.run_ms(170.0);
    let want = kept(&mut whole);
    assert_eq!(want.len(), 2);
    assert_eq!(kept(&mut resumed), want);
}
