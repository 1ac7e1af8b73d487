//! `List`, `Entries` and `ListFile`: pairs given one by one.

use super::{ConnectError, Lengths, ListEntry, Made, Request, Rows};

struct Listed {
    starts: Vec<u32>,
    targets: Vec<u32>,
}

impl Rows for Listed {
    fn fill(&self, source: u32, targets: &mut Vec<u32>) {
        let (start, end) = (
            self.starts[source as usize],
            self.starts[source as usize + 1],
        );
        targets.extend_from_slice(&self.targets[start as usize..end as usize]);
    }
}

/// The weights and delays of a list, in the order of its rows; NaN where an entry has none.
pub(super) struct Extras {
    starts: Vec<u32>,
    weights: Vec<f64>,
    delays_ms: Vec<f64>,
}

impl Extras {
    /// The weight and the delay of the synapse at `place` of the row of `source`.
    pub(super) fn at(&self, source: u32, place: u32) -> (Option<f64>, Option<f64>) {
        let synapse = (self.starts[source as usize] + place) as usize;
        let given = |values: &[f64]| values.get(synapse).copied().filter(|value| !value.is_nan());
        (given(&self.weights), given(&self.delays_ms))
    }
}

/// The rows of a list of pairs, each row in the order of the list.
pub(super) fn pairs(request: &Request, pairs: &[(u32, u32)]) -> Made {
    rows(request, pairs.iter().copied()).0
}

/// The rows of a list of entries, each row in the order of the list.
pub(super) fn entries(request: &Request, entries: &[ListEntry]) -> Made {
    let (mut made, starts, order) = rows(
        request,
        entries.iter().map(|entry| (entry.source, entry.target)),
    );
    let column = |value: fn(&ListEntry) -> Option<f64>| {
        if entries.iter().all(|entry| value(entry).is_none()) {
            return Vec::new();
        }
        let in_order = order.iter().map(|&entry| value(&entries[entry as usize]));
        in_order.map(|value| value.unwrap_or(f64::NAN)).collect()
    };
    let extras = Extras {
        starts,
        weights: column(|entry| entry.weight),
        delays_ms: column(|entry| entry.delay_ms),
    };
    if !(extras.weights.is_empty() && extras.delays_ms.is_empty()) {
        made.extras = Some(extras);
    }
    made
}

/// The rows, where each starts, and which entry each synapse comes from.
fn rows(
    request: &Request,
    pairs: impl ExactSizeIterator<Item = (u32, u32)> + Clone,
) -> (Made, Vec<u32>, Vec<u32>) {
    let mut lengths = vec![0u32; request.sources as usize];
    let mut indegrees = vec![0u32; request.targets as usize];
    for (source, target) in pairs.clone() {
        lengths[source as usize] += 1;
        indegrees[target as usize] += 1;
    }
    let mut starts = Vec::with_capacity(lengths.len() + 1);
    let mut end = 0;
    starts.push(0);
    starts.extend(lengths.iter().map(|length| {
        end += length;
        end
    }));
    let mut places = starts.clone();
    let (mut targets, mut order) = (vec![0; pairs.len()], vec![0; pairs.len()]);
    for (number, (source, target)) in pairs.enumerate() {
        let place = &mut places[source as usize];
        targets[*place as usize] = target;
        order[*place as usize] = number as u32;
        *place += 1;
    }
    let indegree = indegrees.into_iter().max().unwrap_or(0);
    let rows = Listed {
        starts: starts.clone(),
        targets,
    };
    let made = Made::new(rows, Lengths::Each(lengths), Some(indegree));
    (made, starts, order)
}

/// Checks the pairs of a list.
pub(super) fn check_pairs(
    request: &Request,
    pairs: &[(u32, u32)],
    in_set: bool,
) -> Result<(), ConnectError> {
    check(request, "Pairs", pairs.iter().copied(), in_set)
}

/// Checks the entries of a list.
pub(super) fn check_entries(
    request: &Request,
    entries: &[ListEntry],
    in_set: bool,
) -> Result<(), ConnectError> {
    for (number, entry) in entries.iter().enumerate() {
        if in_set && (entry.weight.is_some() || entry.delay_ms.is_some()) {
            return Err(ConnectError::ExtrasInSet {
                rule: "List",
                entry: number + 1,
            });
        }
        let weight = entry.weight.filter(|weight| !weight.is_finite());
        let delay = entry
            .delay_ms
            .filter(|delay| !(*delay > 0.0 && delay.is_finite()));
        let problem = match (weight, delay) {
            (Some(weight), _) => format!("weight is {weight}; it must be finite"),
            (_, Some(delay)) => format!("delay_ms is {delay}; allowed is more than 0"),
            _ => continue,
        };
        return Err(wrong("List", number, (entry.source, entry.target), problem));
    }
    let pairs = entries.iter().map(|entry| (entry.source, entry.target));
    check(request, "List", pairs, in_set)
}

