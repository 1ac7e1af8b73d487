//! Where the neurons of a region lie.
//!
//! Positions are in mm, in single precision, in the one coordinate system that all regions of a network share.
//! Distance-dependent connections and the 3D view read them; nothing else does.
//!
//! | layout | neurons lie |
//! |---|---|
//! | [`Grid`](Layout::Grid) | on the points of a lattice, x fastest, then y, then z |
//! | [`Ring`](Layout::Ring) | evenly on a circle in the x–y plane, in the order of their indices |
//! | [`Ball`](Layout::Ball) | uniformly in a ball |
//! | [`Box`](Layout::Box) | uniformly in a box |
//! | [`Sheet`](Layout::Sheet) | uniformly in a rectangle in the x–y plane |
//! | [`Column`](Layout::Column) | uniformly in an upright cylinder (along z) |
//! | [`List`](Layout::List) | where the list says |
//!
//! A random position depends on the seed, the region and the neuron's index only, so it does not move when the region
//! gets more neurons.

use crate::sim::rng::{Draws, Random};
use bevy::reflect::Reflect;
use core::f64::consts::TAU;

/// The largest coordinate or size, in mm.
pub const FARTHEST_MM: f64 = 1e6;

/// How the neurons of a region are placed in space. All lengths are in mm; `centre_mm` is the middle of the shape and
/// defaults to the origin.
#[derive(Reflect, Clone, Debug, PartialEq)]
pub enum Layout {
    /// The points of a lattice, of which the first ones are taken if there are more than neurons.
    Grid {
        /// Points along x, y and z, each at least 1.
        shape: [u32; 3],
        /// Distance between neighbouring points along x, y and z, 0 or more.
        spacing_mm: [f64; 3],
        /// The middle of the whole lattice.
        #[reflect(default)]
        centre_mm: [f64; 3],
    },
    /// A circle in the x–y plane, neuron 0 at positive x.
    Ring {
        /// Radius, more than 0.
        radius_mm: f64,
        /// The middle of the circle.
        #[reflect(default)]
        centre_mm: [f64; 3],
    },
    /// The inside of a sphere.
    Ball {
        /// Radius, more than 0.
        radius_mm: f64,
        /// The middle of the ball.
        #[reflect(default)]
        centre_mm: [f64; 3],
    },
    /// A box with edges along the axes.
    Box {
        /// Lengths of the edges, 0 or more.
        size_mm: [f64; 3],
        /// The middle of the box.
        #[reflect(default)]
        centre_mm: [f64; 3],
    },
    /// A rectangle in the x–y plane.
    Sheet {
        /// Lengths along x and y, 0 or more.
        size_mm: [f64; 2],
        /// The middle of the sheet.
        #[reflect(default)]
        centre_mm: [f64; 3],
    },
    /// A cylinder along z, as a cortical column.
    Column {
        /// Radius, more than 0.
        radius_mm: f64,
        /// Height, 0 or more.
        height_mm: f64,
        /// The middle of the column, halfway up.
        #[reflect(default)]
        centre_mm: [f64; 3],
    },
    /// One position per neuron.
    List(Vec<[f64; 3]>),
}

impl Default for Layout {
    /// A ball with a diameter of 1 mm.
    fn default() -> Self {
        Self::Ball {
            radius_mm: 0.5,
            centre_mm: [0.0; 3],
        }
    }
}

/// Why a layout cannot place the neurons of its region.
#[derive(thiserror::Error, Clone, Debug, PartialEq)]
pub enum LayoutError {
    /// A length or coordinate is out of range.
    #[error("layout {layout}: {field} is {value} mm; allowed is {allowed}")]
    Length {
        /// The variant's name.
        layout: &'static str,
        /// The field, with its axis.
        field: String,
        /// What it is.
        value: f64,
        /// What it may be.
        allowed: String,
    },
    /// The lattice has an axis without points.
    #[error("layout Grid: shape is {shape:?}; every entry must be 1 or more")]
    EmptyGrid {
        /// The shape.
        shape: [u32; 3],
    },
    /// The lattice has too few points.
    #[error(
        "layout Grid: shape {shape:?} has {places} places, but the region has {neurons} neurons; use a shape whose \
         product is at least {neurons}"
    )]
    SmallGrid {
        /// The shape.
        shape: [u32; 3],
        /// Its product.
        places: u128,
        /// Neurons in the region.
        neurons: u32,
    },
    /// The list has another length than the region.
    #[error("layout List: {listed} positions for {neurons} neurons; list exactly one per neuron")]
    ListLength {
        /// Positions in the list.
        listed: usize,
        /// Neurons in the region.
        neurons: u32,
    },
}

