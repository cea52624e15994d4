"""The commands. Each imports its stage when it runs; signature and docstring are its command line and help."""

from collections.abc import Callable
from pathlib import Path
from typing import Literal

from basis_melgan.config.schema import BackendName, Config, Split
from basis_melgan.errors import ConfigurationError

Precision = Literal["int8"]


def prepare(recipe: str, out: Path, *, config: Config, source: Path | None = None, jobs: int | None = None) -> None:
    """Prepare a corpus from a folder of recordings.

    Reads any sound file, resamples it once to FLAC, splits by sorted file name, and reports which recordings it skips
    and why. To resume an interrupted run, rerun the same command.

    Args:
        recipe: kind of recordings: folder, festvox-ru, asterisk-en, asterisk-fr, asterisk-it, asterisk-ru, biaobei,
            aishell3, ljspeech, vctk or libritts.
        out: folder for the prepared corpus.
        source: folder of the recordings; festvox-ru and asterisk-* are downloaded from Debian.
        jobs: processes (default: one per core).
        config: all settings.
    """
    from basis_melgan.corpus import prepare as preparation

    preparation.prepare(recipe, out, source, config, jobs)


def train_separator(corpus: Path, out: Path, *, config: Config, force: bool = False) -> None:
    """Train a separator, and so a basis, by denoising (stage 1).

    To resume an interrupted training, rerun the same command.

    Args:
        corpus: prepared corpus, or a folder of several.
        out: folder for the checkpoint, the log and the separator.
        force: start over and replace the contents of OUT.
        config: all settings.
    """
    from basis_melgan.training.separator import train

    train(corpus, out, config, force)


def separate(source: Path, out: Path, separator: Path | None = None, force: bool = False) -> None:
    """Separate a noisy recording into speech and noise.

    Args:
        source: sound file of any length and sample rate.
        out: folder for speech.wav and noise.wav.
        separator: trained separator (default: separator-24k).
        force: replace existing files.
    """
    from basis_melgan.inference import separate as separation

    separation.separate(source, out, separator, force)


def analyze(
    separator: Path,
    corpus: Path,
    out: Path,
    clips: str | None = None,
    count: int = 3,
    split: Split = "test",
    seed: int = 1,
    snr: float = -4.0,
    basis: bool = False,
    force: bool = False,
) -> None:
    """Analyze a separator: waves, weights, a picture of the basis and a table.

    Args:
        separator: trained separator, or the name of a pretrained one.
        corpus: prepared corpus.
        out: folder for the waves, pictures and tables.
        clips: ids of clips, separated by commas (default: a random sample).
        count: size of the random sample.
        split: split to sample from.
        seed: seed of the sample and of the noise.
        snr: signal-to-noise ratio of the added white noise in dB; in the paper it is about −4 dB on BiaoBei.
        basis: study the basis too, and compare it with a Gabor basis: bandwidths, coverage, resynthesis of 8 clips.
        force: replace an earlier analysis in OUT.
    """
    from basis_melgan.analysis.clip_selection import ClipSelection
    from basis_melgan.analysis.separator import analyze_separator
    from basis_melgan.inference.pretrained import resolve_model

    selection = ClipSelection(clips.split(",") if clips is not None else None, count, split, seed)
    model = resolve_model(separator, ".safetensors")
    print(*analyze_separator(model, corpus, out, selection, snr, basis, force).tables(), out.resolve(), sep="\n")


def decompose(separator: Path, corpus: Path, out: Path, *, config: Config, force: bool = False) -> None:
    """Write the basis, weights and resynthesized waves of a whole corpus.

    Prints the required disk space first. train-vocoder does not need it, since it can compute the weights during the
    training. To resume an interrupted run, rerun the same command.

    Args:
        separator: trained separator, or the name of a pretrained one.
        corpus: prepared corpus.
        out: folder for the shards.
        force: start over and replace the contents of OUT.
        config: all settings.
    """
    from basis_melgan.inference.pretrained import resolve_model
    from basis_melgan.training import decompose as decomposition

    decomposition.decompose(resolve_model(separator, ".safetensors"), corpus, out, config.trainer, force)


