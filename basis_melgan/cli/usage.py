"""Mistakes in the words after a verb that can be told better than by the parser, which does not know what was meant."""

import inspect
import re
from collections.abc import Callable, Sequence

from basis_melgan.config.loading import keys, nearest
from basis_melgan.config.schema import Config
from basis_melgan.errors import ConfigurationError


def usage(function: Callable[..., None]) -> str:
    """What a verb takes, in its order, such as ``systems … --corpus CORPUS [options]``."""
    required = [p for p in inspect.signature(function).parameters.values() if p.default is p.empty]
    places = [
        f"--{parameter.name} {parameter.name.upper()}"
        if parameter.name not in placed(function)
        else f"{parameter.name} …"
        if parameter.annotation == list[str]
        else parameter.name
        for parameter in required
        if parameter.name != "config"
    ]
    return " ".join([*places, "[options]"])


def placed(function: Callable[..., None]) -> list[str]:
    """Names of the arguments that a verb takes by their place."""
    parameters = inspect.signature(function).parameters.values()
    return [p.name for p in parameters if p.default is p.empty and p.kind is p.POSITIONAL_OR_KEYWORD]


def refuse(verb: str, function: Callable[..., None], sections: Sequence[str], words: Sequence[str]) -> None:
    """Refuse options that a verb does not have, with those that were probably meant, and empty words.

    Args:
        verb: as it is spelled.
        function: the verb.
        sections: of the configuration, whose settings are options of the verb.
        words: what follows the verb.

    Raises:
        ConfigurationError: says which word, and what to write in its place.
    """
    parameters = [*inspect.signature(function).parameters, "help"]
    options = [name for name in parameters if sections or name != "config"]
    options += [key for key in keys() if key.split(".")[0] in sections]
    for before, word in zip(["", *words], words, strict=False):
        if word == "--":
            return
        if not word and not before.startswith("--"):
            raise ConfigurationError(f"an argument is empty; expected {usage(function)}")
        if re.match(r"-[a-zA-Z]", word) and word != "-h":
            _refuse_single_dash(verb, word, options)
        if word.startswith("--"):
            _refuse_option(verb, function, sections, word.removeprefix("--").partition("=")[0], options)


def _refuse_single_dash(verb: str, word: str, options: Sequence[str]) -> None:
    initial = [key for key in options if key.startswith(word[1:])][:3]
    hint = f"; did you mean --{' or --'.join(initial)}?" if initial else f"; see basis-melgan {verb} --help"
    raise ConfigurationError(f"unknown option {word}; options begin with two dashes{hint}")


def _refuse_option(
    verb: str, function: Callable[..., None], sections: Sequence[str], key: str, options: Sequence[str]
) -> None:
    section, _, setting = key.partition(".")
    table = getattr(getattr(Config(), section, None), setting.partition(".")[0], None)
    if key in placed(function) and key not in sections:
        raise ConfigurationError(f"{key}: goes by its place, without --; expected {usage(function)}")
    if key in options or (section in sections and isinstance(table, dict)):
        return
    if key in keys():
        raise ConfigurationError(f"{key} is no setting of {verb}; leave it out, or put it in a --config file")
    raise ConfigurationError(f"unknown key {key}{nearest(key, options) or f'; see basis-melgan {verb} --help'}")


def located(function: Callable[..., None], text: str) -> str:
    """What the parser says of arguments that are too many or too few, with where they go."""
    if extra := re.match(r"unrecognized arguments: (.*)", text):
        return f"too many arguments: {extra[1]}; expected {usage(function)}, with patterns in quotes"
    if absent := re.match(r"the following arguments are required: (.*)", text):
        names = [name if name in placed(function) else f"--{name}" for name in absent[1].split(", ")]
        return f"missing: {', '.join(names)}; expected {usage(function)}"
    return text
