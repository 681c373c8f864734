# Thin: CMake drives cargo, the scripts in .ci do what takes more than a line.
# V=1 shows everything.
BUILD := build/release
STAGE := .ci/stage
CONFIGURE := cmake -S . -B $(BUILD) -DMASSTREE_CARGO_TARGET_DIR=$(CURDIR)/target

.DEFAULT_GOAL := help
.PHONY: help demo test build library install header abi docs setup clean \
        check-fmt check-header check-clippy check-rust check-stress check-lin check-scans \
        check-models check-serializable check-c check-install check-go check-zig check-readme \
        check-docs check-bench check-asan check-tsan check-memcheck check-fuzz fuzz fuzz-minimise coverage \
        check-beta bench-beta soak soak-perturbed build-perturbed limbo bench-observe bench bench-build \
        bench-quick bench-pieces bench-go bench-zig figures

help:
	@echo 'make demo          build everything in release and index some text with it'
	@echo 'make test          every check that CI runs'
	@echo 'make build         the library and the examples, in $(BUILD)'
	@echo 'make install       the library, its header, and what CMake and pkg-config need, to'
	@echo '                   PREFIX=/usr/local; DESTDIR is put before it'
	@echo 'make header        write include/masstree.h anew from src/ffi'
	@echo 'make docs          documentation of the C and C++ interfaces, in build/docs'
	@echo 'make check-fmt     formatting'
	@echo 'make check-clippy  lints'
	@echo 'make check-header  include/masstree.h is what src/ffi says'
	@echo 'make check-rust    tests in Rust'
	@echo 'make check-stress  threads that write, read and scan at once: FACTOR=20 times as'
	@echo '                   many steps as in check-rust, and PERTURBED_FACTOR=5 times with'
	@echo '                   narrow nodes and random stops at the delicate places'
	@echo 'make check-models  models of the protocols: one node in every interleaving (loom), whole'
	@echo '                   trees in many random ones (shuttle; MODELS=10 times as many, SEED=n);'
	@echo '                   and once more without each line that a protocol rests on, which the'
	@echo '                   models must notice'
	@echo 'make check-lin     HISTORIES=20000 histories of calls on few keys are linearizable,'
	@echo '                   from number SEED=1 on, each of them REPEATS=1 times; then a third'
	@echo '                   as many with narrow nodes and random stops'
	@echo 'make check-scans   scans and cursors under writers, with how many keys were verified:'
	@echo '                   SCANS=5 times as many rounds as in check-rust, in both builds; SEED=1'
	@echo 'make check-serializable  HISTORIES=20000 histories of transactions over a tree, from'
	@echo '                   number SEED=1 on, are serializable; then a third as many with narrow'
	@echo '                   nodes and random stops'
	@echo 'make check-c       tests in C'
	@echo 'make check-beta    a program for masstree-beta, with every compiler and C++11 to C++20'
	@echo "make bench-beta    what calls cost under masstree-beta's names, beside the C functions"
	@echo 'make soak          everything at once, for MINUTES=30, from SEED=1 on; prints how it goes'
	@echo 'make soak-perturbed  the same with narrow nodes, random stops and assertions'
	@echo 'make check-install programs in C and C++ that use an installed libmasstree'
	@echo 'make abi           write the committed binary interface anew: see docs/abi.md'
	@echo 'make check-go      the Go package: its tests with the race detector, and its example'
	@echo 'make bench-go      what calls from Go cost, single and batched'
	@echo 'make check-zig     the Zig module: its tests and its example'
	@echo 'make bench-zig     look-ups from Zig, single and batched'
	@echo "make check-readme  programs and commands that the README and the pages in docs/ show, links"
	@echo '                   in them, and the man page'
	@echo 'make check-docs    Doxygen has no complaint about the documentation'
	@echo 'make check-asan    tests in C with AddressSanitizer (nightly toolchain)'
	@echo 'make check-tsan    tests in C with ThreadSanitizer (nightly toolchain)'
	@echo 'make check-fuzz    the corpus of the fuzz targets, and three seconds of fuzzing each'
	@echo 'make fuzz          fuzzing, SECONDS=60 for each target, or for TARGET=operations, threads,'
	@echo '                   structs or allocations, which go through the C interface;'
	@echo '                   FUZZ_BUILD=asan, plain or narrow (nightly toolchain)'
	@echo 'make fuzz-minimise commit-ready corpus out of the old one and what make fuzz found'
	@echo 'make coverage      lines of src/index that no test executes'
	@echo 'make check-memcheck  tests in C under valgrind; MEMCHECK="tree bytes" for some'
	@echo 'make check-bench   a run of the benchmarks with few keys, for their checks of values'
	@echo 'make bench         speed and memory beside other maps, 5,000,000 keys; also as'
	@echo '                   build/bench.json, .svg and .md. BENCH="--only scan" (see'
	@echo '                   BENCH=--help) narrows it down'
	@echo 'make bench-quick   the same with 1,000,000 keys, one round and fewer maps: two minutes'
	@echo 'make bench-pieces  single operations on a small tree, with Criterion'
	@echo 'make figures       put the table of the last make bench into README.md, and its chart into docs/'
	@echo 'make bench-observe what observations cost: with and without, by turns'
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

