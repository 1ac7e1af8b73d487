//! Whole files or none.
//!
//! [`write_whole`] writes to a temporary name in the same folder, forces the bytes to the disk and renames
//! the file over its final name. A run that is killed at any moment leaves the old file or the new one,
//! never a part of either; at worst a hidden `.name.….part` lies beside it.
//!
//! A path that is a symbolic link is followed, so the link stays; a path that is no regular file
//! (`/dev/null`, a pipe) is written straight into, because renaming over it would replace it.
//!
//! Every error names the path, the reason and what to do.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

/// Bytes gathered before they go to the file.
const BUFFER: usize = 1 << 18;

/// Why a file or folder could not be written.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// The folder that should hold the file does not exist.
    #[error("cannot write {}: the folder {} does not exist; create it or choose another path", path.display(), folder.display())]
    FolderMissing {
        /// The file to be written.
        path: PathBuf,
        /// The folder that is missing.
        folder: PathBuf,
    },
    /// A part of the path that should be a folder is a file.
    #[error("cannot write {}: {} is a file, not a folder; choose another path", path.display(), part.display())]
    NotAFolder {
        /// The file or folder to be written.
        path: PathBuf,
        /// The part of the path that is a file.
        part: PathBuf,
    },
    /// The path is a folder.
    #[error("cannot write {}: it is a folder; give the name of a file", path.display())]
    IsAFolder {
        /// The folder.
        path: PathBuf,
    },
    /// The path is a device, a pipe or a socket.
    #[error("cannot write {}: it is a device or a pipe; give the name of a file", path.display())]
    NotAFile {
        /// The path.
        path: PathBuf,
    },
    /// The path names no file, such as an empty text or `..`.
    #[error("cannot write \"{}\": it names no file; give the name of a file", path.display())]
    NoName {
        /// The path as given.
        path: PathBuf,
    },
    /// The system does not allow it.
    #[error("cannot write {}: no permission to write there; change the permissions of the file or its folder, or choose another path", path.display())]
    NoPermission {
        /// The file or folder to be written.
        path: PathBuf,
    },
    /// The file system is mounted without writing.
    #[error("cannot write {}: its file system is read-only; choose another path", path.display())]
    ReadOnly {
        /// The file or folder to be written.
        path: PathBuf,
    },
    /// The disk or the quota is full, or the file is larger than the file system allows.
    #[error("cannot write {}: no space left ({reason}); free some space, record less, or choose another disk", path.display())]
    NoSpace {
        /// The file or folder to be written.
        path: PathBuf,
        /// What the system said.
        reason: io::Error,
    },
    /// Anything else, in the words of the system.
    #[error("cannot write {}: {reason}; check the path and the disk, or choose another path", path.display())]
    Other {
        /// The file or folder to be written.
        path: PathBuf,
        /// What the system said.
        reason: io::Error,
    },
}

impl FileError {
    /// Whether another path would do, whatever the state of the disk.
    pub fn is_of_the_path(&self) -> bool {
        matches!(
            self,
            Self::NotAFolder { .. }
                | Self::IsAFolder { .. }
                | Self::NotAFile { .. }
                | Self::FolderMissing { .. }
                | Self::NoName { .. }
        )
    }
}

