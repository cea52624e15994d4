"""The ConvNeXt generator: a trunk at the mel frame rate predicts all weights of a frame at once.

There is no upsampling network: only the sum over the basis runs at the sample rate.
"""

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from basis_melgan.audio.mel import mel_config, spectrum_from_mel
from basis_melgan.config.frames import FrameGeometry
from basis_melgan.config.networks import ConvNeXtConfig
from basis_melgan.config.schema import MelConfigName
from basis_melgan.errors import ConfigurationError
from basis_melgan.models.bases.basis import Basis, SynthesisOutput, full_precision
from basis_melgan.models.bases.modulated import ModulatedBasis, default_block_length, is_modulated, modulated_atoms
from basis_melgan.models.bases.pairs import QuadratureAtoms, quadrature_atoms
from basis_melgan.models.mel_shape import require_mel
from basis_melgan.models.streaming import Delay, StreamState, ZeroPad

MAX_LOG_GAIN = 7.0  # e^7 is 60 dB over full scale; without a limit, an outlier of the network would overflow


class FrameConv1d(nn.Conv1d):
    """Convolution over frames with channels last, without padding."""

    bias: nn.Parameter

    def forward(self, frames: Tensor) -> Tensor:
        """Convolve (B, F + kernel − 1, channels) to (B, F, out).

        In two dimensions, one of which is 1: CPU backends run such depthwise convolutions several times as fast.
        """
        image = frames.unsqueeze(1).permute(0, 3, 1, 2)
        convolved = F.conv2d(image, torch.unflatten(self.weight, 2, (1, -1)), self.bias, groups=self.groups)
        return convolved.permute(0, 2, 3, 1).squeeze(1)


class ScaledLinear(nn.Linear):
    """A linear layer with ConvNeXt's layer scale multiplied into its matrix, so that export folds it."""

    def __init__(self, inputs: int, outputs: int, scale: float) -> None:
        super().__init__(inputs, outputs)
        self.scale = nn.Parameter(torch.full((outputs,), scale))

    def forward(self, values: Tensor) -> Tensor:
        """Transform (…, inputs) to (…, outputs)."""
        return F.linear(values, self.scale[:, None] * self.weight, self.scale * self.bias)


class Block(nn.Module):
    """ConvNeXt's block in one dimension (arXiv 2201.03545; sizes as in Vocos, arXiv 2306.00814)."""

    def __init__(self, config: ConvNeXtConfig, lookahead: int) -> None:
        """Build a block whose convolution sees `lookahead` frames ahead."""
        super().__init__()
        channels = config.channels
        self.pad = ZeroPad(config.kernel - 1 - lookahead, lookahead)
        self.depthwise = FrameConv1d(channels, channels, config.kernel, groups=channels)
        self.norm = nn.LayerNorm(channels, eps=1e-6)
        self.widen = nn.Linear(channels, config.hidden)
        self.activate = nn.GELU()
        self.narrow = ScaledLinear(config.hidden, channels, 1.0 / config.blocks)

    def forward(self, hidden: Tensor, state: StreamState | None = None) -> Tensor:
        """Transform frames (B, F, channels) to the same shape; a stream delays them by the lookahead."""
        padded, residual = self.pad(hidden, state)
        mixed = self.depthwise(padded)
        # As one matrix (B·F, channels): matrix products add their bias in the same pass.
        change: Tensor = self.narrow(self.activate(self.widen(self.norm(mixed.flatten(0, 1)))))
        out: Tensor = residual + change.view(mixed.shape)
        return out


class GainPrior(nn.Module):
    """Prior log gains: ln of the amplitudes with which cosine–sine pairs have the spectrum of a mel.

    Cf. FreeV's prior, the mel filters' pseudo-inverse (arXiv 2406.08196); here the mel is interpolated between bands.
    """

    matrix: Tensor
    offset: Tensor

    def __init__(self, mel: MelConfigName, frames: FrameGeometry, atoms: QuadratureAtoms) -> None:
        """Compute the matrix from a mel config's filters to the atoms' frequencies."""
        super().__init__()
        rate, kind = frames.sample_rate, mel_config(mel)
        # At the ends of the spectrum, one atom of a pair is silent.
        norms = np.linalg.norm(atoms.atoms, axis=1).reshape(2, -1).max(axis=0)
        matrix, offset = spectrum_from_mel(mel, rate, atoms.frequencies)
        # Noise of power p per Hz has E|X|² = p · Σ window². Pairs of unit norm with amplitude a, a stride apart and at
        # random phases, have the power a²/stride, here over the width that the pair covers. Others have norm² times it.
        window_energy = 3.0 / 8.0 * kind.window  # of Hann's
        power = atoms.widths / (rate / 2.0) * frames.stride / window_energy / np.maximum(norms, 1e-6) ** 2
        self.register_buffer("matrix", torch.from_numpy(matrix))
        self.register_buffer("offset", torch.from_numpy(offset + 0.5 * np.log(power)).float())

    def forward(self, mel: Tensor) -> Tensor:
        """Log gains (B, F, P) of mel frames (B, F, M), in full precision: 16 bits would be steps of a decibel."""
        with torch.autocast(mel.device.type, enabled=False):
            return full_precision(mel) @ self.matrix.T + self.offset


