//! The level of a modulator from step to step.

use super::{Evaluation, ModulatorSpec};
use crate::network::region::{Region, Spikes};
use crate::network::stimulus::Selection;
use crate::sim::clock::Clock;
use crate::simulation::Simulation;
use crate::synapses::response::cascade::Cascade;
use crate::synapses::response::filter::{Filter, Trains};
use bevy::prelude::*;

/// What a modulator does in a step, from its state at the start of the step: an impulse, and a level that is a sum of exponentials.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Signal {
    /// A reward that acts at the start, once.
    pub impulse: f64,
    /// The parts of the level that decay: that of a pool, or the two of a critic.
    pub parts: [Decaying; 2],
    /// What is subtracted from the level.
    pub baseline: f64,
}

/// A part of a level that decays.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Decaying {
    /// Its height at the start of the step.
    pub level: f64,
    /// How fast it decays in the step: 1/τ.
    pub per_ms: f64,
}

impl Signal {
    /// The level so many ms after the start of the step, beyond the baseline.
    pub fn level_after(&self, ms: f64) -> f64 {
        let left = |part: &Decaying| part.level * libm::exp(-part.per_ms * ms);
        left(&self.parts[0]) + left(&self.parts[1]) - self.baseline
    }
}

/// Spikes that release a modulator.
#[derive(Clone, Debug)]
struct Source {
    region: Entity,
    /// Whether each neuron releases.
    releases: Vec<bool>,
    amount: f64,
    /// Per step of the delay and one more: spikes under way, by the stamp at which they arrive.
    under_way: Vec<u32>,
    /// What a spike turns into, if that takes time.
    response: Option<(Filter, Trains<1>)>,
}

/// The critic of a temporal difference.
#[derive(Clone, Copy, Debug)]
struct Critic {
    region: Entity,
    neurons: f64,
    value_per_hz: f64,
    value_at_rest: f64,
    per_tau_reward: f64,
    /// 1/τ of decay and of rise, per ms.
    rates: [f64; 2],
    /// The two exponentials of the kernel, in spikes.
    parts: [f64; 2],
}

/// A modulator at work.
#[derive(Component, Clone, Debug)]
pub struct Modulator {
    /// Its place in the scene.
    pub index: u32,
    dt_ms: f64,
    /// 1/τ of a pool in 1/ms; `None` for impulses.
    decay_per_ms: Option<f64>,
    baseline: f64,
    level: f64,
    impulse: f64,
    sources: Vec<Source>,
    /// Rewards to come: the stamp in steps, and the size.
    pending: Vec<(u64, f64)>,
    /// About how many rewards the mean goes back, if it is subtracted.
    mean_over: Option<f64>,
    mean: f64,
    critic: Option<Critic>,
    /// Rewards so far, and their sum.
    rewards: (u64, f64),
    /// Spikes that have released it so far.
    released: u64,
}

impl Modulator {
    /// A modulator from its description. `region` finds a region by name: its entity, the number of its neurons, and those of a selection.
    pub fn new(
        spec: &ModulatorSpec,
        index: u32,
        dt_ms: f64,
        region: &dyn Fn(&str, &Selection) -> Option<(Entity, u32, Vec<u32>)>,
    ) -> Self {
        let sources = spec
            .released_by
            .iter()
            .filter_map(|release| {
                let (entity, neurons, chosen) = region(&release.from, &release.neurons)?;
                let mut releases = vec![false; neurons as usize];
                chosen.iter().for_each(|n| releases[*n as usize] = true);
                let delay = libm::rint(release.delay_ms / dt_ms) as usize;
                Some(Source {
                    region: entity,
                    releases,
                    amount: release.amount,
                    under_way: vec![0; delay + 1],
                    response: (!release.response.is_empty()).then(|| {
                        let filter = Filter::new(&Cascade::new(&release.response, dt_ms), 1.0);
                        let trains = filter.silent();
                        (filter, trains)
                    }),
                })
            })
            .collect();
        let (mean_over, critic) = match &spec.evaluation {
            Evaluation::Reward => (None, None),
            Evaluation::Surprise { rewards } => (Some(*rewards), None),
            Evaluation::TemporalDifference {
                critic,
                value_per_hz,
                value_at_rest,
                tau_reward_ms,
                tau_rate_ms,
                tau_rise_ms,
            } => (
                None,
                region(critic, &Selection::All).map(|(entity, neurons, _)| Critic {
                    region: entity,
                    neurons: f64::from(neurons),
                    value_per_hz: *value_per_hz,
                    value_at_rest: *value_at_rest,
                    per_tau_reward: 1.0 / tau_reward_ms,
                    rates: [1.0 / tau_rate_ms, 1.0 / tau_rise_ms],
                    parts: [0.0; 2],
                }),
            ),
        };
        Self {
            index,
            dt_ms,
            decay_per_ms: spec.tau_ms.map(|tau| 1.0 / tau),
            baseline: spec.baseline,
            level: spec.initial,
            impulse: 0.0,
            sources,
            pending: Vec::new(),
            mean_over,
            mean: 0.0,
            critic,
            rewards: (0, 0.0),
            released: 0,
        }
    }

