//! Rules with a third factor, from event to event: between events the eligibility and the modulator are exponentials, and the integral of
//! their product is known.

use crate::course::{Act, Course, Happening, Replayed, Weight, happenings, spikes_at};
use crate::events::trace;
use crate::gating::Gate;
use crate::network::{Network, Synapse, Time, ms};
use neuropil::prelude::*;

/// A modulator of which all releases and rewards are known.
#[derive(Clone, Debug, Default)]
pub struct Signal {
    /// The time constant of a pool; without one, rewards are impulses.
    pub tau_ms: Option<f64>,
    pub initial: f64,
    pub baseline: f64,
    /// Spikes of a dopaminergic neuron.
    pub spikes: Vec<Time>,
    /// What a spike releases, and after how long.
    pub release: (f64, Time),
    /// Rewards: when, and how large.
    pub rewards: Vec<(Time, f64)>,
}

impl Signal {
    /// Adds the modulator to a scene, under a name.
    pub fn add_to(&self, scene: &mut Scene, name: &str) {
        let source = SpikeSource {
            spikes: self.spikes.iter().map(|t| (ms(*t), 1)).collect(),
            ..default()
        };
        let releasing = format!("releasing {name}");
        scene
            .regions
            .push(RegionSpec::new(releasing.clone(), 2, source));
        let schedule = |(time, amount): &(Time, f64)| Rewarder::Schedule {
            times_ms: vec![ms(*time)],
            amount: *amount,
        };
        scene.modulators.push(ModulatorSpec {
            name: name.into(),
            tau_ms: self.tau_ms,
            initial: self.initial,
            baseline: self.baseline,
            released_by: vec![Release {
                from: releasing,
                neurons: Selection::List(vec![1]),
                amount: self.release.0,
                delay_ms: ms(self.release.1),
                ..default()
            }],
            rewards: self.rewards.iter().map(schedule).collect(),
            ..default()
        });
    }

    /// By how much it is raised, and when, in order.
    pub fn raises(&self) -> Vec<(Time, f64)> {
        let released = |t: &Time| (t + self.release.1, self.release.0);
        let mut all: Vec<_> = self.spikes.iter().map(released).collect();
        all.extend(&self.rewards);
        all.sort_by_key(|(time, _)| *time);
        all
    }
}

/// What the documentation of a rule with a third factor says, in one form: ζ of pairs is a₊ x or −a₋ y, it marks the synapse, and under a
/// modulator M the weight changes by `scale` M per ms (or, if either is an impulse, once) and mark.
#[derive(Clone, Copy, Debug)]
pub struct Marking {
    pub a: [f64; 2],
    pub tau: [f64; 2],
    /// The time constant of a mark in ms; without one it is an impulse.
    pub lasts: Option<f64>,
    pub scale: f64,
    pub bounds: (f64, f64),
    pub coincidence: Coincidence,
}

impl From<&DopamineStdp> for Marking {
    fn from(rule: &DopamineStdp) -> Self {
        Self {
            a: [rule.a_plus, rule.a_minus],
            tau: [rule.tau_plus, rule.tau_minus],
            lasts: Some(rule.tau_c),
            scale: rule.gain,
            bounds: (rule.w_min, rule.w_max),
            coincidence: rule.coincidence,
        }
    }
}

impl From<&Mstdp> for Marking {
    fn from(rule: &Mstdp) -> Self {
        Self {
            a: [rule.a_plus, rule.a_minus],
            tau: [rule.tau_plus, rule.tau_minus],
            lasts: None,
            scale: rule.gamma,
            bounds: (rule.w_min, rule.w_max),
            coincidence: rule.coincidence,
        }
    }
}

impl From<&Mstdpet> for Marking {
    fn from(rule: &Mstdpet) -> Self {
        Self {
            a: [rule.a_plus, rule.a_minus],
            tau: [rule.tau_plus, rule.tau_minus],
            lasts: Some(rule.tau_z),
            // The mark is τ_z z.
            scale: rule.gamma / rule.tau_z,
            bounds: (rule.w_min, rule.w_max),
            coincidence: rule.coincidence,
        }
    }
}

/// What a synapse and its modulator are at a time.
struct State<'a> {
    marking: &'a Marking,
    signal: &'a Signal,
    gates: &'a [Gate],
    target: usize,
    now: Time,
    mark: f64,
    /// What the modulator has done to the weight since the last spike: the bounds are applied at spikes.
    drift: f64,
    level: f64,
}

