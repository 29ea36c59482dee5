"""A real browser without a window: Chromium, driven by Playwright."""

import contextlib
import shutil
import time

from models.errors import InputError

PROGRAMS = ("chromium", "chromium-browser", "google-chrome")  # as systems name it
SIZE = {"width": 1280, "height": 800}  # pixels of the window: a laptop's


def program():
    """The path of Chromium; InputError where it is not installed."""
    for name in PROGRAMS:
        if path := shutil.which(name):
            return path
    raise InputError(f"no browser; accepted: one of {', '.join(PROGRAMS)} installed")


WAIT = 60  # seconds at most, on a busy machine


def wait_until(page, expression):
    """Wait until an expression of JavaScript is true on a page, and give its value.

    Playwright's own wait_for_function evaluates texts on the page, which a content security policy
    forbids.
    """
    started = time.monotonic()
    while not (value := page.evaluate(expression)):
        if time.monotonic() - started > WAIT:
            raise TimeoutError(f"after {WAIT} s not true: {expression}")
        page.wait_for_timeout(20)
    return value


@contextlib.contextmanager
def browser():
    """Start Chromium: yields Playwright's Browser; InputError where it is not installed."""
    path = program()
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        # without the sandbox, which needs rights that a container does not give
        started = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        try:
            yield started
        finally:
            started.close()
