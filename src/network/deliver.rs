//! Delivery: from the spikes of past steps to the input of this one.
//!
//! A store of synapses whose delays are few delivers by *pull*: in each step, for every delay *d*, the segments with delay *d* of the
//! rows of the neurons that spiked *d* steps ago are added to the one current slot array, which stays in cache. A store with many
//! delays and short rows delivers by *push*, in [`propagate`](super::propagate). Both give the same sums.
//!
//! Rows lie anywhere in a gigabyte, so what counts is that memory is asked for early: a lane first asks for the table entries of all its
//! segments, then reads them, and then adds the segments while the cache lines that come next are on their way, asked for one by one.

use super::history::SpikeHistory;
use super::slots::{Accumulator, InputSlots, SharedSlots};
use super::synapses::{Pair, SynapseStore, Transfer, Weights};
use crate::sim::clock::Clock;
use crate::sim::prefetch::ask_for;
use crate::sim::simd::{SimdLevel, per_level};
use crate::sim::workers::{Shares, Workers};
use bevy::prelude::*;

/// Bytes of a cache line.
const LINE: usize = 64;
/// How many cache lines ahead memory is asked for.
const AHEAD: usize = 24;
/// The most cache lines of a segment that are asked for ahead; the processor follows longer ones by itself.
const MOST_LINES: usize = 16;

/// Synapses that are added without a look at where the segment ends.
const UNROLLED: usize = 4;

/// The lanes' work lists, made anew in each step; kept for their room.
#[derive(Default)]
pub struct LaneWorks(Vec<LaneWork>);

/// One lane's segments of one block.
struct LaneWork {
    segments: Vec<Segment>,
    /// The segments of each store: the store and where its segments end.
    stores: Vec<(*const SynapseStore, usize)>,
    /// The cache lines of the segments, in the order in which they are needed.
    lines: Vec<*const u8>,
}

