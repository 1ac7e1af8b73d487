//! A simulation: a world of its own, its step schedule, its threads.

use crate::files::{Files, NoFiles};
use crate::modulation;
use crate::network::deliver;
use crate::network::plastic::PlasticSynapses;
use crate::network::probe::{self, SpikeProbe};
use crate::network::projection::{Connect, ProjectsFrom, ProjectsTo, Synapses};
use crate::network::propagate::{self, SpikeCount};
use crate::network::region::{InputMap, Region};
use crate::network::stimulus;
use crate::network::synapses::SynapseStore;
use crate::network::weight_probe;
use crate::neurons::srm::region::send_exact;
use crate::plasticity::RuleFunctions;
use crate::plasticity::exact::{begin_exact, tend_exact};
use crate::plasticity::intrinsic;
use crate::scene::build::{self, BuildError, BuildOptions, Integrate, Needs, Reuse};
use crate::scene::prepare::{Prepared, prepare};
use crate::scene::schema::Scene;
use crate::sim::clock::{Clock, Pacing, advance_clock, to_steps};
use crate::sim::columns::{ColumnRegistry, LANES, Which, padded};
use crate::sim::{SimSystems, step_schedule};
use crate::synapses::response::respond::respond;
use bevy::ecs::reflect::AppTypeRegistry;
use bevy::prelude::*;
use std::collections::HashMap;
use std::time::{Duration, Instant};

/// The order of the systems that step different neuron models.
#[derive(SystemSet, Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct ModelOrder(usize);

/// The order of the systems that tell rules of their modulators.
#[derive(SystemSet, Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct ModulationOrder(usize);

/// The order of the systems in which spikes arrive at changing synapses.
#[derive(SystemSet, Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct ArrivalOrder(usize);

/// The order of the systems that send spikes on to changing synapses.
#[derive(SystemSet, Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct TransmitOrder(usize);

/// The order of the systems that see to all weights of changing synapses.
#[derive(SystemSet, Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct UpkeepOrder(usize);

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
    integrate: Vec<Integrate>,
    needs: Needs,
    /// The schedule with a clock between the stages, once somebody asked for times.
    timed: Option<Schedule>,
}

