//! Durable stores: directories with named trees from byte strings to byte strings, which are in memory and
//! whose changes are logged. A write returns the number of its commit; `Store.wait` waits until it is durable.
const std = @import("std");
const c = @import("header");
const masstree = @import("masstree.zig");
const Txn = @import("txn.zig").Txn;
const Batch = @import("batch.zig").Batch;
const Changes = @import("changes.zig").Changes;
const snapshots = @import("snapshot.zig");
const Visiting = @import("visiting.zig").Visiting;

pub const Error = error{
    /// A key that must exist has no value.
    NotFound,
    /// A key that must be absent has a value.
    Exists,
    /// A condition does not hold.
    Mismatch,
    /// Other commits have changed what the transaction depends on.
    Conflict,
    /// The tree is of another store, or was dropped; or the guard is of another tree.
    WrongTree,
    OutOfMemory,
    /// A key is over 2^32 - 1 bytes.
    KeyTooLong,
    /// The store was opened before a fork.
    Forked,
    /// A file's content is wrong.
    Corrupt,
    /// The store or the transaction is read-only.
    ReadOnly,
    /// The disk is full; it may be tried again.
    Full,
    /// A file operation has failed: nothing was changed.
    Failed,
    /// A file operation has failed: the commit may be lost.
    Unknown,
    /// The commit does not fit the log's buffer, or the transaction its limit of memory.
    TooLarge,
    /// Another process has the directory open.
    Locked,
    /// The log no longer reaches back to the changes: begin with an export.
    TooOld,
    /// An argument is invalid; or the transaction has ended.
    Invalid,
};

pub fn check(status: i32) Error!void {
    return switch (status) {
        c.MASSTREE_OK => {},
        c.MASSTREE_NOT_FOUND, c.MASSTREE_DELETED => error.NotFound,
        c.MASSTREE_EXISTS => error.Exists,
        c.MASSTREE_MISMATCH => error.Mismatch,
        c.MASSTREE_CONFLICT => error.Conflict,
        c.MASSTREE_WRONG_TREE => error.WrongTree,
        c.MASSTREE_NOMEM => error.OutOfMemory,
        c.MASSTREE_KEY_TOO_LONG => error.KeyTooLong,
        c.MASSTREE_FORKED => error.Forked,
        c.MASSTREE_CORRUPT => error.Corrupt,
        c.MASSTREE_READ_ONLY => error.ReadOnly,
        c.MASSTREE_FULL => error.Full,
        c.MASSTREE_FAILED => error.Failed,
        c.MASSTREE_UNKNOWN => error.Unknown,
        c.MASSTREE_TOO_LARGE => error.TooLarge,
        c.MASSTREE_LOCKED => error.Locked,
        c.MASSTREE_TOO_OLD => error.TooOld,
        else => error.Invalid,
    };
}

/// What a commit has reached.
pub const Level = enum(u32) {
    memory = c.MASSTREE_MEMORY,
    /// It survives a crash of the process.
    written = c.MASSTREE_WRITTEN,
    /// It survives a loss of power.
    durable = c.MASSTREE_DURABLE,
};

/// Why a store could not be opened, or accepts no writes.
pub const Failure = struct {
    raw: c.masstree_store_failure_t = std.mem.zeroInit(c.masstree_store_failure_t, .{
        .struct_size = @sizeOf(c.masstree_store_failure_t),
    }),

    /// 0 if no file operation has failed.
    pub fn errno(of: *const Failure) i32 {
        return of.raw.os_error;
    }

    pub fn operation(of: *const Failure) []const u8 {
        return std.mem.sliceTo(&of.raw.operation, 0);
    }

    /// What is wrong with the file's content.
    pub fn reason(of: *const Failure) []const u8 {
        return std.mem.sliceTo(&of.raw.reason, 0);
    }

    pub fn file(of: *const Failure) []const u8 {
        return std.mem.sliceTo(&of.raw.file, 0);
    }
};

/// What an import has copied, or what is in its way.
pub const Imported = struct {
    raw: c.masstree_store_imported_t = std.mem.zeroInit(c.masstree_store_imported_t, .{
        .struct_size = @sizeOf(c.masstree_store_imported_t),
    }),

    pub fn trees(of: *const Imported) u64 {
        return of.raw.trees;
    }

    pub fn keys(of: *const Imported) u64 {
        return of.raw.keys;
    }

    /// The name of the tree that is not empty, with error.Exists.
    pub fn tree(of: *const Imported) []const u8 {
        return std.mem.sliceTo(&of.raw.tree, 0);
    }
};