# Under sudo, which may not find cargo, what the user has built.
PREFIX := /usr/local
install: $(if $(and $(SUDO_USER),$(wildcard $(BUILD)/lib/libmasstree.a)),,build)
	@cmake --install $(BUILD) --prefix $(abspath $(PREFIX))

header:
	MASSTREE_WRITE_HEADER=1 cargo build --quiet

check-fmt:
	@$(STAGE) check-fmt cargo fmt --all --check
	@$(STAGE) check-fmt-fuzz cargo fmt --manifest-path fuzz/Cargo.toml --check

check-clippy:
	@$(STAGE) check-clippy cargo clippy --quiet --workspace --all-targets -- -D warnings
	@$(STAGE) check-clippy-fuzz cargo clippy --quiet --manifest-path fuzz/Cargo.toml \
	    --target-dir target --locked -- -D warnings

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
	    cargo test --target-dir target/perturb --test stress --test known_failures \
	    --test linearizable
	@$(STAGE) check-scans-perturbed env RUSTFLAGS='--cfg masstree_perturb' \
	    cargo test --target-dir target/perturb --test scans

# Prints what it has seen: not a stage.
HISTORIES := 20000
SEED := 1
REPEATS := 1
LINEARIZABLE := --quiet --test linearizable histories -- --nocapture
check-lin:
	@MASSTREE_TEST_HISTORIES=$(HISTORIES) MASSTREE_TEST_SEED=$(SEED) \
	    MASSTREE_TEST_REPEATS=$(REPEATS) cargo test $(LINEARIZABLE)
	@MASSTREE_TEST_HISTORIES=$$((($(HISTORIES) + 2) / 3)) MASSTREE_TEST_SEED=$(SEED) \
	    MASSTREE_TEST_REPEATS=$(REPEATS) RUSTFLAGS='--cfg masstree_perturb' \
	    cargo test --target-dir target/perturb $(LINEARIZABLE)

SCANS := 5
PASSAGES := --quiet --test scans -- --nocapture
check-scans:
	@MASSTREE_TEST_FACTOR=$(SCANS) MASSTREE_TEST_SEED=$(SEED) cargo test $(PASSAGES)
	@MASSTREE_TEST_FACTOR=$(SCANS) MASSTREE_TEST_SEED=$(SEED) \
	    RUSTFLAGS='--cfg masstree_perturb' cargo test --target-dir target/perturb $(PASSAGES)

MODELS := 1
check-models:
	@$(STAGE) check-models-loom env RUSTFLAGS='--cfg loom' LOOM_MAX_PREEMPTIONS=3 \
	    cargo test --target-dir target/loom --lib models
	@$(STAGE) check-models-shuttle env RUSTFLAGS='--cfg shuttle' \
	    MASSTREE_MODEL_FACTOR=$(MODELS) MASSTREE_MODEL_SEED=$(SEED) \
	    cargo test --target-dir target/shuttle --lib models

