//! Files: those that a scene names, and whole ones for what is written.

pub mod whole;

/// Gives the contents of files that a scene names; whoever loads the scene knows where they are.
pub trait Files {
    /// The columns of a CSV file: one entry per needed name, then one per optional name, `None` for one that is absent.
    ///
    /// # Errors
    /// Says what is wrong with the file, and where.
    fn columns(
        &self,
        path: &str,
        needed: &[&str],
        optional: &[&str],
    ) -> Result<Vec<Option<Vec<f64>>>, String>;
}

/// No files at all: for networks made in Rust.
pub struct NoFiles;

impl Files for NoFiles {
    fn columns(
        &self,
        path: &str,
        _needed: &[&str],
        _optional: &[&str],
    ) -> Result<Vec<Option<Vec<f64>>>, String> {
        Err(format!(
            "{path}: this network was not loaded from a folder, so it has no files"
        ))
    }
}
