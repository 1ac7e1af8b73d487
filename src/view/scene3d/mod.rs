//! The network in 3D.