# Prints what it has seen: not a stage.
check-serializable: setup build-perturbed
	@$(STAGE) configure $(CONFIGURE) -DMASSTREE_BUILD_TESTS=ON
	@$(STAGE) build-serializable cmake --build $(BUILD) --target masstree_test_serializable
	@$(BUILD)/c-tests/masstree_test_serializable -n $(HISTORIES) -s $(SEED)
	@$(STAGE) build-serializable cmake --build build/perturb --target masstree_test_serializable
	@build/perturb/c-tests/masstree_test_serializable -n $$((($(HISTORIES) + 2) / 3)) -s $(SEED)

MINUTES := 30
soak: setup
	@$(STAGE) configure $(CONFIGURE) -DMASSTREE_BUILD_TESTS=ON
	@$(STAGE) build-soak cmake --build $(BUILD) --target masstree_test_soak
	@$(BUILD)/c-tests/masstree_test_soak -m $(MINUTES) -s $(SEED)

PERTURBED_LIBRARY := target/perturb/debug/libmasstree.so
build-perturbed: setup
	@$(STAGE) build-perturbed env RUSTFLAGS='--cfg masstree_perturb' CARGO_PROFILE_DEV_OPT_LEVEL=2 \
	    cargo rustc --target-dir target/perturb --lib --crate-type cdylib
	@$(STAGE) configure cmake -S . -B build/perturb -DMASSTREE_BUILD_EXAMPLES=OFF \
	    -DMASSTREE_LIBRARY_FILE=$(CURDIR)/$(PERTURBED_LIBRARY)

soak-perturbed: build-perturbed
	@$(STAGE) build-soak cmake --build build/perturb --target masstree_test_soak
	@build/perturb/c-tests/masstree_test_soak -m $(MINUTES) -s $(SEED)

check-c: setup
	@$(STAGE) configure $(CONFIGURE) -DMASSTREE_BUILD_TESTS=ON
	@$(STAGE) build-c cmake --build $(BUILD)
	@$(STAGE) check-c env -C $(BUILD) ctest --output-on-failure

check-beta: library
	@$(STAGE) check-beta c-tests/beta/matrix.sh include $(BUILD)/lib/libmasstree.so

bench-beta: library
	@c++ -std=c++17 -O2 -Iinclude/masstree_beta c-tests/beta/costs.cpp -o $(BUILD)/beta_costs \
	    $(BUILD)/lib/libmasstree.so -Wl,-rpath,$(CURDIR)/$(BUILD)/lib -pthread
	@$(BUILD)/beta_costs

# The library alone, for what uses an installed one.
library: setup
	@$(STAGE) configure $(CONFIGURE)
	@$(STAGE) library cmake --build $(BUILD) --target masstree_library

check-install: library
	@$(STAGE) check-install c-tests/consumers/check.sh $(BUILD)

check-go: library
	@$(STAGE) check-go .ci/installed $(BUILD) examples/go ./check.sh

bench-go: library
	@.ci/installed $(BUILD) examples/go go test -run '^$$' -bench .

# Zig has no Debian package; PyPI has it as ziglang.
ZIG_ENV := $(CURDIR)/build/zig
ZIG = $(wildcard $(ZIG_ENV)/lib/python3*/site-packages/ziglang/zig)
$(ZIG_ENV)/installed: examples/zig/requirements.txt
	@$(STAGE) zig sh -ec 'python3 -m venv $(ZIG_ENV); $(ZIG_ENV)/bin/pip install -q -r $<; touch $@'

check-zig: library $(ZIG_ENV)/installed
	@$(STAGE) check-zig .ci/installed $(BUILD) examples/zig ./check.sh $(ZIG)

bench-zig: library $(ZIG_ENV)/installed
	@.ci/installed $(BUILD) examples/zig $(ZIG) build bench --release=fast

