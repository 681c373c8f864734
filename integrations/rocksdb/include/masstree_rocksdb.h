/**
 * @file
 * A memtable for RocksDB over libmasstree.
 *
 * A program that loads libmasstree-rocksdb.so needs no call: when it is loaded, the library registers
 * the name `masstree` for memtable_factory. A program that links the static library calls one of
 * these functions, or the linker leaves it out.
 */
#ifndef MASSTREE_ROCKSDB_H
#define MASSTREE_ROCKSDB_H

#include <memory>

#include <rocksdb/rocksdb_namespace.h>

namespace ROCKSDB_NAMESPACE {
class MemTableRepFactory;
}

namespace masstree_rocksdb {

/**
 * Registers the name `masstree` with RocksDB's default object library, unless it is registered
 * already, so that options strings, OPTIONS files and db_bench's --memtablerep accept it.
 *
 * @return Whether the name is registered: false if the RocksDB in this process is of another version
 *         than the one for which this library was compiled.
 *
 * Thread safety: any thread.
 */
[[gnu::visibility("default")]] bool Register();

/**
 * Returns a new factory, for ColumnFamilyOptions::memtable_factory. It registers the name, too, so
 * that the OPTIONS file of the database can be read; its memtables are skip lists if Register()
 * returns false.
 *
 * Thread safety: any thread.
 */
[[gnu::visibility("default")]] std::shared_ptr<ROCKSDB_NAMESPACE::MemTableRepFactory> NewFactory();

} // namespace masstree_rocksdb

#endif
