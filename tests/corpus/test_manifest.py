"""Reading of prepared corpora: one, several, none, and damaged ones."""

import shutil
from dataclasses import replace

import pytest
from corpus_folders import write_recordings

from basis_melgan.config.schema import Config
from basis_melgan.corpus import manifest
from basis_melgan.corpus.prepare import prepare
from basis_melgan.errors import CorpusError


def test_several_corpora_are_read_from_the_folder_that_holds_them(tmp_path):
    for name, count in (("b", 3), ("a", 6)):
        prepare("folder", tmp_path / "all" / name, write_recordings(tmp_path / f"in-{name}", count), Config(), jobs=1)
    (tmp_path / "all" / "READY").write_text("")
    a, b = manifest.load(tmp_path / "all")
    assert (a.name, b.name) == ("a", "b")
    assert [path for path, _ in manifest.load_clips((a, b), "test")] == [
        tmp_path / "all" / "a" / "flac" / "clip05.flac",
        tmp_path / "all" / "b" / "flac" / "clip02.flac",
    ]
    assert [clip.split for _, clip in manifest.load_clips((a, b), "train")] == ["train"] * 5
    assert manifest.data_hash((a, b)) == manifest.data_hash((b, a)) != manifest.data_hash((a,))
    swapped = replace(a, clips=tuple(replace(clip, split="train") for clip in a.clips))
    assert manifest.split_hash((a, b)) == manifest.split_hash((b, a)) != manifest.split_hash((swapped, b))
    manifest.require_rate((a, b), 24_000)
    with pytest.raises(CorpusError, match=r"prepared at 24000 Hz, but frames\.sample_rate is 16000"):
        manifest.require_rate((a, b), 16_000)
    with pytest.raises(CorpusError, match="a: no validation clips"):
        manifest.load_clips((replace(a, clips=a.split("train")),), "validation")


def test_two_corpora_with_one_name_are_refused(tmp_path):
    prepare("folder", tmp_path / "all" / "a", write_recordings(tmp_path / "in", 3), Config(), jobs=1)
    shutil.copytree(tmp_path / "all" / "a", tmp_path / "all" / "b")
    with pytest.raises(CorpusError, match=r"b: has the same name, a, as .*a; prepare it again under another name"):
        manifest.load(tmp_path / "all")
    assert manifest.load(tmp_path / "all" / "b")[0].name == "a"


def test_an_unusable_corpus_is_refused_with_the_reason(tmp_path):
    with pytest.raises(CorpusError, match="absent: no such folder"):
        manifest.load(tmp_path / "absent")
    with pytest.raises(CorpusError, match=r"contains no corpus\.json, nor do its sub-folders"):
        manifest.load(tmp_path)
    out = tmp_path / "out"
    prepare("folder", out, write_recordings(tmp_path / "in", 3), Config(), jobs=1)
    header, clips = (out / "corpus.json").read_text("utf-8"), (out / "clips.jsonl").read_text("utf-8")

    def message_for(header: str, clips: str) -> str:
        (out / "corpus.json").write_text(header, "utf-8")
        (out / "clips.jsonl").write_text(clips, "utf-8")
        with pytest.raises(CorpusError, match="prepare the corpus again") as error:
            manifest.load(out)
        return str(error.value)

    assert "cannot be read" in message_for("{", clips)
    assert "does not consist of JSON objects" in message_for("[1]", clips)
    assert "version 2, expected 1" in message_for(header.replace('"version": 1', '"version": 2'), clips)
    assert "does not match the hash in corpus.json" in message_for(header, clips.split("\n", 1)[1])
    assert "manifest is damaged" in message_for(header, clips.replace('"samples"', '"length"'))
    (out / "flac" / "clip01.flac").unlink()
    assert "1 clips are missing, first flac/clip01.flac" in message_for(header, clips)
