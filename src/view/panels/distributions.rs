//! Histograms: firing rates, irregularity, weights, degrees.

use super::matrix::{choose_projection, unit_of};
use super::{Panel, PanelContext, row};
use crate::results::Recording;
use crate::results::csv::cell;
use crate::results::quantities::{counted, figures, seconds};
use crate::results::statistics::neuron_rates;
use crate::session::frame::WeightMatrix;
use crate::view::live::Live;
use crate::view::plot::{Axis, Chart, nothing, nothing_within, round_up};
use crate::view::recorded::Recorded;
use crate::view::save::Save;
use bevy_egui::egui::{self, Color32, Rect, Sense, Ui, pos2, vec2};

/// The most spikes that statistics are made of, so that no frame waits for them.
const MOST_SPIKES: usize = 300_000;
/// Seconds between two looks at the spikes.
const EVERY_S: f64 = 0.5;
/// Lengths of time that can be chosen, in ms.
const WINDOWS: [f64; 5] = [500.0, 1000.0, 2000.0, 5000.0, 10_000.0];
/// Bins of a histogram.
const BINS: usize = 40;
/// The fewest intervals of a neuron whose irregularity is counted.
const FEWEST_INTERVALS: u32 = 3;

/// What is shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Quantity {
    #[default]
    Rates,
    Irregularity,
    Weights,
    Indegrees,
    Outdegrees,
}

impl Quantity {
    const ALL: [Self; 5] = [
        Self::Rates,
        Self::Irregularity,
        Self::Weights,
        Self::Indegrees,
        Self::Outdegrees,
    ];

    fn label(self) -> &'static str {
        match self {
            Self::Rates => "Rates",
            Self::Irregularity => "Irregularity",
            Self::Weights => "Weights",
            Self::Indegrees => "In-degrees",
            Self::Outdegrees => "Out-degrees",
        }
    }

    fn hint(self) -> &'static str {
        match self {
            Self::Rates => "Firing rate of each neuron, in Hz",
            Self::Irregularity => {
                "Coefficient of variation of the intervals between spikes, standard deviation / mean, of neurons with at least 3 intervals: \
                 0 for a clock, about 1 for a Poisson process"
            }
            Self::Weights => "Weights of the synapses of a projection",
            Self::Indegrees => "Synapses per target neuron of a projection",
            Self::Outdegrees => "Synapses per source neuron of a projection",
        }
    }
}

/// A histogram with what describes it.
#[derive(Clone, Debug, Default, PartialEq)]
struct Histogram {
    from: f64,
    to: f64,
    bins: Vec<u64>,
    mean: f64,
    median: f64,
    count: u64,
}

impl Histogram {
    /// The histogram of values; from 0 if they are not negative. None without values.
    fn of(mut values: Vec<f64>, whole: bool) -> Option<Self> {
        values.retain(|v| v.is_finite());
        values.sort_by(f64::total_cmp);
        let (low, high) = (*values.first()?, *values.last()?);
        let (from, to) = if whole {
            // Bins of whole numbers hold equally many of them.
            let width = ((high - low + 1.0) / BINS as f64).ceil();
            let bins = ((high - low + 1.0) / width).ceil().max(8.0);
            (low - 0.5, low - 0.5 + width * bins)
        } else {
            (low.min(0.0), round_up(high.max(1e-9)))
        };
        let count = if whole {
            let width = ((high - low + 1.0) / BINS as f64).ceil();
            ((to - from) / width) as usize
        } else {
            BINS
        };
        let mut bins = vec![0; count.max(1)];
        for value in &values {
            let bin = ((value - from) / (to - from) * bins.len() as f64) as usize;
            let last = bins.len() - 1;
            bins[bin.min(last)] += 1;
        }
        let middle = values.len() / 2;
        let median = match values.len() % 2 {
            0 => (values[middle - 1] + values[middle]) / 2.0,
            _ => values[middle],
        };
        Some(Self {
            from,
            to,
            bins,
            mean: values.iter().sum::<f64>() / values.len() as f64,
            median,
            count: values.len() as u64,
        })
    }

