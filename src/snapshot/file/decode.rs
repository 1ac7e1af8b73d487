//! Reading bytes that may be anything: every field is checked before it is used, in the order of the file.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::io::{self, ErrorKind, Read};

use super::section::little_endian_to_native;
use super::{
    ENTRY, Element, FORMAT, Kind, MAGIC, MAX_NAME, MAX_PROGRAM, MAX_SECTIONS, Section, Snapshot,
    SnapshotError,
};

/// Words of the buffer that payloads are read through: small enough to stay in cache between the checksum and the
/// copy.
pub(super) const CHUNK: u64 = 1 << 15;

/// A section as the table announces it.
struct Entry {
    name: String,
    kind: Kind,
    /// Elements.
    len: u64,
    /// `len` times the element's width.
    bytes: u64,
    checksum: u32,
}

/// Reads one snapshot that is all of the `len` bytes of `reader`.
pub(super) fn decode(reader: impl Read, len: u64) -> Result<Snapshot, SnapshotError> {
    let mut input = Input {
        reader,
        len,
        at: 0,
        chunk: vec![0; len.div_ceil(8).min(CHUNK) as usize],
    };
    let written_by = preamble(&mut input)?;
    let entries = table(&mut input)?;

    let mut end = input.at;
    let mut incomplete = None;
    for entry in &entries {
        end = end.checked_add(entry.bytes).ok_or_else(|| {
            damaged(
                "the table",
                "the sections are longer together than any file",
            )
        })?;
        if end > len && incomplete.is_none() {
            incomplete = Some(&entry.name);
        }
    }
    if let Some(name) = incomplete {
        return Err(SnapshotError::CutShort {
            place: format!("section {name:?}"),
            needed: end,
            found: len,
        });
    }
    if end < len {
        return Err(damaged(
            "its end",
            format!(
                "the last section ends at byte {end}, and {} bytes follow it where none may",
                len - end
            ),
        ));
    }

    let mut sections = BTreeMap::new();
    for entry in entries {
        let section = input.section(&entry)?;
        sections.insert(entry.name, section);
    }
    Ok(Snapshot {
        sections,
        written_by,
    })
}

/// Reads the part that is the same in every format, and returns the version of the program that wrote the file.
fn preamble<R: Read>(input: &mut Input<R>) -> Result<String, SnapshotError> {
    const PLACE: &str = "the preamble";
    let mut head = [0; 16];
    let there = head
        .len()
        .min(usize::try_from(input.len).unwrap_or(usize::MAX));
    input.fill(&mut head[..there], PLACE)?;
    check_magic(&head[..there])?;
    if there < head.len() {
        return Err(SnapshotError::CutShort {
            place: PLACE.to_owned(),
            needed: head.len() as u64,
            found: there as u64,
        });
    }
    let mut fields = &head[MAGIC.len()..];
    let (format, program_len) = (
        u32::from_le_bytes(pop(&mut fields)),
        u32::from_le_bytes(pop(&mut fields)) as usize,
    );
    if program_len == 0 || program_len > MAX_PROGRAM {
        return Err(damaged(
            PLACE,
            format!(
                "the program's version has {program_len} bytes where 1 to {MAX_PROGRAM} are allowed"
            ),
        ));
    }
    let mut program = vec![0; program_len];
    input.fill(&mut program, PLACE)?;
    let mut checksum = crc32fast::Hasher::new();
    checksum.update(&head);
    checksum.update(&program);
    input.compare(checksum.finalize(), PLACE)?;

    let program = String::from_utf8(program)
        .ok()
        .filter(|program| program.bytes().all(|byte| (b' '..=b'~').contains(&byte)));
    let Some(program) = program else {
        return Err(damaged(
            PLACE,
            "the program's version is not printable ASCII",
        ));
    };
    if format > FORMAT {
        return Err(SnapshotError::Newer {
            program,
            format,
            newest: FORMAT,
        });
    }
    if format == 0 {
        return Err(damaged(
            PLACE,
            format!("it says format 0, and formats 1 to {FORMAT} exist"),
        ));
    }
    Ok(program)
}

