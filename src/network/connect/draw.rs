//! Random indices: with replacement in bulk, and distinct ones.

use super::words::Words;
use crate::sim::rng::{Draws, Purpose, Random};

/// Up to this many, an index is drawn from 32 bits. See the module on uniformity.
const NARROW: u32 = 1 << 20;

/// The random function of one rule of an expression.
pub(super) fn child(random: &Random, number: u64) -> Random {
    let [a, b, ..] = random.block(u64::MAX - 1, number);
    Random::new(u64::from(a) | u64::from(b) << 32, number, Purpose::Connect)
}

#[inline(always)]
fn scale(word: u32, n: u32) -> u32 {
    ((u64::from(word) * u64::from(n)) >> 32) as u32
}

#[inline(always)]
fn scale_wide(low: u32, high: u32, n: u32) -> u32 {
    let word = u64::from(high) << 32 | u64::from(low);
    ((u128::from(word) * u128::from(n)) >> 64) as u32
}

/// Appends `count` numbers, each uniform below `n`, that belong to `index`. A prefix does not depend on `count`.
pub(super) fn fill_below(words: &Words, index: u64, n: u32, count: u32, out: &mut Vec<u32>) {
    let start = out.len();
    out.resize(start + count as usize, 0);
    fill_range(words, index, 0, n, &mut out[start..]);
}

/// Counts, for the numbers `range` of a sequence of numbers uniform below `counts.len()`, how often each value occurs.
/// `range` must start at a multiple of 4.
pub(super) fn count_below(words: &Words, range: core::ops::Range<u64>, counts: &mut [u32]) {
    debug_assert!(range.start.is_multiple_of(4));
    let mut values = [0; 2048];
    let mut start = range.start;
    while start < range.end {
        let size = (range.end - start).min(values.len() as u64);
        let values = &mut values[..size as usize];
        fill_range(words, 0, start, counts.len() as u32, values);
        for &value in &*values {
            counts[value as usize] += 1;
        }
        start += size;
    }
}

/// The numbers of a sequence from number `start` on, which is a multiple of 4.
fn fill_range(words: &Words, index: u64, start: u64, n: u32, out: &mut [u32]) {
    if n <= NARROW {
        return words.fill_mapped(index, start / 4, out, |word| scale(word, n));
    }
    for (pair, block) in out.chunks_mut(2).zip(start / 2..) {
        let [a, b, c, d] = words.block(index, block);
        for (value, (low, high)) in pair.iter_mut().zip([(a, b), (c, d)]) {
            *value = scale_wide(low, high, n);
        }
    }
}

/// Appends `k` different numbers below `n` ≥ `k`; every set of them is equally likely (Floyd's method: Bentley & Floyd 1987,
/// doi:10.1145/30401.315746). Takes `k` draws.
pub(super) fn distinct(draws: &mut Draws, n: u32, k: u32, out: &mut Vec<u32>) {
    let mut seen = Seen::new(n, k);
    out.extend((n - k..n).map(|last| {
        let value = draws.below(last + 1);
        if seen.insert(value) {
            value
        } else {
            seen.insert(last);
            last
        }
    }));
}

/// A set of up to `k` numbers below `n`: a bit for each where that is small, else a hash table.
pub(super) enum Seen {
    Bits(Vec<u64>),
    /// A power of two of slots, at least two for each number; empty ones hold `u32::MAX`, which is never a number.
    Slots(Vec<u32>),
}

impl Seen {
    pub(super) fn new(n: u32, k: u32) -> Self {
        if n / 64 <= 2 * k.min(1 << 30) {
            Self::Bits(vec![0; n as usize / 64 + 1])
        } else {
            Self::Slots(vec![u32::MAX; (2 * k as usize).next_power_of_two()])
        }
    }

    /// Adds `value`; whether it is new.
    #[inline]
    pub(super) fn insert(&mut self, value: u32) -> bool {
        match self {
            Self::Bits(bits) => {
                let word = &mut bits[value as usize / 64];
                let before = *word;
                *word |= 1 << (value % 64);
                *word != before
            }
            Self::Slots(slots) => {
                let mask = slots.len() - 1;
                let mut slot = (value.wrapping_mul(0x9E37_79B1) >> 8) as usize & mask;
                loop {
                    if slots[slot] == value {
                        return false;
                    }
                    if slots[slot] == u32::MAX {
                        slots[slot] = value;
                        return true;
                    }
                    slot = (slot + 1) & mask;
                }
            }
        }
    }
}

/// Makes room for a left-out index: numbers from `own` on move up by one.
#[inline(always)]
pub(super) fn skip_own(targets: &mut [u32], own: u32) {
    for target in targets {
        *target += u32::from(*target >= own);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn random() -> Random {
        Random::new(3, 4, Purpose::Test)
    }

    fn chi_square(counts: &[u32], expected: f64) -> f64 {
        counts
            .iter()
            .map(|&count| (f64::from(count) - expected).powi(2) / expected)
            .sum()
    }

    #[test]
    fn numbers_below_are_uniform_narrow_and_wide() {
        for n in [50, 50 << 20] {
            let mut out = Vec::new();
            fill_below(&Words::new(&random(), 0), 7, n, 100_000, &mut out);
            let mut counts = [0; 50];
            out.iter()
                .for_each(|&x| counts[(u64::from(x) * 50 / u64::from(n)) as usize] += 1);
            // 49 degrees of freedom: 85.4 is exceeded once in a thousand.
            assert!(chi_square(&counts, 2000.0) < 85.4);
            let mut few = vec![9];
            fill_below(&Words::new(&random(), 0), 7, n, 6, &mut few);
            assert_eq!(few[1..], out[..6]);
        }
    }

    #[test]
    fn counting_in_pieces_equals_counting_at_once() {
        let words = Words::new(&random(), 0);
        for n in [37, (1 << 20) + 1] {
            let (mut whole, mut pieces) = (vec![0; n], vec![0; n]);
            count_below(&words, 0..1001, &mut whole);
            for range in [0..400, 400..404, 404..1001] {
                count_below(&words, range, &mut pieces);
            }
            assert_eq!(whole, pieces);
            assert_eq!(whole.iter().sum::<u32>(), 1001);
        }
    }

    #[test]
    fn every_set_of_distinct_numbers_is_equally_likely() {
        let mut counts = vec![0u32; 1 << 6];
        for trial in 0..40_000 {
            let mut out = Vec::new();
            distinct(&mut random().draws(trial), 6, 3, &mut out);
            counts[out.iter().map(|x| 1 << x).sum::<usize>()] += 1;
        }
        let sets: Vec<u32> = counts.into_iter().filter(|&count| count > 0).collect();
        assert_eq!(sets.len(), 20);
        // 19 degrees of freedom: 43.8 is exceeded once in a thousand.
        assert!(chi_square(&sets, 2000.0) < 43.8);
    }

    #[test]
    fn both_kinds_of_set_tell_new_from_old() {
        for (n, k) in [(1000, 300), (1 << 31, 300)] {
            let mut seen = Seen::new(n, k);
            let mut out = Vec::new();
            distinct(&mut random().draws(1), n, k, &mut out);
            for &value in &out {
                assert!(seen.insert(value));
            }
            assert!(out.iter().all(|&value| !seen.insert(value)));
        }
        let mut all = Vec::new();
        distinct(&mut random().draws(1), 100, 100, &mut all);
        all.sort_unstable();
        assert!(all.into_iter().eq(0..100));
    }
}
