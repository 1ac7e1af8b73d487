//! The weights of a projection as a matrix.

use super::{Panel, PanelContext, row};
use crate::results::quantities::{figures, grouped};
use crate::session::frame::{Structure, WeightMatrix};
use crate::view::picture::{Picture, Pixels, Scale};
use crate::view::plot::{Axis, Chart, nothing, nothing_within};
use crate::view::save::Save;
use crate::view::theme::Theme;
use bevy_egui::egui::{self, Rect, Sense, TextureOptions, Ui, pos2, vec2};
use std::sync::Arc;

/// Room for the scale beside the matrix, in points.
const SCALE_WIDTH: f32 = 86.0;

/// The matrix panel.
pub struct MatrixPanel {
    picture: Picture,
    scale: Option<Scale>,
    /// What the picture is of.
    drawn: Option<(Arc<WeightMatrix>, Theme)>,
    csv: Save,
}

impl Default for MatrixPanel {
    fn default() -> Self {
        Self {
            picture: Picture::default(),
            scale: None,
            drawn: None,
            csv: Save::new("CSV", "weights.csv"),
        }
    }
}

impl Panel for MatrixPanel {
    fn title(&self) -> &'static str {
        "Weight matrix"
    }

    fn help(&self) -> &'static str {
        "The mean weight from each group of source neurons (rows) to each group of target neurons (columns) of a projection; empty cells have \
         no synapse. Weights of both signs have 0 in the middle of the scale. A projection that learns is read about twice a second."
    }

    fn show(&mut self, ui: &mut Ui, context: &mut PanelContext<'_>) {
        let Some(structure) = context.live.structure.clone() else {
            return nothing(ui, "No scene is open");
        };
        let csv = &mut self.csv;
        let chosen = row(ui, |ui| {
            let name = choose_projection(ui, context, &structure)?;
            context.wants.weights_of = Some(name.clone());
            let weights = context.live.weights.clone().filter(|w| w.of == name);
            if let Some(weights) = &weights {
                let what = "Save the cells as a table: first source neuron, first target neuron, mean weight";
                csv.table(ui, what, &mut context.live.notices, || {
                    let weights = weights.clone();
                    Box::new(move || table(&weights))
                });
            }
            Some((name, weights))
        });
        let Some((name, weights)) = chosen.inner else {
            return nothing(ui, "The network has no projections");
        };
        let size = ui.available_size().max(vec2(1.0, 1.0));
        let (outer, response) = ui.allocate_exact_size(size, Sense::hover());
        let Some(weights) = weights else {
            return nothing_within(ui, outer, "Reading the weights…");
        };
        let unit = unit_of(&structure, &name);
        let scaled = outer.width() > 260.0 && outer.height() > 60.0;
        let area = Rect::from_min_max(
            outer.min,
            pos2(
                outer.right() - if scaled { SCALE_WIDTH } else { 0.0 },
                outer.bottom(),
            ),
        );
        let (sources, targets) = weights.neurons;
        let (from, to) = ends(&structure, &name);
        let chart = Chart::within(
            area,
            Axis::linear(format!("target neuron in {to}"), 0.0, targets.max(1).into()),
            Axis::linear(
                format!("source neuron in {from}"),
                sources.max(1).into(),
                0.0,
            ),
        );
        self.redraw(ui, &weights, context.theme);
        ui.painter()
            .rect_filled(chart.inner, 0.0, ui.visuals().extreme_bg_color);
        self.picture.paint(ui, chart.inner, (0.0, 1.0));
        chart.draw_axes(ui, false);
        if weights.cells.iter().all(|w| w.is_nan()) {
            nothing_within(ui, chart.inner, "The projection has no synapses");
        } else if let (true, Some(scale)) = (scaled, self.scale) {
            let left = chart.inner.right() + 14.0;
            let bar = Rect::from_min_max(
                pos2(left, chart.inner.top()),
                pos2(left + 12.0, chart.inner.bottom()),
            );
            scale.paint(ui, bar, context.theme, |v| format!("{} {unit}", figures(v)));
        }
        let Some(at) = response.hover_pos().filter(|at| chart.inner.contains(*at)) else {
            return;
        };
        if let Some(text) = describe(&weights, chart.y_of(at.y), chart.x_of(at.x), unit) {
            response.on_hover_text_at_pointer(text);
        }
    }
}

impl MatrixPanel {
    /// Draws the picture anew if the weights or the theme are others.
    fn redraw(&mut self, ui: &Ui, weights: &Arc<WeightMatrix>, theme: &Theme) {
        let same = |(drawn, known): &(Arc<WeightMatrix>, Theme)| {
            Arc::ptr_eq(drawn, weights) && known == theme
        };
        if self.drawn.as_ref().is_some_and(same) {
            return;
        }
        self.drawn = Some((weights.clone(), theme.clone()));
        let scale = Scale::of(&weights.cells);
        self.scale = Some(scale);
        let mut pixels = Pixels::new([weights.columns.max(1), weights.rows.max(1)]);
        for (i, &weight) in weights.cells.iter().enumerate() {
            let columns = weights.columns.max(1);
            pixels.put(i % columns, i / columns, scale.color(weight, theme));
        }
        self.picture
            .set(ui, pixels.image(), (0.0, 1.0), TextureOptions::NEAREST);
    }
}

