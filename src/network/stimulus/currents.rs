//! Stimulus currents: the `drive` columns.

use super::{Action, Stimulus, StimulusOrder};
use crate::sim::clock::Clock;
use crate::sim::columns::{ColumnComponent, Drive, LANES};
use crate::sim::math::{log, sin_cos_turn, sqrt};
use crate::sim::rng::{Purpose, Random, Seed, mix};
use crate::sim::simd::{SimdLevel, per_level};
use crate::sim::workers::{Shares, Workers};
use bevy::prelude::*;

/// The time course of a current.
#[derive(Clone, Debug)]
pub enum Course {
    /// Amplitude, offset, turns per ms, turns at 0.
    Sine(f64, f64, f64, f64),
    /// From, to, first step, steps.
    Ramp(f64, f64, u64, u64),
    /// (first step, current), ascending.
    Schedule(Vec<(u64, f64)>),
}

impl Course {
    fn at(&self, step: u64, dt_ms: f64) -> f32 {
        match self {
            Self::Sine(amplitude, offset, turns_per_ms, phase) => {
                let turn = turns_per_ms * step as f64 * dt_ms + phase;
                (offset + amplitude * libm::sin(core::f64::consts::TAU * (turn - turn.floor())))
                    as f32
            }
            Self::Ramp(from, to, first, steps) => {
                let share = (step.saturating_sub(*first)) as f64 / (*steps).max(1) as f64;
                (from + (to - from) * share.min(1.0)) as f32
            }
            Self::Schedule(list) => match list.partition_point(|(first, _)| *first <= step) {
                0 => 0.0,
                n => list[n - 1].1 as f32,
            },
        }
    }
}

/// Clears and fills the `drive` columns. The first system of `Encode`.
pub fn drive_currents(
    clock: Res<Clock>,
    workers: Res<Workers>,
    simd: Res<SimdLevel>,
    seed: Res<Seed>,
    stimuli: Query<&Stimulus>,
    order: Res<StimulusOrder>,
    mut drives: Query<&mut Drive>,
) {
    let step = clock.step();
    for &region in &order.driven {
        let Ok(mut drive) = drives.get_mut(region) else {
            continue;
        };
        let values = drive.column_mut().as_mut_slice();
        values.fill(0.0);
        for &entity in &order.currents {
            let Ok(stimulus) = stimuli.get(entity) else {
                continue;
            };
            if stimulus.region != region || step < stimulus.start || step >= stimulus.stop {
                continue;
            }
            match &stimulus.action {
                Action::Currents(currents) => {
                    for (value, current) in values.iter_mut().zip(currents.as_slice()) {
                        *value += current;
                    }
                }
                Action::Course(course, selected) => {
                    let current = course.at(step, clock.dt_ms());
                    for (value, share) in values.iter_mut().zip(selected.as_slice()) {
                        *value += current * share;
                    }
                }
                Action::Noise(noise, selected) => {
                    let random = Random::new(seed.0, stimulus.key, Purpose::Noise);
                    let key = random.step_key(step / noise.every);
                    let shares = Shares::new(values);
                    let chunks = values.len() / LANES;
                    let selected = selected.as_slice();
                    let lanes = workers.lanes();
                    workers.run(&|lane| {
                        let mut chunk = lane;
                        while chunk < chunks {
                            let at = chunk * LANES;
                            // SAFETY: each lane has its own chunks.
                            let out: &mut [f32; LANES] =
                                unsafe { &mut *shares.pointer().add(at).cast() };
                            let mask: &[f32; LANES] =
                                selected[at..at + LANES].try_into().expect("a whole chunk");
                            // SAFETY: the level was detected on this processor.
                            unsafe { add_noise(*simd, out, mask, noise, key, chunk as u32) };
                            chunk += lanes;
                        }
                    });
                }
                _ => {}
            }
        }
    }
}

/// A noise current.
#[derive(Clone, Copy, Debug)]
pub struct Noise {
    /// Its mean.
    pub mean: f32,
    /// Its standard deviation.
    pub sd: f32,
    /// Steps that a value lasts.
    pub every: u64,
    /// Whether values are spread evenly rather than normally.
    pub uniform: bool,
}

#[inline(always)]
fn noise(out: &mut [f32; LANES], mask: &[f32; LANES], noise: &Noise, key: [u32; 2], chunk: u32) {
    const HALF: usize = LANES / 2;
    const UNIT: f32 = 1.0 / (1 << 24) as f32;
    let (mean, sd) = (noise.mean, noise.sd);
    if noise.uniform {
        // √12, the width of a uniform distribution over its standard deviation.
        let width = sd * 3.464_101_6;
        for (i, (out, mask)) in out.iter_mut().zip(mask).enumerate() {
            let index = chunk * LANES as u32 + i as u32;
            let u = ((mix(index, key) >> 8) as f32 + 0.5) * UNIT;
            *out += (mean + width * (u - 0.5)) * mask;
        }
        return;
    }
    let mut normal = [0.0f32; LANES];
    for i in 0..HALF {
        let index = chunk * LANES as u32 + 2 * i as u32;
        // Box–Muller: two uniform numbers give two normal ones.
        let u = ((mix(index, key) >> 8) as f32 + 0.5) * UNIT;
        let turn = (mix(index + 1, key) >> 8) as f32 * UNIT;
        let radius = sqrt(-2.0 * log(u));
        let (sine, cosine) = sin_cos_turn(turn);
        normal[i] = radius * cosine;
        normal[i + HALF] = radius * sine;
    }
    for i in 0..LANES {
        out[i] += (mean + sd * normal[i]) * mask[i];
    }
}

per_level! {
    /// Adds noise to the currents of a chunk, where `mask` is 1.
    unsafe fn add_noise(
        out: &mut [f32; LANES],
        mask: &[f32; LANES],
        kind: &Noise,
        key: [u32; 2],
        chunk: u32,
    ) {
        noise(out, mask, kind, key, chunk)
    }
}
