//! `neuropil experiment` as a user meets it: the list, the protocol, a run with its files, wrong input, and an interruption.

mod support;

use neuropil::experiment::EXPERIMENTS;
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};
use support::{folder, neuropil, said, say, succeed, text};

const NAME: &str = "izhikevich2003_rhythm";

/// Every file of a folder by name.
fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    fs::read_dir(folder)
        .expect("a folder")
        .map(|entry| {
            let path = entry.expect("an entry").path();
            let name = path.file_name().expect("a name").to_string_lossy();
            (name.into_owned(), fs::read(&path).expect("a file"))
        })
        .collect()
}

fn json(bytes: &[u8]) -> serde_json::Value {
    serde_json::from_slice(bytes).expect("JSON")
}

#[test]
fn experiments_are_listed_with_their_sources_and_described() {
    let folder = folder("experiment-list");
    let list = succeed(&folder, &["experiment"]);
    for experiment in EXPERIMENTS {
        for part in [experiment.name, experiment.title, experiment.source.doi] {
            assert!(list.out.contains(part), "{part}: {}", list.out);
        }
        let about = succeed(&folder, &["experiment", experiment.name, "--about"]);
        assert!(
            about.out.contains(experiment.protocol.trim()),
            "{}",
            about.out
        );
        for condition in experiment.conditions {
            assert!(about.out.contains(condition.meaning), "{}", about.out);
            for claim in condition.claims {
                assert!(about.out.contains(claim.reference), "{}", about.out);
            }
        }
        for parameter in experiment.parameters {
            assert!(about.out.contains(parameter.meaning), "{}", about.out);
        }
    }
    assert_eq!(files(&folder).len(), 0, "nothing is run");
    fs::remove_dir_all(folder).expect("a folder");
}

#[test]
fn wrong_input_names_what_is_known() {
    let folder = folder("experiment-wrong");
    fs::write(folder.join("file"), "mine").expect("a file");
    for (args, expected) in [
        (
            &["izhikevich2003_rythm"][..],
            "did you mean \"izhikevich2003_rhythm\"?",
        ),
        (&["nothing"], "unknown experiment \"nothing\"; known: "),
        (
            &[NAME, "--set", "duratoin_s=3"],
            "did you mean \"duration_s\"?",
        ),
        (
            &[NAME, "--set", "duration_s=0"],
            "allowed is from 1 to 1000 (s)",
        ),
        (
            &[NAME, "--set", "duration_s=long"],
            "\"long\" is not a number",
        ),
        (&[NAME, "--set", "duration_s"], "NAME=VALUE"),
        (&[NAME, "--only", "netwrk"], "did you mean \"network\"?"),
        (&[NAME, "--runs", "0"], "--runs"),
        (&[NAME, "--threads", "0"], "--threads"),
        (&[NAME, "--seed", "18446744073709551615"], "--seed"),
        (&[NAME, "--out", "file"], "file"),
        (&["--runs", "3"], "<NAME>"),
    ] {
        let said = say(&folder, &[&["experiment"], args].concat());
        assert_eq!(said.code, Some(2), "{args:?}: {said:#?}");
        assert!(
            said.err.starts_with("error: ") && said.err.contains(expected),
            "{args:?} says {:?}, not {expected:?}",
            said.err
        );
        assert_eq!(said.out, "", "{args:?}");
    }
    assert_eq!(files(&folder).len(), 1, "nothing is left behind");
    fs::remove_dir_all(folder).expect("a folder");
}

