const std = @import("std");
const masstree = @import("masstree");
const testing = std.testing;
const Store = masstree.Store;

/// A directory that is not there yet, in a temporary one.
pub const Place = struct {
    within: testing.TmpDir,
    buffer: [100]u8 = undefined,

    pub fn path(place: *Place, name: []const u8) ![:0]const u8 {
        return std.fmt.bufPrintSentinel(&place.buffer, ".zig-cache/tmp/{s}/{s}", .{ place.within.sub_path, name }, 0);
    }
};

fn show(text: *std.ArrayList(u8), listed: masstree.Listed) anyerror!bool {
    const allocator = testing.allocator;
    switch (listed) {
        .key => |entry| try text.print(allocator, "{s}={s} ", .{ entry.key, entry.stored.value }),
        .prefix => |prefix| try text.print(allocator, "{s}* ", .{prefix}),
    }
    return true;
}

pub fn expectListed(expected: []const u8, tree: masstree.StoreTree, range: masstree.Range, delimiter: []const u8) !void {
    var text: std.ArrayList(u8) = .empty;
    defer text.deinit(testing.allocator);
    try tree.list(range, delimiter, &text, show);
    try testing.expectEqualStrings(expected, text.items);
}

pub fn expectValue(expected: ?[]const u8, tree: masstree.StoreTree, key: []const u8) !void {
    const guard = try tree.guard();
    defer guard.leave();
    const found = try tree.get(guard, key);
    if (expected) |value| try testing.expectEqualStrings(value, found.?.value) else try testing.expectEqual(null, found);
}

// Put back: open with no flags; take error.NotFound for error.Exists in `check`; force every rename.
test "what was written is there when the store is opened again" {
    var place: Place = .{ .within = testing.tmpDir(.{}) };
    defer place.within.cleanup();
    const directory = try place.path("store");
    {
        const store: Store = try .open(directory, .{});
        defer store.close() catch unreachable;
        const tree = try store.tree("t");
        _ = try tree.put("a", "1");
        _ = try tree.insert("b", "");
        try testing.expectError(error.Exists, tree.insert("b", "2"));
        try testing.expectError(error.Exists, tree.rename("a", "b", false));
        _ = try tree.rename("a", "b", true);
        try testing.expectError(error.NotFound, tree.rename("a", "c", true));
        try testing.expectError(error.NotFound, tree.remove("a"));
        const first = try tree.put("c", "3");
        const last = try tree.replace("c", first, "4");
        try testing.expectError(error.Mismatch, tree.replace("c", first, "5"));
        try testing.expectError(error.NotFound, tree.replace("a", first, "5"));
        try testing.expectError(error.Locked, Store.open(directory, .{}));
        try store.checkpoint();
        _ = try (try store.tree("gone")).put("x", "y");
        _ = try store.dropTree("gone");
        try store.wait(last, .durable);
        try store.sync();
        try testing.expectEqual(null, store.failure());
    }
    const store: Store = try .open(directory, .{ .read_only = true });
    defer store.close() catch unreachable;
    const tree = try store.tree("t");
    try expectListed("b=1 c=4 ", tree, .{}, "");
    try testing.expectError(error.ReadOnly, tree.put("b", ""));
    try testing.expectError(error.NotFound, store.tree("gone"));
    const guard = try tree.guard();
    defer guard.leave();
    try testing.expect((try tree.get(guard, "b")).?.commit > 0);
}

// Put back: ignore the index of the operation; add the assertions behind the writes.
test "a batch is done at once, or not at all" {
    const store: Store = try .open(null, .{});
    defer store.close() catch unreachable;
    const one = try store.tree("1");
    const two = try store.tree("2");
    const stored = try one.put("a", "1");
    const batch = try store.batch();
    defer batch.deinit();
    try batch.assertCommit(one, "a", stored);
    try batch.assertPresent(one, "a");
    try batch.assertAbsent(two, "a");
    try batch.assertEmpty(two, "dir/");
    try batch.put(two, "b", "2");
    try batch.rename(one, "a", "c", false);
    try batch.remove(two, "none");
    try testing.expectEqual(7, batch.len());
    _ = try store.commit(batch, null);
    try expectListed("c=1 ", one, .{}, "");
    try expectListed("b=2 ", two, .{}, "");
    batch.clear();
    try batch.put(one, "x", "");
    try batch.assertPresent(two, "none");
    var failed: usize = undefined;
    try testing.expectError(error.Mismatch, store.commit(batch, &failed));
    try testing.expectEqual(1, failed);
    try expectValue(null, one, "x");
}

fn stop(seen: *usize, _: masstree.Listed) anyerror!bool {
    seen.* += 1;
    return if (seen.* == 2) error.Enough else true;
}

// Put back: in `Range.toC`, leave out `after`; pass the delimiter's length as 0.
test "listings roll keys up, and go on behind an entry" {
    const store: Store = try .open(null, .{});
    defer store.close() catch unreachable;
    const tree = try store.tree("t");
    for ([_][]const u8{ "", "a", "d/1", "d/e/1", "d/e/2", "d/f/1", "e" }) |key| _ = try tree.put(key, "v");
    try expectListed("=v a=v d/* e=v ", tree, .{}, "/");
    try expectListed("e=v d/* ", tree, .{ .reverse = true, .limit = 2 }, "/");
    try expectListed("d/1=v d/e/* d/f/* ", tree, .{ .prefix = "d/" }, "/");
    try expectListed("d/f/* ", tree, .{ .prefix = "d/", .after = "d/e/" }, "/");
    try expectListed("d/1=v ", tree, .{ .prefix = "d/", .after = "d/e/", .reverse = true }, "/");
    try expectListed("d/e/2=v d/f/1=v ", tree, .{ .after = "d/e/1", .limit = 2 }, "");
    var seen: usize = 0;
    try testing.expectError(error.Enough, tree.list(.{}, "", &seen, stop));
    try testing.expectEqual(2, seen);
}

