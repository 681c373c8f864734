const std = @import("std");
const masstree = @import("masstree");
const support = @import("store_tests.zig");
const testing = std.testing;
const Changes = masstree.Changes;
const Place = support.Place;
const Store = masstree.Store;

fn expectChanges(expected: []const u8, changes: Changes) !void {
    const allocator = testing.allocator;
    var text: std.ArrayList(u8) = .empty;
    defer text.deinit(allocator);
    while (try changes.next(null)) |change| {
        try testing.expect(change.tree_number > 0);
        switch (change.what) {
            .put => |put| try text.print(allocator, "{s}/{s}={s}", .{ change.tree, put.key, put.value }),
            .remove => |key| try text.print(allocator, "{s}/{s} removed", .{ change.tree, key }),
            .tree_made => try text.print(allocator, "{s} made", .{change.tree}),
            .tree_dropped => try text.print(allocator, "{s} dropped", .{change.tree}),
        }
        try text.appendSlice(allocator, if (change.is_last) "\n" else ", ");
    }
    try testing.expectEqualStrings(expected, text.items);
}

// Put back: take every kind for a put; leave `is_last` false; begin at 0 in `init`.
test "changes are those of each commit behind a number" {
    var place: Place = .{ .within = testing.tmpDir(.{}) };
    defer place.within.cleanup();
    const store: Store = try .open(try place.path("store"), .{});
    defer store.close() catch unreachable;
    const tree = try store.tree("t");
    _ = try store.tree("gone");
    const first = try tree.put("a", "1");
    const batch = try store.batch();
    defer batch.deinit();
    try batch.remove(tree, "a");
    try batch.put(tree, "b", "2");
    _ = try store.commit(batch, null);
    const last = try store.dropTree("gone");
    try store.sync();
    const all = try store.changes(0, .{});
    defer all.deinit();
    try testing.expect(try all.wait(null));
    try expectChanges("t made\ngone made\nt/a=1\nt/a removed, t/b=2\ngone dropped\n", all);
    const later = try store.changes(first, .{ .level = .written });
    defer later.deinit();
    try expectChanges("t/a removed, t/b=2\ngone dropped\n", later);
    try testing.expectError(error.NotFound, store.changes(last + 1000, .{}));
    const memory: Store = try .open(null, .{});
    defer memory.close() catch unreachable;
    try testing.expectError(error.Invalid, memory.changes(0, .{}));
}

fn putOne(store: Store, tree: masstree.StoreTree) void {
    const commit = tree.put("k", "v") catch unreachable;
    store.wait(commit, .durable) catch unreachable;
}

// Put back: in `wait`, take error.NotFound for an answer; return true for each.
test "a wait ends with a change, or its time" {
    var place: Place = .{ .within = testing.tmpDir(.{}) };
    defer place.within.cleanup();
    const directory = try place.path("store");
    {
        const store: Store = try .open(directory, .{});
        defer store.close() catch unreachable;
        const tree = try store.tree("t");
        try store.sync();
        const changes = try store.changes(0, .{});
        defer changes.deinit();
        try expectChanges("t made\n", changes);
        try testing.expect(!try changes.wait(1));
        const thread: std.Thread = try .spawn(.{}, putOne, .{ store, tree });
        defer thread.join();
        try testing.expect(try changes.wait(null));
        try expectChanges("t/k=v\n", changes);
    }
    const store: Store = try .open(directory, .{ .read_only = true });
    defer store.close() catch unreachable;
    const changes = try store.changes(0, .{});
    defer changes.deinit();
    try expectChanges("t made\nt/k=v\n", changes);
    try testing.expectError(error.ReadOnly, changes.wait(null));
}

fn fill(store: Store, tree: masstree.StoreTree) !u64 {
    var last: u64 = 0;
    for (0..200) |_| last = try tree.put("k", &@as([1000]u8, @splat('x')));
    try store.checkpoint();
    return last;
}

// Put back: pass no `held_log_bytes`; lose `retained_log_bytes`; lose what has failed.
test "changes that are gone are an error" {
    var place: Place = .{ .within = testing.tmpDir(.{}) };
    defer place.within.cleanup();
    const directory = try place.path("store");
    var options: Store.Options = .{ .log_buffer_bytes = 4096, .log_segment_bytes = 4096 };
    const since = blk: {
        const store: Store = try .open(directory, options);
        defer store.close() catch unreachable;
        const tree = try store.tree("t");
        const few = try store.changes(0, .{ .held_log_bytes = 1 });
        defer few.deinit();
        const since = try fill(store, tree);
        try testing.expectError(error.TooOld, few.next(null));
        try testing.expectError(error.TooOld, store.changes(1, .{}));
        break :blk since;
    };
    options.retained_log_bytes = 1 << 30;
    const store: Store = try .open(directory, options);
    defer store.close() catch unreachable;
    _ = try fill(store, try store.tree("t"));
    const retained = try store.changes(since, .{});
    defer retained.deinit();
    try testing.expect(try retained.next(null) != null);
    try place.within.dir.deleteTree(testing.io, "store");
    var failure: masstree.StoreFailure = .{};
    while (true) {
        // Ends: the next file of the log is gone.
        const next = retained.next(&failure) catch |err| {
            try testing.expectEqual(error.Failed, err);
            break;
        };
        try testing.expect(next != null);
    }
    try testing.expect(failure.errno() != 0 and failure.file().len > 0);
}
