//! Independent Poisson input of every neuron: the background of a network.
//!
//! It is drawn by [`integrate`](crate::network::region::integrate), chunk by chunk just before the chunk is stepped, so that the slots it
//! is added to are in the innermost cache, and its arithmetic goes on while the state is being fetched.

use super::{Action, Stimulus, StimulusOrder};
use crate::network::region::{InputMap, Region};
use crate::network::slots::Accumulator;
use crate::sim::clock::Clock;
use crate::sim::columns::{Column, LANES};
use crate::sim::kernel::LateInput;
use crate::sim::rng::{Draws, Purpose, Random, Seed, mix};
use crate::sim::simd::{SimdLevel, per_level};
use bevy::prelude::*;
use std::sync::Arc;

/// Independent Poisson input of each neuron.
#[derive(Clone, Debug)]
pub struct Background {
    /// The distribution of the number of input spikes in a step.
    pub counts: PoissonCounts,
    /// How often `counts` is drawn and summed (so that one draw has a small mean).
    pub draws: u32,
    /// One table per neuron where rates differ; else empty.
    pub per_neuron: Vec<(PoissonCounts, u32)>,
    /// The delay in steps.
    pub delay: u64,
    /// The receptor.
    pub receptor: usize,
    /// The weight of each neuron in quanta; 0 for neurons that are not selected.
    pub quanta: Column<i32>,
    /// The weight of all neurons, if they share it.
    pub shared: Option<i32>,
}

/// Exact Poisson numbers from 16 random bits.
///
/// Each count *k* owns ⌊65536·p_k⌋ of the 65,536 values of a 16-bit number; the few values left over lead to a second draw, from what
/// rounding down has left, so that the result has exactly the Poisson distribution (to 53 bits).
#[derive(Clone, Debug)]
pub struct PoissonCounts {
    /// The last 16-bit value that belongs to counts 0..=k, less 2¹⁵ so that signed numbers compare; ascending. Counts that own no value are
    /// left out at the start and counted in `least`.
    thresholds: Vec<i16>,
    /// The smallest count that owns a value.
    least: i16,
    /// 1, in memory: what the compiler does not know to be 1 it adds under a mask.
    one: i16,
    /// The last value that does not lead to the second draw, less 2¹⁵.
    last: i16,
    /// Cumulated probabilities of the second draw.
    residual: Vec<f64>,
}

/// A 16-bit number less 2¹⁵.
#[inline(always)]
fn signed(bits: u32) -> i16 {
    (bits ^ 0x8000) as u16 as i16
}

impl PoissonCounts {
    /// The largest mean of one draw; larger means are summed from several.
    pub const LARGEST_MEAN: f64 = 12.0;

    /// The table for a mean of `mean`, from 0 to [`LARGEST_MEAN`](Self::LARGEST_MEAN).
    pub fn new(mean: f64) -> Self {
        let mut p = libm::exp(-mean);
        let (mut thresholds, mut residual) = (Vec::new(), Vec::new());
        let (mut end, mut left) = (0u32, 0.0);
        let mut k = 0u32;
        let mut cumulated = 0.0;
        while cumulated < 1.0 - 1e-16 && k < 200 {
            let owned = (p * 65_536.0).floor();
            end += owned as u32;
            thresholds.push(end);
            left += p - owned / 65_536.0;
            residual.push(left);
            cumulated += p;
            k += 1;
            p *= mean / f64::from(k);
        }
        // Counts beyond the last that owns a value are reached by the second draw only.
        while thresholds.len() > 1 && thresholds[thresholds.len() - 2] == end {
            thresholds.pop();
        }
        for value in &mut residual {
            *value /= left;
        }
        let least = thresholds.partition_point(|&end| end == 0);
        Self {
            thresholds: thresholds[least..]
                .iter()
                .map(|&end| signed(end - 1))
                .collect(),
            least: least as i16,
            one: 1,
            last: signed(end - 1),
            residual,
        }
    }

