"""Separation: equality with one pass, cross-fades between windows, memory and validation."""

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from basis_melgan.audio import files
from basis_melgan.config.frames import FrameGeometry
from basis_melgan.config.networks import SeparatorConfig
from basis_melgan.config.schema import Config
from basis_melgan.errors import AudioError, ModelFileError, OutputError
from basis_melgan.inference import pretrained
from basis_melgan.inference.separate import separate, separate_chunks
from basis_melgan.models import model_file
from basis_melgan.models.tasnet import SeparationOutput, Separator

CLIPS = sorted((Path(__file__).parents[2] / "examples" / "clips").glob("*.flac"))
QUANTUM = 1 / 32_768  # one step of 16-bit audio
SMALL = SeparatorConfig(atoms=16, channels=8, hidden=8, blocks=2, repeats=1)
RATE = 24_000


def build(config: SeparatorConfig = SMALL) -> Separator:
    torch.manual_seed(0)
    separator = Separator(config, FrameGeometry()).eval().requires_grad_(False)
    separator.basis.atoms.mul_(2.0)  # audible estimates within full scale
    return separator


def save_separator(path: Path, config: SeparatorConfig = SMALL) -> Path:
    model_config = Config(separator=config)
    model_file.save(path, "separator", build(config).state_dict(), model_config, model_file.Origin(1, "none"))
    return path


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_separator(tmp_path_factory.mktemp("model") / "separator.safetensors")


def chunks_of(wave: files.Wave, size: int) -> Iterator[files.Wave]:
    for start in range(0, len(wave), size):
        yield wave[start : start + size]


def separate_wave(
    wave: files.Wave, separator: torch.nn.Module, window: int, overlap: int, size: int = 1000
) -> files.Wave:
    chunks = list(separate_chunks(chunks_of(wave, size), separator, window, overlap))  # type: ignore[arg-type]
    assert np.array_equal(np.concatenate([mixture for mixture, _ in chunks]), wave)
    return np.concatenate([waves for _, waves in chunks], axis=1)


def match_level(speech: files.Wave, mixture: files.Wave) -> files.Wave:
    """Project a mixture onto a speech estimate."""
    return np.float32(np.dot(mixture, speech) / np.dot(speech, speech)) * speech


class Stub(torch.nn.Module):
    """A separator of two predictable sources that records the length of every window."""

    sources = 2

    def __init__(self, level: bool = False) -> None:
        super().__init__()
        self.level = level
        self.window_lengths: list[int] = []

    def forward(self, mixture: Tensor) -> SeparationOutput:
        self.window_lengths.append(mixture.shape[-1])
        speech = mixture.mean(dim=-1, keepdim=True).expand_as(mixture) if self.level else mixture
        return SeparationOutput(torch.stack([speech, -speech], dim=1).clone(), mixture)


# Files


@pytest.mark.parametrize("rate", [24_000, 16_000, 44_100])
def test_wave_within_one_window_equals_one_pass(rate: int, model: Path, tmp_path: Path) -> None:
    source = tmp_path / "noisy.wav"
    soundfile.write(source, np.random.default_rng(0).normal(0, 0.05, (2 * rate + 17, 2)), rate, subtype="FLOAT")
    separate(source, tmp_path / "out", model)
    wave, _ = files.read(source)
    mixture = files.resample(wave, rate, RATE)
    speech = model_file.load_separator(model)[0](torch.from_numpy(mixture)[None]).waves[0, 0].numpy()
    speech = match_level(speech, mixture)
    assert 5 * QUANTUM < speech.std() < 0.2
    for name, expected in (("speech", speech), ("noise", mixture - speech)):
        estimate, estimate_rate = files.read(tmp_path / "out" / f"{name}.wav")
        assert estimate_rate == RATE
        assert estimate.shape == mixture.shape
        np.testing.assert_allclose(estimate, expected, atol=QUANTUM)
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"speech.wav", "noise.wav"}


