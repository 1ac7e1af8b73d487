//! The slots in which synaptic input is summed.
//!
//! # Fixed point
//!
//! Synaptic input is summed in integers, in units of a power-of-two *quantum* per region and receptor, so that a sum does not
//! depend on the order of its terms: one thread, many threads and atomics on a GPU all give the same. The quantum is chosen
//! when the network is built ([`scene::build`](crate::scene::build)) so that the largest sum a target can receive in one step fits.
//!
//! # Blocks
//!
//! The slots of all regions are divided into *blocks* of at most 65,536, and every block belongs to one lane: whoever writes a slot
//! needs no atomics. Results do not depend on the number of blocks.
//!
//! # Ring
//!
//! A network whose stores all pull has one slot array, that of the step under way. Where a store pushes, there is a ring of slot arrays,
//! one for each step up to the longest delay.

use crate::sim::columns::LANES;
use crate::sim::kernel::Slot;
use crate::sim::workers::Shares;
use bevy::prelude::*;

/// An integer that weights can be added to.
pub trait Accumulator: Slot {
    /// Adds a weight in quanta.
    fn add(&mut self, quanta: i32, shift: u32);
    /// The low bits of a sum.
    fn from_i64(value: i64) -> Self;
}

impl Accumulator for i32 {
    #[inline(always)]
    fn add(&mut self, quanta: i32, shift: u32) {
        *self = self.wrapping_add(quanta << shift);
    }
    fn from_i64(value: i64) -> Self {
        value as i32
    }
}

impl Accumulator for i64 {
    #[inline(always)]
    fn add(&mut self, quanta: i32, shift: u32) {
        *self += i64::from(quanta) << shift;
    }
    fn from_i64(value: i64) -> Self {
        value
    }
}

#[repr(C, align(64))]
#[derive(Clone, Copy)]
struct Line<T>([T; 16]);

/// The slots of all blocks.
pub struct Slots<T> {
    lanes: usize,
    ring: usize,
    blocks: Vec<Block<T>>,
    /// The first slot of each block.
    pointers: Vec<Shares<T>>,
    /// The first slot of each block in the step under way.
    current: Vec<Shares<T>>,
}

struct Block<T> {
    lines: Vec<Line<T>>,
    /// Slots per ring position, a multiple of 64.
    stride: usize,
}

impl<T: Accumulator> Slots<T> {
    /// Slots for blocks of the given sizes, for `lanes` lanes and a ring of `ring` steps.
    pub fn new(lanes: usize, ring: usize, sizes: &[usize]) -> Self {
        let mut blocks: Vec<_> = sizes
            .iter()
            .map(|&size| {
                let stride = size.next_multiple_of(LANES);
                Block {
                    lines: vec![Line([T::ZERO; 16]); stride / 16 * ring],
                    stride,
                }
            })
            .collect();
        let pointers: Vec<_> = blocks.iter_mut().map(Block::share).collect();
        Self {
            lanes,
            ring,
            blocks,
            current: pointers.clone(),
            pointers,
        }
    }

