//! Arithmetic in place of a number: `"round(20683 * scale)"`.
//!
//! | form | meaning |
//! |---|---|
//! | `+ - * /`, `^`, `( )` | as usual; `^` binds tightest and to the right, so `-2^2` is −4 and `2^3^2` is 512 |
//! | `< <= > >= == !=` | 1 if it holds, else 0; weaker than `+`; not chained |
//! | `if(c, a, b)` | `a` if `c` is not 0, else `b`; only the chosen one is worked out |
//! | `pi e inf true false` | constants; `true` is 1 and `false` 0 |
//! | `sqrt exp ln log10 abs sin cos tanh` | functions of one number |
//! | `round floor ceil rint` | to whole numbers; `round` takes halves away from zero, `rint` to the even neighbour |
//! | `pow(a, b) min(a, b, …) max(a, b, …)` | functions of several |
//!
//! Numbers are 64-bit floating point, and functions come from one portable library, so that a scene gives the
//! same network on every machine. An operation on finite numbers whose result is not finite (`1 / 0`,
//! `ln(0)`, `sqrt(-1)`) is an error; infinity appears only where the text says `inf`.
//!
//! Text that was meant to do harm is met with limits: on its length, its nesting and the work it asks for.

use super::describe::plain;
use super::error::{quoted, unknown};
use std::collections::{BTreeMap, BTreeSet};

pub use super::context::Context;

/// The deepest nesting of operations while an expression is worked out, calls included.
const DEEPEST_WORK: u32 = 500;
/// The most operations in working out one expression.
pub(super) const MOST_WORK: u32 = 10_000;

/// Constants, which no parameter may hide.
pub(super) const CONSTANTS: [(&str, f64); 5] = [
    ("pi", std::f64::consts::PI),
    ("e", std::f64::consts::E),
    ("inf", f64::INFINITY),
    ("true", 1.0),
    ("false", 0.0),
];

/// A function that every expression may use.
struct Builtin {
    name: &'static str,
    least: usize,
    most: usize,
    call: fn(&[f64]) -> f64,
}

const fn builtin(
    name: &'static str,
    least: usize,
    most: usize,
    call: fn(&[f64]) -> f64,
) -> Builtin {
    Builtin {
        name,
        least,
        most,
        call,
    }
}

const BUILTINS: [Builtin; 16] = [
    builtin("sqrt", 1, 1, |a| libm::sqrt(a[0])),
    builtin("exp", 1, 1, |a| libm::exp(a[0])),
    builtin("ln", 1, 1, |a| libm::log(a[0])),
    builtin("log10", 1, 1, |a| libm::log10(a[0])),
    builtin("abs", 1, 1, |a| a[0].abs()),
    builtin("sin", 1, 1, |a| libm::sin(a[0])),
    builtin("cos", 1, 1, |a| libm::cos(a[0])),
    builtin("tanh", 1, 1, |a| libm::tanh(a[0])),
    builtin("round", 1, 1, |a| libm::round(a[0])),
    builtin("floor", 1, 1, |a| libm::floor(a[0])),
    builtin("ceil", 1, 1, |a| libm::ceil(a[0])),
    builtin("rint", 1, 1, |a| libm::rint(a[0])),
    builtin("pow", 2, 2, |a| libm::pow(a[0], a[1])),
    builtin("min", 2, usize::MAX, |a| {
        a.iter().copied().fold(f64::INFINITY, f64::min)
    }),
    builtin("max", 2, usize::MAX, |a| {
        a.iter().copied().fold(f64::NEG_INFINITY, f64::max)
    }),
    // Worked out by `Work::call`, which looks at the condition first.
    builtin("if", 3, 3, |_| f64::NAN),
];

fn find_builtin(name: &str) -> Option<&'static Builtin> {
    BUILTINS.iter().find(|builtin| builtin.name == name)
}

/// Whether `name` already means something in every expression.
pub(super) fn is_reserved(name: &str) -> bool {
    find_builtin(name).is_some() || CONSTANTS.iter().any(|(constant, _)| *constant == name)
}

/// The names a scene adds to the language.
#[derive(Clone, Debug, Default)]
pub(super) struct Vocabulary {
    /// Parameters and definitions without arguments.
    pub(super) values: BTreeSet<String>,
    /// Definitions with arguments, and how many.
    pub(super) functions: BTreeMap<String, usize>,
}

