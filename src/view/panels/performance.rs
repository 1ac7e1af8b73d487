//! How fast the network runs and what it takes.

use super::{Panel, PanelContext};
use crate::sim::SimSystems;
use crate::view::shell::grouped;
use bevy_egui::egui;

/// Speed and memory.
#[derive(Default)]
pub struct PerformancePanel {}

impl Panel for PerformancePanel {
    fn title(&self) -> &'static str {
        "Performance"
    }

    fn help(&self) -> &'static str {
        "How fast the network runs against real time, how long each stage of a step takes (one step in 32 is timed while this panel is \
         open), and the memory of every projection. The window draws at its own rate, whatever the network costs."
    }

    fn show(&mut self, ui: &mut egui::Ui, context: &mut PanelContext<'_>) {
        context.wants.stages = true;
        let live = &*context.live;
        let progress = &live.progress;
        egui::ScrollArea::vertical()
            .auto_shrink([false, false])
            .show(ui, |ui| {
                egui::Grid::new("speed")
                    .num_columns(2)
                    .striped(true)
                    .show(ui, |ui| {
                        let frame = ui.input(|i| i.stable_dt).max(1e-6);
                        let mib =
                            |bytes: u64| format!("{:.1} MiB", bytes as f64 / f64::from(1 << 20));
                        let structure = live.structure.as_ref();
                        let rows = [
                            ("Speed", format!("{:.3} × real time", progress.speed)),
                            ("Cost", format!("{:.4} s per simulated s", progress.cost)),
                            (
                                "Synaptic events",
                                format!("{:.3e} per s", progress.events_per_s),
                            ),
                            ("Spikes", grouped(progress.spikes)),
                            ("Spike hash", format!("{:016x}", progress.hash)),
                            ("Frame rate", format!("{:.0} per s", 1.0 / frame)),
                            ("Network", structure.map_or(String::new(), |s| mib(s.bytes))),
                            (
                                "Kept states",
                                format!("{} in {}", progress.kept.len(), mib(progress.kept_bytes)),
                            ),
                        ];
                        for (name, value) in rows {
                            ui.label(name);
                            ui.monospace(value);
                            ui.end_row();
                        }
                    });
                if let Some(stages) = progress.stages {
                    ui.add_space(8.0);
                    ui.strong("Time of a step");
                    let largest = stages.iter().copied().fold(1e-9, f64::max);
                    for (stage, seconds) in SimSystems::ALL.into_iter().zip(stages) {
                        if seconds < largest * 0.005 {
                            continue;
                        }
                        let part = (seconds / largest) as f32;
                        let text = format!("{stage:?}  {:.2} µs", seconds * 1e6);
                        ui.add(egui::ProgressBar::new(part).text(text).desired_height(18.0));
                    }
                }
                if let Some(structure) = &live.structure {
                    ui.add_space(8.0);
                    ui.strong("Projections");
                    egui::Grid::new("memory")
                        .num_columns(3)
                        .striped(true)
                        .show(ui, |ui| {
                            for projection in structure.projections.iter().take(200) {
                                ui.add(egui::Label::new(&projection.name).truncate());
                                ui.monospace(grouped(projection.synapses));
                                let each =
                                    projection.bytes as f64 / projection.synapses.max(1) as f64;
                                ui.monospace(format!("{each:.1} B each"));
                                ui.end_row();
                            }
                        });
                }
            });
    }
}