fn check(
    request: &Request,
    rule: &'static str,
    pairs: impl ExactSizeIterator<Item = (u32, u32)> + Clone,
    in_set: bool,
) -> Result<(), ConnectError> {
    if u32::try_from(pairs.len()).is_err() {
        return Err(ConnectError::Value {
            rule,
            field: "the number of entries",
            value: pairs.len().to_string(),
            allowed: format!(
                "up to {}; split the list over several projections",
                u32::MAX
            ),
        });
    }
    for (number, (source, target)) in pairs.clone().enumerate() {
        let problem = if source >= request.sources {
            format!("the source must be less than {}", request.sources)
        } else if target >= request.targets {
            format!("the target must be less than {}", request.targets)
        } else if request.skips_own() && source == target && !in_set {
            "it joins a neuron with itself, but autapses are off; remove it or switch them on"
                .into()
        } else {
            continue;
        };
        return Err(wrong(rule, number, (source, target), problem));
    }
    if request.multapses || in_set {
        return Ok(());
    }
    let mut sorted: Vec<_> = pairs.zip(0usize..).collect();
    sorted.sort_unstable();
    match sorted.windows(2).find(|two| two[0].0 == two[1].0) {
        None => Ok(()),
        Some(two) => {
            let problem = format!(
                "it repeats entry {}, but multapses are off; remove it or switch them on",
                two[0].1 + 1
            );
            Err(wrong(rule, two[1].1, two[1].0, problem))
        }
    }
}

fn wrong(
    rule: &'static str,
    number: usize,
    (source_index, target_index): (u32, u32),
    problem: String,
) -> ConnectError {
    ConnectError::Entry {
        rule,
        entry: number + 1,
        source_index,
        target_index,
        problem,
    }
}

const COLUMNS: [&str; 4] = ["source", "target", "weight", "delay_ms"];

/// Reads the text of a connection list.
///
/// One entry per line, fields separated by commas: `source,target[,weight][,delay_ms]`. A first line of names may give the
/// columns in another order or name fewer; without it, two to four columns are in that order. A weight or a delay
/// may be left empty. Blank lines and lines that start with `#` are skipped.
///
/// # Errors
/// Names the line, what is there and what should be.
pub fn parse_entries(text: &str) -> Result<Vec<ListEntry>, String> {
    let mut entries = Vec::new();
    let mut columns: Vec<usize> = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let line = line.trim_start_matches('\u{feff}').trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let number = number + 1;
        let fields = line.split(',').map(str::trim);
        if columns.is_empty() {
            if line.starts_with(|c: char| c.is_alphabetic()) {
                columns = header(fields).map_err(|message| format!("line {number}: {message}"))?;
                continue;
            }
            columns = (0..fields.clone().count()).collect();
            if !(2..=4).contains(&columns.len()) {
                return Err(format!(
                    "line {number}: it has {} fields; expected are source,target[,weight][,delay_ms]",
                    columns.len()
                ));
            }
        }
        if fields.clone().count() != columns.len() {
            return Err(format!(
                "line {number}: it has {} fields, but the first line has {}",
                fields.count(),
                columns.len()
            ));
        }
        let mut entry = ListEntry::default();
        for (field, &column) in fields.zip(&columns) {
            let wrong = |what| {
                let name = COLUMNS[column];
                format!("line {number}: {name} is \"{field}\"; it must be {what}")
            };
            let index = || {
                field
                    .parse::<u32>()
                    .map_err(|_| wrong("a whole number, 0 or more"))
            };
            let value = || match field {
                "" => Ok(None),
                _ => field
                    .parse::<f64>()
                    .map(Some)
                    .map_err(|_| wrong("a number or empty")),
            };
            match column {
                0 => entry.source = index()?,
                1 => entry.target = index()?,
                2 => entry.weight = value()?,
                _ => entry.delay_ms = value()?,
            }
        }
        entries.push(entry);
    }
    Ok(entries)
}

fn header<'a>(fields: impl Iterator<Item = &'a str>) -> Result<Vec<usize>, String> {
    let mut columns = Vec::new();
    for field in fields {
        let column = COLUMNS
            .iter()
            .position(|name| *name == field)
            .ok_or_else(|| format!("unknown column \"{field}\"; known: {}", COLUMNS.join(", ")))?;
        if columns.contains(&column) {
            return Err(format!("column {field} is named twice"));
        }
        columns.push(column);
    }
    for (column, name) in COLUMNS[..2].iter().enumerate() {
        if !columns.contains(&column) {
            return Err(format!("column {name} is missing"));
        }
    }
    Ok(columns)
}

#[cfg(test)]
mod tests {
    use super::super::{Rule, check, plan};
    use super::*;
    use crate::sim::rng::{Purpose, Random};

