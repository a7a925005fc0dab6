"""Tokens from steps: by Transformers' own generation where it is installed, else by a greedy loop."""
