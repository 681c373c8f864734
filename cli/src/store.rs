//! Stores, their trees and batches, over the C functions of the library.

use std::ffi::{CStr, CString, c_char, c_void};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::ptr::{NonNull, null, null_mut};

use masstree::ffi::handle::TreeHandle;
use masstree::ffi::index::inspect::masstree_memory_held;
use masstree::ffi::index::scan::MASSTREE_VISIT_CONTINUE;
use masstree::ffi::status::*;
use masstree::ffi::store::checkpoint::masstree_store_checkpoint;
use masstree::ffi::store::export::masstree_store_export;
use masstree::ffi::store::failure::{StoreFailure, masstree_store_failure};
use masstree::ffi::store::handle::StoreHandle;
use masstree::ffi::store::import::*;
use masstree::ffi::store::open::*;
use masstree::ffi::store::stats::{StoreStats, masstree_store_stats};
use masstree::ffi::store::trees::*;
use masstree::ffi::store::verify::{VerifiedStore, masstree_store_verify};
use masstree::ffi::store::wait::{MASSTREE_DURABLE, masstree_store_sync, masstree_store_wait};
use masstree::ffi::store::write::*;

use crate::failure::{Failure, Kind, Outcome};
use crate::progress::PhaseBar;

/// How a store is opened.
#[derive(Clone, Copy, Default)]
pub(crate) struct Opening {
    pub(crate) flags: u32,
    pub(crate) level: u32,
    /// 0: the default.
    pub(crate) log_buffer_bytes: usize,
    /// Whether checkpoints are made in the background.
    pub(crate) makes_checkpoints: bool,
}

impl Opening {
    pub(crate) fn to_read() -> Self {
        let flags = MASSTREE_STORE_READ_ONLY;
        Self {
            flags,
            ..Self::default()
        }
    }
}

/// A store that is open.
pub(crate) struct Store {
    handle: NonNull<StoreHandle>,
    directory: PathBuf,
}

// SAFETY: any thread may use a store; it is closed when no thread uses it any more.
unsafe impl Send for Store {}
// SAFETY: several threads may, too.
unsafe impl Sync for Store {}

/// A function of the library that stores a value: store, tree, key, value, the commit's number.
type StoreValue = unsafe extern "C" fn(
    *mut StoreHandle,
    *mut TreeHandle,
    *const c_void,
    usize,
    *const c_void,
    usize,
    *mut u64,
) -> i32;

/// A tree of a store.
#[derive(Clone, Copy)]
pub(crate) struct Tree<'s> {
    pub(crate) handle: NonNull<TreeHandle>,
    pub(crate) store: &'s Store,
}

// SAFETY: any number of threads may use a tree.
unsafe impl Send for Tree<'_> {}
// SAFETY: as above.
unsafe impl Sync for Tree<'_> {}

/// Returns a failure struct that says nothing.
pub(crate) fn no_failure() -> StoreFailure {
    // SAFETY: all of its fields may be zero.
    let mut failure = unsafe { std::mem::zeroed::<StoreFailure>() };
    failure.struct_size = size_of::<StoreFailure>();
    failure
}

