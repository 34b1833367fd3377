"""Long curves made short."""

import math

from runs.curves import lttb

WAVE = [(float(x), math.sin(x / 50)) for x in range(5000)]


def test_a_short_curve_stays_as_it_is() -> None:
    assert lttb(WAVE[:10], 10) == WAVE[:10]


def test_a_long_curve_has_as_many_points_as_asked_with_its_ends() -> None:
    short = lttb(WAVE, 100)
    assert len(short) == 100
    assert (short[0], short[-1]) == (WAVE[0], WAVE[-1])


def test_a_single_spike_survives() -> None:
    spiked = [*WAVE[:2500], (2500.0, 40.0), *WAVE[2501:]]
    assert (2500.0, 40.0) in lttb(spiked, 50)


def test_the_points_stay_in_order() -> None:
    xs = [x for x, _ in lttb(WAVE, 333)]
    assert xs == sorted(set(xs))
