//! Rules of rates, triplets that depend on rates and on the weight, sums of rules, and what acts beside them.

use crate::case::Case;
use crate::course::{Act, Beside, reading};
use crate::events::Sum;
use crate::network::{DELAYS, Delays, FINE_MS, Network, UNIT_MS, run_to};
use crate::pairs::{everywhere, stdp};
use neuropil::prelude::*;

/// Weights neither stay at their bounds nor hardly change.
fn oja(order: SendOrder, coincidence: Coincidence) -> Oja {
    Oja {
        eta: 0.02,
        w_norm: 0.9,
        tau: 14.0,
        w_max: 1.4,
        order,
        coincidence,
        ..default()
    }
}

fn bcm(order: SendOrder, coincidence: Coincidence) -> Bcm {
    Bcm {
        eta: 3e-8,
        tau: 15.0,
        tau_theta: 60.0,
        rate_hz: 500.0,
        w_min: -0.1,
        w_max: 1.4,
        order,
        coincidence,
    }
}

fn triplet(order: SendOrder, coincidence: Coincidence) -> TripletStdp {
    TripletStdp {
        a2_plus: 0.003,
        a3_plus: 0.004,
        a2_minus: 0.004,
        a3_minus: 0.002,
        tau_x: 40.0,
        tau_y: 50.0,
        w_max: 1.2,
        order,
        coincidence,
        ..default()
    }
}

const DEPENDENCES: [Dependence; 3] = [
    Dependence::Multiplicative,
    Dependence::Guetig {
        mu_plus: 0.4,
        mu_minus: 0.7,
    },
    Dependence::PowerLaw {
        mu: 0.4,
        w_ref: 0.6,
    },
];

const READ: [i64; 4] = [30, 101, 102, 290];

#[test]
fn rules_of_rates_are_their_replay() {
    let mut changed = 0;
    everywhere(2000, |_, network, order, coincidence, dt| {
        let cases = [
            Case::pairs(oja(order, coincidence), None),
            Case::pairs(bcm(order, coincidence), None),
        ];
        for case in cases {
            let replayed = case.check(network, &reading(READ), dt);
            let last = replayed.weights[3].iter().zip(&network.synapses);
            changed += last
                .filter(|(after, synapse)| (**after - synapse.weight).abs() > 0.05)
                .count();
        }
    });
    assert!(changed > 300, "{changed} weights changed");
}

#[test]
fn triplets_that_depend_on_rates_and_weights_are_their_replay() {
    everywhere(2100, |_, network, order, coincidence, dt| {
        let plain = triplet(order, coincidence);
        let sliding = TripletStdp {
            metaplasticity: Some(Metaplasticity {
                rate_hz: 150.0,
                tau: 70.0,
            }),
            ..plain.clone()
        };
        Case::pairs(sliding.clone(), None).check(network, &reading(READ), dt);
        for dependence in DEPENDENCES {
            for rule in [&plain, &sliding] {
                let rule = TripletStdp {
                    dependence,
                    nearest: dt == FINE_MS,
                    ..rule.clone()
                };
                Case::pairs(rule, None).check(network, &reading(READ), dt);
            }
        }
    });
}

/// A sum of three rules, of which two have traces of more than one number.
fn three(order: SendOrder, coincidence: Coincidence) -> Sum {
    let pairs = Stdp {
        order,
        ..stdp(Pairing::Reduced, Dependence::Multiplicative, coincidence)
    };
    Sum::new()
        .and(pairs)
        .and(triplet(order, coincidence))
        .and(oja(order, coincidence))
}

#[test]
fn sums_of_rules_are_their_replay() {
    everywhere(2200, |_, network, order, coincidence, dt| {
        let two = Sum::new()
            .and(bcm(order, coincidence))
            .and(triplet(order, coincidence));
        for sum in [two, three(order, coincidence)] {
            Case::sum(sum, Beside::default()).check(network, &reading(READ), dt);
        }
    });
}

#[test]
fn what_acts_beside_rules_is_its_replay() {
    everywhere(2300, |_, network, order, coincidence, dt| {
        let decay = ConvergentDecay {
            w_rest: 0.3,
            tau_ms: 70.0,
        };
        let slowing = |form| LearningRateDecay {
            tau_ms: 50.0,
            floor: 0.1,
            form,
        };
        for beside in [
            Beside {
                decay: Some(decay.clone()),
                ..Beside::default()
            },
            Beside {
                slowing: Some(slowing(RateForm::Exponential)),
                ..Beside::default()
            },
            Beside {
                decay: Some(decay),
                slowing: Some(slowing(RateForm::Hyperbolic)),
                ..Beside::default()
            },
        ] {
            let one = Sum::new().and(Stdp {
                order,
                ..stdp(Pairing::AllToAll, Dependence::Additive, coincidence)
            });
            for sum in [one, three(order, coincidence)] {
                Case::sum(sum, beside.clone()).check(network, &reading(READ), dt);
            }
        }
    });
}

#[test]
fn forgotten_and_frozen_as_everywhere() {
    everywhere(2400, |_, network, order, coincidence, dt| {
        let course = vec![
            (40, Act::Freeze(true)),
            (70, Act::Freeze(false)),
            (90, Act::Reset),
            (91, Act::Read),
            (290, Act::Read),
        ];
        let sliding = TripletStdp {
            metaplasticity: Some(Metaplasticity::default()),
            ..triplet(order, coincidence)
        };
        for case in [
            Case::pairs(oja(order, coincidence), None),
            Case::pairs(bcm(order, coincidence), None),
            Case::pairs(sliding, None),
            Case::sum(three(order, coincidence), Beside::default()),
        ] {
            case.check(network, &course, dt);
        }
    });
}

#[test]
fn the_step_does_not_matter() {
    let delays: Delays = DELAYS[3];
    let network = Network::random(2500, 250, delays);
    let (order, coincidence) = (SendOrder::ChangeThenSend, Coincidence::PreFirst);
    for case in [
        Case::pairs(oja(order, coincidence), None),
        Case::pairs(bcm(order, coincidence), None),
        Case::sum(three(order, coincidence), Beside::default()),
    ] {
        let at = |dt: f64| {
            let mut simulation = network.simulate(&case.scene(&network, dt));
            run_to(&mut simulation, 290);
            simulation.weights("synapse").expect("weights")
        };
        for (coarse, fine) in at(UNIT_MS).iter().zip(&at(FINE_MS)) {
            let difference = (coarse - fine).abs();
            assert!(difference < 1e-5, "{}: {coarse} and {fine}", case.name);
        }
    }
}
