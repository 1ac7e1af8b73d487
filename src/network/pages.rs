//! Large arrays on large pages.
//!
//! Delivery reads short random pieces of gigabytes of synapses; with 4 KiB pages a fifth of its time goes to address
//! translation. [`Pages`] asks the system for 2 MiB pages where it can give them and is an ordinary zeroed array elsewhere.

use bytemuck::Zeroable;
use std::alloc::{Layout, alloc_zeroed, dealloc, handle_alloc_error};

const HUGE: usize = 2 << 20;

/// A fixed-length array of plain values, zero at first.
pub struct Pages<T> {
    pointer: *mut T,
    len: usize,
}

// SAFETY: `Pages` owns its memory like a `Vec`.
unsafe impl<T: Send> Send for Pages<T> {}
// SAFETY: as above.
unsafe impl<T: Sync> Sync for Pages<T> {}

impl<T: Copy + Zeroable> Pages<T> {
    /// `len` zeroed values.
    pub fn zeroed(len: usize) -> Self {
        if len == 0 || size_of::<T>() == 0 {
            return Self {
                pointer: core::ptr::NonNull::dangling().as_ptr(),
                len: 0,
            };
        }
        let layout = Self::layout(len);
        // SAFETY: the layout is not empty.
        let pointer = unsafe { alloc_zeroed(layout) };
        if pointer.is_null() {
            handle_alloc_error(layout);
        }
        #[cfg(target_os = "linux")]
        if layout.align() == HUGE {
            // SAFETY: the range was just allocated and is page-aligned; the advice changes no content.
            unsafe { libc::madvise(pointer.cast(), layout.size(), libc::MADV_HUGEPAGE) };
        }
        Self {
            pointer: pointer.cast(),
            len,
        }
    }

    fn layout(len: usize) -> Layout {
        let bytes = len.saturating_mul(size_of::<T>());
        let align = if bytes >= HUGE { HUGE } else { 64 };
        Layout::from_size_align(bytes, align).unwrap_or(Layout::new::<T>())
    }
}

impl<T> core::ops::Deref for Pages<T> {
    type Target = [T];
    #[inline(always)]
    fn deref(&self) -> &[T] {
        // SAFETY: `len` values live at `pointer`.
        unsafe { core::slice::from_raw_parts(self.pointer, self.len) }
    }
}

impl<T> core::ops::DerefMut for Pages<T> {
    #[inline(always)]
    fn deref_mut(&mut self) -> &mut [T] {
        // SAFETY: `len` values live at `pointer`.
        unsafe { core::slice::from_raw_parts_mut(self.pointer, self.len) }
    }
}

impl<T> Drop for Pages<T> {
    fn drop(&mut self) {
        if self.len > 0 {
            let bytes = self.len * size_of::<T>();
            let align = if bytes >= HUGE { HUGE } else { 64 };
            if let Ok(layout) = Layout::from_size_align(bytes, align) {
                // SAFETY: allocated with this very layout.
                unsafe { dealloc(self.pointer.cast(), layout) };
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_are_zeroed_and_writable() {
        for len in [0usize, 1, 1000, 3 << 20] {
            let mut pages = Pages::<u32>::zeroed(len);
            assert_eq!(pages.len(), len);
            assert!(pages.iter().all(|&x| x == 0));
            if len > 0 {
                pages[len - 1] = 7;
                assert_eq!(pages[len - 1], 7);
            }
        }
    }
}
