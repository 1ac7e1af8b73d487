//! State columns of the selected neurons and the levels of modulators against time.

use super::{Panel, PanelContext, row};
use crate::files::whole::write_whole;
use crate::modulation::ModulatorSpec;
use crate::results::csv::cell;
use crate::session::frame::{Structure, TraceOf};
use crate::view::decimate::extremes;
use crate::view::figure::{Curve, Strip, draw_traces};
use crate::view::live::{Live, Trace};
use crate::view::plot::{Axis, Chart, nothing, nothing_within, small, span_of};
use crate::view::recorded::spikes_between;
use crate::view::save::{Save, Write};
use crate::view::timeline::Timeline;
use bevy_egui::egui::{
    self, Align2, PopupCloseBehavior, Rect, Sense, Stroke, Ui,
    containers::menu::{MenuButton, MenuConfig},
    pos2, vec2,
};
use std::collections::BTreeSet;
use std::ops::Range;
use std::path::Path;

/// The most neurons whose traces are shown.
const MOST_NEURONS: usize = 8;
/// The most modulators that are shown.
const MOST_MODULATORS: usize = 4;
/// Points of a curve in a figure.
const FIGURE_POINTS: usize = 2000;

/// A neuron whose traces are shown.
struct Shown {
    region: String,
    neuron: u32,
    number: u32,
}

impl Shown {
    fn name(&self) -> String {
        format!("{} {}", self.region, self.neuron)
    }

    fn trace(&self, column: &str) -> TraceOf {
        TraceOf::Column {
            region: self.region.clone(),
            neuron: self.neuron,
            column: column.to_owned(),
        }
    }
}

/// What one strip shows.
struct Shows {
    label: String,
    unit: &'static str,
    /// The colour, the name and what it is of each curve.
    curves: Vec<(usize, String, TraceOf)>,
    /// Whether spikes of the neurons are marked.
    marks: bool,
}

/// The strips of these columns of the shown neurons, then those of modulators.
fn strips_shown(
    structure: &Structure,
    columns: &[(&'static str, &'static str)],
    shown: &[Shown],
    modulators: bool,
) -> Vec<Shows> {
    let of_column = |&(column, unit): &(&'static str, &'static str)| Shows {
        label: with_unit(column, unit),
        unit,
        curves: (shown.iter().enumerate())
            .filter(|(_, n)| has_column(structure, &n.region, column))
            .map(|(i, n)| (i, n.name(), n.trace(column)))
            .collect(),
        marks: true,
    };
    let of_modulator = |(i, spec): (usize, &ModulatorSpec)| {
        let name = spec.name.clone();
        Shows {
            label: name.clone(),
            unit: "",
            curves: vec![(i, name.clone(), TraceOf::Modulator(name))],
            marks: false,
        }
    };
    let modulators = match modulators {
        true => &structure.scene.modulators[..],
        false => &[],
    };
    let modulators = modulators.iter().enumerate().take(MOST_MODULATORS);
    (columns.iter().map(of_column))
        .chain(modulators.map(of_modulator))
        .collect()
}

/// The traces panel.
pub struct TracesPanel {
    timeline: Timeline,
    /// Columns that the user chose; without any the membrane potential, or the first.
    chosen: BTreeSet<String>,
    spikes: bool,
    modulators: bool,
    png: Save,
    csv: Save,
}

impl Default for TracesPanel {
    fn default() -> Self {
        Self {
            timeline: Timeline::newest(200.0),
            chosen: BTreeSet::new(),
            spikes: true,
            modulators: true,
            png: Save::new("PNG", "traces.png"),
            csv: Save::new("CSV", "traces.csv"),
        }
    }
}

