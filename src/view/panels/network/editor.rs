//! Editors of the fields of one part of the network.
//!
//! A number that is dragged is sent about ten times a second, and once more when it is let go; all of it is undone as one. Until the network has taken it in, the
//! editor shows what the user gave, not what the network still has.

use crate::session::command::{Place, SimCommand};
use crate::session::runner::Request;
use crate::view::fields::{Field, FieldValue, number_text};
use bevy_egui::egui::{self, DragValue, Grid, TextEdit, Ui};
use std::collections::BTreeMap;

/// Seconds between two values that are sent while a number is dragged.
const SEND_EVERY_S: f64 = 0.1;
/// Seconds after which a value that the network did not take in is given up.
const PATIENCE_S: f64 = 3.0;

/// A number that the user gave.
struct Given {
    value: f64,
    /// The value that was sent last.
    sent: Option<f64>,
    sent_at: f64,
    /// Whether a value was sent since the number was taken hold of.
    goes_on: bool,
    /// When it was let go.
    released: Option<f64>,
}

/// A text that the user is writing, and what is wrong with it.
struct Draft {
    text: String,
    problem: Option<String>,
}

/// The editors of one part.
#[derive(Default)]
pub struct Editor {
    of: Option<Place>,
    numbers: BTreeMap<String, Given>,
    drafts: BTreeMap<String, Draft>,
}

impl Editor {
    /// Draws the fields of a part; answers the edits that change it. `problem` says what is wrong with giving a field a text.
    pub fn show(
        &mut self,
        ui: &mut Ui,
        of: &Place,
        fields: &[Field],
        problem: &dyn Fn(&str, &str) -> Option<String>,
    ) -> Vec<Request> {
        if self.of.as_ref() != Some(of) {
            *self = Self {
                of: Some(of.clone()),
                ..Self::default()
            };
        }
        let mut sent = Vec::new();
        Grid::new(("fields", of))
            .num_columns(2)
            .spacing([12.0, 4.0])
            .show(ui, |ui| {
                for field in fields {
                    ui.horizontal(|ui| {
                        ui.add_space(12.0 * field.depth as f32);
                        ui.label(field.name()).on_hover_text(field.hint());
                    });
                    if let Some((value, goes_on)) = self.field(ui, field, problem) {
                        let set = SimCommand::Set {
                            of: of.clone(),
                            field: field.path.clone(),
                            value,
                        };
                        sent.push(match goes_on {
                            true => Request::GoOn(set),
                            false => Request::Edit(set),
                        });
                    }
                    ui.end_row();
                }
            });
        sent
    }

    /// Draws the editor of a field; answers the text that it is to be given, and whether that goes on with the text before.
    fn field(
        &mut self,
        ui: &mut Ui,
        field: &Field,
        problem: &dyn Fn(&str, &str) -> Option<String>,
    ) -> Option<(String, bool)> {
        let once = |text: String| (text, false);
        match &field.value {
            FieldValue::Group(name) => {
                ui.weak(name);
                None
            }
            FieldValue::Number { value, whole } => self.number(ui, field, *value, *whole),
            FieldValue::Switch(on) => {
                let mut chosen = *on;
                let changed = ui
                    .checkbox(&mut chosen, "")
                    .on_hover_text(field.hint())
                    .changed();
                changed.then(|| once(chosen.to_string()))
            }
            FieldValue::Choice { now, all } => {
                let mut chosen = now.as_str();
                egui::ComboBox::from_id_salt(&field.path)
                    .selected_text(now)
                    .show_ui(ui, |ui| {
                        for choice in all {
                            ui.selectable_value(&mut chosen, choice, *choice);
                        }
                    })
                    .response
                    .on_hover_text(field.hint());
                (chosen != now).then(|| once(chosen.to_owned()))
            }
            FieldValue::Form { now, all } => {
                let mut chosen = None;
                egui::ComboBox::from_id_salt(&field.path)
                    .selected_text(now)
                    .show_ui(ui, |ui| {
                        for (name, text) in all {
                            let is = name == now;
                            let label = ui.selectable_label(is, *name);
                            if label.on_hover_text(text).clicked() && !is {
                                chosen = Some(text.clone());
                            }
                        }
                    })
                    .response
                    .on_hover_text(field.hint());
                chosen.map(once)
            }
            FieldValue::Text(text) => self.text(ui, field, text, problem).map(once),
        }
    }

