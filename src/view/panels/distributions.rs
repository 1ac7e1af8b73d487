//! Histograms of rates, irregularity, weights and degrees.

use super::axes::number;
use super::{Panel, PanelContext};
use crate::session::frame::Structure;
use crate::view::live::Live;
use bevy_egui::egui::{self, Color32, Ui};
use egui_plot::{Bar, BarChart, Legend, Plot};

/// Seconds between two counts of spikes.
const COUNT_EVERY: f64 = 0.5;
/// Simulated time that is counted, in ms.
const COUNTED_MS: f64 = 10_000.0;
const BINS: usize = 40;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum What {
    #[default]
    Rates,
    Irregularity,
    Weights,
    Degrees,
}

/// The panel of histograms.
#[derive(Default)]
pub struct DistributionsPanel {
    what: What,
    counted: Option<(f64, u64)>,
    rates: Vec<Vec<f64>>,
    irregularity: Vec<Vec<f64>>,
}

/// Rates in Hz and coefficients of variation of the intervals, per region.
fn count(live: &Live, structure: &Structure) -> (Vec<Vec<f64>>, Vec<Vec<f64>>) {
    let dt = live.progress.dt_ms;
    let reach = (COUNTED_MS / dt.max(1e-9)) as u64;
    let now = live.progress.step;
    let from = now.saturating_sub(reach).max(live.spikes_from);
    let seconds = now.saturating_sub(from) as f64 * dt / 1000.0;
    // Per neuron: spikes, the step of the last, and the sum and the sum of squares of intervals.
    let mut each = vec![(0_u32, 0_u64, 0.0_f64, 0.0_f64); structure.neurons as usize];
    let first = live.spikes.partition_point(|s| s.step < from);
    for spike in live.spikes.range(first..) {
        let Some(one) = each.get_mut(spike.neuron as usize) else {
            continue;
        };
        if one.0 > 0 {
            let interval = spike.step.saturating_sub(one.1) as f64;
            one.2 += interval;
            one.3 += interval * interval;
        }
        one.0 += 1;
        one.1 = spike.step;
    }
    let mut rates = Vec::new();
    let mut irregularity = Vec::new();
    for region in &structure.regions {
        let range = region.first as usize..(region.first + region.neurons) as usize;
        let own = each.get(range).unwrap_or_default();
        rates.push(match seconds > 0.0 {
            true => own.iter().map(|n| f64::from(n.0) / seconds).collect(),
            false => Vec::new(),
        });
        // Two intervals at least make a variation.
        let varied = own.iter().filter(|n| n.0 >= 3).map(|n| {
            let intervals = f64::from(n.0 - 1);
            let mean = n.2 / intervals;
            (n.3 / intervals - mean * mean).max(0.0).sqrt() / mean.max(1e-30)
        });
        irregularity.push(varied.collect());
    }
    (rates, irregularity)
}

/// The mean and the median; none of no values.
pub(super) fn mean_and_median(values: &[f64]) -> Option<(f64, f64)> {
    if values.is_empty() {
        return None;
    }
    let mut sorted = values.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    let median = match sorted.len() % 2 {
        0 => 0.5 * (sorted[middle - 1] + sorted[middle]),
        _ => sorted[middle],
    };
    Some((values.iter().sum::<f64>() / values.len() as f64, median))
}

/// Bars of the parts of the values that fall into equal bins.
fn bars(values: &[f64], (low, high): (f64, f64)) -> Vec<Bar> {
    let width = (high - low).max(1e-12) / BINS as f64;
    let mut counts = [0_u32; BINS];
    for value in values {
        let bin = (((value - low) / width) as usize).min(BINS - 1);
        counts[bin] += 1;
    }
    let all = values.len().max(1) as f64;
    let bar = |(i, &count): (usize, &u32)| {
        Bar::new(
            low + (i as f64 + 0.5) * width,
            100.0 * f64::from(count) / all,
        )
        .width(width)
    };
    counts.iter().enumerate().map(bar).collect()
}

/// A histogram of several sets of values.
fn histogram(ui: &mut Ui, sets: &[(String, &[f64], Color32)], label: &str, of: &str) {
    let all = || sets.iter().flat_map(|s| s.1.iter().copied());
    let low = all().fold(f64::INFINITY, f64::min).min(0.0);
    let high = all().fold(f64::NEG_INFINITY, f64::max);
    for (name, values, colour) in sets {
        let text = match mean_and_median(values) {
            Some((mean, median)) => format!(
                "{name}: mean {}, median {} ({} {of})",
                number(mean),
                number(median),
                values.len()
            ),
            None => format!("{name}: not enough spikes or synapses"),
        };
        ui.colored_label(*colour, text);
    }
    let high = if high > low { high } else { low + 1.0 };
    let charts: Vec<_> = sets
        .iter()
        .map(|(name, values, colour)| {
            BarChart::new(name.clone(), bars(values, (low, high))).color(colour.gamma_multiply(0.6))
        })
        .collect();
    show_bars(ui, label, &format!("{of} (%)"), charts);
}

fn show_bars(ui: &mut Ui, x: &str, y: &str, charts: Vec<BarChart>) {
    Plot::new(("histogram", x))
        .height(ui.available_height().max(40.0))
        .x_axis_label(x)
        .y_axis_label(y)
        .legend(Legend::default())
        .allow_scroll(false)
        .include_y(0.0)
        .show(ui, |plot| {
            for chart in charts {
                plot.bar_chart(chart);
            }
        });
}

