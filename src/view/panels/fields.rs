//! Editors for the fields of a reflected value, with unit and range.

use crate::network::distribution::Distribution;
use crate::scene::encode::encode_with;
use crate::scene::schema::ModelValue;
use crate::sim::quantity::{Range, Unit};
use bevy::prelude::*;
use bevy::reflect::attributes::CustomAttributes;
use bevy::reflect::enums::VariantInfo;
use bevy::reflect::{ReflectRef, TypeInfo, TypeRegistry};
use bevy_egui::egui;
use std::collections::HashMap;

/// The least time between two changes that one drag makes, in seconds.
const CHANGE_EVERY: f64 = 0.1;

/// Values that are being typed or dragged, by the path of their field.
#[derive(Default)]
pub struct Change {
    texts: HashMap<String, String>,
    numbers: HashMap<String, f64>,
    sent: f64,
    /// The newest value that was sent, and of which field.
    newest: Option<(String, f64)>,
}

/// Draws an editor for every field of `part` in `shown` and inside it; returns a change: the field's path and its value as text.
pub fn fields(
    ui: &mut egui::Ui,
    part: &dyn PartialReflect,
    shown: &[&str],
    types: &TypeRegistry,
    change: &mut Change,
) -> Option<(String, String)> {
    let mut made = None;
    egui::Grid::new("fields")
        .num_columns(2)
        .spacing([10.0, 4.0])
        .striped(true)
        .show(ui, |ui| {
            for field in leaves(part).iter().filter(|f| {
                shown
                    .iter()
                    .any(|s| f.path == *s || f.path.starts_with(&format!("{s}.")))
            }) {
                let name = field.path.strip_prefix("model.").unwrap_or(&field.path);
                ui.label(name).on_hover_text(field.tooltip());
                if let Some(value) = editor(ui, field, types, change) {
                    made = Some((field.path.clone(), value));
                }
                ui.end_row();
            }
        });
    made
}

/// A field with nothing inside that has a name.
struct Leaf<'v> {
    path: String,
    value: &'v dyn PartialReflect,
    unit: &'static str,
    range: Option<Range>,
}

impl Leaf<'_> {
    fn tooltip(&self) -> String {
        let unit = if self.unit.is_empty() {
            "no unit"
        } else {
            self.unit
        };
        match self.range {
            Some(range) => format!("{unit}; {range}"),
            None => unit.to_owned(),
        }
    }

    /// The number, if the field is one.
    fn number(&self) -> Option<f64> {
        let value = match self.value.reflect_ref() {
            ReflectRef::Enum(option) if option.variant_name() == "Some" => option.field_at(0)?,
            _ => self.value,
        };
        if let Some(Distribution::Constant(number)) = value.try_downcast_ref() {
            return Some(*number);
        }
        (value.try_downcast_ref::<f64>().copied())
            .or_else(|| value.try_downcast_ref::<u32>().map(|n| f64::from(*n)))
    }
}

fn leaves(part: &dyn PartialReflect) -> Vec<Leaf<'_>> {
    let mut found = Vec::new();
    collect(part, String::new(), None, &mut found);
    found
}

fn collect<'v>(
    value: &'v dyn PartialReflect,
    path: String,
    attributes: Option<&'static CustomAttributes>,
    found: &mut Vec<Leaf<'v>>,
) {
    if let Some(model) = value.try_downcast_ref::<ModelValue>() {
        return collect(model.0.as_ref(), path, None, found);
    }
    let inside = |name: &str| {
        if path.is_empty() {
            name.to_owned()
        } else {
            format!("{path}.{name}")
        }
    };
    let info = value.get_represented_type_info();
    let is_leaf = value.try_downcast_ref::<Distribution>().is_some();
    match value.reflect_ref() {
        ReflectRef::Struct(fields) if !is_leaf => {
            for i in 0..fields.field_len() {
                let (Some(name), Some(field)) = (fields.name_at(i), fields.field_at(i)) else {
                    continue;
                };
                let attributes = match info {
                    Some(TypeInfo::Struct(info)) => info.field(name).map(|f| f.custom_attributes()),
                    _ => None,
                };
                collect(field, inside(name), attributes, found);
            }
        }
        ReflectRef::Enum(variant) if !is_leaf && variant.name_at(0).is_some() => {
            for i in 0..variant.field_len() {
                let (Some(name), Some(field)) = (variant.name_at(i), variant.field_at(i)) else {
                    continue;
                };
                let attributes = match info {
                    Some(TypeInfo::Enum(info)) => match info.variant(variant.variant_name()) {
                        Some(VariantInfo::Struct(info)) => {
                            info.field(name).map(|f| f.custom_attributes())
                        }
                        _ => None,
                    },
                    _ => None,
                };
                collect(field, inside(name), attributes, found);
            }
        }
        _ => found.push(Leaf {
            path,
            value,
            unit: attributes.and_then(|a| a.get::<Unit>()).map_or("", |u| u.0),
            range: attributes.and_then(|a| a.get::<Range>()).copied(),
        }),
    }
}

