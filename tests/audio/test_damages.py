"""Sound files with bytes changed, cut, left out, doubled or put in: each is read or refused in one line."""

import io
import warnings
from pathlib import Path

import numpy as np
import pytest
from sound_formats import CONTAINERS, counted, encoded, id3v2, untagged

from basis_melgan.audio import files
from basis_melgan.errors import AudioError, InputWarning

CLIPS = sorted((Path(__file__).parents[2] / "examples" / "clips").glob("*.flac"))
RATE = 24_000
CASES = 25
COMPRESSED = {
    "flac": lambda wave, rate: encoded(wave, rate, "FLAC"),
    "flac-unknown": lambda wave, rate: counted(encoded(wave, rate, "FLAC"), 0),
    "vorbis": lambda wave, rate: 2 * encoded(wave, rate, "OGG", "VORBIS"),
    "opus": lambda wave, rate: 2 * encoded(wave, rate, "OGG", "OPUS"),
    "mp3": lambda wave, rate: id3v2(500) + 2 * encoded(wave, rate, "MP3"),
    "mp3-stream": lambda wave, rate: untagged(encoded(wave, rate, "MP3", bitrate_mode="VARIABLE")),
}


def damaged(content: bytes, rng: np.random.Generator) -> bytes:
    spoilt = bytearray(content)
    for _ in range(int(rng.integers(1, 4))):
        end = len(spoilt) if rng.random() < 0.5 else min(len(spoilt), 128)
        place, length = int(rng.integers(0, max(1, end))), int(rng.integers(1, 64))
        match int(rng.integers(0, 5)):
            case 0:
                spoilt[place : place + 1] = rng.bytes(1)
            case 1:
                del spoilt[place:]
            case 2:
                del spoilt[place : place + length]
            case 3:
                spoilt[place:place] = spoilt[place : place + length]
            case _:
                spoilt[place : place + 4] = (b"\x00" * 4, b"\xff" * 4, b"\x7f\xff\xff\xff")[int(rng.integers(3))]
    return bytes(spoilt)


@pytest.mark.filterwarnings("error::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("kind", [*CONTAINERS, *COMPRESSED])
def test_a_damaged_file_is_read_or_refused_in_one_line(kind: str, tmp_path: Path) -> None:
    content = (CONTAINERS | COMPRESSED)[kind](files.read(CLIPS[0], 12_000, 6_000)[0], RATE)
    path = tmp_path / "sound.bin"
    refusals = []
    for seed in range(CASES):
        path.write_bytes(damaged(content, np.random.default_rng(seed)))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", InputWarning)
            for use in (
                lambda: files.load(path),
                lambda: list(files.stream(io.BytesIO(path.read_bytes()), 16_000)),
                lambda: files.length(path),
                lambda: files.read(path, 1_000, 100),
            ):
                try:
                    use()
                except AudioError as error:
                    refusals.append(str(error))
    assert refusals
    assert all(text.startswith((f"{path}: ", "standard input: ")) for text in refusals)
    assert not any("0x" in text or "\n" in text for text in refusals)
