//! A population that keeps lists of all spikes and evaluates every sum of the definition anew: what the event-driven one is compared with.

use super::*;
use crate::sim::rng::{Draws, Purpose, Random};

/// A population that keeps lists of all spikes and evaluates every sum of the definition anew, in small steps of time.
pub(super) struct Replay {
    p: SrmParameters,
    rule: Stdp,
    /// weights[afferent][neuron], if there is a synapse.
    pub weights: Vec<Vec<Option<f32>>>,
    drive: Vec<f64>,
    /// For each neuron: what is in its sums since its last spike: (time, weight), and times of inhibition.
    excited: Vec<Vec<(f64, f64)>>,
    inhibited: Vec<Vec<f64>>,
    fired: Vec<Vec<f64>>,
    arrived: Vec<Vec<f64>>,
    armed: Vec<bool>,
    spikes: Vec<(f64, u32)>,
}

impl Replay {
    pub fn new(
        p: &SrmParameters,
        rule: &Stdp,
        weights: Vec<Vec<Option<f32>>>,
        drive: &[f64],
    ) -> Self {
        let (neurons, afferents) = (drive.len(), weights.len());
        Self {
            p: p.clone(),
            rule: rule.clone(),
            weights,
            drive: drive.to_vec(),
            excited: vec![vec![]; neurons],
            inhibited: vec![vec![]; neurons],
            fired: vec![vec![]; neurons],
            arrived: vec![vec![]; afferents],
            armed: vec![true; neurons],
            spikes: vec![],
        }
    }

    pub fn last(&self, n: usize) -> f64 {
        self.fired[n].last().copied().unwrap_or(f64::NEG_INFINITY)
    }

    fn potential(&self, n: usize, t: f64) -> f64 {
        let since = t - self.last(n).max(0.0);
        let own = if self.fired[n].is_empty() {
            0.0
        } else {
            self.p.eta(since)
        };
        own + self.excited[n]
            .iter()
            .map(|&(at, w)| w * self.p.epsilon(t - at))
            .sum::<f64>()
            + self.inhibited[n]
                .iter()
                .map(|&at| self.p.mu(t - at))
                .sum::<f64>()
            + self.drive[n] * (1.0 - libm::exp(-since / self.p.tau_m))
    }

    fn open(&self, n: usize, t: f64) -> bool {
        t >= self.last(n) + self.p.t_ref
    }

    fn change(&mut self, afferent: usize, n: usize, by: f64) {
        if let Some(w) = &mut self.weights[afferent][n] {
            *w = (f64::from(*w) + by).clamp(0.0, self.rule.w_max.into()) as f32;
        }
    }

    /// The sum of a pairing over earlier spikes `times` of the other side; `since` is the last spike of the own side before this one.
    fn pairs(&self, times: &[f64], since: f64, own_first: bool, t: f64, tau: f64) -> f64 {
        let weight = |at: &f64| libm::exp(-(t - at) / tau);
        match self.rule.pairing {
            Pairing::AllToAll => times.iter().map(weight).sum(),
            Pairing::Nearest => times.last().map_or(0.0, weight),
            Pairing::ReducedNearest => times
                .last()
                // At equal times a neuron's spike is before an afferent's.
                .filter(|&&at| if own_first { at >= since } else { at > since })
                .map_or(0.0, weight),
        }
    }

    pub fn fire(&mut self, n: usize, t: f64) {
        for a in 0..self.weights.len() {
            let by = self.pairs(&self.arrived[a], self.last(n), true, t, self.rule.tau_plus);
            self.change(a, n, self.rule.a_plus * by);
        }
        self.fired[n].push(t);
        self.excited[n].clear();
        self.inhibited[n].clear();
        self.armed[n] = self.p.t_ref > 0.0;
        for other in (0..self.drive.len()).filter(|&other| other != n) {
            self.inhibited[other].push(t);
        }
        self.spikes.push((t, n as u32));
    }

    pub fn arrive(&mut self, a: usize, t: f64) {
        for n in 0..self.drive.len() {
            let Some(w) = self.weights[a][n] else {
                continue;
            };
            if self.open(n, t) {
                self.excited[n].push((t, w.into()));
            }
            let since = self.arrived[a].last().copied().unwrap_or(f64::NEG_INFINITY);
            let by = self.pairs(&self.fired[n], since, false, t, self.rule.tau_minus);
            self.change(a, n, -self.rule.a_minus * by);
        }
        self.arrived[a].push(t);
    }

    /// Lets the neurons fire until `to`, in steps of at most `step` ms.
    fn until(&mut self, mut t: f64, to: f64, step: f64) {
        while t < to {
            let next = (t + step).min(to);
            let mut first: Option<(f64, usize)> = None;
            for n in 0..self.drive.len() {
                self.armed[n] |= self.potential(n, t) < self.p.threshold;
                let high = |s: f64| self.potential(n, s) >= self.p.threshold;
                if !self.armed[n] || !self.open(n, next) || !high(next) {
                    continue;
                }
                let (mut low, mut top) = (t.max(self.last(n) + self.p.t_ref), next);
                if high(low) {
                    top = low;
                }
                for _ in 0..60 {
                    let middle = 0.5 * (low + top);
                    if high(middle) {
                        top = middle
                    } else {
                        low = middle
                    }
                }
                if first.is_none_or(|(at, _)| top < at) {
                    first = Some((top, n));
                }
            }
            if let Some((at, n)) = first {
                self.fire(n, at);
                t = at;
            } else {
                t = next;
            }
        }
    }

