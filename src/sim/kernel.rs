//! One equation, written once: `kernel!` emits a neuron's update as Rust and as WGSL.
//!
//! The body of a kernel is written in the intersection of the two languages: `let` bindings (no name twice), calls,
//! `select(when_false, when_true, condition)`, comparisons, `&&`, `||`, `!`, the functions of [`math`](super::math), and at the end
//! `Next(…)`: the new value of every state variable in order, then whether the neuron spiked. There is no mutation. A model that
//! needs sub-steps writes a `repeat` function, which the executor calls so many times before `step`, and a spike in
//! any of them counts.
//!
//! A state variable that is zero, and stays zero, as long as a receptor has no input is declared with `of` and the receptor's name.
//!
//! From that the macro makes a module with
//!
//! * `Params`, `State`, `Input`, `Next`: plain structs, and the functions as written, to test against closed forms;
//! * [`Kernel::wgsl`]: the same tokens as text, which a test parses and validates with naga;
//! * a type that implements [`Kernel`]: the loop over one chunk of 64 neurons, compiled once per SIMD level and per kind of
//!   parameters (one set for the region, or one per neuron).
//!
//! Parameters, state, derived values and buffers are kept apart: `Params` are derived once on the host (`exp(−dt/τ)` never
//! stands in a loop), state lives in column components, input in the fixed-point slots of
//! [`slots`](crate::network::slots).

use super::columns::{Chunk, LANES};
use super::quantity::Range;
use super::simd::SimdLevel;
use super::workers::Shares;
use bevy::ecs::query::{IterQueryData, QueryData};
use bevy::ecs::world::EntityWorldMut;

/// An integer in which synaptic input is summed.
pub trait Slot: Copy + Send + Sync + 'static + PartialEq {
    /// Nothing.
    const ZERO: Self;
    /// The sum as a number of quanta.
    fn quanta(self) -> f32;
    /// Adds late input to the slots of a chunk.
    ///
    /// # Safety
    /// As [`LateInput`] says.
    unsafe fn add_late(input: &dyn LateInput, chunk: usize, slots: *mut Self);
}

impl Slot for i32 {
    const ZERO: Self = 0;
    #[inline(always)]
    unsafe fn add_late(input: &dyn LateInput, chunk: usize, slots: *mut Self) {
        // SAFETY: the caller's promise.
        unsafe { input.add_narrow(chunk, slots) }
    }
    #[inline(always)]
    fn quanta(self) -> f32 {
        self as f32
    }
}

impl Slot for i64 {
    const ZERO: Self = 0;
    #[inline(always)]
    unsafe fn add_late(input: &dyn LateInput, chunk: usize, slots: *mut Self) {
        // SAFETY: the caller's promise.
        unsafe { input.add_wide(chunk, slots) }
    }
    #[inline(always)]
    fn quanta(self) -> f32 {
        self as f32
    }
}

/// Input that is made chunk by chunk, just before the chunk is stepped.
pub trait LateInput: Sync {
    /// Adds to the slots of a chunk, the first of which is at `slots`.
    ///
    /// # Safety
    /// The chunk has slots there for every receptor that the input is for, and no other thread uses them.
    unsafe fn add_narrow(&self, chunk: usize, slots: *mut i32);
    /// As [`add_narrow`](Self::add_narrow), for slots of 64 bits.
    ///
    /// # Safety
    /// As [`add_narrow`](Self::add_narrow).
    unsafe fn add_wide(&self, chunk: usize, slots: *mut i64);
}

/// A state variable: a number, or the step until which something lasts.
pub trait StateValue: Copy {
    /// Whether it changes at spikes only, so that a chunk without any need not be written.
    const RARE: bool;
    /// The value as it has to be now and then so that a step long past never seems to lie ahead: step counters wrap.
    fn refreshed(self, now: i32) -> Self;
}

impl StateValue for f32 {
    const RARE: bool = false;
    #[inline(always)]
    fn refreshed(self, _now: i32) -> Self {
        self
    }
}

