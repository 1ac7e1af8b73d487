//! What a run leaves behind: statistics, files, a report and a picture.
//!
//! | module | makes |
//! |---|---|
//! | [`statistics`] | rate, CV of ISI, Fano factor, synchrony, silent fraction of a recording |
//! | [`online`] | the same numbers while the run goes on, in fixed memory |
//! | [`spectrum`] | power spectrum of a population rate, and its peak |
//! | [`csv`] | `spikes.csv`, traces and rates as tables |
//! | [`table`] | columns of numbers from a CSV file that somebody else wrote |
//! | [`npy`] | NumPy arrays, out and in |
//! | [`report`] | `run.json` and the table that a terminal shows at the end of a run |
//! | [`raster`] | `raster.png`: every region's spikes and rates in one figure |
//! | [`quantities`] | numbers as people read them |
//! | [`figure`] | curves, error bars, histograms, spikes and heat maps with axes and legends |
//! | [`canvas`] | the drawing beneath them: boxes, lines, text, PNG |
//!
//! # Time
//!
//! A spike recorded with step *k* happens at time (*k* + 1)·dt, as the timing contract of the simulator
//! says. Everything here counts time in whole multiples of dt, so that no spike falls to the wrong side
//! of an edge through rounding. A [`Window`] holds the spikes with start ≤ time < end, which is what the
//! reference numbers of other simulators were computed with.

pub mod canvas;
pub mod csv;
pub mod figure;
pub mod npy;
pub mod online;
pub mod quantities;
pub mod raster;
pub mod report;
mod rows;
pub mod spectrum;
pub mod statistics;
pub mod table;

use std::ops::Range;

/// Slack, in steps, when a time in ms is turned into a number of steps: 0.3 / 0.1 must be 3.
const STEP_TOLERANCE: f64 = 1e-6;

/// One region's recorded spikes, in time order.
#[derive(Clone, Copy, Debug)]
pub struct SpikeTrain<'a> {
    /// Name of the region.
    pub region: &'a str,
    /// Number of neurons in the region; every id is below it.
    pub neurons: u32,
    /// Step in which each spike was detected, never falling. The spike happens at (step + 1)·dt.
    pub steps: &'a [u64],
    /// Neuron of each spike, counted within the region.
    pub ids: &'a [u32],
}

/// The spikes of all regions over a range of steps.
#[derive(Clone, Debug)]
pub struct Recording<'a> {
    /// Length of a step in ms; positive.
    pub dt_ms: f64,
    /// First step that was recorded.
    pub start_step: u64,
    /// One past the last step that was recorded.
    pub end_step: u64,
    /// One train per region, in the order of the scene.
    pub trains: Vec<SpikeTrain<'a>>,
}

/// Samples of one column of some neurons, at equal intervals.
#[derive(Clone, Copy, Debug)]
pub struct Trace<'a> {
    /// Name of the region.
    pub region: &'a str,
    /// Name of the column, such as `v`.
    pub column: &'a str,
    /// Unit of the values, such as `mV`; empty for a pure number.
    pub unit: &'a str,
    /// The neurons sampled, counted within the region.
    pub neurons: &'a [u32],
    /// Time between two samples in ms.
    pub interval_ms: f64,
    /// Time of the first sample in ms.
    pub start_ms: f64,
    /// The values, sample after sample: `values[sample * neurons.len() + neuron]`.
    pub values: &'a [f32],
}

/// Firing rate of a population in equal bins.
#[derive(Clone, Debug, PartialEq)]
pub struct RateTrace {
    /// Name of the region.
    pub region: String,
    /// Time at which the first bin starts, in ms.
    pub start_ms: f64,
    /// Width of a bin in ms.
    pub bin_ms: f64,
    /// Mean rate of a neuron in each bin, in Hz.
    pub values: Vec<f32>,
}

/// A span of time, in whole steps: the spikes with start ≤ time < end.
///
/// Held as multiples of dt, where a spike of step *k* has the time *k* + 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// First time inside the window, in units of dt.
    first: u64,
    /// First time after the window, in units of dt.
    end: u64,
}

impl Window {
    /// The spikes with `start_ms` ≤ time < `end_ms`: how the reference numbers were taken.
    ///
    /// A spike at exactly `end_ms` belongs to the next window. Times below zero count as zero.
    pub fn between_ms(start_ms: f64, end_ms: f64, dt_ms: f64) -> Self {
        let first = steps_until(start_ms, dt_ms);
        Self {
            first,
            end: steps_until(end_ms, dt_ms).max(first),
        }
    }

