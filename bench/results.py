"""Rows of bench/results/MACHINE/*.csv and the tables made of them."""
import csv, math, os, re
from pathlib import Path

KEY = ("network", "peer", "precision", "mode", "batch", "threads")
# Milliseconds of one run of the whole batch, the least and the median of all rounds. peak_bytes: by how much the process grew from before the
# network was built; peak_resident_bytes: the most that the process held, its libraries included; planned_bytes: what fovea said before.
# `run`: when the call began; cells of one network and run were measured in turns. `status`: "ok", or why there is no time.
COLUMNS = KEY + ("least_ms", "median_ms", "rounds", "runs", "peak_bytes", "peak_resident_bytes", "planned_bytes", "status", "version", "run", "machine")
NETWORKS = ("resnet50", "vgg16", "densenet121", "mobilenet_v3_small", "efficientnet_b0", "convnext_tiny", "vit_b_16", "resnet18", "resnetv2_50")
TITLES = {"pytorch": "PyTorch", "onnxruntime": "ONNX Runtime", "openvino": "OpenVINO", "torchvision": "torchvision, Pillow", "fovea": "fovea"}


def title(peer):
    name, _, words = peer.partition("-")
    words = words.replace("channels-last", "channels last").replace("compile", "compiled").replace("compiled-", "compiled, ")
    words = words.replace("-bf16", ", weights bf16")
    return TITLES[name] + (", " + words if words else "")


class Results:
    """The rows of one file, by their key."""

    def __init__(self, path):
        self.path, self.rows = Path(path), {}
        if self.path.exists():
            with open(self.path, newline="") as file:
                for row in csv.DictReader(file):
                    self.rows[tuple(row[name] for name in KEY)] = row

    def put(self, row):
        """Takes a row in place of the one with its key and writes the file, beside and then renamed."""
        row = {name: str(row.get(name, "")) for name in COLUMNS}
        self.rows[tuple(row[name] for name in KEY)] = row
        self.path.parent.mkdir(parents=True, exist_ok=True)
        beside = self.path.with_name(self.path.name + ".partial")
        with open(beside, "w", newline="") as file:
            writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
            writer.writeheader()
            writer.writerows(self.rows[key] for key in sorted(self.rows, key=order))
        os.replace(beside, self.path)

    def find(self, **wanted):
        """Rows with these columns, in the order of the file; one without a time among them where it says why."""
        return [self.rows[key] for key in sorted(self.rows, key=order) if all(self.rows[key][name] == str(value) for name, value in wanted.items())]


def order(key):
    row = dict(zip(KEY, key))
    network = NETWORKS.index(row["network"]) if row["network"] in NETWORKS else len(NETWORKS)
    return network, row["network"], row["precision"], row["mode"], int(row["batch"]), int(row["threads"]), row["peer"] != "fovea", row["peer"]


def time_of(row):
    return float(row["least_ms"]) if row["status"] == "ok" else math.inf


def best(rows):
    """The fastest peer's row; None where no peer was measured."""
    rows = [row for row in rows if row["peer"] != "fovea" and row["status"] == "ok"]
    return min(rows, key=time_of, default=None)


def number(milliseconds):
    return f"{milliseconds:.0f}" if milliseconds >= 100 else f"{milliseconds:.1f}" if milliseconds >= 10 else f"{milliseconds:.2f}"


def ratio(fovea, peer):
    """The peer's time by fovea's, as text: "~" where they were not measured in turns."""
    return ("" if fovea["run"] == peer["run"] else "~") + f"{time_of(peer) / time_of(fovea):.2f}"


def markdown(head, rows):
    lines = ["| " + " | ".join(head) + " |", "| --- |" + " ---: |" * (len(head) - 1)]
    return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in rows]) + "\n"


def cell(row, fastest=None):
    if row is None:
        return ""
    if row["status"] != "ok":
        return row["status"].split(":")[0]
    return f"**{number(time_of(row))}**" if row is fastest else number(time_of(row))


class Comparison:
    """One network's rows: fovea's, the peers' and, of those, the fastest."""

    def __init__(self, network, rows):
        self.network, self.peers = network, {row["peer"]: row for row in rows}
        self.fovea, self.best = self.peers.get("fovea"), best(rows)
        self.measured = self.fovea is not None and self.fovea["status"] == "ok" and self.best is not None

    @property
    def factor(self):
        return time_of(self.best) / time_of(self.fovea)


