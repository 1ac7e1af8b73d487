//! Storage of synapses.
//!
//! A [`SynapseStore`] holds the static synapses of one source region that share a weight format, whatever projections and
//! target regions they belong to, so that rows stay long. Rows are by source neuron; within a row synapses are
//! sorted by block of targets, and within a block by delay. A synapse is a 16-bit target slot within its block and
//!
//! * nothing else, where all weights are equal ([`Weights::Shared`]): 2 bytes;
//! * a 16-bit weight, where weights are drawn ([`Weights::Narrow`]): 4 bytes;
//! * no target but a 16-bit weight, where every source reaches every target ([`Weights::Dense`]): 2 bytes;
//! * a 32-bit weight, where weights are listed one by one ([`Weights::Wide`]): 6 bytes.
//!
//! The delay is implied by the position in the row (a table of offsets), or, where that table would be larger, kept as one byte per
//! synapse and the store pushes (see [`deliver`](super::deliver)).

use super::deliver::Segment;
use super::pages::Pages;
use crate::sim::prefetch::ask_for;
use crate::sim::workers::Shares;
use bevy::prelude::*;
use bytemuck::Zeroable;

/// How a store delivers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transfer {
    /// Segments of past spikes' rows are added when they are due.
    Pull,
    /// A spike's row is added at once to the slots of the steps in which its synapses are due.
    Push,
}

/// The weights of a store, in quanta of the target's receptor.
pub enum Weights {
    /// Every synapse has this weight; targets only are stored.
    Shared(i32),
    /// A 16-bit weight beside each target; the weight counts 2^`shift` quanta.
    Narrow {
        /// Target and weight of every synapse.
        pairs: Pages<Pair>,
        /// Binary places that a weight is shifted by.
        shift: u32,
    },
    /// One 32-bit weight per synapse beside its target.
    Wide(Pages<i32>),
    /// One 16-bit weight for every slot of the target regions, in the order of the slots; it counts 2^`shift` quanta.
    Dense {
        /// The weights, row after row, block after block within a row.
        weights: Pages<i16>,
        /// Binary places that a weight is shifted by.
        shift: u32,
        /// Which slots of each block the weights are for.
        layout: DenseLayout,
    },
}

/// A target and its weight.
#[derive(Clone, Copy, Debug, Zeroable)]
#[repr(C)]
pub struct Pair {
    /// The slot within the block.
    pub target: u16,
    /// The weight, in quanta shifted right by the store's shift.
    pub weight: i16,
}

/// Which slots a dense row covers: the same for every row.
#[derive(Clone, Debug, Default)]
pub struct DenseLayout {
    /// Per block: runs of slots as (first, length), ascending.
    pub runs: Vec<Vec<(u32, u32)>>,
    /// Per block: where its weights start within a row; then the length of a row.
    start: Vec<usize>,
    /// Per block: how many of the slots belong to neurons rather than padding.
    pub neurons: Vec<u32>,
}

impl DenseLayout {
    /// The layout of runs of slots, given per block in any order, and of the neurons among them.
    pub fn new(mut runs: Vec<Vec<(u32, u32)>>, neurons: Vec<u32>) -> Self {
        let mut start = vec![0];
        for block in &mut runs {
            block.sort_unstable();
            block.dedup_by(|next, run| {
                let joins = run.0 + run.1 == next.0;
                if joins {
                    run.1 += next.1;
                }
                joins
            });
            let len: u32 = block.iter().map(|r| r.1).sum();
            start.push(start[start.len() - 1] + len as usize);
        }
        Self {
            runs,
            start,
            neurons,
        }
    }

    /// Weights in a row.
    pub fn row_len(&self) -> usize {
        self.start[self.start.len() - 1]
    }

    /// The place of a slot within a row.
    fn place(&self, block: usize, slot: u32) -> Option<usize> {
        let mut at = self.start[block];
        for &(first, len) in &self.runs[block] {
            if (first..first + len).contains(&slot) {
                return Some(at + (slot - first) as usize);
            }
            at += len as usize;
        }
        None
    }
}

enum Table {
    Narrow(Pages<u16>),
    Wide(Pages<u32>),
}

/// Static synapses of one source region. See the [module](self).
#[derive(Component)]
pub struct SynapseStore {
    source: Entity,
    blocks: usize,
    delays: Vec<u32>,
    transfer: Transfer,
    row_start: Pages<u64>,
    table: Table,
    targets: Pages<u16>,
    weights: Weights,
    delay_of: Pages<u8>,
}

