//! A network that is edited, rewound and watched while it runs.

pub mod command;
pub mod frame;
pub mod runner;
