//! Every command of the app: what menus, buttons, the palette and keys are made of.

use super::live::{Live, Selected};
use super::panels::PanelKind;
use crate::session::frame::Structure;
use crate::sim::clock::Pacing;
use bevy_egui::egui::{self, Key, KeyboardShortcut, Modifiers};

/// A command of the app.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Action {
    /// Plays or pauses.
    PlayPause,
    /// Takes one step.
    Step,
    /// Runs to the next spike.
    NextSpike,
    /// Goes back to the start.
    Reset,
    /// Halves the speed.
    Slower,
    /// Doubles the speed.
    Faster,
    /// Takes back the newest edit.
    Undo,
    /// Makes an edit again that was taken back.
    Redo,
    /// Shows where a scene's path is typed.
    Open,
    /// Reads the scene's file again.
    Reload,
    /// Saves the scene as edited.
    SaveScene,
    /// Saves the log of commands.
    SaveLog,
    /// Saves a picture of the window.
    SavePicture,
    /// Saves a picture of the whole window.
    SaveWindow,
    /// Copies a command line that gives the same spikes.
    CopyCommandLine,
    /// Shows the selection in the 3D view.
    FocusSelection,
    /// Shows the whole network in the 3D view.
    FocusAll,
    /// Selects all neurons.
    SelectAll,
    /// Selects nothing.
    SelectNone,
    /// Brings a panel to the front.
    ShowPanel(PanelKind),
    /// Puts the panels back to where they were at first.
    ResetLayout,
    /// Changes between the dark and the light theme.
    ToggleTheme,
    /// Makes text larger.
    LargerText,
    /// Makes text smaller.
    SmallerText,
    /// Opens the palette.
    Palette,
    /// Opens the preferences.
    Preferences,
    /// Lists the shortcuts.
    Shortcuts,
    /// Starts the tour.
    Tour,
    /// Says what this program is.
    About,
    /// Ends the app.
    Quit,
}

/// The commands of each menu; groups are parted by a line.
pub const MENUS: &[(&str, &[&[Action]])] = &[
    (
        "File",
        &[
            &[Action::Open, Action::Reload],
            &[
                Action::SaveScene,
                Action::SaveLog,
                Action::SavePicture,
                Action::SaveWindow,
            ],
            &[Action::CopyCommandLine],
            &[Action::Quit],
        ],
    ),
    (
        "Edit",
        &[
            &[Action::Undo, Action::Redo],
            &[Action::SelectAll, Action::SelectNone],
            &[Action::Preferences],
        ],
    ),
    (
        "Run",
        &[
            &[
                Action::PlayPause,
                Action::Step,
                Action::NextSpike,
                Action::Reset,
            ],
            &[Action::Slower, Action::Faster],
        ],
    ),
    (
        "View",
        &[
            &[Action::FocusAll, Action::FocusSelection],
            &[Action::ToggleTheme, Action::LargerText, Action::SmallerText],
            &[Action::ResetLayout],
        ],
    ),
    (
        "Help",
        &[
            &[Action::Tour, Action::Shortcuts, Action::Palette],
            &[Action::About],
        ],
    ),
];

impl Action {
    /// Every command, in the order of the menus; those that show panels come last.
    pub fn all() -> impl Iterator<Item = Self> {
        let listed = MENUS.iter().flat_map(|(_, groups)| groups.iter());
        let panels = PanelKind::ALL.into_iter().map(Self::ShowPanel);
        listed.flat_map(|group| group.iter().copied()).chain(panels)
    }