impl Default for LaneWork {
    /// With room for what a small network needs, so that its rare bursts do not allocate.
    fn default() -> Self {
        Self {
            segments: Vec::with_capacity(1024),
            stores: Vec::with_capacity(64),
            lines: Vec::with_capacity(4096),
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
        let LaneWork {
            segments, stores, ..
        } = work;
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

per_level! {
    /// Delivers to the lane's blocks.
    unsafe fn pull<T: Accumulator>(
        due: &Due<'_, '_, '_, '_>,
        work: &mut LaneWork,
        slots: &SharedSlots<'_, T>,
        lane: usize,
    ) {
        pull_blocks(due, work, slots, lane)
    }
}

/// # Safety
/// No other thread uses the lane's blocks.
#[inline(always)]
unsafe fn pull_blocks<T: Accumulator>(
    due: &Due<'_, '_, '_, '_>,
    work: &mut LaneWork,
    slots: &SharedSlots<'_, T>,
    lane: usize,
) {
    for block in (lane..slots.blocks().len()).step_by(slots.lanes()) {
        due.seek(block, work);
        let LaneWork {
            segments,
            stores,
            lines,
        } = work;
        let (mut first, mut kept) = (0, 0);
        for (store, end) in stores.iter_mut() {
            // SAFETY: the stores are borrowed by `due`; the segments were sought in this store.
            kept = unsafe { (**store).find(segments, first..*end, kept) };
            first = *end;
            *end = kept;
        }
        segments.truncate(kept);
        let mut ahead = Ahead::new(segments, lines);
        let slot = slots.block(block);
        let mut first = 0;
        for &(store, end) in stores.iter() {
            // SAFETY: the store's targets of this block lie within the block.
            unsafe { add_segments(&*store, block, &segments[first..end], &mut ahead, slot) };
            first = end;
        }
    }
}

/// Asks for memory at an even pace: in bursts, requests would keep those of the slots waiting.
struct Ahead<'a> {
    lines: &'a [*const u8],
    /// How many lines have been asked for.
    asked: usize,
    /// How many lines may have been asked for by now.
    limit: usize,
    /// How many lines the segments before the current one have.
    begun: usize,
}

impl<'a> Ahead<'a> {
    /// Lists the lines of the segments and asks for the first.
    #[inline(always)]
    fn new(segments: &[Segment], lines: &'a mut Vec<*const u8>) -> Self {
        lines.clear();
        let mut count = 0;
        for segment in segments {
            if lines.capacity() - count < MOST_LINES {
                // SAFETY: so many were written.
                unsafe { lines.set_len(count) };
                lines.reserve(MOST_LINES);
            }
            let first = segment.start.wrapping_sub(segment.start.addr() % LINE);
            for i in 0..MOST_LINES {
                // SAFETY: there is room for `MOST_LINES` more. Those too many are written over.
                unsafe {
                    lines
                        .as_mut_ptr()
                        .add(count + i)
                        .write(first.wrapping_add(i * LINE))
                };
            }
            count += segment.lines();
        }
        // SAFETY: so many were written.
        unsafe { lines.set_len(count) };
        lines.iter().take(AHEAD).for_each(|&line| ask_for(line));
        // The last is asked for again rather than not.
        let last = count.saturating_sub(1);
        Self {
            lines,
            asked: AHEAD.min(last),
            limit: 0,
            begun: 0,
        }
    }

    /// Goes on to a segment, which will ask as often as it has lines full of synapses.
    #[inline(always)]
    fn begin(&mut self, segment: &Segment) {
        self.limit = (self.begun + AHEAD).min(self.lines.len() - 1);
        self.begun += segment.lines();
        // A segment has up to two lines more than that.
        self.ask();
        self.ask();
    }

    /// Goes on to a segment, which will not ask.
    #[inline(always)]
    fn begin_silent(&mut self, segment: &Segment) {
        self.begin(segment);
        for _ in 2..segment.lines() {
            self.ask();
        }
    }

    /// Asks for the next line, if it is near enough.
    #[inline(always)]
    fn ask(&mut self) {
        // SAFETY: there are segments, and so lines, and `asked` does not pass `limit`, which is less than their number.
        ask_for(unsafe { *self.lines.get_unchecked(self.asked) });
        self.asked += usize::from(self.asked < self.limit);
    }
}

impl Segment {
    /// How many of its cache lines are asked for: at least one, since no segment is empty.
    #[inline(always)]
    fn lines(&self) -> usize {
        (self.start.addr() % LINE + self.len as usize)
            .div_ceil(LINE)
            .min(MOST_LINES)
    }
}

/// Adds segments of one store and one block.
///
/// # Safety
/// The block starts at `slot`, and no other thread uses it.
#[inline(always)]
unsafe fn add_segments<T: Accumulator>(
    store: &SynapseStore,
    block: usize,
    segments: &[Segment],
    ahead: &mut Ahead<'_>,
    slot: *mut T,
) {
    // SAFETY: the store found the segments in its own arrays; the caller vouches for the slots.
    unsafe {
        match store.weights() {
            &Weights::Shared(weight) => {
                add_items::<u16, T, { LINE / 2 }>(segments, ahead, slot, weight, 0);
            }
            &Weights::Narrow { shift, .. } => {
                add_items::<Pair, T, { LINE / 4 }>(segments, ahead, slot, 0, shift);
            }
            Weights::Wide(weights) => {
                for segment in segments {
                    ahead.begin_silent(segment);
                    let targets = items::<u16>(segment);
                    let weights = &weights[store.index_of_target(segment.start)..];
                    for (&target, &weight) in targets.iter().zip(weights) {
                        (*slot.add(usize::from(target))).add(weight, 0);
                    }
                }
            }
            Weights::Dense { shift, layout, .. } => {
                for segment in segments {
                    ahead.begin_silent(segment);
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
                }
            }
        }
    }
}

/// A synapse as it is stored.
trait Stored: Copy {
    /// The target's slot.
    fn target(self) -> usize;
    /// The weight, or the one that all share.
    fn weight(self, shared: i32) -> i32;
}

impl Stored for u16 {
    #[inline(always)]
    fn target(self) -> usize {
        usize::from(self)
    }
    #[inline(always)]
    fn weight(self, shared: i32) -> i32 {
        shared
    }
}

impl Stored for Pair {
    #[inline(always)]
    fn target(self) -> usize {
        usize::from(self.target)
    }
    #[inline(always)]
    fn weight(self, _shared: i32) -> i32 {
        i32::from(self.weight)
    }
}

/// Adds segments of which a cache line holds `PER_LINE` synapses, and asks for a line ahead as often as one is done.
///
/// # Safety
/// The segments hold such synapses; their targets lie in the block that starts at `slot`, which no other thread uses.
#[inline(always)]
unsafe fn add_items<S: Stored, T: Accumulator, const PER_LINE: usize>(
    segments: &[Segment],
    ahead: &mut Ahead<'_>,
    slot: *mut T,
    shared: i32,
    shift: u32,
) {
    for segment in segments {
        ahead.begin(segment);
        // SAFETY: the caller's promise.
        let (lines, rest) = unsafe { items::<S>(segment) }.as_chunks::<PER_LINE>();
        for line in lines {
            ahead.ask();
            for synapse in line {
                // SAFETY: the caller's promise.
                unsafe { (*slot.add(synapse.target())).add(synapse.weight(shared), shift) };
            }
        }
        let (groups, rest) = rest.as_chunks::<UNROLLED>();
        for group in groups {
            for synapse in group {
                // SAFETY: the caller's promise.
                unsafe { (*slot.add(synapse.target())).add(synapse.weight(shared), shift) };
            }
        }
        for synapse in rest {
            // SAFETY: the caller's promise.
            unsafe { (*slot.add(synapse.target())).add(synapse.weight(shared), shift) };
        }
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
