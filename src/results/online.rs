//! Statistics that run along with the simulation, in fixed memory.
//!
//! Per neuron 48 bytes: the number of spikes, the time of the last one, and the sum and sum of squares of
//! the intervals between them. Per region and for all regions together: the sum and sum of squares of the
//! spike counts in 1 ms and 3 ms bins. Everything is a whole number of steps or spikes, so the order in
//! which the spikes of one step arrive does not matter, and the results equal those of
//! [`statistics()`](super::statistics::statistics) on a recording, to the last bit.
//!
//! # Use
//!
//! After every step, call [`record_all`](OnlineStatistics::record_all) once per region with the spikes of
//! that step, then [`advance`](OnlineStatistics::advance) with the number of the next step. Steps never go
//! back; silent steps may be skipped, in `record_all` and in `advance`. Nothing is allocated after creation, except in
//! [`grow`](OnlineStatistics::grow).
//!
//! [`state`](OnlineStatistics::state) gives everything as plain integers for a snapshot.

use super::statistics::{
    ALL_REGIONS, FEWEST_SPIKES_FOR_CV, RegionStatistics, coefficient_of_variation, ratio,
    variance_over_mean,
};
use super::{Bins, Window};
use crate::sim::prefetch::ask_for;

/// Width of the bins of the Fano factor.
const FANO_BIN_MS: f64 = 1.0;
/// Width of the bins of the synchrony.
const SYNCHRONY_BIN_MS: f64 = 3.0;
/// First word of a saved state; raised when the layout changes.
const STATE_VERSION: u64 = 0x4e50_4f53_0000_0001;
/// Words in front of the neuron counts in a saved state.
const HEAD_WORDS: usize = 6;
/// Words per neuron in a saved state.
const NEURON_WORDS: usize = 5;
/// Words per pair of sums in a saved state.
const MOMENT_WORDS: usize = 3;
/// No count or time of a real run comes near this; larger ones mean a damaged state.
const LARGEST: u64 = 1 << 62;

/// Statistics of all regions, updated spike by spike.
#[derive(Clone, Debug, PartialEq)]
pub struct OnlineStatistics {
    dt_ms: f64,
    window: Window,
    /// Steps of the window that are complete.
    elapsed: u64,
    regions: Vec<Vec<NeuronSums>>,
    fano: BinSums,
    synchrony: BinSums,
}

/// A saved state that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the saved statistics cannot be used: {reason}; start them anew")]
pub struct StateError {
    /// What is wrong.
    pub reason: &'static str,
}

/// What is kept of one neuron; times and intervals in steps.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct NeuronSums {
    spikes: u64,
    last: u64,
    intervals: u64,
    squares: u128,
}

/// Spike counts per bin, for each region and for all.
#[derive(Clone, Debug, PartialEq)]
struct BinSums {
    bins: Bins,
    /// Bins that are complete.
    closed: u64,
    /// Steps after which the current bin is complete.
    next_edge: u64,
    /// Spikes of each region in the current bin.
    current: Vec<u64>,
    /// Sums over the complete bins: each region, then all together.
    moments: Vec<Moments>,
}

/// Sum and sum of squares.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Moments {
    sum: u64,
    squares: u128,
}

impl OnlineStatistics {
    /// Starts statistics for regions of the given sizes, over `window`; spikes outside it are ignored.
    ///
    /// `dt_ms` must be positive. [`Window::from_ms`] gives a window without an end.
    pub fn new(neurons: &[u32], dt_ms: f64, window: Window) -> Self {
        Self {
            dt_ms,
            window,
            elapsed: 0,
            regions: (neurons.iter())
                .map(|&count| vec![NeuronSums::default(); count as usize])
                .collect(),
            fano: BinSums::new(FANO_BIN_MS, dt_ms, neurons.len()),
            synchrony: BinSums::new(SYNCHRONY_BIN_MS, dt_ms, neurons.len()),
        }
    }

    /// Forgets everything and starts over with another window.
    pub fn restart(&mut self, window: Window) {
        self.window = window;
        self.elapsed = 0;
        self.regions
            .iter_mut()
            .for_each(|r| r.fill(NeuronSums::default()));
        self.fano.clear();
        self.synchrony.clear();
    }

    /// Makes room for neurons that a region gained. Regions never shrink here.
    pub fn grow(&mut self, region: usize, neurons: u32) {
        let region = &mut self.regions[region];
        region.resize(region.len().max(neurons as usize), NeuronSums::default());
    }

