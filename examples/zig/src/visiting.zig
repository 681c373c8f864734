//! Visitors in Zig behind those that C calls.
const c = @import("header");

/// What a call passes to C as context: a visitor's own context, and the error with which it has ended the call.
pub fn Visiting(comptime Context: type, comptime Entry: type, comptime visit: fn (Context, Entry) anyerror!bool) type {
    return struct {
        context: Context,
        failed: ?anyerror = null,

        /// What C's visitor returns for an entry.
        pub fn see(ctx: ?*anyopaque, entry: Entry) i32 {
            const call: *@This() = @ptrCast(@alignCast(ctx));
            const on = visit(call.context, entry) catch |err| {
                call.failed = err;
                return c.MASSTREE_VISIT_STOP;
            };
            return if (on) c.MASSTREE_VISIT_CONTINUE else c.MASSTREE_VISIT_STOP;
        }
    };
}
