//! Column tensors: one value per neuron, as a newtype component for each meaning.
//!
//! A column is padded to whole chunks of [`LANES`] neurons. The padding is stepped like any neuron, so it must hold
//! harmless values; its spikes are masked.
//!
//! A column type registers with [`RegisterColumn::register_column`]; that one line makes it probeable by name and part of every
//! snapshot.

use super::quantity::Range;
use bevy::ecs::component::Mutable;
use bevy::ecs::world::{EntityRef, EntityWorldMut};
use bevy::prelude::*;

/// Neurons per chunk: the unit of vectorisation, of addressing and of load balance.
pub const LANES: usize = 64;

/// Neurons rounded up to whole chunks.
pub const fn padded(neurons: usize) -> usize {
    neurons.div_ceil(LANES) * LANES
}

/// Bytes that large columns are aligned to: processors fetch ahead as far as a page of memory goes.
const PAGE: usize = 4096;

/// The values of one column, with enough alignment for any vector width; from a page on, pages are whole.
#[derive(Debug, Default)]
pub struct Column<T> {
    chunks: Vec<Chunk<T>>,
    /// The first chunk that is used.
    first: usize,
}

/// The values of one chunk.
#[derive(Clone, Copy, Debug)]
#[repr(C, align(256))]
pub struct Chunk<T>(pub [T; LANES]);

impl<T: Copy> Column<T> {
    /// A column of `neurons` values, all `value`, padding included.
    pub fn filled(neurons: usize, value: T) -> Self {
        let count = neurons.div_ceil(LANES);
        let size = size_of::<Chunk<T>>();
        let spare = if count * size < PAGE || !PAGE.is_multiple_of(size) {
            0
        } else {
            PAGE / size - 1
        };
        let mut chunks: Vec<Chunk<T>> = Vec::with_capacity(count + spare);
        let to_page = chunks.as_ptr().align_offset(PAGE);
        let first = if to_page <= spare { to_page } else { 0 };
        chunks.resize(first + count, Chunk([value; LANES]));
        Self { chunks, first }
    }

    /// All values, padding included.
    pub fn as_slice(&self) -> &[T] {
        let chunks = &self.chunks[self.first..];
        // SAFETY: `Chunk` is `repr(C)` around an array; its alignment divides its size for 4- and 8-byte values.
        unsafe { core::slice::from_raw_parts(chunks.as_ptr().cast(), chunks.len() * LANES) }
    }

    /// All values, padding included, to be written.
    pub fn as_mut_slice(&mut self) -> &mut [T] {
        let chunks = &mut self.chunks[self.first..];
        // SAFETY: as in `as_slice`.
        unsafe { core::slice::from_raw_parts_mut(chunks.as_mut_ptr().cast(), chunks.len() * LANES) }
    }
}

impl<T: Copy + Default> Clone for Column<T> {
    fn clone(&self) -> Self {
        let values = self.as_slice();
        let mut column = Self::filled(values.len(), T::default());
        column.as_mut_slice().copy_from_slice(values);
        column
    }
}

/// A component that is one column.
pub trait ColumnComponent: Component<Mutability = Mutable> {
    /// `f32` or `i32`.
    type Value: ColumnValue;
    /// The name that probes, initial values and snapshots use, for example `"v"`.
    const NAME: &'static str;
    /// The unit, for example `"mV"`; empty for a pure number.
    const UNIT: &'static str;
    /// What initial values may be.
    const RANGE: Range = Range::finite();
    /// Wraps a column.
    fn wrap(column: Column<Self::Value>) -> Self;
    /// The column.
    fn column(&self) -> &Column<Self::Value>;
    /// The column, to be written.
    fn column_mut(&mut self) -> &mut Column<Self::Value>;
}

/// A value that a column can hold.
pub trait ColumnValue: Copy + Send + Sync + 'static + Default {
    /// The 32 bits of the value.
    fn to_bits(self) -> u32;
    /// The value of 32 bits.
    fn from_bits(bits: u32) -> Self;
    /// The value as a number, for probes.
    fn to_f32(self) -> f32;
}

impl ColumnValue for f32 {
    fn to_bits(self) -> u32 {
        self.to_bits()
    }
    fn from_bits(bits: u32) -> Self {
        Self::from_bits(bits)
    }
    fn to_f32(self) -> f32 {
        self
    }
}

