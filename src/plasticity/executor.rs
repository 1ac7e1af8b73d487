//! Delivery over synapses that change: histories of spikes, visits of synapses, and what is sent to the target's input slots.

mod former;

pub use former::Former;

use super::history::{LastSpike, PostHistory, PreHistory, PreSpike};
use super::replay::{Order, Share, Window, replay, seen_by_pre};
use super::tend::Tended;
use super::upkeep::{Keepers, Lasting};
use super::{LearningRule, Seen, SendOrder, SynapseState};
use crate::modulation::effects::ModulatedRelease;
use crate::modulation::{Modulator, Signal};
use crate::network::plastic::PlasticSynapses;
use crate::network::propagate::SpikeCount;
use crate::network::region::Spikes;
use crate::network::slots::{Accumulator, InputSlots, SharedSlots};
use crate::sim::clock::Clock;
use crate::sim::columns::{ColumnComponent, Membrane};
use crate::sim::simd::{SimdLevel, per_level};
use crate::sim::workers::{Shares, Workers};
use crate::synapses::short_term::ShortTerm;
use bevy::ecs::world::EntityWorldMut;
use bevy::prelude::*;

/// Steps after which old times are brought nearer, so that 32 bits tell them apart: see [`history`](super::history).
const REFRESH_EVERY: u64 = 1 << 29;

/// A rule at work on the synapses of a projection.
#[derive(Component)]
pub struct Learning<R: LearningRule> {
    rule: R,
    pre: PreHistory<R::Pre>,
    post: PostHistory<R::Post>,
    /// Per group of delays.
    orders: Vec<Order>,
    longest_back: u32,
    /// The stamp at which all synapses were last brought up to date.
    settled: u64,
    frozen: bool,
    /// Per target neuron: the part of every change that counts; empty if all count fully.
    gain: Vec<f32>,
    lasting: Lasting,
    /// Room to list the newest spikes that have arrived.
    newest: Vec<LastSpike<R::Pre>>,
}

/// The rule of projections whose weights only [fade](super::upkeep::Fade).
pub struct Fading;

impl LearningRule for Fading {
    type Pre = [f32; 0];
    type Post = [f32; 0];

    #[inline(always)]
    fn pre_spiked(&self, last: [f32; 0], _: u32) -> ([f32; 0], [f32; 0]) {
        (last, last)
    }
    #[inline(always)]
    fn post_spiked(&self, last: [f32; 0], _: u32) -> [f32; 0] {
        last
    }
    #[inline(always)]
    fn at_pre(&self, state: SynapseState, _: Seen<[f32; 0]>, _: Seen<[f32; 0]>) -> SynapseState {
        state
    }
    #[inline(always)]
    fn at_post(&self, state: SynapseState, _: Seen<[f32; 0]>, _: Seen<[f32; 0]>) -> SynapseState {
        state
    }
}

/// The rule of projections whose weights stay as they are: they have short-term dynamics only.
pub struct Unchanging;

impl LearningRule for Unchanging {
    type Pre = [f32; 0];
    type Post = [f32; 0];
    const LEARNS: bool = false;

    #[inline(always)]
    fn pre_spiked(&self, last: [f32; 0], _: u32) -> ([f32; 0], [f32; 0]) {
        (last, last)
    }
    #[inline(always)]
    fn post_spiked(&self, last: [f32; 0], _: u32) -> [f32; 0] {
        last
    }
    #[inline(always)]
    fn at_pre(&self, state: SynapseState, _: Seen<[f32; 0]>, _: Seen<[f32; 0]>) -> SynapseState {
        state
    }
    #[inline(always)]
    fn at_post(&self, state: SynapseState, _: Seen<[f32; 0]>, _: Seen<[f32; 0]>) -> SynapseState {
        state
    }
}

