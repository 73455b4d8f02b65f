"""Brings a Helm release back to an earlier revision: what that would meet, and the rollback."""
