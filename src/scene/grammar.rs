//! The grammar of expressions: from text to a tree.

use super::error::quoted;
use super::expression::Term;
use super::lexer::{is_name_part, is_name_start};

/// The longest expression, in bytes.
const LONGEST: usize = 10_000;
/// The deepest nesting of parentheses, signs and powers in one expression.
const DEEPEST: u32 = 50;

/// Reads an expression; the error says what is wrong with it, as what follows "the expression …".
pub(super) fn read(text: &str) -> Result<Term, String> {
    if text.len() > LONGEST {
        return Err(format!("it is longer than {LONGEST} characters"));
    }
    let mut reader = Reader {
        text,
        offset: 0,
        depth: 0,
    };
    let term = reader.comparison()?;
    if reader.peek().is_some() {
        return Err(reader.surprise("an operator"));
    }
    Ok(term)
}

/// Reads the grammar, weakest operators first.
struct Reader<'a> {
    text: &'a str,
    offset: usize,
    depth: u32,
}

impl<'a> Reader<'a> {
    /// The next letter that is not a space.
    fn peek(&mut self) -> Option<char> {
        let rest = &self.text[self.offset..];
        self.offset += rest.len() - rest.trim_start().len();
        self.text[self.offset..].chars().next()
    }

    fn eat(&mut self, word: &str) -> bool {
        self.peek();
        let found = self.text[self.offset..].starts_with(word);
        self.offset += if found { word.len() } else { 0 };
        found
    }

    fn surprise(&mut self, expected: &str) -> String {
        match self.peek() {
            None => format!("expected {expected} at its end"),
            Some(letter) => format!(
                "expected {expected}, found {} as its character {}",
                quoted(letter.encode_utf8(&mut [0; 4])),
                self.text[..self.offset].chars().count() + 1
            ),
        }
    }

    fn comparison(&mut self) -> Result<Term, String> {
        let left = self.sum()?;
        let Some(sign) = self.comparison_sign()? else {
            return Ok(left);
        };
        let right = self.sum()?;
        if self.comparison_sign()?.is_some() {
            return Err("comparisons are not chained: write (a < b) * (b < c)".into());
        }
        Ok(Term::Comparison(sign, Box::new((left, right))))
    }

