//! Weights that are set from outside: they stay as they are until [`Simulation::set_weights`](crate::simulation::Simulation::set_weights)
//! changes them while the network runs, as when a memory is stored by hand.
//!
//! ```text
//! w' = 0,   w_min ≤ w ≤ w_max
//! ```
//!
//! | symbol | field | default | unit |
//! |---|---|---|---|
//! | bounds | `w_min`, `w_max` | 0, 1 | receptor's |
//!
//! Weights of a projection without any rule cannot be set: they are packed into 16 bits. Beside a learning rule this one is of no use, since that
//! has bounds of its own.
//!
//! *Integration.* None; a synapse costs what transmission costs.
//!
//! *Source.* None; weights were raised so by Vogels et al. (2011), doi:10.1126/science.1211095, figure 4.

use super::upkeep::{Care, RegisterUpkeep, Setting, Upkeep};
use super::{WEIGHT, check_bounds};
use bevy::prelude::*;

/// Registers the rule.
pub fn plugin(app: &mut App) {
    app.register_upkeep::<Settable>();
}

/// Weights that are set from outside. See the [module](self).
#[derive(Component, Reflect, Clone, Debug, PartialEq)]
#[reflect(Default)]
pub struct Settable {
    /// The least weight that can be set; magnitudes where all weights are inhibitory.
    #[reflect(@WEIGHT)]
    pub w_min: f64,
    /// The largest weight that can be set.
    #[reflect(@WEIGHT)]
    pub w_max: f64,
}

impl Default for Settable {
    fn default() -> Self {
        Self {
            w_min: 0.0,
            w_max: 1.0,
        }
    }
}

impl Upkeep for Settable {
    fn sees_to(&self) -> &'static str {
        "the bounds of weights that are set"
    }

    fn reach(&self, (low, high): (f64, f64)) -> Result<(f64, f64), String> {
        if low < self.w_min || high > self.w_max {
            return Err(format!(
                "w_min is {} and w_max is {}, but initial weights go from {low} to {high}; change the bounds or the weights",
                self.w_min, self.w_max
            ));
        }
        Ok((self.w_min, self.w_max))
    }

    fn check(&self, _setting: &Setting) -> Result<(), String> {
        check_bounds(self.w_min, self.w_max)
    }

    fn derive(&self, _setting: &Setting) -> Care {
        Care::Nothing
    }
}
