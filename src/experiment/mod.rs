//! Published experiments, repeated: many seeds, controls and baselines beside the method, and a verdict on each criterion.
//!
//! `neuropil experiment` lists them, `neuropil experiment NAME --about` tells the protocol, `neuropil experiment NAME --out DIR` runs it and
//! writes a report.
//!
//! # An honest score
//!
//! * What reaches a published number is declared before anything runs, with how sure that number is ([`Claim`], [`Certainty`]).
//! * A success rate comes with its [Wilson interval](statistics::wilson); it is *reached* if the interval contains the published rate or lies
//!   above it. Few runs make wide intervals, so the report says where there were fewer than the protocol has.
//! * A run that fails counts as one without success, and leaves claims about measures undecided.
//! * Controls and baselines stand beside the method, with the same seeds.
//! * Whatever differs from the published protocol is said at the top of the report.
//!
//! # A new experiment
//!
//! One file here and one line in [`EXPERIMENTS`]. The file holds a constant [`Experiment`] that reads like a methods section, and a function
//! that makes one run:
//!
//! ```
//! use neuropil::experiment::*;
//! use neuropil::prelude::*;
//! use neuropil::sim::quantity::Range;
//!
//! pub const EXPERIMENT: Experiment = Experiment {
//!     name: "rheobase",
//!     title: "A leaky neuron fires if its current exceeds the rheobase",
//!     source: Source { citation: "Lapicque 1907, J. Physiol. Pathol. Gén. 9:620", doi: "10.1007/s00422-007-0189-6" },
//!     protocol: "One neuron gets a constant current for `duration_ms`. …",
//!     parameters: &[
//!         Parameter::number("duration_ms", 1000.0, "ms", Range::between(1.0, 1e6), "length of the current"),
//!         Parameter::number("current_pa", 376.0, "pA", Range::finite(), "its strength"),
//!     ],
//!     measures: &[Measure::new("rate", "Hz", "spikes / duration")],
//!     success: Some("the neuron fires"),
//!     conditions: &[
//!         Condition::method("above", "a current just above the rheobase").judged_by(&[
//!             Claim::new(Criterion::Success(1.0), Certainty::Confirmed, "always"),
//!         ]),
//!         Condition::control("below", "a current just below it").with(&[("current_pa", 374.0)]).judged_by(&[
//!             Claim::new(Criterion::EveryRun("rate", Bound::AtMost(0.0)), Certainty::Confirmed, "never"),
//!         ]),
//!     ],
//!     runs: 10,
//!     short: Short { runs: 2, settings: &[("duration_ms", 200.0)] },
//!     run,
//!     draw: None,
//! };
//!
//! fn run(run: &Run) -> Result<Outcome, Stop> {
//!     let (duration_ms, current) = (run.number("duration_ms"), run.number("current_pa"));
//!     let mut scene = Scene { seed: run.seed(), ..default() };
//!     let cell = LifExp { v_th: (-55.0).into(), e_l: (-70.0).into(), c_m: 250.0.into(), tau_m: 10.0.into(), i_e: current.into(), ..default() };
//!     scene.regions.push(RegionSpec::new("cell", 1, cell));
//!     let mut simulation = run.build(&scene)?;
//!     run.simulate(&mut simulation, duration_ms, 0.0..1.0)?;
//!     let spikes = simulation.spike_count().spikes;
//!     Ok(Outcome::new().measure("rate", spikes as f64 / (duration_ms * 1e-3)).success(spikes > 0))
//! }
//! # let none: Vec<String> = Vec::new();
//! # assert_eq!(EXPERIMENT.contradictions(), none);
//! # let plan = Plan::new(&EXPERIMENT, 2);
//! # let results = runner::run(&plan, 2, &false.into(), &mut |_| {}, &mut |_, _, why| panic!("{why}"));
//! # assert_eq!(results.conditions[0].success().map(|s| s.successes), Some(2));
//! # assert_eq!(results.conditions[1].success().map(|s| s.successes), Some(0));
//! ```
//!
//! | part | is |
//! |---|---|
//! | [`Experiment`] | the declaration, [`Condition`]s and [`Claim`]s in it |
//! | [`Run`] | what a run may know: condition, seed, parameters; ready-made steps such as [`Run::simulate`] |
//! | [`Outcome`] | what it gives: measures, success, series, matrices |
//! | [`runner`] | runs side by side |
//! | [`statistics`] | mean, SD, Wilson's interval |
//! | [`Results`], [`Pictures`] | what an experiment's own drawing gets; [`results::figure`](crate::results::figure) draws |
//! | [`command`] | the command line |

