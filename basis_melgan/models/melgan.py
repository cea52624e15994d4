"""The paper's generator: mel to weights by transposed convolutions and dilated residual stacks, weights to wave."""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils import parametrize
from torch.nn.utils.parametrizations import weight_norm

from basis_melgan.config.frames import FrameGeometry
from basis_melgan.config.networks import MelGANConfig
from basis_melgan.errors import ConfigurationError, MelError
from basis_melgan.models.bases.basis import Basis, SynthesisOutput, full_precision

FIRST_KERNEL = 7
KERNEL = 3  # of residual stacks, as in MelGAN
SLOPE = 0.2  # of LeakyReLU, as in MelGAN
DILATION = 3  # from one residual stack to the next


def _normed(convolution: nn.Module) -> nn.Module:
    """Draw weights from N(0, 0.02), as MelGAN does, and split them into direction and length."""
    nn.init.normal_(convolution.get_parameter("weight"), std=0.02)
    normed: nn.Module = weight_norm(convolution)
    return normed


class ResidualStack(nn.Module):
    """Dilated convolution, 1×1 convolution, and a 1×1 convolution across them (arXiv 1910.06711, appendix A)."""

    def __init__(self, channels: int, dilation: int) -> None:
        super().__init__()
        self.reach = KERNEL // 2 * dilation
        self.body = nn.Sequential(
            nn.LeakyReLU(SLOPE),
            nn.ReflectionPad1d(self.reach),
            _normed(nn.Conv1d(channels, channels, KERNEL, dilation=dilation)),
            nn.LeakyReLU(SLOPE),
            _normed(nn.Conv1d(channels, channels, 1)),
        )
        self.skip = _normed(nn.Conv1d(channels, channels, 1))

    def forward(self, hidden: Tensor) -> Tensor:
        """Keep the shape (B, channels, time)."""
        out: Tensor = self.skip(hidden) + self.body(hidden)
        return out


class MelGANGenerator(nn.Module):
    """Basis-MelGAN's generator (arXiv 2106.13419; sizes from FastVocoder).

    At the default sizes 3.17 M parameters with weight norm merged, the basis included, and 2.24 GMAC a second at 24 kHz
    (2.25 with the basis). These numbers leave room for no convolution between the last residual stack and the ReLU.

    The basis starts frozen. `generator.basis.requires_grad_(True)` opens it for fine-tuning.
    """

    def __init__(self, config: MelGANConfig, frames: FrameGeometry, bands: int) -> None:
        """Build the network for mels of `bands` bands over a basis of as many atoms as it has channels.

        Raises:
            ConfigurationError: the upsampling does not lead from mel frames to weight frames.
        """
        super().__init__()
        _require_upsampling(config, frames)
        self.bands, self.hop = bands, frames.hop
        self.weights_per_mel = frames.weights_per_mel
        self.edge, self.shortest = _edge(config), _shortest(config)
        # Mel frames back and ahead that a frame's samples depend on; the basis reaches `lead` weight frames back.
        self.lookahead = self.edge + FIRST_KERNEL // 2
        self.past = self.lookahead + -(-frames.lead // frames.weights_per_mel)
        layers: list[nn.Module] = [
            nn.ReflectionPad1d(FIRST_KERNEL // 2),
            _normed(nn.Conv1d(bands, config.channels, FIRST_KERNEL)),
        ]
        for scale in config.upsampling:
            layers += [nn.LeakyReLU(SLOPE), _upsampling(config.channels, scale)]
            layers += [ResidualStack(config.channels, DILATION**i) for i in range(config.stacks)]
        self.network = nn.Sequential(*layers, nn.ReLU())
        self.basis = Basis(config.channels, frames)
        self.basis.requires_grad_(False)

    def forward(self, mel: Tensor) -> SynthesisOutput:
        """Speak a mel.

        The response to an all-zero mel, which is what the biases alone say, is subtracted from the weights. Synthesis
        is linear, so it leaves the wave with them.

        Args:
            mel: (B, M, F), F from 1 upward.

        Returns:
            The wave (B, F·hop) and its weights (B, N, F·weights_per_mel).

        Raises:
            MelError: the mel has another number of dimensions or bands, or no frame.
        """
        if mel.ndim != 3 or mel.shape[1] != self.bands or mel.shape[2] == 0:
            raise MelError(f"mel of shape {tuple(mel.shape)}: expected (batch, {self.bands} bands, at least 1 frame)")
        frames = mel.shape[-1]
        if frames < self.shortest:
            # Reflection is undefined here. The last frame is held instead, and what it adds is cut off again.
            mel = F.pad(mel, (0, self.shortest - frames), mode="replicate")
        weights = full_precision(self.network(mel)) - self.rest(mel)
        weights = weights[..., : frames * self.weights_per_mel]
        return SynthesisOutput(self.basis(weights), weights)

    def fold_weight_norm(self) -> None:
        """Merge direction and length into plain weights, for inference alone: a call need not compute them again.

        Fold before the weights are frozen, or they become buffers, and never a deep copy: PyTorch lets copies share
        what it removes, so that the original would break.
        """
        for module in list(self.network.modules()):
            if parametrize.is_parametrized(module):
                parametrize.remove_parametrizations(module, "weight")

    def muon_parameters(self) -> list[nn.Parameter]:
        """None: all that this generator has is convolutions."""
        return []

    def rest(self, mel: Tensor) -> Tensor:
        """Response (1, N, K) to an all-zero mel of the shape of `mel`, with gradients.

        Inside the mel it repeats from frame to frame. Only `edge` frames at either end feel the padding, so a mel of
        2·edge + 1 frames holds every frame there is, however long the mel.
        """
        frames = mel.shape[-1]
        enough = max(2 * self.edge + 1, self.shortest)
        rest = full_precision(self.network(mel.new_zeros(1, self.bands, min(frames, enough))))
        if frames <= enough:
            return rest
        ends = self.edge * self.weights_per_mel
        inside = rest[..., ends : ends + self.weights_per_mel].repeat(1, 1, frames - 2 * self.edge)
        return torch.cat([rest[..., :ends], inside, rest[..., -ends:]], dim=-1)


def _upsampling(channels: int, scale: int) -> nn.Module:
    """Transposed convolution that makes exactly `scale` frames of every frame."""
    return _normed(
        nn.ConvTranspose1d(
            channels, channels, 2 * scale, scale, padding=scale // 2 + scale % 2, output_padding=scale % 2
        )
    )


def _edge(config: MelGANConfig) -> int:
    """Mel frames at either end over which the response to a constant mel is not yet periodic."""
    edge, rate = 0, 1
    for scale in config.upsampling:
        edge = edge * scale + scale // 2 + scale % 2
        edge += sum(KERNEL // 2 * DILATION**i for i in range(config.stacks))
        rate *= scale
    return -(-edge // rate)


def _shortest(config: MelGANConfig) -> int:
    """Mel frames from which every reflection is defined: it needs one frame more than it pads."""
    frames, rate = FIRST_KERNEL // 2 + 1, 1
    for scale in config.upsampling:
        rate *= scale
        frames = max([frames, *(KERNEL // 2 * DILATION**i // rate + 1 for i in range(config.stacks))])
    return frames


def _require_upsampling(config: MelGANConfig, frames: FrameGeometry) -> None:
    """Require an upsampling that leads from mel frames to weight frames."""
    rate = math.prod(config.upsampling)
    if rate != frames.weights_per_mel:
        raise ConfigurationError(
            f"generator.upsampling: {config.upsampling} makes {rate} weight frames of a mel frame; "
            f"frames.hop / frames.stride asks for {frames.weights_per_mel}"
        )
