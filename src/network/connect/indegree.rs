//! `FixedIndegree`: each target draws its sources.
//!
//! The rule is drawn target by target but needed source by source, so it is the one rule whose pairs are kept: 4 bytes
//! each, sorted by source with a counting sort. All targets are drawn twice, once to count and once to place; that is
//! cheaper than keeping what was drawn. Each thread has a range of targets, and in every row the targets of the first range come
//! first, so that rows are in ascending order for any number of threads.

use super::draw::{distinct, fill_below, skip_own};
use super::parallel::threads_for;
use super::words::Words;
use super::{ConnectError, Lengths, Made, Progress, Request, Rows};
use crate::sim::rng::Random;
use core::ops::Range;
use std::sync::atomic::{AtomicU32, Ordering};

struct Stored {
    /// Where the row of each source starts, and where the last one ends.
    starts: Vec<usize>,
    targets: Vec<u32>,
}

impl Rows for Stored {
    fn fill(&self, source: u32, targets: &mut Vec<u32>) {
        let source = source as usize;
        targets.extend_from_slice(&self.targets[self.starts[source]..self.starts[source + 1]]);
    }
}

/// Each target with `k` random sources.
pub(super) fn fixed_indegree(
    request: &Request,
    random: Random,
    k: u32,
) -> Result<Made, ConnectError> {
    let total = u64::from(k) * u64::from(request.targets);
    let mut placed = reserve(total)?;
    let progress = Progress::new(request, 2 * total);
    let drawing = Drawing {
        request,
        words: Words::new(&random, 0),
        random,
        k,
        progress: &progress,
    };
    let sources = request.sources as usize;
    // A thread's counts should not cost more than its drawing.
    let worth = 1 + total as usize / sources.max(1);
    let ranges = split(request.targets, threads_for(request, total).min(worth));

    let mut counts: Vec<Vec<usize>> = vec![vec![0; sources]; ranges.len()];
    on_threads(ranges.iter().zip(&mut counts), |(range, counts)| {
        drawing.for_each(range.clone(), |source, _| counts[source as usize] += 1);
    });

    // From counts to the place at which each range of targets begins in each row.
    let mut starts = Vec::with_capacity(sources + 1);
    let mut place = 0;
    for source in 0..sources {
        starts.push(place);
        for counts in &mut counts {
            let count = core::mem::replace(&mut counts[source], place);
            place += count;
        }
    }
    starts.push(place);

    placed.resize_with(place, || AtomicU32::new(0));
    on_threads(ranges.iter().zip(&mut counts), |(range, places)| {
        drawing.for_each(range.clone(), |source, target| {
            let place = &mut places[source as usize];
            // No two threads write to one place; the store is atomic only to say so without unsafe code.
            placed[*place].store(target, Ordering::Relaxed);
            *place += 1;
        });
    });
    let lengths = starts
        .windows(2)
        .map(|pair| (pair[1] - pair[0]) as u32)
        .collect();
    let rows = Stored {
        starts,
        targets: placed.into_iter().map(AtomicU32::into_inner).collect(),
    };
    Ok(Made::new(rows, Lengths::Each(lengths), Some(k)))
}

struct Drawing<'a> {
    request: &'a Request<'a>,
    words: Words,
    random: Random,
    k: u32,
    progress: &'a Progress<'a>,
}

impl Drawing<'_> {
    /// Draws the sources of each target in `targets` and tells `each` of source and target.
    fn for_each(&self, targets: Range<u32>, mut each: impl FnMut(u32, u32)) {
        let skips_own = self.request.skips_own();
        let choices = self.request.sources - u32::from(skips_own && self.request.sources > 0);
        let mut row = Vec::with_capacity(self.k as usize);
        let mut unreported = 0;
        for target in targets {
            row.clear();
            if self.request.multapses {
                fill_below(&self.words, target.into(), choices, self.k, &mut row);
            } else {
                distinct(
                    &mut self.random.draws(target.into()),
                    choices,
                    self.k,
                    &mut row,
                );
            }
            if skips_own {
                skip_own(&mut row, target);
            }
            for &source in &row {
                each(source, target);
            }
            unreported += u64::from(self.k);
            if unreported > 1 << 18 {
                self.progress.advance(unreported);
                unreported = 0;
            }
        }
        self.progress.advance(unreported);
    }
}

fn reserve(total: u64) -> Result<Vec<AtomicU32>, ConnectError> {
    let mut places = Vec::new();
    let reserved =
        usize::try_from(total).is_ok_and(|total| places.try_reserve_exact(total).is_ok());
    if reserved {
        Ok(places)
    } else {
        Err(ConnectError::Memory {
            rule: "FixedIndegree",
            synapses: total,
            bytes: total.saturating_mul(4),
        })
    }
}

/// Cuts `0..n` into up to `parts` equal ranges.
fn split(n: u32, parts: usize) -> Vec<Range<u32>> {
    let size = n.div_ceil(parts as u32).max(1);
    (0..n)
        .step_by(size as usize)
        .map(|start| start..n.min(start.saturating_add(size)))
        .collect()
}

/// Runs `work` on each item on a thread of its own, the first one on this thread.
fn on_threads<T: Send>(mut items: impl Iterator<Item = T>, work: impl Fn(T) + Sync) {
    let first = items.next();
    std::thread::scope(|scope| {
        for item in items {
            let work = &work;
            scope.spawn(move || work(item));
        }
        if let Some(item) = first {
            work(item);
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_cover_everything_once() {
        for (n, parts) in [(0, 3), (1, 3), (10, 3), (12, 4), (5, 1), (u32::MAX, 2)] {
            let ranges = split(n, parts);
            assert!(ranges.len() <= parts);
            let mut next = 0;
            for range in ranges {
                assert!(range.start == next && range.end > range.start);
                next = range.end;
            }
            assert_eq!(next, n);
        }
    }

    #[test]
    fn too_many_synapses_are_an_error() {
        assert!(matches!(
            reserve(u64::MAX),
            Err(ConnectError::Memory { .. })
        ));
    }
}