impl Panel for TracesPanel {
    fn title(&self) -> &'static str {
        "Traces"
    }

    fn help(&self) -> &'static str {
        "State columns of the first 8 selected neurons, sampled in every step from the moment of selection; upright marks are their spikes. \
         Choose columns with the button. Below them stand the levels of the scene's first 4 modulators. Drag to look back, scroll to zoom, double-click to follow the newest time again."
    }

    fn show(&mut self, ui: &mut Ui, context: &mut PanelContext<'_>) {
        let Some(structure) = context.live.structure.clone() else {
            return nothing(ui, "No scene is open");
        };
        let shown: Vec<Shown> = (context.selected.neurons.iter())
            .filter_map(|&number| {
                let id = structure.neuron(number)?;
                Some(Shown {
                    region: structure.regions[id.region].name.clone(),
                    neuron: id.neuron,
                    number,
                })
            })
            .take(MOST_NEURONS)
            .collect();
        let known = columns_of(&structure, &shown);
        let mut columns: Vec<(&'static str, &'static str)> = (known.iter().copied())
            .filter(|(name, _)| self.chosen.contains(*name))
            .collect();
        if columns.is_empty() {
            let usual = known.iter().find(|(name, _)| *name == "v");
            columns.extend(usual.or(known.first()));
        }
        context.wants.spikes |= self.spikes;
        let strips = strips_shown(&structure, &columns, &shown, self.modulators);
        let curves = strips.iter().flat_map(|strip| &strip.curves);
        let traces = curves.map(|(.., of)| of.clone());
        context.wants.traces.extend(traces);
        let now = context.live.time_ms();
        let has_modulators = !structure.scene.modulators.is_empty();
        self.tools(ui, context, &known, &columns, &strips, has_modulators, now);
        if strips.is_empty() {
            return nothing(
                ui,
                match shown.is_empty() {
                    true => "Select a neuron in the 3D view or the raster to see its traces",
                    false => "The selected neurons have no state columns",
                },
            );
        }
        self.legend(ui, context, &shown);
        self.strips(ui, context, &strips, &shown, now);
    }
}

impl TracesPanel {
    fn tools(
        &mut self,
        ui: &mut Ui,
        context: &mut PanelContext<'_>,
        known: &[(&str, &str)],
        columns: &[(&str, &str)],
        strips: &[Shows],
        has_modulators: bool,
        now: f64,
    ) {
        row(ui, |ui| {
            self.timeline.controls(ui, now);
            let config = MenuConfig::new().close_behavior(PopupCloseBehavior::CloseOnClickOutside);
            let menu = MenuButton::new("Columns").config(config);
            menu.ui(ui, |ui| {
                if known.is_empty() {
                    ui.weak("Select a neuron first");
                }
                for (name, unit) in known {
                    let mut on = columns.iter().any(|(column, _)| column == name);
                    if ui.checkbox(&mut on, with_unit(name, unit)).changed() {
                        self.chosen = columns.iter().map(|c| c.0.to_owned()).collect();
                        if on {
                            self.chosen.insert((*name).to_owned());
                        } else {
                            self.chosen.remove(*name);
                        }
                    }
                }
            })
            .0
            .on_hover_text("Which state columns are shown");
            ui.toggle_value(&mut self.spikes, "Spikes")
                .on_hover_text("Mark the spikes of the neurons");
            if has_modulators {
                ui.toggle_value(&mut self.modulators, "Modulators")
                    .on_hover_text(
                        "Show the concentrations of pools, and what signals do in each step",
                    );
            }
            if strips.is_empty() {
                return;
            }
            ui.separator();
            let range = self.timeline.range(now);
            let live = &*context.live;
            let mut notices = Vec::new();
            self.png.show(
                ui,
                "Save the time that is shown as a picture",
                &mut notices,
                || {
                    let strips = strips_of(live, strips, range);
                    let title = live.structure.as_ref().map(|s| s.scene.title.clone());
                    Box::new(move |path: &Path| {
                        let canvas = draw_traces(&title.unwrap_or_default(), range, &strips);
                        write_whole(path, |out| out.write_all(&canvas.png()?))
                    }) as Write
                },
            );
            self.csv.table(
                ui,
                "Save the time that is shown as a table: time_ms, region, neuron, column, value; of a modulator its name is the column",
                &mut notices,
                || {
                    let copied = copied(live, strips, range);
                    Box::new(move || table(&copied))
                },
            );
            context.live.notices.append(&mut notices);
        });
    }

    fn legend(&self, ui: &mut Ui, context: &mut PanelContext<'_>, shown: &[Shown]) {
        if shown.is_empty() {
            ui.weak("Select a neuron in the 3D view or the raster to see its traces");
            return;
        }
        row(ui, |ui| {
            for (place, neuron) in shown.iter().enumerate() {
                let (rect, _) = ui.allocate_exact_size(vec2(10.0, 10.0), Sense::hover());
                ui.painter()
                    .rect_filled(rect, 2.0, context.theme.region(place));
                ui.small(neuron.name());
            }
            let left_out = context.selected.neurons.len().saturating_sub(MOST_NEURONS);
            if left_out > 0 {
                ui.weak(format!("and {left_out} more that are not shown"));
            }
        });
    }

