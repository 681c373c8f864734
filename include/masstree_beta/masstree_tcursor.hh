// Cursors: one key of a map, read or with its leaf locked.
#ifndef MASSTREE_BETA_MASSTREE_TCURSOR_HH
#define MASSTREE_BETA_MASSTREE_TCURSOR_HH

#include "masstree_key.hh"
#include "masstree_struct.hh"
#include "small_vector.hh"

#pragma GCC visibility push(default)
#include <utility>
#include <vector>
#pragma GCC visibility pop

namespace Masstree {

/** Looks a key up. The key's bytes must stay valid until find_unlocked has returned. */
template <typename P>
class unlocked_tcursor {
public:
    typedef typename P::value_type value_type;
    typedef typename P::threadinfo_type threadinfo;
    typedef node_base<P> node_type;
    typedef leaf<P> leaf_type;
    typedef key<typename P::ikey_type> key_type;
    typedef typename node_type::nodeversion_type nodeversion_type;
    typedef typename node_type::nodeversion_value_type nodeversion_value_type;

    unlocked_tcursor(const basic_table<P>& table, Str key) : tree_(table.tree_), key_(key)
    {
        forget();
    }
    unlocked_tcursor(const basic_table<P>& table, const char* bytes, int length)
        : tree_(table.tree_), key_(bytes, length)
    {
        forget();
    }
    unlocked_tcursor(const basic_table<P>& table, const unsigned char* bytes, int length)
        : tree_(table.tree_), key_(bytes, length)
    {
        forget();
    }

    /** Whether the key exists. The other functions return the state at this moment. */
    bool find_unlocked(threadinfo& ti)
    {
        uint64_t bits = 0;
        const int32_t status = masstree_get_observed(tree_,
            basic_table<P>::guard_of(ti, tree_), key_.s,
            masstree_beta::length_of(key_.s, key_.len), &bits, &observed_);
        if (unlikely(static_cast<uint32_t>(status) > MASSTREE_NOT_FOUND)) {
            basic_table<P>::require(tree_);
            masstree_beta::failed("unlocked_tcursor::find_unlocked", status);
        }
        word_ = masstree_beta::word<value_type>(bits);
        return status == MASSTREE_OK;
    }

    /** The key's value; a zero word if the key does not exist. */
    value_type value() const
    {
        return word_.value();
    }
    /** The leaf that contains the key, or would contain it. */
    leaf_type* node() const
    {
        return masstree_beta::node_of<leaf_type>(observed_);
    }
    nodeversion_value_type full_version_value() const
    {
        return observed_.version;
    }

    /** The number of entries, keys and links to layers, of node() or of the leaf that has replaced
        it. The key's bytes must still be valid. */
    masstree_beta::permutation<P> permutation() const
    {
        size_t size = 0;
        masstree_beta::check("unlocked_tcursor::permutation",
            masstree_leaf_size(tree_, nullptr, key_.s,
                masstree_beta::length_of(key_.s, key_.len), &size, nullptr));
        return masstree_beta::permutation<P>(size);
    }

private:
    void forget()
    {
        observed_.leaf = observed_.version = observed_.incarnation = 0;
    }

    const masstree_t* tree_;
    Str key_;
    masstree_beta::word<value_type> word_;
    masstree_observation_t observed_;
};

/**
 * Finds a key and locks the leaf that contains it, or would contain it. From find_locked or
 * find_insert until finish, or until the cursor is destroyed, which discards the change, the thread
 * must call no other function that writes to the map, and the key's bytes must stay valid.
 */
template <typename P>
class tcursor {
public:
    typedef typename P::value_type value_type;
    typedef typename P::threadinfo_type threadinfo;
    typedef node_base<P> node_type;
    typedef leaf<P> leaf_type;
    typedef internode<P> internode_type;
    typedef key<typename P::ikey_type> key_type;
    typedef typename node_type::nodeversion_type nodeversion_type;
    typedef typename node_type::nodeversion_value_type nodeversion_value_type;
    typedef std::vector<std::pair<leaf_type*, nodeversion_value_type>> new_nodes_type;

    tcursor(basic_table<P>& table, Str key) : tree_(table.tree_), key_(key)
    {
        start();
    }
    tcursor(basic_table<P>& table, const char* bytes, int length)
        : tree_(table.tree_), key_(bytes, length)
    {
        start();
    }
    tcursor(basic_table<P>& table, const unsigned char* bytes, int length)
        : tree_(table.tree_), key_(bytes, length)
    {
        start();
    }
    tcursor(const tcursor&) = delete;
    tcursor& operator=(const tcursor&) = delete;
    /** Discards a change that was not finished. */
    ~tcursor()
    {
        if (unlikely((stage_ & (locked | recorded)) != 0))
            settle();
    }

    /** Whether the key exists. If not, finish must not insert it. */
    bool find_locked(threadinfo& ti)
    {
        return find("tcursor::find_locked", ti, 0);
    }
    /** Whether the key exists. If not, makes room for it, and finish(1) inserts it. */
    bool find_insert(threadinfo& ti)
    {
        return find("tcursor::find_insert", ti, MASSTREE_HOLD_INSERT | MASSTREE_HOLD_DELTA);
    }

