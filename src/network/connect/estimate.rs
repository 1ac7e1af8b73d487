//! What a rule will need, before it is planned.

use super::{ConnectError, Rule};

/// What a rule will need.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Estimate {
    /// Synapses, exact or expected; an upper bound for `Distance`, `And` and `Or`, and for `Not` of them.
    pub synapses: f64,
    /// Memory that the plan takes while it exists, at most about this many bytes.
    pub temporary_bytes: f64,
}

/// What `rule` will need.
///
/// # Errors
/// When the rule has a [`Rule::ListFile`] that has not been read: apply [`Rule::read_files`] first.
pub fn estimate(rule: &Rule, sources: u32, targets: u32) -> Result<Estimate, ConnectError> {
    if let Some(path) = unread(rule) {
        return Err(ConnectError::FileNotRead { path: path.into() });
    }
    let (sources, targets) = (f64::from(sources), f64::from(targets));
    Ok(Estimate {
        synapses: synapses(rule, sources, targets).1,
        temporary_bytes: bytes(rule, sources, targets),
    })
}

/// A number of synapses that no target of `rule` exceeds, known without planning and so without regard to the switches.
///
/// Exact for lists and rules without chance. For random degrees it lies ten standard deviations and 20 above the mean, which
/// is exceeded with a probability of less than 10⁻¹⁵. For `Distance`, which depends on positions, and the set rules the
/// [`Plan`](super::Plan) knows a much smaller, exact number.
pub fn indegree_bound(rule: &Rule, sources: u32, targets: u32) -> u32 {
    let above = |mean: f64, variance: f64| {
        (mean + 10.0 * libm::sqrt(variance) + 20.0).min(f64::from(u32::MAX)) as u32
    };
    let shared = |total: f64| {
        let mean = total / f64::from(targets.max(1));
        above(mean, mean)
    };
    let each = |rules: &[Rule]| -> Vec<u32> {
        let bounds = rules
            .iter()
            .map(|rule| indegree_bound(rule, sources, targets));
        bounds.map(|bound| bound.min(sources)).collect()
    };
    match rule {
        Rule::AllToAll | Rule::Distance { .. } | Rule::Not(_) => sources,
        Rule::OneToOne => sources.min(1),
        Rule::AllButOwn => sources.saturating_sub(1),
        Rule::FixedIndegree(k) => *k,
        Rule::FixedOutdegree(k) => shared(f64::from(sources) * f64::from(*k)),
        Rule::FixedTotalNumber(n) => shared(*n as f64),
        Rule::PairwiseBernoulli(p) => {
            let mean = p * f64::from(sources);
            above(mean, mean * (1.0 - p)).min(sources)
        }
        Rule::SmallWorld { neighbours, rewire } => {
            // A target keeps at most its neighbours, and gets shortcuts from anywhere.
            let shortcuts = rewire * f64::from(*neighbours);
            let most = neighbours.saturating_add(above(shortcuts, shortcuts));
            if *rewire == 0.0 {
                *neighbours
            } else {
                most.min(sources.saturating_sub(1))
            }
        }
        Rule::Pairs(pairs) => most_frequent(pairs.iter().map(|pair| pair.1)),
        Rule::List(entries) => most_frequent(entries.iter().map(|entry| entry.target)),
        Rule::ListFile(_) => u32::MAX,
        Rule::And(rules) => each(rules).into_iter().min().unwrap_or(0),
        Rule::Or(rules) => each(rules)
            .into_iter()
            .fold(0, u32::saturating_add)
            .min(sources),
    }
}

fn most_frequent(targets: impl Iterator<Item = u32>) -> u32 {
    let mut targets: Vec<u32> = targets.collect();
    targets.sort_unstable();
    targets
        .chunk_by(u32::eq)
        .map(<[u32]>::len)
        .max()
        .unwrap_or(0) as u32
}

fn unread(rule: &Rule) -> Option<&str> {
    match rule {
        Rule::ListFile(path) => Some(path),
        Rule::Not(rules) | Rule::And(rules) | Rule::Or(rules) => rules.iter().find_map(unread),
        _ => None,
    }
}

