//! The marks of a panel: curves, bands, dots, bars, spikes, fields of colours; and a sample of each for the legend.

use super::draw::Frame;
use super::heat::Heat;
use super::{INK, Mark, NOTE, Shape, style};
use crate::results::canvas::{Anchor, Area, Canvas, Color, WHITE};

/// Width of curves.
const CURVE: f32 = 2.2;
/// Diameter of dots.
const DOT: f32 = 7.0;
/// Diameter of dots that are many, which have no rim.
const SMALL_DOT: f32 = 4.0;
/// More dots than these are many.
const MANY: usize = 400;
/// Width of the sample of a mark in the legend.
pub(super) const SAMPLE: f32 = 26.0;
/// How opaque shaded ranges are.
const SHADE: f32 = 0.2;
/// Length of a dash; the gap after it is shorter.
const DASH: f32 = 8.0;

/// A sample of a mark with its label, as the legend shows it.
pub(super) fn draw_sample(canvas: &mut Canvas, mark: &Mark, left: f32, y: f32) {
    let strip = |half: f32| Area {
        left,
        top: y - half,
        right: left + SAMPLE,
        bottom: y + half,
    };
    let middle = left + SAMPLE / 2.0;
    match &mark.shape {
        Shape::Line(_) => canvas.fill(strip(CURVE / 2.0), mark.color, 1.0),
        Shape::Band(_) => {
            canvas.fill(strip(7.0), mark.color, SHADE);
            canvas.fill(strip(CURVE / 2.0), mark.color, 1.0);
        }
        Shape::Dots(_) => dot(canvas, (middle, y), mark.color, strip(DOT)),
        Shape::Errors(_) => {
            let stem = Area {
                left: middle - 1.0,
                right: middle + 1.0,
                ..strip(9.0)
            };
            canvas.fill(stem, mark.color, 1.0);
            dot(canvas, (middle, y), mark.color, strip(DOT));
        }
        Shape::Bars(..) | Shape::Heat(_) => canvas.fill(strip(6.0), mark.color, 1.0),
        Shape::Spans(_) => canvas.fill(strip(7.0), mark.color, SHADE),
        Shape::Spikes(_) => {
            for i in 0..3 {
                let left = left + 5.0 + 8.0 * i as f32;
                let right = left + 2.0;
                canvas.fill(
                    Area {
                        left,
                        right,
                        ..strip(7.0)
                    },
                    mark.color,
                    1.0,
                );
            }
        }
        Shape::Level(_) | Shape::Moment(_) => dashes(canvas, strip(1.0), mark.color),
    }
    let place = (left + SAMPLE + 8.0, y);
    canvas.text(&mark.label, place, style(NOTE, INK, Anchor::Start));
}

/// Draws a mark.
pub(super) fn draw_mark(canvas: &mut Canvas, frame: &Frame, mark: &Mark) {
    let (area, color) = (frame.area, mark.color);
    match &mark.shape {
        Shape::Line(points) => curve(canvas, frame, points.iter().copied(), color),
        Shape::Band(points) => {
            shade(canvas, frame, points, color);
            curve(canvas, frame, points.iter().map(|p| (p[0], p[1])), color);
        }
        Shape::Dots(points) => {
            let within = grown(area, DOT / 2.0);
            for place in points.iter().filter_map(|p| frame.point(*p)) {
                match points.len() > MANY {
                    true => round(canvas, place, SMALL_DOT, color, within),
                    false => dot(canvas, place, color, within),
                }
            }
        }
        Shape::Errors(points) => {
            for &[x, y, low, high] in points {
                let Some((x, y)) = frame.point((x, y)) else {
                    continue;
                };
                if let (Some(low), Some(high)) = (frame.y(low), frame.y(high)) {
                    let part = |left, top, right, bottom| {
                        Area {
                            left,
                            top,
                            right,
                            bottom,
                        }
                        .shared_with(&area)
                    };
                    canvas.fill(part(x - 1.0, high, x + 1.0, low), color, 1.0);
                    for end in [low, high] {
                        canvas.fill(part(x - 7.0, end - 1.0, x + 7.0, end + 1.0), color, 1.0);
                    }
                }
                dot(canvas, (x, y), color, grown(area, DOT / 2.0));
            }
        }
        Shape::Bars(edges, heights) => {
            let ground = frame.y(0.0).unwrap_or(area.bottom);
            for (edge, &height) in edges.windows(2).zip(heights) {
                let ends = (frame.x(edge[0]), frame.x(edge[1]), frame.y(height));
                let (Some(left), Some(right), Some(top)) = ends else {
                    continue;
                };
                let gap = if right - left > 6.0 { 0.5 } else { 0.0 };
                let bar = Area {
                    left: left + gap,
                    right: right - gap,
                    top: top.min(ground),
                    bottom: top.max(ground),
                };
                canvas.fill(bar.shared_with(&area), color, frame.bars);
            }
        }
        Shape::Spikes(points) => {
            for &(time, row) in points {
                let ends = (frame.x(time), frame.y(row), frame.y(row + 1.0));
                let (Some(x), Some(bottom), Some(top)) = ends else {
                    continue;
                };
                let inset = if bottom - top > 4.0 {
                    0.1 * (bottom - top)
                } else {
                    0.0
                };
                let middle = (top + bottom) / 2.0;
                let half = ((bottom - top) / 2.0 - inset).clamp(1.0, 9.0);
                let stroke = Area {
                    left: x - 1.0,
                    right: x + 1.0,
                    top: middle - half,
                    bottom: middle + half,
                };
                canvas.fill(stroke.shared_with(&area), color, 1.0);
            }
        }
        Shape::Level(value) => {
            if let Some(y) = frame.y(*value) {
                let strip = Area {
                    top: y - 1.0,
                    bottom: y + 1.0,
                    ..area
                };
                dashes(canvas, strip.shared_with(&area), color);
            }
        }
        Shape::Moment(value) => {
            if let Some(x) = frame.x(*value) {
                let strip = Area {
                    left: x - 1.0,
                    right: x + 1.0,
                    ..area
                };
                dashes(canvas, strip.shared_with(&area), color);
            }
        }
        Shape::Spans(ranges) => {
            for &[from, to] in ranges {
                if let (Some(left), Some(right)) = (frame.x(from), frame.x(to)) {
                    let span = Area {
                        left,
                        right,
                        ..area
                    };
                    canvas.fill(span.shared_with(&area), color, SHADE);
                }
            }
        }
        Shape::Heat(heat) => field(canvas, frame, heat),
    }
}

