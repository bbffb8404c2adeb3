import copy, statistics

import page

TITLE = "Patches and attention need data or pretraining"
QUESTION = """Dosovitskiy et al. 2020 (arXiv:2010.11929, figures 3 and 4): a vision transformer knows nothing of neighbourhoods, so with little data convolutional networks are better; with
much, it catches up and passes them. Does the distance shrink with data, and with what was learned before?"""
SETUP = """MNIST at 28 x 28, 10 to 400 pictures a class, the seed's choice; tested on 1000. The transformer: patches of 7 x 7 (16 tokens), learned positions, four blocks of width 64 with four heads, the mean of
the tokens to the head. The convolutional network: 3 x 3 convolutions with batch norm, residual, 16 to 64 channels. AdamW with weight decay 0.05, batches of 32, a tenth of warm-up and a cosine down to
zero, 40, 30, 20 and 10 epochs, no augmentation; rate 0.003 for the convolutional network and for the transformer 0.002, the better of two that were tried on another seed.
Published weights of vision transformers are not in the package registries that this page's weights and pictures come from. In their place: "after digits" begins with what the same network learned in 12 epochs from the other set, 1437 digits of 8 x 8 by other
writers, brought to 28 x 28. That is pretraining on a small scale and on nearly the same task, so it says that knowledge can replace data, not what ImageNet's would bring."""
KINDS = ("ViT", "ConvNet")


def after(results):
    """Without what was measured before any picture of MNIST, which has no place on a logarithm."""
    rest = copy.copy(results)
    rest.rows = [row for row in results.rows if row["x"] > 0]
    return rest


def plot(results, figure):
    axes, gap = figure.subplots(1, 2)
    for index, series in enumerate(KINDS):
        page.line(axes, results, series, "test_accuracy", index, factor=100, label=f"{series}, from scratch")
        page.line(axes, after(results), f"{series} after digits", "test_accuracy", index, factor=100, label=f"{series}, after digits", linestyle="--")
    axes.set(xlabel="MNIST pictures a class", ylabel="test accuracy, %")
    for index, (suffix, label) in enumerate((("", "from scratch"), (" after digits", "after digits"))):
        xs = after(results).xs(f"ViT{suffix}", "test_accuracy")
        differences = [results.difference((f"ConvNet{suffix}", x), (f"ViT{suffix}", x), "test_accuracy") for x in xs]
        gap.errorbar(xs, [100 * mean for mean, _ in differences], [200 * error for _, error in differences], color=page.COLORS[2 + index], marker=page.MARKERS[2 + index], markersize=5, linewidth=1.6, capsize=2.5,
                     elinewidth=1, linestyle="--" if suffix else "-", label=label)
    gap.axhline(0, color=page.INK, linewidth=0.8)
    gap.set(xlabel="MNIST pictures a class", ylabel="ConvNet above ViT, points")
    xs = results.xs("ViT", "test_accuracy")
    for each in (axes, gap):
        each.set_xscale("log")
        each.set_xlim(xs[0] * 0.8, xs[-1] * 1.25)
        each.set_xticks(xs, [f"{x:.0f}" for x in xs])
        each.minorticks_off()
        each.legend(fontsize=9)


def table(results):
    names = ["ViT", "ConvNet", "ViT after digits", "ConvNet after digits"]
    rows = [["pictures a class"] + [f"{name}, test accuracy" for name in names]]
    for x in results.xs("ViT", "test_accuracy"):
        rows.append([f"{x:.0f}"] + [results.percent(name, x, "test_accuracy") if x in results.xs(name, "test_accuracy") else "" for name in names])
    return rows


def answer(results):
    xs = results.xs("ViT", "test_accuracy")
    few, many = xs[0], xs[-1]

    def gap(x):
        return results.difference(("ConvNet", x), ("ViT", x), "test_accuracy")

    behind = page.shown(gap(few))
    def gaps(x):
        return [left - right for left, right in zip(results.values("ConvNet", x, "test_accuracy"), results.values("ViT", x, "test_accuracy"))]

    closing = [left - right for left, right in zip(gaps(few), gaps(many))]
    shrinks = page.shown((statistics.fmean(closing), statistics.stdev(closing) / len(closing) ** 0.5 if len(closing) > 1 else 0))
    helps = page.shown(results.difference(("ViT after digits", few), ("ViT", few), "test_accuracy"))
    verdict = "It showed." if behind and shrinks and helps else "It showed in part." if behind or shrinks or helps else "It did not show at this size."
    millions = {kind: 1e-6 * results.mean(kind, 0, "multiply_adds") for kind in KINDS}
    thousands = {kind: 1e-3 * results.mean(kind, 0, "parameters") for kind in KINDS}
    text = (f"**{verdict}** With {few:.0f} pictures a class the transformer ({thousands['ViT']:.0f} k parameters, {millions['ViT']:.1f} M multiply-adds) gets {results.percent('ViT', few, 'test_accuracy')}, the "
            f"convolutional network ({thousands['ConvNet']:.0f} k, {millions['ConvNet']:.1f} M) {results.percent('ConvNet', few, 'test_accuracy')}; with {many:.0f} it is {results.percent('ViT', many, 'test_accuracy')} against "
            f"{results.percent('ConvNet', many, 'test_accuracy')}. ")
    text += (f"Training accuracy with {few:.0f} a class is {results.percent('ViT', few, 'train_accuracy')} and {results.percent('ConvNet', few, 'train_accuracy')}: "
             "what the transformer lacks is not capacity but the right guess about what it has not seen. ")
    too = page.shown(results.difference(("ConvNet after digits", few), ("ConvNet", few), "test_accuracy"))
    text += ((f"What was learned elsewhere stands in for data where there is little: " if helps else "What was learned on the other digits does not help for certain: ") +
             f"after those the transformer gets {results.percent('ViT after digits', few, 'test_accuracy')} with the same {few:.0f} a class, "
             f"and {results.percent('ViT after digits', 0, 'test_accuracy')} before it has seen any of MNIST; the convolutional network {results.percent('ConvNet after digits', few, 'test_accuracy')}"
             f"{', so it gains from it as well' if too else ''}. ")
    if page.shown(gap(many)):
        text += (f"The distance {'shrinks' if shrinks else 'stays'}, but at {many:.0f} pictures a class the convolutional network is still ahead. Where the transformer passes, at millions of pictures, is beyond this page.")
    return text
