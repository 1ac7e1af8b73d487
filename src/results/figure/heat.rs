//! Heat maps: a table of numbers as a field of colours.

use crate::results::canvas::Color;

/// A table of numbers as colours. Row 0 is at the bottom; cells are one wide and high unless an extent is given.
#[derive(Clone, Debug)]
pub struct Heat {
    pub(super) title: String,
    pub(super) columns: usize,
    pub(super) values: Vec<f32>,
    pub(super) extent: Option<[f64; 4]>,
    pub(super) range: Option<[f64; 2]>,
    pub(super) palette: Palette,
}

/// Colours for numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Palette {
    /// From dark blue through green to yellow: for magnitudes.
    #[default]
    Viridis,
    /// From blue through white to red: for signed values, with 0 in the middle.
    Signed,
}

/// Every sixteenth colour of viridis, and its last.
const VIRIDIS: [Color; 17] = [
    [68, 1, 84],
    [72, 24, 106],
    [71, 45, 123],
    [66, 64, 134],
    [59, 82, 139],
    [51, 99, 141],
    [44, 114, 142],
    [38, 130, 142],
    [33, 145, 140],
    [31, 160, 136],
    [40, 174, 128],
    [63, 188, 115],
    [94, 201, 98],
    [132, 212, 75],
    [173, 220, 48],
    [216, 226, 25],
    [253, 231, 37],
];

/// Blue, pale blue, white, pale red, red.
const SIGNED: [Color; 5] = [
    [33, 102, 172],
    [146, 197, 222],
    [247, 247, 247],
    [244, 165, 130],
    [178, 24, 43],
];

impl Palette {
    /// The colour of a share from 0 to 1.
    pub fn color(self, share: f64) -> Color {
        let anchors: &[Color] = match self {
            Self::Viridis => &VIRIDIS,
            Self::Signed => &SIGNED,
        };
        let place = share.clamp(0.0, 1.0) * (anchors.len() - 1) as f64;
        let below = (place as usize).min(anchors.len() - 2);
        let part = place - below as f64;
        let mix = |i: usize| {
            let (a, b) = (
                f64::from(anchors[below][i]),
                f64::from(anchors[below + 1][i]),
            );
            (a + part * (b - a)).round() as u8
        };
        [mix(0), mix(1), mix(2)]
    }
}

impl Heat {
    /// Values row by row, `columns` to a row; what they are, and their unit, stand at the colour bar.
    pub fn new(label: &str, unit: &str, columns: usize, values: Vec<f32>) -> Self {
        Self {
            title: match unit {
                "" => label.into(),
                unit => format!("{label} ({unit})"),
            },
            columns,
            values,
            extent: None,
            range: None,
            palette: Palette::Viridis,
        }
    }

    /// The x of the left and right edge and the y of the lower and upper edge.
    pub fn extent(mut self, x: [f64; 2], y: [f64; 2]) -> Self {
        self.extent = Some([x[0], x[1], y[0], y[1]]);
        self
    }

    /// The values that have the first and the last colour; those beyond have the same.
    pub fn range(mut self, from: f64, to: f64) -> Self {
        self.range = Some([from, to]);
        self
    }

    /// Other colours.
    pub fn palette(mut self, palette: Palette) -> Self {
        self.palette = palette;
        self
    }

    pub(super) fn rows(&self) -> usize {
        self.values.len().checked_div(self.columns).unwrap_or(0)
    }

    /// Left, right, lower and upper edge in values of the axes.
    pub(super) fn edges(&self) -> [f64; 4] {
        let (columns, rows) = (self.columns as f64, self.rows() as f64);
        self.extent.unwrap_or([0.0, columns, 0.0, rows])
    }

    /// The values of the first and the last colour.
    pub(super) fn ends(&self) -> [f64; 2] {
        if let Some([from, to]) = self.range
            && from < to
        {
            return [from, to];
        }
        let finite = || {
            self.values
                .iter()
                .filter(|v| v.is_finite())
                .map(|v| f64::from(*v))
        };
        let (low, high) = (
            finite().fold(f64::INFINITY, f64::min),
            finite().fold(f64::NEG_INFINITY, f64::max),
        );
        match (low, high) {
            (low, high) if low > high => [0.0, 1.0],
            (low, high) if self.palette == Palette::Signed => {
                let most = low.abs().max(high.abs());
                let most = if most > 0.0 { most } else { 1.0 };
                [-most, most]
            }
            (low, high) if low == high => [low - 0.5, high + 0.5],
            ends => [ends.0, ends.1],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn palettes_pass_through_their_colours() {
        assert_eq!(Palette::Viridis.color(0.0), VIRIDIS[0]);
        assert_eq!(Palette::Viridis.color(0.5), VIRIDIS[8]);
        assert_eq!(Palette::Viridis.color(7.0), VIRIDIS[16]);
        assert_eq!(Palette::Signed.color(0.5), SIGNED[2]);
        assert_eq!(Palette::Signed.color(-1.0), SIGNED[0]);
    }

    #[test]
    fn signed_values_have_zero_in_the_middle() {
        let heat = Heat::new("w", "", 3, vec![-1.0, 0.5, f32::NAN]);
        assert_eq!(heat.ends(), [-1.0, 0.5]);
        assert_eq!(heat.palette(Palette::Signed).ends(), [-1.0, 1.0]);
        assert_eq!(Heat::new("w", "", 1, vec![]).ends(), [0.0, 1.0]);
        assert_eq!(Heat::new("w", "", 1, vec![2.0]).ends(), [1.5, 2.5]);
    }
}
