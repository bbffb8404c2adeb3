import page

TITLE = "A ResNet behaves like an ensemble of shallow paths"
QUESTION = """Veit et al. 2016 (arXiv:1605.06431, figures 3 and 5): a block taken out of a trained plain network ruins it, since everything goes through it; a residual network
loses little, and with each further block a little more, as an ensemble does that loses members."""
SETUP = """Digits at 16 x 16; a plain and a residual network of 20 layers and a residual one of 56, trained as in the claim on depth; then blocks that do not change the maps' shape are taken out, each
alone, and 2 to 10 drawn at random (three draws a seed), without any training afterwards; the error is that of the 355 test pictures."""
SERIES = ("plain 20", "residual 20", "residual 56")


def plot(results, figure):
    one, several = figure.subplots(1, 2, sharey=True)
    for index, series in enumerate(SERIES):
        page.line(one, results, f"{series}, one block", "error_without", index, label=series, factor=100)
        page.line(several, results, series, "error_without", index, factor=100)
    one.set(xlabel="the block taken out", ylabel="test error, %")
    one.legend()
    several.set(xlabel="blocks taken out", ylabel="test error, %")
    several.legend()


def table(results):
    rows = [["network", "whole", "one block, mean", "one block, the worst", "2 blocks", "4 blocks", "10 blocks"]]
    for series in SERIES:
        there = results.xs(series, "error_without")
        rows.append([series, results.percent(series, 0, "error_without"), results.percent(series, 1, "error_without"), results.percent(series, 1, "worst_error")] +
                    [results.percent(series, count, "error_without") if count in there else "" for count in (2, 4, 10)])
    return rows


def answer(results):
    one = results.difference(("plain 20", 1), ("residual 20", 1), "error_without")
    deep = results.difference(("plain 20", 1), ("residual 56", 1), "error_without")
    verdicts = (page.shown(one), page.shown(deep))
    verdict = "It showed." if all(verdicts) else "It showed in part." if any(verdicts) else "It did not show."
    return (f"**{verdict}** Without one of its blocks the plain network's error goes from {results.percent('plain 20', 0, 'error_without')} to {results.percent('plain 20', 1, 'error_without')}, that of the residual one of "
            f"the same depth from {results.percent('residual 20', 0, 'error_without')} to {results.percent('residual 20', 1, 'error_without')}, and of the one of 56 layers from "
            f"{results.percent('residual 56', 0, 'error_without')} to {results.percent('residual 56', 1, 'error_without')}: the more blocks there are, the less each of them counts.")
