"""A vocoder's parameters for another generator: nothing is lost that the other can do."""

from dataclasses import replace

import torch

from basis_melgan.cli.parser import load
from basis_melgan.config.schema import Config
from basis_melgan.models import model_file
from basis_melgan.models.convnext import ConvNeXtGenerator
from basis_melgan.models.transfer import adaptable, adapted

FAST = load("fast")
SIZES = replace(FAST.generator, channels=8, hidden=12, blocks=2, pairs=16)


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
    assert adaptable(was, now)
    other = built(now)
    other.load_state_dict(adapted(generator.state_dict(), was, now))
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
    sizes = {"pairs": 513, "spacing": "fourier", "prior": False}
    was, now = changed(lookahead=None, **sizes), changed(lookahead=1, **sizes)
    generator = built(was)
    generator.output_proj.weight.zero_()
    generator.output_proj.bias[:513] = -30.0
    generator.output_proj.bias[40] = 0.0  # log amplitude of a frequency with a whole number of periods a hop
    generator.output_proj.bias[513:] = 1.0  # radians
    mel = torch.zeros(1, 100, 12)
    before, after = (model(mel).wave[0, 1_280:1_792] for model in (generator, moved(generator, was, now)))
    assert before.abs().max() > 0.01
    torch.testing.assert_close(after, before, atol=1e-5, rtol=1e-4)


def test_phases_turn_alike_with_taps_and_without() -> None:
    """Frequencies come from the taps where there are some, and else from the layout of the pairs."""
    was, now = (changed(lookahead=ahead, spacing="linear", pairs=512) for ahead in (None, 1))
    state = built(was).state_dict()
    taps = ConvNeXtGenerator(was, store_atoms=True).basis.state_dict(prefix="basis.")
    assert taps
    assert not taps.keys() & state.keys()
    states = (state, adapted(state | taps, was, now), adapted(state, was, now))
    before, expected, found = (each["output_proj.bias"][513:-1] for each in states)
    assert (expected - before).abs().max() > 100.0  # radians
    torch.testing.assert_close(found, expected, atol=1e-2, rtol=0.0)  # but for the first and the last: lopsided spectra


def test_what_a_generator_does_not_have_changes_nothing() -> None:
    was = replace(FAST, generator=replace(load("paper").generator, hidden=12))
    now = replace(was, generator=replace(was.generator, hidden=7, lookahead=1))
    state = {"network.input_conv.weight": torch.randn(3)}
    assert adaptable(was, now)
    assert adapted(state, was, now) == state


def test_what_has_other_sizes_cannot_be_adapted() -> None:
    assert adaptable(changed(), changed(activation="gelu"))
    assert not adaptable(changed(), changed(hidden=13))
    assert not adaptable(changed(), changed(channels=7))
    assert not adaptable(changed(head="signed"), changed(head="signed", lookahead=1))
    assert not adaptable(changed(), replace(changed(), mel="bigvgan"))
