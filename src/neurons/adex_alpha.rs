//! Adaptive exponential integrate-and-fire neuron with alpha-shaped conductances (NEST's `aeif_cond_alpha`).
//!
//! ```text
//! C dV/dt = −g_L(V − E_L) + g_L Δ_T exp((V − V_th)/Δ_T) − g_ex(V − E_ex) − g_in(V − E_in) − w + I_e + I_stim
//! τ_w dw/dt = a(V − E_L) − w
//! dg_x/dt = z_x − g_x/τ_x,   dz_x/dt = −z_x/τ_x,   z_x ← z_x + e |weight|/τ_x for each spike that arrives
//! V ≥ V_peak: spike; V ← V_reset, held for t_ref; w ← w + b
//! ```
//!
//! A weight is the conductance that one spike reaches at its peak, τ_x after it arrived.
//!
//! | symbol | field | default | unit |
//! |---|---|---|---|
//! | C | `c_m` | 281 | pF |
//! | g_L | `g_l` | 30 | nS |
//! | E_L | `e_l` | −70.6 | mV |
//! | V_th | `v_th` | −50.4 | mV |
//! | Δ_T | `delta_t` | 2 | mV |
//! | V_peak | `v_peak` | 0 | mV |
//! | V_reset | `v_reset` | −60 | mV |
//! | t_ref | `t_ref` | 0 | ms |
//! | a | `a` | 4 | nS |
//! | b | `b` | 80.5 | pA |
//! | τ_w | `tau_w` | 144 | ms |
//! | E_ex, E_in | `e_ex`, `e_in` | 0, −85 | mV |
//! | τ_ex, τ_in | `tau_syn_ex`, `tau_syn_in` | 0.2, 2 | ms |
//! | I_e | `i_e` | 0 | pA |
//! | | `substep_ms` | 0.025 | ms |
//!
//! **Receptors**: `excitatory`, weights of 0 or more, and `inhibitory`, weights of 0 or less; both in nS.
//!
//! **Integration**: that of [`AdEx`](super::adex), with the exact solution of the conductances: over a sub-step h,
//! g ← (g + h z) exp(−h/τ) and z ← z exp(−h/τ). The columns `dg_ex` and `dg_in` hold z.
//!
//! **Not modelled**: as for `AdEx`.
//!
//! **Source**: Brette & Gerstner 2005, J. Neurophysiol. 94:3637, doi:10.1152/jn.00686.2005, equations 1 to 3 and table 1; alpha
//! conductances as in NEST.
//!
//! **Scenes**: `neuron_zoo`.

use super::adex::{AdEx, constants};
use super::{NeuronModel, Receptor, RegisterNeuron, Sample, substeps_within};
use crate::kernel;
use crate::network::distribution::Distribution;
use crate::sim::quantity::{Range, Unit};
use bevy::prelude::*;

pub(super) fn plugin(app: &mut App) {
    app.register_neuron::<AdExAlpha>();
}

/// Adaptive exponential integrate-and-fire neuron with alpha-shaped conductances. See the [module](self).
#[derive(Component, Reflect, Clone, Debug)]
#[reflect(Default)]
pub struct AdExAlpha {
    /// Membrane capacitance.
    #[reflect(@Unit("pF"), @Range::positive())]
    pub c_m: Distribution,
    /// Leak conductance.
    #[reflect(@Unit("nS"), @Range::positive())]
    pub g_l: Distribution,
    /// Leak reversal potential.
    #[reflect(@Unit("mV"), @Range::finite())]
    pub e_l: Distribution,
    /// Where the exponential upswing sets in.
    #[reflect(@Unit("mV"), @Range::finite())]
    pub v_th: Distribution,
    /// How gradually it sets in.
    #[reflect(@Unit("mV"), @Range::positive())]
    pub delta_t: Distribution,
    /// Membrane potential at which a spike counts.
    #[reflect(@Unit("mV"), @Range::finite())]
    pub v_peak: Distribution,
    /// Membrane potential after a spike.
    #[reflect(@Unit("mV"), @Range::finite())]
    pub v_reset: Distribution,
    /// Refractory period.
    #[reflect(@Unit("ms"), @Range::non_negative())]
    pub t_ref: Distribution,
    /// Adaptation by the membrane potential.
    #[reflect(@Unit("nS"), @Range::finite())]
    pub a: Distribution,
    /// Adaptation by each spike.
    #[reflect(@Unit("pA"), @Range::finite())]
    pub b: Distribution,
    /// Time constant of adaptation.
    #[reflect(@Unit("ms"), @Range::positive())]
    pub tau_w: Distribution,
    /// Reversal potential of excitation.
    #[reflect(@Unit("mV"), @Range::finite())]
    pub e_ex: Distribution,
    /// Reversal potential of inhibition.
    #[reflect(@Unit("mV"), @Range::finite())]
    pub e_in: Distribution,
    /// Time constant of the excitatory conductance.
    #[reflect(@Unit("ms"), @Range::positive())]
    pub tau_syn_ex: Distribution,
    /// Time constant of the inhibitory conductance.
    #[reflect(@Unit("ms"), @Range::positive())]
    pub tau_syn_in: Distribution,
    /// Constant input current.
    #[reflect(@Unit("pA"), @Range::finite())]
    pub i_e: Distribution,
    /// The longest sub-step of the integration.
    #[reflect(@Unit("ms"), @Range::between(1e-4, 0.1))]
    pub substep_ms: f64,
}

