"""Speaking mels and recordings of any length: windows equal the whole, lengths are exact, other mels are refused."""

import io
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from zipfile import ZipFile

import numpy as np
import pytest
import soundfile
import torch
from torch import nn

from basis_melgan.audio import files, mel_chunks
from basis_melgan.audio.mel import convention, mel_spectrogram
from basis_melgan.config import Config, Convention, Frames, GeneratorConfig, SeparatorConfig
from basis_melgan.errors import AudioError, BasisMelGANError, ConfigurationError, MelError, ModelFileError, OutputError
from basis_melgan.inference import onnx, stream, vocoder
from basis_melgan.inference.vocoder import Vocoder
from basis_melgan.models import release, vocode
from basis_melgan.models.melgan import Generator
from basis_melgan.models.opening import open_vocoder
from basis_melgan.models.sources import read_mel

CLIPS = sorted((Path(__file__).parents[2] / "examples" / "clips").glob("*.flac"))
QUANTUM = 1 / 32_768  # of 16-bit sound
RATE, HOP = 24_000, 240
SMALL = GeneratorConfig(channels=16)


def build(config: Config) -> Generator:
    """A generator loud enough to be compared, with biases and gains for its response to silence to matter."""
    torch.manual_seed(0)
    generator = release.new_generator(config).eval()
    for name, parameter in generator.network.named_parameters():
        if name.endswith("bias"):
            nn.init.normal_(parameter, std=0.3)
        elif name.endswith("original0"):
            parameter.data.fill_(0.7)
    generator.basis.signals.data *= 20.0
    return generator


def released(path: Path, mel: Convention = "paper", generator: GeneratorConfig = SMALL) -> Path:
    config = Config(mel=mel, generator=generator, separator=SeparatorConfig(basis_signals=generator.channels))
    release.save(path, "vocoder", build(config).state_dict(), config, release.Origin(1, "none"))
    return path


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return released(tmp_path_factory.mktemp("model") / "vocoder.safetensors")


@pytest.fixture(scope="module")
def speaker(model: Path) -> Vocoder:
    return open_vocoder(model)


def speech(samples: int = 12_000) -> files.Wave:
    return files.read(CLIPS[0], 12_000, samples)[0]


def mel_of(frames: int) -> np.ndarray:
    return np.random.default_rng(frames).random((80, frames), dtype=np.float32)


def whole(model: Path, mel: np.ndarray) -> files.Wave:
    """What one pass over the whole mel makes."""
    generator = release.load_vocoder(model)[0]
    wave: files.Wave = generator(torch.from_numpy(np.array(mel, np.float32))[None]).wave[0].numpy()
    return wave


def speak(source: Path, out: Path, model: Path | str = vocoder.RELEASED, force: bool = False) -> None:
    vocode.vocode(str(source), str(out), open_vocoder(model), force=force)


