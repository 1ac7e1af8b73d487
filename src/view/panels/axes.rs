//! Axes, textures and numbers that several panels draw.

use bevy_egui::egui::{
    Align2, Color32, ColorImage, Context, FontId, Painter, Pos2, Rect, Stroke, TextStyle,
    TextureHandle, TextureOptions, Ui, pos2, vec2,
};

/// Where values lie on the screen.
#[derive(Clone, Copy, Debug)]
pub(super) struct Axes {
    /// The area of the data.
    pub rect: Rect,
    /// The values at its left and right.
    pub x: (f64, f64),
    /// The values at its bottom and top.
    pub y: (f64, f64),
}

impl Axes {
    /// The horizontal place of a value.
    pub fn left(&self, x: f64) -> f32 {
        self.rect.left() + self.rect.width() * part(x, self.x)
    }

    /// The vertical place of a value.
    pub fn top(&self, y: f64) -> f32 {
        self.rect.bottom() - self.rect.height() * part(y, self.y)
    }

    /// The values at a place.
    pub fn values(&self, at: Pos2) -> (f64, f64) {
        let across = f64::from((at.x - self.rect.left()) / self.rect.width().max(1.0));
        let up = f64::from((self.rect.bottom() - at.y) / self.rect.height().max(1.0));
        (
            self.x.0 + across * (self.x.1 - self.x.0),
            self.y.0 + up * (self.y.1 - self.y.0),
        )
    }

    /// Draws the horizontal axis with its label below the data.
    pub fn draw_x(&self, ui: &Ui, painter: &Painter, label: &str, numbers: bool) {
        let (font, ink, line) = style(ui);
        let most = (self.rect.width() / 70.0) as usize;
        for tick in ticks(self.x.0, self.x.1, most) {
            let x = self.left(tick);
            painter.vline(x, self.rect.y_range(), line);
            if numbers {
                let at = pos2(x, self.rect.bottom() + 2.0);
                painter.text(at, Align2::CENTER_TOP, number(tick), font.clone(), ink);
            }
        }
        if numbers {
            let at = pos2(
                self.rect.center().x,
                self.rect.bottom() + 4.0 + font.size * 1.2,
            );
            painter.text(at, Align2::CENTER_TOP, label, font, ink);
        }
    }

    /// Draws the vertical axis, its numbers left of the data and its label over it.
    pub fn draw_y(&self, ui: &Ui, painter: &Painter, label: &str) {
        let (font, ink, line) = style(ui);
        let most = (self.rect.height() / 28.0) as usize;
        for tick in ticks(self.y.0.min(self.y.1), self.y.0.max(self.y.1), most) {
            let y = self.top(tick);
            painter.hline(self.rect.x_range(), y, line);
            let at = pos2(self.rect.left() - 4.0, y);
            painter.text(at, Align2::RIGHT_CENTER, number(tick), font.clone(), ink);
        }
        let at = self.rect.left_top() + vec2(4.0, 2.0);
        painter.text(at, Align2::LEFT_TOP, label, font, ink);
    }
}

fn part(value: f64, (from, to): (f64, f64)) -> f32 {
    match to == from {
        true => 0.0,
        false => ((value - from) / (to - from)) as f32,
    }
}

/// The font, the ink and the grid lines of axes.
pub(super) fn style(ui: &Ui) -> (FontId, Color32, Stroke) {
    let visuals = ui.visuals();
    (
        TextStyle::Small.resolve(ui.style()),
        visuals.text_color(),
        Stroke::new(0.5, visuals.weak_text_color().gamma_multiply(0.4)),
    )
}

/// Round values between two, at most so many.
pub(super) fn ticks(from: f64, to: f64, most: usize) -> Vec<f64> {
    let span = to - from;
    if !(span > 0.0 && span.is_finite() && from.is_finite()) || most == 0 {
        return Vec::new();
    }
    let raw = span / most as f64;
    let power = libm::pow(10.0, libm::floor(libm::log10(raw)));
    let step = [1.0, 2.0, 5.0, 10.0]
        .map(|s| s * power)
        .into_iter()
        .find(|s| *s >= raw)
        .unwrap_or(raw);
    let first = libm::ceil(from / step);
    (0..=most + 1)
        .map(|i| (first + i as f64) * step)
        .take_while(|v| *v <= to + step * 1e-9)
        // No minus zero.
        .map(|v| libm::round(v / step) * step + 0.0)
        .collect()
}

/// A number in few digits.
pub(super) fn number(value: f64) -> String {
    let size = value.abs();
    if value == 0.0 {
        "0".into()
    } else if !value.is_finite() {
        value.to_string()
    } else if !(1e-3..1e7).contains(&size) {
        format!("{value:.2e}")
    } else {
        let digits = (3 - libm::floor(libm::log10(size)) as i32).clamp(0, 6) as usize;
        let text = format!("{value:.digits$}");
        match text.contains('.') {
            true => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
            false => text,
        }
    }
}

/// Puts an image into a texture, made on first use.
pub(super) fn set_texture(
    texture: &mut Option<TextureHandle>,
    ctx: &Context,
    name: &str,
    image: ColorImage,
) {
    match texture {
        Some(texture) => texture.set(image, TextureOptions::NEAREST),
        None => *texture = Some(ctx.load_texture(name, image, TextureOptions::NEAREST)),
    }
}

/// Draws a texture over a rectangle.
pub(super) fn draw_texture(painter: &Painter, texture: Option<&TextureHandle>, rect: Rect) {
    if let Some(texture) = texture {
        let whole = Rect::from_min_max(Pos2::ZERO, pos2(1.0, 1.0));
        painter.image(texture.id(), rect, whole, Color32::WHITE);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_and_numbers_short() {
        assert_eq!(
            ticks(0.0, 1.0, 5),
            [0.0, 0.2, 0.4, 0.6000000000000001, 0.8, 1.0]
        );
        assert_eq!(number(0.1 + 0.2), "0.3");
        assert_eq!(number(1500.0), "1500");
        assert!(ticks(1.0, 1.0, 5).is_empty());
        assert!(ticks(f64::NAN, 1.0, 5).is_empty());
    }
}
