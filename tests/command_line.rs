//! The program as a user meets it: every subcommand, what it prints where, the files it writes, and its exit code: 0 done, 1 the run
//! failed, 2 the input was wrong.

mod support;

use neuropil::prelude::*;
use neuropil::results::npy::read_npy;
use neuropil::scene::shipped;
use neuropil::sim::rng::{avalanche, entity_key};
use neuropil::snapshot::file::Snapshot;
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::fs;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};
use support::{folder, neuropil, report, said, say, succeed, text};

/// A test that waits for longer than this has found a hang.
const HANG: Duration = Duration::from_secs(150);

/// Whoever reads may have gone: `neuropil scenes | head -1`.
#[test]
fn a_closed_output_is_no_panic() {
    let folder = folder("closed output");
    for args in [
        &["--help"][..],
        &["scenes"],
        &["schedule"],
        &["check", "cuba"],
    ] {
        let mut child = neuropil(&folder)
            .args(args)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program starts");
        drop(child.stdout.take());
        let said = child.wait_with_output().expect("the program ends");
        let err = String::from_utf8_lossy(&said.stderr);
        assert!(
            !err.contains("panicked") && said.status.code() != Some(101),
            "neuropil {args:?}: {:?}\n{err}",
            said.status
        );
    }
    fs::remove_dir_all(folder).expect("a folder");
}

#[test]
fn help_and_version_are_printed() {
    let folder = folder("help");
    let help = succeed(&folder, &["--help"]);
    for subcommand in [
        "run",
        "check",
        "scenes",
        "schedule",
        "bench",
        "experiment",
        "resume",
        "view",
        "render",
    ] {
        assert!(
            help.out.contains(&format!("  {subcommand} ")),
            "{subcommand} is not in the help:\n{}",
            help.out
        );
        let own = succeed(&folder, &[subcommand, "--help"]);
        assert!(
            own.out.contains(&format!("Usage: neuropil {subcommand}")) && own.err.is_empty(),
            "{own:#?}"
        );
    }
    assert_eq!(
        succeed(&folder, &["--version"]).out,
        format!("neuropil {}\n", env!("CARGO_PKG_VERSION"))
    );
    fs::remove_dir_all(folder).expect("a folder");
}

#[test]
fn wrong_input_has_exit_code_2_and_a_message() {
    let folder = folder("wrong-input");
    fs::write(
        folder.join("broken.ron"),
        "Scene(\n  title: \"x\",\n  regions: 5,\n)\n",
    )
    .expect("a file");
    fs::write(folder.join("latin1.ron"), b"Scene(title: \"\xE9\")").expect("a file");
    let region = "(name: \"a\", neurons: 2000000, model: LifExp())";
    let projection = "(from: \"a\", to: \"a\", rule: AllToAll, weight: 1, delay_ms: 1)";
    fs::write(
        folder.join("large.ron"),
        format!("Scene(regions: [{region}], projections: [{projection}])"),
    )
    .expect("a file");
    for (args, expected) in [
        (&["frobnicate"][..], "unrecognized subcommand 'frobnicate'"),
        (&["run"], "<SCENE>"),
        (&["run", "cubaa"], "did you mean \"cuba\"?"),
        (&["run", "./nowhere.ron"], "no such file"),
        (&["run", "."], "is a folder"),
        (&["run", "broken.ron"], "broken.ron:3:12"),
        (&["run", "latin1.ron"], "is not UTF-8"),
        (&["run", "large.ron"], "memory are free"),
        (
            &["run", "cuba", "--frobnicate"],
            "unexpected argument '--frobnicate'",
        ),
        (&["run", "cuba", "--for", "5"], "needs a unit"),
        (
            &["run", "cuba", "--for", "-5ms"],
            "unexpected argument '-5'",
        ),
        (&["run", "cuba", "--for=-5ms"], "a time is from 0"),
        (
            &["run", "cuba", "--checkpoint-every", "soon"],
            "is not a time",
        ),
        (&["run", "cuba", "--set", "w_ex"], "NAME=VALUE"),
        (&["run", "cuba", "--set", "w_exx=1"], "w_exx"),
        (&["run", "cuba", "--set", "w_ex=1+"], "w_ex"),
        (&["run", "cuba", "--threads", "0"], "--threads"),
        (&["run", "cuba", "--seed", "-1"], "unexpected argument '-1'"),
        (&["run", "cuba", "--seed=-1"], "a seed is a whole number"),
        (&["run", "cuba", "--seed", "1.5"], "--seed"),
        (
            &["run", "cuba", "--simd", "avx9"],
            "known: auto, portable, avx2, avx512",
        ),
        (&["check", "nowhere"], "unknown scene \"nowhere\""),
        (&["schedule", "nowhere"], "unknown scene \"nowhere\""),
        (&["bench", "--only", "nowhere"], "nowhere"),
        (&["bench", "--shorten", "0"], "above 0"),
        (&["resume"], "<FILE>"),
        (&["resume", "nowhere"], "nowhere"),
    ] {
        let said = say(&folder, args);
        assert_eq!(said.code, Some(2), "{args:?}: {said:#?}");
        assert!(
            said.err.contains(expected),
            "{args:?} says {:?}, not {expected:?}",
            said.err
        );
        assert!(said.err.starts_with("error: "), "{args:?}: {}", said.err);
        assert_eq!(said.out, "", "{args:?}");
    }
    // A scene that is too large for this machine is described all the same.
    let said = say(&folder, &["check", "large.ron"]);
    assert_eq!(said.code, Some(2), "{said:#?}");
    assert!(
        said.out
            .contains("\n2000000 neurons, 4000000000000 synapses")
            && said.err.contains("memory are free"),
        "{said:#?}"
    );
    fs::remove_dir_all(folder).expect("a folder");
}

