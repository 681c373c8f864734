/**
 * @file
 * Options of durable stores in the C++ interface of libmasstree. Part of masstree.hpp.
 */
#ifndef MASSTREE_STORE_OPTIONS_HPP
#define MASSTREE_STORE_OPTIONS_HPP

#pragma GCC visibility push(default)
#include <cstddef>
#include <cstdint>
#pragma GCC visibility pop

#include "store_txn.hpp"

namespace masstree {

/** Options of a store; masstree_store_options_t documents them. */
struct store_options {
    /** Supplies the memory of the trees, as that of options; a null pointer: malloc. */
    memory_resource *memory = nullptr;
    /** Whether the store is only read. */
    bool read_only = false;
    /** Whether nothing is opened, without an error, if the directory has no store with content. */
    bool must_exist = false;
    /** Whether a corrupt log is read up to the first fault, and what follows given up. */
    bool salvage = false;
    /** What writing functions wait for. */
    masstree::level level = masstree::level::memory;
    /** Bytes of the log's buffer; 0: the default. */
    std::size_t log_buffer_bytes = 0;
    /** Bytes of a file of the log; 0: the default. */
    std::uint64_t log_segment_bytes = 0;
    /** Longest time between syncs, in microseconds; 0: only when needed. */
    std::uint64_t sync_interval_us = 0;
    /** Bytes of log after which a checkpoint is made; 0: the default; MASSTREE_NO_CHECKPOINTS: never. */
    std::uint64_t checkpoint_log_bytes = 0;
    /** Age in seconds after which a checkpoint is made; 0: never. */
    std::uint64_t checkpoint_age_s = 0;
    /** Most bytes of checkpoints that are written in a second; 0: any number. */
    std::uint64_t checkpoint_bytes_per_s = 0;
    /** Most threads that write a checkpoint; 0: the default. */
    std::size_t checkpoint_threads = 0;
    /** Bytes of the log that checkpoints leave for `changes`, of what they make unnecessary. */
    std::uint64_t retained_log_bytes = 0;
    /** The file operations; a null pointer: those of the operating system. */
    const masstree_io_t *io = nullptr;
    /** Receives what failed, if opening fails because of a file; may be a null pointer. */
    masstree_store_failure_t *failure = nullptr;

    /** Used by the library. */
    [[nodiscard]] masstree_store_options_t to_c() const noexcept
    {
        masstree_store_options_t c = MASSTREE_STORE_OPTIONS_INIT;
        c.flags = (read_only ? MASSTREE_STORE_READ_ONLY : 0) |
                  (must_exist ? MASSTREE_STORE_MUST_EXIST : 0) |
                  (salvage ? MASSTREE_STORE_SALVAGE : 0);
        c.level = static_cast<std::uint32_t>(level);
        c.log_buffer_bytes = log_buffer_bytes;
        c.log_segment_bytes = log_segment_bytes;
        c.sync_interval_us = sync_interval_us;
        c.checkpoint_log_bytes = checkpoint_log_bytes;
        c.checkpoint_age_s = checkpoint_age_s;
        c.checkpoint_bytes_per_s = checkpoint_bytes_per_s;
        c.checkpoint_threads = checkpoint_threads;
        c.retained_log_bytes = retained_log_bytes;
        c.io = io;
        c.failure = failure;
        if (memory != nullptr) {
            c.alloc = detail::allocate;
            c.free = detail::deallocate;
            c.alloc_ctx = memory;
        }
        return c;
    }
};

} // namespace masstree

#endif
