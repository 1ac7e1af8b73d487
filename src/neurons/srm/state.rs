//! Everything that time changes in a population, weights apart, as plain columns.

use super::SrmError;
use super::kernel::{Course, Kernel};

/// The state of a population: what a snapshot keeps, beside the weights and the [`Winners`](super::Winners).
///
/// The potential of neuron n at t is `slow[n]`·e^{−s/τm} + `fast[n]`·e^{−s/τs} + `drive[n]` with s = t − `time_ms[n]`.
#[derive(Clone, Debug, PartialEq)]
pub struct SrmState {
    /// Until when the population has been advanced, in ms.
    pub clock_ms: f64,
    /// The part of each neuron's potential that decays with τm.
    pub slow: Vec<f64>,
    /// The part of each neuron's potential that decays with τs.
    pub fast: Vec<f64>,
    /// When `slow` and `fast` were so, in ms: the neuron's last event.
    pub time_ms: Vec<f64>,
    /// The potential that each neuron's external current holds it at, R I.
    pub drive: Vec<f64>,
    /// The last spike of each neuron in ms; −∞ before the first.
    pub last_spike_ms: Vec<f64>,
    /// The end of each neuron's refractory period in ms; −∞ before the first.
    pub refractory_until_ms: Vec<f64>,
    /// What the spikes of each neuron have left at its last one, for depression: 1, or with all-to-all pairing the sum of all.
    pub spike_trace: Vec<f64>,
    /// Whether each neuron has been below the threshold since it last reached it, and so may fire.
    pub armed: Vec<bool>,
    /// Whether each neuron is kept from firing of itself.
    pub silenced: Vec<bool>,
    /// The last spike of each afferent in ms; −∞ before the first.
    pub last_arrival_ms: Vec<f64>,
    /// What the spikes of each afferent have left at its last one, for potentiation.
    pub arrival_trace: Vec<f64>,
    /// Spikes to come that are forced upon neurons: time in ms and neuron, ascending.
    pub forced: Vec<(f64, u32)>,
}

impl SrmState {
    /// Neurons at rest, at t = 0.
    pub(super) fn new(neurons: usize, afferents: usize) -> Self {
        Self {
            clock_ms: 0.0,
            slow: vec![0.0; neurons],
            fast: vec![0.0; neurons],
            time_ms: vec![0.0; neurons],
            drive: vec![0.0; neurons],
            last_spike_ms: vec![f64::NEG_INFINITY; neurons],
            refractory_until_ms: vec![f64::NEG_INFINITY; neurons],
            spike_trace: vec![0.0; neurons],
            armed: vec![true; neurons],
            silenced: vec![false; neurons],
            last_arrival_ms: vec![f64::NEG_INFINITY; afferents],
            arrival_trace: vec![0.0; afferents],
            forced: Vec::new(),
        }
    }

    /// Appends a neuron at rest.
    pub(super) fn push_neuron(&mut self) {
        let time = self.time_ms.last().copied().unwrap_or(self.clock_ms);
        self.slow.push(0.0);
        self.fast.push(0.0);
        self.time_ms.push(time);
        self.drive.push(0.0);
        self.last_spike_ms.push(f64::NEG_INFINITY);
        self.refractory_until_ms.push(f64::NEG_INFINITY);
        self.spike_trace.push(0.0);
        self.armed.push(true);
        self.silenced.push(false);
    }

    /// The numbers of a population that keeps no synapses itself, for a snapshot.
    pub(super) fn to_numbers(&self) -> Vec<u64> {
        let mut out = vec![self.clock_ms.to_bits(), self.forced.len() as u64];
        for column in self.by_neuron() {
            out.extend(column.iter().map(|v| v.to_bits()));
        }
        out.extend(self.armed.iter().map(|v| u64::from(*v)));
        out.extend(self.silenced.iter().map(|v| u64::from(*v)));
        out.extend(
            (self.forced.iter()).flat_map(|(ms, neuron)| [ms.to_bits(), u64::from(*neuron)]),
        );
        out
    }

    /// What [`to_numbers`](Self::to_numbers) gave, of so many neurons, and the numbers that are left over. `None` if there are too few.
    pub(super) fn from_numbers(numbers: &[u64], neurons: usize) -> Option<(Self, &[u64])> {
        let ([clock_ms, forced], mut rest) = numbers.split_first_chunk()?;
        let mut next = |count: usize| {
            let (first, others) = rest.split_at_checked(count)?;
            rest = others;
            Some(first)
        };
        let mut state = Self::new(neurons, 0);
        state.clock_ms = f64::from_bits(*clock_ms);
        for column in state.by_neuron_mut() {
            for (value, bits) in column.iter_mut().zip(next(neurons)?) {
                *value = f64::from_bits(*bits);
            }
        }
        for column in [&mut state.armed, &mut state.silenced] {
            for (value, bit) in column.iter_mut().zip(next(neurons)?) {
                *value = *bit != 0;
            }
        }
        let forced = next(usize::try_from(*forced).ok()?.checked_mul(2)?)?;
        for [ms, neuron] in forced.as_chunks().0 {
            (state.forced).push((f64::from_bits(*ms), u32::try_from(*neuron).ok()?));
        }
        Some((state, rest))
    }

