//! From the text of a RON document to a tree of values that know where they stand.
//!
//! The reader accepts RON as the `ron` crate does, with two differences that suit scenes: the kind of a bare
//! number and of a name in front of parentheses stay open until a type asks for them, and every value keeps
//! its line and column for the error that may come later. `#![enable(…)]` headers are accepted and change
//! nothing: `Some(…)` and the name of a newtype may always be left out.
//!
//! The reader never panics and takes time proportional to the length of the text. Text is limited to 64 MiB,
//! ten million values and a hundred levels of nesting.

use super::error::{SceneError, quoted, shortened};
use super::lexer::{Cursor, Position};
use super::node::number_value;
pub use super::node::{Field, Node, Number, Value, Whole};

/// The longest text that is read, in bytes.
pub const LONGEST_TEXT: usize = 64 << 20;
/// The deepest nesting of values.
pub const DEEPEST: usize = 100;
/// The most values in one document.
pub const MOST_VALUES: usize = 10_000_000;

/// Reads a document; `file` is its name in errors.
pub fn parse(text: &str, file: &str) -> Result<Node, SceneError> {
    let cursor = Cursor::new(text, file);
    if text.len() > LONGEST_TEXT {
        return Err(cursor
            .error(
                cursor.position(),
                format!(
                    "the text has {} bytes; at most {LONGEST_TEXT} are read",
                    text.len()
                ),
            )
            .with_help("keep large tables in data files and name them in the scene"));
    }
    let mut parser = Parser { cursor, values: 0 };
    parser.headers()?;
    parser.cursor.skip_space()?;
    if parser.cursor.peek().is_none() {
        return Err(parser.error_here("the file holds no value"));
    }
    let node = parser.value(0)?;
    parser.cursor.skip_space()?;
    if parser.cursor.peek().is_some() {
        let found = parser.cursor.found();
        return Err(parser.error_here(format!("expected the end of the file, found {found}")));
    }
    Ok(node)
}

/// Reads a document that should be UTF-8; the error names the first line and column that is not.
pub fn parse_bytes(bytes: &[u8], file: &str) -> Result<Node, SceneError> {
    match std::str::from_utf8(bytes) {
        Ok(text) => parse(text, file),
        Err(error) => {
            let valid = String::from_utf8_lossy(&bytes[..error.valid_up_to()]);
            let mut cursor = Cursor::new(&valid, file);
            while cursor.bump().is_some() {}
            Err(cursor
                .error(cursor.position(), "the text is not UTF-8 from here on")
                .with_help("save the file with the encoding UTF-8"))
        }
    }
}

struct Parser<'a> {
    cursor: Cursor<'a>,
    values: usize,
}

