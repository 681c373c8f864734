const std = @import("std");
const masstree = @import("masstree");
const testing = std.testing;
const Tree = masstree.BytesTree;

/// A tree whose memory the testing allocator counts.
fn counted() !Tree {
    return .init(.{ .allocator = &testing.allocator });
}

fn expectValue(expected: ?[]const u8, tree: Tree, key: []const u8) !void {
    const guard = try tree.guard();
    defer guard.leave();
    const found = try tree.get(guard, key);
    if (expected) |value| try testing.expectEqualStrings(value, found.?) else try testing.expectEqual(null, found);
}

fn join(text: *std.ArrayList(u8), entry: masstree.BytesEntry) anyerror!bool {
    if (entry.key.len > 1) return error.LongKey;
    try text.print(testing.allocator, "{s}={s} ", .{ entry.key, entry.value });
    return entry.key[0] < 'c';
}

// Put back: in `scan`, go on after false, or forget the error; in `remove`, return true.
test "byte strings are stored, removed and scanned" {
    const tree = try counted();
    defer tree.deinit();
    try expectValue(null, tree, "a");
    try tree.put(null, "a", "");
    try expectValue("", tree, "a");
    try tree.put(null, "a", "1");
    for ("bcd") |letter| try tree.put(null, &.{letter}, &.{letter});
    try testing.expectEqual(true, try tree.remove(null, "b"));
    try testing.expectEqual(false, try tree.remove(null, "b"));
    try testing.expectEqual(3, try tree.len());
    var text: std.ArrayList(u8) = .empty;
    defer text.deinit(testing.allocator);
    try tree.scan(null, .{}, &text, join);
    try testing.expectEqualStrings("a=1 c=c ", text.items);
    try tree.put(null, "bb", "");
    try testing.expectError(error.LongKey, tree.scan(null, .{ .lower = "b" }, &text, join));
}

// Put back: in `append`, call masstree_put_bytes, and return more.len.
test "appended bytes are one value" {
    const tree = try counted();
    defer tree.deinit();
    try testing.expectEqual(1, try tree.append(null, "key", "a"));
    try testing.expectEqual(1, try tree.append(null, "key", ""));
    try testing.expectEqual(3, try tree.append(null, "key", "bc"));
    try expectValue("abc", tree, "key");
}

fn expectEntry(key: []const u8, value: []const u8, found: ?masstree.BytesEntry) !void {
    try testing.expectEqualStrings(key, found.?.key);
    try testing.expectEqualStrings(value, found.?.value);
}

// Put back: in `longestPrefix`, return the whole key.
test "the longest prefix among byte strings" {
    const tree = try counted();
    defer tree.deinit();
    const guard = try tree.guard();
    defer guard.leave();
    try testing.expectEqual(null, try tree.longestPrefix(guard, "10.20.30"));
    try tree.put(null, "10.", "");
    try tree.put(null, "10.20.", "twenty");
    try expectEntry("10.20.", "twenty", try tree.longestPrefix(guard, "10.20.30"));
    try expectEntry("10.", "", try tree.longestPrefix(guard, "10.2"));
}

// Put back: in `popLast`, call masstree_pop_first_bytes; in `popKey`, pass no range, or the room whole; in
// `removeRange`, pass an empty range.
test "pops take the ends of a range of byte strings, and ranges are removed" {
    const tree = try counted();
    defer tree.deinit();
    const guard = try tree.guard();
    defer guard.leave();
    for ([_][]const u8{ "a", "b", "bb", "c", "d" }) |key| try tree.put(null, key, key);
    const range: masstree.Range = .{ .lower = "b", .upper = "d" };
    var room: [2]u8 = undefined;
    try testing.expectError(error.NoRoom, tree.popFirst(guard, range, room[0..0]));
    try expectEntry("b", "b", try tree.popFirst(guard, range, &room));
    try expectEntry("c", "c", try tree.popLast(guard, range, &room));
    try testing.expectEqual(1, try tree.removeRange(null, range));
    try testing.expectEqual(null, try tree.popLast(guard, range, &room));
    try testing.expectEqual(2, try tree.removeRange(guard, .{}));
    try testing.expectEqual(0, try tree.len());
    try tree.verify();
}

// Put back: in `swap`, call masstree_replace_bytes; in `insert`, masstree_exchange_bytes; in `take`,
// masstree_get_bytes.
test "replaced byte strings are returned" {
    const tree = try counted();
    defer tree.deinit();
    const guard = try tree.guard();
    defer guard.leave();
    try testing.expectEqual(null, try tree.swap(guard, "key", "a"));
    try testing.expectEqualStrings("a", (try tree.swap(guard, "key", "")).?);
    try testing.expectEqualStrings("", (try tree.insert(guard, "key", "b")).?);
    try testing.expectEqual(null, try tree.insert(guard, "other", "b"));
    try testing.expectEqualStrings("", (try tree.take(guard, "key")).?);
    try testing.expectEqual(null, try tree.take(guard, "key"));
    try expectValue("b", tree, "other");
}

