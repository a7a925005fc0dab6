"""Inputs of denoisers and autoencoders."""
