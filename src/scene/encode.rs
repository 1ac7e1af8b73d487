//! From typed values back to text, so that a network can be saved and read again.
//!
//! Every number is written with the digits that give the same bits when it is read, structs and newtypes
//! with their names, options as `Some(…)` and `None`, and maps and sets in the order of their text, so that
//! equal values give equal text. What fits on a line of a hundred characters stands on one.

use super::describe::type_name;
use bevy::reflect::structs::Struct;
use bevy::reflect::{
    FromType, PartialReflect, Reflect, ReflectRef, TypeInfo, TypeRegistry, enums::VariantType,
};
use std::borrow::Cow;
use std::fmt::{self, Write};
use std::path::PathBuf;

/// The longest line, in characters.
const WIDTH: usize = 100;
const INDENT: usize = 4;

/// A value that has no form in a scene: a fault in the definition of its type.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a value of type {type_path} has no form in a scene")]
pub struct EncodeError {
    /// The full path of the type.
    pub type_path: String,
}

/// A type that is written as another value; register it with `#[reflect(Encode)]`.
///
/// It is the counterpart of [`Decode`](super::decode::Decode): a type that reads itself from a bare number may
/// write itself as one, and a type that holds a value of any other type writes that value.
pub trait Encode: Reflect {
    /// The value to write instead; none to write this one by its shape.
    fn written_as(&self) -> Option<&dyn PartialReflect>;
}

/// The type data of [`Encode`].
#[derive(Clone)]
pub struct ReflectEncode {
    /// The value to write instead of a value of the type.
    pub written_as: for<'v> fn(&'v dyn PartialReflect) -> Option<&'v dyn PartialReflect>,
}

impl<T: Encode> FromType<T> for ReflectEncode {
    fn from_type() -> Self {
        Self {
            written_as: |value| value.try_downcast_ref::<T>()?.written_as(),
        }
    }
}

/// The value as text that reads as the same value, by its shape alone.
///
/// # Panics
///
/// If a part of the value is of an opaque type other than numbers, truth values, characters, strings and
/// paths, or a path that is not UTF-8; [`encode_with`] returns an error instead.
pub fn encode(value: &dyn PartialReflect) -> String {
    let registry = TypeRegistry::empty();
    encode_with(value, &registry).unwrap_or_else(|error| panic!("{error}"))
}

/// The value as text that reads as the same value, where types may register how they are written
/// ([`Encode`]).
///
/// # Errors
///
/// A part of the value has no form in a scene.
pub fn encode_with(
    value: &dyn PartialReflect,
    registry: &TypeRegistry,
) -> Result<String, EncodeError> {
    let mut text = String::new();
    piece(value, registry)?.write(&mut text, 0, 0);
    Ok(text)
}

/// A piece of text that can be broken into lines.
enum Piece {
    Word(String),
    Group {
        /// What stands before the items, such as `Lif(`.
        open: String,
        /// Each item with what stands before it, such as `tau: `.
        items: Vec<(String, Piece)>,
        close: &'static str,
        /// The length on one line.
        width: usize,
    },
}

impl Piece {
    fn group(open: String, items: Vec<(String, Piece)>, close: &'static str) -> Self {
        let inner: usize = items
            .iter()
            .map(|(label, item)| label.chars().count() + item.width() + 2)
            .sum();
        Self::Group {
            width: open.chars().count() + inner.saturating_sub(2) + close.len(),
            open,
            items,
            close,
        }
    }

    fn width(&self) -> usize {
        match self {
            Self::Word(word) => word.chars().count(),
            Self::Group { width, .. } => *width,
        }
    }

