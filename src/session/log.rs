//! A log of commands as a file: `[(step: 1200, command: Lesion(region: "E", neurons: Fraction(0.1))), …]`.

use super::command::LoggedCommand;
use crate::scene::context::Context;
use crate::scene::decode::Decoder;
use crate::scene::encode::encode_with;
use crate::scene::error::SceneError;
use crate::scene::load::read_text;
use crate::scene::parse::parse;
use crate::simulation::Registry;
use std::path::Path;

/// The log as text.
///
/// # Errors
/// A value has no form in a scene.
pub fn write_log(log: &[LoggedCommand], registry: &Registry) -> Result<String, String> {
    encode_with(&log.to_vec(), &registry.types.read())
        .map(|text| text + "\n")
        .map_err(|e| e.to_string())
}

/// Reads a log from a file.
///
/// # Errors
/// Why the file cannot be read, or what is wrong in it, with line and column.
pub fn read_log_file(path: &Path, registry: &Registry) -> Result<Vec<LoggedCommand>, SceneError> {
    read_log(&read_text(path)?, &path.display().to_string(), registry)
}

/// Reads a log. `file` is its name in messages.
///
/// # Errors
/// What is wrong, with line and column.
pub fn read_log(
    text: &str,
    file: &str,
    registry: &Registry,
) -> Result<Vec<LoggedCommand>, SceneError> {
    let node = parse(text, file)?;
    let context = Context::new(file, &[], &[], &[])?;
    Decoder::new(&registry.types.read(), &context, file).decode(&node)
}
