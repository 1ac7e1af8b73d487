//! The camera of the 3D view: it orbits a point, and glides to where it is sent.

use super::Motion;
use super::neurons::Neurons;
use crate::session::frame::Structure;
use crate::view::live::{Live, Selected};
use crate::view::panels::Scene3dArea;
use bevy::prelude::*;
use serde::{Deserialize, Serialize};

/// How fast the camera glides: the part of the way that is left after a second is e to the minus this.
const GLIDE: f32 = 12.0;
/// The camera's opening angle, upright, in radians.
pub const FIELD_OF_VIEW: f32 = 0.7;
/// Radians by which the camera turns per point that the pointer is dragged.
const TURN: f32 = 0.008;
/// The steepest look up or down, in radians: straight would have no upright.
const STEEPEST: f32 = 1.55;
/// The least and the largest distance in mm.
const DISTANCES: (f32, f32) = (5e-3, 1e5);

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

    /// The pose that shows all of these points from the same side, in a picture `aspect` times as wide as high.
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
        // How far back the camera must be for every point to be within the picture, with a margin for labels and loops.
        let rotation = self.transform().rotation.inverse();
        let tan = (FIELD_OF_VIEW / 2.0).tan() * 0.84;
        let (tan_x, tan_y) = (tan * aspect.max(0.05), tan);
        let needed = points
            .map(|p| {
                let seen = rotation * (p - focus);
                seen.z + (seen.x.abs() / tan_x).max(seen.y.abs() / tan_y)
            })
            .fold(0.0, f32::max);
        let radius = (high - low).length() / 2.0;
        Self {
            focus,
            distance: needed.max(radius * 1.2).clamp(0.08, DISTANCES.1),
            ..self
        }
    }
}

/// A pose with a name in front of a scene, kept between sessions.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SavedView {
    /// The scene.
    pub scene: String,
    /// Its name.
    pub name: String,
    /// The point in the middle of the picture, in mm.
    pub focus: [f32; 3],
    /// How far away it is, in mm.
    pub distance: f32,
    /// The angle around the vertical axis, in radians.
    pub yaw: f32,
    /// The angle above the horizon, in radians.
    pub pitch: f32,
}

impl SavedView {
    /// A pose under a name.
    pub fn new(scene: impl Into<String>, name: impl Into<String>, pose: Pose) -> Self {
        Self {
            scene: scene.into(),
            name: name.into(),
            focus: pose.focus.to_array(),
            distance: pose.distance,
            yaw: pose.yaw,
            pitch: pose.pitch,
        }
    }

    /// The pose; whatever a file says, one that a camera can have.
    pub fn pose(&self) -> Pose {
        let usual = Pose::default();
        let finite = |value: f32, usual: f32| if value.is_finite() { value } else { usual };
        Pose {
            focus: Vec3::from_array(self.focus.map(|x| finite(x, 0.0))),
            distance: finite(self.distance, usual.distance).clamp(DISTANCES.0, DISTANCES.1),
            yaw: finite(self.yaw, usual.yaw),
            pitch: finite(self.pitch, usual.pitch).clamp(-STEEPEST, STEEPEST),
        }
    }
}

/// Sends the camera somewhere.
#[derive(Message, Clone, Debug, PartialEq)]
pub enum CameraRequest {
    /// To where the whole network is seen.
    ShowAll,
    /// To where the selected neurons are seen; without any, the selected region; without one, the whole network.
    ShowSelection,
    /// To a pose, for example of a saved view.
    Go(Pose),
}

/// The camera of the 3D view.
#[derive(Resource, Clone, Debug, Default)]
pub struct Orbit {
    /// Where it is.
    pub now: Pose,
    /// Where it glides to.
    pub target: Pose,
    /// The network that it has been put in front of.
    framed: Option<String>,
}

impl Orbit {
    /// Goes there at once.
    pub fn jump(&mut self, pose: Pose) {
        (self.now, self.target) = (pose, pose);
    }

    /// Glides on for `seconds`: as far in one long frame as in many short ones.
    pub fn glide(&mut self, seconds: f32) {
        let part = 1.0 - (-GLIDE * seconds.max(0.0)).exp();
        let (now, target) = (&mut self.now, &self.target);
        now.focus += (target.focus - now.focus) * part;
        // Distances by factors, so that coming close is as smooth as going away.
        now.distance *= (target.distance / now.distance.max(1e-9)).powf(part);
        now.yaw += (target.yaw - now.yaw) * part;
        now.pitch += (target.pitch - now.pitch) * part;
    }

    /// Turns around the focus by a drag in points.
    pub fn turn(&mut self, drag: Vec2) {
        self.target.yaw -= drag.x * TURN;
        self.target.pitch = (self.target.pitch + drag.y * TURN).clamp(-STEEPEST, STEEPEST);
    }

    /// Moves the focus, so that it stays under a pointer that is dragged so many points in an area so many points high.
    pub fn shift(&mut self, drag: Vec2, height: f32) {
        let pose = self.target.transform();
        let upright = 2.0 * self.target.distance * (FIELD_OF_VIEW / 2.0).tan();
        let per_point = upright / height.max(1.0);
        self.target.focus += (pose.up() * drag.y - pose.right() * drag.x) * per_point;
    }

