//! Delivery: from the spikes of past steps to the input of this one.
//!
//! # Fixed point
//!
//! Synaptic input is summed in integers, in units of a power-of-two *quantum* per region and receptor, so that a sum does not
//! depend on the order of its terms: one thread, many threads and atomics on a GPU all give the same. The quantum is chosen
//! when the network is built ([`scene::build`](crate::scene::build)) so that the largest sum a target can receive in one step fits.
//!
//! # Blocks
//!
//! The slots of all regions are divided into *blocks* of at most 65,536, and every block belongs to one lane: whoever writes a slot
//! needs no atomics. Results do not depend on the number of blocks.
//!
//! # Pull and push
//!
//! A store of synapses whose delays are few delivers by *pull*: in each step, for every delay *d*, the segments with delay *d* of the
//! rows of the neurons that spiked *d* steps ago are added to the one current slot array, which stays in cache. A store with many
//! delays and short rows delivers by *push*: at the spike, each synapse is added to the slot array of the step in which it is due; then
//! there is a ring of slot arrays. Both give the same sums.

use super::region::{Region, Spikes};
use super::synapses::{SynapseStore, Transfer, Weights};
use crate::sim::clock::Clock;
use crate::sim::columns::LANES;
use crate::sim::kernel::Slot;
use crate::sim::rng::avalanche;
use crate::sim::simd::SimdLevel;
use crate::sim::workers::{Shares, Workers};
use bevy::prelude::*;

/// An integer that weights can be added to.
pub trait Accumulator: Slot {
    /// Adds a weight in quanta.
    fn add(&mut self, quanta: i32, shift: u32);
    /// The low bits of a sum.
    fn from_i64(value: i64) -> Self;
}

impl Accumulator for i32 {
    #[inline(always)]
    fn add(&mut self, quanta: i32, shift: u32) {
        *self = self.wrapping_add(quanta << shift);
    }
    fn from_i64(value: i64) -> Self {
        value as i32
    }
}

impl Accumulator for i64 {
    #[inline(always)]
    fn add(&mut self, quanta: i32, shift: u32) {
        *self += i64::from(quanta) << shift;
    }
    fn from_i64(value: i64) -> Self {
        value
    }
}

#[repr(C, align(64))]
#[derive(Clone, Copy)]
struct Line<T>([T; 16]);

/// The slots of all blocks.
pub struct Slots<T> {
    lanes: usize,
    ring: usize,
    blocks: Vec<Block<T>>,
    /// The first slot of each block.
    pointers: Vec<Shares<T>>,
    /// The first slot of each block in the step under way.
    current: Vec<Shares<T>>,
}

struct Block<T> {
    lines: Vec<Line<T>>,
    /// Slots per ring position, a multiple of 64.
    stride: usize,
}

impl<T: Accumulator> Slots<T> {
    /// Slots for blocks of the given sizes, for `lanes` lanes and a ring of `ring` steps.
    pub fn new(lanes: usize, ring: usize, sizes: &[usize]) -> Self {
        let mut blocks: Vec<_> = sizes
            .iter()
            .map(|&size| {
                let stride = size.next_multiple_of(LANES);
                Block {
                    lines: vec![Line([T::ZERO; 16]); stride / 16 * ring],
                    stride,
                }
            })
            .collect();
        let pointers: Vec<_> = blocks.iter_mut().map(Block::share).collect();
        Self {
            lanes,
            ring,
            blocks,
            current: pointers.clone(),
            pointers,
        }
    }

