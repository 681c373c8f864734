/**
 * @file
 * Passes C++ callables to the C interface of libmasstree, and carries their exceptions back over
 * its frames. Part of masstree.hpp.
 */
#ifndef MASSTREE_CALLBACK_HPP
#define MASSTREE_CALLBACK_HPP

#pragma GCC visibility push(default)
#include <cstddef>
#include <cstdint>
#include <exception>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#pragma GCC visibility pop

#include "key.hpp"
#include "value.hpp"

namespace masstree {

/** Result of a visitor; a visitor that returns void always continues. */
enum class flow : std::int32_t {
    /** Go on. */
    go_on = MASSTREE_VISIT_CONTINUE,
    /** End the scan here. */
    stop = MASSTREE_VISIT_STOP
};

namespace detail {

/** Status of a callback that threw. */
inline constexpr std::int32_t threw = std::numeric_limits<std::int32_t>::min();
static_assert(threw <= MASSTREE_OWN_STATUS, "it is none of the library's");

/** Stores the exception of a callback until the C function that called it has returned. */
class carrier {
public:
    template <class F> std::int32_t run(F &&body) noexcept
    {
#if MASSTREE_HAS_EXCEPTIONS
        try {
            return body();
        } catch (...) {
            thrown_ = std::current_exception();
            return threw;
        }
#else
        return body();
#endif
    }

    void rethrow()
    {
#if MASSTREE_HAS_EXCEPTIONS
        if (thrown_ != nullptr)
            std::rethrow_exception(std::exchange(thrown_, nullptr));
#endif
    }

    bool has_thrown() const noexcept
    {
#if MASSTREE_HAS_EXCEPTIONS
        return thrown_ != nullptr;
#else
        return false;
#endif
    }

private:
#if MASSTREE_HAS_EXCEPTIONS
    std::exception_ptr thrown_;
#endif
};

/** Calls a visitor, and converts its result. */
template <class F, class... A> std::int32_t visit(F &callee, A &&...arguments)
{
    using result = std::invoke_result_t<F &, A...>;
    static_assert(std::is_void_v<result> || std::is_same_v<result, flow>,
                  "a visitor returns nothing, or masstree::flow");
    if constexpr (std::is_void_v<result>) {
        callee(std::forward<A>(arguments)...);
        return MASSTREE_VISIT_CONTINUE;
    } else {
        return static_cast<std::int32_t>(callee(std::forward<A>(arguments)...));
    }
}

/** A callable and its carrier; `ctx` of C functions points to it. */
template <class F> struct frame {
    F &callee;
    carrier carried{};
};

template <class K, class T, class F> struct visit_words {
    static std::int32_t items(const void *key, std::size_t len, std::uint64_t word,
                              void *ctx) noexcept
    {
        auto &self = *static_cast<frame<F> *>(ctx);
        return self.carried.run([&] {
            return visit(self.callee, key_traits<K>::from_slice(key, len),
                         value_traits<T>::from_word(word));
        });
    }

    static std::int32_t values(const void *, std::size_t, std::uint64_t word, void *ctx) noexcept
    {
        auto &self = *static_cast<frame<F> *>(ctx);
        return self.carried.run(
            [&] { return visit(self.callee, value_traits<T>::from_word(word)); });
    }
};

template <class K, class F, class Unused = std::uint64_t> struct visit_keys {
    static std::int32_t call(const void *key, std::size_t len, Unused, void *ctx) noexcept
    {
        auto &self = *static_cast<frame<F> *>(ctx);
        return self.carried.run(
            [&] { return visit(self.callee, key_traits<K>::from_slice(key, len)); });
    }
};

template <class K, class F> struct visit_bytes {
    static std::int32_t items(const void *key, std::size_t len, const void *value,
                              std::size_t value_len, void *ctx) noexcept
    {
        auto &self = *static_cast<frame<F> *>(ctx);
        return self.carried.run([&] {
            return visit(self.callee, key_traits<K>::from_slice(key, len),
                         view_of({value, value_len}));
        });
    }

    static std::int32_t values(const void *, std::size_t, const void *value, std::size_t value_len,
                               void *ctx) noexcept
    {
        auto &self = *static_cast<frame<F> *>(ctx);
        return self.carried.run([&] { return visit(self.callee, view_of({value, value_len})); });
    }
};

/** The callables of a delimited scan: that of keys is the frame's. */
template <class F, class P> struct delimited : frame<F> {
    P &prefixes;

    delimited(F &keys, P &of_prefixes) : frame<F>{keys}, prefixes(of_prefixes) {}

    static std::int32_t prefix(const void *bytes, std::size_t len, void *ctx) noexcept
    {
        auto &self = static_cast<delimited &>(*static_cast<frame<F> *>(ctx));
        return self.carried.run([&] { return visit(self.prefixes, view_of({bytes, len})); });
    }

    void *ctx() noexcept { return static_cast<frame<F> *>(this); }
};

template <class T, class F>
std::int32_t run_update(const std::uint64_t *present, std::uint64_t *value, void *ctx) noexcept
{
    using traits = value_traits<T>;
    using view = typename traits::view;
    static_assert(std::is_convertible_v<std::invoke_result_t<F &, std::optional<view>>, change<T>>,
                  "the callback returns a value, or masstree::change");
    auto &self = *static_cast<frame<F> *>(ctx);
    return self.carried.run([&] {
        std::optional<view> now;
        if (present != nullptr)
            now = traits::from_word(*present);
        change<T> wanted = self.callee(now);
        if (wanted.answer() == MASSTREE_ACTION_SET) {
            *value = traits::to_word(wanted.value());
            traits::accept(wanted.value());
        }
        return wanted.answer();
    });
}

/** The callable of an update of byte strings, and the string that it has returned last. */
template <class F> struct bytes_frame : frame<F> {
    std::string held{};

    explicit bytes_frame(F &callable) : frame<F>{callable} {}
};

template <class F>
std::int32_t run_update_bytes(const masstree_slice_t *present, masstree_slice_t *value,
                              void *ctx) noexcept
{
    static_assert(std::is_convertible_v<std::invoke_result_t<F &, std::optional<std::string_view>>,
                                        change<std::string>>,
                  "the callback returns a string, or masstree::change");
    auto &self = *static_cast<bytes_frame<F> *>(ctx);
    return self.carried.run([&] {
        std::optional<std::string_view> now;
        if (present != nullptr)
            now = view_of(*present);
        change<std::string> wanted = self.callee(now);
        if (wanted.answer() == MASSTREE_ACTION_SET) {
            self.held = std::move(wanted.value());
            *value = slice_of(self.held);
        }
        return wanted.answer();
    });
}

template <class T, class F> std::int32_t run_make(std::uint64_t *value, void *ctx) noexcept
{
    auto &self = *static_cast<frame<F> *>(ctx);
    return self.carried.run([&]() -> std::int32_t {
        T made = self.callee();
        *value = value_traits<T>::to_word(made);
        value_traits<T>::accept(made);
        return MASSTREE_OK;
    });
}

/** Passes text to a callable as std::string_view; after an exception it drops the rest. */
template <class F> void run_write(const char *text, std::size_t len, void *ctx) noexcept
{
    auto &self = *static_cast<frame<F> *>(ctx);
    if (self.carried.has_thrown())
        return;
    self.carried.run([&]() -> std::int32_t {
        self.callee(std::string_view(text, len));
        return MASSTREE_OK;
    });
}

} // namespace detail

} // namespace masstree

#endif
