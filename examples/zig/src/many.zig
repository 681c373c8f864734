//! Look-ups of many keys with one call.
const std = @import("std");
const c = @import("header");
const masstree = @import("masstree.zig");

/// Looks up keys with a function of C, which stores a `Found` for each; `valueOf` makes a value of it.
pub fn get(
    comptime function: anytype,
    comptime Found: type,
    comptime Value: type,
    comptime valueOf: fn (Found) Value,
    handle: *c.masstree_t,
    held: ?masstree.Guard,
    keys: []const []const u8,
    values: []?Value,
) masstree.Error!void {
    const chunk = 64;
    var slices: [chunk]c.masstree_slice_t = undefined;
    var found: [chunk]Found = undefined;
    var statuses: [chunk]i32 = undefined;
    std.debug.assert(keys.len == values.len);
    var done: usize = 0;
    while (done < keys.len) {
        const count = @min(chunk, keys.len - done);
        for (keys[done..][0..count], slices[0..count]) |key, *slice|
            slice.* = .{ .data = key.ptr, .len = key.len };
        _ = try masstree.check(function(handle, masstree.raw(held), &slices, count, &found, &statuses));
        for (values[done..][0..count], found[0..count], statuses[0..count]) |*value, one, status|
            value.* = if (status == c.MASSTREE_OK) valueOf(one) else null;
        done += count;
    }
}
