//! Traces as a figure for a file, on white, in the manner of `raster.png`.

use crate::results::canvas::{Anchor, Area, Canvas, Color, TextStyle};
use crate::results::quantities::ticks;
use crate::results::raster::REGION_COLORS;

const INK: Color = [38, 38, 38];
const FAINT: Color = [115, 115, 115];
const WIDTH: u32 = 1600;
const STRIP: u32 = 330;
const LEFT: f32 = 120.0;
const TEXT: f32 = 22.0;

/// One curve.
pub struct Curve {
    /// Its name in the legend.
    pub name: String,
    /// Its points: time in ms and value.
    pub points: Vec<(f64, f64)>,
}

/// Curves over one axis.
pub struct Strip {
    /// The name of the axis, with its unit.
    pub label: String,
    /// The curves, in the order of the legend.
    pub curves: Vec<Curve>,
}

/// Draws strips above each other on one time axis from `time.0` to `time.1` ms.
pub fn draw_traces(title: &str, time: (f64, f64), strips: &[Strip]) -> Canvas {
    let height = 150 + STRIP * strips.len().max(1) as u32;
    let mut canvas = Canvas::new(WIDTH, height);
    let right = WIDTH as f32 - 220.0;
    let style = |color, anchor| TextStyle {
        size: TEXT,
        color,
        anchor,
        upwards: false,
    };
    canvas.text(title, (LEFT, 34.0), style(INK, Anchor::Start));
    let span = (time.1 - time.0).max(1e-9);
    let x_at = |ms: f64| LEFT + ((ms - time.0) / span) as f32 * (right - LEFT);
    for (index, strip) in strips.iter().enumerate() {
        let top = 64.0 + index as f32 * STRIP as f32;
        let area = Area {
            left: LEFT,
            top,
            right,
            bottom: top + STRIP as f32 - 30.0,
        };
        let values = || {
            strip
                .curves
                .iter()
                .flat_map(|c| c.points.iter().map(|p| p.1 as f32))
        };
        let (low, high) = super::plot::span_of(values()).unwrap_or((0.0, 1.0));
        let y_at = |v: f64| area.bottom - ((v - low) / (high - low)) as f32 * area.height();
        for (value, text) in ticks(low, high, 5) {
            let y = y_at(value);
            let mark = Area {
                left: LEFT - 7.0,
                top: y - 0.5,
                right: LEFT,
                bottom: y + 0.5,
            };
            canvas.fill(mark, INK, 1.0);
            canvas.text(&text, (LEFT - 12.0, y), style(FAINT, Anchor::End));
        }
        canvas.text(
            &strip.label,
            (26.0, (area.top + area.bottom) / 2.0),
            TextStyle {
                upwards: true,
                ..style(INK, Anchor::Middle)
            },
        );
        for (number, curve) in strip.curves.iter().enumerate() {
            let color = REGION_COLORS[number % REGION_COLORS.len()];
            let points: Vec<(f32, f32)> = (curve.points.iter())
                .map(|&(ms, v)| (x_at(ms), y_at(v)))
                .collect();
            canvas.line(&points, 1.6, color, area);
            let y = area.top + 14.0 + number as f32 * 30.0;
            let key = Area {
                left: right + 12.0,
                top: y - 3.0,
                right: right + 32.0,
                bottom: y + 3.0,
            };
            canvas.fill(key, color, 1.0);
            let name = canvas.fitted(&curve.name, TEXT, 170.0);
            canvas.text(&name, (right + 40.0, y), style(INK, Anchor::Start));
        }
        frame(&mut canvas, area);
    }
    let bottom = 64.0 + strips.len().max(1) as f32 * STRIP as f32 - 30.0;
    for (value, text) in ticks(time.0, time.1, 8) {
        canvas.text(
            &text,
            (x_at(value), bottom + 20.0),
            style(FAINT, Anchor::Middle),
        );
        let mark = Area {
            left: x_at(value) - 0.5,
            top: bottom,
            right: x_at(value) + 0.5,
            bottom: bottom + 7.0,
        };
        canvas.fill(mark, INK, 1.0);
    }
    let middle = (LEFT + right) / 2.0;
    canvas.text(
        "time (ms)",
        (middle, bottom + 54.0),
        style(INK, Anchor::Middle),
    );
    canvas
}

/// The left and the lower edge of an area.
fn frame(canvas: &mut Canvas, area: Area) {
    let left = Area {
        right: area.left + 1.0,
        ..area
    };
    let bottom = Area {
        top: area.bottom - 1.0,
        ..area
    };
    canvas.fill(left, INK, 1.0);
    canvas.fill(bottom, INK, 1.0);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn curves_get_their_colours() {
        let curve = |offset: f64| Curve {
            name: "a 1".into(),
            points: (0..100)
                .map(|i| (f64::from(i), offset + (f64::from(i) * 0.1).sin()))
                .collect(),
        };
        let strips = [Strip {
            label: "v (mV)".into(),
            curves: vec![curve(0.0), curve(5.0)],
        }];
        let canvas = draw_traces("traces", (0.0, 100.0), &strips);
        let whole = canvas.area();
        for color in &REGION_COLORS[..2] {
            let found = (0..whole.height() as usize)
                .any(|y| (0..1300).any(|x| canvas.pixel(x, y) == *color));
            assert!(found, "{color:?}");
        }
        draw_traces("nothing", (0.0, 0.0), &[]);
    }
}
