//! Whether a rule can be applied to a given number of sources and targets.

use super::{ConnectError, Kernel, Request, Rule};

const DEEPEST: usize = 8;
const MOST_RULES: usize = 64;
/// The most synapses per source of `FixedTotalNumber`, far enough below 2³² that no row can overflow.
const MOST_PER_SOURCE: u64 = 1 << 30;
const MOST_IN_ALL: u64 = 1 << 40;

/// Checks the request's rule and all rules inside it.
pub(super) fn check(request: &Request) -> Result<(), ConnectError> {
    if request.rule.needs_positions() {
        positions("source", request.sources, request.source_positions)?;
        positions("target", request.targets, request.target_positions)?;
    }
    if request.same_region {
        equal_sizes(request, request.rule.name())?;
    }
    rule(request, request.rule, 0, &mut 0)
}

fn rule(
    request: &Request,
    rule: &Rule,
    depth: usize,
    rules: &mut usize,
) -> Result<(), ConnectError> {
    *rules += 1;
    let name = rule.name();
    if depth > DEEPEST || *rules > MOST_RULES {
        return Err(ConnectError::TooNested {
            rule: name,
            depth: DEEPEST,
            rules: MOST_RULES,
        });
    }
    let in_set = depth > 0;
    let own = u32::from(request.skips_own());
    let multapses = request.multapses && !in_set;
    let degree = |wanted: u32, available: u32, what| {
        if wanted > 0 && available == 0 {
            return Err(no_pairs(request, name, wanted.into()));
        }
        if !multapses && wanted > available {
            return Err(ConnectError::TooMany {
                rule: name,
                what,
                wanted: wanted.into(),
                available: available.into(),
                skips_own: request.skips_own(),
            });
        }
        Ok(())
    };
    match rule {
        Rule::AllToAll => Ok(()),
        Rule::OneToOne => {
            equal_sizes(request, name)?;
            if request.skips_own() && !in_set {
                return Err(ConnectError::OnlyAutapses);
            }
            Ok(())
        }
        Rule::AllButOwn => equal_sizes(request, name),
        Rule::FixedIndegree(k) if request.targets > 0 => degree(
            *k,
            request.sources.saturating_sub(own),
            "different sources per target",
        ),
        Rule::FixedOutdegree(k) if request.sources > 0 => degree(
            *k,
            request.targets.saturating_sub(own),
            "different targets per source",
        ),
        Rule::FixedIndegree(_) | Rule::FixedOutdegree(_) => Ok(()),
        Rule::FixedTotalNumber(n) => total(request, *n, multapses),
        Rule::PairwiseBernoulli(p) => probability(name, "the probability", *p),
        Rule::Distance { kernel, period_mm } => {
            let (field, length) = match *kernel {
                Kernel::Gaussian { sigma_mm, .. } => ("sigma_mm", sigma_mm),
                Kernel::Exponential { length_mm, .. } => ("length_mm", length_mm),
                Kernel::Mask { radius_mm } => ("radius_mm", radius_mm),
            };
            if !(length > 0.0 && length.is_finite()) {
                return Err(value(name, field, length, "more than 0, and finite"));
            }
            probability(name, "peak", kernel.peak())?;
            for period in period_mm.iter().flatten() {
                if !(*period >= 0.0 && period.is_finite()) {
                    let allowed = "more than 0, or 0 for an axis that does not repeat";
                    return Err(value(name, "period_mm", *period, allowed));
                }
            }
            Ok(())
        }
        Rule::SmallWorld { neighbours, rewire } => {
            equal_sizes(request, name)?;
            let most = request.sources / 2;
            if *neighbours == 0 || neighbours % 2 == 1 || *neighbours > most {
                let allowed = format!(
                    "an even number from 2 to half of the {} neurons",
                    request.sources
                );
                return Err(value(name, "neighbours", *neighbours, allowed));
            }
            probability(name, "rewire", *rewire)
        }
        Rule::Pairs(pairs) => super::list::check_pairs(request, pairs, in_set),
        Rule::List(entries) => super::list::check_entries(request, entries, in_set),
        Rule::ListFile(path) => Err(ConnectError::FileNotRead { path: path.clone() }),
        Rule::Not(operands) | Rule::And(operands) | Rule::Or(operands) => {
            if operands.is_empty() {
                return Err(ConnectError::Empty { rule: name });
            }
            operands
                .iter()
                .try_for_each(|operand| self::rule(request, operand, depth + 1, rules))
        }
    }
}

fn total(request: &Request, wanted: u64, multapses: bool) -> Result<(), ConnectError> {
    let name = "FixedTotalNumber";
    let (sources, targets) = (u64::from(request.sources), u64::from(request.targets));
    let own = if request.skips_own() { sources } else { 0 };
    let pairs = sources * targets - own;
    if wanted > 0 && pairs == 0 {
        return Err(no_pairs(request, name, wanted));
    }
    if !multapses && wanted > pairs {
        return Err(ConnectError::TooMany {
            rule: name,
            what: "different pairs",
            wanted,
            available: pairs,
            skips_own: request.skips_own(),
        });
    }
    let most = MOST_IN_ALL.min(sources * MOST_PER_SOURCE);
    if wanted > most {
        let allowed = format!("up to {most} with {sources} sources");
        return Err(value(name, "the number", wanted, allowed));
    }
    Ok(())
}

