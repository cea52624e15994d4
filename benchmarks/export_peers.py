"""Export peers for `basis-melgan bench`, in floating point and in 8 bits, with random weights: for speed alone.

    python benchmarks/export_peers.py results/peers vocos hifigan-v1 hifigan-v2

leaves vocos.onnx and vocos-int8.onnx and so on.
"""

import argparse
import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import torch
from onnxruntime import InferenceSession
from peers import BANDS, FRAMES, PEERS, MultiBandMelGAN, RealHead, Vocos
from torch import nn
from torch.nn.utils import parametrize

from basis_melgan.config.schema import Config
from basis_melgan.export.onnx import OPSET, add_metadata, clean, reference_mel
from basis_melgan.export.quantize import chosen, quantize
from basis_melgan.inference.backend import Info
from basis_melgan.inference.onnx import sealed
from basis_melgan.models.cost import macs_per_frame, parameters

NEAR = 1e-3  # of the greatest sample, by which ONNX Runtime may differ from PyTorch
CALIBRATION = 256  # mel frames


def main(out: Path, names: list[str]) -> None:
    """Export peers into a folder."""
    out.mkdir(parents=True, exist_ok=True)
    for name in names:
        torch.manual_seed(0)
        model = PEERS[name]().eval()
        for module in model.modules():
            if parametrize.is_parametrized(module):
                parametrize.remove_parametrizations(module, "weight")
        if isinstance(model, MultiBandMelGAN):
            model.generator.remove_weight_norm()
        info = Info(
            name=name,
            config=Config(mel="vocos", frames=FRAMES),
            lookahead_frames=0,
            shortest=1,
            state_size=0,
            parameters=parameters(model),
            macs_per_second=cost(model) * FRAMES.sample_rate / FRAMES.hop,
            steps=0,
        )
        whole = graph(model, info)
        save(out / f"{name}.onnx", whole, info)
        mel = reference_mel(info, CALIBRATION)
        layers = chosen(whole, ())
        left = [layer for layer in ("head.signals", "head.energy") if layer in layers]
        save(out / f"{name}-int8.onnx", quantize(whole, [{"mel": mel[None]}], left), info, "int8")


def cost(model: nn.Module) -> float:
    """Multiply-adds of a mel frame; an inverse FFT's are not counted, as they are few."""
    with torch.inference_mode():
        return macs_per_frame(lambda frames: model(torch.zeros(1, BANDS, frames)))


def graph(model: nn.Module, info: Info) -> onnx.ModelProto:
    """The graph of a peer, mel → wave, which says what PyTorch says."""
    mel = torch.from_numpy(reference_mel(info, 50))[None]
    with torch.inference_mode():
        expected = model(mel).numpy()
    if isinstance(model, Vocos):
        model.head = RealHead(model.head)
    frames = {2: torch.export.Dim("frames_of_mel", min=8)}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        program = torch.onnx.export(
            model,
            (mel[:, :, :40],),
            dynamo=True,
            verbose=False,
            opset_version=OPSET,
            input_names=["mel"],
            output_names=["wave"],
            dynamic_shapes=(frames,),
        )
    found = program.model_proto
    clean(found)
    made = InferenceSession(found.SerializeToString()).run(None, {"mel": mel.numpy()})[0]
    off = np.abs(made - expected).max() / np.abs(expected).max()
    if not off < NEAR:
        raise SystemExit(f"{info.name}: ONNX Runtime is {off:.1e} away from PyTorch")
    return found


def save(path: Path, model: onnx.ModelProto, info: Info, precision: str = "float32") -> None:
    """Write a peer's file."""
    del model.metadata_props[:]
    add_metadata(model, replace(info, precision=precision), "", kind="peer")
    path.write_bytes(sealed(model.SerializeToString()))
    print(path, f"{path.stat().st_size / 1e6:.1f} MB")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path, help="folder for the exported files")
    parser.add_argument("peers", nargs="*", metavar="PEER", help=f"of {', '.join(PEERS)}; all unless given")
    given = parser.parse_args()
    if unknown := set(given.peers) - PEERS.keys():
        parser.error(f"no peer {', '.join(sorted(unknown))}; use of {', '.join(PEERS)}")
    main(given.out, given.peers or list(PEERS))
