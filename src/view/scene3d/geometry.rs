//! The meshes of the 3D view: quads for neurons and sparks, ribbons for curves.

use super::material::{ATTRIBUTE_ALONG, ATTRIBUTE_CORNER, ATTRIBUTE_SIDE};
use bevy::asset::RenderAssetUsages;
use bevy::mesh::{Indices, PrimitiveTopology};
use bevy::prelude::*;

/// So many quads without a place: the shader finds it in a buffer.
pub fn quad_mesh(quads: u32) -> Mesh {
    let corners: Vec<u32> = (0..quads * 4).collect();
    let indices = (0..quads)
        .flat_map(|quad| [0, 1, 2, 2, 1, 3].map(|corner| quad * 4 + corner))
        .collect();
    Mesh::new(
        PrimitiveTopology::TriangleList,
        RenderAssetUsages::RENDER_WORLD,
    )
    .with_inserted_attribute(ATTRIBUTE_CORNER, corners)
    .with_inserted_indices(Indices::U32(indices))
}

/// How the width and the opacity of a curve change along it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// An arrow: faint where it begins, a head where it ends.
    Arrow,
    /// A thread: a little fainter where it begins.
    Thread,
}

impl Style {
    /// Where the points of a curve are: from 0 to 1, with the width and the opacity there.
    fn profile(self) -> Vec<(f32, f32, f32)> {
        match self {
            Self::Arrow => {
                let body = (0..=26).map(|i| {
                    let t = i as f32 / 26.0 * 0.9;
                    (t, 1.0, 0.3 + 0.7 * t)
                });
                let head = [(0.9, 2.8, 1.0), (1.0, 0.0, 1.0)];
                body.chain(head).collect()
            }
            Self::Thread => (0..=16)
                .map(|i| i as f32 / 16.0)
                .map(|t| (t, 1.0, 0.55 + 0.45 * t))
                .collect(),
        }
    }
}

/// A cubic Bézier curve that is drawn as a ribbon.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Curve {
    /// The start, two points that it bends towards, and the end.
    pub through: [Vec3; 4],
    /// The width in mm.
    pub width: f32,
    /// Linear colour and opacity.
    pub colour: Vec4,
}

impl Curve {
    /// A curve between two places that bends aside by `bend`, a part of its length, in the direction `aside`.
    pub fn between(from: Vec3, to: Vec3, aside: Vec3, bend: f32) -> Self {
        let along = to - from;
        let across = aside.reject_from(along.normalize_or(Vec3::X));
        let shift = across.normalize_or(along.any_orthogonal_vector_or_x()) * along.length() * bend;
        Self::through([
            from,
            from + along * 0.25 + shift,
            from + along * 0.75 + shift,
            to,
        ])
    }

    /// A loop that leaves `at` to one side of `out` and comes back from the other; `size` is how far out it goes.
    pub fn around(at: Vec3, out: Vec3, turn: Vec3, size: f32) -> Self {
        let out = out.normalize_or(Vec3::Y);
        let side = turn.reject_from(out);
        let side = side.normalize_or(out.any_orthogonal_vector_or_x()) * size;
        let foot = side * 0.22;
        let far = at + out * size * 1.25;
        Self::through([at - foot, far - side * 0.85, far + side * 0.85, at + foot])
    }

    fn through(through: [Vec3; 4]) -> Self {
        Self {
            through,
            width: 0.0,
            colour: Vec4::ONE,
        }
    }

    /// The same curve with a width in mm and a colour.
    pub fn drawn(self, width: f32, colour: Vec4) -> Self {
        Self {
            width,
            colour,
            ..self
        }
    }

    /// The point at `t` from 0 to 1.
    pub fn at(&self, t: f32) -> Vec3 {
        let [a, b, c, d] = self.through;
        let s = 1.0 - t;
        a * (s * s * s) + b * (3.0 * s * s * t) + c * (3.0 * s * t * t) + d * (t * t * t)
    }

    /// The direction at `t`, of any length but 0.
    pub fn along(&self, t: f32) -> Vec3 {
        let step = 0.01;
        let ahead = self.at((t + step).min(1.0)) - self.at((t - step).max(0.0));
        if ahead == Vec3::ZERO {
            Vec3::X * 1e-6
        } else {
            ahead
        }
    }
}

/// A direction across another, where there is one.
trait Across {
    fn any_orthogonal_vector_or_x(self) -> Vec3;
}

impl Across for Vec3 {
    fn any_orthogonal_vector_or_x(self) -> Vec3 {
        self.any_orthogonal_vector().normalize_or(Vec3::X)
    }
}

/// Ribbons along curves.
pub fn ribbon_mesh(curves: &[Curve], style: Style) -> Mesh {
    let profile = style.profile();
    let count = curves.len() * profile.len() * 2;
    let (mut points, mut along, mut sides, mut colours) = (
        Vec::with_capacity(count),
        Vec::with_capacity(count),
        Vec::with_capacity(count),
        Vec::with_capacity(count),
    );
    let mut indices = Vec::with_capacity(count * 3);
    for curve in curves {
        let first = points.len() as u32;
        for (row, &(t, width, opacity)) in (0u32..).zip(&profile) {
            let (here, ahead) = (curve.at(t), curve.along(t));
            let mut colour = curve.colour;
            colour.w *= opacity;
            for side in [-1.0, 1.0] {
                points.push(here.to_array());
                along.push(ahead.to_array());
                sides.push([side, curve.width * width]);
                colours.push(colour.to_array());
            }
            if row > 0 {
                let at = first + 2 * (row - 1);
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
        let curve = Curve::between(from, to, Vec3::Z, 0.2);
        assert_eq!((curve.at(0.0), curve.at(1.0)), (from, to));
        let straight = from.midpoint(to);
        assert!((curve.at(0.5).distance(straight) - 0.15 * from.distance(to)).abs() < 1e-4);
    }

    #[test]
    fn a_loop_goes_out_and_comes_back() {
        let around = Curve::around(Vec3::X, Vec3::X, Vec3::Y, 0.5);
        assert!(around.at(0.5).x > 1.4);
        assert!(around.at(0.0).distance(around.at(1.0)) < 0.3);
    }

    #[test]
    fn curves_without_length_have_a_direction() {
        let curve = Curve::between(Vec3::ONE, Vec3::ONE, Vec3::ZERO, 0.2);
        assert!((0..=4).all(|i| curve.along(i as f32 / 4.0).length() > 0.0));
        assert!(curve.at(0.5).is_finite());
    }

    #[test]
    fn meshes_have_a_quad_per_neuron_and_rows_per_curve() {
        let mesh = quad_mesh(2);
        assert_eq!(mesh.count_vertices(), 8);
        assert_eq!(mesh.indices().map(Indices::len), Some(12));
        let curve = Curve::between(Vec3::ZERO, Vec3::X, Vec3::Y, 0.1);
        let mesh = ribbon_mesh(&[curve; 3], Style::Thread);
        assert_eq!(mesh.count_vertices(), 3 * 17 * 2);
        assert_eq!(mesh.indices().map(Indices::len), Some(3 * 16 * 6));
    }
}