impl ColumnValue for i32 {
    fn to_bits(self) -> u32 {
        self as u32
    }
    fn from_bits(bits: u32) -> Self {
        bits as Self
    }
    fn to_f32(self) -> f32 {
        self as f32
    }
}

/// Declares column components: documentation, type, value type, name, unit, and what initial values may be, if not any finite number.
#[macro_export]
macro_rules! columns {
    ($( $(#[$meta:meta])* $name:ident: $value:ty = $text:literal, $unit:literal $(, $range:expr)?; )*) => { $(
        $(#[$meta])*
        #[derive(bevy::prelude::Component, Clone, Debug, Default)]
        pub struct $name(pub $crate::sim::columns::Column<$value>);

        impl $crate::sim::columns::ColumnComponent for $name {
            type Value = $value;
            const NAME: &'static str = $text;
            const UNIT: &'static str = $unit;
            $(const RANGE: $crate::sim::quantity::Range = $range;)?
            fn wrap(column: $crate::sim::columns::Column<$value>) -> Self {
                Self(column)
            }
            fn column(&self) -> &$crate::sim::columns::Column<$value> {
                &self.0
            }
            fn column_mut(&mut self) -> &mut $crate::sim::columns::Column<$value> {
                &mut self.0
            }
        }
    )* };
}

columns! {
    /// The membrane potential.
    Membrane: f32 = "v", "mV";
    /// The recovery variable of two-variable models (u of Izhikevich).
    Recovery: f32 = "u", "";
    /// The adaptation current (w of AdEx).
    Adaptation: f32 = "w", "pA";
    /// The current that follows a spike.
    Afterdepolarisation: f32 = "z", "pA";
    /// The excitatory synaptic current.
    ExcitatoryCurrent: f32 = "i_ex", "pA";
    /// The inhibitory synaptic current.
    InhibitoryCurrent: f32 = "i_in", "pA";
    /// The derivative state of the excitatory alpha current.
    ExcitatoryCurrentSlope: f32 = "di_ex", "pA/ms";
    /// The derivative state of the inhibitory alpha current.
    InhibitoryCurrentSlope: f32 = "di_in", "pA/ms";
    /// The excitatory conductance.
    ExcitatoryConductance: f32 = "g_ex", "nS", Range::non_negative();
    /// The inhibitory conductance, a positive number.
    InhibitoryConductance: f32 = "g_in", "nS", Range::non_negative();
    /// The derivative state of the excitatory alpha conductance.
    ExcitatoryConductanceSlope: f32 = "dg_ex", "nS/ms", Range::non_negative();
    /// The derivative state of the inhibitory alpha conductance.
    InhibitoryConductanceSlope: f32 = "dg_in", "nS/ms", Range::non_negative();
    /// The conductance of AMPA receptors.
    AmpaConductance: f32 = "g_ampa", "nS", Range::non_negative();
    /// The decaying part of the conductance of NMDA receptors, which is without block this less the rising part.
    NmdaDecaying: f32 = "nmda_decaying", "nS", Range::non_negative();
    /// The rising part of the conductance of NMDA receptors.
    NmdaRising: f32 = "nmda_rising", "nS", Range::non_negative();
    /// The conductance of GABA-A receptors, a positive number.
    GabaAConductance: f32 = "g_gaba_a", "nS", Range::non_negative();
    /// The decaying part of the conductance of GABA-B receptors, which is this less the rising part.
    GabaBDecaying: f32 = "gaba_b_decaying", "nS", Range::non_negative();
    /// The rising part of the conductance of GABA-B receptors.
    GabaBRising: f32 = "gaba_b_rising", "nS", Range::non_negative();
    /// The fast component of a moving threshold.
    FastThreshold: f32 = "threshold_1", "mV";
    /// The slow component of a moving threshold.
    SlowThreshold: f32 = "threshold_2", "mV";
    /// What a neuron's spikes have added to its threshold.
    AdaptiveThreshold: f32 = "theta", "mV";
    /// The same as it was `theta_age` steps ago, at the last spike.
    AdaptiveThresholdEvent: f32 = "theta_event", "mV";
    /// Steps since `theta_event` was the present value.
    AdaptiveThresholdAge: f32 = "theta_age", "step";
    /// Sodium activation of Hodgkin and Huxley.
    SodiumActivation: f32 = "m", "", Range::between(0.0, 1.0);
    /// Sodium inactivation of Hodgkin and Huxley.
    SodiumInactivation: f32 = "h", "", Range::between(0.0, 1.0);
    /// Potassium activation of Hodgkin and Huxley.
    PotassiumActivation: f32 = "n", "", Range::between(0.0, 1.0);
    /// The membrane potential at the start of the newest step.
    PreviousMembrane: f32 = "v_previous", "mV";
    /// The step counter at which refractoriness ends (low 32 bits, wrapping).
    RefractoryUntil: i32 = "refractory_until", "step";
    /// The sum of the weights that reached a relay in the newest step.
    Received: f32 = "received", "";
    /// The input current of stimuli in the step under way.
    Drive: f32 = "drive", "pA";
}

/// Which neurons of a region are read.
#[derive(Clone, Copy, Debug)]
pub enum Which<'n> {
    /// The first so many.
    First(usize),
    /// These.
    These(&'n [u32]),
}

/// What the simulator knows of a registered column type.
#[derive(Clone, Copy)]
pub struct ColumnDescriptor {
    /// The name that probes, initial values and snapshots use.
    pub name: &'static str,
    /// The unit.
    pub unit: &'static str,
    /// Whether an entity has the column.
    pub present: fn(EntityRef<'_>) -> bool,
    /// The values of some neurons of an entity's column as numbers, appended; nothing if it has no such column.
    pub read: fn(EntityRef<'_>, Which<'_>, &mut Vec<f32>),
    /// The bits of an entity's column, padding included.
    pub save: fn(EntityRef<'_>) -> Vec<u32>,
    /// Sets an entity's column from bits; false if the length is not the column's.
    pub load: fn(&mut EntityWorldMut<'_>, &[u32]) -> bool,
    /// Whether every value of an entity's column is finite.
    pub finite: fn(EntityRef<'_>) -> bool,
}

/// Every registered column type, in the order of registration.
#[derive(Resource, Default, Clone)]
pub struct ColumnRegistry {
    columns: Vec<ColumnDescriptor>,
}

impl ColumnRegistry {
    /// The column called `name`.
    pub fn get(&self, name: &str) -> Option<&ColumnDescriptor> {
        self.columns.iter().find(|c| c.name == name)
    }

    /// Every column.
    pub fn iter(&self) -> impl Iterator<Item = &ColumnDescriptor> {
        self.columns.iter()
    }
}

fn descriptor<C: ColumnComponent>() -> ColumnDescriptor {
    ColumnDescriptor {
        name: C::NAME,
        unit: C::UNIT,
        present: |entity| entity.contains::<C>(),
        read: |entity, which, out| {
            if let Some(column) = entity.get::<C>() {
                let values = column.column().as_slice();
                match which {
                    Which::First(n) => out.extend(values[..n].iter().map(|v| v.to_f32())),
                    Which::These(neurons) => {
                        out.extend(neurons.iter().map(|&n| values[n as usize].to_f32()));
                    }
                }
            }
        },
        save: |entity| {
            entity
                .get::<C>()
                .map(|c| c.column().as_slice().iter().map(|v| v.to_bits()).collect())
                .unwrap_or_default()
        },
        load: |entity, bits| {
            entity.get_mut::<C>().is_some_and(|mut column| {
                let values = column.column_mut().as_mut_slice();
                let fits = values.len() == bits.len();
                if fits {
                    for (value, &bits) in values.iter_mut().zip(bits) {
                        *value = C::Value::from_bits(bits);
                    }
                }
                fits
            })
        },
        finite: |entity| {
            entity
                .get::<C>()
                .is_none_or(|c| c.column().as_slice().iter().all(|v| v.to_f32().is_finite()))
        },
    }
}

/// Registers column types on an app.
pub trait RegisterColumn {
    /// Makes the column probeable by name and part of every snapshot. Registering twice does nothing.
    fn register_column<C: ColumnComponent>(&mut self) -> &mut Self;
}

impl RegisterColumn for App {
    fn register_column<C: ColumnComponent>(&mut self) -> &mut Self {
        let mut registry = self
            .world_mut()
            .get_resource_or_insert_with(ColumnRegistry::default);
        if registry.get(C::NAME).is_none() {
            registry.columns.push(descriptor::<C>());
        }
        self
    }
}
