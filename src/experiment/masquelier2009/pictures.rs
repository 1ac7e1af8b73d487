//! The pictures: who fires when, how latencies settle, and what came out over all runs.

use super::super::{Outcome, Pictures, Results};
use crate::results::figure::{Figure, Panel};
use crate::results::raster::REGION_COLORS;

/// How much of a run the raster shows at either end, in s.
const SHOWN_S: f64 = 2.0;
/// The length over which a hit rate is taken as it changes, in s.
const BLOCK_S: f64 = 15.0;
/// The length of a pattern in s.
const PATTERN_S: f64 = 0.05;

/// A spike of the first run.
#[derive(Clone, Copy)]
struct Discharge {
    time_s: f64,
    neuron: usize,
    pattern: Option<usize>,
    latency_ms: f64,
}

/// The first run of a condition.
struct Story<'a> {
    outcome: &'a Outcome,
    discharges: Vec<Discharge>,
    /// Start in s and pattern.
    presentations: Vec<(f64, usize)>,
    patterns: usize,
    neurons: usize,
    end_s: f64,
}

impl<'a> Story<'a> {
    fn of(outcome: &'a Outcome) -> Option<Self> {
        let rates = outcome.find_matrix("hit_rates")?;
        let discharges = outcome.find_matrix("discharges")?.values.chunks_exact(4);
        let presentations = outcome.find_matrix("presentations")?.values.chunks_exact(2);
        let discharges: Vec<_> = discharges
            .map(|row| Discharge {
                time_s: row[0].into(),
                neuron: row[1] as usize,
                pattern: (row[2] >= 0.0).then_some(row[2] as usize),
                latency_ms: row[3].into(),
            })
            .collect();
        let presentations: Vec<_> = presentations
            .map(|row| (f64::from(row[0]), row[1] as usize))
            .collect();
        let end_s = presentations.last()?.0 + PATTERN_S;
        Some(Self {
            outcome,
            neurons: rates.columns,
            patterns: rates.values.len() / rates.columns.max(1),
            discharges,
            presentations,
            end_s,
        })
    }

    /// Who fires when, from a time on.
    fn raster(&self, title: &str, from_s: f64) -> Panel {
        let to_s = from_s + SHOWN_S;
        let mut panel = Panel::new(title)
            .x("time", "s")
            .y("neuron", "")
            .x_range(from_s, to_s)
            .y_range(0.0, self.neurons as f64);
        for pattern in 0..self.patterns {
            let shown = self
                .presentations
                .iter()
                .filter(|p| p.1 == pattern && p.0 + PATTERN_S > from_s && p.0 < to_s);
            let ranges = shown.map(|p| [p.0, p.0 + PATTERN_S]).collect();
            panel = panel
                .spans(&format!("pattern {}", pattern + 1), ranges)
                .color(color(pattern));
        }
        let spikes = self.discharges.iter();
        let near = spikes.filter(|d| d.time_s >= from_s && d.time_s < to_s);
        let points = near.map(|d| (d.time_s, d.neuron as f64)).collect();
        panel.spikes("", points).color([38, 38, 38])
    }

    fn rasters(&self, title: &str) -> Figure {
        Figure::new(title)
            .columns(1)
            .panel_size(1500, 140 + 34 * self.neurons.max(5) as u32)
            .panel(self.raster("At the start", 0.0))
            .panel(self.raster("In the end", self.end_s - SHOWN_S))
    }

    /// The latencies within each pattern of the neurons that end up with hits in more than half of its presentations.
    fn latencies(&self, title: &str) -> Figure {
        let mut figure = Figure::new(title).columns(1).panel_size(1500, 420);
        let rates = self.outcome.find_matrix("hit_rates");
        for pattern in 0..self.patterns {
            let mut panel = Panel::new(format!("Pattern {}", pattern + 1))
                .x("time", "s")
                .y("latency", "ms")
                .x_range(0.0, self.end_s)
                .y_range(0.0, 50.0);
            for neuron in 0..self.neurons {
                let rate = rates.map_or(0.0, |m| m.values[pattern * self.neurons + neuron]);
                let of_neuron = (self.discharges.iter())
                    .filter(|d| d.neuron == neuron && d.pattern == Some(pattern));
                if rate > 0.5 {
                    let points = of_neuron.map(|d| (d.time_s, d.latency_ms)).collect();
                    panel = panel.dots(&format!("neuron {neuron}"), points);
                }
            }
            figure = figure.panel(panel);
        }
        figure
    }

