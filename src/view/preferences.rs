//! What the user likes, kept between sessions.
//!
//! The file is `preferences.ron` in the user's folder for settings; `NEUROPIL_CONFIG` names another folder. What a file does not say is as
//! at first, and what it says beyond is ignored, so that older and newer versions read each other's. A file that cannot be read is put aside.

use super::background::Background;
use super::panels::stimulate::action::Brush;
use super::scene3d::camera::SavedView;
use super::theme::{ColourMap, Palette};
use crate::files::whole::{create_folder, write_whole};
use bevy::prelude::*;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// The name of the file.
const FILE: &str = "preferences.ron";
/// The longest file that is read, in bytes.
const LONGEST: u64 = 1 << 20;
/// How many files are remembered.
const MOST_RECENT: usize = 12;
/// How many saved views are kept.
pub const MOST_VIEWS: usize = 200;
/// The least time between two writes.
const EVERY: Duration = Duration::from_secs(1);

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
    /// The size of text in points, from 9 to 24.
    pub font_size: f32,
    /// The colours of regions.
    pub palette: Palette,
    /// The colours of values.
    pub colour_map: ColourMap,
    /// The 3D view.
    pub scene3d: Scene3dPreferences,
    /// Simulated time per wall time, from 0.001 to 100, when it is bounded.
    pub speed: f64,
    /// Whether the network runs as fast as it can.
    pub unlimited: bool,
    /// The most memory for states to go back to, in MiB.
    pub rewind_mib: u32,
    /// Whether a scene whose file has changed is read again.
    pub auto_reload: bool,
    /// What number keys do.
    pub brushes: Vec<Brush>,
    /// Where cameras were put, for scenes.
    pub views: Vec<SavedView>,
    /// Files opened lately, newest first.
    pub recent: Vec<String>,
    /// Whether the tour was seen or skipped.
    pub tour_seen: bool,
    /// Where panels are; see [`dock`](super::dock). Empty for the layout at first.
    pub layout: String,
}

impl Default for Preferences {
    fn default() -> Self {
        Self {
            dark: true,
            font_size: 13.0,
            palette: Palette::default(),
            colour_map: ColourMap::default(),
            scene3d: Scene3dPreferences::default(),
            // Slow enough to see single spikes flash.
            speed: 0.2,
            unlimited: false,
            rewind_mib: 256,
            auto_reload: false,
            brushes: Vec::new(),
            views: Vec::new(),
            recent: Vec::new(),
            tour_seen: false,
            layout: String::new(),
        }
    }
}

impl Preferences {
    /// Reads the user's preferences. A file that is broken is put aside; then these are the first ones, with what to tell the user.
    pub fn load() -> (Self, Option<String>) {
        match folder() {
            Some(folder) => Self::load_from(&folder),
            None => (Self::default(), None),
        }
    }

    /// Reads the preferences of a folder.
    pub fn load_from(folder: &Path) -> (Self, Option<String>) {
        let path = folder.join(FILE);
        let size = match std::fs::metadata(&path) {
            Ok(data) => data.len(),
            Err(_) => return (Self::default(), None),
        };
        let read = match size {
            0..=LONGEST => std::fs::read_to_string(&path).map_err(|e| e.to_string()),
            _ => Err(format!("it has {size} bytes; at most {LONGEST} are read")),
        };
        let parsed = read.and_then(|text| ron::from_str::<Self>(&text).map_err(|e| e.to_string()));
        match parsed {
            Ok(preferences) => (preferences.in_bounds(), None),
            Err(reason) => {
                let aside = folder.join(format!("{FILE}.broken"));
                let kept = match std::fs::rename(&path, &aside) {
                    Ok(()) => format!("it was renamed to {}", aside.display()),
                    Err(_) => "it will be replaced".into(),
                };
                let path = path.display();
                let text = format!(
                    "the preferences in {path} cannot be read and are as at first ({kept}): {reason}"
                );
                (Self::default(), Some(text))
            }
        }
    }

    /// Numbers that a file may have wrong, put right.
    fn in_bounds(mut self) -> Self {
        let first = Self::default();
        let finite = |value: f32, or: f32, low: f32, high: f32| match value.is_finite() {
            true => value.clamp(low, high),
            false => or,
        };
        self.font_size = finite(self.font_size, first.font_size, 9.0, 24.0);
        let (scene, first3d) = (&mut self.scene3d, first.scene3d);
        scene.flash_ms = finite(scene.flash_ms, first3d.flash_ms, 0.1, 1000.0);
        scene.neuron_size = finite(scene.neuron_size, first3d.neuron_size, 0.1, 10.0);
        self.speed = match self.speed.is_finite() {
            true => self.speed.clamp(1e-3, 100.0),
            false => first.speed,
        };
        self.rewind_mib = self.rewind_mib.clamp(16, 65_536);
        self.recent.truncate(MOST_RECENT);
        self.brushes.truncate(9);
        self.views.truncate(MOST_VIEWS);
        self
    }

    /// Writes them to the user's folder.
    ///
    /// # Errors
    /// Says why the file cannot be written.
    pub fn save(&self) -> Result<(), String> {
        match folder() {
            Some(folder) => self.save_to(&folder),
            None => Ok(()),
        }
    }

