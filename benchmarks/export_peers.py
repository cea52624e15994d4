"""Export peer vocoders for `basis-melgan bench`, in float32 and int8, with random weights: for speed alone.

    python benchmarks/export_peers.py results/peers vocos hifigan-v1 hifigan-v2

writes results/peers/vocos.onnx, results/peers/vocos-int8.onnx and so on.
"""

import argparse
import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import torch
from onnxruntime import InferenceSession
from peers import BANDS, FRAMES, PEERS, MultiBandMelGAN, Vocos
from torch import nn
from torch.nn.utils import parametrize

from basis_melgan.config.schema import Config
from basis_melgan.export.onnx import OPSET, add_metadata, clean
from basis_melgan.export.quantize import quantizable_layers, quantize
from basis_melgan.inference.backend import Info
from basis_melgan.inference.onnx import seal
from basis_melgan.inference.reference_mel import reference_mel
from basis_melgan.models.cost import macs_per_frame, parameters

TOLERANCE = 1e-3  # largest difference between ONNX Runtime and PyTorch, relative to the peak sample
CALIBRATION_FRAMES = 256
FLOAT_LAYERS = ("head.atoms", "head.energy")  # Vocos's inverse STFT stays in float32


def main(out: Path, names: list[str]) -> None:
    """Export the named peers into a folder, each in float32 and int8."""
    out.mkdir(parents=True, exist_ok=True)
    for name in names:
        torch.manual_seed(0)
        model = PEERS[name]().eval()
        _remove_weight_norm(model)
        info = Info(
            name=name,
            config=Config(mel="vocos", frames=FRAMES),
            lookahead_frames=0,
            min_frames=1,
            state_size=0,
            parameters=parameters(model),
            macs_per_second=frame_cost(model) * FRAMES.sample_rate / FRAMES.hop,
            training_steps=0,
        )
        graph = export_graph(model, info)
        save(out / f"{name}.onnx", graph, info)
        mel = reference_mel(info, CALIBRATION_FRAMES)
        layers = quantizable_layers(graph)
        float_layers = [layer for layer in FLOAT_LAYERS if layer in layers]
        save(out / f"{name}-int8.onnx", quantize(graph, [{"mel": mel[None]}], float_layers), info, "int8")


def _remove_weight_norm(model: nn.Module) -> None:
    for module in model.modules():
        if parametrize.is_parametrized(module):
            parametrize.remove_parametrizations(module, "weight")
    if isinstance(model, MultiBandMelGAN):
        model.generator.remove_weight_norm()


def frame_cost(model: nn.Module) -> float:
    """Multiply-adds of one mel frame, without those of an inverse FFT, which are few."""
    with torch.inference_mode():
        return macs_per_frame(lambda frames: model(torch.zeros(1, BANDS, frames)))


def export_graph(model: nn.Module, info: Info) -> onnx.ModelProto:
    """The ONNX graph of a peer, mel to wave, checked against PyTorch."""
    mel = torch.from_numpy(reference_mel(info, 50))[None]
    with torch.inference_mode():
        expected = model(mel).numpy()
    if isinstance(model, Vocos):
        model.use_real_head()
    frames = {2: torch.export.Dim("mel_frames", min=8)}
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
    assert program is not None  # with dynamo=True it always returns the program
    graph = program.model_proto
    clean(graph)
    wave = InferenceSession(graph.SerializeToString()).run(None, {"mel": mel.numpy()})[0]
    error = np.abs(wave - expected).max() / np.abs(expected).max()
    if not error < TOLERANCE:
        raise SystemExit(f"{info.name}: ONNX Runtime differs from PyTorch by {error:.1e}, more than {TOLERANCE}")
    return graph


def save(path: Path, model: onnx.ModelProto, info: Info, precision: str = "float32") -> None:
    """Write a peer's file with its metadata."""
    del model.metadata_props[:]
    add_metadata(model, replace(info, precision=precision), "", kind="peer")
    path.write_bytes(seal(model.SerializeToString()))
    print(path, f"{path.stat().st_size / 1e6:.1f} MB")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path, help="folder for the exported files")
    parser.add_argument("peers", nargs="*", metavar="PEER", help=f"any of {', '.join(PEERS)}; all by default")
    options = parser.parse_args()
    if unknown := set(options.peers) - PEERS.keys():
        parser.error(f"no peer {', '.join(sorted(unknown))}; use any of {', '.join(PEERS)}")
    main(options.out, options.peers or list(PEERS))
