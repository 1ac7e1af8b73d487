//! Rows that reach all target neurons, or all but one, with one delay.
//!
//! What a visit of such a row has missed since the last one is what happened to all targets since then. So it is read from one list of
//! postsynaptic spikes in the order of their times, instead of from the history of each target in turn: the loop over the spikes has no inner
//! loop of uncertain length, and that over the synapses is the same for all of them and is vectorised. What comes out is the same, bit for bit.

use super::visit::rounded;
use crate::network::plastic::PlasticSynapses;
use crate::network::slots::Accumulator;
use crate::plasticity::history::{PostHistory, PostSpike};
use crate::plasticity::replay::{Order, Window};
use crate::plasticity::{LearningRule, Seen, SendOrder, SynapseState, Traces};
use crate::sim::workers::Shares;
use core::cmp::Reverse;
use core::ops::Range;

/// Blocks with fewer targets of the projection are not worth it.
const FEWEST: usize = 8;

/// What visits of whole rows need of the target neurons, per block.
pub(super) struct WholeRows<P> {
    blocks: Vec<Block<P>>,
    /// Per target neuron: its block and its rank in it.
    places: Vec<(u16, u32)>,
    back: u32,
    /// The age at which a presynaptic spike starts to see a postsynaptic one.
    seen_from: i32,
}

/// The target neurons of a block.
pub(super) struct Block<P> {
    /// Which they are, ascending. A neuron's place in this list is its rank.
    members: Vec<u32>,
    /// Neurons whose input slots follow each other.
    runs: Vec<Run>,
    /// Spikes that not all synapses have seen, in the order of their times.
    spikes: Vec<Noted>,
    /// How many of them presynaptic spikes see.
    seen: usize,
    /// Per rank: the last spike that presynaptic ones see.
    last: Vec<PostSpike<P>>,
}

/// Targets of successive ranks whose input slots follow each other.
#[derive(Clone, Copy)]
struct Run {
    rank: usize,
    len: usize,
    slot: usize,
}

/// A postsynaptic spike.
#[derive(Clone, Copy)]
struct Noted {
    time: u32,
    rank: u32,
    /// Its number in the history of its neuron.
    number: u32,
}

impl<P: Traces> WholeRows<P> {
    /// For the synapses of a projection, if most are in whole rows and the rule does nothing between spikes.
    pub fn new<R: LearningRule<Post = P>>(
        synapses: &PlasticSynapses,
        orders: &[Order],
        post: &PostHistory<P>,
    ) -> Option<Self> {
        let ([delay], [order]) = (synapses.groups(), orders) else {
            return None;
        };
        if !R::LEARNS || R::MODULATED || R::FOLLOWS {
            return None;
        }
        let mut blocks: Vec<Block<P>> = (0..synapses.blocks()).map(|_| Block::default()).collect();
        let mut places = Vec::with_capacity(synapses.target_neurons());
        for (neuron, &block) in synapses.block_of().iter().enumerate() {
            let members = &mut blocks[usize::from(block)].members;
            places.push((block, members.len() as u32));
            members.push(neuron as u32);
        }
        let mut in_whole_rows = 0;
        for row in 0..synapses.rows() {
            for (number, block) in blocks.iter().enumerate() {
                let segment = synapses.segment(row, number, 0);
                if !block.is_whole(segment.len()) {
                    continue;
                }
                let targets = &synapses.targets()[segment];
                if !targets.is_sorted_by(|one, next| one < next) {
                    // Some pair has several synapses.
                    return None;
                }
                in_whole_rows += targets.len();
            }
        }
        if 2 * in_whole_rows < synapses.len() || in_whole_rows == 0 {
            return None;
        }
        for block in &mut blocks {
            block.prepare(synapses.slot_of(), post);
        }
        let mut whole = Self {
            blocks,
            places,
            back: delay.back,
            seen_from: if order.post_counts { 0 } else { 1 },
        };
        whole.follow(post, 0);
        Some(whole)
    }

    /// Bytes per target neuron, where so many spikes of each are kept.
    pub fn bytes_per_target(kept: u32) -> f64 {
        let of_neuron = size_of::<PostSpike<P>>() + size_of::<(u16, u32)>() + size_of::<u32>();
        f64::from(kept) * size_of::<Noted>() as f64 + of_neuron as f64
    }

    /// Notes the spike of `neuron` at `now` that was just added to its history.
    #[inline]
    pub fn push(&mut self, now: u32, neuron: u32, post: &PostHistory<P>) {
        let (block, rank) = self.places[neuron as usize];
        self.blocks[usize::from(block)].spikes.push(Noted {
            time: now,
            rank,
            number: post.of(neuron).count.wrapping_sub(1),
        });
    }

    /// Spikes become visible to the presynaptic ones that arrive at `now`.
    #[inline]
    pub fn arrive(&mut self, post: &PostHistory<P>, now: u32) {
        let (back, seen_from) = (self.back, self.seen_from);
        for block in &mut self.blocks {
            while let Some(spike) = block.spikes.get(block.seen)
                && age(spike.time, now, back) >= seen_from
            {
                let neuron = block.members[spike.rank as usize];
                block.last[spike.rank as usize] = post.of(neuron).get(spike.number);
                block.seen += 1;
            }
        }
    }

