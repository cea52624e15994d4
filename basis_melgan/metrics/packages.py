"""Packages that only some metrics need: the command that installs them, and their import beside a PyTorch of one's own.

The extra `metrics` cannot bring all of them. torchcrepe, distillmos and xls-r-sqa ask for torchaudio,
for which pip replaces PyTorch by another build or finds none at all; resemblyzer asks for webrtcvad, which has to be
compiled, where webrtcvad-wheels is the same ready-made. So these are installed without what they ask for, in the
versions that were tried.
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

ALONE = (  # to be installed without what they ask for
    "torchcrepe==0.0.24",
    "distillmos==0.9.1",
    "xls-r-sqa==0.1.0",
    "resemblyzer==0.1.4",
    "webrtcvad-wheels==2.0.14.post1",
)
INSTALL = f"{install_command('metrics')} && pip install --no-deps {' '.join(ALONE)}"


def load(module: str) -> ModuleType:
    """Import a module of a package that only some metrics need.

    Raises:
        MissingPackageError: the package, or one that it imports, is not installed.
    """
    try:
        with _torchaudio(), warnings.catch_warnings():
            # resemblyzer finds binary_dilation where SciPy 2 will not have it.
            warnings.simplefilter("ignore", DeprecationWarning)
            return importlib.import_module(module)
    except ModuleNotFoundError as error:
        package = (error.name or module).partition(".")[0]
        raise MissingPackageError(f"{package} is not installed; run {INSTALL}") from error


@contextmanager
def _torchaudio() -> Iterator[None]:
    """Let `import torchaudio` pass meanwhile where torchaudio is not installed.

    torchcrepe and distillmos import it at the top and use it only to read sound files, which is not asked of them here.
    It has no build for every PyTorch. Afterwards the empty module is gone again, lest others take it for the real one.
    """
    if importlib.util.find_spec("torchaudio"):
        yield
        return
    sys.modules["torchaudio"] = importlib.util.module_from_spec(ModuleSpec("torchaudio", None))
    try:
        yield
    finally:
        del sys.modules["torchaudio"]
