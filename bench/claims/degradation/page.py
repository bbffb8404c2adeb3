import page

TITLE = "Plain networks degrade with depth, shortcuts do not"
QUESTION = """He et al. 2015 (arXiv:1512.03385, figures 1 and 6): more layers of the same kind can only help what a network can express, yet plain networks
get a higher *training* error with depth, while residual ones do not."""
SETUP = """Digits at 16 x 16; the networks of the paper's section 4.2 (three stages of 3 x 3 convolutions with 16, 32 and 64 channels, batch norm) with and without the
additions, 20 to 110 layers, and stacks like VGG's (no batch norm, maxima between the stages). Ten epochs of SGD with momentum 0.9, batches of 32, rate 0.02 (0.01 for the stacks like VGG's) with a tenth
of warm-up and a cosine down to zero, weight decay 5e-4, no augmentation."""
DEPTHS = (20, 32, 56, 110)


def plot(results, figure):
    error, loss = figure.subplots(1, 2)
    for index, series in enumerate(("plain", "residual", "like VGG")):
        page.line(error, results, series, "train_error", index, factor=100)
    error.set(xlabel="layers", ylabel="training error, %", ylim=(0, 100))
    error.legend(loc="upper center")
    for index, series in enumerate(("plain 20", "residual 20", "plain 110", "residual 110")):
        page.line(loss, results, series, "train_loss", (0, 1, 3, 2)[index], linestyle="--" if "20" in series else "-")
    loss.set(xlabel="epoch", ylabel="training loss, nats", ylim=(0, 4))
    loss.legend(ncol=2, loc="upper center")


def table(results):
    rows = [["layers", "plain, training error", "residual, training error", "plain, test error", "residual, test error"]]
    for depth in DEPTHS:
        rows.append([str(depth)] + [results.percent(series, depth, measure) for measure in ("train_error", "test_error") for series in ("plain", "residual")])
    return rows


def answer(results):
    grows = page.shown(results.difference(("plain", 110), ("plain", 20), "train_error"))
    stays = not page.shown(results.difference(("residual", 110), ("residual", 20), "train_error"))
    better = page.shown(results.difference(("plain", 110), ("residual", 110), "train_error"))
    verdict = "It showed." if grows and stays and better else "It showed in part." if grows or better else "It did not show at this size."
    failed = {series: sum(error > 0.05 for error in results.values(series, 110, "train_error")) for series in ("plain", "residual")}
    vgg = results.xs("like VGG", "train_error")
    return (f"**{verdict}** From 20 to 110 layers the plain network's training error goes from {results.percent('plain', 20, 'train_error')} to "
            f"{results.percent('plain', 110, 'train_error')}, the residual one's from {results.percent('residual', 20, 'train_error')} to "
            f"{results.percent('residual', 110, 'train_error')}; with 110 layers {failed['plain']} of {results.seeds} plain ones and {failed['residual']} of {results.seeds} residual ones still have "
            f"more than 5 % of their training pictures wrong (the paper's 110 layers too needed a warm-up to begin to learn). Stacks like VGG's, which have no batch norm either, go from "
            f"{results.percent('like VGG', vgg[0], 'train_error')} with {vgg[0]:.0f} layers to {results.percent('like VGG', vgg[-1], 'train_error')} with {vgg[-1]:.0f}.")
