//! Pictures without a window.

use super::adapter::{CannotDraw, adapter};
use super::app::{Panels, insert, plugin};
use super::live::Live;
use super::preferences::Preferences;
use super::scene3d::{Effort, Motion, spawn_cameras};
use crate::files::whole::{FileError, write_whole};
use bevy::app::ScheduleRunnerPlugin;
use bevy::camera::RenderTarget;
use bevy::prelude::*;
use bevy::render::RenderPlugin;
use bevy::render::pipelined_rendering::PipelinedRenderingPlugin;
use bevy::render::render_resource::{TextureFormat, TextureUsages};
use bevy::render::view::screenshot::{Screenshot, ScreenshotCaptured};
use bevy::window::ExitCondition;
use bevy::winit::WinitPlugin;
use bevy_egui::{EguiGlobalSettings, egui};
use std::time::Duration;

/// Frames that are drawn before a picture is taken: what is shown is asked of the network and arrives, panels find their sizes.
const SETTLING: usize = 4;
/// Frames after which a picture that has not come will not come.
const PATIENCE: usize = 200;

/// A picture: RGBA, row by row from the top.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Picture {
    /// Width in pixels.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
    /// Four bytes per pixel.
    pub pixels: Vec<u8>,
}

impl Picture {
    /// The pixels of an image that was taken of a window; none if they are not there.
    pub fn of_image(image: &Image) -> Option<Self> {
        let image = image.clone().try_into_dynamic().ok()?.into_rgba8();
        Some(Self {
            width: image.width(),
            height: image.height(),
            pixels: image.into_raw(),
        })
    }

    /// The part of the picture within a rectangle in pixels.
    pub fn cut(&self, part: egui::Rect) -> Self {
        let whole = |x: f32, most: u32| (x.round().max(0.0) as u32).min(most);
        let (left, right) = (whole(part.min.x, self.width), whole(part.max.x, self.width));
        let (top, bottom) = (
            whole(part.min.y, self.height),
            whole(part.max.y, self.height),
        );
        let row = |y: u32| {
            let at = |x: u32| (y * self.width + x) as usize * 4;
            &self.pixels[at(left)..at(right.max(left))]
        };
        Self {
            width: right.saturating_sub(left),
            height: bottom.saturating_sub(top),
            pixels: (top..bottom).flat_map(row).copied().collect(),
        }
    }

    /// Writes the picture as a PNG file.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn write_png(&self, path: &std::path::Path) -> Result<(), FileError> {
        write_whole(path, |out| {
            let mut encoder = png::Encoder::new(out, self.width, self.height);
            encoder.set_color(png::ColorType::Rgba);
            encoder.set_depth(png::BitDepth::Eight);
            let mut writer = encoder.write_header()?;
            writer.write_image_data(&self.pixels)?;
            writer.finish()?;
            Ok(())
        })
    }
}

/// The app without a window, drawing into a picture.
pub struct Offscreen {
    app: App,
    image: Handle<Image>,
}

#[derive(Resource, Default)]
struct Taken(Option<Picture>);

impl Offscreen {
    /// The app, or its 3D view alone, in a picture of `size` pixels.
    ///
    /// # Errors
    /// There is no graphics adapter.
    pub fn new(
        size: (u32, u32),
        live: Live,
        preferences: Preferences,
        panels: Panels,
    ) -> Result<Self, CannotDraw> {
        Self::with_effort(size, live, preferences, panels, Effort::Fine)
    }

    /// As [`new`](Self::new), with a choice of how much work a frame may be.
    ///
    /// # Errors
    /// There is no graphics adapter.
    pub fn with_effort(
        size: (u32, u32),
        live: Live,
        preferences: Preferences,
        panels: Panels,
        effort: Effort,
    ) -> Result<Self, CannotDraw> {
        adapter()?;
        let mut app = App::new();
        app.add_plugins(
            DefaultPlugins
                .set(RenderPlugin {
                    synchronous_pipeline_compilation: true,
                    ..default()
                })
                .set(WindowPlugin {
                    primary_window: None,
                    exit_condition: ExitCondition::DontExit,
                    ..default()
                })
                .disable::<WinitPlugin>()
                .disable::<bevy::log::LogPlugin>()
                .disable::<PipelinedRenderingPlugin>(),
        )
        .add_plugins(ScheduleRunnerPlugin::run_loop(Duration::ZERO));
        plugin(&mut app);
        insert(&mut app, live, preferences, panels);
        app.init_resource::<Taken>().insert_resource(Motion::Jumps);
        let mut image =
            Image::new_target_texture(size.0, size.1, TextureFormat::Rgba8UnormSrgb, None);
        image.texture_descriptor.usage |= TextureUsages::COPY_SRC;
        let image = app.world_mut().resource_mut::<Assets<Image>>().add(image);
        let target = image.clone();
        app.add_systems(
            Startup,
            move |mut commands: Commands, mut settings: ResMut<EguiGlobalSettings>| {
                let target = RenderTarget::Image(target.clone().into());
                spawn_cameras(&mut commands, &mut settings, Some(target), effort);
            },
        );
        app.finish();
        app.cleanup();
        Ok(Self { app, image })
    }

    /// The app's world: what is selected, what panels show, the network.
    pub fn world_mut(&mut self) -> &mut World {
        self.app.world_mut()
    }

    /// Draws frames without taking a picture.
    pub fn update(&mut self, frames: usize) {
        for _ in 0..frames {
            self.app.update();
        }
    }

    /// Draws until everything has settled and takes a picture; none if the device was lost.
    pub fn picture(&mut self) -> Option<Picture> {
        for _ in 0..SETTLING {
            self.app.world().resource::<Live>().runner().wait_idle();
            self.app.update();
        }
        self.app.world_mut().resource_mut::<Taken>().0 = None;
        self.app
            .world_mut()
            .spawn(Screenshot::image(self.image.clone()))
            .observe(|shot: On<ScreenshotCaptured>, mut taken: ResMut<Taken>| {
                taken.0 = Some(Picture {
                    width: shot.image.width(),
                    height: shot.image.height(),
                    pixels: shot.image.data.clone().unwrap_or_default(),
                });
            });
        for _ in 0..PATIENCE {
            self.app.update();
            if let Some(picture) = self.app.world_mut().resource_mut::<Taken>().0.take() {
                return Some(picture);
            }
        }
        None
    }
}
