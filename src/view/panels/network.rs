//! Regions, projections and stimuli with their fields, to be changed while the network runs.
//!
//! Editors are made through reflection from the fields of the scene's own types, with their units and ranges: a new model needs no panel.

use super::fields::{Change, fields};
use super::{Panel, PanelContext};
use crate::network::connect::Rule;
use crate::network::stimulus::Selection;
use crate::neurons::ReflectNeuronModel;
use crate::scene::schema::{ModelValue, ProjectionSpec, RegionSpec};
use crate::session::command::{Place, SimCommand};
use crate::session::frame::Structure;
use crate::view::shell::grouped;
use bevy::prelude::*;
use bevy_egui::egui;

/// The network.
pub struct NetworkPanel {
    chosen: Option<Place>,
    fraction: f64,
    region: NewRegion,
    projection: NewProjection,
    fields: Change,
}

struct NewRegion {
    name: String,
    neurons: u32,
    model: String,
}

struct NewProjection {
    from: String,
    to: String,
    rule: usize,
    degree: u32,
    probability: f64,
    weight: f64,
    delay_ms: f64,
}

impl Default for NetworkPanel {
    fn default() -> Self {
        Self {
            chosen: None,
            fraction: 0.2,
            region: NewRegion {
                name: "new".into(),
                neurons: 100,
                model: "LifExp".into(),
            },
            projection: NewProjection {
                from: String::new(),
                to: String::new(),
                rule: 0,
                degree: 10,
                probability: 0.1,
                weight: 1.0,
                delay_ms: 1.0,
            },
            fields: Change::default(),
        }
    }
}

const RULES: [&str; 4] = ["FixedIndegree", "PairwiseBernoulli", "AllToAll", "OneToOne"];

impl Panel for NetworkPanel {
    fn title(&self) -> &'static str {
        "Network"
    }

    fn help(&self) -> &'static str {
        "What the network is made of. Choose a part to see its fields: drag a number, or type a value or a distribution such as \
         Normal(mean: 20, sd: 2). A change acts at the next step and can be undone. Regions can be lesioned, projections muted, parts added \
         and removed while the network runs."
    }

    fn show(&mut self, ui: &mut egui::Ui, context: &mut PanelContext<'_>) {
        let Some(structure) = context.live.structure.clone() else {
            ui.weak("No network is open");
            return;
        };
        if let Some(name) = &context.selected.region {
            let place = Place::Region(name.clone());
            if context.selected.projection.is_none()
                && !matches!(self.chosen, Some(Place::Stimulus(_)))
            {
                self.chosen = Some(place);
            }
        }
        egui::ScrollArea::vertical()
            .auto_shrink([false, false])
            .show(ui, |ui| {
                self.tree(ui, context, &structure);
                ui.separator();
                if let Some(place) = self.chosen.clone() {
                    self.part(ui, context, &structure, &place);
                    ui.separator();
                }
                egui::CollapsingHeader::new("Add a region").show(ui, |ui| self.add(ui, context));
                egui::CollapsingHeader::new("Connect two regions").show(ui, |ui| {
                    self.connect(ui, context, &structure);
                });
            });
    }
}

