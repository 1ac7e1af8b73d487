//! Enums and options: values that are one of several.

use super::decode::{Decoded, Decoder, assign};
use super::describe::{option_inner, type_in_words};
use super::error::{SceneError, unknown};
use super::fields::{Given, at, without_name};
use super::missing::Incomplete;
use super::parse::{Field, Node, Value};
use bevy::reflect::enums::{DynamicEnum, DynamicVariant, EnumInfo, VariantInfo};
use bevy::reflect::structs::DynamicStruct;
use bevy::reflect::tuple::DynamicTuple;
use bevy::reflect::{NamedField, ReflectMut, TypeInfo, UnnamedField};

impl Decoder<'_> {
    pub(super) fn variant(
        &self,
        node: &Node,
        info: &'static TypeInfo,
        variants: &'static EnumInfo,
    ) -> Decoded {
        if let Some(inner) = option_inner(info) {
            return self.option(node, info, inner);
        }
        let (name, items, fields): (&str, &[Node], &[Field]) = match &node.value {
            Value::Ident(name) => (name, &[], &[]),
            Value::None => ("None", &[], &[]),
            Value::Some(item) => ("Some", std::slice::from_ref(&**item), &[]),
            Value::Tuple {
                name: Some(name),
                items,
            } => (name, items, &[]),
            Value::Struct {
                name: Some(name),
                fields,
            } => (name, &[], fields),
            Value::Str(name) if variants.contains_variant(name) => {
                let error = self.mismatch(node, info);
                return Err(error.with_help(format!("write {name} without quotes")));
            }
            _ => return Err(self.mismatch(node, info)),
        };
        let Some(variant) = variants.variant(name) else {
            let names = variants.iter().map(VariantInfo::name);
            return Err(self.error(node, unknown(&type_in_words(info), name, names)));
        };
        let place = self.with_attributes(variants.custom_attributes());
        let given = items.len() + fields.len();
        let content = match variant {
            VariantInfo::Unit(_) if given == 0 => DynamicVariant::Unit,
            VariantInfo::Unit(_) => {
                return Err(self.error(node, format!("{name} takes no values")));
            }
            VariantInfo::Tuple(tuple) => {
                let place = place.with_attributes(tuple.custom_attributes());
                match (tuple.field_at(0), items) {
                    (Some(field), _) if tuple.field_len() == 1 => {
                        DynamicVariant::Tuple(place.only(node, name, items, fields, field)?)
                    }
                    _ if given == 0 && tuple.field_len() > 0 => {
                        return Err(self.needs_values(node, name));
                    }
                    _ => {
                        self.expect_count(node, items, tuple.field_len(), name)?;
                        DynamicVariant::Tuple(place.items(items, tuple.iter())?)
                    }
                }
            }
            VariantInfo::Struct(structure) => {
                let known: Vec<&'static NamedField> = structure.iter().collect();
                if !items.is_empty() {
                    return Err(self.unnamed(node, name, &known));
                }
                let given = self.fields(fields, &known)?;
                return self.struct_variant(node, info, name, given, &known);
            }
        };
        let index = variants.index_of(name).unwrap_or(0);
        let mut dynamic = DynamicEnum::new_with_index(index, name, content);
        dynamic.set_represented_type(Some(info));
        self.finished(node, info, Box::new(dynamic))
    }

    /// The only value of a variant, whose own parentheses may be left out: `Fixed(a: 1)` for
    /// `Fixed(Settings(a: 1))`.
    fn only(
        &self,
        node: &Node,
        name: &str,
        items: &[Node],
        fields: &[Field],
        field: &UnnamedField,
    ) -> Result<DynamicTuple, SceneError> {
        match (items, field.type_info()) {
            ([item], _) => self.newtype(item, field),
            ([], info) if !fields.is_empty() || matches!(info, Some(TypeInfo::Struct(_))) => {
                self.newtype(&without_name(node, fields), field)
            }
            ([], _) => Err(self.needs_values(node, name)),
            (items, Some(TypeInfo::Tuple(_) | TypeInfo::TupleStruct(_))) => {
                let value = Value::Tuple {
                    name: None,
                    items: items.to_vec(),
                };
                self.newtype(&at(node, value), field)
            }
            (items, _) => Err(self.wrong_count(node, items, 1, name)),
        }
    }

    /// A variant with named fields. If the type's default is the same variant, fields left out have its values.
    fn struct_variant(
        &self,
        node: &Node,
        info: &'static TypeInfo,
        name: &str,
        given: Given,
        known: &[&'static NamedField],
    ) -> Decoded {
        if let Some(mut value) = self.default_of(info)
            && let ReflectMut::Enum(target) = value.reflect_mut()
            && target.variant_name() == name
        {
            for (name, part) in given {
                if !target
                    .field_mut(name)
                    .is_some_and(|field| assign(field, part))
                {
                    return Err(self.error(node, format!("the field {name} cannot be set")));
                }
            }
            return Ok(value.into_partial_reflect());
        }
        let mut parts = DynamicStruct::default();
        let missing = self.complete(given, known, &mut parts);
        let mut dynamic = DynamicEnum::new(name, parts);
        dynamic.set_represented_type(Some(info));
        self.built(node, info, Incomplete::Variant(dynamic), &missing)
    }

    fn option(&self, node: &Node, info: &'static TypeInfo, inner: &'static TypeInfo) -> Decoded {
        let content = match &node.value {
            Value::None => None,
            Value::Some(node) => Some(self.decode_info(node, inner)?),
            _ => Some(self.decode_info(node, inner)?),
        };
        let mut dynamic = match content {
            None => DynamicEnum::new("None", DynamicVariant::Unit),
            Some(content) => {
                let mut tuple = DynamicTuple::default();
                tuple.insert_boxed(content);
                DynamicEnum::new("Some", tuple)
            }
        };
        dynamic.set_represented_type(Some(info));
        self.finished(node, info, Box::new(dynamic))
    }
}