class PolarHead(nn.Module):
    """Weights of cosine–sine pairs by log amplitude a and phase φ, as in Vocos: e^a cos φ and e^a sin φ."""

    def forward(self, predictions: Tensor, gains: Tensor) -> Tensor:
        """Weights (…, 2P), cosines first, of predicted amplitudes and phases (…, 2P) and prior log gains (…, P)."""
        amplitude, phase = full_precision(predictions).chunk(2, dim=-1)
        gain = (amplitude + gains).clamp(max=MAX_LOG_GAIN).exp()
        return torch.cat([gain * phase.cos(), gain * phase.sin()], dim=-1)


class ConvNeXtGenerator(nn.Module):
    """Mel to weights at the mel frame rate, over a basis of quadrature atoms.

    At the sizes of the default vocoder 1.65 M parameters and 0.17 GMAC per second of audio at 24 kHz, 0.16 of them in
    the network.

    Attributes:
        basis: frozen. Where it stores `atoms` as parameters, `basis.requires_grad_(True)` opens them for fine-tuning.
    """

    min_frames = 1  # mel frames

    def __init__(
        self,
        config: ConvNeXtConfig,
        frames: FrameGeometry,
        mel: MelConfigName,
        atoms: QuadratureAtoms | None = None,
        store_atoms: bool = False,
        block_length: int | None = None,
    ) -> None:
        """Build the network over a basis.

        Args:
            config: sizes of the network.
            frames: geometry of mel frames, weight frames and atoms.
            mel: mel config of the input.
            atoms: basis learned in stage 1; without it, atoms of the generator's spacing.
            store_atoms: keep the atoms as parameters, also where a `ModulatedBasis` could compute them.
            block_length: of a modulated basis, from a model file; new generators need none.

        Raises:
            ConfigurationError: the basis is too short for its stride, or spacing `fourier` has another number of atoms.
        """
        super().__init__()
        _require_overlap(frames)
        self.bands, self.hop = mel_config(mel).bands, frames.hop
        self.weights_per_mel = frames.weights_per_mel
        left_pad, lookaheads = split_lookahead(config, frames)
        is_computed = atoms is None and not store_atoms and is_modulated(config, frames)
        atoms = atoms if atoms is not None else generator_atoms(config, frames, block_length)
        self.input_pad = ZeroPad(config.kernel - 1 - lookaheads[0], lookaheads[0])
        self.embed = FrameConv1d(self.bands, config.channels, config.kernel)
        self.first_norm = nn.LayerNorm(config.channels, eps=1e-6)
        self.trunk = nn.ModuleList(Block(config, lookahead) for lookahead in lookaheads[1:])
        self.last_norm = nn.LayerNorm(config.channels, eps=1e-6)
        self.head = PolarHead()
        self.output_proj = nn.Linear(config.channels, self.weights_per_mel * 2 * config.atoms)
        self.mel_delay = Delay()
        self.gains = GainPrior(mel, frames, atoms)
        self.apply(_initialize)
        self.basis: Basis | ModulatedBasis = (
            ModulatedBasis(frames, left_pad, block_length or default_block_length(frames))
            if is_computed
            else _basis_of(atoms, frames, left_pad)
        )
        # Mel frames back and ahead that a frame's samples depend on.
        right_pad = frames.basis_length - frames.stride - left_pad
        self.left_context = sum(config.kernel - 1 - lookahead for lookahead in lookaheads) + -(-right_pad // frames.hop)
        self.lookahead = sum(lookaheads) + -(-left_pad // frames.hop)

    @torch.no_grad()
    def init_input_bias(self, level: float) -> None:
        """Initialize the first convolution's bias so that a mel of this level in all bands and frames maps to zero.

        The norm after it keeps only the direction of its output. Without the bias, a mel and its multiples would look
        the same, as a quiet mel and a loud one nearly do.
        """
        self.embed.bias.copy_(-level * self.embed.weight.sum(dim=(1, 2)))

    def prepare_streaming(self) -> None:
        """Prepare for inference in chunks: choose the fastest synthesis over the basis as it is now."""
        self.basis.prepare_streaming()

    def forward(self, mel: Tensor, state: StreamState | None = None) -> SynthesisOutput:
        """Synthesize a mel, or the next chunk of one.

        Args:
            mel: (B, M, F), F from 1 upward.
            state: memory after the previous chunk; None synthesizes a whole mel.

        Returns:
            The wave (B, F·hop) and its weights (B, 2P, F·weights_per_mel), those of the cosines first. In a stream, the
            wave is delayed by `lookahead` mel frames.

        Raises:
            MelError: the mel has another number of dimensions or bands, or no frame.
        """
        require_mel(mel, self.bands)
        frames = mel.transpose(1, 2)
        padded, _ = self.input_pad(frames, state)
        hidden = self.first_norm(self.embed(padded))
        for block in self.trunk:
            hidden = block(hidden, state)
        weights = self.predict_weights(hidden, self.mel_delay(frames, state))
        if state is not None:
            state.upsample(self.weights_per_mel)
            weights = weights * state.mask(weights.shape[1], weights.dtype)[:, None]
        weights = weights.transpose(1, 2)
        return SynthesisOutput(self.basis(weights, state), weights)

    def predict_weights(self, hidden: Tensor, mel: Tensor) -> Tensor:
        """Predict weights (B, F·weights_per_mel, 2P), those of the cosines first.

        Args:
            hidden: output of the trunk (B, F, channels).
            mel: the same mel frames (B, F, M).
        """
        predictions = self.output_proj(self.last_norm(hidden.flatten(0, 1)))
        predictions = predictions.view(*hidden.shape[:2], self.weights_per_mel, -1)  # (…, 2P)
        weights: Tensor = self.head(predictions, self.gains(mel)[:, :, None])
        return weights.flatten(1, 2)

    def muon_parameters(self) -> list[nn.Parameter]:
        """Matrices (A, B) between hidden channels, without the layers that read the mel or predict the weights."""
        matrices = (layer.weight for layer in self.trunk.modules() if isinstance(layer, nn.Linear))
        return [matrix for matrix in matrices if isinstance(matrix, nn.Parameter)]

    def targets(self, wave: Tensor) -> Tensor:
        """Weights (B, 2P, K) of a wave (B, T) of whole strides, where the atoms are close to a tight frame.

        They are its products with every atom, divided by the frame bound, which is the atoms' energy per stride.
        """
        basis = self.basis
        atoms, length = basis.atoms, basis.length
        padded = F.pad(wave, (basis.left_pad, length - basis.stride - basis.left_pad))
        products = padded.unfold(1, length, basis.stride) @ atoms.T
        return products.transpose(1, 2) * (basis.stride / atoms.square().sum())


def generator_atoms(config: ConvNeXtConfig, frames: FrameGeometry, block_length: int | None = None) -> QuadratureAtoms:
    """Atoms of a generator's spacing, in the order of its weights, which `block_length` decides where modulated."""
    if is_modulated(config, frames):
        return modulated_atoms(frames, block_length or default_block_length(frames))
    return quadrature_atoms(config.atoms, config.spacing, frames)


def _basis_of(atoms: QuadratureAtoms, frames: FrameGeometry, left_pad: int) -> Basis:
    basis = Basis(len(atoms.atoms), frames, left_pad)
    basis.atoms.data.copy_(torch.from_numpy(atoms.atoms))
    return basis.requires_grad_(False)


def _initialize(module: nn.Module) -> None:
    """Draw weights from N(0, 0.02), truncated at two deviations, and set biases to 0, as ConvNeXt does."""
    if isinstance(module, nn.Conv1d | nn.Linear):
        nn.init.trunc_normal_(module.weight, std=0.02, a=-0.04, b=0.04)
        if module.bias is not None:
            nn.init.zeros_(module.bias)


def split_lookahead(config: ConvNeXtConfig, frames: FrameGeometry) -> tuple[int, list[int]]:
    """Split a generator's lookahead between its basis and its convolutions.

    Without a limit, atoms are centered on their frame, and so are all convolutions. With one, atoms use it up first,
    since the middle of an atom's window is where its frame's sound is, then the first convolutions.

    Returns:
        Samples by which an atom begins before its frame, and frames that each convolution sees ahead, first to last.
    """
    left_pad, half, layers = (frames.basis_length - frames.stride) // 2, config.kernel // 2, config.blocks + 1
    if config.lookahead is None:
        return left_pad, [half] * layers
    left_pad = min(left_pad, config.lookahead * frames.hop)
    remaining = config.lookahead - -(-left_pad // frames.hop)
    return left_pad, [max(0, min(half, remaining - layer * half)) for layer in range(layers)]


def _require_overlap(frames: FrameGeometry) -> None:
    """Require atoms that overlap and can be centered on their weight frames."""
    if frames.basis_length < 2 * frames.stride or (frames.basis_length - frames.stride) % 2:
        raise ConfigurationError(
            f"frames.basis_length: {frames.basis_length} over a stride of {frames.stride}; convnext needs at least two "
            "strides, and an even number of samples more than one"
        )
