// How this process deals with memory it no longer needs.
#pragma once

namespace cleave {

// Keeps freed memory, up to some hundred MiB, for the next allocation instead of giving it back to the system at once.
// Buffers of chunks and values come and go all the time; without this every one of them costs the system's work of
// clearing fresh pages, several times that of reading a value. For the start of main(); elsewhere than with glibc it
// does nothing.
void KeepFreedMemory();

}  // namespace cleave
