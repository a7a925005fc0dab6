"""The tokens that images, videos and audio take in a text."""
