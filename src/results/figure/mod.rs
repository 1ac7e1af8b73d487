//! Scientific figures: curves with bands, points with error bars, histograms, spike rasters, heat maps.
//!
//! A [`Figure`] is a grid of [`Panel`]s under one title; a panel has two axes and any number of marks. Ranges, ticks, margins and the
//! legend follow from what is drawn. Values that are not finite leave a gap. The picture is a function of the figure only, so equal
//! figures give equal bytes.
//!
//! ```
//! use neuropil::results::figure::{Figure, Panel};
//!
//! let curve = |gain: f64| (0..50).map(|i| (f64::from(i), gain * f64::from(i).sqrt())).collect();
//! let panel = Panel::new("Learning")
//!     .x("trial", "")
//!     .y("rate", "Hz")
//!     .line("trained", curve(2.0))
//!     .line("untrained", curve(0.5))
//!     .level("published", 12.0);
//! let canvas = Figure::new("An example").panel(panel).draw();
//! assert!(canvas.png().is_ok());
//! ```
//!
//! Colours are those of the raster; heat maps are viridis (Smith & van der Walt, CC0) or, for signed values, blue through white to red.

mod axis;
mod draw;
mod heat;
mod marks;

pub use heat::{Heat, Palette};

use super::canvas::{Anchor, Area, Canvas, Color, TextStyle};
use super::raster::REGION_COLORS;
use axis::Axis;

/// The colour of axes and of most text.
const INK: Color = [38, 38, 38];
/// The colour of notes.
const FAINT: Color = [115, 115, 115];

// Sizes of text in pixels.
const TITLE: f32 = 30.0;
const PANEL_TITLE: f32 = 22.0;
const LABEL: f32 = 20.0;
const TICK: f32 = 18.0;
const NOTE: f32 = 16.0;

/// A picture of one or more panels.
#[derive(Clone, Debug)]
pub struct Figure {
    title: String,
    footnote: String,
    columns: usize,
    size: (u32, u32),
    panels: Vec<Panel>,
}

/// A plot with two axes.
#[derive(Clone, Debug)]
pub struct Panel {
    title: String,
    x: Axis,
    y: Axis,
    marks: Vec<Mark>,
}

/// Something drawn in a panel.
#[derive(Clone, Debug)]
struct Mark {
    label: String,
    color: Color,
    shape: Shape,
}

#[derive(Clone, Debug)]
enum Shape {
    /// Points joined by lines.
    Line(Vec<(f64, f64)>),
    /// (x, y, low, high): a line within a shaded range.
    Band(Vec<[f64; 4]>),
    /// Points by themselves.
    Dots(Vec<(f64, f64)>),
    /// (x, y, low, high): points with error bars.
    Errors(Vec<[f64; 4]>),
    /// Edges of bins, one more than there are heights.
    Bars(Vec<f64>, Vec<f64>),
    /// (time, row): upright strokes as high as a row.
    Spikes(Vec<(f64, f64)>),
    /// A dashed line across, at this y.
    Level(f64),
    /// A dashed line upright, at this x.
    Moment(f64),
    /// Shaded from one x to another, from bottom to top.
    Spans(Vec<[f64; 2]>),
    /// A field of colours.
    Heat(Heat),
}

impl Figure {
    /// A figure without panels; the title may be empty.
    pub fn new(title: impl Into<String>) -> Self {
        Self {
            title: title.into(),
            footnote: String::new(),
            columns: 2,
            size: (800, 560),
            panels: Vec::new(),
        }
    }

    /// A small line beneath, such as the seed.
    pub fn footnote(mut self, text: impl Into<String>) -> Self {
        self.footnote = text.into();
        self
    }

    /// How many panels stand side by side, at least 1; two unless said.
    pub fn columns(mut self, columns: usize) -> Self {
        self.columns = columns.max(1);
        self
    }

    /// The size of a panel with its labels, in pixels; 800 × 560 unless said.
    pub fn panel_size(mut self, width: u32, height: u32) -> Self {
        self.size = (width.max(200), height.max(150));
        self
    }

    /// Adds a panel.
    pub fn panel(mut self, panel: Panel) -> Self {
        self.panels.push(panel);
        self
    }

