//! Laws that hold for any population.

use super::replay::{Case, PAIRINGS, Replay, population, trains};
use super::*;
use crate::sim::rng::{Purpose, Random};

/// Six afferent spikes bring the neuron to its threshold: the potential is the sum of their kernels until then, and the after-potential alone
/// from then on (figure 3 of the paper of 2008).
#[test]
fn six_spikes_sum_reach_the_threshold_and_are_dropped() {
    let p = SrmParameters {
        threshold: 4.5,
        ..Default::default()
    };
    let times = [1.0, 3.0, 3.0, 6.5, 7.0, 9.0];
    let frozen = Stdp {
        frozen: true,
        ..Default::default()
    };
    let synapses = AfferentSynapses::dense(6, 1, |_, _| 1.0);
    let mut population = SrmPopulation::new(p.clone(), frozen, synapses).unwrap();
    let sum = |t: f64| times.iter().map(|at| p.epsilon(t - at)).sum::<f64>();
    let mut spikes = vec![];
    let mut from = 0.0;
    for (afferent, &time_ms) in (0u32..).zip(&times) {
        population.advance(from, time_ms, &[Arrival { time_ms, afferent }], &mut spikes);
        let at = time_ms + 0.1;
        let known: f64 = times[..=afferent as usize]
            .iter()
            .map(|t| p.epsilon(at - t))
            .sum();
        assert!((population.potential(0, at).unwrap() - known).abs() < 1e-12);
        from = time_ms;
    }
    assert!(spikes.is_empty());
    population.advance(from, 40.0, &[], &mut spikes);
    let &[(spike, 0)] = &spikes[..] else {
        panic!("{spikes:?}")
    };
    assert!(spike > 9.0 && (sum(spike) - 4.5).abs() < 1e-11 && sum(spike - 1e-6) < 4.5);
    for s in [0.0, 0.5, 3.0, 20.0] {
        let after = population.potential(0, spike + s).unwrap();
        assert!((after - p.eta(s)).abs() < 1e-12, "{s}: {after}");
    }
    population.weights_mut()[0] = 0.25;
    let late = Arrival {
        time_ms: 41.0,
        afferent: 0,
    };
    population.advance(40.0, 41.0, &[late], &mut spikes);
    let want = p.eta(43.0 - spike) + 0.25 * p.epsilon(2.0);
    assert!((population.potential(0, 43.0).unwrap() - want).abs() < 1e-12);
}

/// A population that has everything: competition of both kinds, plasticity, drive, clamps.
fn busy(dense: bool) -> (SrmPopulation, Vec<Arrival>) {
    let mut draws = Random::new(8, 2, Purpose::Test).draws(0);
    let case = Case {
        neurons: 6,
        afferents: 50,
        density: if dense { 1.0 } else { 0.5 },
        rate_hz: 60.0,
        alpha: 0.1,
        t_ref: 1.0,
        drive: 1.0,
        pairing: Pairing::AllToAll,
    };
    let (mut population, _) = population(&case, &mut draws);
    population.set_winners(Some(
        Winners::new(3, 20.0, TieBreak::Random { seed: 4 }).unwrap(),
    ));
    population.silence(5, true).unwrap();
    for time in [100.0, 30.0, 55.5] {
        population.force_spike(5, time).unwrap();
    }
    (population, trains(&mut draws, 50, 60.0, 400.0))
}

fn between(arrivals: &[Arrival], from: f64, to: f64) -> &[Arrival] {
    let place = |t: f64| arrivals.partition_point(|a| a.time_ms < t);
    &arrivals[place(from)..place(to)]
}

