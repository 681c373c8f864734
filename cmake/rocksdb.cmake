# Looks for the version of RocksDB that integrations/rocksdb supports, and a C++ compiler.
include(CheckLanguage)

# Sets MASSTREE_ROCKSDB_FOUND.
function(masstree_find_rocksdb)
  set(MASSTREE_ROCKSDB_FOUND OFF PARENT_SCOPE)
  find_path(MASSTREE_ROCKSDB_INCLUDE_DIR rocksdb/memtablerep.h)
  find_library(MASSTREE_ROCKSDB_LIBRARY rocksdb)
  mark_as_advanced(MASSTREE_ROCKSDB_INCLUDE_DIR MASSTREE_ROCKSDB_LIBRARY)
  if(NOT MASSTREE_ROCKSDB_INCLUDE_DIR OR NOT MASSTREE_ROCKSDB_LIBRARY)
    return()
  endif()
  check_language(CXX)
  file(STRINGS "${MASSTREE_ROCKSDB_INCLUDE_DIR}/rocksdb/version.h" version
    REGEX "^#define ROCKSDB_(MAJOR|MINOR) ")
  if(CMAKE_CXX_COMPILER AND version MATCHES "MAJOR 7;#define ROCKSDB_MINOR 8")
    set(MASSTREE_ROCKSDB_FOUND ON PARENT_SCOPE)
  else()
    message(STATUS "The memtable for RocksDB is not built: it needs RocksDB 7.8 and a C++ compiler")
  endif()
endfunction()