    /// Draws it.
    pub fn draw(&self) -> Canvas {
        let columns = self.columns.min(self.panels.len()).max(1);
        let rows = self.panels.len().div_ceil(columns).max(1);
        let head = if self.title.is_empty() { 12 } else { 64 };
        let foot = if self.footnote.is_empty() { 12 } else { 40 };
        let (width, height) = self.size;
        let mut canvas = Canvas::new(columns as u32 * width, head + rows as u32 * height + foot);
        let whole = canvas.area();
        let room = whole.right - 60.0;
        let length = canvas.text_width(&self.title, TITLE).max(1.0);
        let size = (TITLE * room / length).clamp(0.6 * TITLE, TITLE);
        let title = canvas.fitted(&self.title, size, room);
        canvas.text(&title, (30.0, 38.0), style(size, INK, Anchor::Start));
        let note = canvas.fitted(&self.footnote, NOTE, room);
        let place = (whole.right - 30.0, whole.bottom - 20.0);
        canvas.text(&note, place, style(NOTE, FAINT, Anchor::End));
        for (i, panel) in self.panels.iter().enumerate() {
            let (column, row) = ((i % columns) as u32, (i / columns) as u32);
            let (left, top) = ((column * width) as f32, (head + row * height) as f32);
            let cell = Area {
                left,
                top,
                right: left + width as f32,
                bottom: top + height as f32,
            };
            draw::panel(&mut canvas, panel, cell);
        }
        canvas
    }
}

impl Panel {
    /// A panel without marks; the title may be empty.
    pub fn new(title: impl Into<String>) -> Self {
        Self {
            title: title.into(),
            x: Axis::default(),
            y: Axis::default(),
            marks: Vec::new(),
        }
    }

    /// Names the x axis; the unit may be empty.
    pub fn x(mut self, label: &str, unit: &str) -> Self {
        self.x.name(label, unit);
        self
    }

    /// Names the y axis; the unit may be empty.
    pub fn y(mut self, label: &str, unit: &str) -> Self {
        self.y.name(label, unit);
        self
    }

    /// Shows this range of x.
    pub fn x_range(mut self, from: f64, to: f64) -> Self {
        self.x.range = Some([from, to]);
        self
    }

    /// Shows this range of y.
    pub fn y_range(mut self, from: f64, to: f64) -> Self {
        self.y.range = Some([from, to]);
        self
    }

    /// Makes the x axis logarithmic; values that are not positive are left out.
    pub fn log_x(mut self) -> Self {
        self.x.log = true;
        self
    }

    /// Makes the y axis logarithmic; values that are not positive are left out.
    pub fn log_y(mut self) -> Self {
        self.y.log = true;
        self
    }

