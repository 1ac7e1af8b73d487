//! Time and order. Knows no science.
//!
//! # The timing contract
//!
//! A simulation advances in steps of `dt`. Step *k* covers the time from *k*·dt to (*k* + 1)·dt. One run of the
//! [`SimStep`] schedule is one step; its [`SimSystems`] sets run in a fixed order, one after another:
//!
//! * input that is due in step *k* is summed by `Deliver` and consumed by `Integrate` in the same step;
//! * a spike that `Integrate` detects in step *k* is stamped (*k* + 1)·dt, the end of the step;
//! * it acts on its target in step *k* + *d*, where *d* ≥ 1 is the synapse's delay in steps, with the synapses and
//!   weights that existed when it was emitted;
//! * how input enters is the model's business, but all models agree with NEST: a current or conductance that
//!   arrives in step *k* is there at the end of that step and moves the membrane from the next step on, a delta
//!   input moves the membrane at the end of step *k* itself;
//! * a refractory period of *r* ms holds the membrane for the round(*r*/dt) steps that follow the spike, and delta
//!   input that arrives in them is lost.
//!
//! Because *d* ≥ 1, regions are independent of each other within a step. That is what lets any number of
//! threads, ranks or devices work on one step and agree bit for bit.
//!
//! # Threads
//!
//! `SimStep` runs on the single-threaded executor, where ten systems cost a fraction of a microsecond, and an
//! ambiguous order between two systems is an error. Parallelism lives inside the heavy systems: see
//! [`workers`].

pub mod clock;
pub mod columns;
pub mod kernel;
pub mod math;
pub mod prefetch;
pub mod quantity;
pub mod rng;
pub mod simd;
pub mod workers;

use bevy::ecs::schedule::{LogLevel, ScheduleBuildSettings, ScheduleLabel, SingleThreadedExecutor};
use bevy::prelude::*;

/// The schedule of one simulation step.
#[derive(ScheduleLabel, Clone, Debug, PartialEq, Eq, Hash)]
pub struct SimStep;

/// The stages of one step, in the order in which they run.
#[derive(SystemSet, Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SimSystems {
    /// Advances the step counter.
    First,
    /// Stimuli write currents and listed input spikes, and say what Poisson input there is; rules learn what their modulators do.
    Encode,
    /// Spikes whose delay is over are summed into the input of this step; synapses with an axonal delay only learn from them. What takes time
    /// to respond is added last.
    Deliver,
    /// Input moves every neuron's state by one step; spikes are found.
    Integrate,
    /// Spikes are listed, hashed, kept for delivery, and sent along synapses that push; synapses with a dendritic delay learn from them.
    Propagate,
    /// Pre- and postsynaptic traces follow the spikes.
    Trace,
    /// Output spikes become actions and outcomes.
    Behave,
    /// Outcomes and modulatory spikes move neuromodulator levels.
    Modulate,
    /// Modulated and periodic learning rules change weights.
    Learn,
    /// Structure changes.
    Grow,
    /// Probes take what they asked for.
    Record,
    /// Values are checked to be finite, every now and then.
    Last,
}

impl SimSystems {
    /// Every stage, in order.
    pub const ALL: [SimSystems; 12] = [
        Self::First,
        Self::Encode,
        Self::Deliver,
        Self::Integrate,
        Self::Propagate,
        Self::Trace,
        Self::Behave,
        Self::Modulate,
        Self::Learn,
        Self::Grow,
        Self::Record,
        Self::Last,
    ];

    /// What the stage reads and what it writes, for `neuropil schedule`.
    pub fn contract(self) -> &'static str {
        match self {
            Self::First => "advance the step counter",
            Self::Encode => "stimuli → drive, input spikes, background; modulators → rules",
            Self::Deliver => "due spikes × synapses → synaptic input, weights",
            Self::Integrate => "synaptic input + background + drive → state columns, spikes",
            Self::Propagate => "spikes → lists, hash, histories; future input, weights",
            Self::Trace => "spikes → pre- and postsynaptic traces, eligibility",
            Self::Behave => "output spikes → action, outcome",
            Self::Modulate => "outcome, modulatory spikes → neuromodulator levels",
            Self::Learn => "eligibility × modulator, homeostasis, budgets → weights",
            Self::Grow => "structure",
            Self::Record => "fill the probes that exist",
            Self::Last => "every 1000 steps: are all values finite?",
        }
    }
}

/// An empty [`SimStep`] schedule: the chained sets, the single-threaded executor, ambiguity an error.
pub fn step_schedule() -> Schedule {
    let mut schedule = Schedule::new(SimStep);
    schedule.set_executor(SingleThreadedExecutor::new());
    schedule.set_build_settings(ScheduleBuildSettings {
        ambiguity_detection: LogLevel::Error,
        auto_insert_apply_deferred: false,
        ..default()
    });
    let [a, b, c, d, e, f, g, h, i, j, k, l] = SimSystems::ALL;
    schedule.configure_sets((a, b, c, d, e, f, g, h, i, j, k, l).chain());
    schedule
}