    /// The same statistics for regions that were changed: `regions` gives the size of each and its place here, if it has one.
    pub fn regrouped(&self, regions: &[(u32, Option<usize>)]) -> Self {
        Self {
            regions: (regions.iter())
                .map(|&(size, from)| {
                    let mut sums = from.map_or_else(Vec::new, |from| self.regions[from].clone());
                    sums.resize(size as usize, NeuronSums::default());
                    sums
                })
                .collect(),
            fano: self.fano.regrouped(regions),
            synchrony: self.synchrony.regrouped(regions),
            ..*self
        }
    }

    /// Takes in one spike that was detected in `step`.
    #[inline]
    pub fn record(&mut self, region: usize, neuron: u32, step: u64) {
        self.record_all(region, &[neuron], step);
    }

    /// Takes in the spikes of one region that were detected in `step`.
    pub fn record_all(&mut self, region: usize, neurons: &[u32], step: u64) {
        if !self.window.contains(step) || neurons.is_empty() {
            return;
        }
        let time = step + 1;
        self.close_bins(time - self.window.first);
        self.fano.current[region] += neurons.len() as u64;
        self.synchrony.current[region] += neurons.len() as u64;
        let region = &mut self.regions[region];
        // The sums of a large region are in no cache: all are asked for before any is waited for.
        for &neuron in neurons {
            ask_for(&raw const region[neuron as usize]);
        }
        for &neuron in neurons {
            region[neuron as usize].record(time);
        }
    }

    /// Says that every spike of the steps before `next_step` has been taken in.
    #[inline]
    pub fn advance(&mut self, next_step: u64) {
        let time = next_step.saturating_add(1).min(self.window.end);
        self.close_bins(time.saturating_sub(self.window.first));
    }

    /// Length of the window so far, in ms.
    pub fn elapsed_ms(&self) -> f64 {
        self.elapsed as f64 * self.dt_ms
    }

    /// The window that was asked for.
    pub fn window(&self) -> Window {
        self.window
    }

    /// Number of regions.
    pub fn regions(&self) -> usize {
        self.regions.len()
    }

    /// The numbers of one region so far. `name` is only copied into the result.
    pub fn region(&self, region: usize, name: &str) -> RegionStatistics {
        self.summarise(name, region, &self.regions[region..=region])
    }

    /// The numbers of all regions together so far.
    pub fn all(&self) -> RegionStatistics {
        self.summarise(ALL_REGIONS, self.regions.len(), &self.regions)
    }

    /// The rate of every neuron of a region so far, in Hz.
    pub fn neuron_rates(&self, region: usize) -> Vec<f64> {
        let seconds = self.elapsed_ms() * 1e-3;
        (self.regions[region].iter())
            .map(|neuron| ratio(neuron.spikes as f64, seconds))
            .collect()
    }

    /// `bin_index` is the region's place among the bins; the last place holds all regions.
    fn summarise(
        &self,
        name: &str,
        bin_index: usize,
        regions: &[Vec<NeuronSums>],
    ) -> RegionStatistics {
        let (mut spikes, mut silent, mut cv_sum, mut cv_neurons) = (0_u64, 0_u64, 0.0, 0_u64);
        for neuron in regions.iter().flatten() {
            spikes = spikes.saturating_add(neuron.spikes);
            silent += u64::from(neuron.spikes == 0);
            if let Some(cv) = neuron.cv() {
                cv_sum += cv;
                cv_neurons += 1;
            }
        }
        let neurons: u64 = regions.iter().map(|r| r.len() as u64).sum();
        RegionStatistics {
            region: name.to_owned(),
            neurons,
            spikes,
            rate_hz: ratio(spikes as f64, neurons as f64 * self.elapsed_ms() * 1e-3),
            cv_isi: (cv_neurons > 0).then(|| cv_sum / cv_neurons as f64),
            cv_neurons,
            silent_fraction: ratio(silent as f64, neurons as f64),
            fano_1ms: self.fano.variance_over_mean(bin_index),
            synchrony_3ms: self.synchrony.variance_over_mean(bin_index),
        }
    }

    #[inline]
    fn close_bins(&mut self, elapsed: u64) {
        self.elapsed = self.elapsed.max(elapsed);
        self.fano.close(elapsed);
        self.synchrony.close(elapsed);
    }