/// What one synapse is while a store is built.
#[derive(Clone, Copy, Debug)]
pub struct BuildSynapse {
    /// The block of its target.
    pub block: u16,
    /// Its target slot within the block.
    pub target: u16,
    /// Its delay's index in the store's list.
    pub delay_index: u16,
    /// Its weight, in quanta shifted right by the store's shift.
    pub weight: i32,
}

/// The kind of weights of a store to build.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum WeightFormat {
    /// [`Weights::Shared`].
    Shared(i32),
    /// [`Weights::Narrow`].
    Narrow {
        /// Binary places that a weight is shifted by.
        shift: u32,
    },
    /// [`Weights::Wide`].
    Wide,
    /// [`Weights::Dense`], for synapses of one delay.
    Dense {
        /// Binary places that a weight is shifted by.
        shift: u32,
        /// The delay in steps.
        delay: u32,
    },
}

impl WeightFormat {
    /// Bytes per synapse of target and weight.
    pub fn bytes(self) -> usize {
        match self {
            Self::Shared(_) | Self::Dense { .. } => 2,
            Self::Narrow { .. } => 4,
            Self::Wide => 6,
        }
    }
}

/// What a store is built from.
pub struct StorePlan<'a> {
    /// The source region.
    pub source: Entity,
    /// The number of blocks of the network.
    pub blocks: usize,
    /// The delays in steps, ascending, each at least 1.
    pub delays: Vec<u32>,
    /// The weight format.
    pub format: WeightFormat,
    /// The layout of a dense row; unused by other formats.
    pub dense: DenseLayout,
    /// The number of synapses of each row.
    pub row_len: Vec<u32>,
    /// Appends the synapses of a row, as many as `row_len` says; the same whenever it is called.
    pub fill: &'a (dyn Fn(u32, &mut Vec<BuildSynapse>) + Sync),
    /// Threads to build on.
    pub threads: usize,
    /// Called now and then with the number of synapses that were made since the last call.
    pub progress: &'a (dyn Fn(u64) + Sync),
}

/// Predicts the transfer and the size in bytes of a store.
pub fn predict(
    rows: usize,
    synapses: f64,
    blocks: usize,
    delays: usize,
    format: WeightFormat,
) -> (Transfer, f64) {
    if let WeightFormat::Dense { .. } = format {
        return (Transfer::Pull, rows as f64 * 10.0 + 2.2 * synapses);
    }
    let table = (rows * (blocks * delays + 1)) as f64 * 2.0;
    let transfer = if delays <= 1 || table <= 0.9 * synapses || table < 65_536.0 || delays > 256 {
        Transfer::Pull
    } else {
        Transfer::Push
    };
    let fixed = rows as f64 * 8.0;
    let bytes = format.bytes() as f64 * synapses;
    match transfer {
        Transfer::Pull => (transfer, fixed + table + bytes),
        Transfer::Push => (
            transfer,
            fixed + (rows * (blocks + 1)) as f64 * 2.0 + bytes + synapses,
        ),
    }
}

