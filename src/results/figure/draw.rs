//! Draws one panel into its cell: margins that fit the labels, axes, legend, and the marks within.

use super::axis::{Axis, Span};
use super::heat::Heat;
use super::marks::{SAMPLE, draw_mark, draw_sample};
use super::{INK, LABEL, Mark, NOTE, PANEL_TITLE, Panel, Shape, TICK, style};
use crate::results::canvas::{Anchor, Area, Canvas, TextStyle};

/// Width of axes and ticks.
const THIN: f32 = 1.0;
/// Height of a line of the legend.
const LEGEND_LINE: f32 = 24.0;
/// Room for a colour bar with its labels.
const COLOR_BAR: f32 = 112.0;

/// Where values of a panel are drawn.
pub(super) struct Frame {
    pub area: Area,
    pub x: Span,
    pub y: Span,
    /// How opaque bars are: histograms over each other must all be seen.
    pub bars: f32,
}

impl Frame {
    pub fn x(&self, value: f64) -> Option<f32> {
        let share = self.x.share(value)? as f32;
        Some(self.area.left + share * self.area.width())
    }

    pub fn y(&self, value: f64) -> Option<f32> {
        let share = self.y.share(value)? as f32;
        Some(self.area.bottom - share * self.area.height())
    }

    pub fn point(&self, (x, y): (f64, f64)) -> Option<(f32, f32)> {
        Some((self.x(x)?, self.y(y)?))
    }
}

/// Draws a panel into its cell.
pub(super) fn panel(canvas: &mut Canvas, panel: &Panel, cell: Area) {
    let (x, y) = spans(panel);
    let heat = panel.marks.iter().find_map(|m| match &m.shape {
        Shape::Heat(heat) => Some(heat),
        _ => None,
    });
    let right = cell.right - if heat.is_some() { COLOR_BAR } else { 30.0 };
    let mut y_ticks = panel.y.ticks(&y, 6);
    if panel
        .marks
        .iter()
        .any(|m| matches!(m.shape, Shape::Spikes(_)))
    {
        // Rows are whole.
        y_ticks.retain(|(value, _)| value.fract() == 0.0);
    }
    let widest = (y_ticks.iter())
        .map(|(_, label)| canvas.text_width(label, TICK))
        .fold(0.0, f32::max);
    let left = (cell.left + 66.0 + widest).min(right - 40.0).round();
    let legend = legend_lines(canvas, &panel.marks, right - left);
    let title = if panel.title.is_empty() { 0.0 } else { 34.0 };
    let top = cell.top + 12.0 + title + legend.len() as f32 * LEGEND_LINE;
    let bottom = cell.bottom - 78.0;
    let histograms = (panel.marks.iter())
        .filter(|m| matches!(m.shape, Shape::Bars(..)))
        .count();
    let frame = Frame {
        area: Area {
            left,
            top: top.min(bottom - 40.0).round(),
            right: right.round(),
            bottom: bottom.round(),
        },
        x,
        y,
        bars: if histograms > 1 { 0.6 } else { 1.0 },
    };

    let name = canvas.fitted(&panel.title, PANEL_TITLE, right - left);
    let place = (left, cell.top + 26.0);
    canvas.text(&name, place, style(PANEL_TITLE, INK, Anchor::Start));
    for (line, entries) in legend.iter().enumerate() {
        let y = cell.top + 12.0 + title + (line as f32 + 0.4) * LEGEND_LINE;
        for &(offset, mark) in entries {
            draw_sample(canvas, mark, left + offset, y);
        }
    }
    for mark in &panel.marks {
        draw_mark(canvas, &frame, mark);
    }
    draw_x_axis(canvas, &frame, &panel.x);
    draw_y_axis(canvas, &frame, &panel.y, &y_ticks, widest);
    if let Some(heat) = heat {
        draw_color_bar(canvas, &frame, heat);
    }
}

/// What the axes show.
fn spans(panel: &Panel) -> (Span, Span) {
    let (mut xs, mut ys) = (Vec::new(), Vec::new());
    let (mut tight_x, mut tight_y) = (true, false);
    for mark in &panel.marks {
        match &mark.shape {
            Shape::Line(points) => {
                xs.extend(points.iter().map(|p| p.0));
                ys.extend(points.iter().map(|p| p.1));
            }
            Shape::Dots(points) => {
                tight_x = false;
                xs.extend(points.iter().map(|p| p.0));
                ys.extend(points.iter().map(|p| p.1));
            }
            Shape::Spikes(points) => {
                tight_y = true;
                xs.extend(points.iter().map(|p| p.0));
                ys.extend(points.iter().flat_map(|p| [p.1, p.1 + 1.0]));
            }
            Shape::Band(points) => {
                xs.extend(points.iter().map(|p| p[0]));
                ys.extend(points.iter().flat_map(|p| [p[1], p[2], p[3]]));
            }
            Shape::Errors(points) => {
                tight_x = false;
                xs.extend(points.iter().map(|p| p[0]));
                ys.extend(points.iter().flat_map(|p| [p[1], p[2], p[3]]));
            }
            Shape::Bars(edges, heights) => {
                xs.extend(edges);
                ys.push(0.0);
                ys.extend(heights);
            }
            Shape::Level(y) => ys.push(*y),
            Shape::Moment(x) => xs.push(*x),
            Shape::Spans(_) => {}
            Shape::Heat(heat) => {
                tight_y = true;
                let [left, right, lower, upper] = heat.edges();
                xs.extend([left, right]);
                ys.extend([lower, upper]);
            }
        }
    }
    (
        panel.x.over(xs.into_iter(), false, tight_x),
        panel.y.over(ys.into_iter(), true, tight_y),
    )
}

