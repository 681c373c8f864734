//! A file system in memory, as a table of file operations in C. Files that are allocated ahead take no memory.
//! Files of the directory `/store` are known by their names, files of other directories by their paths.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::ffi::{CStr, c_char, c_int, c_void};
use std::ptr::from_ref;
use std::sync::{Mutex, MutexGuard};

use masstree::ffi::store::io::*;

/// A file may not become longer.
const MOST: u64 = 1 << 26;

/// Bytes, behind which zeros follow up to a length.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub(crate) struct File {
    pub(crate) bytes: Vec<u8>,
    length: u64,
}

impl File {
    pub(crate) fn of(bytes: Vec<u8>) -> Self {
        let length = bytes.len() as u64;
        Self { bytes, length }
    }
}

pub(crate) type Files = BTreeMap<Vec<u8>, File>;

#[derive(Default)]
struct State {
    files: Files,
    /// The path of each open file.
    open: Vec<Option<Vec<u8>>>,
    /// The file that has locked a path.
    locked: BTreeMap<Vec<u8>, i64>,
}

/// Its paths are those of the files' table.
#[derive(Default)]
pub(crate) struct Disk(Mutex<State>);

impl Disk {
    pub(crate) fn with(files: Files) -> Self {
        Self(Mutex::new(State {
            files,
            ..State::default()
        }))
    }

    #[expect(clippy::disallowed_methods, reason = "errno does not matter here")]
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().expect("a panic ends the process")
    }

    pub(crate) fn files(&self) -> Files {
        self.state().files.clone()
    }

    /// Removes the files whose names begin with a prefix.
    pub(crate) fn remove_all(&self, prefix: &str) {
        let is_kept = |path: &Vec<u8>| !path.starts_with(prefix.as_bytes());
        self.state().files.retain(|path, _| is_kept(path));
    }

    /// The disk lives longer than every store that uses the table.
    pub(crate) fn table(&self) -> StoreIo {
        StoreIo {
            ctx: from_ref(self).cast_mut().cast(),
            open: Some(open),
            close: Some(close),
            read_at: Some(read_at),
            write_at: Some(write_at),
            sync: Some(sync),
            sync_dir: Some(sync_dir),
            preallocate: Some(preallocate),
            truncate: Some(truncate),
            length: Some(length),
            lock: Some(lock),
            rename: Some(rename),
            unlink: Some(unlink),
            mkdir: Some(mkdir),
            list: Some(list),
        }
    }
}

fn error(errno: i32) -> i64 {
    -i64::from(errno)
}

/// # Safety
/// `ctx` is a [`Disk`].
unsafe fn of<'d>(ctx: *mut c_void) -> MutexGuard<'d, State> {
    // SAFETY: by contract.
    unsafe { &*ctx.cast::<Disk>() }.state()
}

/// # Safety
/// A string that ends with a zero byte.
unsafe fn name(path: *const c_char) -> Vec<u8> {
    // SAFETY: by contract.
    let path = unsafe { CStr::from_ptr(path) }.to_bytes();
    let path = path.strip_prefix(b"/store").unwrap_or(path);
    path.strip_prefix(b"/").unwrap_or(path).to_vec()
}

impl State {
    fn file(&mut self, file: i64) -> &mut File {
        let path = self.open[file as usize].clone().expect("an open file");
        self.files.get_mut(&path).expect("no open file is removed")
    }
}

// SAFETY, for all of these: the library passes the disk, a path or an open file, and buffers with
// the length beside them.

unsafe extern "C" fn open(ctx: *mut c_void, path: *const c_char, flags: u32) -> i64 {
    // SAFETY: see above.
    let (mut state, path) = unsafe { (of(ctx), name(path)) };
    let is_there = state.files.contains_key(&path);
    if is_there && flags & MASSTREE_IO_NEW != 0 {
        return error(libc::EEXIST);
    }
    if !is_there && flags & (MASSTREE_IO_NEW | MASSTREE_IO_CREATE) == 0 {
        return error(libc::ENOENT);
    }
    state.files.entry(path.clone()).or_default();
    state.open.push(Some(path));
    state.open.len() as i64 - 1
}

unsafe extern "C" fn close(ctx: *mut c_void, file: i64) -> i64 {
    // SAFETY: see above.
    let mut state = unsafe { of(ctx) };
    state.open[file as usize] = None;
    state.locked.retain(|_, holder| *holder != file);
    0
}

