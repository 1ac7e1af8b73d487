//! Leaky integrate-and-fire neuron with exponential synaptic currents whose threshold rises with every spike and falls back slowly.
//!
//! ```text
//! C dV/dt = −(C/τ_m)(V − E_L) + I_ex + I_in + I_e + I_stim
//! dI_x/dt = −I_x/τ_x,   I_x ← I_x + w for each spike that arrives
//! dθ/dt = −θ/τ_θ,       θ ← θ + Δθ at each spike of the neuron
//! V ≥ V_th + θ: spike; V ← V_reset, held for t_ref
//! ```
//!
//! | symbol | field | default | unit |
//! |---|---|---|---|
//! | E_L | `e_l` | −70 | mV |
//! | C | `c_m` | 250 | pF |
//! | τ_m | `tau_m` | 10 | ms |
//! | V_th | `v_th` | −55 | mV |
//! | Δθ | `theta_step` | 0.05 | mV |
//! | τ_θ | `tau_theta` | 10⁷ | ms |
//! | V_reset | `v_reset` | −70 | mV |
//! | t_ref | `t_ref` | 2 | ms |
//! | τ_ex, τ_in | `tau_syn_ex`, `tau_syn_in` | 2, 2 | ms |
//! | I_e | `i_e` | 0 | pA |
//!
//! With a τ_θ of hours this is homoeostasis: neurons that fire often become hard to excite, so that all of a region come to be used. With
//! one of 20 to 1000 ms it is spike-frequency adaptation.
//!
//! **Receptors**: `excitatory` and `inhibitory`, weights in pA. A projection without a `receptor` goes by the sign of its weights.
//!
//! **Integration**: membrane and currents exactly, as in [`LifExp`](super::lif_exp::LifExp). The threshold falls by a factor so close to 1
//! that single precision cannot hold it (1 − 10⁻⁸ per step at the default), so θ is not carried from step to step but worked out from its
//! value at the last spike, `theta_event`, and the steps since, `theta_age`: θ = θ_event + θ_event·expm1(−age·dt/τ_θ). After 2²⁰ steps
//! without a spike the present value becomes the new starting point, so that the count stays exact. Whoever changes θ in a running
//! simulation sets `theta_event` to it and `theta_age` to 0. Currents below 10⁻¹⁵ pA are set to 0.
//!
//! **Not modelled**: reversal potentials, escape noise, several time scales of the threshold; see [`Mat2`](super::mat2::Mat2) for the last.
//!
//! **Source**: Diehl & Cook 2015, Front. Comput. Neurosci. 9:99, doi:10.3389/fncom.2015.00099, section Homoeostasis (theirs has conductances).
//!
//! **Scenes**: `neuron_zoo`.

use super::lif_exp::exponential_propagator;
use super::{NeuronModel, Receptor, RegisterNeuron, Sample, Sign, check_below, refractory_steps};
use crate::kernel;
use crate::network::distribution::Distribution;
use crate::sim::quantity::{Range, Unit};
use bevy::prelude::*;

pub(super) fn plugin(app: &mut App) {
    app.register_neuron::<LifAdaptive>();
}

/// Leaky integrate-and-fire neuron with an adaptive threshold. See the [module](self).
#[derive(Component, Reflect, Clone, Debug)]
#[reflect(Default)]
pub struct LifAdaptive {
    /// Resting potential.
    #[reflect(@Unit("mV"), @Range::finite())]
    pub e_l: Distribution,
    /// Membrane capacitance.
    #[reflect(@Unit("pF"), @Range::positive())]
    pub c_m: Distribution,
    /// Membrane time constant.
    #[reflect(@Unit("ms"), @Range::positive())]
    pub tau_m: Distribution,
    /// Spike threshold before the first spike.
    #[reflect(@Unit("mV"), @Range::finite())]
    pub v_th: Distribution,
    /// Rise of the threshold at a spike.
    #[reflect(@Unit("mV"), @Range::finite())]
    pub theta_step: Distribution,
    /// Time constant with which the threshold falls back.
    #[reflect(@Unit("ms"), @Range::positive())]
    pub tau_theta: Distribution,
    /// Membrane potential after a spike.
    #[reflect(@Unit("mV"), @Range::finite())]
    pub v_reset: Distribution,
    /// Refractory period.
    #[reflect(@Unit("ms"), @Range::non_negative())]
    pub t_ref: Distribution,
    /// Time constant of the excitatory current.
    #[reflect(@Unit("ms"), @Range::positive())]
    pub tau_syn_ex: Distribution,
    /// Time constant of the inhibitory current.
    #[reflect(@Unit("ms"), @Range::positive())]
    pub tau_syn_in: Distribution,
    /// Constant input current.
    #[reflect(@Unit("pA"), @Range::finite())]
    pub i_e: Distribution,
}

