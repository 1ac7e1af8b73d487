//! The three materials of the 3D view: balls for neurons, ribbons for projections and synapses, sparks for spikes.
//!
//! What changes from frame to frame is in storage buffers, so that no material is ever prepared anew for it.

use bevy::mesh::{MeshVertexAttribute, MeshVertexBufferLayoutRef};
use bevy::pbr::{MaterialPipeline, MaterialPipelineKey};
use bevy::prelude::*;
use bevy::render::render_resource::{
    AsBindGroup, RenderPipelineDescriptor, ShaderType, SpecializedMeshPipelineError, VertexFormat,
};
use bevy::render::storage::ShaderBuffer;
use bevy::shader::ShaderRef;

/// Registers the materials.
pub fn plugin(app: &mut App) {
    app.add_plugins((
        MaterialPlugin::<NeuronMaterial>::default(),
        MaterialPlugin::<RibbonMaterial>::default(),
        MaterialPlugin::<SparkMaterial>::default(),
    ));
}

/// Which quad and which of its corners: quad × 4 + corner.
pub const ATTRIBUTE_CORNER: MeshVertexAttribute =
    MeshVertexAttribute::new("Corner", 710_311_601, VertexFormat::Uint32);
/// A short way along a curve, in mm.
pub const ATTRIBUTE_ALONG: MeshVertexAttribute =
    MeshVertexAttribute::new("Along", 710_311_604, VertexFormat::Float32x3);
/// The side of a ribbon, −1 or 1, and its width in mm.
pub const ATTRIBUTE_SIDE: MeshVertexAttribute =
    MeshVertexAttribute::new("Side", 710_311_605, VertexFormat::Float32x2);

/// What everything in the 3D view shares; linear colours. The shaders' `Look` has the same fields.
#[derive(ShaderType, Clone, Copy, Debug, Default, PartialEq)]
pub struct Look {
    /// The colour that distance fades to.
    pub background: Vec4,
    /// The colour of a spike, and by how much a neuron grows with it.
    pub spike: Vec4,
    /// The colour of the ring around what is selected, and the brightness of neurons at rest.
    pub selection: Vec4,
    /// Where fading begins and where it is full, in mm; how much it takes; and the brightness of neurons that are dimmed.
    pub fading: Vec4,
    /// The exponent by which a flash decays in a step; how much glow covers what is behind it; whether rims are hard.
    pub flash: Vec4,
    /// Steps done, modulo 2³².
    pub now: u32,
}

/// One spark: a glow around a neuron, or a spike under way.
#[derive(ShaderType, Clone, Copy, Debug, Default, PartialEq)]
pub struct Spark {
    /// Place and radius in mm.
    pub place: Vec4,
    /// Linear colour and strength; without strength there is no spark.
    pub colour: Vec4,
    /// The least radius in pixels, and the part of the radius that is a solid core.
    pub shape: Vec4,
}

/// Neurons as balls.
#[derive(Asset, TypePath, AsBindGroup, Clone, Debug)]
pub struct NeuronMaterial {
    /// Per neuron: place and radius.
    #[storage(0, read_only)]
    pub places: Handle<ShaderBuffer>,
    /// Per neuron two words: colour and flags; the newest spike.
    #[storage(1, read_only)]
    pub states: Handle<ShaderBuffer>,
    /// What all share.
    #[storage(2, read_only)]
    pub look: Handle<ShaderBuffer>,
}

/// Curves.
#[derive(Asset, TypePath, AsBindGroup, Clone, Debug)]
pub struct RibbonMaterial {
    /// What all share.
    #[storage(0, read_only)]
    pub look: Handle<ShaderBuffer>,
}

/// Sparks.
#[derive(Asset, TypePath, AsBindGroup, Clone, Debug)]
pub struct SparkMaterial {
    /// The sparks, as many as the mesh has quads.
    #[storage(0, read_only)]
    pub sparks: Handle<ShaderBuffer>,
    /// What all share.
    #[storage(1, read_only)]
    pub look: Handle<ShaderBuffer>,
}

type Specialized = Result<(), SpecializedMeshPipelineError>;

impl Material for NeuronMaterial {
    fn vertex_shader() -> ShaderRef {
        "embedded://neuropil/view/shaders/neurons.wgsl".into()
    }
    fn fragment_shader() -> ShaderRef {
        "embedded://neuropil/view/shaders/neurons.wgsl".into()
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
        key: MaterialPipelineKey<Self>,
    ) -> Specialized {
        descriptor.vertex.buffers = vec![
            layout
                .0
                .get_layout(&[ATTRIBUTE_CORNER.at_shader_location(0)])?,
        ];
        descriptor.primitive.cull_mode = None;
        // Rims are smooth in whatever order neurons are drawn.
        descriptor.multisample.alpha_to_coverage_enabled = key.mesh_key.msaa_samples() > 1;
        Ok(())
    }
}

impl Material for RibbonMaterial {
    fn vertex_shader() -> ShaderRef {
        "embedded://neuropil/view/shaders/ribbons.wgsl".into()
    }
    fn fragment_shader() -> ShaderRef {
        "embedded://neuropil/view/shaders/ribbons.wgsl".into()
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
    ) -> Specialized {
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

impl Material for SparkMaterial {
    fn vertex_shader() -> ShaderRef {
        "embedded://neuropil/view/shaders/sparks.wgsl".into()
    }
    fn fragment_shader() -> ShaderRef {
        "embedded://neuropil/view/shaders/sparks.wgsl".into()
    }
    fn alpha_mode(&self) -> AlphaMode {
        AlphaMode::Premultiplied
    }
    fn depth_bias(&self) -> f32 {
        // For sorting only: sparks are drawn after ribbons.
        1e6
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
    ) -> Specialized {
        descriptor.vertex.buffers = vec![
            layout
                .0
                .get_layout(&[ATTRIBUTE_CORNER.at_shader_location(0)])?,
        ];
        descriptor.primitive.cull_mode = None;
        Ok(())
    }
}
