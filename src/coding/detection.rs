//! How well the spikes of neurons tell when a pattern is there.
//!
//! ```text
//! hit rate    = presentations of the pattern with at least one spike / presentations of the pattern
//! spikes per presentation, which may exceed 1 = spikes within presentations of the pattern / presentations of the pattern
//! false alarm = spike at a time without the pattern, another pattern or none
//! latency     = mean over spikes within presentations, since the start of the presentation
//! ```

use super::masquelier::Slot;

/// Counts of spikes within and outside presentations, for each pattern and each neuron.
#[derive(Clone, Debug, PartialEq)]
pub struct Detection {
    neurons: usize,
    /// Presentations of each pattern.
    presentations: Vec<u32>,
    /// By pattern, then by neuron.
    tallies: Vec<Tally>,
    /// Spikes of each neuron.
    spikes: Vec<u32>,
    ms: f64,
}

/// What one neuron did in the presentations of one pattern.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Tally {
    hits: u32,
    inside: u32,
    latency_ms: f64,
}

/// How well a neuron tells a pattern.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Score {
    /// Share of presentations with a spike; 0 if there was no presentation.
    pub hit_rate: f64,
    /// Spikes within presentations over presentations; 0 if there was no presentation.
    pub spikes_per_presentation: f64,
    /// Spikes at other times.
    pub false_alarms: u32,
    /// The same per second.
    pub false_alarm_hz: f64,
    /// Mean time of spikes since the start of the presentation in ms; none if there was no spike in any.
    pub latency_ms: Option<f64>,
}

impl Detection {
    /// Nothing seen yet.
    pub fn new(patterns: u32, neurons: u32) -> Self {
        let (patterns, neurons) = (patterns as usize, neurons as usize);
        Self {
            neurons,
            presentations: vec![0; patterns],
            tallies: vec![Tally::default(); patterns * neurons],
            spikes: vec![0; neurons],
            ms: 0.0,
        }
    }

    /// Counts the spikes of one slot, time in ms and neuron. A pattern or a neuron that does not exist panics.
    pub fn see(&mut self, slot: &Slot, spikes: &[(f64, u32)]) {
        self.ms += slot.end_ms - slot.start_ms;
        for &(_, neuron) in spikes {
            self.spikes[neuron as usize] += 1;
        }
        let Some(pattern) = slot.pattern.map(|p| p as usize) else {
            return;
        };
        self.presentations[pattern] += 1;
        let row = &mut self.tallies[pattern * self.neurons..][..self.neurons];
        for (i, &(time, neuron)) in spikes.iter().enumerate() {
            let tally = &mut row[neuron as usize];
            tally.inside += 1;
            tally.latency_ms += time - slot.start_ms;
            tally.hits += u32::from(spikes[..i].iter().all(|s| s.1 != neuron));
        }
    }

    /// How many patterns there are.
    pub fn patterns(&self) -> u32 {
        self.presentations.len() as u32
    }

    /// How many neurons there are.
    pub fn neurons(&self) -> u32 {
        self.neurons as u32
    }

    /// How often a pattern was presented.
    pub fn presentations(&self, pattern: u32) -> u32 {
        self.presentations[pattern as usize]
    }

    /// Spikes per second of a neuron; 0 before the first slot.
    pub fn rate_hz(&self, neuron: u32) -> f64 {
        self.per_second(self.spikes[neuron as usize])
    }

    /// How well a neuron tells a pattern.
    pub fn score(&self, pattern: u32, neuron: u32) -> Score {
        let (pattern, neuron) = (pattern as usize, neuron as usize);
        let tally = self.tallies[pattern * self.neurons + neuron];
        let false_alarms = self.spikes[neuron] - tally.inside;
        let presentations = f64::from(self.presentations[pattern].max(1));
        Score {
            hit_rate: f64::from(tally.hits) / presentations,
            spikes_per_presentation: f64::from(tally.inside) / presentations,
            false_alarms,
            false_alarm_hz: self.per_second(false_alarms),
            latency_ms: (tally.inside > 0).then(|| tally.latency_ms / f64::from(tally.inside)),
        }
    }

    fn per_second(&self, count: u32) -> f64 {
        match self.ms > 0.0 {
            true => f64::from(count) * 1e3 / self.ms,
            false => 0.0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hits_false_alarms_and_latencies_are_counted_by_pattern_and_neuron() {
        let mut detection = Detection::new(2, 2);
        let mut start_ms = 0.0;
        let mut see = |pattern, spikes: &[(f64, u32)]| {
            let slot = Slot {
                start_ms,
                end_ms: start_ms + 50.0,
                pattern,
            };
            let spikes: Vec<_> = spikes.iter().map(|s| (start_ms + s.0, s.1)).collect();
            start_ms = slot.end_ms;
            detection.see(&slot, &spikes);
        };
        see(Some(0), &[(4.0, 0), (6.0, 1), (8.0, 0)]);
        see(None, &[(1.0, 1)]);
        see(Some(0), &[(3.0, 0)]);
        see(Some(1), &[(9.0, 1)]);
        let score = detection.score(0, 0);
        assert_eq!((score.hit_rate, score.false_alarms), (1.0, 0));
        assert_eq!(score.spikes_per_presentation, 1.5);
        assert_eq!(score.latency_ms, Some(5.0));
        let score = detection.score(0, 1);
        assert_eq!((score.hit_rate, score.false_alarms), (0.5, 2));
        assert_eq!(score.spikes_per_presentation, 0.5);
        assert_eq!((score.false_alarm_hz, score.latency_ms), (10.0, Some(6.0)));
        let score = detection.score(1, 0);
        assert_eq!((score.hit_rate, score.false_alarms), (0.0, 3));
        assert_eq!(score.latency_ms, None);
        assert_eq!(detection.presentations(0), 2);
        assert_eq!(detection.rate_hz(1), 15.0);
        assert_eq!(Detection::new(1, 1).rate_hz(0), 0.0);
    }
}
