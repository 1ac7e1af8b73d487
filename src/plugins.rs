//! The plugins of the simulator.

use bevy::prelude::*;

/// Registers everything that a scene can name: neuron models, their columns and kernels.
pub fn plugin(app: &mut App) {
    app.init_resource::<crate::sim::columns::ColumnRegistry>();
    crate::neurons::plugin(app);
    crate::scene::plugin(app);
}
