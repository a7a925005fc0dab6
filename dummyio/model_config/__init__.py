"""Answers questions about a configuration, whatever names it uses."""
