//! Scenes to open: those that ship with the program, files, and what was open lately.

use super::{Panel, PanelContext};
use crate::scene::load::{SceneSource, load};
use crate::scene::shipped::SCENES;
use crate::session::runner::Request;
use bevy_egui::egui;
use std::time::{Duration, Instant, SystemTime};

/// How often an open file is looked at.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// What a shipped scene says of itself.
struct Entry {
    name: &'static str,
    title: String,
    source: String,
    outcome: String,
}

/// The library.
#[derive(Default)]
pub struct LibraryPanel {
    entries: Vec<Entry>,
    path: String,
    looked: Option<(Instant, String, Option<SystemTime>)>,
}

impl Panel for LibraryPanel {
    fn title(&self) -> &'static str {
        "Library"
    }

    fn help(&self) -> &'static str {
        "Every scene that ships with the program, with its source and what a run is expected to show. Click one to open it; the network that \
         runs is replaced once the new one is built, and stays if the new one is wrong. A scene of your own opens by its path."
    }

    fn show(&mut self, ui: &mut egui::Ui, context: &mut PanelContext<'_>) {
        if self.entries.is_empty() {
            self.entries = SCENES
                .iter()
                .map(|(name, text)| entry(name, text, context))
                .collect();
        }
        ui.horizontal(|ui| {
            let width = (ui.available_width() - 60.0).max(60.0);
            let edit = egui::TextEdit::singleline(&mut self.path)
                .hint_text("Path of a scene file")
                .desired_width(width);
            let entered =
                ui.add(edit).lost_focus() && ui.input(|i| i.key_pressed(egui::Key::Enter));
            let clicked = ui
                .add_enabled(!self.path.is_empty(), egui::Button::new("Open"))
                .clicked();
            if (clicked || entered) && !self.path.trim().is_empty() {
                open(self.path.trim(), context);
            }
        });
        self.reload(ui, context);
        ui.separator();
        let current = context.live.structure.as_ref().map(|s| s.source.clone());
        egui::ScrollArea::vertical()
            .auto_shrink([false, false])
            .show(ui, |ui| {
                let mut opened = None;
                if !context.preferences.recent.is_empty() {
                    egui::CollapsingHeader::new("Recent files")
                        .default_open(true)
                        .show(ui, |ui| {
                            for path in &context.preferences.recent {
                                let open = current.as_ref() == Some(path);
                                if ui.selectable_label(open, path).clicked() {
                                    opened = Some(path.clone());
                                }
                            }
                        });
                }
                for entry in &self.entries {
                    let open = current.as_deref() == Some(entry.name);
                    let title = egui::RichText::new(&entry.title).strong();
                    let response = ui
                        .selectable_label(open, title)
                        .on_hover_text(&entry.outcome);
                    let small = |text: &str| egui::RichText::new(text).small().weak();
                    ui.add(egui::Label::new(small(entry.name)));
                    if open {
                        ui.label(small(&entry.source));
                        ui.label(&entry.outcome);
                    }
                    ui.add_space(4.0);
                    if response.clicked() {
                        opened = Some(entry.name.to_owned());
                    }
                }
                if let Some(name) = opened {
                    self::open(&name, context);
                }
            });
    }
}

impl LibraryPanel {
    /// Reload by hand, or by itself when the file changes.
    fn reload(&mut self, ui: &mut egui::Ui, context: &mut PanelContext<'_>) {
        let Some(path) = context.live.structure.as_ref().map(|s| s.source.clone()) else {
            return;
        };
        if SCENES.iter().any(|(name, _)| *name == path) {
            return;
        }
        ui.horizontal(|ui| {
            if ui
                .button("Reload")
                .on_hover_text("Reads the file again")
                .clicked()
            {
                context.live.send(Request::Reload);
            }
            ui.checkbox(&mut context.preferences.auto_reload, "when it changes");
        });
        let due = self
            .looked
            .as_ref()
            .is_none_or(|(at, ..)| at.elapsed() > LOOK_EVERY);
        if !due {
            return;
        }
        let changed = std::fs::metadata(&path).and_then(|m| m.modified()).ok();
        if let Some((_, known, before)) = &self.looked
            && *known == path
            && *before != changed
            && changed.is_some()
            && context.preferences.auto_reload
        {
            context.live.send(Request::Reload);
        }
        self.looked = Some((Instant::now(), path, changed));
    }
}

fn entry(name: &'static str, text: &str, context: &PanelContext<'_>) -> Entry {
    match load(SceneSource::from_text(name, text), &[], context.registry) {
        Ok(loaded) => Entry {
            name,
            title: loaded.scene.title,
            source: loaded.scene.source,
            outcome: loaded.scene.outcome,
        },
        Err(error) => Entry {
            name,
            title: name.into(),
            source: String::new(),
            outcome: error.to_string(),
        },
    }
}

/// Opens a scene by name or path; an error becomes a notice.
fn open(name: &str, context: &mut PanelContext<'_>) {
    match SceneSource::find(name) {
        Ok(source) => {
            if !SCENES.iter().any(|(known, _)| *known == name) {
                let recent = &mut context.preferences.recent;
                recent.retain(|r| r != name);
                recent.insert(0, name.to_owned());
                recent.truncate(8);
            }
            context.selected.neurons.clear();
            context.selected.region = None;
            context.selected.projection = None;
            context.live.send(Request::Open {
                source,
                settings: Vec::new(),
                seed: None,
                play: true,
            });
        }
        Err(error) => context.live.tell(true, error.to_string()),
    }
}
