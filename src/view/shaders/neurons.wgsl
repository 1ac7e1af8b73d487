// Neurons as balls: one quad each, facing the camera, shaded as a sphere where it is large enough to see that.

#import bevy_pbr::mesh_view_bindings::view
#import neuropil::look::{Look, faded}

// Place in mm and radius in mm.
@group(#{MATERIAL_BIND_GROUP}) @binding(0) var<storage, read> places: array<vec4<f32>>;
// Colour in three bytes and flags in the fourth; the step of the newest spike plus 1, modulo 2^32, or 0.
@group(#{MATERIAL_BIND_GROUP}) @binding(1) var<storage, read> states: array<vec2<u32>>;
@group(#{MATERIAL_BIND_GROUP}) @binding(2) var<storage, read> look: Look;

const HIDDEN: u32 = 1u;
const SELECTED: u32 = 2u;
const DIMMED: u32 = 4u;
const HOVERED: u32 = 8u;
const LESIONED: u32 = 16u;
// Radii in pixels: the least of a neuron, of a ringed neuron, and the one from which it is shaded as a ball.
const LEAST: f32 = 0.75;
const LEAST_RINGED: f32 = 3.5;
const SHADED: f32 = 2.2;

struct Vertex {
    // Neuron × 4 + corner.
    @location(0) corner: u32,
}

struct Ball {
    @builtin(position) place: vec4<f32>,
    // From the middle, in pixels.
    @location(0) offset: vec2<f32>,
    @location(1) @interpolate(flat) colour: vec4<f32>,
    @location(2) @interpolate(flat) radius: f32,
    @location(3) @interpolate(flat) flags: u32,
    @location(4) @interpolate(flat) flash: f32,
}

@vertex
fn vertex(in: Vertex) -> Ball {
    let neuron = in.corner >> 2u;
    let state = states[neuron];
    let flags = state.x >> 24u;
    var out: Ball;
    out.flags = flags;
    if (flags & HIDDEN) != 0u {
        out.place = vec4(2.0, 2.0, 2.0, 1.0);
        return out;
    }
    let place = places[neuron];
    let centre = view.clip_from_world * vec4(place.xyz, 1.0);
    let per_length = view.clip_from_view[1][1] * view.viewport.w * 0.5 / max(centre.w, 1e-6);
    var flash = 0.0;
    if state.y != 0u && (flags & LESIONED) == 0u {
        flash = exp(-f32(look.now - state.y) * look.flash.x);
    }
    let dimmed = (flags & DIMMED) != 0u;
    // What is not joined with the selected neuron makes room for what is.
    let radius = place.w * (1.0 + look.spike.w * flash) * select(1.0, 0.6, dimmed);
    let pixels = radius * per_length;
    let corner = vec2(f32(in.corner & 1u), f32((in.corner >> 1u) & 1u)) * 2.0 - 1.0;
    let ringed = (flags & (SELECTED | HOVERED)) != 0u;
    out.radius = max(pixels, select(LEAST, LEAST_RINGED, ringed));
    out.offset = corner * (out.radius + select(1.0, 6.0, ringed));
    out.flash = flash;
    let fade = faded(look.fading, centre.w) * (1.0 - 0.6 * flash);
    var bright = select(look.selection.w, 1.0, ringed);
    if dimmed {
        bright = bright * look.fading.w;
    }
    let base = pow(unpack4x8unorm(state.x).xyz, vec3(2.2));
    let lit = mix(mix(look.background.xyz, base, bright), look.spike.xyz, flash * flash);
    // What is smaller than a pixel covers less of it.
    let covered = clamp(pixels / LEAST, 0.35, 1.0);
    out.colour = vec4(mix(lit, look.background.xyz, fade), covered);
    out.place = centre + vec4(out.offset * 2.0 / view.viewport.zw * centre.w, 0.0, 0.0);
    // The depth of the ball's front; what is selected is in front of everything.
    out.place.z = centre.z * centre.w / max(centre.w - place.w, centre.w * 0.5);
    if (flags & SELECTED) != 0u {
        out.place.z = centre.w * 0.9999;
    }
    return out;
}

@fragment
fn fragment(in: Ball) -> @location(0) vec4<f32> {
    let out_of_centre = length(in.offset);
    var cover = clamp(in.radius + 0.5 - out_of_centre, 0.0, 1.0);
    // Without several samples per pixel, a soft rim would hide what is behind it.
    if look.flash.z > 0.5 {
        cover = step(0.5, cover);
    }
    cover = cover * in.colour.w;
    var colour = in.colour.xyz;
    if in.radius > SHADED {
        let at = in.offset / in.radius;
        let normal = vec3(at, sqrt(max(1.0 - dot(at, at), 0.0)));
        let light = 0.5 + 0.62 * max(dot(normal, vec3(-0.38, 0.56, 0.74)), 0.0);
        let shine = pow(max(dot(normal, vec3(-0.21, 0.31, 0.93)), 0.0), 24.0) * 0.10;
        colour = mix(colour * light + shine * light * length(colour), colour * 1.15, in.flash);
    }
    if (in.flags & (SELECTED | HOVERED)) != 0u {
        let wide = select(1.0, 1.6, (in.flags & SELECTED) != 0u);
        let ring = clamp(wide + 0.3 - abs(out_of_centre - in.radius - 3.4), 0.0, 1.0);
        if ring > cover {
            colour = look.selection.xyz;
            cover = ring;
        }
    }
    if cover < 0.02 {
        discard;
    }
    return vec4(colour, cover);
}
