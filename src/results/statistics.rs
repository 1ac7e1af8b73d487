//! What a recording says in numbers, per region and over all regions.
//!
//! | number | definition |
//! |---|---|
//! | rate | spikes / (neurons × length of the window), in Hz |
//! | CV of ISI | mean over the neurons with more than 3 spikes in the window of: standard deviation / mean of the intervals between their spikes |
//! | silent fraction | share of the neurons without a spike in the window |
//! | Fano factor | variance / mean of the population's spike count in 1 ms bins |
//! | synchrony | the same in 3 ms bins, wide enough for a volley that a synapse spreads out |
//!
//! Variances divide by the number of values, as numpy's `var` and `std` do. The Fano factor of independent
//! Poisson neurons is 1; one that grows with the number of neurons means that they fire together. A CV is 0
//! for a clock and 1 for a Poisson process; it grows with the window where rates drift, so compare equal
//! windows only.
//!
//! All sums are sums of integers, counted in steps, and each number is made from them by one formula, so it
//! does not depend on any order. [`OnlineStatistics`] keeps these sums
//! while a run goes on; here the same sums are taken from a recording, so the two agree to the last bit.

use super::online::OnlineStatistics;
use super::{Recording, Window};
use serde::Serialize;

/// A neuron needs at least this many spikes to count in the CV: three intervals.
pub const FEWEST_SPIKES_FOR_CV: u64 = 4;

/// Name given to the statistics of all regions together.
pub const ALL_REGIONS: &str = "all";

/// The numbers of one region, or of all regions together.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct RegionStatistics {
    /// Name of the region, or [`ALL_REGIONS`].
    pub region: String,
    /// Number of neurons.
    pub neurons: u64,
    /// Number of spikes in the window.
    pub spikes: u64,
    /// Mean rate of a neuron in Hz; 0 for an empty region or window.
    pub rate_hz: f64,
    /// Mean coefficient of variation of the inter-spike intervals. None if no neuron fired often enough.
    pub cv_isi: Option<f64>,
    /// How many neurons the CV is a mean of.
    pub cv_neurons: u64,
    /// Share of neurons without a spike, 0 to 1; 0 for an empty region.
    pub silent_fraction: f64,
    /// Variance / mean of the spike count in 1 ms bins. None without a spike in a whole bin.
    pub fano_1ms: Option<f64>,
    /// Variance / mean of the spike count in 3 ms bins. None without a spike in a whole bin.
    pub synchrony_3ms: Option<f64>,
}

/// The numbers of a run.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct RunStatistics {
    /// Start and end of the window in ms; the window is what was recorded of the one asked for.
    pub window_ms: [f64; 2],
    /// One entry per region, in the order of the scene.
    pub regions: Vec<RegionStatistics>,
    /// All regions pooled.
    pub all: RegionStatistics,
}

/// How many neurons fire at which rate.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct RateHistogram {
    /// Edges of the bins in Hz, one more than there are bins, from 0 on.
    pub edges_hz: Vec<f64>,
    /// Neurons in each bin. A bin holds its lower edge; the last one holds its upper edge too.
    pub neurons: Vec<u64>,
}

/// The statistics of every region of a recording, and of all together.
pub fn statistics(recording: &Recording, window: Window) -> RunStatistics {
    let window = recording.clip(window);
    let online = gather(recording, window);
    RunStatistics {
        window_ms: [
            window.start_ms(recording.dt_ms),
            window.end_ms(recording.dt_ms),
        ],
        regions: (recording.trains.iter().enumerate())
            .map(|(index, train)| online.region(index, train.region))
            .collect(),
        all: online.all(),
    }
}

/// The rate of every neuron of one train, in Hz.
pub fn neuron_rates(recording: &Recording, train: usize, window: Window) -> Vec<f64> {
    let window = recording.clip(window);
    let train = &recording.trains[train];
    let mut counts = vec![0_u64; train.neurons as usize];
    for &id in &train.ids[train.range(window)] {
        counts[id as usize] += 1;
    }
    let seconds = window.duration_ms(recording.dt_ms) * 1e-3;
    counts
        .into_iter()
        .map(|count| ratio(count as f64, seconds))
        .collect()
}