impl SynapseStore {
    /// Builds a store on `plan.threads` threads, row by row.
    pub fn build(plan: &StorePlan<'_>) -> Self {
        let rows = plan.row_len.len();
        let mut row_start = Pages::<u64>::zeroed(rows + 1);
        let mut total = 0u64;
        for (start, &len) in row_start.iter_mut().zip(&plan.row_len) {
            *start = total;
            total += u64::from(len);
        }
        row_start[rows] = total;
        let synapses = total as usize;
        let (transfer, _) = predict(
            rows,
            total as f64,
            plan.blocks,
            plan.delays.len(),
            plan.format,
        );
        let columns = match transfer {
            Transfer::Pull => plan.delays.len(),
            Transfer::Push => 1,
        };
        let dense = matches!(plan.format, WeightFormat::Dense { .. });
        let width = if dense { 1 } else { plan.blocks * columns + 1 };
        let longest = plan.row_len.iter().copied().max().unwrap_or(0);
        let narrow_table = longest <= u32::from(u16::MAX);
        let mut table16 = Pages::<u16>::zeroed(if narrow_table { rows * width } else { 0 });
        let mut table32 = Pages::<u32>::zeroed(if narrow_table { 0 } else { rows * width });
        let paired = matches!(plan.format, WeightFormat::Narrow { .. });
        let mut targets = Pages::<u16>::zeroed(if paired || dense { 0 } else { synapses });
        let mut dense_weights = Pages::<i16>::zeroed(if dense {
            rows * plan.dense.row_len()
        } else {
            0
        });
        let mut pairs = Pages::<Pair>::zeroed(if paired { synapses } else { 0 });
        let mut wide = Pages::<i32>::zeroed(if plan.format == WeightFormat::Wide {
            synapses
        } else {
            0
        });
        let mut delay_of = Pages::<u8>::zeroed(if transfer == Transfer::Push {
            synapses
        } else {
            0
        });
        {
            let out = Out {
                table16: Shares::new(&mut table16),
                table32: Shares::new(&mut table32),
                narrow_table,
                width,
                columns,
                targets: Shares::new(&mut targets),
                pairs: Shares::new(&mut pairs),
                wide: Shares::new(&mut wide),
                dense_weights: Shares::new(&mut dense_weights),
                dense: &plan.dense,
                delay_of: Shares::new(&mut delay_of),
                transfer,
                format: plan.format,
            };
            let next = core::sync::atomic::AtomicUsize::new(0);
            const ROWS_AT_ONCE: usize = 64;
            let work = || {
                let mut scratch = RowScratch::new(width);
                loop {
                    let first = next.fetch_add(ROWS_AT_ONCE, core::sync::atomic::Ordering::Relaxed);
                    if first >= rows {
                        break;
                    }
                    let last = (first + ROWS_AT_ONCE).min(rows);
                    for row in first..last {
                        scratch.synapses.clear();
                        (plan.fill)(row as u32, &mut scratch.synapses);
                        debug_assert_eq!(scratch.synapses.len(), plan.row_len[row] as usize);
                        scratch.synapses.truncate(plan.row_len[row] as usize);
                        // SAFETY: rows are handed out once each and their ranges are disjoint.
                        unsafe { out.write_row(row, row_start[row] as usize, &mut scratch) };
                    }
                    (plan.progress)(row_start[last] - row_start[first]);
                }
            };
            if plan.threads <= 1 || synapses < 20_000 {
                work();
            } else {
                std::thread::scope(|scope| {
                    for _ in 1..plan.threads {
                        scope.spawn(work);
                    }
                    work();
                });
            }
        }
        Self {
            source: plan.source,
            blocks: plan.blocks,
            delays: plan.delays.clone(),
            transfer,
            row_start,
            table: if narrow_table {
                Table::Narrow(table16)
            } else {
                Table::Wide(table32)
            },
            targets,
            weights: match plan.format {
                WeightFormat::Shared(weight) => Weights::Shared(weight),
                WeightFormat::Narrow { shift } => Weights::Narrow { pairs, shift },
                WeightFormat::Wide => Weights::Wide(wide),
                WeightFormat::Dense { shift, .. } => Weights::Dense {
                    weights: dense_weights,
                    shift,
                    layout: plan.dense.clone(),
                },
            },
            delay_of,
        }
    }

    /// The same synapses, from a region that is another entity now.
    pub fn moved(mut self, source: Entity) -> Self {
        self.source = source;
        self
    }

    /// The source region.
    pub fn source(&self) -> Entity {
        self.source
    }

    /// How the store delivers.
    pub fn transfer(&self) -> Transfer {
        self.transfer
    }

    /// The delays in steps, ascending.
    pub fn delays(&self) -> &[u32] {
        &self.delays
    }

    /// The weights.
    pub fn weights(&self) -> &Weights {
        &self.weights
    }

    /// The number of synapses.
    pub fn len(&self) -> usize {
        self.row_start[self.row_start.len() - 1] as usize
    }

    /// Whether there is no synapse.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The number of synapses of one row.
    #[inline]
    pub fn row_len(&self, row: usize) -> usize {
        (self.row_start[row + 1] - self.row_start[row]) as usize
    }

    /// Asks for the memory that says where a row is.
    #[inline]
    pub(super) fn ask_for_row(&self, row: usize) {
        ask_for(self.row_start.as_ptr().wrapping_add(row));
    }

    /// Bytes that the store takes.
    pub fn bytes(&self) -> usize {
        let table = match &self.table {
            Table::Narrow(table) => table.len() * 2,
            Table::Wide(table) => table.len() * 4,
        };
        let weights = match &self.weights {
            Weights::Shared(_) => 0,
            Weights::Narrow { pairs, .. } => pairs.len() * 4,
            Weights::Wide(weights) => weights.len() * 4,
            Weights::Dense { weights, .. } => weights.len() * 2,
        };
        self.row_start.len() * 8 + table + weights + self.targets.len() * 2 + self.delay_of.len()
    }

