//! Opens stores whose files were written without the library, and were perhaps damaged.
//!
//! Opening finds a store or a corruption. Without valid checksums for what was damaged, it finds the state
//! after some record, and exactly the last one if nothing was damaged. A corruption changes nothing. Reading
//! only finds the same. What was opened can be written to, and is the same when it is opened again.

use std::ffi::{CStr, CString, c_char, c_void};
use std::ptr::{null, null_mut};

use arbitrary::Unstructured;
use masstree::ffi::handle::TreeHandle;
use masstree::ffi::index::scan::MASSTREE_VISIT_CONTINUE;
use masstree::ffi::status::*;
use masstree::ffi::store::checkpoint::*;
use masstree::ffi::store::failure::*;
use masstree::ffi::store::handle::StoreHandle;
use masstree::ffi::store::open::*;
use masstree::ffi::store::trees::*;
use masstree::ffi::store::wait::*;
use masstree::ffi::store::write::*;
use masstree::ffi::versioned::walk::*;

use crate::store_checkpoint::add_checkpoint;
use crate::store_damage::damage;
use crate::store_disk::{Disk, Files};
use crate::store_forge::{Forged, State, forge, segment_name, tree_name};
use crate::targets::show;
use crate::versions::collect;
use crate::versions_oracle::Row;

/// A tree's name and its rows, for each tree in order.
pub(crate) type Content = Vec<(CString, Vec<Row>)>;

pub(crate) fn options(flags: u32) -> (StoreOptionsC, Box<StoreFailure>) {
    // SAFETY: all of the fields may be zero.
    let (mut options, mut failure) = unsafe { std::mem::zeroed::<(StoreOptionsC, StoreFailure)>() };
    failure.struct_size = size_of::<StoreFailure>();
    options.struct_size = size_of::<StoreOptionsC>();
    options.flags = flags;
    options.log_buffer_bytes = 1 << 12;
    (options, Box::new(failure))
}

/// The directory of the store on a disk.
pub(crate) const STORE: &CStr = c"/store";

/// Opens the store in a directory of a disk; returns it, or the status.
pub(crate) fn open(disk: &Disk, directory: &CStr, flags: u32) -> Result<*mut StoreHandle, i32> {
    let table = disk.table();
    let (mut options, mut failure) = options(flags);
    let mut store = null_mut();
    options.io = &raw const table;
    options.failure = &raw mut *failure;
    // SAFETY: the disk outlives the store; the rest lives during the call.
    let status = unsafe { masstree_store_open(directory.as_ptr(), &options, &mut store) };
    show(&(status, flags), "open: ");
    if status == MASSTREE_CORRUPT {
        assert_eq!(failure.status, MASSTREE_CORRUPT);
        assert!(failure.file[0] != 0 && failure.reason[0] != 0);
    }
    match status {
        MASSTREE_OK => Ok(store),
        status => Err(status),
    }
}

/// # Safety
/// `ctx` is a [`Content`]; `tree` is a tree with a name.
unsafe extern "C" fn visit_tree(
    name: *const c_char,
    tree: *mut TreeHandle,
    ctx: *mut c_void,
) -> i32 {
    let mut rows: Vec<Row> = Vec::new();
    // SAFETY: by contract; `collect` gets its rows.
    unsafe {
        let rows_at = (&raw mut rows).cast();
        let status = masstree_scan_at(
            tree,
            null_mut(),
            null(),
            u64::MAX,
            Some(collect),
            rows_at,
            null_mut(),
        );
        assert_eq!(status, MASSTREE_OK);
        assert!(
            rows.is_sorted_by(|a, b| a.0 < b.0),
            "keys are not in order: {rows:?}"
        );
        let name = CStr::from_ptr(name).to_owned();
        (*ctx.cast::<Content>()).push((name, rows));
    }
    MASSTREE_VISIT_CONTINUE
}

pub(crate) fn content(store: *mut StoreHandle) -> Content {
    let mut content = Content::new();
    // SAFETY: an open store.
    let status =
        unsafe { masstree_store_list_trees(store, Some(visit_tree), (&raw mut content).cast()) };
    assert_eq!(status, MASSTREE_OK);
    content
}

pub(crate) fn close(store: *mut StoreHandle) {
    // SAFETY: an open store, which is not used any more.
    assert_eq!(unsafe { masstree_store_close(store) }, MASSTREE_OK);
}

fn content_of(state: &State) -> Content {
    let tree = |(at, values): (usize, &std::collections::BTreeMap<_, (Vec<u8>, u64)>)| {
        let row = |(key, (value, number)): (&Vec<u8>, &(Vec<u8>, u64))| {
            (key.clone(), *number, 0, value.clone())
        };
        let name = CString::new(tree_name(at + 1)).expect("no zero byte");
        (name, values.iter().map(row).collect())
    };
    state.iter().enumerate().map(tree).collect()
}

/// What has made the log fail, for a message.
fn failure_of(store: *mut StoreHandle) -> String {
    let (_, mut failure) = options(0);
    // SAFETY: an open store; the texts end with a zero byte.
    unsafe {
        masstree_store_failure(store, &raw mut *failure);
        let [operation, file] = [failure.operation.as_ptr(), failure.file.as_ptr()];
        let texts = [operation, file].map(|text| CStr::from_ptr(text).to_string_lossy());
        format!("{texts:?}, error {}", failure.os_error)
    }
}

