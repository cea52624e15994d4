"""Parsing of a command's arguments, and its help; a mistake is one line that says what to write instead."""

import argparse
import dataclasses
import inspect
import json
import re
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from operator import attrgetter
from pathlib import Path
from typing import Any, Literal, NoReturn, get_args, get_origin, get_type_hints

from basis_melgan.config import loading
from basis_melgan.config.loading import UNIONS, describe_type, nearest, section_settings
from basis_melgan.config.loading import keys as all_keys
from basis_melgan.config.schema import Config
from basis_melgan.errors import ConfigurationError

Command = Callable[..., None]
DEFAULT_PRESET = "convnext-24k"
FORMATTER = partial(argparse.HelpFormatter, max_help_position=30)


class _ArgumentParser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        """Raise a ConfigurationError instead of printing and exiting."""
        raise ConfigurationError(f"{message}; usage: {self.usage}")


def arguments(
    function: Command, sections: Sequence[str], argv: Sequence[str], preset: str = DEFAULT_PRESET
) -> dict[str, Any]:
    """Parse the command line after a command into the arguments of its function.

    Args:
        function: the command; its signature and Google docstring define the arguments. A `bool` becomes a flag,
            a `list[str]` one argument or more.
        sections: sections of `Config` that the command uses: their settings become options with dotted names, and the
            function gets the whole configuration as `config`.
        argv: the command line after the command. `--help` and `--help-config` print and exit.
        preset: the configuration without `--config`.

    Raises:
        ConfigurationError: an unknown option, a wrong type, a missing argument, or settings that contradict one
            another.
    """
    parser = _build_parser(function, sections, preset)
    options = _option_names(function, sections)
    argv = [_spell_option(word, options) for word in argv]
    _require_known_words(function, options, argv)
    if "--help-config" in argv:
        _build_settings_parser(function, sections, _config_name(argv, preset)).print_help()
        raise SystemExit(0)
    namespace, extra = parser.parse_known_args(argv)
    if extra:
        parser.error(f"too many arguments: {' '.join(extra)}; put patterns in quotes")
    texts = {name: text for name, text in vars(namespace).items() if text is not None}
    hints = get_type_hints(function)
    config = {"config": _read_config(texts, sections)} if sections else {}
    names = texts.keys() & hints.keys() - {"config"}
    return {name: _parse_argument(hints[name], texts[name], name) for name in names} | config


def positional_names(function: Command) -> list[str]:
    """Names of the positional arguments of a command."""
    parameters = inspect.signature(function).parameters.values()
    return [p.name for p in parameters if p.default is p.empty and p.kind is p.POSITIONAL_OR_KEYWORD]


def usage(function: Command) -> str:
    """Required arguments of a command in their order, such as ``systems … --corpus CORPUS [options]``."""
    words, positionals = [], positional_names(function)
    for name, parameter in inspect.signature(function).parameters.items():
        if name in positionals:
            words.append(f"{name} …" if parameter.annotation == list[str] else name)
        elif parameter.default is parameter.empty and name != "config":
            words.append(f"--{_dashed(name)} {name.upper()}")
    return " ".join([*words, "[options]"])


def _build_parser(function: Command, sections: Sequence[str], preset: str) -> _ArgumentParser:
    """Parser of all arguments of a command; its help leaves out the settings."""
    description, helps = _read_docstring(function)
    name, positionals, hints = _command_name(function), positional_names(function), get_type_hints(function)
    parser = _ArgumentParser(
        prog=f"basis-melgan {name}",
        usage=f"basis-melgan {name} {usage(function)}",
        description=description,
        formatter_class=FORMATTER,
        allow_abbrev=False,
    )
    for parameter in inspect.signature(function).parameters.values():
        text = helps.get(parameter.name, "").replace("%", "%%")
        if parameter.name in positionals:
            parser.add_argument(parameter.name, help=text, nargs="+" if parameter.annotation == list[str] else None)
        elif parameter.annotation is bool:
            parser.add_argument(f"--{_dashed(parameter.name)}", help=text, action="store_true")
        elif parameter.name != "config":
            required = parameter.default is parameter.empty
            if not required and parameter.default not in (None, ""):
                text += f" (default: {parameter.default})"
            metavar = _metavar(hints[parameter.name], parameter.name)
            parser.add_argument(f"--{_dashed(parameter.name)}", help=text, required=required, metavar=metavar)
    if sections:
        text = f"preset ({', '.join(loading.presets())}) or YAML file (default: {preset})"
        parser.add_argument("--config", default=preset, help=text, metavar="CONFIG")
        text = f"list the settings, which --SECTION.KEY VALUE changes (sections: {', '.join(sections)})"
        parser.add_argument("--help-config", action="store_true", help=text)
    for key in _settings(sections):
        parser.add_argument(f"--{key}", help=argparse.SUPPRESS)
    return parser


