//! Neuropil: a spiking-neural-network simulator built on the Bevy ECS.
//!
//! *Neuropil* is the felt of axons and dendrites in which brains do their work. A network here is a world of entities; the same scene gives the
//! same spikes, bit for bit, on any number of threads and at any SIMD level.
//!
//! # Concepts
//!
//! | concept | is | lives in |
//! |---|---|---|
//! | [`Simulation`](simulation::Simulation) | a Bevy world of its own, its step schedule and its own threads; many fit in one process | [`simulation`] |
//! | region | an entity: a population of neurons of one model; state is in *columns*, one newtype component per variable | [`network::region`], [`sim::columns`] |
//! | neuron model | a component with parameters, and a [`kernel!`](crate::kernel): the equation, written once as Rust and WGSL | [`neurons`] |
//! | projection | an entity that joins two regions by a [rule](network::connect::Rule), with weights and delays | [`network::projection`] |
//! | synapse store | the synapses of one source region, 2 to 6 bytes each | [`network::synapses`] |
//! | response function | what a spike turns into over time, in axon terminals, in spines and as a trace to learn from | [`synapses::response`] |
//! | learning rule | a component of a projection, at work on synapses of its own, 8 to 12 bytes each | [`plasticity`], [`network::plastic`] |
//! | modulator | an entity: a pool or a reward signal that acts on rules | [`modulation`] |
//! | encoder | turns a world into spikes of afferents | [`coding`] |
//! | stimulus, probe | entities that point at a region: what reaches it from outside, what is kept of it | [`network::stimulus`], [`network::probe`] |
//! | experiment | a published experiment over many seeds, with controls and a verdict | [`experiment`] |
//! | scene | RON text or a [`Scene`](scene::schema::Scene) value that describes all of this | [`scene`] |
//! | session | a network that is edited, undone, rewound and watched while it runs, on a thread of its own | [`session`] |
//! | view | the app: an observer of a session, with the cargo feature `view` | `view` |
//! | snapshot | everything that a step changes, resumed bit for bit | [`snapshot`] |
//!
//! # One step
//!
//! [`sim::SimStep`] runs the stages of [`sim::SimSystems`] in order, on the single-threaded executor; heavy systems spread their work over the
//! simulation's own threads. The timing contract (when a spike acts, how refractoriness counts) is stated in [`sim`]; how input is summed
//! without depending on order, in [`network::slots`]; where random numbers come from, in [`sim::rng`].
//!
//! # Units
//!
//! | quantity | unit | | quantity | unit |
//! |---|---|---|---|---|
//! | time, delay | ms | | conductance | nS |
//! | membrane potential | mV | | capacitance | pF |
//! | current | pA | | rate, frequency | Hz |
//! | delta weight | mV | | length | mm |
//!
//! Izhikevich's model of 2003 has currents in mV/ms, as its literature has. Every field says its unit.
//!
//! # From Rust
//!
//! ```
//! use neuropil::prelude::*;
//!
//! let mut scene = Scene::default();
//! let cell = LifExp { i_e: 500.0.into(), ..default() };
//! scene.regions.push(RegionSpec::new("a", 100, cell));
//! scene.regions.push(RegionSpec::new("b", 100, LifExp::default()));
//! scene.projections.push(ProjectionSpec::new("a", "b", Rule::FixedIndegree(10), 100.0, 1.5));
//!
//! let mut simulation = Simulation::new(&scene, &BuildOptions::default())?;
//! simulation.run_ms(200.0);
//! println!("{} spikes", simulation.spike_count().spikes);
//! # assert!(simulation.spike_count().spikes > 1000);
//! # Ok::<(), BuildError>(())
//! ```
//!
//! # Registration
//!
//! | plugin | registers |
//! |---|---|
//! | [`plugins::plugin`] | everything below |
//! | [`neurons::plugin`] | neuron models with their columns, kernels and receptors |
//! | [`plasticity::plugin`], [`synapses::plugin`], [`modulation::plugin`] | learning rules, short-term dynamics, modulators |
//! | [`scene::plugin`] | the types of a scene and how they are read and written |
//!
//! A neuron model is one new file in `src/neurons`, a learning rule one in `src/plasticity`, and one line in its `mod.rs`. Registration gives sizing, scene loading, checks of units and
//! ranges, probing, snapshots and the validation of its WGSL for free.

