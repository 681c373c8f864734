/**
 * @file
 * Errors of the C++ interface of libmasstree: exceptions, or std::error_code.
 * Part of masstree.hpp.
 */
#ifndef MASSTREE_ERROR_HPP
#define MASSTREE_ERROR_HPP

#pragma GCC visibility push(default)
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <new>
#include <string>
#include <system_error>
#include <type_traits>
#pragma GCC visibility pop

#include "occ.h"

#if defined(__cpp_exceptions)
/** 1 if this program is compiled with exceptions: all of its files must agree. */
#define MASSTREE_HAS_EXCEPTIONS 1
#else
/** 0 if this program is compiled without exceptions: all of its files must agree. */
#define MASSTREE_HAS_EXCEPTIONS 0
#endif

namespace masstree {

/** The errors of libmasstree, as the C interface numbers them. "Not found" is no error. */
enum class errc : std::int32_t {
    /** A malformed argument, or an object that was moved from. */
    invalid = MASSTREE_INVALID,
    /** Out of memory; the tree is as it was before the call. */
    no_memory = MASSTREE_NOMEM,
    /** The key is longer than 2^32 - 1 bytes. */
    key_too_long = MASSTREE_KEY_TOO_LONG,
    /** The guard belongs to another tree. */
    wrong_tree = MASSTREE_WRONG_TREE,
    /** The tree holds the other kind of values. */
    wrong_kind = MASSTREE_WRONG_KIND,
    /** The tree was made before a fork. */
    forked = MASSTREE_FORKED,
    /** The tree is damaged. */
    corrupt = MASSTREE_CORRUPT,
    /** The buffer is too small for the value or the key. */
    too_small = MASSTREE_TOO_SMALL,
    /** The keys do not ascend. */
    unsorted = MASSTREE_UNSORTED,
    /** The tree is sealed. */
    read_only = MASSTREE_READ_ONLY,
    /** The sequence number is below what was trimmed, or was published already. */
    too_old = MASSTREE_TOO_OLD,
    /** The disk is full; nothing was changed. */
    full = MASSTREE_FULL,
    /** A file operation of the store has failed. */
    failed = MASSTREE_FAILED,
    /** The commit is in memory, and the log failed: the next opening shows whether it is kept. */
    unknown = MASSTREE_UNKNOWN,
    /** The commit is longer than half of the log's buffer. */
    too_large = MASSTREE_TOO_LARGE,
    /** Another process, or another store of this one, has the directory open. */
    locked = MASSTREE_LOCKED
};

} // namespace masstree

namespace std {
/** Makes masstree::errc convert to std::error_code. */
template <> struct is_error_code_enum<masstree::errc> : std::true_type {};
} // namespace std

namespace masstree {

namespace detail {

/**
 * Whether a category is that of errc. Shared objects that hide their symbols, or were loaded with
 * RTLD_LOCAL, each have their own instance: compares the names.
 */
inline bool is_category(const std::error_category &one) noexcept
{
    return std::strcmp(one.name(), "masstree") == 0;
}

class status_category final : public std::error_category {
public:
    const char *name() const noexcept override { return "masstree"; }

    std::string message(int status) const override { return masstree_strerror(status); }

    std::error_condition default_error_condition(int status) const noexcept override
    {
        switch (status) {
        case MASSTREE_INVALID:
            return std::errc::invalid_argument;
        case MASSTREE_NOMEM:
            return std::errc::not_enough_memory;
        case MASSTREE_KEY_TOO_LONG:
            return std::errc::value_too_large;
        case MASSTREE_TOO_SMALL:
            return std::errc::no_buffer_space;
        default:
            return {status, *this};
        }
    }

    bool equivalent(int status, const std::error_condition &condition) const noexcept override
    {
        return default_error_condition(status) == condition ||
               (condition.value() == status && is_category(condition.category()));
    }

    bool equivalent(const std::error_code &code, int status) const noexcept override
    {
        return code.value() == status && is_category(code.category());
    }
};

} // namespace detail

/**
 * The category of errc, named "masstree". Its messages are those of masstree_strerror; `invalid`,
 * `no_memory`, `key_too_long` and `too_small` compare equal to the std::errc of that meaning.
 *
 * Shared objects may each have their own instance, depending on how they were built and loaded.
 * Codes and conditions of all instances compare equal to an errc; but two std::error_code compare
 * equal only if they have the same instance, which no header can change.
 */
[[nodiscard]] inline const std::error_category &category() noexcept
{
    // Never destroyed: destructors of static objects may still compare codes.
    alignas(detail::status_category) static unsigned char place[sizeof(detail::status_category)];
    static const std::error_category *const instance = ::new (place) detail::status_category;
    return *instance;
}

/** Makes an std::error_code of an errc. */
[[nodiscard]] inline std::error_code make_error_code(errc code) noexcept
{
    return {static_cast<int>(code), category()};
}

/** Whether `code` is that error, from whichever shared object: see category. */
[[nodiscard]] inline bool operator==(const std::error_code &code, errc wanted) noexcept
{
    return code.value() == static_cast<int>(wanted) && detail::is_category(code.category());
}
/** Whether `code` is that error. */
[[nodiscard]] inline bool operator==(errc wanted, const std::error_code &code) noexcept
{
    return code == wanted;
}
/** Whether `code` is another error, or none. */
[[nodiscard]] inline bool operator!=(const std::error_code &code, errc wanted) noexcept
{
    return !(code == wanted);
}
/** Whether `code` is another error, or none. */
[[nodiscard]] inline bool operator!=(errc wanted, const std::error_code &code) noexcept
{
    return !(code == wanted);
}

/**
 * Thrown by functions that were passed no std::error_code. One shared object catches exceptions of
 * another, even if both hide their symbols (with libc++: unless it was loaded with RTLD_LOCAL).
 */
class [[gnu::visibility("default")]] error : public std::system_error {
public:
    /** Used by the library; `code` is its status. */
    explicit error(errc code) : std::system_error(make_error_code(code)) {}
};

/**
 * How a call reports errors: it throws masstree::error, or stores them in an std::error_code, which
 * a call that succeeds clears. In a program compiled without exceptions, an error that no
 * std::error_code receives ends the program, with a line on standard error.
 *
 * Do not name this type: pass an std::error_code, or nothing.
 */
class errors {
public:
    /** Errors are thrown. */
    constexpr errors() noexcept = default;
    /**
     * Errors are stored in `code`, which must outlive the call, or the cursor or view that it
     * returns.
     */
    constexpr errors(std::error_code &code) noexcept : code_(&code) {}

    /** Used by the library: reports a status; 0 and positive statuses are no errors. */
    void note(std::int32_t status) const
    {
        if (status < 0)
            report(code_, static_cast<errc>(status));
        else if (code_ != nullptr)
            code_->clear();
    }

    /** Used by the library: reports an error. */
    void fail(errc code) const { report(code_, code); }

private:
    // Out of line, and by value, so that calls that succeed stay small.
    [[gnu::noinline, gnu::cold]] static void report(std::error_code *receiver, errc code)
    {
        if (receiver != nullptr) {
            *receiver = make_error_code(code);
            return;
        }
#if MASSTREE_HAS_EXCEPTIONS
        throw error(code);
#else
        std::fprintf(stderr, "libmasstree: %s\n", make_error_code(code).message().c_str());
        std::abort();
#endif
    }

    std::error_code *code_ = nullptr;
};

} // namespace masstree

#endif
