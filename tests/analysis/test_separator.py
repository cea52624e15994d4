"""Analysis of an untrained separator on real speech: all files, their content, and all errors."""

import json
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from basis_melgan.analysis.clip_selection import ClipSelection
from basis_melgan.analysis.separator import analyze_separator
from basis_melgan.audio import files
from basis_melgan.cli.main import main
from basis_melgan.config.networks import SeparatorConfig
from basis_melgan.config.schema import Config, CorpusConfig
from basis_melgan.corpus import manifest
from basis_melgan.corpus.prepare import prepare
from basis_melgan.errors import BasisMelGANError, ConfigurationError, CorpusError, ModelFileError, OutputError
from basis_melgan.metrics.signal import pesq_wb, si_snr
from basis_melgan.models import model_file
from basis_melgan.models.tasnet import Separator

CLIPS = sorted((Path(__file__).parents[2] / "examples" / "clips").glob("*.flac"))[:9]
WAVES = ("original", "noi", "mix", "mix_non_noi", "est_wav", "est_noi", "est_wav_non_noi", "est_noi_non_noi")
CONFIG = Config(
    corpus=CorpusConfig(test_clips=2, validation_clips=1),
    separator=SeparatorConfig(atoms=16, channels=8, hidden=8, blocks=2, repeats=1),
)
SI_SNR, PESQ, LEVEL = "SI-SNR (dB)", "PESQ-WB", "level (dBFS)"
ONE = ClipSelection(None, 1, "test", 1)


def save_separator(path: Path, config: Config = CONFIG, gain: float = 0.02) -> Path:
    """An untrained separator; `gain` sets the level of its basis."""
    torch.manual_seed(0)
    state = Separator(config.separator, config.frames).state_dict()
    state["basis.atoms"] *= gain
    model_file.save(path, "separator", state, config, model_file.Origin(7, "hash"))
    return path