impl Layout {
    /// The variant's name.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Grid { .. } => "Grid",
            Self::Ring { .. } => "Ring",
            Self::Ball { .. } => "Ball",
            Self::Box { .. } => "Box",
            Self::Sheet { .. } => "Sheet",
            Self::Column { .. } => "Column",
            Self::List(_) => "List",
        }
    }

    /// The positions of `neurons` neurons, in mm. `random` is that of the region, for
    /// [`Purpose::Layout`](crate::sim::rng::Purpose::Layout).
    ///
    /// # Errors
    /// Those of [`check`](Self::check).
    pub fn positions(&self, neurons: u32, random: &Random) -> Result<Vec<[f32; 3]>, LayoutError> {
        self.check(neurons)?;
        Ok((0..neurons)
            .map(|neuron| {
                let offset = self.offset(neuron, neurons, &mut random.draws(u64::from(neuron)));
                let centre = self.centre();
                core::array::from_fn(|axis| (centre[axis] + offset[axis]) as f32)
            })
            .collect())
    }

    /// Checks that every length is in range and that there is room for `neurons` neurons.
    ///
    /// # Errors
    /// Names the value, the allowed range and the fix.
    pub fn check(&self, neurons: u32) -> Result<(), LayoutError> {
        let axes = |field: &str, values: &[f64], least: Least| {
            values
                .iter()
                .zip(["x", "y", "z"])
                .try_for_each(|(&value, axis)| {
                    self.length(format!("{field} ({axis})"), value, least)
                })
        };
        axes("centre_mm", &self.centre(), Least::Any)?;
        match self {
            Self::Grid {
                shape, spacing_mm, ..
            } => {
                axes("spacing_mm", spacing_mm, Least::Zero)?;
                for ((&points, &spacing), axis) in shape.iter().zip(spacing_mm).zip(["x", "y", "z"])
                {
                    let extent = f64::from(points) * spacing;
                    self.length(
                        format!("shape times spacing_mm ({axis})"),
                        extent,
                        Least::Zero,
                    )?;
                }
                if shape.contains(&0) {
                    return Err(LayoutError::EmptyGrid { shape: *shape });
                }
                let places = shape.iter().map(|&points| u128::from(points)).product();
                if places < u128::from(neurons) {
                    return Err(LayoutError::SmallGrid {
                        shape: *shape,
                        places,
                        neurons,
                    });
                }
                Ok(())
            }
            Self::Ring { radius_mm, .. } | Self::Ball { radius_mm, .. } => {
                self.length("radius_mm".into(), *radius_mm, Least::MoreThanZero)
            }
            Self::Box { size_mm, .. } => axes("size_mm", size_mm, Least::Zero),
            Self::Sheet { size_mm, .. } => axes("size_mm", size_mm, Least::Zero),
            Self::Column {
                radius_mm,
                height_mm,
                ..
            } => {
                self.length("radius_mm".into(), *radius_mm, Least::MoreThanZero)?;
                self.length("height_mm".into(), *height_mm, Least::Zero)
            }
            Self::List(positions) => {
                if positions.len() != neurons as usize {
                    return Err(LayoutError::ListLength {
                        listed: positions.len(),
                        neurons,
                    });
                }
                for (neuron, position) in positions.iter().enumerate() {
                    axes(&format!("position {neuron}"), position, Least::Any)?;
                }
                Ok(())
            }
        }
    }

    fn centre(&self) -> [f64; 3] {
        match self {
            Self::Grid { centre_mm, .. }
            | Self::Ring { centre_mm, .. }
            | Self::Ball { centre_mm, .. }
            | Self::Box { centre_mm, .. }
            | Self::Sheet { centre_mm, .. }
            | Self::Column { centre_mm, .. } => *centre_mm,
            Self::List(_) => [0.0; 3],
        }
    }

    /// Where a neuron lies, seen from the centre.
    fn offset(&self, neuron: u32, neurons: u32, draws: &mut Draws) -> [f64; 3] {
        match self {
            Self::Grid {
                shape: [nx, ny, nz],
                spacing_mm,
                ..
            } => {
                let along =
                    |index: u32, points: u32| f64::from(index) - 0.5 * f64::from(points - 1);
                // The product may exceed 32 bits only beyond the last neuron.
                let layer = u64::from(*nx) * u64::from(*ny);
                let (z, rest) = (u64::from(neuron) / layer, u64::from(neuron) % layer);
                let (y, x) = (rest / u64::from(*nx), rest % u64::from(*nx));
                [
                    along(x as u32, *nx) * spacing_mm[0],
                    along(y as u32, *ny) * spacing_mm[1],
                    along(z as u32, *nz) * spacing_mm[2],
                ]
            }
            Self::Ring { radius_mm, .. } => {
                on_circle(*radius_mm, f64::from(neuron) / f64::from(neurons))
            }
            Self::Ball { radius_mm, .. } => {
                // The height of a point on a sphere is uniform; the volume within r grows as r³.
                let height = 2.0 * draws.unit() - 1.0;
                let [x, y, _] = on_circle(libm::sqrt(1.0 - height * height), draws.unit());
                let radius = radius_mm * libm::cbrt(draws.unit());
                [radius * x, radius * y, radius * height]
            }
            Self::Box { size_mm, .. } => size_mm.map(|size| size * (draws.unit() - 0.5)),
            Self::Sheet { size_mm, .. } => {
                let [x, y] = size_mm.map(|size| size * (draws.unit() - 0.5));
                [x, y, 0.0]
            }
            Self::Column {
                radius_mm,
                height_mm,
                ..
            } => {
                let [x, y, _] = on_circle(radius_mm * libm::sqrt(draws.unit()), draws.unit());
                [x, y, height_mm * (draws.unit() - 0.5)]
            }
            Self::List(positions) => positions[neuron as usize],
        }
    }

    fn length(&self, field: String, value: f64, least: Least) -> Result<(), LayoutError> {
        let (fits, least) = match least {
            Least::Any => (value >= -FARTHEST_MM, format!("from -{FARTHEST_MM}")),
            Least::Zero => (value >= 0.0, "from 0".into()),
            Least::MoreThanZero => (value > 0.0, "more than 0, up".into()),
        };
        if fits && value <= FARTHEST_MM {
            Ok(())
        } else {
            Err(LayoutError::Length {
                layout: self.name(),
                field,
                value,
                allowed: format!("{least} to {FARTHEST_MM}"),
            })
        }
    }
}