    /// The spikes with time ≥ `start_ms`, without an end: for statistics that run along.
    pub fn from_ms(start_ms: f64, dt_ms: f64) -> Self {
        Self {
            first: steps_until(start_ms, dt_ms),
            end: u64::MAX,
        }
    }

    /// All spikes detected in the given steps.
    pub fn of_steps(steps: Range<u64>) -> Self {
        let first = steps.start.saturating_add(1);
        Self {
            first,
            end: steps.end.saturating_add(1).max(first),
        }
    }

    /// Whether a spike detected in `step` lies in the window.
    #[inline]
    pub fn contains(&self, step: u64) -> bool {
        step >= self.first.saturating_sub(1) && step < self.end.saturating_sub(1)
    }

    /// Length in steps.
    pub fn steps(&self) -> u64 {
        self.end - self.first
    }

    /// Length in ms.
    pub fn duration_ms(&self, dt_ms: f64) -> f64 {
        self.steps() as f64 * dt_ms
    }

    /// Start in ms.
    pub fn start_ms(&self, dt_ms: f64) -> f64 {
        self.first as f64 * dt_ms
    }

    /// End in ms.
    pub fn end_ms(&self, dt_ms: f64) -> f64 {
        self.end as f64 * dt_ms
    }
}

impl<'a> Recording<'a> {
    /// The window that holds every recorded spike.
    pub fn window(&self) -> Window {
        Window::of_steps(self.start_step..self.end_step)
    }

    /// Number of neurons in all regions.
    pub fn neurons(&self) -> u64 {
        self.trains.iter().map(|t| u64::from(t.neurons)).sum()
    }

    /// Number of spikes in all regions.
    pub fn spikes(&self) -> u64 {
        self.trains.iter().map(|t| t.ids.len() as u64).sum()
    }

    /// Time in ms of a spike detected in `step`.
    pub fn time_ms(&self, step: u64) -> f64 {
        (step + 1) as f64 * self.dt_ms
    }

    /// The part of `window` that was recorded.
    ///
    /// It may start at the very moment at which recording began, so a window from 0 ms keeps its full
    /// length although the first spike can only come at dt.
    pub fn clip(&self, window: Window) -> Window {
        let first = window.first.max(self.start_step);
        Window {
            first,
            end: window.end.min(self.window().end).max(first),
        }
    }

    /// Number of spikes of one train in each bin of `bin_ms`, from the start of the window on.
    ///
    /// The window is clipped to the recording, and a last bin that it cuts short is left out. An edge that
    /// falls between two steps moves to the later one.
    pub fn counts(&self, train: usize, window: Window, bin_ms: f64) -> Vec<u32> {
        let window = self.clip(window);
        let train = &self.trains[train];
        let bins = Bins::new(bin_ms, self.dt_ms);
        let mut counts = vec![0; bins.complete(window.steps()) as usize];
        let (mut bin, mut edge) = (0, bins.edge(1));
        for &step in &train.steps[train.range(window)] {
            let elapsed = step + 1 - window.first;
            if elapsed >= edge {
                bin = bins.complete(elapsed);
                edge = bins.edge(bin + 1);
            }
            match counts.get_mut(bin as usize) {
                Some(count) => *count += 1,
                None => break,
            }
        }
        counts
    }

    /// Population rate of one train in bins of `bin_ms`: the mean rate of a neuron, in Hz.
    ///
    /// Where dt does not divide the bin, some bins hold a step more than others; the rate allows for that.
    pub fn rate_trace(&self, train: usize, window: Window, bin_ms: f64) -> RateTrace {
        let neurons = f64::from(self.trains[train].neurons.max(1));
        let bins = Bins::new(bin_ms, self.dt_ms);
        let values = (self.counts(train, window, bin_ms).into_iter().zip(0..))
            .map(|(count, bin)| {
                let width_ms = match bins.edge(bin + 1) - bins.edge(bin) {
                    steps if self.dt_ms <= bin_ms => steps as f64 * self.dt_ms,
                    _ => bin_ms,
                };
                (f64::from(count) / (neurons * width_ms * 1e-3)) as f32
            })
            .collect();
        RateTrace {
            region: self.trains[train].region.to_owned(),
            start_ms: self.clip(window).start_ms(self.dt_ms),
            bin_ms,
            values,
        }
    }