/// Recognises a snapshot by its first bytes, of which there may be fewer than eight.
fn check_magic(head: &[u8]) -> Result<(), SnapshotError> {
    const KNOWN: [(&[u8], &str); 6] = [
        (b"\x89PNG", "it is a PNG image"),
        (
            b"\x1f\x8b",
            "it is compressed with gzip, decompress it first",
        ),
        (
            b"\x28\xb5\x2f\xfd",
            "it is compressed with zstd, decompress it first",
        ),
        (b"PK\x03\x04", "it is a zip archive, unpack it first"),
        (b"\x89HDF", "it is an HDF5 file"),
        (b"\x7fELF", "it is a program"),
    ];
    let shared = head.len().min(MAGIC.len());
    if shared > 0 && head[..shared] == MAGIC[..shared] {
        return Ok(());
    }
    if head.starts_with(&MAGIC[..4]) {
        return Err(damaged(
            "its first eight bytes",
            "line ends were changed on the way; it must be copied as binary",
        ));
    }
    let found = if head.is_empty() {
        "it is empty".to_owned()
    } else if let Some((_, words)) = KNOWN.iter().find(|(magic, _)| head.starts_with(magic)) {
        (*words).to_owned()
    } else if head
        .iter()
        .all(|byte| matches!(byte, b'\t' | b'\n' | b'\r' | b' '..=b'~'))
    {
        format!(
            "it starts with the text {:?}",
            String::from_utf8_lossy(head)
        )
    } else {
        let bytes: Vec<String> = head[..shared]
            .iter()
            .map(|byte| format!("{byte:02X}"))
            .collect();
        format!("it starts with the bytes {}", bytes.join(" "))
    };
    Err(SnapshotError::Foreign { found })
}

/// Reads the table, whose checksum is compared before any entry is looked at.
fn table<R: Read>(input: &mut Input<R>) -> Result<Vec<Entry>, SnapshotError> {
    const PLACE: &str = "the table";
    let mut head = [0; 12];
    input.fill(&mut head, PLACE)?;
    let mut fields = head.as_slice();
    let (count, table_len) = (
        u32::from_le_bytes(pop(&mut fields)),
        u64::from_le_bytes(pop(&mut fields)),
    );
    if count as usize > MAX_SECTIONS {
        return Err(damaged(
            PLACE,
            format!("it says {count} sections, and at most {MAX_SECTIONS} are allowed"),
        ));
    }
    let (least, most) = (
        u64::from(count) * (ENTRY + 1),
        u64::from(count) * (ENTRY + MAX_NAME as u64),
    );
    if !(least..=most).contains(&table_len) {
        return Err(damaged(
            PLACE,
            format!("it says {table_len} bytes for {count} sections, which take {least} to {most}"),
        ));
    }
    let mut checksum = crc32fast::Hasher::new();
    checksum.update(&head);
    let bytes = input.values::<u8>(table_len, &mut checksum, PLACE)?;
    input.compare(checksum.finalize(), PLACE)?;

    let mut rest = bytes.as_slice();
    let mut entries: Vec<Entry> = Vec::with_capacity(count as usize);
    for number in 1..=count {
        let entry = entry(&mut rest, || {
            format!("entry {number} of {count} in the table")
        })?;
        match entries.last().map(|last| last.name.cmp(&entry.name)) {
            Some(Ordering::Equal) => return Err(SnapshotError::Duplicate { name: entry.name }),
            Some(Ordering::Greater) => {
                return Err(damaged(
                    PLACE,
                    format!(
                        "section {:?} is out of order; names ascend and occur once",
                        entry.name
                    ),
                ));
            }
            _ => entries.push(entry),
        }
    }
    if !rest.is_empty() {
        return Err(damaged(
            PLACE,
            format!("{} bytes follow its last entry where none may", rest.len()),
        ));
    }
    Ok(entries)
}

/// Takes one entry off the table.
fn entry(rest: &mut &[u8], place: impl Fn() -> String) -> Result<Entry, SnapshotError> {
    let wrong = |reason: String| damaged(place(), reason);
    let name_len = rest.first().map_or(0, |len| usize::from(*len));
    if name_len == 0 || name_len > MAX_NAME {
        return Err(wrong(format!(
            "the name has {name_len} bytes where 1 to {MAX_NAME} are allowed"
        )));
    }
    if rest.len() < ENTRY as usize + name_len {
        return Err(wrong("it reaches beyond the table".to_owned()));
    }
    let (name, mut fields) = rest[1..].split_at(name_len);
    let name = String::from_utf8(name.to_vec()).map_err(|_| {
        wrong(format!(
            "the name {:?} is not UTF-8",
            String::from_utf8_lossy(name)
        ))
    })?;
    let [code] = pop(&mut fields);
    let kind = Kind::from_code(code).ok_or_else(|| {
        wrong(format!(
            "section {name:?} has the type {code}, and types 1 to 8 exist"
        ))
    })?;
    let len = u64::from_le_bytes(pop(&mut fields));
    let bytes = len.checked_mul(kind.width() as u64).ok_or_else(|| {
        wrong(format!(
            "section {name:?} has {len} × {kind}, longer than any file"
        ))
    })?;
    let checksum = u32::from_le_bytes(pop(&mut fields));
    *rest = fields;
    Ok(Entry {
        name,
        kind,
        len,
        bytes,
        checksum,
    })
}

/// Takes `N` bytes off the front of bytes that are known to have them.
fn pop<const N: usize>(bytes: &mut &[u8]) -> [u8; N] {
    let (first, rest) = bytes.split_first_chunk().expect("the length was checked");
    *bytes = rest;
    *first
}

