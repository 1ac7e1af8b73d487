//! Giving one field of a part of a scene a new value, from text.
//!
//! The text is read as a scene would read it in that place: with the field's type, unit and range.

use super::context::Context;
use super::decode::{Decoder, assign};
use super::error::{SceneError, unknown};
use super::parse::parse;
use super::schema::{chosen, chosen_mut};
use bevy::reflect::attributes::CustomAttributes;
use bevy::reflect::enums::{EnumInfo, VariantInfo};
use bevy::reflect::{PartialReflect, ReflectMut, TypeInfo, TypeRegistry};

/// Gives the field at `path` inside `owner` the value that `text` says, for example `model.tau_m` of a region. A place in a list is a number,
/// `plasticity.0.w_max`, or stands in brackets as messages have it, `plasticity[0].w_max`.
///
/// # Errors
/// There is no such field, or the text is not a value for it; the message names what is allowed.
pub fn set_field(
    owner: &mut dyn PartialReflect,
    path: &str,
    text: &str,
    registry: &TypeRegistry,
) -> Result<(), SceneError> {
    const FILE: &str = "value";
    let node = parse(text, FILE)?;
    let context = Context::new(FILE, &[], &[], &[])?;
    let root = Decoder::new(registry, &context, FILE);
    let mut place = owner;
    let mut attributes = None;
    let path = path.replace('[', ".").replace(']', "");
    let path = path.as_str();
    for name in path.split('.') {
        let Some((field, found)) = field_of(place, name) else {
            let message = format!("there is no field \"{name}\" in \"{path}\"");
            return Err(root.error(&node, message));
        };
        attributes = found.or(attributes);
        place = field.map_err(|known| {
            let known: Vec<&str> = known.iter().map(String::as_str).collect();
            root.error(&node, unknown("field", name, known.iter().copied()))
        })?;
    }
    let at = root.at_field(path);
    let at = match attributes {
        Some(attributes) => at.with_attributes(attributes),
        None => at,
    };
    let Some(info) = place.get_represented_type_info() else {
        return Err(at.error(&node, "this field cannot be set"));
    };
    let value = at.decode_info(&node, info)?;
    match assign(place, value) {
        true => Ok(()),
        false => Err(at.error(&node, "this field cannot be set")),
    }
}

/// A field by its name with its attributes, or the names that there are; none if the value has no named fields.
type Field<'v> = (
    Result<&'v mut dyn PartialReflect, Vec<String>>,
    Option<&'static CustomAttributes>,
);

fn field_of<'v>(value: &'v mut dyn PartialReflect, name: &str) -> Option<Field<'v>> {
    if chosen(value).is_some() {
        return field_of(chosen_mut(value)?, name);
    }
    let info = value.get_represented_type_info();
    match value.reflect_mut() {
        ReflectMut::Struct(fields) => {
            let attributes = match info {
                Some(TypeInfo::Struct(info)) => info.field(name).map(|f| f.custom_attributes()),
                _ => None,
            };
            let known =
                (0..fields.field_len()).filter_map(|i| fields.name_at(i).map(str::to_owned));
            let known = known.collect();
            Some((fields.field_mut(name).ok_or(known), attributes))
        }
        ReflectMut::List(list) => {
            let known = (0..list.len()).map(|i| i.to_string()).collect();
            let item = name.parse().ok().and_then(|i: usize| list.get_mut(i));
            Some((item.ok_or(known), None))
        }
        ReflectMut::Enum(variant) => {
            // The inside of an option has the field's name and attributes: it is looked through.
            if variant.variant_name() == "Some" {
                return field_of(variant.field_at_mut(0)?, name);
            }
            let attributes = match info {
                Some(TypeInfo::Enum(info)) => {
                    variant_attributes(info, variant.variant_name(), name)
                }
                _ => None,
            };
            let known =
                (0..variant.field_len()).filter_map(|i| variant.name_at(i).map(str::to_owned));
            let known = known.collect();
            Some((variant.field_mut(name).ok_or(known), attributes))
        }
        _ => None,
    }
}

fn variant_attributes(
    info: &'static EnumInfo,
    variant: &str,
    name: &str,
) -> Option<&'static CustomAttributes> {
    match info.variant(variant)? {
        VariantInfo::Struct(fields) => fields.field(name).map(|f| f.custom_attributes()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::prelude::*;
    use bevy::reflect::FromReflect;

    fn set(owner: &mut dyn PartialReflect, path: &str, text: &str) -> Result<(), String> {
        let registry = Registry::new();
        set_field(owner, path, text, &registry.types.read()).map_err(|e| e.to_string())
    }

    #[test]
    fn a_parameter_of_a_model_is_set_from_text() {
        let mut region = RegionSpec::new("E", 10, LifExp::default());
        assert_eq!(set(&mut region, "model.tau_m", "12.5"), Ok(()));
        assert_eq!(
            set(&mut region, "model.e_l", "Normal(mean: -65, sd: 2)"),
            Ok(())
        );
        assert_eq!(set(&mut region, "neurons", "20"), Ok(()));
        let model = region
            .model
            .0
            .try_downcast_ref::<LifExp>()
            .expect("the model");
        assert_eq!(model.tau_m, Distribution::Constant(12.5));
        assert_eq!(model.e_l.mean(), -65.0);
        assert_eq!(region.neurons, 20);
    }

    #[test]
    fn a_parameter_of_a_stimulus_is_set_from_text() {
        let kind = StimulusKind::Alternating {
            amplitude: 1.0,
            offset: 0.0,
            frequency_hz: 10.0,
            phase_deg: 0.0,
        };
        let mut stimulus = StimulusSpec::new("E", kind);
        assert_eq!(set(&mut stimulus, "kind.frequency_hz", "40"), Ok(()));
        assert!(
            matches!(stimulus.kind, StimulusKind::Alternating { frequency_hz, .. } if frequency_hz == 40.0)
        );
        assert_eq!(set(&mut stimulus, "window.stop_ms", "40"), Ok(()));
        assert_eq!(stimulus.window.stop_ms, Some(40.0));
    }

    #[test]
    fn places_in_lists_are_numbers_or_stand_in_brackets() {
        let mut projection =
            ProjectionSpec::new("a", "b", Rule::AllToAll, 0.5, 1.0).learning(Stdp::default());
        for (path, text, want) in [
            ("plasticity.0.w_max", "3", 3.0),
            ("plasticity[0].w_max", "4.5", 4.5),
        ] {
            assert_eq!(set(&mut projection, path, text), Ok(()));
            let rule = Stdp::from_reflect(projection.plasticity[0].0.as_ref()).expect("the rule");
            assert_eq!(rule.w_max, want);
        }
    }

    #[test]
    fn what_is_wrong_is_said() {
        let mut region = RegionSpec::new("E", 10, LifExp::default());
        for (path, text, expected) in [
            ("model.tua_m", "3", "did you mean \"tau_m\"?"),
            ("model.tau_m", "-3", "more than 0"),
            ("model.tau_m", "fast", "tau_m"),
            ("name.x", "1", "there is no field \"x\""),
            ("model.tau_m", "(", "value:1:"),
        ] {
            let error = set(&mut region, path, text).expect_err(text);
            assert!(error.contains(expected), "{path} {text}: {error}");
        }
    }
}
