//! Which neuron is under the pointer, and which are in a box.

use bevy::prelude::*;
use bevy_egui::egui;

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
        let clip_from_view = Mat4::perspective_infinite_reverse_rh(field_of_view, aspect, 1e-3);
        Self {
            clip_from_world: clip_from_view * camera.to_matrix().inverse(),
            area,
            scale: area.height() / 2.0 / (field_of_view / 2.0).tan(),
        }
    }

    /// Where a point is seen, and how far away; none if it is behind the camera.
    pub fn project(&self, point: Vec3) -> Option<(egui::Pos2, f32)> {
        let clip = self.clip_from_world * point.extend(1.0);
        (clip.w > 1e-4).then(|| {
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
}

/// The neuron that is seen at `pointer`: of those whose ball is there (or nearly, for small ones), the nearest to the camera.
pub fn pick<'n>(
    projector: &Projector,
    pointer: egui::Pos2,
    neurons: impl Iterator<Item = (u32, Vec3, f32)> + 'n,
) -> Option<u32> {
    const REACH: f32 = 4.0;
    let mut best: Option<(f32, u32)> = None;
    for (number, place, radius) in neurons {
        let Some((at, distance)) = projector.project(place) else {
            continue;
        };
        let reach = projector.points(radius, distance).max(REACH);
        if at.distance_sq(pointer) <= reach * reach && best.is_none_or(|(d, _)| distance < d) {
            best = Some((distance, number));
        }
    }
    best.map(|(_, number)| number)
}

/// The neurons whose middle is seen in a box.
pub fn pick_box<'n>(
    projector: &Projector,
    area: egui::Rect,
    neurons: impl Iterator<Item = (u32, Vec3, f32)> + 'n,
) -> Vec<u32> {
    neurons
        .filter(|(_, place, _)| {
            projector
                .project(*place)
                .is_some_and(|(at, _)| area.contains(at))
        })
        .map(|(number, ..)| number)
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
            (7, Vec3::new(0.0, 0.0, -1.0), 0.1),
            (8, Vec3::new(0.0, 0.0, 1.0), 0.1),
            (9, Vec3::new(2.0, 0.0, 0.0), 0.1),
        ];
        let at = |point| projector().project(point).expect("in front").0;
        let pick = |pointer| pick(&projector(), pointer, neurons.into_iter());
        assert_eq!(pick(at(Vec3::ZERO)), Some(8));
        assert_eq!(pick(at(Vec3::new(2.05, 0.0, 0.0))), Some(9));
        assert_eq!(pick(at(Vec3::new(1.0, 0.0, 0.0))), None);
        let corner = at(Vec3::new(1.5, 0.5, 0.0));
        let area = egui::Rect::from_two_pos(corner, corner + egui::vec2(200.0, 200.0));
        assert_eq!(pick_box(&projector(), area, neurons.into_iter()), [9]);
    }
}
