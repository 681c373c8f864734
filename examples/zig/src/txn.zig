//! Transactions over stores.
const std = @import("std");
const c = @import("header");
const masstree = @import("masstree.zig");
const store = @import("store.zig");
const Visiting = @import("visiting.zig").Visiting;
const check = store.check;
const Error = store.Error;

/// Reads of one moment, and writes that are committed at once. One thread at a time uses a transaction. Bytes
/// that it returns are valid until it ends.
pub const Txn = struct {
    handle: *c.masstree_txn_t,

    /// What makes a commit error.Conflict, and `Store.transact` repeat it.
    pub const Isolation = enum(u32) {
        /// Something that it has read was changed, or a key was added to a range that it has scanned.
        serializable = c.MASSTREE_TXN_SERIALIZABLE,
        /// A key that it writes was changed.
        snapshot = c.MASSTREE_TXN_SNAPSHOT,
        /// Nothing. It cannot write.
        read_only = c.MASSTREE_TXN_READ_ONLY,
    };

    pub const Options = struct {
        isolation: Isolation = .serializable,
        /// What the commit waits for, if that is more than the store's level.
        level: store.Level = .memory,
        /// Of memory for what it has read and written; 0: 64 MiB.
        max_bytes: usize = 0,
        /// How often `Store.transact` runs it at most; 0: until it is committed.
        max_attempts: u32 = 0,

        pub fn toC(options: Options) c.masstree_txn_options_t {
            return .{
                .struct_size = @sizeOf(c.masstree_txn_options_t),
                .isolation = @backingInt(options.isolation),
                .level = @backingInt(options.level),
                .max_bytes = options.max_bytes,
                .max_attempts = options.max_attempts,
                .reserved = 0,
            };
        }
    };

    /// Changes nothing, unless it was committed.
    pub fn deinit(txn: Txn) void {
        c.masstree_txn_destroy(txn.handle);
    }

    pub fn commit(txn: Txn) Error!u64 {
        var number: u64 = undefined;
        try check(c.masstree_txn_commit(txn.handle, &number));
        return number;
    }

    /// Begins again, at a new moment.
    pub fn reset(txn: Txn) Error!void {
        try check(c.masstree_txn_reset(txn.handle));
    }

    /// A key because of which the last commit was refused.
    pub fn conflict(txn: Txn) ?[]const u8 {
        var key: ?*const anyopaque = null;
        var len: usize = undefined;
        const status = c.masstree_txn_conflict(txn.handle, null, &key, &len);
        return if (status == c.MASSTREE_OK) masstree.bytes(key, len) else null;
    }

    pub fn get(txn: Txn, tree: store.Tree, key: []const u8) Error!?store.Stored {
        var version: c.masstree_version_t = undefined;
        check(c.masstree_txn_get(txn.handle, tree.handle, key.ptr, key.len, &version)) catch |err|
            return if (err == error.NotFound) null else err;
        return store.stored(&version);
    }

    pub fn put(txn: Txn, tree: store.Tree, key: []const u8, value: []const u8) Error!void {
        try check(c.masstree_txn_put(txn.handle, tree.handle, key.ptr, key.len, value.ptr, value.len));
    }

    /// Stores a value under a key that does not exist; otherwise it is error.Exists.
    pub fn insert(txn: Txn, tree: store.Tree, key: []const u8, value: []const u8) Error!void {
        try check(c.masstree_txn_insert(txn.handle, tree.handle, key.ptr, key.len, value.ptr, value.len));
    }

    /// Removes a key; error.NotFound if it does not exist.
    pub fn remove(txn: Txn, tree: store.Tree, key: []const u8) Error!void {
        try check(c.masstree_txn_remove(txn.handle, tree.handle, key.ptr, key.len));
    }

    /// As `Tree.rename`.
    pub fn rename(txn: Txn, tree: store.Tree, from: []const u8, to: []const u8, force: bool) Error!void {
        const flags = store.renameFlags(force);
        try check(c.masstree_txn_rename(txn.handle, tree.handle, from.ptr, from.len, to.ptr, to.len, flags));
    }

    /// Opens a cursor, which must be closed before the transaction is.
    pub fn cursor(txn: Txn, tree: store.Tree) Error!Cursor {
        var handle: ?*c.masstree_txn_cursor_t = null;
        try check(c.masstree_txn_cursor_open(txn.handle, tree.handle, &handle));
        return .{ .handle = handle.? };
    }

    /// Calls `visit` for each key of a range, in order, until it returns false or an error, which `scan`
    /// returns. What was visited counts as read. `visit` may use the transaction.
    pub fn scan(
        txn: Txn,
        tree: store.Tree,
        range: masstree.Range,
        context: anytype,
        comptime visit: fn (@TypeOf(context), store.Entry) anyerror!bool,
    ) anyerror!void {
        const Call = Visiting(@TypeOf(context), store.Entry, visit);
        const Visitor = struct {
            fn run(
                key: ?*const anyopaque,
                key_len: usize,
                version: [*c]const c.masstree_version_t,
                ctx: ?*anyopaque,
            ) callconv(.c) i32 {
                return Call.see(ctx, .{ .key = masstree.bytes(key, key_len), .stored = store.stored(version) });
            }
        };
        var call: Call = .{ .context = context };
        const in = range.toC();
        try check(c.masstree_txn_scan(txn.handle, tree.handle, &in, Visitor.run, &call, null));
        if (call.failed) |err| return err;
    }
};

/// Moves from key to key of what a transaction reads, in either direction; each move sees what the transaction has
/// written by then. What it has passed counts as read. An entry's key is valid until the cursor moves; null
/// means that no further key exists, and the cursor does not move.
pub const Cursor = struct {
    handle: *c.masstree_txn_cursor_t,

    pub fn close(at: Cursor) void {
        c.masstree_txn_cursor_close(at.handle);
    }

    pub fn seek(at: Cursor, key: []const u8, how: masstree.Seek) Error!?store.Entry {
        return at.entry(c.masstree_txn_cursor_seek(at.handle, key.ptr, key.len, @backingInt(how)));
    }

    pub fn first(at: Cursor) Error!?store.Entry {
        return at.entry(c.masstree_txn_cursor_seek(at.handle, null, 0, c.MASSTREE_SEEK_FIRST));
    }

    pub fn last(at: Cursor) Error!?store.Entry {
        return at.entry(c.masstree_txn_cursor_seek(at.handle, null, 0, c.MASSTREE_SEEK_LAST));
    }

    /// At first, the first key.
    pub fn next(at: Cursor) Error!?store.Entry {
        return at.entry(c.masstree_txn_cursor_next(at.handle));
    }

    /// At first, the last key.
    pub fn prev(at: Cursor) Error!?store.Entry {
        return at.entry(c.masstree_txn_cursor_prev(at.handle));
    }

    fn entry(at: Cursor, status: i32) Error!?store.Entry {
        if (status == c.MASSTREE_END) return null;
        try check(status);
        var key: c.masstree_slice_t = undefined;
        var version: c.masstree_version_t = undefined;
        try check(c.masstree_txn_cursor_key(at.handle, &key));
        try check(c.masstree_txn_cursor_version(at.handle, &version));
        return .{ .key = masstree.bytes(key.data, key.len), .stored = store.stored(&version) };
    }
};
