//! Leaky integrate-and-fire neuron with the four receptors of glutamate and GABA: AMPA, NMDA with its magnesium block, GABA-A and GABA-B.
//!
//! ```text
//! C dV/dt = −g_L(V − E_L) − (g_AMPA + B(V) g_NMDA)(V − E_ex) − g_GABA-A (V − E_A) − g_GABA-B (V − E_B) + I_e + I_stim
//! B(V) = 1/(1 + [Mg]/3.57 · exp(−0.062 V))                                       [Mg] in mM, V in mV
//! g_AMPA, g_GABA-A:  w e^{−t/τ}   after a spike
//! g_NMDA, g_GABA-B:  w N (e^{−t/τ_decay} − e^{−t/τ_rise})   after a spike, N such that the peak is w
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
//! | E_ex | `e_ex` | 0 | mV |
//! | E_A, E_B | `e_gaba_a`, `e_gaba_b` | −70, −90 | mV |
//! | τ of AMPA, GABA-A | `tau_ampa`, `tau_gaba_a` | 2, 7 | ms |
//! | τ of NMDA | `tau_nmda_rise`, `tau_nmda` | 4, 40 | ms |
//! | τ of GABA-B | `tau_gaba_b_rise`, `tau_gaba_b` | 60, 200 | ms |
//! | \[Mg\] | `mg` | 1 | mM |
//! | | `nmda_per_ampa` | 0 | |
//! | | `gaba_b_per_gaba_a` | 0 | |
//! | I_e | `i_e` | 0 | pA |
//!
//! **Receptors**: `ampa` and `nmda`, weights in nS of 0 or more; `gaba_a` and `gaba_b`, weights of 0 or less whose magnitude is the conductance.
//! A synapse with both receptors of a transmitter, as most glutamatergic ones are, projects to `ampa`, and `nmda_per_ampa` says how much
//! of `nmda` it opens besides; likewise for GABA. A projection without a `receptor` goes by the sign of its weights.
//!
//! **Integration**: conductances exactly. The membrane takes half a step with the block of its start, and then a whole one with the conductances
//! and the block of the middle (second order), each as an exponential whose rate is positive, so that no conductance makes it overshoot its
//! reversal potential. A conductance that arrives in a step is there at its end.
//!
//! **Not modelled**: saturation of receptors; the cooperative G-protein cascade of GABA-B, which makes it need several spikes.
//!
//! **Source**: Jahr & Stevens 1990, J. Neurosci. 10:3178, doi:10.1523/JNEUROSCI.10-09-03178.1990 (block); Destexhe, Mainen & Sejnowski 1994, J.
//! Comput. Neurosci. 1:195, doi:10.1007/BF00961734 (kinetics).

use super::{NeuronModel, Receptor, RegisterNeuron, Sample, Sign, check_below, refractory_steps};
use crate::kernel;
use crate::network::distribution::Distribution;
use crate::sim::quantity::{Range, Unit};
use bevy::prelude::*;

pub(super) fn plugin(app: &mut App) {
    app.register_neuron::<LifReceptors>();
}

