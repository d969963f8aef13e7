#include <iostream>
#include <string>
#include <vector>

#include "cli/program.h"

#include "base/memory.h"

int main(int argc, char** argv) {
  cleave::KeepFreedMemory();
  return cleave::cli::RunProgram(std::vector<std::string>(argv + 1, argv + argc), std::cout, std::cerr);
}
