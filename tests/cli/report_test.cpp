// report.html in a real browser: it shows what metrics.json says, loads nothing, and can be read on every screen and on paper.
#include <fmt/format.h>

#include <map>
#include <regex>

#include "cli/support.h"

namespace fovea::cli {
namespace {

using nlohmann::json;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

bool browser_is_there() { return std::system("command -v chromium >/dev/null 2>&1") == 0; }

// Looks at every element: what sticks out of the window, what can hardly be read (WCAG 2.1 wants a contrast of 4.5), what comes from
// elsewhere. Writes the answer at the end of the page.
constexpr const char* kMeasure = R"(<script>
addEventListener('load', () => {
  const found = {width: innerWidth, dark: matchMedia('(prefers-color-scheme: dark)').matches, outside: [], faint: [], elsewhere: [], pictures: 0, broken: 0};
  const name = e => e.tagName + '.' + (e.getAttribute('class') || '') + ' ' + e.textContent.slice(0, 40);
  const parts = c => { const n = c.match(/[\d.]+/g).map(Number); return n.length > 3 ? n : [...n, 1]; };
  const over = (top, low) => low.map((v, i) => i < 3 ? top[i] * top[3] + v * (1 - top[3]) : 1);
  const light = c => { const [r, g, b] = c.map(v => v / 255).map(v => v <= .03928 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4); return .2126 * r + .7152 * g + .0722 * b; };
  const ground = e => { const layers = []; for (; e; e = e.parentElement) layers.push(parts(getComputedStyle(e).backgroundColor));
    return layers.reverse().reduce((low, top) => over(top, low), [255, 255, 255, 1]); };
  if (document.documentElement.scrollWidth > innerWidth) found.outside.push('the page: ' + document.documentElement.scrollWidth);
  for (const e of document.querySelectorAll('body *')) {
    const box = e.getBoundingClientRect(), style = getComputedStyle(e);
    if (!e.closest('.scroll') && box.width > 0 && (box.right > innerWidth + 1 || box.left < -1)) found.outside.push(name(e));
    const svg = e.closest('svg');
    if (svg && e.tagName == 'text') { const s = svg.getBoundingClientRect(); if (box.right > s.right + 1 || box.left < s.left - 1 || box.top < s.top - 1 || box.bottom > s.bottom + 1) found.outside.push(name(e)); }
    if ([...e.childNodes].some(n => n.nodeType == 3 && n.data.trim()) && e.tagName != 'SCRIPT' && box.width > 0) {
      const low = ground(e), a = light(over(parts(svg ? style.fill : style.color), low)), b = light(low);
      const contrast = (Math.max(a, b) + .05) / (Math.min(a, b) + .05);
      if (contrast < 4.5) found.faint.push(name(e) + ' ' + contrast.toFixed(2));
    }
  }
  for (const e of document.querySelectorAll('[src],[href],[srcset],link,iframe,object,embed'))
    if (!(e.tagName == 'IMG' && e.src.startsWith('data:image/'))) found.elsewhere.push(name(e));
  for (const e of performance.getEntriesByType('resource')) if (!e.name.startsWith('data:')) found.elsewhere.push(e.name);
  for (const e of document.images) { found.pictures++; if (!e.complete || !e.naturalWidth) found.broken++; }
  const text = 'measured ' + JSON.stringify(found).replaceAll('--', '- -');
  if (parent != window) parent.postMessage(text, '*'); else document.body.append(new Comment(text));
});
</script>)";

// What the script above found, of the page in a window of a given width. No browser window is narrower than 500, so it is put into a frame.
json measured(const fs::path& page, int width, bool dark, const Folder& folder) {
  std::string text = read_all(page);
  text = std::regex_replace(text, std::regex("<meta http-equiv=[^>]*>"), "");  // which forbids every script
  const size_t end = text.rfind("</body>");
  EXPECT_NE(end, std::string::npos);
  write_all(folder.path() / "copy.html", text.substr(0, end) + kMeasure + text.substr(end));
  write_all(folder.path() / "frame.html",
            fmt::format("<!DOCTYPE html><body><script>addEventListener('message', m => document.body.append(new Comment(m.data)))</script>"
                        "<iframe src=\"copy.html\" style=\"border:0;width:{}px;height:900px;color-scheme:light dark\"></iframe></body>",
                        width));
  return json::parse([&] {
    const std::string command = fmt::format(
        "timeout 120 chromium --headless --no-sandbox --disable-gpu --hide-scrollbars --allow-file-access-from-files --user-data-dir={} {} "
        "--window-size=1400,900 --virtual-time-budget=5000 --dump-dom {} 2>/dev/null >{}",
        quoted(folder / "browser"), dark ? "--blink-settings=preferredColorScheme=0" : "--blink-settings=preferredColorScheme=1",
        quoted("file://" + (folder / "frame.html")), quoted(folder / "dom"));
    EXPECT_EQ(std::system(command.c_str()), 0) << command;
    const std::string dom = read_all(folder / "dom");
    const size_t begin = dom.find("<!--measured "), stop = dom.find("-->", begin);
    EXPECT_NE(begin, std::string::npos) << dom.substr(0, 400);
    return begin == std::string::npos ? std::string("{}") : dom.substr(begin + 13, stop - begin - 13);
  }());
}

// The page as the browser understands it.
std::string dom_of(const fs::path& page, const Folder& folder) {
  const std::string command =
      fmt::format("timeout 120 chromium --headless --no-sandbox --disable-gpu --user-data-dir={} --dump-dom {} 2>/dev/null >{}",
                  quoted(folder / "browser"), quoted("file://" + page.string()), quoted(folder / "dom"));
  EXPECT_EQ(std::system(command.c_str()), 0) << command;
  return read_all(folder / "dom");
}

std::string replaced(std::string text, const std::string& from, const std::string& to) {
  for (size_t at = 0; (at = text.find(from, at)) != std::string::npos; at += to.size()) text.replace(at, from.size(), to);
  return text;
}

// As a reader sees it.
std::string plain(std::string text) {
  for (const auto& [from, to] : {std::pair("\u202F", " "), std::pair("&nbsp;", " "), std::pair("&lt;", "<"), std::pair("&gt;", ">"),
                                 std::pair("&quot;", "\""), std::pair("&amp;", "&")})
    text = replaced(text, from, to);
  return text;
}

// Text of the elements with data-of, by its value.
std::map<std::string, std::string> shown_values(const std::string& dom) {
  static const std::regex element("data-of=\"([^\"]+)\"[^>]*>([^<]*)<");
  std::map<std::string, std::string> values;
  for (std::sregex_iterator at(dom.begin(), dom.end(), element), end; at != end; ++at) values[(*at)[1]] = plain((*at)[2]);
  return values;
}

std::string percent(const json& share) { return fmt::format("{:.1f} %", 100 * share.get<double>()); }
std::string range(const json& interval) {
  return fmt::format("{:.1f} to {:.1f} %", 100 * interval.at(0).get<double>(), 100 * interval.at(1).get<double>());
}

void expect_shows(const std::map<std::string, std::string>& values, const std::string& path, const std::string& wanted) {
  const auto found = values.find(path);
  ASSERT_TRUE(found != values.end()) << path;
  EXPECT_EQ(found->second, wanted) << path;
}

// Everything about an evaluation, number by number.
void expect_shows_evaluation(const std::map<std::string, std::string>& values, const json& metrics, const std::string& key) {
  const json& test = metrics.at(key);
  expect_shows(values, key + ".calibration.expected_error", percent(test.at("calibration").at("expected_error")));
  for (size_t i = 0; i < test.at("classes").size(); ++i) {
    const json& one = test["classes"][i];
    if (one.at("pictures") == 0) continue;
    const std::string path = fmt::format("{}.classes.{}.", key, i);
    expect_shows(values, path + "accuracy", percent(one.at("accuracy")));
    expect_shows(values, path + "interval", range(one.at("interval")));
    expect_shows(values, path + "correct", one.at("correct").dump());
    expect_shows(values, path + "pictures", one.at("pictures").dump());
    for (size_t j = 0; j < test.at("confusion").size(); ++j)
      if (test["confusion"][i][j] > 0) expect_shows(values, fmt::format("{}.confusion.{}.{}", key, i, j), test["confusion"][i][j].dump());
  }
  for (size_t i = 0; i < test.at("worst_mistakes").size(); ++i) {
    const json& one = test["worst_mistakes"][i];
    const std::string path = fmt::format("{}.worst_mistakes.{}.", key, i);
    expect_shows(values, path + "confidence", percent(one.at("confidence")));
    expect_shows(values, path + "label_probability", percent(one.at("label_probability")));
    const std::string file = one.at("file");  // shown from the class folder on
    expect_shows(values, path + "file", file.substr(file.rfind('/', file.rfind('/') - 1) + 1));
  }
  for (size_t i = 0; i < test.at("calibration").at("bins").size(); ++i) {
    const json& bin = test["calibration"]["bins"][i];
    if (bin.at("pictures") == 0) continue;
    const std::string path = fmt::format("{}.calibration.bins.{}.", key, i);
    expect_shows(values, path + "pictures", bin.at("pictures").dump());
    expect_shows(values, path + "confidence", percent(bin.at("confidence")));
    expect_shows(values, path + "accuracy", percent(bin.at("accuracy")));
  }
}

int count_points(const std::string& dom, const std::string& id, const std::string& look) {
  std::smatch match;
  const size_t begin = dom.find("id=\"" + id + "\""), end = dom.find("</svg>", begin);
  if (begin == std::string::npos) return 0;
  const std::string svg = dom.substr(begin, end - begin);
  if (!std::regex_search(svg, match, std::regex("<polyline points=\"([^\"]*)\" class=\"line " + look + "\""))) return 0;
  const std::string points = match[1];
  return static_cast<int>(std::count(points.begin(), points.end(), ','));
}

class Report : public testing::Test {
 protected:
  // Classes whose names are HTML, one of them as long as names get; of every colour in each, so that none can be told from another.
  void SetUp() override {
    const char* names[] = {"green", kNasty, kLong};
    for (int i = 0; i < 18; ++i) {
      const auto strong = static_cast<uint8_t>(150 + 5 * i), weak = static_cast<uint8_t>(20 + 4 * i);
      const auto of = [&](int colour) { return (i / 3 + i) % 3 == colour ? strong : weak; };
      write_all(folder_.path() / "pictures" / names[i % 3] / fmt::format("{}.bmp", i), bmp(48, of(0), of(1), of(2)));
    }
    if (!browser_is_there()) {
      const char* required = std::getenv("FOVEA_REQUIRE_BROWSER");
      ASSERT_FALSE(required && *required) << "there is no chromium; scripts/get_chromium.sh installs it";
      GTEST_SKIP() << "there is no chromium; scripts/get_chromium.sh installs it";
    }
  }
  Outcome train(const std::string& out, const std::vector<std::string>& more) {
    std::vector<std::string> arguments{
        "train", folder_ / "pictures", "--model", "resnet18", "--weights", "none", "--size", "32", "--batch", "6", "--out", out, "--test",
        "0.4",   "--recipe",           "full",    "--epochs", "3"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return run_fovea(arguments);
  }

  static constexpr const char* kNasty = "<img src=x onerror=alert(1)>& \"red\" 'x'";
  static constexpr const char* kLong =
      "a-very-long-name-of-a-class-without-any-space-in-it-as-people-have-them-who-name-folders-by-what-is-in-them";
  Folder folder_;
};

TEST_F(Report, ShowsInABrowserWhatMetricsJsonSays) {
  const std::string run = folder_ / "run", page = run + "/report.html";
  write_all(folder_.path() / "pictures" / kNasty / "bad <b>.jpg", "no picture");
  const Outcome outcome = train(run, {});
  ASSERT_EQ(outcome.status, 0) << outcome.err;
  EXPECT_THAT(outcome.out, HasSubstr(page));
  const json metrics = json::parse(read_all(run + "/metrics.json"));
  ASSERT_GT(metrics.at("test").at("worst_mistakes").size(), 0u);

  const std::string dom = dom_of(page, folder_);
  const auto values = shown_values(dom);
  for (const std::string key : {"test", "validation"}) {
    expect_shows(values, key + ".accuracy", percent(metrics.at(key).at("accuracy")));
    expect_shows(values, key + ".interval", range(metrics.at(key).at("interval")));
    expect_shows(values, key + ".pictures", metrics.at(key).at("pictures").dump());
  }
  expect_shows_evaluation(values, metrics, "test");
  expect_shows(values, "model", "resnet18");
  expect_shows(values, "recipe", "full");
  expect_shows(values, "epochs", metrics.at("epochs").dump());
  expect_shows(values, "best_epoch", metrics.at("best_epoch").dump());
  expect_shows(values, "training_pictures", metrics.at("training_pictures").dump());
  for (size_t i = 0; i < 3; ++i)
    for (const char* part : {"train", "validation", "test"})
      expect_shows(values, fmt::format("class_pictures.{}.{}", part, i), metrics.at("class_pictures").at(part).at(i).dump());
  for (const char* id : {"loss-curve", "accuracy-curve"}) {
    EXPECT_EQ(count_points(dom, id, "training"), 3) << id;
    EXPECT_EQ(count_points(dom, id, "validation"), 3) << id;
  }
  EXPECT_THAT(dom, HasSubstr("bad &lt;b&gt;.jpg"));
  EXPECT_THAT(dom, HasSubstr("fovea train"));
  EXPECT_THAT(dom, Not(HasSubstr("<img src=\"x\"")));
}

TEST_F(Report, CanBeReadOnEveryScreenAndOnPaperAndLoadsNothing) {
  const std::string run = folder_ / "run", page = run + "/report.html";
  ASSERT_EQ(train(run, {}).status, 0);
  const json metrics = json::parse(read_all(run + "/metrics.json"));
  for (const bool dark : {false, true}) {
    for (const int width : {1280, 420}) {
      const json found = measured(page, width, dark, folder_);
      ASSERT_EQ(found.value("width", 0), width);
      EXPECT_EQ(found.at("dark"), dark);
      EXPECT_THAT(found.at("outside"), IsEmpty()) << width << found.at("outside");
      EXPECT_THAT(found.at("faint"), IsEmpty()) << (dark ? "dark " : "light ") << found.at("faint");
      EXPECT_THAT(found.at("elsewhere"), IsEmpty()) << found.at("elsewhere");
      EXPECT_GE(found.at("pictures"), metrics.at("test").at("worst_mistakes").size());
      EXPECT_EQ(found.at("broken"), 0);
    }
  }
  const std::string pdf = folder_ / "page.pdf";
  ASSERT_EQ(std::system(fmt::format("timeout 120 chromium --headless --no-sandbox --disable-gpu --no-pdf-header-footer --user-data-dir={} "
                                    "--print-to-pdf={} {} 2>/dev/null",
                                    quoted(folder_ / "browser"), quoted(pdf), quoted("file://" + page))
                            .c_str()),
            0);
  EXPECT_THAT(read_all(pdf).substr(0, 5), "%PDF-");
}

TEST_F(Report, IsWrittenAgainWhereItIsMissingAndOnlyThen) {
  const std::string run = folder_ / "run", page = run + "/report.html";
  ASSERT_EQ(train(run, {"--no-report"}).status, 0);
  EXPECT_FALSE(fs::exists(page));
  ASSERT_EQ(train(run, {"--resume"}).status, 0);
  ASSERT_TRUE(fs::exists(page));
  const std::string text = read_all(page);
  EXPECT_THAT(text, HasSubstr("id=\"verdict\""));
  write_all(page, "mine");
  ASSERT_EQ(train(run, {"--resume"}).status, 0);
  EXPECT_EQ(read_all(page), "mine");
  const Outcome again = run_fovea({"report", run});
  ASSERT_EQ(again.status, 0) << again.err;
  EXPECT_EQ(again.out, page + "\n");
  // The command that made it is of the run, so the page is the same.
  EXPECT_EQ(replaced(read_all(page), " --no-report", ""), replaced(text, " --no-report", ""));
  fs::create_directories(folder_.path() / "empty");
  expect_one_line(run_fovea({"report", folder_ / "empty"}), 1, {folder_ / "empty", "metrics.json"});
  write_all(run + "/metrics.json", "{\"test\": {\"pictures\": 3");
  expect_one_line(run_fovea({"report", run}), 1, {"metrics.json", "it is no JSON, or not all of it"});
}

TEST_F(Report, OfAnEvaluationToo) {
  const std::string run = folder_ / "run", page = folder_ / "evaluation.html";
  ASSERT_EQ(train(run, {"--no-report"}).status, 0);
  const Outcome outcome = run_fovea({"evaluate", run + "/model.safetensors", folder_ / "pictures", "--report", page, "--json"});
  ASSERT_EQ(outcome.status, 0) << outcome.err;
  const json evaluation = outcome.json();
  const std::string dom = dom_of(page, folder_);
  const auto values = shown_values(dom);
  expect_shows(values, "test.accuracy", percent(evaluation.at("accuracy")));
  for (size_t i = 0; i < 3; ++i) {
    expect_shows(values, fmt::format("test.classes.{}.correct", i), evaluation.at("classes").at(i).at("correct").dump());
    for (size_t j = 0; j < 3; ++j)
      if (evaluation.at("confusion").at(i).at(j) > 0)
        expect_shows(values, fmt::format("test.confusion.{}.{}", i, j), evaluation["confusion"][i][j].dump());
  }
  EXPECT_THAT(dom, Not(HasSubstr("loss-curve")));
}

}  // namespace
}  // namespace fovea::cli
