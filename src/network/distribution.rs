//! Distributions of weights, delays, parameters and initial values.
//!
//! A truncated distribution is the distribution that one gets by *redrawing* values outside its bounds; nothing is
//! ever clipped to a bound. It is not drawn that way: a uniform number is mapped onto the range of quantiles that
//! the bounds leave, which gives the same distribution with exactly one draw, however narrow the bounds.
//!
//! | variant | density before truncation | fields |
//! |---|---|---|
//! | [`Constant`](Distribution::Constant) | all mass in one value | the value |
//! | [`Uniform`](Distribution::Uniform) | 1/(max − min) | `min`, `max` |
//! | [`Normal`](Distribution::Normal) | exp(−(x − mean)²/2sd²)/(sd √2π) | `mean`, `sd`, optional bounds |
//! | [`LogNormal`](Distribution::LogNormal) | ln x is normal with mean `mu` and sd `sigma` | `mu`, `sigma`, optional bounds |
//! | [`Exponential`](Distribution::Exponential) | exp(−x/mean)/mean, x ≥ 0 | `mean`, optional bounds |
//! | [`Shared`](Distribution::Shared) | that of offset + scale · r^power, r uniform | `group`, `offset`, `scale`, `power` |
//!
//! [`Shared`](Distribution::Shared) exists for families in which several parameters of a neuron follow one random
//! number: Izhikevich (2003, doi:10.1109/TNN.2003.820440) draws c = −65 + 15 r² and d = 8 − 6 r² with the *same* r for
//! each excitatory neuron. Fields that name the same `group` get the same r.
//!
//! There are two ways to draw. [`Distribution::sample`] evaluates the quantile function afresh (about 100 ns) and suits
//! per-neuron values. [`Sampler`] tabulates it once (under a millisecond) and then takes about 3 ns per draw, for
//! synapses; its relative error is about 10⁻⁵. Both use `libm` only, so every machine gets the same values.

mod normal;
mod sampler;

pub use sampler::Sampler;

use crate::sim::rng::{Draws, Random};
use bevy::reflect::Reflect;
use normal::{density, lower_tail, quantile, upper_tail};

/// The smallest fraction of draws that bounds may leave.
pub const LEAST_ACCEPTANCE: f64 = 1e-6;

/// A distribution of one number. The unit is that of the field it stands for.
#[derive(Reflect, Clone, Debug, PartialEq)]
pub enum Distribution {
    /// Always this value.
    Constant(f64),
    /// Evenly between two values, the upper one excluded.
    Uniform {
        /// The least value.
        min: f64,
        /// The end of the range.
        max: f64,
    },
    /// Gaussian, redrawn outside the bounds.
    Normal {
        /// Mean before truncation.
        mean: f64,
        /// Standard deviation before truncation; 0 gives the mean always.
        sd: f64,
        /// Values below are redrawn.
        #[reflect(default)]
        min: Option<f64>,
        /// Values above are redrawn.
        #[reflect(default)]
        max: Option<f64>,
    },
    /// The exponential of a Gaussian, redrawn outside the bounds.
    LogNormal {
        /// Mean of the logarithm.
        mu: f64,
        /// Standard deviation of the logarithm; 0 gives exp(mu) always.
        sigma: f64,
        /// Values below are redrawn.
        #[reflect(default)]
        min: Option<f64>,
        /// Values above are redrawn.
        #[reflect(default)]
        max: Option<f64>,
    },
    /// Exponentially decaying from 0, redrawn outside the bounds.
    Exponential {
        /// Mean before truncation, more than 0.
        mean: f64,
        /// Values below are redrawn.
        #[reflect(default)]
        min: Option<f64>,
        /// Values above are redrawn.
        #[reflect(default)]
        max: Option<f64>,
    },
    /// offset + scale · r^power with r uniform in (0, 1), the same r for every field that names the same group.
    Shared {
        /// Which shared number.
        #[reflect(default)]
        group: u32,
        /// The value at r = 0.
        offset: f64,
        /// The difference between the values at r = 1 and r = 0.
        scale: f64,
        /// The exponent of r, more than 0.
        power: f64,
    },
}

impl Default for Distribution {
    fn default() -> Self {
        Self::Constant(0.0)
    }
}

impl From<f64> for Distribution {
    fn from(value: f64) -> Self {
        Self::Constant(value)
    }
}