/// Sorts rates into `bins` bins of equal width from 0 to the highest rate; at least one bin.
///
/// If every neuron is silent the bins end at 1 Hz. Rates must be finite and not negative.
pub fn rate_histogram(rates_hz: &[f64], bins: usize) -> RateHistogram {
    let bins = bins.max(1);
    let highest = rates_hz.iter().copied().fold(0.0, f64::max);
    let top = if highest > 0.0 { highest } else { 1.0 };
    let mut neurons = vec![0; bins];
    for rate in rates_hz {
        let bin = (rate / top * bins as f64) as usize;
        neurons[bin.min(bins - 1)] += 1;
    }
    RateHistogram {
        edges_hz: (0..=bins).map(|i| top * i as f64 / bins as f64).collect(),
        neurons,
    }
}

/// Runs a recording through the sums.
fn gather(recording: &Recording, window: Window) -> OnlineStatistics {
    let neurons: Vec<u32> = recording.trains.iter().map(|t| t.neurons).collect();
    let mut online = OnlineStatistics::new(&neurons, recording.dt_ms, window);
    recording.visit_steps(window, |step, train, ids| {
        online.record_all(train, ids, step)
    });
    online.advance(recording.end_step);
    online
}

/// a / b, or 0 where b is not positive.
pub(super) fn ratio(a: f64, b: f64) -> f64 {
    if b > 0.0 { a / b } else { 0.0 }
}

/// Standard deviation / mean of `count` values, from their sum and sum of squares.
///
/// None if the mean is zero, or if the sums fit no set of values.
pub(super) fn coefficient_of_variation(count: u64, sum: u64, squares: u128) -> Option<f64> {
    let spread = spread(count, sum, squares)?;
    (sum > 0).then(|| spread.sqrt() / sum as f64)
}

/// Variance / mean of `count` values, from their sum and sum of squares; None as above.
pub(super) fn variance_over_mean(count: u64, sum: u64, squares: u128) -> Option<f64> {
    let spread = spread(count, sum, squares)?;
    (sum > 0).then(|| spread / (count as f64 * sum as f64))
}

/// count² × variance, exact until the last conversion.
fn spread(count: u64, sum: u64, squares: u128) -> Option<f64> {
    let sum = u128::from(sum);
    let spread = u128::from(count)
        .checked_mul(squares)?
        .checked_sub(sum * sum)?;
    Some(spread as f64)
}

#[cfg(test)]
mod tests {
    use super::super::SpikeTrain;
    use super::*;

    fn close(a: f64, b: f64) -> bool {
        (a - b).abs() <= 1e-12 * b.abs().max(1.0)
    }

    /// The definitions, written down once more in floating point and straight from the list of spikes.
    fn by_definition(trains: &[SpikeTrain], dt: f64, start: f64, end: f64) -> RegionStatistics {
        let mut times: Vec<Vec<f64>> = Vec::new();
        let mut bins = [
            vec![0.0; (end - start) as usize],
            vec![0.0; ((end - start) / 3.0) as usize],
        ];
        for train in trains {
            let offset = times.len();
            times.resize(offset + train.neurons as usize, Vec::new());
            for (&step, &id) in train.steps.iter().zip(train.ids) {
                // Rounded to the step: 0.1 × 3 is not 0.3.
                let time = ((step + 1) as f64 * dt * 1e6).round() / 1e6;
                if time >= start && time < end {
                    times[offset + id as usize].push(time);
                    bins[0][(time - start) as usize] += 1.0;
                    if let Some(bin) = bins[1].get_mut(((time - start) / 3.0) as usize) {
                        *bin += 1.0;
                    }
                }
            }
        }
        let mean = |x: &[f64]| x.iter().sum::<f64>() / x.len() as f64;
        let variance =
            |x: &[f64]| mean(&x.iter().map(|v| (v - mean(x)).powi(2)).collect::<Vec<_>>());
        let cvs: Vec<f64> = (times.iter().filter(|t| t.len() > 3))
            .map(|t| {
                t.windows(2)
                    .map(|pair| pair[1] - pair[0])
                    .collect::<Vec<_>>()
            })
            .map(|isi| variance(&isi).sqrt() / mean(&isi))
            .collect();
        let spikes = times.iter().map(|t| t.len() as u64).sum();
        let silent = times.iter().filter(|t| t.is_empty()).count();
        let fano = |x: &[f64]| (mean(x) > 0.0).then(|| variance(x) / mean(x));
        RegionStatistics {
            region: String::new(),
            neurons: times.len() as u64,
            spikes,
            rate_hz: spikes as f64 / times.len() as f64 / ((end - start) * 1e-3),
            cv_isi: (!cvs.is_empty()).then(|| mean(&cvs)),
            cv_neurons: cvs.len() as u64,
            silent_fraction: silent as f64 / times.len() as f64,
            fano_1ms: fano(&bins[0]),
            synchrony_3ms: fano(&bins[1]),
        }
    }

