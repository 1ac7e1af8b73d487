//! Delivery over synapses that change: histories of spikes, visits of synapses, and what is sent to the target's input slots.

mod former;
mod functions;
mod idle;
mod settle;
mod visit;
mod whole;

pub use former::Former;
pub use functions::RuleFunctions;
pub use idle::{Fading, Unchanging};

use super::LearningRule;
use super::history::{LastSpike, PostHistory, PreHistory};
use super::replay::Order;
use super::steering::Steering;
use super::tend::Tended;
use super::upkeep::{Keepers, Lasting};
use crate::modulation::Modulator;
use crate::modulation::effects::ModulatedRelease;
use crate::network::plastic::PlasticSynapses;
use crate::network::propagate::SpikeCount;
use crate::network::region::Spikes;
use crate::network::slots::InputSlots;
use crate::sim::clock::Clock;
use crate::sim::columns::{ColumnComponent, Membrane};
use crate::sim::simd::SimdLevel;
use crate::sim::workers::Workers;
use crate::synapses::short_term::ShortTerm;
use bevy::ecs::world::EntityWorldMut;
use bevy::prelude::*;
use settle::bring_up_to_date;
use visit::{Stage, visit_due};
use whole::{Block, WholeRows};

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
    steering: Steering,
    /// What makes visits of rows that reach all targets cheap, if there are such rows.
    whole: Option<WholeRows<R::Post>>,
    /// Room to list the newest spikes that have arrived.
    newest: Vec<LastSpike<R::Pre>>,
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
    let steering = Steering::new(lasting, &mut rule, 1);
    let orders: Vec<_> = groups
        .iter()
        .map(|g| Order::new(rule.coincidence(), g.dendritic))
        .collect();
    let post = PostHistory::new(posts, longest_back, R::ROOM);
    let learning = Learning {
        pre: PreHistory::new(synapses.rows(), longest),
        whole: steering
            .is_plain()
            .then(|| WholeRows::new::<R>(synapses, &orders, &post))
            .flatten(),
        post,
        orders,
        longest_back,
        settled: 0,
        steering,
        newest: Vec::new(),
        rule,
    };
    projection.insert((learning, RuleFunctions::of::<R>()));
}

/// Bytes per target neuron of a rule [at work](insert) onto which spikes take so many steps back at most. `whole` says whether rows may reach all
/// targets.
pub(crate) fn bytes_per_target<R: LearningRule>(rule: &R, longest_back: u32, whole: bool) -> f64 {
    if !R::LEARNS {
        return 0.0;
    }
    let kept = PostHistory::<R::Post>::size(longest_back, R::ROOM);
    let listed = match whole && !R::MODULATED && !R::FOLLOWS {
        true => WholeRows::<R::Post>::bytes_per_target(kept),
        false => 0.0,
    };
    PostHistory::<R::Post>::bytes_per_neuron(longest_back, R::ROOM)
        + LearningRule::bytes_per_target(rule, longest_back)
        + listed
}

/// The system of `Deliver`: spikes reach synapses whose delay is all axonal, and the input of their targets.
pub fn arrive<R: LearningRule>(
    clock: Res<Clock>,
    workers: Res<Workers>,
    simd: Res<SimdLevel>,
    mut slots: ResMut<InputSlots>,
    mut projections: Query<(&mut PlasticSynapses, &mut Learning<R>)>,
) {
    let now = clock.step() + 1;
    for (mut synapses, mut learning) in &mut projections {
        visit_due(
            &mut synapses,
            &mut learning,
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
        learning.steering.anchor(now);
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
                if let Some(whole) = &mut learning.whole {
                    whole.push(now as u32, neuron, &learning.post);
                }
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
                learning.follow_history(now);
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
            gain: &learning.steering.gain,
            frozen: learning.steering.frozen,
        };
        keepers.act(now, &mut weights);
    }
}

/// The modulator that acts on the rule of a projection.
#[derive(Component, Clone, Copy, Debug)]
pub struct ModulatedBy(pub Entity);

/// The system of `Encode`: tells rules what their modulator, and pools that gate them, do in the step that begins.
pub fn modulate<R: LearningRule>(
    clock: Res<Clock>,
    workers: Res<Workers>,
    simd: Res<SimdLevel>,
    modulators: Query<&Modulator>,
    mut projections: Query<(&mut PlasticSynapses, &mut Learning<R>, Option<&ModulatedBy>)>,
) {
    let done = clock.step();
    for (mut synapses, mut learning, by) in &mut projections {
        let learning = &mut *learning;
        if learning.rule.epoch_is_full() || learning.steering.epoch_is_full() {
            bring_up_to_date(&mut synapses, learning, done, &workers, *simd);
            learning.begin_epoch(done);
        }
        let by = by.map(|by| by.0);
        (learning.steering).begin_step(&mut learning.rule, by, &modulators);
    }
}

impl<R: LearningRule> Learning<R> {
    /// What is needed to visit a row with so many synapses in a block as a whole, if it can be.
    #[inline(always)]
    fn whole_block(&self, block: usize, synapses: usize) -> Option<&Block<R::Post>> {
        let whole = self.whole.as_ref()?;
        let block = || whole.block(block, synapses);
        self.steering.is_plain().then(block).flatten()
    }

    /// All synapses have been brought up to date at the stamp `now`; what modulators did before need not be kept.
    fn begin_epoch(&mut self, now: u64) {
        self.rule.begin_epoch(now);
        self.steering.begin_epoch(now);
    }

    /// The postsynaptic history was changed otherwise than by spikes, up to the stamp `now`.
    fn follow_history(&mut self, now: u64) {
        if let Some(whole) = &mut self.whole {
            whole.follow(&self.post, now as u32);
        }
    }
}
