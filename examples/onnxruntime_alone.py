"""Speak a mel with ONNX Runtime alone: `python onnxruntime_alone.py speech-24k.onnx mel.npy spoken.wav`."""

import json
import sys
import wave

import numpy as np
import onnxruntime

model, mel_file, out = sys.argv[1:]
session = onnxruntime.InferenceSession(model)
says = session.get_modelmeta().custom_metadata_map
frames, info = json.loads(says["config"])["frames"], json.loads(says["info"])
mel = np.load(mel_file).astype(np.float32)[None]  # (1, bands, F)
if mel.shape[2] < info["min_frames"]:
    sys.exit(f"{mel_file}: {mel.shape[2]} frames; this vocoder needs {info['min_frames']}")
ahead = np.zeros((*mel.shape[:2], info["lookahead_frames"]), np.float32)  # brings out what waits for frames ahead
spoken, state = session.run(
    ["wave", "next_state"],  # to go on with a next chunk, give next_state as its state, and its place as first
    {
        "mel": np.concatenate([mel, ahead], axis=2),
        "state": np.zeros((1, info["state_size"]), np.float32),
        "first": np.array(0),
        "frames": np.array(mel.shape[2]),
    },
)
speech = spoken[0, info["lookahead_frames"] * frames["hop"] :]  # late by the lookahead
with wave.open(out, "wb") as file:
    file.setparams((1, 2, frames["sample_rate"], 0, "NONE", ""))
    file.writeframes(np.rint(speech * 32_768).clip(-32_768, 32_767).astype("<i2").tobytes())
