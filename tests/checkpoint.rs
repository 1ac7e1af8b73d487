//! A run that is stopped anywhere and resumed from its checkpoint, in another process and on another number of threads, is the unbroken
//! run, bit for bit. Nothing that a checkpoint file can hold makes the program panic.

mod support;

use neuropil::headless::{self, Finish, RunPlan, read_checkpoint};
use neuropil::network::propagate::SpikeCount;
use neuropil::network::synapses::Transfer;
use neuropil::prelude::*;
use neuropil::sim::columns::ColumnRegistry;
use neuropil::sim::rng::{Purpose, Random, entity_key};
use neuropil::snapshot::file::{Section, Snapshot};
use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use support::{
    Network, first_difference, folder, lanes, networks, recorded, report, say, shipped_networks,
    succeed, text, transfers,
};

/// Where the runs are stopped: ten random steps, the same on every machine.
fn random_steps(network: &Network) -> Vec<u64> {
    let mut draws = Random::new(20, entity_key(network.name), Purpose::Test).draws(0);
    let mut steps = BTreeSet::new();
    while steps.len() < 10 {
        steps.insert(1 + u64::from(draws.below(network.steps as u32 - 1)));
    }
    steps.into_iter().collect()
}

fn observed(network: &Network, threads: usize) -> Simulation {
    network.build_scene(
        &network.observed(),
        &BuildOptions {
            statistics: true,
            ..lanes(threads)
        },
    )
}

/// What must be equal at the end of an unbroken and a resumed run.
fn assert_same_state(network: &Network, what: &str, one: &mut Simulation, other: &mut Simulation) {
    let place = format!("{}, {what}", network.name);
    let hash = |s: &Simulation| (s.spike_count().spikes, s.spike_count().hash);
    assert_eq!(hash(one), hash(other), "{place}: spikes differ");
    // A store that pulls counts an event when it arrives, one that pushes when it is sent, and which it is may depend on the lanes.
    let without_count = |s: &mut Simulation| {
        let mut snapshot = s.snapshot().expect("a snapshot");
        snapshot.remove("count");
        snapshot
    };
    let (a, b) = (without_count(one), without_count(other));
    if let Some(difference) = first_difference(&a, &b) {
        panic!("{place}: {difference}");
    }
}

/// The unbroken run takes a snapshot at each of ten random steps. Another run is stopped at each of them, goes through bytes, and
/// goes on in a new simulation with another number of threads; wherever the two meet, everything that they have must be equal.
#[test]
fn a_run_resumed_anywhere_is_the_unbroken_run() {
    for network in networks() {
        let mut alone = observed(&network, 1);
        alone.run_steps(network.steps);
        let mut unbroken = observed(&network, 1);
        let mut broken = observed(&network, 2);
        let mut now = 0;
        for (i, step) in random_steps(&network).into_iter().enumerate() {
            unbroken.run_steps(step - now);
            broken.run_steps(step - now);
            now = step;
            let bytes = broken.snapshot().expect("a snapshot").to_bytes();
            drop(broken);
            let snapshot =
                Snapshot::from_bytes(&bytes).unwrap_or_else(|e| panic!("{}: {e}", network.name));
            broken = observed(&network, [1, 3, 2, 7][i % 4]);
            broken
                .restore(&snapshot)
                .unwrap_or_else(|e| panic!("{}, step {step}: {e}", network.name));
            assert_same_state(
                &network,
                &format!("resumed at step {step}"),
                &mut unbroken,
                &mut broken,
            );
        }
        unbroken.run_steps(network.steps - now);
        broken.run_steps(network.steps - now);
        assert_same_state(&network, "at the end", &mut unbroken, &mut broken);
        assert_same_state(&network, "snapshots taken", &mut alone, &mut unbroken);
        assert_eq!(
            recorded(&mut alone),
            recorded(&mut broken),
            "{}: recorded spikes",
            network.name
        );
        assert_eq!(
            alone.spike_count().spikes,
            recorded(&mut alone).len() as u64
        );
    }
}

