//! The pictures of an experiment: those that it draws, and one of all its measures that every experiment gets.

use super::contract::{Criterion, Measure};
use super::results::Results;
use super::statistics::Summary;
use crate::results::canvas::{Canvas, Color};
use crate::results::figure::{Figure, Panel};

/// The colour of single runs.
const RUN: Color = [160, 196, 224];
/// The colour of means and rates.
const MEAN: Color = [0, 114, 178];
/// The colour of what is judged by.
const REFERENCE: Color = [213, 94, 0];

/// Pictures under construction.
#[derive(Default)]
pub struct Pictures {
    list: Vec<(&'static str, Canvas)>,
}

impl Pictures {
    /// Adds a figure as `NAME.png`. The name is of lower-case letters, digits, underscores and hyphens.
    pub fn figure(&mut self, name: &'static str, figure: &Figure) {
        self.canvas(name, figure.draw());
    }

    /// Adds any other drawing as `NAME.png`.
    pub fn canvas(&mut self, name: &'static str, canvas: Canvas) {
        self.list.push((name, canvas));
    }

    /// Every picture with its name.
    pub(super) fn iter(&self) -> impl Iterator<Item = &(&'static str, Canvas)> {
        self.list.iter()
    }
}

/// The mean curve of curves over the same x, with mean − SD and mean + SD: (x, y, low, high). The shortest curve ends it.
pub fn mean_and_sd(curves: &[&[(f64, f64)]]) -> Vec<[f64; 4]> {
    let length = curves.iter().map(|c| c.len()).min().unwrap_or(0);
    (0..length)
        .filter_map(|i| {
            let values: Vec<f64> = curves.iter().map(|c| c[i].1).collect();
            let s = Summary::of(&values)?;
            let sd = s.sd.unwrap_or(0.0);
            Some([curves[0][i].0, s.mean, s.mean - sd, s.mean + sd])
        })
        .collect()
}

/// Every measure of every run by condition, with mean ± SD, and the success rates with their intervals.
pub(super) fn overview(results: &Results) -> Figure {
    let (plan, experiment) = (&results.plan, results.plan.experiment);
    let mut figure = Figure::new(experiment.title).footnote(format!(
        "{} · {} runs of each condition, seeds {} to {} · dots: runs; bars: mean ± SD",
        experiment.name,
        plan.runs,
        plan.first_seed,
        plan.last_seed()
    ));
    let panels = experiment.measures.len() + usize::from(experiment.success.is_some());
    if panels > 4 {
        figure = figure.columns(3).panel_size(640, 480);
    }
    if experiment.success.is_some() {
        figure = figure.panel(success(results));
    }
    for measure in experiment.measures {
        figure = figure.panel(of_measure(results, measure));
    }
    figure
}

fn by_condition(results: &Results, title: &str) -> Panel {
    let names = results.conditions.iter().map(|c| c.condition.name);
    Panel::new(title).categories(names)
}

fn success(results: &Results) -> Panel {
    let mut panel = by_condition(results, "success")
        .y("runs with success", "%")
        .y_range(0.0, 105.0);
    let mut label = "reference";
    for (i, condition) in results.conditions.iter().enumerate() {
        for claim in condition.condition.claims {
            if let Criterion::Success(rate) | Criterion::SuccessAtMost(rate) = claim.criterion {
                panel = short_line(panel, core::mem::take(&mut label), i, 100.0 * rate);
            }
        }
    }
    let rates = results.conditions.iter().enumerate();
    let points = rates
        .filter_map(|(i, condition)| {
            let p = condition.success()?;
            let [low, high] = p.interval;
            Some([i as f64, 100.0 * p.rate, 100.0 * low, 100.0 * high])
        })
        .collect();
    panel.errors("rate with 95 % interval", points).color(MEAN)
}

fn of_measure(results: &Results, measure: &Measure) -> Panel {
    let panel = by_condition(results, measure.name).y(measure.name, measure.unit);
    let (mut dots, mut means, mut ends) = (Vec::new(), Vec::new(), Vec::new());
    for (i, condition) in results.conditions.iter().enumerate() {
        let values = condition.values(measure.name);
        let n = values.len().max(2) as f64 - 1.0;
        let place = |run: usize| i as f64 + 0.5 * (run as f64 / n - 0.5);
        dots.extend((values.iter().enumerate()).map(|(run, value)| (place(run), *value)));
        if let Some(s) = condition.summary(measure.name) {
            let sd = s.sd.unwrap_or(0.0);
            means.push([i as f64, s.mean, s.mean - sd, s.mean + sd]);
        }
        for claim in condition.condition.claims {
            if let Criterion::Mean(name, bound) | Criterion::EveryRun(name, bound) = claim.criterion
                && name == measure.name
            {
                let (low, high) = bound.ends();
                ends.extend(
                    [low, high]
                        .into_iter()
                        .filter(|e| e.is_finite())
                        .map(|e| (i, e)),
                );
            }
        }
    }
    let mut panel = panel.dots("", dots).color(RUN);
    let mut label = "criterion";
    for (condition, end) in ends {
        panel = short_line(panel, core::mem::take(&mut label), condition, end);
    }
    panel.errors("", means).color(MEAN)
}

/// A line over the place of one condition.
fn short_line(panel: Panel, label: &str, condition: usize, y: f64) -> Panel {
    let x = condition as f64;
    panel
        .line(label, vec![(x - 0.4, y), (x + 0.4, y)])
        .color(REFERENCE)
}
