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
//! constants, when all synapses are brought up to date, so that the difference stays well-conditioned. Where eligibility lasts a few steps
//! only, that would be all too often, and what each step does is added up anew at every visit, as far as the mark can be seen. Within a step
//! a modulator that decays is integrated exactly, so that the step size does not matter. A modulator that changes at the end of a step, and a
//! reward that is an impulse, act on the eligibility of that moment, spikes of that moment included.
//!
//! A mark that lasts for one step is an impulse itself: a level acts on it with its height at that moment, M(t) ζ, however long the step is, and of
//! rewards that are impulses only those of that moment find it.
//!
//! At neurons that are resolved in continuous time events have times within a step, and there a step acts in part: G is taken at the times of the
//! events, as the modulator's course in the step says. Marks of one step act when the step of their event ends, on the modulator of that moment.
//!
//! The bounds are applied whenever a synapse is visited, not in between: of two rewards between two spikes, the second still counts if the
//! first would have led beyond a bound.

use super::decay::Decay;
use super::history::take;
use super::{Coincidence, LearningRule, Seen, SendOrder, SynapseState};
use crate::modulation::{Decaying, Signal};
use crate::sim::math::within;

/// The longest time, in steps, over which the action of the modulator is summed.
const LONGEST_EPOCH: f64 = 16_384.0;
/// The longest time in time constants of the eligibility: e¹⁶ costs 7 of the 16 digits of double precision.
const EPOCH_TIME_CONSTANTS: f64 = 16.0;
/// Steps of such a time below which what steps do is kept singly.
const FEW: f64 = 64.0;
/// What is left of a mark that is not seen any more.
const NOTHING: f64 = 1e-20;

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
    /// κ γ: what a mark of 1 under a modulator of 1 changes: per ms, or all that a mark of one step or an impulse does.
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
    /// Per step of the epoch, the first being its start: G, or what that step did to a mark of 1 at its start.
    sums: Vec<f64>,
    /// What a step leaves of a mark, if what steps do is kept singly.
    left: Option<f64>,
    /// Per step of the epoch: e^(t/τ_c) since its start.
    growth: Vec<f64>,
    /// Per step of the epoch, where stamps are ticks: what acts in it.
    courses: Vec<Signal>,
    /// Stamps per step.
    ticks: u32,
    /// The stamp at which the epoch started.
    start: u64,
    /// The decays of the modulator for which `areas` were worked out.
    areas_of: [f64; 2],
    /// What levels of 1 at the start of a step do in it to a mark that is 1 at its start.
    areas: [f64; 2],
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
            left: None,
            growth: Vec::new(),
            courses: Vec::new(),
            ticks: 1,
            start: 0,
            areas_of: [f64::NAN; 2],
            areas: [0.0; 2],
        };
        rule.make_room();
        rule
    }

    /// Makes the room that the sums of an epoch need.
    fn make_room(&mut self) {
        self.growth.clear();
        self.left = None;
        let mut steps = LONGEST_EPOCH as usize;
        if let Kernel::Exponential(tau) = self.kernel {
            let few = EPOCH_TIME_CONSTANTS * tau / self.dt;
            if few < FEW {
                self.left = Some(libm::exp(-self.dt / tau));
            } else {
                steps = few.min(LONGEST_EPOCH) as usize;
                let grown = |n: usize| libm::exp(n as f64 * self.dt / tau);
                self.growth.extend((0..=steps).map(grown));
            }
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

    /// What a step of a modulator does to a mark that is 1 at its start.
    fn of_step(&mut self, signal: &Signal) -> f64 {
        let Kernel::Exponential(tau) = self.kernel else {
            return signal.impulse + signal.level_after(0.0);
        };
        let decays = signal.parts.map(|part| part.per_ms);
        if decays != self.areas_of {
            self.areas_of = decays;
            self.areas = decays.map(|per_ms| area(per_ms + 1.0 / tau, self.dt));
        }
        let constant = -libm::expm1(-self.dt / tau) * tau;
        let [first, second] = signal.parts.map(|part| part.level);
        signal.impulse + first * self.areas[0] + second * self.areas[1] - signal.baseline * constant
    }

    /// What a step does from one of its ticks to another to a mark that is 1 at the first.
    fn of_part(&self, signal: &Signal, (first, last): (u32, u32), tau: f64) -> f64 {
        let [begin, ms] = [first, last - first].map(|ticks| self.in_ms(ticks));
        let impulse = if first == 0 { signal.impulse } else { 0.0 };
        let acted = signal.parts.map(|part| {
            let level = part.level * libm::exp(-part.per_ms * begin);
            level * area(part.per_ms + 1.0 / tau, ms)
        });
        impulse + acted[0] + acted[1] + signal.baseline * libm::expm1(-ms / tau) * tau
    }

    /// What acts between two stamps, the first not before the second's epoch, on a mark that is 1 at the first. Where stamps are steps.
    #[inline(always)]
    fn acted(&self, from: u32, to: u32) -> f64 {
        match (self.kernel, self.left) {
            (Kernel::Exponential(_), None) => {
                let (from, to) = (self.place(from), self.place(to));
                (self.sums[to] - self.sums[from]) * self.growth[from]
            }
            (Kernel::Exponential(_), Some(left)) => self.acted_singly(from, to, left),
            (Kernel::OneStep, _) => self.sums[self.place(from.wrapping_add(1))],
        }
    }

    /// As [`acted`](Self::acted), where what steps do is kept singly.
    #[inline(never)]
    fn acted_singly(&self, from: u32, to: u32, left: f64) -> f64 {
        let (from, to) = (self.place(from), self.place(to));
        let (mut mark, mut acted) = (1.0, 0.0);
        for step in &self.sums[from + 1..=to] {
            acted += mark * step;
            mark *= left;
            if mark < NOTHING {
                break;
            }
        }
        acted
    }

    /// As [`acted`](Self::acted), where stamps are ticks.
    #[inline(never)]
    fn acted_by_ticks(&self, from: u32, to: u32) -> f64 {
        match (self.kernel, self.left) {
            (Kernel::Exponential(tau), None) => {
                let ((before, growth), (after, _)) = (self.sum_at(from, tau), self.sum_at(to, tau));
                (after - before) * growth
            }
            (Kernel::Exponential(tau), Some(_)) => self.acted_singly_by_ticks(from, to, tau),
            (Kernel::OneStep, _) => {
                let step = self.ticks_of(from).div_ceil(self.ticks) as usize;
                self.sums.get(step + 1).copied().unwrap_or(0.0)
            }
        }
    }

    /// As [`acted_singly`](Self::acted_singly), where stamps are ticks.
    fn acted_singly_by_ticks(&self, from: u32, to: u32, tau: f64) -> f64 {
        let (mut now, end) = (self.ticks_of(from), self.ticks_of(to));
        let (mut mark, mut acted) = (1.0, 0.0);
        while now < end && mark >= NOTHING {
            let (step, first) = (now / self.ticks, now % self.ticks);
            let Some(signal) = self.courses.get(step as usize) else {
                break;
            };
            let last = (end - step * self.ticks).min(self.ticks);
            acted += mark * self.of_part(signal, (first, last), tau);
            mark *= libm::exp(-self.in_ms(last - first) / tau);
            now = step * self.ticks + last;
        }
        acted
    }

    /// Whether marks of one step that a synapse has at the first of two ticks have not acted by the second.
    fn still_marked(&self, from: u32, to: u32) -> bool {
        let end_of_step = |stamp| self.ticks_of(stamp).div_ceil(self.ticks);
        self.kernel == Kernel::OneStep && end_of_step(from) == end_of_step(to)
    }

    /// The time of so many ticks.
    fn in_ms(&self, ticks: u32) -> f64 {
        f64::from(ticks) / f64::from(self.ticks) * self.dt
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
        let acted = self.of_part(signal, (0, part), tau);
        let grown = libm::exp(self.in_ms(part) / tau);
        (sum + acted / growth, growth * grown)
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
        state.weight = within(weight as f32, self.bounds);
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
        let last = self.sums.len() - 1;
        self.sums.push(match self.growth.get(last) {
            // Seen from the start of the epoch, eligibility has decayed by the start of the step.
            Some(growth) => self.sums[last] + step / growth,
            None => step,
        });
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
                let part = |from: &mut &[u32]| {
                    Some(Decaying {
                        level: number(from)?,
                        per_ms: number(from)?,
                    })
                };
                self.courses.push(Signal {
                    impulse: number(from)?,
                    parts: [part(from)?, part(from)?],
                    baseline: number(from)?,
                });
            }
        }
        Some(())
    }
}

fn numbers(signal: &Signal) -> [f64; 6] {
    let [first, second] = signal.parts;
    [
        signal.impulse,
        first.level,
        first.per_ms,
        second.level,
        second.per_ms,
        signal.baseline,
    ]
}

/// ∫ e^(−rate t) dt over so many ms.
fn area(rate: f64, ms: f64) -> f64 {
    if rate * ms > 1e-12 {
        -libm::expm1(-rate * ms) / rate
    } else {
        ms
    }
}

impl EligibleRule {
    /// Sums that an epoch may have.
    fn longest(&self) -> usize {
        match self.growth.len() {
            0 => LONGEST_EPOCH as usize,
            steps => steps,
        }
    }
}
