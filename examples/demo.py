"""Speak a recording, and a mel such as a text-to-speech system predicts, with no more than speaking needs.

    python demo.py OUT

writes both as sound, and a picture of their mels, into the folder OUT. Needs `pip install . pillow`.
"""

import sys
import time
from pathlib import Path

import numpy as np
import soundfile
from PIL import Image, ImageDraw

from basis_melgan import Vocoder

HERE = Path(__file__).parent
DECIBELS = 20.0 / np.log(10.0)  # in one of a mel's natural logarithms
RANGE = 70.0  # dB of the picture, from its loudest
ROUNDS = 5


def main(out: Path) -> None:
    """Speak both, measure how fast and how near, and draw what was given above what came of it."""
    out.mkdir(parents=True, exist_ok=True)
    vocoder = Vocoder.load()
    recording, rate = soundfile.read(HERE / "clips" / "ru_0683.flac", dtype="float32")
    given = {"recording": vocoder.mel(recording, rate), "predicted mel": np.load(HERE / "predicted.npy")}
    rows = []
    for name, mel in given.items():
        wave, seconds = timed(vocoder, mel)
        path = out / f"{name.replace(' ', '-')}-spoken.wav"
        soundfile.write(path, wave, vocoder.info.sample_rate)
        spoken = vocoder.mel(wave, vocoder.info.sample_rate)[:, : mel.shape[1]]
        rows += [(f"{name}, given", mel), (f"{name}, spoken", spoken)]
        length = wave.size / vocoder.info.sample_rate
        distance = DECIBELS * np.abs(spoken - mel).mean()
        print(
            f"{name}: {length:.2f} s spoken in {1e3 * seconds:.0f} ms, real-time factor {seconds / length:.4f} "
            f"({length / seconds:.0f} times as fast as it is heard); its mel is {distance:.1f} dB from the one given: "
            f"{path}"
        )
    picture(rows).save(out / "mels.png")
    print(f"What was given and what was spoken, as mels: {out / 'mels.png'}")


def timed(vocoder: Vocoder, mel: np.ndarray) -> tuple[np.ndarray, float]:
    """The wave of a mel, and the median of the seconds that it takes on one thread."""
    taken = []
    for _ in range(ROUNDS):
        begin = time.perf_counter()
        wave = vocoder(mel)
        taken.append(time.perf_counter() - begin)
    return wave, float(np.median(taken))


def picture(rows: list[tuple[str, np.ndarray]]) -> Image.Image:
    """Mels (M, F) below one another, low bands at the bottom, each under its name."""
    zoom, title = 2, 18
    bands, widest = rows[0][1].shape[0], max(mel.shape[1] for _, mel in rows)
    sheet = Image.new("L", (zoom * widest, (zoom * bands + title) * len(rows)), 255)
    draw = ImageDraw.Draw(sheet)
    for place, (name, mel) in enumerate(rows):
        top = place * (zoom * bands + title)
        level = 1.0 + DECIBELS * (mel[::-1].astype(np.float32) - mel.max()) / RANGE
        gray = Image.fromarray((255 * np.clip(level, 0.0, 1.0)).astype(np.uint8))
        draw.text((4, top + 2), name, fill=0)
        sheet.paste(gray.resize((zoom * mel.shape[1], zoom * bands)), (0, top + title))
    return sheet


if __name__ == "__main__":
    main(Path(sys.argv[1]))