/// Stores a value, durably; returns whether the store took it.
fn write(store: *mut StoreHandle, before: &Content) -> bool {
    let (mut tree, mut commit) = (null_mut(), 0);
    // SAFETY: an open store, and a tree of it; pointers are valid during the calls.
    unsafe {
        let status = masstree_store_tree(store, c"written".as_ptr(), &mut tree);
        if status == MASSTREE_FULL {
            return false;
        }
        assert_eq!(status, MASSTREE_OK, "{}", failure_of(store));
        let key = b"key".as_ptr().cast();
        let status = masstree_store_put(store, tree, key, 3, key, 3, &mut commit);
        if status == MASSTREE_FULL {
            return false;
        }
        assert_eq!(status, MASSTREE_OK);
        assert_eq!(
            masstree_store_wait(store, commit, MASSTREE_DURABLE),
            MASSTREE_OK
        );
    }
    let numbers = before
        .iter()
        .flat_map(|(_, rows)| rows.iter().map(|row| row.1));
    assert!(
        numbers.max().is_none_or(|last| last < commit),
        "a number is given out twice"
    );
    true
}

/// Goes on with a store that was opened, and opens it twice more.
fn go_on(disk: &Disk, store: *mut StoreHandle, found: &Content, checkpoints: bool) {
    close(store);
    let store = open(disk, STORE, 0).expect("it was opened before");
    assert_eq!(&content(store), found);
    let has_written = write(store, found);
    let written = content(store);
    if checkpoints {
        // SAFETY: an open store.
        let status = unsafe { masstree_store_checkpoint(store) };
        assert!(
            matches!(status, MASSTREE_OK | MASSTREE_FULL),
            "{}",
            failure_of(store)
        );
    }
    close(store);
    let store = open(disk, STORE, 0).expect("it was opened before");
    assert_eq!(content(store), written);
    assert!(
        !has_written
            || written
                .iter()
                .any(|(name, _)| name.as_c_str() == c"written")
    );
    close(store);
}

/// One input: a store whose files are a log.
pub fn store(input: &[u8]) {
    let mut u = Unstructured::new(input);
    let damages = u.arbitrary().unwrap_or_default();
    let Forged { files, states, .. } = forge(&mut u);
    open_damaged(files, &states, damages, false);
}

/// One input: a store with a checkpoint, which may have replaced some of the log.
pub fn checkpoints(input: &[u8]) {
    let mut u = Unstructured::new(input);
    let damages = u.arbitrary().unwrap_or_default();
    let choice = u.arbitrary::<u8>().unwrap_or(0);
    let mut plan = Unstructured::new(input.get(input.len() / 2..).unwrap_or_default());
    let mut forged = forge(&mut u);
    let last = forged.states.len() - 1;
    if last == 0 {
        return;
    }
    let at = 1 + usize::from(choice / 2) % last;
    let (moment, state) = (&forged.moments[at], &forged.states[at]);
    let number = add_checkpoint(&mut forged.files, moment, state, &mut plan);
    if choice.is_multiple_of(2) {
        let cut = forged.ended.iter().filter(|(_, end)| *end <= number + 1);
        for (base, _) in cut {
            forged.files.remove(&segment_name(*base));
        }
    }
    open_damaged(forged.files, &forged.states, damages, true);
}

/// Damages files, opens them, and goes on; `checkpoints` says whether it makes a checkpoint then.
fn open_damaged(mut files: Files, states: &[State], damages: [u8; 24], checkpoints: bool) {
    let whole = files.clone();
    let mut damages = Unstructured::new(&damages);
    let is_sealed = damage(&mut files, &mut damages).unwrap_or(true);
    let states: Vec<Content> = states.iter().map(content_of).collect();
    let is_state = |found: &Content| {
        is_sealed
            || if files == whole {
                states.last() == Some(found)
            } else {
                states.contains(found)
            }
    };
    let disk = Disk::with(files.clone());
    for (name, file) in &files {
        let begin = &file.bytes[..file.bytes.len().min(80)];
        show(
            &(String::from_utf8_lossy(name), file.bytes.len(), begin),
            "file: ",
        );
    }
    let read = match open(&disk, STORE, MASSTREE_STORE_READ_ONLY) {
        Ok(store) => {
            let found = content(store);
            close(store);
            Ok(found)
        }
        // There is no segment, or none with a valid header.
        Err(MASSTREE_NOT_FOUND) => Ok(Content::new()),
        Err(status) => Err(status),
    };
    assert_eq!(
        disk.files(),
        files,
        "a store that is only read changes its files"
    );
    match (open(&disk, STORE, 0), read) {
        (Ok(store), Ok(read)) => {
            let found = content(store);
            assert_eq!(found, read);
            assert!(is_state(&found), "not the state after a record: {found:?}");
            go_on(&disk, store, &found, checkpoints);
        }
        (Err(MASSTREE_CORRUPT), Err(MASSTREE_CORRUPT)) => {
            assert_eq!(disk.files(), files, "a corruption changes files");
            assert!(files != whole, "nothing was damaged");
            match open(&disk, STORE, MASSTREE_STORE_SALVAGE) {
                Ok(store) => {
                    let found = content(store);
                    assert!(is_state(&found), "not the state after a record: {found:?}");
                    go_on(&disk, store, &found, checkpoints);
                }
                Err(status) => assert_eq!(status, MASSTREE_CORRUPT),
            }
        }
        (opened, read) => panic!("opened: {opened:?}, only read: {read:?}"),
    }
}