    fn run(&mut self, arrivals: &[Arrival], to: f64, step: f64) {
        let mut t = 0.0;
        for arrival in arrivals {
            self.until(t, arrival.time_ms, step);
            t = arrival.time_ms;
            self.arrive(arrival.afferent as usize, t);
        }
        self.until(t, to, step);
    }
}

/// Random trains with some spikes at equal times.
pub(super) fn trains(draws: &mut Draws, afferents: u32, rate_hz: f64, ms: f64) -> Vec<Arrival> {
    let mut arrivals = vec![];
    let mut t = 0.0;
    loop {
        t += draws.exponential() * 1e3 / (rate_hz * f64::from(afferents));
        if t >= ms {
            break;
        }
        // A quarter of the times are whole numbers of 0.25 ms, so that some coincide.
        let time_ms = if draws.below(4) == 0 {
            (4.0 * t).floor() * 0.25
        } else {
            t
        };
        arrivals.push(Arrival {
            time_ms,
            afferent: draws.below(afferents),
        });
    }
    arrivals.sort_by(|a, b| {
        a.time_ms
            .total_cmp(&b.time_ms)
            .then(a.afferent.cmp(&b.afferent))
    });
    arrivals
}

/// What a comparison with the replay is made of.
pub(super) struct Case {
    pub neurons: usize,
    pub afferents: u32,
    /// The odds of a synapse.
    pub density: f64,
    pub rate_hz: f64,
    pub alpha: f64,
    pub t_ref: f64,
    pub drive: f64,
    pub pairing: Pairing,
}

pub(super) fn population(case: &Case, draws: &mut Draws) -> (SrmPopulation, Replay) {
    let p = SrmParameters {
        threshold: 5.0,
        alpha: case.alpha,
        t_ref: case.t_ref,
        ..Default::default()
    };
    let rule = Stdp {
        pairing: case.pairing,
        ..Default::default()
    };
    let weights: Vec<Vec<Option<f32>>> = (0..case.afferents)
        .map(|_| {
            let one = |_| (draws.unit() < case.density).then(|| draws.unit() as f32);
            (0..case.neurons).map(one).collect()
        })
        .collect();
    let rows: Vec<Vec<(u32, f32)>> = weights
        .iter()
        .map(|row| {
            (0u32..)
                .zip(row)
                .filter_map(|(n, w)| w.map(|w| (n, w)))
                .collect()
        })
        .collect();
    let synapses = AfferentSynapses::from_rows(case.neurons as u32, &rows).unwrap();
    assert_eq!(synapses.is_dense(), case.density >= 1.0);
    let mut population = SrmPopulation::new(p.clone(), rule.clone(), synapses).unwrap();
    let drive = vec![case.drive; case.neurons];
    for n in 0..case.neurons {
        population.set_drive(n as u32, case.drive).unwrap();
    }
    (population, Replay::new(&p, &rule, weights, &drive))
}

fn compare(case: &Case, seed: u64) -> usize {
    let mut draws = Random::new(seed, 1, Purpose::Test).draws(0);
    let (mut population, mut replay) = population(case, &mut draws);
    let ms = 250.0;
    let arrivals = trains(&mut draws, case.afferents, case.rate_hz, ms);
    let mut spikes = vec![];
    population.advance(0.0, ms, &arrivals, &mut spikes);
    replay.run(&arrivals, ms, 0.02);
    assert_eq!(spikes.len(), replay.spikes.len());
    for (a, b) in spikes.iter().zip(&replay.spikes) {
        assert!(a.1 == b.1 && (a.0 - b.0).abs() < 1e-9, "{a:?} {b:?}");
    }
    for n in 0..case.neurons {
        let at = ms + 0.3;
        let gap = population.potential(n as u32, at).unwrap() - replay.potential(n, at);
        assert!(gap.abs() < 1e-9, "potential of {n} is off by {gap}");
        for (afferent, weight) in population.synapses().incoming(n as u32) {
            let want = replay.weights[afferent as usize][n].unwrap();
            assert!(
                (weight - want).abs() < 1e-6,
                "{afferent} {n}: {weight} {want}"
            );
        }
    }
    spikes.len()
}

pub(super) const PAIRINGS: [Pairing; 3] =
    [Pairing::ReducedNearest, Pairing::Nearest, Pairing::AllToAll];

#[test]
fn one_neuron_agrees_with_direct_sums() {
    for (seed, (pairing, t_ref)) in (0..).zip(PAIRINGS.into_iter().zip([1.0, 0.0, 2.0])) {
        let case = Case {
            neurons: 1,
            afferents: 30,
            density: 1.0,
            rate_hz: 60.0,
            alpha: 0.0,
            t_ref,
            drive: 0.0,
            pairing,
        };
        assert!(compare(&case, seed) > 3);
    }
}

#[test]
fn competing_neurons_agree_with_direct_sums() {
    for (seed, pairing) in (10..).zip(PAIRINGS) {
        let case = Case {
            neurons: 4,
            afferents: 30,
            density: 1.0,
            rate_hz: 60.0,
            alpha: 0.25,
            t_ref: 1.0,
            drive: 0.0,
            pairing,
        };
        assert!(compare(&case, seed) > 10);
    }
}

#[test]
fn sparse_and_driven_neurons_agree_with_direct_sums() {
    for (seed, drive) in (20..).zip([0.0, 3.0, 5.5]) {
        let case = Case {
            neurons: 5,
            afferents: 40,
            density: 0.6,
            rate_hz: 50.0,
            alpha: if drive > 0.0 { 0.5 } else { 0.0 },
            t_ref: 1.0,
            drive,
            pairing: Pairing::ReducedNearest,
        };
        assert!(compare(&case, seed) > 10);
    }
}
