//! A cascade of responses at work, step by step, on several trains at once.
//!
//! In the step in which a spike arrives it enters the first stage at the end of the step; what comes out in a step is the integral over that
//! step of what the stages held at its start. So a spike that arrives at *t* brings ∫ κ from *t* to *t* + dt in the step after.

use super::cascade::Cascade;

/// What is left of a spike that counts as nothing: smaller numbers would end in those that processors are slow with.
const LEAST: f64 = 1e-120;

/// A cascade for steps of one length.
#[derive(Clone, Debug, PartialEq)]
pub struct Filter {
    /// The propagator over one step: rows of the stages, without what is above the diagonal.
    rows: Vec<Vec<f64>>,
    /// What each stage at the start of a step brings to what comes out in it.
    output: Vec<f64>,
    /// What a spike brings at once.
    direct: f64,
    windows: Vec<u32>,
}

/// The state of a filter for `N` trains.
#[derive(Clone, Debug, PartialEq)]
pub struct Trains<const N: usize> {
    /// Per stage.
    stages: Vec<[f64; N]>,
    /// Per window, as many steps as it has: what came in, by step.
    windows: Vec<[i64; N]>,
    /// Steps until nothing is in the windows any more.
    passing: u32,
    /// Whether a stage holds anything.
    rings: bool,
}

impl Filter {
    /// The filter of a cascade. What comes out is multiplied with `unit`.
    pub fn new(cascade: &Cascade, unit: f64) -> Self {
        let (stages, size) = (cascade.stages(), cascade.stages() + 1);
        let step = cascade.after(1.0);
        let gain = cascade.gain_of_integral() * unit;
        let last = step[stages * size..].iter().take(stages);
        Self {
            rows: (0..stages)
                .map(|i| step[i * size..=i * size + i].to_vec())
                .collect(),
            output: last.map(|part| part * gain).collect(),
            direct: if stages == 0 { gain } else { 0.0 },
            windows: cascade.windows().to_vec(),
        }
    }

    /// Trains in which nothing has come yet.
    pub fn silent<const N: usize>(&self) -> Trains<N> {
        let steps: u32 = self.windows.iter().sum();
        Trains {
            stages: vec![[0.0; N]; self.rows.len()],
            windows: vec![[0; N]; steps as usize],
            passing: 0,
            rings: false,
        }
    }

    /// The bytes that one train takes.
    pub fn bytes_per_train(cascade: &Cascade) -> f64 {
        let steps: u32 = cascade.windows().iter().sum();
        8.0 * (cascade.stages() as f64 + f64::from(steps))
    }

    /// Takes a step: `input` is what arrives in it. Returns what comes out in it.
    #[inline(always)]
    pub fn advance<const N: usize>(
        &self,
        trains: &mut Trains<N>,
        step: u64,
        mut input: [i64; N],
    ) -> [f64; N] {
        let mut output = [0.0; N];
        let arrives = input.iter().any(|n| *n != 0);
        if !arrives && !trains.rings && trains.passing == 0 {
            return output;
        }
        trains.passing = trains.passing.saturating_sub(1);
        if arrives {
            trains.passing = self.windows.iter().sum::<u32>();
        }
        let mut first = 0;
        for &length in &self.windows {
            let slot = &mut trains.windows[first + (step % u64::from(length)) as usize];
            for (input, slot) in input.iter_mut().zip(slot) {
                let ends = core::mem::replace(slot, *input);
                *input = input.wrapping_sub(ends);
            }
            first += length as usize;
        }
        if self.rows.is_empty() {
            for (output, input) in output.iter_mut().zip(input) {
                *output = self.direct * input as f64;
            }
            return output;
        }
        for (stage, part) in trains.stages.iter().zip(&self.output) {
            for (output, held) in output.iter_mut().zip(stage) {
                *output += part * held;
            }
        }
        let mut any = false;
        for (i, row) in self.rows.iter().enumerate().rev() {
            let (before, rest) = trains.stages.split_at_mut(i);
            let (own, stage) = (row[i], &mut rest[0]);
            for held in stage.iter_mut() {
                *held *= own;
            }
            for (earlier, part) in before.iter().zip(row) {
                for (held, earlier) in stage.iter_mut().zip(earlier) {
                    *held += part * earlier;
                }
            }
            if i == 0 {
                for (held, input) in stage.iter_mut().zip(input) {
                    *held += input as f64;
                }
            }
            for held in stage.iter_mut() {
                *held = if held.abs() < LEAST { 0.0 } else { *held };
                any |= *held != 0.0;
            }
        }
        trains.rings = any;
        output
    }

