// The lines that fovea has to tell beside its results. By itself it prints none; those of the topics in the environment variable FOVEA_LOG
// ("kernels,passes,memory", or "all") go to standard error unless there is a sink.
#pragma once

#include <fovea/api.h>

#include <functional>
#include <string>
#include <string_view>

namespace fovea {

// `topic`: "train" for the news of trainings that have no TrainOptions::note, else one of those above.
using LogSink = std::function<void(std::string_view topic, std::string_view text)>;

// From now on every line goes to `sink`, and with it those of `topics` ("" none but the news, "all", or as in FOVEA_LOG); an empty one ends
// this. Lines may come from any thread, but never from two at once; the sink itself must not train. What it throws is passed over.
FOVEA_API void set_log_sink(LogSink sink, const std::string& topics = {});

}  // namespace fovea
