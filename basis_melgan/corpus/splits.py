"""Division of a corpus into train, validation and test clips."""

from basis_melgan.config.schema import Split
from basis_melgan.corpus.manifest import SPLITS


def assign_splits(clips: int, test: int, validation: int) -> list[Split]:
    """Return the split of each of `clips` clips, in the order of their names.

    If test and validation would exceed a third of the corpus, both shrink in proportion to a third together, but not
    below one clip each. Fewer than three clips are all used for training.
    """
    requested = test + validation
    if clips < 3:
        test = validation = 0
    elif requested * 3 > clips:
        test, validation = (min(count, max(1, clips * count // (3 * requested))) for count in (test, validation))
    train = clips - test - validation
    return [SPLITS[0]] * train + [SPLITS[1]] * validation + [SPLITS[2]] * test