def in_windows(frames: int, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (stream, vocoder):
        monkeypatch.setattr(module, "WINDOW", frames)


# Windows


@pytest.mark.parametrize("frames", [1, 2, 3, 39, 40, 41, 44, 49, 50, 80, 81, 130])
def test_windows_equal_one_pass_over_the_whole(frames: int, model: Path, speaker: Vocoder, monkeypatch) -> None:
    in_windows(40, monkeypatch)
    mel = mel_of(frames)
    expected = whole(model, mel)
    assert 0.01 < expected.std() < 0.3
    found = speaker(mel)
    assert found.dtype == np.float32
    assert found.shape == (frames * HOP,)
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_silence_is_silence_at_the_edges_of_windows_too(speaker: Vocoder, monkeypatch) -> None:
    in_windows(16, monkeypatch)
    assert np.abs(speaker(np.zeros((80, 70), np.float32))).max() < 1e-5


@pytest.mark.parametrize(
    ("config", "frames"),
    [
        (SMALL, Frames()),
        (GeneratorConfig(channels=16, upsampling=(2, 8), stacks=4), Frames()),
        (GeneratorConfig(channels=16, upsampling=(3, 2), stacks=2), Frames(hop=60, stride=10)),
        (GeneratorConfig(channels=16, upsampling=(2,), stacks=1), Frames(hop=30, stride=15, basis_length=75)),
    ],
)
def test_past_and_lookahead_are_what_the_gradient_measures(config: GeneratorConfig, frames: Frames) -> None:
    torch.manual_seed(0)
    generator = Generator(config, 10, frames, 16).double()
    middle, count = 60, 121
    mel = torch.rand(1, 10, count, dtype=torch.float64, requires_grad=True)
    # No ReLU but the last: all frames of a linear network leave a trace.
    network = nn.Sequential(*(nn.Identity() if isinstance(m, nn.ReLU) else m for m in generator.network))
    for layer in generator.network.modules():
        if isinstance(layer, nn.LeakyReLU):
            layer.negative_slope = 1.0
    wave = nn.functional.conv_transpose1d(
        network(mel), generator.basis.signals[:, None].double(), stride=generator.basis.stride
    )
    wave[..., middle * frames.hop : (middle + 1) * frames.hop].square().sum().backward()
    assert mel.grad is not None
    seen = mel.grad.abs().sum(dim=(0, 1)).nonzero().flatten()
    assert generator.past - 1 <= middle - int(seen[0]) <= generator.past
    assert generator.lookahead - 1 <= int(seen[-1]) - middle <= generator.lookahead


def test_pieces_can_end_before_the_mel_does(speaker: Vocoder, monkeypatch) -> None:
    in_windows(40, monkeypatch)
    mel = mel_of(121)
    spoken = speaker(mel)
    for samples in (0, 1, 40 * HOP, 81 * HOP - 7, 121 * HOP):
        np.testing.assert_array_equal(np.concatenate(list(speaker.pieces(mel, samples))), spoken[:samples])


# Folding


def test_folding_weight_norm_changes_no_sample() -> None:
    config = Config(generator=SMALL, separator=SeparatorConfig(basis_signals=16))
    normed, folded = build(config), build(config)
    folded.fold_weight_norm()
    mel = torch.from_numpy(mel_of(25))[None]
    expected = normed(mel).wave
    assert expected.std() > 0.01
    torch.testing.assert_close(folded(mel).wave, expected, atol=1e-5, rtol=0.0)
    assert not any("parametrizations" in name for name in folded.state_dict())
    assert any("parametrizations" in name for name in normed.state_dict())


# Mels in


@pytest.mark.parametrize("kind", ["float32", "float64", "float16"])
def test_a_mel_becomes_exactly_its_frames(kind: str, model: Path, tmp_path: Path) -> None:
    mel = mel_of(23).astype(kind)
    np.save(tmp_path / "mel.npy", mel)
    speak(tmp_path / "mel.npy", tmp_path / "new" / "spoken.wav", model)
    wave, rate = files.read(tmp_path / "new" / "spoken.wav")
    assert (rate, wave.size) == (RATE, 23 * HOP)
    np.testing.assert_allclose(wave, whole(model, mel), atol=2 * QUANTUM)
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["spoken.wav"]


def test_a_mel_stored_by_columns_is_the_same_mel(model: Path, tmp_path: Path) -> None:
    np.save(tmp_path / "rows.npy", mel_of(9))
    np.save(tmp_path / "columns.npy", np.asfortranarray(mel_of(9)))
    for name in ("rows", "columns"):
        speak(tmp_path / f"{name}.npy", tmp_path / f"{name}.wav", model)
    assert (tmp_path / "rows.wav").read_bytes() == (tmp_path / "columns.wav").read_bytes()


# Recordings in


@pytest.mark.parametrize("name", ["paper", "hifigan", "bigvgan", "vocos"])
def test_a_recording_comes_back_as_long_as_it_was(name: Convention, tmp_path: Path) -> None:
    speaker = open_vocoder(released(tmp_path / "vocoder.safetensors", name))
    for samples in (1, 239, 240, 241, 4_800, 4_999):
        assert speaker.resynthesise(speech(samples), RATE).shape == (samples,)
    for rate in (8_000, 16_000, 44_100):
        expected = files.resample(speech(4_999), rate, RATE).shape
        assert speaker.resynthesise(speech(4_999), rate).shape == expected


def test_a_recording_is_spoken_from_its_mel(model: Path, speaker: Vocoder) -> None:
    wave = speech(24_001)
    mel = mel_spectrogram(wave, "paper", Frames())
    expected = whole(model, mel)[: wave.size]
    np.testing.assert_allclose(speaker.resynthesise(wave, RATE), expected, atol=1e-5)


@pytest.mark.parametrize("name", ["paper", "hifigan"])
def test_a_recording_in_pieces_is_spoken_as_the_whole(name: Convention, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(mel_chunks, "CHUNK", 5)
    speaker = open_vocoder(released(tmp_path / "vocoder.safetensors", name))
    wave = files.read(CLIPS[0], 20_000, 30_001)[0]
    whole = speaker.resynthesise(wave, RATE)
    pieces = list(speaker.resynthesised(np.split(wave, [1, 9_000, 9_000, 25_000])))
    assert len(pieces) > 2
    np.testing.assert_allclose(np.concatenate(pieces), whole, atol=1e-4)


def test_an_uncentred_mel_loses_nothing_at_the_end(tmp_path: Path) -> None:
    speaker = open_vocoder(released(tmp_path / "vocoder.safetensors", "hifigan"))
    assert not convention("hifigan").centred
    assert speaker.mel(speech(241), RATE).shape == (80, 2)
    filled = np.pad(speech(1_000), (0, 200))
    np.testing.assert_array_equal(speaker.mel(speech(1_000), RATE), mel_spectrogram(filled, "hifigan", Frames()))


@pytest.mark.parametrize("rate", [24_000, 16_000, 44_100])
def test_any_rate_and_channels_are_spoken(rate: int, model: Path, speaker: Vocoder, tmp_path: Path) -> None:
    stereo = np.stack([speech(), 0.2 * speech()], axis=1)
    soundfile.write(tmp_path / "stereo.wav", stereo, rate, subtype="FLOAT")
    speak(tmp_path / "stereo.wav", tmp_path / "spoken.flac", model)
    found, found_rate = files.read(tmp_path / "spoken.flac")
    expected = speaker.resynthesise(files.read(tmp_path / "stereo.wav")[0], rate)
    assert found_rate == RATE
    assert found.shape == expected.shape == files.resample(speech(), rate, RATE).shape
    np.testing.assert_allclose(found, expected, atol=2 * QUANTUM)


def test_the_released_vocoder_is_the_default(tmp_path: Path, monkeypatch) -> None:
    speak(CLIPS[0], tmp_path / "spoken.wav")
    assert files.length(tmp_path / "spoken.wav") == files.length(CLIPS[0])
    monkeypatch.setattr(onnx, "PACKAGE", tmp_path / "package")
    with pytest.raises(ModelFileError, match=r"speech-24k: neither a file nor a vocoder that comes with this package"):
        speak(CLIPS[0], tmp_path / "again.wav")


# Refusals


def with_value(value: float, frame: int) -> np.ndarray:
    mel = mel_of(20)
    mel[7, frame] = value
    return mel


@pytest.mark.parametrize(
    ("mel", "message"),
    [
        (np.zeros((20, 80), np.float32), r"shape \(20, 80\): looks like \(frames, bands\); .* so transpose it"),
        (np.zeros((100, 20), np.float32), r"shape \(100, 20\): expected \(80, F\) .*, the bands .* paper"),
        (np.zeros((1, 80, 20), np.float32), r"shape \(1, 80, 20\): expected \(80, F\), one mel a file"),
        (np.zeros(80, np.float32), r"shape \(80,\): expected \(80, F\)"),
        (np.zeros((80, 0), np.float32), r"shape \(80, 0\): holds no frame"),
        (np.zeros((80, 20), np.int16), "holds int16; expected floats"),
        (np.zeros((80, 20), np.complex64), "holds complex64; expected floats"),
        (with_value(np.nan, 13), "frame 13 holds NaN or infinite values"),
        (with_value(-np.inf, 4), "frame 4 holds NaN or infinite values"),
        (
            with_value(-11.5, 4),
            r"values from -11\.5 to .* the vocoder's convention paper has 0 to 1; .* looks like log",
        ),
        (100 * mel_of(20), r"the vocoder's convention paper has 0 to 1, so make the mel in that convention"),
    ],
)
def test_a_mel_that_the_vocoder_cannot_speak(
    mel: np.ndarray, message: str, model: Path, speaker: Vocoder, tmp_path: Path
) -> None:
    if mel.ndim < 3:  # several mels at once are for the interface alone
        with pytest.raises(MelError, match=message):
            speaker(mel)
    np.save(tmp_path / "mel.npy", mel)
    with pytest.raises(MelError, match=message):
        speak(tmp_path / "mel.npy", tmp_path / "spoken.wav", model)
    assert [path.name for path in tmp_path.iterdir()] == ["mel.npy"]


def test_a_predicted_mel_may_leave_the_range_a_little(speaker: Vocoder) -> None:
    assert np.isfinite(speaker(1.2 * mel_of(5) - 0.1)).all()


def test_levels_in_decibels_are_no_natural_logarithms(tmp_path: Path) -> None:
    speaker = open_vocoder(released(tmp_path / "vocoder.safetensors", "hifigan"))
    mel = speaker.mel(speech(), RATE)
    assert speaker(mel).size == mel.shape[1] * HOP
    with pytest.raises(MelError, match=r"the vocoder's convention hifigan has -11\.51 to 10"):
        speaker(20 / np.log(10) * mel)


def damaged(path: Path) -> None:
    np.save(path, mel_of(9))
    path.write_bytes(path.read_bytes()[:-100])


def pickled(path: Path) -> None:
    np.save(path, np.array([{"mel": 1}], dtype=object), allow_pickle=True)


def archived(path: Path) -> None:
    with path.open("wb") as file:
        np.savez(file, mel=mel_of(9))


def boundless(path: Path) -> None:
    np.save(path, mel_of(9))
    path.write_bytes(path.read_bytes().replace(b"9), }" + b" " * 30, b"9" * 31 + b"), }"))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda path: None, r"mel\.npy: no such file"),
        (lambda path: path.mkdir(), r"mel\.npy: damaged or no array"),
        (lambda path: path.write_bytes(b""), r"mel\.npy: damaged or no array"),
        (lambda path: path.write_bytes(b"hello, I am a letter"), r"mel\.npy: damaged or no array"),
        (lambda path: path.write_bytes(b"PK\x03\x04" + bytes(50)), r"mel\.npy: damaged or no array"),
        (damaged, r"mel\.npy: damaged or no array"),
        (pickled, r"mel\.npy: damaged or no array"),
        (archived, r"mel\.npy: damaged or no array"),
        (boundless, r"mel\.npy: damaged or no array"),
    ],
)
def test_a_file_that_holds_no_mel(make: Callable[[Path], object], message: str, tmp_path: Path) -> None:
    make(tmp_path / "mel.npy")
    with pytest.raises(MelError, match=message):
        read_mel(tmp_path / "mel.npy")


