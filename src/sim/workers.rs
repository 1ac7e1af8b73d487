//! A simulation's own threads.
//!
//! The pool runs one closure on every *lane* at once and returns when all are done. A step is a few
//! microseconds long, so waiting must cost tens of nanoseconds: waiting threads spin, then give their time slice
//! away, and go to sleep only when nothing has come for about a millisecond. On a machine with fewer free cores than lanes the
//! caller does the work of lanes whose threads are not running: which thread does a lane's work makes no difference to it.
//!
//! Lane 0 is the calling thread; a pool of one lane starts no thread and costs nothing.

use bevy::prelude::*;
use std::cell::{Cell, UnsafeCell};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::thread::{JoinHandle, Thread};

/// Pauses before a waiting thread starts to yield.
const SPINS: u32 = 400;
/// Yields before an idle worker goes to sleep.
const YIELDS: u32 = 500;

type Job = *const (dyn Fn(usize) + Sync);

struct Shared {
    /// Counts jobs; a worker has something to do when it differs from the last one it did.
    epoch: AtomicU64,
    /// Lanes that have not finished the current job.
    pending: AtomicUsize,
    /// Per lane from 1 on: the last job that somebody took up. Each job of a lane is taken up once, by the lane's worker or, if that
    /// worker is late, by the caller.
    taken: Vec<AtomicU64>,
    /// Workers that sleep or are about to.
    asleep: AtomicUsize,
    quit: AtomicBool,
    panicked: AtomicBool,
    /// Written by the caller before `epoch` is published, read by workers after they saw it.
    job: UnsafeCell<Option<Job>>,
}

// SAFETY: `job` is written only while no worker is running (`pending` is 0) and published by the release store
// of `epoch`; the pointee outlives the job because `run` returns only when `pending` is 0 again.
unsafe impl Sync for Shared {}
// SAFETY: as above; the raw pointer is only followed inside `run`.
unsafe impl Send for Shared {}

/// The thread pool of one simulation.
#[derive(Resource)]
pub struct Workers {
    shared: Option<Arc<Shared>>,
    threads: Vec<Thread>,
    handles: Vec<JoinHandle<()>>,
}

impl Workers {
    /// A pool of `lanes` lanes (at least 1), the calling thread being one of them.
    pub fn new(lanes: usize) -> Self {
        if lanes <= 1 {
            return Self {
                shared: None,
                threads: Vec::new(),
                handles: Vec::new(),
            };
        }
        let shared = Arc::new(Shared {
            epoch: AtomicU64::new(0),
            pending: AtomicUsize::new(0),
            taken: (1..lanes).map(|_| AtomicU64::new(0)).collect(),
            asleep: AtomicUsize::new(0),
            quit: AtomicBool::new(false),
            panicked: AtomicBool::new(false),
            job: UnsafeCell::new(None),
        });
        let handles: Vec<_> = (1..lanes)
            .map_while(|lane| {
                let shared = Arc::clone(&shared);
                std::thread::Builder::new()
                    .name(format!("neuropil-{lane}"))
                    .spawn(move || work(&shared, lane))
                    .ok()
            })
            .collect();
        Self {
            shared: Some(shared),
            threads: handles.iter().map(|h| h.thread().clone()).collect(),
            handles,
        }
    }

    /// How many lanes [`run`](Self::run) uses.
    #[inline]
    pub fn lanes(&self) -> usize {
        self.handles.len() + 1
    }

    /// Calls `job(lane)` for every lane at once and waits for all.
    ///
    /// # Panics
    /// If the job panicked on any lane.
    #[inline]
    pub fn run(&self, job: &(dyn Fn(usize) + Sync)) {
        match &self.shared {
            None => job(0),
            Some(shared) => self.run_shared(shared, job),
        }
    }

    fn run_shared(&self, shared: &Shared, job: &(dyn Fn(usize) + Sync)) {
        // SAFETY: only the lifetime is erased; no worker follows the pointer after this function returns.
        let erased: Job = unsafe {
            core::mem::transmute::<&(dyn Fn(usize) + Sync), &'static (dyn Fn(usize) + Sync)>(job)
        };
        shared.pending.store(self.handles.len(), Ordering::Relaxed);
        // SAFETY: no worker reads `job` now: every lane has finished the previous one.
        unsafe { *shared.job.get() = Some(erased) };
        let epoch = shared.epoch.fetch_add(1, Ordering::SeqCst) + 1;
        if shared.asleep.load(Ordering::SeqCst) > 0 {
            self.threads.iter().for_each(Thread::unpark);
        }
        let held = Cell::new(0);
        let mine = catch_unwind(AssertUnwindSafe(|| {
            job(0);
            // On a busy machine a worker may not be running now: its lane is done here rather than waited for.
            for lane in 1..=self.handles.len() {
                if shared.take(lane, epoch) {
                    held.set(1);
                    job(lane);
                    held.set(0);
                    shared.pending.fetch_sub(1, Ordering::Release);
                }
            }
        }));
        if mine.is_err() {
            // The lane that panicked here and those that nobody has taken up are over; the others are waited for, since they use the job.
            let untaken = (1..=self.handles.len())
                .filter(|&lane| shared.take(lane, epoch))
                .count();
            shared
                .pending
                .fetch_sub(untaken + held.get(), Ordering::Release);
        }
        let mut spins = 0;
        while shared.pending.load(Ordering::Acquire) != 0 {
            spins += 1;
            if spins < SPINS {
                core::hint::spin_loop();
            } else {
                std::thread::yield_now();
            }
        }
        if let Err(panic) = mine {
            std::panic::resume_unwind(panic);
        }
        assert!(
            !shared.panicked.load(Ordering::Relaxed),
            "a worker thread panicked"
        );
    }
}

