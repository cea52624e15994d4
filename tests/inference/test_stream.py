"""Streams: latency, equality with whole mels, reuse, validation and memory."""

import subprocess
import sys
import warnings
from pathlib import Path
from subprocess import PIPE
from threading import Thread
from typing import IO

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter

from basis_melgan.audio import files
from basis_melgan.benchmark.measure import PEAK_MEMORY_KIB
from basis_melgan.config.networks import MelGANConfig, SeparatorConfig
from basis_melgan.config.schema import Config
from basis_melgan.errors import MelError, MelWarning
from basis_melgan.inference import stream as module
from basis_melgan.inference.loading import load_vocoder
from basis_melgan.inference.vocoder import Vocoder
from basis_melgan.models import model_file


@pytest.fixture(scope="module")
def vocoder() -> Vocoder:
    return Vocoder.load()


def mel_of(frames: int) -> np.ndarray:
    return np.random.default_rng(frames).normal(-5, 2, (100, frames)).astype(np.float32)


@pytest.mark.parametrize("frames", [1, 2, 28, 29, 30, 90])
def test_samples_are_delayed_by_the_lookahead(vocoder: Vocoder, frames: int) -> None:
    stream, mel, sample_count = vocoder.stream(), mel_of(frames), 0
    for frame in range(frames):
        chunk = stream.push(mel[:, frame : frame + 1])
        sample_count += chunk.size
        assert sample_count == 256 * max(0, frame + 1 - vocoder.info.lookahead_frames)
    assert sample_count + stream.flush().size == 256 * frames


def test_batched_stream_equals_single_mels(vocoder: Vocoder) -> None:
    mels = np.stack([mel_of(40), mel_of(40) - 1])
    stream = vocoder.stream()
    waves = np.concatenate([stream.push(mels[..., :17]), stream.push(mels[..., 17:]), stream.flush()], axis=-1)
    for wave, mel in zip(waves, mels, strict=True):
        np.testing.assert_allclose(wave, vocoder(mel), atol=1e-5)


def test_stream_can_be_reused_after_flush(vocoder: Vocoder) -> None:
    stream, mel = vocoder.stream(), mel_of(35)
    first, second = (np.concatenate([stream.push(mel), stream.flush()]) for _ in range(2))
    np.testing.assert_array_equal(first, second)


def test_empty_stream_gives_no_samples(vocoder: Vocoder) -> None:
    stream = vocoder.stream()
    assert stream.flush().size == stream.push(mel_of(3)[:, :0]).size == stream.flush().size == 0


def test_refused_chunk_does_not_change_the_stream(vocoder: Vocoder) -> None:
    stream, mel = vocoder.stream(), mel_of(40)
    waves = [stream.push(mel[:, :20])]
    invalid = mel[:, 20:].copy()
    invalid[3, 4] = np.nan
    for chunk, message in ((invalid, "frame 4 holds NaN"), (mel[:80], r"shape \(80, 40\)"), (mel[0], r"shape \(40,\)")):
        with pytest.raises(MelError, match=message):
            stream.push(chunk)
    waves += [stream.push(mel[:, 20:]), stream.flush()]
    np.testing.assert_allclose(np.concatenate(waves), vocoder(mel), atol=1e-5)


def test_chunk_of_another_shape_is_refused(vocoder: Vocoder) -> None:
    stream = vocoder.stream()
    stream.push(np.stack([mel_of(5), mel_of(5)]))
    for chunk in (mel_of(5), mel_of(5)[None]):
        with pytest.raises(MelError, match=r"the stream began with \(2, 100\)"):
            stream.push(chunk)


def test_chunk_buffer_can_be_overwritten_after_push(tmp_path: Path) -> None:
    """The stream keeps frames of a mel that is shorter than the MelGAN generator's minimum."""
    config = Config(generator=MelGANConfig(channels=16), separator=SeparatorConfig(atoms=16))
    torch.manual_seed(0)
    generator = model_file.new_generator(config)
    generator.basis.atoms.data *= 5.0
    for name, parameter in generator.network.named_parameters():  # so that differences exceed rounding
        if name.endswith(("bias", "original0")):
            parameter.data.uniform_(0.4, 0.9)
    model_file.save(
        tmp_path / "melgan.safetensors", "vocoder", generator.state_dict(), config, model_file.Origin(1, "")
    )
    melgan = load_vocoder(tmp_path / "melgan.safetensors")
    assert melgan.info.min_frames > 2
    mel = np.random.default_rng(0).random((80, 2), dtype=np.float32)
    buffer, stream, waves = np.empty((80, 1), np.float32), melgan.stream(), []
    for frame in range(2):
        buffer[:, 0] = mel[:, frame]
        waves.append(stream.push(buffer))
        buffer[:] = 1.0
    np.testing.assert_allclose(np.concatenate([*waves, stream.flush()]), melgan(mel), atol=1e-5)
    assert np.abs(melgan(mel)).max() > 0.01