impl Default for LifAdaptive {
    fn default() -> Self {
        Self {
            e_l: (-70.0).into(),
            c_m: 250.0.into(),
            tau_m: 10.0.into(),
            v_th: (-55.0).into(),
            theta_step: 0.05.into(),
            tau_theta: 1e7.into(),
            v_reset: (-70.0).into(),
            t_ref: 2.0.into(),
            tau_syn_ex: 2.0.into(),
            tau_syn_in: 2.0.into(),
            i_e: 0.0.into(),
        }
    }
}

kernel! {
    /// One exact step.
    pub mod update;
    params {
        /// 1 − exp(−dt/τ_m).
        leak: f32,
        /// mV per pA of excitatory current.
        p_ex: f32,
        /// mV per pA of inhibitory current.
        p_in: f32,
        /// mV per pA of constant current.
        p_drive: f32,
        /// exp(−dt/τ_ex).
        decay_ex: f32,
        /// exp(−dt/τ_in).
        decay_in: f32,
        /// Where rest and the constant current draw the membrane (mV).
        v_infinity: f32,
        v_th: f32,
        v_reset: f32,
        refractory: i32,
        theta_step: f32,
        /// −dt/τ_θ.
        theta_rate: f32,
    }
    state {
        v: f32 in Membrane,
        i_ex: f32 in ExcitatoryCurrent of excitatory,
        i_in: f32 in InhibitoryCurrent of inhibitory,
        until: i32 in RefractoryUntil,
        theta: f32 in AdaptiveThreshold,
        theta_event: f32 in AdaptiveThresholdEvent,
        theta_age: f32 in AdaptiveThresholdAge,
    }
    input { drive, excitatory, inhibitory }
    step(p, s, x, now) {
        let is_held = remaining(s.until, now) > 0;
        let moved = s.v + (p.v_infinity - s.v) * p.leak + s.i_ex * p.p_ex + s.i_in * p.p_in + x.drive * p.p_drive;
        let age = s.theta_age + 1.0;
        let decay = age * p.theta_rate;
        let fallen = s.theta_event + s.theta_event * (decay * ratio_expm1(decay));
        let is_over = moved >= p.v_th + fallen;
        let spike = !is_held && is_over;
        let theta = select(fallen, fallen + p.theta_step, spike);
        let is_event = spike || age >= 1048576.0;
        Next(
            select(moved, p.v_reset, is_held || spike),
            fade(s.i_ex, p.decay_ex) + x.excitatory,
            fade(s.i_in, p.decay_in) + x.inhibitory,
            select(s.until, later(now, p.refractory + 1), spike),
            theta,
            select(s.theta_event, theta, is_event),
            select(age, 0.0, is_event),
            spike
        )
    }
}

