//! The named numbers and functions of a scene, which every expression in it may use.
//!
//! *Parameters* are numbers that a person may want to change: each is a number, `true` or `false` (1 or 0),
//! or an expression over the parameters above it, and any can be overridden from outside (`--set scale=0.1`).
//! *Definitions* save repetition: expressions over parameters and other definitions, in any order, with
//! arguments (`"count(p, n, m)": "ln(1 - p) / ln((n * m - 1) / (n * m))"`) or without.

use super::definitions::Function;
use super::describe::found;
use super::error::{SceneError, quoted, shortened, unknown};
use super::expression::{Expression, Meaning, Vocabulary, Work, is_reserved};
use super::lexer::{is_name_part, is_name_start};
use super::parse::{Node, Value};
use std::collections::{BTreeMap, HashSet};
use std::sync::atomic::{AtomicU64, Ordering};

/// The longest name of a parameter, definition or argument, in bytes.
const LONGEST_NAME: usize = 64;
/// Operations of one expression that are not counted against the whole scene.
const FREE_WORK: u32 = 200;
/// The most operations beyond the free ones in all expressions of a scene together.
const MOST_WORK: u64 = 100_000_000;

/// The parameters and definitions of a scene.
#[derive(Debug, Default)]
pub struct Context {
    parameters: Vec<(String, f64)>,
    pub(super) vocabulary: Vocabulary,
    pub(super) values: BTreeMap<String, f64>,
    pub(super) functions: BTreeMap<String, Function>,
    /// What a scene has asked for so far, so that many costly expressions cannot add up to a hang.
    work: AtomicU64,
}

impl Context {
    /// Works out the parameters and definitions of the scene `file`.
    ///
    /// `parameters` and `definitions` come in the order written (see [`named_nodes`]). An override replaces
    /// the value of a parameter before anything is worked out; its text is a number, `true`, `false` or an
    /// expression over the parameters above. The last of several overrides of one parameter counts.
    ///
    /// # Errors
    ///
    /// Unknown names, definitions that go round in a circle, operations without a finite result, names that
    /// hide others, and overrides of parameters that do not exist.
    pub fn new(
        file: &str,
        parameters: &[(String, Node)],
        definitions: &[(String, Node)],
        overrides: &[(String, String)],
    ) -> Result<Self, SceneError> {
        let mut context = Self::default();
        for (name, text) in overrides {
            let known = parameters.iter().map(|(name, _)| name.as_str());
            if !known.clone().any(|known| known == name) {
                return Err(SceneError {
                    file: file.to_string(),
                    line: 0,
                    column: 0,
                    path: "parameters".to_string(),
                    message: format!(
                        "the override {name} = {text} names an {}",
                        unknown("parameter", name, known)
                    ),
                    help: None,
                });
            }
        }
        let all: HashSet<&str> = parameters.iter().map(|(name, _)| name.as_str()).collect();
        for (name, node) in parameters {
            let over = overrides.iter().rev().find(|(over, _)| over == name);
            let over = over.map(|(_, text)| text.as_str());
            let value = context.parameter(name, node, over, &all);
            let value = value.map_err(|reason| failure(file, node, "parameters", name, reason))?;
            context.vocabulary.values.insert(name.clone());
            context.values.insert(name.clone(), value);
            context.parameters.push((name.clone(), value));
        }
        context.define(file, definitions)?;
        Ok(context)
    }

    /// The parameters and their values, overrides included, in the order written.
    pub fn parameters(&self) -> &[(String, f64)] {
        &self.parameters
    }

    /// The value of a parameter or of a definition without arguments.
    pub fn value(&self, name: &str) -> Option<f64> {
        self.values.get(name).copied()
    }

    /// Works out an expression.
    ///
    /// The result is never NaN, and infinite only where the text says `inf`. The error says what is wrong
    /// with the expression, which it does not repeat.
    pub fn evaluate(&self, text: &str) -> Result<f64, String> {
        let expression = Expression::parse(text)?;
        expression.check(&self.vocabulary, &[])?;
        self.work_out(&expression)
    }

    pub(super) fn work_out(&self, expression: &Expression) -> Result<f64, String> {
        let mut work = Work::new();
        let result = expression.evaluate(self, &mut work);
        let costly = u64::from(work.done().saturating_sub(FREE_WORK));
        if self.work.fetch_add(costly, Ordering::Relaxed) > MOST_WORK {
            return Err("the expressions of this scene take too many steps together".into());
        }
        result
    }

