//! Laws of the container, and how it treats hostile bytes.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use super::decode::CHUNK;
use super::*;

/// A snapshot with every type, an empty array, a long name and floats that do not equal themselves.
fn small() -> Snapshot {
    let mut snapshot = Snapshot::new();
    let mut put = |name: &str, section: Section| snapshot.put(name, section).unwrap();
    put("clock/step", 123_456_789_012u64.into());
    put("E/flags", vec![1u8, 0, 255].into());
    put("E/input", [i32::MIN, -1, 0, i32::MAX].into());
    put("E/wide", [i64::MIN, i64::MAX].into());
    put(
        "E/v",
        [0.0f32, -0.0, f32::NAN, f32::from_bits(0x7fa0_0001), -65.5].into(),
    );
    put("E/theta", [f64::MIN_POSITIVE, f64::INFINITY].into());
    put("E/spikes", Section::U32(vec![]));
    put("scene", "(regions: [\"É\"])".into());
    put(&"ü".repeat(100), 7u8.into());
    snapshot
}

/// The error of refused bytes, in words.
fn refusal(bytes: &[u8]) -> String {
    Snapshot::from_bytes(bytes)
        .expect_err("these bytes are to be refused")
        .to_string()
}

#[track_caller]
fn assert_says(message: &str, words: &[&str]) {
    for word in words {
        assert!(message.contains(word), "{message:?} does not say {word:?}");
    }
}

/// Where the table starts, after the preamble.
fn table_start(bytes: &[u8]) -> usize {
    20 + u32::from_le_bytes(bytes[12..16].try_into().unwrap()) as usize
}

/// A preamble with a right checksum.
fn forged_preamble(format: u32, program: &[u8]) -> Vec<u8> {
    let mut bytes = MAGIC.to_vec();
    bytes.extend(format.to_le_bytes());
    bytes.extend((program.len() as u32).to_le_bytes());
    bytes.extend(program);
    bytes.extend(crc32fast::hash(&bytes).to_le_bytes());
    bytes
}

/// A file with a right preamble and a table of these entries that says `count`, with a right checksum.
fn forged(count: u32, entries: &[u8], payloads: &[u8]) -> Vec<u8> {
    let mut table = count.to_le_bytes().to_vec();
    table.extend((entries.len() as u64).to_le_bytes());
    table.extend(entries);
    table.extend(crc32fast::hash(&table).to_le_bytes());
    [forged_preamble(FORMAT, b"0.1.0"), table, payloads.to_vec()].concat()
}

fn forged_entry(name: &[u8], code: u8, len: u64, payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![name.len() as u8];
    bytes.extend(name);
    bytes.push(code);
    bytes.extend(len.to_le_bytes());
    bytes.extend(crc32fast::hash(payload).to_le_bytes());
    bytes
}

/// Number `index` of a stream that depends on nothing else (SplitMix64).
fn random(index: u64) -> u64 {
    let mut bits = index.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}

