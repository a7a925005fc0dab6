"""What a person writes of inputs: each input from nothing, a spec by hand, and shapes and bounds for a description."""
