//! A simulation: a world of its own, its step schedule, its threads.

use crate::files::{Files, NoFiles};
use crate::network::probe::{self, ColumnProbe, RateProbe, SpikeProbe, StatisticsProbe};
use crate::network::propagate::{self, SpikeCount};
use crate::network::region::Region;
use crate::network::stimulus;
use crate::scene::build::{self, BuildError, BuildOptions, Needs, Prepared};
use crate::scene::schema::Scene;
use crate::sim::clock::{Clock, Pacing, advance_clock, to_steps};
use crate::sim::columns::ColumnRegistry;
use crate::sim::{SimSystems, step_schedule};
use bevy::ecs::reflect::AppTypeRegistry;
use bevy::prelude::*;
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
            columns: world.remove_resource::<ColumnRegistry>().unwrap_or_default(),
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
        let prepared = build::prepare(scene, &registry.types.read(), &NoFiles)?;
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
        let built = build::build(&mut world, scene, prepared, files, options, progress)?;
        let mut schedule = step_schedule();
        add_systems(&mut schedule, built.integrate, built.needs);
        schedule
            .initialize(&mut world)
            .map_err(|e| BuildError {
                path: "schedule".into(),
                message: e.to_string(schedule.graph(), &world),
            })?;
        Ok(Self {
            world,
            schedule,
            owed: 0.0,
            pumped: Instant::now(),
        })
    }

    /// Takes one step.
    #[inline]
    pub fn step(&mut self) {
        self.schedule.run(&mut self.world);
    }

    /// Takes `steps` steps.
    pub fn run_steps(&mut self, steps: u64) {
        for _ in 0..steps {
            self.schedule.run(&mut self.world);
        }
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

    /// The world, to be read.
    pub fn world(&self) -> &World {
        &self.world
    }

    /// The world, to be changed between steps.
    pub fn world_mut(&mut self) -> &mut World {
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

    /// The recorded spikes of a region as (step, neuron), if it has a spike probe.
    pub fn recorded_spikes(&mut self, region: &str) -> Vec<(u64, u32)> {
        let Some(entity) = self.region(region) else {
            return Vec::new();
        };
        let mut probes = self.world.query::<&SpikeProbe>();
        probes
            .iter(&self.world)
            .find(|p| p.region == entity)
            .map(|p| p.steps.iter().copied().zip(p.neurons.iter().copied()).collect())
            .unwrap_or_default()
    }
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
    if needs.inputs {
        schedule.add_systems(
            stimulus::background_input
                .in_set(SimSystems::Encode),
        );
    }
    if needs.pull {
        schedule.add_systems(propagate::deliver.in_set(SimSystems::Deliver));
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
    let [spikes, rates, columns, statistics] = needs.probes;
    if spikes {
        schedule.add_systems(probe::record_spikes.in_set(SimSystems::Record));
    }
    if rates {
        schedule.add_systems(probe::record_rates.in_set(SimSystems::Record));
    }
    if columns {
        schedule.add_systems(probe::record_columns.in_set(SimSystems::Record).after(probe::record_spikes).after(probe::record_rates).after(probe::record_statistics));
    }
    if statistics {
        schedule.add_systems(probe::record_statistics.in_set(SimSystems::Record));
    }
}