def train_vocoder(
    corpus: Path,
    out: Path,
    *,
    config: Config,
    separator: Path | None = None,
    decomposition: Path | None = None,
    init_from: Path | None = None,
    discriminators: Path | None = None,
    force: bool = False,
) -> None:
    """Train a vocoder (stage 2).

    To resume an interrupted training, rerun the same command.

    Args:
        corpus: prepared corpus, or a folder of several.
        out: folder for the checkpoint, the log and the vocoder.
        separator: trained separator, or the name of a pretrained one, whose basis the vocoder uses; optional if
            generator.kind is convnext.
        decomposition: folder that decompose wrote (default: weights are computed during the training).
        init_from: vocoder, or the name of a pretrained one, to initialize the generator and its basis from.
        discriminators: discriminators to initialize from (default: those beside the vocoder of --init-from).
        force: start over and replace the contents of OUT.
        config: all settings.
    """
    from basis_melgan.inference.pretrained import resolve_model
    from basis_melgan.training.vocoder import VocoderInputs, train

    init_from, separator = (model and resolve_model(model, ".safetensors") for model in (init_from, separator))
    inputs = VocoderInputs(separator, decomposition, init_from, discriminators)
    train(corpus, out, inputs, config, force)


def fine_tune(
    corpus: Path,
    out: Path,
    *,
    config: Config,
    vocoder: Path | None = None,
    mels: Path | None = None,
    force: bool = False,
) -> None:
    """Fine-tune a vocoder on recordings of one voice.

    To resume an interrupted training, rerun the same command.

    Args:
        corpus: prepared corpus, or a folder of several.
        out: folder for the checkpoint, the log and the vocoder.
        vocoder: trained vocoder, or the name of a pretrained one (default: speech-24k).
        mels: folder of mels, CLIP.npy, that a text-to-speech system predicts with the durations of the recordings.
        force: start over and replace the contents of OUT.
        config: all settings.
    """
    from basis_melgan.inference.pretrained import resolve_model
    from basis_melgan.inference.vocoder import DEFAULT_VOCODER
    from basis_melgan.training import fine_tuning

    init_from = resolve_model(vocoder or DEFAULT_VOCODER, ".safetensors")
    fine_tuning.fine_tune(corpus, out, init_from, mels, config, force)


def vocode(
    source: str,
    out: str,
    vocoder: Path | None = None,
    threads: int = 1,
    backend: BackendName | None = None,
    jobs: int | None = None,
    stream: bool = False,
    mel_config: str | None = None,
    force: bool = False,
) -> None:
    """Synthesize speech from mel spectrograms or recordings.

    Args:
        source: mel spectrogram (bands × frames; .npy, .npz or .pt) or sound file, a folder of them, a quoted pattern,
            or - for standard input.
        out: sound file to write, a folder for several, or - for 16-bit samples on standard output.
        vocoder: exported (.onnx) or trained (.safetensors) vocoder, or the name of a pretrained one (default:
            speech-24k).
        threads: threads of the network.
        backend: onnx, openvino or torch (default: torch for .safetensors, onnx for .onnx).
        jobs: files of a folder or a pattern to process in parallel (default: one per core).
        stream: synthesize frames from standard input as they arrive, each one float32 per band.
        mel_config: scale of the mels if it differs from the vocoder's: NAME:UNIT, as vocos:log10 or vocos:db, or
            NAME:UNIT,FACTOR,OFFSET if FACTOR * value + OFFSET is in that unit.
        force: replace OUT if it exists.
    """
    from basis_melgan.inference import synthesize
    from basis_melgan.inference.loading import load_vocoder
    from basis_melgan.inference.vocoder import DEFAULT_VOCODER
    from basis_melgan.storage.parallel import process_count

    model = load_vocoder(vocoder or DEFAULT_VOCODER, threads, backend, mel_config)
    synthesize.vocode(source, out, model, process_count(jobs), stream, force)


