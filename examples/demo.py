"""Synthesize a recording's mel spectrogram and a predicted one, with the runtime that `pip install .` brings.

    python demo.py OUT

writes both as sound files and a picture of their mel spectrograms into the folder OUT. Needs `pip install . pillow`.
"""

import sys
import time
from pathlib import Path

import numpy as np
import numpy.typing as npt
import soundfile
from PIL import Image, ImageDraw

from basis_melgan import Vocoder

Mel = npt.NDArray[np.floating]

HERE = Path(__file__).parent
DECIBELS = 20.0 / np.log(10.0)  # dB per natural logarithm
RANGE = 70.0  # dB shown in the picture, below the peak
REPEATS = 5


def main(out: Path) -> None:
    """Synthesize both, print speed and accuracy, and draw input and output mel spectrograms."""
    out.mkdir(parents=True, exist_ok=True)
    vocoder = Vocoder.load()
    recording, sample_rate = soundfile.read(HERE / "clips" / "ru_0683.flac", dtype="float32")
    mels = {"recording": vocoder.mel(recording, sample_rate), "predicted mel": np.load(HERE / "predicted.npy")}
    rows: list[tuple[str, Mel]] = []
    for name, mel in mels.items():
        wave, seconds = time_synthesis(vocoder, mel)
        path = out / f"{name.replace(' ', '-')}.wav"
        soundfile.write(path, wave, vocoder.info.sample_rate)
        output_mel = vocoder.mel(wave, vocoder.info.sample_rate)[:, : mel.shape[1]]
        rows += [(f"{name}, input", mel), (f"{name}, output", output_mel)]
        length = wave.size / vocoder.info.sample_rate
        distance = DECIBELS * np.abs(output_mel - mel).mean()
        print(
            f"{path}: {length:.2f} s synthesized in {1e3 * seconds:.0f} ms, real-time factor {seconds / length:.4f} "
            f"({length / seconds:.0f} times faster than real time); "
            f"mean distance of its mel spectrogram from the input {distance:.1f} dB"
        )
    draw(rows).save(out / "mels.png")
    print(f"{out / 'mels.png'}: input and output mel spectrograms")


def time_synthesis(vocoder: Vocoder, mel: Mel) -> tuple[npt.NDArray[np.float32], float]:
    """The wave of a mel (M, F), and the median seconds of its synthesis on one thread."""
    times = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        wave = vocoder(mel)
        times.append(time.perf_counter() - start)
    return wave, float(np.median(times))


def draw(rows: list[tuple[str, Mel]]) -> Image.Image:
    """Mels (M, F) below one another, each under its name, low bands at the bottom."""
    zoom, title_height = 2, 18
    bands, frames = rows[0][1].shape[0], max(mel.shape[1] for _, mel in rows)
    sheet = Image.new("L", (zoom * frames, (zoom * bands + title_height) * len(rows)), 255)
    canvas = ImageDraw.Draw(sheet)
    for index, (name, mel) in enumerate(rows):
        top = index * (zoom * bands + title_height)
        level = 1.0 + DECIBELS * (mel[::-1].astype(np.float32) - mel.max()) / RANGE
        gray = Image.fromarray((255 * np.clip(level, 0.0, 1.0)).astype(np.uint8))
        canvas.text((4, top + 2), name, fill=0)
        sheet.paste(gray.resize((zoom * mel.shape[1], zoom * bands)), (0, top + title_height))
    return sheet


if __name__ == "__main__":
    main(Path(sys.argv[1]))
