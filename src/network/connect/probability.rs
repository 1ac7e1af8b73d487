//! `PairwiseBernoulli`: every pair with the same probability.
//!
//! A row skips from one target to the next. The number of pairs passed over is geometric: P(skip ≥ k) = (1 − p)^k. So a row
//! costs one draw per synapse, not per pair, and its targets are in ascending order.
//!
//! A skip is the number of thresholds 2³²·(1 − (1 − p)^k), k = 1, 2 …, that do not exceed a random word; a guide over the
//! word's leading bits tells where to start counting. The table ends after at most 4096 thresholds: a word above
//! the last one skips that far and draws again, which is right because the geometric distribution has no memory. Rounding
//! the thresholds to 32 bits is harmless for p ≥ 10⁻⁴; for smaller p the skip is ⌊ln u / ln(1 − p)⌋ with u uniform in
//! (0, 1).

use super::words::Words;
use super::{Lengths, Made, Request, Rows};
use crate::sim::rng::Random;

/// Below this probability skips are computed, not looked up.
const LEAST_TABLE: f64 = 1e-4;
const MOST_THRESHOLDS: usize = 4096;
const GUIDE_BITS: u32 = 12;

struct Bernoulli {
    words: Words,
    random: Random,
    skips: Skips,
    /// The targets that a source can choose from.
    choices: u32,
    skips_own: bool,
}

enum Skips {
    /// p = 0
    All,
    /// p = 1
    None,
    Table(Table),
    /// 1/ln(1 − p)
    Logarithm(f64),
}

struct Table {
    thresholds: Vec<u32>,
    /// For every value of a word's leading bits, how many thresholds no such word falls short of.
    guide: Vec<u16>,
}

impl Table {
    fn new(p: f64) -> Self {
        let mut thresholds = Vec::new();
        let mut beyond = 1.0;
        while thresholds.len() < MOST_THRESHOLDS && beyond > 1.0 / f64::from(1 << GUIDE_BITS) {
            beyond *= 1.0 - p;
            // Saturates at 2³² − 1.
            thresholds.push(libm::round((1.0 - beyond) * 4_294_967_296.0) as u32);
        }
        let guide = (0u32..1 << GUIDE_BITS)
            .map(|bits| {
                let least = bits << (32 - GUIDE_BITS);
                thresholds.partition_point(|&threshold| threshold <= least) as u16
            })
            .collect();
        Self { thresholds, guide }
    }

    /// The pairs to skip, and whether to join the one after them or to draw again.
    #[inline(always)]
    fn skip(&self, word: u32) -> (u32, bool) {
        let mut skip = usize::from(self.guide[(word >> (32 - GUIDE_BITS)) as usize]);
        while let Some(&threshold) = self.thresholds.get(skip) {
            if threshold > word {
                return (skip as u32, true);
            }
            skip += 1;
        }
        (skip as u32, false)
    }
}

impl Rows for Bernoulli {
    fn fill(&self, source: u32, targets: &mut Vec<u32>) {
        let start = targets.len();
        match &self.skips {
            Skips::All => {}
            Skips::None => targets.extend(0..self.choices),
            Skips::Table(table) => self.fill_by_table(table, source, targets),
            Skips::Logarithm(scale) => self.fill_by_logarithm(*scale, source, targets),
        }
        if self.skips_own {
            super::draw::skip_own(&mut targets[start..], source);
        }
    }
}

impl Bernoulli {
    fn fill_by_table(&self, table: &Table, source: u32, targets: &mut Vec<u32>) {
        let mut words = [0; 64];
        let mut next = 0u64;
        for blocks in 0u64.. {
            self.words.fill(source.into(), blocks * 16, &mut words);
            for &word in &words {
                let (skip, joined) = table.skip(word);
                next += u64::from(skip);
                if next >= u64::from(self.choices) {
                    return;
                }
                if joined {
                    targets.push(next as u32);
                    next += 1;
                }
            }
        }
    }

    fn fill_by_logarithm(&self, scale: f64, source: u32, targets: &mut Vec<u32>) {
        let mut draws = self.random.draws(source.into());
        let mut next = 0u64;
        loop {
            // The conversion saturates, and the product is never NaN: the logarithm is finite and below 0.
            let skip = (libm::log(draws.open_unit()) * scale) as u64;
            next = next.saturating_add(skip);
            if next >= u64::from(self.choices) {
                return;
            }
            targets.push(next as u32);
            next += 1;
        }
    }
}

