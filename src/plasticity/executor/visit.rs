//! Visits of the synapses that spikes reach: they learn, and what they send is added to the input of their targets.

use super::Learning;
use super::whole::{Block, Row};
use crate::network::plastic::PlasticSynapses;
use crate::network::slots::{Accumulator, InputSlots, SharedSlots};
use crate::plasticity::history::{LONG_AGO, PreSpike};
use crate::plasticity::replay::{Window, replay, seen_by_pre};
use crate::plasticity::steering::Share;
use crate::plasticity::{LearningRule, Seen, SendOrder, SynapseState};
use crate::sim::simd::{SimdLevel, per_level};
use crate::sim::workers::{Shares, Workers};

/// The stage in which synapses of a group of delays are visited.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    /// Before `Integrate`: the delay is all axonal.
    Deliver,
    /// After it: the delay has a dendritic part.
    Propagate,
}

/// What the lanes do in one visit of the synapses of a group.
struct Visit<'a, R: LearningRule> {
    synapses: &'a PlasticSynapses,
    weights: Shares<f32>,
    tags: Shares<f32>,
    learning: &'a Learning<R>,
    group: usize,
    now: u32,
    /// Steps since all synapses were up to date.
    since: u32,
    slots: SlotsOf<'a, 'a>,
}

/// The slots, whatever their width.
#[derive(Clone, Copy)]
enum SlotsOf<'a, 's> {
    Narrow(&'a SharedSlots<'s, i32>),
    Wide(&'a SharedSlots<'s, i64>),
}

/// Visits the synapses that spikes reach at `now`, in a stage.
pub(super) fn visit_due<R: LearningRule>(
    synapses: &mut PlasticSynapses,
    learning: &mut Learning<R>,
    now: u64,
    stage: Stage,
    slots: &mut InputSlots,
    workers: &Workers,
    simd: SimdLevel,
) {
    for group in 0..synapses.groups().len() {
        let delay = synapses.groups()[group];
        let axonal = u64::from(delay.axonal);
        if (delay.dendritic == 0) != (stage == Stage::Deliver) || axonal >= now {
            continue;
        }
        if learning.pre.at(now - axonal).is_empty() {
            continue;
        }
        if let Some(whole) = &mut learning.whole {
            whole.arrive(&learning.post, now as u32);
        }
        let learning = &*learning;
        let spikes = learning.pre.at(now - axonal);
        let (_, weights, tags) = synapses.parts_mut();
        let (weights, tags) = (Shares::new(weights), Shares::new(tags));
        let run = |slots: SlotsOf<'_, '_>| {
            let visit = Visit {
                synapses,
                weights,
                tags,
                learning,
                group,
                now: now as u32,
                since: now
                    .saturating_sub(learning.settled)
                    .min(u64::from(LONG_AGO)) as u32,
                slots,
            };
            // SAFETY: the level was detected on this processor; each lane visits the synapses of its own blocks.
            workers.run(&|lane| unsafe { visit_lane::<R>(simd, &visit, spikes, lane) });
        };
        let step = now - 1;
        match slots {
            InputSlots::Narrow(slots) => run(SlotsOf::Narrow(&slots.share(step))),
            InputSlots::Wide(slots) => run(SlotsOf::Wide(&slots.share(step))),
        }
    }
}

per_level! {
    /// Visits what spikes reach in the lane's blocks.
    unsafe fn visit_lane<R: LearningRule>(
        visit: &Visit<'_, R>,
        spikes: &[PreSpike<R::Pre>],
        lane: usize,
    ) {
        match visit.slots {
            SlotsOf::Narrow(slots) => visit_blocks(visit, slots, spikes, lane),
            SlotsOf::Wide(slots) => visit_blocks(visit, slots, spikes, lane),
        }
    }
}

/// # Safety
/// No other thread uses the lane's blocks or the synapses of their neurons.
#[inline(always)]
unsafe fn visit_blocks<R: LearningRule, T: Accumulator>(
    visit: &Visit<'_, R>,
    slots: &SharedSlots<'_, T>,
    spikes: &[PreSpike<R::Pre>],
    lane: usize,
) {
    let delay = visit.synapses.groups()[visit.group];
    for block in (lane..slots.blocks().len()).step_by(slots.lanes()) {
        let slot = slots.block_after(block, delay.dendritic as usize);
        for spike in spikes {
            let places = visit
                .synapses
                .segment(spike.neuron as usize, block, visit.group);
            let learning = visit.learning;
            // SAFETY: the caller's promise; a row lies within the arrays.
            unsafe {
                if learning.steering.is_at_work() || spike.forgotten {
                    visit_segment::<R, T, true>(visit, spike, places, slot);
                } else if let Some(block) = learning.whole_block(block, places.len()) {
                    visit_whole(visit, spike, places, slot, block);
                } else {
                    visit_segment::<R, T, false>(visit, spike, places, slot);
                }
            }
        }
    }
}