    /// Everything as integers, for a snapshot.
    ///
    /// In this order: version, bits of dt, first and end of the window, elapsed steps, number of regions; neurons
    /// of each region; for 1 ms and then 3 ms bins, the current counts and the sums; the sums of each neuron. A
    /// number of 128 bits takes two words, the low one first.
    pub fn state(&self) -> Vec<u64> {
        let mut words = vec![
            STATE_VERSION,
            self.dt_ms.to_bits(),
            self.window.first,
            self.window.end,
            self.elapsed,
            self.regions.len() as u64,
        ];
        words.extend(self.regions.iter().map(|region| region.len() as u64));
        for bins in [&self.fano, &self.synchrony] {
            words.extend(&bins.current);
            for m in &bins.moments {
                words.extend([m.sum, m.squares as u64, (m.squares >> 64) as u64]);
            }
        }
        for n in self.regions.iter().flatten() {
            let (low, high) = (n.squares as u64, (n.squares >> 64) as u64);
            words.extend([n.spikes, n.last, n.intervals, low, high]);
        }
        words
    }

    /// Whether this can take the place of `other` after `steps` steps: it is of the same network, step and window, and of no later time.
    pub fn fits(&self, other: &Self, steps: u64) -> bool {
        let sizes = |one: &Self| one.regions.iter().map(Vec::len).collect::<Vec<_>>();
        let mut neurons = self.regions.iter().flatten();
        self.dt_ms.to_bits() == other.dt_ms.to_bits()
            && self.window == other.window
            && sizes(self) == sizes(other)
            && self.elapsed <= (steps + 1).saturating_sub(self.window.first)
            && neurons.all(|neuron| neuron.last <= steps)
    }

    /// Goes on from a saved state.
    pub fn from_state(state: &[u64]) -> Result<Self, StateError> {
        let wrong = |reason| StateError { reason };
        let damaged = || wrong("they are damaged or cut short");
        let Some((head, rest)) = state.split_first_chunk::<HEAD_WORDS>() else {
            return Err(damaged());
        };
        let &[version, dt, first, end, elapsed, count] = head;
        if version != STATE_VERSION {
            return Err(wrong("they were saved by another version"));
        }
        let dt_ms = f64::from_bits(dt);
        let sound_dt = dt_ms > 1e-9 && dt_ms < 1e6;
        if !sound_dt || first > end || elapsed > (end - first).min(LARGEST) || first > LARGEST {
            return Err(damaged());
        }
        if count > rest.len() as u64 {
            return Err(damaged());
        }
        let count = count as usize;
        let (sizes, rest) = rest.split_at(count);
        let bin_words = 2 * (count + (count + 1) * MOMENT_WORDS);
        let neurons: u128 = sizes.iter().map(|&size| u128::from(size)).sum();
        let expected = bin_words as u128 + neurons * NEURON_WORDS as u128;
        if rest.len() as u128 != expected || sizes.iter().any(|&n| n > u64::from(u32::MAX)) {
            return Err(damaged());
        }

        let (bins, neurons) = rest.split_at(bin_words);
        let (fano, synchrony) = bins.split_at(bin_words / 2);
        let read_bins = |width, words| BinSums::from_state(width, dt_ms, elapsed, count, words);
        let mut neurons = neurons.chunks_exact(NEURON_WORDS);
        let mut regions = Vec::with_capacity(count);
        for &size in sizes {
            let region: Option<Vec<_>> = (neurons.by_ref().take(size as usize))
                .map(|words| NeuronSums::from_state(words, first + elapsed))
                .collect();
            regions.push(region.ok_or_else(damaged)?);
        }
        Ok(Self {
            dt_ms,
            window: Window { first, end },
            elapsed,
            regions,
            fano: read_bins(FANO_BIN_MS, fano).ok_or_else(damaged)?,
            synchrony: read_bins(SYNCHRONY_BIN_MS, synchrony).ok_or_else(damaged)?,
        })
    }
}

impl NeuronSums {
    #[inline]
    fn record(&mut self, time: u64) {
        if self.spikes > 0 {
            debug_assert!(time >= self.last, "spikes must come in time order");
            let interval = time.saturating_sub(self.last);
            self.intervals += interval;
            self.squares += u128::from(interval) * u128::from(interval);
        }
        self.last = time;
        self.spikes += 1;
    }

    fn cv(&self) -> Option<f64> {
        if self.spikes < FEWEST_SPIKES_FOR_CV {
            return None;
        }
        coefficient_of_variation(self.spikes - 1, self.intervals, self.squares)
    }

    fn from_state(words: &[u64], now: u64) -> Option<Self> {
        let &[spikes, last, intervals, low, high] = words else {
            return None;
        };
        // A spike may have been recorded in the step that is not complete yet.
        let sound = spikes < LARGEST
            && last <= now.saturating_add(1)
            && intervals <= last
            && high < LARGEST;
        sound.then(|| Self {
            spikes,
            last,
            intervals,
            squares: u128::from(low) | u128::from(high) << 64,
        })
    }
}

