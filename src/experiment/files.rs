//! The files of `--out`.
//!
//! | file | holds |
//! |---|---|
//! | `report.md` | source, protocol, command line, tables, verdicts, pictures: for people |
//! | `report.json` | everything, for programs; written last |
//! | `runs.csv` | one row per run: condition, seed, success, measures, error |
//! | `series_CONDITION_NAME.csv` | a series of all runs that have it, as seed, x, y |
//! | `matrix_CONDITION_NAME_SEED.npy` | a matrix of one run |
//! | `overview.png` and others | pictures |
//!
//! Nothing but `threads`, `machine` and `timings` in `report.json` depends on the machine or on the number of threads.

use super::contract::{Condition, Criterion, Experiment};
use super::pictures::{Pictures, overview};
use super::report::{ExperimentReport, Timings};
use super::results::{ConditionResults, End, Results};
use super::runner::said_by;
use super::tables::{self, Table};
use crate::files::whole::{FileError, write_whole};
use crate::results::csv::cell;
use crate::results::npy;
use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

/// Writes everything into a folder that exists. What could not be drawn is left out and said.
///
/// # Errors
/// The file that could not be written.
pub(super) fn write(
    results: &Results,
    folder: &Path,
    threads: usize,
    timings: Timings,
) -> Result<Option<String>, FileError> {
    let mut files = Vec::new();
    let mut put = |name: String, text: &str| {
        let outcome = write_whole(folder.join(&name), |out| out.write_all(text.as_bytes()));
        files.push(name);
        outcome
    };
    put("runs.csv".into(), &runs_csv(results))?;
    for condition in &results.conditions {
        for (name, text) in series_csv(condition) {
            put(
                format!("series_{}_{name}.csv", condition.condition.name),
                &text,
            )?;
        }
    }
    for condition in &results.conditions {
        for (seed, outcome) in condition.outcomes() {
            for matrix in outcome.all_matrices() {
                let name = format!(
                    "matrix_{}_{}_{seed}.npy",
                    condition.condition.name, matrix.name
                );
                npy::write_matrix(folder.join(&name), matrix.columns, &matrix.values)?;
                files.push(name);
            }
        }
    }
    let (pictures, trouble) = draw(results);
    let mut names = Vec::new();
    for (name, canvas) in pictures.iter() {
        let name = format!("{name}.png");
        write_whole(folder.join(&name), |out| out.write_all(&canvas.png()?))?;
        names.push(name);
    }
    files.extend(names.iter().cloned());
    let text = markdown(results, &names, &files);
    write_whole(folder.join("report.md"), |out| {
        out.write_all(text.as_bytes())
    })?;
    files.push("report.md".into());
    let report = ExperimentReport::new(results, files, threads, timings);
    write_whole(folder.join("report.json"), |out| {
        out.write_all(report.to_json().as_bytes())
    })?;
    Ok(trouble)
}

/// The overview and what the experiment draws; a bug in its drawing costs its pictures only.
fn draw(results: &Results) -> (Pictures, Option<String>) {
    let mut pictures = Pictures::default();
    pictures.figure("overview", &overview(results));
    let Some(own) = results.plan.experiment.draw else {
        return (pictures, None);
    };
    let drawn = catch_unwind(AssertUnwindSafe(|| {
        let mut drawn = Pictures::default();
        own(results, &mut drawn);
        drawn
    }));
    match drawn {
        Ok(drawn) => {
            for (name, canvas) in drawn.iter() {
                pictures.canvas(name, canvas.clone());
            }
            (pictures, None)
        }
        Err(panic) => {
            let reason = format!("a bug in drawing: {}", said_by(&*panic));
            (pictures, Some(reason))
        }
    }
}

fn runs_csv(results: &Results) -> String {
    let experiment = results.plan.experiment;
    let mut text = "condition,seed".to_owned();
    if experiment.success.is_some() {
        text += ",success";
    }
    for measure in experiment.measures {
        text += &match measure.unit {
            "" => format!(",{}", cell(measure.name)),
            unit => format!(",{}", cell(&format!("{} ({unit})", measure.name))),
        };
    }
    text += ",error\n";
    for condition in &results.conditions {
        for run in condition.runs.iter().filter(|run| run.end != End::NotRun) {
            text += &format!("{},{}", condition.condition.name, run.seed);
            let (outcome, error) = match &run.end {
                End::Finished(outcome) => (Some(outcome), ""),
                End::Failed(reason) => (None, reason.as_str()),
                End::NotRun => (None, ""),
            };
            if experiment.success.is_some() {
                let success = outcome.and_then(super::Outcome::succeeded);
                text += success.map_or(",", |s| if s { ",1" } else { ",0" });
            }
            for measure in experiment.measures {
                text.push(',');
                if let Some(value) = outcome.and_then(|o| o.get(measure.name)) {
                    text += &value.to_string();
                }
            }
            text += &format!(",{}\n", cell(error));
        }
    }
    text
}