/// Visits a whole row, where learning is not steered.
///
/// # Safety
/// As for [`visit_segment`].
#[inline(always)]
unsafe fn visit_whole<R: LearningRule, T: Accumulator>(
    visit: &Visit<'_, R>,
    spike: &PreSpike<R::Pre>,
    places: core::ops::Range<usize>,
    slot: *mut T,
    block: &Block<R::Post>,
) {
    let (synapses, learning) = (visit.synapses, visit.learning);
    let window = visit.window(spike);
    let scale = spike.efficacy * synapses.per_quantum();
    // SAFETY: the caller's promise.
    unsafe {
        let mut row = Row::new::<R>(block, synapses.targets(), places, visit.weights, visit.tags);
        row.replay(&learning.rule, &learning.post, &window);
        row.spike(&learning.rule, &window, scale, slot);
    }
}

impl<R: LearningRule> Visit<'_, R> {
    /// What has reached the synapses of a row since its last spike arrived, before this one does.
    #[inline(always)]
    fn window(&self, spike: &PreSpike<R::Pre>) -> Window<R::Pre> {
        let delay = self.synapses.groups()[self.group];
        let emitted = self.now.wrapping_sub(delay.axonal);
        let order = self.learning.orders[self.group];
        Window::before_spike(self.now, emitted, delay.back, spike, self.since, order)
    }
}

/// `STEERED` says that learning is, or that the spike is forgotten: so that the loop over the synapses need not ask in all other cases.
///
/// # Safety
/// The slots of the block of the segment's targets start at `slot`; no other thread uses them or the segment.
#[inline(always)]
unsafe fn visit_segment<R: LearningRule, T: Accumulator, const STEERED: bool>(
    visit: &Visit<'_, R>,
    spike: &PreSpike<R::Pre>,
    places: core::ops::Range<usize>,
    slot: *mut T,
) {
    let (synapses, learning) = (visit.synapses, visit.learning);
    let (rule, order) = (&learning.rule, learning.orders[visit.group]);
    let window = visit.window(spike);
    let pre = Seen {
        traces: window.last,
        ago: window.last_age,
    };
    let late = rule.order() == SendOrder::SendThenChange;
    let changes = if STEERED {
        learning.steering.lets_change::<R>()
    } else {
        R::LEARNS
    };
    let scale = spike.efficacy * synapses.per_quantum();
    let targets = synapses.targets();
    for place in places {
        // SAFETY: the place lies within the arrays, its target within the region; the caller vouches for the rest.
        unsafe {
            let target = *targets.get_unchecked(place);
            let weight = visit.weights.get(place);
            let mut sent = *weight;
            if changes {
                let mut state = SynapseState {
                    weight: *weight,
                    tag: if R::TAGGED {
                        *visit.tags.get(place)
                    } else {
                        0.0
                    },
                };
                let spikes = learning.post.of(target);
                let share = if STEERED {
                    learning.steering.share(target)
                } else {
                    Share::ALL
                };
                let next;
                (state, next) = replay(
                    rule,
                    state,
                    spikes,
                    &window,
                    share,
                    learning.steering.fade(),
                );
                sent = state.weight;
                if !(STEERED && spike.forgotten) {
                    let post = if R::FOLLOWS {
                        Seen {
                            traces: rule.membrane(target, window.back),
                            ago: 0,
                        }
                    } else {
                        seen_by_pre::<R>(spikes, next, &window, order)
                    };
                    state = share.of(state.weight, rule.at_pre(state, pre, post), window.now);
                    if !late {
                        sent = state.weight;
                    }
                    *weight = state.weight;
                    if R::TAGGED {
                        *visit.tags.get(place) = state.tag;
                    }
                }
            }
            let at = usize::from(*synapses.slot_of().get_unchecked(target as usize));
            (*slot.add(at)).add(rounded(sent * scale), 0);
        }
    }
}

/// The nearest integer, ties to even, of a number below 2³¹ in magnitude.
#[inline(always)]
pub(super) fn rounded(x: f32) -> i32 {
    const ROUND: f64 = 6_755_399_441_055_744.0;
    (f64::from(x) + ROUND).to_bits() as i32
}
