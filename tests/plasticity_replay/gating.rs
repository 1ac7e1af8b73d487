//! Pools that gate learning: how they multiply what rules do, and every rule under them.

use crate::case::Case;
use crate::course::{Act, Beside, Course, reading};
use crate::events::Sum;
use crate::modulated::{dopamine, impulses, mstdp, mstdpet, pool};
use crate::network::{DELAYS, Delays, Dice, FINE_MS, Network, Time, UNIT_MS, ms, run_to};
use crate::pairs::{everywhere, stdp};
use crate::third_factor::Signal;
use core::fmt::{Debug, Formatter, Result};
use neuropil::modulation::Effect;
use neuropil::prelude::*;

/// A pool and its effect on learning.
#[derive(Clone)]
pub struct Gate {
    signal: Signal,
    /// The target neurons; all without any.
    targets: Option<Vec<usize>>,
    gain: f64,
    bounds: (f64, f64),
    /// The concentration at each time, before and after what is released then.
    levels: Vec<[f64; 2]>,
}

impl Debug for Gate {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        let Self { gain, bounds, .. } = self;
        write!(f, "gate by {gain} within {bounds:?}")
    }
}

impl Gate {
    fn new(
        signal: Signal,
        targets: Option<Vec<usize>>,
        gain: f64,
        bounds: (f64, f64),
        until: Time,
    ) -> Self {
        let tau = signal.tau_ms.expect("a pool");
        let raises = signal.raises();
        let level = |now: Time, released: bool| {
            let left = |since: Time| libm::exp(-ms(now - since) / tau);
            let counts = |time: Time| time < now || (released && time == now);
            let raised = raises.iter().filter(|(time, _)| counts(*time));
            signal.initial * left(0) + raised.map(|(t, amount)| amount * left(*t)).sum::<f64>()
        };
        let levels = (0..=until).map(|now| [level(now, false), level(now, true)]);
        Self {
            levels: levels.collect(),
            signal,
            targets,
            gain,
            bounds,
        }
    }

    /// What it adds to the factor so many ms after a time. Nothing is released in between.
    fn excess(&self, now: Time, after: f64, released: bool) -> f64 {
        let tau = self.signal.tau_ms.expect("a pool");
        let level = self.levels[now as usize][usize::from(released)];
        self.gain * (level * libm::exp(-after / tau) - self.signal.baseline)
    }

    fn name(number: usize) -> String {
        format!("gate {number}")
    }

    /// Adds pools and their effects to a scene of a network.
    pub fn add_to(gates: &[Self], network: &Network, scene: &mut Scene) {
        for (number, gate) in gates.iter().enumerate() {
            gate.signal.add_to(scene, &Self::name(number));
            let neurons = match &gate.targets {
                None => Selection::All,
                Some(targets) => {
                    Selection::List(targets.iter().map(|t| network.index(*t)).collect())
                }
            };
            let modulator = scene.modulators.last_mut().expect("the pool");
            modulator.effects.push(Effect::Learning {
                projection: "synapse".into(),
                neurons,
                gain: gate.gain,
                least: gate.bounds.0,
                most: gate.bounds.1,
            });
        }
    }

    /// By what changes of the synapses onto a target neuron are multiplied so many ms after a time, before or after what is released then.
    pub fn factor(gates: &[Self], target: usize, now: Time, after: f64, released: bool) -> f64 {
        let acting = || {
            gates
                .iter()
                .filter(|gate| gate.targets.as_ref().is_none_or(|t| t.contains(&target)))
        };
        let sum: f64 = acting().map(|gate| gate.excess(now, after, released)).sum();
        let least = acting().fold(1.0, |least, gate| f64::min(least, gate.bounds.0));
        let most = acting().fold(1.0, |most, gate| f64::max(most, gate.bounds.1));
        (1.0 + sum).clamp(least, most)
    }
}

