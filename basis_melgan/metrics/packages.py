"""Packages that only some metrics need: their installation command, and their import without torchaudio.

The extra `metrics` cannot declare all of them. torchcrepe, distillmos and xls-r-sqa require torchaudio, for which pip
replaces PyTorch by another build or finds none at all; resemblyzer requires webrtcvad, which has to be compiled, where
webrtcvad-wheels is the same prebuilt. So these are installed without their dependencies, in tested versions.
"""

import importlib
import importlib.util
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.machinery import ModuleSpec
from types import ModuleType

from basis_melgan.errors import MissingPackageError
from basis_melgan.installation import install_command

PACKAGES_WITHOUT_DEPENDENCIES = (  # installed with pip install --no-deps
    "torchcrepe==0.0.24",
    "distillmos==0.9.1",
    "xls-r-sqa==0.1.0",
    "resemblyzer==0.1.4",
    "webrtcvad-wheels==2.0.14.post1",
)
INSTALL = f"{install_command('metrics')} && pip install --no-deps {' '.join(PACKAGES_WITHOUT_DEPENDENCIES)}"


def load(module: str) -> ModuleType:
    """Import a module of a package that only some metrics need.

    Raises:
        MissingPackageError: the package, or one that it imports, is not installed.
    """
    try:
        with _torchaudio_placeholder(), warnings.catch_warnings():
            # resemblyzer imports binary_dilation from a namespace that SciPy 2 removes.
            warnings.simplefilter("ignore", DeprecationWarning)
            return importlib.import_module(module)
    except ModuleNotFoundError as error:
        package = (error.name or module).partition(".")[0]
        raise MissingPackageError(f"{package} is not installed; run {INSTALL}") from error


@contextmanager
def _torchaudio_placeholder() -> Iterator[None]:
    """Make `import torchaudio` succeed within the block where torchaudio is not installed.

    torchcrepe and distillmos import it at the top and use it only to read sound files, which this package does not ask
    of them. It has no build for every PyTorch. The empty module is removed afterwards, so that others do not take it
    for the real one.
    """
    if importlib.util.find_spec("torchaudio"):
        yield
        return
    sys.modules["torchaudio"] = importlib.util.module_from_spec(ModuleSpec("torchaudio", None))
    try:
        yield
    finally:
        del sys.modules["torchaudio"]