/// An editor for one field; the new value as text if it was changed.
fn editor(
    ui: &mut egui::Ui,
    field: &Leaf<'_>,
    types: &TypeRegistry,
    change: &mut Change,
) -> Option<String> {
    if let Some(number) = field.number() {
        let whole = field.value.try_downcast_ref::<u32>().is_some();
        let mut value = change.numbers.get(&field.path).copied().unwrap_or(number);
        let range = field.range.unwrap_or(Range::finite());
        let speed = if whole {
            1.0
        } else {
            (number.abs() * 0.01).max(1e-3)
        };
        let mut drag = egui::DragValue::new(&mut value)
            .range(range.min..=range.max)
            .speed(speed)
            .max_decimals(if whole { 0 } else { 6 });
        if !field.unit.is_empty() {
            drag = drag.suffix(format!(" {}", field.unit));
        }
        let response = ui.add(drag).on_hover_text(field.tooltip());
        let now = ui.input(|i| i.time);
        let held = response.dragged() || response.has_focus();
        let text = || {
            if whole {
                format!("{value:.0}")
            } else {
                format!("{value:?}")
            }
        };
        if response.changed() {
            change.numbers.insert(field.path.clone(), value);
        }
        let due = response.dragged() && now - change.sent > CHANGE_EVERY && value != number;
        let done = !held && change.numbers.remove(&field.path).is_some() && value != number;
        let known = change.newest.as_ref() == Some(&(field.path.clone(), value));
        if (due || done) && range.contains(value) && !known {
            change.sent = now;
            change.newest = held.then(|| (field.path.clone(), value));
            return Some(text());
        }
        if done {
            change.newest = None;
        }
        return None;
    }
    let known = encode_with(field.value, types).ok()?;
    let mut text = change
        .texts
        .get(&field.path)
        .cloned()
        .unwrap_or_else(|| known.clone());
    let edit = egui::TextEdit::singleline(&mut text).desired_width(ui.available_width().max(120.0));
    let response = ui
        .add(edit)
        .on_hover_text(format!("{}\nEnter to apply", field.tooltip()));
    if response.changed() {
        change.texts.insert(field.path.clone(), text.clone());
    }
    if response.lost_focus() {
        change.texts.remove(&field.path);
        if ui.input(|i| i.key_pressed(egui::Key::Enter)) && text != known {
            return Some(text);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::prelude::*;

    #[test]
    fn the_fields_of_a_model_have_units_and_ranges() {
        let region = RegionSpec::new("E", 5, LifExp::default());
        let all = leaves(&region);
        let field = |path: &str| all.iter().find(|f| f.path == path).expect(path);
        assert_eq!(
            (field("model.tau_m").unit, field("model.tau_m").number()),
            ("ms", Some(10.0))
        );
        assert_eq!(field("model.tau_m").range, Some(Range::positive()));
        assert_eq!(field("neurons").number(), Some(5.0));
        let stimulus = StimulusSpec::new(
            "E",
            StimulusKind::Poisson {
                rate_hz: 10.0.into(),
                weight: 2.0.into(),
                delay_ms: 1.0,
                receptor: None,
            },
        );
        let all = leaves(&stimulus);
        let rate = all
            .iter()
            .find(|f| f.path == "kind.rate_hz")
            .expect("the rate");
        assert_eq!((rate.unit, rate.number()), ("Hz", Some(10.0)));
    }
}
