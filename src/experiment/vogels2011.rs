//! Vogels et al. 2011: inhibitory plasticity balances a network, hides a memory in it, and leaves it open to recall.

mod grid;
mod observer;

use super::{
    Bound, Certainty, Claim, Condition, Criterion, Experiment, Measure, Outcome, Parameter,
    Pictures, Results, Run, Series, Short, Source, Stop, mean_and_sd,
};
use crate::network::connect::Rule;
use crate::network::distribution::Distribution;
use crate::network::stimulus::{Selection, StimulusKind, Window as Span};
use crate::neurons::lif_cond_exp::LifCondExp;
use crate::plasticity::control::NotPlastic;
use crate::plasticity::inhibitory::InhibitoryStdp;
use crate::plasticity::settable::Settable;
use crate::results::figure::{Figure, Heat, Panel};
use crate::scene::schema::{ProjectionSpec, RegionSpec, Scene, StimulusSpec};
use crate::sim::quantity::Range;
use crate::simulation::Simulation;
use bevy::prelude::default;
use grid::{BACKGROUND, CUED, Grid, OTHER, UNCUED};
use observer::{CURVES, FIRST, Observer};

pub(super) const EXPERIMENT: Experiment = Experiment {
    name: "vogels2011",
    title: "Inhibitory plasticity balances a network and hides a memory in it",
    source: Source {
        citation: "Vogels, Sprekeler, Zenke, Clopath & Gerstner 2011, Inhibitory plasticity balances excitation and inhibition in sensory pathways and memory networks, Science 334:1569, figure 4",
        doi: "10.1126/science.1211095",
    },
    protocol: "\
Network: 8,000 excitatory and 2,000 inhibitory leaky integrate-and-fire neurons with conductances; τ 20 ms, leak 10 nS, rest = reset = −60 mV,
threshold −50 mV, refractory for 5 ms; excitatory and inhibitory reversal 0 and −80 mV, synaptic τ 5 and 10 ms; a constant 200 pA. Any
two neurons are joined with a probability of 2 %; excitatory synapses have 3 nS, those between inhibitory neurons 30 nS. Steps of 0.1 ms.

Synapses from inhibitory to excitatory neurons start at 0 and learn by inhibitory STDP towards 3 Hz: τ 20 ms, η 0.1 nS, 0 to 300 nS.

Patterns: excitatory neurons stand on a grid of 100 × 80; two squares of 28 × 28 neurons share a corner of 8 × 8. After `balance_s` the
excitatory synapses inside each pattern are made 5 times as strong. After `rebalance_s` more, a quarter of the first pattern (14 × 14
neurons, none of them shared) gets a cue for 1 s: 50 Poisson inputs of 100 Hz and 3 nS each.

Measured: rates over 10 s before the memories are stored, over the first second after, over 10 s before the cue, and during the cue. A run
succeeds if, during the cue, the neurons of the cued pattern that get no cue themselves fire at more than 3 times the rate of the background, and
the background stays below twice its rate before the cue.

Constants are those of a co-author's programs (the Auryn simulator and the Brian twister of 2012) and of a replication of figure 4 in PyNN. They
disagree on η (0.003 or 0.01 nS), on the delay (0.5 or 0.8 ms; here 0.8) and on the weight of the cue (3 nS, or 25 times that). The cue comes from
1,000 sources that neurons share by 5 %, here from as many of their own.

That the network is balanced for an hour before, and for an hour after, is from replications, with η 0.01 nS. Here η is ten times as large and times are
a tenth, our choice: rates follow the product of the two, and a run takes 2 minutes of a core rather than 25
(`--set eta_ns=0.01 --set balance_s=3600 --set rebalance_s=3600` for the hours).

The rule brings a neuron to 3 Hz if its spikes do not depend on the inhibition that it gets. Here each strong inhibitory spike silences the neuron for
some ms, so that the two come together less often than by chance, and mean rates settle above 5 Hz. That is no fault of this program: a separate one of
the same equations, which shares no code with it, settles at 5.1 Hz too, and counts 0.56 of the pairs of chance, which for the rule is 3 Hz. All
programs of this network set the target of 3 Hz, and none of our sources tells what rate was measured in it; so the rate, its median, and the silent
neurons are told and not judged, and what is judged is that a pattern returns to the rate that it had.

`blocks` makes the network smaller or larger: the grid and the patterns have sides in proportion, the number of synapses per neuron stays.

Controls: inhibitory weights held from the moment when the memories are stored; and no memories at all.",
    parameters: &[
        Parameter::whole("blocks", 4, "", Range::between(1.0, 16.0), "the grid has 25 by 20 times as many neurons on its sides"),
        Parameter::number("balance_s", 360.0, "s", Range::between(1.0, 1e5), "from the start to the storing of memories"),
        Parameter::number("rebalance_s", 360.0, "s", Range::between(2.0, 1e5), "from there to the cue"),
        Parameter::number("eta_ns", 0.1, "nS", Range::non_negative(), "learning rate of inhibitory synapses"),
        Parameter::number("factor", 5.0, "", Range::between(0.0, 20.0), "by which synapses inside a pattern grow"),
        Parameter::number("cue_ns", 3.0, "nS", Range::non_negative(), "weight of an input of the cue"),
        Parameter::whole("held", 0, "", Range::between(0.0, 1.0), "1 to hold inhibitory weights once memories are stored"),
    ],
    measures: &[
        Measure::new("before_pattern", "Hz", "rate of the first pattern's neurons before memories are stored"),
        Measure::new("before_background", "Hz", "of excitatory neurons outside both patterns"),
        Measure::new("before_median", "Hz", "median rate of the background neurons then"),
        Measure::new("before_silent", "%", "background neurons without a spike then"),
        Measure::new("before_zero", "%", "inhibitory synapses onto the background that are at 0 then"),
        Measure::new("before_cv", "", "mean coefficient of variation of the intervals of background neurons then"),
        Measure::new("stored_pattern", "Hz", "rate of the first pattern just after memories are stored"),
        Measure::new("stored_background", "Hz", "of the background then"),
        Measure::new("rebalanced_pattern", "Hz", "rate of the first pattern just before the cue"),
        Measure::new("rebalanced_background", "Hz", "of the background then"),
        Measure::new("rebalanced_cv", "", "mean coefficient of variation of the intervals of the first pattern's neurons then"),
        Measure::new("inhibition_pattern", "nS", "mean weight of the inhibitory synapses onto the first pattern just before the cue"),
        Measure::new("inhibition_background", "nS", "of those onto the background"),
        Measure::new("returned", "", "rebalanced_pattern / before_pattern"),
        Measure::new("hidden", "", "rebalanced_pattern / rebalanced_background"),
        Measure::new("recall_cued", "Hz", "rate during the cue of neurons that get it"),
        Measure::new("recall_uncued", "Hz", "of the others of the first pattern that are in it alone"),
        Measure::new("recall_other", "Hz", "of neurons that are in the second pattern alone"),
        Measure::new("recall_background", "Hz", "of the background"),
        Measure::new("recall_contrast", "", "recall_uncued / recall_background"),
        Measure::new("after_uncued", "Hz", "rate from 1 to 4 s after the cue of the neurons of recall_uncued"),
    ],
    success: Some("the uncued part of the pattern fires at more than 3 times the rate of the background, which stays below twice its own"),
    conditions: &[
        Condition::method("memory", "inhibition goes on learning").judged_by(&[
            Claim::new(
                Criterion::Mean("before_cv", Bound::AtLeast(0.7)),
                Certainty::Chosen,
                "asynchronous irregular activity is restored",
            ),
            Claim::new(
                Criterion::Mean("stored_pattern", Bound::AtLeast(6.0)),
                Certainty::Chosen,
                "stored patterns show elevated activity: at least twice the target",
            ),
            Claim::new(
                Criterion::Mean("returned", Bound::Within(0.8, 1.25)),
                Certainty::Chosen,
                "a pattern returns to what it was before it was stored",
            ),
            Claim::new(
                Criterion::Mean("hidden", Bound::Within(0.8, 1.25)),
                Certainty::Chosen,
                "patterns become indiscernible from the background state",
            ),
            Claim::new(
                Criterion::Mean("rebalanced_cv", Bound::AtLeast(0.7)),
                Certainty::Chosen,
                "activity in the hidden pattern is irregular",
            ),
            Claim::new(
                Criterion::Success(0.9),
                Certainty::Chosen,
                "a cue to 25 % activates the whole pattern, and leaves the rest nearly unaffected",
            ),
            Claim::new(
                Criterion::Mean("after_uncued", Bound::AtMost(6.0)),
                Certainty::Chosen,
                "the pattern falls silent again when the cue ends",
            ),
        ]),
        Condition::control("held", "inhibitory weights stay once memories are stored")
            .with(&[("held", 1.0)])
            .judged_by(&[Claim::new(
                Criterion::Mean("rebalanced_pattern", Bound::AtLeast(6.0)),
                Certainty::Chosen,
                "without plasticity the pattern stays elevated",
            )]),
        Condition::control("no_memory", "excitatory synapses stay as they are")
            .with(&[("factor", 1.0)])
            .judged_by(&[Claim::new(
                Criterion::SuccessAtMost(0.1),
                Certainty::Chosen,
                "without a memory there is nothing to recall",
            )]),
    ],
    runs: 10,
    short: Short {
        runs: 1,
        settings: &[
            ("blocks", 1.0),
            ("balance_s", 15.0),
            ("rebalance_s", 15.0),
            ("eta_ns", 0.1),
        ],
    },
    run,
    draw: Some(draw),
};

