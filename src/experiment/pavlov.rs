//! Pavlov's experiment with a compact network: a tone comes to evoke the response to food, through dopamine that neurons release.

use super::pavlov_trials::{CUE, Cue, LEARNING, Part, Protocol, SHOWN, TAU_MS, Trial, network};
use super::{
    Bound, Certainty, Claim, Condition, Criterion, Experiment, Measure, Outcome, Parameter,
    Pictures, Results, Run, Series, Short, Source, Stop, mean_and_sd,
};
use crate::network::region::Spikes;
use crate::plasticity::control::NotPlastic;
use crate::results::figure::{Figure, Panel};
use crate::sim::quantity::Range;
use crate::simulation::Simulation;
use bevy::prelude::Entity;

pub(super) const EXPERIMENT: Experiment = Experiment {
    name: "pavlov",
    title: "Pavlov: a tone comes to evoke the response to food, and loses it again",
    source: Source {
        citation: "Pavlov 1927, Conditioned Reflexes (reprinted in Ann. Neurosci. 17:136); learning rule of Izhikevich 2007, doi:10.1093/cercor/bhl152",
        doi: "10.5214/ans.0972-7531.1017309",
    },
    protocol: "\
Pavlov's experiment with a network of our own; nothing in it is fitted to data. Its constants were chosen with seeds 1 to 4.

Afferents: 100 of a tone and 100 of a light, Poisson at 1 Hz and at 40 Hz while the cue is there; 50 of food, silent and at 50 Hz while it is there. A
cue and food last 100 ms each. Neurons: 50 that respond and 20 dopaminergic ones, regular spiking (Izhikevich 2003, steps of 1 ms, v in two
half steps), with uniform noise of ±5 and ±6.5 mV/ms in every ms. All-to-all synapses, in mV/ms: cues to response, plastic from 0.1 within 0 to 4, 1
ms; food to response, 5, 1 ms; food to dopaminergic neurons, 8, 10 ms.

Each spike of a dopaminergic neuron releases 0.006 of dopamine after 200 ms; it decays with 200 ms. There is no other reward. At
rest these neurons fire at about 0.4 Hz, so there is always a little dopamine. Synapses learn by dopamine-modulated STDP, all pairs: A₊ 0.1, A₋ 0.15,
τ 20 ms; eligibility decays with 1 s; w' = 0.005 DA c per ms.

Trials begin 8 to 12 s after one another. A test, with learning held, shows the tone and the light alone, `tests` times each in random
order: before training, after it, and after extinction. Training: `pairings` tones, each with food `interval_ms` after it began, and as many
lights alone, in random order. Extinction: `extinctions` tones alone.

Spikes of the response neurons while a cue is there are counted. 65 spikes, a third of what food evokes, are a response. This criterion is ours.

Controls: `unpaired`, as much food at random times in training; `shuffled`, food after the tone, but the dopaminergic neurons are excited at as
many random times instead of by food; `no_dopamine`, their spikes release nothing. The dopamine at rest lets `shuffled` learn something, too
slowly to pass.",
    parameters: &[
        Parameter::whole("pairings", 60, "", Range::between(1.0, 1e4), "tones, and as many lights, in training"),
        Parameter::whole("extinctions", 200, "", Range::between(0.0, 1e4), "tones alone in extinction"),
        Parameter::whole("tests", 20, "", Range::between(1.0, 1e4), "presentations of each cue in a test"),
        Parameter::whole("interval_ms", 100, "ms", Range::between(0.0, 2000.0), "from the start of the tone to that of food"),
        Parameter::whole("unpaired", 0, "", Range::between(0.0, 1.0), "1 for food at random times"),
        Parameter::whole("elsewhere", 0, "", Range::between(0.0, 1.0), "1 for dopaminergic neurons excited at random times instead of by food"),
        Parameter::number("release", 0.006, "", Range::between(0.0, 1e12), "dopamine that a spike releases"),
        Parameter::number("rest_current", -0.5, "mV/ms", Range::between(-20.0, 20.0), "current of dopaminergic neurons, which sets how they fire at rest"),
        Parameter::number("gain", 0.005, "1/ms", Range::non_negative(), "change of weight for dopamine and eligibility of 1"),
    ],
    measures: &[
        Measure::new("tone_before", "%", "tones alone with a response before training"),
        Measure::new("tone_after", "%", "tones alone with a response after training"),
        Measure::new("tone_extinct", "%", "tones alone with a response after extinction"),
        Measure::new("light_after", "%", "lights with a response after training"),
        Measure::new("idle_after", "%", "times of 100 ms before tones with a response after training"),
        Measure::new("spikes_before", "spikes", "mean response to the tone before training"),
        Measure::new("spikes_after", "spikes", "mean response to the tone after training"),
        Measure::new("spikes_extinct", "spikes", "mean response to the tone after extinction"),
        Measure::new("spikes_light", "spikes", "mean response to the light after training"),
        Measure::new("spikes_next", "spikes", "mean response in the 100 ms after tones in training, when there is food unless unpaired"),
        Measure::new("weight_tone", "mV/ms", "mean weight from the tone after training"),
        Measure::new("weight_light", "mV/ms", "mean weight from the light after training"),
        Measure::new("weight_extinct", "mV/ms", "mean weight from the tone after extinction"),
        Measure::new("dopamine_spikes", "", "spikes of dopaminergic neurons in training"),
        Measure::new("dopamine_level", "", "mean level of dopamine in training"),
    ],
    success: Some(
        "at most 20 % of tones alone evoke a response before training, at least 80 % after it, and then at most 20 % of lights",
    ),
    conditions: &[
        Condition::method("paired", "food after the tone").judged_by(&[
            Claim::new(
                Criterion::Success(0.9),
                Certainty::Chosen,
                "the tone alone comes to evoke the response",
            ),
            Claim::new(
                Criterion::Mean("tone_extinct", Bound::AtMost(20.0)),
                Certainty::Chosen,
                "and loses it if no food follows any more",
            ),
        ]),
        Condition::control("unpaired", "as much food, at random times")
            .with(&[("unpaired", 1.0)])
            .judged_by(&[Claim::new(
                Criterion::SuccessAtMost(0.05),
                Certainty::Chosen,
                "food must follow the tone",
            )]),
        Condition::control("shuffled", "food after the tone, as many bursts of dopamine at random times")
            .with(&[("elsewhere", 1.0)])
            .judged_by(&[Claim::new(
                Criterion::SuccessAtMost(0.05),
                Certainty::Chosen,
                "dopamine must follow the tone",
            )]),
        Condition::control("no_dopamine", "spikes that release nothing")
            .with(&[("release", 0.0)])
            .judged_by(&[Claim::new(
                Criterion::SuccessAtMost(0.05),
                Certainty::Chosen,
                "nothing is learnt without dopamine",
            )]),
    ],
    runs: 20,
    short: Short {
        runs: 1,
        settings: &[("pairings", 2.0), ("extinctions", 1.0), ("tests", 1.0)],
    },
    run,
    draw: Some(draw),
};

