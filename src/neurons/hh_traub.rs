//! Hodgkin–Huxley neuron of hippocampal pyramidal cells with exponential conductances (NEST's `hh_cond_exp_traub`).
//!
//! ```text
//! C dV/dt = −g_Na m³h(V − E_Na) − g_K n⁴(V − E_K) − g_L(V − E_L) − g_ex(V − E_ex) − g_in(V − E_in) + I_e + I_stim
//! dx/dt = α_x(1 − x) − β_x x   for x = m, h, n, with U = V − V_T:
//! α_m = 0.32(13 − U)/(e^{(13−U)/4} − 1)    β_m = 0.28(U − 40)/(e^{(U−40)/5} − 1)
//! α_h = 0.128 e^{(17−U)/18}                β_h = 4/(1 + e^{(40−U)/5})
//! α_n = 0.032(15 − U)/(e^{(15−U)/5} − 1)   β_n = 0.5 e^{(10−U)/40}
//! dg_x/dt = −g_x/τ_x,   g_x ← g_x + |weight| for each spike that arrives
//! ```
//!
//! Rates are per ms, U in mV.
//!
//! | symbol | field | default | unit |
//! |---|---|---|---|
//! | C | `c_m` | 200 | pF |
//! | g_Na, g_K, g_L | `g_na`, `g_k`, `g_l` | 20000, 6000, 10 | nS |
//! | E_Na, E_K, E_L | `e_na`, `e_k`, `e_l` | 50, −90, −60 | mV |
//! | V_T | `v_t` | −63 | mV |
//! | t_ref | `t_ref` | 2 | ms |
//! | E_ex, E_in | `e_ex`, `e_in` | 0, −80 | mV |
//! | τ_ex, τ_in | `tau_syn_ex`, `tau_syn_in` | 5, 10 | ms |
//! | I_e | `i_e` | 0 | pA |
//! | | `substep_ms` | 0.025 | ms |
//!
//! **Receptors**: `excitatory`, weights of 0 or more, and `inhibitory`, weights of 0 or less; both in nS.
//!
//! **Spikes**: the membrane makes them; they are only found. A spike is the first step that ends lower than it began, at
//! V_T + 30 mV or above, unless one was found in the last t_ref, as in NEST. Nothing is reset, and t_ref holds nothing.
//!
//! **Integration**: the classical Runge–Kutta method of fourth order in sub-steps of at most `substep_ms`; the conductances follow their
//! exact exponentials. At 0.025 ms spikes fall into the same steps as with adaptive integration. Where a rate is 0/0 its series
//! stands in. The rate functions see U between −100 and 150 mV: beyond that they are too fast for the sub-step, and the
//! gates have long reached their limits. For the same reason a synaptic conductance above C/h, h being the sub-step, acts as
//! C/h. Gates start in the steady state of the initial V; NEST starts them as if V_T were 0, which costs the first
//! milliseconds. What arrives in a step is there at its end and moves the membrane from the next step on.
//!
//! **Not modelled**: calcium and its potassium currents, dendrites; the full cell of Traub & Miles has them.
//!
//! **Source**: Traub & Miles 1991, Neuronal Networks of the Hippocampus, doi:10.1017/CBO9780511895401, simplified as in Brette et al.
//! 2007, J. Comput. Neurosci. 23:349, doi:10.1007/s10827-007-0038-6, benchmark 3 (appendix 2), whose V_T is −63 mV.
//!
//! **Scenes**: `neuron_zoo`.

use super::hh_squid::check_channels;
use super::{
    NeuronModel, Receptor, RegisterNeuron, Sample, Sign, refractory_steps, substeps_within,
};
use crate::kernel;
use crate::network::distribution::Distribution;
use crate::sim::quantity::{Range, Unit};
use bevy::prelude::*;

pub(super) fn plugin(app: &mut App) {
    app.register_neuron::<HhTraub>();
}

/// Hodgkin–Huxley neuron of hippocampal pyramidal cells with exponential conductances. See the [module](self).
#[derive(Component, Reflect, Clone, Debug)]
#[reflect(Default)]
pub struct HhTraub {
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
    /// Shifts all rates along V and so the threshold, which is about 10 mV above.
    #[reflect(@Unit("mV"), @Range::finite())]
    pub v_t: Distribution,
    /// How long after a spike no other is looked for.
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
    #[reflect(@Unit("ms"), @Range::between(1e-4, 0.05))]
    pub substep_ms: f64,
}

