//! `FixedOutdegree` and `FixedTotalNumber`: a known number of random targets per source.
//!
//! The n synapses of `FixedTotalNumber` choose their sources independently, so the numbers of synapses per source are
//! multinomial; they are found by drawing the source of every synapse and counting, which takes one number per source.
//! Given its number of synapses, a row draws its targets on its own.
//!
//! Without multapses the pairs are a uniformly chosen set. Drawing one pair after the other and rejecting those that are
//! there already, a pair of source s is rejected with probability c(s)/t, c(s) being the pairs of s so far and t its
//! possible targets: the counts can be drawn without knowing any pair. Given its count, a row is a uniform set of
//! targets. Where more than half of all pairs are wanted, the missing ones are drawn instead.

use super::draw::{Seen, count_below, distinct, fill_below, skip_own};
use super::parallel::{for_each, sum, threads_for};
use super::words::Words;
use super::{Lengths, Made, Progress, Request, Rows};
use crate::sim::rng::Random;

/// The number of synapses at which a pair is joined at least once with probability `p`, when pairs are drawn with
/// replacement: ln(1 − p) / ln((N_t·N_s − 1)/(N_t·N_s)), rounded (Potjans & Diesmann 2014, doi:10.1093/cercor/bhs358).
///
/// Evaluated literally in f64, since published counts are. It is 0 for p ≤ 0 or a single pair, and saturates for
/// p ≥ 1.
pub fn count_for_probability(p: f64, n_source: u32, n_target: u32) -> u64 {
    let pairs = f64::from(n_target) * f64::from(n_source);
    libm::round(libm::log(1.0 - p) / libm::log((pairs - 1.0) / pairs)) as u64
}

/// Rows of independent random targets.
struct Independent {
    words: Words,
    counts: Counts,
    /// Targets to choose from.
    choices: u32,
    skips_own: bool,
}

/// Rows of different random targets.
struct Different {
    random: Random,
    counts: Counts,
    choices: u32,
    skips_own: bool,
    /// Whether the counts are of the targets that are left out.
    inverted: bool,
}

enum Counts {
    Same(u32),
    Each(Vec<u32>),
}

impl Counts {
    fn of(&self, source: u32) -> u32 {
        match self {
            Self::Same(count) => *count,
            Self::Each(counts) => counts[source as usize],
        }
    }
}

impl Rows for Independent {
    fn fill(&self, source: u32, targets: &mut Vec<u32>) {
        let start = targets.len();
        let count = self.counts.of(source);
        fill_below(&self.words, source.into(), self.choices, count, targets);
        if self.skips_own {
            skip_own(&mut targets[start..], source);
        }
    }
}

impl Rows for Different {
    fn fill(&self, source: u32, targets: &mut Vec<u32>) {
        let start = targets.len();
        let count = self.counts.of(source);
        let mut draws = self.random.draws(source.into());
        if self.inverted {
            let mut missing = Vec::with_capacity(count as usize);
            distinct(&mut draws, self.choices, count, &mut missing);
            let mut seen = Seen::new(self.choices, count);
            for target in missing {
                seen.insert(target);
            }
            targets.extend((0..self.choices).filter(|&target| seen.insert(target)));
        } else {
            distinct(&mut draws, self.choices, count, targets);
        }
        if self.skips_own {
            skip_own(&mut targets[start..], source);
        }
    }
}

/// Each source with `k` random targets.
pub(super) fn fixed_outdegree(request: &Request, random: Random, k: u32) -> Made {
    let choices = choices(request);
    if request.multapses {
        let rows = Independent {
            words: Words::new(&random, 0),
            counts: Counts::Same(k),
            choices,
            skips_own: request.skips_own(),
        };
        Made::new(rows, Lengths::Same(k), None)
    } else {
        let rows = Different {
            random,
            counts: Counts::Same(k),
            choices,
            skips_own: request.skips_own(),
            inverted: false,
        };
        Made::new(rows, Lengths::Same(k), None)
    }
}

/// `n` random pairs.
pub(super) fn fixed_total_number(request: &Request, random: Random, n: u64) -> Made {
    let choices = choices(request);
    if request.multapses {
        let counts = multinomial(request, &Words::new(&random, 1), n);
        let rows = Independent {
            words: Words::new(&random, 0),
            counts: Counts::Each(counts.clone()),
            choices,
            skips_own: request.skips_own(),
        };
        return Made::new(rows, Lengths::Each(counts), None);
    }
    let pairs = u64::from(request.sources) * u64::from(choices);
    let inverted = n > pairs / 2;
    let drawn = if inverted { pairs - n } else { n };
    let counts = without_replacement(request, &random, drawn, choices);
    let lengths = counts
        .iter()
        .map(|&count| if inverted { choices - count } else { count })
        .collect();
    let rows = Different {
        random,
        counts: Counts::Each(counts),
        choices,
        skips_own: request.skips_own(),
        inverted,
    };
    Made::new(rows, Lengths::Each(lengths), None)
}

/// The targets that a source can choose from.
fn choices(request: &Request) -> u32 {
    request
        .targets
        .saturating_sub(u32::from(request.skips_own()))
}

/// How many of `n` synapses choose each source.
fn multinomial(request: &Request, words: &Words, n: u64) -> Vec<u32> {
    const PIECE: u64 = 1 << 18;
    let progress = Progress::new(request, n);
    // A thread's counts should not cost more than its counting.
    let worth = n / u64::from(request.sources.max(1));
    let threads = threads_for(request, n).min(1 + worth as usize);
    let counts = for_each(
        threads,
        (0..n.div_ceil(PIECE)).map(|piece| piece * PIECE..n.min((piece + 1) * PIECE)),
        || vec![0; request.sources as usize],
        |counts, range| {
            let size = range.end - range.start;
            count_below(words, range, counts);
            progress.advance(size);
        },
    );
    sum(counts)
}