    /// What it does in the step that begins.
    pub fn signal(&self) -> Signal {
        match (self.critic, self.decay_per_ms) {
            (Some(critic), _) => {
                let (parts, constant) = critic.prediction();
                Signal {
                    impulse: self.impulse,
                    parts,
                    baseline: self.baseline - constant,
                }
            }
            (None, Some(per_ms)) => Signal {
                impulse: 0.0,
                parts: [
                    Decaying {
                        level: self.level,
                        per_ms,
                    },
                    Decaying::default(),
                ],
                baseline: self.baseline,
            },
            (None, None) => Signal {
                impulse: self.impulse,
                ..default()
            },
        }
    }

    /// The concentration of a pool, or the newest impulse.
    pub fn level(&self) -> f64 {
        match self.decay_per_ms {
            Some(_) => self.level,
            None => self.impulse,
        }
    }

    /// The concentration of a pool beyond its baseline.
    pub fn excess(&self) -> f64 {
        self.level() - self.baseline
    }

    /// How many rewards there were, and their sum. Spikes that release a pool are not counted.
    pub fn rewards(&self) -> (u64, f64) {
        self.rewards
    }

    /// How many spikes have released it so far, whatever they added.
    pub fn released(&self) -> u64 {
        self.released
    }

    /// Gives a reward at the stamp `due`, at the end of the step under way or later.
    pub fn reward_at(&mut self, due: u64, amount: f64) {
        self.pending.push((due, amount));
    }

    /// Takes one step to the stamp `now`.
    fn advance(&mut self, now: u64, spikes: &Query<&Spikes, With<Region>>) {
        if let Some(rate) = self.decay_per_ms {
            self.level *= libm::exp(-rate * self.dt_ms);
        }
        self.impulse = 0.0;
        let mut released = 0.0;
        for source in &mut self.sources {
            let len = source.under_way.len() as u64;
            if let Ok(spikes) = spikes.get(source.region) {
                let count = spikes
                    .list
                    .iter()
                    .filter(|n| source.releases[**n as usize])
                    .count();
                source.under_way[((now + len - 1) % len) as usize] = count as u32;
            }
            let place = (now % len) as usize;
            let spikes = source.under_way[place];
            let arrived = match &mut source.response {
                Some((filter, trains)) => filter.advance(trains, now, [i64::from(spikes)])[0],
                None => f64::from(spikes),
            };
            released += arrived * source.amount;
            self.released += u64::from(source.under_way[place]);
        }
        let mut i = 0;
        while i < self.pending.len() {
            if self.pending[i].0 > now {
                i += 1;
                continue;
            }
            // In the order in which they were given.
            let (_, amount) = self.pending.remove(i);
            self.rewards.0 += 1;
            self.rewards.1 += amount;
            released += match self.mean_over {
                Some(rewards) => {
                    let surprise = amount - self.mean;
                    self.mean += surprise / rewards;
                    surprise
                }
                None => amount,
            };
        }
        match self.decay_per_ms {
            Some(_) => self.level += released,
            None => self.impulse = released,
        }
        if let Some(critic) = &mut self.critic {
            critic.advance(self.dt_ms, spikes);
        }
    }

    /// Whether spikes that release it have responses.
    pub fn has_responses(&self) -> bool {
        self.sources.iter().any(|source| source.response.is_some())
    }

    /// What those responses hold after `steps` steps, for a snapshot.
    pub fn save_responses(&self, steps: u64) -> Vec<u64> {
        let mut out = Vec::new();
        for (filter, trains) in self.sources.iter().flat_map(|source| &source.response) {
            // A spike of a step arrives at its stamp, which is one more.
            trains.save(0, filter, steps + 1, &mut out);
        }
        out
    }

    /// Takes what [`save_responses`](Self::save_responses) gave; false if it does not fit.
    pub fn load_responses(&mut self, mut numbers: &[u64], steps: u64) -> bool {
        let mut responses = self.sources.iter_mut().flat_map(|s| &mut s.response);
        let fits = responses.all(|(filter, trains)| {
            *trains = filter.silent();
            trains.load(0, filter, steps + 1, &mut numbers)
        });
        fits && numbers.is_empty()
    }

    /// The numbers of the state but for responses, for a snapshot.
    pub fn save(&self) -> Vec<u64> {
        let mut out = vec![
            self.level.to_bits(),
            self.impulse.to_bits(),
            self.mean.to_bits(),
            self.rewards.0,
            self.rewards.1.to_bits(),
            self.released,
        ];
        let parts = self.critic.map_or([0.0; 2], |critic| critic.parts);
        out.extend(parts.map(f64::to_bits));
        for source in &self.sources {
            out.push(source.amount.to_bits());
            out.extend(source.under_way.iter().map(|n| u64::from(*n)));
        }
        for (due, amount) in &self.pending {
            out.extend([*due, amount.to_bits()]);
        }
        out
    }

