"""Stage 2: train a generator that maps mels to weights over a basis."""

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import torch
from lightning_fabric import Fabric
from torch import Tensor

from basis_melgan.config.networks import ConvNeXtConfig
from basis_melgan.config.schema import Config
from basis_melgan.corpus import decomposition, manifest
from basis_melgan.corpus.datasets import SpeechCrops
from basis_melgan.corpus.mels import MelSource
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
from basis_melgan.training.vocoder_task import MODEL_NAME, VocoderTask

INPUT_LEVEL_CROPS = 64  # crops whose mels determine the initial input bias of a ConvNeXt generator
MIN_LEVEL = -15.0  # dB of the output relative to the recordings, below which a training has not converged
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

State = dict[str, Tensor]


@dataclasses.dataclass(frozen=True)
class VocoderInputs:
    """Files that a vocoder's training starts from."""

    separator: Path | None = None  # provides the basis; a convnext generator has its own quadrature atoms without one
    decomposition: Path | None = None  # stored weight targets; the separator computes them if there is none
    init_from: Path | None = None  # vocoder to initialize the generator and its basis from
    discriminators: Path | None = None  # to initialize from; those saved beside `init_from` by default
    mels: Path | None = None  # folder of predicted mels; computed from the recordings by default


def train(
    corpus: Path, out: Path, inputs: VocoderInputs, config: Config, force: bool = False, keep_best: bool = False
) -> None:
    """Train a vocoder on a prepared corpus; writes ``vocoder.safetensors`` into the run folder `out`.

    Args:
        corpus: prepared corpus, or a folder of several.
        out: run folder.
        inputs: files that the training starts from.
        config: all settings.
        force: start over and replace the contents of `out`.
        keep_best: compute metrics at every validation and before the first step, and save the vocoder of the best step
            in place of the last one.

    Raises:
        ConfigurationError: inputs and settings do not fit together, or an input would be overwritten.
        CorpusError: the corpus, its decomposition or its predicted mels are missing, empty, or of another kind.
        ModelFileError: the separator, the vocoder or the discriminators cannot be read.
        TrainingError: a checkpoint cannot be resumed, or a loss is NaN or infinite.
    """
    _require_inputs(inputs, config, out)
    teacher, config = _load_teacher(inputs.separator, config)
    corpora = manifest.load(corpus)
    manifest.require_rate(corpora, config.frames.sample_rate)
    fabric = build_fabric(config.trainer, config.seed)  # seeds the generator's initial weights
    clips, validation_clips = (manifest.load_clips(corpora, split) for split in ("train", "validation"))
    mels = MelSource(config.mel, config.frames, inputs.mels)
    mels.require([*clips, *validation_clips])
    targets = _load_decomposition(inputs, manifest.data_hash(corpora))
    dataset = SpeechCrops(clips, config, targets, mels)
    generator = _initial_generator(inputs.init_from, config, teacher, dataset, fabric)
    discriminators_path, discriminators = _initial_discriminators(inputs, config)
    mels_hash = mels.predicted_hash([*clips, *validation_clips])
    run = _build_run(out, config, corpora, inputs, discriminators_path, mels_hash)
    validation_scores = ValidationScores(out / "validation.jsonl") if keep_best else None
    task = VocoderTask(dataset, validation_clips, teacher, generator, run, fabric, validation_scores)
    if discriminators_path is not None:
        task.load_discriminators(discriminators, discriminators_path)
    for note in _initial_notes(inputs, config, discriminators_path):
        fabric.print(note)
    scores = fit(task, fabric, config.trainer, run, force)
    for note in _final_notes(task, scores):
        fabric.print(note)


