//! One run as an experiment sees it: its condition, its seed, its parameters, and whether it should end early.

use super::contract::Condition;
use super::settings::Settings;
use crate::coding::masquelier::StimulusError;
use crate::neurons::srm::SrmError;
use crate::scene::build::{BuildError, BuildOptions};
use crate::scene::error::SceneError;
use crate::scene::load::{SceneSource, load};
use crate::scene::schema::Scene;
use crate::sim::clock::to_steps;
use crate::simulation::{Registry, Simulation};
use std::ops::Range;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

/// Steps between two looks at whether the run should end.
const BATCH: u64 = 256;
/// A finished run, in the unit of progress.
pub(super) const WHOLE: u32 = 10_000;

/// What a run may know: equal runs give equal outcomes.
pub struct Run<'a> {
    pub(super) condition: &'static Condition,
    pub(super) seed: u64,
    pub(super) first: bool,
    pub(super) settings: &'a Settings,
    pub(super) stop: &'a AtomicBool,
    pub(super) progress: &'a AtomicU32,
}

/// Why a run has no outcome.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Stop {
    /// Somebody stopped the experiment.
    #[error("interrupted")]
    Interrupted,
    /// Something went wrong.
    #[error("{0}")]
    Failed(String),
}

impl From<String> for Stop {
    fn from(reason: String) -> Self {
        Self::Failed(reason)
    }
}

impl From<&str> for Stop {
    fn from(reason: &str) -> Self {
        Self::Failed(reason.into())
    }
}

impl From<BuildError> for Stop {
    fn from(error: BuildError) -> Self {
        Self::Failed(error.to_string())
    }
}

impl From<SrmError> for Stop {
    fn from(error: SrmError) -> Self {
        Self::Failed(error.to_string())
    }
}

impl From<StimulusError> for Stop {
    fn from(error: StimulusError) -> Self {
        Self::Failed(error.to_string())
    }
}

impl From<SceneError> for Stop {
    fn from(error: SceneError) -> Self {
        Self::Failed(error.to_string())
    }
}

impl Run<'_> {
    /// The seed of all random numbers.
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// The name of the condition.
    pub fn condition(&self) -> &'static str {
        self.condition.name
    }

    /// Whether this is the first run of its condition: the one to keep large series and matrices of, for pictures.
    pub fn is_first(&self) -> bool {
        self.first
    }

    /// The value of a parameter.
    ///
    /// # Panics
    /// If the experiment declares no parameter of this name.
    pub fn number(&self, name: &str) -> f64 {
        let value = self.settings.get(name);
        value.unwrap_or_else(|| panic!("the experiment declares no parameter {name:?}"))
    }

    /// The value of a whole parameter.
    ///
    /// # Panics
    /// If the experiment declares no parameter of this name.
    pub fn whole(&self, name: &str) -> u64 {
        self.number(name) as u64
    }

    /// Whether a parameter is not 0.
    ///
    /// # Panics
    /// If the experiment declares no parameter of this name.
    pub fn is_on(&self, name: &str) -> bool {
        self.number(name) != 0.0
    }

    /// Says which part of the run is done, from 0 to 1, and learns whether to go on. To be called several times a second.
    ///
    /// # Errors
    /// If the experiment was stopped; hand it on.
    pub fn progress(&self, done: f64) -> Result<(), Stop> {
        let done = (done.clamp(0.0, 1.0) * f64::from(WHOLE)) as u32;
        self.progress.store(done, Ordering::Relaxed);
        match self.stop.load(Ordering::Relaxed) {
            true => Err(Stop::Interrupted),
            false => Ok(()),
        }
    }

    /// A shipped scene with the seed of this run; `overrides` set its named parameters.
    ///
    /// # Errors
    /// If there is no such scene or parameter.
    pub fn shipped_scene(&self, name: &str, overrides: &[(&str, f64)]) -> Result<Scene, Stop> {
        let overrides: Vec<_> = (overrides.iter())
            .map(|(name, value)| ((*name).to_owned(), format!("{value:?}")))
            .collect();
        let text = crate::scene::shipped::text(name)
            .ok_or_else(|| format!("no scene {name:?} ships with the program"))?;
        let mut scene = load(
            SceneSource::from_text(name, text),
            &overrides,
            &Registry::new(),
        )?
        .scene;
        scene.seed = self.seed;
        Ok(scene)
    }

    /// Builds a scene as it is, to be run on this thread.
    ///
    /// # Errors
    /// What is wrong with the scene.
    pub fn build(&self, scene: &Scene) -> Result<Simulation, Stop> {
        let options = BuildOptions {
            threads: 1,
            ..BuildOptions::default()
        };
        Ok(Simulation::new(scene, &options)?)
    }

    /// Runs a simulation for the whole steps nearest to `ms`; `part` is the part of the run that this is, from 0 to 1.
    ///
    /// # Errors
    /// If the experiment was stopped, or if the state of the network is no longer made of numbers.
    pub fn simulate(
        &self,
        simulation: &mut Simulation,
        ms: f64,
        part: Range<f64>,
    ) -> Result<(), Stop> {
        let steps = to_steps(ms, simulation.clock().dt_ms());
        let mut done = 0;
        while done < steps {
            let share = done as f64 / steps as f64;
            self.progress(part.start + share * (part.end - part.start))?;
            let batch = BATCH.min(steps - done);
            simulation.run_steps(batch);
            done += batch;
        }
        match simulation.look_for_problem() {
            Some(problem) => Err(problem.into()),
            None => self.progress(part.end),
        }
    }
}

/// A run outside any runner, for tests of experiments: hands `act` a run of a condition with these changes to the settings.
#[cfg(test)]
pub(crate) fn lone_run<T>(
    experiment: &'static super::Experiment,
    condition: &str,
    seed: u64,
    settings: &[(&str, f64)],
    act: impl FnOnce(&Run<'_>) -> T,
) -> T {
    let by_hand: Vec<_> = (settings.iter())
        .map(|(name, value)| ((*name).to_owned(), value.to_string()))
        .collect();
    let condition = (experiment.conditions.iter())
        .find(|c| c.name == condition)
        .expect("a condition");
    let settings = Settings::new(experiment, false, &by_hand)
        .expect("settings")
        .in_condition(condition);
    act(&Run {
        condition,
        seed,
        first: true,
        settings: &settings,
        stop: &AtomicBool::new(false),
        progress: &AtomicU32::new(0),
    })
}