/// Every series of a condition: its name, and the table of all runs that have it.
fn series_csv(condition: &ConditionResults) -> Vec<(&'static str, String)> {
    let names: BTreeSet<&'static str> = condition
        .outcomes()
        .flat_map(|(_, o)| o.all_series().iter().map(|s| s.name))
        .collect();
    let table = |name| {
        let mut text = String::new();
        for (seed, outcome) in condition.outcomes() {
            for series in outcome.all_series().iter().filter(|s| s.name == name) {
                if text.is_empty() {
                    let (x, y) = (series.x.to_string(), series.y.to_string());
                    text = format!("seed,{},{}\n", cell(&x), cell(&y));
                }
                for (x, y) in &series.points {
                    text += &format!("{seed},{x},{y}\n");
                }
            }
        }
        (name, text)
    };
    names.into_iter().map(table).collect()
}

fn markdown(results: &Results, pictures: &[String], files: &[String]) -> String {
    let (plan, experiment) = (&results.plan, results.plan.experiment);
    let source = experiment.source;
    let mut text = format!(
        "# {}\n\n**{}.** Neuropil {}, {} runs of each condition, seeds {} to {}.\n\n",
        experiment.title,
        tables::score(results),
        env!("CARGO_PKG_VERSION"),
        plan.runs,
        plan.first_seed,
        plan.last_seed()
    );
    for reservation in tables::reservations(results) {
        text += &format!("> - {reservation}\n");
    }
    text += &format!(
        "\nSource: {}, [doi:{}](https://doi.org/{}).\n\nRepeat it:\n\n```sh\n{}\n```\n\n## Verdict\n\n",
        source.citation,
        source.doi,
        source.doi,
        plan.command()
    );
    for condition in &results.conditions {
        for (judgement, reference) in tables::judgements(experiment, condition) {
            let (verdict, rest) = judgement
                .words
                .split_once(':')
                .unwrap_or((&judgement.words, ""));
            text += &format!(
                "- `{}`: **{verdict}**:{rest}. Reference: {reference}.\n",
                condition.condition.name
            );
        }
    }
    text += &format!(
        "\n## Results\n\n{}\n{}\n",
        tables::conditions(results).markdown(),
        tables::measures(results, true).markdown()
    );
    for name in pictures {
        let label = name.trim_end_matches(".png");
        text += &format!("![{label}]({name})\n\n");
    }
    text += &format!("## Protocol\n\n{}\n\n", experiment.protocol.trim());
    if let Some(success) = experiment.success {
        text += &format!("A run is a success if {success}.\n\n");
    }
    text += &format!("{}\n", conditions_table(results).markdown());
    text += &format!("{}\n", measures_table(experiment).markdown());
    if !experiment.parameters.is_empty() {
        text += &format!("{}\n", parameters_table(results).markdown());
    }
    if results.failures() > 0 {
        text += "## Runs that failed\n\n";
        for condition in &results.conditions {
            for (seed, reason) in condition.failures() {
                let reason = reason.split_whitespace().collect::<Vec<_>>().join(" ");
                text += &format!("- `{}`, seed {seed}: {reason}\n", condition.condition.name);
            }
        }
        text.push('\n');
    }
    let files: Vec<String> = files.iter().map(|f| format!("`{f}`")).collect();
    text += &format!("Data: {}, `report.json`.\n", files.join(", "));
    text
}

fn conditions_table(results: &Results) -> Table {
    let mut table = Table::new(4, &["condition", "role", "what is done", "it fixes"]);
    for condition in &results.conditions {
        table.push(condition_row(condition.condition));
    }
    table
}

/// Name, role, meaning and fixed parameters.
pub(super) fn condition_row(condition: &Condition) -> Vec<String> {
    let fixed: Vec<String> = (condition.settings.iter())
        .map(|(name, value)| format!("{name} = {value}"))
        .collect();
    vec![
        condition.name.into(),
        condition.role.name().into(),
        condition.meaning.into(),
        fixed.join(", "),
    ]
}

/// Name, unit and meaning of every measure.
pub(super) fn measures_table(experiment: &Experiment) -> Table {
    let mut table = Table::new(3, &["measure", "unit", "what it is"]);
    for measure in experiment.measures {
        table.push(
            [measure.name, measure.unit, measure.meaning]
                .map(str::to_owned)
                .into(),
        );
    }
    table
}

