//! Value words, and what becomes of those that leave the tree.

use std::ffi::c_void;

/// The user's destructor of values, with its context.
///
/// It runs once for every value that leaves the tree unclaimed, when no reader
/// can hold it any more; on whichever thread notices that, with no lock held.
#[derive(Clone, Copy)]
pub struct Destructor {
    function: unsafe extern "C" fn(u64, *mut c_void),
    ctx: *mut c_void,
}

// SAFETY: the contract of `Destructor::new` is that function and context may be
// used from any thread.
unsafe impl Send for Destructor {}
// SAFETY: as above.
unsafe impl Sync for Destructor {}

impl Destructor {
    /// A destructor that calls `function` with `ctx`.
    ///
    /// # Safety
    /// The two fit each other, and may be used from any thread for as long as the
    /// tree lives.
    pub unsafe fn new(function: unsafe extern "C" fn(u64, *mut c_void), ctx: *mut c_void) -> Self {
        Self { function, ctx }
    }

    /// # Safety
    /// `value` has left the tree, no reader can hold it, and nobody else
    /// destroys it.
    pub(crate) unsafe fn destroy(&self, value: u64) {
        // SAFETY: by contract of this function and of `new`.
        unsafe { (self.function)(value, self.ctx) }
    }
}
