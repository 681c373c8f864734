const std = @import("std");
const masstree = @import("masstree");
const testing = std.testing;
const Tree = masstree.Tree;

test {
    _ = @import("bytes_tests.zig");
    _ = @import("store_tests.zig");
    _ = @import("changes_tests.zig");
    _ = @import("snapshot_tests.zig");
}

/// A tree whose memory the testing allocator counts.
fn counted() !Tree {
    return .init(.{ .allocator = &testing.allocator });
}

test "operations answer values, absence and presence" {
    const tree = try counted();
    defer tree.deinit();
    try testing.expectEqual(null, try tree.get(null, "key"));
    try tree.put(null, "key", 1);
    try testing.expectEqual(1, try tree.get(null, "key"));
    try testing.expectEqual(1, try tree.insert(null, "key", 2));
    try testing.expectEqual(null, try tree.insert(null, "", 0));
    try testing.expectEqual(1, try tree.swap(null, "key", 3));
    try testing.expectEqual(null, try tree.swap(null, "other", 4));
    try testing.expectEqual(3, try tree.remove(null, "key"));
    try testing.expectEqual(null, try tree.remove(null, "key"));
    try testing.expectEqual(2, try tree.len());
    try tree.verify();
}

fn countEntry(met: *u64, entry: masstree.Entry) anyerror!bool {
    try testing.expectEqualStrings("key", entry.key);
    met.* += entry.value;
    return true;
}

test "sums and samples" {
    const tree = try counted();
    defer tree.deinit();
    try testing.expectEqual(5, try tree.add(null, "key", 5));
    try testing.expectEqual(7, try tree.add(null, "key", 2));
    var state: u64 = 1;
    var met: u64 = 0;
    try tree.sample(null, &state, 3, &met, countEntry);
    try testing.expectEqual(21, met);
}

test "the longest prefix" {
    const tree = try counted();
    defer tree.deinit();
    try testing.expectEqual(null, try tree.longestPrefix(null, "10.20.30"));
    try tree.put(null, "10.", 1);
    try tree.put(null, "10.20.", 2);
    const found = (try tree.longestPrefix(null, "10.20.30")).?;
    try testing.expectEqualStrings("10.20.", found.key);
    try testing.expectEqual(2, found.value);
}

test "a guard of another tree is an error" {
    const tree = try counted();
    defer tree.deinit();
    const other = try counted();
    defer other.deinit();
    const guard = try other.guard();
    defer guard.leave();
    try testing.expectError(error.WrongTree, tree.get(guard, "key"));
    guard.refresh();
    try other.put(guard, "key", 1);
}

test "batches of any size find what single calls find" {
    const tree = try counted();
    defer tree.deinit();
    var text: [200][8]u8 = undefined;
    var keys: [200][]const u8 = undefined;
    var values: [200]?u64 = undefined;
    for (&text, &keys, 0..) |*buffer, *key, i| {
        key.* = try std.fmt.bufPrint(buffer, "{d}", .{i});
        if (i % 3 != 0) try tree.put(null, key.*, i);
    }
    for (0..keys.len + 1) |count| {
        try tree.getMany(null, keys[0..count], values[0..count]);
        for (values[0..count], 0..) |value, i|
            try testing.expectEqual(if (i % 3 != 0) i else null, value);
    }
}

/// Sorted keys that share prefixes; the tree maps each to its index.
fn fill(tree: Tree, arena: std.mem.Allocator) ![]const []const u8 {
    var random: std.Random.DefaultPrng = .init(testing.random_seed);
    var made: std.ArrayList([]const u8) = .empty;
    while (made.items.len < 1000) {
        const key = try arena.alloc(u8, random.random().uintLessThan(usize, 20));
        for (key) |*byte| byte.* = "\x00ab\xff"[random.random().uintLessThan(usize, 4)];
        if (try tree.insert(null, key, 0) == null) try made.append(arena, key);
    }
    std.mem.sort([]const u8, made.items, {}, lessThan);
    for (made.items, 0..) |key, i| try tree.put(null, key, i);
    return made.items;
}