    fn strips(
        &mut self,
        ui: &mut Ui,
        context: &mut PanelContext<'_>,
        strips: &[Shows],
        shown: &[Shown],
        now: f64,
    ) {
        let size = ui.available_size().max(vec2(1.0, 1.0));
        let (outer, response) = ui.allocate_exact_size(size, Sense::click_and_drag());
        let live = &*context.live;
        let (from, to) = self.timeline.range(now);
        // The lowest strip has the labels of the time axis, and so needs more room.
        let labels = if outer.height() > 90.0 { 31.0 } else { 0.0 };
        let height = (outer.height() - labels) / strips.len() as f32;
        let spikes = if self.spikes {
            spikes_of(live, shown, (from, to))
        } else {
            Vec::new()
        };
        for (place, strip) in strips.iter().enumerate() {
            let last = place + 1 == strips.len();
            let top = outer.top() + place as f32 * height;
            let bottom = top + height + if last { labels } else { 0.0 };
            let area = Rect::from_min_max(pos2(outer.left(), top), pos2(outer.right(), bottom));
            let time = Axis::linear("time (ms)", from, to);
            let time = if last { time } else { time.without_labels() };
            let pixels = (area.width() * ui.pixels_per_point()) as usize;
            let curves: Vec<(usize, Vec<(f64, f64)>)> = (strip.curves.iter())
                .filter_map(|(i, _, of)| Some((*i, live.traces.get(of)?)))
                .map(|(i, trace)| (i, points(trace, live.progress.dt_ms, (from, to), pixels)))
                .collect();
            let values = curves
                .iter()
                .flat_map(|(_, c)| c.iter().map(|p| p.1 as f32));
            let span = span_of(values);
            let (low, high) = span.unwrap_or((0.0, 1.0));
            let chart = Chart::within(area, time, Axis::linear(strip.label.clone(), low, high));
            chart.draw(ui);
            for &(ms, neuron) in spikes.iter().filter(|_| strip.marks) {
                let x = chart.x_at(ms);
                let range = chart.inner.top()..=chart.inner.top() + 0.12 * chart.inner.height();
                ui.painter()
                    .vline(x, range, Stroke::new(1.5, context.theme.region(neuron)));
            }
            for (i, curve) in &curves {
                let stroke = Stroke::new(1.2, context.theme.region(*i));
                chart.line(ui, curve.iter().copied(), stroke);
            }
            if span.is_none() {
                nothing_within(ui, chart.inner, "No samples yet");
            }
            if place == 0 {
                self.timeline.interact(ui, &response, &chart, now);
            }
            read_off(ui, &response, &chart, strip.unit);
        }
    }
}

/// Shows time and value under the pointer.
fn read_off(ui: &Ui, response: &egui::Response, chart: &Chart, unit: &str) {
    let Some(at) = response.hover_pos().filter(|at| chart.inner.contains(*at)) else {
        return;
    };
    let ink = ui.visuals().weak_text_color();
    ui.painter()
        .vline(at.x, chart.inner.y_range(), Stroke::new(0.5, ink));
    let text = format!("{:.1} ms, {:.4} {unit}", chart.x_of(at.x), chart.y_of(at.y));
    let corner = chart.inner.right_bottom() - vec2(4.0, 2.0);
    ui.painter()
        .text(corner, Align2::RIGHT_BOTTOM, text, small(ui), ink);
}

/// A column's name with its unit.
fn with_unit(name: &str, unit: &str) -> String {
    match unit {
        "" => name.to_owned(),
        _ => format!("{name} ({unit})"),
    }
}

fn has_column(structure: &Structure, region: &str, column: &str) -> bool {
    structure.region(region).is_some_and(|r| {
        structure.regions[r]
            .columns
            .iter()
            .any(|(name, _)| *name == column)
    })
}

/// The columns that any of these neurons has, in the order of their models.
fn columns_of(structure: &Structure, shown: &[Shown]) -> Vec<(&'static str, &'static str)> {
    let mut columns: Vec<(&'static str, &'static str)> = Vec::new();
    for region in shown.iter().filter_map(|n| structure.region(&n.region)) {
        for column in &structure.regions[region].columns {
            if !columns.iter().any(|(name, _)| *name == column.0) {
                columns.push(*column);
            }
        }
    }
    columns
}

