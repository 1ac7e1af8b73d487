//! Intrinsic plasticity: a neuron changes its own excitability until it fires at a target rate.
//!
//! ```text
//! I' = A (r₀ − s)/(r₀ τ)      with s the neuron's spikes as a sum of Dirac pulses
//! ```
//!
//! and *I*, a current into the neuron, stays within its bounds: in a silent neuron it rises by A in the time τ, and each spike takes A/(r₀ τ) from it. Raising
//! a current by *I* is lowering the threshold by as much as *I* is worth.
//!
//! | symbol | field | default | unit |
//! |---|---|---|---|
//! | r₀ | `rate_hz` | 5 | Hz |
//! | τ | `tau_ms` | 10⁴ | ms |
//! | A | `amplitude` | 100 | pA, or the unit of the model's current |
//! | bounds | `low`, `high` | −500, 500 | as A |
//!
//! *I* starts at 0, or at the bound nearest to it. It is part of the column `drive`, with the currents of stimuli.
//!
//! *Integration.* Step by step in double precision, exactly, as spikes are known in steps; the current of a step follows from the spikes of
//! the steps before.
//!
//! *Not modelled.* Changes of slope (gain), of conductances or of the distribution of rates.
//!
//! *Source.* Lazar, Pipa & Triesch (2009), Front Comput Neurosci 3:23, doi:10.3389/neuro.10.023.2009, with a current in place of the threshold; Desai,
//! Rutherford & Turrigiano (1999), doi:10.1038/9165.
//!
//! *Scene.* `homeostasis`, `receptive_fields`.

use crate::network::region::Spikes;
use crate::sim::columns::{ColumnComponent, Drive};
use crate::sim::math::within;
use crate::sim::quantity::{Range, Unit};
use bevy::prelude::*;

/// Registers the type.
pub fn plugin(app: &mut App) {
    app.register_type::<IntrinsicPlasticity>();
}

/// How the neurons of a region change their excitability. See the [module](self).
#[derive(Component, Reflect, Clone, Debug, PartialEq)]
#[reflect(Default)]
pub struct IntrinsicPlasticity {
    /// The rate to which each neuron is brought.
    #[reflect(@Unit("Hz"), @Range::positive())]
    pub rate_hz: f64,
    /// The time in which the current of a silent neuron rises by `amplitude`.
    #[reflect(@Unit("ms"), @Range::positive())]
    pub tau_ms: f64,
    /// How far the current of a silent neuron rises in `tau_ms`, in the model's unit of current.
    #[reflect(@Range::positive())]
    pub amplitude: f64,
    /// The least current.
    #[reflect(@Range::between(-1e9, 1e9))]
    pub low: f64,
    /// The largest current.
    #[reflect(@Range::between(-1e9, 1e9))]
    pub high: f64,
}

impl Default for IntrinsicPlasticity {
    fn default() -> Self {
        Self {
            rate_hz: 5.0,
            tau_ms: 1e4,
            amplitude: 100.0,
            low: -500.0,
            high: 500.0,
        }
    }
}

impl IntrinsicPlasticity {
    /// What parameters forbid together.
    ///
    /// # Errors
    /// Names the field, and says what is allowed.
    pub fn check(&self, dt: f64) -> Result<(), (&'static str, String)> {
        if !(self.low < self.high) {
            let message = format!(
                "low is {} and high is {}; high must be above low",
                self.low, self.high
            );
            return Err(("high", message));
        }
        let most = 1e3 / dt;
        if self.rate_hz >= most {
            let message = format!(
                "{} Hz are a spike or more in each step of {dt} ms; allowed is less than {most} Hz",
                self.rate_hz
            );
            return Err(("rate_hz", message));
        }
        Ok(())
    }
}

/// The currents by which the neurons of a region keep to their rate.
#[derive(Component, Clone, Debug)]
pub struct IntrinsicCurrent {
    current: Vec<f64>,
    /// What a step adds.
    rise: f64,
    /// What a spike takes away.
    fall: f64,
    bounds: (f64, f64),
}

impl IntrinsicCurrent {
    /// The currents of `neurons` neurons at the start of a run with steps of `dt` ms.
    pub fn new(rule: &IntrinsicPlasticity, neurons: usize, dt: f64) -> Self {
        Self {
            current: vec![0.0f64.clamp(rule.low, rule.high); neurons],
            rise: rule.amplitude * dt / rule.tau_ms,
            fall: rule.amplitude / (rule.rate_hz * 1e-3 * rule.tau_ms),
            bounds: (rule.low, rule.high),
        }
    }

    /// The currents, one per neuron.
    pub fn values(&self) -> &[f64] {
        &self.current
    }

    /// Takes the currents of a snapshot; false if they do not fit.
    pub fn load(&mut self, values: &[f64]) -> bool {
        let fits = values.len() == self.current.len() && values.iter().all(|v| v.is_finite());
        if fits {
            let clamped = |v: &f64| v.clamp(self.bounds.0, self.bounds.1);
            self.current = values.iter().map(clamped).collect();
        }
        fits
    }

    /// A step ends in which these neurons spiked.
    fn advance(&mut self, spikes: &[u32]) {
        for &neuron in spikes {
            self.current[neuron as usize] -= self.fall;
        }
        let (rise, (low, high)) = (self.rise, self.bounds);
        for current in &mut self.current {
            *current = within(*current + rise, [low, high]);
        }
    }
}

/// The system of `Encode`, after stimulus currents: adds to the `drive` columns.
pub fn drive(mut regions: Query<(&IntrinsicCurrent, &mut Drive)>) {
    for (intrinsic, mut drive) in &mut regions {
        let values = drive.column_mut().as_mut_slice();
        for (value, current) in values.iter_mut().zip(&intrinsic.current) {
            *value += *current as f32;
        }
    }
}

/// The system of `Learn`: currents follow the spikes of the step.
pub fn adapt(mut regions: Query<(&Spikes, &mut IntrinsicCurrent)>) {
    for (spikes, mut intrinsic) in &mut regions {
        intrinsic.advance(&spikes.list);
    }
}
