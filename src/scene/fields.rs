//! Structs, tuple structs and tuples: values made of fields.

use super::decode::{Decoded, Decoder, assign};
use super::describe::{count, type_name};
use super::error::{SceneError, listed, unknown};
use super::missing::Incomplete;
use super::parse::{Field, Node, Value};
use bevy::reflect::structs::{DynamicStruct, StructInfo};
use bevy::reflect::tuple::{DynamicTuple, TupleInfo};
use bevy::reflect::tuple_struct::{DynamicTupleStruct, TupleStructInfo};
use bevy::reflect::{NamedField, PartialReflect, ReflectMut, TypeInfo, UnnamedField};

/// Fields that were given, with their values.
pub(super) type Given = Vec<(&'static str, Box<dyn PartialReflect>)>;

impl Decoder<'_> {
    pub(super) fn structure(
        &self,
        node: &Node,
        info: &'static TypeInfo,
        fields: &'static StructInfo,
    ) -> Decoded {
        let name = type_name(info);
        let known: Vec<&'static NamedField> = fields.iter().collect();
        let given = match &node.value {
            Value::Unit => Vec::new(),
            Value::Ident(word) if word == name => Vec::new(),
            Value::Struct { name: word, .. } | Value::Tuple { name: word, .. }
                if word.as_ref().is_some_and(|word| word != name) =>
            {
                return Err(self.mismatch(node, info));
            }
            Value::Struct { fields, .. } => self.fields(fields, &known)?,
            Value::Tuple { items, .. } | Value::List(items) if is_vector(info) => {
                self.expect_count(node, items, known.len(), name)?;
                let items = items.iter().zip(&known).enumerate();
                items
                    .map(|(index, (item, field))| {
                        let value = self.at_index(index).part(item, field.type_info())?;
                        Ok((field.name(), value))
                    })
                    .collect::<Result<_, SceneError>>()?
            }
            Value::Tuple { .. } => return Err(self.unnamed(node, name, &known)),
            _ => return Err(self.mismatch(node, info)),
        };
        if let Some(mut value) = self.default_of(info) {
            if let ReflectMut::Struct(target) = value.reflect_mut() {
                for (name, part) in given {
                    if !target
                        .field_mut(name)
                        .is_some_and(|field| assign(field, part))
                    {
                        return Err(self.error(node, format!("the field {name} cannot be set")));
                    }
                }
            }
            return Ok(value.into_partial_reflect());
        }
        let mut parts = DynamicStruct::default();
        let missing = self.complete(given, &known, &mut parts);
        parts.set_represented_type(Some(info));
        self.built(node, info, Incomplete::Struct(parts), &missing)
    }

    /// The values of named fields.
    pub(super) fn fields(
        &self,
        given: &[Field],
        known: &[&'static NamedField],
    ) -> Result<Given, SceneError> {
        given
            .iter()
            .map(|field| {
                let Some(target) = known.iter().find(|known| known.name() == field.name) else {
                    let names = known.iter().map(|known| known.name());
                    let message = unknown("field", &field.name, names);
                    return Err(self.error_at(field.line, field.column, message));
                };
                let place = self.at_field(target.name());
                let place = place.with_attributes(target.custom_attributes());
                Ok((target.name(), place.part(&field.value, target.type_info())?))
            })
            .collect()
    }

    pub(super) fn unnamed(
        &self,
        node: &Node,
        name: &str,
        known: &[&'static NamedField],
    ) -> SceneError {
        let names = listed(known.iter().map(|field| field.name()));
        let first = known.first().map_or("field", |field| field.name());
        self.error(node, format!("{name} has named fields: {names}"))
            .with_help(format!("write {name}({first}: …)"))
    }

    /// Reads a part whose type is known.
    pub(super) fn part(&self, node: &Node, info: Option<&'static TypeInfo>) -> Decoded {
        match info {
            Some(info) => self.decode_info(node, info),
            None => Err(self.error(node, "a value of this type cannot be written in a scene")),
        }
    }

    pub(super) fn wrong_count(
        &self,
        node: &Node,
        items: &[Node],
        wanted: usize,
        name: &str,
    ) -> SceneError {
        let wanted = count(wanted, "value");
        let message = format!("expected {wanted} in {name}(…), found {}", items.len());
        self.error(node, message)
    }

    pub(super) fn expect_count(
        &self,
        node: &Node,
        items: &[Node],
        wanted: usize,
        name: &str,
    ) -> Result<(), SceneError> {
        match items.len() == wanted {
            true => Ok(()),
            false => Err(self.wrong_count(node, items, wanted, name)),
        }
    }

    /// Values that stand one after the other, as fields of a tuple struct, tuple or variant.
    pub(super) fn items<'f>(
        &self,
        items: &[Node],
        fields: impl Iterator<Item = &'f UnnamedField>,
    ) -> Result<DynamicTuple, SceneError> {
        let mut tuple = DynamicTuple::default();
        for (index, (item, field)) in items.iter().zip(fields).enumerate() {
            let place = self.at_index(index);
            let place = place.with_attributes(field.custom_attributes());
            tuple.insert_boxed(place.part(item, field.type_info())?);
        }
        Ok(tuple)
    }

    pub(super) fn tuple_struct(
        &self,
        node: &Node,
        info: &'static TypeInfo,
        fields: &'static TupleStructInfo,
    ) -> Decoded {
        let place = self.with_attributes(fields.custom_attributes());
        let name = type_name(info);
        let named = |word: &Option<String>| word.as_ref().is_some_and(|word| word == name);
        let is_bare = match &node.value {
            Value::Ident(word) => word == name,
            Value::Struct { name: word, fields } => named(word) && fields.is_empty(),
            Value::Unit => fields.field_len() == 0,
            _ => false,
        };
        if is_bare && let Some(value) = self.default_of(info) {
            return Ok(value.into_partial_reflect());
        }
        let items = match (&node.value, fields.field_at(0)) {
            _ if is_bare => DynamicTuple::default(),
            (Value::Tuple { name: word, items }, _) if named(word) => {
                self.expect_count(node, items, fields.field_len(), name)?;
                match (items.as_slice(), fields.field_at(0)) {
                    ([item], Some(field)) => place.newtype(item, field)?,
                    _ => place.items(items, fields.iter())?,
                }
            }
            (value, Some(field)) if fields.field_len() == 1 => match value {
                Value::Struct { name: word, fields } if named(word) => {
                    place.newtype(&without_name(node, fields), field)?
                }
                Value::Tuple { name: None, items } if items.len() == 1 => {
                    place.newtype(&items[0], field)?
                }
                _ => place.newtype(node, field)?,
            },
            (Value::Tuple { name: None, items }, _) => {
                self.expect_count(node, items, fields.field_len(), name)?;
                place.items(items, fields.iter())?
            }
            _ => return Err(place.mismatch(node, info)),
        };
        if is_bare && fields.field_len() > 0 {
            return Err(self.needs_values(node, name));
        }
        let mut dynamic = DynamicTupleStruct::from(items);
        dynamic.set_represented_type(Some(info));
        self.finished(node, info, Box::new(dynamic))
    }

    /// The only value of a newtype or variant: it has the path of the whole.
    pub(super) fn newtype(
        &self,
        node: &Node,
        field: &UnnamedField,
    ) -> Result<DynamicTuple, SceneError> {
        let place = self.with_attributes(field.custom_attributes());
        let mut tuple = DynamicTuple::default();
        tuple.insert_boxed(place.part(node, field.type_info())?);
        Ok(tuple)
    }

    pub(super) fn needs_values(&self, node: &Node, name: &str) -> SceneError {
        self.error(node, format!("{name} needs a value: {name}(…)"))
    }

    pub(super) fn tuple(
        &self,
        node: &Node,
        info: &'static TypeInfo,
        fields: &'static TupleInfo,
    ) -> Decoded {
        let items = match &node.value {
            Value::Unit => [].as_slice(),
            Value::Tuple { name: None, items } => items,
            _ => return Err(self.mismatch(node, info)),
        };
        if items.len() != fields.field_len() {
            return Err(self.mismatch(node, info));
        }
        let mut tuple = self.items(items, fields.iter())?;
        tuple.set_represented_type(Some(info));
        self.finished(node, info, Box::new(tuple))
    }
}

/// Vectors, matrices' columns and quaternions may be written without the names of their fields.
fn is_vector(info: &TypeInfo) -> bool {
    info.type_path().starts_with("glam::")
}

/// The same fields without a name in front.
pub(super) fn without_name(node: &Node, fields: &[Field]) -> Node {
    let value = match fields {
        [] => Value::Unit,
        fields => Value::Struct {
            name: None,
            fields: fields.to_vec(),
        },
    };
    at(node, value)
}

/// Another value at the place of `node`.
pub(super) fn at(node: &Node, value: Value) -> Node {
    Node {
        line: node.line,
        column: node.column,
        value,
    }
}

#[cfg(test)]
mod tests {
    use super::super::decode::tests::{read, refused};
    use crate::sim::quantity::Unit;
    use bevy::reflect::Reflect;
    use bevy::reflect::prelude::ReflectDefault;

    #[derive(Reflect, Clone, Debug, PartialEq)]
    #[reflect(Default)]
    struct Lif {
        #[reflect(@Unit("ms"))]
        tau_m: f32,
        weights: Vec<f32>,
        place: [f32; 2],
        span: (u8, [i32; 1]),
        #[reflect(ignore)]
        scratch: u32,
    }

    impl Default for Lif {
        fn default() -> Self {
            Self {
                tau_m: 10.0,
                weights: vec![1.0, 2.0, 3.0],
                place: [1.0, 2.0],
                span: (1, [2]),
                scratch: 7,
            }
        }
    }

    #[test]
    fn fields_left_out_have_their_default() {
        for text in ["()", "Lif", "Lif()"] {
            assert_eq!(read(text), Ok(Lif::default()), "{text}");
        }
        let expected = Lif {
            weights: vec![9.0],
            place: [5.0, 6.0],
            span: (3, [4]),
            ..Lif::default()
        };
        let text = "Lif(weights: [9], place: [5, 6], span: (3, [4]),)";
        assert_eq!(read(text), Ok(expected));
    }

    #[test]
    fn wrong_names_and_forms_are_refused() {
        for (text, error) in [
            (
                "(tua_m: 1)",
                "f:1:2: unknown field \"tua_m\"; did you mean \"tau_m\"? known: tau_m, weights, place, span",
            ),
            (
                "(scratch: 1)",
                "f:1:2: unknown field \"scratch\"; known: tau_m, weights, place, span",
            ),
            (
                "Izhikevich(tau_m: 1)",
                "f:1:1: expected Lif(…), found Izhikevich(…)",
            ),
            (
                "Izhikevich",
                "f:1:1: expected Lif(…), found the name Izhikevich",
            ),
            (
                "Lif(1, 2)",
                "f:1:1: Lif has named fields: tau_m, weights, place, span\nhelp: write Lif(tau_m: …)",
            ),
            (
                "{\"tau_m\": 1}",
                "f:1:1: expected Lif(…), found a map of 1 entry",
            ),
            ("[1]", "f:1:1: expected Lif(…), found a list of 1 value"),
            (
                "(place: [1])",
                "f:1:9: place: expected a list of 2 values, found a list of 1 value",
            ),
            (
                "(span: (1, [2], 3))",
                "f:1:8: span: expected a tuple of 2 values, found a tuple of 3 values",
            ),
            (
                "(span: (1, [\"x\"]))",
                "f:1:13: span[1][0]: expected a whole number, found the string \"x\": unknown name \"x\"; known: n, scale, pi, e, inf, true, false",
            ),
        ] {
            assert_eq!(refused::<Lif>(text), error);
        }
    }

    #[derive(Reflect, Clone, Debug, PartialEq)]
    struct Weight(f32);

    #[derive(Reflect, Debug, PartialEq)]
    struct Pair(u8, String);

    #[derive(Reflect, Debug, PartialEq)]
    struct Inner(Lif);

    #[derive(Reflect, Debug, PartialEq, Default)]
    #[reflect(Default)]
    struct Marker;

    #[test]
    fn newtypes_may_be_written_bare() {
        for text in ["2.5", "(2.5)", "Weight(2.5)", "\"scale * 5\""] {
            assert_eq!(read(text), Ok(Weight(2.5)), "{text}");
        }
        let inner = Inner(Lif {
            tau_m: 3.0,
            ..Lif::default()
        });
        for text in [
            "(tau_m: 3)",
            "Lif(tau_m: 3)",
            "Inner(tau_m: 3)",
            "Inner(Lif(tau_m: 3))",
        ] {
            assert_eq!(read(text).as_ref(), Ok(&inner), "{text}");
        }
        assert_eq!(
            refused::<Weight>("Weight"),
            "f:1:1: Weight needs a value: Weight(…)"
        );
        assert_eq!(
            refused::<Weight>("Weight(1, 2)"),
            "f:1:1: expected 1 value in Weight(…), found 2"
        );
        assert_eq!(
            refused::<Weight>("Mass(1)"),
            "f:1:1: expected a number, found Mass(…)"
        );
    }

    #[test]
    fn tuple_structs_have_all_their_values() {
        let pair = || Ok(Pair(1, "a".into()));
        assert_eq!(read("(1, \"a\")"), pair());
        assert_eq!(read("Pair(1, \"a\")"), pair());
        assert_eq!(
            refused::<Pair>("(1, \"a\", 2)"),
            "f:1:1: expected 2 values in Pair(…), found 3"
        );
        assert_eq!(
            refused::<Pair>("Pair"),
            "f:1:1: Pair needs a value: Pair(…)"
        );
        assert_eq!(refused::<Pair>("3"), "f:1:1: expected Pair(…), found 3");
        assert_eq!(
            refused::<Pair>("Pair(a: 3)"),
            "f:1:1: expected Pair(…), found Pair(…)"
        );
        assert_eq!(
            refused::<Pair>("(300, \"a\")"),
            "f:1:2: [0]: 300 is out of range: must be from 0 to 255"
        );
        for text in ["Marker", "Marker()", "()"] {
            assert_eq!(read(text), Ok(Marker));
        }
    }

    #[test]
    fn tuples_are_written_without_a_name() {
        assert_eq!(read("(1, true)"), Ok((1_u8, true)));
        assert_eq!(read("(1,)"), Ok((1_u8,)));
        assert_eq!(read("()"), Ok(()));
        assert_eq!(
            refused::<(u8, bool)>("P(1, true)"),
            "f:1:1: expected a tuple of 2 values, found P(…)"
        );
    }

    #[test]
    fn vectors_may_be_written_as_tuples() {
        use bevy::math::{Quat, Vec3};
        let vector = Vec3::new(1.0, 2.0, 3.0);
        for text in [
            "(1, 2, 3)",
            "[1, 2, 3]",
            "Vec3(1, 2, 3)",
            "(x: 1, y: 2, z: 3)",
        ] {
            assert_eq!(read(text), Ok(vector), "{text}");
        }
        assert_eq!(read("(0, 0, 0, 1)"), Ok(Quat::IDENTITY));
        assert_eq!(
            refused::<Vec3>("(1, 2)"),
            "f:1:1: expected 3 values in Vec3(…), found 2"
        );
        assert_eq!(
            super::super::encode::encode(&vec![vector]),
            "[(1.0, 2.0, 3.0)]"
        );
    }
}
