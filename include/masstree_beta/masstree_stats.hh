// Statistics of a table.
#ifndef MASSTREE_BETA_MASSTREE_STATS_HH
#define MASSTREE_BETA_MASSTREE_STATS_HH

#include "json.hh"
#include "masstree.hh"

namespace Masstree {

/**
 * The result of masstree_stats_json, with all nodes visited; its names are those of
 * masstree_stats_t.
 */
template <typename P, typename T>
inline MASSTREE_BETA_ABI lcdf::Json json_stats(const basic_table<P>& table, T&&)
{
    struct writer {
        static void write(const char* text, size_t length, void* all)
        {
            static_cast<std::string*>(all)->append(text, length);
        }
    };
    masstree_beta::json_text json;
    masstree_beta::check("json_stats",
        masstree_stats_json(
            table.c_tree(), nullptr, MASSTREE_STATS_NODES, writer::write, &json.text));
    return lcdf::Json(json);
}

} // namespace Masstree

#endif
