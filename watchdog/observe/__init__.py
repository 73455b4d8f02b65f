"""Reads the world and changes nothing in it: platforms, sources, probes."""
