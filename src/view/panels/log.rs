//! What was done to the network, and what went wrong.

use super::{Panel, PanelContext};
use crate::session::command::SimCommand;
use bevy_egui::egui;

/// The log.
#[derive(Default)]
pub struct LogPanel {}

impl Panel for LogPanel {
    fn title(&self) -> &'static str {
        "Log"
    }

    fn help(&self) -> &'static str {
        "Every edit of the network with the simulated time at which it acted. Undo takes the newest one back; the network goes on from its \
         present state. After going back in time, commands that have yet to act are grey. Errors are listed below."
    }

    fn show(&mut self, ui: &mut egui::Ui, context: &mut PanelContext<'_>) {
        let live = &mut *context.live;
        ui.horizontal(|ui| {
            for (words, label, command) in [
                (&live.undo, "Undo", SimCommand::Undo),
                (&live.redo, "Redo", SimCommand::Redo),
            ] {
                let button = ui.add_enabled(words.is_some(), egui::Button::new(label));
                let tooltip = words.clone().unwrap_or_default();
                if button.on_hover_text(tooltip).clicked() {
                    live.edit(command);
                }
            }
        });
        ui.separator();
        let dt = live.progress.dt_ms;
        egui::ScrollArea::vertical()
            .auto_shrink([false, false])
            .stick_to_bottom(true)
            .show(ui, |ui| {
                if live.log.is_empty() && live.notices.is_empty() {
                    ui.weak("No edit yet. Change a number under “Network” or stimulate neurons.");
                }
                for (i, logged) in live.log.iter().enumerate() {
                    let text = format!(
                        "{:>9.1} ms  {}",
                        logged.step as f64 * dt,
                        logged.command.words()
                    );
                    let text = egui::RichText::new(text);
                    let text = if i < live.acted { text } else { text.weak() };
                    ui.add(egui::Label::new(text).wrap());
                }
                for notice in &live.notices {
                    let colour = match notice.error {
                        true => context.theme.error,
                        false => ui.visuals().weak_text_color(),
                    };
                    ui.add(
                        egui::Label::new(egui::RichText::new(&notice.text).color(colour)).wrap(),
                    );
                }
            });
    }
}
