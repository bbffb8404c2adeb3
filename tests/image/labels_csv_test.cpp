// CSV files of pictures and labels.
#include "image/labels_csv.h"

#include "base/csv.h"
#include "support.h"

namespace fovea::image {
namespace {

TEST(Csv, AFieldIsReadAsItWasWritten) {
  for (const std::string field : {"plain", "a,b", "\"", "a\nb", "a\rb", " blank", "blank\t", "\xEF\xBB\xBFmark"}) {
    const std::vector<CsvRow> rows = read_csv("written", csv_field(field) + ",second\n");
    ASSERT_EQ(rows.size(), 1u) << field;
    EXPECT_EQ(rows[0].fields, (std::vector<std::string>{field, "second"}));
  }
}

class LabelsCsv : public testing::Test {
 protected:
  LabelsCsv() {
    for (const char* name : {"a.png", "b.png", "sub/c, d.png", "e\"f.png"}) write_bytes(folder_ / name, "x");
  }
  std::string csv(std::string_view text) {
    write_bytes(folder_ / "labels.csv", text);
    return (folder_ / "labels.csv").string();
  }
  // "name: labels" of every sample.
  std::vector<std::string> told(const Dataset& dataset) {
    std::vector<std::string> all;
    for (const Sample& sample : dataset.samples) {
      std::string text = sample.name + ":";
      for (int32_t label : labels_of(sample)) text += " " + dataset.classes[static_cast<size_t>(label)];
      EXPECT_EQ(std::filesystem::path(sample.path).lexically_normal(), folder_ / sample.name);
      all.push_back(std::move(text));
    }
    return all;
  }
  // What is said, without where the file lies.
  std::string error(std::string_view text) {
    const std::string path = csv(text), message = message_of(ErrorKind::input, [&] { read_labels_csv(path); });
    EXPECT_TRUE(message.starts_with(path + ": ")) << message;
    std::string rest = message.substr(path.size() + 2);
    const std::string root = folder_.path().string() + "/";
    for (size_t at; (at = rest.find(root)) != rest.npos;) rest.erase(at, root.size());
    return rest;
  }

