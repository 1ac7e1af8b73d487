//! What happens to a network in a run, and the replay of a rule without a third factor over it.

use crate::events::{PairRule, Spikes};
use crate::gating::Gate;
use crate::network::{Network, Synapse, Time, ms, run_to};
use neuropil::prelude::*;
use neuropil::scene::schema::Dendritic;

/// What is done to the projection between two steps.
#[derive(Clone, Debug)]
pub enum Act {
    /// The weights are read.
    Read,
    /// Learning stops (true) or is resumed.
    Freeze(bool),
    /// Traces are set to zero.
    Reset,
    /// How much of every change counts, per target neuron.
    Restrict(Vec<f64>),
}

/// What is done and when, in order.
pub type Course = Vec<(Time, Act)>;

/// Weights are read at these times and nothing else is done.
pub fn reading(times: impl IntoIterator<Item = Time>) -> Course {
    times.into_iter().map(|time| (time, Act::Read)).collect()
}

/// What was read at one time.
#[derive(Debug, PartialEq)]
pub struct Reading {
    pub weights: Vec<f64>,
    pub tags: Vec<f64>,
}

/// The weights and tags of this moment.
pub fn read(simulation: &mut Simulation) -> Reading {
    let wide = |values: Vec<f32>| values.into_iter().map(f64::from).collect();
    Reading {
        weights: wide(simulation.weights("synapse").expect("weights")),
        tags: wide(simulation.tags("synapse").expect("tags")),
    }
}

/// Runs a simulation through a course. Gives what was read.
pub fn run(simulation: &mut Simulation, course: &Course) -> Vec<Reading> {
    let mut readings = Vec::new();
    for (time, act) in course {
        run_to(simulation, *time);
        match act {
            Act::Read => readings.push(read(simulation)),
            Act::Freeze(frozen) => simulation.freeze("synapse", *frozen).expect("frozen"),
            Act::Reset => simulation.reset_traces("synapse").expect("reset"),
            Act::Restrict(gain) => {
                let gain = gain.iter().map(|g| *g as f32).collect();
                simulation
                    .restrict_learning("synapse", gain)
                    .expect("restricted");
            }
        }
    }
    readings
}

/// What happens to a synapse.
#[derive(Clone, Copy, Debug)]
pub enum Happening<'a> {
    Pre,
    Post,
    Act(&'a Act),
}

/// All that happens to a synapse, in order: of one time first the spikes, then what is done between the steps.
pub fn happenings<'a>(spikes: &Spikes, course: &'a Course) -> Vec<(Time, Happening<'a>)> {
    let (pre, post) = if spikes.post_first { (1, 0) } else { (0, 1) };
    let mut all: Vec<(Time, usize, Happening)> = Vec::new();
    all.extend(spikes.pre.iter().map(|t| (*t, pre, Happening::Pre)));
    all.extend(spikes.post.iter().map(|t| (*t, post, Happening::Post)));
    all.extend(course.iter().map(|(t, act)| (*t, 2, Happening::Act(act))));
    all.sort_by_key(|(time, rank, _)| (*time, *rank));
    all.into_iter()
        .map(|(time, _, what)| (time, what))
        .collect()
}

/// The spikes that reach a synapse, with the conventions for those of one time.
pub fn spikes_at(network: &Network, synapse: &Synapse, coincidence: Coincidence) -> Spikes {
    let (pre, post) = network.arrivals(synapse);
    let [axonal, _, back] = network.delays.parts(synapse.delay);
    let dendritic = network.delays.dendritic != Dendritic::None;
    Spikes {
        pre,
        post,
        coincidence,
        post_first: dendritic && coincidence == Coincidence::Ignored,
        on_the_way: [axonal, back],
        forgotten: 0,
    }
}

/// A weight whose changes may be held back.
#[derive(Clone, Copy, Debug)]
pub struct Weight {
    pub now: f64,
    pub bounds: (f64, f64),
    pub gain: f64,
    pub frozen: bool,
}

impl Weight {
    /// A weight that learns in full.
    pub fn new(now: f64, bounds: (f64, f64)) -> Self {
        Self {
            now,
            bounds,
            gain: 1.0,
            frozen: false,
        }
    }

    /// Moves towards what a rule wants.
    pub fn change(&mut self, wanted: f64) {
        if !self.frozen {
            let wanted = wanted.clamp(self.bounds.0, self.bounds.1);
            self.now += self.gain * (wanted - self.now);
        }
    }

    /// Moves part of the way to what a rule wants within the bounds.
    pub fn change_by(&mut self, part: f64, wanted: f64) {
        let wanted = wanted.clamp(self.bounds.0, self.bounds.1);
        self.change(self.now + part * (wanted - self.now));
    }

    /// Does what a course says about the weight of a synapse onto `target`.
    pub fn steer(&mut self, act: &Act, target: usize) {
        match act {
            Act::Freeze(frozen) => self.frozen = *frozen,
            Act::Restrict(gain) => self.gain = gain.get(target).copied().unwrap_or(1.0),
            Act::Read | Act::Reset => {}
        }
    }
}

/// What acts beside a rule.
#[derive(Clone, Debug, Default)]
pub struct Beside {
    pub decay: Option<ConvergentDecay>,
    pub slowing: Option<LearningRateDecay>,
    pub gates: Vec<Gate>,
}