def test_whatever_byte_of_a_header_is_damaged(tmp_path: Path) -> None:
    path, chance = tmp_path / "mel.npy", np.random.default_rng(0)
    np.save(path, mel_of(3))
    content = path.read_bytes()
    refused = 0
    for place in range(128):
        wrong = bytearray(content)
        wrong[place] ^= 1 << int(chance.integers(8))
        path.write_bytes(wrong)
        try:
            read_mel(path)
        except MelError:
            refused += 1
    assert refused > 40


def test_an_output_that_exists_is_kept_unless_forced(model: Path, tmp_path: Path) -> None:
    out = tmp_path / "spoken.wav"
    out.write_text("mine", encoding="utf-8")
    with pytest.raises(OutputError, match=r"spoken\.wav: exists already; use --force"):
        speak(tmp_path / "gone.npy", out, model)
    assert out.read_text(encoding="utf-8") == "mine"
    speak(CLIPS[0], out, model, force=True)
    assert files.length(out) == files.length(CLIPS[0])


@pytest.mark.parametrize("name", ["mel.pth", "mel.txt", "speech"])
def test_a_source_of_another_kind_is_refused(name: str, model: Path, tmp_path: Path) -> None:
    (tmp_path / name).touch()
    with pytest.raises(AudioError, match=r"is neither a mel \(\.npy, \.npz, \.pt\) nor a sound file"):
        speak(tmp_path / name, tmp_path / "spoken.wav", model)


