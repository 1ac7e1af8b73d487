//! What is asked for before a region or a projection is added.

use crate::network::connect::Rule;
use crate::neurons::ReflectNeuronModel;
use crate::scene::schema::{ModelValue, ProjectionSpec, RegionSpec};
use crate::scene::set_field::set_field;
use crate::session::command::SimCommand;
use crate::session::frame::Structure;
use crate::simulation::Registry;
use bevy::prelude::ReflectDefault;
use bevy::reflect::{PartialReflect, TypeRegistry};
use bevy_egui::egui::{self, DragValue, Grid, TextEdit, Ui};

/// Rules to begin with.
const RULES: [&str; 8] = [
    "PairwiseBernoulli(0.1)",
    "FixedIndegree(100)",
    "FixedOutdegree(100)",
    "FixedTotalNumber(10000)",
    "AllToAll",
    "OneToOne",
    "Distance(kernel: Gaussian(sigma_mm: 0.2, peak: 0.5))",
    "SmallWorld(neighbours: 10, rewire: 0.1)",
];
/// Layouts to begin with.
const LAYOUTS: [&str; 7] = [
    "None",
    "Some(Ball(radius_mm: 0.5))",
    "Some(Sheet(size_mm: [1.0, 1.0]))",
    "Some(Column(radius_mm: 0.3, height_mm: 1.0))",
    "Some(Box(size_mm: [1.0, 1.0, 1.0]))",
    "Some(Ring(radius_mm: 0.5))",
    "Some(Grid(shape: [10, 10, 10], spacing_mm: [0.1, 0.1, 0.1]))",
];
/// The most neurons that a new region may be given here.
const MOST_NEURONS: u32 = 1_000_000;

/// The form of a new region.
pub struct NewRegion {
    pub(super) name: String,
    pub(super) neurons: u32,
    pub(super) model: String,
    pub(super) layout: String,
    problem: Option<String>,
}

impl Default for NewRegion {
    fn default() -> Self {
        Self {
            name: "new region".into(),
            neurons: 100,
            model: "LifExp".into(),
            layout: LAYOUTS[0].into(),
            problem: None,
        }
    }
}

impl NewRegion {
    /// Draws the form. `Some(None)` closes it; `Some(Some(command))` adds the region.
    pub fn show(
        &mut self,
        ui: &mut Ui,
        structure: &Structure,
        registry: &Registry,
    ) -> Option<Option<SimCommand>> {
        ui.strong("Add a region");
        Grid::new("new region").num_columns(2).show(ui, |ui| {
            ui.label("Name");
            ui.text_edit_singleline(&mut self.name);
            ui.end_row();
            ui.label("Neurons");
            let neurons = DragValue::new(&mut self.neurons).range(1..=MOST_NEURONS);
            ui.add(neurons).on_hover_text("From 1 to 1,000,000");
            ui.end_row();
            ui.label("Model");
            egui::ComboBox::from_id_salt("model")
                .selected_text(&self.model)
                .show_ui(ui, |ui| {
                    for model in models(&registry.types.read()) {
                        ui.selectable_value(&mut self.model, model.clone(), model);
                    }
                })
                .response
                .on_hover_text(
                    "The neuron model, with its default parameters; they can be changed afterwards",
                );
            ui.end_row();
            template(ui, "Layout", &mut self.layout, &LAYOUTS);
        });
        buttons(ui, "Add region", &mut self.problem, || {
            region(
                self.name.trim(),
                self.neurons,
                &self.model,
                &self.layout,
                structure,
                registry,
            )
            .map(SimCommand::AddRegion)
        })
    }
}

/// The form of a new projection.
pub struct NewProjection {
    pub(super) from: String,
    pub(super) to: String,
    pub(super) rule: String,
    pub(super) weight: String,
    pub(super) delay_ms: String,
    pub(super) receptor: String,
    problem: Option<String>,
}

impl Default for NewProjection {
    fn default() -> Self {
        Self {
            from: String::new(),
            to: String::new(),
            rule: RULES[0].into(),
            weight: "10.0".into(),
            delay_ms: "1.5".into(),
            receptor: String::new(),
            problem: None,
        }
    }
}

