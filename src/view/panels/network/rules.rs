//! Adding learning rules to a projection, and taking them away.

use crate::plasticity::ReflectPlasticity;
use crate::plasticity::upkeep::ReflectUpkeep;
use crate::scene::schema::{ProjectionSpec, Scene};
use crate::session::command::{Place, SimCommand};
use crate::session::runner::Request;
use crate::view::fields::one_line;
use crate::view::panels::row;
use bevy::reflect::{PartialReflect, ReflectRef, TypeInfo, TypeRegistry};
use bevy_egui::egui::{Button, Ui};

/// A rule that can be added.
struct Offer {
    name: &'static str,
    /// Whether it sees to all weights, and does not act at spikes.
    is_upkeep: bool,
    /// As a scene writes it; or why it cannot be added here.
    text: Result<String, &'static str>,
}

/// Draws the rules of a projection with menus that add and remove one; answers the edit that does.
pub fn show(
    ui: &mut Ui,
    place: &Place,
    spec: &ProjectionSpec,
    scene: &Scene,
    types: &TypeRegistry,
    sent: &mut Vec<Request>,
) {
    let mut rules = None;
    row(ui, |ui| {
        ui.menu_button("Add rule", |ui| {
            let offers = offers(spec, scene, types);
            for (heading, is_upkeep) in [("At spikes", false), ("Upkeep of all weights", true)] {
                ui.weak(heading);
                for offer in offers.iter().filter(|o| o.is_upkeep == is_upkeep) {
                    let button = ui.add_enabled(offer.text.is_ok(), Button::new(offer.name));
                    match &offer.text {
                        Ok(text) => {
                            if button.on_hover_text(text).clicked() {
                                rules = Some(with(spec, text, types));
                                ui.close();
                            }
                        }
                        Err(why) => {
                            button.on_disabled_hover_text(*why);
                        }
                    }
                }
            }
        })
        .response
        .on_hover_text("Rules of one list add up; a projection with a rule learns");
        if spec.plasticity.is_empty() {
            return;
        }
        ui.menu_button("Remove rule", |ui| {
            for (i, rule) in spec.plasticity.iter().enumerate() {
                if ui.button(name_of(rule.0.as_ref())).clicked() {
                    rules = Some(without(spec, i, types));
                    ui.close();
                }
            }
        })
        .response
        .on_hover_text("Without any rule the weights are those of the scene again; to keep what was learned, freeze learning");
        let names: Vec<&str> = (spec.plasticity.iter())
            .map(|rule| name_of(rule.0.as_ref()))
            .collect();
        ui.weak(names.join(", "));
    });
    sent.extend(rules.map(|value| {
        Request::Edit(SimCommand::Set {
            of: place.clone(),
            field: "plasticity".into(),
            value,
        })
    }));
}

/// The short name of a rule's type.
fn name_of(rule: &dyn PartialReflect) -> &'static str {
    rule.get_represented_type_info()
        .map_or("", |info| info.type_path_table().short_path())
}

/// The rules of a projection and one more.
fn with(spec: &ProjectionSpec, rule: &str, types: &TypeRegistry) -> String {
    let mut texts: Vec<String> = (spec.plasticity.iter())
        .map(|rule| one_line(rule.0.as_ref(), types))
        .collect();
    texts.push(rule.to_owned());
    format!("[{}]", texts.join(", "))
}

/// The rules of a projection but one.
fn without(spec: &ProjectionSpec, index: usize, types: &TypeRegistry) -> String {
    let rules = spec.plasticity.iter().enumerate();
    let texts: Vec<String> = rules
        .filter(|(i, _)| *i != index)
        .map(|(_, rule)| one_line(rule.0.as_ref(), types))
        .collect();
    format!("[{}]", texts.join(", "))
}

/// Every registered rule, by name, with bounds that hold the projection's weights and a modulator that there is.
fn offers(spec: &ProjectionSpec, scene: &Scene, types: &TypeRegistry) -> Vec<Offer> {
    let modulator = scene.modulators.first().map(|m| m.name.as_str());
    let mut offers: Vec<Offer> = (types.iter())
        .filter_map(|registration| {
            let is_upkeep = registration.data::<ReflectUpkeep>().is_some();
            if !is_upkeep && registration.data::<ReflectPlasticity>().is_none() {
                return None;
            }
            let info = registration.type_info();
            let name = info.type_path_table().short_path();
            let has = |field: &str| match info {
                TypeInfo::Struct(fields) => fields.field(field).is_some(),
                _ => false,
            };
            let mut fields = Vec::new();
            if has("w_max") && !is_upkeep {
                fields.extend(largest(spec).map(|w_max| format!("w_max: {w_max:?}")));
            }
            let text = match (has("modulator"), modulator) {
                (true, None) => Err("The scene has no modulators"),
                (is_modulated, name) => {
                    let name = name.filter(|_| is_modulated);
                    fields.extend(name.map(|name| format!("modulator: {name:?}")));
                    Ok(())
                }
            };
            Some(Offer {
                name,
                is_upkeep,
                text: text.map(|()| format!("{name}({})", fields.join(", "))),
            })
        })
        .collect();
    offers.sort_by_key(|offer| offer.name);
    offers
}

/// The largest weight for a rule that is added: that of a rule that is there, or twice the largest that the projection begins with, if it is known.
fn largest(spec: &ProjectionSpec) -> Option<f64> {
    let of_rule = |rule: &dyn PartialReflect| match rule.reflect_ref() {
        ReflectRef::Struct(fields) => fields.field("w_max")?.try_downcast_ref::<f64>().copied(),
        _ => None,
    };
    let known = spec.plasticity.iter().find_map(|r| of_rule(r.0.as_ref()));
    let begins = spec.weight.as_ref().map(|w| 2.0 * w.largest_magnitude());
    known.or(begins.filter(|w| w.is_finite() && *w > 0.0))
}
