"""What a folder of a stranger may hold besides files, and a disk that refuses."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

needs_pipes = pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="Windows has no such pipes in folders")


@contextmanager
def longest_file(length: int) -> Iterator[None]:
    """Let this process write no file beyond a length, as a full disk or a file system does."""
    import resource  # Windows has none

    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (length, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
