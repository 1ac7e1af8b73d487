//! Rows that reach all targets, or all but one: they are visited as a whole, and come to the same.

use crate::case::Case;
use crate::course::{Act, Course};
use crate::network::{
    DELAYS, Delays, Dice, FINE_MS, Network, Synapse, Time, UNIT_MS, build, run_to,
};
use crate::pairs::{ORDERS, PAIRINGS, conventions, inhibitory, stdp, triplet};
use neuropil::prelude::*;

/// A network of one delay in which most sources reach all targets, one misses the first of them, one the last, one another, and one reaches
/// few.
fn network(seed: u64, targets: usize, until: Time, delays: Delays) -> Network {
    let mut dice = Dice(seed);
    let mut trains = |neurons: usize, most: f64| -> Vec<Vec<Time>> {
        (0..neurons)
            .map(|_| {
                let rate = 0.02 + most * dice.unit();
                dice.train(until, rate)
            })
            .collect()
    };
    let (sources, targets) = (trains(8, 0.15), trains(targets, 0.3));
    let last = targets.len() - 1;
    let reaches = |source: usize, target: usize| match source {
        0 => target != 0,
        1 => target != last,
        2 => target != last / 2,
        3 => target.is_multiple_of(3),
        _ => true,
    };
    let mut synapses = Vec::new();
    for source in 0..sources.len() {
        for target in (0..targets.len()).filter(|target| reaches(source, *target)) {
            synapses.push(Synapse {
                source,
                target,
                delay: delays.lengths[1],
                weight: f64::from((0.1 + 0.8 * dice.unit()) as f32),
            });
        }
    }
    Network {
        sources,
        targets,
        synapses,
        delays,
        spacing: 1,
    }
}

/// Weights are read, learning stops and is resumed, and traces are reset.
fn course(until: Time) -> Course {
    vec![
        (30, Act::Read),
        (60, Act::Freeze(true)),
        (85, Act::Freeze(false)),
        (101, Act::Read),
        (140, Act::Reset),
        (141, Act::Read),
        (until + 30, Act::Read),
    ]
}

#[test]
fn whole_rows_are_their_replay() {
    let mut cases = 0;
    for delays in DELAYS {
        for coincidence in conventions(&delays) {
            for (order, dt) in ORDERS.into_iter().zip([UNIT_MS, FINE_MS]) {
                cases += 1;
                let network = network(cases, 12, 250, delays);
                assert!(network.coincidences() > 50);
                let rules = PAIRINGS.map(|pairing| Stdp {
                    order,
                    ..stdp(pairing, Dependence::Additive, coincidence)
                });
                for rule in rules {
                    Case::pairs(rule, None).check(&network, &course(250), dt);
                }
                for nearest in [false, true] {
                    let rule = triplet(nearest, order, coincidence);
                    Case::pairs(rule, None).check(&network, &course(250), dt);
                }
                let rule = inhibitory(order, coincidence);
                Case::pairs(rule, None).check(&network, &course(250), dt);
            }
        }
    }
}

/// Targets spike more often than their spikes are kept for, and lie in several blocks.
#[test]
fn whole_rows_in_several_blocks_are_their_replay() {
    let network = network(77, 150, 600, DELAYS[0]);
    let rule = stdp(
        Pairing::AllToAll,
        Dependence::Additive,
        Coincidence::Ignored,
    );
    let case = Case::pairs(rule, None);
    let course = course(600);
    case.check(&network, &course, UNIT_MS);
    let weights = |threads| {
        let mut simulation = build(&case.scene(&network, UNIT_MS), threads);
        run_to(&mut simulation, 630);
        simulation.weights("synapse").expect("weights")
    };
    let alone = weights(1);
    assert!(weights(2) == alone && weights(3) == alone);
}