/// A step, kept in 32 bits. It changes only when the neuron spikes.
impl StateValue for i32 {
    const RARE: bool = true;
    #[inline(always)]
    fn refreshed(self, now: i32) -> Self {
        if self.wrapping_sub(now) < 0 {
            now
        } else {
            self
        }
    }
}

/// Steps between two refreshments of [steps](StateValue::refreshed), a quarter of what 32 bits count.
const REFRESH_EVERY: i32 = 1 << 30;

/// Whether it is time to [refresh](StateValue::refreshed).
#[inline(always)]
pub fn refreshes(now: i32) -> bool {
    now & (REFRESH_EVERY - 1) == 0
}

/// Parameters of one region: the same for every neuron, or one chunk of arrays per 64 neurons.
pub enum Parameters<K: Kernel + ?Sized> {
    /// Every neuron has these.
    Uniform(K::Params),
    /// Chunk by chunk.
    PerNeuron(Vec<K::ParamChunk>),
}

/// The first slot of each block in the step under way.
#[derive(Clone, Copy)]
pub enum Blocks<'a> {
    /// 32 bits per slot.
    Narrow(&'a [Shares<i32>]),
    /// 64 bits per slot. Rare, so it has no vector loops of its own.
    Wide(&'a [Shares<i64>]),
}

/// The part of a region that one lane steps, and where its input and output are.
pub struct LaneChunks<'a> {
    /// The lane's chunks, as ranges of a first and one past the last.
    pub spans: &'a [(u32, u32)],
    /// The block of each chunk of the region.
    pub block: &'a [u16],
    /// The first slot of each chunk within its block.
    pub base: &'a [u32],
    /// The slots.
    pub blocks: Blocks<'a>,
    /// Input that is not in the slots yet.
    pub late: Option<&'a dyn LateInput>,
    /// Per receptor, the offset of its slots from the chunk's first; `None` if nothing reaches it.
    pub offset: &'a [Option<u32>],
    /// Per receptor, the weight that one unit of a slot stands for.
    pub quanta: &'a [f32],
    /// Per receptor, whether the state that belongs to it is zero as long as nothing reaches it.
    pub quiet: &'a [bool],
    /// The stimulus current of the region, or null.
    pub drive: *const f32,
    /// One word per chunk: a bit for each neuron that spiked. Bits of the padding are arbitrary.
    pub mask: *mut u64,
}

impl LaneChunks<'_> {
    /// Span number `i` in the order of this step: forwards in even steps, backwards in odd ones, so that a step begins with what the
    /// one before left in the cache. Returns the first chunk, how many there are, and what leads from one to the next.
    #[inline(always)]
    pub fn span(&self, i: usize, now: i32) -> (usize, usize, isize) {
        if now & 1 == 0 {
            let (first, end) = self.spans[i];
            (first as usize, (end - first) as usize, 1)
        } else {
            let (first, end) = self.spans[self.spans.len() - 1 - i];
            (end as usize - 1, (end - first) as usize, -1)
        }
    }
}

/// The current of a region that no stimulus drives.
pub static NO_DRIVE: Chunk<f32> = Chunk([0.0; LANES]);

