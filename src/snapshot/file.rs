//! The snapshot container: named, typed, checksummed sections, in memory and in a file.
//!
//! It knows nothing of what the sections mean. Every number is little-endian, and a state has exactly one encoding:
//! whatever [`Snapshot::from_bytes`] accepts, [`Snapshot::to_bytes`] of the same program gives back byte for byte.
//!
//! | part | field | bytes | content |
//! |---|---|---|---|
//! | preamble | magic | 8 | `89 4E 50 53 0D 0A 1A 0A`: not text, and altered by every transfer that alters line ends |
//! | | format | 4 | u32, [`FORMAT`] |
//! | | program length | 4 | u32, 1 to 200 |
//! | | program | … | version that wrote the file, printable ASCII |
//! | | checksum | 4 | of all bytes before it |
//! | table | sections | 4 | u32, at most [`MAX_SECTIONS`] |
//! | | table length | 8 | u64, bytes of all entries |
//! | | entries, each: | 14 + name | |
//! | | · name length | 1 | u8, 1 to [`MAX_NAME`] |
//! | | · name | … | UTF-8, in strictly ascending order of bytes |
//! | | · type | 1 | 1 u8, 2 u32, 3 i32, 4 i64, 5 u64, 6 f32, 7 f64, 8 text |
//! | | · length | 8 | u64, number of elements; for text, of bytes |
//! | | · checksum | 4 | of the payload |
//! | | checksum | 4 | of all bytes of the table before it |
//! | payloads | | … | in the order of the table, without gaps; the last one ends the file |
//!
//! The preamble is the same in every format, so that an old program can name the program that a newer file needs.
//! Checksums are CRC-32 (IEEE), which detects every change of a single bit and every burst of up to 32. They guard
//! against accidents, not against forgers: a forged file is refused or decoded without harm, but may hold any
//! *values*, so whoever restores a section checks its lengths and indices.
//!
//! Reading allocates in proportion to the bytes that are there (at worst, for a table of empty sections, ten times as
//! many): a length is compared with what remains of the file before it is believed.

mod decode;
mod error;
mod section;
#[cfg(test)]
mod tests;

use crate::files::whole::{FileError, write_whole};
use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, BufReader, ErrorKind};
use std::path::Path;

pub use error::SnapshotError;
pub use section::{Element, Kind, Section};

/// Format that this program writes, and the newest that it reads.
pub const FORMAT: u32 = 1;
/// Largest number of sections in a snapshot.
pub const MAX_SECTIONS: usize = 1_000_000;
/// Longest section name, in bytes.
pub const MAX_NAME: usize = 200;

const MAGIC: [u8; 8] = *b"\x89NPS\r\n\x1a\n";
const PROGRAM: &str = env!("CARGO_PKG_VERSION");
const MAX_PROGRAM: usize = 200;
/// Bytes of a table entry apart from its name.
const ENTRY: u64 = 1 + 1 + 8 + 4;

/// The whole state of a simulation as named sections.
///
/// Two snapshots are equal when their sections are, whichever program wrote them.
#[derive(Clone, Debug)]
pub struct Snapshot {
    sections: BTreeMap<String, Section>,
    written_by: String,
}

impl Default for Snapshot {
    fn default() -> Self {
        Self {
            sections: BTreeMap::new(),
            written_by: PROGRAM.to_owned(),
        }
    }
}

impl PartialEq for Snapshot {
    fn eq(&self, other: &Self) -> bool {
        self.sections == other.sections
    }
}

impl Eq for Snapshot {}

/// Filling and using.
impl Snapshot {
    /// A snapshot without sections.
    pub fn new() -> Self {
        Self::default()
    }

    /// Version of the program that wrote the file this snapshot was read from, or of this program.
    pub fn written_by(&self) -> &str {
        &self.written_by
    }

    /// Number of sections.
    pub fn len(&self) -> usize {
        self.sections.len()
    }

    /// Whether there are no sections.
    pub fn is_empty(&self) -> bool {
        self.sections.is_empty()
    }

