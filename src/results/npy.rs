//! NumPy arrays: files that `numpy.load` opens, in format version 1.0.
//!
//! One or two dimensions, C order, little-endian: `f32`, `f64`, `u32`, `i64`. A file is the magic bytes, a
//! header that reads as a Python dictionary (type, order, shape) padded so that the data starts at a
//! multiple of 64 bytes, and the bare values.
//!
//! A run writes `spike_times_ms.npy` (f64), `spike_regions.npy` and `spike_neurons.npy` (u32), three arrays
//! of equal length in the order of `spikes.csv`, and each trace as a 2-D array of samples × neurons.
//!
//! Source of the format: NumPy Enhancement Proposal 1, <https://numpy.org/neps/nep-0001-npy-format.html>.

use super::csv::TimeFormat;
use super::{Recording, Trace};
use crate::files::whole::{FileError, write_whole};
use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

/// First bytes of every file: the magic and version 1.0.
const MAGIC: &[u8] = b"\x93NUMPY\x01\x00";
/// The data starts at a multiple of this.
const ALIGNMENT: usize = 64;
/// Bytes gathered before they are handed on.
const CHUNK: usize = 1 << 16;

/// A number that an array can hold.
pub trait Element: Copy {
    /// NumPy's name of the type.
    const TYPE: &'static str;
    /// Bytes of one value.
    const SIZE: usize;
    /// Appends the bytes of the value.
    fn push_to(self, bytes: &mut Vec<u8>);
    /// Makes a value of `SIZE` bytes; None for another number of bytes.
    fn from_bytes(bytes: &[u8]) -> Option<Self>;
}

macro_rules! elements {
    ($($number:ty: $name:literal),*) => {$(
        impl Element for $number {
            const TYPE: &'static str = $name;
            const SIZE: usize = size_of::<$number>();
            #[inline]
            fn push_to(self, bytes: &mut Vec<u8>) {
                bytes.extend_from_slice(&self.to_le_bytes());
            }
            #[inline]
            fn from_bytes(bytes: &[u8]) -> Option<Self> {
                bytes.try_into().ok().map(Self::from_le_bytes)
            }
        }
    )*};
}

elements!(f32: "<f4", f64: "<f8", u32: "<u4", i64: "<i8");

/// Why an array could not be read.
#[derive(Debug, thiserror::Error)]
#[error("cannot read {} as a NumPy array: {reason}", path.display())]
pub struct NpyError {
    /// The file.
    pub path: PathBuf,
    /// What is wrong with it.
    pub reason: String,
}

/// Writes values as a 1-D array.
pub fn write_vector<T: Element>(path: impl AsRef<Path>, values: &[T]) -> Result<(), FileError> {
    write_array(path, &[values.len()], values.iter().copied())
}

/// Writes values row by row as a 2-D array with `columns` columns.
///
/// The number of values must be a multiple of `columns`.
pub fn write_matrix<T: Element>(
    path: impl AsRef<Path>,
    columns: usize,
    values: &[T],
) -> Result<(), FileError> {
    let rows = values.len().checked_div(columns).unwrap_or(0);
    write_array(path, &[rows, columns], values.iter().copied())
}

/// Writes values, in C order, as an array of any shape.
///
/// The file appears only if there are exactly as many values as the shape says.
pub fn write_array<T: Element>(
    path: impl AsRef<Path>,
    shape: &[usize],
    values: impl IntoIterator<Item = T>,
) -> Result<(), FileError> {
    write_whole(path, |out| {
        out.write_all(&header::<T>(shape))?;
        let (mut chunk, mut count) = (Vec::with_capacity(CHUNK + T::SIZE), 0);
        for value in values {
            value.push_to(&mut chunk);
            count += 1;
            if chunk.len() >= CHUNK {
                out.write_all(&chunk)?;
                chunk.clear();
            }
        }
        if count != shape.iter().product::<usize>() {
            let message = format!("{count} values do not fill an array of shape {shape:?}");
            return Err(io::Error::new(ErrorKind::InvalidInput, message));
        }
        out.write_all(&chunk)
    })
}

/// Writes `spike_times_ms.npy`, `spike_regions.npy` and `spike_neurons.npy` into a folder.
///
/// Regions are numbered from 0 in the order of the recording; neurons count within their region.
pub fn write_spikes(folder: impl AsRef<Path>, recording: &Recording) -> Result<(), FileError> {
    let folder = folder.as_ref();
    let window = recording.window();
    let format = TimeFormat::new(recording.dt_ms);
    let mut count = 0;
    recording.visit_steps(window, |_, _, ids| count += ids.len());
    let mut times = Vec::with_capacity(count);
    let mut regions = Vec::with_capacity(count);
    let mut neurons = Vec::with_capacity(count);
    recording.visit_steps(window, |step, train, ids| {
        times.resize(times.len() + ids.len(), format.value(step));
        regions.resize(regions.len() + ids.len(), train as u32);
        neurons.extend_from_slice(ids);
    });
    write_vector(folder.join("spike_times_ms.npy"), &times)?;
    write_vector(folder.join("spike_regions.npy"), &regions)?;
    write_vector(folder.join("spike_neurons.npy"), &neurons)
}

