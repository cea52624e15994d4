"""Conv-TasNet and TasNet: sizes, lengths, normalizations, masks and receptive fields."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional as F

from basis_melgan.config.frames import FrameGeometry
from basis_melgan.config.networks import SeparatorConfig
from basis_melgan.models import tasnet
from basis_melgan.models.norms import normalization
from basis_melgan.models.tasnet import ConvolutionalMasker, Depthwise, MaskerBlock, Separator

FRAMES = FrameGeometry()
SMALL = SeparatorConfig(atoms=12, channels=8, hidden=10, blocks=3, repeats=2)
KINDS = [
    SMALL,
    replace(SMALL, causal=True),
    replace(SMALL, kind="tasnet"),
    replace(SMALL, kind="tasnet", causal=True),
]


def build(config: SeparatorConfig, frames: FrameGeometry = FRAMES) -> Separator:
    torch.manual_seed(3)
    return Separator(config, frames)


def label(config: SeparatorConfig) -> str:
    return f"{config.kind}{'-causal' * config.causal}"


# Sizes


def test_paper_sizes_have_the_reference_layers_and_parameters() -> None:
    separator = build(SeparatorConfig())
    block = 256 * 512 * 2 + 512 * 3 + 2 + 4 * 512  # 1×1 up and down, depthwise, two PReLUs, two gLN
    expected = 2 * 256 * 30 + 2 * 256 + 256 * 256 + 4 * 8 * block + 256 * 2 * 256
    assert sum(p.numel() for p in separator.parameters()) == expected == 8_715_840
    blocks = [module for module in separator.modules() if isinstance(module, MaskerBlock)]
    assert [b.depthwise.shifts[1] for b in blocks] == [1, 2, 4, 8, 16, 32, 64, 128] * 4
    assert separator.encoder.weight.shape == (256, 1, 30)
    assert separator.basis.atoms.shape == (256, 30)


def test_matrices_have_xavier_initialization() -> None:
    separator = build(SeparatorConfig())
    for name, (rows, columns) in {
        "masker.bottleneck.weight": (256, 256),
        "masker.masks.weight": (512, 256),
        "basis.atoms": (256, 30),
        "encoder.weight": (256 * 30, 30),  # a kernel counts once per tap
    }.items():
        deviation = separator.get_parameter(name).std().item()
        assert deviation == pytest.approx((2 / (rows + columns)) ** 0.5, rel=0.03), name


def test_tasnet_bilstm_parameter_count() -> None:
    config = replace(SMALL, kind="tasnet", hidden=20)
    separator = build(config)
    first, later = 4 * 20 * (12 + 20 + 2), 4 * 20 * (40 + 20 + 2)
    masks = 40 * 24 + 24
    assert sum(p.numel() for p in separator.masker.parameters()) == 2 * 12 + 2 * (first + 3 * later) + masks


# Lengths and shapes


@pytest.mark.parametrize("config", KINDS, ids=label)
@pytest.mark.parametrize("samples", [1, 14, 15, 16, 29, 30, 31, 449, 450])
def test_estimates_are_as_long_as_the_mixture(config: SeparatorConfig, samples: int) -> None:
    estimates = build(config).eval()(torch.randn(2, samples))
    assert estimates.waves.shape == (2, 2, samples)
    assert estimates.weights.shape == (2, 2, 12, -(-samples // 15) + FRAMES.leading_frames)
    assert estimates.weights.min() >= 0.0
    assert bool(estimates.waves.isfinite().all())


@settings(deadline=None, max_examples=40)
@given(st.integers(1, 200), st.integers(1, 4), st.integers(1, 12))
def test_frames_cover_every_sample_in_every_geometry(samples: int, overlap: int, stride: int) -> None:
    frames = FrameGeometry(hop=stride * 2, basis_length=overlap * stride, stride=stride)
    separator = build(SMALL, frames)
    separator.encoder.weight.data.fill_(1.0)
    separator.basis.atoms.data.fill_(1.0 / (12 * overlap))
    wave = separator.decode(separator.encode(torch.ones(1, samples))[:, None], samples)[0, 0]
    inside = wave[frames.basis_length : samples - frames.basis_length]
    assert wave.shape == (samples,)
    assert wave.min() > 0.0
    torch.testing.assert_close(inside, torch.full_like(inside, frames.basis_length), atol=1e-3, rtol=1e-5)


def test_decoder_can_invert_the_encoder() -> None:
    separator = build(replace(SMALL, atoms=60))
    taps = torch.eye(30)
    separator.encoder.weight.data = torch.cat([taps, -taps])[:, None]
    separator.basis.atoms.data = torch.cat([taps, -taps]) / 2  # every sample is in two frames
    wave = torch.randn(2, 1_003)
    decoded = separator.decode(separator.encode(wave)[:, None], 1_003)
    torch.testing.assert_close(decoded[:, 0], wave, atol=1e-6, rtol=0.0)


def test_batch_items_are_independent() -> None:
    separator, mixtures = build(SMALL), torch.randn(3, 600)
    batch_waves = separator(mixtures).waves
    for mixture, waves in zip(mixtures, batch_waves, strict=True):
        torch.testing.assert_close(separator(mixture[None]).waves[0], waves, atol=1e-5, rtol=1e-4)


# Masks, norms, filters


def hidden(*shape: int) -> Tensor:
    """Hidden frames (B, K, channels) with a scale and an offset for the norm to remove."""
    return 3 * torch.randn(*shape) + 5


def test_gln_normalizes_over_channels_and_time() -> None:
    norm, x = normalization("gLN", 6), hidden(2, 50, 6)
    gain, bias = (torch.nn.init.normal_(parameter) for parameter in (norm.gain, norm.bias))
    values = x.double()
    mean, variance = values.mean(dim=(1, 2), keepdim=True), values.var(dim=(1, 2), keepdim=True, unbiased=False)
    expected = gain * (values - mean) / (variance + 1e-8).sqrt() + bias
    torch.testing.assert_close(norm(x).double(), expected, atol=1e-5, rtol=0.0)


def test_gln_is_computed_in_float32_under_bf16() -> None:
    norm, x = normalization("gLN", 6), hidden(2, 50, 6).bfloat16()
    normalized = norm(x)
    assert normalized.dtype == torch.bfloat16
    assert torch.equal(normalized, norm(x.float()).bfloat16())


def test_cln_normalizes_over_the_channels_of_each_frame() -> None:
    norm, x = normalization("cLN", 6), hidden(2, 50, 6)
    gain, bias = (torch.nn.init.normal_(parameter) for parameter in norm.parameters())
    values = x.double()
    mean, variance = values.mean(dim=2, keepdim=True), values.var(dim=2, keepdim=True, unbiased=False)
    expected = gain * (values - mean) / (variance + 1e-8).sqrt() + bias
    torch.testing.assert_close(norm(x).double(), expected, atol=1e-4, rtol=0.0)


@pytest.mark.parametrize("kernel", [1, 3, 5])
@pytest.mark.parametrize("dilation", [1, 2, 8])
def test_depthwise_filter_equals_a_grouped_convolution(kernel: int, dilation: int) -> None:
    x = torch.randn(2, 40, 7)
    channels_first = x.transpose(1, 2)
    centered, causal = (Depthwise(7, kernel, dilation, causal) for causal in (False, True))
    weight = torch.randn(7, kernel)
    centered.weight.data = causal.weight.data = weight.T
    expected = F.conv1d(channels_first, weight[:, None], padding="same", dilation=dilation, groups=7)
    torch.testing.assert_close(centered(x).transpose(1, 2), expected, atol=1e-5, rtol=0.0)
    left_padded = F.pad(channels_first, ((kernel - 1) * dilation, 0))
    expected = F.conv1d(left_padded, weight[:, None], dilation=dilation, groups=7)
    torch.testing.assert_close(causal(x).transpose(1, 2), expected, atol=1e-5, rtol=0.0)


def test_masker_block_equals_its_composition() -> None:
    torch.manual_seed(0)
    block, x = MaskerBlock(SMALL, 2), torch.randn(2, 8, 30)
    torch.nn.init.normal_(block.depthwise.weight)
    y = F.conv1d(x, block.up.weight[..., None])
    y = F.group_norm(F.prelu(y, block.up_activation.weight), 1, eps=1e-8)
    y = F.conv1d(y, block.depthwise.weight.T[:, None], padding=2, dilation=2, groups=10)
    y = F.group_norm(F.prelu(y, block.depthwise_activation.weight), 1, eps=1e-8)
    expected = x + F.conv1d(y, block.down.weight[..., None])
    torch.testing.assert_close(block(x.transpose(1, 2)).transpose(1, 2), expected, atol=1e-5, rtol=0.0)


# Receptive fields


def receptive_field(output: Tensor, source: Tensor) -> np.ndarray:
    """Return the positions on the last axis of `source` with a nonzero gradient of the output."""
    (gradient,) = torch.autograd.grad(output, source, retain_graph=True)
    return np.flatnonzero(gradient.abs().sum(dim=tuple(range(gradient.ndim - 1))).numpy())


@pytest.mark.parametrize(
    "config",
    [
        replace(SMALL, causal=True),
        replace(SMALL, kind="tasnet", causal=True),
    ],
    ids=label,
)
@pytest.mark.parametrize("frames", [FRAMES, FrameGeometry(hop=20, basis_length=40, stride=10)], ids=["2x", "4x"])
def test_lookahead_of_a_causal_separator_is_that_of_the_basis(config: SeparatorConfig, frames: FrameGeometry) -> None:
    """Sample t is the sum of the frames that contain it; the last of them starts at or before t and reads L samples."""
    separator = build(config, frames).eval()
    mixture = torch.randn(1, 605, requires_grad=True)
    waves = separator(mixture).waves
    for t in (0, 1, 14, 15, 200, 314, 315, 316):
        last = t // frames.stride * frames.stride + frames.basis_length - 1
        last_inputs = [receptive_field(source[t], mixture).max() for source in waves[0]]
        assert max(last_inputs) == last


def test_a_global_norm_and_a_bilstm_depend_on_the_whole_utterance() -> None:
    for config in (SMALL, replace(SMALL, kind="tasnet")):
        mixture = torch.randn(1, 605, requires_grad=True)
        positions = receptive_field(build(config)(mixture).waves[0, 0, 300], mixture)
        assert (positions.min(), positions.max()) == (0, 604)


@pytest.mark.parametrize(("causal", "before", "after"), [(False, 14, 14), (True, 28, 0)])
def test_receptive_field_of_the_masker_is_that_of_its_dilations(
    causal: bool, before: int, after: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tasnet, "normalization", lambda _, channels: normalization("cLN", channels))  # no global norm
    torch.manual_seed(0)
    masker = ConvolutionalMasker(replace(SMALL, causal=causal))
    for parameter in masker.parameters():
        torch.nn.init.normal_(parameter)  # (P − 1)·(1 + 2 + 4)·2 repeats = 28 frames, none with a zero gradient
    encoded = torch.rand(1, 12, 81, requires_grad=True)
    positive = masker(encoded)[0, :, 40].max()  # where the ReLU passes the gradient
    assert positive > 0
    positions = receptive_field(positive, encoded)
    assert (positions.min(), positions.max()) == (40 - before, 40 + after)


@pytest.mark.parametrize("gain", [0.25, 4.0])
@pytest.mark.parametrize("kind", ["conv-tasnet", "tasnet"])
def test_estimates_scale_with_the_mixture(kind: str, gain: float) -> None:
    separator = build(replace(SMALL, kind=kind))
    mixture = 0.2 * torch.randn(1, 3_000)
    quiet, loud = separator(mixture).waves, separator(gain * mixture).waves
    assert (loud - gain * quiet).norm() < 1e-3 * loud.norm()


def test_silent_mixture_gives_silence() -> None:
    for config in KINDS:
        assert build(config).eval()(torch.zeros(1, 500)).waves.abs().max() == 0.0


def test_encoder_and_basis_are_float32_under_bf16() -> None:
    separator, mixture = build(SMALL), torch.randn(1, 900)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        encoded = separator.encode(mixture)
        waves, weights = separator(mixture)
    assert waves.dtype == weights.dtype == encoded.dtype == torch.float32
    torch.testing.assert_close(encoded, separator.encode(mixture), atol=0.0, rtol=0.0)
    torch.testing.assert_close(waves, separator.decode(weights, 900), atol=0.0, rtol=0.0)
    expected = separator(mixture).waves
    assert (waves - expected).norm() < 0.05 * expected.norm()