pub const Store = struct {
    handle: *c.masstree_store_t,

    pub const Options = struct {
        read_only: bool = false,
        must_exist: bool = false,
        /// Give up what follows a corruption of the log.
        salvage: bool = false,
        /// What writes wait for.
        level: Level = .memory,
        /// 0 for each of these: the C library's default.
        log_buffer_bytes: usize = 0,
        log_segment_bytes: u64 = 0,
        sync_interval_us: u64 = 0,
        checkpoint_log_bytes: u64 = 0,
        /// Bytes of the log that checkpoints leave for `changes`.
        retained_log_bytes: u64 = 0,
        /// Receives what has failed.
        failure: ?*Failure = null,
    };

    /// Opens the store in a directory, which is made if it does not exist; null: one in memory only.
    pub fn open(directory: ?[:0]const u8, options: Options) Error!Store {
        var in = std.mem.zeroes(c.masstree_store_options_t);
        in.struct_size = @sizeOf(c.masstree_store_options_t);
        if (options.read_only) in.flags |= c.MASSTREE_STORE_READ_ONLY;
        if (options.must_exist) in.flags |= c.MASSTREE_STORE_MUST_EXIST;
        if (options.salvage) in.flags |= c.MASSTREE_STORE_SALVAGE;
        in.level = @backingInt(options.level);
        in.log_buffer_bytes = options.log_buffer_bytes;
        in.log_segment_bytes = options.log_segment_bytes;
        in.sync_interval_us = options.sync_interval_us;
        in.checkpoint_log_bytes = options.checkpoint_log_bytes;
        in.retained_log_bytes = options.retained_log_bytes;
        if (options.failure) |failed| in.failure = &failed.raw;
        var handle: ?*c.masstree_store_t = null;
        try check(c.masstree_store_open(if (directory) |path| path.ptr else null, &in, &handle));
        return .{ .handle = handle.? };
    }

    /// Makes everything durable, and closes the store, also if it returns an error. Its guards, batches and
    /// transactions must have ended before; its trees cannot be used any more.
    pub fn close(store: Store) Error!void {
        try check(c.masstree_store_close(store.handle));
    }

    /// The tree with a name, which is made if there is none.
    pub fn tree(store: Store, name: [:0]const u8) Error!Tree {
        var handle: ?*c.masstree_t = null;
        try check(c.masstree_store_tree(store.handle, name.ptr, &handle));
        return .{ .store = store.handle, .handle = handle.? };
    }

    pub fn dropTree(store: Store, name: [:0]const u8) Error!u64 {
        var commit_number: u64 = undefined;
        try check(c.masstree_store_drop_tree(store.handle, name.ptr, &commit_number));
        return commit_number;
    }

    pub fn batch(store: Store) Error!Batch {
        var handle: ?*c.masstree_batch_t = null;
        try check(c.masstree_batch_create(store.handle, &handle));
        return .{ .handle = handle.? };
    }

    /// Does all operations of a batch at once, or none: error.Mismatch if a condition does not hold, or a key
    /// to rename has no value; then `failed` receives the operation's index.
    pub fn commit(store: Store, operations: Batch, failed: ?*usize) Error!u64 {
        var commit_number: u64 = undefined;
        try check(c.masstree_store_commit(store.handle, operations.handle, &commit_number, failed));
        return commit_number;
    }

    pub fn begin(store: Store, options: Txn.Options) Error!Txn {
        const in = options.toC();
        var handle: ?*c.masstree_txn_t = null;
        try check(c.masstree_txn_begin(store.handle, &in, &handle));
        return .{ .handle = handle.? };
    }

    /// Runs a transaction: calls `body`, and commits what it has done. If other commits refuse that, calls
    /// it again with a new snapshot, so it changes nothing but the transaction, which it does not end. If it
    /// returns an error, nothing is changed, and that error is returned.
    pub fn transact(
        store: Store,
        options: Txn.Options,
        context: anytype,
        comptime body: fn (@TypeOf(context), Txn) anyerror!void,
    ) anyerror!u64 {
        const Call = struct {
            context: @TypeOf(context),
            failed: ?anyerror = null,

            fn run(txn: ?*c.masstree_txn_t, ctx: ?*anyopaque) callconv(.c) i32 {
                const call: *@This() = @ptrCast(@alignCast(ctx));
                call.failed = null;
                body(call.context, .{ .handle = txn.? }) catch |err| {
                    call.failed = err;
                    return c.MASSTREE_VISIT_STOP;
                };
                return c.MASSTREE_OK;
            }
        };
        var call: Call = .{ .context = context };
        var commit_number: u64 = undefined;
        const in = options.toC();
        const status = c.masstree_store_transact(store.handle, &in, Call.run, &call, &commit_number);
        if (call.failed) |err| return err;
        try check(status);
        return commit_number;
    }

    /// Waits until a commit, and every one before it, has reached a level.
    pub fn wait(store: Store, commit_number: u64, level: Level) Error!void {
        try check(c.masstree_store_wait(store.handle, commit_number, @backingInt(level)));
    }

    /// Waits until everything is durable that was committed before.
    pub fn sync(store: Store) Error!void {
        try check(c.masstree_store_sync(store.handle));
    }

    pub fn checkpoint(store: Store) Error!void {
        try check(c.masstree_store_checkpoint(store.handle));
    }

    /// Opens a snapshot, which sees every commit that has returned.
    pub fn snapshot(store: Store) Error!snapshots.Snapshot {
        var handle: ?*c.masstree_snapshot_t = null;
        try check(c.masstree_store_snapshot(store.handle, &handle));
        return .{ .handle = handle.? };
    }

    /// Calls `visit` for each open snapshot, the oldest first, also those of transactions, until it returns false
    /// or an error, which `listSnapshots` returns. Each keeps in memory what was overwritten since.
    pub fn listSnapshots(
        store: Store,
        context: anytype,
        comptime visit: fn (@TypeOf(context), snapshots.Open) anyerror!bool,
    ) anyerror!void {
        return snapshots.list(store.handle, context, visit);
    }

    /// Begins to read the changes behind a commit; 0: from the beginning. error.TooOld if a checkpoint has removed
    /// the log that has them, error.NotFound if the store has no such commit: then begin with an export.
    pub fn changes(store: Store, since: u64, options: Changes.Options) Error!Changes {
        return .init(store.handle, since, options);
    }

    /// Writes the content, as of a snapshot or, without one, of the newest commit, to a directory that has no
    /// store yet.
    pub fn exportTo(store: Store, at: ?snapshots.Snapshot, directory: [:0]const u8, failed: ?*Failure) Error!void {
        const seen = if (at) |some| some.handle else null;
        const receiver = if (failed) |of| &of.raw else null;
        try check(c.masstree_store_export(store.handle, seen, directory.ptr, null, null, receiver));
    }

    /// Copies all trees of a directory that is not open, such as an export, and makes them durable. Each must be
    /// absent in the store, or empty, or it is error.Exists, and `imported` says which; or, with `replace`, it is
    /// dropped first. No other thread may write to them meanwhile.
    pub fn importFrom(
        store: Store,
        directory: [:0]const u8,
        replace: bool,
        imported: ?*Imported,
        failed: ?*Failure,
    ) Error!void {
        const flags: u32 = if (replace) c.MASSTREE_IMPORT_REPLACE else 0;
        const counts = if (imported) |of| &of.raw else null;
        const receiver = if (failed) |of| &of.raw else null;
        try check(c.masstree_store_import(store.handle, directory.ptr, flags, null, null, receiver, counts));
    }

    /// What has failed, or null.
    pub fn failure(store: Store) ?Failure {
        var found: Failure = .{};
        const status = c.masstree_store_failure(store.handle, &found.raw);
        return if (status == c.MASSTREE_OK) null else found;
    }
};

