//! Spikes of one slot, put into the order of their times.

use crate::neurons::srm::Arrival;

/// Binary digits of a ms in a [`Key`].
pub(super) const MS_BITS: u32 = 32;
/// Binary digits of an afferent in a key.
pub(super) const AFFERENT_BITS: u32 = 20;

/// A spike as one number that sorts as (time, afferent): the time since the start of the slot in units of 2⁻³² ms, then the afferent.
pub(super) type Key = u64;

/// The key of a spike.
#[inline(always)]
pub(super) fn key(offset: u64, afferent: u32) -> Key {
    offset << AFFERENT_BITS | u64::from(afferent)
}

/// A counting sort by time into buckets that hold about one spike each, and then by insertion.
#[derive(Clone, Debug)]
pub(super) struct Sorter {
    keys: Vec<Key>,
    /// How many keys each bucket has.
    counts: Vec<u32>,
    sorted: Vec<Key>,
    /// What takes a key to its bucket.
    shift: u32,
}

impl Sorter {
    /// For slots of `ms` with about `expected` spikes.
    pub fn new(ms: u32, expected: f64) -> Self {
        let per_ms = (expected / f64::from(ms)).clamp(1.0, 1e6) as u32;
        let digits = (2 * per_ms)
            .next_power_of_two()
            .trailing_zeros()
            .min(MS_BITS);
        Self {
            keys: Vec::with_capacity((expected * 1.5) as usize + 64),
            counts: vec![0; (ms as usize) << digits],
            sorted: vec![0; (expected * 1.5) as usize + 64],
            shift: AFFERENT_BITS + MS_BITS - digits,
        }
    }

    /// Adds a spike within the slot.
    #[inline(always)]
    pub fn push(&mut self, key: Key) {
        self.counts[(key >> self.shift) as usize] += 1;
        self.keys.push(key);
    }

    /// Appends all spikes to `out`, in order, for a slot that starts at `start_ms`, and forgets them.
    pub fn drain(&mut self, start_ms: f64, out: &mut Vec<Arrival>) {
        let mut start = 0;
        for count in &mut self.counts {
            (*count, start) = (start, start + *count);
        }
        let total = self.keys.len();
        if self.sorted.len() < total {
            self.sorted.resize(total, 0);
        }
        for &key in &self.keys {
            let place = &mut self.counts[(key >> self.shift) as usize];
            self.sorted[*place as usize] = key;
            *place += 1;
        }
        let sorted = &mut self.sorted[..total];
        for end in 1..total {
            let key = sorted[end];
            let mut at = end;
            while at > 0 && sorted[at - 1] > key {
                sorted[at] = sorted[at - 1];
                at -= 1;
            }
            sorted[at] = key;
        }
        out.extend(sorted.iter().map(|&key| Arrival {
            time_ms: start_ms + (key >> AFFERENT_BITS) as f64 * (1.0 / (1u64 << MS_BITS) as f64),
            afferent: key as u32 & ((1 << AFFERENT_BITS) - 1),
        }));
        self.keys.clear();
        self.counts.fill(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::rng::{Purpose, Random};

    #[test]
    fn spikes_come_in_order_of_time_and_then_of_afferent() {
        let mut draws = Random::new(1, 1, Purpose::Test).draws(0);
        let mut sorter = Sorter::new(50, 3000.0);
        for start_ms in [0.0, 50.0] {
            let mut want = vec![];
            for i in 0..4000 {
                // Some at equal times, some all in one bucket.
                let offset = match i % 4 {
                    0 => u64::from(draws.below(50)) << MS_BITS,
                    1 => u64::from(draws.below(1000)),
                    _ => draws.word64() % (50 << MS_BITS),
                };
                let afferent = draws.below(1 << AFFERENT_BITS);
                sorter.push(key(offset, afferent));
                want.push((offset, afferent));
            }
            want.sort_unstable();
            let mut out = vec![];
            sorter.drain(start_ms, &mut out);
            assert_eq!(out.len(), want.len());
            for (a, &(offset, afferent)) in out.iter().zip(&want) {
                assert_eq!(a.afferent, afferent);
                assert_eq!(a.time_ms, start_ms + offset as f64 / 4_294_967_296.0);
            }
        }
    }
}
