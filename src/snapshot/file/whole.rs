//! Files that are written whole or not at all.
//!
//! The bytes go to a temporary name in the same folder, are forced to the disk, and take the final name in one step,
//! so that whoever looks at that name sees the old file or the new one, whenever the process is killed. A killed
//! process may leave `.neuropil-*.partial` behind; any other failure removes it.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::process;
use std::sync::atomic::{AtomicU64, Ordering};

/// Calls `fill` to write the content of `path` and gives the file its name once all of it is on the disk.
///
/// A symbolic link is followed, and an existing file's permissions are kept. Refused: a folder, a device or pipe
/// (renaming over `/dev/null` would replace it), and a read-only file. On any error, `fill`'s own included, what was
/// at `path` is untouched.
pub fn write_whole(
    path: &Path,
    fill: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> io::Result<()> {
    let path = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let existing = existing_file(&path)?;
    if path.file_name().is_none() {
        return Err(io::Error::new(
            ErrorKind::InvalidInput,
            "the path does not end in a file name",
        ));
    }
    let folder = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let (file, mut temporary) = Temporary::create(folder)?;
    if let Some(existing) = existing {
        file.set_permissions(existing.permissions())?;
    }
    let mut buffered = BufWriter::with_capacity(1 << 16, &file);
    fill(&mut buffered)?;
    buffered.flush()?;
    drop(buffered);
    file.sync_all()?;
    drop(file);
    fs::rename(&temporary.path, &path)?;
    temporary.is_renamed = true;
    // Makes the new name itself survive a power cut. Not every file system can do it, and the file is whole either
    // way.
    #[cfg(unix)]
    let _ = File::open(folder).and_then(|folder| folder.sync_all());
    Ok(())
}

/// A file that is removed unless it was renamed, also when `fill` panics.
struct Temporary {
    path: PathBuf,
    is_renamed: bool,
}

impl Temporary {
    /// Creates a file of a name that nobody uses: not another thread, process, or killed run whose process number
    /// came round again.
    fn create(folder: &Path) -> io::Result<(File, Self)> {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        loop {
            let number = NEXT.fetch_add(1, Ordering::Relaxed);
            let path = folder.join(format!(".neuropil-{}-{number}.partial", process::id()));
            match OpenOptions::new().write(true).create_new(true).open(&path) {
                Ok(file) => {
                    return Ok((
                        file,
                        Self {
                            path,
                            is_renamed: false,
                        },
                    ));
                }
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
                Err(error) => return Err(with_folder(error, folder)),
            }
        }
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        if !self.is_renamed {
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// What is known of the file that is about to be replaced, or why it must not be.
fn existing_file(path: &Path) -> io::Result<Option<fs::Metadata>> {
    let refuse = |kind, text| Err(io::Error::new(kind, text));
    match fs::metadata(path) {
        Ok(found) if found.is_dir() => refuse(
            ErrorKind::IsADirectory,
            "it is a folder; give the name of a file",
        ),
        Ok(found) if !found.is_file() => refuse(
            ErrorKind::InvalidInput,
            "it is a device or a pipe; give the name of a file",
        ),
        Ok(found) if found.permissions().readonly() => {
            refuse(ErrorKind::PermissionDenied, "it exists and is read-only")
        }
        Ok(found) => Ok(Some(found)),
        Err(_) => Ok(None),
    }
}

fn with_folder(error: io::Error, folder: &Path) -> io::Error {
    io::Error::new(
        error.kind(),
        format!("no file can be created in the folder {folder:?}: {error}"),
    )
}
