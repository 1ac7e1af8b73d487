//! Connection lists: in the scene, or in CSV files beside it.

use super::schema::ProjectionSpec;
use crate::files::Files;
use crate::network::connect::{ListEntry, Rule};

/// The entries of a list rule, sorted by source.
#[derive(Debug)]
pub(super) struct ListRows {
    /// The first entry of each source in `order`, and the end.
    pub(super) start: Vec<usize>,
    /// Entries by source, otherwise in the order of the list.
    pub(super) order: Vec<u32>,
    pub(super) targets: Vec<u32>,
    pub(super) weights: Option<Vec<f64>>,
    pub(super) delays: Option<Vec<f64>>,
}

/// A rule with the files that it names read.
pub(super) fn read_rule(rule: &Rule, files: &dyn Files) -> Result<Rule, String> {
    let mut read = |path: &str| -> Result<Vec<ListEntry>, String> {
        let mut columns = files.columns(path, &["source", "target"], &[])?.into_iter();
        let mut next = || columns.next().flatten().unwrap_or_default();
        let (sources, targets) = (whole_numbers(next(), "source")?, whole_numbers(next(), "target")?);
        Ok(sources
            .into_iter()
            .zip(targets)
            .map(|(source, target)| ListEntry { source, target, ..ListEntry::default() })
            .collect())
    };
    rule.read_files(&mut read).map_err(|e| e.to_string())
}

fn whole_numbers(values: Vec<f64>, what: &str) -> Result<Vec<u32>, String> {
    values
        .into_iter()
        .enumerate()
        .map(|(i, v)| {
            if v >= 0.0 && v.fract() == 0.0 && v < 4e9 {
                Ok(v as u32)
            } else {
                Err(format!("entry {i}: {what} {v} is not a neuron's number"))
            }
        })
        .collect()
}

/// The rows of a list rule, read from its file if it has one.
pub(super) fn list_rows(
    projection: &ProjectionSpec,
    sources: u32,
    targets: u32,
    files: &dyn Files,
) -> Result<Option<ListRows>, String> {
    let (from, to, weights, delays) = match &projection.rule {
        Rule::ListFile(path) => {
            let mut columns = files.columns(path, &["source", "target"], &["weight", "delay_ms"])?.into_iter();
            let mut next = || columns.next().flatten();
            let (from, to) = (next().unwrap_or_default(), next().unwrap_or_default());
            let (weights, delays) = (next(), next());
            (whole_numbers(from, "source")?, whole_numbers(to, "target")?, weights, delays)
        }
        Rule::List(entries) => {
            let mut weights = Vec::new();
            let mut delays = Vec::new();
            for entry in entries {
                weights.extend(entry.weight);
                delays.extend(entry.delay_ms);
            }
            let all_or_none = |values: Vec<f64>, what: &str| match values.len() {
                0 => Ok(None),
                n if n == entries.len() => Ok(Some(values)),
                n => Err(format!("{n} of {} entries have a {what}; give it to all or to none", entries.len())),
            };
            (
                entries.iter().map(|e| e.source).collect(),
                entries.iter().map(|e| e.target).collect(),
                all_or_none(weights, "weight")?,
                all_or_none(delays, "delay")?,
            )
        }
        _ => return Ok(None),
    };
    for (i, (&s, &t)) in from.iter().zip(&to).enumerate() {
        if s >= sources {
            return Err(format!("entry {i}: source {s} does not exist; \"{}\" has neurons 0 to {}", projection.from, sources - 1));
        }
        if t >= targets {
            return Err(format!("entry {i}: target {t} does not exist; \"{}\" has neurons 0 to {}", projection.to, targets - 1));
        }
        if !projection.autapses && projection.from == projection.to && s == t {
            return Err(format!("entry {i} joins neuron {s} to itself, but `autapses` is false"));
        }
    }
    let mut order: Vec<u32> = (0..from.len() as u32).collect();
    order.sort_by_key(|&i| from[i as usize]);
    if !projection.multapses {
        let mut pairs: Vec<_> = from.iter().zip(&to).collect();
        pairs.sort_unstable();
        if let Some(twice) = pairs.windows(2).find(|w| w[0] == w[1]) {
            return Err(format!("{} → {} is listed twice, but `multapses` is false", twice[0].0, twice[0].1));
        }
    }
    let mut start = vec![0; sources as usize + 1];
    for &s in &from {
        start[s as usize + 1] += 1;
    }
    for i in 0..sources as usize {
        start[i + 1] += start[i];
    }
    Ok(Some(ListRows { start, order, targets: to, weights, delays }))
}
