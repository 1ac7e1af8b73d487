//! Hodgkin–Huxley neuron of the squid axon with alpha-shaped synaptic currents (NEST's `hh_psc_alpha`).
//!
//! ```text
//! C dV/dt = −g_Na m³h(V − E_Na) − g_K n⁴(V − E_K) − g_L(V − E_L) + I_ex + I_in + I_e + I_stim
//! dx/dt = α_x(V)(1 − x) − β_x(V) x   for x = m, h, n
//! α_m = 0.1(V + 40)/(1 − e^{−(V+40)/10})     β_m = 4 e^{−(V+65)/18}
//! α_h = 0.07 e^{−(V+65)/20}                  β_h = 1/(1 + e^{−(V+35)/10})
//! α_n = 0.01(V + 55)/(1 − e^{−(V+55)/10})    β_n = 0.125 e^{−(V+65)/80}
//! dI_x/dt = z_x − I_x/τ_x,   dz_x/dt = −z_x/τ_x,   z_x ← z_x + e w/τ_x for each spike that arrives
//! ```
//!
//! Rates are per ms, V in mV. A weight is the current that one spike reaches at its peak, τ_x after it arrived.
//!
//! | symbol | field | default | unit |
//! |---|---|---|---|
//! | C | `c_m` | 100 | pF |
//! | g_Na, g_K, g_L | `g_na`, `g_k`, `g_l` | 12000, 3600, 30 | nS |
//! | E_Na, E_K, E_L | `e_na`, `e_k`, `e_l` | 50, −77, −54.402 | mV |
//! | t_ref | `t_ref` | 2 | ms |
//! | τ_ex, τ_in | `tau_syn_ex`, `tau_syn_in` | 0.2, 2 | ms |
//! | I_e | `i_e` | 0 | pA |
//! | | `substep_ms` | 0.025 | ms |
//!
//! **Receptors**: `excitatory` and `inhibitory`, weights in pA. A projection without a `receptor` goes by the sign of its weights.
//!
//! **Spikes**: the membrane makes them; they are only found. A spike is the first step that ends lower than it began, at 0 mV or
//! above, unless one was found in the last t_ref, as in NEST. Nothing is reset, and t_ref holds nothing.
//!
//! **Integration**: the classical Runge–Kutta method of fourth order in sub-steps of at most `substep_ms`; the synaptic currents follow their
//! exact solution. At 0.025 ms spikes fall into the same steps as with adaptive integration. Where a rate is 0/0 its series stands
//! in. The rate functions see V between −120 and 150 mV: beyond that they are too fast for the sub-step, and the
//! gates have long reached their limits. Gates start in the steady state of the initial V. What arrives in a step is there at
//! its end and moves the membrane from the next step on.
//!
//! **Not modelled**: temperature (the rates are those of 6.3 °C), channel noise.
//!
//! **Source**: Hodgkin & Huxley 1952, J. Physiol. 117:500, doi:10.1113/jphysiol.1952.sp004764, equations 7, 8, 12, 13, 20, 21,
//! 23, 24 and 26, with the resting potential at −65 mV and depolarisation upward as in Dayan & Abbott 2001, Theoretical
//! Neuroscience, equations 5.17, 5.22 and 5.24.
//!
//! **Scenes**: `neuron_zoo`.

use super::{
    NeuronModel, Receptor, RegisterNeuron, Sample, Sign, refractory_steps, substeps_within,
};
use crate::kernel;
use crate::network::distribution::Distribution;
use crate::sim::quantity::{Range, Unit};
use bevy::prelude::*;

pub(super) fn plugin(app: &mut App) {
    app.register_neuron::<HhSquid>();
}