/// The networks that are written for these tests are what they are written for.
#[test]
fn every_way_of_delivery_is_covered() {
    let of = |network: Network, threads| {
        let mut simulation = network.build(&lanes(threads));
        (transfers(&mut simulation), support::is_wide(&simulation))
    };
    assert_eq!(
        of(support::pushing(), 1),
        (vec![Transfer::Push, Transfer::Push], false)
    );
    assert_eq!(
        of(support::wide(), 1),
        (vec![Transfer::Pull, Transfer::Push], true)
    );
    assert_eq!(of(support::switching(), 1), (vec![Transfer::Pull], false));
    assert_eq!(of(support::switching(), 7), (vec![Transfer::Push], false));
    let (rich, _) = of(support::rich(), 1);
    assert!(
        rich.len() > 3 && rich.iter().all(|t| *t == Transfer::Pull),
        "{rich:?}"
    );
}

/// Spikes may be in flight for longer than the run that follows, and a run may be stopped before its first step.
#[test]
fn a_run_can_be_stopped_before_its_first_step() {
    for network in [support::rich(), support::pushing()] {
        let mut fresh = observed(&network, 1);
        let snapshot = fresh.snapshot().expect("a snapshot");
        let mut resumed = observed(&network, 2);
        resumed.restore(&snapshot).expect("it fits");
        fresh.run_steps(300);
        resumed.run_steps(300);
        assert_same_state(&network, "stopped at step 0", &mut fresh, &mut resumed);
    }
}

#[test]
fn a_snapshot_of_another_network_is_refused() {
    let snapshot = {
        let mut simulation = support::rich().build(&lanes(1));
        simulation.run_steps(50);
        simulation.snapshot().expect("a snapshot")
    };
    let refused = |network: Network| {
        let error = network
            .build(&lanes(1))
            .restore(&snapshot)
            .expect_err("another network");
        error.to_string()
    };
    assert!(
        refused(support::pushing()).contains("another scene"),
        "{}",
        refused(support::pushing())
    );
    let mut other = support::rich();
    other.scene.regions[2].neurons += 1000;
    assert!(refused(other).contains("another"), "more neurons");
    let mut other = support::rich();
    other.scene.dt_ms = 0.05;
    assert!(
        refused(other).contains("its step is 0.1 ms"),
        "another step"
    );
}

/// In a fresh process: `neuropil run` with checkpoints gives the hash of the run in this process, and `neuropil resume` of its last
/// checkpoint gives the same hash and the same files.
#[test]
fn a_resumed_process_gives_the_hash_and_the_files_of_the_unbroken_one() {
    let folder = folder("resumed-process");
    for network in shipped_networks() {
        let unbroken = support::run(&network, &lanes(1)).count;
        let at = |part: f64| {
            format!(
                "{}ms",
                (network.steps as f64 * part).round() * network.scene.dt_ms
            )
        };
        let [whole, rest] =
            ["whole", "rest"].map(|name| folder.join(format!("{}-{name}", network.name)));
        let saved = folder.join(format!("{}.saved", network.name));
        succeed(
            &folder,
            &[
                "run",
                network.name,
                "--for",
                &at(1.0),
                "--threads",
                "2",
                "--force-lanes",
                "--quiet",
                "--out",
                text(&whole),
                "--checkpoint-every",
                &at(0.37),
                "--checkpoint",
                text(&saved),
            ],
        );
        assert_eq!(hash_of(&whole), unbroken.hash, "{}: run", network.name);
        let registry = Registry::new();
        let steps = read_checkpoint(&saved, &registry)
            .expect("a checkpoint")
            .snapshot
            .u64("clock.steps")
            .expect("steps");
        let every = (network.steps as f64 * 0.37).round() as u64;
        assert_eq!(
            steps,
            2 * every,
            "{}: the last checkpoint before the end",
            network.name
        );
        succeed(
            &folder,
            &[
                "resume",
                text(&saved),
                "--threads",
                "1",
                "--quiet",
                "--out",
                text(&rest),
            ],
        );
        assert_eq!(hash_of(&rest), unbroken.hash, "{}: resume", network.name);
        assert_same_files(&whole, &rest);
    }
    std::fs::remove_dir_all(folder).expect("a folder");
}

fn hash_of(out: &Path) -> u64 {
    let report = report(out);
    let hash = report["spike_hash"].as_str().expect("a hash");
    u64::from_str_radix(hash, 16).expect("sixteen digits")
}

