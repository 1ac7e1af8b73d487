//! Axes, lines and bars, painted straight onto a panel.
//!
//! Panels that share a time axis need equal margins, textures under their marks and thousands of points per frame; painting the few
//! shapes that this takes is cheaper than a general plot.

use crate::results::quantities::ticks;
use bevy_egui::egui::epaint::TextShape;
use bevy_egui::egui::text::{LayoutJob, TextWrapping};
use bevy_egui::egui::{Align2, Color32, FontId, Pos2, Rect, Stroke, StrokeKind, TextStyle, Ui};
use bevy_egui::egui::{Galley, pos2, vec2};
use std::sync::Arc;

/// Points from the left edge to the plot of a chart that has room for labels.
const LEFT: f32 = 58.0;
/// Points under a plot with labels on its horizontal axis.
const BOTTOM: f32 = 34.0;
/// Points between two labels.
const LABEL_EVERY: (f32, f32) = (80.0, 34.0);

/// One axis: what it spans and what it is called.
#[derive(Clone, Debug, PartialEq)]
pub struct Axis {
    from: f64,
    to: f64,
    label: String,
    logarithmic: bool,
    labelled: bool,
}

impl Axis {
    /// From one value to another, which may be less; if they are equal, the axis spans 1.
    pub fn linear(label: impl Into<String>, from: f64, to: f64) -> Self {
        let from = if from.is_finite() { from } else { 0.0 };
        let sound = to.is_finite() && (to - from).abs() > 1e-9 * from.abs().max(1e-30);
        Self {
            from,
            to: if sound { to } else { from + 1.0 },
            label: label.into(),
            logarithmic: false,
            labelled: true,
        }
    }

    /// From one positive value to a larger one, in powers of ten.
    pub fn logarithmic(label: impl Into<String>, from: f64, to: f64) -> Self {
        let from = if from.is_finite() && from > 0.0 {
            from
        } else {
            1.0
        };
        let to = if to.is_finite() && to > from {
            to
        } else {
            from * 10.0
        };
        Self {
            from,
            to,
            label: label.into(),
            logarithmic: true,
            labelled: true,
        }
    }

    /// The same axis without numbers and name, for a plot that stands on another.
    pub fn without_labels(mut self) -> Self {
        self.labelled = false;
        self
    }

    /// Where a value lies: 0 at the start, 1 at the end.
    pub fn share(&self, value: f64) -> f64 {
        if self.logarithmic {
            (value.max(1e-300) / self.from).ln() / (self.to / self.from).ln()
        } else {
            (value - self.from) / (self.to - self.from)
        }
    }

    /// The value that lies there.
    pub fn value(&self, share: f64) -> f64 {
        if self.logarithmic {
            self.from * (self.to / self.from).powf(share)
        } else {
            self.from + share * (self.to - self.from)
        }
    }

    /// Values that are marked, with their labels; at most about `most`.
    fn marks(&self, most: usize) -> Vec<(f64, String)> {
        if !self.logarithmic {
            return ticks(self.from.min(self.to), self.from.max(self.to), most);
        }
        let powers = || self.from.log10().ceil() as i32..=self.to.log10().floor() as i32;
        let every = (powers().count().div_ceil(most.max(1))).max(1);
        powers()
            .step_by(every)
            .map(|n| (10_f64.powi(n), power_of_ten(n)))
            .collect()
    }
}

/// A power of ten as people write it.
fn power_of_ten(n: i32) -> String {
    match n {
        0..=4 => format!("{}", 10_i64.pow(n as u32)),
        -3..=-1 => format!("{:.*}", (-n) as usize, 10_f64.powi(n)),
        _ => format!("1e{n}"),
    }
}

/// A plot with its axes, placed on the screen.
#[derive(Clone, Debug)]
pub struct Chart {
    /// Where the marks are.
    pub inner: Rect,
    /// The horizontal axis.
    pub x: Axis,
    /// The vertical axis.
    pub y: Axis,
}

