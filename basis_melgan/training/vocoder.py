"""Stage 2: train a generator to speak from mels over the basis of stage 1."""

import dataclasses
from pathlib import Path

import torch
from lightning_fabric import Fabric
from torch import Tensor

from basis_melgan.config.networks import ConvNeXtConfig
from basis_melgan.config.schema import Config
from basis_melgan.corpus import decomposition, manifest
from basis_melgan.corpus.datasets import SpeechCrops
from basis_melgan.corpus.mels import Mels
from basis_melgan.errors import ConfigurationError
from basis_melgan.models import model_file
from basis_melgan.models.bases.basis import ATOMS
from basis_melgan.models.bases.modulated import BLOCK_LENGTH, is_modulated
from basis_melgan.models.convnext import ConvNeXtGenerator
from basis_melgan.models.tasnet import Separator
from basis_melgan.models.transfer import adapt_state, can_adapt
from basis_melgan.storage import hashing
from basis_melgan.training import schedule
from basis_melgan.training.run import Run
from basis_melgan.training.trainer import build_fabric, fit
from basis_melgan.training.validation_scores import ValidationScores
from basis_melgan.training.vocoder_task import VocoderTask

LEVEL_CROPS = 64  # whose mels say at which level a generator at the frame rate begins
QUIET = -15.0  # dB of what a vocoder makes over the recordings, below which it does not speak
SECTIONS = (
    "frames",
    "mel",
    "seed",
    "separator",
    "generator",
    "discriminators",
    "stft_loss",
    "augmentation",
    "vocoder_training",
)


@dataclasses.dataclass(frozen=True)
class Sources:
    """Files that stage 2 starts from."""

    separator: Path | None = None  # whose basis is used; convnext has pairs of its own without
    decomposition: Path | None = None  # stored weight targets; without them the frozen separator computes them
    start: Path | None = None  # a vocoder whose weights and basis, and discriminators if it has them, to start from
    mels: Path | None = None  # folder of predicted ones; without it they are computed from the recordings


def train(
    corpus: Path, out: Path, sources: Sources, config: Config, force: bool = False, keep_best: bool = False
) -> None:
    """Train a vocoder on a prepared corpus; writes ``vocoder.safetensors`` into the run folder `out`.

    Args:
        corpus: prepared corpus, or a folder of several.
        out: run folder.
        sources: what it starts from.
        config: all settings.
        force: start afresh, replacing what `out` holds.
        keep_best: score every validation as `evaluate` does, the start's too, and release the best step's vocoder in
            place of the last's.

    Raises:
        ConfigurationError: there is no separator where the generator or a loss needs one, or it has another frame
            geometry than `config`; or the vocoder to start from has another generator, mel or frame geometry, or lies
            where the new one will.
        CorpusError: the corpus, its decomposition or its predicted mels are missing, empty, or of another kind.
        ModelFileError: the separator, the vocoder or the discriminators cannot be read.
        TrainingError: a checkpoint cannot be resumed, or a loss is NaN or infinite.
    """
    _require_separator(sources, config)
    _require_changes(sources, config)
    teacher = None
    if sources.separator is not None:
        teacher, taught = model_file.load_separator(sources.separator)
        config = _of_separator(config, taught)
    corpora = manifest.load(corpus)
    manifest.require_rate(corpora, config.frames.sample_rate)
    fabric = build_fabric(config.trainer, config.seed)  # before the generator, whose weights are drawn
    data_hash = manifest.data_hash(corpora)
    stored = None
    if sources.decomposition is not None and sources.separator is not None:
        stored = decomposition.load(sources.decomposition, sources.separator, data_hash)
    mels = Mels(config.mel, config.frames, sources.mels)
    clips, validation = (manifest.load_clips(corpora, split) for split in ("train", "validation"))
    mels.require([*clips, *validation])
    dataset = SpeechCrops(clips, config, stored, mels)
    if sources.start is not None:
        generator = _begun(sources.start, config, teacher, fabric)
    else:
        generator = _untrained(config, teacher, dataset)
    discriminators = _discriminators(sources.start, config)
    origins = {
        "split": manifest.split_hash(corpora),
        "separator": hashing.of_file(sources.separator) if sources.separator else "",
        "start": hashing.of_file(sources.start) if sources.start else "",
        "mels": mels.digest([*clips, *validation]),
    }
    learned = int(model_file.metadata(sources.start)["step"]) if sources.start else 0
    run = Run(out, config, SECTIONS, data_hash, origins, learned)
    validation_scores = ValidationScores(out / "validation.jsonl") if keep_best else None
    task = VocoderTask(dataset, validation, teacher, generator, run, fabric, validation_scores)
    if sources.start is not None:
        if sources.start.resolve() == task.path.resolve():
            raise ConfigurationError(
                f"{out}: holds the vocoder to start from, which would be replaced; use another folder"
            )
        if discriminators:
            beside = model_file.discriminators_of(sources.start)
            model_file.filled(lambda: task.discriminators.module, discriminators, beside)
            task.discriminators_have_learned = True
        else:
            fabric.print(f"{sources.start}: no discriminators of these settings lie beside it, {_without(config)}")
    schedule.announce(fabric, config.vocoder_training)
    scores = fit(task, fabric, config.trainer, run, force)
    fabric.print(f"vocoder: {task.path}")
    if validation_scores is not None and validation_scores.by_step:
        fabric.print(validation_scores.summary())
    if (level := scores.get("level", 0.0)) < QUIET:
        fabric.print(
            f"{task.path}: its speech is {-level:.0f} dB below the recordings', so it has not learned to speak yet; "
            "train it for more steps, or at a higher vocoder_training.learning_rate"
        )