/// Where results or checkpoints cannot be written the run ends before it wastes any time, and what was there is left as it was. A
/// place that cannot be is the user's mistake (2), one that does not take what is written fails the run (1).
#[test]
fn a_run_that_cannot_write_ends_early() {
    let folder = folder("cannot-write");
    fs::write(folder.join("file"), "mine").expect("a file");
    let checkpoint = |path| ["--checkpoint-every", "1ms", "--checkpoint", path];
    let mut cases = vec![
        (2, vec!["--out", "file"], "file"),
        (2, vec!["--out", "file/below"], "file"),
        (2, checkpoint("missing/there").to_vec(), "missing"),
        (2, checkpoint(".").to_vec(), "is a folder"),
    ];
    if cfg!(target_os = "linux") {
        cases.push((1, vec!["--out", "/proc/neuropil"], "/proc/neuropil"));
        cases.push((2, checkpoint("/dev/full").to_vec(), "is a device"));
    }
    for (code, args, expected) in cases {
        let said = say(
            &folder,
            &[&["run", "cuba", "--for", "24h"], &args[..]].concat(),
        );
        assert_eq!(said.code, Some(code), "{args:?}: {said:#?}");
        assert!(
            said.err.starts_with("error: ") && said.err.contains(expected),
            "{args:?}: {}",
            said.err
        );
        assert_eq!(said.out, "", "{args:?}");
    }
    assert_eq!(
        fs::read_to_string(folder.join("file")).expect("a file"),
        "mine"
    );
    assert_eq!(
        fs::read_dir(&folder).expect("a folder").count(),
        1,
        "nothing is left behind"
    );
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let closed = folder.join("closed");
        fs::create_dir(&closed).expect("a folder");
        fs::set_permissions(&closed, fs::Permissions::from_mode(0o555)).expect("permissions");
        // The superuser may write everywhere.
        // SAFETY: it only asks.
        if unsafe { libc::geteuid() } != 0 {
            let said = say(&folder, &["run", "cuba", "--for", "3ms", "--out", "closed"]);
            assert_eq!(said.code, Some(1), "{said:#?}");
            assert!(said.err.contains("no permission"), "{}", said.err);
        }
        fs::set_permissions(&closed, fs::Permissions::from_mode(0o755)).expect("permissions");
    }
    fs::remove_dir_all(folder).expect("a folder");
}

#[test]
fn shipped_scenes_are_found_from_any_folder() {
    let folder = folder("any-folder");
    let list = succeed(&folder, &["scenes"]);
    assert_eq!(list.out.lines().count(), shipped::SCENES.len());
    assert_eq!(list.err, "");
    let mut titles = HashSet::new();
    for ((name, _), line) in shipped::SCENES.iter().zip(list.out.lines()) {
        let title = line
            .strip_prefix(name)
            .unwrap_or_else(|| panic!("{name}: {line}"))
            .trim();
        assert!(
            title.len() > 10 && titles.insert(title.to_owned()),
            "{name} has no title of its own: {title:?}"
        );
        let said = succeed(&folder, &["check", name]);
        let scene = support::load_shipped(name, &[], &Registry::new()).scene;
        let neurons: u64 = scene.regions.iter().map(|r| u64::from(r.neurons)).sum();
        assert!(said.out.starts_with(title), "{name}: {}", said.out);
        for part in [
            &format!("source: {}", scene.source),
            &format!("expect: {}", scene.outcome),
            &format!("\n{neurons} neurons, "),
        ] {
            assert!(
                said.out.contains(part.as_str()),
                "{name}: {part} is not in\n{}",
                said.out
            );
        }
        assert!(
            said.out.contains("memory about") && said.out.contains("cost per simulated second"),
            "{name}: {}",
            said.out
        );
        assert_eq!(said.err, "", "{name}: a shipped scene gives no warnings");
        let said = succeed(&folder, &["run", name, "--for", "2ms"]);
        assert!(
            said.out.starts_with(title) && said.out.contains("spike hash "),
            "{name}: {}",
            said.out
        );
        assert_eq!(said.err, "", "{name}");
    }
    assert_eq!(
        fs::read_dir(&folder).expect("a folder").count(),
        0,
        "without --out nothing is written"
    );
    // A file of the user's comes before a shipped scene of the same name.
    fs::write(
        folder.join("cuba"),
        "Scene(title: \"Mine\", regions: [(name: \"a\", neurons: 1, model: LifExp())])",
    )
    .expect("a file");
    let said = succeed(&folder, &["check", "cuba"]);
    assert!(said.out.starts_with("Mine"), "{}", said.out);
    assert!(
        said.err.contains("warning: cuba:1:") && said.err.contains("has no input"),
        "{}",
        said.err
    );
    fs::remove_dir_all(folder).expect("a folder");
}

/// A spike as spikes.csv has it.
struct Row {
    time_ms: f64,
    region: String,
    neuron: u32,
}

fn rows(out: &Path) -> Vec<Row> {
    let text = fs::read_to_string(out.join("spikes.csv")).expect("spikes");
    let mut lines = text.lines();
    assert_eq!(lines.next(), Some("time_ms,region,neuron"));
    lines
        .map(|line| {
            let parts: Vec<&str> = line.split(',').collect();
            let [time, region, neuron] = parts[..] else {
                panic!("{line}")
            };
            Row {
                time_ms: time.parse().expect("a time"),
                region: region.into(),
                neuron: neuron.parse().expect("a neuron"),
            }
        })
        .collect()
}

