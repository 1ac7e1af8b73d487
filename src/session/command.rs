//! What a user does to a running network.
//!
//! A [`SimCommand`] is applied between two steps and logged with the step before which it acts, so that the log, replayed on the same
//! scene, gives the same spikes. Every command is an edit of the [`Scene`](crate::scene::schema::Scene): what is saved after it is what runs.

use crate::network::stimulus::Selection;
use crate::scene::schema::{ProjectionSpec, RegionSpec, StimulusSpec};
use bevy::prelude::*;

/// A part of a scene, by its name.
#[derive(Reflect, Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Place {
    /// A region.
    Region(String),
    /// A projection, by its own name or "from → to".
    Projection(String),
    /// A stimulus.
    Stimulus(String),
}

/// One edit of a running network.
#[derive(Reflect, Clone, Debug)]
pub enum SimCommand {
    /// Gives a field of a part a new value, as a scene would say it: `Set(of: Region("excitatory"), field: "model.tau_m", value: "15")`.
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
    /// Takes a part away: a region with its projections, stimuli and probes; a projection; a stimulus.
    Remove(Place),
    /// Takes back the newest edit that was not taken back.
    Undo,
    /// Makes the newest edit that was taken back once more.
    Redo,
}

/// A command and when it acted.
#[derive(Reflect, Clone, Debug)]
pub struct LoggedCommand {
    /// Steps done when it acted.
    pub step: u64,
    /// What it was.
    pub command: SimCommand,
}
