"""The frame-rate generator: a ConvNeXt trunk over mel frames, whose head gives all weights of a frame at once.

No upsampling network is left: all that happens at the sample rate is the sum over the basis.
"""

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from basis_melgan.audio.mel import mel_config, spectrum_from_mel
from basis_melgan.config.frames import FrameGeometry
from basis_melgan.config.networks import ConvNeXtConfig
from basis_melgan.config.schema import MelConfigName
from basis_melgan.errors import ConfigurationError, MelError
from basis_melgan.models.bases.basis import Basis, SynthesisOutput, full_precision
from basis_melgan.models.bases.modulated import ModulatedBasis, modulated, modulated_pairs
from basis_melgan.models.bases.pairs import Pairs, quadrature_pairs

LOUDEST = 7.0  # of log gains; e^7 is 60 dB over full scale, beyond which a slip of the network would overflow


class Convolution(nn.Conv1d):
    """Convolution over frames as rows that sees `ahead` of its kernel's frames ahead and the others back."""

    bias: nn.Parameter

    def __init__(self, channels: int, out: int, kernel: int, ahead: int, groups: int = 1) -> None:
        super().__init__(channels, out, kernel, groups=groups)
        self.around = (kernel - 1 - ahead, ahead)

    def forward(self, rows: Tensor) -> Tensor:
        """(B, F + kernel − 1, channels), what it sees beyond the ends included, to (B, F, out).

        In two dimensions, of which one is 1: backends are several times as fast at depthwise ones of those.
        """
        image = rows.unsqueeze(1).permute(0, 3, 1, 2)
        made = F.conv2d(image, torch.unflatten(self.weight, 2, (1, -1)), self.bias, groups=self.groups)
        return made.permute(0, 2, 3, 1).squeeze(1)

    def padded(self, rows: Tensor) -> Tensor:
        """(B, F, channels) with the zeros that it sees beyond the ends of a whole mel."""
        return F.pad(rows, (0, 0, *self.around))


class ScaledLinear(nn.Linear):
    """A linear layer with a scale per output (ConvNeXt's layer scale) in its matrix, so that exporting folds it."""

    def __init__(self, inputs: int, outputs: int, scale: float) -> None:
        super().__init__(inputs, outputs)
        self.scale = nn.Parameter(torch.full((outputs,), scale))

    def forward(self, values: Tensor) -> Tensor:
        """(…, inputs) to (…, outputs)."""
        return F.linear(values, self.scale[:, None] * self.weight, self.scale * self.bias)


class Block(nn.Module):
    """ConvNeXt's block in one dimension (arXiv 2201.03545; sizes as in Vocos, arXiv 2306.00814)."""

    def __init__(self, sizes: ConvNeXtConfig, ahead: int) -> None:
        super().__init__()
        channels = sizes.channels
        self.depthwise = Convolution(channels, channels, sizes.kernel, ahead, groups=channels)
        self.norm = nn.LayerNorm(channels, eps=1e-6)
        self.widen = nn.Linear(channels, sizes.hidden)
        self.activate = nn.GELU()
        self.narrow = ScaledLinear(sizes.hidden, channels, 1.0 / sizes.blocks)

    def forward(self, hidden: Tensor) -> Tensor:
        """Keep the shape (B, F, channels)."""
        return hidden + self.mix(self.depthwise(self.depthwise.padded(hidden)))

    def mix(self, seen: Tensor) -> Tensor:
        """What the channels of each frame (B, F, channels) make of one another, which is added to the input."""
        # As one matrix (B·F, channels): products then add their bias as they go.
        found: Tensor = self.narrow(self.activate(self.widen(self.norm(seen.flatten(0, 1)))))
        return found.view(seen.shape)