    /// The names and sections, in ascending order of names.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Section)> {
        self.sections
            .iter()
            .map(|(name, section)| (name.as_str(), section))
    }

    /// Whether there is a section of this name.
    pub fn contains(&self, name: &str) -> bool {
        self.sections.contains_key(name)
    }

    /// Adds a section.
    ///
    /// # Errors
    /// The name is empty, longer than [`MAX_NAME`] bytes or taken (a section is never replaced: two writers of one
    /// name would lose one's state), or there are already [`MAX_SECTIONS`] sections.
    pub fn put(
        &mut self,
        name: impl Into<String>,
        section: impl Into<Section>,
    ) -> Result<(), SnapshotError> {
        let name = name.into();
        if name.is_empty() || name.len() > MAX_NAME {
            let start = name.chars().take(40).collect();
            return Err(SnapshotError::Name {
                start,
                len: name.len(),
                max: MAX_NAME,
            });
        }
        if self.sections.contains_key(&name) {
            return Err(SnapshotError::Duplicate { name });
        }
        if self.sections.len() >= MAX_SECTIONS {
            return Err(SnapshotError::Full {
                name,
                max: MAX_SECTIONS,
            });
        }
        self.sections.insert(name, section.into());
        Ok(())
    }

    /// Removes a section and returns it.
    pub fn remove(&mut self, name: &str) -> Option<Section> {
        self.sections.remove(name)
    }

    /// The section of this name, or an error that lists the nearest names.
    pub fn section(&self, name: &str) -> Result<&Section, SnapshotError> {
        self.sections.get(name).ok_or_else(|| self.missing(name))
    }

    /// The section of this name, which has `len` elements (bytes, for text).
    pub fn expect_len(&self, name: &str, len: usize) -> Result<&Section, SnapshotError> {
        let section = self.section(name)?;
        if section.len() != len {
            return Err(SnapshotError::WrongLength {
                name: name.to_owned(),
                kind: section.kind(),
                expected: len,
                found: section.len(),
            });
        }
        Ok(section)
    }

    /// The values of a section that holds an array of `T`.
    pub fn values<T: Element>(&self, name: &str) -> Result<&[T], SnapshotError> {
        let section = self.section(name)?;
        T::slice_of(section).ok_or_else(|| wrong_kind(name, T::KIND, section))
    }

    /// The values of a section that holds an array of `len` elements of `T`.
    pub fn values_of_len<T: Element>(&self, name: &str, len: usize) -> Result<&[T], SnapshotError> {
        let values = self.values(name)?;
        self.expect_len(name, len)?;
        Ok(values)
    }

    /// The only value of a section that holds one `T`.
    pub fn value<T: Element>(&self, name: &str) -> Result<T, SnapshotError> {
        Ok(self.values_of_len(name, 1)?[0])
    }

    /// Removes a section that holds an array of `T` and returns its values without copying them. On an error nothing
    /// is removed.
    pub fn take<T: Element>(&mut self, name: &str) -> Result<Vec<T>, SnapshotError> {
        self.values::<T>(name)?;
        let section = self
            .sections
            .remove(name)
            .ok_or_else(|| self.missing(name))?;
        T::vec_of(section).map_err(|section| wrong_kind(name, T::KIND, &section))
    }

    /// The text of a section that holds text.
    pub fn text(&self, name: &str) -> Result<&str, SnapshotError> {
        match self.section(name)? {
            Section::Text(text) => Ok(text),
            other => Err(wrong_kind(name, Kind::Text, other)),
        }
    }

    fn missing(&self, name: &str) -> SnapshotError {
        const SHOWN: usize = 6;
        let common = |known: &str| {
            known
                .bytes()
                .zip(name.bytes())
                .take_while(|(one, other)| one == other)
                .count()
        };
        let mut names: Vec<&String> = self.sections.keys().collect();
        names.sort_by_key(|known| Reverse(common(known)));
        let shown = names
            .iter()
            .take(SHOWN)
            .map(|known| format!("{known:?}"))
            .collect::<Vec<_>>()
            .join(", ");
        let known = match names.len() {
            0 => "it has no sections at all".to_owned(),
            1..=SHOWN => format!("it has {shown}"),
            total => format!("the nearest of its {total} are {shown}"),
        };
        SnapshotError::Missing {
            name: name.to_owned(),
            known,
        }
    }
}

macro_rules! typed_getters {
    ($($element:ident $slice:ident),*) => {
        /// The same by type: an array, or a single value.
        impl Snapshot {$(
            #[doc = concat!("The values of a section that holds an array of `", stringify!($element), "`.")]
            pub fn $slice(&self, name: &str) -> Result<&[$element], SnapshotError> {
                self.values(name)
            }

            #[doc = concat!("The only value of a section that holds one `", stringify!($element), "`.")]
            pub fn $element(&self, name: &str) -> Result<$element, SnapshotError> {
                self.value(name)
            }
        )*}
    };
}

