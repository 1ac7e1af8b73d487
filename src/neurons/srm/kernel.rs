//! The kernels of the spike response model, and when a potential made of them reaches the threshold.

use super::SrmError;

/// The parameters of all neurons of a population. See the [module](super) for the equations.
#[derive(Clone, Debug, PartialEq)]
pub struct SrmParameters {
    /// Threshold T, in the unit of the potential; positive.
    pub threshold: f64,
    /// Membrane time constant in ms; longer than `tau_s`, by a millionth or more.
    pub tau_m: f64,
    /// Synaptic time constant in ms; a millionth of `tau_m` or more.
    pub tau_s: f64,
    /// Height of the spike, in thresholds; at least 0.
    pub k1: f64,
    /// Depth of the after-potential, in thresholds; at least 0.
    pub k2: f64,
    /// Lateral inhibition: the peak of the potential that a spike causes in the other neurons, in thresholds; at least 0.
    pub alpha: f64,
    /// Absolute refractory period in ms: 0, or long enough for the after-potential to have fallen below the threshold.
    pub t_ref: f64,
}

impl Default for SrmParameters {
    fn default() -> Self {
        Self {
            threshold: 500.0,
            tau_m: 10.0,
            tau_s: 2.5,
            k1: 2.0,
            k2: 4.0,
            alpha: 0.0,
            t_ref: 0.0,
        }
    }
}

impl SrmParameters {
    /// The normalisation of ε: 1 / (q^{τs/(τm−τs)} − q^{τm/(τm−τs)}), q = τs/τm.
    fn gain(&self) -> f64 {
        let peak_ms = libm::log(self.tau_m / self.tau_s) * self.tau_m * self.tau_s
            / (self.tau_m - self.tau_s);
        1.0 / self.difference(peak_ms)
    }

    /// e^{−s/τm} − e^{−s/τs}
    fn difference(&self, s: f64) -> f64 {
        libm::exp(-s / self.tau_m) - libm::exp(-s / self.tau_s)
    }

    /// The excitatory kernel ε at `s` ms after an afferent spike of weight 1; 0 before it.
    pub fn epsilon(&self, s: f64) -> f64 {
        if s > 0.0 {
            self.gain() * self.difference(s)
        } else {
            0.0
        }
    }

    /// The after-potential η at `s` ms after the neuron's own spike; 0 before it.
    pub fn eta(&self, s: f64) -> f64 {
        if s >= 0.0 {
            self.threshold * (self.k1 * libm::exp(-s / self.tau_m) - self.k2 * self.difference(s))
        } else {
            0.0
        }
    }

    /// The inhibitory kernel μ at `s` ms after a spike of another neuron; 0 before it.
    pub fn mu(&self, s: f64) -> f64 {
        -self.alpha * self.threshold * self.epsilon(s)
    }

    /// For how long after a spike the after-potential is not below the threshold, in ms: until then a neuron cannot reach it from below.
    pub fn above_threshold_ms(&self) -> f64 {
        let is_above = |s: f64| self.eta(s) >= self.threshold;
        if !is_above(self.t_ref) {
            // From the start it falls, or is below.
            return match is_above(0.0) {
                true => self.falls_below(0.0, self.t_ref),
                false => 0.0,
            };
        }
        let mut high = self.t_ref + self.tau_m;
        while is_above(high) {
            high *= 2.0;
        }
        self.falls_below(self.t_ref, high)
    }

    /// When η falls below the threshold, between `low`, where it is not, and `high`, where it is.
    fn falls_below(&self, mut low: f64, mut high: f64) -> f64 {
        // Bisection ends after some 20 halvings, or where the numbers do.
        for _ in 0..200 {
            if high - low <= 1e-6 * high {
                break;
            }
            let middle = 0.5 * (low + high);
            if self.eta(middle) >= self.threshold {
                low = middle;
            } else {
                high = middle;
            }
        }
        high
    }

