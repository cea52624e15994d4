"""Errors and warnings that users can cause. Every message names the value, what was expected and what to do."""


class BasisMelGANError(Exception):
    """Base of all errors that users can fix; the command line prints the message on one line and exits with 2."""


class ConfigurationError(BasisMelGANError):
    """A setting is invalid, or two settings contradict each other."""


class AudioError(BasisMelGANError):
    """A sound file or a wave cannot be used."""


class CorpusError(BasisMelGANError):
    """A corpus is missing, damaged, empty, or prepared for another purpose."""


class MelError(BasisMelGANError):
    """A mel spectrogram has the wrong shape, range or mel config."""


class ModelFileError(BasisMelGANError):
    """A model file is missing, damaged, of another kind, or of a later version."""


class TrainingError(BasisMelGANError):
    """A training cannot start, resume or continue."""


class OutputError(BasisMelGANError):
    """An output exists already, or cannot be written."""


class MissingPackageError(BasisMelGANError):
    """A package that only some metrics need is not installed."""


class InputWarning(UserWarning):
    """An input is used after a change, or in part; the command line prints the message on one line."""


class MelWarning(InputWarning):
    """A mel spectrogram may be of another mel config."""
