//! What the pointer does over the 3D view.
//!
//! | what | does |
//! |---|---|
//! | drag | turns |
//! | drag with shift, the right or the middle button | shifts |
//! | drag with ctrl (⌘) or B held | selects what is in a box |
//! | scroll, pinch | comes closer, goes away |
//! | click | selects a neuron, or by its label a region; with shift adds or takes away; beside everything clears |
//!
//! A drag belongs to where it began: one that leaves the area goes on, and one that comes in from a panel does nothing here.

use super::camera::Orbit;
use bevy::prelude::*;
use bevy_egui::egui::{self, PointerButton};

/// The drag under way.
#[derive(Resource, Clone, Copy, Debug, Default, PartialEq)]
pub struct Pointer {
    drag: Option<Drag>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Drag {
    Turn,
    Shift,
    Box(egui::Pos2),
}

/// What the pointer asks for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Pointed {
    /// Nothing but to look.
    Nothing,
    /// A click.
    Click {
        /// Where.
        at: egui::Pos2,
        /// Whether it adds to what is selected.
        adds: bool,
    },
    /// A box is being drawn.
    Drawing(egui::Rect),
    /// A box is done.
    Box {
        /// The box.
        area: egui::Rect,
        /// Whether it adds to what is selected.
        adds: bool,
    },
}

impl Pointer {
    /// Whether the pointer moves the camera or draws a box.
    pub fn drags(&self) -> bool {
        self.drag.is_some()
    }

