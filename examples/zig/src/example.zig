//! A dictionary that several threads fill, and the words in it that begin with a prefix.
//!
//!     zig build run -- cur
const std = @import("std");
const masstree = @import("masstree");

const text =
    \\cursor current curtain guard curious layer leaf cure tree curl
;

fn fill(tree: masstree.Tree, words: []const u8) void {
    const guard = tree.guard() catch @panic("no guard");
    defer guard.leave();
    var rest = std.mem.tokenizeScalar(u8, words, ' ');
    while (rest.next()) |word| tree.put(guard, word, word.len) catch @panic("no memory");
}

fn print(out: *std.Io.Writer, entry: masstree.Entry) anyerror!bool {
    try out.print("{s}: {d} letters\n", .{ entry.key, entry.value });
    return true;
}

pub fn main(init: std.process.Init) !void {
    const args = try init.minimal.args.toSlice(init.arena.allocator());
    const prefix = if (args.len > 1) args[1] else "";

    const tree: masstree.Tree = try .init(.{});
    defer tree.deinit();
    const half = std.mem.indexOfScalarPos(u8, text, text.len / 2, ' ').?;
    const other: std.Thread = try .spawn(.{}, fill, .{ tree, text[0..half] });
    fill(tree, text[half..]);
    other.join();

    var buffer: [1024]u8 = undefined;
    var stdout: std.Io.File.Writer = .init(.stdout(), init.io, &buffer);
    try tree.scan(null, .{ .prefix = prefix, .reverse = true }, &stdout.interface, print);
    try stdout.interface.flush();
}
