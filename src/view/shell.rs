//! The app around the 3D view: menus, the transport, panels that can be docked, dialogs, notices.

use super::action::{Action, times};
use super::live::Live;
use super::panels::{Panel, PanelContext, Scene3dArea, transport};
use super::preferences::{ColourBy, Preferences};
use crate::session::command::SimCommand;
use crate::session::runner::Request;
use crate::sim::clock::Pacing;
use bevy::prelude::Resource;
use bevy_egui::egui;
use egui_tiles::{Behavior, Tile, TileId, Tiles, Tree, UiResponse};
use std::path::PathBuf;
use std::time::Instant;

/// How long a notice that is no error is shown, in seconds.
const SHOWN_S: f32 = 6.0;

/// A place in the dock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Pane {
    Scene3d,
    Panel(usize),
}

/// The app around the 3D view.
#[derive(Resource)]
pub struct Shell {
    tree: Tree<Pane>,
    panels: Vec<Box<dyn Panel>>,
    help_of: Option<usize>,
    palette: Option<(String, usize)>,
    shortcuts: bool,
    preferences: bool,
    tour: Option<usize>,
    notices_seen: usize,
    toasts: Vec<(Instant, crate::session::frame::Notice)>,
    pace: Pacing,
}

/// Where a panel is at first.
fn side_of(title: &str) -> usize {
    match title {
        "Library" | "Network" => 0,
        "Stimulate" | "Performance" | "Log" => 2,
        _ => 1,
    }
}

fn first_tree(panels: &[Box<dyn Panel>]) -> Tree<Pane> {
    let mut tiles = Tiles::default();
    let mut sides: [Vec<TileId>; 3] = Default::default();
    for (i, panel) in panels.iter().enumerate() {
        sides[side_of(panel.title())].push(tiles.insert_pane(Pane::Panel(i)));
    }
    let scene = tiles.insert_pane(Pane::Scene3d);
    let mut middle = egui_tiles::Linear::new(egui_tiles::LinearDir::Vertical, vec![scene]);
    middle.shares.set_share(scene, 2.0);
    let [left, bottom, right] = sides;
    if !bottom.is_empty() {
        let bottom = tiles.insert_tab_tile(bottom);
        middle.add_child(bottom);
        middle.shares.set_share(bottom, 1.1);
    }
    let middle = tiles.insert_container(middle);
    let mut root = egui_tiles::Linear::new(egui_tiles::LinearDir::Horizontal, Vec::new());
    for (tabs, share) in [(left, 1.0), (Vec::new(), 3.0), (right, 1.1)] {
        let tile = match (tabs.is_empty(), share) {
            (true, 3.0) => middle,
            (true, _) => continue,
            (false, _) => tiles.insert_tab_tile(tabs),
        };
        root.add_child(tile);
        root.shares.set_share(tile, share);
    }
    let root = tiles.insert_container(root);
    Tree::new("dock", root, tiles)
}

/// Draws the panes.
struct Dock<'d, 'c> {
    panels: &'d mut [Box<dyn Panel>],
    context: &'d mut PanelContext<'c>,
    area: &'d mut Scene3dArea,
    help_of: &'d mut Option<usize>,
}

impl Behavior<Pane> for Dock<'_, '_> {
    fn pane_ui(&mut self, ui: &mut egui::Ui, _: TileId, pane: &mut Pane) -> UiResponse {
        match *pane {
            Pane::Scene3d => {
                let rect = ui.available_rect_before_wrap();
                let response = ui.allocate_rect(rect, egui::Sense::click_and_drag());
                let over = response.contains_pointer() || response.dragged();
                *self.area = Scene3dArea {
                    rect: Some(rect),
                    hovered: over,
                };
            }
            Pane::Panel(index) => {
                let fill = ui.visuals().panel_fill;
                egui::Frame::new()
                    .fill(fill)
                    .inner_margin(8.0)
                    .show(ui, |ui| {
                        ui.set_min_size(ui.available_size());
                        if let Some(panel) = self.panels.get_mut(index) {
                            panel.show(ui, self.context);
                        }
                    });
            }
        }
        UiResponse::None
    }

