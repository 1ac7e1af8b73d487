//! A picture made of boxes, lines and text, with soft edges, and its PNG bytes.
//!
//! Coordinates are pixels with fractions, x to the right and y down; (0, 0) is the outer corner of the first
//! pixel. Everything is drawn in plain arithmetic in a fixed order and the font travels inside the program, so
//! equal drawings give equal bytes on every machine.
//!
//! The font is Ubuntu Light (Ubuntu Font Licence 1.0), from the crate `epaint_default_fonts`.

use ab_glyph::{Font, FontRef, ScaleFont, point};
use std::io;

/// Red, green and blue.
pub type Color = [u8; 3];

/// White.
pub const WHITE: Color = [255; 3];

/// An area of the picture.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Area {
    /// Left edge.
    pub left: f32,
    /// Upper edge.
    pub top: f32,
    /// Right edge.
    pub right: f32,
    /// Lower edge.
    pub bottom: f32,
}

/// Which point of a text is put at the given place; always on the middle of its height.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Anchor {
    /// The beginning.
    Start,
    /// The middle.
    Middle,
    /// The end.
    End,
}

/// How a text is drawn.
#[derive(Clone, Copy, Debug)]
pub struct TextStyle {
    /// Height of a line in pixels.
    pub size: f32,
    /// Colour of the letters.
    pub color: Color,
    /// Which point of the text is placed.
    pub anchor: Anchor,
    /// Read from bottom to top instead of from left to right.
    pub upwards: bool,
}

/// A picture.
#[derive(Clone)]
pub struct Canvas {
    width: usize,
    height: usize,
    pixels: Vec<u8>,
    font: FontRef<'static>,
}

impl Area {
    /// Distance from left to right.
    pub fn width(&self) -> f32 {
        self.right - self.left
    }

    /// Distance from top to bottom.
    pub fn height(&self) -> f32 {
        self.bottom - self.top
    }

    /// The part that both areas share; empty if there is none.
    pub fn shared_with(&self, other: &Self) -> Self {
        let (left, top) = (self.left.max(other.left), self.top.max(other.top));
        Self {
            left,
            top,
            right: self.right.min(other.right).max(left),
            bottom: self.bottom.min(other.bottom).max(top),
        }
    }
}

impl Canvas {
    /// A white picture. Sizes are kept within 1 to 16,384 pixels.
    pub fn new(width: u32, height: u32) -> Self {
        const LARGEST: u32 = 16_384;
        let width = width.clamp(1, LARGEST) as usize;
        let height = height.clamp(1, LARGEST) as usize;
        Self {
            width,
            height,
            pixels: vec![WHITE[0]; width * height * 3],
            font: FontRef::try_from_slice(epaint_default_fonts::UBUNTU_LIGHT)
                .expect("the font inside the program is sound"),
        }
    }

    /// The whole picture.
    pub fn area(&self) -> Area {
        Area {
            left: 0.0,
            top: 0.0,
            right: self.width as f32,
            bottom: self.height as f32,
        }
    }

    /// Colour of a pixel.
    pub fn pixel(&self, x: usize, y: usize) -> Color {
        let at = (y * self.width + x) * 3;
        [self.pixels[at], self.pixels[at + 1], self.pixels[at + 2]]
    }

    /// Fills an area; `opacity` is 0 to 1. Pixels that are covered in part are coloured in part.
    #[inline]
    pub fn fill(&mut self, area: Area, color: Color, opacity: f32) {
        let area = area.shared_with(&self.area());
        let covered = |from: f32, to: f32, pixel: usize| {
            let pixel = pixel as f32;
            to.min(pixel + 1.0) - from.max(pixel)
        };
        for y in area.top as usize..area.bottom.ceil() as usize {
            let share = opacity * covered(area.top, area.bottom, y);
            for x in area.left as usize..area.right.ceil() as usize {
                let share = share * covered(area.left, area.right, x);
                blend(&mut self.pixels, (y * self.width + x) * 3, color, share);
            }
        }
    }