    /// Calls `visit(step, train, neurons)` for every step and region that has spikes in `window`.
    ///
    /// The order is that of the output files: step, then region, then neuron. `train` is the position in
    /// [`Recording::trains`].
    pub fn visit_steps(&self, window: Window, mut visit: impl FnMut(u64, usize, &[u32])) {
        let result: Result<(), std::convert::Infallible> =
            self.try_visit_steps(window, |step, train, ids| {
                visit(step, train, ids);
                Ok(())
            });
        let Ok(()) = result;
    }

    /// As [`Recording::visit_steps`], but stops at the first error.
    pub fn try_visit_steps<E>(
        &self,
        window: Window,
        mut visit: impl FnMut(u64, usize, &[u32]) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut cursors: Vec<usize> = Vec::with_capacity(self.trains.len());
        let mut trains: Vec<(&'a [u64], &'a [u32])> = Vec::with_capacity(self.trains.len());
        for train in &self.trains {
            let spikes = train.range(window);
            cursors.push(0);
            trains.push((&train.steps[spikes.clone()], &train.ids[spikes]));
        }
        let mut sorted = Vec::new();
        loop {
            let next = trains
                .iter()
                .zip(&cursors)
                .filter_map(|((steps, _), &at)| steps.get(at))
                .min();
            let Some(&step) = next else { return Ok(()) };
            for (train, ((steps, ids), at)) in trains.iter().zip(&mut cursors).enumerate() {
                let spikes = steps[*at..].iter().take_while(|&&s| s == step).count();
                if spikes == 0 {
                    continue;
                }
                let ids = &ids[*at..*at + spikes];
                *at += spikes;
                if ids.is_sorted() {
                    visit(step, train, ids)?;
                } else {
                    sorted.clear();
                    sorted.extend_from_slice(ids);
                    sorted.sort_unstable();
                    visit(step, train, &sorted)?;
                }
            }
        }
    }
}

impl SpikeTrain<'_> {
    /// Positions of the spikes that lie in `window`.
    pub fn range(&self, window: Window) -> Range<usize> {
        let length = self.steps.len().min(self.ids.len());
        let steps = &self.steps[..length];
        let first = steps.partition_point(|&step| step + 1 < window.first);
        let end = steps.partition_point(|&step| step + 1 < window.end);
        first..end.max(first)
    }
}

/// Equal bins over steps. Bin *i* holds the steps from edge *i* up to, not including, edge *i* + 1.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Bins {
    steps_per_bin: f64,
}

impl Bins {
    /// Bins of `bin_ms`. Both lengths must be positive.
    pub(crate) fn new(bin_ms: f64, dt_ms: f64) -> Self {
        let steps_per_bin = bin_ms / dt_ms;
        assert!(
            steps_per_bin.is_finite() && steps_per_bin > 1e-9,
            "bins of {bin_ms} ms need a positive length and a positive step, not {dt_ms} ms"
        );
        Self { steps_per_bin }
    }

    /// First step of bin `index`, counted from the start of the window.
    #[inline]
    pub(crate) fn edge(&self, index: u64) -> u64 {
        (index as f64 * self.steps_per_bin - STEP_TOLERANCE).ceil() as u64
    }

    /// How many bins lie wholly within the first `steps` steps; also the bin that holds step `steps`.
    pub(crate) fn complete(&self, steps: u64) -> u64 {
        let mut bins = ((steps as f64 + STEP_TOLERANCE) / self.steps_per_bin).floor() as u64;
        while bins > 0 && self.edge(bins) > steps {
            bins -= 1;
        }
        while self.edge(bins.saturating_add(1)) <= steps {
            bins = bins.saturating_add(1);
        }
        bins
    }
}

