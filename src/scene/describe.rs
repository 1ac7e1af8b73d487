//! Words for messages: what a scene said, and what a type asks for.

use super::error::{listed, quoted, shortened};
use super::parse::{Node, Value};
use crate::sim::quantity::Unit;
use bevy::reflect::{TypeInfo, enums::VariantInfo};

/// What was found, as a message names it: `the number 3`, `a list of 2 values`.
pub fn found(node: &Node) -> String {
    let called = |name: &Option<String>, rest: &str| match name {
        Some(name) => format!("{}{rest}", shortened(name)),
        None => rest.to_string(),
    };
    match &node.value {
        Value::Unit => "()".to_string(),
        Value::Bool(bool) => bool.to_string(),
        Value::Number(number) => shortened(&number.text),
        Value::Str(text) => format!("the string {}", quoted(text)),
        Value::Char(letter) => format!("the character {letter:?}"),
        Value::List(items) => format!("a list of {}", count(items.len(), "value")),
        Value::Tuple { name: None, items } => format!("a tuple of {}", count(items.len(), "value")),
        Value::Tuple { name, .. } => called(name, "(…)"),
        Value::Struct { name, fields } if fields.is_empty() => called(name, "()"),
        Value::Struct { name: None, .. } => "fields in parentheses".to_string(),
        Value::Struct { name, .. } => called(name, "(…)"),
        Value::Map(entries) if entries.len() == 1 => "a map of 1 entry".to_string(),
        Value::Map(entries) => format!("a map of {} entries", entries.len()),
        Value::Ident(name) => format!("the name {}", shortened(name)),
        Value::Some(_) => "Some(…)".to_string(),
        Value::None => "None".to_string(),
    }
}

/// `1 value`, `2 values`.
pub fn count(number: usize, what: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {what}{plural}")
}

/// A number as a person writes it: `20`, `0.1`, `1e300`.
pub fn plain(value: f64) -> String {
    if value.fract() == 0.0 && value.abs() < 1e15 {
        format!("{value:.0}")
    } else {
        format!("{value:?}")
    }
}

/// What a type asks for, as a message names it: `a number (mV)`, `one of Gaba, Glutamate`.
pub fn expected(info: &TypeInfo, unit: Option<&str>) -> String {
    let with_unit = |what: &str| match unit {
        Some(unit) if !unit.is_empty() => format!("{what} ({unit})"),
        _ => what.to_string(),
    };
    let name = type_name(info);
    match info {
        TypeInfo::Struct(_) => format!("{name}(…)"),
        TypeInfo::TupleStruct(tuple) => match tuple.field_at(0) {
            Some(field) if tuple.field_len() == 1 => {
                let own = field
                    .get_attribute::<Unit>()
                    .or(tuple.get_attribute::<Unit>());
                let unit = own.map(|own| own.0).or(unit);
                let inner = field.type_info().map(|inner| expected(inner, unit));
                inner.unwrap_or_else(|| format!("{name}(…)"))
            }
            _ => format!("{name}(…)"),
        },
        TypeInfo::Tuple(tuple) => format!("a tuple of {}", count(tuple.field_len(), "value")),
        TypeInfo::List(_) | TypeInfo::Set(_) => "a list".to_string(),
        TypeInfo::Array(array) => format!("a list of {}", count(array.capacity(), "value")),
        TypeInfo::Map(_) => "a map {key: value}".to_string(),
        TypeInfo::Enum(variants) => match option_inner(info) {
            Some(inner) => format!("{} or None", expected(inner, unit)),
            None => format!("one of {}", listed(variants.iter().map(VariantInfo::name))),
        },
        TypeInfo::Opaque(_) => match name {
            "f32" | "f64" => with_unit("a number"),
            "u8" | "u16" | "u32" | "u64" | "u128" | "usize" | "i8" | "i16" | "i32" | "i64"
            | "i128" | "isize" => with_unit("a whole number"),
            "bool" => "true or false".to_string(),
            "char" => "a character such as 'a'".to_string(),
            "String" | "Cow" | "PathBuf" => "a string".to_string(),
            _ => format!("a {name}"),
        },
    }
}

/// The name of a type in words: `stimulus kind`.
pub fn type_in_words(info: &TypeInfo) -> String {
    let mut words = String::new();
    for letter in type_name(info).chars() {
        if letter.is_uppercase() && !words.is_empty() {
            words.push(' ');
        }
        words.extend(letter.to_lowercase());
    }
    words
}

/// The name of a type as a scene writes it, without module and generic arguments.
pub fn type_name(info: &TypeInfo) -> &'static str {
    let table = info.type_path_table();
    table.ident().unwrap_or_else(|| table.short_path())
}

/// The type inside an `Option`.
pub fn option_inner(info: &TypeInfo) -> Option<&'static TypeInfo> {
    let TypeInfo::Enum(variants) = info else {
        return None;
    };
    let table = info.type_path_table();
    if table.ident() != Some("Option") || table.module_path() != Some("core::option") {
        return None;
    }
    let Some(VariantInfo::Tuple(some)) = variants.variant("Some") else {
        return None;
    };
    some.field_at(0)?.type_info()
}