/// The samples of a trace that lie in a time; the value at the end of step k is at (k + 1)·dt.
fn samples(trace: &Trace, dt_ms: f64, (from, to): (f64, f64)) -> Range<usize> {
    if !(dt_ms > 0.0) {
        return 0..0;
    }
    let index = |ms: f64| (ms / dt_ms - 1.0 - trace.first as f64).max(0.0);
    let end = (index(to).floor() as usize + 1).min(trace.values.len());
    (index(from).floor() as usize).min(end)..end
}

/// The points of a trace in a time: ms and value.
fn points(trace: &Trace, dt_ms: f64, time: (f64, f64), columns: usize) -> Vec<(f64, f64)> {
    let range = samples(trace, dt_ms, time);
    extremes(trace.values.as_slices(), trace.first, range, columns)
        .into_iter()
        .map(|(i, value)| {
            (
                (trace.first + i as u64 + 1) as f64 * dt_ms,
                f64::from(value),
            )
        })
        .collect()
}

/// The spikes of the shown neurons: ms, and the neuron's place among them.
fn spikes_of(live: &Live, shown: &[Shown], (from, to): (f64, f64)) -> Vec<(f64, usize)> {
    // The selection is in the order of numbers.
    let numbers: Vec<u32> = shown.iter().map(|n| n.number).collect();
    live.spikes
        .range(spikes_between(live, from, to))
        .filter_map(|spike| {
            let place = numbers.binary_search(&spike.neuron).ok()?;
            Some(((spike.step + 1) as f64 * live.progress.dt_ms, place))
        })
        .collect()
}

/// What a figure of the shown time is made of.
fn strips_of(live: &Live, strips: &[Shows], range: (f64, f64)) -> Vec<Strip> {
    let curve = |(_, name, of): &(usize, String, TraceOf)| {
        let trace = live.traces.get(of)?;
        Some(Curve {
            name: name.clone(),
            points: points(trace, live.progress.dt_ms, range, FIGURE_POINTS),
        })
    };
    (strips.iter())
        .map(|strip| Strip {
            label: strip.label.clone(),
            curves: strip.curves.iter().filter_map(curve).collect(),
        })
        .collect()
}

/// A trace that is to be saved: its name, and times in ms with values.
struct Copied {
    of: TraceOf,
    samples: Vec<(f64, f32)>,
}

/// The shown time of all curves, neuron by neuron, then of modulators.
fn copied(live: &Live, strips: &[Shows], range: (f64, f64)) -> Vec<Copied> {
    let dt = live.progress.dt_ms;
    let mut curves: Vec<_> = strips.iter().flat_map(|strip| &strip.curves).collect();
    curves.sort_by_key(|(place, _, of)| (matches!(of, TraceOf::Modulator(_)), *place));
    let mut all = Vec::new();
    for (.., of) in curves {
        let Some(trace) = live.traces.get(of) else {
            continue;
        };
        let at = |i: usize| (((trace.first + i as u64 + 1) as f64 * dt) * 1e6).round() / 1e6;
        let samples = samples(trace, dt, range).map(|i| (at(i), trace.values[i]));
        all.push(Copied {
            of: of.clone(),
            samples: samples.collect(),
        });
    }
    all
}

