//! Traces that follow a [response function](crate::synapses::response), advanced from spike to spike.
//!
//! A trace is Σ κ(t − t_spike) over the spikes of a neuron. Where κ has no window it is a few numbers: what the stages of the
//! [cascade](crate::synapses::response::cascade) hold just after a spike, which tables of propagators bring to any later step. Where windows
//! of *D* steps in all are part of κ, the spikes of the last *D* steps are kept one by one, as bits, and κ itself is looked up for each; a spike
//! that leaves them enters the stages with what it has become by then, of which windows are over.
//!
//! | numbers of a trace | for |
//! |---|---|
//! | 1 | a single stage, or none: exactly as in pair STDP |
//! | 2, 8 | so many stages |
//! | 32 | 24 with the spikes of the last 576 steps, 24 in each, and 8 stages |

use super::decay::Decay;
use crate::synapses::response::cascade::{Cascade, product};

/// Spikes in one number of a trace: whole numbers up to 2²⁴ are exact in single precision.
const SPIKES: u32 = 24;
/// Numbers that hold spikes, of traces that have any.
const WORDS: usize = 24;
/// The longest windows of a trace, in steps.
pub(super) const LONGEST: u32 = WORDS as u32 * SPIKES;
/// The numbers of a trace with windows.
pub(super) const WINDOWED: usize = WORDS + 8;
/// What is left of a spike when a table ends, as a part of what it was.
const LEAST: f64 = 1e-30;
/// The time constant of an impulse in steps: nothing is left of it after one.
const INSTANT: f64 = 1e-4;

/// The least numbers that the traces of a cascade have.
pub(super) fn numbers(cascade: &Cascade) -> usize {
    match (cascade.windows().is_empty(), cascade.stages()) {
        (false, _) => WINDOWED,
        (true, 0..=1) => 1,
        (true, 2) => 2,
        (true, _) => 8,
    }
}

/// A response as a trace of `N` numbers.
pub(super) struct Tagger<const N: usize> {
    gain: f32,
    /// Of a single stage or none.
    single: Decay,
    stages: Stages,
    /// κ at so many steps, as long as windows last.
    recent: Vec<f32>,
    /// What the stages hold of a spike at the end of its windows.
    entry: Vec<f32>,
}

impl<const N: usize> Tagger<N> {
    /// A trace for steps of `dt` ms. `N` is at least what [`numbers`] says.
    pub(super) fn new(cascade: &Cascade, dt: f64) -> Self {
        let windows = cascade.windows().len();
        // An impulse is a stage that is over after no step.
        let taus = match cascade.taus() {
            [] => &[dt * INSTANT],
            taus => &taus[windows..],
        };
        let (recent, entry) = in_windows(cascade);
        // In powers of ms, so that all numbers are of ordinary size.
        let powers = |n: usize| (0..n).fold(1.0, |power, _| power * dt);
        let unit = powers(cascade.stages().saturating_sub(1));
        let held = entry[windows..].iter().enumerate();
        Self {
            gain: (cascade.gain() / unit) as f32,
            single: Decay::new(if N > 1 { 0.0 } else { taus[0] }, dt),
            stages: Stages::new(if N > 1 { taus } else { &[] }, dt),
            recent: recent.iter().map(|value| *value as f32).collect(),
            entry: held
                .map(|(i, held)| (held * powers(windows + i)) as f32)
                .collect(),
        }
    }

    /// The trace just after a spike, from what was left just before it.
    #[inline(always)]
    pub(super) fn raised(&self, mut trace: [f32; N]) -> [f32; N] {
        if N == WINDOWED && self.recent.is_empty() {
            trace[WORDS] += 1.0;
        } else if N == WINDOWED {
            trace[0] = (trace[0] as u32 | 1) as f32;
        } else {
            trace[0] += 1.0;
        }
        trace
    }

    /// What is left of a trace after so many steps without a spike.
    #[inline(always)]
    pub(super) fn left(&self, trace: [f32; N], steps: u32) -> [f32; N] {
        let mut left = [0.0; N];
        if N == 1 {
            left[0] = trace[0] * self.single.after(steps);
        } else if N == WINDOWED {
            let (words, stages) = left.split_at_mut(WORDS);
            let stages = &mut stages[..self.stages.count];
            self.stages.pass(&trace[WORDS..], steps, stages);
            let mut bits = [0u32; WORDS];
            for age in spikes(&trace[..WORDS]) {
                let age = age.saturating_add(steps);
                if (age as usize) < self.recent.len() {
                    bits[(age / SPIKES) as usize] |= 1 << (age % SPIKES);
                } else {
                    let later = age - self.recent.len() as u32;
                    self.stages.pass(&self.entry, later, stages);
                }
            }
            for (word, bits) in words.iter_mut().zip(bits) {
                *word = bits as f32;
            }
        } else {
            let stages = self.stages.count;
            self.stages.pass(&trace, steps, &mut left[..stages]);
        }
        left
    }

