//! Every command of the app: what menus, buttons, palette and keys are made of.

use super::live::{Live, Selected};
use crate::sim::clock::Pacing;
use bevy_egui::egui::{Key, KeyboardShortcut, Modifiers};

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
    /// Reads the scene's file again.
    Reload,
    /// Saves the scene as edited.
    SaveScene,
    /// Saves the commands.
    SaveLog,
    /// Copies a command line.
    CopyCommandLine,
    /// Shows the selection in the 3D view.
    FocusSelection,
    /// Shows the whole network in the 3D view.
    FocusAll,
    /// Selects nothing.
    ClearSelection,
    /// Light or dark.
    ToggleTheme,
    /// Larger text.
    LargerText,
    /// Smaller text.
    SmallerText,
    /// Opens the palette.
    Palette,
    /// Lists the shortcuts.
    Shortcuts,
    /// Starts the tour.
    Tour,
    /// Opens the preferences.
    Preferences,
    /// Puts the panels back to where they were at first.
    ResetLayout,
    /// Ends the app.
    Quit,
}

impl Action {
    /// Every command.
    pub const ALL: [Self; 24] = [
        Self::PlayPause,
        Self::Step,
        Self::NextSpike,
        Self::Reset,
        Self::Slower,
        Self::Faster,
        Self::Undo,
        Self::Redo,
        Self::Reload,
        Self::SaveScene,
        Self::SaveLog,
        Self::CopyCommandLine,
        Self::FocusSelection,
        Self::FocusAll,
        Self::ClearSelection,
        Self::ToggleTheme,
        Self::LargerText,
        Self::SmallerText,
        Self::Palette,
        Self::Shortcuts,
        Self::Tour,
        Self::Preferences,
        Self::ResetLayout,
        Self::Quit,
    ];

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
            Self::Reload => "Reload the scene",
            Self::SaveScene => "Save the scene",
            Self::SaveLog => "Save the commands",
            Self::CopyCommandLine => "Copy a command line",
            Self::FocusSelection => "Look at the selection",
            Self::FocusAll => "Look at the whole network",
            Self::ClearSelection => "Select nothing",
            Self::ToggleTheme => "Light or dark",
            Self::LargerText => "Larger text",
            Self::SmallerText => "Smaller text",
            Self::Palette => "Command palette…",
            Self::Shortcuts => "Keyboard shortcuts",
            Self::Tour => "Tour",
            Self::Preferences => "Preferences…",
            Self::ResetLayout => "Reset the panels",
            Self::Quit => "Quit",
        }
    }

    /// What it does, in a sentence.
    pub fn tooltip(self) -> &'static str {
        match self {
            Self::PlayPause => "Lets the network run, or holds it between two steps",
            Self::Step => "Takes one step of the scene's length, then pauses",
            Self::NextSpike => "Runs until a neuron of the chosen region, or any, spikes",
            Self::Reset => "Goes back to time 0; commands act again when their time comes",
            Self::Slower => "Halves the speed against real time",
            Self::Faster => "Doubles the speed against real time",
            Self::Undo => "Takes back the newest edit; the network goes on from its present state",
            Self::Redo => "Makes the edit again that was taken back last",
            Self::Reload => "Reads the scene's file again and starts it anew",
            Self::SaveScene => "Writes the scene as edited to a file in the current folder",
            Self::SaveLog => {
                "Writes the commands so far, with their times, to a file in the current folder"
            }
            Self::CopyCommandLine => {
                "Copies a command that runs the scene as it was opened, without a window"
            }
            Self::FocusSelection => "Turns the camera to the selected neurons",
            Self::FocusAll => "Moves the camera so that the whole network is seen",
            Self::ClearSelection => "Selects no neuron",
            Self::ToggleTheme => "Changes between the light and the dark theme",
            Self::LargerText => "Makes all text larger",
            Self::SmallerText => "Makes all text smaller",
            Self::Palette => "Finds a command by its name",
            Self::Shortcuts => "Lists all keys",
            Self::Tour => "Five short steps through the app",
            Self::Preferences => "Theme, text, 3D view",
            Self::ResetLayout => "Puts every panel back to its first place",
            Self::Quit => "Closes the app",
        }
    }

    /// Its keys.
    pub fn shortcut(self) -> Option<KeyboardShortcut> {
        let plain = |key| Some(KeyboardShortcut::new(Modifiers::NONE, key));
        let command = |key| Some(KeyboardShortcut::new(Modifiers::COMMAND, key));
        match self {
            Self::PlayPause => plain(Key::Space),
            Self::Step => plain(Key::Period),
            Self::NextSpike => plain(Key::N),
            Self::Reset => plain(Key::Home),
            Self::Slower => plain(Key::OpenBracket),
            Self::Faster => plain(Key::CloseBracket),
            Self::Undo => command(Key::Z),
            Self::Redo => command(Key::Y),
            Self::Reload => command(Key::R),
            Self::SaveScene => command(Key::S),
            Self::FocusSelection => plain(Key::F),
            Self::FocusAll => plain(Key::A),
            Self::ClearSelection => plain(Key::Escape),
            Self::LargerText => command(Key::Plus),
            Self::SmallerText => command(Key::Minus),
            Self::Palette => command(Key::P),
            Self::Shortcuts => plain(Key::F1),
            Self::Quit => command(Key::Q),
            _ => None,
        }
    }

    /// Whether it can be used now.
    pub fn enabled(self, live: &Live, selected: &Selected) -> bool {
        match self {
            Self::Undo => live.undo.is_some(),
            Self::Redo => live.redo.is_some(),
            Self::FocusSelection | Self::ClearSelection => !selected.neurons.is_empty(),
            Self::PlayPause
            | Self::Step
            | Self::NextSpike
            | Self::Reset
            | Self::Reload
            | Self::SaveScene
            | Self::SaveLog
            | Self::CopyCommandLine
            | Self::FocusAll => live.structure.is_some(),
            _ => true,
        }
    }
}

/// The pace that is `factor` times as fast; from a pause, real time times `factor`.
pub fn times(pacing: Pacing, factor: f64) -> Pacing {
    match pacing {
        Pacing::RealTime(speed) => Pacing::RealTime((speed * factor).clamp(1e-3, 100.0)),
        Pacing::Unlimited if factor >= 1.0 => Pacing::Unlimited,
        _ => Pacing::RealTime(factor.clamp(1e-3, 100.0)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn every_command_has_words_and_no_two_have_the_same_keys() {
        let (mut keys, mut labels) = (HashSet::new(), HashSet::new());
        for action in Action::ALL {
            assert!(labels.insert(action.label()), "{action:?}");
            assert!(
                action.tooltip().len() > action.label().len() / 2,
                "{action:?}"
            );
            if let Some(shortcut) = action.shortcut() {
                assert!(keys.insert(shortcut), "{action:?}");
            }
        }
    }
}
