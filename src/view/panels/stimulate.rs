//! Acting on the network: pulses, spikes, noise and lesions.

pub mod action;

use super::{Panel, PanelContext, row};
use crate::session::command::{Place, SimCommand};
use crate::session::frame::Structure;
use crate::view::plot::nothing;
use action::{Action, Brush, Target, commands, current_unit, kind_words, weight_unit};
use bevy_egui::egui::containers::menu::MenuButton;
use bevy_egui::egui::{self, DragValue, Key, ScrollArea, Slider, Ui};

/// The keys that stored stimuli are bound to.
const KEYS: [Key; 9] = [
    Key::Num1,
    Key::Num2,
    Key::Num3,
    Key::Num4,
    Key::Num5,
    Key::Num6,
    Key::Num7,
    Key::Num8,
    Key::Num9,
];

/// The stimulation panel.
pub struct StimulatePanel {
    target: Target,
    /// The amplitude that the user gave; else one that suits the unit.
    amplitude: Option<f64>,
    duration_ms: f64,
    rate_hz: f64,
    weight: f64,
    fraction: f64,
}

impl Default for StimulatePanel {
    fn default() -> Self {
        Self {
            target: Target::Selected,
            amplitude: None,
            duration_ms: 20.0,
            rate_hz: 1000.0,
            weight: 20.0,
            fraction: 0.1,
        }
    }
}

impl Panel for StimulatePanel {
    fn title(&self) -> &'static str {
        "Stimulate"
    }

    fn help(&self) -> &'static str {
        "Inject a current, force a spike, drive with Poisson input or lesion neurons: the selected ones or a whole region. What is stored on \
         a key from 1 to 9 acts when the key is pressed. While the network runs, a stimulus starts about 0.1 s of wall time later, so that none \
         of it is missed. Everything can be undone and is logged."
    }

    /// Lets the stored stimuli act whose keys are pressed, unless a text is being written.
    fn keys(&mut self, ctx: &egui::Context, context: &mut PanelContext<'_>) {
        if ctx.text_edit_focused() {
            return;
        }
        for brush in &context.preferences.brushes {
            let key = usize::from(brush.key).checked_sub(1);
            let Some(key) = key.and_then(|i| KEYS.get(i)) else {
                continue;
            };
            // A key that is held acts once.
            let pressed = |event: &egui::Event| {
                matches!(event, egui::Event::Key { key: k, pressed: true, repeat: false, modifiers, .. }
                    if k == key && modifiers.is_none())
            };
            if ctx.input(|i| i.events.iter().any(pressed)) {
                act(context, &brush.action, &brush.target);
            }
        }
    }

    fn show(&mut self, ui: &mut Ui, context: &mut PanelContext<'_>) {
        let Some(structure) = context.live.structure.clone() else {
            return nothing(ui, "No scene is open");
        };
        ScrollArea::vertical().auto_shrink(false).show(ui, |ui| {
            self.choose_target(ui, context, &structure);
            ui.separator();
            self.actions(ui, context, &structure);
            ui.separator();
            keyboard(ui, &mut context.preferences.brushes);
            ui.separator();
            list(ui, context, &structure);
        });
    }
}

impl StimulatePanel {
    fn choose_target(&mut self, ui: &mut Ui, context: &PanelContext<'_>, structure: &Structure) {
        if let Target::Region(name) = &self.target
            && structure.region(name).is_none()
        {
            self.target = Target::Selected;
        }
        let selected = format!("Selected neurons ({})", context.selected.neurons.len());
        row(ui, |ui| {
            ui.label("Act on");
            let shown = match &self.target {
                Target::Selected => selected.clone(),
                Target::Region(name) => name.clone(),
            };
            egui::ComboBox::from_id_salt("target")
                .width(180.0)
                .selected_text(shown)
                .show_ui(ui, |ui| {
                    ui.selectable_value(&mut self.target, Target::Selected, selected);
                    for region in &structure.regions {
                        let target = Target::Region(region.name.clone());
                        ui.selectable_value(&mut self.target, target, &region.name);
                    }
                });
        });
        if self.target == Target::Selected && context.selected.neurons.is_empty() {
            ui.weak("Select neurons in the 3D view or the raster, or choose a region");
        }
    }

