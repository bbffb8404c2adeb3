"""The peer of bench/serve/run: FastAPI with ONNX Runtime, by uvicorn with uvloop and httptools. FOVEA_PEER is JSON: {"model": an ONNX file that `fovea export` wrote,
"threads": cores a picture, "calls": pictures at the same time}."""
import io, json, os, threading

import anyio.to_thread, numpy, onnxruntime
from fastapi import FastAPI, Request
from PIL import Image

SETTINGS = json.loads(os.environ["FOVEA_PEER"])
options = onnxruntime.SessionOptions()
options.intra_op_num_threads = SETTINGS["threads"]
session = onnxruntime.InferenceSession(SETTINGS["model"], options, providers=["CPUExecutionProvider"])
INPUT = session.get_inputs()[0].name
MEAN, DEVIATION = (numpy.array(values, numpy.float32) for values in ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)))
calls = threading.Semaphore(SETTINGS["calls"])
app = FastAPI()


def answer(body):
    with calls:
        picture = Image.open(io.BytesIO(body)).convert("RGB")
        scale = 256 / min(picture.size)
        picture = picture.resize([round(side * scale) for side in picture.size], Image.Resampling.BICUBIC)
        left, top = (picture.width - 224) // 2, (picture.height - 224) // 2
        pixels = numpy.asarray(picture.crop((left, top, left + 224, top + 224)), numpy.float32) / 255
        image = ((pixels - MEAN) / DEVIATION).transpose(2, 0, 1)[None]
        logits = session.run(None, {INPUT: numpy.ascontiguousarray(image)})[0][0]
    shares = numpy.exp(logits - logits.max())
    shares /= shares.sum()
    return {"classes": [{"index": int(i), "probability": float(shares[i])} for i in numpy.argsort(-shares)[:5]]}


@app.post("/predict")
async def predict(request: Request):
    return await anyio.to_thread.run_sync(answer, await request.body())
