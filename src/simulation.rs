//! A simulation: a world of its own, its step schedule, its threads.

use crate::files::{Files, NoFiles};
use crate::network::deliver;
use crate::network::probe::{self, SpikeProbe};
use crate::network::propagate::{self, SpikeCount};
use crate::network::region::{InputMap, Region};
use crate::network::stimulus;
use crate::network::synapses::SynapseStore;
use crate::scene::build::{self, BuildError, BuildOptions, Needs};
use crate::scene::prepare::{Prepared, prepare};
use crate::scene::schema::Scene;
use crate::sim::clock::{Clock, Pacing, advance_clock, to_steps};
use crate::sim::columns::{ColumnRegistry, LANES, padded};
use crate::sim::{SimSystems, step_schedule};
use bevy::ecs::reflect::AppTypeRegistry;
use bevy::prelude::*;
use std::collections::HashMap;
use std::time::{Duration, Instant};

/// The order of the systems that step different neuron models.
#[derive(SystemSet, Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct ModelOrder(usize);

/// A network in a world of its own, with its [`SimStep`](crate::sim::SimStep) schedule and its own threads.
///
/// Nothing is global: many simulations can run side by side in one process.
///
/// ```
/// use neuropil::prelude::*;
///
/// let mut scene = Scene::default();
/// scene.regions.push(RegionSpec::new("cell", 1, LifExp { i_e: 500.0.into(), ..default() }));
/// let mut simulation = Simulation::new(&scene, &BuildOptions::default())?;
/// simulation.run_ms(100.0);
/// assert_eq!(simulation.spike_count().spikes, 6);
/// # Ok::<(), BuildError>(())
/// ```
pub struct Simulation {
    world: World,
    schedule: Schedule,
    owed: f64,
    pumped: Instant,
    /// Whether somebody may have changed the world since the last step.
    touched: bool,
    refresh: Vec<(Entity, fn(&mut EntityWorldMut<'_>))>,
}

/// Everything that scenes can name: the registered types and columns.
#[derive(Clone)]
pub struct Registry {
    /// The type registry.
    pub types: AppTypeRegistry,
    /// The columns.
    pub columns: ColumnRegistry,
}

impl Registry {
    /// The registry of all built-in models.
    pub fn new() -> Self {
        let mut app = App::empty();
        app.init_resource::<AppTypeRegistry>();
        crate::plugins::plugin(&mut app);
        let world = app.world_mut();
        Self {
            types: world.resource::<AppTypeRegistry>().clone(),
            columns: world
                .remove_resource::<ColumnRegistry>()
                .unwrap_or_default(),
        }
    }
}

impl Default for Registry {
    fn default() -> Self {
        Self::new()
    }
}

impl Simulation {
    /// Builds a scene that names no files.
    ///
    /// # Errors
    /// What is wrong with the scene, and where.
    pub fn new(scene: &Scene, options: &BuildOptions) -> Result<Self, BuildError> {
        let registry = Registry::new();
        let prepared = prepare(scene, &registry.types.read(), &NoFiles)?;
        Self::build(scene, &prepared, &registry, &NoFiles, options, &|_| {})
    }

    /// Builds a prepared scene; `progress` is told the fraction of synapses made.
    ///
    /// # Errors
    /// What only building can show.
    pub fn build(
        scene: &Scene,
        prepared: &Prepared,
        registry: &Registry,
        files: &dyn Files,
        options: &BuildOptions,
        progress: &(dyn Fn(f64) + Sync),
    ) -> Result<Self, BuildError> {
        let mut world = World::new();
        world.insert_resource(registry.types.clone());
        world.insert_resource(registry.columns.clone());
        world.insert_resource(Pacing::default());
        world.insert_resource(probe::Health::default());
        let built = build::build(&mut world, scene, prepared, files, options, progress)?;
        let mut schedule = step_schedule();
        add_systems(&mut schedule, built.integrate, built.needs);
        schedule.initialize(&mut world).map_err(|e| BuildError {
            path: "schedule".into(),
            message: e.to_string(schedule.graph(), &world),
        })?;
        Ok(Self {
            world,
            schedule,
            owed: 0.0,
            pumped: Instant::now(),
            touched: false,
            refresh: built.refresh,
        })
    }

    /// Takes one step.
    #[inline]
    pub fn step(&mut self) {
        self.run_steps(1);
    }

    /// Takes `steps` steps.
    pub fn run_steps(&mut self, steps: u64) {
        if self.touched {
            self.settle();
        }
        for _ in 0..steps {
            self.schedule.run(&mut self.world);
        }
    }

    /// Works out again what is derived from the state.
    #[cold]
    fn settle(&mut self) {
        for &(region, refresh) in &self.refresh {
            if let Ok(mut region) = self.world.get_entity_mut(region) {
                refresh(&mut region);
            }
        }
        self.touched = false;
    }

    /// Runs for the whole steps nearest to `ms`.
    pub fn run_ms(&mut self, ms: f64) {
        self.run_steps(to_steps(ms, self.clock().dt_ms()));
    }

    /// Takes the steps that the [`Pacing`] allows since the last call, at most for `budget` of wall time, and returns how many.
    pub fn pump(&mut self, budget: Duration) -> u64 {
        let start = Instant::now();
        let elapsed = start - self.pumped;
        self.pumped = start;
        let dt = self.clock().dt_ms();
        let mut taken = 0;
        let mut pacing = *self.world.resource::<Pacing>();
        let due = match pacing {
            Pacing::Steps(_) | Pacing::Unlimited | Pacing::Paused => u64::MAX,
            Pacing::RealTime(_) => pacing.due(elapsed, dt, &mut self.owed, 1_000_000),
        };
        while taken < due && start.elapsed() < budget {
            let most = (due - taken).min(16);
            let now = match &mut pacing {
                Pacing::RealTime(_) => most,
                other => other.due(elapsed, dt, &mut self.owed, most),
            };
            if now == 0 {
                break;
            }
            self.run_steps(now);
            taken += now;
        }
        self.world.insert_resource(pacing);
        taken
    }

    /// Sets the [`Pacing`] that [`pump`](Self::pump) obeys.
    pub fn set_pacing(&mut self, pacing: Pacing) {
        self.world.insert_resource(pacing);
    }

    /// Simulated time.
    pub fn clock(&self) -> Clock {
        *self.world.resource::<Clock>()
    }

    /// Spikes, events and the spike hash so far.
    pub fn spike_count(&self) -> SpikeCount {
        *self.world.resource::<SpikeCount>()
    }

    /// What went wrong with the numbers of the network, if anything did.
    pub fn problem(&self) -> Option<&str> {
        self.world.resource::<probe::Health>().problem.as_deref()
    }

    /// The world, to be read.
    pub fn world(&self) -> &World {
        &self.world
    }

    /// The world, to be changed between steps.
    pub fn world_mut(&mut self) -> &mut World {
        self.touched = true;
        &mut self.world
    }

    /// The live schedule.
    pub fn schedule(&self) -> &Schedule {
        &self.schedule
    }

    /// The entity of the region called `name`.
    pub fn region(&mut self, name: &str) -> Option<Entity> {
        let mut query = self.world.query_filtered::<(Entity, &Name), With<Region>>();
        query
            .iter(&self.world)
            .find(|(_, n)| n.as_str() == name)
            .map(|(entity, _)| entity)
    }

    /// The values of a column of a region, one per neuron.
    pub fn column(&mut self, region: &str, column: &str) -> Option<Vec<f32>> {
        let entity = self.region(region)?;
        let descriptor = *self.world.resource::<ColumnRegistry>().get(column)?;
        let entity = self.world.entity(entity);
        let neurons = entity.get::<Region>()?.neurons as usize;
        let mut values = Vec::with_capacity(neurons);
        (descriptor.read)(entity, &mut |i| (i < neurons).then_some(i), &mut values);
        (values.len() == neurons).then_some(values)
    }

    /// The number of synapses.
    pub fn synapse_count(&mut self) -> u64 {
        let mut stores = self.world.query::<&SynapseStore>();
        stores.iter(&self.world).map(|s| s.len() as u64).sum()
    }

    /// Bytes that the synapses take.
    pub fn synapse_bytes(&mut self) -> u64 {
        let mut stores = self.world.query::<&SynapseStore>();
        stores.iter(&self.world).map(|s| s.bytes() as u64).sum()
    }

    /// Bytes that synapses and state columns take.
    pub fn network_bytes(&mut self) -> u64 {
        let columns = self.world.resource::<ColumnRegistry>().clone();
        let mut regions = self.world.query_filtered::<EntityRef, With<Region>>();
        let state: usize = regions
            .iter(&self.world)
            .map(|entity| {
                let neurons = entity.get::<Region>().map_or(0, |r| r.neurons as usize);
                columns.iter().filter(|c| (c.present)(entity)).count() * padded(neurons) * 4
            })
            .sum();
        self.synapse_bytes() + state as u64
    }

    /// Every synapse from one region to another, by source, in the order of storage.
    pub fn synapses(&mut self, from: &str, to: &str) -> Vec<SynapseView> {
        let (Some(from), Some(to)) = (self.region(from), self.region(to)) else {
            return Vec::new();
        };
        let dt = self.clock().dt_ms();
        let target = self.world.entity(to);
        let (Some(map), Some(region)) = (target.get::<InputMap>(), target.get::<Region>()) else {
            return Vec::new();
        };
        // Slot of each block → (neuron, receptor) of the target region.
        let mut owner: HashMap<(usize, usize), (u32, usize)> = HashMap::new();
        for (chunk, (&block, &base)) in map.block.iter().zip(&map.base).enumerate() {
            for (receptor, offset) in map.offset.iter().enumerate() {
                if let Some(offset) = offset {
                    owner.insert(
                        (block.into(), (base + offset) as usize / LANES),
                        ((chunk * LANES) as u32, receptor),
                    );
                }
            }
        }
        let (quanta, neurons) = (map.quantum.clone(), region.neurons);
        let mut list = Vec::new();
        let mut stores = self.world.query::<&SynapseStore>();
        let rows = self.world.get::<Region>(from).map_or(0, |r| r.neurons);
        for store in stores.iter(&self.world).filter(|s| s.source() == from) {
            for source in 0..rows {
                store.visit_row(source as usize, &mut |block, slot, weight, delay| {
                    if let Some(&(first, receptor)) = owner.get(&(block, slot / LANES)) {
                        let target = first + (slot % LANES) as u32;
                        if target >= neurons {
                            return;
                        }
                        list.push(SynapseView {
                            source,
                            target,
                            receptor: receptor as u32,
                            weight: (weight as f64 * f64::from(quanta[receptor])) as f32,
                            delay_ms: (f64::from(delay) * dt) as f32,
                        });
                    }
                });
            }
        }
        list
    }

    /// The stages of a step with the systems that are in them, as a table.
    pub fn schedule_table(&self) -> String {
        let mut table = format!("{:<10} {:<62} systems\n", "stage", "reads → writes");
        let names: HashMap<_, _> = self
            .schedule
            .systems()
            .into_iter()
            .flatten()
            .map(|(key, system)| (key, short_name(&system.name().to_string())))
            .collect();
        for stage in SimSystems::ALL {
            let members = self.schedule.graph().systems_in_set(stage.intern());
            let mut list: Vec<&str> = members
                .iter()
                .flat_map(|keys| keys.iter())
                .filter_map(|key| names.get(key).map(String::as_str))
                .collect();
            list.sort_unstable();
            let list = if list.is_empty() {
                "–".into()
            } else {
                list.join(", ")
            };
            table += &format!(
                "{:<10} {:<62} {list}\n",
                format!("{stage:?}"),
                stage.contract()
            );
        }
        table
    }

    /// The recorded spikes of a region as (step, neuron), if it has a spike probe.
    pub fn recorded_spikes(&mut self, region: &str) -> Vec<(u64, u32)> {
        let Some(entity) = self.region(region) else {
            return Vec::new();
        };
        let mut probes = self.world.query::<&SpikeProbe>();
        probes
            .iter(&self.world)
            .find(|p| p.region == entity)
            .map(|p| {
                p.steps
                    .iter()
                    .copied()
                    .zip(p.neurons.iter().copied())
                    .collect()
            })
            .unwrap_or_default()
    }
}

/// One synapse, as it is stored.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SynapseView {
    /// The source neuron.
    pub source: u32,
    /// The target neuron.
    pub target: u32,
    /// The index of the target's receptor.
    pub receptor: u32,
    /// The weight as it acts, in the receptor's unit; the magnitude where the receptor takes that.
    pub weight: f32,
    /// The delay in ms.
    pub delay_ms: f32,
}

/// A system's name without the paths of its modules.
fn short_name(name: &str) -> String {
    name.split_inclusive(['<', '>', ',', ' '])
        .map(|part| part.rsplit("::").next().unwrap_or(part))
        .collect()
}

/// Adds the systems that a network needs, each to its set.
fn add_systems(
    schedule: &mut Schedule,
    integrate: Vec<bevy::ecs::schedule::ScheduleConfigs<bevy::ecs::system::ScheduleSystem>>,
    needs: Needs,
) {
    schedule.add_systems(advance_clock.in_set(SimSystems::First));
    if needs.currents {
        schedule.add_systems(stimulus::drive_currents.in_set(SimSystems::Encode));
    }
    if needs.background {
        schedule.add_systems(stimulus::background_input.in_set(SimSystems::Encode));
    }
    if needs.inputs {
        schedule.add_systems(stimulus::input_spikes.in_set(SimSystems::Encode));
    }
    if needs.pull {
        schedule.add_systems(deliver::deliver.in_set(SimSystems::Deliver));
    }
    let models = integrate.len();
    for (i, system) in integrate.into_iter().enumerate() {
        schedule.add_systems(system.in_set(ModelOrder(i)));
        if i > 0 {
            schedule.configure_sets(ModelOrder(i).after(ModelOrder(i - 1)));
        }
    }
    if needs.clamps {
        let clamp = stimulus::clamp_spikes.in_set(SimSystems::Integrate);
        schedule.add_systems(clamp.after(ModelOrder(models - 1)));
    }
    schedule.add_systems(propagate::list_spikes.in_set(SimSystems::Propagate));
    if needs.push {
        schedule.add_systems(
            propagate::push_spikes
                .in_set(SimSystems::Propagate)
                .after(propagate::list_spikes),
        );
    }
    schedule.add_systems(probe::check_finite.in_set(SimSystems::Last));
    let [spikes, rates, columns, statistics] = needs.probes;
    if spikes {
        schedule.add_systems(probe::record_spikes.in_set(SimSystems::Record));
    }
    if rates {
        schedule.add_systems(probe::record_rates.in_set(SimSystems::Record));
    }
    if columns {
        schedule.add_systems(
            probe::record_columns
                .in_set(SimSystems::Record)
                .after(probe::record_spikes)
                .after(probe::record_rates)
                .after(probe::record_statistics),
        );
    }
    if statistics {
        schedule.add_systems(probe::record_statistics.in_set(SimSystems::Record));
    }
}

#[cfg(test)]
mod tests {
    use crate::prelude::*;
    use crate::sim::columns::{ColumnComponent, ExcitatoryCurrent};

    /// State that nothing has reached is skipped; but not any more once somebody has written it.
    #[test]
    fn state_that_is_changed_between_steps_is_taken_up() {
        let mut scene = Scene::default();
        scene
            .regions
            .push(RegionSpec::new("cell", 1, LifExp::default()));
        let mut simulation =
            Simulation::new(&scene, &BuildOptions::default()).expect("a simulation");
        simulation.run_steps(3);
        let cell = simulation.region("cell").expect("the region");
        simulation
            .world_mut()
            .get_mut::<ExcitatoryCurrent>(cell)
            .expect("a current")
            .column_mut()
            .as_mut_slice()[0] = 100.0;
        simulation.run_steps(10);
        let first = |simulation: &mut Simulation, column: &str| {
            simulation.column("cell", column).expect("a column")[0]
        };
        let current = first(&mut simulation, "i_ex");
        assert!(
            (current - 100.0 * libm::expf(-0.5)).abs() < 0.01,
            "{current}"
        );
        assert!(first(&mut simulation, "v") > -69.9);
    }
}
