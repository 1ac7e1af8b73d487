//! The observer: a window (or an offscreen picture) with the network in 3D and panels around it.
//!
//! Nothing here touches a simulation. The network runs on its own thread ([`session::runner`](crate::session::runner)); this module reads the
//! frames that it publishes ([`live`]) and acts by sending it requests.

pub mod action;
pub mod adapter;
pub mod app;
mod background;
pub mod decimate;
pub mod dock;
pub mod fields;
pub mod figure;
pub mod live;
pub mod loss;
pub mod measure;
pub mod offscreen;
pub mod panels;
pub mod picture;
pub mod plot;
pub mod preferences;
mod quick_keys;
pub mod recorded;
pub mod save;
pub mod scene3d;
pub mod shaders;
pub mod shell;
#[cfg(test)]
pub(crate) mod testing;
pub mod theme;
pub mod timeline;
