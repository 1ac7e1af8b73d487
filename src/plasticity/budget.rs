//! A budget of weights: now and then the weights of each target neuron, of each source neuron or of the whole projection are changed so that they
//! sum to a given value.
//!
//! ```text
//! Multiplicative:  w → f w        Subtractive:  w → w + δ         with f or δ such that Σ w = total
//! ```
//!
//! A weight that would leave its bounds stops at the bound, and the others make up for it; *f* or δ is the one with which they do. Where the bounds
//! allow no such sum, because there are few synapses, all weights stop at the bound. Weights that are all 0 cannot be multiplied and stay.
//!
//! | symbol | field | default | unit |
//! |---|---|---|---|
//! | total | `total` | 78 | receptor's |
//! | | `over` | `Targets` | |
//! | | `how` | `Multiplicative` | |
//! | | `every_ms` | 500 | ms |
//!
//! The defaults are Diehl and Cook's: each target neuron has 78 in all, seen to after each image. Without a learning rule beside it weights
//! lie between 0 and `total`.
//!
//! *Integration.* All synapses are brought up to date, then summed as integers; the sum is met to 10⁻⁶ of its value. With `every_ms` of one step it is
//! kept all the time, at the price of all synapses in every step.
//!
//! *Not modelled.* Negative weights, unless all are inhibitory: then magnitudes are meant.
//!
//! *Source.* Multiplicative: Diehl & Cook (2015), Front Comput Neurosci 9:99, doi:10.3389/fncom.2015.00099; von der Malsburg (1973),
//! doi:10.1007/BF00288907. Subtractive, and how they differ: Miller & MacKay (1994), doi:10.1162/neco.1994.6.1.100.
//!
//! *Scene.* `receptive_fields`.

use super::tend::{Over, Tended};
use super::upkeep::{Care, Keeper, RegisterUpkeep, Setting, Upkeep, check_period};
use crate::sim::clock::to_steps;
use crate::sim::quantity::{Range, Unit};
use bevy::prelude::*;
use core::sync::atomic::AtomicI64;

/// Registers the rule.
pub fn plugin(app: &mut App) {
    app.register_upkeep::<Budget>();
}

/// A sum that weights are kept to. See the [module](self).
#[derive(Component, Reflect, Clone, Debug, PartialEq)]
#[reflect(Default)]
pub struct Budget {
    /// What the weights sum to.
    #[reflect(@Range::positive())]
    pub total: f64,
    /// Which weights.
    pub over: BudgetOver,
    /// How they are changed.
    pub how: Normalisation,
    /// The time from one change to the next.
    #[reflect(@Unit("ms"), @Range::positive())]
    pub every_ms: f64,
}

/// Which weights are summed.
#[derive(Reflect, Clone, Copy, Debug, Default, PartialEq, Eq)]
#[reflect(Default)]
pub enum BudgetOver {
    /// Those of each target neuron.
    #[default]
    Targets,
    /// Those of each source neuron.
    Sources,
    /// All of the projection.
    Projection,
}

/// How weights are changed to meet a sum.
#[derive(Reflect, Clone, Copy, Debug, Default, PartialEq, Eq)]
#[reflect(Default)]
pub enum Normalisation {
    /// By one factor for all.
    #[default]
    Multiplicative,
    /// By one amount for all.
    Subtractive,
}

impl Default for Budget {
    fn default() -> Self {
        Self {
            total: 78.0,
            over: BudgetOver::Targets,
            how: Normalisation::Multiplicative,
            every_ms: 500.0,
        }
    }
}