/// Leaky integrate-and-fire neuron with AMPA, NMDA, GABA-A and GABA-B receptors. See the [module](self).
#[derive(Component, Reflect, Clone, Debug)]
#[reflect(Default)]
pub struct LifReceptors {
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
    /// Reversal potential of AMPA and NMDA.
    #[reflect(@Unit("mV"), @Range::finite())]
    pub e_ex: Distribution,
    /// Reversal potential of GABA-A.
    #[reflect(@Unit("mV"), @Range::finite())]
    pub e_gaba_a: Distribution,
    /// Reversal potential of GABA-B.
    #[reflect(@Unit("mV"), @Range::finite())]
    pub e_gaba_b: Distribution,
    /// Time constant of AMPA.
    #[reflect(@Unit("ms"), @Range::positive())]
    pub tau_ampa: Distribution,
    /// Time constant with which NMDA rises; shorter than `tau_nmda`.
    #[reflect(@Unit("ms"), @Range::positive())]
    pub tau_nmda_rise: Distribution,
    /// Time constant with which NMDA decays.
    #[reflect(@Unit("ms"), @Range::positive())]
    pub tau_nmda: Distribution,
    /// Time constant of GABA-A.
    #[reflect(@Unit("ms"), @Range::positive())]
    pub tau_gaba_a: Distribution,
    /// Time constant with which GABA-B rises; shorter than `tau_gaba_b`.
    #[reflect(@Unit("ms"), @Range::positive())]
    pub tau_gaba_b_rise: Distribution,
    /// Time constant with which GABA-B decays.
    #[reflect(@Unit("ms"), @Range::positive())]
    pub tau_gaba_b: Distribution,
    /// Concentration of magnesium outside; 0 lifts the block.
    #[reflect(@Unit("mM"), @Range::between(0.0, 1000.0))]
    pub mg: Distribution,
    /// How much of NMDA a spike at `ampa` opens, relative to its weight.
    #[reflect(@Range::between(0.0, 1e6))]
    pub nmda_per_ampa: Distribution,
    /// How much of GABA-B a spike at `gaba_a` opens, relative to its weight.
    #[reflect(@Range::between(0.0, 1e6))]
    pub gaba_b_per_gaba_a: Distribution,
    /// Constant input current.
    #[reflect(@Unit("pA"), @Range::finite())]
    pub i_e: Distribution,
}

impl Default for LifReceptors {
    fn default() -> Self {
        Self {
            e_l: (-70.0).into(),
            c_m: 250.0.into(),
            g_l: 16.6667.into(),
            v_th: (-55.0).into(),
            v_reset: (-60.0).into(),
            t_ref: 2.0.into(),
            e_ex: 0.0.into(),
            e_gaba_a: (-70.0).into(),
            e_gaba_b: (-90.0).into(),
            tau_ampa: 2.0.into(),
            tau_nmda_rise: 4.0.into(),
            tau_nmda: 40.0.into(),
            tau_gaba_a: 7.0.into(),
            tau_gaba_b_rise: 60.0.into(),
            tau_gaba_b: 200.0.into(),
            mg: 1.0.into(),
            nmda_per_ampa: 0.0.into(),
            gaba_b_per_gaba_a: 0.0.into(),
            i_e: 0.0.into(),
        }
    }
}

