//! Neuropil
pub mod bench;
pub mod cli;
pub mod files;
pub mod headless;
pub mod network;
pub mod neurons;
pub mod plugins;
pub mod results;
pub mod scene;
pub mod sim;
pub mod simulation;
pub mod snapshot;

/// What most programs need.
pub mod prelude {
    pub use crate::network::connect::Rule;
    pub use crate::network::distribution::Distribution;
    pub use crate::network::layout::Layout;
    pub use crate::network::stimulus::{Selection, StimulusKind, Window};
    pub use crate::neurons::lif_exp::LifExp;
    pub use crate::scene::build::{BuildError, BuildOptions};
    pub use crate::scene::schema::*;
    pub use crate::sim::clock::Pacing;
    pub use crate::sim::simd::SimdLevel;
    pub use crate::simulation::{Registry, Simulation};
    pub use bevy::prelude::default;
}