impl NetworkPanel {
    fn tree(&mut self, ui: &mut egui::Ui, context: &mut PanelContext<'_>, structure: &Structure) {
        let mut choose = |ui: &mut egui::Ui, place: Place, text: egui::RichText| {
            if ui
                .selectable_label(self.chosen.as_ref() == Some(&place), text)
                .clicked()
            {
                context.selected.region = None;
                context.selected.projection = None;
                match &place {
                    Place::Region(name) => context.selected.region = Some(name.clone()),
                    Place::Projection(name) => context.selected.projection = Some(name.clone()),
                    Place::Stimulus(_) => {}
                }
                self.chosen = Some(place);
            }
        };
        let header = |name: &str, n: usize| format!("{name} ({n})");
        egui::CollapsingHeader::new(header("Regions", structure.regions.len()))
            .default_open(true)
            .id_salt("regions")
            .show(ui, |ui| {
                for (i, region) in structure.regions.iter().enumerate() {
                    let text = format!(
                        "{}   {} × {}",
                        region.name,
                        grouped(region.neurons.into()),
                        region.model
                    );
                    let text = egui::RichText::new(text).color(context.theme.region(i));
                    choose(ui, Place::Region(region.name.clone()), text);
                }
            });
        egui::CollapsingHeader::new(header("Projections", structure.projections.len()))
            .id_salt("projections")
            .show(ui, |ui| {
                for projection in structure.projections.iter().take(500) {
                    let text = format!("{}   {}", projection.name, grouped(projection.synapses));
                    let mut text = egui::RichText::new(text);
                    if projection.muted {
                        text = text.strikethrough().weak();
                    }
                    choose(ui, Place::Projection(projection.name.clone()), text);
                }
            });
        egui::CollapsingHeader::new(header("Stimuli", structure.stimuli.len()))
            .id_salt("stimuli")
            .show(ui, |ui| {
                for (name, spec) in structure.stimuli.iter().zip(&structure.scene.stimuli) {
                    let text = egui::RichText::new(format!("{name}   to {}", spec.to));
                    choose(ui, Place::Stimulus(name.clone()), text);
                }
            });
    }

    /// The fields of a part, and what can be done with it as a whole.
    fn part(
        &mut self,
        ui: &mut egui::Ui,
        context: &mut PanelContext<'_>,
        structure: &Structure,
        place: &Place,
    ) {
        let types = context.registry.types.read();
        let (part, shown): (Option<&dyn PartialReflect>, &[&str]) = match place {
            Place::Region(name) => {
                let spec = structure.scene.regions.iter().find(|r| r.name == *name);
                (spec.map(|r| r as _), &["neurons", "model"])
            }
            Place::Projection(name) => {
                let specs = &structure.scene.projections;
                let spec = specs.iter().find(|p| p.name.as_ref() == Some(name));
                (spec.map(|p| p as _), &["rule", "weight", "delay_ms"])
            }
            Place::Stimulus(name) => {
                let specs = &structure.scene.stimuli;
                let spec = specs.iter().find(|s| s.name.as_ref() == Some(name));
                (spec.map(|s| s as _), &["neurons", "window", "kind"])
            }
        };
        let Some(part) = part else {
            self.chosen = None;
            return;
        };
        ui.strong(place.to_string());
        let change = fields(ui, part, shown, &types, &mut self.fields);
        drop(types);
        if let Some((field, value)) = change {
            context.live.edit(SimCommand::Set {
                of: place.clone(),
                field,
                value,
            });
        }
        ui.add_space(4.0);
        match place {
            Place::Region(name) => {
                ui.horizontal(|ui| {
                    let slider = egui::Slider::new(&mut self.fraction, 0.0..=1.0).fixed_decimals(2);
                    ui.add(slider)
                        .on_hover_text("The part of the region's neurons, chosen at random");
                    let lesion = ui
                        .button("Lesion")
                        .on_hover_text("These neurons spike no more");
                    if lesion.clicked() {
                        context.live.edit(SimCommand::Lesion {
                            region: name.clone(),
                            neurons: Selection::Fraction(self.fraction),
                        });
                    }
                });
            }
            Place::Projection(name) => {
                let muted = structure
                    .projections
                    .iter()
                    .any(|p| p.name == *name && p.muted);
                let label = if muted { "Unmute" } else { "Mute" };
                let button = ui
                    .button(label)
                    .on_hover_text("A muted projection passes nothing");
                if button.clicked() {
                    context.live.edit(SimCommand::Set {
                        of: place.clone(),
                        field: "muted".into(),
                        value: (!muted).to_string(),
                    });
                }
            }
            Place::Stimulus(_) => {}
        }
        let remove = ui
            .button("Remove")
            .on_hover_text("Takes it away; undo brings it back");
        if remove.clicked() {
            context.live.edit(SimCommand::Remove(place.clone()));
        }
    }