/// The step in ms.
const DT_MS: f64 = 0.1;
/// Time over which rates are measured before memories are stored, and before the cue.
const WINDOW_S: f64 = 10.0;
/// Likewise just after they are stored, and length of the cue.
const MOMENT_S: f64 = 1.0;
/// From the end of the cue to the end of the run.
const AFTER_S: f64 = 4.0;
/// Moments that are spread evenly by their logarithm, from 0.1 s to `length_s`.
fn moments(length_s: f64) -> impl Iterator<Item = f64> {
    const POINTS: u32 = 80;
    let growth = libm::log(length_s / 0.1);
    (0..=POINTS).map(move |i| 0.1 * libm::exp(growth * f64::from(i) / f64::from(POINTS)))
}

fn stop(error: NotPlastic) -> Stop {
    Stop::from(error.to_string())
}

/// The weights of the inhibitory synapses onto the neurons of some groups.
fn onto(simulation: &mut Simulation, grid: &Grid, groups: &[usize]) -> Result<Vec<f32>, Stop> {
    let weights = simulation.weights("inhibition").map_err(stop)?;
    let ends = simulation.synapse_ends("inhibition").map_err(stop)?;
    let all = weights.into_iter().zip(ends);
    let chosen = all.filter(|(_, (_, to))| groups.contains(&grid.places[*to as usize].0));
    Ok(chosen.map(|(weight, _)| weight).collect())
}