    /// Takes what [`save`](Self::save) gave; false if it does not fit.
    pub fn load(&mut self, numbers: &[u64]) -> bool {
        let [
            level,
            impulse,
            mean,
            count,
            sum,
            released,
            decay,
            rise,
            rest @ ..,
        ] = numbers
        else {
            return false;
        };
        let floats = [level, impulse, mean, sum, decay, rise].map(|b| f64::from_bits(*b));
        if floats.iter().any(|f| !f.is_finite()) {
            return false;
        }
        let mut rest = rest;
        for source in &mut self.sources {
            let Some(([amount, own @ ..], later)) =
                rest.split_at_checked(source.under_way.len() + 1)
            else {
                return false;
            };
            source.amount = f64::from_bits(*amount);
            if !source.amount.is_finite() {
                return false;
            }
            for (spikes, saved) in source.under_way.iter_mut().zip(own) {
                let Ok(saved) = u32::try_from(*saved) else {
                    return false;
                };
                *spikes = saved;
            }
            rest = later;
        }
        let (pending, odd) = rest.as_chunks::<2>();
        let pending: Vec<_> = pending
            .iter()
            .map(|[due, amount]| (*due, f64::from_bits(*amount)))
            .collect();
        if !odd.is_empty() || pending.iter().any(|(_, amount)| !amount.is_finite()) {
            return false;
        }
        self.pending = pending;
        [self.level, self.impulse, self.mean] = [floats[0], floats[1], floats[2]];
        self.rewards = (*count, floats[3]);
        self.released = *released;
        if let Some(critic) = &mut self.critic {
            critic.parts = [floats[4], floats[5]];
        }
        true
    }
}

impl Critic {
    fn advance(&mut self, dt_ms: f64, spikes: &Query<&Spikes, With<Region>>) {
        let count = spikes.get(self.region).map_or(0, |s| s.list.len()) as f64;
        for (part, rate) in self.parts.iter_mut().zip(self.rates) {
            *part = *part * libm::exp(-rate * dt_ms) + count;
        }
    }

    /// V' − V/τ_r, per ms: two exponentials and a constant.
    fn prediction(&self) -> ([Decaying; 2], f64) {
        let [decay, rise] = self.rates;
        let per_spike = 1e3 * self.value_per_hz / self.neurons / (1.0 / decay - 1.0 / rise);
        let part = |n: usize, sign: f64| Decaying {
            level: -sign * per_spike * self.parts[n] * (self.rates[n] + self.per_tau_reward),
            per_ms: self.rates[n],
        };
        let constant = -self.value_at_rest * self.per_tau_reward;
        ([part(0, 1.0), part(1, -1.0)], constant)
    }
}

/// The system of `Modulate`: levels decay, spikes release, rewards come due.
pub fn advance_modulators(
    clock: Res<Clock>,
    spikes: Query<&Spikes, With<Region>>,
    mut modulators: Query<&mut Modulator>,
) {
    let now = clock.step() + 1;
    for mut modulator in &mut modulators {
        modulator.advance(now, &spikes);
    }
}

impl Simulation {
    /// Gives a reward of `amount` to the modulator called `name` at the end of the next step. False if there is none.
    pub fn reward(&mut self, name: &str, amount: f64) -> bool {
        let now = self.clock().steps_done();
        let world = self.world_unchanged();
        let mut modulators = world.query::<(&Name, &mut Modulator)>();
        for (known, mut modulator) in modulators.iter_mut(world) {
            if known.as_str() == name {
                modulator.reward_at(now + 1, amount);
                return true;
            }
        }
        false
    }

    /// Sets what one spike of a region that releases a modulator adds from now on. False if there is no such modulator or region.
    pub fn set_release(&mut self, name: &str, from: &str, amount: f64) -> bool {
        let Some(region) = self.region(from) else {
            return false;
        };
        let world = self.world_unchanged();
        let mut modulators = world.query::<(&Name, &mut Modulator)>();
        let found = modulators
            .iter_mut(world)
            .find(|(known, _)| known.as_str() == name);
        let Some((_, mut modulator)) = found else {
            return false;
        };
        let mut sources = modulator
            .sources
            .iter_mut()
            .filter(|source| source.region == region)
            .peekable();
        let any = sources.peek().is_some();
        sources.for_each(|source| source.amount = amount);
        any
    }

    /// The modulator called `name`.
    pub fn modulator(&mut self, name: &str) -> Option<&Modulator> {
        let world = self.world_unchanged();
        let mut modulators = world.query::<(&Name, &Modulator)>();
        modulators
            .iter(world)
            .find(|(known, _)| known.as_str() == name)
            .map(|(_, modulator)| modulator)
    }
}