def play(
    source: str,
    vocoder: Path | None = None,
    threads: int = 1,
    backend: BackendName | None = None,
    stream: bool = False,
    mel_config: str | None = None,
) -> None:
    """Play a mel spectrogram or a recording through the loudspeaker.

    Args:
        source: mel spectrogram (bands × frames; .npy, .npz or .pt), sound file, or - for standard input.
        vocoder: exported (.onnx) or trained (.safetensors) vocoder, or the name of a pretrained one (default:
            speech-24k).
        threads: threads of the network.
        backend: onnx, openvino or torch (default: torch for .safetensors, onnx for .onnx).
        stream: synthesize frames from standard input as they arrive, each one float32 per band.
        mel_config: scale of the mels if it differs from the vocoder's, as for vocode.
    """
    from basis_melgan.inference import playback
    from basis_melgan.inference.loading import load_vocoder
    from basis_melgan.inference.vocoder import DEFAULT_VOCODER

    playback.play(source, load_vocoder(vocoder or DEFAULT_VOCODER, threads, backend, mel_config), stream)


def export(
    vocoder: Path,
    out: Path,
    quantize: Precision | None = None,
    calibration_data: Path | None = None,
    exclude_layers: str | None = None,
    data: str = "",
    license: str = "",
    force: bool = False,
) -> None:
    """Export a trained vocoder as one ONNX file, which runs without PyTorch.

    Args:
        vocoder: trained vocoder (.safetensors), or the name of a pretrained one.
        out: file to write (.onnx).
        quantize: int8 quantizes the network. The file is kept only if the test clips lose at most 0.05 PESQ-WB and
            gain at most 2 % MR-STFT distance, and if jitter of 1e-6 on their mels moves no sample by more than 2e-3.
        calibration_data: prepared corpus, or a folder of several, whose training clips calibrate --quantize.
        exclude_layers: layers, or parts of the network, to keep in floating point, separated by commas (default:
            embed, trunk, gains and basis, if the vocoder has them).
        data: description of the training data, to store in the file.
        license: license of the vocoder, to store in the file.
        force: replace OUT if it exists.
    """
    if (quantize is None) != (calibration_data is None):
        raise ConfigurationError("--quantize and --calibration-data: each needs the other; give both, or neither")
    if exclude_layers is not None and quantize is None:
        raise ConfigurationError("--exclude-layers: has no effect without --quantize int8; add it, or leave this out")
    from basis_melgan.inference.pretrained import resolve_model

    model = resolve_model(vocoder, ".safetensors")
    if calibration_data is None:
        from basis_melgan.export import onnx

        onnx.export(model, out, data, license, force)
    else:
        from basis_melgan.export.int8 import export_int8

        excluded = None if exclude_layers is None else exclude_layers.split(",")
        export_int8(model, out, calibration_data, excluded, data, license, force)


def evaluate(
    system: str,
    corpus: Path,
    split: Split = "test",
    json: Path | None = None,
    csv: Path | None = None,
    waves: Path | None = None,
    jobs: int | None = None,
    quick: bool = False,
) -> None:
    """Evaluate a vocoder, or a baseline, on a corpus.

    To resume an interrupted run, rerun the same command with --json.

    Args:
        system: vocoder file, name of a pretrained vocoder, folder of waves, recording, world, griffin-lim,
            griffin-lim:ITERATIONS or griffin-lim:MEL_CONFIG.
        corpus: prepared corpus, or a folder of several.
        split: split to evaluate.
        json: file for all scores, of every clip and their means.
        csv: file for the scores of every clip.
        waves: folder for the synthesized waves.
        jobs: processes (default: one per core).
        quick: leave out the slow metrics: pitch by torchcrepe, DNSMOS, speaker similarity and phonemes.
    """
    from basis_melgan.evaluation.evaluate import EvalConfig, evaluate_system
    from basis_melgan.evaluation.tables import markdown_table

    print(markdown_table(evaluate_system(system, EvalConfig(corpus, split, quick, jobs), json, csv, waves)))


