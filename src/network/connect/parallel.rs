//! Planning on several threads, with results that do not depend on how many.

use super::{Request, Rows};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

/// Work, in random numbers or so, below which another thread is not worth starting.
const WORTH_A_THREAD: u64 = 1 << 17;

/// The threads to use for `work` random numbers or the like.
pub(super) fn threads_for(request: &Request, work: u64) -> usize {
    let most = usize::try_from(1 + work / WORTH_A_THREAD).unwrap_or(usize::MAX);
    request.threads.clamp(1, 256).min(most)
}

/// Gives the items, in order, to whichever thread is free. Each thread works on a state of its own; the states are returned.
pub(super) fn for_each<T: Send, S: Send>(
    threads: usize,
    items: impl Iterator<Item = T> + Send,
    state: impl Fn() -> S + Sync,
    work: impl Fn(&mut S, T) + Sync,
) -> Vec<S> {
    if threads == 1 {
        let mut own = state();
        items.for_each(|item| work(&mut own, item));
        return vec![own];
    }
    let items = Mutex::new(items);
    let worker = || {
        let mut own = state();
        loop {
            // A poisoned lock means that another worker panicked; its panic is passed on by the scope.
            let item = match items.lock() {
                Ok(mut items) => items.next(),
                Err(_) => None,
            };
            match item {
                Some(item) => work(&mut own, item),
                None => return own,
            }
        }
    };
    std::thread::scope(|scope| {
        let others: Vec<_> = (1..threads).map(|_| scope.spawn(worker)).collect();
        let mut states = vec![worker()];
        for other in others {
            match other.join() {
                Ok(state) => states.push(state),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        states
    })
}

/// Reports how much of a known amount of work is done.
pub(super) struct Progress<'a> {
    report: &'a (dyn Fn(f32) + Sync),
    done: AtomicU64,
    total: u64,
}

impl<'a> Progress<'a> {
    pub(super) fn new(request: &Request<'a>, total: u64) -> Self {
        Self {
            report: request.progress,
            done: AtomicU64::new(0),
            total: total.max(1),
        }
    }

    pub(super) fn advance(&self, by: u64) {
        let done = self.done.fetch_add(by, Ordering::Relaxed) + by;
        (self.report)((done as f64 / self.total as f64).min(1.0) as f32);
    }
}

/// Adds up counts that threads made separately.
pub(super) fn sum(parts: Vec<Vec<u32>>) -> Vec<u32> {
    parts
        .into_iter()
        .reduce(|mut sum, part| {
            sum.iter_mut()
                .zip(part)
                .for_each(|(sum, part)| *sum += part);
            sum
        })
        .unwrap_or_default()
}

/// The length of every row and the most synapses of one target, by filling all rows once.
pub(super) fn count_rows(request: &Request, rows: &dyn Rows) -> (Vec<u32>, u32) {
    const ROWS: usize = 64;
    let mut lengths = vec![0; request.sources as usize];
    let progress = Progress::new(request, u64::from(request.sources));
    let work = u64::from(request.sources) * u64::from(request.targets);
    let indegrees = for_each(
        threads_for(request, work),
        lengths.chunks_mut(ROWS).enumerate(),
        || (vec![0u32; request.targets as usize], Vec::new()),
        |(indegrees, row), (chunk, lengths)| {
            for (i, length) in lengths.iter_mut().enumerate() {
                row.clear();
                rows.fill((chunk * ROWS + i) as u32, row);
                *length = row.len() as u32;
                for &target in &*row {
                    indegrees[target as usize] += 1;
                }
            }
            progress.advance(lengths.len() as u64);
        },
    );
    let indegrees = sum(indegrees
        .into_iter()
        .map(|(indegrees, _)| indegrees)
        .collect());
    (lengths, indegrees.into_iter().max().unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_item_is_worked_on_once_whatever_the_threads() {
        for threads in [1, 2, 7] {
            let states = for_each(threads, 0..1000u32, Vec::new, |own, item| own.push(item));
            let mut all = states.concat();
            all.sort_unstable();
            assert!(all.into_iter().eq(0..1000));
        }
        assert_eq!(sum(vec![vec![1, 2], vec![3, 4], vec![5, 6]]), [9, 12]);
    }
}