impl Default for HhTraub {
    fn default() -> Self {
        Self {
            c_m: 200.0.into(),
            g_na: 20_000.0.into(),
            g_k: 6_000.0.into(),
            g_l: 10.0.into(),
            e_na: 50.0.into(),
            e_k: (-90.0).into(),
            e_l: (-60.0).into(),
            v_t: (-63.0).into(),
            t_ref: 2.0.into(),
            e_ex: 0.0.into(),
            e_in: (-80.0).into(),
            tau_syn_ex: 5.0.into(),
            tau_syn_in: 10.0.into(),
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
        /// mV per pA in a sub-step: h/C.
        per_pa: f32,
        g_na: f32,
        g_k: f32,
        g_l: f32,
        e_na: f32,
        e_k: f32,
        e_l: f32,
        v_t: f32,
        e_ex: f32,
        e_in: f32,
        i_e: f32,
        /// exp(−h/2τ_ex).
        half_ex: f32,
        /// exp(−h/2τ_in).
        half_in: f32,
        /// The largest conductance that acts as it is: C/h (nS).
        g_most: f32,
        refractory: i32,
    }
    state {
        v: f32 in Membrane,
        m: f32 in SodiumActivation,
        h: f32 in SodiumInactivation,
        n: f32 in PotassiumActivation,
        g_ex: f32 in ExcitatoryConductance of excitatory,
        g_in: f32 in InhibitoryConductance of inhibitory,
        previous: f32 in PreviousMembrane,
        until: i32 in RefractoryUntil,
    }
    input { drive, excitatory, inhibitory }
    fn linear_over_expm1(x: f32, exp_x: f32) -> f32 {
        select(x / (exp_x - 1.0), 1.0 - x * (0.5 - 0.083333333 * x), abs(x) < 0.01)
    }
    fn slopes(p: Params, v: f32, m: f32, h: f32, n: f32, g_ex: f32, g_in: f32, i: f32) -> Next {
        let u = min(max(v - p.v_t, -100.0), 150.0);
        // One exponential serves three rates: with r = e^{(40−U)/5}, e^{(15−U)/5} is r e^{−5}, and y/(e^y − 1) = x r/(r − 1)
        // for y = −x = (U − 40)/5.
        let r = exp((40.0 - u) * 0.2);
        let alpha_m = 1.28 * linear_over_expm1((13.0 - u) * 0.25, exp((13.0 - u) * 0.25));
        let beta_m = 1.4 * r * linear_over_expm1((40.0 - u) * 0.2, r);
        let alpha_h = 0.128 * exp((17.0 - u) * 0.055555556);
        let beta_h = 4.0 / (1.0 + r);
        let alpha_n = 0.16 * linear_over_expm1((15.0 - u) * 0.2, r * 0.006737947);
        let beta_n = 0.5 * exp((10.0 - u) * 0.025);
        let n_2 = n * n;
        let inward = p.g_na * (m * m * m * h) * (p.e_na - v);
        let outward = p.g_k * (n_2 * n_2) * (p.e_k - v) + p.g_l * (p.e_l - v);
        let synaptic = min(g_ex, p.g_most) * (p.e_ex - v) + min(g_in, p.g_most) * (p.e_in - v);
        Next(
            p.per_pa * (inward + outward + synaptic + i),
            p.substep * (alpha_m - (alpha_m + beta_m) * m),
            p.substep * (alpha_h - (alpha_h + beta_h) * h),
            p.substep * (alpha_n - (alpha_n + beta_n) * n),
            0.0, 0.0, 0.0, 0, false
        )
    }
    repeat(p, s, x, now) {
        let i = x.drive + p.i_e;
        let ex_mid = s.g_ex * p.half_ex;
        let ex_end = ex_mid * p.half_ex;
        let in_mid = s.g_in * p.half_in;
        let in_end = in_mid * p.half_in;
        let k_1 = slopes(p, s.v, s.m, s.h, s.n, s.g_ex, s.g_in, i);
        let k_2 = slopes(p, s.v + 0.5 * k_1.v, s.m + 0.5 * k_1.m, s.h + 0.5 * k_1.h, s.n + 0.5 * k_1.n, ex_mid, in_mid, i);
        let k_3 = slopes(p, s.v + 0.5 * k_2.v, s.m + 0.5 * k_2.m, s.h + 0.5 * k_2.h, s.n + 0.5 * k_2.n, ex_mid, in_mid, i);
        let k_4 = slopes(p, s.v + k_3.v, s.m + k_3.m, s.h + k_3.h, s.n + k_3.n, ex_end, in_end, i);
        Next(
            s.v + (k_1.v + 2.0 * (k_2.v + k_3.v) + k_4.v) * 0.166666667,
            s.m + (k_1.m + 2.0 * (k_2.m + k_3.m) + k_4.m) * 0.166666667,
            s.h + (k_1.h + 2.0 * (k_2.h + k_3.h) + k_4.h) * 0.166666667,
            s.n + (k_1.n + 2.0 * (k_2.n + k_3.n) + k_4.n) * 0.166666667,
            ex_end,
            in_end,
            s.previous,
            s.until,
            false
        )
    }
    step(p, s, x, now) {
        let spike = remaining(s.until, now) <= 0 && s.v >= p.v_t + 30.0 && s.previous > s.v;
        // Values that have faded away are cut before they slow the processor down.
        let g_ex = select(0.0, s.g_ex, s.g_ex > 1e-12);
        let g_in = select(0.0, s.g_in, s.g_in > 1e-12);
        Next(
            s.v,
            s.m,
            s.h,
            s.n,
            g_ex + x.excitatory,
            g_in + x.inhibitory,
            s.v,
            select(s.until, later(now, p.refractory + 1), spike),
            spike
        )
    }
}

/// The gates m, h and n in the steady state of `u` = V − V_T.
fn steady_gates(u: f64) -> [f64; 3] {
    let rise = |x: f64| {
        if x.abs() < 1e-9 {
            1.0
        } else {
            x / libm::expm1(x)
        }
    };
    let (alpha_m, beta_m) = (1.28 * rise((13.0 - u) / 4.0), 1.4 * rise((u - 40.0) / 5.0));
    let (alpha_h, beta_h) = (
        0.128 * libm::exp((17.0 - u) / 18.0),
        4.0 / (1.0 + libm::exp((40.0 - u) / 5.0)),
    );
    let (alpha_n, beta_n) = (
        0.16 * rise((15.0 - u) / 5.0),
        0.5 * libm::exp((10.0 - u) / 40.0),
    );
    [
        alpha_m / (alpha_m + beta_m),
        alpha_h / (alpha_h + beta_h),
        alpha_n / (alpha_n + beta_n),
    ]
}

impl NeuronModel for HhTraub {
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
        let h = dt / f64::from(self.substeps(dt));
        let c_m = at("c_m", &self.c_m);
        update::Params {
            substep: h as f32,
            per_pa: (h / c_m) as f32,
            g_na: at("g_na", &self.g_na) as f32,
            g_k: at("g_k", &self.g_k) as f32,
            g_l: at("g_l", &self.g_l) as f32,
            e_na: at("e_na", &self.e_na) as f32,
            e_k: at("e_k", &self.e_k) as f32,
            e_l: at("e_l", &self.e_l) as f32,
            v_t: at("v_t", &self.v_t) as f32,
            e_ex: at("e_ex", &self.e_ex) as f32,
            e_in: at("e_in", &self.e_in) as f32,
            i_e: at("i_e", &self.i_e) as f32,
            half_ex: libm::exp(-0.5 * h / at("tau_syn_ex", &self.tau_syn_ex)) as f32,
            half_in: libm::exp(-0.5 * h / at("tau_syn_in", &self.tau_syn_in)) as f32,
            g_most: (c_m / h) as f32,
            refractory: refractory_steps(at("t_ref", &self.t_ref), dt),
        }
    }

