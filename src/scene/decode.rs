//! From a tree of values to typed values, through the type registry.
//!
//! A [`Decoder`] knows no type by name. It follows the [`TypeInfo`] of whatever it is asked for and the
//! attributes of its fields ([`Unit`], [`Range`]), so that a model written elsewhere can be loaded from a scene
//! as soon as it is registered.
//!
//! * **Numbers** may be expressions in quotes (see [`super::expression`]). They are checked against the field's
//!   [`Range`] and the range of their type; a whole number may be written `3`, `3.0` or `"6 / 2"`.
//! * **Structs** are written `Name(field: value)`, the name optional. Fields left out have the value of the
//!   type's `ReflectDefault`; without one, an `Option` left out is `None` and other fields are required.
//! * **Newtypes** may be written bare: `3.0` for `Millivolts(3.0)`.
//! * **Options** may be written bare: `3.0` for `Some(3.0)`.
//! * **Maps** `{key: value}` serve for maps and for lists of pairs; **lists** `[a, b]` for lists, arrays and
//!   sets.
//!
//! Two hooks open this to what the types alone cannot say. A type that registers [`ReflectDecode`] reads
//! itself ([`Decode`]); and [`Decoder::decode_named`] reads a value whose type is chosen by the name in the
//! text, among candidates that the caller finds in the registry.

use super::describe::{expected, found};
use super::error::{SceneError, quoted};
use super::expression::Context;
use super::parse::Node;
use bevy::reflect::attributes::CustomAttributes;
use bevy::reflect::{
    FromReflect, PartialReflect, ReflectFromReflect, ReflectMut, ReflectOwned, TypeInfo,
    TypeRegistration, TypeRegistry, Typed,
};

pub use super::encode::{Encode, EncodeError, ReflectEncode, encode, encode_with};
pub use super::hooks::{Decode, Decoded, ReflectDecode};
pub use crate::sim::quantity::{Range, Unit};

/// Reads typed values from the tree of one file.
///
/// A decoder also stands for a place: [`Decoder::at_field`] and its like give decoders for the places inside,
/// whose errors carry the path that leads there.
#[derive(Clone, Copy)]
pub struct Decoder<'a> {
    pub(super) registry: &'a TypeRegistry,
    pub(super) context: &'a Context,
    file: &'a str,
    parent: Option<&'a Decoder<'a>>,
    step: Step<'a>,
    pub(super) unit: Option<&'static str>,
    pub(super) range: Option<Range>,
}