/// The number r of [`Distribution::Shared`] for `neuron` and `group`. `random` must be the same for all the fields that
/// are to share, so its entity key must not have a field's name mixed into it.
pub fn shared_unit(random: &Random, neuron: u64, group: u32) -> f64 {
    let [a, b, ..] = random.block(neuron, u64::from(group) | 1 << 63);
    let bits = (u64::from(a) << 32 | u64::from(b)) >> 12;
    (bits as f64 + 0.5) * (1.0 / (1u64 << 52) as f64)
}

/// What bounds leave of the standard normal distribution: the tails they cut off and the fraction between.
struct Cut {
    below: f64,
    above: f64,
    left: f64,
}

/// A quantile function with its constants worked out.
enum Quantiles {
    Constant(f64),
    Uniform {
        min: f64,
        max: f64,
    },
    Normal {
        mean: f64,
        sd: f64,
        cut: Cut,
        bounds: (f64, f64),
        of_log: bool,
    },
    Exponential {
        mean: f64,
        left: f64,
        bounds: (f64, f64),
    },
    Power {
        offset: f64,
        scale: f64,
        power: f64,
    },
}

impl Distribution {
    /// Draws a value. A [`Shared`](Self::Shared) field draws a number of its own here; see
    /// [`sample_shared`](Self::sample_shared).
    pub fn sample(&self, draws: &mut Draws) -> f64 {
        match self {
            Self::Constant(value) => *value,
            _ => {
                let u = draws.open_unit();
                self.at_quantile(u, 1.0 - u)
            }
        }
    }

    /// Draws a value, with `shared` giving the number r of a group (see [`shared_unit`]).
    pub fn sample_shared(&self, draws: &mut Draws, shared: impl FnOnce(u32) -> f64) -> f64 {
        match self {
            Self::Shared { group, .. } => {
                let r = shared(*group);
                self.at_quantile(r, 1.0 - r)
            }
            _ => self.sample(draws),
        }
    }

    /// Whether every draw gives the same value.
    pub fn is_constant(&self) -> bool {
        match *self {
            Self::Constant(_) => true,
            Self::Uniform { .. } | Self::Exponential { .. } => false,
            Self::Normal { sd, .. } => sd == 0.0,
            Self::LogNormal { sigma, .. } => sigma == 0.0,
            Self::Shared { scale, .. } => scale == 0.0,
        }
    }

    /// The least and the largest value that can be drawn, possibly infinite.
    pub fn bounds(&self) -> (f64, f64) {
        if self.is_constant() {
            let value = self.at_quantile(0.5, 0.5);
            return (value, value);
        }
        match *self {
            Self::Constant(value) => (value, value),
            Self::Uniform { min, max } => (min, max),
            Self::Normal { min, max, .. } => or_infinite(min, max),
            Self::LogNormal { min, max, .. } | Self::Exponential { min, max, .. } => {
                let (min, max) = or_infinite(min, max);
                (min.max(0.0), max)
            }
            Self::Shared { offset, scale, .. } => {
                (offset.min(offset + scale), offset.max(offset + scale))
            }
        }
    }

    /// The mean of what is drawn, truncation included.
    pub fn mean(&self) -> f64 {
        if self.is_constant() {
            return self.at_quantile(0.5, 0.5);
        }
        match *self {
            Self::Constant(value) => value,
            Self::Uniform { min, max } => min + 0.5 * (max - min),
            Self::Normal { mean, sd, min, max } => {
                let (a, b) = standard(mean, sd, or_infinite(min, max));
                mean + sd * (density(a) - density(b)) / between((a, b)).left
            }
            Self::LogNormal {
                mu,
                sigma,
                min,
                max,
            } => {
                let (a, b) = standard(mu, sigma, log_bounds(min, max));
                let ratio = between((a - sigma, b - sigma)).left / between((a, b)).left;
                libm::exp(mu + 0.5 * sigma * sigma) * ratio
            }
            Self::Exponential { mean, .. } => {
                let (low, high) = self.bounds();
                let width = (high - low) / mean;
                let lost = if width.is_finite() {
                    width / libm::expm1(width)
                } else {
                    0.0
                };
                low + mean * (1.0 - lost)
            }
            Self::Shared {
                offset,
                scale,
                power,
                ..
            } => offset + scale / (power + 1.0),
        }
    }