impl Parser<'_> {
    fn error_here(&self, message: impl Into<String>) -> SceneError {
        self.cursor.error(self.cursor.position(), message)
    }

    /// `#![enable(implicit_some, …)]`, any number of times.
    fn headers(&mut self) -> Result<(), SceneError> {
        loop {
            self.cursor.skip_space()?;
            if self.cursor.peek() != Some('#') {
                return Ok(());
            }
            for word in ["#", "!", "[", "enable", "("] {
                self.expect(word)?;
            }
            loop {
                self.cursor.skip_space()?;
                if self.cursor.peek() == Some(')') {
                    break;
                }
                self.cursor.name()?;
                self.cursor.skip_space()?;
                if !self.cursor.eat(",") {
                    break;
                }
            }
            for word in [")", "]"] {
                self.expect(word)?;
            }
        }
    }

    fn expect(&mut self, word: &str) -> Result<(), SceneError> {
        self.cursor.skip_space()?;
        if self.cursor.eat(word) {
            return Ok(());
        }
        let found = self.cursor.found();
        Err(self.error_here(format!(
            "expected \"{word}\" of a header #![enable(…)], found {found}"
        )))
    }

    /// Any value; the cursor stands on its first letter. `depth` values are open around it.
    fn value(&mut self, depth: usize) -> Result<Node, SceneError> {
        let at = self.cursor.position();
        self.count(at, depth)?;
        let value = match self.cursor.peek() {
            Some('(') => self.parentheses(None, depth)?,
            Some('[') => self.list(depth)?,
            Some('{') => self.map(depth)?,
            Some('"') => Value::Str(self.cursor.string()?),
            Some('r') if self.cursor.at_raw_string() => Value::Str(self.cursor.raw_string()?),
            Some('\'') => Value::Char(self.cursor.character()?),
            Some('0'..='9' | '+' | '-' | '.') => Value::Number(self.number()?),
            _ if self.cursor.at_name() => {
                let name = self.cursor.name()?;
                return self.named_value(name, at, depth);
            }
            _ => {
                let found = self.cursor.found();
                return Err(self.error_here(format!("expected a value, found {found}")));
            }
        };
        Ok(node(at, value))
    }

    /// The value that begins with `name`, which has just been read at `at`.
    fn named_value(&mut self, name: &str, at: Position, depth: usize) -> Result<Node, SceneError> {
        self.cursor.skip_space()?;
        let value = match name {
            "true" => Value::Bool(true),
            "false" => Value::Bool(false),
            "None" => Value::None,
            "inf" | "NaN" => Value::Number(Number {
                text: name.into(),
                value: if name == "inf" {
                    f64::INFINITY
                } else {
                    f64::NAN
                },
                is_integer: false,
            }),
            "Some" => self.some(at, depth)?,
            _ => match self.cursor.peek() {
                Some('(') => self.parentheses(Some(name), depth)?,
                Some('"' | '\'') if name == "b" || name == "br" => {
                    return Err(self
                        .cursor
                        .error(at, "byte strings have no meaning in a scene")
                        .with_help("leave out the b"));
                }
                Some('{') => {
                    return Err(self
                        .error_here(format!(
                            "expected \"(\" after {}, found \"{{\"",
                            shortened(name)
                        ))
                        .with_help(format!(
                            "named values stand in parentheses: {}(…)",
                            shortened(name)
                        )));
                }
                _ if self.cursor.rest().starts_with("::") => {
                    return Err(self
                        .error_here("expected a value without a path, found \"::\"")
                        .with_help(format!("leave out {}::", shortened(name))));
                }
                _ => Value::Ident(name.to_string()),
            },
        };
        Ok(node(at, value))
    }

    fn some(&mut self, at: Position, depth: usize) -> Result<Value, SceneError> {
        let mut inner = match self.cursor.peek() {
            Some('(') => match self.parentheses(None, depth)? {
                Value::Tuple { items, .. } => items,
                _ => Vec::new(),
            },
            _ => Vec::new(),
        };
        match (inner.pop(), inner.is_empty()) {
            (Some(value), true) => Ok(Value::Some(Box::new(value))),
            _ => Err(self.cursor.error(at, "expected one value in Some(…)")),
        }
    }

    /// `(…)`: nothing, items, or named fields.
    fn parentheses(&mut self, name: Option<&str>, depth: usize) -> Result<Value, SceneError> {
        let open = self.cursor.position();
        self.cursor.bump();
        let mut items: Vec<Node> = Vec::new();
        let mut fields: Vec<Field> = Vec::new();
        loop {
            self.cursor.skip_space()?;
            if self.cursor.eat(")") {
                break;
            }
            let at = self.cursor.position();
            let item = if self.cursor.at_name() && !self.cursor.at_raw_string() {
                let word = self.cursor.name()?;
                self.cursor.skip_space()?;
                let rest = self.cursor.rest();
                if rest.starts_with('=') {
                    return Err(self.error_here(format!(
                        "expected \":\" after the field name {}, found \"=\"",
                        shortened(word)
                    )));
                }
                if rest.starts_with(':') && !rest.starts_with("::") {
                    self.cursor.bump();
                    self.cursor.skip_space()?;
                    fields.push(Field {
                        name: word.to_string(),
                        line: at.line,
                        column: at.column,
                        value: self.value(depth + 1)?,
                    });
                    None
                } else {
                    self.count(at, depth + 1)?;
                    Some(self.named_value(word, at, depth + 1)?)
                }
            } else {
                Some(self.value(depth + 1)?)
            };
            items.extend(item);
            if !items.is_empty() && !fields.is_empty() {
                return Err(self.cursor.error(
                    at,
                    "fields with a name and values without one are mixed in one pair of parentheses",
                ));
            }
            self.separator(open, "(", ")", items.last())?;
        }
        if !fields.is_empty() {
            self.refuse_twins(
                "field",
                fields.iter().map(|f| (f.name.clone(), f.line, f.column)),
            )?;
        }
        let name = name.map(str::to_string);
        Ok(if !items.is_empty() {
            Value::Tuple { name, items }
        } else if fields.is_empty() && name.is_none() {
            Value::Unit
        } else {
            Value::Struct { name, fields }
        })
    }

    fn list(&mut self, depth: usize) -> Result<Value, SceneError> {
        let open = self.cursor.position();
        self.cursor.bump();
        let mut items = Vec::new();
        loop {
            self.cursor.skip_space()?;
            if self.cursor.eat("]") {
                return Ok(Value::List(items));
            }
            items.push(self.value(depth + 1)?);
            self.separator(open, "[", "]", items.last())?;
        }
    }

    fn map(&mut self, depth: usize) -> Result<Value, SceneError> {
        let open = self.cursor.position();
        self.cursor.bump();
        let mut entries: Vec<(Node, Node)> = Vec::new();
        loop {
            self.cursor.skip_space()?;
            if self.cursor.eat("}") {
                break;
            }
            let key = self.value(depth + 1)?;
            self.cursor.skip_space()?;
            if !self.cursor.eat(":") {
                let found = self.cursor.found();
                return Err(self.error_here(format!("expected \":\" after the key, found {found}")));
            }
            self.cursor.skip_space()?;
            entries.push((key, self.value(depth + 1)?));
            self.separator(open, "{", "}", None)?;
        }
        self.refuse_twins(
            "key",
            entries.iter().filter_map(|(key, _)| {
                let text = match &key.value {
                    Value::Str(text) | Value::Ident(text) => text.clone(),
                    Value::Number(number) => number.text.to_string(),
                    _ => return None,
                };
                Some((text, key.line, key.column))
            }),
        )?;
        Ok(Value::Map(entries))
    }

    /// The comma between two values, or the closing bracket, which is left for the caller.
    fn separator(
        &mut self,
        open: Position,
        opening: &str,
        closing: &str,
        last: Option<&Node>,
    ) -> Result<(), SceneError> {
        self.cursor.skip_space()?;
        if self.cursor.eat(",") || self.cursor.rest().starts_with(closing) {
            return Ok(());
        }
        let found = self.cursor.found();
        let error = self.error_here(format!(
            "expected \",\" or the \"{closing}\" that closes the \"{opening}\" at {}:{}, found {found}",
            open.line, open.column
        ));
        Err(match (self.cursor.peek(), last.map(|node| &node.value)) {
            (Some(':'), Some(Value::Str(name))) if opening == "(" => error.with_help(format!(
                "the name of a field has no quotes: {}",
                shortened(name)
            )),
            _ => error,
        })
    }

    fn number(&mut self) -> Result<Number, SceneError> {
        let at = self.cursor.position();
        let text = self.cursor.number_text();
        let Some((value, is_integer)) = number_value(text) else {
            let error = self
                .cursor
                .error(at, format!("{} is not a number", quoted(text)));
            return Err(
                if text.starts_with(|c: char| c.is_ascii_digit()) && !text.contains("..") {
                    error.with_help(
                        "a number is written without a unit: 20, 0.5, 1e-3, 1_000 or 0xFF",
                    )
                } else {
                    error
                },
            );
        };
        if value.is_infinite() && !text.contains("inf") {
            return Err(self
                .cursor
                .error(at, format!("{} is too large for a number", quoted(text)))
                .with_help("the largest is about 1.8e308; infinity is written inf"));
        }
        Ok(Number {
            text: text.into(),
            value,
            is_integer,
        })
    }

    /// Keeps nesting and memory within bounds.
    fn count(&mut self, at: Position, depth: usize) -> Result<(), SceneError> {
        self.values += 1;
        if depth > DEEPEST {
            let message = format!("values are nested more than {DEEPEST} levels deep");
            return Err(self.cursor.error(at, message));
        }
        if self.values > MOST_VALUES {
            let message = format!("the text holds more than {MOST_VALUES} values");
            return Err(self
                .cursor
                .error(at, message)
                .with_help("keep large tables in data files and name them in the scene"));
        }
        Ok(())
    }

    /// An error if a name comes twice, at its second place.
    fn refuse_twins(
        &self,
        what: &str,
        names: impl Iterator<Item = (String, u32, u32)>,
    ) -> Result<(), SceneError> {
        let mut names: Vec<_> = names.collect();
        names.sort_unstable();
        let twins = names.windows(2).filter(|pair| pair[0].0 == pair[1].0);
        let Some(pair) = twins.min_by_key(|pair| (pair[1].1, pair[1].2)) else {
            return Ok(());
        };
        let (name, line, column) = &pair[1];
        let at = Position {
            line: *line,
            column: *column,
        };
        Err(self.cursor.error(
            at,
            format!(
                "the {what} {} is given twice, first at {}:{}",
                quoted(name),
                pair[0].1,
                pair[0].2
            ),
        ))
    }
}

