//! Izhikevich 2003: randomly coupled neurons fire in alpha and gamma rhythms that none of them has alone.

use super::{
    Bound, Certainty, Claim, Condition, Criterion, Experiment, Measure, Outcome, Parameter,
    Pictures, Results, Run, Series, Short, Source, Stop, mean_and_sd,
};
use crate::network::distribution::Distribution;
use crate::network::region::Region;
use crate::results::figure::{Figure, Panel};
use crate::results::raster::REGION_COLORS;
use crate::results::spectrum::{Spectrum, spectrum};
use crate::results::{Recording, SpikeTrain, Window};
use crate::scene::schema::{ProbeKind, ProbeSpec};
use crate::sim::quantity::Range;
use crate::simulation::Simulation;

pub(super) const EXPERIMENT: Experiment = Experiment {
    name: "izhikevich2003_rhythm",
    title: "Alpha and gamma rhythms of 1,000 randomly coupled neurons",
    source: Source {
        citation: "Izhikevich 2003, Simple model of spiking neurons, IEEE Trans. Neural Netw. 14:1569",
        doi: "10.1109/TNN.2003.820440",
    },
    protocol: "\
Network: the script of the paper, shipped as the scene `izhikevich2003`. 800 excitatory neurons between regular spiking and chattering and
200 inhibitory ones between fast spiking and low threshold; each projects to all with weights uniform in 0 to 0.5 and in −1 to 0; Gaussian
input with SD 5 and 2 every ms; steps of 1 ms, v in two half steps, as published. Every seed draws cells, weights and input anew.

Measurement: the network runs for `duration_s`; the first 0.2 s are left out. Rates are means over the neurons of each kind. The population
rate of all neurons in 1 ms bins gives a power spectrum by Welch's method with Hann windows: segments of 0.5 s (2 Hz) for the alpha band,
of 0.25 s (4 Hz) for the gamma band, where the bump is wide. Power is given relative to that of as many independent Poisson neurons of
the same mean rate, whose spectrum is flat: 1 is no rhythm.

The alpha peak is the highest point from 4 to 20 Hz, the gamma peak that from 20 to 80 Hz.

The paper shows one run of 1 s and says that the neurons self-organize into rhythms in the alpha (10 Hz) and gamma (40 Hz) range. It gives
no rates; those judged here were measured with Brian2 2.9 over the same window with five seeds.

The criteria for the rhythms are this program's reading of the paper, and were fixed after a look at six runs of 50 s, whose spectra
peak near 8 Hz and near 32 Hz: at the lower ends of the alpha and the gamma range. So they tell whether there are rhythms in these ranges
and whether coupling makes them, not whether they are at 10 and 40 Hz: both are slower.

The control has the same neurons and the same input, and every recurrent weight is 0.",
    parameters: &[
        Parameter::number("duration_s", 10.0, "s", Range::between(1.0, 1000.0), "simulated time"),
        Parameter::number("coupling", 1.0, "", Range::between(0.0, 10.0), "factor of every recurrent weight"),
    ],
    measures: &[
        Measure::new("rate_e", "Hz", "mean rate of an excitatory neuron"),
        Measure::new("rate_i", "Hz", "mean rate of an inhibitory neuron"),
        Measure::new("alpha_peak", "Hz", "frequency with the highest power from 4 to 20 Hz"),
        Measure::new("alpha_power", "", "power there, relative to independent Poisson neurons"),
        Measure::new("gamma_peak", "Hz", "frequency with the highest power from 20 to 80 Hz"),
        Measure::new("gamma_power", "", "power there, relative to independent Poisson neurons"),
    ],
    success: Some("both peaks have at least 5 times the power of independent neurons"),
    conditions: &[
        Condition::method("network", "the network as published").judged_by(&[
            Claim::new(
                Criterion::Mean("rate_e", Bound::Within(7.12, 7.41)),
                Certainty::Measured,
                "7.264 ± 0.082 Hz in Brian2; criterion ± 2 %",
            ),
            Claim::new(
                Criterion::Mean("rate_i", Bound::Within(6.48, 6.75)),
                Certainty::Measured,
                "6.616 ± 0.107 Hz in Brian2; criterion ± 2 %",
            ),
            Claim::new(Criterion::Success(1.0), Certainty::Chosen, "the run shown has both rhythms"),
            Claim::new(
                Criterion::Mean("alpha_peak", Bound::Within(7.0, 13.0)),
                Certainty::Chosen,
                "alpha range, about 10 Hz",
            ),
            Claim::new(
                Criterion::Mean("gamma_peak", Bound::Within(30.0, 50.0)),
                Certainty::Chosen,
                "gamma range, about 40 Hz",
            ),
        ]),
        Condition::control("uncoupled", "the same neurons and input without recurrent weights")
            .with(&[("coupling", 0.0)])
            .judged_by(&[
                Claim::new(
                    Criterion::SuccessAtMost(0.0),
                    Certainty::Chosen,
                    "the rhythms are the network's, not the neurons'",
                ),
                Claim::new(
                    Criterion::EveryRun("alpha_power", Bound::AtMost(3.0)),
                    Certainty::Chosen,
                    "no alpha rhythm",
                ),
                Claim::new(
                    Criterion::EveryRun("gamma_power", Bound::AtMost(3.0)),
                    Certainty::Chosen,
                    "no gamma rhythm",
                ),
            ]),
    ],
    runs: 20,
    short: Short {
        runs: 2,
        settings: &[("duration_s", 2.0)],
    },
    run,
    draw: Some(draw),
};