/// The cells that have synapses, as a table.
fn table(weights: &WeightMatrix) -> String {
    let mut text = String::from("source,target,weight\n");
    let columns = weights.columns.max(1);
    let first = |place: usize, all: u32, cells: usize| place * all as usize / cells.max(1);
    for (i, weight) in weights
        .cells
        .iter()
        .enumerate()
        .filter(|(_, w)| !w.is_nan())
    {
        let source = first(i / columns, weights.neurons.0, weights.rows);
        let target = first(i % columns, weights.neurons.1, weights.columns);
        text += &format!("{source},{target},{weight}\n");
    }
    text
}

/// A menu of the projections; the one that is shown: the selected one, else the first. All panels show the same.
pub fn choose_projection(
    ui: &mut Ui,
    context: &mut PanelContext<'_>,
    structure: &Structure,
) -> Option<String> {
    let known = |name: &&String| structure.projections.iter().any(|p| p.name == **name);
    let selected = context.selected.projection.as_ref();
    let mut name = (selected.filter(known).cloned())
        .or_else(|| structure.projections.first().map(|p| p.name.clone()))?;
    let before = name.clone();
    egui::ComboBox::from_id_salt("projection")
        .width((ui.available_width() * 0.6).clamp(60.0, 260.0))
        .selected_text(&name)
        .show_ui(ui, |ui| {
            for projection in &structure.projections {
                ui.selectable_value(&mut name, projection.name.clone(), &projection.name);
            }
        })
        .response
        .on_hover_text("The projection whose weights are shown");
    if let Some(p) = structure.projections.iter().find(|p| p.name == name) {
        ui.weak(format!("{} synapses", grouped(p.synapses)));
    }
    if name != before {
        context.selected.projection = Some(name.clone());
    }
    Some(name)
}

/// The unit of a projection's weights.
pub fn unit_of(structure: &Structure, name: &str) -> &'static str {
    let projection = structure.projections.iter().find(|p| p.name == name);
    projection
        .and_then(|p| {
            let receptors = &structure.regions.get(p.to)?.receptors;
            receptors.iter().find(|r| r.0 == p.receptor).map(|r| r.1)
        })
        .unwrap_or("")
}

/// The names of the regions that a projection joins.
fn ends<'s>(structure: &'s Structure, name: &str) -> (&'s str, &'s str) {
    let projection = structure.projections.iter().find(|p| p.name == name);
    let region = |place: Option<usize>| {
        place
            .and_then(|r| structure.regions.get(r))
            .map_or("", |r| r.name.as_str())
    };
    (
        region(projection.map(|p| p.from)),
        region(projection.map(|p| p.to)),
    )
}

/// What is in the cell at this source and target.
fn describe(weights: &WeightMatrix, source: f64, target: f64, unit: &str) -> Option<String> {
    let cell = |at: f64, cells: usize, neurons: u32| {
        let cell = ((at / f64::from(neurons.max(1)) * cells as f64).max(0.0) as usize)
            .min(cells.checked_sub(1)?);
        let start = |cell: usize| (cell as u64 * u64::from(neurons)).div_ceil(cells as u64);
        let (first, end) = (start(cell), start(cell + 1));
        let range = match end.saturating_sub(1).max(first) {
            last if last == first => format!("{first}"),
            last => format!("{first} to {last}"),
        };
        Some((cell, range))
    };
    let (row, sources) = cell(source, weights.rows, weights.neurons.0)?;
    let (column, targets) = cell(target, weights.columns, weights.neurons.1)?;
    let weight = *weights.cells.get(row * weights.columns + column)?;
    let mean = match weight.is_nan() {
        true => "no synapse".to_owned(),
        false => format!("mean weight {} {unit}", figures(weight.into())),
    };
    Some(format!("from {sources}\nto {targets}\n{mean}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::testing::{Stage, network, survives, weights};

    #[test]
    fn any_network_can_be_drawn_at_any_size() {
        survives(|| Box::new(MatrixPanel::default()));
    }

    #[test]
    fn the_weights_of_the_shown_projection_are_wanted() {
        let mut live = network(&[("a", 80), ("b", 60)]);
        let (mut stage, mut panel) = (Stage::new(), MatrixPanel::default());
        stage.settle(&mut panel, &mut live, vec2(500.0, 400.0));
        assert_eq!(stage.wants.weights_of.as_deref(), Some("a → b"));
        assert!(panel.drawn.is_none());
        weights(&mut live, false);
        stage.settle(&mut panel, &mut live, vec2(500.0, 400.0));
        assert!(panel.scale.is_some_and(|s| !s.signed));
        weights(&mut live, true);
        stage.settle(&mut panel, &mut live, vec2(500.0, 400.0));
        assert!(panel.scale.is_some_and(|s| s.signed));
    }

    #[test]
    fn cells_are_described_by_their_neurons() {
        let mut live = network(&[("a", 80), ("b", 60)]);
        weights(&mut live, false);
        let weights = live.weights.clone().expect("weights");
        let text = describe(&weights, 79.9, 59.9, "pA").expect("a cell");
        assert!(text.starts_with("from 78 to 79\nto 58 to 59\n"), "{text}");
        let text = describe(&weights, 0.0, 0.5, "pA").expect("a cell");
        assert!(text.ends_with("no synapse"), "{text}");
        assert_eq!(
            unit_of(live.structure.as_ref().expect("one"), "a → b"),
            "pA"
        );
    }
}
