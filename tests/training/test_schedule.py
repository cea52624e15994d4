"""Learning rates as functions of the step."""

import pytest
import torch

from basis_melgan.cli.parser import load
from basis_melgan.training.schedule import (
    LR_SCALE,
    ema_decay,
    noam_factor,
    ramp_speed,
    set_learning_rate,
    short_training_note,
    trapezoid_factor,
)


@pytest.mark.parametrize(("width", "warmup"), [(256, 4_000), (32, 20)])
def test_noam_rises_linearly_and_falls_with_the_inverse_root(width: int, warmup: int) -> None:
    peak = (width * warmup) ** -0.5
    assert noam_factor(warmup - 1, width, warmup) == pytest.approx(peak)
    assert noam_factor(0, width, warmup) == pytest.approx(peak / warmup)
    assert noam_factor(warmup // 4 - 1, width, warmup) == pytest.approx(peak / 4)
    assert noam_factor(4 * warmup - 1, width, warmup) == pytest.approx(peak / 2)
    assert noam_factor(100 * warmup - 1, width, warmup) == pytest.approx(peak / 10)


def test_noam_without_warmup_falls_from_the_start() -> None:
    assert [noam_factor(step, 4, 0) for step in (0, 3, 99)] == pytest.approx([0.5, 0.25, 0.05])


def test_noam_equals_the_papers_rate_at_its_sizes() -> None:
    assert noam_factor(3_999, 256, 4_000) == pytest.approx(9.882e-4, rel=1e-3)


def test_trapezoid_corners() -> None:
    factors = [trapezoid_factor(step, 100, warmup=10, decay=20) for step in range(100)]
    assert factors[:10] == pytest.approx([0.1 * (step + 1) for step in range(10)])
    assert factors[10:81] == [1.0] * 71
    assert factors[80:] == pytest.approx([(100 - step) / 20 for step in range(80, 100)])


def test_trapezoid_without_ramps_is_one() -> None:
    assert [trapezoid_factor(step, 5, 0, 0) for step in range(5)] == [1.0] * 5


def test_every_parameter_group_has_its_scaled_learning_rate() -> None:
    parameters = [torch.nn.Parameter(torch.zeros(1)) for _ in range(2)]
    optimizer = torch.optim.Adam([{"params": parameters[:1]}, {"params": parameters[1:], LR_SCALE: 0.1}])
    for rate in (1e-3, 5e-2):
        set_learning_rate(optimizer, rate)
        assert [group["lr"] for group in optimizer.param_groups] == pytest.approx([rate, 0.1 * rate])


@pytest.mark.parametrize("preset", ["paper", "cpu", "fast", "tiny"])
@pytest.mark.parametrize("steps", [1, 2, 10, 250, 2_000, 1_000_000])
def test_every_preset_reaches_its_rate_and_ends_near_zero_for_any_length(preset: str, steps: int) -> None:
    training = load(preset).vocoder_training
    speed = ramp_speed(steps, training.warmup_steps, training.decay_steps)
    ramps = (training.warmup_steps, training.decay_steps, speed)
    factors = [trapezoid_factor(step, steps, *ramps) for step in range(0, steps, max(1, steps // 10_000))]
    assert max(factors) == pytest.approx(1.0, abs=min(1.0, 4.0 / steps) if steps < 3 else 0.1)
    if training.decay_steps:
        assert trapezoid_factor(steps - 1, steps, *ramps) <= max(speed, 1.0) / training.decay_steps + 1e-9
    if speed == 1.0:
        assert factors == [
            trapezoid_factor(step, steps, training.warmup_steps, training.decay_steps)
            for step in range(0, steps, max(1, steps // 10_000))
        ]


@pytest.mark.parametrize("steps", [20, 250, 2_000])
def test_noam_reaches_but_does_not_exceed_its_peak_for_any_length(steps: int) -> None:
    for preset in ("paper", "cpu", "fast", "tiny"):
        training = load(preset).separator_training
        speed = ramp_speed(steps, training.warmup_steps, training.decay_steps)
        rates = [noam_factor(step, 256, training.warmup_steps, speed) for step in range(steps)]
        assert max(rates) == pytest.approx(noam_factor(training.warmup_steps - 1, 256, training.warmup_steps), rel=0.1)


def test_short_training_has_the_schedule_of_a_long_one() -> None:
    short, long = (
        [trapezoid_factor(step, steps, 500, 9_500, ramp_speed(steps, 500, 9_500)) for step in range(steps)]
        for steps in (100, 10_000)
    )
    assert short == pytest.approx(long[99::100], abs=0.011)


def test_shortened_ramps_are_reported() -> None:
    assert short_training_note(250, 500, 10_000) == (
        "250 steps are too few for a warmup of 500 and a decay of 10000 steps; they are shortened to 12 and 238"
    )
    assert short_training_note(10_500, 500, 10_000) == short_training_note(1, 0, 0) == ""


def test_average_of_a_short_training_forgets_the_initial_weights() -> None:
    initial_fraction = 1.0
    for updates in range(1, 250):
        initial_fraction *= ema_decay(updates, 0.999)
    assert initial_fraction < 1e-9  # 0.78 at a decay of 0.999 throughout
    assert ema_decay(100_000, 0.999) == 0.999
    assert ema_decay(5, 0.0) == 0.0
