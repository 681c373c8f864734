// A string that owns its bytes.
#ifndef MASSTREE_BETA_STRING_HH
#define MASSTREE_BETA_STRING_HH

#include "str.hh"

namespace lcdf {

/** A std::string under another name, that converts to Str. */
class String {
public:
    String()
    {
    }
    String(const char* text) : text_(text)
    {
    }
    String(const char* bytes, int length) : text_(bytes, static_cast<size_t>(length))
    {
    }
    String(const std::string& text) : text_(text)
    {
    }
    String(Str text) : text_(text)
    {
    }

    const char* c_str() const
    {
        return text_.c_str();
    }
    const char* data() const
    {
        return text_.data();
    }
    int length() const
    {
        return static_cast<int>(text_.length());
    }
    bool empty() const
    {
        return text_.empty();
    }
    explicit operator bool() const
    {
        return !text_.empty();
    }
    operator Str() const
    {
        return Str(text_);
    }
    char operator[](int i) const
    {
        return text_[static_cast<size_t>(i)];
    }
    const char* begin() const
    {
        return text_.data();
    }
    const char* end() const
    {
        return text_.data() + text_.length();
    }
    String& operator+=(const String& other)
    {
        text_ += other.text_;
        return *this;
    }
    friend String operator+(String a, const String& b)
    {
        return a += b;
    }
    friend bool operator==(const String& a, const String& b)
    {
        return a.text_ == b.text_;
    }
    friend bool operator!=(const String& a, const String& b)
    {
        return a.text_ != b.text_;
    }
    friend bool operator<(const String& a, const String& b)
    {
        return a.text_ < b.text_;
    }
    friend std::ostream& operator<<(std::ostream& out, const String& text)
    {
        return out << text.text_;
    }

private:
    std::string text_;
};

} // namespace lcdf

#endif