    fn add(&mut self, ui: &mut egui::Ui, context: &mut PanelContext<'_>) {
        let new = &mut self.region;
        let types = context.registry.types.read();
        let mut models: Vec<_> = types
            .iter()
            .filter(|t| t.data::<ReflectNeuronModel>().is_some())
            .map(|t| t.type_info().type_path_table().short_path())
            .collect();
        models.sort_unstable();
        egui::Grid::new("new region").num_columns(2).show(ui, |ui| {
            ui.label("Name");
            ui.text_edit_singleline(&mut new.name);
            ui.end_row();
            ui.label("Neurons");
            ui.add(egui::DragValue::new(&mut new.neurons).range(1..=1_000_000));
            ui.end_row();
            ui.label("Model");
            egui::ComboBox::from_id_salt("model")
                .selected_text(&new.model)
                .show_ui(ui, |ui| {
                    for model in models {
                        ui.selectable_value(&mut new.model, model.to_owned(), model);
                    }
                });
            ui.end_row();
        });
        if ui.button("Add").clicked() {
            let model = types
                .get_with_short_type_path(&new.model)
                .and_then(|t| t.data::<ReflectDefault>())
                .map(|default| ModelValue(default.default().into_partial_reflect()));
            drop(types);
            match model {
                Some(model) => {
                    let mut region = RegionSpec::new(
                        new.name.trim(),
                        new.neurons,
                        crate::prelude::Relay::default(),
                    );
                    region.model = model;
                    context.live.edit(SimCommand::AddRegion(region));
                }
                None => context
                    .live
                    .tell(true, format!("there is no model {}", new.model)),
            }
        }
    }

    fn connect(
        &mut self,
        ui: &mut egui::Ui,
        context: &mut PanelContext<'_>,
        structure: &Structure,
    ) {
        let new = &mut self.projection;
        egui::Grid::new("new projection")
            .num_columns(2)
            .show(ui, |ui| {
                for (label, name) in [("From", &mut new.from), ("To", &mut new.to)] {
                    if structure.region(name).is_none() {
                        *name = structure
                            .regions
                            .first()
                            .map_or(String::new(), |r| r.name.clone());
                    }
                    ui.label(label);
                    egui::ComboBox::from_id_salt(label)
                        .selected_text(name.as_str())
                        .show_ui(ui, |ui| {
                            for region in &structure.regions {
                                ui.selectable_value(name, region.name.clone(), &region.name);
                            }
                        });
                    ui.end_row();
                }
                ui.label("Rule");
                egui::ComboBox::from_id_salt("rule")
                    .selected_text(RULES[new.rule])
                    .show_ui(ui, |ui| {
                        for (i, rule) in RULES.iter().enumerate() {
                            ui.selectable_value(&mut new.rule, i, *rule);
                        }
                    });
                ui.end_row();
                if new.rule == 0 {
                    ui.label("Synapses per target");
                    ui.add(egui::DragValue::new(&mut new.degree).range(1..=100_000));
                    ui.end_row();
                } else if new.rule == 1 {
                    ui.label("Probability");
                    ui.add(
                        egui::DragValue::new(&mut new.probability)
                            .speed(0.005)
                            .range(0.0..=1.0),
                    );
                    ui.end_row();
                }
                let to = structure.region(&new.to).map(|i| &structure.regions[i]);
                let unit = to.and_then(|r| r.receptors.first()).map_or("", |r| r.1);
                ui.label("Weight");
                ui.add(
                    egui::DragValue::new(&mut new.weight)
                        .speed(0.1)
                        .suffix(format!(" {unit}")),
                );
                ui.end_row();
                ui.label("Delay");
                ui.add(
                    egui::DragValue::new(&mut new.delay_ms)
                        .speed(0.1)
                        .range(0.01..=1e4)
                        .suffix(" ms"),
                );
                ui.end_row();
            });
        if ui.button("Connect").clicked() {
            let rule = match new.rule {
                0 => Rule::FixedIndegree(new.degree),
                1 => Rule::PairwiseBernoulli(new.probability),
                2 => Rule::AllToAll,
                _ => Rule::OneToOne,
            };
            let projection =
                ProjectionSpec::new(&new.from, &new.to, rule, new.weight, new.delay_ms);
            context.live.edit(SimCommand::Connect(projection));
        }
    }
}
