//! Rules of pre- and postsynaptic spikes.

use crate::case::Case;
use crate::course::reading;
use crate::network::{DELAYS, Delays, FINE_MS, Network, Synapse, UNIT_MS, run_to};
use neuropil::prelude::*;
use neuropil::scene::schema::Dendritic;

/// The conventions for spikes of one time that a projection may have.
pub fn conventions(delays: &Delays) -> Vec<Coincidence> {
    let mut list = vec![Coincidence::Ignored, Coincidence::PreFirst];
    if delays.allow_both() {
        list.push(Coincidence::Both);
    }
    list
}

/// Networks with every kind of delay, every convention for spikes of one time, both orders and both steps; `check` gets the number of the case, too.
pub fn everywhere(seed: u64, mut check: impl FnMut(u64, &Network, SendOrder, Coincidence, f64)) {
    let mut cases = 0;
    for delays in DELAYS {
        for coincidence in conventions(&delays) {
            cases += 1;
            let network = (0..)
                .map(|n| Network::random(seed + cases + 10_000 * n, 250, delays))
                .find(|network| network.coincidences() > 50)
                .expect("a network");
            for (order, dt) in ORDERS.into_iter().zip([UNIT_MS, FINE_MS]) {
                check(cases, &network, order, coincidence, dt);
            }
        }
    }
}

/// A rule as large as single precision can follow, with which weights reach both bounds.
pub fn stdp(pairing: Pairing, dependence: Dependence, coincidence: Coincidence) -> Stdp {
    let power_law = matches!(dependence, Dependence::PowerLaw { .. });
    Stdp {
        a_plus: 0.02,
        a_minus: 0.021,
        tau_plus: 12.0,
        tau_minus: 17.0,
        w_min: if power_law { 0.0 } else { -0.1 },
        pairing,
        dependence,
        coincidence,
        ..default()
    }
}

pub fn triplet(nearest: bool, order: SendOrder, coincidence: Coincidence) -> TripletStdp {
    TripletStdp {
        a2_plus: 0.003,
        a3_plus: 0.004,
        a2_minus: 0.004,
        a3_minus: 0.002,
        tau_x: 40.0,
        tau_y: 50.0,
        nearest,
        order,
        coincidence,
        ..default()
    }
}

pub fn inhibitory(order: SendOrder, coincidence: Coincidence) -> InhibitoryStdp {
    InhibitoryStdp {
        eta: 0.01,
        tau: 13.0,
        rate_hz: 40.0,
        w_max: 1.0,
        order,
        coincidence,
        ..default()
    }
}

pub const PAIRINGS: [Pairing; 4] = [
    Pairing::AllToAll,
    Pairing::Nearest,
    Pairing::PreCentred,
    Pairing::Reduced,
];

pub const ORDERS: [SendOrder; 2] = [SendOrder::ChangeThenSend, SendOrder::SendThenChange];

/// All pairings, dependences, conventions and orders, with every kind of delay; steps are coarse and fine in turn.
fn pair_stdp_is_its_replay(pairings: &[Pairing]) {
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
    let mut cases = 0;
    for delays in DELAYS {
        for &pairing in pairings {
            for dependence in dependences {
                for coincidence in conventions(&delays) {
                    cases += 1;
                    let network = Network::random(cases, 250, delays);
                    assert!(network.coincidences() > 50);
                    let mut rule = stdp(pairing, dependence, coincidence);
                    for (order, dt) in ORDERS.into_iter().zip([UNIT_MS, FINE_MS]) {
                        rule.order = order;
                        let course = reading([30, 101, 102, 290]);
                        Case::pairs(rule.clone(), None).check(&network, &course, dt);
                    }
                }
            }
        }
    }
}

#[test]
fn pair_stdp_of_all_pairs_is_its_replay() {
    pair_stdp_is_its_replay(&[Pairing::AllToAll]);
}

#[test]
fn pair_stdp_of_nearest_pairs_is_its_replay() {
    pair_stdp_is_its_replay(&[Pairing::Nearest]);
}

#[test]
fn pre_centred_stdp_is_its_replay() {
    pair_stdp_is_its_replay(&[Pairing::PreCentred]);
}

#[test]
fn reduced_stdp_is_its_replay() {
    pair_stdp_is_its_replay(&[Pairing::Reduced]);
}

#[test]
fn weights_reach_both_bounds_in_these_networks() {
    let network = Network::random(1, 250, DELAYS[0]);
    let rule = stdp(
        Pairing::AllToAll,
        Dependence::Additive,
        Coincidence::Ignored,
    );
    let (low, high) = (rule.w_min, rule.w_max);
    let case = Case::pairs(rule, None);
    let replayed = case.replay(&network, &reading(0..290));
    let reached = |bound: f64| replayed.weights.iter().flatten().any(|w| *w == bound);
    assert!(reached(low) && reached(high));
}