/// Steps before and after the start of a cue that are looked at one by one.
const BEFORE: u64 = 200;
const AFTER: u64 = 1000;
/// A response is so many spikes within the time that a cue is shown: a third of what food evokes.
const ENOUGH: f64 = 65.0;

fn run(run: &Run<'_>) -> Result<Outcome, Stop> {
    let protocol = Protocol::of(run);
    let mut simulation = run.build(&network(run, &protocol))?;
    let mut regions = Vec::new();
    for (name, _) in ROWS {
        let region = simulation.region(name);
        regions.push(region.ok_or_else(|| Stop::from(format!("there is no region {name}")))?);
    }
    let [.., response, _] = regions[..] else {
        return Err("there are no response neurons".into());
    };
    let mut record = Record::default();
    let mut rasters = [Part::Before, Part::Training, Part::After].map(|part| {
        let mut tones = protocol.trials.iter().filter(|t| t.cue == Cue::Tone);
        let last = tones.rfind(|t| t.part == part);
        Raster::new(last.map_or(0, |trial| trial.start))
    });
    let (mut tested, mut extinct, mut released) = ([0.0; 2], [0.0; 2], [0; 2]);
    let mut part = Part::Before;
    simulation.freeze(LEARNING, true).map_err(failed)?;
    for trial in &protocol.trials {
        let now = simulation.clock().steps_done();
        simulation.run_steps((trial.start - BEFORE).saturating_sub(now));
        if trial.part != part {
            part = trial.part;
            match part {
                Part::Training => released[0] = spikes_released(&mut simulation),
                Part::After => {
                    released[1] = spikes_released(&mut simulation);
                    tested = mean_weights(&mut simulation)?;
                }
                Part::End => extinct = mean_weights(&mut simulation)?,
                Part::Before | Part::Extinction => {}
            }
            let frozen = !matches!(part, Part::Training | Part::Extinction);
            simulation.freeze(LEARNING, frozen).map_err(failed)?;
        }
        let mut spikes = [0; 3];
        for step in 0..BEFORE + AFTER {
            simulation.step();
            let window = (step + SHOWN).checked_sub(BEFORE).map(|s| s / SHOWN);
            if let Some(count) = window.and_then(|window| spikes.get_mut(window as usize))
                && let Some(fired) = simulation.world().get::<Spikes>(response)
            {
                *count += fired.list.len() as u32;
            }
            if run.is_first() {
                let of_trial = rasters.iter_mut().filter(|r| r.start == trial.start);
                of_trial.for_each(|r| r.look(&mut simulation, &regions, step));
            }
        }
        record.trials.push((*trial, spikes));
        run.progress(trial.start as f64 / protocol.steps as f64)?;
    }
    if let Some(problem) = simulation.look_for_problem() {
        return Err(problem.into());
    }

    let before = record.responses(Part::Before, Cue::Tone, IN_CUE);
    let after = record.responses(Part::After, Cue::Tone, IN_CUE);
    let light = record.responses(Part::After, Cue::Light, IN_CUE);
    let spikes = |part, cue, window| mean(record.spikes(part, cue, window));
    let dopamine = (released[1] - released[0]) as f64;
    let trained_ms = (protocol.training[1] - protocol.training[0]) as f64;
    let level = dopamine * run.number("release") * TAU_MS / trained_ms;
    let mut outcome = Outcome::new()
        .measure("tone_before", before)
        .measure("tone_after", after)
        .measure(
            "tone_extinct",
            record.responses(Part::End, Cue::Tone, IN_CUE),
        )
        .measure("light_after", light)
        .measure(
            "idle_after",
            record.responses(Part::After, Cue::Tone, BEFORE_CUE),
        )
        .measure("spikes_before", spikes(Part::Before, Cue::Tone, IN_CUE))
        .measure("spikes_after", spikes(Part::After, Cue::Tone, IN_CUE))
        .measure("spikes_extinct", spikes(Part::End, Cue::Tone, IN_CUE))
        .measure("spikes_light", spikes(Part::After, Cue::Light, IN_CUE))
        .measure("spikes_next", spikes(Part::Training, Cue::Tone, AFTER_CUE))
        .measure("weight_tone", tested[0])
        .measure("weight_light", tested[1])
        .measure("weight_extinct", extinct[0])
        .measure("dopamine_spikes", dopamine)
        .measure("dopamine_level", level)
        .success(before <= 20.0 && after >= 80.0 && light <= 20.0);
    for (name, part, cue) in [
        ("acquisition", Part::Training, Cue::Tone),
        ("discrimination", Part::Training, Cue::Light),
        ("extinction", Part::Extinction, Cue::Tone),
    ] {
        let spikes = record.spikes(part, cue, IN_CUE);
        let points = (1..).map(f64::from).zip(spikes).collect();
        let axes = (("trial", ""), ("spikes in the cue", ""));
        outcome = outcome.series(Series::new(name, axes.0, axes.1, points));
    }
    if run.is_first() {
        let names = [
            ("raster_before", "level_before"),
            ("raster_training", "level_training"),
            ("raster_after", "level_after"),
        ];
        for ((spikes, level), raster) in names.into_iter().zip(rasters) {
            let time = ("time since the tone", "ms");
            outcome = outcome
                .series(Series::new(spikes, time, ("neuron", ""), raster.spikes))
                .series(Series::new(level, time, ("dopamine", ""), raster.level));
        }
    }
    Ok(outcome)
}