/// What names stand for while an expression is worked out.
pub(super) trait Meaning {
    /// The number that a name stands for.
    fn value(&self, name: &str) -> Option<f64>;
    /// The arguments and the body of a defined function.
    fn function(&self, name: &str) -> Option<(&[String], &Expression)>;
}

/// An expression whose grammar is right; its names may still be unknown.
#[derive(Clone, Debug)]
pub(super) struct Expression(Term);

/// The tree of an expression.
#[derive(Clone, Debug)]
pub(super) enum Term {
    Number(f64),
    Name(String),
    Negative(Box<Term>),
    /// The first term, then others, each added or (true) subtracted.
    Sum(Box<Term>, Vec<(bool, Term)>),
    /// The first factor, then others, each multiplied or (true) divided by.
    Product(Box<Term>, Vec<(bool, Term)>),
    Power(Box<(Term, Term)>),
    Comparison(&'static str, Box<(Term, Term)>),
    Call(String, Vec<Term>),
}

impl Expression {
    /// Reads an expression; the error says what is wrong with its grammar.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        super::grammar::read(text).map(Self)
    }

    /// The expression that is always `value`.
    pub(super) fn constant(value: f64) -> Self {
        Self(Term::Number(value))
    }

    /// Calls `visit` with every name, and with the number of arguments for the name of a function.
    pub(super) fn visit_names(&self, visit: &mut dyn FnMut(&str, Option<usize>)) {
        fn walk(term: &Term, visit: &mut dyn FnMut(&str, Option<usize>)) {
            match term {
                Term::Number(_) => {}
                Term::Name(name) => visit(name, None),
                Term::Negative(inner) => walk(inner, visit),
                Term::Sum(first, others) | Term::Product(first, others) => {
                    walk(first, visit);
                    others.iter().for_each(|(_, other)| walk(other, visit));
                }
                Term::Power(pair) | Term::Comparison(_, pair) => {
                    walk(&pair.0, visit);
                    walk(&pair.1, visit);
                }
                Term::Call(name, arguments) => {
                    visit(name, Some(arguments.len()));
                    arguments.iter().for_each(|argument| walk(argument, visit));
                }
            }
        }
        walk(&self.0, visit);
    }

    /// Refuses names that are neither in the vocabulary nor among the arguments, and calls with the wrong
    /// number of arguments.
    pub(super) fn check(&self, known: &Vocabulary, arguments: &[String]) -> Result<(), String> {
        let mut wrong = None;
        self.visit_names(&mut |name, given| {
            if wrong.is_none() {
                wrong = check_name(name, given, known, arguments).err();
            }
        });
        wrong.map_or(Ok(()), Err)
    }

    /// Works the expression out. The error says which operation failed on which numbers.
    pub(super) fn evaluate(&self, names: &dyn Meaning, work: &mut Work) -> Result<f64, String> {
        work.term(&self.0, names, &[], &[])
    }
}

fn check_name(
    name: &str,
    given: Option<usize>,
    known: &Vocabulary,
    arguments: &[String],
) -> Result<(), String> {
    let constants = CONSTANTS.iter().map(|(name, _)| *name);
    let is_value = arguments.iter().any(|argument| argument == name)
        || known.values.contains(name)
        || constants.clone().any(|constant| constant == name);
    let builtin = find_builtin(name).map(|builtin| (builtin.least, builtin.most));
    let defined = known.functions.get(name).map(|&count| (count, count));
    let Some(given) = given else {
        if is_value {
            return Ok(());
        }
        if builtin.or(defined).is_some() {
            return Err(format!(
                "{name} is a function and needs its arguments in parentheses"
            ));
        }
        let scene = arguments.iter().chain(&known.values).map(String::as_str);
        return Err(unknown("name", name, scene.chain(constants)));
    };
    let Some((least, most)) = defined.or(builtin) else {
        if is_value {
            return Err(format!("{name} is a number, not a function"));
        }
        let scene = known.functions.keys().map(String::as_str);
        let functions = scene.chain(BUILTINS.iter().map(|builtin| builtin.name));
        return Err(unknown("function", name, functions));
    };
    if (least..=most).contains(&given) {
        return Ok(());
    }
    let wanted = match (least, most) {
        (1, 1) => "1 argument".to_string(),
        (least, usize::MAX) => format!("{least} or more arguments"),
        (least, _) => format!("{least} arguments"),
    };
    let verb = if given == 1 { "is" } else { "are" };
    Err(format!("{name} takes {wanted}, {given} {verb} given"))
}

/// The work that one evaluation may still do.
pub(super) struct Work {
    left: u32,
    depth: u32,
}