    /// Takes everything from the history anew, as of `now`.
    pub fn follow(&mut self, post: &PostHistory<P>, now: u32) {
        let (back, seen_from) = (self.back, self.seen_from);
        for block in &mut self.blocks {
            block.spikes.clear();
            for (rank, &neuron) in block.members.iter().enumerate() {
                let (spikes, pending) = (post.of(neuron), post.pending(neuron));
                let mut last = spikes.get(spikes.count.wrapping_sub(pending + 1));
                for number in (0..pending).map(|i| spikes.count.wrapping_sub(pending - i)) {
                    let spike = spikes.get(number);
                    block.spikes.push(Noted {
                        time: spike.time,
                        rank: rank as u32,
                        number,
                    });
                    if age(spike.time, now, back) >= seen_from {
                        last = spike;
                    }
                }
                block.last[rank] = last;
            }
            // A neuron spikes once in a step at most, so that no two are equal.
            (block.spikes)
                .sort_unstable_by_key(|spike| (Reverse(now.wrapping_sub(spike.time)), spike.rank));
            block.seen =
                (block.spikes).partition_point(|spike| age(spike.time, now, back) >= seen_from);
        }
    }

    /// The block, if a row that has so many synapses in it is whole there.
    #[inline(always)]
    pub fn block(&self, block: usize, synapses: usize) -> Option<&Block<P>> {
        let block = &self.blocks[block];
        block.is_whole(synapses).then_some(block)
    }
}

/// How many steps before `now` a postsynaptic spike reached the synapse; negative if it has yet to.
#[inline(always)]
fn age(time: u32, now: u32, back: u32) -> i32 {
    now.wrapping_sub(time).wrapping_sub(back) as i32
}

impl<P> Default for Block<P> {
    fn default() -> Self {
        Self {
            members: Vec::new(),
            runs: Vec::new(),
            spikes: Vec::new(),
            seen: 0,
            last: Vec::new(),
        }
    }
}

impl<P: Traces> Block<P> {
    /// Whether a row with so many synapses in this block, no two of them of one pair, reaches all its targets or all but one.
    #[inline(always)]
    fn is_whole(&self, synapses: usize) -> bool {
        let all = self.members.len();
        all >= FEWEST && (synapses == all || synapses + 1 == all)
    }

    fn prepare(&mut self, slot_of: &[u16], post: &PostHistory<P>) {
        self.last = vec![PostSpike::default(); self.members.len()];
        // Reserved, not written: spikes do not allocate.
        self.spikes = Vec::with_capacity(self.members.len() * post.room());
        for (rank, &neuron) in self.members.iter().enumerate() {
            let slot = usize::from(slot_of[neuron as usize]);
            match self.runs.last_mut() {
                Some(run) if run.slot + run.len == slot => run.len += 1,
                _ => self.runs.push(Run { rank, len: 1, slot }),
            }
        }
    }

    /// The spikes from one age, excluded, down to another, included.
    #[inline(always)]
    fn within(&self, now: u32, back: u32, from: i32, to: i32) -> &[Noted] {
        let spikes = &self.spikes[..];
        let first = spikes.partition_point(|spike| age(spike.time, now, back) >= from);
        let spikes = &spikes[first..];
        &spikes[..spikes.partition_point(|spike| age(spike.time, now, back) >= to)]
    }

    /// The rank that is missing in a row with these targets; beyond all ranks if none is.
    #[inline(always)]
    fn missing(&self, targets: &[u32]) -> usize {
        if targets.len() == self.members.len() {
            return usize::MAX;
        }
        let ranks = 0..targets.len();
        // Up to the missing one they agree.
        let (mut low, mut high) = (ranks.start, ranks.end);
        while low < high {
            let middle = low.midpoint(high);
            if targets[middle] == self.members[middle] {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        low
    }
}

/// A whole row of synapses: their state and where they are.
pub(super) struct Row<'a, P> {
    block: &'a Block<P>,
    weights: &'a mut [f32],
    /// Empty for rules without tags.
    tags: &'a mut [f32],
    /// The rank that the row does not reach; beyond all ranks if there is none.
    missing: usize,
}

impl<'a, P: Traces> Row<'a, P> {
    /// The row at `places`, whose targets are `targets`.
    ///
    /// # Safety
    /// The row is whole in the block; no one else uses its synapses.
    #[inline(always)]
    pub unsafe fn new<R: LearningRule>(
        block: &'a Block<P>,
        targets: &[u32],
        places: Range<usize>,
        weights: Shares<f32>,
        tags: Shares<f32>,
    ) -> Self {
        // SAFETY: the caller's promise.
        let part = |values: Shares<f32>| unsafe {
            core::slice::from_raw_parts_mut(values.pointer().add(places.start), places.len())
        };
        Self {
            block,
            weights: part(weights),
            tags: if R::TAGGED { part(tags) } else { &mut [] },
            missing: block.missing(&targets[places.clone()]),
        }
    }

