//! Neuromodulators and reward signals: one number for a whole network that acts on learning, and on neurons and synapses
//! ([`effects`]).
//!
//! A modulator is either a *pool* or a *signal of impulses*. A pool holds a concentration n: spikes of the populations that release it, each
//! after a delay, and rewards raise it, and it decays,
//!
//! ```text
//! n' = −n/τ + Σ amount · δ(t − t_spike − delay)          what acts is n − baseline
//! ```
//!
//! With a [response](crate::synapses::response) a spike does not add its amount at once, but amount · ∫ κ dt in each step.
//!
//! A signal of impulses (no τ) acts at the moments of its rewards only, with their size, so that the step does not matter.
//!
//! Pools are filled by spiking populations ([`Release`]), by rewarders ([`Rewarder`]) and by hand
//! ([`Simulation::reward`](crate::simulation::Simulation::reward)).
//!
//! What [`evaluation`](ModulatorSpec::evaluation) makes of a reward:
//!
//! | variant | acts |
//! |---|---|
//! | `Reward` | R as it is |
//! | `Surprise(rewards)` | R − ⟨R⟩, with the mean over about so many rewards |
//! | `TemporalDifference(…)` | δ = R + V' − V/τ_r, with the value V that a critic population signals by its rate |
//!
//! The value is a sum of exponentials from spike to spike, and what its prediction does to eligibility in a step is integrated exactly.
//!
//! What pools and signals do over time is kept by [probes](probe) and drawn by the app's traces.
//!
//! *Source.* Izhikevich (2007), doi:10.1093/cercor/bhl152 (dopamine); Frémaux & Gerstner (2016), doi:10.3389/fncir.2015.00085 (R, R − ⟨R⟩,
//! TD); Frémaux, Sprekeler & Gerstner (2013), doi:10.1371/journal.pcbi.1003024, eqs 12–20 (TD in continuous time).
//!
//! *Scene.* `dopamine`: R − ⟨R⟩ as a pool, dopamine that neurons release, serotonin and acetylcholine.

pub mod effects;
mod pool;
pub mod probe;
mod rewarder;

pub use effects::Effect;
pub use pool::{Critic, Decaying, Modulator, ModulatorError, Signal, Source, advance_modulators};
pub use rewarder::{Coincidences, watch_coincidences};

use crate::network::stimulus::Selection;
use crate::sim::quantity::{Range, Unit};
use crate::synapses::response::Response;
use bevy::prelude::*;

/// Registers the types of this folder.
pub fn plugin(app: &mut App) {
    app.register_type::<ModulatorSpec>()
        .register_type::<Release>()
        .register_type::<Effect>()
        .register_type::<Rewarder>()
        .register_type::<Evaluation>();
}

/// A modulator as a scene describes it. See the [module](self).
#[derive(Reflect, Clone, Debug, PartialEq)]
pub struct ModulatorSpec {
    /// Its name, by which rules refer to it.
    pub name: String,
    /// The time constant with which a pool decays; without one, rewards act as impulses.
    #[reflect(default, @Unit("ms"), @Range::positive())]
    pub tau_ms: Option<f64>,
    /// The concentration at the start.
    #[reflect(default, @Range::finite())]
    pub initial: f64,
    /// The concentration that has no effect.
    #[reflect(default, @Range::finite())]
    pub baseline: f64,
    /// The populations whose spikes release it.
    #[reflect(default)]
    pub released_by: Vec<Release>,
    /// What else gives rewards.
    #[reflect(default)]
    pub rewards: Vec<Rewarder>,
    /// What is made of a reward.
    #[reflect(default)]
    pub evaluation: Evaluation,
    /// What a pool acts on besides the learning rules that name it.
    #[reflect(default)]
    pub effects: Vec<Effect>,
}

impl Default for ModulatorSpec {
    fn default() -> Self {
        Self {
            name: String::new(),
            tau_ms: None,
            initial: 0.0,
            baseline: 0.0,
            released_by: Vec::new(),
            rewards: Vec::new(),
            evaluation: Evaluation::Reward,
            effects: Vec::new(),
        }
    }
}

/// A population whose spikes release a modulator.
#[derive(Reflect, Clone, Debug, Default, PartialEq)]
pub struct Release {
    /// The region.
    pub from: String,
    /// Which of its neurons.
    #[reflect(default)]
    pub neurons: Selection,
    /// What one spike adds.
    #[reflect(@Range::finite())]
    pub amount: f64,
    /// How long a spike takes.
    #[reflect(default, @Unit("ms"), @Range::non_negative())]
    pub delay_ms: f64,
    /// What a spike turns into over time; without any, it acts at once.
    #[reflect(default)]
    pub response: Vec<Response>,
}

/// What gives rewards by itself.
#[derive(Reflect, Clone, Debug, PartialEq)]
pub enum Rewarder {
    /// At given times.
    Schedule {
        /// The times.
        #[reflect(@Unit("ms"), @Range::non_negative())]
        times_ms: Vec<f64>,
        /// The size of each reward.
        #[reflect(@Range::finite())]
        amount: f64,
    },
    /// Some time after one neuron has fired soon after another.
    Coincidence {
        /// The region of both neurons.
        region: String,
        /// The neuron that fires first.
        first: u32,
        /// The neuron that fires second.
        second: u32,
        /// How soon.
        #[reflect(@Unit("ms"), @Range::positive())]
        within_ms: f64,
        /// The shortest delay of the reward.
        #[reflect(@Unit("ms"), @Range::non_negative())]
        delay_min_ms: f64,
        /// The longest; delays are drawn evenly.
        #[reflect(@Unit("ms"), @Range::non_negative())]
        delay_max_ms: f64,
        /// The size of a reward.
        #[reflect(@Range::finite())]
        amount: f64,
    },
}

/// What is made of a reward before it acts. See the [module](self).
#[derive(Reflect, Clone, Debug, Default, PartialEq)]
#[reflect(Default)]
pub enum Evaluation {
    /// The reward itself.
    #[default]
    Reward,
    /// The reward less the mean of earlier ones.
    Surprise {
        /// About how many rewards the mean goes back.
        #[reflect(@Range::at_least(1.0))]
        rewards: f64,
    },
    /// The error of a prediction of reward by a critic population.
    TemporalDifference {
        /// The region that is the critic.
        critic: String,
        /// The value that its mean rate of 1 Hz stands for.
        #[reflect(@Range::finite())]
        value_per_hz: f64,
        /// The value at silence.
        #[reflect(@Range::finite())]
        value_at_rest: f64,
        /// The time constant over which future rewards are discounted.
        #[reflect(@Unit("ms"), @Range::positive())]
        tau_reward_ms: f64,
        /// The decay time of the kernel that makes a rate of spikes.
        #[reflect(@Unit("ms"), @Range::positive())]
        tau_rate_ms: f64,
        /// The rise time of that kernel, shorter.
        #[reflect(@Unit("ms"), @Range::positive())]
        tau_rise_ms: f64,
    },
}
