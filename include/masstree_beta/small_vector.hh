// A vector that stores its first elements in the object itself.
#ifndef MASSTREE_BETA_SMALL_VECTOR_HH
#define MASSTREE_BETA_SMALL_VECTOR_HH

#include "compiler.hh"

#pragma GCC visibility push(default)
#include <iterator>
#include <memory>
#include <new>
#include <utility>
#pragma GCC visibility pop

/** The part of std::vector's interface that masstree-beta has; N elements need no allocation. */
template <typename T, unsigned N, typename A = std::allocator<T>>
class MASSTREE_BETA_ABI small_vector {
public:
    typedef T value_type;
    typedef T* iterator;
    typedef const T* const_iterator;
    typedef std::reverse_iterator<iterator> reverse_iterator;
    typedef std::reverse_iterator<const_iterator> const_reverse_iterator;
    typedef unsigned size_type;
    static constexpr size_type small_capacity = N;

    small_vector(const A& allocator = A())
        : allocator_(allocator), first_(own()), size_(0), capacity_(N)
    {
    }
    small_vector(const small_vector& other)
        : allocator_(other.allocator_), first_(own()), size_(0), capacity_(N)
    {
        append(other);
    }
    template <unsigned M, typename B>
    small_vector(const small_vector<T, M, B>& other) : first_(own()), size_(0), capacity_(N)
    {
        append(other);
    }
    ~small_vector()
    {
        clear();
        release();
    }
    small_vector& operator=(const small_vector& other)
    {
        if (&other != this) {
            clear();
            append(other);
        }
        return *this;
    }
    template <unsigned M, typename B>
    small_vector& operator=(const small_vector<T, M, B>& other)
    {
        clear();
        append(other);
        return *this;
    }

    size_type size() const
    {
        return size_;
    }
    size_type capacity() const
    {
        return capacity_;
    }
    bool empty() const
    {
        return size_ == 0;
    }
    /** Whether there are any elements. */
    explicit operator bool() const
    {
        return size_ != 0;
    }

    iterator begin()
    {
        return first_;
    }
    iterator end()
    {
        return first_ + size_;
    }
    const_iterator begin() const
    {
        return first_;
    }
    const_iterator end() const
    {
        return first_ + size_;
    }
    const_iterator cbegin() const
    {
        return begin();
    }
    const_iterator cend() const
    {
        return end();
    }
    reverse_iterator rbegin()
    {
        return reverse_iterator(end());
    }
    reverse_iterator rend()
    {
        return reverse_iterator(begin());
    }
    const_reverse_iterator rbegin() const
    {
        return const_reverse_iterator(end());
    }
    const_reverse_iterator rend() const
    {
        return const_reverse_iterator(begin());
    }
    const_reverse_iterator crbegin() const
    {
        return rbegin();
    }
    const_reverse_iterator crend() const
    {
        return rend();
    }

    T& operator[](size_type i)
    {
        return first_[i];
    }
    const T& operator[](size_type i) const
    {
        return first_[i];
    }
    T& front()
    {
        return first_[0];
    }
    const T& front() const
    {
        return first_[0];
    }
    T& back()
    {
        return first_[size_ - 1];
    }
    const T& back() const
    {
        return first_[size_ - 1];
    }

    void push_back(const T& element)
    {
        emplace_back(element);
    }
    void push_back(T&& element)
    {
        emplace_back(std::move(element));
    }
    /** The arguments may refer to elements: constructs the new one before it moves them. */
    template <typename... Args>
    void emplace_back(Args&&... args)
    {
        if (size_ != capacity_) {
            traits::construct(allocator_, first_ + size_, std::forward<Args>(args)...);
            ++size_;
            return;
        }
        larger room(allocator_, capacity_ == 0 ? 4 : capacity_ * 2, size_);
        traits::construct(allocator_, room.first + size_, std::forward<Args>(args)...);
        room.last = size_ + 1;
        take(room);
    }
    void pop_back()
    {
        --size_;
        traits::destroy(allocator_, first_ + size_);
    }
    void clear()
    {
        while (size_ != 0)
            pop_back();
    }
    void resize(size_type size, T value = T())
    {
        while (size_ > size)
            pop_back();
        while (size_ < size)
            emplace_back(value);
    }
    iterator erase(iterator position)
    {
        return erase(position, position + 1);
    }
    iterator erase(iterator from, iterator to)
    {
        if (from != to)
            for (iterator last = std::move(to, end(), from); last != end();)
                pop_back();
        return from;
    }

private:
    typedef std::allocator_traits<A> traits;

    /**
     * Memory, with elements from 0 to made and from `size` to last, which goes unless it is taken.
     */
    struct larger {
        larger(A& from, size_type count, size_type size)
            : allocator(from), capacity(count), first(traits::allocate(from, count)), made(0),
              before(size), last(size)
        {
        }
        larger(const larger&) = delete;
        larger& operator=(const larger&) = delete;
        ~larger()
        {
            if (first == nullptr)
                return;
            for (; made != 0; --made)
                traits::destroy(allocator, first + made - 1);
            for (; last != before; --last)
                traits::destroy(allocator, first + last - 1);
            traits::deallocate(allocator, first, capacity);
        }
        A& allocator;
        size_type capacity;
        T* first;
        size_type made;
        size_type before;
        size_type last;
    };

    T* own()
    {
        return reinterpret_cast<T*>(bytes_);
    }
    void take(larger& room)
    {
        for (; room.made != size_; ++room.made)
            traits::construct(
                allocator_, room.first + room.made, std::move_if_noexcept(first_[room.made]));
        clear();
        release();
        first_ = room.first;
        capacity_ = room.capacity;
        size_ = room.last;
        room.first = nullptr;
    }
    void release()
    {
        if (first_ != own())
            traits::deallocate(allocator_, first_, capacity_);
    }
    template <typename V>
    void append(const V& other)
    {
        for (const T& element : other)
            emplace_back(element);
    }

    A allocator_;
    T* first_;
    size_type size_;
    size_type capacity_;
    alignas(T) unsigned char bytes_[sizeof(T) * (N == 0 ? 1 : N)];
};

#if __cplusplus < 201703L
template <typename T, unsigned N, typename A>
constexpr unsigned small_vector<T, N, A>::small_capacity;
#endif

#endif
