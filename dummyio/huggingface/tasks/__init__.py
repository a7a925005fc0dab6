"""Tasks and the model classes that do them."""