/// Writes a trace as a 2-D array: one row per sample, one column per neuron.
pub fn write_trace(path: impl AsRef<Path>, trace: &Trace) -> Result<(), FileError> {
    write_matrix(path, trace.neurons.len(), trace.values)
}

/// Reads an array written by this module or by NumPy, in C order and of the given type.
///
/// Returns the shape and the values.
pub fn read_npy<T: Element>(path: impl AsRef<Path>) -> Result<(Vec<usize>, Vec<T>), NpyError> {
    let path = path.as_ref();
    let bytes = fs::read(path).map_err(|error| error.to_string());
    bytes
        .and_then(|bytes| parse(&bytes))
        .map_err(|reason| NpyError {
            path: path.into(),
            reason,
        })
}

/// Everything in front of the values.
fn header<T: Element>(shape: &[usize]) -> Vec<u8> {
    let shape = match shape {
        [length] => format!("({length},)"),
        _ => {
            let lengths: Vec<_> = shape.iter().map(ToString::to_string).collect();
            format!("({})", lengths.join(", "))
        }
    };
    let mut text = format!(
        "{{'descr': '{}', 'fortran_order': False, 'shape': {shape}, }}",
        T::TYPE
    );
    // The header ends with a newline; its length takes two bytes.
    let length = (MAGIC.len() + 2 + text.len() + 1).next_multiple_of(ALIGNMENT);
    text.extend(std::iter::repeat_n(
        ' ',
        length - MAGIC.len() - 2 - text.len() - 1,
    ));
    text.push('\n');
    let mut header = MAGIC.to_vec();
    header.extend_from_slice(&(text.len() as u16).to_le_bytes());
    header.extend_from_slice(text.as_bytes());
    header
}

fn parse<T: Element>(bytes: &[u8]) -> Result<(Vec<usize>, Vec<T>), String> {
    let rest = bytes
        .strip_prefix(MAGIC)
        .ok_or("it does not start as version 1.0 does")?;
    let (length, rest) = rest.split_first_chunk::<2>().ok_or("it is cut short")?;
    let (header, data) = rest
        .split_at_checked(usize::from(u16::from_le_bytes(*length)))
        .ok_or("it is cut short")?;
    let header = std::str::from_utf8(header).map_err(|_| "its header is no text")?;
    let entry = |key: &str| {
        let (_, value) = header
            .split_once(&format!("'{key}':"))
            .ok_or("its header lacks an entry")?;
        Ok::<&str, String>(value.trim_start())
    };
    let name = entry("descr")?
        .trim_start_matches('\'')
        .split('\'')
        .next()
        .unwrap_or("");
    if name != T::TYPE {
        return Err(format!("its values are {name}, not {}", T::TYPE));
    }
    if !entry("fortran_order")?.starts_with("False") {
        return Err("its values are in Fortran order".into());
    }
    let shape = entry("shape")?;
    let shape = shape
        .strip_prefix('(')
        .and_then(|s| s.split_once(')'))
        .ok_or("its shape is no tuple")?;
    let shape = (shape
        .0
        .split(',')
        .map(str::trim)
        .filter(|length| !length.is_empty()))
    .map(|length| {
        length
            .parse()
            .map_err(|_| "its shape holds no number".to_owned())
    })
    .collect::<Result<Vec<usize>, _>>()?;
    let count = shape
        .iter()
        .try_fold(1_usize, |product, &length| product.checked_mul(length));
    if count.and_then(|count| count.checked_mul(T::SIZE)) != Some(data.len()) {
        return Err(format!(
            "{} bytes do not fill the shape {shape:?}",
            data.len()
        ));
    }
    Ok((
        shape,
        data.chunks_exact(T::SIZE)
            .filter_map(T::from_bytes)
            .collect(),
    ))
}

#[cfg(test)]
mod tests {
    use super::super::SpikeTrain;
    use super::*;
    use crate::files::whole::TestFolder;