/// Hodgkin–Huxley neuron of the squid axon with alpha-shaped synaptic currents. See the [module](self).
#[derive(Component, Reflect, Clone, Debug)]
#[reflect(Default)]
pub struct HhSquid {
    /// Membrane capacitance.
    #[reflect(@Unit("pF"), @Range::positive())]
    pub c_m: Distribution,
    /// Largest sodium conductance.
    #[reflect(@Unit("nS"), @Range::non_negative())]
    pub g_na: Distribution,
    /// Largest potassium conductance.
    #[reflect(@Unit("nS"), @Range::non_negative())]
    pub g_k: Distribution,
    /// Leak conductance.
    #[reflect(@Unit("nS"), @Range::non_negative())]
    pub g_l: Distribution,
    /// Sodium reversal potential.
    #[reflect(@Unit("mV"), @Range::finite())]
    pub e_na: Distribution,
    /// Potassium reversal potential.
    #[reflect(@Unit("mV"), @Range::finite())]
    pub e_k: Distribution,
    /// Leak reversal potential.
    #[reflect(@Unit("mV"), @Range::finite())]
    pub e_l: Distribution,
    /// How long after a spike no other is looked for.
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
    /// The longest sub-step of the integration.
    #[reflect(@Unit("ms"), @Range::between(1e-4, 0.05))]
    pub substep_ms: f64,
}

impl Default for HhSquid {
    fn default() -> Self {
        Self {
            c_m: 100.0.into(),
            g_na: 12_000.0.into(),
            g_k: 3_600.0.into(),
            g_l: 30.0.into(),
            e_na: 50.0.into(),
            e_k: (-77.0).into(),
            e_l: (-54.402).into(),
            t_ref: 2.0.into(),
            tau_syn_ex: 0.2.into(),
            tau_syn_in: 2.0.into(),
            i_e: 0.0.into(),
            substep_ms: 0.025,
        }
    }
}

