//! The tree of a RON document: values that know where they stand.

/// A value and the place where it begins.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    /// The line, from 1.
    pub line: u32,
    /// The column in characters, from 1.
    pub column: u32,
    /// The value itself.
    pub value: Value,
}

/// What a document can say.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// `()`.
    Unit,
    /// `true` or `false`.
    Bool(bool),
    /// A number; also `inf`, `-inf` and `NaN`.
    Number(Number),
    /// `"text"`, escapes resolved.
    Str(String),
    /// `'c'`.
    Char(char),
    /// `[a, b]`.
    List(Vec<Node>),
    /// `(a, b)` or `Name(a, b)`, with at least one item.
    Tuple {
        /// The name in front of the parentheses.
        name: Option<String>,
        /// What is between them.
        items: Vec<Node>,
    },
    /// `(a: 1)`, `Name(a: 1)` or `Name()`.
    Struct {
        /// The name in front of the parentheses; there always is one if there are no fields.
        name: Option<String>,
        /// The fields in the order written; no name comes twice.
        fields: Vec<Field>,
    },
    /// `{key: value}` in the order written; no plain key comes twice.
    Map(Vec<(Node, Node)>),
    /// A bare name, such as a variant without values.
    Ident(String),
    /// `Some(value)`.
    Some(Box<Node>),
    /// `None`.
    None,
}

/// A named value inside parentheses, and where its name stands.
#[derive(Clone, Debug, PartialEq)]
pub struct Field {
    /// The name.
    pub name: String,
    /// The line of the name, from 1.
    pub line: u32,
    /// The column of the name, from 1.
    pub column: u32,
    /// The value.
    pub value: Node,
}

/// A number as it was written.
#[derive(Clone, Debug, PartialEq)]
pub struct Number {
    /// The text, such as `1_000`, `0xFF` or `-2.5e-3`.
    pub text: Box<str>,
    /// The nearest 64-bit floating-point number.
    pub value: f64,
    /// Whether it was written as a whole number, without point or exponent.
    pub is_integer: bool,
}

/// A whole number of any size that a Rust integer can have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Whole {
    /// Whether it is below zero; never for zero.
    pub negative: bool,
    /// Its distance from zero.
    pub magnitude: u128,
}

impl Number {
    /// The exact value of a number written as a whole number, up to 128 bits.
    pub fn whole(&self) -> Option<Whole> {
        let (negative, digits, radix) = digits(&self.text);
        let magnitude = self.is_integer.then(|| magnitude(digits, radix))??;
        Some(Whole {
            negative: negative && magnitude > 0,
            magnitude,
        })
    }
}

impl Node {
    /// The field `name` of a struct.
    pub fn field(&self, name: &str) -> Option<&Field> {
        match &self.value {
            Value::Struct { fields, .. } => fields.iter().find(|field| field.name == name),
            _ => None,
        }
    }

    /// Takes the field `name` out of a struct.
    pub fn take_field(&mut self, name: &str) -> Option<Field> {
        match &mut self.value {
            Value::Struct { fields, .. } => {
                let index = fields.iter().position(|field| field.name == name)?;
                Some(fields.remove(index))
            }
            _ => None,
        }
    }
}

/// The sign, the digits and the radix of a whole number, its suffix left out.
fn digits(text: &str) -> (bool, &str, u32) {
    let negative = text.starts_with('-');
    let text = text.strip_prefix(['+', '-']).unwrap_or(text);
    let (radix, digits) = match text.get(..2) {
        Some("0x") => (16, &text[2..]),
        Some("0o") => (8, &text[2..]),
        Some("0b") => (2, &text[2..]),
        _ => (10, text),
    };
    for suffix in ["8", "16", "32", "64", "128"] {
        if let Some(plain) = digits
            .strip_suffix(suffix)
            .and_then(|d| d.strip_suffix(['i', 'u']))
        {
            return (negative, plain, radix);
        }
    }
    (negative, digits, radix)
}

