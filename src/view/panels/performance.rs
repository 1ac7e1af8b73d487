//! How fast the network runs, and what takes the time and the memory.

use super::{Panel, PanelContext};
use crate::results::quantities::{bytes, figures, grouped, hash_text, seconds};
use crate::session::frame::Structure;
use crate::sim::SimSystems;
use crate::view::live::Live;
use crate::view::plot::{Axis, Chart, nothing, round_up, small};
use bevy_egui::egui::{
    self, Align2, Color32, Grid, Rect, ScrollArea, Sense, Stroke, Ui, pos2, vec2,
};
use std::collections::VecDeque;

/// How long the history of the speed is, in seconds.
const HISTORY_S: f64 = 60.0;
/// Seconds between two points of the history.
const EVERY_S: f64 = 0.25;
/// The height of a bar of the stages, in points.
const BAR: f32 = 15.0;

/// The performance panel.
#[derive(Default)]
pub struct PerformancePanel {
    /// Wall time in s, and simulated per wall time.
    speeds: VecDeque<(f64, f64)>,
    /// Seconds per step of each stage, averaged over the last frames.
    stages: Option<[f64; 12]>,
    /// Seconds per frame, averaged likewise.
    frame_s: f32,
}

impl Panel for PerformancePanel {
    fn title(&self) -> &'static str {
        "Performance"
    }

    fn help(&self) -> &'static str {
        "How fast the network runs against the wall clock, the processor time of each stage of a step (one step in 32 is timed), and the memory \
         of synapses and kept states."
    }

    fn show(&mut self, ui: &mut Ui, context: &mut PanelContext<'_>) {
        context.wants.stages = true;
        self.sample(ui, context.live);
        let Some(structure) = context.live.structure.clone() else {
            return nothing(ui, "No scene is open");
        };
        ScrollArea::vertical().auto_shrink(false).show(ui, |ui| {
            self.numbers(ui, context.live, &structure);
            ui.add_space(6.0);
            ui.strong("Speed over the last minute");
            self.history(ui, context.theme.region(0));
            ui.add_space(6.0);
            ui.strong("Time per step by stage");
            self.bars(ui, context.theme.region(1));
            ui.add_space(6.0);
            memory(ui, &structure);
        });
    }
}

impl PerformancePanel {
    fn sample(&mut self, ui: &Ui, live: &Live) {
        let (time, frame) = ui.input(|i| (i.time, i.stable_dt));
        self.frame_s += 0.1 * (frame - self.frame_s);
        if (self.speeds.back()).is_none_or(|(last, _)| time - last >= EVERY_S) {
            self.speeds.push_back((time, live.progress.speed));
        }
        while self
            .speeds
            .front()
            .is_some_and(|(first, _)| time - first > HISTORY_S)
        {
            self.speeds.pop_front();
        }
        if let Some(new) = live.progress.stages {
            let known = self.stages.get_or_insert(new);
            for (known, new) in known.iter_mut().zip(new) {
                *known += 0.1 * (new - *known);
            }
        }
    }

    fn numbers(&self, ui: &mut Ui, live: &Live, structure: &Structure) {
        let progress = &live.progress;
        let times = |factor: f64| match factor {
            f if f > 0.0 => format!("{} ×", figures(f)),
            _ => "–".to_owned(),
        };
        let per_synapse = match structure.synapses {
            0 => "–".to_owned(),
            n => {
                let all: u64 = structure.projections.iter().map(|p| p.bytes).sum();
                format!("{} bytes", figures(all as f64 / n as f64))
            }
        };
        let rows: [(&str, String, &str); 12] = [
            (
                "Real-time factor",
                times(progress.speed),
                "Simulated time / wall time, over the last half second",
            ),
            (
                "Cost",
                times(progress.cost),
                "Processor time of the steps alone / simulated time: below 1, the network can keep up with life",
            ),
            (
                "Synaptic events",
                format!("{} per s", large(progress.events_per_s)),
                "Spikes that arrived at synapses per wall second, over the last half second",
            ),
            (
                "Events so far",
                grouped(progress.events),
                "Spikes that arrived at synapses",
            ),
            (
                "Spikes so far",
                grouped(progress.spikes),
                "Spikes of all neurons",
            ),
            (
                "Spike hash",
                hash_text(progress.hash),
                "Equal for equal spikes: the same scene and seed give the same hash on every machine",
            ),
            (
                "Neurons",
                grouped(structure.neurons.into()),
                "Neurons of all regions",
            ),
            (
                "Synapses",
                grouped(structure.synapses),
                "Synapses of all projections",
            ),
            (
                "Network",
                bytes(structure.bytes),
                "Memory of synapses and state",
            ),
            (
                "Per synapse",
                per_synapse,
                "Memory of synapses / their number",
            ),
            (
                "Kept states",
                format!("{} in {}", progress.kept.len(), bytes(progress.kept_bytes)),
                "States that can be gone back to, and their memory",
            ),
            (
                "Frame rate",
                format!("{:.0} per s", 1.0 / self.frame_s.max(1e-3)),
                "Pictures of this window per second",
            ),
        ];
        let pairs = ((ui.available_width() / 250.0) as usize).clamp(1, 3);
        Grid::new("numbers")
            .num_columns(2 * pairs)
            .spacing(vec2(14.0, 3.0))
            .show(ui, |ui| {
                for (i, (name, value, hint)) in rows.into_iter().enumerate() {
                    ui.weak(name).on_hover_text(hint);
                    ui.monospace(value).on_hover_text(hint);
                    if (i + 1) % pairs == 0 {
                        ui.end_row();
                    }
                }
            });
    }

