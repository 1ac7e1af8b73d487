//! What Pavlov's experiment presents when, and the network that it is presented to.

use super::Run;
use crate::modulation::{ModulatorSpec, Release};
use crate::network::connect::Rule;
use crate::network::stimulus::{Selection, StimulusKind};
use crate::neurons::izhikevich::{Izhikevich, IzhikevichPreset, IzhikevichScheme};
use crate::neurons::spike_source::SpikeSource;
use crate::plasticity::dopamine::DopamineStdp;
use crate::scene::schema::{ProjectionSpec, RegionSpec, Scene, StimulusSpec};
use crate::sim::rng::{Draws, Purpose, Random, entity_key};
use bevy::prelude::default;

/// Afferents of each cue.
pub(super) const CUE: u32 = 100;
/// Afferents of food, and of what excites dopaminergic neurons elsewhere.
const FOOD: u32 = 50;
/// Neurons that respond.
const RESPONSE: u32 = 50;
/// Neurons that release dopamine.
const DOPAMINERGIC: u32 = 20;
/// How long a cue or food lasts, and how long spikes count, in steps.
pub(super) const SHOWN: u64 = 100;
/// Seconds from the start of a trial to that of the next, at least and at most.
const PAUSE_S: [f64; 2] = [8.0, 12.0];
/// Steps at the end of training in which no random food begins, so that its dopamine still comes in training.
const LATE: u64 = 2000;
/// The decay of dopamine.
pub(super) const TAU_MS: f64 = 200.0;
/// The plastic projection.
pub(super) const LEARNING: &str = "cues → response";

/// Parts of a run, in their order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    Before,
    Training,
    After,
    Extinction,
    End,
}

/// What announces food, or does not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cue {
    Tone,
    Light,
}

/// One presentation of a cue.
#[derive(Clone, Copy, Debug)]
pub(super) struct Trial {
    pub(super) part: Part,
    pub(super) cue: Cue,
    /// The step in which it begins.
    pub(super) start: u64,
}

/// What is presented when.
pub(super) struct Protocol {
    pub(super) trials: Vec<Trial>,
    /// Steps in which food comes.
    pub(super) food: Vec<u64>,
    /// Steps in which something else excites the dopaminergic neurons, instead of food.
    elsewhere: Vec<u64>,
    /// The steps in which training begins and ends.
    pub(super) training: [u64; 2],
    pub(super) steps: u64,
}

impl Protocol {
    pub(super) fn of(run: &Run<'_>) -> Self {
        let random = |what| Random::new(run.seed(), entity_key(what), Purpose::Choice);
        let mut pauses = random("pauses").draws(0);
        let order = random("order");
        let mut trials: Vec<Trial> = Vec::new();
        let mut now = 1000;
        let [least, most] = PAUSE_S;
        let mut training = [0; 2];
        for (index, (part, tones, lights)) in [
            (Part::Before, run.whole("tests"), run.whole("tests")),
            (Part::Training, run.whole("pairings"), run.whole("pairings")),
            (Part::After, run.whole("tests"), run.whole("tests")),
            (Part::Extinction, run.whole("extinctions"), 0),
            (Part::End, run.whole("tests"), run.whole("tests")),
        ]
        .into_iter()
        .enumerate()
        {
            let mut cues = vec![Cue::Tone; tones as usize];
            cues.resize((tones + lights) as usize, Cue::Light);
            shuffle(&mut cues, &mut order.draws(index as u64));
            let begin = now;
            for cue in cues {
                trials.push(Trial {
                    part,
                    cue,
                    start: now,
                });
                now += (1000.0 * (least + (most - least) * pauses.unit())) as u64;
            }
            if part == Part::Training {
                training = [begin, now];
            }
        }
        let mut protocol = Self {
            trials,
            food: Vec::new(),
            elsewhere: Vec::new(),
            training,
            steps: now,
        };
        let interval = run.whole("interval_ms");
        let paired: Vec<u64> = (protocol.trials.iter())
            .filter(|trial| trial.part == Part::Training && trial.cue == Cue::Tone)
            .map(|trial| trial.start + interval)
            .collect();
        let mut anywhere = random("anywhere").draws(0);
        let scattered: Vec<u64> = (paired.iter())
            .map(|_| {
                let length = training[1] - training[0] - LATE;
                training[0] + (anywhere.unit() * length as f64) as u64
            })
            .collect();
        if run.is_on("elsewhere") {
            protocol.elsewhere = scattered.clone();
        }
        protocol.food = if run.is_on("unpaired") {
            scattered
        } else {
            paired
        };
        protocol
    }

