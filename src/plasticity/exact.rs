//! Synapses onto neurons that are resolved in continuous time: spikes arrive one by one, with their offsets inside the step.
//!
//! Such neurons take their input in the order of arrival and spike in between, so that a step cannot be cut into delivery, integration and
//! learning: their region's own system asks the projections for the spikes that are due, in time, and tells them of its own. The rules
//! are those of all projections, derived for steps of one *tick*, dt/[`TICKS`]; an event carries the number of its tick. What comes out does not
//! depend on the length of the steps but for the rounding of times to ticks.
//!
//! Modulators go by steps; what they do within one acts up to the tick of each event. Short-term dynamics go by the times of spikes, keepers act
//! at the end of a step.
//!
//! A spike of a region that knows no offsets comes at the end of its step, as everywhere. Delays are whole steps and all axonal.

use super::executor::{Former, RuleFunctions};
use super::history::{LONG_AGO, LastSpike, PostHistory, take, take_traces};
use super::replay::{Order, Window, replay, seen_by_pre};
use super::steering::Steering;
use super::tend::Tended;
use super::upkeep::{Keepers, Lasting};
use super::{LearningRule, ModulatedBy, Seen, SendOrder, SynapseState, Traces};
use crate::modulation::Modulator;
use crate::network::plastic::PlasticSynapses;
use crate::network::region::Spikes;
use crate::sim::clock::Clock;
use crate::sim::workers::{Shares, Workers};
use bevy::ecs::world::EntityWorldMut;
use bevy::prelude::*;

/// Ticks of a step: offsets of spikes are kept to so many parts of it.
pub const TICKS: u32 = 4096;

/// Ticks after which old times are brought nearer: see [`history`](super::history).
const REFRESH_EVERY: u64 = 1 << 29;

/// A spike on its way to the synapses of a row.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Arrival {
    /// The offset in the step in which it arrives, from 1 to [`TICKS`].
    pub tick: u32,
    /// The source neuron.
    pub row: u32,
    /// The group of delays that it arrives along.
    pub group: u32,
    /// The part of each weight that it transmits.
    pub efficacy: f32,
}

/// A rule at work on the synapses of a projection onto neurons that are resolved in continuous time.
#[derive(Component)]
pub struct ExactRule {
    /// Per step, modulo its length: the spikes that arrive in that step.
    under_way: Vec<Vec<Arrival>>,
    learner: Box<dyn Learner>,
}

impl ExactRule {
    /// Sends a spike of `row` on its way, at a tick of `step` or of the next one. `efficacy` is the part of each weight that it transmits.
    pub fn send(
        &mut self,
        synapses: &PlasticSynapses,
        (step, tick): (u64, u32),
        row: u32,
        efficacy: f32,
    ) {
        let (step, tick) = match tick {
            0..=TICKS => (step, tick.max(1)),
            _ => (step + 1, (tick - TICKS).min(TICKS)),
        };
        for (group, delay) in synapses.groups().iter().enumerate() {
            let joins = |block| !synapses.segment(row as usize, block, group).is_empty();
            if (0..synapses.blocks()).any(joins) {
                let place = (step + u64::from(delay.axonal)) % self.under_way.len() as u64;
                self.under_way[place as usize].push(Arrival {
                    tick,
                    row,
                    group: group as u32,
                    efficacy,
                });
            }
        }
    }

    /// Takes the spikes that arrive in `step`, handing each to `take`.
    pub fn take_due(&mut self, step: u64, take: impl FnMut(Arrival)) {
        let place = step % self.under_way.len() as u64;
        self.under_way[place as usize].drain(..).for_each(take);
    }

    /// A spike arrives in `step`: its synapses learn and transmit. Appends target neurons and weights.
    pub fn arrive(
        &mut self,
        synapses: &mut PlasticSynapses,
        step: u64,
        arrival: Arrival,
        sent: &mut Vec<(u32, f32)>,
    ) {
        self.learner.arrive(synapses, step, arrival, sent);
    }