    /// Puts names on the x axis, at 0, 1, 2 and so on.
    pub fn categories<'a>(mut self, names: impl IntoIterator<Item = &'a str>) -> Self {
        self.x.names = names.into_iter().map(str::to_owned).collect();
        self.x.range = Some([-0.5, self.x.names.len() as f64 - 0.5]);
        self
    }

    fn mark(mut self, label: &str, shape: Shape) -> Self {
        let plain = |m: &&Mark| !matches!(m.shape, Shape::Level(_) | Shape::Moment(_));
        let index = self.marks.iter().filter(plain).count();
        let color = match shape {
            Shape::Level(_) | Shape::Moment(_) => FAINT,
            _ => REGION_COLORS[index % REGION_COLORS.len()],
        };
        self.marks.push(Mark {
            label: label.into(),
            color,
            shape,
        });
        self
    }

    /// Gives the last mark another colour than its turn.
    pub fn color(mut self, color: Color) -> Self {
        if let Some(mark) = self.marks.last_mut() {
            mark.color = color;
        }
        self
    }

    /// Joins points by lines. Without a label, here and below, a mark is not in the legend.
    pub fn line(self, label: &str, points: Vec<(f64, f64)>) -> Self {
        self.mark(label, Shape::Line(points))
    }

    /// A line within a shaded range, such as a mean within ± SD: (x, y, low, high).
    pub fn band(self, label: &str, points: Vec<[f64; 4]>) -> Self {
        self.mark(label, Shape::Band(points))
    }

    /// Points by themselves.
    pub fn dots(self, label: &str, points: Vec<(f64, f64)>) -> Self {
        self.mark(label, Shape::Dots(points))
    }

    /// Points with error bars: (x, y, low, high).
    pub fn errors(self, label: &str, points: Vec<[f64; 4]>) -> Self {
        self.mark(label, Shape::Errors(points))
    }

    /// Bars between edges; there is one more edge than there are heights.
    pub fn bars(self, label: &str, edges: Vec<f64>, heights: Vec<f64>) -> Self {
        self.mark(label, Shape::Bars(edges, heights))
    }

    /// How many values fall into each of `bins` equal bins between `range`; values outside are left out.
    pub fn histogram(self, label: &str, values: &[f64], bins: usize, range: [f64; 2]) -> Self {
        let [low, high] = range;
        let bins = bins.max(1);
        let width = (high - low) / bins as f64;
        let mut counts = vec![0.0; bins];
        for &value in values.iter().filter(|v| (low..=high).contains(*v)) {
            let bin = ((value - low) / width) as usize;
            counts[bin.min(bins - 1)] += 1.0;
        }
        let edges = (0..=bins).map(|i| low + i as f64 * width).collect();
        self.bars(label, edges, counts)
    }

    /// Spikes as upright strokes: (time, neuron). Neurons are rows, with 0 at the bottom.
    pub fn spikes(self, label: &str, points: Vec<(f64, f64)>) -> Self {
        self.mark(label, Shape::Spikes(points))
    }

    /// A dashed line across the panel, such as a published value.
    pub fn level(self, label: &str, y: f64) -> Self {
        self.mark(label, Shape::Level(y))
    }

    /// A dashed upright line, such as the moment at which learning ends.
    pub fn moment(self, label: &str, x: f64) -> Self {
        self.mark(label, Shape::Moment(x))
    }

    /// Ranges of x shaded from bottom to top, such as presentations. The axis does not stretch for them; what is to be seen before them comes
    /// after them.
    pub fn spans(self, label: &str, ranges: Vec<[f64; 2]>) -> Self {
        self.mark(label, Shape::Spans(ranges))
    }

    /// A field of colours with its colour bar.
    pub fn heat(self, heat: Heat) -> Self {
        self.mark("", Shape::Heat(heat))
    }
}