    /// Writes the piece, where `used` characters stand on its line already.
    fn write(&self, text: &mut String, indent: usize, used: usize) {
        let (open, items, close) = match self {
            Self::Word(word) => return text.push_str(word),
            Self::Group {
                open, items, close, ..
            } => (open, items, close),
        };
        text.push_str(open);
        // One character more for the comma behind it.
        if used + self.width() < WIDTH {
            for (index, (label, item)) in items.iter().enumerate() {
                if index > 0 {
                    text.push_str(", ");
                }
                text.push_str(label);
                item.write(text, indent, 0);
            }
            text.push_str(close);
            return;
        }
        let inner = indent + INDENT;
        let mut column = usize::MAX;
        for (label, item) in items {
            let is_word = label.is_empty() && matches!(item, Self::Word(_));
            if is_word && column.saturating_add(item.width() + 2) < WIDTH {
                text.push(' ');
                column += item.width() + 2;
            } else {
                text.push('\n');
                text.extend(std::iter::repeat_n(' ', inner));
                column = match is_word {
                    true => inner + item.width() + 1,
                    false => usize::MAX,
                };
            }
            text.push_str(label);
            item.write(text, inner, inner + label.chars().count());
            text.push(',');
        }
        text.push('\n');
        text.extend(std::iter::repeat_n(' ', indent));
        text.push_str(close);
    }
}

fn piece(value: &dyn PartialReflect, registry: &TypeRegistry) -> Result<Piece, EncodeError> {
    let info = value.get_represented_type_info();
    let hook = info.and_then(|info| registry.get_type_data::<ReflectEncode>(info.type_id()));
    if let Some(other) = hook.and_then(|hook| (hook.written_as)(value)) {
        return piece(other, registry);
    }
    let name = info.map_or("", type_name);
    Ok(match value.reflect_ref() {
        ReflectRef::Struct(fields) if fields.field_len() == 0 && !name.is_empty() => {
            Piece::Word(name.to_string())
        }
        ReflectRef::Struct(fields) => named(name, fields, registry)?,
        ReflectRef::TupleStruct(fields) => {
            sequence(format!("{name}("), fields.iter_fields(), ")", registry)?
        }
        ReflectRef::Tuple(fields) => {
            sequence("(".to_string(), fields.iter_fields(), ")", registry)?
        }
        ReflectRef::List(items) => sequence("[".to_string(), items.iter(), "]", registry)?,
        ReflectRef::Array(items) => sequence("[".to_string(), items.iter(), "]", registry)?,
        ReflectRef::Set(items) => {
            let mut items: Vec<(String, Piece)> = items
                .iter()
                .map(|item| Ok((encode_with(item, registry)?, piece(item, registry)?)))
                .collect::<Result<_, EncodeError>>()?;
            items.sort_by(|a, b| a.0.cmp(&b.0));
            let items = items.into_iter().map(|(_, item)| (String::new(), item));
            Piece::group("[".to_string(), items.collect(), "]")
        }
        ReflectRef::Map(entries) => {
            let mut entries: Vec<(String, Piece)> = entries
                .iter()
                .map(|(key, value)| {
                    Ok((encode_with(key, registry)? + ": ", piece(value, registry)?))
                })
                .collect::<Result<_, EncodeError>>()?;
            entries.sort_by(|a, b| a.0.cmp(&b.0));
            Piece::group("{".to_string(), entries, "}")
        }
        ReflectRef::Enum(variant) => {
            let name = variant.variant_name();
            let parts = variant.iter_fields();
            match variant.variant_type() {
                VariantType::Unit => Piece::Word(name.to_string()),
                VariantType::Tuple => {
                    let parts = parts.map(|part| part.value());
                    sequence(format!("{name}("), parts, ")", registry)?
                }
                VariantType::Struct => {
                    let labelled = |part: bevy::reflect::enums::VariantField<'_>| {
                        let label = format!("{}: ", part.name().unwrap_or_default());
                        Ok((label, piece(part.value(), registry)?))
                    };
                    let items = parts.map(labelled).collect::<Result<_, EncodeError>>()?;
                    Piece::group(format!("{name}("), items, ")")
                }
            }
        }
        ReflectRef::Opaque(value) => Piece::Word(word(value)?),
    })
}