/// The spike hash, worked out from a table of spikes.
fn hash(rows: &[Row], dt_ms: f64) -> String {
    let sum = rows.iter().fold(0u64, |sum, row| {
        let step = (row.time_ms / dt_ms).round() as u64 - 1;
        let key = entity_key(&row.region) ^ avalanche(step);
        sum.wrapping_add(avalanche(
            key.wrapping_add(u64::from(row.neuron).wrapping_mul(0x9E37_79B9_7F4A_7C15)),
        ))
    });
    format!("{sum:016x}")
}

#[test]
fn a_run_writes_what_it_promises() {
    let folder = folder("results");
    let out = folder.join("new/results");
    let said = succeed(
        &folder,
        &[
            "run",
            "cuba",
            "--for",
            "300ms",
            "--seed",
            "9",
            "--set",
            "w_ex=15+1",
            "--threads",
            "1",
            "--simd",
            "portable",
            "--out",
            text(&out),
        ],
    );
    assert_eq!(said.err, "", "no progress where nobody watches");
    let names: BTreeSet<String> = fs::read_dir(&out)
        .expect("a folder")
        .map(|e| {
            e.expect("an entry")
                .file_name()
                .into_string()
                .expect("UTF-8")
        })
        .collect();
    let expected = [
        "spikes.csv",
        "spike_times_ms.npy",
        "spike_regions.npy",
        "spike_neurons.npy",
        "rates.csv",
        "raster.png",
        "run.json",
    ];
    assert_eq!(names, expected.map(str::to_owned).into());

    let (report, rows) = (report(&out), rows(&out));
    assert!(rows.len() > 1_000, "{} spikes", rows.len());
    assert_eq!(report["spikes"], rows.len());
    assert_eq!(report["spike_hash"], hash(&rows, 0.1));
    assert_ne!(hash(&rows[1..], 0.1), hash(&rows, 0.1));
    for (key, value) in [
        ("scene", serde_json::json!("cuba")),
        ("version", env!("CARGO_PKG_VERSION").into()),
        ("seed", 9.into()),
        ("dt_ms", 0.1.into()),
        ("duration_ms", 300.0.into()),
        ("interrupted", false.into()),
        ("threads", 1.into()),
    ] {
        assert_eq!(report[key], value, "{key}");
    }
    assert_eq!(
        report["parameters"],
        serde_json::json!({"w_ex": 16.0, "w_in": -90.0})
    );
    assert_eq!(report["machine"]["simd"], "portable");
    assert_eq!(report["network"]["neurons"], 4000);
    assert_eq!(report["network"]["synapses"], 4000 * 80);
    let ends: Vec<_> = report["network"]["projections"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|p| (&p["from"], &p["to"]))
        .collect();
    let scene = support::load_shipped("cuba", &[], &Registry::new()).scene;
    assert!(
        ends.iter()
            .zip(&scene.projections)
            .all(|((from, to), p)| *from == &p.from && *to == &p.to),
        "in the order of the scene: {ends:?}"
    );

    // The same spikes as columns.
    let (shape, times) = read_npy::<f64>(out.join("spike_times_ms.npy")).expect("times");
    let (_, regions) = read_npy::<u32>(out.join("spike_regions.npy")).expect("regions");
    let (_, neurons) = read_npy::<u32>(out.join("spike_neurons.npy")).expect("neurons");
    assert_eq!(shape, [rows.len()]);
    let region_names: Vec<&str> = scene.regions.iter().map(|r| r.name.as_str()).collect();
    for (i, row) in rows.iter().enumerate() {
        let columns = (times[i], region_names[regions[i] as usize], neurons[i]);
        assert_eq!(
            (row.time_ms, row.region.as_str(), row.neuron),
            columns,
            "spike {i}"
        );
    }
    assert!(
        rows.windows(2).all(|w| w[0].time_ms <= w[1].time_ms),
        "in the order of time"
    );
    // Statistics are of the window from 200 ms on, bounds as everywhere.
    let counted = rows.iter().filter(|r| r.time_ms >= 200.0).count();
    assert_eq!(report["statistics"]["all"]["spikes"], counted);
    assert_eq!(
        report["statistics"]["window_ms"],
        serde_json::json!([200.0, 300.0])
    );

    // Rates: every spike is in its bin.
    let rates = fs::read_to_string(out.join("rates.csv")).expect("rates");
    let mut lines = rates.lines();
    assert_eq!(lines.next(), Some("time_ms,excitatory,inhibitory"));
    let mut sums = [0.0; 2];
    for (i, line) in lines.enumerate() {
        let values: Vec<f64> = line
            .split(',')
            .map(|v| v.parse().expect("a number"))
            .collect();
        assert_eq!(values[0], i as f64, "bins of 1 ms");
        sums[0] += values[1] * 3200.0 * 1e-3;
        sums[1] += values[2] * 800.0 * 1e-3;
    }
    for (sum, name) in sums.into_iter().zip(region_names) {
        let spikes = rows.iter().filter(|r| r.region == name).count() as f64;
        assert!((sum - spikes).abs() < 0.01, "{name}: {sum} of {spikes}");
    }

    // The summary says the same.
    assert!(
        said.out
            .contains(&format!("spike hash {}", hash(&rows, 0.1))),
        "{}",
        said.out
    );
    assert!(
        said.out
            .ends_with(&format!("results in {}\n", out.display())),
        "{}",
        said.out
    );
    raster_shows_something(&out.join("raster.png"));

    // A run again over the old results, with more threads, replaces them by the same.
    let before: BTreeMap<_, _> = names
        .iter()
        .map(|n| (n.clone(), fs::read(out.join(n)).expect("a file")))
        .collect();
    succeed(
        &folder,
        &[
            "run",
            "cuba",
            "--for",
            "300ms",
            "--seed",
            "9",
            "--set",
            "w_ex=16",
            "--threads",
            "2",
            "--out",
            text(&out),
            "--quiet",
        ],
    );
    for (name, bytes) in before.into_iter().filter(|(name, _)| name != "run.json") {
        assert!(
            fs::read(out.join(&name)).expect("a file") == bytes,
            "{name} differs"
        );
    }
    fs::remove_dir_all(folder).expect("a folder");
}