    /// A target neuron spikes at a tick of `step`.
    pub fn spiked(&mut self, synapses: &mut PlasticSynapses, step: u64, tick: u32, neuron: u32) {
        self.learner.spiked(synapses, at(step, tick), neuron);
    }

    /// A step has ended.
    pub fn end_step(&mut self, synapses: &mut PlasticSynapses, step: u64) {
        let now = at(step, TICKS);
        if now.is_multiple_of(REFRESH_EVERY) {
            self.learner.refresh(synapses, now);
        }
    }

    fn save(&self) -> Vec<u32> {
        let mut out = Vec::new();
        self.learner.save(&mut out);
        for arrivals in &self.under_way {
            out.push(arrivals.len() as u32);
            let numbers = |a: &Arrival| [a.tick, a.row, a.group, a.efficacy.to_bits()];
            out.extend(arrivals.iter().flat_map(numbers));
        }
        out
    }

    fn load(&mut self, from: &mut &[u32], synapses: &PlasticSynapses) -> Option<()> {
        self.learner.load(from)?;
        let (rows, groups) = (synapses.rows(), synapses.groups().len());
        for arrivals in &mut self.under_way {
            arrivals.clear();
            for _ in 0..take(from)? {
                arrivals.push(take_arrival(from, rows, groups)?);
            }
        }
        from.is_empty().then_some(())
    }

    /// Takes over what a rule kept before an edit, of neurons that there still are. With as many delays as before, each stands for the one
    /// in its place, and spikes under way take as long as they do now; otherwise they are lost.
    fn take_over(&mut self, former: &Former<'_>, synapses: &PlasticSynapses) -> Option<()> {
        let from = &mut &*former.numbers;
        let (rows, groups) = (synapses.rows(), synapses.groups());
        let now = self.learner.take_over(from, former, (rows, groups.len()))? / u64::from(TICKS);
        self.under_way.iter_mut().for_each(Vec::clear);
        let (before, places) = (
            u64::from(former.longest_axonal()) + 2,
            self.under_way.len() as u64,
        );
        for place in 0..before {
            // What is due at a step from now on, less than a turn of the ring ahead.
            let due = now + (place + before - now % before) % before;
            for _ in 0..take(from)? {
                let arrival = take_arrival(from, former.sources, former.delays.len())?;
                if arrival.row as usize >= rows || former.delays.len() != groups.len() {
                    continue;
                }
                let group = arrival.group as usize;
                let (was, is) = (former.delays[group].axonal, groups[group].axonal);
                let due = (due + u64::from(is)).saturating_sub(was.into());
                if due >= now {
                    self.under_way[(due % places) as usize].push(arrival);
                }
            }
        }
        from.is_empty().then_some(())
    }
}

fn take_arrival(from: &mut &[u32], rows: usize, groups: usize) -> Option<Arrival> {
    Some(Arrival {
        tick: take(from).filter(|tick| (1..=TICKS).contains(tick))?,
        row: take(from).filter(|row| (*row as usize) < rows)?,
        group: take(from).filter(|group| (*group as usize) < groups)?,
        efficacy: Some(f32::from_bits(take(from)?)).filter(|e| e.is_finite())?,
    })
}

/// The time of a tick of a step, in ticks.
pub fn at(step: u64, tick: u32) -> u64 {
    step * u64::from(TICKS) + u64::from(tick)
}

/// The time at which so many steps have been done.
fn after(steps: u64) -> u64 {
    steps * u64::from(TICKS)
}

