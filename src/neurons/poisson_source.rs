//! Neurons that spike at random, each independently: a Poisson process whose rate may change in time.
//!
//! ```text
//! λ(t) = max(0, rate + course(t)),   p = 1 − exp(−λ(t) dt) in the step that begins at t
//!
//! Constant:   course(t) = 0
//! Piecewise:  course(t) = the last listed rate whose time has come, 0 before the first
//! Sinusoidal: course(t) = amplitude · sin(2π f t + phase)
//! ```
//!
//! | symbol | field | default | unit |
//! |---|---|---|---|
//! | rate | `rate_hz` | 0 | Hz |
//! | course(t) | `course` | `Constant` | Hz |
//!
//! `rate_hz` may differ from neuron to neuron; the course is added to all of them. So `rate_hz` is the mean of a sinusoidal
//! rate, and 0 with an absolute list.
//!
//! **Receptors**: none; it takes no input.
//!
//! **Integration**: at most one spike per neuron and step, with exactly the probability p that a Poisson process of that rate has at
//! least one in it. The number is a hash of (seed, region, step, neuron), compared with p · 2³²: nothing is kept from step to step,
//! and the spikes are the same for any number of threads and any vector width. For input of many sources in one
//! step see the `Poisson` stimulus, which sends any number.
//!
//! **Not modelled**: refractoriness; several spikes in one step.
//!
//! **Source**: Dayan & Abbott 2001, Theoretical Neuroscience, section 1.4.
//!
//! **Scenes**: `brunel2000` has the same input as a stimulus.

use super::{BuildRegion, RegisterNeuron, Sample, SourceModel, SourceStep};
use crate::network::distribution::Distribution;
use crate::sim::columns::LANES;
use crate::sim::kernel::spike_mask;
use crate::sim::quantity::{Range, Unit};
use crate::sim::rng::{Purpose, Random, mix};
use crate::sim::simd::SimdLevel;
use crate::sim::workers::Shares;
use bevy::prelude::*;

pub(super) fn plugin(app: &mut App) {
    app.register_source::<PoissonSource>();
}

/// Neurons that spike at random. See the [module](self).
#[derive(Component, Reflect, Clone, Debug, Default)]
#[reflect(Default)]
pub struct PoissonSource {
    /// The rate of each neuron, or what its time course is added to.
    #[reflect(@Unit("Hz"), @Range::non_negative())]
    pub rate_hz: Distribution,
    /// How the rate changes in time.
    pub course: RateCourse,
}

/// What is added to a rate as time goes on.
#[derive(Reflect, Clone, Debug, Default, PartialEq)]
#[reflect(Default)]
pub enum RateCourse {
    /// Nothing.
    #[default]
    Constant,
    /// (time in ms, rate in Hz), in the order of time: each lasts until the next.
    Piecewise(Vec<(f64, f64)>),
    /// A sine.
    Sinusoidal {
        /// The amplitude.
        #[reflect(@Unit("Hz"), @Range::finite())]
        amplitude_hz: f64,
        /// The frequency.
        #[reflect(@Unit("Hz"), @Range::non_negative())]
        frequency_hz: f64,
        /// The phase at t = 0.
        #[reflect(@Unit("degrees"), @Range::finite())]
        phase_deg: f64,
    },
}

impl RateCourse {
    /// The rate in Hz at a time in ms.
    fn at(&self, t: f64) -> f64 {
        match self {
            Self::Constant => 0.0,
            Self::Piecewise(list) => match list.partition_point(|(from, _)| *from <= t + 1e-9) {
                0 => 0.0,
                n => list[n - 1].1,
            },
            Self::Sinusoidal {
                amplitude_hz,
                frequency_hz,
                phase_deg,
            } => {
                let turn = frequency_hz * 1e-3 * t + phase_deg / 360.0;
                amplitude_hz * libm::sin(core::f64::consts::TAU * (turn - turn.floor()))
            }
        }
    }
}

/// What the steps of a [`PoissonSource`] need.
#[derive(Component)]
pub struct PoissonPlan {
    rate_hz: Rates,
    course: RateCourse,
}

enum Rates {
    /// The rate of all neurons in Hz.
    Shared(f64),
    /// exp(−rate · dt) of each neuron, padded to whole chunks.
    Own(Vec<f64>),
}

