//! The command palette: a few letters find a command.

use crate::view::action::Action;
use crate::view::dock::Dock;
use crate::view::panels::PanelContext;
use bevy_egui::egui::{self, Key, Modifiers, RichText};

/// The most commands that are shown at once.
const MOST_SHOWN: usize = 12;

/// The palette, open or closed.
#[derive(Default)]
pub struct Palette {
    open: bool,
    text: String,
    place: usize,
}

impl Palette {
    /// Opens or closes it.
    pub fn toggle(&mut self) {
        *self = Self {
            open: !self.open,
            ..Self::default()
        };
    }

    fn found(&self, context: &PanelContext<'_>, dock: &Dock) -> Vec<Action> {
        let there = |action: &Action| match action {
            Action::ShowPanel(kind) => dock.has(*kind),
            Action::Palette => false,
            _ => action.enabled(context.live, context.selected),
        };
        let mut found: Vec<(u32, Action)> = Action::all()
            .filter(there)
            .filter_map(|action| Some((score(&self.text, &name(action))?, action)))
            .collect();
        let typed = !self.text.trim().is_empty();
        found.sort_by_key(|(score, action)| {
            (
                core::cmp::Reverse(*score),
                if typed { name(*action).len() } else { 0 },
            )
        });
        found
            .into_iter()
            .map(|(_, action)| action)
            .take(MOST_SHOWN)
            .collect()
    }

    /// Handles its keys while it is open; whether it is.
    pub fn keys(
        &mut self,
        ctx: &egui::Context,
        context: &PanelContext<'_>,
        dock: &Dock,
        actions: &mut Vec<Action>,
    ) -> bool {
        if !self.open {
            return false;
        }
        let pressed = |key| ctx.input_mut(|input| input.consume_key(Modifiers::NONE, key));
        let last = self.found(context, dock).len().saturating_sub(1);
        if pressed(Key::ArrowDown) {
            self.place = if self.place >= last {
                0
            } else {
                self.place + 1
            };
        }
        if pressed(Key::ArrowUp) {
            self.place = if self.place == 0 {
                last
            } else {
                self.place - 1
            };
        }
        if pressed(Key::Enter) {
            actions.extend(self.found(context, dock).get(self.place));
            self.open = false;
        }
        let again = Action::Palette.shortcut();
        if pressed(Key::Escape)
            || again.is_some_and(|keys| ctx.input_mut(|input| input.consume_shortcut(&keys)))
        {
            self.open = false;
        }
        true
    }

    /// Draws it if it is open.
    pub fn show(
        &mut self,
        ctx: &egui::Context,
        context: &PanelContext<'_>,
        dock: &Dock,
        actions: &mut Vec<Action>,
    ) {
        if !self.open {
            return;
        }
        let wide = 460.0_f32.min(ctx.content_rect().width() - 40.0);
        let area = egui::Area::new("palette".into())
            .order(egui::Order::Foreground)
            .anchor(egui::Align2::CENTER_TOP, [0.0, 90.0]);
        let shown = area.show(ctx, |ui| {
            egui::Frame::popup(ui.style())
                .inner_margin(10.0)
                .show(ui, |ui| {
                    ui.set_width(wide);
                    let edit = egui::TextEdit::singleline(&mut self.text)
                        .hint_text("Find a command")
                        .desired_width(f32::INFINITY);
                    let edit = ui.add(edit);
                    edit.request_focus();
                    if edit.changed() {
                        self.place = 0;
                    }
                    ui.add_space(4.0);
                    let found = self.found(context, dock);
                    self.place = self.place.min(found.len().saturating_sub(1));
                    for (i, action) in found.iter().enumerate() {
                        let row = row(ui, *action, i == self.place);
                        if row.on_hover_text(action.tooltip()).clicked() {
                            actions.push(*action);
                            self.open = false;
                        }
                    }
                    if found.is_empty() {
                        ui.label(RichText::new("No command has these letters").weak());
                    }
                });
        });
        if shown.response.clicked_elsewhere() {
            self.open = false;
        }
    }
}

fn row(ui: &mut egui::Ui, action: Action, chosen: bool) -> egui::Response {
    let mut button = egui::Button::selectable(chosen, name(action));
    button = match action.keys(ui.ctx()) {
        Some(keys) => button.shortcut_text(keys),
        None => button.right_text(""),
    };
    let size = egui::vec2(ui.available_width(), ui.spacing().interact_size.y);
    ui.add(button.min_size(size))
}

/// What the palette calls a command.
fn name(action: Action) -> String {
    match action {
        Action::ShowPanel(kind) => format!("Show {}", kind.title().to_lowercase()),
        _ => action.label().to_owned(),
    }
}

/// How well `typed` fits `name`: its letters must come in this order; more if they begin words or follow each other.
fn score(typed: &str, name: &str) -> Option<u32> {
    let letters: Vec<char> = name.to_lowercase().chars().collect();
    let typed: Vec<char> = typed
        .to_lowercase()
        .chars()
        .filter(|c| !c.is_whitespace())
        .collect();
    let begins = |i: usize| i == 0 || !letters[i - 1].is_alphanumeric();
    // The best score of each end of a match, row by row.
    let mut best: Vec<Option<u32>> = vec![None; letters.len()];
    for (row, wanted) in typed.iter().enumerate() {
        let mut next = vec![None; letters.len()];
        let mut before = None;
        for i in 0..letters.len() {
            if letters[i] == *wanted {
                let worth = if begins(i) { 8 } else { 1 };
                let alone = if row == 0 { Some(0) } else { before };
                let joined = (i > 0 && row > 0)
                    .then(|| best[i - 1].map(|s: u32| s + 8))
                    .flatten();
                next[i] = alone.max(joined).map(|s| s + worth);
            }
            before = before.max(best[i]);
        }
        best = next;
    }
    if typed.is_empty() {
        Some(0)
    } else {
        best.into_iter().flatten().max()
    }
}

#[cfg(test)]
mod tests {
    use super::score;

    #[test]
    fn letters_must_come_in_order_and_beginnings_of_words_count_more() {
        assert_eq!(score("", "Undo"), Some(0));
        assert!(score("xyz", "Undo").is_none());
        assert!(score("od", "Undo").is_none());
        assert!(score("nx sp", "To the next spike").is_some());
        assert!(score("re", "Redo") > score("re", "Larger text"));
        assert!(score("ss", "Save the scene") > score("ss", "Focus on the selection"));
        assert!(score("reset", "Reset the panels") > score("reset", "Focus on the selection"));
    }
}