#[test]
fn triplets_and_short_term_dynamics_are_their_replay() {
    let depressing = TsodyksMarkram {
        u: 0.3,
        tau_rec: 90.0,
        tau_fac: 40.0,
        tau_psc: 0.0,
    };
    let active = TsodyksMarkram {
        tau_psc: 3.0,
        ..depressing.clone()
    };
    let mut cases = 0;
    for delays in DELAYS {
        for coincidence in conventions(&delays) {
            cases += 1;
            let network = Network::random(100 + cases, 250, delays);
            assert!(network.coincidences() > 50);
            let course = reading([30, 101, 102, 290]);
            for (order, dt) in ORDERS.into_iter().zip([UNIT_MS, FINE_MS]) {
                for (nearest, model) in [(false, &depressing), (true, &active)] {
                    let rule = triplet(nearest, order, coincidence);
                    Case::pairs(rule, Some(model.clone())).check(&network, &course, dt);
                }
                let rule = stdp(Pairing::AllToAll, Dependence::Multiplicative, coincidence);
                let rule = Stdp { order, ..rule };
                Case::pairs(rule, Some(active.clone())).check(&network, &course, dt);
            }
        }
    }
}

#[test]
fn inhibitory_stdp_is_its_replay() {
    let mut cases = 0;
    for delays in DELAYS {
        for coincidence in conventions(&delays) {
            cases += 1;
            let network = Network::random(200 + cases, 250, delays);
            assert!(network.coincidences() > 50);
            for (order, dt) in ORDERS.into_iter().zip([UNIT_MS, FINE_MS]) {
                let case = Case::pairs(inhibitory(order, coincidence), None);
                case.check(&network, &reading([30, 101, 102, 290]), dt);
            }
        }
    }
}

#[test]
fn magnitudes_learn_where_the_receptor_takes_those() {
    let network = Network::random(300, 250, DELAYS[0]);
    let rule = inhibitory(SendOrder::ChangeThenSend, Coincidence::Ignored);
    let case = Case::pairs(rule, None);
    let mut scene = case.scene(&network, UNIT_MS);
    let conductances = LifCondExp {
        v_th: 1e9.into(),
        ..default()
    };
    scene.regions[1].model = ModelValue::new(conductances);
    let Rule::List(entries) = &mut scene.projections[0].rule else {
        panic!("not a list");
    };
    for entry in entries {
        entry.weight = entry.weight.map(|w| -w);
    }
    let mut simulation = network.simulate(&scene);
    run_to(&mut simulation, 290);
    let want = case.replay(&network, &reading([290]));
    let got = simulation.weights("synapse").expect("weights");
    for (got, want) in got.iter().zip(&want.weights[0]) {
        assert!((f64::from(*got) - want).abs() < 1e-5, "{got}, want {want}");
    }
}

#[test]
fn the_step_does_not_matter() {
    let delays = DELAYS[1];
    let network = Network::random(400, 250, delays);
    let order = SendOrder::ChangeThenSend;
    let coincidence = Coincidence::Ignored;
    let mut cases: Vec<Case> = PAIRINGS
        .map(|pairing| {
            let rule = stdp(pairing, Dependence::Multiplicative, coincidence);
            Case::pairs(rule, None)
        })
        .into();
    cases.push(Case::pairs(triplet(false, order, coincidence), None));
    cases.push(Case::pairs(inhibitory(order, coincidence), None));
    for case in cases {
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

/// One target fires far more often than its recent spikes are kept for, while a source is silent and another fired once, long ago.
#[test]
fn synapses_of_silent_sources_miss_nothing() {
    for delays in [DELAYS[0], DELAYS[1], DELAYS[3], DELAYS[5]] {
        let [short, .., long] = delays.lengths else {
            panic!("at least two delays");
        };
        let synapse = |source, delay: &i64| Synapse {
            source,
            target: 0,
            delay: *delay,
            weight: 0.5,
        };
        let network = Network {
            sources: vec![vec![], vec![40], vec![41, 1400], vec![1, 700, 1499]],
            targets: vec![(1..1500).filter(|t| t % 7 != 0).collect()],
            synapses: (0..4)
                .flat_map(|source| [synapse(source, short), synapse(source, long)])
                .collect(),
            delays,
            spacing: 1,
        };
        for pairing in PAIRINGS {
            let mut rule = stdp(pairing, Dependence::Additive, Coincidence::PreFirst);
            rule.tau_plus = 150.0;
            let course = reading([39, 60, 333, 1401, 1530]);
            let replayed = Case::pairs(rule.clone(), None).check(&network, &course, UNIT_MS);
            let [.., last] = &replayed.weights[..] else {
                panic!("read");
            };
            assert_eq!(last[0], 0.5, "nothing reaches the silent source's synapse");
            assert_ne!(last[2], 0.5);
        }
        let rule = inhibitory(SendOrder::ChangeThenSend, Coincidence::Ignored);
        let rule = InhibitoryStdp {
            tau: 300.0,
            eta: 1e-4,
            ..rule
        };
        Case::pairs(rule, None).check(&network, &reading([1530]), UNIT_MS);
    }
    assert!(matches!(DELAYS[1].dendritic, Dendritic::All));
}
