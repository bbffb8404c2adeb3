// What is answered to pictures.
#include <fmt/format.h>
#include <fovea/error.h>
#include <fovea/heat_map.h>

#include <algorithm>
#include <cmath>
#include <filesystem>

#include "base/base64.h"
#include "serve/implementation.h"
#include "serve/inference_protocol.h"

namespace fovea::serve {

using nlohmann::json;

namespace {

constexpr int64_t kExplainedPixels = 4'000'000;  // a heat map takes some 20 bytes a pixel

bool is_no_picture(const Error& error) { return error.kind() == ErrorKind::input || error.kind() == ErrorKind::format; }

// At most so many pixels, or as long a side.
Image at_most(Image picture, int64_t pixels, int64_t side) {
  const double area = std::sqrt(static_cast<double>(pixels) / static_cast<double>(picture.width * picture.height));
  const double scale = std::min(area, static_cast<double>(side) / static_cast<double>(std::max(picture.width, picture.height)));
  if (scale >= 1) return picture;
  const auto scaled = [&](int64_t length) { return std::max<int64_t>(1, static_cast<int64_t>(static_cast<double>(length) * scale)); };
  return resize(picture, scaled(picture.width), scaled(picture.height), Interpolation::bicubic);
}

std::string text_of(const std::vector<std::byte>& bytes) { return {reinterpret_cast<const char*>(bytes.data()), bytes.size()}; }

}  // namespace

Image Service::Implementation::decode(const ServedModel& model, std::span<const std::byte> bytes) {
  const auto started = Clock::now();
  Image picture = decode_image(bytes, model->predictor.preprocessing());
  metrics_.spent("decode", model->name, std::chrono::duration<double>(Clock::now() - started).count());
  return picture;
}

void Service::Implementation::compute(const VisitPointer& visit, Job job) {
  job.model = visit->served;
  job.wanted = [visit] { return visit->exchange->wanted(); };
  job.failed = [visit](const std::exception_ptr& error) { visit->answer(error_answer(error)); };
  job.timed = [this, name = job.model->name](double waited, double computed, int64_t pictures) {
    metrics_.spent("queue", name, waited);
    if (computed > 0) metrics_.spent("compute", name, computed);
    if (pictures > 0) metrics_.batch(name, pictures);
  };
  cores_.compute(std::move(job));
}

void Service::Implementation::alone(const VisitPointer& visit, std::function<void()> work) {
  Job job;
  job.kind = Job::Kind::alone;
  job.compute = [this, model = visit->served, work = std::move(work)] {
    const auto started = Clock::now();
    work();
    metrics_.spent("compute", model->name, std::chrono::duration<double>(Clock::now() - started).count());
  };
  compute(visit, std::move(job));
}

// Answers {"model", "version", KEY: ...} to a picture that is the body, {"model", "version", "pictures": [{"file", KEY} or {"file",
// "error"}]} to a form. Each picture is computed as soon as it is decoded, so that no more than a few are there at a time.
void Service::Implementation::answer_pictures(const VisitPointer& visit, const char* key, const Fill& fill) {
  const std::vector<Part> parts = pictures_of(visit->request());
  if (static_cast<int64_t>(parts.size()) > options_.max_batch)
    throw Refused{413, fmt::format("{} pictures in one request, at most {}", parts.size(), options_.max_batch)};
  const bool form = is_form(visit->request());
  const auto finish = [model = visit->served, form, key](std::vector<json> all) {
    json answer{{"model", model->name}, {"version", model->version}};
    if (!form)
      answer[key] = std::move(all.front()[key]);
    else if (std::ranges::all_of(all, [](const json& one) { return one.contains("error"); }))
      return error_answer(400, all.front()["error"].get<std::string>());
    else
      answer["pictures"] = std::move(all);
    return json_answer(answer);
  };
  const auto gathering = std::make_shared<Gathering<json>>(visit, parts.size(), finish);
  for (size_t i = 0; i < parts.size() && visit->exchange->wanted(); ++i) {
    Job job;
    try {
      job.picture = decode(visit->served, as_bytes(parts[i].bytes));
    } catch (const Error& error) {
      if (!form || !is_no_picture(error)) throw;
      gathering->put(i, {{"file", parts[i].file}, {"error", error.what()}});
      continue;
    }
    fill(job, [gathering, i, key, file = parts[i].file](json value) {
      json one{{"file", file}};
      one[key] = std::move(value);
      gathering->put(i, std::move(one));
    });
    compute(visit, std::move(job));
  }
}

void Service::Implementation::predict(const VisitPointer& visit, const Names&) {
  const ServedModel model = visit->served = asked_model(visit->request());
  if (model->predictor.classes().empty()) throw Refused{400, fmt::format("{} has no classifier: /embed gives its features", model->name)};
  const int64_t top = std::min<int64_t>(count_of(visit->request(), "top", 5), static_cast<int64_t>(model->predictor.classes().size()));
  answer_pictures(visit, "classes", [&](Job& job, const auto& put) {
    job.top = top;
    job.done = [put, several = model->predictor.head().independent](const std::vector<ClassProbability>& classes, std::span<const float>) {
      put(classes_json(classes, several));
    };
  });
}

void Service::Implementation::embed(const VisitPointer& visit, const Names&) {
  visit->served = asked_model(visit->request());
  answer_pictures(visit, "embedding", [](Job& job, const auto& put) {
    job.kind = Job::Kind::vector;
    job.done = [put](const std::vector<ClassProbability>&, std::span<const float> vector) { put(vector_json(vector)); };
  });
}

void Service::Implementation::neighbors(const VisitPointer& visit, const Names&) {
  const ServedModel model = visit->served = asked_model(visit->request());
  if (!model->features) throw Refused{404, fmt::format("{}: no features were given at the start (--features)", model->name)};
  const int64_t top = count_of(visit->request(), "top", 6);
  answer_pictures(visit, "neighbors", [&](Job& job, const auto& put) {
    job.kind = Job::Kind::alone;
    job.compute = [put, model, top, picture = std::make_shared<Image>(std::move(job.picture))] {
      json found = json::array();
      for (const Neighbor& one : nearest_pictures(*model->features, query_features(model->model, *model->features, *picture), top))
        found.push_back({{"file", one.file}, {"row", one.row}, {"similarity", one.similarity}});
      put(std::move(found));
    };
  });
}

// One of the pictures that /neighbors names, small.
void Service::Implementation::neighbor_picture(const VisitPointer& visit, const Names&) {
  const ServedModel model = visit->served = asked_model(visit->request());
  const int64_t row = whole_of(visit->request(), "row", 0);
  if (!model->features || row >= static_cast<int64_t>(model->features->files.size())) throw Refused{404, "there is no such picture"};
  try {
    const auto file = std::filesystem::path(model->features->record.folder) / model->features->files[static_cast<size_t>(row)];
    const Image picture = at_most(read_image(file.string()), INT64_MAX, 256);
    visit->answer({200, "image/jpeg", text_of(encode_jpeg(picture))});
  } catch (const Error&) {
    throw Refused{404, "this picture cannot be read any more"};
  }
}

void Service::Implementation::explain(const VisitPointer& visit, const Names&) {
  const Request& request = visit->request();
  const ServedModel model = visit->served = asked_model(request);
  const HeatMapOptions asked{parse_heat_method(text_in(request, "method", "auto")), text_in(request, "tap", ""),
                             text_in(request, "class", "")};
  const auto parts = pictures_of(request);
  if (parts.size() > 1) throw Refused{400, fmt::format("{} pictures: one is explained at a time", parts.size())};
  auto picture = std::make_shared<Image>(at_most(decode(model, as_bytes(parts[0].bytes)), kExplainedPixels, INT64_MAX));
  alone(visit, [visit, model, asked, picture] {
    const HeatMap map = heat_map(model->model, *picture, asked);
    Response answer{200, "image/png", text_of(encode_png(overlay(*picture, map.heat)))};
    if (map.explained.index >= 0) {
      answer.headers["X-Class-Index"] = std::to_string(map.explained.index);
      answer.headers["X-Probability"] = fmt::format("{}", map.explained.probability);
    }
    visit->answer(std::move(answer));
  });
}

// As OpenAI's /v1/embeddings and infinity's /embeddings_image: https://platform.openai.com/docs/api-reference/embeddings.
void Service::Implementation::embeddings(const VisitPointer& visit, const Names&) {
  const json asked = read_json(visit->request().body);
  const auto text = [&](const char* name, const char* otherwise) {
    const auto found = asked.find(name);
    if (found == asked.end() || found->is_null()) return std::string(otherwise);
    if (!found->is_string()) throw Refused{400, fmt::format("\"{}\": a text expected", name)};
    return found->get<std::string>();
  };
  if (!asked.is_object() || !asked.contains("input")) throw Refused{400, "an object with \"model\" and \"input\" expected"};
  const ServedModel model = visit->served = model_of(text("model", ""));
  const std::string format = text("encoding_format", "float");
  if (format != "float" && format != "base64") throw Refused{400, "\"encoding_format\": \"float\" or \"base64\" expected"};
  std::vector<const std::string*> inputs;
  const auto add = [&](const json& one) {
    if (!one.is_string()) throw Refused{400, "\"input\": a picture as base64 or as a data address, or a list of them, expected"};
    inputs.push_back(&one.get_ref<const std::string&>());
  };
  if (const json& given = asked["input"]; given.is_array())
    std::ranges::for_each(given, add);
  else
    add(given);
  if (inputs.empty()) throw Refused{400, "\"input\" is empty"};
  if (static_cast<int64_t>(inputs.size()) > options_.max_batch)
    throw Refused{413, fmt::format("{} pictures in one request, at most {}", inputs.size(), options_.max_batch)};

  const auto finish = [model](std::vector<json> data) {
    for (size_t i = 0; i < data.size(); ++i) data[i] = {{"object", "embedding"}, {"index", i}, {"embedding", std::move(data[i])}};
    return json_answer(
        {{"object", "list"}, {"data", std::move(data)}, {"model", model->name}, {"usage", {{"prompt_tokens", 0}, {"total_tokens", 0}}}});
  };
  const auto gathering = std::make_shared<Gathering<json>>(visit, inputs.size(), finish);
  for (size_t i = 0; i < inputs.size() && visit->exchange->wanted(); ++i) {
    Job job;
    job.kind = Job::Kind::vector;
    job.picture = decode(model, picture_of_text(*inputs[i]));
    job.done = [gathering, i, packed = format == "base64"](const std::vector<ClassProbability>&, std::span<const float> vector) {
      gathering->put(i, packed ? json(base64(std::as_bytes(vector))) : vector_json(vector));
    };
    compute(visit, std::move(job));
  }
}

void Service::Implementation::infer(const VisitPointer& visit, const Names& names) {
  const ServedModel model = visit->served = version_of(names);
  const auto asked = std::make_shared<InferRequest>(read_infer(*model, visit->request(), options_.max_batch));
  if (asked->timeout > 0) visit->exchange->answer_by(deadline_of(visit->request(), asked->timeout));
  const size_t count = asked->images.empty() ? asked->pictures.size() : static_cast<size_t>(asked->images.shape()[0]);
  const auto finish = [model, asked](const std::vector<Rows>& all) { return infer_answer(*model, *asked, all); };
  const auto gathering = std::make_shared<Gathering<Rows>>(visit, count, finish);
  for (size_t i = 0; i < count && visit->exchange->wanted(); ++i) {
    if (!asked->images.empty()) {
      alone(visit, [gathering, model, asked, i] { gathering->put(i, infer_rows(*model, *asked, asked->image(i))); });
    } else {
      const auto picture = std::make_shared<Image>(decode(model, asked->pictures[i]));
      alone(visit, [gathering, model, asked, i, picture] { gathering->put(i, infer_rows(*model, *asked, *picture)); });
    }
  }
}

}  // namespace fovea::serve