/// When the stages of a timed step ended.
#[derive(Resource)]
struct StageEnds([Instant; SimSystems::ALL.len()]);

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
        Self::build_reusing(scene, prepared, registry, files, options, None, progress)
    }

    /// Takes the synapses out of this simulation, which is of this scene, for one of an edited scene. It must not be stepped any more.
    pub fn take_synapses(&mut self, scene: &Scene, prepared: &Prepared) -> Reuse {
        Reuse::take(&mut self.world, scene, prepared)
    }

    /// As [`build`](Self::build), with the synapses of an earlier network where they would be made the same.
    ///
    /// # Errors
    /// What only building can show.
    pub fn build_reusing(
        scene: &Scene,
        prepared: &Prepared,
        registry: &Registry,
        files: &dyn Files,
        options: &BuildOptions,
        reuse: Option<Reuse>,
        progress: &(dyn Fn(f64) + Sync),
    ) -> Result<Self, BuildError> {
        let mut world = World::new();
        world.insert_resource(registry.types.clone());
        world.insert_resource(registry.columns.clone());
        world.insert_resource(Pacing::default());
        world.insert_resource(probe::Health::default());
        let built = build::build(&mut world, scene, prepared, files, options, reuse, progress)?;
        let mut schedule = step_schedule();
        add_systems(&mut schedule, &built.integrate, &built.needs);
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
            integrate: built.integrate,
            needs: built.needs,
            timed: None,
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

    /// Takes one step and says how many seconds each of its stages took, in the order of [`SimSystems::ALL`].
    pub fn timed_step(&mut self) -> [f64; SimSystems::ALL.len()] {
        if self.touched {
            self.settle();
        }
        let schedule = self.timed.get_or_insert_with(|| {
            let mut schedule = step_schedule();
            add_systems(&mut schedule, &self.integrate, &self.needs);
            for (i, stage) in SimSystems::ALL.into_iter().enumerate() {
                let note = move |mut ends: ResMut<StageEnds>| ends.0[i] = Instant::now();
                match SimSystems::ALL.get(i + 1) {
                    Some(&next) => schedule.add_systems(note.after(stage).before(next)),
                    None => schedule.add_systems(note.after(stage)),
                };
            }
            schedule
        });
        let mut begin = Instant::now();
        self.world
            .insert_resource(StageEnds([begin; SimSystems::ALL.len()]));
        begin = Instant::now();
        schedule.run(&mut self.world);
        self.world.resource::<StageEnds>().0.map(|end| {
            let seconds = end.saturating_duration_since(begin).as_secs_f64();
            begin = end;
            seconds
        })
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

    /// Looks now whether the state is still made of numbers, as happens by itself only now and then.
    pub fn look_for_problem(&mut self) -> Option<&str> {
        let mut regions = self.world.query_filtered::<EntityRef, With<Region>>();
        let (clock, columns) = (
            self.world.resource::<Clock>(),
            self.world.resource::<ColumnRegistry>(),
        );
        let found = probe::not_finite(clock, columns, regions.iter(&self.world));
        let mut health = self.world.resource_mut::<probe::Health>();
        if health.problem.is_none() {
            health.problem = found;
        }
        self.problem()
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

    /// The world, for queries, which change nothing that a step sees.
    pub(crate) fn world_unchanged(&mut self) -> &mut World {
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
        (descriptor.read)(entity, Which::First(neurons), &mut values);
        (values.len() == neurons).then_some(values)
    }

    /// The number of synapses.
    pub fn synapse_count(&mut self) -> u64 {
        let mut stores = self.world.query::<&SynapseStore>();
        let fixed: u64 = stores.iter(&self.world).map(|s| s.len() as u64).sum();
        let mut changing = self.world.query::<&PlasticSynapses>();
        fixed
            + changing
                .iter(&self.world)
                .map(|s| s.len() as u64)
                .sum::<u64>()
    }

    /// Bytes that the synapses take.
    pub fn synapse_bytes(&mut self) -> u64 {
        let mut stores = self.world.query::<&SynapseStore>();
        let fixed: u64 = stores.iter(&self.world).map(|s| s.bytes() as u64).sum();
        let mut changing = self.world.query::<&PlasticSynapses>();
        fixed
            + changing
                .iter(&self.world)
                .map(|s| s.bytes() as u64)
                .sum::<u64>()
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
        let index = |world: &World, entity| world.get::<Region>(entity).map_or(0, |r| r.index);
        let (Some(from), Some(to)) = (self.region(from), self.region(to)) else {
            return Vec::new();
        };
        let (from, to) = (index(&self.world, from), index(&self.world, to));
        let dt = self.clock().dt_ms();
        let mut list = Vec::new();
        self.visit_synapses(
            &mut |s| {
                if (s.from.0, s.to.0) == (from, to) {
                    list.push(SynapseView {
                        source: s.from.1,
                        target: s.to.1,
                        receptor: s.receptor,
                        weight: s.weight,
                        delay_ms: (f64::from(s.delay) * dt) as f32,
                    });
                }
            },
            None,
        );
        list
    }

    /// Visits every synapse, by source region and source neuron, in the order of storage; `of`, the index of a region and of a neuron in
    /// it, asks for those that this neuron sends or receives.
    pub fn visit_synapses(&mut self, visit: &mut dyn FnMut(Synapse), of: Option<(u32, u32)>) {
        self.visit_fixed(visit, of, None);
        self.visit_changing(visit, of, None);
    }

    /// Visits every synapse of the projection that is this entity, by source neuron, in the order of storage. Synapses that never change are told
    /// by their ends and their receptor: projections between the same regions onto the same receptor may be visited together.
    pub fn visit_projection(&mut self, projection: Entity, visit: &mut dyn FnMut(Synapse)) {
        let (Some(synapses), Some(from), Some(to)) = (
            self.world.get::<Synapses>(projection).cloned(),
            self.world.get::<ProjectsFrom>(projection),
            self.world.get::<ProjectsTo>(projection),
        ) else {
            return;
        };
        if synapses.store == projection {
            return self.visit_changing(visit, None, Some(projection));
        }
        let index = |region| self.world.get::<Region>(region).map_or(0, |r| r.index);
        let wanted = (index(from.0), index(to.0), synapses.receptor as u32);
        let mut own = |synapse: Synapse| {
            if (synapse.from.0, synapse.to.0, synapse.receptor) == wanted {
                visit(synapse);
            }
        };
        self.visit_fixed(&mut own, None, Some(synapses.store));
    }

    /// As [`visit_synapses`](Self::visit_synapses), the synapses that never change: all, or those of one store.
    fn visit_fixed(
        &mut self,
        visit: &mut dyn FnMut(Synapse),
        of: Option<(u32, u32)>,
        only: Option<Entity>,
    ) {
        let mut regions = self.world.query::<(&Region, &InputMap)>();
        let mut stores = self.world.query::<(Entity, &SynapseStore)>();
        // Slot of each block → (region, first neuron of the chunk, channel).
        let mut owner: HashMap<(usize, usize), (u32, u32, usize)> = HashMap::new();
        let mut targets: HashMap<u32, (u32, &InputMap)> = HashMap::new();
        // The one place that a neuron's input has, for each of its channels.
        let mut wanted: Vec<(usize, usize)> = Vec::new();
        for (region, map) in regions.iter(&self.world) {
            for (chunk, (&block, &base)) in map.block.iter().zip(&map.base).enumerate() {
                for (channel, offset) in map.offset.iter().enumerate() {
                    let Some(offset) = offset else { continue };
                    let slot = (base + offset) as usize;
                    let first = (chunk * LANES) as u32;
                    owner.insert((block.into(), slot / LANES), (region.index, first, channel));
                    if let Some((index, neuron)) = of
                        && index == region.index
                        && neuron / LANES as u32 == chunk as u32
                    {
                        wanted.push((block.into(), slot + neuron as usize % LANES));
                    }
                }
            }
            targets.insert(region.index, (region.neurons, map));
        }
        for (entity, store) in stores.iter(&self.world) {
            if only.is_some_and(|only| only != entity) {
                continue;
            }
            let Some(source) = self.world.get::<Region>(store.source()) else {
                continue;
            };
            for row in 0..source.neurons {
                let all = of.is_none_or(|of| of == (source.index, row));
                store.visit_row(row as usize, &mut |block, slot, weight, delay| {
                    if !all && !wanted.contains(&(block, slot)) {
                        return;
                    }
                    let Some(&(region, first, channel)) = owner.get(&(block, slot / LANES)) else {
                        return;
                    };
                    let target = first + (slot % LANES) as u32;
                    let (neurons, map) = &targets[&region];
                    if target >= *neurons {
                        return;
                    }
                    visit(Synapse {
                        from: (source.index, row),
                        to: (region, target),
                        receptor: map.receptor[channel],
                        weight: (weight as f64 * f64::from(map.quantum[channel])) as f32,
                        delay,
                    });
                });
            }
        }
    }

    /// As [`visit_synapses`](Self::visit_synapses), the synapses that change: all, or those of one projection.
    fn visit_changing(
        &mut self,
        visit: &mut dyn FnMut(Synapse),
        of: Option<(u32, u32)>,
        only: Option<Entity>,
    ) {
        let steps = self.clock().steps_done();
        let mut projections = self.world.query::<(
            EntityRef,
            &Connect,
            &Synapses,
            &PlasticSynapses,
            &RuleFunctions,
        )>();
        let mut list: Vec<_> = projections.iter(&self.world).collect();
        list.sort_unstable_by_key(|(_, connect, ..)| connect.index);
        for (entity, _, projection, synapses, functions) in list {
            let index = |region| self.world.get::<Region>(region).map_or(0, |r| r.index);
            let (from, to) = (index(synapses.source()), index(synapses.target()));
            if of.is_some_and(|(region, _)| region != from && region != to)
                || only.is_some_and(|only| only != entity.id())
            {
                continue;
            }
            let (weights, _) = (functions.now)(entity, steps);
            let sign = synapses.per_quantum().signum();
            for row in 0..synapses.rows() as u32 {
                let all = of.is_none_or(|of| of == (from, row));
                synapses.visit_row(row as usize, &mut |target, place, delay| {
                    if all || of == Some((to, target)) {
                        visit(Synapse {
                            from: (from, row),
                            to: (to, target),
                            receptor: projection.receptor as u32,
                            weight: sign * weights[place],
                            delay,
                        });
                    }
                });
            }
        }
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

/// One synapse of the network.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Synapse {
    /// The index of the source region, and of the source neuron in it.
    pub from: (u32, u32),
    /// The index of the target region, and of the target neuron in it.
    pub to: (u32, u32),
    /// The index of the target's receptor.
    pub receptor: u32,
    /// The weight as it acts, in the receptor's unit; the magnitude where the receptor takes that.
    pub weight: f32,
    /// The delay in steps.
    pub delay: u32,
}

/// One synapse between two regions that were asked for.
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
fn add_systems(schedule: &mut Schedule, integrate: &[Integrate], needs: &Needs) {
    schedule.add_systems(advance_clock.in_set(SimSystems::First));
    if needs.currents {
        schedule.add_systems(stimulus::drive_currents.in_set(SimSystems::Encode));
    }
    if needs.intrinsic {
        schedule.add_systems((
            intrinsic::drive
                .in_set(SimSystems::Encode)
                .after(stimulus::drive_currents),
            intrinsic::adapt.in_set(SimSystems::Learn),
        ));
    }
    if needs.modulated_drive {
        schedule.add_systems(
            modulation::effects::drive_modulated
                .in_set(SimSystems::Encode)
                .after(stimulus::drive_currents)
                .after(intrinsic::drive),
        );
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
    for (i, system) in integrate.iter().enumerate() {
        schedule.add_systems(system().in_set(ModelOrder(i)));
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
    if needs.exact {
        schedule.add_systems(
            send_exact
                .in_set(SimSystems::Propagate)
                .after(propagate::list_spikes)
                .before(TransmitOrder(0)),
        );
        schedule.add_systems((
            begin_exact
                .in_set(SimSystems::Encode)
                .before(ModulationOrder(0)),
            tend_exact.in_set(SimSystems::Learn).before(UpkeepOrder(0)),
        ));
    }
    if needs.modulators {
        schedule.add_systems(modulation::watch_coincidences.in_set(SimSystems::Behave));
        schedule.add_systems(modulation::advance_modulators.in_set(SimSystems::Modulate));
    }
    if needs.responses {
        let respond = respond.in_set(SimSystems::Deliver).after(deliver::deliver);
        let arrivals = 0..needs.rules.len();
        schedule.add_systems(arrivals.fold(respond, |system, i| system.after(ArrivalOrder(i))));
    }
    for (i, rule) in needs.rules.iter().enumerate() {
        if let Some(modulate) = rule.modulate {
            let modulate = modulate().in_set(SimSystems::Encode);
            schedule.add_systems(modulate.in_set(ModulationOrder(i)));
        }
        let arrive = (rule.arrive)().in_set(SimSystems::Deliver);
        schedule.add_systems(arrive.in_set(ArrivalOrder(i)));
        let transmit = (rule.transmit)().in_set(SimSystems::Propagate);
        schedule.add_systems(transmit.in_set(TransmitOrder(i)));
        if let Some(tend) = rule.tend {
            let tend = tend().in_set(SimSystems::Learn);
            schedule.add_systems(tend.in_set(UpkeepOrder(i)));
        }
        if i > 0 {
            schedule.configure_sets((
                ModulationOrder(i).after(ModulationOrder(i - 1)),
                ArrivalOrder(i).after(ArrivalOrder(i - 1)),
                TransmitOrder(i).after(TransmitOrder(i - 1)),
                UpkeepOrder(i).after(UpkeepOrder(i - 1)),
            ));
        } else {
            schedule.configure_sets((
                ArrivalOrder(0).after(deliver::deliver),
                TransmitOrder(0)
                    .after(propagate::list_spikes)
                    .after(propagate::push_spikes),
            ));
        }
    }
    schedule.add_systems(probe::check_finite.in_set(SimSystems::Last));
    let [spikes, rates, columns, statistics, weights, modulators] = needs.probes;
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
    if weights {
        schedule.add_systems(
            weight_probe::record_weights
                .in_set(SimSystems::Record)
                .after(probe::record_spikes)
                .after(probe::record_rates)
                .after(probe::record_statistics)
                .after(probe::record_columns),
        );
    }
    if modulators {
        schedule.add_systems(
            modulation::probe::record_modulators
                .in_set(SimSystems::Record)
                .after(probe::record_columns)
                .after(weight_probe::record_weights),
        );
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