fn text_of(text: &[c_char]) -> String {
    let bytes: Vec<u8> = (text.iter().map(|&unit| unit as u8))
        .take_while(|&byte| byte != 0)
        .collect();
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Says what has failed: the file, the place and the reason, if the library knows them.
pub(crate) fn describe(status: i32, directory: &Path, failure: &StoreFailure) -> Failure {
    let place = directory.display();
    if failure.status == MASSTREE_OK {
        return Failure::of_status(status, place);
    }
    let (file, operation) = (text_of(&failure.file), text_of(&failure.operation));
    let what = match failure.os_error {
        0 => format!("{} at byte {}", text_of(&failure.reason), failure.offset),
        error => format!("{operation}: {}", std::io::Error::from_raw_os_error(error)),
    };
    let mut described = Failure::of_status(status, place);
    described.message = format!("{}: {file}: {what}", described.message);
    described
}

/// Converts the path of a directory.
fn c_path(directory: &Path) -> Outcome<CString> {
    CString::new(directory.as_os_str().as_bytes())
        .map_err(|_| Failure::usage("the name of the directory has a zero byte"))
}

/// The failure of a command that names a tree that the store does not have.
pub(crate) fn no_tree(name: &CStr) -> Failure {
    let message = format!("there is no tree {:?}", name.to_string_lossy());
    Failure::new(Kind::Absent, message)
}

fn no_store(directory: &Path) -> Failure {
    let message = format!("{}: there is no store", directory.display());
    Failure::new(Kind::Absent, message)
}

/// Checks everything in the files of a store.
pub(crate) fn verify(directory: &Path) -> Outcome<VerifiedStore> {
    let name = c_path(directory)?;
    let (mut failure, mut bar) = (no_failure(), PhaseBar::new());
    // SAFETY: all of their fields may be zero.
    let (mut options, mut verified) =
        unsafe { std::mem::zeroed::<(StoreOptionsC, VerifiedStore)>() };
    options.struct_size = size_of::<StoreOptionsC>();
    options.failure = &raw mut failure;
    options.progress = Some(PhaseBar::show);
    options.progress_ctx = (&raw mut bar).cast();
    verified.struct_size = size_of::<VerifiedStore>();
    // SAFETY: everything that the options point to lives during the call.
    let status =
        unsafe { masstree_store_verify(name.as_ptr(), &raw const options, &raw mut verified) };
    match status {
        MASSTREE_OK => Ok(verified),
        MASSTREE_NOT_FOUND => Err(no_store(directory)),
        status => Err(describe(status, directory, &failure)),
    }
}

impl Store {
    /// Opens a store; shows the progress on a terminal.
    pub(crate) fn open(directory: &Path, opening: Opening) -> Outcome<Self> {
        Self::open_or_memory(Some(directory), opening)
    }

    /// Opens a store, or without a directory one in memory only.
    pub(crate) fn open_or_memory(directory: Option<&Path>, opening: Opening) -> Outcome<Self> {
        let name = directory.map(c_path).transpose()?;
        let directory = directory.map_or_else(PathBuf::new, Path::to_path_buf);
        let (mut failure, mut bar) = (no_failure(), PhaseBar::new());
        // SAFETY: all of its fields may be zero.
        let mut options = unsafe { std::mem::zeroed::<StoreOptionsC>() };
        options.struct_size = size_of::<StoreOptionsC>();
        options.flags = opening.flags;
        options.level = opening.level;
        options.log_buffer_bytes = opening.log_buffer_bytes;
        options.failure = &raw mut failure;
        if !opening.makes_checkpoints {
            options.checkpoint_log_bytes = MASSTREE_NO_CHECKPOINTS;
        }
        options.progress = Some(PhaseBar::show);
        options.progress_ctx = (&raw mut bar).cast();
        let mut handle = null_mut();
        let name = name.as_ref().map_or(null(), |name| name.as_ptr());
        // SAFETY: everything that the options point to lives during the call.
        let status = unsafe { masstree_store_open(name, &raw const options, &raw mut handle) };
        match (status, NonNull::new(handle)) {
            (MASSTREE_OK, Some(handle)) => Ok(Self { handle, directory }),
            (MASSTREE_NOT_FOUND, _) => Err(no_store(&directory)),
            _ => Err(describe(status, &directory, &failure)),
        }
    }

    /// Closes the store; everything that was committed is durable then.
    pub(crate) fn close(self) -> Outcome<()> {
        let (handle, directory) = (self.handle.as_ptr(), self.directory.clone());
        std::mem::forget(self);
        // SAFETY: an open store, which is not used any more.
        match unsafe { masstree_store_close(handle) } {
            MASSTREE_OK => Ok(()),
            status => Err(Failure::of_status(status, directory.display())),
        }
    }

    pub(crate) fn directory(&self) -> &Path {
        &self.directory
    }

    pub(crate) fn handle(&self) -> *mut StoreHandle {
        self.handle.as_ptr()
    }

    /// Converts the status of a write; positive ones are answers.
    pub(crate) fn done(&self, status: i32) -> Outcome<i32> {
        if status >= 0 {
            return Ok(status);
        }
        let mut failure = no_failure();
        // SAFETY: an open store, and a struct that was initialised.
        unsafe { masstree_store_failure(self.handle(), &raw mut failure) };
        Err(describe(status, &self.directory, &failure))
    }

    /// The names of the trees, in the order in which they were made.
    pub(crate) fn tree_names(&self) -> Outcome<Vec<CString>> {
        /// # Safety
        /// `name` is a string, and `ctx` a `Vec<CString>`.
        unsafe extern "C" fn visit(
            name: *const c_char,
            _: *mut TreeHandle,
            ctx: *mut c_void,
        ) -> i32 {
            // SAFETY: by contract.
            unsafe { (*ctx.cast::<Vec<CString>>()).push(CStr::from_ptr(name).to_owned()) };
            MASSTREE_VISIT_CONTINUE
        }
        let mut names: Vec<CString> = Vec::new();
        let ctx = (&raw mut names).cast();
        // SAFETY: an open store; the visitor's `ctx` is a list of names.
        self.done(unsafe { masstree_store_list_trees(self.handle(), Some(visit), ctx) })?;
        Ok(names)
    }

    /// Returns a tree, which is made if there is none.
    pub(crate) fn make_tree(&self, name: &CStr) -> Outcome<Tree<'_>> {
        let mut tree = null_mut();
        // SAFETY: an open store, and a string.
        let status = unsafe { masstree_store_tree(self.handle(), name.as_ptr(), &raw mut tree) };
        match (self.done(status)?, NonNull::new(tree)) {
            (MASSTREE_OK, Some(handle)) => Ok(Tree {
                handle,
                store: self,
            }),
            (status, _) => Err(Failure::of_status(status, name.to_string_lossy())),
        }
    }

    /// Returns a tree, if there is one with this name.
    pub(crate) fn tree(&self, name: &CStr) -> Outcome<Tree<'_>> {
        match self.tree_names()?.iter().any(|of| of.as_c_str() == name) {
            true => self.make_tree(name),
            false => Err(no_tree(name)),
        }
    }

    /// Drops the tree with this name; says whether there was one.
    pub(crate) fn drop_tree(&self, name: &CStr) -> Outcome<bool> {
        // SAFETY: an open store, and a string.
        let status = unsafe { masstree_store_drop_tree(self.handle(), name.as_ptr(), null_mut()) };
        Ok(self.done(status)? == MASSTREE_OK)
    }

    /// Writes the content to a directory, which is a store afterwards.
    pub(crate) fn export(&self, directory: &Path) -> Outcome<()> {
        let name = c_path(directory)?;
        let (mut failure, mut bar) = (no_failure(), PhaseBar::new());
        // SAFETY: an open store, and a string; the bar and the failure live during the call.
        let status = unsafe {
            masstree_store_export(
                self.handle(),
                null(),
                name.as_ptr(),
                Some(PhaseBar::show),
                (&raw mut bar).cast(),
                &raw mut failure,
            )
        };
        match status {
            MASSTREE_OK => Ok(()),
            MASSTREE_EXISTS => {
                let message = format!("{}: there is a store already", directory.display());
                Err(Failure::new(Kind::Absent, message))
            }
            status => Err(describe(status, directory, &failure)),
        }
    }

    /// Copies the trees of the store in a directory.
    pub(crate) fn import(&self, directory: &Path, replaces: bool) -> Outcome<ImportedStore> {
        let name = c_path(directory)?;
        let (mut failure, mut bar) = (no_failure(), PhaseBar::new());
        let flags = if replaces { MASSTREE_IMPORT_REPLACE } else { 0 };
        // SAFETY: all of its fields may be zero.
        let mut imported = unsafe { std::mem::zeroed::<ImportedStore>() };
        imported.struct_size = size_of::<ImportedStore>();
        // SAFETY: an open store, and a string; the bar and the structs live during the call.
        let status = unsafe {
            masstree_store_import(
                self.handle(),
                name.as_ptr(),
                flags,
                Some(PhaseBar::show),
                (&raw mut bar).cast(),
                &raw mut failure,
                &raw mut imported,
            )
        };
        match status {
            MASSTREE_OK => Ok(imported),
            MASSTREE_EXISTS => {
                let message = format!("the tree {:?} is not empty", text_of(&imported.tree));
                Err(Failure::new(Kind::Absent, message))
            }
            MASSTREE_NOT_FOUND => Err(no_store(directory)),
            status if failure.status == MASSTREE_OK && status != MASSTREE_LOCKED => {
                self.done(status).map(|_| imported)
            }
            status => Err(describe(status, directory, &failure)),
        }
    }

    pub(crate) fn stats(&self) -> Outcome<StoreStats> {
        // SAFETY: all of its fields may be zero.
        let mut stats = unsafe { std::mem::zeroed::<StoreStats>() };
        stats.struct_size = size_of::<StoreStats>();
        // SAFETY: an open store, and a struct that was initialised.
        self.done(unsafe { masstree_store_stats(self.handle(), &raw mut stats) })?;
        Ok(stats)
    }

    /// Makes everything that was committed durable.
    pub(crate) fn sync(&self) -> Outcome<()> {
        // SAFETY: an open store.
        self.done(unsafe { masstree_store_sync(self.handle()) })
            .map(drop)
    }

    /// Waits until a commit is durable.
    pub(crate) fn wait_durable(&self, commit: u64) -> Outcome<()> {
        // SAFETY: an open store.
        let status = unsafe { masstree_store_wait(self.handle(), commit, MASSTREE_DURABLE) };
        self.done(status).map(drop)
    }

    pub(crate) fn checkpoint(&self) -> Outcome<()> {
        // SAFETY: an open store.
        self.done(unsafe { masstree_store_checkpoint(self.handle()) })
            .map(drop)
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        // SAFETY: an open store, which is not used any more. A failure was reported, or nothing was written.
        unsafe { masstree_store_close(self.handle()) };
    }
}

