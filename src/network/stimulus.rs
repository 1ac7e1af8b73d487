//! Stimuli: what reaches a region from outside.
//!
//! Currents are summed into the region's `drive` column in `Encode`, in the order of the scene. Poisson input and listed input
//! spikes are added, in fixed point, to the same slots as synaptic input. Clamps act on the spikes that `Integrate` found. Every
//! stimulus is an entity with one [`Stimulus`]; it points at its region and never attaches to it.

mod currents;
mod poisson;
mod selection;
mod spikes;

pub use currents::{Course, Noise, drive_currents};
pub use poisson::{Background, BackgroundInput, PoissonCounts, background_input};
pub use selection::Selection;
pub use spikes::{clamp_spikes, input_spikes};

use super::distribution::Distribution;
use crate::sim::clock::to_steps;
use crate::sim::columns::Column;
use crate::sim::quantity::{Range, Unit};
use bevy::prelude::*;
use std::sync::Arc;

/// When a stimulus acts.
#[derive(Reflect, Clone, Debug, PartialEq)]
#[reflect(Default)]
pub struct Window {
    /// From this time on.
    #[reflect(@Unit("ms"), @Range::non_negative())]
    pub start_ms: f64,
    /// Until just before this time; without it, to the end.
    #[reflect(@Unit("ms"), @Range::non_negative())]
    pub stop_ms: Option<f64>,
}

impl Default for Window {
    fn default() -> Self {
        Self {
            start_ms: 0.0,
            stop_ms: None,
        }
    }
}

/// What a stimulus does. Currents are in the model's current unit (pA, or none for Izhikevich 2003).
#[derive(Reflect, Clone, Debug, PartialEq)]
pub enum StimulusKind {
    /// A constant current, one number or one per neuron.
    Direct {
        /// The current.
        #[reflect(@Range::finite())]
        amplitude: Distribution,
    },
    /// A rectangular current that is on from the window's start to its stop: the same as `Direct`, by its usual name.
    Step {
        /// The current.
        #[reflect(@Range::finite())]
        amplitude: Distribution,
    },
    /// offset + amplitude · sin(2π f t + phase).
    Alternating {
        /// The amplitude.
        #[reflect(@Range::finite())]
        amplitude: f64,
        /// The mean.
        #[reflect(@Range::finite())]
        offset: f64,
        /// The frequency.
        #[reflect(@Unit("Hz"), @Range::non_negative())]
        frequency_hz: f64,
        /// The phase at t = 0.
        #[reflect(@Unit("degrees"), @Range::finite())]
        phase_deg: f64,
    },
    /// A linear ramp over the window, from one current to another.
    Ramp {
        /// The current at the window's start.
        #[reflect(@Range::finite())]
        from: f64,
        /// The current at the window's stop.
        #[reflect(@Range::finite())]
        to: f64,
    },
    /// Gaussian or uniform noise, independent for each neuron, a new value every `interval_ms`.
    Noise {
        /// The mean.
        #[reflect(@Range::finite())]
        mean: f64,
        /// The standard deviation.
        #[reflect(@Range::non_negative())]
        sd: f64,
        /// How long a value lasts; 0 for one step.
        #[reflect(@Unit("ms"), @Range::non_negative())]
        interval_ms: f64,
        /// Whether values are spread evenly, mean ± √3 sd, rather than normally.
        #[reflect(default)]
        uniform: bool,
    },
    /// One current per neuron from a CSV file with columns `neuron` and `current`.
    CurrentFile(String),
    /// A current that changes at listed times: (time in ms, current), each lasting until the next.
    Schedule(Vec<(f64, f64)>),
    /// Independent Poisson input spikes to each neuron.
    Poisson {
        /// The rate of the input of one neuron (the sum over its sources).
        #[reflect(@Unit("Hz"), @Range::non_negative())]
        rate_hz: Distribution,
        /// The weight of an input spike, in the receptor's unit; one number or one per neuron.
        #[reflect(@Range::finite())]
        weight: Distribution,
        /// The delay.
        #[reflect(@Unit("ms"), @Range::non_negative())]
        delay_ms: f64,
        /// The receptor; without it the first, or the second for negative weights.
        receptor: Option<String>,
    },
    /// Input spikes at listed times to each selected neuron.
    InputSpikes {
        /// The times at which the spikes are emitted.
        #[reflect(@Unit("ms"), @Range::non_negative())]
        times_ms: Vec<f64>,
        /// The weight, in the receptor's unit.
        #[reflect(@Range::finite())]
        weight: f64,
        /// The delay.
        #[reflect(@Unit("ms"), @Range::non_negative())]
        delay_ms: f64,
        /// The receptor; without it the first, or the second for negative weights.
        receptor: Option<String>,
    },
    /// The selected neurons spike at these times, whatever their membrane does.
    Spike {
        /// The times: a spike carries the stamp nearest to each.
        #[reflect(@Unit("ms"), @Range::non_negative())]
        times_ms: Vec<f64>,
    },
    /// The selected neurons do not spike in the window.
    Silence,
}

/// A stimulus as it runs: kind, region, neurons and window in steps.
#[derive(Component, Clone, Debug)]
pub struct Stimulus {
    /// Its place in the scene; the order in which currents are summed.
    pub order: u32,
    /// The hash of its name.
    pub key: u64,
    /// The region.
    pub region: Entity,
    /// What it does, ready to run.
    pub action: Action,
    /// The first step in which it acts.
    pub start: u64,
    /// The first step in which it no longer acts.
    pub stop: u64,
}

/// A stimulus's kind with everything derived that a step needs.
#[derive(Clone, Debug)]
pub enum Action {
    /// One current per neuron.
    Currents(Column<f32>),
    /// A time course that all selected neurons share; the column holds 1 for them, else 0.
    Course(Course, Column<f32>),
    /// Noise, and the selected neurons as above.
    Noise(Noise, Column<f32>),
    /// Background input.
    Poisson(Arc<Background>),
    /// Input spikes: due steps (ascending), receptor, quanta per neuron.
    InputSpikes(Vec<u64>, usize, Column<i32>),
    /// Forced spikes: steps (ascending) and a mask.
    Spike(Vec<u64>, Vec<u64>),
    /// Silenced neurons: a mask.
    Silence(Vec<u64>),
}

/// The stimuli by what they do, each list in the order of the scene.
#[derive(Resource, Clone, Debug, Default)]
pub struct StimulusOrder {
    /// Regions with a `drive` column.
    pub driven: Vec<Entity>,
    /// Stimuli that are currents.
    pub currents: Vec<Entity>,
    /// Poisson inputs.
    pub backgrounds: Vec<Entity>,
    /// Stimuli that are listed input spikes.
    pub inputs: Vec<Entity>,
    /// Stimuli that force or forbid spikes.
    pub clamps: Vec<Entity>,
}

/// The steps of a window.
pub fn window_steps(window: &Window, dt_ms: f64) -> (u64, u64) {
    (
        to_steps(window.start_ms, dt_ms),
        window
            .stop_ms
            .map_or(u64::MAX, |stop| to_steps(stop, dt_ms)),
    )
}