def speed_table(results, what, precision, batch, threads, notes=None):
    """A row a network: fovea's time, each peer's, the best peer's by fovea's. Below it what fovea loses, with the word that `notes` has for it."""
    also = ("bf16", "f32") if (what, precision) == ("train", "bf16") else (precision,)  # training in bf16 is held against float32 too
    comparisons = []
    for network in dict.fromkeys(row["network"] for row in results.find()):
        rows = []
        for one in also if results.find(network=network, precision=precision, batch=batch, threads=threads) else ():
            for row in results.find(network=network, precision=one, batch=batch, threads=threads):
                if one == precision:
                    rows.append(row)
                elif row["peer"] != "fovea":
                    rows.append(dict(row, peer=row["peer"] + " f32"))
        comparisons.append(Comparison(network, rows))
    comparisons = [one for one in comparisons if one.peers]
    if not comparisons:
        return ""
    peers = sorted({peer for one in comparisons for peer in one.peers if peer != "fovea"}, key=lambda peer: (peer.endswith(" f32"), peer))
    rows = []
    for one in comparisons:
        times = [cell(one.peers.get(peer), one.best) for peer in peers]
        rows.append([one.network, cell(one.fovea)] + times + [ratio(one.fovea, one.best) if one.measured else ""])
    text = markdown(["network", "fovea"] + [title(peer.split(" ")[0]) + peer[len(peer.split(" ")[0]):] for peer in peers] + ["ratio"], rows)
    measured = [one.factor for one in comparisons if one.measured]
    if len(measured) > 1:
        text += f"\nGeometric mean of the ratios: {math.exp(sum(map(math.log, measured)) / len(measured)):.2f}.\n"
    losing = [f"- {one.network}: {title(one.best['peer'].split(' ')[0])} is faster, {ratio(one.fovea, one.best)}."
              + (" " + notes[what, precision, one.network] if notes and (what, precision, one.network) in notes else "")
              for one in comparisons if one.measured and one.factor < 0.995]
    return text + ("\nfovea loses:\n\n" + "\n".join(losing) + "\n" if losing else "")


def gigabytes(text):
    return f"{float(text) / 1e9:.2f}" if text else ""


def memory_table(results, precision, threads):
    """Of a training step. The peer is PyTorch with channels last, and the least that any way to run PyTorch takes."""
    rows = []
    for network in dict.fromkeys(row["network"] for row in results.find()):
        peers = {row["peer"]: row for row in results.find(network=network, precision=precision, mode="train", threads=threads) if row["status"] == "ok"}
        fovea, peer = peers.pop("fovea", None), peers.get("pytorch-channels-last")
        if not fovea or not peer:
            continue
        least = min(float(row["peak_bytes"]) for row in peers.values())
        own, planned = float(fovea["peak_bytes"]), float(fovea["planned_bytes"])
        rows.append([network, gigabytes(own), gigabytes(peer["peak_bytes"]), f"{own / float(peer['peak_bytes']):.2f}", gigabytes(least), f"{own / least:.2f}",
                     gigabytes(fovea["peak_resident_bytes"]), gigabytes(peer["peak_resident_bytes"]), gigabytes(planned), f"{100 * (planned / own - 1):+.1f} %"])
    head = ["network", "fovea", "PyTorch, channels last", "share", "least of PyTorch", "share", "fovea, resident", "PyTorch, resident", "fovea, planned", "off by"]
    return markdown(head, rows) if rows else ""


def threads_table(results):
    """fovea on one core and on more."""
    rows = []
    for network in dict.fromkeys(row["network"] for row in results.find()):
        for mode in ("infer", "train"):
            found = [row for row in results.find(network=network, mode=mode, peer="fovea") if row["status"] == "ok"]
            one = next((row for row in found if row["threads"] == "1"), None)
            for row in found:
                if one and row is not one:
                    rows.append([network, mode, row["precision"], row["threads"], number(time_of(one)), number(time_of(row)), ratio(row, one)])
    return markdown(["network", "mode", "precision", "cores", "one core", "all of them", "times as fast"], rows) if rows else ""


def batches_table(results):
    """fovea's milliseconds a picture by batch."""
    found = [row for row in results.find(peer="fovea", mode="infer") if row["status"] == "ok"]
    batches = sorted({int(row["batch"]) for row in found})
    rows = []
    for network, precision in dict.fromkeys((row["network"], row["precision"]) for row in found):
        times = {int(row["batch"]): time_of(row) / int(row["batch"]) for row in found if (row["network"], row["precision"]) == (network, precision)}
        last = times.get(batches[-1], math.nan) / times.get(1, math.nan) - 1
        rows.append([network, precision] + [number(times[batch]) if batch in times else "" for batch in batches] + [f"{100 * last:+.1f} %"])
    return markdown(["network", "precision"] + [f"batch {batch}" for batch in batches] + ["last against first"], rows) if rows else ""


