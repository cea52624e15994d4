"""The verbs of the command line. Each imports its stage when it runs, and holds no logic of its own."""

from collections.abc import Callable
from pathlib import Path

from basis_melgan.config.schema import BackendName, Config, Split


def prepare(recipe: str, out: Path, *, config: Config, source: Path | None = None, jobs: int | None = None) -> None:
    """Make a corpus of a folder of recordings.

    Reads any sound file, resamples it once to FLAC, splits by sorted file name, and lists what it skips and why.
    A run that was interrupted goes on where it stopped.

    Args:
        recipe: what the recordings are: folder, festvox-ru, asterisk-en, asterisk-fr, asterisk-it, asterisk-ru,
            biaobei, aishell3, ljspeech, vctk or libritts.
        out: folder for the prepared corpus.
        source: folder of the recordings; festvox-ru and the asterisk ones are fetched from Debian.
        jobs: processes; one per core unless given.
        config: all settings.
    """
    from basis_melgan.corpus.prepare import prepare

    prepare(recipe, out, source, config, jobs)


def train_separator(corpus: Path, out: Path, *, config: Config, force: bool = False) -> None:
    """Learn the basis by denoising (stage 1).

    Goes on by itself where OUT holds a training with the same configuration.

    Args:
        corpus: prepared corpus, or a folder of several.
        out: folder for checkpoints, log and the finished separator.
        force: start afresh, replacing what OUT holds.
        config: all settings.
    """
    from basis_melgan.training.separator import train

    train(corpus, out, config, force)


def separate(source: Path, out: Path, separator: Path | None = None, force: bool = False) -> None:
    """Split a noisy recording into speech and noise.

    Args:
        source: sound file of any length and rate.
        out: folder for speech.wav and noise.wav.
        separator: trained separator; the one released with this package unless given.
        force: replace the files if they exist.
    """
    from basis_melgan.inference.separate import separate

    separate(source, out, separator, force)


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
    """Show what a separator learned: waves, weights, the basis picture and a table.

    Args:
        separator: trained separator, or the name of one released with this package.
        corpus: prepared corpus.
        out: folder for the waves, pictures and tables.
        clips: ids of the clips to use, with commas between; drawn at random unless given.
        count: how many clips to draw.
        split: split to draw from.
        seed: seed of the draw and of the noise.
        snr: speech over the white noise that is added, in dB; the paper's fixed noise puts BiaoBei at about −4 dB.
        basis: study the basis too, beside a Gabor basis: bandwidths, coverage, re-synthesis of eight of the clips.
        force: replace an earlier analysis in OUT.
    """
    from basis_melgan.analysis.clip_selection import ClipSelection
    from basis_melgan.analysis.separator import analyze_separator
    from basis_melgan.inference.pretrained import resolve_model

    selection = ClipSelection(clips.split(",") if clips is not None else None, count, split, seed)
    model = resolve_model(separator, ".safetensors")
    print(*analyze_separator(model, corpus, out, selection, snr, basis, force).tables(), out.resolve(), sep="\n")


def decompose(separator: Path, corpus: Path, out: Path, *, config: Config, force: bool = False) -> None:
    """Write basis, weights and re-synthesized waves of a whole corpus.

    Prints the size beforehand. Not needed for train-vocoder, which can compute the weights as it goes.

    Args:
        separator: trained separator, or the name of one released with this package.
        corpus: prepared corpus.
        out: folder for the shards.
        force: start afresh, replacing what OUT holds.
        config: all settings.
    """
    from basis_melgan.inference.pretrained import resolve_model
    from basis_melgan.training.decompose import decompose

    decompose(resolve_model(separator, ".safetensors"), corpus, out, config.trainer, force)


