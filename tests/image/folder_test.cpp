// Scanning, splitting and listing folders.
#include "image/folder.h"

#include <map>
#include <set>
#include <sstream>

#include "support.h"

namespace fovea::image {
namespace {

class Folders : public testing::Test {
 protected:
  void put(const std::string& name) { write_bytes(folder_ / name, "x"); }
  std::string root() const { return folder_.path().string(); }
  std::string relative(const std::string& path) const { return path.substr(root().size() + 1); }
  // What is said about the folder, without where it lies.
  std::string error(const std::string& below = "") {
    const std::string path = below.empty() ? root() : root() + "/" + below;
    std::string message = message_of(ErrorKind::input, [&] {
      if (!scan_splits(path)) scan_folder(path);
    });
    EXPECT_EQ(message.find(root()), 0u) << message;
    return message.substr(root().size());
  }

  TemporaryFolder folder_;
};

TEST_F(Folders, AreSortedBytewise) {
  for (const char* name : {"b/2.jpg", "b/10.jpg", "a/z/1.png", "a/Z.png", "a/.hidden.png", ".git/x/y.png", "B c/\xC3\xA4.jpg", "README"})
    put(name);
  const Dataset dataset = scan_folder(root());
  EXPECT_EQ(dataset.classes, (std::vector<std::string>{"B c", "a", "b"}));
  std::vector<std::string> found;
  for (const Sample& sample : dataset.samples) found.push_back(std::to_string(sample.label) + " " + relative(sample.path));
  EXPECT_EQ(found, (std::vector<std::string>{"0 B c/\xC3\xA4.jpg", "1 a/Z.png", "1 a/z/1.png", "2 b/10.jpg", "2 b/2.jpg"}));
}

TEST_F(Folders, ErrorsNameWhatIsWrong) {
  put("loose.jpg");
  EXPECT_EQ(error("absent"), "/absent: no such folder");
  EXPECT_EQ(error("loose.jpg"), "/loose.jpg: not a folder");
  EXPECT_EQ(error(), ": no class folders in it; pictures lie in one folder a class");
  put("Rose/1.jpg");
  EXPECT_EQ(error(), ": one class only (\"Rose\"); a classifier needs two");
  std::filesystem::create_directories(folder_ / "tulip/empty");
  EXPECT_EQ(error(), "/tulip: class folder without pictures");
  put("tulip/1.jpg");
  put("rose/2.jpg");
  EXPECT_EQ(error(), ": classes \"Rose\" and \"rose\" differ only in case");
}

TEST_F(Folders, GivenSplitsShareTheClassesOfTrain) {
  for (const char* name : {"train/a/1", "train/b/1", "train/c/1", "valid/c/1", "valid/a/2", "test/b/3"}) put(name);
  const auto splits = scan_splits(root());
  ASSERT_TRUE(splits);
  EXPECT_EQ(splits->train.classes, (std::vector<std::string>{"a", "b", "c"}));
  EXPECT_EQ(splits->validation.classes, splits->train.classes);
  ASSERT_EQ(splits->validation.samples.size(), 2u);
  EXPECT_EQ(splits->validation.samples[0].label, 0);
  EXPECT_EQ(splits->validation.samples[1].label, 2);  // b is missing there, and c stays 2
  ASSERT_EQ(splits->test.samples.size(), 1u);
  EXPECT_EQ(splits->test.samples[0].label, 1);
  put("test/d/1");
  EXPECT_EQ(error(), "/test: \"d\" is none of the 3 known classes");
  put("val/a/1");
  EXPECT_EQ(error(), ": both val/ and valid/ are there for validation");
}

TEST_F(Folders, ClassesMayBeCalledTrain) {
  for (const char* name : {"train/1.jpg", "test/1.jpg"}) put(name);
  EXPECT_FALSE(scan_splits(root()));  // no folders in train/: pictures of trains
  put("bus/1.jpg");
  put("train/express/2.jpg");
  EXPECT_FALSE(scan_splits(root()));
  EXPECT_EQ(scan_folder(root()).classes, (std::vector<std::string>{"bus", "test", "train"}));
}

TEST_F(Folders, KnownClassesKeepTheirLabels) {
  for (const char* name : {"a/1", "c/1"}) put(name);
  const std::vector<std::string> known{"c", "b", "a"};  // a model's own order
  const Dataset dataset = scan_folder(root(), known);
  ASSERT_EQ(dataset.samples.size(), 2u);
  EXPECT_EQ(dataset.samples[0].label, 0);
  EXPECT_EQ(relative(dataset.samples[0].path), "c/1");
  EXPECT_EQ(dataset.samples[1].label, 2);
}

using Rows = std::vector<std::tuple<std::string, int32_t, std::string>>;

Rows rows_of(const Dataset& dataset) {
  Rows rows;
  for (const Sample& sample : dataset.samples) rows.emplace_back(sample.path, sample.label, sample.name);
  return rows;
}

TEST_F(Folders, AListGivesWhatTheFolderGives) {
  for (const char* name : {"b/2.jpg", "b/10.jpg", "a/z.png", "a/Z.png", "B c/\xC3\xA4.jpg", "a b/1"}) put(name);
  const Dataset dataset = scan_folder(root());
  EXPECT_EQ(dataset.samples.front().name, "B c/\xC3\xA4.jpg");
  std::vector<std::string> files;
  for (const Sample& sample : dataset.samples) files.insert(files.begin(), sample.path);
  std::swap(files[1], files[4]);
  const Dataset listed = scan_files(files);
  EXPECT_EQ(listed.classes, dataset.classes);
  EXPECT_EQ(rows_of(listed), rows_of(dataset));

  const std::vector<std::string> known{"b", "nothing", "a b", "a", "B c"};  // a model's own order
  EXPECT_EQ(rows_of(scan_files(files, known)), rows_of(scan_folder(root(), known)));
  files.erase(std::find(files.begin(), files.end(), root() + "/a b/1"));
  EXPECT_EQ(scan_files(files, known).classes, known);
}

TEST(FileLists, TakeTheClassFromTheFolderHoweverItIsSpelled) {
  const std::string here = std::filesystem::current_path().filename().string();
  const std::vector<std::string> files{"2.jpg", "./1.jpg", "x/../tulip/3.jpg", "other/tulip//3.jpg", here + "/../rose/1.jpg"};
  const Dataset dataset = scan_files(files);
  std::vector<std::string> classes{here, "rose", "tulip"};
  std::sort(classes.begin(), classes.end());
  EXPECT_EQ(dataset.classes, classes);
  std::map<std::string, std::string> names;
  for (const Sample& sample : dataset.samples) {
    EXPECT_EQ(sample.name.substr(0, sample.name.find('/')), classes.at(static_cast<size_t>(sample.label)));
    names[sample.path] = sample.name;
  }
  const std::map<std::string, std::string> expected{{files[0], here + "/2.jpg"},
                                                    {files[1], here + "/1.jpg"},
                                                    {files[2], "tulip/3.jpg"},
                                                    {files[3], "tulip/3.jpg"},  // another folder of that name
                                                    {files[4], "rose/1.jpg"}};
  EXPECT_EQ(names, expected);
  std::vector<std::string> reversed(files.rbegin(), files.rend());
  EXPECT_EQ(rows_of(scan_files(reversed)), rows_of(dataset));
}

TEST(FileLists, ErrorsNameTheFile) {
  const auto error = [](const std::vector<std::string>& files) { return message_of(ErrorKind::input, [&] { scan_files(files); }); };
  EXPECT_EQ(error({}), "a list without a picture");
  EXPECT_EQ(error({"a/1", "b/1", "a/1"}), "a/1: is given twice");
  EXPECT_EQ(error({"a/1", "b/1", "./c/../a/1"}), "./c/../a/1: is given twice, before as a/1");
  EXPECT_EQ(error({"a/1"}), "a/1: one class only (\"a\"); a classifier needs two");
  EXPECT_EQ(error({"a/1", "a/2", "x/a/1"}), "a/1 and 2 more: one class only (\"a\"); a classifier needs two");
  EXPECT_EQ(error({"rose/1", "tulip/1", "Rose/1"}), "rose/1 and 2 more: classes \"Rose\" and \"rose\" differ only in case");
  EXPECT_EQ(error({"a/1", "/1.jpg"}), "/1.jpg: does not lie in a folder that names its class");
  EXPECT_EQ(error({"a/1", "b/"}), "b/: does not lie in a folder that names its class");
  const std::vector<std::string> known{"a", "b"}, files{"a/1", "x/c/1"};
  EXPECT_EQ(message_of(ErrorKind::input, [&] { scan_files(files, known); }), "x/c/1: \"c\" is none of the 2 known classes");
}

using Texts = std::vector<std::string>;

// "NAME: REASON" of what is not used, below the root.
Texts told(const std::string& root, const std::vector<Unused>& unused) {
  Texts lines;
  for (const Unused& one : unused) {
    std::string reason = one.reason;
    for (size_t at; (at = reason.find(root + "/")) != reason.npos;) reason.erase(at, root.size() + 1);
    lines.push_back(one.path.substr(root.size() + 1) + ": " + reason);
  }
  return lines;
}

TEST_F(Folders, ListsOfPictures) {
  for (const char* name : {"b/2", "b/10", "a", ".x"}) put(name);
  std::vector<Unused> unused;
  const auto list = list_pictures(root(), unused);
  ASSERT_EQ(list.size(), 3u);
  EXPECT_EQ(relative(list[0]), "a");
  EXPECT_EQ(relative(list[1]), "b/10");
  EXPECT_EQ(told(root(), unused), Texts{".x: hidden"});
  EXPECT_EQ(list_pictures(root() + "/a", unused), std::vector<std::string>{root() + "/a"});
  EXPECT_EQ(list_pictures(std::vector<std::string>{root() + "/b", root() + "/a"}, unused).size(), 3u);
  EXPECT_EQ(message_of(ErrorKind::input, [&] { list_pictures(root() + "/c", unused); }), root() + "/c: no such file or folder");
  std::istringstream lines("x.jpg\r\n\n y z.jpg\nlast");
  EXPECT_EQ(read_list(lines), (std::vector<std::string>{"x.jpg", " y z.jpg", "last"}));
}

TEST_F(Folders, EveryEntryIsUsedOrListed) {
  for (const char* name : {"cat/1.png", "cat/.thumbs/x.png", "dog/2.png", "README", ".git/config", "elsewhere/3.png"}) put(name);
  std::filesystem::rename(folder_ / "elsewhere", folder_.path().parent_path() / (folder_.path().filename().string() + "-elsewhere"));
  const std::filesystem::path elsewhere = folder_.path().string() + "-elsewhere";
  std::filesystem::create_symlink("../gone.png", folder_ / "dog/link.png");
  std::filesystem::create_directory_symlink(elsewhere, folder_ / "cat/more");
  std::filesystem::create_directory_symlink(elsewhere, folder_ / "dog/again");
  std::filesystem::create_directory_symlink("..", folder_ / "cat/up");
  std::filesystem::create_directory_symlink("../cat", folder_ / "dog/cats");
  std::filesystem::create_directory_symlink(folder_.path(), elsewhere / "back");
  const Dataset dataset = scan_folder(root());
  Texts names;
  for (const Sample& sample : dataset.samples) names.push_back(sample.name);
  EXPECT_EQ(names, (Texts{"cat/1.png", "cat/more/3.png", "dog/2.png", "dog/link.png"}));
  Texts lines = told(root(), dataset.unused);
  std::ranges::sort(lines);
  EXPECT_EQ(lines, (Texts{".git: hidden", "README: beside the class folders, not in one", "cat/.thumbs: hidden",
                          "cat/more/back: a link to a folder that this one lies in", "cat/up: a link to a folder that this one lies in",
                          "dog/again: a link to a folder that is looked at already, cat/more",
                          "dog/cats: a link to a folder that is looked at already, cat"}));
  EXPECT_EQ(message_of(ErrorKind::input, [&] { read_image(root() + "/dog/link.png"); }),
            root() + "/dog/link.png: a link to ../gone.png, which is not there");
  EXPECT_EQ(lines_of(std::vector<Unused>{{"a", "hidden"}, {"b", "odd"}, {"c", "hidden"}, {"d", "hidden"}}, 2),
            (Texts{"not used: a, c and 1 more (hidden)", "not used: b (odd)"}));
  std::filesystem::remove_all(elsewhere);
}

TEST_F(Folders, SplitsAreToldByManyNames) {
  const auto news = [&](const char* first, const char* second) {
    for (const char* name : {"/a/1", "/b/1"}) {
      put(first + std::string(name));
      put(second + std::string(name));
    }
    put("notes.txt");
    const auto splits = scan_splits(root());
    std::string text =
        splits ? fmt::format("{} {} {}", splits->train.samples.size(), splits->validation.samples.size(), splits->test.samples.size())
               : "none";
    if (splits) {
      EXPECT_EQ(told(root(), splits->unused), Texts{"notes.txt: beside the folders of the splits"});
    }
    for (const std::string& line : splits ? splits->news : Texts()) text += line.substr(root().size());
    for (const char* name : {first, second}) std::filesystem::remove_all(folder_ / name);
    return text;
  };
  EXPECT_EQ(news("train", "val"), "2 2 0");
  EXPECT_EQ(news("Training", "Testing"), "2 0 2: its folders are taken for splits, Training/ for training, Testing/ for testing");
  EXPECT_EQ(news("Train", "Val"), "2 2 0: its folders are taken for splits, Train/ for training, Val/ for validation");
  EXPECT_EQ(news("train", "dev"), "2 2 0: its folders are taken for splits, train/ for training, dev/ for validation");
  EXPECT_EQ(news("TRAIN", "eval"), "2 2 0: its folders are taken for splits, TRAIN/ for training, eval/ for validation");
  EXPECT_EQ(news("train", "bus"), "none");
  for (const char* name : {"Test/a/1", "Test/b/1", "val/a/1", "val/b/1"}) put(name);
  EXPECT_EQ(error(), ": val/ and Test/ hold the same classes and are taken for validation and testing; there is no train/");
  put("val/c/1");  // not the same: two classes
  EXPECT_FALSE(scan_splits(root()));
}

Dataset dataset_of(const std::vector<size_t>& counts) {
  Dataset dataset;
  for (size_t label = 0; label < counts.size(); ++label) {
    dataset.classes.push_back(fmt::format("class{}", label));
    for (size_t i = 0; i < counts[label]; ++i)
      dataset.samples.push_back({fmt::format("class{}/{:03}.jpg", label, i), static_cast<int32_t>(label)});
  }
  return dataset;
}

std::vector<size_t> counts_of(const Dataset& dataset) {
  std::vector<size_t> counts(dataset.classes.size());
  for (const Sample& sample : dataset.samples) ++counts[static_cast<size_t>(sample.label)];
  return counts;
}

std::set<std::string> paths_of(const Dataset& dataset) {
  std::set<std::string> paths;
  for (const Sample& sample : dataset.samples) paths.insert(sample.path);
  return paths;
}

TEST(Split, TakesItsShareOfEveryClass) {
  const Dataset dataset = dataset_of({100, 17, 10, 3, 2, 1});
  const Splits splits = split(dataset, {.validation = 0.15, .test = 0.3, .seed = 1});
  EXPECT_EQ(counts_of(splits.test), (std::vector<size_t>{30, 5, 3, 1, 1, 0}));
  EXPECT_EQ(counts_of(splits.validation), (std::vector<size_t>{15, 3, 2, 1, 0, 0}));
  EXPECT_EQ(counts_of(splits.train), (std::vector<size_t>{55, 9, 5, 1, 1, 1}));
  std::set<std::string> all = paths_of(splits.train);
  for (const Dataset* part : {&splits.validation, &splits.test}) {
    for (const std::string& path : paths_of(*part)) EXPECT_TRUE(all.insert(path).second) << path << " twice";
  }
  EXPECT_EQ(all, paths_of(dataset));
}

TEST(Split, IsTheSameOnEveryMachine) {
  const Dataset dataset = dataset_of({10, 7});
  const Splits splits = split(dataset, {.validation = 0.2, .test = 0.3, .seed = 42});
  EXPECT_EQ(paths_of(splits.test),
            (std::set<std::string>{"class0/002.jpg", "class0/003.jpg", "class0/006.jpg", "class1/002.jpg", "class1/003.jpg"}));
  EXPECT_EQ(paths_of(splits.validation), (std::set<std::string>{"class0/007.jpg", "class0/009.jpg", "class1/005.jpg"}));
}

TEST(Split, TestPicturesStayWhenValidationChanges) {
  const Dataset dataset = dataset_of({30, 12});
  const auto test = paths_of(split(dataset, {.validation = 0.1, .test = 0.3, .seed = 2}).test);
  EXPECT_EQ(paths_of(split(dataset, {.validation = 0.4, .test = 0.3, .seed = 2}).test), test);
  EXPECT_NE(paths_of(split(dataset, {.validation = 0.1, .test = 0.3, .seed = 3}).test), test);
  EXPECT_TRUE(split(dataset, {}).validation.samples.empty());
}

TEST(Split, RefusesFractionsThatLeaveNothing) {
  const Dataset dataset = dataset_of({4, 4});
  EXPECT_EQ(message_of(ErrorKind::usage, [&] { split(dataset, {.validation = 0.5, .test = 0.5}); }),
            "fractions 0.5 for validation and 0.5 for test do not leave a part to train on");
  EXPECT_THROW(split(dataset, {.validation = -0.1}), Error);
  EXPECT_THROW(split(dataset, {.test = std::nan("")}), Error);
}

}  // namespace
}  // namespace fovea::image
