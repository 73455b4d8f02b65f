"""`watchdog demo`: a small service with traffic, broken on purpose, guarded by the real engine."""
