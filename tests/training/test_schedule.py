"""Learning rates as functions of the step."""

import pytest
import torch

from basis_melgan.training.schedule import noam, set_rate, trapezoid


@pytest.mark.parametrize(("width", "warmup"), [(256, 4_000), (32, 20)])
def test_noam_rises_linearly_and_falls_as_the_root(width: int, warmup: int) -> None:
    peak = (width * warmup) ** -0.5
    assert noam(warmup - 1, width, warmup) == pytest.approx(peak)
    assert noam(0, width, warmup) == pytest.approx(peak / warmup)
    assert noam(warmup // 4 - 1, width, warmup) == pytest.approx(peak / 4)
    assert noam(4 * warmup - 1, width, warmup) == pytest.approx(peak / 2)
    assert noam(100 * warmup - 1, width, warmup) == pytest.approx(peak / 10)


def test_noam_without_warmup_only_falls() -> None:
    assert [noam(step, 4, 0) for step in (0, 3, 99)] == pytest.approx([0.5, 0.25, 0.05])


def test_noam_is_the_papers_at_the_papers_sizes() -> None:
    assert noam(3_999, 256, 4_000) == pytest.approx(9.882e-4, rel=1e-3)


def test_trapezoid_has_its_corners() -> None:
    factors = [trapezoid(step, 100, warmup=10, cooldown=20) for step in range(100)]
    assert factors[:10] == pytest.approx([0.1 * (step + 1) for step in range(10)])
    assert factors[10:81] == [1.0] * 71
    assert factors[80:] == pytest.approx([(100 - step) / 20 for step in range(80, 100)])


def test_trapezoid_without_ramps_is_flat() -> None:
    assert [trapezoid(step, 5, 0, 0) for step in range(5)] == [1.0] * 5


def test_every_group_gets_its_share_of_the_rate() -> None:
    one, two = torch.nn.Parameter(torch.zeros(1)), torch.nn.Parameter(torch.zeros(1))
    optimiser = torch.optim.Adam([{"params": [one]}, {"params": [two], "share": 0.1}])
    for rate in (1e-3, 5e-2):
        set_rate(optimiser, rate)
        assert [group["lr"] for group in optimiser.param_groups] == pytest.approx([rate, 0.1 * rate])
