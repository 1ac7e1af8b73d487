//! Which neuron is successful for which pattern, and what that makes of the others.

use crate::coding::detection::Detection;

/// Successful neurons of a pattern whose mean latencies differ by less are duplicates, in ms: twice the jitter.
const DUPLICATE_MS: f64 = 2.0;
/// A successful neuron has a hit rate of more than this…
const HIT_RATE: f64 = 0.9;
/// … and more rarely than this otherwise, in Hz.
const FALSE_ALARM_HZ: f64 = 1.0;
/// A dead neuron fires more rarely than this, in Hz.
const DEAD_HZ: f64 = 0.1;

/// What a hit is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Hit {
    /// A spike in a presentation, as the authors count: the rate may exceed 1.
    Spike,
    /// A presentation with a spike.
    Presentation,
}

/// What neurons have become.
#[derive(Clone, Debug)]
pub(super) struct Roles {
    /// For each pattern, its successful neurons with their latencies in ms, the earliest first.
    of_patterns: Vec<Vec<(u32, f64)>>,
    /// The share of presentations with a spike, by pattern and then by neuron.
    hit_rates: Vec<f32>,
    silent: Vec<bool>,
}

impl Roles {
    /// What they are by their spikes.
    pub fn of(detection: &Detection, hit: Hit) -> Self {
        let (patterns, neurons) = (detection.patterns(), detection.neurons());
        let mut roles = Self {
            of_patterns: Vec::new(),
            hit_rates: Vec::new(),
            silent: (0..neurons)
                .map(|n| detection.rate_hz(n) < DEAD_HZ)
                .collect(),
        };
        for pattern in 0..patterns {
            let mut successful = Vec::new();
            for neuron in 0..neurons {
                let score = detection.score(pattern, neuron);
                roles.hit_rates.push(score.hit_rate as f32);
                let hit_rate = match hit {
                    Hit::Spike => score.spikes_per_presentation,
                    Hit::Presentation => score.hit_rate,
                };
                if hit_rate > HIT_RATE && score.false_alarm_hz < FALSE_ALARM_HZ {
                    successful.extend(score.latency_ms.map(|latency| (neuron, latency)));
                }
            }
            successful.sort_by(|a, b| a.1.total_cmp(&b.1));
            roles.of_patterns.push(successful);
        }
        roles
    }

