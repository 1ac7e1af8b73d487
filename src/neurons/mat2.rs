//! Non-resetting leaky integrate-and-fire neuron with a threshold that adapts on two time scales (NEST's `mat2_psc_exp`).
//!
//! ```text
//! C dV/dt = −(C/τ_m)(V − E_L) + I_ex + I_in + I_e + I_stim
//! dI_x/dt = −I_x/τ_x,   I_x ← I_x + w for each spike that arrives
//! dθ_j/dt = −θ_j/τ_j,   θ_j ← θ_j + α_j at each spike of the neuron
//! V ≥ ω + θ_1 + θ_2 and t_ref has passed: spike; V goes on as it is
//! ```
//!
//! | symbol | field | default | unit |
//! |---|---|---|---|
//! | E_L | `e_l` | −70 | mV |
//! | C | `c_m` | 100 | pF |
//! | τ_m | `tau_m` | 5 | ms |
//! | ω | `omega` | −51 | mV |
//! | α_1, α_2 | `alpha_1`, `alpha_2` | 37, 2 | mV |
//! | τ_1, τ_2 | `tau_1`, `tau_2` | 10, 200 | ms |
//! | t_ref | `t_ref` | 2 | ms |
//! | τ_ex, τ_in | `tau_syn_ex`, `tau_syn_in` | 1, 3 | ms |
//! | I_e | `i_e` | 0 | pA |
//!
//! The columns `threshold_1` and `threshold_2` are θ_1 and θ_2, the parts of the threshold above ω.
//!
//! **Receptors**: `excitatory` and `inhibitory`, weights in pA. A projection without a `receptor` goes by the sign of its weights.
//!
//! **Integration**: exact (Rotter & Diesmann 1999, Biol. Cybern. 81:381, doi:10.1007/s004220050570). Membrane, thresholds and currents move to
//! the end of the step, input that arrived in it is added to the currents, and then the membrane is compared with the threshold; refractory
//! time does nothing but forbid spikes. That is NEST's order. Membrane and thresholds move by their distance from where they are drawn. In
//! single precision that is right for time constants of up to 10⁵ steps; longer ones are refused, see
//! [`LifAdaptive`](super::lif_adaptive::LifAdaptive) for those. Currents and thresholds below 10⁻¹⁵ are set to 0.
//!
//! **Not modelled**: a threshold that depends on the membrane's slope (NEST's `amat2_psc_exp`), more than two time scales.
//!
//! **Source**: Kobayashi, Tsubo & Shinomoto 2009, Front. Comput. Neurosci. 3:9, doi:10.3389/neuro.10.009.2009, eqs. 1–3.
//!
//! **Scenes**: `neuron_zoo`.

use super::lif_exp::exponential_propagator;
use super::{NeuronModel, Receptor, RegisterNeuron, Sample, Sign, refractory_steps};
use crate::kernel;
use crate::network::distribution::Distribution;
use crate::sim::quantity::{Range, Unit};
use bevy::prelude::*;

/// The longest time constant of a threshold, in steps.
const SLOWEST: f64 = 1e5;

pub(super) fn plugin(app: &mut App) {
    app.register_neuron::<Mat2>();
}