def test_longer_recording_keeps_its_length(model: Path, tmp_path: Path) -> None:
    clips = np.concatenate([files.read(clip)[0] for clip in CLIPS[:5]])[: 17 * RATE + 1]
    files.write(tmp_path / "long.flac", clips, RATE)
    separate(tmp_path / "long.flac", tmp_path, model)
    for name in ("speech.wav", "noise.wav"):
        assert files.length(tmp_path / name) == (17 * RATE + 1, RATE)
    separator = model_file.load_separator(model)[0]
    expected = separate_wave(clips, separator, 8 * RATE, RATE)
    speech = match_level(expected[0], clips)
    np.testing.assert_allclose(files.read(tmp_path / "speech.wav")[0], speech, atol=2 * QUANTUM)
    np.testing.assert_allclose(files.read(tmp_path / "noise.wav")[0], clips - speech, atol=2 * QUANTUM)


def test_pretrained_separator_is_the_default(model: Path, tmp_path: Path, monkeypatch) -> None:
    package = tmp_path / "package"
    monkeypatch.setattr(pretrained, "PACKAGE", package)
    with pytest.raises(ModelFileError, match="separator-24k: neither a file nor a model that comes with this package"):
        separate(CLIPS[0], tmp_path)
    (package / "pretrained").mkdir(parents=True)
    (package / "pretrained" / "separator-24k.safetensors").write_bytes(model.read_bytes())
    separate(CLIPS[0], tmp_path)
    assert files.length(tmp_path / "speech.wav") == files.length(CLIPS[0])


# Windows


@settings(max_examples=60, deadline=None)
@given(
    total=st.integers(1, 700),
    window=st.integers(2, 200),
    fraction=st.floats(0.0, 0.95),
    size=st.integers(1, 300),
)
def test_windows_reconstruct_any_length_from_any_chunk_size(
    total: int, window: int, fraction: float, size: int
) -> None:
    wave = np.random.default_rng(total).standard_normal(total).astype(np.float32)
    stub = Stub()
    estimate = separate_wave(wave, stub, window, int(fraction * window), size)
    np.testing.assert_allclose(estimate, [wave, -wave], atol=1e-6)
    assert set(stub.window_lengths) == {min(window, total)}


def test_window_count_follows_from_the_overlap() -> None:
    stub = Stub()
    separate_wave(np.zeros(10_000, np.float32), stub, 1_000, 100)
    assert stub.window_lengths == [1_000] * 11  # 10 windows with a hop of 900 end at sample 9 100


def test_estimates_are_cross_faded() -> None:
    wave = np.repeat(np.array([1.0, -1.0, 1.0, -1.0], np.float32), 900)[:2_800]
    speech = separate_wave(wave, Stub(level=True), 1_000, 100)[0]
    levels = speech[[0, 850, 1_050, 1_700, 2_699]]
    assert levels == pytest.approx([0.8, 0.8, -0.8, -0.8, 0.8], abs=1e-6)
    assert np.abs(np.diff(speech)).max() <= 1.6 * np.pi / 2 / 100  # the maximum slope of a raised cosine of 100 samples
    assert np.unique(speech[100:900]).size == 1


def test_windows_of_a_separator_without_context_equal_one_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("basis_melgan.models.tasnet.KERNEL", 1)
    separator = build(replace(SMALL, causal=True))
    wave = files.read(CLIPS[0], 12_000, 30_000)[0]
    one_pass = separator(torch.from_numpy(wave)[None]).waves[0].numpy()
    estimate = separate_wave(wave, separator, 6_000, 1_500)
    assert estimate.shape == one_pass.shape
    # The window edges have almost no weight.
    np.testing.assert_allclose(estimate, one_pass, atol=1e-3 * np.abs(one_pass).max())