def _build_settings_parser(function: Command, sections: Sequence[str], config_name: str) -> _ArgumentParser:
    """Parser with the settings alone, by section, whose help shows their values in a configuration."""
    config, name = loading.load(config_name), _command_name(function)
    parser = _ArgumentParser(
        prog=f"basis-melgan {name}",
        usage=f"basis-melgan {name} {usage(function).removesuffix('[options]')}[--SECTION.KEY VALUE …]",
        description=f"Settings of {name}, with their values in the configuration {config_name}.",
        formatter_class=FORMATTER,
        add_help=False,
    )
    single = parser.add_argument_group("without a section")
    for section in sections:
        value = getattr(config, section)
        settings, group = section_settings(section), single
        if dataclasses.is_dataclass(value):
            settings = section_settings(section, type(value))
            group = parser.add_argument_group(section, (inspect.getdoc(type(value)) or "").splitlines()[0])
        for key, (hint, text) in settings.items():
            default = getattr(value, key.removeprefix(f"{section}."), value)
            text = f"{text} ({describe_type(hint)})".replace("%", "%%")
            if isinstance(default, Mapping):
                values = [f"{name} {value}" for name, value in default.items()]
                group.add_argument(f"--{key}.NAME", help=f"{text}: {', '.join(values)}", metavar="VALUE")
            else:
                group.add_argument(f"--{key}", help=text, metavar=_format_value(default))
    return parser


def _settings(sections: Sequence[str]) -> dict[str, Any]:
    """Types of the settings of sections by their dotted keys; a mapping has an option for each of its names too."""
    types = {key: hint for section in sections for key, (hint, _) in section_settings(section).items()}
    for key, hint in list(types.items()):
        if get_origin(hint) is dict:
            types |= {f"{key}.{name}": get_args(hint)[1] for name in attrgetter(key)(Config())}
    return types


def _read_config(texts: Mapping[str, Any], sections: Sequence[str]) -> Config:
    """The configuration that the command line names, with the settings that it changes."""
    changes: dict[str, Any] = {}
    for key, hint in _settings(sections).items():
        if key in texts:
            section = changes
            *path, name = key.split(".", 2)
            for part in path:
                section = section.setdefault(part, {})
            section[name] = loading.parse_text(hint, texts[key], key)
    return loading.with_changes(loading.load(texts["config"]), changes)


def _require_known_words(function: Command, options: Sequence[str], argv: Sequence[str]) -> None:
    """Refuse unknown options, naming the nearest, and empty positional arguments.

    Raises:
        ConfigurationError: names the word, and what to write instead.
    """
    for previous, word in zip(["", *argv], argv, strict=False):
        if word == "--":
            return
        if not word and not previous.startswith("--"):
            raise ConfigurationError(f"an argument is empty; expected {usage(function)}")
        if re.match(r"-[a-zA-Z]", word) and word != "-h":
            initial = [option for option in options if option.startswith(word[1:])][:3]
            hint = f"did you mean --{' or --'.join(initial)}?" if initial else _see_help(function)
            raise ConfigurationError(f"unknown option {word}; options begin with two dashes; {hint}")
        option = word.removeprefix("--").partition("=")[0]
        if word.startswith("--") and option not in options:
            _refuse_option(function, option, options)


def _refuse_option(function: Command, option: str, options: Sequence[str]) -> NoReturn:
    if option in positional_names(function):
        raise ConfigurationError(f"--{option}: a positional argument, without --; expected {usage(function)}")
    if option in all_keys():
        name = _command_name(function)
        raise ConfigurationError(
            f"--{option}: {name} does not use this setting; leave it out, or put it in a --config file"
        )
    hint = nearest(option, options, prefix="--") or f"; {_see_help(function)}"
    raise ConfigurationError(f"unknown option --{option}{hint}")


def _option_names(function: Command, sections: Sequence[str]) -> list[str]:
    """Options of a command, without the two dashes."""
    names = [name for name in inspect.signature(function).parameters if name not in positional_names(function)]
    options = [_dashed(name) for name in names if sections or name != "config"]
    return [*options, "help", *(("help-config", *_settings(sections)) if sections else ())]


def _spell_option(word: str, options: Sequence[str]) -> str:
    """Spell an option as the parser does, whether it has dashes or underscores between its words."""
    name, equals, value = word.removeprefix("--").partition("=")
    spellings = {option.replace("-", "_"): option for option in options}
    return f"--{spellings.get(name.replace('-', '_'), name)}{equals}{value}" if word.startswith("--") else word


def _config_name(argv: Sequence[str], preset: str) -> str:
    """Value of --config, on a command line that may lack required arguments."""
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False, exit_on_error=False)
    parser.add_argument("--config", nargs="?", default=preset)
    return parser.parse_known_args(argv)[0].config or preset


def _parse_argument(hint: Any, value: Any, name: str) -> Any:
    """Value of an argument from its text; flags and lists of text are parsed already."""
    return loading.parse_text(hint, value, _dashed(name)) if isinstance(value, str) else value


def _read_docstring(function: Command) -> tuple[str, dict[str, str]]:
    """Description of a command, and of each of its arguments, from its Google docstring."""
    description, _, section = (inspect.getdoc(function) or "").partition("\nArgs:\n")
    entries = re.findall(r"^    (\w+): (.*(?:\n     .*)*)", section, re.MULTILINE)
    return " ".join(description.split()), {name: " ".join(text.split()).removesuffix(".") for name, text in entries}


def _format_value(value: Any) -> str:
    """A setting's value as YAML on one line."""
    return value if isinstance(value, str) else json.dumps(value)


def _metavar(hint: Any, name: str) -> str:
    """Placeholder of an option's value in the help."""
    members = get_args(hint) if get_origin(hint) in UNIONS else (hint,)
    if get_origin(members[0]) is Literal:
        return "|".join(get_args(members[0]))
    return "PATH" if Path in members else "N" if int in members else name.upper()


def _command_name(function: Command) -> str:
    return _dashed(function.__name__)


def _see_help(function: Command) -> str:
    return f"see basis-melgan {_command_name(function)} --help"


def _dashed(name: str) -> str:
    return name.replace("_", "-")