/// How many of `n` different pairs, `choices` per source being possible, belong to each source.
fn without_replacement(request: &Request, random: &Random, n: u64, choices: u32) -> Vec<u32> {
    let progress = Progress::new(request, n);
    let mut counts = vec![0; request.sources as usize];
    // The rows have the indices from 0 on.
    let mut draws = random.draws(u64::MAX);
    for number in 0..n {
        loop {
            let count = &mut counts[draws.below(request.sources) as usize];
            if draws.below(choices) >= *count {
                *count += 1;
                break;
            }
        }
        if number % (1 << 20) == 0 {
            progress.advance(1 << 20);
        }
    }
    counts
}

#[cfg(test)]
mod tests {
    use super::super::tests::{indegrees, random, rows};
    use super::super::{Rule, plan};
    use super::*;

    const NEURONS: [u32; 8] = [20683, 5834, 21915, 5479, 4850, 1065, 14395, 2948];

    /// Potjans & Diesmann 2014, table 5: row = target, column = source.
    const PROBABILITIES: [[f64; 8]; 8] = [
        [0.1009, 0.1689, 0.0437, 0.0818, 0.0323, 0.0, 0.0076, 0.0],
        [0.1346, 0.1371, 0.0316, 0.0515, 0.0755, 0.0, 0.0042, 0.0],
        [0.0077, 0.0059, 0.0497, 0.1350, 0.0067, 0.0003, 0.0453, 0.0],
        [0.0691, 0.0029, 0.0794, 0.1597, 0.0033, 0.0, 0.1057, 0.0],
        [0.1004, 0.0622, 0.0505, 0.0057, 0.0831, 0.3726, 0.0204, 0.0],
        [0.0548, 0.0269, 0.0257, 0.0022, 0.0600, 0.3158, 0.0086, 0.0],
        [
            0.0156, 0.0066, 0.0211, 0.0166, 0.0572, 0.0197, 0.0396, 0.2252,
        ],
        [
            0.0364, 0.0010, 0.0034, 0.0005, 0.0277, 0.0080, 0.0658, 0.1443,
        ],
    ];

    #[rustfmt::skip]
    const COUNTS: [[u64; 8]; 8] = [
        [45499805, 22323577, 20253647, 9670918, 3293578, 0, 2271404, 0],
        [17443694, 5018763, 4105338, 1690074, 2221213, 0, 353461, 0],
        [3503670, 756561, 24482849, 17413576, 714524, 7003, 14624432, 0],
        [8114254, 92832, 9933538, 5223272, 87836, 0, 8810905, 0],
        [10613575, 1817058, 5507804, 151900, 2040738, 2407889, 1438969, 0],
        [1241436, 169424, 607667, 12851, 319602, 430444, 132414, 0],
        [4681225, 556108, 6727570, 1320234, 4112225, 305029, 8372649, 10827677],
        [2260836, 17207, 220033, 8078, 401638, 25218, 2888426, 1354320],
    ];

    #[test]
    fn counts_of_the_cortical_microcircuit_are_the_published_ones() {
        let mut total = 0;
        for (target, row) in PROBABILITIES.iter().enumerate() {
            for (source, &p) in row.iter().enumerate() {
                let count = count_for_probability(p, NEURONS[source], NEURONS[target]);
                assert_eq!(count, COUNTS[target][source], "{source} to {target}");
                total += count;
            }
        }
        assert_eq!(total, 298_880_968);
        assert_eq!(count_for_probability(0.5, 1, 1), 0);
    }

    #[test]
    fn degrees_of_a_fixed_total_are_binomial() {
        let rule = Rule::FixedTotalNumber(100_000);
        let plan = plan(&Request::new(&rule, 1000, 500, random(3))).unwrap();
        let rows = rows(&plan);
        let outdegrees: Vec<u32> = rows.iter().map(|row| row.len() as u32).collect();
        for degrees in [outdegrees, indegrees(&rows, 500)] {
            let (n, mean) = (degrees.len() as f64, 1e5 / degrees.len() as f64);
            let squares: f64 = degrees.iter().map(|&d| (f64::from(d) - mean).powi(2)).sum();
            // Σ(d − mean)²/mean is chi-square with n − 1 degrees of freedom.
            assert!(
                (squares / mean - n).abs() < 4.0 * libm::sqrt(2.0 * n),
                "{}",
                squares / mean
            );
        }
    }

    /// Without multapses the counts per source must be those of a uniformly chosen set of pairs (hypergeometric).
    #[test]
    fn a_set_of_pairs_is_chosen_uniformly() {
        // 3 of the 6 pairs of 2 sources and 3 targets: source 0 has 0, 1, 2, 3 with odds 1 : 9 : 9 : 1.
        for n in [3, 4] {
            let rule = Rule::FixedTotalNumber(n);
            let mut counts = [0u32; 4];
            for seed in 0..20_000 {
                let request = Request {
                    multapses: false,
                    ..Request::new(&rule, 2, 3, random(seed))
                };
                counts[plan(&request).unwrap().row_len(0) as usize] += 1;
            }
            let odds = if n == 3 {
                [1.0, 9.0, 9.0, 1.0]
            } else {
                [0.0, 3.0, 9.0, 3.0]
            };
            let sum: f64 = odds.iter().sum();
            for (count, odds) in counts.iter().zip(odds) {
                let expected: f64 = 20_000.0 * odds / sum;
                let sd = libm::sqrt(expected);
                assert!(
                    (f64::from(*count) - expected).abs() <= 4.0 * sd,
                    "{n}: {counts:?}"
                );
            }
        }
    }
}