    /// Follows the pointer: moves the camera, and says what else is asked for. `area` is the 3D view's; `hovered` whether the pointer is on it.
    pub fn follow(
        &mut self,
        input: &egui::InputState,
        area: egui::Rect,
        hovered: bool,
        orbit: &mut Orbit,
    ) -> Pointed {
        let pointer = &input.pointer;
        let modifiers = input.modifiers;
        let adds = modifiers.shift || modifiers.command;
        if hovered {
            let scroll = input.smooth_scroll_delta().y + 200.0 * (input.zoom_delta() - 1.0);
            if scroll != 0.0 {
                orbit.zoom(scroll);
            }
            if self.drag.is_none() && pointer.any_pressed() {
                let at = pointer.press_origin().or(pointer.latest_pos());
                // A quick click is pressed and released within one frame, and never down.
                let pressed = |button| pointer.button_pressed(button);
                let primary = pressed(PointerButton::Primary);
                let other = pressed(PointerButton::Secondary) || pressed(PointerButton::Middle);
                let boxes = modifiers.command || input.key_down(egui::Key::B);
                self.drag = match at {
                    Some(_) if other => Some(Drag::Shift),
                    Some(at) if primary && boxes => Some(Drag::Box(at)),
                    Some(_) if primary && modifiers.shift => Some(Drag::Shift),
                    Some(_) if primary => Some(Drag::Turn),
                    _ => None,
                };
            }
        }
        let moved = Vec2::new(pointer.delta().x, pointer.delta().y);
        let here = pointer.latest_pos();
        match self.drag {
            // A press that may yet be a click does not turn.
            Some(Drag::Turn) if pointer.is_decidedly_dragging() => orbit.turn(moved),
            Some(Drag::Shift) if pointer.is_decidedly_dragging() => {
                orbit.shift(moved, area.height())
            }
            _ => {}
        }
        let boxed = match (self.drag, here) {
            (Some(Drag::Box(from)), Some(to)) => Some(egui::Rect::from_two_pos(from, to)),
            _ => None,
        };
        let boxed = boxed.filter(|b| b.width().max(b.height()) > 4.0);
        let mine = self.drag.is_some();
        if !pointer.any_down() {
            self.drag = None;
        }
        match (boxed, self.drag) {
            (Some(area), Some(_)) => Pointed::Drawing(area),
            (Some(area), None) => Pointed::Box {
                area,
                adds: modifiers.shift,
            },
            (None, _) => match here {
                Some(at) if mine && hovered && pointer.primary_clicked() => {
                    Pointed::Click { at, adds }
                }
                _ => Pointed::Nothing,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::camera::Pose;
    use super::*;
    use egui::{Event, Modifiers, pos2};

    /// Feeds one frame's events; returns what was asked for.
    fn frame(
        ctx: &egui::Context,
        state: &mut (Pointer, Orbit),
        hovered: bool,
        modifiers: Modifiers,
        mut events: Vec<Event>,
    ) -> Pointed {
        events.insert(0, Event::ModifiersChanged(modifiers));
        let area = egui::Rect::from_min_size(pos2(0.0, 0.0), egui::vec2(800.0, 600.0));
        let input = egui::RawInput {
            screen_rect: Some(area),
            events,
            ..Default::default()
        };
        let mut pointed = Pointed::Nothing;
        let mut output = ctx.run_ui(input, |ui| {
            pointed = ui
                .ctx()
                .input(|i| state.0.follow(i, area, hovered, &mut state.1));
        });
        output.textures_delta.clear();
        pointed
    }

    fn button(
        at: egui::Pos2,
        button: PointerButton,
        pressed: bool,
        modifiers: Modifiers,
    ) -> Vec<Event> {
        let event = Event::PointerButton {
            pos: at,
            button,
            pressed,
            modifiers,
        };
        vec![Event::PointerMoved(at), event]
    }

    /// Presses, moves and releases.
    fn drag(hovered: bool, which: PointerButton, modifiers: Modifiers) -> (Pointed, Pose) {
        let ctx = egui::Context::default();
        let mut state = (Pointer::default(), Orbit::default());
        let (from, to) = (pos2(100.0, 100.0), pos2(180.0, 160.0));
        let press = button(from, which, true, modifiers);
        frame(&ctx, &mut state, hovered, modifiers, press);
        frame(
            &ctx,
            &mut state,
            true,
            modifiers,
            vec![Event::PointerMoved(to)],
        );
        let release = button(to, which, false, modifiers);
        let pointed = frame(&ctx, &mut state, true, modifiers, release);
        assert!(!state.0.drags());
        (pointed, state.1.target)
    }

    #[test]
    fn drags_turn_shift_and_select() {
        let usual = Pose::default();
        let (pointed, pose) = drag(true, PointerButton::Primary, Modifiers::NONE);
        assert_eq!(pointed, Pointed::Nothing);
        assert!(pose.yaw != usual.yaw && pose.focus == usual.focus);
        for (which, modifiers) in [
            (PointerButton::Secondary, Modifiers::NONE),
            (PointerButton::Middle, Modifiers::NONE),
            (PointerButton::Primary, Modifiers::SHIFT),
        ] {
            let (pointed, pose) = drag(true, which, modifiers);
            assert_eq!(pointed, Pointed::Nothing);
            assert!(pose.yaw == usual.yaw && pose.focus != usual.focus);
        }
        let (pointed, pose) = drag(true, PointerButton::Primary, Modifiers::COMMAND);
        let area = egui::Rect::from_two_pos(pos2(100.0, 100.0), pos2(180.0, 160.0));
        assert_eq!(pointed, Pointed::Box { area, adds: false });
        assert_eq!(pose, usual);
    }

    #[test]
    fn a_drag_that_began_elsewhere_does_nothing() {
        let (pointed, pose) = drag(false, PointerButton::Primary, Modifiers::NONE);
        assert_eq!((pointed, pose), (Pointed::Nothing, Pose::default()));
    }

    #[test]
    fn a_press_without_a_drag_is_a_click() {
        let ctx = egui::Context::default();
        let mut state = (Pointer::default(), Orbit::default());
        let at = pos2(50.0, 60.0);
        let (primary, none) = (PointerButton::Primary, Modifiers::NONE);
        frame(
            &ctx,
            &mut state,
            true,
            none,
            button(at, primary, true, none),
        );
        let pointed = frame(
            &ctx,
            &mut state,
            true,
            none,
            button(at, primary, false, none),
        );
        assert_eq!(pointed, Pointed::Click { at, adds: false });
        assert_eq!(state.1.target, Pose::default());
        // Where frames take long, all of it may happen in one.
        let both = [
            button(at, primary, true, none),
            button(at, primary, false, none),
        ];
        let pointed = frame(&ctx, &mut state, true, none, both.concat());
        assert_eq!(pointed, Pointed::Click { at, adds: false });
        assert!(!state.0.drags());
    }
}