    /// The postsynaptic spikes of a window are replayed to the synapses.
    #[inline(always)]
    pub fn replay<R: LearningRule<Post = P>>(
        &mut self,
        rule: &R,
        post: &PostHistory<P>,
        window: &Window<R::Pre>,
    ) {
        let spikes = self
            .block
            .within(window.now, window.back, window.from, window.to);
        let (weights, tags) = (&mut *self.weights, &mut *self.tags);
        replay_spikes(
            rule,
            spikes,
            &self.block.members,
            post,
            window,
            self.missing,
            weights,
            tags,
        );
    }

    /// A presynaptic spike arrives: the synapses learn, and send what they transmit of it to `slots`, where the slots of the block start.
    ///
    /// # Safety
    /// No one else uses the slots of the block.
    #[inline(always)]
    pub unsafe fn spike<R: LearningRule<Post = P>, T: Accumulator>(
        &mut self,
        rule: &R,
        window: &Window<R::Pre>,
        scale: f32,
        slots: *mut T,
    ) {
        let (block, missing) = (self.block, self.missing);
        let mut part = |run: &Run, ranks: Range<usize>, first: usize| {
            let places = first..first + ranks.len();
            // SAFETY: the ranks of a run have slots that follow each other; the caller vouches for these.
            let slots = unsafe {
                core::slice::from_raw_parts_mut(
                    slots.add(run.slot + ranks.start - run.rank),
                    ranks.len(),
                )
            };
            let tags = if R::TAGGED {
                &mut self.tags[places.clone()]
            } else {
                &mut []
            };
            let weights = &mut self.weights[places];
            learn_and_send(
                rule,
                window,
                scale,
                &block.last[ranks],
                weights,
                tags,
                slots,
            );
        };
        for run in &block.runs {
            let ranks = run.rank..run.rank + run.len;
            // Synapses of ranks above the missing one are a place nearer to the start.
            if missing >= ranks.end {
                part(run, ranks.clone(), ranks.start);
            } else if missing < ranks.start {
                part(run, ranks.clone(), ranks.start - 1);
            } else {
                part(run, ranks.start..missing, ranks.start);
                part(run, missing + 1..ranks.end, missing);
            }
        }
    }
}

/// The loop over spikes of [`Row::replay`], in a function of its own so that what it writes is known not to be what it reads.
#[inline(always)]
fn replay_spikes<R: LearningRule>(
    rule: &R,
    spikes: &[Noted],
    members: &[u32],
    history: &PostHistory<R::Post>,
    window: &Window<R::Pre>,
    missing: usize,
    weights: &mut [f32],
    tags: &mut [f32],
) {
    for spike in spikes {
        let rank = spike.rank as usize;
        if rank == missing {
            continue;
        }
        let here = age(spike.time, window.now, window.back) as u32;
        let place = rank - usize::from(rank > missing);
        // SAFETY: ranks are below the number of members, which are neurons of the history; the row has all ranks but the missing one.
        let (weight, previous) = unsafe {
            let neuron = *members.get_unchecked(rank);
            (
                weights.get_unchecked_mut(place),
                history.spike(neuron, spike.number.wrapping_sub(1)),
            )
        };
        let state = SynapseState {
            weight: *weight,
            tag: if R::TAGGED { tags[place] } else { 0.0 },
        };
        let pre = Seen {
            traces: if here == window.last_age {
                window.tie
            } else {
                window.last
            },
            ago: window.last_age - here,
        };
        let post = Seen {
            traces: previous.after,
            ago: spike.time.wrapping_sub(previous.time),
        };
        let state = rule.at_post(state, pre, post);
        *weight = state.weight;
        if R::TAGGED {
            tags[place] = state.tag;
        }
    }
}

/// The loop over synapses of [`Row::spike`], likewise.
#[inline(always)]
fn learn_and_send<R: LearningRule, T: Accumulator>(
    rule: &R,
    window: &Window<R::Pre>,
    scale: f32,
    last: &[PostSpike<R::Post>],
    weights: &mut [f32],
    tags: &mut [f32],
    slots: &mut [T],
) {
    let pre = Seen {
        traces: window.last,
        ago: window.last_age,
    };
    let late = rule.order() == SendOrder::SendThenChange;
    for (i, ((weight, slot), last)) in weights.iter_mut().zip(slots).zip(last).enumerate() {
        let before = SynapseState {
            weight: *weight,
            tag: if R::TAGGED { tags[i] } else { 0.0 },
        };
        let post = Seen {
            traces: last.after,
            ago: age(last.time, window.now, window.back) as u32,
        };
        let after = rule.at_pre(before, pre, post);
        *weight = after.weight;
        if R::TAGGED {
            tags[i] = after.tag;
        }
        let sent = if late { before.weight } else { after.weight };
        slot.add(rounded(sent * scale), 0);
    }
}