/// All files but the timings are equal, whatever runs at once; the command in the report gives them again.
#[test]
fn files_do_not_depend_on_threads_and_repeat() {
    let folder = folder("experiment-threads");
    let run = |name: &str, threads: &str| {
        let out = folder.join(name);
        let args = ["experiment", NAME, "--short", "--seed", "7", "--runs", "5"];
        let rest = [
            "--threads",
            threads,
            "--set",
            "coupling=0.8",
            "--out",
            text(&out),
        ];
        let said = succeed(&folder, &[&args[..], &rest].concat());
        assert_eq!(said.err, "", "no progress where nobody watches");
        (files(&out), said.out)
    };
    let (one, printed) = run("one", "1");
    for (name, threads) in [("three", "3"), ("sixteen", "16")] {
        let (many, _) = run(name, threads);
        let names = |files: &BTreeMap<String, Vec<u8>>| files.keys().cloned().collect::<Vec<_>>();
        assert_eq!(names(&one), names(&many));
        for (file, bytes) in &one {
            if file != "report.json" {
                assert!(bytes == &many[file], "{file} depends on threads");
            }
        }
        let same = |files: &BTreeMap<String, Vec<u8>>| {
            let mut report = json(&files["report.json"]);
            for key in ["threads", "timings"] {
                report.as_object_mut().expect("an object").remove(key);
            }
            report
        };
        assert_eq!(same(&one), same(&many));
    }

    // What is promised is there.
    let report = json(&one["report.json"]);
    let mut promised: Vec<String> = report["files"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|f| f.as_str().expect("a name").to_owned())
        .collect();
    promised.push("report.json".into());
    promised.sort();
    assert_eq!(promised, one.keys().cloned().collect::<Vec<_>>());
    for (name, start) in [
        ("overview.png", &b"\x89PNG"[..]),
        ("report.md", b"# Alpha and gamma"),
    ] {
        assert!(one[name].starts_with(start), "{name}");
    }
    let rows = String::from_utf8(one["runs.csv"].clone()).expect("text");
    assert_eq!(rows.lines().count(), 1 + 2 * 5);
    assert!(
        rows.starts_with("condition,seed,success,rate_e (Hz),"),
        "{rows}"
    );
    assert!(
        rows.contains("\nnetwork,7,") && rows.contains("\nuncoupled,11,"),
        "{rows}"
    );
    assert_eq!(report["runs"].as_array().map(Vec::len), Some(10));
    assert_eq!(report["seeds"], serde_json::json!([7, 11]));
    assert_eq!(report["settings"]["coupling"], 0.8);
    assert_eq!(report["conditions"][1]["settings"]["coupling"], 0.0);
    assert_eq!(report["conditions"][1]["success"]["successes"], 0);
    // Whatever is not the protocol is said, on paper and on the screen.
    let paper = String::from_utf8(one["report.md"].clone()).expect("text");
    for said in [&paper, &printed] {
        assert!(
            said.contains("short version") && said.contains("coupling is 0.8, not 1"),
            "{said}"
        );
    }

    // The means are those of the rows.
    let rates: Vec<f64> = rows
        .lines()
        .filter(|row| row.starts_with("network,"))
        .map(|row| {
            row.split(',')
                .nth(3)
                .expect("a rate")
                .parse()
                .expect("a number")
        })
        .collect();
    let mean = report["conditions"][0]["measures"]["rate_e"]["over_runs"]["mean"].as_f64();
    assert!((mean.expect("a mean") - rates.iter().sum::<f64>() / 5.0).abs() < 1e-12);

    let command = report["command"].as_str().expect("a command");
    assert!(paper.contains(command));
    let again = folder.join("again");
    let mut args: Vec<&str> = command.split(' ').skip(1).collect();
    args.extend(["--quiet", "--out", text(&again)]);
    assert_eq!(succeed(&folder, &args).out, "");
    assert!(files(&again)["runs.csv"] == one["runs.csv"]);
    fs::remove_dir_all(folder).expect("a folder");
}

#[test]
fn only_some_conditions_run_if_so_asked() {
    let folder = folder("experiment-only");
    let said = succeed(&folder, &["experiment", NAME, "--short", "--only", "unc*"]);
    assert!(said.out.contains("uncoupled  control"), "{}", said.out);
    assert!(
        said.out.contains("Conditions left out: network."),
        "{}",
        said.out
    );
    assert_eq!(files(&folder).len(), 0, "without --out nothing is written");
    fs::remove_dir_all(folder).expect("a folder");
}

/// What is finished is reported, as a beginning; what is not, makes no verdict.
#[cfg(unix)]
#[test]
fn an_interrupted_experiment_reports_what_is_finished() {
    let folder = folder("experiment-interrupted");
    let out = folder.join("out");
    let mut command = neuropil(&folder);
    command.args([
        "experiment",
        NAME,
        "--short",
        "--runs",
        "200000",
        "--threads",
        "2",
    ]);
    command.args(["--out", text(&out)]);
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let child = command.spawn().expect("the program starts");
    let begun = Instant::now();
    while !out.exists() {
        assert!(
            begun.elapsed() < Duration::from_secs(60),
            "it does not begin"
        );
        std::thread::sleep(Duration::from_millis(5));
    }
    std::thread::sleep(Duration::from_secs(2));
    // SAFETY: it only sends a signal, to a child of this process that has not been waited for.
    assert_eq!(unsafe { libc::kill(child.id() as i32, libc::SIGINT) }, 0);
    let said = said(child.wait_with_output().expect("the program ends"));
    assert_eq!(said.code, Some(1), "{said:#?}");
    assert!(said.err.starts_with("error: interrupted: "), "{}", said.err);
    assert!(said.out.contains("Interrupted: "), "{}", said.out);
    let report = json(&files(&out)["report.json"]);
    assert_eq!(report["interrupted"], true);
    let finished = report["conditions"][0]["finished"]
        .as_u64()
        .expect("a number");
    let left = report["conditions"][0]["not_run"]
        .as_u64()
        .expect("a number");
    assert!(
        finished > 0 && finished + left == 200_000,
        "{finished} and {left}"
    );
    for claim in report["conditions"][0]["claims"]
        .as_array()
        .expect("claims")
    {
        assert_eq!(claim["verdict"], "undecided", "{claim}");
    }
    fs::remove_dir_all(folder).expect("a folder");
}