impl Default for AdExAlpha {
    fn default() -> Self {
        let AdEx {
            c_m,
            g_l,
            e_l,
            v_th,
            delta_t,
            v_peak,
            v_reset,
            t_ref,
            a,
            b,
            tau_w,
            e_ex,
            e_in,
            tau_syn_ex,
            tau_syn_in,
            i_e,
            substep_ms,
        } = AdEx::default();
        Self {
            c_m,
            g_l,
            e_l,
            v_th,
            delta_t,
            v_peak,
            v_reset,
            t_ref,
            a,
            b,
            tau_w,
            e_ex,
            e_in,
            tau_syn_ex,
            tau_syn_in,
            i_e,
            substep_ms,
        }
    }
}

impl AdExAlpha {
    /// The same membrane with exponential conductances.
    fn exponential(&self) -> AdEx {
        let Self {
            c_m,
            g_l,
            e_l,
            v_th,
            delta_t,
            v_peak,
            v_reset,
            t_ref,
            a,
            b,
            tau_w,
            e_ex,
            e_in,
            tau_syn_ex,
            tau_syn_in,
            i_e,
            substep_ms,
        } = self.clone();
        AdEx {
            c_m,
            g_l,
            e_l,
            v_th,
            delta_t,
            v_peak,
            v_reset,
            t_ref,
            a,
            b,
            tau_w,
            e_ex,
            e_in,
            tau_syn_ex,
            tau_syn_in,
            i_e,
            substep_ms,
        }
    }
}

