//! Nanoseconds for each look-up among 1,000,000 keys: in single calls with and without a
//! guard, and in batches.
const std = @import("std");
const masstree = @import("masstree");

const keys = 1_000_000;
const rounds = 3;

fn keyOf(i: usize) [8]u8 {
    return std.mem.toBytes(std.mem.nativeToBig(u64, @as(u64, i) *% 0x9e3779b97f4a7c15));
}

fn single(tree: masstree.Tree, held: ?masstree.Guard) !void {
    for (0..keys) |i| if (try tree.get(held, &keyOf(i)) == null) return error.Lost;
}

fn batched(tree: masstree.Tree, held: ?masstree.Guard) !void {
    const size = 64;
    var text: [size][8]u8 = undefined;
    var batch: [size][]const u8 = undefined;
    var values: [size]?u64 = undefined;
    for (&batch, &text) |*key, *at| key.* = at;
    var done: usize = 0;
    while (done < keys) : (done += size) {
        for (&text, 0..) |*key, i| key.* = keyOf((done + i) % keys);
        try tree.getMany(held, &batch, &values);
        for (values) |value| if (value == null) return error.Lost;
    }
}

fn measure(
    io: std.Io,
    name: []const u8,
    tree: masstree.Tree,
    held: ?masstree.Guard,
    comptime run: fn (masstree.Tree, ?masstree.Guard) anyerror!void,
) !void {
    var best: i96 = std.math.maxInt(i96);
    for (0..rounds) |_| {
        const start = std.Io.Clock.now(.awake, io);
        try run(tree, held);
        best = @min(best, start.durationTo(std.Io.Clock.now(.awake, io)).nanoseconds);
    }
    std.debug.print("{s}: {d} ns\n", .{ name, @divTrunc(best, keys) });
}

pub fn main(init: std.process.Init) !void {
    const tree: masstree.Tree = try .init(.{});
    defer tree.deinit();
    for (0..keys) |i| try tree.put(null, &keyOf(i), i);
    const guard = try tree.guard();
    defer guard.leave();
    try measure(init.io, "get", tree, null, single);
    try measure(init.io, "get under a guard", tree, guard, single);
    try measure(init.io, "getMany of 64 keys", tree, guard, batched);
}
