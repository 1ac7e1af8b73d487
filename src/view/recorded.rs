//! The spikes that the view remembers, as the recording that results are made of.

use super::live::Live;
use crate::results::{Recording, SpikeTrain};
use std::ops::Range;

/// Spikes by region.
#[derive(Clone, Debug, Default)]
pub struct Recorded {
    dt_ms: f64,
    start: u64,
    end: u64,
    regions: Vec<(String, u32, Vec<u64>, Vec<u32>)>,
}

impl Recorded {
    /// The remembered spikes from one time to another, at most the newest `most`; none without a network.
    pub fn of(live: &Live, (from_ms, to_ms): (f64, f64), most: usize) -> Option<Self> {
        let structure = live.structure.as_ref()?;
        let mut spikes = spikes_between(live, from_ms, to_ms);
        let mut start = step_at(from_ms, live.progress.dt_ms).max(live.spikes_from);
        if spikes.len() > most {
            spikes.start = spikes.end - most;
            // The step in which the limit falls is cut short: the recording begins after it.
            start = live.spikes.get(spikes.start).map_or(start, |s| s.step + 1);
            let cut = live.spikes.range(spikes.clone());
            spikes.start += cut.take_while(|s| s.step < start).count();
        }
        let end = step_at(to_ms, live.progress.dt_ms).min(live.progress.step);
        let mut recorded = Self {
            dt_ms: live.progress.dt_ms,
            start: start.min(end),
            end,
            regions: (structure.regions.iter())
                .map(|r| (r.name.clone(), r.neurons, Vec::new(), Vec::new()))
                .collect(),
        };
        for spike in live.spikes.range(spikes) {
            if let Some(id) = structure.neuron(spike.neuron) {
                let (_, _, steps, ids) = &mut recorded.regions[id.region];
                steps.push(spike.step);
                ids.push(id.neuron);
            }
        }
        Some(recorded)
    }

    /// Start and end in ms.
    pub fn span_ms(&self) -> (f64, f64) {
        (self.start as f64 * self.dt_ms, self.end as f64 * self.dt_ms)
    }

    /// The recording.
    pub fn recording(&self) -> Recording<'_> {
        Recording {
            dt_ms: self.dt_ms,
            start_step: self.start,
            end_step: self.end,
            trains: (self.regions.iter())
                .map(|(region, neurons, steps, ids)| SpikeTrain {
                    region,
                    neurons: *neurons,
                    steps,
                    ids,
                })
                .collect(),
        }
    }
}

/// The steps whose spikes come before this time: a spike of step k happens at (k + 1)·dt.
fn step_at(ms: f64, dt_ms: f64) -> u64 {
    if dt_ms > 0.0 {
        (ms / dt_ms).max(0.0).round() as u64
    } else {
        0
    }
}

/// Where the remembered spikes with from < time ≤ to are.
pub fn spikes_between(live: &Live, from_ms: f64, to_ms: f64) -> Range<usize> {
    let (from, to) = (
        step_at(from_ms, live.progress.dt_ms),
        step_at(to_ms, live.progress.dt_ms),
    );
    let start = live.spikes.partition_point(|s| s.step < from);
    let end = live.spikes.partition_point(|s| s.step < to);
    start..end.max(start)
}

#[cfg(test)]
mod tests {
    use super::super::testing::{network, spiking};
    use super::*;

    #[test]
    fn spikes_are_sorted_into_their_regions() {
        let mut live = network(&[("a", 10), ("b", 5)]);
        spiking(&mut live, &[(0, 3), (4, 12), (4, 1), (9, 14)], 10);
        let recorded = Recorded::of(&live, (0.0, 1.0), 100).expect("a network");
        let recording = recorded.recording();
        assert_eq!(recording.trains[0].ids, [3, 1]);
        assert_eq!(recording.trains[1].ids, [2, 4]);
        assert_eq!(recording.trains[1].steps, [4, 9]);
        assert_eq!((recording.start_step, recording.end_step), (0, 10));
        assert_eq!(spikes_between(&live, 0.4, 0.6), 1..3);
    }

    #[test]
    fn of_too_many_spikes_the_newest_whole_steps_are_taken() {
        let mut live = network(&[("a", 10)]);
        let spikes: Vec<(u64, u32)> = (0..20).map(|i| (i / 4, (i % 4) as u32)).collect();
        spiking(&mut live, &spikes, 5);
        let recorded = Recorded::of(&live, (0.0, 0.5), 10).expect("a network");
        let recording = recorded.recording();
        assert_eq!(recording.start_step, 3);
        assert_eq!(recording.trains[0].ids.len(), 8);
    }
}
