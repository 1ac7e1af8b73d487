//! Izhikevich 2007: of a hundred stimuli, the network comes to answer the one that dopamine follows.

use super::izhikevich2007_network::{
    EXCITING, INHIBITING, PLASTIC, average, choose, failed, freeze, methods, network, random,
    regions, spiked, stimulate,
};
use super::statistics::Summary;
use super::{
    Bound, Certainty, Claim, Condition, Criterion, Experiment, Measure, Outcome, Parameter,
    Pictures, Results, Run, Series, Short, Source, Stop, mean_and_sd,
};
use crate::results::figure::{Figure, Panel};
use crate::sim::quantity::Range;
use crate::simulation::Simulation;

pub(super) const EXPERIMENT: Experiment = Experiment {
    name: "izhikevich2007_classical",
    title: "Classical conditioning: the stimulus that dopamine follows gets the strongest response",
    source: Source {
        citation: "Izhikevich 2007, Solving the distal reward problem through linkage of STDP and dopamine signaling, Cereb. Cortex 17:2443, figure 3; details from Knight, Komissarov & Nowotny 2021, Front. Neuroinform. 15:659005",
        doi: "10.1093/cercor/bhl152",
    },
    protocol: concat!(methods!(), "
A hundred random groups of 50 of the 1,000 neurons stand for stimuli S1 to S100; groups overlap. A random one of them is stimulated every 100 to
300 ms: 40 mV/ms for 1 ms, beyond threshold. Each time it is S1, dopamine is raised by 0.5 after a delay drawn evenly up to 1 s, when other
stimuli have come in between. Training lasts an hour.

Test, before and after training, with learning held: every stimulus `rounds` times in random order, at the same intervals. The
response is the number of spikes of the neurons outside the group within 80 ms after the stimulus.

The paper shows one network. Chosen here: the tests, the window, and that a run succeeds if the mean response to S1 is the strongest of
the hundred and at least 3 standard deviations of the others above their mean.

Controls: the same rewards at mirrored times (the last first), which have nothing to do with S1; and no dopamine."),
    parameters: &[
        Parameter::number("duration_s", 3600.0, "s", Range::between(1.0, 1e6), "simulated time of training"),
        Parameter::whole("rounds", 10, "", Range::between(1.0, 1e4), "presentations of each stimulus in a test"),
        Parameter::whole("mirrored", 0, "", Range::between(0.0, 1.0), "1 for rewards at mirrored times"),
        Parameter::number("dopamine", 0.5, "", Range::between(0.0, 1e12), "what a reward adds"),
    ],
    measures: &[
        Measure::new("response_before", "spikes", "mean response to S1 before training"),
        Measure::new("response_after", "spikes", "after training"),
        Measure::new("others_before", "spikes", "mean response to the other stimuli before"),
        Measure::new("others_after", "spikes", "after"),
        Measure::new("excess_before", "SD", "response to S1 less the mean of the others, in SDs over the others, before"),
        Measure::new("excess_after", "SD", "after"),
        Measure::new("rank_after", "", "how many stimuli get a stronger response than S1 after training"),
        Measure::new("weight_after", "mV/ms", "mean weight of synapses from excitatory neurons of S1 after training"),
        Measure::new("other_weight_after", "mV/ms", "mean weight of all excitatory synapses after training"),
        Measure::new("rewards", "", "number of rewards"),
        Measure::new("rate", "Hz", "mean rate of a neuron in training"),
    ],
    success: Some("S1 gets the strongest response, 3 SD or more above the others"),
    conditions: &[
        Condition::method("rewarded", "reward after S1").judged_by(&[
            Claim::new(
                Criterion::Success(0.9),
                Certainty::Chosen,
                "the paper shows one network whose response to S1 is by far the strongest after an hour; 9 of 10 seeds",
            ),
            Claim::new(
                Criterion::Mean("excess_after", Bound::AtLeast(3.0)),
                Certainty::Chosen,
                "the response to S1 stands out",
            ),
        ]),
        Condition::control("mirrored", "the same rewards, unrelated to S1")
            .with(&[("mirrored", 1.0)])
            .judged_by(&[Claim::new(
                Criterion::SuccessAtMost(0.05),
                Certainty::Chosen,
                "dopamine alone does not pick the stimulus",
            )]),
        Condition::control("no_dopamine", "rewards of no size")
            .with(&[("dopamine", 0.0)])
            .judged_by(&[Claim::new(
                Criterion::SuccessAtMost(0.05),
                Certainty::Chosen,
                "stimulation alone does not pick it either",
            )]),
    ],
    runs: 10,
    short: Short {
        runs: 1,
        settings: &[("duration_s", 20.0), ("rounds", 1.0)],
    },
    run,
    draw: Some(draw),
};

const STIMULI: u32 = 100;
/// Neurons in a group.
const GROUP: usize = 50;
/// Steps after a stimulus in which a response counts.
const WINDOW: u64 = 80;
/// Steps between stimuli, from and to.
const INTERVAL: [u32; 2] = [100, 300];
/// The longest delay of a reward, in steps.
const DELAY: u32 = 1000;
/// Success: so many SDs above the others.
const EXCESS: f64 = 3.0;

/// Part of a run.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    Before,
    Training,
    After,
}

