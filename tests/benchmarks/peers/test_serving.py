"""What every driver of a peer shares."""

import subprocess
import sys


def test_requests_are_answered_and_what_the_peer_prints_is_apart(driver_code):
    command = [sys.executable, "-c", driver_code, "128", "1"]
    asked = "steps 1\nsteps 2\n"
    done = subprocess.run(command, input=asked, capture_output=True, text=True, check=True)
    ready, first, second = done.stdout.splitlines()
    assert ready == "ready" and "not an answer 128" in done.stderr
    assert float(first.removeprefix("seconds ")) >= 0.01
    assert float(second.removeprefix("seconds ")) >= 0.02
