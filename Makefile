# CMake runs cargo; scripts in .ci contain everything longer than a line. V=1 shows all output.
BUILD := build/release
STAGE := .ci/stage
# CMake compiles one file at a time unless told otherwise.
export CMAKE_BUILD_PARALLEL_LEVEL ?= $(shell nproc)
CONFIGURE := cmake -S . -B $(BUILD) -DMASSTREE_CARGO_TARGET_DIR=$(CURDIR)/target -DMASSTREE_CLI_IN_ALL=OFF

.DEFAULT_GOAL := help
.PHONY: help demo test build library install uninstall header abi docs setup clean \
        check-fmt check-header check-clippy check-rust check-cli check-stress check-lin check-versioned check-scans \
        check-models check-serializable check-c check-install check-aarch64 check-big-endian check-go check-zig check-readme \
        check-docs check-bench check-asan check-tsan check-annotated check-memcheck check-fuzz fuzz fuzz-minimise coverage \
        check-beta bench-beta images kills powercuts soak soak-perturbed build-perturbed limbo bench-instructions check-instructions record-instructions bench-observe bench-requests bench bench-build \
        bench-quick bench-pieces bench-go bench-zig figures rocksdb check-rocksdb bench-rocksdb

# Prints each target with the ## comment above it.
help:
	@awk '/^## / { lines[n++] = substr($$0, 4); next } \
	    n { sub(/:.*/, ""); name = "make " $$0; \
	        for (i = 0; i < n; i++) printf "%-22s %s\n", i ? "" : name, lines[i]; n = 0 }' Makefile

setup:
	@.ci/setup test

## build the library, the command line and the examples, in build/release
build:
	@.ci/setup build
	@$(STAGE) configure $(CONFIGURE) -DMASSTREE_BUILD_TESTS=OFF
	@$(STAGE) build cmake --build $(BUILD) --target word_index masstree_cli

## build the library, index some text with it, and kill a store and open it again
demo: build
	@$(BUILD)/word_index
	@examples/store_demo.sh $(CURDIR)/$(BUILD)/bin/masstree

# One after the other: each uses all of two cores. The sanitizers need a toolchain that users of
# the library need not have.
## run every check that CI runs
test: setup
	@$(MAKE) --no-print-directory check-fmt
	@$(MAKE) --no-print-directory check-header
	@$(MAKE) --no-print-directory check-clippy
	@$(MAKE) --no-print-directory check-rust
	@$(MAKE) --no-print-directory check-stress FACTOR=5 PERTURBED_FACTOR=2
	@$(MAKE) --no-print-directory check-models
	@$(MAKE) --no-print-directory check-c
	@$(MAKE) --no-print-directory check-memcheck MEMCHECK='tree bytes cursor cursor_many cursor_changes page_end'
	@$(MAKE) --no-print-directory check-instructions
	@$(MAKE) --no-print-directory check-install
	@$(MAKE) --no-print-directory check-go
	@$(MAKE) --no-print-directory check-zig
	@$(MAKE) --no-print-directory check-readme
	@$(MAKE) --no-print-directory check-docs
	@$(MAKE) --no-print-directory check-bench
	@$(MAKE) --no-print-directory check-annotated
	@if cargo +nightly --version >/dev/null 2>&1; then \
	    $(MAKE) --no-print-directory check-asan check-tsan check-fuzz; \
	else \
	    echo 'check-asan, check-tsan, check-fuzz: not run, there is no nightly toolchain'; \
	fi

# Under sudo, which may not find cargo, installs what the user has built.
PREFIX := /usr/local
## install the library, its headers, the command line, and the files for CMake and pkg-config to
## PREFIX=/usr/local; DESTDIR is prepended
install: $(if $(and $(SUDO_USER),$(wildcard $(BUILD)/lib/libmasstree.a)),,build)
	@cmake --install $(BUILD) --prefix $(abspath $(PREFIX))

