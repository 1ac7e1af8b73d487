//! The two materials of the 3D view: balls for neurons, ribbons for projections and synapses.

use bevy::asset::embedded_asset;
use bevy::mesh::{MeshVertexAttribute, MeshVertexBufferLayoutRef};
use bevy::pbr::{MaterialPipeline, MaterialPipelineKey};
use bevy::prelude::*;
use bevy::render::render_resource::{
    AsBindGroup, RenderPipelineDescriptor, ShaderType, SpecializedMeshPipelineError, VertexFormat,
};
use bevy::render::storage::ShaderBuffer;
use bevy::shader::ShaderRef;

/// Registers the materials and their shaders.
pub fn plugin(app: &mut App) {
    embedded_asset!(app, "neurons.wgsl");
    embedded_asset!(app, "ribbons.wgsl");
    app.add_plugins((
        MaterialPlugin::<NeuronMaterial>::default(),
        MaterialPlugin::<RibbonMaterial>::default(),
    ));
}

/// Neuron × 4 + corner.
pub const ATTRIBUTE_NEURON: MeshVertexAttribute =
    MeshVertexAttribute::new("Neuron", 710_311_601, VertexFormat::Uint32);
/// The radius of a neuron in mm.
pub const ATTRIBUTE_RADIUS: MeshVertexAttribute =
    MeshVertexAttribute::new("Radius", 710_311_602, VertexFormat::Float32);
/// A short way along a curve, in mm.
pub const ATTRIBUTE_ALONG: MeshVertexAttribute =
    MeshVertexAttribute::new("Along", 710_311_603, VertexFormat::Float32x3);
/// The side of a ribbon, −1 or 1, and its width in pixels.
pub const ATTRIBUTE_SIDE: MeshVertexAttribute =
    MeshVertexAttribute::new("Side", 710_311_604, VertexFormat::Float32x2);

/// Colours and distances that all neurons share; linear colours.
#[derive(ShaderType, Clone, Copy, Debug, Default, PartialEq)]
pub struct Look {
    /// The colour of a spike, and by how much a neuron grows with it.
    pub spike: Vec4,
    /// The colour of the ring around what is selected.
    pub selection: Vec4,
    /// The colour that distance fades to.
    pub background: Vec4,
    /// Nearest and farthest distance of the fading, and how much of it.
    pub fading: Vec4,
}

/// Neurons as balls.
#[derive(Asset, TypePath, AsBindGroup, Clone, Debug)]
pub struct NeuronMaterial {
    /// Two words per neuron: its colour and flash, and flags.
    #[storage(0, read_only)]
    pub states: Handle<ShaderBuffer>,
    /// What all share.
    #[uniform(1)]
    pub look: Look,
}

impl Material for NeuronMaterial {
    fn vertex_shader() -> ShaderRef {
        "embedded://neuropil/view/scene3d/neurons.wgsl".into()
    }
    fn fragment_shader() -> ShaderRef {
        "embedded://neuropil/view/scene3d/neurons.wgsl".into()
    }
    fn enable_prepass() -> bool {
        false
    }
    fn enable_shadows() -> bool {
        false
    }
    fn specialize(
        _: &MaterialPipeline,
        descriptor: &mut RenderPipelineDescriptor,
        layout: &MeshVertexBufferLayoutRef,
        _: MaterialPipelineKey<Self>,
    ) -> Result<(), SpecializedMeshPipelineError> {
        descriptor.vertex.buffers = vec![layout.0.get_layout(&[
            Mesh::ATTRIBUTE_POSITION.at_shader_location(0),
            ATTRIBUTE_NEURON.at_shader_location(1),
            ATTRIBUTE_RADIUS.at_shader_location(2),
        ])?];
        descriptor.primitive.cull_mode = None;
        Ok(())
    }
}

/// Curves.
#[derive(Asset, TypePath, AsBindGroup, Clone, Debug, Default)]
pub struct RibbonMaterial {}

impl Material for RibbonMaterial {
    fn vertex_shader() -> ShaderRef {
        "embedded://neuropil/view/scene3d/ribbons.wgsl".into()
    }
    fn fragment_shader() -> ShaderRef {
        "embedded://neuropil/view/scene3d/ribbons.wgsl".into()
    }
    fn alpha_mode(&self) -> AlphaMode {
        AlphaMode::Blend
    }
    fn enable_prepass() -> bool {
        false
    }
    fn enable_shadows() -> bool {
        false
    }
    fn specialize(
        _: &MaterialPipeline,
        descriptor: &mut RenderPipelineDescriptor,
        layout: &MeshVertexBufferLayoutRef,
        _: MaterialPipelineKey<Self>,
    ) -> Result<(), SpecializedMeshPipelineError> {
        descriptor.vertex.buffers = vec![layout.0.get_layout(&[
            Mesh::ATTRIBUTE_POSITION.at_shader_location(0),
            ATTRIBUTE_ALONG.at_shader_location(1),
            ATTRIBUTE_SIDE.at_shader_location(2),
            Mesh::ATTRIBUTE_COLOR.at_shader_location(3),
        ])?];
        descriptor.primitive.cull_mode = None;
        Ok(())
    }
}
