// What the shared library shows: everything that is marked with FOVEA_API, and nothing else.
#pragma once

#define FOVEA_API __attribute__((visibility("default")))
