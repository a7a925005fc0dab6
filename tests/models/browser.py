"""A real browser for the tests of pages: the one that is there."""

import os
import shutil

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome", "msedge")


def find_browser():
    """Return the path of a browser of Chromium's kind: what DUMMYIO_BROWSER says, else the first on the PATH."""
    given = os.environ.get("DUMMYIO_BROWSER")
    return given or next((found for found in map(shutil.which, NAMES) if found), None)