impl State<'_> {
    /// Lets time pass in which there is no spike, release or reward.
    fn pass_to(&mut self, time: Time) {
        let h = ms(time - self.now);
        if time == self.now {
            return;
        }
        // ∫ e^(−rate t) dt.
        let integral = |rate: f64| -libm::expm1(-rate * h) / rate;
        if let Some(tau) = self.signal.tau_ms {
            let baseline = self.signal.baseline;
            let acting = match self.marking.lasts {
                None => self.gate(0, 0.0) * (self.level - baseline),
                Some(lasts) if !self.gates.is_empty() => {
                    // Adds up the middles of short parts; pools that gate may be raised at whole times.
                    const PARTS: i64 = 16;
                    let part = ms(1) / PARTS as f64;
                    let height = |n: i64| {
                        let (unit, t) = (n / PARTS, (n as f64 + 0.5) * part);
                        let level = self.level * libm::exp(-t / tau) - baseline;
                        level * libm::exp(-t / lasts) * self.gate(unit, t - ms(unit))
                    };
                    (0..PARTS * (time - self.now))
                        .map(|n| part * height(n))
                        .sum()
                }
                Some(lasts) => {
                    self.level * integral(1.0 / tau + 1.0 / lasts)
                        - baseline * integral(1.0 / lasts)
                }
            };
            self.drift += self.marking.scale * self.mark * acting;
            self.level *= libm::exp(-h / tau);
        }
        self.mark *= match self.marking.lasts {
            Some(tau) => libm::exp(-h / tau),
            None => 0.0,
        };
        self.now = time;
    }

    /// The modulator is raised.
    fn raise(&mut self, amount: f64) {
        match self.signal.tau_ms {
            Some(_) => self.level += amount,
            None => self.drift += self.gate(0, 0.0) * self.marking.scale * self.mark * amount,
        }
    }

    /// By what changes are multiplied so many units and ms from now, with what is released up to the units.
    fn gate(&self, units: Time, after: f64) -> f64 {
        Gate::factor(self.gates, self.target, self.now + units, after, true)
    }

    /// Applies what the modulator has done.
    fn apply(&mut self, weight: &mut Weight) {
        weight.change(weight.now + self.drift);
        self.drift = 0.0;
    }
}

/// Replays a rule with a third factor over a course.
pub fn replay(
    network: &Network,
    marking: &Marking,
    signal: &Signal,
    gates: &[Gate],
    course: &Course,
) -> Replayed {
    let mut result = Replayed::new(course);
    for synapse in &network.synapses {
        let state = State {
            marking,
            signal,
            gates,
            target: synapse.target,
            now: 0,
            mark: 0.0,
            drift: 0.0,
            level: signal.initial,
        };
        replay_synapse(network, synapse, state, course, &mut result);
    }
    result
}

fn replay_synapse(
    network: &Network,
    synapse: &Synapse,
    mut state: State<'_>,
    course: &Course,
    result: &mut Replayed,
) {
    let (marking, signal) = (state.marking, state.signal);
    let [_, dendritic, _] = network.delays.parts(synapse.delay);
    let mut spikes = spikes_at(network, synapse, marking.coincidence);
    let mut weight = Weight::new(synapse.weight, marking.bounds);
    let mut raises = signal.raises().into_iter().peekable();
    let mut readings = 0;
    for (now, what) in happenings(&spikes, course) {
        // Rewards of this time act on the spikes of this time, so after them.
        while let Some((time, amount)) = raises.next_if(|(time, _)| *time < now) {
            state.pass_to(time);
            state.raise(amount);
        }
        state.pass_to(now);
        match what {
            Happening::Pre => {
                state.apply(&mut weight);
                result
                    .sent
                    .push((synapse.target, now + dendritic, weight.now));
                if spikes.remembers_pre(now) {
                    state.mark -= marking.a[1] * trace(spikes.post_seen(now), now, marking.tau[1]);
                }
            }
            Happening::Post => {
                state.apply(&mut weight);
                if spikes.remembers_post(now) {
                    state.mark += marking.a[0] * trace(spikes.pre_seen(now), now, marking.tau[0]);
                }
            }
            Happening::Act(Act::Read) => {
                let mut seen = weight;
                seen.change(weight.now + state.drift);
                result.weights[readings].push(seen.now);
                result.tags[readings].push(state.mark);
                readings += 1;
            }
            Happening::Act(act) => {
                state.apply(&mut weight);
                weight.steer(act, synapse.target);
                if let Act::Reset = act {
                    spikes.forgotten = now;
                    state.mark = 0.0;
                }
            }
        }
    }
}
