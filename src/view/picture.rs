//! Pictures that are made of pixels: rasters, matrices, spectrograms.

use super::theme::Theme;
use bevy_egui::egui::{
    self, Align2, Color32, ColorImage, Rect, Stroke, StrokeKind, TextureHandle, TextureOptions, Ui,
    pos2, vec2,
};

/// The most pixels along one side.
pub const MOST_PIXELS: usize = 2048;

/// Passes after which a texture that was set can be painted: it reaches the graphics card one frame later.
const LATENCY: u64 = 2;

/// A picture on the graphics card that may change in every frame.
///
/// A texture that is set shows nothing until it has reached the card, so a picture that changed in every frame would never be seen. Three
/// textures take turns; painted is the newest that has arrived, with the stretch of the horizontal axis that it shows.
#[derive(Default)]
pub struct Picture {
    textures: [Option<Shown>; 3],
    next: usize,
}

struct Shown {
    texture: TextureHandle,
    set_at: u64,
    range: (f64, f64),
}

impl Picture {
    /// Shows these pixels, which stand for `range` of the horizontal axis, from now on.
    pub fn set(&mut self, ui: &Ui, image: ColorImage, range: (f64, f64), options: TextureOptions) {
        let set_at = ui.ctx().cumulative_frame_nr();
        match &mut self.textures[self.next] {
            Some(shown) => {
                shown.texture.set(image, options);
                (shown.set_at, shown.range) = (set_at, range);
            }
            none => {
                let texture = ui.ctx().load_texture("picture", image, options);
                *none = Some(Shown {
                    texture,
                    set_at,
                    range,
                });
            }
        }
        self.next = (self.next + 1) % self.textures.len();
    }

    /// Paints the picture over a rectangle that shows `range` of the horizontal axis. Answers what is painted of that axis: an older
    /// stretch while the newest picture is on its way.
    pub fn paint(&self, ui: &Ui, rect: Rect, range: (f64, f64)) -> Option<(f64, f64)> {
        let now = ui.ctx().cumulative_frame_nr();
        let there = |shown: &&Shown| shown.set_at + LATENCY <= now;
        let newest = self.textures.iter().flatten();
        if newest.clone().any(|shown| !there(&shown)) {
            ui.ctx().request_repaint();
        }
        let shown = newest.filter(there).max_by_key(|shown| shown.set_at)?;
        let at = |value: f64| {
            let share = (value - range.0) / (range.1 - range.0);
            rect.left() + share as f32 * rect.width()
        };
        let (left, right) = (at(shown.range.0), at(shown.range.1));
        if !(left.is_finite() && right.is_finite() && right > left) {
            return None;
        }
        let place = Rect::from_min_max(pos2(left, rect.top()), pos2(right, rect.bottom()));
        let whole = Rect::from_min_max(pos2(0.0, 0.0), pos2(1.0, 1.0));
        let painter = ui.painter().with_clip_rect(rect.intersect(ui.clip_rect()));
        painter.image(shown.texture.id(), place, whole, Color32::WHITE);
        Some(shown.range)
    }
}

/// A picture under construction, to whose pixels colours are added.
pub struct Pixels {
    /// Pixels along x and y, at least 1.
    pub size: [usize; 2],
    colors: Vec<Color32>,
}

impl Pixels {
    /// An empty picture for a rectangle of the screen.
    pub fn for_rect(rect: Rect, pixels_per_point: f32) -> Self {
        let side = |points: f32| {
            let pixels = (points * pixels_per_point).round();
            if pixels >= 1.0 {
                (pixels as usize).min(MOST_PIXELS)
            } else {
                1
            }
        };
        Self::new([side(rect.width()), side(rect.height())])
    }

    /// An empty picture.
    pub fn new(size: [usize; 2]) -> Self {
        Self {
            size,
            colors: vec![Color32::TRANSPARENT; size[0] * size[1]],
        }
    }

    /// Adds a colour to a pixel; where much is added it becomes brighter, up to white.
    #[inline]
    pub fn add(&mut self, x: usize, y: usize, color: Color32) {
        if x < self.size[0]
            && let Some(pixel) = self.colors.get_mut(y * self.size[0] + x)
        {
            *pixel = *pixel + color;
        }
    }

    /// Gives a pixel a colour.
    #[inline]
    pub fn put(&mut self, x: usize, y: usize, color: Color32) {
        if x < self.size[0]
            && let Some(pixel) = self.colors.get_mut(y * self.size[0] + x)
        {
            *pixel = color;
        }
    }

    /// The colour of a pixel; nothing outside.
    pub fn color(&self, x: usize, y: usize) -> Color32 {
        (self.colors.get(y * self.size[0] + x).copied()).unwrap_or(Color32::TRANSPARENT)
    }

    /// The finished picture.
    pub fn image(self) -> ColorImage {
        ColorImage::new(self.size, self.colors)
    }
}

/// How values become colours.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Scale {
    /// The value at the start of the colour map.
    pub from: f64,
    /// The value at its end.
    pub to: f64,
    /// Whether 0 is in the middle: less is inhibitory, more is excitatory.
    pub signed: bool,
}

