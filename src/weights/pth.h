// PyTorch checkpoints (.pth, .pt): the stream that torch.save wrote before 1.6, and the zip since.
#pragma once

#include <cstddef>
#include <filesystem>
#include <memory>
#include <span>
#include <string_view>

#include "weights/state_dict.h"

namespace fovea::weights {

// The network in a checkpoint (checkpoint_search.h), or the one that `part` names. A wrapper's prefix is taken off the names that have it.
// What is not a tensor is left out and logged under the topic "weights". Tensors of 32 bits and more look into the mapped file where it is
// aligned. Throws Error(io), Error(format) or Error(unsupported), naming the file and the tensor, and Error(usage) for a part that is not
// there. Nothing in the file is ever executed.
StateDict read_pth(const std::filesystem::path& path);

// The same from memory, which `owner` keeps alive for the tensors.
StateDict read_pth(std::span<const std::byte> bytes, std::shared_ptr<const void> owner, std::string_view part = "");

bool is_pth_zip(std::span<const std::byte> bytes);
bool is_pth_stream(std::span<const std::byte> bytes);

}  // namespace fovea::weights
