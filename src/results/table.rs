//! Columns of numbers from a CSV file that somebody else wrote.
//!
//! [`read_columns`] finds columns by the names in the header: connection lists, spike lists, currents.
//! Columns that nobody asks for are ignored, so the simulator's own `spikes.csv` can be read back. Blank
//! lines and lines that start with `#` are skipped, spaces around a value do not count.
//!
//! Whatever a file holds, the answer is finite numbers or an error that names file, line, column and text.
//! A file is read as a stream and only its numbers are kept; one line may be at most a megabyte long, so
//! that a device or a binary file ends in an error too.

use std::fs::File;
use std::io::{self, ErrorKind, Read};
use std::path::{Path, PathBuf};

/// Longest line that is read, in bytes: a file with a longer one is no table.
const LONGEST_LINE: usize = 1 << 20;

/// Why a table could not be read.
#[derive(Debug, thiserror::Error)]
pub enum CsvError {
    /// The file cannot be opened or read.
    #[error("cannot read {}: {reason}; check the path", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        reason: String,
    },
    /// The file has no header.
    #[error("{} is empty; it needs a header line with the columns {columns}, and rows of numbers", path.display())]
    Empty {
        /// The file.
        path: PathBuf,
        /// The columns that were asked for.
        columns: String,
    },
    /// The file has a header and nothing else.
    #[error("{} has a header but no rows; add at least one row of numbers", path.display())]
    NoRows {
        /// The file.
        path: PathBuf,
    },
    /// A column that is needed is not in the header.
    #[error("{} has no column \"{column}\"{hint}; its header has {known}", path.display())]
    MissingColumn {
        /// The file.
        path: PathBuf,
        /// The column.
        column: String,
        /// The nearest known name, or another guess at the reason.
        hint: String,
        /// The names in the header.
        known: String,
    },
    /// A column stands in the header more than once.
    #[error("{} has the column \"{column}\" more than once; rename or remove one", path.display())]
    RepeatedColumn {
        /// The file.
        path: PathBuf,
        /// The column.
        column: String,
    },
    /// A row has no value in a column that is needed.
    #[error("{}, line {line}, column {column}: the value is missing; every row needs one", path.display())]
    MissingValue {
        /// The file.
        path: PathBuf,
        /// Line, from 1.
        line: u64,
        /// The column.
        column: String,
    },
    /// A row has more values than the header has names.
    #[error("{}, line {line}: {found} values, but the header names {expected} columns; a decimal comma counts as a separator", path.display())]
    TooManyValues {
        /// The file.
        path: PathBuf,
        /// Line, from 1.
        line: u64,
        /// Number of values in the row.
        found: usize,
        /// Number of names in the header.
        expected: usize,
    },
    /// A value is not what it should be.
    #[error("{}, line {line}, column {column}: \"{text}\" is not {expected}", path.display())]
    BadValue {
        /// The file.
        path: PathBuf,
        /// Line, from 1.
        line: u64,
        /// The column.
        column: String,
        /// The value as it stands in the file.
        text: String,
        /// What it should have been.
        expected: String,
    },
    /// A line is too long for a table of numbers.
    #[error("{}: a line near line {line} is longer than {LONGEST_LINE} bytes; this is no table of numbers", path.display())]
    LongLine {
        /// The file.
        path: PathBuf,
        /// Line, from 1.
        line: u64,
    },
}

/// Columns of finite numbers, and where they came from.
#[derive(Clone, Debug, PartialEq)]
pub struct Table {
    /// The values of each column that was asked for: the required ones, then the optional ones.
    pub columns: Vec<Vec<f64>>,
    path: PathBuf,
    names: Vec<String>,
    /// Line in the file of each row.
    lines: Vec<u64>,
}

/// Reads columns of finite numbers by their names in the header.
///
/// The result holds the required columns, then the optional ones, in the order given. An optional column
/// that the header lacks is filled with its default; one that is there must have a value in every row.
pub fn read_columns(
    path: impl AsRef<Path>,
    required: &[&str],
    optional: &[(&str, f64)],
) -> Result<Vec<Vec<f64>>, CsvError> {
    Ok(Table::read(path, required, optional)?.columns)
}

/// As [`read_columns`], but an optional column that the header lacks is None.
pub fn read_present_columns(
    path: impl AsRef<Path>,
    required: &[&str],
    optional: &[&str],
) -> Result<Vec<Option<Vec<f64>>>, CsvError> {
    let (table, places) = Table::load(path.as_ref(), required, optional)?;
    let columns = table.columns.into_iter().zip(places);
    Ok(columns
        .map(|(column, place)| place.map(|_| column))
        .collect())
}

