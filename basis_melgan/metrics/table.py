"""The table of everything that is measured: which functions there are, and the columns that each fills."""

import importlib.util
from collections.abc import Callable
from dataclasses import dataclass

from basis_melgan.audio.files import Wave
from basis_melgan.metrics import neural, signal
from basis_melgan.metrics.artifacts import high_band_artifacts
from basis_melgan.metrics.mcd import mel_cepstral_distortion
from basis_melgan.metrics.packages import INSTALL
from basis_melgan.metrics.pitch import pitch_errors


@dataclass(frozen=True)
class Column:
    """One figure of a report: its name, its unit (empty for a score without one), and which way is better."""

    name: str
    unit: str
    higher_is_better: bool

    @property
    def heading(self) -> str:
        """Name, unit and an arrow that points to the better side."""
        unit = f" ({self.unit})" if self.unit else ""
        return f"{self.name}{unit} {'↑' if self.higher_is_better else '↓'}"


@dataclass(frozen=True)
class Metric:
    """A function of (reference, estimate, rate in Hz) and the columns it fills, one each of what it returns."""

    columns: tuple[Column, ...]
    score: Callable[[Wave, Wave, int], float | tuple[float, ...]]
    packages: tuple[str, ...] = ()  # that it needs beyond the extra `train`
    slow: bool = False  # a network that takes its time


METRICS = (
    Metric((Column("PESQ-WB", "", True),), signal.pesq_wb),
    Metric((Column("STOI", "", True),), signal.stoi),
    Metric((Column("ESTOI", "", True),), signal.estoi),
    Metric((Column("MCD", "dB", False),), mel_cepstral_distortion),
    Metric((Column("MR-STFT", "", False),), signal.stft_distance),
    Metric((Column("mel L1", "", False),), signal.mel_l1),
    Metric(
        (Column("F0 RMSE", "cents", False), Column("V/UV F1", "", True), Column("periodicity RMSE", "", False)),
        pitch_errors,
        ("torchcrepe", "resampy", "librosa"),
        slow=True,
    ),
    Metric(
        (Column("DistillMOS", "", True),),
        lambda _, estimate, rate: neural.distill_mos(estimate, rate),
        ("distillmos", "xls_r_sqa"),
    ),
    Metric(
        (Column("DNSMOS", "", True),),
        lambda _, estimate, rate: neural.dnsmos(estimate, rate),
        ("speechmos", "onnxruntime", "librosa", "requests"),
        slow=True,
    ),
    Metric(
        (Column("speaker cosine", "", True),),
        neural.speaker_cosine,
        ("resemblyzer", "webrtcvad", "librosa"),
        slow=True,
    ),
    Metric((Column("phoneme error", "", False),), neural.phoneme_error, ("hama",), slow=True),
    Metric((Column("tonal artifacts", "dB", False), Column("noise-floor rise", "dB", False)), high_band_artifacts),
)


def available_metrics(quick: bool) -> tuple[tuple[Metric, ...], dict[str, str]]:
    """The measures that can be had here, and for every column left out the reason; `quick` leaves out the slow ones."""
    measures: list[Metric] = []
    left_out: dict[str, str] = {}
    for measure in METRICS:
        if quick and measure.slow:
            continue
        missing = [package for package in measure.packages if importlib.util.find_spec(package) is None]
        if missing:
            left_out |= {column.name: f"{missing[0]} is not installed; run {INSTALL}" for column in measure.columns}
        else:
            measures.append(measure)
    return tuple(measures), left_out
