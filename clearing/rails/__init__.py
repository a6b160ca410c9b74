"""What carries instructions to banks."""
