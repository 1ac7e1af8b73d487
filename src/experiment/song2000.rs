//! Song, Miller & Abbott 2000: synapses compete by spike timing, and so keep a neuron irregular whatever the rate of its input.

use super::{
    Bound, Certainty, Claim, Condition, Criterion, Experiment, Measure, Outcome, Parameter,
    Pictures, Results, Run, Series, Short, Source, Stop, mean_and_sd,
};
use crate::network::connect::Rule;
use crate::network::distribution::Distribution;
use crate::network::region::Spikes;
use crate::network::stimulus::StimulusKind;
use crate::neurons::lif_cond_exp::LifCondExp;
use crate::neurons::poisson_source::PoissonSource;
use crate::plasticity::stdp::Stdp;
use crate::results::figure::{Figure, Panel};
use crate::scene::schema::{ProjectionSpec, RegionSpec, Scene, StimulusSpec};
use crate::sim::quantity::Range;
use crate::simulation::Simulation;
use bevy::prelude::*;

pub(super) const EXPERIMENT: Experiment = Experiment {
    name: "song2000",
    title: "Synapses that compete by spike timing keep a neuron irregular",
    source: Source {
        citation: "Song, Miller & Abbott 2000, Competitive Hebbian learning through spike-timing-dependent synaptic plasticity, Nat. Neurosci. 3:919, figures 2 and 3",
        doi: "10.1038/78829",
    },
    protocol: "\
One neuron: leaky integrate-and-fire with conductances, τ 20 ms, rest −70 mV, threshold −54 mV, reset −60 mV, no refractoriness; excitatory and
inhibitory reversal 0 and −70 mV, synaptic τ 5 ms. 1,000 excitatory Poisson afferents of one rate, and 200 inhibitory ones of 10 Hz with a
weight of 0.05 (all conductances in units of the leak), given as one Poisson train of 2,000 Hz, which is the same.

Excitatory synapses learn by STDP of all pairs: A₊ 0.005 and A₋ 1.05 times that, relative to the largest weight of 0.015; τ± 20 ms; additive, within
0 and the largest weight. They start evenly spread between both.

A run has three such neurons that nothing joins, with inputs of 10, 20 and 40 Hz. After `duration_s` the weights are as competition has left
them; rates and intervals are those of the last fifth of the time. Steps of `dt_ms`.

The control has the same neurons with all weights held at one value, that of the mean weight after learning at 20 Hz.

Constants are those of public code of the model; that the rest of the network is as in the paper, and the time that it was given, is from memory.
A run succeeds if the three output rates are within a factor of 2 of each other.",
    parameters: &[
        Parameter::number("duration_s", 3000.0, "s", Range::between(1.0, 1e6), "simulated time"),
        Parameter::number("dt_ms", 0.1, "ms", Range::between(0.01, 1.0), "the step"),
        Parameter::number("ratio", 1.05, "", Range::between(0.0, 10.0), "A₋ / A₊"),
        Parameter::number("speed", 1.0, "", Range::between(0.01, 100.0), "factor of A₊ and A₋"),
        Parameter::number("held_at", 0.0, "", Range::between(0.0, 1.0), "relative weight at which all are held; 0 to learn"),
    ],
    measures: &[
        Measure::new("rate_10", "Hz", "output rate with inputs of 10 Hz"),
        Measure::new("rate_20", "Hz", "with 20 Hz"),
        Measure::new("rate_40", "Hz", "with 40 Hz"),
        Measure::new("rate_ratio", "", "rate_40 / rate_10; none if the neuron is silent at 10 Hz"),
        Measure::new("evenness", "", "lowest of the three output rates over the highest"),
        Measure::new("cv_10", "", "coefficient of variation of output intervals with inputs of 10 Hz"),
        Measure::new("cv_20", "", "with 20 Hz"),
        Measure::new("cv_40", "", "with 40 Hz"),
        Measure::new("between_10", "%", "of the weights, from 0.2 to 0.8 of the largest, with inputs of 10 Hz"),
        Measure::new("between_20", "%", "with 20 Hz"),
        Measure::new("between_40", "%", "with 40 Hz"),
        Measure::new("mean_10", "", "mean weight over the largest with inputs of 10 Hz"),
        Measure::new("mean_20", "", "with 20 Hz"),
        Measure::new("mean_40", "", "with 40 Hz"),
        Measure::new("drift", "%", "largest change of a mean weight over the last fifth of the time, of the largest weight"),
    ],
    success: Some("the output rates are within a factor of 2 of each other"),
    conditions: &[
        Condition::method("stdp", "weights compete").judged_by(&[
            Claim::new(
                Criterion::Mean("evenness", Bound::AtLeast(0.5)),
                Certainty::Chosen,
                "the output rate changes far less than fourfold: here less than twofold",
            ),
            Claim::new(
                Criterion::Mean("between_10", Bound::AtMost(30.0)),
                Certainty::Chosen,
                "bimodal weights: evenly spread ones would be 60 %",
            ),
            Claim::new(
                Criterion::Mean("between_20", Bound::AtMost(30.0)),
                Certainty::Chosen,
                "bimodal weights",
            ),
            Claim::new(
                Criterion::Mean("between_40", Bound::AtMost(30.0)),
                Certainty::Chosen,
                "bimodal weights",
            ),
            Claim::new(
                Criterion::Mean("cv_10", Bound::Within(0.7, 1.3)),
                Certainty::Chosen,
                "irregular firing, CV about 1",
            ),
            Claim::new(
                Criterion::Mean("cv_20", Bound::Within(0.7, 1.3)),
                Certainty::Chosen,
                "irregular firing, CV about 1",
            ),
            Claim::new(
                Criterion::Mean("cv_40", Bound::Within(0.7, 1.3)),
                Certainty::Chosen,
                "irregular firing, CV about 1",
            ),
        ]),
        Condition::control("held", "all weights held at the mean that learning finds at 20 Hz")
            .with(&[("held_at", 0.274)])
            .judged_by(&[
                Claim::new(
                    Criterion::Mean("evenness", Bound::AtMost(0.25)),
                    Certainty::Chosen,
                    "without learning the output follows the input, fourfold or more",
                ),
                Claim::new(
                    Criterion::SuccessAtMost(0.1),
                    Certainty::Chosen,
                    "nothing else keeps the rates together",
                ),
            ]),
    ],
    runs: 10,
    short: Short {
        runs: 1,
        settings: &[("duration_s", 400.0), ("dt_ms", 0.5), ("speed", 3.0)],
    },
    run,
    draw: Some(draw),
};