    /** The value, to read or assign; a zero word if the key did not exist. Other threads see an
        assigned value when finish has returned. */
    value_type& value()
    {
        return word_.value();
    }
    const value_type& value() const
    {
        return word_.value();
    }

    /**
     * Unlocks the leaf. A negative state removes the key, if it exists. Otherwise an existing key
     * gets the value that was assigned, and a new one is inserted if state is positive.
     */
    void finish(int state, threadinfo&)
    {
        if (unlikely((stage_ & locked) == 0))
            masstree_beta::die("tcursor::finish", "nothing was found, or it was finished before");
        let_go(action_of(state));
    }

    /** The leaf that contains the key, or will contain it: a new one, if the old one was full. */
    leaf_type* node() const
    {
        return masstree_beta::node_of<leaf_type>(now());
    }
    /** The leaf that contained the key, or would have, before room was made for it. */
    leaf_type* original_node() const
    {
        return masstree_beta::node_of<leaf_type>(original());
    }
    /** The version of original_node() before this cursor changed it. */
    nodeversion_value_type original_version_value() const
    {
        return original().version;
    }
    /** The version of original_node() after finish(1): as this cursor left it. */
    nodeversion_value_type updated_version_value() const
    {
        if (original().leaf == now().leaf)
            return next_full_version_value(1);
        masstree_observation_t few[most_created];
        masstree_delta_t room = MASSTREE_DELTA_INIT;
        return delta(room, few).after.version;
    }
    /** The version of node() when it was locked, with room made for the key. */
    nodeversion_value_type previous_full_version_value() const
    {
        return now().version;
    }
    /** The version of node() after finish(state); after finish, the actual one. */
    nodeversion_value_type next_full_version_value(int state) const
    {
        if (stage_ == made)
            return 0;
        const int32_t action = action_of(state);
        // After find_locked nothing is inserted.
        const bool can_insert = action != MASSTREE_ACTION_SET || found_ || flags_ != 0;
        masstree_observation_t next;
        masstree_beta::check("tcursor::next_full_version_value",
            masstree_held_next(&held_, can_insert ? action : MASSTREE_ACTION_KEEP, &next));
        return next.version;
    }
    /** The leaves that making room created, with their versions after finish(1). */
    new_nodes_type new_nodes() const
    {
        new_nodes_type nodes;
        if (stage_ == made || flags_ == 0)
            return nodes;
        masstree_observation_t few[most_created];
        masstree_delta_t room = MASSTREE_DELTA_INIT;
        const masstree_delta_t& delta = this->delta(room, few);
        for (size_t i = 0; i != delta.created_count; ++i) {
            const masstree_observation_t& one = delta.created[i];
            nodes.emplace_back(masstree_beta::node_of<leaf_type>(one),
                one.leaf == now().leaf ? next_full_version_value(1) : one.version);
        }
        return nodes;
    }
    /** Nodes have none. */
    kvtimestamp_t node_timestamp() const
    {
        return 0;
    }

private:
    /** What `stage_` contains: made, or any other. `recorded_` is valid with recorded only. */
    enum : unsigned { made = 0, locked = 1, finished = 2, recorded = 4 };

    /** How many created leaves the library keeps for masstree_held_delta. */
    enum : size_t { most_created = 10 };

    bool is_recorded() const
    {
        return (stage_ & recorded) != 0;
    }
    void start()
    {
        stage_ = made;
    }

