//! States that are kept so that time can go back.

use crate::snapshot::file::Snapshot;

/// The states of a session at some of its steps, within a budget of memory.
#[derive(Default)]
pub struct History {
    /// Ascending in (step, commands).
    kept: Vec<Kept>,
    bytes: u64,
}

/// One state.
pub struct Kept {
    /// Steps done.
    pub step: u64,
    /// Commands of the log that had acted.
    pub acted: usize,
    /// The state.
    pub snapshot: Snapshot,
    bytes: u64,
}

impl History {
    /// Forgets everything.
    pub fn clear(&mut self) {
        self.kept.clear();
        self.bytes = 0;
    }

    /// Keeps a state, and forgets others as far as the budget in bytes asks for: those whose neighbours are nearest, measured by how long
    /// ago they were. The newest state is always kept.
    pub fn keep(&mut self, step: u64, acted: usize, snapshot: Snapshot, budget: u64) {
        let place = self
            .kept
            .partition_point(|k| (k.step, k.acted) < (step, acted));
        if self
            .kept
            .get(place)
            .is_some_and(|k| (k.step, k.acted) == (step, acted))
        {
            return;
        }
        let bytes: u64 = snapshot
            .iter()
            .map(|(name, s)| (name.len() + s.bytes().len()) as u64)
            .sum();
        self.bytes += bytes;
        self.kept.insert(
            place,
            Kept {
                step,
                acted,
                snapshot,
                bytes,
            },
        );
        while self.bytes > budget && self.kept.len() > 1 {
            let now = self.kept[self.kept.len() - 1].step;
            let least = (0..self.kept.len() - 1)
                .min_by(|&a, &b| self.worth(a, now).total_cmp(&self.worth(b, now)));
            let gone = self.kept.remove(least.unwrap_or(0));
            self.bytes -= gone.bytes;
        }
    }

    /// The gap that would be left without the state at `index`, against its age.
    fn worth(&self, index: usize, now: u64) -> f64 {
        let before = index.checked_sub(1).map_or(0, |i| self.kept[i].step);
        let after = self.kept.get(index + 1).map_or(now, |k| k.step);
        (after - before) as f64 / (now - self.kept[index].step + 1) as f64
    }

    /// The newest state of `step` or before.
    pub fn before(&self, step: u64) -> Option<&Kept> {
        let place = self.kept.partition_point(|k| k.step <= step);
        place.checked_sub(1).map(|i| &self.kept[i])
    }

    /// Forgets the states after `step`, and those with commands beyond the first `acted`.
    pub fn forget_after(&mut self, step: u64, acted: usize) {
        self.kept.retain(|k| k.step <= step && k.acted <= acted);
        self.bytes = self.kept.iter().map(|k| k.bytes).sum();
    }

    /// The newest step with a state.
    pub fn newest(&self) -> Option<u64> {
        self.kept.last().map(|k| k.step)
    }

    /// The steps with a state.
    pub fn steps(&self) -> impl Iterator<Item = u64> {
        self.kept.iter().map(|k| k.step)
    }

    /// Bytes that the states take.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state(bytes: usize) -> Snapshot {
        let mut snapshot = Snapshot::new();
        snapshot.put("x", vec![0u8; bytes - 1]).expect("a section");
        snapshot
    }

    #[test]
    fn the_budget_holds_and_older_states_are_sparser() {
        let mut history = History::default();
        for step in 0..1000 {
            history.keep(step * 10, 0, state(100), 2000);
        }
        assert!(history.bytes() <= 2000);
        let steps: Vec<u64> = history.steps().collect();
        assert_eq!(steps.last(), Some(&9990));
        assert!(steps.len() >= 19, "{steps:?}");
        let gaps: Vec<u64> = steps.windows(2).map(|w| w[1] - w[0]).collect();
        assert!(gaps[0] > 4 * gaps[gaps.len() - 1], "{gaps:?}");
        assert!(steps[0] < 5000, "{steps:?}");
        assert_eq!(history.before(9995).map(|k| k.step), Some(9990));
        assert!(history.before(steps[0]).is_some());
    }

    #[test]
    fn a_state_larger_than_the_budget_is_kept_alone() {
        let mut history = History::default();
        history.keep(1, 0, state(5000), 100);
        history.keep(2, 0, state(5000), 100);
        assert_eq!(history.steps().collect::<Vec<_>>(), [2]);
    }
}
