"""Robustness: the response measures, and the pretrained models' responses to jitter and chunking."""

import math
from pathlib import Path

import numpy as np
import pytest

from basis_melgan.audio import files
from basis_melgan.audio.arrays import Float32Array
from basis_melgan.export.robustness import MAX_CHANGE, MIN_SNR, Response, chunk_response, jitter_response, response
from basis_melgan.inference.loading import load_vocoder
from basis_melgan.inference.pretrained import pretrained_path
from basis_melgan.inference.vocoder import Vocoder

CLIPS = Path(__file__).parents[2] / "examples" / "clips"
# On these clips, jitter changed samples by up to 0.65 in models with 8 bits in every layer.
SENSITIVE = ("ru_0063", "ru_0274", "ru_0466")


@pytest.fixture(scope="module", params=["speech-24k", "speech-24k-small", "speech-24k-live"])
def vocoder(request: pytest.FixtureRequest) -> Vocoder:
    return Vocoder.load(request.param)


@pytest.fixture(scope="module")
def mels(vocoder: Vocoder) -> list[Float32Array]:
    return [vocoder.mel(*files.read(CLIPS / f"{clip}.flac")) for clip in SENSITIVE]


def test_response_has_the_largest_change_and_the_snr() -> None:
    expected = np.array([0.5, -0.5, 0.5, -0.5], np.float32)
    measured = response(expected, expected + np.array([0.0, 0.0, 0.01, 0.0], np.float32))
    assert measured.change == pytest.approx(0.01, rel=1e-4)
    assert measured.snr == pytest.approx(10.0 * math.log10(1.0 / 1e-4), abs=1e-3)
    assert measured.energy == pytest.approx(1e-4, rel=1e-3)
    assert response(expected, expected) == Response(0.0, math.inf, 0.0)
    combined = measured | Response(0.2, 60.0, 0.5)
    assert (combined.change, combined.snr) == (0.2, measured.snr)
    assert combined.energy == pytest.approx(0.5001)


@pytest.mark.parametrize(
    ("measured", "reference", "within"),
    [
        (Response(1.9e-3, 46.0), Response(1e-4, 80.0), True),
        (Response(2.1e-3, 46.0), Response(1e-4, 80.0), False),
        (Response(1e-3, 44.0), Response(1e-4, 80.0), False),
        (Response(5e-3, 40.0), Response(6e-3, 39.0), True),  # floating point exceeds the limits too
    ],
)
def test_reference_beyond_the_limits_replaces_them(measured: Response, reference: Response, within: bool) -> None:
    assert measured.within(reference) is within


def test_pretrained_models_are_robust_to_jitter(vocoder: Vocoder, mels: list[Float32Array]) -> None:
    measured = jitter_response(vocoder, mels, seeds=3)
    assert 0.0 < measured.change <= MAX_CHANGE
    assert measured.snr >= MIN_SNR


def test_pretrained_models_synthesize_chunks_like_the_whole(vocoder: Vocoder, mels: list[Float32Array]) -> None:
    measured = chunk_response(vocoder, [mel[:, :150] for mel in mels], (1, 2, 7, 50))
    assert measured.change <= MAX_CHANGE
    assert measured.snr >= MIN_SNR


def test_openvino_agrees_with_onnx_runtime(vocoder: Vocoder, mels: list[Float32Array]) -> None:
    openvino = load_vocoder(pretrained_path(vocoder.info.name, ".onnx"), backend="openvino")
    for mel in mels:
        measured = response(vocoder(mel), openvino(mel))
        assert measured.change <= MAX_CHANGE
        assert measured.snr >= MIN_SNR