/// All files but run.json, which has times, are equal byte for byte.
fn assert_same_files(one: &Path, other: &Path) {
    let names = |folder: &Path| -> BTreeSet<String> {
        let entries = std::fs::read_dir(folder).expect("a folder");
        entries
            .map(|e| {
                e.expect("an entry")
                    .file_name()
                    .into_string()
                    .expect("UTF-8")
            })
            .collect()
    };
    assert_eq!(names(one), names(other), "{}", one.display());
    for name in names(one).into_iter().filter(|n| n != "run.json") {
        let read = |folder: &Path| std::fs::read(folder.join(&name)).expect("a file");
        assert!(
            read(one) == read(other),
            "{} differs from {}",
            one.join(&name).display(),
            other.join(&name).display()
        );
    }
    let without_bytes = |folder: &Path| {
        // Tables are larger for more lanes.
        let mut report = report(folder);
        report["network"]["bytes"] = serde_json::Value::Null;
        report
    };
    for key in [
        "spikes",
        "spike_hash",
        "statistics",
        "spectrum_peaks",
        "network",
        "parameters",
        "duration_ms",
        "seed",
    ] {
        assert_eq!(
            without_bytes(one)[key],
            without_bytes(other)[key],
            "{}: {key}",
            one.display()
        );
    }
}

/// A checkpoint holds the files that its scene names, and the parameters and the seed that it was run with.
#[test]
fn a_checkpoint_needs_nothing_but_itself() {
    let folder = folder("carried-files");
    let scene = support::write_rich(&folder);
    let run = |args: &[&str]| {
        let first = [
            "run", "rich.ron", "--for", "90ms", "--set", "gain=1.5", "--set", "w=20+2", "--seed",
            "77", "--quiet",
        ];
        succeed(&folder, &[&first, args].concat());
    };
    run(&["--out", "whole"]);
    run(&[
        "--out",
        "part",
        "--checkpoint-every",
        "40ms",
        "--checkpoint",
        "rich.saved",
    ]);
    std::fs::remove_file(scene).expect("the scene");
    for name in support::rich_files().keys() {
        std::fs::remove_file(folder.join(name)).expect("a file of the scene");
    }
    succeed(
        &folder,
        &["resume", "rich.saved", "--quiet", "--out", "rest"],
    );
    assert_same_files(&folder.join("whole"), &folder.join("part"));
    assert_same_files(&folder.join("whole"), &folder.join("rest"));
    std::fs::remove_dir_all(folder).expect("a folder");
}

/// A resumed run can be saved and resumed again, with and without results, and can go on for longer than it was meant to.
#[test]
fn a_resumed_run_can_be_resumed_again() {
    let folder = folder("resumed-again");
    let step = |args: &[&str]| {
        succeed(&folder, args);
    };
    step(&["run", "cuba", "--for", "60ms", "--quiet", "--out", "whole"]);
    // The first part writes results, so every spike is kept; the second does not; the third does.
    step(&[
        "run",
        "cuba",
        "--for",
        "25ms",
        "--quiet",
        "--out",
        "a",
        "--checkpoint-every",
        "20ms",
        "--checkpoint",
        "one",
    ]);
    step(&[
        "resume",
        "one",
        "--for",
        "25ms",
        "--quiet",
        "--checkpoint-every",
        "40ms",
        "--checkpoint",
        "two",
    ]);
    step(&["resume", "two", "--for", "20ms", "--quiet", "--out", "rest"]);
    assert_same_files(&folder.join("whole"), &folder.join("rest"));
    // Results can be asked for later; then they begin there.
    step(&[
        "run",
        "cuba",
        "--for",
        "40ms",
        "--quiet",
        "--checkpoint-every",
        "30ms",
        "--checkpoint",
        "three",
    ]);
    step(&[
        "resume", "three", "--for", "30ms", "--quiet", "--out", "late",
    ]);
    assert_eq!(
        hash_of(&folder.join("late")),
        hash_of(&folder.join("whole"))
    );
    let spikes =
        |out: &str| std::fs::read_to_string(folder.join(out).join("spikes.csv")).expect("spikes");
    let later: Vec<_> = spikes("whole")
        .lines()
        .skip(1)
        .filter(|l| time_of(l) > 30.0)
        .map(str::to_owned)
        .collect();
    assert!(later.len() > 100);
    assert_eq!(spikes("late").lines().skip(1).collect::<Vec<_>>(), later);
    std::fs::remove_dir_all(folder).expect("a folder");
}

fn time_of(line: &str) -> f64 {
    line.split(',')
        .next()
        .and_then(|t| t.parse().ok())
        .expect("a time")
}

/// A real checkpoint of the network with one of everything, written by the program.
fn real_checkpoint(folder: &Path) -> PathBuf {
    support::write_rich(folder);
    let run = [
        "run", "rich.ron", "--for", "31ms", "--quiet", "--out", "out",
    ];
    succeed(
        folder,
        &[
            &run[..],
            &["--checkpoint-every", "30ms", "--checkpoint", "real"],
        ]
        .concat(),
    );
    folder.join("real")
}