/// What is left out at the start, in ms.
const TRANSIENT_MS: f64 = 200.0;
/// Bins of the population rate, in ms.
const BIN_MS: f64 = 1.0;
/// Times the power of independent neurons that make a rhythm.
const RHYTHM: f64 = 5.0;
/// The part of the first run that the raster shows, in ms.
const SHOWN_MS: f64 = 1000.0;
/// The highest frequency of the spectra that are kept, in Hz.
const HIGHEST_HZ: f64 = 100.0;

fn run(run: &Run<'_>) -> Result<Outcome, Stop> {
    let mut scene = run.shipped_scene("izhikevich2003", &[])?;
    for projection in &mut scene.projections {
        projection.weight = scaled(&projection.weight, run.number("coupling"))?;
    }
    scene.probes = vec![ProbeSpec {
        region: None,
        kind: ProbeKind::Spikes,
    }];
    let duration_ms = 1e3 * run.number("duration_s");
    let mut simulation = run.build(&scene)?;
    run.simulate(&mut simulation, duration_ms, 0.0..1.0)?;

    let spikes = ["excitatory", "inhibitory"].map(|region| Spikes::of(&mut simulation, region));
    let recording = Recording {
        dt_ms: scene.dt_ms,
        start_step: 0,
        end_step: simulation.clock().steps_done(),
        trains: spikes.iter().map(Spikes::train).collect(),
    };
    let window = Window::between_ms(TRANSIENT_MS, duration_ms, scene.dt_ms);
    let rate = |train: usize| {
        let spikes = recording.trains[train].range(window).len() as f64;
        spikes / (f64::from(recording.trains[train].neurons) * (duration_ms - TRANSIENT_MS) * 1e-3)
    };
    let population = population_rate(&recording, window);
    let flat = poisson_power(&population, recording.neurons());
    let alpha = relative(&population, 2.0, flat)?;
    let gamma = relative(&population, 4.0, flat)?;
    let alpha_peak = alpha
        .peak(4.0..=20.0)
        .ok_or("a network without spikes has no spectrum")?;
    let gamma_peak = gamma
        .peak(20.0..=80.0)
        .ok_or("a network without spikes has no spectrum")?;

    let mut outcome = Outcome::new()
        .measure("rate_e", rate(0))
        .measure("rate_i", rate(1))
        .measure("alpha_peak", alpha_peak.frequency_hz)
        .measure("alpha_power", alpha_peak.power)
        .measure("gamma_peak", gamma_peak.frequency_hz)
        .measure("gamma_power", gamma_peak.power)
        .success(alpha_peak.power >= RHYTHM && gamma_peak.power >= RHYTHM)
        .series(Series::new(
            "spectrum",
            ("frequency", "Hz"),
            ("relative power", ""),
            (alpha.points.into_iter())
                .filter(|(hz, _)| (2.0..=HIGHEST_HZ).contains(hz))
                .collect(),
        ));
    if run.is_first() {
        for (name, train) in ["spikes_e", "spikes_i"].into_iter().zip(&recording.trains) {
            let shown = train.range(Window::between_ms(0.0, SHOWN_MS, scene.dt_ms));
            let (steps, ids) = (&train.steps[shown.clone()], &train.ids[shown]);
            let points = (steps.iter().zip(ids))
                .map(|(&step, &id)| (recording.time_ms(step), f64::from(id)))
                .collect();
            outcome = outcome.series(Series::new(name, ("time", "ms"), ("neuron", ""), points));
        }
    }
    Ok(outcome)
}

