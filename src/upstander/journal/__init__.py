"""The journal: an append-only, hash-chained log in SQLite (WAL, fsync on commit), its snapshots and its check."""
