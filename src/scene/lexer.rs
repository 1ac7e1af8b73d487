//! The words of RON: white space, comments, names, numbers, strings and characters.
//!
//! A [`Cursor`] walks over the text once and knows its line and column, so that reading takes time
//! proportional to the length of the text, whatever the text says.

use super::error::{SceneError, quoted};

/// A place in the text, both parts counted from 1; columns are characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Position {
    pub(super) line: u32,
    pub(super) column: u32,
}

/// A reader of words.
pub(super) struct Cursor<'a> {
    text: &'a str,
    file: &'a str,
    offset: usize,
    position: Position,
}

impl<'a> Cursor<'a> {
    pub(super) fn new(text: &'a str, file: &'a str) -> Self {
        Self {
            text: text.strip_prefix('\u{FEFF}').unwrap_or(text),
            file,
            offset: 0,
            position: Position { line: 1, column: 1 },
        }
    }

    pub(super) fn position(&self) -> Position {
        self.position
    }

    pub(super) fn error(&self, at: Position, message: impl Into<String>) -> SceneError {
        SceneError {
            file: self.file.to_string(),
            line: at.line,
            column: at.column,
            path: String::new(),
            message: message.into(),
            help: None,
        }
    }

    pub(super) fn rest(&self) -> &'a str {
        &self.text[self.offset..]
    }

    pub(super) fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    pub(super) fn bump(&mut self) -> Option<char> {
        let letter = self.peek()?;
        self.offset += letter.len_utf8();
        if letter == '\n' {
            self.position.line = self.position.line.saturating_add(1);
            self.position.column = 1;
        } else {
            self.position.column = self.position.column.saturating_add(1);
        }
        Some(letter)
    }

    /// Steps over `word` if the text goes on with it.
    pub(super) fn eat(&mut self, word: &str) -> bool {
        let found = self.rest().starts_with(word);
        if found {
            for _ in word.chars() {
                self.bump();
            }
        }
        found
    }

    /// What comes next, for a message.
    pub(super) fn found(&self) -> String {
        match self.peek() {
            None => "the end of the file".to_string(),
            Some(letter) => quoted(letter.encode_utf8(&mut [0; 4])),
        }
    }

    /// Steps over white space and comments.
    pub(super) fn skip_space(&mut self) -> Result<(), SceneError> {
        loop {
            match self.peek() {
                Some(letter) if is_space(letter) => {
                    self.bump();
                }
                Some('/') if self.rest().starts_with("//") => {
                    while self.peek().is_some_and(|letter| letter != '\n') {
                        self.bump();
                    }
                }
                Some('/') if self.rest().starts_with("/*") => self.skip_block_comment()?,
                _ => return Ok(()),
            }
        }
    }

    fn skip_block_comment(&mut self) -> Result<(), SceneError> {
        let start = self.position;
        let mut open = 0_usize;
        loop {
            if self.eat("/*") {
                open += 1;
            } else if self.eat("*/") {
                open -= 1;
                if open == 0 {
                    return Ok(());
                }
            } else if self.bump().is_none() {
                return Err(self.error(start, "this comment is never closed: \"*/\" is missing"));
            }
        }
    }

    pub(super) fn at_name(&self) -> bool {
        self.peek().is_some_and(is_name_start)
    }

    /// A name (`LifExp`, `tau_m`, or raw: `r#2d`), without its `r#`.
    pub(super) fn name(&mut self) -> Result<&'a str, SceneError> {
        let at = self.position;
        let raw = self.eat("r#");
        let start = self.offset;
        while self
            .peek()
            .is_some_and(|c| is_name_part(c) || (raw && matches!(c, '.' | '+' | '-')))
        {
            self.bump();
        }
        if start == self.offset {
            return Err(self.error(at, format!("expected a name, found {}", self.found())));
        }
        Ok(&self.text[start..self.offset])
    }

    /// The longest run of letters that may belong to a number, sign and exponent included.
    pub(super) fn number_text(&mut self) -> &'a str {
        let start = self.offset;
        if matches!(self.peek(), Some('+' | '-')) {
            self.bump();
        }
        let hexadecimal = self.rest().starts_with("0x");
        while let Some(letter) = self.peek() {
            if !(is_name_part(letter) || letter == '.') {
                break;
            }
            self.bump();
            if !hexadecimal && matches!(letter, 'e' | 'E') && matches!(self.peek(), Some('+' | '-'))
            {
                self.bump();
            }
        }
        &self.text[start..self.offset]
    }

    /// Whether a string in raw form (`r"…"` or `r#"…"#`) comes next.
    pub(super) fn at_raw_string(&self) -> bool {
        self.rest()
            .strip_prefix('r')
            .is_some_and(|rest| rest.trim_start_matches('#').starts_with('"'))
    }

    /// A string `"…"` with its escapes resolved.
    pub(super) fn string(&mut self) -> Result<String, SceneError> {
        let start = self.position;
        self.bump();
        let mut text = String::new();
        loop {
            match self.peek() {
                None => {
                    return Err(self.error(start, "this string is never closed: '\"' is missing"));
                }
                Some('"') => {
                    self.bump();
                    return Ok(text);
                }
                Some('\\') => {
                    let rest = &self.rest()[1..];
                    if rest.starts_with('\n') || rest.starts_with("\r\n") {
                        self.bump();
                        while matches!(self.peek(), Some(' ' | '\t' | '\n' | '\r')) {
                            self.bump();
                        }
                    } else {
                        text.push(self.escape()?);
                    }
                }
                Some(letter) => {
                    self.bump();
                    text.push(letter);
                }
            }
        }
    }

    /// A string `r#"…"#`, taken as it stands.
    pub(super) fn raw_string(&mut self) -> Result<String, SceneError> {
        let start = self.position;
        self.bump();
        let mut hashes = 0_usize;
        while self.eat("#") {
            hashes += 1;
        }
        self.bump();
        let first = self.offset;
        loop {
            let last = self.offset;
            match self.bump() {
                None => {
                    let end = format!("\"{}", "#".repeat(hashes.min(20)));
                    return Err(self.error(
                        start,
                        format!("this string is never closed: {end} is missing"),
                    ));
                }
                Some('"') => {
                    let mut closing = 0;
                    while closing < hashes && self.eat("#") {
                        closing += 1;
                    }
                    if closing == hashes {
                        return Ok(self.text[first..last].to_string());
                    }
                }
                Some(_) => {}
            }
        }
    }

    /// A character `'a'`.
    pub(super) fn character(&mut self) -> Result<char, SceneError> {
        let start = self.position;
        self.bump();
        let letter = match self.peek() {
            Some('\\') => self.escape()?,
            Some(letter) if letter != '\'' && letter != '\n' => {
                self.bump();
                letter
            }
            _ => return Err(self.error(start, "expected one character between the quotes '…'")),
        };
        if self.eat("'") {
            return Ok(letter);
        }
        Err(self
            .error(start, "expected one character between the quotes '…'")
            .with_help("a string is written with double quotes"))
    }

    fn escape(&mut self) -> Result<char, SceneError> {
        let at = self.position;
        self.bump();
        let kind = self.bump();
        let letter = match kind {
            Some('n') => Some('\n'),
            Some('r') => Some('\r'),
            Some('t') => Some('\t'),
            Some('0') => Some('\0'),
            Some(same @ ('\\' | '"' | '\'')) => Some(same),
            Some('x') => {
                let code = self.hexadecimal(2);
                code.filter(|&(code, digits)| digits == 2 && code < 0x80)
                    .and_then(|(code, _)| char::from_u32(code))
            }
            Some('u') if self.eat("{") => {
                let code = self.hexadecimal(6);
                let closed = self.eat("}");
                code.filter(|_| closed)
                    .and_then(|(code, _)| char::from_u32(code))
            }
            _ => None,
        };
        letter.ok_or_else(|| {
            self.error(at, "this \"\\\" begins no known escape")
                .with_help(r#"known: \n, \r, \t, \0, \\, \", \', \x41 and \u{3c4}; a raw string r"…" needs none"#)
        })
    }

    /// Up to `most` hexadecimal digits: their value and how many there were.
    fn hexadecimal(&mut self, most: usize) -> Option<(u32, usize)> {
        let (mut code, mut digits) = (0, 0);
        while digits < most {
            let Some(digit) = self.peek().and_then(|c| c.to_digit(16)) else {
                break;
            };
            self.bump();
            code = code * 16 + digit;
            digits += 1;
        }
        (digits > 0).then_some((code, digits))
    }
}

