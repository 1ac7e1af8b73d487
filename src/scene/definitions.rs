//! The definitions of a scene: expressions that have a name, and functions.
//!
//! Definitions may use each other in any order, but not in a circle: what an expression costs is plain from
//! the text, and working it out always ends.

use super::context::{Context, check_name, constant, failure};
use super::error::{SceneError, quoted};
use super::expression::Expression;
use super::parse::{Node, Value};
use std::collections::HashMap;

/// The most arguments of a function.
const MOST_ARGUMENTS: usize = 20;

/// A definition with its arguments, if any.
#[derive(Debug)]
pub(super) struct Function {
    pub(super) arguments: Vec<String>,
    pub(super) body: Expression,
}

impl Context {
    /// Takes up the definitions of the scene `file` and works out those without arguments.
    pub(super) fn define(
        &mut self,
        file: &str,
        definitions: &[(String, Node)],
    ) -> Result<(), SceneError> {
        let fail = |index: usize, reason: String| {
            let (name, node): &(String, Node) = &definitions[index];
            failure(file, node, "definitions", name, reason)
        };
        let mut parsed: Vec<(String, Function)> = Vec::new();
        for (index, (head, node)) in definitions.iter().enumerate() {
            let (name, function) = self
                .definition(head, node)
                .map_err(|reason| fail(index, reason))?;
            let arguments = function.arguments.len();
            if head.contains('(') {
                self.vocabulary.functions.insert(name.clone(), arguments);
            } else {
                self.vocabulary.values.insert(name.clone());
            }
            parsed.push((name, function));
        }
        let indices: HashMap<&str, usize> = parsed
            .iter()
            .enumerate()
            .map(|(index, (name, _))| (name.as_str(), index))
            .collect();
        let mut uses = vec![Vec::new(); parsed.len()];
        for (index, (_, function)) in parsed.iter().enumerate() {
            let arguments = &function.arguments;
            let checked = function.body.check(&self.vocabulary, arguments);
            checked.map_err(|reason| fail(index, reason))?;
            function.body.visit_names(&mut |name, given| {
                let hidden = given.is_none() && arguments.iter().any(|argument| argument == name);
                if let Some(&used) = indices.get(name).filter(|_| !hidden) {
                    uses[index].push(used);
                }
            });
        }
        let order = dependency_order(&uses).map_err(|circle| {
            let names = circle.iter().map(|&index| parsed[index].0.as_str());
            let names: Vec<&str> = names.chain([parsed[circle[0]].0.as_str()]).collect();
            fail(
                circle[0],
                format!("definitions go round in a circle: {}", shortened(&names)),
            )
        })?;
        let mut parsed: Vec<Option<(String, Function)>> = parsed.into_iter().map(Some).collect();
        for index in order {
            let Some((name, function)) = parsed[index].take() else {
                continue;
            };
            if self.vocabulary.functions.contains_key(&name) {
                self.functions.insert(name, function);
            } else {
                let value = self.work_out(&function.body);
                let value = value.map_err(|reason| fail(index, reason))?;
                self.values.insert(name, value);
            }
        }
        Ok(())
    }

    /// The name, arguments and body of one definition.
    fn definition(&self, head: &str, node: &Node) -> Result<(String, Function), String> {
        let (name, arguments) = match head.split_once('(') {
            None => (head.trim(), Vec::new()),
            Some((name, rest)) => {
                let inner = rest.trim_end().strip_suffix(')');
                let inner = inner
                    .ok_or_else(|| format!("{} is not of the form name(a, b)", quoted(head)))?;
                let arguments = inner.split(',').map(|argument| argument.trim().to_string());
                (name.trim(), arguments.collect())
            }
        };
        for name in [name]
            .into_iter()
            .chain(arguments.iter().map(String::as_str))
        {
            check_name(name)?;
        }
        if arguments.len() > MOST_ARGUMENTS {
            return Err(format!("{name} has more than {MOST_ARGUMENTS} arguments"));
        }
        let twice = |(index, argument)| arguments[..index].contains(argument);
        if let Some((_, argument)) = arguments.iter().enumerate().find(|pair| twice(*pair)) {
            return Err(format!("the argument {argument} is named twice"));
        }
        if self.vocabulary.values.contains(name) || self.vocabulary.functions.contains_key(name) {
            return Err(format!(
                "the name {name} is already a parameter or a definition"
            ));
        }
        let body = match &node.value {
            Value::Str(text) => Expression::parse(text)
                .map_err(|reason| format!("the expression {}: {reason}", quoted(text)))?,
            _ => Expression::constant(constant(node)?),
        };
        Ok((name.to_string(), Function { arguments, body }))
    }
}

/// `a → b → a`, the middle left out if it is long.
fn shortened(names: &[&str]) -> String {
    if names.len() <= 10 {
        return names.join(" → ");
    }
    let (start, end) = (&names[..5], &names[names.len() - 4..]);
    format!("{} → … → {}", start.join(" → "), end.join(" → "))
}

