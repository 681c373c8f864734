//! Snapshots of stores.
const std = @import("std");
const c = @import("header");
const masstree = @import("masstree.zig");
const store = @import("store.zig");
const Visiting = @import("visiting.zig").Visiting;
const check = store.check;
const Error = store.Error;

/// All trees of a store as of one moment, while writes go on. It keeps in memory what is overwritten and removed
/// meanwhile. Any number of threads may use it, while none closes it. Close it before its store.
pub const Snapshot = struct {
    handle: *c.masstree_snapshot_t,

    pub fn close(at: Snapshot) void {
        c.masstree_snapshot_close(at.handle);
    }

    /// The number of a commit: the snapshot sees it and every one before it, and none behind it.
    pub fn number(at: Snapshot) u64 {
        return c.masstree_snapshot_seqno(at.handle);
    }

    /// As `Tree.get`.
    pub fn get(at: Snapshot, tree: store.Tree, held: masstree.Guard, key: []const u8) Error!?store.Stored {
        return tree.getAt(held, key, at.number());
    }

    /// As `Tree.list`.
    pub fn list(
        at: Snapshot,
        tree: store.Tree,
        range: masstree.Range,
        delimiter: []const u8,
        context: anytype,
        comptime visit: fn (@TypeOf(context), store.Listed) anyerror!bool,
    ) anyerror!void {
        return tree.listAt(range, at.number(), delimiter, context, visit);
    }
};

/// A snapshot that `Store.listSnapshots` has found.
pub const Open = struct { number: u64, age_ms: u64 };

/// Calls `visit` for each open snapshot of a store: see `Store.listSnapshots`.
pub fn list(
    of: *c.masstree_store_t,
    context: anytype,
    comptime visit: fn (@TypeOf(context), Open) anyerror!bool,
) anyerror!void {
    const Call = Visiting(@TypeOf(context), Open, visit);
    const Visitor = struct {
        fn run(open: [*c]const c.masstree_open_snapshot_t, ctx: ?*anyopaque) callconv(.c) i32 {
            return Call.see(ctx, .{ .number = open.*.seqno, .age_ms = open.*.age_ms });
        }
    };
    var call: Call = .{ .context = context };
    try check(c.masstree_store_list_snapshots(of, Visitor.run, &call));
    if (call.failed) |err| return err;
}
