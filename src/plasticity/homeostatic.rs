//! Homeostatic scaling: all weights onto a neuron grow while it fires below its target rate and shrink while it fires above, by one
//! factor, so that what they have learnt relative to each other stays.
//!
//! ```text
//! r' = −r/τ_r,  r → r + 1/τ_r at a postsynaptic spike         w' = w (r₀ − r)/(r₀ τ)
//! ```
//!
//! and *w* stays within its bounds. *r* is the target neuron's own rate. Where all weights are inhibitory the sign of *w'* is the other one: the
//! magnitudes shrink while the neuron fires too little.
//!
//! | symbol | field | default | unit |
//! |---|---|---|---|
//! | r₀ | `rate_hz` | 5 | Hz |
//! | τ_r | `tau_rate_ms` | 10⁴ | ms |
//! | τ | `tau_ms` | 10⁵ | ms |
//! | | `every_ms` | 100 | ms |
//! | largest | `w_max` | that of the learning rule | receptor's |
//!
//! *r* starts at r₀. Scaling in the animal takes hours to days; the default is faster, as it must be to be stable beside fast Hebbian
//! learning, and ten times slower than the rate that it follows.
//!
//! *Integration.* Every `every_ms` each weight is multiplied by the exponential of the integral of (r₀ − r)/(r₀ τ) since the last time. The integral
//! is exact: it is that of *r*, which is the number of spikes less what *r* has gained times τ_r. So weights do not depend on the period at the
//! times that two periods share, as long as they stay within their bounds.
//!
//! *Not modelled.* Scaling by calcium; integral control.
//!
//! *Source.* Turrigiano, Leslie, Desai, Rutherford & Nelson (1998), doi:10.1038/36103; the equation: van Rossum, Bi & Turrigiano (2000), J Neurosci
//! 20:8812, without its integral term, doi:10.1523/JNEUROSCI.20-23-08812.2000; how fast it must be: Zenke, Hennequin & Gerstner (2013),
//! doi:10.1371/journal.pcbi.1003330; inhibition: Kilman, van Rossum & Turrigiano (2002), doi:10.1523/JNEUROSCI.22-04-01328.2002.
//!
//! *Scene.* `homeostasis`.

use super::history::take;
use super::tend::{Over, Tended};
use super::upkeep::{Care, Keeper, RegisterUpkeep, Setting, Upkeep, check_period};
use crate::sim::clock::to_steps;
use crate::sim::quantity::{Range, Unit};
use bevy::prelude::*;

/// Registers the rule.
pub fn plugin(app: &mut App) {
    app.register_upkeep::<HomeostaticScaling>();
}

/// Scaling of weights towards a target rate. See the [module](self).
#[derive(Component, Reflect, Clone, Debug, PartialEq)]
#[reflect(Default)]
pub struct HomeostaticScaling {
    /// The rate to which target neurons are brought.
    #[reflect(@Unit("Hz"), @Range::positive())]
    pub rate_hz: f64,
    /// Time constant of the rate of a target neuron.
    #[reflect(@Unit("ms"), @Range::positive())]
    pub tau_rate_ms: f64,
    /// Time constant of scaling.
    #[reflect(@Unit("ms"), @Range::positive())]
    pub tau_ms: f64,
    /// The time from one change to the next.
    #[reflect(@Unit("ms"), @Range::positive())]
    pub every_ms: f64,
    /// The largest weight; without it, that of the learning rule beside it.
    #[reflect(@Range::positive())]
    pub w_max: Option<f64>,
}

impl Default for HomeostaticScaling {
    fn default() -> Self {
        Self {
            rate_hz: 5.0,
            tau_rate_ms: 1e4,
            tau_ms: 1e5,
            every_ms: 100.0,
            w_max: None,
        }
    }
}

impl Upkeep for HomeostaticScaling {
    fn sees_to(&self) -> &'static str {
        "the rate of target neurons"
    }

    fn reach(&self, (low, high): (f64, f64)) -> Result<(f64, f64), String> {
        let Some(most) = self.w_max else {
            return Err(
                "there is no learning rule beside it whose bounds weights keep to; give it a w_max"
                    .into(),
            );
        };
        if low.abs().max(high) > most {
            return Err(format!(
                "w_max is {most}, but weights start from {low} to {high}; raise w_max or lower the weights"
            ));
        }
        Ok((if low < 0.0 { -most } else { 0.0 }, most))
    }

    fn check(&self, setting: &Setting) -> Result<(), String> {
        check_period(self.every_ms, setting.dt)
    }

    fn advice(&self, _setting: &Setting) -> Option<String> {
        (self.tau_ms < self.every_ms).then(|| {
            format!(
                "tau_ms is {} and every_ms {}: weights go from bound to bound at once; let tau_ms be longer than every_ms",
                self.tau_ms, self.every_ms
            )
        })
    }

    fn derive(&self, setting: &Setting) -> Care {
        let sign = if setting.inhibitory { -1.0 } else { 1.0 };
        Care::Periodic {
            every: to_steps(self.every_ms, setting.dt).max(1),
            keeper: Box::new(ScalingKeeper {
                rate: self.rate_hz * 1e-3,
                tau_rate: self.tau_rate_ms,
                per_tau: sign / self.tau_ms,
                dt: setting.dt,
                most: self.w_max.map_or(f32::INFINITY, |most| most as f32),
                began: 0,
                neurons: Vec::new(),
                factors: Vec::new(),
            }),
        }
    }
}

