"""What figures were measured with."""
import os, platform, subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def machine():
    processor = "unknown processor"
    for text in open("/proc/cpuinfo"):
        if text.startswith("model name"):
            processor = text.split(":", 1)[1].strip()
    flags = next((text for text in open("/proc/cpuinfo") if text.startswith("flags")), "").split()
    has = [title for flag, title in (("avx2", "AVX2"), ("avx512f", "AVX-512"), ("avx512_bf16", "AVX512-BF16"), ("amx_bf16", "AMX-BF16")) if flag in flags]
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    system = "Linux " + ".".join(platform.release().split(".")[:2])
    return f"{processor}; {len(os.sched_getaffinity(0))} cores; {'; '.join(has)}; {memory:.0f} GiB; {system}"


def fovea_version():
    """The last commit that touched the program; "changed" where the tree has more."""
    def git(*words):
        return subprocess.run(["git", "-C", ROOT, *words, "--", "src", "include"], capture_output=True, text=True).stdout.strip()
    return "fovea " + (git("log", "-1", "--format=%h") or "without a repository") + (" changed" if git("status", "--porcelain") else "")