fn lessThan(_: void, a: []const u8, b: []const u8) bool {
    return std.mem.order(u8, a, b) == .lt;
}

fn within(range: masstree.Range, key: []const u8) bool {
    if (range.lower) |lower| if (lessThan({}, key, lower)) return false;
    if (range.upper) |upper| if (!lessThan({}, key, upper)) return false;
    return std.mem.startsWith(u8, key, range.prefix);
}

const Collected = struct {
    keys: std.ArrayList(u64) = .empty,
    arena: std.mem.Allocator,

    fn visit(collected: *Collected, entry: masstree.Entry) anyerror!bool {
        try collected.keys.append(collected.arena, entry.value);
        return true;
    }
};

test "scans visit exactly the range, both ways" {
    const tree = try counted();
    defer tree.deinit();
    var arena: std.heap.ArenaAllocator = .init(testing.allocator);
    defer arena.deinit();
    const keys = try fill(tree, arena.allocator());
    var random: std.Random.DefaultPrng = .init(testing.random_seed);
    for (0..300) |round| {
        const a = random.random().uintLessThan(usize, keys.len);
        const b = random.random().uintLessThan(usize, keys.len);
        const range: masstree.Range = .{
            .lower = if (round % 3 == 0) null else keys[@min(a, b)],
            .upper = if (round % 5 == 0) null else keys[@max(a, b)],
            .prefix = if (round % 7 == 0) keys[a][0..@min(2, keys[a].len)] else "",
            .reverse = round % 2 == 0,
        };
        var want: std.ArrayList(u64) = .empty;
        for (keys, 0..) |key, i| if (within(range, key)) try want.append(arena.allocator(), i);
        if (range.reverse) std.mem.reverse(u64, want.items);
        var got: Collected = .{ .arena = arena.allocator() };
        try tree.scan(null, range, &got, Collected.visit);
        try testing.expectEqualSlices(u64, want.items, got.keys.items);
    }
}

fn stopAtThird(seen: *usize, _: masstree.Entry) anyerror!bool {
    seen.* += 1;
    return seen.* < 3;
}

fn failAtOnce(_: void, _: masstree.Entry) anyerror!bool {
    return error.Enough;
}

test "a visitor ends its scan, or fails it" {
    const tree = try counted();
    defer tree.deinit();
    for (0..10) |i| try tree.put(null, &.{@intCast(i)}, i);
    var seen: usize = 0;
    try tree.scan(null, .{}, &seen, stopAtThird);
    try testing.expectEqual(3, seen);
    try testing.expectError(error.Enough, tree.scan(null, .{}, {}, failAtOnce));
    try testing.expectError(error.Invalid, tree.scan(null, .{ .lower = "b", .upper = "a" }, {}, failAtOnce));
}

test "cursors go both ways and seek" {
    const tree = try counted();
    defer tree.deinit();
    for ("bdf", 0..) |letter, i| try tree.put(null, &.{letter}, i);
    const guard = try tree.guard();
    defer guard.leave();
    for ([_]?masstree.Guard{ null, guard }) |held| {
        const cursor = try tree.cursor(held);
        defer cursor.close();
        try testing.expectEqualStrings("b", (try cursor.next()).?.key);
        try testing.expectEqual(1, (try cursor.next()).?.value);
        try testing.expectEqualStrings("b", (try cursor.prev()).?.key);
        try testing.expectEqual(null, try cursor.prev());
        try testing.expectEqualStrings("f", (try cursor.last()).?.key);
        try testing.expectEqual(null, try cursor.next());
        try testing.expectEqualStrings("b", (try cursor.first()).?.key);
        try testing.expectEqualStrings("d", (try cursor.seek("c", .ge)).?.key);
        try testing.expectEqualStrings("f", (try cursor.seek("d", .gt)).?.key);
        try testing.expectEqualStrings("d", (try cursor.seek("d", .le)).?.key);
        try testing.expectEqualStrings("b", (try cursor.seek("d", .lt)).?.key);
        try testing.expectEqual(null, try cursor.seek("b", .lt));
    }
}

