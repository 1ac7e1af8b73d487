//! A learning rate that falls with time.
//!
//! ```text
//! every change of a weight by the learning rule is multiplied by   r(t) = r∞ + (1 − r∞) e^{−t/τ}     `Exponential`
//!                                                                  r(t) = r∞ + (1 − r∞)/(1 + t/τ)    `Hyperbolic`
//! ```
//!
//! with t the time since the start of the simulation. Tags, traces and [upkeep](super::upkeep) are as without it.
//!
//! | symbol | field | default | unit |
//! |---|---|---|---|
//! | τ | `tau_ms` | 10⁶ | ms |
//! | r∞ | `floor` | 0 | |
//! | | `form` | `Exponential` | |
//!
//! With `Hyperbolic` and r∞ = 0 the rates sum to infinity and their squares do not: what stochastic approximation needs to converge.
//!
//! *Integration.* The rate of the moment of each event, to a step. What modulated rules change between events counts with the rate at the end of the interval.
//!
//! *Source.* Robbins & Monro (1951), Ann Math Stat 22:400, doi:10.1214/aoms/1177729586.

use super::decay::Decay;
use super::upkeep::{Care, RegisterUpkeep, Setting, Upkeep};
use crate::sim::quantity::{Range, Unit};
use bevy::prelude::*;

/// The least part of a step that the time constant may be: with less, nothing is left after a step, and 1/τ may be no number.
const LEAST_OF_STEP: f64 = 1e-6;

/// Registers the rule.
pub fn plugin(app: &mut App) {
    app.register_type::<RateForm>();
    app.register_upkeep::<LearningRateDecay>();
}

/// How a learning rate falls.
#[derive(Reflect, Clone, Copy, Debug, Default, PartialEq, Eq)]
#[reflect(Default)]
pub enum RateForm {
    /// By the same factor in equal times.
    #[default]
    Exponential,
    /// As one over time.
    Hyperbolic,
}

/// A learning rate that falls with time. See the [module](self).
#[derive(Component, Reflect, Clone, Debug, PartialEq)]
#[reflect(Default)]
pub struct LearningRateDecay {
    /// Time constant.
    #[reflect(@Unit("ms"), @Range::positive())]
    pub tau_ms: f64,
    /// What is left of the rate in the end.
    #[reflect(@Range::between(0.0, 1.0))]
    pub floor: f64,
    /// How the rate falls.
    pub form: RateForm,
}

impl Default for LearningRateDecay {
    fn default() -> Self {
        Self {
            tau_ms: 1e6,
            floor: 0.0,
            form: RateForm::default(),
        }
    }
}

impl Upkeep for LearningRateDecay {
    fn sees_to(&self) -> &'static str {
        "the learning rate"
    }

    fn reach(&self, _start: (f64, f64)) -> Result<(f64, f64), String> {
        Err("the rate of a learning rule falls, and this projection has none; add one".into())
    }

    fn check(&self, setting: &Setting) -> Result<(), String> {
        let least = LEAST_OF_STEP * setting.dt;
        if self.tau_ms < least {
            return Err(format!(
                "tau_ms is {:e}, less than a millionth of a step of {} ms; allowed is {least:e} ms or more",
                self.tau_ms, setting.dt
            ));
        }
        Ok(())
    }

    fn derive(&self, setting: &Setting) -> Care {
        Care::Slow(Slowing {
            course: match self.form {
                RateForm::Exponential => Course::Exponential(Decay::new(self.tau_ms, setting.dt)),
                RateForm::Hyperbolic => Course::Hyperbolic(setting.dt / self.tau_ms),
            },
            floor: self.floor as f32,
            anchor: 0,
            ticks: setting.ticks.max(1),
        })
    }
}

/// A learning rate that falls, at work.
pub struct Slowing {
    course: Course,
    floor: f32,
    /// A stamp less than 2³¹ from any that is asked for.
    anchor: u64,
    /// Stamps per step.
    ticks: u32,
}

enum Course {
    Exponential(Decay),
    /// Steps per time constant, inverted.
    Hyperbolic(f64),
}

impl Slowing {
    /// The present is near the stamp `now`.
    pub fn anchor(&mut self, now: u64) {
        self.anchor = now;
    }

    /// The rate at the stamp whose low 32 bits are given.
    #[inline]
    pub fn rate(&self, stamp: u32) -> f32 {
        let from_anchor = stamp.wrapping_sub(self.anchor as u32) as i32;
        let steps = self.anchor.saturating_add_signed(from_anchor.into()) / u64::from(self.ticks);
        let left = match &self.course {
            Course::Exponential(decay) => decay.after(u32::try_from(steps).unwrap_or(u32::MAX)),
            Course::Hyperbolic(per_step) => (1.0 / (1.0 + steps as f64 * per_step)) as f32,
        };
        self.floor + (1.0 - self.floor) * left
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slowing(rule: &LearningRateDecay) -> Slowing {
        let setting = Setting {
            dt: 0.1,
            ticks: 1,
            bounds: (0.0, 1.0),
            learning: true,
            inhibitory: false,
            most_per_target: 1.0,
            synapses: 1.0,
        };
        match rule.derive(&setting) {
            Care::Slow(slowing) => slowing,
            _ => panic!("a rate"),
        }
    }

    #[test]
    fn rates_fall_as_their_form_says_even_after_stamps_have_wrapped() {
        let mut exponential = slowing(&LearningRateDecay {
            tau_ms: 1e9,
            floor: 0.2,
            form: RateForm::Exponential,
        });
        let mut hyperbolic = slowing(&LearningRateDecay {
            tau_ms: 1e9,
            form: RateForm::Hyperbolic,
            ..default()
        });
        for steps in [0u64, 1, 5_000_000_000, 12_000_000_000] {
            for near in [0, 7, 1_000_000_000] {
                exponential.anchor(steps.saturating_sub(near));
                hyperbolic.anchor(steps + near);
                let t = steps as f64 * 0.1 / 1e9;
                let rate = f64::from(hyperbolic.rate(steps as u32));
                assert!((rate - 1.0 / (1.0 + t)).abs() < 1e-6, "{steps}: {rate}");
                if steps <= u32::MAX.into() {
                    let rate = f64::from(exponential.rate(steps as u32));
                    let want = 0.2 + 0.8 * libm::exp(-t);
                    assert!((rate - want).abs() < 1e-5, "{steps}: {rate}");
                }
            }
        }
    }
}