/// Each pair with probability `p`.
pub(super) fn pairwise_bernoulli(request: &Request, random: Random, p: f64) -> Made {
    let skips = if p == 0.0 {
        Skips::All
    } else if p == 1.0 {
        Skips::None
    } else if p >= LEAST_TABLE {
        Skips::Table(Table::new(p))
    } else {
        Skips::Logarithm(1.0 / libm::log1p(-p))
    };
    let rows = Bernoulli {
        words: Words::new(&random, 0),
        random,
        skips,
        choices: request
            .targets
            .saturating_sub(u32::from(request.skips_own())),
        skips_own: request.skips_own(),
    };
    Made::new(rows, Lengths::Unknown, None)
}

#[cfg(test)]
mod tests {
    use super::super::tests::random;
    use super::super::{Rule, plan};
    use super::*;
    use crate::sim::rng::Purpose;

    #[test]
    fn skips_are_geometric_by_table_and_by_logarithm() {
        let random = Random::new(1, 2, Purpose::Test);
        for p in [0.999, 0.5, 0.1, 0.01, 1e-3, 1.1e-4] {
            let rows = |skips| Bernoulli {
                words: Words::new(&random, 0),
                random,
                skips,
                choices: (2e5 / p) as u32,
                skips_own: false,
            };
            for skips in [
                Skips::Table(Table::new(p)),
                Skips::Logarithm(1.0 / libm::log1p(-p)),
            ] {
                let mut row = Vec::new();
                rows(skips).fill(7, &mut row);
                assert!((row.len() as f64 - 2e5).abs() < 4.0 * libm::sqrt(2e5 * (1.0 - p)) + 1.0);
                // Distances between neighbours in 40 bins of about equal probability.
                let mut bins = [[0.0f64; 2]; 40];
                let bin = |skip: f64| (40.0 * (1.0 - libm::pow(1.0 - p, skip))) as usize;
                for pair in row.windows(2) {
                    bins[bin(f64::from(pair[1] - pair[0] - 1)).min(39)][0] += 1.0;
                }
                let mut skip = 0.0;
                while libm::pow(1.0 - p, skip) > 1e-9 {
                    let probability = p * libm::pow(1.0 - p, skip);
                    bins[bin(skip).min(39)][1] += probability * (row.len() - 1) as f64;
                    skip += 1.0;
                }
                let filled = bins.iter().filter(|bin| bin[1] > 5.0);
                let chi2: f64 = filled
                    .map(|[found, mean]| (found - mean).powi(2) / mean)
                    .sum();
                // 39 degrees of freedom: 76 is exceeded once in three thousand.
                assert!(chi2 < 76.0, "p {p}: {chi2}");
            }
        }
    }

    #[test]
    fn the_largest_word_ends_every_table() {
        for p in [1.0 - f64::EPSILON, 0.5, LEAST_TABLE] {
            let table = Table::new(p);
            assert!(table.skip(u32::MAX).0 <= MOST_THRESHOLDS as u32);
            assert_eq!(table.skip(0), (0, true));
        }
    }

    #[test]
    fn bernoulli_has_its_limits_and_its_spread() {
        let number = |p, seed| {
            let rule = Rule::PairwiseBernoulli(p);
            plan(&Request::new(&rule, 40, 60, random(seed)))
                .unwrap()
                .len()
        };
        assert_eq!(number(0.0, 1), 0);
        assert_eq!(number(1.0, 1), 2400);
        assert_eq!(number(1e-300, 1), 0);
        assert_eq!(number(f64::MIN_POSITIVE / 4.0, 1), 0);
        let p = 0.2;
        let numbers: Vec<f64> = (0..2000).map(|seed| number(p, seed) as f64).collect();
        let mean = numbers.iter().sum::<f64>() / 2000.0;
        let variance = numbers.iter().map(|n| (n - mean).powi(2)).sum::<f64>() / 2000.0;
        assert!(
            (mean - 480.0).abs() < 4.0 * libm::sqrt(384.0 / 2000.0),
            "{mean}"
        );
        assert!((variance / 384.0 - 1.0).abs() < 0.13, "{variance}");
    }
}