/// Puts a rule to work on a projection that has its synapses.
pub(super) fn insert<R: LearningRule>(
    projection: &mut EntityWorldMut<'_>,
    mut rule: R,
    lasting: Lasting,
) {
    let Some(synapses) = projection.get::<PlasticSynapses>() else {
        return;
    };
    let (groups, targets) = (synapses.groups(), synapses.target_neurons());
    let longest = groups.iter().map(|g| g.axonal).max().unwrap_or(0);
    rule.count_ticks(TICKS);
    let steering = Steering::new(lasting, &mut rule, TICKS);
    // So that spikes do not allocate as a rule.
    let room = (synapses.rows() / 2 + 64).min(4096);
    let learner = Exact {
        newest: vec![LastSpike::none(0); groups.len() * synapses.rows()],
        post: PostHistory::new(if R::LEARNS { targets } else { 0 }, 0, R::ROOM),
        order: Order::new(rule.coincidence(), 0),
        settled: 0,
        forgotten: 0,
        steering,
        rule,
    };
    projection.insert((
        ExactRule {
            under_way: (0..longest + 2).map(|_| Vec::with_capacity(room)).collect(),
            learner: Box::new(learner),
        },
        FUNCTIONS,
    ));
}

/// The system of `Encode`: a step begins for rules at work in continuous time, and their modulators act in it.
pub fn begin_exact(
    clock: Res<Clock>,
    modulators: Query<&Modulator>,
    mut projections: Query<(&mut PlasticSynapses, &mut ExactRule, Option<&ModulatedBy>)>,
) {
    for (mut synapses, mut rule, by) in &mut projections {
        let by = by.map(|by| by.0);
        rule.learner
            .begin_step(&mut synapses, after(clock.step()), &modulators, by);
    }
}

/// The system of `Learn`: keepers of such projections follow the spikes of target neurons, and act when it is time.
pub fn tend_exact(
    clock: Res<Clock>,
    workers: Res<Workers>,
    regions: Query<&Spikes>,
    mut projections: Query<(&mut PlasticSynapses, &mut ExactRule, &mut Keepers)>,
) {
    let now = clock.step() + 1;
    for (mut synapses, mut rule, mut keepers) in &mut projections {
        if let Ok(spikes) = regions.get(synapses.target()) {
            keepers.spiked(now, &spikes.list);
        }
        if !keepers.are_due(now) {
            continue;
        }
        rule.learner.settle(&mut synapses, after(now));
        let steering = rule.learner.steering();
        let mut weights = Tended {
            synapses: &mut synapses,
            workers: &workers,
            gain: &steering.gain,
            frozen: steering.frozen,
        };
        keepers.act(now, &mut weights);
    }
}

const FUNCTIONS: RuleFunctions = RuleFunctions {
    now: |entity, steps| match (entity.get::<PlasticSynapses>(), entity.get::<ExactRule>()) {
        (Some(synapses), Some(rule)) => rule.learner.now(synapses, after(steps)),
        _ => (Vec::new(), Vec::new()),
    },
    settle: |entity, steps| with_parts(entity, |synapses, rule| rule.close(synapses, after(steps))),
    freeze: |entity, steps, frozen| {
        with_parts(entity, |synapses, rule| {
            rule.close(synapses, after(steps));
            rule.steering().frozen = frozen;
        });
    },
    begin: |entity, steps| with_parts(entity, |_, rule| rule.begin(after(steps))),
    reset: |entity, steps| {
        with_parts(entity, |synapses, rule| {
            rule.close(synapses, after(steps));
            rule.begin(after(steps));
            synapses.parts_mut().2.fill(0.0);
        });
    },
    restrict: |entity, steps, gain| {
        with_parts(entity, |synapses, rule| {
            rule.close(synapses, after(steps));
            rule.steering().gain = gain;
        });
    },
    take_over: |entity, former| {
        let parts = entity.get_components_mut::<(&PlasticSynapses, &mut ExactRule)>();
        parts.is_ok_and(|(synapses, mut rule)| rule.take_over(former, synapses).is_some())
    },
    save: |entity| {
        entity
            .get::<ExactRule>()
            .map_or_else(Vec::new, ExactRule::save)
    },
    load,
};

fn load(entity: &mut EntityWorldMut<'_>, numbers: &[u32], steps: u64) -> bool {
    let mut numbers = numbers;
    let parts = entity.get_components_mut::<(&PlasticSynapses, &mut ExactRule)>();
    parts.is_ok_and(|(synapses, mut rule)| {
        let loaded = rule.load(&mut numbers, synapses);
        loaded.is_some() && rule.learner.known_until() <= after(steps)
    })
}

