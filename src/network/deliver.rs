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
use crate::sim::simd::SimdLevel;
use crate::sim::workers::{Shares, Workers};
use bevy::prelude::*;

/// How many segments ahead memory is asked for.
const AHEAD: usize = 12;
/// The most bytes of a segment that are asked for ahead; the processor follows longer ones by itself.
const AHEAD_BYTES: usize = 6 * 64;

/// Synapses that are added without a look at where the segment ends.
const UNROLLED: usize = 8;

/// One delay of one store with spikes that are due.
struct Arrival {
    store: *const SynapseStore,
    delay_index: usize,
    spikes: *const [u32],
}

/// What is due in this step. Empty between steps.
#[derive(Default)]
pub struct Arrivals {
    list: Vec<Arrival>,
    lanes: Vec<LaneWork>,
}

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

// SAFETY: the pointers are followed only inside `deliver`, while the queries they came from are borrowed.
unsafe impl Send for Arrivals {}
// SAFETY: as above.
unsafe impl Sync for Arrivals {}

// SAFETY: a lane's work list is written and followed by that lane only.
unsafe impl Send for LaneWork {}

/// Synapses to deliver, in one piece of memory.
#[derive(Clone, Copy)]
pub(super) struct Segment {
    /// The first synapse; until the table is read, the segment's entry in it.
    pub(super) start: *const u8,
    /// Bytes; until the table is read, the row.
    pub(super) len: u32,
}

/// The system of `Deliver`: adds every pulled segment that is due to the slots of this step.
pub fn deliver(
    clock: Res<Clock>,
    workers: Res<Workers>,
    simd: Res<SimdLevel>,
    mut slots: ResMut<InputSlots>,
    stores: Query<&SynapseStore>,
    histories: Query<&SpikeHistory>,
    mut arrivals: Local<Arrivals>,
) {
    let (step, simd) = (clock.step(), *simd);
    let Arrivals { list, lanes: works } = &mut *arrivals;
    list.clear();
    if list.capacity() == 0 {
        list.reserve(stores.iter().map(|store| store.delays().len()).sum());
    }
    for store in &stores {
        if store.transfer() != Transfer::Pull {
            continue;
        }
        let Ok(history) = histories.get(store.source()) else {
            continue;
        };
        let now = history.slot(step);
        for (delay_index, &delay) in store.delays().iter().enumerate() {
            if u64::from(delay) > step {
                break;
            }
            let spikes = history.before(now, delay as usize);
            if !spikes.is_empty() {
                list.push(Arrival {
                    store,
                    delay_index,
                    spikes,
                });
            }
        }
    }
    works.resize_with(workers.lanes(), LaneWork::default);
    if list.is_empty() {
        return;
    }
    let list = FollowedByLanes(list);
    let works = Shares::new(works);
    match &mut *slots {
        InputSlots::Narrow(slots) => {
            let shares = slots.share(step);
            workers.run(&|lane| {
                // SAFETY: each lane has its own work list and its own blocks; the level was detected on this processor.
                unsafe { pull(simd, list.get(), works.get(lane), &shares, lane) }
            });
        }
        InputSlots::Wide(slots) => {
            let shares = slots.share(step);
            workers.run(&|lane| {
                // SAFETY: as above.
                unsafe { pull(simd, list.get(), works.get(lane), &shares, lane) }
            });
        }
    }
}

/// Lets lanes read a list that holds raw pointers.
struct FollowedByLanes<'a>(&'a [Arrival]);
// SAFETY: the lanes only read the list and what it points to.
unsafe impl Sync for FollowedByLanes<'_> {}
impl FollowedByLanes<'_> {
    fn get(&self) -> &[Arrival] {
        self.0
    }
}

/// Delivers to the lane's blocks.
///
/// # Safety
/// The arrivals' pointers are alive; no other thread uses the lane's blocks; this processor has `simd`.
unsafe fn pull<T: Accumulator>(
    simd: SimdLevel,
    arrivals: &[Arrival],
    work: &mut LaneWork,
    slots: &SharedSlots<'_, T>,
    lane: usize,
) {
    // SAFETY: the caller's promise.
    unsafe {
        match simd {
            #[cfg(target_arch = "x86_64")]
            SimdLevel::Avx2 => pull_avx2(arrivals, work, slots, lane),
            #[cfg(target_arch = "x86_64")]
            SimdLevel::Avx512 => pull_avx512(arrivals, work, slots, lane),
            _ => pull_blocks(arrivals, work, slots, lane),
        }
    }
}

/// # Safety
/// As [`pull`].
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,bmi2")]
unsafe fn pull_avx2<T: Accumulator>(
    arrivals: &[Arrival],
    work: &mut LaneWork,
    slots: &SharedSlots<'_, T>,
    lane: usize,
) {
    // SAFETY: the caller's promise.
    unsafe { pull_blocks(arrivals, work, slots, lane) }
}

/// # Safety
/// As [`pull`].
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,bmi2")]
unsafe fn pull_avx512<T: Accumulator>(
    arrivals: &[Arrival],
    work: &mut LaneWork,
    slots: &SharedSlots<'_, T>,
    lane: usize,
) {
    // SAFETY: the caller's promise.
    unsafe { pull_blocks(arrivals, work, slots, lane) }
}

/// # Safety
/// As [`pull`].
#[inline(always)]
unsafe fn pull_blocks<T: Accumulator>(
    arrivals: &[Arrival],
    work: &mut LaneWork,
    slots: &SharedSlots<'_, T>,
    lane: usize,
) {
    let LaneWork { segments, stores } = work;
    let mut block = lane;
    while block < slots.blocks().len() {
        segments.clear();
        stores.clear();
        for of_store in arrivals.chunk_by(|a, b| core::ptr::eq(a.store, b.store)) {
            let store = of_store[0].store;
            for arrival in of_store {
                // SAFETY: the caller's promise.
                unsafe {
                    (*store).seek(block, arrival.delay_index, &*arrival.spikes, segments);
                }
            }
            stores.push((store, segments.len()));
        }
        let mut first = 0;
        let mut kept = 0;
        for (store, end) in stores.iter_mut() {
            // SAFETY: the caller's promise; the segments were sought in this store.
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
        block += slots.lanes();
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

/// Asks for the cache line at an address, which need not exist.
#[inline(always)]
pub(super) fn ask_for(address: *const u8) {
    #[cfg(target_arch = "x86_64")]
    {
        use core::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        // SAFETY: prefetching never faults.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(address.cast()) };
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = address;
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
