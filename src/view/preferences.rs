//! What the user likes, kept between sessions.

use bevy::prelude::*;
use serde::{Deserialize, Serialize};

/// What colours the neurons of the 3D view.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub enum ColourBy {
    /// Their region.
    #[default]
    Region,
    /// The type of their model.
    Model,
    /// A state column, by its name.
    Column(String),
}

/// How the 3D view shows the network.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Scene3dPreferences {
    /// What colours neurons.
    pub colour_by: ColourBy,
    /// The simulated time in ms in which the flash of a spike falls to 1/e.
    pub flash_ms: f32,
    /// The size of neurons, times what suits their density.
    pub neuron_size: f32,
    /// Whether bundles of projections are drawn.
    pub bundles: bool,
    /// Whether the synapses of the selected neuron are drawn.
    pub synapses: bool,
    /// Whether region labels are drawn.
    pub labels: bool,
    /// Whether neurons that have not spiked for a while are hidden.
    pub hide_idle: bool,
}

impl Default for Scene3dPreferences {
    fn default() -> Self {
        Self {
            colour_by: ColourBy::Region,
            flash_ms: 10.0,
            neuron_size: 1.0,
            bundles: true,
            synapses: true,
            labels: true,
            hide_idle: false,
        }
    }
}

/// What the user likes.
#[derive(Resource, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Preferences {
    /// Dark panels or light ones.
    pub dark: bool,
    /// The size of text in points.
    pub font_size: f32,
    /// The 3D view.
    pub scene3d: Scene3dPreferences,
}

impl Default for Preferences {
    fn default() -> Self {
        Self {
            dark: true,
            font_size: 13.0,
            scene3d: Scene3dPreferences::default(),
        }
    }
}
