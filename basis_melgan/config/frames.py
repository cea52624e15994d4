"""The one place of frame arithmetic: how samples, mel frames and weight frames lie over one another."""

from dataclasses import dataclass

from basis_melgan.config.validation import require


@dataclass(frozen=True)
class FrameGeometry:
    """Frame geometry: how samples, mel frames and weight frames lie over one another.

    Mel frame f belongs to samples [f·hop, (f+1)·hop). Weight frame k of a paper's generator adds basis signals over
    [k·stride, k·stride + L); a separator's begin `lead` strides earlier, those of a generator at the frame rate by what
    `basis_melgan.models.convnext.split_lookahead` says.
    """

    sample_rate: int = 24_000  # Hz
    hop: int = 240  # samples per mel frame
    basis_length: int = 30  # L, samples
    stride: int = 15  # samples per weight frame

    def __post_init__(self) -> None:
        require(min(self.sample_rate, self.hop, self.stride) > 0, f"frames: {self} has a size below 1; use 1 or more")
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
    def lead(self) -> int:
        """Weight frames that begin before sample 0 and still reach into the wave."""
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
