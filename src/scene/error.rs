//! What went wrong in a scene, and where: errors that a person can act on.
//!
//! Every error names the file, the line, the column and the path of the value (`regions[2].model.tau_m`),
//! says what was found and what is allowed, and on a typo suggests the nearest known name.

use std::fmt;

/// An error in the text of a scene.
///
/// It is shown as `file:line:column: path: message`, followed by a line `help: …` where there is help to
/// give. An error that belongs to no place in the text (an override on the command line) has line 0 and is
/// shown without line and column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SceneError {
    /// The file as it was named by the caller.
    pub file: String,
    /// The line, from 1; 0 when the error has no place in the text.
    pub line: u32,
    /// The column in characters, from 1.
    pub column: u32,
    /// The path of the value, such as `regions[2].model.tau_m`; empty for an error of syntax.
    pub path: String,
    /// What is wrong: the thing, the value, and what is allowed.
    pub message: String,
    /// How to put it right, where that is not plain from the message.
    pub help: Option<String>,
}

impl SceneError {
    /// The same error with a line of help.
    #[must_use]
    pub fn with_help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}

impl fmt::Display for SceneError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:", self.file)?;
        if self.line > 0 {
            write!(f, "{}:{}:", self.line, self.column)?;
        }
        if !self.path.is_empty() {
            write!(f, " {}:", self.path)?;
        }
        write!(f, " {}", self.message)?;
        if let Some(help) = &self.help {
            write!(f, "\nhelp: {help}")?;
        }
        Ok(())
    }
}

impl std::error::Error for SceneError {}

/// How many known names a message lists.
const LISTED: usize = 30;
/// Longer names get no suggestion: nobody mistypes them, and comparing costs their product.
const LONGEST_NAME: usize = 64;

/// The known name that `name` was probably meant to be.
///
/// Letter case and underscores do not count (`lif_exp` is near `LifExp`); otherwise about one slip (a wrong,
/// missing, extra or swapped letter) is forgiven for every three letters. Of equally near names the first wins.
pub fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let wanted = folded(name)?;
    let mut best: Option<(usize, &str)> = None;
    for candidate in known {
        let Some(letters) = folded(candidate) else {
            continue;
        };
        let allowed = wanted.len().max(letters.len()).div_ceil(3);
        let slips = slips(&wanted, &letters);
        if slips <= allowed && slips < letters.len().max(1) && best.is_none_or(|(b, _)| slips < b) {
            best = Some((slips, candidate));
        }
    }
    best.map(|(_, candidate)| candidate)
}

/// `unknown field "tua_m"; did you mean "tau_m"? known: tau_m, tau_syn`.
///
/// `what` is the kind of thing (`field`, `neuron model`). At most thirty known names are listed, in the order
/// given.
pub fn unknown<'a>(
    what: &str,
    name: &str,
    known: impl IntoIterator<Item = &'a str> + Clone,
) -> String {
    let mut text = format!("unknown {what} {}", quoted(name));
    if let Some(near) = nearest(name, known.clone()) {
        text.push_str(&format!("; did you mean \"{near}\"?"));
    } else {
        text.push(';');
    }
    text.push_str(" known: ");
    text.push_str(&listed(known));
    text
}

/// Names separated by commas, at most thirty of them: `a, b, c … and 12 more`.
pub fn listed<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    let names: Vec<&str> = names.into_iter().collect();
    if names.is_empty() {
        return "none".to_string();
    }
    let mut text = names[..names.len().min(LISTED)].join(", ");
    if names.len() > LISTED {
        text.push_str(&format!(" … and {} more", names.len() - LISTED));
    }
    text
}

/// A text in quotes as a message shows it: on one line and at most sixty characters long.
pub fn quoted(text: &str) -> String {
    const LONGEST: usize = 60;
    let mut shown = String::with_capacity(LONGEST + 2);
    shown.push('"');
    for (count, letter) in text.chars().enumerate() {
        if count == LONGEST {
            shown.push('…');
            break;
        }
        if letter.is_control() {
            shown.extend(letter.escape_default());
        } else {
            shown.push(letter);
        }
    }
    shown.push('"');
    shown
}

/// The first sixty characters of a text.
pub fn shortened(text: &str) -> String {
    match text.char_indices().nth(60) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_string(),
    }
}