    fn comparison_sign(&mut self) -> Result<Option<&'static str>, String> {
        for sign in ["<=", ">=", "==", "!=", "<", ">"] {
            if self.eat(sign) {
                return Ok(Some(sign));
            }
        }
        if self.eat("=") {
            return Err("equality is written ==".into());
        }
        Ok(None)
    }

    fn sum(&mut self) -> Result<Term, String> {
        let first = self.product()?;
        let mut others = Vec::new();
        while matches!(self.peek(), Some('+' | '-')) {
            let minus = self.eat("-");
            if !minus {
                self.eat("+");
            }
            others.push((minus, self.product()?));
        }
        Ok(match others.is_empty() {
            true => first,
            false => Term::Sum(Box::new(first), others),
        })
    }

    fn product(&mut self) -> Result<Term, String> {
        let first = self.signed()?;
        let mut others = Vec::new();
        while matches!(self.peek(), Some('*' | '/')) {
            if self.eat("**") {
                return Err("a power is written ^".into());
            }
            let divide = self.eat("/");
            if !divide {
                self.eat("*");
            }
            others.push((divide, self.signed()?));
        }
        Ok(match others.is_empty() {
            true => first,
            false => Term::Product(Box::new(first), others),
        })
    }

    /// A factor with its signs and its power. Every nesting of the grammar passes here.
    fn signed(&mut self) -> Result<Term, String> {
        self.depth += 1;
        if self.depth > DEEPEST {
            return Err(format!("it is nested more than {DEEPEST} levels deep"));
        }
        let term = if self.eat("-") {
            Term::Negative(Box::new(self.signed()?))
        } else if self.eat("+") {
            self.signed()?
        } else {
            let base = self.atom()?;
            if self.eat("^") {
                Term::Power(Box::new((base, self.signed()?)))
            } else {
                base
            }
        };
        self.depth -= 1;
        Ok(term)
    }

    fn atom(&mut self) -> Result<Term, String> {
        match self.peek() {
            Some('(') => {
                self.eat("(");
                let inner = self.comparison()?;
                self.close()?;
                Ok(inner)
            }
            Some('0'..='9' | '.') => self.number(),
            Some(letter) if is_name_start(letter) => {
                let name = self.take_while(is_name_part);
                if !self.eat("(") {
                    return Ok(Term::Name(name.to_string()));
                }
                let mut arguments = Vec::new();
                while self.peek() != Some(')') {
                    arguments.push(self.comparison()?);
                    if !self.eat(",") {
                        break;
                    }
                }
                self.close()?;
                Ok(Term::Call(name.to_string(), arguments))
            }
            _ => Err(self.surprise("a number, a name or \"(\"")),
        }
    }

    fn close(&mut self) -> Result<(), String> {
        match self.eat(")") {
            true => Ok(()),
            false => Err(self.surprise("an operator or \")\"")),
        }
    }

    fn take_while(&mut self, belongs: impl Fn(char) -> bool) -> &'a str {
        let rest = &self.text[self.offset..];
        let end = rest.find(|c| !belongs(c)).unwrap_or(rest.len());
        self.offset += end;
        &rest[..end]
    }

    fn number(&mut self) -> Result<Term, String> {
        let start = self.offset;
        self.take_while(|c| c.is_ascii_digit() || matches!(c, '.' | '_'));
        let exponent = self.text[self.offset..].strip_prefix(['e', 'E']);
        let digits = exponent.map(|rest| rest.strip_prefix(['+', '-']).unwrap_or(rest));
        if let Some(digits) = digits.filter(|d| d.starts_with(|c: char| c.is_ascii_digit())) {
            self.offset = self.text.len() - digits.len();
            self.take_while(|c| c.is_ascii_digit());
        }
        let text = &self.text[start..self.offset];
        let plain = text.replace('_', "");
        match plain.parse::<f64>() {
            Ok(number)
                if plain
                    .parse::<u128>()
                    .is_ok_and(|whole| number as u128 != whole) =>
            {
                Err(format!(
                    "{text} cannot be exact in an expression; every whole number up to 9007199254740992 can"
                ))
            }
            Ok(number) if number.is_finite() => Ok(Term::Number(number)),
            Ok(_) => Err(format!("{} is too large for a number", quoted(text))),
            Err(_) => Err(format!("{} is not a number", quoted(text))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(text: &str) -> String {
        read(text).expect_err(text)
    }

    #[test]
    fn errors_of_grammar_say_what_to_do() {
        for (text, reason) in [
            ("", "expected a number, a name or \"(\" at its end"),
            ("1 +", "expected a number, a name or \"(\" at its end"),
            (
                "2 n",
                "expected an operator, found \"n\" as its character 3",
            ),
            ("2 * (n", "expected an operator or \")\" at its end"),
            (
                "τ + $",
                "expected a number, a name or \"(\", found \"$\" as its character 5",
            ),
            (
                "(n))",
                "expected an operator, found \")\" as its character 4",
            ),
            (
                "1 < 2 < 3",
                "comparisons are not chained: write (a < b) * (b < c)",
            ),
            ("n = 3", "equality is written =="),
            ("2 ** 3", "a power is written ^"),
            ("1.2.3", "\"1.2.3\" is not a number"),
            ("1e999", "\"1e999\" is too large for a number"),
            (
                "2exp(1)",
                "expected an operator, found \"e\" as its character 2",
            ),
        ] {
            assert_eq!(refused(text), reason, "{text}");
        }
    }

    #[test]
    fn hostile_text_meets_a_limit() {
        let many = |text: &str| text.repeat(9_000 / text.len());
        for (text, reason) in [
            (many("("), "it is nested more than 50 levels deep"),
            (many("-"), "it is nested more than 50 levels deep"),
            (many("2^"), "it is nested more than 50 levels deep"),
            (many("abs("), "it is nested more than 50 levels deep"),
            ("1".repeat(20_000), "it is longer than 10000 characters"),
            (
                "1".repeat(9_000),
                &format!("\"{}…\" is too large for a number", "1".repeat(60)),
            ),
        ] {
            assert_eq!(refused(&text), reason);
        }
        assert!(read(&format!("{}1", many("1+"))).is_ok());
        let nested = |depth: usize| format!("{}1{}", "(".repeat(depth), ")".repeat(depth));
        assert!(read(&nested(49)).is_ok());
        assert!(read(&nested(50)).is_err());
    }
}
