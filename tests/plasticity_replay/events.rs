//! Rules without a third factor, spike by spike: at each event, sums over all earlier spikes that it sees. Written from the rules' own
//! documentation; nothing is shared with the library but the parameters.

use crate::network::{Time, ms};
use bevy::prelude::Reflect;
use neuropil::prelude::*;

/// All spikes that ever reach a synapse, and which of them see each other.
pub struct Spikes {
    pub pre: Vec<Time>,
    pub post: Vec<Time>,
    pub coincidence: Coincidence,
    /// Whether of two spikes of one time the postsynaptic one acts first.
    pub post_first: bool,
    /// How long the spikes of either side take to the synapse.
    pub on_the_way: [Time; 2],
    /// Spikes that were fired up to this time are forgotten.
    pub forgotten: Time,
}

impl Spikes {
    /// Whether a presynaptic spike that arrives at `now` has not been forgotten.
    pub fn remembers_pre(&self, now: Time) -> bool {
        now - self.on_the_way[0] > self.forgotten
    }

    /// Whether a postsynaptic spike that arrives at `now` has not been forgotten.
    pub fn remembers_post(&self, now: Time) -> bool {
        now - self.on_the_way[1] > self.forgotten
    }

    fn all_pre(&self) -> impl Iterator<Item = Time> {
        let all = self.pre.iter().copied();
        all.filter(|t| self.remembers_pre(*t))
    }

    fn all_post(&self) -> impl Iterator<Item = Time> {
        let all = self.post.iter().copied();
        all.filter(|t| self.remembers_post(*t))
    }

    /// The presynaptic spikes before `now`.
    fn earlier_pre(&self, now: Time) -> impl Iterator<Item = Time> {
        self.all_pre().filter(move |t| *t < now)
    }

    /// The postsynaptic spikes before `now`.
    fn earlier_post(&self, now: Time) -> impl Iterator<Item = Time> {
        self.all_post().filter(move |t| *t < now)
    }

    /// Whether a postsynaptic spike sees a presynaptic one.
    fn sees(&self, post: Time, pre: Time) -> bool {
        pre < post || (pre == post && self.coincidence != Coincidence::Ignored)
    }

    /// The presynaptic spikes that a postsynaptic one at `now` sees.
    pub fn pre_seen(&self, now: Time) -> impl Iterator<Item = Time> {
        self.all_pre().filter(move |t| self.sees(now, *t))
    }

    /// The postsynaptic spikes that a presynaptic one at `now` sees.
    pub fn post_seen(&self, now: Time) -> impl Iterator<Item = Time> {
        let same = self.coincidence == Coincidence::Both;
        self.all_post()
            .filter(move |t| *t < now || (same && *t == now))
    }

    /// Whether a postsynaptic spike counts as earlier than a presynaptic one where it matters what came between.
    fn is_before(&self, post: Time, pre: Time) -> bool {
        post < pre || (post == pre && self.coincidence == Coincidence::Ignored)
    }
}

/// What is left at `now` of a trace that each of the spikes raised by 1.
pub fn trace(spikes: impl Iterator<Item = Time>, now: Time, tau: f64) -> f64 {
    spikes.map(|t| libm::exp(-ms(now - t) / tau)).sum()
}

/// What is left at `now` of a trace that the last spike set to 1.
fn last_trace(spikes: impl Iterator<Item = Time>, now: Time, tau: f64) -> f64 {
    trace(spikes.max().into_iter(), now, tau)
}

/// What a spike does to the weight. The result may lie beyond the bounds.
pub trait PairRule {
    fn at_pre(&self, weight: f64, now: Time, spikes: &Spikes) -> f64;
    fn at_post(&self, weight: f64, now: Time, spikes: &Spikes) -> f64;
    fn bounds(&self) -> (f64, f64);
    fn order(&self) -> SendOrder;
    fn coincidence(&self) -> Coincidence;
}

macro_rules! common_fields {
    () => {
        fn bounds(&self) -> (f64, f64) {
            (self.w_min, self.w_max)
        }
        fn order(&self) -> SendOrder {
            self.order
        }
        fn coincidence(&self) -> Coincidence {
            self.coincidence
        }
    };
}