    /// A magnitude that a draw exceeds with a probability of less than 10⁻¹⁵; the largest one where there is one.
    pub fn largest_magnitude(&self) -> f64 {
        const TAIL: f64 = 4e-16;
        let (low, high) = self.bounds();
        let low = if low.is_finite() {
            low
        } else {
            self.at_quantile(TAIL, 1.0)
        };
        let high = if high.is_finite() {
            high
        } else {
            self.at_quantile(1.0, TAIL)
        };
        low.abs().max(high.abs())
    }

    /// The value below which a draw falls with probability `lower`. `upper` is 1 − `lower`, given separately because
    /// far up the tail the difference has no digits left.
    fn at_quantile(&self, lower: f64, upper: f64) -> f64 {
        self.quantiles().at(lower, upper)
    }

    /// The quantile function, with what the bounds leave worked out.
    fn quantiles(&self) -> Quantiles {
        match *self {
            Self::Constant(value) => Quantiles::Constant(value),
            Self::Uniform { min, max } => Quantiles::Uniform { min, max },
            Self::Normal { mean, sd: 0.0, .. } => Quantiles::Constant(mean),
            Self::Normal { mean, sd, min, max } => {
                let bounds = or_infinite(min, max);
                Quantiles::Normal {
                    mean,
                    sd,
                    cut: between(standard(mean, sd, bounds)),
                    bounds,
                    of_log: false,
                }
            }
            Self::LogNormal { mu, sigma: 0.0, .. } => Quantiles::Constant(libm::exp(mu)),
            Self::LogNormal {
                mu,
                sigma,
                min,
                max,
            } => Quantiles::Normal {
                mean: mu,
                sd: sigma,
                cut: between(standard(mu, sigma, log_bounds(min, max))),
                bounds: self.bounds(),
                of_log: true,
            },
            Self::Exponential { mean, .. } => {
                let bounds = self.bounds();
                Quantiles::Exponential {
                    mean,
                    left: -libm::expm1(-(bounds.1 - bounds.0) / mean),
                    bounds,
                }
            }
            Self::Shared {
                offset,
                scale,
                power,
                ..
            } => Quantiles::Power {
                offset,
                scale,
                power,
            },
        }
    }

    /// Checks that every field is in range and that the bounds leave something to draw.
    ///
    /// # Errors
    /// Names the field, its value, the allowed range and the fix.
    pub fn check(&self) -> Result<(), String> {
        match *self {
            Self::Constant(value) => finite("Constant", "value", value),
            Self::Uniform { min, max } => {
                finite("Uniform", "min", min)?;
                finite("Uniform", "max", max)?;
                ordered("Uniform", min, max)?;
                finite("Uniform", "max - min", max - min)
            }
            Self::Normal { mean, sd, min, max } => {
                finite("Normal", "mean", mean)?;
                at_least_zero("Normal", "sd", sd)?;
                let (low, high) = checked_bounds("Normal", min, max)?;
                if sd == 0.0 {
                    return holds("Normal", "mean", mean, low, high);
                }
                let (a, b) = standard(mean, sd, (low, high));
                enough("Normal", between((a, b)).left, low, high)
            }
            Self::LogNormal {
                mu,
                sigma,
                min,
                max,
            } => {
                finite("LogNormal", "mu", mu)?;
                at_least_zero("LogNormal", "sigma", sigma)?;
                // Beyond these the values themselves leave the range of numbers.
                if mu.abs() > 300.0 || sigma > 30.0 {
                    return Err(format!(
                        "LogNormal: mu {mu} and sigma {sigma} are those of the logarithm; allowed are mu from -300 to \
                         300 and sigma from 0 to 30"
                    ));
                }
                let (low, high) = checked_bounds("LogNormal", min, max)?;
                if sigma == 0.0 {
                    return holds("LogNormal", "exp(mu)", libm::exp(mu), low, high);
                }
                let (a, b) = standard(mu, sigma, log_bounds(min, max));
                enough("LogNormal", between((a, b)).left, low, high)
            }
            Self::Exponential { mean, min, max } => {
                if !(mean > 0.0 && mean.is_finite()) {
                    return Err(format!(
                        "Exponential: mean is {mean}; allowed is more than 0"
                    ));
                }
                let (low, high) = checked_bounds("Exponential", min, max)?;
                let (low, high) = (low.max(0.0), high.max(0.0));
                let left = libm::exp(-low / mean) - libm::exp(-high / mean);
                enough("Exponential", left, low, high)
            }
            Self::Shared {
                offset,
                scale,
                power,
                ..
            } => {
                finite("Shared", "offset", offset)?;
                finite("Shared", "scale", scale)?;
                finite("Shared", "offset + scale", offset + scale)?;
                if power > 0.0 && power.is_finite() {
                    Ok(())
                } else {
                    Err(format!("Shared: power is {power}; allowed is more than 0"))
                }
            }
        }
    }
}

