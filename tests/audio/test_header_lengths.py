"""Sound is read to the end of the data, whatever the header says of its length, and what is missing is messages."""

import io
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from sound_formats import (
    APEV2,
    CONTAINERS,
    ID3V1,
    UNSIZED,
    encode,
    id3v2,
    with_frame_count,
    with_sample_count,
    with_size,
    without_tag,
)

from basis_melgan.audio import decoding, files
from basis_melgan.errors import AudioError, InputWarning

CLIPS = sorted((Path(__file__).parents[2] / "examples" / "clips").glob("*.flac"))
RATE = 24_000
SAMPLES = 30_000
GARBAGE = np.random.default_rng(0).bytes(5_000)


@pytest.fixture(scope="module")
def speech() -> files.Wave:
    return files.read(CLIPS[0], 12_000, SAMPLES)[0]


@pytest.fixture(scope="module")
def mp3(speech: files.Wave) -> bytes:
    """Speech and silence, so that a bit rate at the beginning says nothing of the size of the whole."""
    wave = np.concatenate([speech, np.zeros(4 * RATE, np.float32)])
    return encode(wave, RATE, "MP3", bitrate_mode="VARIABLE", compression_level=0.5)


def decode(content: bytes, folder: Path) -> files.Recording:
    """A decoded file, after checking that `load`, `stream` and `read` agree, from a path and from standard input."""
    path = folder / "sound.bin"
    path.write_bytes(content)
    recording = files.load(path)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        streamed = np.concatenate(list(files.stream(io.BytesIO(content), recording.rate)))
    np.testing.assert_array_equal(streamed, recording.wave)
    messages = [str(warning.message) for warning in caught if warning.category is InputWarning]
    assert messages == [f"standard input: {issue}" for issue in recording.issues.values()]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", InputWarning)
        np.testing.assert_array_equal(files.read(path, 1_000, 500)[0], recording.wave[1_000:1_500])
    return recording


@pytest.mark.parametrize("container", CONTAINERS)
@pytest.mark.parametrize("size", [*UNSIZED, -1])
def test_an_unknown_length_is_that_of_the_data(container: str, size: int, speech: files.Wave, tmp_path: Path) -> None:
    content = CONTAINERS[container](speech, RATE)
    recording = decode(with_size(content, size), tmp_path)
    np.testing.assert_array_equal(recording.wave, files.quantize_pcm16(speech))
    assert recording.issues == {}
    assert files.length(io.BytesIO(with_size(content, size))) == (SAMPLES, RATE)


