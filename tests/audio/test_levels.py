"""The level of a recording: kept below full scale, in no other scale, and not lost where channels cancel."""

import io
from pathlib import Path

import numpy as np
import pytest
import soundfile
from sound_formats import encode

from basis_melgan.audio import decoding, files
from basis_melgan.errors import AudioError, InputWarning

CLIPS = sorted((Path(__file__).parents[2] / "examples" / "clips").glob("*.flac"))
RATE = 24_000


@pytest.fixture(scope="module")
def speech() -> files.Wave:
    wave = files.read(CLIPS[0], 12_000, 24_000)[0]
    return wave / np.abs(wave).max()


def read_both_ways(path: Path, rate: int = RATE) -> tuple[files.Wave, list[str]]:
    """What a file is read as, in one piece and in many, and what is messages of it each time."""
    results = []
    for read in (lambda: files.read(path)[0], lambda: np.concatenate(list(files.stream(path, rate)))):
        with pytest.warns(InputWarning) as caught:
            results.append(read())
        assert [str(warning.message).split(": ", 1)[0] for warning in caught] == [str(path)] * len(caught)
        messages = [str(warning.message).split(": ", 1)[1] for warning in caught]
    np.testing.assert_allclose(results[0], results[1], atol=1e-6)
    return results[0], messages


@pytest.mark.parametrize("subtype", ["FLOAT", "DOUBLE"])
@pytest.mark.parametrize("gain", [1.001, 2.5, 10.0])
def test_a_recording_beyond_full_scale_is_scaled_below_it_by_one_gain(
    subtype: str, gain: float, speech: files.Wave, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(decoding, "BLOCK", 4_096)  # so that a stream knows of the peak before it comes
    path = tmp_path / "loud.wav"
    soundfile.write(path, gain * speech, RATE, subtype=subtype)
    wave, messages = read_both_ways(path)
    np.testing.assert_allclose(wave, speech * (1 - 2**-15), atol=1e-6)
    excess = np.count_nonzero(np.abs(gain * speech) > 1)
    level = f"{20 * np.log10(gain):.1f}"
    assert messages == [
        f"{excess} samples beyond full scale, up to +{level} dBFS; the recording is attenuated by {level} dB"
    ]
    files.write(tmp_path / "out.wav", wave, RATE)
    assert np.abs(files.read(tmp_path / "out.wav")[0] - wave).max() <= 2**-16 + 1e-7


def test_a_lossy_recording_beyond_full_scale_is_scaled_too(speech: files.Wave, tmp_path: Path) -> None:
    path = tmp_path / "loud.ogg"
    soundfile.write(path, np.sign(speech) * np.abs(speech) ** 0.2, RATE)
    assert np.abs(soundfile.read(path)[0]).max() > 1.01
    wave, messages = read_both_ways(path)
    assert np.abs(wave).max() == pytest.approx(1 - 2**-15, abs=1e-6)
    assert "samples beyond full scale" in messages[0]


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("subtype", ["PCM_16", "PCM_24", "PCM_32", "PCM_U8", "ULAW", "FLOAT", "DOUBLE"])
def test_full_scale_is_unchanged(subtype: str, speech: files.Wave, tmp_path: Path) -> None:
    path = tmp_path / "full.wav"
    soundfile.write(path, np.clip(4 * speech, -1, 1), RATE, subtype=subtype)
    stored = soundfile.read(path, dtype="float32")[0]
    np.testing.assert_array_equal(files.read(path)[0], stored)
    np.testing.assert_array_equal(np.concatenate(list(files.stream(path, RATE))), stored)
    soundfile.write(path, np.array([-32_768 / 32_767, 0.5]), RATE, subtype="FLOAT")  # as other converters have -1
    assert files.read(path)[0][0] == np.float32(-32_768 / 32_767)


@pytest.mark.parametrize(("bits", "peak"), [(16, 300.0), (16, 32_768.0), (24, 8_000_000.0), (32, 2.0**31)])
def test_floats_in_the_scale_of_integers_are_refused(
    bits: int, peak: float, speech: files.Wave, tmp_path: Path
) -> None:
    path = tmp_path / "integers.wav"
    soundfile.write(path, peak * speech, RATE, subtype="FLOAT")
    for read in (lambda: files.read(path), lambda: list(files.stream(path, RATE))):
        with pytest.raises(
            AudioError, match=rf"integers\.wav: floating point with a peak of \d+, .* {bits}-bit integers"
        ):
            read()
    message = rf"standard input: .* divide by {1 << bits - 1}: ffmpeg -i IN -af volume=1/{1 << bits - 1}"
    with pytest.raises(AudioError, match=message):
        list(files.stream(io.BytesIO(path.read_bytes()), RATE))


@pytest.mark.parametrize("balance", [(1.0, -1.0), (0.9, -1.0), (0.5, -0.5, 0.0)])
def test_the_loudest_of_canceling_channels_is_used(balance: tuple, speech: files.Wave, tmp_path: Path) -> None:
    path = tmp_path / "inverted.wav"
    channels = np.stack([factor * speech for factor in balance], axis=1)
    soundfile.write(path, channels, RATE, subtype="PCM_16")
    wave, messages = read_both_ways(path)
    channel = int(np.abs(balance).argmax())
    np.testing.assert_allclose(wave, channels[:, channel], atol=1.01 * 2**-15)
    assert len(messages) == 1
    assert messages[0].startswith("its channels cancel (")
    assert messages[0].endswith(f"only channel {channel + 1} is used")


@pytest.mark.filterwarnings("error")
def test_channels_that_do_not_cancel_are_averaged(speech: files.Wave, tmp_path: Path) -> None:
    noise = np.random.default_rng(0).normal(0, 0.1, len(speech))
    delayed = np.roll(speech, 100)
    for channels in ([speech, speech], [speech, 0 * speech], [0 * speech] * 2, [speech, noise], [speech, delayed]):
        path = tmp_path / "stereo.wav"
        soundfile.write(path, np.stack(channels, axis=1), RATE, subtype="FLOAT")
        expected = np.mean(channels, axis=0)
        np.testing.assert_allclose(files.read(path)[0], expected, atol=1e-6)
        np.testing.assert_allclose(np.concatenate(list(files.stream(path, RATE))), expected, atol=1e-6)
    path.write_bytes(encode(np.stack([speech] + [0 * speech] * 5, axis=1), RATE, "WAV"))  # one microphone of six
    np.testing.assert_allclose(files.read(path)[0], speech / 6, atol=2**-15)


def test_several_issues_of_one_recording_are_reported(speech: files.Wave, tmp_path: Path) -> None:
    path = tmp_path / "both.wav"
    soundfile.write(path, np.stack([2 * speech, -2 * speech], axis=1), RATE, subtype="FLOAT")
    wave, messages = read_both_ways(path)
    np.testing.assert_allclose(np.abs(wave), np.abs(speech) * (1 - 2**-15), atol=1e-6)
    assert len(messages) == 2
