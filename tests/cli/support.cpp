#include "cli/support.h"

namespace fovea::cli {
namespace {

void put(std::string& bytes, size_t at, uint32_t value, int count) {
  for (int i = 0; i < count; ++i) bytes[at + static_cast<size_t>(i)] = static_cast<char>(value >> (8 * i));
}

void append_big_endian(std::string& bytes, uint32_t value) {
  for (int shift = 24; shift >= 0; shift -= 8) bytes += static_cast<char>(value >> shift);
}

// CRC-32 as PNG defines it, bit by bit.
uint32_t checksum(const std::string& bytes) {
  uint32_t crc = 0xFFFFFFFFu;
  for (char c : bytes) {
    crc ^= static_cast<uint8_t>(c);
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ (crc & 1 ? 0xEDB88320u : 0);
  }
  return ~crc;
}

}  // namespace

std::string bmp(int side, uint8_t red, uint8_t green, uint8_t blue) {
  constexpr uint32_t kHeader = 54;
  const auto width = static_cast<uint32_t>(side), row = (3 * width + 3) / 4 * 4;
  std::string bytes(kHeader + row * width, '\0');
  bytes[0] = 'B';
  bytes[1] = 'M';
  put(bytes, 2, static_cast<uint32_t>(bytes.size()), 4);
  put(bytes, 10, kHeader, 4);
  put(bytes, 14, 40, 4);
  put(bytes, 18, width, 4);
  put(bytes, 22, width, 4);
  put(bytes, 26, 1, 2);
  put(bytes, 28, 24, 2);
  for (uint32_t y = 0; y < width; ++y) {
    for (uint32_t x = 0; x < width; ++x) {
      const uint32_t shade = (x * 7 + y * 13) % 32, at = kHeader + y * row + 3 * x;
      put(bytes, at, blue ^ shade, 1);
      put(bytes, at + 1, green ^ shade, 1);
      put(bytes, at + 2, red ^ shade, 1);
    }
  }
  return bytes;
}

std::string png_header(uint32_t width, uint32_t height) {
  std::string header = "IHDR";
  append_big_endian(header, width);
  append_big_endian(header, height);
  header += std::string("\x08\x02\x00\x00\x00", 5);  // 8 bits, RGB
  std::string bytes("\x89PNG\r\n\x1A\n", 8);
  append_big_endian(bytes, 13);
  bytes += header;
  append_big_endian(bytes, checksum(header));
  return bytes;
}

void draw_classes(const fs::path& folder, int count) {
  for (int i = 0; i < count; ++i) {
    const auto strong = static_cast<uint8_t>(170 + 5 * i), weak = static_cast<uint8_t>(20 + 6 * i);
    const std::string name = std::to_string(i) + ".bmp";
    write_all(folder / "red" / name, bmp(48, strong, weak, weak));
    write_all(folder / "green" / name, bmp(48, weak, strong, weak));
    write_all(folder / "blue" / name, bmp(48, weak, weak, strong));
  }
}

std::string small_model(const Folder& folder) {
  LoadOptions options;
  options.weights = "none";
  Model model = Model::load("resnet18", options);
  model.replace_head(std::vector<std::string>{"red", "green", "blue"});
  Preprocessing preprocessing = model.preprocessing();
  preprocessing.height = preprocessing.width = 64;
  preprocessing.resize = 72;
  model.set_preprocessing(preprocessing);
  const std::string path = folder / "small.safetensors";
  model.save(path);
  return path;
}

}  // namespace fovea::cli
