//! A file system in memory that records every change, and makes images of what a crash may leave.
//!
//! [`Disk::images`]: the changes up to an operation are replayed. What was synced is kept. Of the
//! rest, an image contains a part that is chosen at random: of each sector of 512 bytes, the state
//! after any of the writes to it since the last sync; of a file's length, any that it had; of the
//! operations of a directory, a prefix of them or any subset.

mod replay;

use std::collections::BTreeMap;
use std::ffi::{CStr, c_char, c_int, c_void};
use std::sync::{Arc, Mutex, MutexGuard};

use super::{Io, IoTable, OPEN_CREATE, OPEN_NEW, Visit};
use crate::errno;
pub(crate) use crate::testing::Random;
use replay::Replay;

/// A change, as it is recorded.
#[derive(Clone, Debug)]
pub(crate) enum Change {
    /// A file's inode and name.
    Create(usize, Vec<u8>),
    Write(usize, u64, Vec<u8>),
    /// By `preallocate` or `truncate`.
    Length(usize, u64),
    Sync(usize),
    SyncDir(Vec<u8>),
    Rename(Vec<u8>, Vec<u8>),
    Unlink(Vec<u8>),
    Mkdir,
}

#[derive(Default)]
struct State {
    changes: Vec<Change>,
    inodes: Vec<Vec<u8>>,
    names: BTreeMap<Vec<u8>, usize>,
    directories: Vec<Vec<u8>>,
    /// The inode of each open.
    open: Vec<Option<usize>>,
    /// The opens that are locked, and whether exclusively.
    locks: BTreeMap<i64, bool>,
    /// Bytes that may be allocated; checked by `preallocate`, and by writes beyond the end.
    room: Option<u64>,
}

/// The file system. A copy is another reference to it.
#[derive(Clone, Default)]
pub(crate) struct Disk(Arc<Shared>);

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    /// The files at the beginning.
    base: BTreeMap<Vec<u8>, Vec<u8>>,
}

fn directory_of(path: &[u8]) -> &[u8] {
    let end = path.iter().rposition(|&byte| byte == b'/').unwrap_or(0);
    &path[..end]
}

impl Disk {
    /// A disk with these files, all of them synced.
    pub(crate) fn with(files: BTreeMap<Vec<u8>, Vec<u8>>) -> Self {
        let mut state = State::default();
        for (path, bytes) in &files {
            state.names.insert(path.clone(), state.inodes.len());
            state.inodes.push(bytes.clone());
        }
        Self(Arc::new(Shared {
            state: Mutex::new(state),
            base: files,
        }))
    }

    pub(crate) fn io(&self) -> Io {
        let ctx = Arc::as_ptr(&self.0).cast_mut().cast::<c_void>();
        // SAFETY: the functions below meet the contract; the context is alive as long as the result.
        unsafe { Io::from_table(IoTable { ctx, ..TABLE }, Some(self.0.clone())) }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        errno::lock(&self.0.state)
    }

    /// How many changes were recorded.
    pub(crate) fn operations(&self) -> usize {
        self.state().changes.len()
    }

    /// The changes that were recorded.
    pub(crate) fn changes(&self) -> Vec<Change> {
        self.state().changes.clone()
    }

    /// Lets `bytes` more be allocated, or any number.
    pub(crate) fn set_room(&self, bytes: Option<u64>) {
        self.state().room = bytes;
    }

    /// The files as they are.
    pub(crate) fn files(&self) -> BTreeMap<Vec<u8>, Vec<u8>> {
        let state = self.state();
        (state.names.iter())
            .map(|(path, &inode)| (path.clone(), state.inodes[inode].clone()))
            .collect()
    }

    /// What a crash after so many changes may leave.
    pub(crate) fn images(&self, after: usize, seed: u64) -> Disk {
        let state = self.state();
        let mut random = Random(seed);
        let mut replay = Replay::new(&self.0.base);
        for change in &state.changes[..after] {
            replay.apply(change);
        }
        Disk::with(replay.crash(&mut random))
    }
}

