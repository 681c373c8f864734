# Thin: CMake drives cargo, the scripts in .ci do what takes more than a line.
# V=1 shows everything.
BUILD := build/release
STAGE := .ci/stage
CONFIGURE := cmake -S . -B $(BUILD) -DMASSTREE_CARGO_TARGET_DIR=$(CURDIR)/target

.DEFAULT_GOAL := help
.PHONY: help demo test build header docs setup check-fmt check-clippy check-header check-rust \
        check-stress check-loom check-c check-docs check-asan check-tsan bench compare limbo clean

help:
	@echo 'make demo          build everything in release and index some text with it'
	@echo 'make test          every check that CI runs'
	@echo 'make build         the library and the examples, in $(BUILD)'
	@echo 'make header        write include/masstree.h anew from src/ffi'
	@echo 'make docs          documentation of the C interface, in build/docs/html'
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
	@echo 'make bench         the same as compare'
	@echo 'make compare       speed and memory beside the masstree crate: KEYS=1000000 ROUNDS=5'
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
	@echo build/docs/html/index.html

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
	@if cargo +nightly --version >/dev/null 2>&1; then \
	    $(MAKE) --no-print-directory check-asan check-tsan; \
	else \
	    echo 'check-asan, check-tsan: not run, there is no nightly toolchain'; \
	fi

KEYS := 1000000
ROUNDS := 5
bench: compare

compare:
	@cargo rustc --quiet --release --lib --crate-type cdylib,staticlib
	@cargo build --quiet --release -p masstree-compare
	@target/release/masstree-compare target/release/libmasstree.so $(KEYS) $(ROUNDS)

OPERATIONS := 10000000
limbo:
	@.ci/setup build
	@$(STAGE) configure $(CONFIGURE)
	@$(STAGE) build cmake --build $(BUILD) --target limbo
	@$(BUILD)/benches/limbo/limbo $(OPERATIONS)

clean:
	rm -rf build target
