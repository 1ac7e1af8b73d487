//! The meshes of the 3D view: quads for neurons, ribbons for curves.

use super::material::{ATTRIBUTE_ALONG, ATTRIBUTE_NEURON, ATTRIBUTE_RADIUS, ATTRIBUTE_SIDE};
use bevy::asset::RenderAssetUsages;
use bevy::mesh::{Indices, PrimitiveTopology};
use bevy::prelude::*;

/// One quad per neuron. `balls` gives place and radius, in the order of the neurons' states.
pub fn neuron_mesh(balls: &[(Vec3, f32)]) -> Mesh {
    let (mut places, mut corners, mut radii, mut indices) = (
        Vec::with_capacity(balls.len() * 4),
        Vec::with_capacity(balls.len() * 4),
        Vec::with_capacity(balls.len() * 4),
        Vec::with_capacity(balls.len() * 6),
    );
    for (i, (place, radius)) in (0u32..).zip(balls) {
        for corner in 0..4 {
            places.push(place.to_array());
            corners.push(i * 4 + corner);
            radii.push(*radius);
        }
        indices.extend([0, 1, 2, 2, 1, 3].map(|corner| i * 4 + corner));
    }
    Mesh::new(
        PrimitiveTopology::TriangleList,
        RenderAssetUsages::RENDER_WORLD,
    )
    .with_inserted_attribute(Mesh::ATTRIBUTE_POSITION, places)
    .with_inserted_attribute(ATTRIBUTE_NEURON, corners)
    .with_inserted_attribute(ATTRIBUTE_RADIUS, radii)
    .with_inserted_indices(Indices::U32(indices))
}

/// A curve: where it starts, bends and ends, its width in pixels, and its linear colour with opacity.
#[derive(Clone, Copy, Debug)]
pub struct Curve {
    /// The start, two points that it bends towards, and the end: a cubic Bézier curve.
    pub through: [Vec3; 4],
    /// The width in pixels.
    pub width: f32,
    /// The colour.
    pub colour: Vec4,
}

impl Curve {
    /// A curve between two places that bends away from the straight line, up and outwards from `middle`.
    pub fn between(from: Vec3, to: Vec3, middle: Vec3, width: f32, colour: Vec4) -> Self {
        let half = (from + to) / 2.0;
        let length = from.distance(to);
        let outwards = (half - middle).normalize_or(Vec3::Y);
        // Curves there and back bend to different sides.
        let aside = (to - from).cross(Vec3::Z).normalize_or(Vec3::X);
        let bend = (outwards * 0.6 + aside * 0.5).normalize_or(Vec3::Y) * length * 0.22;
        let through = [
            from,
            from.lerp(to, 0.25) + bend,
            from.lerp(to, 0.75) + bend,
            to,
        ];
        Self {
            through,
            width,
            colour,
        }
    }

    /// A loop from a place back to it, as far out as `size`, away from `middle`.
    pub fn around(at: Vec3, size: f32, middle: Vec3, width: f32, colour: Vec4) -> Self {
        let out = (at - middle).normalize_or(Vec3::Y) * size;
        let aside = out.cross(Vec3::Z).normalize_or(Vec3::X) * size;
        Self {
            through: [
                at,
                at + out * 1.5 + aside * 0.8,
                at + out * 1.5 - aside * 0.8,
                at,
            ],
            width,
            colour,
        }
    }

    /// The point at `t` from 0 to 1.
    pub fn at(&self, t: f32) -> Vec3 {
        let [a, b, c, d] = self.through;
        let s = 1.0 - t;
        a * (s * s * s) + b * (3.0 * s * s * t) + c * (3.0 * s * t * t) + d * (t * t * t)
    }
}

/// Ribbons along curves, each of `pieces` pieces.
pub fn ribbon_mesh(curves: &[Curve], pieces: u32) -> Mesh {
    let (mut points, mut along, mut sides, mut colours, mut indices) =
        (Vec::new(), Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for curve in curves {
        let first = points.len() as u32;
        for piece in 0..=pieces {
            let t = piece as f32 / pieces as f32;
            let here = curve.at(t);
            let step = 0.5 / pieces as f32;
            let direction = curve.at((t + step).min(1.0)) - curve.at((t - step).max(0.0));
            for side in [-1.0, 1.0] {
                points.push(here.to_array());
                along.push(direction.to_array());
                sides.push([side, curve.width]);
                colours.push(curve.colour.to_array());
            }
            if piece < pieces {
                let at = first + 2 * piece;
                indices.extend([at, at + 1, at + 2, at + 2, at + 1, at + 3]);
            }
        }
    }
    Mesh::new(
        PrimitiveTopology::TriangleList,
        RenderAssetUsages::RENDER_WORLD,
    )
    .with_inserted_attribute(Mesh::ATTRIBUTE_POSITION, points)
    .with_inserted_attribute(ATTRIBUTE_ALONG, along)
    .with_inserted_attribute(ATTRIBUTE_SIDE, sides)
    .with_inserted_attribute(Mesh::ATTRIBUTE_COLOR, colours)
    .with_inserted_indices(Indices::U32(indices))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn curves_start_and_end_where_they_should() {
        let (from, to) = (Vec3::X, Vec3::Y * 3.0);
        let curve = Curve::between(from, to, Vec3::ZERO, 2.0, Vec4::ONE);
        assert_eq!((curve.at(0.0), curve.at(1.0)), (from, to));
        let back = Curve::between(to, from, Vec3::ZERO, 2.0, Vec4::ONE);
        assert!(curve.at(0.5).distance(back.at(0.5)) > 0.1);
        let around = Curve::around(Vec3::X, 0.5, Vec3::ZERO, 1.0, Vec4::ONE);
        assert!(around.at(0.5).distance(Vec3::X) > 0.5);
    }

    #[test]
    fn every_neuron_has_a_quad() {
        let mesh = neuron_mesh(&[(Vec3::ZERO, 1.0), (Vec3::X, 2.0)]);
        assert_eq!(mesh.count_vertices(), 8);
        assert_eq!(mesh.indices().map(Indices::len), Some(12));
    }
}