fn add(amount: u64, present: ?u64) masstree.Decision {
    return .{ .set = (present orelse 0) + amount };
}

fn removeOdd(_: void, present: ?u64) masstree.Decision {
    return if ((present orelse 0) % 2 == 1) .remove else .keep;
}

test "pops take the ends of a range, and ranges are removed" {
    const tree = try Tree.init(.{});
    defer tree.deinit();
    for ([_][]const u8{ "a", "b", "bb", "c", "d" }, 0..) |key, value| try tree.put(null, key, value);
    const range: masstree.Range = .{ .lower = "b", .upper = "d" };
    var room: [2]u8 = undefined;
    try testing.expectError(error.NoRoom, tree.popFirst(null, range, room[0..0]));
    const first = (try tree.popFirst(null, range, &room)).?;
    try testing.expectEqualStrings("b", first.key);
    try testing.expectEqual(1, first.value);
    const last = (try tree.popLast(null, range, &room)).?;
    try testing.expectEqualStrings("c", last.key);
    try testing.expectEqual(3, last.value);
    try testing.expectEqual(1, try tree.removeRange(null, range));
    try testing.expectEqual(null, try tree.popLast(null, range, &room));
    try testing.expectEqual(2, try tree.removeRange(null, .{}));
    try testing.expectEqual(0, try tree.len());
}

test "updates decide" {
    const tree = try counted();
    defer tree.deinit();
    try testing.expectEqual(null, try tree.update(null, "key", @as(u64, 5), add));
    try testing.expectEqual(5, try tree.update(null, "key", @as(u64, 1), add));
    try testing.expectEqual(6, try tree.update(null, "key", {}, removeOdd));
    try tree.put(null, "key", 7);
    try testing.expectEqual(7, try tree.update(null, "key", {}, removeOdd));
    try testing.expectEqual(null, try tree.get(null, "key"));
}

const updates = 20_000;

fn work(tree: Tree) !void {
    const guard = try tree.guard();
    defer guard.leave();
    for (0..updates) |i| {
        _ = try tree.update(guard, &.{@intCast(i % 3)}, @as(u64, 1), add);
        guard.refresh();
    }
}

fn workOrPanic(tree: Tree) void {
    work(tree) catch |err| std.debug.panic("{t}", .{err});
}

test "updates of several threads are all counted" {
    const tree = try counted();
    defer tree.deinit();
    var threads: [4]std.Thread = undefined;
    for (&threads) |*thread| thread.* = try .spawn(.{}, workOrPanic, .{tree});
    for (threads) |thread| thread.join();
    var sum: u64 = 0;
    for (0..3) |i| sum += (try tree.get(null, &.{@intCast(i)})).?;
    try testing.expectEqual(threads.len * updates, sum);
}

fn useAll(allocator: std.mem.Allocator) !void {
    const tree: Tree = try .init(.{ .allocator = &allocator });
    defer tree.deinit();
    const guard = try tree.guard();
    defer guard.leave();
    var buffer: [40]u8 = undefined;
    for (0..100) |i| {
        const key = try std.fmt.bufPrint(&buffer, "a long common prefix {d}", .{i * 7919 % 100});
        try tree.put(guard, key, i);
    }
    const cursor = try tree.cursor(guard);
    defer cursor.close();
    var seen: usize = 0;
    while (try cursor.next()) |_| seen += 1;
    try testing.expectEqual(100, seen);
}

test "wherever memory runs out, the error says so and nothing leaks" {
    try testing.checkAllAllocationFailures(testing.allocator, useAll, .{});
}
