//! Reading and steering the plasticity of a simulation between steps.

use super::RuleFunctions;
use crate::network::plastic::PlasticSynapses;
use crate::network::projection::Connect;
use crate::scene::error::unknown;
use crate::simulation::Simulation;
use bevy::prelude::*;

/// What was asked of a projection that cannot do it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct NotPlastic(pub String);

impl Simulation {
    /// The entity of the projection called `name`.
    pub fn projection(&mut self, name: &str) -> Option<Entity> {
        let world = self.world_unchanged();
        let mut query = world.query_filtered::<(Entity, &Name), With<Connect>>();
        query
            .iter(world)
            .find(|(_, n)| n.as_str() == name)
            .map(|(entity, _)| entity)
    }

    /// The projections whose synapses change, by their place in the scene.
    pub fn changing_projections(&mut self) -> Vec<(String, Entity)> {
        let world = self.world_unchanged();
        let mut query = world.query_filtered::<(&Connect, &Name, Entity), With<PlasticSynapses>>();
        let mut list: Vec<_> = query
            .iter(world)
            .map(|(connect, name, entity)| (connect.index, name.as_str().to_owned(), entity))
            .collect();
        list.sort_unstable();
        list.into_iter()
            .map(|(_, name, entity)| (name, entity))
            .collect()
    }

    /// The weights of a projection whose synapses change, at this moment, by source, then by delay, then by target. In the receptor's unit;
    /// magnitudes of weights that are all inhibitory, unless the bounds of the rule go below 0. Spikes that have reached a synapse by now
    /// are in; a reward of this moment acts with the next step.
    ///
    /// # Errors
    /// There is no such projection, or its synapses do not change.
    pub fn weights(&mut self, projection: &str) -> Result<Vec<f32>, NotPlastic> {
        Ok(self.now(projection)?.0)
    }

    /// The tags of the synapses of a projection, in the order of [`weights`](Self::weights): what rules with a third factor add up of the pairs
    /// of spikes (the eligibility c, τ_z z of MSTDPET, ζ of MSTDP), and of `PreCentred` STDP the trace of presynaptic spikes that
    /// have yet to pair, as it was at the last of them. Empty for all other rules.
    ///
    /// # Errors
    /// As [`weights`](Self::weights).
    pub fn tags(&mut self, projection: &str) -> Result<Vec<f32>, NotPlastic> {
        Ok(self.now(projection)?.1)
    }

    /// Source and target neuron of every synapse of a projection, in the order of [`weights`](Self::weights).
    ///
    /// # Errors
    /// As [`weights`](Self::weights).
    pub fn synapse_ends(&mut self, projection: &str) -> Result<Vec<(u32, u32)>, NotPlastic> {
        let (entity, _) = self.changing(projection)?;
        let synapses = self.world().get::<PlasticSynapses>(entity);
        Ok(synapses.map_or_else(Vec::new, PlasticSynapses::ends))
    }

    /// Sets the weights of a projection, in the order of [`weights`](Self::weights); those beyond the bounds of its rule become the bound.
    ///
    /// # Errors
    /// As [`weights`](Self::weights); or there are not as many as synapses, or one is no finite number.
    pub fn set_weights(&mut self, projection: &str, weights: &[f32]) -> Result<(), NotPlastic> {
        let (entity, functions) = self.changing(projection)?;
        let steps = self.clock().steps_done();
        if let Some(bad) = weights.iter().find(|w| !w.is_finite()) {
            return Err(NotPlastic(format!(
                "a weight is {bad}; give finite numbers"
            )));
        }
        let mut entity = self.world_mut().entity_mut(entity);
        (functions.settle)(&mut entity, steps);
        let Some(mut synapses) = entity.get_mut::<PlasticSynapses>() else {
            return Ok(());
        };
        let tags = synapses.in_common_order(synapses.stored_tags().to_vec());
        let bounds = synapses.bounds();
        if !synapses.set_in_common_order(weights, &tags, bounds) {
            return Err(NotPlastic(format!(
                "there are {} weights for {} synapses; give one each",
                weights.len(),
                synapses.len()
            )));
        }
        Ok(())
    }