impl Chart {
    /// A plot that fills a rectangle with its axes. One that is too small for labels has none.
    pub fn within(outer: Rect, mut x: Axis, mut y: Axis) -> Self {
        if outer.width() < 160.0 || outer.height() < 48.0 {
            x.labelled = false;
            y.labelled = false;
        }
        let left = if y.labelled { LEFT } else { 2.0 };
        let bottom = if x.labelled { BOTTOM } else { 3.0 };
        let min = outer.min + vec2(left, 6.0);
        let max = outer.max - vec2(12.0, bottom);
        Self {
            inner: Rect::from_min_max(min, pos2(max.x.max(min.x + 1.0), max.y.max(min.y + 1.0))),
            x,
            y,
        }
    }

    /// The same plot with at least this much room at its left, if it has labels.
    pub fn indented(mut self, left: f32) -> Self {
        if self.y.labelled {
            self.inner.min.x += (left - LEFT).max(0.0);
            self.inner.max.x = self.inner.max.x.max(self.inner.min.x + 1.0);
        }
        self
    }

    /// Where a value of the horizontal axis is.
    pub fn x_at(&self, value: f64) -> f32 {
        self.inner.left() + self.x.share(value) as f32 * self.inner.width()
    }

    /// Where a value of the vertical axis is.
    pub fn y_at(&self, value: f64) -> f32 {
        self.inner.bottom() - self.y.share(value) as f32 * self.inner.height()
    }

    /// The value of the horizontal axis at a place.
    pub fn x_of(&self, x: f32) -> f64 {
        self.x
            .value(f64::from((x - self.inner.left()) / self.inner.width()))
    }

    /// The value of the vertical axis at a place.
    pub fn y_of(&self, y: f32) -> f64 {
        self.y
            .value(f64::from((self.inner.bottom() - y) / self.inner.height()))
    }

    /// Paints the ground, the grid, the marks and the names of the axes.
    pub fn draw(&self, ui: &Ui) {
        ui.painter()
            .rect_filled(self.inner, 0.0, ui.visuals().extreme_bg_color);
        self.draw_axes(ui, true);
    }

    /// Paints the marks and names of the axes around what is there already, such as a texture.
    pub fn draw_axes(&self, ui: &Ui, grid: bool) {
        let painter = ui.painter();
        let visuals = ui.visuals();
        let font = small(ui);
        let (ink, faint) = (visuals.text_color(), visuals.weak_text_color());
        let line = Stroke::new(1.0, visuals.text_color().gamma_multiply(0.10));
        let inner = self.inner;
        let many =
            |length: f32, every: f32, text: f32| ((length / every.max(text * 4.0)) as usize).max(1);
        for (value, text) in self
            .x
            .marks(many(inner.width(), LABEL_EVERY.0, font.size * 1.5))
        {
            let x = self.x_at(value);
            if !(inner.left() - 0.5..=inner.right() + 0.5).contains(&x) {
                continue;
            }
            if grid {
                painter.vline(x, inner.y_range(), line);
            }
            if self.x.labelled {
                painter.text(
                    pos2(x, inner.bottom() + 3.0),
                    Align2::CENTER_TOP,
                    text,
                    font.clone(),
                    faint,
                );
            }
        }
        for (value, text) in self
            .y
            .marks(many(inner.height(), LABEL_EVERY.1, font.size * 0.6))
        {
            let y = self.y_at(value);
            if !(inner.top() - 0.5..=inner.bottom() + 0.5).contains(&y) {
                continue;
            }
            if grid {
                painter.hline(inner.x_range(), y, line);
            }
            if self.y.labelled {
                let y = y.clamp(inner.top() + 4.0, inner.bottom() - 4.0);
                painter.text(
                    pos2(inner.left() - 5.0, y),
                    Align2::RIGHT_CENTER,
                    text,
                    font.clone(),
                    faint,
                );
            }
        }
        let edge = Stroke::new(1.0, visuals.text_color().gamma_multiply(0.3));
        painter.rect_stroke(inner, 0.0, edge, StrokeKind::Outside);
        if self.x.labelled {
            let at = pos2(inner.center().x, inner.bottom() + BOTTOM);
            painter.text(at, Align2::CENTER_BOTTOM, &self.x.label, font.clone(), ink);
        }
        if self.y.labelled {
            upwards(
                ui,
                pos2(inner.left() - LEFT + 8.0, inner.center().y),
                &self.y.label,
                inner.height() + BOTTOM,
            );
        }
    }

