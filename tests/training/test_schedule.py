"""Learning rates as functions of the step."""

import pytest
import torch

from basis_melgan.cli.parser import load
from basis_melgan.training.schedule import averaging_decay, noam, pace, set_rate, shortened, trapezoid


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
    optimizer = torch.optim.Adam([{"params": [one]}, {"params": [two], "share": 0.1}])
    for rate in (1e-3, 5e-2):
        set_rate(optimizer, rate)
        assert [group["lr"] for group in optimizer.param_groups] == pytest.approx([rate, 0.1 * rate])


@pytest.mark.parametrize("preset", ["paper", "cpu", "fast", "tiny"])
@pytest.mark.parametrize("steps", [1, 2, 10, 250, 2_000, 1_000_000])
def test_every_preset_reaches_its_rate_and_ends_near_nothing_in_any_number_of_steps(preset: str, steps: int) -> None:
    training = load(preset).vocoder_training
    faster = pace(steps, training.warmup_steps, training.decay_steps)
    ramps = (training.warmup_steps, training.decay_steps, faster)
    factors = [trapezoid(step, steps, *ramps) for step in range(0, steps, max(1, steps // 10_000))]
    assert max(factors) == pytest.approx(1.0, abs=min(1.0, 4.0 / steps) if steps < 3 else 0.1)
    if training.decay_steps:
        assert trapezoid(steps - 1, steps, *ramps) <= max(faster, 1.0) / training.decay_steps + 1e-9
    if faster == 1.0:
        assert factors == [
            trapezoid(step, steps, training.warmup_steps, training.decay_steps)
            for step in range(0, steps, max(1, steps // 10_000))
        ]


@pytest.mark.parametrize("steps", [20, 250, 2_000])
def test_noam_reaches_its_peak_in_any_number_of_steps_and_passes_none(steps: int) -> None:
    for preset in ("paper", "cpu", "fast", "tiny"):
        training = load(preset).separator_training
        faster = pace(steps, training.warmup_steps, training.decay_steps)
        rates = [noam(step, 256, training.warmup_steps, faster) for step in range(steps)]
        assert max(rates) == pytest.approx(noam(training.warmup_steps - 1, 256, training.warmup_steps), rel=0.1)


def test_a_short_training_keeps_the_shape_of_a_long_one() -> None:
    short, long = (
        [trapezoid(step, steps, 500, 9_500, pace(steps, 500, 9_500)) for step in range(steps)]
        for steps in (100, 10_000)
    )
    assert short == pytest.approx(long[99::100], abs=0.011)


def test_shortened_ramps_are_told() -> None:
    assert shortened(250, 500, 10_000) == (
        "250 steps are too few for a warmup of 500 and a cooldown of 10000, which become 12 and 238"
    )
    assert shortened(10_500, 500, 10_000) == shortened(1, 0, 0) == ""


def test_an_average_holds_what_a_short_training_has_learned() -> None:
    share_of_the_first = 1.0
    for updates in range(1, 250):
        share_of_the_first *= averaging_decay(updates, 0.999)
    assert share_of_the_first < 1e-9  # 0.78 at a decay of 0.999 throughout
    assert averaging_decay(100_000, 0.999) == 0.999
    assert averaging_decay(5, 0.0) == 0.0
