//! Response functions: what becomes of a spike over time, in an axon terminal or in a spine.
//!
//! A response function is a linear filter of trains of spikes. Its kernel κ(t) is what one spike at time 0 leaves at time *t*:
//!
//! | response | κ(t) for t ≥ 0 | fields, defaults | peak | area |
//! |---|---|---|---|---|
//! | `Identity` | δ(t) | | | 1 |
//! | `Scaling` | g δ(t) | g: `gain` | | g |
//! | `Leaky` | exp(−t/τ) | τ: `tau`, 15 ms | 1 | τ |
//! | `Flat` | 1 | | 1 | ∞ |
//! | `LimitedFlat` | 1 for t < T, then 0 | T: `window`, 10 ms | 1 | T |
//! | `Alpha` | (t/τ) exp(1 − t/τ) | τ: `tau` | 1, at τ | e τ |
//! | `DifferenceOfExponentials` | N (exp(−t/τ_d) − exp(−t/τ_r)) | τ_r: `tau_rise`, τ_d: `tau_decay` | 1 (by N) | N (τ_d − τ_r) |
//!
//! Kernels that last are numbers without a unit and have *peak* 1; their areas are in ms. A *sequence* hands what comes out of one response
//! to the next: its kernel is the convolution of theirs over time in ms. So the kernel of `[Leaky(tau: a), Leaky(tau: b)]` is
//! (exp(−t/a) − exp(−t/b)) / (1/b − 1/a), in ms; areas and gains multiply; and the order within a sequence does not matter.
//!
//! # As postsynaptic kernels
//!
//! `responses: (terminal: […], spine: […])` on a projection: the trains that reach its synapses go through the responses of the terminal,
//! the weight, and the responses of the spine, before they reach the receptor of the target. In every step a target receives the time
//! integral over the step
//!
//! ```text
//! Σ over spikes of  weight · ∫ κ(t − t_spike) dt          t in ms; κ: terminal and spine convolved
//! ```
//!
//! as if it were one spike of that weight at the end of the step. So each spike brings its weight times the area in all, whatever the step:
//! to spread a weight over time without changing how much arrives, scale by 1/area. With impulses alone (`Identity`, `Scaling`) it is the spike
//! itself, in the same step.
//!
//! A weight that changes is the one with which the spike is sent, as without responses, and so is the share that
//! [short-term plasticity](super::short_term) releases: what has been sent does not change any more. With that, both places commute with the
//! weight, and both are done in one filter per target neuron: see [`respond`].
//!
//! # As taggers
//!
//! The traces of [`ResponseStdp`](crate::plasticity::response::ResponseStdp) are Σ κ(t − t_spike) itself.
//!
//! # Of neuromodulatory axons
//!
//! A spike that releases a modulator ([`Release`](crate::modulation::Release)) with a `response` adds its amount times the integral of κ over
//! each step, rather than its amount at once.
//!
//! *Integration.* All responses are cascades of stages of first order with at most one window each: see [`cascade`]. A step advances them exactly,
//! by a propagator in double precision; windows are counted in whole steps, in integers.
//!
//! *Not modelled.* Responses that saturate, or that depend on the weight; parameters that differ between the synapses of a projection.
//!
//! *Scene.* `responses`.
//!
//! *Source.* Gerstner, Kistler, Naud & Paninski (2014), Neuronal Dynamics, sections 1.3 and 6.4, doi:10.1017/CBO9781107447615 (kernels as
//! filters); Roth & van Rossum (2009), in: Computational Modeling Methods for Neuroscientists, ch. 6, doi:10.7551/mitpress/9780262013277.001.0001
//! (alpha functions and differences of exponentials).

pub mod cascade;
pub mod filter;
pub mod respond;

use crate::sim::quantity::{Range, Unit};
use bevy::prelude::*;

/// The most responses in a sequence.
pub const MOST_RESPONSES: usize = 4;
/// The longest window in steps.
pub const LONGEST_WINDOW: f64 = 65_535.0;
/// Time constants from this part of a step on: shorter ones are impulses.
const SHORTEST_TAU: f64 = 1e-3;

/// A response function. See the [module](self).
#[derive(Reflect, Clone, Copy, Debug, Default, PartialEq)]
#[reflect(Default)]
pub enum Response {
    /// What comes in.
    #[default]
    Identity,
    /// A multiple of what comes in.
    Scaling {
        /// The factor.
        #[reflect(@Range::non_negative())]
        gain: f64,
    },
    /// A jump that decays exponentially.
    Leaky {
        /// The time constant.
        #[reflect(default = "leaky_ms", @Unit("ms"), @Range::positive())]
        tau: f64,
    },
    /// A jump that stays: it counts spikes.
    Flat,
    /// A jump that ends after a while.
    LimitedFlat {
        /// How long it lasts, rounded to whole steps, at least one.
        #[reflect(default = "window_ms", @Unit("ms"), @Range::positive())]
        window: f64,
    },
    /// A rise and a decay with the same time constant.
    Alpha {
        /// The time constant, which is when it peaks.
        #[reflect(@Unit("ms"), @Range::positive())]
        tau: f64,
    },
    /// A rise and a slower decay.
    DifferenceOfExponentials {
        /// The time constant of the rise.
        #[reflect(@Unit("ms"), @Range::positive())]
        tau_rise: f64,
        /// The time constant of the decay, longer.
        #[reflect(@Unit("ms"), @Range::positive())]
        tau_decay: f64,
    },
}