def test_windows_of_stationary_noise_have_the_same_scale() -> None:
    separator = build(SMALL)
    noise = np.random.default_rng(0).normal(0, 0.05, 10 * RATE).astype(np.float32)
    one_pass = separator(torch.from_numpy(noise)[None]).waves[0].numpy()
    estimate = separate_wave(noise, separator, 2 * RATE, RATE // 4)
    assert np.abs(estimate - one_pass).max() < 0.02 * np.abs(one_pass).max()
    assert np.abs(np.diff(estimate)).max() < 1.1 * np.abs(np.diff(one_pass)).max()


def test_memory_does_not_grow_with_the_recording(model: Path, tmp_path: Path) -> None:
    code = f"""
import json, resource
from pathlib import Path
import numpy as np, torch
from basis_melgan.audio import files
from basis_melgan.inference.separate import separate
torch.set_num_threads(1)
folder, peaks = Path({str(tmp_path)!r}), []
for minutes in (1, 6):
    source = folder / f"{{minutes}}.wav"
    with files.open_writer(source, 24_000) as write_chunk:
        for seed in range(minutes):
            write_chunk(np.random.default_rng(seed).normal(0, 0.05, 60 * 24_000).astype(np.float32))
    separate(source, folder / str(minutes), Path({str(model)!r}))
    peaks.append(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
print(json.dumps(peaks))
"""
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    minute, longer = json.loads(result.stdout)
    assert files.length(tmp_path / "6" / "speech.wav") == (6 * 60 * RATE, RATE)
    # The complete recording would take 29 MB more, and so would each source.
    assert longer - minute < 20


# Refusals


def test_existing_files_are_kept_unless_forced(model: Path, tmp_path: Path) -> None:
    for name in ("speech.wav", "noise.wav"):
        (tmp_path / name).write_text("existing", encoding="utf-8")
        with pytest.raises(OutputError, match=rf"{name}: exists already; use --force"):
            separate(tmp_path / "no such recording.wav", tmp_path, tmp_path / "no such model")
        assert (tmp_path / name).read_text(encoding="utf-8") == "existing"
        if name == "speech.wav":
            (tmp_path / name).unlink()
    (tmp_path / "speech.wav").touch()
    separate(CLIPS[0], tmp_path, model, force=True)
    assert files.length(tmp_path / "noise.wav") == files.length(CLIPS[0])


@pytest.mark.parametrize("rate", [16_000, 24_000])
def test_invalid_sample_near_the_end_leaves_no_output(rate: int, model: Path, tmp_path: Path) -> None:
    wave = np.zeros(20 * rate, np.float32)
    wave[19 * rate] = np.nan
    soundfile.write(tmp_path / "broken.wav", wave, rate, subtype="FLOAT")
    with pytest.raises(AudioError, match=rf"broken\.wav: sample {19 * rate} \(at 19\.000 s\) is NaN or infinite"):
        separate(tmp_path / "broken.wav", tmp_path / "out", model)
    assert list((tmp_path / "out").iterdir()) == []


def test_empty_or_missing_recording_is_refused(model: Path, tmp_path: Path) -> None:
    soundfile.write(tmp_path / "empty.wav", np.zeros(0), 16_000)
    with pytest.raises(AudioError, match=r"empty\.wav: holds no samples"):
        separate(tmp_path / "empty.wav", tmp_path / "out", model)
    with pytest.raises(AudioError, match=r"missing\.wav: no such file"):
        separate(tmp_path / "missing.wav", tmp_path / "out", model)
    assert not any(path.suffix == ".part" for path in tmp_path.rglob("*"))


def test_silence_is_separated_into_silence(model: Path, tmp_path: Path) -> None:
    files.write(tmp_path / "silence.wav", np.zeros(20 * RATE, np.float32), RATE)
    separate(tmp_path / "silence.wav", tmp_path, model)
    for name in ("speech.wav", "noise.wav"):
        assert np.abs(files.read(tmp_path / name)[0]).max() == 0.0