/// What is shown when.
struct Plan {
    /// (step, stimulus), ascending.
    stimuli: Vec<(u64, u32)>,
    /// The steps in which training begins and ends.
    training: [u64; 2],
    /// The steps in which rewards come, ascending.
    rewards: Vec<u64>,
    /// The end.
    steps: u64,
}

impl Plan {
    fn of(run: &Run<'_>) -> Self {
        let mut plan = Self {
            stimuli: Vec::new(),
            training: [0; 2],
            rewards: Vec::new(),
            steps: 1000,
        };
        let mut intervals = random(run.seed(), "intervals").draws(0);
        let [least, most] = INTERVAL;
        let mut show = |plan: &mut Plan, stimulus| {
            plan.stimuli.push((plan.steps, stimulus));
            plan.steps += u64::from(least + intervals.below(most - least + 1));
        };
        let order = random(run.seed(), "order");
        let rounds = run.whole("rounds");
        let test = |plan: &mut Plan, first, show: &mut dyn FnMut(&mut Plan, u32)| {
            for round in 0..rounds {
                let order = choose(&order, first + round, STIMULI as usize, STIMULI);
                order.into_iter().for_each(|s| show(plan, s));
            }
        };
        test(&mut plan, 0, &mut show);
        let end = plan.steps + (1000.0 * run.number("duration_s")) as u64;
        plan.training = [plan.steps, end];
        let mut choice = random(run.seed(), "stimulus").draws(0);
        while plan.steps < end {
            show(&mut plan, choice.below(STIMULI));
        }
        plan.training[1] = plan.steps;
        let [begin, end] = plan.training;
        let mut delays = random(run.seed(), "delays").draws(0);
        let after_first: Vec<u64> = (plan.stimuli.iter())
            .filter(|(step, stimulus)| *step >= begin && *stimulus == 0)
            .map(|(step, _)| step + 1 + u64::from(delays.below(DELAY)))
            .filter(|step| *step < end)
            .collect();
        plan.rewards = match run.is_on("mirrored") {
            true => after_first.iter().map(|step| begin + end - step).collect(),
            false => after_first,
        };
        plan.rewards.sort_unstable();
        test(&mut plan, rounds, &mut show);
        plan
    }

    fn phase(&self, step: u64) -> Phase {
        match self.training {
            [begin, _] if step < begin => Phase::Before,
            [_, end] if step < end => Phase::Training,
            _ => Phase::After,
        }
    }
}

