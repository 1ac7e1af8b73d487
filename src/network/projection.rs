//! Projections: the synapses from one region to another, as an entity.
//!
//! [`ProjectsFrom`] and [`ProjectsTo`] are Bevy relationships: a region lists its outgoing and incoming projections, and despawning a
//! region despawns them. The synapses themselves live in the [`SynapseStore`](super::synapses::SynapseStore)s of the source region.

use super::connect::Rule;
use super::distribution::Distribution;
use bevy::prelude::*;

/// The source region of a projection.
#[derive(Component, Clone, Debug)]
#[relationship(relationship_target = Outgoing)]
pub struct ProjectsFrom(pub Entity);

/// The projections that leave a region.
#[derive(Component, Clone, Debug)]
#[relationship_target(relationship = ProjectsFrom, linked_spawn)]
pub struct Outgoing(Vec<Entity>);

/// The target region of a projection.
#[derive(Component, Clone, Debug)]
#[relationship(relationship_target = Incoming)]
pub struct ProjectsTo(pub Entity);

/// The projections that reach a region.
#[derive(Component, Clone, Debug)]
#[relationship_target(relationship = ProjectsTo, linked_spawn)]
pub struct Incoming(Vec<Entity>);

/// The recipe of a projection, kept for saving.
#[derive(Component, Clone, Debug)]
pub struct Connect {
    /// Its place in the scene, from 0.
    pub index: u32,
    /// The hash of the projection's name; part of every random number of the projection.
    pub key: u64,
    /// Who is joined to whom.
    pub rule: Rule,
    /// Weights, in the receptor's unit, unless a list gives them.
    pub weight: Option<Distribution>,
    /// Delays in ms, unless a list gives them.
    pub delay_ms: Option<Distribution>,
}

/// What was built for a projection.
#[derive(Component, Clone, Debug)]
pub struct Synapses {
    /// The number of synapses.
    pub count: u64,
    /// The entity with the [`SynapseStore`](super::synapses::SynapseStore) that holds them.
    pub store: Entity,
    /// The index of the target's receptor.
    pub receptor: usize,
}

/// What the synapses of a projection that change were made from beside its [`Connect`], so that those of an edited network are known again.
#[derive(Component, Clone, Debug, Default)]
pub struct Provenance {
    /// The types of its learning rules, in the order of the scene.
    pub rules: Vec<&'static str>,
    /// Whether its spikes arrive one by one, at neurons that are resolved in continuous time.
    pub is_exact: bool,
    /// −1 where weights are kept as magnitudes of negative ones, else 1.
    pub sign: f32,
    /// The weights that a list gave, in the common order of the synapses; empty without one.
    pub listed: Vec<f32>,
}
