"""Judges on real speech: what they say of a recording, of a noisy_speech one, and where they are not installed."""

import importlib.util
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from basis_melgan.audio import files
from basis_melgan.errors import AudioError, MissingPackageError
from basis_melgan.installation import install_command
from basis_melgan.metrics import neural, packages

CLIPS = sorted((Path(__file__).parents[2] / "examples" / "clips").glob("*.flac"))
RATE = 24_000
MODULES = {
    "distill_mos": "distillmos",
    "dnsmos": "speechmos.dnsmos",
    "speaker_cosine": "resemblyzer",
    "phoneme_error": "hama",
}
SINGLE_WAVE, WAVE_PAIR = ("distill_mos", "dnsmos"), ("speaker_cosine", "phoneme_error")
LOADED = (neural._distill_mos, neural._speaker_encoder, neural._recognizer)


@pytest.fixture(scope="module")
def speech() -> files.Wave:
    return files.read(CLIPS[0], 12_000, 72_000)[0]


@pytest.fixture(scope="module")
def noisy_speech(speech) -> files.Wave:
    """The same under as much white noise."""
    noise = np.random.default_rng(0).normal(size=speech.size)
    return (speech + noise * np.sqrt(np.mean(speech**2))).astype(np.float32)


def installed_metric(name):
    """The metric, where its package is installed; otherwise the test is skipped, and says what would run it."""
    try:
        packages.load(MODULES[name])
    except MissingPackageError as error:
        pytest.skip(str(error))
    return getattr(neural, name)


@pytest.mark.parametrize("name", SINGLE_WAVE)
def test_a_noisy_wave_scores_lower_and_reproducibly(name, speech, noisy_speech):
    metric = installed_metric(name)
    noisy = metric(noisy_speech, RATE)
    assert 1.0 <= noisy < metric(speech, RATE) - 0.5 <= 4.5
    assert metric(noisy_speech, RATE) == noisy


@pytest.mark.parametrize(("name", "same", "apart"), [("speaker_cosine", 1.0, 0.1), ("phoneme_error", 0.0, 0.3)])
def test_a_wave_matches_itself_and_a_noisy_one_scores_worse_reproducibly(name, same, apart, speech, noisy_speech):
    metric = installed_metric(name)
    assert metric(speech, speech.copy(), RATE) == pytest.approx(same, abs=1e-12)
    noisy = metric(speech, noisy_speech, RATE)
    assert abs(noisy - same) > apart
    assert metric(speech, noisy_speech, RATE) == noisy


def test_distill_mos_is_stable_and_ignores_level(speech):
    metric = installed_metric("distill_mos")
    measured = metric(speech, RATE)
    assert measured == pytest.approx(3.452, abs=0.01)
    assert metric(0.25 * speech, RATE) == pytest.approx(measured, abs=1e-3)


def test_another_speaker_has_another_voice(speech):
    """A voice a fifth higher is another speaker's."""
    metric = installed_metric("speaker_cosine")
    higher = np.tile(files.resample(speech, 3 * RATE, 2 * RATE), 2)[: speech.size]
    assert metric(speech, higher, RATE) < 0.8 < metric(speech, np.roll(speech, 2_400), RATE)


def test_a_wave_without_speech_is_refused_where_speech_is_needed(speech):
    click = np.zeros_like(speech)
    click[30_000] = 0.5
    with pytest.raises(AudioError, match="no speech found in the recording"):
        installed_metric("speaker_cosine")(click, speech, RATE)
    with pytest.raises(AudioError, match="no phoneme recognized in the recording"):
        installed_metric("phoneme_error")(click, speech, RATE)


@pytest.mark.parametrize("name", MODULES)
def test_invalid_waves_raise_one_line(name, speech):
    before = () if name in SINGLE_WAVE else (speech,)
    for broken, message in (
        (np.zeros_like(speech), "silent in all its 72000 samples"),
        (np.where(np.arange(speech.size) == 9, np.nan, speech).astype(np.float32), "holds NaN or Inf"),
        (speech[:0] if name in SINGLE_WAVE else speech[:-1], "silent in all its 0 samples|shapes: "),
        (speech[None], "expected one wave|shapes: "),
    ):
        with pytest.raises(AudioError, match=message) as caught:
            getattr(neural, name)(*before, broken, RATE)
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("name", "module"), MODULES.items())
def test_a_missing_package_names_the_command_that_installs_it(name, module, speech, noisy_speech, monkeypatch):
    for load in LOADED:
        load.cache_clear()
    monkeypatch.setitem(sys.modules, module, None)
    new_wave = 0.5 * speech  # since results for recent waves are cached
    with pytest.raises(MissingPackageError) as caught:
        getattr(neural, name)(*((new_wave, noisy_speech) if name in WAVE_PAIR else (new_wave,)), RATE)
    assert str(caught.value) == (
        f"{module.split('.')[0]} is not installed; run {install_command('metrics')} && "
        "pip install --no-deps torchcrepe==0.0.24 distillmos==0.9.1 xls-r-sqa==0.1.0 resemblyzer==0.1.4 "
        "webrtcvad-wheels==2.0.14.post1"
    )


def test_a_package_that_lacks_another_names_the_other(tmp_path, monkeypatch):
    (tmp_path / "lacking_package.py").write_text("import a_package_that_nobody_has.inside\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(MissingPackageError, match=r"^a_package_that_nobody_has is not installed; run pip "):
        packages.load("lacking_package")


def test_torchaudio_is_replaced_only_during_an_import(tmp_path, monkeypatch):
    (tmp_path / "torchaudio_user.py").write_text("import torchaudio\nname = torchaudio.__name__\n")
    monkeypatch.syspath_prepend(tmp_path)
    installed = importlib.util.find_spec("torchaudio") is not None
    assert packages.load("torchaudio_user").name == "torchaudio"
    assert ("torchaudio" in sys.modules) == installed
    assert (importlib.util.find_spec("torchaudio") is not None) == installed


def test_models_load_silently(capfd):
    installed_metric("distill_mos")
    installed_metric("speaker_cosine")
    for load in LOADED[:2]:
        load.cache_clear()
        load()
    assert capfd.readouterr() == ("", "")


def test_the_edit_distance_of_known_words():
    pairs = {("kitten", "sitting"): 3, ("flaw", "lawn"): 2, ("", "abc"): 3, ("abc", ""): 3, ("same", "same"): 0}
    assert {pair: neural.edit_distance(*pair) for pair in pairs} == pairs


def by_definition(source: str, target: str) -> int:
    if not source or not target:
        return len(source) + len(target)
    return min(
        by_definition(source[1:], target) + 1,
        by_definition(source, target[1:]) + 1,
        by_definition(source[1:], target[1:]) + (source[0] != target[0]),
    )


@given(st.text("abc", max_size=5), st.text("abc", max_size=5))
def test_the_edit_distance_follows_its_definition(source, target):
    assert neural.edit_distance(source, target) == by_definition(source, target)
