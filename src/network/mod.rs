//! What a network is made of: regions of neurons, projections of synapses, stimuli and probes.

pub mod connect;
pub mod deliver;
pub mod distribution;
pub mod history;
pub mod layout;
pub mod pages;
pub mod plastic;
pub mod probe;
pub mod projection;
pub mod propagate;
pub mod region;
pub mod slots;
pub mod stimulus;
pub mod synapses;
pub mod weight_probe;