  TemporaryFolder folder_;
};

using Told = std::vector<std::string>;

TEST_F(LabelsCsv, OneLabelAPictureIsOrdinaryClassification) {
  const Splits splits = read_labels_csv(csv("b.png,dog\na.png, cat \n\n\"sub/c, d.png\",\"dog\""));
  EXPECT_FALSE(splits.train.multi_label);
  EXPECT_EQ(splits.train.classes, (Told{"cat", "dog"}));
  EXPECT_EQ(told(splits.train), (Told{"a.png: cat", "b.png: dog", "sub/c, d.png: dog"}));
  EXPECT_EQ(splits.train.samples[0].label, 0);
  EXPECT_TRUE(splits.test.samples.empty());
}

TEST_F(LabelsCsv, SeveralLabelsInOneFieldOrInSeveral) {
  const Told expected{"a.png: cat dog", "b.png:", "e\"f.png: dog", "sub/c, d.png: bird, small cat"};
  for (const char* text : {"file,labels\r\na.png,dog;cat;dog\r\nb.png,\r\n\"e\"\"f.png\",dog\r\n\"sub/c, d.png\",\"bird, small; cat\"\r\n",
                           "\xEF\xBB\xBF"
                           "a.png,cat,dog\nb.png\n\"e\"\"f.png\",dog,\n\"sub/c, d.png\",cat,\"bird, small\"\n"}) {
    const Dataset dataset = read_labels_csv(csv(text)).train;
    EXPECT_TRUE(dataset.multi_label);
    EXPECT_EQ(dataset.classes, (Told{"bird, small", "cat", "dog"}));
    EXPECT_EQ(told(dataset), expected);
    EXPECT_EQ(dataset.samples[0].label, -1);
  }
}

TEST_F(LabelsCsv, AColumnAClass) {
  const Dataset dataset = read_labels_csv(csv("image,cat,dog\na.png,1,0\nb.png,1,1\n")).train;
  EXPECT_EQ(told(dataset), (Told{"a.png: cat", "b.png: cat dog"}));
}

TEST_F(LabelsCsv, AColumnSaysWhereAPictureBelongs) {
  const Splits splits =
      read_labels_csv(csv("file,split,label\na.png,train,cat\nb.png,val,dog\n\"sub/c, d.png\",train,dog\n\"e\"\"f.png\",TEST,cat\n"));
  EXPECT_EQ(told(splits.train), (Told{"a.png: cat", "sub/c, d.png: dog"}));
  EXPECT_EQ(told(splits.validation), (Told{"b.png: dog"}));
  EXPECT_EQ(told(splits.test), (Told{"e\"f.png: cat"}));
}

// "NAME: REASON" without where the file lies.
Told unused_of(const Splits& splits, const std::string& csv) {
  Told lines;
  for (const Unused& one : splits.unused) {
    EXPECT_TRUE(one.path.starts_with(csv + ": ")) << one.path;
    lines.push_back(one.path.substr(csv.size() + 2) + ": " + one.reason);
  }
  return lines;
}

TEST_F(LabelsCsv, ColumnsBesideTheLabelAreNotUsed) {
  const std::string path = csv("file,label,width,photographer\na.png,cat,40,Bob\nb.png,dog,40,Eve\n");
  const Splits splits = read_labels_csv(path);
  EXPECT_FALSE(splits.train.multi_label);
  EXPECT_EQ(told(splits.train), (Told{"a.png: cat", "b.png: dog"}));
  EXPECT_EQ(unused_of(splits, path),
            (Told{"column \"width\": not named as one of labels", "column \"photographer\": not named as one of labels"}));
  // Columns of labels by number are all taken, a label of 0 and 1 is a class like any other.
  EXPECT_EQ(told(read_labels_csv(csv("file,label_1,label_2,w\na.png,cat,dog,3\nb.png,dog,,3\n")).train),
            (Told{"a.png: cat dog", "b.png: dog"}));
  const Dataset numbers = read_labels_csv(csv("file,label,indoor\na.png,0,1\nb.png,1,1\n")).train;
  EXPECT_EQ(numbers.classes, (Told{"0", "1"}));
  EXPECT_FALSE(numbers.multi_label);
}

TEST_F(LabelsCsv, PandasIndexIsNoLabel) {
  for (const char* name : {"", "Unnamed: 0"}) {
    const std::string path = csv(std::string(name) + ",file,label\n0,a.png,0\n1,b.png,1\n");
    const Splits splits = read_labels_csv(path);
    EXPECT_EQ(told(splits.train), (Told{"a.png: 0", "b.png: 1"}));
    EXPECT_EQ(unused_of(splits, path), (Told{std::string("column \"") + name + "\": an index"}));
  }
}

TEST_F(LabelsCsv, TabsAndSemicolonsSeparateToo) {
  const Told expected{"a.png: cat", "b.png: dog", "sub/c, d.png: dog"};
  EXPECT_EQ(told(read_labels_csv(csv("file\tlabel\na.png\tcat\nb.png\tdog\nsub/c, d.png\tdog\n")).train), expected);
  EXPECT_EQ(told(read_labels_csv(csv("file;label\na.png;cat\nb.png;dog\n\"sub/c, d.png\";dog\n")).train), expected);
  EXPECT_EQ(told(read_labels_csv(csv("file;label\na.png;cat,dog\nb.png;dog\n")).train), (Told{"a.png: cat dog", "b.png: dog"}));
  write_bytes(folder_ / "labels.tsv", std::string_view("a.png\tsmall, cat\nb.png\tdog\n"));
  EXPECT_TRUE(is_labels_csv((folder_ / "labels.TSV").string()));
  EXPECT_EQ(told(read_labels_csv((folder_ / "labels.tsv").string()).train), (Told{"b.png: dog", "a.png: small, cat"}));
}

TEST_F(LabelsCsv, ARowWithoutALabelOrAFileIsLeftOut) {
  const std::string path = csv("file,label\na.png,cat\nb.png,dog\n\"e\"\"f.png\",\ngone.png,dog\n");
  const Splits splits = read_labels_csv(path);
  EXPECT_FALSE(splits.train.multi_label);
  EXPECT_EQ(unused_of(splits, path), (Told{"line 4, e\"f.png: no label"}));
  ASSERT_EQ(splits.train.samples.size(), 3u);  // what is not there is found out when it is read, as of any picture
  EXPECT_EQ(splits.train.samples[2].name, "gone.png");
  const std::vector<std::string> classes{"cat", "dog"};
  EXPECT_EQ(read_labels_csv(path, classes, false).samples.size(), 3u);
  EXPECT_EQ(read_labels_csv(path, classes, true).samples.size(), 4u);
}

TEST_F(LabelsCsv, ErrorsNameTheLine) {
  EXPECT_EQ(error(""), "no picture in it");
  EXPECT_EQ(error("file,labels\n"), "no picture in it");
  EXPECT_EQ(error("missing.png,cat\n"), "line 1: there is no file missing.png");
  EXPECT_EQ(error("x.png,cat\ny.png,dog\n"), "line 1: there is no file x.png, as for 1 more of 2");
  EXPECT_EQ(error("a.png,cat\nb.png,dog\n./a.png,cat\n"), "line 3: ./a.png is given twice, before in line 1");
  EXPECT_EQ(error("a.png,cat\nb.png,dog\na.png,dog\n"), "line 3: a.png is given twice, with the labels \"dog\", and \"cat\" in line 1");
  EXPECT_EQ(error("a.png,cat\nb.png,cat\n"), "one class only (\"cat\"); a classifier needs two");
  EXPECT_EQ(error("a.png,cat\nb.png,Cat\n"), "classes \"Cat\" and \"cat\" differ only in case");
  EXPECT_EQ(error("a.png\nb.png\n"), "no picture to train on has a label");
  EXPECT_EQ(error("a.png,\"cat\nb.png,dog\n"), "line 1: a quoted field does not end");
  EXPECT_EQ(error("a.png,\"cat\"x\n"), "line 1: \"x\" stands behind the quote that ends a field, a comma expected");
  EXPECT_EQ(error(",cat\n"), "line 1: the first field names no file");
  EXPECT_EQ(error("file,split,label\na.png,later,cat\n"), "line 2: the split is \"later\"; train, validation or test expected");
  EXPECT_EQ(error("file,label\na.png,cat,dog\n"), "line 2: 3 fields, the header has 2");
  EXPECT_EQ(error(std::string_view("a.png\0,cat\n", 11)), "is no text: it has zero bytes");
  const std::string absent = (folder_ / "absent.csv").string();
  EXPECT_EQ(message_of(ErrorKind::input, [&] { read_labels_csv(absent); }), absent + ": no such file");
}

TEST_F(LabelsCsv, ByClassesThatAreKnown) {
  const std::vector<std::string> classes{"dog", "cat"};
  const std::string path = csv("a.png,cat\nb.png,dog;cat\n");
  EXPECT_EQ(told(read_labels_csv(path, classes, true)), (Told{"a.png: cat", "b.png: dog cat"}));
  EXPECT_NE(message_of(ErrorKind::input, [&] { read_labels_csv(path, classes, false); }).find("line 2: b.png has 2 labels"),
            std::string::npos);
  const std::vector<std::string> other{"dog", "cow"};
  EXPECT_NE(message_of(ErrorKind::input, [&] { read_labels_csv(path, other, true); }).find("\"cat\" is none of the 2 known classes"),
            std::string::npos);
}

}  // namespace
}  // namespace fovea::image
