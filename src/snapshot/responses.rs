//! Projections with responses in a snapshot: what their filters hold; and over an edit, also where input that is under way to them goes.

use super::file::{Snapshot, SnapshotError};
use super::{RestoreError, region_entities};
use crate::network::projection::{Connect, ProjectsTo, Synapses};
use crate::network::region::Region;
use crate::synapses::response::Responses;
use crate::synapses::response::respond::Responding;
use bevy::prelude::*;

/// Projections with responses by their place in the scene.
fn projections(world: &mut World) -> Vec<(u32, Entity)> {
    let mut query = world.query_filtered::<(&Connect, Entity), With<Responding>>();
    let mut list: Vec<_> = query
        .iter(world)
        .map(|(c, entity)| (c.index, entity))
        .collect();
    list.sort_unstable();
    list
}

fn section(index: u32) -> String {
    format!("projection.{index}.responses")
}

/// Puts what the filters hold into a snapshot.
pub(super) fn save(world: &mut World, steps: u64, out: &mut Snapshot) -> Result<(), SnapshotError> {
    for (index, entity) in projections(world) {
        if let Some(responding) = world.get::<Responding>(entity) {
            out.put(section(index), responding.save(steps))?;
        }
    }
    Ok(())
}

/// Takes what the filters hold from a snapshot.
pub(super) fn restore(
    world: &mut World,
    snapshot: &Snapshot,
    steps: u64,
) -> Result<(), RestoreError> {
    for (index, entity) in projections(world) {
        let numbers = snapshot.u64s(&section(index))?;
        if let Some(mut responding) = world.get_mut::<Responding>(entity)
            && !responding.load(numbers, steps)
        {
            let message = format!("section {} does not fit", section(index));
            return Err(RestoreError::Misfit(message));
        }
    }
    Ok(())
}

/// What makes the responses of two networks the same, so that what they hold is carried over an edit.
#[derive(PartialEq)]
struct Identity {
    name: String,
    to: (String, u32),
    responses: Responses,
}

fn name(world: &World, entity: Entity) -> String {
    world
        .get::<Name>(entity)
        .map_or_else(String::new, |n| n.as_str().to_owned())
}

fn identities(world: &mut World) -> Vec<(u32, Identity)> {
    let list = projections(world);
    list.into_iter()
        .filter_map(|(index, entity)| {
            let target = world.get::<Responding>(entity)?.target();
            let identity = Identity {
                name: name(world, entity),
                to: (name(world, target), world.get::<Region>(target)?.neurons),
                responses: world.get::<Responses>(entity)?.clone(),
            };
            Some((index, identity))
        })
        .collect()
}

/// Where a projection sums its input.
struct Channel {
    projection: String,
    /// The index of the target region.
    region: u32,
    channel: u32,
    is_receptor: bool,
}

/// The channels of all projections.
pub(super) struct Channels(Vec<Channel>);

impl Channels {
    /// Those of a network.
    pub(super) fn of(world: &mut World) -> Self {
        let regions = region_entities(world);
        let mut query = world.query::<(&Name, &ProjectsTo, &Synapses, Option<&Responding>)>();
        let channels = query.iter(world).filter_map(|(name, to, own, responding)| {
            let (region, _) = regions.iter().find(|(_, entity)| *entity == to.0)?;
            Some(Channel {
                projection: name.as_str().to_owned(),
                region: *region,
                channel: responding.map_or(own.receptor, Responding::channel) as u32,
                is_receptor: responding.is_none(),
            })
        });
        Self(channels.collect())
    }

    /// The channel of an edited network in which input to `channel` of `region`, by now the region `to`, arrives: a receptor stays what it is,
    /// and input of a projection with responses follows the projection. `None` if that is gone.
    pub(super) fn moved(&self, now: &Self, region: u32, channel: u32, to: u32) -> Option<u32> {
        let is_this =
            |c: &&Channel| (c.region, c.channel, c.is_receptor) == (region, channel, false);
        let Some(own) = self.0.iter().find(is_this) else {
            return Some(channel);
        };
        let same = |c: &&Channel| c.region == to && c.projection == own.projection;
        now.0.iter().find(same).map(|c| c.channel)
    }
}

/// A network before an edit, as far as responses go.
pub(super) struct Before {
    projections: Vec<(u32, Identity)>,
    /// Where its projections summed their input.
    pub(super) channels: Channels,
}

impl Before {
    pub(super) fn of(world: &mut World) -> Self {
        Self {
            projections: identities(world),
            channels: Channels::of(world),
        }
    }

    /// Puts the sections of responses into the state of an edited network: what was carried where it fits, and otherwise what was built.
    pub(super) fn merge(
        &self,
        world: &mut World,
        carried: &Snapshot,
        fresh: &Snapshot,
        merged: &mut Snapshot,
    ) -> Result<(), RestoreError> {
        for (index, identity) in identities(world) {
            let old = self.projections.iter().find(|(_, i)| *i == identity);
            let kept = old.and_then(|(old, _)| carried.section(&section(*old)).ok());
            let built = fresh.section(&section(index))?;
            let kept = kept.filter(|kept| kept.len() == built.len());
            merged.put(section(index), kept.unwrap_or(built).clone())?;
        }
        Ok(())
    }
}