impl Work {
    /// Work for one expression.
    pub(super) fn new() -> Self {
        Self {
            left: MOST_WORK,
            depth: 0,
        }
    }

    /// The number of operations done so far.
    pub(super) fn done(&self) -> u32 {
        MOST_WORK - self.left
    }

    fn term(
        &mut self,
        term: &Term,
        names: &dyn Meaning,
        arguments: &[String],
        given: &[f64],
    ) -> Result<f64, String> {
        if self.left == 0 || self.depth == DEEPEST_WORK {
            return Err("it takes too many steps; are its definitions nested very deeply?".into());
        }
        self.left -= 1;
        self.depth += 1;
        let mut value = |term: &Term| self.term(term, names, arguments, given);
        let result = match term {
            Term::Number(number) => *number,
            Term::Name(name) => arguments
                .iter()
                .position(|argument| argument == name)
                .and_then(|index| given.get(index).copied())
                .or_else(|| names.value(name))
                .or_else(|| Some(CONSTANTS.iter().find(|(constant, _)| constant == name)?.1))
                .ok_or_else(|| format!("unknown name {}", quoted(name)))?,
            Term::Negative(inner) => -value(inner)?,
            Term::Sum(first, others) => {
                let mut sum = value(first)?;
                for (minus, other) in others {
                    let (a, b) = (sum, value(other)?);
                    sum = if *minus { a - b } else { a + b };
                    finite(sum, &[a, b], || infix(a, if *minus { "-" } else { "+" }, b))?;
                }
                sum
            }
            Term::Product(first, others) => {
                let mut product = value(first)?;
                for (divide, other) in others {
                    let (a, b) = (product, value(other)?);
                    if *divide && b == 0.0 {
                        return Err(format!("{} is a division by zero", infix(a, "/", b)));
                    }
                    product = if *divide { a / b } else { a * b };
                    finite(product, &[a, b], || {
                        infix(a, if *divide { "/" } else { "*" }, b)
                    })?;
                }
                product
            }
            Term::Power(pair) => {
                let (a, b) = (value(&pair.0)?, value(&pair.1)?);
                finite(libm::pow(a, b), &[a, b], || infix(a, "^", b))?
            }
            Term::Comparison(sign, pair) => {
                let (a, b) = (value(&pair.0)?, value(&pair.1)?);
                f64::from(match *sign {
                    "<" => a < b,
                    "<=" => a <= b,
                    ">" => a > b,
                    ">=" => a >= b,
                    "==" => a == b,
                    _ => a != b,
                })
            }
            Term::Call(name, inner) if name == "if" && inner.len() == 3 => {
                let branch = if value(&inner[0])? != 0.0 { 1 } else { 2 };
                value(&inner[branch])?
            }
            Term::Call(name, inner) => {
                let inner: Vec<f64> = inner.iter().map(value).collect::<Result<_, _>>()?;
                self.call(name, &inner, names)?
            }
        };
        self.depth -= 1;
        Ok(result)
    }

    fn call(&mut self, name: &str, given: &[f64], names: &dyn Meaning) -> Result<f64, String> {
        if let Some((arguments, body)) = names.function(name) {
            let result = self.term(&body.0, names, arguments, given);
            // Only the innermost call is named.
            return result.map_err(|reason| match reason.ends_with("(…)") {
                true => reason,
                false => format!("{reason}, in {name}(…)"),
            });
        }
        let builtin = find_builtin(name).filter(|b| (b.least..=b.most).contains(&given.len()));
        let builtin = builtin.ok_or_else(|| format!("unknown function {}", quoted(name)))?;
        finite((builtin.call)(given), given, || {
            let given: Vec<String> = given.iter().copied().map(plain).collect();
            format!("{name}({})", given.join(", "))
        })
    }
}

fn infix(a: f64, sign: &str, b: f64) -> String {
    format!("{} {sign} {}", plain(a), plain(b))
}

