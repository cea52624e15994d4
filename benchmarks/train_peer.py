"""Train a peer vocoder with the data, losses, discriminators, optimizer and schedule of this package.

    python benchmarks/train_peer.py vocos-cut data runs/vocos-cut --synthesize data,unseen --config fast

writes the peer's waves of the test clips to runs/vocos-cut/waves/vocos-cut, for a comparison with other systems:

    basis-melgan compare ours.safetensors runs/vocos-cut/waves/vocos-cut --corpus data --out results/peers
"""

import sys
from pathlib import Path
from typing import cast

import torch
from peers import FRAMES, PEERS
from safetensors.torch import save as serialize
from torch import Tensor, nn

from basis_melgan.audio import files
from basis_melgan.audio.mel import mel_spectrogram
from basis_melgan.cli.parser import arguments
from basis_melgan.config.schema import Config
from basis_melgan.corpus import manifest
from basis_melgan.corpus.datasets import SpeechCrops
from basis_melgan.errors import BasisMelGANError, ConfigurationError
from basis_melgan.models.bases.basis import SynthesisOutput
from basis_melgan.models.model_file import AnyGenerator
from basis_melgan.storage.atomic import write_bytes
from basis_melgan.training.run import Run
from basis_melgan.training.trainer import build_fabric, fit
from basis_melgan.training.vocoder_task import VocoderTask

SECTIONS = ("seed", "discriminators", "stft_loss", "augmentation", "vocoder_training", "trainer")


class Peer(nn.Module):
    """A peer with the interface of the package's generators; it has no basis."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.net = PEERS[name]()
        self.basis = nn.Module()

    def muon_parameters(self) -> list[nn.Parameter]:
        """Matrices between hidden channels for Muon: those of Vocos's backbone."""
        backbone = getattr(self.net, "backbone", nn.Module())
        weights = (layer.weight for layer in backbone.modules() if isinstance(layer, nn.Linear))
        return [weight for weight in weights if isinstance(weight, nn.Parameter)]

    def forward(self, mel: Tensor) -> SynthesisOutput:
        """Mel (B, M, F) to wave (B, F·hop), without weights."""
        wave = self.net(mel).float()
        return SynthesisOutput(wave, wave.new_zeros(len(wave), 0, 0))


class PeerTask(VocoderTask):
    """The training of stage 2 with a peer as its generator."""

    @property
    def path(self) -> Path:
        """File of the peer's weights."""
        return self.run.folder / "peer.safetensors"

    def save_model(self, step: int) -> None:
        """Write the averaged peer atomically."""
        write_bytes(self.path, serialize(self.average.module.state_dict()))


def train_peer(peer: str, corpus: Path, out: Path, config: Config, synthesize: str = "", force: bool = False) -> None:
    """Train a peer on a prepared corpus and synthesize test clips with it.

    Args:
        peer: a name in `PEERS`.
        corpus: prepared corpus, or a folder of several.
        out: run folder.
        config: all settings.
        synthesize: prepared corpora, separated by commas, of the test clips to synthesize after the training.
        force: restart, replacing what the run folder holds.
    """
    if peer not in PEERS:
        raise ConfigurationError(f"peer: {peer!r}; use one of {', '.join(PEERS)}")
    corpora = manifest.load(corpus)
    manifest.require_rate(corpora, config.frames.sample_rate)
    run = Run(out, config, SECTIONS, manifest.data_hash(corpora), {"split": manifest.split_hash(corpora)})
    fabric = build_fabric(config.trainer, config.seed)
    train, validation = (manifest.load_clips(corpora, split) for split in ("train", "validation"))
    generator = cast(AnyGenerator, Peer(peer))  # it has all that the task asks of a generator
    task = PeerTask(SpeechCrops(train, config, None), validation, None, generator, run, fabric)
    fit(task, fabric, config.trainer, run, force)
    if fabric.is_global_zero:
        for folder in filter(None, synthesize.split(",")):
            _synthesize(task.average.module.eval().cpu(), Path(folder), out / "waves" / peer, config)


@torch.inference_mode()
def _synthesize(model: nn.Module, corpus: Path, out: Path, config: Config) -> None:
    corpora = manifest.load(corpus)
    manifest.require_rate(corpora, config.frames.sample_rate)
    for member in corpora:
        (out / member.name).mkdir(parents=True, exist_ok=True)
        for path, clip in manifest.load_clips([member], "test"):
            wave, rate = files.read(path)
            mel = torch.from_numpy(mel_spectrogram(wave, config.mel, config.frames))[None]
            estimate = model(mel).wave[0].numpy(force=True)
            files.write(out / member.name / f"{clip.id}.wav", estimate[: len(wave)], rate)


if __name__ == "__main__":
    try:
        settings = arguments(train_peer, SECTIONS, sys.argv[1:])
        if settings["config"].frames != FRAMES or settings["config"].mel != "vocos":
            raise ConfigurationError("config: peers take vocos mels at a hop of 256; use --config fast")
        train_peer(**settings)
    except BasisMelGANError as error:
        sys.exit(f"train_peer: {error}")