/// The least and the largest number of synapses to expect.
fn synapses(rule: &Rule, s: f64, t: f64) -> (f64, f64) {
    let pairs = s * t;
    let each = |rules: &[Rule]| -> Vec<(f64, f64)> {
        let expected = rules.iter().map(|rule| synapses(rule, s, t));
        expected
            .map(|(low, high)| (low.min(pairs), high.min(pairs)))
            .collect()
    };
    let exactly = match rule {
        Rule::AllToAll => pairs,
        Rule::OneToOne => s.min(t),
        Rule::AllButOwn => (pairs - s.min(t)).max(0.0),
        Rule::FixedIndegree(k) => t * f64::from(*k),
        Rule::FixedOutdegree(k) => s * f64::from(*k),
        Rule::FixedTotalNumber(n) => *n as f64,
        Rule::PairwiseBernoulli(p) => pairs * p,
        Rule::SmallWorld { neighbours, .. } => s * f64::from(*neighbours),
        Rule::Pairs(pairs) => pairs.len() as f64,
        Rule::List(entries) => entries.len() as f64,
        Rule::ListFile(_) => 0.0,
        Rule::Distance { kernel, .. } => return (0.0, pairs * kernel.peak()),
        Rule::Not(rules) => {
            let (low, high) = union(&each(rules), pairs);
            return (pairs - high, pairs - low);
        }
        Rule::Or(rules) => return union(&each(rules), pairs),
        Rule::And(rules) => {
            // What is missing of all pairs is the union of what each operand misses.
            let missing: Vec<_> = each(rules)
                .iter()
                .map(|(low, high)| (pairs - high, pairs - low))
                .collect();
            let (low, high) = union(&missing, pairs);
            return (pairs - high, pairs - low);
        }
    };
    (exactly, exactly)
}

/// How many pairs a union of sets of the given sizes may have.
fn union(sizes: &[(f64, f64)], pairs: f64) -> (f64, f64) {
    let least = sizes.iter().fold(0.0, |least, size| size.0.max(least));
    let sum: f64 = sizes.iter().map(|size| size.1).sum();
    (least, sum.min(pairs))
}

fn bytes(rule: &Rule, s: f64, t: f64) -> f64 {
    match rule {
        Rule::AllToAll
        | Rule::OneToOne
        | Rule::AllButOwn
        | Rule::FixedOutdegree(_)
        | Rule::SmallWorld { .. }
        | Rule::ListFile(_) => 0.0,
        Rule::FixedIndegree(k) => 4.0 * t * f64::from(*k) + 32.0 * s,
        Rule::FixedTotalNumber(_) => 16.0 * s,
        Rule::PairwiseBernoulli(_) => 4.0 * s + 8.0 * t,
        Rule::Distance { .. } => 28.0 * s + 80.0 * t,
        Rule::Pairs(pairs) => 12.0 * pairs.len() as f64 + 12.0 * s + 4.0 * t,
        Rule::List(entries) => 24.0 * entries.len() as f64 + 12.0 * s + 4.0 * t,
        Rule::Not(rules) | Rule::And(rules) | Rule::Or(rules) => {
            4.0 * s + 8.0 * t + rules.iter().map(|rule| bytes(rule, s, t)).sum::<f64>()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn synapses(rule: Rule) -> f64 {
        estimate(&rule, 10, 20).unwrap().synapses
    }

    #[test]
    fn sets_are_bounded_by_their_operands() {
        let sparse = || Rule::PairwiseBernoulli(0.125);
        assert_eq!(synapses(sparse()), 25.0);
        assert_eq!(synapses(Rule::Not(vec![sparse()])), 175.0);
        assert_eq!(
            synapses(Rule::Not(vec![Rule::And(vec![sparse(), sparse()])])),
            200.0
        );
        assert_eq!(synapses(Rule::And(vec![sparse(), Rule::AllToAll])), 25.0);
        assert_eq!(synapses(Rule::Or(vec![sparse(), sparse()])), 50.0);
        assert_eq!(synapses(Rule::Or(vec![Rule::AllToAll, sparse()])), 200.0);
        assert_eq!(synapses(Rule::Not(vec![Rule::AllToAll])), 0.0);
    }

    #[test]
    fn bounds_without_a_plan() {
        let pairs = || Rule::Pairs(vec![(0, 3), (1, 2), (2, 3), (3, 3)]);
        assert_eq!(indegree_bound(&pairs(), 10, 20), 3);
        assert_eq!(
            indegree_bound(&Rule::And(vec![Rule::AllToAll, pairs()]), 10, 20),
            3
        );
        assert_eq!(
            indegree_bound(&Rule::Or(vec![Rule::AllToAll, pairs()]), 10, 20),
            10
        );
        assert_eq!(indegree_bound(&Rule::FixedTotalNumber(2000), 10, 20), 220);
        assert_eq!(
            indegree_bound(&Rule::FixedTotalNumber(u64::MAX), 10, 20),
            u32::MAX
        );
        let file = Rule::Or(vec![Rule::ListFile("a.csv".into())]);
        assert!(
            estimate(&file, 10, 20)
                .unwrap_err()
                .to_string()
                .contains("a.csv")
        );
    }

    #[test]
    fn only_stored_pairs_cost_memory_per_synapse() {
        let bytes = |rule: Rule| estimate(&rule, 1000, 1000).unwrap().temporary_bytes;
        assert!(bytes(Rule::FixedIndegree(500)) > 2e6);
        for rule in [
            Rule::AllToAll,
            Rule::FixedOutdegree(500),
            Rule::FixedTotalNumber(500_000),
            Rule::PairwiseBernoulli(0.5),
        ] {
            assert!(bytes(rule) < 1e5);
        }
    }
}