    fn parameter(
        &self,
        name: &str,
        node: &Node,
        over: Option<&str>,
        all: &HashSet<&str>,
    ) -> Result<f64, String> {
        check_name(name)?;
        if self.values.contains_key(name) {
            return Err(format!("the parameter {name} is given twice"));
        }
        if let Some(text) = over {
            let value = self.early(text, all);
            return value.map_err(|reason| format!("the override {name} = {text}: {reason}"));
        }
        match &node.value {
            Value::Str(text) => self
                .early(text, all)
                .map_err(|reason| format!("the expression {}: {reason}", quoted(text))),
            _ => constant(node),
        }
    }

    /// The value of a parameter's expression, which may use only the parameters above it.
    fn early(&self, text: &str, all: &HashSet<&str>) -> Result<f64, String> {
        let expression = Expression::parse(text)?;
        let mut early = None;
        expression.visit_names(&mut |name, _| {
            if all.contains(name) && !self.values.contains_key(name) {
                early.get_or_insert_with(|| name.to_string());
            }
        });
        if let Some(name) = early {
            return Err(format!(
                "a parameter may use only those above it, and {name} is not"
            ));
        }
        expression.check(&self.vocabulary, &[])?;
        self.work_out(&expression)
    }
}

impl Meaning for Context {
    fn value(&self, name: &str) -> Option<f64> {
        self.values.get(name).copied()
    }

    fn function(&self, name: &str) -> Option<(&[String], &Expression)> {
        let function = self.functions.get(name)?;
        Some((&function.arguments, &function.body))
    }
}

/// The entries of a map `{"name": value}` or the fields of a struct `(name: value)`, in the order written:
/// the form in which a scene gives its parameters and definitions.
pub fn named_nodes(file: &str, path: &str, node: &Node) -> Result<Vec<(String, Node)>, SceneError> {
    let error = |at: &Node, message: String| SceneError {
        file: file.to_string(),
        line: at.line,
        column: at.column,
        path: path.to_string(),
        message,
        help: None,
    };
    match &node.value {
        Value::Unit => Ok(Vec::new()),
        Value::Struct { name: None, fields } => Ok(fields
            .iter()
            .map(|field| (field.name.clone(), field.value.clone()))
            .collect()),
        Value::Map(entries) => entries
            .iter()
            .map(|(key, value)| match &key.value {
                Value::Str(name) | Value::Ident(name) => Ok((name.clone(), value.clone())),
                _ => Err(error(key, format!("expected a name, found {}", found(key)))),
            })
            .collect(),
        _ => {
            let message = format!("expected a map {{\"name\": value}}, found {}", found(node));
            Err(error(node, message))
        }
    }
}

fn is_name(name: &str) -> bool {
    name.starts_with(is_name_start) && name.chars().all(is_name_part) && name.len() <= LONGEST_NAME
}

/// Refuses what cannot be a name in an expression.
pub(super) fn check_name(name: &str) -> Result<(), String> {
    if !is_name(name) {
        return Err(format!(
            "{} cannot be a name: use up to {LONGEST_NAME} letters, digits and _, with no digit first",
            quoted(name)
        ));
    }
    if is_reserved(name) {
        return Err(format!(
            "the name {name} already has a meaning in expressions"
        ));
    }
    Ok(())
}

/// The value of a parameter or definition that is not an expression.
pub(super) fn constant(node: &Node) -> Result<f64, String> {
    match &node.value {
        Value::Bool(bool) => Ok(f64::from(*bool)),
        Value::Number(number) if number.value.is_nan() => Err("NaN is not a number".into()),
        Value::Number(number) => {
            let is_exact = number.whole().is_some_and(|whole| {
                let nearest = whole.magnitude as f64;
                nearest < 3e38 && nearest as u128 == whole.magnitude
            });
            match is_exact || !number.is_integer {
                true => Ok(number.value),
                false => Err(format!(
                    "{} cannot be exact in an expression; every whole number up to 9007199254740992 can",
                    shortened(&number.text)
                )),
            }
        }
        _ => Err(format!(
            "expected a number, true, false or an expression in quotes, found {}",
            found(node)
        )),
    }
}

