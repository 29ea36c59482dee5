"""A browser that is not there, and one that is."""

import pytest

from benchmarks import chromium
from models.errors import InputError


def test_a_missing_browser_is_named(monkeypatch):
    monkeypatch.setenv("PATH", "")
    with pytest.raises(InputError, match="no browser; accepted: one of chromium"):
        chromium.program()
    with pytest.raises(InputError), chromium.browser():
        pass


def test_waiting(monkeypatch):
    try:
        chromium.program()
    except InputError as error:
        pytest.skip(str(error))
    with chromium.browser() as browser:
        page = browser.new_page()
        page.evaluate("setTimeout(() => { window.there = 7; }, 50)")
        assert chromium.wait_until(page, "window.there") == 7
        monkeypatch.setattr(chromium, "WAIT", 0)
        with pytest.raises(TimeoutError, match="window.never"):
            chromium.wait_until(page, "window.never")
