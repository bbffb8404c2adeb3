// Pictures that OpenCV reads, records or changes: into fovea and back.
//
// A camera's frames come as cv::Mat: BGR, sometimes a region of a larger frame, sometimes 16 bits a value. The network is small and starts
// new, so that nothing is fetched; needs opencv2/core alone.
#include <fovea/fovea.h>
#include <fovea/opencv.h>

#include <cstdio>
#include <exception>

namespace {

// A frame of 12 bits, as industrial cameras give them, of which the part in the middle counts.
cv::Mat frame(cv::RNG& random) {
  cv::Mat frame(120, 160, CV_16UC3);
  random.fill(frame, cv::RNG::UNIFORM, 0, 4096);
  return frame;
}

}  // namespace

int main() {
  try {
    fovea::Model model = fovea::Model::load("mobilenet_v3_small", {.weights = "none"});
    model.replace_head({"good", "scratched"});
    cv::RNG random(7);
    for (int i = 0; i < 3; ++i) {
      const cv::Mat part = frame(random)(cv::Rect(30, 10, 100, 100));
      const fovea::Image picture = fovea::image_from_mat(part, {.range = fovea::ValueRange{.min = 0, .max = 4095}});
      const auto best = model.predict(picture, 1).front();
      std::printf("frame %d: %s (%.2f)\n", i, best.name.c_str(), best.probability);
      // What the network saw, for cv::imshow and cv::imwrite.
      const cv::Mat seen = fovea::mat_from_image(fovea::fit(picture, model.preprocessing()));
      if (seen.cols != model.preprocessing().width || seen.type() != CV_8UC3) return 1;
    }
    return 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
}
