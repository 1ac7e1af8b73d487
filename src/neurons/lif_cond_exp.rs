//! Leaky integrate-and-fire neuron with exponentially decaying synaptic conductances (NEST's `iaf_cond_exp`).
//!
//! ```text
//! C dV/dt = −g_L(V − E_L) − g_ex(V − E_ex) − g_in(V − E_in) + I_e + I_stim
//! dg_x/dt = −g_x/τ_x,   g_x ← g_x + |w| for each spike that arrives
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
//! **Integration**: the conductances decay exactly. The membrane equation dV/dt = b(t) − a(t) V is linear, and both a and b are sums of
//! exponentials, so that the first two terms of its Magnus series are integrals known beforehand:
//!
//! ```text
//! A = ∫a dt,  B = ∫b dt + ½ ∫∫ₛ (a(s) b(t) − a(t) b(s)) ds dt      (0 ≤ s ≤ t ≤ dt)
//! V ← V + (B − A V)(1 − e^−A)/A
//! ```
//!
//! which is of fourth order in dt (Blanes, Casas, Oteo & Ros 2009, Phys. Rep. 470:151, doi:10.1016/j.physrep.2008.11.001) and exact where
//! conductances are constant. A and B are polynomials of g_ex and g_in whose coefficients are computed once on the host; I_stim is left out
//! of the double integral, where 500 pA would count for 10⁻³ mV after 200 nS at the defaults. (1 − e^−A)/A is taken as
//! 1/(1 + A/2 + A²/12), which is right to A⁴/720 for the A of about 0.01 to 0.3 of a usual step, and as 1/(1 + A) above A = 6, so that any
//! conductance pulls the membrane monotonically towards its effective reversal potential. A step costs one division and no exponential. It
//! agrees with NEST's adaptive Runge–Kutta scheme to 5·10⁻⁵ mV in single precision, where frozen conductances (exponential Euler) are
//! wrong by 0.8 mV after 20 nS inputs at the defaults.
//!
//! A conductance that arrives in a step is there at its end and moves the membrane from the next step on, as in NEST. Conductances below
//! 10⁻¹⁵ nS are set to 0, because what decays for ever ends in numbers that processors are slow with.
//!
//! **Not modelled**: rise times, see [`LifCondAlpha`](super::lif_cond_alpha::LifCondAlpha); voltage-dependent conductances; adaptation.
//!
//! **Source**: Vogels & Abbott 2005, J. Neurosci. 25:10786, doi:10.1523/JNEUROSCI.3508-05.2005; Brette et al. 2007, J. Comput. Neurosci.
//! 23:349, doi:10.1007/s10827-007-0038-6, benchmark 1.
//!
//! **Scene**: `coba`.

use super::lif_alpha::decay_moment;
use super::{NeuronModel, Receptor, RegisterNeuron, Sample, Sign, check_below, refractory_steps};
use crate::kernel;
use crate::network::distribution::Distribution;
use crate::sim::quantity::{Range, Unit};
use bevy::prelude::*;

pub(super) fn plugin(app: &mut App) {
    app.register_neuron::<LifCondExp>();
}

/// Leaky integrate-and-fire neuron with exponential synaptic conductances. See the [module](self).
#[derive(Component, Reflect, Clone, Debug)]
#[reflect(Default)]
pub struct LifCondExp {
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
    /// Time constant of the excitatory conductance.
    #[reflect(@Unit("ms"), @Range::positive())]
    pub tau_syn_ex: Distribution,
    /// Time constant of the inhibitory conductance.
    #[reflect(@Unit("ms"), @Range::positive())]
    pub tau_syn_in: Distribution,
    /// Constant input current.
    #[reflect(@Unit("pA"), @Range::finite())]
    pub i_e: Distribution,
}

