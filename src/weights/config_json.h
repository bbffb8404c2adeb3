// Entries of a JSON file that is not trusted. Each error names the entry, what it is and what was expected.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "base/json_value.h"

namespace fovea::weights {

// Of a picture in pixels, and of whatever else is counted in a configuration.
inline constexpr int64_t kLargestCount = 1 << 20;

// The object in the file. Throws Error(io), or Error(format) that names the file.
nlohmann::json read_json_object(const std::filesystem::path& path);

// Null where there is none, or where it is null.
const nlohmann::json* entry_of(const nlohmann::json& object, std::string_view key);

// "KEY is 'VALUE', EXPECTED expected".
[[noreturn]] void fail_entry(std::string_view key, const nlohmann::json& value, std::string_view expected);

double number_in(const nlohmann::json& value, std::string_view key);  // finite
int64_t count_in(const nlohmann::json& value, std::string_view key);  // whole, from 0 to kLargestCount
std::string text_in(const nlohmann::json& value, std::string_view key);
std::vector<int64_t> counts_in(const nlohmann::json& value, std::string_view key);

// The same of an entry of an object, or what is given where there is none.
double number_or(const nlohmann::json& object, std::string_view key, double otherwise);
int64_t count_or(const nlohmann::json& object, std::string_view key, int64_t otherwise);
std::string text_or(const nlohmann::json& object, std::string_view key, std::string_view otherwise);
bool flag_or(const nlohmann::json& object, std::string_view key, bool otherwise);
std::vector<int64_t> counts_or(const nlohmann::json& object, std::string_view key, std::vector<int64_t> otherwise);
// Of three channels; one number stands for all.
std::vector<float> three_or(const nlohmann::json& object, std::string_view key, std::vector<float> otherwise);

// Throws Error(unsupported) where the entry is there and is not this.
void require_entry(const nlohmann::json& object, std::string_view key, const nlohmann::json& expected);

}  // namespace fovea::weights
