"""From parameters to pictures, and back from a file to its parameters."""