    fn history(&self, ui: &mut Ui, color: Color32) {
        let size = vec2(ui.available_width().max(1.0), 96.0);
        let (outer, _) = ui.allocate_exact_size(size, Sense::hover());
        let now = self.speeds.back().map_or(0.0, |s| s.0);
        let highest = self.speeds.iter().map(|s| s.1).fold(0.0, f64::max);
        let chart = Chart::within(
            outer,
            Axis::linear("wall time (s)", -HISTORY_S, 0.0),
            Axis::linear("factor", 0.0, round_up(highest)),
        );
        chart.draw(ui);
        if highest > 1.0 {
            let life = Stroke::new(1.0, ui.visuals().weak_text_color());
            ui.painter()
                .hline(chart.inner.x_range(), chart.y_at(1.0), life);
        }
        let points = self.speeds.iter().map(|(time, speed)| (time - now, *speed));
        chart.line(ui, points, Stroke::new(1.5, color));
    }

    fn bars(&self, ui: &mut Ui, color: Color32) {
        let Some(stages) = self.stages else {
            ui.weak("Measured while the network runs");
            return;
        };
        let longest = stages.iter().copied().fold(1e-12, f64::max);
        let sum: f64 = stages.iter().sum();
        let font = small(ui);
        for (stage, time) in SimSystems::ALL.into_iter().zip(stages) {
            let size = vec2(ui.available_width().max(1.0), BAR);
            let (rect, response) = ui.allocate_exact_size(size, Sense::hover());
            let painter = ui.painter().with_clip_rect(rect.intersect(ui.clip_rect()));
            let ink = ui.visuals().text_color();
            let middle = rect.center().y;
            let name = format!("{stage:?}");
            painter.text(
                pos2(rect.left(), middle),
                Align2::LEFT_CENTER,
                name,
                font.clone(),
                ink,
            );
            let left = rect.left() + 70.0;
            let room = (rect.right() - left - 110.0).max(0.0);
            let bar = Rect::from_min_size(
                pos2(left, rect.top() + 2.0),
                vec2(room * (time / longest) as f32, BAR - 4.0),
            );
            painter.rect_filled(bar, 2.0, color);
            let text = format!("{}, {:.0} %", seconds(time), 100.0 * time / sum.max(1e-12));
            let at = pos2(bar.right() + 6.0, middle);
            painter.text(at, Align2::LEFT_CENTER, text, font.clone(), ink);
            response.on_hover_text(stage.contract());
        }
        ui.weak(format!("{} per step", seconds(sum)));
    }
}

/// The memory of each projection.
fn memory(ui: &mut Ui, structure: &Structure) {
    ui.strong("Memory by projection");
    if structure.projections.is_empty() {
        ui.weak("The network has no projections");
        return;
    }
    egui::ScrollArea::horizontal()
        .id_salt("memory")
        .show(ui, |ui| {
            Grid::new("memory")
                .striped(true)
                .num_columns(4)
                .spacing(vec2(16.0, 3.0))
                .show(ui, |ui| {
                    for name in ["Projection", "Synapses", "Memory", "Bytes per synapse"] {
                        ui.weak(name);
                    }
                    ui.end_row();
                    for projection in &structure.projections {
                        ui.label(&projection.name);
                        ui.monospace(grouped(projection.synapses));
                        ui.monospace(bytes(projection.bytes));
                        match projection.synapses {
                            0 => ui.monospace(if projection.muted { "muted" } else { "–" }),
                            n => ui.monospace(figures(projection.bytes as f64 / n as f64)),
                        };
                        ui.end_row();
                    }
                });
        });
}

/// A large number in thousands, millions or billions.
fn large(number: f64) -> String {
    match number {
        n if n >= 1e9 => format!("{} billion", figures(n / 1e9)),
        n if n >= 1e6 => format!("{} million", figures(n / 1e6)),
        n => grouped(n.max(0.0) as u64),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::testing::{Stage, network, survives};

    #[test]
    fn any_network_can_be_drawn_at_any_size() {
        survives(|| Box::new(PerformancePanel::default()));
    }

    #[test]
    fn stages_are_wanted_and_the_history_is_bounded() {
        let mut live = network(&[("a", 10), ("b", 10)]);
        live.progress.speed = 2.0;
        live.progress.stages = Some([1e-5; 12]);
        let (mut stage, mut panel) = (Stage::new(), PerformancePanel::default());
        for _ in 0..2000 {
            stage.draw(&mut panel, &mut live, vec2(400.0, 700.0), Vec::new());
        }
        assert!(stage.wants.stages);
        assert!(
            (200..=250).contains(&panel.speeds.len()),
            "{}",
            panel.speeds.len()
        );
        assert!(panel.stages.is_some());
        assert_eq!(large(2.5e6), "2.50 million");
    }
}