/// One step on the path to a value.
#[derive(Clone, Copy)]
enum Step<'a> {
    Root,
    Field(&'a str),
    Index(usize),
    Key(&'a str),
}

impl<'a> Decoder<'a> {
    /// A decoder for the whole of `file`.
    pub fn new(registry: &'a TypeRegistry, context: &'a Context, file: &'a str) -> Self {
        Self {
            registry,
            context,
            file,
            parent: None,
            step: Step::Root,
            unit: None,
            range: None,
        }
    }

    /// The registry.
    pub fn registry(&self) -> &'a TypeRegistry {
        self.registry
    }

    /// The parameters and definitions that expressions may use.
    pub fn context(&self) -> &'a Context {
        self.context
    }

    /// The unit of the field that is being read.
    pub fn unit(&self) -> Option<&'static str> {
        self.unit
    }

    /// The range of the field that is being read.
    pub fn range(&self) -> Option<Range> {
        self.range
    }

    /// The decoder for a field, which has no unit and no range yet.
    pub fn at_field<'b>(&'b self, name: &'b str) -> Decoder<'b> {
        self.inside(Step::Field(name)).without_attributes()
    }

    /// The decoder for an item of a list or tuple. It has the unit and range of the whole.
    pub fn at_index(&self, index: usize) -> Decoder<'_> {
        self.inside(Step::Index(index))
    }

    /// The decoder for an entry of a map. It has the unit and range of the whole.
    pub fn at_key<'b>(&'b self, key: &'b str) -> Decoder<'b> {
        self.inside(Step::Key(key))
    }

    fn inside<'b>(&'b self, step: Step<'b>) -> Decoder<'b> {
        Decoder {
            parent: Some(self),
            step,
            ..*self
        }
    }

    /// The same place with the unit and range that `attributes` give, where they give any.
    pub fn with_attributes(self, attributes: &CustomAttributes) -> Self {
        Self {
            unit: attributes.get::<Unit>().map(|unit| unit.0).or(self.unit),
            range: attributes.get::<Range>().copied().or(self.range),
            ..self
        }
    }

    /// The same place without unit and range.
    pub(super) fn without_attributes(self) -> Self {
        Self {
            unit: None,
            range: None,
            ..self
        }
    }

    /// The path of this place, such as `regions[2].model.tau_m`.
    pub fn path(&self) -> String {
        let mut path = self.parent.map_or_else(String::new, Decoder::path);
        match self.step {
            Step::Root => {}
            Step::Field(name) if path.is_empty() => path.push_str(name),
            Step::Field(name) => path.extend([".", name]),
            Step::Index(index) => path.push_str(&format!("[{index}]")),
            Step::Key(key) => path.push_str(&format!("[{}]", quoted(key))),
        }
        path
    }

    /// An error at `node` and this place.
    pub fn error(&self, node: &Node, message: impl Into<String>) -> SceneError {
        self.error_at(node.line, node.column, message)
    }

    pub(super) fn error_at(
        &self,
        line: u32,
        column: u32,
        message: impl Into<String>,
    ) -> SceneError {
        SceneError {
            file: self.file.to_string(),
            line,
            column,
            path: self.path(),
            message: message.into(),
            help: None,
        }
    }

    /// The error that something else was expected than what is at `node`: `expected a list, found 3`.
    pub fn expected(&self, node: &Node, what: &str) -> SceneError {
        self.error(node, format!("expected {what}, found {}", found(node)))
    }

    /// Reads a value of type `T`.
    pub fn decode<T: FromReflect + Typed>(&self, node: &Node) -> Result<T, SceneError> {
        let value = self.decode_info(node, T::type_info())?;
        self.taken(node, value)
    }

    /// Reads a value of type `T` by its shape, even if it has a way of its own to read itself.
    pub fn decode_plain<T: FromReflect + Typed>(&self, node: &Node) -> Result<T, SceneError> {
        let value = self.decode_shape(node, T::type_info())?;
        self.taken(node, value)
    }

    fn taken<T: FromReflect + Typed>(
        &self,
        node: &Node,
        value: Box<dyn PartialReflect>,
    ) -> Result<T, SceneError> {
        T::take_from_reflect(value).map_err(|_| self.unbuildable(node, T::type_info()))
    }

    /// Reads a value of a registered type.
    ///
    /// The value is of the type itself if the type has `ReflectFromReflect`, as all that derive `Reflect` have;
    /// arrays and tuples, which have not, come as dynamic values.
    pub fn decode_type(&self, node: &Node, registration: &TypeRegistration) -> Decoded {
        self.decode_info(node, registration.type_info())
    }

    /// Reads a value by its own way if it has one, else by its shape.
    pub(super) fn decode_info(&self, node: &Node, info: &'static TypeInfo) -> Decoded {
        match self.registry.get_type_data::<ReflectDecode>(info.type_id()) {
            Some(hook) => (hook.decode)(self, node),
            None => self.decode_shape(node, info),
        }
    }

    fn decode_shape(&self, node: &Node, info: &'static TypeInfo) -> Decoded {
        match info {
            TypeInfo::Struct(fields) => self.structure(node, info, fields),
            TypeInfo::TupleStruct(fields) => self.tuple_struct(node, info, fields),
            TypeInfo::Tuple(fields) => self.tuple(node, info, fields),
            TypeInfo::List(list) => self.list(node, info, list),
            TypeInfo::Array(array) => self.array(node, info, array),
            TypeInfo::Map(map) => self.map(node, info, map),
            TypeInfo::Set(set) => self.set(node, info, set),
            TypeInfo::Enum(variants) => self.variant(node, info, variants),
            TypeInfo::Opaque(_) => self.scalar(node, info).unwrap_or_else(|| {
                let name = info.type_path_table().short_path();
                Err(self.error(node, format!("a {name} cannot be written in a scene")))
            }),
        }
    }

    /// The value of the type itself that has the parts of a dynamic one; none if the type is not registered or,
    /// as arrays and tuples, cannot be built without being known.
    pub(super) fn concrete(
        &self,
        node: &Node,
        info: &'static TypeInfo,
        value: &dyn PartialReflect,
    ) -> Result<Option<Box<dyn PartialReflect>>, SceneError> {
        let id = info.type_id();
        let Some(builder) = self.registry.get_type_data::<ReflectFromReflect>(id) else {
            return Ok(None);
        };
        match builder.from_reflect(value) {
            Some(value) => Ok(Some(value.into_partial_reflect())),
            None => Err(self.unbuildable(node, info)),
        }
    }

    /// The same, or else the dynamic value.
    pub(super) fn finished(
        &self,
        node: &Node,
        info: &'static TypeInfo,
        value: Box<dyn PartialReflect>,
    ) -> Decoded {
        Ok(self.concrete(node, info, &*value)?.unwrap_or(value))
    }

    fn unbuildable(&self, node: &Node, info: &TypeInfo) -> SceneError {
        let message = format!(
            "{} cannot be built from {}",
            info.type_path_table().short_path(),
            found(node)
        );
        self.error(node, message)
    }

    /// The error that a value of type `info` was expected.
    pub(super) fn mismatch(&self, node: &Node, info: &TypeInfo) -> SceneError {
        self.expected(node, &expected(info, self.unit))
    }
}

