//! Short-term plasticity of Tsodyks and Markram: depression and facilitation of transmission by the spikes of the source neuron.
//!
//! Of the transmitter of a synapse a part *x* is recovered and a part *y* is active; the rest recovers. Each presynaptic spike releases a part
//! *u* of what is recovered:
//!
//! ```text
//! x' = (1 − x − y)/τ_rec     y' = −y/τ_psc     u' = −u/τ_fac
//! at a spike:  u → u + U (1 − u),   then  Δ = u x is sent,   x → x − Δ,   y → y + Δ
//! ```
//!
//! | symbol | field | default | unit |
//! |---|---|---|---|
//! | U | `u` | 0.5 | |
//! | τ_rec | `tau_rec` | 800 | ms |
//! | τ_fac | `tau_fac` | 0 (no facilitation) | ms |
//! | τ_psc | `tau_psc` | 0 (released transmitter recovers at once) | ms |
//!
//! A spike transmits weight × Δ. Before the first spike everything is recovered and *u* is 0. With τ_psc = 0 this is the two-variable form
//! (NEST's `tsodyks2_synapse`, Brian2's usual equations), otherwise the three-variable one (`tsodyks_synapse`); the synaptic current keeps the
//! time constant of the receptor, to which τ_psc should be set then.
//!
//! *Integration.* All parameters are those of the projection, so the state is one of the source neuron; it is advanced exactly from spike to
//! spike, in double precision.
//!
//! *Not modelled.* Parameters that differ between the synapses of a projection; release without a spike; failures.
//!
//! *Source.* Tsodyks, Uziel & Markram (2000), J Neurosci 20:RC50, eqs 1–3, doi:10.1523/JNEUROSCI.20-01-j0003.2000; Tsodyks, Pawelzik &
//! Markram (1998), doi:10.1162/089976698300017502.
//!
//! *Scene.* `short_term`.

use crate::plasticity::exact::TICKS;
use crate::sim::quantity::{Range, Unit};
use bevy::prelude::*;

/// Short-term depression and facilitation. See the [module](self).
#[derive(Component, Reflect, Clone, Debug, PartialEq)]
#[reflect(Default)]
pub struct TsodyksMarkram {
    /// The part of the recovered transmitter that a first spike releases.
    #[reflect(@Range::between(0.0, 1.0))]
    pub u: f64,
    /// Time constant of recovery.
    #[reflect(@Unit("ms"), @Range::positive())]
    pub tau_rec: f64,
    /// Time constant of facilitation; 0 for none.
    #[reflect(@Unit("ms"), @Range::non_negative())]
    pub tau_fac: f64,
    /// Time constant with which released transmitter becomes inactive and starts to recover; 0 for at once.
    #[reflect(@Unit("ms"), @Range::non_negative())]
    pub tau_psc: f64,
}

impl Default for TsodyksMarkram {
    fn default() -> Self {
        Self {
            u: 0.5,
            tau_rec: 800.0,
            tau_fac: 0.0,
            tau_psc: 0.0,
        }
    }
}

/// The transmitter of the synapses of one source neuron, just after its last spike.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Transmitter {
    /// The stamp of the last spike.
    time: u64,
    recovered: f64,
    active: f64,
    use_: f64,
}

/// The short-term state of a projection's source neurons.
#[derive(Component, Clone, Debug)]
pub struct ShortTerm {
    model: TsodyksMarkram,
    /// From one stamp to the next.
    ms: f64,
    /// Stamps per step.
    ticks: u32,
    transmitter: Vec<Transmitter>,
}

impl ShortTerm {
    /// `neurons` source neurons with everything recovered. Stamps count parts of a step of `dt_ms`: `ticks` to a step.
    pub fn new(model: TsodyksMarkram, neurons: usize, dt_ms: f64, ticks: u32) -> Self {
        let rested = Transmitter {
            time: 0,
            recovered: 1.0,
            active: 0.0,
            use_: 0.0,
        };
        Self {
            model,
            ms: dt_ms / f64::from(ticks),
            ticks,
            transmitter: vec![rested; neurons],
        }
    }

    /// A source neuron spikes at the stamp `now`. Returns the part of the weight that is transmitted.
    pub fn spiked(&mut self, neuron: u32, now: u64) -> f32 {
        let TsodyksMarkram {
            u,
            tau_rec,
            tau_fac,
            tau_psc,
        } = self.model;
        let state = &mut self.transmitter[neuron as usize];
        let ms = (now - state.time) as f64 * self.ms;
        let left = |tau: f64| if tau > 0.0 { libm::exp(-ms / tau) } else { 0.0 };
        let (kept, waiting) = (left(tau_psc), left(tau_rec));
        // The part of what was active that has become inactive and has recovered since.
        let from_active = if (tau_psc - tau_rec).abs() > 1e-9 * tau_rec {
            1.0 - (tau_rec * waiting - tau_psc * kept) / (tau_rec - tau_psc)
        } else {
            1.0 - (1.0 + ms / tau_rec) * waiting
        };
        let inactive = 1.0 - state.recovered - state.active;
        state.recovered += from_active * state.active + (1.0 - waiting) * inactive;
        state.active *= kept;
        state.use_ *= left(tau_fac);
        state.use_ += u * (1.0 - state.use_);
        let sent = state.use_ * state.recovered;
        state.recovered -= sent;
        state.active += sent;
        state.time = now;
        sent as f32
    }

