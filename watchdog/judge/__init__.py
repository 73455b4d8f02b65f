"""Pure functions from numbers to decisions: no I/O, no clock."""
