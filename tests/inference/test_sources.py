"""Mel archives, tensors and pipes as sources of synthesis."""

import io
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from zipfile import ZipFile

import numpy as np
import pytest
import soundfile
import torch
from small_vocoders import CLIPS, QUANTUM, RATE, mel_of, read_speech, vocode_file

from basis_melgan.audio import files
from basis_melgan.errors import BasisMelGANError, ConfigurationError, MelError, OutputError
from basis_melgan.inference import synthesize
from basis_melgan.inference.loading import load_vocoder
from basis_melgan.inference.vocoder import Vocoder


@pytest.mark.parametrize("kind", ["npz", "pt"])
def test_archives_and_tensors_are_read_as_mels(kind: str, model: Path, vocoder: Vocoder, tmp_path: Path) -> None:
    mel, path = mel_of(12), tmp_path / f"mel.{kind}"
    if kind == "npz":
        np.savez_compressed(path, mel=mel)
    else:
        torch.save(torch.from_numpy(mel), path)
    vocode_file(path, tmp_path / "out.wav", model)
    wave, _ = files.read(tmp_path / "out.wav")
    np.testing.assert_allclose(wave, np.clip(vocoder(mel), -1, 1), atol=QUANTUM)


def test_pickles_and_invalid_archives_are_refused(model: Path, tmp_path: Path) -> None:
    class Payload:
        def __reduce__(self) -> tuple:
            return Path.touch, (tmp_path / "executed",)

    torch.save(Payload(), tmp_path / "pickled.pt")
    np.savez(tmp_path / "pickled.npz", np.array([Payload()], dtype=object))
    torch.save([torch.zeros(80, 3)], tmp_path / "list.pt")
    np.savez(tmp_path / "two.npz", a=mel_of(3), b=mel_of(3))
    np.save(tmp_path / "renamed.npy", mel_of(3))
    (tmp_path / "renamed.npy").rename(tmp_path / "renamed.npz")
    with ZipFile(tmp_path / "text.npz", "w") as archive:
        archive.writestr("note.txt", "no array")
    torch.save(torch.zeros(80, 3).to_sparse(), tmp_path / "sparse.pt")
    (tmp_path / "broken.npz").write_bytes(b"PK\x03\x04")
    (tmp_path / "broken.pt").write_bytes(b"PK\x03\x04")
    for name, message in (
        ("pickled.pt", "damaged or no tensor"),
        ("pickled.npz", "damaged or no archive"),
        ("list.pt", "holds a list; expected the mel alone"),
        ("two.npz", r"holds 2 arrays \(a, b\)"),
        ("broken.npz", "damaged or no archive"),
        ("renamed.npz", "damaged or no archive"),
        ("text.npz", "damaged or no archive"),
        ("sparse.pt", "damaged or no tensor"),
        ("broken.pt", "damaged or no tensor"),
    ):
        with pytest.raises(MelError, match=rf"{name}: {message}"):
            vocode_file(tmp_path / name, tmp_path / "out.wav", model)
    assert not (tmp_path / "executed").exists()


# Pipes


def pipe(arguments: list[str], content: bytes) -> bytes:
    command = [sys.executable, "-m", "basis_melgan", "vocode", *arguments]
    return subprocess.run(command, input=content, capture_output=True, check=True).stdout


def test_pipes_accept_recordings_mels_and_frames() -> None:
    vocoder, wave = load_vocoder("speech-24k"), read_speech()
    expected = vocoder.resynthesize(wave, RATE)
    sound, mel_file, mel = io.BytesIO(), io.BytesIO(), vocoder.mel(wave, RATE)
    soundfile.write(sound, wave, RATE, format="WAV", subtype="FLOAT")
    np.save(mel_file, mel)
    for arguments, content, samples in (
        (["-", "-"], sound.getvalue(), wave.size),
        (["-", "-"], mel_file.getvalue(), mel.shape[1] * 256),
        (["-", "-", "--stream"], mel.T.tobytes(), mel.shape[1] * 256),
    ):
        output = np.frombuffer(pipe(arguments, content), "<i2") / 32_768
        assert output.size == samples
        np.testing.assert_allclose(output[: wave.size], expected, atol=QUANTUM)


def test_empty_pipe_is_refused_and_keeps_the_existing_file(tmp_path: Path) -> None:
    out = tmp_path / "out.wav"
    out.write_bytes(b"existing")
    command = [sys.executable, "-m", "basis_melgan", "vocode", "-", str(out), "--stream", "--force"]
    run = subprocess.run(command, input=b"", capture_output=True)
    assert run.returncode != 0
    assert b"standard input: holds no frame; expected at least one" in run.stderr
    assert out.read_bytes() == b"existing"


