//! Leaky integrate-and-fire neuron with alpha-shaped synaptic currents (NEST's `iaf_psc_alpha`).
//!
//! ```text
//! C dV/dt = −(C/τ_m)(V − E_L) + I_ex + I_in + I_e + I_stim
//! I_x(t) = w (e/τ_x) t exp(−t/τ_x) after a spike that arrives at 0: it peaks at w after τ_x
//! V ≥ V_th: spike; V ← V_reset, held for t_ref
//! ```
//!
//! | symbol | field | default | unit |
//! |---|---|---|---|
//! | E_L | `e_l` | −70 | mV |
//! | C | `c_m` | 250 | pF |
//! | τ_m | `tau_m` | 10 | ms |
//! | V_th | `v_th` | −55 | mV |
//! | V_reset | `v_reset` | −70 | mV |
//! | t_ref | `t_ref` | 2 | ms |
//! | τ_ex, τ_in | `tau_syn_ex`, `tau_syn_in` | 2, 2 | ms |
//! | I_e | `i_e` | 0 | pA |
//!
//! **Receptors**: `excitatory` and `inhibitory`, weights in pA. A projection without a `receptor` goes by the sign of its weights.
//!
//! **Integration**: exact. Each current is two linear variables, dI/dt = D − I/τ and dD/dt = −D/τ, and a spike adds w e/τ to D; with the
//! membrane that is a matrix of propagators computed once on the host (Rotter & Diesmann 1999, Biol. Cybern. 81:381,
//! doi:10.1007/s004220050570). The membrane moves by its distance from where it is drawn. Currents below 10⁻¹⁵ pA are set
//! to 0, because what decays for ever ends in numbers that processors are slow with.
//!
//! **Not modelled**: different times of rise and decay, reversal potentials; see
//! [`LifCondAlpha`](super::lif_cond_alpha::LifCondAlpha) for the latter.
//!
//! **Scenes**: none of its own; any that has `LifExp` runs with `LifAlpha` in its place.

use super::lif_exp::exponential_propagator;
use super::{NeuronModel, Receptor, RegisterNeuron, Sample, Sign, check_below, refractory_steps};
use crate::kernel;
use crate::network::distribution::Distribution;
use crate::sim::quantity::{Range, Unit};
use bevy::prelude::*;

pub(super) fn plugin(app: &mut App) {
    app.register_neuron::<LifAlpha>();
}

/// Leaky integrate-and-fire neuron with alpha-shaped synaptic currents. See the [module](self).
#[derive(Component, Reflect, Clone, Debug)]
#[reflect(Default)]
pub struct LifAlpha {
    /// Resting potential.
    #[reflect(@Unit("mV"), @Range::finite())]
    pub e_l: Distribution,
    /// Membrane capacitance.
    #[reflect(@Unit("pF"), @Range::positive())]
    pub c_m: Distribution,
    /// Membrane time constant.
    #[reflect(@Unit("ms"), @Range::positive())]
    pub tau_m: Distribution,
    /// Spike threshold.
    #[reflect(@Unit("mV"), @Range::finite())]
    pub v_th: Distribution,
    /// Membrane potential after a spike.
    #[reflect(@Unit("mV"), @Range::finite())]
    pub v_reset: Distribution,
    /// Refractory period.
    #[reflect(@Unit("ms"), @Range::non_negative())]
    pub t_ref: Distribution,
    /// Time from the start to the peak of the excitatory current.
    #[reflect(@Unit("ms"), @Range::positive())]
    pub tau_syn_ex: Distribution,
    /// Time from the start to the peak of the inhibitory current.
    #[reflect(@Unit("ms"), @Range::positive())]
    pub tau_syn_in: Distribution,
    /// Constant input current.
    #[reflect(@Unit("pA"), @Range::finite())]
    pub i_e: Distribution,
}

