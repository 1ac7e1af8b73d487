//! Scenes to open: those that ship, by topic, and files.

use super::{Panel, PanelContext};
use crate::scene::load::{SceneSource, load};
use crate::scene::shipped;
use crate::session::runner::Request;
use crate::simulation::Registry;
use crate::view::action::Action;
use crate::view::background::Background;
use crate::view::theme::Theme;
use bevy_egui::egui::collapsing_header::CollapsingState;
use bevy_egui::egui::{self, RichText};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The most names that are offered to complete a path.
const MOST_OFFERED: usize = 8;
/// The most entries of a folder that are read.
const MOST_LISTED: usize = 20_000;

/// What is known of a shipped scene.
struct Entry {
    title: String,
    source: String,
    outcome: String,
    /// Its parameters and their values.
    parameters: Vec<(String, f64)>,
    /// The values that the user typed, by parameter.
    settings: BTreeMap<String, String>,
}

/// What the background has found.
enum Found {
    /// A shipped scene, by its name, or why it cannot be read.
    Shipped(String, Result<Box<Entry>, String>),
    /// The scene files and folders of a folder.
    Listing(PathBuf, Vec<String>),
    /// A file that was asked for: its name, and its text or what is wrong with it.
    File(String, Result<SceneSource, String>),
}

/// Scenes to open.
#[derive(Default)]
pub struct Library {
    asked: bool,
    entries: BTreeMap<String, Result<Box<Entry>, String>>,
    filter: String,
    path: String,
    listing: Option<(PathBuf, Vec<String>)>,
    listed: Option<PathBuf>,
    error: Option<String>,
    background: Background<Found>,
}

impl Panel for Library {
    fn title(&self) -> &'static str {
        "Library"
    }

    fn help(&self) -> &'static str {
        "Every scene that ships with Neuropil, by topic. Click a title to read where the scene comes from, what a run should show, and \
         which parameters it has; change them if you like, then open it. A scene of your own is opened by the path of its file; names of \
         .ron files are offered while you type. With reload on change, saving the file in an editor starts the scene anew."
    }

    fn keys(&mut self, _: &egui::Context, context: &mut PanelContext<'_>) {
        // Files that were opened are taken in also while another panel is shown.
        self.take_answers(context);
    }

    fn show(&mut self, ui: &mut egui::Ui, context: &mut PanelContext<'_>) {
        if !self.asked {
            self.asked = true;
            let registry = context.registry.clone();
            for (name, _) in shipped::SCENES {
                let registry = registry.clone();
                self.background.start(move || read_shipped(name, &registry));
            }
        }
        if self.background.is_busy() {
            ui.ctx()
                .request_repaint_after(std::time::Duration::from_millis(100));
        }
        egui::ScrollArea::vertical()
            .auto_shrink(false)
            .show(ui, |ui| {
                self.files(ui, context);
                ui.add_space(8.0);
                ui.separator();
                ui.add_space(2.0);
                self.shipped(ui, context);
            });
    }
}

impl Library {
    fn take_answers(&mut self, context: &mut PanelContext<'_>) {
        while let Some(found) = self.background.take() {
            match found {
                Found::Shipped(name, entry) => {
                    self.entries.insert(name, entry);
                }
                Found::Listing(folder, names) => self.listing = Some((folder, names)),
                Found::File(name, Ok(source)) => {
                    context.preferences.opened(&name);
                    context.live.open(source, Vec::new());
                }
                Found::File(name, Err(error)) => {
                    context.preferences.recent.retain(|known| *known != name);
                    self.error = Some(error);
                }
            }
        }
    }

    /// Opening by path, recent files, reloading.
    fn files(&mut self, ui: &mut egui::Ui, context: &mut PanelContext<'_>) {
        heading(ui, context.theme, "File");
        ui.horizontal(|ui| {
            let wide = (ui.available_width() - 62.0).max(60.0);
            let edit = egui::TextEdit::singleline(&mut self.path)
                .id(path_field())
                .hint_text("Path of a .ron file")
                .desired_width(wide);
            let edit = ui.add(edit);
            let entered = edit.lost_focus() && ui.input(|i| i.key_pressed(egui::Key::Enter));
            let button = ui.add_enabled(!self.path.trim().is_empty(), egui::Button::new("Open"));
            if button.on_hover_text("Open this file").clicked() || entered {
                self.open_file(self.path.trim().to_owned(), context.registry);
            }
            if edit.has_focus() {
                self.list();
            }
        });
        self.offer(ui);
        if let Some(error) = &self.error {
            ui.add_space(2.0);
            ui.add(egui::Label::new(RichText::new(error).color(context.theme.error)).wrap());
        }
        let mut again = None;
        if !context.preferences.recent.is_empty() {
            ui.menu_button("Recent files", |ui| {
                for path in &context.preferences.recent {
                    let name = Path::new(path).file_name().map(|n| n.to_string_lossy());
                    let name = name.unwrap_or_else(|| path.as_str().into());
                    if ui.button(name).on_hover_text(path).clicked() {
                        again = Some(path.clone());
                        ui.close();
                    }
                }
            });
        }
        if let Some(path) = again {
            self.path.clone_from(&path);
            self.open_file(path, context.registry);
        }
        ui.horizontal(|ui| {
            let enabled = Action::Reload.enabled(context.live, context.selected);
            let button = ui.add_enabled(enabled, egui::Button::new("Reload"));
            if button
                .on_hover_text(Action::Reload.hint(ui.ctx()))
                .clicked()
            {
                context.live.send(Request::Reload);
            }
            ui.checkbox(&mut context.preferences.auto_reload, "Reload on change")
                .on_hover_text(
                    "Reads the scene again when its file has changed; looks once a second",
                );
        });
    }

