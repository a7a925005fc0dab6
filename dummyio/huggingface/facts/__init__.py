"""Facts of a model from source text and from quirks."""