/// What `kernel!` implements: see the [module](self).
pub trait Kernel: Send + Sync + 'static {
    /// The constants of one neuron, derived from its parameters and the step.
    type Params: Copy + Send + Sync + 'static;
    /// The constants of [`LANES`] neurons.
    type ParamChunk: Send + Sync + 'static;
    /// One neuron's state.
    type State: Copy;
    /// The column components, to be written.
    type Columns: QueryData + IterQueryData;
    /// Pointers to the columns.
    type Pointers: Copy + Send + Sync;

    /// The module's name.
    const NAME: &'static str;
    /// The receptors, in the order of their slots.
    const RECEPTORS: &'static [&'static str];
    /// The names of the state columns, in order.
    const COLUMNS: &'static [&'static str];
    /// What the initial values of each column may be.
    const RANGES: &'static [Range];
    /// The kernel as WGSL text, without the [prelude](super::math::WGSL_PRELUDE), and its name; several where a model has the choice.
    fn wgsl() -> Vec<(&'static str, String)>;

    /// Inserts the columns of `states` (one per neuron, at least one); the padding repeats the last.
    fn insert(entity: &mut EntityWorldMut<'_>, states: &[Self::State]);
    /// Pointers to the columns of a query item.
    fn pointers(item: &mut <Self::Columns as QueryData>::Item<'_, '_>) -> Self::Pointers;
    /// Per receptor, whether the state that belongs to it is zero in all neurons of a region: as long as nothing reaches the receptor,
    /// such state stays zero and is neither read nor written.
    fn quiet(region: &EntityWorldMut<'_>) -> Vec<bool>;
    /// Constants of single neurons as chunks; the padding repeats the last.
    fn pack(params: &[Self::Params]) -> Vec<Self::ParamChunk>;
    /// Registers the column components.
    fn register(app: &mut bevy::prelude::App);

    /// Moves the lane's chunks by one step and zeroes the slots that were read.
    ///
    /// # Safety
    /// The chunks lie within the columns, the slots and the mask, and no other thread uses them; slots are aligned; this
    /// processor has `simd`.
    unsafe fn step_chunks(
        simd: SimdLevel,
        parameters: &Parameters<Self>,
        substeps: u32,
        now: i32,
        columns: Self::Pointers,
        lane: &LaneChunks<'_>,
    );
}

/// All bits set for a spike.
#[inline(always)]
pub fn spike_flag(spike: bool) -> u32 {
    if spike { u32::MAX } else { 0 }
}

/// A bit for each non-zero flag.
#[inline(always)]
pub fn spike_mask(flags: &[u32; LANES]) -> u64 {
    let mut any = 0;
    for &flag in flags {
        any |= flag;
    }
    if any == 0 {
        return 0;
    }
    let mut mask = 0;
    for (i, &flag) in flags.iter().enumerate() {
        mask |= u64::from(flag != 0) << i;
    }
    mask
}

/// Writes a neuron equation once, as Rust and as WGSL. See the [module](self) for the language.
#[macro_export]
macro_rules! kernel {
    (
        $(#[$meta:meta])*
        $vis:vis mod $name:ident;
        params { $($params:tt)* }
        state { $($states:tt)* }
        input { $($inputs:tt)* }
        $( fn $helper:ident( $( $arg:ident: $atype:ident ),* ) -> $rtype:ident { $($hbody:tt)* } )*
        step($sp:ident, $ss:ident, $sx:ident, $snow:ident) { $($sbody:tt)* }
    ) => {
        $crate::kernel! {
            @emit false
            $(#[$meta])*
            $vis mod $name;
            params { $($params)* }
            state { $($states)* }
            input { $($inputs)* }
            $( fn $helper( $( $arg: $atype ),* ) -> $rtype { $($hbody)* } )*
            repeat($sp, $ss, $sx, $snow) { $($sbody)* }
            step($sp, $ss, $sx, $snow) { $($sbody)* }
        }
    };
    (
        $(#[$meta:meta])*
        $vis:vis mod $name:ident;
        params { $($params:tt)* }
        state { $($states:tt)* }
        input { $($inputs:tt)* }
        $( fn $helper:ident( $( $arg:ident: $atype:ident ),* ) -> $rtype:ident { $($hbody:tt)* } )*
        repeat($rp:ident, $rs:ident, $rx:ident, $rnow:ident) { $($rbody:tt)* }
        step($sp:ident, $ss:ident, $sx:ident, $snow:ident) { $($sbody:tt)* }
    ) => {
        $crate::kernel! {
            @emit true
            $(#[$meta])*
            $vis mod $name;
            params { $($params)* }
            state { $($states)* }
            input { $($inputs)* }
            $( fn $helper( $( $arg: $atype ),* ) -> $rtype { $($hbody)* } )*
            repeat($rp, $rs, $rx, $rnow) { $($rbody)* }
            step($sp, $ss, $sx, $snow) { $($sbody)* }
        }
    };
    (
        @emit $repeats:literal
        $(#[$meta:meta])*
        $vis:vis mod $name:ident;
        params { $( $(#[$pmeta:meta])* $param:ident: $ptype:ident ),* $(,)? }
        state { $( $(#[$smeta:meta])* $state:ident: $stype:ident in $column:ident $(of $of:ident)? ),* $(,)? }
        input { $drive:ident $(, $receptor:ident )* $(,)? }
        $( fn $helper:ident( $( $arg:ident: $atype:ident ),* ) -> $rtype:ident { $($hbody:tt)* } )*
        repeat($rp:ident, $rs:ident, $rx:ident, $rnow:ident) { $($rbody:tt)* }
        step($sp:ident, $ss:ident, $sx:ident, $snow:ident) { $($sbody:tt)* }
    ) => {
        $(#[$meta])*
        #[allow(non_snake_case, unused_imports, unused_mut, unused_variables, clippy::all, missing_docs)]
        $vis mod $name {
            use core::mem::MaybeUninit;
            use $crate::sim::math::*;
            use $crate::sim::columns::{ColumnComponent, Column, LANES, $($column),*};
            use $crate::sim::kernel::{Blocks, Kernel, LaneChunks, NO_DRIVE, Parameters, Slot, StateValue, refreshes, spike_flag, spike_mask, wgsl_function};
            use $crate::sim::quantity::Range;
            use $crate::sim::workers::Shares;
            use $crate::sim::simd::SimdLevel;

            #[derive(Clone, Copy, Debug, PartialEq)]
            pub struct Params { $( $(#[$pmeta])* pub $param: $ptype ),* }

            #[derive(Clone, Copy, Debug, PartialEq)]
            pub struct State { $( $(#[$smeta])* pub $state: $stype ),* }

            #[derive(Clone, Copy, Debug, PartialEq)]
            pub struct Input { pub $drive: f32 $(, pub $receptor: f32 )* }

            #[derive(Clone, Copy, Debug, PartialEq)]
            pub struct Next { $( pub $state: $stype, )* pub spike: bool }

            #[inline(always)]
            pub fn Next($( $state: $stype, )* spike: bool) -> Next {
                Next { $( $state, )* spike }
            }

            $(
                #[inline(always)]
                pub fn $helper($( $arg: $atype ),*) -> $rtype { $($hbody)* }
            )*

            #[inline(always)]
            pub fn repeat($rp: Params, $rs: State, $rx: Input, $rnow: i32) -> Next { $($rbody)* }

            #[inline(always)]
            pub fn step($sp: Params, $ss: State, $sx: Input, $snow: i32) -> Next { $($sbody)* }

            #[derive(Clone, Debug)]
            #[repr(C, align(64))]
            pub struct ParamChunk { $( $param: [$ptype; LANES] ),* }

            #[derive(Clone, Copy)]
            pub struct Pointers { $( $state: *mut $stype ),* }
            // SAFETY: pointers only; `step_chunk` says who may follow them.
            unsafe impl Send for Pointers {}
            // SAFETY: as above.
            unsafe impl Sync for Pointers {}

            struct Quanta { $( $receptor: f32 ),* }

            #[inline(always)]
            fn chunk<T: Slot, const UNIFORM: bool>(
                params: &Params, param_chunk: Option<&ParamChunk>, substeps: u32, now: i32,
                $( $state: &mut [$stype; LANES], )*
                drive: &[f32; LANES],
                $( $receptor: &mut [T; LANES], )*
                quanta: &Quanta,
            ) -> u64 {
                // Written before they are read, and not zeroed first: this is the innermost loop.
                struct Rare { $( $state: [$stype; LANES] ),* }
                let mut rare = MaybeUninit::<Rare>::uninit();
                let rare = rare.as_mut_ptr();
                let mut flags = MaybeUninit::<[u32; LANES]>::uninit();
                let flags = flags.as_mut_ptr().cast::<u32>();
                let uniform = *params;
                macro_rules! at {
                    ($i:ident) => {
                        match (UNIFORM, param_chunk) {
                            (false, Some(c)) => Params { $( $param: c.$param[$i] ),* },
                            _ => uniform,
                        }
                    };
                }
                macro_rules! input {
                    ($i:ident) => {
                        Input { $drive: drive[$i] $(, $receptor: $receptor[$i].quanta() * quanta.$receptor )* }
                    };
                }
                if $repeats {
                    let mut early = [0u32; LANES];
                    for _ in 0..substeps {
                        for i in 0..LANES {
                            let next = repeat(at!(i), State { $( $state: $state[i] ),* }, input!(i), now);
                            $( $state[i] = next.$state; )*
                            early[i] |= spike_flag(next.spike);
                        }
                    }
                    // SAFETY: room for the flags of a chunk.
                    unsafe { flags.cast::<[u32; LANES]>().write(early) };
                }
                for i in 0..LANES {
                    let next = step(at!(i), State { $( $state: $state[i] ),* }, input!(i), now);
                    // SAFETY: `i` is less than the number of flags and values, and with `repeat` the flags are written already.
                    unsafe {
                        $( if <$stype>::RARE {
                            (&raw mut (*rare).$state).cast::<$stype>().add(i).write(next.$state);
                        } else {
                            $state[i] = next.$state;
                        } )*
                        let early = if $repeats { flags.add(i).read() } else { 0 };
                        flags.add(i).write(early | spike_flag(next.spike));
                    }
                    $( $receptor[i] = T::ZERO; )*
                }
                // SAFETY: every flag was written in the loop.
                let mask = spike_mask(unsafe { &*flags.cast::<[u32; LANES]>() });
                $( if <$stype>::RARE {
                    if mask != 0 {
                        // SAFETY: every rare value was written in the loop.
                        *$state = unsafe { (&raw const (*rare).$state).read() };
                    }
                    if refreshes(now) {
                        $state.iter_mut().for_each(|value| *value = value.refreshed(now));
                    }
                } )*
                mask
            }

            /// # Safety
            /// As [`Kernel::step_chunks`].
            #[inline(always)]
            unsafe fn chunks<T: Slot, const UNIFORM: bool>(
                params: &Params, param_chunks: &[ParamChunk], substeps: u32, now: i32,
                columns: Pointers, lane: &LaneChunks<'_>, blocks: &[Shares<T>],
            ) {
                let mut quanta = lane.quanta.iter();
                let quanta = Quanta { $( $receptor: *quanta.next().unwrap_or(&0.0) ),* };
                let mut offsets = lane.offset.iter();
                $( let mut $receptor = ([T::ZERO; LANES], offsets.next().copied().flatten()); )*
                // What stands in for the state of receptors that nothing has reached.
                struct Spare { $( $( #[doc = stringify!($of)] $state: [$stype; LANES], )? )* }
                let mut spare = Spare { $( $( $state: { let _ = stringify!($of); [0 as $stype; LANES] }, )? )* };
                #[allow(dead_code)]
                struct Idle { $( $receptor: bool ),* }
                let mut quiet = lane.quiet.iter();
                let idle = Idle { $( $receptor: *quiet.next().unwrap_or(&false) && $receptor.1.is_none() ),* };
                for i in 0..lane.spans.len() {
                    let (mut index, count, next) = lane.span(i, now);
                    for _ in 0..count {
                    let at = index * LANES;
                    // SAFETY: the caller's promise; the columns, the slots of different receptors and the spare arrays are distinct.
                    unsafe {
                        let base = blocks[usize::from(lane.block[index])].pointer().add(lane.base[index] as usize);
                        if let Some(late) = lane.late {
                            T::add_late(late, index, base);
                        }
                        let drive = if lane.drive.is_null() { &NO_DRIVE.0 } else { &*lane.drive.add(at).cast::<[f32; LANES]>() };
                        let mask = chunk::<T, UNIFORM>(
                            params, if UNIFORM { None } else { Some(&param_chunks[index]) }, substeps, now,
                            $( &mut *{
                                    let column = columns.$state.add(at).cast::<[$stype; LANES]>();
                                    $( let column = if idle.$of { &raw mut spare.$state } else { column }; )?
                                    column
                                }, )*
                            drive,
                            $( match $receptor.1 {
                                Some(offset) => &mut *base.add(offset as usize).cast::<[T; LANES]>(),
                                None => &mut $receptor.0,
                            }, )*
                            &quanta,
                        );
                        *lane.mask.add(index) = mask;
                    }
                        index = index.wrapping_add_signed(next);
                    }
                }
            }

            /// # Safety
            /// As [`Kernel::step_chunks`].
            unsafe fn chunks_portable<T: Slot, const UNIFORM: bool>(
                params: &Params, param_chunks: &[ParamChunk], substeps: u32, now: i32,
                columns: Pointers, lane: &LaneChunks<'_>, blocks: &[Shares<T>],
            ) {
                // SAFETY: the caller's promise.
                unsafe { chunks::<T, UNIFORM>(params, param_chunks, substeps, now, columns, lane, blocks) }
            }

            /// # Safety
            /// As [`Kernel::step_chunks`].
            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx2")]
            unsafe fn chunks_avx2<const UNIFORM: bool>(
                params: &Params, param_chunks: &[ParamChunk], substeps: u32, now: i32,
                columns: Pointers, lane: &LaneChunks<'_>, blocks: &[Shares<i32>],
            ) {
                // SAFETY: the caller's promise.
                unsafe { chunks::<i32, UNIFORM>(params, param_chunks, substeps, now, columns, lane, blocks) }
            }

            /// # Safety
            /// As [`Kernel::step_chunks`].
            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq")]
            unsafe fn chunks_avx512<const UNIFORM: bool>(
                params: &Params, param_chunks: &[ParamChunk], substeps: u32, now: i32,
                columns: Pointers, lane: &LaneChunks<'_>, blocks: &[Shares<i32>],
            ) {
                // SAFETY: the caller's promise.
                unsafe { chunks::<i32, UNIFORM>(params, param_chunks, substeps, now, columns, lane, blocks) }
            }

            /// The kernel as a type.
            pub struct Executor;

            impl Kernel for Executor {
                type Params = Params;
                type ParamChunk = ParamChunk;
                type State = State;
                type Columns = ( $( &'static mut $column, )* );
                type Pointers = Pointers;

                const NAME: &'static str = stringify!($name);
                const RECEPTORS: &'static [&'static str] = &[ $( stringify!($receptor) ),* ];
                const COLUMNS: &'static [&'static str] = &[ $( <$column as ColumnComponent>::NAME ),* ];
                const RANGES: &'static [Range] = &[ $( <$column as ColumnComponent>::RANGE ),* ];
                fn wgsl() -> Vec<(&'static str, String)> {
                    let mut text = String::from(concat!(
                        "struct Params { ", $( stringify!($param), ": ", stringify!($ptype), ", ", )* "}\n",
                        "struct State { ", $( stringify!($state), ": ", stringify!($stype), ", ", )* "}\n",
                        "struct Input { ", stringify!($drive), ": f32, ", $( stringify!($receptor), ": f32, ", )* "}\n",
                        "struct Next { ", $( stringify!($state), ": ", stringify!($stype), ", ", )* "spike: bool }\n",
                    ));
                    $( text += &wgsl_function(
                        concat!(stringify!($helper), "(", $( stringify!($arg), ": ", stringify!($atype), ", ", )* ")"),
                        stringify!($rtype),
                        stringify!($($hbody)*),
                    ); )*
                    if $repeats { text += &wgsl_function(
                        concat!("substep(", stringify!($rp), ": Params, ", stringify!($rs), ": State, ", stringify!($rx),
                            ": Input, ", stringify!($rnow), ": i32)"),
                        "Next",
                        stringify!($($rbody)*),
                    ); }
                    text += &wgsl_function(
                        concat!("step(", stringify!($sp), ": Params, ", stringify!($ss), ": State, ", stringify!($sx),
                            ": Input, ", stringify!($snow), ": i32)"),
                        "Next",
                        stringify!($($sbody)*),
                    );
                    vec![(Self::NAME, text)]
                }

                fn insert(entity: &mut bevy::ecs::world::EntityWorldMut<'_>, states: &[State]) {
                    $(
                        let mut column = Column::filled(states.len(), states[states.len() - 1].$state);
                        for (value, state) in column.as_mut_slice().iter_mut().zip(states) {
                            *value = state.$state;
                        }
                        entity.insert($column::wrap(column));
                    )*
                }

                fn pointers(
                    item: &mut <Self::Columns as bevy::ecs::query::QueryData>::Item<'_, '_>,
                ) -> Pointers {
                    let ( $( $state, )* ) = item;
                    Pointers { $( $state: $state.column_mut().as_mut_slice().as_mut_ptr() ),* }
                }

                fn quiet(region: &bevy::ecs::world::EntityWorldMut<'_>) -> Vec<bool> {
                    let mut quiet = vec![true; Self::RECEPTORS.len()];
                    $( $(
                        if let Some(receptor) = Self::RECEPTORS.iter().position(|name| *name == stringify!($of)) {
                            quiet[receptor] &= region
                                .get::<$column>()
                                .is_none_or(|values| values.column().as_slice().iter().all(|v| *v == 0 as $stype));
                        }
                    )? )*
                    quiet
                }

                fn pack(params: &[Params]) -> Vec<ParamChunk> {
                    params
                        .chunks(LANES)
                        .map(|chunk| {
                            let at = |i: usize| chunk[i.min(chunk.len() - 1)];
                            ParamChunk { $( $param: core::array::from_fn(|i| at(i).$param) ),* }
                        })
                        .collect()
                }

                fn register(app: &mut bevy::prelude::App) {
                    use $crate::sim::columns::RegisterColumn;
                    $( app.register_column::<$column>(); )*
                }

                unsafe fn step_chunks(
                    simd: SimdLevel, parameters: &Parameters<Self>, substeps: u32, now: i32,
                    columns: Pointers, lane: &LaneChunks<'_>,
                ) {
                    macro_rules! run {
                        ($uniform:path, $per_neuron:path, $blocks:ident) => {
                            // SAFETY: the caller's promise.
                            unsafe {
                                match parameters {
                                    Parameters::Uniform(p) => $uniform(p, &[], substeps, now, columns, lane, $blocks),
                                    Parameters::PerNeuron(chunks) => {
                                        let first = Params { $( $param: chunks[0].$param[0] ),* };
                                        $per_neuron(&first, chunks, substeps, now, columns, lane, $blocks);
                                    }
                                }
                            }
                        };
                    }
                    match (lane.blocks, simd) {
                        #[cfg(target_arch = "x86_64")]
                        (Blocks::Narrow(blocks), SimdLevel::Avx2) => run!(chunks_avx2::<true>, chunks_avx2::<false>, blocks),
                        #[cfg(target_arch = "x86_64")]
                        (Blocks::Narrow(blocks), SimdLevel::Avx512) => run!(chunks_avx512::<true>, chunks_avx512::<false>, blocks),
                        (Blocks::Narrow(blocks), _) => run!(chunks_portable::<i32, true>, chunks_portable::<i32, false>, blocks),
                        (Blocks::Wide(blocks), _) => run!(chunks_portable::<i64, true>, chunks_portable::<i64, false>, blocks),
                    }
                }
            }
        }
    };
}

/// A kernel function as WGSL text: the last expression of the body is what WGSL has to `return`.
#[doc(hidden)]
pub fn wgsl_function(signature: &str, result: &str, body: &str) -> String {
    let (statements, value) = match body.rfind(';') {
        Some(end) => body.split_at(end + 1),
        None => ("", body),
    };
    format!("fn {signature} -> {result} {{ {statements} return {value}; }}\n")
}
