import page

TITLE = "Pretrained beats scratch on small data, and converges faster"
QUESTION = """He et al. 2018 (arXiv:1811.08883, figure 1) found that weights from ImageNet make a detector converge faster, that training from scratch catches up where data and time are
plenty, and that it does not where pictures are few. Kornblith et al. 2018 (arXiv:1805.08974) found the same of classifiers. How is it for a few dozen pictures?"""
SETUP = """Stamps at 96 x 96, 2, 4, 8 and all of each of twelve kinds (kinds that have fewer give what they have); tested on a quarter of each kind. tf_efficientnet_lite0, all of it trained from the first step, with new
weights and with the published ones: 16 epochs of SGD with momentum 0.9, batches of 8, a tenth of warm-up and a cosine down to zero, weight decay 5e-4, pictures mirrored every other time. The rate is 0.02
from scratch and 0.01 pretrained, each chosen from a few on another seed. "Head alone": the recipe probe, a logistic regression on the features of the published weights.
Learned: the first epoch whose training pictures were told rightly to 90 % as its steps saw them; 17 stands for none."""
SERIES = ("from scratch", "pretrained", "pretrained, head alone")


def plot(results, figure):
    amount, time = figure.subplots(1, 2)
    for index, series in enumerate(SERIES):
        page.line(amount, results, series, "test_accuracy", index, factor=100, label="pretrained, all trained" if series == "pretrained" else series)
    xs = results.xs("pretrained", "test_accuracy")
    amount.set_xscale("log")
    amount.set_xticks(xs, [f"{x:.0f}" for x in xs])
    amount.minorticks_off()
    amount.set(xlabel="training pictures of twelve kinds", ylabel="test accuracy, %", ylim=(0, 118), yticks=range(0, 101, 20))
    amount.legend(loc="upper left", fontsize=9)
    for index, series in enumerate(SERIES[:2]):
        page.line(time, results, series, "test_accuracy_by_epoch", index, factor=100)
    time.set(xlabel=f"epoch, {xs[-1]:.0f} pictures", ylabel="test accuracy, %", ylim=(0, 118), yticks=range(0, 101, 20), xticks=range(0, 17, 4))
    time.legend(loc="upper left", fontsize=9)


def table(results):
    rows = [["training pictures", "from scratch, test accuracy", "pretrained, all trained", "pretrained, head alone", "from scratch, epochs until learned", "pretrained, epochs until learned"]]
    for x in results.xs("pretrained", "test_accuracy"):
        rows.append([f"{x:.0f}"] + [results.percent(series, x, "test_accuracy") for series in SERIES] + [results.told(series, x, "epochs_to_learn", 1) for series in SERIES[:2]])
    return rows


def answer(results):
    xs = results.xs("pretrained", "test_accuracy")
    better = [x for x in xs if page.shown(results.difference(("pretrained", x), ("from scratch", x), "test_accuracy"))]
    head = [x for x in xs if page.shown(results.difference((SERIES[2], x), ("from scratch", x), "test_accuracy"))]
    faster = [x for x in xs if page.shown(results.difference(("from scratch", x), ("pretrained", x), "epochs_to_learn"))]
    beats = len(better) == len(xs) or len(head) == len(xs)
    verdict = "It showed." if beats and len(faster) == len(xs) else "It showed in part." if better or head or faster else "It did not show at this size."
    some, most = xs[0], xs[-1]

    def where(amounts):
        return "at every amount" if len(amounts) == len(xs) else f"with {' and '.join(f'{x:.0f}' for x in amounts)} pictures" if amounts else "at no amount"

    text = (f"**{verdict}** With all layers trained alike, the published weights end above new ones {where(better)}: {results.percent('pretrained', most, 'test_accuracy')} against "
            f"{results.percent('from scratch', most, 'test_accuracy')} with {most:.0f} pictures, {results.percent('pretrained', some, 'test_accuracy')} against "
            f"{results.percent('from scratch', some, 'test_accuracy')} with {some:.0f}. They learn their training pictures faster {where(faster)}, and with {most:.0f} pictures pass what training from "
            f"scratch ends with after {results.told('pretrained', most, 'epochs_to_scratch', 1)} epochs of 16. ")
    if head:
        text += (f"Better still is not to train the backbone at all: a head on the published features is above training from scratch {where(head)}, with {results.percent(SERIES[2], some, 'test_accuracy')} for {some:.0f} pictures and "
                 f"{results.percent(SERIES[2], most, 'test_accuracy')} for {most:.0f}. So few pictures are known by heart within a few epochs, and training everything also means batch norms that see eight pictures at a time; "
                 "this is why fovea's automatic recipe tries the head alone first. ")
    return text + "Training from scratch was not given the many more epochs that He et al. gave it, and has not converged here; chance is 8 %, answering with the largest kind 16 %."