/// Joins points; one that cannot be drawn leaves a gap.
fn curve(
    canvas: &mut Canvas,
    frame: &Frame,
    points: impl Iterator<Item = (f64, f64)>,
    color: Color,
) {
    let mut part = Vec::new();
    for point in points {
        match frame.point(point) {
            Some(place) => part.push(place),
            None => {
                canvas.line(&part, CURVE, color, frame.area);
                part.clear();
            }
        }
    }
    canvas.line(&part, CURVE, color, frame.area);
}

/// Fills between low and high, column by column.
fn shade(canvas: &mut Canvas, frame: &Frame, points: &[[f64; 4]], color: Color) {
    let place = |p: &[f64; 4]| Some((frame.x(p[0])?, frame.y(p[2])?, frame.y(p[3])?));
    for pair in points.windows(2) {
        let (Some(a), Some(b)) = (place(&pair[0]), place(&pair[1])) else {
            continue;
        };
        let ends = (a.0.max(frame.area.left), b.0.min(frame.area.right));
        for column in ends.0.floor() as i64..ends.1.ceil() as i64 {
            let (left, right) = (ends.0.max(column as f32), ends.1.min(column as f32 + 1.0));
            let share = ((left + right) / 2.0 - a.0) / (b.0 - a.0);
            let (low, high) = (a.1 + share * (b.1 - a.1), a.2 + share * (b.2 - a.2));
            let strip = Area {
                left,
                right: right.max(left),
                top: high.min(low),
                bottom: low.max(high),
            };
            canvas.fill(strip.shared_with(&frame.area), color, SHADE);
        }
    }
}

/// A round dot with a thin light rim, so that dots on each other can be told apart.
fn dot(canvas: &mut Canvas, place: (f32, f32), color: Color, within: Area) {
    round(canvas, place, DOT + 2.0, WHITE, within);
    round(canvas, place, DOT, color, within);
}

fn round(canvas: &mut Canvas, (x, y): (f32, f32), diameter: f32, color: Color, within: Area) {
    let around = Area {
        left: x - diameter,
        top: y - diameter,
        right: x + diameter,
        bottom: y + diameter,
    };
    canvas.line(
        &[(x, y), (x, y)],
        diameter,
        color,
        around.shared_with(&within),
    );
}

/// Draws a strip as dashes along its longer side.
fn dashes(canvas: &mut Canvas, strip: Area, color: Color) {
    let across = strip.width() > strip.height();
    let (from, to) = match across {
        true => (strip.left, strip.right),
        false => (strip.top, strip.bottom),
    };
    let count = ((to - from) / (1.6 * DASH)).ceil().max(0.0) as u32;
    for i in 0..count {
        let start = from + 1.6 * DASH * i as f32;
        let end = (start + DASH).min(to);
        let dash = match across {
            true => Area {
                left: start,
                right: end,
                ..strip
            },
            false => Area {
                top: start,
                bottom: end,
                ..strip
            },
        };
        canvas.fill(dash, color, 1.0);
    }
}

/// Colours every pixel by the cell that its middle lies in.
fn field(canvas: &mut Canvas, frame: &Frame, heat: &Heat) {
    let [left, right, lower, upper] = heat.edges();
    let [from, to] = heat.ends();
    let (columns, rows) = (heat.columns, heat.rows());
    let corners = (
        frame.x(left),
        frame.x(right),
        frame.y(lower),
        frame.y(upper),
    );
    let (Some(x0), Some(x1), Some(y0), Some(y1)) = corners else {
        return;
    };
    if columns == 0 || rows == 0 {
        return;
    }
    let whole = Area {
        left: x0,
        top: y1,
        right: x1,
        bottom: y0,
    }
    .shared_with(&frame.area);
    for y in whole.top.round() as i64..whole.bottom.round() as i64 {
        let row = ((y0 - (y as f32 + 0.5)) / (y0 - y1) * rows as f32) as usize;
        for x in whole.left.round() as i64..whole.right.round() as i64 {
            let column = ((x as f32 + 0.5 - x0) / (x1 - x0) * columns as f32) as usize;
            let value = heat.values[row.min(rows - 1) * columns + column.min(columns - 1)];
            if value.is_finite() {
                let color = heat.palette.color((f64::from(value) - from) / (to - from));
                canvas.fill(pixel(x as f32, y as f32), color, 1.0);
            }
        }
    }
}

fn pixel(left: f32, top: f32) -> Area {
    Area {
        left,
        top,
        right: left + 1.0,
        bottom: top + 1.0,
    }
}

/// An area with a margin around it.
fn grown(area: Area, by: f32) -> Area {
    Area {
        left: area.left - by,
        top: area.top - by,
        right: area.right + by,
        bottom: area.bottom + by,
    }
}
