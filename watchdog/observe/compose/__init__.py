"""Compose projects as a platform: what Docker says of them, and what a later rollback needs."""
