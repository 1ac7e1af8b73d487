//! Numbers and other single values: what may be written for them, and the checks they pass.

use super::decode::{Decoded, Decoder};
use super::describe::{expected, plain};
use super::error::{SceneError, quoted, shortened};
use super::parse::{Node, Value, Whole};
use crate::sim::quantity::Range;
use bevy::reflect::{PartialReflect, TypeInfo};
use std::any::TypeId;
use std::borrow::Cow;
use std::path::PathBuf;

/// The largest whole number up to which 64-bit floating point has every whole number: 2⁵³.
const LARGEST_EXACT: f64 = 9_007_199_254_740_992.0;

/// A number, and how the scene gave it.
struct Quantity<'n> {
    value: f64,
    /// The exact value of a literal that was written as a whole number.
    whole: Option<Whole>,
    /// The literal, or the expression.
    text: &'n str,
    is_expression: bool,
}

impl Quantity<'_> {
    /// `-5`, or `the expression "2 - 7" gives -5, which`.
    fn subject(&self) -> String {
        match self.is_expression {
            true => format!(
                "the expression {} gives {}, which",
                quoted(self.text),
                plain(self.value)
            ),
            false => shortened(self.text),
        }
    }

    /// `3.5`, or `the expression "7 / 2", which gives 3.5`.
    fn found(&self) -> String {
        match self.is_expression {
            true => format!(
                "the expression {}, which gives {}",
                quoted(self.text),
                plain(self.value)
            ),
            false => shortened(self.text),
        }
    }
}

