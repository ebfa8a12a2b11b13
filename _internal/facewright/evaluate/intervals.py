"""How far a figure may be trusted: bootstrap intervals over frames that resemble their neighbours.

Neighbouring frames say nearly the same, so single frames must not be drawn: whole blocks of successive frames are
(Künsch, "The jackknife and the bootstrap for general stationary observations", Annals of Statistics 17, 1989). The
interval says what another stretch of the same kind of video would give; what another person, another light or another
training would give it does not know.
"""

from collections.abc import Callable, Iterator, Mapping

import numpy as np
from numpy.typing import NDArray

BLOCK = 25  # frames: a second of most videos
DRAWS = 500
SEED = 20_261_130
FEWEST = 8  # frames from which an interval is given
TAIL = 2.5  # per cent on each side

Interval = tuple[float, float]
Rows = NDArray[np.int64]


def block_draws(count: int, draws: int = DRAWS, block: int = BLOCK, seed: int = SEED) -> Iterator[Rows]:
    """Yield drawn rows, `count` each: successive ones come in blocks.

    Args:
        count: Rows in order of time.
        draws: How often all rows are drawn.
        block: Rows of a block; of few rows a quarter at most.
        seed: The same seed gives the same draws.
    """
    random = np.random.default_rng(seed)
    length = max(1, min(block, count // 4))
    for _ in range(draws):
        starts = random.integers(0, count - length + 1, -(-count // length))
        yield (starts[:, None] + np.arange(length)).ravel()[:count]


def intervals(statistics: Mapping[str, Callable[[Rows], float]], count: int) -> dict[str, Interval | None]:
    """Return the central 95 % of statistics over the same block draws; None where one is not known, see `central`.

    Args:
        statistics: Name -> from the drawn rows to a number.
        count: Rows in order of time.
    """
    if count < FEWEST:
        return dict.fromkeys(statistics)
    found = [[statistic(rows) for statistic in statistics.values()] for rows in block_draws(count)]
    return {name: central(column, count) for name, column in zip(statistics, np.array(found).T, strict=True)}


def central(found: NDArray[np.float64], count: int) -> Interval | None:
    """Return the central 95 % of numbers that came of draws; None where most are not known, or of fewer than 8 rows.

    Args:
        found: One number per draw.
        count: Rows that were drawn from.
    """
    known = found[np.isfinite(found)]
    if count < FEWEST or 2 * len(known) < len(found):
        return None
    low, high = np.percentile(known, [TAIL, 100 - TAIL])
    return float(low), float(high)
