// What an error says.
#pragma once

#include <fovea/error.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace fovea::test {

// Fails the running test unless `body` throws an Error of this kind whose text has this part.
template <class Body>
void expect_error(ErrorKind kind, const std::string& part, Body&& body) {
  try {
    body();
    ADD_FAILURE() << "no error with " << part;
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), kind);
    EXPECT_THAT(error.what(), testing::HasSubstr(part));
  }
}

}  // namespace fovea::test
