"""What a folder of a stranger may hold besides files."""

import os

import pytest

needs_pipes = pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="Windows has no such pipes in folders")
