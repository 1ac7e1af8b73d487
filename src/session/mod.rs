//! A network that is edited, rewound and watched while it runs.
//!
//! A [`Session`] owns a [`Simulation`] and the scene that it is built from. A [`SimCommand`] edits the scene; the network is built anew
//! from it, with the synapses of before where they stay the same, and takes over the state. So whatever was edited is what a saved scene says, undo is the
//! scene of before, and a log of commands replayed on the first scene gives the same spikes. What synapses have learned stays with those that
//! there are after an edit, too (see [`take_over`](Simulation::take_over)); undo gives the others what they had learned before it.
//!
//! Time goes back to a state that was kept ([`history`]) and from there forward again, exactly: the spike hash at every step is the one
//! that it was. Commands of the log act again at their steps, until a new one is given: then what came after is dropped.
//!
//! [`runner`] puts a session on a thread of its own and publishes [`frame`]s.

pub mod command;
pub mod edit;
pub mod frame;
pub mod history;
pub mod log;
pub mod observe;
mod recall;
pub mod runner;
pub mod structure;
mod weights;

use crate::headless::free_memory;
use crate::scene::build::{BuildOptions, Reuse};
use crate::scene::encode::encode_with;
use crate::scene::error::SceneError;
use crate::scene::load::{LoadedScene, SceneFiles};
use crate::scene::prepare::{BuildError, Prepared, prepare};
use crate::scene::schema::Scene;
use crate::simulation::{Registry, Simulation};
use crate::snapshot::RestoreError;
use crate::snapshot::carry::{Carried, Forgotten};
use crate::snapshot::file::Snapshot;
use bevy::prelude::*;
use command::{Edit, LoggedCommand, SimCommand, stacks};
use history::History;
use std::sync::Arc;

/// Registers the types that logs of commands are made of.
pub fn plugin(app: &mut App) {
    app.register_type::<LoggedCommand>();
}

