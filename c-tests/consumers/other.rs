//! Another Rust static library in the same program: it brings threads, panics and a
//! standard library of its own.

#[unsafe(no_mangle)]
pub extern "C" fn other_sum(n: u64) -> u64 {
    let sum = std::thread::spawn(move || (0..n).map(|i| i.to_string().len() as u64).sum());
    let refused = std::panic::catch_unwind(|| assert!(n > 100, "too few"));
    sum.join().unwrap_or(0) + u64::from(refused.is_err())
}