    /// The most that a single spike brings in one step: kernels rise to one peak. Looks no further than some hundred thousand steps.
    pub fn largest(&self) -> f64 {
        const FURTHEST: u64 = 200_000;
        let mut trains = self.silent::<1>();
        let mut largest = self.advance(&mut trains, 0, [1])[0];
        for step in 1..FURTHEST {
            let [now] = self.advance(&mut trains, step, [0]);
            if now <= largest && step > 1 {
                break;
            }
            largest = largest.max(now);
        }
        largest
    }
}

impl<const N: usize> Trains<N> {
    /// The numbers of train `n` after `steps` steps, for a snapshot.
    pub fn save(&self, n: usize, filter: &Filter, steps: u64, out: &mut Vec<u64>) {
        out.extend(self.stages.iter().map(|stage| stage[n].to_bits()));
        for place in filter.places(steps) {
            out.push(self.windows[place][n] as u64);
        }
    }

    /// Takes what [`save`](Self::save) gave; false if it does not fit.
    pub fn load(&mut self, n: usize, filter: &Filter, steps: u64, from: &mut &[u64]) -> bool {
        let Some((own, rest)) = from.split_at_checked(self.stages.len() + self.windows.len())
        else {
            return false;
        };
        *from = rest;
        let (stages, windows) = own.split_at(self.stages.len());
        for (stage, bits) in self.stages.iter_mut().zip(stages) {
            let value = f64::from_bits(*bits);
            if !value.is_finite() {
                return false;
            }
            stage[n] = value;
            self.rings |= value != 0.0;
        }
        for (place, number) in filter.places(steps).zip(windows) {
            self.windows[place][n] = *number as i64;
            if *number != 0 {
                self.passing = filter.windows.iter().sum();
            }
        }
        true
    }
}