class Gains(nn.Module):
    """What a mel itself says of the gains: ln of the amplitudes with which pairs make a sound of that spectrum.

    Cf. FreeV's prior, the mel filters' pseudo-inverse (arXiv 2406.08196); here the mel is interpolated between bands.
    """

    matrix: Tensor
    offset: Tensor

    def __init__(self, mel: MelConfigName, frames: FrameGeometry, pairs: Pairs) -> None:
        super().__init__()
        rate, kind = frames.sample_rate, mel_config(mel)
        norms = np.linalg.norm(pairs.signals, axis=1).reshape(2, -1).max(axis=0)  # at its ends half a pair is silent
        matrix, offset = spectrum_from_mel(mel, rate, pairs.frequencies)
        # Noise of power p per Hz has E|X|² = p · Σ window². Pairs of unit norm with amplitude a, a stride apart and at
        # random phases, have the power a²/stride, here over the width that the pair covers. Others have norm² times it.
        window_energy = 3.0 / 8.0 * kind.window  # of Hann's
        power = pairs.widths / (rate / 2.0) * frames.stride / window_energy / np.maximum(norms, 1e-6) ** 2
        self.register_buffer("matrix", torch.from_numpy(matrix))
        self.register_buffer("offset", torch.from_numpy(offset + 0.5 * np.log(power)).float())

    def forward(self, mel: Tensor) -> Tensor:
        """Log gains (B, F, P) of mel frames (B, F, M), in full precision: 16 bits would be steps of a decibel."""
        with torch.autocast(mel.device.type, enabled=False):
            return full_precision(mel) @ self.matrix.T + self.offset


class Polar(nn.Module):
    """Weights of pairs by log amplitude and phase, as Vocos says bins: of a cosine e^a cos φ, of its sine e^a sin φ."""

    values = 2  # that the network says per pair

    def forward(self, said: Tensor, gains: Tensor) -> tuple[Tensor, Tensor]:
        """Weights of cosines and of sines (…, P) from what the network says (…, 2P) and the log gains (…, P) before."""
        amplitude, phase = full_precision(said).chunk(2, dim=-1)
        gain = (amplitude + gains).clamp(max=LOUDEST).exp()
        return gain * phase.cos(), gain * phase.sin()