    #[test]
    fn arrays_come_back_as_they_were() {
        let folder = TestFolder::new("npy");
        let path = folder.path("a.npy");
        let values: Vec<f64> = (0..20_000).map(|i| f64::from(i) / 7.0).collect();
        write_vector(&path, &values).unwrap();
        assert_eq!(read_npy::<f64>(&path).unwrap(), (vec![20_000], values));
        write_vector(&path, &[f32::MIN_POSITIVE, -0.5, f32::INFINITY]).unwrap();
        let (_, back) = read_npy::<f32>(&path).unwrap();
        assert_eq!(back, [f32::MIN_POSITIVE, -0.5, f32::INFINITY]);
        write_vector(&path, &[0, 1, u32::MAX]).unwrap();
        assert_eq!(read_npy::<u32>(&path).unwrap().1, [0, 1, u32::MAX]);
        write_matrix(&path, 2, &[i64::MIN, -1, 0, 1, 2, i64::MAX]).unwrap();
        let back = read_npy::<i64>(&path).unwrap();
        assert_eq!(back, (vec![3, 2], vec![i64::MIN, -1, 0, 1, 2, i64::MAX]));
        write_vector::<f32>(&path, &[]).unwrap();
        assert_eq!(read_npy::<f32>(&path).unwrap(), (vec![0], vec![]));
    }

    #[test]
    fn bytes_are_those_of_numpy() {
        let folder = TestFolder::new("npybytes");
        let path = folder.path("a.npy");
        write_matrix(&path, 2, &[1_u32, 2, 3, 4]).unwrap();
        // numpy 2.3: np.save("a.npy", np.array([[1, 2], [3, 4]], dtype="<u4"))
        let mut expected = b"\x93NUMPY\x01\x00v\x00".to_vec();
        let text = "{'descr': '<u4', 'fortran_order': False, 'shape': (2, 2), }";
        expected.extend_from_slice(format!("{text:<117}\n").as_bytes());
        expected.extend_from_slice(&[1, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0, 4, 0, 0, 0]);
        assert_eq!(fs::read(&path).unwrap(), expected);
        assert_eq!(
            header::<f64>(&[usize::MAX, usize::MAX]).len() % ALIGNMENT,
            0
        );
    }

    #[test]
    fn wrong_number_of_values_leaves_no_file() {
        let folder = TestFolder::new("npyshape");
        let path = folder.path("a.npy");
        assert!(write_array(&path, &[2, 2], [1_u32, 2, 3]).is_err());
        assert!(write_matrix(&path, 2, &[1_u32, 2, 3]).is_err());
        assert!(write_matrix(&path, 0, &[1_u32]).is_err());
        assert!(folder.names().is_empty());
    }

    #[test]
    fn broken_files_give_errors() {
        let folder = TestFolder::new("npybroken");
        let path = folder.path("a.npy");
        assert!(read_npy::<f32>(&path).is_err());
        write_vector(&path, &[1.0_f32, 2.0]).unwrap();
        let whole = fs::read(&path).unwrap();
        let error = read_npy::<f64>(&path).unwrap_err().to_string();
        assert!(error.contains("a.npy") && error.contains("<f4"), "{error}");
        for length in 0..whole.len() {
            fs::write(&path, &whole[..length]).unwrap();
            assert!(read_npy::<f32>(&path).is_err(), "{length} bytes");
        }
        for (from, to) in [
            ("False", "True "),
            ("(2,)", "(x,)"),
            ("(2,)", "(9,)"),
            ("(2,)", "[2,]"),
        ] {
            let at = whole
                .windows(from.len())
                .position(|w| w == from.as_bytes())
                .unwrap();
            let mut broken = whole.clone();
            broken[at..at + from.len()].copy_from_slice(to.as_bytes());
            fs::write(&path, &broken).unwrap();
            assert!(read_npy::<f32>(&path).is_err(), "{to}");
        }
    }

    #[test]
    fn spikes_and_traces_become_arrays() {
        let folder = TestFolder::new("npyspikes");
        let recording = Recording {
            dt_ms: 0.5,
            start_step: 0,
            end_step: 10,
            trains: vec![
                SpikeTrain {
                    region: "E",
                    neurons: 9,
                    steps: &[0, 3, 3],
                    ids: &[8, 5, 2],
                },
                SpikeTrain {
                    region: "I",
                    neurons: 9,
                    steps: &[1, 3],
                    ids: &[1, 0],
                },
            ],
        };
        write_spikes(folder.path(""), &recording).unwrap();
        let read = |name| read_npy::<u32>(folder.path(name)).unwrap().1;
        let times = read_npy::<f64>(folder.path("spike_times_ms.npy"))
            .unwrap()
            .1;
        assert_eq!(times, [0.5, 1.0, 2.0, 2.0, 2.0]);
        assert_eq!(read("spike_regions.npy"), [0, 1, 0, 0, 1]);
        assert_eq!(read("spike_neurons.npy"), [8, 1, 2, 5, 0]);

        let trace = Trace {
            region: "E",
            column: "v",
            unit: "mV",
            neurons: &[3, 7],
            interval_ms: 1.0,
            start_ms: 0.0,
            values: &[-70.0, -69.5, -68.0, -67.0],
        };
        write_trace(folder.path("v.npy"), &trace).unwrap();
        let (shape, values) = read_npy::<f32>(folder.path("v.npy")).unwrap();
        assert_eq!((shape, values.as_slice()), (vec![2, 2], trace.values));
    }
}
