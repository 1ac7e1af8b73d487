//! What the user likes, kept between sessions.

use crate::files::whole::{create_folder, write_whole};
use bevy::prelude::*;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

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
    /// Simulated time per wall time.
    pub speed: f64,
    /// Scene files that were open lately, newest first.
    pub recent: Vec<String>,
    /// Whether an open scene file is read again when it changes.
    pub auto_reload: bool,
    /// Whether the tour was seen or skipped.
    pub tour_seen: bool,
}

impl Preferences {
    /// The preferences as they were kept; the defaults where there are none, with a message if they cannot be understood.
    pub fn load() -> (Self, Option<String>) {
        let Some(path) = file() else {
            return (Self::default(), None);
        };
        match std::fs::read_to_string(&path) {
            Ok(text) => match ron::from_str(&text) {
                Ok(preferences) => (preferences, None),
                Err(error) => {
                    let text = format!(
                        "{}: {error}; the preferences are the usual ones",
                        path.display()
                    );
                    (Self::default(), Some(text))
                }
            },
            Err(_) => (Self::default(), None),
        }
    }

    /// Keeps the preferences.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn save(&self) -> Result<(), String> {
        let Some(path) = file() else { return Ok(()) };
        if let Some(folder) = path.parent() {
            create_folder(folder).map_err(|e| e.to_string())?;
        }
        let pretty = ron::ser::PrettyConfig::default();
        let text = ron::ser::to_string_pretty(self, pretty).map_err(|e| e.to_string())?;
        write_whole(&path, |out| out.write_all(text.as_bytes())).map_err(|e| e.to_string())
    }
}

/// Where preferences are kept: in the folder that `NEUROPIL_CONFIG` names, else where programs of the system keep theirs.
fn file() -> Option<PathBuf> {
    let given = |name: &str| {
        std::env::var_os(name)
            .filter(|v| !v.is_empty())
            .map(PathBuf::from)
    };
    let folder = given("NEUROPIL_CONFIG").or_else(|| {
        if cfg!(windows) {
            given("APPDATA").map(|f| f.join("neuropil"))
        } else if cfg!(target_os = "macos") {
            given("HOME").map(|f| f.join("Library/Application Support/neuropil"))
        } else {
            let config =
                given("XDG_CONFIG_HOME").or_else(|| given("HOME").map(|h| h.join(".config")));
            config.map(|f| f.join("neuropil"))
        }
    });
    folder.map(|f| f.join("preferences.ron"))
}

impl Default for Preferences {
    fn default() -> Self {
        Self {
            dark: true,
            font_size: 13.0,
            scene3d: Scene3dPreferences::default(),
            speed: 0.2,
            recent: Vec::new(),
            auto_reload: false,
            tour_seen: false,
        }
    }
}