/// Traces as a table.
fn table(all: &[Copied]) -> String {
    let mut text = String::from("time_ms,region,neuron,column,value\n");
    for Copied { of, samples } in all {
        let what = match of {
            TraceOf::Column {
                region,
                neuron,
                column,
            } => format!("{},{neuron},{column}", cell(region)),
            TraceOf::Modulator(name) => format!(",,{}", cell(name)),
        };
        for (ms, value) in samples {
            text += &format!("{ms},{what},{value}\n");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::testing::{Stage, busy, network, survives};

    #[test]
    fn any_network_can_be_drawn_at_any_size() {
        survives(|| Box::new(TracesPanel::default()));
    }

    fn traced() -> (Stage, TracesPanel, Live) {
        let mut live = network(&[("a", 10), ("b", 5)]);
        busy(&mut live, 0.1, 5000);
        let mut stage = Stage::new();
        stage.selected.neurons = [3, 12].into();
        for (region, neuron) in [("a", 3), ("b", 2)] {
            let of = TraceOf::Column {
                region: region.into(),
                neuron,
                column: "v".into(),
            };
            let values = (0..4000).map(|i| -65.0 + (i as f32 * 0.01).sin()).collect();
            live.traces.insert(
                of,
                Trace {
                    first: 1000,
                    values,
                },
            );
        }
        (stage, TracesPanel::default(), live)
    }

    #[test]
    fn the_first_column_of_the_selected_neurons_is_wanted() {
        let (mut stage, mut panel, mut live) = traced();
        stage.selected.neurons.extend(0..15);
        stage.settle(&mut panel, &mut live, vec2(700.0, 500.0));
        assert_eq!(stage.wants.traces.len(), MOST_NEURONS);
        let is_v = |t: &TraceOf| matches!(t, TraceOf::Column { column, .. } if column == "v");
        assert!(stage.wants.traces.iter().all(is_v));
        panel.chosen = ["v".into(), "i_ex".into()].into();
        stage.settle(&mut panel, &mut live, vec2(700.0, 500.0));
        assert_eq!(stage.wants.traces.len(), 2 * MOST_NEURONS);
    }

    #[test]
    fn samples_are_where_their_time_is() {
        let (_, _, live) = traced();
        let trace = live.traces.values().next().expect("a trace");
        let range = samples(trace, 0.1, (200.0, 300.0));
        assert_eq!(range, 999..2000);
        let points = points(trace, 0.1, (200.0, 300.0), 10_000);
        assert_eq!(points.len(), 1001);
        assert!((points[0].0 - 200.0).abs() < 1e-9);
        assert_eq!(samples(trace, 0.1, (0.0, 50.0)), 0..1);
        assert_eq!(samples(trace, 0.0, (0.0, 50.0)), 0..0);
    }

    #[test]
    fn tables_have_a_row_per_sample() {
        let (_, _, live) = traced();
        let shown = [Shown {
            region: "a".into(),
            neuron: 3,
            number: 3,
        }];
        let structure = live.structure.clone().expect("a network");
        let strips = strips_shown(&structure, &[("v", "mV")], &shown, true);
        let text = table(&copied(&live, &strips, (300.0, 310.0)));
        assert_eq!(text.lines().count(), 1 + 101);
        assert!(
            text.lines()
                .nth(1)
                .is_some_and(|l| l.starts_with("300,a,3,v,"))
        );
        let strips = strips_of(&live, &strips, (300.0, 310.0));
        assert_eq!((strips.len(), strips[0].curves.len()), (1, 1));
    }

    #[test]
    fn modulators_are_wanted_without_a_neuron_until_they_are_switched_off() {
        let (mut stage, mut panel, mut live) = traced();
        let mut structure = (*live.structure.take().expect("a network")).clone();
        let mut scene = (*structure.scene).clone();
        scene.modulators = vec![ModulatorSpec {
            name: "dopamine".into(),
            tau_ms: Some(200.0),
            ..ModulatorSpec::default()
        }];
        structure.scene = scene.into();
        live.structure = Some(structure.into());
        let of = TraceOf::Modulator("dopamine".into());
        let values = (0..5000).map(|i| i as f32).collect();
        live.traces.insert(of.clone(), Trace { first: 0, values });
        stage.selected.neurons.clear();
        let size = vec2(700.0, 500.0);
        stage.settle(&mut panel, &mut live, size);
        assert_eq!(stage.wants.traces, std::slice::from_ref(&of));
        assert!(
            stage
                .find(&mut panel, &mut live, size, "dopamine")
                .is_some()
        );
        stage.selected.neurons = [3].into();
        stage.settle(&mut panel, &mut live, size);
        assert_eq!(stage.wants.traces.len(), 2);
        assert_eq!(stage.wants.traces[1], of);
        let structure = live.structure.clone().expect("a network");
        let strips = strips_shown(&structure, &[], &[], true);
        let text = table(&copied(&live, &strips, (300.0, 300.0)));
        assert_eq!(
            text,
            "time_ms,region,neuron,column,value\n300,,,dopamine,2999\n"
        );
        stage.click_text(&mut panel, &mut live, size, "Modulators");
        assert!(!stage.wants.traces.contains(&of));
    }
}
