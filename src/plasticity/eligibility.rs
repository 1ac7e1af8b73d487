//! Learning with a third factor: pairs of spikes mark a synapse, and a modulator turns the mark into a change of weight.
//!
//! ```text
//! ζ = A₊ x at a postsynaptic spike, −A₋ y at a presynaptic one            (x, y: traces of pairs, as in STDP)
//! c' = −c/τ_c + κ ζ                                                       the eligibility, one per synapse
//! w' = γ M(t) c                                                           within the bounds
//! ```
//!
//! [`DopamineStdp`](super::dopamine::DopamineStdp), [`Mstdp`](super::mstdp::Mstdp) and [`Mstdpet`](super::mstdp::Mstdpet) are made of this.
//!
//! # How it is advanced
//!
//! A synapse is visited at its spikes only. In between, eligibility decays and the modulator acts, which is summed up for all synapses at
//! once: with G(t) = Σ over steps of M·e^(−t/τ_c), the change from t₀ to t₁ is c(t₀)·e^(t₀/τ_c)·(G(t₁) − G(t₀)). G starts anew after some time
//! constants, when all synapses are brought up to date, so that the difference stays well-conditioned. Within a step a modulator that decays
//! is integrated exactly, so that the step size does not matter. A modulator that changes at the end of a step, and a reward that is an
//! impulse, act on the eligibility of that moment, spikes of that moment included.
//!
//! At neurons that are resolved in continuous time events have times within a step, and there a step acts in part: G is taken at the times of the
//! events, as the modulator's course in the step says. Marks of one step act in the step after that of their event, all of it.
//!
//! The bounds are applied whenever a synapse is visited, not in between: of two rewards between two spikes, the second still counts if the
//! first would have led beyond a bound.

use super::decay::Decay;
use super::history::take;
use super::{Coincidence, LearningRule, Seen, SendOrder, SynapseState};
use crate::modulation::Signal;
use crate::sim::math::{max, min};

/// The longest time, in steps, over which the action of the modulator is summed.
const LONGEST_EPOCH: f64 = 16_384.0;
/// The longest time in time constants of the eligibility: e¹⁶ costs 7 of the 16 digits of double precision.
const EPOCH_TIME_CONSTANTS: f64 = 16.0;

/// How long a mark lasts.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Kernel {
    /// It decays with this time constant in ms.
    Exponential(f64),
    /// Until the next step.
    OneStep,
}

/// What a rule with an eligibility is made of.
#[derive(Clone, Debug)]
pub struct Eligible {
    /// A₊ and A₋.
    pub amplitude: [f64; 2],
    /// τ₊ and τ₋ in ms.
    pub tau: [f64; 2],
    /// Whether a spike sets its trace to 1 rather than raising it by 1.
    pub nearest: bool,
    /// How long a mark lasts.
    pub kernel: Kernel,
    /// κ γ: what a mark of 1 under a modulator of 1 changes, per ms or per impulse.
    pub gain: f64,
    /// The least and the largest weight.
    pub bounds: [f64; 2],
    /// See [`LearningRule::order`].
    pub order: SendOrder,
    /// See [`LearningRule::coincidence`].
    pub coincidence: Coincidence,
}

/// [`Eligible`] at work. The tag of a synapse is its ζ, summed and decayed.
pub struct EligibleRule {
    plus: Decay,
    minus: Decay,
    mark: Decay,
    amplitude: [f32; 2],
    bounds: [f32; 2],
    /// The part of a trace that a spike leaves.
    kept: f32,
    gain: f64,
    order: SendOrder,
    coincidence: Coincidence,
    kernel: Kernel,
    dt: f64,
    /// Per step of the epoch, the first being its start: G, or for marks of one step what that step did.
    sums: Vec<f64>,
    /// Per step of the epoch: e^(t/τ_c) since its start.
    growth: Vec<f64>,
    /// Per step of the epoch, where stamps are ticks: what acts in it.
    courses: Vec<Signal>,
    /// Stamps per step.
    ticks: u32,
    /// The stamp at which the epoch started.
    start: u64,
    /// The decay of the modulator for which `area` was worked out.
    area_of: f64,
    /// What a level of 1 at the start of a step adds to `sums`, as seen from that start.
    area: f64,
}

impl EligibleRule {
    /// The rule for steps of `dt` ms.
    pub fn new(parts: &Eligible, dt: f64) -> Self {
        let tau = match parts.kernel {
            Kernel::Exponential(tau) => tau,
            Kernel::OneStep => 0.0,
        };
        let mut rule = Self {
            plus: Decay::new(parts.tau[0], dt),
            minus: Decay::new(parts.tau[1], dt),
            mark: Decay::new(tau, dt),
            amplitude: parts.amplitude.map(|a| a as f32),
            bounds: parts.bounds.map(|b| b as f32),
            kept: if parts.nearest { 0.0 } else { 1.0 },
            gain: parts.gain,
            order: parts.order,
            coincidence: parts.coincidence,
            kernel: parts.kernel,
            dt,
            sums: Vec::new(),
            growth: Vec::new(),
            courses: Vec::new(),
            ticks: 1,
            start: 0,
            area_of: f64::NAN,
            area: 0.0,
        };
        rule.make_room();
        rule
    }

