"""For every test: what a property test may take is the runner's matter, not hypothesis's."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

# On a busy machine a slow example says nothing about the code. The parent is hypothesis's own profile: "ci" under CI.
settings.register_profile("patient", settings.default, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("patient")