fn named(name: &str, fields: &dyn Struct, registry: &TypeRegistry) -> Result<Piece, EncodeError> {
    let is_vector = fields
        .get_represented_type_info()
        .is_some_and(|info| info.type_path().starts_with("glam::"));
    if is_vector {
        let values = fields.iter_fields().map(|(_, value)| value);
        return sequence("(".to_string(), values, ")", registry);
    }
    let items = fields
        .iter_fields()
        .map(|(label, value)| Ok((format!("{label}: "), piece(value, registry)?)))
        .collect::<Result<_, EncodeError>>()?;
    Ok(Piece::group(format!("{name}("), items, ")"))
}

/// Values one after the other, without names.
fn sequence<'v>(
    open: String,
    values: impl Iterator<Item = &'v dyn PartialReflect>,
    close: &'static str,
    registry: &TypeRegistry,
) -> Result<Piece, EncodeError> {
    let items = values
        .map(|value| Ok((String::new(), piece(value, registry)?)))
        .collect::<Result<_, EncodeError>>()?;
    Ok(Piece::group(open, items, close))
}

/// A single value as one word.
fn word(value: &dyn PartialReflect) -> Result<String, EncodeError> {
    macro_rules! in_digits {
        ($($number:ty),*) => {$(
            if let Some(number) = value.try_downcast_ref::<$number>() {
                return Ok(format!("{number:?}"));
            }
        )*};
    }
    in_digits!(
        f32, f64, bool, u32, usize, u64, i32, u8, u16, i64, i8, i16, isize, u128, i128
    );
    if let Some(text) = value.try_downcast_ref::<String>() {
        return Ok(string(text));
    }
    if let Some(text) = value.try_downcast_ref::<Cow<'static, str>>() {
        return Ok(string(text));
    }
    if let Some(path) = value
        .try_downcast_ref::<PathBuf>()
        .and_then(|path| path.to_str())
    {
        return Ok(string(path));
    }
    if let Some(letter) = value.try_downcast_ref::<char>() {
        let mut text = String::from("'");
        escape(*letter, '\'', &mut text).map_err(|_| unwritable(value))?;
        return Ok(text + "'");
    }
    Err(unwritable(value))
}

fn unwritable(value: &dyn PartialReflect) -> EncodeError {
    let info = value.get_represented_type_info();
    EncodeError {
        type_path: info.map_or("unknown", TypeInfo::type_path).to_string(),
    }
}

fn string(text: &str) -> String {
    let mut out = String::from("\"");
    for letter in text.chars() {
        // Writing to a string does not fail.
        let _ = escape(letter, '"', &mut out);
    }
    out + "\""
}