    /// The histogram of weights that came with a matrix; mean and median are those of its bins.
    fn of_weights(weights: &WeightMatrix) -> Option<Self> {
        let (low, high, bins) = &weights.histogram;
        let count: u64 = bins.iter().sum();
        if count == 0 || !(low.is_finite() && high.is_finite()) {
            return None;
        }
        let (from, mut to) = (f64::from(*low), f64::from(*high));
        if to <= from {
            to = from + from.abs().max(1.0) * 0.1;
        }
        let middle = |bin: usize| match low == high {
            true => from,
            false => from + (bin as f64 + 0.5) / bins.len() as f64 * (to - from),
        };
        let sum: f64 = (bins.iter().enumerate())
            .map(|(i, n)| middle(i) * *n as f64)
            .sum();
        let mut below = 0;
        let median = bins.iter().position(|n| {
            below += n;
            2 * below >= count
        });
        Some(Self {
            from,
            to,
            bins: bins.clone(),
            mean: sum / count as f64,
            median: middle(median.unwrap_or(0)),
            count,
        })
    }
}

/// When weights were read, in simulated time.
fn read_at(live: &Live, weights: &WeightMatrix) -> String {
    format!("at {:.0} ms", weights.step as f64 * live.progress.dt_ms)
}

/// What the button beside a histogram does.
const SAVES: &str = "Save what is shown as a table: name, from, to, count";

/// Histograms as a table.
fn table(all: &[(&str, &Histogram)]) -> String {
    let mut text = String::from("name,from,to,count\n");
    for (name, histogram) in all {
        let width = (histogram.to - histogram.from) / histogram.bins.len().max(1) as f64;
        for (i, count) in histogram.bins.iter().enumerate() {
            let from = histogram.from + i as f64 * width;
            let name = cell(name);
            text += &format!("{name},{from},{},{count}\n", from + width);
        }
    }
    text
}

/// The distributions panel.
pub struct DistributionsPanel {
    quantity: Quantity,
    window: Option<f64>,
    /// Per region: its place, name, histogram.
    found: Vec<(usize, String, Option<Histogram>)>,
    /// The time that the histograms are of.
    span: (f64, f64),
    /// What the histograms were made of, and when.
    made: Option<(f64, Quantity, u64, u64)>,
    csv: Save,
}

impl Default for DistributionsPanel {
    fn default() -> Self {
        Self {
            quantity: Quantity::default(),
            window: None,
            found: Vec::new(),
            span: (0.0, 0.0),
            made: None,
            csv: Save::new("CSV", "distribution.csv"),
        }
    }
}

