import page

TITLE = "Residuals help less where depth does not help"
QUESTION = """Shortcuts make deep networks trainable. Where a shallow network already solves the task, is anything left for them to gain?"""
SETUP = """Digits at 16 x 16: telling 0 from 1 (15 epochs), and all ten apart (6 epochs, which is short). Plain and residual networks of 8 to 44 layers, trained as in the claim on depth.
The best accuracy is that of the best depth of each seed."""
TASKS, DEPTHS = ("0 or 1", "ten digits"), (8, 20, 32, 44)


def plot(results, figure):
    for axes, task in zip(figure.subplots(1, 2, sharey=True), TASKS):
        for index, kind in enumerate(("plain", "residual")):
            page.line(axes, results, f"{kind}, {task}", "test_accuracy", index, label=kind, factor=100)
        axes.set(xlabel="layers", ylabel="test accuracy, %", title=task)
        axes.legend()


def table(results):
    rows = [["task", "network", *(f"{depth} layers" for depth in DEPTHS), "best depth"]]
    for task in TASKS:
        for kind in ("plain", "residual"):
            rows.append([task, kind] + [results.percent(f"{kind}, {task}", depth, "test_accuracy") for depth in DEPTHS] +
                        [results.percent(f"{kind}, {task}", 0, "best_accuracy")])
    return rows


def answer(results):
    gains = {task: results.difference((f"residual, {task}", 0), (f"plain, {task}", 0), "best_accuracy") for task in TASKS}
    depth = {task: results.difference((f"residual, {task}", 20), (f"residual, {task}", 8), "test_accuracy") for task in TASKS}
    easy, hard = TASKS
    verdict = "It showed." if not page.shown(gains[easy]) and gains[hard][0] > gains[easy][0] + 2 * (gains[hard][1] ** 2 + gains[easy][1] ** 2) ** 0.5 else \
        "It showed in part." if not page.shown(gains[easy]) else "It did not show."
    told = lambda pair: f"{100 * pair[0]:.1f} ± {100 * pair[1]:.1f}"
    return (f"**{verdict}** With the best depth of each, residual networks are {told(gains[easy])} points better at telling 0 from 1 and {told(gains[hard])} at all ten digits (mean and standard error of the seeds' differences); "
            f"going from 8 to 20 layers brings a residual network {told(depth[easy])} and {told(depth[hard])} points. Where eight plain layers are enough, shortcuts only undo the harm of depth that nobody asked for.")