fn run(run: &Run<'_>) -> Result<Outcome, Stop> {
    let neurons = EXCITING + INHIBITING;
    let random = random(run.seed(), "groups");
    let groups: Vec<Vec<u32>> = (0..u64::from(STIMULI))
        .map(|stimulus| choose(&random, stimulus, GROUP, neurons))
        .collect();
    let mut member = vec![vec![false; neurons as usize]; groups.len()];
    for (member, group) in member.iter_mut().zip(&groups) {
        group.iter().for_each(|n| member[*n as usize] = true);
    }
    let plan = Plan::of(run);
    let mut scene = network(run.seed());
    stimulate(&mut scene, &groups, &plan.stimuli);
    let mut simulation = run.build(&scene)?;
    let regions = regions(&mut simulation)?;

    let mut tests = [Responses::new(), Responses::new()];
    let mut course = Course::new(plan.training);
    let mut rasters = [Phase::Before, Phase::After].map(|phase| Raster::new(&plan, phase));
    let mut rewards = plan.rewards.iter().copied().peekable();
    let mut training_spikes = 0u64;
    let mut phase = Phase::Before;
    freeze(&mut simulation, true)?;
    simulation.run_steps(plan.stimuli.first().map_or(0, |s| s.0));
    for (i, &(step, stimulus)) in plan.stimuli.iter().enumerate() {
        if plan.phase(step) != phase {
            phase = plan.phase(step);
            freeze(&mut simulation, phase != Phase::Training)?;
        }
        let next = plan.stimuli.get(i + 1).map_or(plan.steps, |s| s.0);
        let mut response = 0;
        for now in step..next {
            if rewards.next_if_eq(&now).is_some() {
                (simulation.reward("dopamine", run.number("dopamine")))
                    .map_err(|e| Stop::from(e.to_string()))?;
            }
            simulation.step();
            for neuron in spiked(&simulation, regions) {
                let own = member[stimulus as usize][neuron as usize];
                response += u32::from(now - step < WINDOW && !own);
                training_spikes += u64::from(phase == Phase::Training);
                if run.is_first() {
                    rasters.iter_mut().for_each(|r| r.add(now, neuron));
                }
            }
        }
        match phase {
            Phase::Before => tests[0].add(stimulus, response),
            Phase::Training => course.add(step, stimulus, response),
            Phase::After => tests[1].add(stimulus, response),
        }
        if i % 16 == 0 {
            run.progress(next as f64 / plan.steps as f64)?;
        }
    }
    if let Some(problem) = simulation.look_for_problem() {
        return Err(problem.into());
    }

    let [before, after] = tests.map(|test| test.summary());
    let [own_weight, weight] = weights(&mut simulation, &member[0])?;
    let trained_s = (plan.training[1] - plan.training[0]) as f64 * 1e-3;
    let mut outcome = Outcome::new()
        .measure("response_before", before.own)
        .measure("response_after", after.own)
        .measure("others_before", before.others)
        .measure("others_after", after.others)
        .measure("excess_before", before.excess)
        .measure("excess_after", after.excess)
        .measure("rank_after", after.rank)
        .measure("weight_after", own_weight)
        .measure("other_weight_after", weight)
        .measure("rewards", plan.rewards.len() as f64)
        .measure(
            "rate",
            training_spikes as f64 / trained_s / f64::from(neurons),
        )
        .success(after.rank == 0.0 && after.excess >= EXCESS);
    for (name, points) in ["first", "others"].into_iter().zip(course.curves()) {
        let axes = (("time", "min"), ("response", "spikes"));
        outcome = outcome.series(Series::new(name, axes.0, axes.1, points));
    }
    if run.is_first() {
        for (name, responses) in [("before", before.all), ("after", after.all)] {
            let points = (1..).map(f64::from).zip(responses).collect();
            let axes = (("stimulus", ""), ("mean response", "spikes"));
            outcome = outcome.series(Series::new(name, axes.0, axes.1, points));
        }
        for (name, raster) in ["raster_before", "raster_after"].into_iter().zip(rasters) {
            let axes = (("time since S1", "ms"), ("neuron", ""));
            outcome = outcome.series(Series::new(name, axes.0, axes.1, raster.points));
        }
    }
    Ok(outcome)
}

/// The mean weights of synapses from excitatory neurons of a group, and of all.
fn weights(simulation: &mut Simulation, member: &[bool]) -> Result<[f64; 2], Stop> {
    let (mut own, mut all) = (Vec::new(), Vec::new());
    for name in PLASTIC {
        let weights = simulation.weights(name).map_err(failed)?;
        let ends = simulation.synapse_ends(name).map_err(failed)?;
        let of_group = ends.iter().zip(&weights);
        own.extend(
            of_group
                .filter(|(end, _)| member[end.0 as usize])
                .map(|(_, w)| *w),
        );
        all.extend(weights);
    }
    Ok([average(own), average(all)])
}

/// Responses to each stimulus in a test.
struct Responses {
    sums: Vec<(u32, u32)>,
}

