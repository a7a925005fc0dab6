"""What a subclass of a configuration states in its class attributes: generators, and functions that an export replaces."""
