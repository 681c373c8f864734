//! An ordered map from byte strings to 64-bit words, which any number of threads use
//! concurrently, without locks for readers: libmasstree. `BytesTree` is one of byte strings, `Store` a
//! durable one.
//!
//! A missing key is null, a failure is an error. Operations take a guard, or null to pin
//! for the call.
const std = @import("std");
const c = @import("header");
const stores = @import("store.zig");
const parallel = @import("parallel.zig");
const many = @import("many.zig");
const cursors = @import("cursor.zig");
const Visiting = @import("visiting.zig").Visiting;

pub const BytesTree = @import("bytes.zig").Tree;
pub const BytesEntry = @import("bytes.zig").Entry;
pub const BytesDecision = @import("bytes.zig").Decision;
pub const BytesCursor = @import("bytes.zig").Cursor;
pub const Seek = cursors.Seek;
pub const Store = stores.Store;
pub const StoreTree = stores.Tree;
pub const StoreError = stores.Error;
pub const StoreFailure = stores.Failure;
pub const StoreEntry = stores.Entry;
pub const Stored = stores.Stored;
pub const Listed = stores.Listed;
pub const Level = stores.Level;
pub const WriteBatch = @import("batch.zig").Batch;
pub const Imported = stores.Imported;
pub const Txn = @import("txn.zig").Txn;
pub const TxnCursor = @import("txn.zig").Cursor;
pub const Snapshot = @import("snapshot.zig").Snapshot;
pub const OpenSnapshot = @import("snapshot.zig").Open;
pub const Changes = @import("changes.zig").Changes;
pub const Change = @import("changes.zig").Change;

pub const Error = error{
    /// Out of memory; the tree is as it was before the call.
    OutOfMemory,
    /// A key is over 2^32 - 1 bytes.
    KeyTooLong,
    /// The guard belongs to another tree.
    WrongTree,
    /// The tree was made before a fork.
    Forked,
    /// Tree.check found a violated invariant.
    Corrupt,
    /// A lower bound above the upper one, or a library of an incompatible version.
    Invalid,
};

/// Whether the status is MASSTREE_OK (0), or another answer (positive).
pub fn check(status: i32) Error!bool {
    if (status >= 0) return status == c.MASSTREE_OK;
    return switch (status) {
        c.MASSTREE_NOMEM => error.OutOfMemory,
        c.MASSTREE_KEY_TOO_LONG => error.KeyTooLong,
        c.MASSTREE_WRONG_TREE => error.WrongTree,
        c.MASSTREE_FORKED => error.Forked,
        c.MASSTREE_CORRUPT => error.Corrupt,
        else => error.Invalid,
    };
}

pub fn bytes(data: ?*const anyopaque, len: usize) []const u8 {
    const first: [*]const u8 = @ptrCast(data);
    return first[0..len];
}

pub const Entry = struct { key: []const u8, value: u64 };

/// The result of the function of an update.
pub const Decision = union(enum) { keep, set: u64, remove };

/// Keys k with `lower` <= k < `upper` that begin with `prefix`. The default is every key.
pub const Range = struct {
    lower: ?[]const u8 = null,
    /// In place of the bound where the scan begins: only what follows this.
    after: ?[]const u8 = null,
    upper: ?[]const u8 = null,
    prefix: []const u8 = "",
    reverse: bool = false,
    /// The maximum number of keys to visit; 0: no limit.
    limit: usize = 0,

    pub fn toC(range: Range) c.masstree_range_t {
        var in = std.mem.zeroes(c.masstree_range_t);
        in.struct_size = @sizeOf(c.masstree_range_t);
        if (range.lower) |lower| {
            in.lower = lower.ptr;
            in.lower_len = lower.len;
            in.lower_bound = c.MASSTREE_BOUND_INCLUSIVE;
        }
        if (range.upper) |upper| {
            in.upper = upper.ptr;
            in.upper_len = upper.len;
            in.upper_bound = c.MASSTREE_BOUND_EXCLUSIVE;
        }
        if (range.after) |after| {
            if (range.reverse) {
                in.upper = after.ptr;
                in.upper_len = after.len;
                in.upper_bound = c.MASSTREE_BOUND_EXCLUSIVE;
            } else {
                in.lower = after.ptr;
                in.lower_len = after.len;
                in.lower_bound = c.MASSTREE_BOUND_EXCLUSIVE;
            }
        }
        in.prefix = range.prefix.ptr;
        in.prefix_len = range.prefix.len;
        in.limit = range.limit;
        in.flags = if (range.reverse) c.MASSTREE_SCAN_REVERSE else 0;
        return in;
    }
};