unsafe extern "C" fn read_at(
    ctx: *mut c_void,
    file: i64,
    buffer: *mut u8,
    len: usize,
    offset: u64,
) -> i64 {
    // SAFETY: see above.
    let mut state = unsafe { of(ctx) };
    let file = state.file(file);
    let read = file.length.saturating_sub(offset).min(len as u64) as usize;
    let from = file.bytes.len().min(offset as usize);
    let stored = read.min(file.bytes.len() - from);
    // SAFETY: see above; `stored` <= `read` <= `len`.
    unsafe {
        buffer.copy_from_nonoverlapping(file.bytes[from..].as_ptr(), stored);
        buffer.add(stored).write_bytes(0, read - stored);
    }
    read as i64
}

unsafe extern "C" fn write_at(
    ctx: *mut c_void,
    file: i64,
    bytes: *const u8,
    len: usize,
    offset: u64,
) -> i64 {
    // SAFETY: see above.
    let (mut state, bytes) = unsafe { (of(ctx), std::slice::from_raw_parts(bytes, len)) };
    let file = state.file(file);
    let end = match offset.checked_add(len as u64) {
        Some(end) if end <= MOST => end as usize,
        _ => return error(libc::EFBIG),
    };
    if file.bytes.len() < end {
        file.bytes.resize(end, 0);
    }
    file.bytes[offset as usize..end].copy_from_slice(bytes);
    file.length = file.length.max(end as u64);
    len as i64
}

unsafe extern "C" fn sync(_: *mut c_void, _: i64) -> i64 {
    0
}

unsafe extern "C" fn sync_dir(_: *mut c_void, _: *const c_char) -> i64 {
    0
}

unsafe extern "C" fn preallocate(ctx: *mut c_void, file: i64, offset: u64, len: u64) -> i64 {
    // SAFETY: see above.
    let mut state = unsafe { of(ctx) };
    let file = state.file(file);
    match offset.checked_add(len) {
        Some(end) if end <= MOST => file.length = file.length.max(end),
        _ => return error(libc::ENOSPC),
    }
    0
}

unsafe extern "C" fn truncate(ctx: *mut c_void, file: i64, len: u64) -> i64 {
    // SAFETY: see above.
    let mut state = unsafe { of(ctx) };
    let file = state.file(file);
    if len > MOST {
        return error(libc::EFBIG);
    }
    file.bytes.truncate(len as usize);
    file.length = len;
    0
}

unsafe extern "C" fn length(ctx: *mut c_void, file: i64) -> i64 {
    // SAFETY: see above.
    unsafe { of(ctx) }.file(file).length as i64
}

unsafe extern "C" fn lock(ctx: *mut c_void, file: i64, _: c_int) -> i64 {
    // SAFETY: see above.
    let mut state = unsafe { of(ctx) };
    let path = state.open[file as usize].clone().expect("an open file");
    match state.locked.entry(path) {
        Entry::Vacant(entry) => _ = entry.insert(file),
        Entry::Occupied(_) => return error(libc::EWOULDBLOCK),
    }
    0
}

unsafe extern "C" fn rename(ctx: *mut c_void, from: *const c_char, to: *const c_char) -> i64 {
    // SAFETY: see above.
    let (mut state, from, to) = unsafe { (of(ctx), name(from), name(to)) };
    match state.files.remove(&from) {
        Some(file) => _ = state.files.insert(to, file),
        None => return error(libc::ENOENT),
    }
    0
}

unsafe extern "C" fn unlink(ctx: *mut c_void, path: *const c_char) -> i64 {
    // SAFETY: see above.
    let (mut state, path) = unsafe { (of(ctx), name(path)) };
    match state.files.remove(&path) {
        Some(_) => 0,
        None => error(libc::ENOENT),
    }
}

unsafe extern "C" fn mkdir(_: *mut c_void, _: *const c_char) -> i64 {
    error(libc::EEXIST)
}

unsafe extern "C" fn list(
    ctx: *mut c_void,
    directory: *const c_char,
    found: FoundName,
    argument: *mut c_void,
) -> i64 {
    let found = found.expect("the library passes a function");
    // SAFETY: see above.
    let (state, mut directory) = unsafe { (of(ctx), name(directory)) };
    if !directory.is_empty() {
        directory.push(b'/');
    }
    let names = state
        .files
        .keys()
        .filter_map(|path| path.strip_prefix(&directory[..]));
    let names: Vec<Vec<u8>> = names
        .filter(|name| !name.contains(&b'/'))
        .map(<[u8]>::to_vec)
        .collect();
    drop(state);
    for name in &names {
        // SAFETY: the library's function and argument; the name lives during the call.
        let answer = unsafe { found(argument, name.as_ptr().cast(), name.len()) };
        if answer < 0 {
            return answer;
        }
    }
    0
}
