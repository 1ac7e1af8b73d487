//! How the 3D view looks: colours, flashes, what is shown, saved places of the camera.

use super::{Panel, PanelContext, row};
use crate::view::action::Action;
use crate::view::plot::nothing;
use crate::view::preferences::{ColourBy, MOST_VIEWS, Preferences};
use crate::view::scene3d::camera::{CameraRequest, SavedView};
use bevy_egui::egui::{self, Grid, RichText, ScrollArea, TextEdit, Ui};

/// The view panel.
#[derive(Default)]
pub struct ViewPanel {
    /// The name of the next view that is saved.
    name: String,
}

impl Panel for ViewPanel {
    fn title(&self) -> &'static str {
        "View"
    }

    fn help(&self) -> &'static str {
        "What the 3D view shows and how. Neurons have the colour of their region, of their model, or of the value of a state column. Regions \
         can be hidden. A saved view brings the camera back to where it was; views are kept for each scene."
    }

    fn show(&mut self, ui: &mut Ui, context: &mut PanelContext<'_>) {
        if context.live.structure.is_none() {
            return nothing(ui, "No scene is open");
        }
        let columns = columns(context);
        ScrollArea::vertical().auto_shrink(false).show(ui, |ui| {
            Grid::new("look")
                .num_columns(2)
                .spacing([12.0, 8.0])
                .show(ui, |ui| look(ui, context.preferences, &columns));
            ui.add_space(8.0);
            regions(ui, context);
            ui.add_space(8.0);
            self.views(ui, context);
        });
    }
}

impl ViewPanel {
    fn views(&mut self, ui: &mut Ui, context: &mut PanelContext<'_>) {
        let Some(scene) = context.live.structure.as_ref().map(|s| s.source.clone()) else {
            return;
        };
        heading(ui, context, "Camera");
        row(ui, |ui| {
            for (action, text) in [
                (Action::FocusAll, "Whole network"),
                (Action::FocusSelection, "Selection"),
            ] {
                let enabled = action.enabled(context.live, context.selected);
                let button = ui.add_enabled(enabled, egui::Button::new(text));
                if button.on_hover_text(action.hint(ui.ctx())).clicked() {
                    context.asks.push(action);
                }
            }
        });
        let (mut gone, mut number) = (None, 0);
        for (i, view) in context.preferences.views.iter().enumerate() {
            if view.scene != scene {
                continue;
            }
            number += 1;
            ui.horizontal(|ui| {
                let remove = egui::Button::new("×").small();
                if ui.add(remove).on_hover_text("Forget this view").clicked() {
                    gone = Some(i);
                }
                let go = ui.add(egui::Button::new(&view.name).truncate());
                if go.on_hover_text("Move the camera there").clicked() {
                    *context.camera = Some(CameraRequest::Go(view.pose()));
                }
            });
        }
        if let Some(gone) = gone {
            context.preferences.views.remove(gone);
        }
        ui.horizontal(|ui| {
            let usual = format!("View {}", number + 1);
            let wide = (ui.available_width() - 64.0).max(40.0);
            let edit = TextEdit::singleline(&mut self.name)
                .hint_text(&usual)
                .desired_width(wide)
                .char_limit(60);
            let edit = ui.add(edit).on_hover_text("The name of the view");
            let entered = edit.lost_focus() && ui.input(|i| i.key_pressed(egui::Key::Enter));
            let room = context.preferences.views.len() < MOST_VIEWS;
            let save = ui.add_enabled(room, egui::Button::new("Save"));
            let save = save.on_hover_text("Keep where the camera is now");
            if room && (save.clicked() || entered) {
                let name = match self.name.trim() {
                    "" => usual,
                    name => name.to_owned(),
                };
                let views = &mut context.preferences.views;
                views.retain(|v| v.scene != scene || v.name != name);
                views.push(SavedView::new(scene, name, context.pose));
                self.name.clear();
            }
        });
    }
}

/// Which regions are shown.
fn regions(ui: &mut Ui, context: &mut PanelContext<'_>) {
    let Some(structure) = context.live.structure.clone() else {
        return;
    };
    heading(ui, context, "Regions");
    for (i, region) in structure.regions.iter().enumerate() {
        let mut shown = !context.hidden.0.contains(&region.name);
        let name = RichText::new(&region.name).color(context.theme.region(i));
        if ui.checkbox(&mut shown, name).changed() {
            context.hidden.toggle(&region.name);
        }
    }
    if structure.regions.len() > 1 {
        row(ui, |ui| {
            if ui.button("Show all").clicked() {
                context.hidden.0.clear();
            }
            let chosen = context.selected.region.clone();
            let only = ui.add_enabled(chosen.is_some(), egui::Button::new("Only the chosen one"));
            if only
                .on_disabled_hover_text("Choose a region in the tree or by its label")
                .clicked()
            {
                let names = structure.regions.iter().map(|r| r.name.clone());
                context.hidden.0 = names.filter(|name| Some(name) != chosen.as_ref()).collect();
            }
        });
    }
}

