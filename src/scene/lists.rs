//! Connection lists: in the scene, or in CSV files beside it.

use super::error::quoted;
use super::schema::ProjectionSpec;
use crate::files::Files;
use crate::network::connect::{ListEntry, Rule};
use core::ops::Index;

/// The entries of a list rule, sorted by source.
#[derive(Debug)]
pub(super) struct ListRows {
    /// The first entry of each source in `order`, and the end.
    pub(super) start: Starts,
    /// Entries by source, otherwise in the order of the list.
    pub(super) order: Vec<u32>,
    pub(super) targets: Vec<u32>,
    pub(super) weights: Option<Vec<f64>>,
    pub(super) delays: Option<Vec<f64>>,
}

/// Where the entries of each source start. It takes memory for the sources that have any, not for all the neurons of a region that may
/// turn out too large to be built.
#[derive(Debug)]
pub(super) struct Starts {
    /// The sources with entries, ascending.
    sources: Vec<u32>,
    /// Where the entries of each start, and the end.
    starts: Vec<usize>,
}

impl Starts {
    /// The starts of entries whose sources, ascending, are these.
    fn new(ascending: impl Iterator<Item = u32>) -> Self {
        let (mut sources, mut starts, mut end) = (Vec::new(), Vec::new(), 0);
        for source in ascending {
            if sources.last() != Some(&source) {
                sources.push(source);
                starts.push(end);
            }
            end += 1;
        }
        starts.push(end);
        Self { sources, starts }
    }
}

impl Index<usize> for Starts {
    type Output = usize;

    /// The first entry of `source` or of the next source that has any.
    fn index(&self, source: usize) -> &usize {
        &self.starts[self.sources.partition_point(|s| (*s as usize) < source)]
    }
}

/// What is wrong with a list.
#[derive(Debug)]
pub(super) struct ListError {
    /// Where in the rule, such as `[3].source`; empty for a file.
    pub(super) place: String,
    pub(super) message: String,
}

/// A rule with the files that it names read.
pub(super) fn read_rule(rule: &Rule, files: &dyn Files) -> Result<Rule, String> {
    let mut read = |path: &str| -> Result<Vec<ListEntry>, String> {
        let mut columns = files.columns(path, &["source", "target"], &[])?.into_iter();
        let mut next = || columns.next().flatten().unwrap_or_default();
        let (sources, targets) = (
            whole_numbers(next(), "source")?,
            whole_numbers(next(), "target")?,
        );
        Ok(sources
            .into_iter()
            .zip(targets)
            .map(|(source, target)| ListEntry {
                source,
                target,
                ..ListEntry::default()
            })
            .collect())
    };
    rule.read_files(&mut read).map_err(|e| e.to_string())
}

fn whole_numbers(values: Vec<f64>, what: &str) -> Result<Vec<u32>, String> {
    values
        .into_iter()
        .zip(1..)
        .map(|(v, row)| {
            if v >= 0.0 && v.fract() == 0.0 && v < 4e9 {
                Ok(v as u32)
            } else {
                Err(format!("row {row}: {what} {v} is not a neuron's number"))
            }
        })
        .collect()
}

/// A list as it was given.
struct Given<'a> {
    projection: &'a ProjectionSpec,
    /// The file, if it is one.
    file: Option<&'a str>,
    from: Vec<u32>,
    to: Vec<u32>,
    weights: Option<Vec<f64>>,
    delays: Option<Vec<f64>>,
}

/// The rows of a list rule, read from its file if it has one.
pub(super) fn list_rows(
    projection: &ProjectionSpec,
    sources: u32,
    targets: u32,
    files: &dyn Files,
) -> Result<Option<ListRows>, ListError> {
    let given = match &projection.rule {
        Rule::ListFile(path) => {
            from_file(projection, path, files).map_err(|message| ListError {
                place: String::new(),
                message,
            })?
        }
        Rule::List(entries) => from_entries(projection, entries)?,
        _ => return Ok(None),
    };
    given.check(sources, targets)?;
    let mut order: Vec<u32> = (0..given.from.len() as u32).collect();
    order.sort_by_key(|&i| given.from[i as usize]);
    let start = Starts::new(order.iter().map(|&i| given.from[i as usize]));
    Ok(Some(ListRows {
        start,
        order,
        targets: given.to,
        weights: given.weights,
        delays: given.delays,
    }))
}

