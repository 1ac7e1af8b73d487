//! Delivery: from the spikes of past steps to the input of this one.
//!
//! A store of synapses whose delays are few delivers by *pull*: in each step, for every delay *d*, the segments with delay *d* of the
//! rows of the neurons that spiked *d* steps ago are added to the one current slot array, which stays in cache. A store with many
//! delays and short rows delivers by *push*, in [`propagate`](super::propagate). Both give the same sums.
//!
//! Rows lie anywhere in a gigabyte, so what counts is that memory is asked for early: a lane first asks for the table entries of all its
//! segments, then reads them, and then adds the segments while those a few places ahead are on their way.

use super::history::SpikeHistory;
use super::slots::{Accumulator, InputSlots, SharedSlots};
use super::synapses::{Pair, SynapseStore, Transfer, Weights};
use crate::sim::clock::Clock;
use crate::sim::prefetch::ask_for;
use crate::sim::simd::SimdLevel;
use crate::sim::workers::{Shares, Workers};
use bevy::prelude::*;

/// How many segments ahead memory is asked for.
const AHEAD: usize = 12;
/// The most bytes of a segment that are asked for ahead; the processor follows longer ones by itself.
const AHEAD_BYTES: usize = 12 * 64;

/// Synapses that are added without a look at where the segment ends.
const UNROLLED: usize = 4;

/// The lanes' work lists. Empty between steps but for their room.
#[derive(Default)]
pub struct LaneWorks(Vec<LaneWork>);

/// One lane's segments of one block.
struct LaneWork {
    segments: Vec<Segment>,
    /// The segments of each store: the store and where its segments end.
    stores: Vec<(*const SynapseStore, usize)>,
}

impl Default for LaneWork {
    /// With room for what a small network needs, so that its rare bursts do not allocate.
    fn default() -> Self {
        Self {
            segments: Vec::with_capacity(1024),
            stores: Vec::with_capacity(64),
        }
    }
}

// SAFETY: a lane's work list is written and followed by that lane only, and only while the stores are borrowed by `deliver`.
unsafe impl Send for LaneWork {}
// SAFETY: as above.
unsafe impl Sync for LaneWork {}

/// Synapses to deliver, in one piece of memory.
#[derive(Clone, Copy)]
pub(super) struct Segment {
    /// The first synapse; until the table is read, the segment's entry in it.
    pub(super) start: *const u8,
    /// Bytes; until the table is read, the row.
    pub(super) len: u32,
}

/// The system of `Deliver`: adds every pulled segment that is due to the slots of this step.
pub fn deliver<'q>(
    clock: Res<Clock>,
    workers: Res<Workers>,
    simd: Res<SimdLevel>,
    mut slots: ResMut<InputSlots>,
    stores: Query<&'q SynapseStore>,
    histories: Query<&'q SpikeHistory>,
    mut works: Local<LaneWorks>,
) {
    let (step, simd) = (clock.step(), *simd);
    works.0.resize_with(workers.lanes(), LaneWork::default);
    if histories.iter().all(SpikeHistory::is_empty) {
        return;
    }
    let works = Shares::new(&mut works.0);
    let due = Due {
        stores: &stores,
        histories: &histories,
        step,
    };
    match &mut *slots {
        InputSlots::Narrow(slots) => {
            let shares = slots.share(step);
            workers.run(&|lane| {
                // SAFETY: each lane has its own work list and its own blocks; the level was detected on this processor.
                unsafe { pull(simd, &due, works.get(lane), &shares, lane) }
            });
        }
        InputSlots::Wide(slots) => {
            let shares = slots.share(step);
            workers.run(&|lane| {
                // SAFETY: as above.
                unsafe { pull(simd, &due, works.get(lane), &shares, lane) }
            });
        }
    }
}

/// What is due in a step.
struct Due<'a, 'w, 's, 'q> {
    stores: &'a Query<'w, 's, &'q SynapseStore>,
    histories: &'a Query<'w, 's, &'q SpikeHistory>,
    step: u64,
}

impl Due<'_, '_, '_, '_> {
    /// Lists the table entries of all segments of a block, store by store.
    #[inline(always)]
    fn seek(&self, block: usize, work: &mut LaneWork) {
        let LaneWork { segments, stores } = work;
        segments.clear();
        stores.clear();
        for store in self.stores {
            if store.transfer() != Transfer::Pull {
                continue;
            }
            let Ok(history) = self.histories.get(store.source()) else {
                continue;
            };
            let now = history.slot(self.step);
            for (delay_index, &delay) in store.delays().iter().enumerate() {
                if u64::from(delay) > self.step {
                    break;
                }
                let spikes = history.before(now, delay as usize);
                if !spikes.is_empty() {
                    store.seek(block, delay_index, spikes, segments);
                }
            }
            stores.push((store, segments.len()));
        }
    }
}

/// Delivers to the lane's blocks.
///
/// # Safety
/// No other thread uses the lane's blocks; this processor has `simd`.
unsafe fn pull<T: Accumulator>(
    simd: SimdLevel,
    due: &Due<'_, '_, '_, '_>,
    work: &mut LaneWork,
    slots: &SharedSlots<'_, T>,
    lane: usize,
) {
    // SAFETY: the caller's promise.
    unsafe {
        match simd {
            #[cfg(target_arch = "x86_64")]
            SimdLevel::Avx2 => pull_avx2(due, work, slots, lane),
            #[cfg(target_arch = "x86_64")]
            SimdLevel::Avx512 => pull_avx512(due, work, slots, lane),
            _ => pull_blocks(due, work, slots, lane),
        }
    }
}