#[test]
fn cutting_time_into_calls_changes_not_a_bit() {
    for dense in [true, false] {
        let (mut whole, arrivals) = busy(dense);
        let (mut cut, _) = busy(dense);
        let (mut a, mut b) = (vec![], vec![]);
        whole.advance(0.0, 400.0, &arrivals, &mut a);
        let mut t: f64 = 0.0;
        for i in 0.. {
            let next = (t + [0.013, 0.25, 1.7, 0.0, 11.0][i % 5]).min(400.0);
            cut.advance(t, next, between(&arrivals, t, next), &mut b);
            t = next;
            if t == 400.0 {
                break;
            }
        }
        assert!(a.len() > 50, "{}", a.len());
        assert_eq!(a, b);
        assert_eq!(whole.state(), cut.state());
        assert_eq!(whole.synapses().weights(), cut.synapses().weights());
    }
}

#[test]
fn a_restored_population_goes_on_bit_for_bit() {
    for dense in [true, false] {
        let (mut whole, arrivals) = busy(dense);
        let mut spikes = vec![];
        whole.advance(0.0, 123.4, between(&arrivals, 0.0, 123.4), &mut spikes);
        let (mut restored, _) = busy(dense);
        restored.set_state(whole.state().clone()).unwrap();
        restored.set_weights(whole.synapses().weights()).unwrap();
        let mut winners = restored.winners().unwrap().clone();
        let (window, won) = whole.winners().unwrap().current();
        winners.resume(window, won);
        restored.set_winners(Some(winners));
        let rest = between(&arrivals, 123.4, 400.0);
        let (mut a, mut b) = (vec![], vec![]);
        whole.advance(123.4, 400.0, rest, &mut a);
        restored.advance(123.4, 400.0, rest, &mut b);
        assert!(a.len() > 30);
        assert_eq!(a, b);
        assert_eq!(whole.state(), restored.state());
    }
}

#[test]
fn a_state_of_another_population_is_refused() {
    let (mut population, _) = busy(true);
    let good = population.state().clone();
    let mut refused = |change: fn(&mut SrmState)| {
        let mut state = good.clone();
        change(&mut state);
        population.set_state(state).is_err()
    };
    assert!(!refused(|_| ()));
    assert!(refused(|s| s.slow.push(0.0)));
    assert!(refused(|s| s.armed.clear()));
    assert!(refused(|s| s.fast[1] = f64::NAN));
    assert!(refused(|s| s.last_arrival_ms[0] = f64::INFINITY));
    assert!(refused(|s| s.forced.push((500.0, 6))));
    assert!(refused(|s| s.forced.push((-1.0, 0))));
}

/// Two neurons with the same synapses reach the threshold at the same instant, and inhibit each other so strongly that a moment later the
/// second would not.
fn twins(winners: Option<Winners>) -> Vec<(f64, u32)> {
    let p = SrmParameters {
        threshold: 5.0,
        alpha: 5.0,
        ..Default::default()
    };
    let synapses = AfferentSynapses::dense(1, 2, |_, _| 1.0);
    let mut population = SrmPopulation::new(p, Stdp::default(), synapses).unwrap();
    population.weights_mut().fill(12.0);
    population.set_winners(winners);
    let mut spikes = vec![];
    let arrivals = [Arrival::default()];
    population.advance(0.0, 5.0, &arrivals, &mut spikes);
    spikes
}

#[test]
fn simultaneous_spikes_come_by_index_or_in_the_order_of_the_winners() {
    let spikes = twins(None);
    assert_eq!(spikes.len(), 2);
    assert!(spikes[0].1 == 0 && spikes[1] == (spikes[0].0, 1));
    let winners = |tie| Some(Winners::new(1, 5.0, tie).unwrap());
    assert_eq!(twins(winners(TieBreak::Index)), spikes[..1]);
    let first = |seed| {
        let spikes = twins(winners(TieBreak::Random { seed }));
        assert_eq!(spikes.len(), 1);
        spikes[0].1
    };
    let ones: u32 = (0..40).map(first).sum();
    assert!((8..=32).contains(&ones), "{ones} of 40");
}