    fn assert_equal(ours: &RegionStatistics, theirs: &RegionStatistics) {
        let same = |a: Option<f64>, b: Option<f64>| match (a, b) {
            (Some(a), Some(b)) => (a - b).abs() < 1e-9 * b.abs().max(1.0),
            (a, b) => a == b,
        };
        assert_eq!(ours.neurons, theirs.neurons);
        assert_eq!(ours.spikes, theirs.spikes);
        assert_eq!(ours.cv_neurons, theirs.cv_neurons);
        assert!(same(Some(ours.rate_hz), Some(theirs.rate_hz)));
        assert!(same(
            Some(ours.silent_fraction),
            Some(theirs.silent_fraction)
        ));
        assert!(same(ours.cv_isi, theirs.cv_isi), "{ours:?} {theirs:?}");
        assert!(same(ours.fano_1ms, theirs.fano_1ms), "{ours:?} {theirs:?}");
        assert!(
            same(ours.synchrony_3ms, theirs.synchrony_3ms),
            "{ours:?} {theirs:?}"
        );
    }

    proptest::proptest! {
        #[test]
        fn statistics_follow_their_definitions(
            spikes in proptest::collection::vec((0..5000_u64, 0..12_u32), 0..400),
            more in proptest::collection::vec((0..5000_u64, 0..5_u32), 0..100),
            dt in proptest::sample::select(vec![0.1, 0.25, 1.0, 0.5]),
            start in 0..40_u32,
            length in 1..80_u32,
        ) {
            let unzip = |mut spikes: Vec<(u64, u32)>| {
                spikes.sort();
                spikes.dedup();
                spikes.into_iter().unzip::<u64, u32, Vec<_>, Vec<_>>()
            };
            let (e, i) = (unzip(spikes), unzip(more));
            let trains = vec![
                SpikeTrain { region: "E", neurons: 13, steps: &e.0, ids: &e.1 },
                SpikeTrain { region: "I", neurons: 5, steps: &i.0, ids: &i.1 },
            ];
            let recording = Recording { dt_ms: dt, start_step: 0, end_step: 5000, trains };
            let (start, end) = (f64::from(start), f64::from(start + length));
            let ours = statistics(&recording, Window::between_ms(start, end, dt));
            assert_equal(&ours.regions[0], &by_definition(&recording.trains[..1], dt, start, end));
            assert_equal(&ours.regions[1], &by_definition(&recording.trains[1..], dt, start, end));
            assert_equal(&ours.all, &by_definition(&recording.trains, dt, start, end));
        }
    }

    /// dt 0.5 ms, 12 ms: neuron 0 is a clock with an interval of 2 ms, neuron 1 fires at 1, 2, 5, 6 ms,
    /// neuron 2 three times, neuron 3 never.
    fn example() -> (Vec<u64>, Vec<u32>) {
        let mut spikes = vec![];
        spikes.extend([2, 4, 6, 8, 10].map(|ms| (2 * ms - 1, 0)));
        spikes.extend([1, 2, 5, 6].map(|ms| (2 * ms - 1, 1)));
        spikes.extend([1, 2, 9].map(|ms| (2 * ms - 1, 2)));
        spikes.sort();
        spikes.into_iter().unzip()
    }