    /// The synapses of `row` in `block` with the delay of index `delay_index` (pull), or in `block` (push, index 0): the
    /// first one and how many.
    #[inline(always)]
    pub fn segment(&self, row: usize, block: usize, delay_index: usize) -> (usize, usize) {
        let columns = match self.transfer {
            Transfer::Pull => self.delays.len(),
            Transfer::Push => 1,
        };
        let at = row * (self.blocks * columns + 1) + block * columns + delay_index;
        let start = self.row_start[row] as usize;
        let (a, b) = match &self.table {
            Table::Narrow(table) => (usize::from(table[at]), usize::from(table[at + 1])),
            Table::Wide(table) => (table[at] as usize, table[at + 1] as usize),
        };
        (start + a, b - a)
    }

    /// Lists the segments of block `block` and delay index `delay_index` of the rows of `spikes`, by the place of their entries in the
    /// table, and asks for that memory. What is listed is not a segment before [`find`](Self::find).
    #[inline(always)]
    pub(super) fn seek(
        &self,
        block: usize,
        delay_index: usize,
        spikes: &[u32],
        segments: &mut Vec<Segment>,
    ) {
        if let Weights::Dense {
            weights, layout, ..
        } = &self.weights
        {
            let (start, row_len) = (layout.start[block], layout.row_len());
            let len = ((layout.start[block + 1] - start) * size_of::<i16>()) as u32;
            if len == 0 {
                return;
            }
            segments.extend(spikes.iter().map(|&row| Segment {
                start: weights[row as usize * row_len + start..].as_ptr().cast(),
                len,
            }));
            return;
        }
        let width = self.blocks * self.delays.len() + 1;
        let place = block * self.delays.len() + delay_index;
        let (table, size): (*const u8, usize) = match &self.table {
            Table::Narrow(table) => (table.as_ptr().cast(), 2),
            Table::Wide(table) => (table.as_ptr().cast(), 4),
        };
        segments.extend(spikes.iter().map(|&row| {
            let start = table.wrapping_add((row as usize * width + place) * size);
            ask_for(start);
            self.ask_for_row(row as usize);
            Segment { start, len: row }
        }));
    }

    /// Turns the listed entries `range` into segments, which go to `kept` and after it; empty ones are left out. Returns where they end.
    ///
    /// # Safety
    /// The entries were listed by [`seek`](Self::seek) of this store for rows that it has, and `kept` is not past the range's start.
    #[inline(always)]
    pub(super) unsafe fn find(
        &self,
        segments: &mut [Segment],
        range: core::ops::Range<usize>,
        mut kept: usize,
    ) -> usize {
        let (data, size): (*const u8, usize) = match &self.weights {
            Weights::Shared(_) | Weights::Wide(_) => (self.targets.as_ptr().cast(), 2),
            Weights::Narrow { pairs, .. } => (pairs.as_ptr().cast(), 4),
            Weights::Dense { .. } => {
                let end = kept + range.len();
                segments.copy_within(range, kept);
                return end;
            }
        };
        for i in range {
            let Segment { start, len: row } = segments[i];
            // SAFETY: the entry lies within the table, as does the next one, and the row exists.
            let (first, end, row_start) = unsafe {
                let row_start = *self.row_start.get_unchecked(row as usize) as usize;
                match &self.table {
                    Table::Narrow(_) => {
                        let entry = start.cast::<u16>();
                        (usize::from(*entry), usize::from(*entry.add(1)), row_start)
                    }
                    Table::Wide(_) => {
                        let entry = start.cast::<u32>();
                        (*entry as usize, *entry.add(1) as usize, row_start)
                    }
                }
            };
            segments[kept] = Segment {
                start: data.wrapping_add((row_start + first) * size),
                len: ((end - first) * size) as u32,
            };
            kept += usize::from(end > first);
        }
        kept
    }

    /// The number of the synapse whose target is at an address in the list of targets.
    #[inline(always)]
    pub(super) fn index_of_target(&self, address: *const u8) -> usize {
        (address.addr() - self.targets.as_ptr().addr()) / size_of::<u16>()
    }

    /// Target slot, weight, shift and delay in steps of the synapse `index` of a store that pushes.
    #[inline(always)]
    pub(super) fn pushed(&self, index: usize) -> (usize, i32, u32, usize) {
        let delay = self.delays[usize::from(self.delay_of[index])] as usize;
        let (target, weight, shift) = self.target_and_weight(index);
        (target, weight, shift, delay)
    }

    #[inline(always)]
    fn target_and_weight(&self, index: usize) -> (usize, i32, u32) {
        match &self.weights {
            Weights::Shared(weight) => (usize::from(self.targets[index]), *weight, 0),
            Weights::Narrow { pairs, shift } => {
                let pair = pairs[index];
                (usize::from(pair.target), i32::from(pair.weight), *shift)
            }
            Weights::Wide(weights) => (usize::from(self.targets[index]), weights[index], 0),
            Weights::Dense { .. } => (0, 0, 0),
        }
    }

