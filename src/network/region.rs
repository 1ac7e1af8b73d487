//! Regions: populations of neurons of one model, and the system that steps them.

use super::slots::InputSlots;
use super::stimulus::BackgroundInput;
use crate::neurons::{Derived, NeuronModel};
use crate::sim::clock::Clock;
use crate::sim::columns::{Column, ColumnComponent, Drive, LANES};
use crate::sim::kernel::{Blocks, Kernel, LaneChunks, LateInput, Parameters};
use crate::sim::simd::SimdLevel;
use crate::sim::workers::Workers;
use bevy::prelude::*;

/// A population of neurons.
#[derive(Component, Clone, Debug)]
#[require(Spikes)]
pub struct Region {
    /// The hash of the region's name; part of every random number of the region.
    pub key: u64,
    /// Its place in the scene, from 0.
    pub index: u32,
    /// The number of neurons.
    pub neurons: u32,
}

/// Where neurons are, in mm; one entry per neuron.
#[derive(Component, Clone, Debug, Default)]
pub struct Positions(pub Vec<[f32; 3]>);

/// The spikes of the newest step.
#[derive(Component, Clone, Debug, Default)]
pub struct Spikes {
    /// One bit per neuron, 64 to a word.
    pub mask: SpikeMask,
    /// The neurons that spiked, ascending. Filled by `Propagate`.
    pub list: Vec<u32>,
}

/// The spikes of the newest step of a region that knows when within the step they are: neuron, and time in ticks of
/// dt/[`TICKS`](crate::plasticity::exact::TICKS) from the start of the step, ascending.
///
/// A source may place a spike up to half a step beyond the end: its stamp is the nearest.
#[derive(Component, Clone, Debug, Default)]
pub struct Offsets(pub Vec<(u32, u32)>);

/// The most chunks in a row that one lane steps. Runs are long because processors fetch ahead, even into the next page, and would take
/// what another lane is writing; they end because neurons of one part of a large region tend to be busy together.
pub const RUN: usize = 256;

/// One bit per neuron, 64 to a word, aligned so that the words of a [`RUN`] fill whole cache lines: lanes write them at once.
#[derive(Clone, Debug, Default)]
pub struct SpikeMask {
    bits: Column<u64>,
    words: usize,
}

impl SpikeMask {
    /// No spike of `neurons` neurons.
    pub fn new(neurons: usize) -> Self {
        let words = neurons.div_ceil(LANES);
        Self {
            bits: Column::filled(words, 0),
            words,
        }
    }
}

impl core::ops::Deref for SpikeMask {
    type Target = [u64];
    fn deref(&self) -> &[u64] {
        &self.bits.as_slice()[..self.words]
    }
}

impl core::ops::DerefMut for SpikeMask {
    fn deref_mut(&mut self) -> &mut [u64] {
        &mut self.bits.as_mut_slice()[..self.words]
    }
}

/// Where a region's synaptic input is summed.
///
/// Runs of up to [`RUN`] chunks of 64 neurons are dealt to the blocks of [`InputSlots`] in turn, so that every lane gets its share of
/// every region and of every part of it. Within a block a chunk has 64 slots for each *channel* that something reaches: the receptors of the
/// model, and further ones of projections whose input takes [time](crate::synapses::response) to get to a receptor.
#[derive(Component, Clone, Debug, Default, PartialEq)]
pub struct InputMap {
    /// The block of each chunk.
    pub block: Vec<u16>,
    /// The first slot of each chunk within its block.
    pub base: Vec<u32>,
    /// Per lane: its chunks, as ranges of a first and one past the last.
    pub spans: Vec<Vec<(u32, u32)>>,
    /// Per channel, first those of the model's receptors: the offset of its slots from the chunk's first, or `None` if nothing reaches it.
    pub offset: Vec<Option<u32>>,
    /// Per channel: the weight that one unit of a slot stands for, in the receptor's unit.
    pub quantum: Vec<f32>,
    /// Per channel: the receptor that its input gets to.
    pub receptor: Vec<u32>,
}

struct Job<K: Kernel> {
    pointers: K::Pointers,
    parameters: *const Parameters<K>,
    substeps: u32,
    quiet: *const [bool],
    map: *const InputMap,
    drive: *const f32,
    mask: *mut u64,
    neurons: u32,
    background: *const BackgroundInput,
}

