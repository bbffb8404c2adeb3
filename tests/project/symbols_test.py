"""libfovea.so shows what the public headers mark with FOVEA_API, no more and no less. FOVEA_LIBRARY is its path."""
import os, re, subprocess, unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
NAME = r"(~?\w+|operator *[^\w\s(]+|operator *\(\))"


def public(text):
    """The functions and the classes' members that a header marks, without their namespace."""
    text = re.sub(r"//.*", "", text)
    functions = set(re.findall(r"^FOVEA_API [^;{]*?[\s*&]" + NAME + r"\(", text, re.MULTILINE))
    members = set()
    for kind in re.finditer(r"^(?:class|struct) FOVEA_API (\w+)[^{;]*\{(.*?)^\};", text, re.MULTILINE | re.DOTALL):
        name, body = kind.groups()
        members.update(f"{name}::{member}" for member in re.findall(NAME + r"\s*\(", body))
        members.add(f"{name}::~{name}")
    return functions, members


def unmarked(text):
    """The functions that a header only declares, without the mark."""
    text = re.sub(r"//.*", "", text)
    return re.findall(r"^(?!FOVEA_API|template|constexpr|inline|using)[A-Za-z][^;{}()]*?[\s*&]" + NAME + r"\([^;]*?\);", text, re.MULTILINE)


def exported(listing):
    """The names in what nm prints, without arguments: of a function "fovea::NAME", of a class's vtable and typeinfo its destructor's name."""
    names = set()
    for line in listing.splitlines():
        name = line.split(maxsplit=2)[2].replace("[abi:cxx11]", "")
        of_class = re.fullmatch(r"(?:vtable|typeinfo|typeinfo name) for (.*?)(\w+)", name)
        names.add(f"{of_class[1]}{of_class[2]}::~{of_class[2]}" if of_class else re.match(r"(.*?operator *\(\)|[^(]*)", name)[1])
    return names


def foreign(names, functions, members):
    return sorted(name for name in names if name.removeprefix("fovea::") not in functions | members or not name.startswith("fovea::"))


class SymbolsTest(unittest.TestCase):
    HEADER = """
    FOVEA_API std::vector<int> many(const Map& map,
                                    int n = {});  // a comment(with brackets)
    FOVEA_API Map operator+(Map a, Map b);
    class FOVEA_API Map : public Base {
     public:
      Map operator[](int index) const;
      int size() const { return 1; }
    };
    struct Plain {
      int count() const;
    };
    """.replace("\n    ", "\n")

    def test_what_a_header_marks_is_found(self):
        functions, members = public(self.HEADER)
        self.assertEqual(functions, {"many", "operator+"})
        self.assertEqual(members, {"Map::operator[]", "Map::size", "Map::~Map"})

    def test_what_lacks_the_mark_is_found(self):
        self.assertEqual(unmarked(self.HEADER), [])
        self.assertEqual(unmarked(self.HEADER.replace("FOVEA_API ", "")), ["many", "operator+"])
        self.assertEqual(unmarked("std::string text(std::span<const int> shape);\n"), ["text"])

    def test_no_public_function_lacks_the_mark(self):
        for path in sorted((ROOT / "include" / "fovea").glob("*.h")):
            self.assertEqual(unmarked(path.read_text()), [], path.name)

    def test_what_no_header_marks_is_found(self):
        listing = """0 T fovea::many[abi:cxx11](fovea::Map const&, int)
0 T fovea::Map::operator[](int) const
0 V vtable for fovea::Map
0 T fovea::engine::many()
0 T fovea::Map::Inside::size()
0 T fovea::Plain::count() const
0 V typeinfo for fovea::Plain
0 W std::vector<fovea::Map>::size()
0 T many
"""
        self.assertEqual(foreign(exported(listing), *public(self.HEADER)),
                         ["fovea::Map::Inside::size", "fovea::Plain::count", "fovea::Plain::~Plain", "fovea::engine::many", "many", "std::vector<fovea::Map>::size"])

    def test_the_library_shows_what_the_headers_mark(self):
        listing = subprocess.run(["nm", "--dynamic", "--defined-only", "--demangle", os.environ["FOVEA_LIBRARY"]], capture_output=True, text=True, check=True).stdout
        functions, members = public("\n".join(path.read_text() for path in sorted((ROOT / "include" / "fovea").glob("*.h"))))
        names = exported(listing)
        self.assertEqual(foreign(names, functions, members), [])
        self.assertEqual(sorted(functions - {name.removeprefix("fovea::") for name in names}), [])
        self.assertIn("fovea::Model::load", names)
        self.assertIn("fovea::Error::~Error", names)


unittest.main()
