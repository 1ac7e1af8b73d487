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
use super::gating::{Factors, UNGATED, factor_at};
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
    /// Per step of the epoch, the first being its start, and class of target neurons: G, or what that step did to a mark of 1 at its start.
    sums: Vec<f64>,
    /// How many classes of target neurons there are.
    classes: usize,
    /// Steps of the epoch so far.
    steps: usize,
    /// What a step leaves of a mark, if what steps do is kept singly.
    left: Option<f64>,
    /// Per step of the epoch: e^(t/τ_c) since its start.
    growth: Vec<f64>,
    /// Per step of the epoch and class, where stamps are ticks: what acts in it.
    courses: Vec<Course>,
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
            classes: 1,
            steps: 0,
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
        self.sums = Vec::with_capacity((steps + 1) * self.classes);
        self.sums.resize(self.classes, 0.0);
        self.steps = 0;
        if self.ticks > 1 {
            self.courses = Vec::with_capacity((steps + 1) * self.classes);
        }
    }

    /// The place of a stamp in the epoch.
    #[inline(always)]
    fn place(&self, stamp: u32) -> usize {
        (stamp.wrapping_sub(self.start as u32) as usize).min(self.steps)
    }

    /// The sum of a class at a place of the epoch.
    #[inline(always)]
    fn sum(&self, place: usize, class: usize) -> f64 {
        self.sums[place * self.classes + class]
    }

    /// What acts on a class in a step of the epoch, where stamps are ticks; `None` after the last.
    fn course(&self, step: u32, class: usize) -> Option<&Course> {
        self.courses.get(step as usize * self.classes + class)
    }

    /// What a step of a modulator does to a mark that is 1 at its start.
    fn of_step(&mut self, course: &Course) -> f64 {
        let Course { signal, factors } = course;
        let Kernel::Exponential(tau) = self.kernel else {
            return f64::from(factors[0]) * (signal.impulse + signal.level_after(0.0));
        };
        if *factors != UNGATED {
            return self.of_part(course, (0, self.ticks), tau);
        }
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
    fn of_part(&self, course: &Course, (first, last): (u32, u32), tau: f64) -> f64 {
        let Course { signal, factors } = course;
        let [begin, ms] = [first, last - first].map(|ticks| self.in_ms(ticks));
        let impulse = if first == 0 { signal.impulse } else { 0.0 };
        let levels = signal
            .parts
            .map(|part| part.level * libm::exp(-part.per_ms * begin));
        let rates = signal.parts.map(|part| part.per_ms + 1.0 / tau);
        if *factors == UNGATED {
            let [one, other] = rates.map(|rate| area(rate, ms));
            return impulse
                + levels[0] * one
                + levels[1] * other
                + signal.baseline * libm::expm1(-ms / tau) * tau;
        }
        let [start, middle, end] =
            [0.0, 0.5, 1.0].map(|part| factor_at(factors, (begin + part * ms) / self.dt));
        let [one, other] = rates.map(|rate| gated_area(rate, ms, [start, middle, end]));
        impulse * start + levels[0] * one + levels[1] * other
            - signal.baseline * gated_area(1.0 / tau, ms, [start, middle, end])
    }

    /// What acts on a class between two stamps, the first not before the second's epoch, on a mark that is 1 at the first. Where stamps are
    /// steps.
    #[inline(always)]
    fn acted(&self, from: u32, to: u32, class: usize) -> f64 {
        match (self.kernel, self.left) {
            (Kernel::Exponential(_), None) => {
                let (from, to) = (self.place(from), self.place(to));
                (self.sum(to, class) - self.sum(from, class)) * self.growth[from]
            }
            (Kernel::Exponential(_), Some(left)) => self.acted_singly(from, to, left, class),
            (Kernel::OneStep, _) => self.sum(self.place(from.wrapping_add(1)), class),
        }
    }

    /// As [`acted`](Self::acted), where what steps do is kept singly.
    #[inline(never)]
    fn acted_singly(&self, from: u32, to: u32, left: f64, class: usize) -> f64 {
        let (from, to) = (self.place(from), self.place(to));
        let (mut mark, mut acted) = (1.0, 0.0);
        for place in from + 1..=to {
            acted += mark * self.sum(place, class);
            mark *= left;
            if mark < NOTHING {
                break;
            }
        }
        acted
    }

    /// As [`acted`](Self::acted), where stamps are ticks.
    #[inline(never)]
    fn acted_by_ticks(&self, from: u32, to: u32, class: usize) -> f64 {
        match (self.kernel, self.left) {
            (Kernel::Exponential(tau), None) => {
                let [(before, growth), (after, _)] =
                    [from, to].map(|stamp| self.sum_at(stamp, tau, class));
                (after - before) * growth
            }
            (Kernel::Exponential(tau), Some(_)) => self.acted_singly_by_ticks(from, to, tau, class),
            (Kernel::OneStep, _) => {
                let place = self.ticks_of(from).div_ceil(self.ticks) as usize + 1;
                let sum = self.sums.get(place * self.classes + class);
                sum.copied().unwrap_or(0.0)
            }
        }
    }

    /// As [`acted_singly`](Self::acted_singly), where stamps are ticks.
    fn acted_singly_by_ticks(&self, from: u32, to: u32, tau: f64, class: usize) -> f64 {
        let (mut now, end) = (self.ticks_of(from), self.ticks_of(to));
        let (mut mark, mut acted) = (1.0, 0.0);
        while now < end && mark >= NOTHING {
            let (step, first) = (now / self.ticks, now % self.ticks);
            let Some(signal) = self.course(step, class) else {
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

    /// G of a class at a tick, and e^(t/τ_c).
    fn sum_at(&self, stamp: u32, tau: f64, class: usize) -> (f64, f64) {
        let ticks = self.ticks_of(stamp);
        let (step, part) = (ticks / self.ticks, ticks % self.ticks);
        let step = step.min(self.steps as u32);
        let (sum, growth) = (self.sum(step as usize, class), self.growth[step as usize]);
        let Some(signal) = self.course(step, class).filter(|_| part > 0) else {
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
    fn pass(&self, mut state: SynapseState, now: u32, steps: u32, class: usize) -> SynapseState {
        if steps == 0 || state.tag == 0.0 {
            return state;
        }
        let from = now.wrapping_sub(steps);
        let acted = if self.ticks == 1 {
            self.acted(from, now, class)
        } else if self.still_marked(from, now) {
            return state;
        } else {
            self.acted_by_ticks(from, now, class)
        };
        let weight = f64::from(state.weight) + self.gain * acted * f64::from(state.tag);
        state.weight = within(weight as f32, self.bounds);
        state.tag *= self.mark.after(steps);
        state
    }

    fn unbind(&mut self) {
        // Events change marks only, and what acts on a class has been turned round already.
    }

    fn distinguish(&mut self, classes: usize) {
        self.classes = classes;
        self.make_room();
    }

    fn order(&self) -> SendOrder {
        self.order
    }

    fn coincidence(&self) -> Coincidence {
        self.coincidence
    }

    fn epoch_is_full(&self) -> bool {
        self.steps + 1 >= self.longest()
    }

    fn begin_epoch(&mut self, now: u64) {
        self.start = now;
        self.sums.truncate(self.classes);
        self.steps = 0;
        self.courses.clear();
    }

    fn count_ticks(&mut self, per_step: u32) {
        self.ticks = per_step;
        self.dt *= f64::from(per_step);
        self.make_room();
    }

    fn modulate(&mut self, signal: &Signal, factors: &[Factors]) {
        let last = self.steps;
        for (class, factors) in factors.iter().enumerate() {
            let course = Course {
                signal: *signal,
                factors: *factors,
            };
            let step = self.of_step(&course);
            self.sums.push(match self.growth.get(last) {
                // Seen from the start of the epoch, eligibility has decayed by the start of the step.
                Some(growth) => self.sum(last, class) + step / growth,
                None => step,
            });
            if self.ticks > 1 {
                self.courses.push(course);
            }
        }
        self.steps += 1;
    }

    fn save(&self, out: &mut Vec<u32>) {
        out.extend([self.start as u32, (self.start >> 32) as u32]);
        out.push(self.steps as u32);
        // At the start of an epoch there is nothing, for however many classes.
        let sums = self.sums.iter().copied().skip(self.classes);
        let courses = self.courses.iter().flat_map(numbers);
        for number in sums.chain(courses) {
            let bits = number.to_bits();
            out.extend([bits as u32, (bits >> 32) as u32]);
        }
    }

    fn load(&mut self, from: &mut &[u32]) -> Option<()> {
        let wide = |from: &mut &[u32]| {
            let (low, high) = (take(from)?, take(from)?);
            Some(u64::from(low) | u64::from(high) << 32)
        };
        let number = |from: &mut &[u32]| {
            let number = f64::from_bits(wide(from)?);
            number.is_finite().then_some(number)
        };
        let start = wide(from)?;
        self.begin_epoch(start);
        let steps = take(from).filter(|steps| (*steps as usize) < self.longest())? as usize;
        for _ in 0..steps * self.classes {
            self.sums.push(number(from)?);
        }
        if self.ticks > 1 {
            for _ in 0..steps * self.classes {
                let part = |from: &mut &[u32]| {
                    Some(Decaying {
                        level: number(from)?,
                        per_ms: number(from)?,
                    })
                };
                let signal = Signal {
                    impulse: number(from)?,
                    parts: [part(from)?, part(from)?],
                    baseline: number(from)?,
                };
                let mut factor = || Some(number(from)? as f32);
                let factors = [factor()?, factor()?, factor()?];
                self.courses.push(Course { signal, factors });
            }
        }
        self.steps = steps;
        Some(())
    }
}

/// What acts on a class of target neurons in a step.
#[derive(Clone, Copy)]
struct Course {
    signal: Signal,
    factors: Factors,
}

fn numbers(Course { signal, factors }: &Course) -> [f64; 9] {
    let [first, second] = signal.parts;
    let [start, middle, end] = factors.map(f64::from);
    [
        signal.impulse,
        first.level,
        first.per_ms,
        second.level,
        second.per_ms,
        signal.baseline,
        start,
        middle,
        end,
    ]
}

/// ∫ f(t) e^(−rate t) dt over so many ms, with a parabola *f* through its values at the start, in the middle and at the end.
fn gated_area(rate: f64, ms: f64, [start, middle, end]: [f64; 3]) -> f64 {
    let x = rate * ms;
    if x < 0.01 {
        // Simpson's rule, to 10⁻¹¹.
        let left = libm::exp(-0.5 * x);
        return ms / 6.0 * (start + 4.0 * middle * left + end * left * left);
    }
    // ∫ sⁿ e^(−x s) ds for s from 0 to 1.
    let left = libm::exp(-x);
    let zeroth = -libm::expm1(-x) / x;
    let first = (zeroth - left) / x;
    let second = (2.0 * first - left) / x;
    let slope = -3.0 * start + 4.0 * middle - end;
    let curve = 2.0 * start - 4.0 * middle + 2.0 * end;
    ms * (start * zeroth + slope * first + curve * second)
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