fn raster_shows_something(path: &Path) {
    let file = std::io::BufReader::new(fs::File::open(path).expect("a picture"));
    let mut reader = png::Decoder::new(file).read_info().expect("a PNG");
    let mut pixels = vec![0; reader.output_buffer_size().expect("a size")];
    let info = reader.next_frame(&mut pixels).expect("a picture");
    assert!(
        info.width >= 400 && info.height >= 300,
        "{} × {}",
        info.width,
        info.height
    );
    let samples = info.color_type.samples();
    let mut colours = BTreeMap::new();
    for pixel in pixels[..info.buffer_size()].chunks_exact(samples) {
        *colours.entry(pixel.to_vec()).or_insert(0u32) += 1;
    }
    let background = colours.values().copied().max().expect("pixels");
    let drawn = info.width * info.height - background;
    assert!(
        drawn > info.width * info.height / 100,
        "{drawn} pixels are drawn on"
    );
    // Blue for the first region, red for the second.
    let near = |r: i32, g: i32, b: i32| {
        let distance = |p: &[u8]| {
            (i32::from(p[0]) - r).abs() + (i32::from(p[1]) - g).abs() + (i32::from(p[2]) - b).abs()
        };
        colours
            .iter()
            .filter(|(p, _)| distance(p) < 40)
            .map(|(_, n)| n)
            .sum::<u32>()
    };
    assert!(
        near(0, 114, 178) > 200 && near(213, 94, 0) > 200,
        "{} and {}",
        near(0, 114, 178),
        near(213, 94, 0)
    );
}

/// Traces and weights appear where the scene asks for them.
#[test]
fn probes_of_the_scene_are_written() {
    let folder = folder("probes");
    support::write_rich(&folder);
    succeed(
        &folder,
        &[
            "run", "rich.ron", "--for", "50ms", "--quiet", "--out", "out",
        ],
    );
    let out = folder.join("out");
    let (shape, v) = read_npy::<f32>(out.join("trace_adapting_v.npy")).expect("a trace");
    assert_eq!(shape, [100, 5], "every 0.5 ms, five neurons");
    let csv = fs::read_to_string(out.join("trace_adapting_v.csv")).expect("a trace");
    assert!(
        csv.starts_with("time_ms,v_0,v_1,v_2,v_3,v_4\n0.5,"),
        "{}",
        &csv[..80.min(csv.len())]
    );
    assert_eq!(csv.lines().count(), 101);
    let last: Vec<f32> = csv
        .lines()
        .last()
        .expect("a row")
        .split(',')
        .skip(1)
        .map(|x| x.parse().expect("a number"))
        .collect();
    assert_eq!(last, v[v.len() - 5..], "both have the same bits");
    assert!(out.join("trace_cells_drive.npy").exists());
    let column = |name: &str| read_npy::<f32>(out.join(name)).expect("weights").1;
    let ends = |name: &str| read_npy::<u32>(out.join(name)).expect("ends").1;
    let weights = column("weights_cells_adapting.npy");
    let delays = column("weights_cells_adapting_delay_ms.npy");
    let (sources, targets) = (
        ends("weights_cells_adapting_source.npy"),
        ends("weights_cells_adapting_target.npy"),
    );
    let mut synapses: Vec<_> = (0..400)
        .map(|i| {
            (
                sources[i],
                targets[i],
                (weights[i] * 1e4).round(),
                (delays[i] * 1e4).round(),
            )
        })
        .collect();
    let listed = String::from_utf8(
        support::rich_files()
            .remove("connections.csv")
            .expect("a list"),
    )
    .expect("text");
    let mut expected: Vec<_> = listed
        .lines()
        .skip(1)
        .map(|line| {
            let v: Vec<f32> = line
                .split(',')
                .map(|x| x.parse().expect("a number"))
                .collect();
            (
                v[0] as u32,
                v[1] as u32,
                (v[2] * 1e4).round(),
                ((v[3] / 0.1).round() * 1e3).round(),
            )
        })
        .collect();
    synapses.sort_by(|a, b| a.partial_cmp(b).expect("numbers"));
    expected.sort_by(|a, b| a.partial_cmp(b).expect("numbers"));
    assert_eq!(
        (weights.len(), synapses),
        (400, expected),
        "the listed synapses are those that were built"
    );
    fs::remove_dir_all(folder).expect("a folder");
}

