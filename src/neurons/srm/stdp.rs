//! Plasticity of the afferents: pairs of spikes, added to the weight at the exact time of the later one.
//!
//! ```text
//! neuron spikes at t, afferent spiked at t_j ≤ t:      w ← min(w_max, w + a₊ e^{−(t−t_j)/τ₊})
//! afferent spikes at t, neuron spiked at t_i ≤ t:      w ← max(0, w − a₋ e^{−(t−t_i)/τ₋})
//! ```
//!
//! | [`Pairing`] | a neuron's spike potentiates | an afferent's spike depresses |
//! |---|---|---|
//! | `ReducedNearest` | with the afferent's last spike, if that came after the neuron's previous spike | with the neuron's last spike, if the afferent has not spiked since that |
//! | `Nearest` | with the afferent's last spike | with the neuron's last spike |
//! | `AllToAll` | with all earlier spikes of the afferent | with all earlier spikes of the neuron |
//!
//! In `ReducedNearest` a neuron's spike pairs with at most one spike of each afferent before it and one after it, and so does an
//! afferent's spike with the neuron's: potentiation and depression of a synapse alternate. It is the rule of Masquelier's program
//! (which clears, at each spike of the neuron, both the list of spikes to potentiate and the flags "already depressed") and of the replication
//! (whose traces are set at a spike and cleared when they are used); scheme 7C of Morrison, Diesmann & Gerstner 2008, Biol. Cybern. 98:459,
//! doi:10.1007/s00422-008-0233-1. With the parameters of the paper the other two silence the neuron within a second.
//!
//! An afferent spike transmits the weight that it found, and changes it afterwards. The order at one instant is that of the
//! [module](super): an afferent spike at the time of a neuron's spike is later, and depresses by a₋.

use super::SrmError;

/// Which spikes pair. See [`neurons::srm`](super).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Pairing {
    /// Each spike at most once on either side: potentiation and depression alternate.
    #[default]
    ReducedNearest,
    /// Each spike with the nearest earlier one of the other side.
    Nearest,
    /// Each spike with all earlier ones of the other side.
    AllToAll,
}

/// Additive spike-timing-dependent plasticity of the afferents' synapses. See [`neurons::srm`](super).
#[derive(Clone, Debug, PartialEq)]
pub struct Stdp {
    /// Which spikes pair.
    pub pairing: Pairing,
    /// Potentiation a₊ of a pair at no distance; at least 0.
    pub a_plus: f64,
    /// Depression a₋ of a pair at no distance; at least 0.
    pub a_minus: f64,
    /// Time constant of potentiation in ms; positive.
    pub tau_plus: f64,
    /// Time constant of depression in ms; positive.
    pub tau_minus: f64,
    /// The largest weight; the smallest is 0.
    pub w_max: f32,
    /// Whether weights stay as they are. Spike times are remembered all the same.
    pub frozen: bool,
}

impl Default for Stdp {
    fn default() -> Self {
        Self {
            pairing: Pairing::ReducedNearest,
            a_plus: 0.031_25,
            a_minus: 0.85 * 0.031_25,
            tau_plus: 16.8,
            tau_minus: 33.7,
            w_max: 1.0,
            frozen: false,
        }
    }
}

impl Stdp {
    /// Whether the parameters make a rule.
    ///
    /// # Errors
    /// Names the first field that is out of range.
    pub fn check(&self) -> Result<(), SrmError> {
        for (field, value, above) in [
            ("a_plus", self.a_plus, false),
            ("a_minus", self.a_minus, false),
            ("tau_plus", self.tau_plus, true),
            ("tau_minus", self.tau_minus, true),
            ("w_max", self.w_max.into(), false),
        ] {
            if !value.is_finite() || value < 0.0 || (above && value == 0.0) {
                return Err(SrmError::Value {
                    field,
                    value,
                    allowed: if above { "> 0" } else { "≥ 0" },
                });
            }
        }
        Ok(())
    }

    /// A trace of the last spike, or of all, `ms` after the newest of them.
    pub(super) fn trace_plus(&self, trace: f64, ms: f64) -> f64 {
        trace * libm::exp(-ms / self.tau_plus)
    }

    /// As [`Self::trace_plus`], of the neuron.
    pub(super) fn trace_minus(&self, trace: f64, ms: f64) -> f64 {
        trace * libm::exp(-ms / self.tau_minus)
    }

    /// A weight after a change, within its bounds.
    pub(super) fn changed(&self, weight: f32, change: f64) -> f32 {
        (f64::from(weight) + change).clamp(0.0, self.w_max.into()) as f32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_out_of_range_are_refused() {
        let refused = |change: fn(&mut Stdp)| {
            let mut rule = Stdp::default();
            change(&mut rule);
            rule.check().is_err()
        };
        assert!(Stdp::default().check().is_ok());
        assert!(refused(|r| r.a_plus = -0.1));
        assert!(refused(|r| r.a_minus = f64::NAN));
        assert!(refused(|r| r.tau_plus = 0.0));
        assert!(refused(|r| r.tau_minus = f64::INFINITY));
        assert!(refused(|r| r.w_max = -1.0));
    }
}
