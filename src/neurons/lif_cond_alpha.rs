//! Leaky integrate-and-fire neuron with alpha-shaped synaptic conductances (NEST's `iaf_cond_alpha`).
//!
//! ```text
//! C dV/dt = −g_L(V − E_L) − g_ex(V − E_ex) − g_in(V − E_in) + I_e + I_stim
//! g_x(t) = |w| (e/τ_x) t exp(−t/τ_x) after a spike that arrives at 0: it peaks at |w| after τ_x
//! V ≥ V_th: spike; V ← V_reset, held for t_ref
//! ```
//!
//! | symbol | field | default | unit |
//! |---|---|---|---|
//! | E_L | `e_l` | −70 | mV |
//! | C | `c_m` | 250 | pF |
//! | g_L | `g_l` | 16.6667 | nS |
//! | V_th | `v_th` | −55 | mV |
//! | V_reset | `v_reset` | −60 | mV |
//! | t_ref | `t_ref` | 2 | ms |
//! | E_ex, E_in | `e_ex`, `e_in` | 0, −85 | mV |
//! | τ_ex, τ_in | `tau_syn_ex`, `tau_syn_in` | 0.2, 2 | ms |
//! | I_e | `i_e` | 0 | pA |
//!
//! **Receptors**: `excitatory`, weights in nS of 0 or more, and `inhibitory`, weights of 0 or less whose magnitude is the conductance. A
//! projection without a `receptor` goes by the sign of its weights.
//!
//! **Integration**: each conductance is two linear variables, dg/dt = D − g/τ and dD/dt = −D/τ, that are advanced exactly; a spike adds
//! |w| e/τ to D. The membrane takes one step of the fourth-order Magnus scheme that [`LifCondExp`](super::lif_cond_exp) explains, with
//! integrals of both variables. Conductances and slopes below 10⁻¹⁵ are set to 0.
//!
//! **Not modelled**: different times of rise and decay, voltage-dependent conductances, adaptation.
//!
//! **Source**: Meffin, Burkitt & Grayden 2004, J. Comput. Neurosci. 16:159, doi:10.1023/B:JCNS.0000014108.03012.81; the alpha function is
//! Rall's (1967, J. Neurophysiol. 30:1138, doi:10.1152/jn.1967.30.5.1138).
//!
//! **Scenes**: none of its own; `coba` runs with `LifCondAlpha` in the place of `LifCondExp`.

use super::lif_cond_exp::Pull;
use super::{NeuronModel, Receptor, RegisterNeuron, Sample, Sign, check_below, refractory_steps};
use crate::kernel;
use crate::network::distribution::Distribution;
use crate::sim::quantity::{Range, Unit};
use bevy::prelude::*;

pub(super) fn plugin(app: &mut App) {
    app.register_neuron::<LifCondAlpha>();
}

/// Leaky integrate-and-fire neuron with alpha-shaped synaptic conductances. See the [module](self).
#[derive(Component, Reflect, Clone, Debug)]
#[reflect(Default)]
pub struct LifCondAlpha {
    /// Resting potential.
    #[reflect(@Unit("mV"), @Range::finite())]
    pub e_l: Distribution,
    /// Membrane capacitance.
    #[reflect(@Unit("pF"), @Range::positive())]
    pub c_m: Distribution,
    /// Leak conductance.
    #[reflect(@Unit("nS"), @Range::positive())]
    pub g_l: Distribution,
    /// Spike threshold.
    #[reflect(@Unit("mV"), @Range::finite())]
    pub v_th: Distribution,
    /// Membrane potential after a spike.
    #[reflect(@Unit("mV"), @Range::finite())]
    pub v_reset: Distribution,
    /// Refractory period.
    #[reflect(@Unit("ms"), @Range::non_negative())]
    pub t_ref: Distribution,
    /// Reversal potential of the excitatory conductance.
    #[reflect(@Unit("mV"), @Range::finite())]
    pub e_ex: Distribution,
    /// Reversal potential of the inhibitory conductance.
    #[reflect(@Unit("mV"), @Range::finite())]
    pub e_in: Distribution,
    /// Time from the start to the peak of the excitatory conductance.
    #[reflect(@Unit("ms"), @Range::positive())]
    pub tau_syn_ex: Distribution,
    /// Time from the start to the peak of the inhibitory conductance.
    #[reflect(@Unit("ms"), @Range::positive())]
    pub tau_syn_in: Distribution,
    /// Constant input current.
    #[reflect(@Unit("pA"), @Range::finite())]
    pub i_e: Distribution,
}