/// One pool on all targets that scales learning up to three times and turns it round, another on some of them that suppresses it.
fn gates(seed: u64, until: Time) -> Vec<Gate> {
    let [mut scaling, mut suppressing] = [40, 50].map(|n| pool(seed + n, until));
    scaling.baseline = 0.8;
    (suppressing.baseline, suppressing.initial) = (0.0, 0.0);
    let until = until + 60;
    vec![
        Gate::new(scaling, None, 2.5, (-1.5, 3.0), until),
        Gate::new(suppressing, Some(vec![0, 2]), -1.0, (0.0, 1.0), until),
    ]
}

/// Gates are at their bounds and between them, above 0 and below it.
fn assert_varied(until: Time) {
    let factors: Vec<f64> = (1..=12)
        .flat_map(|seed| {
            let gates = gates(seed, until);
            (1..until).map(move |time| Gate::factor(&gates, 1, time, 0.0, false))
        })
        .collect();
    let some = |of: &dyn Fn(f64) -> bool| factors.iter().filter(|f| of(**f)).count() > 100;
    assert!(some(&|f| f == 3.0) && some(&|f| f > 0.0 && f < 3.0) && some(&|f| f < 0.0));
}

const READ: [Time; 5] = [30, 101, 102, 150, 290];

fn beside(gates: Vec<Gate>) -> Beside {
    Beside {
        gates,
        ..Beside::default()
    }
}

#[test]
fn gated_rules_are_their_replay() {
    assert_varied(250);
    everywhere(3000, |seed, network, order, coincidence, dt| {
        let pairs = |pairing, dependence| Stdp {
            order,
            ..stdp(pairing, dependence, coincidence)
        };
        let triplet = TripletStdp {
            order,
            coincidence,
            ..default()
        };
        let inhibitory = InhibitoryStdp {
            eta: 0.01,
            rate_hz: 40.0,
            order,
            coincidence,
            ..default()
        };
        let oja = Oja {
            eta: 0.02,
            order,
            coincidence,
            ..default()
        };
        let sums = [
            Sum::new().and(pairs(Pairing::AllToAll, Dependence::Additive)),
            Sum::new().and(pairs(Pairing::PreCentred, Dependence::Multiplicative)),
            Sum::new().and(pairs(Pairing::Reduced, Dependence::Additive)),
            Sum::new().and(triplet.clone()),
            Sum::new().and(inhibitory),
            Sum::new().and(oja.clone()),
            Sum::new()
                .and(pairs(Pairing::Nearest, Dependence::Additive))
                .and(triplet)
                .and(oja),
        ];
        for sum in sums {
            let beside = beside(gates(seed, 250));
            Case::sum(sum.unbound(), beside).check(network, &reading(READ), dt);
        }
    });
}

/// What a change that is turned round does at a bound: a weight at its largest value is depressed by what would have potentiated it.
#[test]
fn weights_at_a_bound_are_turned_round() {
    let mut network = Network::random(3100, 250, DELAYS[0]);
    for synapse in &mut network.synapses {
        synapse.weight = 1.0;
    }
    let rule = Stdp {
        a_minus: 0.0,
        ..stdp(
            Pairing::AllToAll,
            Dependence::Additive,
            Coincidence::PreFirst,
        )
    };
    let constant = Signal {
        tau_ms: Some(1e9),
        initial: 1.0,
        ..Signal::default()
    };
    let always = Gate::new(constant, None, -2.0, (-1.0, 1.0), 300);
    let sum = Sum::new().and(rule).unbound();
    let case = Case::sum(sum, beside(vec![always]));
    let replayed = case.check(&network, &reading([290]), UNIT_MS);
    assert!(replayed.weights[0].iter().any(|w| *w < 0.5));
}

#[test]
fn gated_rules_with_a_third_factor_are_their_replay() {
    everywhere(3200, |seed, network, order, coincidence, dt| {
        let gates = gates(seed, 250);
        let (pool, impulses) = (pool(seed, 250), impulses(seed, 250));
        for case in [
            Case::modulated(dopamine(order, coincidence), "dopamine", pool.clone()),
            Case::modulated(dopamine(order, coincidence), "dopamine", impulses.clone()),
            Case::modulated(mstdp(order, coincidence), "reward", pool.clone()),
            Case::modulated(mstdp(order, coincidence), "reward", impulses.clone()),
            Case::modulated(mstdpet(order, coincidence), "reward", pool),
            Case::modulated(mstdpet(order, coincidence), "reward", impulses),
        ] {
            case.gated(gates.clone()).check(network, &reading(READ), dt);
        }
    });
}

