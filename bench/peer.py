"""One cell of bench/compare: one network on one peer, alone in this process, by the Python of the peers.

    peer.py measure '{"peer": ..., "what": ..., "network": ..., "precision": ..., "batch": ..., "threads": ..., "seconds": ..., "models": ...}'
    peer.py start ...     the same cell: loads the network and names the class of "picture"; the process is what is timed
    peer.py export '{"network": ..., "format": "onnx", "openvino" or "torch", "models": ...}'
    peer.py enlarge '{"picture": ..., "to": ...}'

The last line of standard output is JSON: {"milliseconds": [...], "peak_bytes": ..., "version": ...}. A peer that cannot do what is asked exits
with status 3 and a sentence on standard error.
"""
import json, os, sys, time
from pathlib import Path

CLASSES, SIZE = 1000, 224
RATE, MOMENTUM = 1e-6, 0.9  # so small that the weights stay what they are: only the time counts
LEAST_RUNS = 3


class Unsupported(Exception):
    pass


def process_memory(what):
    """A line of /proc/self/status in bytes: VmRSS, what the process has now, or VmHWM, the most it ever had."""
    with open("/proc/self/status") as status:
        return next(1024 * int(line.split()[1]) for line in status if line.startswith(what))


class Memory:
    """By how much the process grew at most since this was made, libraries loaded before left out."""

    def __init__(self):
        with open("/proc/self/clear_refs", "w") as file:
            file.write("5")  # VmHWM counts from here on
        self.before = process_memory("VmRSS")

    def grown(self):
        return process_memory("VmHWM") - self.before


def timed(run, seconds, warm_ups):
    for _ in range(warm_ups):
        run()
    times, end = [], time.perf_counter() + seconds
    while len(times) < LEAST_RUNS or time.perf_counter() < end:
        start = time.perf_counter()
        run()
        times.append(1000 * (time.perf_counter() - start))
    return times


def torch_network(name):
    import torchvision
    if hasattr(torchvision.models, name):
        # transform_input and auxiliary outputs aside, these take a batch and give logits
        return torchvision.models.get_model(name, weights=None)
    import timm
    return timm.create_model(name, pretrained=False)


def linear_head(model):
    """The last linear layer and how to take it out: what is trained where the backbone is frozen."""
    import torch
    name, head = [(name, module) for name, module in model.named_modules() if isinstance(module, (torch.nn.Linear, torch.nn.Conv2d))][-1]
    parent = model.get_submodule(name.rpartition(".")[0])
    setattr(parent, name.rpartition(".")[2], torch.nn.Identity())
    return head


class Torch:
    """PyTorch: peer "pytorch", then "-compile" (inductor; inference with its weights frozen), "-channels-last", and for inference in bf16 "-bf16"
    (the weights too, in place of autocast)."""

    def __init__(self, cell):
        import torch
        self.torch, self.cell = torch, cell
        torch.set_num_threads(cell["threads"])
        torch.set_flush_denormal(True)
        torch.manual_seed(0)
        words = cell["peer"]
        self.compiled, self.channels_last, self.whole = "-compile" in words, "-channels-last" in words, words.endswith("-bf16")
        if self.compiled:
            import torch._inductor.config as inductor
            inductor.freezing = cell["what"] != "train"
        self.version = "torch " + torch.__version__
        if cell["what"] == "start":  # a user's program imports what it needs alone
            return
        import torchvision, timm  # before memory is counted
        self.version += ", torchvision " + torchvision.__version__ + (", timm " + timm.__version__ if cell["network"] == "resnetv2_50" else "")

    def layout(self, tensor):
        return tensor.contiguous(memory_format=self.torch.channels_last) if self.channels_last else tensor

    def build(self, model):
        if self.channels_last:
            model = model.to(memory_format=self.torch.channels_last)
        return model.bfloat16() if self.whole else model

    def compile(self, model):
        return self.torch.compile(model) if self.compiled else model

    def autocast(self):
        return self.torch.autocast("cpu", dtype=self.torch.bfloat16, enabled=self.cell["precision"] == "bf16" and not self.whole)

    def images(self):
        images = self.layout(self.torch.randn(self.cell["batch"], 3, SIZE, SIZE))
        return images.bfloat16() if self.whole else images

    def no_gradient(self):
        return self.torch.no_grad() if self.compiled else self.torch.inference_mode()  # inductor freezes weights under no_grad only

    def infer(self):
        model = self.compile(self.build(torch_network(self.cell["network"]).eval()))
        images = self.images()

        def run():
            with self.no_gradient(), self.autocast():
                model(images)
        return timed(run, self.cell["seconds"], 3)

    def predict(self):
        """As quick as it gets: no random start, weights mapped from the file."""
        import torchvision
        with self.torch.device("meta"):
            model = torchvision.models.get_model(self.cell["network"], weights=None).eval()
        model.load_state_dict(self.torch.load(model_file(self.cell, "torch"), mmap=True, weights_only=True), assign=True)
        image = Torchvision(self.cell).read()
        with self.torch.inference_mode():
            return self.build(model)(self.layout(image[None]))[0].tolist()

    def train(self):
        model = self.compile(self.build(torch_network(self.cell["network"]).train()))
        return self.steps(lambda images: model(images), model.parameters())

    def frozen(self):
        backbone = torch_network(self.cell["network"]).eval()
        head = linear_head(backbone)
        backbone = self.compile(self.build(backbone))

        def logits(images):
            with self.torch.no_grad():
                features = backbone(images)
            return head(features).flatten(1)
        return self.steps(logits, head.parameters())

    def steps(self, logits, parameters):
        optimizer = self.torch.optim.SGD(parameters, lr=RATE, momentum=MOMENTUM, fused=True)
        images, labels = self.images(), self.torch.arange(self.cell["batch"]) % CLASSES

        def step():
            optimizer.zero_grad()
            with self.autocast():
                loss = self.torch.nn.functional.cross_entropy(logits(images), labels)
            loss.backward()
            optimizer.step()
        return timed(step, self.cell["seconds"], 2)