    fn tab_title_for_pane(&mut self, pane: &Pane) -> egui::WidgetText {
        match *pane {
            Pane::Scene3d => "Network in 3D".into(),
            Pane::Panel(index) => self.panels.get(index).map_or("", |p| p.title()).into(),
        }
    }

    fn is_tab_closable(&self, tiles: &Tiles<Pane>, tile: TileId) -> bool {
        matches!(tiles.get(tile), Some(Tile::Pane(Pane::Panel(_))))
    }

    fn on_tab_close(&mut self, tiles: &mut Tiles<Pane>, tile: TileId) -> bool {
        // Closed panels stay in the dock, out of sight, and come back where they were.
        tiles.set_visible(tile, false);
        false
    }

    fn top_bar_right_ui(
        &mut self,
        tiles: &Tiles<Pane>,
        ui: &mut egui::Ui,
        _: TileId,
        tabs: &egui_tiles::Tabs,
        _: &mut f32,
    ) {
        let pane = tabs.active.and_then(|tile| tiles.get_pane(&tile));
        if let Some(&Pane::Panel(index)) = pane
            && ui
                .small_button("?")
                .on_hover_text("What this panel is for")
                .clicked()
        {
            *self.help_of = if *self.help_of == Some(index) {
                None
            } else {
                Some(index)
            };
        }
    }

    fn simplification_options(&self) -> egui_tiles::SimplificationOptions {
        egui_tiles::SimplificationOptions {
            all_panes_must_have_tabs: false,
            ..Default::default()
        }
    }
}

const TOUR: [(&str, &str); 5] = [
    (
        "Look around",
        "The network runs in the middle. Drag to turn it, scroll to come closer. Click a neuron to select it: its synapses appear.",
    ),
    (
        "Watch a membrane",
        "Open the tab “Traces” at the bottom. It draws the membrane potential of the selected neuron while it runs.",
    ),
    (
        "Change a parameter",
        "Choose a region under “Network” on the left and drag a number. It acts at the next step.",
    ),
    (
        "Lesion",
        "Still under “Network”, silence a part of a region with “Lesion”. Undo brings it back.",
    ),
    (
        "Go back in time",
        "Drag the time slider above to the left: the network is again what it was, to the last bit. Then open another scene in the “Library”.",
    ),
];

impl Shell {
    /// The shell with these panels.
    pub fn new(panels: Vec<Box<dyn Panel>>, preferences: &Preferences) -> Self {
        Self {
            tree: first_tree(&panels),
            panels,
            help_of: None,
            palette: None,
            shortcuts: false,
            preferences: false,
            tour: (!preferences.tour_seen).then_some(0),
            notices_seen: 0,
            toasts: Vec::new(),
            pace: Pacing::RealTime(preferences.speed),
        }
    }

    /// Brings the panel of this title to the front.
    pub fn show_panel(&mut self, title: &str) {
        let Some(index) = self.panels.iter().position(|p| p.title() == title) else {
            return;
        };
        if let Some(tile) = self.tree.tiles.find_pane(&Pane::Panel(index)) {
            self.tree.tiles.set_visible(tile, true);
            self.tree.make_active(|id, _| id == tile);
        }
    }

    /// Draws everything and does what it can of what the user asks for; the rest is returned.
    pub fn show(
        &mut self,
        root: &mut egui::Ui,
        context: &mut PanelContext<'_>,
        area: &mut Scene3dArea,
    ) -> Vec<Action> {
        let ctx = root.ctx().clone();
        let mut actions = self.keys(&ctx, context);
        egui::Panel::top("menus").show(root, |ui| self.menus(ui, context, &mut actions));
        egui::Panel::top("transport").show(root, |ui| {
            transport::bar(ui, context, &mut actions);
        });
        *area = Scene3dArea::default();
        egui::CentralPanel::default()
            .frame(egui::Frame::NONE)
            .show(root, |ui| {
                let mut dock = Dock {
                    panels: &mut self.panels,
                    context,
                    area,
                    help_of: &mut self.help_of,
                };
                self.tree.ui(&mut dock, ui);
            });
        self.dialogs(&ctx, context, &mut actions);
        self.show_toasts(&ctx, context);
        actions.retain(|action| !self.act(*action, &ctx, context));
        actions
    }

