//! The names of an object store: put if absent, rename, list as directories, and a transaction that moves a
//! directory. What was durable is there when the store is opened again.
//!
//!     zig build objects -- DIRECTORY
const std = @import("std");
const masstree = @import("masstree");

const Move = struct {
    objects: masstree.StoreTree,
    from: []const u8,
    to: []const u8,
    txn: ?masstree.Txn = null,

    /// Moves all objects of a directory at once, also those that are added while it runs.
    fn directory(move: Move, txn: masstree.Txn) anyerror!void {
        var under_way = move;
        under_way.txn = txn;
        try txn.scan(move.objects, .{ .prefix = move.from }, under_way, object);
    }

    fn object(move: Move, entry: masstree.StoreEntry) anyerror!bool {
        var buffer: [256]u8 = undefined;
        const name = try std.fmt.bufPrint(&buffer, "{s}{s}", .{ move.to, entry.key[move.from.len..] });
        try move.txn.?.rename(move.objects, entry.key, name, false);
        return true;
    }
};

fn print(out: *std.Io.Writer, listed: masstree.Listed) anyerror!bool {
    switch (listed) {
        .key => |entry| try out.print("{s} ({s})\n", .{ entry.key, entry.stored.value }),
        .prefix => |prefix| try out.print("{s}\n", .{prefix}),
    }
    return true;
}

fn write(directory: [:0]const u8, out: *std.Io.Writer) !void {
    const store: masstree.Store = try .open(directory, .{});
    defer store.close() catch |err| std.debug.panic("{t}", .{err});
    const objects = try store.tree("objects");
    for ([_][]const u8{ "logs/1", "photos/a.jpg", "photos/2026/b.jpg", "upload-7" }) |name|
        _ = try objects.insert(name, "1 byte");
    _ = objects.insert("logs/1", "2 bytes") catch |err| try out.print("logs/1: {t}\n", .{err});
    _ = try objects.rename("upload-7", "photos/d.jpg", false);
    const move: Move = .{ .objects = objects, .from = "photos/", .to = "pictures/" };
    const commit = try store.transact(.{}, move, Move.directory);
    try store.wait(commit, .durable); // survives a loss of power from here on
}

pub fn main(init: std.process.Init) !void {
    const args = try init.minimal.args.toSlice(init.arena.allocator());
    var buffer: [1024]u8 = undefined;
    var stdout: std.Io.File.Writer = .init(.stdout(), init.io, &buffer);
    const out = &stdout.interface;

    const directory = if (args.len > 1) args[1] else "objects.store";
    try write(directory, out);
    const store: masstree.Store = try .open(directory, .{ .must_exist = true });
    defer store.close() catch |err| std.debug.panic("{t}", .{err});
    const objects = try store.tree("objects");
    try objects.list(.{}, "/", out, print);
    try objects.list(.{ .prefix = "pictures/" }, "/", out, print);
    try out.flush();
}