    fn open_file(&mut self, path: String, registry: &Registry) {
        if path.is_empty() {
            return;
        }
        self.error = None;
        let registry = registry.clone();
        self.background.start(move || {
            let read = SceneSource::find(&path)
                .and_then(|source| load(source.clone(), &[], &registry).map(|_| source));
            Found::File(path, read.map_err(|error| error.to_string()))
        });
    }

    /// Asks for the scene files in the folder of the path as it is typed, if they are not known.
    fn list(&mut self) {
        let folder = folder_of(&self.path);
        if self.listed.as_ref() != Some(&folder) {
            self.listed = Some(folder.clone());
            self.background.start(move || {
                let names = scene_files(&folder);
                Found::Listing(folder, names)
            });
        }
    }

    /// Offers names that complete the path.
    fn offer(&mut self, ui: &mut egui::Ui) {
        let Some((folder, names)) = &self.listing else {
            return;
        };
        let typed = self.path.rsplit(['/', '\\']).next().unwrap_or_default();
        if *folder != folder_of(&self.path) || (typed.is_empty() && self.path.is_empty()) {
            return;
        }
        let fits = |name: &&String| name.starts_with(typed) && name.as_str() != typed;
        let mut chosen = None;
        for name in names.iter().filter(fits).take(MOST_OFFERED) {
            if ui
                .selectable_label(false, RichText::new(name).monospace())
                .clicked()
            {
                chosen = Some(name.clone());
            }
        }
        if let Some(name) = chosen {
            let kept = self.path.len() - typed.len();
            self.path.truncate(kept);
            self.path.push_str(&name);
            ui.memory_mut(|memory| memory.request_focus(path_field()));
        }
    }

    /// The scenes that ship.
    fn shipped(&mut self, ui: &mut egui::Ui, context: &mut PanelContext<'_>) {
        let filter = egui::TextEdit::singleline(&mut self.filter).hint_text("Find a scene");
        ui.add(filter.desired_width(f32::INFINITY));
        let words = self.filter.to_lowercase();
        let open_now = context.live.structure.as_ref().map(|s| s.source.clone());
        let mut none = true;
        for topic in shipped::TOPICS {
            let names = shipped::SCENES
                .iter()
                .map(|s| s.0)
                .filter(|n| shipped::topic(n) == *topic);
            let entries = &self.entries;
            let fits = |name: &&str| {
                let title = entries
                    .get(*name)
                    .and_then(|e| e.as_ref().ok())
                    .map(|e| &e.title);
                let text = format!("{name} {topic} {}", title.map_or("", String::as_str));
                let text = text.to_lowercase();
                words.split_whitespace().all(|word| text.contains(word))
            };
            let names: Vec<&str> = names.filter(fits).collect();
            if names.is_empty() {
                continue;
            }
            none = false;
            ui.add_space(8.0);
            heading(ui, context.theme, topic);
            for name in names {
                match self.entries.get_mut(name) {
                    Some(Ok(entry)) => {
                        let here = open_now.as_deref() == Some(name);
                        scene(ui, context, name, entry, here);
                    }
                    Some(Err(error)) => {
                        let text = RichText::new(error.as_str()).color(context.theme.error);
                        ui.add(egui::Label::new(text).wrap());
                    }
                    None => {
                        ui.weak(name);
                    }
                }
            }
        }
        if none {
            ui.add_space(8.0);
            ui.weak("No scene has these words");
        }
    }
}

/// The field where a path is typed, so that it can be given the focus.
pub fn path_field() -> egui::Id {
    egui::Id::new("library path")
}

fn heading(ui: &mut egui::Ui, theme: &Theme, text: &str) {
    ui.label(RichText::new(text).color(theme.weak).strong().small());
}