#[derive(Clone, Copy)]
enum Least {
    Any,
    Zero,
    MoreThanZero,
}

/// The point after `turn` turns on a circle in the x–y plane.
fn on_circle(radius: f64, turn: f64) -> [f64; 3] {
    let (sin, cos) = libm::sincos(TAU * turn);
    [radius * cos, radius * sin, 0.0]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::rng::{Purpose, entity_key};

    const CENTRE: [f64; 3] = [1.0, -2.0, 3.0];

    fn random() -> Random {
        Random::new(1, entity_key("region"), Purpose::Layout)
    }

    fn from_centre(layout: &Layout, neurons: u32) -> Vec<[f64; 3]> {
        let positions = layout.positions(neurons, &random()).unwrap();
        positions
            .iter()
            .map(|p| core::array::from_fn(|axis| f64::from(p[axis]) - CENTRE[axis]))
            .collect()
    }

    fn mean(values: impl ExactSizeIterator<Item = f64>) -> f64 {
        let n = values.len() as f64;
        values.sum::<f64>() / n
    }

    #[test]
    fn grid_is_centred_and_x_runs_fastest() {
        let layout = Layout::Grid {
            shape: [3, 2, 2],
            spacing_mm: [1.0, 10.0, 100.0],
            centre_mm: [0.0; 3],
        };
        let positions = layout.positions(12, &random()).unwrap();
        assert_eq!(positions[0], [-1.0, -5.0, -50.0]);
        assert_eq!(positions[1], [0.0, -5.0, -50.0]);
        assert_eq!(positions[3], [-1.0, 5.0, -50.0]);
        assert_eq!(positions[11], [1.0, 5.0, 50.0]);
        assert_eq!(layout.positions(5, &random()).unwrap(), positions[..5]);
    }

    #[test]
    fn ring_neighbours_are_equally_far() {
        let ring = Layout::Ring {
            radius_mm: 2.0,
            centre_mm: CENTRE,
        };
        let p = from_centre(&ring, 6);
        for i in 0..6 {
            let q = p[(i + 1) % 6];
            let d: f64 = (0..3).map(|axis| (p[i][axis] - q[axis]).powi(2)).sum();
            assert!((libm::sqrt(d) - 2.0).abs() < 1e-5);
        }
    }

    #[test]
    fn ball_box_and_column_are_filled_uniformly() {
        let n = 40_000;
        let ball = from_centre(
            &Layout::Ball {
                radius_mm: 2.0,
                centre_mm: CENTRE,
            },
            n,
        );
        let radius = |p: &[f64; 3]| libm::sqrt(p.iter().map(|x| x * x).sum());
        assert!(ball.iter().all(|p| radius(p) < 2.000_01));
        // (r/R)³ is uniform: mean ½; each coordinate has mean 0 and mean square R²/5.
        assert!((mean(ball.iter().map(|p| (radius(p) / 2.0).powi(3))) - 0.5).abs() < 0.006);
        for axis in 0..3 {
            assert!(mean(ball.iter().map(|p| p[axis])).abs() < 0.02);
            assert!((mean(ball.iter().map(|p| p[axis] * p[axis])) - 0.8).abs() < 0.016);
        }
        let column = from_centre(
            &Layout::Column {
                radius_mm: 1.0,
                height_mm: 4.0,
                centre_mm: CENTRE,
            },
            n,
        );
        assert!((mean(column.iter().map(|p| p[0] * p[0] + p[1] * p[1])) - 0.5).abs() < 0.006);
        assert!((mean(column.iter().map(|p| p[2] * p[2])) - 16.0 / 12.0).abs() < 0.025);
        let sheet = from_centre(
            &Layout::Sheet {
                size_mm: [2.0, 4.0],
                centre_mm: CENTRE,
            },
            n,
        );
        assert!(
            sheet
                .iter()
                .all(|p| p[0].abs() <= 1.000_01 && p[1].abs() <= 2.000_01 && p[2] == 0.0)
        );
        assert!((mean(sheet.iter().map(|p| p[1] * p[1])) - 16.0 / 12.0).abs() < 0.025);
    }

    #[test]
    fn a_neuron_stays_where_it_is_when_others_are_added() {
        for layout in [
            Layout::default(),
            Layout::Box {
                size_mm: [1.0, 2.0, 0.0],
                centre_mm: CENTRE,
            },
        ] {
            let few = layout.positions(10, &random()).unwrap();
            let many = layout.positions(100, &random()).unwrap();
            assert_eq!(few, many[..10]);
        }
    }

    #[test]
    fn errors_name_value_range_and_fix() {
        let grid = Layout::Grid {
            shape: [10, 10, 1],
            spacing_mm: [0.1; 3],
            centre_mm: [0.0; 3],
        };
        let message = grid.positions(120, &random()).unwrap_err().to_string();
        assert_eq!(
            message,
            "layout Grid: shape [10, 10, 1] has 100 places, but the region has 120 neurons; use a shape whose product \
             is at least 120"
        );
        let ball = Layout::Ball {
            radius_mm: -1.0,
            centre_mm: [0.0; 3],
        };
        assert_eq!(
            ball.check(1).unwrap_err().to_string(),
            "layout Ball: radius_mm is -1 mm; allowed is more than 0, up to 1000000"
        );
        let far = Layout::Box {
            size_mm: [1.0; 3],
            centre_mm: [0.0, f64::NAN, 0.0],
        };
        assert_eq!(
            far.check(1).unwrap_err().to_string(),
            "layout Box: centre_mm (y) is NaN mm; allowed is from -1000000 to 1000000"
        );
        assert!(
            Layout::List(vec![[0.0; 3]; 3])
                .check(4)
                .unwrap_err()
                .to_string()
                .contains("3 positions for 4")
        );
        let listed = Layout::List(vec![[0.0, 0.0, f64::INFINITY]]).check(1);
        assert!(
            listed
                .unwrap_err()
                .to_string()
                .contains("position 0 (z) is inf")
        );
        let huge = Layout::Grid {
            shape: [u32::MAX; 3],
            spacing_mm: [0.0; 3],
            centre_mm: [0.0; 3],
        };
        assert_eq!(huge.check(u32::MAX), Ok(()));
        let empty = Layout::Grid {
            shape: [0, 1, 1],
            spacing_mm: [0.0; 3],
            centre_mm: [0.0; 3],
        };
        assert!(empty.check(0).is_err());
    }
}