def compare(
    systems: list[str],
    *,
    corpus: Path,
    out: Path,
    split: Split = "test",
    jobs: int | None = None,
    quick: bool = False,
    force: bool = False,
) -> None:
    """Evaluate several systems on the same clips, and test their differences.

    The other systems are compared with the first one, clip by clip. Writes results.json, results.csv, table.md and the
    waves into OUT. To resume an interrupted run, rerun the same command; unchanged systems are not evaluated again.

    Args:
        systems: two or more systems, as for evaluate.
        corpus: prepared corpus, or a folder of several.
        out: folder for the results.
        split: split to evaluate.
        jobs: processes (default: one per core).
        quick: leave out the slow metrics: pitch by torchcrepe, DNSMOS, speaker similarity and phonemes.
        force: replace the results of an earlier comparison in OUT.
    """
    from basis_melgan.evaluation.evaluate import EvalConfig, compare_systems
    from basis_melgan.evaluation.tables import markdown_table

    results = compare_systems(systems, EvalConfig(corpus, split, quick, jobs), out, force)
    print(markdown_table(results), "", out, sep="\n")


def report(
    comparison: Path,
    out: Path,
    runs: str | None = None,
    separator: Path | None = None,
    clips: int = 8,
    force: bool = False,
) -> None:
    """Write a comparison as one HTML file.

    The file contains tables, players, spectrograms, pitch and a blind test, and needs no other file.

    Args:
        comparison: folder that compare wrote.
        out: HTML file to write.
        runs: run folders whose learning curves to plot, as NAME=FOLDER,NAME=FOLDER.
        separator: trained separator whose basis to plot, beside those of the vocoders.
        clips: number of clips to listen to, evenly from all corpora.
        force: replace OUT if it exists.
    """
    from basis_melgan.report.html import write_report

    print(write_report(comparison, out, runs, separator, clips, force))


def complexity(*, config: Config, json: bool = False) -> None:
    """Count parameters and multiply-adds of a generator, and of HiFi-GAN's.

    Args:
        config: all settings.
        json: print JSON instead of a table.
    """
    from basis_melgan.benchmark import complexity as complexity_table

    print(complexity_table.complexity(config, json))


def bench(systems: list[str], repeats: int = 7, json: Path | None = None) -> None:
    """Measure the speed of vocoders and peers in ONNX Runtime.

    Args:
        systems: exported vocoders (.onnx), names of pretrained ones, and exported peers; ratios are to the first of the
            same precision.
        repeats: repetitions of each measurement, in turn with the other systems.
        json: file for all measurements.
    """
    from basis_melgan.benchmark import tables

    print(tables.bench(systems, repeats, json))


# Sections of the configuration that each command uses; their settings are options with dotted names.
SECTIONS: dict[Callable[..., None], tuple[str, ...]] = {
    prepare: ("frames", "corpus"),
    train_separator: ("frames", "seed", "mixture", "separator", "separator_training", "trainer"),
    separate: (),
    analyze: (),
    decompose: ("trainer",),
    train_vocoder: (
        "frames",
        "mel",
        "seed",
        "generator",
        "discriminators",
        "stft_loss",
        "augmentation",
        "vocoder_training",
        "trainer",
    ),
    fine_tune: ("seed", "fine_tuning", "trainer"),
    vocode: (),
    play: (),
    export: (),
    evaluate: (),
    compare: (),
    report: (),
    bench: (),
    complexity: ("frames", "mel", "generator"),
}
COMMANDS = {function.__name__.replace("_", "-"): function for function in SECTIONS}
DEFAULT_PRESETS = {train_separator: "basis-melgan-cpu"}  # of commands that need another one than the rest
