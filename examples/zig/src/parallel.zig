//! Scans by several threads: pivots divide a tree into parts of about equally many keys, and each thread scans one.
const std = @import("std");
const c = @import("header");
const masstree = @import("masstree.zig");

/// The pivots of a tree.
const Pivots = struct {
    keys: std.ArrayList([]const u8) = .empty,
    arena: std.mem.Allocator,

    fn find(handle: *c.masstree_t, cuts: usize, arena: std.mem.Allocator) masstree.Error![]const []const u8 {
        var pivots: Pivots = .{ .arena = arena };
        _ = try masstree.check(c.masstree_pivots(handle, null, cuts, take, &pivots, null));
        return pivots.keys.items;
    }

    fn take(key: ?*const anyopaque, key_len: usize, _: usize, ctx: ?*anyopaque) callconv(.c) i32 {
        const pivots: *Pivots = @ptrCast(@alignCast(ctx));
        const copy = pivots.arena.dupe(u8, masstree.bytes(key, key_len)) catch return c.MASSTREE_NOMEM;
        pivots.keys.append(pivots.arena, copy) catch return c.MASSTREE_NOMEM;
        return c.MASSTREE_VISIT_CONTINUE;
    }
};

pub fn Scan(
    comptime Tree: type,
    comptime Entry: type,
    comptime Context: type,
    comptime visit: fn (Context, usize, Entry) anyerror!bool,
) type {
    return struct {
        const All = @This();

        tree: Tree,
        context: Context,
        pivots: []const []const u8,
        /// Set by the first thread that fails, which then writes `failure`: read when all have ended.
        failed: std.atomic.Value(bool) = .init(false),
        failure: anyerror = error.Unexpected,

        pub fn of(tree: Tree, allocator: std.mem.Allocator, threads: usize, context: Context) anyerror!void {
            var arena: std.heap.ArenaAllocator = .init(allocator);
            defer arena.deinit();
            const pivots = try Pivots.find(tree.handle, threads -| 1, arena.allocator());
            const others = try arena.allocator().alloc(std.Thread, pivots.len);
            var all: All = .{ .tree = tree, .context = context, .pivots = pivots };
            var started: usize = 0;
            for (others, 1..) |*thread, number| {
                thread.* = std.Thread.spawn(.{}, run, .{ &all, number }) catch |err| {
                    all.fail(err);
                    break;
                };
                started += 1;
            }
            all.run(0);
            for (others[0..started]) |thread| thread.join();
            if (all.failed.load(.monotonic)) return all.failure;
        }

        fn run(all: *All, number: usize) void {
            var part: Part = .{ .all = all, .number = number };
            const range: masstree.Range = .{
                .lower = if (number == 0) null else all.pivots[number - 1],
                .upper = if (number == all.pivots.len) null else all.pivots[number],
            };
            all.tree.scan(null, range, &part, Part.go) catch |err| all.fail(err);
        }

        fn fail(all: *All, err: anyerror) void {
            if (!all.failed.swap(true, .monotonic)) all.failure = err;
        }

        const Part = struct {
            all: *All,
            number: usize,

            fn go(part: *Part, entry: Entry) anyerror!bool {
                if (part.all.failed.load(.monotonic)) return false;
                return visit(part.all.context, part.number, entry);
            }
        };
    };
}