    /// The hit rate of every neuron over time, for each pattern.
    fn hit_rates(&self, title: &str, old_neurons: usize, news_s: f64) -> Figure {
        let mut figure = Figure::new(title).panel_size(900, 440);
        let blocks = (self.end_s / BLOCK_S).floor() as usize;
        let block = |time_s: f64| (time_s / BLOCK_S) as usize;
        for pattern in 0..self.patterns {
            let mut shown = vec![0u32; blocks + 1];
            for p in self.presentations.iter().filter(|p| p.1 == pattern) {
                shown[block(p.0)] += 1;
            }
            let mut panel = Panel::new(format!("Pattern {}", pattern + 1))
                .x("time", "s")
                .y("hit rate", "%")
                .x_range(0.0, self.end_s)
                .y_range(0.0, 104.0);
            let (mut old, mut new) = ("old neurons", "new neurons");
            for neuron in 0..self.neurons {
                let mut hits = vec![0u32; blocks + 1];
                let mut last = f64::NEG_INFINITY;
                for d in (self.discharges.iter())
                    .filter(|d| d.neuron == neuron && d.pattern == Some(pattern))
                {
                    let start = d.time_s - 1e-3 * d.latency_ms;
                    if start - last > 0.5 * PATTERN_S {
                        hits[block(start + 0.5 * PATTERN_S).min(blocks)] += 1;
                    }
                    last = start;
                }
                let points = (hits.iter().zip(&shown).enumerate())
                    .filter(|(_, (_, shown))| **shown > 0)
                    .map(|(i, (hits, shown))| {
                        let rate = 100.0 * f64::from(*hits) / f64::from(*shown);
                        ((i as f64 + 0.5) * BLOCK_S, rate)
                    })
                    .collect();
                let (label, color) = match neuron < old_neurons {
                    true => (&mut old, REGION_COLORS[0]),
                    false => (&mut new, REGION_COLORS[1]),
                };
                panel = panel.line(core::mem::take(label), points).color(color);
            }
            figure = figure.panel(panel.moment("newcomers", news_s));
        }
        figure
    }
}

fn color(pattern: usize) -> [u8; 3] {
    REGION_COLORS[[4, 2, 3, 5, 0, 1][pattern % 6]]
}

pub(super) fn draw(results: &Results, pictures: &mut Pictures) {
    let story = |condition| results.first(condition).and_then(Story::of);
    if let Some(one) = story("one_pattern") {
        pictures.figure("raster_one", &one.rasters("Three neurons, one pattern"));
        pictures.figure(
            "latency_one",
            &one.latencies("Latencies of three neurons in one pattern"),
        );
    }
    if let Some(three) = story("three_patterns") {
        pictures.figure(
            "raster_three",
            &three.rasters("Nine neurons, three patterns"),
        );
        pictures.figure(
            "latency_three",
            &three.latencies("Latencies in three patterns, neurons that have learned them"),
        );
    }
    if let Some(new) = story("newcomers")
        && let Some(condition) = results.condition("newcomers")
    {
        let setting = |name| condition.settings.get(name).unwrap_or(0.0);
        let title = "A fourth pattern and new neurons after training: hit rate of every neuron";
        let figure = new.hit_rates(title, setting("neurons") as usize, setting("duration_s"));
        pictures.figure("newcomers", &figure);
    }
    pictures.figure("shares", &shares(results));
}

/// Latencies and what became of neurons, over all runs.
fn shares(results: &Results) -> Figure {
    let mut figure = Figure::new("Over all runs")
        .columns(3)
        .panel_size(740, 460)
        .footnote(format!("{} runs of each condition", results.plan.runs));
    for (title, with, without, neurons) in [
        (
            "Three neurons, one pattern",
            "one_pattern",
            "one_uninhibited",
            3,
        ),
        (
            "Nine neurons, three patterns",
            "three_patterns",
            "three_uninhibited",
            9,
        ),
    ] {
        let mut panel = Panel::new(format!("{title}: latencies"))
            .x("latency of successful neurons", "ms")
            .y("neurons", "");
        for (condition, label) in [(with, "with inhibition"), (without, "without")] {
            let latencies: Vec<f64> = (results.outcomes(condition))
                .flat_map(|(_, o)| o.points("latencies").unwrap_or_default())
                .map(|p| p.1)
                .collect();
            panel = panel.histogram(label, &latencies, 50, [0.0, 50.0]);
        }
        figure = figure
            .panel(panel)
            .panel(kinds(results, "With inhibition", with, neurons))
            .panel(kinds(results, "Without inhibition", without, neurons));
    }
    figure
}

/// In how many runs how many neurons are successful, dead and duplicates.
fn kinds(results: &Results, title: &str, condition: &str, neurons: usize) -> Panel {
    const WIDTH: f64 = 0.28;
    let names: Vec<String> = (0..=neurons).map(|n| n.to_string()).collect();
    let mut panel = Panel::new(title)
        .categories(names.iter().map(String::as_str))
        .x("neurons", "")
        .y("runs", "");
    for (kind, measure) in ["successful", "dead", "duplicates"].into_iter().enumerate() {
        let left = WIDTH * (kind as f64 - 1.5);
        let mut edges = vec![left];
        let mut heights = Vec::new();
        for n in 0..=neurons {
            let runs = results.outcomes(condition);
            let so_many = runs.filter_map(|(_, o)| o.get(measure));
            heights.push(so_many.filter(|count| *count as usize == n).count() as f64);
            edges.push(n as f64 + left + WIDTH);
            heights.push(f64::NAN);
            edges.push(n as f64 + 1.0 + left);
        }
        panel = panel.bars(measure, edges, heights);
    }
    panel
}
