//! Exponential integrate-and-fire neuron with exponential conductances (NEST's `aeif_cond_exp` with a = b = 0).
//!
//! ```text
//! C dV/dt = −g_L(V − E_L) + g_L Δ_T exp((V − V_th)/Δ_T) − g_ex(V − E_ex) − g_in(V − E_in) + I_e + I_stim
//! dg_x/dt = −g_x/τ_x,   g_x ← g_x + |weight| for each spike that arrives
//! V ≥ V_peak: spike; V ← V_reset, held for t_ref
//! ```
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
//! | E_ex, E_in | `e_ex`, `e_in` | 0, −85 | mV |
//! | τ_ex, τ_in | `tau_syn_ex`, `tau_syn_in` | 0.2, 2 | ms |
//! | I_e | `i_e` | 0 | pA |
//! | | `substep_ms` | 0.025 | ms |
//!
//! **Receptors**: `excitatory`, weights of 0 or more, and `inhibitory`, weights of 0 or less; both in nS.
//!
//! **Integration**: that of [`AdEx`], on whose kernel it runs: the adaptation current `w` is one of its columns and stays 0 unless
//! the scene starts it elsewhere.
//!
//! **Not modelled**: adaptation; see [`AdEx`].
//!
//! **Source**: Fourcaud-Trocmé, Hansel, van Vreeswijk & Brunel 2003, J. Neurosci. 23:11628,
//! doi:10.1523/JNEUROSCI.23-37-11628.2003, equations 2 and 6.
//!
//! **Scenes**: `neuron_zoo`.

use super::adex::{AdEx, update};
use super::{NeuronModel, Receptor, RegisterNeuron, Sample};
use crate::network::distribution::Distribution;
use crate::sim::quantity::{Range, Unit};
use bevy::prelude::*;

pub(super) fn plugin(app: &mut App) {
    app.register_neuron::<Eif>();
}

/// Exponential integrate-and-fire neuron with exponential conductances. See the [module](self).
#[derive(Component, Reflect, Clone, Debug)]
#[reflect(Default)]
pub struct Eif {
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

impl Default for Eif {
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
            e_ex,
            e_in,
            tau_syn_ex,
            tau_syn_in,
            i_e,
            substep_ms,
            ..
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
            e_ex,
            e_in,
            tau_syn_ex,
            tau_syn_in,
            i_e,
            substep_ms,
        }
    }
}

impl Eif {
    /// The same neuron as one that could adapt but does not.
    fn adaptive(&self) -> AdEx {
        let Self {
            c_m,
            g_l,
            e_l,
            v_th,
            delta_t,
            v_peak,
            v_reset,
            t_ref,
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
            e_ex,
            e_in,
            tau_syn_ex,
            tau_syn_in,
            i_e,
            substep_ms,
            a: 0.0.into(),
            b: 0.0.into(),
            ..default()
        }
    }
}

impl NeuronModel for Eif {
    type Kernel = update::Executor;
    const RECEPTORS: &'static [Receptor] = AdEx::RECEPTORS;

    fn derive(&self, neuron: &Sample<'_>, dt: f64) -> update::Params {
        self.adaptive().derive(neuron, dt)
    }

    fn initial(&self, neuron: &Sample<'_>, dt: f64) -> update::State {
        self.adaptive().initial(neuron, dt)
    }

    fn substeps(&self, dt: f64) -> u32 {
        self.adaptive().substeps(dt)
    }

    fn is_self_driven(&self) -> bool {
        self.i_e != Distribution::Constant(0.0)
    }

    fn check(&self, dt: f64) -> Result<(), String> {
        self.adaptive().check(dt)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Steps until the first spike under a constant current, counted in sub-steps.
    fn first_spike(drive: f32, substep_ms: f64) -> Option<f64> {
        let model = Eif {
            substep_ms,
            ..default()
        };
        let sample = Sample::new(1, 2, 0, &[]);
        let (p, mut s) = (model.derive(&sample, 0.1), model.initial(&sample, 0.1));
        let x = update::Input {
            drive,
            excitatory: 0.0,
            inhibitory: 0.0,
        };
        for n in 0..100_000 {
            let next = update::repeat(p, s, x, 0);
            if next.spike {
                return Some(f64::from(n) * substep_ms);
            }
            s = update::State {
                v: next.v,
                w: next.w,
                g_ex: next.g_ex,
                g_in: next.g_in,
                until: next.until,
            };
        }
        assert_eq!(s.w, 0.0);
        None
    }

    #[test]
    fn the_rheobase_is_where_theory_puts_it() {
        // The fixed points vanish where the slope of the nullcline does, at V_th: I = g_L (V_th − E_L − Δ_T) = 546 pA.
        assert_eq!(first_spike(545.5, 0.025), None);
        assert!(first_spike(547.0, 0.025).is_some());
    }

    #[test]
    fn the_first_spike_comes_after_the_integral_of_the_inverse_slope() {
        // t = ∫ C dV / (−g_L(V − E_L) + g_L Δ_T exp((V − V_th)/Δ_T) + I), by the midpoint rule.
        for (current, substep_ms) in [(600.0, 0.025), (800.0, 0.1)] {
            let (n, from, to) = (2_000_000, -70.6, 0.0);
            let width = (to - from) / f64::from(n);
            let time: f64 = (0..n)
                .map(|k| {
                    let v = from + (f64::from(k) + 0.5) * width;
                    281.0 * width
                        / (-30.0 * (v + 70.6) + 60.0 * ((v + 50.4) / 2.0f64).exp() + current)
                })
                .sum();
            let found =
                first_spike(current as f32, substep_ms).expect("the current is above the rheobase");
            assert!(
                found <= time && time <= found + 1.5 * substep_ms,
                "{current} pA: {found} of {time} ms"
            );
        }
    }
}