@pytest.fixture(scope="module")
def separator(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_separator(tmp_path_factory.mktemp("model") / "separator.safetensors")


@pytest.fixture(scope="module")
def corpora(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two corpora side by side: `large` with nine clips, `small` with three of the same ids."""
    folder = tmp_path_factory.mktemp("data")
    for name, clips in (("large", CLIPS), ("small", CLIPS[:3])):
        source = folder / f"source-{name}"
        for clip in clips:
            files.write(source / clip.name, files.read(clip, 12_000, 36_000)[0], 24_000)
        prepare("folder", folder / "corpora" / name, source, CONFIG, jobs=1)
    return folder / "corpora"


@pytest.fixture
def large(corpora: Path) -> Path:
    return corpora / "large"


@pytest.fixture(scope="module")
def analyzed(separator: Path, corpora: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An analysis of two random test clips."""
    out = tmp_path_factory.mktemp("out") / "deep" / "analysis"
    analyze_separator(separator, corpora / "large", out, ClipSelection(None, 2, "test", 1), -4.0)
    return out


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def read_table(folder: Path) -> dict:
    return json.loads((folder / "table.json").read_text(encoding="utf-8"))


def read_waves(folder: Path, index: int) -> dict[str, np.ndarray]:
    """The eight waves without their common scale."""
    scale = np.float32(read_table(folder)["clips"][index]["scale"])
    return {name: files.read(folder / f"7_{index}_{name}.wav")[0] / scale for name in WAVES}


# Content of the folder


def test_the_folder_has_all_files_and_no_others(analyzed: Path) -> None:
    expected = {f"7_{index}_{name}.wav" for index in (0, 1) for name in WAVES}
    expected |= {f"7_{index}_weights.{kind}" for index in (0, 1) for kind in ("png", "npz")}
    expected |= {"7_basis.png", "7_basis.npz", "table.md", "table.json", "summary.md"}
    assert set(contents(analyzed)) == expected
    assert [path.name for path in analyzed.parent.iterdir()] == ["analysis"]


def test_waves_are_the_separators_estimates(analyzed: Path, separator: Path, corpora: Path) -> None:
    model, _ = model_file.load_separator(separator)
    clips = {clip.id: path for path, clip in manifest.load_clips(manifest.load(corpora / "large"), "test")}
    for index, scores in enumerate(read_table(analyzed)["clips"]):
        waves = read_waves(analyzed, index)
        speech, rate = files.read(clips[scores["clip"]])
        assert rate == 24_000
        np.testing.assert_allclose(waves["original"], speech, atol=1e-4)
        np.testing.assert_array_equal(waves["mix_non_noi"], waves["original"])
        np.testing.assert_allclose(waves["mix"], waves["original"] + waves["noi"], atol=1e-4)
        noise = waves["noi"].astype(np.float64)
        assert 10 * np.log10(np.mean(np.square(speech)) / np.mean(np.square(noise))) == pytest.approx(-4.0, abs=0.01)
        with torch.no_grad():
            clean = model(torch.from_numpy(speech)[None]).waves[0].numpy()
            noisy = model(torch.from_numpy(waves["mix"])[None]).waves[0].numpy()
        np.testing.assert_allclose(waves["est_wav_non_noi"], clean[0], atol=1e-4)
        np.testing.assert_allclose(waves["est_noi_non_noi"], clean[1], atol=1e-4)
        np.testing.assert_allclose(waves["est_wav"], noisy[0], atol=1e-3)
        np.testing.assert_allclose(waves["est_noi"], noisy[1], atol=1e-3)


def test_weights_are_the_separators_sorted_by_peak(analyzed: Path, separator: Path) -> None:
    model, _ = model_file.load_separator(separator)
    basis, weights = np.load(analyzed / "7_basis.npz"), np.load(analyzed / "7_0_weights.npz")
    atoms = model.basis.atoms.numpy()
    np.testing.assert_array_equal(basis["atoms"], atoms[basis["order"]])
    assert sorted(basis["order"]) == list(range(16))
    assert (np.diff(basis["peaks"]) >= 0).all()
    np.testing.assert_array_equal(basis["hertz"][basis["magnitudes"].argmax(axis=1)], basis["peaks"])
    np.testing.assert_array_equal(weights["order"], basis["order"])
    np.testing.assert_array_equal(weights["peaks"], basis["peaks"])
    mix = torch.from_numpy(read_waves(analyzed, 0)["mix"])[None]
    with torch.no_grad():
        encoded = model.encode(mix)[0].numpy()[basis["order"]]
    np.testing.assert_allclose(weights["mixture"], encoded, atol=1e-3)
    for name, wave in (("speech", "est_wav"), ("noise", "est_noi")):
        unsorted = np.empty_like(weights[name])
        unsorted[weights["order"]] = weights[name]
        estimate = model.decode(torch.from_numpy(unsorted)[None], mix.shape[-1])[0].numpy()
        np.testing.assert_allclose(estimate, read_waves(analyzed, 0)[wave], atol=1e-4)


def test_figures_are_png_files(analyzed: Path) -> None:
    figures = [content for name, content in contents(analyzed).items() if name.endswith(".png")]
    assert len(figures) == 3
    for figure in figures:
        assert figure.startswith(b"\x89PNG\r\n")
        width, height = (int.from_bytes(figure[start : start + 4], "big") for start in (16, 20))
        assert min(width, height) >= 600


def test_scores_are_those_of_the_waves(analyzed: Path) -> None:
    for index, clip in enumerate(read_table(analyzed)["clips"]):
        waves, scores = read_waves(analyzed, index), clip["scores"]
        assert scores["mix"][SI_SNR] == pytest.approx(-4.0, abs=0.3)
        for name, source in (("mix", "original"), ("est_wav_non_noi", "original"), ("est_noi", "noi")):
            assert scores[name][SI_SNR] == pytest.approx(si_snr(waves[source], waves[name]), rel=0.01)
        expected = pesq_wb(waves["original"], waves["est_wav_non_noi"], 24_000)
        assert scores["est_wav_non_noi"][PESQ] == pytest.approx(expected, abs=0.05)
        for name, columns in scores.items():
            level = 10 * np.log10(np.mean(np.square(waves[name] * clip["scale"], dtype=np.float64)))
            assert columns[LEVEL] == pytest.approx(level, abs=0.2)  # rounding to 16 bits adds noise
        assert scores["est_noi_non_noi"] | {LEVEL: None} == {SI_SNR: None, PESQ: None, LEVEL: None}


def test_means_are_over_the_clips(analyzed: Path) -> None:
    table = read_table(analyzed)
    for wave, columns in table["means"].items():
        for column, mean in columns.items():
            scores = [clip["scores"][wave][column] for clip in table["clips"]]
            assert mean == (None if None in scores else pytest.approx(np.mean(scores)))
    assert (table["separator"], table["step"], table["seed"], table["snr"]) == ("separator.safetensors", 7, 1, -4.0)


def test_the_markdown_table_has_the_numbers_of_the_json_file(analyzed: Path) -> None:
    table, text = read_table(analyzed), (analyzed / "table.md").read_text(encoding="utf-8")
    rows = [line.strip("| ").split(" | ") for line in text.splitlines() if line.startswith("| ")]
    assert rows[0] == ["clip", "wave", "reference", SI_SNR, PESQ, LEVEL]
    first = table["clips"][0]
    assert len(rows) == 2 + 5 * 3
    scores = first["scores"]["est_wav"]
    numbers = [f"{scores[SI_SNR]:.1f}", f"{scores[PESQ]:.2f}", f"{scores[LEVEL]:.1f}"]
    assert rows[3] == [f"0: large/{first['clip']} (test)", "est_wav", "original", *numbers]
    level = table["means"]["est_noi_non_noi"][LEVEL]
    assert rows[-1] == ["mean of 2", "est_noi_non_noi", "silence", "–", "–", f"{level:.1f}"]
    assert text.splitlines()[0] == "`separator.safetensors` at step 7; white noise at an SNR of -4 dB (seed 1)."
    assert [line.removeprefix("- ") for line in text.splitlines() if line.startswith("- ")] == table["notes"]
    assert any("trained on its speech estimate only" in note for note in table["notes"])


# Selection of clips


def test_results_are_reproducible(analyzed: Path, separator: Path, large: Path, tmp_path: Path) -> None:
    analyze_separator(separator, large, tmp_path / "again", ClipSelection(None, 2, "test", 1), -4.0)
    assert contents(tmp_path / "again") == contents(analyzed)
    stamps = {
        member.date_time for path in analyzed.glob("*.npz") for member in zipfile.ZipFile(path).infolist()
    }  # two runs within a second would hide a time stamp
    assert stamps == {(1980, 1, 1, 0, 0, 0)}


def test_the_seed_changes_clips_and_noise(separator: Path, large: Path, tmp_path: Path) -> None:
    name = manifest.load(large)[0].clips[0].id
    for seed in (1, 2):
        analyze_separator(separator, large, tmp_path / str(seed), ClipSelection([name], 3, "test", seed), 0.0)
    assert contents(tmp_path / "1")["7_0_original.wav"] == contents(tmp_path / "2")["7_0_original.wav"]
    assert contents(tmp_path / "1")["7_0_noi.wav"] != contents(tmp_path / "2")["7_0_noi.wav"]
    selections = {
        tuple(clip.full_id for clip in ClipSelection(None, 2, "train", seed).select(manifest.load(large)))
        for seed in range(9)
    }
    assert len(selections) > 1


def test_the_noise_of_a_clip_is_independent_of_other_clips(
    analyzed: Path, separator: Path, large: Path, tmp_path: Path
):
    second = read_table(analyzed)["clips"][1]["clip"]
    analyze_separator(separator, large, tmp_path / "out", ClipSelection([second], 3, "test", 1), -4.0)
    assert contents(tmp_path / "out")["7_0_mix.wav"] == contents(analyzed)["7_1_mix.wav"]


def test_random_clips_are_from_all_corpora_without_repetition(corpora: Path) -> None:
    loaded = manifest.load(corpora)
    expected = {f"{corpus.name}/{clip.id}" for corpus in loaded for clip in corpus.split("test")}
    clips = ClipSelection(None, 99, "test", 3).select(loaded)
    assert len(clips) == len(expected)
    assert {clip.full_id for clip in clips} == expected
    assert {clip.corpus for clip in clips} == {"large", "small"}
    assert all(clip.path.is_file() for clip in clips)
    reordered = tuple(replace(corpus, clips=corpus.clips[::-1]) for corpus in loaded[::-1])
    two = ClipSelection(None, 2, "test", 3)
    assert two.select(reordered) == two.select(loaded) == clips[:2]


def test_ids_select_clips_of_any_split_in_their_order(corpora: Path) -> None:
    loaded = manifest.load(corpora)
    first, last = loaded[0].clips[0].id, loaded[0].clips[-1].id
    clips = ClipSelection([last, f"small/{first}", last], 1, "validation", 1).select(loaded)
    assert [clip.full_id for clip in clips] == [f"large/{last}", f"small/{first}"]


def test_a_note_tells_of_missing_clips(separator: Path, large: Path, tmp_path: Path) -> None:
    report = analyze_separator(
        separator, large, tmp_path / "out", ClipSelection(None, 20, "validation", 1), -4.0
    ).report
    assert len(report.clips) == 1
    assert "the validation split has only 1 of the 20 requested clips" in report.notes


# Level


def test_all_eight_waves_have_the_same_scale_if_one_would_clip(large: Path, tmp_path: Path) -> None:
    loud = save_separator(tmp_path / "loud.safetensors", gain=20.0)
    soft = save_separator(tmp_path / "soft.safetensors", gain=20.0 / 1024)
    reports = [analyze_separator(model, large, tmp_path / model.stem, ONE, 20.0).report for model in (loud, soft)]
    scale = reports[0].clips[0].scale
    assert scale < 0.5
    assert reports[1].clips[0].scale == 1.0
    scaled, unscaled = (
        {name: files.read(tmp_path / folder / f"7_0_{name}.wav")[0] for name in WAVES} for folder in ("loud", "soft")
    )
    assert max(np.abs(wave).max() for wave in scaled.values()) == pytest.approx(1.0, abs=1e-4)
    for name, wave in scaled.items():
        gain = scale * (1024.0 if name.startswith("est") else 1.0)
        np.testing.assert_allclose(wave, unscaled[name] * gain, atol=6e-5 * max(1.0, gain))
    assert sum(f"scaled by {scale:.4g}" in note for note in reports[0].notes) == 1
    assert not any("scaled" in note for note in reports[1].notes)
    loud_scores, soft_scores = (report.clips[0].scores for report in reports)
    assert loud_scores["est_wav"][SI_SNR] == pytest.approx(soft_scores["est_wav"][SI_SNR], abs=1e-3)
    assert loud_scores["mix"][LEVEL] == pytest.approx(soft_scores["mix"][LEVEL] + 20 * np.log10(scale), abs=1e-3)


def test_a_note_has_the_reason_for_a_missing_score(large: Path, tmp_path: Path) -> None:
    silent = save_separator(tmp_path / "silent.safetensors", gain=0.0)
    report = analyze_separator(silent, large, tmp_path / "out", ONE, -4.0).report
    assert report.clips[0].scores["est_wav"] == {SI_SNR: None, PESQ: None, LEVEL: None}
    assert report.means()["est_wav"][SI_SNR] is None
    assert sum(note.startswith(f"0, est_wav, {SI_SNR}: estimate: silent") for note in report.notes) == 1
    assert "| est_wav | original | – | – | – |" in report.table()


# Errors


def error_message(
    error: type[BasisMelGANError], separator: Path, corpus: Path, out: Path, selection=ONE, snr=-4.0, force=False
) -> str:
    """The one-line message of an error, which must not change any file."""
    before = sorted(out.parent.rglob("*"))
    with pytest.raises(error) as raised:
        analyze_separator(separator, corpus, out, selection, snr, force=force)
    assert sorted(out.parent.rglob("*")) == before
    message = str(raised.value)
    assert "\n" not in message
    return message


@pytest.mark.parametrize("count", [0, -3])
def test_a_count_below_one_raises(count: int) -> None:
    with pytest.raises(ConfigurationError, match=f"^count: {count} is too few; select 1 or more clips$"):
        ClipSelection(None, count, "test", 1)


def test_a_negative_seed_raises() -> None:
    with pytest.raises(ConfigurationError, match=r"^seed: -1 is negative; use 0 or more$"):
        ClipSelection(None, 1, "test", -1)


@pytest.mark.parametrize("snr", [float("nan"), float("inf"), -101.0])
def test_an_snr_out_of_range_raises(snr: float, separator: Path, large: Path, tmp_path: Path) -> None:
    assert error_message(ConfigurationError, separator, large, tmp_path / "out", snr=snr).startswith(f"snr: {snr} dB")


def test_the_error_of_an_unknown_id_suggests_the_nearest(separator: Path, large: Path, tmp_path: Path) -> None:
    clip_id = manifest.load(large)[0].clips[0].id
    message = error_message(
        CorpusError, separator, large, tmp_path / "out", ClipSelection([clip_id + "x"], 1, "test", 1)
    )
    assert message == f"clips: no clip has the id '{clip_id}x'; did you mean {clip_id}?"
    message = error_message(CorpusError, separator, large, tmp_path / "out", ClipSelection([""], 1, "test", 1))
    assert message == "clips: no clip has the id ''; clips.jsonl of the corpus lists them"


def test_an_id_in_two_corpora_needs_the_name_of_the_corpus(separator: Path, corpora: Path, tmp_path: Path) -> None:
    name = manifest.load(corpora)[0].clips[0].id
    message = error_message(CorpusError, separator, corpora, tmp_path / "out", ClipSelection([name], 1, "test", 1))
    assert message == f"clips: '{name}' is in several corpora; use large/{name} or small/{name}"


def test_an_existing_folder_needs_force_and_must_be_an_analysis(separator: Path, large: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    for name in ("thesis.txt", "table.json"):  # the second is the name of a file of an analysis
        (out / name).write_text("years of work", encoding="utf-8")
    assert "thesis.txt, which no analysis writes and which would be lost" in error_message(
        OutputError, separator, large, out
    )
    assert "thesis.txt, which no analysis writes" in error_message(OutputError, separator, large, out, force=True)
    assert "is a file; name a folder" in error_message(OutputError, separator, large, out / "thesis.txt", force=True)
    (out / "thesis.txt").unlink()
    assert "exists; choose another folder, or --force" in error_message(OutputError, separator, large, out)
    analyze_separator(separator, large, out, ONE, -4.0, force=True)
    (out / "7_9_original.wav").write_bytes(b"of an earlier run")
    analyze_separator(separator, large, out, ONE, -4.0, force=True)
    assert len(contents(out)) == 8 + 2 + 2 + 3
    assert list(tmp_path.iterdir()) == [out]


def test_a_folder_below_a_file_raises(separator: Path, large: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    assert "file is a file; choose another place" in error_message(
        OutputError, separator, large, tmp_path / "file" / "out"
    )


def test_an_interruption_keeps_the_earlier_analysis(
    separator: Path, large: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"
    analyze_separator(separator, large, out, ONE, -4.0)
    before = contents(out)

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("basis_melgan.analysis.separator.score_waves", interrupt)
    with pytest.raises(KeyboardInterrupt):
        analyze_separator(separator, large, out, ClipSelection(None, 1, "test", 5), -4.0, force=True)
    assert contents(out) == before
    assert list(tmp_path.iterdir()) == [out]


def test_unusable_models_and_sample_rates_raise(separator: Path, large: Path, tmp_path: Path) -> None:
    missing = tmp_path / "missing.safetensors"
    assert "no such file" in error_message(ModelFileError, missing, large, tmp_path / "out")
    slow = replace(CONFIG, frames=replace(CONFIG.frames, sample_rate=16_000))
    message = error_message(CorpusError, save_separator(tmp_path / "slow.safetensors", slow), large, tmp_path / "out")
    assert "prepared at 24000 Hz" in message
    assert "no such folder" in error_message(CorpusError, separator, tmp_path / "nowhere", tmp_path / "out")


# The command line


def test_the_command_line(
    monkeypatch: pytest.MonkeyPatch, separator: Path, large: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("basis_melgan.progress.FIRST_LINE_SECONDS", 0.0)
    names = [clip.id for clip in manifest.load(large)[0].clips[:2]]
    argv = ["analyze", str(separator), str(large), str(tmp_path / "out"), "--clips", ",".join(names), "--snr", "3"]
    assert main(argv) == 0
    output, progress = capsys.readouterr()
    assert output == (tmp_path / "out" / "table.md").read_text(encoding="utf-8") + f"\n{tmp_path / 'out'}\n"
    assert "analyze 1 of 2" in progress
    assert "analyze 1 of 2" not in output
    table = read_table(tmp_path / "out")
    assert [clip["clip"] for clip in table["clips"]] == names
    assert table["means"]["mix"][SI_SNR] == pytest.approx(3.0, abs=0.3)
    assert main(argv) == 2
    error = capsys.readouterr().err
    assert error.startswith("basis-melgan: ")
    assert "exists" in error
    assert error.count("\n") == 1
    assert main([*argv[:4], "--count", "0", "--force"]) == 2
    assert capsys.readouterr().err == "basis-melgan: count: 0 is too few; select 1 or more clips\n"