    /// The response so many steps after the time of a trace.
    #[inline(always)]
    pub(super) fn value(&self, trace: [f32; N], steps: u32) -> f32 {
        if N == 1 {
            return trace[0] * self.single.after(steps) * self.gain;
        }
        let left = self.left(trace, steps);
        if N == WINDOWED {
            let recent = spikes(&left[..WORDS]).map(|age| self.recent[age as usize]);
            let lasting = match self.stages.count {
                0 => 0.0,
                count => left[WORDS + count - 1] * self.gain,
            };
            return recent.fold(lasting, |sum, value| sum + value);
        }
        left[self.stages.count - 1] * self.gain
    }
}

/// How many steps ago each spike was, from the words of a trace.
#[inline(always)]
fn spikes(words: &[f32]) -> impl Iterator<Item = u32> {
    words.iter().zip(0..).flat_map(|(word, place)| {
        let mut bits = *word as u32;
        core::iter::from_fn(move || {
            let bit = (bits != 0).then(|| bits.trailing_zeros())?;
            bits &= bits - 1;
            Some(place * SPIKES + bit)
        })
    })
}

/// The response to one spike at each step as long as its windows last, and what the stages, in steps, hold when they are over.
fn in_windows(cascade: &Cascade) -> (Vec<f64>, Vec<f64>) {
    let (stages, size) = (cascade.stages(), cascade.stages() + 1);
    // The spike, taken back at the end of each window.
    let mut arrivals = vec![1.0];
    for &window in cascade.windows() {
        let ends = arrivals.len() + window as usize;
        let before = core::mem::replace(&mut arrivals, vec![0.0; ends]);
        for (i, spike) in before.into_iter().enumerate() {
            arrivals[i] += spike;
            arrivals[i + window as usize] -= spike;
        }
    }
    let step = cascade.after(1.0);
    let mut held = vec![0.0; stages];
    let mut response = Vec::new();
    for arrival in arrivals {
        for i in (0..stages).rev() {
            held[i] = (0..=i).map(|j| step[i * size + j] * held[j]).sum();
        }
        if let Some(first) = held.first_mut() {
            *first += arrival;
        }
        response.push(held.last().map_or(0.0, |last| last * cascade.gain()));
    }
    // At the last of these steps the windows are over.
    response.pop();
    (response, held)
}

/// Propagators of a cascade without windows over any number of steps, as products of two entries of small tables.
struct Stages {
    count: usize,
    /// Rows of the matrices without what is above the diagonal, one matrix after another.
    fine: Vec<f32>,
    coarse: Vec<f32>,
    shift: u32,
    /// The index of the last coarse matrix, which is 0.
    last: usize,
}

impl Stages {
    fn new(taus: &[f64], dt: f64) -> Self {
        let count = taus.len();
        let slowest = taus.iter().copied().fold(0.0, f64::max);
        // More than 2³⁰ steps are never asked for.
        let most = (-libm::log(LEAST) * slowest / dt).clamp(1.0, 1_073_741_824.0);
        let shift = (libm::log2(most).ceil() as u32).div_ceil(2).clamp(4, 15);
        let last = if count == 0 {
            0
        } else {
            (most / f64::from(1u32 << shift)) as usize + 1
        };
        let one = Cascade::of_stages(taus.to_vec(), dt);
        let powers = |base: &[f64], number: usize| {
            let mut matrix = one.after(0.0);
            let mut packed = Vec::with_capacity(number * count * (count + 1) / 2);
            for _ in 0..number {
                for i in 0..count {
                    for j in 0..=i {
                        let unit = (j..i).fold(1.0, |unit, _| unit * dt);
                        packed.push((matrix[i * (count + 1) + j] * unit) as f32);
                    }
                }
                matrix = product(base, &matrix, count + 1);
            }
            (packed, matrix)
        };
        let size = if count == 0 { 0 } else { 1usize << shift };
        let (fine, whole) = powers(&one.after(1.0), size);
        let (mut coarse, _) = powers(&whole, last);
        coarse.resize((last + 1) * count * (count + 1) / 2, 0.0);
        Self {
            count,
            fine,
            coarse,
            shift,
            last,
        }
    }

    /// Adds what is left of `held` after so many steps to `sum`.
    #[inline(always)]
    fn pass(&self, held: &[f32], steps: u32, sum: &mut [f32]) {
        const MOST: usize = 8;
        let size = self.count * (self.count + 1) / 2;
        let coarse = ((steps >> self.shift) as usize).min(self.last) * size;
        let fine = (steps as usize & ((1 << self.shift) - 1)) * size;
        let mut between = [0.0; MOST];
        add_product(
            &self.coarse[coarse..coarse + size],
            held,
            &mut between[..self.count],
        );
        add_product(&self.fine[fine..fine + size], &between, sum);
    }
}

