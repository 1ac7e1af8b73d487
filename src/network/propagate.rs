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
use crate::sim::workers::{Shares, Workers};
use bevy::prelude::*;

/// An integer that weights can be added to.
pub trait Accumulator: Slot {
    /// Adds a weight in quanta.
    fn add(&mut self, quanta: i32, shift: u32);
    /// From the bits of a snapshot.
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
            for ((current, first), block) in self.current.iter_mut().zip(&self.pointers).zip(&self.blocks) {
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

    /// The slots of one block, all ring positions one after another.
    pub fn block_mut(&mut self, block: usize) -> &mut [T] {
        let block = &mut self.blocks[block];
        // SAFETY: a line is an array of 16 values.
        unsafe { core::slice::from_raw_parts_mut(block.lines.as_mut_ptr().cast(), block.lines.len() * 16) }
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
        unsafe { self.pointers[block].pointer().add(position * self.blocks[block].stride) }
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

/// The spikes of the last steps of a region, as far back as its longest pulled delay.
#[derive(Component, Clone, Debug, Default)]
pub struct SpikeHistory {
    /// How many steps are kept; 0 if nothing pulls from the region.
    depth: usize,
    /// The spikes of steps ≡ i mod `depth`: a range of `ids`.
    ranges: Vec<(u32, u32)>,
    /// A ring of neuron indices.
    ids: Vec<u32>,
    /// Where the next spikes go.
    end: usize,
}

impl SpikeHistory {
    /// A history of `depth` steps for `neurons` neurons.
    pub fn new(depth: usize, neurons: usize) -> Self {
        Self {
            depth,
            ranges: vec![(0, 0); depth],
            ids: vec![0; if depth == 0 { 0 } else { 2 * neurons + 64 }],
            end: 0,
        }
    }

    /// How many steps are kept.
    pub fn depth(&self) -> usize {
        self.depth
    }

    /// Keeps the spikes of step `step`, forgetting the oldest.
    #[inline]
    pub fn push(&mut self, step: u64, spikes: &[u32]) {
        if self.depth == 0 {
            return;
        }
        let slot = (step % self.depth as u64) as usize;
        self.ranges[slot] = (0, 0);
        if spikes.is_empty() {
            return;
        }
        if self.end + spikes.len() > self.ids.len() || self.overwrites(spikes.len()) {
            self.compact(spikes.len());
        }
        self.ids[self.end..self.end + spikes.len()].copy_from_slice(spikes);
        self.ranges[slot] = (self.end as u32, spikes.len() as u32);
        self.end += spikes.len();
    }

    fn overwrites(&self, more: usize) -> bool {
        let (a, b) = (self.end as u32, (self.end + more) as u32);
        self.ranges.iter().any(|&(start, len)| len > 0 && start < b && a < start + len)
    }

    /// Moves what is alive to the front, growing the ring if it is more than half full.
    #[cold]
    fn compact(&mut self, more: usize) {
        let alive: usize = self.ranges.iter().map(|r| r.1 as usize).sum();
        let mut ids = vec![0; self.ids.len().max(2 * (alive + more))];
        let mut end = 0;
        for range in &mut self.ranges {
            let (start, len) = (range.0 as usize, range.1 as usize);
            ids[end..end + len].copy_from_slice(&self.ids[start..start + len]);
            range.0 = end as u32;
            end += len;
        }
        self.ids = ids;
        self.end = end;
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
#[derive(Default)]
struct LaneWork {
    fragments: Vec<Fragment>,
    events: u64,
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
}

/// The system of `Deliver`: adds every pulled segment that is due to the slots of this step.
pub fn deliver(
    clock: Res<Clock>,
    workers: Res<Workers>,
    mut slots: ResMut<InputSlots>,
    mut count: ResMut<SpikeCount>,
    stores: Query<&SynapseStore>,
    histories: Query<&SpikeHistory>,
    mut arrivals: Local<Arrivals>,
) {
    let step = clock.step();
    let Arrivals { list, lanes: works } = &mut *arrivals;
    list.clear();
    for store in &stores {
        if store.transfer() != Transfer::Pull {
            continue;
        }
        let Ok(history) = histories.get(store.source()) else {
            continue;
        };
        for (delay_index, &delay) in store.delays().iter().enumerate() {
            if u64::from(delay) > step {
                break;
            }
            let spikes = history.at(step - u64::from(delay));
            if !spikes.is_empty() {
                list.push(Arrival {
                    store,
                    delay_index,
                    spikes,
                });
            }
        }
    }
    if list.is_empty() {
        return;
    }
    let lanes = workers.lanes();
    works.resize_with(lanes, LaneWork::default);
    let list = FollowedByLanes(list);
    let shared_works = Shares::new(works);
    match &mut *slots {
        InputSlots::Narrow(slots) => {
            let shares = slots.share(step);
            workers.run(&|lane| {
                // SAFETY: each lane has its own work list and its own blocks.
                unsafe { pull(list.get(), shared_works.get(lane), &shares, lane) }
            });
        }
        InputSlots::Wide(slots) => {
            let shares = slots.share(step);
            workers.run(&|lane| {
                // SAFETY: as above.
                unsafe { pull(list.get(), shared_works.get(lane), &shares, lane) }
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
            unsafe { add_fragment(fragment, slot) };
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

/// # Safety
/// The fragment's targets lie within the block that starts at `slot`.
#[inline(always)]
unsafe fn add_fragment<T: Accumulator>(fragment: &Fragment, slot: *mut T) {
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
                count.hash = count
                    .hash
                    .wrapping_add(avalanche(key.wrapping_add(u64::from(neuron).wrapping_mul(0x9E37_79B9_7F4A_7C15))));
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
        count.events += spikes.list.iter().map(|&s| store.row_len(s as usize) as u64).sum::<u64>();
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
unsafe fn push<T: Accumulator>(store: &SynapseStore, spikes: &[u32], slots: &SharedSlots<'_, T>, lane: usize) {
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
        let mut history = SpikeHistory::new(5, 10);
        let spikes = |step: u64| -> Vec<u32> { (0..(step * 7 % 13) as u32).collect() };
        for step in 0..1000 {
            history.push(step, &spikes(step));
            for back in 0..5.min(step + 1) {
                assert_eq!(history.at(step - back), spikes(step - back));
            }
        }
    }
}
