//! Leaky integrate-and-fire neuron with exponentially decaying synaptic currents (NEST's `iaf_psc_exp`).
//!
//! ```text
//! C dV/dt = −(C/τ_m)(V − E_L) + I_ex + I_in + I_e + I_stim
//! dI_x/dt = −I_x/τ_x,   I_x ← I_x + w for each spike that arrives
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
//! **Integration**: exact. The system is linear, so one step is a matrix of propagators computed once on the host
//! (Rotter & Diesmann 1999, Biol. Cybern. 81:381, doi:10.1007/s004220050570). A current that arrives in a step is there at its end and
//! moves the membrane from the next step on, as in NEST. The membrane moves by its distance from where it is drawn, which
//! keeps single precision within 3·10⁻⁴ mV of NEST at 0.1 ms. Currents below 10⁻¹⁵ pA are set to 0: what decays for ever ends in numbers
//! that processors are slow with.
//!
//! **Not modelled**: escape noise, reversal potentials; see `LifCondExp` for the latter.
//!
//! **Scenes**: `cuba`, `microcircuit`.

use super::{NeuronModel, Receptor, RegisterNeuron, Sample, Sign, check_below, refractory_steps};
use crate::kernel;
use crate::network::distribution::Distribution;
use crate::sim::quantity::{Range, Unit};
use bevy::prelude::*;

pub(super) fn plugin(app: &mut App) {
    app.register_neuron::<LifExp>();
}

/// Leaky integrate-and-fire neuron with exponential synaptic currents. See the [module](self).
#[derive(Component, Reflect, Clone, Debug)]
#[reflect(Default)]
pub struct LifExp {
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

impl Default for LifExp {
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
    }
    state {
        v: f32 in Membrane,
        i_ex: f32 in ExcitatoryCurrent of excitatory,
        i_in: f32 in InhibitoryCurrent of inhibitory,
        until: i32 in RefractoryUntil,
    }
    input { drive, excitatory, inhibitory }
    step(p, s, x, now) {
        let is_held = remaining(s.until, now) > 0;
        let moved = s.v + (p.v_infinity - s.v) * p.leak + s.i_ex * p.p_ex + s.i_in * p.p_in + x.drive * p.p_drive;
        let is_over = moved >= p.v_th;
        let spike = !is_held && is_over;
        Next(
            select(moved, p.v_reset, is_held || spike),
            fade(s.i_ex, p.decay_ex) + x.excitatory,
            fade(s.i_in, p.decay_in) + x.inhibitory,
            select(s.until, later(now, p.refractory + 1), spike),
            spike
        )
    }
}

/// The propagator from an exponential current (pA) to the membrane (mV) over `dt`: the solution of the linear system,
/// with its limit where the two time constants agree.
pub(crate) fn exponential_propagator(tau_syn: f64, tau_m: f64, c_m: f64, dt: f64) -> f64 {
    let difference = (dt / tau_syn - dt / tau_m).abs();
    // ∫₀^dt e^{−(dt−s)/τ_m} e^{−s/τ_syn} ds / C, written so that it stays accurate where the difference vanishes and finite where a
    // time constant does.
    let growth = if difference < 1e-12 {
        1.0
    } else {
        -libm::expm1(-difference) / difference
    };
    dt / c_m * libm::exp(-dt / tau_syn.max(tau_m)) * growth
}

impl NeuronModel for LifExp {
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
            i_in: neuron.initial("i_in", 0.0) as f32,
            until: 0,
        }
    }
}