impl Beside {
    /// The rules of a scene.
    pub fn rules(&self) -> impl Iterator<Item = RuleValue> {
        let decay = self.decay.clone().map(RuleValue::new);
        decay
            .into_iter()
            .chain(self.slowing.clone().map(RuleValue::new))
    }

    /// The part of a change that counts at a time.
    fn part(&self, now: Time) -> f64 {
        let Some(slowing) = &self.slowing else {
            return 1.0;
        };
        let t = ms(now) / slowing.tau_ms;
        let left = match slowing.form {
            RateForm::Exponential => libm::exp(-t),
            RateForm::Hyperbolic => 1.0 / (1.0 + t),
        };
        slowing.floor + (1.0 - slowing.floor) * left
    }

    /// A weight after a time without spikes.
    fn after(&self, weight: f64, time: Time) -> f64 {
        match &self.decay {
            None => weight,
            Some(decay) => {
                decay.w_rest + (weight - decay.w_rest) * libm::exp(-ms(time) / decay.tau_ms)
            }
        }
    }
}

/// What a replay gives.
#[derive(Debug)]
pub struct Replayed {
    /// The weights of all synapses at every reading.
    pub weights: Vec<Vec<f64>>,
    /// The tags of all synapses at every reading, of rules that have any.
    pub tags: Vec<Vec<f64>>,
    /// What was sent: the target neuron, when it reaches the neuron, and how much.
    pub sent: Vec<(usize, Time, f64)>,
}

impl Replayed {
    /// Room for the readings of a course.
    pub fn new(course: &Course) -> Self {
        let reads = course.iter().filter(|(_, act)| matches!(act, Act::Read));
        let reads = reads.count();
        Self {
            weights: vec![Vec::new(); reads],
            tags: vec![Vec::new(); reads],
            sent: Vec::new(),
        }
    }
}

/// The part of the weight that each spike of a source neuron transmits, in the order of its spikes.
pub fn transmitted(train: &[Time], model: Option<&TsodyksMarkram>) -> Vec<f64> {
    let Some(model) = model else {
        return vec![1.0; train.len()];
    };
    let (mut recovered, mut active, mut inactive, mut used) = (1.0, 0.0, 0.0, 0.0);
    let mut last = 0;
    let of = |time: &Time| {
        let left = |tau: f64| match tau {
            0.0 => 0.0,
            tau => libm::exp(-ms(*time - last) / tau),
        };
        let (rec, psc) = (model.tau_rec, model.tau_psc);
        // z' = y/τ_psc − z/τ_rec with y = y₀ e^(−t/τ_psc).
        inactive = inactive * left(rec) + active * rec / (rec - psc) * (left(rec) - left(psc));
        active *= left(psc);
        recovered = 1.0 - active - inactive;
        used *= left(model.tau_fac);
        used += model.u * (1.0 - used);
        let sent = used * recovered;
        recovered -= sent;
        active += sent;
        last = *time;
        sent
    };
    train.iter().map(of).collect()
}

/// Replays a rule without a third factor over a course.
pub fn replay<R: PairRule + ?Sized>(
    network: &Network,
    rule: &R,
    beside: &Beside,
    short_term: Option<&TsodyksMarkram>,
    course: &Course,
) -> Replayed {
    let mut result = Replayed::new(course);
    for synapse in &network.synapses {
        let mut spikes = spikes_at(network, synapse, rule.coincidence());
        let happenings = happenings(&spikes, course);
        let parts = transmitted(&network.sources[synapse.source], short_term);
        let [_, dendritic, _] = network.delays.parts(synapse.delay);
        let mut weight = Weight::new(synapse.weight, rule.bounds());
        let (mut readings, mut parts, mut last) = (0, parts.into_iter(), 0);
        for (now, what) in happenings {
            weight.change(beside.after(weight.now, now - last));
            last = now;
            let part = beside.part(now);
            let gate = Gate::factor(&beside.gates, synapse.target, now, 0.0, false);
            let learn = |weight: &mut Weight, wanted: f64| match beside.gates.is_empty() {
                true => weight.change_by(part, wanted),
                false => weight.change(weight.now + gate * part * (wanted - weight.now)),
            };
            match what {
                Happening::Pre => {
                    let old = weight.now;
                    if spikes.remembers_pre(now) {
                        learn(&mut weight, rule.at_pre(old, now, &spikes));
                    }
                    let sent = match rule.order() {
                        SendOrder::ChangeThenSend => weight.now,
                        SendOrder::SendThenChange => old,
                    };
                    let transmitted = parts.next().expect("one part per spike");
                    result
                        .sent
                        .push((synapse.target, now + dendritic, sent * transmitted));
                }
                Happening::Post if !spikes.remembers_post(now) => {}
                Happening::Post => {
                    let wanted = rule.at_post(weight.now, now, &spikes);
                    learn(&mut weight, wanted);
                }
                Happening::Act(Act::Reset) => spikes.forgotten = now,
                Happening::Act(Act::Read) => {
                    result.weights[readings].push(weight.now);
                    readings += 1;
                }
                Happening::Act(act) => weight.steer(act, synapse.target),
            }
        }
    }
    result
}
