import page

TITLE = "Addition against concatenation"
QUESTION = """ResNets add what a layer makes to what it got, DenseNets append it (He et al. 2015, arXiv:1512.03385; Huang et al. 2016,
arXiv:1608.06993, section 3). The same block built both ways: addition is said to be cheaper, in memory above all, concatenation to give richer
features. What does each cost by the number of layers, and what does it reach for the same multiply-adds?"""
SETUP = """A block of layers (batch norm, ReLU, 3 x 3 convolution) on maps of 14 x 14. Addition: 24 channels all along. Concatenation: 24 channels
come in and each layer appends 24 (as many new channels); or each appends g and 2 g come in, g = 15, 13, 10 and 8 for 2, 4, 8 and 16 layers, which
takes the multiply-adds of addition to within 7 %. Bytes are the block's activations of one picture: for inference the most at once, for training what
is held for the backward part. Times are the least of all runs of a batch of 8 through the network with the block. Accuracy: MNIST at 14 x 14, 2000
pictures, 5 epochs (SGD, rate 0.1), blocks on maps of 7 x 7 behind a first convolution of stride 2."""
TIMED = True
SERIES, LAYERS = ("addition", "concatenation of as many new channels", "concatenation at equal multiply-adds"), (2, 4, 8, 16)


def plot(results, figure):
    memory, time = figure.subplots(1, 2)
    for index, series in enumerate(SERIES):
        page.line(memory, results, series, "training_bytes", index, factor=1e-6)
        page.line(time, results, series, "training_milliseconds", index, factor=1 / 8)
    memory.set(ylabel="held for training, MB a picture")
    time.set(ylabel="step of training, ms a picture")
    for axes in (memory, time):
        axes.set(xscale="log", yscale="log", xlabel="layers in the block", xticks=LAYERS, xticklabels=LAYERS)
        axes.minorticks_off()
    memory.set_yticks((0.1, 0.2, 0.5, 1, 2), ("0.1", "0.2", "0.5", "1", "2"))
    memory.legend(fontsize=8.5)


def table(results):
    rows = [["layers, way", "channels at the end", "multiply-adds, millions", "inference, KB", "training, KB", "inference, ms", "training, ms",
             "test accuracy"]]
    for layers in LAYERS:
        for series in SERIES:
            figures = [f"{results.mean(series, layers, measure) / by:.{digits}f}" for measure, by, digits in
                       (("channels", 1, 0), ("multiply_adds", 1e6, 1), ("inference_bytes", 1e3, 0), ("training_bytes", 1e3, 0))]
            times = [results.told(series, layers, measure, 1) for measure in ("inference_milliseconds", "training_milliseconds")]
            trained = layers in results.xs(series, "test_accuracy")
            rows.append([f"{layers}, {series}"] + figures + times + [results.percent(series, layers, "test_accuracy") if trained else ""])
    return rows


def answer(results):
    addition, same, equal = SERIES
    ratio = lambda series, measure, layers: results.mean(series, layers, measure) / results.mean(addition, layers, measure)
    slower = page.shown(results.difference((equal, 16), (addition, 16), "training_milliseconds"))
    heavier = all(ratio(equal, measure, layers) > 1 for measure in ("training_bytes", "inference_bytes") for layers in LAYERS)
    better = {layers: results.difference((equal, layers), (addition, layers), "test_accuracy") for layers in LAYERS}
    richer = [layers for layers in LAYERS if page.shown(better[layers])]
    worse = [layers for layers in LAYERS if page.shown((-better[layers][0], better[layers][1]))]
    listed = lambda numbers: ", ".join(str(number) for number in numbers)
    verdict = "It showed." if heavier and slower and richer and not worse else "It showed in part." if heavier or slower else "It did not show."
    told = ", ".join(f"{100 * mean:+.1f} ± {100 * error:.1f}" for mean, error in better.values())
    gain = f"more accuracy shows with {listed(richer)} layers" if richer else "more accuracy does not show with any number of layers"
    gain += f", less with {listed(worse)}" if worse else ""
    why = "" if len(richer) == len(LAYERS) else (
        " With few layers little is appended, and the narrow input is all that there is to reuse; figures of few strokes need few kinds of features besides.")
    return (f"**{verdict}** With 16 layers and as many new channels, concatenation takes {ratio(same, 'multiply_adds', 16):.1f} times the "
            f"multiply-adds of addition, {ratio(same, 'training_bytes', 16):.1f} times the bytes for training and "
            f"{ratio(same, 'training_milliseconds', 16):.1f} times the time of a step: "
            f"its cost grows with the square of the layers. For equal multiply-adds it still takes {ratio(equal, 'training_bytes', 16):.1f} times "
            f"the bytes for training, {ratio(equal, 'inference_bytes', 16):.1f} times those for inference and "
            f"{ratio(equal, 'training_milliseconds', 16):.1f} times the time, "
            f"as every layer reads all channels before it. For that, {gain}: the differences with 2, 4, 8 and 16 layers are {told} points (mean and "
            f"standard error over the seeds).{why}")
