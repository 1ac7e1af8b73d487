//! Where in the text of a scene an error belongs that names a place by its path.

use crate::scene::parse::{Node, Value};

/// One step of a path such as `projections[2].initial["v"]`.
enum PathStep<'a> {
    Field(&'a str),
    Index(usize),
    Key(&'a str),
}

/// The first step of a path, and what is left of it.
fn first_step(path: &str) -> Option<(PathStep<'_>, &str)> {
    let path = path.strip_prefix('.').unwrap_or(path);
    if let Some(rest) = path.strip_prefix("[\"") {
        let (key, rest) = rest.split_once("\"]")?;
        return Some((PathStep::Key(key), rest));
    }
    if let Some(rest) = path.strip_prefix('[') {
        let (index, rest) = rest.split_once(']')?;
        return Some((PathStep::Index(index.parse().ok()?), rest));
    }
    let end = path.find(['.', '[']).unwrap_or(path.len());
    (end > 0).then(|| (PathStep::Field(&path[..end]), &path[end..]))
}

/// The node at a path such as `projections[2].weight`, or as deep as the text goes.
pub(super) fn find<'a>(root: &'a Node, path: &str) -> &'a Node {
    let (mut node, mut left) = (root, path);
    while let Some((step, rest)) = first_step(left) {
        let next = match (&inner(node).value, step) {
            (Value::List(items) | Value::Tuple { items, .. }, PathStep::Index(i)) => items.get(i),
            (Value::Map(entries), PathStep::Index(i)) => entries.get(i).map(|(_, value)| value),
            (Value::Map(entries), PathStep::Key(key)) => entries
                .iter()
                .find(|(name, _)| matches!(&name.value, Value::Str(text) | Value::Ident(text) if text == key))
                .map(|(_, value)| value),
            (_, PathStep::Field(name)) => inner(node).field(name).map(|f| &f.value),
            _ => None,
        };
        let Some(next) = next else { break };
        (node, left) = (next, rest);
    }
    node
}

/// The value inside `Some(…)` or `Name([…])`, whose parentheses a path does not mention, or the node itself.
fn inner(node: &Node) -> &Node {
    match &node.value {
        Value::Some(value) => inner(value),
        Value::Tuple {
            name: Some(_),
            items,
        } => match items.as_slice() {
            [
                item @ Node {
                    value: Value::List(_) | Value::Struct { .. },
                    ..
                },
            ] => item,
            _ => node,
        },
        _ => node,
    }
}

/// The part of a value that a message about the whole is about: models, rules and layouts check their fields together and name them.
///
/// A place in the value that the message opens with (`spikes[3]: …`); else the field that is named first; else the only literal equal to
/// a number in the message; else the only number there is.
pub(super) fn pinpoint<'a>(node: &'a Node, path: &str, message: &str) -> &'a Node {
    let last = path.rsplit('.').next().unwrap_or(path);
    let is_checked_whole = ["model", "rule", "layout", "neurons", "kind"].contains(&last)
        || last == "weight"
        || last == "delay_ms";
    if !is_checked_whole
        || matches!(
            node.value,
            Value::Number(_) | Value::Str(_) | Value::Ident(_)
        )
    {
        return node;
    }
    if let Some((place, _)) = message.split_once(": ")
        && !place.contains(' ')
        && let found = find(node, place)
        && !std::ptr::eq(found, node)
    {
        return found;
    }
    // A file is named first of all.
    if let Some(file) = texts(node).into_iter().find(|(_, text)| {
        message
            .strip_prefix(text)
            .is_some_and(|rest| rest.starts_with([':', ',', ' ']))
    }) {
        return file.0;
    }
    // A rule may hold others: "rule FixedIndegree: …" is about the one of that name.
    let node = rule_named(message)
        .and_then(|name| variant_called(node, name))
        .unwrap_or(node);
    if let Some(entry) = message
        .split_once(": entry ")
        .and_then(|(_, rest)| rest.split(' ').next()?.parse::<usize>().ok())
        && let Value::List(items) = &inner(node).value
        && let Some(item) = items.get(entry.saturating_sub(1))
    {
        return item;
    }
    if !matches!(last, "neurons" | "kind")
        && let Some(found) = words(message).find_map(|word| field_called(node, word))
    {
        return found;
    }
    let mut numbers = Vec::new();
    collect_numbers(node, &mut numbers);
    let named = message
        .split(|c: char| !(c.is_alphanumeric() || ".-+".contains(c)))
        .filter_map(|word| word.parse::<f64>().ok());
    for number in named {
        let mut equal = numbers
            .iter()
            .filter(|n| matches!(&n.value, Value::Number(literal) if literal.value == number));
        if let (Some(found), None) = (equal.next(), equal.next()) {
            return found;
        }
    }
    match numbers.as_slice() {
        [only] if !matches!(node.value, Value::Struct { .. }) => only,
        _ => node,
    }
}

/// The rule that a message starts with: `rule FixedIndegree: …`.
fn rule_named(message: &str) -> Option<&str> {
    Some(message.strip_prefix("rule ")?.split_once(':')?.0)
}

/// Words of a message that may be the name of a field.
pub(super) fn words(message: &str) -> impl Iterator<Item = &str> {
    // The article is no field, although a model has one of that name.
    message
        .split(|c: char| !(c.is_alphanumeric() || c == '_'))
        .filter(|word| !["", "a"].contains(word))
}

/// The children of a value, in the order written.
fn children(node: &Node) -> Box<dyn Iterator<Item = &Node> + '_> {
    match &node.value {
        Value::List(items) | Value::Tuple { items, .. } => Box::new(items.iter()),
        Value::Struct { fields, .. } => Box::new(fields.iter().map(|field| &field.value)),
        Value::Map(entries) => Box::new(entries.iter().map(|(_, value)| value)),
        Value::Some(value) => Box::new(core::iter::once(&**value)),
        _ => Box::new(core::iter::empty()),
    }
}

/// The field `name` of a value or of one inside it, the outermost first.
fn field_called<'a>(node: &'a Node, name: &str) -> Option<&'a Node> {
    let own = node.field(name).map(|field| &field.value);
    own.or_else(|| children(node).find_map(|child| field_called(child, name)))
}

/// The value written `name` or `name(…)`, the outermost first.
fn variant_called<'a>(node: &'a Node, name: &str) -> Option<&'a Node> {
    let is_called = match &node.value {
        Value::Ident(word) => word == name,
        Value::Tuple {
            name: Some(word), ..
        }
        | Value::Struct {
            name: Some(word), ..
        } => word == name,
        _ => false,
    };
    if is_called {
        Some(node)
    } else {
        children(node).find_map(|child| variant_called(child, name))
    }
}

/// The strings in a value.
fn texts(node: &Node) -> Vec<(&Node, &str)> {
    match &node.value {
        Value::Str(text) => vec![(node, text)],
        _ => children(node).flat_map(texts).collect(),
    }
}

/// The numbers and expressions in a value.
fn collect_numbers<'a>(node: &'a Node, numbers: &mut Vec<&'a Node>) {
    match node.value {
        Value::Number(_) | Value::Str(_) => numbers.push(node),
        _ => children(node).for_each(|child| collect_numbers(child, numbers)),
    }
}