    /// How often to draw, and the table of one draw, for a mean of `mean`.
    pub fn split(mean: f64) -> (Self, u32) {
        let draws = (mean / Self::LARGEST_MEAN).ceil().max(1.0);
        (Self::new(mean / draws), draws as u32)
    }

    /// The count that belongs to 16 random bits; `more` is drawn from in the rare second draw.
    #[inline]
    pub fn count(&self, bits: u16, more: impl FnOnce() -> Draws) -> u32 {
        let bits = signed(bits.into());
        if bits > self.last {
            return self.rare(more());
        }
        let above = self.thresholds.iter().filter(|&&t| bits > t).count();
        self.least as u32 + above as u32
    }

    /// The count of a second draw.
    fn rare(&self, mut more: Draws) -> u32 {
        let u = more.unit();
        self.residual.partition_point(|&c| c <= u) as u32
    }
}

/// The Poisson input of a region in the step under way. `Encode` says what there is; `Integrate` draws it.
#[derive(Component, Default)]
pub struct BackgroundInput(Vec<Emission>);

/// The Poisson input of one stimulus in one step.
struct Emission {
    background: Arc<Background>,
    random: Random,
    /// The step in which the input spikes are emitted.
    step: u64,
    /// The key of the first draw.
    key: [u32; 2],
    neurons: usize,
    /// Where the receptor's slots are within those of a chunk.
    offset: usize,
    simd: SimdLevel,
}

/// Finds the Poisson input of this step. A system of `Encode`.
pub fn background_input(
    clock: Res<Clock>,
    simd: Res<SimdLevel>,
    seed: Res<Seed>,
    order: Res<StimulusOrder>,
    stimuli: Query<&Stimulus>,
    mut regions: Query<(&Region, &InputMap, &mut BackgroundInput)>,
) {
    for (_, _, mut input) in &mut regions {
        input.0.clear();
    }
    for stimulus in order.backgrounds.iter().flat_map(|&s| stimuli.get(s)) {
        if let Ok((region, map, mut input)) = regions.get_mut(stimulus.region) {
            let emission = Emission::of(stimulus, region, map, *simd, seed.0, clock.step());
            input.0.extend(emission);
        }
    }
}

impl Emission {
    /// What a stimulus brings to its region in `step`, if it is a Poisson input that acts then.
    fn of(
        stimulus: &Stimulus,
        region: &Region,
        map: &InputMap,
        simd: SimdLevel,
        seed: u64,
        step: u64,
    ) -> Option<Self> {
        let Action::Poisson(background) = &stimulus.action else {
            return None;
        };
        let step = step
            .checked_sub(background.delay)
            .filter(|step| (stimulus.start..stimulus.stop).contains(step))?;
        let random = Random::new(seed, stimulus.key, Purpose::Poisson);
        Some(Self {
            background: Arc::clone(background),
            random,
            step,
            key: random.step_key(draw_index(step, 0)),
            neurons: region.neurons as usize,
            offset: map.offset[background.receptor]? as usize,
            simd,
        })
    }

    /// The keys of each draw, with the draw's number.
    #[inline(always)]
    fn keys(&self, draws: u32) -> impl Iterator<Item = (u32, [u32; 2])> {
        (0..draws).map(|draw| match draw {
            0 => (0, self.key),
            _ => (draw, self.random.step_key(draw_index(self.step, draw))),
        })
    }

    fn second_draw(&self, draw: u32, neuron: usize) -> Draws {
        self.random
            .draws(draw_index(self.step, draw).wrapping_mul(1 << 27) ^ neuron as u64)
    }
}

/// The number under which the numbers of one draw of a step are kept; there are fewer than 1024 draws.
fn draw_index(step: u64, draw: u32) -> u64 {
    step.wrapping_mul(1 << 10) | u64::from(draw)
}

