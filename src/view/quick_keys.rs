//! Shortcuts that are pressed and released within one frame.
//!
//! bevy_egui gives every key of a frame the modifiers that are held at its end. Where frames take long, as with a software renderer, Ctrl
//! is often released by then, and Ctrl+Z would be a Z. Here each key gets the modifiers that were held when it was pressed.

use bevy::input::keyboard::{Key, KeyboardFocusLost, KeyboardInput};
use bevy::prelude::*;
use bevy_egui::egui::{self, Event, Modifiers};
use bevy_egui::helpers::{bevy_to_egui_key, bevy_to_egui_physical_key};
use bevy_egui::{EguiInput, EguiPreUpdateSet};
use std::collections::VecDeque;

/// Adds the system.
pub fn plugin(app: &mut App) {
    app.add_systems(
        PreUpdate,
        set_modifiers
            .after(EguiPreUpdateSet::ProcessInput)
            .before(EguiPreUpdateSet::BeginPass),
    );
}

/// A key, whether it was pressed, and what was held.
type Stroke = (egui::Key, bool, Modifiers);

fn set_modifiers(
    mut keys: MessageReader<KeyboardInput>,
    mut lost: MessageReader<KeyboardFocusLost>,
    mut held: Local<[bool; 4]>,
    mut inputs: Query<&mut EguiInput>,
) {
    if lost.read().count() > 0 {
        *held = [false; 4];
    }
    let mut strokes = VecDeque::new();
    for input in keys.read() {
        let pressed = input.state.is_pressed();
        let modifier = match input.logical_key {
            Key::Control => Some(0),
            Key::Shift => Some(1),
            Key::Alt => Some(2),
            Key::Super | Key::Meta => Some(3),
            _ => None,
        };
        if let Some(modifier) = modifier {
            held[modifier] = pressed;
        }
        let key = bevy_to_egui_key(&input.logical_key);
        if let Some(key) = key.or_else(|| bevy_to_egui_physical_key(&input.key_code)) {
            strokes.push_back((key, pressed, modifiers(*held)));
        }
    }
    if strokes.is_empty() {
        return;
    }
    for mut input in &mut inputs {
        mend(&mut input.0.events, strokes.clone());
    }
}

fn modifiers([ctrl, shift, alt, logo]: [bool; 4]) -> Modifiers {
    let mac = cfg!(target_os = "macos");
    Modifiers {
        ctrl,
        shift,
        alt,
        mac_cmd: mac && logo,
        command: if mac { logo } else { ctrl },
    }
}

/// Gives key events the modifiers of their strokes, in order, and takes out text that a shortcut is not meant to write.
fn mend(events: &mut Vec<Event>, mut strokes: VecDeque<Stroke>) {
    let mut mended = Vec::with_capacity(events.len());
    for mut event in events.drain(..) {
        if let Event::Key {
            key,
            pressed,
            modifiers,
            ..
        } = &mut event
            && let Some(place) = strokes.iter().position(|s| (s.0, s.1) == (*key, *pressed))
        {
            *modifiers = strokes[place].2;
            strokes.drain(..=place);
            let writes = matches!(mended.last(), Some(Event::Text(_)));
            if *pressed && modifiers.command && writes {
                mended.pop();
            }
        }
        mended.push(event);
    }
    *events = mended;
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(key: egui::Key, pressed: bool, modifiers: Modifiers) -> Event {
        Event::Key {
            key,
            physical_key: None,
            pressed,
            repeat: false,
            modifiers,
        }
    }

    #[test]
    fn a_key_has_the_modifiers_that_were_held_with_it() {
        use egui::Key::{N, Z};
        let (none, ctrl) = (
            modifiers([false; 4]),
            modifiers([true, false, false, false]),
        );
        let mut events = vec![
            Event::Text("z".into()),
            key(Z, true, none),
            key(Z, false, none),
            Event::Text("n".into()),
            key(N, true, none),
        ];
        let strokes = [(Z, true, ctrl), (Z, false, ctrl), (N, true, none)];
        mend(&mut events, strokes.into());
        let expected = [
            key(Z, true, ctrl),
            key(Z, false, ctrl),
            Event::Text("n".into()),
            key(N, true, none),
        ];
        assert_eq!(events, expected);
    }
}
