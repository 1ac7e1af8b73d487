//! What an experiment's parameters are in a run: the published values, and what was changed.

use super::contract::{Condition, Experiment, Parameter};
use crate::scene::error::{quoted, unknown};

/// The value of every parameter of an experiment.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    values: Vec<(&'static str, f64)>,
}

impl Settings {
    /// The published values.
    pub fn published(experiment: &Experiment) -> Self {
        let parameters = experiment.parameters.iter();
        Self {
            values: parameters.map(|p| (p.name, p.default)).collect(),
        }
    }

    /// The published values; those of the short version if `short`; and what was set by hand, as text.
    ///
    /// # Errors
    /// Names the unknown parameter and the nearest known one, or the value and what is allowed.
    pub fn new(
        experiment: &Experiment,
        short: bool,
        by_hand: &[(String, String)],
    ) -> Result<Self, String> {
        let mut settings = Self::published(experiment);
        if short {
            settings.fix(experiment.short.settings);
        }
        for (name, text) in by_hand {
            let parameter = experiment.parameter(name).ok_or_else(|| {
                let known = experiment.parameters.iter().map(|p| p.name);
                unknown(&format!("parameter of {}", experiment.name), name, known)
            })?;
            settings.fix(&[(parameter.name, value_of(parameter, text)?)]);
        }
        Ok(settings)
    }

    /// The values in a condition, which may fix some.
    pub fn in_condition(&self, condition: &Condition) -> Self {
        let mut settings = self.clone();
        settings.fix(condition.settings);
        settings
    }

    fn fix(&mut self, values: &[(&str, f64)]) {
        for (name, value) in &mut self.values {
            if let Some((_, fixed)) = values.iter().find(|(n, _)| n == name) {
                *value = *fixed;
            }
        }
    }

    /// The value of a parameter; none for a name that the experiment does not have.
    pub fn get(&self, name: &str) -> Option<f64> {
        self.values.iter().find(|(n, _)| *n == name).map(|v| v.1)
    }

    /// Every parameter with its value, in the order of the experiment.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, f64)> + '_ {
        self.values.iter().copied()
    }
}

fn value_of(parameter: &Parameter, text: &str) -> Result<f64, String> {
    let name = parameter.name;
    let value: f64 = text
        .parse()
        .map_err(|_| format!("--set {name}: {} is not a number", quoted(text)))?;
    if parameter.whole && value.fract() != 0.0 {
        return Err(format!(
            "--set {name}: {value} is not a whole number; allowed is {}",
            parameter.range
        ));
    }
    if !parameter.range.contains(value) {
        let unit = match parameter.unit {
            "" => String::new(),
            unit => format!(" ({unit})"),
        };
        return Err(format!(
            "--set {name}: {} is not allowed; allowed is {}{unit}",
            quoted(text),
            parameter.range
        ));
    }
    Ok(value)
}

#[cfg(test)]
mod tests {
    use super::super::testing::TOSS;
    use super::*;

    fn set(pairs: &[(&str, &str)]) -> Result<Settings, String> {
        let pairs: Vec<_> = pairs
            .iter()
            .map(|(n, v)| ((*n).to_owned(), (*v).to_owned()))
            .collect();
        Settings::new(&TOSS, false, &pairs)
    }

    #[test]
    fn a_condition_comes_before_the_hand_and_the_hand_before_the_short_version() {
        let by_hand = [("tosses".to_owned(), "7".to_owned())];
        let get = |s: &Settings, name| s.get(name).expect("a parameter");
        let plain = Settings::new(&TOSS, false, &[]).expect("settings");
        assert_eq!((get(&plain, "bias"), get(&plain, "tosses")), (0.9, 100.0));
        let short = Settings::new(&TOSS, true, &[]).expect("settings");
        assert_eq!(get(&short, "tosses"), 10.0);
        let set = Settings::new(&TOSS, true, &by_hand).expect("settings");
        assert_eq!(get(&set, "tosses"), 7.0);
        assert_eq!(get(&set.in_condition(&TOSS.conditions[1]), "bias"), 0.5);
        assert_eq!(set.get("nothing"), None);
    }

    #[test]
    fn wrong_settings_are_refused_with_what_is_allowed() {
        for (pairs, expected) in [
            (
                ("bais", "1"),
                "unknown parameter of toss \"bais\"; did you mean \"bias\"? known: bias, tosses",
            ),
            (("bias", "high"), "--set bias: \"high\" is not a number"),
            (("bias", "1.5"), "allowed is from 0 to 1"),
            (("bias", "NaN"), "is not allowed"),
            (("tosses", "1.5"), "is not a whole number"),
            (("tosses", "inf"), "is not"),
        ] {
            let error = set(&[pairs]).expect_err(expected);
            assert!(error.contains(expected), "{error}");
        }
    }
}
