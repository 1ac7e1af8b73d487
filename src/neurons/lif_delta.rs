//! Leaky integrate-and-fire neuron whose membrane jumps at every input spike (NEST's `iaf_psc_delta`).
//!
//! ```text
//! C dV/dt = −(C/τ_m)(V − E_L) + I_e + I_stim
//! V ← V + w for each spike that arrives
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
//! | I_e | `i_e` | 0 | pA |
//!
//! **Receptor**: `input`, weights in mV, of either sign.
//!
//! **Integration**: exact. The membrane relaxes over the step, then the input that arrived in it is added, then the sum is compared with
//! the threshold (Rotter & Diesmann 1999, Biol. Cybern. 81:381, doi:10.1007/s004220050570). Input that arrives while the membrane is
//! held is lost, as in NEST. The membrane moves by its distance from where it is drawn.
//!
//! **Not modelled**: input that waits for the end of refractoriness (NEST's `refractory_input`), a lower bound of the potential, synaptic
//! currents; see [`LifExp`](super::lif_exp::LifExp) for the latter.
//!
//! **Source**: Brunel 2000, J. Comput. Neurosci. 8:183, doi:10.1023/A:1008925309027, eqs. 1–2.
//!
//! **Scene**: `brunel2000`.

use super::{NeuronModel, Receptor, RegisterNeuron, Sample, Sign, check_below, refractory_steps};
use crate::kernel;
use crate::network::distribution::Distribution;
use crate::sim::quantity::{Range, Unit};
use bevy::prelude::*;

pub(super) fn plugin(app: &mut App) {
    app.register_neuron::<LifDelta>();
}

/// Leaky integrate-and-fire neuron with delta synapses. See the [module](self).
#[derive(Component, Reflect, Clone, Debug)]
#[reflect(Default)]
pub struct LifDelta {
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
    /// Constant input current.
    #[reflect(@Unit("pA"), @Range::finite())]
    pub i_e: Distribution,
}

