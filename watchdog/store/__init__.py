"""Where the state lives between any two steps."""