/// Reads a checkpoint and goes on from it for a little, as `neuropil resume` does; what it says if it is refused.
fn resume(path: &Path, out: Option<&Path>) -> Result<(), String> {
    let registry = Registry::new();
    let saved = read_checkpoint(path, &registry).map_err(|e| e.to_string())?;
    let plan = RunPlan {
        loaded: saved.loaded,
        files: saved.files,
        registry,
        options: BuildOptions {
            statistics: true,
            memory_limit: Some(1 << 30),
            ..lanes(1)
        },
        end: Finish::After(3.0),
        out: out.map(Path::to_path_buf),
        quiet: true,
        checkpoint_every_ms: None,
        // Written only if a signal stops these tests.
        checkpoint: Some(path.with_extension("again")),
        commands: saved.commands,
        resume: Some(saved.snapshot),
    };
    headless::run(plan).map_err(|e| e.to_string())
}

/// As [`resume`], but a panic is a failure that says what was done to the file.
fn resume_harmlessly(path: &Path, what: &str, out: Option<&Path>) -> Result<(), String> {
    match catch_unwind(AssertUnwindSafe(|| resume(path, out))) {
        Ok(Err(message)) => {
            assert!(
                message.len() > 20,
                "{what}: the message \"{message}\" says too little"
            );
            Err(message)
        }
        Ok(Ok(())) => Ok(()),
        Err(_) => panic!("resuming panicked: {what}"),
    }
}

#[test]
fn damaged_checkpoints_are_refused() {
    let folder = folder("damaged-checkpoints");
    let real = std::fs::read(real_checkpoint(&folder)).expect("a checkpoint");
    let path = folder.join("damaged");
    let refused = |bytes: &[u8], what: String| {
        std::fs::write(&path, bytes).expect("a file");
        assert!(
            resume_harmlessly(&path, &what, None).is_err(),
            "{what}: accepted"
        );
    };
    std::fs::write(&path, &real).expect("a file");
    assert_eq!(resume_harmlessly(&path, "nothing done", None), Ok(()));

    let mut draws = Random::new(21, 0, Purpose::Test).draws(0);
    let mut anywhere = || draws.below(real.len() as u32) as usize;
    for length in (0..60)
        .chain((0..140).map(|_| anywhere()))
        .chain([real.len() - 1])
    {
        refused(
            &real[..length],
            format!("cut to {length} of {} bytes", real.len()),
        );
    }
    for _ in 0..250 {
        let (at, bit) = (anywhere(), anywhere() % 8);
        let mut bytes = real.clone();
        bytes[at] ^= 1 << bit;
        refused(&bytes, format!("bit {bit} of byte {at} flipped"));
    }
    for _ in 0..50 {
        let (from, to) = (anywhere(), anywhere());
        let mut bytes = real.clone();
        bytes.splice(from.min(to)..from.max(to) + 1, []);
        refused(&bytes, format!("bytes {from} to {to} taken out"));
        bytes = real.clone();
        bytes.insert(from, 7);
        refused(&bytes, format!("a byte put in at {from}"));
    }
    std::fs::remove_dir_all(folder).expect("a folder");
}

