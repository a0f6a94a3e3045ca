"""The `digress` command: parses, calls a use case, shows its events."""
