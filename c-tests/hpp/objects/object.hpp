// How a shared object, or the program that loads it, handles errors of its own libmasstree headers.
#ifndef MASSTREE_HPP_TEST_OBJECT
#define MASSTREE_HPP_TEST_OBJECT

// Even if a program hides symbols around the header, the linker finds the library's functions, and
// the system's.
#pragma GCC visibility push(hidden)
#include <masstree.hpp>
#pragma GCC visibility pop

#include <system_error>

/** Functions of one object, which another one calls. */
class object {
public:
    object() = default;
    object(const object &) = delete;
    object &operator=(const object &) = delete;

    /** Its category. */
    virtual const std::error_category &category() const = 0;
    /** The code of an error in it. */
    virtual std::error_code code(int status) const = 0;
    /** The condition of the same meaning. */
    virtual std::error_condition condition(int status) const = 0;
    /** Whether it takes a code for that error: with == and !=, in either order. */
    virtual bool knows(const std::error_code &code, int status) const = 0;
    /** Throws an error. */
    virtual void fail() const = 0;
    /** Whether it catches what another object throws. */
    virtual bool catches(const object &other) const = 0;

protected:
    ~object() = default;
};

namespace {

/** Definitions in every object, with internal linkage. */
class here final : public object {
public:
    const std::error_category &category() const override { return masstree::category(); }

    std::error_code code(int status) const override { return static_cast<masstree::errc>(status); }

    std::error_condition condition(int status) const override { return {status, category()}; }

    bool knows(const std::error_code &code, int status) const override
    {
        const auto wanted = static_cast<masstree::errc>(status);
        const bool same = code == wanted;
        return (wanted == code) == same && (code != wanted) == !same && (wanted != code) == !same &&
               same;
    }

    void fail() const override
    {
        masstree::tree<int> tree;
        const masstree::tree<int> moved = std::move(tree);
        tree.put("key", 1);
    }

    bool catches(const object &other) const override
    {
        try {
            other.fail();
        } catch (const masstree::error &error) {
            return error.code() == masstree::errc::invalid;
        } catch (const std::system_error &) {
            return false;
        }
        return false;
    }
};

} // namespace

#endif
