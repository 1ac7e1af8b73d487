//! A sequence of responses as a cascade of stages of first order.
//!
//! With *c* the trains that come in and time in steps,
//!
//! ```text
//! X₁' = −r₁ X₁ + c,   X₂' = −r₂ X₂ + X₁,   …      y = gain · X_last
//! ```
//!
//! | response | stages | r | part of the gain |
//! |---|---|---|---|
//! | `Scaling` | 0 | | g |
//! | `Leaky` | 1 | dt/τ | 1 |
//! | `Flat` | 1 | 0 | 1 |
//! | `LimitedFlat` | 1 | 0 | 1; each spike is taken back at the end of the window |
//! | `Alpha` | 2 | dt/τ | e/τ |
//! | `DifferenceOfExponentials` | 2 | dt/τ_d, dt/τ_r | 1 over the peak of their convolution |
//!
//! Stages that keep all (r = 0) come first, since they hold whole numbers exactly; windows then end without a residue.
//!
//! The propagator over a time is the exponential of a matrix with one diagonal below its main one. Shifted by its largest rate it has no negative
//! entry, so that its series and its squarings lose no digits to cancellation.

use super::Response;
use crate::sim::clock::to_steps;

/// A sequence of responses. See the [module](self).
#[derive(Clone, Debug, PartialEq)]
pub struct Cascade {
    /// What the last stage, in steps, is multiplied with: a number for no stage, in ms to the power of one less than the stages otherwise.
    gain: f64,
    /// The lengths of windows, in steps.
    windows: Vec<u32>,
    /// The time constant of each stage in ms, infinite for those that keep all.
    taus: Vec<f64>,
    dt_ms: f64,
}

impl Cascade {
    /// The cascade of a sequence that has been [checked](super::check), in steps of `dt_ms`.
    pub fn new(sequence: &[Response], dt_ms: f64) -> Self {
        let (mut gain, mut windows, mut taus) = (1.0, Vec::new(), Vec::new());
        for response in sequence {
            match *response {
                Response::Identity => {}
                Response::Scaling { gain: factor } => gain *= factor,
                Response::Leaky { tau } => taus.push(tau),
                Response::Flat => taus.push(f64::INFINITY),
                Response::LimitedFlat { window } => {
                    windows.push(to_steps(window, dt_ms).max(1) as u32);
                    taus.push(f64::INFINITY);
                }
                Response::Alpha { tau } => {
                    gain *= core::f64::consts::E / tau;
                    taus.extend([tau; 2]);
                }
                Response::DifferenceOfExponentials {
                    tau_rise,
                    tau_decay,
                } => {
                    gain /= peak_of_two(tau_rise, tau_decay);
                    taus.extend([tau_decay, tau_rise]);
                }
            }
        }
        taus.sort_by(|a, b| b.total_cmp(a));
        let powers = taus.len().saturating_sub(1);
        gain *= (0..powers).fold(1.0, |power, _| power * dt_ms);
        Self {
            gain,
            windows,
            taus,
            dt_ms,
        }
    }

    /// Stages with these time constants in ms, in this order, counted in steps.
    pub(crate) fn of_stages(taus: Vec<f64>, dt_ms: f64) -> Self {
        Self {
            gain: 1.0,
            windows: Vec::new(),
            taus,
            dt_ms,
        }
    }

    /// Whether what comes in comes out, in the same step.
    pub fn is_identity(&self) -> bool {
        self.taus.is_empty() && self.gain == 1.0
    }

    /// The number of stages.
    pub fn stages(&self) -> usize {
        self.taus.len()
    }

    /// The time constant of each stage in ms, infinite for those that keep all, the longest first.
    pub fn taus(&self) -> &[f64] {
        &self.taus
    }

    /// The lengths of windows, in steps.
    pub fn windows(&self) -> &[u32] {
        &self.windows
    }

    /// What the last stage is multiplied with.
    pub fn gain(&self) -> f64 {
        self.gain
    }

    /// What the time integral of the last stage, in steps, is multiplied with to give that of the response in ms; the gain if there is no
    /// stage.
    pub fn gain_of_integral(&self) -> f64 {
        match self.taus.is_empty() {
            true => self.gain,
            false => self.gain * self.dt_ms,
        }
    }

    /// The area of the kernel in ms (of impulses alone, their sum), which may be infinite.
    pub fn area(&self) -> f64 {
        let endless = self.taus.iter().filter(|tau| tau.is_infinite()).count() > self.windows.len();
        if endless && self.gain > 0.0 {
            return f64::INFINITY;
        }
        let windows = self.windows.iter().map(|steps| f64::from(*steps));
        let decays = self.taus.iter().filter(|tau| tau.is_finite());
        let decays = decays.map(|tau| tau / self.dt_ms);
        windows
            .chain(decays)
            .fold(self.gain_of_integral(), |area, part| area * part)
    }

