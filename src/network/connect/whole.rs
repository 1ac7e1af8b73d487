//! Rules without chance: all to all, one to one, all but own.

use super::{Lengths, Made, Request, Rows};

struct All {
    targets: u32,
    skips_own: bool,
}

impl Rows for All {
    fn fill(&self, source: u32, targets: &mut Vec<u32>) {
        if self.skips_own {
            targets.extend((0..self.targets).filter(|&target| target != source));
        } else {
            targets.extend(0..self.targets);
        }
    }
}

struct Own;

impl Rows for Own {
    fn fill(&self, source: u32, targets: &mut Vec<u32>) {
        targets.push(source);
    }
}

struct Nothing;

impl Rows for Nothing {
    fn fill(&self, _source: u32, _targets: &mut Vec<u32>) {}
}

/// Every source with every target, except itself where autapses are off.
pub(super) fn all_to_all(request: &Request) -> Made {
    if request.skips_own() {
        return all_but_own(request);
    }
    let rows = All {
        targets: request.targets,
        skips_own: false,
    };
    Made::new(rows, Lengths::Same(request.targets), Some(request.sources))
}

/// Every source with every target of another index; there are as many of each.
pub(super) fn all_but_own(request: &Request) -> Made {
    let rows = All {
        targets: request.targets,
        skips_own: true,
    };
    let others = request.targets.saturating_sub(1);
    Made::new(rows, Lengths::Same(others), Some(others))
}

/// Each source with the target of its index; there are as many of each. Empty where autapses are off, which
/// only happens inside a set rule.
pub(super) fn one_to_one(request: &Request) -> Made {
    if request.skips_own() {
        Made::new(Nothing, Lengths::Same(0), Some(0))
    } else {
        Made::new(Own, Lengths::Same(1), Some(1))
    }
}
