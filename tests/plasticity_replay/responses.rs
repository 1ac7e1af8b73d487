//! STDP with response functions as traces: sums of kernels, written here in closed form, over all spikes that are seen.

use crate::case::Case;
use crate::course::{Act, reading};
use crate::events::{PairRule, Spikes};
use crate::network::{DELAYS, FINE_MS, Network, Synapse, Time, UNIT_MS, ms, run_to};
use crate::pairs::{ORDERS, conventions};
use neuropil::prelude::Response::*;
use neuropil::prelude::*;

/// The kernel of a sequence, t ms after the spike.
fn kernel(sequence: &[Response], t: f64) -> f64 {
    match *sequence {
        [Identity] => f64::from(t == 0.0),
        [Leaky { tau }] => libm::exp(-t / tau),
        [Flat, Scaling { gain }] => gain,
        [LimitedFlat { window }] => f64::from(t < window),
        [Alpha { tau }] => t / tau * libm::exp(1.0 - t / tau),
        [
            DifferenceOfExponentials {
                tau_rise: r,
                tau_decay: d,
            },
        ] => {
            let peak = libm::log(d / r) * d * r / (d - r);
            let at = |t: f64| libm::exp(-t / d) - libm::exp(-t / r);
            at(t) / at(peak)
        }
        [Leaky { tau: a }, Scaling { gain }, Leaky { tau: b }] => {
            gain * (libm::exp(-t / a) - libm::exp(-t / b)) / (1.0 / b - 1.0 / a)
        }
        [Leaky { tau }, LimitedFlat { window }] => {
            let up = |t: f64| tau * -libm::expm1(-t.max(0.0) / tau);
            up(t) - up(t - window)
        }
        [LimitedFlat { window: a }, LimitedFlat { window: b }] => {
            t.min(a).min(b).min(a + b - t).max(0.0)
        }
        _ => panic!("{sequence:?} is not written"),
    }
}

fn trace(spikes: impl Iterator<Item = Time>, now: Time, sequence: &[Response]) -> f64 {
    spikes.map(|t| kernel(sequence, ms(now - t))).sum()
}

impl PairRule for ResponseStdp {
    fn at_pre(&self, weight: f64, now: Time, spikes: &Spikes) -> f64 {
        let y = trace(spikes.post_seen(now), now, &self.spine);
        let width = self.w_max - self.w_min;
        let f = match self.dependence {
            Dependence::Additive => width,
            Dependence::Multiplicative => weight - self.w_min,
            other => panic!("{other:?} is not written"),
        };
        weight - self.a_minus * f * y
    }

    fn at_post(&self, weight: f64, now: Time, spikes: &Spikes) -> f64 {
        let x = trace(spikes.pre_seen(now), now, &self.terminal);
        let width = self.w_max - self.w_min;
        let f = match self.dependence {
            Dependence::Additive => width,
            Dependence::Multiplicative => self.w_max - weight,
            other => panic!("{other:?} is not written"),
        };
        weight + self.a_plus * f * x
    }

    fn bounds(&self) -> (f64, f64) {
        (self.w_min, self.w_max)
    }

    fn order(&self) -> SendOrder {
        self.order
    }

    fn coincidence(&self) -> Coincidence {
        self.coincidence
    }
}

/// Every kernel on either side, and sequences; at rates with which traces reach about the same.
fn rules() -> Vec<ResponseStdp> {
    let two = DifferenceOfExponentials {
        tau_rise: 2.0,
        tau_decay: 9.0,
    };
    let sides: [(&[Response], &[Response], f64); 6] = [
        (&[Leaky { tau: 12.0 }], &[Leaky { tau: 17.0 }], 1.0),
        (&[Alpha { tau: 6.0 }], &[two], 1.0),
        (&[LimitedFlat { window: 10.0 }], &[Identity], 1.0),
        (
            &[Leaky { tau: 8.0 }, LimitedFlat { window: 6.0 }],
            &[Alpha { tau: 5.0 }],
            0.15,
        ),
        (
            &[
                Leaky { tau: 9.0 },
                Scaling { gain: 0.2 },
                Leaky { tau: 4.0 },
            ],
            &[LimitedFlat { window: 4.0 }, LimitedFlat { window: 7.5 }],
            0.3,
        ),
        (
            &[Flat, Scaling { gain: 0.1 }],
            &[Flat, Scaling { gain: 0.1 }],
            1.0,
        ),
    ];
    let rule = |(terminal, spine, size): (&[Response], &[Response], f64)| ResponseStdp {
        a_plus: 0.02 * size,
        a_minus: 0.021 * size,
        terminal: terminal.to_vec(),
        spine: spine.to_vec(),
        w_min: -0.1,
        ..default()
    };
    sides.map(rule).into()
}

