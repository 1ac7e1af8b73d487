//! One section of a snapshot: an array of one element type, or a text.

use std::borrow::Cow;
use std::fmt;

/// What one section of a snapshot holds.
///
/// Two sections are equal when their type and their bits are equal, so that a NaN equals itself and 0.0 differs from
/// -0.0. A scalar is an array of length one.
#[derive(Clone, Debug)]
pub enum Section {
    /// Bytes, flags.
    U8(Vec<u8>),
    /// Unsigned 32-bit integers: indices, spikes.
    U32(Vec<u32>),
    /// Signed 32-bit integers: fixed-point input.
    I32(Vec<i32>),
    /// Signed 64-bit integers: wide fixed-point input.
    I64(Vec<i64>),
    /// Unsigned 64-bit integers: counters, keys, birth numbers.
    U64(Vec<u64>),
    /// 32-bit floats: columns, weights.
    F32(Vec<f32>),
    /// 64-bit floats: slow variables.
    F64(Vec<f64>),
    /// UTF-8 text: the scene.
    Text(String),
}

/// The element type of a [`Section`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// 8-bit unsigned integers.
    U8,
    /// 32-bit unsigned integers.
    U32,
    /// 32-bit signed integers.
    I32,
    /// 64-bit signed integers.
    I64,
    /// 64-bit unsigned integers.
    U64,
    /// 32-bit floats.
    F32,
    /// 64-bit floats.
    F64,
    /// UTF-8 text.
    Text,
}

/// A number that a [`Section`] can hold an array of: `u8`, `u32`, `i32`, `i64`, `u64`, `f32` or `f64`.
pub trait Element: bytemuck::Pod + sealed::Sealed {
    /// The section type that holds this element.
    const KIND: Kind;
    /// The values of `section`, if it holds this element.
    fn slice_of(section: &Section) -> Option<&[Self]>;
    /// The values of `section` without a copy, or the section itself if it holds another element.
    fn vec_of(section: Section) -> Result<Vec<Self>, Section>;
}

mod sealed {
    /// Keeps `Element` to the types that the format knows.
    pub trait Sealed {}
}

impl Kind {
    /// Every type with its code in the file. Codes are never reused.
    const CODES: [(Kind, u8); 8] = [
        (Kind::U8, 1),
        (Kind::U32, 2),
        (Kind::I32, 3),
        (Kind::I64, 4),
        (Kind::U64, 5),
        (Kind::F32, 6),
        (Kind::F64, 7),
        (Kind::Text, 8),
    ];

    /// Bytes per element; for text, 1.
    pub const fn width(self) -> usize {
        match self {
            Kind::U8 | Kind::Text => 1,
            Kind::U32 | Kind::I32 | Kind::F32 => 4,
            Kind::I64 | Kind::U64 | Kind::F64 => 8,
        }
    }

    /// The code of this type in a file.
    pub(super) fn code(self) -> u8 {
        // Declaration order is code order; `codes_follow_the_declaration` holds it so.
        Self::CODES[self as usize].1
    }

    /// The type that a file's code stands for.
    pub(super) fn from_code(code: u8) -> Option<Kind> {
        Self::CODES
            .iter()
            .find(|known| known.1 == code)
            .map(|known| known.0)
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Kind::U8 => "u8",
            Kind::U32 => "u32",
            Kind::I32 => "i32",
            Kind::I64 => "i64",
            Kind::U64 => "u64",
            Kind::F32 => "f32",
            Kind::F64 => "f64",
            Kind::Text => "text",
        })
    }
}

impl Section {
    /// The element type.
    pub fn kind(&self) -> Kind {
        match self {
            Section::U8(_) => Kind::U8,
            Section::U32(_) => Kind::U32,
            Section::I32(_) => Kind::I32,
            Section::I64(_) => Kind::I64,
            Section::U64(_) => Kind::U64,
            Section::F32(_) => Kind::F32,
            Section::F64(_) => Kind::F64,
            Section::Text(_) => Kind::Text,
        }
    }

    /// The number of elements; for text, of bytes.
    pub fn len(&self) -> usize {
        self.bytes().len() / self.kind().width()
    }