class ConvNeXtGenerator(nn.Module):
    """Mel to weights at the mel's own frame rate, over a basis of quadrature pairs.

    At the sizes of the preset `fast` 1.65 M parameters and 0.17 GMAC a second at 24 kHz, 0.16 of them in the network.

    Attributes:
        basis: frozen. Where it has `signals` as parameters, `basis.requires_grad_(True)` opens them for fine-tuning.
    """

    shortest = 1  # mel frames

    basis: Basis | ModulatedBasis

    def __init__(
        self,
        sizes: ConvNeXtConfig,
        frames: FrameGeometry,
        mel: MelConfigName,
        pairs: Pairs | None = None,
        taps: bool = False,
    ) -> None:
        """Build the network over a basis.

        Args:
            sizes: of the network.
            frames: geometry of mel frames, weight frames and atoms.
            mel: mel config of its input.
            pairs: what stage 1 learned; without, those of the generator's spacing.
            taps: keep the basis tap by tap, as parameters, also where those pairs can do without.

        Raises:
            ConfigurationError: the basis is too short for its stride, or spacing `fourier` has another number of atoms.
        """
        super().__init__()
        _require_overlap(frames)
        self.bands, self.hop = mel_config(mel).bands, frames.hop
        self.weights_per_mel, self.pairs = frames.weights_per_mel, sizes.atoms
        lead, ahead = reach(sizes, frames)
        without_taps = pairs is None and not taps and modulated(sizes, frames)
        pairs = pairs if pairs is not None else own_pairs(sizes, frames)
        self.late = sum(ahead)  # mel frames that the network sees ahead
        self.embed = Convolution(self.bands, sizes.channels, sizes.kernel, ahead[0])
        self.first_norm = nn.LayerNorm(sizes.channels, eps=1e-6)
        self.trunk = nn.Sequential(*(Block(sizes, each) for each in ahead[1:]))
        self.last_norm = nn.LayerNorm(sizes.channels, eps=1e-6)
        self.head = Polar()
        self.say = nn.Linear(sizes.channels, self.weights_per_mel * self.head.values * sizes.atoms)
        self.gains = Gains(mel, frames, pairs)
        self.apply(_initialize)
        self.basis = ModulatedBasis(frames, lead) if without_taps else _with_signals(pairs, frames, lead)
        # Mel frames back and ahead that a frame's samples depend on.
        rest = frames.basis_length - frames.stride - lead
        self.past = sum(sizes.kernel - 1 - each for each in ahead) + -(-rest // frames.hop)
        self.lookahead = self.late + -(-lead // frames.hop)

    @torch.no_grad()
    def init_input_bias(self, level: float) -> None:
        """Begin where a mel of this level, in all bands and frames, makes nothing of the first convolution.

        Of what that makes, the norm after it keeps the direction alone: without a bias, a mel and its multiples would
        look the same, as a quiet mel and a loud one nearly are.
        """
        self.embed.bias.copy_(-level * self.embed.weight.sum(dim=(1, 2)))

    def forward(self, mel: Tensor) -> SynthesisOutput:
        """Speak a mel.

        Args:
            mel: (B, M, F), F from 1 upward.

        Returns:
            The wave (B, F·hop) and its weights (B, 2P, F·weights_per_mel), those of the cosines first.

        Raises:
            MelError: the mel has another number of dimensions or bands, or no frame.
        """
        if mel.ndim != 3 or mel.shape[1] != self.bands or mel.shape[2] == 0:
            raise MelError(f"mel of shape {tuple(mel.shape)}: expected (batch, {self.bands} bands, at least 1 frame)")
        rows = mel.transpose(1, 2)
        hidden = self.trunk(self.first_norm(self.embed(self.embed.padded(rows))))
        weights = torch.cat(self.predict_weights(hidden, rows), dim=2).transpose(1, 2)
        return SynthesisOutput(self.basis(weights), weights)

    def predict_weights(self, hidden: Tensor, mel: Tensor) -> tuple[Tensor, Tensor]:
        """Weights of cosines and of sines (B, F·weights_per_mel, P).

        Args:
            hidden: what the trunk made (B, F, channels).
            mel: of those mel frames (B, F, M).
        """
        said = self.say(self.last_norm(hidden.flatten(0, 1)))
        said = said.view(*hidden.shape[:2], self.weights_per_mel, -1)  # (…, values · P)
        cosines, sines = self.head(said, self.gains(mel)[:, :, None])
        return cosines.flatten(1, 2), sines.flatten(1, 2)

    def muon_parameters(self) -> list[nn.Parameter]:
        """Matrices (A, B) between hidden channels: neither what reads the mel nor what says the weights."""
        matrices = (layer.weight for layer in self.trunk.modules() if isinstance(layer, nn.Linear))
        return [matrix for matrix in matrices if isinstance(matrix, nn.Parameter)]

    def targets(self, wave: Tensor) -> Tensor:
        """Weights (B, 2P, K) that a wave (B, T) of whole strides has where the pairs are near a tight frame.

        They are its products with every signal, over the frame's bound, which is the signals' energy per stride.
        """
        basis = self.basis
        signals, length = basis.signals, basis.length
        padded = F.pad(wave, (basis.lead, length - basis.stride - basis.lead))
        products = padded.unfold(1, length, basis.stride) @ signals.T
        return products.transpose(1, 2) * (basis.stride / signals.square().sum())


def own_pairs(sizes: ConvNeXtConfig, frames: FrameGeometry) -> Pairs:
    """The pairs of a generator's spacing, in the order of its weights."""
    if modulated(sizes, frames):
        return modulated_pairs(frames)
    return quadrature_pairs(sizes.atoms, sizes.spacing, frames)


def _with_signals(pairs: Pairs, frames: FrameGeometry, lead: int) -> Basis:
    basis = Basis(len(pairs.signals), frames, lead)
    basis.signals.data.copy_(torch.from_numpy(pairs.signals))
    return basis.requires_grad_(False)


def _initialize(module: nn.Module) -> None:
    """Draw weights from N(0, 0.02) cut at two deviations, biases 0, as ConvNeXt does."""
    if isinstance(module, nn.Conv1d | nn.Linear):
        nn.init.trunc_normal_(module.weight, std=0.02, a=-0.04, b=0.04)
        if module.bias is not None:
            nn.init.zeros_(module.bias)


def reach(sizes: ConvNeXtConfig, frames: FrameGeometry) -> tuple[int, list[int]]:
    """Samples that a signal begins before its own frame, and frames that each convolution sees ahead, first to last.

    Without a limit a signal reaches as far ahead as back, and so does every convolution. With one, signals use it up
    first, for a window's middle is where its frame's sound is, then the first convolutions.
    """
    lead, half, layers = (frames.basis_length - frames.stride) // 2, sizes.kernel // 2, sizes.blocks + 1
    if sizes.lookahead is None:
        return lead, [half] * layers
    lead = min(lead, sizes.lookahead * frames.hop)
    left = sizes.lookahead - -(-lead // frames.hop)
    return lead, [max(0, min(half, left - layer * half)) for layer in range(layers)]


def _require_overlap(frames: FrameGeometry) -> None:
    """Require atoms that overlap and can be centered on their weight frames."""
    if frames.basis_length < 2 * frames.stride or (frames.basis_length - frames.stride) % 2:
        raise ConfigurationError(
            f"frames.basis_length: {frames.basis_length} over a stride of {frames.stride}; convnext needs at least two "
            "strides, and an even number of samples more than one"
        )