## remove what the last make install has installed, with the same DESTDIR
uninstall:
	@while read -r file || [ -n "$$file" ]; do rm -f "$(DESTDIR)$$file"; done \
	    <$(BUILD)/install_manifest.txt

## regenerate the C headers from src/ffi, the man page's list of functions, and that of the command
header:
	MASSTREE_WRITE_HEADER=1 cargo build --quiet
	docs/man_functions.sh include docs/masstree.3 >docs/masstree.3.new
	mv docs/masstree.3.new docs/masstree.3
	MASSTREE_WRITE_MAN=1 cargo test --quiet -p masstree-cli man_page

## check the formatting
check-fmt:
	@$(STAGE) check-fmt cargo fmt --all --check
	@$(STAGE) check-fmt-fuzz cargo fmt --manifest-path fuzz/Cargo.toml --check

## run clippy
check-clippy:
	@$(STAGE) check-clippy cargo clippy --quiet --workspace --all-targets -- -D warnings
	@$(STAGE) check-clippy-fuzz cargo clippy --quiet --manifest-path fuzz/Cargo.toml \
	    --target-dir target --locked -- -D warnings

## check that the C headers match src/ffi
check-header:
	@$(STAGE) check-header cargo check --quiet

# The features of what both need differ, so each by itself would compile the library.
RUST_TESTS := cargo test -p libmasstree -p masstree-cli
## run the tests in Rust, also those of the command line
check-rust:
	@$(STAGE) check-rust $(RUST_TESTS)

## test the command line alone, as its users call it
check-cli:
	@$(STAGE) check-cli cargo test -p masstree-cli

FACTOR := 20
PERTURBED_FACTOR := 5
## run the stress tests: FACTOR=20 times as many steps as in check-rust, then PERTURBED_FACTOR=5
## times with narrow nodes and random pauses between critical steps
check-stress:
	@$(STAGE) check-stress env MASSTREE_TEST_FACTOR=$(FACTOR) \
	    $(RUST_TESTS) --test stress
	@$(STAGE) check-stress-perturbed env MASSTREE_TEST_FACTOR=$(PERTURBED_FACTOR) \
	    RUSTFLAGS='--cfg masstree_perturb' \
	    cargo test --target-dir target/perturb --test stress --test known_failures \
	    --test linearizable
	@$(STAGE) check-scans-perturbed env RUSTFLAGS='--cfg masstree_perturb' \
	    cargo test --target-dir target/perturb --test scans

# Prints its results, so it is not a stage.
HISTORIES := 20000
SEED := 1
REPEATS := 1
LINEARIZABLE := --quiet --test linearizable histories -- --nocapture
## check that HISTORIES=20000 histories of calls on few keys are linearizable, from number
## SEED=1 on, each REPEATS=1 times; then a third as many with narrow nodes and random pauses
check-lin:
	@MASSTREE_TEST_HISTORIES=$(HISTORIES) MASSTREE_TEST_SEED=$(SEED) \
	    MASSTREE_TEST_REPEATS=$(REPEATS) cargo test $(LINEARIZABLE)
	@MASSTREE_TEST_HISTORIES=$$((($(HISTORIES) + 2) / 3)) MASSTREE_TEST_SEED=$(SEED) \
	    MASSTREE_TEST_REPEATS=$(REPEATS) RUSTFLAGS='--cfg masstree_perturb' \
	    cargo test --target-dir target/perturb $(LINEARIZABLE)

ANSWERS := 100000000
## compare at least ANSWERS=100000000 answers of versioned trees with those of a model
check-versioned:
	@MASSTREE_TEST_ANSWERS=$(ANSWERS) cargo test --quiet --lib versioned::tests::model -- --nocapture

