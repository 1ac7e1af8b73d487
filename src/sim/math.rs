//! The functions that neuron equations may call, the same on every machine.
//!
//! Each has the name and meaning of a WGSL built-in or of a function of [`WGSL_PRELUDE`], so that the tokens of
//! a [`kernel!`](crate::kernel) are valid in both languages. They are branch-free, vectorise, and use only
//! additions, multiplications, divisions, comparisons and bit operations, which IEEE 754 rounds in one way: the
//! result does not depend on the processor or on the SIMD level.

/// What a kernel may call in WGSL beyond the built-ins.
pub const WGSL_PRELUDE: &str = "\
fn remaining(until: i32, now: i32) -> i32 { return until - now; }
fn later(now: i32, steps: i32) -> i32 { return now + steps; }
fn cut(x: f32) -> f32 { return select(0.0, x, abs(x) > 1e-15); }
fn fade(x: f32, decay: f32) -> f32 { return select(0.0, x * decay, abs(x) > 1e-15); }
fn ratio_expm1(x: f32) -> f32 { return select((exp(x) - 1.0) / x, 1.0 + 0.5 * x, abs(x) < 1e-3); }
";

/// `when_true` if `condition` holds, else `when_false` (the argument order of WGSL).
#[inline(always)]
pub fn select<T: Copy>(when_false: T, when_true: T, condition: bool) -> T {
    if condition { when_true } else { when_false }
}

/// The smaller of two numbers.
#[inline(always)]
pub fn min<T: PartialOrd + Copy>(a: T, b: T) -> T {
    if b < a { b } else { a }
}

/// The larger of two numbers.
#[inline(always)]
pub fn max<T: PartialOrd + Copy>(a: T, b: T) -> T {
    if a < b { b } else { a }
}

/// A number brought within bounds; what is not a number becomes the lower one, so that no weight ever is NaN.
#[inline(always)]
pub fn within<T: PartialOrd + Copy>(x: T, [low, high]: [T; 2]) -> T {
    min(high, max(low, x))
}

/// The absolute value.
#[inline(always)]
pub fn abs(x: f32) -> f32 {
    x.abs()
}

/// The square root, correctly rounded.
#[inline(always)]
pub fn sqrt(x: f32) -> f32 {
    x.sqrt()
}

/// Steps from `now` until `until`; not positive when that step has come. Counters wrap.
#[inline(always)]
pub fn remaining(until: i32, now: i32) -> i32 {
    until.wrapping_sub(now)
}

/// The step counter `steps` steps after `now`. Counters wrap.
#[inline(always)]
pub fn later(now: i32, steps: i32) -> i32 {
    now.wrapping_add(steps)
}

/// `x`, or 0 where it is so small that no result shows it: what decays for ever ends in numbers that processors are slow with.
#[inline(always)]
pub fn cut(x: f32) -> f32 {
    select(0.0, x, abs(x) > 1e-15)
}

/// `x` after one step of exponential decay, cut as by [`cut`].
#[inline(always)]
pub fn fade(x: f32, decay: f32) -> f32 {
    select(0.0, x * decay, abs(x) > 1e-15)
}

/// The exponential function; relative error below 1e-7. Below −87 it gives a number near 1e-38, above 88 near
/// 1e38, never a denormal or infinity.
#[inline(always)]
pub fn exp(x: f32) -> f32 {
    const LOG2_E: f32 = core::f32::consts::LOG2_E;
    const LN2_HIGH: f32 = 0.693_359_4;
    const LN2_LOW: f32 = -2.121_944_4e-4;
    // Adding 1.5·2²³ rounds to the nearest integer and leaves that integer in the low bits.
    const ROUND: f32 = 12_582_912.0;
    let x = min(max(x, -87.0), 88.0);
    let shifted = x * LOG2_E + ROUND;
    let n = shifted - ROUND;
    let r = x - n * LN2_HIGH - n * LN2_LOW;
    // (eʳ − 1 − r)/r² for |r| ≤ ln 2 / 2, with the least largest relative error in eʳ: 3·10⁻⁹ before rounding.
    let p = 1.381_446_5e-3;
    let p = p * r + 8.368_781e-3;
    let p = p * r + 4.166_839_3e-2;
    let p = p * r + 0.166_665_2;
    let p = p * r + 0.499_999_94;
    let p = p * r * r + r + 1.0;
    let scale = f32::from_bits(
        (shifted
            .to_bits()
            .wrapping_sub(ROUND.to_bits())
            .wrapping_add(127))
            << 23,
    );
    p * scale
}