fn sum(total: *u64, entry: masstree.StoreEntry) anyerror!bool {
    total.* += try std.fmt.parseInt(u64, entry.stored.value, 10);
    return true;
}

const Transfer = struct {
    tree: masstree.StoreTree,
    from: []const u8,
    to: []const u8,

    fn add(transfer: Transfer, txn: masstree.Txn, account: []const u8, amount: i64) !void {
        var buffer: [20]u8 = undefined;
        const found = try txn.get(transfer.tree, account) orelse return error.NoAccount;
        const balance = try std.fmt.parseInt(i64, found.value, 10) + amount;
        if (balance < 0) return error.Overdrawn;
        try txn.put(transfer.tree, account, try std.fmt.bufPrint(&buffer, "{d}", .{balance}));
    }

    fn run(transfer: Transfer, txn: masstree.Txn) anyerror!void {
        try transfer.add(txn, transfer.from, -1);
        try transfer.add(txn, transfer.to, 1);
    }
};

fn transferOften(store: Store, tree: masstree.StoreTree) void {
    const accounts = "abc";
    for (0..300) |i| {
        const from = accounts[i % 3 ..][0..1];
        const to = accounts[(i + 1 + i / 3 % 2) % 3 ..][0..1];
        const transfer: Transfer = .{ .tree = tree, .from = from, .to = to };
        _ = store.transact(.{}, transfer, Transfer.run) catch |err|
            if (err != error.Overdrawn) std.debug.panic("{t}", .{err});
    }
}

// Put back: in `transact`, commit what a body with an error has written; run the threads with
// `put` of the store in place of that of the transaction.
test "transfers of several threads keep the sum" {
    const store: Store = try .open(null, .{});
    defer store.close() catch unreachable;
    const tree = try store.tree("accounts");
    for ("abc") |account| _ = try tree.put(&.{account}, "10");
    var threads: [3]std.Thread = undefined;
    for (&threads) |*thread| thread.* = try .spawn(.{}, transferOften, .{ store, tree });
    for (threads) |thread| thread.join();
    const txn = try store.begin(.{ .isolation = .read_only });
    defer txn.deinit();
    var total: u64 = 0;
    try txn.scan(tree, .{}, &total, sum);
    try testing.expectEqual(30, total);
    try testing.expectError(error.ReadOnly, txn.put(tree, "a", ""));
    const lost: Transfer = .{ .tree = tree, .from = "a", .to = "none" };
    _ = try tree.put("a", "10");
    try testing.expectError(error.NoAccount, store.transact(.{}, lost, Transfer.run));
    try expectValue("10", tree, "a");
}

// Put back: begin every transaction as a serializable one; return no key from `conflict`.
test "a conflict says its key, and the isolation decides" {
    const store: Store = try .open(null, .{});
    defer store.close() catch unreachable;
    const tree = try store.tree("t");
    for ([_]masstree.Txn.Isolation{ .serializable, .snapshot }) |isolation| {
        const txn = try store.begin(.{ .isolation = isolation });
        defer txn.deinit();
        _ = try txn.get(tree, "read");
        try txn.put(tree, "own", "1");
        try testing.expectEqual(0, (try txn.get(tree, "own")).?.commit);
        _ = try tree.put("read", "");
        if (isolation == .snapshot) {
            _ = try txn.commit();
            try testing.expectEqual(null, txn.conflict());
            try testing.expectError(error.Invalid, txn.commit());
        } else {
            try testing.expectError(error.Conflict, txn.commit());
            try testing.expectEqualStrings("read", txn.conflict().?);
            try txn.reset();
            try testing.expectEqual(null, try txn.get(tree, "own"));
            try txn.insert(tree, "other", "2");
            try testing.expectError(error.Exists, txn.insert(tree, "other", "3"));
            try txn.rename(tree, "other", "own", false);
            try testing.expectError(error.NotFound, txn.remove(tree, "other"));
            _ = try txn.commit();
            try expectValue("2", tree, "own");
        }
    }
}

// Put back: lose the failure of an export, or of an opening.
test "an export is a store, and a failure says what has failed" {
    var place: Place = .{ .within = testing.tmpDir(.{}) };
    defer place.within.cleanup();
    const store: Store = try .open(null, .{});
    defer store.close() catch unreachable;
    _ = try (try store.tree("t")).put("a", "1");
    var failure: masstree.StoreFailure = .{};
    try testing.expectError(error.Failed, store.exportTo(null, try place.path("none/copy"), &failure));
    try testing.expect(failure.errno() != 0 and failure.operation().len > 0);
    try testing.expectError(error.NotFound, Store.open(try place.path("copy"), .{ .must_exist = true }));
    try store.exportTo(null, try place.path("copy"), null);
    try testing.expectError(error.Exists, store.exportTo(null, try place.path("copy"), null));
    const copy: Store = try .open(try place.path("copy"), .{ .must_exist = true });
    defer copy.close() catch unreachable;
    try expectListed("a=1 ", try copy.tree("t"), .{}, "");
    failure = .{};
    try testing.expectError(error.Failed, Store.open(try place.path("none/store"), .{ .failure = &failure }));
    try testing.expect(failure.errno() != 0 and failure.reason().len == 0);
}