    /// The slots of step `step` for the lanes.
    #[inline]
    pub fn share(&mut self, step: u64) -> SharedSlots<'_, T> {
        let mut position = 0;
        if self.ring > 1 {
            position = (step % self.ring as u64) as usize;
            for ((current, first), block) in self
                .current
                .iter_mut()
                .zip(&self.pointers)
                .zip(&self.blocks)
            {
                *current = first.offset(position * block.stride);
            }
        }
        SharedSlots {
            lanes: self.lanes,
            position,
            ring: self.ring,
            blocks: &self.blocks,
            pointers: &self.pointers,
            current: &self.current,
        }
    }

    /// One slot of a ring position.
    pub fn get(&self, block: usize, position: usize, slot: usize) -> T {
        let block = &self.blocks[block];
        block.values()[position * block.stride + slot]
    }

    /// Adds to one slot of a ring position.
    pub fn add(&mut self, block: usize, position: usize, slot: usize, quanta: i64)
    where
        T: Into<i64>,
    {
        let index = position * self.blocks[block].stride + slot;
        let value = &mut self.block_mut(block)[index];
        *value = T::from_i64((*value).into().wrapping_add(quanta));
    }

    /// The slots of one block, all ring positions one after another.
    pub fn block_mut(&mut self, block: usize) -> &mut [T] {
        let block = &mut self.blocks[block];
        // SAFETY: a line is an array of 16 values.
        unsafe {
            core::slice::from_raw_parts_mut(block.lines.as_mut_ptr().cast(), block.lines.len() * 16)
        }
    }

    /// Slots per ring position of a block.
    pub fn stride(&self, block: usize) -> usize {
        self.blocks[block].stride
    }

    /// Ring positions.
    pub fn ring(&self) -> usize {
        self.ring
    }

    /// The number of blocks.
    pub fn blocks(&self) -> usize {
        self.blocks.len()
    }
}

impl<T: Accumulator> Block<T> {
    fn share(&mut self) -> Shares<T> {
        // SAFETY: a line is an array of 16 values.
        Shares::new(unsafe {
            core::slice::from_raw_parts_mut(self.lines.as_mut_ptr().cast(), self.lines.len() * 16)
        })
    }

    fn values(&self) -> &[T] {
        // SAFETY: a line is an array of 16 values.
        unsafe { core::slice::from_raw_parts(self.lines.as_ptr().cast(), self.lines.len() * 16) }
    }
}

/// The slots as the lanes see them in one step.
pub struct SharedSlots<'a, T> {
    lanes: usize,
    position: usize,
    ring: usize,
    blocks: &'a [Block<T>],
    pointers: &'a [Shares<T>],
    current: &'a [Shares<T>],
}

impl<T> SharedSlots<'_, T> {
    /// How many lanes share the blocks: block *b* belongs to lane *b* mod lanes.
    #[inline(always)]
    pub fn lanes(&self) -> usize {
        self.lanes
    }

    /// The first slot of `block` for the step under way.
    #[inline(always)]
    pub fn block(&self, block: usize) -> *mut T {
        self.current[block].pointer()
    }

    /// The first slot of every block for the step under way.
    #[inline(always)]
    pub fn blocks(&self) -> &[Shares<T>] {
        self.current
    }

    /// The first slot of `block` for the step `delay` steps later, less than the ring is long.
    #[inline(always)]
    pub fn block_after(&self, block: usize, delay: usize) -> *mut T {
        let mut position = self.position + delay;
        if position >= self.ring {
            position -= self.ring;
        }
        // SAFETY: within the block's allocation, since `position` is less than the ring length.
        unsafe {
            self.pointers[block]
                .pointer()
                .add(position * self.blocks[block].stride)
        }
    }
}

/// The input slots of a simulation, as wide as its weights and degrees need.
#[derive(Resource)]
pub enum InputSlots {
    /// 32 bits per slot.
    Narrow(Slots<i32>),
    /// 64 bits per slot: for networks whose largest sum does not fit 32 at a fine enough quantum.
    Wide(Slots<i64>),
}

/// The spikes of the last steps of a region, as far back as its longest delay.
#[derive(Component, Clone, Debug, Default)]
pub struct SpikeHistory {
    /// How many steps are kept; 0 if nothing leaves the region.
    depth: usize,
    /// The spikes of steps ≡ i mod `depth`: a range of `ids`.
    ranges: Vec<(u32, u32)>,
    /// A ring of neuron indices: the kept steps one after another, each in one piece.
    ids: Vec<u32>,
    /// Where the next spikes go.
    end: usize,
    /// Spikes of the kept steps.
    kept: usize,
    /// The most spikes that a step can have.
    neurons: usize,
}