impl Quantiles {
    /// See [`Distribution::at_quantile`]. The clamps only take back rounding: quantiles lie inside the bounds.
    fn at(&self, lower: f64, upper: f64) -> f64 {
        match *self {
            Self::Constant(value) => value,
            Self::Uniform { min, max } if lower < upper => min + (max - min) * lower,
            Self::Uniform { min, max } => max - (max - min) * upper,
            Self::Normal {
                mean,
                sd,
                ref cut,
                bounds,
                of_log,
            } => {
                let z = quantile(cut.below + lower * cut.left, cut.above + upper * cut.left);
                let value = mean + sd * z;
                let value = if of_log { libm::exp(value) } else { value };
                value.clamp(bounds.0, bounds.1)
            }
            Self::Exponential { mean, left, bounds } => {
                let depth = if lower < upper {
                    -libm::log1p(-lower * left)
                } else {
                    -libm::log((1.0 - left) + upper * left)
                };
                (bounds.0 + mean * depth).clamp(bounds.0, bounds.1)
            }
            Self::Power {
                offset,
                scale,
                power,
            } => offset + scale * libm::pow(lower, power),
        }
    }
}

/// What the bounds `a` and `b` leave of the standard normal distribution, from the side that has the digits.
fn between((a, b): (f64, f64)) -> Cut {
    let (below, above) = (lower_tail(a), upper_tail(b));
    let left = if a > 0.0 {
        upper_tail(a) - above
    } else if b < 0.0 {
        lower_tail(b) - below
    } else {
        1.0 - below - above
    };
    Cut { below, above, left }
}

fn or_infinite(min: Option<f64>, max: Option<f64>) -> (f64, f64) {
    (
        min.unwrap_or(f64::NEG_INFINITY),
        max.unwrap_or(f64::INFINITY),
    )
}

fn log_bounds(min: Option<f64>, max: Option<f64>) -> (f64, f64) {
    let log = |x: f64| {
        if x > 0.0 {
            libm::log(x)
        } else {
            f64::NEG_INFINITY
        }
    };
    let (low, high) = or_infinite(min, max);
    (log(low), log(high))
}

fn standard(mean: f64, sd: f64, (low, high): (f64, f64)) -> (f64, f64) {
    ((low - mean) / sd, (high - mean) / sd)
}

fn finite(what: &str, field: &str, value: f64) -> Result<(), String> {
    if value.is_finite() {
        Ok(())
    } else {
        Err(format!("{what}: {field} is {value}; it must be finite"))
    }
}

fn at_least_zero(what: &str, field: &str, value: f64) -> Result<(), String> {
    if value >= 0.0 && value.is_finite() {
        Ok(())
    } else {
        Err(format!(
            "{what}: {field} is {value}; allowed is 0 or more, and finite"
        ))
    }
}

fn ordered(what: &str, min: f64, max: f64) -> Result<(), String> {
    if min < max {
        Ok(())
    } else {
        Err(format!(
            "{what}: min {min} must be less than max {max}; use Constant for a single value"
        ))
    }
}

fn checked_bounds(what: &str, min: Option<f64>, max: Option<f64>) -> Result<(f64, f64), String> {
    for (field, bound) in [("min", min), ("max", max)] {
        if let Some(value) = bound {
            finite(what, field, value)
                .map_err(|message| format!("{message}; leave it out for no bound"))?;
        }
    }
    let (low, high) = or_infinite(min, max);
    ordered(what, low, high)?;
    Ok((low, high))
}

fn holds(what: &str, field: &str, value: f64, low: f64, high: f64) -> Result<(), String> {
    if (low..=high).contains(&value) && value.is_finite() {
        Ok(())
    } else {
        Err(format!(
            "{what}: without spread every value is {field} = {value}, which is outside min {low} and max {high}"
        ))
    }
}

fn enough(what: &str, left: f64, low: f64, high: f64) -> Result<(), String> {
    if left >= LEAST_ACCEPTANCE {
        Ok(())
    } else {
        Err(format!(
            "{what}: only a fraction of {left:.1e} of all values lies between min {low} and max {high}; at least \
             {LEAST_ACCEPTANCE:.0e} must: move the bounds or the mean"
        ))
    }
}

#[cfg(test)]
mod tests;
