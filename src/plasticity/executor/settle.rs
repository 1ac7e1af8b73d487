//! Bringing all synapses of a projection up to date, and what their weights are at this moment.

use super::Learning;
use super::whole::Row;
use crate::network::plastic::PlasticSynapses;
use crate::plasticity::history::{LONG_AGO, LastSpike};
use crate::plasticity::replay::{Window, replay};
use crate::plasticity::{LearningRule, SynapseState};
use crate::sim::simd::{SimdLevel, per_level};
use crate::sim::workers::{Shares, Workers};
use bevy::ecs::world::EntityWorldMut;
use bevy::prelude::*;

/// Replays to every synapse of a projection what has reached it by `now`.
pub(super) fn bring_up_to_date<R: LearningRule>(
    synapses: &mut PlasticSynapses,
    learning: &mut Learning<R>,
    now: u64,
    workers: &Workers,
    simd: SimdLevel,
) {
    if learning.steering.lets_change::<R>() {
        let (_, weights, tags) = synapses.parts_mut();
        let (weights, tags) = (Shares::new(weights), Shares::new(tags));
        let mut newest = core::mem::take(&mut learning.newest);
        for group in 0..synapses.groups().len() {
            let axonal = u64::from(synapses.groups()[group].axonal);
            learning
                .pre
                .newest_until(now, now.saturating_sub(axonal), &mut newest);
            let settle = Settle {
                synapses,
                weights,
                tags,
                learning,
                group,
                now,
                newest: &newest,
            };
            // SAFETY: as in `visit_due`.
            workers.run(&|lane| unsafe {
                settle_lane::<R>(simd, &settle, lane, workers.lanes());
            });
        }
        learning.newest = newest;
    }
    learning.post.seen(now as u32, learning.longest_back);
    learning.settled = now;
    learning.follow_history(now);
}

/// What the lanes do to bring the synapses of a group up to date.
struct Settle<'a, R: LearningRule> {
    synapses: &'a PlasticSynapses,
    weights: Shares<f32>,
    tags: Shares<f32>,
    learning: &'a Learning<R>,
    group: usize,
    now: u64,
    newest: &'a [LastSpike<R::Pre>],
}

per_level! {
    /// Brings the synapses of the lane's blocks up to date.
    unsafe fn settle_lane<R: LearningRule>(settle: &Settle<'_, R>, lane: usize, lanes: usize) {
        settle_blocks(settle, lane, lanes)
    }
}

/// # Safety
/// No other thread uses the synapses of the lane's blocks.
#[inline(always)]
unsafe fn settle_blocks<R: LearningRule>(settle: &Settle<'_, R>, lane: usize, lanes: usize) {
    let (synapses, learning) = (settle.synapses, settle.learning);
    let order = learning.orders[settle.group];
    let delay = synapses.groups()[settle.group];
    let since = (settle.now - learning.settled).min(u64::from(LONG_AGO)) as u32;
    for block in (lane..synapses.blocks()).step_by(lanes) {
        for (row, last) in settle.newest.iter().enumerate() {
            let window = Window::until_now(
                settle.now as u32,
                delay.axonal,
                delay.back,
                last,
                since,
                order,
            );
            let places = synapses.segment(row, block, settle.group);
            if let Some(block) = learning.whole_block(block, places.len()) {
                // SAFETY: the caller's promise.
                let mut row = unsafe {
                    Row::new::<R>(
                        block,
                        synapses.targets(),
                        places,
                        settle.weights,
                        settle.tags,
                    )
                };
                row.replay(&learning.rule, &learning.post, &window);
                continue;
            }
            for place in places {
                // SAFETY: the place lies within the arrays; the caller vouches for the rest.
                unsafe {
                    let target = synapses.targets()[place];
                    let weight = settle.weights.get(place);
                    let state = SynapseState {
                        weight: *weight,
                        tag: if R::TAGGED {
                            *settle.tags.get(place)
                        } else {
                            0.0
                        },
                    };
                    let (spikes, share) =
                        (learning.post.of(target), learning.steering.share(target));
                    let (rule, fade) = (&learning.rule, learning.steering.fade());
                    let (state, _) = replay(rule, state, spikes, &window, share, fade);
                    *weight = state.weight;
                    if R::TAGGED {
                        *settle.tags.get(place) = state.tag;
                    }
                }
            }
        }
    }
}

/// The weights and tags of this moment; nothing is changed.
pub(super) fn now<R: LearningRule>(entity: EntityRef<'_>, steps: u64) -> (Vec<f32>, Vec<f32>) {
    let (Some(synapses), Some(learning)) =
        (entity.get::<PlasticSynapses>(), entity.get::<Learning<R>>())
    else {
        return (Vec::new(), Vec::new());
    };
    let mut weights = synapses.stored_weights().to_vec();
    let mut tags = synapses.stored_tags().to_vec();
    if learning.steering.lets_change::<R>() {
        let mut newest = Vec::new();
        for group in 0..synapses.groups().len() {
            let axonal = u64::from(synapses.groups()[group].axonal);
            learning
                .pre
                .newest_until(steps, steps.saturating_sub(axonal), &mut newest);
            let settle = Settle {
                synapses,
                weights: Shares::new(&mut weights),
                tags: Shares::new(&mut tags),
                learning,
                group,
                now: steps,
                newest: &newest,
            };
            // SAFETY: this thread has the copies for itself.
            unsafe { settle_blocks(&settle, 0, 1) };
        }
    }
    (weights, tags)
}

/// Brings every synapse up to date between two steps, so that what a modulator did before need not be kept.
pub(super) fn settle<R: LearningRule>(entity: &mut EntityWorldMut<'_>, now: u64) {
    let parts = entity.get_components_mut::<(&mut PlasticSynapses, &mut Learning<R>)>();
    if let Ok((mut synapses, mut learning)) = parts {
        let alone = Workers::new(1);
        bring_up_to_date(
            &mut synapses,
            &mut learning,
            now,
            &alone,
            SimdLevel::Portable,
        );
        learning.begin_epoch(now);
    }
}
