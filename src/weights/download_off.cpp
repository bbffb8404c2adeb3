// In the place of download.cpp where fovea is built with FOVEA_FETCH=OFF.
#include "base/error.h"
#include "weights/download.h"

namespace fovea::weights {

const char* why_no_download() { return "this fovea was built without fetching (FOVEA_FETCH=OFF)"; }

Downloaded download(const std::string& url, const std::filesystem::path&, const DownloadOptions&, bool) {
  fail(ErrorKind::unsupported, "{}: {}", url, why_no_download());
}

}  // namespace fovea::weights