    /// What menus and buttons call it.
    pub fn label(self) -> &'static str {
        match self {
            Self::PlayPause => "Play or pause",
            Self::Step => "One step",
            Self::NextSpike => "To the next spike",
            Self::Reset => "Back to the start",
            Self::Slower => "Slower",
            Self::Faster => "Faster",
            Self::Undo => "Undo",
            Self::Redo => "Redo",
            Self::Open => "Open…",
            Self::Reload => "Reload the scene",
            Self::SaveScene => "Save the scene…",
            Self::SaveLog => "Save the commands…",
            Self::SavePicture => "Save a picture of the 3D view…",
            Self::SaveWindow => "Save a picture of the window…",
            Self::CopyCommandLine => "Copy as a command line",
            Self::FocusSelection => "Focus on the selection",
            Self::FocusAll => "Focus on the whole network",
            Self::SelectAll => "Select all",
            Self::SelectNone => "Select none",
            Self::ShowPanel(kind) => kind.title(),
            Self::ResetLayout => "Reset the panels",
            Self::ToggleTheme => "Dark or light theme",
            Self::LargerText => "Larger text",
            Self::SmallerText => "Smaller text",
            Self::Palette => "Command palette…",
            Self::Preferences => "Preferences…",
            Self::Shortcuts => "Keyboard shortcuts",
            Self::Tour => "Take the tour",
            Self::About => "About Neuropil",
            Self::Quit => "Quit",
        }
    }

    /// What it does, in a sentence.
    pub fn tooltip(self) -> &'static str {
        match self {
            Self::PlayPause => "Lets the network run, or holds it between two steps",
            Self::Step => "Takes one step of the scene's length, then pauses",
            Self::NextSpike => {
                "Runs until a neuron of the chosen region spikes, or any if none is chosen; gives up after a simulated minute"
            }
            Self::Reset => "Goes back to 0 ms; logged commands act again when their time comes",
            Self::Slower => "Halves the speed against real time, down to 0.001 ×",
            Self::Faster => "Doubles the speed against real time, up to 100 ×",
            Self::Undo => "Takes back the newest edit; the network goes on from its present state",
            Self::Redo => "Makes the edit again that was taken back last",
            Self::Open => "Shows the library, where a scene is chosen or its path is typed",
            Self::Reload => "Reads the scene's file again and starts it anew",
            Self::SaveScene => "Writes the scene as edited to a file",
            Self::SaveLog => {
                "Writes the commands so far to a file that `neuropil run --commands` replays"
            }
            Self::SavePicture => "Writes a PNG of the 3D view as it is now",
            Self::SaveWindow => "Writes a PNG of the window with its panels",
            Self::CopyCommandLine => {
                "Copies a `neuropil run` command that gives the same spikes without a window"
            }
            Self::FocusSelection => "Moves the camera to the selected neurons",
            Self::FocusAll => "Moves the camera so that the whole network is seen",
            Self::SelectAll => "Selects every neuron",
            Self::SelectNone => "Selects no neuron",
            Self::ShowPanel(_) => "Brings this panel to the front; opens it if it was closed",
            Self::ResetLayout => "Puts every panel back to its first place",
            Self::ToggleTheme => "Changes between the dark and the light theme",
            Self::LargerText => "Makes all text larger by a point, up to 24",
            Self::SmallerText => "Makes all text smaller by a point, down to 9",
            Self::Palette => "Finds a command by a few letters of its name",
            Self::Preferences => "Theme, colours, text, memory for going back",
            Self::Shortcuts => "Lists all keys",
            Self::Tour => "Five short steps through the app",
            Self::About => "Version and licence",
            Self::Quit => "Closes the app; preferences are kept",
        }
    }

    /// Its keys, as menus show them.
    pub fn shortcut(self) -> Option<KeyboardShortcut> {
        let plain = |key| Some(KeyboardShortcut::new(Modifiers::NONE, key));
        let command = |key| Some(KeyboardShortcut::new(Modifiers::COMMAND, key));
        let shifted = Modifiers::COMMAND | Modifiers::SHIFT;
        match self {
            Self::PlayPause => plain(Key::Space),
            Self::Step => plain(Key::Period),
            Self::NextSpike => plain(Key::N),
            Self::Reset => plain(Key::Home),
            Self::Slower => plain(Key::OpenBracket),
            Self::Faster => plain(Key::CloseBracket),
            Self::Undo => command(Key::Z),
            Self::Redo => Some(KeyboardShortcut::new(shifted, Key::Z)),
            Self::Open => command(Key::O),
            Self::Reload => command(Key::R),
            Self::SaveScene => command(Key::S),
            Self::SavePicture => Some(KeyboardShortcut::new(shifted, Key::S)),
            Self::CopyCommandLine => Some(KeyboardShortcut::new(shifted, Key::C)),
            Self::FocusSelection => plain(Key::F),
            Self::FocusAll => Some(KeyboardShortcut::new(Modifiers::SHIFT, Key::F)),
            Self::SelectAll => command(Key::A),
            Self::SelectNone => plain(Key::Escape),
            Self::ShowPanel(kind) => kind.key().and_then(command),
            Self::ToggleTheme => command(Key::T),
            Self::LargerText => command(Key::Plus),
            Self::SmallerText => command(Key::Minus),
            Self::Palette => command(Key::P),
            Self::Preferences => command(Key::Comma),
            Self::Shortcuts => plain(Key::F1),
            Self::Quit => command(Key::Q),
            Self::SaveLog | Self::SaveWindow | Self::ResetLayout | Self::Tour | Self::About => None,
        }
    }

    /// Other keys that do the same, by habit.
    fn also(self) -> Option<KeyboardShortcut> {
        match self {
            Self::Redo => Some(KeyboardShortcut::new(Modifiers::COMMAND, Key::Y)),
            Self::LargerText => Some(KeyboardShortcut::new(Modifiers::COMMAND, Key::Equals)),
            _ => None,
        }
    }

    /// Whether its keys act while text is typed: those that text fields do not use themselves.
    fn while_typing(self) -> bool {
        let edits_text = matches!(
            self,
            Self::Undo | Self::Redo | Self::SelectAll | Self::CopyCommandLine
        );
        !edits_text && self.shortcut().is_some_and(|s| s.modifiers.command)
    }

    /// Whether it can be used now.
    pub fn enabled(self, live: &Live, selected: &Selected) -> bool {
        match self {
            Self::Undo => live.undo.is_some(),
            Self::Redo => live.redo.is_some(),
            Self::FocusSelection | Self::SelectNone => !selected.neurons.is_empty(),
            Self::PlayPause
            | Self::Step
            | Self::NextSpike
            | Self::Reset
            | Self::Reload
            | Self::SaveScene
            | Self::SaveLog
            | Self::SavePicture
            | Self::SaveWindow
            | Self::CopyCommandLine
            | Self::SelectAll
            | Self::FocusAll => live.structure.is_some(),
            _ => true,
        }
    }

    /// What it would act on now, for menus: "Undo lesion neuron 3 of …".
    pub fn label_now(self, live: &Live) -> String {
        let of = match self {
            Self::Undo => live.undo.as_deref(),
            Self::Redo => live.redo.as_deref(),
            _ => None,
        };
        match of {
            Some(words) => format!("{} {words}", self.label()),
            None => self.label().to_owned(),
        }
    }

    /// Its keys as this system writes them, with signs for keys that have one.
    pub fn keys(self, ctx: &egui::Context) -> Option<String> {
        let shortcut = self.shortcut()?;
        let key = shortcut.logical_key;
        let text = ctx.format_shortcut(&shortcut);
        match text.strip_suffix(key.name()) {
            Some(modifiers) => Some(format!("{modifiers}{}", key.symbol_or_name())),
            None => Some(text),
        }
    }

    /// The tooltip with the keys.
    pub fn hint(self, ctx: &egui::Context) -> String {
        match self.keys(ctx) {
            Some(keys) => format!("{} ({keys})", self.tooltip()),
            None => self.tooltip().to_owned(),
        }
    }
}