/// Weights times a factor.
fn scaled(weight: &Option<Distribution>, factor: f64) -> Result<Option<Distribution>, Stop> {
    match *weight {
        _ if factor == 0.0 => Ok(Some(Distribution::Constant(0.0))),
        Some(Distribution::Uniform { min, max }) => Ok(Some(Distribution::Uniform {
            min: factor * min,
            max: factor * max,
        })),
        _ => Err("the scene's weights are no longer uniform".into()),
    }
}

/// The spikes of a region.
struct Spikes {
    region: &'static str,
    neurons: u32,
    steps: Vec<u64>,
    ids: Vec<u32>,
}

impl Spikes {
    fn of(simulation: &mut Simulation, region: &'static str) -> Self {
        let (steps, ids) = simulation.recorded_spikes(region).into_iter().unzip();
        let entity = simulation.region(region);
        let neurons = entity.and_then(|e| simulation.world().get::<Region>(e));
        Self {
            region,
            neurons: neurons.map_or(0, |r| r.neurons),
            steps,
            ids,
        }
    }

    fn train(&self) -> SpikeTrain<'_> {
        SpikeTrain {
            region: self.region,
            neurons: self.neurons,
            steps: &self.steps,
            ids: &self.ids,
        }
    }
}

/// The mean rate of all neurons in each bin, in Hz.
fn population_rate(recording: &Recording<'_>, window: Window) -> Vec<f32> {
    let counts: Vec<Vec<u32>> = (0..recording.trains.len())
        .map(|train| recording.counts(train, window, BIN_MS))
        .collect();
    let bins = counts.iter().map(Vec::len).min().unwrap_or(0);
    let to_hz = 1e3 / (recording.neurons().max(1) as f64 * BIN_MS);
    (0..bins)
        .map(|bin| {
            let spikes: u32 = counts.iter().map(|c| c[bin]).sum();
            (f64::from(spikes) * to_hz) as f32
        })
        .collect()
}

/// The power density, in Hz²/Hz, of a population of independent Poisson neurons with the mean of this rate: 2 · rate / neurons.
fn poisson_power(rate: &[f32], neurons: u64) -> f64 {
    let mean = rate.iter().map(|&r| f64::from(r)).sum::<f64>() / rate.len().max(1) as f64;
    2.0 * mean / neurons.max(1) as f64
}

/// The spectrum with power relative to `flat`.
fn relative(rate: &[f32], resolution_hz: f64, flat: f64) -> Result<Spectrum, Stop> {
    let mut spectrum = spectrum(rate, BIN_MS, resolution_hz).ok_or("too short for a spectrum")?;
    for (_, power) in &mut spectrum.points {
        *power /= flat;
    }
    Ok(spectrum)
}

