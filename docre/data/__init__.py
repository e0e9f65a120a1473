"""From files to batches: readers, features, cache, sampling, collation and data modules."""