SCANS := 5
PASSAGES := --quiet --test scans -- --nocapture
## check scans and cursors beside writers, and print how many keys were verified: SCANS=5
## times as many rounds as in check-rust, in both builds; SEED=1
check-scans:
	@MASSTREE_TEST_FACTOR=$(SCANS) MASSTREE_TEST_SEED=$(SEED) cargo test $(PASSAGES)
	@MASSTREE_TEST_FACTOR=$(SCANS) MASSTREE_TEST_SEED=$(SEED) \
	    RUSTFLAGS='--cfg masstree_perturb' cargo test --target-dir target/perturb $(PASSAGES)

MODELS := 1
## run the models of the protocols: one node in every interleaving (loom), whole trees in
## random ones (shuttle; MODELS=10 times as many, SEED=n); then without each line that a
## protocol rests on, which the models must notice
check-models:
	@$(STAGE) check-models-loom env RUSTFLAGS='--cfg loom' LOOM_MAX_PREEMPTIONS=3 \
	    cargo test --target-dir target/loom --lib models
	@$(STAGE) check-models-shuttle env RUSTFLAGS='--cfg shuttle' \
	    MASSTREE_MODEL_FACTOR=$(MODELS) MASSTREE_MODEL_SEED=$(SEED) \
	    cargo test --target-dir target/shuttle --lib models

# Prints its results, so it is not a stage.
## check that HISTORIES=20000 histories of transactions over a tree, from number SEED=1 on,
## are serializable; then a third as many with narrow nodes and random pauses
check-serializable: setup build-perturbed
	@$(STAGE) configure $(CONFIGURE) -DMASSTREE_BUILD_TESTS=ON
	@$(STAGE) build-serializable cmake --build $(BUILD) --target masstree_test_serializable
	@$(BUILD)/c-tests/masstree_test_serializable -n $(HISTORIES) -s $(SEED)
	@$(STAGE) build-serializable cmake --build build/perturb --target masstree_test_serializable
	@build/perturb/c-tests/masstree_test_serializable -n $$((($(HISTORIES) + 2) / 3)) -s $(SEED)

MINUTES := 30
## run all operations at the same time on all threads, for MINUTES=30, from SEED=1
soak: setup
	@$(STAGE) configure $(CONFIGURE) -DMASSTREE_BUILD_TESTS=ON
	@$(STAGE) build-soak cmake --build $(BUILD) --target masstree_test_soak
	@$(BUILD)/c-tests/masstree_test_soak -m $(MINUTES) -s $(SEED)

# Print their progress, so they are no stages.
IMAGES := 1000000
## open IMAGES=1000000 images of what crashes may leave of a store, of histories from SEED=1 on
images:
	@MASSTREE_TEST_IMAGES=$(IMAGES) MASSTREE_TEST_SEED=$(SEED) CARGO_PROFILE_TEST_OPT_LEVEL=2 \
	    cargo test --target-dir target/images --lib every_crash_leaves_the_state -- --nocapture

KILLS := 1000
## kill a process that writes to a store KILLS=1000 times, from SEED=1 on, and compare what is
## found with what was acknowledged
kills: setup
	@$(STAGE) configure $(CONFIGURE) -DMASSTREE_BUILD_TESTS=ON
	@$(STAGE) build-kills cmake --build $(BUILD) --target masstree_test_store_kills
	@$(BUILD)/c-tests/masstree_test_store_kills -n $(KILLS) -s $(SEED)

CUTS := 500
## cut the power CUTS=500 times while a process writes to a store on an ext4 file system of its own,
## from SEED=1 on; needs root and loop devices
powercuts: setup
	@$(STAGE) configure $(CONFIGURE) -DMASSTREE_BUILD_TESTS=ON
	@$(STAGE) build-powercuts cmake --build $(BUILD) --target masstree_test_store_power_cuts
	@$(BUILD)/c-tests/masstree_test_store_power_cuts -n $(CUTS) -s $(SEED)