fn escape(letter: char, quote: char, out: &mut String) -> fmt::Result {
    match letter {
        '\n' => out.push_str("\\n"),
        '\r' => out.push_str("\\r"),
        '\t' => out.push_str("\\t"),
        '\\' => out.push_str("\\\\"),
        letter if letter == quote => write!(out, "\\{letter}")?,
        letter if letter.is_control() => write!(out, "\\u{{{:x}}}", u32::from(letter))?,
        letter => out.push(letter),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::decode::tests::read;
    use super::*;
    use bevy::reflect::{FromReflect, GetTypeRegistration, Reflect, Typed};
    use std::collections::{BTreeMap, HashMap, HashSet};
    use std::time::Duration;

    #[track_caller]
    fn returns<T>(value: T)
    where
        T: FromReflect + Typed + GetTypeRegistration + PartialEq + std::fmt::Debug,
    {
        let text = encode(&value);
        assert_eq!(read::<T>(&text).as_ref(), Ok(&value), "{text}");
        assert_eq!(encode(&*value.to_dynamic()), text);
    }

    #[derive(Reflect, Clone, Debug, PartialEq)]
    struct Weight(f32);

    #[derive(Reflect, Clone, Debug, PartialEq)]
    enum Kind {
        Off,
        Fixed(Weight),
        Both(u8, Option<Option<u8>>),
        Decaying { tau: f64, name: String },
    }

    #[derive(Reflect, Clone, Debug, PartialEq)]
    struct Everything {
        weight: Weight,
        kinds: Vec<Kind>,
        table: BTreeMap<String, [i16; 2]>,
        pair: (bool, char),
        path: PathBuf,
        none: Option<f32>,
    }

    fn everything() -> Everything {
        Everything {
            weight: Weight(0.1),
            kinds: vec![
                Kind::Off,
                Kind::Fixed(Weight(-0.0)),
                Kind::Both(7, Some(None)),
                Kind::Decaying {
                    tau: 1e-300,
                    name: "a \"quoted\"\n\t\\name\u{7}".into(),
                },
            ],
            table: [("b".into(), [1, 2]), ("a".into(), [-3, 4])].into(),
            pair: (true, '\''),
            path: "data/mnist.idx".into(),
            none: None,
        }
    }

    #[test]
    fn every_value_returns() {
        returns(everything());
        returns(vec![everything(); 3]);
        returns(HashMap::from([
            ("x".to_string(), Some(1_u8)),
            ("y".to_string(), None),
        ]));
        returns(HashSet::from([3_u8, 1, 2]));
        returns((u64::MAX, i64::MIN, u128::MAX, i128::MIN));
        returns(vec![
            "τ".to_string(),
            String::new(),
            "\0\r\u{1F9E0}".to_string(),
        ]);
        returns(Some(Some(Kind::Off)));
        returns(());
    }

    #[test]
    fn floating_point_numbers_return_bit_for_bit() {
        let (mut doubles, mut singles) = (Vec::new(), Vec::new());
        let mut bits = 0x9E37_79B9_7F4A_7C15_u64;
        for _ in 0..20_000 {
            bits = bits.wrapping_mul(0x2545_F491_4F6C_DD1D).rotate_left(17) ^ 0x5851_F42D;
            doubles.extend(Some(f64::from_bits(bits)).filter(|double| double.is_finite()));
            singles.extend(Some(f32::from_bits(bits as u32)).filter(|single| single.is_finite()));
        }
        let back: Vec<f64> = read(&encode(&doubles)).unwrap();
        assert!(
            back.iter()
                .map(|x| x.to_bits())
                .eq(doubles.iter().map(|x| x.to_bits()))
        );
        let back: Vec<f32> = read(&encode(&singles)).unwrap();
        assert!(
            back.iter()
                .map(|x| x.to_bits())
                .eq(singles.iter().map(|x| x.to_bits()))
        );
        for double in [0.0, -0.0, f64::MIN_POSITIVE, 5e-324, f64::MAX, 0.1, 1e16] {
            let back: f64 = read(&encode(&double)).unwrap();
            assert_eq!(back.to_bits(), f64::to_bits(double));
        }
        assert_eq!(encode(&f32::INFINITY), "inf");
        assert_eq!(encode(&f64::NEG_INFINITY), "-inf");
    }

    #[test]
    fn text_is_laid_out_for_people() {
        assert_eq!(
            encode(&everything()),
            r#"Everything(
    weight: Weight(0.1),
    kinds: [
        Off,
        Fixed(Weight(-0.0)),
        Both(7, Some(None)),
        Decaying(tau: 1e-300, name: "a \"quoted\"\n\t\\name\u{7}"),
    ],
    table: {"a": [-3, 4], "b": [1, 2]},
    pair: (true, '\''),
    path: "data/mnist.idx",
    none: None,
)"#
        );
        let text = encode(&(0..60_u32).collect::<Vec<_>>());
        assert_eq!(text.lines().count(), 5, "{text}");
        assert!(
            text.lines().all(|line| line.chars().count() <= WIDTH),
            "{text}"
        );
    }

    #[test]
    fn the_ron_crate_reads_what_is_written() {
        let text = encode(&everything());
        assert!(ron::from_str::<ron::Value>(&text).is_ok(), "{text}");
    }

    #[test]
    fn a_value_without_a_form_is_an_error() {
        let error = encode_with(&vec![Duration::from_secs(1)], &TypeRegistry::empty()).unwrap_err();
        assert_eq!(
            error.to_string(),
            "a value of type core::time::Duration has no form in a scene"
        );
    }
}