    fn number(
        &mut self,
        ui: &mut Ui,
        field: &Field,
        value: f64,
        whole: bool,
    ) -> Option<(String, bool)> {
        let now = ui.input(|i| i.time);
        let given = self.numbers.get(&field.path);
        let mut shown = given.map_or(value, |g| g.value);
        let (low, high) = limits(field, whole);
        let speed = if whole {
            (shown.abs() * 0.01).max(0.2)
        } else {
            (shown.abs() * 0.005).max(0.01)
        };
        let mut drag = DragValue::new(&mut shown)
            .range(low..=high)
            .clamp_existing_to_range(false)
            .speed(speed)
            .update_while_editing(false);
        if whole {
            drag = drag.max_decimals(0);
        }
        if let Some(unit) = field.unit {
            drag = drag.suffix(format!(" {unit}"));
        }
        let response = ui.add(drag).on_hover_text(field.hint());
        if response.changed() {
            let given = self.numbers.entry(field.path.clone()).or_insert(Given {
                value: shown,
                sent: None,
                sent_at: f64::NEG_INFINITY,
                goes_on: false,
                released: None,
            });
            given.value = shown;
            given.released = None;
            given.goes_on &= response.dragged() || response.drag_stopped();
        }
        let given = self.numbers.get_mut(&field.path)?;
        given.goes_on &= !response.drag_started();
        let held = response.dragged();
        let due = !held || now - given.sent_at >= SEND_EVERY_S;
        let mut text = None;
        if given.sent != Some(given.value) && due {
            given.sent = Some(given.value);
            given.sent_at = now;
            text = Some((number_text(given.value, whole), given.goes_on));
            given.goes_on = held || given.goes_on;
        }
        if held {
            given.released = None;
            ui.ctx().request_repaint();
        } else {
            let released = *given.released.get_or_insert(now);
            if text.is_none() && (value == given.value || now - released > PATIENCE_S) {
                self.numbers.remove(&field.path);
            }
        }
        text
    }

    fn text(
        &mut self,
        ui: &mut Ui,
        field: &Field,
        text: &str,
        problem: &dyn Fn(&str, &str) -> Option<String>,
    ) -> Option<String> {
        let draft = self.drafts.get(&field.path);
        let mut shown = draft.map_or_else(|| text.to_owned(), |d| d.text.clone());
        let wrong = draft.and_then(|d| d.problem.clone());
        let mut sent = None;
        ui.vertical(|ui| {
            let room = ui.available_width().clamp(120.0, 420.0);
            let edit = TextEdit::singleline(&mut shown).desired_width(room);
            let edit = edit.id_salt(&field.path).font(egui::TextStyle::Monospace);
            let response = ui.add(edit).on_hover_text(field.hint());
            if response.changed() {
                let draft = Draft {
                    text: shown.clone(),
                    problem: None,
                };
                self.drafts.insert(field.path.clone(), draft);
            }
            if response.lost_focus() {
                let gave_up = ui.input(|i| i.key_pressed(egui::Key::Escape));
                if gave_up || shown.trim() == text {
                    self.drafts.remove(&field.path);
                } else if let Some(draft) = self.drafts.get_mut(&field.path) {
                    draft.problem = problem(&field.path, &shown);
                    if draft.problem.is_none() {
                        sent = Some(shown.trim().to_owned());
                        self.drafts.remove(&field.path);
                    }
                }
            }
            if let Some(wrong) = wrong {
                let color = ui.visuals().error_fg_color;
                ui.colored_label(color, wrong);
            }
        });
        sent
    }
}

