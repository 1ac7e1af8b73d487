//! Reading and steering in a run: what is read changes nothing, what is done acts from then on.

use crate::case::Case;
use crate::course::{Act, Course, read, reading, run};
use crate::modulated::{dopamine, impulses, mstdp, mstdpet, pool};
use crate::network::{DELAYS, FINE_MS, Network, Synapse, UNIT_MS, build, probed_currents, run_to};
use crate::pairs::{ORDERS, PAIRINGS, conventions, stdp};
use neuropil::prelude::*;

/// Every kind of rule once.
fn rules(seed: u64, order: SendOrder, coincidence: Coincidence) -> Vec<Case> {
    let dynamics = TsodyksMarkram {
        tau_rec: 60.0,
        ..default()
    };
    let mut cases: Vec<Case> = PAIRINGS
        .map(|pairing| {
            let rule = stdp(pairing, Dependence::Multiplicative, coincidence);
            Case::pairs(Stdp { order, ..rule }, Some(dynamics.clone()))
        })
        .into();
    let rule = stdp(Pairing::AllToAll, Dependence::Additive, coincidence);
    cases.push(Case::pairs(Stdp { order, ..rule }, None));
    let triplet = TripletStdp {
        order,
        coincidence,
        ..default()
    };
    cases.push(Case::pairs(triplet, None));
    let inhibitory = InhibitoryStdp {
        eta: 0.01,
        rate_hz: 40.0,
        order,
        coincidence,
        ..default()
    };
    cases.push(Case::pairs(inhibitory, None));
    cases.push(Case::modulated(
        dopamine(order, coincidence),
        "dopamine",
        pool(seed, 250),
    ));
    cases.push(Case::modulated(
        mstdp(order, coincidence),
        "reward",
        impulses(seed, 250),
    ));
    cases.push(Case::modulated(
        mstdpet(order, coincidence),
        "reward",
        pool(seed, 250),
    ));
    cases
}

/// Checks every rule, with every kind of delay, over a course.
fn every_rule(seed: u64, course: impl Fn(&Network) -> Course) {
    let mut cases = 0;
    for delays in DELAYS {
        for coincidence in conventions(&delays) {
            cases += 1;
            let network = Network::random(seed + cases, 250, delays);
            assert!(network.coincidences() > 50);
            let order = ORDERS[cases as usize % 2];
            let dt = [UNIT_MS, FINE_MS, UNIT_MS][cases as usize % 3];
            for case in rules(cases, order, coincidence) {
                case.check(&network, &course(&network), dt);
            }
        }
    }
}

#[test]
fn frozen_weights_stay_and_traces_go_on() {
    every_rule(1000, |_| {
        vec![
            (50, Act::Freeze(true)),
            (60, Act::Read),
            (90, Act::Read),
            (90, Act::Freeze(false)),
            (93, Act::Read),
            (200, Act::Freeze(true)),
            (201, Act::Freeze(false)),
            (290, Act::Read),
        ]
    });
}

#[test]
fn forgotten_spikes_are_not_learnt_from() {
    every_rule(1100, |_| {
        vec![
            (60, Act::Read),
            (80, Act::Reset),
            (81, Act::Read),
            (130, Act::Read),
            (140, Act::Reset),
            (144, Act::Reset),
            (290, Act::Read),
        ]
    });
}

#[test]
fn restricted_changes_count_in_part() {
    every_rule(1200, |network| {
        let parts = [0.25, 0.0, 1.0, 0.5, 0.75, 0.125, 0.0, 1.0];
        vec![
            (50, Act::Restrict(parts[..network.targets.len()].to_vec())),
            (60, Act::Read),
            (120, Act::Freeze(true)),
            (130, Act::Freeze(false)),
            (200, Act::Read),
            (210, Act::Restrict(Vec::new())),
            (290, Act::Read),
        ]
    });
}

#[test]
fn reading_changes_nothing() {
    for delays in DELAYS {
        let network = Network::random(1300, 250, delays);
        for case in rules(1, SendOrder::ChangeThenSend, Coincidence::PreFirst) {
            let outcome = |course: &Course| {
                let mut scene = case.scene(&network, UNIT_MS);
                network.probe_currents(&mut scene);
                let mut simulation = network.simulate(&scene);
                let last = run(&mut simulation, course).pop();
                (last, probed_currents(&mut simulation))
            };
            assert_eq!(outcome(&reading([290])), outcome(&reading(0..=290)));
        }
    }
}

/// Bits do not depend on the number of threads: of weights, tags and spikes.
#[test]
fn lanes_do_not_matter() {
    let mut network = Network::random(1400, 250, DELAYS[2]);
    network.spacing = 60;
    network.targets.resize(8, vec![20, 40, 41, 90]);
    network.synapses.extend((0..8).map(|target| Synapse {
        source: 0,
        target,
        delay: 7,
        weight: 0.5,
    }));
    network
        .synapses
        .sort_by_key(|s| (s.source, s.delay, s.target));
    for case in rules(2, SendOrder::ChangeThenSend, Coincidence::Ignored) {
        let scene = case.scene(&network, UNIT_MS);
        let outcome = |threads: usize| {
            let mut simulation = build(&scene, threads);
            let mut readings = Vec::new();
            for time in [90, 250, 290] {
                run_to(&mut simulation, time);
                let all = read(&mut simulation);
                readings.push((all.weights, all.tags));
            }
            (readings, simulation.spike_count().hash)
        };
        let alone = outcome(1);
        assert_ne!(alone.0[0], alone.0[2]);
        assert_eq!(alone, outcome(2), "two threads, {}", case.name);
        assert_eq!(alone, outcome(7), "seven threads, {}", case.name);
    }
}
