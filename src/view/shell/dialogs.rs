//! Preferences, keyboard shortcuts, about.

use crate::view::action::Action;
use crate::view::dock::Dock;
use crate::view::panels::PanelContext;
use crate::view::preferences::Preferences;
use crate::view::theme::{ColourMap, Palette};
use bevy_egui::egui::{self, Key, Modifiers, RichText};

/// What the mouse does in the 3D view.
const MOUSE: [(&str, &str); 5] = [
    ("Drag", "Turn the network"),
    ("Shift+Drag", "Shift the network"),
    ("Scroll", "Come closer or go away"),
    ("Click", "Select a neuron"),
    ("Shift+Click", "Add to the selection or take away"),
];

/// Which dialogs are open.
#[derive(Default)]
pub struct Dialogs {
    /// The preferences.
    pub preferences: bool,
    /// The list of keys.
    pub shortcuts: bool,
    /// About the program.
    pub about: bool,
}

impl Dialogs {
    /// Escape closes what is open; whether it did.
    pub fn keys(&mut self, ctx: &egui::Context) -> bool {
        let open = self.preferences || self.shortcuts || self.about;
        let closes = open && ctx.input_mut(|input| input.consume_key(Modifiers::NONE, Key::Escape));
        if closes {
            *self = Self::default();
        }
        closes
    }

    /// Draws those that are open.
    pub fn show(&mut self, ctx: &egui::Context, context: &mut PanelContext<'_>, dock: &Dock) {
        let window = |title: &'static str| {
            egui::Window::new(title)
                .collapsible(false)
                .resizable(false)
                .pivot(egui::Align2::CENTER_CENTER)
                .default_pos(ctx.content_rect().center())
        };
        window("Preferences")
            .open(&mut self.preferences)
            .show(ctx, |ui| preferences(ui, context));
        window("Keyboard shortcuts")
            .open(&mut self.shortcuts)
            .show(ctx, |ui| {
                shortcuts(ui, context, dock);
            });
        window("About Neuropil")
            .open(&mut self.about)
            .show(ctx, |ui| {
                ui.set_width(320.0);
                ui.label(RichText::new("Neuropil").heading());
                ui.label(format!("Version {}", env!("CARGO_PKG_VERSION")));
                ui.add_space(6.0);
                ui.label(env!("CARGO_PKG_DESCRIPTION"));
                ui.add_space(6.0);
                ui.label("The same scene gives the same spikes on every machine.");
                ui.add_space(6.0);
                ui.weak(concat!("Licence ", env!("CARGO_PKG_LICENSE")));
            });
    }
}

fn shortcuts(ui: &mut egui::Ui, context: &PanelContext<'_>, dock: &Dock) {
    let ctx = ui.ctx().clone();
    let there = |action: &Action| match action {
        Action::ShowPanel(kind) => dock.has(*kind),
        _ => true,
    };
    let keyed = |action: Action| Some((action.keys(&ctx)?, action.label()));
    let keys = Action::all().filter(there).filter_map(keyed);
    let mouse = MOUSE
        .into_iter()
        .map(|(keys, what)| (keys.to_owned(), what));
    let theme = context.theme;
    let all: Vec<(String, &str)> = keys.chain(mouse).collect();
    let (left, right) = all.split_at(all.len().div_ceil(2));
    ui.style_mut().wrap_mode = Some(egui::TextWrapMode::Extend);
    ui.horizontal_top(|ui| {
        for (name, half) in [("keys left", left), ("keys right", right)] {
            let grid = egui::Grid::new(name).num_columns(2).spacing([18.0, 4.0]);
            grid.show(ui, |ui| {
                for (keys, what) in half {
                    ui.label(RichText::new(keys).monospace().color(theme.accent));
                    ui.label(*what);
                    ui.end_row();
                }
            });
            ui.add_space(16.0);
        }
    });
}

fn preferences(ui: &mut egui::Ui, context: &mut PanelContext<'_>) {
    let preferences = &mut *context.preferences;
    let grid = |name: &'static str| {
        egui::Grid::new(name)
            .num_columns(2)
            .min_col_width(110.0)
            .spacing([20.0, 8.0])
    };
    ui.set_width(400.0);
    section(ui, "Look");
    grid("look").show(ui, |ui| {
        ui.label("Theme");
        ui.horizontal(|ui| {
            ui.selectable_value(&mut preferences.dark, true, "Dark");
            ui.selectable_value(&mut preferences.dark, false, "Light");
        });
        ui.end_row();
        ui.label("Text size");
        let size = egui::DragValue::new(&mut preferences.font_size)
            .range(9.0..=24.0)
            .speed(0.05);
        ui.add(size.max_decimals(0).suffix(" pt"))
            .on_hover_text("From 9 to 24 points");
        ui.end_row();
        ui.label("Colours of regions");
        chosen(
            ui,
            "palette",
            &mut preferences.palette,
            Palette::ALL,
            Palette::label,
        );
        ui.end_row();
        ui.label("Colours of values");
        chosen(
            ui,
            "map",
            &mut preferences.colour_map,
            ColourMap::ALL,
            ColourMap::label,
        );
        ui.end_row();
    });
    section(ui, "Network");
    grid("network").show(ui, |ui| {
        ui.label("Memory to go back");
        let memory = egui::Slider::new(&mut preferences.rewind_mib, 16..=16_384).logarithmic(true);
        ui.add(memory.suffix(" MiB")).on_hover_text(
            "How much memory kept states may take, from 16 MiB to 16 GiB. With more, going back takes less time",
        );
        ui.end_row();
        ui.label("Scene file");
        ui.checkbox(&mut preferences.auto_reload, "Reload on change");
        ui.end_row();
    });
    ui.add_space(8.0);
    let all = ui.button("Reset all preferences");
    if all
        .on_hover_text("Everything as at first, except for panels, recent files and the tour")
        .clicked()
    {
        *preferences = Preferences {
            layout: core::mem::take(&mut preferences.layout),
            recent: core::mem::take(&mut preferences.recent),
            tour_seen: preferences.tour_seen,
            ..Preferences::default()
        };
    }
}

fn section(ui: &mut egui::Ui, title: &str) {
    ui.add_space(10.0);
    ui.strong(title);
    ui.separator();
    ui.add_space(2.0);
}

fn chosen<T: Copy + PartialEq>(
    ui: &mut egui::Ui,
    name: &str,
    value: &mut T,
    all: impl IntoIterator<Item = T>,
    label: impl Fn(T) -> &'static str,
) {
    egui::ComboBox::from_id_salt(name)
        .selected_text(label(*value))
        .show_ui(ui, |ui| {
            for one in all {
                ui.selectable_value(value, one, label(one));
            }
        });
}
