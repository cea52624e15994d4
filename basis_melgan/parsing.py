"""The words of a command line, and YAML, read into a verb's arguments; whatever is wrong is told in one line."""

import argparse
import inspect
import re
from collections.abc import Callable, Sequence
from dataclasses import is_dataclass
from typing import Any, get_type_hints

import docstring_parser
import yaml
from jsonargparse import ArgumentError, ArgumentParser, get_loader

from basis_melgan.config import Config
from basis_melgan.errors import ConfigurationError
from basis_melgan.settings import from_dict, keys, nearest, preset_path, presets

DEFAULT_PRESET = "cpu"


def load(name: str) -> Config:
    """Read a preset or a YAML file; what it leaves out keeps the default of `Config`.

    Raises:
        ConfigurationError: no such preset or file, not YAML, or not a configuration.
    """
    path = preset_path(name)
    try:
        # jsonargparse's loader, since YAML 1.1 takes 1e-3 for a string
        settings = get_loader("yaml")(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{path}: not YAML ({' '.join(str(error).split())}); mend the file") from error
    return from_dict({} if settings is None else settings)


def arguments(function: Callable[..., None], sections: Sequence[str], words: Sequence[str]) -> dict[str, Any]:
    """Read the words after a verb into the arguments of its function.

    Args:
        function: the verb; its signature and Google docstring say what it takes. A `bool` becomes a flag,
            a `list[str]` one word or more.
        sections: what of `Config` the verb uses: these keys may be given in dotted form, and the function gets the
            whole configuration as `config`.
        words: the command line after the verb. `--help` prints and exits.

    Raises:
        ConfigurationError: an unknown key, a wrong type, a missing argument, or settings that cannot be.
    """
    verb = function.__name__.replace("_", "-")
    parameters = [*inspect.signature(function).parameters, "help"]
    words = [_underscored(word, parameters) for word in words]
    try:
        config = load(_chosen_configuration(words)) if sections else Config()
        parser = _parser(verb, function, sections, config)
        _refuse_unknown_keys(verb, words, parameters, sections)
        values = parser.parse_args(words).as_dict()
    except ArgumentError as error:
        raise ConfigurationError(f"{_one_line(str(error))}; see basis-melgan {verb} --help") from error
    if sections:
        values["config"] = from_dict(config.to_dict() | {section: values.pop(section) for section in sections})
    return values


def _underscored(word: str, parameters: Sequence[str]) -> str:
    """An option as the parameter that it sets is spelled: --mel-convention as --mel_convention."""
    key, equals, value = word.removeprefix("--").partition("=")
    spelled = key.replace("-", "_")
    return f"--{spelled}{equals}{value}" if word.startswith("--") and spelled in parameters else word


def _chosen_configuration(words: Sequence[str]) -> str:
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False, exit_on_error=False)
    parser.add_argument("--config", default=DEFAULT_PRESET)
    return str(parser.parse_known_args(words)[0].config)


class _Parser(ArgumentParser):
    def format_help(self, formatter: argparse.HelpFormatter | None = None) -> str:
        """Name the types as a user would, and spell options of several words with dashes."""
        text = re.sub(r"<class\s+'Path'>|\bPath\b(?= \|)", "path", super().format_help(formatter))
        return re.sub(r"--[a-z]+(_[a-z]+)+\b(?!\.)", lambda option: option[0].replace("_", "-"), text)


def _parser(verb: str, function: Callable[..., None], sections: Sequence[str], config: Config) -> ArgumentParser:
    parameters = inspect.signature(function).parameters.values()
    required = [p for p in parameters if p.default is p.empty and p.name != "config"]
    lists = [p.name for p in parameters if p.annotation == list[str]]
    placed = [
        f"{p.name} …"
        if p.name in lists
        else p.name
        if p.kind is p.POSITIONAL_OR_KEYWORD
        else f"--{p.name} {p.name.upper()}"
        for p in required
    ]
    doc = docstring_parser.parse(inspect.getdoc(function) or "")
    parser = _Parser(
        prog=f"basis-melgan {verb}",
        usage=" ".join(["basis-melgan", verb, *placed, "[options]"]),
        description=" ".join(part for part in (doc.short_description, doc.long_description) if part),
        exit_on_error=False,
    )
    flags = [p.name for p in parameters if p.annotation is bool]
    parser.add_function_arguments(function, as_group=False, as_positional=True, skip={"config", *flags, *lists})
    for parameter in doc.params:
        if parameter.arg_name in flags:
            parser.add_argument(f"--{parameter.arg_name}", action="store_true", help=parameter.description)
        if parameter.arg_name in lists:
            parser.add_argument(parameter.arg_name, type=str, nargs="+", help=parameter.description)
    if sections:
        text = f"a preset ({', '.join(presets())}) or a YAML file; the options below change single settings of it"
        parser.add_argument("--config", type=str, default=DEFAULT_PRESET, help=text)
    for section in sections:
        _add_section(parser, section, config)
    return parser


def _add_section(parser: ArgumentParser, section: str, config: Config) -> None:
    """Add one option per setting; the comment beside a setting in config.py is its help."""
    kind, value = get_type_hints(Config)[section], getattr(config, section)
    if not is_dataclass(value):
        parser.add_argument(f"--{section}", type=kind, default=value, help=f"convention of the {section}")
        return
    comments = dict(re.findall(r"^    (\w+): .*?  # (.*)$", inspect.getsource(kind), re.MULTILINE))
    group = parser.add_argument_group((inspect.getdoc(kind) or section).splitlines()[0].rstrip(":."))
    for name, hint in get_type_hints(kind).items():
        text = comments.get(name, name.replace("_", " "))  # without a text, type and default would not show either
        group.add_argument(f"--{section}.{name}", type=hint, default=getattr(value, name), help=text)


def _refuse_unknown_keys(verb: str, words: Sequence[str], parameters: list[str], sections: Sequence[str]) -> None:
    known = [*parameters, *(key for key in keys() if key.split(".")[0] in sections)]
    for word in words:
        key = word.removeprefix("--").partition("=")[0]
        if word == "--":
            return
        section, _, setting = key.partition(".")
        table = getattr(getattr(Config(), section, None), setting.partition(".")[0], None)
        if not word.startswith("--") or key in known or (section in sections and isinstance(table, dict)):
            continue
        if key in keys():
            raise ConfigurationError(f"{key} is no setting of {verb}; leave it out, or put it in a --config file")
        raise ConfigurationError(f"unknown key {key}{nearest(key, known)}")


def _one_line(text: str) -> str:
    """A message of jsonargparse without its layout and Python's spelling of types."""
    text = " ".join(text.split()).replace("typing.", "")
    text = re.sub(r"<class '([\w.]+)'>", r"\1", text).replace("NoneType", "null")
    key = re.match(r'Parser key "([^"]+)": ', text)
    one = re.search(r"Expected an? (.+?)\. Got value: (.*)$", text)
    many = re.search(r"Subtypes: \[(.+?)\] Errors:.* Given value: (.*)$", text)
    found = many or one
    if key and found:
        return f"{key[1]}: {found[2]} is not {found[1].replace(', null', ' | null')}"
    return text