/// As [`read_present_columns`], from the bytes of a file that was read before; errors call it `path`.
pub fn parse_present_columns(
    bytes: &[u8],
    path: impl AsRef<Path>,
    required: &[&str],
    optional: &[&str],
) -> Result<Vec<Option<Vec<f64>>>, CsvError> {
    let (table, places) = Table::parse(bytes, path.as_ref(), required, optional)?;
    let columns = table.columns.into_iter().zip(places);
    Ok(columns
        .map(|(column, place)| place.map(|_| column))
        .collect())
}

impl Table {
    /// As [`read_columns`], and remembers the lines for later errors.
    pub fn read(
        path: impl AsRef<Path>,
        required: &[&str],
        optional: &[(&str, f64)],
    ) -> Result<Self, CsvError> {
        let names: Vec<&str> = optional.iter().map(|(name, _)| *name).collect();
        let (mut table, places) = Self::load(path.as_ref(), required, &names)?;
        let rows = table.rows();
        for ((_, default), index) in optional.iter().zip(required.len()..) {
            if places[index].is_none() {
                table.columns[index] = vec![*default; rows];
            }
        }
        Ok(table)
    }

    /// Reads the columns that are there, and says which of the header's each one is; others stay empty.
    fn load(
        path: &Path,
        required: &[&str],
        optional: &[&str],
    ) -> Result<(Self, Vec<Option<usize>>), CsvError> {
        let failed = |reason: io::Error| CsvError::Read {
            path: path.into(),
            reason: plain(&reason),
        };
        let file = File::open(path).map_err(failed)?;
        if file.metadata().is_ok_and(|m| m.is_dir()) {
            return Err(failed(ErrorKind::IsADirectory.into()));
        }
        Self::parse(file, path, required, optional)
    }

    /// Reads from any source; `path` is what errors call it.
    fn parse(
        source: impl Read,
        path: &Path,
        required: &[&str],
        optional: &[&str],
    ) -> Result<(Self, Vec<Option<usize>>), CsvError> {
        let mut reader = ::csv::ReaderBuilder::new()
            .flexible(true)
            .trim(::csv::Trim::All)
            .comment(Some(b'#'))
            .terminator(::csv::Terminator::Any(b'\n'))
            .from_reader(Lines {
                inner: source,
                length: 0,
            });
        let header: Vec<String> = match reader.byte_headers() {
            Ok(header) => (header.iter())
                .map(|name| String::from_utf8_lossy(name).into_owned())
                .collect(),
            Err(error) => return Err(broken(path, 1, error)),
        };
        let places = find_columns(path, &header, required, optional)?;

        let names = required.iter().chain(optional);
        let mut table = Self {
            columns: vec![Vec::new(); places.len()],
            path: path.into(),
            names: names.map(|name| (*name).to_owned()).collect(),
            lines: Vec::new(),
        };
        let mut record = ::csv::ByteRecord::new();
        loop {
            match reader.read_byte_record(&mut record) {
                Ok(true) => {}
                Ok(false) => break,
                Err(error) => return Err(broken(path, reader.position().line(), error)),
            }
            if record.len() == 1 && record[0].is_empty() {
                continue;
            }
            // Every line ends with a newline here, and this row's was read last.
            let line = reader.position().line() - 1;
            if record.len() > header.len() {
                return Err(CsvError::TooManyValues {
                    path: path.into(),
                    line,
                    found: record.len(),
                    expected: header.len(),
                });
            }
            for ((place, column), name) in places.iter().zip(&mut table.columns).zip(&table.names) {
                let Some(place) = *place else { continue };
                column.push(number(record.get(place), path, line, name)?);
            }
            table.lines.push(line);
        }
        if table.lines.is_empty() {
            return Err(CsvError::NoRows { path: path.into() });
        }
        Ok((table, places))
    }

    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.lines.len()
    }

    /// Where a value came from, for an error about it: `wires.csv, line 3, column delay_ms`.
    pub fn place(&self, row: usize, column: usize) -> String {
        let (path, line, name) = (self.path.display(), self.lines[row], &self.names[column]);
        format!("{path}, line {line}, column {name}")
    }

    /// A column of whole numbers below `limit`, such as neurons of a region of that size.
    pub fn whole_numbers(&self, column: usize, limit: u32) -> Result<Vec<u32>, CsvError> {
        let fits = |value: f64| value >= 0.0 && value < f64::from(limit) && value.fract() == 0.0;
        (self.columns[column].iter().enumerate())
            .map(|(row, &value)| match fits(value) {
                true => Ok(value as u32),
                false => Err(CsvError::BadValue {
                    path: self.path.clone(),
                    line: self.lines[row],
                    column: self.names[column].clone(),
                    text: value.to_string(),
                    expected: match limit {
                        0 => "allowed: there is nothing to count".to_owned(),
                        _ => format!("a whole number from 0 to {}", limit - 1),
                    },
                }),
            })
            .collect()
    }
}