kernel! {
    /// Sub-steps, then what arrives.
    pub mod update;
    params {
        /// Share of the distance to E_L per sub-step: h g_L/C.
        leak: f32,
        /// mV per pA in a sub-step: h/C; also the share of the distance to a reversal potential per nS.
        per_pa: f32,
        /// Slope of the exponential term at V_th: h g_L Δ_T/C (mV).
        swing: f32,
        /// The same at V_reset.
        swing_reset: f32,
        delta_t: f32,
        /// 1/Δ_T.
        per_delta: f32,
        /// Share of the distance to a(V − E_L) that w covers in a sub-step: h/τ_w.
        pull: f32,
        a: f32,
        b: f32,
        e_l: f32,
        e_ex: f32,
        e_in: f32,
        v_th: f32,
        v_peak: f32,
        v_reset: f32,
        i_e: f32,
        /// exp(−h/2τ_ex).
        half_ex: f32,
        /// exp(−h/2τ_in).
        half_in: f32,
        /// h/2 (ms).
        half: f32,
        /// e/τ_ex (1/ms).
        jump_ex: f32,
        /// e/τ_in (1/ms).
        jump_in: f32,
        /// The largest conductance that acts as it is: C/h (nS).
        g_most: f32,
        /// Steps from a spike to the end of refractoriness; 0 without it.
        hold: i32,
    }
    state {
        v: f32 in Membrane,
        w: f32 in Adaptation,
        z_ex: f32 in ExcitatoryConductanceSlope of excitatory,
        g_ex: f32 in ExcitatoryConductance of excitatory,
        z_in: f32 in InhibitoryConductanceSlope of inhibitory,
        g_in: f32 in InhibitoryConductance of inhibitory,
        until: i32 in RefractoryUntil,
    }
    input { drive, excitatory, inhibitory }
    fn swing(p: Params, v: f32) -> f32 {
        p.swing * exp(max((v - p.v_th) * p.per_delta, -40.0))
    }
    fn calm(p: Params, v: f32, w: f32, g_ex: f32, g_in: f32, i: f32) -> f32 {
        p.leak * (p.e_l - v) + p.per_pa * (g_ex * (p.e_ex - v) + g_in * (p.e_in - v) + (i - w))
    }
    fn adapt(p: Params, v: f32, w: f32) -> f32 {
        p.pull * (p.a * (v - p.e_l) - w)
    }
    repeat(p, s, x, now) {
        let is_held = remaining(s.until, now) > 0;
        let free = select(1.0, 0.0, is_held);
        let i = x.drive + p.i_e;
        let z_ex_mid = s.z_ex * p.half_ex;
        let ex_mid = (s.g_ex + p.half * s.z_ex) * p.half_ex;
        let ex_end = (ex_mid + p.half * z_ex_mid) * p.half_ex;
        let z_in_mid = s.z_in * p.half_in;
        let in_mid = (s.g_in + p.half * s.z_in) * p.half_in;
        let in_end = (in_mid + p.half * z_in_mid) * p.half_in;
        let ex_1 = min(s.g_ex, p.g_most);
        let ex_2 = min(ex_mid, p.g_most);
        let ex_4 = min(ex_end, p.g_most);
        let in_1 = min(s.g_in, p.g_most);
        let in_2 = min(in_mid, p.g_most);
        let in_4 = min(in_end, p.g_most);
        let v_1 = select(min(s.v, p.v_peak), p.v_reset, is_held);
        let swing_1 = swing(p, v_1);
        let calm_1 = calm(p, v_1, s.w, ex_1, in_1, i);
        let dv_1 = free * (swing_1 + calm_1);
        let dw_1 = adapt(p, v_1, s.w);
        let v_2 = min(v_1 + 0.5 * dv_1, p.v_peak);
        let w_2 = s.w + 0.5 * dw_1;
        let dv_2 = free * (swing(p, v_2) + calm(p, v_2, w_2, ex_2, in_2, i));
        let dw_2 = adapt(p, v_2, w_2);
        let v_3 = min(v_1 + 0.5 * dv_2, p.v_peak);
        let w_3 = s.w + 0.5 * dw_2;
        let dv_3 = free * (swing(p, v_3) + calm(p, v_3, w_3, ex_2, in_2, i));
        let dw_3 = adapt(p, v_3, w_3);
        let v_4 = min(v_1 + dv_3, p.v_peak);
        let w_4 = s.w + dw_3;
        let dv_4 = free * (swing(p, v_4) + calm(p, v_4, w_4, ex_4, in_4, i));
        let dw_4 = adapt(p, v_4, w_4);
        let v_end = v_1 + (dv_1 + 2.0 * (dv_2 + dv_3) + dv_4) * 0.166666667;
        let w_end = s.w + (dw_1 + 2.0 * (dw_2 + dw_3) + dw_4) * 0.166666667;
        let share = p.delta_t * (6.0 * swing_1 + calm_1) / (swing_1 * (6.0 * swing_1 + 4.0 * calm_1));
        let spike = !is_held && (v_end >= p.v_peak || (dv_1 > 0.0 && share <= 1.0));
        let gone = min(max(share, 0.0), 1.0);
        let left = 1.0 - gone;
        let w_reset = s.w + gone * adapt(p, v_1 + p.delta_t, s.w) + p.b;
        let moves = select(left, 0.0, p.hold > 0);
        let v_after = p.v_reset + moves * (p.swing_reset + calm(p, p.v_reset, w_reset, ex_4, in_4, i));
        let w_after = w_reset + left * adapt(p, p.v_reset, w_reset);
        Next(
            select(v_end, v_after, spike),
            select(w_end, w_after, spike),
            z_ex_mid * p.half_ex,
            ex_end,
            z_in_mid * p.half_in,
            in_end,
            select(s.until, later(now, p.hold), spike),
            spike
        )
    }
    step(p, s, x, now) {
        // Values that have faded away are cut before they slow the processor down.
        let w = select(0.0, s.w, abs(s.w) > 1e-12);
        let z_ex = select(0.0, s.z_ex, s.z_ex > 1e-12);
        let z_in = select(0.0, s.z_in, s.z_in > 1e-12);
        let g_ex = select(0.0, s.g_ex, s.g_ex > 1e-12);
        let g_in = select(0.0, s.g_in, s.g_in > 1e-12);
        Next(s.v, w, z_ex + p.jump_ex * x.excitatory, g_ex, z_in + p.jump_in * x.inhibitory, g_in, s.until, false)
    }
}

