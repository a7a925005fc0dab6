"""The base class of generators, the context that they share, and default sizes of dims."""
