"""Keras models, on whichever of its backends they run: their declared inputs, and the model as a function of them."""
