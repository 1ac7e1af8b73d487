//! The level of a modulator from step to step.

mod kept;

use super::{Evaluation, ModulatorSpec, Rewarder};
use crate::network::region::{Region, Spikes};
use crate::network::stimulus::Selection;
use crate::scene::error::unknown;
use crate::sim::clock::Clock;
use crate::simulation::Simulation;
use crate::synapses::response::Response;
use crate::synapses::response::cascade::Cascade;
use crate::synapses::response::filter::{Filter, Trains};
use bevy::prelude::*;
use std::collections::VecDeque;

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
pub struct Source {
    /// The region.
    pub region: Entity,
    /// Whether each neuron releases.
    releases: Vec<bool>,
    /// What one spike adds, as the scene says it.
    pub given: f64,
    /// What one spike adds now.
    amount: f64,
    /// Per step of the delay and one more: spikes under way, by the stamp at which they arrive.
    under_way: Vec<u32>,
    /// What a spike turns into over time, if it does not act at once.
    pub responses: Vec<Response>,
    response: Option<(Filter, Trains<1>)>,
}

/// The critic of a temporal difference.
#[derive(Clone, Copy, Debug)]
pub struct Critic {
    /// The region.
    pub region: Entity,
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
    /// What half a step and a whole one leave of the level of a pool.
    left: [f64; 2],
    baseline: f64,
    level: f64,
    impulse: f64,
    sources: Vec<Source>,
    /// The rewards of its schedules, past ones too, by the stamp in steps: those from `coming` on are to come.
    schedule: Vec<(u64, f64)>,
    coming: usize,
    /// Other rewards to come, by their stamps.
    pending: VecDeque<(u64, f64)>,
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
                    given: release.amount,
                    amount: release.amount,
                    under_way: vec![0; delay + 1],
                    responses: release.response.clone(),
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
        let mut schedule = Vec::new();
        for rewarder in &spec.rewards {
            if let Rewarder::Schedule { times_ms, amount } = rewarder {
                let due = |time: &f64| (libm::rint(time / dt_ms) as u64).max(1);
                schedule.extend(times_ms.iter().map(|time| (due(time), *amount)));
            }
        }
        // Those of one step in the order of the scene.
        schedule.sort_by_key(|(due, _)| *due);
        Self {
            index,
            dt_ms,
            decay_per_ms: spec.tau_ms.map(|tau| 1.0 / tau),
            left: [0.5, 1.0].map(|part| {
                spec.tau_ms
                    .map_or(1.0, |tau| libm::exp(-part * dt_ms * (1.0 / tau)))
            }),
            baseline: spec.baseline,
            level: spec.initial,
            impulse: 0.0,
            sources,
            schedule,
            coming: 0,
            pending: VecDeque::new(),
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

    /// Whether it is a pool, and no signal of impulses.
    pub fn is_pool(&self) -> bool {
        self.decay_per_ms.is_some()
    }

    /// What acts in a step: the concentration of a pool; of a signal the newest impulse and, where a critic predicts rewards, the error of its
    /// prediction times the step.
    pub fn acts(&self) -> f64 {
        let predicted = self.critic.map_or(0.0, |critic| {
            let (parts, constant) = critic.prediction();
            parts.iter().map(|part| part.level).sum::<f64>() + constant
        });
        self.level() + predicted * self.dt_ms
    }

    /// The concentration of a pool beyond its baseline.
    pub fn excess(&self) -> f64 {
        self.level() - self.baseline
    }

    /// The concentration of a pool beyond its baseline at the start of the step that begins, in its middle, and at its end before what is
    /// released then.
    pub fn excess_in_step(&self) -> [f64; 3] {
        let [half, whole] = self.left;
        [1.0, half, whole].map(|left| self.level() * left - self.baseline)
    }

    /// How many rewards there were, and their sum. Spikes that release a pool are not counted.
    pub fn rewards(&self) -> (u64, f64) {
        self.rewards
    }

    /// How many spikes have released it so far, whatever they added.
    pub fn released(&self) -> u64 {
        self.released
    }

    /// Gives a reward at the stamp `due`, at the end of the step under way or later. Rewards of one step act in the order in which they were
    /// given, those of schedules first.
    pub fn reward_at(&mut self, due: u64, amount: f64) {
        let place = self.pending.partition_point(|(known, _)| *known <= due);
        self.pending.insert(place, (due, amount));
    }

    /// Takes one step to the stamp `now`.
    fn advance(&mut self, now: u64, spikes: &Query<&Spikes, With<Region>>) {
        if self.is_pool() {
            self.level *= self.left[1];
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
        while let Some(amount) = self.next_reward(now) {
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

    /// Takes the next reward that is due at `now`.
    fn next_reward(&mut self, now: u64) -> Option<f64> {
        if let Some((_, amount)) = self.schedule.get(self.coming).filter(|r| r.0 <= now) {
            self.coming += 1;
            return Some(*amount);
        }
        let (_, amount) = *self.pending.front().filter(|r| r.0 <= now)?;
        self.pending.pop_front();
        Some(amount)
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

/// Why a modulator cannot do what it was asked to.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum ModulatorError {
    /// There is none of this name.
    #[error("{0}")]
    Unknown(String),
    /// A region does not release it.
    #[error(
        "region \"{region}\" does not release modulator \"{modulator}\"; add it to `released_by`"
    )]
    NoRelease {
        /// The modulator.
        modulator: String,
        /// The region.
        region: String,
    },
    /// An amount that would make the level, and then weights, no numbers.
    #[error("{what} is {amount}; give a finite number, the largest is about 3.4e38")]
    NotFinite {
        /// What the amount is of.
        what: &'static str,
        /// The amount.
        amount: f64,
    },
}

/// Checks that an amount fits into 32 bits, as those of scenes do: sums of them stay finite.
fn check_amount(what: &'static str, amount: f64) -> Result<(), ModulatorError> {
    match amount.abs() <= f32::MAX.into() {
        true => Ok(()),
        false => Err(ModulatorError::NotFinite { what, amount }),
    }
}

impl Simulation {
    /// Gives a reward of `amount` to the modulator called `name` at the end of the next step.
    ///
    /// # Errors
    /// There is no such modulator, or the amount is not finite or beyond ±[`f32::MAX`].
    pub fn reward(&mut self, name: &str, amount: f64) -> Result<(), ModulatorError> {
        check_amount("the reward", amount)?;
        let due = self.clock().steps_done() + 1;
        self.modulator_mut(name)?.reward_at(due, amount);
        Ok(())
    }

    /// Sets what one spike of a region that releases a modulator adds from now on. It stays so over edits, until one of this amount.
    ///
    /// # Errors
    /// There is no such modulator, the region does not release it, or the amount is not finite or beyond
    /// ±[`f32::MAX`].
    pub fn set_release(
        &mut self,
        name: &str,
        from: &str,
        amount: f64,
    ) -> Result<(), ModulatorError> {
        check_amount("what a spike releases", amount)?;
        let region = self.region(from);
        let mut modulator = self.modulator_mut(name)?;
        let mut any = false;
        for source in &mut modulator.sources {
            if Some(source.region) == region {
                (source.amount, any) = (amount, true);
            }
        }
        match any {
            true => Ok(()),
            false => Err(ModulatorError::NoRelease {
                modulator: name.to_owned(),
                region: from.to_owned(),
            }),
        }
    }

    fn modulator_mut(&mut self, name: &str) -> Result<Mut<'_, Modulator>, ModulatorError> {
        let world = self.world_unchanged();
        let mut modulators = world.query::<(&Name, Entity, &Modulator)>();
        let mut known = Vec::new();
        for (other, entity, modulator) in modulators.iter(world) {
            known.push((modulator.index, other.as_str().to_owned(), entity));
        }
        known.sort_unstable();
        let found = known.iter().find(|(_, other, _)| other == name);
        let found = found.and_then(|(.., entity)| world.get_mut::<Modulator>(*entity));
        found.ok_or_else(|| {
            let known = known.iter().map(|(_, other, _)| other.as_str());
            ModulatorError::Unknown(unknown("modulator", name, known))
        })
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