def train_vocoder(
    corpus: Path,
    out: Path,
    *,
    config: Config,
    separator: Path | None = None,
    decomposition: Path | None = None,
    start: Path | None = None,
    force: bool = False,
) -> None:
    """Learn to speak from mel spectrograms over the basis (stage 2).

    Goes on by itself where OUT holds a training with the same configuration.

    Args:
        corpus: prepared corpus, or a folder of several.
        out: folder for checkpoints, log and the finished vocoder.
        separator: trained separator, or the name of one released with this package, whose basis the vocoder uses;
            generator.kind convnext needs none.
        decomposition: what decompose wrote; the weights are computed as it goes unless given.
        start: trained vocoder to start from, or the name of one released with this package: its weights, its basis and
            the discriminators beside it; random unless given.
        force: start afresh, replacing what OUT holds.
        config: all settings.
    """
    from basis_melgan.inference.pretrained import resolve_model
    from basis_melgan.training.vocoder import VocoderInputs, train

    start, separator = (model and resolve_model(model, ".safetensors") for model in (start, separator))
    train(corpus, out, VocoderInputs(separator, decomposition, start), config, force)


def fine_tune(
    corpus: Path,
    out: Path,
    *,
    config: Config,
    vocoder: Path | None = None,
    mels: Path | None = None,
    force: bool = False,
) -> None:
    """Train a vocoder further on the recordings of a voice.

    Goes on by itself where OUT holds a fine-tuning with the same configuration.

    Args:
        corpus: prepared corpus, or a folder of several.
        out: folder for checkpoints, log and the finished vocoder.
        vocoder: trained vocoder, or the name of one released with this package; speech-24k unless given.
        mels: folder of mels that a text-to-speech system predicts with the recordings' durations, CLIP.npy each.
        force: start afresh, replacing what OUT holds.
        config: all settings.
    """
    from basis_melgan.inference.pretrained import resolve_model
    from basis_melgan.inference.vocoder import DEFAULT_VOCODER
    from basis_melgan.training.fine_tuning import fine_tune

    fine_tune(corpus, out, resolve_model(vocoder or DEFAULT_VOCODER, ".safetensors"), mels, config, force)


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
    """Turn mel spectrograms or recordings into speech.

    Args:
        source: mel spectrogram (bands × frames; .npy, .npz or .pt) or sound file, a folder of them, a quoted pattern,
            or - for standard input.
        out: sound file to write, a folder for several, or - for 16-bit samples on standard output.
        vocoder: exported (.onnx) or trained (.safetensors) vocoder, or the name of one released with this package;
            speech-24k unless given.
        threads: of the processor that the network runs on.
        backend: what runs it; torch for trained vocoders and onnx for exported ones unless given.
        jobs: files of a folder or a pattern that are spoken at once; one per core unless given.
        stream: speak frames from standard input as they come, each as many float32 as there are bands.
        mel_config: what the mels are, where they differ from the vocoder's own in scale: NAME:UNIT, as vocos:log10
            or vocos:db, or NAME:UNIT,FACTOR,OFFSET where FACTOR * value + OFFSET is in that unit.
        force: replace OUT if it exists.
    """
    from basis_melgan.inference.loading import load_vocoder
    from basis_melgan.inference.synthesize import vocode
    from basis_melgan.inference.vocoder import DEFAULT_VOCODER
    from basis_melgan.storage.parallel import process_count

    speaker = load_vocoder(vocoder or DEFAULT_VOCODER, threads, backend, mel_config)
    vocode(source, out, speaker, process_count(jobs), stream, force)


def play(
    source: str,
    vocoder: Path | None = None,
    threads: int = 1,
    backend: BackendName | None = None,
    stream: bool = False,
    mel_config: str | None = None,
) -> None:
    """Speak a mel spectrogram or a recording through the loudspeaker.

    Args:
        source: mel spectrogram (bands × frames; .npy, .npz or .pt), sound file, or - for standard input.
        vocoder: exported (.onnx) or trained (.safetensors) vocoder, or the name of one released with this package;
            speech-24k unless given.
        threads: of the processor that the network runs on.
        backend: what runs it; torch for trained vocoders and onnx for exported ones unless given.
        stream: speak frames from standard input as they come, each as many float32 as there are bands.
        mel_config: what the mels are, where they differ from the vocoder's own in scale, as of vocode.
    """
    from basis_melgan.inference.loading import load_vocoder
    from basis_melgan.inference.playback import play
    from basis_melgan.inference.vocoder import DEFAULT_VOCODER

    play(source, load_vocoder(vocoder or DEFAULT_VOCODER, threads, backend, mel_config), stream)


