"""Decomposition: stored values are the separator's, crops are slices of them, and interrupted runs resume."""

from collections import namedtuple
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file

from basis_melgan.audio import files
from basis_melgan.config.frames import FrameGeometry
from basis_melgan.config.schema import Config
from basis_melgan.corpus import manifest
from basis_melgan.corpus.datasets import SpeechCrops
from basis_melgan.corpus.decomposition import Decomposition, load
from basis_melgan.errors import CorpusError, OutputError
from basis_melgan.models import model_file
from basis_melgan.models.bases.basis import Basis
from basis_melgan.models.tasnet import Separator
from basis_melgan.training import decompose as module
from basis_melgan.training.decompose import decompose

FLOAT16_TOLERANCE = 2e-3  # relative, with a margin
Usage = namedtuple("Usage", "free")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, config: Config, corpus: Path, separator: Path) -> Path:
    out = tmp_path_factory.mktemp("decomposition")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "CLIPS_PER_SHARD", 4)
        decompose(separator, corpus, out, config.trainer)
    return out


@pytest.fixture(scope="module")
def stored(folder: Path, corpus: Path, separator: Path) -> Decomposition:
    return load(folder, separator, manifest.data_hash(manifest.load(corpus)))


@pytest.fixture(scope="module")
def clips(corpus: Path) -> list[tuple[Path, manifest.Clip]]:
    (prepared,) = manifest.load(corpus)
    return [(prepared.path(clip), clip) for clip in prepared.clips]


@pytest.fixture(scope="module")
def model(separator: Path) -> Separator:
    return model_file.load_separator(separator)[0]


def modification_times(folder: Path) -> dict[str, int]:
    return {path.name: path.stat().st_mtime_ns for path in sorted((folder / "shards").iterdir())}


def test_every_clip_is_in_its_shard(folder: Path, clips: list[tuple[Path, manifest.Clip]]) -> None:
    assert sorted(modification_times(folder)) == [f"{number:05d}.safetensors" for number in range(4)]
    for number in range(4):
        names = load_file(folder / "shards" / f"{number:05d}.safetensors").keys()
        assert {name.split("/")[0] for name in names} == {clip.sha256 for _, clip in clips[4 * number : 4 * number + 4]}


def test_stored_weights_and_waves_equal_the_separators(
    stored: Decomposition, model: Separator, clips: list[tuple[Path, manifest.Clip]]
) -> None:
    for path, clip in clips[::5]:
        frames = clip.samples // 240
        waves, weights = model(torch.from_numpy(files.read(path)[0])[None])
        expected = weights[0, 0, :, 1 : 1 + frames * 16].numpy()  # frame 0 starts before the wave
        stored_weights = stored.weights(clip, 0, frames)
        assert stored_weights.shape == (32, frames * 16)
        np.testing.assert_allclose(stored_weights, expected, rtol=FLOAT16_TOLERANCE, atol=1e-6)
        np.testing.assert_allclose(
            stored.wave(clip, 0, clip.samples), waves[0, 0].numpy(), rtol=FLOAT16_TOLERANCE, atol=1e-6
        )


def test_crop_is_a_slice_of_the_clip(stored: Decomposition, clips: list[tuple[Path, manifest.Clip]]) -> None:
    _, clip = clips[6]
    frames = clip.samples // 240
    weights, wave = stored.weights(clip, 0, frames), stored.wave(clip, 0, frames * 240)
    for first, length in ((0, 1), (3, 20), (frames - 5, 5)):
        crop = stored.weights(clip, first, length)
        assert crop.dtype == np.float32
        assert crop.flags["C_CONTIGUOUS"]
        np.testing.assert_array_equal(crop, weights[:, first * 16 : (first + length) * 16])
        part = slice(first * 240, (first + length) * 240)
        np.testing.assert_array_equal(stored.wave(clip, part.start, length * 240), wave[part])


def test_weights_of_a_crop_synthesize_its_wave(
    stored: Decomposition, folder: Path, clips: list[tuple[Path, manifest.Clip]]
) -> None:
    basis = Basis(32, FrameGeometry())
    basis.load_state_dict({"atoms": torch.from_numpy(load_file(folder / "basis.safetensors")["basis"])})
    for _, clip in clips[2:5]:
        with torch.no_grad():
            synthesized = basis(torch.from_numpy(stored.weights(clip, 30, 40))[None])[0].numpy()
        wave = stored.wave(clip, 30 * 240, 40 * 240)
        assert np.abs(wave).max() > 0.01
        # The first stride lacks the tail of the frame before the crop.
        np.testing.assert_allclose(synthesized[15:], wave[15:], atol=2e-3 * np.abs(wave).max())


