// Glows around neurons that spike, and spikes under way on synapses: quads of light.

#import bevy_pbr::mesh_view_bindings::view
#import neuropil::look::{Look, faded}

struct Spark {
    // Place and radius in mm.
    place: vec4<f32>,
    // Linear colour and strength; 0 is no spark.
    colour: vec4<f32>,
    // The least radius in pixels, and how much of it is a solid core.
    shape: vec4<f32>,
}

@group(#{MATERIAL_BIND_GROUP}) @binding(0) var<storage, read> sparks: array<Spark>;
@group(#{MATERIAL_BIND_GROUP}) @binding(1) var<storage, read> look: Look;

struct Vertex {
    // Spark × 4 + corner.
    @location(0) corner: u32,
}

struct Light {
    @builtin(position) place: vec4<f32>,
    @location(0) offset: vec2<f32>,
    @location(1) @interpolate(flat) colour: vec4<f32>,
    @location(2) @interpolate(flat) core: f32,
}

@vertex
fn vertex(in: Vertex) -> Light {
    let spark = sparks[in.corner >> 2u];
    var out: Light;
    if spark.colour.w <= 0.0 {
        out.place = vec4(2.0, 2.0, 2.0, 1.0);
        return out;
    }
    let centre = view.clip_from_world * vec4(spark.place.xyz, 1.0);
    let per_length = view.clip_from_view[1][1] * view.viewport.w * 0.5 / max(centre.w, 1e-6);
    let pixels = max(spark.place.w * per_length, spark.shape.x);
    out.offset = vec2(f32(in.corner & 1u), f32((in.corner >> 1u) & 1u)) * 2.0 - 1.0;
    out.colour = spark.colour;
    out.colour.w = out.colour.w * (1.0 - faded(look.fading, centre.w));
    out.core = spark.shape.y;
    out.place = centre + vec4(out.offset * pixels * 2.0 / view.viewport.zw * centre.w, 0.0, 0.0);
    // In front of the ball that it surrounds.
    out.place.z = centre.z * centre.w / max(centre.w - spark.place.w, centre.w * 0.5);
    return out;
}

@fragment
fn fragment(in: Light) -> @location(0) vec4<f32> {
    let distance = dot(in.offset, in.offset);
    if distance > 1.0 {
        discard;
    }
    let halo = (1.0 - distance) * (1.0 - distance);
    let core = 1.0 - smoothstep(in.core * 0.6, in.core, sqrt(distance));
    let strength = max(halo * halo * in.colour.w, core);
    // Premultiplied: light adds on a dark background, and covers on a light one.
    return vec4(in.colour.xyz * strength, strength * max(look.flash.y, core));
}
