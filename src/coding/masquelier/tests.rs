//! The statistics of the stimulus.

use super::*;

fn stream(change: impl FnOnce(&mut MasquelierStimulus)) -> SlotStream {
    let mut stimulus = MasquelierStimulus::default();
    change(&mut stimulus);
    SlotStream::new(&stimulus).unwrap()
}

fn run(stream: &mut SlotStream, slots: usize, mut each: impl FnMut(Slot, &[Arrival])) {
    let mut arrivals = vec![];
    for _ in 0..slots {
        let slot = stream.next_slot(&mut arrivals);
        each(slot, &arrivals);
    }
}

#[test]
fn spikes_are_in_order_within_their_slots_and_slots_follow_each_other() {
    let mut stream = stream(|s| s.jitter_ms = 4.0);
    let mut end = 0.0;
    run(&mut stream, 200, |slot, arrivals| {
        assert_eq!(slot.start_ms, end);
        end = slot.end_ms;
        let inside = |a: &Arrival| a.time_ms >= slot.start_ms && a.time_ms < slot.end_ms;
        assert!(arrivals.iter().all(|a| inside(a) && a.afferent < 2000));
        let ordered =
            |w: &[Arrival]| (w[0].time_ms, w[0].afferent) <= (w[1].time_ms, w[1].afferent);
        assert!(arrivals.windows(2).all(ordered));
    });
    assert_eq!(end, 10_000.0);
}

/// 54 Hz and 10 Hz of noise, for each afferent and in slots with and without pattern alike.
#[test]
fn rates_are_those_of_the_paper_and_betray_no_pattern() {
    let mut stream = stream(|s| s.repeat_slots = 0);
    let mut counts = vec![0u32; 2000];
    let mut by_kind = [(0u32, 0u32); 2];
    run(&mut stream, 3000, |slot, arrivals| {
        for arrival in arrivals {
            counts[arrival.afferent as usize] += 1;
        }
        let kind = &mut by_kind[usize::from(slot.pattern.is_some())];
        *kind = (kind.0 + 1, kind.1 + arrivals.len() as u32);
    });
    let seconds = 150.0;
    let mean = f64::from(counts.iter().sum::<u32>()) / 2000.0 / seconds;
    assert!((mean - 64.0).abs() < 1.0, "{mean} Hz");
    let [plain, pasted] = by_kind.map(|(slots, n)| f64::from(n) / f64::from(slots) / 100.0);
    // A pattern is one sample: 1000 afferents with 2.7 spikes each, of a standard deviation below that of a Poisson number.
    assert!(
        (pasted / plain - 1.0).abs() < 0.03,
        "{plain} Hz, {pasted} Hz"
    );
    // Involved afferents repeat their own slot in a quarter of the time: they scatter, by 5 Hz for each spike in it.
    let rates = counts.iter().map(|&n| f64::from(n) / seconds);
    let (least, most) = rates.fold((1e9f64, 0.0f64), |(a, b), r| (a.min(r), b.max(r)));
    assert!(least > 45.0 && most < 125.0, "{least} to {most} Hz");
}

#[test]
fn no_afferent_is_silent_for_longer_than_the_longest_interval() {
    let mut stream = stream(|s| {
        s.noise_hz = 0.0;
        s.patterns = 0;
    });
    let mut last = vec![0.0; 2000];
    let (mut longest, mut forced, mut all) = (0.0f64, 0u32, 0u32);
    run(&mut stream, 200, |_, arrivals| {
        for a in arrivals {
            let interval = a.time_ms - last[a.afferent as usize];
            longest = longest.max(interval);
            forced += u32::from(interval > 49.0);
            all += 1;
            last[a.afferent as usize] = a.time_ms;
        }
    });
    assert!(longest > 49.5 && longest <= 51.0, "{longest} ms");
    assert!(forced > all / 50 && forced < all / 5, "{forced} of {all}");
}

#[test]
fn patterns_take_their_share_of_slots_and_never_two_in_a_row() {
    for (frequency, patterns, repeat_slots) in [
        (0.05, 1, 0),
        (0.25, 1, 0),
        (0.25, 1, 777),
        (1.0 / 3.0, 3, 0),
        (0.5, 1, 0),
    ] {
        let mut stream = stream(|s| {
            s.afferents = 64;
            s.frequency = frequency;
            s.patterns = patterns;
            s.repeat_slots = repeat_slots;
        });
        let mut seen = vec![0u32; patterns as usize];
        let mut before = None;
        run(&mut stream, 20_000, |slot, _| {
            assert!(slot.pattern.is_none() || before.is_none());
            before = slot.pattern;
            if let Some(pattern) = slot.pattern {
                seen[pattern as usize] += 1;
            }
        });
        let share = f64::from(seen.iter().sum::<u32>()) / 20_000.0;
        // Repetition leaves 777 independent slots: three deviations are 0.04.
        let slack = if repeat_slots > 0 { 0.04 } else { 0.01 };
        assert!((share - frequency).abs() < slack, "{share} of {frequency}");
        let even = f64::from(seen[0]) * f64::from(patterns) / (share * 20_000.0);
        assert!((even - 1.0).abs() < 0.06, "{seen:?}");
    }
}