/// The value of digits that may have underscores between them, if 128 bits can hold it.
fn magnitude(digits: &str, radix: u32) -> Option<u128> {
    let mut magnitude = 0_u128;
    for digit in digits.chars().filter(|c| *c != '_') {
        magnitude = magnitude
            .checked_mul(radix.into())?
            .checked_add(digit.to_digit(radix)?.into())?;
    }
    Some(magnitude)
}

/// The value of a number and whether it was written as a whole one; none if the text is not a number.
pub(super) fn number_value(text: &str) -> Option<(f64, bool)> {
    let (negative, whole, radix) = digits(text);
    let sign = if negative { -1.0 } else { 1.0 };
    match whole {
        "inf" => return Some((sign * f64::INFINITY, false)),
        "NaN" => return Some((f64::NAN, false)),
        _ => {}
    }
    let is_integer = whole.starts_with(|c: char| c.is_digit(radix))
        && whole.chars().all(|c| c == '_' || c.is_digit(radix));
    if radix != 10 {
        let exact = is_integer.then(|| magnitude(whole, radix))??;
        return Some((sign * exact as f64, true));
    }
    let plain = whole
        .strip_suffix("f32")
        .or(whole.strip_suffix("f64"))
        .unwrap_or(whole);
    let allowed = |c: char| c.is_ascii_digit() || matches!(c, '_' | '.' | 'e' | 'E' | '+' | '-');
    let starts_well = plain.starts_with(|c: char| c.is_ascii_digit() || c == '.');
    if !starts_well || !plain.chars().all(allowed) {
        return None;
    }
    let value: f64 = plain.replace('_', "").parse().ok()?;
    Some((sign * value, is_integer))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(text: &str) -> Number {
        let (value, is_integer) = number_value(text).expect(text);
        Number {
            text: text.into(),
            value,
            is_integer,
        }
    }

    #[test]
    fn numbers_have_their_value() {
        for (text, value) in [
            ("0", 0.0),
            ("-1_000", -1000.0),
            ("+3", 3.0),
            ("5.", 5.0),
            (".5", 0.5),
            ("-.5e-1", -0.05),
            ("1E3", 1000.0),
            ("1_0.2_5", 10.25),
            ("2.5f32", 2.5),
            ("7u8", 7.0),
            ("0xFF", 255.0),
            ("0b1_01", 5.0),
            ("-0o17i32", -15.0),
            ("inf", f64::INFINITY),
            ("-inf", f64::NEG_INFINITY),
        ] {
            assert_eq!(number(text).value, value, "{text}");
        }
        assert!(number("NaN").value.is_nan());
        assert!(number("-0").value.is_sign_negative());
    }

    #[test]
    fn what_is_not_a_number_has_no_value() {
        for text in [
            "",
            "-",
            ".",
            "_1",
            "1e",
            "1e+",
            "20ms",
            "1.2.3",
            "0..10",
            "0x",
            "0xG",
            "0b2",
            "0x1.5",
            "nan",
            "Inf",
            "infinity",
            "1-2",
            "+-1",
            "e5",
            "1i7",
            "f32",
            "u8",
            "τ",
            "0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF",
        ] {
            assert_eq!(number_value(text), None, "{text}");
        }
    }

    #[test]
    fn whole_numbers_are_exact_to_128_bits() {
        let whole = |text: &str| number(text).whole();
        let exact = |negative, magnitude| {
            Some(Whole {
                negative,
                magnitude,
            })
        };
        assert_eq!(whole("18446744073709551615"), exact(false, u64::MAX.into()));
        assert_eq!(whole("-9223372036854775808"), exact(true, 1 << 63));
        assert_eq!(
            whole("0xFFFF_FFFF_FFFF_FFFFu64"),
            exact(false, u64::MAX.into())
        );
        assert_eq!(whole(&u128::MAX.to_string()), exact(false, u128::MAX));
        assert_eq!(whole(&format!("{}0", u128::MAX)), None);
        assert_eq!(whole("-0"), exact(false, 0));
        assert_eq!(whole("3.0"), None);
        assert_eq!(whole("3e2"), None);
    }
}
