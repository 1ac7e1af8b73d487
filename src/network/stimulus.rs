//! Stimuli: what reaches a region from outside.
//!
//! Currents are summed into the region's `drive` column in `Encode`, in the order of the scene. Background input and listed input
//! spikes are added, in fixed point, to the same slots as synaptic input. Clamps act on the spikes that `Integrate` found. Every
//! stimulus is an entity with one [`Stimulus`]; it points at its region and never attaches to it.

use super::distribution::Distribution;
use super::region::{InputMap, Region, Spikes};
use super::slots::{Accumulator, InputSlots, SharedSlots};
use crate::sim::clock::{Clock, to_steps};
use crate::sim::columns::{Column, ColumnComponent, Drive, LANES};
use crate::sim::math::{log, sin_cos_turn, sqrt};
use crate::sim::quantity::{Range, Unit};
use crate::sim::rng::{Draws, Purpose, Random, mix};
use crate::sim::simd::SimdLevel;
use crate::sim::workers::{Shares, Workers};
use bevy::prelude::*;

/// Which neurons of a region.
#[derive(Reflect, Clone, Debug, Default, PartialEq)]
#[reflect(Default)]
pub enum Selection {
    /// Every neuron.
    #[default]
    All,
    /// Neurons `first` to `last`, both included.
    Range(u32, u32),
    /// These neurons.
    List(Vec<u32>),
    /// Every n-th neuron, from 0.
    Every(u32),
    /// A random fraction, from 0 to 1, rounded to whole neurons.
    Fraction(f64),
}

impl Selection {
    /// How many neurons of a region of `neurons` are selected.
    ///
    /// # Errors
    /// Names the entry that does not exist, or the number that is out of range.
    pub fn count(&self, neurons: u32) -> Result<u32, String> {
        let outside = |n: u32| match neurons.checked_sub(1) {
            Some(last) => format!("neuron {n} does not exist; the region has neurons 0 to {last}"),
            None => format!("neuron {n} does not exist; the region has no neurons"),
        };
        match self {
            Self::All => Ok(neurons),
            Self::Range(first, last) if first > last => Err(format!(
                "the range {first} to {last} is empty; give the smaller number first"
            )),
            Self::Range(_, last) if *last >= neurons => Err(outside(*last)),
            Self::Range(first, last) => Ok(last - first + 1),
            Self::List(list) => match list.iter().find(|n| **n >= neurons) {
                Some(&absent) => Err(outside(absent)),
                None => Ok(sorted(list).len() as u32),
            },
            Self::Every(0) => Err("Every(0) selects nothing; give 1 or more".into()),
            Self::Every(n) => Ok(neurons.div_ceil(*n)),
            Self::Fraction(fraction) if !(0.0..=1.0).contains(fraction) => {
                Err(format!("a fraction is from 0 to 1, not {fraction}"))
            }
            Self::Fraction(fraction) => Ok((f64::from(neurons) * fraction).round() as u32),
        }
    }

    /// The selected neurons of a region of `neurons`, ascending and without repetition.
    ///
    /// # Errors
    /// Those of [`count`](Self::count).
    pub fn neurons(&self, neurons: u32, random: Random) -> Result<Vec<u32>, String> {
        let wanted = self.count(neurons)? as usize;
        Ok(match self {
            Self::All => (0..neurons).collect(),
            Self::Range(first, last) => (*first..=*last).collect(),
            Self::List(list) => sorted(list),
            Self::Every(n) => (0..neurons).step_by(*n as usize).collect(),
            Self::Fraction(_) => {
                let mut all: Vec<u32> = (0..neurons).collect();
                let mut draws = random.draws(0);
                for i in 0..wanted.min(all.len()) {
                    let j = i + draws.below(neurons - i as u32) as usize;
                    all.swap(i, j);
                }
                all.truncate(wanted);
                all.sort_unstable();
                all
            }
        })
    }
}

