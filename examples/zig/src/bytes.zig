//! Trees of byte strings.
const std = @import("std");
const c = @import("header");
const masstree = @import("masstree.zig");
const parallel = @import("parallel.zig");
const many = @import("many.zig");
const Visiting = @import("visiting.zig").Visiting;
const Error = masstree.Error;
const Guard = masstree.Guard;
const check = masstree.check;
const raw = masstree.raw;

pub const Entry = struct { key: []const u8, value: []const u8 };

/// The result of the function of an update.
pub const Decision = union(enum) { keep, set: []const u8, remove };

fn bytesOf(slice: c.masstree_slice_t) []const u8 {
    return masstree.bytes(slice.data, slice.len);
}

/// Reads the value at a cursor.
fn stringAt(cursor: *c.masstree_cursor_t) Error![]const u8 {
    var value: c.masstree_slice_t = undefined;
    _ = try check(c.masstree_cursor_value_bytes(cursor, &value));
    return bytesOf(value);
}

pub const Cursor = @import("cursor.zig").Cursor(Entry, stringAt);

/// The visitor that C calls.
fn Visitor(comptime Call: type) type {
    return struct {
        fn run(
            key: ?*const anyopaque,
            key_len: usize,
            value: ?*const anyopaque,
            value_len: usize,
            ctx: ?*anyopaque,
        ) callconv(.c) i32 {
            return Call.see(ctx, .{ .key = masstree.bytes(key, key_len), .value = masstree.bytes(value, value_len) });
        }
    };
}

