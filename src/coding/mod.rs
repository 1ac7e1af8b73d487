//! Encoders: how the world becomes spikes, one file each.

pub mod masquelier;
