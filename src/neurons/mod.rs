//! Neuron models, one file each.
//!
//! # The contract of a model
//!
//! A model is a reflected component whose fields are [`Distribution`]s: one number for the region, or one per neuron. Each
//! field carries its unit and range as attributes. The model says how one neuron's numbers become the constants of its
//! [`kernel!`](crate::kernel) ([`NeuronModel::derive`]) and its state before the first step ([`NeuronModel::initial`]);
//! sizing, stepping on all cores, scene loading, probing, snapshots and the test of its WGSL follow from registering it
//! with [`RegisterNeuron::register_neuron`] in the list below.
//!
//! A *source* takes no input: its spikes are a function of the seed and the step alone. It implements [`SourceModel`]
//! instead and registers with [`RegisterNeuron::register_source`].

use crate::files::Files;
use crate::network::distribution::{Distribution, shared_unit};
use crate::network::region::{Offsets, Region, Spikes, integrate, valid_bits};
use crate::sim::SimSystems;
use crate::sim::clock::Clock;
use crate::sim::columns::{Drive, RegisterColumn};
use crate::sim::kernel::{Kernel, Parameters};
use crate::sim::quantity::Range;
use crate::sim::rng::{Purpose, Random, Seed, entity_key};
use crate::sim::simd::SimdLevel;
use crate::sim::workers::Workers;
use bevy::ecs::schedule::ScheduleConfigs;
use bevy::ecs::system::ScheduleSystem;
use bevy::ecs::world::EntityWorldMut;
use bevy::prelude::*;
use bevy::reflect::{FromType, GetTypeRegistration, TypePath};

pub mod adex;
pub mod adex_alpha;
pub mod adex_clopath;
pub mod eif;
pub mod hh_squid;
pub mod hh_traub;
pub mod hidden_patterns;
pub mod izhikevich;
pub mod izhikevich2007;
pub mod lif_adaptive;
pub mod lif_alpha;
pub mod lif_cond_alpha;
pub mod lif_cond_exp;
pub mod lif_delta;
pub mod lif_exp;
pub mod lif_receptors;
pub mod mat2;
pub mod poisson_source;
pub mod relay;
pub mod spike_source;
pub mod srm;

/// Registers every model of this folder.
pub fn plugin(app: &mut App) {
    app.register_column::<Drive>();
    adex::plugin(app);
    adex_alpha::plugin(app);
    adex_clopath::plugin(app);
    eif::plugin(app);
    hh_squid::plugin(app);
    hh_traub::plugin(app);
    hidden_patterns::plugin(app);
    izhikevich::plugin(app);
    izhikevich2007::plugin(app);
    lif_adaptive::plugin(app);
    lif_alpha::plugin(app);
    lif_cond_alpha::plugin(app);
    lif_cond_exp::plugin(app);
    lif_delta::plugin(app);
    lif_exp::plugin(app);
    lif_receptors::plugin(app);
    mat2::plugin(app);
    poisson_source::plugin(app);
    relay::plugin(app);
    spike_source::plugin(app);
    srm::region::plugin(app);
}

/// What a model's synaptic input may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sign {
    /// Positive and negative weights.
    Any,
    /// Positive weights only.
    Positive,
    /// Weights are given negative, as for any inhibitory projection; the receptor takes their magnitude.
    Negative,
}

/// One kind of synaptic input that a model distinguishes.
#[derive(Clone, Copy, Debug)]
pub struct Receptor {
    /// The name that projections and stimuli use.
    pub name: &'static str,
    /// Which weights it takes.
    pub sign: Sign,
    /// The unit of a weight.
    pub unit: &'static str,
}

/// The sampler of one neuron's parameters and initial values.
///
/// A number depends on (seed, region, field, neuron) alone.
pub struct Sample<'a> {
    seed: u64,
    region: u64,
    neuron: u32,
    overrides: &'a [(String, Distribution)],
    varied: core::cell::Cell<bool>,
}

impl<'a> Sample<'a> {
    /// The sampler of neuron `neuron` of the region with key `region`. `overrides` are initial values by column name.
    pub fn new(
        seed: u64,
        region: u64,
        neuron: u32,
        overrides: &'a [(String, Distribution)],
    ) -> Self {
        Self {
            seed,
            region,
            neuron,
            overrides,
            varied: core::cell::Cell::new(false),
        }
    }

    /// Whether a value so far was drawn rather than constant.
    pub fn varied(&self) -> bool {
        self.varied.get()
    }

    /// The value of the parameter `field`.
    pub fn parameter(&self, field: &str, distribution: &Distribution) -> f64 {
        self.draw(field, distribution, Purpose::Parameter)
    }

