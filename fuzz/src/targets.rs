//! The targets that run operations.

use std::sync::{Barrier, OnceLock};

use arbitrary::{Arbitrary, Unstructured};

use crate::keys::{FAMILIES, Family};
use crate::memory::Memory;
use crate::op::Op;
use crate::session::{Place, Session};

/// More operations would make an input slow and show no more.
const MAX_OPERATIONS: usize = 400;

fn families(u: &mut Unstructured<'_>) -> arbitrary::Result<[Family; FAMILIES]> {
    <[Family; FAMILIES]>::arbitrary(u)
}

/// Prints an operation before it is run, if FUZZ_SHOW is set.
pub(crate) fn show(op: &impl std::fmt::Debug, who: &str) {
    static IS_WANTED: OnceLock<bool> = OnceLock::new();
    if *IS_WANTED.get_or_init(|| std::env::var_os("FUZZ_SHOW").is_some()) {
        eprintln!("{who}{op:?}");
    }
}

/// The operations that the rest of an input encodes.
fn operations_of(u: &mut Unstructured<'_>) -> Vec<Op> {
    let mut ops = Vec::new();
    while !u.is_empty() && ops.len() < MAX_OPERATIONS {
        match u.arbitrary() {
            Ok(op) => ops.push(op),
            Err(_) => break,
        }
    }
    ops
}

/// One thread's operations, each checked, and everything at the end.
pub fn operations(input: &[u8]) {
    let mut u = Unstructured::new(input);
    let (Ok(bits), Ok(families)) = (u.arbitrary(), families(&mut u)) else {
        return;
    };
    let ops = operations_of(&mut u);
    let Ok(place) = Place::new(bits, 1, Box::default()) else {
        unreachable!("memory does not fail");
    };
    let mut session = Session::new(&place, families, 0, None);
    for op in &ops {
        show(op, "");
        if !session.run(op) {
            break;
        }
    }
    session.verify();
    session.empty();
    let end = session.end();
    place.close(&[end]);
}

/// Two threads: each writes its own keys, beside the other's in the same nodes, and knows
/// their state.
pub fn threads(input: &[u8]) {
    let mut u = Unstructured::new(input);
    let (Ok(bits), Ok(families)) = (u.arbitrary::<u8>(), families(&mut u)) else {
        return;
    };
    let ops = operations_of(&mut u);
    // Each runs every other operation, in the order of the input.
    let parts = [0, 1].map(|thread| ops.iter().skip(thread).step_by(2));
    let Ok(place) = Place::new(bits, 2, Box::default()) else {
        unreachable!("memory does not fail");
    };
    let (shared, start) = (&Shared(&place), &Barrier::new(2));
    let ends = std::thread::scope(|scope| {
        let workers = [0u8, 1].map(|thread| {
            let part = parts[usize::from(thread)].clone();
            scope.spawn(move || {
                let Shared(place) = *shared;
                let mut session = Session::new(place, families, thread.into(), Some(b'@' + thread));
                start.wait();
                for op in part {
                    show(op, ["left: ", "right: "][usize::from(thread)]);
                    if !session.run(op) {
                        break;
                    }
                }
                session.verify();
                session.end()
            })
        });
        workers.map(|worker| worker.join().expect("a panic has ended the process"))
    });
    // Exactly the keys that both put.
    let mut all = Session::new(&place, families, 0, None);
    for end in &ends {
        all.model.extend(end.model.clone());
    }
    all.verify();
    drop(all);
    place.close(&ends);
}

/// Any thread may use a tree.
#[derive(Clone, Copy)]
struct Shared<'p>(&'p Place);

// SAFETY: any thread may use a tree, and the other fields are atomic.
unsafe impl Sync for Shared<'_> {}

/// One thread's operations, during some of which allocations fail: these return
/// MASSTREE_NOMEM, change nothing, and succeed when they are repeated.
pub fn allocations(input: &[u8]) {
    let mut u = Unstructured::new(input);
    let (Ok(bits), Ok(families)) = (u.arbitrary::<u8>(), families(&mut u)) else {
        return;
    };
    // Always the allocator that fails.
    let bits = bits | 4;
    let mut memory = Box::new(Memory::default());
    arm(&memory, &mut u);
    let place = loop {
        match Place::new(bits, 1, memory) {
            Ok(place) => break place,
            Err(returned) => memory = returned,
        }
        memory.fail_no_more();
    };
    place.memory.fail_no_more();
    let mut session = Session::new(&place, families, 0, None);
    for _ in 0..MAX_OPERATIONS {
        if u.is_empty() {
            break;
        }
        let armed = arm(&place.memory, &mut u);
        let Ok(op) = u.arbitrary::<Op>() else { break };
        show(&op, if armed { "memory may fail: " } else { "" });
        let goes_on = session.run(&op);
        place.memory.fail_no_more();
        if armed && place.memory.failures() > 0 {
            place.memory.fail(0, false);
            session.verify();
            session.run(&op);
        }
        if !goes_on {
            break;
        }
    }
    place.memory.fail(0, false);
    session.verify();
    session.empty();
    let end = session.end();
    place.close(&[end]);
}

/// Makes an allocation fail, if the input says so.
pub(crate) fn arm(memory: &Memory, u: &mut Unstructured<'_>) -> bool {
    let plan: u8 = u.arbitrary().unwrap_or(0);
    // Small numbers are the most likely to be reached.
    let nth = if plan & 1 == 0 {
        0
    } else {
        1 + (plan >> 2) % 16
    };
    memory.fail(nth, plan & 2 != 0);
    nth != 0
}