    /// The slots of step `step` for the lanes.
    #[inline]
    pub fn share(&mut self, step: u64) -> SharedSlots<'_, T> {
        let mut position = 0;
        if self.ring > 1 {
            position = (step % self.ring as u64) as usize;
            for ((current, first), block) in self
                .current
                .iter_mut()
                .zip(&self.pointers)
                .zip(&self.blocks)
            {
                *current = first.offset(position * block.stride);
            }
        }
        SharedSlots {
            lanes: self.lanes,
            position,
            ring: self.ring,
            blocks: &self.blocks,
            pointers: &self.pointers,
            current: &self.current,
        }
    }

    /// Slots of the same shape with nothing in them.
    pub fn empty_copy(&self) -> Self {
        let sizes: Vec<_> = self.blocks.iter().map(|block| block.stride).collect();
        Self::new(self.lanes, self.ring, &sizes)
    }

    /// One slot of a ring position.
    pub fn get(&self, block: usize, position: usize, slot: usize) -> T {
        let block = &self.blocks[block];
        block.values()[position * block.stride + slot]
    }

    /// Adds to one slot of a ring position.
    pub fn add(&mut self, block: usize, position: usize, slot: usize, quanta: i64)
    where
        T: Into<i64>,
    {
        let index = position * self.blocks[block].stride + slot;
        let value = &mut self.block_mut(block)[index];
        *value = T::from_i64((*value).into().wrapping_add(quanta));
    }

    /// Empties every slot of every ring position.
    pub fn clear(&mut self) {
        for block in 0..self.blocks() {
            self.block_mut(block).fill(T::ZERO);
        }
    }

    /// The slots of one block, all ring positions one after another.
    pub fn block_mut(&mut self, block: usize) -> &mut [T] {
        let block = &mut self.blocks[block];
        // SAFETY: a line is an array of 16 values.
        unsafe {
            core::slice::from_raw_parts_mut(block.lines.as_mut_ptr().cast(), block.lines.len() * 16)
        }
    }

    /// Slots per ring position of a block.
    pub fn stride(&self, block: usize) -> usize {
        self.blocks[block].stride
    }

    /// Ring positions.
    pub fn ring(&self) -> usize {
        self.ring
    }

    /// The number of blocks.
    pub fn blocks(&self) -> usize {
        self.blocks.len()
    }
}

impl<T: Accumulator> Block<T> {
    fn share(&mut self) -> Shares<T> {
        // SAFETY: a line is an array of 16 values.
        Shares::new(unsafe {
            core::slice::from_raw_parts_mut(self.lines.as_mut_ptr().cast(), self.lines.len() * 16)
        })
    }

    fn values(&self) -> &[T] {
        // SAFETY: a line is an array of 16 values.
        unsafe { core::slice::from_raw_parts(self.lines.as_ptr().cast(), self.lines.len() * 16) }
    }
}

/// The slots as the lanes see them in one step.
pub struct SharedSlots<'a, T> {
    lanes: usize,
    position: usize,
    ring: usize,
    blocks: &'a [Block<T>],
    pointers: &'a [Shares<T>],
    current: &'a [Shares<T>],
}

impl<T> SharedSlots<'_, T> {
    /// How many lanes share the blocks: block *b* belongs to lane *b* mod lanes.
    #[inline(always)]
    pub fn lanes(&self) -> usize {
        self.lanes
    }

    /// The first slot of `block` for the step under way.
    #[inline(always)]
    pub fn block(&self, block: usize) -> *mut T {
        self.current[block].pointer()
    }

    /// The first slot of every block for the step under way.
    #[inline(always)]
    pub fn blocks(&self) -> &[Shares<T>] {
        self.current
    }

    /// The first slot of `block` for the step `delay` steps later, less than the ring is long.
    #[inline(always)]
    pub fn block_after(&self, block: usize, delay: usize) -> *mut T {
        let mut position = self.position + delay;
        if position >= self.ring {
            position -= self.ring;
        }
        // SAFETY: within the block's allocation, since `position` is less than the ring length.
        unsafe {
            self.pointers[block]
                .pointer()
                .add(position * self.blocks[block].stride)
        }
    }
}

/// The input slots of a simulation, as wide as its weights and degrees need.
#[derive(Resource)]
pub enum InputSlots {
    /// 32 bits per slot.
    Narrow(Slots<i32>),
    /// 64 bits per slot: for networks whose largest sum does not fit 32 at a fine enough quantum.
    Wide(Slots<i64>),
}

impl InputSlots {
    /// One slot of a ring position.
    pub fn sum(&self, block: usize, position: usize, slot: usize) -> i64 {
        match self {
            Self::Narrow(slots) => slots.get(block, position, slot).into(),
            Self::Wide(slots) => slots.get(block, position, slot),
        }
    }
}