/// The commands whose keys were pressed in this frame; the keys are used up.
pub fn pressed(ctx: &egui::Context, live: &Live, selected: &Selected) -> Vec<Action> {
    let typing = ctx.text_edit_focused();
    let focused = ctx.egui_wants_keyboard_input();
    let mut keys: Vec<(KeyboardShortcut, Action)> = Action::all()
        .filter(|action| !focused || action.while_typing() || (!typing && commanded(*action)))
        .flat_map(|action| {
            let both = [action.shortcut(), action.also()];
            both.into_iter().flatten().map(move |keys| (keys, action))
        })
        .collect();
    // Of keys that contain each other, those with more modifiers are meant.
    keys.sort_by_key(|(keys, _)| !keys.modifiers.shift);
    let mut found: Vec<Action> = keys
        .into_iter()
        .filter(|(_, action)| action.enabled(live, selected))
        .filter(|(keys, _)| ctx.input_mut(|input| input.consume_shortcut(keys)))
        .map(|(_, action)| action)
        .collect();
    let asks = |event: &egui::Event| matches!(event, egui::Event::Text(text) if text == "?");
    if !typing && ctx.input(|input| input.events.iter().any(asks)) {
        found.push(Action::Shortcuts);
    }
    found
}

/// Whether its keys hold the command key, so that no focused widget takes them.
fn commanded(action: Action) -> bool {
    action.shortcut().is_some_and(|keys| keys.modifiers.command)
}

