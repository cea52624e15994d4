"""Tables in Markdown."""

from collections.abc import Iterable, Iterator, Sequence


def table(header: Sequence[str], rows: Iterable[Sequence[object]], labels: int = 1) -> Iterator[str]:
    """Lines of a table, its first `labels` columns set to the left and the others, figures, to the right."""
    yield _row(header)
    yield _row([*["---"] * labels, *["---:"] * (len(header) - labels)])
    yield from map(_row, rows)


def _row(cells: Sequence[object]) -> str:
    return f"| {' | '.join(map(str, cells))} |"
