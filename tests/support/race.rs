//! Threads that write, and others that read until the writers are done.

use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use super::Random;

pub(crate) const WRITERS: usize = 3;

/// Stops the readers when the writers are done.
struct Finish(AtomicBool);

impl Finish {
    fn is_near(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// One of the writers; reports its end, whether it returns or panics.
struct Writing<'r> {
    left: &'r AtomicUsize,
    finish: &'r Finish,
}

impl Drop for Writing<'_> {
    fn drop(&mut self) {
        if self.left.fetch_sub(1, Ordering::Relaxed) == 1 {
            self.finish.0.store(true, Ordering::Relaxed);
        }
    }
}

/// Runs `write` on some threads and `read` over and over, at least once, on others until the
/// writers are done.
pub(crate) fn race(
    readers: usize,
    write: impl Fn(usize) + Sync,
    read: impl Fn(usize, &mut Random) + Sync,
) {
    let finish = Finish(AtomicBool::new(false));
    let writing = AtomicUsize::new(WRITERS);
    let start = Barrier::new(WRITERS + readers);
    thread::scope(|scope| {
        for id in 0..WRITERS {
            let (finish, writing, start, write) = (&finish, &writing, &start, &write);
            scope.spawn(move || {
                let _writing = Writing {
                    left: writing,
                    finish,
                };
                start.wait();
                write(id);
            });
        }
        for id in 0..readers {
            let (finish, start, read) = (&finish, &start, &read);
            scope.spawn(move || {
                let mut random = Random(id as u64 + 1000);
                start.wait();
                loop {
                    read(id, &mut random);
                    if finish.is_near() {
                        break;
                    }
                }
            });
        }
    });
}