#[test]
fn drive_makes_the_intervals_of_the_closed_form() {
    let synapses = AfferentSynapses::dense(1, 1, |_, _| 0.0);
    for t_ref in [0.0, 1.0] {
        let p = SrmParameters {
            t_ref,
            ..Default::default()
        };
        let mut population =
            SrmPopulation::new(p.clone(), Stdp::default(), synapses.clone()).unwrap();
        population.set_drive(0, 600.0).unwrap();
        let mut spikes = vec![];
        population.advance(0.0, 1000.0, &[], &mut spikes);
        // From rest 600 (1 − e^{−t/10}) = 500.
        assert!((spikes[0].0 - 10.0 * libm::log(6.0)).abs() < 1e-10);
        let interval = spikes[1].0 - spikes[0].0;
        let u = p.eta(interval) + 600.0 * (1.0 - libm::exp(-interval / 10.0));
        assert!((u - 500.0).abs() < 1e-8 && interval > 1.0, "{interval} {u}");
        assert!(
            spikes
                .windows(2)
                .all(|w| (w[1].0 - w[0].0 - interval).abs() < 1e-9)
        );
        assert!(spikes.len() > 20);
        population.set_drive(0, 499.0).unwrap();
        let before = spikes.len();
        population.advance(1000.0, 3000.0, &[], &mut spikes);
        assert!(spikes.len() <= before + 1);
    }
}

#[test]
fn silenced_neurons_spike_only_when_forced() {
    let synapses = AfferentSynapses::dense(1, 2, |_, _| 0.0);
    let mut population =
        SrmPopulation::new(SrmParameters::default(), Stdp::default(), synapses).unwrap();
    for n in 0..2 {
        population.set_drive(n, 900.0).unwrap();
    }
    population.silence(0, true).unwrap();
    population.force_spike(0, 50.0).unwrap();
    population.force_spike(0, 50.5).unwrap();
    let mut spikes = vec![];
    population.advance(0.0, 100.0, &[], &mut spikes);
    let own: Vec<_> = spikes.iter().filter(|s| s.1 == 0).map(|s| s.0).collect();
    assert_eq!(own, [50.0, 50.5]);
    assert!(spikes.iter().filter(|s| s.1 == 1).count() > 3);
    // It is far above the threshold when it is let go, and fires at once.
    population.silence(0, false).unwrap();
    spikes.clear();
    population.advance(100.0, 300.0, &[], &mut spikes);
    assert_eq!(spikes.iter().find(|s| s.1 == 0), Some(&(100.0, 0)));
    assert!(spikes.iter().filter(|s| s.1 == 0).count() > 3);
    assert!(population.force_spike(0, 299.0).is_err() && population.silence(2, true).is_err());
    assert!(
        population.force_spike(2, 400.0).is_err() && population.set_drive(0, f64::NAN).is_err()
    );
}

#[test]
fn a_new_neuron_does_not_disturb_the_old_ones() {
    let mut draws = Random::new(31, 1, Purpose::Test).draws(0);
    let case = Case {
        neurons: 2,
        afferents: 30,
        density: 1.0,
        rate_hz: 70.0,
        alpha: 0.0,
        t_ref: 1.0,
        drive: 0.0,
        pairing: Pairing::ReducedNearest,
    };
    let (mut alone, _) = population(&case, &mut draws);
    let arrivals = trains(&mut draws, 30, 70.0, 300.0);
    for full in [true, false] {
        let mut joined = alone.clone();
        let (mut a, mut b) = (vec![], vec![]);
        let mut reference = alone.clone();
        reference.advance(0.0, 300.0, &arrivals, &mut a);
        joined.advance(0.0, 100.0, between(&arrivals, 0.0, 100.0), &mut b);
        let step = if full { 1 } else { 2 };
        let incoming: Vec<_> = (0..30).step_by(step).map(|a| (a, 0.9)).collect();
        assert_eq!(joined.add_neuron(&incoming), Ok(2));
        assert_eq!(joined.synapses().is_dense(), full);
        joined.advance(100.0, 300.0, between(&arrivals, 100.0, 300.0), &mut b);
        assert!(b.iter().any(|s| s.1 == 2));
        b.retain(|s| s.1 != 2);
        assert_eq!(a.len(), b.len());
        assert!(
            a.iter()
                .zip(&b)
                .all(|(a, b)| a.1 == b.1 && (a.0 - b.0).abs() < 1e-9)
        );
    }
    assert!(alone.add_neuron(&[(30, 0.5)]).is_err());
    assert_eq!(alone.synapses().neurons(), 2);
}

