//! Currents, spikes and Poisson input for the selected neurons.

use super::{Panel, PanelContext};
use crate::network::stimulus::{Selection, StimulusKind, Window};
use crate::scene::schema::StimulusSpec;
use crate::session::command::{Place, SimCommand};
use bevy_egui::egui;
use std::collections::BTreeMap;

/// A stimulus that can be given.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Kind {
    Current,
    Spike,
    Poisson,
}

/// What to give.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Brush {
    kind: Kind,
    amplitude: f64,
    duration_ms: f64,
    rate_hz: f64,
    weight: f64,
}

/// Stimuli.
pub struct StimulatePanel {
    brush: Brush,
    keys: BTreeMap<u8, Brush>,
}

impl Default for StimulatePanel {
    fn default() -> Self {
        let brush = Brush {
            kind: Kind::Current,
            amplitude: 200.0,
            duration_ms: 50.0,
            rate_hz: 500.0,
            weight: 10.0,
        };
        Self {
            brush,
            keys: BTreeMap::new(),
        }
    }
}

const DIGITS: [egui::Key; 9] = [
    egui::Key::Num1,
    egui::Key::Num2,
    egui::Key::Num3,
    egui::Key::Num4,
    egui::Key::Num5,
    egui::Key::Num6,
    egui::Key::Num7,
    egui::Key::Num8,
    egui::Key::Num9,
];

impl Panel for StimulatePanel {
    fn title(&self) -> &'static str {
        "Stimulate"
    }

    fn help(&self) -> &'static str {
        "Gives the selected neurons, or the whole chosen region, a pulse of current, a forced spike or Poisson input, from now on for as \
         long as you say. Bind a stimulus to a number key to give it again with one press."
    }

    fn show(&mut self, ui: &mut egui::Ui, context: &mut PanelContext<'_>) {
        let Some(structure) = context.live.structure.clone() else {
            ui.weak("No network is open");
            return;
        };
        let targets = targets(context);
        let words = match &targets[..] {
            [] => "Select neurons or a region first".to_owned(),
            list => list
                .iter()
                .map(|(region, neurons)| match neurons {
                    Selection::List(list) => format!("{} of {region}", list.len()),
                    _ => format!("all of {region}"),
                })
                .collect::<Vec<_>>()
                .join(", "),
        };
        egui::ScrollArea::vertical()
            .auto_shrink([false, false])
            .show(ui, |ui| {
                ui.horizontal_wrapped(|ui| {
                    ui.label("To");
                    ui.strong(words);
                });
                self.brush_ui(ui, targets.first().map(|t| t.0.as_str()), &structure);
                ui.horizontal(|ui| {
                    let give =
                        ui.add_enabled(!targets.is_empty(), egui::Button::new("Give it now"));
                    if give.clicked() {
                        give_now(context, &targets, self.brush);
                    }
                    ui.menu_button("Bind to a key", |ui| {
                        for digit in 1..=9u8 {
                            if ui.button(digit.to_string()).clicked() {
                                self.keys.insert(digit, self.brush);
                                ui.close();
                            }
                        }
                    });
                });
                for (digit, brush) in &self.keys {
                    ui.weak(format!("{digit}  {}", brush.words()));
                }
                ui.separator();
                ui.strong("Stimuli of the network");
                let now = context.live.time_ms();
                for (name, spec) in structure.stimuli.iter().zip(&structure.scene.stimuli) {
                    let over = spec.window.stop_ms.is_some_and(|stop| stop <= now);
                    ui.horizontal(|ui| {
                        if ui.small_button("×").on_hover_text("Remove").clicked() {
                            let place = Place::Stimulus(name.clone());
                            context.live.edit(SimCommand::Remove(place));
                        }
                        let text = egui::RichText::new(format!("{name}   to {}", spec.to));
                        let text = if over { text.weak() } else { text };
                        ui.add(egui::Label::new(text).truncate());
                    });
                }
            });
        if !ui.ctx().text_edit_focused() && !targets.is_empty() {
            for (digit, key) in (1u8..).zip(DIGITS) {
                if let Some(brush) = self.keys.get(&digit)
                    && ui.input(|i| i.key_pressed(key))
                {
                    give_now(context, &targets, *brush);
                }
            }
        }
    }
}

