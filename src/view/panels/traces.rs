//! State columns of the selected neurons, step by step.

use super::{Panel, PanelContext};
use crate::session::frame::TraceOf;
use crate::view::live::Trace;
use bevy_egui::egui;
use egui_plot::{Legend, Line, Plot, PlotPoints, VLine};

/// The most neurons that are drawn.
const MOST_NEURONS: usize = 6;

/// Traces.
pub struct TracesPanel {
    column: String,
    window_ms: f64,
}

impl Default for TracesPanel {
    fn default() -> Self {
        Self {
            column: "v".into(),
            window_ms: 200.0,
        }
    }
}

impl Panel for TracesPanel {
    fn title(&self) -> &'static str {
        "Traces"
    }

    fn help(&self) -> &'static str {
        "A state variable of the selected neurons at every step, by default the membrane potential. Select neurons in the 3D view or \
         the raster; the first six are drawn. Vertical lines are spikes of the first one."
    }

    fn show(&mut self, ui: &mut egui::Ui, context: &mut PanelContext<'_>) {
        let Some(structure) = context.live.structure.clone() else {
            ui.weak("No network is open");
            return;
        };
        let mut chosen: Vec<u32> = context
            .selected
            .neurons
            .iter()
            .copied()
            .take(MOST_NEURONS)
            .collect();
        if chosen.is_empty() {
            chosen.extend((structure.neurons > 0).then_some(0));
        }
        let ids: Vec<_> = chosen
            .iter()
            .filter_map(|n| structure.neuron(*n).map(|id| (*n, id)))
            .collect();
        let Some((_, first)) = ids.first() else {
            return;
        };
        let columns = &structure.regions[first.region].columns;
        let known = columns.iter().any(|(name, _)| *name == self.column);
        if let (false, Some((name, _))) = (known, columns.first()) {
            self.column = (*name).to_owned();
        }
        let unit = columns
            .iter()
            .find(|(name, _)| *name == self.column)
            .map_or("", |(_, unit)| unit);
        ui.horizontal(|ui| {
            egui::ComboBox::from_id_salt("column")
                .selected_text(&self.column)
                .show_ui(ui, |ui| {
                    for (name, unit) in columns {
                        let text = format!("{name} {unit}");
                        ui.selectable_value(&mut self.column, (*name).to_owned(), text);
                    }
                });
            let slider = egui::Slider::new(&mut self.window_ms, 10.0..=5000.0).logarithmic(true);
            ui.add(slider.suffix(" ms").text("window"));
            if context.selected.neurons.is_empty() {
                ui.weak("select neurons to see theirs");
            }
        });
        let dt = context.live.progress.dt_ms;
        let end = context.live.progress.step;
        let begin = end.saturating_sub((self.window_ms / dt.max(1e-9)) as u64);
        let pixels = ui.available_width().max(50.0) as usize;
        let plot = Plot::new("traces")
            .legend(Legend::default())
            .allow_scroll(false)
            .x_axis_label("time (ms)")
            .y_axis_label(format!("{} ({unit})", self.column))
            .include_x(begin as f64 * dt)
            .include_x(end as f64 * dt)
            .auto_bounds(egui::Vec2b::TRUE);
        let spikes: Vec<f64> = {
            let all = context.live.spikes.iter().rev();
            all.take_while(|s| s.step >= begin)
                .filter(|s| s.neuron == ids[0].0)
                .map(|s| (s.step + 1) as f64 * dt)
                .collect()
        };
        plot.show(ui, |plot| {
            for (i, (_, id)) in ids.iter().enumerate() {
                let region = &structure.regions[id.region];
                let of = TraceOf {
                    region: region.name.clone(),
                    neuron: id.neuron,
                    column: self.column.clone(),
                };
                if let Some(trace) = context.live.traces.get(&of) {
                    let points = reduced(trace, begin, pixels, dt);
                    let colour = context
                        .theme
                        .region(i + if ids.len() == 1 { id.region } else { 0 });
                    let name = format!("{} #{}", region.name, id.neuron);
                    plot.line(
                        Line::new(name, PlotPoints::from(points))
                            .color(colour)
                            .width(1.4),
                    );
                }
                context.wants.traces.push(of);
            }
            for time in spikes {
                let colour = context.theme.spike.gamma_multiply(0.35);
                plot.vline(VLine::new("", time).color(colour).width(1.0));
            }
        });
    }
}

/// The least and the largest value of every pixel's share of a trace, so that no spike is lost.
fn reduced(trace: &Trace, begin: u64, pixels: usize, dt: f64) -> Vec<[f64; 2]> {
    let skipped = begin.saturating_sub(trace.first) as usize;
    let count = trace.values.len().saturating_sub(skipped);
    let every = count.div_ceil(pixels.max(1)).max(1);
    let mut points = Vec::with_capacity(2 * count / every + 2);
    let mut values = trace.values.iter().skip(skipped).enumerate().peekable();
    while values.peek().is_some() {
        let (mut low, mut high) = ((0, f32::INFINITY), (0, f32::NEG_INFINITY));
        for (i, &value) in values.by_ref().take(every) {
            if value < low.1 {
                low = (i, value);
            }
            if value > high.1 {
                high = (i, value);
            }
        }
        let first = trace.first + skipped as u64 + 1;
        let mut pair = [low, high];
        pair.sort_by_key(|(i, _)| *i);
        for (i, value) in pair {
            if value.is_finite() {
                points.push([(first + i as u64) as f64 * dt, f64::from(value)]);
            }
        }
    }
    points
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reduced_trace_keeps_its_extremes() {
        let mut trace = Trace {
            first: 100,
            values: (0..10_000).map(|i| (i % 10) as f32).collect(),
        };
        trace.values[5003] = 70.0;
        trace.values[7007] = -90.0;
        let points = reduced(&trace, 0, 50, 0.1);
        assert!(points.len() <= 100);
        let values = || points.iter().map(|p| p[1]);
        assert_eq!(values().fold(f64::MIN, f64::max), 70.0);
        assert_eq!(values().fold(f64::MAX, f64::min), -90.0);
        assert!(points.is_sorted_by(|a, b| a[0] <= b[0]));
        assert!((points.iter().find(|p| p[1] == 70.0).expect("the spike")[0] - 510.4).abs() < 1e-9);
    }
}
