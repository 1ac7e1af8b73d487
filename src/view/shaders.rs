//! The shaders of the 3D view, built into the program.

use bevy::asset::embedded_asset;
use bevy::prelude::*;
use bevy::shader::load_shader_library;

/// Makes the shaders known.
pub fn plugin(app: &mut App) {
    load_shader_library!(app, "shaders/look.wgsl");
    embedded_asset!(app, "shaders/neurons.wgsl");
    embedded_asset!(app, "shaders/ribbons.wgsl");
    embedded_asset!(app, "shaders/sparks.wgsl");
}
