"""What compiling the library and the command costs stays within a budget, counted in what no neighbour and no cache changes (scripts/build_times): the lines that
the compiler reads, and the machine code that it writes. FOVEA_BUILD is the build folder."""
import importlib.machinery, importlib.util, os, unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LOADER = importlib.machinery.SourceFileLoader("build_times", str(ROOT / "scripts/build_times"))
SPEC = importlib.util.spec_from_loader("build_times", LOADER)
build_times = importlib.util.module_from_spec(SPEC)
LOADER.exec_module(build_times)

# A tenth above what it was when this was written; the server, most of it Boost.Beast, came later and adds 622,120 lines and 2,644,874 bytes.
MOST_LINES = 9_400_000
MOST_CODE = 11_350_000


class BuildCostTest(unittest.TestCase):
    def test_the_library_and_the_command_stay_within_the_budget(self):
        areas = build_times.measure(os.environ["FOVEA_BUILD"])
        rows = {area: row for area, row in areas.items() if area.startswith(("src/", "*_simd"))}
        self.assertGreater(len(rows), 15, "areas of the library")
        for what, most in (("lines", MOST_LINES), ("code", MOST_CODE)):
            total = sum(row[what] for row in rows.values())
            parts = ", ".join(f"{area} {row[what]}" for area, row in sorted(rows.items(), key=lambda item: -item[1][what]))
            self.assertLessEqual(total, most, f"{what}: {parts}")
            self.assertGreater(total, most // 2, f"{what}: the budget is far too large, or not everything was counted: {parts}")

    def test_an_object_file_belongs_to_the_folder_of_its_sources(self):
        known = {"src/backends/cpu", "src/ops", "tests/ops", "tests/cpu"}
        for output, area in (("CMakeFiles/fovea_objects.dir/Unity/unity_src_backends_cpu_0_cxx.cxx.o", "src/backends/cpu"),
                             ("CMakeFiles/fovea_objects.dir/src/ops/add.cpp.o", "src/ops"),
                             ("CMakeFiles/fovea_objects.dir/src/backends/cpu/depthwise_simd.cpp.o", "*_simd.cpp"),
                             ("tests/CMakeFiles/ops_test.dir/Unity/unity_tests_ops_1_cxx.cxx.o", "tests/ops"),
                             ("tests/CMakeFiles/cpu_test.dir/cpu/run_test.cpp.o", "tests/cpu"),
                             ("bench/claims/CMakeFiles/claim_ensemble.dir/ensemble/claim.cpp.o", "bench"),
                             ("CMakeFiles/elsewhere.dir/third/party.cpp.o", "other"),
                             ("libfovea.so.0.1.0", "linking")):
            self.assertEqual(build_times.area_of(output, known), area, output)


if __name__ == "__main__":
    unittest.main()