pub(super) fn is_name_start(letter: char) -> bool {
    letter == '_' || letter.is_alphabetic()
}

pub(super) fn is_name_part(letter: char) -> bool {
    letter == '_' || letter.is_alphanumeric()
}

fn is_space(letter: char) -> bool {
    matches!(
        letter,
        ' ' | '\t'
            | '\n'
            | '\r'
            | '\u{B}'
            | '\u{C}'
            | '\u{85}'
            | '\u{200E}'
            | '\u{200F}'
            | '\u{2028}'
            | '\u{2029}'
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message<T: std::fmt::Debug>(result: Result<T, SceneError>) -> String {
        result.unwrap_err().to_string()
    }

    #[test]
    fn comments_nest_and_lines_are_counted() {
        let mut cursor = Cursor::new("\u{FEFF} // one\n /* two /* three */\n */ x", "f");
        cursor.skip_space().unwrap();
        assert_eq!(cursor.position(), Position { line: 3, column: 5 });
        assert_eq!(cursor.name().unwrap(), "x");
    }

    #[test]
    fn an_open_comment_is_reported_where_it_begins() {
        let mut cursor = Cursor::new("\n  /* /* */", "f");
        assert_eq!(
            message(cursor.skip_space()),
            "f:2:3: this comment is never closed: \"*/\" is missing"
        );
    }

    #[test]
    fn escapes_are_resolved() {
        let mut cursor = Cursor::new(r#""a\n\t\"\\\x41\u{3c4}\'\0""#, "f");
        assert_eq!(cursor.string().unwrap(), "a\n\t\"\\Aτ'\0");
        let mut cursor = Cursor::new("\"a\\\n   \t b\"", "f");
        assert_eq!(cursor.string().unwrap(), "ab");
    }

    #[test]
    fn bad_escapes_are_errors() {
        for text in [
            r#""\q""#,
            r#""\x80""#,
            r#""\x4""#,
            r#""\u{}""#,
            r#""\u{110000}""#,
            r#""\u{d800}""#,
            "\"\\",
        ] {
            let error = Cursor::new(text, "f").string().unwrap_err();
            assert_eq!(
                error.message, "this \"\\\" begins no known escape",
                "{text}"
            );
            assert_eq!((error.line, error.column), (1, 2), "{text}");
        }
    }

    #[test]
    fn raw_strings_end_at_their_own_number_of_hashes() {
        let mut cursor = Cursor::new(r####"r##"a"#\n"##b"####, "f");
        assert!(cursor.at_raw_string());
        assert_eq!(cursor.raw_string().unwrap(), r##"a"#\n"##);
        assert_eq!(cursor.peek(), Some('b'));
        assert_eq!(
            message(Cursor::new("r#\"a\"", "f").raw_string()),
            "f:1:1: this string is never closed: \"# is missing"
        );
    }

    #[test]
    fn characters_hold_exactly_one_letter() {
        assert_eq!(Cursor::new("'τ'", "f").character().unwrap(), 'τ');
        assert_eq!(Cursor::new(r"'\''", "f").character().unwrap(), '\'');
        for text in ["''", "'ab'", "'", "'\n'"] {
            assert!(Cursor::new(text, "f").character().is_err(), "{text}");
        }
    }
}