impl Default for LifCondExp {
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
        /// A of the leak.
        a_leak: f32,
        /// A per nS of excitatory conductance.
        a_ex: f32,
        /// A per nS of inhibitory conductance.
        a_in: f32,
        /// B of the leak and the constant current (mV).
        b_rest: f32,
        /// B per nS of excitatory conductance (mV).
        b_ex: f32,
        /// B per nS of inhibitory conductance (mV).
        b_in: f32,
        /// B per nS² of excitatory times inhibitory conductance (mV).
        b_both: f32,
        /// B per pA of stimulus current (mV).
        b_drive: f32,
        /// exp(−dt/τ_ex).
        decay_ex: f32,
        /// exp(−dt/τ_in).
        decay_in: f32,
        v_th: f32,
        v_reset: f32,
        refractory: i32,
    }
    state {
        v: f32 in Membrane,
        g_ex: f32 in ExcitatoryConductance of excitatory,
        g_in: f32 in InhibitoryConductance of inhibitory,
        until: i32 in RefractoryUntil,
    }
    input { drive, excitatory, inhibitory }
    fn fade_conductance(g: f32, decay: f32) -> f32 {
        select(0.0, g * decay, g > 1e-15)
    }
    fn stiffness(a: f32) -> f32 {
        1.0 + a * (0.5 + min(a * 0.083333336, 0.5))
    }
    step(p, s, x, now) {
        let is_held = remaining(s.until, now) > 0;
        let a = p.a_leak + s.g_ex * p.a_ex + s.g_in * p.a_in;
        let b = p.b_rest + x.drive * p.b_drive + s.g_ex * (p.b_ex + s.g_in * p.b_both) + s.g_in * p.b_in;
        let moved = s.v + (b - a * s.v) / stiffness(a);
        let is_over = moved >= p.v_th;
        let spike = !is_held && is_over;
        Next(
            select(moved, p.v_reset, is_held || spike),
            fade_conductance(s.g_ex, p.decay_ex) + x.excitatory,
            fade_conductance(s.g_in, p.decay_in) + x.inhibitory,
            select(s.until, later(now, p.refractory + 1), spike),
            spike
        )
    }
}

/// What a conductance with a given course does to the membrane in a step.
#[derive(Clone, Copy)]
pub(crate) struct Pull {
    /// ∫g dt / C, for a course that is 1 nS at the start or grows by 1 nS/ms.
    pub weight: f64,
    /// ∫(t/dt − ½) g dt / C of the same course: how much later than the middle of the step it acts.
    pub lateness: f64,
}

impl Pull {
    /// Of tᵖ exp(−t/τ), p = `power`.
    pub fn new(power: u32, tau: f64, c_m: f64, dt: f64) -> Self {
        let (x, scale) = (dt / tau, dt / c_m * libm::pow(dt, f64::from(power)));
        let weight = scale * decay_moment(power, x);
        Self {
            weight,
            lateness: scale * decay_moment(power + 1, x) - 0.5 * weight,
        }
    }
}