impl PairRule for Stdp {
    fn at_pre(&self, weight: f64, now: Time, spikes: &Spikes) -> f64 {
        let last = spikes.post_seen(now).max();
        let y = match (self.pairing, last) {
            (_, None) => 0.0,
            (Pairing::AllToAll, _) => trace(spikes.post_seen(now), now, self.tau_minus),
            (Pairing::Nearest | Pairing::PreCentred, Some(post)) => {
                trace([post].into_iter(), now, self.tau_minus)
            }
            (Pairing::Reduced, Some(post)) => {
                let between = spikes.earlier_pre(now).any(|p| spikes.is_before(post, p));
                let free = if between { None } else { Some(post) };
                trace(free.into_iter(), now, self.tau_minus)
            }
        };
        let width = self.w_max - self.w_min;
        let relative = (weight - self.w_min) / width;
        let f = match self.dependence {
            Dependence::Additive => width,
            Dependence::Multiplicative => width * relative,
            Dependence::Guetig { mu_minus, .. } => width * libm::pow(relative, mu_minus),
            Dependence::PowerLaw { .. } => weight,
        };
        weight - self.a_minus * f * y
    }

    fn at_post(&self, weight: f64, now: Time, spikes: &Spikes) -> f64 {
        let last = spikes.pre_seen(now).max();
        let x = match (self.pairing, last) {
            (_, None) => 0.0,
            (Pairing::AllToAll, _) => trace(spikes.pre_seen(now), now, self.tau_plus),
            (Pairing::Nearest, Some(pre)) => trace([pre].into_iter(), now, self.tau_plus),
            (Pairing::PreCentred, _) => {
                let previous = spikes.earlier_post(now).max();
                let taken = |p: &Time| previous.is_some_and(|post| spikes.sees(post, *p));
                let fresh = spikes.pre_seen(now).filter(|p| !taken(p));
                trace(fresh, now, self.tau_plus)
            }
            (Pairing::Reduced, Some(pre)) => {
                let between = spikes.earlier_post(now).any(|p| !spikes.is_before(p, pre));
                let free = if between { None } else { Some(pre) };
                trace(free.into_iter(), now, self.tau_plus)
            }
        };
        let width = self.w_max - self.w_min;
        let relative = (weight - self.w_min) / width;
        let f = match self.dependence {
            Dependence::Additive => width,
            Dependence::Multiplicative => width * (1.0 - relative),
            Dependence::Guetig { mu_plus, .. } => width * libm::pow(1.0 - relative, mu_plus),
            Dependence::PowerLaw { mu, w_ref } => {
                libm::pow(w_ref, 1.0 - mu) * libm::pow(weight, mu)
            }
        };
        weight + self.a_plus * f * x
    }

    common_fields!();
}

/// By what a change of a triplet rule is multiplied at a postsynaptic and at a presynaptic spike.
fn factors(rule: &TripletStdp, weight: f64) -> (f64, f64) {
    // Rounding must not make it more than 1.
    let relative = ((weight - rule.w_min) / (rule.w_max - rule.w_min)).clamp(0.0, 1.0);
    match rule.dependence {
        Dependence::Additive => (1.0, 1.0),
        Dependence::Multiplicative => (1.0 - relative, relative),
        Dependence::Guetig { mu_plus, mu_minus } => (
            libm::pow(1.0 - relative, mu_plus),
            libm::pow(relative, mu_minus),
        ),
        Dependence::PowerLaw { mu, w_ref } => (libm::pow(weight / w_ref, mu), weight / w_ref),
    }
}

impl PairRule for TripletStdp {
    fn at_pre(&self, weight: f64, now: Time, spikes: &Spikes) -> f64 {
        let (o1, r2) = if self.nearest {
            (
                last_trace(spikes.post_seen(now), now, self.tau_minus),
                last_trace(spikes.earlier_pre(now), now, self.tau_x),
            )
        } else {
            (
                trace(spikes.post_seen(now), now, self.tau_minus),
                trace(spikes.earlier_pre(now), now, self.tau_x),
            )
        };
        let rate = match &self.metaplasticity {
            None => 1.0,
            Some(Metaplasticity { rate_hz, tau }) => {
                let spikes_per_ms = trace(spikes.post_seen(now), now, *tau) / tau;
                1000.0 * spikes_per_ms / rate_hz
            }
        };
        let (_, f) = factors(self, weight);
        weight - rate * rate * f * o1 * (self.a2_minus + self.a3_minus * r2)
    }

    fn at_post(&self, weight: f64, now: Time, spikes: &Spikes) -> f64 {
        let (r1, o2) = if self.nearest {
            (
                last_trace(spikes.pre_seen(now), now, self.tau_plus),
                last_trace(spikes.earlier_post(now), now, self.tau_y),
            )
        } else {
            (
                trace(spikes.pre_seen(now), now, self.tau_plus),
                trace(spikes.earlier_post(now), now, self.tau_y),
            )
        };
        let (f, _) = factors(self, weight);
        weight + f * r1 * (self.a2_plus + self.a3_plus * o2)
    }

