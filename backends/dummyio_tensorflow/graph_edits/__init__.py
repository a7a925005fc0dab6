"""Changes of a graph before its variables become constants, so that every format can carry it."""