/// The labelled marks in lines that fit, each with its distance from the left.
fn legend_lines<'a>(canvas: &Canvas, marks: &'a [Mark], room: f32) -> Vec<Vec<(f32, &'a Mark)>> {
    let mut lines: Vec<Vec<(f32, &Mark)>> = Vec::new();
    let mut used = f32::INFINITY;
    for mark in marks.iter().filter(|m| !m.label.is_empty()) {
        let width = SAMPLE + 8.0 + canvas.text_width(&mark.label, NOTE) + 22.0;
        if used + width > room + 22.0 {
            lines.push(Vec::new());
            used = 0.0;
        }
        if let Some(line) = lines.last_mut() {
            line.push((used, mark));
        }
        used += width;
    }
    lines
}

fn draw_color_bar(canvas: &mut Canvas, frame: &Frame, heat: &Heat) {
    let area = frame.area;
    let bar = Area {
        left: area.right + 14.0,
        right: area.right + 30.0,
        ..area
    };
    let height = bar.height().max(1.0);
    for y in 0..height as i64 {
        let top = bar.top + y as f32;
        let share = 1.0 - (y as f32 + 0.5) / height;
        let color = heat.palette.color(f64::from(share));
        canvas.fill(
            Area {
                top,
                bottom: top + 1.0,
                ..bar
            },
            color,
            1.0,
        );
    }
    let axis = Axis {
        range: Some(heat.ends()),
        ..Axis::default()
    };
    let span = axis.over(std::iter::empty(), false, true);
    for (value, label) in axis.ticks(&span, 5) {
        let Some(share) = span.share(value) else {
            continue;
        };
        let y = (bar.bottom - share as f32 * height).round();
        let tick = Area {
            left: bar.right,
            right: bar.right + 5.0,
            top: y,
            bottom: y + THIN,
        };
        canvas.fill(tick, INK, 1.0);
        let place = (bar.right + 9.0, y);
        canvas.text(&label, place, style(NOTE, INK, Anchor::Start));
    }
    let place = (bar.right + 32.0, area.top - 16.0);
    let room = 2.0 * COLOR_BAR;
    let title = canvas.fitted(&heat.title, NOTE, room);
    canvas.text(&title, place, style(NOTE, INK, Anchor::End));
}

fn draw_x_axis(canvas: &mut Canvas, frame: &Frame, axis: &Axis) {
    let area = frame.area;
    let line = Area {
        left: area.left - THIN,
        top: area.bottom,
        bottom: area.bottom + THIN,
        ..area
    };
    canvas.fill(line, INK, 1.0);
    let most = match axis.names.len() {
        0 => (area.width() / 90.0).max(2.0) as usize,
        n => n,
    };
    let room = area.width() / most as f32 - 8.0;
    let named = !axis.names.is_empty();
    let mut free_from = f32::NEG_INFINITY;
    for (value, label) in axis.ticks(&frame.x, most) {
        let Some(x) = frame.x(value).map(f32::round) else {
            continue;
        };
        let length = if label.is_empty() { 3.0 } else { 6.0 };
        let tick = Area {
            left: x,
            right: x + THIN,
            top: area.bottom,
            bottom: area.bottom + length,
        };
        canvas.fill(tick, INK, 1.0);
        let label = match named {
            true => canvas.fitted(&label, TICK, room.max(24.0)),
            false => label,
        };
        let half = canvas.text_width(&label, TICK) / 2.0;
        if x - half > free_from && !label.is_empty() {
            canvas.text(
                &label,
                (x, area.bottom + 20.0),
                style(TICK, INK, Anchor::Middle),
            );
            free_from = x + half + 6.0;
        }
    }
    let place = ((area.left + area.right) / 2.0, area.bottom + 49.0);
    let title = canvas.fitted(&axis.title, LABEL, area.width() + 60.0);
    canvas.text(&title, place, style(LABEL, INK, Anchor::Middle));
}

fn draw_y_axis(
    canvas: &mut Canvas,
    frame: &Frame,
    axis: &Axis,
    ticks: &[(f64, String)],
    widest: f32,
) {
    let area = frame.area;
    let line = Area {
        left: area.left - THIN,
        right: area.left,
        ..area
    };
    canvas.fill(line, INK, 1.0);
    let mut free_below = f32::INFINITY;
    for (value, label) in ticks {
        let Some(y) = frame.y(*value).map(f32::round) else {
            continue;
        };
        let length = if label.is_empty() { 3.0 } else { 6.0 };
        let tick = Area {
            left: area.left - length,
            right: area.left,
            top: y - THIN,
            bottom: y,
        };
        canvas.fill(tick, INK, 1.0);
        if y + 0.5 * TICK < free_below && !label.is_empty() {
            canvas.text(label, (area.left - 11.0, y), style(TICK, INK, Anchor::End));
            free_below = y - 0.5 * TICK;
        }
    }
    let upwards = TextStyle {
        upwards: true,
        ..style(LABEL, INK, Anchor::Middle)
    };
    let place = (area.left - widest - 34.0, (area.top + area.bottom) / 2.0);
    let title = canvas.fitted(&axis.title, LABEL, area.height() + 40.0);
    canvas.text(&title, place, upwards);
}