impl StimulatePanel {
    fn brush_ui(
        &mut self,
        ui: &mut egui::Ui,
        region: Option<&str>,
        structure: &crate::session::frame::Structure,
    ) {
        let receptors = region
            .and_then(|name| structure.region(name))
            .map_or(&[][..], |i| structure.regions[i].receptors.as_slice());
        let unit = receptors.first().map_or("", |r| r.1);
        let brush = &mut self.brush;
        ui.horizontal(|ui| {
            ui.selectable_value(&mut brush.kind, Kind::Current, "Current");
            ui.selectable_value(&mut brush.kind, Kind::Spike, "Spike");
            ui.selectable_value(&mut brush.kind, Kind::Poisson, "Poisson");
        });
        egui::Grid::new("brush").num_columns(2).show(ui, |ui| {
            let mut row = |label: &str,
                           value: &mut f64,
                           range: core::ops::RangeInclusive<f64>,
                           unit: &str| {
                ui.label(label);
                let speed = (value.abs() * 0.01).max(0.01);
                let drag = egui::DragValue::new(value)
                    .speed(speed)
                    .range(range)
                    .suffix(format!(" {unit}"));
                ui.add(drag);
                ui.end_row();
            };
            match brush.kind {
                Kind::Current => {
                    row(
                        "Amplitude",
                        &mut brush.amplitude,
                        -1e6..=1e6,
                        "(the model's current)",
                    );
                    row("Duration", &mut brush.duration_ms, 0.1..=1e6, "ms");
                }
                Kind::Spike => {}
                Kind::Poisson => {
                    row("Rate", &mut brush.rate_hz, 0.0..=1e6, "Hz");
                    row("Weight", &mut brush.weight, -1e6..=1e6, unit);
                    row("Duration", &mut brush.duration_ms, 0.1..=1e6, "ms");
                }
            }
        });
    }
}

impl Brush {
    fn words(&self) -> String {
        match self.kind {
            Kind::Current => format!("current {} for {} ms", self.amplitude, self.duration_ms),
            Kind::Spike => "spike".into(),
            Kind::Poisson => {
                format!(
                    "Poisson {} Hz × {} for {} ms",
                    self.rate_hz, self.weight, self.duration_ms
                )
            }
        }
    }
}

/// The selected neurons by region, or the whole chosen region.
fn targets(context: &PanelContext<'_>) -> Vec<(String, Selection)> {
    let Some(structure) = &context.live.structure else {
        return Vec::new();
    };
    let mut lists: BTreeMap<usize, Vec<u32>> = BTreeMap::new();
    for id in context
        .selected
        .neurons
        .iter()
        .filter_map(|n| structure.neuron(*n))
    {
        lists.entry(id.region).or_default().push(id.neuron);
    }
    if lists.is_empty() {
        return context
            .selected
            .region
            .iter()
            .map(|r| (r.clone(), Selection::All))
            .collect();
    }
    let name = |region: usize| structure.regions[region].name.clone();
    lists
        .into_iter()
        .map(|(region, list)| (name(region), Selection::List(list)))
        .collect()
}

fn give_now(context: &mut PanelContext<'_>, targets: &[(String, Selection)], brush: Brush) {
    let (now, dt) = (context.live.time_ms(), context.live.progress.dt_ms);
    // The network runs on while the request is on its way: what begins now begins when it arrives.
    let begin = now + 2.0 * dt;
    for (region, neurons) in targets {
        let kind = match brush.kind {
            Kind::Current => StimulusKind::Step {
                amplitude: brush.amplitude.into(),
            },
            Kind::Spike => StimulusKind::Spike {
                times_ms: vec![begin],
            },
            Kind::Poisson => StimulusKind::Poisson {
                rate_hz: brush.rate_hz.into(),
                weight: brush.weight.into(),
                delay_ms: dt,
                receptor: None,
            },
        };
        let mut stimulus = StimulusSpec::new(region, kind);
        stimulus.name = Some(brush.words());
        stimulus.neurons = neurons.clone();
        stimulus.window = match brush.kind {
            Kind::Spike => Window {
                start_ms: now,
                stop_ms: None,
            },
            _ => Window {
                start_ms: now,
                stop_ms: Some(now + brush.duration_ms),
            },
        };
        context.live.edit(SimCommand::Stimulate(stimulus));
    }
}