typed_getters!(u8 u8s, u32 u32s, i32 i32s, i64 i64s, u64 u64s, f32 f32s, f64 f64s);

/// Writing and reading.
impl Snapshot {
    /// The content of a snapshot file.
    pub fn to_bytes(&self) -> Vec<u8> {
        let (mut bytes, payloads) = self.head();
        bytes.reserve_exact(payloads);
        for section in self.sections.values() {
            bytes.extend_from_slice(&section.little_endian());
        }
        bytes
    }

    /// Reads the content of a snapshot file.
    ///
    /// # Errors
    /// The bytes are foreign, newer, cut short, damaged, or followed by others: see [`SnapshotError`]. No input
    /// panics.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, SnapshotError> {
        decode::decode(bytes, bytes.len() as u64)
    }

    /// Writes a file, whole or not at all: see [`write_whole`]. A device or a pipe is refused, since a snapshot in it is lost.
    pub fn write(&self, path: impl AsRef<Path>) -> Result<(), SnapshotError> {
        let path = path.as_ref();
        if fs::metadata(path).is_ok_and(|found| !found.is_file() && !found.is_dir()) {
            return Err(SnapshotError::Write(FileError::NotAFile {
                path: path.to_owned(),
            }));
        }
        write_whole(path, |out| {
            out.write_all(&self.head().0)?;
            self.sections
                .values()
                .try_for_each(|section| out.write_all(&section.little_endian()))
        })
        .map_err(SnapshotError::Write)
    }

    /// Reads a file. Only a regular file is opened, since a pipe could make the program wait for ever.
    pub fn read(path: impl AsRef<Path>) -> Result<Self, SnapshotError> {
        let path = path.as_ref();
        open(path)
            .map_err(SnapshotError::Io)
            .and_then(|(file, len)| decode::decode(BufReader::with_capacity(1 << 16, file), len))
            .map_err(|reason| SnapshotError::Read {
                path: path.to_owned(),
                reason: Box::new(reason),
            })
    }

    /// The preamble and the table, and how many bytes of payload follow.
    fn head(&self) -> (Vec<u8>, usize) {
        const {
            assert!(
                !PROGRAM.is_empty()
                    && PROGRAM.len() <= MAX_PROGRAM
                    && MAX_NAME <= u8::MAX as usize
                    && MAX_SECTIONS <= u32::MAX as usize
            )
        };
        let mut head = MAGIC.to_vec();
        head.extend(FORMAT.to_le_bytes());
        head.extend((PROGRAM.len() as u32).to_le_bytes());
        head.extend(PROGRAM.bytes());
        head.extend(crc32fast::hash(&head).to_le_bytes());

        let table = head.len();
        let table_len = self
            .sections
            .keys()
            .map(|name| ENTRY + name.len() as u64)
            .sum::<u64>();
        head.extend((self.sections.len() as u32).to_le_bytes());
        head.extend(table_len.to_le_bytes());
        let mut payloads = 0;
        for (name, section) in &self.sections {
            let payload = section.little_endian();
            payloads += payload.len();
            head.push(name.len() as u8);
            head.extend(name.bytes());
            head.push(section.kind().code());
            head.extend((section.len() as u64).to_le_bytes());
            head.extend(crc32fast::hash(&payload).to_le_bytes());
        }
        head.extend(crc32fast::hash(&head[table..]).to_le_bytes());
        (head, payloads)
    }
}

fn wrong_kind(name: &str, expected: Kind, found: &Section) -> SnapshotError {
    SnapshotError::WrongKind {
        name: name.to_owned(),
        expected,
        found: found.kind(),
        len: found.len(),
    }
}

fn open(path: &Path) -> io::Result<(File, u64)> {
    let found = fs::metadata(path)?;
    if found.is_dir() {
        return Err(io::Error::new(
            ErrorKind::IsADirectory,
            "it is a folder; give the name of a file",
        ));
    }
    if !found.is_file() {
        return Err(io::Error::new(
            ErrorKind::InvalidInput,
            "it is a device or a pipe; copy it to a file first",
        ));
    }
    let file = File::open(path)?;
    let len = file.metadata()?.len();
    Ok((file, len))
}