impl BackgroundInput {
    /// Whether there is any in this step.
    pub fn acts(&self) -> bool {
        !self.0.is_empty()
    }

    /// # Safety
    /// As [`LateInput::add_narrow`].
    #[inline(always)]
    unsafe fn add<T: Accumulator>(&self, chunk: usize, slots: *mut T) {
        for emission in &self.0 {
            // SAFETY: the caller's promise; the level was detected on this processor.
            unsafe { add_poisson(emission.simd, emission, chunk, slots) };
        }
    }
}

impl LateInput for BackgroundInput {
    unsafe fn add_narrow(&self, chunk: usize, slots: *mut i32) {
        // SAFETY: the caller's promise.
        unsafe { self.add(chunk, slots) }
    }

    unsafe fn add_wide(&self, chunk: usize, slots: *mut i64) {
        // SAFETY: the caller's promise.
        unsafe { self.add(chunk, slots) }
    }
}

per_level! {
    /// Adds Poisson input to the slots of a chunk.
    unsafe fn add_poisson<T: Accumulator>(emission: &Emission, chunk: usize, slots: *mut T) {
        add_chunk::<T, { matches!(LEVEL, SimdLevel::Avx512) }>(emission, chunk, slots)
    }
}

/// # Safety
/// The chunk has slots for the emission's receptor, and nobody else uses them.
#[inline(always)]
unsafe fn add_chunk<T: Accumulator, const MASKS: bool>(
    emission: &Emission,
    chunk: usize,
    slots: *mut T,
) {
    let background = &*emission.background;
    // SAFETY: the caller's promise.
    let out = unsafe { &mut *slots.add(emission.offset).cast::<[T; LANES]>() };
    let at = chunk * LANES;
    let quanta = &background.quanta.as_slice()[at..at + LANES];
    if !background.per_neuron.is_empty() {
        return add_per_neuron(emission, background, at, quanta, out);
    }
    let counts = &background.counts;
    for (draw, key) in emission.keys(background.draws) {
        let mut number = [0i16; LANES];
        let mut bits = [0i16; LANES];
        if poisson_counts::<MASKS>(counts, key, chunk as u32, &mut number, &mut bits) {
            for (i, number) in number.iter_mut().enumerate() {
                if bits[i] > counts.last {
                    *number = counts.rare(emission.second_draw(draw, at + i)) as i16;
                }
            }
        }
        match background.shared {
            Some(weight) => {
                for (slot, &number) in out.iter_mut().zip(&number) {
                    slot.add(i32::from(number) * weight, 0);
                }
            }
            None => {
                for ((slot, &number), quanta) in out.iter_mut().zip(&number).zip(quanta) {
                    slot.add(i32::from(number) * quanta, 0);
                }
            }
        }
    }
}

/// Input whose rate differs from neuron to neuron.
#[inline(never)]
fn add_per_neuron<T: Accumulator>(
    emission: &Emission,
    background: &Background,
    at: usize,
    quanta: &[i32],
    out: &mut [T; LANES],
) {
    let neurons = emission.neurons.saturating_sub(at);
    for (i, (slot, quanta)) in out.iter_mut().zip(quanta).enumerate().take(neurons) {
        let (counts, draws) = &background.per_neuron[at + i];
        for (draw, key) in emission.keys(*draws) {
            let bits = (mix((at + i) as u32, key) >> 16) as u16;
            let n = counts.count(bits, || emission.second_draw(draw, at + i));
            slot.add(n as i32 * quanta, 0);
        }
    }
}