/// The entries of a list, ascending and without repetition.
fn sorted(list: &[u32]) -> Vec<u32> {
    let mut list = list.to_vec();
    list.sort_unstable();
    list.dedup();
    list
}

/// When a stimulus acts.
#[derive(Reflect, Clone, Debug, PartialEq)]
#[reflect(Default)]
pub struct Window {
    /// From this time on.
    #[reflect(@Unit("ms"), @Range::non_negative())]
    pub start_ms: f64,
    /// Until just before this time; without it, to the end.
    #[reflect(@Unit("ms"), @Range::non_negative())]
    pub stop_ms: Option<f64>,
}

impl Default for Window {
    fn default() -> Self {
        Self {
            start_ms: 0.0,
            stop_ms: None,
        }
    }
}

/// What a stimulus does. Currents are in the model's current unit (pA, or none for Izhikevich 2003).
#[derive(Reflect, Clone, Debug, PartialEq)]
pub enum StimulusKind {
    /// A constant current, one number or one per neuron.
    Direct {
        /// The current.
        #[reflect(@Range::finite())]
        amplitude: Distribution,
    },
    /// A rectangular current that is on from the window's start to its stop: the same as `Direct`, by its usual name.
    Step {
        /// The current.
        #[reflect(@Range::finite())]
        amplitude: Distribution,
    },
    /// offset + amplitude · sin(2π f t + phase).
    Alternating {
        /// The amplitude.
        #[reflect(@Range::finite())]
        amplitude: f64,
        /// The mean.
        #[reflect(@Range::finite())]
        offset: f64,
        /// The frequency.
        #[reflect(@Unit("Hz"), @Range::non_negative())]
        frequency_hz: f64,
        /// The phase at t = 0.
        #[reflect(@Unit("degrees"), @Range::finite())]
        phase_deg: f64,
    },
    /// A linear ramp over the window, from one current to another.
    Ramp {
        /// The current at the window's start.
        #[reflect(@Range::finite())]
        from: f64,
        /// The current at the window's stop.
        #[reflect(@Range::finite())]
        to: f64,
    },
    /// Gaussian noise, independent for each neuron, a new value every `interval_ms`.
    Noise {
        /// The mean.
        #[reflect(@Range::finite())]
        mean: f64,
        /// The standard deviation.
        #[reflect(@Range::non_negative())]
        sd: f64,
        /// How long a value lasts; 0 for one step.
        #[reflect(@Unit("ms"), @Range::non_negative())]
        interval_ms: f64,
    },
    /// One current per neuron from a CSV file with columns `neuron` and `current`.
    CurrentFile(String),
    /// A current that changes at listed times: (time in ms, current), each lasting until the next.
    Schedule(Vec<(f64, f64)>),
    /// Independent Poisson input spikes to each neuron.
    Poisson {
        /// The rate of the input of one neuron (the sum over its sources).
        #[reflect(@Unit("Hz"), @Range::non_negative())]
        rate_hz: Distribution,
        /// The weight of an input spike, in the receptor's unit; one number or one per neuron.
        #[reflect(@Range::finite())]
        weight: Distribution,
        /// The delay.
        #[reflect(@Unit("ms"), @Range::non_negative())]
        delay_ms: f64,
        /// The receptor; without it the first, or the second for negative weights.
        receptor: Option<String>,
    },
    /// Input spikes at listed times to each selected neuron.
    InputSpikes {
        /// The times at which the spikes are emitted.
        #[reflect(@Unit("ms"), @Range::non_negative())]
        times_ms: Vec<f64>,
        /// The weight, in the receptor's unit.
        #[reflect(@Range::finite())]
        weight: f64,
        /// The delay.
        #[reflect(@Unit("ms"), @Range::non_negative())]
        delay_ms: f64,
        /// The receptor; without it the first, or the second for negative weights.
        receptor: Option<String>,
    },
    /// The selected neurons spike at these times, whatever their membrane does.
    Spike {
        /// The times: a spike carries the stamp nearest to each.
        #[reflect(@Unit("ms"), @Range::non_negative())]
        times_ms: Vec<f64>,
    },
    /// The selected neurons do not spike in the window.
    Silence,
}