    /// Paints a line through points; the parts outside the plot are cut off.
    pub fn line(
        &self,
        ui: &Ui,
        points: impl Iterator<Item = (f64, f64)>,
        stroke: impl Into<Stroke>,
    ) {
        let far = self.inner.height() * 4.0;
        let (top, bottom) = (self.inner.top() - far, self.inner.bottom() + far);
        let points: Vec<Pos2> = points
            .filter(|(x, y)| x.is_finite() && y.is_finite())
            .map(|(x, y)| pos2(self.x_at(x), self.y_at(y).clamp(top, bottom)))
            .collect();
        if points.len() > 1 {
            ui.painter()
                .with_clip_rect(self.inner.intersect(ui.clip_rect()))
                .line(points, stroke.into());
        }
    }

    /// Paints a bar from the axis up to a value.
    pub fn bar(&self, ui: &Ui, from: f64, to: f64, height: f64, color: Color32) {
        if !(height > 0.0) {
            return;
        }
        let (left, right) = (self.x_at(from), self.x_at(to));
        let gap = if right - left > 4.0 { 1.0 } else { 0.0 };
        let area = Rect::from_min_max(
            pos2(left, self.y_at(height)),
            pos2((right - gap).max(left + 0.5), self.inner.bottom()),
        );
        ui.painter()
            .rect_filled(area.intersect(self.inner), 0.0, color);
    }

    /// Paints an upright line at a value, with a text beside its upper end.
    pub fn marker(&self, ui: &Ui, x: f64, text: &str, color: Color32) {
        let at = self.x_at(x);
        if !(self.inner.left()..=self.inner.right()).contains(&at) {
            return;
        }
        ui.painter()
            .vline(at, self.inner.y_range(), Stroke::new(1.0, color));
        let (anchor, shift) = if at < self.inner.center().x {
            (Align2::LEFT_TOP, 4.0)
        } else {
            (Align2::RIGHT_TOP, -4.0)
        };
        let at = pos2(at + shift, self.inner.top() + 3.0);
        ui.painter().text(at, anchor, text, small(ui), color);
    }
}

/// The font of axes.
pub fn small(ui: &Ui) -> FontId {
    TextStyle::Small.resolve(ui.style())
}

/// A text in one line, its end left out where it is too long.
pub fn fitted(ui: &Ui, text: &str, color: Color32, width: f32) -> Arc<Galley> {
    let mut job = LayoutJob::simple_singleline(text.to_owned(), small(ui), color);
    job.wrap = TextWrapping::truncate_at_width(width.max(0.0));
    ui.painter().layout_job(job)
}

/// Paints a text that reads upwards, if there is room for it.
fn upwards(ui: &Ui, middle: Pos2, text: &str, room: f32) {
    let color = ui.visuals().text_color();
    let galley = ui
        .painter()
        .layout_no_wrap(text.to_owned(), small(ui), color);
    if galley.size().x > room {
        return;
    }
    let at = pos2(
        middle.x - galley.size().y / 2.0,
        middle.y + galley.size().x / 2.0,
    );
    ui.painter()
        .add(TextShape::new(at, galley, color).with_angle(-core::f32::consts::FRAC_PI_2));
}

/// Says in the middle of what is left of a panel why there is nothing to see.
pub fn nothing(ui: &mut Ui, text: &str) {
    ui.centered_and_justified(|ui| ui.weak(text));
}