/// Names that become the same in a file name, and two probes of one column: every trace has a file of its own.
#[test]
fn no_result_overwrites_another() {
    let folder = folder("overwrites");
    fs::write(
        folder.join("scene.ron"),
        "Scene(
            title: \"Two regions whose names differ by a space\", duration_ms: 5,
            regions: [(name: \"a b\", neurons: 1, model: LifDelta()), (name: \"a_b\", neurons: 2, model: LifDelta())],
            probes: [
                (kind: Column(column: \"v\", neurons: All, every_ms: 1), region: \"a b\"),
                (kind: Column(column: \"v\", neurons: All, every_ms: 1), region: \"a_b\"),
                (kind: Column(column: \"v\", neurons: All, every_ms: 2), region: \"a_b\"),
            ],
        )",
    )
    .expect("a file");
    succeed(&folder, &["run", "scene.ron", "--out", "out"]);
    let samples = |file: &str| {
        let text = fs::read_to_string(folder.join("out").join(file)).expect(file);
        (
            text.lines().count() - 1,
            text.lines().next().map(|l| l.matches(',').count()),
        )
    };
    assert_eq!(samples("trace_a_b_v.csv"), (5, Some(1)));
    assert_eq!(samples("trace_a_b_v_2.csv"), (5, Some(2)));
    assert_eq!(samples("trace_a_b_v_3.csv"), (2, Some(2)));
    fs::remove_dir_all(folder).expect("a folder");
}

#[test]
fn quiet_prints_nothing() {
    let folder = folder("quiet");
    fs::write(
        folder.join("idle.ron"),
        "Scene(regions: [(name: \"a\", neurons: 1, model: LifExp())])",
    )
    .expect("a file");
    for args in [
        &[
            "run",
            "cuba",
            "--for",
            "20ms",
            "--quiet",
            "--checkpoint-every",
            "10ms",
            "--out",
            "out",
        ][..],
        &["run", "idle.ron", "--for", "20ms", "--quiet"],
        &["resume", "out/checkpoint.neuropil", "--quiet"],
    ] {
        let said = succeed(&folder, args);
        assert_eq!((said.out.as_str(), said.err.as_str()), ("", ""), "{args:?}");
    }
    // Errors are printed all the same.
    assert!(
        say(&folder, &["run", "nowhere", "--quiet"])
            .err
            .contains("nowhere")
    );
    // Without --quiet this scene does give a warning.
    assert!(
        succeed(&folder, &["run", "idle.ron", "--for", "1ms"])
            .err
            .contains("warning: idle.ron:1:")
    );
    fs::remove_dir_all(folder).expect("a folder");
}

#[test]
fn flags_do_what_they_say() {
    let folder = folder("flags");
    let hash = |args: &[&str]| {
        let said = succeed(&folder, &[&["run", "cuba", "--for", "50ms"], args].concat());
        said.out
            .lines()
            .find_map(|l| l.strip_prefix("spike hash ").map(str::to_owned))
            .expect("a hash")
    };
    let plain = hash(&[]);
    assert_eq!(hash(&["--threads", "3", "--force-lanes"]), plain);
    assert_eq!(hash(&["--simd", "portable"]), plain);
    assert_eq!(hash(&["--seed", "1"]), plain, "the seed that the scene has");
    assert_eq!(
        hash(&["--set", "w_ex=16.2"]),
        plain,
        "the value that the scene has"
    );
    let others = [
        hash(&["--seed", "2"]),
        hash(&["--set", "w_ex=16.3"]),
        hash(&["--set", "w_ex=16.3", "--set", "w_in=-80"]),
    ];
    let different: HashSet<_> = others.iter().chain([&plain]).collect();
    assert_eq!(different.len(), 4);
    // A duration of nothing is a run, too.
    assert!(
        succeed(&folder, &["run", "cuba", "--for", "0s"])
            .out
            .contains("spike hash 0000000000000000")
    );
    // Checkpoints have a name of their own if none is given.
    succeed(
        &folder,
        &["run", "cuba", "--for", "20ms", "--checkpoint-every", "10ms"],
    );
    assert_eq!(
        Snapshot::read(folder.join("cuba.neuropil"))
            .expect("a checkpoint")
            .u64("clock.steps")
            .expect("steps"),
        100
    );
    fs::remove_dir_all(folder).expect("a folder");
}

#[test]
fn the_benchmark_measures() {
    let folder = folder("bench");
    let args = [
        "bench",
        "--only",
        "izhikevich2003",
        "--shorten",
        "0.01",
        "--threads",
        "1,2",
    ];
    let said = succeed(
        &folder,
        &[&args[..], &["--json", "--csv", "rows.csv"]].concat(),
    );
    let rows: Vec<serde_json::Value> = said
        .out
        .lines()
        .map(|l| serde_json::from_str(l).expect("JSON"))
        .collect();
    assert_eq!(rows.len(), 2);
    for row in &rows {
        assert_eq!(
            (&row["network"], &row["neurons"], &row["synapses"]),
            (&"izhikevich2003".into(), &1000.into(), &1_000_000.into())
        );
        assert!(
            row["events_per_s"].as_f64().is_some_and(|n| n > 1e5)
                && row["wall_s_per_s"].as_f64().is_some_and(|s| s > 0.0),
            "{row}"
        );
        assert!(
            row["bytes_per_synapse"]
                .as_f64()
                .is_some_and(|b| b > 1.0 && b < 5.0),
            "{row}"
        );
    }
    assert_eq!(rows[0]["spike_hash"], rows[1]["spike_hash"]);
    let csv = fs::read_to_string(folder.join("rows.csv")).expect("rows");
    let (head, body) = csv.split_once('\n').expect("a head");
    assert_eq!(body.lines().count(), 2);
    assert!(
        body.lines()
            .all(|line| line.split(',').count() == head.split(',').count()),
        "{csv}"
    );
    let table = succeed(&folder, &args).out;
    assert_eq!(table.lines().count(), 3, "{table}");
    fs::remove_dir_all(folder).expect("a folder");
}

/// Ctrl-C, or a request to terminate, ends a run at the next step: with its results up to there, a checkpoint and exit code 0. The
/// checkpoint resumes to the same end.
#[cfg(unix)]
#[test]
fn an_interrupted_run_keeps_what_it_has() {
    let folder = folder("interrupted");
    let whole = folder.join("whole");
    succeed(
        &folder,
        &[
            "run",
            "cuba",
            "--for",
            "1s",
            "--quiet",
            "--out",
            text(&whole),
        ],
    );
    for (name, signal) in [("interrupted", libc::SIGINT), ("terminated", libc::SIGTERM)] {
        let out = folder.join(name);
        let checkpoint = out.join("checkpoint.neuropil");
        // So many checkpoints take long enough for the signal to arrive in time.
        let mut command = neuropil(&folder);
        command.args([
            "run",
            "cuba",
            "--for",
            "1s",
            "--checkpoint-every",
            "0.1ms",
            "--out",
            text(&out),
        ]);
        command
            .stdout(std::process::Stdio::piped())
            .stderr(std::process::Stdio::piped());
        let child = command.spawn().expect("the program starts");
        wait_until(|| checkpoint.exists(), "the first checkpoint");
        send(child.id(), signal);
        let said = said(child.wait_with_output().expect("the program ends"));
        assert_eq!(said.code, Some(0), "{name}: {said:#?}");
        let resume = format!("go on with: neuropil resume {}", checkpoint.display());
        assert!(
            said.err.starts_with("interrupted at ") && said.err.contains(&resume),
            "{name}: {}",
            said.err
        );
        assert!(
            said.out.contains("interrupted after"),
            "{name}: {}",
            said.out
        );

        // What it has is the beginning of the whole run.
        let (part, rows) = (report(&out), rows(&out));
        assert_eq!(part["interrupted"], true);
        let end = part["duration_ms"].as_f64().expect("a time");
        assert!(end > 0.0 && end < 1000.0, "{name}: stopped at {end} ms");
        assert_eq!(
            (&part["spikes"], &part["spike_hash"]),
            (&rows.len().into(), &hash(&rows, 0.1).into()),
            "{name}"
        );
        let all = rows_until(&whole, end);
        assert_eq!(all, rows.len(), "{name}: spikes up to {end} ms");
        assert!(out.join("raster.png").exists() && out.join("rates.csv").exists());

        // The checkpoint is of the moment it was stopped at, and leads to the same end.
        let steps = Snapshot::read(&checkpoint)
            .expect("a checkpoint")
            .u64("clock.steps")
            .expect("steps");
        assert_eq!(
            (steps as f64 * 0.1 * 1e6).round(),
            (end * 1e6).round(),
            "{name}"
        );
        succeed(
            &folder,
            &["resume", text(&checkpoint), "--quiet", "--out", text(&out)],
        );
        for key in [
            "spikes",
            "spike_hash",
            "duration_ms",
            "interrupted",
            "statistics",
        ] {
            assert_eq!(report(&out)[key], report(&whole)[key], "{name}: {key}");
        }
        assert!(
            fs::read(out.join("spikes.csv")).expect("spikes")
                == fs::read(whole.join("spikes.csv")).expect("spikes"),
            "{name}"
        );
    }
    fs::remove_dir_all(folder).expect("a folder");
}

#[cfg(unix)]
fn rows_until(out: &Path, end_ms: f64) -> usize {
    rows(out)
        .iter()
        .filter(|row| row.time_ms <= end_ms + 1e-6)
        .count()
}

#[cfg(unix)]
fn send(process: u32, signal: i32) {
    // SAFETY: it only sends a signal, to a child of this process that has not been waited for.
    assert_eq!(unsafe { libc::kill(process as i32, signal) }, 0);
}

fn wait_until(mut done: impl FnMut() -> bool, what: &str) {
    let begun = Instant::now();
    while !done() {
        assert!(begun.elapsed() < HANG, "still no {what} after {HANG:?}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// At a terminal, and only there, a run shows how far it is.
#[cfg(target_os = "linux")]
#[test]
fn progress_is_shown_at_a_terminal() {
    use std::io::Read;
    use std::os::fd::FromRawFd;
    let folder = folder("progress");
    let (mut ours, mut theirs) = (0, 0);
    let size = libc::winsize {
        ws_row: 24,
        ws_col: 120,
        ws_xpixel: 0,
        ws_ypixel: 0,
    };
    // SAFETY: the pointers are valid for one value each, and null is allowed for name and settings.
    let opened = unsafe {
        libc::openpty(
            &mut ours,
            &mut theirs,
            std::ptr::null_mut(),
            std::ptr::null_mut(),
            &size,
        )
    };
    assert_eq!(opened, 0, "a terminal");
    // SAFETY: both were just opened and belong to nobody else.
    let (mut ours, theirs) =
        unsafe { (fs::File::from_raw_fd(ours), fs::File::from_raw_fd(theirs)) };
    let mut command = neuropil(&folder);
    command
        .args(["run", "cuba", "--for", "1h"])
        .stderr(theirs)
        .stdout(std::process::Stdio::piped());
    let child = command.spawn().expect("the program starts");
    // The command holds the terminal's other end, too.
    drop(command);
    let (mut seen, mut some) = (String::new(), [0; 4096]);
    while !seen.contains("real-time factor") {
        let count = ours.read(&mut some).unwrap_or(0);
        assert!(
            count > 0,
            "the program ended without showing progress: {seen:?}"
        );
        seen += &String::from_utf8_lossy(&some[..count]);
    }
    send(child.id(), libc::SIGINT);
    // Read on, so that it is not held up; a terminal that nobody holds any more is an error to read.
    while ours.read(&mut some).is_ok_and(|count| count > 0) {}
    let said = said(child.wait_with_output().expect("the program ends"));
    assert_eq!(said.code, Some(0), "{said:#?}");
    assert!(
        seen.contains(" of 3600000.0 ms") && seen.contains(" left"),
        "{seen:?}"
    );
    fs::remove_dir_all(folder).expect("a folder");
}

/// Without a display the app says so in one line and runs its scene headless.
/// A log as the app saves it, with what is undone, and a region that was not there at first.
const COMMANDS: &str = r#"[
    (step: 200, command: Lesion(region: "excitatory", neurons: Fraction(0.2))),
    (step: 300, command: Set(of: Region("inhibitory"), field: "neurons", value: "120")),
    (step: 300, command: AddRegion((name: "more", neurons: 30, model: LifDelta(i_e: 500.0)))),
    (step: 350, command: Set(of: Region("more"), field: "model.i_e", value: "600")),
    (step: 360, command: Set(of: Region("more"), field: "model.i_e", value: "700"), continues: true),
    (step: 400, command: Undo),
]"#;

#[test]
fn commands_of_a_log_act_in_a_run_as_they_did_in_the_app() {
    use neuropil::scene::load::{SceneFiles, SceneSource, load};
    use neuropil::session::{Session, log::read_log};
    let folder = folder("commands");
    fs::write(folder.join("log.ron"), COMMANDS).expect("a log");
    let run = ["run", "small_world", "--quiet", "--commands", "log.ron"];
    let with = |more: &[&str]| {
        let args: Vec<&str> = run.iter().chain(more).copied().collect();
        succeed(&folder, &args);
    };
    with(&["--for", "600ms", "--out", "whole"]);
    let whole = report(&folder.join("whole"));
    // The same in a session, as the app has it.
    let registry = Registry::new();
    let source = SceneSource::find("small_world").expect("a scene");
    let loaded = load(source, &[], &registry).expect("a scene");
    let log = read_log(COMMANDS, "log.ron", &registry).expect("a log");
    let files = SceneFiles::default();
    let options = BuildOptions::default();
    let mut session =
        Session::open(loaded, files, registry, options, false, &|_| {}).expect("a network");
    session.replay(log).expect("commands");
    session.seek(600).expect("steps");
    let count = session.simulation().spike_count();
    assert_eq!(whole["spike_hash"], format!("{:016x}", count.hash));
    assert_eq!(
        (&whole["commands"], &whole["spikes"]),
        (&6.into(), &count.spikes.into())
    );
    // Its results know of the network as edited.
    let neurons: Vec<u64> = (whole["network"]["regions"]
        .as_array()
        .expect("regions")
        .iter())
    .map(|r| r["neurons"].as_u64().expect("a number"))
    .collect();
    assert_eq!(neurons, [400, 120, 30]);
    let rows = rows(&folder.join("whole"));
    assert_eq!(rows.len() as u64, count.spikes);
    // A checkpoint between the commands goes on with those that are left.
    with(&[
        "--for",
        "340ms",
        "--checkpoint-every",
        "330ms",
        "--checkpoint",
        "c.neuropil",
    ]);
    succeed(
        &folder,
        &[
            "resume",
            "c.neuropil",
            "--for",
            "270ms",
            "--quiet",
            "--out",
            "resumed",
        ],
    );
    assert_eq!(
        report(&folder.join("resumed"))["spike_hash"],
        whole["spike_hash"]
    );
    // Without the log, the run is another one.
    succeed(
        &folder,
        &[
            "run",
            "small_world",
            "--for",
            "600ms",
            "--quiet",
            "--out",
            "plain",
        ],
    );
    assert_ne!(
        report(&folder.join("plain"))["spike_hash"],
        whole["spike_hash"]
    );
    // Commands after the end of the run are told.
    let early = succeed(
        &folder,
        &[
            "run",
            "small_world",
            "--for",
            "310ms",
            "--commands",
            "log.ron",
        ],
    );
    assert!(
        early.err.contains("3 commands of the log did not act"),
        "{}",
        early.err
    );
    fs::remove_dir_all(folder).expect("a folder");
}

#[test]
fn wrong_logs_are_refused_with_their_place() {
    let folder = folder("wrong-logs");
    let wrong = [
        (
            "[(step: 10, command: Lesion(region: \"excitatori\", neurons: All))]",
            &["command 1 of the log, due after step 10", "excitatory"][..],
        ),
        (
            "[(step: 10, command: Undo)]",
            &["command 1", "nothing to undo"],
        ),
        (
            "[(step: 1, command: Set(of: Region(\"excitatory\"), field: \"model.tau\", value: \"1\"))]",
            &["command 1", "model.tau"],
        ),
        ("[\n(step: -1, command: Undo)]", &["log.ron:2:8"]),
        (
            "[(step: 1, command: Leson(region: \"a\", neurons: All))]",
            &["log.ron:1:", "Lesion"],
        ),
        ("[(step: 1)]", &["log.ron:1:", "command"]),
        ("", &["log.ron"]),
    ];
    for (text, parts) in wrong {
        fs::write(folder.join("log.ron"), text).expect("a log");
        let args = [
            "run",
            "small_world",
            "--for",
            "50ms",
            "--commands",
            "log.ron",
        ];
        let said = say(&folder, &args);
        assert_eq!(said.code, Some(2), "{text}: {said:#?}");
        for part in parts {
            assert!(
                said.err.contains(part),
                "{text}: {part:?} is not in {}",
                said.err
            );
        }
    }
    let said = say(
        &folder,
        &["run", "small_world", "--commands", "nowhere.ron"],
    );
    assert!(
        said.code == Some(2) && said.err.contains("nowhere.ron"),
        "{said:#?}"
    );
    fs::remove_dir_all(folder).expect("a folder");
}

#[test]
fn without_a_display_the_app_runs_headless() {
    let folder = folder("no display");
    let scene = folder.join("cell.ron");
    std::fs::write(&scene, ONE_CELL).expect("a file");
    let output = neuropil(&folder)
        .args(["view", "cell.ron"])
        .env_remove("DISPLAY")
        .env_remove("WAYLAND_DISPLAY")
        .output()
        .expect("the program");
    let err = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{err}");
    assert!(
        err.contains("without a window, results in results"),
        "{err}"
    );
    assert!(folder.join("results/raster.png").is_file());
}

const ONE_CELL: &str = r#"Scene(title: "a cell", dt_ms: 0.1, duration_ms: 50, regions: [(name: "cell", neurons: 1, model: LifExp(i_e: 500))])"#;

/// What is wrong with a picture that is asked for is said before anything runs.
/// A display that takes connections and then nothing, as one that is going down.
#[cfg(all(target_os = "linux", feature = "view"))]
#[test]
fn a_window_that_cannot_be_opened_is_no_panic() {
    let sockets = Path::new("/tmp/.X11-unix");
    let path = sockets.join("X8731");
    let _ = fs::create_dir_all(sockets);
    let _ = fs::remove_file(&path);
    let Ok(listener) = std::os::unix::net::UnixListener::bind(&path) else {
        eprintln!("skipped: no socket can be made in {}", sockets.display());
        return;
    };
    std::thread::spawn(move || {
        // Who connects is sent away at once.
        listener.incoming().for_each(drop);
    });
    let folder = folder("no window");
    let output = neuropil(&folder)
        .args(["view", "small_world"])
        .env("DISPLAY", ":8731")
        .env_remove("WAYLAND_DISPLAY")
        .output()
        .expect("the program starts");
    let said = said(output);
    assert_eq!(said.code, Some(0), "{said:#?}");
    assert!(!said.err.contains("panicked"), "{}", said.err);
    assert!(said.err.contains("running small_world without a window"));
    assert!(folder.join("results/run.json").is_file());
    let _ = fs::remove_file(path);
    fs::remove_dir_all(folder).expect("a folder");
}

#[test]
fn wrong_pictures_are_refused() {
    let folder = folder("wrong pictures");
    for (args, expected) in [
        (["render", "cuba", "--size", "12"], "write WIDTHxHEIGHT"),
        (["render", "cuba", "--size", "9x9"], "from 16 to 8192"),
        (["render", "cuba", "--at", "soon"], "is not a time"),
        (["render", "cuba", "--frames", "0"], "0 is not in"),
    ] {
        let output = neuropil(&folder).args(args).output().expect("the program");
        let err = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{err}");
        assert!(err.contains(expected), "{args:?}: {err}");
    }
}

/// What was found before a command that cannot act is written, and the error names the command and not the file of the scene.
#[test]
fn a_command_that_cannot_act_leaves_what_was_found() {
    let folder = folder("bad command");
    let scene = r#"Scene(
    regions: [(name: "a", neurons: 5, model: PoissonSource(rate_hz: 50)), (name: "b", neurons: 5, model: LifExp())],
    projections: [(name: "p", from: "a", to: "b", rule: AllToAll, weight: 30, delay_ms: 1, plasticity: [Stdp(w_max: 60)])],
)"#;
    fs::write(folder.join("net.ron"), scene).expect("a scene");
    let commands = [
        (r#"ResetTraces("q")"#, "unknown projection \"q\""),
        (
            r#"Set(of: Projection("p"), field: "plasticity[0].w_max", value: "20")"#,
            "exclude initial weights",
        ),
        (
            r#"Set(of: Projection("p"), field: "plasticity[0].w_maxx", value: "20")"#,
            "did you mean \"w_max\"?",
        ),
    ];
    for (n, (command, words)) in commands.into_iter().enumerate() {
        let log = format!("[(step: 4000, command: {command})]");
        fs::write(folder.join("log.ron"), log).expect("a log");
        let out = folder.join(format!("out{n}"));
        let args = ["run", "net.ron", "--for", "1s", "--quiet"];
        let args = [&args[..], &["--commands", "log.ron", "--out", text(&out)]].concat();
        let said = say(&folder, &args);
        assert_ne!(said.code, Some(0), "{command}");
        let place = "command 1 of the log, due after step 4000";
        assert!(said.err.contains(place), "{command}: {}", said.err);
        assert!(said.err.contains(words), "{command}: {}", said.err);
        assert!(!said.err.contains("net.ron:"), "{command}: {}", said.err);
        let report = report(&out);
        assert_eq!(report["interrupted"], true);
        assert_eq!(report["duration_ms"], 400.0);
        assert!(report["spikes"].as_u64().expect("spikes") > 50);
    }
    fs::remove_dir_all(folder).expect("a folder");
}
