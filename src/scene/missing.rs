//! Fields that a scene leaves out: which have a value all the same, and which must be given.
//!
//! A field left out has the value of its type's `ReflectDefault` for the whole struct; that case is settled
//! before this module is asked. Otherwise an `Option` is `None`, a field marked `#[reflect(default)]` has the
//! default of its own type, and any other is an error. Reflection does not tell which fields are marked, so
//! when a value cannot be built, each field left out is tried for itself.

use super::decode::{Decoded, Decoder};
use super::describe::{expected, option_inner};
use super::error::listed;
use super::fields::Given;
use super::parse::Node;
use bevy::reflect::array::DynamicArray;
use bevy::reflect::enums::{DynamicEnum, DynamicVariant, VariantInfo};
use bevy::reflect::list::DynamicList;
use bevy::reflect::map::DynamicMap;
use bevy::reflect::set::DynamicSet;
use bevy::reflect::std_traits::ReflectDefault;
use bevy::reflect::structs::DynamicStruct;
use bevy::reflect::tuple::DynamicTuple;
use bevy::reflect::tuple_struct::DynamicTupleStruct;
use bevy::reflect::{NamedField, PartialReflect, Reflect, TypeInfo, UnnamedField};

/// A struct or variant whose fields may not all be there.
pub(super) enum Incomplete {
    Struct(DynamicStruct),
    Variant(DynamicEnum),
}

impl Incomplete {
    fn whole(&self) -> &dyn PartialReflect {
        match self {
            Self::Struct(fields) => fields,
            Self::Variant(variant) => variant,
        }
    }

    fn fields(&mut self) -> Option<&mut DynamicStruct> {
        match self {
            Self::Struct(fields) => Some(fields),
            Self::Variant(variant) => match variant.variant_mut() {
                DynamicVariant::Struct(fields) => Some(fields),
                _ => None,
            },
        }
    }
}

