// Curves as ribbons that face the camera, with soft edges.

#import bevy_pbr::mesh_view_bindings::view
#import neuropil::look::{Look, faded}

@group(#{MATERIAL_BIND_GROUP}) @binding(0) var<storage, read> look: Look;

// The least width in pixels; what is thinner gets fainter instead.
const LEAST: f32 = 1.1;

struct Vertex {
    @location(0) point: vec3<f32>,
    @location(1) along: vec3<f32>,
    // Which side, −1 or 1, and the width in mm.
    @location(2) side: vec2<f32>,
    @location(3) colour: vec4<f32>,
}

struct Ribbon {
    @builtin(position) place: vec4<f32>,
    @location(0) colour: vec4<f32>,
    // From the middle line, in pixels.
    @location(1) offset: f32,
    @location(2) half: f32,
}

@vertex
fn vertex(in: Vertex) -> Ribbon {
    let here = view.clip_from_world * vec4(in.point, 1.0);
    let ahead = view.clip_from_world * vec4(in.point + in.along, 1.0);
    let size = view.viewport.zw;
    let direction = (ahead.xy / max(ahead.w, 1e-4) - here.xy / max(here.w, 1e-4)) * size;
    let unit = direction / max(length(direction), 1e-6);
    let per_length = view.clip_from_view[1][1] * size.y * 0.5 / max(here.w, 1e-6);
    let pixels = in.side.y * per_length;
    var out: Ribbon;
    out.half = max(pixels, LEAST) * 0.5;
    out.offset = in.side.x * (out.half + 0.75);
    let across = vec2(-unit.y, unit.x) * out.offset * 2.0 / size;
    out.place = here + vec4(across * here.w, 0.0, 0.0);
    let fade = faded(look.fading, here.w);
    let faint = clamp(pixels / LEAST, 0.3, 1.0);
    out.colour = vec4(mix(in.colour.xyz, look.background.xyz, fade * 0.7), in.colour.w * faint);
    return out;
}

@fragment
fn fragment(in: Ribbon) -> @location(0) vec4<f32> {
    let cover = clamp(in.half + 0.5 - abs(in.offset), 0.0, 1.0);
    let side = clamp(in.offset / max(in.half, 1e-3), -1.0, 1.0);
    let round = 0.72 + 0.28 * sqrt(1.0 - side * side);
    return vec4(in.colour.xyz * round, in.colour.w * cover);
}