    /// Whether the parameters make a neuron.
    ///
    /// # Errors
    /// Names the first field that is out of range.
    pub fn check(&self) -> Result<(), SrmError> {
        let within = |field, value: f64, holds: bool, allowed| {
            if holds && value.is_finite() {
                Ok(())
            } else {
                Err(SrmError::Value {
                    field,
                    value,
                    allowed,
                })
            }
        };
        within("threshold", self.threshold, self.threshold > 0.0, "> 0")?;
        within("tau_s", self.tau_s, self.tau_s > 0.0, "> 0")?;
        within("tau_m", self.tau_m, self.tau_m > self.tau_s, "> tau_s")?;
        within(
            "tau_m",
            self.tau_m,
            (1e-9..=1e12).contains(&self.tau_m),
            "from 1e-9 to 1e12 ms",
        )?;
        within("k1", self.k1, self.k1 >= 0.0, "≥ 0")?;
        within("k2", self.k2, self.k2 >= 0.0, "≥ 0")?;
        within("alpha", self.alpha, self.alpha >= 0.0, "≥ 0")?;
        within("t_ref", self.t_ref, self.t_ref >= 0.0, "≥ 0")?;
        let shortest = self.tau_m * 1e-6;
        within(
            "tau_s",
            self.tau_s,
            self.tau_s >= shortest,
            "a millionth of tau_m or more",
        )?;
        let longest = self.tau_m * (1.0 - 1e-6);
        within(
            "tau_s",
            self.tau_s,
            self.tau_s <= longest,
            "shorter than tau_m by a millionth or more",
        )?;
        if self.t_ref > 0.0 && self.eta(self.t_ref) >= self.threshold {
            return Err(SrmError::Refractory {
                t_ref: self.t_ref,
                above_ms: self.above_threshold_ms(),
            });
        }
        Ok(())
    }
}

/// A potential between two events: `slow`·e^{−s/τm} + `fast`·e^{−s/τs} + `drive` at `s` ms after the first of them.
#[derive(Clone, Copy, Debug)]
pub(super) struct Course {
    pub slow: f64,
    pub fast: f64,
    pub drive: f64,
}

/// What the steps need, derived from [`SrmParameters`].
#[derive(Clone, Debug)]
pub(super) struct Kernel {
    pub threshold: f64,
    pub tau_m: f64,
    pub t_ref: f64,
    /// K: what a weight of 1 adds to the slow part and takes from the fast one.
    pub gain: f64,
    /// The slow part right after a spike.
    pub spike_slow: f64,
    /// The fast part right after a spike.
    pub spike_fast: f64,
    /// What lateral inhibition takes from the slow part and adds to the fast one.
    pub inhibition: f64,
    /// A neuron that has spiked at the first of these times or after it does not spike of itself before the second.
    pub hold: (f64, f64),
    /// τm/τs
    pub ratio: f64,
    inverse_m: f64,
    inverse_s: f64,
    /// τm τs / (τm − τs)
    between: f64,
}

/// e^{−x} for `x` ≥ 0. Events are close to each other as a rule, and a short series is enough.
#[inline(always)]
fn decay(x: f64) -> f64 {
    if x < 1.0 / 64.0 {
        // What is cut off, x⁷/5040, is below 2⁻⁵⁴.
        let p = 1.0 / 720.0;
        let p = p * x - 1.0 / 120.0;
        let p = p * x + 1.0 / 24.0;
        let p = p * x - 1.0 / 6.0;
        let p = p * x + 0.5;
        let p = p * x - 1.0;
        p * x + 1.0
    } else {
        libm::exp(-x)
    }
}

impl Kernel {
    pub fn new(p: &SrmParameters) -> Self {
        let gain = p.gain();
        Self {
            threshold: p.threshold,
            tau_m: p.tau_m,
            t_ref: p.t_ref,
            gain,
            spike_slow: p.threshold * (p.k1 - p.k2),
            spike_fast: p.threshold * p.k2,
            inhibition: p.alpha * p.threshold * gain,
            hold: (f64::INFINITY, f64::NEG_INFINITY),
            ratio: p.tau_m / p.tau_s,
            inverse_m: 1.0 / p.tau_m,
            inverse_s: 1.0 / p.tau_s,
            between: p.tau_m * p.tau_s / (p.tau_m - p.tau_s),
        }
    }

