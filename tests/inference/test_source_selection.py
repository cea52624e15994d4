"""Which files of a folder or a pattern are spoken, where to, and what is said of the others."""

import os
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from small_vocoders import mel_of, speak

from basis_melgan.errors import AudioError, BasisMelGANError, OutputError
from basis_melgan.inference.source_selection import select


def touched(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()


def outs(source: object, out: Path) -> dict[str, str]:
    """Outputs, seen from their folder, by their sources' last two parts."""
    return {
        "/".join(pair.source.parts[-2:]): pair.out.relative_to(out).as_posix()
        for pair in select(str(source), out).pairs
    }


def test_sources_of_one_name_keep_what_tells_them_apart(tmp_path: Path) -> None:
    touched(tmp_path / "in", "a.npy", "a.wav", "a.flac", "b.npy", "B.npy", "deep/a.npy", "c.npz")
    assert outs(tmp_path / "in", tmp_path / "out") == {
        "in/a.npy": "a.npy.wav",
        "in/a.wav": "a.wav.wav",
        "in/a.flac": "a.flac.wav",
        "in/B.npy": "B.npy.1.wav",
        "in/b.npy": "b.npy.2.wav",
        "in/c.npz": "c.wav",
        "deep/a.npy": "deep/a.wav",
    }


def test_no_output_takes_the_place_of_another(tmp_path: Path) -> None:
    """Whatever names there are: here one that the suffixes of two others would have made."""
    touched(tmp_path / "in", "a.npy", "a.wav", "a.npy.npy", "a.npy.flac", "\u00e9.npy", "e\u0301.npy")
    found = outs(tmp_path / "in", tmp_path / "out")
    assert len({name.casefold() for name in found.values()}) == len(found) == 6


def test_a_pattern_over_folders_keeps_them_apart(tmp_path: Path) -> None:
    touched(tmp_path, "runs/a/mel.npy", "runs/b/mel.npy", "runs/b/other.npy", "runs/mel.npy")
    assert outs(tmp_path / "runs" / "*" / "*.npy", tmp_path / "out") == {
        "a/mel.npy": "a/mel.wav",
        "b/mel.npy": "b/mel.wav",
        "b/other.npy": "other.wav",
    }
    assert set(outs(tmp_path / "runs" / "**" / "mel.npy", tmp_path / "out")) == {
        "a/mel.npy",
        "b/mel.npy",
        "runs/mel.npy",
    }


def test_what_looks_like_a_mel_or_sound_and_cannot_be_read_is_said(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    touched(folder, "a.npy", "b.m4a", "c.WMA", "d.pth", "notes.txt", "no-suffix", ".hidden.m4a", ".hidden/a.wav")
    os.mkfifo(folder / "pipe.wav")
    (folder / "gone.flac").symlink_to(tmp_path / "nowhere.flac")
    touched(tmp_path / "elsewhere", "e.npy")
    (folder / "linked").symlink_to(tmp_path / "elsewhere")
    reasons = {
        "linked": "is a link to a folder, which is not followed; give the folder itself",
        "b.m4a": ".m4a cannot be read; make a .wav or .flac of it",
        "c.WMA": ".wma cannot be read; make a .wav or .flac of it",
        "d.pth": ".pth cannot be read; save the mel with numpy.save",
        "gone.flac": "is a broken link",
        "pipe.wav": "is no regular file",
    }
    found = select(str(folder), tmp_path / "out")
    assert {path.name: reason for path, reason in found.unusable.items()} == reasons
    assert [path.name for path in found.foreign] == ["no-suffix", "notes.txt"]
    assert [pair.source.name for pair in found.pairs] == ["a.npy"]
    matched = select(str(folder / "*"), tmp_path / "out")
    asked_for = {"linked": "is a folder; give it as the source, or match what is in it with **"}
    assert {path.name: reason for path, reason in matched.unusable.items()} == reasons | asked_for


def test_a_folder_that_cannot_be_looked_into_is_said() -> None:
    with TemporaryDirectory() as place:
        folder, user = Path(place), os.geteuid()
        touched(folder, "in/a.npy", "in/deep/b.npy")
        folder.chmod(0o777)
        (folder / "in" / "deep").chmod(0)
        try:
            os.seteuid(user or 65_534)  # nobody, since root may look into any
            found = select(str(folder / "in"), folder / "out")
        finally:
            os.seteuid(user)
            (folder / "in" / "deep").chmod(0o755)
        assert found.unusable == {folder / "in" / "deep": "cannot be looked into (Permission denied)"}
        assert [pair.source for pair in found.pairs] == [folder / "in" / "a.npy"]


def test_all_others_are_spoken_and_the_status_tells(
    model: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "in"
    touched(folder, "b.m4a", "broken.npy", "notes.txt")
    np.save(folder / "a.npy", mel_of(3))
    np.save(folder / "c.npy", mel_of(3))
    for source in (folder, folder / "*"):
        out = tmp_path / f"out of {source.name}"
        with pytest.raises(BasisMelGANError, match="2 of 4 files could not be spoken; see above"):
            speak(source, out, model)
        lines = capfd.readouterr().err.splitlines()
        assert lines[0] == f"{folder / 'b.m4a'}: .m4a cannot be read; make a .wav or .flac of it"
        assert lines[1] == "passed over, neither mels nor sound: 1 .txt"
        assert lines[2].startswith(f"{folder / 'broken.npy'}: damaged or no array of numbers")
        assert sorted(path.name for path in out.iterdir()) == ["a.wav", "c.wav"]
    for name in ("b.m4a", "broken.npy"):
        (folder / name).unlink()
    speak(folder, tmp_path / "whole", model)  # a note beside them is no mistake
    assert sorted(path.name for path in (tmp_path / "whole").iterdir()) == ["a.wav", "c.wav"]


def test_nothing_to_speak_is_told_with_the_first_reason(tmp_path: Path) -> None:
    touched(tmp_path / "in", "b.m4a", "c.m4a", "notes.txt")
    with pytest.raises(
        AudioError, match=r"in: holds neither mels .* that can be read; 2 cannot, such as .*b\.m4a: \.m4a"
    ):
        select(str(tmp_path / "in"), tmp_path / "out")
    with pytest.raises(AudioError, match=r"\*\.txt: holds neither mels \(\.npy, \.npz, \.pt\) nor sound files$"):
        select(str(tmp_path / "in" / "*.txt"), tmp_path / "out")


def test_no_source_is_replaced_and_none_is_left_out_for_where_it_lies(tmp_path: Path) -> None:
    touched(tmp_path, "in/a.wav", "in/deep/b.wav")
    with pytest.raises(OutputError, match=r"a\.wav: is the source itself; name another file"):
        select(str(tmp_path / "in" / "*.wav"), tmp_path / "in", force=True)
    with pytest.raises(OutputError, match=r"deep: lies in the folder of the sources and holds files, which would"):
        select(str(tmp_path / "in"), tmp_path / "in" / "deep")
    assert len(select(str(tmp_path / "in"), tmp_path / "in" / "deep", force=True).pairs) == 1
    assert len(select(str(tmp_path / "in"), tmp_path / "in" / "new").pairs) == 2
    assert outs(tmp_path / "in", tmp_path) == {"in/a.wav": "a.wav", "deep/b.wav": "deep/b.wav"}