    /// The starts of one cue.
    fn starts(&self, cue: Cue) -> Vec<u64> {
        let of_cue = self.trials.iter().filter(|trial| trial.cue == cue);
        of_cue.map(|trial| trial.start).collect()
    }
}

fn shuffle<T>(list: &mut [T], draws: &mut Draws) {
    for i in (1..list.len()).rev() {
        list.swap(i, draws.below(i as u32 + 1) as usize);
    }
}

/// Neurons that fire from outside.
struct Afferents {
    region: &'static str,
    /// Neurons for each of the things that they tell.
    size: u32,
    rest_hz: f64,
    shown_hz: f64,
    /// When each of these things is shown.
    starts: Vec<Vec<u64>>,
}

impl Afferents {
    fn region(&self, run: &Run<'_>, steps: u64) -> RegionSpec {
        let mut spikes = Vec::new();
        let random = Random::new(run.seed(), entity_key(self.region), Purpose::Poisson);
        let neurons = self.size * self.starts.len() as u32;
        for neuron in 0..neurons {
            let mut draws = random.draws(neuron.into());
            let mut fire = |hz, from, to| poisson(&mut draws, hz, [from, to], neuron, &mut spikes);
            fire(self.rest_hz, 0, steps);
            for start in &self.starts[(neuron / self.size) as usize] {
                fire(self.shown_hz, *start, start + SHOWN);
            }
        }
        let source = SpikeSource {
            spikes,
            ..default()
        };
        RegionSpec::new(self.region, neurons, source)
    }
}

/// The network with all of its input.
pub(super) fn network(run: &Run<'_>, protocol: &Protocol) -> Scene {
    let food = |region, starts: &Vec<u64>| Afferents {
        region,
        size: FOOD,
        rest_hz: 0.0,
        shown_hz: 50.0,
        starts: vec![starts.clone()],
    };
    let cues = Afferents {
        region: "cues",
        size: CUE,
        rest_hz: 1.0,
        shown_hz: 40.0,
        starts: [Cue::Tone, Cue::Light]
            .map(|cue| protocol.starts(cue))
            .into(),
    };
    let cell = |i_e: f64| Izhikevich {
        preset: IzhikevichPreset::RS,
        scheme: IzhikevichScheme::Published,
        i_e: i_e.into(),
        ..default()
    };
    let rest = run.number("rest_current");
    let rule = DopamineStdp {
        a_plus: 0.1,
        a_minus: 0.15,
        tau_c: 1000.0,
        gain: run.number("gain"),
        w_max: 4.0,
        ..default()
    };
    let join = |from: &str, to: &str, weight: f64, delay_ms: f64| {
        ProjectionSpec::new(from, to, Rule::AllToAll, weight, delay_ms)
    };
    let mut learning = join("cues", "response", 0.1, 1.0).learning(rule);
    learning.name = Some(LEARNING.into());
    let exciting = match run.is_on("elsewhere") {
        true => "elsewhere",
        false => "food",
    };
    let noise = |region: &str, amplitude: f64| {
        let kind = StimulusKind::Noise {
            mean: 0.0,
            sd: amplitude / libm::sqrt(3.0),
            interval_ms: 1.0,
            uniform: true,
        };
        StimulusSpec::new(region, kind)
    };
    Scene {
        dt_ms: 1.0,
        seed: run.seed(),
        regions: vec![
            cues.region(run, protocol.steps),
            food("food", &protocol.food).region(run, protocol.steps),
            food("elsewhere", &protocol.elsewhere).region(run, protocol.steps),
            RegionSpec::new("response", RESPONSE, cell(0.0)),
            RegionSpec::new("dopaminergic", DOPAMINERGIC, cell(rest)),
        ],
        projections: vec![
            learning,
            join("food", "response", 5.0, 1.0),
            join(exciting, "dopaminergic", 8.0, 10.0),
        ],
        stimuli: vec![noise("response", 5.0), noise("dopaminergic", 6.5)],
        modulators: vec![ModulatorSpec {
            name: "dopamine".into(),
            tau_ms: Some(TAU_MS),
            released_by: vec![Release {
                from: "dopaminergic".into(),
                neurons: Selection::All,
                amount: run.number("release"),
                delay_ms: 200.0,
                ..default()
            }],
            ..default()
        }],
        ..default()
    }
}