impl NewProjection {
    /// Draws the form. `Some(None)` closes it; `Some(Some(command))` adds the projection.
    pub fn show(
        &mut self,
        ui: &mut Ui,
        structure: &Structure,
        registry: &Registry,
    ) -> Option<Option<SimCommand>> {
        ui.strong("Connect two regions");
        for end in [&mut self.from, &mut self.to] {
            if structure.region(end).is_none()
                && let Some(first) = structure.regions.first()
            {
                end.clone_from(&first.name);
            }
        }
        let receptors = structure
            .region(&self.to)
            .map_or(&[][..], |r| &structure.regions[r].receptors);
        if !receptors.iter().any(|(name, _)| *name == self.receptor) {
            self.receptor.clear();
        }
        let unit = receptors
            .iter()
            .find(|(name, _)| *name == self.receptor)
            .or(receptors.first())
            .map_or("", |r| r.1);
        Grid::new("new projection").num_columns(2).show(ui, |ui| {
            for (label, end) in [("From", &mut self.from), ("To", &mut self.to)] {
                ui.label(label);
                egui::ComboBox::from_id_salt(label)
                    .selected_text(end.as_str())
                    .show_ui(ui, |ui| {
                        for region in &structure.regions {
                            ui.selectable_value(end, region.name.clone(), &region.name);
                        }
                    });
                ui.end_row();
            }
            template(ui, "Rule", &mut self.rule, &RULES);
            ui.label(match unit {
                "" => "Weight".to_owned(),
                _ => format!("Weight ({unit})"),
            });
            ui.text_edit_singleline(&mut self.weight)
                .on_hover_text("A number or a distribution such as Normal(mean: 10.0, sd: 1.0); negative for inhibition");
            ui.end_row();
            ui.label("Delay (ms)");
            ui.text_edit_singleline(&mut self.delay_ms)
                .on_hover_text("A number or a distribution, in ms, more than 0");
            ui.end_row();
            ui.label("Receptor");
            let automatic = "By the weight's sign";
            egui::ComboBox::from_id_salt("receptor")
                .selected_text(if self.receptor.is_empty() { automatic } else { &self.receptor })
                .show_ui(ui, |ui| {
                    ui.selectable_value(&mut self.receptor, String::new(), automatic);
                    for (name, _) in receptors {
                        ui.selectable_value(&mut self.receptor, (*name).to_owned(), *name);
                    }
                });
            ui.end_row();
        });
        buttons(ui, "Connect", &mut self.problem, || {
            projection(
                (&self.from, &self.to),
                &self.rule,
                &self.weight,
                &self.delay_ms,
                &self.receptor,
                &registry.types.read(),
            )
            .map(SimCommand::Connect)
        })
    }
}

/// A text with a menu of examples.
fn template(ui: &mut Ui, label: &str, text: &mut String, examples: &[&str]) {
    ui.label(label);
    ui.horizontal(|ui| {
        ui.add(
            TextEdit::singleline(text)
                .desired_width(220.0)
                .font(egui::TextStyle::Monospace),
        )
        .on_hover_text("As a scene writes it");
        ui.menu_button("Examples", |ui| {
            for example in examples {
                if ui.button(*example).clicked() {
                    *text = (*example).to_owned();
                    ui.close();
                }
            }
        });
    });
    ui.end_row();
}

/// The buttons under a form, and what is wrong with what it says.
fn buttons(
    ui: &mut Ui,
    text: &str,
    problem: &mut Option<String>,
    make: impl FnOnce() -> Result<SimCommand, String>,
) -> Option<Option<SimCommand>> {
    let mut answer = None;
    ui.horizontal(|ui| {
        if ui.button(text).clicked() {
            match make() {
                Ok(command) => answer = Some(Some(command)),
                Err(message) => *problem = Some(message),
            }
        }
        if ui.button("Cancel").clicked() {
            answer = Some(None);
        }
    });
    if let Some(problem) = problem {
        let color = ui.visuals().error_fg_color;
        ui.colored_label(color, problem.as_str());
    }
    answer
}