    fn request(rule: &Rule) -> Request<'_> {
        Request::new(rule, 3, 4, Random::new(1, 2, Purpose::Connect))
    }

    fn entry(source: u32, target: u32, weight: Option<f64>, delay_ms: Option<f64>) -> ListEntry {
        ListEntry {
            source,
            target,
            weight,
            delay_ms,
        }
    }

    #[test]
    fn entries_keep_their_order_weights_and_delays() {
        let rule = Rule::List(vec![
            entry(2, 3, Some(0.5), None),
            entry(0, 1, None, Some(1.5)),
            entry(2, 0, Some(-1.0), Some(2.0)),
            entry(2, 3, None, None),
        ]);
        let plan = plan(&request(&rule)).unwrap();
        assert_eq!((plan.len(), plan.max_indegree_bound()), (4, 2));
        let mut row = Vec::new();
        plan.fill_row(2, &mut row);
        assert_eq!(row, [3, 0, 3]);
        assert_eq!(plan.row_len(1), 0);
        assert_eq!(plan.list_weight_delay(0, 0), (None, Some(1.5)));
        assert_eq!(plan.list_weight_delay(2, 0), (Some(0.5), None));
        assert_eq!(plan.list_weight_delay(2, 1), (Some(-1.0), Some(2.0)));
        assert_eq!(plan.list_weight_delay(2, 2), (None, None));
        assert_eq!(plan.list_weight_delay(2, 3), (None, None));
    }

    #[test]
    fn wrong_entries_are_named() {
        let message = |rule: Rule, same_region: bool| {
            let request = Request {
                same_region,
                targets: if same_region { 3 } else { 4 },
                autapses: false,
                multapses: false,
                ..request(&rule)
            };
            check(&request).unwrap_err().to_string()
        };
        assert_eq!(
            message(Rule::Pairs(vec![(0, 3), (3, 0)]), false),
            "rule Pairs: entry 2 (counted from 1), 3 to 0: the source must be less than 3"
        );
        assert!(message(Rule::Pairs(vec![(0, 4)]), false).contains("must be less than 4"));
        assert!(message(Rule::Pairs(vec![(0, 1), (1, 1)]), true).contains("entry 2"));
        let twice = message(Rule::Pairs(vec![(0, 1), (2, 1), (0, 1)]), true);
        assert!(
            twice.contains("entry 3") && twice.contains("repeats entry 1"),
            "{twice}"
        );
        let bad = |weight, delay| message(Rule::List(vec![entry(0, 0, weight, delay)]), false);
        assert!(bad(Some(f64::NAN), None).contains("weight is NaN"));
        assert!(bad(None, Some(0.0)).contains("delay_ms is 0"));
        let in_set = Rule::Not(vec![Rule::List(vec![entry(0, 0, Some(1.0), None)])]);
        assert!(message(in_set, false).contains("set of pairs"));
    }

    #[test]
    fn files_are_read_with_and_without_names() {
        let plain = "# edges\n0,1\n\n 2 , 3 \r\n";
        let pairs = vec![entry(0, 1, None, None), entry(2, 3, None, None)];
        assert_eq!(parse_entries(plain), Ok(pairs));
        let named = "delay_ms,target,source\n1.5,1,0\n,3,2\n";
        let delays = vec![entry(0, 1, None, Some(1.5)), entry(2, 3, None, None)];
        assert_eq!(parse_entries(named), Ok(delays));
        for (text, words) in [
            ("0\n", "line 1: it has 1 fields"),
            ("0,1\n0,1,2\n", "line 2: it has 3 fields"),
            (
                "0,1\n0,-1\n",
                "line 2: target is \"-1\"; it must be a whole number",
            ),
            ("0,1,heavy\n", "line 1: weight is \"heavy\""),
            ("source,weight\n", "column target is missing"),
            (
                "source,targets\n",
                "unknown column \"targets\"; known: source, target",
            ),
            ("source,source\n", "twice"),
        ] {
            let message = parse_entries(text).unwrap_err();
            assert!(message.contains(words), "{message:?} should say {words:?}");
        }
    }

    #[test]
    fn a_list_file_is_replaced_by_its_entries() {
        let rule = Rule::And(vec![Rule::AllToAll, Rule::ListFile("edges.csv".into())]);
        assert!(matches!(
            check(&request(&rule)),
            Err(ConnectError::FileNotRead { .. })
        ));
        let read = rule.read_files(&mut |path| {
            assert_eq!(path, "edges.csv");
            parse_entries("1,2\n")
        });
        assert_eq!(plan(&request(&read.unwrap())).unwrap().len(), 1);
        let failed = rule.read_files(&mut |_| Err("no such file".into()));
        assert!(
            failed
                .unwrap_err()
                .to_string()
                .contains("\"edges.csv\": no such file")
        );
    }
}