fn with_parts(
    entity: &mut EntityWorldMut<'_>,
    act: impl FnOnce(&mut PlasticSynapses, &mut dyn Learner),
) {
    let parts = entity.get_components_mut::<(&mut PlasticSynapses, &mut ExactRule)>();
    if let Ok((mut synapses, mut rule)) = parts {
        act(&mut synapses, rule.learner.as_mut());
    }
}

/// A rule of any type. Times are in ticks.
trait Learner: Send + Sync {
    fn arrive(
        &mut self,
        synapses: &mut PlasticSynapses,
        step: u64,
        arrival: Arrival,
        sent: &mut Vec<(u32, f32)>,
    );
    fn spiked(&mut self, synapses: &mut PlasticSynapses, now: u64, neuron: u32);
    /// A step begins in which modulators act on the rule: one by which it is modulated, and those that gate it.
    fn begin_step(
        &mut self,
        synapses: &mut PlasticSynapses,
        now: u64,
        modulators: &Query<&Modulator>,
        by: Option<Entity>,
    );
    fn settle(&mut self, synapses: &mut PlasticSynapses, now: u64);
    /// Settles between two steps, so that what a modulator did before need not be kept.
    fn close(&mut self, synapses: &mut PlasticSynapses, now: u64);
    fn now(&self, synapses: &PlasticSynapses, now: u64) -> (Vec<f32>, Vec<f32>);
    fn refresh(&mut self, synapses: &mut PlasticSynapses, now: u64);
    /// Starts at `now` as if no spike had been before; those under way are still transmitted.
    fn begin(&mut self, now: u64);
    fn steering(&mut self) -> &mut Steering;
    /// The latest time of which it knows anything but spikes.
    fn known_until(&self) -> u64;
    fn save(&self, out: &mut Vec<u32>);
    fn load(&mut self, from: &mut &[u32]) -> Option<()>;
    /// Takes over the histories of a rule before an edit, for so many source neurons and delays; says what time it was.
    fn take_over(
        &mut self,
        from: &mut &[u32],
        former: &Former<'_>,
        shape: (usize, usize),
    ) -> Option<u64>;
}

struct Exact<R: LearningRule> {
    rule: R,
    /// Per group of delays and source neuron: the newest spike that has arrived.
    newest: Vec<LastSpike<R::Pre>>,
    post: PostHistory<R::Post>,
    order: Order,
    /// When all synapses were last brought up to date.
    settled: u64,
    /// Spikes that were emitted until then are not learnt from.
    forgotten: u64,
    steering: Steering,
}

impl<R: LearningRule> Exact<R> {
    /// Ticks since all synapses were up to date.
    fn since(&self, now: u64) -> u32 {
        (now - self.settled).min(LONG_AGO.into()) as u32
    }

    /// Replays what has reached each synapse by `now` to its weight and its tag.
    fn replay_all(
        &self,
        synapses: &PlasticSynapses,
        now: u64,
        mut change: impl FnMut(usize, &dyn Fn(SynapseState) -> SynapseState),
    ) {
        let fade = self.steering.fade();
        for group in 0..synapses.groups().len() {
            for row in 0..synapses.rows() {
                let last = &self.newest[group * synapses.rows() + row];
                let window = Window::until_now(now as u32, 0, 0, last, self.since(now), self.order);
                for block in 0..synapses.blocks() {
                    for place in synapses.segment(row, block, group) {
                        let target = synapses.targets()[place];
                        let (spikes, share) = (self.post.of(target), self.steering.share(target));
                        change(place, &|state| {
                            replay(&self.rule, state, spikes, &window, share, fade).0
                        });
                    }
                }
            }
        }
    }
}

/// The state of the synapse at `place`.
fn state_at(weights: &[f32], tags: &[f32], place: usize) -> SynapseState {
    SynapseState {
        weight: weights[place],
        tag: tags.get(place).copied().unwrap_or(0.0),
    }
}