impl Tree<'_> {
    /// Stores a value; returns the commit's number.
    pub(crate) fn put(self, key: &[u8], value: &[u8]) -> Outcome<u64> {
        Ok(self.store_by(masstree_store_put, key, value)?.1)
    }

    /// Stores a value under a key that has none; returns the commit's number.
    pub(crate) fn insert(self, key: &[u8], value: &[u8]) -> Outcome<Option<u64>> {
        let (status, commit) = self.store_by(masstree_store_insert, key, value)?;
        Ok((status == MASSTREE_OK).then_some(commit))
    }

    /// Returns the status of a function that stores a value, and the commit's number.
    fn store_by(self, function: StoreValue, key: &[u8], value: &[u8]) -> Outcome<(i32, u64)> {
        let mut commit = 0;
        // SAFETY: an open store and its tree; bytes with their lengths.
        let status = self.store.done(unsafe {
            function(
                self.store.handle(),
                self.handle.as_ptr(),
                key.as_ptr().cast(),
                key.len(),
                value.as_ptr().cast(),
                value.len(),
                &raw mut commit,
            )
        })?;
        Ok((status, commit))
    }

    /// Removes a key; returns the commit's number, if the key had a value.
    pub(crate) fn remove(self, key: &[u8]) -> Outcome<Option<u64>> {
        let mut commit = 0;
        // SAFETY: as in `store_by`.
        let status = self.store.done(unsafe {
            masstree_store_remove(
                self.store.handle(),
                self.handle.as_ptr(),
                key.as_ptr().cast(),
                key.len(),
                &raw mut commit,
            )
        })?;
        Ok((status == MASSTREE_OK).then_some(commit))
    }

    /// The bytes of memory that the tree holds.
    pub(crate) fn memory(self) -> Outcome<u64> {
        let mut bytes = 0;
        // SAFETY: a tree of an open store.
        let status = unsafe { masstree_memory_held(self.handle.as_ptr(), &raw mut bytes) };
        self.store.done(status)?;
        Ok(bytes)
    }
}
