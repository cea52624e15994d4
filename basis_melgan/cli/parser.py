"""The words of a command line, and YAML, read into a verb's arguments; whatever is wrong is told in one line."""

import argparse
import inspect
import re
from collections.abc import Callable, Sequence
from dataclasses import is_dataclass
from typing import Any, Literal, get_type_hints

import docstring_parser
import yaml
from jsonargparse import ArgumentError, ArgumentParser, get_loader

from basis_melgan.cli.usage import located, refuse, usage
from basis_melgan.config.loading import from_dict, keys, preset_path, presets, section_types
from basis_melgan.config.schema import Config
from basis_melgan.errors import ConfigurationError

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
    words = [_underscored(word, [*inspect.signature(function).parameters, *keys()]) for word in words]
    try:
        config = _of_kind(load(_option(words, "config", DEFAULT_PRESET)), words) if sections else Config()
        parser = _parser(verb, function, sections, config)
        refuse(verb, function, sections, words)
        values = parser.parse_args(words).as_dict()
    except ArgumentError as error:
        text = located(function, _one_line(str(error)))
        raise ConfigurationError(f"{text}; see basis-melgan {verb} --help") from error
    if sections:
        values["config"] = from_dict(config.to_dict() | {section: values.pop(section) for section in sections})
    return values


def _underscored(word: str, parameters: Sequence[str]) -> str:
    """An option as the parameter that it sets is spelled: --mel-config as --mel_config."""
    key, equals, value = word.removeprefix("--").partition("=")
    spelled = key.replace("-", "_")
    return f"--{spelled}{equals}{value}" if word.startswith("--") and spelled in parameters else word


def _option(words: Sequence[str], name: str, default: str) -> str:
    """Value of one option, before the parser of all options can be built."""
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False, exit_on_error=False)
    parser.add_argument(f"--{name}", dest="value", default=default)
    return str(parser.parse_known_args(words)[0].value)


def _of_kind(config: Config, words: Sequence[str]) -> Config:
    """Apply `--generator.kind`: another kind than the configuration's starts from that kind's defaults.

    Raises:
        ConfigurationError: no such kind, or an option that belongs to the other kind.
    """
    kind = _option(words, "generator.kind", config.generator.kind)
    if kind != config.generator.kind:
        config = from_dict(config.to_dict() | {"generator": {"kind": kind}})
    options = [word.removeprefix("--").partition("=")[0] for word in words if word.startswith("--generator.")]
    for option in options:
        if option in keys() and not hasattr(config.generator, option.removeprefix("generator.")):
            raise ConfigurationError(
                f"{option}: not a setting of generator.kind {kind}; leave it out or set another kind"
            )
    return config


class _Parser(ArgumentParser):
    def format_help(self, formatter: argparse.HelpFormatter | None = None) -> str:
        """Name the types as a user would, and spell options of several words with dashes."""
        text = re.sub(r"<class\s+'Path'>|\bPath\b(?= \|)", "path", super().format_help(formatter))
        return re.sub(r"--[a-z]+(_[a-z]+)+\b(?!\.)", lambda option: option[0].replace("_", "-"), text)


def _parser(verb: str, function: Callable[..., None], sections: Sequence[str], config: Config) -> ArgumentParser:
    parameters = inspect.signature(function).parameters.values()
    lists = [p.name for p in parameters if p.annotation == list[str]]
    doc = docstring_parser.parse(inspect.getdoc(function) or "")
    parser = _Parser(
        prog=f"basis-melgan {verb}",
        usage=f"basis-melgan {verb} {usage(function)}",
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
    """Add one option per setting; the comment beside a setting in its dataclass is its help."""
    value = getattr(config, section)
    if not is_dataclass(value):
        hint, text = get_type_hints(Config)[section], _comments(Config)[section]
        parser.add_argument(f"--{section}", type=hint, default=value, help=text)
        return
    kind = type(value)
    comments = _comments(kind)
    group = parser.add_argument_group((inspect.getdoc(kind) or section).splitlines()[0].rstrip(":."))
    for name, hint in get_type_hints(kind).items():
        text = comments.get(name, name.replace("_", " "))  # without a text, type and default would not show either
        if name == "kind":
            hint = (
                Literal[tuple(member.kind for member in section_types(section))]
                if len(section_types(section)) > 1
                else hint
            )
        group.add_argument(f"--{section}.{name}", type=hint, default=getattr(value, name), help=text)


def _comments(kind: type) -> dict[str, str]:
    """Comments beside the fields of a dataclass, by field."""
    return dict(re.findall(r"^    (\w+): .*?  # (.*)$", inspect.getsource(kind), re.MULTILINE))


def _one_line(text: str) -> str:
    """A message of jsonargparse without its layout and Python's spelling of types."""
    text = " ".join(text.split()).replace("typing.", "")
    text = re.sub(r"Literal\[([^\]]*)\]", lambda choices: "one of " + choices[1].replace("'", ""), text)
    text = re.sub(r"<class '([\w.]+)'>", r"\1", text).replace("NoneType", "null")
    key = re.match(r'Parser key "([^"]+)": ', text)
    one = re.search(r"Expected an? (.+?)\. Got value: (.*)$", text)
    many = re.search(r"Subtypes: \[(.+?)\] Errors:.* Given value: (.*)$", text)
    found = many or one
    if flag := re.match(r"argument --(\w+): ignored explicit argument", text):
        return f"{flag[1]}: takes no value"
    if key and found:
        return f"{key[1]}: {found[2]} is not {found[1].replace(', null', ' | null')}"
    return text