fn put(weights: &mut [f32], tags: &mut [f32], place: usize, state: SynapseState) {
    weights[place] = state.weight;
    if let Some(tag) = tags.get_mut(place) {
        *tag = state.tag;
    }
}

impl<R: LearningRule> Learner for Exact<R> {
    fn arrive(
        &mut self,
        synapses: &mut PlasticSynapses,
        step: u64,
        arrival: Arrival,
        sent: &mut Vec<(u32, f32)>,
    ) {
        let (row, group) = (arrival.row as usize, arrival.group as usize);
        let now = at(step, arrival.tick);
        let index = group * synapses.rows() + row;
        let last = self.newest[index];
        let window = Window::before_arrival(now as u32, &last, self.since(now), self.order);
        let pre = Seen {
            traces: window.last,
            ago: window.last_age,
        };
        let emitted = now - after(u64::from(synapses.groups()[group].axonal));
        let is_learnt_from = emitted > self.forgotten;
        let late = self.rule.order() == SendOrder::SendThenChange;
        let sign = synapses.per_quantum().signum();
        let (changes, fade) = (self.steering.lets_change::<R>(), self.steering.fade());
        for block in 0..synapses.blocks() {
            let places = synapses.segment(row, block, group);
            let (targets, weights, tags) = synapses.parts_mut();
            for place in places {
                let target = targets[place];
                let mut state = state_at(weights, tags, place);
                let mut transmitted = state.weight;
                if changes {
                    let (spikes, share) = (self.post.of(target), self.steering.share(target));
                    let next;
                    (state, next) = replay(&self.rule, state, spikes, &window, share, fade);
                    transmitted = state.weight;
                    if is_learnt_from {
                        let post = seen_by_pre::<R>(spikes, next, &window, self.order);
                        let after = self.rule.at_pre(state, pre, post);
                        state = share.of(state.weight, after, window.now);
                        if !late {
                            transmitted = state.weight;
                        }
                        put(weights, tags, place, state);
                    }
                }
                sent.push((target, sign * arrival.efficacy * transmitted));
            }
        }
        if is_learnt_from {
            let (before, after) = self.rule.pre_spiked(last.after, window.last_age);
            self.newest[index] = LastSpike {
                time: now as u32,
                before,
                after,
            };
        }
    }

    fn spiked(&mut self, synapses: &mut PlasticSynapses, now: u64, neuron: u32) {
        if !R::LEARNS {
            return;
        }
        let rule = &self.rule;
        self.post
            .push(now as u32, neuron, |last, ago| rule.post_spiked(last, ago));
        if !self.post.has_room(neuron) {
            self.settle(synapses, now);
        }
    }

    fn begin_step(
        &mut self,
        synapses: &mut PlasticSynapses,
        now: u64,
        modulators: &Query<&Modulator>,
        by: Option<Entity>,
    ) {
        self.steering.anchor(now);
        if R::MODULATED || self.steering.is_gated() {
            if self.rule.epoch_is_full() || self.steering.epoch_is_full() {
                self.close(synapses, now);
            }
            (self.steering).begin_step(&mut self.rule, by, modulators);
        }
    }

    fn close(&mut self, synapses: &mut PlasticSynapses, now: u64) {
        self.settle(synapses, now);
        self.rule.begin_epoch(now);
        self.steering.begin_epoch(now);
    }

    fn settle(&mut self, synapses: &mut PlasticSynapses, now: u64) {
        if self.steering.lets_change::<R>() {
            let (_, weights, tags) = synapses.parts_mut();
            let (weights, tags) = (Shares::new(weights), Shares::new(tags));
            self.replay_all(synapses, now, |place, replayed| {
                // SAFETY: places lie within the arrays, and this thread alone has the synapses.
                unsafe {
                    let weight = weights.get(place);
                    let tag = R::TAGGED.then(|| tags.get(place));
                    let state = replayed(SynapseState {
                        weight: *weight,
                        tag: tag.as_deref().copied().unwrap_or(0.0),
                    });
                    *weight = state.weight;
                    if let Some(tag) = tag {
                        *tag = state.tag;
                    }
                }
            });
        }
        self.post.seen(now as u32, 0);
        self.settled = now;
    }

