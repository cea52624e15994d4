"""The table of metrics: their functions and the columns of reports that they fill."""

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
    """One column of a report: its name, its unit (empty for a score without one), and its better direction."""

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
    """A function of (reference, estimate, rate in Hz), with one column for each score that it returns."""

    columns: tuple[Column, ...]
    score: Callable[[Wave, Wave, int], float | tuple[float, ...]]
    packages: tuple[str, ...] = ()  # required beyond the extra `train`
    slow: bool = False  # omitted from quick evaluations


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
    """The metrics with installed packages, and for every column of the others the reason; `quick` omits slow ones."""
    metrics: list[Metric] = []
    unavailable: dict[str, str] = {}
    for metric in METRICS:
        if quick and metric.slow:
            continue
        missing = [package for package in metric.packages if importlib.util.find_spec(package) is None]
        if missing:
            reason = f"{missing[0]} is not installed; run {INSTALL}"
            unavailable |= {column.name: reason for column in metric.columns}
        else:
            metrics.append(metric)
    return tuple(metrics), unavailable
