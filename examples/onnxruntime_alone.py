"""Synthesize a mel with ONNX Runtime alone: `python onnxruntime_alone.py speech-24k.onnx mel.npy speech.wav`."""

import json
import sys
import wave

import numpy as np
import onnxruntime

model, mel_file, out = sys.argv[1:]
session = onnxruntime.InferenceSession(model)
metadata = session.get_modelmeta().custom_metadata_map
frames, info = json.loads(metadata["config"])["frames"], json.loads(metadata["info"])
mel = np.load(mel_file).astype(np.float32)[None]  # (1, bands, F)
if mel.shape[2] < info["min_frames"]:
    sys.exit(f"{mel_file}: {mel.shape[2]} frames; this vocoder needs {info['min_frames']}")
# The output is delayed by the lookahead: as many further frames, of any values, bring out the end of the wave.
lookahead = np.zeros((*mel.shape[:2], info["lookahead_frames"]), np.float32)
delayed_wave, next_state = session.run(
    ["wave", "next_state"],  # for a next chunk, pass next_state as its state, and its first frame's index as offset
    {
        "mel": np.concatenate([mel, lookahead], axis=2),
        "state": np.zeros((1, info["state_size"]), np.float32),
        "frame_offset": np.array(0),
        "total_frames": np.array(mel.shape[2]),
    },
)
speech = delayed_wave[0, info["lookahead_frames"] * frames["hop"] :]
with wave.open(out, "wb") as file:
    file.setparams((1, 2, frames["sample_rate"], 0, "NONE", ""))
    file.writeframes(np.rint(speech * 32_768).clip(-32_768, 32_767).astype("<i2").tobytes())
