"""A trained generator: load, sample, write, export."""