    fn keys(&mut self, ctx: &egui::Context, context: &PanelContext<'_>) -> Vec<Action> {
        let mut actions = Vec::new();
        if ctx.text_edit_focused() {
            return actions;
        }
        for action in Action::ALL {
            if let Some(shortcut) = action.shortcut()
                && action.enabled(context.live, context.selected)
                && ctx.input_mut(|i| i.consume_shortcut(&shortcut))
            {
                actions.push(action);
            }
        }
        actions
    }

    fn menus(
        &mut self,
        ui: &mut egui::Ui,
        context: &mut PanelContext<'_>,
        actions: &mut Vec<Action>,
    ) {
        let entry = |ui: &mut egui::Ui, action: Action, actions: &mut Vec<Action>| {
            let mut button = egui::Button::new(action.label());
            if let Some(shortcut) = action.shortcut() {
                button = button.shortcut_text(ui.ctx().format_shortcut(&shortcut));
            }
            let enabled = action.enabled(context.live, context.selected);
            if ui
                .add_enabled(enabled, button)
                .on_hover_text(action.tooltip())
                .clicked()
            {
                actions.push(action);
                ui.close();
            }
        };
        egui::MenuBar::new().ui(ui, |ui| {
            let menus: [(&str, &[Action]); 4] = [
                (
                    "File",
                    &[
                        Action::Reload,
                        Action::SaveScene,
                        Action::SaveLog,
                        Action::CopyCommandLine,
                        Action::Preferences,
                        Action::Quit,
                    ],
                ),
                (
                    "Edit",
                    &[Action::Undo, Action::Redo, Action::ClearSelection],
                ),
                (
                    "Run",
                    &[
                        Action::PlayPause,
                        Action::Step,
                        Action::NextSpike,
                        Action::Reset,
                        Action::Slower,
                        Action::Faster,
                    ],
                ),
                ("Help", &[Action::Tour, Action::Shortcuts, Action::Palette]),
            ];
            for (name, list) in menus {
                ui.menu_button(name, |ui| {
                    for action in list {
                        entry(ui, *action, actions);
                    }
                });
            }
            ui.menu_button("View", |ui| {
                for action in [
                    Action::FocusAll,
                    Action::FocusSelection,
                    Action::ToggleTheme,
                    Action::LargerText,
                    Action::SmallerText,
                    Action::ResetLayout,
                ] {
                    entry(ui, action, actions);
                }
                ui.separator();
                for index in 0..self.panels.len() {
                    let Some(tile) = self.tree.tiles.find_pane(&Pane::Panel(index)) else {
                        continue;
                    };
                    let mut visible = self.tree.tiles.is_visible(tile);
                    if ui
                        .checkbox(&mut visible, self.panels[index].title())
                        .changed()
                    {
                        self.tree.tiles.set_visible(tile, visible);
                        if visible {
                            self.tree.make_active(|id, _| id == tile);
                        }
                    }
                }
            });
            ui.with_layout(egui::Layout::right_to_left(egui::Align::Center), |ui| {
                if let Some(structure) = &context.live.structure {
                    let text = format!(
                        "{}   {} neurons   {} synapses",
                        structure.scene.title,
                        grouped(structure.neurons.into()),
                        grouped(structure.synapses)
                    );
                    ui.add(egui::Label::new(text).truncate());
                }
            });
        });
    }