    /// The numbers of the state, for a snapshot. Times are in ticks, so that an edit of the target's model leaves their meaning.
    pub fn save(&self) -> Vec<u64> {
        let per_stamp = u64::from(TICKS / self.ticks);
        self.transmitter
            .iter()
            .flat_map(|t| {
                [
                    t.time.saturating_mul(per_stamp),
                    t.recovered.to_bits(),
                    t.active.to_bits(),
                    t.use_.to_bits(),
                ]
            })
            .collect()
    }

    /// Takes what [`save`](Self::save) gave; false if it does not fit or lies after so many steps.
    pub fn load(&mut self, numbers: &[u64], steps: u64) -> bool {
        // A spike may belong to the step after the one in which it was reported.
        let ahead = u64::from(self.ticks > 1);
        let now = (steps + ahead).saturating_mul(self.ticks.into());
        let per_stamp = u64::from(TICKS / self.ticks);
        // A spike within the step after the last one belongs to its start, where times are steps.
        let stamp = |ticks: u64| match per_stamp {
            1 => ticks,
            _ => ticks
                .div_ceil(per_stamp)
                .min(ticks / per_stamp + u64::from(ticks / per_stamp < now)),
        };
        let (states, rest) = numbers.as_chunks::<4>();
        let parts = |s: &[u64; 4]| [s[1], s[2], s[3]].map(f64::from_bits);
        let sound = |s: &[u64; 4]| {
            stamp(s[0]) <= now
                && parts(s)
                    .iter()
                    .all(|part| (-1e-9..=1.0 + 1e-9).contains(part))
        };
        if states.len() != self.transmitter.len() || !rest.is_empty() || !states.iter().all(sound) {
            return false;
        }
        for (transmitter, state) in self.transmitter.iter_mut().zip(states) {
            let [recovered, active, use_] = parts(state);
            *transmitter = Transmitter {
                time: stamp(state[0]),
                recovered,
                active,
                use_,
            };
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The equations in steps of a hundredth of a millisecond.
    fn stepped(model: &TsodyksMarkram, spikes_ms: &[u32]) -> Vec<f64> {
        let (h, mut x, mut y, mut u) = (0.01, 1.0, 0.0, 0.0);
        let mut sent = Vec::new();
        for step in 0..=spikes_ms[spikes_ms.len() - 1] * 100 {
            if step % 100 == 0 && spikes_ms.contains(&(step / 100)) {
                u += model.u * (1.0 - u);
                sent.push(u * x);
                y += u * x;
                x -= u * x;
            }
            let z = 1.0 - x - y;
            x += h * z / model.tau_rec;
            y -= h * y / model.tau_psc;
            u -= h * u / model.tau_fac;
        }
        sent
    }

    #[test]
    fn spike_to_spike_agrees_with_a_fine_integration() {
        let spikes = [5, 9, 30, 31, 200, 900];
        for (tau_rec, tau_fac, tau_psc) in [
            (800.0, 50.0, 3.0),
            (100.0, 1000.0, 20.0),
            (40.0, 10.0, 40.0),
            (130.0, 530.0, 3.0),
        ] {
            let model = TsodyksMarkram {
                u: 0.3,
                tau_rec,
                tau_fac,
                tau_psc,
            };
            let want = stepped(&model, &spikes);
            let mut state = ShortTerm::new(model, 2, 0.1, 1);
            for (ms, want) in spikes.iter().zip(want) {
                let got = state.spiked(1, u64::from(*ms) * 10);
                assert!(
                    (f64::from(got) - want).abs() < 2e-4,
                    "{ms} ms: {got}, want {want}"
                );
            }
            assert_eq!(state.spiked(0, 10_000), 0.3, "the other neuron has rested");
        }
    }

    #[test]
    fn facilitation_raises_and_depression_lowers() {
        let sent = |model: TsodyksMarkram| {
            let mut state = ShortTerm::new(model, 1, 1.0, 1);
            (1..=10)
                .map(|i| state.spiked(0, i * 20))
                .collect::<Vec<_>>()
        };
        let depressing = sent(TsodyksMarkram::default());
        assert!(depressing.is_sorted_by(|a, b| a > b));
        let facilitating = sent(TsodyksMarkram {
            u: 0.05,
            tau_rec: 50.0,
            tau_fac: 1000.0,
            ..default()
        });
        assert!(facilitating.is_sorted_by(|a, b| a < b));
    }
}