/// p · 2³², at most 2³² − 1.
fn threshold(survival: f64) -> u32 {
    ((1.0 - survival) * 4_294_967_296.0) as u32
}

impl SourceModel for PoissonSource {
    type Plan = PoissonPlan;

    fn plan(&self, region: &BuildRegion<'_>) -> Result<PoissonPlan, String> {
        let sample = |neuron| Sample::new(region.seed, region.key, neuron, &[]);
        let rate = |neuron| sample(neuron).parameter("rate_hz", &self.rate_hz);
        let rate_hz = if self.rate_hz.is_constant() {
            Rates::Shared(rate(0))
        } else {
            let padded = (region.neurons as usize).next_multiple_of(LANES);
            let survival = |n: usize| {
                let n = (n as u32).min(region.neurons - 1);
                libm::exp(-rate(n).max(0.0) * region.dt_ms * 1e-3)
            };
            Rates::Own((0..padded).map(survival).collect())
        };
        Ok(PoissonPlan {
            rate_hz,
            course: self.course.clone(),
        })
    }

    fn fire(plan: &PoissonPlan, at: &SourceStep<'_>, mask: &mut [u64]) {
        let course = plan.course.at(at.step as f64 * at.dt_ms);
        let seconds = at.dt_ms * 1e-3;
        let odds = match &plan.rate_hz {
            Rates::Shared(rate) => {
                Odds::Shared(threshold(libm::exp(-(rate + course).max(0.0) * seconds)))
            }
            Rates::Own(survival) => Odds::Own(survival, libm::exp(-course * seconds)),
        };
        if matches!(odds, Odds::Shared(0)) {
            return;
        }
        let key = Random::new(at.seed, at.key, Purpose::Poisson).step_key(at.step);
        let (words, lanes) = (mask.len(), at.workers.lanes());
        let shares = Shares::new(mask);
        at.workers.run(&|lane| {
            for chunk in (lane..words).step_by(lanes) {
                let bits = match &odds {
                    Odds::Shared(threshold) => shared_chunk(at.simd, *threshold, key, chunk as u32),
                    Odds::Own(survival, course) => {
                        own_chunk(&survival[chunk * LANES..], *course, key, chunk as u32)
                    }
                };
                // SAFETY: each lane has its own words.
                unsafe { *shares.get(chunk) = bits };
            }
        });
    }

    fn check(&self, _region: &BuildRegion<'_>) -> Result<(), String> {
        if let RateCourse::Piecewise(list) = &self.course {
            if let Some((time, rate)) = list.iter().find(|(t, r)| !(t.is_finite() && r.is_finite()))
            {
                return Err(format!(
                    "course: ({time}, {rate}) must be two finite numbers"
                ));
            }
            if let Some(w) = list.windows(2).find(|w| w[1].0 <= w[0].0) {
                return Err(format!(
                    "course: times must ascend, but {} ms follows {} ms",
                    w[1].0, w[0].0
                ));
            }
        }
        Ok(())
    }
}

/// The odds of a spike in one step.
enum Odds<'a> {
    /// p · 2³² of every neuron.
    Shared(u32),
    /// exp(−rate · dt) of each neuron and the factor that the course brings.
    Own(&'a [f64], f64),
}

/// One chunk of neurons with odds of their own. A course below −rate would make survival more than certain: that is 1.
fn own_chunk(survival: &[f64], course: f64, key: [u32; 2], chunk: u32) -> u64 {
    let mut flags = [0u32; LANES];
    for (i, (flag, survival)) in flags.iter_mut().zip(survival).enumerate() {
        let word = mix(chunk * LANES as u32 + i as u32, key);
        *flag = u32::from(word < threshold(survival * course));
    }
    spike_mask(&flags)
}