@pytest.mark.parametrize("container", CONTAINERS)
def test_a_truncated_file_is_read_and_its_loss_reported(container: str, speech: files.Wave, tmp_path: Path) -> None:
    content = CONTAINERS[container](speech, RATE)
    recording = decode(content[: len(content) * 2 // 3], tmp_path)
    assert len(recording.wave) == pytest.approx(SAMPLES * 2 / 3, abs=2_000)
    np.testing.assert_array_equal(recording.wave, files.quantize_pcm16(speech)[: len(recording.wave)])
    assert "the end is missing, so the file is truncated" in recording.issues["incomplete"]


@pytest.mark.parametrize("container", CONTAINERS)
def test_trailing_bytes_are_skipped_and_reported(container: str, speech: files.Wave, tmp_path: Path) -> None:
    content = CONTAINERS[container](speech, RATE)
    for behind in (GARBAGE, content):
        recording = decode(content + behind, tmp_path)
        np.testing.assert_array_equal(recording.wave, files.quantize_pcm16(speech))
        assert recording.issues["incomplete"].startswith(f"{len(behind)} bytes after the sound that its header states")
    for small in (ID3V1, APEV2, b"\x00" * 100):
        recording = decode(content + small, tmp_path)
        np.testing.assert_array_equal(recording.wave, files.quantize_pcm16(speech))
        assert recording.issues == {}


def test_chunks_behind_the_sound_are_skipped(speech: files.Wave, tmp_path: Path) -> None:
    content = CONTAINERS["wav"](speech, RATE) + b"LIST" + (6_000).to_bytes(4, "little") + bytes(6_000)
    recording = decode(content, tmp_path)
    assert (len(recording.wave), recording.issues) == (SAMPLES, {})
    empty = with_size(CONTAINERS["wav"](speech[:0], RATE), 0) + b"LIST\x04\x00\x00\x00INFO"
    assert files.length(io.BytesIO(empty)) == (0, RATE)


def test_a_flac_file_is_read_to_its_end(speech: files.Wave, tmp_path: Path) -> None:
    content = encode(speech, RATE, "FLAC")
    for samples in (0, 2_000):
        recording = decode(with_sample_count(content, samples), tmp_path)
        np.testing.assert_array_equal(recording.wave, files.quantize_pcm16(speech))
        assert recording.issues == {}
    assert files.length(io.BytesIO(with_sample_count(content, 0))) == (SAMPLES, RATE)
    assert len(decode(id3v2(3_000) + content + ID3V1, tmp_path).wave) == SAMPLES
    recording = decode(content + content, tmp_path)
    assert len(recording.wave) == SAMPLES
    assert recording.issues == {
        "incomplete": f"what follows its {SAMPLES} samples is damaged, or no sound, and is not read"
    }
    with pytest.raises(AudioError, match=r"cannot be read as sound to its end at 3\.75 s .* damaged or truncated"):
        decode(with_sample_count(content, 3 * SAMPLES), tmp_path)


@pytest.mark.parametrize("subtype", ["VORBIS", "OPUS"])
def test_links_of_an_ogg_file_are_concatenated(subtype: str, speech: files.Wave, tmp_path: Path) -> None:
    parts = [encode(speech[: 9_000 * number], RATE, "OGG", subtype) for number in (1, 2, 3)]
    waves = [decode(part, tmp_path).wave for part in parts]
    recording = decode(b"".join(parts), tmp_path)
    assert len(recording.wave) == 54_000
    np.testing.assert_array_equal(recording.wave, np.concatenate(waves))
    assert recording.issues == {}
    assert files.length(io.BytesIO(b"".join(parts))) == (54_000, RATE)


def test_a_change_of_rate_or_channels_in_the_middle_is_refused(speech: files.Wave, tmp_path: Path) -> None:
    first = encode(speech, RATE, "OGG", "VORBIS")
    stereo = encode(np.stack([speech, speech], axis=1), RATE, "OGG", "VORBIS")
    with pytest.raises(
        AudioError, match="changes from 24000 Hz and 1 channels to 24000 Hz and 2 in the middle; convert"
    ):
        decode(first + stereo, tmp_path)
    with pytest.raises(AudioError, match="changes from 24000 Hz and 1 channels to 16000 Hz and 1 in the middle"):
        decode(first + encode(speech, 16_000, "OGG", "VORBIS"), tmp_path)


@pytest.mark.parametrize("subtype", ["VORBIS", "OPUS"])
def test_a_truncated_ogg_file_is_distinguished_from_a_damaged_one(
    subtype: str, speech: files.Wave, tmp_path: Path
) -> None:
    content = encode(np.tile(speech, 4), RATE, "OGG", subtype)
    half = len(content) // 2
    recording = decode(content[:half], tmp_path)
    assert 0 < len(recording.wave) < 3 * SAMPLES
    assert recording.issues == {"incomplete": "its last page is missing, so the file is truncated"}
    recording = decode(content + GARBAGE, tmp_path)
    assert len(recording.wave) == 4 * SAMPLES
    assert recording.issues["incomplete"].startswith("5000 bytes after its last page are damaged, or no sound")
    with pytest.raises(
        AudioError, match=r"to its end at 5\.00 s \(its decoder stops at \d\.\d\d s\), so it is damaged"
    ):
        decode(content[:half] + b"\xff" * 500 + content[half + 500 :], tmp_path)


# MP3


def test_an_mp3_stream_without_a_count_is_read_to_its_end(mp3: bytes, tmp_path: Path) -> None:
    complete = decode(mp3, tmp_path)
    assert (len(complete.wave), complete.issues) == (SAMPLES + 4 * RATE, {})
    stream = decode(without_tag(mp3), tmp_path)
    assert stream.issues == {}
    assert (
        len(complete.wave) <= len(stream.wave) <= len(complete.wave) + 4_000
    )  # what the encoder put before and after it
    samples, _ = files.length(io.BytesIO(without_tag(mp3)))
    assert samples == pytest.approx(len(stream.wave), abs=1_200)
    delay = int(np.argmax(np.correlate(stream.wave[: SAMPLES + 4_000], complete.wave[:SAMPLES])))
    np.testing.assert_allclose(stream.wave[delay : delay + SAMPLES], complete.wave[:SAMPLES], atol=1e-4)


def test_concatenated_recordings_are_all_read(mp3: bytes, tmp_path: Path) -> None:
    wave = decode(mp3, tmp_path).wave
    for content in (mp3 + mp3, id3v2(3_000) + mp3 + ID3V1 + id3v2(5_000) + mp3 + APEV2 + ID3V1):
        recording = decode(content, tmp_path)
        np.testing.assert_array_equal(recording.wave, np.concatenate([wave, wave]))
        assert recording.issues == {}
    twice = decode(without_tag(mp3) + without_tag(mp3), tmp_path)
    assert len(twice.wave) == pytest.approx(2 * len(wave), abs=8_000)


def test_a_tag_with_a_wrong_count_is_ignored(mp3: bytes, speech: files.Wave, tmp_path: Path) -> None:
    wave = decode(mp3, tmp_path).wave
    few = decode(with_frame_count(mp3, 10), tmp_path)
    assert len(wave) <= len(few.wave) <= len(wave) + 4_000
    many = decode(with_frame_count(mp3, 5_000), tmp_path)
    assert len(many.wave) == pytest.approx(len(wave), abs=2_000)
    assert many.issues["incomplete"].startswith("its tag counts 5000 frames, but it holds ")
    half = decode(mp3[: len(mp3) // 2], tmp_path)
    np.testing.assert_array_equal(half.wave[:5_000], wave[:5_000])
    assert "the end is missing, so the file is truncated" in half.issues["incomplete"]


@pytest.mark.parametrize("change", [lambda mp3: mp3, without_tag])
def test_unreadable_parts_of_an_mp3_are_reported(change: Callable, mp3: bytes, speech: files.Wave, tmp_path) -> None:
    content = change(mp3)
    sound = decode(content + GARBAGE, tmp_path)
    assert sound.issues == {"incomplete": "5000 bytes after its last frame are damaged, or no sound, and are not read"}
    appended = encode(speech, 44_100, "MP3")
    assert f"{len(appended)} bytes after its last frame" in decode(content + appended, tmp_path).issues["incomplete"]
    place = len(content) // 3
    with pytest.raises(AudioError, match=r"cannot be read as sound to its end .* so it is damaged or truncated"):
        decode(content[:place] + b"\xff" * 3_000 + content[place + 3_000 :], tmp_path)


@pytest.mark.parametrize("block", [1_000, 4_096])
def test_blocks_of_any_size_are_the_same_sound(
    block: int, mp3: bytes, speech: files.Wave, tmp_path, monkeypatch
) -> None:
    contents = [
        without_tag(mp3),
        with_sample_count(encode(speech, RATE, "FLAC"), 0),
        2 * encode(speech, RATE, "OGG", "OPUS"),
    ]
    waves = [decode(content, tmp_path).wave for content in contents]
    monkeypatch.setattr(decoding, "BLOCK", block)
    for content, wave in zip(contents, waves, strict=True):
        np.testing.assert_allclose(decode(content, tmp_path).wave, wave, atol=1e-6)
