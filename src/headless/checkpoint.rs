//! Checkpoints of a run: the state, the scene with what was set, and the files that the scene names.

use super::{Course, RunError, keep_spikes, keeps_spikes};
use crate::scene::error::SceneError;
use crate::scene::load::{LoadedScene, SceneFiles, SceneSource, load};
use crate::session::Session;
use crate::session::command::LoggedCommand;
use crate::session::log::{read_log, write_log};
use crate::simulation::{Registry, Simulation};
use crate::snapshot::file::{Snapshot, SnapshotError};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// A checkpoint that was read.
pub struct Saved {
    /// Its scene.
    pub loaded: LoadedScene,
    /// The files that the scene names, as they were.
    pub files: SceneFiles,
    /// What is done to the network while it runs.
    pub commands: Vec<LoggedCommand>,
    /// Where the run was to end, in ms.
    pub end_ms: f64,
    /// The state.
    pub snapshot: Snapshot,
}

/// Why a checkpoint cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum CheckpointError {
    /// The container is damaged or foreign.
    #[error(transparent)]
    Container(#[from] SnapshotError),
    /// The scene inside is not understood.
    #[error("the checkpoint's scene is not understood: {0}")]
    Scene(#[from] SceneError),
    /// A value inside makes no sense.
    #[error("{0} is not a checkpoint of a run")]
    Foreign(String),
}

pub(super) fn checkpoint_path(loaded: &LoadedScene, course: &Course) -> PathBuf {
    if let Some(path) = &course.checkpoint {
        return path.clone();
    }
    match &course.out {
        Some(out) => out.join("checkpoint.neuropil"),
        None => {
            let name = Path::new(&loaded.source.name);
            let stem = name
                .file_stem()
                .map_or_else(|| "scene".into(), |s| s.to_string_lossy());
            PathBuf::from(format!("{stem}.neuropil"))
        }
    }
}

pub(super) fn save(session: &mut Session, course: &Course, path: &Path) -> Result<(), RunError> {
    let mut snapshot = session.snapshot()?;
    let loaded = session.loaded();
    snapshot.put("scene.name", loaded.source.name.as_str())?;
    snapshot.put("scene.text", loaded.source.text.as_str())?;
    let settings: Vec<_> = loaded
        .overrides
        .iter()
        .map(|(n, v)| format!("{n}={v}"))
        .collect();
    snapshot.put("scene.settings", settings.join("\n"))?;
    snapshot.put("scene.seed", loaded.scene.seed)?;
    snapshot.put("scene.keeps_spikes", u8::from(keeps_spikes(loaded)))?;
    let (commands, _) = session.log();
    if !commands.is_empty() {
        let text = write_log(&commands, session.registry()).map_err(RunError::Command)?;
        snapshot.put("run.commands", text)?;
    }
    snapshot.put("run.spikes_from_step", course.spikes_from)?;
    snapshot.put("run.end_step", course.end)?;
    let contents = session.files().contents();
    let names: Vec<_> = contents.keys().cloned().collect();
    for (i, bytes) in contents.into_values().enumerate() {
        snapshot.put(format!("file.{i}"), bytes)?;
    }
    snapshot.put("files", names.join("\n"))?;
    snapshot.write(path)?;
    Ok(())
}

/// The first step whose spikes a run that goes on from a checkpoint has.
pub(super) fn first_step_kept(snapshot: &Snapshot, simulation: &Simulation) -> u64 {
    match snapshot.u8("scene.keeps_spikes") {
        Ok(0) => simulation.clock().steps_done(),
        _ => snapshot.u64("run.spikes_from_step").unwrap_or(0),
    }
}

/// Reads a checkpoint that `run` has written.
///
/// # Errors
/// Says why the file cannot be resumed.
pub fn read_checkpoint(path: &Path, registry: &Registry) -> Result<Saved, CheckpointError> {
    let mut snapshot = Snapshot::read(path)?;
    let foreign = || CheckpointError::Foreign(path.display().to_string());
    let mut settings = Vec::new();
    for line in snapshot.text("scene.settings")?.lines() {
        let (name, value) = line.split_once('=').ok_or_else(foreign)?;
        settings.push((name.to_owned(), value.to_owned()));
    }
    let source = SceneSource::from_text(snapshot.text("scene.name")?, snapshot.text("scene.text")?);
    let mut loaded = load(source, &settings, registry)?;
    loaded.scene.seed = snapshot.u64("scene.seed")?;
    if snapshot.u8("scene.keeps_spikes")? != 0 {
        keep_spikes(&mut loaded);
    }
    let commands = match snapshot.text("run.commands") {
        Ok(text) => read_log(text, "the commands of the checkpoint", registry)?,
        Err(_) => Vec::new(),
    };
    let names: Vec<String> = snapshot.text("files")?.lines().map(str::to_owned).collect();
    let mut contents = BTreeMap::new();
    for (i, name) in names.into_iter().enumerate() {
        contents.insert(name, snapshot.take::<u8>(&format!("file.{i}"))?);
    }
    let end_ms = snapshot.u64("run.end_step")? as f64 * loaded.scene.dt_ms;
    Ok(Saved {
        files: SceneFiles::from_contents(contents),
        loaded,
        commands,
        end_ms,
        snapshot,
    })
}
