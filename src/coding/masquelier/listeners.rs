//! Neurons that listen to the stimulus, slot by slot.

use super::{MasquelierStimulus, Slot, SlotStream, StimulusError};
use crate::neurons::srm::{Arrival, SrmPopulation};

/// A stimulus and the neurons that all its afferents reach.
///
/// ```
/// use neuropil::coding::masquelier::{Listeners, MasquelierStimulus};
/// use neuropil::neurons::srm::{AfferentSynapses, SrmParameters, SrmPopulation, Stdp};
///
/// let stimulus = MasquelierStimulus::default();
/// let synapses = AfferentSynapses::dense(stimulus.afferents, 1, |_, _| 0.475);
/// let neuron = SrmPopulation::new(SrmParameters::default(), Stdp::default(), synapses)?;
/// let mut listeners = Listeners::new(&stimulus, neuron)?;
/// let spikes: usize = (0..20).map(|_| listeners.next_slot().1.len()).sum();
/// assert!((55..70).contains(&spikes), "{spikes} in the first second");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Listeners {
    stream: SlotStream,
    neurons: SrmPopulation,
    arrivals: Vec<Arrival>,
    spikes: Vec<(f64, u32)>,
}

impl Listeners {
    /// Neurons at t = 0 before the first slot.
    ///
    /// # Errors
    /// If a parameter of the stimulus is out of range, or if the neurons have another number of afferents.
    pub fn new(
        stimulus: &MasquelierStimulus,
        neurons: SrmPopulation,
    ) -> Result<Self, StimulusError> {
        if neurons.synapses().afferents() != stimulus.afferents as usize {
            return Err(StimulusError {
                field: "afferents",
                value: stimulus.afferents.into(),
                allowed: "as many as the neurons have",
            });
        }
        Ok(Self {
            stream: SlotStream::new(stimulus)?,
            neurons,
            arrivals: Vec::new(),
            spikes: Vec::new(),
        })
    }

    /// The stimulus.
    pub fn stream(&self) -> &SlotStream {
        &self.stream
    }

    /// The neurons.
    pub fn neurons(&self) -> &SrmPopulation {
        &self.neurons
    }

    /// The neurons, to be changed between two slots.
    pub fn neurons_mut(&mut self) -> &mut SrmPopulation {
        &mut self.neurons
    }

    /// The spikes of the afferents in the last slot.
    pub fn arrivals(&self) -> &[Arrival] {
        &self.arrivals
    }

    /// Presents the next slot; what it was, and the neurons' spikes in it: time in ms and neuron, in their order.
    pub fn next_slot(&mut self) -> (Slot, &[(f64, u32)]) {
        let slot = self.stream.next_slot(&mut self.arrivals);
        self.spikes.clear();
        self.neurons
            .advance(slot.start_ms, slot.end_ms, &self.arrivals, &mut self.spikes);
        (slot, &self.spikes)
    }

    /// As [`Self::next_slot`], with a look at the neurons after each part of it; the spikes are the same. `look` is given the time in ms.
    pub fn next_slot_in_parts(
        &mut self,
        parts: u32,
        mut look: impl FnMut(f64, &SrmPopulation),
    ) -> (Slot, &[(f64, u32)]) {
        let slot = self.stream.next_slot(&mut self.arrivals);
        self.spikes.clear();
        let mut from_ms = slot.start_ms;
        let mut arrivals = &self.arrivals[..];
        for part in 1..=parts.max(1) {
            let share = f64::from(part) / f64::from(parts.max(1));
            let to_ms = slot.start_ms + share * (slot.end_ms - slot.start_ms);
            let (now, later) = arrivals.split_at(arrivals.partition_point(|a| a.time_ms <= to_ms));
            self.neurons.advance(from_ms, to_ms, now, &mut self.spikes);
            look(to_ms, &self.neurons);
            (from_ms, arrivals) = (to_ms, later);
        }
        (slot, &self.spikes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::neurons::srm::{AfferentSynapses, SrmParameters, Stdp};

    fn listeners(afferents: u32) -> Result<Listeners, StimulusError> {
        let synapses = AfferentSynapses::dense(afferents, 2, |a, n| {
            if (a + n).is_multiple_of(2) { 0.6 } else { 0.4 }
        });
        let parameters = SrmParameters {
            alpha: 0.25,
            ..Default::default()
        };
        let neurons = SrmPopulation::new(parameters, Stdp::default(), synapses).unwrap();
        Listeners::new(&MasquelierStimulus::default(), neurons)
    }

    #[test]
    fn looking_changes_no_spike() {
        let (mut plain, mut watched) = (listeners(2000).unwrap(), listeners(2000).unwrap());
        let mut spikes = 0;
        for _ in 0..40 {
            let mut looks = Vec::new();
            let (slot, expected) = plain.next_slot();
            let (same, found) = watched.next_slot_in_parts(7, |time, neurons| {
                assert!(neurons.potential(0, time).unwrap() < 2.0 * 500.0);
                looks.push(time);
            });
            assert_eq!((same, found), (slot, expected));
            assert_eq!((looks.len(), looks[6]), (7, slot.end_ms));
            spikes += expected.len();
        }
        assert!(spikes > 100, "{spikes}");
        assert_eq!(
            plain.neurons().synapses().weights(),
            watched.neurons().synapses().weights()
        );
    }

    #[test]
    fn neurons_with_other_afferents_are_refused() {
        assert!(listeners(1999).is_err());
    }
}
