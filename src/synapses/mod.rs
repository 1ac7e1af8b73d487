//! What synapses do besides adding a weight: short-term dynamics.

pub mod short_term;

use bevy::prelude::*;

/// Registers the types of this folder.
pub fn plugin(app: &mut App) {
    app.register_type::<short_term::TsodyksMarkram>();
}
