//! Izhikevich's simple model with nine parameters and physical units (2007).
//!
//! ```text
//! C v' = k (v − v_r)(v − v_t) − u + I_e + I_stim
//! u' = a (b (v − v_r) − u)
//! v ≥ v_peak: spike; v ← c, u ← u + d
//! ```
//!
//! | symbol | field | default | unit |
//! |---|---|---|---|
//! | C | `c_m` | 100 | pF |
//! | k | `k` | 0.7 | nS/mV |
//! | v_r | `v_r` | −60 | mV |
//! | v_t | `v_t` | −40 | mV |
//! | v_peak | `v_peak` | 35 | mV |
//! | a | `a` | 0.03 | 1/ms |
//! | b | `b` | −2 | nS |
//! | c | `c` | −50 | mV |
//! | d | `d` | 100 | pA |
//! | I_e | `i_e` | 0 | pA |
//! | | `substep_ms` | 0.1 | ms |
//!
//! The defaults are the regular-spiking cell of the book's figure 8.12. The column `u` is in pA.
//!
//! **Receptor**: `input`, positive and negative weights: a spike moves v by its weight (mV) at the end of the step in which it arrives.
//!
//! **Integration**: the stable scheme of [`Izhikevich`](super::izhikevich), whose kernel it runs on: linearly implicit sub-steps of
//! second order with located spikes. At 0.1 ms a spike is off by some 10 µs after a second. A spike is stamped at the end of its step.
//!
//! **Not modelled**: the book's variations of single cell types, in which c, d or v_peak depend on u or u' is not linear in v (fast-spiking
//! and thalamic cells); conductances.
//!
//! **Source**: Izhikevich 2007, Dynamical Systems in Neuroscience, MIT Press, equations 8.5 and 8.6.
//!
//! **Scenes**: `neuron_zoo`.

use super::izhikevich::{stable, stable_substep};
use super::{NeuronModel, Receptor, RegisterNeuron, Sample, Sign, check_below, substeps_within};
use crate::network::distribution::Distribution;
use crate::sim::quantity::{Range, Unit};
use bevy::prelude::*;

pub(super) fn plugin(app: &mut App) {
    app.register_neuron::<Izhikevich2007>();
}

/// Izhikevich's simple model with nine parameters. See the [module](self).
#[derive(Component, Reflect, Clone, Debug)]
#[reflect(Default)]
pub struct Izhikevich2007 {
    /// Membrane capacitance.
    #[reflect(@Unit("pF"), @Range::positive())]
    pub c_m: Distribution,
    /// Steepness of the quadratic current.
    #[reflect(@Unit("nS/mV"), @Range::positive())]
    pub k: Distribution,
    /// Resting potential.
    #[reflect(@Unit("mV"), @Range::finite())]
    pub v_r: Distribution,
    /// Instantaneous threshold.
    #[reflect(@Unit("mV"), @Range::finite())]
    pub v_t: Distribution,
    /// Membrane potential at which a spike counts.
    #[reflect(@Unit("mV"), @Range::finite())]
    pub v_peak: Distribution,
    /// Rate of recovery.
    #[reflect(@Unit("1/ms"), @Range::finite())]
    pub a: Distribution,
    /// How recovery follows the membrane potential.
    #[reflect(@Unit("nS"), @Range::finite())]
    pub b: Distribution,
    /// Membrane potential after a spike.
    #[reflect(@Unit("mV"), @Range::finite())]
    pub c: Distribution,
    /// Jump of recovery at a spike.
    #[reflect(@Unit("pA"), @Range::finite())]
    pub d: Distribution,
    /// Constant input current.
    #[reflect(@Unit("pA"), @Range::finite())]
    pub i_e: Distribution,
    /// The longest sub-step of the integration.
    #[reflect(@Unit("ms"), @Range::between(1e-4, 0.2))]
    pub substep_ms: f64,
}

impl Default for Izhikevich2007 {
    fn default() -> Self {
        Self {
            c_m: 100.0.into(),
            k: 0.7.into(),
            v_r: (-60.0).into(),
            v_t: (-40.0).into(),
            v_peak: 35.0.into(),
            a: 0.03.into(),
            b: (-2.0).into(),
            c: (-50.0).into(),
            d: 100.0.into(),
            i_e: 0.0.into(),
            substep_ms: 0.1,
        }
    }
}

