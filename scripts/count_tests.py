#!/usr/bin/env python3
"""count_tests.py BUILD_DIRECTORY...: reads what ctest, GoogleTest and pytest wrote there and ends with "N passed, N failed".

Of each build, ctest.xml has one row for each program that ctest ran, test_results/NAME.xml the tests inside that program. A program that ended badly
without a failed test of its own (a crash, a time-out, a sanitizer's finding) counts as one failure.
"""
import os
import sys
import xml.etree.ElementTree as ElementTree


def inner_counts(path):
    """Tests passed, failed and skipped in one report of GoogleTest or pytest; None where there is none that can be read."""
    try:
        root = ElementTree.parse(path).getroot()
    except (OSError, ElementTree.ParseError):
        return None
    passed = failed = skipped = 0
    for case in root.iter("testcase"):
        if case.get("status") == "notrun":
            continue
        if case.find("failure") is not None:
            failed += 1
        elif case.get("result") == "skipped" or case.find("skipped") is not None:
            skipped += 1
        else:
            passed += 1
    return passed, failed, skipped


def counts(build):
    passed = failed = skipped = 0
    for case in ElementTree.parse(os.path.join(build, "ctest.xml")).getroot().iter("testcase"):
        good = case.get("status") == "run"
        inner = inner_counts(os.path.join(build, "test_results", case.get("name") + ".xml"))
        if inner is None:
            passed, failed = passed + good, failed + (not good)
            continue
        passed, failed, skipped = passed + inner[0], failed + inner[1], skipped + inner[2]
        if not good and inner[1] == 0:
            failed += 1
    return passed, failed, skipped


def main():
    totals = [sum(column) for column in zip(*map(counts, sys.argv[1:]))]
    passed, failed, skipped = totals
    print(f"{passed} passed, {failed} failed" + (f", {skipped} skipped" if skipped else ""))
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