/// An ordered map from byte strings to byte strings, in memory. The tree copies keys and values.
pub const Tree = struct {
    handle: *c.masstree_t,

    pub fn init(options: masstree.Tree.Options) Error!Tree {
        return .{ .handle = try masstree.Tree.create(options, c.MASSTREE_VALUES_BYTES) };
    }

    /// No other thread may use the tree any more; leave every guard before.
    pub fn deinit(tree: Tree) void {
        c.masstree_destroy(tree.handle);
    }

    /// Values are readable until the guard under which they were read is refreshed or left.
    pub fn guard(tree: Tree) Error!Guard {
        return tree.words().guard();
    }

    pub fn get(tree: Tree, held: Guard, key: []const u8) Error!?[]const u8 {
        var value: c.masstree_slice_t = undefined;
        const found = try check(c.masstree_get_bytes(tree.handle, held.handle, key.ptr, key.len, &value));
        return if (found) bytesOf(value) else null;
    }

    /// As `masstree.Tree.getMany`.
    pub fn getMany(tree: Tree, held: Guard, keys: []const []const u8, values: []?[]const u8) Error!void {
        const Slice = c.masstree_slice_t;
        return many.get(c.masstree_get_many_bytes, Slice, []const u8, bytesOf, tree.handle, held, keys, values);
    }

    /// The longest key that is a prefix of the given one; it is part of `key`.
    pub fn longestPrefix(tree: Tree, held: Guard, key: []const u8) Error!?Entry {
        var length: usize = undefined;
        var value: c.masstree_slice_t = undefined;
        const function = c.masstree_longest_prefix_bytes;
        const found = try check(function(tree.handle, held.handle, key.ptr, key.len, &length, &value));
        return if (found) .{ .key = key[0..length], .value = bytesOf(value) } else null;
    }

    /// Stores a value, whether the key exists or not.
    pub fn put(tree: Tree, held: ?Guard, key: []const u8, value: []const u8) Error!void {
        _ = try check(c.masstree_put_bytes(tree.handle, raw(held), key.ptr, key.len, value.ptr, value.len));
    }

    /// Stores a value, and returns the previous one.
    pub fn swap(tree: Tree, held: Guard, key: []const u8, value: []const u8) Error!?[]const u8 {
        var old: c.masstree_slice_t = undefined;
        const function = c.masstree_exchange_bytes;
        const there = try check(function(tree.handle, held.handle, key.ptr, key.len, value.ptr, value.len, &old));
        return if (there) bytesOf(old) else null;
    }

    /// Stores a value if the key does not exist; otherwise returns the existing value.
    pub fn insert(tree: Tree, held: Guard, key: []const u8, value: []const u8) Error!?[]const u8 {
        var present: c.masstree_slice_t = undefined;
        const function = c.masstree_insert_bytes;
        const done = try check(function(tree.handle, held.handle, key.ptr, key.len, value.ptr, value.len, &present));
        return if (done) null else bytesOf(present);
    }

    /// Removes the key, and returns its value.
    pub fn take(tree: Tree, held: Guard, key: []const u8) Error!?[]const u8 {
        var old: c.masstree_slice_t = undefined;
        const there = try check(c.masstree_remove_bytes(tree.handle, held.handle, key.ptr, key.len, &old));
        return if (there) bytesOf(old) else null;
    }

    /// Removes the key; returns whether it was there.
    pub fn remove(tree: Tree, held: ?Guard, key: []const u8) Error!bool {
        return check(c.masstree_remove_bytes(tree.handle, raw(held), key.ptr, key.len, null));
    }

    /// As `masstree.Tree.popFirst`.
    pub fn popFirst(tree: Tree, held: Guard, range: masstree.Range, room: []u8) masstree.PopError!?Entry {
        return tree.pop(c.masstree_pop_first_bytes, held, range, room);
    }

    /// As `masstree.Tree.popLast`.
    pub fn popLast(tree: Tree, held: Guard, range: masstree.Range, room: []u8) masstree.PopError!?Entry {
        return tree.pop(c.masstree_pop_last_bytes, held, range, room);
    }

    fn pop(
        tree: Tree,
        comptime function: anytype,
        held: Guard,
        range: masstree.Range,
        room: []u8,
    ) masstree.PopError!?Entry {
        var value: c.masstree_slice_t = undefined;
        const key = try masstree.popKey(function, tree.handle, held, range, room, &value) orelse return null;
        return .{ .key = key, .value = bytesOf(value) };
    }

    /// As `masstree.Tree.removeRange`.
    pub fn removeRange(tree: Tree, held: ?Guard, range: masstree.Range) Error!usize {
        return tree.words().removeRange(held, range);
    }

    /// Appends bytes to the value of a key, or stores them if the key is absent; returns the length of the
    /// new value. Of several threads that append to one key, each one's bytes are in the value once, in one piece.
    pub fn append(tree: Tree, held: ?Guard, key: []const u8, more: []const u8) Error!usize {
        var length: usize = undefined;
        const handle = tree.handle;
        _ = try check(c.masstree_append_bytes(handle, raw(held), key.ptr, key.len, more.ptr, more.len, &length));
        return length;
    }

    /// Changes a key atomically as `decide` decides from its value, or its absence; an error changes nothing,
    /// and is returned. No lock is held, so `decide` may use the tree; it is called again if another thread
    /// has changed the key meanwhile. The bytes that it returns must stay unchanged until then, or until
    /// `update` returns.
    pub fn update(
        tree: Tree,
        held: ?Guard,
        key: []const u8,
        context: anytype,
        comptime decide: fn (@TypeOf(context), ?[]const u8) anyerror!Decision,
    ) anyerror!void {
        const Call = struct {
            context: @TypeOf(context),
            failed: ?anyerror = null,

            fn run(present: [*c]const c.masstree_slice_t, value: [*c]c.masstree_slice_t, ctx: ?*anyopaque) callconv(.c) i32 {
                const call: *@This() = @ptrCast(@alignCast(ctx));
                const decision = decide(call.context, if (present) |at| bytesOf(at.*) else null) catch |err| {
                    call.failed = err;
                    return c.MASSTREE_ACTION_KEEP;
                };
                switch (decision) {
                    .keep => return c.MASSTREE_ACTION_KEEP,
                    .remove => return c.MASSTREE_ACTION_REMOVE,
                    .set => |new| value.* = .{ .data = new.ptr, .len = new.len },
                }
                return c.MASSTREE_ACTION_SET;
            }
        };
        var call: Call = .{ .context = context };
        const status = c.masstree_update_bytes(tree.handle, raw(held), key.ptr, key.len, Call.run, &call, null);
        _ = try check(status);
        if (call.failed) |err| return err;
    }

    /// As `masstree.Tree.sample`.
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
        _ = try check(c.masstree_sample_bytes(tree.handle, raw(held), state, count, Visitor(Call).run, &call, null));
        if (call.failed) |err| return err;
    }

    /// Calls `visit` for each key of a range, in order, until it returns false or an error, which `scan`
    /// returns. The bytes of key and value are valid during the call.
    pub fn scan(
        tree: Tree,
        held: ?Guard,
        range: masstree.Range,
        context: anytype,
        comptime visit: fn (@TypeOf(context), Entry) anyerror!bool,
    ) anyerror!void {
        const Call = Visiting(@TypeOf(context), Entry, visit);
        var call: Call = .{ .context = context };
        const in = range.toC();
        _ = try check(c.masstree_scan_bytes(tree.handle, raw(held), &in, Visitor(Call).run, &call, null));
        if (call.failed) |err| return err;
    }

    /// As `masstree.Tree.scanParallel`.
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

    /// As `masstree.Tree.cursor`.
    pub fn cursor(tree: Tree, held: ?Guard) Error!Cursor {
        return .open(tree.handle, held);
    }

    /// The number of keys; while threads write, an approximation.
    pub fn len(tree: Tree) Error!u64 {
        return tree.words().len();
    }

    /// As `masstree.Tree.verify`.
    pub fn verify(tree: Tree) Error!void {
        return tree.words().verify();
    }

    /// For what does not depend on the values.
    fn words(tree: Tree) masstree.Tree {
        return .{ .handle = tree.handle };
    }
};