/// Non-resetting integrate-and-fire neuron with a two-timescale adaptive threshold. See the [module](self).
#[derive(Component, Reflect, Clone, Debug)]
#[reflect(Default)]
pub struct Mat2 {
    /// Resting potential.
    #[reflect(@Unit("mV"), @Range::finite())]
    pub e_l: Distribution,
    /// Membrane capacitance.
    #[reflect(@Unit("pF"), @Range::positive())]
    pub c_m: Distribution,
    /// Membrane time constant.
    #[reflect(@Unit("ms"), @Range::positive())]
    pub tau_m: Distribution,
    /// Spike threshold of a neuron that has not spiked for long.
    #[reflect(@Unit("mV"), @Range::finite())]
    pub omega: Distribution,
    /// Rise of the fast part of the threshold at a spike.
    #[reflect(@Unit("mV"), @Range::finite())]
    pub alpha_1: Distribution,
    /// Rise of the slow part of the threshold at a spike.
    #[reflect(@Unit("mV"), @Range::finite())]
    pub alpha_2: Distribution,
    /// Time constant of the fast part of the threshold.
    #[reflect(@Unit("ms"), @Range::positive())]
    pub tau_1: Distribution,
    /// Time constant of the slow part of the threshold.
    #[reflect(@Unit("ms"), @Range::positive())]
    pub tau_2: Distribution,
    /// Time after a spike in which there is no other.
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

impl Default for Mat2 {
    fn default() -> Self {
        Self {
            e_l: (-70.0).into(),
            c_m: 100.0.into(),
            tau_m: 5.0.into(),
            omega: (-51.0).into(),
            alpha_1: 37.0.into(),
            alpha_2: 2.0.into(),
            tau_1: 10.0.into(),
            tau_2: 200.0.into(),
            t_ref: 2.0.into(),
            tau_syn_ex: 1.0.into(),
            tau_syn_in: 3.0.into(),
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
        /// 1 − exp(−dt/τ_1).
        fall_1: f32,
        /// 1 − exp(−dt/τ_2).
        fall_2: f32,
        /// Where rest and the constant current draw the membrane (mV).
        v_infinity: f32,
        omega: f32,
        alpha_1: f32,
        alpha_2: f32,
        refractory: i32,
    }
    state {
        v: f32 in Membrane,
        i_ex: f32 in ExcitatoryCurrent of excitatory,
        i_in: f32 in InhibitoryCurrent of inhibitory,
        threshold_1: f32 in FastThreshold,
        threshold_2: f32 in SlowThreshold,
        until: i32 in RefractoryUntil,
    }
    input { drive, excitatory, inhibitory }
    step(p, s, x, now) {
        let is_held = remaining(s.until, now) > 0;
        let moved = s.v + (p.v_infinity - s.v) * p.leak + s.i_ex * p.p_ex + s.i_in * p.p_in + x.drive * p.p_drive;
        let fast = cut(s.threshold_1 - s.threshold_1 * p.fall_1);
        let slow = cut(s.threshold_2 - s.threshold_2 * p.fall_2);
        let is_over = moved >= p.omega + (fast + slow);
        let spike = !is_held && is_over;
        Next(
            moved,
            fade(s.i_ex, p.decay_ex) + x.excitatory,
            fade(s.i_in, p.decay_in) + x.inhibitory,
            select(fast, fast + p.alpha_1, spike),
            select(slow, slow + p.alpha_2, spike),
            select(s.until, later(now, p.refractory + 1), spike),
            spike
        )
    }
}

impl NeuronModel for Mat2 {
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
            fall_1: -libm::expm1(-dt / at("tau_1", &self.tau_1)) as f32,
            fall_2: -libm::expm1(-dt / at("tau_2", &self.tau_2)) as f32,
            v_infinity: (e_l + i_e * tau_m / c_m) as f32,
            omega: at("omega", &self.omega) as f32,
            alpha_1: at("alpha_1", &self.alpha_1) as f32,
            alpha_2: at("alpha_2", &self.alpha_2) as f32,
            refractory: refractory_steps(at("t_ref", &self.t_ref), dt),
        }
    }

    fn is_self_driven(&self) -> bool {
        self.i_e != Distribution::Constant(0.0)
    }

    fn check(&self, dt: f64) -> Result<(), String> {
        for (name, tau) in [("tau_1", &self.tau_1), ("tau_2", &self.tau_2)] {
            let longest = tau.largest_magnitude();
            if longest > SLOWEST * dt {
                return Err(format!(
                    "{name} is up to {longest} ms; with steps of {dt} ms it may be at most {} ms, or the threshold would stand still; \
                     LifAdaptive has no such limit",
                    SLOWEST * dt
                ));
            }
        }
        Ok(())
    }

