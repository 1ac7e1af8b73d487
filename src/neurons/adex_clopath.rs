//! Adaptive exponential integrate-and-fire neuron with a spike of some width, a depolarising afterpotential and a threshold that rises at
//! spikes (NEST's `aeif_psc_delta_clopath`): the neuron of the [voltage-based rule](crate::plasticity::clopath).
//!
//! ```text
//! C dV/dt = −g_L(V − E_L) + g_L Δ_T exp((V − V_T)/Δ_T) − w + z + I_e + I_stim,   V ← V + weight for each spike that arrives
//! τ_w dw/dt = a(V − E_L) − w
//! τ_z dz/dt = −z
//! τ_T dV_T/dt = V_th − V_T
//! V ≥ V_peak: spike; V is V_clamp for t_clamp, then V_reset; w ← w + b, z ← I_sp, V_T ← V_th,max
//! ```
//!
//! | symbol | field | default | unit |
//! |---|---|---|---|
//! | C | `c_m` | 281 | pF |
//! | g_L | `g_l` | 30 | nS |
//! | E_L | `e_l` | −70.6 | mV |
//! | Δ_T | `delta_t` | 2 | mV |
//! | V_peak | `v_peak` | 33 | mV |
//! | V_clamp | `v_clamp` | 33 | mV |
//! | t_clamp | `t_clamp` | 2 | ms |
//! | V_reset | `v_reset` | −49.5 | mV |
//! | a | `a` | 4 | nS |
//! | b | `b` | 80.5 | pA |
//! | τ_w | `tau_w` | 144 | ms |
//! | I_sp | `i_sp` | 400 | pA |
//! | τ_z | `tau_z` | 40 | ms |
//! | V_th, V_th,max | `v_th`, `v_th_max` | −50.4, −30.4 | mV |
//! | τ_T | `tau_th` | 50 | ms |
//! | I_e | `i_e` | 0 | pA |
//! | | `substep_ms` | 0.025 | ms |
//!
//! While V is clamped, w, z and V_T stand still and what arrives is lost.
//!
//! **Receptors**: `input`, weights of either sign in mV.
//!
//! **Integration**: sub-steps of at most `substep_ms`, V and w by the classical Runge–Kutta method of fourth order, z and V_T exactly.
//! Every right-hand side sees min(V, V_peak). A spike counts at the end of the sub-step in which V passes V_peak and is clamped
//! for whole steps from the one after. What arrives in a step acts at its end.
//!
//! **Not modelled**: a refractory period after the clamp.
//!
//! **Source**: Clopath, Büsing, Vasilaki & Gerstner 2010, Nat. Neurosci. 13:344, doi:10.1038/nn.2479, methods; the clamp from the authors' program.
//!
//! **Scenes**: none; `neuropil experiment clopath2010`.

use super::adex::check_leak;
use super::{
    NeuronModel, Receptor, RegisterNeuron, Sample, Sign, check_below, refractory_steps,
    substeps_within,
};
use crate::kernel;
use crate::network::distribution::Distribution;
use crate::sim::quantity::{Range, Unit};
use bevy::prelude::*;

pub(super) fn plugin(app: &mut App) {
    app.register_neuron::<AdExClopath>();
}

/// Adaptive exponential integrate-and-fire neuron with an afterpotential. See the [module](self).
#[derive(Component, Reflect, Clone, Debug)]
#[reflect(Default)]
pub struct AdExClopath {
    /// Membrane capacitance.
    #[reflect(@Unit("pF"), @Range::positive())]
    pub c_m: Distribution,
    /// Leak conductance.
    #[reflect(@Unit("nS"), @Range::positive())]
    pub g_l: Distribution,
    /// Leak reversal potential.
    #[reflect(@Unit("mV"), @Range::finite())]
    pub e_l: Distribution,
    /// How gradually the upswing sets in.
    #[reflect(@Unit("mV"), @Range::positive())]
    pub delta_t: Distribution,
    /// Membrane potential at which a spike counts.
    #[reflect(@Unit("mV"), @Range::finite())]
    pub v_peak: Distribution,
    /// Membrane potential during a spike.
    #[reflect(@Unit("mV"), @Range::finite())]
    pub v_clamp: Distribution,
    /// Width of a spike.
    #[reflect(@Unit("ms"), @Range::non_negative())]
    pub t_clamp: Distribution,
    /// Membrane potential after a spike.
    #[reflect(@Unit("mV"), @Range::finite())]
    pub v_reset: Distribution,
    /// Adaptation by the membrane potential.
    #[reflect(@Unit("nS"), @Range::finite())]
    pub a: Distribution,
    /// Adaptation by each spike.
    #[reflect(@Unit("pA"), @Range::finite())]
    pub b: Distribution,
    /// Time constant of adaptation.
    #[reflect(@Unit("ms"), @Range::positive())]
    pub tau_w: Distribution,
    /// Depolarising current right after a spike.
    #[reflect(@Unit("pA"), @Range::finite())]
    pub i_sp: Distribution,
    /// Time constant of the depolarising current.
    #[reflect(@Unit("ms"), @Range::positive())]
    pub tau_z: Distribution,
    /// Where the exponential upswing sets in, long after a spike.
    #[reflect(@Unit("mV"), @Range::finite())]
    pub v_th: Distribution,
    /// The same right after a spike.
    #[reflect(@Unit("mV"), @Range::finite())]
    pub v_th_max: Distribution,
    /// Time constant with which the threshold falls back.
    #[reflect(@Unit("ms"), @Range::positive())]
    pub tau_th: Distribution,
    /// Constant input current.
    #[reflect(@Unit("pA"), @Range::finite())]
    pub i_e: Distribution,
    /// The longest sub-step of the integration.
    #[reflect(@Unit("ms"), @Range::between(1e-4, 0.1))]
    pub substep_ms: f64,
}

