/**
 * @file
 * How the C++ interface of libmasstree tells of errors: by exception, or by std::error_code.
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

/** The errors of libmasstree, as the C interface numbers them. "Not found" is none. */
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
    /** The buffer is too small for the value. */
    too_small = MASSTREE_TOO_SMALL,
    /** The keys do not ascend. */
    unsorted = MASSTREE_UNSORTED
};

} // namespace masstree

namespace std {
/** Lets a masstree::errc be turned into an std::error_code. */
template <> struct is_error_code_enum<masstree::errc> : std::true_type {};
} // namespace std

namespace masstree {

namespace detail {

/**
 * Whether a category is errc's. Shared objects that hide their symbols, or were loaded with
 * RTLD_LOCAL, have an instance each: they are the same by name.
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
 * Shared objects may have an instance each, according to how they were built and loaded. Codes and
 * conditions of all of them compare equal to an errc all the same; but two std::error_code compare
 * equal only if they are of one instance, which no header can change.
 */
[[nodiscard]] inline const std::error_category &category() noexcept
{
    // Never destroyed: destructors of static objects may look at codes, too.
    alignas(detail::status_category) static unsigned char place[sizeof(detail::status_category)];
    static const std::error_category *const instance = ::new (place) detail::status_category;
    return *instance;
}

/** Makes an std::error_code of an errc. */
[[nodiscard]] inline std::error_code make_error_code(errc code) noexcept
{
    return {static_cast<int>(code), category()};
}

/** Whether `code` is that error, whichever shared object it comes from: see category. */
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
 * What functions throw that were given no std::error_code. One shared object catches what another
 * throws, also if both hide their symbols (with libc++: unless it was loaded with RTLD_LOCAL).
 */
class [[gnu::visibility("default")]] error : public std::system_error {
public:
    /** Made by the library; `code` is its status. */
    explicit error(errc code) : std::system_error(make_error_code(code)) {}
};

/**
 * Where the errors of a call go: thrown as masstree::error, or stored in an std::error_code, which
 * is cleared by a call that succeeds. A program compiled without exceptions is ended by an error
 * that no std::error_code receives, with a line on standard error.
 *
 * It is never named: pass an std::error_code, or nothing.
 */
class errors {
public:
    /** Errors are thrown. */
    constexpr errors() noexcept = default;
    /** Errors are stored in `code`, which must outlive the call, or the cursor or view made. */
    constexpr errors(std::error_code &code) noexcept : code_(&code) {}

    /** Used by the library: takes note of a status; an answer (0 or more) is no error. */
    void note(std::int32_t status) const
    {
        if (status < 0)
            report(code_, static_cast<errc>(status));
        else if (code_ != nullptr)
            code_->clear();
    }

    /** Used by the library: takes note of an error. */
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
