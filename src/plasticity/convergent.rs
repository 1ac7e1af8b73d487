//! Decay of weights towards a value, whether spikes arrive or not.
//!
//! ```text
//! w' = −(w − w∞)/τ
//! ```
//!
//! | symbol | field | default | unit |
//! |---|---|---|---|
//! | w∞ | `w_rest` | 0 | receptor's |
//! | τ | `tau_ms` | 10⁶ | ms |
//!
//! *Integration.* Exactly, from event to event: the decay goes on all the time, and a spike is sent with the weight of its moment. Beside a rule that
//! changes weights between spikes (a modulated one) the changes of an interval without spikes come before its decay.
//!
//! *Not modelled.* Values that differ between synapses.
//!
//! *Source.* The term without spikes of a general Hebbian rule: Gerstner & Kistler (2002), Biol Cybern 87:404, doi:10.1007/s00422-002-0353-y.

use super::WEIGHT;
use super::decay::Loss;
use super::upkeep::{Care, Fade, RegisterUpkeep, Setting, Upkeep};
use crate::sim::quantity::{Range, Unit};
use bevy::prelude::*;

/// Registers the rule.
pub fn plugin(app: &mut App) {
    app.register_upkeep::<ConvergentDecay>();
}

/// Decay of weights towards a value. See the [module](self).
#[derive(Component, Reflect, Clone, Debug, PartialEq)]
#[reflect(Default)]
pub struct ConvergentDecay {
    /// The value to which weights decay; a magnitude where all weights are inhibitory.
    #[reflect(@WEIGHT)]
    pub w_rest: f64,
    /// Time constant.
    #[reflect(@Unit("ms"), @Range::positive())]
    pub tau_ms: f64,
}

impl Default for ConvergentDecay {
    fn default() -> Self {
        Self {
            w_rest: 0.0,
            tau_ms: 1e6,
        }
    }
}

impl Upkeep for ConvergentDecay {
    fn sees_to(&self) -> &'static str {
        "the decay of weights"
    }

    fn reach(&self, (low, high): (f64, f64)) -> Result<(f64, f64), String> {
        Ok((low.min(self.w_rest), high.max(self.w_rest)))
    }

    fn check(&self, setting: &Setting) -> Result<(), String> {
        let (low, high) = setting.bounds;
        if (low..=high).contains(&self.w_rest) {
            return Ok(());
        }
        Err(format!(
            "w_rest is {}, but weights are from {low} to {high}; choose a w_rest between these bounds",
            self.w_rest
        ))
    }

    fn derive(&self, setting: &Setting) -> Care {
        Care::Fade(Fade {
            loss: Loss::new(self.tau_ms, setting.tick_ms()),
            value: self.w_rest as f32,
        })
    }
}
