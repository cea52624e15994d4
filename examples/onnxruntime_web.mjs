// Synthesize a mel with ONNX Runtime for the web, here under Node, after `npm install onnxruntime-web`:
//
//     node onnxruntime_web.mjs speech-24k.onnx 29 mel.f32 speech.f32
//
// 29 is the vocoder's lookahead in mel frames. Both files hold float32: band after band of the mel, and samples.
import { readFileSync, writeFileSync } from "node:fs";
import * as ort from "onnxruntime-web";

const [model, lookahead, source, out] = process.argv.slice(2);
ort.env.wasm.numThreads = 1;
const session = await ort.InferenceSession.create(readFileSync(model));
const [bands, stateSize] = session.inputMetadata.slice(0, 2).map((input) => input.shape[1]);
const mel = new Float32Array(new Uint8Array(readFileSync(source)).buffer);
const frames = mel.length / bands;
const count = frames + Number(lookahead); // the output is delayed by the lookahead, so as many further frames bring out its end
const padded = new Float32Array(bands * count);
for (let band = 0; band < bands; band++) padded.set(mel.subarray(band * frames, (band + 1) * frames), band * count);
const { wave } = await session.run({
  mel: new ort.Tensor("float32", padded, [1, bands, count]),
  state: new ort.Tensor("float32", new Float32Array(stateSize), [1, stateSize]), // for a next chunk, next_state
  frame_offset: new ort.Tensor("int64", [0n], []),
  total_frames: new ort.Tensor("int64", [BigInt(frames)], []),
});
const hop = wave.dims[1] / count;
writeFileSync(out, wave.data.subarray(Number(lookahead) * hop)); // without the delay