def _require_inputs(inputs: VocoderInputs, config: Config, out: Path) -> None:
    """Check that inputs and settings fit together, and that no input would be overwritten."""
    if config.generator.kind == "convnext":
        _require_convnext_inputs(inputs, config)
    else:
        _require_melgan_inputs(inputs, config)
    precomputed = inputs.decomposition or inputs.mels
    if precomputed is not None and config.augmentation.fraction > 0:
        raise ConfigurationError(
            f"augmentation.fraction: {config.augmentation.fraction}, but {precomputed} was computed from unchanged "
            "recordings; set it to 0"
        )
    model = out / MODEL_NAME
    outputs = [path.resolve() for path in (model, model_file.discriminators_of(model))]
    for path in (inputs.init_from, inputs.discriminators):
        if path is not None and path.resolve() in outputs:
            raise ConfigurationError(f"{path}: would be overwritten by the training; use another run folder")


def _require_convnext_inputs(inputs: VocoderInputs, config: Config) -> None:
    if inputs.decomposition is not None:
        raise ConfigurationError("decomposition: generator.kind convnext does not use one; leave it out")
    if inputs.separator is not None and inputs.init_from is not None:
        raise ConfigurationError(
            f"separator: the basis comes from {inputs.init_from}; give either --separator or an initial vocoder"
        )
    if config.vocoder_training.needs_separator:
        raise ConfigurationError(
            "generator.kind: convnext has no separator as its target; set vocoder_training.loss_weights.weights/l1 to "
            "0 and vocoder_training.target to recording"
        )


def _require_melgan_inputs(inputs: VocoderInputs, config: Config) -> None:
    training, kind = config.vocoder_training, config.generator.kind
    if training.needs_quadrature_atoms:
        raise ConfigurationError(
            f"generator.kind: {kind} has no quadrature atoms; set pairs/phase and pairs/log_amplitude of "
            "vocoder_training.loss_weights to 0"
        )
    if inputs.separator is None and (inputs.init_from is None or training.needs_separator):
        raise ConfigurationError(f"separator: generator.kind {kind} needs one for its basis; give --separator FILE")
    if inputs.decomposition is not None and not training.needs_separator:
        raise ConfigurationError(
            f"decomposition: no loss uses {inputs.decomposition}; leave it out, or set "
            "vocoder_training.loss_weights.weights/l1 above 0"
        )


def _load_teacher(path: Path | None, config: Config) -> tuple[Separator | None, Config]:
    """The separator of a file, and the configuration with its settings; no separator without a file."""
    if path is None:
        return None, config
    teacher, saved = model_file.load_separator(path)
    if config.frames != saved.frames:
        raise ConfigurationError(
            f"frames: {config.frames} differs from the separator's {saved.frames}; train with the separator's geometry"
        )
    return teacher, dataclasses.replace(config, separator=saved.separator)


def _load_decomposition(inputs: VocoderInputs, data_hash: str) -> decomposition.Decomposition | None:
    if inputs.decomposition is None or inputs.separator is None:
        return None
    return decomposition.load(inputs.decomposition, inputs.separator, data_hash)


def _initial_generator(
    path: Path | None, config: Config, teacher: Separator | None, dataset: SpeechCrops, fabric: Fabric
) -> model_file.AnyGenerator:
    """A generator with the weights of a vocoder file; untrained without a file."""
    if path is None:
        return _untrained_generator(config, teacher, dataset)
    state = _adapted_state(path, config, fabric)
    generator = model_file.new_generator(config, teacher, state)
    if isinstance(config.generator, ConvNeXtConfig) and is_modulated(config.generator, config.frames):
        # A basis to be fine-tuned has its atoms as parameters, which the initial vocoder may lack.
        state = generator.basis.state_dict(prefix="basis.") | state
        if ATOMS in state:
            state.pop(BLOCK_LENGTH, None)
    with model_file.parameter_errors(path):
        generator.load_state_dict(state)
    return generator


def _untrained_generator(config: Config, teacher: Separator | None, dataset: SpeechCrops) -> model_file.AnyGenerator:
    """An untrained generator; in a ConvNeXt, mels one standard deviation below the mean map to zero at first."""
    generator = model_file.new_generator(config, teacher)
    if isinstance(generator, ConvNeXtGenerator):
        mels = torch.stack([dataset[index]["mel"] for index in range(INPUT_LEVEL_CROPS)])
        generator.init_input_bias(float(mels.mean() - mels.std()))
    return generator


