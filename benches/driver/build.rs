//! Compiles the shim over oneTBB's map, when the feature asks for it.

fn main() {
    println!("cargo::rerun-if-changed=tbb/concurrent_map.cpp");
    if std::env::var_os("CARGO_FEATURE_TBB").is_none() {
        return;
    }
    cc::Build::new()
        .cpp(true)
        .std("c++17")
        .opt_level(3)
        .file("tbb/concurrent_map.cpp")
        .compile("masstree_bench_tbb");
    println!("cargo::rustc-link-lib=tbb");
}