def headline_table(folder, threads):
    """The ratios alone, a row a network."""
    columns = [("training step", "train", 16), ("inference, batch 1", "infer1", 1), ("inference, batch 32", "infer32", 32)]
    found = {what: Results(folder / f"{what}.csv") for _, what, _ in columns}
    rows = []
    for network in NETWORKS:
        row = [network]
        for _, what, batch in columns:
            one = Comparison(network, found[what].find(network=network, precision="f32", batch=batch, threads=threads))
            row.append(f"{ratio(one.fovea, one.best)} ({title(one.best['peer']).split(',')[0]})" if one.measured else "")
        peers = {row["peer"]: row for row in found["train"].find(network=network, precision="f32", threads=threads) if row["status"] == "ok"}
        both = [float(peers[name]["peak_bytes"]) for name in ("fovea", "pytorch-channels-last") if name in peers]
        row.append(f"{both[0] / both[1]:.2f}" if len(both) == 2 else "")
        if any(row[1:]):
            rows.append(row)
    return markdown(["network"] + [name for name, _, _ in columns] + ["memory of a step, of PyTorch's"], rows) if rows else ""


def machine_title(machine):
    """Processor, cores and the widest instructions of what machine.machine() says: processors of one name may have others."""
    processor, cores, *more = machine.split("; ")
    instructions = [one for one in more if one.startswith(("AVX", "AMX"))]
    return ", ".join([re.sub(r"\(R\)|\(TM\)| @.*", "", processor), cores] + instructions[-1:])


def machine_folder(machine):
    """What its folder in bench/results is called."""
    return re.sub(r"[^a-z0-9]+", "-", machine_title(machine).lower()).strip("-")


def machines_table(folder):
    """What the rows were measured on and with."""
    lines = {}
    for path in sorted(folder.glob("*/*.csv")):
        for row in Results(path).rows.values() if path.name != "notes.csv" else ():
            if row["status"] == "ok":
                lines.setdefault(row["machine"], set()).update(part.strip() for part in row["version"].split(","))
    return "".join(f"- {machine}: {', '.join(sorted(versions))}\n" for machine, versions in sorted(lines.items()))


def read_notes(path):
    """A word on cases that fovea loses: what, precision, network, note."""
    if not path.exists():
        return {}
    with open(path, newline="") as file:
        return {(row["what"], row["precision"], row["network"]): row["note"] for row in csv.DictReader(file)}


def tables(folder, threads):
    """Every table by its marker: one after the other for each machine."""
    made = {}
    for machine in sorted(path for path in Path(folder).iterdir() if path.is_dir()):
        title = next(machine_title(row["machine"]) for path in sorted(machine.glob("*.csv")) if path.name != "notes.csv" for row in Results(path).rows.values())
        for name, table in tables_of(machine, threads).items():
            made.setdefault(name, []).extend([title + ":\n\n" + table] if table else [])
    made = {name: "\n".join(parts) for name, parts in made.items()}
    made["machines"] = machines_table(Path(folder))
    return made


def tables_of(folder, threads):
    """A machine's tables by their markers."""
    made = {}
    notes = read_notes(folder / "notes.csv")
    for what, batch in (("train", 16), ("infer1", 1), ("infer32", 32), ("frozen", 16), ("start", 1), ("pictures", 1)):
        results = Results(folder / f"{what}.csv")
        for precision in ("f32", "bf16"):
            made[f"{what} {precision}"] = speed_table(results, what, precision, batch, 1 if what == "pictures" else threads, notes)
            if what == "train":
                made[f"memory {precision}"] = memory_table(results, precision, threads)
    made["threads"] = threads_table(Results(folder / "threads.csv"))
    made["batches"] = batches_table(Results(folder / "batches.csv"))
    made["headlines"] = headline_table(folder, threads)
    return made


def fill(text, made):
    """The text with each table between its markers, <!-- bench NAME --> and <!-- /bench NAME -->."""
    for name, table in made.items():
        begin, end = f"<!-- bench {name} -->\n", f"<!-- /bench {name} -->"
        if begin not in text:
            continue
        before, rest = text.split(begin, 1)
        if end not in rest:
            raise ValueError(f"'{begin.strip()}' without '{end}'")
        text = before + begin + (table or "Not measured yet.\n") + end + rest.split(end, 1)[1]
    return text