/// Refuses a result that is no number, or that is infinite though nothing that went in was.
fn finite(result: f64, given: &[f64], what: impl Fn() -> String) -> Result<f64, String> {
    if result.is_nan() {
        return Err(format!("{} is not a number", what()));
    }
    if result.is_infinite() && given.iter().all(|number| number.is_finite()) {
        return Err(format!("{} is not finite", what()));
    }
    Ok(result)
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Nothing;

    impl Meaning for Nothing {
        fn value(&self, name: &str) -> Option<f64> {
            (name == "n").then_some(4.0)
        }
        fn function(&self, _: &str) -> Option<(&[String], &Expression)> {
            None
        }
    }

    fn evaluate(text: &str) -> Result<f64, String> {
        let expression = Expression::parse(text)?;
        let known = Vocabulary {
            values: ["n".to_string()].into(),
            functions: BTreeMap::new(),
        };
        expression.check(&known, &[])?;
        expression.evaluate(&Nothing, &mut Work::new())
    }

    #[test]
    fn operators_bind_as_in_mathematics() {
        for (text, value) in [
            ("1 + 2 * 3", 7.0),
            ("(1 + 2) * 3", 9.0),
            ("10 - 4 - 3", 3.0),
            ("12 / 3 / 2", 2.0),
            ("2 ^ 3 ^ 2", 512.0),
            ("-2 ^ 2", -4.0),
            ("2 ^ -1", 0.5),
            ("2 * -3", -6.0),
            ("- - 3", 3.0),
            ("+3", 3.0),
            ("1.5e3 + 1_000", 2500.0),
            (".5", 0.5),
            ("2 * n", 8.0),
            ("1 + 1 == 2", 1.0),
            ("1 < 1", 0.0),
            ("1 <= 1", 1.0),
            ("2 > 1", 1.0),
            ("1 >= 2", 0.0),
            ("1 != 2", 1.0),
            ("(1 < 2) * (2 < 3)", 1.0),
            ("if(n > 3, 10, 20)", 10.0),
            ("if(n == 0, 1 / 0, 5)", 5.0),
            ("min(3, 1, 2)", 1.0),
            ("max(3, 1, 2)", 3.0),
            ("round(2.5) + round(-2.5)", 0.0),
            ("floor(-1.5)", -2.0),
            ("ceil(1.2)", 2.0),
            ("abs(-3)", 3.0),
            ("sqrt(9)", 3.0),
            ("pow(2, 10)", 1024.0),
            ("ln(e)", 1.0),
            ("log10(1000)", 3.0),
            ("exp(0)", 1.0),
            ("cos(0) + sin(0) + tanh(0)", 1.0),
            ("true + false", 1.0),
            ("1 / inf", 0.0),
            ("-inf", f64::NEG_INFINITY),
            ("min(inf, 3)", 3.0),
        ] {
            assert_eq!(evaluate(text), Ok(value), "{text}");
        }
        assert_eq!(evaluate("pi"), Ok(std::f64::consts::PI));
    }

    #[test]
    fn unknown_names_get_the_nearest_known_one() {
        for (text, reason) in [
            (
                "sqr(2)",
                "unknown function \"sqr\"; did you mean \"sqrt\"? known: sqrt, exp, ln, log10, abs, sin, cos, tanh, round, floor, ceil, rint, pow, min, max, if",
            ),
            (
                "scale",
                "unknown name \"scale\"; known: n, pi, e, inf, true, false",
            ),
            (
                "sqrt + 1",
                "sqrt is a function and needs its arguments in parentheses",
            ),
            ("n(2)", "n is a number, not a function"),
            ("sqrt(1, 2)", "sqrt takes 1 argument, 2 are given"),
            ("pow(1)", "pow takes 2 arguments, 1 is given"),
            ("min()", "min takes 2 or more arguments, 0 are given"),
            ("if(1, 2)", "if takes 3 arguments, 2 are given"),
            (
                "if(1, 2, missing)",
                "unknown name \"missing\"; known: n, pi, e, inf, true, false",
            ),
        ] {
            assert_eq!(evaluate(text), Err(reason.to_string()), "{text}");
        }
    }

    #[test]
    fn operations_that_leave_the_finite_numbers_are_errors() {
        for (text, reason) in [
            ("20 / (n - 4)", "20 / 0 is a division by zero"),
            ("0 / 0", "0 / 0 is a division by zero"),
            ("ln(0)", "ln(0) is not finite"),
            ("ln(-1)", "ln(-1) is not a number"),
            ("sqrt(-2.5)", "sqrt(-2.5) is not a number"),
            ("exp(1000)", "exp(1000) is not finite"),
            ("1e308 * 10", "1e308 * 10 is not finite"),
            ("1e308 + 1e308", "1e308 + 1e308 is not finite"),
            ("0 ^ -1", "0 ^ -1 is not finite"),
            ("inf - inf", "inf - inf is not a number"),
            ("0 * inf", "0 * inf is not a number"),
        ] {
            assert_eq!(evaluate(text), Err(reason.to_string()), "{text}");
        }
    }
}