/// Freezing, restricting, slowing and fading go with it.
#[test]
fn gated_learning_is_steered_too() {
    everywhere(3300, |seed, network, order, coincidence, dt| {
        let parts = [0.25, 0.0, 1.0, 0.5, 0.75, 0.125, 0.0, 1.0];
        let frozen: Course = vec![
            (40, Act::Freeze(true)),
            (60, Act::Freeze(false)),
            (120, Act::Read),
            (120, Act::Reset),
            (290, Act::Read),
        ];
        let restricted: Course = vec![
            (70, Act::Restrict(parts[..network.targets.len()].to_vec())),
            (120, Act::Read),
            (150, Act::Restrict(Vec::new())),
            (290, Act::Read),
        ];
        let rule = Stdp {
            order,
            ..stdp(Pairing::AllToAll, Dependence::Multiplicative, coincidence)
        };
        let beside = |decay| Beside {
            decay,
            slowing: Some(LearningRateDecay {
                tau_ms: 50.0,
                floor: 0.1,
                ..default()
            }),
            gates: gates(seed, 250),
        };
        let decay = ConvergentDecay {
            w_rest: 0.3,
            tau_ms: 70.0,
        };
        let case = |decay| Case::sum(Sum::new().and(rule.clone()).unbound(), beside(decay));
        case(Some(decay)).check(network, &frozen, dt);
        case(None).check(network, &restricted, dt);
        let pool = pool(seed, 250);
        let case =
            Case::modulated(dopamine(order, coincidence), "dopamine", pool).gated(gates(seed, 250));
        for course in [&frozen, &restricted] {
            case.check(network, course, dt);
        }
    });
}

/// More steps than factors are kept for at a time, with long silences.
#[test]
fn epochs_of_gates_leave_no_mark() {
    let mut dice = Dice(7);
    for delays in [DELAYS[0], DELAYS[2]] {
        let until = 12_000;
        let network = Network::with_silences(700, until, delays, &mut dice);
        let course = reading([250, 3276, 3277, 6553, 6554, 9000, 12_050]);
        let gates = gates(8, until);
        let (order, coincidence) = (SendOrder::ChangeThenSend, Coincidence::PreFirst);
        let rule = stdp(Pairing::AllToAll, Dependence::Additive, coincidence);
        let sum = Sum::new().and(rule).unbound();
        Case::sum(sum, beside(gates.clone())).check(&network, &course, FINE_MS);
        let signal = pool(8, until);
        Case::modulated(dopamine(order, coincidence), "dopamine", signal)
            .gated(gates)
            .check(&network, &course, FINE_MS);
    }
}

/// Bits do not depend on the number of threads.
#[test]
fn lanes_do_not_matter_to_gates() {
    let delays: Delays = DELAYS[2];
    let mut network = Network::random(1400, 250, delays);
    network.spacing = 60;
    let (order, coincidence) = (SendOrder::ChangeThenSend, Coincidence::Ignored);
    let rule = stdp(Pairing::AllToAll, Dependence::Additive, coincidence);
    for case in [
        Case::sum(Sum::new().and(rule), beside(gates(1, 250))),
        Case::modulated(dopamine(order, coincidence), "dopamine", pool(1, 250))
            .gated(gates(1, 250)),
    ] {
        let scene = case.scene(&network, UNIT_MS);
        let outcome = |threads: usize| {
            let mut simulation = crate::network::build(&scene, threads);
            run_to(&mut simulation, 290);
            let read = crate::course::read(&mut simulation);
            (read, simulation.spike_count().hash)
        };
        let alone = outcome(1);
        assert_eq!(alone, outcome(2), "two threads, {}", case.name);
        assert_eq!(alone, outcome(7), "seven threads, {}", case.name);
    }
}