/// The pace that is `factor` times as fast, from 0.001 to 100 times real time.
pub fn times(pacing: Pacing, factor: f64) -> Pacing {
    match pacing {
        Pacing::RealTime(speed) => Pacing::RealTime((speed * factor).clamp(1e-3, 100.0)),
        Pacing::Unlimited if factor >= 1.0 => Pacing::Unlimited,
        _ => Pacing::RealTime(factor.clamp(1e-3, 100.0)),
    }
}

/// The command that gives the same spikes up to now without a window. `log` is where the commands are saved, if there are any.
pub fn command_line(live: &Live, structure: &Structure, log: &str) -> String {
    let mut line = format!("neuropil run {}", quoted(&structure.source));
    line += &format!(" --for {}ms", plain(live.time_ms()));
    for (name, value) in &structure.settings {
        line += &format!(" --set {}", quoted(&format!("{name}={value}")));
    }
    line += &format!(" --seed {}", structure.scene.seed);
    if !live.log.is_empty() {
        line += &format!(" --commands {}", quoted(log));
    }
    line
}

/// A name beside the scene's own, for a file in the current folder.
pub fn file_name(structure: &Structure, ending: &str) -> String {
    let stem = std::path::Path::new(&structure.source).file_stem();
    let stem = stem.map_or("scene".into(), |s| s.to_string_lossy());
    format!("{stem}-{ending}")
}

/// A number without trailing zeros, to a billionth.
fn plain(number: f64) -> String {
    let text = format!("{number:.9}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// An argument as a shell takes it.
fn quoted(text: &str) -> String {
    let harmless = |c: char| c.is_alphanumeric() || "_-./=:,+@%".contains(c);
    if !text.is_empty() && text.chars().all(harmless) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn every_command_has_words_and_no_two_have_the_same_keys() {
        let (mut keys, mut labels) = (HashSet::new(), HashSet::new());
        for action in Action::all() {
            assert!(labels.insert(action.label()), "{action:?}");
            assert!(action.tooltip().len() > 10, "{action:?}");
            for text in [action.label(), action.tooltip()] {
                assert!(text.starts_with(|c: char| c.is_uppercase()), "{text}");
                assert!(!text.ends_with(['.', ':']), "{text}");
            }
            for shortcut in [action.shortcut(), action.also()].into_iter().flatten() {
                assert!(keys.insert(shortcut), "{action:?}");
            }
        }
        assert_eq!(labels.len(), 29 + PanelKind::ALL.len());
    }

    #[test]
    fn speeds_double_and_stay_in_bounds() {
        assert_eq!(times(Pacing::RealTime(0.5), 2.0), Pacing::RealTime(1.0));
        assert_eq!(times(Pacing::RealTime(80.0), 2.0), Pacing::RealTime(100.0));
        assert_eq!(times(Pacing::RealTime(1e-3), 0.5), Pacing::RealTime(1e-3));
        assert_eq!(times(Pacing::Unlimited, 2.0), Pacing::Unlimited);
        assert_eq!(times(Pacing::Unlimited, 0.5), Pacing::RealTime(0.5));
    }

    #[test]
    fn arguments_are_quoted_for_a_shell() {
        assert_eq!(quoted("scenes/cuba.ron"), "scenes/cuba.ron");
        assert_eq!(quoted("my scene.ron"), "'my scene.ron'");
        assert_eq!(quoted("it's"), r"'it'\''s'");
        assert_eq!(quoted("a;b"), "'a;b'");
        assert_eq!(quoted(""), "''");
        assert_eq!(plain(120.0), "120");
        assert_eq!(plain(0.1 * 3.0), "0.3");
    }
}