    fn actions(&mut self, ui: &mut Ui, context: &mut PanelContext<'_>, structure: &Structure) {
        let ready = !self.target.parts(context.selected, structure).is_empty();
        let unit = current_unit(&self.target, context, structure);
        let weight_unit = weight_unit(&self.target, context, structure);
        let hint = if unit.is_empty() {
            "The current, in the model's own unit, from -1,000,000 to 1,000,000".to_owned()
        } else {
            format!("The current in {unit}, from -1,000,000 to 1,000,000")
        };
        row(ui, |ui| {
            let usual = if unit == "pA" { 500.0 } else { 20.0 };
            let mut amplitude = self.amplitude.unwrap_or(usual);
            let edit = number(&mut amplitude, -1e6..=1e6, unit);
            if ui.add(edit).on_hover_text(hint).changed() {
                self.amplitude = Some(amplitude);
            }
            ui.label("for");
            ui.add(number(&mut self.duration_ms, 0.1..=1e6, "ms"))
                .on_hover_text("How long the current lasts, from 0.1 to 1,000,000 ms");
            let action = Action::Pulse {
                amplitude,
                duration_ms: self.duration_ms,
            };
            self.button(ui, context, ready, "Inject current", action);
        });
        row(ui, |ui| {
            ui.label("At the next step");
            self.button(ui, context, ready, "Force spike", Action::Spike);
        });
        row(ui, |ui| {
            ui.add(number(&mut self.rate_hz, 0.0..=1e6, "Hz"))
                .on_hover_text("Rate of the input of each neuron, from 0 to 1,000,000 Hz");
            ui.label("of weight");
            ui.add(number(&mut self.weight, -1e6..=1e6, weight_unit)).on_hover_text(
                "Weight of an input spike in the receptor's unit, from -1,000,000 to 1,000,000. Negative weights reach the second receptor",
            );
            let action = Action::Poisson {
                rate_hz: self.rate_hz,
                weight: self.weight,
            };
            self.button(ui, context, ready, "Drive with Poisson input", action);
        });
        row(ui, |ui| {
            match &self.target {
                Target::Selected => {
                    ui.label("For good");
                }
                Target::Region(_) => {
                    let shown =
                        |v: f64, _: std::ops::RangeInclusive<usize>| format!("{:.0} %", v * 100.0);
                    let parsed = |text: &str| {
                        Some(text.trim_end_matches(['%', ' ']).parse::<f64>().ok()? / 100.0)
                    };
                    let slider = Slider::new(&mut self.fraction, 0.0..=1.0)
                        .custom_formatter(shown)
                        .custom_parser(parsed);
                    ui.add(slider).on_hover_text(
                        "How many of the region's neurons, drawn at random, from 0 to 100 %",
                    );
                }
            }
            let action = Action::Lesion {
                fraction: self.fraction,
            };
            self.button(ui, context, ready, "Lesion", action);
        });
    }

    /// A button that acts, and the menu that stores the action on a key.
    fn button(
        &self,
        ui: &mut Ui,
        context: &mut PanelContext<'_>,
        ready: bool,
        text: &str,
        action: Action,
    ) {
        if ui.add_enabled(ready, egui::Button::new(text)).clicked() {
            act(context, &action, &self.target);
        }
        let brushes = &mut context.preferences.brushes;
        let (button, _) = MenuButton::new("Key").ui(ui, |ui| {
            for key in 1..=9 {
                let taken = match brushes.iter().find(|b| b.key == key) {
                    Some(brush) => format!(" ({})", words(brush)),
                    None => String::new(),
                };
                if ui.button(format!("{key}{taken}")).clicked() {
                    brushes.retain(|b| b.key != key);
                    brushes.push(Brush {
                        key,
                        action: action.clone(),
                        target: self.target.clone(),
                    });
                    brushes.sort_by_key(|b| b.key);
                    ui.close();
                }
            }
        });
        button.on_hover_text(
            "Store this on a key; it acts when the key is pressed, now and in later sessions",
        );
    }
}

fn words(brush: &Brush) -> String {
    format!("{}, {}", brush.action.words(), brush.target.words())
}

/// What is stored on keys.
fn keyboard(ui: &mut Ui, brushes: &mut Vec<Brush>) {
    ui.strong("Keys");
    if brushes.is_empty() {
        ui.weak("Nothing is stored on the keys 1 to 9");
    }
    brushes.retain(|brush| {
        let mut kept = true;
        ui.horizontal(|ui| {
            ui.push_id(brush.key, |ui| {
                let clear = ui.add(egui::Button::new("×").small());
                kept = !clear.on_hover_text("Take it off the key").clicked();
            });
            let text = format!("{}: {}", brush.key, words(brush));
            ui.add(egui::Label::new(text).wrap());
        });
        kept
    });
}

/// A number that is dragged or written, with its unit.
fn number<'v>(
    value: &'v mut f64,
    range: std::ops::RangeInclusive<f64>,
    unit: &str,
) -> DragValue<'v> {
    let speed = (value.abs() * 0.01).max(0.1);
    let suffix = if unit.is_empty() {
        String::new()
    } else {
        format!(" {unit}")
    };
    DragValue::new(value)
        .range(range)
        .speed(speed)
        .suffix(suffix)
}

/// Sends what an action on a target means now.
fn act(context: &PanelContext<'_>, action: &Action, target: &Target) {
    if let Some(structure) = &context.live.structure {
        let parts = target.parts(context.selected, structure);
        for command in commands(action, parts, &context.live.progress, &structure.stimuli) {
            context.live.edit(command);
        }
    }
}

