//! Reports the library's synchronization to ThreadSanitizer, in a program built with it, and to
//! Helgrind (the feature `annotate`; without it, this module compiles to nothing, except in builds
//! that ThreadSanitizer instruments). See docs/sanitizers.md.
//!
//! The library itself is not instrumented: the tool sees neither its atomics nor its plain
//! loads and stores, but it sees the program's, and calls of `memcpy`, `malloc` and `free`
//! from anywhere. So the library reports each order that it establishes, where it does so:
//!
//! - Each word of a node that is released or acquired, by the atomics of `sync`.
//! - The mutexes of pools, by [`Owned`]; slots of guards, when they change owners.
//! - Accesses under a guard happen before the frees that the guard's end allows: a guard
//!   releases its domain when it is refreshed or left, a thread releases it when it retires an
//!   object, and [`Freeing`] acquires it.
//! - Seize orders its own lists by a mutex of its own, which cannot be reported from outside:
//!   the tool ignores allocations and frees there ([`IgnoredAccesses`]).
//!
//! A release is reported before its store, and an acquire after its load: in between, the tool
//! would miss the order. The cost is an occasional false order: if a load executes before a
//! store, but the load's acquire is reported after the store's release, the tool takes the store
//! to happen before the load. So it may miss a race of the program, but never reports a false
//! one.

#[cfg(not(feature = "annotate"))]
pub(crate) use absent::*;
#[cfg(feature = "annotate")]
pub(crate) use present::*;

#[cfg(not(feature = "annotate"))]
mod absent {
    #[cfg(masstree_tsan)]
    use std::ffi::c_void;
    use std::sync::MutexGuard;

    // Builds that ThreadSanitizer instruments report the order that seize establishes by fences and
    // `membarrier`, which the tool does not understand: otherwise it would report the reuse of a
    // freed slot as a race with accesses under guards that ended before.
    #[cfg(masstree_tsan)]
    unsafe extern "C" {
        fn __tsan_acquire(ptr: *const c_void);
        fn __tsan_release(ptr: *const c_void);
    }

    #[inline(always)]
    pub(crate) fn acquire<T>(ptr: *const T) {
        #[cfg(masstree_tsan)]
        // SAFETY: the tool takes any address of the program's memory.
        unsafe {
            __tsan_acquire(ptr.cast());
        }
        let _ = ptr;
    }

    #[inline(always)]
    pub(crate) fn release<T>(ptr: *const T) {
        #[cfg(masstree_tsan)]
        // SAFETY: as in `acquire`.
        unsafe {
            __tsan_release(ptr.cast());
        }
        let _ = ptr;
    }

    pub(crate) struct IgnoredAccesses;

    impl IgnoredAccesses {
        #[inline(always)]
        pub(crate) fn begin() -> Self {
            Self
        }
    }

    pub(crate) struct Freeing;

    impl Freeing {
        #[inline(always)]
        pub(crate) fn begin<T>(domain: &T) -> Self {
            acquire(domain);
            Self
        }
    }

    pub(crate) type Owned<'m, T> = MutexGuard<'m, T>;
}

#[cfg(feature = "annotate")]
mod present {
    use std::cell::Cell;
    use std::ffi::{CStr, c_char, c_int, c_void};
    use std::mem::transmute;
    use std::ops::{Deref, DerefMut};
    use std::ptr::null;
    use std::sync::{MutexGuard, OnceLock};

    /// The tool's functions; `None` where the program does not contain the tool.
    struct Tool {
        acquire: Option<unsafe extern "C" fn(*const c_void)>,
        release: Option<unsafe extern "C" fn(*const c_void)>,
        ignore: [Option<Ignore>; 2],
        notice: [Option<Ignore>; 2],
    }

    /// Takes the file and line of the call.
    type Ignore = unsafe extern "C" fn(*const c_char, c_int);