def _begun(path: Path, config: Config, teacher: Separator | None, fabric: Fabric) -> model_file.AnyGenerator:
    """A generator that goes on from a vocoder's parameters."""
    state = _start(path, config, fabric)
    generator = model_file.new_generator(config, teacher, state)
    if isinstance(config.generator, ConvNeXtConfig) and is_modulated(config.generator, config.frames):
        # Where the basis is to be fine-tuned it has taps, which the vocoder may do without.
        state = generator.basis.state_dict(prefix="basis.") | state
        if ATOMS in state:
            state.pop(BLOCK_LENGTH, None)
    return model_file.filled(lambda: generator, state, path)


def _untrained(config: Config, teacher: Separator | None, dataset: SpeechCrops) -> model_file.AnyGenerator:
    """An untrained generator; one at the frame rate begins at the level a deviation below the mean of crops' mels."""
    generator = model_file.new_generator(config, teacher)
    if isinstance(generator, ConvNeXtGenerator):
        mels = torch.stack([dataset[index]["mel"] for index in range(LEVEL_CROPS)])
        generator.init_input_bias(float(mels.mean() - mels.std()))
    return generator


def _without(config: Config) -> str:
    return "so they begin untrained" if config.vocoder_training.adversarial else "so it learns by regression alone"


def _require_separator(sources: Sources, config: Config) -> None:
    training, kind = config.vocoder_training, config.generator.kind
    if kind == "convnext":
        if sources.decomposition is not None:
            raise ConfigurationError("generator.kind: convnext has no use for a decomposition; leave it out")
        if sources.separator is not None and sources.start is not None:
            raise ConfigurationError(
                f"separator: {sources.start}, to start from, has its pairs already; leave out one of --separator and "
                "--start"
            )
        if training.needs_separator:
            raise ConfigurationError(
                "generator.kind: convnext has no separator to aim at; set vocoder_training.loss_weights.weights/l1 "
                "to 0 and vocoder_training.target to recording"
            )
        return
    if training.needs_quadrature_atoms:
        raise ConfigurationError(
            f"generator.kind: {kind} has no pairs; set pairs/phase and pairs/log_amplitude of "
            "vocoder_training.loss_weights to 0"
        )
    if sources.separator is None and (sources.start is None or training.needs_separator):
        raise ConfigurationError(f"separator: generator.kind {kind} needs one for its basis; give --separator FILE")
    if sources.decomposition is not None and not training.needs_separator:
        raise ConfigurationError(
            f"decomposition: {sources.decomposition} would not be read, since no loss aims at the separator; leave it "
            "out, or set vocoder_training.loss_weights.weights/l1 above 0"
        )


def _require_changes(sources: Sources, config: Config) -> None:
    fixed = sources.decomposition or sources.mels
    if fixed is not None and config.augmentation.fraction > 0:
        raise ConfigurationError(
            f"augmentation.fraction: {config.augmentation.fraction}, but what lies in {fixed} is of recordings "
            "as they are; set it to 0"
        )


def _of_separator(config: Config, taught: Config) -> Config:
    """The configuration with the separator it stands on."""
    if config.frames != taught.frames:
        raise ConfigurationError(
            f"frames: {config.frames} differs from the separator's {taught.frames}; train with the separator's geometry"
        )
    return dataclasses.replace(config, separator=taught.separator)


def _start(path: Path, config: Config, fabric: Fabric) -> dict[str, Tensor]:
    """Parameters of a vocoder whose generator is that of `config`, or can be adapted to it, which is said."""
    state, theirs = model_file.read(path, "vocoder")
    if can_adapt(theirs, config):
        for name, was in dataclasses.asdict(theirs.generator).items():
            if was != (now := getattr(config.generator, name)):
                fabric.print(f"{path}: its generator.{name} is {was}, here it becomes {now}")
        return adapt_state(state, theirs, config)
    sections = ("frames", "mel", "generator")
    differing = next(name for name in sections if getattr(theirs, name) != getattr(config, name))
    was, now = getattr(theirs, differing), getattr(config, differing)
    raise ConfigurationError(
        f"{path}: its {differing} is {was}, here it is {now}; start from one with the same, or a convnext that differs "
        "in lookahead and a larger hidden alone"
    )


def _discriminators(start: Path | None, config: Config) -> dict[str, Tensor]:
    """Parameters of the discriminators beside the vocoder to start from; none where they are not, or others than here.

    They may be of use also to a training that has no adversarial phase, for it may be gone on with.
    """
    path = model_file.discriminators_of(start) if start is not None else None
    if path is None or not path.is_file():
        return {}
    state, theirs = model_file.read(path, "discriminators")
    if theirs.discriminators == config.discriminators:
        return state
    if config.vocoder_training.adversarial:
        raise ConfigurationError(
            f"{path}: its discriminators are {theirs.discriminators}, here they are {config.discriminators}; "
            "give those that were trained with the vocoder"
        )
    return {}
