//! Changes of stores.
const std = @import("std");
const c = @import("header");
const masstree = @import("masstree.zig");
const store = @import("store.zig");
const check = store.check;
const Error = store.Error;

/// What a commit has done to a key, or to a tree. Its bytes are valid until the next call for its cursor.
pub const Change = struct {
    /// The number of its commit.
    commit: u64,
    /// Whether it is the last change of its commit.
    is_last: bool,
    tree: [:0]const u8,
    /// No other tree of the store gets it, also none with the same name.
    tree_number: u32,
    what: What,

    pub const What = union(enum) {
        put: struct { key: []const u8, value: []const u8 },
        /// The key.
        remove: []const u8,
        /// The tree was made; it is empty.
        tree_made,
        /// The tree was dropped, with all of its keys.
        tree_dropped,
    };

    fn of(found: *const c.masstree_change_t) Error!Change {
        return .{
            .commit = found.commit,
            .is_last = found.is_last != 0,
            .tree = std.mem.span(@as([*:0]const u8, @ptrCast(found.tree))),
            .tree_number = found.tree_number,
            .what = switch (found.kind) {
                c.MASSTREE_CHANGE_PUT => .{ .put = .{
                    .key = masstree.bytes(found.key, found.key_len),
                    .value = masstree.bytes(found.value, found.value_len),
                } },
                c.MASSTREE_CHANGE_REMOVE => .{ .remove = masstree.bytes(found.key, found.key_len) },
                c.MASSTREE_CHANGE_TREE_MADE => .tree_made,
                c.MASSTREE_CHANGE_TREE_DROPPED => .tree_dropped,
                else => return error.Invalid,
            },
        };
    }
};

/// Reads what commits have changed since a number, in their order. The number of the last commit of which every
/// change was applied is all that is needed to go on later. One thread at a time uses it.
pub const Changes = struct {
    handle: *c.masstree_changes_t,

    pub const Options = struct {
        /// What commits have reached whose changes are returned: durable or written.
        level: store.Level = .durable,
        /// Bytes of the log that are kept for what was not read yet; 0: 1 GiB.
        held_log_bytes: u64 = 0,
    };

    pub fn init(of: *c.masstree_store_t, since: u64, options: Options) Error!Changes {
        const in: c.masstree_changes_options_t = .{
            .struct_size = @sizeOf(c.masstree_changes_options_t),
            .level = @backingInt(options.level),
            .reserved = 0,
            .held_log_bytes = options.held_log_bytes,
        };
        var handle: ?*c.masstree_changes_t = null;
        try check(c.masstree_store_changes(of, since, &in, &handle));
        return .{ .handle = handle.? };
    }

    pub fn deinit(changes: Changes) void {
        c.masstree_changes_destroy(changes.handle);
    }

    /// The next change; null if there is none by now. error.TooOld if it has fallen back further than
    /// `held_log_bytes`.
    pub fn next(changes: Changes, failed: ?*store.Failure) Error!?Change {
        const receiver = if (failed) |of| &of.raw else null;
        var found: c.masstree_change_t = undefined;
        check(c.masstree_changes_next(changes.handle, &found, receiver)) catch |err|
            return if (err == error.NotFound) null else err;
        return try Change.of(&found);
    }

    /// Waits until there may be a change, for so many microseconds at most; null: for as long as it takes.
    /// Returns whether there may be one. It makes no commit durable: `sync_interval_us` does, or `Store.wait`.
    pub fn wait(changes: Changes, timeout_us: ?u64) Error!bool {
        check(c.masstree_changes_wait(changes.handle, timeout_us orelse std.math.maxInt(u64))) catch |err|
            return if (err == error.NotFound) false else err;
        return true;
    }
};