    fn tool() -> &'static Tool {
        static TOOL: OnceLock<Tool> = OnceLock::new();
        TOOL.get_or_init(|| {
            // SAFETY: the name ends with zero. The tool is part of the program itself, so
            // the function found stays loaded.
            let find = |name: &CStr| unsafe { libc::dlsym(libc::RTLD_DEFAULT, name.as_ptr()) };
            // SAFETY: the functions of ThreadSanitizer's interface have these types, and no
            // function is null.
            unsafe {
                Tool {
                    acquire: transmute::<*mut c_void, Option<_>>(find(c"__tsan_acquire")),
                    release: transmute::<*mut c_void, Option<_>>(find(c"__tsan_release")),
                    ignore: [c"AnnotateIgnoreReadsBegin", c"AnnotateIgnoreWritesBegin"]
                        .map(|name| transmute::<*mut c_void, Option<_>>(find(name))),
                    notice: [c"AnnotateIgnoreReadsEnd", c"AnnotateIgnoreWritesEnd"]
                        .map(|name| transmute::<*mut c_void, Option<_>>(find(name))),
                }
            }
        })
    }

    /// Helgrind's requests for sending to and receiving from a user-defined synchronization
    /// object; valgrind never changes these numbers.
    const SEND: usize = HELGRIND + 256 + 33;
    const RECEIVE: usize = SEND + 1;
    const HELGRIND: usize = (b'H' as usize) << 24 | (b'G' as usize) << 16;

    /// Makes a request of Helgrind, if the program runs under it: valgrind recognizes these
    /// instructions, which have no effect elsewhere.
    #[cfg(target_arch = "x86_64")]
    fn request(what: usize, ptr: *const c_void) {
        let arguments = [what, ptr.addr(), 0, 0, 0, 0];
        // SAFETY: the rotations add up to 128 bits, a full turn; only rdx changes.
        unsafe {
            std::arch::asm!(
                "rol rdi, 3",
                "rol rdi, 13",
                "rol rdi, 61",
                "rol rdi, 51",
                "xchg rbx, rbx",
                in("rax") arguments.as_ptr(),
                inlateout("rdx") 0_usize => _,
                options(nostack),
            );
        }
    }

    #[cfg(not(target_arch = "x86_64"))]
    fn request(_: usize, _: *const c_void) {}

    /// Orders what other threads did before they released `ptr` before what this thread does next.
    pub(crate) fn acquire<T>(ptr: *const T) {
        request(RECEIVE, ptr.cast());
        if let Some(acquire) = tool().acquire {
            // SAFETY: the tool takes any address of the program's memory.
            unsafe { acquire(ptr.cast()) };
        }
    }

    /// Orders what this thread did before what other threads do after they acquire `ptr`.
    pub(crate) fn release<T>(ptr: *const T) {
        request(SEND, ptr.cast());
        if let Some(release) = tool().release {
            // SAFETY: as in `acquire`.
            unsafe { release(ptr.cast()) };
        }
    }

    thread_local! {
        /// How many [`IgnoredAccesses`] this thread has. No destructor: accessible at any time.
        static UNSEEN: Cell<u32> = const { Cell::new(0) };
    }

    fn call(functions: [Option<Ignore>; 2]) {
        for function in functions.into_iter().flatten() {
            // SAFETY: the function accepts any file name, null included.
            unsafe { function(null(), 0) };
        }
    }

    /// While it exists, the tool ignores this thread's memory accesses.
    pub(crate) struct IgnoredAccesses;

    impl IgnoredAccesses {
        pub(crate) fn begin() -> Self {
            let outer = UNSEEN.replace(UNSEEN.get() + 1);
            if outer == 0 {
                call(tool().ignore);
            }
            Self
        }
    }

    impl Drop for IgnoredAccesses {
        fn drop(&mut self) {
            let left = UNSEEN.get() - 1;
            UNSEEN.set(left);
            if left == 0 {
                call(tool().notice);
            }
        }
    }

    /// Brackets the freeing of an object that no guard protects any more, possibly by the user's
    /// destructor: within it, the tool observes memory accesses again.
    pub(crate) struct Freeing {
        domain: *const c_void,
        unseen: u32,
    }

    impl Freeing {
        pub(crate) fn begin<T>(domain: &T) -> Self {
            let domain = std::ptr::from_ref(domain).cast();
            acquire::<c_void>(domain);
            let unseen = UNSEEN.replace(0);
            if unseen != 0 {
                call(tool().notice);
            }
            Self { domain, unseen }
        }
    }

    impl Drop for Freeing {
        fn drop(&mut self) {
            // Pairs with the acquire in `Domain::wait_for_guards`.
            release(self.domain);
            UNSEEN.set(self.unseen);
            if self.unseen != 0 {
                call(tool().ignore);
            }
        }
    }

    /// A mutex that this thread has locked.
    pub(crate) struct Owned<'m, T>(MutexGuard<'m, T>);

    impl<'m, T> From<MutexGuard<'m, T>> for Owned<'m, T> {
        fn from(guard: MutexGuard<'m, T>) -> Self {
            acquire(&raw const *guard);
            Self(guard)
        }
    }

    impl<T> Drop for Owned<'_, T> {
        fn drop(&mut self) {
            release(&raw const *self.0);
        }
    }

    impl<T> Deref for Owned<'_, T> {
        type Target = T;

        fn deref(&self) -> &T {
            &self.0
        }
    }

    impl<T> DerefMut for Owned<'_, T> {
        fn deref_mut(&mut self) -> &mut T {
            &mut self.0
        }
    }
}
