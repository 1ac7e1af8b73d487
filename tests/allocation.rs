//! After warm-up a step allocates nothing, on any thread, whatever the network: growing probes apart.
//!
//! This is one test with a `main` of its own: other tests in the same process would allocate at the same time, and so does the usual harness,
//! when it says that a test takes long.

mod support;

use neuropil::prelude::*;
use std::alloc::{GlobalAlloc, Layout as MemoryLayout, System};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use support::{Network, lanes, networks};

/// Steps before counting starts.
const WARM_UP: u64 = 2_000;
/// Steps that are counted.
const COUNTED: u64 = 2_000;

static COUNTING: AtomicBool = AtomicBool::new(false);
static ALLOCATIONS: AtomicU64 = AtomicU64::new(0);

/// The system's allocator, counting.
struct Counter;

impl Counter {
    fn count() {
        if COUNTING.load(Ordering::Relaxed) {
            ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        }
    }
}

// SAFETY: the system's allocator does the work.
unsafe impl GlobalAlloc for Counter {
    unsafe fn alloc(&self, layout: MemoryLayout) -> *mut u8 {
        Self::count();
        // SAFETY: the caller's promise.
        unsafe { System.alloc(layout) }
    }
    unsafe fn alloc_zeroed(&self, layout: MemoryLayout) -> *mut u8 {
        Self::count();
        // SAFETY: the caller's promise.
        unsafe { System.alloc_zeroed(layout) }
    }
    unsafe fn realloc(&self, pointer: *mut u8, layout: MemoryLayout, size: usize) -> *mut u8 {
        Self::count();
        // SAFETY: the caller's promise.
        unsafe { System.realloc(pointer, layout, size) }
    }
    unsafe fn dealloc(&self, pointer: *mut u8, layout: MemoryLayout) {
        // SAFETY: the caller's promise.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static COUNTER: Counter = Counter;

/// How often `work` allocates.
fn allocations(work: impl FnOnce()) -> u64 {
    ALLOCATIONS.store(0, Ordering::SeqCst);
    COUNTING.store(true, Ordering::SeqCst);
    work();
    COUNTING.store(false, Ordering::SeqCst);
    ALLOCATIONS.load(Ordering::SeqCst)
}

/// A network without growing probes but with statistics, after its warm-up.
fn warm(network: &Network, threads: usize) -> Simulation {
    let mut scene = network.scene.clone();
    scene.probes.clear();
    let options = BuildOptions {
        statistics: true,
        ..lanes(threads)
    };
    let mut simulation = network.build_scene(&scene, &options);
    simulation.run_steps(WARM_UP);
    simulation
}

fn main() {
    // The counter counts, on every thread.
    assert_eq!(allocations(|| drop(std::hint::black_box(Box::new(1)))), 1);
    assert!(
        allocations(
            || std::thread::spawn(|| drop(std::hint::black_box(vec![0u8; 100])))
                .join()
                .expect("no panic")
        ) > 1
    );

    let mut failures = Vec::new();
    for network in networks() {
        for threads in [1, 2] {
            let mut simulation = warm(&network, threads);
            let spikes = simulation.spike_count().spikes;
            let allocated = allocations(|| simulation.run_steps(COUNTED));
            let spikes = simulation.spike_count().spikes - spikes;
            if allocated > 0 {
                failures.push(format!("{}, {threads} lanes: {allocated} allocations in {COUNTED} steps with {spikes} spikes", network.name));
            }
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));

    // A spike probe grows: the same steps do allocate with one.
    let network = support::pushing();
    let mut simulation = network.build_scene(&network.observed(), &lanes(2));
    simulation.run_steps(WARM_UP);
    assert!(allocations(|| simulation.run_steps(COUNTED)) > 0);
    println!("a step allocates nothing");
}