impl NeuronModel for AdExAlpha {
    type Kernel = update::Executor;
    const RECEPTORS: &'static [Receptor] = AdEx::RECEPTORS;

    fn derive(&self, neuron: &Sample<'_>, dt: f64) -> update::Params {
        let h = dt / f64::from(self.substeps(dt));
        let c = constants(&self.exponential(), neuron, dt, h);
        let tau_ex = neuron.parameter("tau_syn_ex", &self.tau_syn_ex);
        let tau_in = neuron.parameter("tau_syn_in", &self.tau_syn_in);
        update::Params {
            leak: c.leak,
            per_pa: c.per_pa,
            swing: c.swing,
            swing_reset: c.swing_reset,
            delta_t: c.delta_t,
            per_delta: c.per_delta,
            pull: c.pull,
            a: c.a,
            b: c.b,
            e_l: c.e_l,
            e_ex: c.e_ex,
            e_in: c.e_in,
            v_th: c.v_th,
            v_peak: c.v_peak,
            v_reset: c.v_reset,
            i_e: c.i_e,
            half_ex: c.half_ex,
            half_in: c.half_in,
            half: (0.5 * h) as f32,
            jump_ex: (core::f64::consts::E / tau_ex) as f32,
            jump_in: (core::f64::consts::E / tau_in) as f32,
            g_most: c.g_most,
            hold: c.hold,
        }
    }

    fn initial(&self, neuron: &Sample<'_>, dt: f64) -> update::State {
        let s = self.exponential().initial(neuron, dt);
        update::State {
            v: s.v,
            w: s.w,
            z_ex: neuron.initial("dg_ex", 0.0) as f32,
            g_ex: s.g_ex,
            z_in: neuron.initial("dg_in", 0.0) as f32,
            g_in: s.g_in,
            until: s.until,
        }
    }

    fn substeps(&self, dt: f64) -> u32 {
        substeps_within(dt, self.substep_ms)
    }

    fn is_self_driven(&self) -> bool {
        self.i_e != Distribution::Constant(0.0)
    }

    fn check(&self, dt: f64) -> Result<(), String> {
        self.exponential().check(dt)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spike_gives_an_alpha_function_of_its_weight() {
        let model = AdExAlpha {
            tau_syn_in: 2.0.into(),
            ..default()
        };
        let sample = Sample::new(1, 2, 0, &[]);
        let (p, s) = (model.derive(&sample, 0.1), model.initial(&sample, 0.1));
        let state = |n: update::Next| update::State {
            v: n.v,
            w: n.w,
            z_ex: n.z_ex,
            g_ex: n.g_ex,
            z_in: n.z_in,
            g_in: n.g_in,
            until: n.until,
        };
        let quiet = update::Input {
            drive: 0.0,
            excitatory: 0.0,
            inhibitory: 0.0,
        };
        let mut s = state(update::step(
            p,
            s,
            update::Input {
                inhibitory: 20.0,
                ..quiet
            },
            0,
        ));
        let mut peak = (0.0f32, 0.0);
        for n in 1..=200 {
            for _ in 0..model.substeps(0.1) {
                s = state(update::repeat(p, s, quiet, n));
            }
            s = state(update::step(p, s, quiet, n));
            let t = f64::from(n) * 0.1;
            let g = 20.0 * t / 2.0 * (1.0 - t / 2.0).exp();
            assert!(
                (f64::from(s.g_in) - g).abs() < 5e-4,
                "at {t} ms: {} of {g} nS",
                s.g_in
            );
            if s.g_in > peak.0 {
                peak = (s.g_in, t);
            }
        }
        assert!(
            (peak.0 - 20.0).abs() < 1e-3 && (peak.1 - 2.0).abs() < 1e-9,
            "{peak:?}"
        );
        assert!(s.v < -71.0, "inhibition lowers the membrane: {}", s.v);
    }
}