impl Panel for DistributionsPanel {
    fn title(&self) -> &'static str {
        "Distributions"
    }

    fn help(&self) -> &'static str {
        "Histograms over the neurons of each region (rates, irregularity) or over a projection (weights, degrees), with mean and median. \
         Rates and irregularity are taken over the newest stretch of time, twice a second; weights of a projection that learns move as it does."
    }

    fn show(&mut self, ui: &mut Ui, context: &mut PanelContext<'_>) {
        let Some(structure) = context.live.structure.clone() else {
            return nothing(ui, "No scene is open");
        };
        row(ui, |ui| {
            for quantity in Quantity::ALL {
                ui.selectable_value(&mut self.quantity, quantity, quantity.label())
                    .on_hover_text(quantity.hint());
            }
        });
        match self.quantity {
            Quantity::Rates | Quantity::Irregularity => self.of_spikes(ui, context),
            _ => {
                let name = row(ui, |ui| choose_projection(ui, context, &structure)).inner;
                let Some(name) = name else {
                    return nothing(ui, "The network has no projections");
                };
                context.wants.weights_of = Some(name.clone());
                let weights = context.live.weights.clone().filter(|w| w.of == name);
                let Some(weights) = weights else {
                    return nothing(ui, "Reading the weights…");
                };
                let degrees =
                    |d: &[u32]| Histogram::of(d.iter().map(|n| f64::from(*n)).collect(), true);
                let unit = unit_of(&structure, &name);
                let (histogram, what, unit) = match self.quantity {
                    Quantity::Indegrees => (
                        degrees(&weights.in_degrees),
                        "synapses per target neuron",
                        "",
                    ),
                    Quantity::Outdegrees => (
                        degrees(&weights.out_degrees),
                        "synapses per source neuron",
                        "",
                    ),
                    _ => (Histogram::of_weights(&weights), "weight", unit),
                };
                if let Some(at) = weights.changes.then(|| read_at(context.live, &weights)) {
                    ui.weak(at).on_hover_text("The projection learns: its weights are read about twice a second, those of very many synapses less often");
                }
                if let Some(histogram) = &histogram {
                    self.csv.table(ui, SAVES, &mut context.live.notices, || {
                        let text = table(&[(&name, histogram)]);
                        Box::new(move || text)
                    });
                }
                let counted = match self.quantity {
                    Quantity::Weights => "synapse",
                    _ => "neuron",
                };
                let size = ui.available_size().max(vec2(1.0, 1.0));
                let (outer, _) = ui.allocate_exact_size(size, Sense::hover());
                let color = context.theme.region(0);
                draw(
                    ui,
                    outer,
                    &name,
                    histogram.as_ref(),
                    what,
                    unit,
                    counted,
                    color,
                );
            }
        }
    }
}

impl DistributionsPanel {
    fn of_spikes(&mut self, ui: &mut Ui, context: &mut PanelContext<'_>) {
        context.wants.spikes = true;
        let window = self.window.unwrap_or(2000.0);
        row(ui, |ui| {
            let mut chosen = window;
            egui::ComboBox::from_id_salt("window")
                .width(64.0)
                .selected_text(seconds(window / 1000.0))
                .show_ui(ui, |ui| {
                    for ms in WINDOWS {
                        ui.selectable_value(&mut chosen, ms, seconds(ms / 1000.0));
                    }
                })
                .response
                .on_hover_text("How much simulated time is counted, 0.5 to 10 s, at most the newest 300,000 spikes");
            if chosen != window {
                self.window = Some(chosen);
                self.made = None;
            }
            let (from, to) = self.span;
            ui.weak(format!("{from:.0} to {to:.0} ms"));
            let found = self.found.iter();
            let all = found.filter_map(|(_, name, h)| Some((name.as_str(), h.as_ref()?)));
            let all: Vec<_> = all.collect();
            self.csv.table(ui, SAVES, &mut context.live.notices, || {
                let text = table(&all);
                Box::new(move || text)
            });
        });
        self.count(ui.input(|i| i.time), context, window);
        let size = ui.available_size().max(vec2(1.0, 1.0));
        let (outer, _) = ui.allocate_exact_size(size, Sense::hover());
        if self.found.is_empty() {
            return nothing_within(ui, outer, "The network has no regions");
        }
        let (what, unit) = match self.quantity {
            Quantity::Irregularity => ("CV of intervals", ""),
            _ => ("rate", "Hz"),
        };
        let columns = ((outer.width() / 240.0) as usize).clamp(1, self.found.len());
        let rows = self.found.len().div_ceil(columns);
        let cell = vec2(outer.width() / columns as f32, outer.height() / rows as f32);
        for (place, (region, name, histogram)) in self.found.iter().enumerate() {
            let corner = vec2(
                (place % columns) as f32 * cell.x,
                (place / columns) as f32 * cell.y,
            );
            let area = Rect::from_min_size(outer.min + corner, cell);
            let color = context.theme.region(*region);
            draw(
                ui,
                area,
                name,
                histogram.as_ref(),
                what,
                unit,
                "neuron",
                color,
            );
        }
    }

