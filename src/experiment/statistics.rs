//! What is said about many runs: mean, spread, and how sure a success rate is.
//!
//! Sums go in the order of the seeds, so that they do not depend on which run ended first.

use serde::Serialize;

/// The standard normal quantile of 97.5 %.
const Z: f64 = 1.959_963_984_540_054;

/// A measure over runs.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Summary {
    /// How many runs gave it.
    pub runs: usize,
    /// Its mean.
    pub mean: f64,
    /// Its standard deviation, with runs − 1 in the denominator; none for a single run.
    pub sd: Option<f64>,
    /// Half of the runs are below.
    pub median: f64,
    /// The least value.
    pub min: f64,
    /// The largest value.
    pub max: f64,
}

impl Summary {
    /// The summary of values, of which none is NaN; none for no values.
    pub fn of(values: &[f64]) -> Option<Self> {
        let mut sorted = values.to_vec();
        sorted.sort_by(f64::total_cmp);
        let (&min, &max) = (sorted.first()?, sorted.last()?);
        let n = values.len();
        let mean = values.iter().sum::<f64>() / n as f64;
        let squares: f64 = values.iter().map(|v| (v - mean) * (v - mean)).sum();
        Some(Self {
            runs: n,
            mean,
            sd: (n > 1).then(|| (squares / (n - 1) as f64).sqrt()),
            median: 0.5 * (sorted[(n - 1) / 2] + sorted[n / 2]),
            min,
            max,
        })
    }
}

/// A success rate with its 95 % interval.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Proportion {
    /// Runs with success.
    pub successes: usize,
    /// All runs.
    pub runs: usize,
    /// Their ratio.
    pub rate: f64,
    /// The 95 % interval by Wilson's score.
    pub interval: [f64; 2],
}

impl Proportion {
    /// So many successes in so many runs; none for no runs.
    pub fn of(successes: usize, runs: usize) -> Option<Self> {
        (runs > 0).then(|| Self {
            successes,
            runs,
            rate: successes as f64 / runs as f64,
            interval: wilson(successes, runs),
        })
    }
}

/// The 95 % interval of a rate by Wilson's score, without continuity correction; all of 0 to 1 for no runs.
///
/// E. B. Wilson, J. Am. Stat. Assoc. 22 (1927) 209, doi:10.1080/01621459.1927.10502953.
pub fn wilson(successes: usize, runs: usize) -> [f64; 2] {
    if runs == 0 {
        return [0.0, 1.0];
    }
    let (n, rate) = (runs as f64, successes as f64 / runs as f64);
    let squared = Z * Z / n;
    let middle = (rate + 0.5 * squared) / (1.0 + squared);
    let half = (rate * (1.0 - rate) * squared + 0.25 * squared * squared).sqrt() / (1.0 + squared);
    // At the ends the interval touches 0 and 1, but for rounding.
    [
        if successes == 0 { 0.0 } else { middle - half },
        if successes >= runs {
            1.0
        } else {
            middle + half
        },
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Values of R's `prop.test(k, n, correct = FALSE)`.
    #[test]
    fn wilson_intervals_are_the_known_ones() {
        for (successes, runs, low, high) in [
            (96, 100, 0.9016, 0.9843),
            (0, 10, 0.0, 0.2775),
            (10, 10, 0.7225, 1.0),
            (81, 263, 0.2553, 0.3662),
            (1, 1, 0.2065, 1.0),
            (500, 1000, 0.4691, 0.5309),
        ] {
            let [a, b] = wilson(successes, runs);
            assert!(
                (a - low).abs() < 6e-5 && (b - high).abs() < 6e-5,
                "{successes} of {runs}: [{a}, {b}]"
            );
        }
        assert_eq!(wilson(10, 10)[1], 1.0);
        assert_eq!(wilson(0, 10)[0], 0.0);
        assert_eq!(wilson(0, 0), [0.0, 1.0]);
        assert_eq!(Proportion::of(0, 0), None);
    }

    #[test]
    fn summary_follows_its_definitions() {
        let s = Summary::of(&[4.0, 1.0, 3.0, 2.0]).expect("values");
        assert_eq!(
            (s.runs, s.mean, s.median, s.min, s.max),
            (4, 2.5, 2.5, 1.0, 4.0)
        );
        assert!((s.sd.expect("an SD") - (5.0_f64 / 3.0).sqrt()).abs() < 1e-15);
        let one = Summary::of(&[7.0]).expect("a value");
        assert_eq!((one.sd, one.median), (None, 7.0));
        assert_eq!(Summary::of(&[3.0, 1.0, 2.0]).expect("values").median, 2.0);
        assert_eq!(Summary::of(&[]), None);
    }
}