/// The least and the largest number that may be given.
fn limits(field: &Field, whole: bool) -> (f64, f64) {
    let (low, high) = field.range.map_or((f64::NEG_INFINITY, f64::INFINITY), |r| {
        // A bound that is itself excluded is kept away from by a little.
        let away = |bound: f64| (bound.abs() * 1e-6).max(1e-6);
        (
            if r.min_allowed || r.min.is_infinite() {
                r.min
            } else {
                r.min + away(r.min)
            },
            if r.max_allowed || r.max.is_infinite() {
                r.max
            } else {
                r.max - away(r.max)
            },
        )
    });
    if whole {
        (low.max(0.0).ceil(), high.floor())
    } else {
        (low, high)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::quantity::Range;
    use crate::view::testing::button;
    use bevy_egui::egui::{Event, Pos2, RawInput, Rect, pos2, vec2};

    fn field(path: &str, value: FieldValue) -> Field {
        Field {
            path: path.into(),
            depth: 0,
            unit: Some("ms"),
            range: Some(Range::positive()),
            value,
        }
    }

    /// A window with the editors of one part.
    struct Window {
        egui: egui::Context,
        editor: Editor,
        cursor: egui::CursorIcon,
        time: f64,
    }

    impl Window {
        fn frame(&mut self, fields: &[Field], events: Vec<Event>) -> Vec<String> {
            self.time += 0.02;
            let input = RawInput {
                screen_rect: Some(Rect::from_min_size(Pos2::ZERO, vec2(500.0, 300.0))),
                time: Some(self.time),
                focused: true,
                events,
                ..Default::default()
            };
            let (mut sent, editor) = (Vec::new(), &mut self.editor);
            let output = self.egui.clone().run_ui(input, |ui| {
                let place = Place::Region("a".into());
                let problem = |_: &str, text: &str| text.contains('!').then(|| "no".to_owned());
                sent.extend(editor.show(ui, &place, fields, &problem));
            });
            self.cursor = output.platform_output.cursor_icon;
            output.drop_without_applying_deltas();
            sent.into_iter()
                .map(|request| match request {
                    Request::Edit(SimCommand::Set { field, value, .. }) => {
                        format!("{field} = {value}")
                    }
                    Request::GoOn(SimCommand::Set { field, value, .. }) => {
                        format!("… {field} = {value}")
                    }
                    _ => panic!("not a field"),
                })
                .collect()
        }
    }

    fn window() -> Window {
        Window {
            egui: egui::Context::default(),
            editor: Editor::default(),
            cursor: egui::CursorIcon::Default,
            time: 0.0,
        }
    }

    #[test]
    fn a_dragged_number_is_sent_ten_times_a_second_and_when_it_is_let_go() {
        let mut fields = [field(
            "model.tau_m",
            FieldValue::Number {
                value: 10.0,
                whole: false,
            },
        )];
        let mut window = window();
        for _ in 0..3 {
            assert!(window.frame(&fields, Vec::new()).is_empty());
        }
        // Where the number is: right of its name.
        let x = (40..300).step_by(4).map(|x| x as f32).find(|x| {
            window.frame(&fields, vec![Event::PointerMoved(pos2(*x, 12.0))]);
            window.frame(&fields, vec![]);
            window.cursor == egui::CursorIcon::ResizeHorizontal
        });
        let at = pos2(x.expect("a number that can be dragged") + 10.0, 12.0);
        let mut sent = window.frame(&fields, vec![Event::PointerMoved(at)]);
        sent.extend(window.frame(&fields, vec![button(at, true)]));
        for i in 1..=50 {
            let there = at + vec2(2.0 * i as f32, 0.0);
            sent.extend(window.frame(&fields, vec![Event::PointerMoved(there)]));
        }
        let end = at + vec2(100.0, 0.0);
        sent.extend(window.frame(&fields, vec![button(end, false)]));
        sent.extend(window.frame(&fields, Vec::new()));
        assert!((5..=14).contains(&sent.len()), "{sent:?}");
        assert!(sent[0].starts_with("model.tau_m = "), "{sent:?}");
        let rest = &sent[1..];
        assert!(rest.iter().all(|s| s.starts_with("… model.tau_m = ")));
        let shown = window.editor.numbers.get("model.tau_m").map(|g| g.value);
        let last = shown.expect("kept until the network has it");
        assert_eq!(sent.last(), Some(&format!("… model.tau_m = {last:?}")));
        fields[0].value = FieldValue::Number {
            value: last,
            whole: false,
        };
        window.frame(&fields, Vec::new());
        assert!(window.editor.numbers.is_empty(), "the network has it");
    }

    #[test]
    fn a_switch_is_sent_when_it_is_clicked() {
        let fields = [field("muted", FieldValue::Switch(false))];
        let mut window = window();
        let mut sent = Vec::new();
        for _ in 0..2 {
            window.frame(&fields, Vec::new());
        }
        for x in (20..120).step_by(6) {
            let at = pos2(x as f32, 12.0);
            sent.extend(window.frame(&fields, vec![Event::PointerMoved(at)]));
            sent.extend(window.frame(&fields, vec![button(at, true)]));
            sent.extend(window.frame(&fields, vec![button(at, false)]));
        }
        assert!(sent.contains(&"muted = true".to_owned()), "{sent:?}");
    }

    #[test]
    fn an_invalid_text_is_kept_with_its_error_and_not_sent() {
        let fields = [field("rule", FieldValue::Text("AllToAll".into()))];
        let mut window = window();
        for (typed, valid) in [("!", false), ("s", true)] {
            window.editor = Editor::default();
            window.frame(&fields, Vec::new());
            let at = pos2(140.0, 14.0);
            window.frame(&fields, vec![Event::PointerMoved(at)]);
            window.frame(&fields, vec![button(at, true)]);
            window.frame(&fields, vec![button(at, false)]);
            window.frame(&fields, vec![Event::Text(typed.into())]);
            let enter = crate::view::testing::key(egui::Key::Enter);
            let mut sent = window.frame(&fields, vec![enter]);
            sent.extend(window.frame(&fields, Vec::new()));
            if valid {
                assert_eq!(sent.len(), 1, "{sent:?}");
                assert!(sent[0].starts_with("rule = ") && sent[0].contains(typed));
            } else {
                assert!(sent.is_empty());
                let draft = window.editor.drafts.get("rule").expect("the text is kept");
                assert_eq!(draft.problem.as_deref(), Some("no"));
            }
        }
    }

    #[test]
    fn limits_follow_the_range() {
        let mut field = field("x", FieldValue::Switch(true));
        let (low, high) = limits(&field, false);
        assert!(low > 0.0 && high.is_infinite());
        field.range = Some(Range::between(1.0, 1e9));
        assert_eq!(limits(&field, true), (1.0, 1e9));
        field.range = None;
        assert_eq!(limits(&field, true).0, 0.0);
    }
}
