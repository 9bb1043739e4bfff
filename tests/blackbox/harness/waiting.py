"""Waiting for conditions. Tests never sleep for a fixed time: they say what they wait for, and fail saying it."""

import os
import time

# Seconds until a wait is given up. Only a failing test ever waits so long, so a slow machine costs nothing.
PATIENCE = float(os.environ.get("RILLGATE_TEST_PATIENCE", "20"))


def wait_until(condition, what, within=PATIENCE):
    """Returns the first true value of condition(); fails with `what` when there is none within that many seconds."""
    deadline = time.monotonic() + within
    while True:
        value = condition()
        if value:
            return value
        assert time.monotonic() < deadline, f"waited {within:g} s in vain: {what}"
        time.sleep(0.01)
