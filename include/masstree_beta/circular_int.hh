// Numbers that wrap around, such as epochs and timestamps.
#ifndef MASSTREE_BETA_CIRCULAR_INT_HH
#define MASSTREE_BETA_CIRCULAR_INT_HH

#include "compiler.hh"

/** a is less than b if counting up from a reaches b in fewer steps than counting down. */
template <typename T>
class MASSTREE_BETA_ABI circular_int {
public:
    typedef typename std::make_unsigned<T>::type value_type;
    typedef typename std::make_signed<T>::type difference_type;

    circular_int() : value_()
    {
    }
    circular_int(T value) : value_(static_cast<value_type>(value))
    {
    }

    value_type value() const
    {
        return value_;
    }
    circular_int& operator++()
    {
        ++value_;
        return *this;
    }
    circular_int& operator--()
    {
        --value_;
        return *this;
    }
    circular_int& operator+=(difference_type steps)
    {
        value_ = static_cast<value_type>(value_ + static_cast<value_type>(steps));
        return *this;
    }
    circular_int& operator-=(difference_type steps)
    {
        value_ = static_cast<value_type>(value_ - static_cast<value_type>(steps));
        return *this;
    }
    friend circular_int operator+(circular_int a, difference_type steps)
    {
        return a += steps;
    }
    friend circular_int operator-(circular_int a, difference_type steps)
    {
        return a -= steps;
    }
    difference_type operator-(circular_int other) const
    {
        return difference(value_, other.value_);
    }
    bool operator==(circular_int other) const
    {
        return value_ == other.value_;
    }
    bool operator!=(circular_int other) const
    {
        return value_ != other.value_;
    }
    bool operator<(circular_int other) const
    {
        return less(value_, other.value_);
    }
    bool operator<=(circular_int other) const
    {
        return less_equal(value_, other.value_);
    }
    bool operator>(circular_int other) const
    {
        return less(other.value_, value_);
    }
    bool operator>=(circular_int other) const
    {
        return less_equal(other.value_, value_);
    }

    static difference_type difference(value_type a, value_type b)
    {
        return static_cast<difference_type>(static_cast<value_type>(a - b));
    }
    static bool less(value_type a, value_type b)
    {
        return difference(a, b) < 0;
    }
    static bool less_equal(value_type a, value_type b)
    {
        return difference(a, b) <= 0;
    }

private:
    value_type value_;
};

#endif