    /// The factors of the slow and of the fast part over `ms` ≥ 0.
    #[inline(always)]
    pub fn decays(&self, ms: f64) -> (f64, f64) {
        (decay(ms * self.inverse_m), decay(ms * self.inverse_s))
    }

    /// The course as seen from `ms` later.
    pub fn after(&self, course: Course, ms: f64) -> Course {
        let (slow, fast) = self.decays(ms);
        Course {
            slow: course.slow * slow,
            fast: course.fast * fast,
            ..course
        }
    }

    /// A time in ms before which an armed neuron that is below the threshold, and whose drive is, cannot reach it; ∞ if it never does.
    ///
    /// Such a potential rises only towards a maximum, and is concave until then: its tangent is above it.
    #[inline(always)]
    pub fn earliest(&self, slow: f64, fast: f64, drive: f64) -> f64 {
        let (gap, rise) = (
            self.threshold - (slow + fast + drive),
            -(slow + self.ratio * fast),
        );
        if gap <= 0.0 {
            0.0
        } else if rise > 0.0 {
            gap * self.tau_m / rise
        } else {
            f64::INFINITY
        }
    }

    /// When the course next reaches the threshold from below, in ms; ∞ if never. A neuron that is `armed` and above it reaches it at once.
    pub fn crossing(&self, course: Course, armed: bool) -> f64 {
        let Course { slow, fast, drive } = course;
        let threshold = self.threshold;
        let now = slow + fast + drive;
        if now >= threshold && armed {
            return 0.0;
        }
        // Where the slope is 0: e^{−s/between} = q.
        let q = -slow / (fast * self.ratio);
        let extremum = if q > 0.0 && q < 1.0 {
            -libm::log(q) * self.between
        } else {
            0.0
        };
        let then = self.after(course, extremum);
        let value = then.slow + then.fast + drive;
        if fast < 0.0 && extremum > 0.0 {
            // It rises to a maximum and falls towards the drive.
            return if now < threshold && value >= threshold {
                self.root(course, 0.0, extremum)
            } else {
                f64::INFINITY
            };
        }
        // From its minimum, or from now on, it rises or falls towards the drive.
        if drive <= threshold || value >= threshold {
            return f64::INFINITY;
        }
        let size = then.slow.abs() + then.fast.abs();
        let ahead = self.tau_m * libm::log(size / (drive - threshold)).max(0.0);
        self.root(course, extremum, extremum + ahead)
    }

