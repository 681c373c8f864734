#!/usr/bin/env python3
"""A tour of a tree: the words of a file, those with a prefix, what the tree is made of; and a store of
them, with a transaction, which is closed and opened again, and whose changes are read.

    python3 tour.py [--prefix PREFIX] FILE

libmasstree must be installed, or LD_LIBRARY_PATH say where it is. `python3 -i tour.py FILE`
leaves you with `tree`, `c` and the class Store to look around.
"""
import argparse
import contextlib
import ctypes as ct
import json
import os
import re
import tempfile

c = ct.CDLL("libmasstree.so.0")
c.masstree_strerror.restype = ct.c_char_p
VISITOR = ct.CFUNCTYPE(ct.c_int32, ct.c_void_p, ct.c_size_t, ct.c_uint64, ct.c_void_p)
WRITER = ct.CFUNCTYPE(None, ct.c_void_p, ct.c_size_t, ct.c_void_p)
STATS_NODES = 1
DURABLE = 2
LATEST = ct.c_uint64(2**64 - 1)


class Range(ct.Structure):  # masstree_range_t
    _fields_ = [("struct_size", ct.c_size_t)] + [
        field for name in ("lower", "upper", "prefix")
        for field in ((name, ct.c_char_p), (name + "_len", ct.c_size_t))
    ] + [("limit", ct.c_size_t)] + [
        (name, ct.c_uint32) for name in ("lower_bound", "upper_bound", "flags", "reserved")
    ] + [("visitor_result", ct.POINTER(ct.c_int32))]


class Version(ct.Structure):  # masstree_version_t
    _fields_ = [("seqno", ct.c_uint64), ("kind", ct.c_uint32), ("algorithm", ct.c_uint32),
                ("value", ct.c_void_p), ("value_len", ct.c_size_t),
                ("digest", ct.c_uint32), ("reserved", ct.c_uint32)]


class Change(ct.Structure):  # masstree_change_t
    _fields_ = [("commit", ct.c_uint64)] + [
        (name, ct.c_uint32) for name in ("kind", "is_last", "tree_number", "reserved")] + [
        ("tree", ct.c_char_p), ("key", ct.c_void_p), ("key_len", ct.c_size_t),
        ("value", ct.c_void_p), ("value_len", ct.c_size_t)]


VERSION_VISITOR = ct.CFUNCTYPE(
    ct.c_int32, ct.c_void_p, ct.c_size_t, ct.POINTER(Version), ct.c_void_p)
TXN_BODY = ct.CFUNCTYPE(ct.c_int32, ct.c_void_p, ct.c_void_p)
CHANGE_PUT = 1
STOPPED = 1 << 20  # no status of the library


def done(status):
    """Whether the answer is yes; an error is raised."""
    if status < 0:
        raise RuntimeError(c.masstree_strerror(status).decode())
    return status == 0


def scan(tree, prefix=b"", limit=0):
    """The keys that begin with a prefix, with their values."""
    found = []

    @VISITOR
    def visit(key, length, value, _):
        found.append((ct.string_at(key, length), value))
        return 0

    wanted = Range(ct.sizeof(Range), prefix=prefix, prefix_len=len(prefix), limit=limit)
    done(c.masstree_scan(tree, None, ct.byref(wanted), visit, None, None))
    return found


def stats(tree):
    """All statistics of masstree_stats, by name."""
    pieces = []
    write = WRITER(lambda text, length, _: pieces.append(ct.string_at(text, length)))
    done(c.masstree_stats_json(tree, None, STATS_NODES, write, None))
    return json.loads(b"".join(pieces))


def versions(scan, prefix, limit):
    """What a scan of versions visits: keys, their values, and the commits that stored them."""
    found = []

    @VERSION_VISITOR
    def visit(key, length, version, _):
        value = ct.string_at(version[0].value, version[0].value_len)
        found.append((ct.string_at(key, length), value, version[0].seqno))
        return 0

    wanted = Range(ct.sizeof(Range), prefix=prefix, prefix_len=len(prefix), limit=limit)
    done(scan(ct.byref(wanted), visit))
    return found


class Transaction:
    """Reads of one moment of a store's tree, and writes that are committed at once."""

    def __init__(self, handle, tree):
        self.handle, self.tree = ct.c_void_p(handle), tree

    def get(self, key):
        """The value of a key, or None."""
        found = Version()
        is_there = done(c.masstree_txn_get(self.handle, self.tree, key, ct.c_size_t(len(key)),
                                           ct.byref(found)))
        return ct.string_at(found.value, found.value_len) if is_there else None

    def scan(self, prefix=b"", limit=0):
        """The keys that begin with a prefix, as Store.scan; its own writes have the commit 0."""
        return versions(lambda wanted, visit: c.masstree_txn_scan(
            self.handle, self.tree, wanted, visit, None, None), prefix, limit)

    def put(self, key, value):
        done(c.masstree_txn_put(self.handle, self.tree, key, ct.c_size_t(len(key)),
                                value, ct.c_size_t(len(value))))