/// Puts `value` in the place of `target`, which has the same type; arrays and tuples, which may come as
/// dynamic values, are put in item by item. Returns whether the types did agree.
pub(super) fn assign(target: &mut dyn PartialReflect, value: Box<dyn PartialReflect>) -> bool {
    let value = match value.try_into_reflect() {
        Ok(value) => {
            let target = target.try_as_reflect_mut();
            return target.is_some_and(|target| target.set(value).is_ok());
        }
        Err(value) => value,
    };
    match (target.reflect_mut(), value.reflect_owned()) {
        (ReflectMut::Array(target), ReflectOwned::Array(value)) => {
            target.len() == value.len()
                && value
                    .drain()
                    .into_iter()
                    .enumerate()
                    .all(|(index, item)| target.get_mut(index).is_some_and(|t| assign(t, item)))
        }
        (ReflectMut::Tuple(target), ReflectOwned::Tuple(value)) => {
            target.field_len() == value.field_len()
                && value
                    .drain()
                    .into_iter()
                    .enumerate()
                    .all(|(index, item)| target.field_mut(index).is_some_and(|t| assign(t, item)))
        }
        _ => false,
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::super::context::named_nodes;
    use super::super::parse::parse;
    use super::*;
    use bevy::reflect::GetTypeRegistration;

    /// Reads `text` as a `T`, with the parameters n = 4 and scale = 0.5.
    pub(in crate::scene) fn read<T>(text: &str) -> Result<T, String>
    where
        T: FromReflect + Typed + GetTypeRegistration,
    {
        let mut registry = TypeRegistry::new();
        registry.register::<T>();
        read_with(&registry, |decoder, node| decoder.decode(node), text)
    }

    pub(in crate::scene) fn read_with<T>(
        registry: &TypeRegistry,
        read: impl Fn(&Decoder<'_>, &Node) -> Result<T, SceneError>,
        text: &str,
    ) -> Result<T, String> {
        let parameters = parse("(n: 4, scale: 0.5)", "f").unwrap();
        let parameters = named_nodes("f", "", &parameters).unwrap();
        let context = Context::new("f", &parameters, &[], &[]).unwrap();
        let node = parse(text, "f").unwrap_or_else(|error| panic!("{text}: {error}"));
        read(&Decoder::new(registry, &context, "f"), &node).map_err(|error| error.to_string())
    }

    /// The error that reading `text` as a `T` gives.
    pub(in crate::scene) fn refused<T>(text: &str) -> String
    where
        T: FromReflect + Typed + GetTypeRegistration + std::fmt::Debug,
    {
        read::<T>(text).expect_err(text)
    }

    #[test]
    fn a_type_that_no_scene_can_write_is_an_error() {
        assert_eq!(
            refused::<std::time::Duration>("3"),
            "f:1:1: a Duration cannot be written in a scene"
        );
    }

    #[test]
    fn unregistered_types_are_read_as_far_as_their_shape_goes() {
        let read = |text| {
            read_with(
                &TypeRegistry::empty(),
                |decoder, node| decoder.decode(node),
                text,
            )
        };
        assert_eq!(read("[(1, Some(2))]"), Ok(vec![(1_u8, Some(2_i64))]));
    }
}