    fn now(&self, synapses: &PlasticSynapses, now: u64) -> (Vec<f32>, Vec<f32>) {
        let mut weights = synapses.stored_weights().to_vec();
        let mut tags = synapses.stored_tags().to_vec();
        if self.steering.lets_change::<R>() {
            self.replay_all(synapses, now, |place, replayed| {
                let state = replayed(state_at(&weights, &tags, place));
                put(&mut weights, &mut tags, place, state);
            });
        }
        (weights, tags)
    }

    fn refresh(&mut self, synapses: &mut PlasticSynapses, now: u64) {
        self.settle(synapses, now);
        self.post.refresh(now as u32);
        for last in &mut self.newest {
            if (now as u32).wrapping_sub(last.time) > LONG_AGO {
                last.time = (now as u32).wrapping_sub(LONG_AGO);
            }
        }
    }

    fn begin(&mut self, now: u64) {
        self.newest.fill(LastSpike::none(now as u32));
        self.post.forget(now as u32);
        (self.forgotten, self.settled) = (now, now);
        self.steering.anchor(now);
        self.rule.forget();
        self.rule.begin_epoch(now);
        self.steering.begin_epoch(now);
    }

    fn steering(&mut self) -> &mut Steering {
        &mut self.steering
    }

    fn known_until(&self) -> u64 {
        self.settled.max(self.forgotten)
    }

    fn save(&self, out: &mut Vec<u32>) {
        for time in [self.settled, self.forgotten] {
            out.extend([time as u32, (time >> 32) as u32]);
        }
        self.steering.save(out);
        for last in &self.newest {
            out.push(last.time);
            let values = last.before.values().iter().chain(last.after.values());
            out.extend(values.map(|v| v.to_bits()));
        }
        self.post.save(out);
        self.rule.save(out);
    }

    fn load(&mut self, from: &mut &[u32]) -> Option<()> {
        [self.settled, self.forgotten] = take_times(from)?;
        self.steering.anchor(self.settled);
        self.steering.load(from, self.post.neurons())?;
        for last in &mut self.newest {
            *last = take_last(from)?;
        }
        self.post.load(from)?;
        self.rule.load(from)
    }

    fn take_over(
        &mut self,
        from: &mut &[u32],
        former: &Former<'_>,
        (rows, groups): (usize, usize),
    ) -> Option<u64> {
        [self.settled, self.forgotten] = take_times(from)?;
        Steering::pass_over(from)?;
        self.newest.fill(LastSpike::none(self.settled as u32));
        for group in 0..former.delays.len() {
            for row in 0..former.sources {
                let last = take_last(from)?;
                if former.delays.len() == groups && row < rows {
                    self.newest[group * rows + row] = last;
                }
            }
        }
        let targets = if R::LEARNS { former.targets } else { 0 };
        let mut post = PostHistory::new(targets, 0, R::ROOM);
        post.load(from)?;
        self.post.take_over(&post, self.settled as u32, (0, 0));
        self.rule.take_over(from, targets, 0)?;
        self.rule.begin_epoch(self.settled);
        self.steering.begin_epoch(self.settled);
        Some(self.settled)
    }
}

/// When all synapses were up to date, and until when spikes are forgotten.
fn take_times(from: &mut &[u32]) -> Option<[u64; 2]> {
    let mut time = || Some(u64::from(take(from)?) | u64::from(take(from)?) << 32);
    Some([time()?, time()?])
}

fn take_last<P: Traces>(from: &mut &[u32]) -> Option<LastSpike<P>> {
    Some(LastSpike {
        time: take(from)?,
        before: take_traces(from)?,
        after: take_traces(from)?,
    })
}
