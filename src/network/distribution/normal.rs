//! The standard normal distribution: density, tails and their inverse, to nearly full precision in both tails.

use core::f64::consts::{FRAC_1_SQRT_2, SQRT_2};

/// 1/√(2π)
const NORM: f64 = 0.398_942_280_401_432_7;

/// The density at `z`; 0 at ±∞.
pub(super) fn density(z: f64) -> f64 {
    NORM * libm::exp(-0.5 * z * z)
}

/// The probability of a value below `z`.
pub(super) fn lower_tail(z: f64) -> f64 {
    0.5 * libm::erfc(-z * FRAC_1_SQRT_2)
}

/// The probability of a value above `z`.
pub(super) fn upper_tail(z: f64) -> f64 {
    0.5 * libm::erfc(z * FRAC_1_SQRT_2)
}

/// The value with probability `lower` below and `upper` above, the two summing to 1; only the smaller one is used,
/// and ±∞ is returned where it is 0.
pub(super) fn quantile(lower: f64, upper: f64) -> f64 {
    if lower < upper {
        -upper_quantile(lower)
    } else {
        upper_quantile(upper)
    }
}

/// The value that is exceeded with probability `q` ≤ ½.
///
/// Starts from the rational approximation 26.2.23 of Abramowitz & Stegun (1964), which is within 4.5·10⁻⁴, and corrects
/// it by the Taylor series of the inverse in δ = (Q(z) − q)/φ(z), Q being the tail and φ the density. The terms follow
/// from dz/dQ = −1/φ and φ' = −zφ. What is cut off, of order δ⁵, is at most 10⁻¹⁴ for |z| < 8.
fn upper_quantile(q: f64) -> f64 {
    if q <= 0.0 {
        return f64::INFINITY;
    }
    let t = SQRT_2 * libm::sqrt(-libm::log(q));
    let z = t
        - (2.515517 + t * (0.802853 + t * 0.010328))
            / (1.0 + t * (1.432788 + t * (0.189269 + t * 0.001308)));
    let density = density(z);
    if density == 0.0 {
        return z;
    }
    let delta = (upper_tail(z) - q) / density;
    let zz = z * z;
    let third = (2.0 * zz + 1.0) / 6.0;
    let fourth = z * (6.0 * zz + 7.0) / 24.0;
    z + delta * (1.0 + delta * (0.5 * z + delta * (third + delta * fourth)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantile_inverts_the_tails() {
        for exponent in 1..200 {
            let q = libm::pow(0.7, f64::from(exponent));
            if q > 0.5 {
                continue;
            }
            let z = quantile(1.0 - q, q);
            assert!(
                (upper_tail(z) / q - 1.0).abs() < 2e-14 * (1.0 + z * z),
                "{q} {z}"
            );
            assert_eq!(quantile(q, 1.0 - q), -z);
        }
        assert!(quantile(0.5, 0.5).abs() < 1e-16);
    }

    #[test]
    fn tails_agree_with_tables() {
        // Quantiles and tails as printed in any table of the normal distribution.
        assert!((quantile(0.975, 0.025) - 1.959_963_984_540_054).abs() < 1e-14);
        assert!((upper_tail(5.0) / 2.866_515_718_791_939e-7 - 1.0).abs() < 1e-12);
        assert!((lower_tail(1.0) - 0.841_344_746_068_542_9).abs() < 1e-15);
        assert_eq!(quantile(0.0, 1.0), f64::NEG_INFINITY);
    }
}