fn run(run: &Run<'_>) -> Result<Outcome, Stop> {
    let grid = Grid::new(run.whole("blocks") as u32);
    let (balance, rebalance) = (run.number("balance_s"), run.number("rebalance_s"));
    let cue = balance + rebalance;
    let end = cue + MOMENT_S + AFTER_S;
    let mut simulation = run.build(&network(run, &grid))?;
    let Some(region) = simulation.region("excitatory") else {
        return Err("the scene has no excitatory neurons".into());
    };
    let mut observer = Observer::new(&grid, region);
    let mut outcome = Outcome::new();
    let mut maps = Vec::new();
    let phase = || vec![Vec::new(); CURVES.len()];
    let mut series = Vec::new();

    let mut curves = phase();
    let window = WINDOW_S.min(0.5 * balance);
    for moment in moments(balance - window) {
        observer.run_to(run, &mut simulation, moment, (0.0, end), &mut curves)?;
    }
    observer.restart(&simulation);
    observer.run_to(run, &mut simulation, balance, (0.0, end), &mut curves)?;
    series.push((BALANCE, curves));
    let before = observer.rate(FIRST);
    outcome = outcome
        .measure("before_pattern", before)
        .measure("before_background", observer.rate(&[BACKGROUND]))
        .measure_if("before_median", observer.median_rate(BACKGROUND))
        .measure("before_silent", 100.0 * observer.silent(BACKGROUND))
        .measure_if("before_cv", observer.cv(&[BACKGROUND]));
    let inhibition = onto(&mut simulation, &grid, &[BACKGROUND])?;
    let zero = inhibition.iter().filter(|w| **w == 0.0).count() as f64;
    let synapses = inhibition.len().max(1) as f64;
    outcome = outcome.measure("before_zero", 100.0 * zero / synapses);
    maps.push(observer.map(MAPS[0].0));

    let mut weights = simulation.weights("recurrent").map_err(stop)?;
    let ends = simulation.synapse_ends("recurrent").map_err(stop)?;
    let factor = run.number("factor") as f32;
    for (weight, (from, to)) in weights.iter_mut().zip(ends) {
        if grid.share_a_pattern(from, to) {
            *weight *= factor;
        }
    }
    simulation
        .set_weights("recurrent", &weights)
        .map_err(stop)?;
    if run.is_on("held") {
        simulation.freeze("inhibition", true).map_err(stop)?;
    }

    let mut curves = phase();
    let window = WINDOW_S.min(0.5 * rebalance);
    let (mut soon, later): (Vec<f64>, Vec<f64>) =
        moments(rebalance - window).partition(|moment| *moment < MOMENT_S);
    soon.push(MOMENT_S);
    observer.restart(&simulation);
    for moment in soon {
        observer.run_to(
            run,
            &mut simulation,
            balance + moment,
            (balance, end),
            &mut curves,
        )?;
    }
    outcome = outcome
        .measure("stored_pattern", observer.rate(FIRST))
        .measure("stored_background", observer.rate(&[BACKGROUND]));
    maps.push(observer.map(MAPS[1].0));
    for moment in later {
        observer.run_to(
            run,
            &mut simulation,
            balance + moment,
            (balance, end),
            &mut curves,
        )?;
    }
    observer.restart(&simulation);
    let lead = MOMENT_S.min(0.5 * window);
    observer.run_to(
        run,
        &mut simulation,
        cue - lead,
        (balance, end),
        &mut curves,
    )?;
    series.push((STORED, curves));
    let mut curves = phase();
    let mut recall = |observer: &mut Observer<'_>, simulation: &mut Simulation, ends: [f64; 2]| {
        let bins = libm::rint((ends[1] - ends[0]) / BIN_S) as u32;
        (1..=bins).try_for_each(|bin| {
            let moment = ends[0] + (ends[1] - ends[0]) * f64::from(bin) / f64::from(bins);
            observer.run_to(run, simulation, cue + moment, (cue, end), &mut curves)
        })
    };
    recall(&mut observer, &mut simulation, [-lead, 0.0])?;
    let background = observer.rate(&[BACKGROUND]);
    outcome = outcome
        .measure("rebalanced_pattern", observer.rate(FIRST))
        .measure("rebalanced_background", background)
        .measure_if("rebalanced_cv", observer.cv(FIRST))
        .measure_if(
            "returned",
            (before > 0.0).then(|| observer.rate(FIRST) / before),
        )
        .measure_if(
            "hidden",
            (background > 0.0).then(|| observer.rate(FIRST) / background),
        );
    maps.push(observer.map(MAPS[2].0));
    for (name, groups) in [
        ("inhibition_pattern", FIRST),
        ("inhibition_background", &[BACKGROUND]),
    ] {
        let weights = onto(&mut simulation, &grid, groups)?;
        let sum: f64 = weights.iter().map(|w| f64::from(*w)).sum();
        let mean = (!weights.is_empty()).then(|| sum / weights.len() as f64);
        outcome = outcome.measure_if(name, mean);
    }

    observer.restart(&simulation);
    recall(&mut observer, &mut simulation, [0.0, MOMENT_S])?;
    let [uncued, rest] = [UNCUED, BACKGROUND].map(|group| observer.rate(&[group]));
    outcome = outcome
        .measure("recall_cued", observer.rate(&[CUED]))
        .measure("recall_uncued", uncued)
        .measure("recall_other", observer.rate(&[OTHER]))
        .measure("recall_background", rest)
        .measure_if("recall_contrast", (rest > 0.0).then(|| uncued / rest))
        .success(uncued > 3.0 * rest && rest < 2.0 * background);
    maps.push(observer.map(MAPS[3].0));
    recall(&mut observer, &mut simulation, [MOMENT_S, 2.0 * MOMENT_S])?;
    observer.restart(&simulation);
    recall(
        &mut observer,
        &mut simulation,
        [2.0 * MOMENT_S, MOMENT_S + AFTER_S],
    )?;
    outcome = outcome.measure("after_uncued", observer.rate(&[UNCUED]));
    series.push((RECALL, curves));
    for (names, curves) in series {
        for (name, points) in names.into_iter().zip(curves) {
            outcome = outcome.series(Series::new(name, ("time", "s"), ("rate", "Hz"), points));
        }
    }
    if run.is_first() {
        outcome = maps.into_iter().fold(outcome, Outcome::matrix);
    }
    Ok(outcome)
}

