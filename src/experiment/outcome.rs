//! What a run gives: measures, whether it succeeded, curves and matrices.

use super::contract::{Experiment, is_plain};

/// The result of one run.
///
/// ```
/// use neuropil::experiment::{Outcome, Series};
///
/// let outcome = Outcome::new()
///     .measure("rate", 7.2)
///     .success(true)
///     .series(Series::new("learning", ("trial", ""), ("rate", "Hz"), vec![(1.0, 3.0), (2.0, 7.2)]));
/// assert_eq!(outcome.get("rate"), Some(7.2));
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Outcome {
    measures: Vec<(&'static str, f64)>,
    success: Option<bool>,
    series: Vec<Series>,
    matrices: Vec<Matrix>,
}

/// A quantity along one side of a curve or matrix.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Axis {
    /// What it is.
    pub label: String,
    /// Its unit; empty for a pure number.
    pub unit: String,
}

impl From<(&str, &str)> for Axis {
    fn from((label, unit): (&str, &str)) -> Self {
        Self {
            label: label.into(),
            unit: unit.into(),
        }
    }
}

impl core::fmt::Display for Axis {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self.unit.as_str() {
            "" => write!(f, "{}", self.label),
            unit => write!(f, "{} ({unit})", self.label),
        }
    }
}

/// Points of a curve, or spikes as (time, neuron).
#[derive(Clone, Debug, PartialEq)]
pub struct Series {
    /// Its name, which becomes part of a file's: lower-case letters, digits, underscores, hyphens.
    pub name: &'static str,
    /// What x is.
    pub x: Axis,
    /// What y is.
    pub y: Axis,
    /// The points.
    pub points: Vec<(f64, f64)>,
}

impl Series {
    /// A series; axes are given as (label, unit).
    pub fn new(
        name: &'static str,
        x: (&str, &str),
        y: (&str, &str),
        points: Vec<(f64, f64)>,
    ) -> Self {
        Self {
            name,
            x: x.into(),
            y: y.into(),
            points,
        }
    }
}

/// A table of numbers, such as weights.
#[derive(Clone, Debug, PartialEq)]
pub struct Matrix {
    /// Its name, which becomes part of a file's: lower-case letters, digits, underscores, hyphens.
    pub name: &'static str,
    /// What its values are.
    pub value: Axis,
    /// Values in a row.
    pub columns: usize,
    /// The values, row after row.
    pub values: Vec<f32>,
}

impl Matrix {
    /// A matrix of rows of `columns` values; what they are is given as (label, unit).
    pub fn new(name: &'static str, value: (&str, &str), columns: usize, values: Vec<f32>) -> Self {
        Self {
            name,
            value: value.into(),
            columns,
            values,
        }
    }

    /// How many rows there are.
    pub fn rows(&self) -> usize {
        self.values.len().checked_div(self.columns).unwrap_or(0)
    }
}

impl Outcome {
    /// Nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a measure that the experiment declares.
    pub fn measure(self, name: &'static str, value: f64) -> Self {
        self.measure_if(name, Some(value))
    }

    /// Adds a measure that a run can lack, such as the latency of a response that never came. A run that lacks it is left out of the
    /// mean, and misses a claim about every run.
    pub fn measure_if(mut self, name: &'static str, value: Option<f64>) -> Self {
        self.measures.extend(value.map(|value| (name, value)));
        self
    }

    /// Says whether the run succeeded.
    pub fn success(mut self, success: bool) -> Self {
        self.success = Some(success);
        self
    }

    /// Adds a series. Every run may have the same ones; large ones are best kept to the [first](super::Run::is_first) run.
    pub fn series(mut self, series: Series) -> Self {
        self.series.push(series);
        self
    }

    /// Adds a matrix. Every run may have the same ones; large ones are best kept to the [first](super::Run::is_first) run.
    pub fn matrix(mut self, matrix: Matrix) -> Self {
        self.matrices.push(matrix);
        self
    }

    /// A measure.
    pub fn get(&self, name: &str) -> Option<f64> {
        self.measures.iter().find(|m| m.0 == name).map(|m| m.1)
    }

    /// Whether the run succeeded; none if that is not asked.
    pub fn succeeded(&self) -> Option<bool> {
        self.success
    }

    /// The points of a series; none if it has no such series.
    pub fn points(&self, name: &str) -> Option<&[(f64, f64)]> {
        self.series
            .iter()
            .find(|s| s.name == name)
            .map(|s| s.points.as_slice())
    }

    /// A matrix by name.
    pub fn find_matrix(&self, name: &str) -> Option<&Matrix> {
        self.matrices.iter().find(|m| m.name == name)
    }

    /// Every series.
    pub fn all_series(&self) -> &[Series] {
        &self.series
    }

    /// Every matrix.
    pub fn all_matrices(&self) -> &[Matrix] {
        &self.matrices
    }

    /// Sees that it is what the experiment declares.
    ///
    /// # Errors
    /// Names what is not declared, not finite, or of no shape.
    pub(super) fn check(&self, experiment: &Experiment) -> Result<(), String> {
        for (i, (name, value)) in self.measures.iter().enumerate() {
            if experiment.measure(name).is_none() {
                return Err(format!("the measure {name:?} is not declared"));
            }
            if self.measures[..i].iter().any(|m| m.0 == *name) {
                return Err(format!("the measure {name:?} was given twice"));
            }
            if !value.is_finite() {
                return Err(format!("the measure {name:?} is {value}"));
            }
        }
        match (experiment.success, self.success) {
            (Some(_), None) => return Err("it does not say whether it succeeded".into()),
            (None, Some(_)) => return Err("success is not declared".into()),
            _ => {}
        }
        for name in self
            .series
            .iter()
            .map(|s| s.name)
            .chain(self.matrices.iter().map(|m| m.name))
        {
            if !is_plain(name) {
                return Err(format!("{name:?} cannot be part of a file's name"));
            }
        }
        for matrix in &self.matrices {
            if matrix.columns == 0 || !matrix.values.len().is_multiple_of(matrix.columns) {
                return Err(format!(
                    "the matrix {:?} has {} values in rows of {}",
                    matrix.name,
                    matrix.values.len(),
                    matrix.columns
                ));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::TOSS;
    use super::*;

    #[test]
    fn what_is_not_declared_is_refused() {
        let good = Outcome::new().measure("heads", 3.0).success(true);
        assert_eq!(good.check(&TOSS), Ok(()));
        let series = |name| Series::new(name, ("x", ""), ("y", "mV"), vec![]);
        for (outcome, expected) in [
            (
                good.clone().measure("tails", 1.0),
                "\"tails\" is not declared",
            ),
            (good.clone().measure("heads", 1.0), "twice"),
            (
                Outcome::new().success(true).measure("heads", f64::NAN),
                "is NaN",
            ),
            (Outcome::new().measure("heads", 1.0), "whether it succeeded"),
            (good.clone().series(series("../up")), "file's name"),
            (
                good.clone()
                    .matrix(Matrix::new("w", ("w", ""), 2, vec![0.0; 3])),
                "3 values in rows of 2",
            ),
        ] {
            let error = outcome.check(&TOSS).expect_err(expected);
            assert!(error.contains(expected), "{error}");
        }
        assert_eq!(good.measure_if("heads", None).get("heads"), Some(3.0));
    }
}