/// Spikes of response neurons in every trial.
#[derive(Default)]
struct Record {
    /// In the windows [`BEFORE_CUE`], [`IN_CUE`] and [`AFTER_CUE`].
    trials: Vec<(Trial, [u32; 3])>,
}

/// Windows as long as a cue is shown.
const BEFORE_CUE: usize = 0;
const IN_CUE: usize = 1;
const AFTER_CUE: usize = 2;

impl Record {
    /// Spikes in each presentation of a cue in a part of the run.
    fn spikes(&self, part: Part, cue: Cue, window: usize) -> impl Iterator<Item = f64> {
        (self.trials.iter())
            .filter(move |(trial, _)| trial.part == part && trial.cue == cue)
            .map(move |(_, spikes)| f64::from(spikes[window]))
    }

    /// The share of presentations with a response, in %.
    fn responses(&self, part: Part, cue: Cue, window: usize) -> f64 {
        let spikes = self.spikes(part, cue, window);
        mean(spikes.map(|n| if n >= ENOUGH { 100.0 } else { 0.0 }))
    }
}

/// Regions in a raster, from below, and the row of their first neuron.
const ROWS: [(&str, u32); 4] = [
    ("cues", 0),
    ("food", 210),
    ("response", 270),
    ("dopaminergic", 330),
];