/// The regions of one model, gathered for the lanes anew in each step.
pub struct Jobs<K: Kernel>(Vec<Job<K>>);

// SAFETY: the pointers are followed only inside `integrate`, while the queries they came from are borrowed.
unsafe impl<K: Kernel> Send for Jobs<K> {}
// SAFETY: as above; lanes write disjoint chunks.
unsafe impl<K: Kernel> Sync for Jobs<K> {}

impl<K: Kernel> Default for Jobs<K> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

/// Steps every region with model `M`: input and drive move the state columns, spikes set bits of the mask.
pub fn integrate<M: NeuronModel>(
    clock: Res<Clock>,
    workers: Res<Workers>,
    simd: Res<SimdLevel>,
    mut slots: ResMut<InputSlots>,
    mut regions: Query<(
        &Region,
        &InputMap,
        &Derived<M>,
        Option<&Drive>,
        Option<&BackgroundInput>,
        &mut Spikes,
        <M::Kernel as Kernel>::Columns,
    )>,
    mut jobs: Local<Jobs<M::Kernel>>,
) {
    jobs.0.clear();
    for (region, map, derived, drive, background, mut spikes, mut columns) in &mut regions {
        jobs.0.push(Job {
            pointers: <M::Kernel as Kernel>::pointers(&mut columns),
            parameters: &derived.parameters,
            substeps: derived.substeps,
            quiet: &raw const *derived.quiet,
            map,
            drive: drive.map_or(core::ptr::null(), |d| d.column().as_slice().as_ptr()),
            mask: spikes.mask.as_mut_ptr(),
            neurons: region.neurons,
            background: background.map_or(core::ptr::null(), |b| b),
        });
    }
    let now = clock.step() as u32 as i32;
    let (simd, step) = (*simd, clock.step());
    let jobs = &*jobs;
    match &mut *slots {
        InputSlots::Narrow(slots) => {
            let shares = slots.share(step);
            workers.run(&|lane| {
                step_lane::<M>(jobs, Blocks::Narrow(shares.blocks()), simd, now, lane)
            });
        }
        InputSlots::Wide(slots) => {
            let shares = slots.share(step);
            workers
                .run(&|lane| step_lane::<M>(jobs, Blocks::Wide(shares.blocks()), simd, now, lane));
        }
    }
}

fn step_lane<M: NeuronModel>(
    jobs: &Jobs<M::Kernel>,
    blocks: Blocks<'_>,
    simd: SimdLevel,
    now: i32,
    lane: usize,
) {
    let visit = |job: &Job<M::Kernel>| {
        // SAFETY: the job's pointers are borrowed by `integrate` for the time of this call; a chunk belongs to one block
        // and a block to one lane, so lanes touch disjoint chunks, masks and slots.
        unsafe {
            let map = &*job.map;
            let Some(spans) = map.spans.get(lane) else {
                return;
            };
            let background = job.background.as_ref().filter(|b| b.acts());
            M::Kernel::step_chunks(
                simd,
                &*job.parameters,
                job.substeps,
                now,
                job.pointers,
                &LaneChunks {
                    spans,
                    block: &map.block,
                    base: &map.base,
                    blocks,
                    late: background.map(|b| b as &dyn LateInput),
                    offset: &map.offset,
                    quanta: &map.quantum,
                    quiet: &*job.quiet,
                    drive: job.drive,
                    mask: job.mask,
                },
            );
            let last = map.block.len() - 1;
            if spans.last().is_some_and(|&(_, end)| end as usize > last) {
                *job.mask.add(last) &= valid_bits(job.neurons, last);
            }
        }
    };
    // As the chunks: see `LaneChunks::span`.
    if now & 1 == 0 {
        jobs.0.iter().for_each(visit);
    } else {
        jobs.0.iter().rev().for_each(visit);
    }
}

/// The bits of chunk `chunk` that belong to neurons rather than padding.
#[inline]
pub fn valid_bits(neurons: u32, chunk: usize) -> u64 {
    let left = neurons as usize - chunk * LANES;
    if left >= LANES {
        u64::MAX
    } else {
        (1 << left) - 1
    }
}