    fn dialogs(
        &mut self,
        ctx: &egui::Context,
        context: &mut PanelContext<'_>,
        actions: &mut Vec<Action>,
    ) {
        if let Some(index) = self.help_of {
            let mut open = true;
            let panel = &self.panels[index];
            egui::Window::new(panel.title())
                .open(&mut open)
                .default_width(320.0)
                .show(ctx, |ui| {
                    ui.label(panel.help());
                });
            if !open {
                self.help_of = None;
            }
        }
        egui::Window::new("Keyboard shortcuts")
            .open(&mut self.shortcuts)
            .show(ctx, |ui| {
                egui::Grid::new("keys").striped(true).show(ui, |ui| {
                    for action in Action::ALL {
                        if let Some(shortcut) = action.shortcut() {
                            ui.monospace(ctx.format_shortcut(&shortcut));
                            ui.label(action.label());
                            ui.end_row();
                        }
                    }
                    for (keys, what) in [
                        ("drag", "Turn the network"),
                        ("Shift+drag", "Shift it"),
                        ("scroll", "Come closer"),
                        ("Ctrl+drag", "Select neurons in a box"),
                        ("Shift+click", "Add to the selection"),
                    ] {
                        ui.monospace(keys);
                        ui.label(what);
                        ui.end_row();
                    }
                });
            });
        egui::Window::new("Preferences")
            .open(&mut self.preferences)
            .show(ctx, |ui| {
                preferences_ui(ui, context);
            });
        if let Some(step) = self.tour {
            let (title, text) = TOUR[step.min(TOUR.len() - 1)];
            let mut next = Some(step);
            egui::Window::new(format!("{} of {}   {title}", step + 1, TOUR.len()))
                .collapsible(false)
                .resizable(false)
                .default_width(340.0)
                .anchor(egui::Align2::CENTER_TOP, [0.0, 90.0])
                .show(ctx, |ui| {
                    ui.label(text);
                    ui.add_space(6.0);
                    ui.horizontal(|ui| {
                        let last = step + 1 == TOUR.len();
                        if ui.button(if last { "Done" } else { "Next" }).clicked() {
                            next = if last { None } else { Some(step + 1) };
                        }
                        if !last && ui.button("Skip the tour").clicked() {
                            next = None;
                        }
                    });
                });
            self.tour = next;
            context.preferences.tour_seen |= next.is_none();
        }
        self.palette_ui(ctx, context, actions);
    }

    fn palette_ui(
        &mut self,
        ctx: &egui::Context,
        context: &PanelContext<'_>,
        actions: &mut Vec<Action>,
    ) {
        let Some((text, place)) = &mut self.palette else {
            return;
        };
        let matching = |words: &str| {
            let words = words.to_lowercase();
            text.to_lowercase()
                .split_whitespace()
                .all(|part| words.contains(part))
        };
        let found: Vec<Action> = (Action::ALL.into_iter())
            .filter(|a| a.enabled(context.live, context.selected) && matching(a.label()))
            .collect();
        let (mut chosen, mut close) = (None, ctx.input(|i| i.key_pressed(egui::Key::Escape)));
        *place = (*place).min(found.len().saturating_sub(1));
        if ctx.input(|i| i.key_pressed(egui::Key::ArrowDown)) {
            *place = (*place + 1).min(found.len().saturating_sub(1));
        }
        if ctx.input(|i| i.key_pressed(egui::Key::ArrowUp)) {
            *place = place.saturating_sub(1);
        }
        if ctx.input(|i| i.key_pressed(egui::Key::Enter)) {
            chosen = found.get(*place).copied();
            close = true;
        }
        egui::Window::new("Commands")
            .title_bar(false)
            .resizable(false)
            .anchor(egui::Align2::CENTER_TOP, [0.0, 80.0])
            .show(ctx, |ui| {
                let edit = egui::TextEdit::singleline(text)
                    .hint_text("Find a command")
                    .desired_width(360.0);
                ui.add(edit).request_focus();
                for (i, action) in found.iter().enumerate().take(12) {
                    let label = ui.selectable_label(i == *place, action.label());
                    if label.on_hover_text(action.tooltip()).clicked() {
                        chosen = Some(*action);
                        close = true;
                    }
                }
            });
        actions.extend(chosen);
        if close {
            self.palette = None;
        }
    }

