"""What users can do wrong, as types. Every message names the value, what was expected and what to do."""


class BasisMelGANError(Exception):
    """Any mistake a user can mend; the command line prints its text on one line and exits with 2."""


class ConfigurationError(BasisMelGANError):
    """A setting that cannot be, or two that cannot be together."""


class AudioError(BasisMelGANError):
    """A sound file or wave that cannot be used."""


class CorpusError(BasisMelGANError):
    """A corpus that is missing, damaged, empty, or prepared for another purpose."""


class MelError(BasisMelGANError):
    """A mel spectrogram of the wrong shape, range or convention."""


class ModelFileError(BasisMelGANError):
    """A model file that is missing, damaged, of another kind, or of a later version."""


class TrainingError(BasisMelGANError):
    """A training that cannot start, resume or go on."""


class OutputError(BasisMelGANError):
    """An output that exists already, or that cannot be written."""


class MissingPackageError(BasisMelGANError):
    """A package that only some metrics need, and that is not installed."""


class InputWarning(UserWarning):
    """Input that is used, but not as it is; the command line prints its text on one line and goes on."""


class MelWarning(InputWarning):
    """A mel spectrogram that may be of another convention; the command line prints its text on one line."""