// Put back: in `many.get`, begin each chunk with the first key.
test "batches find byte strings" {
    const tree = try counted();
    defer tree.deinit();
    const guard = try tree.guard();
    defer guard.leave();
    var text: [200][8]u8 = undefined;
    var keys: [200][]const u8 = undefined;
    var values: [200]?[]const u8 = undefined;
    for (&text, &keys, 0..) |*buffer, *key, i| {
        key.* = try std.fmt.bufPrint(buffer, "{d}", .{i});
        if (i % 3 != 0) try tree.put(null, key.*, key.*);
    }
    for ([_]usize{ 0, 1, 63, 64, 65, 200 }) |count| {
        try tree.getMany(guard, keys[0..count], values[0..count]);
        for (values[0..count], keys[0..count], 0..) |value, key, i|
            if (i % 3 != 0) try testing.expectEqualStrings(key, value.?) else try testing.expectEqual(null, value);
    }
}

// Put back: in `stringAt`, read the key.
test "cursors over byte strings" {
    const tree = try counted();
    defer tree.deinit();
    const guard = try tree.guard();
    defer guard.leave();
    for ("bdf") |letter| try tree.put(null, &.{letter}, &.{ letter, letter });
    for ([_]?masstree.Guard{ null, guard }) |held| {
        const cursor = try tree.cursor(held);
        defer cursor.close();
        try expectEntry("b", "bb", try cursor.next());
        try expectEntry("d", "dd", try cursor.next());
        try expectEntry("b", "bb", try cursor.prev());
        try testing.expectEqual(null, try cursor.prev());
        try expectEntry("f", "ff", try cursor.last());
        try expectEntry("d", "dd", try cursor.seek("c", .ge));
    }
}

fn countEntry(met: *u64, entry: masstree.BytesEntry) anyerror!bool {
    try testing.expectEqualStrings("key", entry.key);
    met.* += entry.value.len;
    return met.* < 15;
}

fn failAtOnce(_: void, _: masstree.BytesEntry) anyerror!bool {
    return error.Enough;
}

// Put back: in `sample`, forget the error, or the state.
test "samples of byte strings" {
    const tree = try counted();
    defer tree.deinit();
    try tree.put(null, "key", "value");
    var state: u64 = 1;
    var met: u64 = 0;
    try tree.sample(null, &state, 2, &met, countEntry);
    try testing.expectEqual(10, met);
    try tree.sample(null, &state, 2, &met, countEntry);
    try testing.expectEqual(15, met);
    try testing.expect(state != 1);
    try testing.expectError(error.Enough, tree.sample(null, &state, 2, {}, failAtOnce));
}

const Change = enum { double, keep, remove, fail };

/// The present value twice, in a buffer.
const Changing = struct {
    change: Change,
    buffer: [16]u8 = undefined,

    fn decide(changing: *Changing, present: ?[]const u8) anyerror!masstree.BytesDecision {
        switch (changing.change) {
            .keep => return .keep,
            .remove => return .remove,
            .fail => return error.Enough,
            .double => {
                const value = present orelse "x";
                return .{ .set = try std.fmt.bufPrint(&changing.buffer, "{s}{s}", .{ value, value }) };
            },
        }
    }
};

// Put back: in `update`, pass null for the present value, or forget the error.
test "updates of byte strings decide" {
    const tree = try counted();
    defer tree.deinit();
    const steps = [_]struct { Change, ?[]const u8 }{
        .{ .keep, null },   .{ .remove, null },   .{ .double, "xx" },
        .{ .keep, "xx" },   .{ .double, "xxxx" }, .{ .fail, "xxxx" },
        .{ .remove, null }, .{ .double, "xx" },
    };
    for (steps) |step| {
        var changing: Changing = .{ .change = step[0] };
        const done = tree.update(null, "key", &changing, Changing.decide);
        if (step[0] == .fail) try testing.expectError(error.Enough, done) else try done;
        try expectValue(step[1], tree, "key");
    }
}

const Growing = struct {
    tree: Tree,
    called: usize = 0,
    buffer: [16]u8 = undefined,

    /// While the first call decides, another write changes the key.
    fn decide(growing: *Growing, present: ?[]const u8) anyerror!masstree.BytesDecision {
        growing.called += 1;
        const value = try std.fmt.bufPrint(&growing.buffer, "{s}!", .{present orelse ""});
        if (growing.called == 1) try growing.tree.put(null, "key", "other");
        return .{ .set = value };
    }
};

// Put back: in `update`, get, call `decide` and put.
test "an update decides again if the key has changed" {
    const tree = try counted();
    defer tree.deinit();
    var growing: Growing = .{ .tree = tree };
    try tree.update(null, "key", &growing, Growing.decide);
    try testing.expectEqual(2, growing.called);
    try expectValue("other!", tree, "key");
}