fn from_file<'a>(
    projection: &'a ProjectionSpec,
    path: &'a str,
    files: &dyn Files,
) -> Result<Given<'a>, String> {
    let mut columns = files
        .columns(path, &["source", "target"], &["weight", "delay_ms"])?
        .into_iter();
    let mut next = || columns.next().flatten();
    let named = |message: String| format!("{path}: {message}");
    let from = whole_numbers(next().unwrap_or_default(), "source").map_err(named)?;
    let to = whole_numbers(next().unwrap_or_default(), "target").map_err(named)?;
    if u32::try_from(from.len()).is_err() {
        return Err(named(format!(
            "{} rows are too many; split the list over several projections",
            from.len()
        )));
    }
    Ok(Given {
        projection,
        file: Some(path),
        from,
        to,
        weights: next(),
        delays: next(),
    })
}

fn from_entries<'a>(
    projection: &'a ProjectionSpec,
    entries: &[ListEntry],
) -> Result<Given<'a>, ListError> {
    let all_or_none = |value: fn(&ListEntry) -> Option<f64>, what: &str| {
        let values: Vec<f64> = entries.iter().filter_map(value).collect();
        let lacks = entries.iter().position(|entry| value(entry).is_none());
        match lacks {
            None if entries.is_empty() => Ok(None),
            None => Ok(Some(values)),
            Some(_) if values.is_empty() => Ok(None),
            Some(first) => Err(ListError {
                place: format!("[{first}]"),
                message: format!(
                    "this entry has no `{what}`, but {} of {} have one; give it to all or to none",
                    values.len(),
                    entries.len()
                ),
            }),
        }
    };
    Ok(Given {
        projection,
        file: None,
        from: entries.iter().map(|e| e.source).collect(),
        to: entries.iter().map(|e| e.target).collect(),
        weights: all_or_none(|e| e.weight, "weight")?,
        delays: all_or_none(|e| e.delay_ms, "delay_ms")?,
    })
}

impl Given<'_> {
    /// What is wrong with an entry, in its `field`.
    fn wrong(&self, entry: usize, field: &str, message: String) -> ListError {
        match self.file {
            Some(path) => ListError {
                place: String::new(),
                message: format!("{path}: row {}: {message}", entry + 1),
            },
            None => ListError {
                place: format!("[{entry}]{field}"),
                message,
            },
        }
    }

    fn check(&self, sources: u32, targets: u32) -> Result<(), ListError> {
        let projection = self.projection;
        let absent = |what: &str, n: u32, region: &str, size: u32| {
            format!(
                "{what} {n} does not exist; region {} has neurons 0 to {}",
                quoted(region),
                size.saturating_sub(1)
            )
        };
        for (i, (&s, &t)) in self.from.iter().zip(&self.to).enumerate() {
            if s >= sources {
                return Err(self.wrong(
                    i,
                    ".source",
                    absent("source", s, &projection.from, sources),
                ));
            }
            if t >= targets {
                return Err(self.wrong(i, ".target", absent("target", t, &projection.to, targets)));
            }
            if !projection.autapses && projection.from == projection.to && s == t {
                return Err(self.wrong(
                    i,
                    "",
                    format!("neuron {s} is joined to itself, but `autapses` is false"),
                ));
            }
        }
        for (i, weight) in self.weights.iter().flatten().enumerate() {
            if !weight.is_finite() {
                return Err(self.wrong(
                    i,
                    ".weight",
                    format!("the weight is {weight}; it must be finite"),
                ));
            }
        }
        for (i, delay) in self.delays.iter().flatten().enumerate() {
            if !(*delay > 0.0 && delay.is_finite()) {
                return Err(self.wrong(
                    i,
                    ".delay_ms",
                    format!("the delay is {delay} ms; it must be more than 0"),
                ));
            }
        }
        if projection.multapses {
            return Ok(());
        }
        let mut sorted: Vec<_> = self.from.iter().zip(&self.to).zip(0usize..).collect();
        sorted.sort_unstable();
        match sorted.windows(2).find(|two| two[0].0 == two[1].0) {
            None => Ok(()),
            Some(two) => {
                let ((s, t), first) = two[0];
                let first = if self.file.is_some() {
                    format!("row {}", first + 1)
                } else {
                    format!("entry [{first}]")
                };
                Err(self.wrong(
                    two[1].1,
                    "",
                    format!("it repeats {first}, {s} → {t}, but `multapses` is false"),
                ))
            }
        }
    }
}