# What documentation for users and contributors shows, and the man page.
PAGES := README.md CHANGELOG.md CONTRIBUTING.md TESTING.md $(wildcard docs/*.md)
DOCS_BUILD := cc c++ include $(BUILD)/lib
check-readme: library
	@$(STAGE) check-links c-tests/docs/links.sh $(PAGES) include/masstree_beta/README.md
	@$(STAGE) check-man-page c-tests/docs/man_page.sh docs/masstree.3 c-tests/abi/symbols.txt $(DOCS_BUILD)
	@$(STAGE) check-programs c-tests/docs/programs.sh $(DOCS_BUILD) $(PAGES)
	@$(STAGE) check-commands c-tests/docs/commands.sh $(PAGES)

abi: setup
	@c-tests/abi/abi.sh write include/masstree.h

check-asan: setup
	@$(STAGE) check-asan .ci/sanitize address

check-tsan: setup
	@$(STAGE) check-tsan .ci/sanitize thread

check-fuzz: setup
	@$(STAGE) check-fuzz .ci/fuzz check 3

SECONDS := 60
TARGET :=
fuzz: setup
	@.ci/fuzz run $(SECONDS) $(TARGET)

fuzz-minimise: setup
	@.ci/fuzz minimise $(TARGET)

coverage:
	@.ci/setup coverage
	@.ci/coverage

# The release library, for which valgrind has a processor without AVX-512.
MEMCHECK :=
check-memcheck: setup
	@$(STAGE) configure $(CONFIGURE) -DMASSTREE_BUILD_TESTS=ON
	@$(STAGE) build-c cmake --build $(BUILD)
	@$(STAGE) check-memcheck .ci/memcheck $(MEMCHECK)

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
	@$(MAKE) --no-print-directory check-models
	@$(MAKE) --no-print-directory check-c
	@$(MAKE) --no-print-directory check-memcheck MEMCHECK='tree bytes cursor cursor_many cursor_changes page_end'
	@$(MAKE) --no-print-directory check-install
	@$(MAKE) --no-print-directory check-go
	@$(MAKE) --no-print-directory check-zig
	@$(MAKE) --no-print-directory check-readme
	@$(MAKE) --no-print-directory check-docs
	@$(MAKE) --no-print-directory check-bench
	@if cargo +nightly --version >/dev/null 2>&1; then \
	    $(MAKE) --no-print-directory check-asan check-tsan check-fuzz; \
	else \
	    echo 'check-asan, check-tsan, check-fuzz: not run, there is no nightly toolchain'; \
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

# The rows of the README's chart; its table has all.
CHART := --only 'load by put, 8-byte keys' --only 'get, 8-byte keys' --only 'get_many, 8-byte' \
    --only 'scan of 100, 8-byte' --only 'get, URLs' --only 'bytes a key, 8-byte'
figures:
	@cargo run --quiet $(DRIVER) -- --from build/bench.json --markdown build/bench.md \
	    --svg docs/benchmark.svg $(CHART) >/dev/null
	@sed -i -e '/<!-- bench:/,/<!-- .bench -->/{//!d;}' -e '/<!-- bench:/r build/bench.md' README.md

# Without TBB, which users of the library need not have.
check-bench:
	@$(STAGE) check-bench-build sh -ec 'cargo rustc --lib --crate-type cdylib; \
	    cargo build -p masstree-bench'
	@$(STAGE) check-bench target/debug/masstree-bench --library target/debug/libmasstree.so \
	    --keys 20000 --operations 20000 --rounds 1 --threads 2

bench-observe:
	@.ci/setup build
	@$(STAGE) configure $(CONFIGURE)
	@$(STAGE) build cmake --build $(BUILD) --target observe
	@$(BUILD)/benches/observe/observe

OPERATIONS := 10000000
limbo:
	@.ci/setup build
	@$(STAGE) configure $(CONFIGURE)
	@$(STAGE) build cmake --build $(BUILD) --target limbo
	@$(BUILD)/benches/limbo/limbo $(OPERATIONS)

clean:
	rm -rf build target examples/zig/.zig-cache
