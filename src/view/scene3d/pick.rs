//! Which neuron is under the pointer, and which are in a box.

use bevy::prelude::*;
use bevy_egui::egui;

/// The nearest distance that the camera sees, in mm.
pub const NEAR: f32 = 1e-3;
/// Small neurons can be picked from so many points away.
const REACH: f32 = 4.0;

/// How points of space come to lie on the screen.
#[derive(Clone, Copy, Debug)]
pub struct Projector {
    clip_from_world: Mat4,
    area: egui::Rect,
    /// Points per mm at a distance of one mm.
    scale: f32,
}

impl Projector {
    /// The projection of a camera whose picture fills `area`.
    pub fn new(camera: &Transform, field_of_view: f32, area: egui::Rect) -> Self {
        let aspect = (area.width() / area.height().max(1.0)).max(1e-3);
        let clip_from_view = Mat4::perspective_infinite_reverse_rh(field_of_view, aspect, NEAR);
        Self {
            clip_from_world: clip_from_view * camera.to_matrix().inverse(),
            area,
            scale: area.height() / 2.0 / (field_of_view / 2.0).tan(),
        }
    }

    /// Where a point is seen, and how far away; none if it is behind the camera.
    pub fn project(&self, point: Vec3) -> Option<(egui::Pos2, f32)> {
        let clip = self.clip_from_world * point.extend(1.0);
        (clip.w > NEAR).then(|| {
            let (x, y) = (clip.x / clip.w, clip.y / clip.w);
            let centre = self.area.center();
            let at = egui::pos2(
                centre.x + x * self.area.width() / 2.0,
                centre.y - y * self.area.height() / 2.0,
            );
            (at, clip.w)
        })
    }

    /// Points on the screen that a length in mm takes at a distance.
    pub fn points(&self, length: f32, distance: f32) -> f32 {
        length * self.scale / distance.max(1e-6)
    }

    /// Rows of the projection to points from the upper left corner, times the distance: x, y, and the distance itself.
    fn rows(&self) -> [Vec4; 3] {
        let (half, centre) = (self.area.size() / 2.0, self.area.center());
        let w = self.clip_from_world.row(3);
        let x = self.clip_from_world.row(0) * half.x + w * centre.x;
        let y = self.clip_from_world.row(1) * -half.y + w * centre.y;
        [x, y, w]
    }
}

/// The neuron that is seen at `pointer`: of those whose ball is there, the nearest to the camera; if there is none, of those
/// that are nearly there the one that is nearest to the pointer. `neurons` gives place and radius, and whether it is shown.
pub fn pick(
    projector: &Projector,
    pointer: egui::Pos2,
    neurons: impl Iterator<Item = (Vec4, bool)>,
) -> Option<u32> {
    let [x, y, w] = projector.rows();
    // The pointer in the middle: what is there projects to 0.
    let (x, y) = (x - w * pointer.x, y - w * pointer.y);
    let mut front: Option<(f32, u32)> = None;
    let mut close: Option<(f32, u32)> = None;
    for (number, (place, shown)) in (0u32..).zip(neurons) {
        let point = place.truncate().extend(1.0);
        let distance = w.dot(point);
        let apart = Vec2::new(x.dot(point), y.dot(point)).length_squared();
        let ball = place.w * projector.scale;
        let reach = REACH * distance;
        if !shown || distance <= NEAR || apart > (ball * ball).max(reach * reach) {
            continue;
        }
        if apart <= ball * ball {
            if front.is_none_or(|(nearest, _)| distance < nearest) {
                front = Some((distance, number));
            }
        } else {
            let apart = apart / (distance * distance);
            if close.is_none_or(|(nearest, _)| apart < nearest) {
                close = Some((apart, number));
            }
        }
    }
    front.or(close).map(|(_, number)| number)
}

/// The neurons whose middle is seen in a box.
pub fn pick_box(
    projector: &Projector,
    area: egui::Rect,
    neurons: impl Iterator<Item = (Vec4, bool)>,
) -> Vec<u32> {
    let inside = |place: Vec4| {
        let seen = projector.project(place.truncate());
        seen.is_some_and(|(at, _)| area.contains(at))
    };
    (0u32..)
        .zip(neurons)
        .filter(|(_, (place, shown))| *shown && inside(*place))
        .map(|(number, _)| number)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::camera::{FIELD_OF_VIEW, Pose};
    use super::*;

    fn projector() -> Projector {
        let area = egui::Rect::from_min_size(egui::pos2(100.0, 50.0), egui::vec2(800.0, 600.0));
        let pose = Pose {
            focus: Vec3::ZERO,
            distance: 10.0,
            yaw: 0.0,
            pitch: 0.0,
        };
        Projector::new(&pose.transform(), FIELD_OF_VIEW, area)
    }

    fn at(point: Vec3) -> egui::Pos2 {
        projector().project(point).expect("in front").0
    }

    #[test]
    fn what_the_camera_looks_at_is_in_the_middle() {
        let (at, distance) = projector().project(Vec3::ZERO).expect("in front");
        assert!(at.distance(egui::pos2(500.0, 350.0)) < 1e-3, "{at:?}");
        assert!((distance - 10.0).abs() < 1e-4);
        assert!(projector().project(Vec3::Z * 11.0).is_none());
        let (right, _) = projector().project(Vec3::X).expect("in front");
        let (above, _) = projector().project(Vec3::Y).expect("in front");
        assert!(right.x > 501.0 && above.y < 349.0);
    }

    #[test]
    fn the_nearest_neuron_under_the_pointer_is_picked() {
        let neurons = [
            (Vec4::new(0.0, 0.0, -1.0, 0.1), true),
            (Vec4::new(0.0, 0.0, 1.0, 0.1), true),
            (Vec4::new(0.0, 0.0, 2.0, 0.1), false),
            (Vec4::new(2.0, 0.0, 0.0, 0.1), true),
            (Vec4::new(0.0, 0.0, 12.0, 5.0), true),
        ];
        let pick = |pointer| pick(&projector(), pointer, neurons.into_iter());
        assert_eq!(pick(at(Vec3::ZERO)), Some(1));
        assert_eq!(pick(at(Vec3::new(2.05, 0.0, 0.0))), Some(3));
        assert_eq!(pick(at(Vec3::new(1.0, 0.0, 0.0))), None);
        let corner = at(Vec3::new(1.5, 0.5, 0.0));
        let area = egui::Rect::from_two_pos(corner, corner + egui::vec2(200.0, 200.0));
        assert_eq!(pick_box(&projector(), area, neurons.into_iter()), [3]);
    }

    #[test]
    fn neurons_of_less_than_a_point_are_picked_from_close_by() {
        let far = [
            (Vec4::new(0.0, 0.0, 0.0, 1e-4), true),
            (Vec4::new(0.06, 0.0, 0.0, 1e-4), true),
        ];
        let near_first = at(Vec3::ZERO) + egui::vec2(-2.0, 1.0);
        assert_eq!(pick(&projector(), near_first, far.into_iter()), Some(0));
        let too_far = at(Vec3::ZERO) + egui::vec2(-6.0, 0.0);
        assert_eq!(pick(&projector(), too_far, far.into_iter()), None);
    }
}