impl Default for AdExClopath {
    fn default() -> Self {
        Self {
            c_m: 281.0.into(),
            g_l: 30.0.into(),
            e_l: (-70.6).into(),
            delta_t: 2.0.into(),
            v_peak: 33.0.into(),
            v_clamp: 33.0.into(),
            t_clamp: 2.0.into(),
            v_reset: (-49.5).into(),
            a: 4.0.into(),
            b: 80.5.into(),
            tau_w: 144.0.into(),
            i_sp: 400.0.into(),
            tau_z: 40.0.into(),
            v_th: (-50.4).into(),
            v_th_max: (-30.4).into(),
            tau_th: 50.0.into(),
            i_e: 0.0.into(),
            substep_ms: 0.025,
        }
    }
}

kernel! {
    /// Sub-steps, then what arrives.
    pub mod update;
    params {
        /// Share of the distance to E_L per sub-step: h g_L/C.
        leak: f32,
        /// mV per pA in a sub-step: h/C.
        per_pa: f32,
        /// Slope of the exponential term at V_T: h g_L Δ_T/C (mV).
        swing: f32,
        /// 1/Δ_T.
        per_delta: f32,
        /// Share of the distance to a(V − E_L) that w covers in a sub-step: h/τ_w.
        pull: f32,
        a: f32,
        b: f32,
        e_l: f32,
        v_peak: f32,
        v_clamp: f32,
        v_reset: f32,
        i_e: f32,
        i_sp: f32,
        /// exp(−h/2τ_z).
        half_z: f32,
        v_th: f32,
        /// V_th,max − V_th.
        rise: f32,
        /// exp(−h/2τ_T).
        half_th: f32,
        /// Steps from a spike to the end of the clamp.
        hold: i32,
    }
    state {
        v: f32 in Membrane,
        w: f32 in Adaptation,
        z: f32 in Afterdepolarisation,
        /// V_T − V_th.
        theta: f32 in AdaptiveThreshold,
        until: i32 in RefractoryUntil,
    }
    input { drive, input }
    fn slope(p: Params, v: f32, w: f32, z: f32, theta: f32, i: f32) -> f32 {
        p.leak * (p.e_l - v) + p.per_pa * (i + z - w)
            + p.swing * exp(max((v - p.v_th - theta) * p.per_delta, -40.0))
    }
    fn adapt(p: Params, v: f32, w: f32) -> f32 {
        p.pull * (p.a * (v - p.e_l) - w)
    }
    repeat(p, s, x, now) {
        let is_held = remaining(s.until, now) > 0;
        let i = x.drive + p.i_e;
        let z_mid = s.z * p.half_z;
        let z_end = z_mid * p.half_z;
        let theta_mid = s.theta * p.half_th;
        let theta_end = theta_mid * p.half_th;
        let v_1 = min(s.v, p.v_peak);
        let dv_1 = slope(p, v_1, s.w, s.z, s.theta, i);
        let dw_1 = adapt(p, v_1, s.w);
        let v_2 = min(v_1 + 0.5 * dv_1, p.v_peak);
        let w_2 = s.w + 0.5 * dw_1;
        let dv_2 = slope(p, v_2, w_2, z_mid, theta_mid, i);
        let dw_2 = adapt(p, v_2, w_2);
        let v_3 = min(v_1 + 0.5 * dv_2, p.v_peak);
        let w_3 = s.w + 0.5 * dw_2;
        let dv_3 = slope(p, v_3, w_3, z_mid, theta_mid, i);
        let dw_3 = adapt(p, v_3, w_3);
        let v_4 = min(v_1 + dv_3, p.v_peak);
        let w_4 = s.w + dw_3;
        let dv_4 = slope(p, v_4, w_4, z_end, theta_end, i);
        let dw_4 = adapt(p, v_4, w_4);
        let v_end = v_1 + (dv_1 + 2.0 * (dv_2 + dv_3) + dv_4) * 0.166666667;
        let w_end = s.w + (dw_1 + 2.0 * (dw_2 + dw_3) + dw_4) * 0.166666667;
        let spike = !is_held && v_end >= p.v_peak;
        let v_spike = select(p.v_reset, p.v_clamp, p.hold > 0);
        let v_free = select(v_end, v_spike, spike);
        let w_free = select(w_end, s.w + p.b, spike);
        Next(
            select(v_free, p.v_clamp, is_held),
            select(w_free, s.w, is_held),
            select(select(z_end, p.i_sp, spike), s.z, is_held),
            select(select(theta_end, p.rise, spike), s.theta, is_held),
            select(s.until, later(now, p.hold), spike),
            spike
        )
    }
    step(p, s, x, now) {
        let left = remaining(s.until, now);
        let is_held = left > 0;
        let is_last = left == 1;
        // Values that have faded away are cut before they slow the processor down.
        let w = select(0.0, s.w, abs(s.w) > 1e-12);
        let z = select(0.0, s.z, abs(s.z) > 1e-12);
        let theta = select(0.0, s.theta, abs(s.theta) > 1e-12);
        let v = select(s.v + x.input, s.v, is_held);
        Next(select(v, p.v_reset, is_last), w, z, theta, s.until, false)
    }
}