    __attribute__((always_inline)) bool find(const char* what, threadinfo& ti, uint32_t flags)
    {
        if (unlikely(stage_ != made))
            masstree_beta::die(what, "the cursor was used before");
        const size_t length = masstree_beta::length_of(key_.s, key_.len);
        // Without a section, the library pins for the hold.
        using masstree_beta::table_guard_of;
        kept_ = table_guard_of(ti);
        masstree_guard_t* guard = nullptr;
        if (likely(kept_ != nullptr && kept_->is_usable()))
            guard = kept_->use(what, tree_);
        else
            kept_ = nullptr;
        flags_ = flags;
        before_ = 0;
        const int32_t status =
            masstree_hold(tree_, guard, key_.s, length, flags, &held_, &before_);
        if (unlikely(static_cast<uint32_t>(status) > MASSTREE_NOT_FOUND))
            return find_recorded(what, guard, length, status);
        stage_ = locked;
        found_ = status == MASSTREE_OK;
        word_ = masstree_beta::word<value_type>(before_);
        return status == MASSTREE_OK;
    }
    /** Finds a key for which room creates so many leaves that the library must record them. */
    __attribute__((noinline)) bool find_recorded(
        const char* what, masstree_guard_t* guard, size_t length, int32_t status)
    {
        if (status != MASSTREE_TOO_SMALL)
            not_held(what, status);
        guard = record(what, guard, length);
        status =
            masstree_hold(tree_, guard, key_.s, length, MASSTREE_HOLD_INSERT, &held_, &before_);
        if (static_cast<uint32_t>(status) > MASSTREE_NOT_FOUND)
            not_held(what, status);
        stage_ = locked | recorded;
        found_ = status == MASSTREE_OK;
        word_ = masstree_beta::word<value_type>(before_);
        return found_;
    }
    [[noreturn]] __attribute__((noinline)) void not_held(const char* what, int32_t status)
    {
        basic_table<P>::require(tree_);
        leave();
        if (status == MASSTREE_INVALID)
            masstree_beta::die(what, "the thread has another cursor that is not finished");
        masstree_beta::failed(what, status);
    }
    /** Records what finding a long key creates, under the guard or, if it is NULL, under one that is
        entered for it. */
    __attribute__((noinline)) masstree_guard_t* record(
        const char* what, masstree_guard_t* guard, size_t length)
    {
        // Meanwhile the guard is not in use: there may be no memory.
        leave();
        std::unique_ptr<recording> fresh(new recording(length / 8 + 3));
        if (kept_ != nullptr)
            guard = kept_->use(what, tree_);
        else
            masstree_beta::check(what, masstree_guard_enter(tree_, &guard));
        fresh->guard = guard;
        masstree_beta::check(what, masstree_guard_record(guard, &fresh->delta));
        recorded_ = fresh.release();
        stage_ |= recorded;
        return guard;
    }
    void leave()
    {
        if (is_recorded())
            stop_recording();
        release();
    }
    void release()
    {
        if (likely(kept_ != nullptr))
            kept_->release();
    }
    /** Discards a change that was not finished, and frees what was recorded. */
    __attribute__((noinline)) void settle()
    {
        const std::unique_ptr<recording> freed(is_recorded() ? recorded_ : nullptr);
        if ((stage_ & locked) != 0)
            let_go(MASSTREE_ACTION_KEEP);
    }
    __attribute__((noinline)) void stop_recording()
    {
        masstree_guard_record(recorded_->guard, nullptr);
        if (kept_ == nullptr)
            masstree_guard_leave(recorded_->guard);
        stage_ = recorded | finished;
    }
    /** What finding the key, and finish, have changed; in `room`, with its array, if that was not
        recorded. */
    const masstree_delta_t& delta(masstree_delta_t& room, masstree_observation_t* few) const
    {
        if (is_recorded())
            return recorded_->delta;
        room.created = few;
        room.created_capacity = most_created;
        masstree_beta::check("tcursor::new_nodes", masstree_held_delta(&held_, &room));
        return room;
    }

    int32_t action_of(int state) const
    {
        if (state < 0)
            return found_ ? MASSTREE_ACTION_REMOVE : MASSTREE_ACTION_KEEP;
        if (found_)
            return word_.bits() != before_ ? MASSTREE_ACTION_SET : MASSTREE_ACTION_KEEP;
        return state > 0 ? MASSTREE_ACTION_SET : MASSTREE_ACTION_KEEP;
    }
    __attribute__((always_inline)) void let_go(int32_t action)
    {
        const int32_t status = masstree_held_finish(&held_, action, word_.bits(), nullptr);
        if (unlikely(status != MASSTREE_OK))
            not_finished(status);
        if (unlikely(is_recorded()))
            stop_recording();
        else
            stage_ = finished;
        release();
    }
    [[noreturn]] __attribute__((noinline)) void not_finished(int32_t status)
    {
        if (status == MASSTREE_INVALID)
            masstree_beta::die("tcursor::finish", "inserts after find_locked: use find_insert");
        masstree_beta::failed("tcursor::finish", status);
    }

    masstree_observation_t original() const
    {
        masstree_observation_t leaf = {0, 0, 0};
        if (stage_ != made)
            masstree_beta::check(
                "tcursor::original_node", masstree_held_observation(&held_, &leaf, nullptr));
        return leaf;
    }
    masstree_observation_t now() const
    {
        masstree_observation_t leaf = {0, 0, 0};
        if (stage_ != made)
            masstree_beta::check(
                "tcursor::node", masstree_held_observation(&held_, nullptr, &leaf));
        return leaf;
    }

    /** Records what is done for a long key. */
    struct recording {
        explicit recording(size_t capacity) : guard(nullptr), created(capacity)
        {
            const masstree_delta_t nothing = MASSTREE_DELTA_INIT;
            delta = nothing;
            delta.created = created.data();
            delta.created_capacity = capacity;
        }
        masstree_guard_t* guard;
        masstree_delta_t delta;
        std::vector<masstree_observation_t> created;
    };

    masstree_t* tree_;
    Str key_;
    masstree_beta::table_guard* kept_;
    uint64_t before_;
    masstree_beta::word<value_type> word_;
    uint32_t flags_;
    unsigned stage_;
    bool found_;
    /** What was recorded for a long key. */
    recording* recorded_;
    masstree_held_t held_;
};

} // namespace Masstree

#endif