/// A value, and the number of the commit that stored it; 0 if the transaction that reads has written it.
pub const Stored = struct { value: []const u8, commit: u64 };

pub const Entry = struct { key: []const u8, stored: Stored };

/// What a listing shows: a key, or what all keys begin with in which the delimiter follows.
pub const Listed = union(enum) { key: Entry, prefix: []const u8 };

pub fn stored(version: *const c.masstree_version_t) Stored {
    const data: [*]const u8 = @ptrCast(version.value);
    return .{ .value = data[0..version.value_len], .commit = version.seqno };
}

/// The number that stands for the newest commit.
const latest = std.math.maxInt(u64);

/// A tree of a store, which can be used until the store is closed.
pub const Tree = struct {
    store: *c.masstree_store_t,
    handle: *c.masstree_t,

    /// What is read under a guard is valid until it is left or refreshed.
    pub fn guard(of: Tree) Error!masstree.Guard {
        var handle: ?*c.masstree_guard_t = null;
        try check(c.masstree_guard_enter(of.handle, &handle));
        return .{ .handle = handle.? };
    }

    pub fn get(of: Tree, held: masstree.Guard, key: []const u8) Error!?Stored {
        return of.getAt(held, key, latest);
    }

    /// `get`, as of a commit.
    pub fn getAt(of: Tree, held: masstree.Guard, key: []const u8, number: u64) Error!?Stored {
        var version: c.masstree_version_t = undefined;
        check(c.masstree_get_at(of.handle, held.handle, key.ptr, key.len, number, &version)) catch |err|
            return if (err == error.NotFound) null else err;
        return stored(&version);
    }

    /// Stores a value, whether the key exists or not.
    pub fn put(of: Tree, key: []const u8, value: []const u8) Error!u64 {
        var commit: u64 = undefined;
        try check(c.masstree_store_put(of.store, of.handle, key.ptr, key.len, value.ptr, value.len, &commit));
        return commit;
    }

    /// Stores a value under a key that does not exist; otherwise it is error.Exists.
    pub fn insert(of: Tree, key: []const u8, value: []const u8) Error!u64 {
        var commit: u64 = undefined;
        try check(c.masstree_store_insert(of.store, of.handle, key.ptr, key.len, value.ptr, value.len, &commit));
        return commit;
    }

    /// Replaces a value that a certain commit has stored; error.Mismatch if it was another, error.NotFound if
    /// the key does not exist.
    pub fn replace(of: Tree, key: []const u8, of_commit: u64, value: []const u8) Error!u64 {
        var commit: u64 = undefined;
        var condition = std.mem.zeroes(c.masstree_store_condition_t);
        condition.kind = c.MASSTREE_IF_VERSION;
        condition.seqno = of_commit;
        try check(c.masstree_store_replace_if(
            of.store,
            of.handle,
            key.ptr,
            key.len,
            &condition,
            value.ptr,
            value.len,
            &commit,
        ));
        return commit;
    }

    /// Removes a key; error.NotFound if it does not exist.
    pub fn remove(of: Tree, key: []const u8) Error!u64 {
        var commit: u64 = undefined;
        try check(c.masstree_store_remove(of.store, of.handle, key.ptr, key.len, &commit));
        return commit;
    }

    /// Moves a value to another key, at once. If that exists, it is error.Exists unless `force` is set.
    pub fn rename(of: Tree, from: []const u8, to: []const u8, force: bool) Error!u64 {
        var commit: u64 = undefined;
        try check(c.masstree_store_rename(
            of.store,
            of.handle,
            from.ptr,
            from.len,
            to.ptr,
            to.len,
            renameFlags(force),
            &commit,
        ));
        return commit;
    }

    /// Calls `visit` for each entry of a range, in order, until it returns false or an error, which `list`
    /// returns. The bytes are valid during the call. An empty delimiter shows every key. The next page begins
    /// behind the last entry, a key or a prefix: pass it as `range.after`.
    pub fn list(
        of: Tree,
        range: masstree.Range,
        delimiter: []const u8,
        context: anytype,
        comptime visit: fn (@TypeOf(context), Listed) anyerror!bool,
    ) anyerror!void {
        return of.listAt(range, latest, delimiter, context, visit);
    }

    /// `list`, as of a commit.
    pub fn listAt(
        of: Tree,
        range: masstree.Range,
        number: u64,
        delimiter: []const u8,
        context: anytype,
        comptime visit: fn (@TypeOf(context), Listed) anyerror!bool,
    ) anyerror!void {
        const Call = Visiting(@TypeOf(context), Listed, visit);
        const Visitor = struct {
            fn seeKey(
                key: ?*const anyopaque,
                key_len: usize,
                version: [*c]const c.masstree_version_t,
                ctx: ?*anyopaque,
            ) callconv(.c) i32 {
                return Call.see(ctx, .{ .key = .{ .key = masstree.bytes(key, key_len), .stored = stored(version) } });
            }

            fn seePrefix(prefix: ?*const anyopaque, prefix_len: usize, ctx: ?*anyopaque) callconv(.c) i32 {
                return Call.see(ctx, .{ .prefix = masstree.bytes(prefix, prefix_len) });
            }
        };
        var call: Call = .{ .context = context };
        const in = range.toC();
        try check(c.masstree_scan_delimited_at(
            of.handle,
            null,
            &in,
            number,
            delimiter.ptr,
            delimiter.len,
            Visitor.seeKey,
            Visitor.seePrefix,
            &call,
            null,
        ));
        if (call.failed) |err| return err;
    }
};

pub fn renameFlags(force: bool) u32 {
    return if (force) c.MASSTREE_RENAME_FORCE else 0;
}
