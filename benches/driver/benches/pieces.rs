//! Single pieces of libmasstree through its C ABI: what an optimisation changed, and what
//! it cost elsewhere. The library is target/release/libmasstree.so, or MASSTREE_LIBRARY.

use std::hint::black_box;
use std::path::PathBuf;
use std::ptr::null_mut;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use masstree_bench::library::{Handle, Library, OK, Slice, Tree};

/// Few enough keys that the tree stays in the cache.
const KEYS: u64 = 10_000;

/// Items of a scan, and of a `next_many`.
const ITEMS: usize = 100;

/// Permutes the integers. Even numbers are keys of the tree, odd ones are not.
fn key(number: u64) -> [u8; 8] {
    number.wrapping_mul(0x9E37_79B9_7F4A_7C15).to_be_bytes()
}

fn present(turn: u64) -> [u8; 8] {
    key(turn % KEYS * 2)
}

fn absent(turn: u64) -> [u8; 8] {
    key(turn % KEYS * 2 + 1)
}

fn small_tree() -> Tree {
    let path = std::env::var_os("MASSTREE_LIBRARY").map_or_else(
        || {
            PathBuf::from(concat!(
                env!("CARGO_MANIFEST_DIR"),
                "/../../target/release/libmasstree.so"
            ))
        },
        PathBuf::from,
    );
    let library = match Library::open(&path) {
        Ok(library) => library,
        Err(error) => panic!("{}: {error}", path.display()),
    };
    let tree = Tree::new(library);
    let guard = tree.guard();
    (0..KEYS).for_each(|turn| guard.put(&present(turn), turn));
    drop(guard);
    tree
}

fn guards(criterion: &mut Criterion) {
    let tree = small_tree();
    criterion.bench_function("guard: enter and leave", |bencher| {
        bencher.iter(|| drop(black_box(tree.guard())));
    });
    let guard = tree.guard();
    criterion.bench_function("guard: refresh", |bencher| bencher.iter(|| guard.refresh()));
}

fn single_keys(criterion: &mut Criterion) {
    let tree = small_tree();
    let guard = tree.guard();
    let mut turn = 0;
    let mut next = move || {
        turn += 7;
        turn
    };
    criterion.bench_function("get: hit", |bencher| {
        bencher.iter(|| assert!(guard.get(&present(next())).is_some()));
    });
    criterion.bench_function("get: miss", |bencher| {
        bencher.iter(|| assert!(guard.get(&absent(next())).is_none()));
    });
    criterion.bench_function("put: update", |bencher| {
        bencher.iter(|| {
            let turn = next();
            guard.put(&present(turn), turn);
        });
    });
    criterion.bench_function("put: insert, and remove", |bencher| {
        bencher.iter(|| {
            let key = absent(next());
            guard.put(&key, 1);
            assert!(guard.remove(&key));
        });
    });
}

fn ranges(criterion: &mut Criterion) {
    let tree = small_tree();
    let guard = tree.guard();
    let mut group = criterion.benchmark_group("100 items");
    group.throughput(Throughput::Elements(ITEMS as u64));
    for (name, reverse) in [("scan", false), ("scan in reverse", true)] {
        let mut turn = 0;
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                turn += 7;
                guard.scan(&present(turn), ITEMS, reverse, |key, value| {
                    black_box((key.as_ptr(), key.len(), value));
                });
            });
        });
    }
    group.finish();
}

/// Opens a cursor under a guard; the caller closes it.
fn open_cursor(library: &Library, tree: Handle, guard: Handle) -> Handle {
    let mut cursor = null_mut();
    // SAFETY: the tree and the guard are alive, the output is ours.
    let status = unsafe { (library.cursor_open)(tree, guard, &mut cursor) };
    assert_eq!(status, OK);
    cursor
}

fn cursors(criterion: &mut Criterion) {
    let tree = small_tree();
    let guard = tree.guard();
    let library = tree.library;
    let cursor = open_cursor(&library, tree.handle, guard.handle);
    // At the end, from the beginning again.
    let from_start = || {
        // SAFETY: the cursor is open until the end of this function, its guard held.
        assert_eq!(unsafe { (library.cursor_first)(cursor) }, OK);
    };
    from_start();
    criterion.bench_function("cursor: next", |bencher| {
        bencher.iter(|| {
            // SAFETY: as above.
            if unsafe { (library.cursor_next)(cursor) } != OK {
                from_start();
            }
        });
    });
    let mut keys = [Slice::EMPTY; ITEMS];
    let mut values = [0; ITEMS];
    let mut group = criterion.benchmark_group("100 items");
    group.throughput(Throughput::Elements(ITEMS as u64));
    from_start();
    group.bench_function("cursor: next_many", |bencher| {
        bencher.iter(|| {
            let (keys, values) = (keys.as_mut_ptr(), values.as_mut_ptr());
            let mut found = 0;
            // SAFETY: as above; the arrays have as many items as it says.
            let status =
                unsafe { (library.cursor_next_many)(cursor, keys, values, ITEMS, &mut found) };
            if status != OK || found < ITEMS {
                from_start();
            }
        });
    });
    group.finish();
    // SAFETY: closed once, before its guard is left.
    unsafe { (library.cursor_close)(cursor) }
}

/// Keys of a bulk load.
const LOADED: u64 = 1_000_000;

fn loads(criterion: &mut Criterion) {
    let library = small_tree().library;
    let numbers: Vec<u64> = (0..LOADED).collect();
    let mut group = criterion.benchmark_group("1,000,000 sorted keys");
    group.throughput(Throughput::Elements(LOADED));
    group.sample_size(20);
    group.bench_function("bulk load", |bencher| {
        let load = |tree: Tree| {
            let load = library.bulk_load_u64;
            let (keys, len) = (numbers.as_ptr(), numbers.len());
            // SAFETY: the tree is alive; the arrays have as many items as it says.
            let status = unsafe {
                load(
                    tree.handle,
                    null_mut(),
                    keys.cast(),
                    8,
                    keys,
                    len,
                    null_mut(),
                )
            };
            assert_eq!(status, OK);
            tree
        };
        // The trees are destroyed outside of the measurement.
        bencher.iter_batched(|| Tree::new(library), load, BatchSize::PerIteration);
    });
    group.finish();
}

criterion_group!(pieces, guards, single_keys, ranges, cursors, loads);
criterion_main!(pieces);