impl BinSums {
    fn regrouped(&self, regions: &[(u32, Option<usize>)]) -> Self {
        let places = || regions.iter().map(|(_, from)| *from);
        let all = self.moments.last().copied().unwrap_or_default();
        let moment = |from: Option<usize>| from.map_or(Moments::default(), |i| self.moments[i]);
        Self {
            bins: self.bins,
            current: places()
                .map(|from| from.map_or(0, |i| self.current[i]))
                .collect(),
            moments: places().map(moment).chain([all]).collect(),
            ..*self
        }
    }

    fn new(bin_ms: f64, dt_ms: f64, regions: usize) -> Self {
        let bins = Bins::new(bin_ms, dt_ms);
        Self {
            bins,
            closed: 0,
            next_edge: bins.edge(1),
            current: vec![0; regions],
            moments: vec![Moments::default(); regions + 1],
        }
    }

    fn clear(&mut self) {
        self.closed = 0;
        self.next_edge = self.bins.edge(1);
        self.current.fill(0);
        self.moments.fill(Moments::default());
    }

    /// Completes the bins that end within `elapsed` steps. All but the first of them are empty.
    #[inline]
    fn close(&mut self, elapsed: u64) {
        if elapsed < self.next_edge {
            return;
        }
        let mut all = 0;
        for (current, moments) in self.current.iter_mut().zip(&mut self.moments) {
            moments.add(*current);
            all += *current;
            *current = 0;
        }
        if let Some(moments) = self.moments.last_mut() {
            moments.add(all);
        }
        self.closed = self.bins.complete(elapsed);
        self.next_edge = self.bins.edge(self.closed + 1);
    }

    fn variance_over_mean(&self, index: usize) -> Option<f64> {
        let moments = self.moments[index];
        variance_over_mean(self.closed, moments.sum, moments.squares)
    }

    fn from_state(
        bin_ms: f64,
        dt_ms: f64,
        elapsed: u64,
        regions: usize,
        words: &[u64],
    ) -> Option<Self> {
        let mut sums = Self::new(bin_ms, dt_ms, regions);
        let (current, moments) = words.split_at(regions);
        sums.current.copy_from_slice(current);
        for (moments, words) in sums
            .moments
            .iter_mut()
            .zip(moments.chunks_exact(MOMENT_WORDS))
        {
            moments.sum = words[0];
            moments.squares = u128::from(words[1]) | u128::from(words[2]) << 64;
        }
        sums.closed = sums.bins.complete(elapsed);
        sums.next_edge = sums.bins.edge(sums.closed + 1);
        let counts = sums
            .current
            .iter()
            .copied()
            .chain(sums.moments.iter().map(|m| m.sum));
        let sound = counts.max()? < LARGEST / (regions as u64 + 1)
            && sums
                .moments
                .iter()
                .all(|m| m.squares >> 64 < u128::from(LARGEST));
        sound.then_some(sums)
    }
}

impl Moments {
    #[inline]
    fn add(&mut self, count: u64) {
        self.sum += count;
        self.squares += u128::from(count) * u128::from(count);
    }
}

#[cfg(test)]
mod tests {
    use super::super::statistics::statistics;
    use super::super::{Recording, SpikeTrain};
    use super::*;
    use proptest::prelude::*;

    type Spikes = (Vec<u64>, Vec<u32>);

    fn spikes(neurons: u32) -> impl Strategy<Value = Spikes> {
        prop::collection::vec((0..2000_u64, 0..neurons), 0..300).prop_map(|mut spikes| {
            spikes.sort();
            spikes.into_iter().unzip()
        })
    }