impl Upkeep for Budget {
    fn sees_to(&self) -> &'static str {
        match self.over {
            BudgetOver::Targets => "the sum of the weights of each target neuron",
            BudgetOver::Sources => "the sum of the weights of each source neuron",
            BudgetOver::Projection => "the sum of all weights",
        }
    }

    fn reach(&self, (low, high): (f64, f64)) -> Result<(f64, f64), String> {
        Ok((low.min(0.0), high.max(self.total)))
    }

    fn check(&self, setting: &Setting) -> Result<(), String> {
        check_period(self.every_ms, setting.dt)?;
        let (low, high) = setting.bounds;
        if low < 0.0 {
            return Err(format!(
                "weights go down to {low}; a budget is of weights of 0 or more: set w_min to 0 or more, or give weights of one sign"
            ));
        }
        let (most, whose) = match self.over {
            BudgetOver::Targets => (setting.most_per_target, "a target neuron"),
            BudgetOver::Sources | BudgetOver::Projection => (setting.synapses, "the projection"),
        };
        if most > 0.0 && self.total > high * most {
            return Err(format!(
                "total is {}, but the {most} synapses that {whose} has at most reach {} with the largest weight, {high}; lower total or raise w_max",
                self.total,
                high * most
            ));
        }
        Ok(())
    }

    fn derive(&self, setting: &Setting) -> Care {
        Care::Periodic {
            every: to_steps(self.every_ms, setting.dt).max(1),
            keeper: Box::new(BudgetKeeper {
                total: self.total,
                how: self.how,
                over: match self.over {
                    BudgetOver::Targets => Over::Targets,
                    BudgetOver::Sources => Over::Sources,
                    BudgetOver::Projection => Over::All,
                },
                by: Vec::new(),
                sums: Vec::new(),
            }),
        }
    }
}

/// [`Budget`] at work.
struct BudgetKeeper {
    total: f64,
    how: Normalisation,
    over: Over,
    /// The factor or amount of each sum.
    by: Vec<f64>,
    /// What is free to move, in quanta; how many weights that is; and how many stop at the least and at the largest weight.
    sums: Vec<[AtomicI64; 4]>,
}

/// Each round stops more weights at a bound, most of them in the first.
const MOST_ROUNDS: usize = 64;

impl Keeper for BudgetKeeper {
    fn act(&mut self, _now: u64, weights: &mut Tended<'_>) {
        let how = self.how;
        let (low, high) = weights.bounds();
        let largest = weights.largest();
        // Below 2³² each, so that 2³¹ of them can be summed.
        let scale = libm::exp2(31.0 - libm::floor(libm::log2(f64::from(largest.max(1e-30)))));
        let moved = |weight: f32, by: f64| match how {
            Normalisation::Multiplicative => f64::from(weight) * by,
            Normalisation::Subtractive => f64::from(weight) + by,
        };
        let (low, high) = (f64::from(low), f64::from(high));
        let none = match how {
            Normalisation::Multiplicative => 1.0,
            Normalisation::Subtractive => 0.0,
        };
        // At first nothing stops at a bound.
        let Self { by, sums, .. } = self;
        by.clear();
        by.resize(weights.count(self.over), f64::NAN);
        for _ in 0..MOST_ROUNDS {
            weights.sum(self.over, sums, |index, weight| {
                let to = moved(weight, by[index]);
                if to > high {
                    [0, 0, 0, 1]
                } else if to < low {
                    [0, 0, 1, 0]
                } else {
                    [libm::rint(f64::from(weight) * scale) as i64, 1, 0, 0]
                }
            });
            let mut settled = true;
            for (by, sums) in by.iter_mut().zip(&mut *sums) {
                let [free, count, at_low, at_high] = sums.each_mut().map(|sum| *sum.get_mut());
                let left = self.total - at_low as f64 * low - at_high as f64 * high;
                let free = free as f64 / scale;
                let next = match how {
                    Normalisation::Multiplicative if free > 0.0 => left / free,
                    Normalisation::Subtractive if count > 0 => (left - free) / count as f64,
                    _ if by.is_nan() => none,
                    _ => *by,
                };
                settled &= next == *by;
                *by = next;
            }
            if settled {
                break;
            }
        }
        weights.change(self.over, |index, weight| moved(weight, by[index]) as f32);
    }
}