const TABLE: IoTable = IoTable {
    ctx: std::ptr::null_mut(),
    open,
    close,
    read_at,
    write_at,
    sync,
    sync_dir,
    preallocate,
    truncate,
    length,
    lock,
    rename,
    unlink,
    mkdir,
    list,
};

/// The disk of a call.
unsafe fn of<'a>(ctx: *mut c_void) -> MutexGuard<'a, State> {
    // SAFETY: `Disk::io` passes its `Shared`, which is alive as long as the `Io`.
    let shared = unsafe { &*ctx.cast_const().cast::<Shared>() };
    errno::lock(&shared.state)
}

fn text(path: *const c_char) -> Vec<u8> {
    // SAFETY: a path ends with a zero byte, and lives during the call.
    unsafe { CStr::from_ptr(path) }.to_bytes().to_vec()
}

fn error(errno: i32) -> i64 {
    i64::from(-errno)
}

impl State {
    fn inode(&self, file: i64) -> usize {
        self.open[file as usize].expect("an open file")
    }

    /// Makes a file at least this long; false if there is no room.
    fn extend(&mut self, inode: usize, length: u64) -> bool {
        let more = length.saturating_sub(self.inodes[inode].len() as u64);
        if let Some(room) = &mut self.room {
            let Some(left) = room.checked_sub(more) else {
                return false;
            };
            *room = left;
        }
        if more > 0 {
            self.inodes[inode].resize(length as usize, 0);
        }
        true
    }
}

unsafe extern "C" fn open(ctx: *mut c_void, path: *const c_char, flags: u32) -> i64 {
    // SAFETY: as all functions of this table.
    let mut state = unsafe { of(ctx) };
    let path = text(path);
    let inode = match state.names.get(&path) {
        Some(_) if flags & OPEN_NEW != 0 => return error(libc::EEXIST),
        Some(&inode) => inode,
        None if flags & (OPEN_NEW | OPEN_CREATE) == 0 => return error(libc::ENOENT),
        None => {
            let inode = state.inodes.len();
            state.inodes.push(Vec::new());
            state.names.insert(path.clone(), inode);
            state.changes.push(Change::Create(inode, path));
            inode
        }
    };
    state.open.push(Some(inode));
    state.open.len() as i64 - 1
}

unsafe extern "C" fn close(ctx: *mut c_void, file: i64) -> i64 {
    // SAFETY: as all functions of this table.
    let mut state = unsafe { of(ctx) };
    state.inode(file);
    state.locks.remove(&file);
    state.open[file as usize] = None;
    0
}

unsafe extern "C" fn read_at(
    ctx: *mut c_void,
    file: i64,
    buffer: *mut u8,
    length: usize,
    offset: u64,
) -> i64 {
    // SAFETY: as all functions of this table.
    let state = unsafe { of(ctx) };
    let bytes = &state.inodes[state.inode(file)];
    let from = bytes.len().min(offset as usize);
    let read = length.min(bytes.len() - from);
    // SAFETY: the caller's buffer has `length` bytes.
    unsafe { buffer.copy_from_nonoverlapping(bytes[from..].as_ptr(), read) };
    read as i64
}

unsafe extern "C" fn write_at(
    ctx: *mut c_void,
    file: i64,
    bytes: *const u8,
    length: usize,
    offset: u64,
) -> i64 {
    // SAFETY: as all functions of this table.
    let mut state = unsafe { of(ctx) };
    // SAFETY: the caller's bytes.
    let bytes = unsafe { std::slice::from_raw_parts(bytes, length) };
    let inode = state.inode(file);
    if !state.extend(inode, offset + length as u64) {
        return error(libc::ENOSPC);
    }
    let at = offset as usize;
    state.inodes[inode][at..at + length].copy_from_slice(bytes);
    (state.changes).push(Change::Write(inode, offset, bytes.to_vec()));
    length as i64
}

unsafe extern "C" fn sync(ctx: *mut c_void, file: i64) -> i64 {
    // SAFETY: as all functions of this table.
    let mut state = unsafe { of(ctx) };
    let inode = state.inode(file);
    state.changes.push(Change::Sync(inode));
    0
}