def _adapted_state(path: Path, config: Config, fabric: Fabric) -> State:
    """Weights of a vocoder file for the generator of `config`; prints which of its settings change.

    Raises:
        ConfigurationError: the generators, mels or frame geometries are too different.
    """
    state, saved = model_file.read(path, "vocoder")
    if can_adapt(saved, config):
        for name, saved_value in dataclasses.asdict(saved.generator).items():
            if saved_value != (value := getattr(config.generator, name)):
                fabric.print(f"{path}: generator.{name} changes from {saved_value} to {value}")
        return adapt_state(state, saved, config)
    section = next(name for name in ("frames", "mel", "generator") if getattr(saved, name) != getattr(config, name))
    raise ConfigurationError(
        f"{path}: its {section} is {getattr(saved, section)}, but the configuration has {getattr(config, section)}; "
        "use the same settings; of a convnext, lookahead may differ and hidden may be smaller"
    )


def _initial_discriminators(inputs: VocoderInputs, config: Config) -> tuple[Path | None, State]:
    """File and weights of the discriminators to start from: those given, or those beside the initial vocoder.

    They are loaded even without an adversarial phase, since a resumed training may add one.

    Returns:
        No file and no weights if there are none, or if those beside the vocoder have other settings and are not needed.

    Raises:
        ConfigurationError: they have other settings than `config.discriminators`.
    """
    path = inputs.discriminators
    if path is None and inputs.init_from is not None:
        path = model_file.discriminators_of(inputs.init_from)
    if path is None or (path != inputs.discriminators and not path.is_file()):
        return None, {}
    state, saved = model_file.read(path, "discriminators")
    if saved.discriminators == config.discriminators:
        return path, state
    if inputs.discriminators is None and not config.vocoder_training.adversarial:
        return None, {}
    saved_settings, settings = dataclasses.asdict(saved.discriminators), dataclasses.asdict(config.discriminators)
    name = next(name for name, value in settings.items() if value != saved_settings[name])
    raise ConfigurationError(
        f"{path}: its discriminators.{name} is {saved_settings[name]}, but the configuration has {settings[name]}; use "
        "the same settings, or discriminators that were trained with them"
    )


def _build_run(
    out: Path,
    config: Config,
    corpora: Sequence[manifest.Corpus],
    inputs: VocoderInputs,
    discriminators: Path | None,
    mels_hash: str,
) -> Run:
    """The run folder, with the hashes of all inputs; an empty hash means that there is no such input."""
    paths = {"separator": inputs.separator, "init_from": inputs.init_from, "discriminators": discriminators}
    source_hashes = {
        "split": manifest.split_hash(corpora),
        **{name: hashing.sha256_of_file(path) if path else "" for name, path in paths.items()},
        "mels": mels_hash,
    }
    initial_step = int(model_file.metadata(inputs.init_from)["step"]) if inputs.init_from else 0
    return Run(out, config, SECTIONS, manifest.data_hash(corpora), source_hashes, initial_step)


def _initial_notes(inputs: VocoderInputs, config: Config, discriminators: Path | None) -> Iterator[str]:
    """Lines to print before the first step."""
    training = config.vocoder_training
    if inputs.init_from is not None and discriminators is None:
        consequence = "they start untrained" if training.adversarial else "training uses regression losses only"
        yield f"{inputs.init_from}: no discriminators with these settings beside it; {consequence}"
    if note := schedule.short_training_note(training.steps, training.warmup_steps, training.decay_steps):
        yield note


def _final_notes(task: VocoderTask, scores: Mapping[str, float]) -> Iterator[str]:
    """Lines to print after the last step."""
    yield f"vocoder: {task.path}"
    if task.validation_scores is not None and task.validation_scores.by_step:
        yield task.validation_scores.summary()
    if (level := scores.get("level", 0.0)) < MIN_LEVEL:
        yield (
            f"{task.path}: its output is {-level:.0f} dB below the recordings, so the training has not converged; "
            "train for more steps, or with a higher vocoder_training.learning_rate"
        )