class Store:
    """A store in a directory, with one tree."""

    def __init__(self, directory, name):
        self.store, self.tree = ct.c_void_p(), ct.c_void_p()
        done(c.masstree_store_open(os.fsencode(directory), None, ct.byref(self.store)))
        try:
            done(c.masstree_store_tree(self.store, name, ct.byref(self.tree)))
        except RuntimeError:
            self.close()
            raise

    def close(self):
        done(c.masstree_store_close(self.store))

    def write(self, entries):
        """Stores all entries at once; returns the commit's number when that is durable."""
        batch, commit = ct.c_void_p(), ct.c_uint64()
        done(c.masstree_batch_create(self.store, ct.byref(batch)))
        try:
            for key, value in entries:
                done(c.masstree_batch_put(batch, self.tree, key, ct.c_size_t(len(key)),
                                          value, ct.c_size_t(len(value))))
            done(c.masstree_store_commit(self.store, batch, ct.byref(commit), None))
        finally:
            c.masstree_batch_destroy(batch)
        done(c.masstree_store_wait(self.store, commit, ct.c_uint32(DURABLE)))
        return commit.value

    def transact(self, body):
        """Calls body(transaction), again if other commits have changed what it has read, and commits what it
        has done, unless it raises; returns the commit's number."""
        raised, commit = [], ct.c_uint64()

        @TXN_BODY
        def run(handle, _):
            try:
                body(Transaction(handle, self.tree))
                return 0
            except BaseException as error:  # an exception must not pass through C
                raised.append(error)
                return STOPPED

        status = c.masstree_store_transact(self.store, None, run, None, ct.byref(commit))
        if raised:
            raise raised[0]
        if not done(status):
            raise RuntimeError(c.masstree_strerror(status).decode())
        return commit.value

    def scan(self, prefix=b"", limit=0):
        """The keys that begin with a prefix, with their values and the commits that stored them."""
        return versions(lambda wanted, visit: c.masstree_scan_at(
            self.tree, None, wanted, LATEST, visit, None, None), prefix, limit)

    def changes(self, since=0):
        """What the commits behind a number have written: the commit, the tree, the key and the value of each."""
        found, cursor, change = [], ct.c_void_p(), Change()
        done(c.masstree_store_changes(self.store, ct.c_uint64(since), None, ct.byref(cursor)))
        try:
            while done(c.masstree_changes_next(cursor, ct.byref(change), None)):
                if change.kind == CHANGE_PUT:
                    found.append((change.commit, change.tree, ct.string_at(change.key, change.key_len),
                                  ct.string_at(change.value, change.value_len)))
        finally:
            c.masstree_changes_destroy(cursor)
        return found


def plot(title, numbers):
    print(f"\n{title}:")
    for i, number in enumerate(numbers):
        if number:
            print(f"{i:4} {number:9} " + "#" * max(1, 50 * number // max(numbers)))


parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
parser.add_argument("file", type=argparse.FileType("rb"))
parser.add_argument("--prefix", default="th")
args = parser.parse_args()

tree, word_count = ct.c_void_p(), ct.c_uint64()
done(c.masstree_create(None, ct.byref(tree)))
for word in re.findall(rb"\w+", args.file.read().lower()):
    count = ct.c_uint64()
    c.masstree_get(tree, None, word, ct.c_size_t(len(word)), ct.byref(count))
    done(c.masstree_put(tree, None, word, ct.c_size_t(len(word)), ct.c_uint64(count.value + 1)))

print(f"Words that begin with {args.prefix!r}:")
for key, value in scan(tree, args.prefix.encode(), limit=10):
    print(f"{value:9}  {key.decode(errors='replace')}")
facts = stats(tree)
print(f"\n{facts['keys']} words in {facts['leaves']} leaves, {facts['internodes']} internodes and "
      f"{facts['layers']} layers: {facts['node_bytes'] + facts['suffix_bytes']} bytes")
plot("Keys at each depth of layers", facts["keys_at"])
plot("Leaves at each depth of layers", facts["leaves_at"])

with tempfile.TemporaryDirectory() as directory:
    with contextlib.closing(Store(directory, b"words")) as store:
        first = store.write((key, str(value).encode()) for key, value in scan(tree))
        print(f"\nCommit {first} has stored {len(store.scan())} words durably.")
        begin = args.prefix.encode()

        def double(txn):
            for key, count, _ in txn.scan(begin):
                txn.put(key, str(2 * int(count)).encode())

        print(f"Commit {store.transact(double)} has doubled those that begin with {args.prefix!r}, at once.")
        try:
            store.transact(lambda txn: (txn.put(begin, b"lost"), int(txn.get(begin))))
        except ValueError:
            print("A transaction that raises changes nothing.")
    print("The store was closed and opened again:")
    with contextlib.closing(Store(directory, b"words")) as store:
        for key, value, commit in store.scan(args.prefix.encode(), limit=10):
            print(f"{value.decode():>9}  {key.decode(errors='replace')}, of commit {commit}")
        print(f"{len(store.changes())} changes are in the log, {len(store.changes(first))} of them behind commit {first}.")