fn leaky_ms() -> f64 {
    15.0
}

fn window_ms() -> f64 {
    10.0
}

/// The responses of a projection: what its trains go through besides the weight. See the [module](self).
#[derive(Component, Reflect, Clone, Debug, Default, PartialEq)]
#[reflect(Default)]
pub struct Responses {
    /// Those of the axon terminals, before the weight.
    pub terminal: Vec<Response>,
    /// Those of the spines, after the weight.
    pub spine: Vec<Response>,
}

impl Responses {
    /// All of them as one sequence.
    pub fn sequence(&self) -> Vec<Response> {
        [self.terminal.as_slice(), &self.spine].concat()
    }
}

/// Checks a sequence for steps of `dt` ms.
///
/// # Errors
/// Which place in it is wrong, as it continues the path to the sequence (`[1].tau`), and why.
pub fn check(sequence: &[Response], dt: f64) -> Result<(), (String, String)> {
    if sequence.len() > MOST_RESPONSES {
        let message = format!(
            "this sequence has {} responses; at most {MOST_RESPONSES} can follow each other",
            sequence.len()
        );
        return Err((String::new(), message));
    }
    for (i, response) in sequence.iter().enumerate() {
        response
            .check(dt)
            .map_err(|(field, message)| (format!("[{i}].{field}"), message))?;
    }
    Ok(())
}

impl Response {
    /// Checks the parameters for steps of `dt` ms.
    fn check(&self, dt: f64) -> Result<(), (&'static str, String)> {
        match *self {
            Self::Identity | Self::Flat => Ok(()),
            Self::Scaling { gain } => {
                let largest = f64::from(f32::MAX);
                if (0.0..=largest).contains(&gain) {
                    return Ok(());
                }
                let message = format!(
                    "{gain} is out of range: must be from 0 to {largest:.1e}; the sign is that of the weight"
                );
                Err(("gain", message))
            }
            Self::LimitedFlat { window } => {
                check_positive("window", window)?;
                if window < dt * 0.999 {
                    let message = format!(
                        "a window of {window} ms is shorter than a step of {dt} ms; make it longer, or the step shorter"
                    );
                    return Err(("window", message));
                }
                if window / dt > LONGEST_WINDOW {
                    let message = format!(
                        "a window of {window} ms is more than {LONGEST_WINDOW} steps of {dt} ms, the longest that is possible"
                    );
                    return Err(("window", message));
                }
                Ok(())
            }
            Self::Leaky { tau } | Self::Alpha { tau } => check_tau("tau", tau, dt),
            Self::DifferenceOfExponentials {
                tau_rise,
                tau_decay,
            } => {
                check_tau("tau_rise", tau_rise, dt)?;
                check_tau("tau_decay", tau_decay, dt)?;
                if tau_rise < tau_decay {
                    return Ok(());
                }
                let message = format!(
                    "the response rises with {tau_rise} ms and decays with {tau_decay} ms; the rise must be shorter (for equal ones there is Alpha)"
                );
                Err(("tau_rise", message))
            }
        }
    }
}

fn check_positive(field: &'static str, ms: f64) -> Result<(), (&'static str, String)> {
    match Range::positive().contains(ms) {
        true => Ok(()),
        false => Err((
            field,
            format!("{ms} is out of range: must be {} (ms)", Range::positive()),
        )),
    }
}

fn check_tau(field: &'static str, tau: f64, dt: f64) -> Result<(), (&'static str, String)> {
    check_positive(field, tau)?;
    if tau >= SHORTEST_TAU * dt {
        return Ok(());
    }
    let message = format!(
        "a time constant of {tau} ms is less than a thousandth of a step of {dt} ms; use Identity or Scaling for what is over at once"
    );
    Err((field, message))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wrong_sequences_are_told_where_and_why() {
        let leaky = Response::Leaky { tau: 15.0 };
        for (wrong, field, why) in [
            (vec![leaky; 5], "", "5 responses; at most 4"),
            (
                vec![leaky, Response::Leaky { tau: 0.0 }],
                "[1].tau",
                "0 is out of range: must be more than 0 (ms)",
            ),
            (
                vec![Response::Alpha { tau: f64::NAN }],
                "[0].tau",
                "NaN is out of range",
            ),
            (
                vec![Response::Leaky { tau: 5e-5 }],
                "[0].tau",
                "less than a thousandth of a step of 0.1 ms",
            ),
            (
                vec![Response::Scaling { gain: -1.0 }],
                "[0].gain",
                "the sign is that of the weight",
            ),
            (
                vec![Response::LimitedFlat { window: 0.05 }],
                "[0].window",
                "shorter than a step of 0.1 ms",
            ),
            (
                vec![Response::LimitedFlat { window: 1e4 }],
                "[0].window",
                "more than 65535 steps",
            ),
            (
                vec![Response::DifferenceOfExponentials {
                    tau_rise: 3.0,
                    tau_decay: 3.0,
                }],
                "[0].tau_rise",
                "the rise must be shorter",
            ),
        ] {
            let (at, message) = check(&wrong, 0.1).expect_err("it is wrong");
            assert_eq!(at, field, "{wrong:?}");
            assert!(message.contains(why), "{message}");
        }
        let sound = [
            Response::Flat,
            Response::LimitedFlat { window: 0.1 },
            Response::Scaling { gain: 0.0 },
            leaky,
        ];
        assert_eq!(check(&sound, 0.1), Ok(()));
    }
}