/// The short names of the neuron models, sorted.
pub fn models(types: &TypeRegistry) -> Vec<String> {
    let mut names: Vec<String> = (types.iter())
        .filter(|r| {
            r.data::<ReflectNeuronModel>().is_some() && r.data::<ReflectDefault>().is_some()
        })
        .map(|r| r.type_info().type_path_table().short_path().to_owned())
        .collect();
    names.sort();
    names
}

/// The region that a form describes.
fn region(
    name: &str,
    neurons: u32,
    model: &str,
    layout: &str,
    structure: &Structure,
    registry: &Registry,
) -> Result<RegionSpec, String> {
    if name.is_empty() {
        return Err("give the region a name".into());
    }
    if structure.region(name).is_some() {
        return Err(format!(
            "there is a region \"{name}\" already; choose another name"
        ));
    }
    let types = registry.types.read();
    let default = types
        .get_with_short_type_path(model)
        .and_then(|r| r.data::<ReflectDefault>())
        .ok_or_else(|| format!("there is no neuron model \"{model}\""))?;
    let mut spec = RegionSpec {
        name: name.to_owned(),
        neurons,
        model: ModelValue(default.default().into_partial_reflect()),
        layout: None,
        initial: Vec::new(),
        sign: Default::default(),
        intrinsic: None,
    };
    set(&mut spec, "layout", layout, &types)?;
    Ok(spec)
}

/// The projection that a form describes.
fn projection(
    (from, to): (&str, &str),
    rule: &str,
    weight: &str,
    delay_ms: &str,
    receptor: &str,
    types: &TypeRegistry,
) -> Result<ProjectionSpec, String> {
    if from.is_empty() || to.is_empty() {
        return Err("choose the two regions".into());
    }
    let mut spec = ProjectionSpec::new(from, to, Rule::AllToAll, 0.0, 1.0);
    set(&mut spec, "rule", rule, types)?;
    set(&mut spec, "weight", weight, types)?;
    set(&mut spec, "delay_ms", delay_ms, types)?;
    spec.receptor = (!receptor.is_empty()).then(|| receptor.to_owned());
    Ok(spec)
}

fn set(
    part: &mut dyn PartialReflect,
    field: &str,
    text: &str,
    types: &TypeRegistry,
) -> Result<(), String> {
    set_field(part, field, text, types).map_err(|error| format!("{field}: {}", error.message))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::testing::network;

    #[test]
    fn every_model_and_layout_makes_a_region() {
        let registry = Registry::new();
        let live = network(&[("a", 10)]);
        let structure = live.structure.as_ref().expect("a network");
        let known = models(&registry.types.read());
        assert!(
            known.contains(&"LifExp".to_owned()) && known.len() > 10,
            "{known:?}"
        );
        for model in &known {
            let spec = region("b", 10, model, "None", structure, &registry);
            let spec = spec.unwrap_or_else(|e| panic!("{model}: {e}"));
            let info = spec.model.0.get_represented_type_info().expect("a type");
            assert_eq!(info.type_path_table().short_path(), model);
        }
        for layout in LAYOUTS {
            let spec = region("b", 10, "LifExp", layout, structure, &registry);
            assert_eq!(spec.map(|s| s.layout.is_some()), Ok(layout != "None"));
        }
        for (name, layout, needle) in [
            ("", "None", "name"),
            ("a", "None", "already"),
            ("b", "Bal", "layout"),
        ] {
            let error = region(name, 10, "LifExp", layout, structure, &registry).expect_err(needle);
            assert!(error.contains(needle), "{error}");
        }
    }

    #[test]
    fn every_example_makes_a_projection() {
        let registry = Registry::new();
        let types = registry.types.read();
        for rule in RULES {
            let spec = projection(
                ("a", "b"),
                rule,
                "-3",
                "Uniform(min: 1.0, max: 2.0)",
                "",
                &types,
            );
            let spec = spec.unwrap_or_else(|e| panic!("{rule}: {e}"));
            assert!(rule.starts_with(spec.rule.name()));
            assert_eq!(spec.receptor, None);
        }
        let error = projection(("a", "b"), "AllToAll", "1", "-1", "", &types);
        assert!(error.is_err_and(|e| e.contains("more than 0")));
    }
}