#[test]
fn stdp_with_responses_is_its_replay() {
    let mut cases = 0;
    for delays in DELAYS {
        for coincidence in conventions(&delays) {
            for rule in rules() {
                cases += 1;
                let network = Network::random(500 + cases, 250, delays);
                assert!(network.coincidences() > 50);
                let dependence = match cases % 2 {
                    0 => Dependence::Additive,
                    _ => Dependence::Multiplicative,
                };
                for (order, dt) in ORDERS.into_iter().zip([UNIT_MS, FINE_MS]) {
                    let rule = ResponseStdp {
                        order,
                        coincidence,
                        dependence,
                        ..rule.clone()
                    };
                    let course = reading([30, 101, 102, 290]);
                    Case::pairs(rule, None).check(&network, &course, dt);
                }
            }
        }
    }
}

#[test]
fn what_is_forgotten_or_frozen_is_so_with_responses() {
    for (n, rule) in rules().into_iter().enumerate() {
        let network = Network::random(700 + n as u64, 250, DELAYS[2]);
        let course = vec![
            (40, Act::Read),
            (60, Act::Freeze(true)),
            (90, Act::Freeze(false)),
            (120, Act::Reset),
            (200, Act::Read),
            (290, Act::Read),
        ];
        let rule = ResponseStdp {
            dependence: Dependence::Multiplicative,
            ..rule
        };
        for dt in [UNIT_MS, FINE_MS] {
            Case::pairs(rule.clone(), None).check(&network, &course, dt);
        }
    }
}

/// A target that fires far more often than its spikes are kept for, and sources that are silent for long.
#[test]
fn synapses_of_silent_sources_miss_nothing_with_windows() {
    let synapse = |source| Synapse {
        source,
        target: 0,
        delay: 7,
        weight: 0.5,
    };
    let network = Network {
        sources: vec![vec![], vec![40], vec![41, 1400], vec![1, 700, 1499]],
        targets: vec![(1..1500).filter(|t| t % 7 != 0).collect()],
        synapses: (0..4).map(synapse).collect(),
        delays: DELAYS[1],
        spacing: 1,
    };
    let rule = ResponseStdp {
        terminal: vec![Leaky { tau: 150.0 }, LimitedFlat { window: 40.0 }],
        spine: vec![LimitedFlat { window: 30.0 }],
        a_plus: 2e-5,
        a_minus: 1e-3,
        coincidence: Coincidence::PreFirst,
        ..default()
    };
    for dt in [UNIT_MS, FINE_MS] {
        let course = reading([39, 60, 333, 1401, 1530]);
        Case::pairs(rule.clone(), None).check(&network, &course, dt);
    }
}

#[test]
fn leaky_responses_are_pair_stdp_bit_for_bit() {
    let dependences = [
        Dependence::Additive,
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
    for (n, delays) in DELAYS.into_iter().enumerate() {
        let network = Network::random(800 + n as u64, 250, delays);
        for dependence in dependences {
            for coincidence in conventions(&delays) {
                for dt in [UNIT_MS, FINE_MS] {
                    let weights = |rule: RuleValue| {
                        let mut simulation = network.simulate(&network.scene(vec![rule], dt));
                        run_to(&mut simulation, 290);
                        simulation.weights("synapse").expect("weights")
                    };
                    let (a_plus, a_minus) = (0.02, 0.021);
                    let pairs = weights(RuleValue::new(Stdp {
                        a_plus,
                        a_minus,
                        tau_plus: 12.3,
                        tau_minus: 17.7,
                        dependence,
                        coincidence,
                        ..default()
                    }));
                    let responses = weights(RuleValue::new(ResponseStdp {
                        a_plus,
                        a_minus,
                        terminal: vec![Leaky { tau: 12.3 }],
                        spine: vec![Leaky { tau: 17.7 }],
                        dependence,
                        coincidence,
                        ..default()
                    }));
                    assert_eq!(pairs, responses);
                    assert!(pairs.iter().any(|w| *w > 0.0 && *w < 1.0));
                }
            }
        }
    }
}
