//! Winner-take-all over windows of time: only the first k neurons that fire in a window may fire in it.

use super::SrmError;
use crate::sim::rng::{avalanche, entity_key};

/// Who is first when neurons reach the threshold at the same instant.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TieBreak {
    /// The neuron with the lower index.
    #[default]
    Index,
    /// A random order, new in each window; a function of the seed, the window and the neurons.
    Random {
        /// The seed.
        seed: u64,
    },
}

/// Competition for the right to fire: windows follow each other from t = 0, and in each only the first `count` neurons that reach the
/// threshold may fire, as often as they like, until it ends.
///
/// A crossing of any other neuron passes without a spike; its potential goes on, and it must come from below the threshold again.
/// Forced spikes need no right and take none.
#[derive(Clone, Debug, PartialEq)]
pub struct Winners {
    count: u32,
    window_ms: f64,
    tie: TieBreak,
    window: u64,
    winners: Vec<u32>,
}

impl Winners {
    /// `count` winners in each window of `window_ms`.
    ///
    /// # Errors
    /// If the window is not a positive, finite number.
    pub fn new(count: u32, window_ms: f64, tie: TieBreak) -> Result<Self, SrmError> {
        if !(window_ms > 0.0 && window_ms.is_finite()) {
            return Err(SrmError::Value {
                field: "window_ms",
                value: window_ms,
                allowed: "> 0",
            });
        }
        Ok(Self {
            count,
            window_ms,
            tie,
            window: 0,
            winners: Vec::with_capacity(count.min(1 << 16) as usize),
        })
    }

    /// The window of the newest crossing, counted from 0, and who has won in it so far, in the order of their first spikes.
    pub fn current(&self) -> (u64, &[u32]) {
        (self.window, &self.winners)
    }

    /// Resumes within a window, as [`Self::current`] gave it.
    pub fn resume(&mut self, window: u64, winners: &[u32]) {
        self.window = window;
        self.winners.clear();
        self.winners.extend_from_slice(winners);
    }

    /// Whether `neuron`, which reaches the threshold at `time_ms`, may fire. Times must not go back to an earlier window.
    pub fn admits(&mut self, time_ms: f64, neuron: u32) -> bool {
        let window = self.window_of(time_ms);
        if window != self.window {
            self.window = window;
            self.winners.clear();
        }
        if self.winners.contains(&neuron) {
            return true;
        }
        let room = self.winners.len() < self.count as usize;
        if room {
            self.winners.push(neuron);
        }
        room
    }

    /// Where `neuron` stands among those that reach the threshold at `time_ms`: the lowest is first.
    pub fn rank(&self, time_ms: f64, neuron: u32) -> u64 {
        match self.tie {
            TieBreak::Index => neuron.into(),
            TieBreak::Random { seed } => avalanche(
                avalanche(seed ^ entity_key("winners"))
                    ^ avalanche(self.window_of(time_ms))
                    ^ (u64::from(neuron) << 32),
            ),
        }
    }

    fn window_of(&self, time_ms: f64) -> u64 {
        (time_ms / self.window_ms).floor().max(0.0) as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_first_k_fire_until_the_window_ends() {
        let mut winners = Winners::new(2, 10.0, TieBreak::Index).unwrap();
        assert!(winners.admits(1.0, 5) && winners.admits(2.0, 3));
        assert!(!winners.admits(3.0, 4) && !winners.admits(9.999, 0));
        assert!(winners.admits(9.0, 5));
        assert_eq!(winners.current(), (0, &[5, 3][..]));
        assert!(winners.admits(10.0, 4));
        assert_eq!(winners.current(), (1, &[4][..]));
        assert!(Winners::new(1, 0.0, TieBreak::Index).is_err());
        assert!(Winners::new(1, f64::NAN, TieBreak::Index).is_err());
        assert!(
            !Winners::new(0, 1.0, TieBreak::Index)
                .unwrap()
                .admits(0.0, 0)
        );
    }

    #[test]
    fn random_ties_change_from_window_to_window_and_favour_no_one() {
        let winners = Winners::new(1, 10.0, TieBreak::Random { seed: 7 }).unwrap();
        let mut firsts = [0u32; 4];
        for window in 0..4000 {
            let at = 10.0 * f64::from(window) + 3.0;
            let first = (0..4).min_by_key(|&n| winners.rank(at, n)).unwrap();
            assert_eq!(winners.rank(at, first), winners.rank(at + 5.0, first));
            firsts[first as usize] += 1;
        }
        // Five standard deviations of a binomial of 4000 at 1/4.
        assert!(firsts.iter().all(|&n| n.abs_diff(1000) < 137), "{firsts:?}");
        let by_index = Winners::new(1, 10.0, TieBreak::Index).unwrap();
        assert!(by_index.rank(3.0, 1) < by_index.rank(3.0, 2));
    }
}