    fn recording<'a>(dt_ms: f64, e: &'a Spikes, i: &'a Spikes) -> Recording<'a> {
        let train = |region, neurons, spikes: &'a Spikes| SpikeTrain {
            region,
            neurons,
            steps: &spikes.0,
            ids: &spikes.1,
        };
        Recording {
            dt_ms,
            start_step: 0,
            end_step: 2000,
            trains: vec![train("E", 9, e), train("I", 4, i)],
        }
    }

    /// Steps through the recording as a simulation would; regions and neurons in reverse order.
    fn run(online: &mut OnlineStatistics, recording: &Recording, steps: std::ops::Range<u64>) {
        for step in steps {
            for (region, train) in recording.trains.iter().enumerate().rev() {
                let range = train.range(Window::of_steps(step..step + 1));
                let mut ids = train.ids[range].to_vec();
                ids.reverse();
                for &id in &ids {
                    online.record(region, id, step);
                }
            }
            online.advance(step + 1);
        }
    }

    proptest! {
        #[test]
        fn online_equals_batch_to_the_last_bit(
            e in spikes(9),
            i in spikes(4),
            dt in prop::sample::select(vec![0.1, 0.3125, 1.0, 0.7, 2.0]),
            start in 0.0..100.0_f64,
            length in 0.0..200.0_f64,
        ) {
            let recording = recording(dt, &e, &i);
            let window = Window::between_ms(start, start + length, dt);
            let mut online = OnlineStatistics::new(&[9, 4], dt, window);
            run(&mut online, &recording, 0..2000);
            let batch = statistics(&recording, window);
            prop_assert_eq!(&online.region(0, "E"), &batch.regions[0]);
            prop_assert_eq!(&online.region(1, "I"), &batch.regions[1]);
            prop_assert_eq!(&online.all(), &batch.all);
        }

        #[test]
        fn saved_statistics_go_on_as_if_never_interrupted(
            e in spikes(9),
            i in spikes(4),
            cut in 0..2000_u64,
        ) {
            let recording = recording(0.1, &e, &i);
            let mut whole = OnlineStatistics::new(&[9, 4], 0.1, Window::from_ms(20.0, 0.1));
            run(&mut whole, &recording, 0..cut);
            let mut resumed = OnlineStatistics::from_state(&whole.state()).unwrap();
            prop_assert_eq!(&resumed, &whole);
            run(&mut whole, &recording, cut..2000);
            run(&mut resumed, &recording, cut..2000);
            prop_assert_eq!(resumed, whole);
        }

        #[test]
        fn damaged_state_is_refused_or_harmless(
            e in spikes(9),
            at in 0..100_usize,
            word in prop::sample::select(vec![0, 1, 7, u64::from(u32::MAX), 1 << 63, u64::MAX]),
            keep in 0..100_usize,
        ) {
            let none = Spikes::default();
            let recording = recording(0.1, &e, &none);
            let mut online = OnlineStatistics::new(&[9, 4], 0.1, Window::from_ms(0.0, 0.1));
            run(&mut online, &recording, 0..1000);
            let mut state = online.state();
            prop_assert!(OnlineStatistics::from_state(&state[..keep.min(state.len() - 1)]).is_err());
            let at = at % state.len();
            state[at] = word;
            if let Ok(mut online) = OnlineStatistics::from_state(&state) {
                online.advance(1_000_000);
                online.all();
                if online.regions() == 2 {
                    online.region(1, "I");
                }
            }
        }
    }

    #[test]
    fn long_silence_closes_empty_bins() {
        let mut online = OnlineStatistics::new(&[1], 0.1, Window::from_ms(0.0, 0.1));
        online.record(0, 0, 4);
        online.advance(99_999);
        // One spike in 10,000 bins: variance/mean = 1 - mean.
        let fano = online.region(0, "E").fano_1ms.unwrap();
        assert!((fano - 0.9999).abs() < 1e-12, "{fano}");
        assert_eq!(online.elapsed_ms(), 10_000.0);
        assert_eq!(online.neuron_rates(0), [0.1]);
    }

    #[test]
    fn restart_forgets_and_grow_keeps() {
        let window = Window::from_ms(0.0, 1.0);
        let mut online = OnlineStatistics::new(&[2], 1.0, window);
        online.record(0, 1, 3);
        online.grow(0, 4);
        online.record(0, 3, 5);
        online.advance(9);
        let grown = online.region(0, "E");
        assert_eq!(
            (grown.neurons, grown.spikes, grown.silent_fraction),
            (4, 2, 0.5)
        );
        online.restart(Window::from_ms(20.0, 1.0));
        assert_eq!(
            online,
            OnlineStatistics::new(&[4], 1.0, Window::from_ms(20.0, 1.0))
        );
        online.record(0, 0, 10);
        assert_eq!(online.all().spikes, 0);
    }

    #[test]
    fn two_spikes_in_one_step_are_an_interval_of_zero() {
        let mut online = OnlineStatistics::new(&[1], 1.0, Window::from_ms(0.0, 1.0));
        for step in [1, 1, 3, 3] {
            online.record(0, 0, step);
        }
        // Intervals 0, 2, 0: mean 2/3, variance 8/9.
        let cv = online.all().cv_isi.unwrap();
        assert!((cv - 2.0_f64.sqrt()).abs() < 1e-12);
        // All at once: no interval, no CV.
        online.restart(Window::from_ms(0.0, 1.0));
        online.record_all(0, &[0, 0, 0, 0, 0], 1);
        assert_eq!(online.all().cv_isi, None);
    }
}