def test_windows_limit_the_frames_per_backend_call(vocoder: Vocoder, monkeypatch: pytest.MonkeyPatch) -> None:
    mel = mel_of(90)
    expected = vocoder(mel)
    frame_counts = []
    run = vocoder._backend.run
    monkeypatch.setattr(module, "WINDOW", 32)
    monkeypatch.setattr(
        vocoder._backend, "run", lambda mel, *state: frame_counts.append(mel.shape[2]) or run(mel, *state)
    )
    np.testing.assert_allclose(vocoder(mel), expected, atol=1e-5)
    assert max(frame_counts) == 32


@pytest.mark.skipif(not Path("/proc/self/status").is_file(), reason="the resident memory is read from /proc")
def test_memory_does_not_grow_with_a_stream() -> None:
    """Compare the peak memory of the command, in MB, after 2 and after 20 minutes of mel."""
    run = "import sys; from basis_melgan.cli.main import main; main(sys.argv[1:])"
    program = f"{run} or print({PEAK_MEMORY_KIB}, file=sys.stderr)"
    command = [sys.executable, "-c", program, "vocode", "-", "-", "--stream"]
    peaks = []
    for minutes in (2, 20):
        with subprocess.Popen(command, stdin=PIPE, stdout=PIPE, stderr=PIPE) as process:
            sizes: list[int] = []
            reader = Thread(target=drain, args=(process.stdout, sizes))
            reader.start()
            second = mel_of(94).T.tobytes()
            for _ in range(60 * minutes):
                process.stdin.write(second)
            process.stdin.close()
            reader.join()
            assert sum(sizes) == 2 * 256 * 94 * 60 * minutes
            peaks.append(int(process.stderr.read()) / 1024)
    assert peaks[1] < peaks[0] + 15
    assert peaks[1] < 200


def drain(pipe: IO[bytes], sizes: list[int]) -> None:
    """Read a pipe to its end and append the sizes of its chunks."""
    while chunk := pipe.read(1 << 16):
        sizes.append(len(chunk))


CLIP = Path(__file__).parents[2] / "examples" / "clips" / "ru_0683.flac"


@pytest.fixture(scope="module")
def recording(vocoder: Vocoder) -> np.ndarray:
    return vocoder.mel(*files.read(CLIP))


def stream_mel(vocoder: Vocoder, mel: np.ndarray, frames: int) -> np.ndarray:
    stream = vocoder.stream()
    waves = [stream.push(mel[:, start : start + frames]) for start in range(0, mel.shape[1], frames)]
    return np.concatenate([*waves, stream.flush()])


SCALES = {
    "log10": (lambda mel: mel / np.log(10.0), "vocos:log10"),
    "mean and deviation": (lambda mel: (mel + 2.0) / 2.4, "normalized by a mean and a deviation"),
    "powers": (lambda mel: 2 * mel, r"vocos:ln,0\.5,0"),
    "a tenth": (lambda mel: mel / 10, "vocos:ln,10,0"),
}


@pytest.mark.parametrize("frames", [1, 25, 1000])
@pytest.mark.parametrize("scale", SCALES)
def test_stream_of_another_scale_is_refused(vocoder: Vocoder, recording: np.ndarray, scale: str, frames: int) -> None:
    convert, cause = SCALES[scale]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", MelWarning)
        with pytest.raises(MelError, match=cause):
            stream_mel(vocoder, convert(recording).astype(np.float32), frames)


@pytest.mark.parametrize("frames", [7, 1000])
def test_stream_of_the_expected_scale_is_accepted(vocoder: Vocoder, recording: np.ndarray, frames: int) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error", MelWarning)
        for mel in (recording, gaussian_filter(recording, 1.0, mode="nearest")):
            np.testing.assert_allclose(stream_mel(vocoder, mel, frames), vocoder(mel), atol=1e-5)


def test_doubtful_stream_warns_once(vocoder: Vocoder, recording: np.ndarray) -> None:
    doubtful = 0.62 * recording  # narrower than speech, but possible for noise
    with pytest.warns(MelWarning, match="values spread less widely than those of speech in vocos") as caught:
        stream_mel(vocoder, doubtful, 10)
    assert len(caught) == 1
    stream = vocoder.stream()
    for _ in range(2):
        with pytest.warns(MelWarning):
            stream.push(doubtful)
        stream.flush()


def test_refused_stream_accepts_later_frames(vocoder: Vocoder, recording: np.ndarray) -> None:
    stream, decimal_mel = vocoder.stream(), (recording / np.log(10.0)).astype(np.float32)
    for _ in range(2):
        with pytest.raises(MelError, match="vocos:log10"):
            stream.push(decimal_mel)
    waves = [stream.push(recording), stream.flush()]
    np.testing.assert_allclose(np.concatenate(waves), vocoder(recording), atol=1e-5)


def test_flush_checks_frames_since_the_last_check(vocoder: Vocoder, recording: np.ndarray) -> None:
    mel = recording[:, 60:170]
    stream, normalized = vocoder.stream(), (mel - mel.mean()) / mel.std()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", MelWarning)
        waves = [stream.push(normalized[:, :70]), stream.push(normalized[:, 70:])]
        with pytest.raises(MelError, match="vocos:ln,DEVIATION,MEAN"):
            stream.flush()
    waves.append(stream.flush())
    assert np.concatenate(waves).size == 110 * 256