    fn show_toasts(&mut self, ctx: &egui::Context, context: &mut PanelContext<'_>) {
        let notices = &context.live.notices;
        for notice in notices.iter().skip(self.notices_seen) {
            self.toasts.push((Instant::now(), notice.clone()));
        }
        self.notices_seen = notices.len();
        self.toasts
            .retain(|(at, n)| n.error || at.elapsed().as_secs_f32() < SHOWN_S);
        let mut gone = None;
        egui::Area::new("toasts".into())
            .anchor(egui::Align2::RIGHT_BOTTOM, [-16.0, -16.0])
            .order(egui::Order::Foreground)
            .show(ctx, |ui| {
                for (i, (_, notice)) in self.toasts.iter().enumerate() {
                    let colour = match notice.error {
                        true => context.theme.error,
                        false => ui.visuals().text_color(),
                    };
                    egui::Frame::popup(ui.style()).show(ui, |ui| {
                        ui.set_max_width(420.0);
                        ui.horizontal_top(|ui| {
                            if ui.small_button("×").clicked() {
                                gone = Some(i);
                            }
                            let text = egui::RichText::new(&notice.text).color(colour);
                            ui.add(egui::Label::new(text).wrap());
                        });
                    });
                }
            });
        if let Some(gone) = gone {
            self.toasts.remove(gone);
        }
    }

    /// Does what a command asks for; false if that is for somebody else.
    fn act(&mut self, action: Action, ctx: &egui::Context, context: &mut PanelContext<'_>) -> bool {
        let live = &mut *context.live;
        match action {
            Action::PlayPause => {
                let next = match live.progress.pacing {
                    Pacing::Paused | Pacing::Steps(_) => self.pace,
                    running => {
                        self.pace = running;
                        Pacing::Paused
                    }
                };
                live.send(Request::Pace(next));
            }
            Action::Step => live.send(Request::Steps(1)),
            Action::NextSpike => {
                live.send(Request::NextSpike(
                    context.selected.region.iter().cloned().collect(),
                ));
            }
            Action::Reset => live.send(Request::Reset),
            Action::Slower | Action::Faster => {
                let factor = if action == Action::Faster { 2.0 } else { 0.5 };
                let paused = matches!(live.progress.pacing, Pacing::Paused | Pacing::Steps(_));
                self.pace = times(
                    if paused {
                        self.pace
                    } else {
                        live.progress.pacing
                    },
                    factor,
                );
                if !paused {
                    live.send(Request::Pace(self.pace));
                }
            }
            Action::Undo => live.edit(SimCommand::Undo),
            Action::Redo => live.edit(SimCommand::Redo),
            Action::Reload => live.send(Request::Reload),
            Action::SaveScene => {
                live.send(Request::SaveScene(PathBuf::from(file_name(
                    live,
                    "edited.ron",
                ))));
            }
            Action::SaveLog => {
                live.send(Request::SaveLog(PathBuf::from(file_name(
                    live,
                    "commands.ron",
                ))));
            }
            Action::CopyCommandLine => {
                let line = command_line(live);
                live.notices.push(crate::session::frame::Notice {
                    error: false,
                    text: match live.acted {
                        0 => format!("copied: {line}"),
                        n => format!("copied, without the {n} edits made here: {line}"),
                    },
                });
                ctx.copy_text(line);
            }
            Action::ClearSelection => context.selected.neurons.clear(),
            Action::ToggleTheme => context.preferences.dark ^= true,
            Action::LargerText | Action::SmallerText => {
                let more = if action == Action::LargerText {
                    1.0
                } else {
                    -1.0
                };
                let size = &mut context.preferences.font_size;
                *size = (*size + more).clamp(9.0, 24.0);
            }
            Action::Palette => self.palette = Some((String::new(), 0)),
            Action::Shortcuts => self.shortcuts = true,
            Action::Tour => self.tour = Some(0),
            Action::Preferences => self.preferences = true,
            Action::ResetLayout => self.tree = first_tree(&self.panels),
            Action::FocusAll | Action::FocusSelection | Action::Quit => return false,
        }
        true
    }
}

