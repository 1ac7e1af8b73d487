//! What may name what.

/// `view` is an observer: nothing below it names it, nor a graphics crate.
#[test]
fn nothing_below_the_view_names_it() {
    let mut folders = vec![std::path::PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("src")];
    let mut files = 0;
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                if !path.ends_with("view") {
                    folders.push(path);
                }
                continue;
            }
            let name = path
                .file_name()
                .and_then(|n| n.to_str())
                .unwrap_or_default();
            if !name.ends_with(".rs") || ["lib.rs", "cli.rs"].contains(&name) {
                continue;
            }
            files += 1;
            let text = std::fs::read_to_string(&path).expect("a text");
            for word in [
                "crate::view",
                "bevy_egui",
                "egui::",
                "bevy_render",
                "wgpu::",
                "winit::",
            ] {
                assert!(!text.contains(word), "{}: {word}", path.display());
            }
        }
    }
    assert!(files > 50);
}
