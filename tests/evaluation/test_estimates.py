"""Bootstrap intervals against those of the normal distribution."""

import numpy as np
import pytest

from basis_melgan.evaluation.estimates import Estimate, bootstrap_mean


def test_the_interval_of_many_scores_is_that_of_the_normal_distribution():
    scores = np.random.default_rng(1).normal(3.0, 0.5, size=400)
    estimate = bootstrap_mean(list(scores))
    half = 1.96 * scores.std() / 20
    assert (estimate.mean, estimate.clips) == (pytest.approx(scores.mean()), 400)
    assert estimate.interval == pytest.approx((estimate.mean - half, estimate.mean + half), abs=0.1 * half)
    assert bootstrap_mean(list(scores)) == estimate


def test_one_score_has_no_interval_and_equal_scores_a_zero_width_one():
    assert bootstrap_mean([2.5]) == Estimate(2.5, None, 1)
    assert bootstrap_mean([2.5, 2.5, 2.5]) == Estimate(2.5, (2.5, 2.5), 3)