/// Writes a file whole: through a temporary name in the same folder, flushed, synced and renamed.
///
/// `write` gets a buffered writer. If it fails or panics, the temporary file is removed and a file that was
/// there before is untouched. An existing file keeps its permissions; one marked read-only is refused.
pub fn write_whole(
    path: impl AsRef<Path>,
    write: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> Result<(), FileError> {
    let asked = path.as_ref();
    let explain = |reason| explain(asked, reason);
    let path = follow_links(asked).map_err(explain)?;
    let (Some(name), Some(folder)) = (path.file_name(), path.parent()) else {
        return Err(match path.is_dir() {
            true => FileError::IsAFolder { path: asked.into() },
            false => FileError::NoName { path: asked.into() },
        });
    };
    let existing = fs::metadata(&path).ok();
    if let Some(existing) = &existing {
        if existing.is_dir() {
            return Err(FileError::IsAFolder { path: asked.into() });
        }
        if !existing.is_file() {
            let mut file = OpenOptions::new()
                .write(true)
                .open(&path)
                .map_err(explain)?;
            return write_buffered(&mut file, write).map_err(explain);
        }
        if existing.permissions().readonly() {
            return Err(FileError::NoPermission { path: asked.into() });
        }
    }

    let (temporary, mut file) =
        Temporary::create(folder, &name.to_string_lossy()).map_err(explain)?;
    write_buffered(&mut file, write).map_err(explain)?;
    if let Some(existing) = existing {
        fs::set_permissions(&temporary.0, existing.permissions()).map_err(explain)?;
    }
    file.sync_all().map_err(explain)?;
    drop(file);
    fs::rename(&temporary.0, &path).map_err(explain)?;
    std::mem::forget(temporary);
    sync_folder(folder);
    Ok(())
}

/// Creates a folder and the folders above it. One that exists already is left as it is.
pub fn create_folder(path: impl AsRef<Path>) -> Result<(), FileError> {
    let path = path.as_ref();
    if path.as_os_str().is_empty() || path.is_dir() {
        return Ok(());
    }
    fs::create_dir_all(path).map_err(|reason| explain(path, reason))
}

/// A file under a temporary name, removed when dropped.
struct Temporary(PathBuf);

impl Temporary {
    /// Creates a file that did not exist, named after the process and a counter.
    fn create(folder: &Path, name: &str) -> io::Result<(Self, File)> {
        static COUNTER: AtomicU32 = AtomicU32::new(0);
        // Names may be 255 bytes long; leave room for what is added.
        let name: String = name.chars().take(50).collect();
        loop {
            let count = COUNTER.fetch_add(1, Ordering::Relaxed);
            let path = folder.join(format!(".{name}.{}-{count}.part", std::process::id()));
            match OpenOptions::new().write(true).create_new(true).open(&path) {
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
                Ok(file) => return Ok((Self(path), file)),
            }
        }
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        // The first error is the one to report; a file that cannot be removed does no harm.
        let _ = fs::remove_file(&self.0);
    }
}

/// Runs `write` through a buffer and flushes it.
fn write_buffered(
    file: &mut File,
    write: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> io::Result<()> {
    let mut buffered = BufWriter::with_capacity(BUFFER, file);
    let outcome = write(&mut buffered).and_then(|()| buffered.flush());
    if outcome.is_err() {
        // What is left in the buffer must not be tried again on drop.
        let _ = buffered.into_parts();
    }
    outcome
}

/// The path itself, or where a symbolic link leads, even if nothing is there yet.
fn follow_links(path: &Path) -> io::Result<PathBuf> {
    const LINKS: usize = 40;
    let mut path = path.to_path_buf();
    for _ in 0..LINKS {
        if !fs::symlink_metadata(&path).is_ok_and(|m| m.file_type().is_symlink()) {
            return Ok(path);
        }
        let target = fs::read_link(&path)?;
        path = match path.parent() {
            Some(folder) => folder.join(target),
            None => target,
        };
    }
    Err(io::Error::other("its symbolic links form a loop"))
}

/// Makes the new name itself durable. Not every file system can, and the data is safe without.
fn sync_folder(folder: &Path) {
    let folder = match folder.as_os_str().is_empty() {
        true => Path::new("."),
        false => folder,
    };
    if let Ok(folder) = File::open(folder) {
        let _ = folder.sync_all();
    }
}

/// Turns what the system said into what to do.
fn explain(path: &Path, reason: io::Error) -> FileError {
    let path = path.to_path_buf();
    match reason.kind() {
        ErrorKind::PermissionDenied => FileError::NoPermission { path },
        ErrorKind::ReadOnlyFilesystem => FileError::ReadOnly { path },
        ErrorKind::IsADirectory => FileError::IsAFolder { path },
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::FileTooLarge => {
            FileError::NoSpace { path, reason }
        }
        ErrorKind::NotFound | ErrorKind::NotADirectory | ErrorKind::AlreadyExists => {
            let mut above: Vec<&Path> = path.ancestors().collect();
            above.retain(|part| !part.as_os_str().is_empty());
            let file = above.iter().find(|part| part.is_file());
            let missing = above.iter().skip(1).rev().find(|part| !part.exists());
            match (file, missing) {
                (Some(part), _) => FileError::NotAFolder {
                    part: part.to_path_buf(),
                    path,
                },
                (None, Some(folder)) => FileError::FolderMissing {
                    folder: folder.to_path_buf(),
                    path,
                },
                (None, None) => FileError::Other { path, reason },
            }
        }
        _ => FileError::Other { path, reason },
    }
}

/// A folder for one test, removed afterwards.
#[cfg(test)]
pub(crate) struct TestFolder(PathBuf);

#[cfg(test)]
impl TestFolder {
    pub(crate) fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("neuropil-{}-{name}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// Names of everything inside, sorted.
    pub(crate) fn names(&self) -> Vec<String> {
        let mut names: Vec<_> = fs::read_dir(&self.0)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
            .collect();
        names.sort();
        names
    }
}

#[cfg(test)]
impl Drop for TestFolder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn file_holds_what_was_written_and_nothing_lies_beside_it() {
        let folder = TestFolder::new("whole");
        let path = folder.path("a.txt");
        write_whole(&path, |out| out.write_all(b"old")).unwrap();
        write_whole(&path, |out| out.write_all(b"new and longer")).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"new and longer");
        assert_eq!(folder.names(), ["a.txt"]);
    }

    #[test]
    fn new_name_appears_only_once_the_file_is_whole() {
        let folder = TestFolder::new("appears");
        let path = folder.path("a.txt");
        write_whole(&path, |out| {
            out.write_all(&vec![b'x'; 3 * BUFFER])?;
            assert!(!path.exists());
            Ok(())
        })
        .unwrap();
        assert_eq!(fs::metadata(&path).unwrap().len(), 3 * BUFFER as u64);
    }

    #[test]
    fn failure_leaves_the_old_file_and_no_temporary() {
        let folder = TestFolder::new("failure");
        let path = folder.path("a.txt");
        write_whole(&path, |out| out.write_all(b"old")).unwrap();
        let error = write_whole(&path, |out| {
            out.write_all(&vec![b'x'; 3 * BUFFER])?;
            Err(ErrorKind::StorageFull.into())
        })
        .unwrap_err();
        assert!(matches!(error, FileError::NoSpace { .. }));
        assert!(error.to_string().contains("a.txt"));
        assert_eq!(fs::read(&path).unwrap(), b"old");
        assert_eq!(folder.names(), ["a.txt"]);
    }

    #[test]
    fn panic_while_writing_leaves_no_temporary() {
        let folder = TestFolder::new("panic");
        let path = folder.path("a.txt");
        let outcome = std::panic::catch_unwind(|| {
            write_whole(&path, |_| {
                panic!("on purpose: this test checks what a panic leaves")
            })
        });
        assert!(outcome.is_err());
        assert!(folder.names().is_empty());
    }

    #[test]
    fn missing_folder_is_named() {
        let folder = TestFolder::new("missing");
        let error = write_whole(folder.path("no/such/a.txt"), |_| Ok(())).unwrap_err();
        let FileError::FolderMissing { folder: named, .. } = &error else {
            panic!("{error}");
        };
        assert_eq!(named, &folder.path("no"));
        assert!(error.to_string().contains("create it"));
    }

    #[test]
    fn file_in_place_of_a_folder_is_named() {
        let folder = TestFolder::new("notafolder");
        fs::write(folder.path("file"), "").unwrap();
        let error = write_whole(folder.path("file/a.txt"), |_| Ok(())).unwrap_err();
        assert!(
            matches!(&error, FileError::NotAFolder { part, .. } if *part == folder.path("file"))
        );
        let error = create_folder(folder.path("file/below")).unwrap_err();
        assert!(matches!(error, FileError::NotAFolder { .. }));
        let error = create_folder(folder.path("file")).unwrap_err();
        assert!(matches!(error, FileError::NotAFolder { .. }));
    }

    #[test]
    fn folder_is_not_overwritten() {
        let folder = TestFolder::new("isafolder");
        create_folder(folder.path("sub/deeper")).unwrap();
        create_folder(folder.path("sub/deeper")).unwrap();
        let error = write_whole(folder.path("sub"), |_| Ok(())).unwrap_err();
        assert!(matches!(error, FileError::IsAFolder { .. }));
        let error = write_whole("", |_| Ok(())).unwrap_err();
        assert!(matches!(error, FileError::NoName { .. }));
        let error = write_whole("/", |_| Ok(())).unwrap_err();
        assert!(matches!(error, FileError::IsAFolder { .. }));
    }

    #[cfg(unix)]
    #[test]
    fn read_only_file_is_refused_and_permissions_are_kept() {
        use std::os::unix::fs::PermissionsExt;
        let folder = TestFolder::new("permissions");
        let path = folder.path("a.txt");
        fs::write(&path, "old").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o444)).unwrap();
        let error = write_whole(&path, |_| Ok(())).unwrap_err();
        assert!(matches!(error, FileError::NoPermission { .. }));
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        write_whole(&path, |out| out.write_all(b"new")).unwrap();
        assert_eq!(
            fs::metadata(&path).unwrap().permissions().mode() & 0o777,
            0o640
        );
    }

    #[cfg(unix)]
    #[test]
    fn links_stay_and_devices_are_written_into() {
        let folder = TestFolder::new("links");
        fs::create_dir(folder.path("real")).unwrap();
        let link = folder.path("link");
        std::os::unix::fs::symlink("real/a.txt", &link).unwrap();
        write_whole(&link, |out| out.write_all(b"through")).unwrap();
        assert!(
            fs::symlink_metadata(&link)
                .unwrap()
                .file_type()
                .is_symlink()
        );
        assert_eq!(fs::read(folder.path("real/a.txt")).unwrap(), b"through");

        write_whole("/dev/null", |out| out.write_all(b"gone")).unwrap();
        assert!(!fs::metadata("/dev/null").unwrap().is_file());

        std::os::unix::fs::symlink("loop", folder.path("loop")).unwrap();
        assert!(write_whole(folder.path("loop"), |_| Ok(())).is_err());
    }
}