/// Writes in the middle of a plot why it is empty.
pub fn nothing_within(ui: &Ui, rect: Rect, text: &str) {
    let color = ui.visuals().weak_text_color();
    let font = TextStyle::Body.resolve(ui.style());
    let galley = ui
        .painter()
        .layout(text.to_owned(), font, color, rect.width().max(1.0));
    let at = rect.center() - galley.size() / 2.0;
    ui.painter()
        .with_clip_rect(rect.intersect(ui.clip_rect()))
        .galley(at, galley, color);
}

/// The ends of an axis that holds these values, a little wider than they are; none if none is finite.
pub fn span_of(values: impl Iterator<Item = f32>) -> Option<(f64, f64)> {
    let (mut low, mut high) = (f32::INFINITY, f32::NEG_INFINITY);
    for value in values.filter(|v| v.is_finite()) {
        low = low.min(value);
        high = high.max(value);
    }
    (low <= high).then(|| {
        let (low, high) = (f64::from(low), f64::from(high));
        let margin = (0.06 * (high - low)).max(1e-3 * high.abs()).max(1e-6);
        (low - margin, high + margin)
    })
}

/// The least of 1, 2 or 5 × 10ⁿ that is not smaller: the end of an axis from 0 that does not change with every frame.
pub fn round_up(value: f64) -> f64 {
    if !(value > 0.0 && value.is_finite()) {
        return 1.0;
    }
    let unit = 10_f64.powf(value.log10().floor());
    [1.0, 2.0, 5.0]
        .map(|digit| digit * unit)
        .into_iter()
        .find(|&end| end >= value * (1.0 - 1e-9))
        .unwrap_or(10.0 * unit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_and_values_are_inverse() {
        let outer = Rect::from_min_size(pos2(10.0, 20.0), vec2(400.0, 300.0));
        let chart = Chart::within(
            outer,
            Axis::linear("time (ms)", -5.0, 15.0),
            Axis::logarithmic("power (Hz)", 0.1, 1000.0),
        );
        assert!(outer.contains_rect(chart.inner));
        for value in [-5.0, 0.0, 7.5, 15.0] {
            assert!((chart.x_of(chart.x_at(value)) - value).abs() < 1e-3);
        }
        for value in [0.1, 1.0, 300.0] {
            assert!((chart.y_of(chart.y_at(value)) / value - 1.0).abs() < 1e-3);
        }
        assert!(chart.y_at(1.0) > chart.y_at(10.0), "up is more");
    }

    #[test]
    fn axes_without_extent_are_repaired() {
        assert_eq!(Axis::linear("", 3.0, 3.0).value(1.0), 4.0);
        assert_eq!(Axis::linear("", f64::NAN, f64::INFINITY).value(1.0), 1.0);
        assert!(Axis::logarithmic("", 0.0, -1.0).value(1.0) > 1.0);
        let tiny = Rect::from_min_size(pos2(0.0, 0.0), vec2(0.0, 0.0));
        let chart = Chart::within(tiny, Axis::linear("", 0.0, 1.0), Axis::linear("", 0.0, 1.0));
        assert!(chart.inner.width() > 0.0 && chart.inner.height() > 0.0);
    }

    #[test]
    fn logarithmic_axes_are_marked_at_powers_of_ten() {
        let marks = Axis::logarithmic("", 0.5, 200.0).marks(10);
        let labels: Vec<_> = marks.iter().map(|m| m.1.as_str()).collect();
        assert_eq!(labels, ["1", "10", "100"]);
        assert_eq!(Axis::logarithmic("", 1e-8, 1e8).marks(5).len(), 5);
    }

    #[test]
    fn ends_of_axes_are_round() {
        for (value, end) in [
            (0.0, 1.0),
            (0.7, 1.0),
            (1.1, 2.0),
            (20.0, 20.0),
            (51.0, 100.0),
        ] {
            assert!((round_up(value) - end).abs() < 1e-9, "{value}");
        }
        let (low, high) = span_of([1.0, f32::NAN, -2.0].into_iter()).expect("finite values");
        assert!(low < -2.0 && high > 1.0);
        assert_eq!(span_of([f32::NAN].into_iter()), None);
    }
}