    fn initial(&self, neuron: &Sample<'_>, _dt: f64) -> update::State {
        let v = neuron.initial("v", neuron.parameter("e_l", &self.e_l));
        let [m, h, n] = steady_gates(v - neuron.parameter("v_t", &self.v_t));
        update::State {
            v: v as f32,
            m: neuron.initial("m", m) as f32,
            h: neuron.initial("h", h) as f32,
            n: neuron.initial("n", n) as f32,
            g_ex: neuron.initial("g_ex", 0.0) as f32,
            g_in: neuron.initial("g_in", 0.0) as f32,
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

    const NO_INPUT: update::Input = update::Input {
        drive: 0.0,
        excitatory: 0.0,
        inhibitory: 0.0,
    };

    fn derived(model: &HhTraub) -> (update::Params, update::State) {
        let sample = Sample::new(1, 2, 0, &[]);
        (model.derive(&sample, 0.1), model.initial(&sample, 0.1))
    }

    fn state(n: update::Next) -> update::State {
        update::State {
            v: n.v,
            m: n.m,
            h: n.h,
            n: n.n,
            g_ex: n.g_ex,
            g_in: n.g_in,
            previous: n.previous,
            until: n.until,
        }
    }

    #[test]
    fn rates_are_those_of_the_steady_state_in_double_precision() {
        let (p, _) = derived(&HhTraub::default());
        for u in (-1000..=1100).map(|i| f64::from(i) * 0.1) {
            let [m, h, n] = steady_gates(u);
            let k = update::slopes(
                p,
                (u - 63.0) as f32,
                m as f32,
                h as f32,
                n as f32,
                0.0,
                0.0,
                0.0,
            );
            // In the steady state opening and closing cancel; what is left is rounding of rates of up to 80 per ms.
            for (name, slope) in [("m", k.m), ("h", k.h), ("n", k.n)] {
                assert!(
                    (slope / p.substep).abs() < 1e-3,
                    "d{name}/dt at U = {u} mV: {} per ms",
                    slope / p.substep
                );
            }
        }
    }

    #[test]
    fn every_rate_agrees_with_its_formula() {
        // From 0 and from 1 the slope of a gate is α and −β: the three pairs at four potentials, two of them singular.
        let (p, _) = derived(&HhTraub::default());
        for u in [-20.0f64, 13.0, 15.0, 40.0, 62.5] {
            let rise = |x: f64| if x == 0.0 { 1.0 } else { x / (x.exp() - 1.0) };
            let open = update::slopes(p, (u - 63.0) as f32, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0);
            let shut = update::slopes(p, (u - 63.0) as f32, 1.0, 1.0, 1.0, 0.0, 0.0, 0.0);
            for (name, slope, rate) in [
                ("alpha_m", open.m, 1.28 * rise((13.0 - u) / 4.0)),
                ("alpha_h", open.h, 0.128 * ((17.0 - u) / 18.0).exp()),
                ("alpha_n", open.n, 0.16 * rise((15.0 - u) / 5.0)),
                ("beta_m", -shut.m, 1.4 * rise((u - 40.0) / 5.0)),
                ("beta_h", -shut.h, 4.0 / (1.0 + ((40.0 - u) / 5.0).exp())),
                ("beta_n", -shut.n, 0.5 * ((10.0 - u) / 40.0).exp()),
            ] {
                let found = f64::from(slope / p.substep);
                // 1 − (α + β) + β loses what α adds to β.
                assert!(
                    (found - rate).abs() < 2e-6 * (1.0 + rate),
                    "{name} at U = {u}: {found} of {rate}"
                );
            }
        }
    }

    #[test]
    fn a_conductance_pulls_the_membrane_to_its_reversal_potential() {
        let model = HhTraub {
            g_na: 0.0.into(),
            g_k: 0.0.into(),
            ..default()
        };
        let (p, s) = derived(&model);
        // Leak and a lasting inhibition: V∞ is their weighted mean, reached with τ = C/(g_L + g_in).
        let lasting = update::Params { half_in: 1.0, ..p };
        let mut s = update::State { g_in: 30.0, ..s };
        for _ in 0..200 {
            s = state(update::repeat(lasting, s, NO_INPUT, 0));
        }
        let v = -75.0 + 15.0 * (-5.0f64 * 40.0 / 200.0).exp();
        assert!(
            (f64::from(s.v) - v).abs() < 1e-3,
            "V {} of {v} after 5 ms",
            s.v
        );
    }

    #[test]
    fn a_spike_is_found_at_v_t_plus_30_and_above() {
        let (p, s) = derived(&HhTraub::default());
        let at =
            |previous, v| update::step(p, update::State { v, previous, ..s }, NO_INPUT, 100).spike;
        assert!(at(-32.0, -32.5));
        assert!(!at(-32.5, -33.5));
        assert!(!at(-32.5, -32.0));
    }

    #[test]
    fn extreme_input_leaves_finite_values() {
        let model = HhTraub::default();
        let (p, s) = derived(&model);
        for (drive, g_ex, g_in) in [
            (-1e6, 0.0, 0.0),
            (1e6, 0.0, 0.0),
            (0.0, 1e9, 0.0),
            (0.0, 0.0, 1e9),
            (1e5, 1e9, 1e9),
        ] {
            let mut s = update::State { g_ex, g_in, ..s };
            for _ in 0..4000 {
                s = state(update::repeat(p, s, update::Input { drive, ..NO_INPUT }, 0));
                assert!(
                    s.v.is_finite() && (-0.1..=1.1).contains(&s.m) && (-0.1..=1.1).contains(&s.h),
                    "{drive} {s:?}"
                );
            }
        }
    }
}