    /// Patterns with their successful neurons.
    pub fn successful(&self) -> impl Iterator<Item = (u32, u32)> + '_ {
        (0..).zip(&self.of_patterns).flat_map(|(pattern, neurons)| {
            neurons.iter().map(move |&(neuron, _)| (pattern, neuron))
        })
    }

    /// The place of each successful neuron among those of its pattern, from 1, and its latency in ms.
    pub fn latencies(&self) -> impl Iterator<Item = (usize, f64)> + '_ {
        let ranked = |neurons: &'_ Vec<(u32, f64)>| {
            let ranked = neurons.iter().enumerate();
            ranked.map(|(rank, n)| (rank + 1, n.1)).collect::<Vec<_>>()
        };
        self.of_patterns.iter().flat_map(ranked)
    }

    /// The mean latency of the neurons in a place, from 0, over the patterns that have one there.
    pub fn mean_latency(&self, place: usize) -> Option<f64> {
        let there = self
            .of_patterns
            .iter()
            .filter_map(|neurons| neurons.get(place));
        let latencies: Vec<f64> = there.map(|n| n.1).collect();
        let sum: f64 = latencies.iter().sum();
        (!latencies.is_empty()).then(|| sum / latencies.len() as f64)
    }

    /// Neurons that hardly fire.
    pub fn dead(&self) -> usize {
        self.silent.iter().filter(|s| **s).count()
    }

    /// Neurons that fire and are successful for nothing.
    pub fn others(&self) -> usize {
        let useful = |n: &usize| self.successful().any(|(_, neuron)| neuron as usize == *n);
        let firing = (0..self.silent.len()).filter(|&n| !self.silent[n]);
        firing.filter(|n| !useful(n)).count()
    }

    /// Successful neurons that come right behind another one of the same pattern.
    pub fn duplicates(&self) -> usize {
        let close = |pair: &&[(u32, f64)]| pair[1].1 - pair[0].1 < DUPLICATE_MS;
        let of_patterns = self.of_patterns.iter();
        of_patterns
            .map(|neurons| neurons.windows(2).filter(close).count())
            .sum()
    }

    /// The share of patterns with a successful neuron.
    pub fn covered(&self) -> f64 {
        let covered = self
            .of_patterns
            .iter()
            .filter(|neurons| !neurons.is_empty());
        covered.count() as f64 / self.of_patterns.len().max(1) as f64
    }

    /// The share of successful neurons that are so `later` too, for the same pattern; none if there were none.
    pub fn kept(&self, later: &Self) -> Option<f64> {
        let still = |role: &(u32, u32)| later.successful().any(|r| r == *role);
        let (all, kept) = (
            self.successful().count(),
            self.successful().filter(still).count(),
        );
        (all > 0).then(|| kept as f64 / all as f64)
    }

    /// How many neurons there are.
    pub fn neurons(&self) -> usize {
        self.silent.len()
    }

    /// The share of presentations with a spike, by pattern and then by neuron.
    pub fn hit_rates(&self) -> Vec<f32> {
        self.hit_rates.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::coding::masquelier::Slot;

    /// 100 s in which each pattern of two comes in every fourth slot, with neurons at these latencies.
    fn seen(latencies: &[&[(u32, f64)]; 2], neurons: u32) -> Detection {
        let mut detection = Detection::new(2, neurons);
        for at in 0..2000 {
            let start_ms = 50.0 * f64::from(at);
            let pattern = [Some(0), None, Some(1), None][at as usize % 4];
            let slot = Slot {
                start_ms,
                end_ms: start_ms + 50.0,
                pattern,
            };
            let spikes = pattern.map_or(&[][..], |p| latencies[p as usize]);
            let spikes: Vec<_> = spikes.iter().map(|&(n, ms)| (start_ms + ms, n)).collect();
            detection.see(&slot, &spikes);
        }
        detection
    }

    fn roles(latencies: &[&[(u32, f64)]; 2], neurons: u32) -> Roles {
        Roles::of(&seen(latencies, neurons), Hit::Spike)
    }

    #[test]
    fn two_spikes_in_every_other_presentation_are_hits_by_spikes_only() {
        let mut detection = Detection::new(1, 1);
        for at in 0..200 {
            let start_ms = 50.0 * f64::from(at);
            let slot = Slot {
                start_ms,
                end_ms: start_ms + 50.0,
                pattern: Some(0),
            };
            let spikes = [(start_ms + 10.0, 0), (start_ms + 20.0, 0)];
            let fires = at % 2 == 0;
            detection.see(&slot, if fires { &spikes } else { &[] });
        }
        assert_eq!(Roles::of(&detection, Hit::Spike).covered(), 1.0);
        assert_eq!(Roles::of(&detection, Hit::Presentation).covered(), 0.0);
    }

    #[test]
    fn neurons_are_successful_dead_duplicate_or_other() {
        // Neuron 4 answers to both patterns: it tells neither.
        let of_first = [(2, 4.0), (0, 15.0), (1, 16.5), (4, 20.0)];
        let before = roles(&[&of_first, &[(4, 10.0)]], 6);
        let successful: Vec<_> = before.successful().collect();
        assert_eq!(successful, [(0, 2), (0, 0), (0, 1)]);
        assert_eq!(
            (before.dead(), before.others(), before.duplicates()),
            (2, 1, 1)
        );
        assert_eq!(before.covered(), 0.5);
        let latency = before.mean_latency(1).expect("a second neuron");
        assert!((latency - 15.0).abs() < 1e-6, "{latency}");
        assert_eq!(before.mean_latency(3), None);
        assert_eq!(before.neurons(), 6);
        assert_eq!(before.hit_rates().len(), 12);

        let after = roles(&[&[(2, 4.0), (5, 9.0)], &[(0, 3.0)]], 6);
        assert_eq!(before.kept(&after), Some(1.0 / 3.0));
        assert_eq!(after.covered(), 1.0);
        assert_eq!(roles(&[&[], &[]], 2).kept(&after), None);
    }
}