impl Default for LifCondAlpha {
    fn default() -> Self {
        Self {
            e_l: (-70.0).into(),
            c_m: 250.0.into(),
            g_l: 16.6667.into(),
            v_th: (-55.0).into(),
            v_reset: (-60.0).into(),
            t_ref: 2.0.into(),
            e_ex: 0.0.into(),
            e_in: (-85.0).into(),
            tau_syn_ex: 0.2.into(),
            tau_syn_in: 2.0.into(),
            i_e: 0.0.into(),
        }
    }
}

kernel! {
    /// One step of fourth order.
    pub mod update;
    params {
        /// ∫a dt of the leak.
        a_leak: f32,
        /// ∫a dt per nS of excitatory conductance.
        a_ex: f32,
        /// ∫a dt per nS/ms of its slope.
        a_slope_ex: f32,
        /// ∫a dt per nS of inhibitory conductance.
        a_in: f32,
        /// ∫a dt per nS/ms of its slope.
        a_slope_in: f32,
        /// ∫(t/dt − ½)a dt per nS of excitatory conductance.
        late_ex: f32,
        /// ∫(t/dt − ½)a dt per nS/ms of its slope.
        late_slope_ex: f32,
        /// ∫(t/dt − ½)a dt per nS of inhibitory conductance.
        late_in: f32,
        /// ∫(t/dt − ½)a dt per nS/ms of its slope.
        late_slope_in: f32,
        /// ∫b dt of the leak and the constant current (mV).
        b_rest: f32,
        /// ∫b dt per pA of stimulus current (mV).
        b_drive: f32,
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
        e_ex: f32,
        e_in: f32,
        v_th: f32,
        v_reset: f32,
        refractory: i32,
    }
    state {
        v: f32 in Membrane,
        g_ex: f32 in ExcitatoryConductance of excitatory,
        dg_ex: f32 in ExcitatoryConductanceSlope of excitatory,
        g_in: f32 in InhibitoryConductance of inhibitory,
        dg_in: f32 in InhibitoryConductanceSlope of inhibitory,
        until: i32 in RefractoryUntil,
    }
    input { drive, excitatory, inhibitory }
    fn stiffness(a: f32) -> f32 {
        1.0 + a * (0.5 + min(a * 0.083333336, 0.5))
    }
    step(p, s, x, now) {
        let is_held = remaining(s.until, now) > 0;
        let a_ex = s.g_ex * p.a_ex + s.dg_ex * p.a_slope_ex;
        let a_in = s.g_in * p.a_in + s.dg_in * p.a_slope_in;
        let late_ex = s.g_ex * p.late_ex + s.dg_ex * p.late_slope_ex;
        let late_in = s.g_in * p.late_in + s.dg_in * p.late_slope_in;
        let a = p.a_leak + a_ex + a_in;
        let b = p.b_rest + x.drive * p.b_drive + a_ex * p.e_ex + a_in * p.e_in;
        let skew = late_ex * (a * p.e_ex - b) + late_in * (a * p.e_in - b);
        let moved = s.v + (b + skew - a * s.v) / stiffness(a);
        let is_over = moved >= p.v_th;
        let spike = !is_held && is_over;
        Next(
            select(moved, p.v_reset, is_held || spike),
            cut((s.g_ex + s.dg_ex * p.dt) * p.decay_ex),
            cut(s.dg_ex * p.decay_ex + x.excitatory * p.start_ex),
            cut((s.g_in + s.dg_in * p.dt) * p.decay_in),
            cut(s.dg_in * p.decay_in + x.inhibitory * p.start_in),
            select(s.until, later(now, p.refractory + 1), spike),
            spike
        )
    }
}

