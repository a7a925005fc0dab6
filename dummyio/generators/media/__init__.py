"""Images, videos and audio."""