    /// The initial value of column `column`: what the scene says, else `otherwise`.
    pub fn initial(&self, column: &str, otherwise: f64) -> f64 {
        match self.overrides.iter().find(|(name, _)| name == column) {
            Some((_, distribution)) => self.draw(column, distribution, Purpose::Initial),
            None => otherwise,
        }
    }

    fn draw(&self, field: &str, distribution: &Distribution, purpose: Purpose) -> f64 {
        if let Distribution::Constant(value) = distribution {
            return *value;
        }
        self.varied.set(true);
        let key = self.region ^ entity_key(field);
        let neuron = u64::from(self.neuron);
        let shared = Random::new(self.seed, self.region, Purpose::Parameter);
        distribution.sample_shared(
            &mut Random::new(self.seed, key, purpose).draws(neuron),
            |group| shared_unit(&shared, neuron, group),
        )
    }
}

/// A neuron model whose update is a [`kernel!`](crate::kernel). See the [module](self).
pub trait NeuronModel:
    Component + Reflect + FromReflect + TypePath + GetTypeRegistration + Default + Clone
{
    /// The update.
    type Kernel: Kernel;

    /// The receptors, in the order of the kernel's inputs.
    const RECEPTORS: &'static [Receptor];

    /// The constants of one neuron for a step of `dt` ms.
    fn derive(&self, neuron: &Sample<'_>, dt: f64) -> <Self::Kernel as Kernel>::Params;

    /// The state of one neuron before the first step.
    fn initial(&self, neuron: &Sample<'_>, dt: f64) -> <Self::Kernel as Kernel>::State;

    /// How many sub-steps the kernel's `repeat` takes in a step of `dt` ms.
    fn substeps(&self, _dt: f64) -> u32 {
        1
    }

    /// Whether a neuron may fire without input, for example by a constant current.
    fn is_self_driven(&self) -> bool {
        false
    }

    /// What parameters forbid together; each alone is checked against its range.
    ///
    /// # Errors
    /// The message names the fields, their values and what is allowed.
    fn check(&self, _dt: f64) -> Result<(), String> {
        Ok(())
    }
}

/// The constants of a region, derived when it was built. Not kept in snapshots: it follows from the scene.
#[derive(Component)]
pub struct Derived<M: NeuronModel> {
    /// Uniform or per neuron.
    pub parameters: Parameters<M::Kernel>,
    /// Sub-steps per step.
    pub substeps: u32,
    /// Per receptor, whether the state that belongs to it is zero as long as nothing reaches it; see [`Kernel::quiet`].
    pub quiet: Vec<bool>,
}

/// How a region with a model is checked, built and stepped, by the model's type: what the scene loader finds in the type
/// registry.
#[derive(Clone)]
pub struct ReflectNeuronModel {
    /// The receptors.
    pub receptors: &'static [Receptor],
    /// The state columns.
    pub columns: &'static [&'static str],
    /// What the initial values of each column may be.
    pub ranges: &'static [Range],
    /// Checks a model value and the files that it names.
    pub check: fn(&BuildRegion<'_>) -> Result<(), String>,
    /// Inserts the model and its columns on a region entity of `neurons` neurons.
    pub build: fn(&mut EntityWorldMut<'_>, &BuildRegion<'_>) -> Result<(), String>,
    /// Works out again what is derived from the state of a region, after the state was changed between steps.
    pub refresh: fn(&mut EntityWorldMut<'_>),
    /// The system of [`SimSystems::Integrate`] that steps all regions with this model.
    pub system: fn() -> ScheduleConfigs<ScheduleSystem>,
    /// The names and the WGSL text of the kernels, if the update is one.
    pub wgsl: Option<fn() -> Vec<(&'static str, String)>>,
    /// Bytes of state per neuron.
    pub bytes_per_neuron: usize,
    /// Whether the model is a source: it takes no input and needs none.
    pub source: bool,
    /// Whether its spikes have offsets inside the step; a model that is not a source is then resolved in continuous time, and so is what
    /// reaches it.
    pub exact: bool,
    /// Whether a model value may fire without input, for example by a constant current.
    pub self_driven: fn(&dyn PartialReflect) -> bool,
}

/// What [`ReflectNeuronModel::check`] and [`ReflectNeuronModel::build`] need.
pub struct BuildRegion<'a> {
    /// The model's value.
    pub model: &'a dyn PartialReflect,
    /// Initial values by column name.
    pub initial: &'a [(String, Distribution)],
    /// The seed of the simulation.
    pub seed: u64,
    /// The region's key.
    pub key: u64,
    /// How many neurons, at least 1.
    pub neurons: u32,
    /// The step in ms.
    pub dt_ms: f64,
    /// The files that the scene names.
    pub files: &'a dyn Files,
}

impl<M: NeuronModel> FromType<M> for ReflectNeuronModel {
    fn from_type() -> Self {
        Self {
            receptors: M::RECEPTORS,
            columns: M::Kernel::COLUMNS,
            ranges: M::Kernel::RANGES,
            check: |build| {
                let model = concrete::<M>(build.model)?;
                model.check(build.dt_ms)?;
                check_substeps(model.substeps(build.dt_ms), build.dt_ms)
            },
            build: build_region::<M>,
            refresh: |region| {
                let quiet = M::Kernel::quiet(region);
                if let Some(mut derived) = region.get_mut::<Derived<M>>() {
                    derived.quiet = quiet;
                }
            },
            system: || integrate::<M>.in_set(SimSystems::Integrate),
            wgsl: Some(<M::Kernel as Kernel>::wgsl),
            bytes_per_neuron: M::Kernel::COLUMNS.len() * 4,
            source: false,
            exact: false,
            self_driven: |model| concrete::<M>(model).is_ok_and(|m| m.is_self_driven()),
        }
    }
}

fn concrete<M: FromReflect + TypePath>(model: &dyn PartialReflect) -> Result<M, String> {
    M::from_reflect(model).ok_or_else(|| format!("this is not a {}", M::short_type_path()))
}

fn build_region<M: NeuronModel>(
    entity: &mut EntityWorldMut<'_>,
    build: &BuildRegion<'_>,
) -> Result<(), String> {
    let model = concrete::<M>(build.model)?;
    for (name, _) in build.initial {
        if !M::Kernel::COLUMNS.contains(&name.as_str()) {
            return Err(format!(
                "unknown column \"{name}\" in `initial`; {} has: {}",
                M::short_type_path(),
                M::Kernel::COLUMNS.join(", ")
            ));
        }
    }
    let sample = |neuron| Sample::new(build.seed, build.key, neuron, build.initial);
    let first = sample(0);
    let uniform = model.derive(&first, build.dt_ms);
    let parameters = if first.varied() {
        let all: Vec<_> = (0..build.neurons)
            .map(|i| model.derive(&sample(i), build.dt_ms))
            .collect();
        Parameters::PerNeuron(M::Kernel::pack(&all))
    } else {
        Parameters::Uniform(uniform)
    };
    let states: Vec<_> = (0..build.neurons)
        .map(|i| model.initial(&sample(i), build.dt_ms))
        .collect();
    M::Kernel::insert(entity, &states);
    entity.insert((
        Derived::<M> {
            parameters,
            substeps: model.substeps(build.dt_ms),
            quiet: M::Kernel::quiet(entity),
        },
        model,
    ));
    Ok(())
}

/// A neuron model that takes no input and keeps no state: its spikes follow from the seed and the step. See the
/// [module](self).
pub trait SourceModel:
    Component + Reflect + FromReflect + TypePath + GetTypeRegistration + Default + Clone
{
    /// What the steps need, worked out when the region is built. Not kept in snapshots: it follows from the scene.
    type Plan: Component;

    /// Whether it knows when within a step its spikes are.
    const EXACT: bool = false;

    /// Lists the spikes of a step with their [offsets](Offsets), in any order, if it knows them.
    fn offsets(plan: &Self::Plan, at: &SourceStep<'_>, out: &mut Vec<(u32, u32)>) {
        let _ = (plan, at, out);
    }

    /// Works out the plan of a region.
    ///
    /// # Errors
    /// What is wrong with the parameters or with a file that they name.
    fn plan(&self, region: &BuildRegion<'_>) -> Result<Self::Plan, String>;

    /// Sets the bits of the neurons that spike in a step. `mask` is clear, one bit per neuron, 64 to a word; bits beyond the
    /// last neuron do not matter.
    fn fire(plan: &Self::Plan, at: &SourceStep<'_>, mask: &mut [u64]);

    /// What parameters forbid together, each alone being checked against its range, and what is wrong with a file that they name.
    ///
    /// # Errors
    /// The message names the fields or the place in the file, the values and what is allowed.
    fn check(&self, _region: &BuildRegion<'_>) -> Result<(), String> {
        Ok(())
    }
}

/// The step that a source is in.
pub struct SourceStep<'a> {
    /// The index of the step.
    pub step: u64,
    /// The step in ms.
    pub dt_ms: f64,
    /// The seed of the simulation.
    pub seed: u64,
    /// The region's key.
    pub key: u64,
    /// The threads.
    pub workers: &'a Workers,
    /// The vector instructions.
    pub simd: SimdLevel,
}

/// Fires every region with source `M`.
fn fire_sources<M: SourceModel>(
    clock: Res<Clock>,
    workers: Res<Workers>,
    simd: Res<SimdLevel>,
    seed: Res<Seed>,
    mut regions: Query<(&Region, &M::Plan, &mut Spikes, Option<&mut Offsets>)>,
) {
    for (region, plan, mut spikes, offsets) in &mut regions {
        let at = SourceStep {
            step: clock.step(),
            dt_ms: clock.dt_ms(),
            seed: seed.0,
            key: region.key,
            workers: &workers,
            simd: *simd,
        };
        spikes.mask.fill(0);
        M::fire(plan, &at, &mut spikes.mask);
        let last = spikes.mask.len() - 1;
        spikes.mask[last] &= valid_bits(region.neurons, last);
        if let Some(mut offsets) = offsets {
            offsets.0.clear();
            M::offsets(plan, &at, &mut offsets.0);
            offsets.0.sort_unstable();
        }
    }
}

fn reflect_source<M: SourceModel>() -> ReflectNeuronModel {
    ReflectNeuronModel {
        receptors: &[],
        columns: &[],
        ranges: &[],
        check: |build| concrete::<M>(build.model)?.check(build),
        build: |entity, build| {
            let model = concrete::<M>(build.model)?;
            entity.insert((model.plan(build)?, model));
            if M::EXACT {
                entity.insert(Offsets(Vec::with_capacity(build.neurons as usize)));
            }
            Ok(())
        },
        refresh: |_| {},
        system: || fire_sources::<M>.in_set(SimSystems::Integrate),
        wgsl: None,
        bytes_per_neuron: 0,
        source: true,
        exact: M::EXACT,
        self_driven: |_| true,
    }
}

/// Registers neuron models on an app.
pub trait RegisterNeuron {
    /// Makes the model known to scenes, `neuropil check`, probes, snapshots and the kernel tests.
    fn register_neuron<M: NeuronModel>(&mut self) -> &mut Self;
    /// Makes a source known to scenes and `neuropil check`.
    fn register_source<M: SourceModel>(&mut self) -> &mut Self;
}

impl RegisterNeuron for App {
    fn register_neuron<M: NeuronModel>(&mut self) -> &mut Self {
        self.register_type::<M>()
            .register_type_data::<M, ReflectNeuronModel>();
        <M::Kernel as Kernel>::register(self);
        self
    }

    fn register_source<M: SourceModel>(&mut self) -> &mut Self {
        self.register_type::<M>();
        let types = self.world().resource::<AppTypeRegistry>().clone();
        if let Some(registration) = types.write().get_mut(core::any::TypeId::of::<M>()) {
            registration.insert(reflect_source::<M>());
        }
        self
    }
}

/// The most steps of a refractory period: it must fit in 32 bits with room for what is added.
pub(crate) const MOST_REFRACTORY_STEPS: f64 = 1e9;

/// The refractory period in whole steps, as NEST counts it.
pub(crate) fn refractory_steps(t_ref: f64, dt: f64) -> i32 {
    (t_ref / dt).round().clamp(0.0, MOST_REFRACTORY_STEPS) as i32
}

/// How many sub-steps of at most `longest` ms a step of `dt` ms takes.
pub(crate) fn substeps_within(dt: f64, longest: f64) -> u32 {
    (dt / longest - 1e-9).ceil().clamp(1.0, 1e6) as u32
}

/// The most sub-steps that a step may take: with more, a mistake in a parameter would look like a program that hangs.
const MOST_SUBSTEPS: u32 = 10_000;

/// Checks that a step of `dt` ms takes so few sub-steps that it ends soon.
fn check_substeps(substeps: u32, dt: f64) -> Result<(), String> {
    if substeps <= MOST_SUBSTEPS {
        return Ok(());
    }
    Err(format!(
        "with these parameters a step of {dt} ms takes {substeps} sub-steps or more; allowed are {MOST_SUBSTEPS}: the equations change too fast, or `substep_ms` is too small"
    ))
}

/// Checks that no value of the parameter `low` reaches one of the parameter `high`, as far as their bounds tell.
///
/// # Errors
/// Names both and their values.
pub(crate) fn check_below(
    low: (&str, &Distribution),
    high: (&str, &Distribution),
) -> Result<(), String> {
    let ((low_name, low), (high_name, high)) = (low, high);
    let (top, bottom) = (low.bounds().1, high.bounds().0);
    if top.is_finite() && bottom.is_finite() && top >= bottom {
        return Err(format!(
            "{low_name} reaches {top}; it must be less than {high_name}, which goes down to {bottom}"
        ));
    }
    Ok(())
}