fn draw(results: &Results, pictures: &mut Pictures) {
    let mut raster = Figure::new("The first second")
        .columns(1)
        .panel_size(1400, 620);
    let mut spectra = Panel::new("Power of the population rate, mean ± SD over seeds")
        .x("frequency", "Hz")
        .y("power relative to Poisson", "")
        .log_y()
        .x_range(0.0, HIGHEST_HZ);
    for condition in ["network", "uncoupled"] {
        let curves: Vec<_> = (results.outcomes(condition))
            .filter_map(|(_, outcome)| outcome.points("spectrum"))
            .collect();
        if !curves.is_empty() {
            spectra = spectra.band(condition, mean_and_sd(&curves));
        }
        let Some(first) = results.first(condition) else {
            continue;
        };
        let points = |name, above: f64| {
            let points = first.points(name).unwrap_or_default().iter();
            points
                .map(|&(time, neuron)| (time, neuron + above))
                .collect()
        };
        raster = raster.panel(
            Panel::new(condition)
                .x("time", "ms")
                .y("neuron", "")
                .x_range(0.0, SHOWN_MS)
                .y_range(0.0, 1000.0)
                .spikes("excitatory", points("spikes_e", 0.0))
                .spikes("inhibitory", points("spikes_i", 800.0)),
        );
    }
    let spectra = spectra
        .level("independent neurons", 1.0)
        .level("counts as a rhythm", RHYTHM)
        .color(REGION_COLORS[2]);
    let figure = Figure::new(results.plan.experiment.title).panel_size(1100, 680);
    pictures.figure("spectrum", &figure.panel(spectra));
    pictures.figure("raster", &raster);
}

#[cfg(test)]
mod tests {
    use super::super::run::lone_run;
    use super::*;

    fn outcome(condition: &str, seed: u64) -> Outcome {
        let settings = [("duration_s", 3.0)];
        lone_run(&EXPERIMENT, condition, seed, &settings, |r| {
            run(r).expect("an outcome")
        })
    }

    #[test]
    fn coupling_makes_the_rhythms() {
        let (network, uncoupled) = (outcome("network", 1), outcome("uncoupled", 1));
        assert_eq!(
            (network.succeeded(), uncoupled.succeeded()),
            (Some(true), Some(false))
        );
        // Neurons that nothing joins are nearly Poisson: the measure of power is 1 but for noise.
        let spectrum = uncoupled.points("spectrum").expect("a spectrum");
        let high: Vec<f64> = spectrum
            .iter()
            .filter(|p| p.0 > 50.0)
            .map(|p| p.1)
            .collect();
        let mean = high.iter().sum::<f64>() / high.len() as f64;
        assert!((0.7..1.3).contains(&mean), "{mean}");
    }

    #[test]
    fn a_run_depends_on_its_seed_only() {
        assert_eq!(outcome("network", 4), outcome("network", 4));
        assert_ne!(outcome("network", 4), outcome("network", 5));
    }

    #[test]
    fn poisson_neurons_have_a_relative_power_of_one() {
        // A spike of one neuron in 1 of 50 bins of 1 ms: 20 Hz.
        let mut state = 1_u64;
        let rate: Vec<f32> = (0..200_000)
            .map(|_| {
                state = crate::sim::rng::avalanche(state.wrapping_add(0x9E37_79B9_7F4A_7C15));
                if state.is_multiple_of(50) {
                    1000.0
                } else {
                    0.0
                }
            })
            .collect();
        let flat = poisson_power(&rate, 1);
        let points = relative(&rate, 4.0, flat).expect("a spectrum").points;
        let mean = points[1..].iter().map(|p| p.1).sum::<f64>() / (points.len() - 1) as f64;
        // At most one spike to a bin is 2 % less variable than Poisson.
        assert!((mean - 0.98).abs() < 0.02, "{mean}");
    }
}
