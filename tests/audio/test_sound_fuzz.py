"""Damaged recordings of every format: each is synthesized, or refused in one line, and no loss is silent.

A few of each format here; `make fuzz` has thousands.
"""

import io
from functools import cache, partial
from pathlib import Path

import numpy as np
import pytest
from fuzzing import DAMAGES, CaseResult, case_count, run_case, truncate
from sound_formats import CONTAINERS, encode, id3v2, with_sample_count, without_tag

from basis_melgan.audio import decoding, files
from basis_melgan.inference.synthesize import vocode
from basis_melgan.inference.vocoder import Vocoder

CLIPS = sorted((Path(__file__).parents[2] / "examples" / "clips").glob("*.flac"))
RATE = 24_000
CASES = case_count(10)  # of each format
COMPRESSED = {
    "flac": lambda wave, rate: encode(wave, rate, "FLAC"),
    "vorbis": lambda wave, rate: encode(wave, rate, "OGG", "VORBIS"),
    "opus": lambda wave, rate: encode(wave, rate, "OGG", "OPUS"),
    "mp3": lambda wave, rate: id3v2(500) + encode(wave, rate, "MP3"),
}
UNCOUNTED = {  # without a stated length
    "flac-unknown": lambda wave, rate: with_sample_count(encode(wave, rate, "FLAC"), 0),
    "mp3-stream": lambda wave, rate: without_tag(encode(wave, rate, "MP3", bitrate_mode="VARIABLE")),
}
COUNTED = CONTAINERS | COMPRESSED
FORMATS = COUNTED | UNCOUNTED
SUFFIXES = {"aiff": ".aiff", "au": ".au", "caf": ".caf", "w64": ".w64", "vorbis": ".ogg", "opus": ".opus"}
# Samples that may be missing without a warning: padding of encoders, and the tolerance of headers.
SILENT_LOSS = int(decoding.TOLERANCE * RATE)


def name(kind: str) -> str:
    return "sound" + SUFFIXES.get(kind, f".{kind.split('-')[0]}" if kind.startswith(("flac", "mp3")) else ".wav")


def stream_outcome(content: bytes, rate: int) -> tuple[CaseResult, int]:
    """The outcome of a recording from standard input, and its number of samples at `rate` Hz."""
    chunks: list[files.Wave] = []
    result = run_case(lambda: chunks.extend(files.stream(io.BytesIO(content), rate)))
    return result, sum(chunk.size for chunk in chunks)


@pytest.mark.filterwarnings("error::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("kind", FORMATS)
def test_a_damaged_recording_is_synthesized_or_refused(kind: str, tmp_path: Path) -> None:
    vocoder, source, out = Vocoder.load(), tmp_path / name(kind), tmp_path / "out.flac"
    content = FORMATS[kind](files.read(CLIPS[0], 12_000, 6_000)[0], RATE)
    for seed in range(CASES):
        changed = DAMAGES[seed % len(DAMAGES)](content, np.random.default_rng(seed))
        source.write_bytes(changed)
        out.unlink(missing_ok=True)
        result = run_case(partial(vocode, str(source), str(out), vocoder))
        piped, samples = stream_outcome(changed, vocoder.info.sample_rate)
        assert bool(piped.refusal) == bool(result.refusal), (seed, piped, result)
        assert len(piped.warnings) == len(result.warnings), (seed, piped, result)
        assert out.exists() == (not result.refusal), seed
        if not result.refusal:
            assert files.length(out) == (samples, vocoder.info.sample_rate), seed
            recording = files.load(source)
            assert samples == pytest.approx(len(recording.wave) * vocoder.info.sample_rate / recording.rate, abs=2), (
                seed
            )
        for work in (files.length, partial(files.read, start=1_000, samples=100)):
            run_case(partial(work, source))
        for text in (result.refusal, *result.warnings):
            assert not text or text.startswith(f"{source}: "), (seed, text)
            assert "0x" not in text, (seed, text)
        assert {path.name for path in tmp_path.iterdir()} <= {source.name, out.name}, seed


@cache
def second(kind: str) -> bytes:
    """One second of speech in a format."""
    return FORMATS[kind](files.read(CLIPS[0], 12_000, RATE)[0], RATE)


@pytest.mark.parametrize("kind", COUNTED)
def test_a_missing_end_is_reported(kind: str) -> None:
    for seed in range(CASES):
        result, samples = stream_outcome(truncate(second(kind), np.random.default_rng(seed)), RATE)
        assert result.refusal or result.warnings or samples >= RATE - SILENT_LOSS, (seed, samples)


@pytest.mark.parametrize("kind", FORMATS)
def test_trailing_bytes_of_a_recording_are_read_or_reported(kind: str) -> None:
    samples_alone = stream_outcome(second(kind), RATE)[1]
    for seed in range(CASES):
        rng = np.random.default_rng(seed)
        sound = rng.random() < 0.5
        appended = second(str(rng.choice(list(FORMATS)))) if sound else rng.bytes(int(rng.integers(4_000, 20_000)))
        result, samples = stream_outcome(second(kind) + appended, RATE)
        is_reported = bool(result.refusal or result.warnings)
        assert is_reported or (sound and samples >= 2 * samples_alone - SILENT_LOSS), (seed, samples)
        assert result.refusal or samples >= samples_alone - SILENT_LOSS, (seed, samples)