/// Text that is read from left to right.
fn style(size: f32, color: Color, anchor: Anchor) -> TextStyle {
    TextStyle {
        size,
        color,
        anchor,
        upwards: false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::results::canvas::WHITE;

    fn colored(canvas: &Canvas, color: Color) -> Vec<(usize, usize)> {
        let whole = canvas.area();
        (0..whole.bottom as usize)
            .flat_map(|y| (0..whole.right as usize).map(move |x| (x, y)))
            .filter(|&(x, y)| canvas.pixel(x, y) == color)
            .collect()
    }

    fn one(panel: Panel) -> Canvas {
        Figure::new("").panel(panel).draw()
    }

    #[test]
    fn bars_are_as_high_as_what_they_count() {
        let values = [0.1, 0.2, 0.3, 1.5, 9.0];
        let panel = Panel::new("")
            .histogram("", &values, 2, [0.0, 2.0])
            .y_range(0.0, 4.0);
        let bars = colored(&one(panel), REGION_COLORS[0]);
        let columns: Vec<usize> = bars.iter().map(|p| p.0).collect();
        let (left, right) = (columns.iter().min().unwrap(), columns.iter().max().unwrap());
        let height = |x: usize| bars.iter().filter(|p| p.0 == x).count();
        let (first, second) = (
            height((3 * left + right) / 4),
            height((left + 3 * right) / 4),
        );
        // Three in the first bin, one in the second; the 9 is outside.
        assert!(
            (first as f32 / second as f32 - 3.0).abs() < 0.05,
            "{first} {second}"
        );
    }

    #[test]
    fn points_stand_where_their_axes_say() {
        let panel = Panel::new("").x_range(0.0, 10.0).y_range(0.0, 1.0);
        let centre = |panel: Panel| {
            let dots = colored(&one(panel), REGION_COLORS[0]);
            let n = dots.len() as f32;
            let sum = dots.iter().fold((0, 0), |s, p| (s.0 + p.0, s.1 + p.1));
            (sum.0 as f32 / n, sum.1 as f32 / n)
        };
        let at = |x, y| centre(panel.clone().dots("", vec![(x, y)]));
        let ((x0, y0), (x1, y1), (x2, y2)) = (at(2.0, 0.2), at(5.0, 0.5), at(8.0, 0.8));
        assert!((x1 - x0 - (x2 - x1)).abs() < 0.6 && x1 - x0 > 100.0);
        assert!((y0 - y1 - (y1 - y2)).abs() < 0.6 && y0 - y1 > 60.0);
        // On a logarithmic axis equal factors are equal distances.
        let log = Panel::new("")
            .x_range(1.0, 1000.0)
            .y_range(0.0, 1.0)
            .log_x();
        let at = |x| centre(log.clone().dots("", vec![(x, 0.5)])).0;
        assert!((at(10.0) - at(2.0) - (at(100.0) - at(20.0))).abs() < 0.6);
    }

    #[test]
    fn spans_are_shaded_where_they_are_and_nowhere_else() {
        let panel = Panel::new("").x_range(0.0, 10.0).y_range(0.0, 1.0);
        let bare = one(panel.clone());
        let shaded = one(panel.spans("", vec![[-3.0, 1.0], [5.0, 6.0]]));
        let whole = bare.area();
        let y = whole.bottom as usize / 2;
        let changed: Vec<usize> = (0..whole.right as usize)
            .filter(|&x| bare.pixel(x, y) != shaded.pixel(x, y))
            .collect();
        // Two of ten units, with a gap of four in between.
        let (first, last) = (changed[0], *changed.last().unwrap());
        let unit = changed.len() as f32 / 2.0;
        assert!(((last - first) as f32 / unit - 6.0).abs() < 0.1);
        assert!(unit > 60.0, "{unit}");
    }

    #[test]
    fn what_is_not_finite_or_outside_is_left_out() {
        let bad = vec![
            (f64::NAN, 1.0),
            (1.0, f64::INFINITY),
            (5.0, 0.5),
            (50.0, 0.5),
        ];
        let errors = bad.iter().map(|&(x, y)| [x, y, f64::NAN, y]).collect();
        let panel = Panel::new("")
            .x_range(0.0, 10.0)
            .y_range(0.0, 1.0)
            .line("a", bad.clone())
            .dots("b", bad.clone())
            .spikes("c", bad)
            .errors("d", errors)
            .spans("f", vec![[f64::NAN, 1.0], [-5.0, -1.0], [11.0, 12.0]])
            .bars("e", vec![f64::NAN, 1.0], vec![f64::INFINITY])
            .heat(Heat::new("", "", 0, vec![]))
            .heat(Heat::new("w", "", 2, vec![f32::NAN, 1.0]));
        assert!(!colored(&one(panel), REGION_COLORS[1]).is_empty());
        // Nothing to show, ranges without extent, axes without positive values: all are drawn.
        for panel in [
            Panel::new("empty"),
            Panel::new("same").line("", vec![(3.0, 7.0); 4]),
            Panel::new("log")
                .log_x()
                .log_y()
                .line("", vec![(-1.0, 0.0)]),
            Panel::new("reversed")
                .x_range(5.0, 1.0)
                .line("", vec![(2.0, 2.0)]),
        ] {
            assert!(!colored(&one(panel), INK).is_empty());
        }
    }

    #[test]
    fn heat_maps_have_the_colours_of_their_values() {
        let heat = Heat::new("w", "mV", 2, vec![0.0, 1.0, 1.0, 0.0]);
        let canvas = one(Panel::new("").heat(heat));
        let (low, high) = (Palette::Viridis.color(0.0), Palette::Viridis.color(1.0));
        // Two cells of each, and a little of the bar.
        let (a, b) = (colored(&canvas, low).len(), colored(&canvas, high).len());
        assert!(
            a > 10_000 && (a as f32 / b as f32 - 1.0).abs() < 0.1,
            "{a} {b}"
        );
        assert_eq!(canvas.pixel(0, 0), WHITE);
    }
}