def test_batch_of_one_is_accepted_as_a_mel(model: Path, tmp_path: Path) -> None:
    batch = mel_of(12)[None]
    np.save(tmp_path / "single.npy", batch[0])
    np.save(tmp_path / "batch.npy", batch)
    np.savez(tmp_path / "batch.npz", batch)
    torch.save(torch.from_numpy(batch), tmp_path / "batch.pt")
    vocode_file(tmp_path / "single.npy", tmp_path / "single.wav", model)
    for suffix in ("npy", "npz", "pt"):
        out = tmp_path / f"{suffix}.wav"
        vocode_file(tmp_path / f"batch.{suffix}", out, model)
        assert out.read_bytes() == (tmp_path / "single.wav").read_bytes()
    np.save(tmp_path / "transposed.npy", batch.transpose(0, 2, 1))
    with pytest.raises(MelError, match=r"shape \(12, 80\): looks like \(frames, bands\); expected .* so transpose it"):
        vocode_file(tmp_path / "transposed.npy", tmp_path / "out.wav", model)


def set_standard_input(content: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    """Replace the standard input of this process."""
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content)))


def test_standard_input_accepts_every_mel_format(
    model: Path, vocoder: Vocoder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    batch = mel_of(12)[None]
    np.save(tmp_path / "a.npy", batch)
    np.savez(tmp_path / "a.npz", batch)
    torch.save(torch.from_numpy(batch), tmp_path / "a.pt")
    for name in ("a.npy", "a.npz", "a.pt"):
        set_standard_input((tmp_path / name).read_bytes(), monkeypatch)
        vocode_file(Path("-"), tmp_path / "out.wav", model, force=True)
        wave, _ = files.read(tmp_path / "out.wav")
        np.testing.assert_allclose(wave, np.clip(vocoder(batch[0]), -1, 1), atol=QUANTUM)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", r"^standard input: holds nothing; pipe a mel \(\.npy\) or a sound file into it$"),
        (b"PK\x03\x04 and no more", r"^standard input: damaged \(File is not a zip file\); save the mel"),
        (b"\x93NUMPY", r"^standard input: damaged or no array of numbers \(.*\); save the mel with numpy\.save$"),
    ],
)
def test_invalid_standard_input_is_refused(
    content: bytes, message: str, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_standard_input(content, monkeypatch)
    with pytest.raises(BasisMelGANError, match=message):
        vocode_file(Path("-"), tmp_path / "out.wav", model)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("arguments", [["-", "out.wav"], ["-", "-", "--stream"]])
def test_closed_standard_input_and_terminal_are_refused(arguments: list[str], tmp_path: Path) -> None:
    command = [sys.executable, "-m", "basis_melgan", "vocode", *arguments]
    parent, terminal = os.openpty()
    terminal_run = subprocess.run(command, stdin=terminal, capture_output=True, text=True, timeout=60)
    os.close(parent)
    os.close(terminal)
    quoted = " ".join(map(shlex.quote, command))
    closed_run = subprocess.run(f"{quoted} <&-", shell=True, capture_output=True, text=True)
    for run, state in ((terminal_run, "the terminal"), (closed_run, "closed")):
        assert run.returncode == 2
        expected = f"basis-melgan: standard input: is {state}; pipe a mel (.npy) or a sound file into it\n"
        assert run.stderr == expected


def test_closed_standard_output_is_reported() -> None:
    command = f"{shlex.quote(sys.executable)} -m basis_melgan vocode {shlex.quote(str(CLIPS[0]))} - >&-"
    run = subprocess.run(command, shell=True, capture_output=True, text=True)
    assert (run.returncode, run.stderr) == (2, "basis-melgan: standard output: is closed; name a file\n")


def test_invalid_combinations_of_pipes_are_refused(model: Path, tmp_path: Path) -> None:
    vocoder = load_vocoder(model)
    with pytest.raises(ConfigurationError, match="frames come from standard input"):
        synthesize.vocode(str(CLIPS[0]), "-", vocoder, stream=True)
    with pytest.raises(ConfigurationError, match=r"cannot go to standard output; name a folder"):
        synthesize.vocode(str(CLIPS[0].parent), "-", vocoder)
    with pytest.raises(ConfigurationError, match="jobs: 0; use 1 or more"):
        synthesize.vocode(str(CLIPS[0]), str(tmp_path / "out.wav"), vocoder, jobs=0)
    with pytest.raises(OutputError, match="is the folder of the sources"):
        synthesize.vocode(str(CLIPS[0].parent), str(CLIPS[0].parent), vocoder)


def test_frames_are_synthesized_before_the_pipe_ends(tmp_path: Path) -> None:
    vocoder = load_vocoder("speech-24k")
    mel = vocoder.mel(read_speech(), RATE)
    command = [sys.executable, "-m", "basis_melgan", "vocode", "-", "-", "--stream"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        process.stdin.write(mel[:, :40].T.tobytes())
        process.stdin.flush()
        byte_count = 2 * 256 * (40 - vocoder.info.lookahead_frames)
        assert len(process.stdout.read(byte_count)) == byte_count
        process.stdin.write(b"odd")
        process.stdin.close()
        assert process.wait() == 2


def test_full_disk_is_reported_in_one_line() -> None:
    command = [sys.executable, "-m", "basis_melgan", "vocode", str(CLIPS[0]), "-"]
    with open("/dev/full", "wb") as full:
        run = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert run.returncode == 2
    assert re.fullmatch(r"basis-melgan: standard output: cannot be written \(.*\)\n", run.stderr)