class OnnxRuntime:
    def __init__(self, cell):
        import numpy, onnxruntime
        self.numpy, self.runtime, self.cell = numpy, onnxruntime, cell
        self.version = "onnxruntime " + onnxruntime.__version__
        if cell["precision"] != "f32":
            raise Unsupported("ONNX Runtime's CPU kernels for convolutions and matrix products have no " + cell["precision"])

    def predict(self):
        session = self.session()
        return session.run(None, {session.get_inputs()[0].name: read_with_numpy(self.cell["picture"])})[0][0].tolist()

    def infer(self):
        session = self.session()
        images = self.numpy.random.default_rng(0).standard_normal((self.cell["batch"], 3, SIZE, SIZE), dtype="float32")
        name = session.get_inputs()[0].name
        return timed(lambda: session.run(None, {name: images}), self.cell["seconds"], 3)

    def session(self):
        options = self.runtime.SessionOptions()
        options.graph_optimization_level = self.runtime.GraphOptimizationLevel.ORT_ENABLE_ALL
        options.intra_op_num_threads, options.inter_op_num_threads = self.cell["threads"], 1
        options.add_free_dimension_override_by_name("batch", self.cell["batch"])
        return self.runtime.InferenceSession(model_file(self.cell, "onnx"), options, providers=["CPUExecutionProvider"])


class OpenVino:
    def __init__(self, cell):
        import numpy, openvino
        self.numpy, self.openvino, self.cell = numpy, openvino, cell
        self.version = "openvino " + openvino.__version__.split("-")[0]

    def predict(self):
        compiled = self.compile(cache={"CACHE_DIR": os.path.join(self.cell["models"], "openvino_cache")})
        return compiled([read_with_numpy(self.cell["picture"])])[0][0].tolist()

    def compile(self, cache={}):
        core = self.openvino.Core()
        model = core.read_model(model_file(self.cell, "openvino"))
        model.reshape([self.cell["batch"], 3, SIZE, SIZE])
        return core.compile_model(model, "CPU", {"PERFORMANCE_HINT": "THROUGHPUT" if self.cell["batch"] > 1 else "LATENCY",
                                                 "INFERENCE_NUM_THREADS": self.cell["threads"],
                                                 "INFERENCE_PRECISION_HINT": self.cell["precision"], **cache})

    def infer(self):
        compiled, many = self.compile(), self.cell["batch"] > 1
        images = self.numpy.random.default_rng(0).standard_normal((self.cell["batch"], 3, SIZE, SIZE), dtype="float32")
        if not many:
            request = compiled.create_infer_request()
            request.set_input_tensor(self.openvino.Tensor(images))
            return timed(request.infer, self.cell["seconds"], 3)
        queue = self.openvino.AsyncInferQueue(compiled)  # as many requests at once as the mode wants
        requests = len(queue)
        for request in queue:
            request.set_input_tensor(self.openvino.Tensor(images))

        def run():
            for _ in range(requests):
                queue.start_async()
            queue.wait_all()
        return [milliseconds / requests for milliseconds in timed(run, self.cell["seconds"], 3)]