/// # Safety
/// As [`pull`].
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,bmi2")]
unsafe fn pull_avx2<T: Accumulator>(
    due: &Due<'_, '_, '_, '_>,
    work: &mut LaneWork,
    slots: &SharedSlots<'_, T>,
    lane: usize,
) {
    // SAFETY: the caller's promise.
    unsafe { pull_blocks(due, work, slots, lane) }
}

/// # Safety
/// As [`pull`].
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,bmi2")]
unsafe fn pull_avx512<T: Accumulator>(
    due: &Due<'_, '_, '_, '_>,
    work: &mut LaneWork,
    slots: &SharedSlots<'_, T>,
    lane: usize,
) {
    // SAFETY: the caller's promise.
    unsafe { pull_blocks(due, work, slots, lane) }
}

/// # Safety
/// As [`pull`].
#[inline(always)]
unsafe fn pull_blocks<T: Accumulator>(
    due: &Due<'_, '_, '_, '_>,
    work: &mut LaneWork,
    slots: &SharedSlots<'_, T>,
    lane: usize,
) {
    for block in (lane..slots.blocks().len()).step_by(slots.lanes()) {
        due.seek(block, work);
        let LaneWork { segments, stores } = work;
        let (mut first, mut kept) = (0, 0);
        for (store, end) in stores.iter_mut() {
            // SAFETY: the stores are borrowed by `due`; the segments were sought in this store.
            kept = unsafe { (**store).find(segments, first..*end, kept) };
            first = *end;
            *end = kept;
        }
        segments.truncate(kept);
        segments.iter().take(AHEAD).for_each(prefetch);
        let slot = slots.block(block);
        let mut first = 0;
        for &(store, end) in stores.iter() {
            // SAFETY: the store's targets of this block lie within the block.
            unsafe { add_segments(&*store, block, segments, first..end, slot) };
            first = end;
        }
    }
}

/// Asks for the memory of a segment.
#[inline(always)]
fn prefetch(segment: &Segment) {
    let mut at = 0;
    while at < (segment.len as usize).min(AHEAD_BYTES) {
        ask_for(segment.start.wrapping_add(at));
        at += 64;
    }
}

/// Adds the segments `range`, which are of one store and one block.
///
/// # Safety
/// The block starts at `slot`, and no other thread uses it.
#[inline(always)]
unsafe fn add_segments<T: Accumulator>(
    store: &SynapseStore,
    block: usize,
    segments: &[Segment],
    range: core::ops::Range<usize>,
    slot: *mut T,
) {
    // SAFETY: the store found the segments in its own arrays; the caller vouches for the slots.
    unsafe {
        match store.weights() {
            &Weights::Shared(weight) => each(segments, range, |segment| {
                let targets = items::<u16>(segment);
                let add = |&target: &u16| (*slot.add(usize::from(target))).add(weight, 0);
                let (groups, rest) = targets.as_chunks::<UNROLLED>();
                for group in groups {
                    group.iter().for_each(add);
                }
                rest.iter().for_each(add);
            }),
            &Weights::Narrow { shift, .. } => each(segments, range, |segment| {
                let add = |pair: &Pair| {
                    (*slot.add(usize::from(pair.target))).add(i32::from(pair.weight), shift);
                };
                let (groups, rest) = items::<Pair>(segment).as_chunks::<UNROLLED>();
                for group in groups {
                    group.iter().for_each(add);
                }
                rest.iter().for_each(add);
            }),
            Weights::Wide(weights) => each(segments, range, |segment| {
                let targets = items::<u16>(segment);
                let weights = &weights[store.index_of_target(segment.start)..];
                for (&target, &weight) in targets.iter().zip(weights) {
                    (*slot.add(usize::from(target))).add(weight, 0);
                }
            }),
            Weights::Dense { shift, layout, .. } => each(segments, range, |segment| {
                let mut weights = items::<i16>(segment);
                for &(first, len) in &layout.runs[block] {
                    let (row, rest) = weights.split_at(len as usize);
                    let slots =
                        core::slice::from_raw_parts_mut(slot.add(first as usize), len as usize);
                    for (slot, &weight) in slots.iter_mut().zip(row) {
                        slot.add(i32::from(weight), *shift);
                    }
                    weights = rest;
                }
            }),
        }
    }
}

/// Calls `add` for the segments `range`, asking for what lies ahead.
#[inline(always)]
fn each(segments: &[Segment], range: core::ops::Range<usize>, mut add: impl FnMut(&Segment)) {
    for i in range {
        if let Some(next) = segments.get(i + AHEAD) {
            prefetch(next);
        }
        add(&segments[i]);
    }
}

/// # Safety
/// The segment holds items of this type.
#[inline(always)]
unsafe fn items<'a, I>(segment: &Segment) -> &'a [I] {
    // SAFETY: the caller's promise.
    unsafe {
        core::slice::from_raw_parts(segment.start.cast(), segment.len as usize / size_of::<I>())
    }
}
