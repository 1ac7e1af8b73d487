//! What synapses had learned that a command of the log took away, and which commands give it back.
//!
//! A command notes what it [forgets](Forgotten). Undo and redo give back what the edit forgot that they reverse; so does what switches a
//! projection on again that was muted.

use super::command::{Edit, LoggedCommand, SimCommand};
use super::{Entry, Session};
use crate::scene::schema::{ProjectionSpec, Scene};
use crate::snapshot::RestoreError;
use crate::snapshot::carry::Forgotten;
use crate::snapshot::file::{Snapshot, SnapshotError};
use std::sync::Arc;

fn section(command: usize) -> String {
    format!("forgotten.{command}")
}

fn find<'s>(scene: &'s Scene, name: &Option<String>) -> Option<&'s ProjectionSpec> {
    scene.projections.iter().find(|p| p.name == *name)
}

impl Session {
    /// What the next command gives back, which makes `after` of the scene.
    pub(super) fn recalled(&self, command: &SimCommand, after: &Scene) -> Vec<Arc<Forgotten>> {
        let (undo, redo) = self.stacks();
        let reversed = match command {
            SimCommand::Undo => undo.last(),
            SimCommand::Redo => redo.last(),
            _ => return self.recalled_by_unmuting(after),
        };
        let entries = reversed.map_or(&[][..], |edit| &self.log[edit.latest.clone()]);
        entries.iter().map(|e| e.forgotten.clone()).collect()
    }

    /// What projections had learned that are muted now and not `after`, if they would start with the same weights still.
    fn recalled_by_unmuting(&self, after: &Scene) -> Vec<Arc<Forgotten>> {
        let mut recalled = Vec::new();
        for now in self.scene.projections.iter().filter(|p| p.muted) {
            let Some(next) = find(after, &now.name).filter(|p| !p.muted) else {
                continue;
            };
            let muted = self.log[..self.acted].iter().rev().find_map(|entry| {
                let (before, after) = entry.scenes.as_ref()?;
                let before = find(before, &now.name).filter(|p| !p.muted)?;
                find(after, &now.name).filter(|p| p.muted)?;
                Some((entry, before))
            });
            if let (Some(name), Some((entry, before))) = (&now.name, muted)
                && before.weight == next.weight
                && before.rule == next.rule
            {
                recalled.push(Arc::new(entry.forgotten.of(name)));
            }
        }
        recalled
    }

    /// What the next command of the log is to keep of what it forgets: for one that goes on with the edit before it, what that has not
    /// forgotten yet.
    pub(super) fn kept(&self, forgotten: Forgotten, continues: bool) -> Arc<Forgotten> {
        let (undo, _) = self.stacks();
        let goes_on = |edit: &&Edit| continues && edit.commands.end == self.acted;
        Arc::new(match undo.last().filter(goes_on) {
            Some(edit) => {
                let earlier = &self.log[edit.commands.clone()];
                forgotten.besides(earlier.iter().map(|e| &*e.forgotten))
            }
            None => forgotten,
        })
    }

    /// The state, with what the commands that have acted can give back: for [`resume`](Self::resume).
    ///
    /// # Errors
    /// Those of a snapshot.
    pub fn snapshot(&mut self) -> Result<Snapshot, SnapshotError> {
        let mut snapshot = self.simulation.snapshot()?;
        for (i, entry) in self.log[..self.acted].iter().enumerate() {
            entry.forgotten.save(&section(i), &mut snapshot)?;
        }
        Ok(snapshot)
    }

    /// Takes from a snapshot what the commands that have acted can give back.
    pub(super) fn load_forgotten(&mut self, snapshot: &Snapshot) -> Result<(), RestoreError> {
        for (i, entry) in self.log[..self.acted].iter_mut().enumerate() {
            entry.forgotten = Arc::new(Forgotten::load(&section(i), snapshot)?);
        }
        Ok(())
    }
}

impl Entry {
    /// A command that has not acted.
    pub(super) fn new(logged: LoggedCommand) -> Self {
        Self {
            logged,
            scenes: None,
            forgotten: Arc::default(),
        }
    }
}