    #[test]
    fn worked_example() {
        let (steps, ids) = example();
        let recording = Recording {
            dt_ms: 0.5,
            start_step: 0,
            end_step: 24,
            trains: vec![SpikeTrain {
                region: "E",
                neurons: 4,
                steps: &steps,
                ids: &ids,
            }],
        };
        let result = statistics(&recording, Window::between_ms(0.0, 12.0, 0.5));
        let e = &result.regions[0];
        assert_eq!(result.window_ms, [0.0, 12.0]);
        assert_eq!((e.region.as_str(), e.neurons, e.spikes), ("E", 4, 12));
        assert!(close(e.rate_hz, 12.0 / 4.0 / 0.012));
        // Intervals 1, 3, 1 ms: mean 5/3, variance 8/9. The clock has a CV of 0.
        assert!(close(
            e.cv_isi.unwrap(),
            (8.0_f64 / 9.0).sqrt() / (5.0 / 3.0) / 2.0
        ));
        assert_eq!(e.cv_neurons, 2);
        assert_eq!(e.silent_fraction, 0.25);
        // Counts in 1 ms bins 0..12: 0 2 3 0 1 1 2 0 1 1 1 0; mean 1, mean of squares 22/12.
        assert!(close(e.fano_1ms.unwrap(), 22.0 / 12.0 - 1.0));
        // In 3 ms bins: 5 2 3 2; mean 3, variance 1.5.
        assert!(close(e.synchrony_3ms.unwrap(), 0.5));
        assert_eq!(result.all.spikes, 12);
        assert_eq!(result.all.region, ALL_REGIONS);
    }

    #[test]
    fn nothing_recorded_gives_no_nan() {
        let mut recording = Recording {
            dt_ms: 0.1,
            start_step: 0,
            end_step: 0,
            trains: vec![],
        };
        let empty = statistics(&recording, recording.window());
        assert_eq!(empty.all.rate_hz, 0.0);
        recording.trains.push(SpikeTrain {
            region: "E",
            neurons: 0,
            steps: &[],
            ids: &[],
        });
        recording.end_step = 100;
        let silent = statistics(&recording, recording.window());
        let expected = RegionStatistics {
            region: "E".into(),
            neurons: 0,
            spikes: 0,
            rate_hz: 0.0,
            cv_isi: None,
            cv_neurons: 0,
            silent_fraction: 0.0,
            fano_1ms: None,
            synchrony_3ms: None,
        };
        assert_eq!(silent.regions, [expected]);
    }

    #[test]
    fn histogram_counts_every_neuron_once() {
        let (steps, ids) = example();
        let recording = Recording {
            dt_ms: 0.5,
            start_step: 0,
            end_step: 24,
            trains: vec![SpikeTrain {
                region: "E",
                neurons: 4,
                steps: &steps,
                ids: &ids,
            }],
        };
        // 12 ms: 5, 4, 3, 0 spikes.
        let rates = neuron_rates(&recording, 0, recording.window());
        let expected = [5.0, 4.0, 3.0, 0.0].map(|spikes| spikes / 0.012);
        assert!(
            rates.iter().zip(expected).all(|(&a, b)| close(a, b)),
            "{rates:?}"
        );

        let histogram = rate_histogram(&[0.0, 0.9, 1.0, 2.0, 3.9, 4.0], 4);
        assert_eq!(histogram.edges_hz, [0.0, 1.0, 2.0, 3.0, 4.0]);
        assert_eq!(histogram.neurons, [2, 1, 1, 2]);
        assert_eq!(rate_histogram(&[0.0, 0.0], 2).neurons, [2, 0]);
        assert_eq!(rate_histogram(&[], 0).neurons, [0]);
    }

    #[test]
    fn sums_that_fit_no_values_give_none() {
        // The mean of squares is never below the square of the mean.
        assert_eq!(variance_over_mean(2, 10, 1), None);
        assert_eq!(coefficient_of_variation(u64::MAX, 1, u128::MAX), None);
        assert_eq!(coefficient_of_variation(3, 0, 0), None);
        assert_eq!(variance_over_mean(0, 0, 0), None);
    }
}