/// The visitor that C calls.
fn Visitor(comptime Call: type) type {
    return struct {
        fn run(key: ?*const anyopaque, key_len: usize, value: u64, ctx: ?*anyopaque) callconv(.c) i32 {
            return Call.see(ctx, .{ .key = bytes(key, key_len), .value = value });
        }
    };
}

pub const PopError = Error || error{NoRoom};

/// Calls a pop of C, which stores the value; returns the key.
pub fn popKey(
    comptime function: anytype,
    handle: *c.masstree_t,
    held: ?Guard,
    range: Range,
    room: []u8,
    value: anytype,
) PopError!?[]const u8 {
    const in = range.toC();
    var length: usize = undefined;
    const status = function(handle, raw(held), &in, room.ptr, room.len, &length, value);
    if (status == c.MASSTREE_TOO_SMALL) return error.NoRoom;
    return if (try check(status)) room[0..length] else null;
}

pub const Tree = struct {
    handle: *c.masstree_t,

    pub const Options = struct {
        /// Supplies all memory except the lists of memory reclamation; null: malloc. It must
        /// be thread-safe and, like the object that the pointer refers to, outlive the tree.
        allocator: ?*const std.mem.Allocator = null,
    };

    pub fn init(options: Options) Error!Tree {
        return .{ .handle = try create(options, c.MASSTREE_VALUES_WORDS) };
    }

    pub fn create(options: Options, kind: u32) Error!*c.masstree_t {
        var in = std.mem.zeroes(c.masstree_options_t);
        in.struct_size = @sizeOf(c.masstree_options_t);
        in.value_kind = kind;
        if (options.allocator) |allocator| {
            in.alloc = allocate;
            in.free = free;
            in.alloc_ctx = @constCast(allocator);
        }
        var handle: ?*c.masstree_t = null;
        _ = try check(c.masstree_create(&in, &handle));
        return handle.?;
    }

    /// No other thread may use the tree any more; leave every guard and cursor before.
    pub fn deinit(tree: Tree) void {
        c.masstree_destroy(tree.handle);
    }

    /// A guard protects memory that is read under it, and makes calls cheaper.
    pub fn guard(tree: Tree) Error!Guard {
        var handle: ?*c.masstree_guard_t = null;
        _ = try check(c.masstree_guard_enter(tree.handle, &handle));
        return .{ .handle = handle.? };
    }

    pub fn get(tree: Tree, held: ?Guard, key: []const u8) Error!?u64 {
        var value: u64 = undefined;
        const found = try check(c.masstree_get(tree.handle, raw(held), key.ptr, key.len, &value));
        return if (found) value else null;
    }

    /// The longest key that is a prefix of the given one; it is part of `key`.
    pub fn longestPrefix(tree: Tree, held: ?Guard, key: []const u8) Error!?Entry {
        var length: usize = undefined;
        var value: u64 = undefined;
        const status = c.masstree_longest_prefix(tree.handle, raw(held), key.ptr, key.len, &length, &value);
        return if (try check(status)) .{ .key = key[0..length], .value = value } else null;
    }

    /// Looks up many keys with one call into the library, interleaved; `values` is as
    /// long as `keys`.
    pub fn getMany(tree: Tree, held: ?Guard, keys: []const []const u8, values: []?u64) Error!void {
        const Word = struct {
            fn same(word: u64) u64 {
                return word;
            }
        };
        return many.get(c.masstree_get_many, u64, u64, Word.same, tree.handle, held, keys, values);
    }

    /// Stores a value, whether the key exists or not.
    pub fn put(tree: Tree, held: ?Guard, key: []const u8, value: u64) Error!void {
        _ = try check(c.masstree_put(tree.handle, raw(held), key.ptr, key.len, value));
    }

    /// Stores a value, and returns the previous one.
    pub fn swap(tree: Tree, held: ?Guard, key: []const u8, value: u64) Error!?u64 {
        var old: u64 = value;
        const status = c.masstree_exchange(tree.handle, raw(held), key.ptr, key.len, value, &old);
        // Nothing is displaced if the key already had this value.
        const there = try check(status) or status == c.MASSTREE_EXISTS;
        return if (there) old else null;
    }

    /// Stores a value if the key does not exist; otherwise returns the existing value.
    pub fn insert(tree: Tree, held: ?Guard, key: []const u8, value: u64) Error!?u64 {
        var present: u64 = undefined;
        const done = try check(c.masstree_insert(tree.handle, raw(held), key.ptr, key.len, value, &present));
        return if (done) null else present;
    }

    /// Removes the key, and returns its value.
    pub fn remove(tree: Tree, held: ?Guard, key: []const u8) Error!?u64 {
        var old: u64 = undefined;
        const there = try check(c.masstree_remove(tree.handle, raw(held), key.ptr, key.len, &old));
        return if (there) old else null;
    }

    /// Removes the smallest key of a range, and returns it with its value; the key is in `room`. Each key
    /// goes to exactly one caller. `error.NoRoom`: the key is longer than `room`, and stays.
    pub fn popFirst(tree: Tree, held: ?Guard, range: Range, room: []u8) PopError!?Entry {
        return tree.pop(c.masstree_pop_first, held, range, room);
    }

    /// Like `popFirst`, for the greatest key.
    pub fn popLast(tree: Tree, held: ?Guard, range: Range, room: []u8) PopError!?Entry {
        return tree.pop(c.masstree_pop_last, held, range, room);
    }

    fn pop(tree: Tree, comptime function: anytype, held: ?Guard, range: Range, room: []u8) PopError!?Entry {
        var value: u64 = undefined;
        const key = try popKey(function, tree.handle, held, range, room, &value) orelse return null;
        return .{ .key = key, .value = value };
    }

    /// Removes the keys of a range, whole leaves at a time, at most `range.limit`, and returns their
    /// number. Not atomic as a whole: a key that is stored meanwhile may stay. After
    /// `error.OutOfMemory`, another call goes on.
    pub fn removeRange(tree: Tree, held: ?Guard, range: Range) Error!usize {
        const in = range.toC();
        var removed: usize = undefined;
        _ = try check(c.masstree_remove_range(tree.handle, raw(held), &in, &removed));
        return removed;
    }

    /// Adds to the value of a key, modulo 2^64, or stores the number if the key is absent; returns the new
    /// value.
    pub fn add(tree: Tree, held: ?Guard, key: []const u8, more: u64) Error!u64 {
        var sum: u64 = undefined;
        _ = try check(c.masstree_add(tree.handle, raw(held), key.ptr, key.len, more, &sum));
        return sum;
    }

    /// Calls `visit` for each of `count` keys that are drawn at random, as `scan` does; `state` is any
    /// number at first, and each call advances it.
    pub fn sample(
        tree: Tree,
        held: ?Guard,
        state: *u64,
        count: usize,
        context: anytype,
        comptime visit: fn (@TypeOf(context), Entry) anyerror!bool,
    ) anyerror!void {
        const Call = Visiting(@TypeOf(context), Entry, visit);
        var call: Call = .{ .context = context };
        _ = try check(c.masstree_sample(tree.handle, raw(held), state, count, Visitor(Call).run, &call, null));
        if (call.failed) |err| return err;
    }

    /// Changes a key atomically as `decide` decides from its value, or its absence; returns
    /// the previous value. `decide` runs under a lock: it must be quick, and not use the
    /// tree.
    pub fn update(
        tree: Tree,
        held: ?Guard,
        key: []const u8,
        context: anytype,
        comptime decide: fn (@TypeOf(context), ?u64) Decision,
    ) Error!?u64 {
        const Call = struct {
            context: @TypeOf(context),
            present: ?u64 = null,

            fn run(present: [*c]const u64, value: [*c]u64, ctx: ?*anyopaque) callconv(.c) i32 {
                const call: *@This() = @ptrCast(@alignCast(ctx));
                call.present = if (present) |at| at.* else null;
                switch (decide(call.context, call.present)) {
                    .keep => return c.MASSTREE_ACTION_KEEP,
                    .remove => return c.MASSTREE_ACTION_REMOVE,
                    .set => |new| value.* = new,
                }
                return c.MASSTREE_ACTION_SET;
            }
        };
        var call: Call = .{ .context = context };
        const status = c.masstree_update(tree.handle, raw(held), key.ptr, key.len, Call.run, &call, null);
        _ = try check(status);
        return call.present;
    }

    /// Calls `visit` for each key of a range, in order, until it returns false or an
    /// error, which `scan` returns. The key's bytes are valid during the call.
    pub fn scan(
        tree: Tree,
        held: ?Guard,
        range: Range,
        context: anytype,
        comptime visit: fn (@TypeOf(context), Entry) anyerror!bool,
    ) anyerror!void {
        const Call = Visiting(@TypeOf(context), Entry, visit);
        var call: Call = .{ .context = context };
        const in = range.toC();
        _ = try check(c.masstree_scan(tree.handle, raw(held), &in, Visitor(Call).run, &call, null));
        if (call.failed) |err| return err;
    }

    /// Calls `visit` for each key, by at most `threads` threads, of which the caller's is one. Each visits a
    /// part of the tree, in order; the number of the part is passed to `visit`. False ends the part, an error
    /// the other parts, too, and is returned when all threads have ended. `allocator` is used by the
    /// caller's thread only.
    pub fn scanParallel(
        tree: Tree,
        allocator: std.mem.Allocator,
        threads: usize,
        context: anytype,
        comptime visit: fn (@TypeOf(context), usize, Entry) anyerror!bool,
    ) anyerror!void {
        const Scan = parallel.Scan(Tree, Entry, @TypeOf(context), visit);
        return Scan.of(tree, allocator, threads, context);
    }

    /// Opens a cursor, with its own guard if `guard` is null.
    pub fn cursor(tree: Tree, held: ?Guard) Error!Cursor {
        return .open(tree.handle, held);
    }

    /// The number of keys; while threads write, an approximation.
    pub fn len(tree: Tree) Error!u64 {
        var count: u64 = undefined;
        _ = try check(c.masstree_len(tree.handle, &count));
        return count;
    }

    /// Verifies every node, while no thread writes to the tree.
    pub fn verify(tree: Tree) Error!void {
        _ = try check(c.masstree_check(tree.handle, null, null, null));
    }
};

