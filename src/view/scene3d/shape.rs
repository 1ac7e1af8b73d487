//! Where regions are and how large: what labels, bundles, radii and the camera need of many positions.

use crate::session::frame::RegionInfo;
use bevy::prelude::*;

/// The place and size of a region.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Shape {
    /// The mean place of its neurons, in mm.
    pub centre: Vec3,
    /// Half its extent along each axis, in mm.
    pub half: Vec3,
    /// The radius of a neuron that suits the density, in mm.
    pub neuron: f32,
}

impl Shape {
    /// The shape of neurons at these places.
    pub fn of(positions: &[[f32; 3]]) -> Self {
        if positions.is_empty() {
            return Self::default();
        }
        let (mut low, mut high, mut sum) = (Vec3::INFINITY, Vec3::NEG_INFINITY, [0.0f64; 3]);
        for position in positions {
            let place = Vec3::from_array(*position);
            (low, high) = (low.min(place), high.max(place));
            for (sum, x) in sum.iter_mut().zip(position) {
                *sum += f64::from(*x);
            }
        }
        let centre = Vec3::from_array(sum.map(|s| (s / positions.len() as f64) as f32));
        let size = (high - low).max(Vec3::splat(1e-3));
        let longest = size.max_element();
        // A flat or thin region is as crowded as its neurons are in the directions that it has.
        let volume = size.max(Vec3::splat(longest * 0.05)).element_product();
        let apart = (volume / positions.len() as f32).cbrt();
        Self {
            centre,
            half: (high - low) / 2.0,
            neuron: (0.18 * apart).clamp(longest * 0.0015, longest.max(0.02) * 0.12),
        }
    }

    /// How far its surface is from its middle in a direction, taking it as an ellipsoid.
    pub fn reach(&self, direction: Vec3) -> f32 {
        let unit = direction.normalize_or_zero();
        let scaled = unit / self.half.max(Vec3::splat(self.neuron.max(1e-4)));
        1.0 / scaled.length().max(1e-6)
    }

    /// The radius of the ball around it, in mm.
    pub fn radius(&self) -> f32 {
        self.half.max_element().max(self.neuron)
    }
}

/// The shapes of all regions, and the ball that holds the network.
#[derive(Clone, Debug, Default)]
pub struct Shapes {
    /// One per region.
    pub regions: Vec<Shape>,
    /// The middle of the network, in mm.
    pub middle: Vec3,
    /// The radius of the network, in mm.
    pub radius: f32,
}

impl Shapes {
    /// The shapes of these regions.
    pub fn of(regions: &[RegionInfo]) -> Self {
        let shapes: Vec<_> = regions.iter().map(|r| Shape::of(&r.positions)).collect();
        let places = || {
            let all = regions.iter().flat_map(|r| &r.positions);
            all.map(|p| Vec3::from_array(*p))
        };
        let (low, high) = places().fold((Vec3::INFINITY, Vec3::NEG_INFINITY), |(l, h), p| {
            (l.min(p), h.max(p))
        });
        let middle = if low.is_finite() {
            (low + high) / 2.0
        } else {
            Vec3::ZERO
        };
        let farthest = places().map(|p| p.distance_squared(middle));
        Self {
            regions: shapes,
            middle,
            radius: farthest.fold(0.0, f32::max).sqrt().max(0.02),
        }
    }

    /// Whether two regions share a place, so that nothing can be drawn between them.
    pub fn mixed(&self, one: usize, other: usize) -> bool {
        let (Some(a), Some(b)) = (self.regions.get(one), self.regions.get(other)) else {
            return true;
        };
        a.centre.distance(b.centre) < 0.35 * a.radius().max(b.radius())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cube_has_its_middle_and_half_its_edge() {
        let corners: Vec<[f32; 3]> = (0..8)
            .map(|i| {
                [
                    (i & 1) as f32 * 2.0,
                    (i >> 1 & 1) as f32 * 2.0,
                    (i >> 2) as f32 * 2.0,
                ]
            })
            .collect();
        let shape = Shape::of(&corners);
        assert_eq!((shape.centre, shape.half), (Vec3::ONE, Vec3::ONE));
        assert!((shape.reach(Vec3::X * 7.0) - 1.0).abs() < 1e-5);
    }

    #[test]
    fn denser_regions_have_smaller_neurons_and_lonely_ones_some_size() {
        let cube = |side: usize| -> Vec<[f32; 3]> {
            (0..side.pow(3))
                .map(|i| [i % side, i / side % side, i / side.pow(2)])
                .map(|p| p.map(|x| x as f32 / (side - 1) as f32))
                .collect()
        };
        assert!(Shape::of(&cube(10)).neuron < Shape::of(&cube(5)).neuron);
        assert!(Shape::of(&[[1.0, 2.0, 3.0]]).neuron > 0.0);
        assert_eq!(Shape::of(&[]), Shape::default());
    }
}
