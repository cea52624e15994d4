"""Transfer of a vocoder's parameters to a generator of another size."""

from dataclasses import replace

import torch

from basis_melgan.config.loading import load
from basis_melgan.config.schema import Config
from basis_melgan.models import model_file
from basis_melgan.models.convnext import ConvNeXtGenerator
from basis_melgan.models.transfer import adapt_state, can_adapt

FAST = load("convnext-24k")
SIZES = replace(FAST.generator, channels=8, hidden=12, blocks=2, atoms=16)


def config_with(**sizes) -> Config:
    return replace(FAST, generator=replace(SIZES, **sizes))


def build(config: Config) -> ConvNeXtGenerator:
    torch.manual_seed(0)
    generator = model_file.new_generator(config).eval()
    assert isinstance(generator, ConvNeXtGenerator)
    for name, parameter in generator.named_parameters():
        if not name.startswith("basis"):
            parameter.data += 0.3 * torch.randn_like(parameter)
    return generator.requires_grad_(False)


def adapt(generator: ConvNeXtGenerator, source: Config, target: Config) -> ConvNeXtGenerator:
    assert can_adapt(source, target)
    adapted = build(target)
    adapted.load_state_dict(adapt_state(generator.state_dict(), source, target))
    return adapted


def test_strongest_hidden_channels_are_kept() -> None:
    source, target = config_with(hidden=12), config_with(hidden=7)
    generator = build(source)
    for block in generator.trunk:
        block.narrow.weight[:, [0, 3, 4, 8, 11]] *= 1e-9
    mel = torch.randn(1, 100, 9)
    torch.testing.assert_close(adapt(generator, source, target)(mel).wave, generator(mel).wave, atol=1e-5, rtol=1e-4)


def test_kernel_taps_keep_their_offsets_with_less_lookahead() -> None:
    source, target = config_with(lookahead=None), config_with(lookahead=2)  # None: the extent of the basis
    generator = build(source)
    for layer in (generator.embed, *(block.depthwise for block in generator.trunk)):
        layer.weight[..., 4:] = 0.0  # taps after the center, which need lookahead
    mel = torch.randn(1, 100, 9)
    torch.testing.assert_close(adapt(generator, source, target)(mel).wave, generator(mel).wave, atol=1e-5, rtol=1e-4)


def test_tone_keeps_its_phase_with_less_lookahead() -> None:
    sizes = {"atoms": 513, "spacing": "fourier"}
    source, target = config_with(lookahead=None, **sizes), config_with(lookahead=1, **sizes)
    generator = build(source)
    for table in (generator.output_proj.weight, generator.gains.matrix, generator.gains.offset):
        table.zero_()
    generator.output_proj.bias[:513] = -30.0
    generator.output_proj.bias[40] = 0.0  # log amplitude of a frequency with an integer number of periods per hop
    generator.output_proj.bias[513:] = 1.0  # radians
    mel = torch.zeros(1, 100, 12)
    before, after = (model(mel).wave[0, 1_280:1_792] for model in (generator, adapt(generator, source, target)))
    assert before.abs().max() > 0.01
    torch.testing.assert_close(after, before, atol=1e-5, rtol=1e-4)


def test_phase_correction_is_equal_with_stored_and_computed_atoms() -> None:
    """Frequencies come from stored atoms if there are any, otherwise from the layout of the pairs."""
    source, target = (config_with(lookahead=lookahead, spacing="linear", atoms=512) for lookahead in (None, 1))
    state = build(source).state_dict()
    generator = ConvNeXtGenerator(source.generator, source.frames, source.mel, store_atoms=True)
    atoms = generator.basis.state_dict(prefix="basis.")
    assert atoms
    assert not atoms.keys() & state.keys()
    states = (state, adapt_state(state | atoms, source, target), adapt_state(state, source, target))
    # Without the first and last atoms, which have asymmetric spectra.
    phases, expected, corrected = (state["output_proj.bias"][513:-1] for state in states)
    assert (expected - phases).abs().max() > 100.0  # radians
    torch.testing.assert_close(corrected, expected, atol=1e-2, rtol=0.0)


def test_melgan_state_is_unchanged() -> None:
    config = load("basis-melgan-paper")
    state = {"network.input_conv.weight": torch.randn(3)}
    assert can_adapt(config, config)
    assert adapt_state(state, config, config) == state
    assert not can_adapt(config, replace(config, generator=replace(config.generator, stacks=2)))
    assert not can_adapt(config, replace(config, generator=FAST.generator))


def test_incompatible_sizes_cannot_be_adapted() -> None:
    assert can_adapt(config_with(), config_with(lookahead=1))
    assert not can_adapt(config_with(), config_with(hidden=13))
    assert not can_adapt(config_with(), config_with(channels=7))
    assert not can_adapt(config_with(), replace(config_with(), mel="bigvgan"))
