//! One neuron finds a repeating pattern (Masquelier, Guyonneau & Thorpe 2008), through the public parts alone. `neuropil experiment
//! masquelier2008` runs the whole protocol.

use neuropil::coding::detection::Detection;
use neuropil::coding::masquelier::{Listeners, MasquelierStimulus};
use neuropil::neurons::srm::{AfferentSynapses, SrmParameters, SrmPopulation, Stdp};

/// Published: about 63 Hz at first, selective after 13.5 s or 700 spikes; in the end all large weights belong to afferents of the pattern.
#[test]
fn the_neuron_becomes_selective_within_seconds() {
    let stimulus = MasquelierStimulus {
        seed: 2,
        ..Default::default()
    };
    let synapses = AfferentSynapses::dense(stimulus.afferents, 1, |_, _| 0.475);
    let neuron = SrmPopulation::new(SrmParameters::default(), Stdp::default(), synapses)
        .expect("valid parameters");
    let mut listeners = Listeners::new(&stimulus, neuron).expect("valid parameters");
    let mut end = Detection::new(1, 1);
    // Spikes in the first second, all so far, and time and number at the last one outside a presentation.
    let (mut first, mut spikes, mut found) = (0, 0, (0.0, 0));
    for _ in 0..40 * 20 {
        let (slot, fired) = listeners.next_slot();
        spikes += fired.len();
        if slot.end_ms <= 1000.0 {
            first = spikes;
        }
        if slot.pattern.is_none() && !fired.is_empty() {
            found = (slot.end_ms, spikes);
        }
        if slot.start_ms >= 30e3 {
            end.see(&slot, fired);
        }
    }
    assert!((58..=68).contains(&first), "{first} Hz at first");
    assert!((8e3..20e3).contains(&found.0), "found after {} ms", found.0);
    assert!(
        (400..1000).contains(&found.1),
        "found after {} spikes",
        found.1
    );
    let score = end.score(0, 0);
    assert!(
        score.hit_rate > 0.95 && score.false_alarms == 0,
        "{score:?}"
    );
    let (of_pattern, others) = listeners.neurons().synapses().weights().split_at(1000);
    let large = |weights: &[f32]| weights.iter().filter(|&&w| w > 0.5).count();
    let (of_pattern, others) = (large(of_pattern), large(others));
    assert!(
        of_pattern > 200 && others * 10 < of_pattern,
        "{of_pattern} {others}"
    );
}