    /// Comes closer by so many points of scrolling, or goes away.
    pub fn zoom(&mut self, scroll: f32) {
        let distance = self.target.distance * (-scroll * 0.004).exp();
        self.target.distance = distance.clamp(DISTANCES.0, DISTANCES.1);
    }
}

/// All places of neurons.
pub fn places(structure: &Structure) -> impl Iterator<Item = Vec3> + Clone + '_ {
    structure
        .regions
        .iter()
        .flat_map(|r| r.positions.iter().map(|p| Vec3::from_array(*p)))
}

fn aspect(area: &Scene3dArea) -> f32 {
    area.rect.map_or(1.0, |r| r.width() / r.height().max(1.0))
}

/// Shows a network that has been opened as a whole; an edited one is seen from where the user is.
pub(super) fn frame_networks(live: Res<Live>, area: Res<Scene3dArea>, mut orbit: ResMut<Orbit>) {
    let Some(structure) = &live.structure else {
        return;
    };
    if area.rect.is_some() && orbit.framed.as_ref() != Some(&structure.source) {
        let pose = Pose::default().showing(places(structure), aspect(&area));
        orbit.jump(pose);
        orbit.framed = Some(structure.source.clone());
    }
}

pub(super) fn follow_requests(
    mut requests: MessageReader<CameraRequest>,
    live: Res<Live>,
    selected: Res<Selected>,
    area: Res<Scene3dArea>,
    neurons: Res<Neurons>,
    motion: Res<Motion>,
    mut orbit: ResMut<Orbit>,
) {
    for request in requests.read() {
        let aspect = aspect(&area);
        let Some(structure) = &live.structure else {
            continue;
        };
        let all = || orbit.target.showing(places(structure), aspect);
        let pose = match request {
            CameraRequest::Go(pose) => *pose,
            CameraRequest::ShowAll => all(),
            CameraRequest::ShowSelection => {
                let chosen = selected.neurons.iter();
                let chosen: Vec<Vec3> = chosen
                    .filter_map(|n| neurons.places.get(*n as usize))
                    .map(|p| p.truncate())
                    .collect();
                let region = selected.region.as_ref();
                match region.and_then(|name| structure.region(name)) {
                    _ if !chosen.is_empty() => {
                        let close = orbit.target.showing(chosen.iter().copied(), aspect);
                        // One neuron alone would fill the picture: leave it its surroundings.
                        let least = neurons.shapes.radius * 0.25;
                        Pose {
                            distance: close.distance.max(least),
                            ..close
                        }
                    }
                    Some(region) => {
                        let positions = structure.regions[region].positions.iter();
                        let positions = positions.map(|p| Vec3::from_array(*p));
                        orbit.target.showing(positions, aspect)
                    }
                    None => all(),
                }
            }
        };
        orbit.target = pose;
        if *motion == Motion::Jumps {
            orbit.now = pose;
        }
    }
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
        let nothing = Pose::default().showing(core::iter::empty(), 1.0);
        assert_eq!(nothing, Pose::default());
    }

    #[test]
    fn gliding_does_not_depend_on_the_frame_rate() {
        let far = Pose {
            focus: Vec3::ONE,
            distance: 30.0,
            yaw: 2.0,
            pitch: -0.5,
        };
        let glided = |frames: u32| {
            let mut orbit = Orbit {
                target: far,
                ..Orbit::default()
            };
            (0..frames).for_each(|_| orbit.glide(0.2 / frames as f32));
            orbit.now
        };
        let (one, many) = (glided(1), glided(50));
        assert!(one.focus.distance(many.focus) < 1e-4);
        assert!((one.distance - many.distance).abs() < 1e-3);
        assert!((one.yaw - many.yaw).abs() < 1e-4);
        assert!(one.distance > 20.0 && one.distance < 30.0);
    }

    #[test]
    fn a_shift_keeps_the_focus_under_the_pointer() {
        let mut orbit = Orbit::default();
        let before = orbit.target;
        orbit.shift(Vec2::new(120.0, -45.0), 600.0);
        let area = bevy_egui::egui::Rect::from_min_size(
            bevy_egui::egui::Pos2::ZERO,
            bevy_egui::egui::vec2(800.0, 600.0),
        );
        let projector =
            super::super::pick::Projector::new(&orbit.target.transform(), FIELD_OF_VIEW, area);
        let (at, _) = projector.project(before.focus).expect("in front");
        assert!(
            (at.x - 520.0).abs() < 0.1 && (at.y - 255.0).abs() < 0.1,
            "{at:?}"
        );
    }

    #[test]
    fn saved_views_come_back_and_broken_ones_are_mended() {
        let pose = Pose {
            focus: Vec3::new(1.0, 2.0, 3.0),
            distance: 4.0,
            yaw: 5.0,
            pitch: 0.6,
        };
        let text = ron::to_string(&SavedView::new("cuba", "side", pose)).expect("text");
        let view: SavedView = ron::from_str(&text).expect("a view");
        assert_eq!((view.name.as_str(), view.pose()), ("side", pose));
        let broken = SavedView {
            focus: [f32::NAN; 3],
            distance: -1.0,
            pitch: 9.0,
            ..view
        };
        assert!(broken.pose().transform().is_finite());
    }
}