pub mod command;
pub mod runner;
pub mod statistics;

mod about;
mod clopath2010;
mod contract;
mod files;
mod florian2007_fig1;
mod florian2007_target_rates;
mod florian2007_xor;
mod izhikevich2003_rhythm;
mod izhikevich2007_classical;
mod izhikevich2007_instrumental;
mod izhikevich2007_network;
mod izhikevich2007_reward;
mod masquelier2008;
mod masquelier2009;
mod outcome;
mod pavlov;
mod pavlov_trials;
mod pictures;
mod report;
mod results;
mod run;
mod settings;
mod song2000;
mod tables;
#[cfg(test)]
mod testing;
mod verdict;
mod vogels2011;

pub use contract::{
    Bound, Certainty, Claim, Condition, Criterion, Experiment, Measure, Parameter, Role, Short,
    Source, is_plain,
};
pub use outcome::{Axis, Matrix, Outcome, Series};
pub use pictures::{Pictures, mean_and_sd};
pub use report::{
    ClaimReport, ConditionReport, ExperimentReport, MeasureReport, RunReport, Timings,
};
pub use results::{ConditionResults, End, Plan, Results, RunResult};
pub use run::{Run, Stop};
pub use settings::Settings;
pub use verdict::{Judgement, Verdict, judge};

use crate::scene::error::unknown;

/// Every experiment, in the order in which `neuropil experiment` lists them.
pub const EXPERIMENTS: &[&Experiment] = &[
    &song2000::EXPERIMENT,
    &izhikevich2003_rhythm::EXPERIMENT,
    &florian2007_fig1::EXPERIMENT,
    &florian2007_xor::EXPERIMENT,
    &florian2007_target_rates::EXPERIMENT,
    &izhikevich2007_reward::EXPERIMENT,
    &clopath2010::EXPERIMENT,
    &masquelier2008::EXPERIMENT,
    &masquelier2009::EXPERIMENT,
    &izhikevich2007_classical::EXPERIMENT,
    &izhikevich2007_instrumental::EXPERIMENT,
    &pavlov::EXPERIMENT,
    &vogels2011::EXPERIMENT,
];

/// The experiment of that name.
///
/// # Errors
/// Names the nearest and all known ones.
pub fn find(name: &str) -> Result<&'static Experiment, String> {
    (EXPERIMENTS.iter().copied())
        .find(|e| e.name == name)
        .ok_or_else(|| unknown("experiment", name, EXPERIMENTS.iter().map(|e| e.name)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_experiment_is_consistent_and_has_a_name_of_its_own() {
        for (i, experiment) in EXPERIMENTS.iter().enumerate() {
            assert_eq!(
                experiment.contradictions(),
                Vec::<String>::new(),
                "{}",
                experiment.name
            );
            assert!(
                experiment.source.doi.starts_with("10."),
                "{}",
                experiment.name
            );
            assert!(experiment.protocol.len() > 200, "{}", experiment.name);
            assert!(EXPERIMENTS[..i].iter().all(|e| e.name != experiment.name));
        }
        let error = find("izhikevich2003_rythm")
            .err()
            .expect("no such experiment");
        assert!(
            error.contains("did you mean \"izhikevich2003_rhythm\"?"),
            "{error}"
        );
    }
}
