//! What was done to the network, and what the program had to say.

use super::{Panel, PanelContext};
use crate::session::command::{LoggedCommand, SimCommand, stacks};
use crate::session::runner::Request;
use crate::view::action::Action;
use bevy_egui::egui::{self, RichText};
use std::collections::BTreeSet;

/// What became of a logged command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    /// It acts.
    Acts,
    /// It was taken back.
    Undone,
    /// Its time comes again.
    ToCome,
}

/// The commands and messages.
#[derive(Default)]
pub struct Log {
    messages: bool,
}

impl Panel for Log {
    fn title(&self) -> &'static str {
        "Log"
    }

    fn help(&self) -> &'static str {
        "Every edit of the running network with the simulated time at which it acted. Click a time to go there. Edits that were taken back \
         are struck through; edits in grey italics act again when their time comes. The saved log, replayed on the same scene with \
         `neuropil run --commands`, gives the same spikes. Messages holds everything the program had to say."
    }

    fn show(&mut self, ui: &mut egui::Ui, context: &mut PanelContext<'_>) {
        ui.horizontal_wrapped(|ui| {
            ui.selectable_value(&mut self.messages, false, "Commands");
            ui.selectable_value(&mut self.messages, true, "Messages");
        });
        ui.horizontal_wrapped(|ui| {
            if self.messages {
                let any = !context.live.notices.is_empty();
                if ui.add_enabled(any, egui::Button::new("Copy")).clicked() {
                    let all = context.live.notices.iter().map(|n| n.text.as_str());
                    ui.copy_text(all.collect::<Vec<_>>().join("\n"));
                }
            } else {
                buttons(ui, context);
            }
        });
        ui.separator();
        let area = egui::ScrollArea::vertical()
            .auto_shrink(false)
            .stick_to_bottom(true);
        match self.messages {
            true => area.show(ui, |ui| messages(ui, context)),
            false => area.show(ui, |ui| commands(ui, context)),
        };
    }
}

fn buttons(ui: &mut egui::Ui, context: &mut PanelContext<'_>) {
    let button = |ui: &mut egui::Ui, action: Action, text: &str| {
        let enabled = action.enabled(context.live, context.selected);
        let now = action.label_now(context.live);
        let button = ui.add_enabled(enabled, egui::Button::new(text));
        button
            .on_hover_text(now)
            .on_disabled_hover_text(action.tooltip())
            .clicked()
    };
    let mut asks = Vec::new();
    for (action, text) in [
        (Action::Undo, "Undo"),
        (Action::Redo, "Redo"),
        (Action::SaveLog, "Save…"),
    ] {
        if button(ui, action, text) {
            asks.push(action);
        }
    }
    let any = !context.live.log.is_empty();
    let copy = ui.add_enabled(any, egui::Button::new("Copy"));
    if copy.on_hover_text("Copy the commands as text").clicked() {
        let dt = context.live.progress.dt_ms;
        let line =
            |c: &LoggedCommand| format!("{:.1} ms\t{}", c.step as f64 * dt, c.command.words());
        let lines: Vec<String> = context.live.log.iter().map(line).collect();
        ui.copy_text(lines.join("\n"));
    }
    context.asks.append(&mut asks);
}

fn commands(ui: &mut egui::Ui, context: &PanelContext<'_>) {
    let live = &context.live;
    if live.log.is_empty() {
        ui.weak("Nothing was changed yet");
        return;
    }
    let fates = fates(&live.log, live.acted);
    for (i, (logged, fate)) in live.log.iter().zip(fates).enumerate() {
        // Of a number that was dragged, the last value is shown.
        if live.log.get(i + 1).is_some_and(|next| next.continues) {
            continue;
        }
        ui.horizontal(|ui| {
            let time = format!("{:>9.1} ms", logged.step as f64 * live.progress.dt_ms);
            let time = RichText::new(time).monospace().color(context.theme.weak);
            let time = ui.add(egui::Button::new(time).frame(false).small());
            if time.on_hover_text("Go to this time").clicked() {
                live.send(Request::Seek(logged.step));
            }
            let words = RichText::new(logged.command.words());
            let words = match fate {
                Fate::Acts => words,
                Fate::Undone => words.strikethrough().color(context.theme.weak),
                Fate::ToCome => words.italics().color(context.theme.weak),
            };
            ui.add(egui::Label::new(words).wrap());
        });
    }
}

fn messages(ui: &mut egui::Ui, context: &PanelContext<'_>) {
    if context.live.notices.is_empty() {
        ui.weak("No messages");
    }
    for notice in &context.live.notices {
        let text = RichText::new(&notice.text);
        let text = if notice.error {
            text.color(context.theme.error)
        } else {
            text
        };
        ui.add(egui::Label::new(text).wrap());
        ui.add_space(2.0);
    }
}

/// What became of each command, of which the first `acted` have acted.
fn fates(log: &[LoggedCommand], acted: usize) -> Vec<Fate> {
    let (undo, _) = stacks(&log[..acted.min(log.len())]);
    let acts: BTreeSet<usize> = undo.into_iter().flat_map(|edit| edit.commands).collect();
    let fate = |(i, logged): (usize, &LoggedCommand)| match logged.command {
        _ if i >= acted => Fate::ToCome,
        SimCommand::Undo | SimCommand::Redo => Fate::Acts,
        _ if logged.command.is_action() => Fate::Acts,
        _ if acts.contains(&i) => Fate::Acts,
        _ => Fate::Undone,
    };
    log.iter().enumerate().map(fate).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::network::stimulus::Selection;

    #[test]
    fn edits_that_were_taken_back_are_told_from_those_that_act() {
        let lesion = || SimCommand::Lesion {
            region: "a".into(),
            neurons: Selection::All,
        };
        let commands = [
            lesion(),
            lesion(),
            SimCommand::Undo,
            SimCommand::Redo,
            SimCommand::Undo,
            lesion(),
        ];
        let log = commands.map(|command| LoggedCommand {
            step: 0,
            command,
            continues: false,
        });
        use Fate::{Acts, ToCome, Undone};
        assert_eq!(fates(&log, 3), [Acts, Undone, Acts, ToCome, ToCome, ToCome]);
        assert_eq!(fates(&log, 4)[1], Acts);
        assert_eq!(fates(&log, 5), [Acts, Undone, Acts, Acts, Acts, ToCome]);
    }
}
