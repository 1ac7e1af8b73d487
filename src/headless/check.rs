//! Before a run: what it will take, and what there is.

use crate::scene::load::LoadedScene;
use crate::scene::prepare::Prepared;

/// Memory that a new network may take, in bytes: what the system says is available, if it says so.
pub fn free_memory() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/meminfo").ok()?;
    let line = text.lines().find(|l| l.starts_with("MemAvailable:"))?;
    let kib: u64 = line.split_whitespace().nth(1)?.parse().ok()?;
    let available = kib * 1024;
    let limit = std::fs::read_to_string("/sys/fs/cgroup/memory.max")
        .ok()
        .and_then(|t| t.trim().parse::<u64>().ok());
    let used = std::fs::read_to_string("/sys/fs/cgroup/memory.current")
        .ok()
        .and_then(|t| t.trim().parse::<u64>().ok())
        .unwrap_or(0);
    Some(limit.map_or(available, |limit| available.min(limit.saturating_sub(used))))
}

/// What `neuropil check` prints: title, size, predicted memory and cost.
pub fn describe(loaded: &LoadedScene, prepared: &Prepared) -> String {
    let scene = &loaded.scene;
    let mut text = format!("{}\n", scene.title);
    for (what, value) in [("source", &scene.source), ("expect", &scene.outcome)] {
        if !value.is_empty() {
            text += &format!("{what}: {value}\n");
        }
    }
    let width = scene
        .regions
        .iter()
        .map(|r| r.name.chars().count())
        .max()
        .unwrap_or(0);
    text += "\nregions\n";
    for region in &scene.regions {
        let model = region
            .model
            .0
            .get_represented_type_info()
            .map_or("", |i| i.type_path_table().short_path());
        text += &format!("  {:width$}  {:>9}  {model}\n", region.name, region.neurons);
    }
    if !prepared.projections.is_empty() {
        text += "\nprojections (expected synapses)\n";
        let width = prepared
            .projections
            .iter()
            .map(|p| p.name.chars().count())
            .max()
            .unwrap_or(0);
        for projection in &prepared.projections {
            text += &format!(
                "  {:width$}  {:>12.0}\n",
                projection.name, projection.synapses
            );
        }
    }
    let cost = prepared.predicted_cost(scene);
    text += &format!(
        "\n{} neurons, {:.0} synapses; memory about {} ({} while building)\n\
         cost per simulated second about {cost:.2} s of one core, if neurons fire at 5 Hz\n",
        prepared.neurons,
        prepared.synapses,
        crate::results::quantities::bytes(prepared.bytes),
        crate::results::quantities::bytes(prepared.peak_bytes),
    );
    if !loaded.parameters.is_empty() {
        let list: Vec<_> = loaded
            .parameters
            .iter()
            .map(|(n, v)| format!("{n} = {v}"))
            .collect();
        text += &format!("parameters (--set): {}\n", list.join(", "));
    }
    text
}
