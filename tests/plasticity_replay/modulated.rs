//! Rules with a third factor.

use crate::case::Case;
use crate::course::reading;
use crate::network::{DELAYS, Delays, Dice, FINE_MS, Network, UNIT_MS, run_to};
use crate::pairs::{ORDERS, conventions};
use crate::third_factor::Signal;
use neuropil::prelude::*;

/// Dopamine that spikes release and rewards, of either sign, add to or take away.
pub fn pool(seed: u64, until: i64) -> Signal {
    let mut dice = Dice(seed);
    Signal {
        tau_ms: Some(30.0),
        initial: 0.4,
        baseline: 0.3,
        spikes: dice.train(until, 0.03),
        release: (0.5, 3),
        rewards: rewards(&mut dice, until, 0.02),
    }
}

/// Rewards of either sign.
fn rewards(dice: &mut Dice, until: i64, probability: f64) -> Vec<(i64, f64)> {
    let times = dice.train(until, probability);
    times
        .into_iter()
        .map(|time| (time, 2.0 * dice.unit() - 0.8))
        .collect()
}

/// Rewards as impulses, the first of them together with many spikes.
pub fn impulses(seed: u64, until: i64) -> Signal {
    Signal {
        rewards: rewards(&mut Dice(seed), until, 0.2),
        ..Signal::default()
    }
}

/// A rule whose weights do not come to their bounds.
pub fn dopamine(order: SendOrder, coincidence: Coincidence) -> DopamineStdp {
    DopamineStdp {
        a_plus: 0.02,
        a_minus: 0.024,
        tau_plus: 12.0,
        tau_minus: 17.0,
        tau_c: 60.0,
        gain: 0.01,
        w_min: -20.0,
        w_max: 20.0,
        order,
        coincidence,
        ..default()
    }
}

pub fn mstdp(order: SendOrder, coincidence: Coincidence) -> Mstdp {
    Mstdp {
        gamma: 0.01,
        a_minus: 1.1,
        tau_plus: 12.0,
        order,
        coincidence,
        ..default()
    }
}

pub fn mstdpet(order: SendOrder, coincidence: Coincidence) -> Mstdpet {
    Mstdpet {
        gamma: 0.02,
        a_minus: 1.1,
        tau_plus: 12.0,
        order,
        coincidence,
        ..default()
    }
}

/// Times at which rewards are due are among those of the readings.
const READ: [i64; 6] = [30, 101, 102, 150, 151, 290];

fn every_convention(check: impl Fn(u64, &Network, &Delays, SendOrder, Coincidence, f64)) {
    let mut cases = 0;
    for delays in DELAYS {
        for coincidence in conventions(&delays) {
            cases += 1;
            let network = Network::random(500 + cases, 250, delays);
            assert!(network.coincidences() > 50);
            for (order, dt) in ORDERS.into_iter().zip([UNIT_MS, FINE_MS]) {
                check(cases, &network, &delays, order, coincidence, dt);
            }
        }
    }
}

#[test]
fn dopamine_stdp_is_its_replay() {
    every_convention(|seed, network, _, order, coincidence, dt| {
        let case = Case::modulated(dopamine(order, coincidence), "dopamine", pool(seed, 250));
        case.check(network, &reading(READ), dt);
        let signal = impulses(seed, 250);
        let case = Case::modulated(dopamine(order, coincidence), "dopamine", signal);
        case.check(network, &reading(READ), dt);
    });
}

#[test]
fn mstdp_is_its_replay() {
    every_convention(|seed, network, _, order, coincidence, dt| {
        let mut signal = impulses(seed, 250);
        signal.rewards.extend([(30, 0.7), (151, -0.4), (151, 0.9)]);
        let case = Case::modulated(mstdp(order, coincidence), "reward", signal);
        case.check(network, &reading(READ), dt);
        let case = Case::modulated(mstdp(order, coincidence), "reward", pool(seed, 250));
        case.check(network, &reading(READ), dt);
    });
}

#[test]
fn mstdpet_is_its_replay() {
    every_convention(|seed, network, _, order, coincidence, dt| {
        let mut signal = impulses(seed, 250);
        signal.rewards.extend([(30, 0.7), (151, -0.4), (151, 0.9)]);
        let case = Case::modulated(mstdpet(order, coincidence), "reward", signal);
        case.check(network, &reading(READ), dt);
        let case = Case::modulated(mstdpet(order, coincidence), "reward", pool(seed, 250));
        case.check(network, &reading(READ), dt);
    });
}

/// Dopamine only ever above its baseline moves a weight one way from spike to spike, so that it does not matter when bounds are applied.
#[test]
fn modulated_weights_stay_within_their_bounds() {
    let mut reached = [false; 2];
    for (seed, delays) in (0..).zip(DELAYS) {
        let network = Network::random(600 + seed, 250, delays);
        let mut rule = dopamine(SendOrder::ChangeThenSend, Coincidence::Ignored);
        (rule.w_min, rule.w_max, rule.gain) = (0.0, 1.0, 0.5);
        let mut signal = pool(seed, 250);
        (signal.baseline, signal.rewards) = (0.0, Vec::new());
        let case = Case::modulated(rule, "dopamine", signal);
        let replayed = case.check(&network, &reading([60, 150, 290]), UNIT_MS);
        let all = || replayed.weights.iter().flatten();
        reached[0] |= all().any(|w| *w == 0.0);
        reached[1] |= all().any(|w| *w == 1.0);
    }
    assert_eq!(reached, [true; 2]);
}

/// More steps than the action of a modulator is summed over at a time, several times over, with long silences.
#[test]
fn epochs_leave_no_mark() {
    let mut dice = Dice(7);
    for delays in [DELAYS[0], DELAYS[2]] {
        let until = 12_000;
        let network = Network::with_silences(700, until, delays, &mut dice);
        let course = reading([250, 1279, 1280, 1281, 3276, 3277, 9000, 12_050]);
        let signal = pool(8, until);
        let case = Case::modulated(
            dopamine(SendOrder::ChangeThenSend, Coincidence::PreFirst),
            "dopamine",
            signal.clone(),
        );
        case.check(&network, &course, FINE_MS);
        let slow = DopamineStdp {
            tau_c: 1000.0,
            gain: 0.001,
            ..dopamine(SendOrder::ChangeThenSend, Coincidence::PreFirst)
        };
        let case = Case::modulated(slow, "dopamine", signal);
        case.check(&network, &course, FINE_MS);
        let (order, coincidence) = (SendOrder::ChangeThenSend, Coincidence::Ignored);
        let rewards = impulses(9, until);
        let case = Case::modulated(mstdp(order, coincidence), "reward", rewards.clone());
        case.check(&network, &course, FINE_MS);
        let case = Case::modulated(mstdpet(order, coincidence), "reward", rewards);
        case.check(&network, &course, FINE_MS);
    }
}

#[test]
fn the_step_does_not_matter() {
    let network = Network::random(800, 250, DELAYS[3]);
    let (order, coincidence) = (SendOrder::ChangeThenSend, Coincidence::PreFirst);
    for case in [
        Case::modulated(dopamine(order, coincidence), "dopamine", pool(1, 250)),
        Case::modulated(mstdpet(order, coincidence), "reward", pool(2, 250)),
        Case::modulated(mstdp(order, coincidence), "reward", impulses(3, 250)),
        Case::modulated(mstdp(order, coincidence), "reward", pool(4, 250)),
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