/// Where the columns stand in the header: the required ones, then the optional ones.
fn find_columns(
    path: &Path,
    header: &[String],
    required: &[&str],
    optional: &[&str],
) -> Result<Vec<Option<usize>>, CsvError> {
    if header.iter().all(String::is_empty) {
        return Err(CsvError::Empty {
            path: path.into(),
            columns: listed(required.iter().copied()),
        });
    }
    let mut places = Vec::new();
    for (index, name) in required.iter().chain(optional).enumerate() {
        let mut found = (0..header.len()).filter(|&at| header[at] == *name);
        let place = found.next();
        if found.next().is_some() {
            return Err(CsvError::RepeatedColumn {
                path: path.into(),
                column: (*name).into(),
            });
        }
        if place.is_none() && index < required.len() {
            return Err(missing_column(path, name, header));
        }
        places.push(place);
    }
    Ok(places)
}

/// The value of one cell.
fn number(cell: Option<&[u8]>, path: &Path, line: u64, column: &str) -> Result<f64, CsvError> {
    let cell = cell.unwrap_or_default();
    if cell.is_empty() {
        return Err(CsvError::MissingValue {
            path: path.into(),
            line,
            column: column.into(),
        });
    }
    let value = std::str::from_utf8(cell)
        .ok()
        .and_then(|text| text.parse::<f64>().ok());
    match value {
        Some(value) if value.is_finite() => Ok(value),
        _ => Err(CsvError::BadValue {
            path: path.into(),
            line,
            column: column.into(),
            text: shortened(&String::from_utf8_lossy(cell)),
            expected: match value {
                Some(_) => "a finite number".into(),
                None => "a number, such as 0.5 or 1e-3".into(),
            },
        }),
    }
}

/// The error for a column that the header lacks, with a guess at the reason.
fn missing_column(path: &Path, column: &str, header: &[String]) -> CsvError {
    let nearest = (header.iter())
        .map(|name| (distance(column, name), name))
        .min_by_key(|(distance, _)| *distance);
    let hint = match nearest {
        _ if header.len() == 1 && header[0].contains([';', '\t']) => {
            " (separate the columns with commas)".to_owned()
        }
        _ if header.iter().all(|name| name.parse::<f64>().is_ok()) => {
            " (the first line must hold the names of the columns)".to_owned()
        }
        Some((distance, name)) if distance <= 1 + column.chars().count() / 3 => {
            format!(" (did you mean \"{}\"?)", shortened(name))
        }
        _ => String::new(),
    };
    CsvError::MissingColumn {
        path: path.into(),
        column: column.into(),
        hint,
        known: listed(header.iter().map(String::as_str)),
    }
}

/// How many letters must be changed, added or removed to turn one name into the other; capitals are equal.
fn distance(a: &str, b: &str) -> usize {
    let lower = |text: &str| {
        text.chars()
            .take(64)
            .flat_map(char::to_lowercase)
            .collect::<Vec<_>>()
    };
    let (a, b) = (lower(a), lower(b));
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let changed = diagonal + usize::from(x != y);
            diagonal = row[j + 1];
            row[j + 1] = changed.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

/// Names in quotes; of many only the first.
fn listed<'a>(names: impl Iterator<Item = &'a str>) -> String {
    const MOST: usize = 12;
    let mut names: Vec<_> = names
        .map(|name| format!("\"{}\"", shortened(name)))
        .collect();
    if names.len() > MOST {
        let more = names.len() - MOST;
        names.truncate(MOST);
        names.push(format!("and {more} more"));
    }
    names.join(", ")
}

/// The beginning of a text, fit for one line.
fn shortened(text: &str) -> String {
    const MOST: usize = 40;
    let mut short: String = text
        .chars()
        .take(MOST)
        .flat_map(char::escape_debug)
        .collect();
    if text.chars().count() > MOST {
        short.push('…');
    }
    short
}

