import page

TITLE = "Shortcuts keep gradients stable"
QUESTION = """How does the size of the gradient change from the last layer to the first, in a plain network and in one with shortcuts? Batch norm keeps the *activations*
alike in every layer; whether it does so for the gradients is another question (Yang et al. 2019, arXiv:1902.08129, expect them to explode with depth in plain networks)."""
SETUP = """Networks of 56 layers for digits at 16 x 16 (16, 32 and 64 channels, batch norm); the norm of the loss's gradient by the weights of each of the 54 convolutions in the blocks,
of 130 training pictures, before training and after four epochs (SGD with momentum 0.9, rate 0.01, batches of 32). Gradients are those of `fovea::loss_gradients`."""
SERIES, TIMES = ("plain", "residual", "pre-activation"), ("at the start", "after 4 epochs")


def plot(results, figure):
    for axes, time in zip(figure.subplots(1, 2, sharey=True), TIMES):
        for index, series in enumerate(SERIES):
            page.line(axes, results, f"{series}, {time}", "log10_gradient_norm", index, label=series, markevery=6)
        axes.set(xlabel="convolution, first to last", title=time)
        axes.set_ylabel("log10 of the gradient's norm")
        axes.legend()


def table(results):
    rows = [["network", *(f"first layers' by last layers', {time}" for time in TIMES), *(f"deviation over layers, decades, {time}" for time in TIMES)]]
    for series in SERIES:
        rows.append([series] + [f"10^({results.told(f'{series}, {time}', 0, 'log10_ratio', 2)})" for time in TIMES] +
                    [results.told(f"{series}, {time}", 0, "log10_deviation", 2) for time in TIMES])
    return rows


def answer(results):
    verdicts = [page.shown(results.difference((f"plain, {time}", 0), (f"{series}, {time}", 0), "log10_deviation")) for time in TIMES for series in SERIES[1:]]
    verdict = "It showed." if all(verdicts) else "It showed in part." if any(verdicts) else "It did not show."
    start, later = TIMES
    return (f"**{verdict}** At the start the plain network's gradients are 10^({results.told(f'plain, {start}', 0, 'log10_ratio', 2)}) times as large in its first eight convolutions as in its last eight, "
            f"the residual one's 10^({results.told(f'residual, {start}', 0, 'log10_ratio', 2)}) times; after four epochs it is 10^({results.told(f'plain, {later}', 0, 'log10_ratio', 2)}) and "
            f"10^({results.told(f'residual, {later}', 0, 'log10_ratio', 2)}). With batch norm gradients of deep plain networks do not vanish, they grow towards the first layers: no one rate suits all of them.")
