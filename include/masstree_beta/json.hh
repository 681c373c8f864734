// JSON text, for json_stats. Not a JSON library: it cannot be queried.
#ifndef MASSTREE_BETA_JSON_HH
#define MASSTREE_BETA_JSON_HH

#include "string.hh"

#pragma GCC visibility push(default)
#include <vector>
#pragma GCC visibility pop

namespace masstree_beta {

/** JSON text. */
struct json_text {
    std::string text;
};

} // namespace masstree_beta

namespace lcdf {

/** JSON as text. */
class Json {
public:
    /** Layout options: accepted and ignored. */
    class unparse_manipulator {
    public:
        unparse_manipulator indent_depth(int) const
        {
            return *this;
        }
        unparse_manipulator tab_width(int) const
        {
            return *this;
        }
        unparse_manipulator newline_terminator(bool) const
        {
            return *this;
        }
        unparse_manipulator space_separator(bool) const
        {
            return *this;
        }
    };
    static unparse_manipulator indent_depth(int)
    {
        return unparse_manipulator();
    }
    static unparse_manipulator tab_width(int)
    {
        return unparse_manipulator();
    }
    static unparse_manipulator newline_terminator(bool)
    {
        return unparse_manipulator();
    }
    static unparse_manipulator space_separator(bool)
    {
        return unparse_manipulator();
    }

    Json() : text_("null")
    {
    }
    explicit Json(const masstree_beta::json_text& json) : text_(json.text)
    {
    }

    String unparse() const
    {
        return text_;
    }
    String unparse(const unparse_manipulator&) const
    {
        return text_;
    }
    operator String() const
    {
        return text_;
    }

private:
    String text_;
};

} // namespace lcdf

#endif