/// An error of the reader below.
fn broken(path: &Path, line: u64, error: ::csv::Error) -> CsvError {
    match error.into_kind() {
        ::csv::ErrorKind::Io(reason) if Lines::<File>::is_the_reason(&reason) => {
            CsvError::LongLine {
                path: path.into(),
                line,
            }
        }
        ::csv::ErrorKind::Io(reason) => CsvError::Read {
            path: path.into(),
            reason: plain(&reason),
        },
        other => CsvError::Read {
            path: path.into(),
            reason: format!("{other:?}"),
        },
    }
}

/// What the system said, in plain words where they are known.
fn plain(reason: &io::Error) -> String {
    match reason.kind() {
        ErrorKind::NotFound => "there is no such file".into(),
        ErrorKind::PermissionDenied => "no permission to read it".into(),
        ErrorKind::IsADirectory => "it is a folder, not a file".into(),
        _ => reason.to_string(),
    }
}

/// Gives the last line its newline, and an error for a line without end as in `/dev/zero`.
struct Lines<R> {
    inner: R,
    /// Bytes of the current line so far.
    length: usize,
}

impl<R> Lines<R> {
    fn is_the_reason(error: &io::Error) -> bool {
        error.kind() == ErrorKind::InvalidData
    }
}

impl<R: Read> Read for Lines<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        if read == 0
            && self.length > 0
            && let Some(byte) = buffer.first_mut()
        {
            *byte = b'\n';
            self.length = 0;
            return Ok(1);
        }
        self.length = match buffer[..read].iter().rposition(|&byte| byte == b'\n') {
            Some(newline) => read - newline - 1,
            None => self.length + read,
        };
        if self.length > LONGEST_LINE {
            return Err(ErrorKind::InvalidData.into());
        }
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::files::whole::TestFolder;
    use std::fs;

    const WIRES: [&str; 2] = ["source", "target"];

    /// Reads `text` as a connection list.
    fn read(text: &[u8]) -> Result<Table, CsvError> {
        use std::sync::atomic::{AtomicU32, Ordering};
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let folder = TestFolder::new(&format!("table{}", COUNT.fetch_add(1, Ordering::Relaxed)));
        let path = folder.path("wires.csv");
        fs::write(&path, text).unwrap();
        Table::read(path, &WIRES, &[("weight", 1.0), ("delay_ms", 1.5)])
    }

    fn message(text: &[u8]) -> String {
        let message = read(text).unwrap_err().to_string();
        assert!(message.contains("wires.csv"), "{message}");
        message
    }

    #[test]
    fn columns_are_found_by_name_in_any_order() {
        let text = b"\xEF\xBB\xBFtarget, extra ,delay_ms,source\r\n# note\r\n1, x, 2.5 ,0\r\n\r\n\"3\",y,+1e-1,2\r\n";
        let table = read(text).unwrap();
        assert_eq!(
            table.columns,
            [
                vec![0.0, 2.0],
                vec![1.0, 3.0],
                vec![1.0, 1.0],
                vec![2.5, 0.1]
            ]
        );
        assert_eq!(table.rows(), 2);
        assert!(
            table
                .place(1, 3)
                .ends_with("wires.csv, line 5, column delay_ms")
        );
    }

    #[test]
    fn absent_columns_can_be_told_from_default_ones() {
        let folder = TestFolder::new("tablepresent");
        let path = folder.path("wires.csv");
        fs::write(&path, "target,source,delay_ms\n1,0,2.5\n").unwrap();
        let columns = read_present_columns(&path, &WIRES, &["weight", "delay_ms"]).unwrap();
        assert_eq!(
            columns,
            [Some(vec![0.0]), Some(vec![1.0]), None, Some(vec![2.5])]
        );
    }

    #[test]
    fn last_line_needs_no_newline() {
        assert_eq!(read(b"source,target\n1,2").unwrap().rows(), 1);
    }

    #[test]
    fn missing_column_names_the_nearest() {
        let text = message(b"sorce,target\n1,2\n");
        assert!(
            text.contains("no column \"source\" (did you mean \"sorce\"?)"),
            "{text}"
        );
        assert!(
            text.contains("its header has \"sorce\", \"target\""),
            "{text}"
        );
        let text = message(b"Source,target\n1,2\n");
        assert!(text.contains("did you mean \"Source\""), "{text}");
        let text = message(b"source;target\n1;2\n");
        assert!(text.contains("separate the columns with commas"), "{text}");
        let text = message(b"1,2\n3,4\n");
        assert!(text.contains("first line must hold the names"), "{text}");
        let text = message(b"pre,post\n1,2\n");
        assert!(!text.contains("did you mean"), "{text}");
    }

    #[test]
    fn bad_values_name_line_column_and_text() {
        let text = message(b"source,target\n1,2\n\n3,four\n");
        assert!(
            text.contains("line 4, column target: \"four\" is not a number"),
            "{text}"
        );
        for bad in ["nan", "NaN", "inf", "-inf", "1e999"] {
            let text = message(format!("source,target\n1,{bad}\n").as_bytes());
            assert!(
                text.contains("is not a finite number") && text.contains(bad),
                "{text}"
            );
        }
        let text = message(b"source,target\n1,\xFF\xFE\n");
        assert!(text.contains("is not a number"), "{text}");
        let text = message(format!("source,target\n1,{}\n", "x".repeat(500)).as_bytes());
        assert!(text.len() < 300, "{text}");
    }

    #[test]
    fn every_row_needs_its_values() {
        for rows in ["1,2\n3,\n", "1,2\n3\n", "1,2\n3,  \n"] {
            let text = message(format!("source,target\n{rows}").as_bytes());
            assert!(
                text.contains("line 3, column target: the value is missing"),
                "{text}"
            );
        }
        let text = message(b"source,target,delay_ms\n1,2,3\n1,2,\n");
        assert!(text.contains("line 3, column delay_ms"), "{text}");
        let text = message(b"source,target\n1,2,5\n");
        assert!(
            text.contains("line 2: 3 values") && text.contains("2 columns"),
            "{text}"
        );
    }

    #[test]
    fn empty_files_are_told_apart() {
        assert!(matches!(read(b""), Err(CsvError::Empty { .. })));
        assert!(matches!(
            read(b"\n\n# only a note\n"),
            Err(CsvError::Empty { .. })
        ));
        assert!(matches!(
            read(b"source,target\n"),
            Err(CsvError::NoRows { .. })
        ));
        assert!(matches!(
            read(b"source,target,source\n1,2,3\n"),
            Err(CsvError::RepeatedColumn { .. })
        ));
    }

    #[test]
    fn whole_numbers_stay_below_their_limit() {
        let table = read(b"source,target\n0,9\n4,2.5\n").unwrap();
        assert_eq!(table.whole_numbers(0, 5).unwrap(), [0, 4]);
        let text = table.whole_numbers(0, 4).unwrap_err().to_string();
        assert!(
            text.contains("line 3, column source: \"4\" is not a whole number from 0 to 3"),
            "{text}"
        );
        let text = table.whole_numbers(1, 100).unwrap_err().to_string();
        assert!(text.contains("\"2.5\""), "{text}");
        assert!(table.whole_numbers(0, 0).is_err());
        let table = read(b"source,target\n-1,9\n").unwrap();
        assert!(table.whole_numbers(0, 5).is_err());
    }

    #[test]
    fn no_bytes_cause_a_panic() {
        let pieces: [&[u8]; 12] = [
            b"source", b",", b"target", b"\n", b"\"", b"1", b"\xFF", b"\r", b" ", b"#", b"\0", b"e",
        ];
        let mut state = 7_u64;
        for _ in 0..2000 {
            let mut text = Vec::new();
            for _ in 0..state % 40 {
                state = state
                    .wrapping_mul(6_364_136_223_846_793_005)
                    .wrapping_add(1);
                text.extend_from_slice(pieces[(state >> 33) as usize % pieces.len()]);
            }
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            if let Ok(table) = read(&text) {
                assert!(
                    table
                        .columns
                        .iter()
                        .all(|column| column.len() == table.rows())
                );
            }
        }
    }

    #[test]
    fn what_is_no_file_gives_an_error() {
        let folder = TestFolder::new("tablenofile");
        let text = read_columns(folder.path("no.csv"), &WIRES, &[])
            .unwrap_err()
            .to_string();
        assert!(text.contains("no.csv: there is no such file"), "{text}");
        let text = read_columns(folder.path(""), &WIRES, &[])
            .unwrap_err()
            .to_string();
        assert!(text.contains("it is a folder"), "{text}");
        if cfg!(unix) {
            let error = read_columns("/dev/zero", &WIRES, &[]).unwrap_err();
            assert!(matches!(error, CsvError::LongLine { .. }), "{error}");
        }
    }
}