impl Default for LifDelta {
    fn default() -> Self {
        Self {
            e_l: (-70.0).into(),
            c_m: 250.0.into(),
            tau_m: 10.0.into(),
            v_th: (-55.0).into(),
            v_reset: (-70.0).into(),
            t_ref: 2.0.into(),
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
        /// mV per pA of constant current.
        p_drive: f32,
        /// Where rest and the constant current draw the membrane (mV).
        v_infinity: f32,
        v_th: f32,
        v_reset: f32,
        refractory: i32,
    }
    state {
        v: f32 in Membrane,
        until: i32 in RefractoryUntil,
    }
    input { drive, input }
    step(p, s, x, now) {
        let is_held = remaining(s.until, now) > 0;
        let moved = s.v + (p.v_infinity - s.v) * p.leak + x.drive * p.p_drive + x.input;
        let is_over = moved >= p.v_th;
        let spike = !is_held && is_over;
        Next(
            select(moved, p.v_reset, is_held || spike),
            select(s.until, later(now, p.refractory + 1), spike),
            spike
        )
    }
}

impl NeuronModel for LifDelta {
    type Kernel = update::Executor;
    const RECEPTORS: &'static [Receptor] = &[Receptor {
        name: "input",
        sign: Sign::Any,
        unit: "mV",
    }];

    fn derive(&self, neuron: &Sample<'_>, dt: f64) -> update::Params {
        let at = |field, distribution| neuron.parameter(field, distribution);
        let (tau_m, c_m) = (at("tau_m", &self.tau_m), at("c_m", &self.c_m));
        let (e_l, i_e) = (at("e_l", &self.e_l), at("i_e", &self.i_e));
        let leak = -libm::expm1(-dt / tau_m);
        update::Params {
            leak: leak as f32,
            p_drive: (tau_m / c_m * leak) as f32,
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
            until: 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::update::{Input, Next, Params, State, step};
    use super::*;
    use crate::sim::columns::LANES;
    use crate::sim::kernel::{Blocks, Kernel, LaneChunks, Parameters};
    use crate::sim::simd::SimdLevel;
    use crate::sim::workers::Shares;

    const REST: Input = Input {
        drive: 0.0,
        input: 0.0,
    };

    fn derived(model: &LifDelta, dt: f64) -> (Params, State) {
        let sample = Sample::new(1, 1, 0, &[]);
        (model.derive(&sample, dt), model.initial(&sample, dt))
    }

    fn state(next: Next) -> State {
        State {
            v: next.v,
            until: next.until,
        }
    }

    #[test]
    fn constant_and_stimulus_current_charge_the_membrane_as_the_closed_form() {
        let driven = derived(
            &LifDelta {
                i_e: 300.0.into(),
                ..default()
            },
            0.1,
        );
        let stimulated = derived(&LifDelta::default(), 0.1);
        for ((p, mut s), drive) in [(driven, 0.0), (stimulated, 300.0)] {
            for now in 0..2000 {
                let want = -70.0 + 12.0 * -libm::expm1(-0.01 * f64::from(now));
                assert!(
                    (f64::from(s.v) - want).abs() < 1e-3,
                    "step {now}: {} mV, want {want}",
                    s.v
                );
                let next = step(p, s, Input { drive, ..REST }, now);
                assert!(!next.spike);
                s = state(next);
            }
        }
    }

    #[test]
    fn input_jumps_at_the_end_of_its_step_and_decays_from_there() {
        let (p, mut s) = derived(&LifDelta::default(), 0.1);
        s = state(step(p, s, Input { input: 3.0, ..REST }, 0));
        assert_eq!(s.v, -67.0);
        for now in 1..500 {
            s = state(step(p, s, REST, now));
            let want = -70.0 + 3.0 * libm::exp(-0.01 * f64::from(now));
            assert!(
                (f64::from(s.v) - want).abs() < 1e-3,
                "step {now}: {} mV, want {want}",
                s.v
            );
        }
    }

    #[test]
    fn a_potential_equal_to_the_threshold_spikes() {
        let (p, s) = derived(&LifDelta::default(), 0.1);
        let below = step(
            p,
            s,
            Input {
                input: 14.999_99,
                ..REST
            },
            0,
        );
        assert!(!below.spike && below.v < -55.0);
        let at = step(
            p,
            s,
            Input {
                input: 15.0,
                ..REST
            },
            0,
        );
        assert!(at.spike);
        assert_eq!(at.v, -70.0);
    }

    #[test]
    fn input_in_the_refractory_steps_is_lost() {
        let (p, s) = derived(&LifDelta::default(), 0.1);
        let mut s = state(step(
            p,
            s,
            Input {
                input: 20.0,
                ..REST
            },
            7,
        ));
        for now in 8..28 {
            let next = step(
                p,
                s,
                Input {
                    input: 20.0,
                    ..REST
                },
                now,
            );
            assert!(!next.spike && next.v == -70.0, "step {now} is refractory");
            s = state(next);
        }
        assert!(
            step(
                p,
                s,
                Input {
                    input: 20.0,
                    ..REST
                },
                28
            )
            .spike
        );
    }

    #[test]
    fn without_refractoriness_every_step_can_spike() {
        let (p, mut s) = derived(
            &LifDelta {
                t_ref: 0.0.into(),
                ..default()
            },
            0.1,
        );
        for now in 0..5 {
            let next = step(
                p,
                s,
                Input {
                    input: 20.0,
                    ..REST
                },
                now,
            );
            assert!(next.spike);
            s = state(next);
        }
    }

    /// Steps are kept in 32 bits: the executor must see to it that a spike long past never seems to lie ahead.
    #[test]
    fn a_silent_neuron_stays_ready_when_the_step_counter_wraps() {
        let (p, s) = derived(&LifDelta::default(), 0.1);
        for quarters in 1..=8u32 {
            let mut world = World::new();
            update::Executor::insert(&mut world.spawn_empty(), &[s]);
            let mut columns = world.query::<<update::Executor as Kernel>::Columns>();
            let mut slots = [0i32; LANES];
            let mut spikes = |step: u32, input: i32| {
                slots[0] = input;
                let mut item = columns.single_mut(&mut world).expect("one region");
                let mut mask = 0;
                let lane = LaneChunks {
                    spans: &[(0, 1)],
                    block: &[0],
                    base: &[0],
                    blocks: Blocks::Narrow(&[Shares::new(&mut slots)]),
                    late: None,
                    offset: &[Some(0)],
                    quanta: &[1.0],
                    quiet: &[false],
                    drive: core::ptr::null(),
                    mask: &mut mask,
                };
                // SAFETY: one chunk of columns, slots and mask, used by this thread only; every processor has this level.
                unsafe {
                    update::Executor::step_chunks(
                        SimdLevel::Portable,
                        &Parameters::Uniform(p),
                        1,
                        step as i32,
                        update::Executor::pointers(&mut item),
                        &lane,
                    );
                }
                mask & 1 == 1
            };
            assert!(spikes(5, 20));
            assert!(!spikes(6, 20), "refractory");
            // Of the long silence, the steps in which something happens.
            for quarter in 1..=quarters {
                assert!(!spikes(quarter << 30, 0));
            }
            assert!(
                spikes((quarters << 30) + 7, 20),
                "{quarters} · 2³⁰ steps later"
            );
        }
    }

    #[test]
    fn a_reset_at_the_threshold_is_refused() {
        let model = LifDelta {
            v_reset: (-55.0).into(),
            ..default()
        };
        let message = model.check(0.1).expect_err("the neuron would never stop");
        assert!(
            message.contains("v_reset") && message.contains("-55"),
            "{message}"
        );
    }
}