/// The letters that count when names are compared, or none for a name too long to compare.
fn folded(name: &str) -> Option<Vec<char>> {
    (name.len() <= LONGEST_NAME).then(|| {
        name.chars()
            .filter(|c| *c != '_')
            .flat_map(char::to_lowercase)
            .collect()
    })
}

/// The number of slips between two names: letters changed, added, left out, or swapped with a neighbour
/// (the optimal string alignment distance).
fn slips(a: &[char], b: &[char]) -> usize {
    let mut before: Vec<usize> = Vec::new();
    let mut above: Vec<usize> = (0..=b.len()).collect();
    for (i, &from) in a.iter().enumerate() {
        let mut row = Vec::with_capacity(b.len() + 1);
        row.push(i + 1);
        for (j, &to) in b.iter().enumerate() {
            let mut cost = (above[j] + usize::from(from != to))
                .min(above[j + 1] + 1)
                .min(row[j] + 1);
            if i > 0 && j > 0 && from == b[j - 1] && a[i - 1] == to {
                cost = cost.min(before[j - 1] + 1);
            }
            row.push(cost);
        }
        before = std::mem::replace(&mut above, row);
    }
    above[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIELDS: [&str; 4] = ["tau_m", "tau_syn", "v_rest", "LifExp"];

    #[test]
    fn an_error_reads_as_file_line_column_path_message_help() {
        let error = SceneError {
            file: "a.ron".into(),
            line: 3,
            column: 14,
            path: "regions[2].model.tau_m".into(),
            message: "expected a number (ms), found ()".into(),
            help: None,
        };
        assert_eq!(
            error.to_string(),
            "a.ron:3:14: regions[2].model.tau_m: expected a number (ms), found ()"
        );
        assert_eq!(
            error.with_help("write 20.0").to_string(),
            "a.ron:3:14: regions[2].model.tau_m: expected a number (ms), found ()\nhelp: write 20.0"
        );
    }

    #[test]
    fn an_error_without_a_place_shows_no_line() {
        let error = SceneError {
            file: "a.ron".into(),
            line: 0,
            column: 0,
            path: String::new(),
            message: "m".into(),
            help: None,
        };
        assert_eq!(error.to_string(), "a.ron: m");
    }

    #[test]
    fn the_nearest_name_forgives_slips_case_and_underscores() {
        assert_eq!(nearest("tua_m", FIELDS), Some("tau_m"));
        assert_eq!(nearest("TAU_M", FIELDS), Some("tau_m"));
        assert_eq!(nearest("lif_exp", FIELDS), Some("LifExp"));
        assert_eq!(nearest("tau_sin", FIELDS), Some("tau_syn"));
        assert_eq!(nearest("vrest", FIELDS), Some("v_rest"));
    }

    #[test]
    fn a_far_name_has_no_nearest() {
        assert_eq!(nearest("capacity", FIELDS), None);
        assert_eq!(nearest("x", FIELDS), None);
        assert_eq!(nearest("", FIELDS), None);
        assert_eq!(nearest("x", ["y"]), None);
        assert_eq!(nearest("tau_m", []), None);
        assert_eq!(nearest(&"t".repeat(1_000_000), FIELDS), None);
    }

    #[test]
    fn an_unknown_name_lists_the_known_ones() {
        assert_eq!(
            unknown("field", "tua_m", FIELDS),
            "unknown field \"tua_m\"; did you mean \"tau_m\"? known: tau_m, tau_syn, v_rest, LifExp"
        );
        assert_eq!(
            unknown("field", "colour", FIELDS),
            "unknown field \"colour\"; known: tau_m, tau_syn, v_rest, LifExp"
        );
        assert_eq!(
            unknown("field", "a", []),
            "unknown field \"a\"; known: none"
        );
    }

    #[test]
    fn at_most_thirty_names_are_listed() {
        let names: Vec<String> = (0..42).map(|i| format!("n{i}")).collect();
        let text = listed(names.iter().map(String::as_str));
        assert!(text.starts_with("n0, n1, "), "{text}");
        assert!(text.ends_with(", n29 … and 12 more"), "{text}");
    }

    #[test]
    fn a_quoted_text_stays_short_and_on_one_line() {
        assert_eq!(quoted("a\nb"), "\"a\\nb\"");
        assert_eq!(quoted(&"x".repeat(100)), format!("\"{}…\"", "x".repeat(60)));
    }
}