impl NeuronModel for LifCondExp {
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
        let (e_ex, e_in) = (at("e_ex", &self.e_ex), at("e_in", &self.e_in));
        let (tau_ex, tau_in) = (
            at("tau_syn_ex", &self.tau_syn_ex),
            at("tau_syn_in", &self.tau_syn_in),
        );
        let a_leak = g_l * dt / c_m;
        let b_rest = a_leak * at("e_l", &self.e_l) + at("i_e", &self.i_e) * dt / c_m;
        let (ex, inh) = (Pull::new(0, tau_ex, c_m, dt), Pull::new(0, tau_in, c_m, dt));
        // The double integral of the Magnus series is, for what is linear in t, A·∫(t/dt − ½)b dt − B·∫(t/dt − ½)a dt; a pair of
        // terms with the same reversal potential drops out of it.
        let skewed = |pull: Pull, reversal: f64| {
            pull.weight * reversal + pull.lateness * (a_leak * reversal - b_rest)
        };
        update::Params {
            a_leak: a_leak as f32,
            a_ex: ex.weight as f32,
            a_in: inh.weight as f32,
            b_rest: b_rest as f32,
            b_ex: skewed(ex, e_ex) as f32,
            b_in: skewed(inh, e_in) as f32,
            b_both: ((ex.lateness * inh.weight - ex.weight * inh.lateness) * (e_ex - e_in)) as f32,
            b_drive: (dt / c_m) as f32,
            decay_ex: libm::exp(-dt / tau_ex) as f32,
            decay_in: libm::exp(-dt / tau_in) as f32,
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
            g_in: neuron.initial("g_in", 0.0) as f32,
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

    fn derived(model: &LifCondExp, dt: f64) -> (Params, State) {
        let sample = Sample::new(1, 1, 0, &[]);
        (model.derive(&sample, dt), model.initial(&sample, dt))
    }

    fn state(next: Next) -> State {
        State {
            v: next.v,
            g_ex: next.g_ex,
            g_in: next.g_in,
            until: next.until,
        }
    }

    /// The membrane equation in double precision, in steps of 1 µs of the fourth-order Runge–Kutta scheme.
    fn precise(start: State, current: f64, tau: (f64, f64), ms: f64) -> f64 {
        let slope = |t: f64, v: f64| {
            let g_ex = f64::from(start.g_ex) * libm::exp(-t / tau.0);
            let g_in = f64::from(start.g_in) * libm::exp(-t / tau.1);
            (-16.6667 * (v + 70.0) - g_ex * v - g_in * (v + 85.0) + current) / 250.0
        };
        let (h, mut v) = (1e-3, f64::from(start.v));
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
    fn without_conductances_the_membrane_is_the_closed_form() {
        let driven = derived(
            &LifCondExp {
                i_e: 200.0.into(),
                ..default()
            },
            0.1,
        );
        let stimulated = derived(&LifCondExp::default(), 0.1);
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
    fn a_constant_conductance_draws_the_membrane_to_its_effective_reversal_potential() {
        let model = LifCondExp {
            tau_syn_ex: 1e12.into(),
            tau_syn_in: 1e12.into(),
            v_th: 0.0.into(),
            ..default()
        };
        let (p, mut s) = derived(&model, 0.1);
        (s.g_ex, s.g_in) = (30.0, 60.0);
        let total = 16.6667 + 30.0 + 60.0;
        let target = -(16.6667 * 70.0 + 60.0 * 85.0) / total;
        for now in 0..500 {
            let want = target + (-70.0 - target) * libm::exp(-0.1 * f64::from(now) * total / 250.0);
            assert!(
                (f64::from(s.v) - want).abs() < 2e-4,
                "step {now}: {} mV, want {want}",
                s.v
            );
            s = state(step(p, s, REST, now));
        }
    }

    #[test]
    fn decaying_conductances_agree_with_a_fine_integration() {
        for (g_ex, g_in, tau) in [
            (200.0, 0.0, (0.2, 2.0)),
            (0.0, 300.0, (5.0, 0.5)),
            (150.0, 400.0, (0.3, 1.0)),
            (6.0, 67.0, (5.0, 10.0)),
        ] {
            for drive in [0.0, 500.0] {
                let model = LifCondExp {
                    tau_syn_ex: tau.0.into(),
                    tau_syn_in: tau.1.into(),
                    v_th: 1e6.into(),
                    ..default()
                };
                let (p, mut s) = derived(&model, 0.1);
                (s.g_ex, s.g_in) = (g_ex, g_in);
                let start = s;
                for now in 0..60 {
                    s = state(step(p, s, Input { drive, ..REST }, now));
                    let t = 0.1 * f64::from(now + 1);
                    let want = precise(start, drive.into(), tau, t);
                    let error = (f64::from(s.v) - want).abs();
                    assert!(
                        error < if drive == 0.0 { 2e-4 } else { 2e-3 },
                        "{g_ex}, {g_in} nS, {drive} pA, {t} ms: {} mV, want {want}",
                        s.v
                    );
                }
            }
        }
    }

    #[test]
    fn a_conductance_counts_from_the_step_after_its_arrival() {
        let (p, s) = derived(&LifCondExp::default(), 0.1);
        let s = state(step(
            p,
            s,
            Input {
                excitatory: 20.0,
                inhibitory: 5.0,
                ..REST
            },
            0,
        ));
        assert_eq!((s.v, s.g_ex, s.g_in), (-70.0, 20.0, 5.0));
        let s = state(step(p, s, REST, 1));
        assert!(s.v > -70.0);
        assert!((f64::from(s.g_ex) - 20.0 * libm::exp(-0.5)).abs() < 1e-5);
        assert!((f64::from(s.g_in) - 5.0 * libm::exp(-0.05)).abs() < 1e-5);
    }

    #[test]
    fn the_membrane_is_held_and_conductances_go_on_after_a_spike() {
        let (p, mut s) = derived(&LifCondExp::default(), 0.1);
        s.v = -55.0;
        s.g_ex = 500.0;
        let next = step(p, s, REST, 3);
        assert!(next.spike && next.v == -60.0);
        let mut s = state(next);
        for now in 4..24 {
            let next = step(
                p,
                s,
                Input {
                    inhibitory: 1.0,
                    ..REST
                },
                now,
            );
            assert!(!next.spike && next.v == -60.0, "step {now} is refractory");
            s = state(next);
        }
        assert!((f64::from(s.g_ex) - 500.0 * libm::exp(-10.5)).abs() < 1e-4);
        assert!(s.g_in > 10.0);
        assert!(state(step(p, s, REST, 24)).v < -60.0);
    }

    #[test]
    fn no_conductance_is_too_large() {
        let model = LifCondExp {
            v_th: 1e6.into(),
            tau_syn_ex: 5.0.into(),
            ..default()
        };
        let (p, mut s) = derived(&model, 0.1);
        let mut last = s.v;
        for g in [1e2, 1e4, 1e6, 1e9] {
            s.v = -70.0;
            s.g_ex = g;
            let moved = step(p, s, REST, 0).v;
            assert!(
                moved > last && moved < 1e-3,
                "{g} nS moved the membrane to {moved} mV"
            );
            last = moved;
        }
        assert!(last > -1e-2, "{last} mV is not the reversal potential");
    }

    #[test]
    fn conductances_end_at_zero() {
        let (p, s) = derived(&LifCondExp::default(), 0.1);
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
        for now in 1..1000 {
            s = state(step(p, s, REST, now));
        }
        assert_eq!((s.g_ex, s.g_in), (0.0, 0.0));
    }
}
