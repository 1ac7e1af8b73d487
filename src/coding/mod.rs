//! Encoders, how the world becomes spikes, and readouts, what spikes tell of it; one file each.

pub mod detection;
pub mod masquelier;