/// One thread at a time uses a guard, but not necessarily the same one.
pub const Guard = struct {
    handle: *c.masstree_guard_t,

    pub fn leave(held: Guard) void {
        c.masstree_guard_leave(held.handle);
    }

    /// Ends the protection of everything read so far. Displaced memory waits for each guard.
    pub fn refresh(held: Guard) void {
        c.masstree_guard_refresh(held.handle);
    }
};

pub fn raw(held: ?Guard) ?*c.masstree_guard_t {
    return if (held) |some| some.handle else null;
}

/// Reads the value at a cursor.
fn wordAt(cursor: *c.masstree_cursor_t) Error!u64 {
    var value: u64 = undefined;
    _ = try check(c.masstree_cursor_value(cursor, &value));
    return value;
}

pub const Cursor = cursors.Cursor(Entry, wordAt);

fn allocate(size: usize, alignment: usize, ctx: ?*anyopaque) callconv(.c) ?*anyopaque {
    const allocator: *const std.mem.Allocator = @ptrCast(@alignCast(ctx));
    return allocator.rawAlloc(size, .fromByteUnits(alignment), @returnAddress());
}

fn free(memory: ?*anyopaque, size: usize, alignment: usize, ctx: ?*anyopaque) callconv(.c) void {
    const allocator: *const std.mem.Allocator = @ptrCast(@alignCast(ctx));
    const start: [*]u8 = @ptrCast(memory);
    allocator.rawFree(start[0..size], .fromByteUnits(alignment), @returnAddress());
}
