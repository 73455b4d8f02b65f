"""The config: read, checked to the last key, and resolved into values. Errors name file, line, key and the expected."""