#[cfg(test)]
mod tests {
    use super::super::decode::tests::{read, refused};
    use crate::sim::quantity::{Range, Unit};
    use bevy::reflect::Reflect;
    use bevy::reflect::prelude::ReflectDefault;

    #[derive(Reflect, Clone, Debug, PartialEq, Default)]
    #[reflect(Default)]
    struct Settings {
        a: u8,
    }

    #[derive(Reflect, Clone, Debug, PartialEq)]
    #[reflect(Default)]
    enum Rule {
        None,
        Off,
        Fixed(#[reflect(@Unit("ms"), @Range::positive())] f32),
        Both(f32, f32),
        Pairs((u8, u8)),
        Set(Settings),
        Decaying {
            #[reflect(@Unit("ms"), @Range::positive())]
            tau: f32,
            floor: f32,
        },
        Rising {
            tau: f32,
            top: Option<f32>,
        },
    }

    impl Default for Rule {
        fn default() -> Self {
            Self::Decaying {
                tau: 20.0,
                floor: 0.1,
            }
        }
    }

    #[test]
    fn every_kind_of_variant_is_read() {
        for (text, rule) in [
            ("None", Rule::None),
            ("Off()", Rule::Off),
            ("Fixed(3)", Rule::Fixed(3.0)),
            ("Fixed(\"n\")", Rule::Fixed(4.0)),
            ("Both(1, 2)", Rule::Both(1.0, 2.0)),
            ("Pairs((1, 2))", Rule::Pairs((1, 2))),
            ("Pairs(1, 2)", Rule::Pairs((1, 2))),
            ("Set(Settings(a: 1))", Rule::Set(Settings { a: 1 })),
            ("Set((a: 1))", Rule::Set(Settings { a: 1 })),
            ("Set(a: 1)", Rule::Set(Settings { a: 1 })),
            ("Set", Rule::Set(Settings { a: 0 })),
            ("Set()", Rule::Set(Settings { a: 0 })),
            (
                "Decaying(tau: 5, floor: 0)",
                Rule::Decaying {
                    tau: 5.0,
                    floor: 0.0,
                },
            ),
            (
                "Decaying(tau: 5)",
                Rule::Decaying {
                    tau: 5.0,
                    floor: 0.1,
                },
            ),
            ("Decaying", Rule::default()),
            (
                "Rising(tau: 5)",
                Rule::Rising {
                    tau: 5.0,
                    top: None,
                },
            ),
            (
                "Rising(tau: 5, top: 1)",
                Rule::Rising {
                    tau: 5.0,
                    top: Some(1.0),
                },
            ),
        ] {
            assert_eq!(read(text), Ok(rule), "{text}");
        }
    }

    #[test]
    fn wrong_variants_are_refused() {
        for (text, error) in [
            (
                "Fixd(3)",
                "unknown rule \"Fixd\"; did you mean \"Fixed\"? known: None, Off, Fixed, Both, Pairs, Set, Decaying, Rising",
            ),
            (
                "3",
                "expected one of None, Off, Fixed, Both, Pairs, Set, Decaying, Rising, found 3",
            ),
            (
                "\"None\"",
                "expected one of None, Off, Fixed, Both, Pairs, Set, Decaying, Rising, found the string \"None\"\nhelp: write None without quotes",
            ),
            (
                "(tau: 1)",
                "expected one of None, Off, Fixed, Both, Pairs, Set, Decaying, Rising, found fields in parentheses",
            ),
            ("Off(3)", "Off takes no values"),
            ("Fixed", "Fixed needs a value: Fixed(…)"),
            ("Fixed(1, 2)", "expected 1 value in Fixed(…), found 2"),
            ("Both", "Both needs a value: Both(…)"),
            ("Both(1)", "expected 2 values in Both(…), found 1"),
            ("Both(a: 1)", "expected 2 values in Both(…), found 0"),
            (
                "Decaying(1)",
                "Decaying has named fields: tau, floor\nhelp: write Decaying(tau: …)",
            ),
            ("Rising", "missing field \"tau\": expected a number"),
            (
                "Some(3)",
                "unknown rule \"Some\"; did you mean \"None\"? known: None, Off, Fixed, Both, Pairs, Set, Decaying, Rising",
            ),
        ] {
            let text_refused = refused::<Rule>(text);
            assert_eq!(text_refused, format!("f:1:1: {error}"), "{text}");
        }
        assert_eq!(
            refused::<Rule>("Fixed(0)"),
            "f:1:7: 0 is out of range: must be more than 0 (ms)"
        );
        assert_eq!(
            refused::<Rule>("Decaying(tau: -1)"),
            "f:1:15: tau: -1 is out of range: must be more than 0 (ms)"
        );
        assert_eq!(
            refused::<Rule>("Decaying(\n tua: 1)"),
            "f:2:2: unknown field \"tua\"; did you mean \"tau\"? known: tau, floor"
        );
    }

    #[test]
    fn options_may_be_written_bare() {
        assert_eq!(read("None"), Ok(None::<f32>));
        assert_eq!(read("3"), Ok(Some(3.0_f32)));
        assert_eq!(read("Some(3)"), Ok(Some(3.0_f32)));
        assert_eq!(read("Some(None)"), Ok(Some(None::<f32>)));
        assert_eq!(read("Some(None)"), Ok(Some(Rule::None)));
        assert_eq!(
            read("[1, None, Some(2)]"),
            Ok(vec![Some(1_u8), None, Some(2)])
        );
        assert_eq!(
            refused::<Option<f32>>("true"),
            "f:1:1: expected a number, found true"
        );
    }
}
