//! An allocator that counts, thread by thread: what a piece of work keeps in memory, and what it took at most.
//!
//! One rule: it gives what the system's gives. Only tests and benches have it.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

thread_local! {
    static NOW: Cell<isize> = const { Cell::new(0) };
    static MOST: Cell<isize> = const { Cell::new(0) };
}

/// The allocator of a program that counts.
pub struct Counting;

/// Bytes of memory.
#[derive(Clone, Copy, Debug)]
pub struct Bytes {
    /// What is left of the work.
    pub kept: isize,
    /// What it had at one time at most.
    pub most: isize,
}

/// What `work` takes on this thread, and what it comes to.
pub fn count<T>(work: impl FnOnce() -> T) -> (Bytes, T) {
    let before = NOW.get();
    MOST.set(before);
    let outcome = work();
    (Bytes { kept: NOW.get() - before, most: MOST.get() - before }, outcome)
}

fn add(bytes: isize) {
    // A thread that ends has no counters any more.
    let _ = NOW.try_with(|now| {
        now.set(now.get() + bytes);
        let _ = MOST.try_with(|most| most.set(most.get().max(now.get())));
    });
}

// SAFETY: every block comes from `System` and goes back to it with the layout that it was taken with; counting
// neither allocates nor unwinds.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's promise is the one that `System` asks for.
        let block = unsafe { System.alloc(layout) };
        if !block.is_null() {
            add(layout.size() as isize);
        }
        block
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: the block is one of `System`, taken with this layout.
        unsafe { System.dealloc(block, layout) };
        add(-(layout.size() as isize));
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's promise is the one that `System` asks for.
        let block = unsafe { System.alloc_zeroed(layout) };
        if !block.is_null() {
            add(layout.size() as isize);
        }
        block
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: the block is one of `System`, taken with this layout; the size is as the caller promises.
        let new = unsafe { System.realloc(block, layout, size) };
        if !new.is_null() {
            add(size as isize - layout.size() as isize);
        }
        new
    }
}
