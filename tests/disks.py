"""A disk that takes no more: for a while, no file of this process may become longer than a limit."""

import contextlib
from collections.abc import Iterator

import pytest


@contextlib.contextmanager
def longest_file(size: int) -> Iterator[None]:
    """Let every write beyond so many bytes of a file fail; what a test prints is such a file too."""
    resource = pytest.importorskip("resource", reason="limits of POSIX")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