def test_an_output_of_another_kind_is_refused(model: Path, tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=r"spoken\.mp3: \.mp3 is no format"):
        speak(CLIPS[0], tmp_path / "spoken.mp3", model)


def test_a_recording_that_cannot_be_used_is_refused(model: Path, tmp_path: Path) -> None:
    soundfile.write(tmp_path / "empty.wav", np.zeros(0), RATE)
    soundfile.write(tmp_path / "broken.wav", np.array([0.0, np.nan, 0.0]), RATE, subtype="FLOAT")
    for name, message in (("empty", "holds no samples"), ("broken", "sample 1 .* is NaN"), ("gone", "no such file")):
        with pytest.raises(AudioError, match=rf"{name}\.wav: {message}"):
            speak(tmp_path / f"{name}.wav", tmp_path / "spoken.wav", model)
    assert {path.name for path in tmp_path.iterdir()} == {"empty.wav", "broken.wav"}


def test_a_separator_cannot_speak(tmp_path: Path) -> None:
    release.save(tmp_path / "other.safetensors", "separator", {}, Config(), release.Origin(1, "none"))
    with pytest.raises(ModelFileError, match=r"other\.safetensors: holds a separator; expected a vocoder"):
        open_vocoder(tmp_path / "other.safetensors")


# Other sources


