//! The weights of a projection as a matrix.

use super::axes::{Axes, draw_texture, number, set_texture, style};
use super::distributions::{projection_choice, weight_unit};
use super::{Panel, PanelContext};
use crate::session::frame::WeightMatrix;
use bevy_egui::egui::{Align2, Color32, ColorImage, Rect, Sense, TextureHandle, Ui, pos2, vec2};
use std::sync::Arc;

/// The panel of weights.
#[derive(Default)]
pub struct MatrixPanel {
    texture: Option<TextureHandle>,
    drawn: Option<(Arc<WeightMatrix>, Vec<Color32>)>,
}

/// The least and the largest weight; none if there is none.
fn extremes(weights: &WeightMatrix) -> Option<(f32, f32)> {
    let finite = weights.cells.iter().copied().filter(|w| w.is_finite());
    finite.fold(None, |found, w| match found {
        None => Some((w, w)),
        Some((low, high)) => Some((low.min(w), high.max(w))),
    })
}

impl Panel for MatrixPanel {
    fn title(&self) -> &'static str {
        "Weight matrix"
    }

    fn help(&self) -> &'static str {
        "The weights of the chosen projection: sources downwards, targets to the right. A cell stands for several neurons if there are many, and shows their mean weight; cells without synapses are empty."
    }

    fn show(&mut self, ui: &mut Ui, context: &mut PanelContext<'_>) {
        let Some(structure) = context.live.structure.clone() else {
            ui.weak("Open a scene to see its weights.");
            return;
        };
        let Some(chosen) = projection_choice(ui, context, &structure) else {
            return;
        };
        let name = &structure.projections[chosen].name;
        let Some(weights) = context.live.weights.clone().filter(|w| w.of == *name) else {
            ui.weak("Waiting for the weights.");
            return;
        };
        let Some((low, high)) = extremes(&weights) else {
            ui.weak("The projection has no synapses.");
            return;
        };
        let size = [weights.columns, weights.rows];
        let most = ui.input(|i| i.max_texture_side);
        if size.contains(&0)
            || size[0] * size[1] != weights.cells.len()
            || size.iter().any(|s| *s > most)
        {
            ui.weak("The matrix cannot be drawn.");
            return;
        }
        let same = self
            .drawn
            .as_ref()
            .is_some_and(|(drawn, map)| Arc::ptr_eq(drawn, &weights) && *map == context.theme.map);
        let level = |w: f32| match high > low {
            true => (w - low) / (high - low),
            false => 0.5,
        };
        if !same {
            let mut image = ColorImage::filled(size, Color32::TRANSPARENT);
            for (pixel, &weight) in image.pixels.iter_mut().zip(&weights.cells) {
                if weight.is_finite() {
                    *pixel = context.theme.mapped(level(weight));
                }
            }
            set_texture(&mut self.texture, ui.ctx(), "weights", image);
            self.drawn = Some((weights.clone(), context.theme.map.clone()));
        }

        let space = ui.available_size().max(vec2(40.0, 40.0));
        let (response, painter) = ui.allocate_painter(space, Sense::hover());
        let whole = response.rect;
        let room = (whole.width() * 0.25).min(48.0);
        let foot = (whole.height() * 0.3).min(34.0);
        let right = (whole.width() * 0.3).min(80.0);
        let rect = Rect::from_min_max(
            pos2(whole.left() + room, whole.top() + 2.0),
            pos2(whole.right() - right, whole.bottom() - foot),
        );
        let (sources, targets) = weights.neurons;
        let axes = Axes {
            rect,
            x: (0.0, targets.into()),
            y: (sources.into(), 0.0),
        };
        painter.rect_filled(rect, 0.0, ui.visuals().extreme_bg_color);
        draw_texture(&painter, self.texture.as_ref(), rect);
        axes.draw_x(ui, &painter, "target neuron", true);
        axes.draw_y(ui, &painter, "source neuron");
        let unit = weight_unit(&structure, chosen);
        scale(ui, context, &painter, rect, (low, high), unit);

        let Some(at) = response.hover_pos().filter(|at| rect.contains(*at)) else {
            return;
        };
        let (target, source) = axes.values(at);
        let cell = |value: f64, neurons: u32, cells: usize| {
            let place = value / f64::from(neurons.max(1)) * cells as f64;
            (place.max(0.0) as usize).min(cells - 1)
        };
        let row = cell(source, sources, weights.rows);
        let column = cell(target, targets, weights.columns);
        let value = weights.cells[row * weights.columns + column];
        let value = match value.is_finite() {
            true => format!("{} {unit}", number(value.into())),
            false => "no synapse".into(),
        };
        let text = format!(
            "source {}, target {}\n{value}",
            source.max(0.0) as u32,
            target.max(0.0) as u32
        );
        response.on_hover_text_at_pointer(text);
    }
}

/// Draws what colours mean, right of the matrix.
fn scale(
    ui: &Ui,
    context: &PanelContext<'_>,
    painter: &bevy_egui::egui::Painter,
    beside: Rect,
    (low, high): (f32, f32),
    unit: &str,
) {
    const PARTS: u16 = 32;
    let (font, ink, _) = style(ui);
    let bar = Rect::from_min_size(
        pos2(beside.right() + 6.0, beside.top()),
        vec2(10.0, beside.height()),
    );
    for i in 0..PARTS {
        let part = f32::from(i) / f32::from(PARTS);
        let height = bar.height() / f32::from(PARTS);
        let top = bar.bottom() - bar.height() * part - height;
        let piece = Rect::from_min_size(pos2(bar.left(), top), vec2(bar.width(), height + 0.5));
        painter.rect_filled(piece, 0.0, context.theme.mapped(part));
    }
    for (value, at, align) in [
        (high, bar.right_top(), Align2::LEFT_TOP),
        (low, bar.right_bottom(), Align2::LEFT_BOTTOM),
    ] {
        let text = format!("{} {unit}", number(value.into()));
        painter.text(at + vec2(4.0, 0.0), align, text, font.clone(), ink);
    }
}