    /// Makes the room that the sums of an epoch need.
    fn make_room(&mut self) {
        let steps = match self.kernel {
            Kernel::Exponential(tau) => {
                (EPOCH_TIME_CONSTANTS * tau / self.dt).clamp(64.0, LONGEST_EPOCH)
            }
            Kernel::OneStep => LONGEST_EPOCH,
        } as usize;
        self.growth.clear();
        if let Kernel::Exponential(tau) = self.kernel {
            // Beyond some hundred time constants nothing is left to be seen.
            let grown = |n: usize| libm::exp((n as f64 * self.dt / tau).min(600.0));
            self.growth.extend((0..=steps).map(grown));
        }
        self.sums = Vec::with_capacity(steps + 1);
        self.sums.push(0.0);
        if self.ticks > 1 {
            self.courses = Vec::with_capacity(steps + 1);
        }
    }

    /// The place of a stamp in the epoch.
    #[inline(always)]
    fn place(&self, stamp: u32) -> usize {
        (stamp.wrapping_sub(self.start as u32) as usize).min(self.sums.len() - 1)
    }

    /// What a step of a modulator adds, as seen from the eligibility at its start.
    fn of_step(&mut self, signal: &Signal) -> f64 {
        if signal.decay_per_ms != self.area_of {
            let mark = match self.kernel {
                Kernel::Exponential(tau) => 1.0 / tau,
                Kernel::OneStep => 0.0,
            };
            let rate = signal.decay_per_ms + mark;
            self.area_of = signal.decay_per_ms;
            self.area = if rate * self.dt > 1e-12 {
                -libm::expm1(-rate * self.dt) / rate
            } else {
                self.dt
            };
        }
        let constant = match self.kernel {
            Kernel::Exponential(tau) => -libm::expm1(-self.dt / tau) * tau,
            Kernel::OneStep => self.dt,
        };
        signal.impulse + signal.level * self.area - signal.baseline * constant
    }

    /// What acts between two stamps, the first not before the second's epoch, on a mark that is 1 at the first. Where stamps are steps.
    #[inline(always)]
    fn acted(&self, from: u32, to: u32) -> f64 {
        match self.kernel {
            Kernel::Exponential(_) => {
                let (from, to) = (self.place(from), self.place(to));
                (self.sums[to] - self.sums[from]) * self.growth[from]
            }
            Kernel::OneStep => self.sums[self.place(from.wrapping_add(1))],
        }
    }

    /// As [`acted`](Self::acted), where stamps are ticks.
    #[inline(never)]
    fn acted_by_ticks(&self, from: u32, to: u32) -> f64 {
        match self.kernel {
            Kernel::Exponential(tau) => {
                let ((before, growth), (after, _)) = (self.sum_at(from, tau), self.sum_at(to, tau));
                (after - before) * growth
            }
            Kernel::OneStep => {
                let step = self.ticks_of(from).div_ceil(self.ticks) as usize;
                self.sums.get(step + 1).copied().unwrap_or(0.0)
            }
        }
    }

    /// Whether marks of one step that a synapse has at the first of two ticks have not acted by the second.
    fn still_marked(&self, from: u32, to: u32) -> bool {
        let end_of_step = |stamp| self.ticks_of(stamp).div_ceil(self.ticks);
        self.kernel == Kernel::OneStep && end_of_step(from) == end_of_step(to)
    }

    /// Ticks of the epoch at a stamp.
    fn ticks_of(&self, stamp: u32) -> u32 {
        stamp.wrapping_sub(self.start as u32)
    }

    /// G at a tick, and e^(t/τ_c).
    fn sum_at(&self, stamp: u32, tau: f64) -> (f64, f64) {
        let ticks = self.ticks_of(stamp);
        let (step, part) = ((ticks / self.ticks) as usize, ticks % self.ticks);
        let step = step.min(self.sums.len() - 1);
        let (sum, growth) = (self.sums[step], self.growth[step]);
        let Some(signal) = self.courses.get(step).filter(|_| part > 0) else {
            return (sum, growth);
        };
        let ms = f64::from(part) / f64::from(self.ticks) * self.dt;
        let rate = signal.decay_per_ms + 1.0 / tau;
        let acted = signal.impulse - signal.level * libm::expm1(-rate * ms) / rate
            + signal.baseline * libm::expm1(-ms / tau) * tau;
        (sum + acted / growth, growth * libm::exp(ms / tau))
    }
}

