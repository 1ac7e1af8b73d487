//! What can be wrong with a snapshot, in words that a user can act on.

use crate::files::whole::FileError;
use std::io;
use std::path::PathBuf;

use super::section::Kind;

/// Why a snapshot cannot be built, written, read or used.
///
/// A message says what is wrong, where, and what is allowed; it already contains its reason, so there is no `source`
/// to print after it. Whatever came from the file is quoted with its control characters escaped.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SnapshotError {
    /// The bytes are of some other kind of file.
    #[error(
        "this is not a Neuropil snapshot: {found}; a snapshot starts with the bytes 89 4E 50 53 0D 0A 1A 0A"
    )]
    Foreign {
        /// What the bytes look like.
        found: String,
    },

    /// A newer Neuropil wrote it.
    #[error(
        "written by Neuropil {program} (format {format}); this program reads up to format {newest}: \
         resume with Neuropil {program} or newer"
    )]
    Newer {
        /// Version of the program that wrote it.
        program: String,
        /// Format of the file.
        format: u32,
        /// Newest format that this program reads.
        newest: u32,
    },

    /// The bytes end too early.
    #[error(
        "the snapshot is cut short in {place}: {needed} bytes are needed and there are {found}; copy it again, or use an earlier one"
    )]
    CutShort {
        /// Part of the file that is incomplete.
        place: String,
        /// Bytes that the file needs, from its start, as far as can be told.
        needed: u64,
        /// Bytes that there are.
        found: u64,
    },

    /// The bytes contradict themselves or a checksum.
    #[error("the snapshot is damaged in {place}: {reason}; copy it again, or use an earlier one")]
    Damaged {
        /// Part of the file.
        place: String,
        /// What is wrong there, and what would be right.
        reason: String,
    },

    /// A section is larger than the memory that this machine grants.
    #[error("{place} needs {bytes} bytes of memory, more than this machine grants")]
    Memory {
        /// Section.
        place: String,
        /// Size of its payload.
        bytes: u64,
    },

    /// There is no section of this name.
    #[error("the snapshot has no section {name:?}; {known}: was it taken of another scene?")]
    Missing {
        /// Name that was looked for.
        name: String,
        /// The names that come nearest, in words.
        known: String,
    },

    /// A section holds another type.
    #[error(
        "section {name:?} of the snapshot holds {found} (length {len}) where {expected} is expected: was it taken of another scene?"
    )]
    WrongKind {
        /// Section.
        name: String,
        /// Type that was asked for.
        expected: Kind,
        /// Type that it has.
        found: Kind,
        /// Its number of elements.
        len: usize,
    },

    /// A section has another length.
    #[error(
        "section {name:?} of the snapshot holds {found} × {kind} where {expected} × {kind} are expected: was it taken of another scene?"
    )]
    WrongLength {
        /// Section.
        name: String,
        /// Its type.
        kind: Kind,
        /// Number of elements that was asked for.
        expected: usize,
        /// Number of elements that it has.
        found: usize,
    },

    /// A name cannot be a section's name.
    #[error(
        "{start:?}… cannot name a section of a snapshot: it has {len} bytes and 1 to {max} are allowed; shorten the names in the scene"
    )]
    Name {
        /// Beginning of the name.
        start: String,
        /// Its length in bytes.
        len: usize,
        /// Longest allowed length.
        max: usize,
    },

    /// Two sections would have the same name.
    #[error("the snapshot already has a section {name:?}: each name is used once")]
    Duplicate {
        /// Name.
        name: String,
    },

    /// There would be too many sections.
    #[error("a snapshot holds at most {max} sections; there is no room for {name:?}")]
    Full {
        /// Section that does not fit.
        name: String,
        /// Largest number of sections.
        max: usize,
    },

    /// The system could not deliver the bytes.
    #[error("{0}")]
    Io(io::Error),

    /// A file cannot be read as a snapshot.
    #[error("cannot read the snapshot {path:?}: {reason}")]
    Read {
        /// File.
        path: PathBuf,
        /// What is wrong with it.
        reason: Box<SnapshotError>,
    },

    /// A file cannot be written. What was there before is untouched.
    #[error(transparent)]
    Write(FileError),
}
