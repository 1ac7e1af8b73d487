//! The plugins of the simulator.

use bevy::prelude::*;

/// Registers everything that scenes and logs of commands can name: neuron models, their columns and kernels, commands.
pub fn plugin(app: &mut App) {
    app.init_resource::<crate::sim::columns::ColumnRegistry>();
    crate::neurons::plugin(app);
    crate::modulation::plugin(app);
    crate::synapses::plugin(app);
    crate::plasticity::plugin(app);
    crate::scene::plugin(app);
    crate::session::plugin(app);
}