    /// Writes them to a folder, which is made if it does not exist.
    ///
    /// # Errors
    /// Says why the file cannot be written.
    pub fn save_to(&self, folder: &Path) -> Result<(), String> {
        let pretty = ron::ser::PrettyConfig::default();
        let text = ron::ser::to_string_pretty(self, pretty).map_err(|e| e.to_string())?;
        create_folder(folder).map_err(|e| e.to_string())?;
        write_whole(folder.join(FILE), |file| file.write_all(text.as_bytes()))
            .map_err(|e| e.to_string())
    }

    /// Remembers a file that was opened.
    pub fn opened(&mut self, path: &str) {
        self.recent.retain(|known| known != path);
        self.recent.insert(0, path.to_owned());
        self.recent.truncate(MOST_RECENT);
    }
}

/// The user's folder for this program's settings; none if the system names no home.
fn folder() -> Option<PathBuf> {
    let named = |name: &str| {
        std::env::var_os(name)
            .filter(|v| !v.is_empty())
            .map(PathBuf::from)
    };
    if let Some(folder) = named("NEUROPIL_CONFIG") {
        return Some(folder);
    }
    let settings = if cfg!(windows) {
        named("APPDATA")
    } else if cfg!(target_os = "macos") {
        named("HOME").map(|home| home.join("Library/Application Support"))
    } else {
        named("XDG_CONFIG_HOME").or_else(|| named("HOME").map(|home| home.join(".config")))
    };
    settings.map(|folder| folder.join("neuropil"))
}

/// Writes preferences when they have changed, at most once a second, and at the end.
#[derive(Resource)]
pub struct Keeper {
    written: Preferences,
    at: Option<Instant>,
    folder: Option<PathBuf>,
    background: Background<Result<(), String>>,
}

impl Keeper {
    /// The keeper of preferences that were just read.
    pub fn new(preferences: &Preferences) -> Self {
        Self {
            written: preferences.clone(),
            at: None,
            folder: folder(),
            background: Background::default(),
        }
    }

    /// Writes them if it is time. `now` asks to write in any case that they have changed.
    ///
    /// # Errors
    /// Says why the file cannot be written; it is tried again only after the next change.
    pub fn keep(&mut self, preferences: &Preferences, now: bool) -> Result<(), String> {
        if let Some(outcome) = self.background.take() {
            outcome?;
        }
        let early = self.at.is_some_and(|at| at.elapsed() < EVERY);
        let writing = self.background.is_busy();
        if *preferences == self.written || ((early || writing) && !now) {
            return Ok(());
        }
        self.at = Some(Instant::now());
        self.written = preferences.clone();
        let Some(folder) = self.folder.clone() else {
            return Ok(());
        };
        if now {
            return preferences.save_to(&folder);
        }
        let preferences = preferences.clone();
        self.background.start(move || preferences.save_to(&folder));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scratch(name: &str) -> PathBuf {
        let folder = std::env::temp_dir().join(format!("neuropil-{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&folder);
        folder
    }

    #[test]
    fn preferences_come_back_as_they_were_saved() {
        let folder = scratch("preferences");
        assert_eq!(
            Preferences::load_from(&folder),
            (Preferences::default(), None)
        );
        let mut preferences = Preferences {
            dark: false,
            palette: Palette::TolMuted,
            layout: "{\"a\": [1]}".into(),
            scene3d: Scene3dPreferences {
                colour_by: ColourBy::Column("v".into()),
                ..default()
            },
            ..default()
        };
        preferences.opened("b.ron");
        preferences.opened("a \"quoted\" name.ron");
        preferences.save_to(&folder).expect("saved");
        assert_eq!(Preferences::load_from(&folder), (preferences, None));
        let _ = std::fs::remove_dir_all(&folder);
    }

    #[test]
    fn a_broken_file_is_put_aside_with_a_notice() {
        let folder = scratch("broken");
        std::fs::create_dir_all(&folder).expect("a folder");
        std::fs::write(folder.join(FILE), "(dark: fal").expect("written");
        let (preferences, notice) = Preferences::load_from(&folder);
        assert_eq!(preferences, Preferences::default());
        assert!(notice.is_some_and(|text| text.contains("cannot be read")));
        assert!(folder.join("preferences.ron.broken").is_file());
        assert_eq!(Preferences::load_from(&folder).1, None);
        let _ = std::fs::remove_dir_all(&folder);
    }

    #[test]
    fn unknown_fields_are_ignored_and_numbers_put_in_bounds() {
        let folder = scratch("newer");
        std::fs::create_dir_all(&folder).expect("a folder");
        let text = "(dark: false, from_the_future: [1, (a: 2)], font_size: 1e9, speed: NaN)";
        std::fs::write(folder.join(FILE), text).expect("written");
        let (preferences, notice) = Preferences::load_from(&folder);
        assert_eq!(notice, None);
        assert!(!preferences.dark);
        assert_eq!((preferences.font_size, preferences.speed), (24.0, 0.2));
        let _ = std::fs::remove_dir_all(&folder);
    }

    #[test]
    fn recent_files_are_few_and_each_is_there_once() {
        let mut preferences = Preferences::default();
        for i in 0..30 {
            preferences.opened(&format!("{}.ron", i % 20));
        }
        assert_eq!(preferences.recent.len(), MOST_RECENT);
        assert_eq!(preferences.recent[0], "9.ron");
        preferences.opened("5.ron");
        assert_eq!(preferences.recent[0], "5.ron");
        assert_eq!(
            preferences.recent.iter().filter(|r| *r == "5.ron").count(),
            1
        );
    }
}