/// A stimulus as it runs: kind, region, neurons and window in steps.
#[derive(Component, Clone, Debug)]
pub struct Stimulus {
    /// Its place in the scene; the order in which currents are summed.
    pub order: u32,
    /// The hash of its name.
    pub key: u64,
    /// The region.
    pub region: Entity,
    /// What it does, ready to run.
    pub action: Action,
    /// The first step in which it acts.
    pub start: u64,
    /// The first step in which it no longer acts.
    pub stop: u64,
}

/// A stimulus's kind with everything derived that a step needs.
#[derive(Clone, Debug)]
pub enum Action {
    /// One current per neuron.
    Currents(Column<f32>),
    /// A time course that all selected neurons share; the column holds 1 for them, else 0.
    Course(Course, Column<f32>),
    /// Mean, standard deviation, steps a value lasts, selected neurons.
    Noise(f32, f32, u64, Column<f32>),
    /// Background input.
    Poisson(Background),
    /// Input spikes: due steps (ascending), receptor, quanta per neuron.
    InputSpikes(Vec<u64>, usize, Column<i32>),
    /// Forced spikes: steps (ascending) and a mask.
    Spike(Vec<u64>, Vec<u64>),
    /// Silenced neurons: a mask.
    Silence(Vec<u64>),
}

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

/// Clears and fills the `drive` columns. The first system of `Encode`.
pub fn drive_currents(
    clock: Res<Clock>,
    workers: Res<Workers>,
    simd: Res<SimdLevel>,
    seed: Res<crate::sim::rng::Seed>,
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
                Action::Noise(mean, sd, every, selected) => {
                    let random = Random::new(seed.0, stimulus.key, Purpose::Noise);
                    let key = random.step_key(step / every);
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
                            noise_chunk(*simd, out, mask, *mean, *sd, key, chunk as u32);
                            chunk += lanes;
                        }
                    });
                }
                _ => {}
            }
        }
    }
}