/// Spikes and dopamine around a tone.
struct Raster {
    start: u64,
    spikes: Vec<(f64, f64)>,
    level: Vec<(f64, f64)>,
}

impl Raster {
    fn new(start: u64) -> Self {
        Self {
            start,
            spikes: Vec::new(),
            level: Vec::new(),
        }
    }

    /// Keeps the newest step, the one after `step` steps from [`BEFORE`] the tone.
    fn look(&mut self, simulation: &mut Simulation, regions: &[Entity], step: u64) {
        let time = step as f64 - BEFORE as f64;
        for (region, (_, row)) in regions.iter().zip(ROWS) {
            if let Some(spikes) = simulation.world().get::<Spikes>(*region) {
                let rows = spikes.list.iter().map(|n| (time, f64::from(n + row)));
                self.spikes.extend(rows);
            }
        }
        let level = simulation.modulator("dopamine").map_or(0.0, |m| m.level());
        self.level.push((time, level));
    }
}

fn spikes_released(simulation: &mut Simulation) -> u64 {
    simulation.modulator("dopamine").map_or(0, |m| m.released())
}

/// The mean weights from the tone and from the light.
fn mean_weights(simulation: &mut Simulation) -> Result<[f64; 2], Stop> {
    let weights = simulation.weights(LEARNING).map_err(failed)?;
    let ends = simulation.synapse_ends(LEARNING).map_err(failed)?;
    Ok([false, true].map(|light| {
        let of_cue = ends
            .iter()
            .zip(&weights)
            .filter(|(end, _)| (end.0 >= CUE) == light);
        mean(of_cue.map(|(_, weight)| f64::from(*weight)))
    }))
}

/// A failed request for weights, as the end of a run.
fn failed(error: NotPlastic) -> Stop {
    Stop::from(error.to_string())
}

/// The mean; 0 for none.
fn mean(values: impl Iterator<Item = f64>) -> f64 {
    let (sum, count) = values.fold((0.0, 0u64), |(sum, count), value| (sum + value, count + 1));
    sum / count.max(1) as f64
}

