// Neurons as balls: one quad each, facing the camera, shaded as a sphere in the fragment stage.

#import bevy_pbr::mesh_view_bindings::view

struct Look {
    // Of a spike, linear; and its size.
    spike: vec4<f32>,
    // Of the ring around what is selected, linear.
    selection: vec4<f32>,
    // Behind everything, linear; distance fades to it.
    background: vec4<f32>,
    // Nearest and farthest distance of the fading, and how much of it.
    fading: vec4<f32>,
}

// Colour in three bytes and the flash in the fourth; flags: 1 hidden, 2 selected, 4 lesioned.
@group(#{MATERIAL_BIND_GROUP}) @binding(0) var<storage, read> states: array<vec2<u32>>;
@group(#{MATERIAL_BIND_GROUP}) @binding(1) var<uniform> look: Look;

struct Vertex {
    @location(0) centre: vec3<f32>,
    @location(1) neuron: u32,
    @location(2) radius: f32,
}

struct Ball {
    @builtin(position) place: vec4<f32>,
    @location(0) corner: vec2<f32>,
    @location(1) colour: vec3<f32>,
    @location(2) flash: f32,
    @location(3) @interpolate(flat) selected: u32,
    @location(4) fade: f32,
    @location(5) pixels: f32,
}

fn linear(srgb: vec3<f32>) -> vec3<f32> {
    return pow(srgb, vec3(2.2));
}

@vertex
fn vertex(in: Vertex) -> Ball {
    let state = states[in.neuron >> 2u];
    let corner_of = in.neuron & 3u;
    let corner = vec2(f32(corner_of & 1u), f32(corner_of >> 1u)) * 2.0 - 1.0;
    let bytes = unpack4x8unorm(state.x);
    var out: Ball;
    out.corner = corner;
    out.colour = linear(bytes.xyz);
    out.flash = bytes.w;
    out.selected = state.y & 2u;
    let centre = view.clip_from_world * vec4(in.centre, 1.0);
    let per_length = view.clip_from_view[1][1] * view.viewport.w * 0.5 / max(centre.w, 1e-6);
    var size = in.radius * (1.0 + look.spike.w * bytes.w);
    if out.selected != 0u {
        size = size * 1.5;
    }
    // Nothing gets so small that it flickers.
    size = max(size, 0.9 / max(per_length, 1e-6));
    out.pixels = size * per_length;
    let right = view.world_from_view[0].xyz;
    let up = view.world_from_view[1].xyz;
    let world = in.centre + (right * corner.x + up * corner.y) * size;
    out.place = view.clip_from_world * vec4(world, 1.0);
    let far = (centre.w - look.fading.x) / max(look.fading.y - look.fading.x, 1e-6);
    out.fade = clamp(far, 0.0, 1.0) * look.fading.z;
    if (state.y & 1u) != 0u {
        out.place = vec4(2.0, 2.0, 2.0, 1.0);
    }
    return out;
}

@fragment
fn fragment(in: Ball) -> @location(0) vec4<f32> {
    let from_centre = dot(in.corner, in.corner);
    if from_centre > 1.0 {
        discard;
    }
    var light = 0.9;
    if in.pixels > 2.0 {
        let normal = vec3(in.corner, sqrt(1.0 - from_centre));
        light = 0.32 + 0.72 * max(dot(normal, vec3(0.35, 0.55, 0.76)), 0.0);
    }
    var colour = in.colour * light * 0.8;
    colour = mix(colour, look.background.xyz, in.fade);
    colour = mix(colour, look.spike.xyz, in.flash * (1.0 - 0.3 * in.fade));
    if in.selected != 0u && from_centre > 0.5 {
        colour = look.selection.xyz;
    }
    return vec4(colour, 1.0);
}
