# Thin: CMake drives cargo, the scripts in .ci do what takes more than a line.
# V=1 shows everything.
BUILD := build/release
STAGE := .ci/stage
CONFIGURE := cmake -S . -B $(BUILD) -DMASSTREE_CARGO_TARGET_DIR=$(CURDIR)/target

.DEFAULT_GOAL := help
.PHONY: help demo test build header docs setup check-fmt check-clippy check-header check-rust \
        check-stress check-loom check-c check-docs check-asan check-tsan check-bench \
        bench bench-build bench-quick bench-pieces figures limbo \
        clean

help:
	@echo 'make demo          build everything in release and index some text with it'
	@echo 'make test          every check that CI runs'
	@echo 'make build         the library and the examples, in $(BUILD)'
	@echo 'make header        write include/masstree.h anew from src/ffi'
	@echo 'make docs          documentation of the C and C++ interfaces, in build/docs'
	@echo 'make check-fmt     formatting'
	@echo 'make check-clippy  lints'
	@echo 'make check-header  include/masstree.h is what src/ffi says'
	@echo 'make check-rust    tests in Rust'
	@echo 'make check-stress  threads that write, read and scan at once: FACTOR=20 times as'
	@echo '                   many steps as in check-rust, and PERTURBED_FACTOR=5 times with'
	@echo '                   narrow nodes and random stops at the delicate places'
	@echo 'make check-loom    models of the node protocol, in every interleaving'
	@echo 'make check-c       tests in C'
	@echo 'make check-docs    Doxygen has no complaint about the documentation'
	@echo 'make check-asan    tests in C with AddressSanitizer (nightly toolchain)'
	@echo 'make check-tsan    tests in C with ThreadSanitizer (nightly toolchain)'
	@echo 'make check-bench   a run of the benchmarks with few keys, for their checks of values'
	@echo 'make bench         speed and memory beside other maps, 5,000,000 keys; also as'
	@echo '                   build/bench.json, .svg and .md. BENCH="--only scan" (see'
	@echo '                   BENCH=--help) narrows it down'
	@echo 'make bench-quick   the same with 1,000,000 keys, one round and fewer maps: two minutes'
	@echo 'make bench-pieces  single operations on a small tree, with Criterion'
	@echo 'make figures       put the table of the last make bench into README.md'
	@echo 'make limbo         memory that waits for guards, after OPERATIONS=10000000 updates and as'
	@echo '                   many removes and inserts'
	@echo 'make clean         remove what was built'

setup:
	@.ci/setup test

build:
	@.ci/setup build
	@$(STAGE) configure $(CONFIGURE) -DMASSTREE_BUILD_TESTS=OFF
	@$(STAGE) build cmake --build $(BUILD) --target word_index

demo: build
	@$(BUILD)/word_index

header:
	MASSTREE_WRITE_HEADER=1 cargo build --quiet

check-fmt:
	@$(STAGE) check-fmt cargo fmt --all --check

check-clippy:
	@$(STAGE) check-clippy cargo clippy --quiet --workspace --all-targets -- -D warnings

check-header:
	@$(STAGE) check-header cargo check --quiet

check-rust:
	@$(STAGE) check-rust cargo test

FACTOR := 20
PERTURBED_FACTOR := 5
check-stress:
	@$(STAGE) check-stress env MASSTREE_TEST_FACTOR=$(FACTOR) \
	    cargo test --test stress
	@$(STAGE) check-stress-perturbed env MASSTREE_TEST_FACTOR=$(PERTURBED_FACTOR) \
	    RUSTFLAGS='--cfg masstree_perturb' \
	    cargo test --target-dir target/perturb --test stress --test known_failures

check-loom:
	@$(STAGE) check-loom env RUSTFLAGS='--cfg loom' LOOM_MAX_PREEMPTIONS=3 \
	    cargo test --profile dev --target-dir target/loom --lib models

check-c: setup
	@$(STAGE) configure $(CONFIGURE) -DMASSTREE_BUILD_TESTS=ON
	@$(STAGE) build-c cmake --build $(BUILD)
	@$(STAGE) check-c env -C $(BUILD) ctest --output-on-failure

check-asan: setup
	@$(STAGE) check-asan .ci/sanitize address

check-tsan: setup
	@$(STAGE) check-tsan .ci/sanitize thread

check-docs: setup
	@$(STAGE) check-docs docs/render.sh

docs: check-docs
	@echo build/docs/html/index.html build/docs/cpp/html/index.html

# One after the other: two cores have enough to do with each. The sanitizers need
# a toolchain that users of the library need not have.
test: setup
	@$(MAKE) --no-print-directory check-fmt
	@$(MAKE) --no-print-directory check-header
	@$(MAKE) --no-print-directory check-clippy
	@$(MAKE) --no-print-directory check-rust
	@$(MAKE) --no-print-directory check-stress
	@$(MAKE) --no-print-directory check-loom
	@$(MAKE) --no-print-directory check-c
	@$(MAKE) --no-print-directory check-docs
	@$(MAKE) --no-print-directory check-bench
	@if cargo +nightly --version >/dev/null 2>&1; then \
	    $(MAKE) --no-print-directory check-asan check-tsan; \
	else \
	    echo 'check-asan, check-tsan: not run, there is no nightly toolchain'; \
	fi

# Cargo arguments for the driver with every peer, and how it starts.
DRIVER := --release -p masstree-bench --features tbb
BENCH :=
bench-build:
	@.ci/setup bench
	@cargo rustc --quiet --release --lib --crate-type cdylib,staticlib
	@cargo build --quiet $(DRIVER)
	@mkdir -p build

bench: bench-build
	@target/release/masstree-bench --json build/bench.json --svg build/bench.svg \
	    --markdown build/bench.md $(BENCH)

bench-quick: bench-build
	@target/release/masstree-bench --keys 1000000 --operations 500000 --rounds 1 \
	    --peers masstree,scc,congee,btree --json build/bench-quick.json \
	    --svg build/bench-quick.svg --markdown build/bench-quick.md $(BENCH)

bench-pieces:
	@cargo rustc --quiet --release --lib --crate-type cdylib,staticlib
	@cargo bench --quiet -p masstree-bench --bench pieces -- $(BENCH)

figures:
	@sed -i -e '/<!-- bench:/,/<!-- .bench -->/{//!d;}' -e '/<!-- bench:/r build/bench.md' README.md

# Without TBB, which users of the library need not have.
check-bench:
	@$(STAGE) check-bench-build sh -ec 'cargo rustc --lib --crate-type cdylib; \
	    cargo build -p masstree-bench'
	@$(STAGE) check-bench target/debug/masstree-bench --library target/debug/libmasstree.so \
	    --keys 20000 --operations 20000 --rounds 1 --threads 2

OPERATIONS := 10000000
limbo:
	@.ci/setup build
	@$(STAGE) configure $(CONFIGURE)
	@$(STAGE) build cmake --build $(BUILD) --target limbo
	@$(BUILD)/benches/limbo/limbo $(OPERATIONS)

clean:
	rm -rf build target
