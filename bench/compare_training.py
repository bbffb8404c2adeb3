#!/usr/bin/env python3
"""Times one training step (SGD with momentum, float32, 224 x 224) of fovea and of PyTorch with channels-last memory, in turn, in processes of their own.

    bench/compare_training.py [--model resnet50] [--batch 16] [--rounds 3] [--seconds 15] [--threads 2]

Installs torch and torchvision into build/peers at the first run. Prints the least and the median step of every round and the ratio of the least ones.
"""
import argparse, json, os, statistics, subprocess, sys, venv
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PEERS = ROOT / "build" / "peers"

STEP = """
import json, sys, time, torch, torchvision
name, batch, seconds, threads = sys.argv[1], int(sys.argv[2]), float(sys.argv[3]), int(sys.argv[4])
torch.set_num_threads(threads)
model = torchvision.models.get_model(name).to(memory_format=torch.channels_last).train()
optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)
x = torch.randn(batch, 3, 224, 224).to(memory_format=torch.channels_last)
y = torch.randint(0, 1000, (batch,))
times, end = [], None
while end is None or time.perf_counter() < end:
    start = time.perf_counter()
    optimizer.zero_grad()
    torch.nn.functional.cross_entropy(model(x), y).backward()
    optimizer.step()
    if end is None:
        end = time.perf_counter() + seconds  # the first step warms up
    else:
        times.append(1000 * (time.perf_counter() - start))
import resource
print(json.dumps({"milliseconds": times, "peak_bytes": 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, "version": torch.__version__}))
"""


def peers_python():
    python = PEERS / "bin" / "python"
    if not python.exists():
        venv.create(PEERS, with_pip=True)
    if subprocess.run([python, "-c", "import torch, torchvision"], capture_output=True).returncode != 0:
        subprocess.run([python, "-m", "pip", "install", "--quiet", "torch", "torchvision"], check=True)
    return python


def torch_step(python, options):
    command = [python, "-c", STEP, options.model, str(options.batch), str(options.seconds), str(options.threads)]
    answer = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    times = answer["milliseconds"]
    return min(times), statistics.median(times), answer["peak_bytes"]


def fovea_step(options):
    command = [ROOT / "build" / "fovea", "bench", options.model, "--mode", "train", "--batch", str(options.batch), "--size", "224",
               "--seconds", str(options.seconds), "--threads", str(options.threads), "--json"]
    answer = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    return answer["milliseconds"]["least"], answer["milliseconds"]["median"], answer["peak_bytes"]["measured"]


def processor():
    for line in open("/proc/cpuinfo"):
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return "unknown processor"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="resnet50")
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=15)
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    options = parser.parse_args()
    python = peers_python()
    print(f"{options.model}, batch {options.batch}, {options.threads} threads, {processor()}")
    rows = {"PyTorch, channels-last": [], "fovea": []}
    for number in range(options.rounds):
        for name, step in (("PyTorch, channels-last", lambda: torch_step(python, options)), ("fovea", lambda: fovea_step(options))):
            least, median, peak = step()
            rows[name].append(least)
            print(f"round {number + 1}  {name:<24}{least:9.1f} ms least{median:9.1f} ms median{peak / 1e9:7.2f} GB", flush=True)
    theirs, mine = (min(rows[name]) for name in rows)
    print(f"fovea takes {mine / theirs:.2f} of PyTorch's time (least {mine:.1f} of {theirs:.1f} ms)")


if __name__ == "__main__":
    main()