/// Whole steps until the first multiple of dt that is not before `time_ms`.
fn steps_until(time_ms: f64, dt_ms: f64) -> u64 {
    (time_ms / dt_ms - STEP_TOLERANCE).ceil().max(0.0) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn train<'a>(region: &'a str, steps: &'a [u64], ids: &'a [u32]) -> SpikeTrain<'a> {
        SpikeTrain {
            region,
            neurons: 10,
            steps,
            ids,
        }
    }

    fn recording<'a>(dt_ms: f64, end_step: u64, trains: Vec<SpikeTrain<'a>>) -> Recording<'a> {
        Recording {
            dt_ms,
            start_step: 0,
            end_step,
            trains,
        }
    }

    #[test]
    fn window_holds_its_start_and_not_its_end() {
        // At dt 0.1 ms the spike of step 1999 happens at 200.0 ms and that of step 9999 at 1000.0 ms.
        let window = Window::between_ms(200.0, 1000.0, 0.1);
        assert!(!window.contains(1998) && window.contains(1999));
        assert!(window.contains(9998) && !window.contains(9999));
        assert_eq!(window.steps(), 8000);
        assert!((window.duration_ms(0.1) - 800.0).abs() < 1e-9);
    }

    #[test]
    fn window_from_zero_keeps_its_full_length() {
        let window = Window::between_ms(0.0, 1000.0, 0.1);
        assert_eq!(window.steps(), 10_000);
        let recording = recording(0.1, 10_000, vec![]);
        assert_eq!(recording.clip(window), window);
        assert!(window.contains(0) && !window.contains(9999));
        assert!(recording.window().contains(0) && recording.window().contains(9999));
    }

    #[test]
    fn window_is_clipped_to_what_was_recorded() {
        let recording = Recording {
            start_step: 500,
            ..recording(1.0, 1000, vec![])
        };
        let clipped = recording.clip(Window::from_ms(0.0, 1.0));
        assert_eq!(
            clipped,
            Window {
                first: 500,
                end: 1001
            }
        );
        let elsewhere = recording.clip(Window::between_ms(2000.0, 3000.0, 1.0));
        assert_eq!(elsewhere.steps(), 0);
    }

    #[test]
    fn steps_that_decimals_cannot_hold_stay_whole() {
        for steps in 1..5000_u64 {
            for dt in [0.1, 0.05, 0.3125, 0.7, 1.0 / 3.0] {
                assert_eq!(steps_until(steps as f64 * dt, dt), steps, "{steps} of {dt}");
            }
        }
    }

    #[test]
    fn bins_partition_the_steps_for_any_dt() {
        for dt in [0.1, 0.3125, 0.25, 1.0, 2.0, 3.0, 0.7] {
            let bins = Bins::new(1.0, dt);
            for step in 0..3000 {
                let bin = bins.complete(step);
                assert!(
                    bins.edge(bin) <= step && step < bins.edge(bin + 1),
                    "{step} of {dt}"
                );
                // The step's time lies in the bin, up to the tolerance.
                let time = step as f64 * dt;
                assert!(
                    time > bin as f64 - 1e-5 && time < bin as f64 + 1.0,
                    "{step} of {dt}"
                );
            }
        }
    }

    #[test]
    fn counts_fill_the_bin_that_holds_the_time() {
        // dt 0.5 ms: times 0.5, 1.0, 1.0, 2.5, 3.0, 4.0 ms; the last lies outside [0, 4).
        let steps = [0, 1, 1, 4, 5, 7];
        let ids = [0, 1, 2, 3, 4, 5];
        let recording = recording(0.5, 8, vec![train("E", &steps, &ids)]);
        let window = Window::between_ms(0.0, 4.0, 0.5);
        assert_eq!(recording.counts(0, window, 1.0), [1, 2, 1, 1]);
        assert_eq!(recording.counts(0, window, 3.0), [4]);
        // Over everything the bins follow the steps: {0, 1}, {2, 3}, {4, 5}, {6, 7}.
        assert_eq!(recording.counts(0, recording.window(), 1.0), [3, 0, 2, 1]);
        let rate = recording.rate_trace(0, window, 1.0);
        assert_eq!(rate.values, [100.0, 200.0, 100.0, 100.0]);
    }

    #[test]
    fn visits_come_by_step_then_region_then_neuron() {
        let a = ([0, 2, 2, 9], [3, 7, 1, 0]);
        let b = ([2, 3], [5, 4]);
        let recording = recording(
            1.0,
            10,
            vec![train("A", &a.0, &a.1), train("B", &b.0, &b.1)],
        );
        let mut seen = Vec::new();
        recording.visit_steps(Window::of_steps(0..9), |step, train, ids| {
            seen.push((step, train, ids.to_vec()));
        });
        assert_eq!(
            seen,
            [
                (0, 0, vec![3]),
                (2, 0, vec![1, 7]),
                (2, 1, vec![5]),
                (3, 1, vec![4])
            ]
        );
    }

    #[test]
    fn steady_firing_has_a_steady_rate_for_any_dt() {
        let steps: Vec<u64> = (0..1000).collect();
        let ids = vec![0; 1000];
        for (dt_ms, hz) in [(0.1, 1000.0), (0.3125, 320.0), (0.7, 1000.0 / 7.0)] {
            let recording = recording(dt_ms, 1000, vec![train("E", &steps, &ids)]);
            let rate = recording.rate_trace(0, recording.window(), 1.0);
            assert!(rate.values.len() > 90);
            assert!(
                rate.values.iter().all(|value| (value - hz).abs() < 0.01),
                "{dt_ms}"
            );
        }
    }
}