/// An order in which everything comes after what it uses, or a circle. No recursion: chains may be long.
fn dependency_order(uses: &[Vec<usize>]) -> Result<Vec<usize>, Vec<usize>> {
    #[derive(Clone, Copy, PartialEq)]
    enum State {
        New,
        Open,
        Done,
    }
    let mut states = vec![State::New; uses.len()];
    let mut order = Vec::with_capacity(uses.len());
    for start in 0..uses.len() {
        if states[start] != State::New {
            continue;
        }
        states[start] = State::Open;
        let mut path = vec![(start, 0)];
        while let Some((index, next)) = path.last_mut() {
            let Some(&used) = uses[*index].get(*next) else {
                states[*index] = State::Done;
                order.push(*index);
                path.pop();
                continue;
            };
            *next += 1;
            match states[used] {
                State::Done => {}
                State::New => {
                    states[used] = State::Open;
                    path.push((used, 0));
                }
                State::Open => {
                    let circle = path.iter().map(|(index, _)| *index);
                    return Err(circle.skip_while(|index| *index != used).collect());
                }
            }
        }
    }
    Ok(order)
}

#[cfg(test)]
mod tests {
    use super::super::context::tests::{context, refused};

    #[test]
    fn definitions_come_in_any_order() {
        let definitions = r#"{
            "synapses": "count(p, n, m) + half",
            "count(p, n, m)": "ln(1 - p) / ln((n * m - 1) / (n * m))",
            "half": 0.5,
        }"#;
        let context = context("(n: 10, m: 20, p: 0.1)", definitions, &[]).unwrap();
        let expected = libm::log(1.0 - 0.1) / libm::log(199.0 / 200.0);
        assert_eq!(context.value("synapses"), Some(expected + 0.5));
        assert_eq!(context.evaluate("count(0.1, 10, 20)"), Ok(expected));
    }

    #[test]
    fn arguments_hide_parameters() {
        let context = context("(n: 10)", "{\"twice(n)\": \"2 * n\"}", &[]).unwrap();
        assert_eq!(context.evaluate("twice(3) + n"), Ok(16.0));
    }

    #[test]
    fn definitions_in_a_circle_are_refused() {
        assert_eq!(
            refused(
                "()",
                "{\"a\": \"b + 1\", \"b\": \"c(2)\", \"c(x)\": \"x * a\"}"
            ),
            "f:1:7: definitions.a: definitions go round in a circle: a → b → c → a"
        );
        assert_eq!(
            refused("()", "{\"f(x)\": \"if(x > 0, f(x - 1), 0)\"}"),
            "f:1:10: definitions[\"f(x)\"]: definitions go round in a circle: f → f"
        );
    }

    #[test]
    fn a_wrong_definition_is_refused() {
        for (definitions, error) in [
            (
                "{\"f(x\": 1}",
                "f:1:9: definitions[\"f(x\"]: \"f(x\" is not of the form name(a, b)",
            ),
            (
                "{\"f()\": 1}",
                "f:1:9: definitions[\"f()\"]: \"\" cannot be a name: use up to 64 letters, digits and _, with no digit first",
            ),
            (
                "{\"f(x, x)\": 1}",
                "f:1:13: definitions[\"f(x, x)\"]: the argument x is named twice",
            ),
            (
                "{\"sqrt(x)\": 1}",
                "f:1:13: definitions[\"sqrt(x)\"]: the name sqrt already has a meaning in expressions",
            ),
            (
                "{\"n\": 1}",
                "f:1:7: definitions.n: the name n is already a parameter or a definition",
            ),
            (
                "{\"f(x)\": \"y\"}",
                "f:1:10: definitions[\"f(x)\"]: unknown name \"y\"; known: x, n, pi, e, inf, true, false",
            ),
            (
                "{\"f(x)\": \"x +\"}",
                "f:1:10: definitions[\"f(x)\"]: the expression \"x +\": expected a number, a name or \"(\" at its end",
            ),
            (
                "{\"f(x)\": \"1 / x\", \"g\": \"f(0)\"}",
                "f:1:24: definitions.g: 1 / 0 is a division by zero, in f(…)",
            ),
        ] {
            assert_eq!(refused("(n: 1)", definitions), error);
        }
    }

    #[test]
    fn definitions_that_multiply_work_are_stopped() {
        let mut definitions = "{\"f0(x)\": \"x + x\"".to_string();
        for i in 1..60 {
            definitions += &format!(", \"f{i}(x)\": \"f{0}(x) + f{0}(x)\"", i - 1);
        }
        let context = context("()", &(definitions + "}"), &[]).unwrap();
        assert!(
            context
                .evaluate("f59(1)")
                .unwrap_err()
                .contains("too many steps")
        );
        assert_eq!(context.evaluate("f3(1)"), Ok(16.0));
    }

    #[test]
    fn long_chains_of_definitions_do_not_overflow_the_stack() {
        let mut values = "{\"a0\": 1".to_string();
        let mut functions = "{\"a0(x)\": \"x\"".to_string();
        for i in 1..20_000 {
            values += &format!(", \"a{i}\": \"a{} + 1\"", i - 1);
            functions += &format!(", \"a{i}(x)\": \"a{}(x)\"", i - 1);
        }
        assert_eq!(
            context("()", &(values + "}"), &[]).unwrap().value("a19999"),
            Some(20_000.0)
        );
        let context = context("()", &(functions + "}"), &[]).unwrap();
        assert!(
            context
                .evaluate("a19999(1)")
                .unwrap_err()
                .contains("too many steps")
        );
        assert_eq!(context.evaluate("a40(1)"), Ok(1.0));
    }
}