    common_fields!();
}

impl PairRule for InhibitoryStdp {
    fn at_pre(&self, weight: f64, now: Time, spikes: &Spikes) -> f64 {
        let alpha = 2.0 * (self.rate_hz / 1000.0) * self.tau;
        weight + self.eta * (trace(spikes.post_seen(now), now, self.tau) - alpha)
    }

    fn at_post(&self, weight: f64, now: Time, spikes: &Spikes) -> f64 {
        weight + self.eta * trace(spikes.pre_seen(now), now, self.tau)
    }

    common_fields!();
}

impl PairRule for Oja {
    fn at_pre(&self, weight: f64, _now: Time, _spikes: &Spikes) -> f64 {
        weight
    }

    fn at_post(&self, weight: f64, now: Time, spikes: &Spikes) -> f64 {
        let x = trace(spikes.pre_seen(now), now, self.tau);
        let y = trace(spikes.earlier_post(now), now, self.tau);
        weight + self.eta * (self.w_norm * x - weight * y)
    }

    common_fields!();
}

impl PairRule for Bcm {
    fn at_pre(&self, weight: f64, _now: Time, _spikes: &Spikes) -> f64 {
        weight
    }

    fn at_post(&self, weight: f64, now: Time, spikes: &Spikes) -> f64 {
        // In Hz.
        let per_spike = 1000.0 / self.tau;
        let x = per_spike * trace(spikes.pre_seen(now), now, self.tau);
        let y = |at: Time| per_spike * trace(spikes.earlier_post(at), at, self.tau);
        let sampled = |t: Time| y(t) * libm::exp(-ms(now - t) / self.tau_theta);
        let samples: f64 = spikes.earlier_post(now).map(sampled).sum();
        let theta = 1000.0 / self.tau_theta / self.rate_hz * samples;
        weight + self.eta * x * (y(now) - theta)
    }

    common_fields!();
}

/// Rules whose changes add.
pub struct Sum {
    rules: Vec<(RuleValue, Box<dyn PairRule>)>,
    /// Whether each keeps to its bounds by itself.
    bound: bool,
}

impl Sum {
    /// No rule.
    pub fn new() -> Self {
        Self {
            rules: Vec::new(),
            bound: true,
        }
    }

    /// Of changes as they are before the bounds cut them off.
    pub fn unbound(self) -> Self {
        Self {
            bound: false,
            ..self
        }
    }

    /// With one more rule.
    pub fn and<R: PairRule + Reflect + Clone>(mut self, rule: R) -> Self {
        let value = RuleValue::new(rule.clone());
        self.rules.push((value, Box::new(rule)));
        self
    }

    /// The rules of a scene.
    pub fn rules(&self) -> impl Iterator<Item = RuleValue> {
        self.rules.iter().map(|(rule, _)| rule.clone())
    }

    fn added(&self, weight: f64, after: impl Fn(&dyn PairRule) -> f64) -> f64 {
        let change = |rule: &dyn PairRule| {
            let (low, high) = rule.bounds();
            let after = after(rule);
            match self.bound {
                true => after.clamp(low, high) - weight,
                false => after - weight,
            }
        };
        weight
            + self
                .rules
                .iter()
                .map(|(_, r)| change(r.as_ref()))
                .sum::<f64>()
    }
}

impl core::fmt::Debug for Sum {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_list().entries(self.rules()).finish()
    }
}

impl PairRule for Sum {
    fn at_pre(&self, weight: f64, now: Time, spikes: &Spikes) -> f64 {
        self.added(weight, |rule| rule.at_pre(weight, now, spikes))
    }

    fn at_post(&self, weight: f64, now: Time, spikes: &Spikes) -> f64 {
        self.added(weight, |rule| rule.at_post(weight, now, spikes))
    }

    fn bounds(&self) -> (f64, f64) {
        let all = self.rules.iter().map(|(_, rule)| rule.bounds());
        all.fold((f64::MIN, f64::MAX), |a, b| (a.0.max(b.0), a.1.min(b.1)))
    }

    fn order(&self) -> SendOrder {
        self.rules[0].1.order()
    }

    fn coincidence(&self) -> Coincidence {
        self.rules[0].1.coincidence()
    }
}
