"""Hugging Face models: what their configurations and their library's own files say of their inputs."""