    /// The propagator over so many steps without input, row by row, one row and column more than there are stages: the last row is the time
    /// integral, in steps, that each stage at the start brings to the last.
    pub fn after(&self, steps: f64) -> Vec<f64> {
        let size = self.taus.len() + 1;
        let rate = |i: usize| self.taus.get(i).map_or(0.0, |tau| self.dt_ms / tau);
        let fastest = (0..size).map(rate).fold(0.0, f64::max);
        let halvings = libm::log2((fastest + 1.0) * steps).ceil().max(0.0) as i32;
        let part = steps * libm::exp2(f64::from(-halvings));
        let mut small = vec![0.0; size * size];
        for i in 0..size {
            small[i * size + i] = (fastest - rate(i)) * part;
            if i > 0 {
                small[i * size + i - 1] = part;
            }
        }
        let mut term = identity(size);
        let mut sum = term.clone();
        for n in 1..=24 {
            term = product(&term, &small, size);
            term.iter_mut().for_each(|t| *t /= f64::from(n));
            sum.iter_mut().zip(&term).for_each(|(sum, t)| *sum += t);
        }
        let shift = libm::exp(-fastest * part);
        sum.iter_mut().for_each(|s| *s *= shift);
        for _ in 0..halvings {
            sum = product(&sum, &sum, size);
        }
        // Known better than by squaring.
        for i in 0..size {
            sum[i * size + i] = libm::exp(-rate(i) * steps);
        }
        sum
    }
}

/// The largest value of the convolution of two exponentials that decay with these time constants, the first shorter, in ms.
fn peak_of_two(rise: f64, decay: f64) -> f64 {
    let difference = (decay - rise) / (decay * rise);
    let time = libm::log1p((decay - rise) / rise) / difference;
    libm::exp(-time / decay) * -libm::expm1(-time * difference) / difference
}

fn identity(size: usize) -> Vec<f64> {
    let mut matrix = vec![0.0; size * size];
    matrix.iter_mut().step_by(size + 1).for_each(|m| *m = 1.0);
    matrix
}

/// The product of two matrices with nothing above their diagonals.
pub(crate) fn product(left: &[f64], right: &[f64], size: usize) -> Vec<f64> {
    let mut result = vec![0.0; size * size];
    for i in 0..size {
        for j in 0..=i {
            result[i * size + j] = (j..=i)
                .map(|k| left[i * size + k] * right[k * size + j])
                .sum();
        }
    }
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn propagators_agree_with_closed_forms() {
        let (a, b) = (15.0, 4.0);
        for dt in [0.1, 1.0] {
            let cascade = Cascade::new(
                &[Response::Leaky { tau: b }, Response::Leaky { tau: a }],
                dt,
            );
            for steps in [0.3, 1.0, 7.0, 100.0, 1000.0] {
                let got = cascade.after(steps);
                let (x, y) = (libm::exp(-steps * dt / a), libm::exp(-steps * dt / b));
                // The slower stage comes first; in steps.
                let second = (x - y) / (dt / b - dt / a);
                // What is wanted is a difference of nearly equal numbers.
                let close = |got: f64, want: f64| {
                    assert!(
                        (got - want).abs() <= 1e-10 * want.abs(),
                        "{steps} steps: {got}, want {want}"
                    );
                };
                close(got[0], x);
                close(got[3], second);
                close(got[4], y);
                close(got[7], (1.0 - y) * b / dt);
                close(
                    got[6],
                    ((1.0 - x) * a - (1.0 - y) * b) / dt / (dt / b - dt / a),
                );
            }
        }
        let sums = Cascade::new(&[Response::Flat; 3], 0.5);
        assert_eq!(
            sums.after(1.0)[..9],
            [1.0, 0.0, 0.0, 0.0, 1.0, 1.0, 0.0, 0.0, 0.5]
        );
    }

    #[test]
    fn a_peak_is_found_however_near_the_time_constants() {
        for (rise, decay) in [(1.0, 10.0), (1e-3, 1e4), (5.0, 5.0 + 1e-9)] {
            let peak = peak_of_two(rise, decay);
            // Where the slope is 0 the second stage is its time constant times the first.
            let time = libm::log(decay / rise) * decay * rise / (decay - rise);
            let want = match decay - rise < 1e-6 {
                true => decay / core::f64::consts::E,
                false => rise * libm::exp(-time / decay),
            };
            assert!((peak / want - 1.0).abs() < 1e-9, "{peak}, want {want}");
        }
    }

    #[test]
    fn areas_multiply() {
        let sequence = [
            Response::LimitedFlat { window: 10.0 },
            Response::Scaling { gain: 0.5 },
            Response::Alpha { tau: 3.0 },
        ];
        let area = Cascade::new(&sequence, 0.1).area();
        let want = 10.0 * 0.5 * 3.0 * core::f64::consts::E;
        assert!((area / want - 1.0).abs() < 1e-12, "{area}");
        assert_eq!(Cascade::new(&[Response::Flat], 0.1).area(), f64::INFINITY);
        assert_eq!(
            Cascade::new(&[Response::Scaling { gain: 0.5 }], 0.1).area(),
            0.5
        );
        assert!(Cascade::new(&[Response::Identity], 0.1).is_identity());
    }
}
