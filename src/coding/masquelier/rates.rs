//! Spike trains whose rates walk at random: what the afferents do between patterns.
//!
//! ```text
//! once per ms, U uniform in [0, 1) and new each time:
//! spike in this ms  ⇔  U < r · 1 ms, or none for the longest interval
//! r ← clamp(r + ṙ · 1 ms, 0, r_max)
//! ṙ ← clamp(ṙ + 0.4 (U − ½) ṙ_max, ±ṙ_max),   ṙ_max = r_max / longest interval
//! ```
//!
//! The spike is at a uniform time within its ms. Both numbers come from one 32-bit word: 20 bits for the spike, 12 for the walk.

use crate::sim::columns::LANES;
use crate::sim::kernel::{spike_flag, spike_mask};
use crate::sim::math::{max, min};
use crate::sim::rng::{Draws, mix};
use crate::sim::simd::{SimdLevel, per_level};

/// The rates of afferents, 64 to a block.
#[derive(Clone, Debug)]
pub(super) struct Rates {
    blocks: Vec<Block>,
    bounds: Bounds,
}

/// The state of 64 afferents.
#[derive(Clone, Copy, Debug)]
#[repr(align(64))]
struct Block {
    /// Expected spikes per ms.
    rate: [f32; LANES],
    /// Change of the rate per ms.
    speed: [f32; LANES],
    /// Whole ms since the last spike.
    age: [f32; LANES],
}

/// What the walk stays within.
#[derive(Clone, Copy, Debug)]
struct Bounds {
    rate: f32,
    speed: f32,
    age: f32,
}

impl Rates {
    /// Afferents at random rates, each with its last spike at a random time within `longest_ms`.
    pub fn new(
        afferents: u32,
        max_rate_hz: f64,
        longest_ms: f64,
        mut draws: impl FnMut(u64) -> Draws,
    ) -> Self {
        let rate = (max_rate_hz * 1e-3) as f32;
        let bounds = Bounds {
            rate,
            speed: rate / longest_ms as f32,
            age: longest_ms as f32,
        };
        let blocks = (0..(afferents as usize).div_ceil(LANES))
            .map(|block| {
                let mut state = Block {
                    rate: [0.0; LANES],
                    speed: [0.0; LANES],
                    age: [0.0; LANES],
                };
                for lane in 0..LANES {
                    let mut draws = draws((block * LANES + lane) as u64);
                    state.rate[lane] = draws.unit() as f32 * bounds.rate;
                    state.speed[lane] = (2.0 * draws.unit() - 1.0) as f32 * bounds.speed;
                    state.age[lane] = draws.unit() as f32 * bounds.age;
                }
                state
            })
            .collect();
        Self { blocks, bounds }
    }

    /// How many blocks of 64 afferents there are.
    pub fn blocks(&self) -> usize {
        self.blocks.len()
    }

    /// Steps a block through one ms per key; the afferents that spike in each are the bits of a mask.
    pub fn step(&mut self, block: usize, keys: &[[u32; 2]], masks: &mut [u64], simd: SimdLevel) {
        let first = (block * LANES) as u32;
        // SAFETY: the level was detected on this processor; the function itself is safe.
        unsafe {
            step_block(
                simd,
                &mut self.blocks[block],
                self.bounds,
                first,
                keys,
                masks,
            )
        }
    }
}

per_level! {
    /// [`Rates::step`].
    unsafe fn step_block(
        block: &mut Block,
        bounds: Bounds,
        first: u32,
        keys: &[[u32; 2]],
        masks: &mut [u64],
    ) {
        step_body(block, bounds, first, keys, masks)
    }
}

#[inline(always)]
fn step_body(block: &mut Block, bounds: Bounds, first: u32, keys: &[[u32; 2]], masks: &mut [u64]) {
    let step = 0.4 * bounds.speed;
    for (mask, &key) in masks.iter_mut().zip(keys) {
        let mut flags = [0u32; LANES];
        let state = block
            .rate
            .iter_mut()
            .zip(&mut block.speed)
            .zip(&mut block.age);
        for (lane, (flag, ((rate, speed), age))) in (0u32..).zip(flags.iter_mut().zip(state)) {
            let word = mix(first + lane, key);
            let now = *age + 1.0;
            let chance = (word >> 12) as f32 * (1.0 / (1u32 << 20) as f32);
            let spike = (chance < *rate) | (now >= bounds.age);
            *flag = spike_flag(spike);
            *age = if spike { 0.0 } else { now };
            *rate = min(max(*rate + *speed, 0.0), bounds.rate);
            let uniform = (word & 0xFFF) as f32 * (1.0 / 4096.0) - (0.5 - 0.5 / 4096.0);
            *speed = min(max(*speed + step * uniform, -bounds.speed), bounds.speed);
        }
        *mask = spike_mask(&flags);
    }
}