pub(super) fn failure(
    file: &str,
    node: &Node,
    group: &str,
    name: &str,
    reason: String,
) -> SceneError {
    let name = if is_name(name) {
        format!("{group}.{name}")
    } else {
        format!("{group}[{}]", quoted(name))
    };
    SceneError {
        file: file.to_string(),
        line: node.line,
        column: node.column,
        path: name,
        message: reason,
        help: None,
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::super::parse::parse;
    use super::*;

    fn entries(text: &str) -> Vec<(String, Node)> {
        named_nodes("f", "", &parse(text, "f").unwrap()).unwrap()
    }

    pub(in crate::scene) fn context(
        parameters: &str,
        definitions: &str,
        overrides: &[(&str, &str)],
    ) -> Result<Context, String> {
        let overrides: Vec<(String, String)> = overrides
            .iter()
            .map(|(name, text)| (name.to_string(), text.to_string()))
            .collect();
        Context::new("f", &entries(parameters), &entries(definitions), &overrides)
            .map_err(|e| e.to_string())
    }

    pub(in crate::scene) fn refused(parameters: &str, definitions: &str) -> String {
        context(parameters, definitions, &[]).unwrap_err()
    }

    #[test]
    fn parameters_build_on_those_above() {
        let context = context(
            "(n: 100, scale: 0.1, plastic: true, m: \"round(n * scale)\")",
            "{}",
            &[],
        )
        .unwrap();
        let expected = [("n", 100.0), ("scale", 0.1), ("plastic", 1.0), ("m", 10.0)];
        let expected: Vec<(String, f64)> = expected
            .map(|(name, value)| (name.to_string(), value))
            .into();
        assert_eq!(context.parameters(), expected);
        assert_eq!(context.evaluate("if(plastic, m + 1, 0)"), Ok(11.0));
        assert_eq!(context.value("m"), Some(10.0));
        assert_eq!(context.value("k"), None);
    }

    #[test]
    fn an_override_replaces_a_parameter_and_what_builds_on_it() {
        let parameters = "{\"n\": 100, \"m\": \"n / 2\", \"k\": 1}";
        let over = [("n", "7"), ("k", "m * 2"), ("n", "10")];
        let context = context(parameters, "{}", &over).unwrap();
        assert_eq!(context.evaluate("m + k"), Ok(15.0));
    }

    #[test]
    fn a_wrong_override_is_refused() {
        let try_one = |over| context("(scale: 1, n: \"scale\")", "()", &[over]).unwrap_err();
        assert_eq!(
            try_one(("scael", "2")),
            "f: parameters: the override scael = 2 names an unknown parameter \"scael\"; did you mean \"scale\"? known: scale, n"
        );
        assert_eq!(
            try_one(("scale", "abc")),
            "f:1:9: parameters.scale: the override scale = abc: unknown name \"abc\"; known: pi, e, inf, true, false"
        );
        assert_eq!(
            try_one(("scale", "n + 1")),
            "f:1:9: parameters.scale: the override scale = n + 1: a parameter may use only those above it, and n is not"
        );
        assert_eq!(
            try_one(("scale", "9007199254740993")),
            "f:1:9: parameters.scale: the override scale = 9007199254740993: 9007199254740993 cannot be exact in an expression; every whole number up to 9007199254740992 can"
        );
    }

    #[test]
    fn a_wrong_parameter_is_refused() {
        for (parameters, error) in [
            (
                "{\"1a\": 1}",
                "f:1:8: parameters[\"1a\"]: \"1a\" cannot be a name: use up to 64 letters, digits and _, with no digit first",
            ),
            (
                "(e: 1)",
                "f:1:5: parameters.e: the name e already has a meaning in expressions",
            ),
            (
                "(a: [1])",
                "f:1:5: parameters.a: expected a number, true, false or an expression in quotes, found a list of 1 value",
            ),
            ("(a: NaN)", "f:1:5: parameters.a: NaN is not a number"),
            (
                "(a: 18446744073709551615)",
                "f:1:5: parameters.a: 18446744073709551615 cannot be exact in an expression; every whole number up to 9007199254740992 can",
            ),
            (
                "(a: \"b\", b: 1)",
                "f:1:5: parameters.a: the expression \"b\": a parameter may use only those above it, and b is not",
            ),
            (
                "(a: \"a\")",
                "f:1:5: parameters.a: the expression \"a\": a parameter may use only those above it, and a is not",
            ),
            (
                "(a: 0, b: \"1 / a\")",
                "f:1:11: parameters.b: the expression \"1 / a\": 1 / 0 is a division by zero",
            ),
        ] {
            assert_eq!(refused(parameters, "{}"), error);
        }
        assert!(context("(a: 18446744073709551616, b: inf)", "{}", &[]).is_ok());
    }
}
