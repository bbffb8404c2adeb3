import page

TITLE = "Compound scaling beats scaling one dimension"
QUESTION = """A network gets better with more layers, with more channels and with larger pictures. Tan and Le 2019 (arXiv:1905.11946, figures 3 and 8)
say that each alone soon brings little, and that growing all three together brings more for the same multiply-adds. Does it here, from a small base?"""
SETUP = """MNIST, 100 pictures a class to learn from, which the seed draws; the other 4000 test. Inverted residual blocks (1 x 1 to four times the
channels, 3 x 3 depthwise, 1 x 1 back, batch norm and SiLU) in three stages. Base: two blocks a stage; 8, 16 and 32 channels; pictures of 10 x 10. For
about 2 and 4 times its multiply-adds: 4 and 8 blocks a stage; 12 and 18 channels at first; 14 x 14 and 21 x 21; or all together, 7 and 9 blocks, 9
and 10 channels, 12 x 12 and 13 x 13, which are the paper's 1.2, 1.1 and 1.15 to the power of 1 and 2 in whole numbers; the last takes somewhat less
than any single way. 10 epochs of SGD with momentum 0.9, batches of 16, rate 0.03."""
STYLE = dict(markersize=5, linewidth=1.6, capsize=2.5, elinewidth=1)
WAYS = ("depth", "width", "resolution", "compound")


def points(results, way, measure, factor=1.0):
    at = [("base", 1)] + [(way, times) for times in (2, 4)]
    return [(results.mean(*place, "multiply_adds") / 1e6, factor * results.mean(*place, measure), factor * results.spread(*place, measure))
            for place in at]


def plot(results, figure):
    accuracy, loss = figure.subplots(1, 2)
    for axes, measure, factor in ((accuracy, "test_accuracy", 100), (loss, "test_loss", 1)):
        for index, way in enumerate(WAYS):
            axes.errorbar(*zip(*points(results, way, measure, factor)), label=way, color=page.COLORS[index], marker=page.MARKERS[index], **STYLE)
        axes.set(xlabel="multiply-adds, millions", xscale="log", xticks=(0.4, 0.8, 1.6), xticklabels=(0.4, 0.8, 1.6))
        axes.minorticks_off()
    accuracy.set_ylabel("test accuracy, %")
    loss.set_ylabel("test loss, nats")
    accuracy.legend()


def table(results):
    rows = [["network", "multiply-adds, millions", "parameters, thousands", "test accuracy", "test loss", "training accuracy"]]
    for way, times in [("base", 1)] + [(way, times) for times in (2, 4) for way in WAYS]:
        counted = [f"{results.mean(way, times, 'multiply_adds') / 1e6:.2f}", f"{results.mean(way, times, 'parameters') / 1e3:.0f}"]
        rows.append([way if times == 1 else f"{way}, about {times} times"] + counted +
                    [results.percent(way, times, "test_accuracy"), results.told(way, times, "test_loss"), results.percent(way, times, "train_accuracy")])
    return rows


def answer(results):
    over = {way: results.difference(("compound", 4), (way, 4), "test_accuracy") for way in WAYS[:3]}
    gained = {way: results.difference((way, 4), ("base", 1), "test_accuracy") for way in WAYS}
    beaten = [way for way in over if page.shown(over[way])]
    beats = [way for way in over if page.shown((-over[way][0], over[way][1]))]
    verdict = "It showed." if len(beaten) == 3 else "It showed in part." if beaten and not beats else "It did not show at this size."
    told = lambda pairs: ", ".join(f"{100 * mean:+.1f} ± {100 * error:.1f} ({way})" for way, (mean, error) in pairs.items())
    rest = [f"better than {' and '.join(beaten)}" if beaten else "", f"worse than {' and '.join(beats)}" if beats else ""]
    rest = " and ".join(part for part in rest if part) or "neither better nor worse than any single way"
    why = "" if len(beaten) == 3 else (
        f" The base is right on {results.percent('base', 1, 'train_accuracy')} of what it learned from: a thousand pictures are what is missing more "
        f"than a larger network, whichever way it is made so. "
        "And figures of few strokes lose little at 10 x 10, so that resolution, which the paper's base was short of, has little to add.")
    return (f"**{verdict}** For about four times the base's multiply-adds accuracy changes by {told(gained)} points (mean and standard error of the "
            f"seeds' differences). Compound scaling is {rest}: its lead is {told(over)} points.{why}")
