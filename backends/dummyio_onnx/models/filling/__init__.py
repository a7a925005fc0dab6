"""From the tensors of a call to the feeds of a graph."""