/// A name beside the scene's own for a file in the current folder.
fn file_name(live: &Live, ending: &str) -> String {
    let source = live
        .structure
        .as_ref()
        .map_or("scene", |s| s.source.as_str());
    let stem = std::path::Path::new(source)
        .file_stem()
        .map(|s| s.to_string_lossy().into_owned());
    format!("{}.{ending}", stem.unwrap_or_else(|| "scene".into()))
}

/// The command that runs the scene as it was opened, up to now, without a window.
fn command_line(live: &Live) -> String {
    let source = live
        .structure
        .as_ref()
        .map_or("scene", |s| s.source.as_str());
    let quote = |text: &str| match text.contains(|c: char| c.is_whitespace()) {
        true => format!("'{text}'"),
        false => text.to_owned(),
    };
    let mut line = format!("neuropil run {} --for {}ms", quote(source), live.time_ms());
    for (name, value) in live.structure.iter().flat_map(|s| &s.settings) {
        line += &format!(" --set {}", quote(&format!("{name}={value}")));
    }
    if let Some(structure) = &live.structure {
        line += &format!(" --seed {}", structure.scene.seed);
    }
    line
}

fn preferences_ui(ui: &mut egui::Ui, context: &mut PanelContext<'_>) {
    let preferences = &mut *context.preferences;
    egui::Grid::new("preferences")
        .num_columns(2)
        .spacing([16.0, 8.0])
        .show(ui, |ui| {
            ui.label("Theme");
            ui.horizontal(|ui| {
                ui.selectable_value(&mut preferences.dark, true, "Dark");
                ui.selectable_value(&mut preferences.dark, false, "Light");
            });
            ui.end_row();
            ui.label("Text size");
            ui.add(
                egui::Slider::new(&mut preferences.font_size, 9.0..=24.0)
                    .step_by(1.0)
                    .suffix(" pt"),
            );
            ui.end_row();
            let scene = &mut preferences.scene3d;
            ui.label("Colour by");
            let columns: Vec<&str> = match &context.live.structure {
                Some(structure) => {
                    let all = structure
                        .regions
                        .iter()
                        .flat_map(|r| r.columns.iter().map(|c| c.0));
                    let mut all: Vec<_> = all.collect();
                    all.sort_unstable();
                    all.dedup();
                    all
                }
                None => Vec::new(),
            };
            let shown = match &scene.colour_by {
                ColourBy::Region => "Region".to_owned(),
                ColourBy::Model => "Model".to_owned(),
                ColourBy::Column(name) => name.clone(),
            };
            egui::ComboBox::from_id_salt("colour")
                .selected_text(shown)
                .show_ui(ui, |ui| {
                    ui.selectable_value(&mut scene.colour_by, ColourBy::Region, "Region");
                    ui.selectable_value(&mut scene.colour_by, ColourBy::Model, "Model");
                    for name in columns {
                        let column = ColourBy::Column(name.to_owned());
                        ui.selectable_value(&mut scene.colour_by, column, name);
                    }
                });
            ui.end_row();
            ui.label("Flash");
            let flash = egui::Slider::new(&mut scene.flash_ms, 0.5..=200.0).logarithmic(true);
            ui.add(flash.suffix(" ms"))
                .on_hover_text("Simulated time in which a flash falls to 1/e");
            ui.end_row();
            ui.label("Neuron size");
            ui.add(egui::Slider::new(&mut scene.neuron_size, 0.2..=4.0).logarithmic(true));
            ui.end_row();
            ui.label("Show");
            ui.vertical(|ui| {
                ui.checkbox(&mut scene.bundles, "Projections");
                ui.checkbox(&mut scene.synapses, "Synapses of the selected neuron");
                ui.checkbox(&mut scene.labels, "Names of regions");
                ui.checkbox(&mut scene.hide_idle, "Only neurons that spiked lately");
            });
            ui.end_row();
        });
}

/// A number with thin gaps between groups of three digits.
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push('\u{2009}');
        }
        text.push(digit);
    }
    text
}