/// Names of the series of each phase, in the order of [`CURVES`].
const BALANCE: [&str; 4] = [
    "balance_pattern",
    "balance_uncued",
    "balance_other",
    "balance_background",
];
const STORED: [&str; 4] = [
    "stored_pattern",
    "stored_uncued",
    "stored_other",
    "stored_background",
];
const RECALL: [&str; 4] = [
    "recall_pattern",
    "recall_uncued",
    "recall_other",
    "recall_background",
];
/// Matrices of rates, and what is said above them.
const MAPS: [(&str, &str); 4] = [
    ("map_before", "Balanced"),
    ("map_stored", "Memories are stored"),
    ("map_rebalanced", "Balanced again"),
    ("map_recall", "A quarter of a memory is cued"),
];
/// Width of a bin of the curves of recall, in s.
const BIN_S: f64 = 0.05;

fn network(run: &Run<'_>, grid: &Grid) -> Scene {
    const EXCITATORY: f64 = 3.0;
    const INHIBITORY: f64 = -30.0;
    let mut scene = Scene {
        dt_ms: DT_MS,
        seed: run.seed(),
        ..default()
    };
    let cell = LifCondExp {
        e_l: (-60.0).into(),
        c_m: 200.0.into(),
        g_l: 10.0.into(),
        v_th: (-50.0).into(),
        v_reset: (-60.0).into(),
        t_ref: 5.0.into(),
        e_ex: 0.0.into(),
        e_in: (-80.0).into(),
        tau_syn_ex: 5.0.into(),
        tau_syn_in: 10.0.into(),
        i_e: 200.0.into(),
    };
    let start = Distribution::Uniform {
        min: -60.0,
        max: -50.0,
    };
    let neurons = grid.neurons();
    for (name, neurons) in [("excitatory", neurons), ("inhibitory", neurons / 4)] {
        let region = RegionSpec::new(name, neurons, cell.clone());
        scene.regions.push(region.starting("v", start.clone()));
    }
    // 2 % of 8,000; networks of other sizes have as many synapses per neuron.
    let probability = (160.0 / f64::from(neurons)).min(1.0);
    let join = |name: &str, from: &str, to: &str, weight: f64| {
        let rule = Rule::PairwiseBernoulli(probability);
        let mut projection = ProjectionSpec::new(from, to, rule, weight, 0.8);
        projection.name = Some(name.into());
        projection.autapses = false;
        projection
    };
    let strongest = EXCITATORY * run.number("factor").max(1.0);
    let mut inhibition = join("inhibition", "inhibitory", "excitatory", 0.0);
    inhibition.receptor = Some("inhibitory".into());
    scene.projections = vec![
        join("recurrent", "excitatory", "excitatory", EXCITATORY).learning(Settable {
            w_min: 0.0,
            w_max: strongest,
        }),
        join("drive", "excitatory", "inhibitory", EXCITATORY),
        join("disinhibition", "inhibitory", "inhibitory", INHIBITORY),
        inhibition.learning(InhibitoryStdp {
            eta: run.number("eta_ns"),
            tau: 20.0,
            rate_hz: 3.0,
            w_max: -10.0 * INHIBITORY,
            ..default()
        }),
    ];
    let start_ms = 1e3 * (run.number("balance_s") + run.number("rebalance_s"));
    scene.stimuli = vec![StimulusSpec {
        neurons: Selection::List(grid.members(CUED)),
        window: Span {
            start_ms,
            stop_ms: Some(start_ms + 1e3 * MOMENT_S),
        },
        ..StimulusSpec::new(
            "excitatory",
            StimulusKind::Poisson {
                rate_hz: (50.0 * 100.0).into(),
                weight: run.number("cue_ns").into(),
                delay_ms: DT_MS,
                receptor: None,
            },
        )
    }];
    scene
}