    /// Counts anew if it is time.
    fn count(&mut self, time: f64, context: &PanelContext<'_>, window: f64) {
        let live = &*context.live;
        let version = live.structure.as_ref().map_or(0, |s| s.version);
        let now = (self.quantity, live.progress.step, version);
        if let Some((when, quantity, step, known)) = self.made {
            let same = (quantity, step, known) == now;
            let soon = quantity == now.0 && known == version && time - when < EVERY_S;
            if same || soon {
                return;
            }
        }
        self.made = Some((time, now.0, now.1, now.2));
        let to = live.time_ms();
        let Some(recorded) = Recorded::of(live, ((to - window).max(0.0), to), MOST_SPIKES) else {
            return;
        };
        self.span = recorded.span_ms();
        let recording = recorded.recording();
        self.found = (0..recording.trains.len())
            .map(|train| {
                let values = match self.quantity {
                    Quantity::Irregularity => irregularities(&recording, train),
                    _ if recording.end_step <= recording.start_step => Vec::new(),
                    _ => neuron_rates(&recording, train, recording.window()),
                };
                let name = recording.trains[train].region.to_owned();
                (train, name, Histogram::of(values, false))
            })
            .collect();
    }
}

/// The coefficient of variation of the intervals of each neuron that has enough of them.
fn irregularities(recording: &Recording<'_>, train: usize) -> Vec<f64> {
    let train = &recording.trains[train];
    // Per neuron: its last spike plus 1, intervals, their sum and their sum of squares.
    let mut sums = vec![(0_u64, 0_u32, 0.0_f64, 0.0_f64); train.neurons as usize];
    for (&step, &id) in train.steps.iter().zip(train.ids) {
        let (last, count, sum, squares) = &mut sums[id as usize];
        if *last > 0 {
            let interval = (step + 1 - *last) as f64;
            *count += 1;
            *sum += interval;
            *squares += interval * interval;
        }
        *last = step + 1;
    }
    sums.into_iter()
        .filter(|(_, count, sum, _)| *count >= FEWEST_INTERVALS && *sum > 0.0)
        .map(|(_, count, sum, squares)| {
            let mean = sum / f64::from(count);
            let variance = (squares / f64::from(count) - mean * mean).max(0.0);
            variance.sqrt() / mean
        })
        .collect()
}

