"""docs/claims.md is what bench/claims/run --page makes of the stored results, and every plot of it is there."""
import sys, unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "bench" / "claims"))
import page


class ClaimsTest(unittest.TestCase):
    def test_the_page_is_that_of_the_results(self):
        self.assertEqual(page.PAGE.read_text(), page.text(), "bench/claims/run --page writes it anew")

    def test_every_claim_has_results_of_five_seeds_a_program_and_a_plot(self):
        for claim in page.CLAIMS:
            self.assertGreaterEqual(page.Results(claim).seeds, 5, claim)
            self.assertTrue((page.HERE / claim / "claim.cpp").exists(), claim)
            plot = (page.PLOTS / f"{claim}.svg").read_text()
            self.assertIn("prefers-color-scheme:dark", plot)
            for placeholder in (page.INK, page.FAINT):
                self.assertNotIn(placeholder, plot)

    def test_a_difference_shows_beyond_two_standard_errors(self):
        self.assertTrue(page.shown((0.03, 0.01)))
        self.assertFalse(page.shown((0.02, 0.01)))
        self.assertFalse(page.shown((-0.5, 0.01)))


unittest.main()
