//! Field attributes that say what a parameter is: its unit and its allowed range.
//!
//! A model, rule or stimulus is a plain reflected struct; `#[reflect(@Unit("mV"), @Range::positive())]` on a field is
//! all that the scene loader, `neuropil check` and (later) an inspector need to know of it.

use bevy::prelude::*;

/// The unit of a field, as text: `"mV"`, `"ms"`, `"pA"`.
#[derive(Reflect, Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unit(pub &'static str);

/// The allowed range of a number, of every number of a distribution, and of every number in a list.
#[derive(Reflect, Clone, Copy, Debug, PartialEq)]
pub struct Range {
    /// The least value.
    pub min: f64,
    /// The largest value.
    pub max: f64,
    /// Whether `min` itself is allowed.
    pub min_allowed: bool,
    /// Whether `max` itself is allowed.
    pub max_allowed: bool,
}

impl Range {
    /// Any finite number.
    pub const fn finite() -> Self {
        Self::new(f64::NEG_INFINITY, f64::INFINITY, false, false)
    }

    /// More than 0.
    pub const fn positive() -> Self {
        Self::new(0.0, f64::INFINITY, false, false)
    }

    /// 0 or more.
    pub const fn non_negative() -> Self {
        Self::new(0.0, f64::INFINITY, true, false)
    }

    /// From `min` to `max`, both allowed.
    pub const fn between(min: f64, max: f64) -> Self {
        Self::new(min, max, true, true)
    }

    /// `min` or more.
    pub const fn at_least(min: f64) -> Self {
        Self::new(min, f64::INFINITY, true, false)
    }

    const fn new(min: f64, max: f64, min_allowed: bool, max_allowed: bool) -> Self {
        Self {
            min,
            max,
            min_allowed,
            max_allowed,
        }
    }

    /// Whether `value` lies in the range. NaN never does.
    pub fn contains(&self, value: f64) -> bool {
        (value > self.min || (self.min_allowed && value == self.min))
            && (value < self.max || (self.max_allowed && value == self.max))
    }
}

impl core::fmt::Display for Range {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match (self.min.is_finite(), self.max.is_finite()) {
            (false, false) => write!(f, "any finite number"),
            (true, false) if self.min_allowed => write!(f, "{} or more", self.min),
            (true, false) => write!(f, "more than {}", self.min),
            (false, true) if self.max_allowed => write!(f, "{} or less", self.max),
            (false, true) => write!(f, "less than {}", self.max),
            (true, true) => write!(
                f,
                "from {}{} to {}{}",
                self.min,
                if self.min_allowed { "" } else { " (excluded)" },
                self.max,
                if self.max_allowed { "" } else { " (excluded)" },
            ),
        }
    }
}