impl SpikeHistory {
    /// A history of `depth` steps for `neurons` neurons.
    pub fn new(depth: usize, neurons: usize) -> Self {
        Self {
            depth,
            ranges: vec![(0, 0); depth],
            ids: vec![0; if depth == 0 { 0 } else { 2 * neurons + 64 }],
            end: 0,
            kept: 0,
            neurons,
        }
    }

    /// How many steps are kept.
    pub fn depth(&self) -> usize {
        self.depth
    }

    /// Keeps the spikes of step `step`, at most one of each neuron, forgetting the oldest.
    #[inline]
    pub fn push(&mut self, step: u64, spikes: &[u32]) {
        if self.depth == 0 {
            return;
        }
        let slot = (step % self.depth as u64) as usize;
        self.kept -= self.ranges[slot].1 as usize;
        self.ranges[slot] = (0, 0);
        if spikes.is_empty() {
            return;
        }
        // Whoever turns back to the start leaves less than one step's room unused at the end. With room for one more step than is
        // kept, the new spikes never reach the oldest ones.
        if self.kept + spikes.len() + self.neurons > self.ids.len() {
            self.grow(slot, spikes.len());
        }
        if self.end + spikes.len() > self.ids.len() {
            self.end = 0;
        }
        self.ids[self.end..self.end + spikes.len()].copy_from_slice(spikes);
        self.ranges[slot] = (self.end as u32, spikes.len() as u32);
        self.end += spikes.len();
        self.kept += spikes.len();
    }

    /// Makes room for `more` spikes at `slot` and for as many as are kept, which stay in the order of their steps.
    #[cold]
    fn grow(&mut self, slot: usize, more: usize) {
        let mut ids = vec![0; 2 * (self.kept + more) + self.neurons];
        let mut end = 0;
        for place in (slot + 1..self.depth).chain(0..slot) {
            let range = &mut self.ranges[place];
            let (start, len) = (range.0 as usize, range.1 as usize);
            ids[end..end + len].copy_from_slice(&self.ids[start..start + len]);
            range.0 = end as u32;
            end += len;
        }
        self.ids = ids;
        self.end = end;
    }

    /// The place of `step` in the ring, for [`before`](Self::before).
    #[inline]
    fn slot(&self, step: u64) -> usize {
        (step % self.depth.max(1) as u64) as usize
    }

    /// The spikes of the step that was `delay` steps before the one at `slot`; `delay` is less than the depth.
    #[inline]
    fn before(&self, slot: usize, delay: usize) -> &[u32] {
        let place = if slot >= delay {
            slot - delay
        } else {
            slot + self.depth - delay
        };
        let (start, len) = self.ranges[place];
        &self.ids[start as usize..(start + len) as usize]
    }

    /// The spikes of `step`, which must be one of the last `depth` steps.
    #[inline]
    pub fn at(&self, step: u64) -> &[u32] {
        let (start, len) = self.ranges[(step % self.depth as u64) as usize];
        &self.ids[start as usize..(start + len) as usize]
    }
}

/// Sums of a run that every output carries.
#[derive(Resource, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SpikeCount {
    /// Spikes of all regions so far.
    pub spikes: u64,
    /// The spike hash: a sum over all spikes of a hash of (region, neuron, step). Equal spikes give equal hashes, in whatever
    /// order and on whatever machine.
    pub hash: u64,
    /// Synaptic events delivered so far, background input apart.
    pub events: u64,
}

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

/// One lane's fragments, and how many synapses they hold together.
struct LaneWork {
    fragments: Vec<Fragment>,
    events: u64,
}

impl Default for LaneWork {
    /// With room for what a small network needs, so that its rare bursts do not allocate.
    fn default() -> Self {
        Self {
            fragments: Vec::with_capacity(1024),
            events: 0,
        }
    }
}

