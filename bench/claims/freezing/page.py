import statistics

import page

TITLE = "Freezing early layers reduces overfitting and compute when data is scarce"
QUESTION = """Yosinski et al. 2014 (arXiv:1411.1792, section 2 and figure 2): early layers are general and can be taken over as they are; where the new data is small, training them too invites
overfitting. What does the depth of the cut do to accuracy, loss, time and memory?"""
SETUP = """Stamps at 96 x 96, 2, 4 and all of each of twelve kinds; tested on a quarter of each kind. tf_efficientnet_lite0 from its published weights by the recipe finetune: the head is solved for first, then all that is not
frozen trains for 12 epochs, AdamW, batches of 12, rate 1e-3 for the head and falling to a hundredth of it at the stem, weight decay 0.05, no augmentation. Frozen is everything up to the end of a
stage, batch norms with their statistics; "all" leaves the head. Time: the least of the steps in one second of `fovea::bench`, in turns with the step that trains everything, on all cores, with the published head
of 1000 classes; memory: planned for a step of 12 pictures with SGD's momentum."""
TIMED = True
CUTS = ("none", "blocks.1", "blocks.3", "blocks.5", "all")
SIZES = ("2 a class", "4 a class", "all")


def plot(results, figure):
    accuracy, cost = figure.subplots(1, 2)
    for index, series in enumerate(SIZES):
        page.line(accuracy, results, series, "test_accuracy", index, factor=100, label=f"{series}, test" if series != "all" else "all (about 12), test")
    page.line(accuracy, results, SIZES[0], "train_accuracy", 5, factor=100, label=f"{SIZES[0]}, training", linestyle="--")
    accuracy.set(ylabel="accuracy, %", ylim=(0, 105))
    accuracy.legend(fontsize=8.5, loc="lower right", ncols=2, columnspacing=1)
    page.line(cost, results, "step", "time_share", 3, factor=100, label="time of a step")
    page.line(cost, results, "step, outputs kept", "time_share", 0, factor=100, label="time, frozen outputs kept", linestyle="--")
    full = results.mean("step", 0, "megabytes")
    page.line(cost, results, "step", "megabytes", 2, factor=100 / full, label="memory of a step")
    cost.set(ylabel="of the step that trains everything, %", ylim=(0, 110))
    cost.legend(fontsize=9)
    for axes in (accuracy, cost):
        axes.set_xticks(range(len(CUTS)), CUTS)
        axes.set(xlabel="frozen up to and including")


def table(results):
    rows = [["frozen up to", *(f"{size}, test accuracy" for size in SIZES), f"{SIZES[0]}, test loss", "all, test loss", "step, ms", "step, MB", "parameters trained"]]
    for x, cut in enumerate(CUTS):
        rows.append([cut] + [results.percent(size, x, "test_accuracy") for size in SIZES] + [results.told(size, x, "test_loss", 2) for size in (SIZES[0], SIZES[2])] +
                    [results.told("step", x, "milliseconds", 0), f"{results.mean('step', x, 'megabytes'):.0f}", f"{1e-6 * results.mean('step', x, 'trained_parameters'):.2f} M"])
    return rows


def gain(results, x, measure, sign):
    """(mean, standard error) of the difference to nothing frozen, over the seeds; of each the mean over the three amounts of data."""
    pairs = [[sign * (cut - none) for cut, none in zip(results.values(size, x, measure), results.values(size, 0, measure))] for size in SIZES]
    means = [statistics.fmean(of_seed) for of_seed in zip(*pairs)]
    return statistics.fmean(means), statistics.stdev(means) / len(means) ** 0.5 if len(means) > 1 else 0.0


def answer(results):
    last, early = len(CUTS) - 1, 2
    accuracy = [page.shown(gain(results, x, "test_accuracy", 1)) for x in range(len(CUTS))]
    loss = [page.shown(gain(results, x, "test_loss", -1)) for x in range(len(CUTS))]
    quicker = page.shown(results.difference(("step", 0), ("step", early), "time_share"))
    verdict = "It showed." if (accuracy[early] or loss[early]) and quicker else "It showed in part."

    def points(x):
        mean, error = gain(results, x, "test_accuracy", 1)
        return f"{100 * mean:+.1f} ± {100 * error:.1f} points"

    def sure(flags):
        cuts = [cut for cut, flag in zip(CUTS, flags) if flag]
        return f"shown for {', '.join(cuts)}" if cuts else "shown for no cut"

    text = (f"**{verdict}** Training pictures are known by heart at every cut ({results.percent(SIZES[0], 0, 'train_accuracy')} with nothing frozen, 2 a class), so the test pictures tell. Against nothing frozen, the mean over "
            f"the three amounts of data (± its standard error): {points(1)} of test accuracy frozen up to {CUTS[1]}, {points(early)} up to {CUTS[early]}, {points(3)} up to {CUTS[3]}, {points(last)} with the head alone; "
            f"{sure(accuracy)}. The test loss falls with the cut too, {sure(loss)}. ")
    if not accuracy[1] and accuracy[last]:
        text += (f"Freezing the earliest layers alone changes little: up to {CUTS[1]} they are {1e-3 * (results.mean('step', 0, 'trained_parameters') - results.mean('step', 1, 'trained_parameters')):.0f} k of "
                 f"{1e-6 * results.mean('step', 0, 'trained_parameters'):.1f} M parameters; what overfits is what lies above. ")
    text += "Part of the gain is that a frozen part's batch norms keep the statistics of ImageNet, where a trained one's see batches of a dozen pictures. "
    text += (f"Compute falls from the first cut on, since no gradient goes back past it: a step takes {results.told('step', 1, 'time_share', 0, 100)} % of the time when frozen up to {CUTS[1]}, "
             f"{results.told('step', early, 'time_share', 0, 100)} % up to {CUTS[early]} and {results.told('step', last, 'time_share', 0, 100)} % with the head alone; where the frozen part's outputs are kept, as training without "
             f"augmentation does, {results.told('step, outputs kept', 1, 'time_share', 0, 100)} %, {results.told('step, outputs kept', early, 'time_share', 0, 100)} % and "
             f"{results.told('step, outputs kept', last, 'time_share', 1, 100)} %. Memory falls from {results.mean('step', 0, 'megabytes'):.0f} MB to {results.mean('step', 1, 'megabytes'):.0f}, "
             f"{results.mean('step', early, 'megabytes'):.0f} and {results.mean('step', last, 'megabytes'):.0f} MB.")
    return text