    /// Where a course that rises from below the threshold at `low` to above it at `high` (ms) reaches it.
    fn root(&self, course: Course, mut low: f64, mut high: f64) -> f64 {
        let mut s = low;
        for _ in 0..200 {
            let then = self.after(course, s);
            let gap = self.threshold - (then.slow + then.fast + course.drive);
            if gap > 0.0 {
                low = s;
            } else {
                high = s;
            }
            let slope = -(then.slow * self.inverse_m + then.fast * self.inverse_s);
            let mut next = s + gap / slope;
            if !(next >= low && next <= high) {
                next = 0.5 * (low + high);
            }
            if (next - s).abs() <= 1e-13 * (1.0 + s) {
                return next;
            }
            s = next;
        }
        s
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::rng::{Purpose, Random};

    #[test]
    fn epsilon_peaks_at_one_and_k_is_that_of_the_paper() {
        let p = SrmParameters::default();
        assert!((p.gain() - 2.1165).abs() < 1e-3, "{}", p.gain());
        let peak = (0..100_000)
            .map(|i| p.epsilon(f64::from(i) * 1e-3))
            .fold(0.0, f64::max);
        assert!((peak - 1.0).abs() < 1e-7 && p.epsilon(0.0) == 0.0 && p.epsilon(-1.0) == 0.0);
    }

    #[test]
    fn eta_starts_at_twice_the_threshold_and_dips_below_zero() {
        let p = SrmParameters::default();
        assert_eq!(p.eta(0.0), 1000.0);
        let dip = (0..1000)
            .map(|i| p.eta(f64::from(i) * 0.1))
            .fold(0.0, f64::min);
        assert!(dip < -0.2 * p.threshold && p.eta(200.0).abs() < 1e-3);
        assert_eq!(p.eta(-1e-9), 0.0);
    }

    #[test]
    fn decay_agrees_with_libm() {
        for i in 0..200_000 {
            let x = f64::from(i) * 1e-7;
            assert!((decay(x) / libm::exp(-x) - 1.0).abs() < 4e-16, "{x}");
        }
    }

    /// Crossings of random courses agree with a search in small steps, of any shape, with drive above and below the threshold.
    #[test]
    fn crossing_agrees_with_a_search_in_small_steps() {
        let p = SrmParameters::default();
        let kernel = Kernel::new(&p);
        let mut draws = Random::new(3, 5, Purpose::Test).draws(0);
        let (mut found, mut none) = (0, 0);
        for case in 0..1500 {
            let mut between = |low: f64, high: f64| low + (high - low) * draws.unit();
            let course = Course {
                slow: between(-2500.0, 2500.0),
                fast: between(-2500.0, 2500.0),
                drive: if case % 3 == 0 {
                    between(0.0, 900.0)
                } else {
                    0.0
                },
            };
            let armed = course.slow + course.fast + course.drive < p.threshold;
            let value = |s: f64| {
                course.slow * libm::exp(-s / p.tau_m)
                    + course.fast * libm::exp(-s / p.tau_s)
                    + course.drive
            };
            let step = 4e-3;
            let searched = (0..25_000)
                .map(|i| f64::from(i) * step)
                .find(|&s| value(s) < p.threshold && value(s + step) >= p.threshold);
            let s = kernel.crossing(course, armed);
            match searched {
                Some(from) => {
                    assert!(
                        s >= from - 1e-12 && s <= from + step + 1e-12,
                        "{course:?} {s}"
                    );
                    assert!((value(s) - p.threshold).abs() < 1e-9, "{course:?} {s}");
                    found += 1;
                }
                None => {
                    // What the search can miss is a summit between two of its points, or a crossing beyond its end.
                    let missed = s < 100.0 && value(s - step).max(value(s + step)) < p.threshold;
                    assert!(s > 99.9 || missed, "{course:?} {s}");
                    none += 1;
                }
            }
            if armed && course.drive < p.threshold {
                let bound = kernel.earliest(course.slow, course.fast, course.drive);
                assert!(bound <= s * (1.0 + 1e-12), "{course:?} {bound} {s}");
            }
        }
        assert!(found > 200 && none > 200, "{found} {none}");
    }

    #[test]
    fn parameters_out_of_range_are_refused() {
        let refused = |change: fn(&mut SrmParameters)| {
            let mut p = SrmParameters::default();
            change(&mut p);
            p.check().is_err()
        };
        assert!(SrmParameters::default().check().is_ok());
        assert!(refused(|p| p.threshold = 0.0));
        assert!(refused(|p| p.tau_s = 10.0));
        assert!(refused(|p| p.tau_s = f64::NAN));
        assert!(refused(|p| p.tau_s = f64::MIN_POSITIVE));
        assert!(refused(|p| p.tau_s = 10.0_f64.next_down()));
        assert!(refused(|p| (p.tau_m, p.tau_s) = (1e300, 1e299)));
        assert!(refused(|p| p.k2 = -1.0));
        assert!(refused(|p| p.alpha = f64::INFINITY));
        assert!(refused(|p| p.t_ref = 0.5));
        assert!(!refused(|p| p.t_ref = 0.0));
    }
}