    /// Draws a line through points, `width` pixels wide, within an area.
    ///
    /// Where the line crosses itself it is not darker than elsewhere.
    pub fn line(&mut self, points: &[(f32, f32)], width: f32, color: Color, within: Area) {
        let within = within.shared_with(&self.area());
        let (left, top) = (within.left as usize, within.top as usize);
        let columns = within.right.ceil() as usize - left;
        let rows = within.bottom.ceil() as usize - top;
        let mut coverage = vec![0_f32; columns * rows];
        let reach = width / 2.0 + 0.5;
        for pair in points.windows(2) {
            let [(x0, y0), (x1, y1)] = [pair[0], pair[1]];
            let (dx, dy) = (x1 - x0, y1 - y0);
            let length_squared = (dx * dx + dy * dy).max(1e-12);
            let span = |a: f32, b: f32, from: usize, count: usize| {
                let first = (a.min(b) - reach - from as f32).max(0.0) as usize;
                let last = (a.max(b) + reach - from as f32).max(0.0).ceil() as usize;
                first.min(count)..last.min(count)
            };
            for row in span(y0, y1, top, rows) {
                let y = (top + row) as f32 + 0.5 - y0;
                for column in span(x0, x1, left, columns) {
                    let x = (left + column) as f32 + 0.5 - x0;
                    // Distance from the middle of the pixel to the nearest point of the segment.
                    let along = ((x * dx + y * dy) / length_squared).clamp(0.0, 1.0);
                    let (x, y) = (x - along * dx, y - along * dy);
                    let here = (reach - (x * x + y * y).sqrt()).clamp(0.0, 1.0);
                    let there = &mut coverage[row * columns + column];
                    *there = there.max(here);
                }
            }
        }
        for (row, shares) in coverage.chunks_exact(columns.max(1)).enumerate() {
            let start = ((top + row) * self.width + left) * 3;
            for (column, &share) in shares.iter().enumerate() {
                blend(&mut self.pixels, start + column * 3, color, share);
            }
        }
    }

    /// Writes a text at a place.
    pub fn text(&mut self, text: &str, (x, y): (f32, f32), style: TextStyle) {
        let font = self.font.clone();
        let scaled = font.as_scaled(style.size);
        let shift = match style.anchor {
            Anchor::Start => 0.0,
            Anchor::Middle => -0.5 * self.text_width(text, style.size),
            Anchor::End => -self.text_width(text, style.size),
        };
        // Capitals reach about two thirds of the ascent.
        let baseline = 0.37 * scaled.ascent();
        let (mut pen, mut last) = (shift, None);
        for letter in text.chars() {
            let id = font.glyph_id(letter);
            pen += last.map_or(0.0, |last| scaled.kern(last, id));
            // Letters that run upwards are drawn lying and turned pixel by pixel, so they start on a
            // whole pixel; the others may start anywhere.
            let place = match style.upwards {
                true => point(pen, baseline),
                false => point(x + pen, y + baseline),
            };
            if let Some(outline) = font.outline_glyph(id.with_scale_and_position(style.size, place))
            {
                let bounds = outline.px_bounds();
                outline.draw(|column, row, share| {
                    let (u, v) = (bounds.min.x + column as f32, bounds.min.y + row as f32);
                    let (px, py) = match style.upwards {
                        true => (x.round() + v, y.round() - u - 1.0),
                        false => (u, v),
                    };
                    if px >= 0.0 && py >= 0.0 && px < self.width as f32 && py < self.height as f32 {
                        let at = (py as usize * self.width + px as usize) * 3;
                        // A light font on white: strengthen the thin strokes.
                        let share = share.min(1.0);
                        blend(
                            &mut self.pixels,
                            at,
                            style.color,
                            share * (1.4 - 0.4 * share),
                        );
                    }
                });
            }
            pen += scaled.h_advance(id);
            last = Some(id);
        }
    }

    /// Length of a text in pixels.
    pub fn text_width(&self, text: &str, size: f32) -> f32 {
        let scaled = self.font.as_scaled(size);
        let (mut width, mut last) = (0.0, None);
        for letter in text.chars() {
            let id = self.font.glyph_id(letter);
            width += last.map_or(0.0, |last| scaled.kern(last, id)) + scaled.h_advance(id);
            last = Some(id);
        }
        width
    }