fn draw(results: &Results, pictures: &mut Pictures) {
    let title = results.plan.experiment.title;
    let curves = |condition, name| -> Vec<&[(f64, f64)]> {
        (results.outcomes(condition))
            .filter_map(|(_, outcome)| outcome.points(name))
            .collect()
    };
    let course = |title, parts: &[[&'static str; 3]]| {
        let panel = Panel::new(format!("{title}, mean ± SD over seeds"))
            .x("trial", "")
            .y("spikes in the cue", "")
            .y_range(0.0, 130.0);
        let panel = parts
            .iter()
            .fold(panel, |panel, &[label, condition, name]| {
                match curves(condition, name) {
                    curves if curves.is_empty() => panel,
                    curves => panel.band(label, mean_and_sd(&curves)),
                }
            });
        panel.level("a response", ENOUGH)
    };
    let figure = Figure::new(title)
        .columns(3)
        .panel_size(640, 480)
        .footnote("peaks of unpaired: food that happened to come with the tone")
        .panel(course(
            "Training",
            &[
                ["tone, then food", "paired", "acquisition"],
                ["light, no food", "paired", "discrimination"],
            ],
        ))
        .panel(course(
            "Extinction",
            &[["tone, no food", "paired", "extinction"]],
        ))
        .panel(course(
            "The tone in training",
            &[
                ["paired", "paired", "acquisition"],
                ["unpaired", "unpaired", "acquisition"],
                ["shuffled", "shuffled", "acquisition"],
                ["no_dopamine", "no_dopamine", "acquisition"],
            ],
        ));
    pictures.figure("learning", &figure);

    let Some(first) = results.first("paired") else {
        return;
    };
    let mut figure = Figure::new(title)
        .columns(1)
        .panel_size(1300, 420)
        .footnote("first seed; the tone is told by neurons 0 to 99, the light by 100 to 199");
    let mut levels = Panel::new("Dopamine")
        .x("time since the tone", "ms")
        .y("level", "");
    for (when, spikes, level) in [
        ("before training", "raster_before", "level_before"),
        ("last in training", "raster_training", "level_training"),
        ("after training", "raster_after", "level_after"),
    ] {
        if let (Some(spikes), Some(level)) = (first.points(spikes), first.points(level)) {
            let mut panel = Panel::new(format!("A tone, {when}"))
                .x("time since the tone", "ms")
                .y("row", "")
                .x_range(-(BEFORE as f64), AFTER as f64)
                .y_range(0.0, 360.0);
            for (i, (region, first)) in ROWS.into_iter().enumerate() {
                let end = ROWS.get(i + 1).map_or(u32::MAX, |next| next.1);
                let rows = f64::from(first)..f64::from(end);
                let own = spikes.iter().filter(|spike| rows.contains(&spike.1));
                panel = panel.spikes(region, own.copied().collect());
            }
            figure = figure.panel(panel.moment("tone", 0.0));
            levels = levels.line(when, level.to_vec());
        }
    }
    pictures.figure("trials", &figure.panel(levels));
}

#[cfg(test)]
mod tests {
    use super::super::run::lone_run;
    use super::*;

    #[test]
    fn pairings_strengthen_the_tone_and_without_dopamine_no_weight_changes() {
        let settings = [("pairings", 3.0), ("extinctions", 0.0), ("tests", 1.0)];
        let outcome = |condition| {
            lone_run(&EXPERIMENT, condition, 2, &settings, |r| {
                run(r).expect("an outcome")
            })
        };
        let (paired, without) = (outcome("paired"), outcome("no_dopamine"));
        let get = |outcome: &Outcome, name| outcome.get(name).expect("a measure");
        for weight in ["weight_tone", "weight_light", "weight_extinct"] {
            assert!((get(&without, weight) - 0.1).abs() < 1e-6, "{without:?}");
        }
        assert!(get(&paired, "weight_tone") > 0.12, "{paired:?}");
        assert!(get(&paired, "weight_light") < 0.11, "{paired:?}");
        // Dopamine does not act on spikes by itself.
        let spikes = "dopamine_spikes";
        assert_eq!(get(&paired, spikes), get(&without, spikes));
        assert!(get(&paired, spikes) > 3.0 * 20.0);
    }
}
