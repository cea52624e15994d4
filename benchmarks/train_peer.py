"""Train a peer as our vocoders are trained: the same data, losses, discriminators, optimizer and schedule.

    python benchmarks/train_peer.py vocos-cut data runs/vocos-cut --speak data,unseen --config fast

leaves the peer's waves of the test clips in runs/vocos-cut/waves/vocos-cut, to be compared with any other system:

    basis-melgan compare ours.safetensors runs/vocos-cut/waves/vocos-cut --corpus data --out results/peers
"""

import sys
from pathlib import Path

import torch
from peers import FRAMES, PEERS
from safetensors.torch import save_file
from torch import Tensor, nn

from basis_melgan.audio import files
from basis_melgan.audio.mel import mel_spectrogram
from basis_melgan.cli.parser import arguments
from basis_melgan.config.schema import Config
from basis_melgan.corpus import manifest
from basis_melgan.corpus.datasets import SpeechCrops
from basis_melgan.errors import BasisMelGANError, ConfigurationError
from basis_melgan.models.bases.basis import SynthesisOutput
from basis_melgan.training.run import Run
from basis_melgan.training.trainer import build_fabric, fit
from basis_melgan.training.vocoder_task import VocoderTask

SECTIONS = ("seed", "discriminators", "stft_loss", "augmentation", "vocoder_training", "trainer")


class Peer(nn.Module):
    """A peer under the contract of our generators; it has no basis."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.net = PEERS[name]()
        self.basis = nn.Module()

    def muon_parameters(self) -> list[nn.Parameter]:
        """Matrices between hidden channels, as our generators name theirs: those of Vocos's backbone."""
        backbone = getattr(self.net, "backbone", nn.Module())
        return [layer.weight for layer in backbone.modules() if isinstance(layer, nn.Linear)]

    def forward(self, mel: Tensor) -> SynthesisOutput:
        """Mel (B, M, F) to wave (B, F·hop), without weights."""
        wave = self.net(mel).float()
        return SynthesisOutput(wave, wave.new_zeros(len(wave), 0, 0))


class PeerTask(VocoderTask):
    """Our training, of a peer."""

    @property
    def path(self) -> Path:
        """Where the peer's weights lie."""
        return self.run.folder / "peer.safetensors"

    def release(self, step: int) -> None:
        """Write the averaged peer aside, then rename."""
        aside = self.path.with_suffix(".part")
        save_file(self.average.module.state_dict(), aside)
        aside.rename(self.path)


def train_peer(peer: str, corpus: Path, out: Path, config: Config, speak: str = "", force: bool = False) -> None:
    """Train a peer on a prepared corpus and let it speak test clips.

    Args:
        peer: a name in `PEERS`.
        corpus: prepared corpus, or a folder of several.
        out: run folder.
        config: all settings.
        speak: prepared corpora, separated by commas, whose test clips it speaks when it is trained.
        force: start afresh, replacing what the run folder holds.
    """
    if peer not in PEERS:
        raise ConfigurationError(f"peer: {peer!r}; use one of {', '.join(PEERS)}")
    corpora = manifest.load(corpus)
    manifest.require_rate(corpora, config.frames.sample_rate)
    run = Run(out, config, SECTIONS, manifest.data_hash(corpora), {"split": manifest.split_hash(corpora)})
    fabric = build_fabric(config.trainer, config.seed)
    train, validation = (manifest.load_clips(corpora, split) for split in ("train", "validation"))
    task = PeerTask(SpeechCrops(train, config, None), validation, None, Peer(peer), run, fabric)
    fit(task, fabric, config.trainer, run, force)
    if fabric.is_global_zero:
        for folder in filter(None, speak.split(",")):
            _speak(task.average.module.eval().cpu(), Path(folder), out / "waves" / peer, config)


@torch.inference_mode()
def _speak(model: nn.Module, corpus: Path, out: Path, config: Config) -> None:
    corpora = manifest.load(corpus)
    manifest.require_rate(corpora, config.frames.sample_rate)
    for each in corpora:
        (out / each.name).mkdir(parents=True, exist_ok=True)
        for path, clip in manifest.load_clips([each], "test"):
            wave, rate = files.read(path)
            mel = torch.from_numpy(mel_spectrogram(wave, config.mel, config.frames))[None]
            spoken = model(mel).wave[0].numpy(force=True)
            files.write(out / each.name / f"{clip.id}.wav", spoken[: len(wave)], rate)


if __name__ == "__main__":
    try:
        found = arguments(train_peer, SECTIONS, sys.argv[1:])
        if found["config"].frames != FRAMES or found["config"].mel != "vocos":
            raise ConfigurationError("config: peers speak mels of vocos at a hop of 256; use --config fast")
        train_peer(**found)
    except BasisMelGANError as error:
        sys.exit(f"train_peer: {error}")
