"""The paper's generator: mel to weights by transposed convolutions and dilated residual stacks, weights to wave."""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils import parametrize
from torch.nn.utils.parametrizations import weight_norm

from basis_melgan.config.frames import FrameGeometry
from basis_melgan.config.networks import MelGANConfig
from basis_melgan.errors import ConfigurationError
from basis_melgan.models.bases.basis import Basis, SynthesisOutput, full_precision
from basis_melgan.models.mel_shape import require_mel
from basis_melgan.models.silence import SilenceTable, tile_response
from basis_melgan.models.streaming import ReflectionPad, StreamingConvTranspose1d, StreamState

FIRST_KERNEL = 7
KERNEL = 3  # of residual stacks, as in MelGAN
SLOPE = 0.2  # of LeakyReLU, as in MelGAN
DILATION = 3  # from one residual stack to the next


def _with_weight_norm(convolution: nn.Module) -> nn.Module:
    """Draw weights from N(0, 0.02), as MelGAN does, and split them into direction and length."""
    nn.init.normal_(convolution.get_parameter("weight"), std=0.02)
    module: nn.Module = weight_norm(convolution)
    return module


class ResidualStack(nn.Module):
    """Dilated convolution, 1×1 convolution, and a 1×1 convolution across them (arXiv 1910.06711, appendix A)."""

    def __init__(self, channels: int, dilation: int) -> None:
        super().__init__()
        self.activation = nn.LeakyReLU(SLOPE)
        self.pad = ReflectionPad(KERNEL // 2 * dilation)
        self.dilated = _with_weight_norm(nn.Conv1d(channels, channels, KERNEL, dilation=dilation))
        self.pointwise = _with_weight_norm(nn.Conv1d(channels, channels, 1))
        self.skip = _with_weight_norm(nn.Conv1d(channels, channels, 1))

    def forward(self, hidden: Tensor, state: StreamState | None = None) -> Tensor:
        """Transform (B, channels, time) to the same shape; a stream delays it by the convolution's reach."""
        padded, residual = self.pad(hidden, state)
        change = self.pointwise(self.activation(self.dilated(self.activation(padded))))
        out: Tensor = self.skip(residual) + change
        return out


class UpsamplingStage(nn.Module):
    """A transposed convolution and the residual stacks after it."""

    def __init__(self, config: MelGANConfig, scale: int) -> None:
        super().__init__()
        self.activation = nn.LeakyReLU(SLOPE)
        self.upsample = _with_weight_norm(StreamingConvTranspose1d(config.channels, scale))
        self.stacks = nn.ModuleList(ResidualStack(config.channels, DILATION**i) for i in range(config.stacks))

    def forward(self, hidden: Tensor, state: StreamState | None = None) -> Tensor:
        """Upsample (B, channels, F) to (B, channels, F·scale)."""
        hidden = self.upsample(self.activation(hidden), state)
        for stack in self.stacks:
            hidden = stack(hidden, state)
        return hidden


class WeightNetwork(nn.Module):
    """The layers between mel and weights: a convolution, the upsampling stages, and a ReLU."""

    def __init__(self, config: MelGANConfig, bands: int) -> None:
        super().__init__()
        self.input_pad = ReflectionPad(FIRST_KERNEL // 2)
        self.input_conv = _with_weight_norm(nn.Conv1d(bands, config.channels, FIRST_KERNEL))
        self.stages = nn.ModuleList(UpsamplingStage(config, scale) for scale in config.upsampling)
        self.activation = nn.ReLU()

    def forward(self, mel: Tensor, state: StreamState | None = None) -> Tensor:
        """Weights (B, channels, F·weights_per_mel) of a mel (B, M, F), the response to silence included."""
        padded, _ = self.input_pad(mel, state)
        hidden = self.input_conv(padded)
        for stage in self.stages:
            hidden = stage(hidden, state)
        weights: Tensor = self.activation(hidden)
        return weights


class MelGANGenerator(nn.Module):
    """Basis-MelGAN's generator (arXiv 2106.13419; sizes from FastVocoder).

    At the default sizes 3.17 M parameters with weight norm merged, the basis included, and 2.24 GMAC per second of
    audio at 24 kHz (2.25 with the basis). These numbers leave room for no convolution between the last residual stack
    and the ReLU.

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
        self.edge, self.min_frames = _edge(config), _min_frames(config)
        # Mel frames back and ahead that a frame depends on; an atom reaches `leading_frames` weight frames back.
        self.lookahead = self.edge + FIRST_KERNEL // 2
        self.left_context = self.lookahead + -(-frames.leading_frames // frames.weights_per_mel)
        self.network = WeightNetwork(config, bands)
        self.basis = Basis(config.channels, frames)
        self.basis.requires_grad_(False)
        self.silence_table: SilenceTable | None = None

    def forward(self, mel: Tensor, state: StreamState | None = None) -> SynthesisOutput:
        """Synthesize a mel, or the next chunk of one.

        The response to an all-zero mel, which is the contribution of the biases, is subtracted from the weights.
        Synthesis is linear, so this removes it from the wave too.

        Args:
            mel: (B, M, F), F from 1 upward.
            state: memory after the previous chunk, once `prepare_streaming` was called; None synthesizes a whole mel.

        Returns:
            The wave (B, F·hop) and its weights (B, N, F·weights_per_mel). In a stream, the wave is delayed by
            `lookahead` mel frames.

        Raises:
            MelError: the mel has another number of dimensions or bands, or no frame.
        """
        require_mel(mel, self.bands)
        frames = mel.shape[-1]
        if state is None and frames < self.min_frames:
            # Reflection is undefined for so few frames. The last one is held, and the surplus weights are cut off.
            mel = F.pad(mel, (0, self.min_frames - frames), mode="replicate")
        weights = full_precision(self.network(mel, state))
        weights = weights - self.silence_response(weights.shape[2], state)
        if state is not None:
            weights = weights * state.mask(weights.shape[2], weights.dtype)
        weights = weights[..., : frames * self.weights_per_mel]
        return SynthesisOutput(self.basis(weights, state), weights)

    def fold_weight_norm(self) -> None:
        """Merge direction and length into plain weights, so that inference does not compute them on every call.

        Fold before the weights are frozen, or they become buffers. Never fold a deep copy: PyTorch shares the removed
        parametrizations between copies, so the original would break.
        """
        for module in list(self.network.modules()):
            if parametrize.is_parametrized(module):
                parametrize.remove_parametrizations(module, "weight")

    def muon_parameters(self) -> list[nn.Parameter]:
        """Return none: this generator has only convolutions."""
        return []

    def silence_response(self, count: int, state: StreamState | None = None) -> Tensor:
        """Response (1, N, count) to an all-zero mel, at the first `count` weight frames or those of a stream.

        Inside a mel it repeats from frame to frame. Only `edge` frames at either end depend on the padding, so a mel of
        2·edge + 1 frames holds every frame there is, however long the mel. Carries gradients outside streams.
        """
        if state is not None:
            if self.silence_table is None:
                raise RuntimeError("call prepare_streaming() before the first chunk")
            table: Tensor = self.silence_table(count, state)
            return table
        frames, varied = count // self.weights_per_mel, max(2 * self.edge + 1, self.min_frames)
        parameter = next(self.network.parameters())
        mel = torch.zeros(1, self.bands, min(frames, varied), dtype=parameter.dtype, device=parameter.device)
        response = full_precision(self.network(mel))
        return response if frames <= varied else tile_response(response, frames, self.edge, self.weights_per_mel)

    @torch.no_grad()
    def prepare_streaming(self) -> None:
        """Prepare for inference in chunks: store the responses to silence of the network as it is now."""
        lengths = range(self.min_frames, max(2 * self.edge + 1, self.min_frames) + 1)
        responses = [self.silence_response(frames * self.weights_per_mel) for frames in lengths]
        self.silence_table = SilenceTable(responses, self.min_frames, self.edge, self.weights_per_mel)


def _edge(config: MelGANConfig) -> int:
    """Mel frames at either end over which the response to a constant mel is not yet periodic."""
    edge, rate = 0, 1
    for scale in config.upsampling:
        edge = edge * scale + scale // 2 + scale % 2
        edge += sum(KERNEL // 2 * DILATION**i for i in range(config.stacks))
        rate *= scale
    return -(-edge // rate)


def _min_frames(config: MelGANConfig) -> int:
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
