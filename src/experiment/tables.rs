//! What came out, as tables and sentences: for a terminal and for Markdown alike.

use super::contract::{Certainty, Experiment};
use super::results::{ConditionResults, Results};
use super::verdict::{Judgement, Verdict, interval, judge, proportion};
use crate::results::quantities::{counted, figures};

/// A table; the first `names` columns are text, the others numbers.
pub(super) struct Table {
    names: usize,
    /// The header, then the rows.
    rows: Vec<Vec<String>>,
}

impl Table {
    pub fn new(names: usize, header: &[&str]) -> Self {
        Self {
            names,
            rows: vec![header.iter().map(|h| (*h).to_owned()).collect()],
        }
    }

    pub fn push(&mut self, row: Vec<String>) {
        self.rows.push(row);
    }

    /// Columns under each other, for a terminal; every line ends with a newline.
    pub fn text(&self) -> String {
        let mut widths = vec![0; self.rows[0].len()];
        for row in &self.rows {
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = cell.chars().count().max(*width);
            }
        }
        let mut text = String::new();
        for row in &self.rows {
            let mut line = String::new();
            for (i, (cell, &width)) in row.iter().zip(&widths).enumerate() {
                line += &match i < self.names {
                    true => format!("{cell:<width$}  "),
                    false => format!("{cell:>width$}  "),
                };
            }
            text += line.trim_end();
            text.push('\n');
        }
        text
    }

    /// A Markdown table; every line ends with a newline.
    pub fn markdown(&self) -> String {
        let line = |cells: &mut dyn Iterator<Item = String>| {
            let cells: Vec<String> = cells.map(|c| c.replace('|', "\\|")).collect();
            format!("| {} |\n", cells.join(" | "))
        };
        let mut text = line(&mut self.rows[0].iter().cloned());
        text += &line(&mut (0..self.rows[0].len()).map(|i| match i < self.names {
            true => "---".into(),
            false => "---:".into(),
        }));
        for row in &self.rows[1..] {
            text += &line(&mut row.iter().cloned());
        }
        text
    }
}

/// Every condition: runs, and success where that is asked.
pub(super) fn conditions(results: &Results) -> Table {
    let asked = results.plan.experiment.success.is_some();
    let mut table = match asked {
        true => Table::new(
            2,
            &["condition", "role", "runs", "success", "95 % interval"],
        ),
        false => Table::new(2, &["condition", "role", "runs"]),
    };
    for condition in &results.conditions {
        let mut row = vec![
            condition.condition.name.to_owned(),
            condition.condition.role.name().to_owned(),
            condition.finished().to_string(),
        ];
        if asked {
            let success = condition.success();
            let dash = || "–".to_owned();
            row.push(success.as_ref().map_or_else(dash, proportion));
            row.push(success.as_ref().map_or_else(dash, interval));
        }
        table.push(row);
    }
    table
}

/// Every measure in every condition, over seeds. `whole` says the condition in every row, not only in its first.
pub(super) fn measures(results: &Results, whole: bool) -> Table {
    let header = [
        "condition",
        "measure",
        "unit",
        "mean",
        "SD",
        "median",
        "min",
        "max",
        "runs",
    ];
    let mut table = Table::new(3, &header);
    for condition in &results.conditions {
        for (i, measure) in results.plan.experiment.measures.iter().enumerate() {
            let name = match i == 0 || whole {
                true => condition.condition.name,
                false => "",
            };
            let mut row = vec![name.into(), measure.name.into(), measure.unit.into()];
            match condition.summary(measure.name) {
                None => row.extend(["–", "–", "–", "–", "–", "0"].map(str::to_owned)),
                Some(s) => {
                    row.push(figures(s.mean));
                    row.push(s.sd.map_or("–".into(), figures));
                    row.extend([s.median, s.min, s.max].map(figures));
                    row.push(s.runs.to_string());
                }
            }
            table.push(row);
        }
    }
    table
}

/// The claims about a condition with what became of them.
pub(super) fn judgements(
    experiment: &Experiment,
    condition: &ConditionResults,
) -> Vec<(Judgement, String)> {
    (condition.condition.claims.iter())
        .map(|claim| {
            let reference = format!("{} ({})", claim.reference, claim.certainty.words());
            (judge(experiment, condition, claim), reference)
        })
        .collect()
}

/// `4 of 5 criteria reached, 1 missed (2 of 2 confirmed, 2 of 3 our reading)`.
pub(super) fn score(results: &Results) -> String {
    let judged: Vec<(Verdict, Certainty)> = (results.conditions.iter())
        .flat_map(|c| c.condition.claims.iter().map(move |claim| (c, claim)))
        .map(|(c, claim)| {
            let judged = judge(results.plan.experiment, c, claim);
            (judged.verdict, claim.certainty)
        })
        .collect();
    let count = |verdict| judged.iter().filter(|j| j.0 == verdict).count();
    let reached = count(Verdict::Reached);
    let mut text = format!("{reached} of {} criteria reached", judged.len());
    for verdict in [Verdict::Missed, Verdict::Undecided] {
        if count(verdict) > 0 {
            text += &format!(", {} {}", count(verdict), verdict.name());
        }
    }
    let kinds: Vec<String> = (Certainty::ALL.into_iter())
        .filter_map(|kind| {
            let of_it = || judged.iter().filter(|j| j.1 == kind);
            let reached = of_it().filter(|j| j.0 == Verdict::Reached).count();
            let all = of_it().count();
            (all > 0).then(|| format!("{reached} of {all} {}", kind.words()))
        })
        .collect();
    match kinds.is_empty() {
        true => text,
        false => format!("{text} ({})", kinds.join(", ")),
    }
}

