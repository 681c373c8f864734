//! Sets the shared library's name and link options, and checks that the committed C headers are
//! those that `src/ffi` renders to.

#[path = "cmake/headers.rs"]
mod headers;

use std::{env, fs};

/// Must equal `MASSTREE_ABI_VERSION`.
const ABI: &str = "0";

fn main() {
    println!("cargo::rerun-if-changed=src/ffi");
    println!("cargo::rerun-if-changed=cmake");
    println!("cargo::rerun-if-env-changed=MASSTREE_WRITE_HEADER");
    link_arguments();
    allow_vectors();
    allow_own_tls();
    for (path, rendered) in headers::render() {
        println!("cargo::rerun-if-changed={path}");
        let committed = fs::read_to_string(path).unwrap_or_default();
        if committed == rendered {
            continue;
        }
        if env::var_os("MASSTREE_WRITE_HEADER").is_some() {
            fs::write(path, rendered).expect("headers are writable");
        } else {
            let mut new = rendered.lines().filter(|line| !committed.contains(line));
            let declares = |line: &&str| line.contains("masstree_") && !line.starts_with(" *");
            let new = new.clone().find(declares).or_else(|| new.next());
            let new = new.map_or(String::new(), |line| format!(" ({line})"));
            println!(
                "cargo::error={path} differs from what src/ffi renders to{new}; update it with: \
                 make header"
            );
        }
    }
}

/// The SONAME carries the ABI number. The library is never unloaded (`nodelete`): threads that
/// used it run its thread-local destructors when they exit, possibly after a dlclose. Its calls
/// of `abort` go to a function that first explains some of them, see `reclaim::membarrier`.
fn link_arguments() {
    if env::var("CARGO_CFG_TARGET_OS").as_deref() == Ok("linux") {
        println!("cargo::rustc-cdylib-link-arg=-Wl,-soname,libmasstree.so.{ABI}");
        println!("cargo::rustc-cdylib-link-arg=-Wl,-z,nodelete");
        let arch = env::var("CARGO_CFG_TARGET_ARCH");
        if matches!(arch.as_deref(), Ok("x86_64" | "aarch64")) {
            println!("cargo::rustc-cdylib-link-arg=-Wl,--defsym=abort=libmasstree_abort");
        }
    }
}

/// Enables vector code on the processors that it is written for, except in builds that detect
/// races (see `node::search`).
fn allow_vectors() {
    println!("cargo::rustc-check-cfg=cfg(masstree_avx, masstree_neon)");
    let is_set = |name: &str| env::var_os(format!("CARGO_CFG_{name}")).is_some();
    let detects_races = [
        "LOOM",
        "SHUTTLE",
        "MASSTREE_ASAN",
        "MASSTREE_TSAN",
        "MASSTREE_PERTURB",
    ];
    if detects_races.into_iter().any(is_set) || env::var_os("CARGO_FEATURE_ANNOTATE").is_some() {
        return;
    }
    match env::var("CARGO_CFG_TARGET_ARCH").as_deref() {
        Ok("x86_64") => println!("cargo::rustc-cfg=masstree_avx"),
        Ok("aarch64") => println!("cargo::rustc-cfg=masstree_neon"),
        _ => {}
    }
}

/// Lets `tree::holding` define a thread-local variable of its own where the C library's loader has
/// room for those of libraries loaded by dlopen (musl's has none), except in builds whose threads
/// are simulated.
fn allow_own_tls() {
    println!("cargo::rustc-check-cfg=cfg(masstree_own_tls)");
    let is = |name: &str, value: &str| {
        env::var(format!("CARGO_CFG_TARGET_{name}")).is_ok_and(|actual| actual == value)
    };
    let is_simulated = ["LOOM", "SHUTTLE", "MIRI"]
        .into_iter()
        .any(|name| env::var_os(format!("CARGO_CFG_{name}")).is_some());
    let has_code = is("ARCH", "x86_64") || is("ARCH", "aarch64");
    if has_code && is("OS", "linux") && is("ENV", "gnu") && !is_simulated {
        println!("cargo::rustc-cfg=masstree_own_tls");
    }
}
