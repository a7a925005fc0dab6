"""Token ids and their masks, pasts, labels, and decoder inputs."""