/// Other values, lengths and types that a section might hold.
fn forged(section: &Section) -> Vec<(&'static str, Section)> {
    fn of<T: Copy>(
        values: &[T],
        odd: &[(&'static str, T)],
        wrap: fn(Vec<T>) -> Section,
    ) -> Vec<(&'static str, Section)> {
        let mut list = vec![("no values", wrap(Vec::new()))];
        let longer = values
            .iter()
            .copied()
            .chain(values.last().copied())
            .collect();
        list.push(("one more value", wrap(longer)));
        if let Some((_, fewer)) = values.split_last() {
            list.push(("one value fewer", wrap(fewer.to_vec())));
            list.push(("backwards", wrap(values.iter().rev().copied().collect())));
        }
        for (i, &(name, odd)) in odd.iter().enumerate() {
            list.push((name, wrap(vec![odd; values.len()])));
            if values.len() > 1 {
                let mut values = values.to_vec();
                let at = [0, values.len() - 1, values.len() / 2][i % 3];
                values[at] = odd;
                list.push((name, wrap(values)));
            }
        }
        list
    }
    match section {
        Section::U8(v) => of(v, &[("0", 0), ("255", 255)], Section::U8),
        Section::U32(v) => {
            // Columns are kept as bits.
            let odd = [
                ("0", 0),
                ("NaN", 0x7FC0_0000),
                ("the largest float", 0x7F7F_FFFF),
                ("i32::MIN", 1 << 31),
                ("u32::MAX", u32::MAX),
            ];
            of(v, &odd, Section::U32)
        }
        Section::I32(v) => of(
            v,
            &[("i32::MIN", i32::MIN), ("i32::MAX", i32::MAX)],
            Section::I32,
        ),
        Section::I64(v) => of(
            v,
            &[("i64::MIN", i64::MIN), ("i64::MAX", i64::MAX), ("1", 1)],
            Section::I64,
        ),
        Section::U64(v) => {
            let odd = [
                ("0", 0),
                ("1", 1),
                ("2^32", 1 << 32),
                ("2^53", 1 << 53),
                ("2^62", 1 << 62),
                ("u64::MAX", u64::MAX),
            ];
            of(v, &odd, Section::U64)
        }
        Section::F32(v) => of(
            v,
            &[
                ("NaN", f32::NAN),
                ("infinity", f32::INFINITY),
                ("f32::MAX", f32::MAX),
            ],
            Section::F32,
        ),
        Section::F64(v) => of(
            v,
            &[
                ("NaN", f64::NAN),
                ("0", 0.0),
                ("-1", -1.0),
                ("1e-300", 1e-300),
                ("infinity", f64::INFINITY),
            ],
            Section::F64,
        ),
        Section::Text(t) => {
            let mut list = vec![
                ("no text", Section::Text(String::new())),
                ("a zero", Section::Text("\0".into())),
            ];
            let middle = (0..=t.len() / 2)
                .rev()
                .find(|i| t.is_char_boundary(*i))
                .unwrap_or(0);
            list.push(("half the text", Section::Text(t[..middle].into())));
            list.push(("twice the text", Section::Text(format!("{t}\n{t}"))));
            list.push(("more lines", Section::Text(format!("{t}\nx=1\ny"))));
            list
        }
    }
}

/// Checksums do not guard against forgers: whatever well-formed sections hold must be refused or do no harm.
#[test]
fn forged_checkpoints_are_refused_or_harmless() {
    let folder = folder("forged-checkpoints");
    let real = Snapshot::read(real_checkpoint(&folder)).expect("a checkpoint");
    let (path, out) = (folder.join("forged"), folder.join("forged-out"));
    let (mut refused, mut accepted) = (0, 0);
    let mut count = 0;
    for (i, (name, section)) in real.iter().enumerate() {
        let foreign = Section::Text("?".into());
        let missing = [("missing", None), ("of another type", Some(foreign))];
        let forged = forged(section)
            .into_iter()
            .map(|(what, section)| (what, Some(section)));
        // Many sections are of a kind: each gets another third of what can be done to it.
        let alike = name.starts_with("region.") || name.starts_with("probe.spikes.");
        let mine = |at: &usize| !alike || at % 3 == i % 3;
        for (what, section) in forged
            .chain(missing)
            .enumerate()
            .filter(|f| mine(&f.0))
            .map(|f| f.1)
        {
            let mut snapshot = real.clone();
            snapshot.remove(name);
            if let Some(section) = section {
                snapshot.put(name, section).expect("room");
            }
            snapshot.write(&path).expect("a file");
            // Results are made of what probes have kept; making them takes time.
            count += 1;
            let out = (name.starts_with("probe.") && count % 5 == 0).then_some(out.as_path());
            match resume_harmlessly(&path, &format!("{name}: {what}"), out) {
                Ok(()) => accepted += 1,
                Err(_) => refused += 1,
            }
        }
    }
    assert!(
        refused > 200 && accepted > 100,
        "{refused} refused, {accepted} accepted: neither may be all"
    );
    std::fs::remove_dir_all(folder).expect("a folder");
}

/// A forged scene cannot make the program take more memory than there is.
#[test]
fn a_forged_scene_is_checked_like_any_other() {
    let folder = folder("forged-scene");
    let real = Snapshot::read(real_checkpoint(&folder)).expect("a checkpoint");
    let path = folder.join("forged");
    let text = real.text("scene.text").expect("a scene").to_owned();
    let with = |from: &str, to: &str| {
        assert!(text.contains(from), "{from}");
        let mut snapshot = real.clone();
        snapshot.remove("scene.text");
        snapshot
            .put("scene.text", text.replacen(from, to, 1))
            .expect("room");
        snapshot.write(&path).expect("a file");
        resume_harmlessly(&path, to, None).expect_err("a forged scene")
    };
    let large = with("neurons: 100", "neurons: 900000000");
    assert!(large.contains("memory are free"), "{large}");
    assert!(
        with("neurons: 150", "neurons: 151").contains("the snapshot"),
        "more neurons"
    );
    assert!(
        with("AdEx(i_e: 500)", "LifAdaptive()").contains("no section"),
        "another model"
    );
    assert!(
        with("connections.csv", "elsewhere.csv").contains("elsewhere.csv"),
        "another file"
    );
    assert!(
        with("dt_ms: 0.1", "dt_ms: 0.2").contains("0.2"),
        "another step"
    );
    std::fs::remove_dir_all(folder).expect("a folder");
}

/// Numbers that are none are not looked for in a checkpoint, but the run fails when it finds them.
#[test]
fn a_forged_state_that_is_not_finite_ends_the_run() {
    let folder = folder("forged-nan");
    let mut snapshot = Snapshot::read(real_checkpoint(&folder)).expect("a checkpoint");
    let name = "region.2.column.v";
    let mut v = snapshot.take::<u32>(name).expect("a column");
    v[7] = f32::NAN.to_bits();
    snapshot.put(name, v).expect("room");
    snapshot.write(folder.join("forged")).expect("a file");
    let said = say(&folder, &["resume", "forged", "--for", "200ms"]);
    assert_eq!(said.code, Some(1), "{said:#?}");
    assert!(
        said.err
            .contains("column v of region \"cells\" is no longer finite"),
        "{}",
        said.err
    );
    std::fs::remove_dir_all(folder).expect("a folder");
}

/// The exit code of the program is 2 and it says what is wrong, whatever is wrong with the file.
#[test]
fn unusable_checkpoints_are_the_users_mistake() {
    let folder = folder("unusable-checkpoints");
    let path = real_checkpoint(&folder);
    let real = std::fs::read(&path).expect("a checkpoint");
    let mut flipped = real.clone();
    flipped[real.len() / 2] ^= 4;
    let mut newer = real.clone();
    newer[8] = 200;
    let checksum = 16 + newer[12] as usize;
    let sum = crc32fast::hash(&newer[..checksum]);
    newer[checksum..checksum + 4].copy_from_slice(&sum.to_le_bytes());
    let mut other = Snapshot::read(&path).expect("a checkpoint");
    let steps = other.u64("clock.steps").expect("steps");
    other.remove("clock.steps");
    other.put("clock.steps", steps + 12_345).expect("room");
    let mut bare = Snapshot::new();
    bare.put("clock.steps", 5u64).expect("room");
    for (name, bytes, expected) in [
        ("cut", real[..real.len() - 5].to_vec(), "cut short"),
        ("flipped", flipped, "damaged"),
        ("newer", newer, "reads up to format 1"),
        ("empty", Vec::new(), "it is empty"),
        (
            "text",
            b"time_ms,region,neuron\n".to_vec(),
            "it starts with the text",
        ),
        ("misfit", other.to_bytes(), "does not fit its scene"),
        ("bare", bare.to_bytes(), "has no section \"scene.settings\""),
    ] {
        std::fs::write(folder.join(name), bytes).expect("a file");
        let said = say(&folder, &["resume", name]);
        assert_eq!(said.code, Some(2), "{name}: {said:#?}");
        assert!(
            said.err.starts_with("error: ") && said.err.contains(expected),
            "{name}: {}",
            said.err
        );
        assert_eq!(said.out, "", "{name}");
    }
    for (name, expected) in [("nowhere", "No such file"), (".", "it is a folder")] {
        let said = say(&folder, &["resume", name]);
        assert_eq!(said.code, Some(2), "{name}: {said:#?}");
        assert!(said.err.contains(expected), "{name}: {}", said.err);
    }
    std::fs::remove_dir_all(folder).expect("a folder");
}

/// Components and resources that a step changes, and that a snapshot keeps.
const SAVED: &[&str] = &[
    "neuropil::sim::clock::Clock",
    "neuropil::network::propagate::SpikeCount",
    "neuropil::network::history::SpikeHistory",
    "neuropil::network::probe::SpikeProbe",
    "neuropil::network::probe::RateProbe",
    "neuropil::network::probe::ColumnProbe",
    "neuropil::network::probe::StatisticsProbe",
    "neuropil::network::plastic::PlasticSynapses",
    "neuropil::network::weight_probe::WeightProbe",
    "neuropil::plasticity::executor::Learning<",
    "neuropil::plasticity::exact::ExactRule",
    "neuropil::neurons::srm::region::SrmRegion",
    "neuropil::plasticity::upkeep::Keepers",
    "neuropil::plasticity::intrinsic::IntrinsicCurrent",
    "neuropil::synapses::short_term::ShortTerm",
    "neuropil::synapses::response::respond::Responding",
    "neuropil::modulation::pool::Modulator",
    "neuropil::modulation::probe::ModulatorProbe",
    "neuropil::modulation::rewarder::Coincidences",
    // Columns: everything that is registered is kept; `every_column_is_registered` counts them.
    "neuropil::sim::columns::",
];

/// What follows from the scene and its seed, or is made anew in every step.
const REBUILT: &[&str] = &[
    // Sums of input: zero between steps, or made of the spikes in flight.
    "neuropil::network::slots::InputSlots",
    // Found anew when the state is next looked at.
    "neuropil::network::probe::Health",
    // Filled by `Integrate` before anything reads it.
    "neuropil::network::region::Spikes",
    "neuropil::network::region::Offsets",
    "neuropil::network::region::Region",
    "neuropil::network::region::Positions",
    "neuropil::network::region::InputMap",
    "neuropil::network::synapses::SynapseStore",
    "neuropil::network::projection::Connect",
    "neuropil::network::projection::Provenance",
    "neuropil::network::projection::Synapses",
    "neuropil::network::projection::ProjectsFrom",
    "neuropil::network::projection::ProjectsTo",
    "neuropil::network::projection::Outgoing",
    "neuropil::network::projection::Incoming",
    "neuropil::network::stimulus::Stimulus",
    "neuropil::network::stimulus::StimulusOrder",
    // Filled by `Encode` before anything reads it.
    "neuropil::network::stimulus::poisson::BackgroundInput",
    "neuropil::neurons::Derived<",
    // Parameters of rules and what can be done with them.
    "neuropil::plasticity::stdp::Stdp",
    "neuropil::plasticity::clopath::Clopath",
    "neuropil::plasticity::settable::Settable",
    "neuropil::plasticity::slowing::LearningRateDecay",
    "neuropil::modulation::effects::",
    "neuropil::plasticity::triplet::TripletStdp",
    "neuropil::plasticity::inhibitory::InhibitoryStdp",
    "neuropil::plasticity::dopamine::DopamineStdp",
    "neuropil::plasticity::mstdp::Mstdp",
    "neuropil::plasticity::mstdp::Mstdpet",
    "neuropil::plasticity::oja::Oja",
    "neuropil::plasticity::response::ResponseStdp",
    "neuropil::plasticity::bcm::Bcm",
    "neuropil::plasticity::budget::Budget",
    "neuropil::plasticity::convergent::ConvergentDecay",
    "neuropil::plasticity::homeostatic::HomeostaticScaling",
    "neuropil::plasticity::intrinsic::IntrinsicPlasticity",
    "neuropil::plasticity::executor::functions::RuleFunctions",
    "neuropil::plasticity::executor::ModulatedBy",
    "neuropil::synapses::short_term::TsodyksMarkram",
    "neuropil::synapses::response::Responses",
    "neuropil::neurons::poisson_source::PoissonPlan",
    "neuropil::neurons::spike_source::SpikePlan",
    "neuropil::neurons::hidden_patterns::PatternPlan",
    "neuropil::sim::clock::Pacing",
    "neuropil::sim::columns::ColumnRegistry",
    "neuropil::sim::rng::Seed",
    "neuropil::sim::simd::SimdLevel",
    "neuropil::sim::workers::Workers",
    // Bevy's own.
    "bevy_",
];

/// The types of all components, those that are resources too, of all entities of a simulation.
fn component_types(simulation: &Simulation) -> BTreeSet<String> {
    let world = simulation.world();
    let archetypes = world.archetypes().iter().filter(|a| !a.is_empty());
    let ids: BTreeSet<_> = archetypes.flat_map(|a| a.components().to_vec()).collect();
    ids.into_iter()
        .map(|id| {
            world
                .components()
                .get_name(id)
                .expect("a component")
                .to_string()
        })
        .collect()
}

/// Those that are in neither list, models of regions apart.
fn forgotten(simulation: &Simulation) -> Vec<String> {
    let types = simulation
        .world()
        .resource::<bevy::ecs::reflect::AppTypeRegistry>()
        .read();
    let is_model = |name: &str| {
        let registration = types.get_with_type_path(name);
        registration.is_some_and(|r| r.data::<neuropil::neurons::ReflectNeuronModel>().is_some())
    };
    let listed = |name: &str| {
        SAVED
            .iter()
            .chain(REBUILT)
            .any(|known| match known.strip_suffix(['<', ':', '_']) {
                Some(_) => name.starts_with(known),
                None => name == *known,
            })
    };
    component_types(simulation)
        .into_iter()
        .filter(|name| !listed(name) && !is_model(name))
        .collect()
}

#[test]
fn no_component_forgets_the_snapshot() {
    let mut seen = BTreeSet::new();
    for network in networks() {
        let mut simulation = observed(&network, 2);
        simulation.run_steps(20);
        let forgotten = forgotten(&simulation);
        assert!(
            forgotten.is_empty(),
            "{}: {forgotten:?} are components or resources of a simulation that tests/checkpoint.rs does not know.\n\
             If a step changes one, a resumed run goes wrong unless Simulation::snapshot keeps it and Simulation::restore puts it back \
             (src/snapshot/mod.rs): do that and add it to SAVED. If it follows from the scene and its seed, add it to REBUILT.",
            network.name
        );
        seen.extend(component_types(&simulation));
    }
    // The lists name nothing that is gone.
    for known in SAVED.iter().chain(REBUILT) {
        assert!(
            seen.iter().any(|name| name.starts_with(known)),
            "{known} is in a list, but no network has it"
        );
    }
}

/// The walk finds what it should.
#[test]
fn an_unknown_component_is_found() {
    #[derive(bevy::prelude::Component)]
    struct Trace;
    #[derive(bevy::prelude::Resource)]
    struct Dopamine;
    let mut simulation = support::rich().build(&lanes(1));
    assert_eq!(forgotten(&simulation), Vec::<String>::new());
    simulation.world_mut().spawn(Trace);
    simulation.world_mut().insert_resource(Dopamine);
    let found = forgotten(&simulation);
    assert_eq!(found.len(), 2, "{found:?}");
    assert!(
        found[0].ends_with("::Dopamine") && found[1].ends_with("::Trace"),
        "{found:?}"
    );
}

/// A state column that does not register its type is not in the snapshot.
#[test]
fn every_column_is_registered() {
    for network in networks() {
        let mut simulation = network.build(&lanes(1));
        let registry = simulation.world().resource::<ColumnRegistry>().clone();
        let snapshot = simulation.snapshot().expect("a snapshot");
        for region in &network.scene.regions {
            let entity = simulation.region(&region.name).expect("a region");
            let entity = simulation.world().entity(entity);
            let archetype = entity.archetype().components().to_vec();
            let name = |id| {
                simulation
                    .world()
                    .components()
                    .get_name(id)
                    .expect("a component")
                    .to_string()
            };
            let present = archetype
                .into_iter()
                .map(name)
                .filter(|n| n.starts_with("neuropil::sim::columns::"))
                .count();
            let registered = registry.iter().filter(|c| (c.present)(entity)).count();
            assert_eq!(
                present, registered,
                "{}: a column of {} is not registered",
                network.name, region.name
            );
            let index = entity
                .get::<neuropil::network::region::Region>()
                .expect("a region")
                .index;
            let kept = snapshot
                .iter()
                .filter(|(n, _)| n.starts_with(&format!("region.{index}.column.")))
                .count();
            assert_eq!(
                present, kept,
                "{}: a column of {} is not in the snapshot",
                network.name, region.name
            );
        }
    }
}

/// Restoring is not a no-op: what is restored differs from what was built.
#[test]
fn restoring_changes_what_was_built() {
    let network = support::rich();
    let mut simulation = observed(&network, 1);
    simulation.run_steps(100);
    let mut fresh = observed(&network, 1);
    let before = fresh.snapshot().expect("a snapshot");
    let after = simulation.snapshot().expect("a snapshot");
    assert_ne!(before, after);
    fresh.restore(&after).expect("it fits");
    assert_eq!(fresh.snapshot().expect("a snapshot"), after);
    assert_ne!(fresh.spike_count(), SpikeCount::default());
}