/// Adds the product of a packed matrix and a vector.
#[inline(always)]
fn add_product(matrix: &[f32], vector: &[f32], sum: &mut [f32]) {
    let mut row = 0;
    for (i, sum) in sum.iter_mut().enumerate() {
        for (part, value) in matrix[row..=row + i].iter().zip(vector) {
            *sum += part * value;
        }
        row += i + 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::synapses::response::Response::{self, *};

    /// κ at t ms, for sequences that are written by hand.
    fn kernel(sequence: &[Response], t: f64) -> f64 {
        match *sequence {
            [Leaky { tau }] => libm::exp(-t / tau),
            [Flat] => 1.0,
            [LimitedFlat { window }] => f64::from(t < window - 1e-9),
            [Alpha { tau }] => t / tau * libm::exp(1.0 - t / tau),
            [Leaky { tau }, LimitedFlat { window }] => {
                let up = |t: f64| tau * -libm::expm1(-t.max(0.0) / tau);
                up(t) - up(t - window)
            }
            [LimitedFlat { window: a }, Flat, LimitedFlat { window: b }] => {
                let ramp = |t: f64| 0.5 * t.max(0.0).powi(2);
                ramp(t) - ramp(t - a) - ramp(t - b) + ramp(t - a - b)
            }
            [Alpha { tau }, Flat, Scaling { gain }] => {
                gain * core::f64::consts::E
                    * (tau * -libm::expm1(-t / tau) - t * libm::exp(-t / tau))
            }
            _ => panic!("not written"),
        }
    }

    /// A trace over a train of spikes, against sums over it.
    fn check<const N: usize>(sequence: &[Response], dt: f64) {
        let cascade = Cascade::new(sequence, dt);
        assert!(numbers(&cascade) <= N);
        let tagger = Tagger::<N>::new(&cascade, dt);
        let (mut trace, mut last) = ([0.0; N], 0);
        let mut train: Vec<u32> = Vec::new();
        let mut seed = 5u64;
        let mut largest = 0.0f64;
        while train.len() < 60 {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(9);
            let gap = if seed >> 61 == 0 {
                700
            } else {
                1 + (seed >> 40) as u32 % 40
            };
            for later in [0, 1, gap / 2, gap - 1, gap + 300] {
                let now = last + later;
                let ages = train.iter().map(|t| f64::from(now - t) * dt);
                let want: f64 = ages.map(|t| kernel(sequence, t)).sum();
                largest = largest.max(want);
                let got = f64::from(tagger.value(trace, later));
                assert!(
                    (got - want).abs() <= 2e-6 * largest,
                    "{sequence:?}, {N} numbers, {dt} ms: {got}, want {want}"
                );
            }
            trace = tagger.raised(tagger.left(trace, gap));
            last += gap;
            train.push(last);
        }
        assert!(largest > 0.0);
    }

    #[test]
    fn traces_are_sums_of_kernels() {
        for dt in [0.1, 0.5] {
            check::<1>(&[Leaky { tau: 15.0 }], dt);
            check::<1>(&[Flat], dt);
            check::<2>(&[Alpha { tau: 4.0 }], dt);
            check::<8>(&[Alpha { tau: 4.0 }], dt);
            check::<8>(&[Leaky { tau: 4.0 }], dt);
            check::<8>(&[Alpha { tau: 4.0 }, Flat, Scaling { gain: 0.3 }], dt);
            check::<WINDOWED>(&[Leaky { tau: 4.0 }], dt);
            check::<WINDOWED>(&[LimitedFlat { window: 10.0 }], dt);
            check::<WINDOWED>(&[Leaky { tau: 7.0 }, LimitedFlat { window: 12.5 }], dt);
            let ramps = [
                LimitedFlat { window: 5.0 },
                Flat,
                LimitedFlat { window: 7.5 },
            ];
            check::<WINDOWED>(&ramps, dt);
        }
    }

    #[test]
    fn an_identity_is_over_after_its_step() {
        let tagger = Tagger::<1>::new(&Cascade::new(&[Scaling { gain: 0.5 }], 0.1), 0.1);
        let trace = tagger.raised([0.0]);
        assert_eq!((tagger.value(trace, 0), tagger.value(trace, 1)), (0.5, 0.0));
        let tagger = Tagger::<2>::new(&Cascade::new(&[Identity], 0.1), 0.1);
        let trace = tagger.raised([0.0; 2]);
        assert_eq!((tagger.value(trace, 0), tagger.value(trace, 1)), (1.0, 0.0));
    }
}
