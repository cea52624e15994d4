"""Markdown tables."""

from collections.abc import Iterable, Iterator, Sequence


def table(header: Sequence[str], rows: Iterable[Sequence[object]], labels: int = 1) -> Iterator[str]:
    """Yield the lines of a table: its first `labels` columns are left-aligned, the others right-aligned."""
    yield _row(header)
    yield _row([*["---"] * labels, *["---:"] * (len(header) - labels)])
    yield from map(_row, rows)


def _row(cells: Sequence[object]) -> str:
    return f"| {' | '.join(map(str, cells))} |"