impl NeuronModel for LifCondAlpha {
    type Kernel = update::Executor;
    const RECEPTORS: &'static [Receptor] = &[
        Receptor {
            name: "excitatory",
            sign: Sign::Positive,
            unit: "nS",
        },
        Receptor {
            name: "inhibitory",
            sign: Sign::Negative,
            unit: "nS",
        },
    ];

    fn derive(&self, neuron: &Sample<'_>, dt: f64) -> update::Params {
        let at = |field, distribution| neuron.parameter(field, distribution);
        let (c_m, g_l) = (at("c_m", &self.c_m), at("g_l", &self.g_l));
        let (tau_ex, tau_in) = (
            at("tau_syn_ex", &self.tau_syn_ex),
            at("tau_syn_in", &self.tau_syn_in),
        );
        let a_leak = g_l * dt / c_m;
        let [ex, inh] = [tau_ex, tau_in].map(|tau| Pull::new(0, tau, c_m, dt));
        let [slope_ex, slope_in] = [tau_ex, tau_in].map(|tau| Pull::new(1, tau, c_m, dt));
        update::Params {
            a_leak: a_leak as f32,
            a_ex: ex.weight as f32,
            a_slope_ex: slope_ex.weight as f32,
            a_in: inh.weight as f32,
            a_slope_in: slope_in.weight as f32,
            late_ex: ex.lateness as f32,
            late_slope_ex: slope_ex.lateness as f32,
            late_in: inh.lateness as f32,
            late_slope_in: slope_in.lateness as f32,
            b_rest: (a_leak * at("e_l", &self.e_l) + at("i_e", &self.i_e) * dt / c_m) as f32,
            b_drive: (dt / c_m) as f32,
            decay_ex: libm::exp(-dt / tau_ex) as f32,
            decay_in: libm::exp(-dt / tau_in) as f32,
            dt: dt as f32,
            start_ex: (core::f64::consts::E / tau_ex) as f32,
            start_in: (core::f64::consts::E / tau_in) as f32,
            e_ex: at("e_ex", &self.e_ex) as f32,
            e_in: at("e_in", &self.e_in) as f32,
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
            g_ex: neuron.initial("g_ex", 0.0) as f32,
            dg_ex: neuron.initial("dg_ex", 0.0) as f32,
            g_in: neuron.initial("g_in", 0.0) as f32,
            dg_in: neuron.initial("dg_in", 0.0) as f32,
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

    fn derived(model: &LifCondAlpha, dt: f64) -> (Params, State) {
        let sample = Sample::new(1, 1, 0, &[]);
        (model.derive(&sample, dt), model.initial(&sample, dt))
    }

    fn state(next: Next) -> State {
        State {
            v: next.v,
            g_ex: next.g_ex,
            dg_ex: next.dg_ex,
            g_in: next.g_in,
            dg_in: next.dg_in,
            until: next.until,
        }
    }

    fn alpha(t: f64, tau: f64) -> f64 {
        core::f64::consts::E * t / tau * libm::exp(-t / tau)
    }

    /// The membrane equation in double precision, in steps of 1 µs of the fourth-order Runge–Kutta scheme, from rest.
    fn precise(w: (f64, f64), current: f64, tau: (f64, f64), ms: f64) -> f64 {
        let slope = |t: f64, v: f64| {
            let (g_ex, g_in) = (w.0 * alpha(t, tau.0), w.1 * alpha(t, tau.1));
            (-16.6667 * (v + 70.0) - g_ex * v - g_in * (v + 85.0) + current) / 250.0
        };
        let (h, mut v) = (1e-3, -70.0);
        for i in 0..(ms / h).round() as u32 {
            let t = f64::from(i) * h;
            let a = slope(t, v);
            let b = slope(t + h / 2.0, v + h / 2.0 * a);
            let c = slope(t + h / 2.0, v + h / 2.0 * b);
            let d = slope(t + h, v + h * c);
            v += h / 6.0 * (a + 2.0 * b + 2.0 * c + d);
        }
        v
    }

    #[test]
    fn a_spike_of_weight_w_peaks_at_w_after_tau() {
        let (p, s) = derived(&LifCondAlpha::default(), 0.1);
        let mut s = state(step(
            p,
            s,
            Input {
                excitatory: 30.0,
                inhibitory: 20.0,
                ..REST
            },
            0,
        ));
        assert_eq!(
            (s.v, s.g_ex, s.g_in),
            (-70.0, 0.0, 0.0),
            "conductances start from 0"
        );
        for now in 1..100 {
            s = state(step(p, s, REST, now));
            let t = 0.1 * f64::from(now);
            assert!(
                (f64::from(s.g_ex) - 30.0 * alpha(t, 0.2)).abs() < 1e-4,
                "{t} ms: {} nS",
                s.g_ex
            );
            assert!(
                (f64::from(s.g_in) - 20.0 * alpha(t, 2.0)).abs() < 1e-4,
                "{t} ms: {} nS",
                s.g_in
            );
            if now == 2 {
                assert!((s.g_ex - 30.0).abs() < 1e-4);
            }
            if now == 20 {
                assert!((s.g_in - 20.0).abs() < 1e-4);
            }
        }
    }

    #[test]
    fn the_membrane_agrees_with_a_fine_integration() {
        for (w, tau) in [
            ((200.0, 0.0), (0.2, 2.0)),
            ((0.0, 300.0), (5.0, 0.5)),
            ((150.0, 400.0), (0.3, 1.0)),
            ((6.0, 67.0), (5.0, 10.0)),
        ] {
            for drive in [0.0, 500.0] {
                let model = LifCondAlpha {
                    tau_syn_ex: tau.0.into(),
                    tau_syn_in: tau.1.into(),
                    v_th: 1e6.into(),
                    ..default()
                };
                let (p, mut s) = derived(&model, 0.1);
                s.dg_ex = (w.0 * core::f64::consts::E / tau.0) as f32;
                s.dg_in = (w.1 * core::f64::consts::E / tau.1) as f32;
                for now in 0..60 {
                    s = state(step(p, s, Input { drive, ..REST }, now));
                    let t = 0.1 * f64::from(now + 1);
                    let want = precise(w, drive.into(), tau, t);
                    let error = (f64::from(s.v) - want).abs();
                    assert!(
                        error < 2e-4,
                        "{w:?} nS, {drive} pA, {t} ms: {} mV, want {want}",
                        s.v
                    );
                }
            }
        }
    }

    #[test]
    fn without_conductances_the_membrane_is_the_closed_form() {
        let driven = derived(
            &LifCondAlpha {
                i_e: 200.0.into(),
                ..default()
            },
            0.1,
        );
        let stimulated = derived(&LifCondAlpha::default(), 0.1);
        for ((p, mut s), drive) in [(driven, 0.0), (stimulated, 200.0)] {
            for now in 0..2000 {
                let t = 0.1 * f64::from(now);
                let want = -70.0 + 200.0 / 16.6667 * -libm::expm1(-t * 16.6667 / 250.0);
                assert!(
                    (f64::from(s.v) - want).abs() < 1e-3,
                    "{t} ms: {} mV, want {want}",
                    s.v
                );
                s = state(step(p, s, Input { drive, ..REST }, now));
            }
        }
    }

    #[test]
    fn the_membrane_is_held_and_conductances_go_on_after_a_spike() {
        let (p, mut s) = derived(&LifCondAlpha::default(), 0.1);
        s.v = -55.0;
        (s.g_ex, s.dg_in) = (500.0, 10.0);
        let next = step(p, s, REST, 3);
        assert!(next.spike && next.v == -60.0);
        let mut s = state(next);
        for now in 4..24 {
            let next = step(p, s, REST, now);
            assert!(!next.spike && next.v == -60.0, "step {now} is refractory");
            s = state(next);
        }
        assert!((f64::from(s.g_in) - 10.0 * 2.1 * libm::exp(-1.05)).abs() < 1e-4);
        assert!(state(step(p, s, REST, 24)).v < -60.0);
    }

    #[test]
    fn conductances_end_at_zero() {
        let (p, s) = derived(&LifCondAlpha::default(), 0.1);
        let mut s = state(step(
            p,
            s,
            Input {
                excitatory: 1e4,
                inhibitory: 1e4,
                ..REST
            },
            0,
        ));
        for now in 1..2000 {
            s = state(step(p, s, REST, now));
        }
        assert_eq!((s.g_ex, s.dg_ex, s.g_in, s.dg_in), (0.0, 0.0, 0.0, 0.0));
    }
}