/// Beyond it a factor leads every weight to its bound, but is still a number.
const LARGEST_EXPONENT: f64 = 500.0;

/// The rate of a target neuron.
#[derive(Clone, Copy, Debug)]
struct Rate {
    /// Spikes per ms, at `time`.
    rate: f64,
    /// The stamp up to which it is worked out.
    time: u64,
    /// Its value when the period began.
    at_first: f64,
    /// Spikes since then.
    spikes: u32,
}

/// [`HomeostaticScaling`] at work; times in ms, rates per ms.
struct ScalingKeeper {
    rate: f64,
    tau_rate: f64,
    /// 1/τ; negative for magnitudes of inhibitory weights.
    per_tau: f64,
    dt: f64,
    most: f32,
    /// The stamp at which the period began.
    began: u64,
    neurons: Vec<Rate>,
    /// By what the weights of each neuron are multiplied.
    factors: Vec<f64>,
}

impl Keeper for ScalingKeeper {
    fn begin(&mut self, targets: usize) {
        let rested = Rate {
            rate: self.rate,
            time: 0,
            at_first: self.rate,
            spikes: 0,
        };
        self.neurons = vec![rested; targets];
    }

    fn resize(&mut self, now: u64, targets: usize) {
        // As if new neurons had spiked at the rate that is wanted since the period began.
        let so_far = (now - self.began) as f64 * self.dt;
        let rested = Rate {
            rate: self.rate,
            time: now,
            at_first: self.rate * (1.0 + so_far / self.tau_rate),
            spikes: 0,
        };
        self.neurons.resize(targets, rested);
    }

    fn spiked(&mut self, now: u64, targets: &[u32]) {
        for &target in targets {
            let neuron = &mut self.neurons[target as usize];
            let ms = (now - neuron.time) as f64 * self.dt;
            neuron.rate = neuron.rate * libm::exp(-ms / self.tau_rate) + 1.0 / self.tau_rate;
            neuron.time = now;
            neuron.spikes += 1;
        }
    }

    fn act(&mut self, now: u64, weights: &mut Tended<'_>) {
        let period = (now - self.began) as f64 * self.dt;
        self.factors.clear();
        for neuron in &mut self.neurons {
            let ms = (now - neuron.time) as f64 * self.dt;
            neuron.rate *= libm::exp(-ms / self.tau_rate);
            let integral =
                f64::from(neuron.spikes) - self.tau_rate * (neuron.rate - neuron.at_first);
            let exponent = (period - integral / self.rate) * self.per_tau;
            self.factors.push(libm::exp(exponent.min(LARGEST_EXPONENT)));
            (neuron.time, neuron.at_first, neuron.spikes) = (now, neuron.rate, 0);
        }
        self.began = now;
        let (most, factors) = (self.most, &self.factors);
        weights.change(Over::Targets, |target, weight| {
            let scaled = (f64::from(weight) * factors[target]) as f32;
            // What is above `most` already may only shrink.
            let most = most.max(weight.abs());
            scaled.clamp(-most, most)
        });
    }

    fn save(&self, now: u64, out: &mut Vec<u32>) {
        let mut put = |bits: u64| out.extend([bits as u32, (bits >> 32) as u32]);
        put(now - self.began);
        for neuron in &self.neurons {
            put(neuron.rate.to_bits());
            put(now - neuron.time);
            put(neuron.at_first.to_bits());
            put(u64::from(neuron.spikes));
        }
    }

    fn load(&mut self, now: u64, from: &mut &[u32]) -> Option<()> {
        let mut get = || Some(u64::from(take(from)?) | u64::from(take(from)?) << 32);
        self.began = now.checked_sub(get()?)?;
        let sound = |rate: &f64| (0.0..1e6).contains(rate);
        for neuron in &mut self.neurons {
            neuron.rate = Some(f64::from_bits(get()?)).filter(sound)?;
            neuron.time = now.checked_sub(get()?)?;
            neuron.at_first = Some(f64::from_bits(get()?)).filter(sound)?;
            neuron.spikes = u32::try_from(get()?).ok()?;
        }
        Some(())
    }
}