PERTURBED_LIBRARY := target/perturb/debug/libmasstree.so
build-perturbed: setup
	@$(STAGE) build-perturbed env RUSTFLAGS='--cfg masstree_perturb' CARGO_PROFILE_DEV_OPT_LEVEL=2 \
	    cargo rustc --target-dir target/perturb --lib --crate-type cdylib
	@$(STAGE) configure cmake -S . -B build/perturb -DMASSTREE_BUILD_EXAMPLES=OFF \
	    -DMASSTREE_LIBRARY_FILE=$(CURDIR)/$(PERTURBED_LIBRARY)

## run soak with narrow nodes, random pauses and assertions
soak-perturbed: build-perturbed
	@$(STAGE) build-soak cmake --build build/perturb --target masstree_test_soak
	@build/perturb/c-tests/masstree_test_soak -m $(MINUTES) -s $(SEED)

## run the tests in C
check-c: setup
	@$(STAGE) configure $(CONFIGURE) -DMASSTREE_BUILD_TESTS=ON
	@$(STAGE) build-c cmake --build $(BUILD)
	@$(STAGE) check-c env -C $(BUILD) ctest --output-on-failure --parallel $(shell nproc)

## compile and run a program written for masstree-beta, with every compiler, C++11 to C++20
check-beta: library
	@$(STAGE) check-beta c-tests/beta/matrix.sh include $(BUILD)/lib/libmasstree.so

## compare the cost of masstree-beta's names with that of the C functions
bench-beta: library
	@c++ -std=c++17 -O2 -Iinclude/masstree_beta c-tests/beta/costs.cpp -o $(BUILD)/beta_costs \
	    $(BUILD)/lib/libmasstree.so -Wl,-rpath,$(CURDIR)/$(BUILD)/lib -pthread
	@$(BUILD)/beta_costs

# The library alone, for checks that use an installed one.
library: setup
	@$(STAGE) configure $(CONFIGURE)
	@$(STAGE) library cmake --build $(BUILD) --target masstree_library

## build and run programs in C and C++ that use an installed libmasstree
check-install: library
	@$(STAGE) build-cli cmake --build $(BUILD) --target masstree_cli
	@$(STAGE) check-install c-tests/consumers/check.sh $(BUILD)

# Both say "not run" if what they need is not to be had.
PARTS :=
## build for AArch64, and run the tests in Rust, C and C++, the examples and consumers under emulation;
## PARTS="library c" selects some of library, c, rust and install
check-aarch64: setup
	@.ci/aarch64 $(PARTS)

## run tests of byte order on s390x, under emulation, and exchange stores with it
check-big-endian: library
	@.ci/big-endian $(BUILD)/lib/libmasstree.so

## test the Go package with the race detector, and run its example
check-go: library
	@$(STAGE) check-go .ci/installed $(BUILD) examples/go ./check.sh

## measure calls from Go, single and batched
bench-go: library
	@.ci/installed $(BUILD) examples/go go test -run '^$$' -bench .

# Zig has no Debian package; PyPI has it as ziglang.
ZIG_ENV := $(CURDIR)/build/zig
ZIG = $(wildcard $(ZIG_ENV)/lib/python3*/site-packages/ziglang/zig)
$(ZIG_ENV)/installed: examples/zig/requirements.txt
	@$(STAGE) zig sh -ec 'python3 -m venv $(ZIG_ENV); $(ZIG_ENV)/bin/pip install -q -r $<; touch $@'

## test the Zig module, and run its example
check-zig: library $(ZIG_ENV)/installed
	@$(STAGE) check-zig .ci/installed $(BUILD) examples/zig ./check.sh $(ZIG)

## measure look-ups from Zig, single and batched
bench-zig: library $(ZIG_ENV)/installed
	@.ci/installed $(BUILD) examples/zig $(ZIG) build bench --release=fast

ROCKSDB := $(STAGE) configure $(CONFIGURE) -DMASSTREE_BUILD_TESTS=ON -DMASSTREE_BUILD_ROCKSDB=ON
## build the memtable for RocksDB, build/release/lib/libmasstree-rocksdb.so and .a
rocksdb:
	@.ci/setup rocksdb
	@$(STAGE) configure $(CONFIGURE) -DMASSTREE_BUILD_ROCKSDB=ON
	@$(STAGE) rocksdb cmake --build $(BUILD) --target masstree_rocksdb

