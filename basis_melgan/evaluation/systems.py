"""Systems that speak a recording again: vocoders, baselines, what another program made, and the recording itself."""

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
from basis_melgan.evaluation.labels import VOCODERS, labels
from basis_melgan.inference.loading import load_vocoder
from basis_melgan.inference.pretrained import pretrained_names, pretrained_path

RECORDING = "recording"
HOP = 256  # samples per mel frame of all conventions but the paper's, as their vocoders have it
SUFFIXES = (".wav", ".flac")  # of the waves in a folder, in the order they are looked for


class Recorded(NamedTuple):
    """A clip to be spoken again: its wave (T,), its sample rate in Hz, and where it comes from."""

    wave: Wave
    rate: int
    corpus: str
    clip: str


class System:
    """Something that speaks a recording again: from its mel, its WORLD parameters, or itself.

    Attributes:
        rate: the one sample rate in Hz it speaks at; None for any.
        slack: samples by which the length of its wave may differ from the recording's.
        computes: whether it makes its waves here, so that its speed can be measured.
        source: the file or folder that its waves come from; None where there is none.
    """

    rate: int | None = None
    slack = 0
    computes = True
    source: Path | None = None

    def __call__(self, recorded: Recorded) -> Wave:
        """Speak a recording again, beginning with its first sample, at its sample rate."""
        raise NotImplementedError


@dataclass
class Recording(System):
    """The recording itself: what no system can beat."""

    computes = False

    def __call__(self, recorded: Recorded) -> Wave:
        """The same wave (T,)."""
        return recorded.wave


@dataclass
class World(System):
    """WORLD as a system: copy-synthesis."""

    def __call__(self, recorded: Recorded) -> Wave:
        """Take a wave (T,) apart and put it together again."""
        return world(recorded.wave, recorded.rate)


@dataclass
class GriffinLim(System):
    """Griffin-Lim as a system, from the paper's mel or from one of another convention."""

    iterations: int = ITERATIONS
    mel: MelConfigName = "paper"
    slack = HOP

    def __call__(self, recorded: Recorded) -> Wave:
        """Take the mel of a wave (T,) and speak it, at most a hop longer."""
        frames = FrameGeometry(sample_rate=recorded.rate)
        if self.mel != "paper":
            frames = FrameGeometry(sample_rate=recorded.rate, hop=HOP, basis_length=HOP, stride=HOP)
        return griffin_lim(mel_spectrogram(recorded.wave, self.mel, frames), self.mel, frames, self.iterations)


class Vocoder(System):
    """A trained vocoder as a system: its waves are as long as the recordings."""

    def __init__(self, source: Path) -> None:
        self.source = source
        self._vocoder = load_vocoder(source)
        self.info = self._vocoder.info
        self.rate = self.info.sample_rate
        # The first call of a process allocates and plans; what is measured are the later ones.
        self._vocoder.resynthesize(np.zeros(self.rate, dtype=np.float32), self.rate)

    def __call__(self, recorded: Recorded) -> Wave:
        """Take the mel of a wave (T,) and speak it."""
        return self._vocoder.resynthesize(recorded.wave, recorded.rate)


@dataclass
class Folder(System):
    """Waves that any other system made of the same clips: CORPUS/CLIP.wav, or CLIP.wav; .flac will do as well.

    A wave of another sample rate is resampled to the recording's.
    """

    source: Path
    slack = 4 * FrameGeometry.hop  # hops and windows of other systems differ
    computes = False

    def __call__(self, recorded: Recorded) -> Wave:
        """Read the wave of a clip.

        Raises:
            AudioError: the folder has none, or it cannot be read.
        """
        names = (f"{recorded.corpus}/{recorded.clip}", recorded.clip)
        for place in (self.source / f"{name}{suffix}" for name in names for suffix in SUFFIXES):
            if place.is_file():
                wave, rate = files.read(place)
                return files.resample(wave, rate, recorded.rate)
        raise AudioError(f"{self.source}: holds neither {names[0]}.wav nor {names[1]}.wav; put the clip there")


def system_named(name: str) -> System:
    """The system that a name stands for: the one place where systems are made.

    Args:
        name: `recording`, `world`, `griffin-lim` (60 iterations from the paper's mel), `griffin-lim:N`,
            `griffin-lim:MEL` for another convention, the path of a vocoder's file or the name of one that comes with
            this package (its `.onnx` where there is one), or a folder of waves.

    Raises:
        ConfigurationError: none of these.
        ModelFileError: the vocoder's file cannot be used.
    """
    kind, _, choice = name.partition(":")
    if name == RECORDING:
        return Recording()
    if name == "world":
        return World()
    if name == "griffin-lim":
        return GriffinLim()
    if kind == "griffin-lim" and choice.isdecimal():
        return GriffinLim(int(choice))
    if kind == "griffin-lim" and choice in get_args(MelConfigName):
        return GriffinLim(mel=cast(MelConfigName, choice))
    if Path(name).suffix in VOCODERS:
        return Vocoder(Path(name))
    if name and Path(name).is_dir():
        return Folder(Path(name))
    for suffix in (".onnx", ".safetensors"):
        if name in pretrained_names(suffix):
            return Vocoder(pretrained_path(name, suffix))
    raise ConfigurationError(
        f"system: {name!r} is none; use recording, world, griffin-lim, griffin-lim:N for N iterations, "
        f"griffin-lim:MEL for the mel {', '.join(get_args(MelConfigName))}, a vocoder's file (.safetensors or .onnx), "
        f"{', '.join(pretrained_names('.onnx'))}, or a folder of waves"
    )


class Candidate(NamedTuple):
    """A system to be measured."""

    label: str  # in reports
    name: str  # as a user gave it
    source: str  # what `system_named` takes for it


def candidates(names: Sequence[str]) -> list[Candidate]:
    """Systems that are measured together, released vocoders in the precision of the others.

    A released vocoder's name stands for its file in 8 bits, the one that `vocode` runs. Beside vocoders given as files,
    or released in floating point alone, it stands for the file in the precision of the first of these, since 8 bits
    cost some quality.

    Raises:
        ConfigurationError: two systems would bear the same name.
        ModelFileError: a vocoder's file cannot be used.
    """
    floating = next((is_floating for is_floating in map(_floating, names) if is_floating is not None), False)
    suffix = ".safetensors" if floating else ".onnx"
    sources = [str(pretrained_path(name, suffix)) if _in_8_bits(name) else name for name in names]
    return [Candidate(*names_of) for names_of in zip(labels(names), names, sources, strict=True)]


def _floating(name: str) -> bool | None:
    """Whether a vocoder multiplies in floating point; None where its name leaves it open, or it is no vocoder."""
    path = Path(name)
    if path.suffix == ".onnx":
        return load_vocoder(path).info.precision == "float32"
    only = name in pretrained_names(".safetensors") and name not in pretrained_names(".onnx") and not path.is_dir()
    return True if path.suffix == ".safetensors" or only else None


def _in_8_bits(name: str) -> bool:
    """Whether a name is that of a vocoder released in 8 bits too."""
    return name in pretrained_names(".onnx") and not Path(name).is_dir()