impl AdExClopath {
    fn substep(&self, dt: f64) -> f64 {
        dt / f64::from(substeps_within(dt, self.substep_ms))
    }
}

impl NeuronModel for AdExClopath {
    type Kernel = update::Executor;
    const RECEPTORS: &'static [Receptor] = &[Receptor {
        name: "input",
        sign: Sign::Any,
        unit: "mV",
    }];

    fn derive(&self, neuron: &Sample<'_>, dt: f64) -> update::Params {
        let h = self.substep(dt);
        let at = |field, distribution| neuron.parameter(field, distribution);
        let (c_m, g_l) = (at("c_m", &self.c_m), at("g_l", &self.g_l));
        let delta_t = at("delta_t", &self.delta_t);
        let v_th = at("v_th", &self.v_th);
        let clamp = refractory_steps(at("t_clamp", &self.t_clamp), dt);
        update::Params {
            leak: (h * g_l / c_m) as f32,
            per_pa: (h / c_m) as f32,
            swing: (h * g_l * delta_t / c_m) as f32,
            per_delta: (1.0 / delta_t) as f32,
            pull: (h / at("tau_w", &self.tau_w)) as f32,
            a: at("a", &self.a) as f32,
            b: at("b", &self.b) as f32,
            e_l: at("e_l", &self.e_l) as f32,
            v_peak: at("v_peak", &self.v_peak) as f32,
            v_clamp: at("v_clamp", &self.v_clamp) as f32,
            v_reset: at("v_reset", &self.v_reset) as f32,
            i_e: at("i_e", &self.i_e) as f32,
            i_sp: at("i_sp", &self.i_sp) as f32,
            half_z: libm::exp(-0.5 * h / at("tau_z", &self.tau_z)) as f32,
            v_th: v_th as f32,
            rise: (at("v_th_max", &self.v_th_max) - v_th) as f32,
            half_th: libm::exp(-0.5 * h / at("tau_th", &self.tau_th)) as f32,
            hold: if clamp > 0 { clamp + 1 } else { 0 },
        }
    }

    fn initial(&self, neuron: &Sample<'_>, _dt: f64) -> update::State {
        update::State {
            v: neuron.initial("v", neuron.parameter("e_l", &self.e_l)) as f32,
            w: neuron.initial("w", 0.0) as f32,
            z: neuron.initial("z", 0.0) as f32,
            theta: neuron.initial("theta", 0.0) as f32,
            until: 0,
        }
    }

    fn substeps(&self, dt: f64) -> u32 {
        substeps_within(dt, self.substep_ms)
    }

    fn is_self_driven(&self) -> bool {
        self.i_e != Distribution::Constant(0.0)
    }

    fn check(&self, dt: f64) -> Result<(), String> {
        check_below(("v_reset", &self.v_reset), ("v_peak", &self.v_peak))?;
        check_below(("v_th", &self.v_th), ("v_peak", &self.v_peak))?;
        check_leak(&self.g_l, &self.c_m, self.substep(dt))
    }
}
