import page

TITLE = "DenseNet reuses features, at a price in memory"
QUESTION = """In a DenseNet each layer reads what all layers before it made (Huang et al. 2016, arXiv:1608.06993). It is said to need fewer parameters
for the same accuracy (their figure 3), its layers to read early features as well as late ones (figure 5), and its training to need much memory, as
every layer's input is a concatenation of its own (section 4.3)."""
SETUP = """Accuracy: MNIST at 16 x 16, 1000 pictures, 8 epochs (SGD, rate 0.1). ResNet-20 of 4, 8 and 16 channels in the first stage; DenseNets as
deep, three blocks of six 3 x 3 layers with growth 4, 8 and 12, half of the channels passed on between blocks. The map shows how far the last block's
weights of growth 12 went from their random start in training, |w - w0| on average over the weights with which a layer reads a source; figure 5 has
|w|, which after so short a training is still the start's. Without reuse: the trained network of growth 12 with the weights set to zero with which
layers read others of their block than the one right before them. Memory: ResNet-50 and DenseNet-121 at 64 x 64 with 1000 classes, steps of SGD with
momentum on 32 pictures. "Every result" is the sum of all results of the forward pass, which is what is held where nothing is shared or computed
again; "held" is what fovea holds for the backward part of one picture alone; it computes norms, ReLUs and concatenations again where that is cheap,
the more of them the larger they are, and more within a limit (`--memory`), which in the last column leaves half of the room, or three quarters, for
what is no weight."""
TIMED = True
SMALL = (("ResNet", (4, 8, 16)), ("DenseNet", (4, 8, 12)))
STYLE = dict(markersize=5, linewidth=1.6, capsize=2.5, elinewidth=1)
LARGE = ("resnet50", "densenet121")
LAYERS = 6


def plot(results, figure):
    accuracy, reading = figure.subplots(1, 2)
    for index, (series, widths) in enumerate(SMALL):
        accuracy.errorbar([results.mean(series, x, "parameters") / 1e3 for x in widths], [100 * results.mean(series, x, "test_accuracy") for x in widths],
                          [100 * results.spread(series, x, "test_accuracy") for x in widths], label=series, color=page.COLORS[index],
                          marker=page.MARKERS[index], **STYLE)
    accuracy.set(xscale="log", xlabel="parameters, thousands", ylabel="test accuracy, %", xticks=(20, 50, 100, 200), xticklabels=(20, 50, 100, 200))
    accuracy.minorticks_off()
    accuracy.legend()
    change = lambda layer, source: 1000 * results.mean(f"layer {layer}", source, "mean_change") if source < layer else float("nan")
    changes = [[change(layer, source) for layer in range(1, LAYERS + 1)] for source in range(LAYERS)]
    cells = reading.pcolormesh(range(1, LAYERS + 1), range(LAYERS), changes, cmap="viridis")
    reading.grid(False)
    reading.set(xlabel="layer that reads", ylabel="source", xticks=range(1, LAYERS + 1), yticks=range(LAYERS),
                yticklabels=["block's input"] + [f"layer {i}" for i in range(1, LAYERS)])
    figure.colorbar(cells, ax=reading, label="mean |w - w0|, thousandths").outline.set_visible(False)


def table(results):
    rows = [["network", "parameters, thousands", "multiply-adds, millions", "test accuracy", "every result, MB a picture", "held, MB a picture",
             "step of 32, MB: planned", "measured", "measured within a limit"]]
    counted = lambda series, x: [f"{results.mean(series, x, 'parameters') / 1e3:.0f}", f"{results.mean(series, x, 'multiply_adds') / 1e6:.1f}"]
    held = lambda series, x: [f"{results.mean(series, x, measure) / 1e6:.2f}" for measure in ("all_results_bytes", "training_bytes")]
    for series, widths in SMALL:
        for x in widths:
            network = f"{series}-20 of width {x}" if series == "ResNet" else f"{series} of growth {x}"
            rows.append([network] + counted(series, x) + [results.percent(series, x, "test_accuracy")] + held(series, x) + [""] * 3)
    for name in LARGE:
        steps = ((32, "planned_bytes"), (32, "measured_bytes"), (leanest(results, name), "measured_bytes"))
        rows.append([name] + counted(name, 0) + [""] + held(name, 0) + [results.told(name, x, measure, 0, 1e-6) for x, measure in steps])
    return rows


def leanest(results, name):
    """The x of the strictest limit that could be kept: -50 is half of what values take."""
    return min((x for x in results.xs(name, "measured_bytes") if x < 0), key=abs, default=32)


def answer(results):
    pairs = [(("DenseNet", dense), ("ResNet", res)) for dense, res in ((4, 4), (8, 8), (12, 16))]
    better = [results.difference(a, b, "test_accuracy") for a, b in pairs]
    shown = sum(page.shown(difference) for difference in better)
    reused = page.shown(results.difference(("DenseNet", 12), ("DenseNet without reuse", 12), "test_accuracy"))
    each = lambda measure, x=0: [results.mean(name, x, measure) for name in LARGE]
    (res_all, dense_all), (res_held, dense_held), (res_adds, dense_adds) = each("all_results_bytes"), each("training_bytes"), each("multiply_adds")
    res_more, dense_more = each("bytes_a_picture")
    priced = dense_all / dense_adds > res_all / res_adds and dense_held > res_held
    not_worse = not page.shown((-better[2][0], better[2][1]))  # with fewer parameters
    whole = page.shown(better[0]) and page.shown(better[1]) and not_worse and reused and priced
    verdict = "It showed." if whole else "It showed in part." if shown or reused or priced else "It did not show at this size."
    ratios = [results.mean(*a, "parameters") / results.mean(*b, "parameters") for a, b in pairs]
    adds = max(results.mean(*a, "multiply_adds") / results.mean(*b, "multiply_adds") for a, b in pairs)
    paid = "What fovea computes again takes that price back" if dense_more < res_more else "What fovea computes again does not take that price back"
    told = ", ".join(f"{100 * mean:+.1f} ± {100 * error:.1f}" for mean, error in better)
    ratio = results.told("reading", 0, "farther_by_nearest", 2)
    return (f"**{verdict}** DenseNets of growth 4, 8 and 12 are {told} points of accuracy from the ResNets of 4, 8 and 16 channels (mean and "
            f"standard error over the seeds), with {ratios[0]:.2f}, {ratios[1]:.2f} and {ratios[2]:.2f} times their parameters, "
            f"but up to {adds:.1f} times their multiply-adds. In the "
            f"last block weights that read farther layers move {ratio} times as far as those that read the nearest one; without the former the "
            f"network of growth 12 is left with {results.percent('DenseNet without reuse', 12, 'test_accuracy')} of test accuracy. "
            f"Memory: each million multiply-adds of DenseNet-121 makes {1e3 * dense_all / dense_adds:.0f} KB of results, of ResNet-50 "
            f"{1e3 * res_all / res_adds:.0f} KB, and a picture's are {dense_all / res_all:.2f} times as large; alone it holds "
            f"{dense_held / res_held:.2f} times as much. "
            f"{paid}: from a batch of 8 to one of 32 a step grows by {dense_more / 1e6:.1f} MB a picture "
            f"for DenseNet-121 and by {res_more / 1e6:.1f} MB for ResNet-50.")
