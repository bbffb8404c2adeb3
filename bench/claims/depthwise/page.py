import page

TITLE = "Depthwise separable convolution saves 1/N + 1/K^2"
QUESTION = """A depthwise K x K convolution and a pointwise one to N channels take 1/N + 1/K^2 of the multiply-adds of one dense K x K convolution
(Howard et al. 2017, arXiv:1704.04861, section 3.1). How much of that is saved in time, and what does it cost in accuracy (their table 4)?"""
SETUP = """Time: one convolution of N channels to N on maps of 8 x 8 with the ReLU behind it, separable ones with a ReLU between the two parts; 256/N
pictures a run, one at least, the least of all runs, less that of the network without it. Dense 3 x 3 convolutions may run as Winograd's, whose fewer
multiplications are not in the count. Accuracy: MNIST at 16 x 16, 2000 pictures, 4 epochs (SGD, rate 0.05); a first dense 3 x 3 convolution to 16
channels, then five to 24, 48, 48, 96 and 96, either all dense or all separable."""
TIMED = True
STYLE = dict(markersize=5, linewidth=1.6, capsize=2.5, elinewidth=1)
KERNELS, WIDTHS = (3, 5, 7), (16, 32, 64, 128, 256, 512)


def formula(kernel, width):
    return 1 / width + 1 / kernel ** 2


def plot(results, figure):
    share, accuracy = figure.subplots(1, 2)
    for index, kernel in enumerate(KERNELS):
        series = f"{kernel}x{kernel}"
        share.plot(WIDTHS, [100 * formula(kernel, width) for width in WIDTHS], color=page.COLORS[index], linestyle="--", linewidth=1.2)
        page.line(share, results, series, "time_share", index, label=f"{kernel} x {kernel}, time", factor=100, linestyle="none")
    share.plot([], [], color=page.COLORS[5], linestyle="--", linewidth=1.2, label="1/N + 1/K²")
    share.set(xscale="log", yscale="log", xlabel="N, channels", ylabel="share of the dense convolution, %", xticks=WIDTHS, xticklabels=WIDTHS)
    share.minorticks_off()
    share.set_ylim(bottom=min(0.8, share.get_ylim()[0]), top=80)
    share.set_yticks((2, 5, 10, 20, 50), ("2", "5", "10", "20", "50"))
    share.legend(fontsize=8.5)
    for index, kind in enumerate(("dense", "separable")):
        points = [(results.mean(f"{kind} {k}x{k}", k, "multiply_adds") / 1e6, 100 * results.mean(f"{kind} {k}x{k}", k, "test_accuracy"),
                   100 * results.spread(f"{kind} {k}x{k}", k, "test_accuracy")) for k in KERNELS]
        accuracy.errorbar(*zip(*points), label=f"{kind}; 3 x 3, 5 x 5, 7 x 7", color=page.COLORS[3 + index], marker=page.MARKERS[index], **STYLE)
    ticks = (0.5, 1, 2, 5, 10, 20)
    accuracy.set(xscale="log", xlabel="multiply-adds of the network, millions", ylabel="test accuracy, %", xticks=ticks, xticklabels=ticks)
    accuracy.minorticks_off()
    accuracy.legend(fontsize=8.5)


def table(results):
    rows = [["K", "1/N + 1/K², N = 512", "counted", "time, N = 512", "time, N = 64", "accuracy, dense", "accuracy, separable",
             "multiply-adds, millions, dense", "separable"]]
    for kernel in KERNELS:
        series = f"{kernel}x{kernel}"
        shares = [results.percent(series, width, measure) for width, measure in ((512, "counted_share"), (512, "time_share"), (64, "time_share"))]
        both = (f"dense {series}", f"separable {series}")
        rows.append([str(kernel), f"{100 * formula(kernel, 512):.1f} %"] + shares + [results.percent(kind, kernel, "test_accuracy") for kind in both] +
                    [f"{results.mean(kind, kernel, 'multiply_adds') / 1e6:.2f}" for kind in both])
    return rows


def answer(results):
    places = [(kernel, f"{kernel}x{kernel}", width) for kernel in KERNELS for width in WIDTHS]
    exact = all(abs(value - formula(kernel, width)) < 1e-6 for kernel, series, width in places for value in results.values(series, width, "counted_share"))
    error = lambda series, width: results.spread(series, width, "time_share") / results.seeds ** 0.5
    faster = all(page.shown((1 - results.mean(series, width, "time_share"), error(series, width))) for _, series, width in places)
    times = {kernel: [results.mean(f"{kernel}x{kernel}", width, "time_share") / formula(kernel, width) for width in WIDTHS] for kernel in KERNELS}
    pairs = {kernel: [(f"{kind} {kernel}x{kernel}", kernel) for kind in ("dense", "separable")] for kernel in KERNELS}
    costs = {kernel: results.difference(*pair, "test_accuracy") for kernel, pair in pairs.items()}
    whole = exact and faster
    verdict = "It showed in part." if not whole else "It showed." if max(times[3]) < 1.1 else "It showed: in multiply-adds exactly, in time in part."
    told = ", ".join(f"{100 * mean:.1f} ± {100 * error:.1f} for {kernel} x {kernel}" for kernel, (mean, error) in costs.items())
    spans = ", ".join(f"{min(of):.1f} to {max(of):.1f} times ({kernel} x {kernel})" for kernel, of in times.items())
    loses = "fewer multiply-adds cost accuracy" if any(page.shown(cost) for cost in costs.values()) else "no loss of accuracy shows"
    return (f"**{verdict}** What fovea counts is {'the formula to the last digit' if exact else 'not the formula'} for every K and N. The time that "
            f"is left is {spans} the share that the formula gives. Depthwise convolutions do little with each number that they read, "
            f"so that memory and not arithmetic bounds them, and the dense 3 x 3 ones have Winograd's way to save. In the small network {loses}: the "
            f"dense one is better by {told} points (mean and standard error of the seeds' differences).")