#[inline(always)]
fn shared_body(threshold: u32, key: [u32; 2], chunk: u32) -> u64 {
    let mut flags = [0u32; LANES];
    for (i, flag) in flags.iter_mut().enumerate() {
        *flag = u32::from(mix(chunk * LANES as u32 + i as u32, key) < threshold);
    }
    spike_mask(&flags)
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn shared_avx2(threshold: u32, key: [u32; 2], chunk: u32) -> u64 {
    shared_body(threshold, key, chunk)
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq")]
fn shared_avx512(threshold: u32, key: [u32; 2], chunk: u32) -> u64 {
    shared_body(threshold, key, chunk)
}

/// One chunk of neurons that share their odds.
fn shared_chunk(simd: SimdLevel, threshold: u32, key: [u32; 2], chunk: u32) -> u64 {
    match simd {
        // SAFETY: the level was detected on this processor.
        #[cfg(target_arch = "x86_64")]
        SimdLevel::Avx2 => unsafe { shared_avx2(threshold, key, chunk) },
        // SAFETY: as above.
        #[cfg(target_arch = "x86_64")]
        SimdLevel::Avx512 => unsafe { shared_avx512(threshold, key, chunk) },
        _ => shared_body(threshold, key, chunk),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::files::NoFiles;
    use crate::sim::workers::Workers;

    const NEURONS: u32 = 1000;

    fn region(source: &PoissonSource, dt_ms: f64) -> BuildRegion<'_> {
        BuildRegion {
            model: source,
            initial: &[],
            seed: 5,
            key: 7,
            neurons: NEURONS,
            dt_ms,
            files: &NoFiles,
        }
    }

    fn plan(source: &PoissonSource, dt_ms: f64) -> PoissonPlan {
        let region = region(source, dt_ms);
        source.plan(&region).expect("a valid source")
    }

    /// The spikes of each neuron in the steps `from..to`.
    fn counts(
        source: &PoissonSource,
        dt_ms: f64,
        from: u64,
        to: u64,
        lanes: usize,
        simd: SimdLevel,
    ) -> Vec<u32> {
        let plan = plan(source, dt_ms);
        let workers = Workers::new(lanes);
        let mut counts = vec![0; NEURONS as usize];
        for step in from..to {
            let mut mask = [0u64; NEURONS.div_ceil(64) as usize];
            let at = SourceStep {
                step,
                dt_ms,
                seed: 5,
                key: 7,
                workers: &workers,
                simd,
            };
            PoissonSource::fire(&plan, &at, &mut mask);
            for (n, count) in counts.iter_mut().enumerate() {
                *count += (mask[n / 64] >> (n % 64)) as u32 & 1;
            }
        }
        counts
    }

    fn total(source: &PoissonSource, dt_ms: f64, from: u64, to: u64) -> f64 {
        counts(source, dt_ms, from, to, 1, SimdLevel::Portable)
            .iter()
            .map(|&c| f64::from(c))
            .sum()
    }

    /// A sum of independent spikes within 4.5 standard deviations of its expectation.
    fn assert_near(found: f64, p: f64, trials: f64, what: &str) {
        let (mean, sd) = (p * trials, (p * (1.0 - p) * trials).sqrt());
        assert!(
            (found - mean).abs() < 4.5 * sd,
            "{what}: {found} of {mean} ± {sd}"
        );
    }

    #[test]
    fn spikes_have_the_probability_of_the_poisson_process() {
        for (rate, dt) in [(0.5, 0.1), (15.0, 0.1), (100.0, 1.0), (2000.0, 1.0)] {
            let source = PoissonSource {
                rate_hz: rate.into(),
                ..default()
            };
            let p = 1.0 - (-rate * dt * 1e-3f64).exp();
            assert_near(
                total(&source, dt, 0, 2000),
                p,
                2e6,
                &format!("{rate} Hz in steps of {dt} ms"),
            );
        }
        assert_eq!(total(&PoissonSource::default(), 0.1, 0, 100), 0.0);
    }

    #[test]
    fn counts_of_neurons_have_the_variance_of_the_process() {
        let source = PoissonSource {
            rate_hz: 50.0.into(),
            ..default()
        };
        let counts = counts(&source, 1.0, 0, 2000, 1, SimdLevel::Portable);
        let mean = counts.iter().map(|&c| f64::from(c)).sum::<f64>() / 1000.0;
        let variance = counts
            .iter()
            .map(|&c| (f64::from(c) - mean).powi(2))
            .sum::<f64>()
            / 999.0;
        // Binomial: p(1 − p) n; its estimate from 1000 neurons has a relative SD of 4.5 %.
        let p = 1.0 - (-0.05f64).exp();
        assert!(
            (variance / (2000.0 * p * (1.0 - p)) - 1.0).abs() < 0.18,
            "variance {variance}"
        );
    }

    #[test]
    fn rates_of_neurons_differ_as_drawn() {
        let source = PoissonSource {
            rate_hz: Distribution::Uniform {
                min: 0.0,
                max: 200.0,
            },
            ..default()
        };
        let found = counts(&source, 1.0, 0, 2000, 1, SimdLevel::Portable);
        for n in 0..NEURONS {
            let rate = Sample::new(5, 7, n, &[]).parameter("rate_hz", &source.rate_hz);
            let p = 1.0 - (-rate * 1e-3).exp();
            let sd = (p * (1.0 - p) * 2000.0).sqrt() + 0.5;
            assert!(
                (f64::from(found[n as usize]) - 2000.0 * p).abs() < 5.0 * sd,
                "neuron {n} at {rate} Hz: {}",
                found[n as usize]
            );
        }
    }

    #[test]
    fn a_listed_course_changes_the_rate_when_its_time_comes() {
        for rate_hz in [
            Distribution::Constant(0.0),
            Distribution::Uniform {
                min: 0.0,
                max: 1e-9,
            },
        ] {
            let course = RateCourse::Piecewise(vec![(50.0, 40.0), (100.0, 0.0), (150.0, 80.0)]);
            let source = PoissonSource { rate_hz, course };
            for (from, to, rate) in [
                (0, 50, 0.0),
                (50, 100, 40.0),
                (100, 150, 0.0),
                (150, 300, 80.0),
            ] {
                let found = total(&source, 1.0, from, to);
                if rate == 0.0 {
                    assert_eq!(found, 0.0, "from {from} to {to} ms");
                } else {
                    let p = 1.0 - (-rate * 1e-3f64).exp();
                    assert_near(
                        found,
                        p,
                        (to - from) as f64 * 1000.0,
                        &format!("from {from} to {to} ms"),
                    );
                }
            }
        }
        let twice = PoissonSource {
            course: RateCourse::Piecewise(vec![(5.0, 1.0), (5.0, 2.0)]),
            ..default()
        };
        assert!(
            twice
                .check(&region(&twice, 0.1))
                .expect_err("5 ms twice")
                .contains("must ascend")
        );
    }

    #[test]
    fn a_sinusoidal_course_swings_around_the_rate_and_stops_at_zero() {
        let course = RateCourse::Sinusoidal {
            amplitude_hz: 60.0,
            frequency_hz: 5.0,
            phase_deg: 90.0,
        };
        for rate_hz in [
            Distribution::Constant(40.0),
            Distribution::Uniform {
                min: 40.0,
                max: 40.000_001,
            },
        ] {
            let source = PoissonSource {
                rate_hz,
                course: course.clone(),
            };
            // A cosine of 200 ms: in each tenth of it, over ten turns, what λ comes to.
            for part in 0..10u64 {
                let (mut found, mut mean) = (0.0, 0.0);
                for turn in 0..10 {
                    let from = turn * 200 + part * 20;
                    found += total(&source, 1.0, from, from + 20);
                }
                for step in part * 20..part * 20 + 20 {
                    let rate = 40.0 + 60.0 * (core::f64::consts::TAU * 5e-3 * step as f64).cos();
                    mean += 10_000.0 * (1.0 - (-rate.max(0.0) * 1e-3).exp());
                }
                assert!(
                    (found - mean).abs() < 4.5 * mean.sqrt() + 1e-9,
                    "part {part}: {found} of {mean}"
                );
            }
        }
    }

    #[test]
    fn spikes_are_equal_for_any_threads_and_vector_width() {
        for rate_hz in [
            Distribution::Constant(30.0),
            Distribution::Uniform {
                min: 0.0,
                max: 60.0,
            },
        ] {
            let source = PoissonSource {
                rate_hz,
                ..default()
            };
            let one = counts(&source, 1.0, 0, 50, 1, SimdLevel::Portable);
            for lanes in [2, 7] {
                assert_eq!(counts(&source, 1.0, 0, 50, lanes, SimdLevel::detect()), one);
            }
        }
    }
}
