//! Exponential decay over whole steps, looked up rather than worked out.

/// exp(−n·dt/τ) for any number n of steps, as the product of two entries of small tables: correct to about 10⁻⁷, without `exp` in
/// a loop, and the same on every machine.
#[derive(Clone, Debug)]
pub struct Decay {
    fine: Vec<f32>,
    coarse: Vec<f32>,
    shift: u32,
    /// The index of the last coarse entry, which is 0.
    last: usize,
    /// One less than the length of the fine table.
    mask: usize,
}

/// Below this, what is left counts as nothing.
const LEAST: f64 = 1e-30;

impl Decay {
    /// The decay with time constant `tau` in steps of `dt`, both in ms; a `tau` of 0 decays at once.
    pub fn new(tau: f64, dt: f64) -> Self {
        let steps = if tau > 0.0 {
            -libm::log(LEAST) * tau / dt
        } else {
            0.0
        };
        // Two tables of about equal length; more than 2^30 steps are never asked for.
        let bits = libm::log2(steps.clamp(1.0, 1_073_741_824.0)).ceil() as u32;
        let shift = bits.div_ceil(2).clamp(4, 15);
        let size = 1u32 << shift;
        let count = ((steps.min(1_073_741_824.0) / f64::from(size)) as u32).saturating_add(1);
        let after = |n: f64| {
            if n == 0.0 {
                1.0
            } else if tau > 0.0 {
                libm::exp(-n * dt / tau)
            } else {
                0.0
            }
        };
        let fine: Vec<f32> = (0..size).map(|n| after(f64::from(n)) as f32).collect();
        let mut coarse: Vec<f32> = (0..count)
            .map(|n| after(f64::from(n) * f64::from(size)) as f32)
            .collect();
        coarse.push(0.0);
        Self {
            last: coarse.len() - 1,
            mask: (size - 1) as usize,
            fine,
            coarse,
            shift,
        }
    }

    /// What is left of 1 after `steps` steps.
    #[inline(always)]
    pub fn after(&self, steps: u32) -> f32 {
        let coarse = ((steps >> self.shift) as usize).min(self.last);
        let fine = steps as usize & self.mask;
        // SAFETY: `last` is the last index of the coarse table, and `mask` one less than the fine table's power of two.
        unsafe { self.fine.get_unchecked(fine) * self.coarse.get_unchecked(coarse) }
    }
}

/// 1 − exp(−n·dt/τ) for any number n of steps, to about 10⁻⁷ of its value even where it is small: what slow decay takes away.
#[derive(Clone, Debug)]
pub struct Loss {
    fine: Vec<f32>,
    coarse: Vec<f32>,
    shift: u32,
}

impl Loss {
    /// The loss with time constant `tau`, more than 0, in steps of `dt`, both in ms.
    pub fn new(tau: f64, dt: f64) -> Self {
        let decay = Decay::new(tau, dt);
        let lost = |n: usize| -libm::expm1(-(n as f64) * dt / tau) as f32;
        let mut coarse: Vec<f32> = (0..decay.last).map(|n| lost(n << decay.shift)).collect();
        coarse.push(1.0);
        Self {
            fine: (0..=decay.mask).map(lost).collect(),
            coarse,
            shift: decay.shift,
        }
    }

    /// What is lost of 1 after `steps` steps.
    #[inline(always)]
    pub fn after(&self, steps: u32) -> f32 {
        let coarse = self.coarse[((steps >> self.shift) as usize).min(self.coarse.len() - 1)];
        let fine = self.fine[steps as usize & (self.fine.len() - 1)];
        coarse + (1.0 - coarse) * fine
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decay_agrees_with_the_exponential() {
        for (tau, dt) in [
            (20.0, 0.1),
            (20.0, 1.0),
            (1000.0, 0.1),
            (1e7, 0.5),
            (0.3, 0.1),
        ] {
            let decay = Decay::new(tau, dt);
            assert_eq!(decay.after(0), 1.0);
            for n in [
                1u32,
                7,
                15,
                16,
                255,
                256,
                1000,
                4097,
                65_536,
                1 << 20,
                1 << 29,
            ] {
                let want = libm::exp(-f64::from(n) * dt / tau);
                let got = f64::from(decay.after(n));
                assert!(
                    (got - want).abs() <= 2e-7 * want + LEAST,
                    "tau {tau}, dt {dt}, {n} steps: {got}, want {want}"
                );
            }
            assert_eq!(Decay::new(0.0, dt).after(1), 0.0);
        }
    }

    #[test]
    fn loss_is_exact_where_it_is_small() {
        for (tau, dt) in [(20.0, 0.1), (1e4, 1.0), (1e8, 0.1), (0.3, 0.1)] {
            let loss = Loss::new(tau, dt);
            assert_eq!(loss.after(0), 0.0);
            for n in [1u32, 15, 256, 1000, 65_537, 1 << 20, 1 << 29] {
                let want = -libm::expm1(-f64::from(n) * dt / tau);
                let got = f64::from(loss.after(n));
                assert!(
                    (got - want).abs() <= 3e-7 * want,
                    "tau {tau}, dt {dt}, {n} steps: {got}, want {want}"
                );
            }
        }
    }

    #[test]
    fn tables_are_small() {
        for (tau, dt) in [(20.0, 0.1), (1000.0, 0.1), (1e7, 0.5)] {
            let decay = Decay::new(tau, dt);
            assert!(decay.fine.len() + decay.coarse.len() < 100_000);
        }
    }
}
