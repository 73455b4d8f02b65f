"""Tells people: the outbox, its receivers, metrics, Sentry."""
