//! Batches of a store.
const c = @import("header");
const store = @import("store.zig");
const Tree = store.Tree;
const check = store.check;
const Error = store.Error;

/// Operations on trees of one store, which `Store.commit` does at once, in their order.
pub const Batch = struct {
    handle: *c.masstree_batch_t,

    pub fn deinit(batch: Batch) void {
        c.masstree_batch_destroy(batch.handle);
    }

    /// Empties the batch, and keeps its memory.
    pub fn clear(batch: Batch) void {
        c.masstree_batch_clear(batch.handle);
    }

    pub fn len(batch: Batch) usize {
        return c.masstree_batch_len(batch.handle);
    }

    pub fn put(batch: Batch, tree: Tree, key: []const u8, value: []const u8) Error!void {
        try check(c.masstree_batch_put(batch.handle, tree.handle, key.ptr, key.len, value.ptr, value.len));
    }

    /// Removes a key, if it exists.
    pub fn remove(batch: Batch, tree: Tree, key: []const u8) Error!void {
        try check(c.masstree_batch_remove(batch.handle, tree.handle, key.ptr, key.len));
    }

    /// As `Tree.rename`.
    pub fn rename(batch: Batch, tree: Tree, from: []const u8, to: []const u8, force: bool) Error!void {
        const flags = store.renameFlags(force);
        try check(c.masstree_batch_rename(batch.handle, tree.handle, from.ptr, from.len, to.ptr, to.len, flags));
    }

    pub fn assertAbsent(batch: Batch, tree: Tree, key: []const u8) Error!void {
        try check(c.masstree_batch_assert_absent(batch.handle, tree.handle, key.ptr, key.len));
    }

    pub fn assertPresent(batch: Batch, tree: Tree, key: []const u8) Error!void {
        try check(c.masstree_batch_assert_present(batch.handle, tree.handle, key.ptr, key.len));
    }

    /// Demands that the value is the one that a certain commit has stored.
    pub fn assertCommit(batch: Batch, tree: Tree, key: []const u8, commit: u64) Error!void {
        try check(c.masstree_batch_assert_version(batch.handle, tree.handle, key.ptr, key.len, commit));
    }

    /// Demands that no key begins with a prefix.
    pub fn assertEmpty(batch: Batch, tree: Tree, prefix: []const u8) Error!void {
        try check(c.masstree_batch_assert_prefix_empty(batch.handle, tree.handle, prefix.ptr, prefix.len));
    }
};