    fn now(&mut self, projection: &str) -> Result<(Vec<f32>, Vec<f32>), NotPlastic> {
        let (entity, functions) = self.changing(projection)?;
        let steps = self.clock().steps_done();
        let entity = self.world().entity(entity);
        let (weights, tags) = (functions.now)(entity, steps);
        Ok(match entity.get::<PlasticSynapses>() {
            Some(synapses) => (
                synapses.in_common_order(weights),
                synapses.in_common_order(tags),
            ),
            None => (weights, tags),
        })
    }

    /// Stops or resumes the learning of a projection. While it is frozen its weights stay; traces and tags go on, so that nothing jumps
    /// when it is resumed.
    ///
    /// It is part of the state, and in snapshots, but not of the scene: [taken over](Self::take_over) by an edited network, a projection is frozen if
    /// its field [`frozen`](crate::scene::schema::ProjectionSpec::frozen) says so. In a session, set that by a command.
    ///
    /// # Errors
    /// As [`weights`](Self::weights).
    pub fn freeze(&mut self, projection: &str, frozen: bool) -> Result<(), NotPlastic> {
        self.with_rule(projection, |functions, entity, steps| {
            (functions.freeze)(entity, steps, frozen);
        })
    }

    /// Sets the traces and tags of a projection to zero, as if no spike had been: those up to this moment are not learnt from any more,
    /// even if they have yet to reach the synapse. Their transmission and short-term dynamics go on.
    ///
    /// # Errors
    /// As [`weights`](Self::weights).
    pub fn reset_traces(&mut self, projection: &str) -> Result<(), NotPlastic> {
        self.with_rule(projection, |functions, entity, steps| {
            (functions.reset)(entity, steps);
        })
    }

    /// Restricts the learning of a projection: `gain` says how much of every change of a weight, as limited by the bounds, counts, per
    /// target neuron, from 0 to 1. Tags change in full. An empty list lifts the restriction. In an edited network it is again what
    /// [`learning_targets`](crate::scene::schema::ProjectionSpec::learning_targets) says, as with [`freeze`](Self::freeze).
    ///
    /// # Errors
    /// As [`weights`](Self::weights); or the list has the wrong length or a number outside its range.
    pub fn restrict_learning(
        &mut self,
        projection: &str,
        gain: Vec<f32>,
    ) -> Result<(), NotPlastic> {
        let (entity, _) = self.changing(projection)?;
        let synapses = self.world().get::<PlasticSynapses>(entity);
        let neurons = synapses.map_or(0, PlasticSynapses::target_neurons);
        if !gain.is_empty() && gain.len() != neurons {
            return Err(NotPlastic(format!(
                "there are {} gains for {neurons} target neurons; give one each",
                gain.len()
            )));
        }
        if let Some(bad) = gain.iter().find(|g| !(0.0..=1.0).contains(*g)) {
            return Err(NotPlastic(format!("a gain is {bad}; allowed is 0 to 1")));
        }
        self.with_rule(projection, |functions, entity, steps| {
            (functions.restrict)(entity, steps, gain);
        })
    }

    fn with_rule(
        &mut self,
        projection: &str,
        act: impl FnOnce(RuleFunctions, &mut bevy::ecs::world::EntityWorldMut<'_>, u64),
    ) -> Result<(), NotPlastic> {
        let (entity, functions) = self.changing(projection)?;
        let steps = self.clock().steps_done();
        act(functions, &mut self.world_mut().entity_mut(entity), steps);
        Ok(())
    }

    fn changing(&mut self, projection: &str) -> Result<(Entity, RuleFunctions), NotPlastic> {
        let known = self.changing_projections();
        let Some((_, entity)) = known.iter().find(|(name, _)| name == projection) else {
            if self.projection(projection).is_some() {
                return Err(NotPlastic(format!(
                    "the synapses of projection \"{projection}\" do not change"
                )));
            }
            let names = known.iter().map(|(name, _)| name.as_str());
            return Err(NotPlastic(unknown("projection", projection, names)));
        };
        self.world()
            .get::<RuleFunctions>(*entity)
            .map(|functions| (*entity, *functions))
            .ok_or_else(|| NotPlastic(format!("projection \"{projection}\" has no rule")))
    }
}
