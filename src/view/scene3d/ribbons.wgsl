// Curves of a width in pixels, facing the camera.

#import bevy_pbr::mesh_view_bindings::view

struct Vertex {
    @location(0) point: vec3<f32>,
    @location(1) along: vec3<f32>,
    // Which side: −1 or 1; and the width in pixels.
    @location(2) side: vec2<f32>,
    @location(3) colour: vec4<f32>,
}

struct Ribbon {
    @builtin(position) place: vec4<f32>,
    @location(0) colour: vec4<f32>,
    @location(1) side: f32,
}

@vertex
fn vertex(in: Vertex) -> Ribbon {
    let here = view.clip_from_world * vec4(in.point, 1.0);
    let ahead = view.clip_from_world * vec4(in.point + in.along, 1.0);
    let size = view.viewport.zw;
    let direction = (ahead.xy / max(ahead.w, 1e-4) - here.xy / max(here.w, 1e-4)) * size;
    let unit = direction / max(length(direction), 1e-4);
    let across = vec2(-unit.y, unit.x) * in.side.x * in.side.y / size;
    var out: Ribbon;
    out.place = here + vec4(across * here.w, 0.0, 0.0);
    out.colour = in.colour;
    out.side = in.side.x;
    return out;
}

@fragment
fn fragment(in: Ribbon) -> @location(0) vec4<f32> {
    let edge = 1.0 - in.side * in.side * 0.7;
    return vec4(in.colour.xyz, in.colour.w * edge);
}