impl NeuronModel for LifAdaptive {
    type Kernel = update::Executor;
    const RECEPTORS: &'static [Receptor] = &[
        Receptor {
            name: "excitatory",
            sign: Sign::Any,
            unit: "pA",
        },
        Receptor {
            name: "inhibitory",
            sign: Sign::Any,
            unit: "pA",
        },
    ];

    fn derive(&self, neuron: &Sample<'_>, dt: f64) -> update::Params {
        let at = |field, distribution| neuron.parameter(field, distribution);
        let (tau_m, c_m) = (at("tau_m", &self.tau_m), at("c_m", &self.c_m));
        let (tau_ex, tau_in) = (
            at("tau_syn_ex", &self.tau_syn_ex),
            at("tau_syn_in", &self.tau_syn_in),
        );
        let (e_l, i_e) = (at("e_l", &self.e_l), at("i_e", &self.i_e));
        let leak = -libm::expm1(-dt / tau_m);
        update::Params {
            leak: leak as f32,
            p_ex: exponential_propagator(tau_ex, tau_m, c_m, dt) as f32,
            p_in: exponential_propagator(tau_in, tau_m, c_m, dt) as f32,
            p_drive: (tau_m / c_m * leak) as f32,
            decay_ex: libm::exp(-dt / tau_ex) as f32,
            decay_in: libm::exp(-dt / tau_in) as f32,
            v_infinity: (e_l + i_e * tau_m / c_m) as f32,
            v_th: at("v_th", &self.v_th) as f32,
            v_reset: at("v_reset", &self.v_reset) as f32,
            refractory: refractory_steps(at("t_ref", &self.t_ref), dt),
            theta_step: at("theta_step", &self.theta_step) as f32,
            theta_rate: (-dt / at("tau_theta", &self.tau_theta)) as f32,
        }
    }

    fn is_self_driven(&self) -> bool {
        self.i_e != Distribution::Constant(0.0)
    }

    fn check(&self, _dt: f64) -> Result<(), String> {
        check_below(("v_reset", &self.v_reset), ("v_th", &self.v_th))
    }

    fn initial(&self, neuron: &Sample<'_>, _dt: f64) -> update::State {
        let theta = neuron.initial("theta", 0.0);
        update::State {
            v: neuron.initial("v", neuron.parameter("e_l", &self.e_l)) as f32,
            i_ex: neuron.initial("i_ex", 0.0) as f32,
            i_in: neuron.initial("i_in", 0.0) as f32,
            until: 0,
            theta: theta as f32,
            theta_event: neuron.initial("theta_event", theta) as f32,
            theta_age: neuron.initial("theta_age", 0.0) as f32,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::update::{Input, Next, Params, State, step};
    use super::*;
    use crate::neurons::lif_exp::{LifExp, update as fixed};

    const REST: Input = Input {
        drive: 0.0,
        excitatory: 0.0,
        inhibitory: 0.0,
    };

    fn derived(model: &LifAdaptive, dt: f64) -> (Params, State) {
        let sample = Sample::new(1, 1, 0, &[]);
        (model.derive(&sample, dt), model.initial(&sample, dt))
    }

    fn state(next: Next) -> State {
        State {
            v: next.v,
            i_ex: next.i_ex,
            i_in: next.i_in,
            until: next.until,
            theta: next.theta,
            theta_event: next.theta_event,
            theta_age: next.theta_age,
        }
    }

    #[test]
    fn the_threshold_falls_exponentially_however_slowly() {
        for tau in [1.0, 30.0, 1e3, 1e5, 1e7] {
            let (p, s) = derived(
                &LifAdaptive {
                    tau_theta: tau.into(),
                    ..default()
                },
                0.1,
            );
            let mut s = State {
                theta: 3.0,
                theta_event: 3.0,
                ..s
            };
            // Long enough for three new starting points.
            for now in 0..3_500_000 {
                s = state(step(p, s, REST, now));
                if now % 50_000 < 40 {
                    let fallen = -3.0 * libm::expm1(-0.1 * f64::from(now + 1) / tau);
                    let error = (3.0 - f64::from(s.theta) - fallen).abs();
                    // A few units in the last place of θ, and 10⁻⁴ of what it has lost.
                    assert!(
                        error < 1e-6 + 1e-4 * fallen,
                        "τ {tau} ms, step {now}: θ {}, want {}",
                        s.theta,
                        3.0 - fallen
                    );
                }
            }
        }
    }

    #[test]
    fn a_neuron_that_fires_regularly_reaches_the_threshold_of_the_geometric_series() {
        // A spike every 100 steps, each adding 0.05 mV, each interval losing 10⁻⁴ of the sum.
        let model = LifAdaptive {
            t_ref: 9.9.into(),
            v_th: (-1e6).into(),
            v_reset: (-2e6).into(),
            tau_theta: 1e5.into(),
            ..default()
        };
        let (p, mut s) = derived(&model, 0.1);
        let spikes = 50_000;
        for now in 0..spikes * 100 {
            let next = step(
                p,
                s,
                Input {
                    drive: 1e12,
                    ..REST
                },
                now,
            );
            assert_eq!(next.spike, now % 100 == 0, "step {now}");
            s = state(next);
        }
        let (kept, n) = (libm::exp(-1e-4), f64::from(spikes));
        // As of 99 steps after the last spike.
        let want = 0.05 * (1.0 - libm::pow(kept, n)) / (1.0 - kept) * libm::exp(-99e-6);
        assert!(
            (f64::from(s.theta) / want - 1.0).abs() < 1e-3,
            "θ {}, want {want}",
            s.theta
        );
        assert!(want < 0.05 * n * 0.25, "the decay is what is tested");
    }

    #[test]
    fn a_spike_lifts_the_threshold_and_the_next_needs_more() {
        let model = LifAdaptive {
            theta_step: 2.0.into(),
            tau_theta: 50.0.into(),
            ..default()
        };
        let (p, mut s) = derived(&model, 0.1);
        s.v = -55.0;
        let next = step(
            p,
            s,
            Input {
                drive: 500.0,
                ..REST
            },
            0,
        );
        assert!(next.spike);
        assert_eq!(
            (next.theta, next.theta_event, next.theta_age),
            (2.0, 2.0, 0.0)
        );
        let mut s = state(next);
        for now in 1..100 {
            s = state(step(p, s, REST, now));
        }
        let theta = 2.0 * libm::exp(-10.0 / 50.0);
        for (v, fires) in [(-55.0 + theta - 1e-3, false), (-55.0 + theta + 1e-3, true)] {
            // So that the leak of this step is made up for.
            let s = State { v: v as f32, ..s };
            let next = step(
                p,
                s,
                Input {
                    drive: ((v + 70.0) * 25.0) as f32,
                    ..REST
                },
                100,
            );
            assert_eq!(
                next.spike,
                fires,
                "{} mV against {} mV",
                next.v,
                -55.0 + next.theta
            );
        }
    }

    #[test]
    fn without_a_step_of_the_threshold_it_is_lif_exp() {
        let (p, mut s) = derived(
            &LifAdaptive {
                theta_step: 0.0.into(),
                i_e: 500.0.into(),
                ..default()
            },
            0.1,
        );
        let sample = Sample::new(1, 1, 0, &[]);
        let plain = LifExp {
            i_e: 500.0.into(),
            ..default()
        };
        let (q, mut r) = (plain.derive(&sample, 0.1), plain.initial(&sample, 0.1));
        let mut spikes = 0;
        for now in 0..2000 {
            let (excitatory, inhibitory) = (
                if now % 37 == 0 { 300.0 } else { 0.0 },
                if now % 53 == 0 { -400.0 } else { 0.0 },
            );
            let next = step(
                p,
                s,
                Input {
                    drive: 0.0,
                    excitatory,
                    inhibitory,
                },
                now,
            );
            let same = fixed::step(
                q,
                r,
                fixed::Input {
                    drive: 0.0,
                    excitatory,
                    inhibitory,
                },
                now,
            );
            assert_eq!((next.v, next.spike), (same.v, same.spike), "step {now}");
            spikes += u32::from(next.spike);
            s = state(next);
            r = fixed::State {
                v: same.v,
                i_ex: same.i_ex,
                i_in: same.i_in,
                until: same.until,
            };
        }
        assert!(spikes > 5);
    }
}