/// A choice of the projection that the weights are of.
pub(super) fn projection_choice(
    ui: &mut Ui,
    context: &mut PanelContext<'_>,
    structure: &Structure,
) -> Option<usize> {
    let chosen = context.selected.projection.clone();
    let place = |name: &str| structure.projections.iter().position(|p| p.name == name);
    let now = chosen.as_deref().and_then(place);
    let text = now.map_or("Choose a projection", |i| {
        structure.projections[i].name.as_str()
    });
    egui::ComboBox::from_id_salt("projection")
        .selected_text(text)
        .show_ui(ui, |ui| {
            for projection in &structure.projections {
                let on = chosen.as_ref() == Some(&projection.name);
                if ui.selectable_label(on, &projection.name).clicked() {
                    context.selected.projection = Some(projection.name.clone());
                }
            }
        });
    if let Some(i) = now {
        context.wants.weights_of = Some(structure.projections[i].name.clone());
    }
    now
}

/// The unit of a weight of a projection; may be empty.
pub(super) fn weight_unit(structure: &Structure, projection: usize) -> &'static str {
    let projection = &structure.projections[projection];
    structure
        .regions
        .get(projection.to)
        .and_then(|r| r.receptors.iter().find(|r| r.0 == projection.receptor))
        .map_or("", |r| r.1)
}

impl Panel for DistributionsPanel {
    fn title(&self) -> &'static str {
        "Distributions"
    }

    fn help(&self) -> &'static str {
        "Histograms with mean and median: rates and irregularity (coefficient of variation of the intervals between spikes) of the neurons of each region over the last ten simulated seconds that are known; weights and degrees of a projection."
    }

    fn show(&mut self, ui: &mut Ui, context: &mut PanelContext<'_>) {
        let Some(structure) = context.live.structure.clone() else {
            ui.weak("Open a scene to see its distributions.");
            return;
        };
        ui.horizontal_wrapped(|ui| {
            for (what, text) in [
                (What::Rates, "Rates"),
                (What::Irregularity, "Irregularity"),
                (What::Weights, "Weights"),
                (What::Degrees, "Degrees"),
            ] {
                ui.selectable_value(&mut self.what, what, text);
            }
        });
        match self.what {
            What::Rates | What::Irregularity => self.spikes(ui, context, &structure),
            What::Weights | What::Degrees => self.synapses(ui, context, &structure),
        }
    }
}

impl DistributionsPanel {
    fn spikes(&mut self, ui: &mut Ui, context: &mut PanelContext<'_>, structure: &Structure) {
        context.wants.spikes = true;
        let now = ui.input(|i| i.time);
        let due = self.counted.is_none_or(|(time, version)| {
            !(0.0..COUNT_EVERY).contains(&(now - time)) || version != structure.version
        });
        if due {
            (self.rates, self.irregularity) = count(context.live, structure);
            self.counted = Some((now, structure.version));
        }
        let (values, label) = match self.what {
            What::Rates => (&self.rates, "rate (Hz)"),
            _ => (&self.irregularity, "coefficient of variation of intervals"),
        };
        let sets: Vec<_> = structure
            .regions
            .iter()
            .zip(values)
            .enumerate()
            .map(|(i, (r, v))| (r.name.clone(), v.as_slice(), context.theme.region(i)))
            .collect();
        histogram(ui, &sets, label, "neurons");
    }

    fn synapses(&mut self, ui: &mut Ui, context: &mut PanelContext<'_>, structure: &Structure) {
        let Some(chosen) = projection_choice(ui, context, structure) else {
            return;
        };
        let name = &structure.projections[chosen].name;
        let Some(weights) = context.live.weights.clone().filter(|w| w.of == *name) else {
            ui.weak("Waiting for the weights.");
            return;
        };
        let theme = context.theme;
        if self.what == What::Degrees {
            let values = |all: &[u32]| all.iter().map(|&d| f64::from(d)).collect::<Vec<_>>();
            let (outgoing, incoming) = (values(&weights.out_degrees), values(&weights.in_degrees));
            let sets = [
                (
                    "Out of a source".to_owned(),
                    outgoing.as_slice(),
                    theme.excitatory,
                ),
                (
                    "Into a target".to_owned(),
                    incoming.as_slice(),
                    theme.inhibitory,
                ),
            ];
            histogram(ui, &sets, "synapses of a neuron", "neurons");
            return;
        }
        let (low, high, counts) = &weights.histogram;
        let (low, high) = (f64::from(*low), f64::from(*high));
        let all: u64 = counts.iter().sum();
        if all == 0 || !(low.is_finite() && high.is_finite()) {
            ui.weak("The projection has no synapses.");
            return;
        }
        let unit = weight_unit(structure, chosen);
        let width = (high - low).max(1e-12 * high.abs().max(1e-12)) / counts.len() as f64;
        let centre = |i: usize| match high > low {
            true => low + (i as f64 + 0.5) * width,
            false => low,
        };
        let sum: f64 = counts
            .iter()
            .enumerate()
            .map(|(i, &n)| centre(i) * n as f64)
            .sum();
        let mut passed = 0;
        let median = counts.iter().position(|&n| {
            passed += n;
            2 * passed >= all
        });
        ui.label(format!(
            "Mean about {} {unit}, median about {} {unit} ({all} synapses)",
            number(sum / all as f64),
            number(centre(median.unwrap_or(0))),
        ));
        let part = |n: u64| 100.0 * n as f64 / all as f64;
        let bars = counts
            .iter()
            .enumerate()
            .map(|(i, &n)| Bar::new(centre(i), part(n)).width(width))
            .collect();
        let chart = BarChart::new(name.clone(), bars).color(theme.region(0));
        show_bars(ui, &format!("weight ({unit})"), "synapses (%)", vec![chart]);
    }
}
