"""The source part: an image to bytes under a learned entropy model, and back."""
