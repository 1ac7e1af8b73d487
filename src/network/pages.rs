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
    /// `len` zeroed values. Memory is taken as it is touched, by whoever touches it.
    pub fn zeroed(len: usize) -> Self {
        if len == 0 || size_of::<T>() == 0 {
            return Self {
                pointer: core::ptr::NonNull::dangling().as_ptr(),
                len: 0,
            };
        }
        #[cfg(target_os = "linux")]
        if len.saturating_mul(size_of::<T>()) >= HUGE {
            let bytes = len.saturating_mul(size_of::<T>());
            let Some(pointer) = map_huge(bytes) else {
                handle_alloc_error(
                    Layout::from_size_align(bytes, HUGE).unwrap_or(Layout::new::<T>()),
                );
            };
            return Self {
                pointer: pointer.cast(),
                len,
            };
        }
        let layout = Layout::array::<T>(len).unwrap_or(Layout::new::<T>());
        // SAFETY: the layout is not empty.
        let pointer = unsafe { alloc_zeroed(layout) };
        if pointer.is_null() {
            handle_alloc_error(layout);
        }
        Self {
            pointer: pointer.cast(),
            len,
        }
    }
}

/// Fresh zero pages for `bytes`, aligned to large pages, which the system is asked for before anything is touched; none if the system
/// refuses.
#[cfg(target_os = "linux")]
fn map_huge(bytes: usize) -> Option<*mut u8> {
    let size = bytes.checked_next_multiple_of(HUGE)?;
    let total = size.checked_add(HUGE)?;
    // SAFETY: an anonymous private mapping of fresh memory; what lies before and after the aligned part is given back at once.
    unsafe {
        let protection = libc::PROT_READ | libc::PROT_WRITE;
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE;
        let start = libc::mmap(core::ptr::null_mut(), total, protection, flags, -1, 0);
        if start == libc::MAP_FAILED {
            return None;
        }
        let start = start.cast::<u8>();
        let before = start.align_offset(HUGE);
        if before > 0 {
            libc::munmap(start.cast(), before);
        }
        let aligned = start.add(before);
        let after = total - before - size;
        if after > 0 {
            libc::munmap(aligned.add(size).cast(), after);
        }
        libc::madvise(aligned.cast(), size, libc::MADV_HUGEPAGE);
        Some(aligned)
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
        if self.len == 0 {
            return;
        }
        #[cfg(target_os = "linux")]
        if self.len * size_of::<T>() >= HUGE {
            // SAFETY: mapped by `map_huge` with this very size.
            unsafe {
                libc::munmap(
                    self.pointer.cast(),
                    (self.len * size_of::<T>()).next_multiple_of(HUGE),
                )
            };
            return;
        }
        if let Ok(layout) = Layout::array::<T>(self.len) {
            // SAFETY: allocated with this very layout.
            unsafe { dealloc(self.pointer.cast(), layout) };
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
