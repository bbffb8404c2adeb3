import page

TITLE = "Large kernels, LayerNorm and GELU modernize a ConvNet"
QUESTION = """Liu et al. 2022 (arXiv:2201.03545, figure 2) turn a ResNet into a ConvNeXt one change at a time, and each change brings something on
ImageNet. What does each bring here, from the ResNet's bottleneck to the ConvNeXt block?"""
SETUP = """MNIST at 28 x 28, 100 pictures a class to learn from, which the seed draws; the other 4000 test. Patches of 2 x 2, two blocks on maps of 14
x 14, a 2 x 2 convolution of stride 2, two blocks on 7 x 7, a last norm; all else in the blocks: the bottleneck of 32 channels, 8 within (64 and 16 in
the second stage); its 3 x 3 convolution depthwise; 48 and 12 channels; inverted, 12 channels and 48 within; the depthwise convolution first; 5 x 5,
then 7 x 7 kernels; GELU for ReLU; one activation a block, between the 1 x 1 convolutions; one norm a block, behind the depthwise convolution; layer
norm for batch norm. Each step keeps those before it. 10 epochs of AdamW, batches of 16, rate 0.004, weight decay 0.05."""
STEPS = ("ResNet block", "depthwise", "wider", "inverted bottleneck", "depthwise first", "5x5", "7x7", "GELU", "one activation", "one norm",
         "LayerNorm")


def plot(results, figure):
    accuracy, cost = figure.subplots(1, 2, sharey=True, width_ratios=(1.7, 1))
    rows = range(len(STEPS))
    accuracy.errorbar([100 * results.mean(step, at, "test_accuracy") for at, step in enumerate(STEPS)], rows,
                      xerr=[100 * results.spread(step, at, "test_accuracy") for at, step in enumerate(STEPS)],
                      color=page.COLORS[0], marker="o", markersize=5, linewidth=1.6, capsize=2.5, elinewidth=1)
    accuracy.set(xlabel="test accuracy, %", yticks=rows, yticklabels=[step.replace("x", " x ") if step[0].isdigit() else step for step in STEPS])
    accuracy.invert_yaxis()
    cost.barh(rows, [results.mean(step, at, "multiply_adds") / 1e6 for at, step in enumerate(STEPS)], color=page.COLORS[1], height=0.6)
    cost.set(xlabel="multiply-adds, millions")
    cost.grid(False, axis="y")
    cost.set_axisbelow(True)


def change(results, at, before=None):
    """Points that a step brings over the one before, (mean, standard error)."""
    before = at - 1 if before is None else before
    return results.difference((STEPS[at], at), (STEPS[before], before), "test_accuracy")


def table(results):
    rows = [["block", "multiply-adds, millions", "parameters, thousands", "test accuracy", "change, points"]]
    for at, step in enumerate(STEPS):
        brings = f"{100 * change(results, at)[0]:+.1f} ± {100 * change(results, at)[1]:.1f}" if at else ""
        counted = [f"{results.mean(step, at, 'multiply_adds') / 1e6:.2f}", f"{results.mean(step, at, 'parameters') / 1e3:.1f}"]
        rows.append([step] + counted + [results.percent(step, at, "test_accuracy"), brings])
    return rows


def answer(results):
    named = {"large kernels": (6, 4), "GELU": (7, 6), "layer norm": (10, 9)}
    brings = {name: change(results, *pair) for name, pair in named.items()}
    whole, blocks = change(results, 10, 0), change(results, 10, 1)
    helped = [name for name, difference in brings.items() if page.shown(difference)]
    hurt = [name for name, (mean, error) in brings.items() if page.shown((-mean, error))]
    verdict = "It showed." if len(helped) == 3 and page.shown(whole) else "It showed in part." if helped else "It did not show at this size."
    told = ", ".join(f"{name} {100 * mean:+.1f} ± {100 * error:.1f}" for name, (mean, error) in brings.items())
    ups = [STEPS[at] for at in range(1, len(STEPS)) if page.shown(change(results, at))]
    downs = [STEPS[at] for at in range(1, len(STEPS)) if page.shown((-change(results, at)[0], change(results, at)[1]))]
    listed = lambda names: ", ".join(names) if names else "none"
    return (f"**{verdict}** Of what the claim names, points of accuracy: {told} (mean and standard error of the seeds' differences). Steps that "
            f"help: {listed(ups)}; that harm: {listed(downs)}. "
            f"The whole way from the ResNet block brings {100 * whole[0]:+.1f} ± {100 * whole[1]:.1f} points at "
            f"{results.mean(STEPS[10], 10, 'multiply_adds') / results.mean(STEPS[0], 0, 'multiply_adds'):.2f} times the multiply-adds, from the same "
            f"block with a depthwise convolution {100 * blocks[0]:+.1f} ± {100 * blocks[1]:.1f}. "
            f"On ImageNet the paper measured +0.7 points for 7 x 7 over 3 x 3 kernels, none for GELU and +0.1 for layer norm, a loss of 1.2 for "
            f"depthwise convolutions and a gain of 2.2 for the width that followed, all after 300 epochs with strong augmentation. Differences so "
            f"small are lost here, "
            f"and short training from few pictures suits batch norm: with layer norm the network is right on "
            f"{results.percent('LayerNorm', 10, 'train_accuracy')} of what it learned from, before that step on "
            f"{results.percent('one norm', 9, 'train_accuracy')}.")
