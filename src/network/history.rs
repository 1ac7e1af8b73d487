//! The spikes of the last steps, which delivery looks back to.

use bevy::prelude::*;

/// The spikes of the last steps of a region, as far back as its longest delay.
#[derive(Component, Clone, Debug, Default)]
pub struct SpikeHistory {
    /// How many steps are kept; 0 if nothing leaves the region.
    depth: usize,
    /// The spikes of steps ≡ i mod `depth`: a range of `ids`.
    ranges: Vec<(u32, u32)>,
    /// A ring of neuron indices: the kept steps one after another, each in one piece.
    ids: Vec<u32>,
    /// Where the next spikes go.
    end: usize,
    /// Spikes of the kept steps.
    kept: usize,
    /// The most spikes that a step can have.
    neurons: usize,
}

impl SpikeHistory {
    /// A history of `depth` steps for `neurons` neurons.
    pub fn new(depth: usize, neurons: usize) -> Self {
        Self {
            depth,
            ranges: vec![(0, 0); depth],
            ids: vec![0; if depth == 0 { 0 } else { 2 * neurons + 64 }],
            end: 0,
            kept: 0,
            neurons,
        }
    }

    /// Whether no spike is kept.
    pub fn is_empty(&self) -> bool {
        self.kept == 0
    }

    /// How many steps are kept.
    pub fn depth(&self) -> usize {
        self.depth
    }

    /// Keeps the spikes of step `step`, at most one of each neuron, forgetting the oldest.
    #[inline]
    pub fn push(&mut self, step: u64, spikes: &[u32]) {
        if self.depth == 0 {
            return;
        }
        let slot = (step % self.depth as u64) as usize;
        self.kept -= self.ranges[slot].1 as usize;
        self.ranges[slot] = (0, 0);
        if spikes.is_empty() {
            return;
        }
        // Whoever turns back to the start leaves less than one step's room unused at the end. With room for one more step than is
        // kept, the new spikes never reach the oldest ones.
        if self.kept + spikes.len() + self.neurons > self.ids.len() {
            self.grow(slot, spikes.len());
        }
        if self.end + spikes.len() > self.ids.len() {
            self.end = 0;
        }
        self.ids[self.end..self.end + spikes.len()].copy_from_slice(spikes);
        self.ranges[slot] = (self.end as u32, spikes.len() as u32);
        self.end += spikes.len();
        self.kept += spikes.len();
    }

    /// Makes room for `more` spikes at `slot` and for as many as are kept, which stay in the order of their steps.
    #[cold]
    fn grow(&mut self, slot: usize, more: usize) {
        let mut ids = vec![0; 2 * (self.kept + more) + self.neurons];
        let mut end = 0;
        for place in (slot + 1..self.depth).chain(0..slot) {
            let range = &mut self.ranges[place];
            let (start, len) = (range.0 as usize, range.1 as usize);
            ids[end..end + len].copy_from_slice(&self.ids[start..start + len]);
            range.0 = end as u32;
            end += len;
        }
        self.ids = ids;
        self.end = end;
    }

    /// The place of `step` in the ring, for [`before`](Self::before).
    #[inline]
    pub(super) fn slot(&self, step: u64) -> usize {
        (step % self.depth.max(1) as u64) as usize
    }

    /// The spikes of the step that was `delay` steps before the one at `slot`; `delay` is less than the depth.
    #[inline]
    pub(super) fn before(&self, slot: usize, delay: usize) -> &[u32] {
        let place = if slot >= delay {
            slot - delay
        } else {
            slot + self.depth - delay
        };
        let (start, len) = self.ranges[place];
        &self.ids[start as usize..(start + len) as usize]
    }

    /// The spikes of `step`, which must be one of the last `depth` steps.
    #[inline]
    pub fn at(&self, step: u64) -> &[u32] {
        let (start, len) = self.ranges[(step % self.depth as u64) as usize];
        &self.ids[start as usize..(start + len) as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn history_returns_what_was_pushed_for_as_long_as_it_is_deep() {
        for (depth, neurons) in [(1, 1), (2, 13), (5, 13), (16, 100), (200, 7)] {
            let mut history = SpikeHistory::new(depth, neurons);
            // Sparse, dense, silent and alternating stretches.
            let spikes = |step: u64| -> Vec<u32> {
                let n = match step / 300 % 4 {
                    0 => step * 7 % 13,
                    1 => u64::MAX,
                    2 => 0,
                    _ => step % 2 * 1000 + step % 3,
                };
                (0..n.min(neurons as u64) as u32)
                    .map(|i| i ^ (step % 2) as u32)
                    .collect()
            };
            let mut room = 0;
            for step in 0..3600 {
                history.push(step, &spikes(step));
                for back in 0..(depth as u64).min(step + 1) {
                    assert_eq!(
                        history.at(step - back),
                        spikes(step - back),
                        "depth {depth}, step {step} - {back}"
                    );
                }
                if step == 1200 {
                    room = history.ids.len();
                }
            }
            assert_eq!(
                history.ids.len(),
                room,
                "depth {depth}: it grew after all kinds of stretches had come"
            );
        }
    }
}
