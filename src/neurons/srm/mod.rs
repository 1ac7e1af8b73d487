//! Spike response neurons with plastic afferents, resolved in continuous time.
//!
//! ```text
//! u(t) = η(t − t̂) + Σ w_j ε(t − t_j) + Σ μ(t − t_k) + R I (1 − e^{−(t−t̂)/τm})      over t_j, t_k > t̂
//!
//! ε(s) = K (e^{−s/τm} − e^{−s/τs})                           K such that the peak is 1
//! η(s) = T [K1 e^{−s/τm} − K2 (e^{−s/τm} − e^{−s/τs})]
//! μ(s) = −α T ε(s)
//! u reaches T from below: spike, t̂ is now
//! ```
//!
//! | symbol | field of [`SrmParameters`] | default | unit |
//! |---|---|---|---|
//! | T | `threshold` | 500 | that of u |
//! | τm, τs | `tau_m`, `tau_s` | 10, 2.5 | ms |
//! | K1, K2 | `k1`, `k2` | 2, 4 | 1 |
//! | α | `alpha` | 0 | 1 |
//! | | `t_ref` | 0 | ms |
//! | R I | [`SrmState::drive`] | 0 | that of u |
//!
//! t̂ is the neuron's last spike, t_j the spikes of its afferents, t_k the spikes of the other neurons of the population. **A spike clears
//! the sums**: what arrived before it, excitation and lateral inhibition alike, is dropped and η takes over, as in the programs of the
//! papers. η begins at K1 T, above the threshold, so the threshold counts from below: a neuron must have been under it since its spike, or
//! its refractory period must have ended. During the refractory period the excitation that arrives is dropped too (it still drives
//! plasticity); inhibition is not.
//!
//! **Integration**: exact and event-driven. Every kernel is a sum of the same two exponentials, so a neuron is two numbers and a time, and
//! an afferent spike costs O(1) for each of its synapses. Between events u has at most one extremum, in closed form: whether
//! the threshold is reached is known without search, and when is found by Newton's method to 10⁻¹² ms. Spikes of the neurons act within the call
//! in which they happen. The result does not depend on how time is cut into calls, not by one bit.
//!
//! **Order**: of all that happens at one instant, the neurons' spikes come first, by index (or by the [`Winners`]' order), then the afferents'
//! spikes by index. So an afferent spike at the very time of a neuron's spike counts as later.
//!
//! **Plasticity**: see [`Stdp`]. **Competition**: `alpha`, or [`Winners`].
//!
//! **As a region of a network**: [`Srm`]. It is stepped from event to event inside `Integrate`. Spikes carry offsets inside the step
//! ([`Offsets`](crate::network::region::Offsets)), kept to 1/4096 of it, from other such regions and from
//! [`SpikeSource`](super::spike_source::SpikeSource) and [`HiddenPatterns`](super::hidden_patterns::HiddenPatterns); all others come at the end of their step. Projections onto it may have any learning rule
//! but those that follow membranes, modulated or not, with upkeep and short-term dynamics, frozen, reset or restricted as everywhere: see
//! [`exact`](crate::plasticity::exact). With
//! `Stdp(pairing: Reduced, order: SendThenChange)` that is the rule of the papers. Delays are whole steps and all axonal. The receptor is
//! `input`, of either sign; a current is R I. A neuron spikes once in a step at most: what would be its second spike waits for the end. The column `v` is u at the end of the step. A forced spike comes at the end of its step; a neuron that
//! is silent no longer fires at once if it is above the threshold.
//!
//! **Not modelled**: kernels of other shapes; as a region, parameters that differ from neuron to neuron, and responses or dendritic delays
//! onto it. As a population of the library, synaptic delays.
//!
//! **Source**: Masquelier, Guyonneau & Thorpe 2008, PLoS ONE 3:e1377, doi:10.1371/journal.pone.0001377; with lateral inhibition 2009, Neural
//! Computation 21:1259, doi:10.1162/neco.2008.06-08-804; the replication by Hathway & Goodman 2018, ReScience 4(1):6,
//! doi:10.5281/zenodo.1327348.
//!
//! **Scene**: `masquelier2008`.

mod kernel;
mod population;
pub mod region;
#[cfg(test)]
mod replay;
mod schedule;
mod state;
mod stdp;
mod synapses;
#[cfg(test)]
mod tests;
mod winners;

pub use kernel::SrmParameters;
pub use population::{Arrival, SrmPopulation};
pub use region::{Srm, WinnersTakeAll};
pub use state::SrmState;
pub use stdp::{Pairing, Stdp};
pub use synapses::AfferentSynapses;
pub use winners::{TieBreak, Winners};

/// Why a population cannot be built or changed.
#[derive(thiserror::Error, Clone, Debug, PartialEq)]
pub enum SrmError {
    /// A number is out of range.
    #[error("{field} is {value}; allowed is {allowed}")]
    Value {
        /// The field.
        field: &'static str,
        /// What it is.
        value: f64,
        /// What it may be.
        allowed: &'static str,
    },
    /// The refractory period ends while the after-potential is still above the threshold, and the neuron would never stop.
    #[error(
        "t_ref is {t_ref} ms, but the after-potential is above the threshold until {above_ms} ms after a spike; make it longer, or 0"
    )]
    Refractory {
        /// The refractory period in ms.
        t_ref: f64,
        /// When the after-potential falls below the threshold, in ms.
        above_ms: f64,
    },
    /// A slice has the wrong length.
    #[error("{field} has {found} values; {wanted} are needed")]
    Length {
        /// The field.
        field: &'static str,
        /// Its length.
        found: usize,
        /// The right length.
        wanted: usize,
    },
    /// A synapse leads from an afferent or to a neuron that does not exist, or there are two between the same pair.
    #[error(
        "the synapse from afferent {afferent} to neuron {neuron} is named twice or out of range; there are {afferents} \
         afferents and {neurons} neurons"
    )]
    Synapse {
        /// The afferent.
        afferent: usize,
        /// The neuron.
        neuron: u32,
        /// How many afferents there are.
        afferents: usize,
        /// How many neurons there are.
        neurons: u32,
    },
    /// There is no such neuron.
    #[error("there is no neuron {neuron}; the population has {neurons}, counted from 0")]
    Neuron {
        /// The index asked for.
        neuron: u32,
        /// How many there are.
        neurons: u32,
    },
    /// A time has passed already.
    #[error("{time_ms} ms has passed; the population is at {clock_ms} ms")]
    Past {
        /// The time in ms.
        time_ms: f64,
        /// The population's time in ms.
        clock_ms: f64,
    },
}