impl Filter {
    /// The places of what is in the windows, by window and from the oldest step to the newest, after `steps` steps.
    fn places(&self, steps: u64) -> impl Iterator<Item = usize> {
        let mut first = 0;
        self.windows.iter().flat_map(move |&length| {
            let start = first;
            first += length as usize;
            let length = u64::from(length);
            (steps..steps + length).map(move |step| start + (step % length) as usize)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::Response::{self, *};
    use super::*;

    /// What one spike in step 0 brings in each of so many steps.
    fn impulse(sequence: &[Response], dt: f64, steps: u64) -> Vec<f64> {
        let filter = Filter::new(&Cascade::new(sequence, dt), 1.0);
        let mut trains = filter.silent::<3>();
        (0..steps)
            .map(|step| {
                let input = if step == 0 { [0, 1, 0] } else { [0; 3] };
                let [before, here, after] = filter.advance(&mut trains, step, input);
                assert_eq!([before, after], [0.0; 2]);
                here
            })
            .collect()
    }

    /// The integral of a kernel from its start to a time in ms, written by hand.
    fn integral(response: Response, t: f64) -> f64 {
        let decayed = |tau: f64| tau * -libm::expm1(-t / tau);
        match response {
            Leaky { tau } => decayed(tau),
            Flat => t,
            LimitedFlat { window } => t.min(window),
            Alpha { tau } => core::f64::consts::E * (decayed(tau) - t * libm::exp(-t / tau)),
            DifferenceOfExponentials {
                tau_rise,
                tau_decay,
            } => {
                let peak =
                    libm::log(tau_decay / tau_rise) * tau_decay * tau_rise / (tau_decay - tau_rise);
                let norm = 1.0 / (libm::exp(-peak / tau_decay) - libm::exp(-peak / tau_rise));
                norm * (decayed(tau_decay) - decayed(tau_rise))
            }
            Identity | Scaling { .. } => 0.0,
        }
    }

    #[test]
    fn each_step_brings_the_integral_of_the_kernel_over_it() {
        for response in [
            Leaky { tau: 15.0 },
            Leaky { tau: 0.02 },
            Flat,
            LimitedFlat { window: 10.0 },
            Alpha { tau: 3.0 },
            DifferenceOfExponentials {
                tau_rise: 0.5,
                tau_decay: 8.0,
            },
            DifferenceOfExponentials {
                tau_rise: 3.999,
                tau_decay: 4.0,
            },
        ] {
            for dt in [0.1, 0.5] {
                let got = impulse(&[response], dt, 600);
                assert_eq!(got[0], 0.0, "nothing in the step of the spike itself");
                for (step, got) in got.iter().enumerate().skip(1) {
                    let t = step as f64 * dt;
                    let want = integral(response, t) - integral(response, t - dt);
                    assert!(
                        (got - want).abs() < 2e-11 * t.max(1.0),
                        "{response:?}, {dt} ms, step {step}: {got}, want {want}"
                    );
                }
            }
        }
        assert_eq!(impulse(&[Identity], 0.1, 3), [1.0, 0.0, 0.0]);
        let scaled = [Scaling { gain: 0.5 }, Identity, Scaling { gain: 3.0 }];
        assert_eq!(impulse(&scaled, 0.1, 3), [1.5, 0.0, 0.0]);
    }

    /// The kernel of a sequence by summing, in steps of a thousandth of a step, over kernels written by hand.
    fn convolved(sequence: &[Response], dt: f64, steps: usize) -> Vec<f64> {
        const FINE: usize = 400;
        let h = dt / FINE as f64;
        let count = steps * FINE;
        // Each kernel as what it brings in every fine step; impulses scale.
        let mut signal = vec![0.0; count];
        signal[0] = 1.0;
        let mut lasting = 0;
        for response in sequence {
            if let Scaling { gain } = response {
                signal.iter_mut().for_each(|s| *s *= gain);
            }
            if matches!(response, Identity | Scaling { .. }) {
                continue;
            }
            lasting += 1;
            let kernel: Vec<f64> = (0..count)
                .map(|i| {
                    integral(*response, (i + 1) as f64 * h) - integral(*response, i as f64 * h)
                })
                .collect();
            signal = (0..count)
                .map(|i| (0..=i).map(|j| signal[j] * kernel[i - j]).sum())
                .collect();
        }
        assert!(lasting > 0);
        signal
            .chunks(FINE)
            .map(|chunk| chunk.iter().sum())
            .collect()
    }

    #[test]
    fn sequences_are_convolutions() {
        for sequence in [
            vec![
                Leaky { tau: 3.0 },
                Scaling { gain: 0.5 },
                Leaky { tau: 3.0 },
            ],
            vec![Leaky { tau: 2.0 }, LimitedFlat { window: 3.0 }],
            vec![
                LimitedFlat { window: 2.0 },
                Identity,
                LimitedFlat { window: 3.5 },
                Alpha { tau: 1.0 },
            ],
            vec![Flat, Leaky { tau: 1.5 }],
        ] {
            let dt = 0.5;
            let got = impulse(&sequence, dt, 21);
            let want = convolved(&sequence, dt, 20);
            let peak = want.iter().fold(0.0f64, |a, b| a.max(*b));
            for (step, (got, want)) in got[1..].iter().zip(&want).enumerate() {
                // The sum places every signal up to one fine step late per response.
                assert!(
                    (got - want).abs() < 0.012 * peak,
                    "{sequence:?}, step {step}: {got}, want {want}"
                );
            }
        }
    }

    #[test]
    fn order_does_not_matter_and_windows_leave_nothing() {
        let mut sequence = vec![
            LimitedFlat { window: 2.0 },
            Alpha { tau: 1.0 },
            Scaling { gain: 0.3 },
            LimitedFlat { window: 1.2 },
        ];
        let first = impulse(&sequence, 0.1, 100);
        sequence.reverse();
        for (a, b) in first.iter().zip(impulse(&sequence, 0.1, 100)) {
            assert!((a - b).abs() < 1e-14);
        }
        let cascade = Cascade::new(
            &[LimitedFlat { window: 2.0 }, LimitedFlat { window: 1.2 }],
            0.1,
        );
        let filter = Filter::new(&cascade, 1.0);
        let mut trains = filter.silent::<1>();
        let mut state = 7u64;
        for step in 0..5000 {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            filter.advance(&mut trains, step, [(state >> 40) as i64]);
        }
        for step in 5000..5034 {
            filter.advance(&mut trains, step, [0]);
        }
        assert_eq!(trains.stages, filter.silent::<1>().stages);
        assert!(!trains.rings && trains.passing == 0);
    }

    #[test]
    fn the_whole_brings_the_area_and_the_largest_step_is_found() {
        for sequence in [
            vec![Alpha { tau: 2.0 }],
            vec![Leaky { tau: 4.0 }, LimitedFlat { window: 3.0 }],
        ] {
            let cascade = Cascade::new(&sequence, 0.1);
            let got = impulse(&sequence, 0.1, 4000);
            let sum: f64 = got.iter().sum();
            assert!((sum / cascade.area() - 1.0).abs() < 1e-10);
            let largest = got.iter().fold(0.0f64, |a, b| a.max(*b));
            assert_eq!(Filter::new(&cascade, 1.0).largest(), largest);
        }
    }
}
