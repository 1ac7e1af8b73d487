//! What synapses do besides adding a weight: short-term dynamics, and responses that take time.

pub mod response;
pub mod short_term;

use bevy::prelude::*;

/// Registers the types of this folder.
pub fn plugin(app: &mut App) {
    app.register_type::<short_term::TsodyksMarkram>()
        .register_type::<response::Response>()
        .register_type::<response::Responses>();
}