#[inline(always)]
fn noise_body(
    out: &mut [f32; LANES],
    mask: &[f32; LANES],
    mean: f32,
    sd: f32,
    key: [u32; 2],
    chunk: u32,
) {
    const HALF: usize = LANES / 2;
    const UNIT: f32 = 1.0 / (1 << 24) as f32;
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

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn noise_avx2(
    out: &mut [f32; LANES],
    mask: &[f32; LANES],
    mean: f32,
    sd: f32,
    key: [u32; 2],
    chunk: u32,
) {
    noise_body(out, mask, mean, sd, key, chunk);
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq")]
fn noise_avx512(
    out: &mut [f32; LANES],
    mask: &[f32; LANES],
    mean: f32,
    sd: f32,
    key: [u32; 2],
    chunk: u32,
) {
    noise_body(out, mask, mean, sd, key, chunk);
}

fn noise_chunk(
    simd: SimdLevel,
    out: &mut [f32; LANES],
    mask: &[f32; LANES],
    mean: f32,
    sd: f32,
    key: [u32; 2],
    chunk: u32,
) {
    match simd {
        // SAFETY: the level was detected on this processor.
        #[cfg(target_arch = "x86_64")]
        SimdLevel::Avx2 => unsafe { noise_avx2(out, mask, mean, sd, key, chunk) },
        // SAFETY: as above.
        #[cfg(target_arch = "x86_64")]
        SimdLevel::Avx512 => unsafe { noise_avx512(out, mask, mean, sd, key, chunk) },
        _ => noise_body(out, mask, mean, sd, key, chunk),
    }
}

/// Adds background input and listed input spikes to the slots of this step. The second system of `Encode`.
pub fn background_input(
    clock: Res<Clock>,
    workers: Res<Workers>,
    simd: Res<SimdLevel>,
    seed: Res<crate::sim::rng::Seed>,
    order: Res<StimulusOrder>,
    stimuli: Query<&Stimulus>,
    regions: Query<(&Region, &InputMap)>,
    mut slots: ResMut<InputSlots>,
) {
    let (step, simd, seed) = (clock.step(), *simd, seed.0);
    let inputs = || {
        order.inputs.iter().filter_map(|&entity| {
            let stimulus = stimuli.get(entity).ok()?;
            let (region, map) = regions.get(stimulus.region).ok()?;
            Some((stimulus, region, map))
        })
    };
    if !inputs().any(|(stimulus, ..)| stimulus.acts(step)) {
        return;
    }
    match &mut *slots {
        InputSlots::Narrow(slots) => {
            let shares = slots.share(step);
            workers.run(&|lane| {
                for (stimulus, region, map) in inputs() {
                    add_input(stimulus, region, map, &shares, step, simd, seed, lane);
                }
            });
        }
        InputSlots::Wide(slots) => {
            let shares = slots.share(step);
            workers.run(&|lane| {
                for (stimulus, region, map) in inputs() {
                    add_input(stimulus, region, map, &shares, step, simd, seed, lane);
                }
            });
        }
    }
}

impl Stimulus {
    /// Whether the stimulus brings input spikes in `step`.
    fn acts(&self, step: u64) -> bool {
        match &self.action {
            Action::Poisson(background) => {
                step >= background.delay + self.start && step - background.delay < self.stop
            }
            Action::InputSpikes(due, ..) => due.binary_search(&step).is_ok(),
            _ => false,
        }
    }
}

/// One lane's part of the input of one stimulus.
fn add_input<T: Accumulator>(
    stimulus: &Stimulus,
    region: &Region,
    map: &InputMap,
    slots: &SharedSlots<'_, T>,
    step: u64,
    simd: SimdLevel,
    seed: u64,
    lane: usize,
) {
    if !stimulus.acts(step) {
        return;
    }
    match &stimulus.action {
        Action::Poisson(background) => {
            let Some(offset) = map.offset[background.receptor] else {
                return;
            };
            let emission = Emission {
                background,
                random: Random::new(seed, stimulus.key, Purpose::Poisson),
                step: step - background.delay,
                neurons: region.neurons as usize,
            };
            let lane = LaneSlots {
                map,
                offset,
                slots,
                lane,
            };
            // SAFETY: a lane touches the chunks of its own blocks only; the level was detected on this processor.
            unsafe {
                match simd {
                    #[cfg(target_arch = "x86_64")]
                    SimdLevel::Avx2 => poisson_lane_avx2(&emission, &lane),
                    #[cfg(target_arch = "x86_64")]
                    SimdLevel::Avx512 => poisson_lane_avx512(&emission, &lane),
                    _ => poisson_lane::<T, false>(&emission, &lane),
                }
            }
        }
        Action::InputSpikes(due, receptor, quanta) => {
            let times = due.partition_point(|&d| d <= step) - due.partition_point(|&d| d < step);
            let Some(offset) = map.offset[*receptor] else {
                return;
            };
            let lane = LaneSlots {
                map,
                offset,
                slots,
                lane,
            };
            for chunk in lane.chunks() {
                let weights = &quanta.as_slice()[chunk * LANES..(chunk + 1) * LANES];
                // SAFETY: the lane's own chunk.
                let out = unsafe { lane.chunk(chunk) };
                for _ in 0..times {
                    out.iter_mut()
                        .zip(weights)
                        .for_each(|(slot, &w)| slot.add(w, 0));
                }
            }
        }
        _ => {}
    }
}

/// The Poisson input of one region in one step.
struct Emission<'a> {
    background: &'a Background,
    random: Random,
    /// The step in which the input spikes are emitted.
    step: u64,
    neurons: usize,
}

impl Emission<'_> {
    /// The number under which the numbers of one draw of this step are kept.
    fn draw(&self, draw: u32) -> u64 {
        self.step.wrapping_mul(1 << 10) | u64::from(draw)
    }

    fn second_draw(&self, draw: u32, neuron: usize) -> Draws {
        self.random
            .draws(self.draw(draw).wrapping_mul(1 << 27) ^ neuron as u64)
    }
}