impl Scale {
    /// The scale of these values: with 0 in the middle if there are both signs, else from the least to the largest.
    pub fn of(values: &[f32]) -> Self {
        let (mut low, mut high) = (f32::INFINITY, f32::NEG_INFINITY);
        for &value in values.iter().filter(|v| v.is_finite()) {
            low = low.min(value);
            high = high.max(value);
        }
        let (low, high) = if low <= high {
            (f64::from(low), f64::from(high))
        } else {
            (0.0, 1.0)
        };
        if low < 0.0 && high > 0.0 {
            let end = high.max(-low);
            return Self {
                from: -end,
                to: end,
                signed: true,
            };
        }
        // Weights of one size only: their colour is that of the largest.
        let (from, to) = match (low < high, high > 0.0) {
            (true, _) => (low, high),
            (false, true) => (0.0, high),
            (false, false) => (low, low.abs().max(1e-9) + low),
        };
        Self {
            from,
            to,
            signed: false,
        }
    }

    /// The colour of a value.
    pub fn color(&self, value: f32, theme: &Theme) -> Color32 {
        if !value.is_finite() {
            return Color32::TRANSPARENT;
        }
        let share = ((f64::from(value) - self.from) / (self.to - self.from)) as f32;
        if !self.signed {
            return theme.mapped(share);
        }
        let middle = if theme.dark {
            Color32::from_gray(30)
        } else {
            Color32::from_gray(245)
        };
        let strength = (2.0 * share - 1.0).clamp(-1.0, 1.0);
        let end = if strength < 0.0 {
            theme.inhibitory
        } else {
            theme.excitatory
        };
        middle.lerp_to_gamma(end, strength.abs())
    }

    /// Paints the scale as an upright bar with the values at its ends (and 0 in the middle of a signed one) to its right.
    pub fn paint(&self, ui: &Ui, bar: Rect, theme: &Theme, shown: impl Fn(f64) -> String) {
        const STRIPES: usize = 64;
        let painter = ui.painter();
        let height = bar.height() / STRIPES as f32;
        for stripe in 0..STRIPES {
            let share = (stripe as f64 + 0.5) / STRIPES as f64;
            let value = self.from + share * (self.to - self.from);
            let bottom = bar.bottom() - stripe as f32 * height;
            let area = Rect::from_min_max(
                pos2(bar.left(), bottom - height - 0.5),
                pos2(bar.right(), bottom),
            );
            painter.rect_filled(area, 0.0, self.color(value as f32, theme));
        }
        let edge = Stroke::new(1.0, ui.visuals().weak_text_color());
        painter.rect_stroke(bar, 0.0, edge, StrokeKind::Outside);
        let font = super::plot::small(ui);
        let ink = ui.visuals().text_color();
        let mut marks = vec![
            (self.to, bar.top(), Align2::LEFT_TOP),
            (self.from, bar.bottom(), Align2::LEFT_BOTTOM),
        ];
        if self.signed && bar.height() > 50.0 {
            marks.push((0.0, bar.center().y, Align2::LEFT_CENTER));
        }
        for (value, y, anchor) in marks {
            let at = egui::Pos2::new(bar.right(), y) + vec2(4.0, 0.0);
            painter.text(at, anchor, shown(value), font.clone(), ink);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scales_of_both_signs_have_zero_in_the_middle() {
        let scale = Scale::of(&[-3.0, f32::NAN, 1.0]);
        assert_eq!((scale.from, scale.to, scale.signed), (-3.0, 3.0, true));
        let theme = Theme::default();
        assert_eq!(scale.color(-3.0, &theme), theme.inhibitory);
        assert_eq!(scale.color(3.0, &theme), theme.excitatory);
        assert_eq!(scale.color(f32::NAN, &theme), Color32::TRANSPARENT);
    }

    #[test]
    fn scales_of_one_value_or_none_have_an_extent() {
        for values in [&[][..], &[0.0], &[2.0, 2.0], &[-2.0, -2.0]] {
            let scale = Scale::of(values);
            assert!(scale.to > scale.from && !scale.signed, "{values:?}");
        }
    }

    #[test]
    fn colours_add_up_and_nothing_is_drawn_outside() {
        let mut pixels = Pixels::new([3, 2]);
        let color = Color32::from_rgba_premultiplied(100, 50, 0, 100);
        for _ in 0..4 {
            pixels.add(2, 1, color);
            pixels.add(3, 0, color);
            pixels.add(0, 2, color);
        }
        assert_eq!(
            pixels.color(2, 1),
            Color32::from_rgba_premultiplied(255, 200, 0, 255)
        );
        let image = pixels.image();
        let lit = |c: &&Color32| **c != Color32::TRANSPARENT;
        assert_eq!(image.pixels.iter().filter(lit).count(), 1);
        let empty = Rect::from_min_max(pos2(5.0, 5.0), pos2(5.0, -20.0));
        assert_eq!(Pixels::for_rect(empty, 1.0).size, [1, 1]);
    }
}