/// A Poisson train of a neuron between two steps: the steps between spikes are geometrically distributed.
fn poisson(
    draws: &mut Draws,
    hz: f64,
    [from, to]: [u64; 2],
    neuron: u32,
    spikes: &mut Vec<(f64, u32)>,
) {
    let miss = libm::log1p(-hz * 1e-3);
    let mut step = from as f64;
    loop {
        step += (libm::log(draws.open_unit()) / miss).floor() + 1.0;
        if step > to as f64 {
            return;
        }
        spikes.push((step, neuron));
    }
}

#[cfg(test)]
mod tests {
    use super::super::pavlov::EXPERIMENT;
    use super::super::run::lone_run;
    use super::*;

    fn protocol(condition: &str) -> Protocol {
        lone_run(
            &EXPERIMENT,
            condition,
            3,
            &[("pairings", 30.0)],
            Protocol::of,
        )
    }

    /// How many of `times` come within the food's interval and duration after a tone.
    fn after_tones(protocol: &Protocol, times: &[u64]) -> usize {
        let tones = protocol.starts(Cue::Tone);
        let after = |time: &&u64| {
            tones
                .iter()
                .any(|tone| (0..=200).contains(&(**time as i64 - *tone as i64)))
        };
        times.iter().filter(after).count()
    }

    #[test]
    fn food_and_dopamine_follow_the_tone_only_where_they_should() {
        let paired = protocol("paired");
        assert_eq!(after_tones(&paired, &paired.food), 30);
        assert_eq!(paired.elsewhere.len(), 0);
        let unpaired = protocol("unpaired");
        assert_eq!(unpaired.food.len(), 30);
        assert!(after_tones(&unpaired, &unpaired.food) < 5);
        let shuffled = protocol("shuffled");
        assert_eq!((shuffled.food.len(), shuffled.elsewhere.len()), (30, 30));
        assert_eq!(after_tones(&shuffled, &shuffled.food), 30);
        assert!(after_tones(&shuffled, &shuffled.elsewhere) < 5);
    }

    #[test]
    fn no_food_follows_lights_tests_and_extinction() {
        let paired = protocol("paired");
        for trial in &paired.trials {
            let fed = paired.food.contains(&(trial.start + 100));
            let should = trial.part == Part::Training && trial.cue == Cue::Tone;
            assert_eq!(fed, should, "{trial:?}");
        }
        for part in [Part::Before, Part::After, Part::End] {
            for cue in [Cue::Tone, Cue::Light] {
                let shown = paired
                    .trials
                    .iter()
                    .filter(|t| t.part == part && t.cue == cue);
                assert_eq!(shown.count(), 20);
            }
        }
    }

    #[test]
    fn a_poisson_train_has_its_rate_and_stays_in_its_time() {
        let mut draws = Random::new(1, 2, Purpose::Test).draws(0);
        let mut spikes = Vec::new();
        poisson(&mut draws, 40.0, [500, 100_500], 7, &mut spikes);
        assert!((3700..4300).contains(&spikes.len()), "{}", spikes.len());
        assert!(
            spikes
                .iter()
                .all(|s| s.0 > 500.0 && s.0 <= 100_500.0 && s.1 == 7)
        );
        poisson(&mut draws, 0.0, [0, 1000], 7, &mut Vec::new());
    }
}