/// The slots of one receptor of one region that a lane may write.
struct LaneSlots<'a, T> {
    map: &'a InputMap,
    offset: u32,
    slots: &'a SharedSlots<'a, T>,
    lane: usize,
}

impl<T> LaneSlots<'_, T> {
    /// The lane's chunks.
    #[inline(always)]
    fn chunks(&self) -> impl Iterator<Item = usize> {
        let spans = self.map.spans.get(self.lane).map_or(&[][..], Vec::as_slice);
        spans
            .iter()
            .flat_map(|&(first, end)| first as usize..end as usize)
    }

    /// # Safety
    /// No other thread uses the chunk.
    #[inline(always)]
    #[expect(clippy::mut_from_ref, reason = "lanes own disjoint chunks")]
    unsafe fn chunk(&self, chunk: usize) -> &mut [T; LANES] {
        let block = usize::from(self.map.block[chunk]);
        // SAFETY: the caller's promise; the chunk has slots at the offset.
        unsafe {
            &mut *self
                .slots
                .block(block)
                .add((self.map.base[chunk] + self.offset) as usize)
                .cast()
        }
    }
}

/// # Safety
/// No other thread uses the lane's chunks.
#[inline(always)]
unsafe fn poisson_lane<T: Accumulator, const BLENDS: bool>(
    emission: &Emission<'_>,
    lane: &LaneSlots<'_, T>,
) {
    let background = emission.background;
    if !background.per_neuron.is_empty() {
        // SAFETY: the caller's promise.
        unsafe { poisson_per_neuron(emission, lane) };
        return;
    }
    let counts = &background.counts;
    for draw in 0..background.draws {
        let key = emission.random.step_key(emission.draw(draw));
        for chunk in lane.chunks() {
            let mut number = [0i16; LANES];
            let mut bits = [0i16; LANES];
            if poisson_counts::<BLENDS>(counts, key, chunk as u32, &mut number, &mut bits) {
                for (i, number) in number.iter_mut().enumerate() {
                    if bits[i] > counts.last {
                        let more = emission.second_draw(draw, chunk * LANES + i);
                        *number = counts.rare(more) as i16;
                    }
                }
            }
            // SAFETY: the caller's promise.
            let out = unsafe { lane.chunk(chunk) };
            match background.shared {
                Some(weight) => {
                    for (slot, &number) in out.iter_mut().zip(&number) {
                        slot.add(i32::from(number) * weight, 0);
                    }
                }
                None => {
                    let quanta = &background.quanta.as_slice()[chunk * LANES..(chunk + 1) * LANES];
                    for ((slot, &number), quanta) in out.iter_mut().zip(&number).zip(quanta) {
                        slot.add(i32::from(number) * quanta, 0);
                    }
                }
            }
        }
    }
}

/// # Safety
/// As [`poisson_lane`]; the processor has AVX2.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
unsafe fn poisson_lane_avx2<T: Accumulator>(emission: &Emission<'_>, lane: &LaneSlots<'_, T>) {
    // SAFETY: the caller's promise.
    unsafe { poisson_lane::<T, false>(emission, lane) }
}

/// # Safety
/// As [`poisson_lane`]; the processor has AVX-512.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq")]
unsafe fn poisson_lane_avx512<T: Accumulator>(emission: &Emission<'_>, lane: &LaneSlots<'_, T>) {
    // SAFETY: the caller's promise.
    unsafe { poisson_lane::<T, true>(emission, lane) }
}

