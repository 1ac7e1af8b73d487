//! Many random words at once.
//!
//! The words are those of [`philox4x32`], made for 16 counters side by side so that the compiler can use vectors. With
//! AVX2 a word takes about 1 ns, with AVX-512 half of that, one by one about 2.

use crate::sim::rng::{Random, philox4x32};

/// Blocks that are made side by side.
const LANES: usize = 16;
const GROUP: usize = 4 * LANES;

/// A random function that gives its words in bulk. Word j of an index is word j mod 4 of block ⌊j/4⌋.
#[derive(Clone, Copy, Debug)]
pub struct Words {
    key: [u32; 2],
}

impl Words {
    /// The function number `number` of those that belong to `random`, which has other words.
    pub fn new(random: &Random, number: u64) -> Self {
        let [a, b, ..] = random.block(u64::MAX - 2, number);
        Self { key: [a, b] }
    }

    /// Block `counter` of `index`: four words.
    #[inline(always)]
    pub fn block(&self, index: u64, counter: u64) -> [u32; 4] {
        philox4x32(
            [
                index as u32,
                (index >> 32) as u32,
                counter as u32,
                (counter >> 32) as u32,
            ],
            self.key,
        )
    }

    /// Fills `out` with the words of `index` from block `first` on.
    pub fn fill(&self, index: u64, first: u64, out: &mut [u32]) {
        self.fill_mapped(index, first, out, |word| word);
    }

    /// As [`fill`](Self::fill), each word being passed through `map`.
    #[inline]
    pub(super) fn fill_mapped(
        &self,
        index: u64,
        first: u64,
        out: &mut [u32],
        map: impl Fn(u32) -> u32 + Copy,
    ) {
        #[cfg(target_arch = "x86_64")]
        if out.len() > GROUP / 2 {
            if is_x86_feature_detected!("avx512f")
                && is_x86_feature_detected!("avx512bw")
                && is_x86_feature_detected!("avx512vl")
                && is_x86_feature_detected!("avx512dq")
            {
                // SAFETY: the processor has these features.
                return unsafe { fill_avx512(*self, index, first, out, map) };
            }
            if is_x86_feature_detected!("avx2") {
                // SAFETY: the processor has this feature.
                return unsafe { fill_avx2(*self, index, first, out, map) };
            }
        }
        fill_any(*self, index, first, out, map);
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn fill_avx2(
    words: Words,
    index: u64,
    first: u64,
    out: &mut [u32],
    map: impl Fn(u32) -> u32 + Copy,
) {
    fill_any(words, index, first, out, map);
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq")]
fn fill_avx512(
    words: Words,
    index: u64,
    first: u64,
    out: &mut [u32],
    map: impl Fn(u32) -> u32 + Copy,
) {
    fill_any(words, index, first, out, map);
}

#[inline(always)]
fn fill_any(
    words: Words,
    index: u64,
    first: u64,
    out: &mut [u32],
    map: impl Fn(u32) -> u32 + Copy,
) {
    let mut counter = first;
    let (groups, rest) = out.as_chunks_mut::<GROUP>();
    for group in groups {
        fill_group(words.key, index, counter, group, map);
        counter += LANES as u64;
    }
    if rest.len() > GROUP / 2 {
        let mut group = [0; GROUP];
        fill_group(words.key, index, counter, &mut group, map);
        rest.copy_from_slice(&group[..rest.len()]);
        return;
    }
    for block in rest.chunks_mut(4) {
        for (value, word) in block.iter_mut().zip(words.block(index, counter)) {
            *value = map(word);
        }
        counter += 1;
    }
}

/// Philox4x32-10 for 16 counters. The words are kept in the low halves of 64-bit lanes, whose high halves may hold anything:
/// that is the form in which vector instructions multiply.
#[inline(always)]
fn fill_group(
    [mut k0, mut k1]: [u32; 2],
    index: u64,
    counter: u64,
    out: &mut [u32; GROUP],
    map: impl Fn(u32) -> u32 + Copy,
) {
    let low = |x: u64| x & 0xFFFF_FFFF;
    let counters: [u64; LANES] = core::array::from_fn(|lane| counter.wrapping_add(lane as u64));
    let mut c0 = [index; LANES];
    let mut c1 = [index >> 32; LANES];
    let mut c2 = counters;
    let mut c3 = counters.map(|counter| counter >> 32);
    for _ in 0..10 {
        for lane in 0..LANES {
            let p0 = low(c0[lane]) * 0xD251_1F53;
            let p1 = low(c2[lane]) * 0xCD9E_8D57;
            c0[lane] = (p1 >> 32) ^ c1[lane] ^ u64::from(k0);
            c1[lane] = p1;
            c2[lane] = (p0 >> 32) ^ c3[lane] ^ u64::from(k1);
            c3[lane] = p0;
        }
        k0 = k0.wrapping_add(0x9E37_79B9);
        k1 = k1.wrapping_add(0xBB67_AE85);
    }
    for lane in 0..LANES {
        out[4 * lane] = map(c0[lane] as u32);
        out[4 * lane + 1] = map(c1[lane] as u32);
        out[4 * lane + 2] = map(c2[lane] as u32);
        out[4 * lane + 3] = map(c3[lane] as u32);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::rng::Purpose;

    #[test]
    fn bulk_words_are_those_of_the_blocks() {
        let words = Words::new(&Random::new(1, 2, Purpose::Test), 3);
        for index in [0, 7, u64::MAX - 5] {
            for first in [0, 1, u64::from(u32::MAX) - 5, u64::MAX - 100] {
                for length in [0, 1, 5, 32, 33, 63, 64, 65, 127, 200] {
                    let mut bulk = vec![0; length];
                    words.fill(index, first, &mut bulk);
                    let single: Vec<u32> = (0..60)
                        .flat_map(|c| words.block(index, first + c))
                        .take(length)
                        .collect();
                    assert_eq!(bulk, single);
                    let mut portable = vec![0; length];
                    fill_any(words, index, first, &mut portable, |word| word);
                    assert_eq!(portable, single);
                }
            }
        }
    }

    #[test]
    fn functions_of_one_parent_differ() {
        let random = Random::new(1, 2, Purpose::Test);
        let a = Words::new(&random, 0).block(0, 0);
        assert_ne!(a, Words::new(&random, 1).block(0, 0));
        assert_ne!(a, random.block(0, 0));
    }

    #[test]
    #[ignore = "prints timings"]
    fn timing() {
        let words = Words::new(&Random::new(1, 2, Purpose::Test), 3);
        for length in [16, 40, 100, 1000, 4000] {
            let mut out = vec![0; length];
            let rounds = 40_000_000 / length as u64;
            let time = |work: &mut dyn FnMut(u64)| {
                let mut best = f64::INFINITY;
                for _ in 0..5 {
                    let begin = std::time::Instant::now();
                    (0..rounds / 5).for_each(&mut *work);
                    let each =
                        begin.elapsed().as_secs_f64() * 5e9 / (rounds * length as u64) as f64;
                    best = best.min(each);
                }
                best
            };
            let bulk = time(&mut |index| words.fill(index, 0, &mut out));
            let portable = time(&mut |index| fill_any(words, index, 0, &mut out, |word| word));
            let single = time(&mut |index| {
                for (counter, block) in out.chunks_mut(4).enumerate() {
                    block.copy_from_slice(&words.block(index, counter as u64)[..block.len()]);
                }
            });
            println!(
                "{length} words: bulk {bulk:.2}, portable {portable:.2}, one by one {single:.2} ns per word"
            );
        }
    }
}