kernel! {
    /// One step of second order.
    pub mod update;
    params {
        /// dt/2C: share of the distance to a reversal potential per nS in half a step.
        half: f32,
        g_l: f32,
        e_l: f32,
        e_ex: f32,
        e_a: f32,
        e_b: f32,
        i_e: f32,
        /// exp(−dt/2τ) of each exponential.
        ampa: f32,
        nmda_rise: f32,
        nmda: f32,
        gaba_a: f32,
        gaba_b_rise: f32,
        gaba_b: f32,
        /// N of NMDA and GABA-B.
        nmda_peak: f32,
        gaba_b_peak: f32,
        nmda_per_ampa: f32,
        gaba_b_per_gaba_a: f32,
        /// Mg/3.57 mM.
        block: f32,
        v_th: f32,
        v_reset: f32,
        refractory: i32,
    }
    state {
        v: f32 in Membrane,
        g_ampa: f32 in AmpaConductance,
        nmda_slow: f32 in NmdaDecaying,
        nmda_fast: f32 in NmdaRising,
        g_gaba_a: f32 in GabaAConductance,
        gaba_b_slow: f32 in GabaBDecaying,
        gaba_b_fast: f32 in GabaBRising,
        until: i32 in RefractoryUntil,
    }
    input { drive, ampa, nmda, gaba_a, gaba_b }
    fn unblocked(p: Params, v: f32) -> f32 {
        1.0 / (1.0 + p.block * exp(min(max(-0.062 * v, -40.0), 40.0)))
    }
    fn stiffness(a: f32) -> f32 {
        1.0 + a * (0.5 + min(a * 0.083333336, 0.5))
    }
    fn fall(g: f32, decay: f32) -> f32 {
        select(0.0, g * decay, g > 1e-15)
    }
    fn moved(p: Params, v: f32, share: f32, ex: f32, a: f32, b: f32, i: f32) -> f32 {
        let pull = share * (p.g_l + ex + a + b);
        let push = share * (p.g_l * p.e_l + ex * p.e_ex + a * p.e_a + b * p.e_b + i);
        v + (push - pull * v) / stiffness(pull)
    }
    step(p, s, x, now) {
        let is_held = remaining(s.until, now) > 0;
        let i = p.i_e + x.drive;
        let nmda = s.nmda_slow - s.nmda_fast;
        let gaba_b = s.gaba_b_slow - s.gaba_b_fast;
        let start = select(s.v, p.v_reset, is_held);
        let v_mid = moved(p, start, p.half, s.g_ampa + unblocked(p, start) * nmda, s.g_gaba_a, gaba_b, i);
        let ampa_mid = s.g_ampa * p.ampa;
        let slow_mid = s.nmda_slow * p.nmda;
        let fast_mid = s.nmda_fast * p.nmda_rise;
        let a_mid = s.g_gaba_a * p.gaba_a;
        let b_slow_mid = s.gaba_b_slow * p.gaba_b;
        let b_fast_mid = s.gaba_b_fast * p.gaba_b_rise;
        let ex_mid = ampa_mid + unblocked(p, v_mid) * (slow_mid - fast_mid);
        let v_end = moved(p, start, 2.0 * p.half, ex_mid, a_mid, b_slow_mid - b_fast_mid, i);
        let spike = !is_held && v_end >= p.v_th;
        let opened = p.nmda_peak * (x.nmda + p.nmda_per_ampa * x.ampa);
        let opened_b = p.gaba_b_peak * (x.gaba_b + p.gaba_b_per_gaba_a * x.gaba_a);
        Next(
            select(v_end, p.v_reset, is_held || spike),
            fall(ampa_mid, p.ampa) + x.ampa,
            fall(slow_mid, p.nmda) + opened,
            fall(fast_mid, p.nmda_rise) + opened,
            fall(a_mid, p.gaba_a) + x.gaba_a,
            fall(b_slow_mid, p.gaba_b) + opened_b,
            fall(b_fast_mid, p.gaba_b_rise) + opened_b,
            select(s.until, later(now, p.refractory + 1), spike),
            spike
        )
    }
}

/// The factor that makes the peak of e^{−t/decay} − e^{−t/rise} one.
fn peak_factor(rise: f64, decay: f64) -> f64 {
    let peak = libm::log(decay / rise) * rise * decay / (decay - rise);
    1.0 / (libm::exp(-peak / decay) - libm::exp(-peak / rise))
}