/// What a test says.
struct Tested {
    /// The mean response to each stimulus.
    all: Vec<f64>,
    /// To S1.
    own: f64,
    /// The mean of the others.
    others: f64,
    /// How many of their SDs S1 is above it; 0 if they are equal.
    excess: f64,
    /// How many others are above S1.
    rank: f64,
}

impl Responses {
    fn new() -> Self {
        Self {
            sums: vec![(0, 0); STIMULI as usize],
        }
    }

    fn add(&mut self, stimulus: u32, response: u32) {
        let (sum, count) = &mut self.sums[stimulus as usize];
        *sum += response;
        *count += 1;
    }

    fn summary(self) -> Tested {
        let mean = |(sum, count): (u32, u32)| f64::from(sum) / f64::from(count.max(1));
        let all: Vec<f64> = self.sums.into_iter().map(mean).collect();
        let (own, others) = (all[0], &all[1..]);
        let spread = Summary::of(others);
        let (mean, sd) = spread.map_or((0.0, 0.0), |s| (s.mean, s.sd.unwrap_or(0.0)));
        Tested {
            own,
            others: mean,
            excess: if sd > 0.0 { (own - mean) / sd } else { 0.0 },
            rank: others.iter().filter(|other| **other > own).count() as f64,
            all,
        }
    }
}

/// Responses in training, in parts of equal length.
struct Course {
    begin: u64,
    length: u64,
    /// S1 and the others: sum and count.
    sums: [[(u32, u32); PARTS]; 2],
}

/// Parts of the training in its curve.
const PARTS: usize = 24;

impl Course {
    fn new([begin, end]: [u64; 2]) -> Self {
        Self {
            begin,
            length: (end - begin).div_ceil(PARTS as u64).max(1),
            sums: [[(0, 0); PARTS]; 2],
        }
    }

    fn add(&mut self, step: u64, stimulus: u32, response: u32) {
        let part = (step - self.begin) / self.length;
        let (sum, count) = &mut self.sums[usize::from(stimulus != 0)][part as usize];
        *sum += response;
        *count += 1;
    }

    /// (minutes, mean response) of S1 and of the others, where there was any.
    fn curves(&self) -> [Vec<(f64, f64)>; 2] {
        self.sums.map(|sums| {
            (0u32..)
                .zip(sums)
                .filter(|(_, (_, count))| *count > 0)
                .map(|(part, (sum, count))| {
                    let middle = (f64::from(part) + 0.5) * self.length as f64;
                    (middle / 60_000.0, f64::from(sum) / f64::from(count))
                })
                .collect()
        })
    }
}

/// Spikes around the first presentation of S1 in a phase.
struct Raster {
    centre: u64,
    points: Vec<(f64, f64)>,
}

/// Steps on either side of S1 in a raster.
const AROUND: u64 = 500;

impl Raster {
    fn new(plan: &Plan, phase: Phase) -> Self {
        let centre = (plan.stimuli.iter())
            .find(|(step, stimulus)| *stimulus == 0 && plan.phase(*step) == phase)
            .map_or(0, |s| s.0);
        Self {
            centre,
            points: Vec::new(),
        }
    }

    fn add(&mut self, step: u64, neuron: u32) {
        if step.abs_diff(self.centre) <= AROUND {
            let time = step as f64 - self.centre as f64;
            self.points.push((time, f64::from(neuron)));
        }
    }
}