    fn by_neuron(&self) -> [&Vec<f64>; 7] {
        [
            &self.slow,
            &self.fast,
            &self.time_ms,
            &self.drive,
            &self.last_spike_ms,
            &self.refractory_until_ms,
            &self.spike_trace,
        ]
    }

    fn by_neuron_mut(&mut self) -> [&mut Vec<f64>; 7] {
        [
            &mut self.slow,
            &mut self.fast,
            &mut self.time_ms,
            &mut self.drive,
            &mut self.last_spike_ms,
            &mut self.refractory_until_ms,
            &mut self.spike_trace,
        ]
    }

    /// Whether the columns have the lengths of a population and hold numbers that one can have.
    pub(super) fn check(&self, neurons: usize, afferents: usize) -> Result<(), SrmError> {
        let by_neuron: [(&'static str, &[f64], bool); 7] = [
            ("slow", &self.slow, false),
            ("fast", &self.fast, false),
            ("time_ms", &self.time_ms, false),
            ("drive", &self.drive, false),
            ("last_spike_ms", &self.last_spike_ms, true),
            ("refractory_until_ms", &self.refractory_until_ms, true),
            ("spike_trace", &self.spike_trace, false),
        ];
        let by_afferent = [
            ("last_arrival_ms", &self.last_arrival_ms[..], true),
            ("arrival_trace", &self.arrival_trace, false),
        ];
        let columns = by_neuron
            .iter()
            .map(|&(field, column, never)| (field, column, never, neurons))
            .chain(by_afferent.map(|(field, column, never)| (field, column, never, afferents)));
        for (field, column, never, wanted) in columns {
            length(field, column.len(), wanted)?;
            let bad = |v: &&f64| !(v.is_finite() || (never && **v == f64::NEG_INFINITY));
            if let Some(&value) = column.iter().find(bad) {
                let allowed = if never { "finite or −∞" } else { "finite" };
                return Err(SrmError::Value {
                    field,
                    value,
                    allowed,
                });
            }
        }
        length("armed", self.armed.len(), neurons)?;
        length("silenced", self.silenced.len(), neurons)?;
        if !self.clock_ms.is_finite() {
            return Err(SrmError::Value {
                field: "clock_ms",
                value: self.clock_ms,
                allowed: "finite",
            });
        }
        for &(time_ms, neuron) in &self.forced {
            if neuron as usize >= neurons {
                return Err(SrmError::Neuron {
                    neuron,
                    neurons: neurons as u32,
                });
            }
            if !(time_ms >= self.clock_ms) {
                return Err(SrmError::Past {
                    time_ms,
                    clock_ms: self.clock_ms,
                });
            }
        }
        Ok(())
    }

    /// The course of a neuron's potential since its last event.
    pub(super) fn course(&self, neuron: usize) -> Course {
        Course {
            slow: self.slow[neuron],
            fast: self.fast[neuron],
            drive: self.drive[neuron],
        }
    }

    /// Moves a neuron's state on to `ms`, nothing having happened in between.
    pub(super) fn move_to(&mut self, kernel: &Kernel, neuron: usize, ms: f64) {
        let moved = kernel.after(self.course(neuron), ms - self.time_ms[neuron]);
        self.slow[neuron] = moved.slow;
        self.fast[neuron] = moved.fast;
        self.time_ms[neuron] = ms;
    }

    /// Looks at a neuron right after an event: when it is due to be looked at again at the latest, in ms, and whether that takes more than a
    /// look at its potential.
    pub(super) fn reconsider(&mut self, kernel: &Kernel, neuron: usize) -> (f64, bool) {
        let Course { slow, fast, drive } = self.course(neuron);
        let time = self.time_ms[neuron];
        self.armed[neuron] |= slow + fast + drive < kernel.threshold;
        if self.silenced[neuron] {
            return (f64::INFINITY, true);
        }
        let until = self.may_fire_from(kernel, neuron);
        if !self.armed[neuron] || until > time || drive >= kernel.threshold {
            return (until.max(time), true);
        }
        (time + kernel.earliest(slow, fast, drive), false)
    }

    /// From when on a neuron may fire of itself, in ms.
    fn may_fire_from(&self, kernel: &Kernel, neuron: usize) -> f64 {
        let until = self.refractory_until_ms[neuron];
        match self.last_spike_ms[neuron] >= kernel.hold.0 {
            true => until.max(kernel.hold.1),
            false => until,
        }
    }

    /// When a neuron reaches the threshold if nothing more happens, in ms; ∞ if never.
    pub(super) fn crossing_ms(&self, kernel: &Kernel, neuron: usize) -> f64 {
        if self.silenced[neuron] {
            return f64::INFINITY;
        }
        let time = self.time_ms[neuron];
        let from = time.max(self.may_fire_from(kernel, neuron));
        let course = kernel.after(self.course(neuron), from - time);
        from + kernel.crossing(course, self.armed[neuron])
    }
}

pub(super) fn length(field: &'static str, found: usize, wanted: usize) -> Result<(), SrmError> {
    if found == wanted {
        Ok(())
    } else {
        Err(SrmError::Length {
            field,
            found,
            wanted,
        })
    }
}