    fn initial(&self, neuron: &Sample<'_>, _dt: f64) -> update::State {
        update::State {
            v: neuron.initial("v", neuron.parameter("e_l", &self.e_l)) as f32,
            i_ex: neuron.initial("i_ex", 0.0) as f32,
            i_in: neuron.initial("i_in", 0.0) as f32,
            threshold_1: neuron.initial("threshold_1", 0.0) as f32,
            threshold_2: neuron.initial("threshold_2", 0.0) as f32,
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

    fn derived(model: &Mat2, dt: f64) -> (Params, State) {
        let sample = Sample::new(1, 1, 0, &[]);
        (model.derive(&sample, dt), model.initial(&sample, dt))
    }

    fn state(next: Next) -> State {
        State {
            v: next.v,
            i_ex: next.i_ex,
            i_in: next.i_in,
            threshold_1: next.threshold_1,
            threshold_2: next.threshold_2,
            until: next.until,
        }
    }

    #[test]
    fn spikes_leave_the_membrane_and_lift_the_threshold() {
        let (p, mut s) = derived(
            &Mat2 {
                i_e: 600.0.into(),
                ..default()
            },
            0.1,
        );
        let mut spikes: Vec<f64> = Vec::new();
        for now in 0..2000 {
            let t = 0.1 * f64::from(now + 1);
            let next = step(p, s, REST, now);
            let v = -70.0 + 30.0 * -libm::expm1(-t / 5.0);
            assert!(
                (f64::from(next.v) - v).abs() < 1e-3,
                "{t} ms: {} mV, want {v}",
                next.v
            );
            let part = |alpha: f64, tau: f64| {
                spikes
                    .iter()
                    .map(|k| alpha * libm::exp(-(t - k) / tau))
                    .sum::<f64>()
            };
            let (fast, slow) = (part(37.0, 10.0), part(2.0, 200.0));
            let ready = spikes.last().is_none_or(|k| t - k > 2.05);
            assert_eq!(
                next.spike,
                ready && v >= -51.0 + fast + slow,
                "{t} ms: {v} mV against {}",
                -51.0 + fast + slow
            );
            let lifted = if next.spike {
                (fast + 37.0, slow + 2.0)
            } else {
                (fast, slow)
            };
            assert!(
                (f64::from(next.threshold_1) - lifted.0).abs() < 1e-4,
                "{t} ms: θ_1 {}",
                next.threshold_1
            );
            assert!(
                (f64::from(next.threshold_2) - lifted.1).abs() < 1e-4,
                "{t} ms: θ_2 {}",
                next.threshold_2
            );
            if next.spike {
                spikes.push(t);
            }
            s = state(next);
        }
        assert!(spikes.len() > 5, "{} spikes", spikes.len());
    }

    #[test]
    fn refractory_time_forbids_spikes_and_nothing_else() {
        // Without adaptation the membrane stays above the threshold, so the neuron fires as soon as it may.
        let flat = Mat2 {
            alpha_1: 0.0.into(),
            alpha_2: 0.0.into(),
            i_e: 600.0.into(),
            ..default()
        };
        let (p, mut s) = derived(&flat, 0.1);
        s.v = -45.0;
        let mut spikes = Vec::new();
        for now in 0..64 {
            let next = step(
                p,
                s,
                Input {
                    excitatory: 10.0,
                    ..REST
                },
                now,
            );
            assert!(next.v > s.v);
            if next.spike {
                spikes.push(now);
            }
            s = state(next);
        }
        assert_eq!(spikes, [0, 21, 42, 63]);
        assert!(s.i_ex > 50.0);
    }

    #[test]
    fn input_moves_the_membrane_as_the_closed_form() {
        let (p, s) = derived(
            &Mat2 {
                omega: 1e6.into(),
                ..default()
            },
            0.1,
        );
        let mut s = state(step(
            p,
            s,
            Input {
                inhibitory: -400.0,
                ..REST
            },
            0,
        ));
        assert_eq!((s.v, s.i_in), (-70.0, -400.0));
        for now in 1..400 {
            s = state(step(p, s, REST, now));
            let t = 0.1 * f64::from(now);
            let want = -400.0 / 100.0 / (1.0 / 5.0 - 1.0 / 3.0)
                * (libm::exp(-t / 3.0) - libm::exp(-t / 5.0));
            assert!(
                (f64::from(s.v) + 70.0 - want).abs() < 5e-4,
                "{t} ms: {} mV, want {want}",
                s.v + 70.0
            );
        }
    }

    #[test]
    fn thresholds_and_currents_end_at_zero() {
        let (p, s) = derived(
            &Mat2 {
                tau_2: 20.0.into(),
                ..default()
            },
            0.1,
        );
        let mut s = State {
            threshold_1: 37.0,
            threshold_2: 2.0,
            i_ex: 1.0,
            i_in: -1.0,
            ..s
        };
        for now in 0..20_000 {
            s = state(step(p, s, REST, now));
        }
        assert_eq!(
            (s.threshold_1, s.threshold_2, s.i_ex, s.i_in),
            (0.0, 0.0, 0.0, 0.0)
        );
    }

    #[test]
    fn the_slowest_threshold_that_is_allowed_falls_as_it_should() {
        let model = Mat2 {
            tau_2: 1e4.into(),
            ..default()
        };
        model.check(0.1).expect("10⁵ steps are allowed");
        let (p, s) = derived(&model, 0.1);
        let mut s = State {
            threshold_2: 2.0,
            ..s
        };
        for now in 0..100_000 {
            s = state(step(p, s, REST, now));
        }
        let want = 2.0 * libm::exp(-1.0);
        assert!(
            (f64::from(s.threshold_2) / want - 1.0).abs() < 2e-3,
            "{} mV, want {want}",
            s.threshold_2
        );
        let message = Mat2 {
            tau_2: 1.1e4.into(),
            ..default()
        }
        .check(0.1)
        .expect_err("too slow");
        assert!(
            message.contains("tau_2") && message.contains("10000"),
            "{message}"
        );
    }
}
