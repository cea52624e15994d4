"""Bootstrap intervals against the normal distribution's."""

import numpy as np
import pytest

from basis_melgan.evaluation.intervals import estimated


def test_the_interval_of_many_scores_is_the_normal_one():
    scores = np.random.default_rng(1).normal(3.0, 0.5, size=400)
    mean, interval, clips = estimated(list(scores))
    half = 1.96 * scores.std() / 20
    assert (mean, clips) == (pytest.approx(scores.mean()), 400)
    assert interval == pytest.approx((mean - half, mean + half), abs=0.1 * half)
    assert estimated(list(scores)) == (mean, interval, clips)


def test_one_score_has_no_interval_and_equal_scores_an_empty_one():
    assert estimated([2.5]) == (2.5, None, 1)
    assert estimated([2.5, 2.5, 2.5]) == (2.5, (2.5, 2.5), 3)
