//! A rule with all that acts on it, run and replayed.

use crate::course::{self, Beside, Course, Replayed, run};
use crate::events::{PairRule, Sum};
use crate::gating::Gate;
use crate::network::{Network, probed_currents};
use crate::third_factor::{self, Marking, Signal};
use bevy::prelude::Reflect;
use core::fmt::Debug;
use neuropil::prelude::*;

/// How far a weight may be from its replay, as a part of the largest or of 1: what single precision does to some hundred changes. A pair of
/// spikes that was missed would make a difference of some thousandths.
const WEIGHT: f64 = 1e-5;
/// How far a synaptic current may be: many spikes' weights, in fixed point.
const CURRENT: f64 = 1e-4;
/// How far a tag may be, as a part of the largest.
const TAG: f64 = 1e-5;

/// A rule, and how it is replayed.
pub struct Case {
    pub name: String,
    pub rules: Vec<RuleValue>,
    pub modulator: Option<(&'static str, Signal)>,
    pub short_term: Option<TsodyksMarkram>,
    gates: Vec<Gate>,
    replay: Box<dyn Fn(&Network, &[Gate], &Course) -> Replayed>,
}

impl Case {
    /// A rule of pre- and postsynaptic spikes, perhaps with short-term dynamics.
    pub fn pairs<R>(rule: R, short_term: Option<TsodyksMarkram>) -> Self
    where
        R: PairRule + Reflect + Clone + Debug,
    {
        Self {
            short_term: short_term.clone(),
            ..Self::of(
                format!("{rule:?}"),
                vec![RuleValue::new(rule.clone())],
                move |network, _, course| {
                    let beside = Beside::default();
                    course::replay(network, &rule, &beside, short_term.as_ref(), course)
                },
            )
        }
    }

    /// The sum of rules of pre- and postsynaptic spikes, with what acts beside them.
    pub fn sum(sum: Sum, beside: Beside) -> Self {
        let rules = sum.rules().chain(beside.rules()).collect();
        Self {
            gates: beside.gates.clone(),
            ..Self::of(
                format!("{sum:?}, {beside:?}"),
                rules,
                move |network, _, course| course::replay(network, &sum, &beside, None, course),
            )
        }
    }

    /// A rule with a third factor, under gates.
    pub fn gated(self, gates: Vec<Gate>) -> Self {
        Self {
            name: format!("{} under {gates:?}", self.name),
            gates,
            ..self
        }
    }

    fn of(
        name: String,
        rules: Vec<RuleValue>,
        replay: impl Fn(&Network, &[Gate], &Course) -> Replayed + 'static,
    ) -> Self {
        Self {
            name,
            rules,
            modulator: None,
            short_term: None,
            gates: Vec::new(),
            replay: Box::new(replay),
        }
    }

    /// A rule with a third factor.
    pub fn modulated<R>(rule: R, modulator: &'static str, signal: Signal) -> Self
    where
        R: Reflect + Clone + Debug,
        for<'a> Marking: From<&'a R>,
    {
        let (marking, given) = (Marking::from(&rule), signal.clone());
        Self {
            modulator: Some((modulator, signal.clone())),
            ..Self::of(
                format!("{rule:?} under {signal:?}"),
                vec![RuleValue::new(rule)],
                move |network, gates, course| {
                    third_factor::replay(network, &marking, &given, gates, course)
                },
            )
        }
    }

    /// The network with this rule, in steps of `dt_ms`.
    pub fn scene(&self, network: &Network, dt_ms: f64) -> Scene {
        let mut scene = network.scene(self.rules.clone(), dt_ms);
        scene.projections[0].short_term = self.short_term.clone();
        if let Some((name, signal)) = &self.modulator {
            signal.add_to(&mut scene, name);
        }
        Gate::add_to(&self.gates, network, &mut scene);
        scene
    }

    /// What a course over the network comes to.
    pub fn replay(&self, network: &Network, course: &Course) -> Replayed {
        (self.replay)(network, &self.gates, course)
    }

    /// Runs the network through a course, and checks weights, tags and what was sent against the replay, which it returns.
    pub fn check(&self, network: &Network, course: &Course, dt_ms: f64) -> Replayed {
        let mut scene = self.scene(network, dt_ms);
        network.probe_currents(&mut scene);
        let mut simulation = network.simulate(&scene);
        let read = run(&mut simulation, course);
        let currents = probed_currents(&mut simulation);
        let want = self.replay(network, course);
        let at = format!("{}\n{:?}, steps of {dt_ms} ms", self.name, network.delays);
        // Gates make changes up to three times as large. A step in which one comes to its bound is integrated with a parabola; they have time
        // constants of 30 ms here.
        let (times, kinks) = match (self.gates.is_empty(), self.modulator.is_some()) {
            (true, _) => (1.0, 0.0),
            (false, false) => (3.0, 0.0),
            (false, true) => (3.0, 0.3 * (dt_ms / 30.0).powi(2)),
        };
        for (i, (read, want)) in read.iter().zip(&want.weights).enumerate() {
            let tolerance = (times * WEIGHT + kinks) * largest(want).max(1.0);
            agree(&read.weights, want, tolerance, &|n| {
                format!("weight of {:?}, reading {i}, {at}", network.synapses[n])
            });
        }
        if self.modulator.is_some() {
            for (i, (read, want)) in read.iter().zip(&want.tags).enumerate() {
                // Single precision knows no smaller tags than these.
                agree(&read.tags, want, TAG * largest(want).max(1e-30), &|n| {
                    format!("tag of {:?}, reading {i}, {at}", network.synapses[n])
                });
            }
        }
        let until = currents.len() as i64;
        let expected = network.currents(&want.sent, until);
        for (time, row) in currents.iter().enumerate() {
            let expected: Vec<f64> = expected.iter().map(|c| c[time]).collect();
            let tolerance =
                (CURRENT + 10.0 * kinks).max((2e-6 * times + kinks) * largest(&expected));
            agree(row, &expected, tolerance, &|n| {
                format!("current of target {n} at {} units, {at}", time + 1)
            });
        }
        want
    }
}

/// The largest magnitude.
fn largest(values: &[f64]) -> f64 {
    values.iter().fold(0.0, |a, b| a.max(b.abs()))
}

/// Compares numbers with what they should be.
fn agree(got: &[f64], want: &[f64], tolerance: f64, what: &dyn Fn(usize) -> String) {
    assert_eq!(got.len(), want.len());
    for (n, (got, want)) in got.iter().zip(want).enumerate() {
        assert!(
            (got - want).abs() <= tolerance,
            "{got}, replayed {want}: {}",
            what(n)
        );
    }
}
