import page

TITLE = "Pooling and stride cost localization"
QUESTION = """A map of stride 32 has one value for 32 x 32 pixels. Long et al. 2014 (arXiv:1411.4038, figure 4) saw segmentations get finer as features of smaller
stride were added. How exactly does a linear read-out find where an object lies?"""
SETUP = """Compositions of 224 x 224: a cut-out stamp, its longer side 48 pixels, at a random place on another one that is blurred beyond recognition; 320 to learn from and 100 of
other stamps to test on, both the seed's choice. tf_efficientnet_lite0 with its published weights gives the features: the ends of its stages blocks.1, blocks.2, blocks.4 and blocks.6, of stride 4, 8, 16
and 32. For each a ridge regression from one position's features to "the middle of the object lies in this cell"; the answer is the middle of the cell with the highest score (argmax).
Each kind of feature is also read on other grids: on coarser ones the map is averaged over 2 x 2, 4 x 4 or 8 x 8 positions and the read-out fitted anew, on finer ones the picture is moved by parts of the
stride under the network and the maps interleaved (Long et al., section 3.2), with the read-out as it is. "The grid alone": the middle of the cell that the object is in."""
STRIDES, GRID = (4, 8, 16, 32), "grid alone"


def plot(results, figure):
    error, hits = figure.subplots(1, 2)
    for axes, measure, factor in ((error, "median_error", 1), (hits, "hit_rate", 100)):
        for index, stride in enumerate(STRIDES):
            page.line(axes, results, f"stride {stride}", measure, index, factor=factor, label=f"features of stride {stride}")
        page.line(axes, results, GRID, measure, 5, factor=factor, label="the grid alone", linestyle="--")
        axes.set_xscale("log", base=2)
        axes.set_xticks(STRIDES, [str(stride) for stride in STRIDES])
        axes.set(xlabel="pixels from one cell of the grid to the next", ylim=(0, None))
    error.set(ylabel="median error, pixels")
    hits.set(ylabel="found within 8 pixels, %")
    figure.legend(*error.get_legend_handles_labels(), loc="outside upper center", ncols=5, fontsize=8.5, columnspacing=1.2, handlelength=1.6)


def table(results):
    rows = [["median error, pixels, on a grid of"] + [f"{grid}" for grid in STRIDES]]
    for name, series in [(f"features of stride {stride}", f"stride {stride}") for stride in STRIDES] + [("the grid alone", GRID)]:
        known = results.xs(series, "median_error")
        rows.append([name] + [results.told(series, grid, "median_error", 1) if grid in known else "" for grid in STRIDES])
    return rows


def answer(results):
    def error(stride, grid):
        return results.told(f"stride {stride}", grid, "median_error", 1)

    def worse(stride, coarse, fine):
        return page.shown(results.difference((f"stride {stride}", coarse), (f"stride {stride}", fine), "median_error"))

    coarser, finer = worse(16, 32, 16), worse(16, 16, 4) and worse(32, 32, 8)
    verdict = "It showed." if coarser and finer else "It showed in part." if coarser or finer else "It did not show at this size."
    own = [results.mean(f"stride {stride}", stride, "median_error") for stride in STRIDES]
    best = STRIDES[own.index(min(own))]
    text = (f"**{verdict}** With the features held fixed, the grid decides: those of stride 16 find the object to within {error(16, 4)} pixels (median) on a grid of 4, {error(16, 16)} on "
            f"their own and {error(16, 32)} pooled to 32; those of stride 32 to within {error(32, 32)} on their own grid, next to the {results.told(GRID, 32, 'median_error', 1)} that "
            f"the cells' size alone makes, and {error(32, 8)} on a grid of 8. ")
    if best != STRIDES[0]:
        text += (f"It is not the whole story: of the maps as they are, that of stride {best} is the best, while those of stride 4 and 8, with {error(4, 4)} and {error(8, 8)} pixels, are far from what "
                 f"their grids allow; pooled to 16 they get {error(4, 16)} and {error(8, 16)}. A position there sees at most 19 and 67 pixels, so one position alone can hardly tell the middle of an object of 48 from its rim. "
                 "A fine grid pays once the features see enough, which is why detectors and segmenters bring deep features to fine maps.")
    return text