## test the memtable for RocksDB, and databases over it
check-rocksdb: setup
	@$(ROCKSDB)
	@$(STAGE) build-rocksdb cmake --build $(BUILD) --target masstree_rocksdb_tests
	@$(STAGE) check-rocksdb env -C $(BUILD) ctest --output-on-failure -R '^rocksdb_'

## compare the memtable with RocksDB's skip list: the tables alone, then in db_bench
bench-rocksdb: rocksdb
	@$(ROCKSDB)
	@$(STAGE) build-rocksdb cmake --build $(BUILD) --target masstree_rocksdb_bench
	@$(BUILD)/integrations/rocksdb/tests/masstree_rocksdb_bench
	@integrations/rocksdb/bench/compare.sh $(CURDIR)/$(BUILD)/lib/libmasstree-rocksdb.so

PAGES := README.md CHANGELOG.md CONTRIBUTING.md TESTING.md $(wildcard docs/*.md)
DOCS_BUILD := cc c++ include $(BUILD)/lib
## run the programs and commands in the README and the pages in docs/, and check their links
## and the man page
check-readme: library
	@$(STAGE) check-links c-tests/docs/links.sh $(PAGES) include/masstree_beta/README.md \
	    integrations/rocksdb/README.md
	@$(STAGE) check-man-page c-tests/docs/man_page.sh docs/masstree.3 $(DOCS_BUILD)
	@$(STAGE) check-programs c-tests/docs/programs.sh $(DOCS_BUILD) $(PAGES)
	@$(STAGE) check-commands c-tests/docs/commands.sh $(PAGES)

## update the committed binary interface: see docs/abi.md
abi: setup
	@c-tests/abi/abi.sh write include

## run the tests in C with AddressSanitizer (nightly toolchain)
check-asan: setup
	@$(STAGE) check-asan .ci/sanitize address

## run the tests in C with ThreadSanitizer (nightly toolchain)
check-tsan: setup
	@$(STAGE) check-tsan .ci/sanitize thread

## run programs under ThreadSanitizer with an annotated library
check-annotated: library
	@$(STAGE) check-annotated .ci/annotated

## run the corpus of the fuzz targets, and fuzz each for three seconds
check-fuzz: setup
	@$(STAGE) check-fuzz .ci/fuzz check 3

SECONDS := 60
TARGET :=
## fuzz the C interface, SECONDS=60 for each target, or for TARGET=operations, threads,
## structs, allocations, versions, store, checkpoints or transactions; FUZZ_BUILD=asan, plain or narrow (nightly toolchain)
fuzz: setup
	@.ci/fuzz run $(SECONDS) $(TARGET)

## minimise the corpus together with the inputs that make fuzz found
fuzz-minimise: setup
	@.ci/fuzz minimise $(TARGET)

## list the lines of src/index that no test executes
coverage:
	@.ci/setup coverage
	@.ci/coverage

# The release library; the processor that valgrind emulates has no AVX-512.
MEMCHECK :=
## run the tests in C under valgrind; MEMCHECK="tree bytes" selects some
check-memcheck: setup
	@$(STAGE) configure $(CONFIGURE) -DMASSTREE_BUILD_TESTS=ON
	@$(STAGE) build-c cmake --build $(BUILD)
	@$(STAGE) check-memcheck .ci/memcheck $(MEMCHECK)

## check that Doxygen has no warning about the documentation
check-docs: setup
	@$(STAGE) check-docs docs/render.sh

## render the documentation of the C and C++ interfaces to build/docs
docs: check-docs
	@echo build/docs/html/index.html build/docs/cpp/html/index.html

# Arguments for cargo: the driver with every peer.
DRIVER := --release -p masstree-bench --features tbb
BENCH :=
bench-build:
	@.ci/setup bench
	@cargo rustc --quiet --release --lib --crate-type cdylib,staticlib
	@cargo build --quiet $(DRIVER)
	@mkdir -p build

## measure speed and memory beside other maps, 5,000,000 keys; writes build/bench.json, .svg
## and .md. BENCH="--only scan" (see BENCH=--help) selects rows
bench: bench-build
	@target/release/masstree-bench --json build/bench.json --svg build/bench.svg \
	    --markdown build/bench.md $(BENCH)

## run bench with 1,000,000 keys, one round and fewer maps: two minutes
bench-quick: bench-build
	@target/release/masstree-bench --keys 1000000 --operations 500000 --rounds 1 \
	    --peers masstree,scc,congee,btree --json build/bench-quick.json \
	    --svg build/bench-quick.svg --markdown build/bench-quick.md $(BENCH)

## measure single operations on a small tree, with Criterion
bench-pieces:
	@cargo rustc --quiet --release --lib --crate-type cdylib,staticlib
	@cargo bench --quiet -p masstree-bench --bench pieces -- $(BENCH)

# The rows of the chart; the table contains all.
CHART := --only 'load by put, 8-byte keys' --only 'get, 8-byte keys' --only 'get_many, 8-byte' \
    --only 'scan of 100, 8-byte' --only 'get, URLs' --only 'bytes a key, 8-byte'
## copy the results of the last make bench to docs/performance.md and its chart
figures:
	@cargo run --quiet $(DRIVER) -- --from build/bench.json --markdown build/bench.md \
	    --svg docs/benchmark.svg $(CHART) >/dev/null
	@sed -i -e '/<!-- bench:/,/<!-- .bench -->/{//!d;}' -e '/<!-- bench:/r build/bench.md' docs/performance.md

# Without TBB, which users of the library need not have.
## run the benchmarks with few keys, to check the values that they read
check-bench:
	@$(STAGE) check-bench-build sh -ec 'cargo rustc --lib --crate-type cdylib; \
	    cargo build -p masstree-bench'
	@$(STAGE) check-bench target/debug/masstree-bench --library target/debug/libmasstree.so \
	    --keys 20000 --operations 20000 --rounds 1 --threads 2

## measure the cost of observations: with and without, by turns
bench-observe:
	@.ci/setup build
	@$(STAGE) configure $(CONFIGURE)
	@$(STAGE) build cmake --build $(BUILD) --target observe
	@$(BUILD)/benches/observe/observe

## measure operations beside what programs do without them
bench-requests:
	@.ci/setup build
	@$(STAGE) configure $(CONFIGURE)
	@$(STAGE) build cmake --build $(BUILD) --target requests_requests requests_keys requests_queues requests_counts
	@$(BUILD)/benches/requests/requests_requests
	@$(BUILD)/benches/requests/requests_keys
	@$(BUILD)/benches/requests/requests_queues
	@$(BUILD)/benches/requests/requests_counts

## instructions an operation, counted with callgrind: exact, whatever else the machine does
bench-instructions: library
	@benches/instructions/count.sh include $(BUILD)/lib

## check that no operation takes 2 % more instructions than recorded in
## benches/instructions/counts.txt
check-instructions: library
	@$(STAGE) check-instructions benches/instructions/check.sh include $(BUILD)/lib

## record the instructions that operations take now
record-instructions: library
	@benches/instructions/check.sh record include $(BUILD)/lib

OPERATIONS := 10000000
## measure memory that waits for guards, after OPERATIONS=10000000 updates and as many removes
## and inserts
limbo:
	@.ci/setup build
	@$(STAGE) configure $(CONFIGURE)
	@$(STAGE) build cmake --build $(BUILD) --target limbo
	@$(BUILD)/benches/limbo/limbo $(OPERATIONS)

## remove what was built
clean:
	rm -rf build target examples/zig/.zig-cache