/// Input whose rate differs from neuron to neuron.
///
/// # Safety
/// No other thread uses the lane's chunks.
#[inline(never)]
unsafe fn poisson_per_neuron<T: Accumulator>(emission: &Emission<'_>, lane: &LaneSlots<'_, T>) {
    let background = emission.background;
    let quanta = background.quanta.as_slice();
    for chunk in lane.chunks() {
        let at = chunk * LANES;
        // SAFETY: the caller's promise.
        let out = unsafe { lane.chunk(chunk) };
        for (i, slot) in out
            .iter_mut()
            .enumerate()
            .take(emission.neurons.saturating_sub(at))
        {
            let (counts, draws) = &background.per_neuron[at + i];
            for draw in 0..*draws {
                let key = emission.random.step_key(emission.draw(draw));
                let bits = (mix((at + i) as u32, key) >> 16) as u16;
                let n = counts.count(bits, || emission.second_draw(draw, at + i));
                slot.add(n as i32 * quanta[at + i], 0);
            }
        }
    }
}

/// Draws a number for each neuron of a chunk from 16 random bits; true if some of the bits ask for the second draw.
///
/// With `BLENDS` the number is chosen by the last threshold below the bits, else thresholds below the bits are counted: the same, but
/// processors differ in which is cheaper.
#[inline(always)]
fn poisson_counts<const BLENDS: bool>(
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
    for (&threshold, count) in counts.thresholds.iter().zip(counts.least + 1..) {
        for i in 0..LANES {
            number[i] = if BLENDS {
                if bits[i] > threshold {
                    count
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

/// Forces and forbids spikes. Runs at the end of `Integrate`.
pub fn clamp_spikes(
    clock: Res<Clock>,
    order: Res<StimulusOrder>,
    stimuli: Query<&Stimulus>,
    mut regions: Query<&mut Spikes>,
) {
    let step = clock.step();
    for &entity in &order.clamps {
        let Ok(stimulus) = stimuli.get(entity) else {
            continue;
        };
        let Ok(mut spikes) = regions.get_mut(stimulus.region) else {
            continue;
        };
        match &stimulus.action {
            Action::Spike(steps, mask) if steps.binary_search(&step).is_ok() => {
                spikes
                    .mask
                    .iter_mut()
                    .zip(mask)
                    .for_each(|(bits, m)| *bits |= m);
            }
            Action::Silence(mask) if step >= stimulus.start && step < stimulus.stop => {
                spikes
                    .mask
                    .iter_mut()
                    .zip(mask)
                    .for_each(|(bits, m)| *bits &= !m);
            }
            _ => {}
        }
    }
}

/// The stimuli by what they do, each list in the order of the scene.
#[derive(Resource, Clone, Debug, Default)]
pub struct StimulusOrder {
    /// Regions with a `drive` column.
    pub driven: Vec<Entity>,
    /// Stimuli that are currents.
    pub currents: Vec<Entity>,
    /// Stimuli that are input spikes.
    pub inputs: Vec<Entity>,
    /// Stimuli that force or forbid spikes.
    pub clamps: Vec<Entity>,
}

/// The steps of a window.
pub fn window_steps(window: &Window, dt_ms: f64) -> (u64, u64) {
    (
        to_steps(window.start_ms, dt_ms),
        window
            .stop_ms
            .map_or(u64::MAX, |stop| to_steps(stop, dt_ms)),
    )
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

    #[test]
    fn a_fraction_selects_that_many_distinct_neurons() {
        let random = Random::new(1, 2, Purpose::Choice);
        let chosen = Selection::Fraction(0.3)
            .neurons(1000, random)
            .expect("a valid fraction");
        assert_eq!(chosen.len(), 300);
        assert!(chosen.windows(2).all(|w| w[0] < w[1]));
    }
}