def export(
    vocoder: Path,
    out: Path,
    int8: Path | None = None,
    leave: str | None = None,
    data: str = "",
    license: str = "",
    force: bool = False,
) -> None:
    """Write a trained vocoder as one ONNX file, which speaks without PyTorch.

    Args:
        vocoder: trained vocoder (.safetensors), or the name of one released with this package.
        out: file to write (.onnx).
        int8: multiply in 8 bits, calibrated on the training clips of this prepared corpus, or folder of several; kept
            only if its test clips lose at most 0.05 of PESQ-WB and gain 2 % of MR-STFT distance, and if jitter of 1e-6
            on their mels moves no sample by more than 2e-3.
        leave: layers, or parts that hold some, that 8 bits leave out, with commas between; embed, trunk, gains and
            basis unless given, as far as the vocoder has them.
        data: what it was trained on, to stand in the file.
        license: under which it may be used, to stand in the file.
        force: replace OUT if it exists.
    """
    from basis_melgan.inference.pretrained import resolve_model

    vocoder = resolve_model(vocoder, ".safetensors")
    if int8 is None:
        from basis_melgan.export.onnx import export

        export(vocoder, out, data, license, force)
    else:
        from basis_melgan.export.int8 import export_int8

        export_int8(vocoder, out, int8, None if leave is None else leave.split(","), data, license, force)


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
    """Measure a vocoder, or a baseline, on a corpus.

    Goes on where an interrupted run with the same --json stopped.

    Args:
        system: a vocoder's file, the name of one released with this package, a folder of waves, recording, world,
            griffin-lim, griffin-lim:ITERATIONS or griffin-lim:MEL, a mel convention.
        corpus: prepared corpus, or a folder of several.
        split: split to measure.
        json: file for all figures, of every clip and in the mean.
        csv: file for the figures of every clip.
        waves: folder for the waves that were measured.
        jobs: processes; one per core unless given.
        quick: leave out the slow metrics: torchcrepe's pitch, DNSMOS, the speaker and the phonemes.
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
    """Measure several systems on the same clips, and what sets them apart.

    The first system is the one that the others are compared with, clip by clip. Leaves results.json, results.csv,
    table.md and the waves in OUT; goes on where an interrupted run stopped. What has been measured in OUT once, a
    vocoder's file or a folder of waves as it was then, is not measured again.

    Args:
        systems: as evaluate takes them, two or more.
        corpus: prepared corpus, or a folder of several.
        out: folder for the results.
        split: split to measure.
        jobs: processes; one per core unless given.
        quick: leave out the slow metrics: torchcrepe's pitch, DNSMOS, the speaker and the phonemes.
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
    """Show a comparison in one HTML file, to look at and listen to.

    The file holds tables, players, spectrograms, pitch and a blind test, and needs nothing beside it.

    Args:
        comparison: folder that compare wrote.
        out: HTML file to write.
        runs: trainings whose learning curves to draw, as NAME=FOLDER,NAME=FOLDER.
        separator: trained separator whose basis to draw; vocoders that were compared show theirs.
        clips: how many clips to listen to, spread evenly over the corpora.
        force: replace OUT if it exists.
    """
    from basis_melgan.report.html import write_report

    print(write_report(comparison, out, runs, separator, clips, force))


def complexity(*, config: Config, json: bool = False) -> None:
    """Count parameters and multiply-adds of the generator beside HiFi-GAN's.

    Args:
        config: all settings.
        json: print JSON in place of the table.
    """
    from basis_melgan.benchmark.complexity import complexity

    print(complexity(config, json))


def bench(systems: list[str], rounds: int = 7, json: Path | None = None) -> None:
    """Measure how fast vocoders and peers are in ONNX Runtime.

    Args:
        systems: exported vocoders (.onnx), names of those released with this package, and exported peers; ratios are to
            the first of the same precision.
        rounds: how often each speaks ten seconds, all in turn.
        json: file for all that was measured.
    """
    from basis_melgan.benchmark.tables import bench

    print(bench(systems, rounds, json))


# The sections of the configuration that each verb uses, and lets be set in dotted form.
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
    complexity: ("frames", "mel", "separator", "generator"),
}
COMMANDS = {function.__name__.replace("_", "-"): function for function in SECTIONS}