/// The input rates in Hz, and what belongs to each of them.
const INPUTS: [Input; 3] = [
    Input {
        hz: 10.0,
        afferents: "afferents of 10 Hz",
        neuron: "10 Hz",
        measures: ["rate_10", "cv_10", "between_10", "mean_10"],
        series: ["rate_10", "mean_10", "weights_10"],
    },
    Input {
        hz: 20.0,
        afferents: "afferents of 20 Hz",
        neuron: "20 Hz",
        measures: ["rate_20", "cv_20", "between_20", "mean_20"],
        series: ["rate_20", "mean_20", "weights_20"],
    },
    Input {
        hz: 40.0,
        afferents: "afferents of 40 Hz",
        neuron: "40 Hz",
        measures: ["rate_40", "cv_40", "between_40", "mean_40"],
        series: ["rate_40", "mean_40", "weights_40"],
    },
];

/// An input rate.
struct Input {
    hz: f64,
    /// The region of its afferents.
    afferents: &'static str,
    /// The region of its neuron, and the projection to it.
    neuron: &'static str,
    /// The measures of rate, CV, share between, and mean weight.
    measures: [&'static str; 4],
    /// The series of rates, mean weights, and the histogram.
    series: [&'static str; 3],
}

/// Leak conductance in nS: with 200 pF a time constant of 20 ms.
const LEAK: f64 = 10.0;
/// The largest excitatory weight in nS.
const W_MAX: f64 = 0.015 * LEAK;
/// The inhibitory weight in nS.
const W_IN: f64 = 0.05 * LEAK;
/// Afferents of a neuron.
const AFFERENTS: u32 = 1000;
/// Points of a curve before the last fifth of the time, and in it.
const EARLY: usize = 60;
const LATE: usize = 10;
/// Bins of a histogram of weights.
const BINS: usize = 20;

/// What is seen of one neuron.
#[derive(Default)]
struct Watched {
    late_spikes: u64,
    late: Intervals,
    rates: Vec<(f64, f64)>,
    means: Vec<(f64, f64)>,
}

/// Intervals between spikes, in steps.
#[derive(Default)]
struct Intervals {
    last: Option<u64>,
    count: u64,
    sum: u64,
    squares: u128,
}

impl Intervals {
    fn spike(&mut self, step: u64) {
        if let Some(last) = self.last.replace(step) {
            let interval = step - last;
            self.count += 1;
            self.sum += interval;
            self.squares += u128::from(interval) * u128::from(interval);
        }
    }

    /// Their coefficient of variation; none of fewer than two.
    fn cv(&self) -> Option<f64> {
        let count = self.count as f64;
        let mean = self.sum as f64 / count;
        let variance = self.squares as f64 / count - mean * mean;
        (self.count >= 2).then(|| libm::sqrt(variance.max(0.0)) / mean)
    }
}

/// Steps at which points of the curves end: spread evenly by their logarithm, and evenly over the last fifth of the time. With the number of
/// those before that.
fn edges(steps: f64, first: f64) -> (Vec<u64>, usize) {
    let late = 0.8 * steps;
    let growth = libm::log(late / first);
    let early = (0..=EARLY).map(|i| first * libm::exp(growth * i as f64 / EARLY as f64));
    let rest = (1..=LATE).map(|i| late + 0.2 * steps * i as f64 / LATE as f64);
    let mut edges: Vec<u64> = early
        .chain(rest)
        .map(|edge| libm::rint(edge) as u64)
        .collect();
    edges.dedup();
    let count = edges.len() - LATE;
    (edges, count)
}

fn run(run: &Run<'_>) -> Result<Outcome, Stop> {
    let learning = run.number("held_at") == 0.0;
    let mut simulation = run.build(&network(run))?;
    let neurons = INPUTS.map(|input| simulation.region(input.neuron));
    let [Some(a), Some(b), Some(c)] = neurons else {
        return Err("the scene lacks a neuron".into());
    };
    let neurons = [a, b, c];
    let mut watched: [Watched; 3] = default();
    let steps_per_s = 1e3 / run.number("dt_ms");
    let steps = run.number("duration_s") * steps_per_s;
    let (edges, early) = edges(steps, steps.min(100.0 * steps_per_s) / 100.0);
    let mut from = 0;
    for (point, &to) in edges.iter().enumerate() {
        let mut spikes = [0u64; 3];
        for step in from..to {
            simulation.step();
            for (i, neuron) in neurons.into_iter().enumerate() {
                let fired = simulation.world().get::<Spikes>(neuron);
                if fired.is_some_and(|fired| !fired.list.is_empty()) {
                    spikes[i] += 1;
                    if point >= early {
                        watched[i].late.spike(step);
                    }
                }
            }
            if step % 4096 == 0 {
                run.progress(step as f64 / steps)?;
            }
        }
        let middle = 0.5 * (from + to) as f64 / steps_per_s;
        let seconds = (to - from) as f64 / steps_per_s;
        for (i, input) in INPUTS.iter().enumerate() {
            let watched = &mut watched[i];
            watched.rates.push((middle, spikes[i] as f64 / seconds));
            if point >= early {
                watched.late_spikes += spikes[i];
            }
            if learning {
                let weights = relative_weights(&mut simulation, input)?;
                let mean = (to as f64 / steps_per_s, average(&weights));
                watched.means.push(mean);
            }
        }
        from = to;
    }
    if let Some(problem) = simulation.look_for_problem() {
        return Err(problem.into());
    }

    let late_s = (from - edges[early - 1]) as f64 / steps_per_s;
    let mut outcome = Outcome::new();
    let mut drift = 0.0f64;
    let mut rates = [0.0; 3];
    for (i, input) in INPUTS.iter().enumerate() {
        let watched = &watched[i];
        rates[i] = watched.late_spikes as f64 / late_s;
        outcome = outcome
            .measure(input.measures[0], rates[i])
            .measure_if(input.measures[1], watched.late.cv())
            .series(Series::new(
                input.series[0],
                ("time", "s"),
                ("output rate", "Hz"),
                watched.rates.clone(),
            ));
        if !learning {
            continue;
        }
        let weights = relative_weights(&mut simulation, input)?;
        let between = weights.iter().filter(|w| (0.2..=0.8).contains(*w)).count();
        let change = average(&weights) - watched.means[early - 1].1;
        drift = drift.max(100.0 * change.abs());
        outcome = outcome
            .measure(
                input.measures[2],
                100.0 * between as f64 / weights.len() as f64,
            )
            .measure(input.measures[3], average(&weights))
            .series(Series::new(
                input.series[1],
                ("time", "s"),
                ("mean weight", ""),
                watched.means.clone(),
            ))
            .series(Series::new(
                input.series[2],
                ("relative weight", ""),
                ("share of synapses", "%"),
                histogram(&weights),
            ));
    }
    let lowest = rates[0].min(rates[1]).min(rates[2]);
    let highest = rates[0].max(rates[1]).max(rates[2]);
    Ok(outcome
        .measure_if("rate_ratio", (rates[0] > 0.0).then(|| rates[2] / rates[0]))
        .measure_if("evenness", (highest > 0.0).then(|| lowest / highest))
        .measure_if("drift", learning.then_some(drift))
        .success(highest < 2.0 * lowest))
}

/// The weights onto a neuron over the largest.
fn relative_weights(simulation: &mut Simulation, input: &Input) -> Result<Vec<f64>, Stop> {
    let weights = simulation.weights(input.neuron);
    let weights = weights.map_err(|e| Stop::from(e.to_string()))?;
    Ok(weights.iter().map(|w| f64::from(*w) / W_MAX).collect())
}

fn average(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len().max(1) as f64
}

/// The percentage of relative weights in each bin, at the bin's lower edge.
fn histogram(weights: &[f64]) -> Vec<(f64, f64)> {
    let mut counts = [0u32; BINS];
    for weight in weights {
        counts[((weight * BINS as f64) as usize).min(BINS - 1)] += 1;
    }
    let share = |count: u32| 100.0 * f64::from(count) / weights.len().max(1) as f64;
    (counts.iter().enumerate())
        .map(|(bin, count)| (bin as f64 / BINS as f64, share(*count)))
        .collect()
}

fn network(run: &Run<'_>) -> Scene {
    let dt_ms = run.number("dt_ms");
    let mut scene = Scene {
        dt_ms,
        seed: run.seed(),
        ..default()
    };
    let cell = LifCondExp {
        e_l: (-70.0).into(),
        c_m: (20.0 * LEAK).into(),
        g_l: LEAK.into(),
        v_th: (-54.0).into(),
        v_reset: (-60.0).into(),
        t_ref: 0.0.into(),
        e_ex: 0.0.into(),
        e_in: (-70.0).into(),
        tau_syn_ex: 5.0.into(),
        tau_syn_in: 5.0.into(),
        i_e: 0.0.into(),
    };
    let a_plus = 0.005 * run.number("speed");
    let rule = Stdp {
        a_plus,
        a_minus: a_plus * run.number("ratio"),
        w_max: W_MAX,
        ..default()
    };
    let held_at = run.number("held_at");
    for input in &INPUTS {
        let source = PoissonSource {
            rate_hz: input.hz.into(),
            ..default()
        };
        let (afferents, neuron) = (input.afferents, input.neuron);
        scene
            .regions
            .push(RegionSpec::new(afferents, AFFERENTS, source));
        scene.regions.push(RegionSpec::new(neuron, 1, cell.clone()));
        let weight = match held_at {
            0.0 => Distribution::Uniform {
                min: 0.0,
                max: W_MAX,
            },
            held_at => (held_at * W_MAX).into(),
        };
        let mut projection = ProjectionSpec::new(afferents, neuron, Rule::AllToAll, weight, dt_ms);
        projection.name = Some(neuron.into());
        if held_at == 0.0 {
            projection = projection.learning(rule.clone());
        }
        scene.projections.push(projection);
        let inhibition = StimulusKind::Poisson {
            rate_hz: (200.0 * 10.0).into(),
            weight: (-W_IN).into(),
            delay_ms: dt_ms,
            receptor: None,
        };
        scene.stimuli.push(StimulusSpec::new(neuron, inhibition));
    }
    scene
}

fn draw(results: &Results, pictures: &mut Pictures) {
    let curves = |condition: &str, series: &str| {
        let all = results.outcomes(condition);
        let found: Vec<&[(f64, f64)]> = all.filter_map(|(_, o)| o.points(series)).collect();
        (!found.is_empty()).then(|| mean_and_sd(&found))
    };
    let label = |input: &Input| format!("inputs of {} Hz", input.hz);
    let mut weights = Figure::new("Weights after learning, mean ± SD over seeds")
        .columns(3)
        .panel_size(620, 520);
    for input in &INPUTS {
        let Some(shares) = curves("stdp", input.series[2]) else {
            continue;
        };
        let mut edges: Vec<f64> = shares.iter().map(|p| p[0]).collect();
        edges.push(1.0);
        let heights = shares.iter().map(|p| p[1]).collect();
        let middle = |p: &[f64; 4]| [p[0] + 0.5 / BINS as f64, p[1], p[2].max(0.0), p[3]];
        let panel = Panel::new(label(input))
            .x("weight over the largest", "")
            .y("share of synapses", "%")
            .x_range(0.0, 1.0)
            .y_range(0.0, 60.0)
            .bars("", edges, heights)
            .errors("", shares.iter().map(middle).collect());
        weights = weights.panel(panel);
    }
    pictures.figure("weights", &weights);

    let mut time = Figure::new(results.plan.experiment.title).panel_size(900, 600);
    for (series, title, unit) in [
        (0, "Output rate", "Hz"),
        (1, "Mean weight over the largest", ""),
    ] {
        let mut panel = Panel::new(format!("{title}, mean ± SD over seeds"))
            .x("time", "s")
            .y(&title.to_lowercase(), unit)
            .log_x();
        for input in &INPUTS {
            if let Some(points) = curves("stdp", input.series[series]) {
                panel = panel.band(&label(input), points);
            }
        }
        time = time.panel(panel);
    }
    pictures.figure("time", &time);

    let mut regulation = Panel::new("Output rate by input rate, mean ± SD over seeds")
        .x("input rate", "Hz")
        .y("output rate", "Hz")
        .x_range(5.0, 45.0);
    for condition in ["stdp", "held"] {
        let summaries = results.condition(condition).map(|c| {
            let of = |input: &Input| {
                let rate = c.summary(input.measures[0])?;
                let (mean, sd) = (rate.mean, rate.sd.unwrap_or(0.0));
                Some([input.hz, mean, mean - sd, mean + sd])
            };
            INPUTS.iter().filter_map(of).collect::<Vec<_>>()
        });
        let Some(points) = summaries else { continue };
        regulation = regulation
            .line("", points.iter().map(|p| (p[0], p[1])).collect())
            .errors(condition, points);
    }
    let figure = Figure::new(results.plan.experiment.title).panel_size(1000, 640);
    pictures.figure("regulation", &figure.panel(regulation));
}

#[cfg(test)]
mod tests {
    use super::super::run::lone_run;
    use super::*;

    #[test]
    fn intervals_of_a_clock_and_of_pairs() {
        let cv = |steps: &[u64]| {
            let mut intervals = Intervals::default();
            steps.iter().for_each(|s| intervals.spike(*s));
            intervals.cv()
        };
        assert_eq!(cv(&[5, 15, 25, 35]), Some(0.0));
        assert_eq!(cv(&[0, 10, 40, 50, 80]), Some(0.5));
        assert_eq!(cv(&[3, 9]), None);
    }

    #[test]
    fn points_end_with_the_run_and_leave_the_last_fifth_apart() {
        let (edges, early) = edges(100_000.0, 1000.0);
        assert_eq!((edges[0], edges[early - 1]), (1000, 80_000));
        assert_eq!((edges.len() - early, edges.last()), (LATE, Some(&100_000)));
        assert!(edges.windows(2).all(|pair| pair[0] < pair[1]));
    }

    #[test]
    fn a_histogram_holds_every_weight_once() {
        let shares = histogram(&[0.0, 0.049, 0.05, 1.0]);
        assert_eq!(
            (shares[0].1, shares[1].1, shares[BINS - 1].1),
            (50.0, 25.0, 25.0)
        );
        assert_eq!(shares.iter().map(|s| s.1).sum::<f64>(), 100.0);
    }

    #[test]
    fn competition_splits_the_weights_and_evens_out_the_rates() {
        let short = EXPERIMENT.short.settings;
        let learned = lone_run(&EXPERIMENT, "stdp", 3, short, |r| {
            run(r).expect("an outcome")
        });
        let held = lone_run(&EXPERIMENT, "held", 3, short, |r| {
            run(r).expect("an outcome")
        });
        let of = |outcome: &Outcome, name| outcome.get(name).expect(name);
        assert!(of(&learned, "between_40") < 40.0, "{learned:?}");
        assert!(of(&learned, "mean_10") > of(&learned, "mean_40") + 0.1);
        assert!(of(&learned, "rate_ratio") < 6.0, "{learned:?}");
        // Without learning the neuron is silent at 10 Hz and fires at hundreds of Hz at 40.
        assert!(of(&learned, "evenness") > 10.0 * of(&held, "evenness"));
        assert!(of(&held, "rate_10") < 1.0 && of(&held, "rate_40") > 100.0);
    }
}