@pytest.mark.parametrize("kind", ["npz", "pt"])
def test_archives_and_tensors_are_mels_too(kind: str, model: Path, speaker: Vocoder, tmp_path: Path) -> None:
    mel, path = mel_of(12), tmp_path / f"mel.{kind}"
    if kind == "npz":
        np.savez_compressed(path, mel=mel)
    else:
        torch.save(torch.from_numpy(mel), path)
    speak(path, tmp_path / "spoken.wav", model)
    found, _ = files.read(tmp_path / "spoken.wav")
    np.testing.assert_allclose(found, np.clip(speaker(mel), -1, 1), atol=2 * QUANTUM)


def test_no_pickle_is_loaded(model: Path, tmp_path: Path) -> None:
    class Trap:
        def __reduce__(self) -> tuple:
            return Path.touch, (tmp_path / "sprung",)

    torch.save(Trap(), tmp_path / "trap.pt")
    np.savez(tmp_path / "trap.npz", np.array([Trap()], dtype=object))
    torch.save([torch.zeros(80, 3)], tmp_path / "list.pt")
    np.savez(tmp_path / "two.npz", a=mel_of(3), b=mel_of(3))
    np.save(tmp_path / "renamed.npy", mel_of(3))
    (tmp_path / "renamed.npy").rename(tmp_path / "renamed.npz")
    with ZipFile(tmp_path / "text.npz", "w") as archive:
        archive.writestr("note.txt", "no array")
    torch.save(torch.zeros(80, 3).to_sparse(), tmp_path / "sparse.pt")
    (tmp_path / "broken.npz").write_bytes(b"PK\x03\x04")
    (tmp_path / "broken.pt").write_bytes(b"PK\x03\x04")
    for name, message in (
        ("trap.pt", "damaged or no tensor"),
        ("trap.npz", "damaged or no archive"),
        ("list.pt", "holds a list; expected the mel alone"),
        ("two.npz", r"holds 2 arrays \(a, b\)"),
        ("broken.npz", "damaged or no archive"),
        ("renamed.npz", "damaged or no archive"),
        ("text.npz", "damaged or no archive"),
        ("sparse.pt", "damaged or no tensor"),
        ("broken.pt", "damaged or no tensor"),
    ):
        with pytest.raises(MelError, match=rf"{name}: {message}"):
            speak(tmp_path / name, tmp_path / "spoken.wav", model)
    assert not (tmp_path / "sprung").exists()


def test_a_folder_and_a_pattern_are_spoken_file_by_file(model: Path, tmp_path: Path, capfd) -> None:
    (tmp_path / "in" / "deep").mkdir(parents=True)
    for name, frames in (("in/a", 5), ("in/b", 8), ("in/deep/c", 3)):
        np.save(tmp_path / f"{name}.npy", mel_of(frames))
    (tmp_path / "in" / "notes.txt").write_text("no mel", encoding="utf-8")
    speak(tmp_path / "in", tmp_path / "out", model)
    spoken = {path.relative_to(tmp_path / "out").as_posix(): files.length(path)[0] for path in tmp_path.rglob("*.wav")}
    assert spoken == {"a.wav": 5 * HOP, "b.wav": 8 * HOP, "deep/c.wav": 3 * HOP}
    with pytest.raises(OutputError, match=r"a\.wav: exists already"):
        speak(tmp_path / "in", tmp_path / "out", model)
    speak(tmp_path / "in" / "?.npy", tmp_path / "some", model)
    assert sorted(path.name for path in (tmp_path / "some").iterdir()) == ["a.wav", "b.wav"]
    with pytest.raises(AudioError, match="holds neither mels"):
        speak(tmp_path / "in" / "*.flac", tmp_path / "none", model)
    np.save(tmp_path / "in" / "deep" / "d.npy", np.zeros((3, 3), np.float32))
    with pytest.raises(BasisMelGANError, match="1 of 4 files could not be spoken"):
        speak(tmp_path / "in", tmp_path / "rest", model)
    assert re.search(r"^\S*d\.npy: mel of shape \(3, 3\): expected .*$", capfd.readouterr().err, re.MULTILINE)
    assert sorted(path.name for path in (tmp_path / "rest").rglob("*.*")) == ["a.wav", "b.wav", "c.wav"]


