"""Frozen values, and nothing else. Every other folder imports these; these import only each other."""