fn draw(results: &Results, pictures: &mut Pictures) {
    let title = results.plan.experiment.title;
    let curves = |condition: &str, series: &str| {
        let all = results.outcomes(condition);
        let found: Vec<&[(f64, f64)]> = all.filter_map(|(_, o)| o.points(series)).collect();
        (!found.is_empty()).then(|| mean_and_sd(&found))
    };
    let mut time = Figure::new(title).panel_size(900, 580);
    let mut panel = Panel::new("Inhibitory synapses start at 0 and learn")
        .x("time", "s")
        .y("rate of excitatory neurons", "Hz")
        .log_x()
        .log_y();
    if let Some(points) = curves("memory", BALANCE[3]) {
        panel = panel.band("mean ± SD over seeds", points);
    }
    time = time.panel(panel.level("target", 3.0));
    let mut panel = Panel::new("Memories are stored")
        .x("time since then", "s")
        .y("rate of the first pattern", "Hz")
        .log_x()
        .log_y();
    for condition in ["memory", "held", "no_memory"] {
        if let Some(points) = curves(condition, STORED[0]) {
            panel = panel.band(condition, points);
        }
    }
    time = time.panel(panel.level("target", 3.0));
    for (condition, words) in [
        ("memory", "A quarter of the first pattern is cued"),
        ("no_memory", "The same without a memory"),
    ] {
        let mut panel = Panel::new(words)
            .x("time since the cue", "s")
            .y("rate", "Hz");
        let mut any = false;
        for (series, label) in [
            (1, "first pattern, uncued part"),
            (2, "second pattern"),
            (3, "background"),
        ] {
            if let Some(points) = curves(condition, RECALL[series]) {
                panel = panel.band(label, points);
                any = true;
            }
        }
        if any {
            time = time.panel(panel.moment("cue begins", 0.0).moment("cue ends", MOMENT_S));
        }
    }
    pictures.figure("time", &time);

    let Some(first) = results.first("memory") else {
        return;
    };
    let mut maps = Figure::new("Rates of the excitatory neurons, first seed").panel_size(820, 640);
    for (name, words) in MAPS {
        if let Some(matrix) = first.find_matrix(name) {
            let heat = Heat::new("rate", "Hz", matrix.columns, matrix.values.clone());
            let panel = Panel::new(words).x("column", "").y("row", "");
            maps = maps.panel(panel.heat(heat.range(0.0, 30.0)));
        }
    }
    pictures.figure("maps", &maps);
}

#[cfg(test)]
mod tests {
    use super::super::run::lone_run;
    use super::*;

    #[test]
    fn inhibition_balances_hides_and_recalls() {
        let short = EXPERIMENT.short.settings;
        let outcome = |condition| {
            lone_run(&EXPERIMENT, condition, 1, short, |r| {
                run(r).expect("an outcome")
            })
        };
        let (memory, held) = (outcome("memory"), outcome("held"));
        let of = |outcome: &Outcome, name| outcome.get(name).expect(name);
        assert!(
            (1.5..6.0).contains(&of(&memory, "before_background")),
            "{memory:?}"
        );
        // Both are the same network until inhibition is held.
        assert_eq!(of(&memory, "before_pattern"), of(&held, "before_pattern"));
        assert!(of(&memory, "rebalanced_pattern") < 0.7 * of(&held, "rebalanced_pattern"));
    }
}
