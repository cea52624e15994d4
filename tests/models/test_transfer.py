"""A vocoder's parameters for another generator: nothing is lost that the other can do."""

from dataclasses import replace

import torch

from basis_melgan.config.loading import load
from basis_melgan.config.schema import Config
from basis_melgan.models import model_file
from basis_melgan.models.convnext import ConvNeXtGenerator
from basis_melgan.models.transfer import adapt_state, can_adapt

FAST = load("convnext-24k")
SIZES = replace(FAST.generator, channels=8, hidden=12, blocks=2, atoms=16)


def changed(**sizes) -> Config:
    return replace(FAST, generator=replace(SIZES, **sizes))


def built(config: Config) -> ConvNeXtGenerator:
    torch.manual_seed(0)
    generator = model_file.new_generator(config).eval()
    assert isinstance(generator, ConvNeXtGenerator)
    for name, parameter in generator.named_parameters():
        if not name.startswith("basis"):
            parameter.data += 0.3 * torch.randn_like(parameter)
    return generator.requires_grad_(False)


def moved(generator: ConvNeXtGenerator, was: Config, now: Config) -> ConvNeXtGenerator:
    assert can_adapt(was, now)
    other = built(now)
    other.load_state_dict(adapt_state(generator.state_dict(), was, now))
    return other


def test_the_strongest_hidden_channels_stay() -> None:
    was, now = changed(hidden=12), changed(hidden=7)
    generator = built(was)
    for block in generator.trunk:
        block.narrow.weight[:, [0, 3, 4, 8, 11]] *= 1e-9
    mel = torch.randn(1, 100, 9)
    torch.testing.assert_close(moved(generator, was, now)(mel).wave, generator(mel).wave, atol=1e-5, rtol=1e-4)


def test_taps_keep_their_distance_when_less_is_seen_ahead() -> None:
    was, now = changed(lookahead=None), changed(lookahead=2)  # as far as the basis reaches
    generator = built(was)
    for layer in (generator.embed, *(block.depthwise for block in generator.trunk)):
        layer.weight[..., 4:] = 0.0  # taps after the middle one, which see ahead
    mel = torch.randn(1, 100, 9)
    torch.testing.assert_close(moved(generator, was, now)(mel).wave, generator(mel).wave, atol=1e-5, rtol=1e-4)


def test_a_tone_keeps_its_phase_when_the_basis_reaches_less_ahead() -> None:
    sizes = {"atoms": 513, "spacing": "fourier"}
    was, now = changed(lookahead=None, **sizes), changed(lookahead=1, **sizes)
    generator = built(was)
    for table in (generator.output_proj.weight, generator.gains.matrix, generator.gains.offset):
        table.zero_()
    generator.output_proj.bias[:513] = -30.0
    generator.output_proj.bias[40] = 0.0  # log amplitude of a frequency with a whole number of periods a hop
    generator.output_proj.bias[513:] = 1.0  # radians
    mel = torch.zeros(1, 100, 12)
    before, after = (model(mel).wave[0, 1_280:1_792] for model in (generator, moved(generator, was, now)))
    assert before.abs().max() > 0.01
    torch.testing.assert_close(after, before, atol=1e-5, rtol=1e-4)


def test_phases_turn_alike_with_taps_and_without() -> None:
    """Frequencies come from the taps where there are some, and else from the layout of the pairs."""
    was, now = (changed(lookahead=ahead, spacing="linear", atoms=512) for ahead in (None, 1))
    state = built(was).state_dict()
    taps = ConvNeXtGenerator(was.generator, was.frames, was.mel, store_atoms=True).basis.state_dict(prefix="basis.")
    assert taps
    assert not taps.keys() & state.keys()
    states = (state, adapt_state(state | taps, was, now), adapt_state(state, was, now))
    before, expected, found = (each["output_proj.bias"][513:-1] for each in states)
    assert (expected - before).abs().max() > 100.0  # radians
    torch.testing.assert_close(found, expected, atol=1e-2, rtol=0.0)  # but for the first and the last: lopsided spectra


def test_a_melgan_generator_stays_as_it_is() -> None:
    config = load("basis-melgan-paper")
    state = {"network.input_conv.weight": torch.randn(3)}
    assert can_adapt(config, config)
    assert adapt_state(state, config, config) == state
    assert not can_adapt(config, replace(config, generator=replace(config.generator, stacks=2)))
    assert not can_adapt(config, replace(config, generator=FAST.generator))


def test_what_has_other_sizes_cannot_be_adapted() -> None:
    assert can_adapt(changed(), changed(lookahead=1))
    assert not can_adapt(changed(), changed(hidden=13))
    assert not can_adapt(changed(), changed(channels=7))
    assert not can_adapt(changed(), replace(changed(), mel="bigvgan"))