def test_training_item_has_weights_and_wave_of_the_same_position(
    stored: Decomposition, config: Config, corpus: Path
) -> None:
    clips = manifest.load_clips(manifest.load(corpus), "train")
    by_id = {clip.id: clip for _, clip in clips}
    recording = SpeechCrops(clips, config, stored)[3]
    training = replace(config.vocoder_training, target="resynthesis")
    resynthesis = SpeechCrops(clips, replace(config, vocoder_training=training), stored)[3]
    name, first = recording["id"].split("@")
    np.testing.assert_array_equal(recording["weights"].numpy(), stored.weights(by_id[name], int(first), 10))
    np.testing.assert_array_equal(resynthesis["weights"].numpy(), recording["weights"].numpy())
    np.testing.assert_array_equal(resynthesis["mel"].numpy(), recording["mel"].numpy())
    np.testing.assert_array_equal(resynthesis["wave"].numpy(), stored.wave(by_id[name], int(first) * 240, 2_400))
    assert not np.array_equal(recording["wave"].numpy(), resynthesis["wave"].numpy())


def test_rerun_writes_only_missing_shards(
    folder: Path,
    config: Config,
    corpus: Path,
    separator: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(module, "CLIPS_PER_SHARD", 4)
    before, deleted = modification_times(folder), folder / "shards" / "00002.safetensors"
    decompose(separator, corpus, folder, config.trainer)
    assert modification_times(folder) == before
    assert "0.00 h left to decompose, 0.00 GB" in capsys.readouterr().out

    content = deleted.read_bytes()
    deleted.unlink()
    deleted.with_name(f".{deleted.name}.part").write_bytes(b"incomplete")
    decompose(separator, corpus, folder, config.trainer)
    assert deleted.read_bytes() == content
    after = modification_times(folder)
    assert [name for name, time in after.items() if before.get(name) != time] == [deleted.name]


def test_size_is_printed_beforehand_and_must_fit(
    tmp_path: Path,
    folder: Path,
    config: Config,
    corpus: Path,
    separator: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    shards = [load_file(path) for path in (folder / "shards").glob("*.safetensors")]
    size = sum(tensor.nbytes for shard in shards for tensor in shard.values())
    monkeypatch.setattr(module.shutil, "disk_usage", lambda _: Usage(size - 1))
    with pytest.raises(
        OutputError, match=rf"needs {size / 1e9:.2f} GB, but only .* GB are free; use another disk, or skip"
    ):
        decompose(separator, corpus, tmp_path / "out", config.trainer)
    assert not list((tmp_path / "out").rglob("*.safetensors"))
    monkeypatch.setattr(module.shutil, "disk_usage", lambda _: Usage(int(1.01 * size)))
    decompose(separator, corpus, tmp_path / "out", config.trainer)
    assert f"0.02 h left to decompose, {size / 1e9:.2f} GB; {size / 1e9:.1f} GB free" in capsys.readouterr().out
    assert list(modification_times(tmp_path / "out")) == ["00000.safetensors"]


def test_decomposition_by_another_separator_is_refused(
    tmp_path: Path, folder: Path, config: Config, corpus: Path, separator: Path
) -> None:
    other_separator = tmp_path / "other.safetensors"
    model, saved_config = model_file.load_separator(separator)
    model_file.save(other_separator, "separator", model.state_dict(), saved_config, model_file.Origin(9, "x"))
    with pytest.raises(
        OutputError, match="contains a decomposition of another separator or corpus; use another folder"
    ):
        decompose(other_separator, corpus, folder, config.trainer)
    data_hash = manifest.data_hash(manifest.load(corpus))
    with pytest.raises(CorpusError, match=r"decomposed with another separator .*; decompose again"):
        load(folder, other_separator, data_hash)
    with pytest.raises(CorpusError, match=r"decomposed with another data .*; decompose again"):
        load(folder, separator, "b" * 64)


@pytest.mark.parametrize("record", [None, "{}"])
def test_force_starts_over(record: str | None, tmp_path: Path, config: Config, corpus: Path, separator: Path) -> None:
    out = tmp_path / "out"
    (out / "shards").mkdir(parents=True)
    if record is not None:
        (out / "run.json").write_text(record)
    (out / "shards" / "00000.safetensors").write_text("unknown")
    with pytest.raises(OutputError, match="or --force"):
        decompose(separator, corpus, out, config.trainer)
    decompose(separator, corpus, out, config.trainer, force=True)
    assert len(load_file(out / "shards" / "00000.safetensors")) == 2 * 14


@pytest.mark.parametrize("text", [None, "", "{", "null", "[1]"])
def test_unfinished_decomposition_is_refused(tmp_path: Path, separator: Path, text: str | None) -> None:
    if text is not None:
        (tmp_path / "decomposition.json").write_text(text)
    with pytest.raises(CorpusError, match=r"holds no finished decomposition .*; run `basis-melgan decompose`"):
        load(tmp_path, separator, "a" * 64)
