//! Scenes: text or Rust values that describe a network, and how they become one.

pub mod build;
pub mod error;
pub mod schema;