def piped(words: list[str], content: bytes) -> bytes:
    command = [sys.executable, "-m", "basis_melgan.cli", "vocode", *words]
    return subprocess.run(command, input=content, capture_output=True, check=True).stdout


def test_pipes_carry_recordings_mels_and_frames() -> None:
    vocoder, wave = open_vocoder("speech-24k"), speech()
    expected = vocoder.resynthesise(wave, RATE)
    sound, mel_file, mel = io.BytesIO(), io.BytesIO(), vocoder.mel(wave, RATE)
    soundfile.write(sound, wave, RATE, format="WAV", subtype="FLOAT")
    np.save(mel_file, mel)
    for words, content, samples in (
        (["-", "-"], sound.getvalue(), wave.size),
        (["-", "-"], mel_file.getvalue(), mel.shape[1] * 256),
        (["-", "-", "--stream"], mel.T.tobytes(), mel.shape[1] * 256),
    ):
        found = np.frombuffer(piped(words, content), "<i2") / 32_767
        assert found.size == samples
        np.testing.assert_allclose(found[: wave.size], expected, atol=2 * QUANTUM)


def test_what_no_pipe_can_be_is_refused(model: Path, tmp_path: Path) -> None:
    vocoder = open_vocoder(model)
    with pytest.raises(ConfigurationError, match="frames come from standard input"):
        vocode.vocode(str(CLIPS[0]), "-", vocoder, stream=True)
    with pytest.raises(ConfigurationError, match=r"does not go to standard output; name a folder"):
        vocode.vocode(str(CLIPS[0].parent), "-", vocoder)
    with pytest.raises(ConfigurationError, match="jobs: 0; use 1 or more"):
        vocode.vocode(str(CLIPS[0]), str(tmp_path / "out.wav"), vocoder, jobs=0)
    with pytest.raises(OutputError, match="is the folder of the sources"):
        vocode.vocode(str(CLIPS[0].parent), str(CLIPS[0].parent), vocoder)


def test_frames_are_spoken_before_the_pipe_ends(tmp_path: Path) -> None:
    vocoder = open_vocoder("speech-24k")
    mel = vocoder.mel(speech(), RATE)
    command = [sys.executable, "-m", "basis_melgan.cli", "vocode", "-", "-", "--stream"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        process.stdin.write(mel[:, :40].T.tobytes())
        process.stdin.flush()
        early = 2 * 256 * (40 - vocoder.info.lookahead_frames)
        assert len(process.stdout.read(early)) == early
        process.stdin.write(b"odd")
        process.stdin.close()
        assert process.wait() == 2


def test_a_full_output_is_told_in_one_line() -> None:
    command = [sys.executable, "-m", "basis_melgan.cli", "vocode", str(CLIPS[0]), "-"]
    with open("/dev/full", "wb") as full:
        run = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert run.returncode == 2
    assert re.fullmatch(r"basis-melgan: standard output: cannot be written \(.*\)\n", run.stderr)


def test_waves_that_cannot_be_spoken_again_are_refused(speaker: Vocoder) -> None:
    for wave, rate, message in (
        (np.zeros((100, 2), np.float32), RATE, r"wave of shape \(100, 2\) and type float32: expected one channel"),
        (np.zeros(100, np.int16), RATE, "type int16: expected one channel"),
        (np.zeros(100, np.float32), 0, "rate: 0 Hz"),
    ):
        with pytest.raises(MelError, match=message):
            speaker.resynthesise(wave, rate)
