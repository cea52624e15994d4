"""Selection of sources from folders and patterns, their output paths, and reports of unreadable files."""

import os
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from small_vocoders import mel_of, vocode_file

from basis_melgan.errors import AudioError, BasisMelGANError, OutputError
from basis_melgan.inference.source_selection import select_sources


def touch(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()


def output_names(source: object, out: Path) -> dict[str, str]:
    """Return output paths relative to the output folder, by the last two parts of the source paths."""
    return {
        "/".join(pair.source.parts[-2:]): pair.output.relative_to(out).as_posix()
        for pair in select_sources(str(source), out).pairs
    }


def test_sources_with_the_same_stem_keep_their_suffixes(tmp_path: Path) -> None:
    touch(tmp_path / "in", "a.npy", "a.wav", "a.flac", "b.npy", "B.npy", "deep/a.npy", "c.npz")
    assert output_names(tmp_path / "in", tmp_path / "out") == {
        "in/a.npy": "a.npy.wav",
        "in/a.wav": "a.wav.wav",
        "in/a.flac": "a.flac.wav",
        "in/B.npy": "B.npy.1.wav",
        "in/b.npy": "b.npy.2.wav",
        "in/c.npz": "c.wav",
        "deep/a.npy": "deep/a.wav",
    }


def test_outputs_are_distinct(tmp_path: Path) -> None:
    """Even if a name equals another name with an added suffix."""
    touch(tmp_path / "in", "a.npy", "a.wav", "a.npy.npy", "a.npy.flac", "\u00e9.npy", "e\u0301.npy")
    outputs = output_names(tmp_path / "in", tmp_path / "out")
    assert len({name.casefold() for name in outputs.values()}) == len(outputs) == 6


def test_pattern_over_folders_keeps_outputs_apart(tmp_path: Path) -> None:
    touch(tmp_path, "runs/a/mel.npy", "runs/b/mel.npy", "runs/b/other.npy", "runs/mel.npy")
    assert output_names(tmp_path / "runs" / "*" / "*.npy", tmp_path / "out") == {
        "a/mel.npy": "a/mel.wav",
        "b/mel.npy": "b/mel.wav",
        "b/other.npy": "other.wav",
    }
    assert set(output_names(tmp_path / "runs" / "**" / "mel.npy", tmp_path / "out")) == {
        "a/mel.npy",
        "b/mel.npy",
        "runs/mel.npy",
    }


def test_unreadable_mels_and_sounds_are_reported(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    touch(folder, "a.npy", "b.m4a", "c.WMA", "d.pth", "notes.txt", "no-suffix", ".hidden.m4a", ".hidden/a.wav")
    os.mkfifo(folder / "pipe.wav")
    (folder / "gone.flac").symlink_to(tmp_path / "nowhere.flac")
    touch(tmp_path / "elsewhere", "e.npy")
    (folder / "linked").symlink_to(tmp_path / "elsewhere")
    reasons = {
        "linked": "is a link to a folder, which is not followed; give the folder itself",
        "b.m4a": ".m4a cannot be read; make a .wav or .flac of it",
        "c.WMA": ".wma cannot be read; make a .wav or .flac of it",
        "d.pth": ".pth cannot be read; save the mel with numpy.save",
        "gone.flac": "is a broken link",
        "pipe.wav": "is no regular file",
    }
    selection = select_sources(str(folder), tmp_path / "out")
    assert {path.name: reason for path, reason in selection.unreadable.items()} == reasons
    assert [path.name for path in selection.other_files] == ["no-suffix", "notes.txt"]
    assert [pair.source.name for pair in selection.pairs] == ["a.npy"]
    matched = select_sources(str(folder / "*"), tmp_path / "out")
    folder_reason = {"linked": "is a folder; give it as the source, or match its files with **"}
    assert {path.name: reason for path, reason in matched.unreadable.items()} == reasons | folder_reason


def test_unlistable_folder_is_reported() -> None:
    with TemporaryDirectory() as temporary:
        folder, user = Path(temporary), os.geteuid()
        touch(folder, "in/a.npy", "in/deep/b.npy")
        folder.chmod(0o777)
        (folder / "in" / "deep").chmod(0)
        try:
            os.seteuid(user or 65_534)  # another user, since root can list any folder
            selection = select_sources(str(folder / "in"), folder / "out")
        finally:
            os.seteuid(user)
            (folder / "in" / "deep").chmod(0o755)
        assert selection.unreadable == {folder / "in" / "deep": "cannot be listed (Permission denied)"}
        assert [pair.source for pair in selection.pairs] == [folder / "in" / "a.npy"]


def test_readable_files_are_synthesized_and_failures_counted(
    model: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "in"
    touch(folder, "b.m4a", "broken.npy", "notes.txt")
    np.save(folder / "a.npy", mel_of(3))
    np.save(folder / "c.npy", mel_of(3))
    for source in (folder, folder / "*"):
        out = tmp_path / f"out of {source.name}"
        with pytest.raises(BasisMelGANError, match="2 of 4 files could not be synthesized; see above"):
            vocode_file(source, out, model)
        lines = capfd.readouterr().err.splitlines()
        assert lines[0] == f"{folder / 'b.m4a'}: .m4a cannot be read; make a .wav or .flac of it"
        assert lines[1] == "skipped, neither mels nor sound: 1 .txt"
        assert lines[2].startswith(f"{folder / 'broken.npy'}: damaged or no array of numbers")
        assert sorted(path.name for path in out.iterdir()) == ["a.wav", "c.wav"]
    for name in ("b.m4a", "broken.npy"):
        (folder / name).unlink()
    vocode_file(folder, tmp_path / "complete", model)  # files of other kinds are no failure
    assert sorted(path.name for path in (tmp_path / "complete").iterdir()) == ["a.wav", "c.wav"]


def test_selection_without_sources_gives_the_first_reason(tmp_path: Path) -> None:
    touch(tmp_path / "in", "b.m4a", "c.m4a", "notes.txt")
    with pytest.raises(
        AudioError, match=r"in: holds neither mels .* that can be read; 2 cannot, such as .*b\.m4a: \.m4a"
    ):
        select_sources(str(tmp_path / "in"), tmp_path / "out")
    with pytest.raises(AudioError, match=r"\*\.txt: holds neither mels \(\.npy, \.npz, \.pt\) nor sound files$"):
        select_sources(str(tmp_path / "in" / "*.txt"), tmp_path / "out")


def test_sources_are_neither_overwritten_nor_dropped(tmp_path: Path) -> None:
    touch(tmp_path, "in/a.wav", "in/deep/b.wav")
    with pytest.raises(OutputError, match=r"a\.wav: is the source itself; name another file"):
        select_sources(str(tmp_path / "in" / "*.wav"), tmp_path / "in", force=True)
    with pytest.raises(OutputError, match=r"deep: lies in the folder of the sources and holds files"):
        select_sources(str(tmp_path / "in"), tmp_path / "in" / "deep")
    assert len(select_sources(str(tmp_path / "in"), tmp_path / "in" / "deep", force=True).pairs) == 1
    assert len(select_sources(str(tmp_path / "in"), tmp_path / "in" / "new").pairs) == 2
    assert output_names(tmp_path / "in", tmp_path) == {"in/a.wav": "a.wav", "deep/b.wav": "deep/b.wav"}
