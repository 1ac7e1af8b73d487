//! Storage of synapses that change: plastic ones, and those with short-term dynamics.
//!
//! Each projection whose synapses change has a store of its own, on its entity: a 32-bit weight and the target neuron per synapse, 8
//! bytes, and 4 more for rules that tag synapses. Rows are by source neuron; within a row synapses are sorted by block of targets (so
//! that lanes write disjoint synapses), then by delay, then by target.
//!
//! A delay has parts that act in different places (see [`DelayParts`]); synapses with equal delays form a *group* of their row.

use super::pages::Pages;
use super::region::InputMap;
use crate::sim::columns::LANES;
use crate::sim::math::within;
use crate::sim::workers::Shares;
use bevy::prelude::*;
use core::sync::atomic::{AtomicUsize, Ordering};

/// The parts of a transmission delay, in steps.
///
/// A presynaptic spike reaches the synapse after `axonal` steps, and the target's input after `dendritic` more. A postsynaptic spike
/// reaches the synapse after `back` steps. Plasticity sees the spikes as they reach the synapse.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DelayParts {
    /// From the source neuron to the synapse.
    pub axonal: u32,
    /// From the synapse to the input of the target neuron; with `axonal`, at least 1.
    pub dendritic: u32,
    /// From the target neuron back to the synapse.
    pub back: u32,
}

/// One synapse as it is built.
#[derive(Clone, Copy, Debug)]
pub struct PlasticSynapse {
    /// The target neuron.
    pub target: u32,
    /// The index of its delay.
    pub delay_index: u16,
    /// Its weight; the magnitude where all weights are inhibitory.
    pub weight: f32,
}

/// What a store of changing synapses is built from.
pub struct PlasticPlan<'a> {
    /// The source region.
    pub source: Entity,
    /// The target region.
    pub target: Entity,
    /// The number of neurons of the target region.
    pub targets: u32,
    /// Where the target region sums its input.
    pub map: &'a InputMap,
    /// The channel of the target.
    pub channel: usize,
    /// The sign with which weights are sent: −1 for magnitudes of negative weights whose receptor takes both signs.
    pub sign: f32,
    /// The number of blocks of the network.
    pub blocks: usize,
    /// The delays that may occur, by index.
    pub delays: Vec<DelayParts>,
    /// Whether synapses carry a tag.
    pub tagged: bool,
    /// The least and the largest weight that the input of the targets was sized for.
    pub bounds: (f32, f32),
    /// The number of synapses of each row.
    pub row_len: Vec<u32>,
    /// Appends the synapses of a row.
    pub fill: &'a (dyn Fn(u32, &mut Vec<PlasticSynapse>) + Sync),
    /// Threads to build on.
    pub threads: usize,
    /// Called now and then with the number of synapses that were made since the last call.
    pub progress: &'a (dyn Fn(u64) + Sync),
}

/// The changing synapses of one projection. See the [module](self).
#[derive(Component)]
pub struct PlasticSynapses {
    source: Entity,
    target: Entity,
    blocks: usize,
    groups: Vec<DelayParts>,
    /// Where a row starts.
    row_start: Pages<u64>,
    /// Per row: where each (block, group) starts in it, and its length.
    table: Pages<u32>,
    targets: Pages<u32>,
    weights: Pages<f32>,
    tags: Pages<f32>,
    /// The block of each target neuron.
    block_of: Vec<u16>,
    /// The input slot of each target neuron within its block.
    slot_of: Vec<u16>,
    /// Slot units per unit of weight.
    per_quantum: f32,
    bounds: (f32, f32),
}