impl Decoder<'_> {
    /// Reads a number: a literal or an expression, within the range of the field that is being read.
    pub fn number(&self, node: &Node) -> Result<f64, SceneError> {
        Ok(self.ranged(node, "a number")?.value)
    }

    /// A number that is not NaN.
    fn quantity<'n>(&self, node: &'n Node, what: &str) -> Result<Quantity<'n>, SceneError> {
        let what = self.with_unit(what);
        match &node.value {
            Value::Number(number) if number.value.is_nan() => {
                Err(self.error(node, format!("expected {what}, found NaN")))
            }
            Value::Number(number) => Ok(Quantity {
                value: number.value,
                whole: number.whole(),
                text: &number.text,
                is_expression: false,
            }),
            Value::Str(text) => match self.context.evaluate(text) {
                Ok(value) => Ok(Quantity {
                    value,
                    whole: None,
                    text,
                    is_expression: true,
                }),
                Err(reason) => {
                    let found = quoted(text);
                    let message = format!("expected {what}, found the string {found}: {reason}");
                    Err(self.error(node, message))
                }
            },
            _ => Err(self.expected(node, &what)),
        }
    }

    /// A number within the field's range.
    fn ranged<'n>(&self, node: &'n Node, what: &str) -> Result<Quantity<'n>, SceneError> {
        let quantity = self.quantity(node, what)?;
        let range = self.range.unwrap_or(Range::finite());
        if range.contains(quantity.value) {
            return Ok(quantity);
        }
        let limits = [range.min, range.max];
        if quantity.value.is_infinite() && limits.contains(&quantity.value) {
            let what = self.with_unit(&what.replacen("a ", "a finite ", 1));
            let found = quantity.found();
            return Err(self.error(node, format!("expected {what}, found {found}")));
        }
        Err(self.out_of_range(node, &quantity, &range.to_string()))
    }

    fn out_of_range(&self, node: &Node, quantity: &Quantity<'_>, allowed: &str) -> SceneError {
        let subject = quantity.subject();
        let allowed = self.with_unit(allowed);
        self.error(
            node,
            format!("{subject} is out of range: must be {allowed}"),
        )
    }

    fn with_unit(&self, what: &str) -> String {
        match self.unit {
            Some(unit) if !unit.is_empty() => format!("{what} ({unit})"),
            _ => what.to_string(),
        }
    }

    /// A number in 32 bits. A literal is rounded once, from its text.
    fn single(&self, node: &Node) -> Result<f32, SceneError> {
        let quantity = self.ranged(node, "a number")?;
        let rounded = quantity.value as f32;
        let single = match (&node.value, quantity.whole) {
            (_, Some(whole)) => (whole.magnitude as f32).copysign(rounded),
            (Value::Number(number), None) => {
                let digits = number.text.replace('_', "");
                let digits = digits.trim_end_matches("f32").trim_end_matches("f64");
                digits.parse().unwrap_or(rounded)
            }
            _ => rounded,
        };
        if single.is_infinite() && quantity.value.is_finite() {
            let subject = quantity.subject();
            return Err(self.error(
                node,
                format!("{subject} is too large for 32 bits; the largest number is about 3.4e38"),
            ));
        }
        // Rounding may have reached a bound that is excluded, such as a tiny number that became 0.
        let range = self.range.unwrap_or(Range::finite());
        let rounded = Range {
            min: f64::from(range.min as f32),
            max: f64::from(range.max as f32),
            ..range
        };
        if !rounded.contains(f64::from(single)) {
            let (subject, single) = (quantity.subject(), plain(single.into()));
            let allowed = self.with_unit(&range.to_string());
            let message = format!("{subject} is {single} in 32 bits: must be {allowed}");
            return Err(self.error(node, message));
        }
        Ok(single)
    }

    /// A whole number from `-low` to `high`.
    fn whole(&self, node: &Node, low: u128, high: u128) -> Result<Whole, SceneError> {
        const WHAT: &str = "a whole number";
        let quantity = self.ranged(node, WHAT)?;
        let value = quantity.value;
        let whole = match quantity.whole {
            Some(whole) => whole,
            None if value.fract() != 0.0 => {
                let (what, found) = (self.with_unit(WHAT), quantity.found());
                let error = self.error(node, format!("expected {what}, found {found}"));
                return Err(match quantity.is_expression {
                    true => error.with_help("round(…), floor(…) or ceil(…) gives a whole number"),
                    false => error,
                });
            }
            None => Whole {
                negative: value < 0.0,
                magnitude: value.abs() as u128,
            },
        };
        if whole.magnitude > if whole.negative { low } else { high } {
            let low = if low == 0 {
                "0".to_string()
            } else {
                format!("-{low}")
            };
            return Err(self.out_of_range(node, &quantity, &format!("from {low} to {high}")));
        }
        if quantity.whole.is_none() && value.abs() > LARGEST_EXACT {
            let subject = quantity.subject();
            let message = format!("{subject} is too large to be exact; write it out in digits");
            return Err(self.error(node, message));
        }
        Ok(whole)
    }

    fn boolean(&self, node: &Node) -> Result<bool, SceneError> {
        const WHAT: &str = "true or false";
        match &node.value {
            Value::Bool(bool) => Ok(*bool),
            Value::Str(_) => {
                let quantity = self.quantity(node, WHAT)?;
                match quantity.value {
                    0.0 => Ok(false),
                    1.0 => Ok(true),
                    _ => {
                        let found = quantity.found();
                        Err(self.error(node, format!("expected {WHAT}, found {found}")))
                    }
                }
            }
            _ => Err(self.expected(node, WHAT)),
        }
    }

    fn text(&self, node: &Node) -> Result<String, SceneError> {
        match &node.value {
            Value::Str(text) => Ok(text.clone()),
            Value::Ident(name) => {
                let error = self.expected(node, "a string");
                Err(error.with_help(format!("a string stands in quotes: {}", quoted(name))))
            }
            _ => Err(self.expected(node, "a string")),
        }
    }

    /// A number, string, character or truth value; none if the type is nothing of the kind.
    pub(super) fn scalar(&self, node: &Node, info: &TypeInfo) -> Option<Decoded> {
        fn boxed<T: PartialReflect>(value: T) -> Box<dyn PartialReflect> {
            Box::new(value)
        }
        let id = info.type_id();
        macro_rules! whole_numbers {
            ($($integer:ty),*) => {$(
                if id == TypeId::of::<$integer>() {
                    let low = (<$integer>::MIN as i128).unsigned_abs();
                    return Some(self.whole(node, low, <$integer>::MAX as u128).map(|whole| {
                        boxed(match whole.negative {
                            true => (whole.magnitude as i128).wrapping_neg() as $integer,
                            false => whole.magnitude as $integer,
                        })
                    }));
                }
            )*};
        }
        whole_numbers!(
            u32, usize, u64, i32, u8, u16, i64, i8, i16, isize, u128, i128
        );
        Some(match id {
            _ if id == TypeId::of::<f32>() => self.single(node).map(boxed),
            _ if id == TypeId::of::<f64>() => self.number(node).map(boxed),
            _ if id == TypeId::of::<bool>() => self.boolean(node).map(boxed),
            _ if id == TypeId::of::<String>() => self.text(node).map(boxed),
            _ if id == TypeId::of::<PathBuf>() => self.text(node).map(PathBuf::from).map(boxed),
            _ if id == TypeId::of::<Cow<'static, str>>() => {
                self.text(node).map(Cow::<'static, str>::Owned).map(boxed)
            }
            _ if id == TypeId::of::<char>() => match node.value {
                Value::Char(letter) => Ok(boxed(letter)),
                _ => Err(self.expected(node, &expected(info, None))),
            },
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::decode::tests::{read, refused};
    use super::*;
    use crate::sim::quantity::Unit;
    use bevy::reflect::Reflect;

    #[derive(Reflect, Debug, PartialEq)]
    struct Cell {
        #[reflect(@Unit("mV"), @Range::finite())]
        v: f32,
    }

    #[test]
    fn numbers_are_literals_or_expressions() {
        assert_eq!(read("(v: -65)"), Ok(Cell { v: -65.0 }));
        assert_eq!(read("(v: \"-13 * (n + 1)\")"), Ok(Cell { v: -65.0 }));
        assert_eq!(read("0.1"), Ok(0.1_f32));
        assert_eq!(read("0.1f32"), Ok(0.1_f32));
        assert_eq!(read("1_0.5e-1"), Ok(1.05_f64));
        assert_eq!(read("0x10"), Ok(16.0_f32));
    }

    #[test]
    fn a_number_that_is_none_says_what_was_found() {
        for (text, found) in [
            (
                "\"abc\"",
                "the string \"abc\": unknown name \"abc\"; known: n, scale, pi, e, inf, true, false",
            ),
            (
                "\"scael * 2\"",
                "the string \"scael * 2\": unknown name \"scael\"; did you mean \"scale\"? known: n, scale, pi, e, inf, true, false",
            ),
            (
                "\"1 / (n - 4)\"",
                "the string \"1 / (n - 4)\": 1 / 0 is a division by zero",
            ),
            ("true", "true"),
            ("()", "()"),
            ("NaN", "NaN"),
            ("'a'", "the character 'a'"),
            ("Lif", "the name Lif"),
            ("Lif()", "Lif()"),
            ("Lif(a: 1)", "Lif(…)"),
            ("(a: 1)", "fields in parentheses"),
            ("(1, 2)", "a tuple of 2 values"),
            ("[1]", "a list of 1 value"),
            ("{}", "a map of 0 entries"),
            ("{1: 2}", "a map of 1 entry"),
            ("None", "None"),
            ("Some(1)", "Some(…)"),
        ] {
            assert_eq!(
                refused::<Cell>(&format!("(v: {text})")),
                format!("f:1:5: v: expected a number (mV), found {found}")
            );
        }
    }

    const POSITIVE_OR_INFINITE: Range = Range {
        max_allowed: true,
        ..Range::positive()
    };

    #[test]
    fn infinity_needs_a_range_that_allows_it() {
        #[derive(Reflect, Debug, PartialEq)]
        struct Decay {
            #[reflect(@Unit("ms"), @POSITIVE_OR_INFINITE)]
            tau: f64,
        }
        assert_eq!(read("(tau: inf)"), Ok(Decay { tau: f64::INFINITY }));
        assert_eq!(read("(tau: \"inf\")"), Ok(Decay { tau: f64::INFINITY }));
        assert_eq!(
            refused::<Decay>("(tau: -inf)"),
            "f:1:7: tau: -inf is out of range: must be more than 0 (ms)"
        );
        assert_eq!(
            refused::<Cell>("(v: inf)"),
            "f:1:5: v: expected a finite number (mV), found inf"
        );
        assert_eq!(
            refused::<Cell>("(v: \"-inf\")"),
            "f:1:5: v: expected a finite number (mV), found the expression \"-inf\", which gives -inf"
        );
        assert_eq!(
            refused::<f64>("inf"),
            "f:1:1: expected a finite number, found inf"
        );
    }

    #[test]
    fn ranges_hold_inside_options_lists_tuples_newtypes_and_variants() {
        #[derive(Reflect, Debug, PartialEq)]
        struct Share(f32);
        #[derive(Reflect, Debug, PartialEq)]
        enum Choice {
            Fixed(f32),
            Free { by: f32 },
        }
        #[derive(Reflect, Debug, PartialEq)]
        struct All {
            #[reflect(@Range::between(0.0, 1.0))]
            p: Vec<(Option<[Share; 1]>, Choice)>,
        }
        assert!(read::<All>("(p: [([1], Fixed(0)), (None, Free(by: 7))])").is_ok());
        assert_eq!(
            refused::<All>("(p: [([1.5], Fixed(0))])"),
            "f:1:8: p[0][0][0]: 1.5 is out of range: must be from 0 to 1"
        );
        assert_eq!(
            refused::<All>("(p: [([1], Fixed(\"n * 2\"))])"),
            "f:1:18: p[0][1]: the expression \"n * 2\" gives 8, which is out of range: must be from 0 to 1"
        );
    }

    #[test]
    fn a_newtype_can_carry_unit_and_range_itself() {
        #[derive(Reflect, Debug, PartialEq)]
        #[reflect(@Unit("Hz"), @Range::non_negative())]
        struct Rate(f64);
        #[derive(Reflect, Debug, PartialEq)]
        struct Input {
            rate: Rate,
        }
        assert_eq!(read("(rate: 8)"), Ok(Input { rate: Rate(8.0) }));
        assert_eq!(
            refused::<Input>("(rate: -8)"),
            "f:1:8: rate: -8 is out of range: must be 0 or more (Hz)"
        );
        assert_eq!(
            refused::<Input>("()"),
            "f:1:1: missing field \"rate\": expected a number (Hz)"
        );
    }

    #[test]
    fn whole_numbers_may_be_written_in_any_form() {
        for text in ["3", "3.0", "3e0", "+3", "0x3", "\"n - 1\"", "\"6 * scale\""] {
            assert_eq!(read(text), Ok(3_usize), "{text}");
        }
        assert_eq!(read("18446744073709551615"), Ok(u64::MAX));
        assert_eq!(read("-9223372036854775808"), Ok(i64::MIN));
        assert_eq!(read(&u128::MAX.to_string()), Ok(u128::MAX));
        assert_eq!(read(&i128::MIN.to_string()), Ok(i128::MIN));
        assert_eq!(read("-128"), Ok(i8::MIN));
        assert_eq!(read("\"2 ^ 53\""), Ok(1_u64 << 53));
    }

    #[test]
    fn a_number_that_the_integer_cannot_hold_is_refused() {
        for (text, error) in [
            ("3.5", "expected a whole number, found 3.5"),
            ("300", "300 is out of range: must be from 0 to 255"),
            ("-1", "-1 is out of range: must be from 0 to 255"),
            ("1e300", "1e300 is out of range: must be from 0 to 255"),
            ("inf", "expected a finite whole number, found inf"),
            (
                "\"n * 100\"",
                "the expression \"n * 100\" gives 400, which is out of range: must be from 0 to 255",
            ),
            (
                "\"n / 8\"",
                "expected a whole number, found the expression \"n / 8\", which gives 0.5\nhelp: round(…), floor(…) or ceil(…) gives a whole number",
            ),
            ("None", "expected a whole number, found None"),
        ] {
            assert_eq!(refused::<u8>(text), format!("f:1:1: {error}"));
        }
        assert_eq!(
            refused::<i64>("9223372036854775808"),
            "f:1:1: 9223372036854775808 is out of range: must be from -9223372036854775808 to 9223372036854775807"
        );
        assert_eq!(
            refused::<u64>("1e19"),
            "f:1:1: 1e19 is too large to be exact; write it out in digits"
        );
        assert_eq!(
            refused::<i128>("-170141183460469231731687303715884105729"),
            "f:1:1: -170141183460469231731687303715884105729 is out of range: must be from -170141183460469231731687303715884105728 to 170141183460469231731687303715884105727"
        );
    }

    #[test]
    fn a_field_can_narrow_its_integer() {
        #[derive(Reflect, Debug, PartialEq)]
        struct Delay {
            #[reflect(@Unit("steps"), @Range::at_least(1.0))]
            steps: u16,
        }
        assert_eq!(
            refused::<Delay>("(steps: 0)"),
            "f:1:9: steps: 0 is out of range: must be 1 or more (steps)"
        );
        assert_eq!(
            refused::<Delay>("(steps: 70000)"),
            "f:1:9: steps: 70000 is out of range: must be from 0 to 65535 (steps)"
        );
    }

    #[test]
    fn thirty_two_bits_are_rounded_once_and_never_silently_to_infinity_or_a_bound() {
        // The nearest 64-bit number lies exactly between two 32-bit ones; the decimal text does not.
        let text = "1.00000017881393432617187499";
        let direct: f32 = text.parse().unwrap();
        assert_ne!(direct, text.parse::<f64>().unwrap() as f32);
        assert_eq!(read(text), Ok(direct));
        assert_eq!(read("16777217"), Ok(16_777_216.0_f32));
        assert_eq!(
            refused::<f32>("1e39"),
            "f:1:1: 1e39 is too large for 32 bits; the largest number is about 3.4e38"
        );
        assert_eq!(read("1e-60"), Ok(0.0_f32));
        #[derive(Reflect, Debug, PartialEq)]
        struct Tau {
            #[reflect(@Unit("ms"), @Range::positive())]
            tau: f32,
        }
        assert_eq!(
            refused::<Tau>("(tau: 1e-60)"),
            "f:1:7: tau: 1e-60 is 0 in 32 bits: must be more than 0 (ms)"
        );
        #[derive(Reflect, Debug, PartialEq)]
        struct Share {
            #[reflect(@Range::between(0.0, 0.1))]
            p: f32,
        }
        assert_eq!(read("(p: 0.1)"), Ok(Share { p: 0.1 }));
    }

    #[test]
    fn truth_values_may_be_expressions() {
        assert_eq!(read("true"), Ok(true));
        assert_eq!(read("\"n > 3\""), Ok(true));
        assert_eq!(read("\"n == 3\""), Ok(false));
        assert_eq!(
            refused::<bool>("\"n\""),
            "f:1:1: expected true or false, found the expression \"n\", which gives 4"
        );
        assert_eq!(
            refused::<bool>("1"),
            "f:1:1: expected true or false, found 1"
        );
    }

    #[test]
    fn strings_and_characters_are_taken_as_they_are() {
        assert_eq!(read("\"n * 2\""), Ok("n * 2".to_string()));
        assert_eq!(read("\"a/b\""), Ok(PathBuf::from("a/b")));
        assert_eq!(read("\"a\""), Ok(Cow::Borrowed("a")));
        assert_eq!(read("'τ'"), Ok('τ'));
        assert_eq!(
            refused::<String>("excitatory"),
            "f:1:1: expected a string, found the name excitatory\nhelp: a string stands in quotes: \"excitatory\""
        );
        assert_eq!(refused::<String>("3"), "f:1:1: expected a string, found 3");
        assert_eq!(
            refused::<char>("\"a\""),
            "f:1:1: expected a character such as 'a', found the string \"a\""
        );
    }
}