/// What can be done to the rule of a projection without knowing its type.
#[derive(Component, Clone, Copy)]
pub struct RuleFunctions {
    /// The weights and tags of this moment, in the order of storage. The argument is the number of steps done.
    pub now: fn(EntityRef<'_>, u64) -> (Vec<f32>, Vec<f32>),
    /// Brings every synapse up to date.
    pub settle: fn(&mut EntityWorldMut<'_>, u64),
    /// Stops or resumes learning; traces go on.
    pub freeze: fn(&mut EntityWorldMut<'_>, u64, bool),
    /// Sets traces and tags to zero, and forgets the spikes that are under way.
    pub reset: fn(&mut EntityWorldMut<'_>, u64),
    /// Says how much of every change counts, per target neuron, each from 0 to 1; nothing for all of it.
    pub restrict: fn(&mut EntityWorldMut<'_>, u64, Vec<f32>),
    /// Takes over the histories and the state of the same rule in the network before an edit, as far as its neurons still exist, but not
    /// what is frozen or restricted; false if they are not of such a rule: then `load` what `save` gave before.
    pub take_over: fn(&mut EntityWorldMut<'_>, &Former<'_>) -> bool,
    /// The numbers of the histories, for a snapshot.
    pub save: fn(EntityRef<'_>) -> Vec<u32>,
    /// Takes what `save` gave; false if it does not fit.
    pub load: fn(&mut EntityWorldMut<'_>, &[u32]) -> bool,
}

impl RuleFunctions {
    fn of<R: LearningRule>() -> Self {
        Self {
            now: now::<R>,
            settle: settle::<R>,
            freeze: |entity, now, frozen| {
                settle::<R>(entity, now);
                if let Some(mut learning) = entity.get_mut::<Learning<R>>() {
                    learning.frozen = frozen;
                }
            },
            reset: |entity, now| {
                settle::<R>(entity, now);
                if let Some(mut learning) = entity.get_mut::<Learning<R>>() {
                    learning.pre.forget(now as u32);
                    learning.post.forget(now as u32);
                }
                if let Some(mut synapses) = entity.get_mut::<PlasticSynapses>() {
                    synapses.parts_mut().2.fill(0.0);
                }
            },
            restrict: |entity, now, gain| {
                settle::<R>(entity, now);
                if let Some(mut learning) = entity.get_mut::<Learning<R>>() {
                    learning.gain = gain;
                }
            },
            take_over: |entity, former| former::take_over::<R>(entity, former).is_some(),
            save: |entity| {
                let mut out = Vec::new();
                if let Some(learning) = entity.get::<Learning<R>>() {
                    out.extend([learning.settled as u32, (learning.settled >> 32) as u32]);
                    out.extend([u32::from(learning.frozen), learning.gain.len() as u32]);
                    out.extend(learning.gain.iter().map(|g| g.to_bits()));
                    learning.pre.save(&mut out);
                    learning.post.save(&mut out);
                    learning.rule.save(&mut out);
                }
                out
            },
            load: |entity, numbers| {
                let targets = entity
                    .get::<PlasticSynapses>()
                    .map_or(0, PlasticSynapses::target_neurons);
                let Some(mut learning) = entity.get_mut::<Learning<R>>() else {
                    return false;
                };
                let [low, high, frozen, gains, rest @ ..] = numbers else {
                    return false;
                };
                let Some((gain, mut rest)) = rest.split_at_checked(*gains as usize) else {
                    return false;
                };
                let gain: Vec<f32> = gain.iter().map(|g| f32::from_bits(*g)).collect();
                let sound = gain.is_empty() || gain.len() == targets;
                if !sound || !gain.iter().all(|g| (0.0..=1.0).contains(g)) || *frozen > 1 {
                    return false;
                }
                (learning.frozen, learning.gain) = (*frozen == 1, gain);
                learning.settled = u64::from(*low) | u64::from(*high) << 32;
                let settled = learning.settled;
                if let Some(slowing) = &mut learning.lasting.slowing {
                    slowing.anchor(settled);
                }
                let loaded = learning.pre.load(&mut rest).is_some()
                    && learning.post.load(&mut rest).is_some()
                    && learning.rule.load(&mut rest).is_some();
                loaded && rest.is_empty()
            },
        }
    }
}

/// Puts a rule to work on a projection that has its synapses.
pub(crate) fn insert<R: LearningRule>(
    projection: &mut EntityWorldMut<'_>,
    mut rule: R,
    lasting: Lasting,
) {
    let Some(synapses) = projection.get::<PlasticSynapses>() else {
        return;
    };
    let groups = synapses.groups();
    let longest = groups.iter().map(|g| g.axonal).max().unwrap_or(0);
    let longest_back = groups.iter().map(|g| g.back).max().unwrap_or(0);
    let posts = if R::LEARNS {
        synapses.target_neurons()
    } else {
        0
    };
    rule.prepare(posts, longest_back);
    let learning = Learning {
        pre: PreHistory::new(synapses.rows(), longest),
        post: PostHistory::new(posts, longest_back, R::ROOM),
        orders: groups
            .iter()
            .map(|g| Order::new(rule.coincidence(), g.dendritic))
            .collect(),
        longest_back,
        settled: 0,
        frozen: false,
        gain: Vec::new(),
        lasting,
        newest: Vec::new(),
        rule,
    };
    projection.insert((learning, RuleFunctions::of::<R>()));
}

/// The system of `Deliver`: spikes reach synapses whose delay is all axonal, and the input of their targets.
pub fn arrive<R: LearningRule>(
    clock: Res<Clock>,
    workers: Res<Workers>,
    simd: Res<SimdLevel>,
    mut slots: ResMut<InputSlots>,
    mut projections: Query<(&mut PlasticSynapses, &Learning<R>)>,
) {
    let now = clock.step() + 1;
    for (mut synapses, learning) in &mut projections {
        visit_due(
            &mut synapses,
            learning,
            now,
            Stage::Deliver,
            &mut slots,
            &workers,
            *simd,
        );
    }
}

/// The system of `Propagate`: spikes enter the histories, and reach synapses whose delay has a dendritic part.
pub fn transmit<R: LearningRule>(
    clock: Res<Clock>,
    workers: Res<Workers>,
    simd: Res<SimdLevel>,
    mut slots: ResMut<InputSlots>,
    mut count: ResMut<SpikeCount>,
    regions: Query<&Spikes>,
    membranes: Query<&Membrane>,
    modulators: Query<&Modulator>,
    mut projections: Query<(
        &mut PlasticSynapses,
        &mut Learning<R>,
        Option<&mut ShortTerm>,
        Option<&mut ModulatedRelease>,
    )>,
) {
    let now = clock.step() + 1;
    for (mut synapses, mut learning, mut short_term, mut release) in &mut projections {
        if let Some(release) = &mut release {
            release.begin(&modulators);
        }
        let (synapses, learning) = (&mut *synapses, &mut *learning);
        if let Some(slowing) = &mut learning.lasting.slowing {
            slowing.anchor(now);
        }
        learning.pre.begin(now);
        if let Ok(spikes) = regions.get(synapses.source()) {
            for &neuron in &spikes.list {
                let factor = release.as_ref().map_or(1.0, |r| r.factor(neuron));
                let efficacy = match &mut short_term {
                    Some(short_term) => factor * short_term.spiked(neuron, now),
                    None => factor,
                };
                let rule = &learning.rule;
                learning.pre.push(now, neuron, efficacy, |last, ago| {
                    rule.pre_spiked(last, ago)
                });
                count.events += synapses.row_len(neuron as usize) as u64;
            }
        }
        let mut full = false;
        if R::FOLLOWS {
            if let Ok(membrane) = membranes.get(synapses.target()) {
                let potentials = membrane.column().as_slice();
                let post = &mut learning.post;
                learning.rule.follow(potentials, &mut |neuron, traces| {
                    post.push(now as u32, neuron, |_, _| traces);
                    full |= !post.has_room(neuron);
                });
            }
        } else if R::LEARNS
            && let Ok(spikes) = regions.get(synapses.target())
        {
            for &neuron in &spikes.list {
                let rule = &learning.rule;
                learning
                    .post
                    .push(now as u32, neuron, |last, ago| rule.post_spiked(last, ago));
                full |= !learning.post.has_room(neuron);
            }
        }
        visit_due(
            synapses,
            learning,
            now,
            Stage::Propagate,
            &mut slots,
            &workers,
            *simd,
        );
        if full || now.is_multiple_of(REFRESH_EVERY) {
            bring_up_to_date(synapses, learning, now, &workers, *simd);
            if now.is_multiple_of(REFRESH_EVERY) {
                learning.pre.refresh(now as u32);
                learning.post.refresh(now as u32);
            }
        }
    }
}

/// The system of `Learn`: keepers follow the spikes of target neurons, and act when it is time.
pub fn tend<R: LearningRule>(
    clock: Res<Clock>,
    workers: Res<Workers>,
    simd: Res<SimdLevel>,
    regions: Query<&Spikes>,
    mut projections: Query<(&mut PlasticSynapses, &mut Learning<R>, &mut Keepers)>,
) {
    let now = clock.step() + 1;
    for (mut synapses, mut learning, mut keepers) in &mut projections {
        if let Ok(spikes) = regions.get(synapses.target()) {
            keepers.spiked(now, &spikes.list);
        }
        if !keepers.are_due(now) {
            continue;
        }
        bring_up_to_date(&mut synapses, &mut learning, now, &workers, *simd);
        let mut weights = Tended {
            synapses: &mut synapses,
            workers: &workers,
            gain: &learning.gain,
            frozen: learning.frozen,
        };
        keepers.act(now, &mut weights);
    }
}

/// The modulator that acts on the rule of a projection.
#[derive(Component, Clone, Copy, Debug)]
pub struct ModulatedBy(pub Entity);

/// The system of `Encode`: tells rules what their modulator does in the step that begins.
pub fn modulate<R: LearningRule>(
    clock: Res<Clock>,
    workers: Res<Workers>,
    simd: Res<SimdLevel>,
    modulators: Query<&Modulator>,
    mut projections: Query<(&mut PlasticSynapses, &mut Learning<R>, Option<&ModulatedBy>)>,
) {
    let done = clock.step();
    for (mut synapses, mut learning, by) in &mut projections {
        if learning.rule.epoch_is_full() {
            bring_up_to_date(&mut synapses, &mut learning, done, &workers, *simd);
            learning.rule.begin_epoch(done);
        }
        let modulator = by.and_then(|by| modulators.get(by.0).ok());
        let signal = modulator.map_or_else(Signal::default, Modulator::signal);
        learning.rule.modulate(&signal);
    }
}

/// The stage in which synapses of a group of delays are visited.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
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
fn visit_due<R: LearningRule>(
    synapses: &mut PlasticSynapses,
    learning: &Learning<R>,
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
        let spikes = learning.pre.at(now - axonal);
        if spikes.is_empty() {
            continue;
        }
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
                    .min(u64::from(super::history::LONG_AGO)) as u32,
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
            // SAFETY: the caller's promise; a row lies within the arrays.
            unsafe {
                if visit.learning.is_steered() || spike.forgotten {
                    visit_segment::<R, T, true>(visit, spike, places, slot);
                } else {
                    visit_segment::<R, T, false>(visit, spike, places, slot);
                }
            }
        }
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
    let delay = synapses.groups()[visit.group];
    let emitted = visit.now.wrapping_sub(delay.axonal);
    let window = Window::before_spike(visit.now, emitted, delay.back, spike, visit.since, order);
    let pre = Seen {
        traces: window.last,
        ago: window.last_age,
    };
    let late = rule.order() == SendOrder::SendThenChange;
    let changes = if STEERED {
        learning.changes()
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
                    learning.share(target)
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
                    learning.lasting.fade.as_ref(),
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

impl<R: LearningRule> Learning<R> {
    /// Whether synapses change at all: the tags of frozen ones do.
    #[inline(always)]
    fn changes(&self) -> bool {
        R::LEARNS && (R::TAGGED || !self.frozen)
    }

    /// Whether not all of every change counts.
    #[inline(always)]
    fn is_steered(&self) -> bool {
        self.frozen || !self.gain.is_empty() || self.lasting.slowing.is_some()
    }

    /// How much of every change of the weights onto a target neuron counts.
    #[inline(always)]
    fn share(&self, target: u32) -> Share<'_> {
        Share {
            part: if self.frozen {
                Some(0.0)
            } else {
                self.gain.get(target as usize).copied()
            },
            slowing: self.lasting.slowing.as_ref(),
        }
    }
}

/// The nearest integer, ties to even, of a number below 2³¹ in magnitude.
#[inline(always)]
fn rounded(x: f32) -> i32 {
    const ROUND: f64 = 6_755_399_441_055_744.0;
    (f64::from(x) + ROUND).to_bits() as i32
}

/// Replays to every synapse of a projection what has reached it by `now`.
fn bring_up_to_date<R: LearningRule>(
    synapses: &mut PlasticSynapses,
    learning: &mut Learning<R>,
    now: u64,
    workers: &Workers,
    simd: SimdLevel,
) {
    if learning.changes() {
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
    let since = (settle.now - learning.settled).min(u64::from(super::history::LONG_AGO)) as u32;
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
            for place in synapses.segment(row, block, settle.group) {
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
                    let (spikes, share) = (learning.post.of(target), learning.share(target));
                    let (rule, fade) = (&learning.rule, learning.lasting.fade.as_ref());
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
fn now<R: LearningRule>(entity: EntityRef<'_>, steps: u64) -> (Vec<f32>, Vec<f32>) {
    let (Some(synapses), Some(learning)) =
        (entity.get::<PlasticSynapses>(), entity.get::<Learning<R>>())
    else {
        return (Vec::new(), Vec::new());
    };
    let mut weights = synapses.stored_weights().to_vec();
    let mut tags = synapses.stored_tags().to_vec();
    if learning.changes() {
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

fn settle<R: LearningRule>(entity: &mut EntityWorldMut<'_>, now: u64) {
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
        learning.rule.begin_epoch(now);
    }
}