impl PlasticSynapses {
    /// Builds a store on `plan.threads` threads, row by row.
    pub fn build(plan: &PlasticPlan<'_>) -> Self {
        let rows = plan.row_len.len();
        let mut row_start = Pages::<u64>::zeroed(rows + 1);
        let mut total = 0u64;
        for (start, &len) in row_start.iter_mut().zip(&plan.row_len) {
            *start = total;
            total += u64::from(len);
        }
        row_start[rows] = total;
        let synapses = total as usize;
        let width = plan.blocks * plan.delays.len() + 1;
        let mut table = Pages::<u32>::zeroed(rows * width);
        let mut targets = Pages::<u32>::zeroed(synapses);
        let mut weights = Pages::<f32>::zeroed(synapses);
        let neurons = plan.targets as usize;
        let block_of: Vec<u16> = (0..neurons).map(|n| plan.map.block[n / LANES]).collect();
        let offset = plan.map.offset[plan.channel].unwrap_or(0) as usize;
        let slot_of = (0..neurons)
            .map(|n| (plan.map.base[n / LANES] as usize + offset + n % LANES) as u16)
            .collect();
        {
            let (table, targets, weights) = (
                Shares::new(&mut table),
                Shares::new(&mut targets),
                Shares::new(&mut weights),
            );
            let next = AtomicUsize::new(0);
            const ROWS_AT_ONCE: usize = 16;
            let work = || {
                let mut row: Vec<PlasticSynapse> = Vec::new();
                loop {
                    let first = next.fetch_add(ROWS_AT_ONCE, Ordering::Relaxed);
                    if first >= rows {
                        break;
                    }
                    let last = (first + ROWS_AT_ONCE).min(rows);
                    for r in first..last {
                        row.clear();
                        (plan.fill)(r as u32, &mut row);
                        row.truncate(plan.row_len[r] as usize);
                        let column = |s: &PlasticSynapse| {
                            usize::from(block_of[s.target as usize]) * plan.delays.len()
                                + usize::from(s.delay_index)
                        };
                        // Stable, so that synapses of one pair keep the order of their rule.
                        row.sort_by_key(|s| (column(s), s.target));
                        let (mut at, start) = (0, row_start[r] as usize);
                        for c in 0..width {
                            // SAFETY: rows are handed out once each; their parts of the arrays are disjoint.
                            unsafe { *table.get(r * width + c) = at as u32 };
                            while at < row.len() && column(&row[at]) == c {
                                // SAFETY: as above.
                                unsafe {
                                    *targets.get(start + at) = row[at].target;
                                    *weights.get(start + at) = row[at].weight;
                                }
                                at += 1;
                            }
                        }
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
            target: plan.target,
            blocks: plan.blocks,
            groups: plan.delays.clone(),
            row_start,
            table,
            targets,
            weights,
            tags: Pages::zeroed(if plan.tagged { synapses } else { 0 }),
            block_of,
            slot_of,
            per_quantum: plan.sign / plan.map.quantum[plan.channel],
            bounds: plan.bounds,
        }
    }

    /// The source region.
    pub fn source(&self) -> Entity {
        self.source
    }

    /// The target region.
    pub fn target(&self) -> Entity {
        self.target
    }

    /// The number of synapses.
    pub fn len(&self) -> usize {
        self.weights.len()
    }

    /// Whether there is no synapse.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The number of source neurons.
    pub fn rows(&self) -> usize {
        self.row_start.len() - 1
    }

    /// The number of target neurons.
    pub fn target_neurons(&self) -> usize {
        self.slot_of.len()
    }

    /// The number of synapses of one row.
    #[inline]
    pub fn row_len(&self, row: usize) -> usize {
        (self.row_start[row + 1] - self.row_start[row]) as usize
    }

    /// The places of the synapses of a row.
    pub fn row(&self, row: usize) -> core::ops::Range<usize> {
        self.row_start[row] as usize..self.row_start[row + 1] as usize
    }

    /// The delays, by group.
    pub fn groups(&self) -> &[DelayParts] {
        &self.groups
    }

    /// The number of blocks of the network.
    pub fn blocks(&self) -> usize {
        self.blocks
    }

    /// The places of the synapses of `row` in `block` with the delay of `group`.
    #[inline(always)]
    pub fn segment(&self, row: usize, block: usize, group: usize) -> core::ops::Range<usize> {
        let at = row * (self.blocks * self.groups.len() + 1) + block * self.groups.len() + group;
        let start = self.row_start[row] as usize;
        start + self.table[at] as usize..start + self.table[at + 1] as usize
    }

    /// The places of the synapses of `row` in `block`, whatever their delay.
    #[inline(always)]
    pub fn in_block(&self, row: usize, block: usize) -> core::ops::Range<usize> {
        let (groups, start) = (self.groups.len(), self.row_start[row] as usize);
        let at = row * (self.blocks * groups + 1) + block * groups;
        start + self.table[at] as usize..start + self.table[at + groups] as usize
    }

    /// The target neuron of every synapse.
    pub fn targets(&self) -> &[u32] {
        &self.targets
    }

    /// The block of every target neuron.
    pub fn block_of(&self) -> &[u16] {
        &self.block_of
    }

    /// The input slot of every target neuron within its block.
    pub fn slot_of(&self) -> &[u16] {
        &self.slot_of
    }

    /// Slot units per unit of weight; negative where magnitudes of inhibitory weights are kept.
    pub fn per_quantum(&self) -> f32 {
        self.per_quantum
    }

    /// The least and the largest weight that there may be.
    pub fn bounds(&self) -> (f32, f32) {
        self.bounds
    }

    /// The weights as they were left when each synapse was last visited; see
    /// [`RuleFunctions`](crate::plasticity::RuleFunctions) for those of this moment.
    pub fn stored_weights(&self) -> &[f32] {
        &self.weights
    }

    /// The tags as they were left when each synapse was last visited; empty if synapses carry none.
    pub fn stored_tags(&self) -> &[f32] {
        &self.tags
    }

    /// Targets, weights and tags, the latter two to be written.
    pub fn parts_mut(&mut self) -> (&[u32], &mut [f32], &mut [f32]) {
        (&self.targets, &mut self.weights, &mut self.tags)
    }

    /// The place of every synapse in an order that does not depend on how targets are dealt to blocks: by source, delay and target.
    /// `None` if that is the order of storage.
    pub fn common_order(&self) -> Option<Vec<usize>> {
        if self.blocks <= 1 {
            return None;
        }
        let mut order = Vec::with_capacity(self.len());
        for row in 0..self.rows() {
            for group in 0..self.groups.len() {
                let first = order.len();
                for block in 0..self.blocks {
                    order.extend(self.segment(row, block, group));
                }
                // Stable, and all synapses of a target are in one block.
                order[first..].sort_by_key(|place| self.targets[*place]);
            }
        }
        Some(order)
    }

    /// Source and target neuron of every synapse, in the [common order](Self::common_order).
    pub fn ends(&self) -> Vec<(u32, u32)> {
        let mut ends = Vec::with_capacity(self.len());
        for row in 0..self.rows() {
            ends.extend(self.row(row).map(|place| (row as u32, self.targets[place])));
        }
        match self.common_order() {
            Some(order) => order.into_iter().map(|place| ends[place]).collect(),
            None => ends,
        }
    }

    /// Values that are given in the order of storage, in the [common order](Self::common_order).
    pub fn in_common_order(&self, values: Vec<f32>) -> Vec<f32> {
        match self.common_order() {
            Some(order) if !values.is_empty() => order.iter().map(|place| values[*place]).collect(),
            _ => values,
        }
    }

    /// Takes weights and tags in the [common order](Self::common_order), weights within `bounds`. False if there are not as many as synapses.
    pub fn set_in_common_order(
        &mut self,
        weights: &[f32],
        tags: &[f32],
        bounds: (f32, f32),
    ) -> bool {
        if weights.len() != self.weights.len() || tags.len() != self.tags.len() {
            return false;
        }
        let order = self.common_order();
        let place = |i: usize| order.as_ref().map_or(i, |order| order[i]);
        for (i, weight) in weights.iter().enumerate() {
            self.weights[place(i)] = within(*weight, bounds.into());
        }
        for (i, tag) in tags.iter().enumerate() {
            self.tags[place(i)] = *tag;
        }
        true
    }

    /// Bytes that the store takes.
    pub fn bytes(&self) -> usize {
        self.row_start.len() * 8
            + (self.table.len() + self.targets.len() + self.weights.len() + self.tags.len()) * 4
            + self.slot_of.len() * 4
    }

    /// Calls `visit(target neuron, place of the synapse, delay in steps)` for every synapse of a row.
    pub fn visit_row(&self, row: usize, visit: &mut dyn FnMut(u32, usize, u32)) {
        for block in 0..self.blocks {
            for (group, delay) in self.groups.iter().enumerate() {
                for place in self.segment(row, block, group) {
                    visit(self.targets[place], place, delay.axonal + delay.dendritic);
                }
            }
        }
    }
}