/// The residual of the nearest spike to each of the pattern's, for afferents that spike once in it.
fn residuals(stream: &mut SlotStream, slots: usize) -> (Vec<f64>, f64) {
    let pattern = stream.pattern(0);
    let mut single = vec![None; 2000];
    for spike in &pattern {
        let time = &mut single[spike.afferent as usize];
        *time = if time.is_none() {
            Some(spike.time_ms)
        } else {
            Some(f64::NAN)
        };
    }
    // Jitter must not carry a spike out of the slot, not by six deviations.
    let far = 6.0 * stream.stimulus().jitter_ms;
    let single: Vec<_> = single
        .iter()
        .map(|t| t.filter(|t| *t > far && *t < 50.0 - far))
        .collect();
    let (mut found, mut presentations, mut spikes) = (vec![], 0u32, 0u32);
    run(stream, slots, |slot, arrivals| {
        if slot.pattern.is_some() {
            presentations += 1;
            for a in arrivals {
                if let Some(time) = single[a.afferent as usize] {
                    found.push(a.time_ms - slot.start_ms - time);
                    spikes += 1;
                }
            }
        }
    });
    let expected = f64::from(presentations) * single.iter().flatten().count() as f64;
    (found, f64::from(spikes) / expected)
}

#[test]
fn jitter_is_normal_with_its_standard_deviation() {
    for jitter in [0.5, 1.0, 3.0] {
        let mut stream = stream(|s| {
            s.noise_hz = 0.0;
            s.jitter_ms = jitter;
        });
        let (x, share) = residuals(&mut stream, 2000);
        assert_eq!(share, 1.0);
        let n = x.len() as f64;
        let mean = x.iter().sum::<f64>() / n;
        let deviation = (x.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / n).sqrt();
        assert!(n > 20_000.0);
        assert!(mean.abs() < 5.0 * jitter / n.sqrt(), "{mean}");
        assert!(
            (deviation / jitter - 1.0).abs() < 5.0 / (2.0 * n).sqrt(),
            "{deviation}"
        );
        let beyond = x.iter().filter(|v| v.abs() > 2.0 * jitter).count() as f64 / n;
        assert!((beyond - 0.0455).abs() < 0.006, "{beyond}");
    }
}

#[test]
fn a_pattern_without_jitter_is_the_same_each_time() {
    let mut stream = stream(|s| {
        s.noise_hz = 0.0;
        s.jitter_ms = 0.0;
    });
    let pattern = stream.pattern(0);
    assert!(
        pattern.len() > 2500 && pattern.len() < 2900,
        "{}",
        pattern.len()
    );
    run(&mut stream, 100, |slot, arrivals| {
        let involved: Vec<_> = arrivals.iter().filter(|a| a.afferent < 1000).collect();
        let same = involved.len() == pattern.len()
            && involved.iter().zip(&pattern).all(|(a, b)| {
                a.afferent == b.afferent && (a.time_ms - slot.start_ms - b.time_ms).abs() < 1e-9
            });
        assert_eq!(same, slot.pattern.is_some());
    });
}

#[test]
fn deletion_replaces_its_share_of_spikes_and_keeps_their_number() {
    let mut stream = stream(|s| {
        s.noise_hz = 0.0;
        s.jitter_ms = 0.0;
        s.deletion = 0.3;
    });
    let (x, share) = residuals(&mut stream, 2000);
    assert_eq!(share, 1.0);
    let kept = x.iter().filter(|v| v.abs() < 1e-9).count() as f64 / x.len() as f64;
    assert!((kept - 0.7).abs() < 0.01, "{kept}");
}

#[test]
fn several_patterns_involve_afferents_of_their_own() {
    let stream = stream(|s| {
        s.patterns = 3;
        s.frequency = 1.0 / 3.0;
    });
    let sets: Vec<Vec<u32>> = (0..3).map(|p| stream.involved(p)).collect();
    for set in &sets {
        assert!(set.len().abs_diff(1000) < 112, "{}", set.len());
    }
    let shared = sets[0].iter().filter(|a| sets[1].contains(a)).count();
    assert!(shared.abs_diff(500) < 100, "{shared}");
    assert!(stream.involved(3).is_empty() && stream.pattern(3).is_empty());
}