/// What a reader must know before believing a verdict: everything in which this was not the published protocol.
pub(super) fn reservations(results: &Results) -> Vec<String> {
    let (plan, experiment) = (&results.plan, results.plan.experiment);
    let mut list = Vec::new();
    if plan.short {
        list.push("This is the short version: it tests the program, not the publication.".into());
    }
    let changes: Vec<String> = (plan.changes().iter())
        .map(|(name, value, published)| format!("{name} is {value}, not {published}"))
        .collect();
    if !changes.is_empty() {
        list.push(format!(
            "Parameters differ from the protocol: {}.",
            changes.join("; ")
        ));
    }
    if plan.runs < experiment.runs && !plan.short {
        list.push(format!(
            "There were {}; the protocol has {}. Few runs make wide intervals, which contain more.",
            counted(plan.runs.into(), "run"),
            experiment.runs
        ));
    }
    let usual = experiment.conditions.iter().filter(|c| !c.on_request);
    let missing: Vec<&str> = usual
        .map(|c| c.name)
        .filter(|name| results.condition(name).is_none())
        .collect();
    if !missing.is_empty() {
        list.push(format!("Conditions left out: {}.", missing.join(", ")));
    }
    if results.not_run() > 0 {
        list.push(format!(
            "Interrupted: {} did not run.",
            counted(results.not_run() as u64, "run")
        ));
    }
    if results.failures() > 0 {
        list.push(format!(
            "{} failed and count as runs without success.",
            counted(results.failures() as u64, "run")
        ));
    }
    list
}

/// All of it for a terminal. The last line ends without a newline.
pub(super) fn summary(results: &Results) -> String {
    let (plan, experiment) = (&results.plan, results.plan.experiment);
    let mut text = format!(
        "{}\n{} of each condition, seeds {} to {}\n\n{}\n{}\n",
        experiment.title,
        counted(plan.runs.into(), "run"),
        plan.first_seed,
        plan.last_seed(),
        conditions(results).text(),
        measures(results, false).text()
    );
    for condition in &results.conditions {
        for (judgement, reference) in judgements(experiment, condition) {
            let name = condition.condition.name;
            text += &format!("{name}: {}\n", judgement.words);
            text += &format!("    reference: {reference}\n");
        }
    }
    text += &format!("\n{}", score(results));
    for reservation in reservations(results) {
        text += &format!("\n{reservation}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::super::results::Plan;
    use super::super::runner;
    use super::super::settings::Settings;
    use super::super::testing::TOSS;
    use super::*;
    use std::sync::atomic::AtomicBool;

    fn tosses(short: bool) -> Results {
        let plan = Plan {
            experiment: &TOSS,
            conditions: TOSS.conditions.iter().collect(),
            runs: 3,
            first_seed: 1,
            settings: Settings::new(&TOSS, short, &[]).expect("settings"),
            short,
        };
        runner::run(
            &plan,
            1,
            &AtomicBool::new(false),
            &mut |_| {},
            &mut |_, _, _| {},
        )
    }

    #[test]
    fn tables_line_up_in_text_and_are_whole_in_markdown() {
        let table = measures(&tosses(false), true);
        let text = table.text();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 3);
        assert!(
            lines[0].starts_with("condition  measure  unit  mean"),
            "{text}"
        );
        assert!(
            lines
                .iter()
                .all(|l| l.chars().count() == lines[0].chars().count()),
            "{text}"
        );
        let markdown = table.markdown();
        assert!(
            markdown.lines().all(|l| l.matches('|').count() == 10),
            "{markdown}"
        );
        let mut table = Table::new(1, &["a"]);
        table.push(vec!["x|y".into()]);
        assert_eq!(table.markdown(), "| a |\n| --- |\n| x\\|y |\n");
    }

    #[test]
    fn what_is_not_the_protocol_is_said() {
        let said = reservations(&tosses(true)).join("\n");
        assert!(
            said.contains("short version") && said.contains("tosses is 10, not 100"),
            "{said}"
        );
        let mut results = tosses(false);
        let said = reservations(&results).join("\n");
        assert_eq!(said.lines().count(), 1);
        assert!(said.contains("3 runs; the protocol has 20"), "{said}");
        results.conditions.pop();
        assert!(reservations(&results).join("\n").contains("left out: fair"));
        assert!(score(&results).ends_with("(1 of 1 confirmed, 1 of 1 as usually quoted)"));
        assert!(summary(&results).contains("2 of 2 criteria reached"));
    }
}