impl Decoder<'_> {
    pub(super) fn default_of(&self, info: &TypeInfo) -> Option<Box<dyn Reflect>> {
        let default = self
            .registry
            .get_type_data::<ReflectDefault>(info.type_id())?;
        Some(default.default())
    }

    /// Puts the fields given into `parts`, with `None` for options left out, and returns the other fields
    /// that were left out.
    pub(super) fn complete(
        &self,
        given: Given,
        known: &[&'static NamedField],
        parts: &mut DynamicStruct,
    ) -> Vec<&'static NamedField> {
        let mut left_out = known.to_vec();
        for (name, part) in given {
            left_out.retain(|field| field.name() != name);
            parts.insert_boxed(name, part);
        }
        left_out.retain(|field| {
            let is_option = field.type_info().and_then(option_inner).is_some();
            if is_option {
                let none = DynamicEnum::new("None", DynamicVariant::Unit);
                parts.insert_boxed(field.name(), Box::new(none));
            }
            !is_option
        });
        left_out
    }

    /// The finished value, or an error that names the fields that must be given.
    pub(super) fn built(
        &self,
        node: &Node,
        info: &'static TypeInfo,
        mut parts: Incomplete,
        left_out: &[&'static NamedField],
    ) -> Decoded {
        let value = self.concrete(node, info, parts.whole());
        if left_out.is_empty() {
            return match (value, parts) {
                (Ok(None), Incomplete::Struct(fields)) => Ok(Box::new(fields)),
                (Ok(None), Incomplete::Variant(variant)) => Ok(Box::new(variant)),
                (Ok(Some(value)), _) => Ok(value),
                (Err(error), _) => Err(error),
            };
        }
        if let Ok(Some(value)) = value {
            return Ok(value);
        }
        let required = self.required(node, info, &mut parts, left_out);
        let field = required[0];
        let place = self.at_field(field.name());
        let unit = place.with_attributes(field.custom_attributes()).unit;
        let what = field.type_info().map(|info| expected(info, unit));
        let what = what.unwrap_or_else(|| "a value".to_string());
        let name = field.name();
        let error = self.error(node, format!("missing field \"{name}\": expected {what}"));
        if required.len() == 1 {
            return Err(error);
        }
        let others = listed(required[1..].iter().map(|field| field.name()));
        Err(error.with_help(format!("also missing: {others}")))
    }

    /// Those of the fields left out, at least one, without which the value cannot be built.
    fn required(
        &self,
        node: &Node,
        info: &'static TypeInfo,
        parts: &mut Incomplete,
        left_out: &[&'static NamedField],
    ) -> Vec<&'static NamedField> {
        let mut required = left_out.to_vec();
        // Where no value can be made up, there is no default either, and the other fields cannot be tried.
        let unmade = |field: &&&NamedField| self.some_value(field.type_info()).is_none();
        let unmade: Vec<_> = left_out.iter().filter(unmade).copied().collect();
        if !unmade.is_empty() {
            return unmade;
        }
        for field in left_out {
            let (Some(fields), Some(value)) = (parts.fields(), self.some_value(field.type_info()))
            else {
                return required;
            };
            fields.insert_boxed(field.name(), value);
        }
        required.retain(|field| {
            let taken = parts
                .fields()
                .and_then(|fields| fields.remove_by_name(field.name()));
            let built = self.concrete(node, info, parts.whole());
            if let (Some((name, value)), Some(fields)) = (taken, parts.fields()) {
                fields.insert_boxed(name, value);
            }
            built.is_err()
        });
        match required.is_empty() {
            true => left_out.to_vec(),
            false => required,
        }
    }

    /// Any value of a type.
    fn some_value(&self, info: Option<&'static TypeInfo>) -> Option<Box<dyn PartialReflect>> {
        let info = info?;
        if let Some(value) = self.default_of(info) {
            return Some(value.into_partial_reflect());
        }
        let unnamed = |fields: &mut dyn Iterator<Item = &UnnamedField>| {
            let mut tuple = DynamicTuple::default();
            for field in fields {
                tuple.insert_boxed(self.some_value(field.type_info())?);
            }
            Some(tuple)
        };
        let named = |fields: &mut dyn Iterator<Item = &NamedField>| {
            let mut parts = DynamicStruct::default();
            for field in fields {
                parts.insert_boxed(field.name(), self.some_value(field.type_info())?);
            }
            Some(parts)
        };
        Some(match info {
            TypeInfo::Opaque(_) => return None,
            TypeInfo::List(_) => Box::new(DynamicList::default()),
            TypeInfo::Map(_) => Box::new(DynamicMap::default()),
            TypeInfo::Set(_) => Box::new(DynamicSet::default()),
            TypeInfo::Array(array) => {
                let items = (0..array.capacity()).map(|_| self.some_value(array.item_info()));
                Box::new(DynamicArray::new(items.collect::<Option<_>>()?))
            }
            TypeInfo::Tuple(tuple) => Box::new(unnamed(&mut tuple.iter())?),
            TypeInfo::TupleStruct(tuple) => {
                Box::new(DynamicTupleStruct::from(unnamed(&mut tuple.iter())?))
            }
            TypeInfo::Struct(structure) => Box::new(named(&mut structure.iter())?),
            TypeInfo::Enum(variants) => Box::new(match variants.variant_at(0)? {
                VariantInfo::Unit(unit) => DynamicEnum::new(unit.name(), DynamicVariant::Unit),
                VariantInfo::Tuple(tuple) => {
                    DynamicEnum::new(tuple.name(), unnamed(&mut tuple.iter())?)
                }
                VariantInfo::Struct(structure) => {
                    DynamicEnum::new(structure.name(), named(&mut structure.iter())?)
                }
            }),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::decode::tests::{read, refused};
    use super::*;
    use crate::sim::quantity::Unit;

    #[derive(Reflect, Debug, PartialEq)]
    struct Plain {
        #[reflect(@Unit("mV"))]
        v: f32,
        w: Option<f32>,
        name: String,
    }

    #[test]
    fn options_left_out_are_none_and_others_are_missing() {
        let expected = Plain {
            v: 1.0,
            w: None,
            name: "a".into(),
        };
        assert_eq!(read("(v: 1, name: \"a\")"), Ok(expected));
        assert_eq!(
            refused::<Plain>("(name: \"a\")"),
            "f:1:1: missing field \"v\": expected a number (mV)"
        );
        assert_eq!(
            refused::<Vec<Plain>>("[Plain]"),
            "f:1:2: [0]: missing field \"v\": expected a number (mV)\nhelp: also missing: name"
        );
    }

    #[test]
    fn defaults_of_single_fields_count() {
        #[derive(Reflect, Debug, PartialEq)]
        struct Part {
            #[reflect(default)]
            a: u8,
            b: u8,
        }
        assert_eq!(read("(b: 2)"), Ok(Part { a: 0, b: 2 }));
        assert!(refused::<Part>("(a: 1)").contains("missing field"));
    }

    #[derive(Reflect, Debug, PartialEq)]
    enum Mode {
        On { level: [Weight; 2] },
    }

    #[derive(Reflect, Debug, PartialEq)]
    struct Weight(f32);

    #[test]
    fn only_the_fields_that_must_be_given_are_named() {
        #[derive(Reflect, Debug, PartialEq)]
        struct Region {
            #[reflect(default)]
            initial: Vec<(String, f32)>,
            mode: Mode,
            #[reflect(default)]
            seed: u64,
            weight: Weight,
            sizes: std::collections::HashMap<String, u8>,
        }
        assert_eq!(
            refused::<Region>("()"),
            "f:1:1: missing field \"mode\": expected one of On\nhelp: also missing: weight, sizes"
        );
        assert_eq!(
            refused::<Region>("(mode: On(level: [1, 2]), sizes: {})"),
            "f:1:1: missing field \"weight\": expected a number"
        );
        assert!(read::<Region>("(mode: On(level: [1, 2]), sizes: {}, weight: 1)").is_ok());
        assert_eq!(
            refused::<Mode>("On"),
            "f:1:1: missing field \"level\": expected a list of 2 values"
        );
    }
}
