//! What a user does to a running network.
//!
//! A [`SimCommand`] is applied between two steps and logged with the step before which it acts, so that the log, replayed on the same
//! scene, gives the same spikes. Every command is an edit of the [`Scene`](crate::scene::schema::Scene): what is saved after it is what runs.

use crate::network::stimulus::Selection;
use crate::scene::schema::{ProjectionSpec, RegionSpec, StimulusSpec};
use bevy::prelude::*;
use std::ops::Range;

/// A part of a scene, by its name.
#[derive(Reflect, Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Place {
    /// A region.
    Region(String),
    /// A projection, by its own name or "from → to".
    Projection(String),
    /// A stimulus.
    Stimulus(String),
    /// A modulator.
    Modulator(String),
}

/// One edit of a running network.
#[derive(Reflect, Clone, Debug)]
pub enum SimCommand {
    /// Gives a field of a part a new value, as a scene would say it: `Set(of: Region("excitatory"), field: "model.tau_m", value: "15")`.
    ///
    /// Where that takes all rules from a projection, [`Settable`](crate::plasticity::settable::Settable) takes their place, with their bounds, so that
    /// weights stay as they have become; taking that away, too, gives the projection the weights of the scene.
    Set {
        /// The part.
        of: Place,
        /// The path of the field inside the part, for example `model.tau_m`, `weight` or `kind.rate_hz`.
        field: String,
        /// The value, as text of a scene.
        value: String,
    },
    /// The selected neurons spike no more.
    Lesion {
        /// The region.
        region: String,
        /// Which of its neurons.
        neurons: Selection,
    },
    /// A new region.
    AddRegion(RegionSpec),
    /// A new projection.
    Connect(ProjectionSpec),
    /// A new stimulus; its window is in simulated time.
    Stimulate(StimulusSpec),
    /// Takes a part away: a region with its projections, stimuli and probes, or a projection, each with what modulators have to do with it; a
    /// stimulus; a modulator that no rule names, with its probes.
    Remove(Place),
    /// Sets the traces and tags of a projection that learns to zero, as if no spike had been. It is no edit: it cannot be undone.
    ResetTraces(String),
    /// Gives a reward, or fills a pool, by hand. It is no edit: it cannot be undone.
    Reward {
        /// The modulator's name.
        modulator: String,
        /// The size of the reward.
        amount: f64,
    },
    /// Takes back the newest edit that was not taken back.
    Undo,
    /// Makes the newest edit that was taken back once more.
    Redo,
}

impl SimCommand {
    /// Whether it acts on the state of the network and not on its description.
    pub fn is_action(&self) -> bool {
        matches!(self, Self::ResetTraces(_) | Self::Reward { .. })
    }
}

/// A command and when it acted.
#[derive(Reflect, Clone, Debug)]
pub struct LoggedCommand {
    /// Steps done when it acted.
    pub step: u64,
    /// What it was.
    pub command: SimCommand,
    /// Whether it goes on with the edit just before it, as a number that is dragged does: both are undone as one.
    #[reflect(default)]
    pub continues: bool,
}

/// An edit of a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Edit {
    /// The commands that it is made of.
    pub commands: Range<usize>,
    /// The commands that made it last: those, or the redo; in case it is undone, the undo.
    pub latest: Range<usize>,
}

/// The edits of a log that can be undone and redone, the next one last.
pub fn stacks<'l>(log: impl IntoIterator<Item = &'l LoggedCommand>) -> (Vec<Edit>, Vec<Edit>) {
    let (mut undo, mut redo) = (Vec::<Edit>::new(), Vec::<Edit>::new());
    let at = |i: usize, edit: Edit| Edit {
        latest: i..i + 1,
        ..edit
    };
    for (i, logged) in log.into_iter().enumerate() {
        match (&logged.command, undo.last_mut()) {
            (SimCommand::Undo, _) => redo.extend(undo.pop().map(|edit| at(i, edit))),
            (SimCommand::Redo, _) => undo.extend(redo.pop().map(|edit| at(i, edit))),
            (command, _) if command.is_action() => {}
            (_, Some(last)) if logged.continues && last.commands.end == i => {
                last.commands.end += 1;
                last.latest = last.commands.clone();
            }
            _ => {
                undo.push(Edit {
                    commands: i..i + 1,
                    latest: i..i + 1,
                });
                redo.clear();
            }
        }
    }
    (undo, redo)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::network::stimulus::Selection;

    #[test]
    fn edits_know_their_commands_and_what_made_them_last() {
        let lesion = SimCommand::Lesion {
            region: "a".into(),
            neurons: Selection::All,
        };
        let log = [
            (lesion.clone(), false),
            (lesion.clone(), true),
            (SimCommand::Undo, false),
            (SimCommand::Redo, false),
            (lesion.clone(), false),
            (SimCommand::Undo, false),
        ]
        .map(|(command, continues)| LoggedCommand {
            step: 0,
            command,
            continues,
        });
        let edit = |commands, latest| Edit { commands, latest };
        let states = [
            (vec![edit(0..1, 0..1)], vec![]),
            (vec![edit(0..2, 0..2)], vec![]),
            (vec![], vec![edit(0..2, 2..3)]),
            (vec![edit(0..2, 3..4)], vec![]),
            (vec![edit(0..2, 3..4), edit(4..5, 4..5)], vec![]),
            (vec![edit(0..2, 3..4)], vec![edit(4..5, 5..6)]),
        ];
        for (i, want) in states.into_iter().enumerate() {
            assert_eq!(stacks(&log[..=i]), want, "after {i}");
        }
    }
}
