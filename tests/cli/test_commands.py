"""The table of commands."""

from dataclasses import fields

from basis_melgan.cli.commands import SECTIONS
from basis_melgan.config.schema import Config


def test_every_section_is_used_by_a_command() -> None:
    names = {field.name for field in fields(Config)}
    assert set().union(*SECTIONS.values()) == names