impl Drop for Workers {
    fn drop(&mut self) {
        if let Some(shared) = &self.shared {
            shared.quit.store(true, Ordering::SeqCst);
            shared.epoch.fetch_add(1, Ordering::SeqCst);
            self.threads.iter().for_each(Thread::unpark);
        }
        for handle in self.handles.drain(..) {
            // A worker that panicked has been reported by `run`.
            let _ = handle.join();
        }
    }
}

impl Shared {
    /// Takes up job `epoch` of `lane`; false if somebody else has.
    #[inline]
    fn take(&self, lane: usize, epoch: u64) -> bool {
        self.taken[lane - 1]
            .compare_exchange(epoch - 1, epoch, Ordering::AcqRel, Ordering::Relaxed)
            .is_ok()
    }
}

fn work(shared: &Shared, lane: usize) {
    let mut seen = 0;
    loop {
        seen = wait(shared, seen);
        if shared.quit.load(Ordering::SeqCst) {
            return;
        }
        if !shared.take(lane, seen) {
            continue;
        }
        // SAFETY: the lane of this job is ours and not finished, so the caller still waits and the job is alive.
        let job = unsafe { (*shared.job.get()).map(|job| &*job) };
        if let Some(job) = job
            && catch_unwind(AssertUnwindSafe(|| job(lane))).is_err()
        {
            shared.panicked.store(true, Ordering::Relaxed);
        }
        shared.pending.fetch_sub(1, Ordering::Release);
    }
}

/// Waits for another job than `seen` and returns its number.
fn wait(shared: &Shared, seen: u64) -> u64 {
    let next = |order: Ordering| Some(shared.epoch.load(order)).filter(|&epoch| epoch != seen);
    for _ in 0..SPINS {
        if let Some(epoch) = next(Ordering::Acquire) {
            return epoch;
        }
        core::hint::spin_loop();
    }
    for _ in 0..YIELDS {
        if let Some(epoch) = next(Ordering::Acquire) {
            return epoch;
        }
        std::thread::yield_now();
    }
    shared.asleep.fetch_add(1, Ordering::SeqCst);
    let epoch = loop {
        if let Some(epoch) = next(Ordering::SeqCst) {
            break epoch;
        }
        std::thread::park();
    };
    shared.asleep.fetch_sub(1, Ordering::SeqCst);
    epoch
}

/// A pointer that lanes share, each touching its own part only.
pub struct Shares<T>(*mut T);

impl<T> Clone for Shares<T> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<T> Copy for Shares<T> {}

// SAFETY: a `Shares` is only a pointer; whoever follows it promises that lanes touch disjoint elements.
unsafe impl<T: Send> Send for Shares<T> {}
// SAFETY: as above.
unsafe impl<T: Send> Sync for Shares<T> {}

impl<T> Shares<T> {
    /// Shares a slice between lanes.
    pub fn new(slice: &mut [T]) -> Self {
        Self(slice.as_mut_ptr())
    }

    /// The element at `index`.
    ///
    /// # Safety
    /// `index` lies within the slice, the slice is still borrowed, and no other lane uses the element.
    #[inline(always)]
    #[expect(clippy::mut_from_ref, reason = "lanes own disjoint elements")]
    pub unsafe fn get(&self, index: usize) -> &mut T {
        // SAFETY: the caller's promise.
        unsafe { &mut *self.0.add(index) }
    }

    /// The part of the slice from `index` on, which must lie within it.
    pub fn offset(self, index: usize) -> Self {
        Self(self.0.wrapping_add(index))
    }

    /// The pointer to the first element.
    #[inline(always)]
    pub fn pointer(&self) -> *mut T {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_lane_runs_each_job_once() {
        for lanes in [1, 2, 7] {
            let workers = Workers::new(lanes);
            let counts: Vec<AtomicUsize> = (0..lanes).map(|_| AtomicUsize::new(0)).collect();
            for _ in 0..1000 {
                workers.run(&|lane| {
                    counts[lane].fetch_add(1, Ordering::Relaxed);
                });
            }
            assert!(counts.iter().all(|c| c.load(Ordering::Relaxed) == 1000));
        }
    }

    #[test]
    fn sleeping_workers_wake_up() {
        let workers = Workers::new(3);
        let hits = AtomicUsize::new(0);
        for _ in 0..3 {
            std::thread::sleep(std::time::Duration::from_millis(20));
            workers.run(&|_| {
                hits.fetch_add(1, Ordering::Relaxed);
            });
        }
        assert_eq!(hits.load(Ordering::Relaxed), 9);
    }

    #[test]
    fn a_panic_on_a_worker_reaches_the_caller() {
        let workers = Workers::new(2);
        let outcome = catch_unwind(AssertUnwindSafe(|| {
            workers.run(&|lane| assert!(lane == 0, "lane 1 fails on purpose"));
        }));
        assert!(outcome.is_err());
    }
}
