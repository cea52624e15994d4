"""Systems that resynthesize a recording: vocoders, baselines, waves of another program, and the recording itself."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, cast, get_args

import numpy as np

from basis_melgan.audio import files
from basis_melgan.audio.files import Wave
from basis_melgan.audio.mel import mel_spectrogram
from basis_melgan.config.frames import FrameGeometry
from basis_melgan.config.schema import MelConfigName
from basis_melgan.errors import AudioError, ConfigurationError
from basis_melgan.evaluation.baselines import ITERATIONS, griffin_lim, world
from basis_melgan.evaluation.labels import VOCODER_SUFFIXES, system_labels
from basis_melgan.inference.loading import load_vocoder
from basis_melgan.inference.pretrained import pretrained_names, pretrained_path

RECORDING = "recording"
HOP = 256  # samples per mel frame of every mel config but the paper's, as in the vocoders that use them
SOUND_SUFFIXES = (".wav", ".flac")  # of the waves in a folder, in the order of preference


class RecordedClip(NamedTuple):
    """A clip to resynthesize: wave (T,), sample rate in Hz, name of its corpus and id."""

    wave: Wave
    sample_rate: int
    corpus: str
    clip: str


class System:
    """A system that resynthesizes recordings from their mel spectrogram or other features.

    Attributes:
        sample_rate: the only supported sample rate in Hz; None for any.
        length_tolerance: samples by which its wave may differ in length from the recording.
        computes: whether it synthesizes here, so that its speed can be measured.
        source: the file or folder that it reads; None for a system without.
    """

    sample_rate: int | None = None
    length_tolerance = 0
    computes = True
    source: Path | None = None

    def resynthesize(self, clip: RecordedClip) -> Wave:
        """Synthesize a recording, aligned to its first sample, at its sample rate."""
        raise NotImplementedError


@dataclass
class RecordingSystem(System):
    """The recording itself: the upper bound of every metric."""

    computes = False

    def resynthesize(self, clip: RecordedClip) -> Wave:
        """Return the recording (T,)."""
        return clip.wave


@dataclass
class WorldSystem(System):
    """Copy synthesis by the WORLD vocoder."""

    def resynthesize(self, clip: RecordedClip) -> Wave:
        """Analyze and synthesize a wave (T,)."""
        return world(clip.wave, clip.sample_rate)


@dataclass
class GriffinLimSystem(System):
    """Griffin-Lim from the mel spectrogram of one of the mel configs."""

    iterations: int = ITERATIONS
    mel: MelConfigName = "paper"
    length_tolerance = HOP

    def resynthesize(self, clip: RecordedClip) -> Wave:
        """Synthesize the mel spectrogram of a wave (T,); the result is at most a hop longer."""
        frames = FrameGeometry(sample_rate=clip.sample_rate)
        if self.mel != "paper":
            frames = FrameGeometry(sample_rate=clip.sample_rate, hop=HOP, basis_length=HOP, stride=HOP)
        return griffin_lim(mel_spectrogram(clip.wave, self.mel, frames), self.mel, frames, self.iterations)


class VocoderSystem(System):
    """A trained vocoder; its waves are as long as the recordings."""

    def __init__(self, source: Path) -> None:
        self.source = source
        self._vocoder = load_vocoder(source)
        self.info = self._vocoder.info
        self.sample_rate = self.info.sample_rate
        # The first call of a process allocates and plans; the measured calls should not.
        self._vocoder.resynthesize(np.zeros(self.sample_rate, dtype=np.float32), self.sample_rate)

    def resynthesize(self, clip: RecordedClip) -> Wave:
        """Synthesize the mel spectrogram of a wave (T,)."""
        return self._vocoder.resynthesize(clip.wave, clip.sample_rate)


@dataclass
class FolderSystem(System):
    """Waves of the same clips by another program: CORPUS/CLIP.wav or CLIP.wav, or .flac.

    A wave of another sample rate is resampled to the recording's.
    """

    source: Path
    length_tolerance = 4 * FrameGeometry.hop  # other programs have other hops and windows
    computes = False

    def resynthesize(self, clip: RecordedClip) -> Wave:
        """Read the wave of a clip.

        Raises:
            AudioError: the folder has none, or it cannot be read.
        """
        names = (f"{clip.corpus}/{clip.clip}", clip.clip)
        for path in (self.source / f"{name}{suffix}" for name in names for suffix in SOUND_SUFFIXES):
            if path.is_file():
                wave, sample_rate = files.read(path)
                return files.resample(wave, sample_rate, clip.sample_rate)
        raise AudioError(f"{self.source}: has neither {names[0]}.wav nor {names[1]}.wav; put the clip there")


def load_system(name: str) -> System:
    """Create a system from its name.

    Args:
        name: `recording`, `world`, `griffin-lim` (60 iterations, the paper's mel config), `griffin-lim:N`,
            `griffin-lim:MEL` for another mel config, the path of a vocoder's file, the name of a pretrained
            vocoder (its `.onnx` file if there is one), or a folder of waves.

    Raises:
        ConfigurationError: the name is none of these.
        ModelFileError: the vocoder's file cannot be used.
    """
    kind, _, option = name.partition(":")
    if name == RECORDING:
        return RecordingSystem()
    if name == "world":
        return WorldSystem()
    if name == "griffin-lim":
        return GriffinLimSystem()
    if kind == "griffin-lim" and option.isdecimal():
        return GriffinLimSystem(int(option))
    if kind == "griffin-lim" and option in get_args(MelConfigName):
        return GriffinLimSystem(mel=cast(MelConfigName, option))
    if Path(name).suffix in VOCODER_SUFFIXES:
        return VocoderSystem(Path(name))
    if name and Path(name).is_dir():
        return FolderSystem(Path(name))
    for suffix in (".onnx", ".safetensors"):
        if name in pretrained_names(suffix):
            return VocoderSystem(pretrained_path(name, suffix))
    raise ConfigurationError(
        f"system: unknown name {name!r}; use recording, world, griffin-lim, griffin-lim:N for N iterations, "
        f"griffin-lim:MEL for the mel {', '.join(get_args(MelConfigName))}, a vocoder's file (.safetensors or .onnx), "
        f"{', '.join(pretrained_names('.onnx'))}, or a folder of waves"
    )


class SystemSpec(NamedTuple):
    """A system to evaluate: its label in the results, its name as the user typed it, and what `load_system` takes."""

    label: str
    name: str
    source: str


def resolve_systems(names: Sequence[str]) -> list[SystemSpec]:
    """Specify the systems of one evaluation, with pretrained vocoders in the precision of the other vocoders.

    A pretrained vocoder's name stands for its 8-bit file, which `vocode` uses. Next to vocoders given as files, or
    pretrained ones without an 8-bit file, it stands for the file in the precision of the first of these, because 8 bits
    cost some quality.

    Raises:
        ConfigurationError: two systems would have the same label.
        ModelFileError: a vocoder's file cannot be used.
    """
    floating = next((is_floating for is_floating in map(_is_floating, names) if is_floating is not None), False)
    suffix = ".safetensors" if floating else ".onnx"
    sources = [str(pretrained_path(name, suffix)) if _has_int8_file(name) else name for name in names]
    specs = zip(system_labels(names), names, sources, strict=True)
    return [SystemSpec(label, name, source) for label, name, source in specs]


def _is_floating(name: str) -> bool | None:
    """Whether a vocoder multiplies in floating point; None for a name with files of both precisions or a baseline."""
    path = Path(name)
    if path.suffix == ".onnx":
        return load_vocoder(path).info.precision == "float32"
    if path.suffix == ".safetensors":
        return True
    only_floating = name in pretrained_names(".safetensors") and name not in pretrained_names(".onnx")
    return True if only_floating and not path.is_dir() else None


def _has_int8_file(name: str) -> bool:
    """Whether a name is that of a pretrained vocoder with an 8-bit file."""
    return name in pretrained_names(".onnx") and not Path(name).is_dir()