    /// Calls `visit(block, target slot, weight in quanta, delay in steps)` for every synapse of a row.
    ///
    /// A dense row also has a weight of 0 for each slot of the padding.
    pub fn visit_row(&self, row: usize, visit: &mut dyn FnMut(usize, usize, i64, u32)) {
        if let Weights::Dense {
            weights,
            shift,
            layout,
        } = &self.weights
        {
            let mut at = row * layout.row_len();
            for (block, runs) in layout.runs.iter().enumerate() {
                for slot in runs.iter().flat_map(|&(first, len)| first..first + len) {
                    visit(
                        block,
                        slot as usize,
                        i64::from(weights[at]) << shift,
                        self.delays[0],
                    );
                    at += 1;
                }
            }
            return;
        }
        for block in 0..self.blocks {
            match self.transfer {
                Transfer::Pull => {
                    for (i, &delay) in self.delays.iter().enumerate() {
                        let (start, len) = self.segment(row, block, i);
                        for index in start..start + len {
                            let (target, weight, shift) = self.target_and_weight(index);
                            visit(block, target, i64::from(weight) << shift, delay);
                        }
                    }
                }
                Transfer::Push => {
                    let (start, len) = self.segment(row, block, 0);
                    for index in start..start + len {
                        let (target, weight, shift, delay) = self.pushed(index);
                        visit(block, target, i64::from(weight) << shift, delay as u32);
                    }
                }
            }
        }
    }
}

struct RowScratch {
    synapses: Vec<BuildSynapse>,
    counts: Vec<u32>,
}

impl RowScratch {
    fn new(width: usize) -> Self {
        Self {
            synapses: Vec::new(),
            counts: vec![0; width],
        }
    }
}

struct Out<'a> {
    dense_weights: Shares<i16>,
    dense: &'a DenseLayout,
    table16: Shares<u16>,
    table32: Shares<u32>,
    narrow_table: bool,
    width: usize,
    columns: usize,
    targets: Shares<u16>,
    pairs: Shares<Pair>,
    wide: Shares<i32>,
    delay_of: Shares<u8>,
    transfer: Transfer,
    format: WeightFormat,
}

impl Out<'_> {
    /// Sorts a row by (block, delay) by counting and writes it once.
    ///
    /// # Safety
    /// No other thread writes the row.
    unsafe fn write_row(&self, row: usize, start: usize, scratch: &mut RowScratch) {
        let RowScratch { synapses, counts } = scratch;
        if let WeightFormat::Dense { .. } = self.format {
            for synapse in synapses.iter() {
                if let Some(place) = self
                    .dense
                    .place(synapse.block.into(), synapse.target.into())
                {
                    // SAFETY: the place lies within this row.
                    unsafe {
                        *self.dense_weights.get(row * self.dense.row_len() + place) =
                            synapse.weight as i16
                    };
                }
            }
            return;
        }
        let column = |s: &BuildSynapse| {
            let delay = if self.transfer == Transfer::Pull {
                usize::from(s.delay_index)
            } else {
                0
            };
            usize::from(s.block) * self.columns + delay
        };
        counts.fill(0);
        for synapse in synapses.iter() {
            counts[column(synapse)] += 1;
        }
        let mut offset = 0;
        for (i, count) in counts.iter_mut().enumerate() {
            let len = *count;
            *count = offset;
            // SAFETY: the table has `width` entries per row and this row is ours.
            unsafe {
                if self.narrow_table {
                    *self.table16.get(row * self.width + i) = offset as u16;
                } else {
                    *self.table32.get(row * self.width + i) = offset;
                }
            }
            offset += len;
        }
        for synapse in synapses.iter() {
            let at = &mut counts[column(synapse)];
            let index = start + *at as usize;
            *at += 1;
            // SAFETY: `index` lies within this row.
            unsafe {
                match self.format {
                    WeightFormat::Narrow { .. } => {
                        *self.pairs.get(index) = Pair {
                            target: synapse.target,
                            weight: synapse.weight as i16,
                        };
                    }
                    WeightFormat::Shared(_) => *self.targets.get(index) = synapse.target,
                    WeightFormat::Wide => {
                        *self.targets.get(index) = synapse.target;
                        *self.wide.get(index) = synapse.weight;
                    }
                    WeightFormat::Dense { .. } => {}
                }
                if self.transfer == Transfer::Push {
                    *self.delay_of.get(index) = synapse.delay_index as u8;
                }
            }
        }
    }
}