/// Why a command cannot be applied or a state not be reached.
#[derive(Debug, thiserror::Error)]
pub enum SessionError {
    /// The command is wrong.
    #[error("{0}")]
    Command(String),
    /// The network that it asks for cannot be.
    #[error(transparent)]
    Build(#[from] BuildError),
    /// A kept state does not fit.
    #[error(transparent)]
    Restore(#[from] RestoreError),
}

/// A command of the log with the scenes before and after it.
struct Entry {
    logged: LoggedCommand,
    /// Before and after; none until it acts, for a log that was read.
    scenes: Option<(Arc<Scene>, Arc<Scene>)>,
    /// What synapses had learned that it took away.
    forgotten: Arc<Forgotten>,
}

/// A network that is edited and rewound.
pub struct Session {
    registry: Registry,
    files: SceneFiles,
    options: BuildOptions,
    loaded: LoadedScene,
    /// The scene at the start.
    base: Arc<Scene>,
    /// The scene as it is now.
    scene: Arc<Scene>,
    prepared: Prepared,
    simulation: Simulation,
    log: Vec<Entry>,
    /// How many commands of the log have acted.
    acted: usize,
    history: History,
    /// The farthest step that was reached.
    reached: u64,
    /// Counts the networks that were built.
    version: u64,
    /// Whether networks keep the scene's probes.
    probes: bool,
}

impl Session {
    /// Builds the network of a scene. `probes` says whether the scene's probes are kept: an observer that takes frames needs none.
    ///
    /// # Errors
    /// What is wrong with the scene, with line and column.
    pub fn open(
        loaded: LoadedScene,
        files: SceneFiles,
        registry: Registry,
        options: BuildOptions,
        probes: bool,
        progress: &(dyn Fn(f64) + Sync),
    ) -> Result<Self, SceneError> {
        let mut scene = loaded.scene.clone();
        let first = loaded.prepare(&registry, &files)?;
        edit::name_parts(&mut scene, &first);
        let base = Arc::new(scene);
        let (built, prepared) = (|| {
            let scene = if probes {
                (*base).clone()
            } else {
                without_probes(&base)
            };
            let prepared = prepare(&scene, &registry.types.read(), &files)?;
            let simulation =
                Simulation::build(&scene, &prepared, &registry, &files, &options, progress)?;
            Ok((simulation, prepared))
        })()
        .map_err(|e: BuildError| loaded.locate(&e))?;
        let options = BuildOptions {
            statistics: probes && options.statistics,
            ..options
        };
        Ok(Self {
            registry,
            files,
            options,
            loaded,
            scene: base.clone(),
            base,
            prepared,
            simulation: built,
            log: Vec::new(),
            acted: 0,
            history: History::default(),
            reached: 0,
            version: 1,
            probes,
        })
    }

    /// The scene as it was opened.
    pub fn loaded(&self) -> &LoadedScene {
        &self.loaded
    }

    /// The files that the scene names.
    pub fn files(&self) -> &SceneFiles {
        &self.files
    }

    /// The registered types.
    pub fn registry(&self) -> &Registry {
        &self.registry
    }

    /// The scene as edited.
    pub fn scene(&self) -> &Arc<Scene> {
        &self.scene
    }

    /// What is known of the scene as edited.
    pub fn prepared(&self) -> &Prepared {
        &self.prepared
    }

    /// The simulation.
    pub fn simulation(&self) -> &Simulation {
        &self.simulation
    }

    /// The simulation, to be asked. Stepping it or changing its world is for the session alone.
    pub fn simulation_mut(&mut self) -> &mut Simulation {
        &mut self.simulation
    }

    /// Steps done.
    pub fn now(&self) -> u64 {
        self.simulation.clock().steps_done()
    }

    /// The farthest step that was reached.
    pub fn reached(&self) -> u64 {
        self.reached
    }

    /// A number that changes with every network that is built.
    pub fn version(&self) -> u64 {
        self.version
    }

    /// The states that are kept.
    pub fn history(&self) -> &History {
        &self.history
    }

    /// The log: all commands, and how many of them have acted by now.
    pub fn log(&self) -> (Vec<LoggedCommand>, usize) {
        (
            self.log.iter().map(|e| e.logged.clone()).collect(),
            self.acted,
        )
    }

    /// How many commands of the log have acted.
    pub fn acted(&self) -> usize {
        self.acted
    }

    /// Takes one step, after the commands whose time has come. `timed` asks for the seconds of each stage.
    ///
    /// # Errors
    /// A command of a log that was read is wrong.
    pub fn step(&mut self, timed: bool) -> Result<Option<[f64; 12]>, SessionError> {
        let times = self.step_alone(timed);
        self.act_due()?;
        Ok(times)
    }

    /// Takes one step and leaves the network as it is, to be looked at; [`act_due`](Self::act_due) is to follow before the next.
    pub fn step_alone(&mut self, timed: bool) -> Option<[f64; 12]> {
        let times = if timed {
            Some(self.simulation.timed_step())
        } else {
            self.simulation.step();
            None
        };
        self.reached = self.reached.max(self.now());
        times
    }

    /// Lets the commands act whose time has come.
    ///
    /// # Errors
    /// A command of a log that was read is wrong.
    pub fn act_due(&mut self) -> Result<(), SessionError> {
        while let Some(entry) = self.log.get(self.acted)
            && entry.logged.step <= self.now()
        {
            let after = match &entry.scenes {
                Some((_, after)) => after.clone(),
                None => self.next_scene(self.now())?,
            };
            let LoggedCommand {
                command, continues, ..
            } = self.log[self.acted].logged.clone();
            let recalled = self.recalled(&command, &after);
            let forgotten = self.change(&after, &recalled);
            let forgotten = forgotten.map_err(|e| self.in_log(e))?;
            self.act(&command).map_err(|e| self.in_log(e))?;
            let forgotten = self.kept(forgotten, continues);
            let entry = &mut self.log[self.acted];
            entry.forgotten = forgotten;
            entry
                .scenes
                .get_or_insert((self.scene.clone(), after.clone()));
            self.scene = after;
            self.acted += 1;
        }
        Ok(())
    }

    /// Applies a command now. Commands of the log that had not acted yet are dropped; returns how many.
    ///
    /// # Errors
    /// Says what is wrong; then nothing has changed.
    pub fn apply(&mut self, command: SimCommand) -> Result<usize, SessionError> {
        self.log_and_apply(command, false)
    }

    /// Like [`apply`](Self::apply), for a command that goes on with the edit just before it: both are undone as one.
    ///
    /// # Errors
    /// Says what is wrong; then nothing has changed.
    pub fn go_on(&mut self, command: SimCommand) -> Result<usize, SessionError> {
        self.log_and_apply(command, true)
    }

    fn log_and_apply(
        &mut self,
        mut command: SimCommand,
        continues: bool,
    ) -> Result<usize, SessionError> {
        edit::bring_forward(&mut command, self.simulation.clock().time_ms());
        let after = self.after(&command, &self.scene, self.now())?;
        let forgotten = self.change(&after, &self.recalled(&command, &after))?;
        self.act(&command)?;
        let forgotten = self.kept(forgotten, continues);
        let dropped = self.log.len() - self.acted;
        self.log.truncate(self.acted);
        self.history.forget_after(self.now(), self.acted);
        self.reached = self.now();
        let logged = LoggedCommand {
            step: self.now(),
            command,
            continues,
        };
        self.log.push(Entry {
            logged,
            scenes: Some((self.scene.clone(), after.clone())),
            forgotten,
        });
        self.scene = after;
        self.acted += 1;
        Ok(dropped)
    }

    /// Makes this the log: its commands act when their time comes. The session must be at its start.
    ///
    /// # Errors
    /// The first commands, due at once, are wrong, or time has passed.
    pub fn replay(&mut self, log: Vec<LoggedCommand>) -> Result<(), SessionError> {
        self.take_log(log)?;
        self.act_due()
    }

    fn take_log(&mut self, log: Vec<LoggedCommand>) -> Result<(), SessionError> {
        if self.now() > 0 || self.acted > 0 {
            return Err(SessionError::Command(
                "a log is replayed from the start".into(),
            ));
        }
        self.log = log.into_iter().map(Entry::new).collect();
        self.log.sort_by_key(|e| e.logged.step);
        Ok(())
    }

    /// Makes this the log, and this the state: that of a session that has replayed the log so far. The session must be at its start.
    ///
    /// # Errors
    /// A command is wrong, or the state does not fit the network.
    pub fn resume(
        &mut self,
        log: Vec<LoggedCommand>,
        snapshot: &Snapshot,
    ) -> Result<(), SessionError> {
        let now = snapshot.u64("clock.steps").map_err(RestoreError::from)?;
        self.take_log(log)?;
        let mut scene = self.scene.clone();
        while let Some(entry) = self.log.get(self.acted)
            && entry.logged.step <= now
        {
            let after = self.after(&entry.logged.command, &scene, entry.logged.step);
            let after = after.map_err(|e| self.in_log(e))?;
            self.log[self.acted].scenes = Some((scene, after.clone()));
            self.acted += 1;
            scene = after;
        }
        self.load_forgotten(snapshot)?;
        if !Arc::ptr_eq(&scene, &self.scene) {
            self.rebuild(&scene)?;
            self.scene = scene;
        }
        self.simulation.restore(snapshot)?;
        self.reached = now;
        Ok(())
    }

    /// The scene that the next command of the log makes.
    fn next_scene(&self, now: u64) -> Result<Arc<Scene>, SessionError> {
        let command = &self.log[self.acted].logged.command;
        let after = self.after(command, &self.scene, now);
        after.map_err(|e| self.in_log(e))
    }

    /// What is wrong with the next command of the log, with its place there.
    fn in_log(&self, error: SessionError) -> SessionError {
        let problem = match error {
            SessionError::Command(problem) => problem,
            // It is the network that the command asks for, and not the scene's file, in which this place is.
            SessionError::Build(problem) => problem.to_string(),
            SessionError::Restore(_) => return error,
        };
        SessionError::Command(format!(
            "command {} of the log, due after step {}: {problem}",
            self.acted + 1,
            self.log[self.acted].logged.step
        ))
    }

    /// The scene that a command makes of another one, after `now` steps.
    fn after(
        &self,
        command: &SimCommand,
        scene: &Arc<Scene>,
        now: u64,
    ) -> Result<Arc<Scene>, SessionError> {
        let (undo, redo) = self.stacks();
        let scenes = |index: Option<usize>, what: &str| {
            index
                .and_then(|i| self.log[i].scenes.as_ref())
                .ok_or_else(|| SessionError::Command(format!("there is nothing to {what}")))
        };
        match command {
            SimCommand::Undo => {
                let first = undo.last().map(|edit| edit.commands.start);
                Ok(scenes(first, "undo")?.0.clone())
            }
            SimCommand::Redo => {
                let last = redo.last().map(|edit| edit.commands.end - 1);
                Ok(scenes(last, "redo")?.1.clone())
            }
            action if action.is_action() => Ok(scene.clone()),
            edit => {
                let mut after = (**scene).clone();
                let now_ms = now as f64 * scene.dt_ms;
                let types = self.registry.types.read();
                edit::apply(edit, &mut after, now_ms, &types).map_err(SessionError::Command)?;
                let prepared = |scene: &Scene| prepare(scene, &types, &self.files);
                edit::hold_weights(edit, scene, &mut after, prepared)?;
                Ok(Arc::new(after))
            }
        }
    }

    /// Does what a command does to the state of the network, if it is one that does.
    fn act(&mut self, command: &SimCommand) -> Result<(), SessionError> {
        match command {
            SimCommand::ResetTraces(projection) => (self.simulation.reset_traces(projection))
                .map_err(|e| SessionError::Command(e.to_string())),
            SimCommand::Reward { modulator, amount } => (self.simulation)
                .reward(modulator, *amount)
                .map_err(|e| SessionError::Command(e.to_string())),
            _ => Ok(()),
        }
    }

    /// What undo and redo would take back and make again, in words.
    pub fn undo_and_redo(&self) -> (Option<String>, Option<String>) {
        let (undo, redo) = self.stacks();
        let words = |edit: Option<&Edit>| {
            edit.map(|edit| {
                let last = &self.log[edit.commands.end - 1];
                last.logged.command.words()
            })
        };
        (words(undo.last()), words(redo.last()))
    }

    fn stacks(&self) -> (Vec<Edit>, Vec<Edit>) {
        stacks(self.log[..self.acted].iter().map(|entry| &entry.logged))
    }

    fn to_build(&self, scene: &Scene) -> Scene {
        if self.probes {
            scene.clone()
        } else {
            without_probes(scene)
        }
    }

    /// Makes the network that of another scene, in the same state; synapses that come back recall what they had learned. Returns what is lost.
    fn change(
        &mut self,
        after: &Arc<Scene>,
        recalled: &[Arc<Forgotten>],
    ) -> Result<Forgotten, SessionError> {
        if Arc::ptr_eq(after, &self.scene) {
            return Ok(Forgotten::default());
        }
        let carried = self.rebuild(after)?;
        let recalled: Vec<&Forgotten> = recalled.iter().map(|f| &**f).collect();
        match self.simulation.take_over_and_recall(&carried, &recalled) {
            Ok(forgotten) => Ok(forgotten),
            Err(error) => {
                let before = self.to_build(&self.scene);
                self.prepared = prepare(&before, &self.registry.types.read(), &self.files)?;
                self.simulation = self.built(&before, &self.prepared, None)?;
                self.simulation.take_back(&carried)?;
                Err(error.into())
            }
        }
    }

    /// Builds the network of a scene, before its first step; returns the state of the one before. On an error the network is that of before,
    /// in the same state.
    fn rebuild(&mut self, after: &Scene) -> Result<Carried, SessionError> {
        let scene = self.to_build(after);
        let prepared = prepare(&scene, &self.registry.types.read(), &self.files)?;
        if !self.probes {
            // Not built, but the scene that is saved has them.
            prepared.check_probes(after)?;
        }
        let carried = self.simulation.carry()?;
        let before = self.to_build(&self.scene);
        // Synapses that stay are handed over, so that what they take counts as free.
        if self.options.memory_limit.is_some() {
            let own = self.simulation.synapse_bytes();
            self.options.memory_limit = free_memory().map(|free| free + own);
        }
        let reuse = self.simulation.take_synapses(&before, &self.prepared);
        match self.built(&scene, &prepared, Some(reuse)) {
            Ok(simulation) => {
                self.simulation = simulation;
                self.prepared = prepared;
                self.version += 1;
                Ok(carried)
            }
            Err(error) => {
                self.simulation = self.built(&before, &self.prepared, None)?;
                self.simulation.take_back(&carried)?;
                Err(error.into())
            }
        }
    }

    fn built(
        &self,
        scene: &Scene,
        prepared: &Prepared,
        reuse: Option<Reuse>,
    ) -> Result<Simulation, BuildError> {
        let (registry, files) = (&self.registry, &self.files);
        Simulation::build_reusing(
            scene,
            prepared,
            registry,
            files,
            &self.options,
            reuse,
            &|_| {},
        )
    }

    /// Keeps the state as it is now, within a budget in bytes.
    ///
    /// # Errors
    /// Those of a snapshot.
    pub fn keep_state(&mut self, budget: u64) -> Result<(), SessionError> {
        let snapshot = self.simulation.snapshot().map_err(RestoreError::from)?;
        self.history.keep(self.now(), self.acted, snapshot, budget);
        Ok(())
    }

    /// Goes to the nearest state at or before `step` that is kept, or to the start; returns its step. From there on it is steps that lead to `step`.
    ///
    /// # Errors
    /// The state does not fit, which is a fault of the simulator.
    pub fn go_back(&mut self, step: u64) -> Result<u64, SessionError> {
        let kept = self.history.before(step);
        let (at, acted) = kept.map_or((0, 0), |k| (k.step, k.acted));
        let scene = match acted.checked_sub(1).map(|i| &self.log[i].scenes) {
            None => self.base.clone(),
            Some(Some((_, after))) => after.clone(),
            Some(None) => {
                return Err(SessionError::Command("a kept state has no scene".into()));
            }
        };
        let at_start = kept.is_none();
        if !Arc::ptr_eq(&scene, &self.scene) || at_start {
            self.rebuild(&scene)?;
            self.scene = scene;
        }
        if let Some(kept) = self.history.before(step) {
            self.simulation.restore(&kept.snapshot)?;
        }
        self.acted = acted;
        self.act_due()?;
        Ok(at)
    }

    /// Goes to the state after `step` steps, back or forth.
    ///
    /// # Errors
    /// A command of the log is wrong.
    pub fn seek(&mut self, step: u64) -> Result<(), SessionError> {
        if step < self.now() {
            self.go_back(step)?;
        }
        while self.now() < step {
            self.step(false)?;
        }
        Ok(())
    }

    /// The scene as edited, as the text of a file.
    ///
    /// # Errors
    /// A value has no form in a scene.
    pub fn scene_text(&self) -> Result<String, String> {
        scene_text(&self.scene, &self.registry)
    }
}

/// A scene as the text of a file.
///
/// # Errors
/// A value has no form in a scene.
pub fn scene_text(scene: &Scene, registry: &Registry) -> Result<String, String> {
    encode_with(scene, &registry.types.read())
        .map(|text| text + "\n")
        .map_err(|e| e.to_string())
}

fn without_probes(scene: &Scene) -> Scene {
    Scene {
        probes: Vec::new(),
        ..scene.clone()
    }
}
