use neuropil::coding::masquelier::{MasquelierStimulus, SlotStream};
use neuropil::neurons::srm::*;
use neuropil::sim::rng::{Purpose, Random};
use std::time::Instant;

fn arg(name: &str, default: f64) -> f64 {
    let key = format!("{name}=");
    std::env::args()
        .find_map(|a| a.strip_prefix(&key).map(|v| v.parse().unwrap()))
        .unwrap_or(default)
}

fn main() {
    let mode = std::env::args().nth(1).unwrap_or_default();
    let seeds = arg("seeds", 20.0) as u64;
    let first = arg("first", 1.0) as u64;
    let patterns = arg("patterns", 1.0) as u32;
    let proportion = arg("involved", 0.5);
    let deletion = arg("deletion", 0.0);
    let scale = arg("scale", 1.0) > 0.0;
    let t0 = if scale {
        1000.0 * proportion * (1.0 - deletion)
    } else {
        500.0
    };
    let threshold = arg("threshold", t0);
    let w0 = arg(
        "w0",
        if scale {
            1.9 * threshold / 2000.0
        } else {
            0.475
        },
    );
    let neurons = arg("neurons", 1.0) as u32;
    let slots = (arg("seconds", 450.0) * 20.0) as usize;
    let repeat = arg("repeat", 3000.0) as u64;
    let window = arg("window", 150.0);
    let mut ok = 0;
    let mut successes = vec![];
    for seed in first..first + seeds {
        let stimulus = MasquelierStimulus {
            seed,
            patterns,
            involved: proportion,
            deletion,
            frequency: arg("frequency", 0.25),
            jitter_ms: arg("jitter", 1.0),
            repeat_slots: repeat,
            ..Default::default()
        };
        let start = Instant::now();
        let mut stream = SlotStream::new(&stimulus).unwrap();
        if mode == "stimulus" {
            let mut arrivals = vec![];
            let mut n = 0usize;
            for _ in 0..slots {
                stream.next_slot(&mut arrivals);
                n += arrivals.len();
            }
            println!(
                "seed {seed} {n} spikes {:.3} s",
                start.elapsed().as_secs_f64()
            );
            continue;
        }
        let p = SrmParameters {
            threshold,
            alpha: arg("alpha", 0.0),
            t_ref: arg("t_ref", 0.0),
            ..Default::default()
        };
        let random = Random::new(seed, 77, Purpose::Weight);
        let mut draws = random.draws(0);
        let lo = arg("wlo", 0.0);
        let synapses = AfferentSynapses::dense(2000, neurons, |_, _| {
            if mode == "many" {
                (lo + (1.0 - lo) * draws.unit()) as f32
            } else {
                w0 as f32
            }
        });
        let mut population = SrmPopulation::new(p, Stdp::default(), synapses).unwrap();
        let mut arrivals = vec![];
        let mut spikes = vec![];
        let mut shown = vec![];
        let mut gen_time = 0.0;
        for _ in 0..slots {
            let t = Instant::now();
            let slot = stream.next_slot(&mut arrivals);
            gen_time += t.elapsed().as_secs_f64();
            if let Some(pat) = slot.pattern {
                shown.push((slot.start_ms, pat));
            }
            population.advance(slot.start_ms, slot.end_ms, &arrivals, &mut spikes);
        }
        let total = start.elapsed().as_secs_f64();
        let end = slots as f64 * 50.0;
        let from = end - window * 1000.0;
        if mode == "one" {
            let early = spikes.iter().filter(|s| s.0 < 1000.0).count();
            let (mut hits, mut all, mut lat, mut nlat) = (0, 0, 0.0, 0);
            let mut k = 0;
            let late: Vec<_> = spikes.iter().filter(|s| s.0 >= from).map(|s| s.0).collect();
            let mut fa = late.len();
            for &(at, _) in shown.iter().filter(|s| s.0 >= from) {
                all += 1;
                while k < late.len() && late[k] < at {
                    k += 1;
                }
                let n0 = k;
                while k < late.len() && late[k] < at + 50.0 {
                    lat += late[k] - at;
                    nlat += 1;
                    k += 1;
                }
                if k > n0 {
                    hits += 1;
                }
                fa -= k - n0;
            }
            let hit = hits as f64 / all.max(1) as f64;
            let lat = lat / nlat.max(1) as f64;
            let good = hit > 0.98 && fa == 0 && lat < 10.0;
            // Found: the last spike outside a pattern before 150 s
            let mut find = 0.0;
            let mut findn = 0;
            let mut j = 0;
            for (i, s) in spikes.iter().enumerate().filter(|s| s.1.0 < 50_000.0) {
                while j < shown.len() && shown[j].0 + 50.0 <= s.0 {
                    j += 1;
                }
                if !(j < shown.len() && s.0 >= shown[j].0) {
                    find = s.0;
                    findn = i;
                }
            }
            ok += good as u32;
            let w = population.synapses().weights();
            let high = w.iter().filter(|&&w| w > 0.5).count();
            let outside = w[(2000.0 * proportion) as usize..]
                .iter()
                .filter(|&&w| w > 0.5)
                .count();
            println!(
                "seed {seed} {} hit {hit:.4} fa {fa} latency {lat:.2} found {:.1} s / {findn} spikes; first s {early} Hz; end {:.1} Hz; w>0.5 {high} ({outside} outside); {total:.2} s (stimulus {gen_time:.2})",
                if good { "OK" } else { "--" },
                find / 1e3,
                late.len() as f64 / window
            );
        } else {
            // successful: hit > 0.9 and fa < 1 Hz for some pattern
            let mut results = vec![];
            for n in 0..neurons {
                let late: Vec<_> = spikes
                    .iter()
                    .filter(|s| s.1 == n && s.0 >= from)
                    .map(|s| s.0)
                    .collect();
                let mut best = None;
                for pat in 0..patterns {
                    let list: Vec<_> = shown
                        .iter()
                        .filter(|s| s.0 >= from && s.1 == pat)
                        .map(|s| s.0)
                        .collect();
                    let (mut hit, mut inside, mut sum) = (0, 0, 0.0);
                    for &at in &list {
                        let a = late.partition_point(|&t| t < at);
                        let b = late.partition_point(|&t| t < at + 50.0);
                        hit += (b > a) as u32;
                        inside += b - a;
                        sum += late[a..b].iter().map(|t| t - at).sum::<f64>();
                    }
                    let hr = hit as f64 / list.len() as f64;
                    let fa = (late.len() - inside) as f64 / window;
                    if hr > 0.9 && fa < 1.0 {
                        best = Some((pat, sum / inside as f64));
                    }
                }
                results.push((best, late.len() as f64 / window));
            }
            let good = results.iter().filter(|r| r.0.is_some()).count();
            let dead = results.iter().filter(|r| r.1 < 0.1).count();
            let mut by: Vec<Vec<f64>> = vec![vec![]; patterns as usize];
            for r in &results {
                if let Some((p, l)) = r.0 {
                    by[p as usize].push(l);
                }
            }
            for b in &mut by {
                b.sort_by(f64::total_cmp);
            }
            let covered = by.iter().filter(|b| !b.is_empty()).count();
            successes.push((good, dead, covered, by.clone()));
            println!(
                "seed {seed}: {good}/{neurons} ok, {dead} dead, {covered} patterns; latencies {by:.1?}; {total:.2} s (stimulus {gen_time:.2})"
            );
        }
    }
    if mode == "one" {
        println!("success {ok}/{seeds}");
    }
    if mode == "many" {
        let n = successes.len() as f64;
        println!(
            "mean ok {:.2}, dead {:.2}, patterns {:.2}",
            successes.iter().map(|s| s.0 as f64).sum::<f64>() / n,
            successes.iter().map(|s| s.1 as f64).sum::<f64>() / n,
            successes.iter().map(|s| s.2 as f64).sum::<f64>() / n
        );
    }
}