// SAFETY: the pointers are followed only inside `deliver`, while the queries they came from are borrowed.
unsafe impl Send for Arrivals {}
// SAFETY: as above.
unsafe impl Sync for Arrivals {}

// SAFETY: a lane's work list is written and followed by that lane only.
unsafe impl Send for LaneWork {}

/// A run of synapses to deliver.
#[derive(Clone, Copy)]
struct Fragment {
    start: *const u8,
    weights: *const u8,
    len: u32,
    shared: i32,
    kind: Kind,
    shift: u8,
}

#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Shared,
    Narrow,
    Wide,
    /// `start` is the weights, `weights` the runs of slots, `shared` their number.
    Dense,
}

/// The system of `Deliver`: adds every pulled segment that is due to the slots of this step.
pub fn deliver(
    clock: Res<Clock>,
    workers: Res<Workers>,
    simd: Res<SimdLevel>,
    mut slots: ResMut<InputSlots>,
    mut count: ResMut<SpikeCount>,
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
    let shared_works = Shares::new(works);
    match &mut *slots {
        InputSlots::Narrow(slots) => {
            let shares = slots.share(step);
            workers.run(&|lane| {
                // SAFETY: each lane has its own work list and its own blocks.
                unsafe { pull(list.get(), shared_works.get(lane), &shares, lane, simd) }
            });
        }
        InputSlots::Wide(slots) => {
            let shares = slots.share(step);
            workers.run(&|lane| {
                // SAFETY: as above.
                unsafe { pull(list.get(), shared_works.get(lane), &shares, lane, simd) }
            });
        }
    }
    count.events += works.iter().map(|work| work.events).sum::<u64>();
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

/// How many fragments ahead memory is asked for.
const AHEAD: usize = 12;

/// Lists the lane's fragments, block by block, and delivers them.
///
/// # Safety
/// The arrivals' pointers are alive; no other thread uses the lane's blocks.
unsafe fn pull<T: Accumulator>(
    arrivals: &[Arrival],
    work: &mut LaneWork,
    slots: &SharedSlots<'_, T>,
    lane: usize,
    simd: SimdLevel,
) {
    let LaneWork { fragments, events } = work;
    fragments.clear();
    *events = 0;
    let mut block = lane;
    while block < slots.blocks.len() {
        let first = fragments.len();
        for arrival in arrivals {
            // SAFETY: the caller's promise.
            let (store, spikes) = unsafe { (&*arrival.store, &*arrival.spikes) };
            list_fragments(store, arrival.delay_index, spikes, block, fragments);
        }
        let todo = &fragments[first..];
        let slot = slots.block(block);
        for (i, fragment) in todo.iter().enumerate() {
            *events += u64::from(fragment.len);
            if let Some(next) = todo.get(i + AHEAD) {
                prefetch(next);
            }
            // SAFETY: targets of this block's fragments lie within the block.
            unsafe { add_fragment(fragment, slot, simd) };
        }
        block += slots.lanes;
    }
}

#[inline]
fn list_fragments(
    store: &SynapseStore,
    delay_index: usize,
    spikes: &[u32],
    block: usize,
    fragments: &mut Vec<Fragment>,
) {
    let (kind, shared, shift) = match store.weights() {
        Weights::Shared(w) => (Kind::Shared, *w, 0),
        Weights::Narrow { shift, .. } => (Kind::Narrow, 0, *shift as u8),
        Weights::Wide(_) => (Kind::Wide, 0, 0),
        Weights::Dense {
            weights,
            shift,
            layout,
        } => {
            let runs = &layout.runs[block];
            fragments.extend(spikes.iter().map(|&source| Fragment {
                start: SynapseStore::dense_row(weights, layout, source as usize, block).cast(),
                weights: runs.as_ptr().cast(),
                len: layout.neurons[block],
                shared: runs.len() as i32,
                kind: Kind::Dense,
                shift: *shift as u8,
            }));
            return;
        }
    };
    for &source in spikes {
        let (start, len) = store.segment(source as usize, block, delay_index);
        if len == 0 {
            continue;
        }
        let (data, weights) = store.pointers(start);
        fragments.push(Fragment {
            start: data,
            weights,
            len: len as u32,
            shared,
            kind,
            shift,
        });
    }
}

#[inline(always)]
fn prefetch(fragment: &Fragment) {
    #[cfg(target_arch = "x86_64")]
    {
        use core::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        let size = if fragment.kind == Kind::Narrow { 4 } else { 2 };
        let bytes = (fragment.len as usize * size).min(6 * 64);
        let mut at = 0;
        while at < bytes {
            // SAFETY: prefetching never faults.
            unsafe { _mm_prefetch::<_MM_HINT_T0>(fragment.start.add(at).cast()) };
            at += 64;
        }
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = fragment;
}

#[inline(always)]
fn add_dense_body<T: Accumulator>(slots: &mut [T], weights: &[i16], shift: u32) {
    for (slot, &weight) in slots.iter_mut().zip(weights) {
        slot.add(i32::from(weight), shift);
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn add_dense_avx2<T: Accumulator>(slots: &mut [T], weights: &[i16], shift: u32) {
    add_dense_body(slots, weights, shift);
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq")]
fn add_dense_avx512<T: Accumulator>(slots: &mut [T], weights: &[i16], shift: u32) {
    add_dense_body(slots, weights, shift);
}

#[inline(always)]
fn add_dense<T: Accumulator>(simd: SimdLevel, slots: &mut [T], weights: &[i16], shift: u32) {
    match simd {
        // SAFETY: the level was detected on this processor.
        #[cfg(target_arch = "x86_64")]
        SimdLevel::Avx2 => unsafe { add_dense_avx2(slots, weights, shift) },
        // SAFETY: as above.
        #[cfg(target_arch = "x86_64")]
        SimdLevel::Avx512 => unsafe { add_dense_avx512(slots, weights, shift) },
        _ => add_dense_body(slots, weights, shift),
    }
}

/// # Safety
/// The fragment's targets lie within the block that starts at `slot`.
#[inline(always)]
unsafe fn add_fragment<T: Accumulator>(fragment: &Fragment, slot: *mut T, simd: SimdLevel) {
    let len = fragment.len as usize;
    // SAFETY: the store made the fragment from its own arrays; the caller vouches for the targets.
    unsafe {
        match fragment.kind {
            Kind::Shared => {
                let targets = core::slice::from_raw_parts(fragment.start.cast::<u16>(), len);
                for &target in targets {
                    (*slot.add(usize::from(target))).add(fragment.shared, 0);
                }
            }
            Kind::Dense => {
                let runs = core::slice::from_raw_parts(
                    fragment.weights.cast::<(u32, u32)>(),
                    fragment.shared as usize,
                );
                let mut weights = fragment.start.cast::<i16>();
                for &(first, len) in runs {
                    let row = core::slice::from_raw_parts(weights, len as usize);
                    let slots =
                        core::slice::from_raw_parts_mut(slot.add(first as usize), len as usize);
                    add_dense(simd, slots, row, u32::from(fragment.shift));
                    weights = weights.add(len as usize);
                }
            }
            Kind::Narrow => {
                let pairs = core::slice::from_raw_parts(fragment.start.cast::<u32>(), len);
                let shift = u32::from(fragment.shift);
                for &pair in pairs {
                    (*slot.add((pair & 0xFFFF) as usize)).add((pair as i32) >> 16, shift);
                }
            }
            Kind::Wide => {
                let targets = core::slice::from_raw_parts(fragment.start.cast::<u16>(), len);
                let weights = core::slice::from_raw_parts(fragment.weights.cast::<i32>(), len);
                for (&target, &weight) in targets.iter().zip(weights) {
                    (*slot.add(usize::from(target))).add(weight, 0);
                }
            }
        }
    }
}

/// The first system of `Propagate`: lists the spikes of every region, counts and hashes them, and keeps them for delivery.
pub fn list_spikes(
    clock: Res<Clock>,
    mut count: ResMut<SpikeCount>,
    mut regions: Query<(&Region, &mut Spikes, &mut SpikeHistory)>,
) {
    let step = clock.step();
    for (region, mut spikes, mut history) in &mut regions {
        let Spikes { mask, list } = &mut *spikes;
        list.clear();
        for (chunk, &bits) in mask.iter().enumerate() {
            let mut bits = bits;
            while bits != 0 {
                list.push((chunk * LANES) as u32 + bits.trailing_zeros());
                bits &= bits - 1;
            }
        }
        history.push(step, list);
        if !list.is_empty() {
            count.spikes += list.len() as u64;
            let key = region.key ^ avalanche(step);
            for &neuron in list.iter() {
                count.hash = count.hash.wrapping_add(avalanche(
                    key.wrapping_add(u64::from(neuron).wrapping_mul(0x9E37_79B9_7F4A_7C15)),
                ));
            }
        }
    }
}

/// The second system of `Propagate`: pushes the spikes of this step along the rows of the stores that push.
pub fn push_spikes(
    clock: Res<Clock>,
    workers: Res<Workers>,
    mut slots: ResMut<InputSlots>,
    mut count: ResMut<SpikeCount>,
    stores: Query<&SynapseStore>,
    regions: Query<&Spikes>,
) {
    let step = clock.step();
    for store in &stores {
        if store.transfer() != Transfer::Push {
            continue;
        }
        let Ok(spikes) = regions.get(store.source()) else {
            continue;
        };
        if spikes.list.is_empty() {
            continue;
        }
        count.events += spikes
            .list
            .iter()
            .map(|&s| store.row_len(s as usize) as u64)
            .sum::<u64>();
        match &mut *slots {
            InputSlots::Narrow(slots) => {
                let shares = slots.share(step);
                // SAFETY: each lane writes its own blocks.
                workers.run(&|lane| unsafe { push(store, &spikes.list, &shares, lane) });
            }
            InputSlots::Wide(slots) => {
                let shares = slots.share(step);
                // SAFETY: as above.
                workers.run(&|lane| unsafe { push(store, &spikes.list, &shares, lane) });
            }
        }
    }
}

/// # Safety
/// No other thread uses the lane's blocks.
unsafe fn push<T: Accumulator>(
    store: &SynapseStore,
    spikes: &[u32],
    slots: &SharedSlots<'_, T>,
    lane: usize,
) {
    let mut block = lane;
    while block < slots.blocks.len() {
        for &source in spikes {
            let (start, len) = store.segment(source as usize, block, 0);
            for synapse in start..start + len {
                let (target, weight, shift, delay) = store.pushed(synapse);
                // SAFETY: the store's targets lie within the block and its delays within the ring.
                unsafe { (*slots.block_after(block, delay).add(target)).add(weight, shift) };
            }
        }
        block += slots.lanes;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn history_returns_what_was_pushed_for_as_long_as_it_is_deep() {
        for (depth, neurons) in [(1, 1), (2, 13), (5, 13), (16, 100), (200, 7)] {
            let mut history = SpikeHistory::new(depth, neurons);
            // Sparse, dense, silent and alternating stretches.
            let spikes = |step: u64| -> Vec<u32> {
                let n = match step / 300 % 4 {
                    0 => step * 7 % 13,
                    1 => u64::MAX,
                    2 => 0,
                    _ => step % 2 * 1000 + step % 3,
                };
                (0..n.min(neurons as u64) as u32)
                    .map(|i| i ^ (step % 2) as u32)
                    .collect()
            };
            let mut room = 0;
            for step in 0..3600 {
                history.push(step, &spikes(step));
                for back in 0..(depth as u64).min(step + 1) {
                    assert_eq!(
                        history.at(step - back),
                        spikes(step - back),
                        "depth {depth}, step {step} - {back}"
                    );
                }
                if step == 1200 {
                    room = history.ids.len();
                }
            }
            assert_eq!(
                history.ids.len(),
                room,
                "depth {depth}: it grew after all kinds of stretches had come"
            );
        }
    }
}