fn no_pairs(request: &Request, rule: &'static str, wanted: u64) -> ConnectError {
    ConnectError::NoPairs {
        rule,
        wanted,
        sources: request.sources,
        targets: request.targets,
        skips_own: request.skips_own(),
    }
}

fn equal_sizes(request: &Request, rule: &'static str) -> Result<(), ConnectError> {
    if request.sources == request.targets {
        Ok(())
    } else {
        Err(ConnectError::Sizes {
            rule,
            sources: request.sources,
            targets: request.targets,
        })
    }
}

fn probability(rule: &'static str, field: &'static str, p: f64) -> Result<(), ConnectError> {
    if (0.0..=1.0).contains(&p) {
        Ok(())
    } else {
        Err(value(rule, field, p, "from 0 to 1"))
    }
}

fn positions(side: &'static str, neurons: u32, positions: &[[f32; 3]]) -> Result<(), ConnectError> {
    if positions.len() != neurons as usize {
        return Err(ConnectError::Positions {
            side,
            neurons,
            positions: positions.len(),
        });
    }
    let lost = positions
        .iter()
        .position(|p| p.iter().any(|x| !x.is_finite()));
    match lost {
        None => Ok(()),
        Some(neuron) => Err(ConnectError::Position {
            side,
            neuron,
            position: positions[neuron],
        }),
    }
}

fn value(
    rule: &'static str,
    field: &'static str,
    value: impl ToString,
    allowed: impl Into<String>,
) -> ConnectError {
    ConnectError::Value {
        rule,
        field,
        value: value.to_string(),
        allowed: allowed.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::rng::{Purpose, Random};

    /// The message for 10 sources and 20 targets, or for 10 neurons of one region with the switches off.
    fn message(rule: &Rule, same_region: bool) -> String {
        let mut request = Request::new(rule, 10, 20, Random::new(1, 2, Purpose::Connect));
        if same_region {
            request = Request {
                targets: 10,
                same_region,
                autapses: false,
                multapses: false,
                ..request
            };
        }
        check(&request).expect_err(rule.name()).to_string()
    }

    #[test]
    fn impossible_degrees_name_the_numbers() {
        assert_eq!(
            message(&Rule::FixedIndegree(10), true),
            "rule FixedIndegree: 10 different sources per target are wanted, but without multapses and autapses there are \
             only 9; ask for at most 9 or allow multapses (inside Not, And and Or they never are)"
        );
        assert!(message(&Rule::FixedOutdegree(11), true).contains("at most 9"));
        assert!(message(&Rule::FixedTotalNumber(91), true).contains("at most 90"));
        assert!(message(&Rule::FixedTotalNumber(1 << 50), false).contains("10737418240"));
        let inside = Rule::And(vec![Rule::FixedIndegree(11)]);
        assert!(message(&inside, false).contains("at most 10"));
        let one = Request {
            same_region: true,
            autapses: false,
            ..Request::new(
                &Rule::FixedIndegree(1),
                1,
                1,
                Random::new(1, 2, Purpose::Connect),
            )
        };
        assert!(
            check(&one)
                .unwrap_err()
                .to_string()
                .contains("autapses off")
        );
    }

    #[test]
    fn values_out_of_range_name_the_field() {
        let distance = |sigma_mm, peak, period| Rule::Distance {
            kernel: Kernel::Gaussian { sigma_mm, peak },
            period_mm: Some([0.0, 1.0, period]),
        };
        assert!(message(&distance(1.0, 0.5, 1.0), false).contains("each of the 10 sources"));
        let p = [[0.0; 3]; 20];
        let with_positions = |rule: &Rule| {
            let request = Request {
                source_positions: &p[..10],
                target_positions: &p,
                ..Request::new(rule, 10, 20, Random::new(1, 2, Purpose::Connect))
            };
            check(&request).unwrap_err().to_string()
        };
        assert!(with_positions(&distance(0.0, 0.5, 1.0)).contains("sigma_mm is 0"));
        assert!(with_positions(&distance(1.0, 1.5, 1.0)).contains("peak is 1.5"));
        assert!(with_positions(&distance(1.0, 0.5, -1.0)).contains("period_mm is -1"));
        assert!(
            message(&Rule::PairwiseBernoulli(f64::NAN), false)
                .contains("is NaN; allowed is from 0 to 1")
        );
        assert!(message(&Rule::OneToOne, false).contains("10 sources and 20 targets"));
        assert!(message(&Rule::OneToOne, true).contains("AllButOwn"));
        let small = |neighbours| Rule::SmallWorld {
            neighbours,
            rewire: 0.1,
        };
        for neighbours in [0, 3, 6] {
            assert!(message(&small(neighbours), true).contains("from 2 to half of the 10"));
        }
    }

    #[test]
    fn nesting_is_bounded() {
        let mut rule = Rule::AllToAll;
        for _ in 0..100 {
            rule = Rule::Not(vec![rule]);
        }
        assert!(message(&rule, false).contains("nest up to 8"));
        assert!(message(&Rule::Or(vec![Rule::AllToAll; 64]), false).contains("up to 64"));
        assert!(message(&Rule::Or(vec![]), false).contains("at least one"));
    }
}
