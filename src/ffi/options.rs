//! The options of `masstree_create`.

use std::ffi::c_void;

/// Called for a value that has left the tree, once per value, when no reader
/// can hold it any more: after masstree_put displaced it, after masstree_remove
/// or masstree_exchange whose caller did not take it through the output
/// pointer, and for every value still present in masstree_destroy.
///
/// A value stored under a key that has the very same value already displaces
/// nothing.
///
/// It runs on any thread that uses the tree, inside some call to this library,
/// with no lock held. It must not call into the same tree, and must return: no
/// longjmp, no C++ exception, no pthread_exit.
pub type ValueDestructor = Option<unsafe extern "C" fn(value: u64, ctx: *mut c_void)>;

/// Options of masstree_create. Start from MASSTREE_OPTIONS_INIT and set what
/// you need. A program built with an older, smaller struct works with a newer
/// library: fields it does not have take their defaults. One built with a
/// newer, larger struct works with an older library as long as every field
/// that library does not know is zero.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Options {
    /// sizeof(masstree_options_t); MASSTREE_OPTIONS_INIT sets it.
    pub struct_size: usize,
    /// Called for each value that leaves the tree; NULL: values are plain words
    /// and nothing is called.
    pub value_destructor: ValueDestructor,
    /// Handed to value_destructor.
    pub value_ctx: *mut c_void,
}
