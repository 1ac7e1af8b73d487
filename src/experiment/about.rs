//! What `neuropil experiment NAME --about` prints: protocol, conditions, published numbers, parameters.

use super::contract::Experiment;
use super::files::{condition_row, criterion_text, measures_table};
use super::tables::Table;

/// An experiment in words. The last line ends without a newline.
pub(super) fn about(experiment: &Experiment) -> String {
    let source = experiment.source;
    let mut text = format!(
        "{}\n{}, https://doi.org/{}\n\n{}\n\nConditions ({} runs of each; {} with --short)\n",
        experiment.title,
        source.citation,
        source.doi,
        experiment.protocol.trim(),
        experiment.runs,
        experiment.short.runs
    );
    let mut table = Table::new(4, &["name", "role", "what is done", "it fixes"]);
    for condition in experiment.conditions {
        let mut row = condition_row(condition);
        if condition.on_request {
            row[2] += " (only if --only names it)";
        }
        table.push(row);
    }
    text += &indented(&table);
    if let Some(success) = experiment.success {
        text += &format!("\nA run is a success if {success}.\n");
    }
    text += &format!("\nMeasures\n{}", indented(&measures_table(experiment)));
    text += "\nWhat it is judged by\n";
    for condition in experiment.conditions {
        for claim in condition.claims {
            text += &format!(
                "  {}: {}\n    {} ({})\n",
                condition.name,
                claim.reference,
                criterion_text(experiment, claim.criterion),
                claim.certainty.words()
            );
        }
    }
    if !experiment.parameters.is_empty() {
        let mut table = Table::new(3, &["--set", "what it is", "allowed", "default"]);
        for p in experiment.parameters {
            let whole = if p.whole { "whole, " } else { "" };
            let default = match p.unit {
                "" => p.default.to_string(),
                unit => format!("{} {unit}", p.default),
            };
            let allowed = format!("{whole}{}", p.range);
            table.push(vec![p.name.into(), p.meaning.into(), allowed, default]);
        }
        text += &format!("\nParameters\n{}", indented(&table));
    }
    text.trim_end().to_owned()
}

fn indented(table: &Table) -> String {
    table
        .text()
        .lines()
        .map(|line| format!("  {line}\n"))
        .collect()
}
