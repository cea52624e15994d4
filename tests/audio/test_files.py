"""Sound files: reading, writing and resampling, whole or in chunks, and their errors."""

from pathlib import Path

import numpy as np
import pytest
import soundfile

from basis_melgan.audio import decoding, files
from basis_melgan.errors import AudioError, OutputError

CLIPS = sorted((Path(__file__).parents[2] / "examples" / "clips").glob("*.flac"))
QUANTUM = 1 / 32_768  # of 16-bit sound


@pytest.fixture
def speech() -> files.Wave:
    return files.read(CLIPS[0], 12_000, 12_000)[0]


def read_stream(path: Path, rate: int) -> files.Wave:
    return np.concatenate(list(files.stream(path, rate)))


def file_names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


# Reading


def test_a_part_of_a_file_equals_that_part_of_its_wave() -> None:
    wave, rate = files.read(CLIPS[0])
    assert rate == 24_000
    assert files.length(CLIPS[0]) == (len(wave), rate)
    np.testing.assert_array_equal(files.read(CLIPS[0], 1000, 500)[0], wave[1000:1500])
    np.testing.assert_array_equal(files.read(CLIPS[0], len(wave) - 7)[0], wave[-7:])


def test_channels_are_averaged(tmp_path: Path, speech: files.Wave) -> None:
    path = tmp_path / "three.wav"
    soundfile.write(path, np.stack([speech, 0.5 * speech, np.zeros_like(speech)], axis=1), 24_000, subtype="FLOAT")
    for wave in (files.read(path)[0], read_stream(path, 24_000)):
        assert wave.dtype == np.float32
        np.testing.assert_allclose(wave, 0.5 * speech, atol=1e-7)


@pytest.mark.parametrize("read", [files.read, files.length, lambda path: read_stream(path, 24_000)])
class TestUnreadable:
    def test_missing(self, read, tmp_path: Path) -> None:
        with pytest.raises(AudioError, match=r"gone\.wav: no such file"):
            read(tmp_path / "gone.wav")

    def test_folder(self, read, tmp_path: Path) -> None:
        with pytest.raises(AudioError, match="is a folder; expected a sound file"):
            read(tmp_path)

    def test_empty(self, read, tmp_path: Path) -> None:
        (tmp_path / "note.wav").touch()
        with pytest.raises(AudioError, match=r"note\.wav: holds no sound, not one byte; expected WAV, FLAC"):
            read(tmp_path / "note.wav")

    @pytest.mark.parametrize("content", [b"RIFF", b"no sound at all, but text " * 50])
    def test_not_sound(self, read, content: bytes, tmp_path: Path) -> None:
        path = tmp_path / "note.wav"
        path.write_bytes(content)
        with pytest.raises(AudioError, match=r"note\.wav: cannot be read as sound .* expected WAV, FLAC"):
            read(path)

    @pytest.mark.parametrize("suffix", [".au", ".snd", ".mp3", ".gsm", ".vox", ".ogg", ".raw"])
    def test_no_suffix_turns_other_bytes_into_sound(
        self, read, suffix: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
    ) -> None:
        path = tmp_path / f"note{suffix}"
        for content in (b"no sound at all, but text " * 500, np.random.default_rng(0).bytes(10_000)):
            path.write_bytes(content)
            with pytest.raises(AudioError, match=rf"note\{suffix}: .*cannot be read as sound"):
                read(path)
        assert capfd.readouterr().err == ""  # some decoders print what they look for

    @pytest.mark.parametrize("rate", [1, 192, 100_000_000])
    def test_an_implausible_sample_rate(self, read, rate: int, tmp_path: Path) -> None:
        path = tmp_path / "tone.wav"
        soundfile.write(path, np.full(3_000, 0.1), rate)
        with pytest.raises(
            AudioError, match=rf"tone\.wav: has a sample rate of {rate} Hz; expected 1000 to 1000000 Hz"
        ):
            read(path)

    def test_samples_without_a_header(self, read, tmp_path: Path) -> None:
        path = tmp_path / "bare.raw"
        path.write_bytes(bytes(1000))
        with pytest.raises(AudioError, match=r"bare\.raw: cannot be read as sound"):
            read(path)


