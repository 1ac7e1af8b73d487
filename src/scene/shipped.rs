//! The scenes that ship with the program, embedded in it.

macro_rules! scenes {
    ($($name:literal),* $(,)?) => {
        /// Name and text of every shipped scene, in the order in which `neuropil scenes` lists them.
        pub const SCENES: &[(&str, &str)] = &[
            $(($name, include_str!(concat!("../../scenes/", $name, ".ron")))),*
        ];
    };
}

scenes!(
    "izhikevich2003",
    "sparse_pool",
    "small_world",
    "cuba",
    "coba",
    "brunel2000",
    "microcircuit",
    "firing_patterns",
    "neuron_zoo",
);

/// The text of the shipped scene `name`.
pub fn text(name: &str) -> Option<&'static str> {
    SCENES
        .iter()
        .find(|(n, _)| *n == name)
        .map(|(_, text)| *text)
}
