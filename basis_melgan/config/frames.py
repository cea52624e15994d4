"""Frame arithmetic: how samples, mel frames and weight frames align."""

from dataclasses import dataclass
from typing import Annotated

from basis_melgan.config.validation import require, require_minimum


@dataclass(frozen=True)
class FrameGeometry:
    """How samples, mel frames and weight frames align.

    Mel frame f covers samples [f·hop, (f+1)·hop). Weight frame k of a MelGAN generator adds atoms to samples
    [k·stride, k·stride + L). Those of a separator start `leading_frames` strides earlier, those of a ConvNeXt generator
    as `basis_melgan.models.convnext.split_lookahead` computes.
    """

    sample_rate: Annotated[int, "Hz; must match the prepared corpus"] = 24_000
    hop: Annotated[int, "samples per mel frame; must match the acoustic model"] = 240
    basis_length: Annotated[int, "samples per atom (L); twice the stride in the paper, four times for convnext"] = 30
    stride: Annotated[int, "samples per weight frame; must divide the hop"] = 15

    def __post_init__(self) -> None:
        require_minimum(1, "frames", self, "sample_rate", "hop", "stride")
        require(
            self.hop % self.stride == 0,
            f"frames.stride: {self.stride} does not divide frames.hop {self.hop}; "
            "a mel frame must hold a whole number of weight frames",
        )
        require(
            self.basis_length >= self.stride and self.basis_length % self.stride == 0,
            f"frames.basis_length: {self.basis_length} is not a multiple of frames.stride {self.stride}; "
            "the paper uses twice the stride",
        )

    @property
    def weights_per_mel(self) -> int:
        """Weight frames per mel frame."""
        return self.hop // self.stride

    @property
    def leading_frames(self) -> int:
        """Weight frames that start before sample 0 and overlap the wave."""
        return self.basis_length // self.stride - 1

    @property
    def weight_rate(self) -> float:
        """Weight frames per second."""
        return self.sample_rate / self.stride

    def mel_frames(self, samples: int) -> int:
        """Whole mel frames in a wave of `samples`."""
        return samples // self.hop

    def samples(self, mel_frames: int) -> int:
        """Samples that `mel_frames` mel frames span."""
        return mel_frames * self.hop