@pytest.mark.parametrize("read", [files.read, lambda path: read_stream(path, 16_000)])
def test_a_file_that_ends_in_the_middle_is_refused(read, tmp_path: Path) -> None:
    path = tmp_path / "half.flac"
    path.write_bytes(CLIPS[0].read_bytes()[: CLIPS[0].stat().st_size // 2])
    with pytest.raises(AudioError, match=r"half\.flac: cannot be read as sound"):
        read(path)


# Streams and resampling


@pytest.mark.parametrize("rate", [24_000, 8_000, 11_025, 16_000, 22_050, 44_100, 48_000])
@pytest.mark.parametrize("block", [100, 4_096, 1 << 17])
def test_a_stream_equals_the_resampled_wave(rate: int, block: int, tmp_path: Path, monkeypatch, speech) -> None:
    monkeypatch.setattr(decoding, "BLOCK", block)
    path = tmp_path / "clip.wav"
    soundfile.write(path, speech, rate, subtype="FLOAT")
    expected = files.resample(speech, rate, 24_000)
    chunks = list(files.stream(path, 24_000))
    assert len(chunks) >= len(speech) / block
    assert max(len(chunk) for chunk in chunks) <= 24_000 / rate * (block + 5_000)
    wave = np.concatenate(chunks)
    assert wave.dtype == np.float32
    assert len(wave) == len(expected) == pytest.approx(len(speech) * 24_000 / rate, abs=1)
    np.testing.assert_allclose(wave, expected, atol=1e-6)


@pytest.mark.parametrize("samples", [1, 2, 3, 50])
def test_few_samples_are_streamed_too(samples: int, tmp_path: Path) -> None:
    path = tmp_path / "short.wav"
    soundfile.write(path, np.full(samples, 0.25), 16_000)
    wave = np.full(samples, 0.25, np.float32)
    np.testing.assert_allclose(read_stream(path, 24_000), files.resample(wave, 16_000, 24_000), atol=1e-6)


def test_resampling_keeps_a_tone_and_equal_rates_keep_everything() -> None:
    time = np.arange(48_000) / 48_000
    tone = np.sin(2 * np.pi * 1_000 * time).astype(np.float32)
    resampled = files.resample(tone, 48_000, 24_000)
    np.testing.assert_allclose(resampled[500:-500], tone[::2][500:-500], atol=1e-4)
    too_high = np.sin(2 * np.pi * 15_000 * time).astype(np.float32)  # beyond half of 24 kHz
    assert np.abs(files.resample(too_high, 48_000, 24_000)[500:-500]).max() < 1e-4
    assert files.resample(tone, 24_000, 24_000) is tone


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_an_invalid_sample_is_located(value: float, tmp_path: Path, monkeypatch, speech) -> None:
    monkeypatch.setattr(decoding, "BLOCK", 1_000)
    path = tmp_path / "broken.wav"
    stereo = np.stack([speech, speech], axis=1)
    stereo[6_000, 1] = value
    soundfile.write(path, stereo, 24_000, subtype="FLOAT")
    with pytest.raises(AudioError, match=r"broken\.wav: sample 6000 \(at 0\.250 s\) is NaN or infinite"):
        read_stream(path, 16_000)


@pytest.mark.parametrize("rate", [16_000, 24_000])
def test_an_empty_recording_is_refused(rate: int, tmp_path: Path) -> None:
    path = tmp_path / "empty.wav"
    soundfile.write(path, np.zeros(0), 24_000)
    with pytest.raises(AudioError, match=r"empty\.wav: holds no samples"):
        read_stream(path, rate)


# Writing


@pytest.mark.parametrize("suffix", [".wav", ".flac", ".aiff", ".WAV", ".w64"])
def test_a_written_file_reads_back(suffix: str, tmp_path: Path, speech: files.Wave) -> None:
    path = tmp_path / "new" / "folder" / f"clip{suffix}"
    files.write(path, speech, 22_050)
    wave, rate = files.read(path)
    assert rate == 22_050
    np.testing.assert_allclose(wave, speech, atol=QUANTUM)
    assert file_names(path.parent) == [path.name]


@pytest.mark.parametrize("suffix", [".wav", ".flac", ".aiff"])
def test_samples_are_rounded_to_the_nearest(suffix: str, tmp_path: Path) -> None:
    wave = np.random.default_rng(1).uniform(-0.9, 0.9, 20_000).astype(np.float32)
    files.write(tmp_path / f"noise{suffix}", wave, 24_000)
    error = files.read(tmp_path / f"noise{suffix}")[0] - wave.astype(np.float64)
    assert np.abs(error).max() <= QUANTUM / 2
    assert abs(error.mean()) < 0.01 * QUANTUM
    np.testing.assert_array_equal(files.to_pcm16(wave) / 32_768, wave + error)


def test_chunks_form_one_file(tmp_path: Path, speech: files.Wave) -> None:
    files.write(tmp_path / "whole.wav", speech, 24_000)
    with files.open_writer(tmp_path / "chunks.wav", 24_000) as write_chunk:
        for start in range(0, len(speech), 700):
            write_chunk(speech[start : start + 700])
            assert not (tmp_path / "chunks.wav").exists()
    assert (tmp_path / "chunks.wav").read_bytes() == (tmp_path / "whole.wav").read_bytes()


def test_samples_beyond_full_scale_are_clipped_and_no_other_changed(tmp_path: Path) -> None:
    files.write(tmp_path / "loud.wav", np.array([0.5, 1.5, -3.0, -0.25], np.float32), 24_000)
    wave = files.read(tmp_path / "loud.wav")[0]
    np.testing.assert_array_equal(wave, [0.5, 1.0 - QUANTUM, -1.0, -0.25])


def test_a_failing_block_keeps_the_existing_file_and_leaves_nothing_else(tmp_path: Path, speech: files.Wave) -> None:
    path = tmp_path / "clip.wav"
    files.write(path, speech, 24_000)
    before = path.read_bytes()
    with pytest.raises(KeyboardInterrupt), files.open_writer(path, 24_000) as write_chunk:  # noqa: PT012
        write_chunk(0 * speech)
        raise KeyboardInterrupt
    assert path.read_bytes() == before
    assert file_names(tmp_path) == ["clip.wav"]


@pytest.mark.parametrize("name", ["speech", "speech.txt", "speech.mp3", "speech.ogg", ".wav"])
def test_a_suffix_that_is_no_format_is_refused(name: str, tmp_path: Path, speech: files.Wave) -> None:
    with pytest.raises(OutputError, match=r"is no format for 16-bit sound; use \.wav or \.flac"):
        files.write(tmp_path / name, speech, 24_000)
    with pytest.raises(OutputError, match="is no format"):
        files.require_new_sound(tmp_path / name, force=True)
    assert file_names(tmp_path) == []


def test_a_path_that_cannot_be_written_is_refused(tmp_path: Path, speech: files.Wave) -> None:
    (tmp_path / "file").write_text("in the way", encoding="utf-8")
    with pytest.raises(OutputError, match=r"clip\.wav: cannot be written .* choose a writable place"):
        files.write(tmp_path / "file" / "clip.wav", speech, 24_000)
    (tmp_path / "folder.wav").mkdir()
    with pytest.raises(OutputError, match=r"folder\.wav: cannot be written"):
        files.write(tmp_path / "folder.wav", speech, 24_000)
    with pytest.raises(OutputError, match=r"fast\.flac: cannot be written"):
        files.write(tmp_path / "fast.flac", speech, 10_000_000)  # Hz, more than FLAC knows
    assert file_names(tmp_path) == ["file", "folder.wav"]


def test_a_path_is_free_where_no_file_exists_or_force_is_given(tmp_path: Path) -> None:
    path = tmp_path / "clip.wav"
    files.require_new_sound(path, force=False)
    path.touch()
    files.require_new_sound(path, force=True)
    with pytest.raises(OutputError, match=r"clip\.wav: exists already; use --force"):
        files.require_new_sound(path, force=False)
    (tmp_path / "folder.wav").mkdir()
    with pytest.raises(OutputError, match=r"folder\.wav: is a folder"):
        files.require_new_sound(tmp_path / "folder.wav", force=True)


def test_every_format_that_soundfile_knows_counts_as_sound() -> None:
    assert {".wav", ".flac", ".ogg", ".mp3", ".aiff", ".aif", ".opus"} <= files.READABLE_SUFFIXES
    assert {".npy", ".txt", ".json", ""} & files.READABLE_SUFFIXES == set()


def test_a_recording_too_short_for_one_sample_is_refused(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "tone.wav", np.full(1, 0.1), 192_000)
    with pytest.raises(
        AudioError, match=r"tone\.wav: holds 1 samples of 192000 Hz; expected enough for one of 24000 Hz"
    ):
        list(files.stream(tmp_path / "tone.wav", 24_000))