#![deny(missing_docs)]

pub mod bench;
pub mod cli;
pub mod coding;
pub mod experiment;
pub mod files;
pub mod headless;
pub mod modulation;
pub mod network;
pub mod neurons;
pub mod plasticity;
pub mod plugins;
pub mod results;
pub mod scene;
pub mod session;
pub mod sim;
pub mod simulation;
pub mod snapshot;
pub mod synapses;
#[cfg(feature = "view")]
pub mod view;

/// What most programs need.
pub mod prelude {
    pub use crate::modulation::{Evaluation, ModulatorSpec, Release, Rewarder};
    pub use crate::network::connect::{ListEntry, Rule};
    pub use crate::network::distribution::Distribution;
    pub use crate::network::layout::Layout;
    pub use crate::network::stimulus::{Selection, StimulusKind, Window};
    pub use crate::neurons::adex::AdEx;
    pub use crate::neurons::adex_alpha::AdExAlpha;
    pub use crate::neurons::adex_clopath::AdExClopath;
    pub use crate::neurons::eif::Eif;
    pub use crate::neurons::hh_squid::HhSquid;
    pub use crate::neurons::hh_traub::HhTraub;
    pub use crate::neurons::hidden_patterns::HiddenPatterns;
    pub use crate::neurons::izhikevich::{Izhikevich, IzhikevichPreset, IzhikevichScheme};
    pub use crate::neurons::izhikevich2007::Izhikevich2007;
    pub use crate::neurons::lif_adaptive::LifAdaptive;
    pub use crate::neurons::lif_alpha::LifAlpha;
    pub use crate::neurons::lif_cond_alpha::LifCondAlpha;
    pub use crate::neurons::lif_cond_exp::LifCondExp;
    pub use crate::neurons::lif_delta::LifDelta;
    pub use crate::neurons::lif_exp::LifExp;
    pub use crate::neurons::lif_receptors::LifReceptors;
    pub use crate::neurons::mat2::Mat2;
    pub use crate::neurons::poisson_source::PoissonSource;
    pub use crate::neurons::relay::Relay;
    pub use crate::neurons::spike_source::SpikeSource;
    pub use crate::neurons::srm::{Srm, WinnersTakeAll};
    pub use crate::plasticity::bcm::Bcm;
    pub use crate::plasticity::budget::{Budget, BudgetOver, Normalisation};
    pub use crate::plasticity::clopath::Clopath;
    pub use crate::plasticity::convergent::ConvergentDecay;
    pub use crate::plasticity::dopamine::DopamineStdp;
    pub use crate::plasticity::homeostatic::HomeostaticScaling;
    pub use crate::plasticity::inhibitory::InhibitoryStdp;
    pub use crate::plasticity::intrinsic::IntrinsicPlasticity;
    pub use crate::plasticity::mstdp::{Mstdp, Mstdpet};
    pub use crate::plasticity::oja::Oja;
    pub use crate::plasticity::response::ResponseStdp;
    pub use crate::plasticity::settable::Settable;
    pub use crate::plasticity::slowing::{LearningRateDecay, RateForm};
    pub use crate::plasticity::stdp::{Dependence, Pairing, Stdp};
    pub use crate::plasticity::triplet::{Metaplasticity, TripletStdp};
    pub use crate::plasticity::{Coincidence, SendOrder};
    pub use crate::scene::build::{BuildError, BuildOptions};
    pub use crate::scene::schema::*;
    pub use crate::sim::clock::Pacing;
    pub use crate::sim::simd::SimdLevel;
    pub use crate::simulation::{Registry, Simulation};
    pub use crate::synapses::response::{Response, Responses};
    pub use crate::synapses::short_term::TsodyksMarkram;
    pub use bevy::prelude::default;
}