/// The natural logarithm of a positive normal number; absolute error below 3e-7 near 1, relative elsewhere.
#[inline(always)]
pub fn log(x: f32) -> f32 {
    let bits = x.to_bits();
    // Splits x = m·2ᵉ with m in [√½, √2).
    let shifted = bits.wrapping_sub(0x3F35_04F3);
    let e = (shifted as i32) >> 23;
    let m = f32::from_bits((shifted & 0x007F_FFFF).wrapping_add(0x3F35_04F3)) - 1.0;
    // log(1 + m) = 2 atanh(t), t = m / (2 + m).
    let t = m / (2.0 + m);
    let t2 = t * t;
    let p = 0.222_222_22 * t2 + 0.285_714_3;
    let p = p * t2 + 0.4;
    let p = p * t2 + 0.666_666_7;
    let series = t * (p * t2) + 2.0 * t;
    e as f32 * core::f32::consts::LN_2 + series
}

/// (eˣ − 1)/x, which is 1 at 0: the finite form of the rate functions of Hodgkin and Huxley.
#[inline(always)]
pub fn ratio_expm1(x: f32) -> f32 {
    select((exp(x) - 1.0) / x, 1.0 + 0.5 * x, abs(x) < 1e-3)
}

/// Sine and cosine of 2π·`turn` for `turn` in [0, 1); absolute error below 3e-7.
#[inline(always)]
pub fn sin_cos_turn(turn: f32) -> (f32, f32) {
    const ROUND: f32 = 12_582_912.0;
    let shifted = turn * 4.0 + ROUND;
    let quadrant = shifted.to_bits() & 3;
    let r = (turn * 4.0 - (shifted - ROUND)) * core::f32::consts::FRAC_PI_2;
    let r2 = r * r;
    let s =
        r + r * r2 * (-0.166_666_67 + r2 * (8.333_333e-3 + r2 * (-1.984_127e-4 + r2 * 2.755_7e-6)));
    let c = 1.0 + r2 * (-0.5 + r2 * (4.166_666_8e-2 + r2 * (-1.388_888_9e-3 + r2 * 2.480_16e-5)));
    let swap = quadrant & 1 == 1;
    let (a, b) = (select(s, c, swap), select(c, s, swap));
    (
        select(a, -a, quadrant & 2 == 2),
        select(b, -b, quadrant == 1 || quadrant == 2),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exp_agrees_with_libm() {
        for i in -860_000..870_000 {
            let x = i as f32 * 1e-4;
            let want = libm::exp(f64::from(x));
            let error = (f64::from(exp(x)) / want - 1.0).abs();
            assert!(error < 1e-7, "exp({x}): relative error {error}");
        }
        assert!(exp(-1e30) > 0.0 && exp(-1e30) < 2e-38);
        assert!(exp(1e30).is_finite());
    }

    #[test]
    fn log_agrees_with_libm() {
        for i in 1..200_000 {
            let x = i as f32 * 1.7e-4;
            let want = libm::log(f64::from(x));
            let error = (f64::from(log(x)) - want).abs() / want.abs().max(1.0);
            assert!(error < 3e-7, "log({x}): error {error}");
        }
        assert!((log(1e-10) + 23.025_85).abs() < 1e-5);
    }

    #[test]
    fn sine_and_cosine_agree_with_libm() {
        for i in 0..100_000 {
            let turn = i as f32 * 1e-5;
            let angle = f64::from(turn) * core::f64::consts::TAU;
            let (s, c) = sin_cos_turn(turn);
            let error = (f64::from(s) - libm::sin(angle))
                .abs()
                .max((f64::from(c) - libm::cos(angle)).abs());
            assert!(error < 1e-6, "turn {turn}: error {error}");
        }
    }

    #[test]
    fn ratio_is_continuous_at_zero() {
        assert_eq!(ratio_expm1(0.0), 1.0);
        assert!((ratio_expm1(1e-3) - ratio_expm1(0.999e-3)).abs() < 1e-4);
        assert!((ratio_expm1(1.0) - 1.718_281_8).abs() < 1e-6);
    }
}