/// Bytes of a known length, of which `at` are read.
struct Input<R> {
    reader: R,
    len: u64,
    at: u64,
    /// Words rather than bytes, so that a part of it can be seen as elements of any type.
    chunk: Vec<u64>,
}

impl<R: Read> Input<R> {
    /// Says that `bytes` more bytes are needed.
    fn need(&self, bytes: u64, place: &str) -> Result<(), SnapshotError> {
        let needed = self.at.saturating_add(bytes);
        if needed > self.len {
            return Err(SnapshotError::CutShort {
                place: place.to_owned(),
                needed,
                found: self.len,
            });
        }
        Ok(())
    }

    fn fill(&mut self, out: &mut [u8], place: &str) -> Result<(), SnapshotError> {
        self.need(out.len() as u64, place)?;
        fill(&mut self.reader, out)?;
        self.at += out.len() as u64;
        Ok(())
    }

    /// Reads a checksum and compares it.
    fn compare(&mut self, computed: u32, place: &str) -> Result<(), SnapshotError> {
        let mut stored = [0; 4];
        self.fill(&mut stored, place)?;
        compare(u32::from_le_bytes(stored), computed, place)
    }

    /// Reads `len` elements and adds their bytes to `checksum`.
    fn values<T: Element>(
        &mut self,
        len: u64,
        checksum: &mut crc32fast::Hasher,
        place: &str,
    ) -> Result<Vec<T>, SnapshotError> {
        let width = size_of::<T>();
        let mut left = len.saturating_mul(width as u64);
        self.need(left, place)?;
        let out_of_memory = || SnapshotError::Memory {
            place: place.to_owned(),
            bytes: len.saturating_mul(width as u64),
        };
        let mut values = Vec::new();
        let reserved = usize::try_from(len)
            .ok()
            .filter(|len| values.try_reserve_exact(*len).is_ok());
        reserved.ok_or_else(out_of_memory)?;
        let chunk: &mut [u8] = bytemuck::cast_slice_mut(&mut self.chunk);
        while left > 0 {
            // Both sides are multiples of the width.
            let part_len = usize::try_from(left).unwrap_or(usize::MAX).min(chunk.len());
            let part = &mut chunk[..part_len];
            fill(&mut self.reader, part)?;
            checksum.update(part);
            little_endian_to_native(part, width);
            values.extend_from_slice(bytemuck::cast_slice(part));
            self.at += part_len as u64;
            left -= part_len as u64;
        }
        Ok(values)
    }

    /// Reads the payload of a section.
    fn section(&mut self, entry: &Entry) -> Result<Section, SnapshotError> {
        let place = format!("section {:?}", entry.name);
        let mut checksum = crc32fast::Hasher::new();
        let section = match entry.kind {
            Kind::U8 | Kind::Text => Section::U8(self.values(entry.len, &mut checksum, &place)?),
            Kind::U32 => Section::U32(self.values(entry.len, &mut checksum, &place)?),
            Kind::I32 => Section::I32(self.values(entry.len, &mut checksum, &place)?),
            Kind::I64 => Section::I64(self.values(entry.len, &mut checksum, &place)?),
            Kind::U64 => Section::U64(self.values(entry.len, &mut checksum, &place)?),
            Kind::F32 => Section::F32(self.values(entry.len, &mut checksum, &place)?),
            Kind::F64 => Section::F64(self.values(entry.len, &mut checksum, &place)?),
        };
        compare(entry.checksum, checksum.finalize(), &place)?;
        match (entry.kind, section) {
            (Kind::Text, Section::U8(bytes)) => String::from_utf8(bytes)
                .map(Section::Text)
                .map_err(|error| {
                    damaged(
                        place,
                        format!(
                            "its text is not UTF-8 from byte {}",
                            error.utf8_error().valid_up_to()
                        ),
                    )
                }),
            (_, section) => Ok(section),
        }
    }
}

fn fill(reader: &mut impl Read, out: &mut [u8]) -> Result<(), SnapshotError> {
    reader.read_exact(out).map_err(|error| match error.kind() {
        ErrorKind::UnexpectedEof => SnapshotError::Io(io::Error::new(
            error.kind(),
            "the file became shorter while it was read",
        )),
        _ => SnapshotError::Io(error),
    })
}

fn compare(stored: u32, computed: u32, place: &str) -> Result<(), SnapshotError> {
    if stored == computed {
        return Ok(());
    }
    Err(damaged(
        place,
        format!("its bytes have the checksum {computed:08x} where {stored:08x} was written"),
    ))
}

fn damaged(place: impl Into<String>, reason: impl Into<String>) -> SnapshotError {
    SnapshotError::Damaged {
        place: place.into(),
        reason: reason.into(),
    }
}