fn heading(ui: &mut Ui, context: &PanelContext<'_>, text: &str) {
    ui.label(
        RichText::new(text)
            .color(context.theme.weak)
            .strong()
            .small(),
    );
}

fn look(ui: &mut Ui, preferences: &mut Preferences, columns: &[&str]) {
    let scene = &mut preferences.scene3d;
    ui.label("Colour by");
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
                ui.selectable_value(
                    &mut scene.colour_by,
                    ColourBy::Column((*name).into()),
                    *name,
                );
            }
        });
    ui.end_row();
    ui.label("Flash");
    let flash = egui::Slider::new(&mut scene.flash_ms, 0.5..=200.0).logarithmic(true);
    ui.add(flash.suffix(" ms")).on_hover_text(
        "Simulated time in which the flash of a spike falls to 1/e, from 0.5 to 200 ms",
    );
    ui.end_row();
    ui.label("Neuron size");
    ui.add(
        egui::Slider::new(&mut scene.neuron_size, 0.2..=4.0)
            .logarithmic(true)
            .suffix(" ×"),
    );
    ui.end_row();
    ui.label("Show");
    ui.vertical(|ui| {
        ui.checkbox(&mut scene.bundles, "Projections");
        ui.checkbox(&mut scene.synapses, "Synapses of the selected neuron");
        ui.checkbox(&mut scene.labels, "Names of regions");
        ui.checkbox(&mut scene.hide_idle, "Only neurons that spiked lately");
    });
    ui.end_row();
}

/// The columns that regions of the open scene have.
fn columns(context: &PanelContext<'_>) -> Vec<&'static str> {
    let Some(structure) = &context.live.structure else {
        return Vec::new();
    };
    let all = structure
        .regions
        .iter()
        .flat_map(|r| r.columns.iter().map(|c| c.0));
    let mut all: Vec<&str> = all.collect();
    all.sort_unstable();
    all.dedup();
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::testing::{Stage, network, survives};
    use bevy_egui::egui::vec2;

    #[test]
    fn any_network_can_be_drawn_at_any_size() {
        survives(|| Box::new(ViewPanel::default()));
    }

    #[test]
    fn a_region_is_hidden_and_shown_again() {
        let mut live = network(&[("a", 10), ("b", 5)]);
        let (mut stage, mut panel) = (Stage::new(), ViewPanel::default());
        let size = vec2(300.0, 700.0);
        stage.settle(&mut panel, &mut live, size);
        stage.click_text(&mut panel, &mut live, size, "b");
        assert!(stage.hidden.0.contains("b") && stage.hidden.0.len() == 1);
        stage.click_text(&mut panel, &mut live, size, "Show all");
        assert!(stage.hidden.0.is_empty());
        stage.selected.region = Some("b".into());
        stage.click_text(&mut panel, &mut live, size, "Only the chosen one");
        assert!(stage.hidden.0.contains("a") && stage.hidden.0.len() == 1);
    }

    #[test]
    fn a_view_is_saved_and_gone_back_to() {
        let mut live = network(&[("a", 10)]);
        let (mut stage, mut panel) = (Stage::new(), ViewPanel::default());
        let size = vec2(300.0, 700.0);
        stage.settle(&mut panel, &mut live, size);
        stage.pose.distance = 7.0;
        let there = stage.pose;
        stage.click_text(&mut panel, &mut live, size, "Save");
        stage.pose.distance = 1.0;
        stage.click_text(&mut panel, &mut live, size, "View 1");
        assert_eq!(stage.camera, Some(CameraRequest::Go(there)));
        // Saved again under its name, it is replaced.
        panel.name = "View 1".into();
        stage.click_text(&mut panel, &mut live, size, "Save");
        assert_eq!(stage.preferences.views.len(), 1);
        assert_eq!(stage.preferences.views[0].pose(), stage.pose);
        stage.click_text(&mut panel, &mut live, size, "×");
        assert!(stage.preferences.views.is_empty());
    }
}