impl LearningRule for EligibleRule {
    type Pre = [f32; 1];
    type Post = [f32; 1];
    const TAGGED: bool = true;
    const MODULATED: bool = true;

    #[inline(always)]
    fn pre_spiked(&self, last: [f32; 1], ago: u32) -> ([f32; 1], [f32; 1]) {
        let left = last[0] * self.plus.after(ago);
        ([left], [left * self.kept + 1.0])
    }

    #[inline(always)]
    fn post_spiked(&self, last: [f32; 1], ago: u32) -> [f32; 1] {
        [last[0] * self.minus.after(ago) * self.kept + 1.0]
    }

    #[inline(always)]
    fn at_pre(
        &self,
        mut state: SynapseState,
        _pre: Seen<[f32; 1]>,
        post: Seen<[f32; 1]>,
    ) -> SynapseState {
        state.tag -= self.amplitude[1] * post.traces[0] * self.minus.after(post.ago);
        state
    }

    #[inline(always)]
    fn at_post(
        &self,
        mut state: SynapseState,
        pre: Seen<[f32; 1]>,
        _post: Seen<[f32; 1]>,
    ) -> SynapseState {
        state.tag += self.amplitude[0] * pre.traces[0] * self.plus.after(pre.ago);
        state
    }

    #[inline(always)]
    fn pass(&self, mut state: SynapseState, now: u32, steps: u32) -> SynapseState {
        if steps == 0 || state.tag == 0.0 {
            return state;
        }
        let from = now.wrapping_sub(steps);
        let acted = if self.ticks == 1 {
            self.acted(from, now)
        } else if self.still_marked(from, now) {
            return state;
        } else {
            self.acted_by_ticks(from, now)
        };
        let weight = f64::from(state.weight) + self.gain * acted * f64::from(state.tag);
        state.weight = min(max(weight as f32, self.bounds[0]), self.bounds[1]);
        state.tag *= self.mark.after(steps);
        state
    }

    fn order(&self) -> SendOrder {
        self.order
    }

    fn coincidence(&self) -> Coincidence {
        self.coincidence
    }

    fn epoch_is_full(&self) -> bool {
        self.sums.len() >= self.longest()
    }

    fn begin_epoch(&mut self, now: u64) {
        self.start = now;
        self.sums.truncate(1);
        self.sums[0] = 0.0;
        self.courses.clear();
    }

    fn count_ticks(&mut self, per_step: u32) {
        self.ticks = per_step;
        self.dt *= f64::from(per_step);
        self.make_room();
    }

    fn modulate(&mut self, signal: &Signal) {
        let step = self.of_step(signal);
        match self.kernel {
            Kernel::Exponential(_) => {
                let last = self.sums.len() - 1;
                // Seen from the start of the epoch, eligibility has decayed by the start of the step.
                let sum = self.sums[last] + step / self.growth[last];
                self.sums.push(sum);
            }
            Kernel::OneStep => self.sums.push(step),
        }
        if self.ticks > 1 {
            self.courses.push(*signal);
        }
    }

    fn save(&self, out: &mut Vec<u32>) {
        out.extend([self.start as u32, (self.start >> 32) as u32]);
        out.push(self.sums.len() as u32);
        let courses = self.courses.iter().flat_map(numbers);
        for number in self.sums.iter().copied().chain(courses) {
            let bits = number.to_bits();
            out.extend([bits as u32, (bits >> 32) as u32]);
        }
    }

    fn load(&mut self, from: &mut &[u32]) -> Option<()> {
        let wide = |from: &mut &[u32]| {
            let (low, high) = (take(from)?, take(from)?);
            Some(u64::from(low) | u64::from(high) << 32)
        };
        self.start = wide(from)?;
        let len = take(from)? as usize;
        if len == 0 || len > self.longest() {
            return None;
        }
        let number = |from: &mut &[u32]| {
            let number = f64::from_bits(wide(from)?);
            number.is_finite().then_some(number)
        };
        self.sums.clear();
        for _ in 0..len {
            self.sums.push(number(from)?);
        }
        self.courses.clear();
        if self.ticks > 1 {
            for _ in 1..len {
                self.courses.push(Signal {
                    impulse: number(from)?,
                    level: number(from)?,
                    decay_per_ms: number(from)?,
                    baseline: number(from)?,
                });
            }
        }
        Some(())
    }
}

fn numbers(signal: &Signal) -> [f64; 4] {
    [
        signal.impulse,
        signal.level,
        signal.decay_per_ms,
        signal.baseline,
    ]
}

impl EligibleRule {
    /// Sums that an epoch may have.
    fn longest(&self) -> usize {
        match self.kernel {
            Kernel::Exponential(_) => self.growth.len(),
            Kernel::OneStep => LONGEST_EPOCH as usize,
        }
    }
}