kernel! {
    /// Sub-steps, then what arrives and the search for a spike.
    pub mod update;
    params {
        /// The sub-step h (ms).
        substep: f32,
        /// h/2 (ms).
        half: f32,
        /// mV per pA in a sub-step: h/C.
        per_pa: f32,
        g_na: f32,
        g_k: f32,
        g_l: f32,
        e_na: f32,
        e_k: f32,
        e_l: f32,
        i_e: f32,
        /// exp(−h/2τ_ex).
        half_ex: f32,
        /// exp(−h/2τ_in).
        half_in: f32,
        /// e/τ_ex (1/ms).
        jump_ex: f32,
        /// e/τ_in (1/ms).
        jump_in: f32,
        refractory: i32,
    }
    state {
        v: f32 in Membrane,
        m: f32 in SodiumActivation,
        h: f32 in SodiumInactivation,
        n: f32 in PotassiumActivation,
        z_ex: f32 in ExcitatoryCurrentSlope of excitatory,
        i_ex: f32 in ExcitatoryCurrent of excitatory,
        z_in: f32 in InhibitoryCurrentSlope of inhibitory,
        i_in: f32 in InhibitoryCurrent of inhibitory,
        previous: f32 in PreviousMembrane,
        until: i32 in RefractoryUntil,
    }
    input { drive, excitatory, inhibitory }
    fn linear_over_expm1(x: f32, exp_x: f32) -> f32 {
        select(x / (exp_x - 1.0), 1.0 - x * (0.5 - 0.083333333 * x), abs(x) < 0.01)
    }
    fn slopes(p: Params, v: f32, m: f32, h: f32, n: f32, i: f32) -> Next {
        let u = min(max(v, -120.0), 150.0);
        // One exponential serves four rates: with r = e^{−(V+65)/20}, e^{−(V+40)/10} is r² e^{2.5}, and so on.
        let r = exp((u + 65.0) * -0.05);
        let r_2 = r * r;
        let alpha_m = linear_over_expm1((u + 40.0) * -0.1, r_2 * 12.18249396);
        let beta_m = 4.0 * exp((u + 65.0) * -0.055555556);
        let alpha_h = 0.07 * r;
        let beta_h = 1.0 / (1.0 + r_2 * 20.08553692);
        let alpha_n = 0.1 * linear_over_expm1((u + 55.0) * -0.1, r_2 * 2.718281828);
        let beta_n = 0.125 * exp((u + 65.0) * -0.0125);
        let n_2 = n * n;
        let inward = p.g_na * (m * m * m * h) * (p.e_na - v);
        let outward = p.g_k * (n_2 * n_2) * (p.e_k - v) + p.g_l * (p.e_l - v);
        Next(
            p.per_pa * (inward + outward + i),
            p.substep * (alpha_m - (alpha_m + beta_m) * m),
            p.substep * (alpha_h - (alpha_h + beta_h) * h),
            p.substep * (alpha_n - (alpha_n + beta_n) * n),
            0.0, 0.0, 0.0, 0.0, 0.0, 0, false
        )
    }
    repeat(p, s, x, now) {
        let z_ex_mid = s.z_ex * p.half_ex;
        let i_ex_mid = (s.i_ex + p.half * s.z_ex) * p.half_ex;
        let i_ex_end = (i_ex_mid + p.half * z_ex_mid) * p.half_ex;
        let z_in_mid = s.z_in * p.half_in;
        let i_in_mid = (s.i_in + p.half * s.z_in) * p.half_in;
        let i_in_end = (i_in_mid + p.half * z_in_mid) * p.half_in;
        let i = x.drive + p.i_e;
        let i_mid = i + i_ex_mid + i_in_mid;
        let k_1 = slopes(p, s.v, s.m, s.h, s.n, i + s.i_ex + s.i_in);
        let k_2 = slopes(p, s.v + 0.5 * k_1.v, s.m + 0.5 * k_1.m, s.h + 0.5 * k_1.h, s.n + 0.5 * k_1.n, i_mid);
        let k_3 = slopes(p, s.v + 0.5 * k_2.v, s.m + 0.5 * k_2.m, s.h + 0.5 * k_2.h, s.n + 0.5 * k_2.n, i_mid);
        let k_4 = slopes(p, s.v + k_3.v, s.m + k_3.m, s.h + k_3.h, s.n + k_3.n, i + i_ex_end + i_in_end);
        Next(
            s.v + (k_1.v + 2.0 * (k_2.v + k_3.v) + k_4.v) * 0.166666667,
            s.m + (k_1.m + 2.0 * (k_2.m + k_3.m) + k_4.m) * 0.166666667,
            s.h + (k_1.h + 2.0 * (k_2.h + k_3.h) + k_4.h) * 0.166666667,
            s.n + (k_1.n + 2.0 * (k_2.n + k_3.n) + k_4.n) * 0.166666667,
            z_ex_mid * p.half_ex,
            i_ex_end,
            z_in_mid * p.half_in,
            i_in_end,
            s.previous,
            s.until,
            false
        )
    }
    step(p, s, x, now) {
        let spike = remaining(s.until, now) <= 0 && s.v >= 0.0 && s.previous > s.v;
        // Values that have faded away are cut before they slow the processor down.
        let z_ex = select(0.0, s.z_ex, abs(s.z_ex) > 1e-12);
        let i_ex = select(0.0, s.i_ex, abs(s.i_ex) > 1e-12);
        let z_in = select(0.0, s.z_in, abs(s.z_in) > 1e-12);
        let i_in = select(0.0, s.i_in, abs(s.i_in) > 1e-12);
        Next(
            s.v,
            s.m,
            s.h,
            s.n,
            z_ex + p.jump_ex * x.excitatory,
            i_ex,
            z_in + p.jump_in * x.inhibitory,
            i_in,
            s.v,
            select(s.until, later(now, p.refractory + 1), spike),
            spike
        )
    }
}

/// The gates m, h and n in the steady state of the membrane potential `v`.
fn steady_gates(v: f64) -> [f64; 3] {
    let rise = |x: f64| {
        if x.abs() < 1e-9 {
            1.0
        } else {
            x / libm::expm1(x)
        }
    };
    let (alpha_m, beta_m) = (
        rise(-(v + 40.0) / 10.0),
        4.0 * libm::exp(-(v + 65.0) / 18.0),
    );
    let (alpha_h, beta_h) = (
        0.07 * libm::exp(-(v + 65.0) / 20.0),
        1.0 / (1.0 + libm::exp(-(v + 35.0) / 10.0)),
    );
    let (alpha_n, beta_n) = (
        0.1 * rise(-(v + 55.0) / 10.0),
        0.125 * libm::exp(-(v + 65.0) / 80.0),
    );
    [
        alpha_m / (alpha_m + beta_m),
        alpha_h / (alpha_h + beta_h),
        alpha_n / (alpha_n + beta_n),
    ]
}

