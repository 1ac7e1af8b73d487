//! The scenes that ship with the program, embedded in it.

macro_rules! scenes {
    ($($name:literal: $topic:literal),* $(,)?) => {
        /// Name and text of every shipped scene, in the order in which `neuropil scenes` lists them.
        pub const SCENES: &[(&str, &str)] = &[
            $(($name, include_str!(concat!("../../scenes/", $name, ".ron")))),*
        ];

        /// What the shipped scene `name` is about: one of [`TOPICS`].
        pub fn topic(name: &str) -> &'static str {
            match name {
                $($name => $topic,)*
                _ => "",
            }
        }
    };
}

/// What shipped scenes are about, in the order of the library.
pub const TOPICS: &[&str] = &[
    "Small networks",
    "Balanced networks",
    "Cortex",
    "Single neurons",
    "Learning",
];

scenes!(
    "izhikevich2003": "Small networks",
    "sparse_pool": "Small networks",
    "small_world": "Small networks",
    "cuba": "Balanced networks",
    "coba": "Balanced networks",
    "brunel2000": "Balanced networks",
    "microcircuit": "Cortex",
    "firing_patterns": "Single neurons",
    "neuron_zoo": "Single neurons",
    "responses": "Single neurons",
    "stdp": "Learning",
    "masquelier2008": "Learning",
    "short_term": "Learning",
    "inhibitory_balance": "Learning",
    "homeostasis": "Learning",
    "receptive_fields": "Learning",
    "dopamine": "Learning",
    "gated_learning": "Learning",
);

/// The text of the shipped scene `name`.
pub fn text(name: &str) -> Option<&'static str> {
    SCENES
        .iter()
        .find(|(n, _)| *n == name)
        .map(|(_, text)| *text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_scene_has_a_topic_and_every_topic_a_scene() {
        for (name, _) in SCENES {
            assert!(TOPICS.contains(&topic(name)), "{name}");
        }
        for known in TOPICS {
            assert!(
                SCENES.iter().any(|(name, _)| topic(name) == *known),
                "{known}"
            );
        }
    }
}
