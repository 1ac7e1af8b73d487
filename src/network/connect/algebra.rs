//! `Not`, `And`, `Or`: rules as sets of pairs, combined row by row.

use super::{ConnectError, Lengths, Made, Request, Rows, Rule, make};

/// How the operands are combined.
#[derive(Clone, Copy)]
pub(super) enum Set {
    /// Pairs in no operand.
    Not,
    /// Pairs in all operands.
    And,
    /// Pairs in some operand.
    Or,
}

struct Combined {
    set: Set,
    operands: Vec<Box<dyn Rows>>,
    targets: u32,
    skips_own: bool,
}

impl Rows for Combined {
    fn fill(&self, source: u32, targets: &mut Vec<u32>) {
        let mut row = Vec::new();
        let mut result = Vec::new();
        for (number, operand) in self.operands.iter().enumerate() {
            row.clear();
            operand.fill(source, &mut row);
            match self.set {
                Set::And if number > 0 => {
                    sort(&mut row);
                    keep_common(&mut result, &row);
                }
                _ => result.append(&mut row),
            }
            sort(&mut result);
        }
        let allowed = |target: &u32| !(self.skips_own && *target == source);
        match self.set {
            Set::Not => {
                let mut left_out = result.into_iter().peekable();
                let free = (0..self.targets).filter(|target| left_out.next_if_eq(target).is_none());
                targets.extend(free.filter(allowed));
            }
            Set::And | Set::Or => targets.extend(result.into_iter().filter(allowed)),
        }
    }
}

fn sort(row: &mut Vec<u32>) {
    if !row.is_sorted_by(|a, b| a < b) {
        row.sort_unstable();
        row.dedup();
    }
}

/// Keeps of `kept` what is also in `other`; both are sorted.
fn keep_common(kept: &mut Vec<u32>, other: &[u32]) {
    let mut rest = other;
    kept.retain(|&value| {
        let smaller = rest.iter().take_while(|&&other| other < value).count();
        rest = &rest[smaller..];
        rest.first() == Some(&value)
    });
}

/// The pairs that `set` makes of the operands. They are drawn without multapses.
pub(super) fn combine(
    request: &Request,
    set: Set,
    operands: &[Rule],
    node: &mut u64,
) -> Result<Made, ConnectError> {
    let alone = Request {
        multapses: false,
        ..*request
    };
    let operands = operands
        .iter()
        .map(|rule| make(&alone, rule, node).map(|made| made.rows))
        .collect::<Result<_, _>>()?;
    let rows = Combined {
        set,
        operands,
        targets: request.targets,
        skips_own: request.skips_own(),
    };
    Ok(Made::new(rows, Lengths::Unknown, None))
}

#[cfg(test)]
mod tests {
    use super::super::plan;
    use super::super::tests::{indegrees, random, rows};
    use super::*;

    #[test]
    fn sets_combine_as_sets() {
        let n = 6u32;
        let list = |seed: u32| -> Vec<(u32, u32)> {
            (0..n * n)
                .filter(|pair| crate::sim::rng::mix(*pair, [seed, 1]).is_multiple_of(3))
                .map(|pair| (pair / n, pair % n))
                .collect()
        };
        let (a, b) = (list(1), list(2));
        let has = |list: &[(u32, u32)], pair| list.contains(&pair);
        let rules =
            |rule: &Vec<(u32, u32)>| Rule::Pairs(rule.iter().chain(rule).copied().collect());
        type Member<'a> = Box<dyn Fn((u32, u32)) -> bool + 'a>;
        let cases: Vec<(Rule, Member)> = vec![
            (
                Rule::And(vec![rules(&a), rules(&b)]),
                Box::new(|pair| has(&a, pair) && has(&b, pair)),
            ),
            (
                Rule::Or(vec![rules(&a), rules(&b), Rule::OneToOne]),
                Box::new(|pair| has(&a, pair) || has(&b, pair) || pair.0 == pair.1),
            ),
            (
                Rule::Not(vec![rules(&a), rules(&b)]),
                Box::new(|pair| !has(&a, pair) && !has(&b, pair)),
            ),
            (
                Rule::And(vec![
                    Rule::AllToAll,
                    Rule::Not(vec![rules(&b)]),
                    Rule::AllButOwn,
                ]),
                Box::new(|pair| !has(&b, pair) && pair.0 != pair.1),
            ),
            (
                Rule::Not(vec![Rule::Not(vec![rules(&a)])]),
                Box::new(|pair| has(&a, pair)),
            ),
        ];
        for (rule, member) in &cases {
            for autapses in [true, false] {
                let request = Request {
                    same_region: true,
                    autapses,
                    ..Request::new(rule, n, n, random(1))
                };
                for (source, row) in (0..).zip(rows(&plan(&request).unwrap())) {
                    let expected: Vec<u32> = (0..n)
                        .filter(|&target| {
                            member((source, target)) && (autapses || source != target)
                        })
                        .collect();
                    assert_eq!(row, expected, "{rule:?}");
                }
            }
        }
    }

    #[test]
    fn operands_are_drawn_apart_and_without_multapses() {
        let within = Rule::And(vec![Rule::AllToAll, Rule::FixedIndegree(5)]);
        let plan_within = plan(&Request::new(&within, 20, 30, random(1))).unwrap();
        assert!(
            indegrees(&rows(&plan_within), 30)
                .iter()
                .all(|&degree| degree == 5)
        );
        let half = || Rule::PairwiseBernoulli(0.5);
        let both = Rule::And(vec![half(), half()]);
        let joint = plan(&Request::new(&both, 100, 100, random(1)))
            .unwrap()
            .len();
        assert!(
            (2300..2700).contains(&joint),
            "{joint}: a quarter of all pairs if independent"
        );
    }
}