/// One scene that ships.
fn scene(
    ui: &mut egui::Ui,
    context: &mut PanelContext<'_>,
    name: &str,
    entry: &mut Entry,
    here: bool,
) {
    let title = RichText::new(&entry.title);
    let title = match here {
        true => title.strong().color(context.theme.accent),
        false => title,
    };
    let id = ui.make_persistent_id(name);
    let state = CollapsingState::load_with_default_open(ui.ctx(), id, false);
    let open = state.is_open();
    let mut clicked = false;
    let mut header = state.show_header(ui, |ui| {
        let label = egui::Label::new(title)
            .selectable(false)
            .sense(egui::Sense::click());
        let label = if open { label.wrap() } else { label.truncate() };
        let hint = format!("{}\n{}", entry.title, entry.outcome);
        clicked = ui.add(label).on_hover_text(hint).clicked();
    });
    if clicked {
        header.toggle();
    }
    header.body(|ui| {
        ui.add(egui::Label::new(RichText::new(&entry.outcome)).wrap())
            .on_hover_text("What a run is expected to show");
        let source = RichText::new(&entry.source)
            .small()
            .color(context.theme.weak);
        ui.add(egui::Label::new(source).wrap());
        if !entry.parameters.is_empty() {
            ui.collapsing("Parameters", |ui| {
                egui::Grid::new((name, "parameters"))
                    .num_columns(2)
                    .show(ui, |ui| {
                        for (parameter, value) in &entry.parameters {
                            ui.label(parameter);
                            let text = entry.settings.entry(parameter.clone()).or_default();
                            let hint = value.to_string();
                            ui.add(
                                egui::TextEdit::singleline(text)
                                    .hint_text(hint)
                                    .desired_width(80.0),
                            );
                            ui.end_row();
                        }
                    });
            });
        }
        ui.horizontal(|ui| {
            let label = if here { "Open anew" } else { "Open" };
            let button = egui::Button::new(label).fill(context.theme.selected);
            let hint = format!("Build this network; also `neuropil run {name}`");
            if ui.add(button).on_hover_text(hint).clicked()
                && let Some(text) = shipped::text(name)
            {
                let typed = |(name, value): (&String, &String)| {
                    let value = value.trim();
                    (!value.is_empty()).then(|| (name.clone(), value.to_owned()))
                };
                let settings = entry.settings.iter().filter_map(typed).collect();
                context
                    .live
                    .open(SceneSource::from_text(name, text), settings);
            }
            ui.label(
                RichText::new(name)
                    .monospace()
                    .small()
                    .color(context.theme.weak),
            );
        });
        ui.add_space(4.0);
    });
}

fn read_shipped(name: &str, registry: &Registry) -> Found {
    let text = shipped::text(name).unwrap_or_default();
    let loaded = load(SceneSource::from_text(name, text), &[], registry);
    let entry = loaded.map(|loaded| {
        Box::new(Entry {
            title: loaded.scene.title,
            source: loaded.scene.source,
            outcome: loaded.scene.outcome,
            parameters: loaded.parameters,
            settings: BTreeMap::new(),
        })
    });
    Found::Shipped(name.to_owned(), entry.map_err(|error| error.to_string()))
}

/// The folder that a path, typed so far, is in.
fn folder_of(path: &str) -> PathBuf {
    let end = path.rfind(['/', '\\']).map_or(0, |i| i + 1);
    PathBuf::from(if end == 0 { "." } else { &path[..end] })
}

/// The scene files and folders in a folder, sorted; folders end in a slash.
fn scene_files(folder: &Path) -> Vec<String> {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return Vec::new();
    };
    let mut names: Vec<String> = entries
        .take(MOST_LISTED)
        .flatten()
        .filter_map(|entry| {
            let name = entry.file_name().into_string().ok()?;
            let is_folder = entry.path().is_dir();
            let listed = !name.starts_with('.') && (is_folder || name.ends_with(".ron"));
            listed.then(|| if is_folder { name + "/" } else { name })
        })
        .collect();
    names.sort();
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_folder_of_a_path_ends_at_its_last_slash() {
        assert_eq!(folder_of("cu"), Path::new("."));
        assert_eq!(folder_of("scenes/cu"), Path::new("scenes/"));
        assert_eq!(folder_of("/cu"), Path::new("/"));
    }

    #[test]
    fn scene_files_are_listed_and_others_are_not() {
        let names = scene_files(Path::new(env!("CARGO_MANIFEST_DIR")));
        assert!(names.contains(&"scenes/".to_owned()), "{names:?}");
        assert!(
            names
                .iter()
                .all(|n| n.ends_with('/') || n.ends_with(".ron")),
            "{names:?}"
        );
        assert!(scene_files(Path::new("/no/such/folder")).is_empty());
    }
}
