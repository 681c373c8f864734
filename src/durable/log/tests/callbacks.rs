//! Callbacks when records are durable.

use std::ffi::c_void;

use super::*;
use crate::durable::io::faults::{Fault, Faults};

type Calls = Mutex<Vec<(u64, bool)>>;

/// The status of a number that is not durable.
const LOST: i32 = -1;

unsafe extern "C" fn record(number: u64, status: i32, ctx: *mut c_void) {
    // SAFETY: the tests pass a `Calls` that outlives the log.
    let calls = unsafe { &*ctx.cast_const().cast::<Calls>() };
    assert!(status == 0 || status == LOST);
    errno::lock(calls).push((number, status == 0));
}

fn callback(calls: &Calls) -> Callback {
    // SAFETY: a mutex may be used by any thread, and outlives the log.
    unsafe { Callback::new(record, std::ptr::from_ref(calls).cast_mut().cast(), LOST) }
}

/// Put back: call them in the order in which they came; call only once a second record is written;
/// close without calling.
#[test]
fn callbacks_are_called_in_the_order_of_numbers() {
    let calls = Calls::default();
    let disk = Disk::default();
    let (_, log) = open(&disk.io()).unwrap();
    let numbers: Vec<u64> = (0..20)
        .map(|index| append(&log, &body(index)).unwrap())
        .collect();
    log.on_durable(numbers[0], callback(&calls)).unwrap();
    // Sleeps until the flusher has synced on its own.
    log.shared
        .synced
        .sleep_until(|| log.durable() >= numbers[0]);
    for number in numbers[1..].iter().rev() {
        log.on_durable(*number, callback(&calls)).unwrap();
    }
    log.close().unwrap();
    let mut called = errno::lock(&calls).clone();
    assert_eq!(called.len(), 20);
    assert!(called.iter().all(|(_, is_durable)| *is_durable));
    assert_eq!(called[0].0, numbers[0]);
    called.sort_unstable();
    assert!(called.iter().map(|(number, _)| number).eq(&numbers));
}

/// Put back: call with true; forget them when the log fails.
#[test]
fn callbacks_learn_of_a_failure() {
    let mut failures = 0;
    for at in 0..12 {
        let calls = Calls::default();
        let faults = Faults::new(Disk::default().io(), at, Fault::Errno(libc::EIO), false);
        let Ok((_, log)) = open(&faults.io()) else {
            continue;
        };
        if let Ok(number) = append(&log, b"body") {
            log.on_durable(number, callback(&calls)).unwrap();
            let _ = log.close();
            let called = errno::lock(&calls).clone();
            assert_eq!(called, [(number, log.durable() >= number)]);
            failures += usize::from(!called[0].1);
        }
    }
    assert!(failures >= 2, "{failures}");
}
