"""The tables of bench/compare: from rows to Markdown, and into a document."""
import sys, tempfile, unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "bench"))
import results


def row(network, peer, least_ms, **more):
    return dict({"network": network, "peer": peer, "precision": "f32", "mode": "train", "batch": 16, "threads": 2, "least_ms": least_ms, "status": "ok",
                 "run": "monday", "peak_bytes": 2e9, "peak_resident_bytes": 3e9, "planned_bytes": "", "version": peer + " 1", "machine": "Some(R) Processor; 2 cores; AVX2; 8 GiB; Linux 6"}, **more)


class ResultsTest(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.path = Path(self.folder.name) / "train.csv"
        self.train = results.Results(self.path)

    def put(self, *args, **more):
        self.train.put(row(*args, **more))

    def table(self, precision="f32", notes=None):
        return results.speed_table(self.train, "train", precision, 16, 2, notes).splitlines()

    def test_a_row_replaces_the_one_with_its_key_and_stays_on_disk(self):
        self.put("vgg16", "fovea", 200.0)
        self.put("resnet50", "fovea", 100.0)
        self.put("resnet50", "fovea", 90.0)
        again = results.Results(self.path)
        self.assertEqual([(one["network"], one["least_ms"]) for one in again.find()], [("resnet50", "90.0"), ("vgg16", "200.0")])
        self.assertEqual(sorted(path.name for path in self.path.parent.iterdir()), ["train.csv"])

    def test_the_ratio_is_the_best_peers_time_by_foveas(self):
        self.put("resnet50", "fovea", 1000.0)
        self.put("resnet50", "pytorch", 2500.0)
        self.put("resnet50", "pytorch-channels-last", 1500.0)
        self.assertEqual(self.table(), ["| network | fovea | PyTorch | PyTorch, channels last | ratio |", "| --- | ---: | ---: | ---: | ---: |",
                                        "| resnet50 | 1000 | 2500 | **1500** | 1.50 |"])

    def test_peers_have_titles(self):
        self.assertEqual(results.title("pytorch-compile-channels-last-bf16"), "PyTorch, compiled, channels last, weights bf16")
        self.assertEqual(results.title("pytorch-compile"), "PyTorch, compiled")
        self.assertEqual(results.title("onnxruntime"), "ONNX Runtime")

    def test_rows_that_did_not_run_in_turns_are_marked(self):
        self.put("resnet50", "fovea", 1000.0)
        self.put("resnet50", "pytorch", 1500.0, run="tuesday")
        self.assertEqual(self.table()[2], "| resnet50 | 1000 | **1500** | ~1.50 |")

    def test_a_peer_without_a_time_says_why_and_is_never_the_best(self):
        self.put("resnet50", "fovea", 1000.0)
        self.put("resnet50", "openvino", "", status="unsupported: no training")
        self.put("resnet50", "pytorch", 1500.0)
        self.assertEqual(self.table()[2], "| resnet50 | 1000 | unsupported | **1500** | 1.50 |")

    def test_without_fovea_there_is_no_ratio(self):
        self.put("resnet50", "fovea", "", status="unsupported: bf16")
        self.put("resnet50", "pytorch", 1500.0)
        self.assertEqual(self.table()[2:], ["| resnet50 | unsupported | **1500** |  |"])

    def test_what_is_lost_is_told_with_its_note(self):
        for network, fovea in (("resnet50", 1000.0), ("vgg16", 3000.0)):
            self.put(network, "fovea", fovea)
            self.put(network, "pytorch", 1500.0)
        lines = self.table(notes={("train", "f32", "vgg16"): "Its classifier."})
        self.assertIn("Geometric mean of the ratios: 0.87.", lines)  # sqrt(1.5 * 0.5)
        self.assertEqual(lines[lines.index("fovea loses:") + 2:], ["- vgg16: PyTorch is faster, 0.50. Its classifier."])

    def test_training_in_bf16_is_held_against_float32_too(self):
        self.put("resnet50", "fovea", 600.0, precision="bf16")
        self.put("resnet50", "fovea", 100.0)
        self.put("resnet50", "pytorch", 1500.0, precision="bf16")
        self.put("resnet50", "pytorch", 900.0)
        self.assertEqual(self.table("bf16")[0], "| network | fovea | PyTorch | PyTorch f32 | ratio |")
        self.assertEqual(self.table("bf16")[2], "| resnet50 | 600 | 1500 | **900** | 1.50 |")

    def test_memory_is_held_against_channels_last_and_against_the_least(self):
        self.put("resnet50", "fovea", 1.0, peak_bytes=1.5e9, planned_bytes=1.53e9)
        self.put("resnet50", "pytorch-channels-last", 1.0, peak_bytes=3e9)
        self.put("resnet50", "pytorch", 1.0, peak_bytes=2e9)
        self.assertIn("| resnet50 | 1.50 | 3.00 | 0.50 | 2.00 | 0.75 | 3.00 | 3.00 | 1.53 | +2.0 % |", results.memory_table(self.train, "f32", 2))

    def test_each_machine_has_its_folder_and_its_tables(self):
        self.put("resnet50", "fovea", 1000.0)
        self.put("resnet50", "pytorch", 1500.0)
        folder = Path(self.folder.name) / "results"
        for machine in ("Some(R) Processor; 2 cores; AVX2; 8 GiB; Linux 6", "Other(TM) CPU @ 2.10GHz; 16 cores; 8 GiB; Linux 6"):
            own = results.Results(folder / results.machine_folder(machine) / "train.csv")
            for one in self.train.find():
                own.put(dict(one, machine=machine))
        self.assertEqual(sorted(path.name for path in folder.iterdir()), ["other-cpu-16-cores", "some-processor-2-cores-avx2"])
        made = results.tables(folder, 2)
        lines = made["train f32"].splitlines()
        self.assertEqual([line for line in lines if line.endswith(":")], ["Other CPU, 16 cores:", "Some Processor, 2 cores, AVX2:"])
        self.assertEqual(lines.count("| resnet50 | 1000 | **1500** | 1.50 |"), 2)
        self.assertEqual(made["infer1 f32"], "")
        self.assertIn("- Some(R) Processor; 2 cores; AVX2; 8 GiB; Linux 6: fovea 1, pytorch 1\n", made["machines"])

    def test_processors_of_one_name_with_other_instructions_have_folders_of_their_own(self):
        name = "Some(R) Processor; 2 cores; AVX2; AVX-512; AVX512-BF16"
        folders = [results.machine_folder(name + more + "; 8 GiB; Linux 6") for more in ("", "; AMX-BF16")]
        self.assertEqual(folders, ["some-processor-2-cores-avx512-bf16", "some-processor-2-cores-amx-bf16"])

    def test_tables_are_put_between_their_markers(self):
        text = "# Title\n<!-- bench one -->\nold\n<!-- /bench one -->\ntext\n<!-- bench two -->\n<!-- /bench two -->\n"
        filled = results.fill(text, {"one": "| new |\n", "two": "", "three": "nowhere"})
        self.assertEqual(filled, "# Title\n<!-- bench one -->\n| new |\n<!-- /bench one -->\ntext\n<!-- bench two -->\nNot measured yet.\n<!-- /bench two -->\n")
        self.assertEqual(results.fill(filled, {"one": "| new |\n"}), filled)
        with self.assertRaises(ValueError):
            results.fill("<!-- bench one -->\n", {"one": "| new |\n"})


if __name__ == "__main__":
    unittest.main()