const numbers = 10_000;

/// For each part, its last key; and how often each key was visited.
const Visits = struct {
    last: [100]?u64 = @splat(null),
    times: [numbers]std.atomic.Value(u32) = @splat(.init(0)),

    fn word(visits: *Visits, part: usize, entry: masstree.Entry) anyerror!bool {
        try testing.expectEqual(std.mem.readInt(u64, entry.key[0..8], .big), entry.value);
        if (visits.last[part]) |last| try testing.expect(last < entry.value);
        visits.last[part] = entry.value;
        _ = visits.times[entry.value].fetchAdd(1, .monotonic);
        return true;
    }

    fn string(visits: *Visits, part: usize, entry: masstree.BytesEntry) anyerror!bool {
        const value = std.mem.readInt(u64, entry.value[0..8], .little);
        return visits.word(part, .{ .key = entry.key, .value = value });
    }

    fn expectOnce(visits: *Visits, threads: usize) !void {
        for (&visits.times) |*times| try testing.expectEqual(1, times.load(.monotonic));
        for (visits.last, 0..) |last, part| try testing.expectEqual(part < @max(threads, 1), last != null);
    }
};

fn keyOf(number: u64) [8]u8 {
    var key: [8]u8 = undefined;
    std.mem.writeInt(u64, &key, number, .big);
    return key;
}

// Put back: in `Scan.run`, begin a part at the pivot after its own, or end it there; in
// `Tree.scanParallel` of byte strings, pass the key as value.
test "parallel scans visit each key once" {
    const words: masstree.Tree = try .init(.{ .allocator = &testing.allocator });
    defer words.deinit();
    const strings = try counted();
    defer strings.deinit();
    for (0..numbers) |number| {
        try words.put(null, &keyOf(number), number);
        try strings.put(null, &keyOf(number), std.mem.asBytes(&std.mem.nativeToLittle(u64, number)));
    }
    for ([_]usize{ 0, 1, 2, 4, 100 }) |threads| {
        var visits: Visits = .{};
        try words.scanParallel(testing.allocator, threads, &visits, Visits.word);
        try visits.expectOnce(threads);
        visits = .{};
        try strings.scanParallel(testing.allocator, threads, &visits, Visits.string);
        try visits.expectOnce(threads);
    }
    const empty: masstree.Tree = try .init(.{});
    defer empty.deinit();
    var none: Visits = .{};
    try empty.scanParallel(testing.allocator, 4, &none, Visits.word);
}

/// The last part does not end by itself: it puts a key at the end of the tree for each that it visits.
const Endless = struct {
    tree: masstree.Tree,
    count: *u64,

    fn visit(endless: Endless, part: usize, _: masstree.Entry) anyerror!bool {
        if (part == 0) return error.Enough;
        if (part == 3) {
            try endless.tree.put(null, &keyOf(endless.count.*), 0);
            endless.count.* += 1;
        }
        return true;
    }
};

// Put back: in `Part.go`, do not look at `failed`: then the test does not end.
test "an error ends a parallel scan" {
    const tree: masstree.Tree = try .init(.{});
    defer tree.deinit();
    var count: u64 = 1000;
    for (0..count) |number| try tree.put(null, &keyOf(number), 0);
    const endless: Endless = .{ .tree = tree, .count = &count };
    try testing.expectError(error.Enough, tree.scanParallel(testing.allocator, 4, endless, Endless.visit));
}

fn stopAtOnce(visited: *std.atomic.Value(u32), _: usize, _: masstree.Entry) anyerror!bool {
    _ = visited.fetchAdd(1, .monotonic);
    return false;
}

// Put back: in `Part.go`, fail where `visit` returns false.
test "false ends one part of a parallel scan" {
    const tree: masstree.Tree = try .init(.{});
    defer tree.deinit();
    for (0..1000) |number| try tree.put(null, &keyOf(number), number);
    var visited: std.atomic.Value(u32) = .init(0);
    try tree.scanParallel(testing.allocator, 4, &visited, stopAtOnce);
    try testing.expectEqual(4, visited.load(.monotonic));
}

fn scanAll(allocator: std.mem.Allocator, tree: masstree.Tree) !void {
    var visited: std.atomic.Value(u32) = .init(0);
    try tree.scanParallel(allocator, 4, &visited, stopAtOnce);
}

// Put back: in `Pivots.take`, let the key out if it cannot be copied.
test "wherever a parallel scan runs out of memory, the error says so" {
    const tree: masstree.Tree = try .init(.{});
    defer tree.deinit();
    for (0..1000) |number| try tree.put(null, &keyOf(number), number);
    try testing.checkAllAllocationFailures(testing.allocator, scanAll, .{tree});
}