/// Draws a number for each neuron of a chunk from 16 random bits; true if some of the bits ask for the second draw.
///
/// The number is that of the thresholds below the bits. With `MASKS` an addition is made or not for each, else a comparison is added: the
/// same, but instruction sets differ in which is cheaper.
#[inline(always)]
fn poisson_counts<const MASKS: bool>(
    counts: &PoissonCounts,
    key: [u32; 2],
    chunk: u32,
    number: &mut [i16; LANES],
    bits: &mut [i16; LANES],
) -> bool {
    const HALF: usize = LANES / 2;
    for i in 0..HALF {
        let word = mix(chunk * HALF as u32 + i as u32, key);
        bits[i] = signed(word & 0xFFFF);
        bits[i + HALF] = signed(word >> 16);
    }
    *number = [counts.least; LANES];
    let one = counts.one;
    for &threshold in &counts.thresholds {
        for i in 0..LANES {
            number[i] = if MASKS {
                if bits[i] > threshold {
                    number[i].wrapping_add(one)
                } else {
                    number[i]
                }
            } else {
                number[i] + i16::from(bits[i] > threshold)
            };
        }
    }
    let mut rare = 0;
    for &bits in bits.iter() {
        rare |= i16::from(bits > counts.last);
    }
    rare != 0
}
#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn poisson_counts_have_the_poisson_distribution() {
        for mean in [0.01, 0.5, 1.68, 2.32, 11.0, 11.9, 12.0, 40.0] {
            let (counts, draws) = PoissonCounts::split(mean);
            let random = Random::new(3, 5, Purpose::Test);
            let n = 200_000u32;
            let (mut sum, mut square) = (0.0, 0.0);
            for i in 0..n {
                let mut k = 0;
                for draw in 0..draws {
                    let bits = (mix(i, random.step_key(draw.into())) >> 16) as u16;
                    k += counts.count(bits, || random.draws((u64::from(i) << 8) + u64::from(draw)));
                }
                sum += f64::from(k);
                square += f64::from(k) * f64::from(k);
            }
            let m = sum / f64::from(n);
            let variance = square / f64::from(n) - m * m;
            let error = 4.5 * (mean / f64::from(n)).sqrt();
            assert!((m - mean).abs() < error, "mean {m} of {mean}");
            assert!(
                (variance / mean - 1.0).abs() < 0.05,
                "variance {variance} of {mean}"
            );
        }
    }

    #[test]
    fn poisson_table_owns_what_its_probabilities_say() {
        let counts = PoissonCounts::new(2.0);
        let mut seen = [0u32; 40];
        let random = Random::new(1, 1, Purpose::Test);
        for bits in 0..=u16::MAX {
            seen[counts.count(bits, || random.draws(bits.into())) as usize] += 1;
        }
        let mut p = (-2.0f64).exp();
        for (k, &n) in seen.iter().enumerate().take(9) {
            assert!(
                (f64::from(n) - p * 65_536.0).abs() < 8.0,
                "{k}: {n} of {}",
                p * 65_536.0
            );
            p *= 2.0 / (k + 1) as f64;
        }
    }

    /// However a chunk's numbers are found, they are those of the table.
    #[test]
    fn chunks_of_counts_are_those_of_the_table() {
        for mean in [0.0, 0.3, 2.0, 11.9, 12.0] {
            let counts = PoissonCounts::new(mean);
            let key = Random::new(3, 5, Purpose::Test).step_key(7);
            for chunk in 0..200 {
                let (mut number, mut bits) = ([0; LANES], [0; LANES]);
                let (mut other, mut same) = ([0; LANES], [0; LANES]);
                let rare = poisson_counts::<true>(&counts, key, chunk, &mut number, &mut bits);
                assert_eq!(
                    poisson_counts::<false>(&counts, key, chunk, &mut other, &mut same),
                    rare
                );
                assert_eq!(bits, same);
                for i in 0..LANES {
                    let value = (bits[i] as u16) ^ 0x8000;
                    let more = || Random::new(1, 1, Purpose::Test).draws(1);
                    assert_eq!(number[i], other[i], "mean {mean}");
                    assert!(
                        bits[i] > counts.last || counts.count(value, more) == number[i] as u32,
                        "mean {mean}, value {value}: {}",
                        number[i]
                    );
                }
            }
        }
    }
}