unsafe extern "C" fn sync_dir(ctx: *mut c_void, path: *const c_char) -> i64 {
    // SAFETY: as all functions of this table.
    let mut state = unsafe { of(ctx) };
    state.changes.push(Change::SyncDir(text(path)));
    0
}

unsafe extern "C" fn preallocate(ctx: *mut c_void, file: i64, offset: u64, length: u64) -> i64 {
    // SAFETY: as all functions of this table.
    let mut state = unsafe { of(ctx) };
    let inode = state.inode(file);
    if !state.extend(inode, offset + length) {
        return error(libc::ENOSPC);
    }
    let length = state.inodes[inode].len() as u64;
    state.changes.push(Change::Length(inode, length));
    0
}

unsafe extern "C" fn truncate(ctx: *mut c_void, file: i64, length: u64) -> i64 {
    // SAFETY: as all functions of this table.
    let mut state = unsafe { of(ctx) };
    let inode = state.inode(file);
    state.inodes[inode].resize(length as usize, 0);
    state.changes.push(Change::Length(inode, length));
    0
}

unsafe extern "C" fn length(ctx: *mut c_void, file: i64) -> i64 {
    // SAFETY: as all functions of this table.
    let state = unsafe { of(ctx) };
    state.inodes[state.inode(file)].len() as i64
}

unsafe extern "C" fn lock(ctx: *mut c_void, file: i64, exclusive: c_int) -> i64 {
    // SAFETY: as all functions of this table.
    let mut state = unsafe { of(ctx) };
    let (inode, exclusive) = (state.inode(file), exclusive != 0);
    let conflicts = |(&other, &is_exclusive): (&i64, &bool)| {
        other != file && state.inode(other) == inode && (exclusive || is_exclusive)
    };
    if state.locks.iter().any(conflicts) {
        return error(libc::EWOULDBLOCK);
    }
    state.locks.insert(file, exclusive);
    0
}

unsafe extern "C" fn rename(ctx: *mut c_void, from: *const c_char, to: *const c_char) -> i64 {
    // SAFETY: as all functions of this table.
    let mut state = unsafe { of(ctx) };
    let (from, to) = (text(from), text(to));
    assert_eq!(directory_of(&from), directory_of(&to));
    let Some(inode) = state.names.remove(&from) else {
        return error(libc::ENOENT);
    };
    state.names.insert(to.clone(), inode);
    state.changes.push(Change::Rename(from, to));
    0
}

unsafe extern "C" fn unlink(ctx: *mut c_void, path: *const c_char) -> i64 {
    // SAFETY: as all functions of this table.
    let mut state = unsafe { of(ctx) };
    let path = text(path);
    let Some(inode) = state.names.remove(&path) else {
        return error(libc::ENOENT);
    };
    let length = state.inodes[inode].len() as u64;
    state.room = state.room.map(|room| room + length);
    state.changes.push(Change::Unlink(path));
    0
}

unsafe extern "C" fn mkdir(ctx: *mut c_void, path: *const c_char) -> i64 {
    // SAFETY: as all functions of this table.
    let mut state = unsafe { of(ctx) };
    let path = text(path);
    if state.directories.contains(&path) {
        return error(libc::EEXIST);
    }
    state.directories.push(path);
    state.changes.push(Change::Mkdir);
    0
}

unsafe extern "C" fn list(
    ctx: *mut c_void,
    path: *const c_char,
    visit: Visit,
    argument: *mut c_void,
) -> i64 {
    let directory = text(path);
    // SAFETY: as all functions of this table.
    let names: Vec<Vec<u8>> = unsafe { of(ctx) }.names.keys().cloned().collect();
    for path in names.iter().filter(|path| directory_of(path) == directory) {
        let name = &path[directory.len() + 1..];
        // SAFETY: the caller's function and argument; the name lives during the call.
        let answer = unsafe { visit(argument, name.as_ptr().cast(), name.len()) };
        if answer < 0 {
            return answer;
        }
    }
    0
}