impl NeuronModel for Izhikevich2007 {
    type Kernel = stable::Executor;
    const RECEPTORS: &'static [Receptor] = &[Receptor {
        name: "input",
        sign: Sign::Any,
        unit: "mV",
    }];

    fn derive(&self, neuron: &Sample<'_>, dt: f64) -> stable::Params {
        let at = |field, distribution| neuron.parameter(field, distribution);
        let h = dt / f64::from(self.substeps(dt));
        let (c_m, k) = (at("c_m", &self.c_m), at("k", &self.k));
        let (v_r, v_t) = (at("v_r", &self.v_r), at("v_t", &self.v_t));
        let (a, b) = (at("a", &self.a), at("b", &self.b));
        stable::Params {
            square: (h * k / c_m) as f32,
            linear: (-h * k * (v_r + v_t) / c_m) as f32,
            constant: (h * (k * v_r * v_t + at("i_e", &self.i_e)) / c_m) as f32,
            gain: (h / c_m) as f32,
            v_peak: at("v_peak", &self.v_peak) as f32,
            c: at("c", &self.c) as f32,
            d: at("d", &self.d) as f32,
            u_per_v: (h * a * b) as f32,
            u_constant: (-h * a * b * v_r) as f32,
            u_leak: (h * a) as f32,
        }
    }

    fn initial(&self, neuron: &Sample<'_>, _dt: f64) -> stable::State {
        let v_r = neuron.parameter("v_r", &self.v_r);
        let v = neuron.initial("v", v_r);
        let u = neuron.parameter("b", &self.b) * (v - v_r);
        stable::State {
            v: v as f32,
            u: neuron.initial("u", u) as f32,
        }
    }

    fn substeps(&self, dt: f64) -> u32 {
        let [k, v_r, v_t, v_peak] =
            [&self.k, &self.v_r, &self.v_t, &self.v_peak].map(Distribution::largest_magnitude);
        // f' = k (2 v − v_r − v_t)/C, at most at the peak.
        let steepest = k * (2.0 * v_peak + v_r + v_t) / self.c_m.bounds().0.max(1e-3);
        substeps_within(
            dt,
            stable_substep(self.substep_ms, steepest, self.a.largest_magnitude()),
        )
    }

    fn is_self_driven(&self) -> bool {
        self.i_e != Distribution::Constant(0.0)
    }

    fn check(&self, _dt: f64) -> Result<(), String> {
        check_below(("c", &self.c), ("v_peak", &self.v_peak))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_derived_form_is_the_equation() {
        let model = Izhikevich2007 {
            i_e: 70.0.into(),
            ..default()
        };
        let p = model.derive(&Sample::new(1, 2, 0, &[]), 0.1);
        for (v, u) in [(-60.0f64, 0.0f64), (-47.0, 30.0), (10.0, -12.0)] {
            let expected = 0.1 * (0.7 * (v + 60.0) * (v + 40.0) - u + 70.0) / 100.0;
            let (v32, u32) = (v as f32, u as f32);
            let found = (p.square * v32 + p.linear) * v32 + p.constant - p.gain * u32;
            assert!(
                (f64::from(found) - expected).abs() < 1e-6,
                "v' {found} of {expected}"
            );
            let expected = 0.1 * 0.03 * (-2.0 * (v + 60.0) - u);
            let found = stable::recovery(p, v32, u32);
            assert!(
                (f64::from(found) - expected).abs() < 1e-5,
                "u' {found} of {expected}"
            );
        }
    }

    #[test]
    fn the_resting_potential_is_a_resting_point() {
        let model = Izhikevich2007::default();
        let sample = Sample::new(1, 2, 0, &[]);
        let (p, mut s) = (model.derive(&sample, 1.0), model.initial(&sample, 1.0));
        for _ in 0..10_000 {
            let next = stable::repeat(
                p,
                s,
                stable::Input {
                    drive: 0.0,
                    input: 0.0,
                },
                0,
            );
            s = stable::State {
                v: next.v,
                u: next.u,
            };
        }
        assert!((s.v + 60.0).abs() < 1e-3 && s.u.abs() < 1e-2, "{s:?}");
    }

    #[test]
    fn a_steep_upswing_takes_finer_substeps() {
        assert_eq!(Izhikevich2007::default().substeps(1.0), 10);
        assert!(
            Izhikevich2007 {
                k: 70.0.into(),
                ..default()
            }
            .substeps(1.0)
                >= 100
        );
    }
}