/// The stimuli of the network, with a button that removes each.
fn list(ui: &mut Ui, context: &PanelContext<'_>, structure: &Structure) {
    let now = context.live.time_ms();
    let over = |stop: Option<f64>| stop.is_some_and(|stop| stop <= now);
    ui.strong("Stimuli");
    if structure.scene.stimuli.is_empty() {
        ui.weak("The network has no stimuli");
    }
    let mut finished = Vec::new();
    for (i, (name, spec)) in structure
        .stimuli
        .iter()
        .zip(&structure.scene.stimuli)
        .enumerate()
    {
        let ended = over(spec.window.stop_ms);
        if ended {
            finished.push(name.clone());
        }
        ui.horizontal(|ui| {
            ui.push_id(i, |ui| {
                let remove = egui::Button::new("×").small();
                let hint = format!("Remove {name}; can be undone");
                if ui.add(remove).on_hover_text(hint).clicked() {
                    let place = Place::Stimulus(name.clone());
                    context.live.edit(SimCommand::Remove(place));
                }
            });
            let text = format!("{name}, {} on {}", kind_words(&spec.kind), spec.to);
            let text = match ended {
                true => egui::RichText::new(format!("{text}, over")).weak(),
                false => egui::RichText::new(text),
            };
            ui.add(egui::Label::new(text).wrap());
        });
    }
    if finished.len() > 1 && ui.button("Remove all that are over").clicked() {
        for name in finished {
            context.live.edit(SimCommand::Remove(Place::Stimulus(name)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::network::stimulus::{Selection, StimulusKind};
    use crate::view::testing::{Stage, edits, key, network, spiking, survives};
    use bevy_egui::egui::vec2;

    #[test]
    fn any_network_can_be_drawn_at_any_size() {
        survives(|| Box::new(StimulatePanel::default()));
    }

    #[test]
    fn a_click_injects_a_current_into_the_selected_neurons() {
        let mut live = network(&[("a", 10), ("b", 5)]);
        spiking(&mut live, &[], 1000);
        live.progress.pacing = crate::sim::clock::Pacing::Paused;
        let (mut stage, mut panel) = (Stage::new(), StimulatePanel::default());
        let size = vec2(600.0, 700.0);
        stage.settle(&mut panel, &mut live, size);
        stage.click_text(&mut panel, &mut live, size, "Inject current");
        assert!(edits(&mut live).is_empty(), "nothing is selected");
        stage.selected.neurons = [3, 4, 12].into();
        stage.settle(&mut panel, &mut live, size);
        stage.click_text(&mut panel, &mut live, size, "Inject current");
        let sent = edits(&mut live);
        assert_eq!(sent.len(), 2, "one for each region");
        let SimCommand::Stimulate(spec) = &sent[0] else {
            panic!("{sent:?}");
        };
        assert_eq!(
            (spec.to.as_str(), &spec.neurons),
            ("a", &Selection::List(vec![3, 4]))
        );
        assert_eq!(spec.window.start_ms, 100.0);
        assert_eq!(spec.window.stop_ms, Some(120.0));
        assert_eq!(
            spec.kind,
            StimulusKind::Step {
                amplitude: 500.0.into()
            }
        );
    }

    #[test]
    fn stored_stimuli_act_when_their_key_is_pressed() {
        let mut live = network(&[("a", 10), ("b", 5)]);
        let (mut stage, mut panel) = (Stage::new(), StimulatePanel::default());
        stage.preferences.brushes.push(Brush {
            key: 3,
            action: Action::Lesion { fraction: 0.25 },
            target: Target::Region("b".into()),
        });
        let size = vec2(600.0, 700.0);
        stage.draw(&mut panel, &mut live, size, vec![key(Key::Num2)]);
        assert!(edits(&mut live).is_empty());
        stage.draw(&mut panel, &mut live, size, vec![key(Key::Num3)]);
        let sent = edits(&mut live);
        assert!(
            matches!(&sent[..], [SimCommand::Lesion { region, neurons: Selection::Fraction(f) }]
                if region == "b" && *f == 0.25),
            "{sent:?}"
        );
    }

    #[test]
    fn stimuli_are_removed_by_their_button() {
        let mut live = network(&[("a", 10), ("b", 5)]);
        let (mut stage, mut panel) = (Stage::new(), StimulatePanel::default());
        let size = vec2(600.0, 700.0);
        stage.settle(&mut panel, &mut live, size);
        stage.click_text(&mut panel, &mut live, size, "×");
        let sent = edits(&mut live);
        assert!(
            matches!(&sent[..], [SimCommand::Remove(Place::Stimulus(name))] if name == "background"),
            "{sent:?}"
        );
    }
}