/// Checks that the channels together are not too fast for a sub-step of `h` ms.
///
/// # Errors
/// Names the fields, their values and what is allowed.
pub(super) fn check_channels(
    conductances: [&Distribution; 3],
    c_m: &Distribution,
    h: f64,
) -> Result<(), String> {
    /// Measured with all channels of the default neurons: stable up to here, since they never open all at once.
    const MOST: f64 = 8.0;
    let total: f64 = conductances.iter().map(|g| g.bounds().1).sum();
    let rate = total / c_m.bounds().0;
    if rate.is_finite() && rate * h > MOST {
        return Err(format!(
            "(g_na + g_k + g_l) / c_m reaches {rate:.3} per ms; with sub-steps of {h} ms at most {:.3} is stable: lower substep_ms",
            MOST / h
        ));
    }
    Ok(())
}

impl NeuronModel for HhSquid {
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
        let h = dt / f64::from(self.substeps(dt));
        let (tau_ex, tau_in) = (
            at("tau_syn_ex", &self.tau_syn_ex),
            at("tau_syn_in", &self.tau_syn_in),
        );
        update::Params {
            substep: h as f32,
            half: (0.5 * h) as f32,
            per_pa: (h / at("c_m", &self.c_m)) as f32,
            g_na: at("g_na", &self.g_na) as f32,
            g_k: at("g_k", &self.g_k) as f32,
            g_l: at("g_l", &self.g_l) as f32,
            e_na: at("e_na", &self.e_na) as f32,
            e_k: at("e_k", &self.e_k) as f32,
            e_l: at("e_l", &self.e_l) as f32,
            i_e: at("i_e", &self.i_e) as f32,
            half_ex: libm::exp(-0.5 * h / tau_ex) as f32,
            half_in: libm::exp(-0.5 * h / tau_in) as f32,
            jump_ex: (core::f64::consts::E / tau_ex) as f32,
            jump_in: (core::f64::consts::E / tau_in) as f32,
            refractory: refractory_steps(at("t_ref", &self.t_ref), dt),
        }
    }

    fn initial(&self, neuron: &Sample<'_>, _dt: f64) -> update::State {
        let v = neuron.initial("v", -65.0);
        let [m, h, n] = steady_gates(v);
        update::State {
            v: v as f32,
            m: neuron.initial("m", m) as f32,
            h: neuron.initial("h", h) as f32,
            n: neuron.initial("n", n) as f32,
            z_ex: neuron.initial("di_ex", 0.0) as f32,
            i_ex: neuron.initial("i_ex", 0.0) as f32,
            z_in: neuron.initial("di_in", 0.0) as f32,
            i_in: neuron.initial("i_in", 0.0) as f32,
            previous: v as f32,
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
        let h = dt / f64::from(self.substeps(dt));
        check_channels([&self.g_na, &self.g_k, &self.g_l], &self.c_m, h)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn derived(model: &HhSquid) -> (update::Params, update::State) {
        let sample = Sample::new(1, 2, 0, &[]);
        (model.derive(&sample, 0.1), model.initial(&sample, 0.1))
    }

    fn state(n: update::Next) -> update::State {
        update::State {
            v: n.v,
            m: n.m,
            h: n.h,
            n: n.n,
            z_ex: n.z_ex,
            i_ex: n.i_ex,
            z_in: n.z_in,
            i_in: n.i_in,
            previous: n.previous,
            until: n.until,
        }
    }

    /// `steps` steps of 0.1 ms under a constant current; the steps that spiked, and the highest and lowest V.
    fn run(model: &HhSquid, drive: f32, steps: i32) -> (Vec<i32>, f32, f32) {
        let (p, mut s) = derived(model);
        let x = update::Input {
            drive,
            excitatory: 0.0,
            inhibitory: 0.0,
        };
        let (mut spikes, mut high, mut low) = (Vec::new(), f32::MIN, f32::MAX);
        for now in 0..steps {
            for _ in 0..model.substeps(0.1) {
                s = state(update::repeat(p, s, x, now));
                (high, low) = (high.max(s.v), low.min(s.v));
            }
            let next = update::step(p, s, x, now);
            if next.spike {
                spikes.push(now);
            }
            s = state(next);
        }
        (spikes, high, low)
    }

    #[test]
    fn rates_are_those_of_the_steady_state_in_double_precision() {
        let (p, _) = derived(&HhSquid::default());
        for v in (-1200..=600).map(|i| f64::from(i) * 0.1) {
            let [m, h, n] = steady_gates(v);
            let k = update::slopes(p, v as f32, m as f32, h as f32, n as f32, 0.0);
            // In the steady state opening and closing cancel; what is left is rounding of rates of up to 20 per ms.
            for (name, slope) in [("m", k.m), ("h", k.h), ("n", k.n)] {
                assert!(
                    (slope / p.substep).abs() < 2e-4,
                    "d{name}/dt at {v} mV: {} per ms",
                    slope / p.substep
                );
            }
        }
    }

    #[test]
    fn a_gate_at_a_held_potential_relaxes_exponentially() {
        let (p, s) = derived(&HhSquid::default());
        // With no conductance but a huge capacitance the membrane stays where it is.
        let held = update::Params { per_pa: 0.0, ..p };
        let mut s = update::State {
            v: -40.0,
            n: 0.0,
            ..s
        };
        for _ in 0..80 {
            s = state(update::repeat(
                held,
                s,
                update::Input {
                    drive: 0.0,
                    excitatory: 0.0,
                    inhibitory: 0.0,
                },
                0,
            ));
        }
        let (alpha, beta) = (
            0.01 * 15.0 / (1.0 - (-1.5f64).exp()),
            0.125 * (-25.0f64 / 80.0).exp(),
        );
        let n = alpha / (alpha + beta) * (1.0 - (-(alpha + beta) * 2.0).exp());
        assert!(
            (f64::from(s.n) - n).abs() < 1e-6,
            "n {} of {n} after 2 ms",
            s.n
        );
    }

    #[test]
    fn the_membrane_rests_below_the_rheobase_and_fires_above() {
        assert!(run(&HhSquid::default(), 0.0, 2000).0.is_empty());
        // The squid axon fires repetitively from about 6.3 µA/cm², here 630 pA; the action potential spans about 100 mV.
        let (spikes, high, low) = run(&HhSquid::default(), 1000.0, 2000);
        assert_eq!(spikes.len(), 14);
        assert!(
            (35.0..45.0).contains(&high) && (-78.0..-74.0).contains(&low),
            "{low} to {high} mV"
        );
    }

    #[test]
    fn a_spike_is_found_where_the_membrane_first_falls() {
        let (p, s) = derived(&HhSquid::default());
        let x = update::Input {
            drive: 0.0,
            excitatory: 0.0,
            inhibitory: 0.0,
        };
        let at = |previous, v, until| {
            update::step(
                p,
                update::State {
                    v,
                    previous,
                    until,
                    ..s
                },
                x,
                100,
            )
            .spike
        };
        assert!(at(30.0, 29.0, 0));
        assert!(!at(29.0, 30.0, 0), "still rising");
        assert!(!at(0.5, -0.5, 0), "below 0 mV");
        assert!(!at(30.0, 29.0, 101), "refractory");
        assert!(at(30.0, 29.0, 100), "no longer refractory");
    }

    #[test]
    fn extreme_currents_leave_finite_values() {
        for drive in [-1e5, 1e5, -1e7, 1e7] {
            let (_, high, low) = run(&HhSquid::default(), drive, 500);
            assert!(
                high.is_finite() && low.is_finite(),
                "{drive} pA: {low} to {high}"
            );
        }
    }

    #[test]
    fn channels_too_fast_for_the_substep_are_refused() {
        let error = HhSquid {
            g_na: 1e6.into(),
            ..default()
        }
        .check(0.1)
        .expect_err("10 per µs");
        assert!(error.contains("substep_ms"), "{error}");
        assert_eq!(
            HhSquid {
                substep_ms: 0.05,
                ..default()
            }
            .check(0.1),
            Ok(())
        );
    }
}
