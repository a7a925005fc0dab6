"""Description: the spec of a model, from its declarations and from traces of it."""
