const std = @import("std");
const masstree = @import("masstree");
const support = @import("store_tests.zig");
const testing = std.testing;
const Place = support.Place;
const Store = masstree.Store;

fn note(numbers: *std.ArrayList(u64), open: masstree.OpenSnapshot) anyerror!bool {
    try testing.expect(open.age_ms < std.time.ms_per_hour);
    try numbers.append(testing.allocator, open.number);
    return if (numbers.items.len == 3) error.Enough else true;
}

fn show(text: *std.ArrayList(u8), listed: masstree.Listed) anyerror!bool {
    try text.print(testing.allocator, "{s}={s} ", .{ listed.key.key, listed.key.stored.value });
    return true;
}

// Put back: in `getAt`, or in `listAt`, read the newest; export without the snapshot; lose what `visit` has returned.
test "a snapshot sees its moment" {
    var place: Place = .{ .within = testing.tmpDir(.{}) };
    defer place.within.cleanup();
    const store: Store = try .open(null, .{});
    defer store.close() catch unreachable;
    const tree = try store.tree("t");
    const first = try tree.put("a", "1");
    const at = try store.snapshot();
    defer at.close();
    try testing.expect(at.number() >= first);
    _ = try tree.put("a", "2");
    _ = try tree.put("b", "3");
    const guard = try tree.guard();
    defer guard.leave();
    const seen = (try at.get(tree, guard, "a")).?;
    try testing.expectEqualStrings("1", seen.value);
    try testing.expectEqual(first, seen.commit);
    try testing.expectEqual(null, try at.get(tree, guard, "b"));
    var text: std.ArrayList(u8) = .empty;
    defer text.deinit(testing.allocator);
    try at.list(tree, .{}, "", &text, show);
    try testing.expectEqualStrings("a=1 ", text.items);
    try support.expectListed("a=2 b=3 ", tree, .{}, "");

    try store.exportTo(at, try place.path("copy"), null);
    const copy: Store = try .open(try place.path("copy"), .{});
    defer copy.close() catch unreachable;
    try support.expectListed("a=1 ", try copy.tree("t"), .{}, "");

    var numbers: std.ArrayList(u64) = .empty;
    defer numbers.deinit(testing.allocator);
    const later = try store.snapshot();
    try store.listSnapshots(&numbers, note);
    try testing.expectEqualSlices(u64, &.{ at.number(), later.number() }, numbers.items);
    try testing.expectError(error.Enough, store.listSnapshots(&numbers, note));
    later.close();
}

// Put back: never replace; lose `imported`.
test "an import copies every tree" {
    var place: Place = .{ .within = testing.tmpDir(.{}) };
    defer place.within.cleanup();
    const source = try place.path("source");
    {
        const from: Store = try .open(source, .{});
        defer from.close() catch unreachable;
        _ = try (try from.tree("t")).put("a", "1");
        _ = try from.tree("empty");
    }
    const store: Store = try .open(null, .{});
    defer store.close() catch unreachable;
    var imported: masstree.Imported = .{};
    try store.importFrom(source, false, &imported, null);
    try testing.expectEqual(2, imported.trees());
    try testing.expectEqual(1, imported.keys());
    const tree = try store.tree("t");
    try support.expectListed("a=1 ", tree, .{}, "");
    _ = try tree.put("b", "2");
    try testing.expectError(error.Exists, store.importFrom(source, false, &imported, null));
    try testing.expectEqualStrings("t", imported.tree());
    try store.importFrom(source, true, null, null);
    try support.expectListed("a=1 ", try store.tree("t"), .{}, "");
    try testing.expectError(error.NotFound, store.importFrom(try place.path("none"), false, null, null));
}

fn expectAt(expected: ?[]const u8, entry: ?masstree.StoreEntry) !void {
    const key = expected orelse return testing.expectEqual(null, entry);
    try testing.expectEqualStrings(key, entry.?.key);
    try testing.expectEqualStrings(if (key[0] == 'c') "own" else "stored", entry.?.stored.value);
    try testing.expectEqual(key[0] == 'c', entry.?.stored.commit == 0);
}

// Put back: exchange `next` and `prev`; take MASSTREE_END for an error.
test "a cursor of a transaction moves in both directions" {
    const store: Store = try .open(null, .{});
    defer store.close() catch unreachable;
    const tree = try store.tree("t");
    for ("abd") |key| _ = try tree.put(&.{key}, "stored");
    const txn = try store.begin(.{});
    defer txn.deinit();
    const cursor = try txn.cursor(tree);
    defer cursor.close();
    try txn.put(tree, "c", "own");
    try expectAt("a", try cursor.next());
    try expectAt(null, try cursor.prev());
    try expectAt("b", try cursor.next());
    try txn.remove(tree, "b");
    try expectAt("c", try cursor.next());
    try expectAt("a", try cursor.prev());
    try expectAt("d", try cursor.last());
    try expectAt(null, try cursor.next());
    try expectAt("a", try cursor.first());
    try expectAt("c", try cursor.seek("b", .ge));
    try expectAt("d", try cursor.seek("c", .gt));
    try expectAt("a", try cursor.seek("b", .le));
    try expectAt(null, try cursor.seek("a", .lt));
    // The whole tree was passed, and counts as read.
    _ = try tree.put("e", "stored");
    try testing.expectError(error.Conflict, txn.commit());
    try testing.expectError(error.Invalid, cursor.next());
}
