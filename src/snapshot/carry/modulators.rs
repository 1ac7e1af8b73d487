//! What modulators keep, taken over by an edited network.
//!
//! A modulator is the same if its name is. Its level stays as long as it is a pool or goes on to be none, and so do rewards that were given but
//! are not due. Spikes that release it and are under way arrive after the delay as it is now, like those along axons; what they turn into
//! over time goes on if the responses are the same.

use crate::modulation::{Coincidences, Modulator};
use crate::snapshot::RestoreError;
use crate::snapshot::file::Snapshot;
use crate::snapshot::plastic::{modulators, watchers};
use crate::synapses::response::Response;
use bevy::prelude::*;

/// Spikes that release a modulator.
struct Release {
    region: String,
    delay: usize,
    /// What the scene says that one adds.
    given: u64,
    responses: Vec<Response>,
}

struct Described {
    name: String,
    is_pool: bool,
    critic: Option<String>,
    releases: Vec<Release>,
}

/// The modulators of a network, by their place.
pub(super) struct Before {
    modulators: Vec<Described>,
    watchers: Vec<Watcher>,
}

/// A watcher of coincidences: its key, region and neurons.
type Watcher = (u64, String, [u32; 2]);

fn name_of(world: &World, entity: Entity) -> String {
    let name = world.get::<Name>(entity);
    name.map_or_else(String::new, |n| n.as_str().to_owned())
}

impl Before {
    pub(super) fn of(world: &mut World) -> Self {
        let list = modulators(world);
        let described = |(_, entity): (u32, Entity)| {
            let modulator = world.get::<Modulator>(entity)?;
            let releases = modulator.sources().iter().map(|source| Release {
                region: name_of(world, source.region),
                delay: source.delay(),
                given: source.given.to_bits(),
                responses: source.responses.clone(),
            });
            Some(Described {
                name: name_of(world, entity),
                is_pool: modulator.is_pool(),
                critic: modulator.critic().map(|c| name_of(world, c.region)),
                releases: releases.collect(),
            })
        };
        let modulators = list.into_iter().filter_map(described).collect();
        let list = watchers(world);
        let watcher = |(key, entity): (u64, Entity)| {
            let watcher = world.get::<Coincidences>(entity)?;
            let neurons = [watcher.first, watcher.second];
            Some((key, name_of(world, watcher.region), neurons))
        };
        Self {
            modulators,
            watchers: list.into_iter().filter_map(watcher).collect(),
        }
    }

    /// Puts the sections of modulators into the state of an edited network: what was carried where it fits, and otherwise what was built.
    pub(super) fn merge(
        &self,
        world: &mut World,
        carried: &Snapshot,
        fresh: &Snapshot,
        merged: &mut Snapshot,
    ) -> Result<(), RestoreError> {
        let now = Self::of(world);
        for (index, modulator) in now.modulators.iter().enumerate() {
            let section = format!("modulator.{index}");
            let old = self
                .modulators
                .iter()
                .position(|m| m.name == modulator.name);
            let Some(old) = old else {
                for (name, built) in fresh.iter() {
                    let own = name.strip_prefix(&section);
                    if own.is_some_and(|rest| rest.is_empty() || rest.starts_with('.')) {
                        merged.put(name, built.clone())?;
                    }
                }
                continue;
            };
            let (before, former) = (&self.modulators[old], format!("modulator.{old}"));
            let mut numbers = carried.u64s(&former)?.to_vec();
            if before.is_pool != modulator.is_pool
                && let (Some(level), [built, ..]) = (numbers.first_mut(), fresh.u64s(&section)?)
            {
                *level = *built;
            }
            merged.put(section.clone(), numbers)?;
            let rewards = carried.section(&format!("{former}.rewards"))?;
            merged.put(format!("{section}.rewards"), rewards.clone())?;
            if modulator.critic.is_some() {
                let critic = match before.critic == modulator.critic {
                    true => carried.section(&format!("{former}.critic"))?,
                    false => fresh.section(&format!("{section}.critic"))?,
                };
                merged.put(format!("{section}.critic"), critic.clone())?;
            }
            self.merge_releases(&now, (old, index), carried, fresh, merged)?;
        }
        if !now.watchers.is_empty() {
            let mut last = fresh.u64s("coincidences")?.to_vec();
            if let Ok(old) = carried.u64s("coincidences") {
                for (own, watcher) in last.iter_mut().zip(&now.watchers) {
                    let same = self.watchers.iter().zip(old).find(|(w, _)| *w == watcher);
                    *own = same.map_or(*own, |(_, last)| *last);
                }
            }
            merged.put("coincidences", last)?;
        }
        Ok(())
    }

    fn merge_releases(
        &self,
        now: &Self,
        (old, index): (usize, usize),
        carried: &Snapshot,
        fresh: &Snapshot,
        merged: &mut Snapshot,
    ) -> Result<(), RestoreError> {
        let before = &self.modulators[old].releases;
        let mut free: Vec<bool> = vec![true; before.len()];
        let releases = &now.modulators[index].releases;
        // Those with the same delay first, so that of several from one region each finds its own.
        let mut former = vec![None; releases.len()];
        for same_delay in [true, false] {
            for (release, former) in releases.iter().zip(&mut former) {
                let found = (before.iter().zip(&free)).position(|(known, free)| {
                    *free
                        && former.is_none()
                        && known.region == release.region
                        && (!same_delay || known.delay == release.delay)
                });
                if let Some(found) = found {
                    (*former, free[found]) = (Some(found), false);
                }
            }
        }
        for (at, (release, former)) in releases.iter().zip(former).enumerate() {
            let section = format!("modulator.{index}.release.{at}");
            let response = format!("{section}.response");
            let mut numbers = fresh.u64s(&section)?.to_vec();
            let mut kept = fresh.section(&response).ok();
            if let Some(at) = former {
                let (known, section) = (&before[at], format!("modulator.{old}.release.{at}"));
                let [amount, counts @ ..] = carried.u64s(&section)? else {
                    return Err(RestoreError::Misfit(format!("section {section} is empty")));
                };
                if known.given == release.given {
                    numbers[0] = *amount;
                }
                for (ahead, count) in counts.iter().enumerate() {
                    let moved = (ahead + release.delay).checked_sub(known.delay);
                    if let Some(place) = moved.and_then(|moved| numbers.get_mut(moved + 1)) {
                        *place = *count;
                    }
                }
                if known.responses == release.responses && kept.is_some() {
                    kept = Some(carried.section(&format!("{section}.response"))?);
                }
            }
            merged.put(section, numbers)?;
            if let Some(kept) = kept {
                merged.put(response, kept.clone())?;
            }
        }
        Ok(())
    }
}
