//! The camera of the 3D view: it orbits a point, and glides to where it is sent.

use crate::session::frame::Structure;
use bevy::prelude::*;
use bevy_egui::egui;

/// How fast the camera glides: the part of the way that is left after a second is e to the minus this.
const GLIDE: f32 = 12.0;
/// The camera's opening angle, upright, in radians.
pub const FIELD_OF_VIEW: f32 = 0.8;

/// Where a camera is and what it looks at.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Pose {
    /// The point in the middle of the picture, in mm.
    pub focus: Vec3,
    /// How far away it is, in mm.
    pub distance: f32,
    /// The angle around the vertical axis, in radians.
    pub yaw: f32,
    /// The angle above the horizon, in radians.
    pub pitch: f32,
}

impl Default for Pose {
    fn default() -> Self {
        Self {
            focus: Vec3::ZERO,
            distance: 3.0,
            yaw: 0.5,
            pitch: 0.3,
        }
    }
}

impl Pose {
    /// The camera's place and direction.
    pub fn transform(&self) -> Transform {
        let (sin, cos) = self.pitch.sin_cos();
        let from = Vec3::new(cos * self.yaw.sin(), sin, cos * self.yaw.cos());
        Transform::from_translation(self.focus + from * self.distance)
            .looking_at(self.focus, Vec3::Y)
    }

    /// The pose that shows all of these points, from the same side.
    pub fn showing(self, points: impl Iterator<Item = Vec3> + Clone, aspect: f32) -> Self {
        let (low, high) = points
            .clone()
            .fold((Vec3::INFINITY, Vec3::NEG_INFINITY), |(low, high), p| {
                (low.min(p), high.max(p))
            });
        if !low.is_finite() {
            return self;
        }
        let focus = (low + high) / 2.0;
        let radius = points
            .map(|p| p.distance(focus))
            .fold(0.0, f32::max)
            .max(0.05);
        let angle = (FIELD_OF_VIEW / 2.0).min(((FIELD_OF_VIEW / 2.0).tan() * aspect).atan());
        Self {
            focus,
            distance: 1.2 * radius / angle.sin(),
            ..self
        }
    }
}

/// The camera of the 3D view.
#[derive(Resource, Clone, Copy, Debug, Default)]
pub struct Orbit {
    /// Where it is.
    pub now: Pose,
    /// Where it glides to.
    pub target: Pose,
}

impl Orbit {
    /// Goes there at once.
    pub fn jump(&mut self, pose: Pose) {
        (self.now, self.target) = (pose, pose);
    }

    /// Glides on for `seconds`.
    pub fn glide(&mut self, seconds: f32) {
        let part = 1.0 - (-GLIDE * seconds).exp();
        let (now, target) = (&mut self.now, &self.target);
        now.focus += (target.focus - now.focus) * part;
        now.distance += (target.distance - now.distance) * part;
        now.yaw += (target.yaw - now.yaw) * part;
        now.pitch += (target.pitch - now.pitch) * part;
    }

    /// Follows the pointer over an area that is `height` points high: drag to turn, with shift or another button to shift, scroll to
    /// come closer.
    pub fn follow(&mut self, input: &egui::InputState, height: f32) {
        let drag = input.pointer.delta();
        let shifts = input.pointer.secondary_down()
            || input.pointer.middle_down()
            || (input.pointer.primary_down() && input.modifiers.shift);
        let target = &mut self.target;
        if shifts {
            let pose = target.transform();
            let per_point = 2.0 * target.distance * (FIELD_OF_VIEW / 2.0).tan() / height.max(1.0);
            target.focus += (pose.up() * drag.y - pose.right() * drag.x) * per_point;
        } else if input.pointer.primary_down() && !input.modifiers.command {
            target.yaw -= drag.x * 0.008;
            target.pitch = (target.pitch + drag.y * 0.008).clamp(-1.55, 1.55);
        }
        let scroll = input.smooth_scroll_delta().y + 200.0 * (input.zoom_delta() - 1.0);
        target.distance = (target.distance * (-scroll * 0.004).exp()).clamp(1e-3, 1e6);
    }
}

/// All places of neurons.
pub fn places(structure: &Structure) -> impl Iterator<Item = Vec3> + Clone + '_ {
    structure
        .regions
        .iter()
        .flat_map(|r| r.positions.iter().map(|p| Vec3::from_array(*p)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pose_that_shows_points_has_all_of_them_in_the_picture() {
        let points: Vec<Vec3> = (0..100)
            .map(|i| Vec3::new((i % 7) as f32 - 20.0, (i % 11) as f32, (i % 3) as f32 * 4.0))
            .collect();
        for aspect in [0.4, 1.0, 2.5] {
            let pose = Pose::default().showing(points.iter().copied(), aspect);
            let view = pose.transform().to_matrix().inverse();
            let tan = (FIELD_OF_VIEW / 2.0).tan();
            for point in &points {
                let seen = view.transform_point3(*point);
                assert!(seen.z < 0.0);
                assert!((seen.y / seen.z).abs() < tan, "{point}");
                assert!((seen.x / seen.z).abs() < tan * aspect, "{point}");
            }
        }
    }
}
