// What everything in the 3D view shares.

#define_import_path neuropil::look

struct Look {
    // Behind everything, linear; distance fades to it.
    background: vec4<f32>,
    // The colour of a spike, linear; by how much a neuron grows with it.
    spike: vec4<f32>,
    // The colour of the ring around what is selected, linear; the brightness of neurons at rest.
    selection: vec4<f32>,
    // Where fading begins, where it is full, how much it takes; the brightness of neurons that are dimmed.
    fading: vec4<f32>,
    // The part of a flash that is gone after a step, as an exponent; how much glow covers what is behind it; whether rims are hard.
    flash: vec4<f32>,
    // Steps done, modulo 2^32.
    now: u32,
}

// How much of the background is seen instead of something at a distance.
fn faded(look: vec4<f32>, distance: f32) -> f32 {
    return clamp((distance - look.x) / max(look.y - look.x, 1e-6), 0.0, 1.0) * look.z;
}
