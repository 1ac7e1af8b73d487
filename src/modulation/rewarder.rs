//! Rewards that follow from what neurons do.

use super::Modulator;
use crate::network::region::{Region, Spikes};
use crate::sim::clock::Clock;
use crate::sim::rng::{Purpose, Random, Seed};
use bevy::prelude::*;

/// Watches for one neuron firing soon after another, and rewards it some time later: see
/// [`Rewarder::Coincidence`](super::Rewarder::Coincidence).
#[derive(Component, Clone, Debug)]
pub struct Coincidences {
    /// The modulator.
    pub modulator: Entity,
    /// The region of both neurons.
    pub region: Entity,
    /// The neuron that fires first.
    pub first: u32,
    /// The neuron that fires second.
    pub second: u32,
    /// How soon, in steps.
    pub within: u64,
    /// The shortest and the longest delay of the reward in steps.
    pub delay: (u64, u64),
    /// The size of a reward.
    pub amount: f64,
    /// The key of its random numbers.
    pub key: u64,
    /// The stamp of the last spike of the first neuron; 0 if there was none.
    pub last: u64,
}

/// The system of `Behave`: finds coincidences and orders their rewards.
pub fn watch_coincidences(
    clock: Res<Clock>,
    seed: Res<Seed>,
    spikes: Query<&Spikes, With<Region>>,
    mut watchers: Query<&mut Coincidences>,
    mut modulators: Query<&mut Modulator>,
) {
    let now = clock.step() + 1;
    for mut watcher in &mut watchers {
        let Ok(spikes) = spikes.get(watcher.region) else {
            continue;
        };
        if spikes.list.is_empty() {
            continue;
        }
        let fired = |neuron: u32| spikes.list.binary_search(&neuron).is_ok();
        if fired(watcher.second) && watcher.last > 0 && now - watcher.last <= watcher.within {
            let (shortest, longest) = watcher.delay;
            let random = Random::new(seed.0, watcher.key, Purpose::Reward);
            let drawn = random.draws(now).unit() * (longest - shortest + 1) as f64;
            if let Ok(mut modulator) = modulators.get_mut(watcher.modulator) {
                let due = now + shortest + drawn as u64;
                modulator.reward_at(due, watcher.amount);
            }
        }
        if fired(watcher.first) {
            watcher.last = now;
        }
    }
}