fn node(at: Position, value: Value) -> Node {
    Node {
        line: at.line,
        column: at.column,
        value,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Value {
        parse(text, "f")
            .unwrap_or_else(|error| panic!("{error}"))
            .value
    }

    fn refused(text: &str) -> String {
        parse(text, "f").expect_err(text).to_string()
    }

    fn number(text: &str) -> Node {
        parse(text, "f").unwrap()
    }

    #[test]
    fn every_kind_of_value_is_read() {
        assert_eq!(read("()"), Value::Unit);
        assert_eq!(read(" true "), Value::Bool(true));
        assert_eq!(read("\"a\""), Value::Str("a".into()));
        assert_eq!(read("r#\"a\"b\"#"), Value::Str("a\"b".into()));
        assert_eq!(read("'a'"), Value::Char('a'));
        assert_eq!(read("Lif"), Value::Ident("Lif".into()));
        assert_eq!(read("r#2d"), Value::Ident("2d".into()));
        assert_eq!(read("None"), Value::None);
        assert_eq!(read("[]"), Value::List(vec![]));
        assert_eq!(read("{}"), Value::Map(vec![]));
        assert_eq!(read("Some(1)"), {
            let mut one = number("1");
            one.column = 6;
            Value::Some(Box::new(one))
        });
        let Value::Tuple { name, items } = read("P(1, 2,)") else {
            panic!()
        };
        assert_eq!((name.as_deref(), items.len()), (Some("P"), 2));
        let Value::Struct { name, fields } = read("P ( a : 1 , b : [2] , )") else {
            panic!()
        };
        assert_eq!((name.as_deref(), fields.len()), (Some("P"), 2));
        let Value::Struct { name, fields } = read("P()") else {
            panic!()
        };
        assert_eq!((name.as_deref(), fields.len()), (Some("P"), 0));
        let Value::Map(entries) = read("{\"a\": 1, b: 2, 3: ()}") else {
            panic!()
        };
        assert_eq!(entries.len(), 3);
    }

    #[test]
    fn values_know_their_place() {
        let node = parse("// τ\nScene(\n  τ: [1,\n  Lif],\n)", "f").unwrap();
        assert_eq!((node.line, node.column), (2, 1));
        let field = node.field("τ").unwrap();
        assert_eq!((field.line, field.column), (3, 3));
        let Value::List(items) = &field.value.value else {
            panic!()
        };
        assert_eq!((items[1].line, items[1].column), (4, 3));
    }

    #[test]
    fn headers_change_nothing() {
        let text = "#![enable(implicit_some)]\n#![enable(unwrap_newtypes, other,)] 1";
        assert!(matches!(read(text), Value::Number(_)));
        assert_eq!(
            refused("#[enable(x)] 1"),
            "f:1:2: expected \"!\" of a header #![enable(…)], found \"[\""
        );
    }

    #[test]
    fn a_field_can_be_taken_out() {
        let mut node = parse("(a: 1, b: 2)", "f").unwrap();
        assert_eq!(node.take_field("a").unwrap().name, "a");
        assert_eq!(node.take_field("a"), None);
        assert!(node.field("b").is_some());
    }

    #[test]
    fn errors_of_syntax_say_what_to_do() {
        for (text, message) in [
            ("", "f:1:1: the file holds no value"),
            ("// x\n", "f:2:1: the file holds no value"),
            ("1 2", "f:1:3: expected the end of the file, found \"2\""),
            (
                "(a: 1 b: 2)",
                "f:1:7: expected \",\" or the \")\" that closes the \"(\" at 1:1, found \"b\"",
            ),
            (
                "(\n [1, 2",
                "f:2:7: expected \",\" or the \"]\" that closes the \"[\" at 2:2, found the end of the file",
            ),
            (
                "(\"a\": 1)",
                "f:1:5: expected \",\" or the \")\" that closes the \"(\" at 1:1, found \":\"\nhelp: the name of a field has no quotes: a",
            ),
            (
                "(a = 1)",
                "f:1:4: expected \":\" after the field name a, found \"=\"",
            ),
            ("(a: )", "f:1:5: expected a value, found \")\""),
            (
                "(a: 1, 2)",
                "f:1:8: fields with a name and values without one are mixed in one pair of parentheses",
            ),
            (
                "Lif { a: 1 }",
                "f:1:5: expected \"(\" after Lif, found \"{\"\nhelp: named values stand in parentheses: Lif(…)",
            ),
            (
                "Kind::Lif",
                "f:1:5: expected a value without a path, found \"::\"\nhelp: leave out Kind::",
            ),
            (
                "(a: 20ms)",
                "f:1:5: \"20ms\" is not a number\nhelp: a number is written without a unit: 20, 0.5, 1e-3, 1_000 or 0xFF",
            ),
            (
                "-1e999",
                "f:1:1: \"-1e999\" is too large for a number\nhelp: the largest is about 1.8e308; infinity is written inf",
            ),
            ("{1 2}", "f:1:4: expected \":\" after the key, found \"2\""),
            ("Some(1, 2)", "f:1:1: expected one value in Some(…)"),
            ("Some", "f:1:1: expected one value in Some(…)"),
            (
                "b\"x\"",
                "f:1:1: byte strings have no meaning in a scene\nhelp: leave out the b",
            ),
            ("0..10", "f:1:1: \"0..10\" is not a number"),
            ("@", "f:1:1: expected a value, found \"@\""),
        ] {
            assert_eq!(refused(text), message, "{text}");
        }
    }

    #[test]
    fn a_name_given_twice_is_reported_with_both_places() {
        assert_eq!(
            refused("(a: 1,\n b: 2, a: 3, b: 4)"),
            "f:2:8: the field \"a\" is given twice, first at 1:2"
        );
        assert_eq!(
            refused("{\"a\": 1, \"a\": 3}"),
            "f:1:10: the key \"a\" is given twice, first at 1:2"
        );
    }

    #[test]
    fn text_that_is_not_utf_8_is_reported_where_it_breaks() {
        assert_eq!(
            parse_bytes(b"(\n a: \xFF)", "f").unwrap_err().to_string(),
            "f:2:5: the text is not UTF-8 from here on\nhelp: save the file with the encoding UTF-8"
        );
        assert!(parse_bytes("(τ: 1)".as_bytes(), "f").is_ok());
    }
}