/// Draws a histogram with its mean and median.
fn draw(
    ui: &Ui,
    outer: Rect,
    name: &str,
    histogram: Option<&Histogram>,
    what: &str,
    unit: &str,
    of: &str,
    color: Color32,
) {
    let title = egui::TextStyle::Small.resolve(ui.style());
    let roomy = outer.height() > 80.0 && outer.width() > 120.0;
    let top = if roomy { 2.4 * title.size } else { 0.0 };
    let area = Rect::from_min_max(pos2(outer.left(), outer.top() + top), outer.max);
    let label = match unit {
        "" => what.to_owned(),
        _ => format!("{what} ({unit})"),
    };
    let Some(histogram) = histogram else {
        let chart = Chart::within(
            area,
            Axis::linear(label, 0.0, 1.0),
            Axis::linear(of, 0.0, 1.0),
        );
        chart.draw(ui);
        return nothing_within(ui, chart.inner, &format!("{name}\nnothing to count"));
    };
    let highest = histogram.bins.iter().copied().max().unwrap_or(0) as f64;
    let chart = Chart::within(
        area,
        Axis::linear(label, histogram.from, histogram.to),
        Axis::linear(format!("{of}s"), 0.0, (highest * 1.08).max(1.0)),
    );
    chart.draw(ui);
    let width = (histogram.to - histogram.from) / histogram.bins.len() as f64;
    for (i, &count) in histogram.bins.iter().enumerate() {
        let from = histogram.from + i as f64 * width;
        chart.bar(
            ui,
            from,
            from + width,
            count as f64,
            color.gamma_multiply(0.85),
        );
    }
    let ink = ui.visuals().strong_text_color();
    let at = chart.x_at(histogram.mean);
    if chart.inner.x_range().contains(at) {
        ui.painter()
            .vline(at, chart.inner.y_range(), egui::Stroke::new(1.0, ink));
    }
    if roomy {
        let painter = ui.painter().with_clip_rect(outer.intersect(ui.clip_rect()));
        let space = if unit.is_empty() { "" } else { " " };
        let lines = [
            (format!("{name}, {}", counted(histogram.count, of)), color),
            (
                format!(
                    "mean {}{space}{unit}, median {}{space}{unit}",
                    figures(histogram.mean),
                    figures(histogram.median)
                ),
                ui.visuals().text_color(),
            ),
        ];
        for (i, (text, color)) in lines.into_iter().enumerate() {
            let at = pos2(
                chart.inner.left(),
                outer.top() + 2.0 + i as f32 * 1.2 * title.size,
            );
            painter.text(at, egui::Align2::LEFT_TOP, text, title.clone(), color);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::testing::{Stage, busy, network, spiking, survives, weights};

    #[test]
    fn any_network_can_be_drawn_at_any_size() {
        for quantity in Quantity::ALL {
            assert!(!quantity.label().is_empty());
        }
        survives(|| Box::new(DistributionsPanel::default()));
        survives(|| {
            Box::new(DistributionsPanel {
                quantity: Quantity::Irregularity,
                ..DistributionsPanel::default()
            })
        });
        survives(|| {
            Box::new(DistributionsPanel {
                quantity: Quantity::Weights,
                ..DistributionsPanel::default()
            })
        });
        survives(|| {
            Box::new(DistributionsPanel {
                quantity: Quantity::Indegrees,
                ..DistributionsPanel::default()
            })
        });
    }

    #[test]
    fn a_clock_is_regular() {
        let mut live = network(&[("a", 2)]);
        let spikes: Vec<(u64, u32)> = (0..100).map(|i| (i * 100, 1)).collect();
        spiking(&mut live, &spikes, 10_000);
        let recorded = Recorded::of(&live, (0.0, 1000.0), 1000).expect("a network");
        let found = irregularities(&recorded.recording(), 0);
        assert_eq!(found, [0.0], "the silent neuron is left out");
        let (mut stage, mut panel) = (Stage::new(), DistributionsPanel::default());
        panel.window = Some(1000.0);
        stage.settle(&mut panel, &mut live, vec2(400.0, 300.0));
        let (_, _, rates) = &panel.found[0];
        let rates = rates.as_ref().expect("rates");
        assert_eq!((rates.count, rates.mean, rates.median), (2, 50.0, 50.0));
    }

    #[test]
    fn histograms_hold_every_value_once() {
        let values: Vec<f64> = (0..1000).map(|i| f64::from(i % 37)).collect();
        for whole in [false, true] {
            let histogram = Histogram::of(values.clone(), whole).expect("values");
            assert_eq!(histogram.bins.iter().sum::<u64>(), 1000);
            assert_eq!(histogram.count, 1000);
        }
        let equal = Histogram::of(vec![5.0; 10], true).expect("values");
        assert_eq!(equal.bins[0], 10);
        assert_eq!(Histogram::of(vec![f64::NAN], false), None);
        let mut live = network(&[("a", 80), ("b", 60)]);
        weights(&mut live, false);
        let weights = live.weights.clone().expect("weights");
        let histogram = Histogram::of_weights(&weights).expect("weights");
        assert!((histogram.mean - 35.0).abs() < 1.0 && (histogram.median - 35.0).abs() < 1.0);
    }

    #[test]
    fn spikes_are_counted_at_most_twice_a_second() {
        let mut live = network(&[("a", 10)]);
        busy(&mut live, 0.1, 1000);
        let (mut stage, mut panel) = (Stage::new(), DistributionsPanel::default());
        stage.settle(&mut panel, &mut live, vec2(400.0, 300.0));
        let first = panel.made;
        live.progress.step += 100;
        stage.settle(&mut panel, &mut live, vec2(400.0, 300.0));
        assert_eq!(panel.made, first);
        for _ in 0..10 {
            stage.draw(&mut panel, &mut live, vec2(400.0, 300.0), Vec::new());
        }
        assert_ne!(panel.made, first);
    }
}
