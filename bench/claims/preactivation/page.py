import page

TITLE = "Pre-activation optimizes better in very deep networks"
QUESTION = """He et al. 2016 (arXiv:1603.05027, figures 1, 4 and 6): with batch norm and ReLU in front of each convolution nothing stands on the way of the additions,
and very deep networks train faster and end better than with the ReLU behind the addition."""
SETUP = """Digits at 16 x 16; residual networks of 20, 56 and 110 layers (16, 32 and 64 channels) with the order of the first paper (convolution, batch norm, ReLU, the last
ReLU behind the addition) and of the second. Ten epochs of SGD with momentum 0.9, batches of 32, rate 0.02 with a tenth of warm-up and a cosine, weight decay 5e-4, no augmentation."""
DEPTHS, SERIES = (20, 56, 110), ("post-activation", "pre-activation")


def plot(results, figure):
    loss, error = figure.subplots(1, 2)
    for index, series in enumerate(SERIES):
        for depth, style in ((56, "--"), (110, "-")):
            page.line(loss, results, f"{series} {depth}", "epoch_loss", index, linestyle=style)
        page.line(error, results, series, "test_error", index, factor=100)
    loss.set(xlabel="epoch", ylabel="training loss, nats", yscale="log", ylim=(0.01, 40))
    loss.legend(ncol=2, loc="upper center", fontsize=8)
    error.set(xlabel="layers", ylabel="test error, %", ylim=(0, 60))
    error.legend()


def table(results):
    rows = [["layers", *(f"{series}, training loss" for series in SERIES), *(f"{series}, test error" for series in SERIES)]]
    for depth in DEPTHS:
        rows.append([str(depth)] + [results.told(series, depth, "train_loss", 4) for series in SERIES] +
                    [results.percent(series, depth, "test_error") for series in SERIES])
    return rows


def answer(results):
    said = []
    verdicts = []
    for depth in (56, 110):
        loss = results.difference((SERIES[0], depth), (SERIES[1], depth), "train_loss")
        error = results.difference((SERIES[0], depth), (SERIES[1], depth), "test_error")
        verdicts += [page.shown(loss), page.shown(error)]
        said.append(f"with {depth} layers by {loss[0]:.4f} ± {loss[1]:.4f} nats of training loss and {100 * error[0]:.1f} ± {100 * error[1]:.1f} points of test error")
    verdict = "It showed." if all(verdicts) else "It showed in part." if any(verdicts) else "It did not show at this size."
    failed = {series: sum(error > 0.05 for error in results.values(series, 110, "train_error")) for series in SERIES}
    return (f"**{verdict}** Pre-activation is better {' and '.join(said)} (mean and standard error of the seeds' differences). Of {results.seeds} networks of 110 layers "
            f"{failed['post-activation']} with post-activation and {failed['pre-activation']} with pre-activation still have more than 5 % of their training pictures wrong after ten epochs: "
            "what differs is whether a seed trains at all, which makes the means' difference large and uncertain. In the paper the difference is small at 110 layers and "
            "large at 1001; depths between are what two cores train in minutes.")