/// Forced spikes at times shared with afferents' spikes: every pairing against sums over the lists of spikes.
#[test]
fn pairings_agree_with_sums_over_spike_lists_at_coincident_times() {
    for pairing in PAIRINGS {
        let mut draws = Random::new(40, 1, Purpose::Test).draws(pairing as u64);
        let rule = Stdp {
            pairing,
            ..Default::default()
        };
        let p = SrmParameters::default();
        let synapses = AfferentSynapses::dense(10, 1, |_, _| 0.5);
        let mut replay = Replay::new(&p, &rule, vec![vec![Some(0.5)]; 10], &[0.0]);
        let mut population = SrmPopulation::new(p, rule, synapses).unwrap();
        population.silence(0, true).unwrap();
        let mut coincident = 0;
        // Neuron first at equal times.
        let mut events: Vec<(u32, u32)> = (0..400)
            .map(|_| (draws.below(800), draws.below(14)))
            .collect();
        events.sort_by_key(|&(at, who)| (at, if who >= 10 { -1 } else { who as i32 }));
        events.dedup();
        let mut arrivals = vec![];
        for &(at, who) in &events {
            let t = f64::from(at);
            if who >= 10 {
                population.force_spike(0, t).unwrap();
                replay.fire(0, t);
            } else {
                coincident += u32::from(replay.last(0) == t);
                arrivals.push(Arrival {
                    time_ms: t,
                    afferent: who,
                });
                replay.arrive(who as usize, t);
            }
        }
        let mut spikes = vec![];
        population.advance(0.0, 1000.0, &arrivals, &mut spikes);
        assert!(
            spikes.len() > 80 && coincident > 10,
            "{} {coincident}",
            spikes.len()
        );
        let weights: Vec<f32> = replay.weights.iter().map(|w| w[0].unwrap()).collect();
        for (weight, want) in population.synapses().weights().iter().zip(&weights) {
            assert!((weight - want).abs() < 1e-6, "{pairing:?}: {weight} {want}");
        }
    }
}

#[test]
fn frozen_weights_stay_and_learning_resumes_with_the_spikes_remembered() {
    let mut population = SrmPopulation::new(
        SrmParameters::default(),
        Stdp {
            frozen: true,
            ..Default::default()
        },
        AfferentSynapses::dense(2, 1, |_, _| 0.5),
    )
    .unwrap();
    let arrival = |time_ms, afferent| Arrival { time_ms, afferent };
    let mut spikes = vec![];
    population.force_spike(0, 2.0).unwrap();
    population.advance(0.0, 3.0, &[arrival(1.0, 0), arrival(3.0, 0)], &mut spikes);
    assert_eq!(population.synapses().weights(), [0.5, 0.5]);
    population.set_stdp(Stdp::default()).unwrap();
    population.force_spike(0, 5.0).unwrap();
    population.advance(3.0, 6.0, &[arrival(6.0, 1)], &mut spikes);
    let plus = 0.5 + 0.031_25 * libm::exp(-2.0 / 16.8);
    let minus = 0.5 - 0.85 * 0.031_25 * libm::exp(-1.0 / 33.7);
    let weights = population.synapses().weights();
    assert!((f64::from(weights[0]) - plus).abs() < 1e-7);
    assert!((f64::from(weights[1]) - minus).abs() < 1e-7);
}
