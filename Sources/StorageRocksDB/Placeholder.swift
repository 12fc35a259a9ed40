// StorageRocksDB
