//! Cursors over trees of words and of byte strings.
const c = @import("header");
const masstree = @import("masstree.zig");
const Error = masstree.Error;
const check = masstree.check;

pub const Seek = enum(u32) {
    ge = c.MASSTREE_SEEK_GE,
    gt = c.MASSTREE_SEEK_GT,
    le = c.MASSTREE_SEEK_LE,
    lt = c.MASSTREE_SEEK_LT,
};

/// Moves from key to key, in either direction. An entry is valid until the cursor moves; null means that no further
/// key exists, and the cursor does not move.
pub fn Cursor(comptime Entry: type, comptime valueOf: fn (*c.masstree_cursor_t) Error!@FieldType(Entry, "value")) type {
    return struct {
        handle: *c.masstree_cursor_t,

        const At = @This();

        pub fn open(tree: *c.masstree_t, held: ?masstree.Guard) Error!At {
            var handle: ?*c.masstree_cursor_t = null;
            _ = try check(c.masstree_cursor_open(tree, masstree.raw(held), &handle));
            return .{ .handle = handle.? };
        }

        pub fn close(at: At) void {
            c.masstree_cursor_close(at.handle);
        }

        pub fn seek(at: At, key: []const u8, how: Seek) Error!?Entry {
            return at.entry(c.masstree_cursor_seek(at.handle, key.ptr, key.len, @backingInt(how)));
        }

        pub fn first(at: At) Error!?Entry {
            return at.entry(c.masstree_cursor_first(at.handle));
        }

        pub fn last(at: At) Error!?Entry {
            return at.entry(c.masstree_cursor_last(at.handle));
        }

        pub fn next(at: At) Error!?Entry {
            return at.entry(c.masstree_cursor_next(at.handle));
        }

        pub fn prev(at: At) Error!?Entry {
            return at.entry(c.masstree_cursor_prev(at.handle));
        }

        fn entry(at: At, status: i32) Error!?Entry {
            if (!try check(status)) return null;
            var key: c.masstree_slice_t = undefined;
            _ = try check(c.masstree_cursor_key(at.handle, &key));
            return .{ .key = masstree.bytes(key.data, key.len), .value = try valueOf(at.handle) };
        }
    };
}
