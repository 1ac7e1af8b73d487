//! The menu bar, made of the commands.

use crate::results::quantities::grouped;
use crate::view::action::{Action, MENUS};
use crate::view::dock::Dock;
use crate::view::panels::{PanelContext, PanelKind};
use bevy_egui::egui::{self, RichText};

/// Draws the menu bar, with the scene's name and size at its end.
pub fn show(
    ui: &mut egui::Ui,
    context: &mut PanelContext<'_>,
    dock: &mut Dock,
    actions: &mut Vec<Action>,
) {
    egui::MenuBar::new().ui(ui, |ui| {
        for (name, groups) in MENUS {
            ui.menu_button(*name, |ui| {
                ui.set_min_width(220.0);
                for (i, group) in groups.iter().enumerate() {
                    if i > 0 {
                        ui.separator();
                    }
                    for action in *group {
                        entry(ui, *action, context, actions);
                    }
                }
                if *name == "View" {
                    ui.separator();
                    open_panels(ui, dock);
                }
            });
        }
        ui.with_layout(egui::Layout::right_to_left(egui::Align::Center), |ui| {
            let Some(structure) = &context.live.structure else {
                return;
            };
            let text = format!(
                "{} neurons   {} synapses",
                grouped(structure.neurons.into()),
                grouped(structure.synapses)
            );
            ui.label(RichText::new(text).color(context.theme.weak));
            ui.add_space(8.0);
            let title = match structure.scene.title.as_str() {
                "" => structure.source.as_str(),
                title => title,
            };
            ui.add(egui::Label::new(title).truncate())
                .on_hover_text(&structure.source);
        });
    });
}

fn entry(ui: &mut egui::Ui, action: Action, context: &PanelContext<'_>, actions: &mut Vec<Action>) {
    let mut button = egui::Button::new(action.label_now(context.live));
    if let Some(keys) = action.keys(ui.ctx()) {
        button = button.shortcut_text(keys);
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
}

/// Opens and closes panels.
fn open_panels(ui: &mut egui::Ui, dock: &mut Dock) {
    for kind in PanelKind::ALL {
        if !dock.has(kind) {
            continue;
        }
        let mut open = dock.is_open(kind);
        let keys = Action::ShowPanel(kind).keys(ui.ctx());
        ui.horizontal(|ui| {
            if ui.checkbox(&mut open, kind.title()).changed() {
                if open {
                    dock.front(kind);
                } else {
                    dock.close(kind);
                }
            }
            if let Some(text) = keys {
                ui.with_layout(egui::Layout::right_to_left(egui::Align::Center), |ui| {
                    ui.weak(text);
                });
            }
        });
    }
}