#[test]
fn a_later_pattern_waits_for_its_slot_and_leaves_the_others_as_they_are() {
    for repeat_slots in [0, 500] {
        let mut early = stream(|s| {
            s.patterns = 3;
            s.frequency = 0.4;
            s.repeat_slots = repeat_slots;
        });
        let mut late = stream(|s| {
            s.clone_from(early.stimulus());
            s.starts = vec![0, 1000];
        });
        // The third pattern is drawn in the same slots and taken from the same.
        assert_eq!(early.pattern(2), late.pattern(2));
        assert!(late.pattern(1).len() > 2000);
        let mut shown = vec![];
        run(&mut early, 2000, |slot, _| shown.push(slot.pattern));
        let (mut waited, mut came) = (0, 0);
        for (i, drawn) in shown.into_iter().enumerate() {
            let waits = drawn == Some(1) && i < 1000;
            let mut arrivals = vec![];
            let slot = late.next_slot(&mut arrivals);
            assert_eq!(slot.pattern, drawn.filter(|_| !waits));
            (waited, came) = (
                waited + u32::from(waits),
                came + u32::from(slot.pattern == Some(1)),
            );
        }
        assert!(waited > 80 && came > 80, "{waited} {came}");
    }
}

/// Without jitter and noise, the slot that a pattern was taken from is the first that shows it.
#[test]
fn a_later_pattern_is_new_when_it_comes() {
    let mut stream = stream(|s| {
        s.jitter_ms = 0.0;
        s.noise_hz = 0.0;
        s.repeat_slots = 0;
        s.starts = vec![300];
    });
    let pattern = stream.pattern(0);
    let spikes = |arrivals: &[Arrival], start: f64| -> Vec<(u32, i64)> {
        let involved = arrivals.iter().filter(|a| a.afferent < 1000);
        involved
            .map(|a| (a.afferent, ((a.time_ms - start) * 1e6).round() as i64))
            .collect()
    };
    let wanted = spikes(&pattern, 0.0);
    let mut shown = vec![];
    run(&mut stream, 400, |slot, arrivals| {
        assert_eq!(
            slot.pattern.is_some(),
            spikes(arrivals, slot.start_ms) == wanted
        );
        if slot.pattern.is_some() {
            shown.push(slot.start_ms);
        }
    });
    assert!(shown[0] >= 300.0 * 50.0 && shown.len() > 10, "{shown:?}");
}

#[test]
fn repetition_repeats_every_spike() {
    let mut stream = stream(|s| {
        s.repeat_slots = 40;
        s.deletion = 0.1;
    });
    let mut rounds: Vec<Vec<(Option<u32>, Vec<(u32, u64)>)>> = vec![vec![]; 3];
    let mut i = 0;
    run(&mut stream, 120, |slot, arrivals| {
        let spikes = arrivals.iter().map(|a| {
            (
                a.afferent,
                ((a.time_ms - slot.start_ms) * 4_294_967_296.0).round() as u64,
            )
        });
        rounds[i / 40].push((slot.pattern, spikes.collect()));
        i += 1;
    });
    assert_eq!(rounds[1], rounds[2]);
    // Only the first slot may differ: no slot comes before it.
    assert_eq!(rounds[0][1..], rounds[1][1..]);
    assert_ne!(rounds[0][3], rounds[0][4]);
}

#[test]
fn the_stimulus_is_the_same_at_every_simd_level_and_differs_by_seed() {
    let hash = |mut stream: SlotStream| {
        let mut hash = 0u64;
        run(&mut stream, 30, |_, arrivals| {
            for a in arrivals {
                hash = avalanche(hash ^ a.time_ms.to_bits() ^ u64::from(a.afferent));
            }
        });
        hash
    };
    let fast = hash(stream(|_| ()));
    let mut portable = stream(|_| ());
    portable.simd = SimdLevel::Portable;
    assert_eq!(fast, hash(portable));
    assert_ne!(fast, hash(stream(|s| s.seed = 2)));
}

#[test]
fn parameters_out_of_range_are_refused() {
    let refused = |change: fn(&mut MasquelierStimulus)| {
        let mut stimulus = MasquelierStimulus::default();
        change(&mut stimulus);
        SlotStream::new(&stimulus).is_err()
    };
    assert!(refused(|s| s.afferents = 0));
    assert!(refused(|s| s.frequency = 0.6));
    assert!(refused(|s| s.jitter_ms = f64::NAN));
    assert!(refused(|s| s.slot_ms = 0));
    assert!(refused(|s| s.deletion = -0.1));
    assert!(refused(|s| s.starts = vec![0, u64::MAX]));
    assert!(!refused(|s| s.afferents = 1));
    assert!(!refused(|s| s.patterns = 0));
}