    /// The text, or its beginning and an ellipsis if it is longer than `width` pixels.
    pub fn fitted(&self, text: &str, size: f32, width: f32) -> String {
        if self.text_width(text, size) <= width {
            return text.to_owned();
        }
        let mut letters: Vec<char> = text.chars().take(1_000).collect();
        while letters.pop().is_some() {
            let shorter = letters.iter().collect::<String>().trim_end().to_owned() + "…";
            if self.text_width(&shorter, size) <= width {
                return shorter;
            }
        }
        String::new()
    }

    /// The picture as a PNG file.
    pub fn png(&self) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        let mut encoder = png::Encoder::new(&mut bytes, self.width as u32, self.height as u32);
        encoder.set_color(png::ColorType::Rgb);
        encoder.set_depth(png::BitDepth::Eight);
        let mut writer = encoder.write_header().map_err(io::Error::other)?;
        writer
            .write_image_data(&self.pixels)
            .map_err(io::Error::other)?;
        writer.finish().map_err(io::Error::other)?;
        Ok(bytes)
    }
}

/// Mixes a share, 0 to 1, of a colour into the pixel that starts at byte `at`.
#[inline(always)]
fn blend(pixels: &mut [u8], at: usize, color: Color, share: f32) {
    if share <= 0.0 {
        return;
    }
    // In 256ths, so that a full share replaces the colour.
    let share = (share * 256.0 + 0.5) as i32;
    for (pixel, wanted) in pixels[at..at + 3].iter_mut().zip(color) {
        let now = i32::from(*pixel);
        *pixel = (now + (((i32::from(wanted) - now) * share + 128) >> 8)) as u8;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BLACK: Color = [0; 3];

    fn area(left: f32, top: f32, right: f32, bottom: f32) -> Area {
        Area {
            left,
            top,
            right,
            bottom,
        }
    }

    /// Sum of the darkness of all pixels, 1 for a black one.
    fn ink(canvas: &Canvas) -> f32 {
        canvas
            .pixels
            .iter()
            .map(|&p| f32::from(255 - p))
            .sum::<f32>()
            / 765.0
    }

    fn style(size: f32, anchor: Anchor, upwards: bool) -> TextStyle {
        TextStyle {
            size,
            color: BLACK,
            anchor,
            upwards,
        }
    }

    /// Columns and rows that hold any ink.
    fn extent(canvas: &Canvas) -> (std::ops::Range<usize>, std::ops::Range<usize>) {
        let dark = |x, y| canvas.pixel(x, y) != WHITE;
        let columns = (0..canvas.width).filter(|&x| (0..canvas.height).any(|y| dark(x, y)));
        let rows = (0..canvas.height).filter(|&y| (0..canvas.width).any(|x| dark(x, y)));
        let (columns, rows): (Vec<_>, Vec<_>) = (columns.collect(), rows.collect());
        (
            columns[0]..columns[columns.len() - 1] + 1,
            rows[0]..rows[rows.len() - 1] + 1,
        )
    }

    #[test]
    fn fill_covers_its_area_and_shares_of_the_edge_pixels() {
        let mut canvas = Canvas::new(8, 8);
        canvas.fill(area(1.0, 2.0, 3.5, 4.0), BLACK, 1.0);
        assert_eq!(canvas.pixel(1, 2), BLACK);
        assert_eq!(canvas.pixel(3, 3), [128; 3]);
        assert_eq!(canvas.pixel(4, 3), WHITE);
        assert_eq!(canvas.pixel(1, 4), WHITE);
        assert!((ink(&canvas) - 5.0).abs() < 0.02);
    }

    #[test]
    fn nothing_is_drawn_outside() {
        let mut canvas = Canvas::new(10, 10);
        let everywhere = area(-1e9, -1e9, 1e9, 1e9);
        canvas.fill(area(-5.0, -5.0, -1.0, -1.0), BLACK, 1.0);
        canvas.fill(area(20.0, 20.0, 30.0, 30.0), BLACK, 1.0);
        canvas.line(&[(-5.0, -5.0), (-1.0, 20.0)], 1.0, BLACK, everywhere);
        canvas.text("outside", (50.0, 50.0), style(12.0, Anchor::Start, false));
        assert_eq!(ink(&canvas), 0.0);
        canvas.fill(everywhere, BLACK, 1.0);
        assert_eq!(ink(&canvas), 100.0);
    }

    #[test]
    fn line_has_its_width_and_crossings_are_no_darker() {
        let mut canvas = Canvas::new(40, 40);
        let whole = canvas.area();
        canvas.line(&[(5.0, 20.0), (35.0, 20.0)], 2.0, BLACK, whole);
        // 30 pixels long, 2 wide, and two soft round ends.
        assert!((60.0..66.0).contains(&ink(&canvas)), "{}", ink(&canvas));
        let once = ink(&canvas);
        let mut canvas = Canvas::new(40, 40);
        canvas.line(&[(5.0, 20.0), (35.0, 20.0), (5.0, 20.0)], 2.0, BLACK, whole);
        assert_eq!(ink(&canvas), once);
        let mut canvas = Canvas::new(40, 40);
        canvas.line(
            &[(5.0, 5.0), (35.0, 35.0)],
            2.0,
            BLACK,
            area(0.0, 0.0, 20.0, 20.0),
        );
        assert_eq!(extent(&canvas).0.end, 20);
    }

    #[test]
    fn text_stands_where_its_anchor_says() {
        for (anchor, from) in [
            (Anchor::Start, 100.0),
            (Anchor::Middle, 0.5),
            (Anchor::End, 1.0),
        ] {
            let mut canvas = Canvas::new(200, 60);
            let width = canvas.text_width("HEH", 24.0);
            canvas.text("HEH", (100.0, 30.0), style(24.0, anchor, false));
            let (columns, rows) = extent(&canvas);
            let left = 100.0
                - if anchor == Anchor::Start {
                    0.0
                } else {
                    from * width
                };
            assert!(
                (columns.start as f32 - left).abs() < 4.0,
                "{anchor:?} {columns:?}"
            );
            assert!(
                (columns.end as f32 - left - width).abs() < 4.0,
                "{anchor:?} {columns:?}"
            );
            let middle = (rows.start + rows.end) as f32 / 2.0;
            assert!((middle - 30.0).abs() < 1.5, "{rows:?}");
        }
    }

    #[test]
    fn upward_text_is_the_same_text_turned() {
        let mut lying = Canvas::new(100, 100);
        lying.text("rate", (20.0, 50.0), style(24.0, Anchor::Start, false));
        let mut standing = Canvas::new(100, 100);
        standing.text("rate", (50.0, 80.0), style(24.0, Anchor::Start, true));
        assert!(ink(&lying) > 10.0);
        assert!((ink(&lying) - ink(&standing)).abs() < 0.1 * ink(&lying));
        let ((columns, rows), (turned_columns, turned_rows)) = (extent(&lying), extent(&standing));
        assert!(columns.len().abs_diff(turned_rows.len()) <= 1);
        assert!(rows.len().abs_diff(turned_columns.len()) <= 1);
        assert!(turned_rows.end <= 80);
    }

    #[test]
    fn long_text_ends_in_an_ellipsis() {
        let canvas = Canvas::new(10, 10);
        assert_eq!(canvas.fitted("short", 20.0, 100.0), "short");
        let fitted = canvas.fitted("a rather long text", 20.0, 100.0);
        assert!(
            fitted.ends_with('…') && fitted.starts_with("a rat"),
            "{fitted}"
        );
        assert!(canvas.text_width(&fitted, 20.0) <= 100.0);
        assert_eq!(canvas.fitted("text", 20.0, 1.0), "");
    }

    #[test]
    fn png_holds_the_pixels() {
        let mut canvas = Canvas::new(30, 20);
        canvas.fill(area(3.0, 3.0, 9.5, 9.0), [200, 10, 60], 0.7);
        let bytes = canvas.png().unwrap();
        let mut reader = png::Decoder::new(io::Cursor::new(&bytes))
            .read_info()
            .unwrap();
        let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
        let info = reader.next_frame(&mut pixels).unwrap();
        assert_eq!((info.width, info.height), (30, 20));
        assert_eq!(pixels, canvas.pixels);
        assert_eq!(bytes, canvas.png().unwrap());
    }
}