fn parameters_table(results: &Results) -> Table {
    let header = ["parameter", "unit", "what it is", "published", "here"];
    let mut table = Table::new(3, &header);
    for p in results.plan.experiment.parameters {
        let here = results.plan.settings.get(p.name).unwrap_or(p.default);
        table.push(vec![
            p.name.into(),
            p.unit.into(),
            p.meaning.into(),
            p.default.to_string(),
            here.to_string(),
        ]);
    }
    table
}

/// What a claim asks for, such as `mean rate_e: 7.12 to 7.41 Hz`.
pub(super) fn criterion_text(experiment: &Experiment, criterion: Criterion) -> String {
    use super::verdict::{percent, with_unit};
    match criterion {
        Criterion::Success(rate) => {
            format!(
                "the 95 % interval of the success rate reaches {}",
                percent(rate)
            )
        }
        Criterion::SuccessAtMost(rate) => format!(
            "the 95 % interval of the success rate reaches down to {}",
            percent(rate)
        ),
        Criterion::Mean(name, bound) => format!(
            "mean {name}: {}",
            with_unit(experiment, name, bound.to_string())
        ),
        Criterion::EveryRun(name, bound) => format!(
            "{name} in every run: {}",
            with_unit(experiment, name, bound.to_string())
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::super::outcome::{Matrix, Outcome, Series};
    use super::super::results::Plan;
    use super::super::runner;
    use super::super::testing::TOSS;
    use super::*;
    use crate::files::whole::TestFolder;
    use std::sync::atomic::AtomicBool;

    /// One run fails, the others keep a series and a matrix, and the drawing has a bug.
    const ROUGH: Experiment = Experiment {
        run: |run| match run.seed() {
            2 => Err("it fell,\nand \"broke\"".into()),
            seed => Ok(Outcome::new()
                .measure("heads", 0.1 * seed as f64)
                .success(false)
                .series(Series::new(
                    "curve",
                    ("time", "s"),
                    ("v", "mV"),
                    vec![(0.5, seed as f64)],
                ))
                .matrix(Matrix::new("weights", ("w", "nS"), 2, vec![seed as f32; 6]))),
        },
        draw: Some(|_, _| panic!("on purpose: this test checks what a bug in drawing costs")),
        ..TOSS
    };

    #[test]
    fn files_hold_every_run_and_survive_failures() {
        let folder = TestFolder::new("experiment-files");
        let plan = Plan::new(&ROUGH, 3);
        let go = AtomicBool::new(false);
        let results = runner::run(&plan, 2, &go, &mut |_| {}, &mut |_, _, _| {});
        let path = folder.path("");
        let trouble = write(&results, &path, 2, Timings::default()).expect("files");
        assert!(trouble.is_some_and(|t| t.contains("on purpose")));
        let text = |name: &str| std::fs::read_to_string(folder.path(name)).expect("a file");
        assert_eq!(
            text("runs.csv").lines().take(5).collect::<Vec<_>>(),
            [
                "condition,seed,success,heads (%),error",
                "biased,1,0,0.1,",
                "biased,2,,,\"it fell,",
                "and \"\"broke\"\"\"",
                "biased,3,0,0.30000000000000004,",
            ]
        );
        assert_eq!(
            text("series_fair_curve.csv"),
            "seed,time (s),v (mV)\n1,0.5,1\n3,0.5,3\n"
        );
        let (shape, values) =
            npy::read_npy::<f32>(folder.path("matrix_biased_weights_3.npy")).expect("an array");
        assert_eq!((shape, values), (vec![3, 2], vec![3.0; 6]));
        assert!(!folder.path("matrix_biased_weights_2.npy").exists());
        let report: serde_json::Value = serde_json::from_str(&text("report.json")).expect("JSON");
        assert_eq!(report["conditions"][0]["failed"], 1);
        assert_eq!(report["runs"][1]["error"], "it fell,\nand \"broke\"");
        let mut named: Vec<_> = report["files"].as_array().expect("a list").iter().collect();
        named.sort_by_key(|f| f.as_str());
        assert_eq!(named.len() + 1, folder.names().len(), "{named:?}");
        let paper = text("report.md");
        assert!(
            paper.contains("- `biased`, seed 2: it fell, and \"broke\""),
            "{paper}"
        );
        assert!(
            paper.contains("> - 2 runs failed and count as runs without success."),
            "{paper}"
        );
    }
}