impl Default for LifAlpha {
    fn default() -> Self {
        Self {
            e_l: (-70.0).into(),
            c_m: 250.0.into(),
            tau_m: 10.0.into(),
            v_th: (-55.0).into(),
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
        /// mV per pA/ms of its slope.
        p_slope_ex: f32,
        /// mV per pA of inhibitory current.
        p_in: f32,
        /// mV per pA/ms of its slope.
        p_slope_in: f32,
        /// mV per pA of constant current.
        p_drive: f32,
        /// exp(−dt/τ_ex).
        decay_ex: f32,
        /// exp(−dt/τ_in).
        decay_in: f32,
        /// dt (ms).
        dt: f32,
        /// e/τ_ex (1/ms).
        start_ex: f32,
        /// e/τ_in (1/ms).
        start_in: f32,
        /// Where rest and the constant current draw the membrane (mV).
        v_infinity: f32,
        v_th: f32,
        v_reset: f32,
        refractory: i32,
    }
    state {
        v: f32 in Membrane,
        i_ex: f32 in ExcitatoryCurrent of excitatory,
        di_ex: f32 in ExcitatoryCurrentSlope of excitatory,
        i_in: f32 in InhibitoryCurrent of inhibitory,
        di_in: f32 in InhibitoryCurrentSlope of inhibitory,
        until: i32 in RefractoryUntil,
    }
    input { drive, excitatory, inhibitory }
    step(p, s, x, now) {
        let is_held = remaining(s.until, now) > 0;
        let excited = s.i_ex * p.p_ex + s.di_ex * p.p_slope_ex;
        let inhibited = s.i_in * p.p_in + s.di_in * p.p_slope_in;
        let moved = s.v + (p.v_infinity - s.v) * p.leak + excited + inhibited + x.drive * p.p_drive;
        let is_over = moved >= p.v_th;
        let spike = !is_held && is_over;
        Next(
            select(moved, p.v_reset, is_held || spike),
            cut((s.i_ex + s.di_ex * p.dt) * p.decay_ex),
            cut(s.di_ex * p.decay_ex + x.excitatory * p.start_ex),
            cut((s.i_in + s.di_in * p.dt) * p.decay_in),
            cut(s.di_in * p.decay_in + x.inhibitory * p.start_in),
            select(s.until, later(now, p.refractory + 1), spike),
            spike
        )
    }
}

/// ∫₀¹ uⁿ exp(−x u) du for x ≥ 0: what a variable that decays by exp(−x) in a step amounts to over the step.
pub(crate) fn decay_moment(power: u32, x: f64) -> f64 {
    if x > 1.0 {
        // By parts, from the moment before.
        let mut moment = -libm::expm1(-x) / x;
        for k in 1..=power {
            moment = (f64::from(k) * moment - libm::exp(-x)) / x;
        }
        return moment;
    }
    let (mut sum, mut term) = (0.0, 1.0);
    for k in 0..24u32 {
        sum += term / f64::from(power + 1 + k);
        term *= -x / f64::from(k + 1);
    }
    sum
}

/// The propagator from the slope of an alpha current (pA/ms) to the membrane (mV) over `dt`: the solution of the linear system,
/// with its limit where the two time constants agree.
fn slope_propagator(tau_syn: f64, tau_m: f64, c_m: f64, dt: f64) -> f64 {
    // ∫₀^dt e^{−(dt−s)/τ_m} s e^{−s/τ_syn} ds / C, with the slower exponential taken out so that what is left decays.
    let x = dt / tau_syn - dt / tau_m;
    let moment = if x >= 0.0 {
        decay_moment(1, x)
    } else {
        decay_moment(0, -x) - decay_moment(1, -x)
    };
    dt * dt / c_m * libm::exp(-dt / tau_syn.max(tau_m)) * moment
}

impl NeuronModel for LifAlpha {
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
            p_slope_ex: slope_propagator(tau_ex, tau_m, c_m, dt) as f32,
            p_in: exponential_propagator(tau_in, tau_m, c_m, dt) as f32,
            p_slope_in: slope_propagator(tau_in, tau_m, c_m, dt) as f32,
            p_drive: (tau_m / c_m * leak) as f32,
            decay_ex: libm::exp(-dt / tau_ex) as f32,
            decay_in: libm::exp(-dt / tau_in) as f32,
            dt: dt as f32,
            start_ex: (core::f64::consts::E / tau_ex) as f32,
            start_in: (core::f64::consts::E / tau_in) as f32,
            v_infinity: (e_l + i_e * tau_m / c_m) as f32,
            v_th: at("v_th", &self.v_th) as f32,
            v_reset: at("v_reset", &self.v_reset) as f32,
            refractory: refractory_steps(at("t_ref", &self.t_ref), dt),
        }
    }

    fn is_self_driven(&self) -> bool {
        self.i_e != Distribution::Constant(0.0)
    }

    fn check(&self, _dt: f64) -> Result<(), String> {
        check_below(("v_reset", &self.v_reset), ("v_th", &self.v_th))
    }

    fn initial(&self, neuron: &Sample<'_>, _dt: f64) -> update::State {
        update::State {
            v: neuron.initial("v", neuron.parameter("e_l", &self.e_l)) as f32,
            i_ex: neuron.initial("i_ex", 0.0) as f32,
            di_ex: neuron.initial("di_ex", 0.0) as f32,
            i_in: neuron.initial("i_in", 0.0) as f32,
            di_in: neuron.initial("di_in", 0.0) as f32,
            until: 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::update::{Input, Next, Params, State, step};
    use super::*;

    const REST: Input = Input {
        drive: 0.0,
        excitatory: 0.0,
        inhibitory: 0.0,
    };

    fn derived(model: &LifAlpha, dt: f64) -> (Params, State) {
        let sample = Sample::new(1, 1, 0, &[]);
        (model.derive(&sample, dt), model.initial(&sample, dt))
    }

    fn state(next: Next) -> State {
        State {
            v: next.v,
            i_ex: next.i_ex,
            di_ex: next.di_ex,
            i_in: next.i_in,
            di_in: next.di_in,
            until: next.until,
        }
    }

    /// The response of the membrane to a current w (e/τ) t exp(−t/τ), from rest.
    fn potential(t: f64, w: f64, tau: f64, tau_m: f64, c_m: f64) -> f64 {
        let b = 1.0 / tau - 1.0 / tau_m;
        let shape = if b == 0.0 {
            0.5 * t * t * libm::exp(-t / tau_m)
        } else {
            (libm::exp(-t / tau_m) - libm::exp(-t / tau) * (1.0 + b * t)) / (b * b)
        };
        w * core::f64::consts::E / tau / c_m * shape
    }

    #[test]
    fn current_and_membrane_follow_the_closed_form() {
        for (tau, tau_m) in [
            (2.0, 10.0),
            (10.0, 10.0),
            (10.001, 10.0),
            (20.0, 5.0),
            (0.2, 10.0),
        ] {
            let model = LifAlpha {
                tau_syn_ex: tau.into(),
                tau_m: tau_m.into(),
                v_th: 1e6.into(),
                ..default()
            };
            let (p, s) = derived(&model, 0.1);
            let mut s = state(step(
                p,
                s,
                Input {
                    excitatory: 500.0,
                    ..REST
                },
                0,
            ));
            assert_eq!((s.v, s.i_ex), (-70.0, 0.0), "the current starts from 0");
            let highest = (0..1000)
                .map(|k| potential(0.1 * f64::from(k), 500.0, tau, tau_m, 250.0))
                .fold(0.0, f64::max);
            for now in 1..1000 {
                s = state(step(p, s, REST, now));
                let t = 0.1 * f64::from(now);
                let current = 500.0 * core::f64::consts::E / tau * t * libm::exp(-t / tau);
                assert!(
                    (f64::from(s.i_ex) - current).abs() < 5e-3,
                    "τ {tau}, {t} ms: {} pA, want {current}",
                    s.i_ex
                );
                let v = potential(t, 500.0, tau, tau_m, 250.0);
                let error = (f64::from(s.v) + 70.0 - v).abs();
                assert!(
                    error < 5e-4 + 2e-6 * highest,
                    "τ {tau}, {t} ms: {} mV, want {v}",
                    s.v + 70.0
                );
            }
        }
    }

    #[test]
    fn a_spike_of_weight_w_peaks_at_w_after_tau() {
        let (p, s) = derived(&LifAlpha::default(), 0.1);
        let mut s = state(step(
            p,
            s,
            Input {
                inhibitory: -100.0,
                ..REST
            },
            0,
        ));
        let course: Vec<f32> = (1..100)
            .map(|now| {
                s = state(step(p, s, REST, now));
                s.i_in
            })
            .collect();
        let peak = course
            .iter()
            .enumerate()
            .min_by(|a, b| a.1.total_cmp(b.1))
            .expect("not empty");
        assert_eq!(peak.0 + 1, 20, "2 ms after the spike");
        assert!((peak.1 + 100.0).abs() < 1e-3, "{} pA", peak.1);
    }

    #[test]
    fn moments_agree_with_a_fine_sum() {
        for x in [0.0, 1e-9, 1e-6, 0.05, 0.99, 1.01, 12.0] {
            for power in 0..4 {
                let n = 20_000;
                let want: f64 = (0..n)
                    .map(|i| (f64::from(i) + 0.5) / f64::from(n))
                    .map(|u| u.powi(power as i32) * libm::exp(-x * u) / f64::from(n))
                    .sum();
                let got = decay_moment(power, x);
                assert!(
                    (got / want - 1.0).abs() < 1e-6,
                    "moment {power} of {x}: {got}, want {want}"
                );
            }
        }
    }

    #[test]
    fn currents_go_on_while_the_membrane_is_held() {
        let (p, mut s) = derived(&LifAlpha::default(), 0.1);
        s.v = -54.0;
        s.di_ex = 1000.0;
        let next = step(p, s, REST, 0);
        assert!(next.spike);
        let mut s = state(next);
        for now in 1..21 {
            s = state(step(p, s, REST, now));
            assert_eq!(s.v, -70.0, "step {now} is refractory");
        }
        let want = 1000.0 * 2.1 * libm::exp(-2.1 / 2.0);
        assert!(
            (f64::from(s.i_ex) - want).abs() < 1e-2,
            "{} pA, want {want}",
            s.i_ex
        );
        assert!(state(step(p, s, REST, 21)).v > -70.0);
    }

    #[test]
    fn currents_end_at_zero() {
        let (p, s) = derived(&LifAlpha::default(), 0.1);
        let mut s = state(step(
            p,
            s,
            Input {
                excitatory: 1e4,
                inhibitory: -1e4,
                ..REST
            },
            0,
        ));
        for now in 1..2000 {
            s = state(step(p, s, REST, now));
        }
        assert_eq!((s.i_ex, s.di_ex, s.i_in, s.di_in), (0.0, 0.0, 0.0, 0.0));
    }
}