fn draw(results: &Results, pictures: &mut Pictures) {
    let title = results.plan.experiment.title;
    let mut course = Figure::new(title).columns(1).panel_size(1100, 420);
    let conditions = ["rewarded", "mirrored", "no_dopamine"];
    let highest = (conditions.iter())
        .flat_map(|condition| results.outcomes(condition))
        .filter_map(|(_, outcome)| outcome.points("first"))
        .flatten()
        .fold(0.0, |highest, point| point.1.max(highest));
    for condition in conditions {
        let curves = |name| -> Vec<&[(f64, f64)]> {
            (results.outcomes(condition))
                .filter_map(|(_, outcome)| outcome.points(name))
                .collect()
        };
        if curves("first").is_empty() {
            continue;
        }
        let panel = Panel::new(format!("{condition}, mean ± SD over seeds"))
            .x("time", "min")
            .y("response", "spikes")
            .y_range(0.0, 1.05 * highest)
            .band("S1", mean_and_sd(&curves("first")))
            .band("the other 99", mean_and_sd(&curves("others")));
        course = course.panel(panel);
    }
    pictures.figure("course", &course);
    let Some(first) = results.first("rewarded") else {
        return;
    };
    let mut rasters = Figure::new(title)
        .columns(1)
        .panel_size(1300, 620)
        .footnote("first seed; other stimuli come before and after S1");
    let mut responses = Figure::new(title).columns(1).panel_size(1100, 420);
    for (name, raster, words) in [
        ("before", "raster_before", "before training"),
        ("after", "raster_after", "after training"),
    ] {
        if let Some(points) = first.points(raster) {
            let panel = Panel::new(format!("Spikes around S1 {words}"))
                .x("time since S1", "ms")
                .y("neuron", "")
                .x_range(-(AROUND as f64), AROUND as f64)
                .spikes("", points.to_vec());
            rasters = rasters.panel(panel.moment("S1", 0.0));
        }
        if let Some(points) = first.points(name) {
            let edges = (0..=points.len()).map(|i| i as f64 + 0.5).collect();
            let heights = points.iter().map(|p| p.1).collect();
            let panel = Panel::new(format!("Mean response to S1, S2, … {words}, first seed"))
                .x("stimulus", "")
                .y("response", "spikes")
                .bars("", edges, heights);
            responses = responses.panel(panel);
        }
    }
    pictures.figure("raster", &rasters);
    pictures.figure("responses", &responses);
}

#[cfg(test)]
mod tests {
    use super::super::run::lone_run;
    use super::*;

    fn plan(condition: &str, seed: u64) -> Plan {
        let settings = [("duration_s", 600.0), ("rounds", 2.0)];
        lone_run(&EXPERIMENT, condition, seed, &settings, Plan::of)
    }

    #[test]
    fn tests_show_every_stimulus_equally_often_and_rewards_follow_the_first() {
        let plan = plan("rewarded", 4);
        for phase in [Phase::Before, Phase::After] {
            for stimulus in 0..STIMULI {
                let shown = (plan.stimuli.iter())
                    .filter(|(step, s)| *s == stimulus && plan.phase(*step) == phase);
                assert_eq!(shown.count(), 2);
            }
        }
        let gaps = plan.stimuli.windows(2).map(|w| w[1].0 - w[0].0);
        assert!(gaps.clone().all(|gap| (100..=300).contains(&gap)));
        let first: Vec<u64> = (plan.stimuli.iter())
            .filter(|(_, stimulus)| *stimulus == 0)
            .map(|s| s.0)
            .collect();
        assert!(plan.rewards.len() > 10, "{}", plan.rewards.len());
        for reward in &plan.rewards {
            assert!(plan.phase(*reward) == Phase::Training);
            assert!(first.iter().any(|s| s < reward && reward - s <= 1000));
        }
    }

    #[test]
    fn mirrored_rewards_are_as_many_and_do_not_follow_the_first() {
        let (own, mirrored) = (plan("rewarded", 4), plan("mirrored", 4));
        assert_eq!(own.stimuli, mirrored.stimuli);
        assert_eq!(own.rewards.len(), mirrored.rewards.len());
        let after = |plan: &Plan| {
            let first = |step| plan.stimuli.contains(&(step, 0));
            let follows = |reward: &&u64| (1..=1000).any(|delay| first(*reward - delay));
            plan.rewards.iter().filter(follows).count()
        };
        assert!(after(&mirrored) * 3 < after(&own));
    }

    #[test]
    fn the_excess_is_in_standard_deviations_of_the_others() {
        let mut responses = Responses::new();
        for stimulus in 0..STIMULI {
            responses.add(stimulus, if stimulus == 0 { 50 } else { 10 + stimulus % 2 });
        }
        let tested = responses.summary();
        assert_eq!((tested.own, tested.rank), (50.0, 0.0));
        assert!((tested.others - 10.505).abs() < 0.001);
        assert!(
            (tested.excess - 39.495 / 0.5025).abs() < 0.1,
            "{}",
            tested.excess
        );
    }
}