class Torchvision:
    """From a JPEG file to the normalized numbers, as torchvision's references do it with Pillow, on one core."""

    def __init__(self, cell):
        import PIL, torch, torchvision
        from PIL import Image
        self.torch, self.cell, self.image, self.version = torch, cell, Image, f"torchvision {torchvision.__version__}, Pillow {PIL.__version__}"
        steps = torchvision.transforms
        self.transform = steps.Compose([steps.Resize(256), steps.CenterCrop(SIZE), steps.ToTensor(),
                                        steps.Normalize((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))])

    def read(self):
        return self.transform(self.image.open(self.cell["picture"]).convert("RGB"))

    def infer(self):
        self.torch.set_num_threads(1)
        return timed(self.read, self.cell["seconds"], 3)


def read_with_numpy(path):
    """The same without torchvision: [1, 3, SIZE, SIZE]."""
    import numpy
    from PIL import Image
    photo = Image.open(path).convert("RGB")
    scale = 256 / min(photo.size)
    photo = photo.resize((int(photo.width * scale), int(photo.height * scale)), Image.Resampling.BILINEAR)
    left, top = (photo.width - SIZE) // 2, (photo.height - SIZE) // 2
    pixels = numpy.asarray(photo.crop((left, top, left + SIZE, top + SIZE)), dtype="float32") / 255
    return numpy.ascontiguousarray(((pixels - (0.485, 0.456, 0.406)) / (0.229, 0.224, 0.225)).transpose(2, 0, 1)[None].astype("float32"))


def enlarge(cell):
    """A photograph of four megapixels with all of its detail: the source beside its mirror images."""
    from PIL import Image, ImageOps
    photo = Image.open(cell["picture"]).convert("RGB")
    tiles = round((4e6 / (photo.width * photo.height)) ** 0.5)
    large = Image.new("RGB", (tiles * photo.width, tiles * photo.height))
    for row in range(tiles):
        for column in range(tiles):
            tile = ImageOps.mirror(photo) if column % 2 else photo
            large.paste(ImageOps.flip(tile) if row % 2 else tile, (column * photo.width, row * photo.height))
    large.save(cell["to"], quality=90)


def model_file(cell, form):
    return os.path.join(cell["models"], cell["network"] + {"onnx": ".onnx", "openvino": ".xml", "torch": ".pth"}[form])


def export(cell):
    """Writes the network for another peer, beside and then renamed. Weights are random, but the same at every export."""
    import torch
    torch.manual_seed(0)
    model = torch_network(cell["network"]).eval()
    images = torch.randn(2, 3, SIZE, SIZE)
    path = Path(model_file(cell, cell["format"]))
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name("partial_" + path.name)
    if cell["format"] == "torch":
        torch.save(model.state_dict(), beside)
    elif cell["format"] == "onnx":
        torch.onnx.export(model, (images,), beside, dynamo=True, external_data=False, verbose=False, input_names=["images"],
                          dynamic_shapes=({0: torch.export.Dim("batch")},))
    else:
        import openvino
        program = torch.export.export(model, (images,), dynamic_shapes=({0: torch.export.Dim("batch")},))
        openvino.save_model(openvino.convert_model(program), beside, compress_to_fp16=False)
        beside.with_suffix(".bin").rename(path.with_suffix(".bin"))
    beside.rename(path)


def peer_of(cell):
    kind = {"pytorch": Torch, "onnxruntime": OnnxRuntime, "openvino": OpenVino, "torchvision": Torchvision}[cell["peer"].split("-")[0]]
    return kind(cell)


def measure(cell):
    peer = peer_of(cell)
    work = {"train": "train", "frozen": "frozen"}.get(cell["what"], "infer")
    memory = Memory()
    times = getattr(peer, work)()
    return {"milliseconds": times, "peak_bytes": memory.grown(), "version": peer.version}


def start(cell):
    peer = peer_of(cell)
    logits = peer.predict()
    return {"class": logits.index(max(logits)), "version": peer.version}


def main():
    try:
        work = {"measure": measure, "start": start, "export": export, "enlarge": enlarge}[sys.argv[1]]
        print(json.dumps(work(json.loads(sys.argv[2])) or {}))
    except Unsupported as reason:
        print(reason, file=sys.stderr)
        sys.exit(3)


if __name__ == "__main__":
    main()