/// An empty folder that is removed at the end of the test.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!(
            "neuropil-snapshot-test-{}-{number}",
            std::process::id()
        ));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    fn names(&self) -> Vec<String> {
        let mut names: Vec<String> = fs::read_dir(&self.0)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[test]
fn a_snapshot_survives_bytes_and_files_bit_for_bit() {
    let folder = Folder::new();
    for snapshot in [Snapshot::new(), small()] {
        let bytes = snapshot.to_bytes();
        let again = Snapshot::from_bytes(&bytes).unwrap();
        assert_eq!(again, snapshot);
        assert_eq!(again.to_bytes(), bytes);
        assert_eq!(again.written_by(), PROGRAM);

        let path = folder.file("state.snapshot");
        snapshot.write(&path).unwrap();
        assert_eq!(
            fs::read(&path).unwrap(),
            bytes,
            "a file is exactly its bytes"
        );
        assert_eq!(Snapshot::read(&path).unwrap(), snapshot);
    }
    assert_eq!(folder.names(), ["state.snapshot"]);
}

#[test]
fn arrays_longer_than_the_buffer_survive() {
    // One element fewer than, as many as, and one more than fit the buffer, at a payload that starts on an odd byte.
    for extra in [-1i64, 0, 1] {
        let len = (CHUNK as i64 * 2 + extra) as u64;
        let mut snapshot = Snapshot::new();
        snapshot.put("a", 1u8).unwrap();
        snapshot
            .put(
                "b",
                (0..len as u32)
                    .map(|index| f32::from_bits(random(u64::from(index)) as u32))
                    .collect::<Vec<_>>(),
            )
            .unwrap();
        snapshot
            .put("c", (0..len).map(random).collect::<Vec<_>>())
            .unwrap();
        let bytes = snapshot.to_bytes();
        assert_eq!(Snapshot::from_bytes(&bytes).unwrap(), snapshot);
        // The bytes themselves may lie at any address.
        let shifted = [vec![0], bytes].concat();
        assert_eq!(Snapshot::from_bytes(&shifted[1..]).unwrap(), snapshot);
    }
}

#[test]
fn format_1_is_these_bytes_for_ever() {
    let mut snapshot = Snapshot::new();
    snapshot.put("n", [1u32, 0x0203_0405]).unwrap();
    snapshot.put("t", "µ").unwrap();
    let bytes = snapshot.to_bytes();
    // The checksums are those of Python's zlib.crc32.
    let mut expected = forged_preamble(1, PROGRAM.as_bytes());
    #[rustfmt::skip]
    expected.extend([
        2, 0, 0, 0,   30, 0, 0, 0, 0, 0, 0, 0,
        1, b'n', 2,   2, 0, 0, 0, 0, 0, 0, 0,   0xf6, 0xb5, 0x7c, 0x5c,
        1, b't', 8,   2, 0, 0, 0, 0, 0, 0, 0,   0x30, 0xe0, 0x1e, 0x03,
        0xd1, 0x76, 0xb0, 0xa9,
        1, 0, 0, 0,   5, 4, 3, 2,
        0xc2, 0xb5,
    ]);
    assert_eq!(
        bytes, expected,
        "format 1 changed: raise FORMAT, keep reading format 1, and pin the new bytes here"
    );
}

#[test]
fn truncation_at_every_byte_is_refused() {
    let bytes = small().to_bytes();
    for len in 0..bytes.len() {
        let message = refusal(&bytes[..len]);
        let expected = if len == 0 {
            "it is empty"
        } else {
            "is cut short in"
        };
        assert_says(&message, &[expected]);
        if len > 0 {
            assert_says(&message, &[&format!("there are {len};")]);
        }
    }
    assert_says(
        &refusal(&bytes[..bytes.len() - 1]),
        &[
            "section \"üüü",
            &format!("{} bytes are needed", bytes.len()),
        ],
    );
}

#[test]
fn every_single_bit_flip_is_refused() {
    let mut bytes = small().to_bytes();
    for bit in 0..bytes.len() * 8 {
        bytes[bit / 8] ^= 1 << (bit % 8);
        assert!(
            Snapshot::from_bytes(&bytes).is_err(),
            "bit {bit} was flipped and nobody saw it"
        );
        bytes[bit / 8] ^= 1 << (bit % 8);
    }
}

#[test]
fn bytes_after_the_end_are_refused() {
    let bytes = small().to_bytes();
    let end = bytes.len();
    assert_says(
        &refusal(&[bytes.clone(), vec![0]].concat()),
        &[
            "damaged in its end",
            &format!("ends at byte {end}, and 1 bytes follow"),
        ],
    );
    assert_says(
        &refusal(&[bytes.clone(), bytes].concat()),
        &[&format!("and {end} bytes follow")],
    );
}

#[test]
fn random_damage_is_refused() {
    let original = small().to_bytes();
    let mut draw = (0..).map(random);
    let mut below = |limit: usize| (draw.next().unwrap() % limit as u64) as usize;
    for _ in 0..20_000 {
        let mut bytes = original.clone();
        for _ in 0..=below(4) {
            let at = below(bytes.len());
            match below(5) {
                0 => bytes[at] = below(256) as u8,
                1 => drop(bytes.remove(at)),
                2 => bytes.insert(at, below(256) as u8),
                3 => bytes.truncate(at + 1),
                _ => {
                    let to = below(bytes.len());
                    bytes.copy_within(at.min(to)..at.max(to), below(at.min(to) + 1));
                }
            }
        }
        if let Ok(snapshot) = Snapshot::from_bytes(&bytes) {
            assert_eq!(bytes, original, "damaged bytes were taken for {snapshot:?}");
        }
    }
}

/// The checksums are made right again after the damage, so that the decoder behind them is reached. What it accepts,
/// it has understood completely.
#[test]
fn forged_damage_is_refused_or_understood() {
    let original = small().to_bytes();
    let start = table_start(&original);
    let entries_len =
        u64::from_le_bytes(original[start + 4..start + 12].try_into().unwrap()) as usize;
    let (entries, payloads) = (
        &original[start + 12..][..entries_len],
        &original[start + 16 + entries_len..],
    );
    let mut draw = (1 << 40..).map(random);
    let mut below = |limit: usize| (draw.next().unwrap() % limit as u64) as usize;
    let mut accepted = 0;
    for _ in 0..50_000 {
        let mut entries = entries.to_vec();
        let mut payloads = payloads.to_vec();
        let mut count = 9;
        for _ in 0..=below(2) {
            if entries.is_empty() {
                break;
            }
            let at = below(entries.len());
            match below(7) {
                0 => entries[at] = below(256) as u8,
                1 => entries[at] = entries[at].wrapping_add(1),
                2 => drop(entries.remove(at)),
                3 => entries.insert(at, below(256) as u8),
                4 => entries.truncate(at + 1),
                5 => count = [0, 1, 8, 10, 1_000_000, 1_000_001, u32::MAX][below(7)],
                _ => payloads.truncate(below(payloads.len() + 1)),
            }
        }
        let bytes = forged(count, &entries, &payloads);
        if let Ok(snapshot) = Snapshot::from_bytes(&bytes) {
            accepted += 1;
            assert_eq!(
                snapshot.to_bytes()[table_start(&snapshot.to_bytes())..],
                bytes[table_start(&bytes)..],
                "a state has one encoding"
            );
        }
    }
    assert!(
        accepted > 100,
        "only {accepted} forgeries came through, so the decoder is not being tested"
    );
}

#[test]
fn hostile_lengths_are_refused_before_memory_is_asked_for() {
    let huge = [
        u64::MAX,
        u64::MAX / 8,
        u64::MAX / 8 + 1,
        u64::MAX - 100,
        1 << 63,
        1 << 40,
        1,
    ];
    for len in huge {
        for code in 1..=8 {
            assert!(
                Snapshot::from_bytes(&forged(1, &forged_entry(b"a", code, len, b""), b"")).is_err(),
                "type {code}, length {len}"
            );
        }
        let two = [
            forged_entry(b"a", 1, u64::MAX - 200, b""),
            forged_entry(b"b", 1, len, b""),
        ]
        .concat();
        assert!(Snapshot::from_bytes(&forged(2, &two, b"")).is_err());
        let mut bytes = forged(1, &forged_entry(b"a", 1, 0, b""), b"");
        let start = table_start(&bytes);
        bytes[start + 4..start + 12].copy_from_slice(&len.to_le_bytes());
        assert_says(
            &refusal(&bytes),
            &["bytes for 1 sections, which take 15 to 214"],
        );
    }
    assert_says(
        &refusal(&forged(1, &forged_entry(b"a", 5, 1 << 40, b""), b"")),
        &["cut short in section \"a\"", "8796093022"],
    );
    assert_says(
        &refusal(&forged(
            1,
            &forged_entry(b"a", 5, u64::MAX / 8 + 1, b""),
            b"",
        )),
        &["× u64, longer than any file"],
    );
    assert_says(
        &refusal(&forged(1_000_001, b"", b"")),
        &["1000001 sections, and at most 1000000 are allowed"],
    );
    let claims_many = [
        forged_preamble(FORMAT, b"0.1.0"),
        1_000_000u32.to_le_bytes().to_vec(),
        15_000_000u64.to_le_bytes().to_vec(),
    ]
    .concat();
    assert_says(
        &refusal(&claims_many),
        &["cut short in the table", "15000037 bytes"],
    );
}

#[test]
fn a_table_that_breaks_a_rule_is_refused() {
    let a = forged_entry(b"a", 1, 0, b"");
    let b = forged_entry(b"b", 1, 0, b"");
    assert!(Snapshot::from_bytes(&forged(2, &[a.clone(), b.clone()].concat(), b"")).is_ok());
    let is_refused = |count: u32, entries: Vec<u8>, payloads: &[u8], words: &[&str]| {
        assert_says(&refusal(&forged(count, &entries, payloads)), words)
    };
    is_refused(
        2,
        [a.clone(), a.clone()].concat(),
        b"",
        &["already has a section \"a\""],
    );
    is_refused(
        2,
        [b.clone(), a.clone()].concat(),
        b"",
        &["section \"a\" is out of order"],
    );
    is_refused(
        3,
        [a.clone(), b.clone(), a.clone()].concat(),
        b"",
        &["section \"a\" is out of order"],
    );
    is_refused(
        1,
        forged_entry(b"\xff!", 1, 0, b""),
        b"",
        &["entry 1 of 1 in the table", "is not UTF-8"],
    );
    is_refused(
        1,
        forged_entry(&[b'x'; 201], 1, 0, b""),
        b"",
        &["215 bytes for 1 sections, which take 15 to 214"],
    );
    is_refused(
        2,
        [forged_entry(&[b'x'; 201], 1, 0, b""), b.clone()].concat(),
        b"",
        &["entry 1 of 2", "the name has 201 bytes where 1 to 200"],
    );
    is_refused(
        2,
        [forged_entry(b"", 1, 0, b""), forged_entry(b"bc", 1, 0, b"")].concat(),
        b"",
        &["the name has 0 bytes"],
    );
    is_refused(
        1,
        forged_entry(b"a", 0, 0, b""),
        b"",
        &["section \"a\" has the type 0, and types 1 to 8 exist"],
    );
    is_refused(1, forged_entry(b"a", 9, 0, b""), b"", &["has the type 9"]);
    is_refused(
        1,
        [a.clone(), vec![1]].concat(),
        b"",
        &["1 bytes follow its last entry"],
    );
    is_refused(
        2,
        [a.clone(), forged_entry(b"longer", 1, 0, b"")[..16].to_vec()].concat(),
        b"",
        &["entry 2 of 2", "beyond the table"],
    );
    is_refused(
        1,
        forged_entry(b"t", 8, 3, b"ab\xff"),
        b"ab\xff",
        &["section \"t\"", "not UTF-8 from byte 2"],
    );
    is_refused(
        1,
        forged_entry(b"n", 2, 1, b"abcd"),
        b"abce",
        &["section \"n\"", "checksum"],
    );
    is_refused(
        1,
        forged_entry(b"\x1b[2J\n", 2, 1, b"abcd"),
        b"abce",
        &["section \"\\u{1b}[2J\\n\""],
    );
}

#[test]
fn foreign_files_are_named() {
    let png = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x01";
    assert_eq!(
        refusal(png),
        "this is not a Neuropil snapshot: it is a PNG image; a snapshot starts with the bytes 89 4E 50 53 0D 0A 1A 0A"
    );
    assert_says(&refusal(b""), &["not a Neuropil snapshot: it is empty;"]);
    assert_says(
        &refusal(b"(regions: [])"),
        &["it starts with the text \"(regions: [])\""],
    );
    assert_says(
        &refusal(b"version https://git-lfs.github.com/spec/v1"),
        &["the text \"version https://\""],
    );
    assert_says(&refusal(b"\x1f\x8b\x08"), &["decompress it first"]);
    assert_says(
        &refusal(&[0, 1, 2]),
        &["it starts with the bytes 00 01 02;"],
    );
    assert_says(&refusal(b"\x89"), &["cut short in the preamble"]);

    let mut converted = small().to_bytes();
    assert_eq!(converted.remove(4), b'\r');
    assert_says(
        &refusal(&converted),
        &["line ends were changed", "copied as binary"],
    );
}

#[test]
fn a_newer_format_names_the_program_that_reads_it() {
    // Whatever follows the preamble of a newer format is none of our business.
    let bytes = [
        forged_preamble(FORMAT + 1, b"7.3.1-beta"),
        b"anything".to_vec(),
    ]
    .concat();
    assert_eq!(
        refusal(&bytes),
        "written by Neuropil 7.3.1-beta (format 2); this program reads up to format 1: resume with Neuropil 7.3.1-beta or newer"
    );
    assert_says(
        &refusal(&forged_preamble(u32::MAX, b"9")),
        &["(format 4294967295)"],
    );
    assert_says(
        &refusal(&forged_preamble(0, b"9")),
        &["format 0, and formats 1 to 1 exist"],
    );
    assert_says(
        &refusal(&forged_preamble(2, b"\x1b[31m")),
        &["not printable ASCII"],
    );
    assert_says(
        &refusal(&forged_preamble(2, b"")),
        &["0 bytes where 1 to 200"],
    );
    assert_says(
        &refusal(&forged_preamble(2, &[b'x'; 201])),
        &["201 bytes where 1 to 200"],
    );
    // A damaged version number is damage, not a newer program.
    let mut damaged = small().to_bytes();
    damaged[10] = 1;
    assert_says(&refusal(&damaged), &["damaged in the preamble", "checksum"]);
}

#[test]
fn getters_return_what_was_put_or_say_what_is_there() {
    let mut snapshot = small();
    assert_eq!(snapshot.u64("clock/step").unwrap(), 123_456_789_012);
    assert_eq!(
        snapshot.i32s("E/input").unwrap(),
        [i32::MIN, -1, 0, i32::MAX]
    );
    assert_eq!(
        snapshot.values_of_len::<f64>("E/theta", 2).unwrap(),
        [f64::MIN_POSITIVE, f64::INFINITY]
    );
    assert_eq!(snapshot.text("scene").unwrap(), "(regions: [\"É\"])");
    assert_eq!(snapshot.expect_len("E/v", 5).unwrap().kind(), Kind::F32);
    assert!(snapshot.u32s("E/spikes").unwrap().is_empty());

    assert_eq!(
        snapshot.f64s("E/v").unwrap_err().to_string(),
        "section \"E/v\" of the snapshot holds f32 (length 5) where f64 is expected: was it taken of another scene?"
    );
    assert_eq!(
        snapshot.expect_len("E/v", 8).unwrap_err().to_string(),
        "section \"E/v\" of the snapshot holds 5 × f32 where 8 × f32 are expected: was it taken of another scene?"
    );
    assert_says(
        &snapshot.u64("E/spikes").unwrap_err().to_string(),
        &["u32 (length 0) where u64"],
    );
    assert_says(
        &snapshot.i64("E/wide").unwrap_err().to_string(),
        &["2 × i64 where 1 × i64"],
    );
    assert_says(
        &snapshot.text("E/v").unwrap_err().to_string(),
        &["where text is expected"],
    );
    assert_says(
        &snapshot.f32s("E/w").unwrap_err().to_string(),
        &[
            "no section \"E/w\"",
            "the nearest of its 9 are \"E/wide\", \"E/flags\"",
        ],
    );
    assert_says(
        &Snapshot::new().u8("x").unwrap_err().to_string(),
        &["it has no sections at all"],
    );

    assert!(snapshot.take::<f64>("E/v").is_err());
    assert_eq!(snapshot.take::<f32>("E/v").unwrap().len(), 5);
    assert!(!snapshot.contains("E/v"));
    assert_eq!(snapshot.len(), 8);
}

#[test]
fn a_name_is_used_once_and_is_short() {
    let mut snapshot = small();
    let before = snapshot.clone();
    assert_eq!(
        snapshot.put("E/v", 1u8).unwrap_err().to_string(),
        "the snapshot already has a section \"E/v\": each name is used once"
    );
    assert_says(
        &snapshot.put("", 1u8).unwrap_err().to_string(),
        &["it has 0 bytes and 1 to 200 are allowed"],
    );
    assert_says(
        &snapshot.put("é".repeat(101), 1u8).unwrap_err().to_string(),
        &["it has 202 bytes and 1 to 200 are allowed", "éé\"…"],
    );
    assert_eq!(snapshot, before);
    snapshot.put("é".repeat(100), 1u8).unwrap();
    assert_eq!(
        Snapshot::from_bytes(&snapshot.to_bytes()).unwrap(),
        snapshot
    );
}

#[test]
fn file_errors_name_the_path_and_the_reason() {
    let folder = Folder::new();
    let read = |path: &Path| Snapshot::read(path).unwrap_err().to_string();
    let write = |path: &Path| small().write(path).unwrap_err().to_string();

    assert_says(
        &read(&folder.file("absent")),
        &["cannot read the snapshot \"", "absent\": No such file"],
    );
    assert_says(&read(&folder.0), &["it is a folder"]);
    let text = folder.file("scene.ron");
    fs::write(&text, "(regions: [])").unwrap();
    assert_says(
        &read(&text),
        &["scene.ron\": this is not a Neuropil snapshot: it starts with the text"],
    );
    let cut = folder.file("cut");
    fs::write(&cut, &small().to_bytes()[..60]).unwrap();
    assert_says(
        &read(&cut),
        &[
            "cut\": the snapshot is cut short in the table",
            "there are 60;",
        ],
    );

    assert_says(
        &write(&folder.file("absent/state")),
        &["cannot write ", "absent/state", "does not exist"],
    );
    assert_says(&write(&folder.0), &["it is a folder"]);
    assert_says(&write(Path::new("")), &["it names no file"]);
    let mut permissions = fs::metadata(&text).unwrap().permissions();
    permissions.set_readonly(true);
    fs::set_permissions(&text, permissions).unwrap();
    assert_says(&write(&text), &["no permission to write there"]);
    assert_eq!(folder.names(), ["cut", "scene.ron"]);
}

#[cfg(unix)]
#[test]
fn devices_are_neither_read_nor_replaced() {
    // A socket stands for all that is not a file: a failure of this test must not replace a real device.
    let folder = Folder::new();
    let socket = folder.file("socket");
    let _listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
    assert_says(
        &small().write(&socket).unwrap_err().to_string(),
        &["device or a pipe"],
    );
    assert_eq!(folder.names(), ["socket"]);
    for device in [Path::new("/dev/zero"), &socket] {
        assert_says(
            &Snapshot::read(device).unwrap_err().to_string(),
            &["device or a pipe"],
        );
    }
}

#[cfg(unix)]
#[test]
fn a_symbolic_link_and_permissions_survive_writing() {
    use std::os::unix::fs::PermissionsExt;
    let folder = Folder::new();
    let (file, link) = (folder.file("real"), folder.file("link"));
    fs::write(&file, "old").unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    std::os::unix::fs::symlink(&file, &link).unwrap();
    small().write(&link).unwrap();
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    assert_eq!(Snapshot::read(&file).unwrap(), small());
    assert_eq!(
        fs::metadata(&file).unwrap().permissions().mode() & 0o777,
        0o600
    );
}

/// Run with `cargo test --release -- --ignored --nocapture snapshot_speed`.
#[test]
#[ignore = "a measurement"]
fn snapshot_speed() {
    let mut snapshot = Snapshot::new();
    snapshot
        .put(
            "weights",
            (0..25_000_000u32)
                .map(|index| index as f32)
                .collect::<Vec<_>>(),
        )
        .unwrap();
    let folder = Folder::new();
    let path = folder.file("large");
    let timed = |what: &str, task: &mut dyn FnMut()| {
        let start = std::time::Instant::now();
        task();
        println!(
            "{what:>12}: {:5.2} GB/s",
            0.1 / start.elapsed().as_secs_f64()
        );
    };
    let mut bytes = Vec::new();
    let mut again = Snapshot::new();
    for _ in 0..3 {
        timed("to_bytes", &mut || bytes = snapshot.to_bytes());
        timed("from_bytes", &mut || {
            again = Snapshot::from_bytes(&bytes).unwrap()
        });
        timed("write", &mut || snapshot.write(&path).unwrap());
        timed("read", &mut || again = Snapshot::read(&path).unwrap());
    }
    assert_eq!(again, snapshot);
}
