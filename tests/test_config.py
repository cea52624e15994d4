"""Presets, and the strict reading of a configuration."""

import inspect
import json
import re
from pathlib import Path

import pytest

from basis_melgan.config import Config, CorpusConfig, MixtureConfig
from basis_melgan.errors import ConfigurationError
from basis_melgan.parsing import load
from basis_melgan.settings import PRESETS, from_dict, keys, preset_path


def test_presets() -> None:
    assert [path.stem for path in sorted(PRESETS.glob("*.yaml"))] == ["cpu", "fast", "paper", "tiny"]
    assert preset_path("paper") == PRESETS / "paper.yaml"
    assert load("paper") == Config()
    assert len({json.dumps(load(name).to_dict()) for name in ("paper", "cpu", "fast", "tiny")}) == 4


def test_paper_spells_out_every_key() -> None:
    text = preset_path("paper").read_text(encoding="utf-8")
    section = ""
    found = []
    for line in text.splitlines():
        name, colon, _ = line.partition(":")
        if not colon or line.startswith(("#", "    ")):
            continue
        section = section if line.startswith(" ") else name
        found.append(f"{section}.{name.strip()}" if line.startswith(" ") else name)
    assert found == keys()


def test_every_comment_stands_where_help_finds_it() -> None:
    """Help takes the comment on a setting's own line; one that stands alone would be lost."""
    lines = Path(inspect.getsourcefile(Config)).read_text(encoding="utf-8").splitlines()
    assert [line for line in lines if re.match(r"    (#|\)  #)|    \w+: .*\($", line)] == []


def test_keys() -> None:
    found = keys()
    assert {"mel", "separator", "separator.blocks", "vocoder_training.loss_weights"} <= set(found)
    sizes = sum(1 + len(getattr(section, "__dataclass_fields__", ())) for section in vars(Config()).values())
    assert len(found) == sizes


@pytest.mark.parametrize("preset", ["paper", "cpu", "tiny"])
def test_a_configuration_survives_json(preset: str) -> None:
    config = load(preset)
    again = from_dict(json.loads(json.dumps(config.to_dict())))
    assert again == config
    assert isinstance(again.discriminators.resolutions[0], tuple)


def test_from_dict_completes_and_converts() -> None:
    config = from_dict({"mixture": {"sigma": 1, "noises": ["white", "pink"]}, "corpus": {"draw": None}})
    assert config.mixture == MixtureConfig(sigma=1.0, noises=("white", "pink"))
    assert isinstance(config.mixture.sigma, float)
    assert config.corpus == CorpusConfig()
    assert from_dict({}) == Config()


def test_from_dict_refuses_a_key_of_a_later_version() -> None:
    with pytest.raises(ConfigurationError, match=r"^unknown key generator\.trunk; did you mean generator\.stacks\?$"):
        from_dict({"generator": {"trunk": "x"}})
