// RocksDB's C interface. Imported by the target StorageRocksDB alone.
#include <rocksdb/c.h>