impl NeuronModel for LifReceptors {
    type Kernel = update::Executor;
    const RECEPTORS: &'static [Receptor] = &[
        Receptor {
            name: "ampa",
            sign: Sign::Positive,
            unit: "nS",
        },
        Receptor {
            name: "nmda",
            sign: Sign::Positive,
            unit: "nS",
        },
        Receptor {
            name: "gaba_a",
            sign: Sign::Negative,
            unit: "nS",
        },
        Receptor {
            name: "gaba_b",
            sign: Sign::Negative,
            unit: "nS",
        },
    ];

    fn derive(&self, neuron: &Sample<'_>, dt: f64) -> update::Params {
        let at = |field, distribution| neuron.parameter(field, distribution);
        let half = |tau: f64| libm::exp(-0.5 * dt / tau) as f32;
        let nmda = (
            at("tau_nmda_rise", &self.tau_nmda_rise),
            at("tau_nmda", &self.tau_nmda),
        );
        let gaba_b = (
            at("tau_gaba_b_rise", &self.tau_gaba_b_rise),
            at("tau_gaba_b", &self.tau_gaba_b),
        );
        update::Params {
            half: (0.5 * dt / at("c_m", &self.c_m)) as f32,
            g_l: at("g_l", &self.g_l) as f32,
            e_l: at("e_l", &self.e_l) as f32,
            e_ex: at("e_ex", &self.e_ex) as f32,
            e_a: at("e_gaba_a", &self.e_gaba_a) as f32,
            e_b: at("e_gaba_b", &self.e_gaba_b) as f32,
            i_e: at("i_e", &self.i_e) as f32,
            ampa: half(at("tau_ampa", &self.tau_ampa)),
            nmda_rise: half(nmda.0),
            nmda: half(nmda.1),
            gaba_a: half(at("tau_gaba_a", &self.tau_gaba_a)),
            gaba_b_rise: half(gaba_b.0),
            gaba_b: half(gaba_b.1),
            nmda_peak: peak_factor(nmda.0, nmda.1) as f32,
            gaba_b_peak: peak_factor(gaba_b.0, gaba_b.1) as f32,
            nmda_per_ampa: at("nmda_per_ampa", &self.nmda_per_ampa) as f32,
            gaba_b_per_gaba_a: at("gaba_b_per_gaba_a", &self.gaba_b_per_gaba_a) as f32,
            block: (at("mg", &self.mg) / 3.57) as f32,
            v_th: at("v_th", &self.v_th) as f32,
            v_reset: at("v_reset", &self.v_reset) as f32,
            refractory: refractory_steps(at("t_ref", &self.t_ref), dt),
        }
    }

    fn initial(&self, neuron: &Sample<'_>, _dt: f64) -> update::State {
        let at = |column| neuron.initial(column, 0.0) as f32;
        update::State {
            v: neuron.initial("v", neuron.parameter("e_l", &self.e_l)) as f32,
            g_ampa: at("g_ampa"),
            nmda_slow: at("nmda_decaying"),
            nmda_fast: at("nmda_rising"),
            g_gaba_a: at("g_gaba_a"),
            gaba_b_slow: at("gaba_b_decaying"),
            gaba_b_fast: at("gaba_b_rising"),
            until: 0,
        }
    }

    fn is_self_driven(&self) -> bool {
        self.i_e != Distribution::Constant(0.0)
    }

    fn check(&self, _dt: f64) -> Result<(), String> {
        check_below(("v_reset", &self.v_reset), ("v_th", &self.v_th))?;
        check_below(
            ("tau_nmda_rise", &self.tau_nmda_rise),
            ("tau_nmda", &self.tau_nmda),
        )?;
        check_below(
            ("tau_gaba_b_rise", &self.tau_gaba_b_rise),
            ("tau_gaba_b", &self.tau_gaba_b),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::update::{Input, Next, Params, State, step};
    use super::*;

    const REST: Input = Input {
        drive: 0.0,
        ampa: 0.0,
        nmda: 0.0,
        gaba_a: 0.0,
        gaba_b: 0.0,
    };

    fn derived(model: &LifReceptors, dt: f64) -> (Params, State) {
        let sample = Sample::new(1, 1, 0, &[]);
        (model.derive(&sample, dt), model.initial(&sample, dt))
    }

    fn state(next: Next) -> State {
        State {
            v: next.v,
            g_ampa: next.g_ampa,
            nmda_slow: next.nmda_slow,
            nmda_fast: next.nmda_fast,
            g_gaba_a: next.g_gaba_a,
            gaba_b_slow: next.gaba_b_slow,
            gaba_b_fast: next.gaba_b_fast,
            until: next.until,
        }
    }

    /// The membrane after `ms` from the equations with tiny steps in double precision; inputs of these weights arrive at t = 0.
    fn reference(model: &LifReceptors, [ampa, nmda, gaba_a, gaba_b]: [f64; 4], ms: f64) -> f64 {
        let value = |d: &Distribution| d.bounds().0;
        let shape = |t: f64, rise: &Distribution, decay: &Distribution| {
            let (rise, decay) = (value(rise), value(decay));
            peak_factor(rise, decay) * (libm::exp(-t / decay) - libm::exp(-t / rise))
        };
        let nmda = nmda + value(&model.nmda_per_ampa) * ampa;
        let gaba_b = gaba_b + value(&model.gaba_b_per_gaba_a) * gaba_a;
        let slope = |t: f64, v: f64| {
            let open = 1.0 / (1.0 + value(&model.mg) / 3.57 * libm::exp(-0.062 * v));
            let ex = ampa * libm::exp(-t / value(&model.tau_ampa))
                + open * nmda * shape(t, &model.tau_nmda_rise, &model.tau_nmda);
            let a = gaba_a * libm::exp(-t / value(&model.tau_gaba_a));
            let b = gaba_b * shape(t, &model.tau_gaba_b_rise, &model.tau_gaba_b);
            let current = value(&model.g_l) * (value(&model.e_l) - v)
                + ex * (value(&model.e_ex) - v)
                + a * (value(&model.e_gaba_a) - v)
                + b * (value(&model.e_gaba_b) - v)
                + value(&model.i_e);
            current / value(&model.c_m)
        };
        let (mut v, h) = (value(&model.e_l), 1e-3);
        for n in 0..(ms / h).round() as usize {
            let t = n as f64 * h;
            let middle = v + 0.5 * h * slope(t, v);
            v += h * slope(t + 0.5 * h, middle);
        }
        v
    }

    #[test]
    fn potentials_follow_the_equations() {
        let model = LifReceptors {
            v_th: 1e3.into(),
            i_e: 150.0.into(),
            nmda_per_ampa: 0.3.into(),
            gaba_b_per_gaba_a: 0.2.into(),
            ..default()
        };
        for weights in [
            [8.0, 0.0, 0.0, 0.0],
            [0.0, 20.0, 0.0, 0.0],
            [0.0, 0.0, 12.0, 0.0],
            [0.0, 0.0, 0.0, 9.0],
            [5.0, 9.0, 3.0, 4.0],
        ] {
            for (dt, tolerance) in [(0.1, 2e-3), (0.5, 4e-2)] {
                let (p, s) = derived(&model, dt);
                let open = |w: f64| w as f32;
                let [ampa, nmda, gaba_a, gaba_b] = weights.map(open);
                // What arrives in the step before t = 0 is there at its end.
                let arrived = state(step(
                    p,
                    s,
                    Input {
                        ampa,
                        nmda,
                        gaba_a,
                        gaba_b,
                        ..REST
                    },
                    0,
                ));
                let mut s = State { v: s.v, ..arrived };
                for n in 1..=(60.0 / dt) as i32 {
                    s = state(step(p, s, REST, n));
                    let ms = f64::from(n) * dt;
                    if n % (10.0 / dt) as i32 == 0 {
                        let want = reference(&model, weights, ms);
                        assert!(
                            (f64::from(s.v) - want).abs() < tolerance,
                            "{weights:?}, steps of {dt} ms, {ms} ms: {} of {want}",
                            s.v
                        );
                    }
                }
            }
        }
    }

    #[test]
    fn magnesium_blocks_nmda_at_rest_and_depolarisation_lifts_the_block() {
        let rise = |mg: f64, i_e: f64| {
            let model = LifReceptors {
                v_th: 1e3.into(),
                mg: mg.into(),
                ..default()
            };
            let (p, mut s) = derived(&model, 0.1);
            let drive = i_e as f32;
            let mut before = 0.0;
            for n in 0..3000 {
                let nmda = if n == 2500 { 10.0 } else { 0.0 };
                if n == 2500 {
                    before = s.v;
                }
                s = state(step(
                    p,
                    s,
                    Input {
                        drive,
                        nmda,
                        ..REST
                    },
                    n,
                ));
            }
            // 50 ms after the spike, relative to the driving force that there was.
            f64::from(s.v - before) / f64::from(0.0 - before)
        };
        assert!(rise(1.0, 0.0) < 0.2 * rise(0.0, 0.0));
        assert!(rise(1.0, 400.0) > 1.5 * rise(1.0, 0.0));
    }

    #[test]
    fn rise_times_beyond_decay_times_are_refused() {
        let error = LifReceptors {
            tau_nmda_rise: 40.0.into(),
            ..default()
        }
        .check(0.1)
        .expect_err("equal time constants");
        assert!(error.contains("tau_nmda_rise"), "{error}");
    }
}