    /// Whether there are no elements.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The elements as they lie in memory, in this machine's byte order.
    pub fn bytes(&self) -> &[u8] {
        match self {
            Section::U8(values) => values,
            Section::U32(values) => bytemuck::cast_slice(values),
            Section::I32(values) => bytemuck::cast_slice(values),
            Section::I64(values) => bytemuck::cast_slice(values),
            Section::U64(values) => bytemuck::cast_slice(values),
            Section::F32(values) => bytemuck::cast_slice(values),
            Section::F64(values) => bytemuck::cast_slice(values),
            Section::Text(text) => text.as_bytes(),
        }
    }

    /// The elements as they lie in a file. No copy on a little-endian machine.
    pub(super) fn little_endian(&self) -> Cow<'_, [u8]> {
        if cfg!(target_endian = "little") {
            return Cow::Borrowed(self.bytes());
        }
        let mut bytes = self.bytes().to_vec();
        reverse_each(&mut bytes, self.kind().width());
        Cow::Owned(bytes)
    }
}

impl PartialEq for Section {
    fn eq(&self, other: &Self) -> bool {
        self.kind() == other.kind() && self.bytes() == other.bytes()
    }
}

impl Eq for Section {}

impl From<String> for Section {
    fn from(text: String) -> Self {
        Section::Text(text)
    }
}

impl From<&str> for Section {
    fn from(text: &str) -> Self {
        Section::Text(text.to_owned())
    }
}

macro_rules! elements {
    ($($element:ident $variant:ident),*) => {$(
        impl sealed::Sealed for $element {}

        impl Element for $element {
            const KIND: Kind = Kind::$variant;

            fn slice_of(section: &Section) -> Option<&[Self]> {
                match section {
                    Section::$variant(values) => Some(values),
                    _ => None,
                }
            }

            fn vec_of(section: Section) -> Result<Vec<Self>, Section> {
                match section {
                    Section::$variant(values) => Ok(values),
                    other => Err(other),
                }
            }
        }

        impl From<$element> for Section {
            fn from(value: $element) -> Self {
                Section::$variant(vec![value])
            }
        }

        impl From<Vec<$element>> for Section {
            fn from(values: Vec<$element>) -> Self {
                Section::$variant(values)
            }
        }

        impl From<&Vec<$element>> for Section {
            fn from(values: &Vec<$element>) -> Self {
                Section::$variant(values.clone())
            }
        }

        impl From<&[$element]> for Section {
            fn from(values: &[$element]) -> Self {
                Section::$variant(values.to_vec())
            }
        }

        impl<const N: usize> From<[$element; N]> for Section {
            fn from(values: [$element; N]) -> Self {
                Section::$variant(values.to_vec())
            }
        }
    )*};
}

elements!(u8 U8, u32 U32, i32 I32, i64 I64, u64 U64, f32 F32, f64 F64);

/// Turns each element of `width` bytes from little-endian into this machine's byte order, or back.
pub(super) fn little_endian_to_native(bytes: &mut [u8], width: usize) {
    if cfg!(target_endian = "big") {
        reverse_each(bytes, width);
    }
}

fn reverse_each(bytes: &mut [u8], width: usize) {
    bytes.chunks_exact_mut(width).for_each(<[u8]>::reverse);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_follow_the_declaration() {
        for (kind, code) in Kind::CODES {
            assert_eq!(kind.code(), code, "{kind}");
            assert_eq!(Kind::from_code(code), Some(kind));
        }
        assert_eq!(Kind::from_code(0), None);
        assert_eq!(Kind::from_code(9), None);
    }

    #[test]
    fn reversing_each_element_is_the_other_byte_order() {
        let mut bytes: Vec<u8> = [1u32, 0xAABB_CCDD]
            .iter()
            .flat_map(|value| value.to_be_bytes())
            .collect();
        reverse_each(&mut bytes, 4);
        let expected: Vec<u8> = [1u32, 0xAABB_CCDD]
            .iter()
            .flat_map(|value| value.to_le_bytes())
            .collect();
        assert_eq!(bytes, expected);
    }

    #[test]
    fn equality_is_of_bits_and_type() {
        assert_eq!(Section::from(f32::NAN), Section::from(f32::NAN));
        assert_ne!(Section::from(0.0f64), Section::from(-0.0f64));
        assert_ne!(Section::from(0u32), Section::from(0i32));
        assert_ne!(Section::from(""), Section::U8(vec![]));
    }
}
